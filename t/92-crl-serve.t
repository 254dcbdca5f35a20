# Serving CRLs, above all large ones (rows C17 to C20): from memory, the same
# octets and ETag by all workers and nodes, Range, 304, PEM, slow clients, what
# shards there are, Redis that lacks a part.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::CRL;
use PKI::Load;
use PKI::OCSP;

use Digest::SHA qw( sha256_hex );
use IO::Socket::INET;
use MIME::Base64 qw( decode_base64 );
use Socket qw( SOL_SOCKET SO_RCVBUF );

# 100,000 revoked certificates of "demo": a CRL of some MB

our $COUNT = 100_000;

redis_start();
loaded(command('/usr/bin/python3', 't/tools/load_statuses.py', '--port',
               redis()->port, '--count', $COUNT, '--revoked', 1));

our $slow_port = free_port();

http_config(map({ authority($_, key => 'ec:P-256') }
                qw( demo shards later bare plus fails )),
            'send_timeout 300s;');

our $common = <<'END';
location = /probe   { pki_probe; }
location = /enroll  { enroll demo; enroll_auth none insecure; }
location /m/        { certificate_master demo;
                      certificate_master_user someone;
                      certificate_master_roles admin; }
END

our $locations = $common . <<'END';
crl_refresh 300ms;
add_header X-Pid $pid always;
add_header X-CRL $crl_number;
location = /crl     { crl demo; }
location = /crl.pem { crl demo pem; }
END

# clients of this one cannot leave much to the kernel

our $slow_server = <<"END";
server {
    listen 127.0.0.1:$slow_port sndbuf=32k;
    crl_refresh 300ms;
    location = /crl { crl demo; }
}
END

sub loaded { my ($code, $out, $err) = @_; die $err if $code; return }

# The large CRL as it is now: status, headers, body.

sub large {
    my (%option) = @_;

    return wait_until(sub {
        my @answer = http_get('/crl', timeout => 30, %option);
        return $answer[0] == 200 && \@answer;
    }, 40) || die 'no CRL';
}

# How often Redis is asked for such CRLs, or their parts, meanwhile.

sub questions {
    my ($crls, $meanwhile) = @_;

    my $file = work_file('monitor', '');
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        open STDOUT, '>', $file;
        { exec 'redis-cli', '-p', redis()->port, 'MONITOR' };
        POSIX::_exit(127);
    }

    wait_until(sub { -s $file }, 5);
    $meanwhile->();
    redis_cmd('PING');
    select undef, undef, undef, 0.2;
    kill 'TERM', $pid;
    waitpid $pid, 0;

    return scalar(() = slurp($file) =~ /"HM?GET" "pki:$crls/g);
}

# Resident memory of all workers, in MB.  AddressSanitizer gives back none.

sub memory {
    my $kb = 0;

    for my $pid (worker_pids()) {
        $kb += $1 if slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    }

    return $kb / 1024;
}

# A client that has read no more than the head and a little of the body.

sub slow_client {
    my $s = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!";

    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 4096 or die "setsockopt: $!";
    connect $s, Socket::pack_sockaddr_in($slow_port,
                                         Socket::inet_aton('127.0.0.1'))
        or die "connect: $!";
    syswrite $s, "GET /crl HTTP/1.0\r\n\r\n";

    my $in = '';

    while ($in !~ /\r\n\r\n./s) {
        sysread $s, $in, 2000, length $in or die 'no answer';
    }

    return { socket => $s, in => $in };
}

# Reads all the rest; returns the body's length and hash.

sub finish {
    my ($client) = @_;

    my $s = $client->{socket};
    my (undef, undef, $body) = PKI::parse_response($client->{in});
    my $sha = Digest::SHA->new(256)->add($body);
    my $length = length $body;

    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 1 << 20;

    while (my $n = sysread $s, my $in, 1 << 18) {
        $sha->add($in);
        $length += $n;
    }

    return "$length " . $sha->hexdigest;
}

run_tests();

__DATA__

