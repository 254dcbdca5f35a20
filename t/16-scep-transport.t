# SCEP over HTTP, row by row (scep.md T1 to T10, C1 to C9, A1 to A7), as far as
# no other suite has the row: t/README.md says which has which.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Refused;
use PKI::Scep;

redis_start();

work_file('challenge', "open sesame\n");

http_config('large_client_header_buffers 4 32k;',
            'client_body_buffer_size 128k;', authority('demo'), <<'END');
scep_challenge static $TEST_NGINX_WORK/challenge;
END

our $work = work_dir();

our $locations = <<'END';
location = /probe  { pki_probe; }
location /scep     { scep demo; }
location /renewal  { scep demo; scep_renewal on within=0; }
location /manual   { scep demo; scep_approval manual; }
location /off      { scep demo; scep_renewal off; scep_approval auto; }
location /nested/  { location /nested/deep { scep demo; } }
location ~ ^/re/   { scep demo; }
END

sub request {
    my ($line, @headers) = @_;
    return join "\r\n", $line, @headers, '', '';
}

sub caps_at {
    my ($uri) = @_;
    return (http_get("$uri?operation=GetCACaps"))[2];
}

sub connection {
    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', Timeout => 5,
        PeerPort => Test::Nginx::Util::server_port_for_client()) or die $!;
    $s->autoflush(1);
    return $s;
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: T1, T2, T7: CertReps on one connection, by POST and by GET
--- config eval
$::locations
--- perl
refused_start();
my $m = scep_make(challenge => 'open sesame', subject => 'CN=kept alive');
my $bad = scep_make(challenge => 'wrong');
my $s = connection();
for my $one ($m, $bad, $m) {
    print $s request('POST /scep?operation=PKIOperation HTTP/1.1',
                     'Host: localhost',
                     'Content-Length: ' . length $one->{der}), $one->{der};
    print $s request("GET /scep?operation=PKIOperation&message=$one->{get} "
                     . 'HTTP/1.1', 'Host: localhost');
}
print $s request('GET /_alive HTTP/1.1', 'Host: localhost',
                 'Connection: close');
