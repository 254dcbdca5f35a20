# What OCSP answers while something is broken: Redis cut off, silent, trimmed,
# failed over to one that lags; nginx restarted meanwhile; the worker that
# follows the log gone; thousands of revocations at once; floods of random
# serial numbers.  Nothing revoked is ever good, what is not known is "try
# later".
#
# Elsewhere: Redis down at start, killed, emptied (50), restored from an old
# copy (51), wrong clocks (36, 37, 51), kept answers while Redis is away,
# delegates that are renewed (37), reload and killed workers (37, 60), a vault
# that is away (38).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Leader;
use PKI::Load;
use PKI::OCSP;
use PKI::Relay;
use PKI::Watch;
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'));

our $relay = PKI::Relay->new(redis()->port);
our $through = 'pki_redis redis://127.0.0.1:' . $relay->port . '/0;';

our $locations = <<'END';
keepalive_requests 1000000;
add_header X-Cache $ocsp_cache;

location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /crl    { crl demo; }
location /ocsp     { ocsp_responder demo; }
location /short    { ocsp_responder demo; ocsp_validity good=4s; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

my $names = 0;

# The responder is ready; returns as many new certificates as wanted.

sub setup {
    my ($n) = @_;

    ocsp_ready() or die 'not ready';

    my @certs = map { new_certificate('outage' . ++$names)
                      or die 'no certificate' } 1 .. $n || 1;
    ocsp_defaults(ca => work_file('demo.pem'), cert => $certs[0]);

    return @certs;
}

sub own_port { return Test::Nginx::Util::server_port_for_client() }

sub words {
    my ($r) = @_;
    return $r->{error} ne 'successful' ? $r->{error} : $r->{status};
}

# What all workers say.

sub all_say {
    my ($spec, $uri, %option) = @_;

    my ($der) = ref $spec ? ocsp_make($spec) : $spec;
    my %words = map { words(ocsp_post($uri || '/ocsp', $der, %option)) => 1 }
                1 .. 12;

    return join ' ', sort keys %words;
}

# Both workers have them in the cache.

sub warm {
    my (@ders) = @_;

    for my $der (@ders) {
        wait_until(sub {
            !grep { $_->[1]{'x-cache'} ne 'hit' }
                map { [ PKI::OCSP::post('/ocsp', $der) ] } 1 .. 8;
        }) or die 'never answered from the cache';
    }
}

# A revocation by another node, as the documentation of the state in Redis
# says.

sub revoke_elsewhere {
    my ($serial, $redis) = @_;

    return ($redis || redis())->command('EVAL', <<'END', 4,
local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)
redis.call('HSET', KEYS[2], 'status', 'revoked', 'revoked_at', ARGV[2],
           'reason', 1, 'version', n)
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. ' 1')
redis.call('XADD', KEYS[4], '*', 'n', n, 't', 'revoked', 's', ARGV[1],
           'st', 'revoked', 'at', ARGV[2], 'r', 1,
           'na', redis.call('HGET', KEYS[2], 'not_after'))
return n
END
        map({ "pki:{demo}:$_" } 'ca', "cert:$serial", 'revoked:0', 'log'),
        $serial, int time);
}

# Copies of a certificate's record under other serial numbers, which are
# returned.

sub load_records {
    my ($n, $prefix, $like) = @_;

    redis_cmd('EVAL', <<'END', 1,
for i = 1, ARGV[1] do
    local serial = string.format('%s%030x', ARGV[2], i)
    redis.call('HSET', 'pki:{demo}:cert:' .. serial, unpack(ARGV, 3))
end
return redis.call('HINCRBY', KEYS[1], 'seq', 1)
END
        'pki:{demo}:ca', $n, $prefix,
        @{ redis_cmd('HGETALL', 'pki:{demo}:cert:' . serial_of($like)) });

    return map { sprintf '%s%030x', $prefix, $_ } 1 .. $n;
}

log_level('info');    # many requests
no_shuffle();
run_tests();

__DATA__

=== TEST 1: Redis is silent: answers as before, quickly, until they are old
--- http_config eval
$::through
--- config eval
$::locations
--- perl
my ($good, $bad) = setup(2);
is(revoke($bad), 200, 'revoked');
my ($der, $revoked, $never) = ocsp_make({}, { cert => $bad },
                                        { serial => '4e4e4e' });
warm($der, $revoked);
PKI::OCSP::post('/short', $der) for 1 .. 6;
my $before = ocsp_get('/ocsp', $der);

$::relay->block;
my $start = time;

my ($slow, %told, @ages) = (0);

