#!/bin/bash
#
# The OCSP responder against nginx's own "return 200", asked the very same
# with an answer of the same length, and against OpenSSL's signatures, all of
# it measured in the same run.
#
#     [ROUNDS=3] [TIME=4] [SERIALS=1000000] t/bench/ocsp.sh
#
# One nginx worker on CPU 0; clients, Redis on CPU 1.  Medians of the rounds.
# Instructions are counted by valgrind.  Writes $BUILD/bench/ocsp.txt.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/bench/lib.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"

rounds=${ROUNDS:-3}
seconds=${TIME:-4}
serials=${SERIALS:-1000000}
zone=128m
connections=64
ocsp_rate=400
type=application/ocsp-request

[ "$(nproc)" -ge 2 ] || die "needs two CPUs"

new_dir
redis_port=$(free_port)
port=$(free_port)
base=http://127.0.0.1:$port
WORKER_CPU=01
REDIS_CPU=1
LOG_LEVEL=warn


# bench_conf BODY: of the location that costs nothing, and whose URI is as
# long as the responder's
bench_conf() {
    http_conf 1 "$dir/nginx.conf" <<END
    keepalive_requests 100000000;

    pki_zone zone=bench:$zone;

    pki_authority bench {
        subject     "CN=Bench CA";
        key         file:$dir/ca.key;
        certificate $dir/ca.pem;
        create      ec:P-256 validity=1y;
        base_url    $base;
    }

    server {
        listen 127.0.0.1:$port;

        location /ocsp { ocsp_responder bench; }
        location /base { return 200 "$1"; }

        location = /enroll { enroll bench; enroll_auth none insecure; }
        location = /ca/bench.cer { pki_certificate bench; }
        location = /probe { pki_probe; }
    }
END
}

# request NAME OPTION...: about the first certificate
request() {
    local name=$1

    shift
    openssl ocsp -issuer "$dir/bench.pem" -cert "$dir/first.pem" \
        -reqout "$dir/$name.req" "$@"
}

