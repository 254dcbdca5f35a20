#!/bin/bash
#
# GnuTLS: ocsptool, which insists on its nonce, and certtool with the CRL.

. "$(dirname "$0")/common.sh"

# ask FILE STATUS OPTION...
ask() {
    local file=$1 status=$2

    shift 2
    ocsptool --ask="$URL/ocsp" --load-issuer="$CA" --load-cert="$file" \
        --load-trust="$CA" "$@" > ask.out 2>&1 || rc=$?
    cat ask.out
    grep -q "Certificate Status: $status" ask.out
    grep -q 'Success' ask.out
    return "${rc:-0}"
}

revoked() {
    ask "$REVOKED" revoked --nonce || grep -q 'status: revoked' -i ask.out
}

crl() {
    curl -fsS -o crl.der "$URL/crl/interop.crl"
    certtool --crl-info --inder --infile crl.der > crl.txt
    openssl crl -inform DER -in crl.der -out crl.pem
    certtool --verify --load-ca-certificate="$CA" --load-crl=crl.pem \
        --infile="$EE"
}

crl_revoked() {
    ! certtool --verify --load-ca-certificate="$CA" --load-crl=crl.pem \
        --infile="$REVOKED" > verify.out 2>&1
    cat verify.out
    grep -q -i 'revoked' verify.out
}

try "ocsptool --ask --nonce" ask "$EE" good --nonce
try "ocsptool --ask --no-nonce" ask "$EE" good --no-nonce
try "ocsptool, revoked" revoked
try "certtool --verify with the CRL" crl
try "certtool --verify, revoked" crl_revoked
finish
