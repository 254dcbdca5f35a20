# REST enrolment: what a body may be, what is answered, who may ask; and every
# way round the authentication that we know of.  What a certificate looks like
# is left to the profiles' suite, the directives to 42.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Rest;

redis_start();
htpasswd(admin => 'secret', "o'brien" => 'secret');
tls_files();

our $tls = $ENV{TEST_NGINX_TLS_PORT} = free_port();
our $ca = work_file('demo.pem');

http_config(authority('demo', key => 'ec:P-256'), slurp('conf/log-format.conf'),
            <<'END');
pki_profile narrow {
    allow_subject ^CN=[a-z]+\.corp\.example,O=Test$;
    allow_san dns \.corp\.example$;
}
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.json pki;
location = /probe  { pki_probe; access_log off; }
location = /enroll { enroll demo; auth_basic x;
                     auth_basic_user_file $TEST_NGINX_WORK/htpasswd; }
location = /open   { enroll demo; enroll_auth none insecure; }
location = /server { enroll demo; enroll_auth none insecure;
                     enroll_profile server; }
location = /narrow { enroll demo; enroll_auth none insecure;
                     enroll_profile narrow; }
location = /file   { enroll demo; enroll_auth none insecure;
                     client_body_buffer_size 1k; client_body_in_file_only on; }
location /m/       { certificate_master demo; certificate_master_user robot;
                     certificate_master_roles admin; }
END

# servers with certificates: "one" is the default; each has its own CA

our $servers = <<'END';
server {
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    server_name one.example;
    ssl_certificate $TEST_NGINX_WORK/tls.pem;
    ssl_certificate_key $TEST_NGINX_WORK/tls.key;
    ssl_client_certificate $TEST_NGINX_WORK/ca.pem;
    ssl_verify_client optional;
    auth_basic_user_file $TEST_NGINX_WORK/htpasswd;

    location = /enroll   { enroll demo; }
    location = /off      { enroll demo; auth_basic off; }
    location = /either   { if ($ssl_client_verify = SUCCESS) {
                               rewrite ^ /certificate last;
                           }
                           enroll demo; auth_basic x; }
    location = /certificate { internal; enroll demo; }
}
server {
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    server_name two.example;
    ssl_certificate $TEST_NGINX_WORK/tls.pem;
    ssl_certificate_key $TEST_NGINX_WORK/tls.key;
    ssl_client_certificate $TEST_NGINX_WORK/stranger-ca.pem;
    ssl_verify_client optional_no_ca;
    location = /enroll { enroll demo; }
}
server {
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    server_name three.example;
    ssl_certificate $TEST_NGINX_WORK/tls.pem;
    ssl_certificate_key $TEST_NGINX_WORK/tls.key;
    location = /enroll { enroll demo; auth_basic x;
                         auth_basic_user_file $TEST_NGINX_WORK/htpasswd; }
}
map $http_x_realm $realm { default off; }
END

# for the first of them

our $doubtful = <<'END';
location = /any      { enroll demo; satisfy any; allow all; auth_basic x; }
location = /deny     { enroll demo; satisfy any; deny all; auth_basic x; }
location = /variable { enroll demo; auth_basic $realm; }
END

sub der { return openssl('req', '-outform', 'DER', { in => $_[0] }) }

sub base64 {
    my ($pem) = @_;
    $pem =~ s/^-----.*\n//mg;
    return $pem;
}

# status and error of a POST of whatever

sub tried { return brief((post(@_))[0, 2]) }

sub tried_by_tls {
    my ($name, $uri, %o) = @_;
    return brief(curl("$name.example", $::tls, $uri, %o));
}

run_tests();

__DATA__

=== TEST 1: a request may come as DER, as PEM, or as bare base64
--- config eval
$::locations
--- perl
rest_ready();

