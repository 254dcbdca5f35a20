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

# ask NAME LOCATION FOR OPTION...: with a new key NAME, in the name of FOR
ask() {
    local name=$1 location=$2 subject=$3 signer=ca.der

    shift 3
    [ ! -e ra.der ] || signer=ra.der
    pki --gen --type rsa --size 2048 > "$name.key"
    pki --scep --url "$URL/$location" --in "$name.key" \
        --dn "CN=strongswan $subject" --san "$subject.example" \
        --cacert-enc $signer --cacert-sig ca.der --interval 1 \
        --maxpolltime 30 "$@" > "$name.der"
    [ -s "$name.der" ]
}

# enrol NAME PASSWORD OPTION...
enrol() {
    local name=$1 password=$2

    shift 2
    ask "$name" scep "$name" --password "$password" "$@"
}

default() {
    enrol default "$CHALLENGE"
    certificate_right default.der
    openssl x509 -inform DER -in default.der -noout -text \
        | grep -q 'DNS:default.example'
}

# The new key comes by --in, the old one with its certificate by --key, --cert.

renew() {
    ask renewed scep default --cert default.der --key default.key
    scep_asked POST RenewalReq SUCCESS
    certificate_right renewed.der
    [ "$(openssl x509 -inform DER -in renewed.der -noout -subject)" \
      = "$(openssl x509 -inform DER -in default.der -noout -subject)" ]
}

# It polls each second until somebody has decided.

poll() {
    local polling

    ask "$1" manual "$1" &
    polling=$!
    wait_for 10 scep_logged "POST PKIOperation CertPoll PENDING -"
    decide "CN=strongswan $1" "$2"
    wait $polling
}

approved() {
    poll manual approve
    scep_asked POST CertPoll SUCCESS
    certificate_right manual.der
}

rejected() {
    refused poll never reject
    scep_asked POST CertPoll FAILURE badRequest
    [ ! -s never.der ]
}

verify() {
    pki --verify --in default.der --cacert ca.der --online
}

try "GetCACert" ca
try "enrol, AES, SHA-256" default
try "enrol, AES, SHA-512" enrol sha512 "$CHALLENGE" --digest sha512
try "wrong challenge is refused" refused enrol wrong "no$CHALLENGE"
try "RenewalReq" renew
try "enrol, manual, CertPoll, approved" approved
try "enrol, manual, CertPoll, rejected" rejected
try "verify online, OCSP" verify
finish
