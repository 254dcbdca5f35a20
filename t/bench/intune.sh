#!/bin/bash
#
# SCEP enrolment that Intune vouches for (t/azure: 200 ms to say so, 200 ms to
# be told) with the authority's key in a vault (90 ms a signature), and with one
# in a file; 200 requests in flight.  Against what latencies and connections
# allow, and what simulator and worker can do at all, measured in the same run;
# how long OCSP answers of that worker take meanwhile; how often discovery and
# tokens are asked for.
#
#     [ROUNDS=3] [TIME=4] t/bench/intune.sh
#
# One nginx worker on CPU 0; clients, Azure, Redis on CPU 1.  Medians of the
# rounds.  Writes $BUILD/bench/intune.txt.

set -euo pipefail

cd "$(dirname "$0")/../.."
. t/tools/server.sh
. t/bench/lib.sh
. t/bench/azure.sh

[ -f "$NGX_PKI_MODULE" ] || die "no $NGX_PKI_MODULE, run \"make\" first"
build_tools

rounds=${ROUNDS:-3}
seconds=${TIME:-4}
sign_latency=90
intune_latency=200
connections=8
clients=200
few=24
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


# authority NAME KEY CREATE DIRECTIVE
authority() {
    cat <<END
    pki_authority $1 {
        subject     "CN=$1 CA";
        key         $2;
        certificate $dir/$1.pem;
        create      $3 validity=1y;
        base_url    $base;
        $4
    }
END
}

bench_conf() {
    http_conf 1 "$dir/nginx.conf" <<END
    keepalive_requests 100000000;

    resolver 127.0.0.1:$azure_dns ipv6=off;
    pki_trusted_certificate $dir/azure/ca.pem;
    pki_key_vault connections=$connections rate=0;

    pki_azure_identity bench {
        managed_identity endpoint=http://127.0.0.1:$azure_http;
        graph_host https://graph.microsoft.com:$azure_https;
    }

$(authority bench "keyvault:https://$vault:$azure_https/keys/bench" \
            rsa-hsm:2048 "ra auto;")
$(authority file "file:$dir/file.key" rsa:2048 "")

    scep_challenge intune identity=bench revocation=off;

    server {
        listen 127.0.0.1:$port;

        location /bench { scep bench; }
        location /file { scep file; }
        location /ocsp { ocsp_responder bench; }
        location = /enroll { enroll bench; enroll_auth none insecure; }
        location = /ca/bench.cer { pki_certificate bench; }
        location = /ca/file.cer { pki_certificate file; }
        location = /probe { pki_probe; }
    }
END
}

# $dir/NAME.recipient and .issuer, an OCSP request, a challenge for any request
prepare() {
    local name

    for name in bench file; do
        curl -fsS "$base/ca/$name.cer" \
            | openssl x509 -inform DER -out "$dir/$name.issuer"
    done

    cp "$dir/file.issuer" "$dir/file.recipient"
    curl -fsS "$base/bench?operation=GetCACert" \
        | openssl pkcs7 -inform DER -print_certs \
        | openssl x509 -out "$dir/bench.recipient"

    t/tools/csr_many.py 1 > "$dir/first.csr"
    curl -fsS --data-binary "@$dir/first.csr" -o "$dir/first.pem" \
        "$base/enroll"
    openssl ocsp -issuer "$dir/bench.issuer" -cert "$dir/first.pem" \
        -no_nonce -reqout "$dir/ocsp.req"

    azure challenge '{"lifetime":86400}' > "$dir/challenge.json"
    (umask 077; json "$dir/challenge.json" challenge > "$dir/challenge")
}

