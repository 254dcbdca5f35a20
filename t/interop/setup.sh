# Sourced by run.sh: what is configured and issued before any client runs.
# Everything lies in $dir; what a client has to know is exported.

. t/interop/lib.sh


# the certificate of a device, from its manufacturer, for mTLS

manufacturer() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
        -subj "/CN=Manufacturer" -keyout "$dir/maker.key" -out "$dir/maker.pem"
    openssl req -new -newkey rsa:2048 -nodes -subj "/CN=Device 1" \
        -keyout "$dir/device.key" -out "$dir/device.csr"
    openssl x509 -req -in "$dir/device.csr" -CA "$dir/maker.pem" \
        -CAkey "$dir/maker.key" -CAcreateserial -days 30 \
        -out "$dir/device.pem"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
        -subj "/CN=127.0.0.1" -keyout "$dir/tls.key" -out "$dir/tls.pem"
}

users() {
    local user

    for user in device admin; do
        echo "$user:$(openssl passwd -apr1 "$CHALLENGE")"
    done
}


# The log of OCSP holds whole requests, so that common.sh can look into them;
# that of SCEP says what clients really sent.

configure() {
    local pool=

    # RSA keys of responders are made in threads
    [[ "${SIGNER:-}" != *rsa* ]] || pool="pki_thread_pool default;"

    http_conf 2 "$dir/nginx.conf" <<END
    map \$remote_user \$role {
        default "";
        admin   admin;
    }

    log_format scep '\$request_method \$scep_operation '
                    '\$scep_message_type \$scep_status \$scep_fail_info';
    log_format ocsp '\$request_method \$ocsp_status \$ocsp_serial '
                    '\$ocsp_cache \$request_uri "\$request_body"';

    pki_authority interop {
        subject     "CN=Interop CA,O=Example";
        key         file:$dir/ca.key;
        certificate $dir/ca.pem;
        create      ${KEY:-rsa:2048} validity=1y;
        base_url    $base;
        ra          ${RA:-off};
    }

    pki_authority next {
        previous    interop;
        subject     "CN=Interop CA 2,O=Example";
        key         file:$dir/next.key;
        certificate $dir/next.pem;
        create      ${KEY:-rsa:2048} validity=1y;
        base_url    $base;
        ra          ${RA:-off};
    }

    crl_refresh 1s;
    crl_shards  4;
    crl_delta   10s;
    ocsp_signer ${SIGNER:-auto};
    ocsp_responder_id ${RESPONDER_ID:-key};
    $pool

    server {
        listen 127.0.0.1:$port;

        location /scep {
            scep interop;
            scep_challenge static $dir/challenge;
            scep_renewal on within=0;
            access_log $dir/logs/scep.log scep;
        }

        location /manual {
            scep interop;
            scep_challenge none;
            scep_approval manual;
            access_log $dir/logs/scep.log scep;
        }

        location /legacy {
            scep interop;
            scep_challenge static $dir/challenge;
            scep_legacy des;
            access_log $dir/logs/scep.log scep;
        }

        location /enroll {
            auth_basic "devices";
            auth_basic_user_file $dir/users;
            enroll interop;
            enroll_auth access;
        }

        location /enroll-server {
            auth_basic "devices";
            auth_basic_user_file $dir/users;
            enroll interop;
            enroll_auth access;
            enroll_profile server;
        }

        location /master/ {
            auth_basic "master";
            auth_basic_user_file $dir/users;
            certificate_master interop;
            certificate_master_user \$remote_user;
            certificate_master_roles \$role;
        }

        location /ocsp {
            ocsp_responder interop;
            access_log $dir/logs/ocsp.log ocsp;
        }

        location /no-nonce {
            ocsp_responder interop;
            ocsp_nonce off;
            access_log $dir/logs/ocsp.log ocsp;
        }

        location /signed {
            ocsp_responder interop;
            ocsp_request_signature require;
            access_log $dir/logs/ocsp.log ocsp;
        }

        location = /crl/interop.crl { crl interop; }
        location = /crl/interop-delta.crl { crl interop delta; }
        location ~ ^/crl/interop-(?<shard>[0-9a-f]+)\.crl$ {
            crl interop shard=\$shard;
        }

        location = /ca/interop.cer { pki_certificate interop; }
        location = /probe { pki_probe; }
    }

    server {
        listen 127.0.0.1:$tls_port ssl;

        ssl_certificate        $dir/tls.pem;
        ssl_certificate_key    $dir/tls.key;
        ssl_client_certificate $dir/maker.pem;
        ssl_verify_client      on;

        location /enroll {
            enroll interop;
            enroll_auth access;
        }
    }
END
}


