#!/bin/bash
#
# scepclient of micromdm: single DES and SHA-1 only, so that it needs
# "scep_legacy des" and must fail without.

. "$(dirname "$0")/common.sh"

# enrol PATH NAME CHALLENGE: in a directory of its own, where scepclient keeps
# its request
enrol() {
    mkdir "$2"
    timeout 20 scepclient -server-url "$URL$1" -challenge "$3" \
        -private-key "$2/key.pem" -certificate "$2/cert.pem" \
        -keySize 2048 -cn "scepclient $2"
    [ -s "$2/cert.pem" ]
}

legacy() {
    enrol /legacy first "$CHALLENGE"
    certificate_right first/cert.pem
}

# It encrypts for every certificate that it gets, RA and authority, and breaks
# off at an EC key.

if openssl x509 -in "$CA" -noout -text | grep -q id-ecPublicKey; then
    try "cannot do with an EC authority" refused enrol /legacy none "$CHALLENGE"
    finish
fi

try "enrol, DES, scep_legacy" legacy
try "DES is refused without it" refused enrol /scep second "$CHALLENGE"
try "wrong challenge is refused" refused enrol /legacy third "no$CHALLENGE"
finish