# what a worker asks Intune, again and again: what the simulator can do
validate_lua() {
    local token

    cat > "$dir/req.cnf" <<END
[req]
prompt = no
distinguished_name = name
attributes = attributes
[name]
CN = bench
[attributes]
challengePassword = $(cat "$dir/challenge")
END
    openssl req -new -newkey rsa:2048 -nodes -keyout "$dir/req.key" \
        -config "$dir/req.cnf" -outform DER -out "$dir/req.der" 2> "$dir/req"
    printf '{"request":{"transactionId":"bench","certificateRequest":"%s",%s' \
        "$(base64 -w 0 "$dir/req.der")" '"callerInfo":"bench/1"}}' \
        > "$dir/validate.json"

    token=$(curl -fsS -H 'Metadata: true' "http://127.0.0.1:$azure_http/$(
            )metadata/identity/oauth2/token?api-version=2018-02-01&$(
            )resource=https://api.manage.microsoft.com/" > "$dir/token.json"
            json "$dir/token.json" access_token)

    {
        post_lua "$dir/validate.json" application/json
        echo "wrk.headers[\"Authorization\"] = \"Bearer $token\""
        echo "wrk.headers[\"api-version\"] = \"2018-02-20\""
        echo "wrk.headers[\"client-request-id\"] =" \
             "\"01234567-89ab-cdef-0123-456789abcdef\""
    } > "$dir/validate.lua"
    validate_url="$azure/RACerts/ScepRequestValidationFEService/Gateway/$(
                 )StatelessScepRequestValidationService/ScepActions/$(
                 )validateRequest"
}

# nanoseconds that the worker has computed
worker_cpu() {
    cut -d ' ' -f 1 "/proc/$worker/schedstat"
}

# whether there is one more certificate than a moment before
enrolling() {
    local before

    before=$(issued "$1")
    sleep 0.1
    [ "$(issued "$1")" -gt "$before" ]
}

# enrol NAME AUTHORITY CLIENTS COUNT SECONDS: in the background, all succeed
enrol() {
    "$BUILD/scep-load" -u "$base/$2" -a "$dir/$2.recipient" \
        --issuer "$dir/$2.issuer" -p "$dir/challenge" -c "$3" -n "$4" -t "$5" \
        --timeout 60 --keys 4 --cpu 1 --json > "$dir/$1.json" &
    enrol_pid=$!
}

enrolled() {
    wait "$enrol_pid" || true
    [ "$(json "$dir/$1.json" send success)" -gt 0 ] \
        && [ "$(json "$dir/$1.json" send failure)" = 0 ] \
        && [ "$(json "$dir/$1.json" send other)" = 0 ] \
        || die "$1: $(cat "$dir/$1.json")"
    json "$dir/$1.json" send latency_ms p99 >> "$dir/$1.p99"
}

# round_enrol NAME AUTHORITY CLIENTS: once it runs evenly, certificates a second
# and what each costs the worker in microseconds
round_enrol() {
    local count cpu start

    enrol "$1" "$2" "$3" $(((seconds + 6) * 250)) $((seconds + 5))
    wait_for 90 enrolling "$2" || die "nobody enrols"
    sleep 4
    start=$(date +%s%N)
    count=$(issued "$2")
    cpu=$(worker_cpu)
    sleep "$seconds"
    count=$(($(issued "$2") - count))
    awk -v n=$count -v t=$(($(date +%s%N) - start)) \
        'BEGIN { printf "%.2f\n", n * 1000000000 / t }' >> "$dir/$1.rate"
    awk -v n=$count -v c="$cpu" -v d="$(worker_cpu)" \
        'BEGIN { printf "%.0f\n", (d - c) / 1000 / n }' >> "$dir/$1.cpu"
    enrolled "$1"
    rest
}

# OCSP of the idle worker, and during enrolments.  Azure and clients of it are
# about as busy in both cases: they share a CPU with who measures.
round_ocsp() {
    local pids=()

    load sign $connections $((seconds + 2)) "$dir/sign.lua" "$sign_url" &
    pids+=($!)
    load validate 32 $((seconds + 2)) "$dir/validate.lua" "$validate_url" &
    pids+=($!)
    sleep 1
    ocsp idle
    wait "${pids[@]}"

    enrol both bench $clients $(((seconds + 6) * 250)) $((seconds + 6))
    wait_for 90 enrolling bench || die "nobody enrols"
    sleep 1
    ocsp during
    enrolled both
    rest

    ratio "$(tail -n 1 "$dir/during.p99")" "$(tail -n 1 "$dir/idle.p99")" \
        >> "$dir/ocsp.ratio"
    echo >> "$dir/ocsp.ratio"
}

