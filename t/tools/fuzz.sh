#!/bin/bash
#
# Builds nginx's objects and the module's with clang, ASan and UBSan in
# $BUILD/fuzz, links each t/fuzz/fuzz_*.c with them and libFuzzer, and runs it
# for $FUZZ_TIME seconds from t/fuzz/seeds/<name>/.  What is found along the
# way is kept in $BUILD/fuzz/corpus; a crash leaves its input beside it.
# F chooses targets: F="fuzz_der fuzz_csr".

set -euo pipefail

cd "$(dirname "$0")/../.."

BUILD=$(realpath -m "${BUILD:-build}")
out=$BUILD/fuzz
time=${FUZZ_TIME:-60}

targets=${F:-$(ls t/fuzz/fuzz_*.c 2>/dev/null | xargs -rn 1 basename -s .c)}

if [ -z "$targets" ]; then
    echo "fuzz: no targets in t/fuzz"
    exit 1
fi

source=$(t/tools/source.sh)
sanitize="-fsanitize=address,undefined"
flags="-O1 -g -fPIC -fno-omit-frame-pointer -fno-sanitize-recover=undefined
       -fno-sanitize=nonnull-attribute,function
       -DNGX_DEBUG_PALLOC=1 -DNGX_HAVE_NONALIGNED=0"

NGX_SRC=$source PKI_NGINX='' BUILD=$out CC=clang \
CC_OPT="$flags $sanitize,fuzzer-no-link" LD_OPT="$sanitize" \
    t/tools/build.sh


# nginx's main() makes way for libFuzzer's

objcopy --redefine-sym main=ngx_main "$out/obj/src/core/nginx.o" \
    "$out/obj/nginx-fuzz.o"

objects=$(find "$out/obj" -name '*.o' ! -path '*/src/core/nginx.o' \
               ! -name '*_module_modules.o')

libs=$(sed -n '/^binary:/,/^$/p; /\$(LINK)/,/^$/p' "$out/obj/Makefile" \
       | tr ' \\\t' '\n' | grep -E '^-l|^[^ ]*lib[^ ]*\.a$' | sort -u)

incs=$(for dir in core event event/modules os/unix http http/modules; do
           echo "-I$source/src/$dir"
       done)

mkdir -p "$out/bin"

fuzz_link() {
    # shellcheck disable=SC2086
    clang $flags $sanitize,fuzzer -Wall -Wno-unused-function \
        $incs -I"$out/obj" -Ishared -Ingx_scep_module \
        -Ingx_ocsp_responder_module -It/fuzz \
        "t/fuzz/$1.c" $objects $libs -lpthread -ldl -o "$out/bin/$1"
}

fuzz_run() {
    local seeds=t/fuzz/seeds/$1

    [ -d "$seeds" ] || seeds=

    # shellcheck disable=SC2086
    ASAN_OPTIONS=detect_leaks=1 "$out/bin/$1" -max_total_time="$time" \
        -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix="$out/crash/$1/" "$out/corpus/$1" $seeds
}

fuzz_one() {
    local name=$1 log=$out/bin/$1.log

    mkdir -p "$out/corpus/$name" "$out/crash/$name"

    if ! fuzz_link "$name" > "$log" 2>&1; then
        tail -n 20 "$log"
        echo "fuzz: $name: FAILED, does not compile"
        return 1
    fi

    if ! fuzz_run "$name" > "$log" 2>&1; then
        grep -nE 'ERROR|SUMMARY|runtime error|Test unit written' "$log" \
            | head -n 10
        echo "fuzz: $name: FAILED, see $log"
        return 1
    fi

    echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' \
                         "$log") inputs, clean"
}

export out time flags sanitize incs objects libs
export -f fuzz_link fuzz_run fuzz_one

# shellcheck disable=SC2086
if ! printf '%s\n' $targets \
    | xargs -P "${JOBS:-2}" -n 1 bash -c 'fuzz_one "$1"' _
then
    echo "fuzz: FAILED"
    exit 1
fi

echo "fuzz: $(wc -w <<< "$targets") targets, $time s each, all clean"