my $pem = csr('forms', san => 'DNS:forms.example');
(my $crlf = $pem) =~ s/\n/\r\n/g;
(my $old = $pem) =~ s/(BEGIN|END) CERT/$1 NEW CERT/g;
(my $joined = base64($pem)) =~ s/\n//g;
my $text = openssl('req', '-text', { in => $pem });

my %form = ('DER' => der($pem), 'PEM' => $pem, 'PEM, CR LF' => $crlf,
            'PEM, NEW' => $old, 'PEM after text' => $text,
            'PEM, no last line end' => $pem =~ s/\n\z//r,
            'PEM between blank lines' => "\n$pem\n\n",
            'base64' => base64($pem), 'base64, one line' => $joined,
            'base64, CR LF' => base64($crlf),
            'base64 without padding' => $joined =~ s/=+\z//r);
my %serial;

for my $name (sort keys %form) {
    for my $type ('', 'application/pkcs10', 'text/plain') {
        my ($status, undef, $body) = post('/open', $form{$name},
            headers => { $type ? ('Content-Type' => $type) : () });
        is(brief($status, $body), 201, "$name, $type") or next;
        $serial{serial_of(cert_of($body))}++;
    }
}

is(scalar keys %serial, 1, 'all are one request, and give one certificate');



=== TEST 2: "Accept" chooses between PEM with its chain, DER and JSON
--- config eval
$::locations
--- perl
rest_ready();

my $csr = csr('accept');

for my $accept ('', '*/*', 'text/html', 'application/x-pem-file') {
    my ($status, $headers, $body) = post('/open', $csr,
        headers => { $accept ? (Accept => $accept) : () });
    is($status, 201, "PEM: $accept");
    is($headers->{'content-type'}, 'application/x-pem-file', 'its type');
    is($headers->{'content-length'}, length $body, 'its length');
    is($headers->{'cache-control'}, 'no-store', 'is not kept');
    is($headers->{'x-content-type-options'}, 'nosniff', 'nor guessed at');
    is(pem_count($body), 2, 'certificate and authority');
    my ($leaf, $issuer) = split /(?<=END CERTIFICATE-----\n)/, $body;
    is($issuer, slurp($::ca), 'the authority as it is in its file');
    my ($code) = command('openssl', 'verify', '-CAfile', $::ca,
                         cert_of($leaf));
    is($code, 0, 'the certificate verifies');
}

my (undef, undef, $pem) = post('/open', $csr);
($pem) = split /(?<=END CERTIFICATE-----\n)/, $pem;

for my $accept ('application/pkix-cert', 'Application/PKIX-Cert',
                'text/html, application/pkix-cert;q=0.9')
{
    my ($status, $headers, $body) = post('/open', $csr,
                                         headers => { Accept => $accept });
    is($status, 201, "DER: $accept");
    is($headers->{'content-type'}, 'application/pkix-cert', 'its type');
    is(openssl('x509', '-inform', 'DER', { in => $body }), $pem, 'the same');
}

my ($status, $headers, $body) = post('/open', $csr,
    headers => { Accept => 'application/json' });
is($status, 201, 'JSON');
is($headers->{'content-type'}, 'application/json', 'its type');
my $json = JSON::PP::decode_json($body);
is(join(' ', sort keys %$json), 'certificate chain serial', 'its members');
is($json->{certificate}, $pem, 'the certificate alone');
is($json->{chain}, slurp($::ca), 'the chain');
is($json->{serial}, serial_of(cert_of($pem)), 'the serial number');



=== TEST 3: the certificate, its profile, its record, its line in the logs
--- config eval
$::locations
--- perl
rest_ready();
work_file('access.json', '');

my ($status, undef, $body) = post('/server', csr('server.example',
    san => 'DNS:server.example,IP:192.0.2.7'));
is($status, 201, 'issued');
my $cert = cert_of($body);
my $serial = serial_of($cert);

is(reads($cert, '-subject', '-nameopt', 'RFC2253'),
   'subject=CN=server.example,O=Test', 'its subject');
like(reads($cert, '-ext', 'subjectAltName'),
     qr/DNS:server\.example, IP Address:192\.0\.2\.7/, 'its other names');
like(reads($cert, '-ext', 'extendedKeyUsage'),
     qr/\n\s+TLS Web Server Authentication\s*\z/, 'usages of the profile');
like(reads($cert, '-ext', 'authorityInfoAccess'), qr{http://.*/ocsp},
     'where to ask');

my ($code, $item) = api('GET', "/m/api/certificates/$serial");
is($code, 200, 'recorded');
is($item->{source}, 'enroll', 'as of this interface');
is($item->{profile}, 'server', 'with this profile');
is($item->{requester}, '', 'of nobody');
is($item->{status}, 'good', 'and good');

my ($other) = reverse post('/open', csr('server.example',
    san => 'DNS:server.example,IP:192.0.2.7'));
isnt(serial_of(cert_of($other)), $serial,
     'another profile, another certificate');

wait_until(sub { access_log(work_file('access.json')) == 3 });
my ($entry, undef, $last) = access_log(work_file('access.json'));
is($entry->{enroll_status}, 'ISSUED', '$enroll_status');
is($entry->{authority}, 'demo', '$pki_authority');
is($entry->{serial}, $serial, '$pki_serial');
is($entry->{subject}, 'CN=server.example,O=Test', '$pki_subject');
is($entry->{profile}, 'server', '$pki_profile');
like($entry->{sign_time}, qr/^\d+\.\d{3}\z/, '$pki_sign_time');
like($entry->{store_time}, qr/^\d+\.\d{3}\z/, '$pki_store_time');
is($last->{profile}, 'default', 'the default profile');
--- grep_error_log: certificate issued by "enroll", requester: ""
--- grep_error_log_out eval
qq(certificate issued by "enroll", requester: ""\n) x 2



=== TEST 4: the same request again gives the same certificate, until revoked
--- config eval
$::locations
--- perl
rest_ready();
work_file('access.json', '');

my $csr = csr('again');
my $before = count('demo');
my ($first) = reverse post('/open', $csr);
my ($second) = reverse post('/open', $csr);
is($second, $first, 'the same');
is(count('demo'), $before + 1, 'one record');

(undef, undef, $second) = post('/open',
    csr('again', key => new_key('ec:P-384')));
isnt($second, $first, 'another key, another certificate');

my $serial = serial_of(cert_of($first));
my ($status) = api('POST', "/m/api/certificates/$serial/revoke", {});
is($status, 200, 'revoked');
is(tried('/open', $csr), '400 refused', 'not given away again');

(undef, undef, $second) = post('/open',
    csr('again', extension => ['keyUsage=digitalSignature']));
isnt(serial_of(cert_of($second)), $serial, 'another request is another one');

wait_until(sub { access_log(work_file('access.json')) == 6 });
is(join(' ', map { $_->{enroll_status} || '-' }
        access_log(work_file('access.json'))),
   'ISSUED EXISTING ISSUED - REFUSED ISSUED', '$enroll_status');
--- error_log
certificate refused: the certificate of this transaction is revoked



=== TEST 5: the same request many times at once gives one certificate
--- config eval
$::locations
--- perl
rest_ready();

my $csr = csr('race');
my $before = count('demo');
my @sockets;

for (1 .. 20) {
    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client());
    $s->autoflush(1);
    print $s "POST /open HTTP/1.0\r\nContent-Length: " . length($csr)
             . "\r\n\r\n" . substr $csr, 0, -1;
    push @sockets, $s;
}

print $_ "\n" for @sockets;

my %answer;
$answer{"@$_[0] @$_[2]"}++
    for map { [ PKI::parse_response(PKI::read_all($_, 10)) ] } @sockets;

is(join(' ', values %answer), 20, 'one answer');
like((keys %answer)[0], qr/^201 -----BEGIN/, 'and it is the certificate');
is(count('demo'), $before + 1, 'one record');



=== TEST 6: what is no PKCS#10, or a wrong one, is refused; nothing is issued
--- config eval
$::locations
--- perl
rest_ready();
work_file('access.json', '');

my $pem = csr('bad');
my $der = der($pem);
my $before = count('demo');
my $flipped = $der;
substr($flipped, -5, 1) ^= "\1";

srand 1;
my $random = join '', map { chr rand 256 } 1 .. 60000;
(my $joined = base64($pem)) =~ s/\s//g;
$joined .= '=' x (-length($joined) % 4);

my %bad = (
    'empty' => '', 'one octet' => '0', 'text' => 'hello', 'NUL' => "\0",
    'an empty SEQUENCE' => "0\0", 'an endless SEQUENCE' => "0\x80",
    'a huge SEQUENCE' => "0\x84\xff\xff\xff\xff",
    'nested SEQUENCEs' => "0\x80" x 20000,
    'random' => $random, 'a random SEQUENCE' => "0\x82\xea\x5c$random",
    'truncated' => substr($der, 0, 100), 'one short' => substr($der, 0, -1),
    'an octet more' => "${der}x", 'two requests' => $der . $der,
    'a wrong signature' => $flipped,
    'no end' => $pem =~ s/^-----END.*//mr,
    'two PEM' => $pem . $pem, 'PEM and more' => "${pem}x",
    'PEM of nothing' => "-----BEGIN CERTIFICATE REQUEST-----\n"
                        . "-----END CERTIFICATE REQUEST-----\n",
    'PEM of a certificate' => slurp($::ca),
    'base64 of nothing' => 'MIIhello', 'base64 and more' => "$joined!",
    'two times base64' => PKI::Client::encode_base64($joined),
    'base64 and more after padding' => substr($joined, 0, -4) . 'A===junk',
    'base64 of a truncated one' => substr($joined, 0, 100),
    'JSON' => '{"csr":"x"}', 'a form' => 'csr=MIIB',
);

for my $name (sort keys %bad) {
    is(tried('/open', $bad{$name}), '400 bad_request', $name);
}

wait_until(sub { access_log(work_file('access.json')) == keys %bad });
my %status = map { ($_->{enroll_status} => 1) }
             access_log(work_file('access.json'));
is(join(' ', keys %status), 'REFUSED', '$enroll_status');
is(count('demo'), $before, 'nothing is issued');
is(tried('/open', $pem), 201, 'but for a right one');
--- error_log
signature of the certificate request is wrong
malformed certificate request



=== TEST 7: base64 ends where its padding is
--- config eval
$::locations
--- perl
rest_ready();

my ($csr, $joined);

for my $n (1 .. 9) {
    $csr = csr('x' x $n);
    ($joined = base64($csr)) =~ s/\s//g;
    last if $joined =~ /=\z/;
}

like($joined, qr/=\z/, 'a request with padding');
is(tried('/open', "${joined}AAAA"), '400 bad_request', 'more after it');
is(tried('/open', "$joined===="), '400 bad_request', 'more of it');
is(tried('/open', "-----BEGIN CERTIFICATE REQUEST-----\n${joined}AAAA\n"
                  . "-----END CERTIFICATE REQUEST-----\n"),
   '400 bad_request', 'nor in PEM');
is(tried('/open', $joined), 201, 'just so');



=== TEST 8: what the profile does not allow is refused
--- config eval
$::locations
--- perl
rest_ready();

my $before = count('demo');
my %refused = (
    'RSA of 1024 bits' => ['/open', key => new_key('rsa:1024')],
    'a curve of 224 bits' => ['/open', key => new_key('ec:P-224')],
    'a CA' => ['/open', extension =>
               ['basicConstraints=critical,CA:TRUE']],
    'another subject' => ['/narrow'],
    'another name' => ['/narrow', subject => '/O=Test/CN=a.corp.example',
                       san => 'DNS:a.example'],
    'one more name' => ['/narrow', subject => '/O=Test/CN=a.corp.example',
                        san => 'DNS:a.corp.example,DNS:b.example'],
    'a name that only contains it' =>
        ['/narrow', subject => '/O=Test/CN=a.corp.example',
         san => 'DNS:a.corp.example.evil.example'],
);

for my $name (sort keys %refused) {
    my ($uri, @o) = @{ $refused{$name} };
    my ($status, undef, $body) = post($uri, csr('refused', @o));
    is(brief($status, $body), '400 refused', $name);
    unlike($body, qr/corp|narrow|1024|subject/,
           'why is not told to the client');
}

is(count('demo'), $before, 'nothing is issued');
is(tried('/narrow', csr('x', subject => '/O=Test/CN=a.corp.example',
                        san => 'DNS:a.corp.example')), 201,
   'what it allows is issued');
--- error_log
certificate refused:
certificate request refused:



=== TEST 9: POST only
--- config eval
$::locations
--- perl
rest_ready();

for my $method (qw( GET HEAD PUT DELETE OPTIONS PATCH )) {
    my ($status, $headers, $body) = http($method, '/open',
        $method eq 'PUT' ? (body => csr('put')) : ());
    is(brief($status, $body),
       $method eq 'HEAD' ? 405 : '405 method_not_allowed', $method);
    is($headers->{allow}, 'POST', 'Allow');
    is($headers->{'content-type'}, 'application/json', 'JSON');
    is($headers->{'cache-control'}, 'no-store', 'is not kept');
}



=== TEST 10: 64 KB are enough
--- config eval
$::locations
--- perl
rest_ready();
my $max = 65536;

is(tried('/open', 'x' x $max), '400 bad_request', 'as much as is taken');
is(tried('/open', 'x' x ($max + 1)), '413 too_large', 'one more');
is(tried('/file', 'x' x ($max + 1)), '413 too_large', 'one more, to a file');

my ($status, $headers, $body) = http('POST', '/open',
    headers => { 'Content-Length' => '99999999' });
is($status, 413, 'much more');

for my $uri ('/open', '/file') {
    my $csr = der(csr('chunks', extension =>
        ['nsComment=' . 'a long request ' x 400]));
    is(tried($uri, chunked($csr, 900),
             headers => { 'Transfer-Encoding' => 'chunked' }), 201,
       "$uri: in pieces");
    is(tried($uri, chunked('x' x ($max + 1), 8000),
             headers => { 'Transfer-Encoding' => 'chunked' }), 413,
       "$uri: too many pieces: nginx itself");
}

is(tried('/file', csr('file')), 201, 'by a file');

sub chunked {
    my ($bytes, $size) = @_;
    my $out = '';
    $out .= sprintf "%x\r\n%s\r\n", length $_, $_
        for unpack "(a$size)*", $bytes;
    return "${out}0\r\n\r\n";
}



=== TEST 11: requests one after another on a connection, with errors between
--- config eval
$::locations
--- perl
rest_ready();

my @bodies = (csr('keep1'), 'junk', csr('keep2'), '', csr('keep3'));
my $s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);

