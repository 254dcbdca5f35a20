# pkiMessages and CertReps, row by row (scep.md P1 to P16, R1 to R11, O8), as
# far as no other suite has the row: t/README.md says which has which.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Refused;
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
END

# content types of CMS that are neither data nor what is expected

our %types = (
    data           => '1.2.840.113549.1.7.1',
    signed         => '1.2.840.113549.1.7.2',
    enveloped      => '1.2.840.113549.1.7.3',
    digested       => '1.2.840.113549.1.7.5',
    encrypted      => '1.2.840.113549.1.7.6',
    authenticated  => '1.2.840.113549.1.9.16.1.2',
    compressed     => '1.2.840.113549.1.9.16.1.9',
    auth_enveloped => '1.2.840.113549.1.9.16.1.23',
    unknown        => '1.3.6.1.4.1.99999.1',
);

# DER, as hex

sub der {
    my ($tag, @parts) = @_;
    my $hex = join '', @parts;
    my $n = length($hex) / 2;
    return sprintf('%02x', $tag)
           . ($n < 128 ? sprintf('%02x', $n) : sprintf('81%02x', $n)) . $hex;
}

our %hash = (sha1 => '06052b0e03021a', sha256 => '0609608648016503040201',
             sha512 => '0609608648016503040203',
             md5 => '06082a864886f70d0205');

our $mgf1 = '06092a864886f70d010108';
our $specified = '06092a864886f70d010109';

# RSAES-OAEP-params: two hashes, the label

