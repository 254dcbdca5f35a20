#!/bin/bash
#
# FreeRADIUS: EAP-TLS with OCSP, by POST with a nonce of 8 octets that it
# insists on; eapol_test of wpa_supplicant is who wants to be let in.

. "$(dirname "$0")/common.sh"

secret=$(openssl rand -hex 8)
free_ports strict not_echoed later later_soft later_status

# eap NAME OCSP-SETTING...
eap() {
    local name=$1

    shift
    cat <<END
    eap $name {
        default_eap_type = tls

        tls-config devices {
            certificate_file = $SERVER
            private_key_file = $SERVER_KEY
            ca_file = $CA
            tls_min_version = "1.2"
            tls_max_version = "1.2"

            ocsp {
                enable = yes
                use_nonce = yes
                timeout = 10
$(printf '                %s\n' "$@")
            }
        }

        tls {
            tls = devices
        }
    }

END
}

# server NAME PORT
server() {
    cat <<END
server $1 {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = $2
    }

    authorize {
        $1
    }

    authenticate {
        $1
    }
}

END
}

{
    cat <<END
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = $PWD
logdir = $PWD
run_dir = $PWD
db_dir = $PWD
pidfile = $PWD/radiusd.pid

log {
    destination = stdout
}

security {
    reject_delay = 0
}

client localhost {
    ipaddr = 127.0.0.1
    secret = $secret
}

modules {
END

    eap strict 'override_cert_url = no' 'softfail = no'
    eap not_echoed 'override_cert_url = yes' "url = \"$URL/no-nonce\"" \
        'softfail = no'
    eap later 'override_cert_url = yes' "url = \"$LATER_URL/ocsp\"" \
        'softfail = no'
    eap later_soft 'override_cert_url = yes' "url = \"$LATER_URL/ocsp\"" \
        'softfail = yes'
    eap later_status 'override_cert_url = yes' \
        "url = \"$LATER_URL/status\"" 'softfail = yes'

    echo "}"
    echo

    server strict "$strict"
    server not_echoed "$not_echoed"
    server later "$later"
    server later_soft "$later_soft"
    server later_status "$later_status"
} > radiusd.conf

start radiusd.log freeradius -d "$PWD" -fxx -l stdout
wait_for 20 grep 'Ready to process requests' radiusd.log \
    || die "no FreeRADIUS: $(tail radiusd.log)"

# enter PORT CERTIFICATE KEY
enter() {
    cat > eapol.conf <<END
network={
    key_mgmt=WPA-EAP
    eap=TLS
    identity="device"
    ca_cert="$CA"
    client_cert="$2"
    private_key="$3"
}
END
    log_length=$(wc -l < radiusd.log)
    eapol_test -c eapol.conf -a 127.0.0.1 -p "$1" -s "$secret" -t 20 \
        > eapol.out 2>&1 || true
    tail -n 1 eapol.out
    tail -n "+$((log_length + 1))" radiusd.log > radiusd.now
    grep 'ocsp:' radiusd.now || true
}

entered() {
    grep -q '^SUCCESS$' eapol.out
}

rejected() {
    grep -q '^FAILURE$' eapol.out
    grep -q 'Sent Access-Reject' radiusd.now
}

good() {
    enter "$strict" "$EE" "$EE_KEY"
    entered
    grep -q 'ocsp: Cert status: good' radiusd.now
    asked POST good "$EE" "$nonce8"
}

again() {
    good
    good
    [ "$(times_asked)" = 2 ]
}

revoked() {
    enter "$strict" "$REVOKED" "$REVOKED_KEY"
    rejected
    grep -q 'ocsp: Cert status: revoked' radiusd.now
    grep -q 'ocsp: Reason: keyCompromise' radiusd.now
    asked POST revoked "$REVOKED" "$nonce8"
}

never() {
    enter "$strict" "$NEVER" "$NEVER_KEY"
    rejected
    asked POST unknown "$NEVER" "$nonce8"
}

# held, released, revoked: each is known to the next who asks

changes() {
    issue changing /enroll
    change_shows good entered
    revoke changing.pem certificateHold
    change_shows revoked rejected
    release changing.pem
    change_shows good entered
    revoke changing.pem cessationOfOperation
    change_shows revoked rejected
}

change_shows() {
    sleep 0.2
    now
    enter "$strict" "$PWD/changing.pem" "$PWD/changing.key"
    "$2"
    asked POST "$1" changing.pem
}

# so that good() shows an echo

not_echoed() {
    enter "$not_echoed" "$EE" "$EE_KEY"
    rejected
    grep -q -i 'nonce' radiusd.now
    asked POST good "$EE" "$nonce8"
}

later() {
    enter "$later" "$EE" "$EE_KEY"
    rejected
    grep -q 'ocsp: Response status: trylater' radiusd.now
}

# softfail is about responders that do not answer at all, and an HTTP error is
# not an answer.

later_soft() {
    enter "$later_soft" "$EE" "$EE_KEY"
    rejected
    grep -q 'ocsp: Response status: trylater' radiusd.now
}

later_status() {
    enter "$later_status" "$EE" "$EE_KEY"
    entered
}

try "EAP-TLS, use_nonce, good, nonce of 8" good
try "EAP-TLS, use_nonce, a fresh one each time" again
try "EAP-TLS, revoked" revoked
try "EAP-TLS, never issued" never
try "EAP-TLS, held, released, revoked: at once" changes
try "EAP-TLS refuses if the nonce is not echoed" not_echoed
try "EAP-TLS, Redis is away" later
try "EAP-TLS, Redis is away, softfail = yes: rejected" later_soft
try "EAP-TLS, HTTP 503, softfail = yes: accepted" later_status
finish
