#!/bin/bash
#
# BouncyCastle's CMS in Java, by Scep.java: BER as its default is, DER, OAEP,
# PSS, EC with answers under the challenge.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
. "$here/scep.sh"

jars=/usr/share/java
classpath=$jars/bcpkix.jar:$jars/bcprov.jar:$jars/bcutil.jar

compile() {
    java -XX:TieredStopAtLevel=1 -m jdk.compiler/com.sun.tools.javac.Main \
        -cp "$classpath" -d classes "$here/Scep.java"
}

program() {
    java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
        -cp "classes:$classpath" Scep "$@"
}

der() {
    enrol der rsa form=der
}

oaep() {
    enrol oaep rsa wrap=oaep cipher=aes256 digest=512 | tee oaep.out
    grep 'recipient 1.2.840.113549.1.1.7, content 2.16.840.1.101.3.4.1.42' \
        oaep.out
}

# as "RSA/ECB/OAEPWithSHA-256AndMGF1Padding" is in Java
oaep_sha1() {
    enrol oaepsha1 rsa wrap=oaep mgf1=1 | tee oaepsha1.out
    grep 'recipient 1.2.840.113549.1.1.7' oaepsha1.out
}

# the answer is for whoever knows the challenge
ec() {
    enrol ec ec | tee ec.out
    grep 'recipient 1.2.840.113549.1.9.16.3.9' ec.out
}

ec_wrong() {
    new_key ecwrong ec
    said "FAILURE 2" program enrol "$URL/scep" key=ecwrong.key \
        cn="$client ecwrong" challenge="no$CHALLENGE" out=ecwrong.pem
    [ ! -e ecwrong.pem ]
}

compile > compile.log 2>&1 || { cat compile.log >&2; exit 1; }

try "GetCACert" ca
try "enrol, BER, AES-128, SHA-256" enrol ber rsa
try "enrol, DER" der
try "enrol, OAEP, AES-256, SHA-512" oaep
try "enrol, OAEP with SHA-256, MGF1 with SHA-1" oaep_sha1
try "enrol, RSASSA-PSS" enrol pss rsa pss=1
try "wrong challenge is refused" wrong_challenge
try "RenewalReq" renewal ber rsa renew
try "PKCSReq by the old certificate" renewal_pkcsreq der rsa enrol
try "RenewalReq for another name is refused" renewal_refused ber
try "RenewalReq by a revoked one is refused" renewal_revoked
try "enrol, manual, CertPoll, approved" poll
try "enrol, manual, CertPoll, rejected" poll_rejected
try "GetCert" getcert ber
try "GetCRL" getcrl ber
try "GetNextCACert, enrol with the next" next
try "enrol, EC, PasswordRecipientInfo" ec
try "enrol, EC, wrong challenge is refused" ec_wrong
try "RenewalReq, EC" renewal ec ec renew challenge="$CHALLENGE"
finish
