#!/bin/bash
#
# How fast it is, against what this machine can do in the same run: nginx
# itself, OpenSSL itself, and Debian's scepserver.
#
#     [ROUNDS=3] [TIME=4] t/bench/run.sh
#
# One nginx worker on CPU 0; clients, Redis on CPU 1.  Medians of the rounds.
# Writes $BUILD/bench/latest.txt.  OCSP is measured by ocsp.sh, what a key in a
# vault does by keyvault.sh, both at the end.

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

        location = /ca/bench.cer { pki_certificate bench; }
        location = /probe { pki_probe; }
    }
END

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
nginx_start "$dir/nginx.conf"
curl -fsS "$base/ca/bench.cer" | openssl x509 -inform DER -out "$dir/bench.pem"

before_memory=$(memory)
before_issued=$(redis zcard 'pki:{bench}:issued')

for ((round = 1; round <= rounds; round++)); do
    speed rsa2048
    scep_load scep "$base/scep" "$dir/bench.pem" 16 $messages
    peer 1
    peer 4
done

issued=$(($(redis zcard 'pki:{bench}:issued') - before_issued))
bytes=$((issued > 0 ? ($(memory) - before_memory) / issued : 0))

grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" \
    && die "there are alerts in the log"


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
    row "SCEP enrolment, RSA-2048, Redis fsync always" "$scep" \
        "$(median "$dir/scep.p99")" 1
    row "  limit: 3 private, 2 public RSA-2048 operations" "$limit" - \
        "$(ratio "$scep" "$limit")"
    row "  scepserver, same messages ($peer_failed failed)" "$peer" \
        "$peer_p99" "$(ratio "$scep" "$peer")"
    row "Redis, octets a certificate" "$bytes" - -
    echo "bench: SCEP $scep/s ($(ratio "$scep" "$limit") of the limit," \
         "$(ratio "$scep" "$peer") times scepserver)"
} | tee "$BUILD/bench/latest.txt"

for part in ocsp keyvault; do
    ROUNDS=$rounds TIME=$seconds t/bench/$part.sh
    cat "$BUILD/bench/$part.txt" >> "$BUILD/bench/latest.txt"
done
