#!/bin/bash
#
# NSS: vfychain with the PKIX library, which asks by GET, and ocspclnt, which
# asks by POST and names the service (serviceLocator).  Both say that they
# understand basic answers (AcceptableResponses).

. "$(dirname "$0")/common.sh"

database() {
    mkdir db
    certutil -N -d sql:db --empty-password
    certutil -A -d sql:db -n CA -t CT,C,C -i "$CA"
    certutil -A -d sql:db -n good -t ,, -i "$EE"
    certutil -A -d sql:db -n revoked -t ,, -i "$REVOKED"
    certutil -A -d sql:db -n never -t ,, -i "$NEVER"
}

# chain FILE USAGE: nothing but OCSP counts, and it must say something
chain() {
    vfychain -d sql:db -pp -u "$2" -g leaf -m ocsp \
        -s requireInfo,failIfNoInfo -a "$1" > chain.out 2>&1
}

chain_good() {
    chain "$EE" 0 || { cat chain.out; return 1; }
    grep -q 'Chain is good' chain.out
    asked GET good "$EE" 'Acceptable OCSP Responses'
}

chain_server() {
    chain "$SERVER" 1 || { cat chain.out; return 1; }
    asked GET good "$SERVER" '!OCSP Nonce'
}

# chain_bad FILE STATUS
chain_bad() {
    refused chain "$1" 0
    cat chain.out
    grep -q 'ERROR -8180: ' chain.out
    asked GET "$2" "$1"
}

# status NAME TEXT FILE STATUS
status() {
    ocspclnt -d sql:db -S "$1" -l "$URL/ocsp" -t CA 2>&1 | tee status.out
    grep -q "$2" status.out
    asked POST "$4" "$3" 'OCSP Service Locator'
}

later() {
    ocspclnt -d sql:db -S good -l "$LATER_URL/ocsp" -t CA 2>&1 | tee status.out
    grep -q 'suggests trying again later' status.out
}

try "a database" database
try "vfychain, good, GET" chain_good
try "vfychain, good, a server's" chain_server
try "vfychain, revoked" chain_bad "$REVOKED" revoked
try "vfychain, never issued" chain_bad "$NEVER" unknown
try "ocspclnt, good, POST, serviceLocator" \
    status good succeeded "$EE" good
try "ocspclnt, revoked" \
    status revoked 'has been revoked' "$REVOKED" revoked
try "ocspclnt, never issued" \
    status never 'has no status for' "$NEVER" unknown
try "ocspclnt, Redis is away: tryLater" later
finish
