# Enrolment by SCEP: every form of a right message, what the answer looks like
# (scep_craft.py open: scep.md R1 to R10), what the certificate looks like,
# retries and rivals (R11).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Scep;

use Time::Piece ();

redis_start();

work_file('challenge', "open sesame\n");
work_file('two', "old secret\r\n\n  blanks and #  \n");
work_file('more', "third secret");

http_config('large_client_header_buffers 4 32k;', authority('demo'), <<'END');
pki_profile phone {
    validity           30d;
    backdate           1h;
    key_usage          digitalSignature;
    extended_key_usage clientAuth emailProtection;
    allow_key          rsa:2048-4096 ec:P-256;
}
END

our $work = work_dir();

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /phone   { scep demo; scep_profile phone;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /device  { scep demo; scep_profile device;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /open    { scep demo; scep_challenge none insecure; }
END

# a message with the right challenge, asked with

sub ask {
    my ($uri, @what) = @_;
    return scep_ask($uri, challenge => 'open sesame', @what);
}

sub text_of {
    return openssl('x509', '-in', $_[0], '-noout', '-text');
}

# notBefore and notAfter, in seconds

sub dates {
    my $text = openssl('x509', '-in', $_[0], '-noout', '-dates', '-dateopt',
                       'iso_8601');
    return map { Time::Piece->strptime($_, '%Y-%m-%d %H:%M:%S')->epoch }
           $text =~ /=(\S+ \S+)Z/g;
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: O1, T1, T2: PKCSReq by POST and by GET
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
my %serials;
for my $get (0, 1) {
    my $r = ask('/scep', get => $get, subject => "CN=method $get,O=Test");
    is(scep_brief($r), 'SUCCESS');
    is($r->{http}, 200);
    is($r->{subject}, "CN=method $get,O=Test");
    like($r->{serial}, qr/^[0-9a-f]{32,34}\z/, '128 bits and more');
    $serials{$r->{serial}} = 1;
}
is(keys %serials, 2, 'two certificates');
is(issued('demo'), $before + 2, 'two records');



=== TEST 2: P11, R8: ciphers and digests, mirrored by the answer
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $cipher ('aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des3') {
    is(scep_brief(ask('/scep', cipher => $cipher)), 'SUCCESS', $cipher);
}
for my $digest ('sha1', 'sha256', 'sha384', 'sha512') {
    # a vault has no SHA-1, and says so by SHA-256
    my $vault = ($ENV{PKI_KEY} // '') eq 'vault' && $digest eq 'sha1';
    is(scep_brief(ask('/scep', digest => $digest)),
       'SUCCESS' . ($vault ? ' R8: digest sha256, not sha1' : ''), $digest);
    is(scep_brief(ask('/scep', digest => 'sha256', csr_digest => $digest)),
       'SUCCESS', "$digest in the request alone");
}
is(scep_brief(ask('/scep', digest => 'sha512', cipher => 'aes-256-cbc')),
   'SUCCESS', 'both');



=== TEST 3: P8: RSAES-OAEP
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $transport ('oaep', 'oaep-sha256', 'oaep-sha384', 'oaep-sha512') {
    # a vault has no others
    my $vault = ($ENV{PKI_KEY} // '') eq 'vault' && $transport =~ /sha(384|512)/;
    is(scep_brief(ask('/scep', transport => $transport)),
       $vault ? 'FAILURE badAlg' : 'SUCCESS', $transport);
}



=== TEST 4: BER: indefinite lengths, strings in segments
--- config eval
$::locations
--- perl
scep_ready('/probe');
is(scep_brief(ask('/scep', ber => 1)), 'SUCCESS', 'POST');
is(scep_brief(ask('/scep', ber => 1, get => 1)), 'SUCCESS', 'GET');
is(scep_brief(ask('/scep', ber => 1, transport => 'oaep-sha256',
                  cipher => 'aes-256-cbc', digest => 'sha512')), 'SUCCESS',
   'and more');



=== TEST 5: P2, P7: signer and recipient named by key identifier
--- config eval
$::locations
--- perl
scep_ready('/probe');
is(scep_brief(ask('/scep', signer_ski => 1)), 'SUCCESS', 'signer');
is(scep_brief(ask('/scep', recipient_ski => 1)), 'SUCCESS', 'recipient');
is(scep_brief(ask('/scep', recipient_ski => 1, signer_ski => 1)), 'SUCCESS',
   'both');
is(scep_brief(ask('/scep', recipients => 5)), 'SUCCESS', 'five recipients');



=== TEST 6: keys: RSA of every size, EC with an RSA signer
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $type ('rsa:2048', 'rsa:3072', 'rsa:4096') {
    is(scep_brief(ask('/scep', key => $type, key_type => $type)), 'SUCCESS',
       $type);
}
scep_make(key => 'signer');
for my $type ('ec:P-256', 'ec:P-384', 'ec:P-521') {
    my $r = ask('/scep', key => $type, key_type => $type,
                signer_key => "$::work/signer.scep",
                cert => "$::work/ec.pem");
    is(scep_brief($r), 'SUCCESS', $type);
    like(text_of("$::work/ec.pem"), qr/NIST CURVE: \Q@{[substr $type, 3]}/);
}



=== TEST 7: P15, R6, S25: the signer's key is not that of the request
--- config eval
$::locations
--- perl
scep_ready('/probe');
scep_make(key => 'signer');
my $r = ask('/scep', signer_key => "$::work/signer.scep",
            signer_subject => 'CN=proxy,O=Elsewhere', subject => 'CN=phone');
is(scep_brief($r), 'SUCCESS', 'enveloped for the signer');
is($r->{subject}, 'CN=phone');



=== TEST 8: P2, S6: other certificates beside that of the signer
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $victim = ask('/scep', key => 'victim', subject => 'CN=victim',
                 cert => "$::work/victim.pem");
is(scep_brief($victim), 'SUCCESS');

my $r = ask('/scep', first_cert => "$::work/victim.pem",
            subject => 'CN=after the victim');
is(scep_brief($r), 'SUCCESS', 'answered to the signer');
isnt($r->{serial}, $victim->{serial});
is($r->{subject}, 'CN=after the victim');

is(scep_brief(ask('/scep', first_cert => "$::work/demo.pem")), 'SUCCESS',
   'the CA first');
is(scep_brief(ask('/scep', extra_certs => 9)), 'SUCCESS', 'ten in all');



=== TEST 9: P4, P6, P16: transactions, nonces, times
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $n = 0;
for my $txn ('1', '0' x 128, '9' x 77, "a b'(c)+,-./:=?", 'A' x 88 . '==',
             ' ')
{
    is(scep_brief(ask('/scep', txn => $txn)), 'SUCCESS',
       'transaction ' . ++$n);
}
for my $len (1, 8, 16, 32, 64) {
    is(scep_brief(ask('/scep', nonce_len => $len)), 'SUCCESS',
       "a nonce of $len octets");
}
is(scep_brief(ask('/scep', nonce => '00' x 16)), 'SUCCESS', 'zeros');
is(scep_brief(ask('/scep', omit => 'time')), 'SUCCESS', 'no signingTime');
is(scep_brief(ask('/scep', time_skew => $_)), 'SUCCESS', "a clock $_ s off")
    for -9e7, 9e7;



=== TEST 10: S26: senderNonce is new in every answer
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = scep_make(challenge => 'open sesame');
my %nonces;
for (1 .. 5) {
    my $r = scep_send('/scep', $m);
    is(scep_brief($r), 'SUCCESS');
    my $asn1 = openssl('asn1parse', '-inform', 'DER', { in => $r->{body} });
    my ($nonce) = $asn1 =~ /senderNonce.*?\[HEX DUMP\]:([0-9A-F]+)/s;
    ($nonce) = $asn1 =~ /2\.16\.840\.1\.113733\.1\.9\.5\n.*?DUMP\]:([0-9A-F]+)/s
        if !defined $nonce;
    like($nonce, qr/^[0-9A-F]{32}\z/);
    $nonces{$nonce} = 1;
}
is(keys %nonces, 5);



=== TEST 11: challenges: strings of every kind
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $tag ('printable', 'utf8', 't61', 'ia5', 'bmp') {
    is(scep_brief(ask('/scep', challenge_tag => $tag)), 'SUCCESS', $tag);
}



=== TEST 12: R5: the certificate: default profile
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $r = ask('/scep', cert => "$::work/c.pem", subject => 'CN=dev 1,O=Test',
            san => ['DNS:dev1.example', 'IP:192.0.2.1', 'email:a@b.example'],
            key_usage => '05a0', eku => '1.3.6.1.5.5.7.3.2', ca_false => 1);
is(scep_brief($r), 'SUCCESS');

my $text = text_of("$::work/c.pem");
like($text, qr/Version: 3/);
like($text, qr/Issuer: (CN = demo CA, O = Test|O = Test, CN = demo CA)/);
like($text, qr/Signature Algorithm: (?:sha256WithRSAEncryption|ecdsa-with-SHA256)/);
like($text, qr/CA Issuers - URI:http:\/\/127\.0\.0\.1:\d+\/ca\/demo\.cer/);
like($text, qr/OCSP - URI:http:\/\/127\.0\.0\.1:\d+\/ocsp\n/);
like($text, qr/CRL Distribution[^U]*URI:\S+:\d+\/crl\/demo\.crl\n/);
like($text, qr/Key Usage: critical\n\s*Digital Signature, Key Enciph/);
like($text, qr/Extended Key Usage:\s*\n\s*TLS Web Client Authentication\n/);
like($text, qr/DNS:dev1\.example, IP Address:192\.0\.2\.1, email:a\@b\.ex/);
unlike($text, qr/CA:TRUE/);

my ($ski) = text_of("$::work/demo.pem") =~ /Subject Key Id.*\n\s*(\S+)/;
my ($aki) = $text =~ /Authority Key Id.*\n\s*(?:keyid:)?(\S+)/;
is($aki, $ski, 'AKI is the SKI of the authority');
like($text, qr/Subject Key Identifier:\s*\n\s*([0-9A-F]{2}:){19}/);

my ($code, $out) = command('openssl', 'verify', '-x509_strict', '-CAfile',
                           "$::work/demo.pem", "$::work/c.pem");
is($code, 0, 'verifies strictly') or diag($out);

my ($from, $to) = dates("$::work/c.pem");
cmp_ok(abs($from - (time - 86400)), '<', 120, 'a day back');
cmp_ok(abs($to - (time + 365 * 86400)), '<', 120, 'a year');



=== TEST 13: scep_profile: usages, validity, keys of the profile
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $r = ask('/phone', cert => "$::work/p.pem", key_usage => '05a0',
            eku => '1.3.6.1.5.5.7.3.1');
is(scep_brief($r), 'SUCCESS');
my $text = text_of("$::work/p.pem");
like($text, qr/Key Usage: critical\n\s*Digital Signature\n/);
like($text, qr/Extended[^\n]*\n\s*TLS Web Client Auth[^\n]*, E-mail Prot/);
unlike($text, qr/Server Authentication/);
my ($from, $to) = dates("$::work/p.pem");
cmp_ok(abs($from - (time - 3600)), '<', 120, 'an hour back');
cmp_ok(abs($to - (time + 30 * 86400)), '<', 120, 'thirty days');

scep_make(key => 'signer');
is(scep_brief(ask('/phone', key => 'ec:P-384', key_type => 'ec:P-384',
                  signer_key => "$::work/signer.scep")),
   'FAILURE badMessageCheck', 'a key that it does not allow');
is(scep_brief(ask('/phone', key => 'p521', key_type => 'ec:P-521')),
   'FAILURE badRequest', 'a key of its own that it does not allow');

$r = ask('/device', cert => "$::work/d.pem", eku => '1.3.6.1.5.5.7.3.1');
is(scep_brief($r), 'SUCCESS');
$text = text_of("$::work/d.pem");
like($text, qr/Extended[^\n]*\n\s*TLS Web Client Authentication\n/);



=== TEST 14: R11, S15: a retry gets the same certificate
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
my %same = (challenge => 'open sesame', txn => 'retry-1',
            subject => 'CN=retry');
my $m = scep_make(%same);
my $first = scep_send('/scep', $m);
is(scep_brief($first), 'SUCCESS');

my $again = scep_send('/scep', $m);
is($again->{serial}, $first->{serial}, 'the same message');
is($again->{certificate}, $first->{certificate}, 'octet for octet');

$again = scep_ask('/scep', %same, cipher => 'aes-256-cbc', digest => 'sha512');
is(scep_brief($again), 'SUCCESS');
is($again->{serial}, $first->{serial}, 'made anew, with other algorithms');

ok(nginx_reload(15), 'reloaded');
scep_ready('/probe');
is(scep_send('/scep', $m)->{serial}, $first->{serial}, 'after a reload');
is(issued('demo'), $before + 1, 'one record');

isnt(scep_ask('/scep', %same, txn => 'retry-2')->{serial}, $first->{serial},
     'another transaction');
my $other = scep_ask('/scep', %same, key => 'other');
is(scep_brief($other), 'SUCCESS');
isnt($other->{serial}, $first->{serial}, 'another key');

is(scep_brief(scep_ask('/scep', %same, challenge => 'wrong')),
   'FAILURE badRequest', 'a retry needs its challenge');



=== TEST 15: S13, S14: the same message twenty times at once
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
my $m = scep_make(challenge => 'open sesame');
my @answers = scep_send_all('/scep', ($m) x 20);
is(scalar(grep { scep_brief($_) eq 'SUCCESS' } @answers), 20, 'all of them')
    or diag(map { scep_brief($_) . "\n" } @answers);
my %serials = map { $_->{serial} // '' => 1 } @answers;
is(keys %serials, 1, 'one certificate');
is(issued('demo'), $before + 1, 'one record');



=== TEST 16: S13: twenty messages at once
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
my @messages = map { scep_make(challenge => 'open sesame',
                               subject => "CN=rival $_") } 1 .. 20;
my @answers = scep_send_all('/scep', @messages);
my %serials = map { $_->{serial} // '' => 1 } @answers;
is(keys %serials, 20, 'twenty certificates');
is_deeply([map { $_->{subject} } @answers],
          [map { "CN=rival $_" } 1 .. 20], 'each its own');
is(issued('demo'), $before + 20, 'twenty records');



=== TEST 17: scep_response_cipher
--- config
location = /probe { pki_probe; }
scep_response_cipher aes-256-cbc;
scep_challenge none insecure;
location /256  { scep demo; }
location /128  { scep demo; scep_response_cipher aes-128-cbc; }
location /des3 { scep demo; scep_response_cipher des-ede3-cbc; }
--- perl
scep_ready('/probe');
my %names = (256 => 'aes-256-cbc', 128 => 'aes-128-cbc', des3 => 'des3');
for my $location (sort keys %names) {
    for my $cipher (values %names) {
        is(scep_brief(scep_ask("/$location", cipher => $cipher,
                               response_cipher => $names{$location})),
           'SUCCESS', "$cipher at /$location");
    }
}



=== TEST 18: scep_challenge: several secrets, several files
--- config
location = /probe { pki_probe; }
location /two     { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/two; }
location /three   { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/two;
                    scep_challenge static $TEST_NGINX_WORK/more; }
location /own     { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
--- perl
scep_ready('/probe');
my ($yes, $no) = ('SUCCESS', 'FAILURE badRequest');
my $no_text = 'FAILURE badMessageCheck';
for (['/two', 'old secret', $yes], ['/two', '  blanks and #  ', $yes],
     ['/two', 'blanks and #', $no], ['/two', "old secret\r", $no_text],
     ['/two', 'old secre', $no], ['/two', 'third secret', $no],
     ['/two', "old secret\n", $no_text], ['/two', '', $no],
     ['/three', 'old secret', $yes], ['/three', '  blanks and #  ', $yes],
     ['/three', 'third secret', $yes], ['/three', 'open sesame', $no],
     ['/own', 'open sesame', $yes], ['/own', 'old secret', $no],
     ['/own', 'third secret', $no])
{
    my ($uri, $challenge, $result) = @$_;
    is(scep_brief(scep_ask($uri, challenge => $challenge,
                           challenge_tag => 'utf8')), $result,
       "S2: '$challenge' at $uri");
}



=== TEST 19: scep_challenge none insecure
--- config eval
$::locations
--- perl
scep_ready('/probe');
is(scep_brief(scep_ask('/open')), 'SUCCESS', 'none');
is(scep_brief(scep_ask('/open', challenge => 'whatever')), 'SUCCESS', 'any');



=== TEST 20: P10, S24: scep_legacy, and what is refused without
--- config eval
$::locations . <<'END';
location /legacy  { scep demo; scep_legacy des md5;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /des     { scep demo; scep_legacy des;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /md5     { scep demo; scep_legacy md5;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
END
--- suppress_stderr
--- perl
scep_ready('/probe');
my %des = (cipher => 'des');
my %md5 = (digest => 'md5', csr_digest => 'sha1');
for (['/legacy', \%des, 'SUCCESS'], ['/legacy', \%md5, 'SUCCESS'],
     ['/legacy', { %des, %md5 }, 'SUCCESS'],
     ['/legacy', { cipher => 'aes-128-cbc' }, 'SUCCESS'],
     ['/des', \%des, 'SUCCESS'], ['/des', \%md5, 'FAILURE badAlg'],
     ['/md5', \%des, 'FAILURE badAlg'], ['/md5', \%md5, 'SUCCESS'],
     ['/scep', \%des, 'FAILURE badAlg'], ['/scep', \%md5, 'FAILURE badAlg'])
{
    my ($uri, $what, $result) = @$_;
    is(scep_brief(ask($uri, %$what)), $result,
       join ' ', $uri, %$what);
}
is(scep_brief(ask('/legacy', digest => 'md5')), 'FAILURE badMessageCheck',
   'MD5 is not good enough for the request in it');
--- error_log
"scep_legacy" admits single DES MD5, which RFC 8894 forbids, for "scep" in
"scep_legacy" admits single DES, which RFC 8894 forbids
"scep_legacy" admits MD5, which RFC 8894 forbids



=== TEST 21: a certificate that was revoked is not given again
--- config eval
$::locations . <<'END';
location /m/ { certificate_master demo; certificate_master_user someone;
               certificate_master_roles admin; }
END
--- perl
scep_ready('/probe');
my $m = scep_make(challenge => 'open sesame');
my $r = scep_send('/scep', $m);
my ($status) = api('POST', "/m/api/certificates/$r->{serial}/revoke",
                   { reason => 'superseded' });
is($status, 200);
is(scep_send('/scep', $m)->{status}, 'FAILURE');
