# To be sourced by what measures, after t/tools/server.sh: medians, ratios and
# the table.

# median FILE: of its lines
median() {
    sort -g "$1" \
        | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : 0 }'
}

milliseconds() {
    awk '/us$/ { printf "%.3f\n", $1 / 1000; next }
         /ms$/ { printf "%.3f\n", $1; next }
               { printf "%.3f\n", $1 * 1000 }'
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b
                                     else print "-" }'
}

row() {
    printf '%-48s %12s %10s %8s\n' "$@"
}

# busy: says so if the machine has other things to do
busy() {
    local load

    read -r load _ < /proc/loadavg
    awk -v l="$load" -v n="$(nproc)" 'BEGIN { exit !(l > n / 2) }' || return 0
    echo "bench: the machine is busy (load average $load)," \
         "the ratios say more than the figures"
}

# load NAME CONNECTIONS SECONDS SCRIPT URL [ARGUMENT...]: by wrk on CPU 1;
# requests a second into $dir/NAME.rate, the 99th percentile into .p99
load() {
    local name=$1 connections=$2 seconds=$3 script=$4 out

    shift 4
    out=$(taskset -c 1 wrk -t 1 -c "$connections" -d "${seconds}s" \
          --timeout 30s --latency -s "$script" "$@")
    echo "$out" >> "$dir/$name.wrk"

    if grep -q 'Non-2xx\|Socket errors' <<< "$out"; then
        die "$name: $out"
    fi

    sed -n 's/^Requests\/sec: *//p' <<< "$out" >> "$dir/$name.rate"
    sed -n 's/^ *99% *//p' <<< "$out" | milliseconds >> "$dir/$name.p99"
}

# speed ALGORITHM: operations a second of one core, into $dir/ALGORITHM.sign
# and .verify
speed() {
    local out

    out=$(taskset -c 0 openssl speed -seconds 1 "$1" 2> /dev/null \
          | tail -n 1)
    awk '{ print $(NF - 1) }' <<< "$out" >> "$dir/$1.sign"
    awk '{ print $NF }' <<< "$out" >> "$dir/$1.verify"
}

# post_lua FILE TYPE: a script of wrk's that posts the file
post_lua() {
    /usr/bin/python3 - "$1" "$2" <<'END'
import sys
with open(sys.argv[1], 'rb') as f:
    body = ''.join('\\%03d' % octet for octet in f.read())
print('wrk.method = "POST"\nwrk.body = "%s"' % body)
print('wrk.headers["Content-Type"] = "%s"' % sys.argv[2])
END
}
