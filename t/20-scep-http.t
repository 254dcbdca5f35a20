# SCEP as HTTP: operations, methods, arguments, bodies, what is answered when
# (scep.md T1 to T10, C1 to C9, A1 to A3, B1 to B8).  What is in the messages
# is left to 21 and 22.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Scep;

redis_start();
work_file('challenge', "open sesame\n");

# a CA below a root, for the chain

our $work = work_dir();

work_file('ca.cnf', <<'END');
[req]
prompt=no
distinguished_name=dn
[dn]
CN=Root
[root]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[sub]
basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
END

openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 99,
        '-config', "$work/ca.cnf", '-extensions', 'root',
        '-keyout', "$work/root.key", '-out', "$work/root.pem");
openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=Sub',
        '-config', "$work/ca.cnf", '-keyout', "$work/sub.key",
        '-out', "$work/sub.csr");
openssl('x509', '-req', '-in', "$work/sub.csr", '-days', 98,
        '-CA', "$work/root.pem", '-CAkey', "$work/root.key",
        '-CAcreateserial', '-extfile', "$work/ca.cnf",
        '-extensions', 'sub', '-out', "$work/sub.pem");

http_config('large_client_header_buffers 4 32k;', authority('demo'), <<'END');
pki_authority sub {
    key         file:$TEST_NGINX_WORK/sub.key;
    certificate $TEST_NGINX_WORK/sub.pem chain=$TEST_NGINX_WORK/root.pem;
    base_url    http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
}
scep_challenge static $TEST_NGINX_WORK/challenge;
END

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo; }
location /cgi-bin { scep demo; }
location /sub     { scep sub; }
END

our $caps = "AES\nPOSTPKIOperation\nSHA-256\nSHA-384\nSHA-512\n"
            . "SCEPStandard\n";

sub good { return scep_make(challenge => 'open sesame', @_) }

# one request with these header lines

