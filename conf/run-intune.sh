#!/bin/bash
#
# From nothing to a device that Intune manages and whose certificate it revokes:
# conf/intune.conf as it is but for paths and ports, a private Redis, and in
# place of Entra, Graph, Intune and Key Vault the simulator of t/azure; all
# under $BUILD/run-intune.  Goes on serving until Ctrl-C; with ONCE=1 it ends
# after the steps.  PORT, TLS_PORT, SCEP_PORT and REDIS_PORT choose other ports.

set -euo pipefail

cd "$(dirname "$0")/.."
. t/tools/nginx.sh

name=run-intune
run=${RUN:-$BUILD/run-intune}
port=${PORT:-8090}
tls_port=${TLS_PORT:-8493}
scep_port=${SCEP_PORT:-8091}
redis_port=${REDIS_PORT:-16389}
url=http://127.0.0.1:$port
scep=http://127.0.0.1:$scep_port/certsrv/mscep/mscep.dll

. conf/run-common.sh


step "preparing $run"

for p in "$port" "$tls_port" "$scep_port" "$redis_port"; do
    ! busy "$p" || die "port $p is in use, choose another by PORT=...," \
                       "TLS_PORT=..., SCEP_PORT=... or REDIS_PORT=..."
done

top=$PWD
rm -rf "$run"
mkdir -p "$run"/{conf,lib,logs,modules,redis,temp,device,azure}
cd "$run"
umask 077

mkfifo azure/stdin
/usr/bin/python3 -B "$top/t/azure/simulator.py" --dir "$run/azure" \
    < azure/stdin > azure/ready 2> azure/log &
azure_pid=$!
exec 8> azure/stdin

until_ok 20 test -s azure/ready || die "the simulator did not start"

azure_port() {
    sed 's/.*"'"$1"'": *\([0-9]*\).*/\1/' azure/ready
}

imds=http://127.0.0.1:$(azure_port http)
proxy=$(azure_port proxy)
api=http://127.0.0.1:$(azure_port control)/control

azure() {
    curl -sS --fail-with-body -d "$2" "$api/$1"
}

# making such a key takes the simulator longer than a vault may take

azure stock '{"key_size":4096}' > /dev/null

# where nginx would call Azure it calls the simulator: a proxy and its CA; a
# client that knows no CA yet enrols without TLS, as SCEP protects itself

sed -e "s|/etc/nginx/pki|$run/conf|; s|/var/lib/nginx/pki|$run/lib|" \
    -e "s|/var/log/nginx|logs|; s|/run/nginx.pid|logs/nginx.pid|" \
    -e '/^user /d; s/^worker_processes .*/worker_processes 2;/' \
    -e "s|redis://127.0.0.1:6379|redis://127.0.0.1:$redis_port|" \
    -e "s|listen  *80 |listen 127.0.0.1:$port |" \
    -e "s|listen  *443 |listen 127.0.0.1:$scep_port;\n\
        listen 127.0.0.1:$tls_port |" \
    -e "s|base_url .*|base_url $url;|" \
    -e "s|managed_identity;|managed_identity endpoint=$imds;|" \
    -e "s|^    resolver .*|    pki_proxy http://127.0.0.1:$proxy;\n\
    pki_trusted_certificate $run/azure/ca.pem;\n\
    client_body_temp_path temp/body;\n    proxy_temp_path temp/proxy;|" \
    "$top/conf/intune.conf" > conf/nginx.conf
cp "$top/conf/log-format.conf" conf/

openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost \
    -keyout conf/server.key -out conf/server.pem 2> /dev/null
ln -sf "$BUILD/ngx_http_pki_module.so" modules/

cat > strongswan.conf <<END
pki {
    load = curl random nonce openssl pem pkcs1 pkcs7 pkcs8 x509
}
END
export STRONGSWAN_CONF=$run/strongswan.conf

start_redis "$redis_port"
start_nginx conf/nginx.conf

# what Intune orders for a device, what the device asks for

order() {
    azure challenge "{\"subject\":\"CN=$1\",\"key_length\":2048}" \
        | sed 's/.*"challenge": *"\([^"]*\)".*/\1/'
}

enrol() {
    pki --scep --url "$scep" --in device/key.pem --dn "CN=$1" \
        --password "$2" --cacert-enc device/ra.pem --cacert-sig device/ra.pem \
        --outform pem 2> pki.txt
}

last_line() {
    tail -n 1 logs/pki.log | tr ',' '\n' \
        | grep -E '"(device|subject|serial|scep_[cfst][hart]a)' \
        | sed 's/^/    /'
}


step "Intune orders a certificate for a device, the device asks for it"

device=$(cat /proc/sys/kernel/random/uuid)

# a worker may be ready a moment later than the one that answered the probe

get_ca() {
    pki --scepca --url "$scep" --outform pem --caout device/ca.pem \
        --raout device/ra.pem --force 2> pki.txt
}

echo "\$ pki --scepca --url $scep --outform pem --caout device/ca.pem" \
     "--raout device/ra.pem"
until_ok 20 get_ca || die "no CA certificate: $(cat pki.txt)"
show openssl genrsa -out device/key.pem 2048
challenge=$(order "$device")
echo "\$ pki --scep --in device/key.pem --dn CN=$device" \
     "--password '${challenge:0:20}...' ..."
enrol "$device" "$challenge" > device/cert.pem \
    || die "no certificate: $(cat pki.txt)"
show openssl verify -CAfile device/ca.pem device/cert.pem
show openssl x509 -in device/cert.pem -noout -subject -issuer -serial
echo "the line of the access log says:"
last_line

serial=$(openssl x509 -in device/cert.pem -noout -serial | cut -d= -f2)


step "another subject than the one that was ordered"

if enrol "someone-else" "$(order "$device")" > device/other.pem; then
    die "there is a certificate for it"
fi

last_line
grep 'intune refuses' logs/error.log | tail -n 1


ocsp() {
    openssl ocsp -url "$url/ocsp" -CAfile device/ca.pem \
        -issuer device/ca.pem -cert device/cert.pem > ocsp.txt 2>&1 \
        && grep "^device/cert.pem: $1" ocsp.txt
}

step "OCSP; then Intune wants it revoked; OCSP again"

until_ok 5 ocsp good || die "no OCSP answer: $(cat ocsp.txt)"
azure revoke "{\"serial\":\"$serial\"}" > /dev/null
until_ok 60 ocsp revoked || die "Intune's request was not carried out"

if [ "${ONCE:-}" = 1 ]; then
    stop
    ! grep -E '\[(alert|crit|emerg)\]' logs/error.log || die "see above"
    finish "a device of Intune was enrolled, another request refused," \
           "the certificate revoked by Intune"
fi

cat <<END

--- serving

    SCEP           $scep
    CA             $url/ca/devices.cer
    OCSP           $url/ocsp
    simulator      $api (t/azure/README.md)
    configuration  $run/conf/nginx.conf
    logs           $run/logs

    A challenge of Intune for a device:

        curl -d '{"subject":"CN=my-device"}' $api/challenge

    Ctrl-C stops nginx, Redis and the simulator.
END

wait "$nginx_pid" || true
die "nginx ended by itself"
