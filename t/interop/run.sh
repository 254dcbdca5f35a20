#!/bin/bash
#
# Real clients against the built module: "run.sh [client ...]" starts a private
# Redis and nginx, runs every client of this directory (or those named), prints
# a table and a last line "N passed, N failed".  With RA=auto the authority has
# an RA, with KEY=ec:P-256 (and RA=auto) its key is another one.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"

clients=("$@")
[ $# -gt 0 ] || clients=(curl openssl gnutls strongswan certmonger scepclient)

new_dir
redis_port=$(free_port)
port=$(free_port)
tls_port=$(free_port)
base=http://127.0.0.1:$port


# the certificate of a device, from its manufacturer, for mTLS

manufacturer() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
        -subj "/CN=Manufacturer" -keyout "$dir/maker.key" -out "$dir/maker.pem"
    openssl req -new -newkey rsa:2048 -nodes -subj "/CN=Device 1" \
        -keyout "$dir/device.key" -out "$dir/device.csr"
    openssl x509 -req -in "$dir/device.csr" -CA "$dir/maker.pem" \
        -CAkey "$dir/maker.key" -CAcreateserial -days 30 \
        -out "$dir/device.pem"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
        -subj "/CN=127.0.0.1" -keyout "$dir/tls.key" -out "$dir/tls.pem"
}

manufacturer 2> "$dir/manufacturer.log" \
    || die "openssl failed, see $dir/manufacturer.log"

challenge=$(openssl rand -hex 12)
(umask 077; echo "$challenge" > "$dir/challenge")

for user in device admin; do
    echo "$user:$(openssl passwd -apr1 "$challenge")"
done > "$dir/users"


http_conf 2 "$dir/nginx.conf" <<END
    map \$remote_user \$role {
        default "";
        admin   admin;
    }

    pki_authority interop {
        subject     "CN=Interop CA,O=Example";
        key         file:$dir/ca.key;
        certificate $dir/ca.pem;
        create      ${KEY:-rsa:2048} validity=1y;
        base_url    $base;
        ra          ${RA:-off};
    }

    crl_refresh 1s;

    server {
        listen 127.0.0.1:$port;

        location /scep {
            scep interop;
            scep_challenge static $dir/challenge;
        }

        location /legacy {
            scep interop;
            scep_challenge static $dir/challenge;
            scep_legacy des;
        }

        location /enroll {
            auth_basic "devices";
            auth_basic_user_file $dir/users;
            enroll interop;
            enroll_auth access;
        }

        location /master/ {
            auth_basic "master";
            auth_basic_user_file $dir/users;
            certificate_master interop;
            certificate_master_user \$remote_user;
            certificate_master_roles \$role;
        }

        location /ocsp { ocsp_responder interop; }
        location = /crl/interop.crl { crl interop; }
        location = /ca/interop.cer { pki_certificate interop; }
        location = /probe { pki_probe; }
    }

    server {
        listen 127.0.0.1:$tls_port ssl;

        ssl_certificate        $dir/tls.pem;
        ssl_certificate_key    $dir/tls.key;
        ssl_client_certificate $dir/maker.pem;
        ssl_verify_client      on;

        location /enroll {
            enroll interop;
            enroll_auth access;
        }
    }
END

redis_start
nginx_start "$dir/nginx.conf"


# what the clients of OCSP and CRL ask for: a good and a revoked certificate

issue() {
    openssl req -new -newkey rsa:2048 -nodes -keyout "$dir/$1.key" \
        -out "$dir/$1.csr" -subj "/CN=$1" 2> /dev/null
    curl -fsS -u "device:$challenge" -o "$dir/$1.answer" \
        --data-binary "@$dir/$1.csr" "$base/enroll"
    openssl x509 -in "$dir/$1.answer" -out "$dir/$1.pem" 2> /dev/null \
        || openssl x509 -inform DER -in "$dir/$1.answer" -out "$dir/$1.pem"
}

serial_of() {
    openssl x509 -in "$1" -noout -serial | sed 's/.*=//' | tr A-F a-f
}

crl_shows() {
    curl -fsS "$base/crl/interop.crl" | openssl crl -inform DER -noout -text \
        | tr A-F a-f | grep -q "$1"
}

curl -fsS "$base/ca/interop.cer" \
    | openssl x509 -inform DER -out "$dir/interop.pem"

issue good || die "cannot enrol by POST $base/enroll"
issue revoked
serial=$(serial_of "$dir/revoked.pem")

curl -fsS -u "admin:$challenge" -H 'Content-Type: application/json' \
    -d '{"reason":"keyCompromise"}' -o "$dir/revoke.json" \
    "$base/master/api/certificates/$serial/revoke" || die "cannot revoke"

wait_for 10 crl_shows "$serial" || die "no CRL shows the revocation"

export URL=$base TLS_URL=https://127.0.0.1:$tls_port CA=$dir/interop.pem \
       CHALLENGE=$challenge EE=$dir/good.pem EE_KEY=$dir/good.key \
       REVOKED=$dir/revoked.pem DEVICE=$dir/device.pem \
       DEVICE_KEY=$dir/device.key


# the RA's certificate comes first

RA_CERT=

if [ "${RA:-off}" != off ]; then
    RA_CERT=$dir/ra.pem
    curl -fsS "$base/scep?operation=GetCACert" \
        | openssl pkcs7 -inform DER -print_certs \
        | openssl x509 -out "$RA_CERT" || die "no certificate of an RA"
fi

export RA_CERT

for client in "${clients[@]}"; do
    WORK=$dir/$client timeout 120 "t/interop/$client.sh" \
        > "$dir/$client.result" 2> "$dir/$client.err" || true

    if ! grep -q '^ok|\|^not ok|' "$dir/$client.result"; then
        echo "not ok|$client|runs" >> "$dir/$client.result"
        sed 's/^/# /' "$dir/$client.err" >> "$dir/$client.result"
    fi

    awk -F '|' '/^#/ { print "    " $0; next }
                { printf "%-8s %-12s %s\n", $1, $2, $3 }' \
        "$dir/$client.result"
done

{
    if grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" >&2; then
        echo "not ok|nginx|no alert in the log"
    else
        echo "ok|nginx|no alert in the log"
    fi

    if grep -qF -- "$challenge" "$dir/logs/error.log"; then
        echo "not ok|nginx|no secret in the log"
    else
        echo "ok|nginx|no secret in the log"
    fi
} > "$dir/nginx.result"

awk -F '|' '{ printf "%-8s %-12s %s\n", $1, $2, $3 }' "$dir/nginx.result"

passed=$(cat "$dir"/*.result | grep -c '^ok|' || true)
failed=$(cat "$dir"/*.result | grep -c '^not ok|' || true)

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