print $s map { "POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: "
               . length($_) . "\r\n\r\n$_" } @bodies;
print $s "GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

my @status = PKI::read_all($s, 10) =~ m{HTTP/1\.1 (\d+)}g;
is("@status", '201 400 201 400 201 405', 'each has its answer');



=== TEST 12: a body that comes slowly, one that never comes whole
--- config eval
$::locations
--- perl
rest_ready();

my $csr = csr('slow');
my $s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);

print $s "POST /open HTTP/1.0\r\nContent-Length: " . length($csr) . "\r\n\r\n";

for (unpack '(a100)*', $csr) {
    print $s $_;
    select undef, undef, undef, 0.01;
}

is((PKI::parse_response(PKI::read_all($s, 10)))[0], 201, 'slowly');

my $before = count('demo');
$s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);
print $s "POST /open HTTP/1.0\r\nContent-Length: 9999\r\n\r\n$csr";
close $s;

is(tried('/open', csr('next')), 201, 'the next one is served');
is(count('demo'), $before + 1, 'half a body is none');



=== TEST 13: a password, as auth_basic verifies it; who it was is recorded
--- log_level: info
--- config eval
$::locations
--- perl
rest_ready();
work_file('access.json', '');

my ($status, $headers) = post('/enroll', csr('basic'));
is($status, 401, 'none');
like($headers->{'www-authenticate'}, qr/^Basic/, 'asks for one');
is(tried('/enroll', csr('basic'), user => 'admin:wrong'), 401, 'wrong');
is(tried('/enroll', csr('basic'), user => 'nobody:secret'), 401, 'unknown');
is(tried('/enroll', csr('basic'), user => 'admin:'), 401, 'empty');
is(tried('/enroll', csr('basic'), user => 'admin:secret',
         headers => { 'Sec-Fetch-Site' => 'cross-site' }), '403 forbidden',
   'made by the page of another site');
