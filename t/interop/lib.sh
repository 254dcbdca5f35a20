# Sourced by setup.sh and common.sh, after server.sh.

# free_ports NAME...: variables with ports that nobody listens at, no two alike
free_ports() {
    local name next

    next=$(free_port)

    for name; do
        while answers "$next"; do
            next=$((next + 1))
        done

        printf -v "$name" %s "$next"
        next=$((next + 1))
    done
}

# of a certificate in PEM, as the API and the logs have it
serial_of() {
    openssl x509 -in "$1" -noout -serial | sed 's/.*=//' | tr A-F a-f
}

# issue FILE LOCATION [REQ OPTION...]: FILE.pem and FILE.key
issue() {
    local file=$1 location=$2

    shift 2
    openssl req -new -newkey rsa:2048 -nodes -keyout "$file.key" \
        -out "$file.csr" -subj "/CN=${file##*/}" "$@" 2> /dev/null
    curl -fsS -u "device:$CHALLENGE" -o "$file.answer" \
        --data-binary "@$file.csr" "$URL$location"
    openssl x509 -in "$file.answer" -out "$file.pem" 2> /dev/null \
        || openssl x509 -inform DER -in "$file.answer" -out "$file.pem"
}

# change CERTIFICATE VERB [JSON]: a call of the API
change() {
    curl -fsS -u "admin:$CHALLENGE" -H 'Content-Type: application/json' \
        -d "${3:-}" -o /dev/null \
        "$URL/master/api/certificates/$(serial_of "$1")/$2"
}

revoke() {
    change "$1" revoke "{\"reason\":\"$2\"}"
}

release() {
    change "$1" release
}

# pending_id SUBJECT: of the request that waits
pending_id() {
    curl -fsS -u "admin:$CHALLENGE" "$URL/master/api/pending" \
        | /usr/bin/python3 -c '
import json, sys
found = [item["id"] for item in json.load(sys.stdin)["pending"]
         if item["subject"] == sys.argv[1]]
print(*found)
sys.exit(len(found) != 1)' "$1"
}

# decide SUBJECT approve|reject
decide() {
    local id

    id=$(pending_id "$1") || return 1
    curl -fsS -u "admin:$CHALLENGE" -H 'Content-Type: application/json' \
        -d '' "$URL/master/api/pending/$id/$2"
}

# of a certificate: the name of its CRL, "interop-02", which is its shard's
crl_of() {
    openssl x509 -in "$1" -noout -ext crlDistributionPoints \
        | sed -n 's,.*URI:http.*/crl/\(interop-[0-9a-f]*\)\.crl$,\1,p'
}

# crl_get NAME: NAME.der and NAME.pem, in the current directory
crl_get() {
    curl -fsS -m 10 -o "$1.der" "$URL/crl/$1.crl" \
        && openssl crl -inform DER -in "$1.der" -out "$1.pem"
}

# crl_entry FILE CERTIFICATE: what a CRL in DER says of it, if it does
crl_entry() {
    openssl crl -inform DER -in "$1" -noout -text \
        | sed -n "/serial number: $(serial_of "$2")\$/I,/serial number:/Ip" \
        | grep .
}

# crl_shows NAME CERTIFICATE: a CRL that is published now has it
crl_shows() {
    curl -fsS -m 10 "$URL/crl/$1.crl" | crl_entry /dev/stdin "$2"
}
