# To be sourced at the top of the project by scripts that need a private Redis
# and nginx.  Everything lies in $dir, a new directory below $BUILD; whatever
# was started by start() is stopped at exit, by its own process id, and $dir is
# removed unless the script failed or KEEP is set.

. t/tools/nginx.sh

NGX_PKI_MODULE=$BUILD/ngx_http_pki_module.so

children=()

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

new_dir() {
    mkdir -p "$BUILD/tmp"
    dir=$(mktemp -d "$BUILD/tmp/${0##*/}.XXXXXX")
    # a unix socket's name has room for 107 octets, and workers enter
    chmod 755 "$dir"
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

cleanup() {
    local rc=$? pid

    trap - EXIT
    set +e

    for pid in "${children[@]}"; do
        kill "$pid" 2> /dev/null
    done

    for pid in "${children[@]}"; do
        wait_gone "$pid" 5 || kill -9 "$pid" 2> /dev/null
        wait "$pid" 2> /dev/null
    done

    if [ $rc = 0 ] && [ -z "${KEEP:-}" ]; then
        rm -rf "$dir"
    else
        echo "${0##*/}: logs are kept in ${dir#"$PWD"/}" >&2
    fi

    exit $rc
}

# start LOG COMMAND...: in the background, its process id in $!
start() {
    local log=$1

    shift
    "$@" > "$log" 2>&1 < /dev/null &
    children+=($!)
}

# stop PID SIGNAL: and forgets it
stop() {
    local pid=$1 other=() p

    kill "-$2" "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true

    for p in "${children[@]}"; do
        [ "$p" = "$pid" ] || other+=("$p")
    done

    children=("${other[@]+"${other[@]}"}")
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
    local end=$((SECONDS + $1))

    shift

    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -le $end ] || return 1
        sleep 0.1
    done
}

gone() {
    ! kill -0 "$1" 2> /dev/null
}

wait_gone() {
    wait_for "$2" gone "$1"
}

answers() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

# free_port: one that nobody listens at; above it are few outgoing ones
free_port() {
    local port

    for ((;;)); do
        port=$((20000 + RANDOM % 10000))
        answers $port || break
    done

    echo $port
}

redis_start() {
    mkdir -p "$dir/redis"
    start "$dir/redis.log" ${REDIS_CPU:+taskset -c "$REDIS_CPU"} \
        redis-server --bind 127.0.0.1 --port "$redis_port" \
        --dir "$dir/redis" --save '' --appendonly yes --appendfsync always \
        --daemonize no
    redis_pid=$!
    wait_for 10 redis ping || die "Redis does not start, see $dir/redis.log"
}

redis() {
    redis-cli -h 127.0.0.1 -p "$redis_port" "$@"
}

# nginx_start CONF: a master with workers, in the background
nginx_start() {
    mkdir -p "$dir/logs"
    start "$dir/nginx.out" "$NGINX" -p "$dir" -e "$dir/logs/error.log" \
        -c "$1" -g 'daemon off;'
    nginx_pid=$!
    wait_for 20 ready_or_gone || true
    nginx_ready || die "nginx is not ready: $(cat "$dir/nginx.out")" \
                       "$(curl -s "$base/probe" || true)"
}

ready_or_gone() {
    nginx_ready || gone "$nginx_pid"
}

nginx_ready() {
    [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "$base/probe")" = 200 ]
}

nginx_stop() {
    stop "$nginx_pid" QUIT
}

# the processes whose parent is the master, without those that are quitting
nginx_workers() {
    pgrep -P "$nginx_pid" -f 'worker process$' || true
}

build_tools() {
    local tool=$BUILD/scep-load file

    for file in t/tools/scep-*.[ch]; do
        if [ ! -x "$tool" ] || [ "$file" -nt "$tool" ]; then
            ${CC:-cc} -O2 -g -Wall -Wextra -Werror -o "$tool.new" \
                t/tools/scep-*.c -lcrypto -lpthread
            mv "$tool.new" "$tool"
            break
        fi
    done
}

# json FILE KEY...: a value of it; keys are names or indexes
json() {
    /usr/bin/python3 -c '
import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    if isinstance(value, dict):
        value = value.get(key)
    else:
        value = value[int(key)]
    if value is None:
        break
print("" if value is None
      else str(value).lower() if isinstance(value, bool) else value)' "$@"
}

# http_conf WORKERS FILE < http block: a whole configuration
http_conf() {
    {
        echo "load_module $NGX_PKI_MODULE;"
        [ "$(id -u)" != 0 ] || echo "user root;"
        cat <<END
worker_processes $1;
pid $dir/nginx.pid;
error_log $dir/logs/error.log ${LOG_LEVEL:-info};
${WORKER_CPU:+worker_cpu_affinity $WORKER_CPU;}
worker_shutdown_timeout 30s;

events { worker_connections 2048; }

http {
    access_log off;
    client_body_temp_path  $dir/body;
    proxy_temp_path        $dir/proxy;
    fastcgi_temp_path      $dir/fastcgi;
    uwsgi_temp_path        $dir/uwsgi;
    scgi_temp_path         $dir/scgi;
    client_max_body_size   128k;
    client_body_buffer_size 128k;
    large_client_header_buffers 4 32k;

    pki_redis redis://127.0.0.1:$redis_port;
END
        cat
        echo "}"
    } > "$2"
}