# the first 1,000: what is asked for once
first_thousand() {
    enrol first file $clients 1000 0
    enrolled first
    rest
    azure counters > "$dir/counters.json"
    [ "$(json "$dir/counters.json" requests success)" -ge 1000 ] \
        || die "Intune was not told of 1000"
    discoveries=$(json "$dir/counters.json" requests graph)
    tokens=$(json "$dir/counters.json" tokens_issued)
}

ideal() {
    awk -v c="$1" -v l="$2" 'BEGIN { printf "%.2f", c * 1000 / l }'
}

# least A B...
least() {
    printf '%s\n' "$@" | sort -g | head -n 1
}

report() {
    local name limit both

    both=$((2 * intune_latency))
    vault_ideal=$(least "$(ideal $connections $sign_latency)" \
                  "$(ideal $clients $((both + sign_latency)))")
    bench=$(median "$dir/bench.rate")

    row "Intune of 2 x $intune_latency ms, medians of $rounds" \
        "a second" "p99 ms" "ratio"
    row "SCEP, key in a vault, $clients at a time" "$bench" \
        "$(median "$dir/bench.p99")" 1
    row "  ideal: $connections connections of $sign_latency ms" \
        "$vault_ideal" - "$(ratio "$bench" "$vault_ideal")"
    row "  the vault itself, as many connections" \
        "$(median "$dir/direct.rate")" - \
        "$(ratio "$bench" "$(median "$dir/direct.rate")")"

    for name in file few; do
        limit=$(ideal $clients $both)
        [ $name = file ] || limit=$(ideal $few $both)
        row "SCEP, key in a file, $([ $name = file ] && echo $clients \
                                    || echo $few) at a time" \
            "$(median "$dir/$name.rate")" "$(median "$dir/$name.p99")" 1
        row "  ideal: by the latency of Intune" "$limit" - \
            "$(ratio "$(median "$dir/$name.rate")" "$limit")"
        [ $name = file ] || continue
        limit=$(awk -v n="$(median "$dir/asked.rate")" \
                'BEGIN { printf "%.2f", n / 2 }')
        row "  the simulator itself, two answers each" "$limit" - \
            "$(ratio "$(median "$dir/$name.rate")" "$limit")"
    done

    row "worker CPU, us an enrolment, vault" "$(median "$dir/bench.cpu")" - -
    row "  file" "$(median "$dir/file.cpu")" - -
    row "OCSP, $ocsp_rate a second, of the idle worker" - \
        "$(median "$dir/idle.p99")" 1
    row "  during $clients enrolments" - "$(median "$dir/during.p99")" \
        "$(median "$dir/ocsp.ratio")"
    row "1,000 enrolments: discoveries, tokens" "$discoveries" "$tokens" -

    echo "bench: Intune and Key Vault $bench enrolments/s" \
         "($(ratio "$bench" "$vault_ideal") of the ideal), OCSP p99 meanwhile" \
         "$(median "$dir/ocsp.ratio") times the idle one; 1,000 enrolments:" \
         "$discoveries discovery, $tokens tokens (vault, Graph, Intune)"
}


busy
redis_start
azure_start
bench_conf
nginx_start "$dir/nginx.conf"
worker=$(nginx_workers)
prepare
first_thousand
sign_lua
validate_lua
azure latency "{\"sign\":$sign_latency,\"validate\":$intune_latency,$(
              )\"success\":$intune_latency}" > "$dir/order"

for ((round = 1; round <= rounds; round++)); do
    load direct $connections "$seconds" "$dir/sign.lua" "$sign_url"
    load asked $clients "$seconds" "$dir/validate.lua" "$validate_url"
    rest
    round_enrol bench bench $clients
    round_enrol file file $clients
    round_enrol few file $few
    round_ocsp
done

nginx_stop
grep -E '\[(alert|crit|emerg)\]' "$dir/logs/error.log" \
    && die "there are alerts in the log"

mkdir -p "$BUILD/bench"
report | tee "$BUILD/bench/intune.txt"
