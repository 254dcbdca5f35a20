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
failed=

for name in $targets; do
    # shellcheck disable=SC2086
    if ! clang $flags $sanitize,fuzzer -Wall -Wno-unused-function \
        $incs -I"$out/obj" -Ishared -Ingx_scep_module \
        -Ingx_ocsp_responder_module -It/fuzz \
        "t/fuzz/$name.c" $objects $libs -lpthread -ldl \
        -o "$out/bin/$name" > "$out/bin/$name.log" 2>&1
    then
        tail -n 20 "$out/bin/$name.log"
        failed="$failed $name"
        continue
    fi

    mkdir -p "$out/corpus/$name" "$out/crash/$name" "t/fuzz/seeds/$name"

    if ASAN_OPTIONS=detect_leaks=1 "$out/bin/$name" -max_total_time="$time" \
        -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix="$out/crash/$name/" "$out/corpus/$name" \
        "t/fuzz/seeds/$name" > "$out/bin/$name.log" 2>&1
    then
        echo "fuzz: $name:" \
             "$(sed -n 's/^stat::number_of_executed_units: *//p' \
                "$out/bin/$name.log") inputs, clean"
    else
        grep -nE 'ERROR|SUMMARY|runtime error|Test unit written' \
            "$out/bin/$name.log" | head -n 10
        echo "fuzz: $name: FAILED, see $out/bin/$name.log"
        failed="$failed $name"
    fi
done

if [ -n "$failed" ]; then
    echo "fuzz: FAILED:$failed"
    exit 1
fi

echo "fuzz: $(wc -w <<< "$targets") targets, $time s each, all clean"
