#!/bin/bash
#
# What a change must look like: style.pl's rules, the table of SCEP's rows,
# exported symbols, cppcheck and gcc -fanalyzer, none of which may have anything
# to say.

set -uo pipefail

cd "$(dirname "$0")/../.."

BUILD=$(realpath -m "${BUILD:-build}")
failed=

check() {
    local name=$1
    shift

    if "$@"; then
        echo "lint: $name: ok"
    else
        echo "lint: $name: FAILED"
        failed="$failed $name"
    fi
}


product=$(ls shared/*.[ch] ngx_scep_module/*.[ch] \
             ngx_ocsp_responder_module/*.[ch])
sources=$(grep '\.c$' <<< "$product")

texts=$(ls -d Makefile config .ci/run conf/*.conf conf/*.sh t/*.t \
              t/*/*.{c,h,pl,pm,py,sh,txt} t/lib/*/*.pm 2>/dev/null)

style() {
    # shellcheck disable=SC2086
    perl t/tools/style.pl $product $texts
}


# nginx looks for these three and nobody for anything else

symbols() {
    local wanted found

    wanted="ngx_module_names ngx_module_order ngx_modules"
    found=$(nm -D --defined-only "$BUILD/ngx_http_pki_module.so" \
            | awk '{ print $3 }' | sort | xargs)

    if [ "$found" != "$wanted" ]; then
        echo "exported: $found"
        return 1
    fi
}


# no function of the project's own may be left for the loader to find

unresolved() {
    local missing

    missing=$(nm -D --undefined-only "$BUILD/ngx_http_pki_module.so" \
              | awk '{ print $2 }' \
              | grep -E '^(ngx_(http_)?(pki|scep|enroll|ocsp|crl|rest))' \
              | xargs)

    if [ -n "$missing" ]; then
        echo "undefined: $missing"
        return 1
    fi
}


nginx_src=$(head -n 1 "$BUILD/obj/inputs")

incs=$(for dir in core event event/modules os/unix http http/modules http/v2
       do
           echo "-I$nginx_src/src/$dir"
       done)
incs="$incs -I$BUILD/obj -Ishared"

# uninitialized-value: gcc 12 sees the bit fields of ngx_event_t unset after
# one of them was set

analyzer() {
    # shellcheck disable=SC2086
    xargs -P "$(nproc)" -n 1 gcc -c -o /dev/null -O2 -W -Wall -Wextra \
        -Wpointer-arith -Wno-unused-parameter -Wshadow -Wstrict-prototypes \
        -Wvla -Werror -fanalyzer \
        -Wno-analyzer-use-of-uninitialized-value \
        -fdiagnostics-path-format=none -fno-diagnostics-show-caret \
        $incs <<< "$sources"
}

cppcheck_all() {
    # shellcheck disable=SC2086
    cppcheck --quiet -j "$(nproc)" --enable=warning,performance,portability \
        --error-exitcode=1 --inline-suppr --std=c11 --platform=unix64 \
        --suppress=missingIncludeSystem --suppress='*:*/src/*' \
        --template='{file}:{line}: {id}: {message}' \
        --library=openssl -DNGX_THREADS=1 -DNGX_HTTP_SSL=1 -DNGX_PTR_SIZE=8 \
        -DOPENSSL_VERSION_NUMBER=0x30000000L \
        -Ishared $sources
}


check style style
check "rows of SCEP" perl t/tools/rows.pl
check symbols symbols
check unresolved unresolved
check "gcc -fanalyzer" analyzer
check cppcheck cppcheck_all

if [ -n "$failed" ]; then
    echo "lint: FAILED:$failed"
    exit 1
fi

echo "lint: all clean"
