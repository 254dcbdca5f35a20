# Sourced by the clients.  The environment says where the server is:
#
#     URL        http://host:port, below it /scep, /legacy, /ocsp, /enroll, ...
#     TLS_URL    https://host:port of the listener that asks for certificates
#     CA         certificate of the authority, PEM
#     RA_CERT    that of its RA; empty: it has none
#     CHALLENGE  the secret
#     WORK       a directory for this client's files
#     EE, EE_KEY a certificate that has been issued, PEM, and its key
#     REVOKED    one that has been revoked
#
# Each operation is one line of the result: "ok|not ok CLIENT OPERATION".

set -euo pipefail

mkdir -p "$WORK"
cd "$WORK"

client=${0##*/}
client=${client%.sh}
failed=0

# try OPERATION COMMAND...: in a subshell, its output is kept
try() {
    local operation=$1 rc

    shift
    echo "# $operation" >> log

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

refused() {
    ! "$@"
}

finish() {
    exit $failed
}
