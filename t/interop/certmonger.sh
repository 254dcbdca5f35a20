#!/bin/bash
#
# certmonger: the daemon with a socket of its own (no D-Bus daemon), its state
# in $WORK.  It enrols by GET, AES-256 and SHA-256.

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
    getcert add-scep-ca -c site -u "$URL/scep" -R "$CA" -N "$CA" \
        -r "${RA_CERT:-$CA}"
}

# monitored ID: waits until its certificate is there
monitored() {
    local i

    for i in {1..150}; do
        if getcert list -i "$1" | grep -q 'status: MONITORING'; then
            return 0
        fi
        sleep 0.2
    done

    getcert list -i "$1"
    return 1
}

request() {
    getcert request -c site -I first -k "$PWD/first.key" \
        -f "$PWD/first.pem" -L "$CHALLENGE" -N "CN=certmonger first" \
        -D first.example
    monitored first
    certificate_right first.pem
    openssl x509 -in first.pem -noout -text | grep -q 'DNS:first.example'
}

# Of a FAILURE certmonger says CA_UNREACHABLE: it cannot verify a message that
# has no content, as RFC 8894, 3.3.2.2 wants it.

rejected() {
    local i

    getcert request -c site -I wrong -k "$PWD/wrong.key" \
        -f "$PWD/wrong.pem" -L "no$CHALLENGE" -N "CN=certmonger wrong"

    for i in {1..100}; do
        if getcert list -i wrong \
            | grep -q 'status: CA_\(REJECTED\|UNREACHABLE\)'
        then
            [ ! -e wrong.pem ]
            return
        fi
        sleep 0.2
    done

    getcert list -i wrong
    return 1
}

try "add the CA" add_ca
try "request, AES-256, GET" request
try "wrong challenge is refused" rejected
finish
