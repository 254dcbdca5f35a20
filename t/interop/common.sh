# Sourced by the clients.  The environment says where the server is:
#
#     URL        http://host:port, below it /scep, which renews any time,
#                /manual, where somebody decides, /legacy, /ocsp, /enroll, ...
#     TLS_URL    https://host:port of the listener that asks for certificates
#     LATER_URL  of another node, whose OCSP says "try later": /ocsp by HTTP
#                status 200, /status by 503
#     OCSP_LOG   what was asked below $URL/ocsp, see asked()
#     SCEP_LOG   what was asked of SCEP, see scep_asked()
#     SIGNER     who signs for OCSP, as in the configuration; empty: the default
#     CA         certificate of the authority, PEM
#     RA_CERT    that of its RA; empty: it has none
#     FIRST_CRL  DER, from before anything was revoked
#     CHALLENGE  the secret
#     WORK       a directory for this client's files
#
# certificates of the authority, PEM, each with its key in NAME_KEY:
#
#     EE, REVOKED              a client's that is good, one that was revoked
#     NEVER                    one that it never issued, signed by its key
#     SERVER, SERVER_REVOKED   for "localhost"
#
# and DEVICE, by MAKER, who is somebody else.  Each operation is one line of the
# result: "ok|not ok CLIENT OPERATION".  What start() started ends with the
# client.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/interop/lib.sh

mkdir -p "$WORK"
cd "$WORK"

client=${0##*/}
client=${client%.sh}
failed=0

stop_children() {
    local pid

    for pid in "${children[@]}"; do
        stop "$pid" TERM
    done
}

trap stop_children EXIT

# try OPERATION COMMAND...: in a subshell, its output is kept
try() {
    local operation=$1 rc

    shift
    echo "# $operation" >> log
    now

    set +e
    (set -e; "$@") >> log 2>&1
    rc=$?
    set -e

    if [ $rc = 0 ]; then
        echo "ok|$client|$operation"
    else
        echo "not ok|$client|$operation"
        tail -n 5 log | sed 's/^/# /'
        failed=1
    fi
}

pem() {
    openssl x509 -in "$1" -outform PEM 2> /dev/null \
        || openssl x509 -inform DER -in "$1" -outform PEM
}

# certificate_right FILE: issued by the CA, with AIA and CDP that answer
certificate_right() {
    local text cdp aia ocsp

    pem "$1" > right.pem
    openssl verify -x509_strict -purpose any -CAfile "$CA" right.pem
    text=$(openssl x509 -in right.pem -noout -text)

    cdp=$(grep -A 4 'CRL Distribution Points' <<< "$text" \
          | sed -n 's/.*URI:\(http.*\)/\1/p' | head -n 1)
    aia=$(sed -n 's/.*CA Issuers - URI:\(http.*\)/\1/p' <<< "$text")
    ocsp=$(sed -n 's/.*OCSP - URI:\(http.*\)/\1/p' <<< "$text")

    curl -fsS -m 10 -o right.cer "$aia"
    openssl x509 -inform DER -in right.cer -out right-ca.pem
    openssl verify -CAfile right-ca.pem right.pem

    curl -fsS -m 10 -o right.crl "$cdp"
    openssl crl -inform DER -in right.crl -out right.crl.pem
    openssl verify -crl_check -CAfile "$CA" -CRLfile right.crl.pem right.pem

    openssl ocsp -issuer "$CA" -cert right.pem -CAfile "$CA" -url "$ocsp" \
        2>&1 | tee right.ocsp
    grep -q 'Response verify OK' right.ocsp
    grep -q '^right.pem: good' right.ocsp
}

# what is asked of OCSP and SCEP counts from here, see asked(), scep_asked()
now() {
    seen=$(wc -l < "$OCSP_LOG")
    scep_seen=$(wc -l < "$SCEP_LOG")
}

# A nonce of N octets, as "openssl ocsp -req_text" shows it: an OCTET STRING.

nonce8='^ +0408[0-9A-F]{16}$'
nonce16='^ +0410[0-9A-F]{32}$'
nonce23='^ +0417[0-9A-F]{46}$'

# asked METHOD STATUS CERTIFICATE [PATTERN]: so it was since now(), or else
# since the operation began; openssl's text of the request has PATTERN,
# "!PATTERN": has it not
asked() {
    local serial

    serial=$(serial_of "$3")

    if ! wait_for 2 arrived "$1 $2 $serial" "${4:-}"; then
        echo "not asked: $1 $2 $serial ${4:-}"
        tail -n "+$((seen + 1))" "$OCSP_LOG"
        return 1
    fi
}

arrived() {
    local method status serial cache uri body

    while read -r method status serial cache uri body; do
        if [ "$method $status $serial" = "$1" ] \
            && request_text "$uri" "$body" > asked.txt \
            && matches "$2" asked.txt
        then
            return 0
        fi
    done < <(tail -n "+$((seen + 1))" "$OCSP_LOG")

    return 1
}

matches() {
    if [ "${1:0:1}" = '!' ]; then
        ! grep -Eq -- "${1:1}" "$2"
    else
        grep -Eq -- "$1" "$2"
    fi
}

# from_cache METHOD STATUS CERTIFICATE: an answer that was there already
from_cache() {
    wait_for 2 logged "$1 $2 $(serial_of "$3") hit "
}

logged() {
    tail -n "+$((seen + 1))" "$OCSP_LOG" | grep -F -- "$1" > logged
}

# how often since now()
times_asked() {
    tail -n "+$((seen + 1))" "$OCSP_LOG" | wc -l
}

# request_text URI BODY: the log has the body in quotes, some octets as \xHH
request_text() {
    local body=${2#\"} escaped

    if [ "$body" != '-"' ]; then
        printf '%b' "${body%\"}"
    else
        escaped=${1##*/}
        printf '%b' "${escaped//%/\\x}" | base64 -d
    fi | openssl ocsp -reqin /dev/stdin -req_text
}

# scep_asked METHOD TYPE STATUS [FAILINFO]: so it was since now()
scep_asked() {
    if ! wait_for 2 scep_logged "$1 PKIOperation $2 $3 ${4:--}"; then
        echo "not asked: $*"
        tail -n "+$((scep_seen + 1))" "$SCEP_LOG"
        return 1
    fi
}

scep_logged() {
    tail -n "+$((scep_seen + 1))" "$SCEP_LOG" | grep -x -- "$1" > logged
}

# https PORT CERTIFICATE KEY: the status that the server answers, 000 if none
https() {
    curl -sS -m 20 -o /dev/null -w '%{http_code}\n' --cacert "$CA" \
        --cert "$2" --key "$3" "https://localhost:$1/" || true
}

# stapled PORT STATUS: what the handshake brings, and openssl believes it
stapled() {
    openssl s_client -connect "127.0.0.1:$1" -servername localhost -status \
        -verify_return_error -CAfile "$CA" < /dev/null > stapled.out 2>&1 \
        && grep -q 'OCSP Response Status: successful' stapled.out \
        && grep -q "Cert Status: $2" stapled.out
}

refused() {
    ! "$@"
}

finish() {
    touch finished
    exit $failed
}