while (time < $start + 3) {
    for my $ask ([ $der, 'kept' ], [ $revoked, 'kept, revoked' ],
                 [ (ocsp_make({ nonce => '0a' x 16 }))[0], 'with a nonce' ],
                 [ (ocsp_make({ hash => 'sha384' }))[0], 'another hash' ])
    {
        my ($request, $name) = @$ask;
        my $sent = time;
        my $r = ocsp_get('/ocsp', $request);
        $slow = time - $sent if time - $sent > $slow;
        $told{$name}{ words($r) }++;
        push @ages, $r->{headers}{'cache-control'} =~ /max-age=(\d+)/
            if $name eq 'another hash';
    }

    sleep 0.2;
}

is_deeply([ map { join ' ', keys %{ $told{$_} } } sort keys %told ],
          [ qw( good good revoked good ) ], 'as before');
cmp_ok($slow, '<', 0.3, sprintf 'the slowest: %.3f s', $slow);
ok($ages[-1] <= 300, 'caches may keep it no longer than ever');

# what is not known is asked for until the time is over, and no longer

my $sent = time;
my $r = ocsp_post('/ocsp', $never);
is(words($r), 'try_later', 'not known: try later');
cmp_ok(time - $sent, '<', 6, 'within the time');
is($r->{headers}{'cache-control'}, 'no-store, max-age=0', 'not to be kept');
ok($r->{headers}{'retry-after'}, 'come again');

ok(wait_until(sub { all_say($der, '/short') eq 'try_later' }, 10),
   'what is too old: try later');
is(all_say($der), 'good', 'what holds longer: good');
is(all_say($revoked), 'revoked', 'or revoked');

my $now = ocsp_post('/ocsp', { nonce => '0b' x 16 });
ok($now->{produced_at}{at} - $now->{this_update}{at} >= 3,
   'thisUpdate is when it was known');
is($now->{next_update}{at} - $now->{this_update}{at}, 600,
   'and from there it counts');

$::relay->lead;
ok(wait_until(sub { all_say($der, '/short') eq 'good' }, 10),
   'good again, once Redis is there');
ok(wait_until(sub { all_say($never) eq 'unknown' }, 5), 'unknown, too');
--- error_log
redis



=== TEST 2: nginx is restarted while Redis is away: try later, until it is back
--- http_config eval
$::through
--- config eval
$::locations
--- perl
my ($good, $bad) = setup(2);
is(revoke($bad), 200, 'revoked');
my @ders = ocsp_make({}, { cert => $bad }, { serial => '4e4e4e' });
my $node = node_start();
my @there = (port => $node->port);

is(words(ocsp_post('/ocsp', $ders[0], @there)), 'good', 'good there');
ok($node->stop, 'it is stopped');
$::relay->cut;
$node->start;
wait_until(sub { (http_get('/probe', @there))[0] });

for my $der (@ders) {
    my $r = ocsp_post('/ocsp', $der, @there);
    is(words($r), 'try_later', 'it knows nothing: try later');
    is($r->{headers}{'cache-control'}, 'no-store, max-age=0',
       'not to be kept');
}

is(all_say($ders[0], '/ocsp', @there), 'try_later', 'from every worker');
is(all_say($ders[0]), 'good', 'the one that runs on knows');
is(all_say($ders[1]), 'revoked', 'both');

$::relay->lead;
ok(wait_until(sub {
    all_say($ders[0], '/ocsp', @there) eq 'good'
}), 'good by itself, when Redis is back');
is(all_say($ders[1], '/ocsp', @there), 'revoked', 'revoked');
ok(wait_until(sub { all_say($ders[2], '/ocsp', @there) eq 'unknown' }, 5),
   'unknown');
ok($node->stop, 'it ends well');
--- error_log
redis



=== TEST 3: a reload while Redis is away, and how many follow the log after it
--- http_config eval
$::through
--- config eval
$::locations
--- perl
my ($good, $bad) = setup(2);
is(revoke($bad), 200, 'revoked');
my ($der, $revoked) = ocsp_make({}, { cert => $bad });
warm($der, $revoked);

$::relay->cut;
my $watch = ocsp_watch(own_port(), '/ocsp', $der, $revoked);
my $start = time;
ok(nginx_reload(15), 'reloaded without Redis') for 1, 2;
my @seen = stop_watching($watch);

is_deeply([ contradictions(\@seen, [ 0, $start, $FOREVER, 'good' ],
                         [ 1, $start, $FOREVER, 'revoked' ]) ],
   [], 'nobody notices, of ' . @seen);
