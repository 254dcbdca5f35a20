# OCSP over HTTP: methods, bodies, the base64 of a GET in all the ways it is
# seen in, headers for caches.  The rows T and H of RFC 6960, A.1, RFC 5019
# and RFC 9110; what requests and responses consist of is in 31 and 32.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;

use Digest::SHA qw( sha256_hex );

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'),
            authority('other', key => 'ec:P-256'));

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
END

our ($cert, @der);

# The responder is ready, there is a certificate, and a request for it.

sub setup {
    ocsp_ready() or die "not ready";
    $cert ||= new_certificate('one') or die 'no certificate';
    ocsp_defaults(ca => work_file('demo.pem'), cert => $cert);
    return (ocsp_make({}))[0];
}

# A request for a certificate that was never issued, whose base64 is like that.
# Its serial number is by chance; what the issuer's hash makes of it may not fit
# at all, so there are two.

sub like_base64 {
    my ($pattern, $octets) = @_;

    for (1 .. 400) {
        for my $der (ocsp_make(map { { serial => random_serial($octets),
                                       hash => $_ % 2 ? 'sha1' : 'sha256' } }
                               1 .. 50))
        {
            return $der if base64($der) =~ $pattern;
        }
    }

    die "no request whose base64 is like $pattern";
}

# 13 to 16 octets, so that some need padding, or as many as it says.

sub random_serial {
    my ($octets) = @_;

    return '01' . join '', map { sprintf '%02x', rand 256 }
                           1 .. ($octets ? $octets - 1 : 12 + rand 4);
}

sub get { return (ocsp_parse([ http_get(@_) ]))[0] }