is(tried('/enroll', csr('basic'), user => 'admin:secret',
         headers => { 'Sec-Fetch-Site' => 'same-origin' }), 201,
   'by a page of this one');

my ($body) = reverse post('/enroll', csr('name'), user => "o'brien:secret");
my $serial = serial_of(cert_of($body));
my ($code, $item) = api('GET', "/m/api/certificates/$serial");
is($item->{requester}, "o'brien", 'recorded');
($body) = reverse post('/enroll', csr('name'), user => 'admin:secret');
isnt(serial_of(cert_of($body)), $serial,
     'the same request of somebody else is another one');

my $logs = error_log() . slurp(work_file('access.json'));
unlike($logs, qr/:secret|wrong|${\ PKI::Client::basic_auth("o'brien:secret")}/,
       'no password in a log');
--- error_log
requester: "o'brien", subject: "CN=name,O=Test"
request comes from another site



=== TEST 14: "none insecure": a name that nobody verified is not recorded
--- config eval
$::locations
--- perl
rest_ready();
my ($status, undef, $body) = post('/open', csr('noname'),
                                  user => 'admin:made-up');
is($status, 201, 'issued');
my ($code, $item) = api('GET', '/m/api/certificates/'
                        . serial_of(cert_of($body)));
is($item->{requester}, '', 'of nobody');



