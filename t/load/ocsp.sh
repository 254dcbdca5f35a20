#!/bin/bash
#
# What OCSP must hold under load, for as long as COUNT says:
#
#   revoke   COUNT revocations, from the return of the call to the last worker
#            of two nodes that answers "revoked"; and never again "good",
#            through reloads, killed workers, Redis restarts, a trimmed log
#   flood    random serial numbers, as many as the machine can offer
#   renew    the life of delegates, compressed by a short validity
#
#     [COUNT=1000] t/load/ocsp.sh [revoke|flood|renew ...]
#
# Starts its own Redis (appendonly, appendfsync always) and nginx.  The last
# line is "N passed, N failed", and the figures, which are not judged.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/bench/lib.sh
. t/load/lib.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"
[ "$(nproc)" -ge 2 ] || die "needs two CPUs"

count=${COUNT:-1000}
more=$((count / 10 + 20))               # of revocations, while all is restarted
seconds=$((count >= 1000 ? 10 : 3))     # of a flood
renewals=$((count >= 1000 ? 24 : 3))
pause=20                                # milliseconds, of the load's clients
bound=1000                              # lookups a second, worker, authority
type=application/ocsp-request
figures=

parts=("$@")
[ $# -gt 0 ] || parts=(revoke flood renew)

export PYTHONDONTWRITEBYTECODE=1

new_dir
redis_port=$(free_port)
LOG_LEVEL=warn

# node NAME WORKERS [DIRECTIVE]: an nginx with its directory $dir/NAME, which
# shares the authority with the others
node() {
    local port

    port=$(free_port)
    mkdir -p "$dir/$1"
    dir=$dir/$1 node_conf "$port" "$2" "${3:-}" "$dir"
    base=http://127.0.0.1:$port
    dir=$dir/$1 nginx_start "$dir/$1/nginx.conf"
    eval "$1_port=$port $1_pid=$nginx_pid $1_node=$port:$nginx_pid"
}

# node_conf PORT WORKERS DIRECTIVE CA
node_conf() {
    http_conf "$2" "$dir/nginx.conf" <<END
    keepalive_requests 100000000;

    pki_authority load {
        subject     "CN=Load CA";
        key         file:$4/ca.key;
        certificate $4/ca.pem;
        create      ec:P-256 validity=1y;
    }

    server {
        listen 127.0.0.1:$1;

        location /ocsp {
            ocsp_responder load;
            add_header X-Pid \$pid always;
            $3
        }

        location = /enroll { enroll load; enroll_auth none insecure; }

        location /m/ {
            certificate_master load;
            certificate_master_user load;
            certificate_master_roles admin;
        }

        location = /probe { pki_probe; }
    }
END
}

node_stop() {
    eval "stop \$$1_pid QUIT"
    test_that "$1: no alert in the log, nothing left open" clean_node "$1"
}

clean_node() {
    local dir=$dir/$1

    log_clean 0 'exited on signal 9'
}

# enrol NAME PORT COUNT: new serial numbers into $dir/NAME, and requests about
# them into $dir/NAME.bodies
enrol() {
    t/tools/csr_many.py "$3" "$1" > "$dir/$1.pem"
    t/load/enrol.py "$2" /enroll "$dir/$1.pem" > "$dir/$1"
    t/load/bodies.py "$dir/ca.pem" < "$dir/$1" > "$dir/$1.bodies"
}

# clients NAME BODIES SECONDS PORT: many at leisure, in the background
clients() {
    start "$dir/$1" wrk -t 1 -c 64 -d "$3s" -s t/load/answers.lua \
        "http://127.0.0.1:$4/ocsp" -- "$dir/$2.bodies" $pause
}

# answered NAME: how many there were, and how many of them were wrong
answered() {
    sed -n 's/^answers: \([0-9]*\) failed: \([0-9]*\)$/\1 \2/p' "$dir/$1"
}

# is_zero NAME KEY: a value of a report
is_zero() {
    local found

    [ -s "$dir/$1" ] || { echo "# no report"; return 1; }
    found=$(json "$dir/$1" "$2")
    [ "${found:-0}" = 0 ] || { sed 's/^/# /' "$dir/$1"; return 1; }
}


# revocations

revoke() {
    t/load/revoke.py "$@" /m "$one_node" "$two_node"
}

kill_worker() {
    kill -9 "$(nginx_pid=$1; nginx_workers | head -n 1)"
}

# kill_redis SIGNAL
kill_redis() {
    stop "$redis_pid" "$1"
    sleep 0.5
    redis_start
}

# without its past a log cannot be followed
trim() {
    redis xtrim 'pki:{load}:log' MAXLEN 0 > "$dir/trim"
}

# for 10 s; the log is trimmed while nobody can follow it, too
disturb() {
    sleep 1
    kill -HUP "$one_pid" "$two_pid"
    sleep 1
    kill_worker "$two_pid"
    sleep 1
    trim
    sleep 1
    kill_redis TERM
    sleep 1
    kill_worker "$one_pid"
    kill_redis KILL
    trim
    sleep 2
    kill -HUP "$two_pid"
    sleep 1
}

# from the first of them on, and hundreds of times
watched() {
    [ "$(json "$dir/watched" revoked)" -gt 500 ] || { cat "$dir/watched"
                                                      return 1; }
}

all_revoked() {
    t/load/watch.py "$dir/ca.pem" "$dir/revoked" once "$one_node" \
        "$two_node" > "$dir/once"
    [ "$(json "$dir/once" revoked)" = $((4 * (count + more))) ] \
        || { cat "$dir/once"; return 1; }
}

part_revoke() {
    local watch load pid name

    node one 2
    node two 2
    enrol serials "$one_port" "$count"
    enrol more "$two_port" $more
    cat "$dir/serials.bodies" "$dir/more.bodies" > "$dir/all.bodies"
    : > "$dir/revoked"

    start "$dir/watched" t/load/watch.py "$dir/ca.pem" "$dir/revoked" 50 \
        "$one_node" "$two_node"
    watch=$!
    clients load-one all 3600 "$one_port"
    load=$!
    clients load-two all 3600 "$two_port"
    load="$load $!"
    sleep 1

    revoke "$dir/ca.pem" "$dir/serials" "$dir/revoked" > "$dir/revoke" &
    test_that "revoke: $count, all workers of both nodes say so" wait $!
    revoke --over=10 "$dir/ca.pem" "$dir/more" "$dir/revoked" \
        > "$dir/disturbed" &
    pid=$!
    disturb
    test_that "disturbed: $more more, all workers of both nodes say so" \
        wait $pid

    stop $watch TERM

    for name in revoke disturbed; do
        test_that "$name: who said \"revoked\" never said \"good\" again" \
            is_zero $name good_again
    done

    test_that "watch: all the time they were revoked" watched
    test_that "watch: nobody ever said \"good\" again" is_zero watched good
    test_that "revoke: in the end all of them are revoked" all_revoked

    for pid in $load; do
        stop "$pid" INT
    done

    node_stop one
    node_stop two
    [ $failed = 0 ] || return 0

    figures="$figures; revoked everywhere after $(
        json "$dir/revoke" p50), $(json "$dir/revoke" p99), $(
        json "$dir/revoke" max) ms (p50, p99, max), $(
        json "$dir/disturbed" max) ms while disturbed"
}


