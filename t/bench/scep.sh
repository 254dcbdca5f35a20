#!/bin/bash
#
# SCEP enrolment against what its RSA and ECDSA operations take by "openssl
# speed", and against Debian's scepserver with the same messages, all of it
# measured in the same run; and how long OCSP answers of the same worker take
# meanwhile.
#
#     [ROUNDS=3] [TIME=4] t/bench/scep.sh
#
# One nginx worker on CPU 0; clients, Redis on CPU 1.  Medians of the rounds.
# Instructions are counted by valgrind.  Writes $BUILD/bench/scep.txt.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/bench/lib.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"
build_tools

rounds=${ROUNDS:-3}
seconds=${TIME:-4}
messages=$((seconds * 1400))
connections=16
ocsp_rate=400

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


# authority NAME KEY DIRECTIVE
authority() {
    cat <<END
    pki_authority $1 {
        subject     "CN=Bench $1 CA";
        key         file:$dir/$1.key;
        certificate $dir/$1.pem;
        create      $2 validity=1y;
        base_url    $base;
        $3
    }
END
}

# an EC key opens no envelopes: an RA with an RSA key does it
bench_conf() {
    http_conf 1 "$dir/nginx.conf" <<END
    keepalive_requests 100000000;
    scep_challenge static $dir/challenge;

$(authority rsa rsa:2048 "")
$(authority ec ec:P-256 "ra auto;")

    server {
        listen 127.0.0.1:$port;

        location /rsa { scep rsa; }
        location /ec { scep ec; }
        location /ocsp { ocsp_responder rsa; }

        location = /enroll { enroll rsa; enroll_auth none insecure; }
        location = /ca/rsa.cer { pki_certificate rsa; }
        location = /ca/ec.cer { pki_certificate ec; }
        location = /probe { pki_probe; }
    }
END
}

# $dir/NAME.recipient and .issuer, and an OCSP request
prepare() {
    local name

    for name in rsa ec; do
        curl -fsS "$base/ca/$name.cer" \
            | openssl x509 -inform DER -out "$dir/$name.issuer"
    done

    cp "$dir/rsa.issuer" "$dir/rsa.recipient"
    curl -fsS "$base/ec?operation=GetCACert" \
        | openssl pkcs7 -inform DER -print_certs \
        | openssl x509 -out "$dir/ec.recipient"

    t/tools/csr_many.py 1 > "$dir/first.csr"
    curl -fsS --data-binary "@$dir/first.csr" -o "$dir/first.pem" \
        "$base/enroll"
    openssl ocsp -issuer "$dir/rsa.issuer" -cert "$dir/first.pem" -no_nonce \
        -reqout "$dir/ocsp.req"
}

# scep NAME URL RECIPIENT ISSUER CONNECTIONS COUNT SECONDS [OPTION...]
scep() {
    local name=$1 url=$2 recipient=$3 issuer=$4 count=$5 n=$6 time=$7

    shift 7
    "$BUILD/scep-load" -u "$url" -a "$recipient" --issuer "$issuer" \
        -p "$dir/challenge" -c "$count" -n "$n" -t "$time" --keys 4 --cpu 1 \
        --json "$@" > "$dir/$name.json" || true
    json "$dir/$name.json" send rate >> "$dir/$name.rate"
    json "$dir/$name.json" send latency_ms p99 >> "$dir/$name.p99"
    json "$dir/$name.json" send success >> "$dir/$name.success"
    awk -v a="$(json "$dir/$name.json" send failure)" \
        -v b="$(json "$dir/$name.json" send other)" \
        'BEGIN { print a + b }' >> "$dir/$name.failed"
}

# own NAME AUTHORITY COUNT SECONDS [OPTION...]: nothing fails, and there are
# as many serial numbers as successes
own() {
    local name=$1 authority=$2 n=$3 time=$4 before success distinct failed

    shift 4
    before=$(issued "$authority")
    scep "$name" "$base/$authority" "$dir/$authority.recipient" \
        "$dir/$authority.issuer" $connections "$n" "$time" --verify "$@"
    success=$(tail -n 1 "$dir/$name.success")
    distinct=$(json "$dir/$name.json" distinct)
    failed=$(tail -n 1 "$dir/$name.failed")

    [ "$success" -gt 0 ] && [ "$failed" = 0 ] && [ "$distinct" = "$success" ] \
        && [ $(($(issued "$authority") - before)) = "$success" ] \
        || die "$name: $success successes, $failed failures," \
               "$distinct serial numbers," \
               "$(($(issued "$authority") - before)) recorded"
}

