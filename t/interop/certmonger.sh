#!/bin/bash
#
# certmonger: the daemon with a socket of its own (no D-Bus daemon), its state
# in $WORK.  It enrols by GET, AES-256 and SHA-256, and renews by PKCSReq that
# the old certificate's key signs.

. "$(dirname "$0")/common.sh"

mkdir -p requests cas tmp
chmod 700 .

export CERTMONGER_REQUESTS_DIR=$PWD/requests CERTMONGER_CAS_DIR=$PWD/cas \
       CERTMONGER_LOCAL_CA_DIR=$PWD/local CERTMONGER_TMPDIR=$PWD/tmp \
       TMPDIR=$PWD/tmp
mkdir -p local

start daemon.log certmonger -n -L -P "$PWD/socket" -d 2

export CERTMONGER_PVT_ADDRESS=unix:path=$PWD/socket

add_ca() {
    wait_for 10 test -S socket
    getcert add-scep-ca -c "$1" -u "$URL/$2" -R "$CA" -N "$CA" \
        -r "${RA_CERT:-$CA}"
}

# status ID STATUS: waits until that is so
status() {
    wait_for 30 status_is "$@" || { getcert list -i "$1"; return 1; }
}

status_is() {
    getcert list -i "$1" | grep -q "status: $2"
}

request() {
    getcert request -c site -I first -k "$PWD/first.key" \
        -f "$PWD/first.pem" -L "$CHALLENGE" -N "CN=certmonger first" \
        -D first.example
    status first MONITORING
    scep_asked GET PKCSReq SUCCESS
    certificate_right first.pem
    openssl x509 -in first.pem -noout -text | grep -q 'DNS:first.example'
}

# Of a FAILURE certmonger says CA_UNREACHABLE: it cannot verify a message that
# has no content, as RFC 8894, 3.3.2.2 wants it.

rejected() {
    getcert request -c site -I wrong -k "$PWD/wrong.key" \
        -f "$PWD/wrong.pem" -L "no$CHALLENGE" -N "CN=certmonger wrong"
    status wrong 'CA_\(REJECTED\|UNREACHABLE\)'
    scep_asked GET PKCSReq FAILURE badRequest
    [ ! -e wrong.pem ]
}

# With the same key the transaction is the same, too.  If the request is, the
# answer is the certificate that is there.

resubmit() {
    getcert resubmit -i first -L ''
    wait_for 30 scep_logged "GET PKIOperation PKCSReq SUCCESS -"
    status first MONITORING
    certificate_right first.pem
}

rekey() {
    cp first.pem before.pem
    getcert rekey -i first
    wait_for 30 refused cmp -s first.pem before.pem
    status first MONITORING
    scep_asked GET PKCSReq SUCCESS
    certificate_right first.pem
    openssl x509 -in first.pem -noout -text | grep -q 'DNS:first.example'
    [ "$(serial_of first.pem)" != "$(serial_of before.pem)" ]
}

# PENDING has no content either; it asks again by the same PKCSReq.

pending() {
    add_ca manual manual
    getcert request -c manual -I manual -k "$PWD/manual.key" \
        -f "$PWD/manual.pem" -N "CN=certmonger manual"
    wait_for 10 scep_logged "GET PKIOperation PKCSReq PENDING -"
    status manual 'CA_\(WORKING\|UNREACHABLE\)'
    decide "CN=certmonger manual" approve
    getcert resubmit -i manual
    status manual MONITORING
    scep_asked GET PKCSReq SUCCESS
    certificate_right manual.pem
}

try "add the CA" add_ca site scep
try "request, AES-256, GET" request
try "wrong challenge is refused" rejected
try "resubmit" resubmit
try "rekey" rekey
try "request, manual, asked again when approved" pending
finish
