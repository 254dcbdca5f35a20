# CRLs when several build them: two nodes that race, workers and nodes that are
# killed while they build, a node that is stopped; reloads.  All the time each
# CRL is asked for, and numbers never fall, nothing that is revoked ever leaves,
# and one number is one CRL.
#
# Elsewhere: one node (34, 90, 91), clocks that differ (36), what OCSP answers
# then (51, 53), Redis that is gone or has lost something (95), what ends (96).

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::CRL;
use PKI::Leader;
use PKI::Load;
use PKI::Nodes;
use PKI::OCSP;
use PKI::Vault ();
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
key_vault();
http_config(map({ authority($_, key => 'ec:P-256') } qw( race kill gap times )));

# Waits until somebody builds.

sub building {
    my ($name) = @_;

    my @locks = map { "pki:{$name}:lock:$_" } qw( crl crl-shards );

    return wait_until(sub { redis_cmd('EXISTS', @locks) }, 20);
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: C4 C19: two nodes race: numbers rise, one number is one CRL
--- timeout: 60
--- config eval
::crl_locations('race', 'crl_shards 4; crl_refresh 50ms; crl_delta 1s; '
                        . 'crl_validity 8s overlap=4s;', delta => 1)
--- perl
setup('race', 4);
my $node = node_start();
my @ports = (own_port(), $node->port);
my @certs = map { @$_ } crl_spread('race', 4, 12);
my @uris = (uris('race', 4), '/crl/race-delta.crl');
wait_until(sub { !grep { (http_get($_, port => $ports[1]))[0] != 200 } @uris });
my @watches = map { crl_watch([ $_ ], @uris) } @ports;

my @statuses = map {
    sleep rand 0.3;
    revoke_at($ports[ $_ % 2 ], 'race', $certs[$_]);
} 0 .. $#certs;

is(scalar(grep { $_ == 200 } @statuses), 48, 'revoked, half by each');
ok(all_in('race', 10, @certs), 'all are listed');
sleep 5;

for my $uri (@uris) {
    my @both;
    ok(wait_until(sub {
        @both = map { crl_fetch($uri, undef, port => $_) } @ports;
        $both[0]{der} eq $both[1]{der};
    }, 10), "$uri: both have the same");
    is($both[0]{headers}{$_}, $both[1]{headers}{$_}, "the same $_")
        for qw( etag last-modified content-length );
}

my @seen = crl_seen(@watches);
is_deeply([ crl_faults(\@seen) ], [], 'of ' . @seen . ' all are right');
numbers_rise('race');

ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'no alert over there');



=== TEST 2: C4 C19: the worker that builds is killed, over and over
--- timeout: 60
--- config eval
::crl_locations('kill', 'crl_shards 2; crl_refresh 50ms;')
--- perl
setup('kill', 2);
my @certs = map { @$_ } crl_spread('kill', 2, 6);
my $watch = crl_watch([ own_port() ], uris('kill', 2));
my @done;
my $slowest = 0;

for my $n (0 .. 5) {
    my $pid = wait_until(sub { leader(worker_pids()) }, 10)
              or die 'nobody leads';

    revoke($_, 'superseded', '/kill/m') for @certs[2 * $n, 2 * $n + 1];
    building('kill') if $n % 2;
    kill 'KILL', $pid;

    my $start = time;
    push @done, @certs[2 * $n, 2 * $n + 1];
    ok(all_in('kill', 15, @done), 'all are listed') or last;
    $slowest = time - $start if time - $start > $slowest;
    wait_until(sub { worker_pids() == 2 });
}

cmp_ok($slowest, '<', 6, sprintf 'the slowest after %.1f s', $slowest);
my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, statuses => [ 0 ]) ], [],
          'of ' . @seen . ' all are right');
numbers_rise('kill');
unlike(error_log(), qr/\[alert\](?!.* exited on signal 9)/, 'no other alert');
--- error_log
[alert]
exited on signal 9



=== TEST 3: C16: killed in the middle of a signature: worker, then the node
--- timeout: 90
--- config
location = /probe { pki_probe; }
--- perl
ready(40);
my $node = PKI::Vault::node('one', mid => ['ec:P-256']);
my $text = slurp($node->prefix . '/conf/nginx.conf');
my $api = 'location /mid/m/ { certificate_master mid; '
          . 'certificate_master_user a; certificate_master_roles admin; }'
          . ' crl_refresh 50ms;';
$text =~ s/(location = \/mid\/crl)/$api $1/ or die;
$node->configure(file => work_file('mid.conf', $text))->start;
ok(PKI::Vault::ready($node, 'mid'), 'ready');
ocsp_defaults(ca => PKI::Vault::ca_of($node, 'mid'));
my @certs = map { PKI::Vault::issue($node, 'mid') } 1 .. 3;
my @there = (port => $node->port);
my $first = crl_wait('/mid/crl', undef, 20, @there);
ok($first, 'the first CRL') or return;

