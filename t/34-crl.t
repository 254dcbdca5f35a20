# Full CRLs: what is in them (rows C), when they are issued anew, HTTP, several
# workers and nodes, Redis away.  The directives are in 93.

use lib 't/lib';
use PKI;
use PKI::CRL;
use PKI::Client;
use PKI::OCSP;

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'),
            authority('rsa', key => 'rsa:2048'),
            authority('empty', key => 'ec:P-384'),
            authority('timer', key => 'ec:P-256'),
            authority('away', key => 'ec:P-256'));

our $common = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /enroll/rsa { enroll rsa; enroll_auth none insecure; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
location /rsa/     { certificate_master rsa;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

our $locations = $common . <<'END';
crl_refresh 300ms;
location = /crl     { crl demo; add_header X-Pid $pid always; }
location = /crl.pem { crl empty pem; }
location = /crl/rsa { crl rsa; }
location = /crl/empty { crl empty; }
END

# There is a CRL, of "demo" at /crl unless said otherwise.

sub setup {
    my ($uri, $name) = @_;

    ready() or die 'not ready';
    ocsp_defaults(ca => work_file(($name || 'demo') . '.pem'));
    return wait_for_crl(sub { 1 }, 10, $uri);
}

sub wait_for_crl {
    my ($wanted, $seconds, $uri, $ca) = @_;

    return crl_wait($uri || '/crl', $wanted, $seconds, ca => $ca);
}

run_tests();

__DATA__

=== TEST 1: C1 C2 C4 C17: a CRL, in detail
--- config eval
$::locations
--- perl
setup();
my $cert = new_certificate('detail');
revoke($cert, 'keyCompromise');
my $crl = wait_for_crl(sub { crl_entry($_[0], $cert) });
my %ext = map { $_->{oid} => $_ } @{ $crl->{extensions} };

is($crl->{version}, 'v2', 'C1: v2');
is($crl->{algorithms_equal}, 1, 'C1: both algorithms');
is($crl->{issuer_is_ca}, 1, 'C1: the issuer\'s name, octet by octet');
is($crl->{verified}, 1, 'C1: signed by the authority');
is($crl->{algorithm}{name}, 'sha256_ecdsa', 'C1: ECDSA');
is($crl->{algorithm}{params}, '', 'C1: no parameters');

is($_->{tag}, 23, 'C2: UTCTime') for @$crl{qw( this_update next_update )};
like($_->{text}, qr/^\d{12}Z$/, 'C2: in seconds')
    for @$crl{qw( this_update next_update )};
ok($crl->{this_update}{at} <= time, 'C2: not in the future');
is($crl->{next_update}{at} - $crl->{this_update}{at}, 86400, 'C2: a day');

is(join(' ', sort keys %ext), '2.5.29.20 2.5.29.35', 'C4: AKI, CRLNumber');
is($_->{critical}, 0, 'C4: not critical') for values %ext;
is($crl->{aki}, $crl->{ski}, 'C4: the key identifier');
ok($crl->{number} > 0 && $crl->{number} < 2 ** 63, 'C4: a number');

my $h = $crl->{headers};
is($h->{'content-type'}, 'application/pkix-crl', 'C17: its type');
is($h->{'content-length'}, length $crl->{der}, 'C17: its length');
is($h->{'content-encoding'}, undef, 'C17: as it is');



=== TEST 2: C3: nobody revoked: no list at all
--- config eval
$::locations
--- perl
setup();
my $ca = work_file('empty.pem');
my $crl = wait_for_crl(sub { 1 }, 10, '/crl/empty', $ca);

is($crl->{list}, 0, 'absent');
is($crl->{verified}, 1, 'signed');
is($crl->{algorithm}{name}, $ENV{PKI_KEY} ? 'sha384_ecdsa' : 'sha256_ecdsa',
   'by P-384; a vault takes the digest of the curve only');

my (undef, undef, $err) = command('openssl', 'crl', '-inform', 'DER',
    '-noout', '-CAfile', $ca, { in => $crl->{der} });
like($err, qr/verify OK/, 'openssl agrees');



=== TEST 3: C11 C12 C15: entries: reasons, times, serials
--- config eval
$::locations
--- perl
setup();

my %code = (unspecified => undef, keyCompromise => 1, cACompromise => 2,
            affiliationChanged => 3, superseded => 4,
            cessationOfOperation => 5, certificateHold => 6,
            privilegeWithdrawn => 9, aACompromise => 10);
my %cert = map { $_ => new_certificate($_) } sort keys %code;
my $before = time;
revoke($cert{$_}, $_) for sort keys %cert;

my $crl = wait_for_crl(sub {
    my ($crl) = @_;
    !grep { !crl_entry($crl, $cert{$_}) } keys %cert;
});

for (sort keys %cert) {
    my $entry = crl_entry($crl, $cert{$_});
    is($entry->{reason}, $code{$_}, "$_: C11: its reason, or none");
    is(scalar @{ $entry->{extensions} }, defined $code{$_} ? 1 : 0,
       "$_: C11: nothing else");
    ok($entry->{at}{at} >= $before - 1 && $entry->{at}{at} <= time,
       "$_: C12: when");
}

my %times;
$times{ $_->{serial} }++ for @{ $crl->{entries} };
ok(!grep({ $_ > 1 } values %times), 'C15: each once');



=== TEST 4: C16: after a revocation within two seconds, on every worker
--- config eval
$::locations =~ s/crl_refresh 300ms;//r
--- perl
setup();
crl_grace();

for my $n (1 .. 2) {
    my $cert = new_certificate("soon$n");
    my $start = Time::HiRes::time();
    revoke($cert, 'superseded');
    my $crl = wait_for_crl(sub { crl_entry($_[0], $cert) });
    my $took = Time::HiRes::time() - $start;

    ok($crl, 'it is in the CRL');
    ok($took < 2.5, sprintf 'after %.1f s', $took);

    my %answers = by_worker("GET /crl HTTP/1.0\r\n\r\n");
    my %etags = map { $_->[1]{etag} => 1 } map { @$_ } values %answers;
    is(join(' ', keys %etags), $crl->{headers}{etag}, 'of every worker');
}



=== TEST 5: C7: hold and release
--- config eval
$::locations
--- perl
setup();
my $cert = new_certificate('held');

revoke($cert, 'certificateHold');
my $crl = wait_for_crl(sub { crl_entry($_[0], $cert) });
is(crl_entry($crl, $cert)->{reason}, 6, 'certificateHold');

release($cert);
my $next = wait_for_crl(sub { !crl_entry($_[0], $cert) });
ok($next, 'gone once it is released');
ok($next->{number} > $crl->{number}, 'with a higher number');
ok(!grep({ ($_->{reason} // 0) == 8 } @{ $next->{entries} }),
   'removeFromCRL is none of a complete CRL');

revoke($cert, 'certificateHold');
revoke($cert, 'keyCompromise');
$crl = wait_for_crl(sub { crl_entry($_[0], $cert)
                          && crl_entry($_[0], $cert)->{reason} == 1 });
ok($crl, 'a revocation in place of a hold');



=== TEST 6: C4 C16 C19: issued anew although nothing was revoked
--- config eval
$::common . <<'END'
location = /crl { crl timer; crl_validity 4s overlap=2s; crl_refresh 200ms; }
END
--- perl
setup('/crl', 'timer');
my ($end, $last, %numbers, %bad) = (time + 7, 0);

while (time < $end) {
    my $crl = crl_fetch('/crl');

    if (!$crl) {
        $bad{'none'}++;
        next;
    }

    my $n = $crl->{number};
    $numbers{$n} = $crl;
    $bad{'goes back'}++ if $n < $last;
    $bad{'has ended'}++ if $crl->{next_update}{at} < time;
    $bad{'not signed'}++ if !$crl->{verified};
    $last = $n;
    select undef, undef, undef, 0.05;
}

is_deeply(\%bad, {}, 'always one that holds');
ok(keys %numbers >= 3, scalar(keys %numbers) . ' of them');

my @crls = map { $numbers{$_} } sort { $a <=> $b } keys %numbers;
my %dates = map { $_->{this_update}{at} => 1 } @crls;
is(scalar keys %dates, scalar @crls, 'C4: another number, another time');
ok(!grep({ $crls[$_]{next_update}{at} < $crls[$_ - 1]{next_update}{at} }
         1 .. $#crls), 'C2: none ends before the one before it');



=== TEST 7: C18: ETag, 304, Last-Modified, Cache-Control, HEAD
--- config eval
$::locations
--- perl
my $crl = setup('/crl/empty', 'empty');
my $h = $crl->{headers};

like($h->{etag}, qr/^"[0-9a-f-]+"$/, 'a strong ETag');
like($h->{$_}, qr/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/, "$_: a date")
    for qw( last-modified expires date );
like($h->{'cache-control'},
     qr/^max-age=\d+, public, no-transform, must-revalidate$/, 'cached');
my ($age) = $h->{'cache-control'} =~ /max-age=(\d+)/;
ok($age <= 86400 - 6 * 3600 && $age > 0, 'until the next one is published');

my $etag = $h->{etag};

for ([ 'the same' => $etag, 304 ], [ 'any' => '*', 304 ],
     [ 'a list' => "\"x\", $etag", 304 ], [ 'weak' => "W/$etag", 304 ],
     [ 'another' => '"x"', 200 ])
{
    my ($name, $value, $expected) = @$_;
    my ($status, $headers, $body) =
        http_get('/crl/empty', headers => { 'If-None-Match' => $value });
    is($status, $expected, "If-None-Match: $name");
    next if $status == 200;
    is($body, '', 'no body');
    is($headers->{etag}, $etag, 'its ETag');
    ok($headers->{$_}, "304 has $_") for qw( date cache-control expires );
}

# two of one second have one date

my ($status) = http_get('/crl/empty', headers =>
    { 'If-Modified-Since' => $h->{'last-modified'} });
is($status, 200, 'If-Modified-Since');

my ($headers, $body);
($status, $headers, $body) = http('HEAD', '/crl/empty');
is($status, 200, 'HEAD: 200');
is($body, '', 'no body');
is($headers->{$_}, $h->{$_}, "HEAD: $_")
    for qw( etag content-length content-type last-modified );

for my $method (qw( POST PUT DELETE )) {
    ($status, $headers) = http($method, '/crl/empty', body => 'x');
    is($status, 405, "$method: 405");
    is($headers->{allow}, 'GET, HEAD', "$method: what is allowed");
}



=== TEST 8: C18: Range
--- config eval
$::locations
--- perl
my $crl = setup('/crl/empty', 'empty');
my $der = $crl->{der};
my $n = length $der;

for ([ '0-9', 0, 10 ], [ '10-', 10, $n - 10 ], [ '-5', $n - 5, 5 ]) {
    my ($range, $from, $length) = @$_;
    my ($status, $headers, $body) =
        http_get('/crl/empty', headers => { Range => "bytes=$range" });
    is($status, 206, "$range: 206");
    is($body, substr($der, $from, $length), "$range: these octets");
    is($headers->{'content-range'},
       sprintf('bytes %d-%d/%d', $from, $from + $length - 1, $n), 'which');
}

my ($status) = http_get('/crl/empty', headers => { Range => "bytes=$n-" });
is($status, 416, 'beyond the end: 416');

my $body;
($status, undef, $body) = http_get('/crl/empty', headers =>
    { Range => 'bytes=0-9', 'If-Range' => $crl->{headers}{etag} });
is("$status " . length $body, '206 10', 'If-Range: the same one');
($status, undef, $body) = http_get('/crl/empty', headers =>
    { Range => 'bytes=0-9', 'If-Range' => '"x"' });
is("$status " . length $body, "200 $n", 'If-Range: another one');



=== TEST 9: C17: PEM
--- config eval
$::locations
--- perl
my $der = setup('/crl/empty', 'empty')->{der};
my ($status, $headers, $pem) = http_get('/crl.pem');

is($status, 200, 'PEM: 200');
is($headers->{'content-type'}, 'application/x-pem-file', 'its type');
is($headers->{'content-length'}, length $pem, 'its length');
like($pem, qr/^-----BEGIN X509 CRL-----\n([\w+\/=]{1,64}\n)+-----END X509 CRL-----\n\z/,
     'its lines');
is(openssl('crl', '-outform', 'DER', { in => $pem }), $der, 'the same CRL');
isnt($headers->{etag}, crl_fetch('/crl/empty')->{headers}{etag}, 'other octets');

($status) = http_get('/crl.pem', headers =>
                     { 'If-None-Match' => $headers->{etag} });
is($status, 304, 'PEM: 304');



=== TEST 10: C15: openssl verify and certtool reject what is revoked
--- config eval
$::locations
--- perl
setup();

for ([ '/enroll', '/m', '/crl', 'demo' ],
     [ '/enroll/rsa', '/rsa', '/crl/rsa', 'rsa' ])
{
    my ($enroll, $api, $uri, $name) = @$_;
    my $ca = work_file("$name.pem");
    my ($good, $bad) = map { new_certificate("v$_", $enroll) } 1, 2;
    is(revoke($bad, 'keyCompromise', $api), 200, "$name: revoked");

    my $crl = wait_for_crl(sub { crl_entry($_[0], $bad) }, 10, $uri, $ca);
    my $file = work_file("$name.crl", openssl('crl', '-inform', 'DER',
                                              { in => $crl->{der} }));

    my @verify = ('openssl', 'verify', '-crl_check', '-CAfile', $ca,
                  '-CRLfile', $file);
    my ($code, $out, $err) = command(@verify, $good);
    is($code, 0, "$name: good") or diag($out . $err);
    ($code, $out, $err) = command(@verify, $bad);
    isnt($code, 0, "$name: revoked");
    like($out . $err, qr/certificate revoked/, "$name: that is why");

    ($code, $out, $err) = command('certtool', '--verify-crl',
        "--load-ca-certificate=$ca", "--infile=$file");
    is($code, 0, "$name: certtool: the CRL") or diag($out . $err);
    like($out, qr/Verified/, "$name: certtool: verified");

    for ([ $good, 0 ], [ $bad, 1 ]) {
        my ($cert, $revoked) = @$_;
        ($code, $out, $err) = command('certtool', '--verify',
            "--load-ca-certificate=$ca", "--load-crl=$file",
            "--infile=$cert");
        is($code != 0 ? 1 : 0, $revoked, "$name: certtool: the certificate");
        like($out . $err, qr/revoked/i, 'revoked') if $revoked;
    }
}



=== TEST 11: C4 C19: two nodes: one CRL, one ETag, numbers that rise
--- config eval
$::locations
--- perl
setup();
my $node = node_start();
my $port = $node->port;
my $last = 0;

for my $n (1 .. 2) {
    my $cert = new_certificate("nodes$n");
    revoke($cert);

    my ($here, $there);

    ok(wait_until(sub {
        ($here) = crl_fetch('/crl');
        my ($status, $headers, $der) = http_get('/crl', port => $port);
        return if !$here || $status != 200;
        $there = { %{ crl_parse($der) }, headers => $headers, der => $der };
        return crl_entry($here, $cert) && $here->{der} eq $there->{der};
    }, 40), 'both have the same, with it');

    is($there->{headers}{$_}, $here->{headers}{$_}, "the same $_")
        for qw( etag last-modified content-length );
    ok($here->{number} > $last, 'a higher number');
    $last = $here->{number};
}

ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'no alert over there');



=== TEST 12: C4: the number rises although Redis has forgotten all
--- config eval
$::locations
--- perl
setup();
my $number = crl_fetch('/crl')->{number};
redis_cmd('DEL', 'pki:{empty}:crl:0', 'pki:{demo}:crl:0');
nginx_reload(15);
my $crl = wait_for_crl(sub { $_[0]{number} != $number }, 40);
ok($crl && $crl->{number} > $number, 'higher');



=== TEST 13: Redis away: the last CRL, until its nextUpdate
--- config eval
$::common . <<'END'
location = /crl { crl away; crl_validity 6s overlap=2s; crl_refresh 200ms; }
END
--- perl
setup('/crl', 'away');

# one that is young, but known to both workers

my $crl = wait_for_crl(sub { $_[0]{next_update}{at} - time >= 5 });
select undef, undef, undef, 1.5;
$crl = crl_fetch('/crl');
redis_stop();

my ($served, $late, $status, $headers) = (0, 0);

ok(wait_until(sub {
    my $now = time;
    ($status, $headers, my $der) = http_get('/crl');
    return 1 if $status == 503;
    $served++;
    $late++ if $now > $crl->{next_update}{at} + 1;
    return 0;
}, 12), 'none in the end');

ok($served > 10, 'the last one until then');
is($late, 0, 'and not longer');
ok($headers->{'retry-after'}, 'Retry-After');

redis_start();
ok(wait_for_crl(sub { $_[0]{number} > $crl->{number} }, 40), 'a new one');
--- error_log
redis



=== TEST 14: Redis away at once: each worker has the CRL that nobody fetched
--- config eval
$::locations
--- perl
ready();
ocsp_defaults(ca => work_file('demo.pem'));
my $request = "GET /crl HTTP/1.0\r\n\r\n";

sub number { redis_cmd('HGET', 'pki:{demo}:crl:0', 'number') // 0 }

# each has had one before

ok(wait_until(sub { number() }), 'there is one');
by_worker($request);

my $before = number();
my $cert = new_certificate('at once');
revoke($cert);
ok(wait_until(sub { number() > $before }), 'built');
select undef, undef, undef, 1.5;
redis_stop();

my %answers = by_worker($request);
my %status = map { $_->[0] => 1 } map { @$_ } values %answers;
is(join(' ', keys %status), '200', 'served');

my $missing = 0;
for my $answer (map { @$_ } values %answers) {
    $missing++ unless $answer->[0] == 200
                      && crl_entry(crl_parse($answer->[2]), $cert);
}
is($missing, 0, 'the last one, by both');
redis_start();
--- error_log
redis



=== TEST 15: $crl_number
--- config eval
$::common . 'location = /crl { crl demo;
                 add_header X-CRL "$pki_authority $crl_number"; }'
--- perl
my $crl = setup();
my $now = crl_fetch('/crl');
is($now->{headers}{'x-crl'}, "demo $now->{number}", 'its number');



=== TEST 16: crl_refresh: changes are gathered for so long
--- config eval
$::common . 'location = /crl { crl demo; crl_refresh 100ms; }'
--- perl
setup();
crl_grace();
my $cert = new_certificate('fast');
my $start = Time::HiRes::time();
revoke($cert);
ok(wait_for_crl(sub { crl_entry($_[0], $cert) }), 'revoked');
ok(Time::HiRes::time() - $start < 1.2, 'sooner');