sub request {
    my ($line, @headers) = @_;
    return join "\r\n", $line, @headers, '', '';
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: C1, C2, C3, C4, C6, C9: GetCACaps, exact octets
--- config eval
$::locations
--- perl
scep_ready('/probe');
my ($status, $headers, $body) = http_get('/scep?operation=GetCACaps');
is($status, 200);
is($body, $::caps);
is($headers->{'content-type'}, 'text/plain');
is($headers->{'content-length'}, length $::caps);



=== TEST 2: C8: "message" of GetCACaps and GetCACert does not matter
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $arg ('message=', 'message=0', 'message=%20', 'message', 'message=%',
             'message=CAIdentifier', 'message=1&message=2', 'x=y', '&')
{
    my $uri = "/scep?operation=GetCACaps&$arg";
    is((http_get($uri))[2], $::caps, $uri);
}
is((http_get('/scep?message=ca&operation=GetCACaps'))[2], $::caps, 'before');
my ($status, $headers) = http_get('/scep?operation=GetCACert&message=other');
is($status, 200);
is($headers->{'content-type'}, 'application/x-x509-ca-cert');



=== TEST 3: A1, A2: GetCACert: the certificate, DER
--- config eval
$::locations
--- perl
scep_ready('/probe');
my ($status, $headers, $body) = http_get('/scep?operation=GetCACert');
is($status, 200);
is($headers->{'content-type'}, 'application/x-x509-ca-cert');
is($body, openssl('x509', '-in', "$::work/demo.pem", '-outform', 'DER'),
   'octet for octet');



=== TEST 4: A3, A5: GetCACert of an authority with a chain: certs-only
--- config eval
$::locations
--- perl
scep_ready('/probe');
my ($status, $headers, $body) = http_get('/sub?operation=GetCACert');
is($status, 200);
is($headers->{'content-type'}, 'application/x-x509-ca-ra-cert');

my $pem = openssl('pkcs7', '-inform', 'DER', '-print_certs', { in => $body });
my @subjects = sort $pem =~ /^subject=(.*)$/mg;
is_deeply(\@subjects, ['CN = Root', 'CN = Sub'], 'both');

my $asn1 = openssl('asn1parse', '-inform', 'DER', { in => $body });
like($asn1, qr/pkcs7-signedData.*pkcs7-data.*cont \[ 0 \]/s, 'SignedData');
unlike($asn1, qr/OCTET STRING.*pkcs7-data/s);
like($asn1, qr/l=\s+0 cons: SET\s*\z/, 'without signers');

my $r = scep_send('/sub', good(ca => "$::work/sub.pem"),
                  cert => "$::work/below.pem");
is(scep_brief($r), 'SUCCESS', 'it issues');
like(openssl('verify', '-CAfile', "$::work/root.pem",
             '-untrusted', "$::work/sub.pem", "$::work/below.pem"), qr/OK/);



=== TEST 5: T5: the rest of the path does not matter
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
for my $uri ('/scep/', '/scep/pkiclient.exe', '/scep/mscep.dll',
             '/scep/mscep.dll/pkiclient.exe', '/cgi-bin/pkiclient.exe',
             '/scep/pkiclient.exe/pkiclient.exe', '//scep//x',
             '/scep/a/../b', '/scep/%20')
{
    is((http_get("$uri?operation=GetCACaps"))[2], $::caps, "$uri: caps");
    is((http_get("$uri?operation=GetCACert"))[0], 200, "$uri: certificate");
    is(scep_brief(scep_send($uri, $m)), 'SUCCESS', "$uri: POST");
    is(scep_brief(scep_send($uri, $m, get => 1)), 'SUCCESS', "$uri: GET");
}



=== TEST 6: T1, T7, T9: PKIOperation by POST, its headers
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $m (good(), good(challenge => 'wrong')) {
    my $r = scep_send('/scep', $m);
    is($r->{http}, 200);
    is($r->{headers}{'content-type'}, 'application/x-pki-message');
    is($r->{headers}{'cache-control'}, 'no-store');
    is_deeply($r->{errors}, []);
}



=== TEST 7: T2: the same message by GET: the same certificate
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
my $post = scep_send('/scep', $m);
my $get = scep_send('/scep', $m, get => 1);
is(scep_brief($post), 'SUCCESS');
is(scep_brief($get), 'SUCCESS');
is($get->{serial}, $post->{serial});
is($get->{headers}{'content-type'}, 'application/x-pki-message');
is($get->{headers}{'cache-control'}, 'no-store');

my ($status, undef, $body) =
    http_get("/scep?message=$m->{get}&operation=PKIOperation");
is($status, 200, 'message first');
is(scep_open($m, $body)->{serial}, $post->{serial});



=== TEST 8: T4: POST without an operation is PKIOperation
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
for my $uri ('/scep', '/scep?', '/scep/pkiclient.exe', '/scep?x=y') {
    my ($status, undef, $body) = http_post($uri, $m->{der});
    is($status, 200, $uri);
    is(scep_open($m, $body)->{status}, 'SUCCESS', $uri);
}



=== TEST 9: T6: Content-Type does not matter
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
for my $headers ({}, { 'Content-Type' => '' },
                 map({ { 'Content-Type' => $_ } }
                     'application/x-pki-message', 'application/octet-stream',
                     'application/x-www-form-urlencoded', 'text/html',
                     'multipart/form-data; boundary=x', ';;')) {
    my $type = $headers->{'Content-Type'} // 'none';
    is(scep_brief(scep_send('/scep', $m, headers => $headers)), 'SUCCESS',
       "type '$type'");
}



=== TEST 10: T10: HTTP/1.0 without Host, with and without a length
--- config eval
$::locations
--- perl
scep_ready('/probe');
my ($status, undef, $body) =
    scep_raw(request('GET /scep?operation=GetCACaps HTTP/1.0'));
is($status, 200);
is($body, $::caps);

my $m = good();
($status, undef, $body) = scep_raw(
    request("GET /scep?operation=PKIOperation&message=$m->{get} HTTP/1.0"));
is(scep_open($m, $body)->{status}, 'SUCCESS', 'GET');

($status, undef, $body) = scep_raw(
    request('POST /scep?operation=PKIOperation HTTP/1.0',
            'Content-Length: ' . length $m->{der}), $m->{der});
is(scep_open($m, $body)->{status}, 'SUCCESS', 'POST');

($status, undef, $body) = scep_raw(
    request('POST /scep?operation=PKIOperation HTTP/1.0'), $m->{der});
is($status, 400, 'POST without Content-Length');



=== TEST 11: T10: HEAD
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
for my $operation ('GetCACaps', 'GetCACert') {
    my ($status, $headers, $body) =
        http('HEAD', "/scep?operation=$operation");
    is($status, 200, $operation);
    is($body, '');
    is($headers->{'content-length'},
       length((http_get("/scep?operation=$operation"))[2]));
}
my $m = good();
my ($status, $headers, $body) =
    http('HEAD', "/scep?operation=PKIOperation&message=$m->{get}");
is($status, 405, 'not PKIOperation');
is($headers->{allow}, 'GET, POST');
is($body, '');
is(issued('demo'), $before, 'nothing is issued');



=== TEST 12: T8: other methods
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
my $before = issued('demo');
for my $method ('PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'MKCOL') {
    for my $operation ('PKIOperation', 'GetCACaps', 'x') {
        my ($status, $headers, $body) =
            http($method, "/scep?operation=$operation", body => $m->{der});
        is($status, 405, "$method $operation");
        is($headers->{allow}, 'GET, HEAD, POST');
        is($body, "method not allowed\n");
    }
}
is(issued('demo'), $before, 'nothing is issued');



=== TEST 13: T8: unknown, missing and repeated operations
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
my $before = issued('demo');
for my $args ('', '?', '?operation', '?operation=', '?operation=getcacaps',
              '?operation=GetCACaps%20', '?operation=GetCACap%73',
              '?operation=GetCACapsX', '?operation=GetCRL',
              '?operation=GetNextCACerts', '?operation=PKIOperation%00',
              '?Operation=GetCACaps', '?xoperation=GetCACaps',
              '?operation=GetCACaps&operation=GetCACaps',
              '?operation=GetCACaps&operation=PKIOperation',
              '?operation=../../../etc/passwd')
{
    my ($status, $headers, $body) = http_get("/scep$args");
    is($status, 400, "GET $args");
    like($body, qr/^[a-z ]{8,40}\n\z/, 'a few words');
    is($headers->{'content-type'}, 'text/plain');

    next if $args =~ /^\??$|^\?operation$|^\?(x|O)/;

    ($status) = http_post("/scep$args", $m->{der});
    is($status, 400, "POST $args");
}
for my $args ('?operation=PKIOperation&operation=PKIOperation',
              '?operation=PKIOperation&operation=GetCACaps')
{
    my ($status) = http_post("/scep$args", $m->{der});
    is($status, 400, "POST $args");
    ($status) = http_get("/scep$args&message=$m->{get}");
    is($status, 400, "GET $args");
}
is(issued('demo'), $before, 'nothing is issued');



=== TEST 14: T3, B1 to B6: base64 as clients and proxies write it
--- config eval
$::locations
--- perl
use MIME::Base64 qw( encode_base64 );
scep_ready('/probe');

# one with both letters beyond a-z, 0-9, and with padding

my ($m, $plain);
for my $n (1 .. 6) {
    $m = good(txn => 'x' x $n);
    $plain = encode_base64($m->{der}, '');
    last if $plain =~ m{/.*=}s && $plain =~ /\+/;
}
like($plain, qr/=\z/);

sub escaped { (my $text = $_[0]) =~ s{([^A-Za-z0-9])}
                                      {sprintf '%%%02X', ord $1}ge; $text }

my $wrapped = encode_base64($m->{der});
(my $crlf = $wrapped) =~ s/\n/\r\n/g;
(my $blank = $plain) =~ s/\+/ /g;
(my $wrapped_blank = $wrapped) =~ s/\n/ /g;
(my $url = $plain) =~ tr{+/}{-_};
(my $bare = $plain) =~ s/=+//;
(my $lower = escaped($plain)) =~ s/(%..)/lc $1/ge;
(my $raw = $plain) =~ s/=/%3D/g;

my @vectors = (
    ['B1 percent-encoded', escaped($plain)],
    ['B1 in lower case', $lower],
    ['B2 lines, LF', escaped($wrapped)],
    ['B2 lines, CR LF', escaped($crlf)],
    ['B2 lines, blanks', escaped($wrapped_blank)],
    ['B3 raw + and /', $raw],
    ['B3 raw, = too', $plain],
    ['B4 blanks for +', escaped($blank)],
    ['B5 the alphabet for URLs', $url],
    ['B6 no padding', escaped($bare)],
    ['B6 for URLs, no padding', do { (my $t = $url) =~ s/=+//; $t }],
    ['B3 encoded twice', escaped(escaped($plain))],
);

for (@vectors) {
    my ($what, $text) = @$_;
    my ($status, undef, $body) =
        http_get("/scep?operation=PKIOperation&message=$text");
    is($status, 200, $what);
    is(scep_open($m, $body)->{status}, 'SUCCESS', $what);
}



=== TEST 15: B7, B8: anything else is refused
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
my $before = issued('demo');
my $good = $m->{get};
(my $cut = $good) =~ s/(?:%3D)*\z/%/;

for (['B7 %00 at the end', "$good%00"], ['B7 %00 within', "%00$good"],
     ['B8 junk at the end', "$good!"], ['B8 junk', "$good%22%3E"],
     ['B8 more after the padding', "$good%3DAAAA"], ['no value', ''],
     ['padding alone', '%3D%3D'], ['one letter', 'A'],
     ['% alone', '%'], ['% cut', $cut], ['% of no hex', "%zz$good"],
     ['encoded three times', 'AA%25252B'], ['a fragment of UTF-8', '%C3%A9'],
     ['tabs alone', '%09%0D%0A'])
{
    my ($what, $text) = @$_;
    my ($status, undef, $body) =
        http_get("/scep?operation=PKIOperation&message=$text");
    is($status, 400, $what);
    is($body, "bad message parameter\n", $what);
}
for (["twice", "message=$good&message=$good"], ['none', ''],
     ['another name', "Message=$good"], ['no =', 'message'])
{
    my ($what, $args) = @$_;
    my ($status) = http_get("/scep?operation=PKIOperation&$args");
    is($status, 400, "message: $what");
}
is(issued('demo'), $before, 'nothing is issued');
is(scep_brief(scep_send('/scep', $m, get => 1)), 'SUCCESS', 'as it was');



=== TEST 16: T10: chunked bodies
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
for my $size (1000, 1, 60000) {
    my $chunks = join '', map({ sprintf "%x\r\n%s\r\n", length, $_ }
                              $m->{der} =~ /(.{1,$size})/sg), "0\r\n\r\n";
    my ($status, undef, $body) =
        http('POST', '/scep?operation=PKIOperation', body => $chunks,
             headers => { 'Transfer-Encoding' => 'chunked' });
    is($status, 200, "chunks of $size");
    is(scep_open($m, $body)->{status}, 'SUCCESS');
}
my $chunk = sprintf "%x\r\n%s\r\n", 4096, 'x' x 4096;
my ($status) = http('POST', '/scep?operation=PKIOperation',
                    body => ($chunk x 20) . "0\r\n\r\n",
                    headers => { 'Transfer-Encoding' => 'chunked' });
is($status, 413, 'chunks without end');
($status) = http('POST', '/scep?operation=PKIOperation', body => "0\r\n\r\n",
                 headers => { 'Transfer-Encoding' => 'chunked' });
is($status, 400, 'no chunk');



=== TEST 17: a body in parts, in a file, in both
--- config
location = /probe { pki_probe; }
location /small   { scep demo; client_body_buffer_size 1k; }
location /file    { scep demo; client_body_in_file_only clean; }
location /single  { scep demo; client_body_in_single_buffer on;
                    client_body_buffer_size 1k; }
--- perl
scep_ready('/probe');
my $m = good(san => [ map { "DNS:$_.example" } 1 .. 60 ]);
cmp_ok(length $m->{der}, '>', 2048, 'large enough');
for my $uri ('/small', '/file', '/single') {
    is(scep_brief(scep_send($uri, $m)), 'SUCCESS', $uri);

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client());
    $s->autoflush(1);
    print $s request("POST $uri?operation=PKIOperation HTTP/1.1",
                     'Host: localhost', 'Connection: close',
                     'Content-Length: ' . length $m->{der});
    for my $part ($m->{der} =~ /(.{1,700})/sg) {
        print $s $part;
        select undef, undef, undef, 0.01;
    }
    my (undef, undef, $body) =
        PKI::parse_response(PKI::read_all($s, 10));
    is(scep_open($m, $body)->{status}, 'SUCCESS', "$uri, bit by bit");
}



=== TEST 18: T10: Expect: 100-continue
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
my $s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);
print $s request('POST /scep?operation=PKIOperation HTTP/1.1',
                 'Host: localhost', 'Connection: close',
                 'Expect: 100-continue',
                 'Content-Length: ' . length $m->{der});
is(scalar <$s>, "HTTP/1.1 100 Continue\r\n");
is(scalar <$s>, "\r\n");
print $s $m->{der};
my ($status, undef, $body) = PKI::parse_response(PKI::read_all($s, 10));
is($status, 200);
is(scep_open($m, $body)->{status}, 'SUCCESS');



=== TEST 19: T10: several requests on a connection, pipelined
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $m = good();
my $s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);
print $s request('POST /scep?operation=PKIOperation HTTP/1.1',
                 'Host: localhost', 'Content-Length: ' . length $m->{der}),
         $m->{der},
         request('GET /scep?operation=GetCACaps HTTP/1.1',
                 'Host: localhost'),
         request('PUT /scep HTTP/1.1', 'Host: localhost',
                 'Content-Length: 5'), 'GET /',
         request('POST /scep?operation=none HTTP/1.1', 'Host: localhost',
                 'Content-Length: 5'), 'GET /',
         request('GET /scep?operation=GetCACert HTTP/1.1',
                 'Host: localhost', 'Connection: close');