issued() {
    redis zcard "pki:{$1}:issued"
}

# nanoseconds that the worker has computed
worker_cpu() {
    cut -d ' ' -f 1 "/proc/$worker/schedstat"
}

# measure NAME: also what it costs the worker, in microseconds an enrolment
measure() {
    local cpu

    cpu=$(worker_cpu)
    own "$1" "$1" $messages "$seconds"
    awk -v c="$cpu" -v d="$(worker_cpu)" -v n="$(tail -n 1 "$dir/$1.success")" \
        'BEGIN { printf "%.1f\n", (d - c) / 1000 / n }' >> "$dir/$1.cpu"
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
    scep "peer-$1" "http://127.0.0.1:$peer_port/scep" "$depot/ca.pem" \
        "$depot/ca.pem" "$1" $((seconds * 400)) "$seconds"
    stop $pid TERM
}

# ocsp NAME: the p99 of answers at a pace that leaves the worker time
ocsp() {
    taskset -c 1 t/bench/paced.py "$port" /ocsp application/ocsp-request \
        "$dir/ocsp.req" $ocsp_rate "$seconds" >> "$dir/$1.p99"
}

# OCSP of the idle worker, and while it enrols.  The messages are made before.
round_ocsp() {
    local pid

    ocsp idle

    own both rsa $((messages * 2)) $((seconds + 2)) &
    pid=$!
    wait_for 60 enrolling || die "nobody enrols"
    ocsp during
    wait $pid
}

# whether there is one more certificate than a moment before
enrolling() {
    local before

    before=$(issued rsa)
    sleep 0.1
    [ "$(issued rsa)" -gt "$before" ]
}

memory() {
    redis info memory | tr -d '\r' | sed -n 's/^used_memory://p'
}

# octets of Redis for each certificate that the command enrols
bytes() {
    local before_memory before_issued

    before_memory=$(memory)
    before_issued=$(issued rsa)
    "$@"
    bytes=$((($(memory) - before_memory) / ($(issued rsa) - before_issued)))
}


# instructions NAME: of an enrolment, and of its private operations; what the
# first 20 take is taken off
instructions() {
    local n

    count "$1" 20 > "$dir/count"

    for n in 20 120; do
        count "$1" $n > "$dir/$1.$n"
    done

    paste "$dir/$1.20" "$dir/$1.120" \
        | awk '{ printf "%d\n", ($2 - $1) / 100 }' > "$dir/$1.instructions"
}

# count NAME N: the instructions of N enrolments, and those of their private
# operations
count() {
    callgrind_control -z "$nginx_pid" > "$dir/control" 2>&1
    rm -f "$dir"/callgrind.out.*
    own "count-$1" "$1" "$2" 0
    callgrind_control -d "$nginx_pid" > "$dir/control" 2>&1
    wait_for 10 eval 'grep -qs ^totals: "$dir"/callgrind.out.*' \
        || die "valgrind does not count: $(cat "$dir/control")"
    sed -n 's/^totals: //p' "$dir"/callgrind.out.*
    callgrind_annotate --auto=no --inclusive=yes --threshold=100 \
        "$dir"/callgrind.out.* \
        | awk '/:EVP_PKEY_(sign|decrypt)( |$)/ { gsub(",", "", $1); n += $1 }
               END { printf "%.0f\n", n }'
}

part_instructions() {
    start "$dir/nginx.out" valgrind --tool=callgrind \
        --callgrind-out-file="$dir/callgrind.out" \
        "$NGINX" -p "$dir" -e "$dir/logs/error.log" -c "$dir/nginx.conf" \
        -g 'daemon off; master_process off;'
    nginx_pid=$!
    wait_for 60 nginx_ready \
        || die "nginx under valgrind: $(tail -n 5 "$dir/nginx.out")"

    instructions rsa
    instructions ec
    nginx_stop
}


# the fastest of scepserver's runs: peer, peer_p99, peer_failed
peer_best() {
    local n rate

    peer=0
    peer_p99=0
    peer_failed=0

    for n in 1 4; do
        [ -f "$dir/peer-$n.rate" ] || continue
        rate=$(median "$dir/peer-$n.rate")

        if awk -v a="$rate" -v b="$peer" 'BEGIN { exit !(a > b) }'; then
            peer=$rate
            peer_p99=$(median "$dir/peer-$n.p99")
            peer_failed=$(median "$dir/peer-$n.failed")
        fi
    done
}

