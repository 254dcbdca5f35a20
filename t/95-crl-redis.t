# CRLs on two nodes when Redis is gone, emptied, or older than it was: nothing
# that is revoked ever leaves, whoever finds Redis again first, and nobody is
# sent away.
#
# Elsewhere: nodes that race and die (94), what OCSP answers then (51, 53).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::CRL;
use PKI::Load;
use PKI::Nodes;
use PKI::OCSP;
use PKI::Vault ();
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
http_config(map { authority($_, key => 'ec:P-256') }
            qw( away empty lost held ));

# The files of Redis: kept, and brought back while it is down.

sub keep {
    redis_stop();
    command('rm', '-rf', work_file('kept'));
    command('cp', '-a', redis()->dir, work_file('kept'));
    redis_start();
    return ready();
}

sub bring_back {
    my $dir = redis()->dir;

    redis_stop();
    command('rm', '-rf', glob "$dir/append*");
    command('cp', '-a', glob(work_file('kept') . '/append*'), $dir);
    redis_start();
    return;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: C19: Redis is stopped, killed, and there again
--- timeout: 60
--- config eval
::crl_locations('away', 'crl_shards 2; crl_refresh 50ms;')
--- perl
setup('away', 2);
my @certs = map { @$_ } crl_spread('away', 2, 4);
my $watch = crl_watch([ own_port() ], uris('away', 2));
my @done;

for my $how (qw( stop kill pause stop )) {
    my @now = splice @certs, 0, 2;
    revoke($_, 'superseded', '/away/m') for @now;
    push @done, @now;

    # both workers have fetched what was built, sooner or later

    if ($how ne 'pause') {
        ok(all_in('away', 10, @done), 'all are listed');
        sleep 1.5;
    }

    redis()->$how;
    sleep 1.5;
    $how eq 'pause' ? redis_resume() : redis_start();
    ok(ready(40), "$how: there again");
    ok(all_in('away', 20, @done), 'all are listed');
}

my @seen = crl_seen($watch);

# a worker that has not found Redis again serves the last one that it has

is_deeply([ grep { !/: \d+ after \d+, \d+ times$/ } crl_faults(\@seen) ], [],
          'of ' . @seen . ' all are right');
numbers_rise('away');
--- error_log
redis



=== TEST 2: Redis is emptied: nothing leaves a CRL, on either node
--- timeout: 60
--- config eval
::crl_locations('empty', 'crl_shards 2; crl_refresh 100ms; crl_delta 2s; '
                         . 'crl_validity 10s overlap=6s;', delta => 1)
--- perl
setup('empty', 2);
my $node = node_start();
my @ports = (own_port(), $node->port);
my @certs = map { @$_ } crl_spread('empty', 2, 6);
my @bad = @certs[0 .. 8];
revoke($_, 'keyCompromise', '/empty/m') for @bad;
revoke($certs[9], 'certificateHold', '/empty/m');
ok(all_in('empty', 10, @bad, $certs[9]), 'all are listed');
my $watch = crl_watch(\@ports, uris('empty', 2));
sleep 1;

my %number = map { $_ => crl_fetch($_)->{number} } uris('empty', 2);
redis_cmd('FLUSHALL');
my $start = time;

for my $uri (uris('empty', 2)) {
    ok(crl_wait($uri, sub { $_[0]{number} > $number{$uri} }, 40),
       sprintf '%s: a new one after %.1f s', $uri, time - $start);
}

ok(all_in('empty', 10, @bad, $certs[9]), 'all are listed');

my ($new) = crl_spread('empty', 2);
ok(revoke($new, 'superseded', '/empty/m') == 200 && all_in('empty', 10, $new),
   'a new one, too');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen) ], [], 'of ' . @seen . ' all are right');
is(redis_cmd('HLEN', 'pki:{empty}:revoked:0'), 11, 'Redis knows them again');
numbers_rise('empty');
ok($node->stop, 'it ends well');
--- error_log
redis



