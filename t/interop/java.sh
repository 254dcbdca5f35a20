#!/bin/bash
#
# Java: PKIXRevocationChecker by Rev.java, OCSP alone, by GET and POST, with
# and without a nonce; CRLs alone, by the CDP and from files.

program=$(cd "$(dirname "$0")" && pwd)/Rev.java
. "$(dirname "$0")/common.sh"

get=(-Dcom.sun.security.ocsp.useget=true)
post=(-Dcom.sun.security.ocsp.useget=false)
nonce=(-Djdk.security.certpath.ocspNonce=true)
offline=(-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=1 -Dhttp.nonProxyHosts=)

# check WHAT ARGUMENT...: what it prints in the end
check() {
    local what=$1

    shift
    java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${options[@]}" \
        "$program" "$CA" "$@" > check.out 2>&1 || true
    cat check.out
    grep -q "^$what" check.out
}

good() {
    check accepted "$EE" hard
    refused grep overlooked check.out
}

good_get() {
    options=("${get[@]}")
    good
    asked GET good "$EE" '!OCSP Nonce'
}

good_get_nonce() {
    options=("${get[@]}" "${nonce[@]}")
    good
    asked GET good "$EE" "$nonce16"
}

good_post() {
    options=("${post[@]}")
    good
    asked POST good "$EE" '!OCSP Nonce'
}

good_post_nonce() {
    options=("${post[@]}" "${nonce[@]}")
    good
    asked POST good "$EE" "$nonce16"
}

server() {
    options=("${get[@]}")
    check accepted "$SERVER" hard
    asked GET good "$SERVER"
}

revoked_get() {
    options=("${get[@]}" "${nonce[@]}")
    check 'rejected: REVOKED KEY_COMPROMISE' "$REVOKED" soft
    asked GET revoked "$REVOKED" "$nonce16"
}

revoked_post() {
    options=("${post[@]}")
    check 'rejected: REVOKED KEY_COMPROMISE' "$REVOKED" soft
    asked POST revoked "$REVOKED" '!OCSP Nonce'
}

never() {
    options=("${post[@]}" "${nonce[@]}")
    check 'rejected: UNDETERMINED_REVOCATION_STATUS: .* is unknown' \
        "$NEVER" hard
    asked POST unknown "$NEVER" "$nonce16"
}

never_soft() {
    options=("${get[@]}")
    check 'overlooked: UNDETERMINED_REVOCATION_STATUS' "$NEVER" soft
    asked GET unknown "$NEVER"
}

# not a hard failure, as UNAUTHORIZED would be

later_soft() {
    options=("${get[@]}")
    check 'overlooked: UNDETERMINED_REVOCATION_STATUS: .*TRY_LATER' \
        "$EE" soft "$LATER_URL/ocsp"
}

later_hard() {
    options=("${post[@]}" "${nonce[@]}")
    check 'rejected: UNDETERMINED_REVOCATION_STATUS: .*TRY_LATER' \
        "$EE" hard "$LATER_URL/ocsp"
}

# The cause of an HTTP status is not told apart from that of a dead responder.

later_status() {
    options=("${get[@]}")
    check 'overlooked: UNDETERMINED_REVOCATION_STATUS: .*network error' \
        "$EE" soft "$LATER_URL/status"
}

crl_cdp() {
    options=()
    check accepted "$EE" crl
}

crl_cdp_revoked() {
    options=()
    check 'rejected: REVOKED KEY_COMPROMISE' "$REVOKED" crl
}

# From a file; there is no way to the one that the certificate names.

crl_shard() {
    options=("${offline[@]}")
    crl_get "$(crl_of "$EE")"
    check accepted "$EE" crl "$(crl_of "$EE").der"
    crl_get "$(crl_of "$REVOKED")"
    check 'rejected: REVOKED KEY_COMPROMISE' "$REVOKED" crl \
        "$(crl_of "$REVOKED").der"
}

crl_wrong() {
    local name=interop-00

    options=("${offline[@]}")
    [ $name != "$(crl_of "$EE")" ] || name=interop-01
    crl_get $name
    check 'rejected: UNDETERMINED_REVOCATION_STATUS' "$EE" crl $name.der
}

crl_full() {
    options=("${offline[@]}")
    crl_get interop
    check accepted "$EE" crl interop.der
    check 'rejected: REVOKED KEY_COMPROMISE' "$REVOKED" crl interop.der
}

try "good, GET" good_get
try "good, GET, nonce of 16" good_get_nonce
try "good, POST" good_post
try "good, POST, nonce of 16" good_post_nonce
try "good, a server's" server
try "revoked, GET, nonce" revoked_get
try "revoked, POST" revoked_post
try "never issued is refused" never
try "never issued, SOFT_FAIL" never_soft
try "tryLater is refused" later_hard
try "tryLater is accepted with SOFT_FAIL" later_soft
try "tryLater as HTTP 503, with SOFT_FAIL" later_status
try "CRL of its shard, by its CDP" crl_cdp
try "CRL of its shard, by its CDP, revoked" crl_cdp_revoked
try "CRL of its shard, from a file" crl_shard
try "CRL of another shard is refused" crl_wrong
try "full CRL beside the shards" crl_full
finish
