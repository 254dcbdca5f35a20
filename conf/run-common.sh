# What run.sh and run-intune.sh have in common: processes that end with them,
# steps, commands that are shown.  The caller has set $run, $url and $name.

redis_pid=
nginx_pid=
azure_pid=

stop() {
    trap - EXIT
    trap '' INT TERM

    [ -z "$nginx_pid" ] || kill -QUIT "$nginx_pid" 2>/dev/null || true
    [ -z "$nginx_pid" ] || wait "$nginx_pid" 2>/dev/null || true
    [ -z "$redis_pid" ] || kill -TERM "$redis_pid" 2>/dev/null || true
    [ -z "$redis_pid" ] || wait "$redis_pid" 2>/dev/null || true
    [ -z "$azure_pid" ] || kill -TERM "$azure_pid" 2>/dev/null || true
    [ -z "$azure_pid" ] || wait "$azure_pid" 2>/dev/null || true
}

finish() {
    stop
    echo
    echo "$name: $*"
    exit 0
}

die() {
    stop
    echo >&2
    echo "$name: FAILED: $*" >&2
    tail -n 5 "$run/logs/error.log" "$run/redis/redis.log" >&2 2>/dev/null \
        || true
    exit 1
}

trap 'die "unexpected end"' EXIT
trap 'finish "stopped; keys, certificates and Redis stay in $run"' INT TERM

step() {
    echo
    echo "--- $*"
}

# prints a command as one would type it, and runs it

show() {
    local word line='$'

    for word; do
        case $word in
            *[!A-Za-z0-9_./:=@%+-]*) line="$line '$word'" ;;
            *)                       line="$line $word" ;;
        esac
    done

    echo "$line"
    "$@" || die "$1 ended with code $?"
}

# waits for a command to succeed, at most $1 seconds

until_ok() {
    local end=$((SECONDS + $1))
    shift

    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

busy() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

probe_ok() {
    kill -0 "$nginx_pid" 2>/dev/null || die "nginx did not start"
    curl -sf -o probe.txt "$url/probe"
}


# a private Redis on port $1, then nginx with configuration file $1

start_redis() {
    mkdir -p "$run/redis"

    setsid redis-server --port "$1" --bind 127.0.0.1 --save '' \
        --appendonly yes --appendfsync always --dir "$run/redis" \
        --logfile "$run/redis/redis.log" > /dev/null &
    redis_pid=$!

    until_ok 10 busy "$1" || die "Redis did not start"
}

start_nginx() {
    local directives="daemon off;"

    [ "$(id -u)" != 0 ] || directives="$directives user $(stat -c '%U %G' .);"

    : > logs/error.log

    setsid "$NGINX" -e logs/error.log -p "$run" -c "$1" -g "$directives" \
        2> logs/start.log &
    nginx_pid=$!

    until_ok 60 probe_ok \
        || die "the authority is not ready: $(cat probe.txt)"
    sed 's/^/    /' probe.txt
}
