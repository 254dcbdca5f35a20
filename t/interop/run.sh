#!/bin/bash
#
# Real clients against the built module: "run.sh [client ...]" starts a private
# Redis and nginx, runs every client of this directory (or those named), prints
# a table and a last line "N passed, N failed".  With RA=auto the authority has
# an RA, with KEY=ec:P-256 (and RA=auto) its key is another one; SIGNER= says
# who signs for OCSP, as "ocsp_signer" does, and RESPONDER_ID=name how it is
# called, as "ocsp_responder_id".

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/interop/setup.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"

clients=("$@")

[ $# -gt 0 ] || clients=(curl openssl gnutls nss strongswan strongswan-ocsp
                         strongswan-crl java nginx-tls apache freeradius
                         certmonger scepclient micromdm bouncycastle pkijs)

setup

table() {
    awk -F '|' '/^#/ { print "    " $0; next }
                { printf "%-8s %-16s %s\n", $1, $2, $3 }' "$1"
}

for client in "${clients[@]}"; do
    WORK=$dir/$client timeout 180 "t/interop/$client.sh" \
        > "$dir/$client.result" 2> "$dir/$client.err" || true

    if [ ! -e "$dir/$client/finished" ]; then
        echo "not ok|$client|comes to its end" >> "$dir/$client.result"
        sed 's/^/# /' "$dir/$client.err" >> "$dir/$client.result"
    fi

    table "$dir/$client.result"
done

{
    if grep -E '\[(alert|crit|emerg)\]' "$dir"{,/later}/logs/error.log >&2; then
        echo "not ok|nginx|no alert in the log"
    else
        echo "ok|nginx|no alert in the log"
    fi

    if grep -qF -- "$CHALLENGE" "$dir"{,/later}/logs/error.log; then
        echo "not ok|nginx|no secret in the log"
    else
        echo "ok|nginx|no secret in the log"
    fi
} > "$dir/nginx.result"

table "$dir/nginx.result"

passed=$(cat "$dir"/*.result | grep -c '^ok|' || true)
failed=$(cat "$dir"/*.result | grep -c '^not ok|' || true)

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
