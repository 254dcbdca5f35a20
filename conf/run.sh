#!/bin/bash
#
# From nothing to an enrolled, checked and revoked device: a private Redis and
# nginx with conf/demo.conf, both under $BUILD/run, then each step with the
# command that does it.  Goes on serving until Ctrl-C; with ONCE=1 it ends
# after the steps.  PORT and REDIS_PORT choose other ports, RUN another place.

set -euo pipefail

cd "$(dirname "$0")/.."
. t/tools/nginx.sh

run=${RUN:-$BUILD/run}
port=${PORT:-8080}
redis_port=${REDIS_PORT:-16379}
url=http://127.0.0.1:$port

name=run

. conf/run-common.sh


step "preparing $run"

! busy "$port" || die "port $port is in use, choose another by PORT=..."
! busy "$redis_port" || die "port $redis_port is in use, choose another by" \
                            "REDIS_PORT=..."

mkdir -p "$run"/{conf,logs,modules,redis,temp,device}
cd "$run"

top=$OLDPWD

sed -e "s/127\.0\.0\.1:8080/127.0.0.1:$port/" \
    -e "s/127\.0\.0\.1:16379/127.0.0.1:$redis_port/" \
    "$top/conf/demo.conf" > conf/demo.conf
cp "$top/conf/log-format.conf" conf/
ln -sf "$BUILD/ngx_http_pki_module.so" modules/

umask 077

if [ ! -s conf/challenge ]; then
    openssl rand -hex 16 > conf/challenge
    password=$(openssl rand -hex 12)
    echo "machine 127.0.0.1 login admin password $password" > netrc
    echo "admin:$(openssl passwd -apr1 -stdin <<< "$password")" \
        > conf/htpasswd
    chmod 644 conf/htpasswd
fi

cat > strongswan.conf <<END
pki {
    load = curl random nonce openssl pem pkcs1 pkcs7 pkcs8 x509
}
END
export STRONGSWAN_CONF=$run/strongswan.conf

start_redis "$redis_port"
start_nginx conf/demo.conf


step "a device enrols by SCEP"

show pki --scepca --url "$url/scep" --outform pem --caout ca.pem --force
show openssl genrsa -out device/key.pem 2048
echo '$ pki --scep --in device/key.pem --dn "O=Demo, CN=device-1"' \
     "--password \$(cat conf/challenge) ..."
pki --scep --url "$url/scep" --in device/key.pem --dn "O=Demo, CN=device-1" \
    --san device-1.demo.example --password "$(cat conf/challenge)" \
    --cacert-enc ca.pem --cacert-sig ca.pem --outform pem \
    > device/cert.pem || die "no certificate"
show openssl verify -CAfile ca.pem device/cert.pem
show openssl x509 -in device/cert.pem -noout -subject -issuer -dates -serial

serial=$(openssl x509 -in device/cert.pem -noout -serial)
serial=$(tr 'A-F' 'a-f' <<< "${serial#*=}")


ocsp() {
    echo "\$ openssl ocsp -url $url/ocsp -CAfile ca.pem -issuer ca.pem" \
         "-cert device/cert.pem"
    openssl ocsp -url "$url/ocsp" -CAfile ca.pem -issuer ca.pem \
        -cert device/cert.pem > ocsp.txt 2>&1 \
        || die "no OCSP answer: $(cat ocsp.txt)"
    cat ocsp.txt
    grep -q "^Response verify OK" ocsp.txt || die "OCSP answer does not verify"
    grep -q "^device/cert.pem: $1" ocsp.txt || die "OCSP does not say $1"
}

step "OCSP: is it good?"
ocsp good

step "an administrator revokes it"
show curl -sS --fail-with-body --netrc-file netrc \
    -H "Content-Type: application/json" -d '{"reason":"keyCompromise"}' \
    "$url/certificates/api/certificates/$serial/revoke"
echo

step "OCSP: and now?"
ocsp revoked

step "the CRL"

crl_has_it() {
    curl -sf -o demo.crl "$url/crl/demo.crl" \
        && openssl crl -inform DER -in demo.crl -noout -text > crl.txt \
        && grep -qi "Serial Number: $serial" crl.txt
}

until_ok 20 crl_has_it || die "the CRL does not list $serial"
show curl -sS -o demo.crl "$url/crl/demo.crl"
show openssl crl -inform DER -in demo.crl -CAfile ca.pem -noout \
    -lastupdate -nextupdate -crlnumber
grep -A 3 -i "Serial Number: $serial" crl.txt

if [ "${ONCE:-}" = 1 ]; then
    stop
    ! grep -E '\[(alert|crit|emerg)\]' logs/error.log || die "see above"
    finish "a device was enrolled, found good, revoked and found revoked"
fi

cat <<END

--- serving

    SCEP                 $url/scep      challenge: $run/conf/challenge
    REST enrolment       $url/enroll    login: $run/netrc
    Certificate Master   $url/certificates/api/certificates
    OCSP                 $url/ocsp
    CRL                  $url/crl/demo.crl
    CA certificate       $url/ca/demo.cer
    health               $url/probe
    logs                 $run/logs

    Ctrl-C stops nginx and Redis.
END

wait "$nginx_pid" || true
die "nginx ended by itself"