my $watch = crl_watch([ $node->port ], '/mid/crl');

azure_latency(sign => 2000);
revoke_at($node->port, 'mid', $certs[0]);
building('mid') or die 'nobody builds';
sleep 0.5;
kill 'KILL', leader($node->workers) or die 'nobody leads';
azure_latency(sign => 0);
my $start = time;
ok(crl_wait('/mid/crl', has($certs[0]), 15, @there),
   sprintf 'by the other worker, after %.1f s', time - $start);
cmp_ok(time - $start, '<', 6, 'within a few seconds');

azure_latency(sign => 2000);
revoke_at($node->port, 'mid', $certs[1]);
building('mid') or die 'nobody builds';
sleep 0.5;
$node->kill;
azure_latency(sign => 0);
$start = time;

# another node

my $other = PKI::Vault::node('two', mid => ['ec:P-256']);
$text =~ s/listen 127.0.0.1:\d+/listen 127.0.0.1:\$TEST_NGINX_SERVER_PORT/;
$text =~ s{/one/mid.pem}{/two/mid.pem};
$other->configure(file => work_file('other.conf', $text))->start;
@there = (port => $other->port);
ok(crl_wait('/mid/crl', has(@certs[0, 1]), 45, @there),
   sprintf 'by another node, after %.1f s', time - $start);
cmp_ok(time - $start, '<', 35, 'when the lock of the dead one is over');

my $crl = crl_fetch('/mid/crl', undef, @there);
my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, statuses => [ 0 ]) ], [], 'all are right');
is(scalar(grep { $_->{status} && $_->{number} >= $crl->{number} } @seen), 0,
   'a higher number than any before');
numbers_rise('mid');
ok($other->stop, 'it ends well');



=== TEST 4: C7: a node that is stopped behind a gap takes no release back
--- timeout: 60
--- config eval
::crl_locations('gap', 'crl_refresh 100ms; crl_delta 2s;', delta => 1)
--- perl
setup('gap');
my $node = node_start();
my ($released, $bad) = map { new_certificate("gap$_", '/gap/enroll') } 1, 2;
my $serial = serial_of($released);
revoke($released, 'certificateHold', '/gap/m');
ok(crl_wait('/crl/gap.crl', has($released)), 'held');
is(release($released, '/gap/m'), 200, 'released');

for my $port (own_port(), $node->port) {
    ok(crl_wait('/crl/gap.crl', sub { !crl_entry($_[0], $released) }, 10,
                port => $port), 'gone');
}

# neither has followed what was between

redis_cmd('EVAL', <<'END', 2, map { "pki:{gap}:$_" } 'ca', 'log');
local n = redis.call('HINCRBY', KEYS[1], 'seq', 2)
redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)
redis.call('XADD', KEYS[2], '*', 'n', n, 't', 'other')
END
ok(wait_until(sub { $node->log =~ /gap in the change log/ }), 'a gap');
sleep 0.3;
my $start = time;
ok($node->stop, sprintf 'one ends well, after %.1f s', time - $start);

my (undef, $record) = api('GET', "/gap/m/api/certificates/$serial");
is($record->{status}, 'good', 'the record is good');
is(redis_cmd('HGET', 'pki:{gap}:revoked:0', $serial), undef,
   'it is not on the list');

revoke($bad, 'superseded', '/gap/m');
my $crl = crl_wait('/crl/gap.crl', has($bad), 20);
ok($crl, 'CRLs are built') or return;
ok(!crl_entry($crl, $released), 'without it');
--- error_log
gap in the change log



=== TEST 5: C2 C12: times: none ends before one that was before it
--- timeout: 60
--- config eval
::crl_locations('times', 'crl_shards 2; crl_refresh 100ms; '
                         . 'crl_validity 6s overlap=3s;')
--- perl
setup('times', 2);
my @certs = map { @$_ } crl_spread('times', 2, 4);
my $watch = crl_watch([ own_port() ], uris('times', 2));
my %before;

for my $cert (@certs) {
    my $uri = crl_uri($cert);
    my %last = map { $_ => crl_fetch($_) } $uri, '/crl/times.crl';
    revoke($cert, 'superseded', '/times/m');

    for my $uri (sort keys %last) {
        my $crl = crl_wait($uri, has($cert));
        my $at = crl_entry($crl, $cert)->{at}{at};
        ok($at >= $last{$uri}{this_update}{at}, "C12: $uri: not before the "
           . 'last CRL that did not have it');
        ok($at <= $crl->{this_update}{at}, 'nor after the first one that has');
    }

    sleep 0.4;
}

ok(nginx_reload(15), 'reloaded');
sleep 4;
my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen) ], [], 'C2: of ' . @seen . ' all are right');