=== TEST 3: Redis is as it was some time ago: nothing leaves a CRL
--- timeout: 90
--- config eval
::crl_locations('lost', 'crl_shards 2; crl_refresh 100ms; crl_delta 2s; '
                        . 'crl_validity 10s overlap=6s;', delta => 1)
--- perl
setup('lost', 2);
my $node = node_start();
my @certs = map { @$_ } crl_spread('lost', 2, 8);
revoke($_, 'superseded', '/lost/m') for @certs[0 .. 3];
revoke($certs[4], 'certificateHold', '/lost/m');
ok(all_in('lost', 10, @certs[0 .. 4]), 'the first ones');
ok(keep(), 'a copy is made');

my @later = @certs[5 .. 12];
revoke($_, 'keyCompromise', '/lost/m') for @later;
release($certs[4], '/lost/m');
ok(all_in('lost', 15, @later), 'more are listed');
ok(crl_wait('/crl/lost.crl', sub { !crl_entry($_[0], $certs[4]) }),
   'one was released');

my $held = serial_octets($certs[4]);
my $watch = crl_watch([ own_port(), $node->port ], uris('lost', 2));
sleep 1;
my %number = map { $_ => crl_fetch($_)->{number} } uris('lost', 2);
bring_back();

for my $uri (uris('lost', 2)) {
    ok(crl_wait($uri, sub { $_[0]{number} > $number{$uri} }, 40),
       "$uri: a new one");
}

ok(all_in('lost', 10, @certs[0 .. 3], @later), 'all are listed');

my $crl = crl_fetch('/crl/lost.crl');
is(crl_reason($crl, $_), 1, 'for the same reason') for @later;

# by the deltas, too

my $delta = crl_wait('/crl/lost-delta.crl',
                     sub { $_[0]{number} >= $crl->{number} });
my $told = crl_apply(crl_fetch('/crl/lost.crl'), $delta);
is(scalar(grep { !exists $told->{ serial_octets($_) } } @certs[0 .. 3], @later),
   0, 'a delta takes nothing back');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, gone => sub { $_[0] eq $held }) ], [],
          'of ' . @seen . ' all are right');
ok($node->stop, 'it ends well');
--- error_log
redis has lost changes of authority



=== TEST 4: Redis is emptied while nginx is down, and the copy is gone
--- config eval
::crl_locations('lost', 'crl_shards 2; crl_refresh 100ms;')
--- perl
setup('lost', 2);
my $node = node_start();
my @certs = crl_spread('lost', 2);
revoke($_, 'superseded', '/lost/m') for @certs;
ok(all_in('lost', 10, @certs), 'listed');
my $watch = crl_watch([ own_port() ], uris('lost', 2));
my %number = map { $_ => crl_fetch($_)->{number} } uris('lost', 2);
my $count = @{ crl_fetch('/crl/lost.crl')->{entries} };

# one of two nodes is away meanwhile, and comes back knowing nothing,

ok($node->stop, 'one node is stopped');
redis_stop();
command('rm', '-rf', glob redis()->dir . '/append*');
my @slow = worker_pids();
kill 'STOP', @slow;
redis_start();
$node->start;
my @there = (port => $node->port);

# and is the first one to find Redis there again

my $resume = beside(sub {
    PKI::Vault::ready($node, 'lost');
    sleep 1;
    kill 'CONT', @slow;
    return {};
});

my $crl = crl_wait('/crl/lost.crl',
                   sub { $_[0]{number} > $number{'/crl/lost.crl'} }, 40,
                   @there);
ok($crl, 'there is a new one') or return;
is(scalar @{ $crl->{entries} }, $count, 'with as many entries');
ok(crl_wait($_, sub { $_[0]{number} > $number{$_} }, 40), "$_: a new one")
    for uris('lost', 2);
ok(all_in('lost', 10, @certs), 'all are listed');

