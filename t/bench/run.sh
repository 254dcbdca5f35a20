#!/bin/bash
#
# How fast it is, against what this machine can do in the same run: nginx
# itself, OpenSSL itself, and Debian's scepserver.
#
#     [ROUNDS=3] [TIME=4] t/bench/run.sh
#
# One nginx worker on CPU 0; clients, Redis on CPU 1.  Medians of the rounds.
# Writes $BUILD/bench/latest.txt.  What a key in a vault does is measured by
# keyvault.sh, at the end.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/bench/lib.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"
build_tools

rounds=${ROUNDS:-3}
seconds=${TIME:-4}
messages=$((seconds * 1400))

[ "$(nproc)" -ge 2 ] || die "needs two CPUs"

new_dir
redis_port=$(free_port)
port=$(free_port)
peer_port=$(free_port)
base=http://127.0.0.1:$port
WORKER_CPU=01
REDIS_CPU=1
LOG_LEVEL=warn
(umask 077; openssl rand -hex 12 > "$dir/challenge")

# bench_conf BODY: of the location that costs nothing
bench_conf() {
    http_conf 1 "$dir/nginx.conf" <<END
    keepalive_requests 100000000;

    pki_authority bench {
        subject     "CN=Bench CA";
        key         file:$dir/ca.key;
        certificate $dir/ca.pem;
        create      rsa:2048 validity=1y;
        base_url    $base;
    }

    server {
        listen 127.0.0.1:$port;

        location /scep {
            scep bench;
            scep_challenge static $dir/challenge;
        }

        location /ocsp { ocsp_responder bench; }
        location = /static { return 200 "$1"; }
        location = /ca/bench.cer { pki_certificate bench; }
        location = /probe { pki_probe; }
    }
END
}

# speed ALGORITHM FIELD: operations a second of one core, into $dir/ALGORITHM.*
speed() {
    local out

    out=$(taskset -c 0 openssl speed -seconds 1 "$1" 2> /dev/null \
          | tail -n 1)
    awk '{ print $(NF - 1) }' <<< "$out" >> "$dir/$1.sign"
    awk '{ print $NF }' <<< "$out" >> "$dir/$1.verify"
}

# scep_load NAME URL CA CONNECTIONS COUNT
scep_load() {
    "$BUILD/scep-load" -u "$2" -a "$3" -p "$dir/challenge" -c "$4" \
        -n "$5" -t "$seconds" --keys 4 --cpu 1 --json > "$dir/$1.json" || true
    json "$dir/$1.json" send rate >> "$dir/$1.rate"
    json "$dir/$1.json" send latency_ms p99 >> "$dir/$1.p99"
    json "$dir/$1.json" send success >> "$dir/$1.success"
    awk -v a="$(json "$dir/$1.json" send failure)" \
        -v b="$(json "$dir/$1.json" send other)" \
        'BEGIN { print a + b }' >> "$dir/$1.failed"
}

# peer CONNECTIONS: scepserver with a new directory each time
peer() {
    local depot=$dir/depot pid

    command -v scepserver > /dev/null || return 0

    rm -rf "$depot"
    (cd "$dir" && scepserver ca -init -depot "$depot" -keySize 2048) \
        > "$dir/peer-ca.log" 2>&1
    start "$dir/peer.log" taskset -c 0 scepserver -port "$peer_port" \
        -depot "$depot" -challenge "$(cat "$dir/challenge")" -allowrenew 0
    pid=$!
    wait_for 10 answers "$peer_port" || die "scepserver does not start"
    scep_load "peer-$1" "http://127.0.0.1:$peer_port/scep" "$depot/ca.pem" \
        "$1" $((seconds * 400))
    stop $pid TERM
}

memory() {
    redis info memory | tr -d '\r' | sed -n 's/^used_memory://p'
}


busy
redis_start
bench_conf ""
nginx_start "$dir/nginx.conf"
curl -fsS "$base/ca/bench.cer" | openssl x509 -inform DER -out "$dir/bench.pem"


# a certificate to ask for, and a static body as long as the answer

"$BUILD/scep-load" -u "$base/scep" -a "$dir/bench.pem" -n 200 -c 4 --keys 4 \
    -p "$dir/challenge" --out "$dir/first" --json > "$dir/first.json" \
    || die "cannot enrol: $(cat "$dir/first.json")"