=== TEST 15: a client certificate, as this server verifies it
--- http_config eval
$::servers
--- config eval
$::locations
--- perl
rest_ready();
my $before = count('demo');
my $csr = csr('tls');

is(tried_by_tls('one', '/enroll', data => $csr), '403 forbidden', 'none');
is(tried_by_tls('one', '/enroll', data => $csr, cert => 'stranger'), 400,
   'of a CA that is not known: nginx itself');
is(count('demo'), $before, 'nothing issued');

my ($status, $body) = curl('one.example', $::tls, '/enroll', data => $csr,
                           cert => 'client');
is($status, 201, 'a good one');
my ($code, $item) = api('GET', '/m/api/certificates/'
                        . serial_of(cert_of($body)));
is($item->{requester}, 'CN=client,O=Test', 'recorded');
--- error_log
client is not authenticated



=== TEST 16: optional_no_ca: a certificate that nobody trusts counts nothing
--- http_config eval
$::servers
--- config eval
$::locations
--- perl
rest_ready();
is(tried_by_tls('two', '/enroll', data => csr('noca'), cert => 'client'),
   '403 forbidden', 'untrusted');
is(tried_by_tls('two', '/enroll', data => csr('noca'), cert => 'stranger'), 201,
   'trusted');



=== TEST 17: a certificate that another server verified does not count
--- http_config eval
$::servers
--- config eval
$::locations
--- perl
rest_ready();
my $csr = csr('sni');