sub is_good {
    my ($answer, $name) = @_;
    is($answer->{status} // $answer->{error}, 'good', $name);
}

run_tests();

__DATA__

=== TEST 1: T1: POST: 200, type, length, DER
--- config eval
$::locations
--- perl
my $r = ocsp_post('/ocsp', setup());

is($r->{http}, 200, 'status 200');
is($r->{headers}{'content-type'}, 'application/ocsp-response', 'its type');
is($r->{headers}{'content-length'}, length $r->{body}, 'its length');
is($r->{length}, length $r->{body}, 'nothing but the response');
is_good($r, 'good');
is($r->{verified}, 1, 'signed');



=== TEST 2: T2 H10: GET gives the octets of POST, from the same place
--- config eval
$::locations . 'add_header X-Cache $ocsp_cache;'
--- perl
my $der = setup();

# ECDSA signs nothing twice in the same way; the log may still bring news of
# the certificate

my $n = 0;

for my $first (\&ocsp_post, \&ocsp_get) {
    my $new = new_certificate('octets' . ++$n);
    my ($der) = ocsp_make({ cert => $new });
    my @r = $first->('/ocsp', $der);
    is($r[0]{headers}{'x-cache'}, 'miss', 'signed');

    ok(wait_until(sub {
        @r = map { ($_ % 2 ? \&ocsp_get : \&ocsp_post)->('/ocsp', $der) }
             1 .. 10;
        !grep { $_->{headers}{'x-cache'} ne 'hit' } @r;
    }), 'then kept, for the other method, too');

    is(scalar(grep { $_->{body} ne $r[0]{body} } @r), 0, 'the same octets');
    is_good($r[0], 'good');
    is($r[0]{headers}{'content-type'}, 'application/ocsp-response',
       'its type');
}



=== TEST 3: T3: + / = in the path, as they are and escaped in either case
--- config eval
$::locations
--- perl
setup();
my $text = base64(like_base64(qr{^(?=.*\+)(?!.*//)(?=.*/.*=)}));
my $lower = escape($text);
$lower =~ s/(%..)/lc $1/ge;
(my $half = $text) =~ s/\+/%2B/g;

for ([ raw => $text ], [ escaped => escape($text) ], [ lower => $lower ],
     [ half => $half ])
{
    my ($name, $uri) = @$_;
    my $r = get("/ocsp/$uri");
    is($r->{status}, 'unknown', "$name: an answer");
    is(base64($r->{cert_id} ? pack 'H*', $r->{serial} : ''),
       base64(pack 'H*', get("/ocsp/$text")->{serial}), "$name: the same");
}



=== TEST 4: T4: // inside base64 survives
--- config eval
$::locations
--- perl
setup();

for my $hex (@{ ocsp_craft(op => 'slashes', n => 6) }) {
    my $text = base64(pack 'H*', $hex);

    for my $uri ($text, escape($text)) {
        my $r = get("/ocsp/$uri");
        is($r->{status}, 'unknown', 'answered');
        ok(index($hex, $r->{cert_id}) > 0, 'for this certificate');
    }
}



=== TEST 5: T5: superfluous slashes before it
--- config eval
$::locations . 'location /with/ { ocsp_responder demo; }'
--- perl
setup();

# none that nginx would merge, where its own URI is all there is

my $text = base64(like_base64(qr{^(?=.*/)(?!.*//)}));

for ("/ocsp//$text", "/ocsp///$text", "//ocsp/$text", "/with/$text",
     "/with//$text", "/%6fcsp/$text", "/./ocsp/$text")
{
    my ($prefix) = /^(.*)\Q$text/;
    is(get($_)->{status}, 'unknown', $prefix);
}



=== TEST 6: T6: space for +, no padding, base64url, escaped twice
--- config eval
$::locations
--- perl
setup();
my $der = like_base64(qr{^(?=.*\+)(?!.*//)(?=.*/).*=});
my $text = base64($der);

(my $space = $text) =~ s/\+/%20/g;
(my $bare = $text) =~ s/=//g;
(my $url = $bare) =~ tr{+/}{-_};
(my $padded = $text) =~ tr{+/}{-_};
(my $plus = $text) =~ s/\+/%252B/g;

for ([ space => $space ], [ unpadded => $bare ], [ base64url => $url ],
     [ 'base64url, padded' => $padded ], [ 'plus twice' => $plus ],
     [ 'all twice' => escape(escape($text)) ])
{
    my ($name, $uri) = @$_;
    my $r = get("/ocsp/$uri");
    is($r->{status}, 'unknown', $name);
    ok(index(unpack('H*', $der), $r->{cert_id} // '?') > 0, "$name: the same");
}



=== TEST 7: T7: a slash that a proxy merged is put back, or nothing is answered
--- config eval
$::locations . <<'END'
location /edge/ {
    proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/ocsp/;
}
END
--- perl
setup();

my ($repaired, $proxied) = (0, 0);

for my $hex (@{ ocsp_craft(op => 'slashes', n => 20) }) {
    my $text = base64(pack 'H*', $hex);
    (my $merged = $text) =~ s{//}{/};

    my $r = get("/ocsp/$merged");

    if ($r->{error} eq 'successful') {
        $repaired++ if index($hex, $r->{cert_id}) > 0;

    } else {
        is($r->{error}, 'malformed_request', 'or malformed, if ambiguous');
        $repaired++;
    }

    $r = get("/edge/$text");
    $proxied++ if $r->{error} eq 'successful'
                  && index($hex, $r->{cert_id}) > 0
                  || $r->{error} eq 'malformed_request';
}

is($repaired, 20, 'never another certificate than the one asked for');
is($proxied, 20, 'nor through a proxy');

# the last 26 characters are all of a serial number of 20 octets

my $unambiguous = like_base64(qr{(?=.{26}$)[^/]*//[^/]{4,}$}, 20);
(my $merged = base64($unambiguous)) =~ s{//}{/};
my $r = get("/ocsp/$merged");
is($r->{status}, 'unknown', 'one place only: repaired');
ok(index(unpack('H*', $unambiguous), $r->{cert_id} // '?') > 0, 'this one');



=== TEST 8: T8: a GET longer than 255 characters
--- config eval
$::locations
--- perl
setup();
my ($der) = ocsp_make({ nonce => '5a' x 128 });
ok(length base64($der) > 300, 'long');
my $r = ocsp_get('/ocsp', $der);
is_good($r, 'good');
is($r->{extensions}[0]{value}, '048180' . '5a' x 128, 'with its nonce');



=== TEST 9: T9: a prefix for each issuer, the longest wins; the bare name
--- config eval
$::locations . <<'END'
location /ocsp/other    { ocsp_responder other; }
location = /exact       { ocsp_responder demo; }
END
--- perl
my $der = setup();

is_good(ocsp_get('/ocsp', $der), 'the shorter one');
is(ocsp_get('/ocsp/other', $der)->{error}, 'unauthorized', 'the longer one');
is_good(ocsp_post('/exact', $der), 'an exact one, by POST');

for my $uri ('/ocsp', '/ocsp/', '/exact', '/ocsp?x=y') {
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, "$uri: 200");
    is($body, "OCSP responder\n", "$uri: one line");
    is($headers->{'content-type'}, 'text/plain', "$uri: text");
}



=== TEST 10: T10: HTTP/1.0 with and without Host
--- config eval
$::locations
--- perl
my $der = setup();
my $length = "Content-Length: " . length($der) . "\r\n";
my $get = 'GET /ocsp/' . escape(base64($der));

for ([ 'POST, no Host' => "POST /ocsp HTTP/1.0\r\n$length\r\n$der" ],
     [ 'POST, Host' => "POST /ocsp HTTP/1.0\r\nHost: a\r\n$length\r\n$der" ],
     [ 'POST, close' => "POST /ocsp HTTP/1.0\r\nConnection: close\r\n"
                        . "$length\r\n$der" ],
     [ 'GET, no Host' => "$get HTTP/1.0\r\n\r\n" ],
     [ 'GET, Host' => "$get HTTP/1.0\r\nHost: a\r\n\r\n" ],
     [ 'GET, close' => "$get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                       . "\r\n" ])
{
    my ($name, $request) = @$_;
    is_good((ocsp_parse([ PKI::parse_response(PKI::OCSP::raw($request)) ]))[0],
            $name);
}



=== TEST 11: T10: keep-alive and pipelining
--- config eval
$::locations
--- perl
my $der = setup();
my $post = "POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Length: "
           . length($der) . "\r\n\r\n$der";
my $get = 'GET /ocsp/' . escape(base64($der)) . " HTTP/1.1\r\nHost: a\r\n\r\n";
(my $last = $post) =~ s/Host: a/Host: a\r\nConnection: close/;

my $all = PKI::OCSP::raw($post . $get . $post . $get . $last);
is(() = $all =~ m{HTTP/1.1 200}g, 5, 'five answers in one go');

$all = PKI::OCSP::raw([ $post, $get, $last ]);
is(() = $all =~ m{HTTP/1.1 200}g, 3, 'three, one after the other');

# cut apart in the middle of everything

my @pieces = unpack '(a40)*', $last;
$all = PKI::OCSP::raw(\@pieces);
like($all, qr{^HTTP/1.1 200}, 'in pieces');



=== TEST 12: T11: chunked, and Expect: 100-continue
--- config eval
$::locations
--- perl
my ($one, $two) = (setup(), ocsp_make({ serial => '0102030405' }));

my $chunked = join('', map { "1\r\n$_\r\n" } split //, $one) . "0\r\n\r\n";
my ($status, $headers, $body) = http('POST', '/ocsp', body => $chunked,
    headers => { 'Transfer-Encoding' => 'chunked' });
is_good((ocsp_parse([ $status, $headers, $body ]))[0], 'chunked');

# each answer belongs to its own request

for ([ $one, 'good' ], [ $two, 'unknown' ], [ $one, 'good' ]) {
    my ($der, $expected) = @$_;
    my $all = PKI::OCSP::raw([
        "POST /ocsp HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        . "Expect: 100-continue\r\nContent-Length: " . length($der)
        . "\r\n\r\n", $der ]);
    ok($all =~ s{^HTTP/1.1 100 Continue\r\n\r\n}{}, 'continue');
    my ($r) = ocsp_parse([ PKI::parse_response($all) ]);
    is($r->{status}, $expected, $expected);
}



=== TEST 13: T12: HEAD is GET without a body, other methods are refused
--- config eval
$::locations . 'location = /crl { crl demo; }'
--- perl
my $der = setup();
my $uri = '/ocsp/' . escape(base64($der));
my ($status, $headers, $body) = http('HEAD', $uri);

is($status, 200, 'HEAD: 200');
is($body, '', 'no body');
is($headers->{'content-type'}, 'application/ocsp-response', 'its type');
ok($headers->{'content-length'} > 100, 'its length');
like($headers->{'cache-control'}, qr/^max-age=/, 'as GET');

for my $method (qw( PUT DELETE OPTIONS PATCH )) {
    ($status, $headers) = http($method, '/ocsp');
    is($status, 405, "$method: 405");
    is($headers->{allow}, 'GET, HEAD, POST', "$method: what is allowed");
}



=== TEST 14: T13: any Content-Type, or none
--- config eval
$::locations
--- perl
my $der = setup();

for my $type (undef, 'application/ocsp-request', 'text/plain',
              'application/x-www-form-urlencoded',
              'application/ocsp-request; charset=binary')
{
    my ($r) = ocsp_parse([ http_post('/ocsp', $der, headers =>
        { defined $type ? ('Content-Type' => $type) : () }) ]);
    is_good($r, $type // 'none');
}



=== TEST 15: T13: 415, by nginx's own means
--- config eval
$::locations . <<'END'
location /strict {
    ocsp_responder demo;

    if ($content_type !~ "^(application/ocsp-request)?$") {
        return 415;
    }
}
END
--- perl
my $der = setup();

for ([ 'application/ocsp-request', 200 ], [ 'text/plain', 415 ],
     [ 'application/x-www-form-urlencoded', 415 ])
{
    my ($type, $expected) = @$_;
    my ($status) = http_post('/strict', $der,
                             headers => { 'Content-Type' => $type });
    is($status, $expected, "$type: $expected");
}

is_good(ocsp_post('/strict', $der), 'POST');
is_good(ocsp_get('/strict', $der), 'GET has none');



=== TEST 16: T14: an oversized body is refused before it is read
--- config eval
$::locations
--- perl
setup();

my $all = PKI::OCSP::raw("POST /ocsp HTTP/1.1\r\nHost: a\r\n"
                         . "Content-Length: 1000000\r\n\r\n", 1);
like($all, qr{^HTTP/1.1 413}, 'its length alone');

my ($status) = http_post('/ocsp', 'x' x 20000);
is($status, 413, '20,000 octets');

($status) = http('POST', '/ocsp', body => "4e20\r\n" . 'x' x 20000
                 . "\r\n0\r\n\r\n",
                 headers => { 'Transfer-Encoding' => 'chunked' });
is($status, 413, 'chunked');

my ($r) = ocsp_parse([ http_post('/ocsp', "\x30" x 16000) ]);
is($r->{error}, 'malformed_request', 'less is read, and is malformed');



=== TEST 17: T15: neither compressed nor redirected
--- http_config
gzip on;
gzip_min_length 1;
gzip_types *;
gzip_proxied any;
--- config eval
$::locations . 'location = /ca { pki_certificate demo; }
                location = /crl { crl demo; }'
--- perl
my $der = setup();
wait_until(sub { (http_get('/crl'))[0] == 200 });

for my $uri ('/ocsp/' . escape(base64($der)), '/crl', '/ca') {
    my ($status, $headers) = http_get($uri, headers =>
                                      { 'Accept-Encoding' => 'gzip' });
    is($status, 200, 'no redirect');
    is($headers->{'content-encoding'}, undef, 'as it is');
}



=== TEST 18: T16: errors of OCSP are answers of HTTP
--- config eval
$::locations . 'location /other { ocsp_responder other; }'
--- perl
my $der = setup();

for ([ '/ocsp', 'nonsense', $PKI::OCSP::MALFORMED ],
     [ '/ocsp', '', $PKI::OCSP::MALFORMED ],
     [ '/other', $der, $PKI::OCSP::UNAUTHORIZED ])
{
    my ($uri, $body, $expected) = @$_;
    my $r = ocsp_post($uri, $body);
    is($r->{http}, 200, 'status 200');
    is($r->{headers}{'content-type'}, 'application/ocsp-response', 'type');
    is($r->{body}, $expected, 'five octets');
}

for my $text ('AAAA', 'M', 'MFE', '....', '%25', base64('x' x 99)) {
    my ($status, undef, $body) = http_get("/ocsp/$text");
    is($body, $PKI::OCSP::MALFORMED, "GET of $text");
}



=== TEST 19: T16: errors by their status, if that is wanted
--- config eval
$::locations . <<'END'
location /status   { ocsp_responder demo; ocsp_error_status on; }
location /required { ocsp_responder demo; ocsp_error_status on;
                     ocsp_request_signature require; }
END
--- perl
my $der = setup();

# what the answer to each method is like

sub is_error {
    my ($uri, $der, $http, $octets, $name) = @_;

    for my $r (ocsp_post($uri, $der), ocsp_get($uri, $der)) {
        is($r->{http}, $http, "$name: $http");
        is($r->{body}, $octets, "$name: the five octets");
        is($r->{headers}{'content-type'}, 'application/ocsp-response',
           "$name: their type");
        is($r->{headers}{'cache-control'}, 'no-store, max-age=0',
           "$name: not to be kept");
        is(defined $r->{headers}{'retry-after'}, $http == 503,
           "$name: when to come again");
    }
}

my ($foreign) = ocsp_make({ key => '6b' x 20 });

is_good(ocsp_post('/status', $der), 'good');
is(ocsp_post('/status', $der)->{http}, 200, 'is 200');
is(ocsp_post('/status', { serial => '77' })->{http}, 200, 'so is unknown');

is_error('/status', 'nonsense', 400, $PKI::OCSP::MALFORMED, 'malformed');
is_error('/status', $foreign, 403, $PKI::OCSP::UNAUTHORIZED, 'unauthorized');
is_error('/required', $der, 403, "\x30\x03\x0a\x01\x05", 'sigRequired');
is(ocsp_post('/ocsp', 'nonsense')->{http}, 200, 'not set: 200');

redis_stop();
is_error('/status', ocsp_make({ serial => '78' }), 503,
         $PKI::OCSP::TRY_LATER, 'tryLater');
redis_start();
--- error_log
redis



=== TEST 20: T17: connects without a request, TLS, half a request
--- config eval
$::locations
--- perl
my $der = setup();
my $port = Test::Nginx::Util::server_port_for_client();

for (1 .. 20) {
    close(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port));
}

like(PKI::OCSP::raw("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'x' x 99),
     qr/400 Bad Request/, 'TLS: 400');

my @half = map {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
    $s->autoflush(1);
    print $s "POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n\x30";
    $s;
} 1 .. 20;

is_good(ocsp_post('/ocsp', $der), 'answers with 20 slow clients');
close $_ for @half;
is_good(ocsp_post('/ocsp', $der), 'and when they have gone');



=== TEST 21: H1 H2 H3: a GET may be cached: dates, Cache-Control
--- config eval
$::locations
--- perl
my $der = setup();
my $r = ocsp_get('/ocsp', $der);
my $h = $r->{headers};
my $date = qr/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8} GMT$/;

like($h->{$_}, $date, "$_: a date of HTTP")
    for qw( date expires last-modified );

is(at($h->{expires}), $r->{next_update}{at}, 'Expires is nextUpdate');
is(at($h->{'last-modified'}), $r->{this_update}{at},
   'Last-Modified is thisUpdate');

like($h->{'cache-control'},
     qr/^max-age=\d+, public, no-transform, must-revalidate$/,
     'Cache-Control');

my %age;

for (1 .. 30) {
    $r = ocsp_get('/ocsp', $der);
    my ($n) = $r->{headers}{'cache-control'} =~ /max-age=(\d+)/;
    my $left = $r->{next_update}{at} - at($r->{headers}{date});
    $age{$n}++;
    $age{bad}++ if $n <= 0 || $n > $left / 2 + 1;
}

ok(!$age{bad}, 'max-age is at most half of what is left');
ok(keys %age > 5, 'and not the same for all');

sub at {
    my ($text) = @_;
    my %month;
    @month{qw( Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec )} = 0 .. 11;
    my ($d, $m, $y, $hour, $min, $sec) =
        $text =~ /(\d+) (\w+) (\d+) (\d+):(\d+):(\d+)/ or return;
    require Time::Local;
    return Time::Local::timegm($sec, $min, $hour, $d, $month{$m}, $y);
}



=== TEST 22: H6: If-Modified-Since alone: 200, a status may change in a second
--- config eval
$::locations
--- perl
my $der = setup();
my $uri = '/ocsp/' . escape(base64($der));
my (undef, $first) = http_get($uri);

for my $date ($first->{'last-modified'}, 'Mon, 01 Jan 2001 00:00:00 GMT') {
    my ($status, undef, $body) = http_get($uri, headers =>
        { 'If-Modified-Since' => $date });
    is($status, 200, $date);
    ok(length $body, 'with its body');
}



=== TEST 23: H5: ETag: the SHA-256 of the answer, from every worker
--- config eval
$::locations . 'add_header X-Pid $pid;'
--- perl
my $der = setup();
my $uri = '/ocsp/' . escape(base64($der));
my %answers;

ok(wait_until(sub {
    %answers = by_worker("GET $uri HTTP/1.0\r\n\r\n");
    my %bodies = map { $_->[2] => 1 } map { @$_ } values %answers;
    keys %bodies == 1;
}), 'every worker gives the same octets');

for my $pid (keys %answers) {
    my (undef, $headers, $body) = @{ $answers{$pid}[0] };
    is($headers->{etag}, '"' . sha256_hex($body) . '"', 'their SHA-256');
}

my ($status, $headers) = http('HEAD', $uri);
is($headers->{etag}, $answers{ (keys %answers)[0] }[0][1]{etag}, 'HEAD');

# another answer has another one

my $first = ocsp_get('/ocsp', ocsp_make({ cert => new_certificate('etag') }));
is($first->{headers}{etag}, '"' . sha256_hex($first->{body}) . '"',
   'also when it has just been signed');
isnt($first->{headers}{etag}, $headers->{etag}, 'and another one');

my $several = ocsp_get('/ocsp', ocsp_make({ ids => [ {}, {} ] }));
is($several->{headers}{etag}, '"' . sha256_hex($several->{body}) . '"',
   'of several certificates, too');



=== TEST 24: H6: If-None-Match: 304 with the headers of 200
--- config eval
$::locations
--- perl
my $der = setup();
my $uri = '/ocsp/' . escape(base64($der));
my ($etag, $modified, $old);

ok(wait_until(sub {
    my @etags = map { (http_get($uri))[1]{etag} } 1 .. 10;
    (undef, my $headers) = http_get($uri);
    ($etag, $modified) = @$headers{qw( etag last-modified )};
    $old = 'Mon, 01 Jan 2001 00:00:00 GMT';
    !grep { $_ ne $etag } @etags;
}), 'the answer stays');

for ([ 'the tag', 304, $etag ],
     [ 'the tag, weak', 304, "W/$etag" ],
     [ 'any', 304, '*' ],
     [ 'the last one of a list', 304, "\"a\", W/\"b\",  $etag" ],
     [ 'the first one of a list', 304, "$etag,\"a\"" ],
     [ 'another one', 200, '"a"' ],
     [ 'a part of it', 200, substr($etag, 0, 20) . '"' ],
     [ 'the tag, modified since', 304, $etag, $old ],
     [ 'another one, not modified since', 200, '"a"', $modified ])
{
    my ($name, $expected, $tag, $since) = @$_;

    for my $method (qw( GET HEAD )) {
        my ($status, $h, $body) = http($method, $uri, headers => {
            'If-None-Match' => $tag,
            $since ? ('If-Modified-Since' => $since) : () });

        is($status, $expected, "$name: $method: $expected");
        next if $status != 304;

        is($body, '', "$name: no body");
        is($h->{etag}, $etag, "$name: its ETag");
        is($h->{'content-type'}, undef, "$name: no type");
        like($h->{'cache-control'}, qr/^max-age=\d+, public/,
             "$name: Cache-Control");
        like($h->{$_}, qr/ GMT$/, "$name: $_") for qw( date expires );
    }
}

for ([ 'POST', http_post('/ocsp', $der, headers => { 'If-None-Match' => '*' }) ],
     [ 'a nonce', http_get('/ocsp/' . escape(base64(ocsp_make(
           { nonce => '01' x 16 }))), headers => { 'If-None-Match' => '*' }) ],
     [ 'an error', http_get('/ocsp/MA==',
           headers => { 'If-None-Match' => '*' }) ])
{
    my ($name, $status, undef, $body) = @$_;
    is($status, 200, "$name: never 304");
    ok(length $body, "$name: an answer");
}



=== TEST 25: H7 H8 H9: what must not be cached says so, the rest never does
--- config eval
$::locations
--- perl
my $der = setup();
my $forbidden = qr/no-cache|no-store/;

for my $r (ocsp_get('/ocsp', $der), ocsp_post('/ocsp', $der),
           ocsp_get('/ocsp', ocsp_make({ serial => '77' })))
{
    unlike($r->{headers}{'cache-control'} // '', $forbidden, 'H7: no-store');
    is($r->{headers}{pragma}, undef, 'H7: no Pragma');
}

for my $r (ocsp_get('/ocsp', 'nonsense'), ocsp_post('/ocsp', 'nonsense'),
           ocsp_get('/ocsp', ocsp_make({ name => '00' x 20 })))
{
    isnt($r->{error}, 'successful', "H8: $r->{error}");
    is($r->{headers}{'cache-control'}, 'no-store, max-age=0', 'H8: no-store');
    is($r->{headers}{$_}, undef, "H8: no $_")
        for qw( expires etag last-modified );
}

my ($nonce) = ocsp_make({ nonce => 'ab' x 16 });

for my $r (ocsp_get('/ocsp', $nonce), ocsp_post('/ocsp', $nonce),
           ocsp_post('/ocsp', $der))
{
    is($r->{headers}{$_}, undef, "H9: a nonce or POST: no $_")
        for qw( cache-control expires etag last-modified );
}



=== TEST 26: H11: a tag to purge by, made of the serial number
--- http_config
map $ocsp_serial $purge_tag {
    ~(?<last>..)$  $last;
}
--- config
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo;
                     add_header Edge-Cache-Tag $purge_tag; }
--- perl
my $der = setup();
my $last = substr serial_octets($::cert), -2;

for (1 .. 3) {
    is(ocsp_get('/ocsp', $der)->{headers}{'edge-cache-tag'}, $last,
       'its last octet');
    is(ocsp_get('/ocsp', ocsp_make({ hash => 'sha256' }))
       ->{headers}{'edge-cache-tag'}, $last, 'whichever the hash');
}

is(ocsp_get('/ocsp', ocsp_make({ serial => '0afe' }))
   ->{headers}{'edge-cache-tag'}, 'fe', 'of an unknown one');
is(ocsp_get('/ocsp', 'nonsense')->{headers}{'edge-cache-tag'}, undef,
   'of nothing: none');



=== TEST 27: variables: what was asked and answered
--- config
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
location /ocsp     {
    ocsp_responder demo;
    add_header X-OCSP "$pki_authority $ocsp_status $ocsp_serial $ocsp_reason";
}
--- perl
my $der = setup();
my $revoked = new_certificate('revoked');
revoke($revoked, 'keyCompromise');

my %x = map { $_->[0] => ocsp_post('/ocsp', $_->[1])->{headers}{'x-ocsp'} }
    [ good => $der ], [ revoked => { cert => $revoked } ],
    [ unknown => { serial => '00ff01' } ], [ bad => 'x' ],
    [ foreign => { key => '00' x 20 } ];

is($x{good}, 'demo good ' . serial_octets($::cert) . ' ', 'good');
is($x{revoked}, 'demo revoked ' . serial_octets($revoked)
   . ' keyCompromise', 'revoked');
is($x{unknown}, 'demo unknown 00ff01 ', 'unknown');
is($x{bad}, 'malformedRequest  ', 'malformed');
like($x{foreign}, qr/ unauthorized /, 'foreign');