# a flood of serial numbers that nobody has

lookups() {
    redis info commandstats | tr -d '\r' \
        | sed -n 's/^cmdstat_evalsha:calls=\([0-9]*\).*/\1/p'
}

statuses() {
    curl -s "$base/probe" | sed -n 's/^zone[^0-9]*\([0-9]*\) of.*/\1/p'
}

# known NAME: the p99 of answers about a known one
known() {
    taskset -c 1 t/bench/paced.py "$flood_port" /ocsp $type \
        "$dir/known.req" 200 "$seconds" > "$dir/$1.known"
}

# flood NAME SCRIPT [ARGUMENT...]: as much as a client on CPU 1 can, and the
# known one meanwhile
flood() {
    local name=$1 script=$2 pid

    shift 2
    load "$name" 64 $((seconds + 2)) "$script" \
        "http://127.0.0.1:$flood_port/ocsp" "$@" &
    pid=$!
    sleep 1
    test_that "flood: $name: known ones are answered" known "$name"
    wait $pid
}

# bounded COUNT MILLISECONDS: so many at once and in each second, and a few
# scripts that do not look up
bounded() {
    [ "$1" -le $((bound + (bound + 10) * $2 / 1000)) ] \
        || { echo "# $1 in $2 ms"; return 1; }
}