# limits: limit_rsa and limit_ec, enrolments a second, from "openssl speed"
limits() {
    local sign verify ec

    sign=$(median "$dir/rsa2048.sign")
    verify=$(median "$dir/rsa2048.verify")
    ec=$(median "$dir/ecdsap256.sign")

    limit_rsa=$(awk -v s="$sign" -v v="$verify" \
                'BEGIN { printf "%.0f", 1 / (3 / s + 2 / v) }')
    limit_ec=$(awk -v s="$sign" -v v="$verify" -v e="$ec" \
               'BEGIN { printf "%.0f", 1 / (2 / s + 1 / e + 2 / v) }')
    private=$(awk -v s="$sign" 'BEGIN { printf "%.3f", 1000 / s }')
}

# cpu_row NAME LIMIT
cpu_row() {
    local limit

    limit=$(awk -v l="$2" 'BEGIN { printf "%.1f", 1e6 / l }')
    row "  $3" "$(median "$dir/$1.cpu")" "$limit" \
        "$(ratio "$limit" "$(median "$dir/$1.cpu")")"
}

# instructions_row NAME TEXT
instructions_row() {
    local all private

    { read -r all; read -r private; } < "$dir/$1.instructions"
    row "  $2" "$all" "$private" $((all - private))
}

report() {
    local rsa ec idle during

    rsa=$(median "$dir/rsa.rate")
    ec=$(median "$dir/ec.rate")
    idle=$(median "$dir/idle.p99")
    during=$(median "$dir/during.p99")

    row "one worker, medians of $rounds rounds" "a second" "p99 ms" "ratio"
    row "SCEP enrolment, RSA-2048, Redis fsync always" "$rsa" \
        "$(median "$dir/rsa.p99")" 1
    row "  limit: 3 private, 2 public RSA-2048 operations" "$limit_rsa" - \
        "$(ratio "$rsa" "$limit_rsa")"
    row "  scepserver, same messages ($peer_failed failed)" "$peer" \
        "$peer_p99" "$(ratio "$rsa" "$peer")"
    row "SCEP enrolment, P-256, RA of RSA-2048" "$ec" \
        "$(median "$dir/ec.p99")" 1
    row "  limit: 2 private, 2 public RSA, 1 ECDSA" "$limit_ec" - \
        "$(ratio "$ec" "$limit_ec")"

    row "the worker's CPU, us an enrolment" "nginx" "limit" "ratio"
    cpu_row rsa "$limit_rsa" "RSA-2048"
    cpu_row ec "$limit_ec" "P-256"

    row "instructions an enrolment (callgrind)" "all" "private" "the rest"
    instructions_row rsa "RSA-2048"
    instructions_row ec "P-256"

    row "OCSP, $ocsp_rate a second" "" "p99 ms" "ratio"
    row "  of the idle worker" - "$idle" 1
    row "  while it enrols $connections at a time" - "$during" \
        "$(ratio "$during" "$idle")"
    row "  limit: 2 times idle, one private operation" - \
        "$(awk -v i="$idle" -v p="$private" \
           'BEGIN { printf "%.3f", 2 * i + p }')" -

    row "Redis, octets a certificate" "$bytes" - -
    echo "bench: SCEP $rsa/s ($(ratio "$rsa" "$limit_rsa") of the limit," \
         "$(ratio "$rsa" "$peer") times scepserver), with P-256 $ec/s" \
         "($(ratio "$ec" "$limit_ec") of its limit); OCSP p99 meanwhile" \
         "$during ms, idle $idle ms"
}


busy
redis_start
bench_conf
nginx_start "$dir/nginx.conf"
worker=$(nginx_workers)
prepare
bytes own first rsa 1000 0

for ((round = 1; round <= rounds; round++)); do
    speed rsa2048
    speed ecdsap256
    measure rsa
    measure ec
    peer 1
    peer 4
    round_ocsp
done

nginx_stop
part_instructions

grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" \
    && die "there are alerts in the log"

limits
peer_best

mkdir -p "$BUILD/bench"
report | tee "$BUILD/bench/scep.txt"
