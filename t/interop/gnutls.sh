#!/bin/bash
#
# GnuTLS: ocsptool, which insists on its nonce of 23 octets, and certtool with
# the CRL.

. "$(dirname "$0")/common.sh"

# ask FILE STATUS OPTION...
ask() {
    local file=$1 status=$2 rc=0

    shift 2
    ocsptool --ask="$URL/ocsp" --load-issuer="$CA" --load-cert="$file" \
        --load-trust="$CA" "$@" > ask.out 2>&1 || rc=$?
    cat ask.out
    grep -q "Certificate Status: $status" ask.out
    grep -q 'Verifying OCSP Response: Success' ask.out
    asked POST "$status" "$file"
    return $rc
}

nonce() {
    ask "$EE" good --nonce
    asked POST good "$EE" "$nonce23"
}

# Each has one of its own: the second is not the first one's from a cache.

twice() {
    ask "$EE" good --nonce
    grep 'Nonce:' ask.out > first
    ask "$EE" good --nonce
    grep 'Nonce:' ask.out > second
    refused cmp first second
    [ "$(times_asked)" = 2 ]
}

without() {
    ask "$EE" good --no-nonce
    asked POST good "$EE" '!OCSP Nonce'
}

not_echoed() {
    refused ocsptool --ask="$URL/no-nonce" --load-issuer="$CA" \
        --load-cert="$EE" --load-trust="$CA" --nonce > ask.out 2>&1
    cat ask.out
    grep -q -i 'nonce' ask.out
    asked POST good "$EE" "$nonce23"
}

revoked() {
    ask "$REVOKED" revoked --nonce || [ $? = 1 ]
    grep -q 'Revocation time:' ask.out
}

later() {
    refused ocsptool --ask="$LATER_URL/ocsp" --load-issuer="$CA" \
        --load-cert="$EE" --load-trust="$CA" > ask.out 2>&1
    cat ask.out
    grep -q 'Response Status: tryLater' ask.out
}

# in steps: its request, curl's POST, its verification
files() {
    ocsptool --generate-request --nonce --load-issuer="$CA" \
        --load-cert="$EE" --outfile=file.req
    curl -fsS -o file.res -H 'Content-Type: application/ocsp-request' \
        --data-binary @file.req "$URL/ocsp"
    ocsptool --response-info --infile=file.res
    ocsptool --verify-response --load-response=file.res \
        --load-request=file.req --load-trust="$CA"
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

shard() {
    crl_get "$(crl_of "$EE")"
    certtool --crl-info --infile "$(crl_of "$EE").pem" > shard.txt
    certtool --verify --load-ca-certificate="$CA" \
        --load-crl="$(crl_of "$EE").pem" --infile="$EE"
}

shard_revoked() {
    crl_get "$(crl_of "$REVOKED")"
    refused certtool --verify --load-ca-certificate="$CA" \
        --load-crl="$(crl_of "$REVOKED").pem" --infile="$REVOKED" \
        > verify.out 2>&1
    cat verify.out
    grep -q -i 'revoked' verify.out
}

# signature, issuer and extensions, as of all others
crl_verifies() {
    local name

    for name in interop interop-00 interop-03 interop-delta; do
        crl_get $name
        certtool --verify-crl --load-ca-certificate="$CA" \
            --infile=$name.pem > crl.out
        cat crl.out
        grep -q 'Verification output: Verified' crl.out
    done
}

try "ocsptool --ask --nonce" nonce
try "ocsptool --ask --nonce, twice" twice
try "ocsptool --ask --no-nonce" without
try "ocsptool refuses if the nonce is not echoed" not_echoed
try "ocsptool, revoked" revoked
try "ocsptool, never issued" ask "$NEVER" unknown --nonce
try "ocsptool, Redis is away: tryLater" later
try "ocsptool, request and answer in files" files
try "certtool --verify with the CRL" crl
try "certtool --verify, revoked" crl_revoked
try "certtool --verify with the CRL of its shard" shard
try "certtool --verify with the CRL of its shard, revoked" shard_revoked
try "certtool --verify-crl: full, shards, delta" crl_verifies
finish