serial=0x$(head -n 1 "$dir/first" | cut -d ' ' -f 2)

openssl ocsp -issuer "$dir/bench.pem" -serial "$serial" -no_nonce \
    -reqout "$dir/ocsp.req"

curl -fsS -H 'Content-Type: application/ocsp-request' \
    --data-binary "@$dir/ocsp.req" -o "$dir/ocsp.res" "$base/ocsp"

openssl ocsp -issuer "$dir/bench.pem" -serial "$serial" -no_nonce \
    -CAfile "$dir/bench.pem" -respin "$dir/ocsp.res" > "$dir/ocsp.txt" 2>&1
grep -q ': good' "$dir/ocsp.txt" || die "OCSP: $(cat "$dir/ocsp.txt")"

size=$(stat -c %s "$dir/ocsp.res")
bench_conf "$(printf '%*s' "$size" '' | tr ' ' x)"
kill -HUP "$nginx_pid"
sleep 1
nginx_ready || die "no reload"

post_lua "$dir/ocsp.req" application/ocsp-request > "$dir/post.lua"

before_memory=$(memory)
before_issued=$(redis zcard 'pki:{bench}:issued')

for ((round = 1; round <= rounds; round++)); do
    speed ecdsap256
    speed rsa2048
    load static 64 "$seconds" "$dir/post.lua" "$base/static"
    load ocsp 64 "$seconds" "$dir/post.lua" "$base/ocsp"
    scep_load scep "$base/scep" "$dir/bench.pem" 16 $messages
    peer 1
    peer 4
done

issued=$(($(redis zcard 'pki:{bench}:issued') - before_issued))
bytes=$((issued > 0 ? ($(memory) - before_memory) / issued : 0))

grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" \
    && die "there are alerts in the log"


static=$(median "$dir/static.rate")
ocsp=$(median "$dir/ocsp.rate")
p256=$(median "$dir/ecdsap256.sign")
sign=$(median "$dir/rsa2048.sign")
verify=$(median "$dir/rsa2048.verify")
scep=$(median "$dir/scep.rate")
limit=$(awk -v s="$sign" -v v="$verify" \
        'BEGIN { printf "%.0f", 1 / (3 / s + 2 / v) }')
peer=0
peer_p99=0
peer_failed=0

for connections in 1 4; do
    [ -f "$dir/peer-$connections.rate" ] || continue
    rate=$(median "$dir/peer-$connections.rate")

    if awk -v a="$rate" -v b="$peer" 'BEGIN { exit !(a > b) }'; then
        peer=$rate
        peer_p99=$(median "$dir/peer-$connections.p99")
        peer_failed=$(median "$dir/peer-$connections.failed")
    fi
done

[ "$(median "$dir/scep.failed")" = 0 ] || die "enrolments failed"

nginx_stop
stop "$redis_pid" TERM

mkdir -p "$BUILD/bench"

{
    row "one worker, medians of $rounds rounds" "a second" "p99 ms" "ratio"
    row "OCSP, POST, each answer signed (P-256)" "$ocsp" \
        "$(median "$dir/ocsp.p99")" 1
    row "  nginx \"return 200\", $size octets" "$static" \
        "$(median "$dir/static.p99")" "$(ratio "$ocsp" "$static")"
    row "  openssl speed ecdsap256, sign" "$p256" - "$(ratio "$ocsp" "$p256")"
    row "SCEP enrolment, RSA-2048, Redis fsync always" "$scep" \
        "$(median "$dir/scep.p99")" 1
    row "  limit: 3 private, 2 public RSA-2048 operations" "$limit" - \
        "$(ratio "$scep" "$limit")"
    row "  scepserver, same messages ($peer_failed failed)" "$peer" \
        "$peer_p99" "$(ratio "$scep" "$peer")"
    row "Redis, octets a certificate" "$bytes" - -
    echo "bench: OCSP $ocsp/s ($(ratio "$ocsp" "$p256") of openssl speed," \
         "$(ratio "$ocsp" "$static") of return 200), SCEP $scep/s" \
         "($(ratio "$scep" "$limit") of the limit," \
         "$(ratio "$scep" "$peer") times scepserver)"
} | tee "$BUILD/bench/latest.txt"

ROUNDS=$rounds TIME=$seconds t/bench/keyvault.sh
cat "$BUILD/bench/keyvault.txt" >> "$BUILD/bench/latest.txt"
