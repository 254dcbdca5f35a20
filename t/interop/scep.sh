# Sourced by clients that are programs of our own over a library, after
# common.sh.  They have program(), which is called as
#
#     program OPERATION URL NAME=VALUE...
#
# with the operations and names that Scep.java explains.

# new_key NAME [rsa|ec]: NAME.key in PKCS#8, and its public half
new_key() {
    local options=(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)

    [ "${2:-rsa}" = rsa ] \
        || options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)

    openssl genpkey "${options[@]}" -out "$1.key" 2> /dev/null
    openssl pkey -in "$1.key" -pubout -out "$1.key.pub"
}

# enrol NAME rsa|ec NAME=VALUE...
enrol() {
    local name=$1 kind=$2

    shift 2
    new_key "$name" "$kind"
    program enrol "$URL/scep" key="$name.key" cn="$client $name" \
        san="$name.example" challenge="$CHALLENGE" out="$name.pem" "$@"
    scep_asked POST PKCSReq SUCCESS
    issued "$name"
}

issued() {
    certificate_right "$1.pem"
    openssl x509 -in "$1.pem" -noout -text | grep "DNS:${1%-new}.example"
    openssl x509 -in "$1.pem" -noout -pubkey | cmp - "$1.key.pub"
}

# renew NAME rsa|ec OPERATION NAME=VALUE...: for a new key, that of NAME signs
renew() {
    local name=$1 kind=$2 operation=$3

    shift 3
    new_key "$name-new" "$kind"
    program "$operation" "$URL/scep" key="$name-new.key" \
        cert="$name.pem" oldkey="$name.key" cn="$client $name" \
        san="$name.example" out="$name-new.pem" "$@"
    issued "$name-new"
    [ "$(serial_of "$name.pem")" != "$(serial_of "$name-new.pem")" ]
}

renewal() {
    renew "$@"
    scep_asked POST RenewalReq SUCCESS
}

renewal_pkcsreq() {
    renew "$@"
    scep_asked POST PKCSReq SUCCESS
}

# said LINE COMMAND...: the last line that it prints
said() {
    local line=$1

    shift
    "$@" > said.out 2>&1 || true
    cat said.out
    [ "$(tail -n 1 said.out)" = "$line" ]
}

wrong_challenge() {
    new_key wrong
    said "FAILURE 2" program enrol "$URL/scep" key=wrong.key \
        cn="$client wrong" challenge="no$CHALLENGE" out=wrong.pem
    scep_asked POST PKCSReq FAILURE badRequest
    [ ! -e wrong.pem ]
}

# for another name
renewal_refused() {
    new_key other
    said "FAILURE 2" program renew "$URL/scep" key=other.key cert="$1.pem" \
        oldkey="$1.key" cn="$client somebody else" out=other.pem
    scep_asked POST RenewalReq FAILURE badRequest
}

# of one that was revoked
renewal_revoked() {
    enrol lost rsa
    revoke lost.pem keyCompromise
    new_key found
    said "FAILURE 4" program renew "$URL/scep" key=found.key cert=lost.pem \
        oldkey=lost.key cn="$client lost" san=lost.example out=found.pem
    scep_asked POST RenewalReq FAILURE badCertId
}

poll() {
    new_key manual
    waiting=(key=manual.key cn="$client manual" san=manual.example
             out=manual.pem)

    said PENDING program enrol "$URL/manual" "${waiting[@]}"
    scep_asked POST PKCSReq PENDING
    said PENDING program poll "$URL/manual" "${waiting[@]}"
    scep_asked POST CertPoll PENDING

    decide "CN=$client manual" approve

    said SUCCESS program poll "$URL/manual" "${waiting[@]}"
    scep_asked POST CertPoll SUCCESS
    issued manual
}

poll_rejected() {
    new_key never
    waiting=(key=never.key cn="$client never" out=never.pem)

    said PENDING program enrol "$URL/manual" "${waiting[@]}"
    decide "CN=$client never" reject
    said "FAILURE 2" program poll "$URL/manual" "${waiting[@]}"
    [ ! -e never.pem ]
}

# of a certificate by itself, and by a stranger
getcert() {
    program getcert "$URL/scep" of="$1.pem" cert="$1.pem" oldkey="$1.key" \
        out=got.pem
    cmp <(openssl x509 -in got.pem) <(openssl x509 -in "$1.pem")
    scep_asked POST GetCert SUCCESS
    said "FAILURE 4" program getcert "$URL/scep" of="$1.pem" \
        cert="$DEVICE" oldkey="$DEVICE_KEY" out=stranger.pem
}

getcrl() {
    program getcrl "$URL/scep" of="$1.pem" cert="$1.pem" oldkey="$1.key" \
        out=got.crl
    scep_asked POST GetCRL SUCCESS
    openssl verify -crl_check -CAfile "$CA" -CRLfile got.crl "$1.pem"
}

ca() {
    program ca "$URL/scep" out=ca.pem
    cmp <(sort ca.pem) <(sort ${RA_CERT:+"$RA_CERT"} "$CA")
}

# GetNextCACert, and a certificate of whom it says
next() {
    program next "$URL/scep" out=next.pem
    new_key new
    program enrol "$URL/scep" ca=next.pem key=new.key cn="$client new" \
        challenge="$CHALLENGE" out=new.pem
    openssl verify -CAfile next.pem new.pem
    openssl x509 -in new.pem -noout -issuer | grep 'Interop CA 2'
}
