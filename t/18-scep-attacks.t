# Attacks that other SCEP servers fell to (scep.md S1 to S34), as far as no
# other suite has the row: t/README.md says which has which.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Refused;
use PKI::Scep;

use Time::HiRes qw( time );
use Time::Piece ();

redis_start();

work_file('challenge', "open sesame\n");
work_file('second', "second secret\n");
work_file('third', "third secret\n");

our $work = work_dir();

# an authority that is about to end

my $brief = new_key('rsa:2048');

openssl('req', '-new', '-x509', '-key', $brief, '-days', 2,
        '-subj', '/CN=brief', '-addext', 'basicConstraints=critical,CA:TRUE',
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature,'
                   . 'keyEncipherment',
        '-out', work_file('brief.pem'));
rename $brief, work_file('brief.key') or die $!;

http_config('large_client_header_buffers 4 32k;',
            'client_body_buffer_size 128k;', authority('demo'),
            authority('other'), <<"END");
pki_authority brief {
    key         file:$work/brief.key;
    certificate $work/brief.pem;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
pki_profile ours {
    allow_subject "^CN=[a-z0-9]+,O=Contoso\$";
    allow_san     dns "^[a-z0-9]+\\.contoso\\.example\$";
}
log_format safe escape=json '{"subject":"\$pki_subject",'
                            '"transaction":"\$scep_transaction_id"}';
scep_challenge static $work/challenge;
END

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo; }
location /other   { scep other; }
location /second  { scep demo; scep_challenge static $TEST_NGINX_WORK/second; }
location /third   { scep other; scep_challenge static $TEST_NGINX_WORK/third; }
location /renewal { scep demo; scep_renewal on within=0; }
location /manual  { scep demo; scep_approval manual; }
location /ours    { scep demo; scep_profile ours; }
location /brief   { scep brief; }
location /m/      { certificate_master demo; certificate_master_user somebody;
                    certificate_master_roles reader; }
END

our %serials;

# SET, SEQUENCE, ... of octets

sub der {
    my ($tag, $content) = @_;
    my $n = length $content;
    return pack('CC', $tag, $n) . $content if $n < 128;
    return pack('CCn', $tag, 0x82, $n) . $content if $n < 65536;
    return pack('CCN', $tag, 0x84, $n) . $content;
}

# A Name of one attribute after the other: OID (hex), tag, value

sub name {
    my (@parts) = @_;
    my $rdns = '';
    while (my ($oid, $tag, $value) = splice @parts, 0, 3) {
        $rdns .= der(0x31, der(0x30, der(6, pack 'H*', $oid)
                                     . der($tag, $value)));
    }
    return unpack 'H*', der(0x30, $rdns);
}

# notBefore and notAfter of a certificate, in seconds