not_grown() {
    [ "${2:-0}" -gt 0 ] && [ "$1" -ge "$2" ] \
        || { echo "# $1 statuses, then $2"; return 1; }
}

part_flood() {
    local before begun asked taken watch room

    WORKER_CPU=01 node flood 1
    enrol known "$flood_port" 1
    openssl ocsp -issuer "$dir/ca.pem" -serial "0x$(cat "$dir/known")" \
        -no_nonce -reqout "$dir/known.req"
    post_lua "$dir/known.req" $type > "$dir/good.lua"

    for _ in $(seq 100); do
        echo "40$(openssl rand -hex 15)"
    done > "$dir/strangers"

    flood good "$dir/good.lua"

    start "$dir/asked" t/load/watch.py "$dir/ca.pem" "$dir/strangers" 50 \
        "$flood_node"
    watch=$!
    room=$(statuses)
    before=$(lookups)
    begun=$(date +%s%3N)
    flood random t/bench/random.lua -- "$dir/known.req"
    asked=$(($(lookups) - before))
    taken=$(($(date +%s%3N) - begun))
    test_that "flood: redis is asked $bound times a second at most" \
        bounded $asked $taken
    test_that "flood: the zone does not grow" not_grown "$room" "$(statuses)"
    stop $watch TERM
    test_that "flood: no stranger is good" is_zero asked good
    node_stop flood
    [ $failed = 0 ] || return 0

    figures="$figures; $(median "$dir/random.rate") random serials/s, of which$(
        ) redis was asked about $((asked * 1000 / taken))/s, known ones p99 $(
        cat "$dir/random.known") ms ($(ratio "$(cat "$dir/random.known")" \
            "$(cat "$dir/good.known")") of as many good ones)"
}


# renewals

renewed() {
    [ -s "$dir/verified" ] \
        && [ "$(json "$dir/verified" signers)" -gt $renewals ] \
        || { cat "$dir/verified"; return 1; }
}

no_failed_answer() {
    local n bad

    read -r n bad <<< "$(answered load-renew)"
    [ "${n:-0}" -gt 0 ] && [ "$bad" = 0 ] \
        || { cat "$dir/load-renew"; return 1; }
}

part_renew() {
    local last=$((renewals * 3 + 4))

    node renew 2 'ocsp_signer auto validity=5s;'
    enrol renewal "$renew_port" 20
    clients load-renew renewal $last "$renew_port"

    t/load/verify.py "$dir/ca.pem" "$(head -n 1 "$dir/renewal")" 200 \
        $((last - 2)) "$renew_node" > "$dir/verified" &
    test_that "renew: somebody verifies for $((last - 2)) s" wait $!
    test_that "renew: all answers are right" is_zero verified failed
    test_that "renew: at least $renewals renewals" renewed
    wait_for 10 eval '[ -n "$(answered load-renew)" ]' || true
    test_that "renew: no failed answer to others" no_failed_answer
    node_stop renew
    [ $failed = 0 ] || return 0

    figures="$figures; $(json "$dir/verified" signers) delegates, $(
        answered load-renew | cut -d ' ' -f 1) answers"
}


redis_start

for part in "${parts[@]}"; do
    case "$part" in
        revoke|flood|renew) "part_$part" ;;
        *) die "unknown part \"$part\"" ;;
    esac
done

echo "$passed passed, $failed failed${figures}"
[ "$failed" = 0 ]