is(tried_by_tls('two', '/enroll', data => $csr, cert => 'client', sni => 0),
   '403 forbidden', 'no name in the handshake, "two" in the request');
is(tried_by_tls('one', '/enroll', data => $csr, cert => 'client', sni => 0),
   201, 'no name in the handshake, the default server in the request');
is(tried_by_tls('one', '/enroll', data => $csr, cert => 'client',
                host => 'two.example'), 421,
   '"one" in the handshake, "two" in the request: nginx itself');
is(tried_by_tls('one', '/enroll', data => $csr, cert => 'client',
                host => 'three.example'), 401,
   '"three", which knows passwords only');
is(tried_by_tls('three', '/enroll', data => $csr, cert => 'client',
                host => 'one.example'), 421,
   '"three" in the handshake, "one" in the request');
--- error_log
client certificate was verified for another server



=== TEST 18: an Authorization header that nobody looks at is worth nothing
--- http_config eval
$::servers =~ s/(server_name one.*\n)/$1$::doubtful/r
--- suppress_stderr
--- config eval
$::locations
--- perl
rest_ready();
my $before = count('demo');
my $csr = csr('header');

for my $uri ('/enroll', '/off', '/any', '/variable') {
    for my $user ('evil:evil', 'admin:secret') {
        is(tried_by_tls('one', $uri, data => $csr, user => $user),
           '403 forbidden', "$uri, $user");
    }
}