=== TEST 1: C17: a large CRL is what it is
--- config eval
$::locations
--- perl
ready();
my ($status, $h, $der) = @{ large() };

is($h->{'content-type'}, 'application/pkix-crl', 'its type');
is($h->{'content-length'}, length $der, 'its length');
ok(length $der > 3_000_000, length($der) . ' octets');

my (undef, $text, $err) = command('openssl', 'crl', '-inform', 'DER',
    '-noout', '-text', '-CAfile', work_file('demo.pem'), { in => $der });
like($err, qr/verify OK/, 'signed by the authority');
ok((() = $text =~ /^    Serial Number:/mg) >= $::COUNT, 'all of them');

is($h->{'x-crl'}, redis_cmd('HGET', 'pki:{demo}:crl:0', 'number'),
   '$crl_number');
is(redis_cmd('HEXISTS', 'pki:{demo}:crl:0', 'der'), 0, 'in parts');



=== TEST 2: C17: PEM of a large CRL, C18: its ETag
--- config eval
$::locations
--- perl
ready();
my ($status, $h, $der) = @{ large() };
my %answers = by_worker("GET /crl.pem HTTP/1.0\r\n\r\n");
my %seen;

for my $answer (map { @$_ } values %answers) {
    my ($status, $headers, $pem) = @$answer;
    $seen{"$status $headers->{etag} " . sha256_hex($pem)} = $answer;
}

