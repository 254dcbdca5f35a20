#!/bin/bash
#
# OpenSSL: OCSP by POST, verification with the CRL.

. "$(dirname "$0")/common.sh"

# ask STATUS OPTION...: of $EE
ask() {
    local status=$1

    shift
    openssl ocsp -url "$URL/ocsp" -issuer "$CA" -CAfile "$CA" "$@" \
        > ask.out 2> ask.err
    cat ask.out ask.err
    grep -q 'Response verify OK' ask.err
    grep -q ": $status" ask.out
}

nonce() {
    ask good -cert "$EE"
    ! grep -q -i 'no nonce' ask.err
}

several() {
    ask good -cert "$EE" -cert "$REVOKED"
    grep -q ': revoked' ask.out
}

both() {
    openssl ocsp -url "$URL/ocsp" -issuer "$CA" -CAfile "$CA" \
        -cert "$EE" -sha256 -cert "$EE" > ask.out 2> ask.err
    cat ask.out ask.err
    grep -q 'Response verify OK' ask.err
    [ "$(grep -c ': good' ask.out)" = 2 ]
}

crl() {
    curl -fsS -o crl.der "$URL/crl/interop.crl"
    openssl crl -inform DER -in crl.der -CAfile "$CA" -noout -text > crl.txt
    openssl crl -inform DER -in crl.der -out crl.pem
    openssl verify -x509_strict -crl_check -CAfile "$CA" -CRLfile crl.pem \
        "$EE"
}

crl_revoked() {
    ! openssl verify -crl_check -CAfile "$CA" -CRLfile crl.pem "$REVOKED" \
        > verify.out 2>&1
    cat verify.out
    grep -q 'certificate revoked' verify.out
}

crl_download() {
    openssl verify -crl_check -crl_download -CAfile "$CA" "$EE"
}

try "OCSP, POST, nonce" nonce
try "OCSP, -no_nonce" ask good -cert "$EE" -no_nonce
try "OCSP, -sha256" ask good -sha256 -cert "$EE"
try "OCSP, SHA-1 and SHA-256 at once" both
try "OCSP, several certificates" several
try "OCSP, revoked" ask revoked -cert "$REVOKED"
try "OCSP, never issued" ask unknown -serial 0x123456789abcdef0
try "verify with the CRL" crl
try "verify with the CRL, revoked" crl_revoked
try "verify, CRL by its CDP" crl_download
finish
