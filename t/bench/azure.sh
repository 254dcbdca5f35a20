# To be sourced by what measures with the simulator of Azure, after lib.sh: the
# simulator, and what a worker that depends on it does.

# It ends with its standard input, which is held open here.
azure_start() {
    mkfifo "$dir/azure.in"
    exec 9<> "$dir/azure.in"
    start "$dir/azure.json" sh -c 'exec "$@" < "$0"' "$dir/azure.in" \
        taskset -c 1 t/azure/simulator.py --dir "$dir/azure"
    wait_for 20 [ -s "$dir/azure.json" ] \
        || die "no vault: $(cat "$dir/azure.json")"

    for name in https http dns control; do
        eval "azure_$name=$(json "$dir/azure.json" ports $name)"
    done

    azure=https://127.0.0.1:$azure_https
}

# azure CALL [ORDER]: the control interface
azure() {
    curl -fsS ${2:+-d "$2"} "http://127.0.0.1:$azure_control/control/$1"
}

# a request to sign, such as the worker's: what the vault itself can do
sign_lua() {
    local token version digest

    token=$(curl -fsS -H 'Metadata: true' "http://127.0.0.1:$azure_http/$(
            )metadata/identity/oauth2/token?api-version=2018-02-01&$(
            )resource=https://vault.azure.net" > "$dir/token.json"
            json "$dir/token.json" access_token)
    azure keys > "$dir/keys.json"
    version=$(json "$dir/keys.json" bench 0 version)
    digest=$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')
    echo "{\"alg\":\"RS256\",\"value\":\"$digest\"}" > "$dir/sign.json"

    {
        post_lua "$dir/sign.json" application/json
        echo "wrk.headers[\"Authorization\"] = \"Bearer $token\""
    } > "$dir/sign.lua"
    sign_url="$azure/keys/bench/$version/sign?api-version=7.4"
}

# the worker has nothing to do: those who left are served, too
at_rest() {
    azure counters > "$dir/counters.json"
    [ "$(json "$dir/counters.json" concurrent all)" != 0 ] || return 0
    return 1
}

rest() {
    wait_for 60 at_rest || die "the worker does not come to rest"
    sleep 0.5
}

# issued [AUTHORITY]
issued() {
    redis zcard "pki:{${1:-bench}}:issued"
}

# ocsp NAME: the p99 of answers at a pace that leaves the worker time
ocsp() {
    taskset -c 1 t/bench/paced.py "$port" /ocsp application/ocsp-request \
        "$dir/ocsp.req" $ocsp_rate "$seconds" >> "$dir/$1.p99"
}
