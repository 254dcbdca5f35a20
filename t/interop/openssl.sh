#!/bin/bash
#
# OpenSSL: OCSP by POST and, with curl, by GET in every spelling that is met;
# verification with the CRL.

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
    refused grep -q -i 'no nonce' ask.err
    asked POST good "$EE" "$nonce16"
}

nonce_off() {
    openssl ocsp -url "$URL/no-nonce" -issuer "$CA" -CAfile "$CA" \
        -cert "$EE" > ask.out 2> ask.err
    cat ask.out ask.err
    grep -q 'no nonce in response' ask.err
    grep -q ': good' ask.out
}

several() {
    ask good -cert "$EE" -cert "$REVOKED" -cert "$NEVER"
    grep -q ': revoked' ask.out
    grep -q ': unknown' ask.out
}

both() {
    openssl ocsp -url "$URL/ocsp" -issuer "$CA" -CAfile "$CA" \
        -cert "$EE" -sha256 -cert "$EE" > ask.out 2> ask.err
    cat ask.out ask.err
    grep -q 'Response verify OK' ask.err
    [ "$(grep -c ': good' ask.out)" = 2 ]
}

# With -sha256 OpenSSL finds no status in an answer about a SHA-1 CertID.

digests() {
    local digest

    for digest in sha256 sha384 sha512; do
        ask good "-$digest" -cert "$EE"
        ask revoked "-$digest" -cert "$REVOKED" -no_nonce
    done

    asked POST good "$EE" 'Hash Algorithm: sha512'
}

revoked() {
    ask revoked -cert "$REVOKED"
    grep -q 'Reason: keyCompromise' ask.out
    asked POST revoked "$REVOKED" "$nonce16"
}

signed() {
    ask good -cert "$EE" -signer "$EE" -signkey "$EE_KEY"
    asked POST good "$EE" 'Requestor Name: '
}

# by one whom the authority certified, by nobody, by a stranger
signature_required() {
    openssl ocsp -url "$URL/signed" -issuer "$CA" -CAfile "$CA" \
        -cert "$EE" -signer "$EE" -signkey "$EE_KEY" > ask.out 2> ask.err
    cat ask.out ask.err
    grep -q 'Response verify OK' ask.err
    grep -q ': good' ask.out
    error sigrequired "$URL/signed" -issuer "$CA" -cert "$EE"
    error unauthorized "$URL/signed" -issuer "$CA" -cert "$EE" \
        -signer "$DEVICE" -signkey "$DEVICE_KEY"
}

# error TEXT URL OPTION...
error() {
    local text=$1 url=$2

    shift 2
    openssl ocsp -url "$url" "$@" > error.out 2>&1 || true
    cat error.out
    grep -q "Responder Error: $text" error.out
}


# A serial number whose request has "//" and "+" in base64.

serial=0x7bffffffffffefbefbefbefbefbefbef

escape() {
    sed 's,+,%2B,g; s,/,%2F,g; s,=,%3D,g' <<< "$1"
}

