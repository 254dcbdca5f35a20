#!/bin/bash
#
# Runs the suites in $T (default all) against the built module.  With all of
# them, those of enrolment, OCSP and CRL run again with the authorities' keys in
# a key vault, RSA and EC.  The last lines are those of prove.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/nginx.sh

suites=${T:-}
all=$(ls t/*.t)
[ -n "$suites" ] || suites=$all

vault_suites="t/20-scep-http.t t/21-scep-enrol.t t/25-scep-oracle.t
              t/26-scep-getcrl.t t/30-ocsp-http.t t/32-ocsp-response.t
              t/34-crl.t t/40-enroll.t"
vault_ec_suites="t/21-scep-enrol.t t/32-ocsp-response.t t/34-crl.t"

export TEST_NGINX_BINARY=$NGINX
export TEST_NGINX_LOAD_MODULES=$BUILD/ngx_http_pki_module.so
export TEST_NGINX_RANDOMIZE=1

run() {
    # shellcheck disable=SC2086
    prove -j"${JOBS:-4}" --timer $1
}

failed=

if [ -n "${PKI_KEY:-}" ] || [ "$(printf '%s\n' $suites | sort)" != "$all" ]
then
    run "$suites"
    exit
fi

echo "== keys in a vault, RSA"
PKI_KEY=vault run "$vault_suites" || failed=yes

echo "== keys in a vault, EC"
PKI_KEY=vault-ec run "$vault_ec_suites" || failed=yes

# the long ones first, else the last one runs alone

long_suites="t/79-ra-keyvault.t t/88-intune-faults.t
             t/86-intune-revocation.t t/75-ra.t t/72-azure-identity.t
             t/87-intune-outbox.t t/85-intune.t t/80-demo.t
             t/71-keyvault-faults.t t/96-crl-end.t t/94-crl-nodes.t
             t/95-crl-redis.t t/38-ocsp-signer.t t/91-crl-delta.t
             t/90-crl-shards.t t/51-rollback-and-clock.t
             t/78-keyvault-recovery.t t/37-ocsp-cache.t"

echo "== all suites"
run "$(printf '%s\n' $long_suites $suites | awk '!seen[$0]++')" || failed=yes

[ -z "$failed" ]