my $all = PKI::read_all($s, 10);
my @statuses = $all =~ m{HTTP/1.1 (\d+)}g;
is_deeply(\@statuses, [200, 200, 405, 400, 200]);



=== TEST 20: T8: too large, and no larger than may be
--- config eval
$::locations . 'location /wide { scep demo; client_max_body_size 9m; }'
--- perl
scep_ready('/probe');
for my $uri ('/scep', '/wide') {
    my ($status) = http_post("$uri?operation=PKIOperation", 'x' x 1048576);
    is($status, 413, "$uri: 1 MB");
    ($status) = http_post("$uri?operation=PKIOperation", 'x' x 65537);
    is($status, 413, "$uri: 64 KB and one");
    ($status) = http_post("$uri?operation=PKIOperation", 'x' x 65536);
    is($status, 400, "$uri: 64 KB");
}
my ($status) = http_post('/scep?operation=PKIOperation', 'x' x 2097152);
is($status, 413, 'beyond client_max_body_size');
($status) = http_get('/scep?operation=PKIOperation&message=' . 'A' x 31000);
is($status, 400, 'a long URI');
is(scep_brief(scep_send('/scep', good())), 'SUCCESS', 'and goes on');



=== TEST 21: T8: nothing, and not ASN.1
--- config eval
$::locations
--- perl
scep_ready('/probe');
my ($status, $headers, $body) = http_post('/scep?operation=PKIOperation', '');
is($status, 400);
is($body, "no message\n");
is($headers->{'content-type'}, 'text/plain');
for my $text ('x', "\0", '0' x 100, "\x30\x80", '<html>', "\x30\x03abc") {
    ($status, $headers, $body) =
        http_post('/scep?operation=PKIOperation', $text);
    is($status, 400);
    is($body, "malformed message\n");
    is($headers->{'content-type'}, 'text/plain');
}
--- no_error_log
[error]



