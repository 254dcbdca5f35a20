#!/bin/bash
#
# JavaScript: pkijs over Node's WebCrypto, by pkijs/scep.js: OAEP, attributes
# in no order, content in segments, EC with answers under the challenge.  It is
# installed below $BUILD by npm, with the versions and checksums of
# package-lock.json.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
. "$here/scep.sh"

files=("$here/pkijs/package.json" "$here/pkijs/package-lock.json")
pkijs=$BUILD/pkijs

install_pkijs() {
    mkdir -p "$pkijs"

    if ! cat "${files[@]}" | cmp -s - "$pkijs/installed"; then
        cp "${files[@]}" "$pkijs"
        (cd "$pkijs" && npm ci --ignore-scripts --no-audit --no-fund)
        cat "${files[@]}" > "$pkijs/installed"
    fi

    cp "$here/pkijs/scep.js" "$pkijs"
}

program() {
    node "$pkijs/scep.js" "$@"
}

oaep() {
    enrol oaep rsa | tee oaep.out
    grep 'recipient 1.2.840.113549.1.1.7' oaep.out
}

by_get() {
    new_key get
    program enrol "$URL/scep" key=get.key cn="$client get" san=get.example \
        challenge="$CHALLENGE" out=get.pem get=1
    scep_asked GET PKCSReq SUCCESS
    issued get
}

ec() {
    enrol ec ec | tee ec.out
    grep 'recipient 1.2.840.113549.1.9.16.3.9' ec.out
}

install_pkijs > install.log 2>&1 || { cat install.log >&2; exit 1; }

try "GetCACert" ca
try "enrol, OAEP, AES-256, SHA-256" oaep
try "enrol by GET" by_get
try "wrong challenge is refused" wrong_challenge
try "RenewalReq" renewal oaep rsa renew
try "PKCSReq by the old certificate" renewal_pkcsreq get rsa enrol
try "RenewalReq for another name is refused" renewal_refused oaep
try "RenewalReq by a revoked one is refused" renewal_revoked
try "enrol, manual, CertPoll, approved" poll
try "enrol, manual, CertPoll, rejected" poll_rejected
try "GetCert" getcert oaep
try "GetCRL" getcrl oaep
try "GetNextCACert, enrol with the next" next
try "enrol, EC, PasswordRecipientInfo" ec
try "RenewalReq, EC" renewal ec ec renew challenge="$CHALLENGE"
finish