is(all_say($der), 'good', 'the new workers know what the old ones did');
is(all_say({ nonce => '0a' x 8 }), 'good', 'also to sign it');
is(all_say({ cert => $bad, nonce => '0a' x 8 }), 'revoked', 'each');

$::relay->lead;
ok(wait_until(sub { followers() == 1 }), 'one follows the log');

for (1 .. 3) {
    ok(nginx_reload(15), 'reloaded');
    ok(wait_until(sub { followers() == 1 }, 5), 'one follows it');
    my $two = 0;
    for (1 .. 15) { $two++ if followers() > 1; sleep 0.05 }
    is($two, 0, 'never two');
}

revoke_elsewhere(serial_of($good));
ok(wait_until(sub { all_say($der) eq 'revoked' }, 2), 'a change is seen');
--- error_log
redis



=== TEST 4: cut off while another node revokes; the log goes on, or is trimmed
--- http_config eval
$::through
--- config eval
$::locations
--- perl
my ($direct, $through) = (redis()->port, $::relay->port);
my @certs = setup(5);
my @ders = ocsp_make(map { { cert => $_ } } @certs);
my $node = node_start(edit => sub { s/:$through\b/:$direct/g });
my $held = $certs[4];

revoke($held, 'certificateHold');
warm(@ders);

for my $how (qw( resumed trimmed )) {
    my ($bad, $released) = $how eq 'resumed' ? (0, undef) : (1, 4);
    my $elsewhere = 'http://127.0.0.1:' . $node->port . '/m/api/certificates/';

    $::relay->cut;

    for ([ $certs[$bad], 'revoke', { reason => 'keyCompromise' } ],
         $released ? [ $certs[$released], 'release', {} ] : ())
    {
        my ($cert, $verb, $data) = @$_;
        my ($status) = http_post(
            '/m/api/certificates/' . serial_of($cert) . "/$verb",
            JSON::PP::encode_json($data), port => $node->port,
            headers => { 'Content-Type' => 'application/json' });
        is($status, 200, "$how: $verb there");
    }

    is(all_say($ders[$bad], '/ocsp', port => $node->port), 'revoked',
       'revoked there');

    my $r = ocsp_post('/ocsp', $ders[$bad]);
    my $now = time;
    is(words($r), 'good', 'here it is not known yet');
    cmp_ok($r->{this_update}{at}, '<=', $now, 'and not said to be');

    sleep 1.5;
    redis_cmd('XTRIM', 'pki:{demo}:log', 'MAXLEN', 0) if $how eq 'trimmed';

    my $watch = ocsp_watch(own_port(), '/ocsp', @ders);
    my $start = time;
    $::relay->lead;
    ok(wait_until(sub { all_say($ders[$bad]) eq 'revoked' }, 5), 'revoked');
    my $seen_at = time;
    ok(wait_until(sub { all_say($ders[4]) eq 'good' }, 5), 'released')
        if $released;
    sleep 0.5;

    my @seen = stop_watching($watch);
    my @spans = ([ $bad, $seen_at, $FOREVER, 'revoked' ],
                 map { [ $_, $start, $FOREVER, 'good' ] } 2, 3);

    my @wrong = contradictions(\@seen, @spans);

    # behind a gap statuses are read anew, perhaps by a worker that has not
    # found Redis again yet

    @wrong = grep { !/^[23]: try later/ } @wrong if $how eq 'trimmed';

    is_deeply(\@wrong, [], 'and never good again; what was good is so still');
    cmp_ok($seen_at - $start, '<', 4, sprintf 'after %.2f s',
           $seen_at - $start);
}

is(all_say($ders[0]), 'revoked', 'the first one still is');
ok($node->stop, 'the other node ends well');
--- error_log
gap in the change log



=== TEST 5: fail-over to a Redis that lags: revoked stays revoked
--- http_config eval
$::through
--- config eval
$::locations
--- perl
my @certs = setup(5);
my ($lost, $held, $released, $steady) = @certs;
is(revoke($released, 'certificateHold'), 200, 'held before');
is(revoke($steady, 'superseded'), 200, 'revoked before');