$resume->();
my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen) ], [], 'of ' . @seen . ' all are right');
ok($node->stop, 'it ends well');
--- error_log
redis



=== TEST 5: C19: nobody is sent away while nginx is reloaded, Redis slow or not
--- config eval
::crl_locations('away', 'crl_shards 2;')
--- perl
setup('away', 2);
my $stop = work_file('stop-load');
my @uris = uris('away', 2);

my $load = beside(sub {
    my %tally;

    while (!-e $stop) {
        my $now = load_tally(load(port => own_port(), connections => 16,
            requests => [ map { [ $uris[ $_ % 3 ], undef,
                                  { Connection => 'close' } ] } 1 .. 200 ]));
        $tally{$_} += $now->{$_} for keys %$now;
    }

    return \%tally;
});

for my $pause (0, 0, 0, 0, 1, 1.5) {
    my %old = map { $_ => 1 } worker_pids();

    redis()->pause if $pause;
    nginx_signal('HUP');
    sleep($pause || 0.2);
    redis_resume() if $pause;

    ok(wait_until(sub { !grep { $old{$_} } worker_pids() }, 15),
       "reloaded, Redis was silent for $pause s");
    ok(ready(), 'ready');
}

work_file('stop-load', '');
my $tally = $load->();
is(join(' ', sort keys %$tally), '200', join ', ', map {
    "$tally->{$_} times $_" } sort keys %$tally);



=== TEST 6: a node that starts without enough replicas holds no other one back
--- config eval
::crl_locations('held', 'crl_refresh 100ms;')
--- perl
setup('held');
my ($first, $second) = map { new_certificate("held$_", '/held/enroll') } 1, 2;
revoke($first, 'superseded', '/held/m');
ok(crl_wait('/crl/held.crl', has($first)), 'listed');

my $node = node_start();
ok($node->stop, 'the other one stops');
$node->configure(file => $node->prefix . '/conf/nginx.conf', edit => sub {
    s/^(\s*pki_redis [^;]*)/$1 wait=1 wait_timeout=300ms/m or die;
})->start;

sleep 4;
is(redis_cmd('EXISTS', 'pki:{held}:restoring'), 0, 'it restores nothing');
revoke($second, 'superseded', '/held/m');
ok(crl_wait('/crl/held.crl', has($second)), 'and the next one is listed');
ok($node->stop, 'it ends well');



=== TEST 7: what cannot be restored holds other nodes back for 3 s, not longer
--- timeout: 60
--- config eval
::crl_locations('held', 'crl_refresh 100ms;')
--- perl
setup('held');
my ($bad, $second, $third) = map { new_certificate("bad$_", '/held/enroll') }
                             1 .. 3;
revoke($bad, 'superseded', '/held/m');
ok(crl_wait('/crl/held.crl', has($bad)), 'listed');

# behind a gap, its record is of another type

my $key = 'pki:{held}:cert:' . serial_of($bad);
redis_cmd('EVAL', q{redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], 'x')
                    redis.call('HINCRBY', KEYS[2], 'seq', 1)},
          2, $key, 'pki:{held}:ca');
ok(wait_until(sub { redis_cmd('EXISTS', 'pki:{held}:restoring') }, 5),
   'others are held back');

my $node = node_start();
is(revoke_at($node->port, 'held', $second), 200, 'revoked');
ok(crl_wait('/crl/held.crl', has($bad, $second), 15, port => $node->port),
   'listed by the other node');
is(redis_cmd('EXISTS', 'pki:{held}:restoring'), 0, 'which is not held back');

redis_cmd('DEL', $key);
ok($node->stop, 'it ends well');
is(revoke_at(own_port(), 'held', $third), 200, 'revoked');
ok(crl_wait('/crl/held.crl', has($third)),
   'and listed, as soon as it can be restored');
--- error_log
cannot restore revocations of authority "held"