is(tried_by_tls('one', '/variable', data => $csr, user => 'admin:secret',
                headers => { 'X-Realm' => 'x' }), '403 forbidden',
   'a realm that was not off this time');
is(tried_by_tls('one', '/deny', data => $csr, user => 'admin:secret'),
   '403 forbidden', 'satisfy any, though all others are denied');
is(tried_by_tls('one', '/deny', data => $csr), 401, 'nginx itself');

for my $header ('Bearer x', 'Basic', 'Basic !', 'Basic Og==') {
    is(tried_by_tls('one', '/enroll', data => $csr,
                    headers => { Authorization => $header }),
       '403 forbidden', "\"$header\"");
}

is(count('demo'), $before, 'nothing is issued');
is(tried_by_tls('one', '/any', data => $csr, cert => 'client'), 201,
   'a certificate is');



=== TEST 19: certificate or password, as the manual shows it
--- http_config eval
$::servers
--- config eval
$::locations
--- perl
rest_ready();
my $csr = csr('either');

is(tried_by_tls('one', '/either', data => $csr), 401, 'neither');
is(tried_by_tls('one', '/either', data => $csr, user => 'admin:no'), 401,
   'a wrong password');
is(tried_by_tls('one', '/either', data => $csr, cert => 'client'), 201,
   'a certificate');
is(tried_by_tls('one', '/either', data => $csr, user => 'admin:secret'), 201,
   'a password');
is(tried_by_tls('one', '/certificate', data => $csr, cert => 'client'), 404,
   'not by the way behind');



=== TEST 20: limit_except takes the check away: so nobody may
--- config eval
$::locations . <<'END'
location /limited { enroll demo; auth_basic x;
                    auth_basic_user_file $TEST_NGINX_WORK/htpasswd;
                    limit_except GET { auth_basic off; } }
location /post    { enroll demo; enroll_auth none insecure;
                    limit_except POST { deny all; } }
END
--- perl
rest_ready();
is(tried('/limited', csr('limit'), user => 'admin:wrong'), '403 forbidden',
   'a wrong password');
is(tried('/limited', csr('limit'), user => 'admin:secret'), '403 forbidden',
   'nor a right one, since nobody looked');
is((http_get('/limited'))[0], 401, 'GET: still asks');
is(tried('/post', csr('limit')), 201, 'what is not limited');
is((http_get('/post'))[0], 403, 'what is');