my $replica = PKI::Redis->new(appendonly => 1);
$replica->command('REPLICAOF', '127.0.0.1', redis()->port);
my $seq = redis_cmd('HGET', 'pki:{demo}:ca', 'seq');
ok(wait_until(sub {
    ($replica->command('HGET', 'pki:{demo}:ca', 'seq') // 0) >= $seq
}), 'there is a replica');
$replica->command('REPLICAOF', 'NO', 'ONE');

# acknowledged, and lost

is(revoke($lost, 'keyCompromise'), 200, 'revoked');
is(revoke($held, 'certificateHold'), 200, 'held');
is(release($released), 200, 'released');
my $vanished = new_certificate('vanished');

my @ders = ocsp_make(map { { cert => $_ } } @certs, $vanished);
warm(@ders);
my $watch = ocsp_watch(own_port(), '/ocsp', @ders);
sleep 0.3;
my $start = time;

$::relay->cut;
sleep 0.5;
$::relay->lead($replica->port);

ok(wait_until(sub { all_say($ders[5]) eq 'unknown' }, 10),
   'the other Redis is in charge: it has no such certificate');
ok(wait_until(sub {
    ($replica->command('HGET', 'pki:{demo}:cert:' . serial_of($lost),
                       'status') // '') eq 'revoked'
}), 'it is told what it has lost');
is($replica->command('HGET', 'pki:{demo}:cert:' . serial_of($held),
                     'status'), 'hold', 'holds, too');

is(all_say($ders[0]), 'revoked', 'revoked');
is(all_say($ders[1]), 'revoked', 'held');
is(all_say($ders[3]), 'revoked', 'as long as before');
is(all_say($ders[4]), 'good', 'good');

my @seen = stop_watching($watch);
is_deeply([ contradictions(\@seen, map({ [ $_, $start, $FOREVER, 'revoked' ] }
                                     0, 1, 3),
                         [ 4, $start, $FOREVER, 'good' ]) ],
   [], 'all the time, in ' . @seen . ' answers');
is(scalar(grep { $_->[0] == 2 && $_->[3] !~ /^(?:good|revoked)$/ } @seen), 0,
   'one whose release was lost is good or held');
is(scalar(grep { $_->[0] == 5 && $_->[3] !~ /^(?:good|unknown|try later)$/ }
          @seen), 0, 'one whose issue was lost is not known');

my $next = new_certificate('next');
ok($next, 'it issues');
is(revoke($next), 200, 'and revokes');
is(all_say({ cert => $next }), 'revoked', 'by the other Redis');

$::relay->lead(redis()->port);
--- error_log
redis has lost changes of authority "demo"



=== TEST 6: the worker that follows the log is killed, or stands still
--- config eval
$::locations
--- perl
my @certs = setup(4);
my @ders = ocsp_make(map { { cert => $_ } } @certs);
warm(@ders);

for my $n (0 .. 3) {
    my $signal = $n < 2 ? 'KILL' : 'STOP';
    my $pid = wait_until(sub { leader(worker_pids()) }, 5)
              or die 'nobody follows';

    sleep 0.5;
    kill $signal, $pid;
    my $start = time;
    revoke_elsewhere(serial_of($certs[$n]));

    ok(wait_until(sub {
        (PKI::OCSP::post('/ocsp', $ders[$n], timeout => 1))[2]
            and ocsp_told((PKI::OCSP::post('/ocsp', $ders[$n],
                                           timeout => 1))[2], $ders[$n])
                eq 'revoked';
    }, 6), "$signal: another one follows") or next;

    my $took = time - $start;
    cmp_ok($took, '<', 3.5, sprintf 'after %.2f s', $took);

    kill 'CONT', $pid if $signal eq 'STOP';
    ok(wait_until(sub { worker_pids() == 2 }), 'two workers');
    sleep 0.5;
    is(all_say($ders[$n]), 'revoked', 'all say so');
    ok(wait_until(sub { followers() == 1 }, 5), 'one follows');
}

is(all_say($ders[$_]), 'revoked', 'for good') for 0 .. 3;
unlike(error_log(), qr/\[alert\](?!.* exited on signal 9)/, 'no other alert');
--- error_log
[alert]
exited on signal 9



=== TEST 7: thousands are revoked while OCSP is asked
--- timeout: 60
--- config eval
$::locations
--- perl
my ($steady, $cert) = setup(2);
my @serials = load_records(3000, '5c', $cert);
my @more = load_records(1000, '5d', $cert);
my @ders = ocsp_make({}, map { { serial => $_ } } @serials, @more);
my ($first, @revoked) = @ders;
my $port = own_port();

sub ask_all {
    my @answers = load(port => $port, connections => 12, timeout => 30,
                       requests => [ map { [ '/ocsp', $_ ] } @revoked ]);
    my %told;
    $told{ ocsp_told($answers[$_]{body}, $revoked[$_]) }++ for 0 .. $#revoked;

    return \%told;
}

ok(wait_until(sub { error_log() =~ /gap in the change log/ }), 'loaded');
is_deeply(ask_all(), { good => 4000 }, 'all are good');

my $watch = ocsp_watch($port, '/ocsp', @ders[0, 1, 1500, 3000]);
my $start = time;
my @answers = load(
    port => $port, connections => 12, timeout => 30,
    requests => [ map { [ "/m/api/certificates/$_/revoke",
                          '{"reason":"keyCompromise"}',
                          { 'Content-Type' => 'application/json' } ] }
                  @serials ]);
my $done = time;
is_deeply(load_tally(@answers), { 200 => 3000 },
          sprintf '3000 revocations in %.1f s', $done - $start);

# 1000 more at once, by another node

revoke_elsewhere($_) for @more;
my $last = time;
ok(wait_until(sub {
    my (undef, undef, $body) = PKI::OCSP::post('/ocsp', $revoked[-1]);
    ocsp_told($body, $revoked[-1]) eq 'revoked';
}, 5), sprintf 'the last one after %.2f s', time - $last);
is_deeply(ask_all(), { revoked => 4000 }, 'all are revoked');

my @seen = stop_watching($watch);
my ($slowest) = sort { $b <=> $a } map { $_->[2] - $_->[1] } @seen;

is_deeply([ contradictions(\@seen, [ 0, $start, $FOREVER, 'good' ],
                         map { [ $_, $done, $FOREVER, 'revoked' ] } 1 .. 3) ],
   [], 'those watched, too; another one was good all the time');
cmp_ok($slowest, '<', 1, sprintf '%d answers, the slowest: %.3f s',
       scalar @seen, $slowest);

my %listed;
ok(wait_until(sub {
    my $crl = crl_fetch('/crl') or return;
    %listed = map { $_->{serial} => 1 } @{ $crl->{entries} };
    !grep { !$listed{$_} } @serials, @more;
}), 'all are in the CRL');
--- error_log
gap in the change log



=== TEST 8: a flood of random serial numbers
--- timeout: 60
--- config eval
$::locations
--- perl
my ($cert) = setup();
my ($der, $nonce) = ocsp_make({}, { nonce => '0a' x 16 });
my ($model) = ocsp_make({ serial => '4e' x 16 });
my $port = own_port();
warm($der);

# both kinds of requests differ from the model in their serial number only

sub random_requests {
    my ($n) = @_;

    return map {
        my $random = pack 'CC15', 0x4d, map { rand 256 } 1 .. 15;
        (my $request = $model) =~ s/N{16}/$random/;
        [ '/ocsp', $request ];
    } 1 .. $n;
}

sub scripts {
    my ($calls) = redis_cmd('INFO', 'commandstats')
                  =~ /^cmdstat_evalsha:calls=(\d+)/m;
    return $calls // 0;
}

my $watch = ocsp_watch($port, '/ocsp', $der);
my $before = scripts();
my $start = time;

my @floods = map {
    beside(sub {
        load_tally(map { { status => $_->{body} eq $PKI::OCSP::TRY_LATER
                                     ? 'later' : length $_->{body} > 99
                                     ? 'unknown' : 'other' } }
                   load(port => $port, connections => 24, timeout => 30,
                        requests => [ random_requests(8000) ]));
    })
} 1, 2;

my %tally;

for (@floods) {
    my $one = $_->();
    $tally{$_} += $one->{$_} for keys %$one;
}

my $seconds = time - $start;
my $asked = scripts() - $before;
my @seen = stop_watching($watch);
my @slow = sort { $a <=> $b } map { $_->[2] - $_->[1] } @seen;

is($tally{other} // 0, 0, 'each has an answer');
is(($tally{unknown} // 0) + ($tally{later} // 0), 16000,
   sprintf '%d unknown, %d later, in %.1f s', $tally{unknown} // 0,
   $tally{later} // 0, $seconds);

# 1000 a second, by each of two workers; and the position of the log

cmp_ok($asked, '<=', 2000 * (1 + $seconds) + 50,
       "Redis was asked $asked times");
ok($tally{later}, 'above that: try later') if 16000 > 2500 * (1 + $seconds);

is_deeply([ contradictions(\@seen, [ 0, $start, $FOREVER, 'good' ]) ], [],
   'one that is known is good all the time');
cmp_ok($slow[ $#slow * 0.99 ], '<', 0.5, sprintf
       '%d times, nearly always within %.3f s', scalar @slow,
       $slow[ $#slow * 0.99 ]);

# it is over in a moment, and nothing of it is left

sleep 1.2;
is(all_say({ serial => '4e' x 15 }), 'unknown', 'unknown again');
is(all_say($nonce), 'good', 'good');