sub oaep {
    my ($hash, $mgf, $label, $null) = @_;
    $null //= '0500';
    return der(0x30,
        $hash ? der(0xa0, der(0x30, $::hash{$hash}, $null)) : '',
        $mgf ? der(0xa1, der(0x30, $mgf1, der(0x30, $::hash{$mgf}, $null)))
             : '',
        defined $label ? der(0xa2, der(0x30, $specified, der(4, $label)))
                       : '');
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: P1: SignedData over data, and nothing else
--- config eval
$::locations
--- perl
refused_start();
my %types = %::types;
refused('/scep',
    map({ ["$_ instead of SignedData", 'HTTP 400', outer_type => $types{$_}] }
        sort grep { $_ ne 'signed' } keys %types),
    map({ ["what is signed is said to be $_", $bad_request,
           content_type => $types{$_}] }
        sort grep { $_ ne 'data' } keys %types),
    map({ ["an attribute says that it is $_", $bad_request,
           content_attribute => $types{$_}] } 'enveloped', 'unknown'),
    ['there is no content', $bad_request, detached => 1]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 2: P7, P11: EnvelopedData of data, and nothing else
--- config eval
$::locations
--- perl
refused_start();
my %types = %::types;
refused('/scep',
    map({ ["$_ instead of EnvelopedData", $bad_request,
           inner_type => $types{$_}] }
        sort grep { $_ ne 'enveloped' } keys %types),
    map({ ["what is encrypted is said to be $_", $bad_request,
           sealed_type => $types{$_}] }
        sort grep { $_ ne 'data' } keys %types),
    ['AuthEnvelopedData with GCM', $bad_request, cipher => 'aes-128-gcm']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 3: P1, P3: attributes that nobody asked for do not disturb
--- config eval
$::locations
--- perl
refused_start();
my $protection = '1.2.840.113549.1.9.52:'
    . der(0x30, der(0x30, $::hash{sha256}, '0500'),
          der(0x81, '06092a864886f70d0101010500'));
accepted('/scep',
    ['CMSAlgorithmProtection', extra_attribute => $protection],
    ['one of nobody', extra_attribute => '1.3.6.1.4.1.99999.1:0500'],
    ['one without values', extra_attribute => '1.3.6.1.4.1.99999.1:'],
    ['SMIMECapabilities',
     extra_attribute => '1.2.840.113549.1.9.15:3000'],
    ['failInfo and pkiStatus, which are for answers',
     extra_attribute => ['2.16.840.1.113733.1.9.3:130130',
                         '2.16.840.1.113733.1.9.4:130132']],
    ['unsigned ones', unsigned => '1.3.6.1.4.1.99999.1:0500']);

# what is not signed counts for nothing

my $type = '2.16.840.1.113733.1.9.2:13023139';
refused('/scep', ['messageType unsigned', $bad_request, omit => 'type',
                  unsigned => $type]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 4: P2: the signer's certificate is the one that its identifier names
--- config eval
$::locations
--- perl
refused_start();
my $other = accepted('/scep', ['one more', key => 'second',
                               cert => "$::work/second.pem"]);

accepted('/scep',
    ['by issuer and serial number, the last of three',
     first_cert => ["$::work/second.pem", "$::work/demo.pem"]],
    ['by key identifier, the last of three', signer_ski => 1,
     first_cert => ["$::work/second.pem", "$::work/demo.pem"]],
    ['twice the same', first_cert => [("$::work/second.pem") x 2]]);

# a certificate of the same issuer and number, with another key, goes first

my $m = scep_make(challenge => 'open sesame', mismatch => 1);
my $state = JSON::PP::decode_json(slurp("$m->{file}.json"));
work_file('twin.der', pack 'H*', $state->{signer});
refused('/scep', ['its twin comes first', $bad_check,
                  first_cert => "$::work/twin.der"]);

# it issues to the signer, and names the signer

my $r = accepted('/scep', ['a signer of another name', subject => 'CN=mine',
                           signer_subject => 'CN=somebody else']);
is($r->{subject}, 'CN=mine');
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 5: P7: the recipient's name in other octets
--- config eval
$::locations
--- perl
refused_start();
accepted('/scep', map { ["issuer: $_", recipient_name => $_] }
                      'tags', 'upper', 'blanks');
refused('/scep',
    map({ ["issuer: $_, of another number", $bad_id, recipient_name => $_,
           recipient_serial => '1234'] } 'tags', 'upper', 'blanks'));
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 6: P7: one of several recipients, wherever it stands
--- config eval
$::locations
--- perl
refused_start();
accepted('/scep',
    map({ ["after $_ others", decoy => [('ktri') x $_]] } 1 .. 4),
    ['after others, by key identifier', decoy => ['ktri', 'ktri'],
     recipient_ski => 1],
    ['after others, OAEP', decoy => 'ktri', transport => 'oaep-sha256']);
refused('/scep',
    ['after five', $bad_request, decoy => [('ktri') x 5]],
    ['others alone', $bad_id, decoy => 'ktri', recipients => 0],
    ['none', $bad_request, recipients => 0]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 7: P8: RSAES-OAEP and its parameters
--- config eval
$::locations
--- perl
refused_start();
accepted('/scep',
    ['defaults, written out', transport => 'oaep',
     oaep_params => oaep('sha1', 'sha1', '')],
    ['a label of no octets', transport => 'oaep-sha256',
     oaep_params => oaep('sha256', 'sha256', '')],
    ['hashes without NULL', transport => 'oaep-sha256',
     oaep_params => oaep('sha256', 'sha256', undef, '')],
    ['another hash of MGF1', transport => 'oaep-sha256', mgf1 => 'sha512'],
    ['SHA-1 of MGF1, written out', transport => 'oaep-sha256', mgf1 => 'sha1',
     oaep_params => oaep('sha256', 'sha1')]);
refused('/scep',
    ['MD5', $bad_alg, oaep_params => oaep('md5', 'md5')],
    ['MD5 of MGF1', $bad_alg, transport => 'oaep-sha256',
     oaep_params => oaep('sha256', 'md5')],
    ['MD5 and MGF1 with SHA-256', $bad_alg, transport => 'oaep-sha256',
     oaep_params => oaep('md5', 'sha256')],
    ['a label', $bad_alg, oaep_params => oaep('sha256', 'sha256', '61')],
    ['no parameters', $bad_alg, oaep_params => ''],
    ['NULL', $bad_alg, oaep_params => '0500'],
    ['something behind them', $bad_alg,
     oaep_params => der(0x30, der(0xa3, '0500'))],
    ['no MGF1', $bad_alg, oaep_params => der(0x30, der(0xa1, der(0x30,
        $::specified, der(0x30, $::hash{sha1}, '0500'))))],

    # they are right as such: PKCS #1 padding is no OAEP

    ['for another padding', $bad_check, oaep_params => oaep('sha1', 'sha1')],
    ['for another MGF1', $bad_check, transport => 'oaep-sha256',
     oaep_params => oaep('sha256', 'sha1')]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 8: P10, P11, S24: ciphers, and what they need
--- config eval
$::locations
--- perl
refused_start();
refused('/scep',
    map({ [$_, $bad_alg, cipher => $_] }
        'des', 'rc2', 'rc4', 'null', 'aes-128-ecb', 'aes-128-ofb'),
    map({ my $cipher = $_;
          map({ ["$cipher, an IV of $_ octets", $bad_alg, cipher => $cipher,
                 iv_len => $_] } 0, 7, 15, 17, 32) }
        'aes-128-cbc', 'aes-256-cbc', 'des3'));
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 9: P10: what legacy clients get is theirs alone
--- config eval
$::locations . <<'END';
location /legacy { scep demo; scep_legacy des md5;
                   scep_challenge static $TEST_NGINX_WORK/challenge; }
END
--- suppress_stderr
--- perl
refused_start();
accepted('/legacy', ['DES and MD5', cipher => 'des', digest => 'md5',
                     csr_digest => 'sha1']);
refused('/legacy', map { [$_, $bad_alg, cipher => $_] }
                       'rc2', 'rc4', 'null', 'aes-128-ecb');
refused('/scep', ['beside it', $bad_alg, cipher => 'des']);
refused_finish();



=== TEST 10: P12: what is encrypted must be what the messageType says
--- config eval
$::locations
--- perl
refused_start();
refused('/scep',
    ['an IssuerAndSerialNumber as PKCSReq', $bad_check,
     about => "$::work/demo.pem"],
    ['a request as GetCert', $bad_id, type => 21],
    ['a request as GetCRL', $bad_id, type => 22],
    map({ ["octets behind an IssuerAndSerialNumber, messageType $_",
           $bad_id, type => $_, about => "$::work/demo.pem",
           trailing_csr => '00'] } 21, 22));
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 11: P13: the request has a subject or a SAN, a key, its signature
--- config eval
$::locations
--- perl
refused_start();
accepted('/scep', ['a SAN alone', subject => '', san => 'DNS:a.example']);
refused('/scep',
    ['its signature is wrong', $bad_check, broken => 'csr'],
    ['neither subject nor SAN', $bad_request, subject => ''],
    ['a subject that is no Name', $bad_check, subject_der => '0500'],
    ['a subject of a cut Name', $bad_request, subject_der => '30023100'],
    ['an attribute that is none', $bad_check,
     csr_attribute => '1.2.840.113549.1.9.14:0500'],
    ['extensions twice', $bad_check, key_usage => '05a0',
     csr_attribute => '1.2.840.113549.1.9.14:300f300d0603551d0f0101ff0403'
                      . '0205a0']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 12: P14, P15, O8: who signs does not say who may
--- config eval
$::locations
--- perl
refused_start();

# certificates of this authority, of another one here, of nobody

accepted('/scep', ['one of this authority', key => 'old', subject => 'CN=old',
                   cert => "$::work/old.pem"]);
my ($ca, $issuer) = scep_recipient('other');
accepted('/other', ['one of another authority', key => 'foreign', ca => $ca,
                    issuer => $issuer, subject => 'CN=foreign',
                    cert => "$::work/foreign.pem"]);

for my $name ('old', 'foreign') {
    my %signer = (signer_cert => "$::work/$name.pem",
                  signer_key => "$::work/$name.scep");
    my $r = accepted('/scep', ["signed by $name, with a challenge", %signer,
                               subject => "CN=by $name"]);
    is($r->{subject}, "CN=by $name");
    refused('/scep',
        ["signed by $name, without", $bad_request, %signer,
         challenge => []],
        ["signed by $name, its own name and key, without", $bad_request,
         %signer, key => $name, subject => "CN=$name", challenge => []],
        ["signed by $name, with a wrong one", $bad_request, %signer,
         challenge => 'wrong']);
}

refused('/scep',
    ['self-signed, without', $bad_request, challenge => []],
    ['self-signed as the authority, without', $bad_request, challenge => [],
     signer_subject => 'CN=demo CA,O=Test']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 13: R1 to R4: each failInfo, each an empty CertRep
--- config eval
$::locations
--- perl
refused_start();
my %sizes;
for (['badAlg', cipher => 'des'], ['badMessageCheck', broken => 'csr'],
     ['badRequest', challenge => 'wrong'],
     ['badCertId', recipient_serial => '1234'])
{
    my ($info, @options) = @$_;
    for my $get (0, 1) {
        my $r = scep_ask('/scep', challenge => 'open sesame', get => $get,
                         txn => 'x' x 20, @options);
        is($r->{http}, 200, $info);
        is($r->{headers}{'content-type'}, 'application/x-pki-message');
        is(scep_brief($r), "FAILURE $info");
        unspoken($r, $info);
        $sizes{length $r->{body}}++;
    }
}
is_deeply([values %sizes], [8], 'of one size, whatever is wrong');
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 14: R6: serial numbers of signers as clients make them
--- config eval
$::locations
--- perl
refused_start();
accepted('/scep',
    ['20 octets', signer_serial => '7f' x 20],
    ['21 octets, the first a zero', signer_serial => 'ff' x 20],
    ['33 octets: sscep', signer_serial => '6f' x 33],
    ['64 octets', signer_serial => '11' x 64],
    ['0', signer_serial => '0']);
refused('/scep', ['200 octets', 'HTTP 400', signer_serial => '11' x 200]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 15: R8: SHA-1 and 3DES, which are not offered, are answered alike
--- config eval
$::locations
--- perl
refused_start();
my $caps = (http_get('/scep?operation=GetCACaps'))[2];
unlike($caps, qr/DES3|SHA-1\n/, 'not offered');
accepted('/scep',
    ['both', cipher => 'des3', digest => 'sha1'],
    ['3DES, SHA-512', cipher => 'des3', digest => 'sha512'],
    ['AES-192, SHA-384', cipher => 'aes-192-cbc', digest => 'sha384'],
    ['OAEP, AES-256, SHA-512', cipher => 'aes-256-cbc', digest => 'sha512',
     transport => 'oaep-sha512']);
refused_finish();
--- no_error_log
[error]
[warn]
