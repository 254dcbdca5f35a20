# What clients in the field send, right or not quite (scep.md 4): Windows,
# Apple, routers, agents; strings, attributes, URIs.  Renewals are in 27, real
# clients in interop.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Refused;
use PKI::Scep;

use MIME::Base64 qw( encode_base64 );

redis_start();

work_file('challenge', "open sesame\n");
work_file('letters', "p\xc3\xa4ssw\xc3\xb6rd \xc2\xa7\n\xd0\xbf\xd1\x80\n");

http_config('large_client_header_buffers 4 32k;',
            'client_body_buffer_size 128k;', authority('demo'), <<'END');
log_format result '$scep_challenge_result';
END

our $work = work_dir();

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /letters { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/letters; }
location /open    { scep demo; scep_challenge none insecure; }
location /certsrv/mscep/ { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /cgi-bin/ { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
END

our $legacy = $locations . <<'END';
location /legacy  { scep demo; scep_legacy des md5;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
END

our $challenge = '1.2.840.113549.1.9.7';

# octets to the server as they are, the answer to a message

sub raw {
    my ($m, @parts) = @_;
    my ($status, $headers, $body) = scep_raw(@parts);
    return "HTTP $status"
        if ($headers->{'content-type'} // '') ne 'application/x-pki-message';
    return scep_brief({ http => $status, %{ scep_open($m, $body) } });
}

sub escaped {
    (my $text = $_[0]) =~ s{([^A-Za-z0-9])}{sprintf '%%%02X', ord $1}ge;
    return $text;
}

sub text_of {
    return openssl('x509', '-in', $_[0], '-noout', '-text');
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: W1: Windows: its path, its message, its header
--- config eval
$::locations
--- perl
refused_start();
my %ua = ('User-Agent' =>
          'Mozilla/4.0 (compatible; Win32; NDES client 10.0.26100.1)');
for my $path ('/certsrv/mscep/mscep.dll', '/certsrv/mscep/mscep.dll/pkiclient.exe')
{
    for my $message ('default', 'MyDeviceID', '%7B1A2B%7D') {
        my ($status, $headers) = http_get(
            "$path?operation=GetCACert&message=$message", headers => \%ua);
        is($status, 200, "$path: GetCACert, $message");
        is($headers->{'content-type'}, 'application/x-x509-ca-cert');
    }
    my $m = scep_make(challenge => 'open sesame');
    is(scep_brief(scep_send("$path?operation=PKIOperation", $m,
                            headers => \%ua)), 'SUCCESS', $path);
}
--- no_error_log
[error]
[warn]



=== TEST 2: W6: the same key again, another transaction: another certificate
--- config eval
$::locations
--- perl
refused_start();
my %serials = map {
    my $r = accepted('/scep', ["enrolment $_", subject => 'CN=laptop']);
    $r->{serial} => 1;
} 1 .. 3;
is(keys %serials, 3, 'three certificates');
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 3: W7: a blank challenge is none
--- config eval
my $locations = $::locations;
$locations =~ s/scep demo;/scep demo;
    access_log $ENV{TEST_NGINX_WORK}\/result.log result;/g;
$locations
--- perl
refused_start();
my @blank = (
    ['no octets', challenge => ''],
    ['blanks', challenge => '   '],
    ['blanks, BMPString', challenge => '  ', challenge_tag => 'bmp'],
    ['no value', challenge => [], csr_attribute => "$::challenge:"],
    ['no attribute', challenge => []],
);
truncate "$::work/result.log", 0;
refused('/scep', map { [$_->[0], $bad_request, @$_[1 .. $#$_]] } @blank);
ok(wait_until(sub { slurp("$::work/result.log") eq "missing\n" x 5 }),
   'all of them are missing') or diag(slurp("$::work/result.log"));
accepted('/open', @blank);
accepted('/scep', ['a blank one beside the right one',
                   csr_attribute => "$::challenge:1300"]);
refused('/scep', ['a blank one beside a wrong one', $bad_request,
                  challenge => 'wrong', csr_attribute => "$::challenge:1300"]);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 4: M8: Apple's default key of 1024 bits is refused, not answered by HTTP
--- config eval
$::locations
--- perl
refused_start();
refused('/scep', ['RSA-1024', $bad_request, key => 'short',
                  key_type => 'rsa:1024']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 5: M1: Apple: + and / as they are, = alone escaped
--- config eval
$::locations
--- perl
refused_start();
my ($m, $plain);
for (1 .. 40) {
    $m = scep_make(challenge => 'open sesame', txn => 'x' x $_);
    $plain = encode_base64($m->{der}, '');
    last if $plain =~ m{/} && $plain =~ /\+/ && $plain =~ /=\z/;
}
like($plain, qr{^(?=.*/)(?=.*\+).*=\z}s, 'all the letters are there');
(my $apple = $plain) =~ s/=/%3D/g;
is(raw($m, "GET /scep?operation=PKIOperation&message=$apple HTTP/1.1\r\n"
           . "Host: localhost\r\nConnection: close\r\n\r\n"), 'SUCCESS');
--- no_error_log
[error]
[warn]



=== TEST 6: routers: Cisco: HTTP/1.0 without Host, GET, lines of 64, 3DES
--- config eval
$::legacy
--- perl
refused_start();
my $ua = 'User-Agent: Mozilla/4.0 (compatible; MSIE 5.0; Cisco PKI)';
my ($status, $headers, $body) = scep_raw(
    "GET /cgi-bin/pkiclient.exe?operation=GetCACert&message=TP-self HTTP/1.0"
    . "\r\n$ua\r\n\r\n");
is($status, 200, 'GetCACert, message=<trustpoint>');
is($headers->{'content-type'}, 'application/x-x509-ca-cert');

my $m = scep_make(challenge => 'open sesame', cipher => 'des3',
                  digest => 'sha1', subject => 'CN=router');
my $lines = encode_base64($m->{der}, "\n");
$lines =~ s/\n//g;
$lines = join "\n", $lines =~ /(.{1,64})/g;
is(raw($m, 'GET /cgi-bin/pkiclient.exe?operation=PKIOperation&message='
           . escaped("$lines\n") . " HTTP/1.0\r\n$ua\r\n\r\n"), 'SUCCESS',
   'enrols');

$m = scep_make(challenge => 'open sesame', cipher => 'des', digest => 'md5',
               csr_digest => 'sha1');
is(raw($m, "GET /legacy/pkiclient.exe?operation=PKIOperation&message=$m->{get}"
           . " HTTP/1.0\r\n$ua\r\n\r\n"), 'SUCCESS', 'an old one: DES, MD5');
--- suppress_stderr
--- no_error_log
[error]



=== TEST 7: Juniper, RouterOS: a name as message, 3DES and SHA-1, base64url
--- config eval
$::locations
--- perl
refused_start();
is((http_get('/scep?operation=GetCACert&message=demo%20CA'))[0], 200);
accepted('/scep', ['3DES, SHA-1', cipher => 'des3', digest => 'sha1',
                   get => 1]);
my $m = scep_make(challenge => 'open sesame');
(my $url = encode_base64($m->{der}, '')) =~ tr{+/=}{-_}d;
my ($status, undef, $body) =
    http_get("/scep?operation=PKIOperation&message=$url");
is(scep_brief({ http => $status, %{ scep_open($m, $body) } }), 'SUCCESS',
   'base64url without padding');
--- no_error_log
[error]
[warn]



=== TEST 8: Jamf, Ivanti: one signer for all devices
--- config eval
$::locations
--- perl
refused_start();
scep_make(key => 'proxy');
my %serials;
for my $n (1 .. 10) {
    my $r = accepted('/scep', ["device $n", key => "device$n",
        key_type => 'ec:P-256', subject => "CN=device $n",
        signer_key => "$::work/proxy.scep", signer_subject => 'CN=Jamf',
        txn => 'the same']);
    is($r->{subject}, "CN=device $n");
    $serials{ $r->{serial} } = 1;
}
is(keys %serials, 10, 'ten certificates');
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 9: messages as measured: scepclient, sscep, certmonger, strongSwan, jscep
--- config eval
$::legacy
--- suppress_stderr
--- perl
refused_start();
my %form = (
    scepclient => ['/legacy', cipher => 'des', digest => 'sha1',
                   signer_subject => 'CN=SCEP SIGNER', subject => 'CN=c,O=T',
                   txn => 'x4+dV/2nIjrOZ0pM3sJkqzyGyuc='],
    sscep      => ['/scep', signer_serial => '6f' x 33, txn => 'ab' x 16],
    certmonger => ['/scep', cipher => 'aes-256-cbc', get => 1,
                   txn => '12345678901' x 7, ca_false => 1,
                   san => 'DNS:a.example',
                   extension => '2.5.29.14:-:0414' . 'ab' x 20],
    strongSwan => ['/scep', challenge_tag => 'utf8', txn => 'A1' x 20],
    SCEPman    => ['/legacy', digest => 'md5', csr_digest => 'sha256',
                   txn => encode_base64('x' x 64, '')],
    jscep      => ['/scep', ber => 1, txn => 'a1' x 20, extra_attribute =>
                   '1.2.840.113549.1.9.52:301c300d06096086480165030402010500'
                   . '810b06092a864886f70d010101'],
);
my %headers = (scepclient => { 'Content-Type' => 'application/octet-stream' },
               sscep => {}, strongSwan => { 'Content-Type' => '' });
for my $name (sort keys %form) {
    my ($uri, %what) = @{ $form{$name} };
    my $get = delete $what{get};
    my $m = scep_make(challenge => 'open sesame', %what);
    is(scep_brief(scep_send($uri, $m, get => $get,
                            headers => $headers{$name})), 'SUCCESS', $name);
}
for my $query ('operation=GetCACaps&message=0', 'operation=GetCACaps&message=',
               'operation=GetCACert&message=0', 'operation=GetCACert&message=1',
               'operation=GetCACert&message=',
               'operation=GetCACert&message=CAIdentifier')
{
    is((http_get("/scep?$query"))[0], 200, $query);
}
--- no_error_log
[error]



=== TEST 10: request lines as they come (scep.md 4.6)
--- config eval
$::locations
--- perl
refused_start();
my $caps = (http_get('/scep?operation=GetCACaps'))[2];
like($caps, qr/^AES\n/, 'something to compare with');
my $port = Test::Nginx::Util::server_port_for_client();
my $query = 'operation=GetCACaps';
for (['two blanks', "GET /scep?$query  HTTP/1.1\r\nHost: x\r\n"
                    . "Connection: close\r\n\r\n"],
     ['lines end with LF', "GET /scep?$query HTTP/1.1\nHost: x\n"
                           . "Connection: close\n\n"],
     ['an absolute URI', "GET http://ca.example/scep?$query HTTP/1.1\r\n"
                         . "Host: ca.example\r\nConnection: close\r\n\r\n"],
     ['slashes', "GET //scep//x?$query HTTP/1.0\r\n\r\n"],
     ['another host', "GET /scep?$query HTTP/1.1\r\nHost: other.example:1\r\n"
                      . "Connection: close\r\n\r\n"],
     ['HTTP/1.0 with Host', "GET /scep?$query HTTP/1.0\r\nHost: a\r\n\r\n"])
{
    my ($what, $request) = @$_;
    my ($status, undef, $body) = scep_raw($request);
    is($status, 200, $what);
    is($body, $caps);
}

# HTTP/0.9 has no header at all

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
print $s "GET /scep?$query\r\n";
is(PKI::read_all($s, 5), $caps, 'HTTP/0.9');

for (['no Host', "GET /scep?$query HTTP/1.1\r\nConnection: close\r\n\r\n"],
     ['a blank within', "GET /scep?operation=PKIOperation&message=AA BB "
                        . "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"])
{
    my ($what, $request) = @$_;
    is((scep_raw($request))[0], 400, $what);
}

# a message of 8 KB by GET, and one that is too long

my $m = scep_make(challenge => 'open sesame', extra_certs => 9);
cmp_ok(length $m->{get}, '>', 8192, 'a long one');
is(raw($m, "GET /scep?operation=PKIOperation&message=$m->{get} HTTP/1.0\r\n"
           . "\r\n"), 'SUCCESS');
is((scep_raw('GET /scep?operation=PKIOperation&message=' . 'A' x 40000
             . " HTTP/1.0\r\n\r\n"))[0], 414, 'beyond the buffers');
--- no_error_log
[error]
[warn]



=== TEST 11: challenges: letters beyond ASCII, in every kind of string
--- config eval
$::locations
--- perl
refused_start();
my $word = "p\x{e4}ssw\x{f6}rd \x{a7}";
my $cyrillic = "\x{43f}\x{440}";
accepted('/letters',
    ['UTF8String', challenge => $word, challenge_tag => 'utf8'],
    ['T61String: ISO 8859-1', challenge => $word, challenge_tag => 't61'],
    ['BMPString', challenge => $word, challenge_tag => 'bmp'],
    ['UniversalString', challenge => [], csr_attribute => "$::challenge:"
        . '1c080000043f00000440'],
    ['Cyrillic, UTF8String', challenge => $cyrillic, challenge_tag => 'utf8'],
    ['Cyrillic, BMPString', challenge => $cyrillic, challenge_tag => 'bmp']);
refused('/letters',
    ['another letter', $bad_request, challenge => "p\x{e4}ssword \x{a7}",
     challenge_tag => 'utf8'],
    ['without dots', $bad_request, challenge => 'password'],
    ['letters decomposed', $bad_request, challenge_tag => 'utf8',
     challenge => "pa\x{308}sswo\x{308}rd \x{a7}"],
    map({ [$_->[0], $bad_check, challenge => [],
           csr_attribute => "$::challenge:$_->[1]"] }
        ['ISO 8859-1 as UTF8String', '0c0ce47373776f7264a7202020'],
        ['UTF-8 as IA5String', '1603c3a473'],
        ['UTF-8 as PrintableString', '1303c3a473'],
        ['half a BMPString', '1e0300700e'],
        ['a surrogate alone', '1e02d800'],
        ['a UniversalString beyond Unicode', '1c0400110000'],
        ['a NUL', '0c03610061'], ['an INTEGER', '020101'],
        ['an OCTET STRING', '040170'], ['a SEQUENCE', '3003130161'],
        ['two values', '130161130162']));
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 12: attributes of Microsoft
--- config eval
$::locations
--- perl
refused_start();
accepted('/scep', ['its own extensionRequest', ms_extensions => 1,
    san => 'DNS:ms.example', key_usage => '05a0',
    eku => '1.3.6.1.5.5.7.3.2', cert => "$::work/ms.pem"]);
my $text = text_of("$::work/ms.pem");
like($text, qr/DNS:ms\.example/);
like($text, qr/Digital Signature, Key Encipherment/);
like($text, qr/TLS Web Client Authentication/);

accepted('/scep', ['both of them', san => 'DNS:both.example',
    csr_attribute => '1.3.6.1.4.1.311.2.1.14:300d300b0603551d0f04040302'
                     . '0780', cert => "$::work/both.pem"]);
$text = text_of("$::work/both.pem");
like($text, qr/DNS:both\.example/);
like($text, qr/Key Usage: critical\n\s*Digital Signature\n/);

accepted('/scep',
    ['enrollmentNameValuePair, OS version, CSP, client',
     cert => "$::work/pairs.pem", csr_attribute => [
        '1.3.6.1.4.1.311.13.2.1:30161e0a00760061006c00690064'
        . '1e080033003000300030',
        '1.3.6.1.4.1.311.13.2.3:160a31302e302e3139303435',
        '1.3.6.1.4.1.311.13.2.2:300b0201011e02004103020001',
        '1.3.6.1.4.1.311.21.20:300c0201010c01610c01620c0163']],
    ['an attribute without values', csr_attribute =>
     '1.3.6.1.4.1.311.13.2.1:'],
    ['the name of a template', extension =>
     '1.3.6.1.4.1.311.20.2:-:1e080055007300650072',
     cert => "$::work/template.pem"]);
unlike(text_of("$::work/template.pem"), qr/311\.20\.2|User/, 'left out');
my ($to) = text_of("$::work/pairs.pem") =~ /Not After : (.*)/;
my ($usual) = text_of("$::work/ms.pem") =~ /Not After : (.*)/;
is(substr($to, 0, 6), substr($usual, 0, 6), 'the validity is the profile\'s');

refused('/scep',
    ['an extension in both', $bad_check, san => 'DNS:a.example',
     csr_attribute => '1.3.6.1.4.1.311.2.1.14:30123010'
                      . '0603551d11040930078205622e6e6574']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 13: W2, M4: OAEP, and BER: what may be written in two ways
--- config eval
$::locations
--- perl
refused_start();
for my $cipher ('aes-128-cbc', 'des3') {
    for my $transport ('pkcs1', 'oaep-sha256') {
        accepted('/scep', map { ["$cipher, $transport, by $_", ber => 1,
            cipher => $cipher, transport => $transport,
            get => $_ eq 'GET' ? 1 : 0] } 'POST', 'GET');
    }
}
accepted('/scep', ['identifiers of keys', ber => 1, signer_ski => 1,
                   recipient_ski => 1]);

# what BER does not make right

refused('/scep',
    ['a wrong signature', $bad_check, ber => 1, broken => 'signature'],
    ['a wrong digest', $bad_check, ber => 1, broken => 'digest'],
    ['a wrong challenge', $bad_request, ber => 1, challenge => 'wrong'],
    ['octets behind it', 'HTTP 400', ber => 1, trailing => '0000']);
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 14: base64 (scep.md 4.7): what nobody can have meant
--- config eval
$::locations
--- perl
refused_start();
my $m = scep_make(challenge => 'open sesame');
my $plain = encode_base64($m->{der}, '');
(my $bare = $plain) =~ s/=+\z//;
for (['a NUL behind it', escaped($plain) . '%00'],
     ['a quote behind it', escaped($plain) . '%22'],
     ['a letter behind the padding', escaped("$bare==A")],
     ['three =', escaped("$bare===")],
     ['= within', escaped(substr($bare, 0, 8) . '=' . substr $bare, 8)],
     ['a vertical tab', escaped(substr($bare, 0, 64) . "\x0b"
                                . substr $bare, 64)],
     ['no letter of it', '%21%22%23%24'],
     ['a letter too few', escaped(substr $bare, 0,
                                  4 * int(length($bare) / 4) - 3)],
     ['PEM', escaped("-----BEGIN PKCS7-----\n$plain\n-----END PKCS7-----")])
{
    my ($what, $text) = @$_;
    is((http_get("/scep?operation=PKIOperation&message=$text"))[0], 400,
       $what);
}
refused_finish();
is(scep_brief(scep_send('/scep', $m, get => 1)), 'SUCCESS', 'as it was');
--- no_error_log
[error]
[warn]


=== TEST 15: M4: OAEP as Java's default is: SHA-256, but MGF1 with SHA-1
--- config eval
$::locations
--- perl
scep_ready('/probe');
for (['oaep-sha256', 'sha1', 'sha256 sha1'], ['oaep-sha512', 'sha1',
     'sha512 sha1'], ['oaep', 'sha256', 'sha1 sha256'],
     ['oaep-sha384', 'sha256', 'sha384 sha256'])
{
    my ($transport, $mgf1, $both) = @$_;
    my $r = scep_ask('/scep', challenge => 'open sesame',
                     transport => $transport, mgf1 => $mgf1);
    is(scep_brief($r), 'SUCCESS', "$transport, $mgf1");
    is($r->{oaep}, $both, 'the answer is made alike');
}

# beside those that a context is kept for

is(scep_brief(scep_ask('/scep', challenge => 'open sesame',
                       transport => $_)), 'SUCCESS', $_)
    for 'pkcs1', 'oaep-sha256', 'oaep', 'pkcs1';
refused_start();
refused('/scep',
    ['a broken key', $bad_check, transport => 'oaep-sha256', mgf1 => 'sha1',
     broken => 'cek']);
refused_finish();
--- no_error_log
[error]
[warn]