# another node of the same authority, which cannot reach Redis: tryLater

later_start() {
    mkdir -p "$dir/later/logs"

    dir=$dir/later redis_port=1 http_conf 1 "$dir/later/nginx.conf" <<END
    pki_authority interop {
        key         file:$dir/ca.key;
        certificate $dir/ca.pem;
        base_url    $base;
    }

    server {
        listen 127.0.0.1:$later_port;

        location /ocsp { ocsp_responder interop; }

        location /status {
            ocsp_responder interop;
            ocsp_error_status on;
        }
    }
END

    start "$dir/later/nginx.out" "$NGINX" -p "$dir/later" \
        -e "$dir/later/logs/error.log" -c "$dir/later/nginx.conf" \
        -g 'daemon off;'
    wait_for 10 answers "$later_port" \
        || die "no second nginx: $(cat "$dir/later/nginx.out")"
}


# by its key, but behind its back: as whoever has stolen it would

forge() {
    openssl req -new -newkey rsa:2048 -nodes -keyout "$dir/never.key" \
        -out "$dir/never.csr" -subj "/CN=never" 2> /dev/null
    openssl x509 -req -in "$dir/never.csr" -CA "$dir/interop.pem" \
        -CAkey "$dir/ca.key" -set_serial 0x6e657665722069737375656421 \
        -days 30 -out "$dir/never.pem" -extfile - 2> /dev/null <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=clientAuth
authorityInfoAccess=OCSP;URI:$base/ocsp
END
}


certificates() {
    local san=subjectAltName=DNS:localhost,IP:127.0.0.1 name

    curl -fsS "$base/ca/interop.cer" \
        | openssl x509 -inform DER -out "$dir/interop.pem"

    wait_for 10 curl -fsS -o "$dir/first.crl" "$base/crl/interop.crl" \
        || die "there is no CRL"

    issue "$dir/good" /enroll || die "cannot enrol by POST $base/enroll"
    issue "$dir/revoked" /enroll
    issue "$dir/server" /enroll-server -addext "$san"
    issue "$dir/server-revoked" /enroll-server -addext "$san"
    forge || die "cannot make a certificate by hand"

    for name in revoked server-revoked; do
        revoke "$dir/$name.pem" keyCompromise || die "cannot revoke"
        wait_for 10 crl_shows interop "$dir/$name.pem" \
            && wait_for 10 crl_shows "$(crl_of "$dir/$name.pem")" \
                                     "$dir/$name.pem" \
            || die "no CRL shows the revocation"
    done
}


# the RA's certificate comes first

ra_certificate() {
    RA_CERT=

    if [ "${RA:-off}" != off ]; then
        RA_CERT=$dir/ra.pem
        curl -fsS "$base/scep?operation=GetCACert" \
            | openssl pkcs7 -inform DER -print_certs \
            | openssl x509 -out "$RA_CERT" || die "no certificate of an RA"
    fi
}

setup() {
    new_dir
    free_ports redis_port port tls_port later_port
    base=http://127.0.0.1:$port
    URL=$base
    CHALLENGE=$(openssl rand -hex 12)

    manufacturer 2> "$dir/manufacturer.log" \
        || die "openssl failed, see $dir/manufacturer.log"
    (umask 077; echo "$CHALLENGE" > "$dir/challenge")
    users > "$dir/users"

    configure
    redis_start
    nginx_start "$dir/nginx.conf"
    later_start
    certificates
    ra_certificate

    export PKI_NGINX=$NGINX URL CHALLENGE TLS_URL=https://127.0.0.1:$tls_port \
           LATER_URL=http://127.0.0.1:$later_port \
           OCSP_LOG=$dir/logs/ocsp.log SCEP_LOG=$dir/logs/scep.log \
           CA=$dir/interop.pem RA_CERT \
           FIRST_CRL=$dir/first.crl \
           EE=$dir/good.pem EE_KEY=$dir/good.key \
           REVOKED=$dir/revoked.pem REVOKED_KEY=$dir/revoked.key \
           NEVER=$dir/never.pem NEVER_KEY=$dir/never.key \
           SERVER=$dir/server.pem SERVER_KEY=$dir/server.key \
           SERVER_REVOKED=$dir/server-revoked.pem \
           SERVER_REVOKED_KEY=$dir/server-revoked.key \
           SIGNER DEVICE=$dir/device.pem DEVICE_KEY=$dir/device.key \
           MAKER=$dir/maker.pem
}
