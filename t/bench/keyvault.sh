#!/bin/bash
#
# An authority whose key is in a vault (t/azure) that takes 90 ms for a
# signature, against what the connections to it allow, measured in the same
# run: enrolments a second, what they cost the worker, and how long OCSP
# answers of that worker take meanwhile.
#
#     [ROUNDS=3] [TIME=4] t/bench/keyvault.sh
#
# One nginx worker on CPU 0; clients, vault, Redis on CPU 1.  Medians of the
# rounds.  Writes $BUILD/bench/keyvault.txt.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/bench/lib.sh
. t/bench/azure.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"

rounds=${ROUNDS:-3}
seconds=${TIME:-4}
latency=90
connections=8
clients=200
rate=40
ocsp_rate=400
vault=contoso.vault.azure.net

[ "$(nproc)" -ge 2 ] || die "needs two CPUs"

new_dir
redis_port=$(free_port)
port=$(free_port)
base=http://127.0.0.1:$port
WORKER_CPU=01
REDIS_CPU=1
LOG_LEVEL=warn


# bench_conf RATE
bench_conf() {
    http_conf 1 "$dir/nginx.conf" <<END
    keepalive_requests 100000000;

    resolver 127.0.0.1:$azure_dns ipv6=off;
    pki_trusted_certificate $dir/azure/ca.pem;
    pki_key_vault connections=$connections rate=$1;

    pki_azure_identity bench {
        managed_identity endpoint=http://127.0.0.1:$azure_http;
    }

    pki_authority bench {
        subject     "CN=Bench CA";
        key         keyvault:https://$vault:$azure_https/keys/bench;
        certificate $dir/ca.pem;
        create      rsa-hsm:2048 validity=1y;
        base_url    $base;
    }

    server {
        listen 127.0.0.1:$port;

        location = /enroll { enroll bench; enroll_auth none insecure; }
        location /ocsp { ocsp_responder bench; }
        location = /ca/bench.cer { pki_certificate bench; }
        location = /probe { pki_probe; }
    }
END
}

# milliseconds that the worker has computed
worker_cpu() {
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, "");
        printf "%.0f\n", ($12 + $13) * 1000 / hz }' "/proc/$worker/stat"
}

# new_requests SECONDS: into $dir/requests.pem, more than can be answered
new_requests() {
    t/tools/csr_many.py $((clients + $1 * 300)) > "$dir/requests.pem"
}

# enrol NAME SECONDS
enrol() {
    load "$1" $clients "$2" t/bench/enroll.lua "$base/enroll" \
        -- "$dir/requests.pem"
}

# alone, and what the worker computes for each
round_enrol() {
    local cpu count

    new_requests "$seconds"
    count=$(issued)
    cpu=$(worker_cpu)
    enrol enrol "$seconds"
    rest
    count=$(($(issued) - count))
    awk -v c="$cpu" -v d="$(worker_cpu)" -v n=$count \
        'BEGIN { printf "%.3f\n", (d - c) / n }' >> "$dir/cpu"
}

# OCSP of the idle worker, and during enrolments.  The vault and a client of
# it are as busy in both cases: they share a CPU with who measures.
round_ocsp() {
    local pid

    load other $connections $((seconds + 2)) "$dir/sign.lua" "$sign_url" &
    pid=$!
    sleep 1
    ocsp idle
    wait $pid

    new_requests $((seconds + 2))
    enrol both $((seconds + 2)) &
    pid=$!
    sleep 1
    ocsp during
    wait $pid
    rest

    echo "$(ratio "$(tail -n 1 "$dir/during.p99")" \
                  "$(tail -n 1 "$dir/idle.p99")")" >> "$dir/ocsp.ratio"
}

# what the configured rate allows, once what had gathered of it is used up
round_paced() {
    local count pid start

    new_requests $((seconds + 5))
    enrol paced $((seconds + 5)) &
    pid=$!
    sleep 4
    start=$(date +%s%N)
    count=$(issued)
    sleep "$seconds"
    awk -v n=$(($(issued) - count)) -v t=$(($(date +%s%N) - start)) \
        'BEGIN { printf "%.2f\n", n * 1000000000 / t }' >> "$dir/issued.rate"
    wait $pid
    rest
}


busy
redis_start
azure_start

bench_conf 0
nginx_start "$dir/nginx.conf"
worker=$(nginx_workers)


# a certificate to ask for

curl -fsS "$base/ca/bench.cer" | openssl x509 -inform DER -out "$dir/bench.pem"
t/tools/csr_many.py 1 > "$dir/first.csr"
curl -fsS --data-binary "@$dir/first.csr" -o "$dir/first.pem" "$base/enroll"
openssl ocsp -issuer "$dir/bench.pem" -cert "$dir/first.pem" -no_nonce \
    -reqout "$dir/ocsp.req"
post_lua "$dir/ocsp.req" application/ocsp-request > "$dir/ocsp.lua"
sign_lua
azure latency "{\"sign\":$latency}" > "$dir/order"

threads=$(ls "/proc/$worker/task" | wc -l)

for ((round = 1; round <= rounds; round++)); do
    load direct $connections "$seconds" "$dir/sign.lua" "$sign_url"
    round_enrol
    round_ocsp
done

[ "$(ls "/proc/$worker/task" | wc -l)" = "$threads" ] \
    || die "the worker has more threads than before"

bench_conf $rate
kill -HUP "$nginx_pid"
wait_gone "$worker" 20 || die "no reload"

for ((round = 1; round <= rounds; round++)); do
    round_paced
done

nginx_stop
grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" \
    && die "there are alerts in the log"


ideal=$(awk -v c=$connections -v l=$latency \
        'BEGIN { printf "%.2f", c * 1000 / l }')
enrol=$(median "$dir/enrol.rate")
direct=$(median "$dir/direct.rate")
paced=$(median "$dir/issued.rate")

mkdir -p "$BUILD/bench"

{
    row "vault of $latency ms, $connections connections, medians of $rounds" \
        "a second" "p99 ms" "ratio"
    row "REST enrolment, $clients at a time" "$enrol" \
        "$(median "$dir/enrol.p99")" 1
    row "  the vault itself, as many connections" "$direct" \
        "$(median "$dir/direct.p99")" "$(ratio "$enrol" "$direct")"
    row "  ideal: connections by latency" "$ideal" - \
        "$(ratio "$enrol" "$ideal")"
    row "REST enrolment, rate=$rate" "$paced" - 1
    row "  ideal: the rate" $rate - "$(ratio "$paced" $rate)"
    row "worker CPU, ms an enrolment" "$(median "$dir/cpu")" - -

    row "OCSP, $ocsp_rate a second, of the idle worker" - \
        "$(median "$dir/idle.p99")" 1
    row "  during $clients enrolments" - "$(median "$dir/during.p99")" \
        "$(median "$dir/ocsp.ratio")"

    echo "bench: Key Vault $enrol enrolments/s" \
         "($(ratio "$enrol" "$direct") of what the vault does," \
         "$(ratio "$enrol" "$ideal") of the ideal)," \
         "$(median "$dir/cpu") ms of CPU each, OCSP p99 meanwhile" \
         "$(median "$dir/ocsp.ratio") times the idle one"
} | tee "$BUILD/bench/keyvault.txt"
