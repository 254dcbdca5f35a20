#!/bin/bash
#
# micromdm's library in Go, by micromdm/scep.go: what scepclient cannot do, AES
# and RenewalReq.  Debian has its sources, it is compiled without modules.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
. "$here/scep.sh"

# The cache has the library, compiled.

compile() {
    GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' CGO_ENABLED=0 \
        GOCACHE=$BUILD/go-cache PATH=/usr/lib/go/bin:$PATH go build -o scep \
        "$here/micromdm/scep.go"
}

program() {
    ./scep "$@"
}

by_get() {
    new_key get
    program enrol "$URL/scep" key=get.key cn="$client get" san=get.example \
        challenge="$CHALLENGE" out=get.pem get=1
    scep_asked GET PKCSReq SUCCESS
    issued get
}

manual() {
    new_key manual
    waiting=(key=manual.key cn="$client manual" san=manual.example
             out=manual.pem)

    said PENDING program enrol "$URL/manual" "${waiting[@]}"
    decide "CN=$client manual" approve
    said SUCCESS program enrol "$URL/manual" "${waiting[@]}"
    scep_asked POST PKCSReq SUCCESS
    issued manual
}


compile > compile.log 2>&1 || { cat compile.log >&2; exit 1; }

try "GetCACert" ca
try "enrol, AES-128, SHA-1" enrol first rsa
try "enrol, AES-256" enrol second rsa cipher=aes256
try "enrol by GET, base64 for URLs" by_get
try "wrong challenge is refused" wrong_challenge
try "RenewalReq" renewal first rsa renew
try "PKCSReq by the old certificate" renewal_pkcsreq second rsa enrol
try "RenewalReq for another name is refused" renewal_refused first
try "RenewalReq by a revoked one is refused" renewal_revoked
try "enrol, manual, asked again when approved" manual
finish