=== TEST 21: the ways inside nginx: error_page, rewrite, try_files, named
--- config eval
$::locations . <<'END'
location = /by-error   { error_page 418 = /enroll; return 418; }
location = /by-name    { error_page 418 = @enroll; return 418; }
location = /by-rewrite { rewrite ^ /enroll last; }
location = /by-try     { try_files /none /enroll; }
location = /by-status  { error_page 404 =200 /enroll; return 404; }
location @enroll       { enroll demo; auth_basic x;
                         auth_basic_user_file $TEST_NGINX_WORK/htpasswd; }
END
--- perl
rest_ready();

# an error_page that is no named location makes a GET of it

my %with = ('by-error' => 405, 'by-name' => 201, 'by-rewrite' => 201,
            'by-try' => 201, 'by-status' => 405);

for my $way (sort keys %with) {
    like(tried("/$way", csr('inside')), qr/^401/, "$way: no password");
    like(tried("/$way", csr('inside'), user => 'admin:no'), qr/^401/,
         'a wrong one');
    like(tried("/$way", csr('inside'), user => 'admin:secret'),
         qr/^(?:$with{$way}|200)/, 'a right one');
}



=== TEST 22: subrequests are nobody's
--- config eval
$::locations . <<'END'
location = /mirrored  { mirror /enroll; pki_probe; }
location = /mirrored2 { mirror /inner; mirror_request_body on; pki_probe;
                        auth_basic x;
                        auth_basic_user_file $TEST_NGINX_WORK/htpasswd; }
location = /inner     { internal; enroll demo; auth_basic x;
                        auth_basic_user_file $TEST_NGINX_WORK/htpasswd; }
location = /asked     { auth_request /enroll; pki_probe; }
END
--- perl
rest_ready();
my $before = count('demo');

for my $user ('admin:secret', 'evil:evil', undef) {
    for my $uri ('/mirrored', '/mirrored2', '/asked') {
        my ($status) = post($uri, csr('sub'), user => $user);
        unlike($status, qr/^2/, "$uri, " . ($user // 'nobody'));
    }
}

ok(wait_until(sub { error_log() =~ /client is not authenticated.*subrequest/
    }), 'refused');
is(count('demo'), $before, 'nothing is issued');
--- error_log
client is not authenticated



=== TEST 23: Redis is away: nothing is issued, and it is said when to come back
--- config eval
$::locations
--- perl
rest_ready();
work_file('access.json', '');
is(tried('/open', csr('while it is there')), 201, 'issued');

redis_stop();
my ($status, $headers, $body) = post('/open', csr('away'));
is(brief($status, $body), '503 unavailable', 'not issued');
is($headers->{'retry-after'}, 5, 'Retry-After');
is($headers->{'cache-control'}, 'no-store', 'is not kept');
is(tried('/open', 'junk'), '400 bad_request', 'junk is junk all the same');
is(tried('/enroll', csr('away')), 401, 'passwords are asked for');

wait_until(sub { access_log(work_file('access.json')) == 4 });
is((access_log(work_file('access.json')))[1]{enroll_status}, 'UNAVAILABLE',
   '$enroll_status');

redis_start();
ok(rest_ready(), 'back');
is(tried('/open', csr('away')), 201, 'issued');
--- error_log
redis



=== TEST 24: Redis hangs: 503 in time, and the retry is served
--- http_config
pki_redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=500ms;
--- config eval
$::locations
--- perl
rest_ready();
my $csr = csr('hang');
my $before = count('demo');

redis_pause();
my $start = Time::HiRes::time();
is(tried('/open', $csr), '503 unavailable', 'not now');
ok(Time::HiRes::time() - $start < 4, 'in time');
redis_resume();

ok(rest_ready(), 'back');
ok(wait_until(sub { tried('/open', $csr) eq 201 }), 'the retry');
is(count('demo'), $before + 1, 'one certificate');
--- error_log
redis