prepare() {
    curl -fsS "$base/ca/bench.cer" \
        | openssl x509 -inform DER -out "$dir/bench.pem"
    t/tools/csr_many.py 1 > "$dir/first.csr"
    curl -fsS --data-binary "@$dir/first.csr" -o "$dir/first.pem" \
        "$base/enroll"

    request plain -no_nonce
    request nonce

    curl -fsS -H "Content-Type: $type" --data-binary "@$dir/plain.req" \
        -o "$dir/ocsp.res" "$base/ocsp"
    openssl ocsp -issuer "$dir/bench.pem" -cert "$dir/first.pem" -no_nonce \
        -CAfile "$dir/bench.pem" -respin "$dir/ocsp.res" \
        > "$dir/ocsp.txt" 2>&1
    grep -q ': good' "$dir/ocsp.txt" || die "OCSP: $(cat "$dir/ocsp.txt")"

    size=$(stat -c %s "$dir/ocsp.res")
    path=/$(base64 -w 0 "$dir/plain.req" \
            | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')

    post_lua "$dir/plain.req" $type > "$dir/post.lua"
    echo 'wrk.headers["Connection"] = "close"' \
        | cat "$dir/post.lua" - > "$dir/close.lua"
    : > "$dir/get.lua"
}

# nanoseconds that the worker has computed
worker_cpu() {
    cut -d ' ' -f 1 "/proc/$worker/schedstat"
}

# measure NAME SCRIPT URL [ARGUMENT...]: also what it costs the worker, in
# microseconds a request
measure() {
    local name=$1 cpu

    shift
    cpu=$(worker_cpu)
    load "$name" $connections "$seconds" "$@"
    awk -v c="$cpu" -v d="$(worker_cpu)" -v n="$(requests "$name")" \
        'BEGIN { printf "%.2f\n", (d - c) / 1000 / n }' >> "$dir/$name.cpu"
}

# requests NAME: how many there were in its last run
requests() {
    sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$dir/$1.wrk" | tail -n 1
}

# pair NAME [PATH]: the responder, and what costs nothing
pair() {
    local where

    for where in base ocsp; do
        measure "$1-$where" "$dir/$1.lua" "$base/$where${2:-}"
    done
}

# commands that Redis has executed, those in scripts, too
commands() {
    redis info commandstats | tr -d '\r' \
        | awk -F '[:=,]' '$1 != "cmdstat_info" { n += $3 }
                          END { print n + 0 }'
}

# in an idle interval, and in one with cached answers
redis_commands() {
    local before

    before=$(commands)
    sleep "$seconds"
    idle=$(($(commands) - before))

    before=$(commands)
    load hits $connections "$seconds" "$dir/post.lua" "$base/ocsp"
    hits=$(requests hits)
    commands=$(($(commands) - before))

    [ $((commands - idle)) -le $((hits / 1000)) ] \
        || die "$hits cached answers took $((commands - idle))" \
               "commands of Redis"
}


# instructions NAME ARGUMENT...: of each request by paced.py, after some that
# fill caches; what 200 of them take is taken off.  The least of three counts:
# timers do not rest meanwhile.
instructions() {
    local name=$1 n

    shift
    count 200 "$@" > "$dir/count"

    for n in 200 2200; do
        for _ in 1 2 3; do
            count $n "$@"
        done | sort -n | head -n 1 > "$dir/$name.$n"
    done

    echo $((($(cat "$dir/$name.2200") - $(cat "$dir/$name.200")) / 2000)) \
        > "$dir/$name.instructions"
}

# count N ARGUMENT...: the instructions that nginx needs for N requests
count() {
    local n=$1

    shift
    callgrind_control -z "$nginx_pid" > "$dir/control" 2>&1
    taskset -c 1 t/bench/paced.py "$port" "$@" 1000000 "${n}e-6" > "$dir/paced"
    rm -f "$dir"/callgrind.out.*
    callgrind_control -d "$nginx_pid" > "$dir/control" 2>&1
    wait_for 10 eval 'grep -qs ^totals: "$dir"/callgrind.out.*' \
        || die "valgrind does not count: $(cat "$dir/control")"
    sed -n 's/^totals: //p' "$dir"/callgrind.out.*
}

part_instructions() {
    local where

    start "$dir/nginx.out" valgrind --tool=callgrind \
        --callgrind-out-file="$dir/callgrind.out" \
        "$NGINX" -p "$dir" -e "$dir/logs/error.log" -c "$dir/nginx.conf" \
        -g 'daemon off; master_process off;'
    nginx_pid=$!
    wait_for 60 nginx_ready \
        || die "nginx under valgrind: $(tail -n 5 "$dir/nginx.out")"

    for where in base ocsp; do
        instructions "get-$where" "/$where$path"
        instructions "post-$where" "/$where" $type "$dir/plain.req"
    done

    nginx_stop
}


# how full the zone is: statuses, room for them, given up, answers, room
usage() {
    curl -s "$base/probe" | sed -n '/^zone/s/[^0-9]\+/ /gp'
}

known() {
    usage | awk '{ print $1 }'
}

all_known() {
    [ "$(known)" -ge "$serials" ]
}

# octets of the zone that the worker has touched
touched() {
    awk '/^RssShmem/ { print $2 * 1024 }' "/proc/$(nginx_workers)/status"
}

# p99 NAME: of answers about a known one, at a pace that leaves time
p99() {
    taskset -c 1 t/bench/paced.py "$port" /ocsp $type "$dir/plain.req" \
        $ocsp_rate "$seconds" >> "$dir/$1.p99"
}

# a node that starts beside a Redis with many certificates
part_fill() {
    local pid begun

    t/tools/load_statuses.py --port "$redis_port" --authority bench \
        --count "$serials" > "$dir/statuses"

    begun=$(date +%s%N)
    nginx_start "$dir/nginx.conf"
    p99 fill &
    pid=$!
    wait_for 300 all_known || die "the zone has $(known) of $serials"
    filled=$(awk -v t=$(($(date +%s%N) - begun)) \
             'BEGIN { printf "%.1f", t / 1e9 }')
    wait $pid
    p99 full
    status_octets=$((($(touched) - empty) / serials))
    part_answers
    nginx_stop
}

# more of them asked for than there is room for answers
part_answers() {
    local before room

    before=$(touched)
    room=$(usage | awk '{ print $5 }')
    t/tools/load_statuses.py --list 0 $((room * 2 < serials ? room * 2
                                                            : serials)) \
        | t/load/bodies.py "$dir/bench.pem" > "$dir/bodies"
    load answers $connections $((room / 5000 + 1)) t/load/answers.lua \
        "$base/ocsp" -- "$dir/bodies"
    used=$(usage)
    read -r _ _ _ answers _ <<< "$used"
    answer_octets=$((answers > 0 ? ($(touched) - before) / answers : 0))
}


# compared NAME TEXT TEXT OTHER: a row, and one of what it is compared with
compared() {
    local rate other

    rate=$(median "$dir/$1.rate")
    other=$(median "$dir/$4.rate")
    row "$2" "$rate" "$(median "$dir/$1.p99")" 1
    row "  $3" "$other" "$(median "$dir/$4.p99")" "$(ratio "$rate" "$other")"
}

# worker_row NAME TEXT
worker_row() {
    local ocsp other

    ocsp=$(median "$dir/$1-ocsp.cpu")
    other=$(median "$dir/$1-base.cpu")
    row "  $2" "$ocsp" "$other" "$(ratio "$ocsp" "$other")"
}

# of a signature and what costs nothing
nonce_row() {
    local nonce limit

    nonce=$(median "$dir/nonce.cpu")
    limit=$(awk -v c="$(median "$dir/post-base.cpu")" \
                -v s="$(median "$dir/ecdsap256.sign")" \
            'BEGIN { printf "%.2f", c + 1e6 / s }')
    row "  POST, nonce, and the limit" "$nonce" "$limit" \
        "$(ratio "$nonce" "$limit")"
}

# instructions_row NAME TEXT
instructions_row() {
    local ocsp other

    ocsp=$(cat "$dir/$1-ocsp.instructions")
    other=$(cat "$dir/$1-base.instructions")
    row "  $2" "$ocsp" "$other" $((ocsp - other))
}

report() {
    local same="nginx \"return 200\", $size octets"
    local get post nonce sign limit

    sign=$(median "$dir/ecdsap256.sign")
    nonce=$(median "$dir/nonce.rate")
    post=$(median "$dir/post-base.rate")
    limit=$(awk -v s="$sign" -v r="$post" \
            'BEGIN { printf "%.0f", 1 / (1 / s + 1 / r) }')

    row "one worker, medians of $rounds rounds" "a second" "p99 ms" "ratio"
    compared get-ocsp "OCSP, GET, cached" "$same" get-base
    compared post-ocsp "OCSP, POST, cached" "$same" post-base
    compared close-ocsp "OCSP, POST, cached, a connection each" "$same" \
        close-base
    row "OCSP, POST, nonce, signed (P-256)" "$nonce" \
        "$(median "$dir/nonce.p99")" 1
    row "  openssl speed ecdsap256, sign" "$sign" - "$(ratio "$nonce" "$sign")"
    row "  limit: \"return 200\" and one signature" "$limit" - \
        "$(ratio "$nonce" "$limit")"

    row "the worker's CPU, us a request" "OCSP" "return 200" "ratio"
    worker_row get "GET"
    worker_row post "POST"
    worker_row close "POST, a connection each"
    nonce_row

    row "instructions a request (callgrind)" "OCSP" "return 200" "above"
    instructions_row get "GET"
    instructions_row post "POST"

    row "Redis commands in $seconds s" "hits" "idle" "more"
    row "  $hits cached answers" "$commands" "$idle" $((commands - idle))

    row "a zone of $zone" "there" "room" "octets"
    # shellcheck disable=SC2086
    set -- $used
    row "  statuses" "$1" "$2" "$status_octets"
    row "  answers" "$4" "$5" "$answer_octets"
    row "statuses from Redis when nginx starts" "seconds" "p99 ms" "ratio"
    row "  $serials, and OCSP meanwhile" "$filled" "$(cat "$dir/fill.p99")" \
        "$(ratio "$(cat "$dir/fill.p99")" "$(cat "$dir/full.p99")")"

    echo "bench: OCSP, of \"return 200\": GET" \
         "$(ratio "$(median "$dir/get-ocsp.rate")" \
                  "$(median "$dir/get-base.rate")"), POST" \
         "$(ratio "$(median "$dir/post-ocsp.rate")" "$post")," \
         "new connections" \
         "$(ratio "$(median "$dir/close-ocsp.rate")" \
                  "$(median "$dir/close-base.rate")");" \
         "instructions above it" \
         "$(($(cat "$dir/get-ocsp.instructions") \
             - $(cat "$dir/get-base.instructions"))) and" \
         "$(($(cat "$dir/post-ocsp.instructions") \
             - $(cat "$dir/post-base.instructions"))); with nonces" \
         "$nonce/s ($(ratio "$nonce" "$sign") of openssl speed," \
         "$(ratio "$nonce" "$limit") of the limit)"
}


busy
redis_start
bench_conf ""
nginx_start "$dir/nginx.conf"
prepare

worker=$(nginx_workers)
bench_conf "$(printf '%*s' "$size" '' | tr ' ' x)"
kill -HUP "$nginx_pid"
wait_gone "$worker" 20 || die "no reload"
nginx_ready || die "nginx is not ready after a reload"
worker=$(nginx_workers)

for ((round = 1; round <= rounds; round++)); do
    speed ecdsap256
    pair get "$path"
    pair post
    pair close
    measure nonce t/bench/random.lua "$base/ocsp" -- "$dir/nonce.req"
done

redis_commands
empty=$(touched)
nginx_stop
part_instructions

part_fill

grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" \
    && die "there are alerts in the log"

mkdir -p "$BUILD/bench"
report | tee "$BUILD/bench/ocsp.txt"
