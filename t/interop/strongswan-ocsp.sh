#!/bin/bash
#
# strongSwan: its revocation plugin, which all of its daemons verify with, run
# by pki.  It asks by POST, with a nonce and AcceptableResponses; what OCSP
# does not tell it takes from the CRL.

. "$(dirname "$0")/common.sh"

verify() {
    pki --verify --in "$1" --cacert "$CA" --online > verify.out 2>&1
}

good() {
    verify "$EE" || { cat verify.out; return 1; }
    cat verify.out
    grep -q 'ocsp response correctly signed' verify.out
    grep -q 'certificate status is good' verify.out
    refused grep -q 'fallback to crl' verify.out
    asked POST good "$EE" "$nonce16"
}

acceptable() {
    verify "$EE"
    asked POST good "$EE" 'Acceptable OCSP Responses'
}

revoked() {
    refused verify "$REVOKED"
    cat verify.out
    grep -q 'ocsp response correctly signed' verify.out
    grep -q 'was revoked on .* reason: key compromise' verify.out
    refused grep -q 'fallback to crl' verify.out
    asked POST revoked "$REVOKED" "$nonce16"
}

never() {
    verify "$NEVER" || true
    cat verify.out
    grep -q 'ocsp response correctly signed' verify.out
    refused grep -q 'certificate not revoked' verify.out
    refused grep -q 'certificate status is good' verify.out
    asked POST unknown "$NEVER"
}

server() {
    verify "$SERVER" || { cat verify.out; return 1; }
    grep -q 'certificate status is good' verify.out
    asked POST good "$SERVER"
}

try "verify --online, good, nonce of 16" good
try "verify --online, AcceptableResponses" acceptable
try "verify --online, a server's" server
try "verify --online, revoked" revoked
try "verify --online, never issued" never
finish
