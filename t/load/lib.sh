# To be sourced by load tests, after t/tools/server.sh: what is tested counts as
# passed or failed.

passed=0
failed=0

# test_that TEXT COMMAND...
test_that() {
    local text=$1

    shift

    if "$@"; then
        passed=$((passed + 1))
        echo "ok - $text"
    else
        failed=$((failed + 1))
        echo "not ok - $text"
    fi
}

# log_clean FROM [ALLOWED]: since the offset, apart from what is allowed
log_clean() {
    [ -f "$dir/logs/error.log" ] || die "there is no $dir/logs/error.log"

    ! tail -c "+$(($1 + 1))" "$dir/logs/error.log" \
        | grep -E '\[(alert|crit|emerg)\]|open socket|aborting' \
        | grep -vE "${2:-^$}" | head -n 5 | sed 's/^/# /' | grep .
}
