# What SCEP refuses: malformed, forged, forbidden and unwanted messages.  Each
# gets the answer that it should, nothing is issued, no worker is lost, and
# the error log has no more than "info" about it (scep.md P1 to P15, R3, R4,
# S1 to S9, S22 to S29).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Scep;

redis_start();

work_file('challenge', "open sesame\n");

http_config('large_client_header_buffers 4 32k;', authority('demo'),
            authority('other'));

our $work = work_dir();

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /other   { scep other;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /enroll  { enroll demo; enroll_auth none insecure; }
END

our ($bad_alg, $bad_check, $bad_request, $bad_id) =
    map { "FAILURE $_" } qw( badAlg badMessageCheck badRequest badCertId );

our ($before, @workers);

# the authority's own key signs no message then

our $ec = ($ENV{PKI_KEY} // '') eq 'vault-ec';


sub start {
    scep_ready('/probe') or die 'not ready';
    ($before, @workers) = (issued('demo') + issued('other'), worker_pids());
}

# nothing was issued, and nobody died

sub finish {
    is(issued('demo') + issued('other'), $before, 'nothing is issued');
    is_deeply([worker_pids()], \@workers, 'the workers are the same');
}

# Each case: what is wrong, what is answered, options of scep_make(), which
# has the right challenge else.

sub refused {
    for (@_) {
        my ($what, $answer, @options) = @$_;
        my $r = scep_ask('/scep', challenge => 'open sesame', @options);
        is(scep_brief($r), $answer, $what);
        clean($r, $what);
    }
}

# the client is told nothing but the code

sub clean {
    my ($r, $what) = @_;
    is($r->{fail_info_text}, undef, "$what: no text");
    unlike($r->{body}, qr{/etc|/tmp|/usr|\.c:\d|error:[0-9A-F]|ssl}i,
           "$what: nothing of the inside");
}

# changes octets of a message

sub patched {
    my ($m, $code) = @_;
    local $_ = $m->{der};
    $code->();
    return { %$m, der => $_ };
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: T8: no message at all: HTTP 400
--- config eval
$::locations
--- perl
start();
my $m = scep_make(challenge => 'open sesame');
my $len = length $m->{der};
srand 42;
for (['empty', ''], ['a zero', "\0"],
     map({ ["truncated to $_", substr $m->{der}, 0, $_] }
         1, 4, 30, $len / 2, $len - 1),
     map({ ["$_ random octets", join '', map { chr rand 256 } 1 .. $_] }
         1, 2, 16, 500, 5000),
     ['octets behind it', "$m->{der}\0"], ['twice', $m->{der} x 2],
     ['text', "GET / HTTP/1.0\r\n\r\n"],
     ['PEM', "-----BEGIN CERTIFICATE REQUEST-----\n"],
     ['a CSR', slurp(new_csr())], ['deep', "\x30\x80" x 20000],
     ['a certificate', openssl('x509', '-in', "$::work/demo.pem",
                               '-outform', 'DER')])
{
    my ($what, $body) = @$_;
    my ($status, $headers, $answer) =
        http_post('/scep?operation=PKIOperation', $body);
    is($status, 400, $what);
    like($answer, qr/^(malformed message|no message)\n\z/, "$what: told so");
}
finish();
--- no_error_log
[error]



=== TEST 2: R3, R4: challenges: wrong, none, nearly right
--- config eval
$::locations
--- perl
start();
refused(
    map({ [ "challenge '$_'", $::bad_request, challenge => $_ ] }
        'wrong', '', 'open sesam', 'open sesame ', ' open sesame',
        'Open sesame', 'x' x 255),
    ['a line end', $::bad_check, challenge => "open sesame\n",
     challenge_tag => 'utf8'],
    ['none', $::bad_request, challenge => []],
    ['two, of which one is right', $::bad_check,
     challenge => ['open sesame', 'wrong']],
    ['two right ones', $::bad_check, challenge => [('open sesame') x 2]],
    ['an OCTET STRING', $::bad_check, challenge_tag => 'octet']);
finish();
--- no_error_log
[error]
[warn]
--- error_log
there is no challenge
the challenge is wrong



=== TEST 3: P7: enveloped for somebody else
--- config eval
$::locations
--- perl
start();
refused(
    ['another authority', $::bad_id, recipient => "$::work/other.pem"],
    ['another serial number', $::bad_id, recipient_serial => '1234'],
    ['five times another', $::bad_id, recipient => "$::work/other.pem",
     recipients => 5],
    ['six recipients', $::bad_request, recipients => 6]);

# right for the one is wrong for the other

my $m = scep_make(challenge => 'open sesame');
my ($ca, $issuer) = scep_recipient('other');
is(scep_brief(scep_send('/other', { %$m, ca => $ca, issuer => $issuer })),
   $::bad_id, 'at the wrong place');
finish();
--- no_error_log
[error]
[warn]



=== TEST 4: P3, P13, S7, S8: broken signatures, digests and envelopes
--- config eval
$::locations
--- perl
start();
refused(
    ['the signature', $::bad_check, broken => 'signature'],
    ['the messageDigest', $::bad_check, broken => 'digest'],
    ['the signature of the CSR', $::bad_check, broken => 'csr'],
    ['the wrapped key', $::bad_check, broken => 'cek'],
    ['the wrapped key, OAEP', $::bad_check, broken => 'cek',
     transport => 'oaep-sha256'],
    ['the content', $::bad_check, broken => 'envelope'],
    ['all of them', $::bad_check,
     broken => [qw( signature digest csr cek envelope )]]);

# S7: envelopes that cannot be opened and that open to rubbish: one answer

my %answers;
for my $cipher ('aes-128-cbc', 'aes-256-cbc', 'des3') {
    for my $broken ('cek', 'envelope', 'csr') {
        my $r = scep_ask('/scep', challenge => 'open sesame',
                         cipher => $cipher, broken => $broken);
        $answers{join ' ', $r->{http}, scep_brief($r), length $r->{body}}++;
    }
}
is_deeply([values %answers], [9], 'all alike, of one length')
    or diag(explain(\%answers));

my $m = scep_make(challenge => 'open sesame', broken => 'cek');
my %results = map { scep_brief(scep_send('/scep', $m)) => 1 } 1 .. 40;
is_deeply([keys %results], [$::bad_check], 'and every time');
finish();
--- no_error_log
[error]
[warn]



=== TEST 5: S9: CA:TRUE and other usages that nobody gets
--- config eval
$::locations
--- perl
start();
refused(['CA:TRUE', $::bad_request, ca_true => 1]);
finish();

# what is not refused is left out

for (['keyCertSign, cRLSign', key_usage => '0106'],
     ['OCSPSigning', eku => '1.3.6.1.5.5.7.3.9'],
     ['anyExtendedKeyUsage', eku => '2.5.29.37.0'],
     ['SID', extension => '1.3.6.1.4.1.311.25.2:-:3003020101'],
     ['name constraints', extension => '2.5.29.30:critical:3000'],
     ['ocsp-nocheck', extension => '1.3.6.1.5.5.7.48.1.5:-:0500'])
{
    my ($what, @options) = @$_;
    my $r = scep_ask('/scep', challenge => 'open sesame', @options,
                     cert => "$::work/usage.pem");
    next if ($r->{status} // '') eq 'FAILURE';
    is(scep_brief($r), 'SUCCESS', $what);
    my $text = openssl('x509', '-in', "$::work/usage.pem", '-noout', '-text');
    unlike($text, qr/CA:TRUE|Certificate Sign|CRL Sign|OCSP Signing
                     |Any Extended|311\.25\.2|Name Constr|No Check/x,
           "$what: left out");
}
--- no_error_log
[error]
[warn]



=== TEST 6: keys that are too small
--- config eval
$::locations
--- perl
start();
scep_make(key => 'signer');

# a key that is not the signer's own is not spoken of before the signature

refused(
    ['RSA-1024', $::bad_request, key => 'small', key_type => 'rsa:1024'],
    ['RSA-1024, signed by a larger one', $::bad_check, key => 'small',
     signer_key => "$::work/signer.scep"],
    ['RSA-1024 signs for a larger one', $::bad_request,
     signer_key => "$::work/small.scep"]);
finish();
--- no_error_log
[error]
[warn]



=== TEST 7: P9, R7: an EC signer cannot be answered without a challenge
--- config eval
$::locations
--- perl
start();
refused(map { ["EC $_", $::bad_alg, key => "ec$_", key_type => "ec:$_",
               challenge => []] } 'P-256', 'P-384', 'P-521');
finish();
--- no_error_log
[error]
[warn]



=== TEST 8: P4: attributes that are missing, there twice, of another type
--- config eval
$::locations
--- perl
start();
refused(
    ['no transactionID', 'HTTP 400', omit => 'txn'],
    ['two', 'HTTP 400', dup => 'txn'],
    ['an empty one', 'HTTP 400', txn => ''],
    ['129 characters', 'HTTP 400', txn => 'a' x 129],
    ['a UTF8String', 'HTTP 400', txn_tag => 'utf8'],
    ['S29: line ends', 'HTTP 400', txn_hex => '610d0a62'],
    ['S29: escapes', 'HTTP 400', txn_hex => '1b5b33316d'],
    ['S17: quotes', 'HTTP 400', txn => '","x":"'],
    ['NUL', 'HTTP 400', txn_hex => '6100'],
    ['no messageType', $::bad_request, omit => 'type'],
    ['two', $::bad_request, dup => 'type'],
    ['no senderNonce', $::bad_request, omit => 'nonce'],
    ['two', $::bad_request, dup => 'nonce'],
    ['no messageDigest', $::bad_request, omit => 'digest'],
    ['two', $::bad_request, dup => 'digest'],
    ['no contentType', $::bad_request, omit => 'content-type'],
    ['two', $::bad_request, dup => 'content-type'],
    ['all missing', 'HTTP 400', omit => [qw( txn type nonce digest time
                                             content-type )]]);

# what cannot be echoed is not

for my $len (0, 65) {
    my $r = scep_ask('/scep', challenge => 'open sesame', nonce_len => $len);
    is("$r->{status} $r->{fail_info}", $::bad_request,
       "a nonce of $len octets");
}
finish();
--- no_error_log
[error]
[warn]



=== TEST 9: S1, P5: no messageType but 19 gets a certificate
--- config eval
$::locations
--- perl
start();
my %answers;
for my $type (0 .. 255) {
    my $r = scep_ask('/scep', type => $type);
    $answers{scep_brief($r)}++;
}
is_deeply(\%answers, { $::bad_request => 254, $::bad_id => 2 },
          'without a challenge: 0 to 255');

%answers = ();
for my $type ('', '019', '19 ', ' 19', '+19', '-19', "19\0", '1 9', '0x13',
              '19.0', '1e1', '9', '1', '19' x 50, '1' x 1000, 'PKCSReq',
              "\x{0661}\x{0669}", '4294967315', '18446744073709551635', '18',
              '3', '17', '20', '21', '22', '23', '17 19')
{
    for my $challenge ([], 'open sesame') {
        my $r = scep_ask('/scep', type => $type, challenge => $challenge);
        $answers{scep_brief($r)}++;
    }
}
is_deeply(\%answers, { $::bad_request => 50, $::bad_id => 4 },
          'other texts, with and without a challenge');

refused(
    map({ ["19 as $_", $::bad_request, type_tag => $_] }
        'utf8', 'ia5', 't61', 'bmp', 'octet'),
    ['19 and 17', $::bad_request, dup_value => '17'],
    ['17 and 19', $::bad_request, type => '17', dup_value => '19'],
    ['19 and 19', $::bad_request, dup_value => '19']);
finish();
--- no_error_log
[error]
[warn]
--- timeout: 60



=== TEST 10: P10, P11, S24: algorithms that are not allowed
--- config eval
$::locations
--- perl
start();
refused(
    ['DES', $::bad_alg, cipher => 'des'],
    ['MD5', $::bad_alg, digest => 'md5', csr_digest => 'sha1'],
    ['an unknown cipher', $::bad_alg, cipher => 'null'],
    ['GCM', $::bad_request, cipher => 'aes-128-gcm'],
    ['MD5 in the request', $::bad_check, csr_digest => 'md5']);
finish();
--- no_error_log
[error]
[warn]



=== TEST 11: P12: octets behind the end, at each layer
--- config eval
$::locations
--- perl
start();
for my $octets ('00', '0000', '3000', '41' x 64) {
    refused(
        ["$octets behind the message", 'HTTP 400', trailing => $octets],
        ["$octets behind the envelope", $::bad_request,
         trailing_envelope => $octets],
        ["$octets behind the request", $::bad_check,
         trailing_csr => $octets]);
}
finish();
--- no_error_log
[error]
[warn]



=== TEST 12: P1, P2, S6, S22: signers and certificates
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $victim = scep_ask('/scep', challenge => 'open sesame', key => 'victim',
                      subject => 'CN=victim', cert => "$::work/victim.pem");
is(scep_brief($victim), 'SUCCESS');
scep_make(key => 'attacker');

start();
refused(
    ['no certificate', $::bad_check, no_cert => 1],
    ['only that of another', $::bad_check, no_cert => 1,
     first_cert => "$::work/victim.pem"],
    ['that of another, named', $::bad_check, key => 'attacker',
     signer_cert => "$::work/victim.pem",
     signer_key => "$::work/attacker.scep"],
    ['that of the CA, named', $::ec ? $::bad_alg : $::bad_check,
     key => 'attacker',
     signer_cert => "$::work/demo.pem",
     signer_key => "$::work/attacker.scep"],
    ['another key in it', $::bad_check, mismatch => 1],
    ['eleven', $::bad_request, extra_certs => 10],
    ['no signer', 'HTTP 400', signers => 0],
    ['two signers', 'HTTP 400', signers => 2]);
finish();
--- no_error_log
[error]
[warn]



=== TEST 13: P9, P12: what is in the envelope, or in its place
--- config eval
$::locations
--- perl
start();
refused(
    ['the request without envelope', $::bad_request, no_envelope => 1],
    map({ [ "$$_[0] in it", $::bad_check,
            payload => work_file('payload', $$_[1]) ] }
        ['nothing', ''], ['a zero', "\0"], ['text', 'open sesame'],
        ['PEM', slurp(new_csr(challenge => 'open sesame'))],
        ['a certificate', openssl('x509', '-in', "$::work/demo.pem",
                                  '-outform', 'DER')],
        ['16 KB', "\x30" x 16384]));
finish();
--- no_error_log
[error]



=== TEST 14: no octet that is signed can be another one
--- config eval
$::locations
--- perl
start();
my $m = scep_make(challenge => 'open sesame');
my $len = length $m->{der};

# not: versions, NULL parameters, the certificate that brings the key

my $state = JSON::PP::decode_json(slurp("$m->{file}.json"));
my $cert = pack 'H*', $state->{signer};
my $at = index $m->{der}, $cert;
my $type = index $m->{der}, pack('H*', '060a6086480186f845010902'),
                 $at + length $cert;
my @signed = (60 .. $at - 9, $type .. $len - 276, $len - 256 .. $len - 1);

my (%answers, @other);
for my $n (0 .. @signed / 5 - 1) {
    my $i = $signed[5 * $n];
    my $bad = patched($m, sub { substr($_, $i, 1) ^= "\x01" });
    my $r = scep_send('/scep', $bad);
    my $answer = exists $r->{errors} ? $r->{status} // 'none'
                                     : "HTTP $r->{http}";
    $answers{$answer}++;
    push @other, "$i: $answer" if $answer !~ /^(FAILURE|HTTP 400)$/;
}
is_deeply(\@other, [], 'FAILURE or 400');
cmp_ok($answers{FAILURE}, '>', 150, 'most of them CertReps');

# P11: nor can the list of digests be that of others

my $other = patched($m, sub { substr($_, 39, 1) ^= "\x03" });
is(scep_send('/scep', $other)->{fail_info}, 'badRequest', 'another digest');

finish();
is(scep_brief(scep_send('/scep', $m)), 'SUCCESS', 'and as it was');
--- no_error_log
[error]
[warn]
--- timeout: 60



=== TEST 15: cut at every place
--- config eval
$::locations
--- perl
start();
my $m = scep_make(challenge => 'open sesame');
my $len = length $m->{der};
my %answers;
for (my $i = 0; $i < $len; $i += 13) {
    my ($status) = http_post('/scep', substr $m->{der}, 0, $i);
    $answers{$status}++;
}
is_deeply([keys %answers], [400]);
finish();
--- no_error_log
[error]
[warn]



=== TEST 16: S12: headers of a proxy do not matter
--- config eval
$::locations
--- perl
start();
my $m = scep_make();
my %headers = map { $_ => 'CN=admin' } qw( X-SSL-Client-Cert X-Client-Cert
                  X-ARR-ClientCert X-Remote-User X-Forwarded-For );
$headers{Authorization} = 'Basic b3BlbiBzZXNhbWU6b3BlbiBzZXNhbWU=';
is(scep_brief(scep_send('/scep', $m, headers => \%headers)), $::bad_request);
finish();



=== TEST 17: wrong ones among right ones, all at once
--- config eval
$::locations
--- perl
start();
my @wrong = ([broken => 'signature'], [broken => 'cek'], [cipher => 'des'],
             [challenge => 'wrong'], [truncate => 700]);
my @messages = map {
    $_ % 2 ? scep_make(challenge => 'open sesame', @{ $wrong[$_ / 2] })
           : scep_make(challenge => 'open sesame', subject => "CN=right $_")
} 0 .. 9;
my @answers = scep_send_all('/scep', @messages);
is_deeply([map { scep_brief($_) } @answers],
          ['SUCCESS', $::bad_check, 'SUCCESS', $::bad_check, 'SUCCESS',
           $::bad_alg, 'SUCCESS', $::bad_request, 'SUCCESS', 'HTTP 400']);
is(issued('demo') + issued('other'), $::before + 5, 'the right ones');
--- no_error_log
[error]
[warn]
