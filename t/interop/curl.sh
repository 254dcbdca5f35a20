#!/bin/bash
#
# curl: OCSP by GET, enrolment by one POST of a PKCS#10, the downloads.

. "$(dirname "$0")/common.sh"

# ocsp_get CERTIFICATE STATUS OPTION...
ocsp_get() {
    local file=$1 status=$2

    shift 2
    openssl ocsp -issuer "$CA" "$@" -cert "$file" -reqout get.req -no_nonce
    curl -fsS "$URL/ocsp/$(openssl base64 -A -in get.req \
        | sed 's,+,%2B,g; s,/,%2F,g; s,=,%3D,g')" -o get.res -D get.headers
    cat get.headers
    grep -qi '^content-type: application/ocsp-response' get.headers
    openssl ocsp -issuer "$CA" "$@" -cert "$file" -CAfile "$CA" \
        -respin get.res > get.out 2>&1
    cat get.out
    grep -q 'Response verify OK' get.out
    grep -q ": $status" get.out
}

csr() {
    openssl req -new -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" \
        -subj "/CN=curl $1" -addext "subjectAltName=DNS:$1.example"
}

# post NAME URL OPTION...
post() {
    local name=$1 url=$2

    shift 2
    csr "$name"
    curl -fsS -o "$name.answer" -D "$name.headers" "$@" \
        -H 'Content-Type: application/pkcs10' \
        --data-binary "@$name.csr" "$url"
    cat "$name.headers"
    pem "$name.answer" > "$name.pem"
    certificate_right "$name.pem"
    openssl x509 -in "$name.pem" -noout -pubkey \
        | cmp - <(openssl pkey -in "$name.key" -pubout)
}

without() {
    csr without
    [ "$(curl -s -o /dev/null -w '%{http_code}' \
         --data-binary @without.csr "$URL/enroll")" = 401 ]
}

wrong() {
    csr wrong
    [ "$(curl -s -o /dev/null -w '%{http_code}' -u device:wrong \
         --data-binary @wrong.csr "$URL/enroll")" = 401 ]
}

ca() {
    curl -fsS -o ca.der "$URL/ca/interop.cer"
    openssl x509 -inform DER -in ca.der | cmp - <(openssl x509 -in "$CA")
}

caps() {
    curl -fsS "$URL/scep?operation=GetCACaps" | tee caps
    grep -q '^SCEPStandard' caps
    grep -q '^AES' caps
}

conditional() {
    local etag

    etag=$(curl -fsS -D - -o /dev/null "$URL/crl/interop.crl" | tr -d '\r' \
           | sed -n 's/^[Ee][Tt]ag: //p')
    [ -n "$etag" ]
    [ "$(curl -s -o /dev/null -w '%{http_code}' \
         -H "If-None-Match: $etag" "$URL/crl/interop.crl")" = 304 ]
}

try "GetCACaps" caps
try "CA certificate" ca
try "OCSP, GET" ocsp_get "$EE" good
try "OCSP, GET, SHA-256" ocsp_get "$EE" good -sha256
try "OCSP, GET, revoked" ocsp_get "$REVOKED" revoked
try "CRL, If-None-Match" conditional
try "enroll, basic" post basic "$URL/enroll" -u "device:$CHALLENGE"
try "enroll, mTLS" post mtls "$TLS_URL/enroll" -k \
    --cert "$DEVICE" --key "$DEVICE_KEY"
try "enroll without credentials: 401" without
try "enroll, wrong password: 401" wrong
finish
