# CRLs when several build them and something fails: two nodes that race, workers
# and nodes that are killed while they build, a Redis that is gone, emptied, or
# older than it was; certificates that expire; a vault that is away.  All the
# time each CRL is asked for, and numbers never fall, nothing that is revoked
# ever leaves, and one number is one CRL.
#
# Elsewhere: one node (34, 90, 91), clocks that differ (36), what OCSP answers
# then (51, 53).

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::CRL;
use PKI::Leader;
use PKI::Load;
use PKI::OCSP;
use PKI::Vault ();
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
key_vault();
http_config(map({ authority($_, key => 'ec:P-256') }
                qw( race kill lost empty away gap expire times )),
            'pki_profile brief { validity 5s; }');

sub setup {
    my ($name, $shards) = @_;

    ready(40) or die 'not ready: ' . (http_get('/probe'))[2];
    ocsp_defaults(ca => work_file("$name.pem"));
    crl_wait($_, undef, 40) or die "no CRL at $_" for uris($name, $shards);
}

sub uris {
    my ($name, $shards) = @_;

    return ("/crl/$name.crl", map { sprintf '/crl/%s-%02x.crl', $name, $_ }
                              0 .. ($shards || 0) - 1);
}

sub has {
    my (@certs) = @_;

    return sub {
        my ($crl) = @_;
        return !grep { !crl_entry($crl, $_) } @certs;
    };
}

# Whether each is on the full CRL and on that of its shard.

sub all_in {
    my ($name, $seconds, @certs) = @_;

    crl_wait("/crl/$name.crl", has(@certs), $seconds) or return;

    for (@certs) {
        crl_wait(crl_uri($_), has($_), $seconds) or return;
    }

    return 1;
}

# Revokes by one of several nodes.

sub revoke_at {
    my ($port, $name, $cert, $reason) = @_;

    return (http_post("/$name/m/api/certificates/" . serial_of($cert)
                      . '/revoke', '{"reason":"' . ($reason || 'superseded')
                      . '"}', port => $port,
                      headers => { 'Content-Type' => 'application/json' }))[0];
}

# Waits until somebody builds.

sub building {
    my ($name) = @_;

    my @locks = map { "pki:{$name}:lock:$_" } qw( crl crl-shards );

    return wait_until(sub { redis_cmd('EXISTS', @locks) }, 20);
}

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

# By the log, whose entries no node can take back.

sub numbers_rise {
    my ($name) = @_;

    my %names = map { $_ => 1 } crl_published($name);

    for (sort keys %names) {
        my @numbers = crl_published($name, $_);
        my @wrong = grep { $numbers[$_] <= $numbers[ $_ - 1 ] } 1 .. $#numbers;
        is(scalar @wrong, 0, "$_: " . @numbers . ' numbers, each higher');
    }
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



=== TEST 4: C19: Redis is stopped, killed, and there again
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
is_deeply([ crl_faults(\@seen) ], [], 'of ' . @seen . ' all are right');
numbers_rise('away');
--- error_log
redis



=== TEST 5: Redis is emptied: nothing leaves a CRL, on either node
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



=== TEST 6: Redis is as it was some time ago: nothing leaves a CRL
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



=== TEST 7: Redis is emptied while nginx is down, and the copy is gone
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

# one of two nodes is away meanwhile, and comes back knowing nothing

ok($node->stop, 'one node is stopped');
redis_stop();
command('rm', '-rf', glob redis()->dir . '/append*');
redis_start();
$node->start;
my @there = (port => $node->port);

my $crl = crl_wait('/crl/lost.crl',
                   sub { $_[0]{number} > $number{'/crl/lost.crl'} }, 40,
                   @there);
ok($crl, 'there is a new one') or return;
is(scalar @{ $crl->{entries} }, $count, 'with as many entries');
ok(crl_wait($_, sub { $_[0]{number} > $number{$_} }, 40), "$_: a new one")
    for uris('lost', 2);
ok(all_in('lost', 10, @certs), 'all are listed');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen) ], [], 'of ' . @seen . ' all are right');
ok($node->stop, 'it ends well');
--- error_log
redis



=== TEST 8: C7: a node that is stopped behind a gap takes no release back
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



=== TEST 9: C13: what has expired leaves after a CRL from behind its end
--- timeout: 60
--- config eval
::crl_locations('expire', 'crl_shards 2; crl_refresh 100ms; crl_delta 1s; '
                          . 'crl_validity 4s overlap=2s;', delta => 1)
    . 'location = /brief { enroll expire; enroll_auth none insecure;
                           enroll_profile brief; }'
--- perl
setup('expire', 2);
my ($kept) = crl_spread('expire', 2);
my @certs = map { new_certificate("brief$_", '/brief') } 1 .. 5;
my ($held, $released) = (pop @certs, new_certificate('released', '/brief'));
my %end = map { serial_octets($_) => certificate($_)->{not_after} }
          @certs, $held;
my @uris = uris('expire', 2);
my $watch = crl_watch([ own_port() ], @uris);