my $all = PKI::read_all($s, 15);
my @results;
for my $one ($m, $m, $bad, $bad, $m, $m) {
    my ($head) = $all =~ s/\A(.*?\r\n\r\n)//s ? $1 : '';
    my ($length) = $head =~ /^Content-Length: (\d+)\r$/m;
    like($head, qr{^HTTP/1.1 200 OK\r\n}, '200');
    like($head, qr{^Content-Type: application/x-pki-message\r$}m);
    like($head, qr{^Cache-Control: no-store\r$}m, 'T9: not to be kept');
    push @results, scep_open($one, substr $all, 0, $length // 0, '');
}
is_deeply([map { $_->{status} } @results],
          ['SUCCESS', 'SUCCESS', 'FAILURE', 'FAILURE', 'SUCCESS', 'SUCCESS']);
my %serials = map { $_->{serial} // '' => 1 } @results[0, 1, 4, 5];
is(keys %serials, 1, 'the same message, the same certificate');
like($all, qr{^HTTP/1.1 204 }, 'nothing is left over');
--- no_error_log
[error]
[warn]



=== TEST 2: T5: in locations of every kind, whatever is behind them
--- config eval
$::locations
--- perl
refused_start();
my $m = scep_make(challenge => 'open sesame');
my %serials;
for my $path ('/scep', '/scep/pkiclient.exe', '/scepX', '/nested/deep',
              '/nested/deep/cgi-bin/pkiclient.exe', '/re/pkiclient.exe',
              '/re/a/b/c.d', '/scep/%70kiclient.exe', '/scep/%C3%A4',
              '/scep/..%2Fscep')
{
    my $r = scep_send("$path?operation=PKIOperation", $m);
    is(scep_brief($r), 'SUCCESS', $path);
    $serials{ $r->{serial} // '' } = 1;
}
is(keys %serials, 1);
is((http_get('/nested/?operation=GetCACaps'))[0], 404, 'not above it');
--- error_log
No such file or directory
--- no_error_log
[warn]



=== TEST 3: T8: whatever is asked, 2xx or 4xx in a few words
--- config eval
$::locations
--- perl
refused_start();
srand 8894;
my @words = ('operation', 'message', '=', '&', '%', '%00', '?', 'PKIOperation',
             'GetCACert', 'GetCACaps', 'GetNextCACert', '%25', '..', '/',
             'AAAA', '+', ';', '%0d%0a', '#', 'operation=', 'message=',
             'format=pem', '&&', '==', "\x7f");
my %statuses;
for my $n (1 .. 400) {
    my $query = join '', map { $words[rand @words] } 1 .. rand 8;
    my $body = join '', map { chr rand 256 } 1 .. rand 60;
    my ($status, $headers, $text) = $n % 2
        ? http_get("/scep?$query") : http_post("/scep?$query", $body);
    $statuses{$status}++;
    next if $status == 200;
    like($text, qr/^[a-z0-9 ]{1,60}\n\z|^<html>/, "$status: $query");
    unlike($text, qr{openssl|error:|/usr|\.c:|redis}i);
}
is_deeply([grep { !/^(200|400|404|405)$/ } keys %statuses], [],
          'no other status') or diag(Test::More::explain(\%statuses));
cmp_ok($statuses{400} // 0, '>', 100, 'most of them are refused');
refused_finish();
--- no_error_log
[error]



=== TEST 4: T10: bodies of doubtful length
--- config eval
$::locations
--- perl
refused_start();
my $m = scep_make(challenge => 'open sesame');
my $len = length $m->{der};
my $chunked = sprintf("%x\r\n%s\r\n0\r\n", $len, $m->{der});
my $line = 'POST /scep?operation=PKIOperation HTTP/1.1';
my @base = ($line, 'Host: localhost', 'Connection: close');

for (['no length at all', 400, request(@base), ''],
     ['a length of 0', 400, request(@base, 'Content-Length: 0'), ''],
     ['two lengths', 400, request(@base, "Content-Length: $len",
                                  'Content-Length: 5'), $m->{der}],
     ['a negative length', 400, request(@base, 'Content-Length: -1'), ''],
     ['a length in hex', 400, request(@base, 'Content-Length: 0x10'), ''],
     ['a length of 2^63', 413, request(@base, 'Content-Length: '
                                              . '9223372036854775807'), ''],
     ['a length and chunks', 400, request(@base, "Content-Length: $len",
        'Transfer-Encoding: chunked'), "$chunked\r\n"],
     ['another coding', 501, request(@base, 'Transfer-Encoding: gzip'), ''],
     ['chunks of nonsense', 400, request(@base,
        'Transfer-Encoding: chunked'), "zz\r\n\r\n"],
     ['Expect, and too large', 413, request(@base, 'Expect: 100-continue',
        'Content-Length: 99999999'), ''])
{
    my ($what, $expected, @parts) = @$_;
    is((scep_raw(@parts))[0], $expected, $what);
}
refused_finish();

my (undef, undef, $body) = scep_raw(
    request(@base, 'Transfer-Encoding: chunked'),
    "${chunked}Trailer: x\r\n\r\n");
is(scep_open($m, $body)->{status}, 'SUCCESS', 'chunks with a trailer');



=== TEST 5: T10: clients that leave in the middle
--- config eval
$::locations
--- perl
refused_start();
my $m = scep_make(challenge => 'open sesame');
for my $n (1, 100, length($m->{der}) - 1) {
    my $s = connection();
    print $s request('POST /scep?operation=PKIOperation HTTP/1.1',
                     'Host: localhost',
                     'Content-Length: ' . length $m->{der}),
             substr $m->{der}, 0, $n;
    close $s;
}
is((http_get('/scep?operation=GetCACaps'))[0], 200, 'and goes on');
refused_finish();
is(scep_brief(scep_send('/scep', $m)), 'SUCCESS');
--- no_error_log
[error]
[warn]



=== TEST 6: C1, C3, C5, C9: lines of exact keywords, LF at the end of each
--- config eval
$::locations . 'location /legacy { scep demo; scep_legacy des md5; }'
--- suppress_stderr
--- perl
refused_start();
my %known = map { $_ => 1 } qw( AES DES3 GetNextCACert POSTPKIOperation Renewal
                                SHA-1 SHA-256 SHA-512 SCEPStandard SHA-384 );
for my $uri ('/scep', '/renewal', '/manual', '/off', '/legacy') {
    my $caps = caps_at($uri);
    like($caps, qr/\A(?:[A-Za-z0-9-]+\n)+\z/, "$uri: lines");
    my %seen;
    $seen{$_}++ for split /\n/, $caps;
    is_deeply([grep { !$known{$_} } sort keys %seen], [], 'known ones');
    is_deeply([grep { $_ > 1 } values %seen], [], 'each once');
}
for my $version ('1.0', '1.1') {
    my ($status, $headers, $body) =
        scep_raw(request("GET /scep?operation=GetCACaps HTTP/$version",
                         'Host: localhost', 'Connection: close'));
    is($body, caps_at('/scep'), "HTTP/$version");
    is($headers->{'content-type'}, 'text/plain', 'C2');
}
--- no_error_log
[error]



=== TEST 7: C4, C6: what is listed works, and nothing is listed that does not
--- config eval
$::locations
--- perl
refused_start();
my %how = (
    'AES'              => [cipher => 'aes-128-cbc'],
    'POSTPKIOperation' => [],
    'SHA-256'          => [digest => 'sha256'],
    'SHA-384'          => [digest => 'sha384', csr_digest => 'sha384'],
    'SHA-512'          => [digest => 'sha512', csr_digest => 'sha512'],
    'SCEPStandard'     => [cipher => 'aes-128-cbc', digest => 'sha256'],
);
my @listed = split /\n/, caps_at('/scep');
is_deeply([sort @listed], [sort keys %how], 'what there is');
accepted('/scep', map { [$_, @{ $how{$_} }] } @listed);

# Renewal, where it is on

for my $uri ('/scep', '/off', '/manual') {
    unlike(caps_at($uri), qr/Renewal/, "$uri: no Renewal");
}
like(caps_at('/renewal'), qr/^Renewal$/m, '/renewal: Renewal');

my $old = accepted('/scep', ['to be renewed', key => 'renewed',
                             subject => 'CN=renewed',
                             cert => "$::work/renewed.pem"]);
my %signer = (type => 17, key => 'renewed', subject => 'CN=renewed',
              challenge => [], signer_key => "$::work/renewed.scep",
              signer_cert => "$::work/renewed.pem");
my $new = accepted('/renewal', ['it is renewed', %signer]);
isnt($new->{serial}, $old->{serial}, 'another certificate');
refused('/off', ['not where it is off', $bad_request, %signer]);

# not without an authority that follows

unlike(caps_at('/scep'), qr/GetNextCACert/, 'no GetNextCACert');
my $status = (http_get('/scep?operation=GetNextCACert'))[0];
is(int($status / 100), 4, "nor is there one: $status");
refused_finish();
--- no_error_log
[error]
[warn]



=== TEST 8: C7: a body of GetCACaps and GetCACert does not matter
--- config eval
$::locations
--- perl
refused_start();
for my $operation ('GetCACaps', 'GetCACert') {
    my (undef, undef, $body) = http_get("/scep?operation=$operation");
    for my $sent ('', 'x', 'x' x 200000) {
        my ($status, undef, $same) =
            http_post("/scep?operation=$operation", $sent);
        is($status, 200, "$operation: " . length($sent) . ' octets');
        is($same, $body);
    }
}
--- no_error_log
[error]



=== TEST 9: A1: GetCACaps and GetCACert ask for nobody's name
--- config eval
$::locations
--- perl
refused_start();
for my $headers ({}, { Authorization => 'Basic eDp5' },
                 { Authorization => 'Bearer x' }, { Cookie => 'a=b' })
{
    for my $operation ('GetCACaps', 'GetCACert') {
        my ($status, $answer) = http_get("/scep?operation=$operation",
                                         headers => $headers);
        is($status, 200, join ' ', $operation, %$headers);
        is($answer->{'set-cookie'}, undef);
        is($answer->{'www-authenticate'}, undef);
    }
}
--- no_error_log
[error]
[warn]



=== TEST 10: T9, S28: what may be kept, by its ETag, and what must not be
--- config eval
$::locations
--- perl
refused_start();
for my $operation ('GetCACaps', 'GetCACert') {
    my $uri = "/scep?operation=$operation";
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, $operation);
    like($headers->{etag}, qr/^"[^"]+"\z/, 'an ETag');
    is((http_get($uri))[1]{etag}, $headers->{etag}, 'of its own');
    unlike($headers->{'cache-control'} // '', qr/no-store/);

    my ($unchanged, undef, $none) =
        http_get($uri, headers => { 'If-None-Match' => $headers->{etag} });
    is($unchanged, 304, 'not modified');
    is($none, '');
    is((http_get($uri, headers => { 'If-None-Match' => '"x"' }))[2], $body,
       'modified');
}
isnt((http_get('/scep?operation=GetCACaps'))[1]{etag},
     (http_get('/renewal?operation=GetCACaps'))[1]{etag},
     'other keywords, another ETag');

# what must not be kept

my $m = scep_make(challenge => 'wrong');
for my $args ("message=$m->{get}", 'message=AAAA', 'message=%%%', 'x=y') {
    my ($status, $headers) = http_get("/scep?operation=PKIOperation&$args");
    is($headers->{'cache-control'}, 'no-store', "S28: $status");
    is($headers->{etag}, undef);
}
--- no_error_log
[error]
[warn]