# spellings BASE64: of one request, what follows the location
spellings() {
    local url padless=${1%%=*}

    url=$(tr '+/' '-_' <<< "$1")

    cat <<END
/$(escape "$1")
/$(escape "$1" | sed 's,%2B,%2b,g; s,%2F,%2f,g; s,%3D,%3d,g')
/$1
/${1//+/%20}
/$padless
/$(escape "$padless")
/$url
/${url%%=*}
/$(escape "$1" | sed 's,%,%25,g')
/$(printf %s "$1" | od -An -v -tx1 | tr -d '\n' | sed 's, ,%,g')
//$1
//$(escape "$1")
END
}

# get STATUS OPTION...: one request, in all spellings
get() {
    local status=$1 n=0 spelling

    shift
    openssl ocsp -issuer "$CA" "$@" -no_nonce -reqout get.req
    spellings "$(base64 -w 0 get.req)" > get.spellings

    while read -r spelling; do
        n=$((n + 1))
        echo "$spelling"
        curl -fsS -m 10 --path-as-is -o get.res "$URL/ocsp$spelling"
        openssl ocsp -issuer "$CA" "$@" -CAfile "$CA" -respin get.res \
            > get.out 2>&1
        cat get.out
        grep -q 'Response verify OK' get.out
        grep -q ": $status" get.out
    done < get.spellings

    [ $n = 12 ]
}

get_odd() {
    get unknown -serial $serial
    grep -q '//.*+' <<< "$(base64 -w 0 get.req)" \
        || grep -q '+.*//' <<< "$(base64 -w 0 get.req)"
}

get_digests() {
    get good -sha256 -cert "$EE"
    asked GET good "$EE" 'Hash Algorithm: sha256'
    get revoked -sha512 -cert "$REVOKED"
    asked GET revoked "$REVOKED" 'Hash Algorithm: sha512'
}

# The nonce makes the path of a GET 40 octets longer.

get_nonce() {
    openssl ocsp -issuer "$CA" -cert "$EE" -nonce -reqout nonce.req
    curl -fsS -m 10 -o nonce.res \
        "$URL/ocsp/$(escape "$(base64 -w 0 nonce.req)")"
    openssl ocsp -issuer "$CA" -cert "$EE" -CAfile "$CA" -no_nonce \
        -respin nonce.res > nonce.out 2>&1
    cat nonce.out
    grep -q 'Response verify OK' nonce.out
    grep -q ': good' nonce.out
    asked GET good "$EE" "$nonce16"
    [ "$(nonce_in -reqin nonce.req -req_text)" \
      = "$(nonce_in -respin nonce.res -resp_text -noverify)" ]
}

# nonce_in OPTION...: its hexadecimal digits
nonce_in() {
    openssl ocsp "$@" | sed -n '/OCSP Nonce/ { n; s/ //gp; q }'
}

# octet by octet, once there is an answer in the cache
get_is_post() {
    openssl ocsp -issuer "$CA" -cert "$EE" -no_nonce -reqout same.req

    curl -fsS -o same.post -H 'Content-Type: application/ocsp-request' \
        --data-binary @same.req "$URL/ocsp"
    curl -fsS -o same.get "$URL/ocsp/$(escape "$(base64 -w 0 same.req)")"

    cmp same.get same.post
    from_cache GET good "$EE"
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

# The shard of a certificate: its URL is in the certificate, and the CRL says
# in IssuingDistributionPoint that it is the one of that URL.

shard() {
    crl_get "$(crl_of "$EE")"
    openssl verify -x509_strict -crl_check -CAfile "$CA" \
        -CRLfile "$(crl_of "$EE").pem" "$EE"
}

shard_revoked() {
    crl_get "$(crl_of "$REVOKED")"
    verify_fails 'certificate revoked' "$REVOKED" \
        -CRLfile "$(crl_of "$REVOKED").pem"
}

# error 44, not "good"
shard_wrong() {
    local name=interop-00

    [ $name != "$(crl_of "$REVOKED")" ] || name=interop-01
    crl_get $name
    verify_fails 'error 44 ' "$REVOKED" -CRLfile $name.pem
}

# whose certificate names no CRL
shard_none() {
    crl_get interop-00
    verify_fails 'error 44 ' "$NEVER" -CRLfile interop-00.pem
}

# The one that all gateways have is all there is, with or without a shard.

shard_all() {
    crl_get interop
    openssl crl -in interop.pem -noout -text > full.txt
    refused grep -q 'Issuing Distribution Point' full.txt
    openssl verify -crl_check -CAfile "$CA" -CRLfile interop.pem \
        "$EE" "$NEVER"
    verify_fails 'certificate revoked' "$REVOKED" -CRLfile interop.pem
    verify_fails 'certificate revoked' "$SERVER_REVOKED" -CRLfile interop.pem
}

# verify_fails TEXT CERTIFICATE OPTION...
verify_fails() {
    local text=$1 certificate=$2

    shift 2
    refused openssl verify -crl_check -CAfile "$CA" "$@" "$certificate" \
        > verify.out 2>&1
    cat verify.out
    grep -q "$text" verify.out
}


# An older full CRL, and the delta that tells what has changed since: one has
# been revoked, another one released.

use_deltas=(-use_deltas -extended_crl)

delta() {
    issue "$PWD/delta-revoked" /enroll
    issue "$PWD/delta-held" /enroll

    revoke delta-held.pem certificateHold
    wait_for 10 crl_shows interop delta-held.pem
    crl_get interop
    mv interop.pem older.pem
    openssl verify -crl_check -CAfile "$CA" -CRLfile older.pem \
        delta-revoked.pem
    verify_fails 'certificate revoked' delta-held.pem -CRLfile older.pem

    revoke delta-revoked.pem keyCompromise
    release delta-held.pem
    wait_for 10 delta_shows
    crl_get interop-delta

    openssl crl -in older.pem -noout -text | grep -A 4 'X509v3 Freshest CRL'
    openssl crl -in interop-delta.pem -noout -text \
        | grep -A 1 'X509v3 Delta CRL Indicator: critical'
}

delta_shows() {
    crl_shows interop-delta delta-revoked.pem \
        && crl_shows interop-delta delta-held.pem | grep 'Remove From CRL'
}

delta_addition() {
    verify_fails 'certificate revoked' delta-revoked.pem "${use_deltas[@]}" \
        -CRLfile older.pem -CRLfile interop-delta.pem
    openssl verify -crl_check -CAfile "$CA" -CRLfile older.pem \
        delta-revoked.pem
}

delta_release() {
    openssl verify -crl_check -CAfile "$CA" "${use_deltas[@]}" \
        -CRLfile older.pem -CRLfile interop-delta.pem delta-held.pem
    verify_fails 'certificate revoked' delta-held.pem -CRLfile older.pem
}

# the very first CRL, to which the delta says all that came after it
delta_base() {
    openssl crl -inform DER -in "$FIRST_CRL" -out first.pem
    openssl verify -crl_check -CAfile "$CA" -CRLfile first.pem "$REVOKED"
    verify_fails 'certificate revoked' "$REVOKED" "${use_deltas[@]}" \
        -CRLfile first.pem -CRLfile interop-delta.pem
}

# what has not changed is still said by the older one
delta_rest() {
    openssl verify -crl_check -CAfile "$CA" "${use_deltas[@]}" \
        -CRLfile older.pem -CRLfile interop-delta.pem "$EE"
    verify_fails 'certificate revoked' "$REVOKED" "${use_deltas[@]}" \
        -CRLfile older.pem -CRLfile interop-delta.pem
}

# the newer full CRL says what both say together, with the same delta, too
delta_newer() {
    wait_for 10 refused crl_shows interop delta-held.pem
    crl_get interop

    openssl verify -crl_check -CAfile "$CA" "${use_deltas[@]}" \
        -CRLfile interop.pem -CRLfile interop-delta.pem delta-held.pem
    openssl verify -crl_check -CAfile "$CA" -CRLfile interop.pem \
        delta-held.pem
    verify_fails 'certificate revoked' delta-revoked.pem "${use_deltas[@]}" \
        -CRLfile interop.pem -CRLfile interop-delta.pem
}

try "OCSP, POST, nonce of 16" nonce
try "OCSP, -no_nonce" ask good -cert "$EE" -no_nonce
try "OCSP, warns if the nonce is not echoed" nonce_off
try "OCSP, -sha256, -sha384, -sha512" digests
try "OCSP, SHA-1 and SHA-256 at once" both
try "OCSP, several certificates" several
try "OCSP, revoked" revoked
try "OCSP, never issued" ask unknown -serial 0x123456789abcdef0
try "OCSP, signed request" signed
try "OCSP, signed request, required" signature_required
try "OCSP, another's certificate: unauthorized" error unauthorized \
    "$URL/ocsp" -issuer "$MAKER" -cert "$DEVICE"
try "OCSP, Redis is away: tryLater" error trylater \
    "$LATER_URL/ocsp" -issuer "$CA" -cert "$EE"
try "GET in 12 spellings" get good -cert "$EE"
try "GET in 12 spellings, with // and +" get_odd
try "GET in 12 spellings, SHA-256, SHA-512" get_digests
try "GET with a nonce" get_nonce
try "GET says what POST says" get_is_post
try "verify with the CRL" crl
try "verify with the CRL, revoked" crl_revoked
try "verify, CRL by its CDP" crl_download
try "verify with the CRL of its shard" shard
try "verify with the CRL of its shard, revoked" shard_revoked
try "verify with the CRL of another shard: error 44" shard_wrong
try "verify with a shard's, certificate has no CDP: error 44" shard_none
try "verify with the full CRL beside the shards" shard_all
try "older CRL, delta CRL" delta
try "-use_deltas, an addition" delta_addition
try "-use_deltas, a hold released" delta_release
try "-use_deltas, what has not changed" delta_rest
try "-use_deltas, newer CRL" delta_newer
try "-use_deltas, the first CRL of all" delta_base
finish
