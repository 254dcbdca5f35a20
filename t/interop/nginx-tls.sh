#!/bin/bash
#
# nginx as a client of OCSP: another one, without the module, which checks the
# certificates of its clients (ssl_ocsp) and staples its own (ssl_stapling).
# It asks by GET and HTTP/1.0, never with a nonce.

. "$(dirname "$0")/common.sh"

free_ports ocsp cached later staple staple_revoked

# Clients want the issuer, which the status is told about, in the chain.

cat "$SERVER" "$CA" > chain.pem
cat "$SERVER_REVOKED" "$CA" > chain-revoked.pem

# server PORT: reads the rest
server() {
    cat <<END
    server {
        listen 127.0.0.1:$1 ssl;
        ssl_client_certificate $CA;
        ssl_trusted_certificate $CA;
        $(cat)
        return 204;
    }

END
}

{
    [ "$(id -u)" != 0 ] || echo "user root;"
    cat <<END
worker_processes 1;
daemon off;
pid $PWD/nginx.pid;
error_log $PWD/error.log info;

events { }

http {
    access_log off;
    client_body_temp_path $PWD/body;
    proxy_temp_path       $PWD/proxy;
    fastcgi_temp_path     $PWD/fastcgi;
    uwsgi_temp_path       $PWD/uwsgi;
    scgi_temp_path        $PWD/scgi;

    ssl_certificate     $PWD/chain.pem;
    ssl_certificate_key $SERVER_KEY;

END

    server "$ocsp" <<< "ssl_verify_client on; ssl_ocsp on;"

    server "$cached" <<< "ssl_verify_client on; ssl_ocsp on;
        ssl_ocsp_cache shared:ocsp:1m;"

    server "$later" <<< "ssl_verify_client on; ssl_ocsp on;
        ssl_ocsp_responder $LATER_URL/ocsp;"

    server "$staple" <<< "ssl_stapling on; ssl_stapling_verify on;"

    server "$staple_revoked" <<< "ssl_stapling on; ssl_stapling_verify on;
        ssl_certificate     $PWD/chain-revoked.pem;
        ssl_certificate_key $SERVER_REVOKED_KEY;"

    echo "}"
} > nginx.conf

start nginx.out "$NGINX" -p "$PWD" -e "$PWD/error.log" -c "$PWD/nginx.conf"
wait_for 20 answers "$ocsp" || die "no nginx: $(cat nginx.out error.log)"

good() {
    [ "$(https "$ocsp" "$EE" "$EE_KEY")" = 204 ]
    asked GET good "$EE" '!OCSP Nonce'
}

# It would say 400 to a certificate that it does not trust at all, too.

revoked() {
    [ "$(https "$ocsp" "$REVOKED" "$REVOKED_KEY")" = 400 ]
    asked GET revoked "$REVOKED"
    grep -q 'verify error: certificate revoked' error.log
}

never() {
    [ "$(https "$ocsp" "$NEVER" "$NEVER_KEY")" = 400 ]
    asked GET unknown "$NEVER"
    grep -q 'verify error: certificate status unknown' error.log
}

# The answer before each change is in the responder's cache.

changes() {
    issue changing /enroll
    change_shows good 204
    revoke changing.pem certificateHold
    change_shows revoked 400
    release changing.pem
    change_shows good 204
    revoke changing.pem cessationOfOperation
    change_shows revoked 400
}

change_shows() {
    local i

    sleep 0.2
    now

    for i in 1 2 3; do
        [ "$(https "$ocsp" changing.pem changing.key)" = "$2" ]
    done

    asked GET "$1" changing.pem
    from_cache GET "$1" changing.pem
}

# It keeps an answer until its nextUpdate.

cached() {
    [ "$(https "$cached" "$EE" "$EE_KEY")" = 204 ]
    asked GET good "$EE"
    [ "$(https "$cached" "$EE" "$EE_KEY")" = 204 ]
    [ "$(https "$cached" "$REVOKED" "$REVOKED_KEY")" = 400 ]
    asked GET revoked "$REVOKED"
    [ "$(https "$cached" "$REVOKED" "$REVOKED_KEY")" = 400 ]
    [ "$(times_asked)" = 2 ]
}

later() {
    [ "$(https "$later" "$EE" "$EE_KEY")" = 400 ]
    grep -q 'not successful (3: ' error.log
}

# The first handshake makes it ask, a later one brings the answer.

stapling() {
    wait_for 10 stapled "$staple" good || { cat stapled.out; return 1; }
    asked GET good "$SERVER" '!OCSP Nonce'
    curl -fsS --cacert "$CA" --cert-status "https://localhost:$staple/"
    gnutls-cli --x509cafile "$CA" -p "$staple" localhost < /dev/null \
        > gnutls.out 2>&1 || { cat gnutls.out; return 1; }
    grep 'Options: .*OCSP status request' gnutls.out
}

stapling_revoked() {
    refused stapled "$staple_revoked" good
    asked GET revoked "$SERVER_REVOKED"
    wait_for 5 grep 'certificate status "revoked" in the OCSP' error.log
    refused stapled "$staple_revoked" good
}

try "ssl_ocsp, good, GET" good
try "ssl_ocsp, revoked: 400" revoked
try "ssl_ocsp, never issued: 400" never
try "ssl_ocsp, Redis is away: 400" later
try "ssl_ocsp, held, released, revoked: at once" changes
try "ssl_ocsp_cache asks once" cached
try "ssl_stapling, verified by three clients" stapling
try "ssl_stapling, revoked is not stapled" stapling_revoked
finish