is(scalar keys %seen, 1, 'every worker has the same');
my ($answer) = values %seen;
my ($code, $headers, $pem) = @$answer;
is($code, 200, 'PEM: 200');
is($headers->{'content-type'}, 'application/x-pem-file', 'its type');
is($headers->{'content-length'}, length $pem, 'its length');
my @lines = split /\n/, $pem;
is(shift @lines, '-----BEGIN X509 CRL-----', 'the first line');
is(pop @lines, '-----END X509 CRL-----', 'the last line');
is(scalar(grep { length != 64 } @lines[0 .. $#lines - 1]), 0, 'its lines');
is(sha256_hex(decode_base64(join '', @lines)), sha256_hex($der),
   'the same CRL');
is($headers->{etag}, $h->{etag} =~ s/^"/"pem-/r, 'but other octets');

($status) = http_get('/crl.pem', headers =>
                     { 'If-None-Match' => $headers->{etag} });
is($status, 304, 'PEM: 304');
($status, undef, my $part) = http_get('/crl.pem', headers =>
                                      { Range => 'bytes=1000000-1000099' });
is("$status $part", '206 ' . substr($pem, 1_000_000, 100), 'PEM: Range');



=== TEST 3: C18: a large CRL: ETag, Last-Modified, 304, Range, HEAD
--- config eval
$::locations
--- perl
ready();
my ($status, $h, $der) = @{ large() };
my $n = length $der;

like($h->{etag}, qr/^"[0-9a-f]+-[0-9a-f]{16}"$/, 'a strong ETag');
my $at = redis_cmd('HGET', 'pki:{demo}:crl:0', 'this_update');
is($h->{'last-modified'}, HTTP_date($at), 'Last-Modified is thisUpdate');
my ($age) = $h->{'cache-control'} =~ /^max-age=(\d+), public/;
ok($age > 0 && $age <= 86400 - 6 * 3600, 'until the next one is published');

sub HTTP_date {
    return POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $_[0]);
}

($status, my $headers, my $body) =
    http_get('/crl', headers => { 'If-None-Match' => $h->{etag} });
is("$status $body", '304 ', 'If-None-Match');
is($headers->{etag}, $h->{etag}, 'its ETag');
($status) = http_get('/crl', headers =>
    { 'If-Modified-Since' => $h->{'last-modified'} });
is($status, 200, 'If-Modified-Since: two of one second have one date');

for ([ 'the tag' => $h->{etag}, 206 ], [ 'a weak one' => "W/$h->{etag}", 200 ],
     [ 'another' => '"x"', 200 ], [ 'the date' => $h->{'last-modified'}, 200 ],
     [ 'rubbish' => 'x', 200 ])
{
    my ($name, $value, $expected) = @$_;
    ($status, $headers, $body) = http_get('/crl', headers =>
        { Range => 'bytes=0-9', 'If-Range' => $value });
    is("$status " . length $body, $expected == 206 ? '206 10' : "200 $n",
       "If-Range: $name");
}

($status, $headers, $body) =
    http_get('/crl', headers => { Range => 'bytes=0-9,1000000-1000019' });
my ($boundary) =
    $headers->{'content-type'} =~ m{^multipart/byteranges; boundary=(\S+)$};
is($status, 206, 'two ranges');
my @parts = split /\r\n--\Q$boundary\E(?:\r\n|--\r\n)/, $body;
is(scalar @parts, 3, 'two parts');

for ([ 1, 0, 10 ], [ 2, 1_000_000, 20 ]) {
    my ($i, $from, $length) = @$_;
    my ($head, $octets) = split /\r\n\r\n/, $parts[$i], 2;
    like($head, qr{^Content-Type: application/pkix-crl\r$}m, 'its type');
    like($head, qr{^Content-Range: bytes $from-@{[ $from + $length - 1 ]}/$n$}m,
         'which');
    ok($octets eq substr($der, $from, $length), 'these octets');
}

for ([ '0-99', 0, 100 ], [ '491500-491539', 491_500, 40 ],
     [ '-100', $n - 100, 100 ], [ '2000000-2999999', 2_000_000, 1_000_000 ])
{
    my ($range, $from, $length) = @$_;
    ($status, $headers, $body) =
        http_get('/crl', headers => { Range => "bytes=$range" });
    is("$status $headers->{'content-range'}",
       sprintf('206 bytes %d-%d/%d', $from, $from + $length - 1, $n),
       "$range: 206");
    ok($body eq substr($der, $from, $length), "$range: these octets");
}

($status, $headers, $body) = http('HEAD', '/crl');
is("$status $body", '200 ', 'HEAD');
is($headers->{$_}, $h->{$_}, "HEAD: $_")
    for qw( etag content-length last-modified );



=== TEST 4: C18 C19: two nodes, all workers: one CRL, numbers never fall
--- config eval
$::locations
--- perl
ready();
large();
my $node = node_start();
my @ports = (own_port(), $node->port);
my $stop = work_file('stop');
unlink $stop;

my $readers = beside(sub {
    my (%last, %seen, %fault);

    while (!-e $stop) {
        for my $port (@ports) {
            my ($status, $h, $body) = http_get('/crl', port => $port,
                                               timeout => 30);
            my $number = $h->{'x-crl'} // 0;

            $fault{"status $status"}++ if $status != 200;
            $fault{'not whole'}++
                if length $body != ($h->{'content-length'} // -1);
            $fault{'falls'}++ if $number < ($last{$port} // 0);
            $last{$port} = $number;
            $seen{$number}{"$h->{etag} " . sha256_hex($body)}{$port}++;
        }
    }

    return { seen => \%seen, fault => \%fault };
});

for my $n (1 .. 3) {
    my ($before) = @{ large() }[1];
    my $cert = new_certificate("change$n");
    is(revoke($cert), 200, 'revoked');
    ok(wait_until(sub {
        !grep { large(port => $_)->[1]{'x-crl'} <= $before->{'x-crl'} } @ports
    }, 20), 'both have the next one');
}

# while it is being loaded a worker goes on with the one that it has

select undef, undef, undef, 2;
work_file('stop', '');
my $data = $readers->();
die $data->{died} if $data->{died};

is_deeply($data->{fault}, {}, 'whole, and never back');
my @numbers = keys %{ $data->{seen} };
ok(@numbers >= 3, scalar(@numbers) . ' of them');
is(scalar(grep { keys %{ $data->{seen}{$_} } != 1 } @numbers), 0,
   'one number, one ETag, the same octets');
my ($last) = sort { $b <=> $a } @numbers;
my ($both) = values %{ $data->{seen}{$last} };
is(scalar keys %$both, 2, 'on both nodes');

ok(wait_until(sub {
    my %answers = by_worker("GET /crl HTTP/1.0\r\n\r\n");
    my %etags = map { $_->[1]{etag} => 1 } map { @$_ } values %answers;
    return keys %etags == 1;
}, 10), 'one ETag, of every worker');

ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'no alert over there');



=== TEST 5: C19: 100 slow clients: no memory for each, the CRL that they began
--- http_config eval
$::slow_server
--- config eval
$::locations
--- perl
ready();
large();
by_worker("GET /crl HTTP/1.0\r\n\r\n") for 1 .. 2;
my ($status, $h, $der) = @{ large() };
my $size = length($der) / 1024 / 1024;
my $old = length($der) . ' ' . sha256_hex($der);

my $before = memory();
my @clients = map { slow_client() } 1 .. 100;
select undef, undef, undef, 1;
my $grown = memory() - $before;
ok($grown < 4 * $size || $ENV{ASAN_OPTIONS},
   sprintf 'clients: %.1f MB more, %.1f MB are one CRL', $grown, $size);

my $cert = new_certificate('meanwhile');
is(revoke($cert), 200, 'revoked');
ok(wait_until(sub { large()->[1]{etag} ne $h->{etag} }, 20), 'a new one');
by_worker("GET /crl HTTP/1.0\r\n\r\n");

my ($began) = PKI::parse_response($clients[0]{in});
my %finished;
$finished{ finish($_) }++ for @clients;
is_deeply(\%finished, { $old => 100 }, 'all got the old one, whole');

# the old one is gone with them: new one, a list that is frozen, some buffers

select undef, undef, undef, 1;
$grown = memory() - $before;
ok($grown < 8 * $size || $ENV{ASAN_OPTIONS},
   sprintf 'in the end: %.1f MB more', $grown);
isnt(finish(slow_client()), $old, 'who comes now gets the new one');



=== TEST 6: a large CRL costs nothing while it is as it was
--- config eval
$::locations
--- perl
ready();
large();
by_worker("GET /crl HTTP/1.0\r\n\r\n") for 1 .. 2;
by_worker("GET /crl.pem HTTP/1.0\r\n\r\n");

my %answers;

cmp_ok(questions('\{demo\}:crl:', sub {
    $answers{ (http('HEAD', $_ % 2 ? '/crl' : '/crl.pem'))[0] }++ for 1 .. 50;
}), '<', 5, 'Redis was not asked for them');
is_deeply(\%answers, { 200 => 50 }, 'served');



=== TEST 7: C19: Redis lacks a part of it: no half CRL, and few questions
--- config eval
$::locations
--- perl
ready();
large();
my $number = redis_cmd('HGET', 'pki:{demo}:crl:0', 'number');
redis_cmd('HDEL', "pki:{demo}:crl:0:$number", 3);
nginx_reload(20);
ready();

my %answers;
my $start = time;
my $asked = questions('\{demo\}:crl:', sub {
    $answers{ (http_get('/crl'))[0] }++ for 1 .. 200;
});

# each worker once a second: three times what tells of it and four parts

my $most = 2 * 15 * (time - $start + 2);

is_deeply(\%answers, { 503 => 200 }, 'not available');
ok($asked <= $most, "not a question for each request: $asked of $most");

my $cert = new_certificate('again');
is(revoke($cert), 200, 'revoked');
my ($status, undef, $der) = @{ large() };
my ($code, undef, $err) = command('openssl', 'crl', '-inform', 'DER',
    '-noout', '-CAfile', work_file('demo.pem'), { in => $der });
like($err, qr/verify OK/, 'there is a new one');
--- error_log
redis lacks part 3 of CRL



=== TEST 8: which shards there are: 404 for all others, Redis is not asked
--- config eval
$::common . <<'END'
crl_shards 4;
location ~ ^/crl-(?<shard>.*)\.crl$ { crl shards shard=$shard; }
location ~ ^/pem-(?<shard>.*)\.crl$ { crl shards pem shard=$shard; }
location = /third { crl shards shard=3; }
location = /eleventh { crl shards shard=0a; }
location = /full { crl shards; }
END
--- perl
ready();
my %etag;

for my $shard ('00' .. '03') {
    ok(wait_until(sub { (http_get("/crl-$shard.crl"))[0] == 200 }, 20),
       "$shard: there it is");
    my (undef, $h) = http_get("/crl-$shard.crl");
    $etag{ $h->{etag} } = $shard;
}

is(scalar keys %etag, 4, 'four of them');

for ([ '/crl-3.crl', '03' ], [ '/crl-0003.crl', '03' ], [ '/third', '03' ],
     [ '/crl-0.crl', '00' ])
{
    my ($uri, $shard) = @$_;
    my ($status, $h) = http_get($uri);
    is($etag{ $h->{etag} // '' }, $shard, "$uri: shard $shard");
}

my ($status, $h) = http_get('/pem-02.crl');
is("$status $h->{etag}", '200 ' . ({ reverse %etag }->{'02'} =~ s/^"/"pem-/r),
   'PEM of a shard');

is(questions('\{shards\}:crl:shard-(?!0[0-3])', sub { unknown() }), 0,
   'Redis was not asked');

sub unknown {
    for my $uri ('/crl-04.crl', '/crl-3ff.crl', '/crl-400.crl', '/crl-.crl',
                 '/crl-00003.crl', '/crl-g.crl', '/crl-+1.crl', '/crl--1.crl',
                 '/crl-03%0a.crl', '/pem-04.crl', '/eleventh',
                 ('/crl-10.crl') x 20)
    {
        is((http_get($uri))[0], 404, "$uri: 404");
    }
}
--- error_log
there is no such shard of the CRL



=== TEST 9: a shard that is not built yet: 503, Retry-After, few questions
--- config eval
$::common . <<'END'
crl_shards 4;
location ~ ^/crl-(?<shard>[0-9a-f]+)\.crl$ { crl later shard=$shard; }
END
--- init
PKI::redis_cmd('SET', 'pki:{later}:lock:crl-shards', 'somebody', 'EX', 600)
--- perl
ready();
my ($status, $h) = http_get('/crl-01.crl');
is($status, 503, 'not available');
is($h->{'retry-after'}, 1, 'Retry-After');

my %answers;
my $asked = questions('\{later\}:crl:', sub {
    $answers{ (http_get('/crl-01.crl'))[0] }++ for 1 .. 200;
});
is_deeply(\%answers, { 503 => 200 }, 'all of them');
ok($asked < 20, "not a question for each: $asked");
is((http_get('/crl-04.crl'))[0], 404, '404 for one that there is not');

redis_cmd('DEL', 'pki:{later}:lock:crl-shards');
ok(wait_until(sub { (http_get('/crl-01.crl'))[0] == 200 }, 30), 'then built');



=== TEST 10: shards of an authority that has none
--- config eval
$::common . <<'END'
location ~ ^/crl-(?<shard>[0-9a-f]+)\.crl$ { crl bare shard=$shard; }
location = /crl { crl bare; }
END
--- perl
ready();
is((http_get("/crl-$_.crl"))[0], 404, "$_: 404") for qw( 0 00 01 3ff );
ok(wait_until(sub { (http_get('/crl'))[0] == 200 }, 20), 'the full one');



=== TEST 11: C20: + in the path, as it is and escaped
--- config eval
$::common . <<'END'
crl_delta 1h;
location = /crl/plus.crl  { crl plus; }
location = /crl/plus+.crl { crl plus delta; }
END
--- perl
ready();
ocsp_defaults(ca => work_file('plus.pem'));
ok(wait_until(sub { (http_get('/crl/plus+.crl'))[0] == 200 }, 20), '+');

my ($plain, $escaped) = map { crl_fetch("/crl/plus$_.crl") } '+', '%2B';
ok(defined $plain->{base}, 'a delta');
is($escaped->{der}, $plain->{der}, '%2B: the same');
is((http_get('/crl/plus%2b.crl'))[0], 200, '%2b');
is((http_get('/crl/plus%20.crl'))[0], 404, 'a blank is none');
isnt($plain->{headers}{etag}, crl_fetch('/crl/plus.crl')->{headers}{etag},
     'not the full one');

my ($age) = $plain->{headers}{'cache-control'} =~ /max-age=(\d+)/;
ok($age > 3000 && $age <= 3600, 'max-age: until the next delta');



=== TEST 12: a CRL as older versions left it: no size
--- config eval
$::common . 'location = /crl { crl bare; }'
--- perl
ready();
ocsp_defaults(ca => work_file('bare.pem'));
my $crl = wait_until(sub { crl_fetch('/crl') });
my $name = 'pki:{bare}:crl:0';
redis_cmd('HDEL', $name, 'size', 'base_number', 'base_seq', 'mark_number',
          'mark_seq', 'mark_time');
ok(nginx_reload(15), 'new workers');
my $again = wait_until(sub { crl_fetch('/crl') });
is($again->{der}, $crl->{der}, 'they have it');
is($again->{headers}{etag}, $crl->{headers}{etag}, 'and its ETag');



=== TEST 13: the probe: what is wrong with CRLs, 503 once one has ended
--- config eval
$::common . 'location = /crl { crl fails; crl_validity 8s overlap=6s;
                               crl_refresh 200ms; }'
--- perl
ready();
my ($ok, $text, $status);
ok(wait_until(sub { (http_get('/crl'))[0] == 200 }, 20), 'there is one');
my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
ok(wait_until(sub {
    ($status, undef, $text) = http_get('/probe');
    return $text =~ /^crl fails: ok, number \d+, next update $time$/m;
}, 5), 'a line of its own');
is($status, 200, 'well');
unlike($text, qr/^crl demo:/m, 'for authorities with CRLs here only');

# what Redis has cannot be understood

redis_cmd('SET', 'pki:{fails}:crl:0', 'x');

my $line = qr/^crl fails: not renewed since $time: [^\n]+, the first one ends at $time$/m;

ok(wait_until(sub {
    ($status, undef, $text) = http_get('/probe');
    return $text =~ $line;
}, 20), 'not renewed');
is($status, 200, '200 as long as it is valid');

ok(wait_until(sub {
    ($status, undef, $text) = http_get('/probe');
    return $status == 503;
}, 20), '503 when it has ended');
like($text, $line, 'and why');
is((http_get('/crl'))[0], 503, 'there is none then');

redis_cmd('DEL', 'pki:{fails}:crl:0');
ok(wait_until(sub {
    ($status, undef, $text) = http_get('/probe');
    return $text =~ /^crl fails: ok, /m;
}, 30), 'renewed again');
is($status, 200, '200 again');



=== TEST 14: clients that are gone while they wait do not count
--- config eval
$::common . 'location = /other { crl later; }'
--- init
PKI::redis_cmd('SET', 'pki:{later}:lock:crl', 'somebody', 'EX', 600);
PKI::redis_cmd('DEL', 'pki:{later}:crl:0')
--- perl
ready();
is((http_get('/other'))[0], 503, 'there is none');
redis_pause();

# more than may wait, in both workers, but not at a time; each is read before
# it is gone

for (1 .. 12) {
    load_leave(port => own_port(), after => 0.1,
               requests => [ map { [ '/other' ] } 1 .. 100 ]);
}

my $waits = beside(sub {
    return [ map { (http_get('/other', timeout => 3))[0] } 1 .. 2 ];
});

select undef, undef, undef, 1;
redis_resume();
$waits->();
redis_cmd('DEL', 'pki:{later}:lock:crl');
ok(wait_until(sub { (http_get('/other'))[0] == 200 }, 30), 'served at last');
--- no_error_log
too many requests wait
