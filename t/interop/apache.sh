#!/bin/bash
#
# Apache: checks the certificates of its clients (SSLOCSPEnable), by POST with
# a nonce of 16 octets that it insists on, and staples its own (SSLUseStapling),
# by POST without a nonce.

. "$(dirname "$0")/common.sh"

modules=/usr/lib/apache2/modules
free_ports ocsp no_nonce not_echoed later staple staple_revoked

# host PORT CERTIFICATE KEY: reads the rest
host() {
    cat <<END

Listen 127.0.0.1:$1

<VirtualHost 127.0.0.1:$1>
    SSLEngine on
    SSLCertificateFile $2
    SSLCertificateKeyFile $3
    SSLCACertificateFile $CA
    SSLCertificateChainFile $CA
    $(cat)
</VirtualHost>
END
}

# As root it needs somebody else to be, who cannot read what lies here.

{
    cat <<END
LoadModule mpm_event_module     $modules/mod_mpm_event.so
LoadModule authz_core_module    $modules/mod_authz_core.so
LoadModule alias_module         $modules/mod_alias.so
LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
LoadModule ssl_module           $modules/mod_ssl.so

ServerRoot $PWD
DocumentRoot $PWD
DefaultRuntimeDir $PWD
PidFile $PWD/apache.pid
ErrorLog $PWD/error.log
LogLevel info
ServerName localhost
User www-data
Group www-data

StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8

Redirect 204 /

SSLStaplingCache shmcb:$PWD/stapling(131072)
END

    host "$ocsp" "$SERVER" "$SERVER_KEY" <<< "SSLVerifyClient require
    SSLOCSPEnable on"

    host "$no_nonce" "$SERVER" "$SERVER_KEY" <<< "SSLVerifyClient require
    SSLOCSPEnable on
    SSLOCSPUseRequestNonce off"

    host "$not_echoed" "$SERVER" "$SERVER_KEY" <<< "SSLVerifyClient require
    SSLOCSPEnable on
    SSLOCSPDefaultResponder $URL/no-nonce
    SSLOCSPOverrideResponder on"

    host "$later" "$SERVER" "$SERVER_KEY" <<< "SSLVerifyClient require
    SSLOCSPEnable on
    SSLOCSPDefaultResponder $LATER_URL/ocsp
    SSLOCSPOverrideResponder on"

    host "$staple" "$SERVER" "$SERVER_KEY" <<< "SSLUseStapling on"

    host "$staple_revoked" "$SERVER_REVOKED" "$SERVER_REVOKED_KEY" \
        <<< "SSLUseStapling on"
} > httpd.conf

start apache.out apache2 -f "$PWD/httpd.conf" -DFOREGROUND
wait_for 20 answers "$ocsp" || die "no Apache: $(cat apache.out error.log)"

good() {
    [ "$(https "$ocsp" "$EE" "$EE_KEY")" = 204 ]
    asked POST good "$EE" "$nonce16"
}

good_no_nonce() {
    [ "$(https "$no_nonce" "$EE" "$EE_KEY")" = 204 ]
    asked POST good "$EE" '!OCSP Nonce'
}

revoked() {
    [ "$(https "$ocsp" "$REVOKED" "$REVOKED_KEY")" = 000 ]
    asked POST revoked "$REVOKED" "$nonce16"
    grep -q 'certificate status: revoked' error.log
}

never() {
    [ "$(https "$ocsp" "$NEVER" "$NEVER_KEY")" = 000 ]
    asked POST unknown "$NEVER" "$nonce16"
    grep -q 'certificate status: unknown' error.log
}

# so that good() shows an echo

not_echoed() {
    [ "$(https "$not_echoed" "$EE" "$EE_KEY")" = 000 ]
    asked POST good "$EE" "$nonce16"
    grep -q 'AH01924' error.log
}

later() {
    [ "$(https "$later" "$EE" "$EE_KEY")" = 000 ]
    grep -q 'AH01922' error.log
}

stapling() {
    wait_for 10 stapled "$staple" good || { cat stapled.out; return 1; }
    asked POST good "$SERVER" '!OCSP Nonce'
    curl -fsS --cacert "$CA" --cert-status "https://localhost:$staple/"
    [ "$(times_asked)" = 1 ]
}

# It staples what it was told, and clients refuse it.

stapling_revoked() {
    wait_for 10 stapled "$staple_revoked" revoked \
        || { cat stapled.out; return 1; }
    asked POST revoked "$SERVER_REVOKED"
    refused curl -sS --cacert "$CA" --cert-status \
        "https://localhost:$staple_revoked/" 2>&1 | tee curl.out
    grep -q -i 'revo' curl.out
}

try "SSLOCSPEnable, good, nonce of 16" good
try "SSLOCSPUseRequestNonce off" good_no_nonce
try "SSLOCSPEnable, revoked" revoked
try "SSLOCSPEnable, never issued" never
try "SSLOCSPEnable refuses if the nonce is not echoed" not_echoed
try "SSLOCSPEnable, Redis is away" later
try "SSLUseStapling, good" stapling
try "SSLUseStapling, revoked" stapling_revoked
finish