=== TEST 22: an authority that is not ready: 503 for every operation
--- http_config
pki_redis redis://127.0.0.1:1;
--- config eval
$::locations
--- perl
# made by an earlier block, or at this start
wait_until(sub { -s "$::work/demo.pem" });
my $m = good();
for my $uri ('/scep?operation=GetCACaps', '/scep?operation=GetCACert',
             '/sub?operation=GetCACert',
             "/scep?operation=PKIOperation&message=$m->{get}",
             '/scep/pkiclient.exe?operation=GetCACert')
{
    my ($status, $headers, $body) = http_get($uri);
    is($status, 503, substr $uri, 0, 40);
    like($headers->{'retry-after'}, qr/^\d+$/, 'Retry-After');
    is($body, "the authority is not ready\n");
}
for my $uri ('/scep?operation=PKIOperation', '/scep') {
    my ($status, $headers) = http_post($uri, $m->{der});
    is($status, 503, "POST $uri");
    like($headers->{'retry-after'}, qr/^\d+$/, 'Retry-After');
}
is((http_get('/scep?operation=x'))[0], 400, 'what would never do is told so');

# the body is no request of its own

my $inner = request('GET /_alive HTTP/1.1', 'Host: localhost');
my $s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);
for my $operation ('PKIOperation', 'GetCACert') {
    print $s request("POST /scep?operation=$operation HTTP/1.1",
                     'Host: localhost', 'Content-Length: ' . length $inner),
             $inner;
}
print $s request('GET /scep?operation=x HTTP/1.1', 'Host: localhost',
                 'Connection: close');
my @statuses = PKI::read_all($s, 10) =~ m{HTTP/1.1 (\d+)}g;
is_deeply(\@statuses, [503, 503, 400], 'kept alive');
--- error_log
redis