revoke($_, 'superseded', '/expire/m') for @certs, $kept;
revoke($_, 'certificateHold', '/expire/m') for $held, $released;
ok(all_in('expire', 5, @certs, $held, $released, $kept), 'all are listed');
is(release($released, '/expire/m'), 200, 'one is released');

ok(crl_wait($_, sub { !grep { $_->{serial} ne serial_octets($kept) }
                      @{ $_[0]{entries} } }, 30), "$_: they leave") for @uris;
ok(crl_wait('/crl/expire-delta.crl', sub { !$_[0]{list} }, 30),
   'and the delta');
ok(all_in('expire', 5, $kept), 'the other one stays');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, gone => sub {
                $end{ $_[0] } || $_[0] eq serial_octets($released)
            }) ], [], 'of ' . @seen . ' all are right');

for my $cert (@certs, $held) {
    my $serial = serial_octets($cert);

    for my $uri ('/crl/expire.crl', crl_uri($cert)) {
        my %crls = map { $_->{number} => $_ } grep { $_->{uri} eq $uri } @seen;
        my @listed;

        for my $crl (values %crls) {
            my %serials = crl_reasons($crl);
            push @listed, $crl->{this_update}{at} if exists $serials{$serial};
        }

        ok((grep { $_ > $end{$serial} } @listed),
           "$uri: it was on one issued after its end");
    }

    my (undef, $record) = api('GET', '/expire/m/api/certificates/'
                              . serial_of($cert));
    is($record->{reason}, $cert eq $held ? 'certificateHold' : 'superseded',
       'its record stays');
}

# once a minute or so

ok(wait_until(sub {
    redis_cmd('HLEN', 'pki:{expire}:revoked:0') == 1
        && !redis_cmd('EXISTS', 'pki:{expire}:released');
}, 100), 'Redis forgets them, and what was released');
sleep 3;
ok(all_in('expire', 5, $kept), 'the other one is still there');



=== TEST 10: C19: nobody is sent away while nginx is reloaded
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

for (1 .. 6) {
    ok(nginx_reload(15), 'reloaded');
    sleep 0.2;
}

work_file('stop-load', '');
my $tally = $load->();
is(join(' ', sort keys %$tally), '200', join ', ', map {
    "$tally->{$_} times $_" } sort keys %$tally);



=== TEST 11: C2 C12: times: none ends before one that was before it
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



=== TEST 12: C22: a vault that is away: the last CRL, told early, and recovery
--- timeout: 90
--- config
location = /probe { pki_probe; }
--- perl
ready(40);
azure_reset();
my $node = PKI::Vault::node('vault', sealed => ['ec:P-256']);
my $text = slurp($node->prefix . '/conf/nginx.conf');
$text =~ s{(location = /sealed/crl)}{crl_refresh 100ms;
    crl_validity 20s overlap=16s;
    location /sealed/m/ { certificate_master sealed;
        certificate_master_user a; certificate_master_roles admin; } $1} or die;
$node->configure(file => work_file('sealed.conf', $text))->start;
ok(PKI::Vault::ready($node, 'sealed'), 'ready');
my $ca = PKI::Vault::ca_of($node, 'sealed');
ocsp_defaults(ca => $ca);
my @there = (port => $node->port);
my ($good, $bad) = map { PKI::Vault::issue($node, 'sealed') } 1, 2;
my $crl = crl_wait('/sealed/crl', undef, 20, @there);
ok($crl, 'a CRL') or return;
is($crl->{verified} && $crl->{issuer_is_ca}, 1, 'C22: of the issuer itself');
my $watch = crl_watch([ $node->port ], '/sealed/crl');
my $log = length $node->log;

azure_fault(op => 'sign', key => 'sealed', count => -1, do => 'status',
            status => 503, code => 'Unavailable', message => 'not now');
is(revoke_at($node->port, 'sealed', $bad), 200, 'revoked');

my $told = wait_until(sub {
    PKI::Vault::probe($node) =~ /^(crl sealed: (?!ok).*)$/m && $1
}, 12);
ok($told, 'the probe says so') or diag(PKI::Vault::probe($node));
like(substr($node->log, $log), qr/\[error\].*CRL/, 'the log as well');
my $last = crl_fetch('/sealed/crl', undef, @there);
ok($last && $last->{next_update}{at} > time + 2,
   'early: while the last CRL still holds');

my $status = wait_until(sub {
    my ($status) = http_get('/sealed/crl', @there);
    $status != 200 && [ $status, time ];
}, 30);
is($status->[0], 503, 'none in the end');
cmp_ok($status->[1], '>=', $last->{next_update}{at} - 1,
       'the last one until its nextUpdate');

azure_reset();
$crl = crl_wait('/sealed/crl', has($bad), 60, @there);
ok($crl, 'well by itself') or return;
ok(wait_until(sub { (http_get('/probe', @there))[0] == 200 }),
   'and the probe is');
like(crl_verify($bad, $ca, $crl), qr/certificate revoked/, 'revoked');
is(crl_verify($good, $ca, $crl), '', 'the other one is good');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, statuses => [ 503 ]) ], [], 'all are right');
ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'a clean log');
