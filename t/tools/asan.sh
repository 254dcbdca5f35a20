#!/bin/bash
#
# Builds nginx and the module with AddressSanitizer and UBSan in $BUILD/asan,
# every pool allocation one of its own, and runs the suites in $T on them.
# Fails if a suite does, or if a sanitizer has anything to say.

set -euo pipefail

cd "$(dirname "$0")/../.."

BUILD=$(realpath -m "${BUILD:-build}")
source=$(t/tools/source.sh)
logs=$BUILD/asan/logs

# nonnull: ngx_string.c up to nginx 1.30 copies nothing from NULL
# NGX_HAVE_NONALIGNED: nginx compares methods by misaligned words

sanitize="-fsanitize=address,undefined"

NGX_SRC=$source PKI_NGINX='' BUILD=$BUILD/asan \
CC_OPT="-O1 -g -fPIC -fno-omit-frame-pointer $sanitize
        -fno-sanitize=nonnull-attribute -fno-sanitize-recover=undefined
        -DNGX_DEBUG_PALLOC=1 -DNGX_HAVE_NONALIGNED=0" \
LD_OPT="$sanitize" \
    t/tools/build.sh

rm -rf "$logs"
mkdir -p "$logs"

# odr: each dynamic module defines ngx_module_names; commas: Test::Nginx
# rewrites log_path for each block

export ASAN_OPTIONS="detect_odr_violation=0,detect_leaks=1"
ASAN_OPTIONS="$ASAN_OPTIONS,log_path=$logs/asan"
export LSAN_OPTIONS="suppressions=$PWD/t/tools/lsan.supp,print_suppressions=0"
export UBSAN_OPTIONS="print_stacktrace=1,log_path=$logs/ubsan"
export TEST_NGINX_TIMEOUT=${TEST_NGINX_TIMEOUT:-30}
export TEST_NGINX_SLEEP=${TEST_NGINX_SLEEP:-0.05}

failed=0
BUILD=$BUILD/asan PKI_NGINX='' t/tools/test.sh || failed=1

reports=$(grep -lrE 'ERROR|runtime error' "$logs" || true)

if [ -n "$reports" ]; then
    for report in $reports; do
        echo "== $report"
        sed -n '1,40p' "$report"
    done

    echo "asan: FAILED: sanitizer reports in" $reports
    exit 1
fi

if [ $failed != 0 ]; then
    echo "asan: FAILED: a suite failed, no sanitizer report"
    exit 1
fi

echo "asan: all suites passed, no sanitizer report"
