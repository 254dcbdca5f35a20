#!/bin/bash
#
# Many enrolments at the same time, undisturbed, with a worker and with Redis
# killed meanwhile, and with reloads:
#
#     [COUNT=10000] [CLIENTS=64] t/tools/load-test.sh [load|kill|reload ...]
#
# Starts its own Redis (appendonly, appendfsync always) and nginx with two
# workers.  The last line is "N passed, N failed".

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/load/lib.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"
build_tools

count=${COUNT:-10000}
clients=${CLIENTS:-64}

parts=("$@")
[ $# -gt 0 ] || parts=(load kill reload)

new_dir
redis_port=$(free_port)
port=$(free_port)
base=http://127.0.0.1:$port
(umask 077; openssl rand -hex 12 > "$dir/challenge")

http_conf 2 "$dir/nginx.conf" <<END
    pki_authority load {
        subject     "CN=Load CA";
        key         file:$dir/ca.key;
        certificate $dir/ca.pem;
        create      rsa:2048 validity=1y;
        base_url    $base;
    }

    server {
        listen 127.0.0.1:$port;

        location /scep {
            scep load;
            scep_challenge static $dir/challenge;
        }

        location /ocsp { ocsp_responder load; }
        location = /ca/load.cer { pki_certificate load; }
        location = /probe { pki_probe; }
    }
END


# is NAME KEY... VALUE: a value of the report
is() {
    local name=$1 value=${*: -1} found

    shift
    found=$(json "$dir/$name.json" "${@:1:$#-1}")
    [ "$found" = "$value" ] || { echo "# $*: found $found"; return 1; }
}

# load NAME COUNT OPTION...: the report is in $dir/NAME.json
load() {
    local name=$1 n=$2

    shift 2
    "$BUILD/scep-load" -u "$base/scep" -a "$dir/load.pem" \
        -p "$dir/challenge" -n "$n" -c "$clients" --json \
        --out "$dir/$name.serials" --deadline 300 "$@" \
        > "$dir/$name.json" 2> "$dir/$name.err" || true
    [ -s "$dir/$name.json" ] || die "scep-load: $(cat "$dir/$name.err")"
}

issued() {
    redis zcard 'pki:{load}:issued'
}

# records NAME COUNT: how many of the certificates have a good record
records() {
    local found

    found=$(awk '{ print "HGET pki:{load}:cert:" $2 " status" }' \
            "$dir/$1.serials" | redis | grep -c '^"*good"*$' || true)
    [ "$found" = "$2" ] || { echo "# $found of $2 have one"; return 1; }
}

# ocsp_good NAME: a sample of 500, five at a time
ocsp_good() {
    local sample good

    shuf -n 500 "$dir/$1.serials" > "$dir/$1.sample"
    sample=$(wc -l < "$dir/$1.sample")
    good=$(awk '{ print "-serial\n0x" $2 }' "$dir/$1.sample" \
           | xargs -n 10 openssl ocsp -issuer "$dir/load.pem" \
                 -CAfile "$dir/load.pem" -url "$base/ocsp" 2> "$dir/$1.ocsp" \
           | grep -c ': good$' || true)
    [ "$good" = "$sample" ] || { echo "# $good of $sample"; return 1; }
    [ "$(grep -c 'Response verify OK' "$dir/$1.ocsp")" \
        = $(((sample + 4) / 5)) ]
}

log_size() {
    stat -c %s "$dir/logs/error.log"
}

# complete NAME COUNT BEFORE: everybody has a certificate, and only one
complete() {
    test_that "$1: $2 enrolments end in a certificate" is "$1" send success "$2"
    test_that "$1: no wrong answer" is "$1" bad 0
    test_that "$1: all serial numbers differ" is "$1" distinct "$2"
    test_that "$1: each certificate has its record, good" records "$1" "$2"
    test_that "$1: the transactions sent again get the same certificate" \
        is "$1" same "$2"
    test_that "$1: one certificate a transaction" \
        [ "$(($(issued) - $3))" = "$2" ]
}

undisturbed() {
    local key

    for key in failure pending other disconnected timed_out retries; do
        is "$1" send $key 0
    done
}

part_load() {
    local before from

    before=$(issued)
    from=$(log_size)
    load load "$count" --resend
    complete load "$count" "$before"
    test_that "load: no request failed" undisturbed load
    test_that "load: OCSP says good of a sample" ocsp_good load
    test_that "load: no alert in the log" log_clean "$from"
}

kill_worker() {
    kill -9 "$(nginx_workers | head -n 1)"
}

kill_redis() {
    stop "$redis_pid" KILL
    sleep 1
    redis_start
}

# disturb NAME FUNCTION: calls it twice during a load with retries
disturb() {
    local n before from pid

    n=$((count / 2))
    before=$(issued)
    from=$(log_size)

    load "$1" $n --retry 100 --resend --rate $((n / 8 + 1)) &
    pid=$!
    wait_for 60 more_than "$before"
    sleep 2
    "$2"
    sleep 2
    "$2"
    wait $pid

    # while Redis is away for a second its commands wait: nobody need notice

    [ "$1" = redis-killed ] || test_that "$1: the load felt it" felt "$1"

    complete "$1" $n "$before"
    test_that "$1: OCSP says good of a sample" ocsp_good "$1"
    test_that "$1: no other alert in the log" log_clean "$from" \
        'exited on signal 9'
}

# felt NAME: connections broke or requests were retried, in either pass
felt() {
    local pass key sum=0

    for pass in send resend; do
        for key in stale disconnected retries; do
            sum=$((sum + $(json "$dir/$1.json" $pass $key)))
        done
    done

    [ $sum -gt 0 ]
}

more_than() {
    [ "$(issued)" -gt "$1" ]
}

part_kill() {
    disturb worker-killed kill_worker
    disturb redis-killed kill_redis
}

all_gone() {
    local pid

    for pid in $1; do
        gone "$pid" || return 1
    done
}

# reload NAME OPTION...
reload() {
    local name=$1 n before from pid old

    shift
    n=$((count < 3000 ? count : 3000))
    before=$(issued)
    from=$(log_size)

    load "$name" $n --rate $((n / 8 + 1)) --resend "$@" &
    pid=$!
    wait_for 60 more_than "$before"

    old=
    for _ in 1 2 3; do
        sleep 1.5
        old="$old $(nginx_workers)"
        kill -HUP "$nginx_pid"
    done

    test_that "$name: there were old workers" [ -n "${old// /}" ]
    test_that "$name: old workers are gone within 15 s" \
        wait_for 15 all_gone "$old"
    wait $pid

    complete "$name" $n "$before"
    test_that "$name: no request failed" undisturbed "$name"
    test_that "$name: no alert, no open socket" log_clean "$from"
}

part_reload() {
    reload reload
    reload reload-close --close
}


redis_start
nginx_start "$dir/nginx.conf"
curl -fsS "$base/ca/load.cer" | openssl x509 -inform DER -out "$dir/load.pem"

for part in "${parts[@]}"; do
    case "$part" in
        load|kill|reload) "part_$part" ;;
        *) die "unknown part \"$part\"" ;;
    esac
done

nginx_stop
test_that "nginx stops clean" log_clean 0 'exited on signal 9'
test_that "no secret in the log" \
    eval '! grep -qF -- "$(cat "$dir/challenge")" "$dir/logs/error.log"'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
