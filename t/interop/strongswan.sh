#!/bin/bash
#
# strongSwan's pki: SCEP with its defaults (AES, SHA-256), no legacy switch.

. "$(dirname "$0")/common.sh"

ca() {
    rm -f ca*.der ra*.der
    pki --scepca --url "$URL/scep" --caout ca.der --raout ra.der --force
    ls ca*.der > /dev/null
    openssl x509 -inform DER -in ca.der | cmp - <(openssl x509 -in "$CA")
}

# enrol NAME PASSWORD OPTION...
enrol() {
    local name=$1 password=$2 signer=ca.der

    shift 2
    [ ! -e ra.der ] || signer=ra.der
    pki --gen --type rsa --size 2048 > "$name.key"
    pki --scep --url "$URL/scep" --in "$name.key" --dn "CN=strongswan $name" \
        --san "$name.example" --password "$password" --cacert-enc $signer \
        --cacert-sig ca.der --interval 1 --maxpolltime 5 "$@" > "$name.der"
    [ -s "$name.der" ]
}

default() {
    enrol default "$CHALLENGE"
    certificate_right default.der
    openssl x509 -inform DER -in default.der -noout -text \
        | grep -q 'DNS:default.example'
}

verify() {
    pki --verify --in default.der --cacert ca.der --online
}

try "GetCACert" ca
try "enrol, AES, SHA-256" default
try "enrol, AES, SHA-512" enrol sha512 "$CHALLENGE" --digest sha512
try "wrong challenge is refused" refused enrol wrong "no$CHALLENGE"
try "verify online, OCSP" verify
finish
