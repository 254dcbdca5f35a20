#!/bin/bash
#
# What CRLs must hold with COUNT revoked certificates, 128 shards and a full
# list, in a worker that answers OCSP requests all the time:
#
#   build    the first CRLs of all, a stream of revocations, full builds
#   slow     100 clients that take their time for a CRL of 5 MB
#
#     [COUNT=1000000] [KEY=ec:P-256] t/load/crl.sh [build|slow ...]
#
# Starts its own Redis (appendonly, appendfsync always), nginx with one worker,
# and one that does nothing.  Needs the right to real-time priorities to tell
# the machine's delays from the worker's, else both count.  The last line is
# "N passed, N failed", and the figures.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/load/lib.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"
[ "$(nproc)" -ge 2 ] || die "needs two CPUs"

count=${COUNT:-1000000}
key=${KEY:-ec:P-256}
shards=128
rate=10                                 # revocations a second
seconds=$((count >= 1000000 ? 30 : 10)) # of the stream, and idle
fulls=$((count >= 1000000 ? 3 : 2))
slow_count=100000                       # 5 MB
slow_clients=100
figures=

parts=("$@")
[ $# -gt 0 ] || parts=(build slow)

export PYTHONDONTWRITEBYTECODE=1

new_dir
redis_port=$(free_port)
port=$(free_port)
control_port=$(free_port)
base=http://127.0.0.1:$port
LOG_LEVEL=warn                          # a busy disk holds up who logs
WORKER_CPU=01

# conf NAME: an authority
conf() {
    http_conf 1 "$dir/nginx.conf" <<END
    pki_zone zone=pki:160m;
    keepalive_requests 100000000;

    pki_authority $1 {
        subject     "CN=Load CA";
        key         file:$dir/$1.key;
        certificate $dir/$1.pem;
        create      $key validity=1y;
        base_url    $base;
    }

    server {
        listen 127.0.0.1:$port;
        ${2:-}

        location /ocsp { ocsp_responder $1; }
        location = /crl/$1.crl { crl $1; }
        location ~ ^/crl/$1-(?<shard>[0-9a-f]+)\.crl$ { crl $1 shard=\$shard; }

        location /m/ {
            certificate_master $1;
            certificate_master_user load;
            certificate_master_roles admin;
        }

        location = /probe { pki_probe; }
    }
END
}

# the same CPU as the worker, before it
control_start() {
    local first='' cpu=1

    if chrt -f 1 true 2> /dev/null; then
        first='chrt -f 1' cpu=0
    fi

    mkdir -p "$dir/control/logs"
    cat > "$dir/control/nginx.conf" <<END
$([ "$(id -u)" != 0 ] || echo "user root;")
pid $dir/control/nginx.pid;
error_log $dir/control/logs/error.log;
events {}
http {
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path $dir/control/body;
    proxy_temp_path       $dir/control/proxy;
    fastcgi_temp_path     $dir/control/fastcgi;
    uwsgi_temp_path       $dir/control/uwsgi;
    scgi_temp_path        $dir/control/scgi;

    server {
        listen 127.0.0.1:$control_port;
        return 200 "nothing";
    }
}
END
    # shellcheck disable=SC2086
    start "$dir/control.out" $first taskset -c $cpu "$NGINX" \
        -p "$dir/control" -e "$dir/control/logs/error.log" \
        -c "$dir/control/nginx.conf" -g 'daemon off;'
    wait_for 10 answers "$control_port" || die "$(cat "$dir/control.out")"
}

# statuses ARGUMENT...: loads them, without waiting for the disk
statuses() {
    redis config set appendfsync no > "$dir/config"
    t/tools/load_statuses.py --port "$redis_port" "$@"
    redis config set appendfsync always > "$dir/config"
}

# worker_start: in $worker; does not wait until it is ready
worker_start() {
    mkdir -p "$dir/logs"
    start "$dir/nginx.out" "$NGINX" -p "$dir" -e "$dir/logs/error.log" \
        -c "$dir/nginx.conf" -g 'daemon off;'
    nginx_pid=$!
    wait_for 10 answers "$port" || die "$(cat "$dir/nginx.out")"
    worker=$(nginx_workers)
}

# memory NAME: VmRSS or VmHWM of the worker, in MB
memory() {
    awk -v name="$1:" '$1 == name { printf "%d", $2 / 1024 }' \
        "/proc/$worker/status"
}

# cpu: seconds that the worker has computed
cpu() {
    awk '{ printf "%.3f", $1 / 1e9 }' "/proc/$worker/schedstat"
}

now() {
    date +%s.%N
}

# value NAME KEY...: of a report, "-" if there is none
value() {
    local name=$1

    shift
    if [ -s "$dir/$name" ]; then
        json "$dir/$name" "$@"
    else
        echo -
    fi
}

# calculate EXPRESSION
calculate() {
    awk "BEGIN { printf \"%.3f\", $1 }"
}

# at_most LIMIT NAME KEY...: a value of a report
at_most() {
    local limit=$1 name=$2 found

    shift 2
    found=$(value "$name" "$@")
    awk -v f="${found:-x}" -v l="$limit" \
        'BEGIN { exit !(f ~ /^[0-9]/ && f + 0 <= l) }' \
        || { echo "# $name $*: ${found:-nothing}, not $limit"; return 1; }
}


# stalls

line() {
    printf '%-36s %8s %7s %7s %7s %6s %8s %6s %8s\n' "$@"
}

# no_stall NAME
no_stall() {
    at_most 5 "$1" own_max || { echo "# $(value "$1" worst)"; return 1; }
}

# stalls_start NAME, then stalls_stop TEXT
stalls_start() {
    stalls=$1
    start "$dir/$1" taskset -c 1 t/load/stalls.py "$dir/load.pem" "$good" \
        "$port" "$worker" "$control_port"
    stalls_pid=$!
}

stalls_stop() {
    stop "$stalls_pid" TERM
    json "$dir/$stalls" answers > "$dir/answers" 2>&1 \
        || die "$stalls: $(cat "$dir/$stalls")"
    line "$1" "$(cat "$dir/answers")" "$(json "$dir/$stalls" p50)" \
        "$(json "$dir/$stalls" p99)" "$(json "$dir/$stalls" max)" \
        "$(json "$dir/$stalls" late)" "$(json "$dir/$stalls" own_max)" \
        "$(json "$dir/$stalls" own_late)" \
        "$(json "$dir/$stalls" control max)" >> "$dir/table"
}


# published: whether there is a full CRL, and one of each shard
published() {
    local name found

    found=$(for name in 0 $(printf 'shard-%02x ' $(seq 0 $((shards - 1)))); do
                echo "HEXISTS pki:{load}:crl:$name number"
            done | redis | grep -c '^1$' || true)
    [ "$found" = $((shards + 1)) ]
}

# all_read: whether the zone has all statuses
all_read() {
    local found

    found=$(curl -s "$base/probe" \
            | sed -n 's/^zone[^0-9]*\([0-9]*\) of.*/\1/p')
    [ "${found:-0}" -ge "$count" ]
}

first_builds() {
    local begun

    begun=$(now)
    stalls_start first
    test_that "first: all CRLs are published" wait_for 300 published
    published_after=$(calculate "$(now) - $begun")
    sleep 1
    stalls_stop "first builds, $shards shards and full"
    wait_for 20 nginx_ready || die "$(curl -s "$base/probe")"
    wait_for 300 all_read || die "the statuses are not read"
    memory_built=$(memory VmRSS)
}

# complete COUNT: the full CRL has so many entries
complete() {
    read -r size entries <<< "$(t/load/crl_count.py "$port" /crl/load.crl)"
    [ "$entries" = "$1" ] || { echo "# $entries entries, not $1"; return 1; }
}

# what the worker computes for other things is in $idle, of a CPU
at_rest() {
    local before begun

    stalls_start idle
    before=$(cpu)
    begun=$(now)
    sleep $((seconds / 2))
    idle=$(calculate "($(cpu) - $before) / ($(now) - $begun)")
    stalls_stop 'no builds'
}

# revoke NAME RATE SECONDS: so many more of those that are good
revoke() {
    tail -n "+$((revoked + 2))" "$dir/good" \
        | taskset -c 1 t/load/crl_revoke.py "$port" "$2" "$3" /m \
            "/crl/load-%s.crl" > "$dir/$1"
    revoked=$((revoked + $2 * $3))
}

stream() {
    stalls_start stream
    test_that "stream: $rate revocations a second for $seconds s" \
        revoke revoked $rate "$seconds"
    stalls_stop "$rate revocations a second"
    test_that "stream: each is on its shard's CRL within 2 s" \
        at_most 2000 revoked max
}

# up_to_date: whether the full CRL has the last revocation
up_to_date() {
    local serial version seq

    serial=$(sed -n "$((revoked + 1))p" "$dir/good")
    version=$(redis hget "pki:{load}:cert:$serial" version)
    seq=$(redis hget 'pki:{load}:crl:0' seq)
    [ "$seq" -ge "$version" ]
}

# full NUMBER: a full CRL for the sake of one revocation
full() {
    taskset -c 1 t/load/crl_full.py "$redis_port" load "$worker" "$idle" \
        > "$dir/full$1" &
    revoke one 1 1
    wait $!
}

full_builds() {
    local n

    stalls_start full

    for n in $(seq "$fulls"); do
        wait_for 60 up_to_date || die "the full CRL is not published"
        test_that "full: published, the ${n}. time" full "$n"
        test_that "full: within 1 s of computing" at_most 1 "full$n" cpu
    done

    stalls_stop "$fulls full builds"
}

part_build() {
    local name

    conf load "crl_shards $shards;"
    statuses --authority load --shards $shards --count "$count" --revoked 1
    statuses --authority load --shards $shards --count 2000 --seed good
    t/tools/load_statuses.py --shards $shards --seed good --list 0 2000 \
        > "$dir/good"
    good=$(head -n 1 "$dir/good")
    revoked=0
    : > "$dir/table"

    control_start
    worker_start
    memory_before=$(memory VmRSS)
    wait_for 20 [ -s "$dir/load.pem" ] || die "there is no certificate"

    first_builds
    at_rest
    stream
    full_builds
    test_that "full: it has all that are revoked" \
        complete $((count + revoked))

    for name in first idle stream full; do
        test_that "$name: no stall above 5 ms" no_stall $name
    done

    peak=$(memory VmHWM)
    redis_memory=$(redis info memory | tr -d '\r' \
                   | sed -n 's/^used_memory_human://p')
    nginx_stop
    test_that "build: no alert in the log, nothing left open" log_clean 0

    echo
    line 'OCSP answers, milliseconds' number p50 p99 max '> 5' own_max '> 5' \
        control
    cat "$dir/table"
    echo
    echo "worker: $memory_before MB before, $memory_built MB with all CRLs," \
        "$peak MB at most; redis: $redis_memory"
    echo

    figures="$figures; $count revoked, $key: all CRLs after $published_after s$(
        ), a revocation on its CRL after $(value revoked p50), $(
        value revoked max) ms (p50, max), full CRL of$(
        ) $((size / 1000000)) MB $(value full1 cpu) s of computing, $(
        value full1 wall) s in all, longest stall $(value full own_max) ms"
}


slow() {
    t/load/slow.py "$port" /crl/slow.crl "$worker" $slow_clients 5 \
        > "$dir/slow"
}

part_slow() {
    conf slow
    statuses --authority slow --count $slow_count --revoked 1
    worker_start
    wait_for 60 curl -sfo "$dir/slow.crl" "$base/crl/slow.crl" \
        || die "there is no CRL: $(curl -s "$base/probe")"
    sleep 3
    test_that "slow: $slow_clients clients of a CRL of$(
        ) $(($(stat -c %s "$dir/slow.crl") / 1000)) kB" slow
    test_that "slow: all of them are still served" \
        [ "$(value slow served)" = $slow_clients ]
    test_that "slow: 64 kB a client at most" \
        at_most $((64 * slow_clients)) slow growth
    nginx_stop
    test_that "slow: no alert in the log, nothing left open" log_clean 0

    figures="$figures; $slow_clients slow clients of a CRL of $(
        value slow size) octets: $(value slow growth) kB more"
}


redis_start

for part in "${parts[@]}"; do
    case "$part" in
        build|slow) "part_$part" ;;
        *) die "unknown part \"$part\"" ;;
    esac
done

echo "$passed passed, $failed failed${figures}"
[ "$failed" = 0 ]
