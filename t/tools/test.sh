#!/bin/bash
#
# Runs the suites in $T (default all) against the built module.  The last
# lines are those of prove.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/nginx.sh

suites=${T:-}
[ -n "$suites" ] || suites=$(ls t/*.t)

export TEST_NGINX_BINARY=$NGINX
export TEST_NGINX_LOAD_MODULES=$BUILD/ngx_http_pki_module.so
export TEST_NGINX_RANDOMIZE=1

# shellcheck disable=SC2086
exec prove -j"${JOBS:-2}" --timer $suites
