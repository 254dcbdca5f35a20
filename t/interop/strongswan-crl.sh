#!/bin/bash
#
# strongSwan without OCSP: its revocation plugin takes the CRL of the shard
# from the certificate's CDP, and the delta that a full CRL names.  It does not
# compare IssuingDistributionPoint with the CDP.

. "$(dirname "$0")/common.sh"

export STRONGSWAN_CONF=$WORK/strongswan.conf

cat > "$STRONGSWAN_CONF" <<END
pki {
    plugins {
        revocation {
            enable_ocsp = no
        }
    }
}
END

# verify CERTIFICATE OPTION...
verify() {
    local file=$1

    shift
    pki --verify --in "$file" --cacert "$CA" "$@" > verify.out 2>&1
}

good() {
    verify "$@" || { cat verify.out; return 1; }
    cat verify.out
    grep -q 'crl correctly signed' verify.out
    grep -q 'certificate status is good' verify.out
}

revoked() {
    refused verify "$@"
    cat verify.out
    grep -q 'crl correctly signed' verify.out
    grep -q 'was revoked on .* reason: key compromise' verify.out
}

shard() {
    good "$EE" --online
    grep -q "fetching crl from '$URL/crl/$(crl_of "$EE").crl'" verify.out
}

shard_revoked() {
    revoked "$REVOKED" --online
    grep -q "fetching crl from '$URL/crl/$(crl_of "$REVOKED").crl'" verify.out
}

shard_file() {
    crl_get "$(crl_of "$EE")"
    good "$EE" --crl "$(crl_of "$EE").der"
    crl_get "$(crl_of "$REVOKED")"
    revoked "$REVOKED" --crl "$(crl_of "$REVOKED").der"
}

full() {
    crl_get interop
    good "$EE" --crl interop.der
    revoked "$REVOKED" --crl interop.der
}

# It wants the very CRL that the delta is based on, and does not ask the delta
# of who is held in that one.

delta() {
    revoked "$REVOKED" --crl "$FIRST_CRL"
    grep -q "fetching crl from '$URL/crl/interop-delta.crl'" verify.out
    good "$EE" --crl "$FIRST_CRL"
    grep -q "fetching crl from '$URL/crl/interop-delta.crl'" verify.out
}

try "verify --online, CRL of its shard" shard
try "verify --online, CRL of its shard, revoked" shard_revoked
try "verify --crl, that of its shard" shard_file
try "verify --crl, full CRL beside the shards" full
try "verify --crl, first full CRL, the delta that it names" delta
finish