sub dates {
    my $text = openssl('x509', '-in', $_[0], '-noout', '-dates', '-dateopt',
                       'iso_8601');
    return map { Time::Piece->strptime($_, '%Y-%m-%d %H:%M:%S')->epoch }
           $text =~ /=(\S+ \S+)Z/g;
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: S1: no messageType gets around the challenge
--- config eval
$::locations
--- perl
refused_start();
my %wrong;
for my $uri ('/scep', '/renewal', '/manual') {
    for my $type (0 .. 32, 255, '019', '+19', "19\0", '19 ', '1' x 300) {
        my $r = scep_ask($uri, type => $type, subject => 'CN=admin',
                         signer_subject => 'CN=demo CA,O=Test');
        my $brief = scep_brief($r);
        $wrong{"$uri $type: $brief"} = 1
            if $brief !~ /^FAILURE bad(Request|CertId|MessageCheck)$/;
    }
}
is_deeply([sort keys %wrong], [], 'FAILURE, all of them');
refused_finish();
accepted('/renewal', ['with the challenge, it is one']);
--- no_error_log
[error]
[warn]



=== TEST 2: S2: each credential is good at its own place only
--- config eval
$::locations
--- perl
refused_start();
my %own = ('/scep demo open sesame' => 1, '/second demo second secret' => 1,
           '/other other open sesame' => 1, '/third other third secret' => 1);
for my $uri ('/scep', '/second', '/other', '/third') {
    for my $name ('demo', 'other') {
        for my $secret ('open sesame', 'second secret', 'third secret') {
            my ($ca, $issuer) = scep_recipient($name);
            my @case = ("$name, '$secret' at $uri", ca => $ca,
                        issuer => $issuer, challenge => $secret);
            if ($own{"$uri $name $secret"}) {
                accepted($uri, \@case);
                next;
            }
            my $there = $uri =~ /other|third/ ? 'other' : 'demo';
            if ($there ne $name) {
                # whoever answers is not whom the message was for
                my $m = scep_make(@case[1 .. $#case]);
                ($m->{ca}, $m->{issuer}) = scep_recipient($there);
                is(scep_brief(scep_send($uri, $m)), $bad_id, $case[0]);
                next;
            }
            splice @case, 1, 0, $bad_request;
            refused($uri, \@case);
        }
    }
}
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 3: S3: a right challenge is not good for any name
--- config eval
$::locations
--- perl
refused_start();
accepted('/ours', ['its own', subject => 'CN=a1,O=Contoso',
                   san => 'DNS:a1.contoso.example']);
refused('/ours',
    ['another organization', $bad_request, subject => 'CN=a1,O=Other'],
    ['one more behind it', $bad_request, subject => 'CN=a1,O=Contoso,OU=x'],
    ['another host', $bad_request, subject => 'CN=a1,O=Contoso',
     san => 'DNS:www.example'],
    ['a right one and another', $bad_request, subject => 'CN=a1,O=Contoso',
     san => ['DNS:a1.contoso.example', 'DNS:www.example']],
    ['a name of another kind', $bad_request, subject => 'CN=a1,O=Contoso',
     san => 'UPN:admin@contoso.example'],
    ['no subject at all', $bad_request, subject => '',
     san => 'DNS:a1.contoso.example']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 4: S7, S8: an envelope tells nothing, whatever the messageType
--- config eval
$::locations
--- perl
refused_start();
my $noise = work_file('noise', 'x' x 600);
for (['/scep', 19, $bad_check], ['/renewal', 17, $bad_check],
     ['/manual', 19, $bad_check], ['/manual', 20, $bad_id],
     ['/scep', 21, $bad_id], ['/scep', 22, $bad_id])
{
    my ($uri, $type, $answer) = @$_;
    my %seen;
    for my $options ([broken => 'cek'], [broken => 'envelope'],
                     [broken => ['cek', 'envelope']], [payload => $noise],
                     [payload => work_file('empty', '')],
                     [transport => 'oaep', broken => 'cek'],
                     [about => "$::work/demo.pem", trailing_csr => '00'],
                     [broken => 'csr'], [trailing_csr => '0500'])
    {
        my $r = scep_ask($uri, challenge => 'open sesame', txn => 'a' x 8,
                         type => $type, @$options);
        $seen{join ' ', $r->{http}, scep_brief($r), length $r->{body}}++;
    }
    is_deeply([values %seen], [9], "$uri, $type: one answer")
        or diag(Test::More::explain(\%seen));
    like((keys %seen)[0], qr/^200 \Q$answer\E \d+$/, 'namely');
}
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 5: S8: no bit of the ciphertext tells anything
--- config eval
$::locations
--- perl
refused_start();
for my $cipher ('aes-128-cbc', 'des3') {
    my %seen;
    for my $at (map({ 37 * $_ } 0 .. 15), -1, -2, -8, -9, -16, -17, -32) {
        my $r = scep_ask('/scep', challenge => 'open sesame', txn => 'a' x 8,
                         cipher => $cipher, flip_sealed => $at);
        $seen{join ' ', $r->{http}, scep_brief($r), length $r->{body}}++;
    }
    is_deeply([values %seen], [23], "$cipher: one answer")
        or diag(Test::More::explain(\%seen));
    like((keys %seen)[0], qr/^200 \Q$bad_check\E \d+$/, 'namely');
}
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 6: S9, S10: extensions are not copied
--- config eval
$::locations
--- perl
refused_start();
refused('/scep',
    ['CA:TRUE', $bad_request, ca_true => 1],
    ['CA:TRUE, as Microsoft has it', $bad_request, ca_true => 1,
     ms_extensions => 1],
    ['CA:TRUE, not critical', $bad_request,
     extension => '2.5.29.19:-:30030101ff'],
    ['CA:TRUE with a path length', $bad_request,
     extension => '2.5.29.19:critical:30060101ff020105'],
    ['no BasicConstraints at all', $bad_request,
     extension => '2.5.29.19:critical:0500'],
    ['keyCertSign', $bad_request, key_usage => '0204'],
    ['cRLSign', $bad_request, key_usage => '0102'],
    ['OCSPSigning', $bad_request, eku => ['1.3.6.1.5.5.7.3.2',
                                          '1.3.6.1.5.5.7.3.9']],
    ['anyExtendedKeyUsage', $bad_request, eku => '2.5.29.37.0'],
    ['codeSigning', $bad_request, eku => '1.3.6.1.5.5.7.3.3'],
    ['timeStamping', $bad_request, eku => '1.3.6.1.5.5.7.3.8'],
    ['enrolment agent', $bad_request, eku => '1.3.6.1.4.1.311.20.2.1'],
    ['critical nameConstraints', $bad_request,
     extension => '2.5.29.30:critical:3000'],
    ['a critical one of nobody', $bad_request,
     extension => '1.3.6.1.4.1.99999.1:critical:0500']);
refused_finish();

my @extensions = (
    '2.5.29.14:-:0404deadbeef',                       # key identifiers
    '2.5.29.35:-:30068004deadbeef',
    '2.5.29.18:-:300b82096576696c2e74657374',         # issuerAltName
    '2.5.29.30:-:3000',                               # nameConstraints
    '2.5.29.31:-:30133011a00fa00d860b687474703a2f2f6576696c',
    '2.5.29.32:-:300830060604551d2000',               # anyPolicy
    '2.5.29.33:-:3000', '2.5.29.36:-:3000', '2.5.29.54:-:020100',
    '1.3.6.1.5.5.7.1.1:-:301c301a06082b06010505073001860e687474703a2f2f6576'
        . '696c2f6f63',                               # OCSP elsewhere
    '1.3.6.1.5.5.7.1.24:-:3003020105',                # OCSP must staple
    '1.3.6.1.5.5.7.48.1.5:-:0500',                    # ocsp-nocheck
    '1.3.6.1.4.1.11129.2.4.3:-:0500',                 # CT poison
    '1.3.6.1.4.1.311.20.2:-:1e080055007300650072',    # templates
    '1.3.6.1.4.1.311.21.7:-:30060604551d2000',
    '1.3.6.1.4.1.311.21.10:-:300830060604551d2500',
    '1.3.6.1.4.1.311.25.2:-:3021a01f060a2b060104018237190201a011040f532d312d'
        . '352d32312d312d322d333030',                 # SID of somebody
    '2.16.840.1.113730.1.1:-:03020007',               # Netscape: a CA
);
accepted('/scep', ['many of them', extension => \@extensions,
    key_usage => '05a0', cert => "$::work/many.pem",
    eku => '1.3.6.1.5.5.7.3.2']);

my $text = openssl('x509', '-in', "$::work/many.pem", '-noout', '-text');
my ($part) = $text =~ /X509v3 extensions:\n(.*?)\n    Signature/s;
my @names = sort $part =~ /^ {12}(\S.*?):/mg;
is_deeply(\@names, ['Authority Information Access',
    'X509v3 Authority Key Identifier', 'X509v3 CRL Distribution Points',
    'X509v3 Extended Key Usage', 'X509v3 Key Usage',
    'X509v3 Subject Key Identifier'], 'its own');
unlike($text, qr/evil|DE:AD:BE:EF|CA:TRUE|Certificate Sign|CRL Sign/, 'own');
like($text, qr/Extended Key Usage:\s*\n\s*TLS Web Client Authentication\n/);

my $lint = (command('openssl', 'verify', '-x509_strict', '-CAfile',
                    "$::work/demo.pem", "$::work/many.pem"))[1];
like($lint, qr/: OK/, 'and strictly one');

# the other places for a security identifier

my $sid = 'tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500';
for my $case (['a URI', san => "URI:$sid"], ['and a name',
              san => ["URI:$sid", 'DNS:a.example']])
{
    my ($what, @options) = @$case;
    unlink "$::work/sid.pem";
    my $r = scep_ask('/scep', challenge => 'open sesame', @options,
                     cert => "$::work/sid.pem");
    my $der = -e "$::work/sid.pem"
              ? openssl('x509', '-in', "$::work/sid.pem", '-outform', 'DER')
              : '';
    ok($r->{status} eq 'FAILURE' || $der ne '', "$what: an answer");
    unlike($der, qr/S-1-5-21/, "$what: not in the certificate");
}
--- no_error_log
[error]
[warn]



=== TEST 7: S11: subjects made to be misread
--- config eval
$::locations
--- perl
refused_start();
my ($cn, $o) = ('550403', '55040a');
refused('/scep',
    ['a NUL', $bad_request, subject_der => name($cn, 12, "admin\0.evil")],
    ['a NUL, IA5String', $bad_request,
     subject_der => name($cn, 0x16, "admin\0")],
    ['a NUL, BMPString', $bad_request,
     subject_der => name($cn, 0x1e, "\0a\0\0\0b")],
    ['a line end', $bad_request, subject_der => name($cn, 12, "a\nb")],
    ['an escape', $bad_request, subject_der => name($cn, 12, "a\e[31mb")],
    ['no UTF-8', $bad_request, subject_der => name($cn, 12, "a\xff")],
    ['half a surrogate', $bad_request,
     subject_der => name($cn, 0x1e, "\xd8\x00")],
    ['half a character', $bad_request,
     subject_der => name($cn, 0x1e, "\0a\0")],
    ['an INTEGER', $bad_request, subject_der => name($cn, 2, "\1")],
    ['a common name of 30 KB', $bad_request,
     subject_der => name($cn, 12, 'a' x 30000)],
    ['a thousand parts', $bad_request,
     subject_der => name(map { ($o, 12, 'a') } 1 .. 1000)]);
refused_finish();

# whatever looks alike is kept as it came

for (['two common names', name($cn, 12, 'a', $cn, 12, 'admin'),
      'CN=admin,CN=a'],
     ['a comma', name($cn, 12, 'a,O=Contoso'), 'CN=a\\,O=Contoso'],
     ['quotes', name($cn, 12, '","status":"x'), qr/^CN=.*status/],
     ['a Cyrillic a', name($cn, 12, "\xd0\xb0dmin"), qr/dmin$/])
{
    my ($what, $der, $subject) = @$_;
    my $r = scep_ask('/scep', challenge => 'open sesame',
                     subject_der => $der, cert => "$::work/odd.pem");
    is(scep_brief($r), 'SUCCESS', $what);
    my $issued = openssl('x509', '-in', "$::work/odd.pem", '-outform', 'DER');
    isnt(index($issued, pack 'H*', $der), -1, "$what: octet for octet");

    my ($status, $item) = api('GET', "/m/api/certificates/$r->{serial}");
    is($status, 200, "$what: S17: the API shows it");
    is($item->{status}, 'good', "$what: and nothing else");
    ref $subject ? like($item->{subject}, $subject, $what)
                 : is($item->{subject}, $subject, $what);
}
--- no_error_log
[error]
[warn]



=== TEST 8: S13, S14: fifty clients with one transaction: one certificate
--- config eval
$::locations
--- perl
refused_start();
my $before = issued('demo');
my @messages = map { scep_make(challenge => 'open sesame', txn => 'shared',
                               subject => 'CN=shared',
                               cipher => $_ % 2 ? 'aes-128-cbc'
                                                : 'aes-256-cbc') } 1 .. 50;
my @answers = scep_send_all('/scep', @messages);
is(scalar(grep { scep_brief($_) eq 'SUCCESS' } @answers), 50, 'answered')
    or diag(map { scep_brief($_) . "\n" } @answers);
my %serials = map { ($_->{serial} // '') => 1 } @answers;
is(keys %serials, 1, 'one certificate');
is(issued('demo'), $before + 1, 'one record');
--- no_error_log
[error]



=== TEST 9: S15: a captured message is good for its own certificate only
--- config eval
$::locations
--- perl
refused_start();
my $m = scep_make(challenge => 'open sesame', txn => 'captured',
                  subject => 'CN=captured');
my $r = scep_send('/scep', $m);
is(scep_brief($r), 'SUCCESS');
my $count = issued('demo') + issued('other');

for my $case (['/scep', get => 1], ['/scep/other/path'], ['/renewal'],
              ['/scep', headers => { 'X-Forwarded-For' => '192.0.2.9' }])
{
    my ($uri, @options) = @$case;
    my $again = scep_send($uri, $m, @options);
    is($again->{serial}, $r->{serial}, "at $uri: the same certificate");
}
is(scep_brief(scep_send('/second', $m)), $bad_request, 'another challenge');
is(scep_brief(scep_send('/ours', $m)), $bad_request, 'another profile');

my ($ca, $issuer) = scep_recipient('other');
is(scep_brief(scep_send('/other', { %$m, ca => $ca, issuer => $issuer })),
   $bad_id, 'another authority');

# nor does the transaction give anybody else's certificate

my $thief = scep_ask('/scep', challenge => 'open sesame', key => 'thief',
                     txn => 'captured', subject => 'CN=captured');
isnt($thief->{serial}, $r->{serial}, 'another key: not this certificate');
$count++ if $thief->{status} eq 'SUCCESS';

is(issued('demo') + issued('other'), $count, 'no other was issued');
--- no_error_log
[error]
[warn]



=== TEST 10: S17, S29: subjects and transactions in JSON
--- config eval
$::locations . <<'END';
location /logged { scep demo; access_log $TEST_NGINX_WORK/safe.log safe; }
END
--- perl
refused_start();
my $nasty = '","serial":"1","x":"\\';
my $r = scep_ask('/logged', challenge => 'open sesame', txn => "a'(),+:=?/",
                 subject_der => name('550403', 12, $nasty));
is(scep_brief($r), 'SUCCESS');

my ($status, $item) = api('GET', "/m/api/certificates/$r->{serial}");
is($item->{serial}, $r->{serial}, 'the API: its own serial number');
ok(!exists $item->{x}, 'and no member more');
is($item->{transaction}, "a'(),+:=?/");

ok(wait_until(sub { -s "$::work/safe.log" }), 'logged');
my @lines = split /\n/, slurp("$::work/safe.log");
is(@lines, 1, 'one line');
my $line = eval { JSON::PP::decode_json($lines[0]) };
is_deeply([sort keys %{ $line || {} }], ['subject', 'transaction'],
          'of two members');
--- no_error_log
[error]
[warn]



=== TEST 11: S21: what OpenSSL must not see in a request
--- config eval
$::locations
--- perl
refused_start();
for my $kind ('kari', 'kekri', 'pwri', 'ori') {
    refused('/scep',
        ["$kind alone", $bad_alg, decoy => $kind, recipients => 0],
        ["$kind before the right one", $bad_alg, decoy => $kind],
        ["$kind after another", $bad_alg, decoy => ['ktri', $kind]]);
}
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 12: S22: bombs
--- config eval
$::locations
--- perl
refused_start();
my $oid = pack 'H*', '06092a864886f70d010702';
my $version = "\2\1\1";
my $digests = der(0x31, der(0x30, pack 'H*', '06096086480165030402010500'));
my $encap = der(0x30, pack 'H*', '06092a864886f70d010701');

sub signed {
    return der(0x30, $oid . der(0xa0, der(0x30, join '', @_)));
}

my $nested = "\5\0";
$nested = der(0x30, $nested) for 1 .. 40;
my $strings = "\x04\x01x";
$strings = "\x24\x80$strings\0\0" for 1 .. 40;

for (['sequences without end', "\x30\x80" x 32000],
     ['40 deep', $nested], ['segments in segments, 40 deep', $strings],
     ['segments without end', "\x24\x80" x 32000],
     ['20,000 segments', "\x24\x80" . "\x04\x01x" x 20000 . "\0\0"],
     ['empty segments', "\x24\x80" . "\x04\0" x 30000 . "\0\0"],
     ['10,000 elements', der(0x30, "\5\0" x 10000)],
     ['10,000 digests', signed($version, der(0x31, der(0x30, "\6\1\1")
                                                   x 10000), $encap)],
     ['10,000 certificates', signed($version, $digests, $encap,
                                    der(0xa0, "\x30\0" x 10000),
                                    der(0x31, ''))],
     ['10,000 signers', signed($version, $digests, $encap,
                               der(0x31, "\x30\0" x 10000))],
     ['a length of 4 GB', "\x30\x84\xff\xff\xff\xff"],
     ['a length of 2^64', "\x30\x88" . "\xff" x 8],
     ['a length of 126 octets', "\x30\xfe" . "\xff" x 126],
     ['a tag of many octets', "\x3f" . "\xff" x 5000],
     ['zeros', "\0" x 60000])
{
    my ($what, $body) = @$_;
    my $start = time;
    my ($status, undef, $answer) = http_post('/scep', $body);
    is($status, 400, $what);
    is($answer, "malformed message\n", "$what: told so");
    cmp_ok(time - $start, '<', 8, "$what: at once");
}

# by their depth and number, before anybody looks what they are

my $n = () = error_log() =~ /refused: the message is not ASN\.1/g;
is($n, 15, 'and none was looked at any further');

# those in right messages

refused('/scep',
    ['150 recipients', $bad_request, recipients => 150],
    ['30 certificates', $bad_request, extra_certs => 30],
    ['100 signers', 'HTTP 400', signers => 100],
    ['2,000 attributes', 'HTTP 400',
     extra_attribute => [('1.3.6.1.4.1.99999.1:0500') x 2000]],
    ['50 attributes in the request', $bad_check,
     csr_attribute => [map { "1.3.6.1.4.1.99999.$_:0500" } 1 .. 50]],
    ['50 extensions', $bad_check,
     extension => [map { "1.3.6.1.4.1.99999.$_:-:0500" } 1 .. 50]]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 13: S23: keys that would cost too much are not computed with
--- config eval
$::locations
--- perl
refused_start();
my $before = length error_log();
refused('/scep', map { ["$_", $bad_request, signer_false => $_] }
    '16384:10001', '8192:10001', '4097:10001', '2047:10001', '512:10001',
    '2048:1', '2048:100000001', '2048:' . 'f' x 255, '4096:' . 'f' x 1000);
my $log = substr error_log(), $before;
my $n = () = $log =~ /the signer's RSA key has not 2048 to 4096 bits/g;
is($n, 9, 'before its signature is looked at');
unlike($log, qr/the signature is wrong|messageDigest/);

# nor with those of requests, whoever signs the message

scep_make(key => 'signer');
for (['16384:10001', qr/keys of this kind and size are not allowed/],
     ['1024:10001', qr/keys of this kind and size are not allowed/],
     ['2048:1', qr/the public exponent is even or below 3/],
     ['2048:10000', qr/the public exponent is even or below 3/],
     ['2048:100000001', qr/the public exponent is over 32 bits/],
     ['2048:' . 'f' x 255, qr/the public exponent is over 32 bits/])
{
    my ($key, $why) = @$_;
    $before = length error_log();
    refused('/scep', ["a request, $key", $bad_check, csr_false => $key,
                      signer_key => "$::work/signer.scep"]);
    like(substr(error_log(), $before), $why, 'the log says why');
}

# those that may be computed with

refused('/scep', map { ["$_", $bad_check, signer_false => $_] }
    '2048:10001', '4096:10001', '2048:3', '2048:ffffffff');
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 14: S34: not longer than the authority, not before it
--- config eval
$::locations
--- perl
refused_start();
my $r = scep_ask('/brief', challenge => 'open sesame',
                 ca => "$::work/brief.pem", cert => "$::work/clipped.pem");
is(scep_brief($r), 'SUCCESS');
my ($from, $to) = dates("$::work/brief.pem");
my ($not_before, $not_after) = dates("$::work/clipped.pem");
cmp_ok($not_after, '<=', $to, 'not longer');
cmp_ok($not_after, '>', $to - 600, 'but as long');
cmp_ok($not_before, '>=', $from, 'not before it');
--- no_error_log
[error]
