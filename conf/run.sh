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

redis_pid=
nginx_pid=

stop() {
    trap - EXIT
    trap '' INT TERM

    [ -z "$nginx_pid" ] || kill -QUIT "$nginx_pid" 2>/dev/null || true
    [ -z "$nginx_pid" ] || wait "$nginx_pid" 2>/dev/null || true
    [ -z "$redis_pid" ] || kill -TERM "$redis_pid" 2>/dev/null || true
    [ -z "$redis_pid" ] || wait "$redis_pid" 2>/dev/null || true
}

finish() {
    stop
    echo
    echo "run: $*"
    exit 0
}

die() {
    stop
    echo >&2
    echo "run: FAILED: $*" >&2
    tail -n 5 "$run/logs/error.log" "$run/redis/redis.log" >&2 2>/dev/null \
        || true
    exit 1
}

trap 'die "unexpected end"' EXIT
trap 'finish "stopped; keys, certificates and Redis stay in $run"' INT TERM

step() {
    echo
    echo "--- $*"
}

# prints a command as one would type it, and runs it

show() {
    local word line='$'

    for word; do
        case $word in
            *[!A-Za-z0-9_./:=@%+-]*) line="$line '$word'" ;;
            *)                       line="$line $word" ;;
        esac
    done

    echo "$line"
    "$@" || die "$1 ended with code $?"
}

# waits for a command to succeed, at most $1 seconds

until_ok() {
    local end=$((SECONDS + $1))
    shift

    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

busy() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

probe_ok() {
    kill -0 "$nginx_pid" 2>/dev/null || die "nginx did not start"
    curl -sf -o probe.txt "$url/probe"
}


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

setsid redis-server --port "$redis_port" --bind 127.0.0.1 --save '' \
    --appendonly yes --appendfsync always --dir "$run/redis" \
    --logfile "$run/redis/redis.log" > /dev/null &
redis_pid=$!

until_ok 10 busy "$redis_port" || die "Redis did not start"

directives="daemon off;"
[ "$(id -u)" != 0 ] || directives="$directives user $(stat -c '%U %G' .);"

: > logs/error.log

setsid "$NGINX" -e logs/error.log -p "$run" -c conf/demo.conf -g "$directives" \
    2> logs/start.log &
nginx_pid=$!

until_ok 60 probe_ok || die "the authority is not ready: $(cat probe.txt)"
sed 's/^/    /' probe.txt


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
