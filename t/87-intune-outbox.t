# What Intune is told later (wait_success=off): each certificate, by one of all
# workers and nodes, over outages of Intune, Redis and nginx; what it does not
# take is revoked.  The directive is in 83.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Intune;
use PKI::Nginx;
use PKI::Scep;

redis_start(appendonly => 1);
start_azure();

our $work = work_dir();
our $http = slurp('conf/log-format.conf') . authority('demo')
            . intune_directives() =~ s/log_format.*?;\n//sr;
http_config(authority('demo'), intune_directives());

our $server = <<'END';
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe { pki_probe; }
location /later   { scep demo; scep_challenge intune wait_success=off; }
END

sub record { return @{ redis_cmd('HGETALL', "pki:{demo}:cert:$_[0]") } }
sub state  { return { record($_[0]) }->{status} // '' }
sub left   { return redis_cmd('XLEN', 'pki:{demo}:outbox') }
sub calls  { return azure_counters()->{requests}{ $_[0] } // 0 }

# so many certificates, all at once; their serial numbers

sub enrol {
    my ($n) = @_;

    my @messages = map {
        my %o = %{ intune_order() };
        delete $o{device};
        scep_make(%o) } 1 .. $n;
    my @r = scep_send_all('/later', @messages);

    is(scalar(grep { scep_brief($_) eq 'SUCCESS' } @r), $n, "$n issued")
        or diag(map { scep_brief($_) . "\n" } @r);

    return map { $_->{serial} } @r;
}

# how often Intune took which

sub told {
    my %told;
    $told{ lc $_->{certificateSerialNumber} }++
        for @{ azure_intune()->{succeeded} };
    return \%told;
}

sub all_told {
    my ($seconds, @serials) = @_;

    return wait_until(sub {
        my $told = told();
        return !grep { !$told->{$_} } @serials }, $seconds)
        && wait_until(sub { left() == 0 }, 10);
}

# A notice that no enrolment made.

sub post_notice {
    my (%notice) = @_;

    %notice = (serial => 'ab', kind => 'intune', to => 'contoso',
               transaction => 'made-up', csr => "0\0", created => time,
               %notice);

    return redis_cmd('XADD', 'pki:{demo}:outbox', '*', %notice);
}

sub settled {
    scep_ready('/probe');
    azure_reset();
    redis_cmd('DEL', 'pki:{demo}:outbox');
    return;
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $::server) if !defined $block->config;
});

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: many at once: each is told of once
--- perl
settled();
my @serials = enrol(40);
ok(all_told(20, @serials), 'all are told of') or diag(left());
my $told = told();
is_deeply([ grep { $told->{$_} != 1 } @serials ], [], 'each once');
is(scalar(grep { state($_) ne 'good' } @serials), 0,
   'all are good');
intune_obeyed();



=== TEST 2: while Intune is away they wait, and ask less and less often
--- perl
settled();
azure_fault(op => 'success', count => 5, do => 'status', status => 400);
my @serials = enrol(3);
sleep 4;
is(left(), 3, 'all wait');
cmp_ok(calls('success'), '<', 9, 'few questions');
like(error_log(),
     qr/\[warn\] .*intune "contoso" is not told .* again in 1000 ms: .*$serials[0]/,
     'the log says what waits');
like(error_log(), qr/again in 2000 ms/, 'longer each time');
ok(all_told(20, @serials), 'all are told of, when it is back');
intune_obeyed();



=== TEST 3: what Intune does not take is revoked
--- perl
settled();
azure_fault(op => 'success', do => 'body', content_type => 'application/json',
            body => '{"code":"BadDeviceIdInChallenge","errorDescription":""}');
my ($serial) = enrol(1);
ok(wait_until(sub { state($serial) eq 'revoked' }, 10),
   'revoked');
my %record = record($serial);
is($record{reason}, 5, 'cessationOfOperation');
is($record{revoked_by}, 'intune', 'by intune');
ok(wait_until(sub { left() == 0 }, 5), 'nothing is left to tell');
like(error_log(),
     qr/\[error\] .*intune "contoso" does not take .*BadDeviceIdInChallenge.*$serial/,
     'one line says why');



=== TEST 4: over a restart of nginx: what waits
--- perl
settled();
azure_fault(op => 'success', count => 8, do => 'status', status => 400);
our @waiting = enrol(3);
ok(wait_until(sub { calls('success') > 0 }, 10), 'tried');
is(left(), 3, 'all wait');



=== TEST 5: over a restart of nginx: is told
--- perl
scep_ready('/probe');
redis_restart();
ok(all_told(20, @main::waiting), 'after Redis has been restarted, too')
    or diag(left());
intune_obeyed();



=== TEST 6: a worker dies while it tells
--- perl
settled();
azure_latency(success => 1500);
my @serials = enrol(20);
ok(wait_until(sub { (azure_counters()->{concurrent}{success} // 0) > 0 }, 10),
   'on the way');
kill 'KILL', worker_pids();
azure_latency();
redis_cmd('DEL', 'pki:{demo}:lock:outbox');
ok(all_told(30, @serials), 'another one tells') or diag(left());
intune_obeyed();
--- error_log
[alert]
exited on signal 9



=== TEST 7: nginx is reloaded while it tells
--- perl
settled();
azure_latency(success => 1500);
my @serials = enrol(40);
ok(wait_until(sub { (azure_counters()->{concurrent}{success} // 0) > 0 }, 10),
   'on the way');
ok(nginx_reload(20), 'the old workers end');
azure_latency();
ok(all_told(30, @serials), 'the new ones go on') or diag(left());
my $told = told();
is_deeply([ grep { $told->{$_} != 1 } @serials ], [], 'each once');
intune_obeyed();



=== TEST 8: two nodes: each certificate is told of once
--- perl
settled();
my $node = PKI::Nginx->new(
    http => "pki_redis $ENV{TEST_NGINX_REDIS_URL};\n$main::http",
    server => $main::server =~ s/^access_log.*\n//r)->start;
ok(wait_until(sub { (http_get('/probe', port => $node->port))[0] == 200 }),
   'the other node is ready');
azure_latency(success => 100);
my @serials = map { enrol(30) } 1 .. 3;
ok(all_told(30, @serials), 'all are told of') or diag(left());
my $told = told();
is_deeply([ grep { $told->{$_} != 1 } @serials ], [], 'each once');
ok($node->stop, 'ends well');



=== TEST 9: two nodes: one is gone, the other one tells
--- perl
settled();
my $node = PKI::Nginx->new(
    http => "pki_redis $ENV{TEST_NGINX_REDIS_URL};\n$main::http",
    server => $main::server =~ s/^access_log.*\n//r)->start;
ok(wait_until(sub { (http_get('/probe', port => $node->port))[0] == 200 }),
   'the other node is ready');
azure_fault(op => 'success', count => 6, do => 'status', status => 400);
my @serials = enrol(5);
ok(wait_until(sub { calls('success') > 0 }, 10), 'tried');
kill 'STOP', worker_pids();
redis_cmd('DEL', 'pki:{demo}:lock:outbox');
ok(all_told(30, @serials), 'all are told of') or diag(left());
kill 'CONT', worker_pids();
ok($node->stop, 'ends well');



=== TEST 10: Redis is away while they are told
--- perl
settled();
azure_latency(success => 1000);
my @serials = enrol(5);
ok(wait_until(sub { (azure_counters()->{concurrent}{success} // 0) > 0 }, 10),
   'on the way');
redis_kill();
ok(wait_until(sub { calls('success') >= 5
                    && !azure_counters()->{concurrent}{success} }, 10),
   'Intune took them');
redis_start();
azure_latency();
ok(all_told(40, @serials), 'which Redis gets to know') or diag(left());
intune_obeyed();



=== TEST 11: after a week nobody tries any more
--- perl
settled();
my ($serial) = enrol(1);
ok(all_told(20, $serial), 'its own notice');
azure_fault(op => 'success', count => -1, do => 'status', status => 400);
post_notice(serial => $serial, created => time - 7 * 86400 - 60);
ok(wait_until(sub { left() == 0 }, 20), 'it is given up');
like(error_log(),
     qr/\[error\] .*"contoso" is not told .* after a week nobody tries any more: /,
     'one line says so');
is(state($serial), 'good', 'the certificate stays');



=== TEST 12: an identity that nobody uses here waits, and holds up nobody
--- perl
settled();
my ($other) = enrol(1);
post_notice(serial => $other, to => 'fabrikam') for 1 .. 150;
my @serials = enrol(2);
ok(wait_until(sub { my $told = told();
                    !grep { !$told->{$_} } @serials }, 40),
   'those behind them are told of');
cmp_ok(left(), '>=', 150, 'the others wait');
like(error_log(),
     qr/intune "fabrikam" is not told .* again in 600000 ms: no location/,
     'the log says why');



=== TEST 13: no record, no notice
--- perl
settled();
post_notice(serial => 'abcdef');
redis_cmd('XADD', 'pki:{demo}:outbox', '*', 'kind', 'intune');
ok(wait_until(sub { left() == 0 }, 10), 'both are gone');
like(error_log(),
     qr/\[warn\] .*no record of a certificate that intune "contoso" should be told/,
     'one line of the one');
like(error_log(), qr/\[error\] .*malformed notice ".*" is dropped/,
     'one of the other');
is(calls('success'), 0, 'nobody is told');



=== TEST 14: a refusal after a try that was not answered revokes nothing
--- perl
settled();
my $refuses = sub {
    azure_fault(op => 'success', do => 'body', count => 1,
                content_type => 'application/json',
                body => '{"code":"Duplicate","errorDescription":""}') };
azure_fault(op => 'success', count => 1, do => 'status', status => 400);
$refuses->();
my ($later) = enrol(1);
ok(wait_until(sub { left() == 0 }, 15), 'nothing is left to tell');
azure_fault(op => 'success', count => 1, do => 'status', status => 503);
$refuses->();
my ($at_once) = enrol(1);
ok(wait_until(sub { left() == 0 }, 15), 'nor of the other one');
is(state($_), 'good', 'the certificate stays') for $later, $at_once;
like(error_log(),
     qr/\[error\] .*may have when it did not answer, so it is not revoked: .*Duplicate.*$_/,
     'one line says why') for $later, $at_once;
is(scalar @{ redis_cmd('KEYS', 'pki:{demo}:outbox-try:*') }, 0,
   'nothing is kept of a try that is over');



=== TEST 15: a try of a worker that died counts
--- perl
settled();
azure_latency(success => 4000);
my ($serial) = enrol(1);
ok(wait_until(sub { (azure_counters()->{concurrent}{success} // 0) > 0 }, 10),
   'on the way');
kill 'KILL', worker_pids();
azure_reset();
azure_fault(op => 'success', do => 'body', content_type => 'application/json',
            body => '{"code":"Duplicate","errorDescription":""}');
redis_cmd('DEL', 'pki:{demo}:lock:outbox');
ok(wait_until(sub { left() == 0 }, 20), 'the next one is refused');
is(state($serial), 'good', 'the certificate stays');
--- error_log
[alert]
exited on signal 9



=== TEST 16: Redis is away when one is refused: revoked when it is back
--- perl
settled();
azure_latency(success => 1500);
azure_fault(op => 'success', do => 'replace',
            fields => { code => 'BadDeviceIdInChallenge' });
my ($serial) = enrol(1);
ok(wait_until(sub { (azure_counters()->{concurrent}{success} // 0) > 0 }, 10),
   'on the way');
redis_stop();
ok(wait_until(sub { error_log() =~ /does not take .*$serial/ }, 10), 'refused');
sleep 1;
redis_start();
redis_cmd('DEL', 'pki:{demo}:lock:outbox');
ok(wait_until(sub { state($serial) eq 'revoked' }, 20), 'revoked');
is(calls('success'), 1, 'Intune is not asked again');
--- error_log
[error]



=== TEST 17: a record that cannot be read waits longer and longer
--- perl
settled();
azure_fault(op => 'success', count => 1, do => 'status', status => 400);
my ($serial) = enrol(1);
redis_cmd('HSET', "pki:{demo}:cert:$serial", 'not_after', 'x');
my ($other) = enrol(1);
ok(wait_until(sub { told()->{$other} }, 20), 'others are told of');
sleep 8;
my @lines = grep { /malformed/ && /$serial/ } split /\n/, error_log();
cmp_ok(scalar @lines, '>=', 1, 'it is tried');
cmp_ok(scalar @lines, '<=', 5, 'not each second') or diag(@lines);
is(left(), 1, 'it waits');
redis_cmd('HDEL', "pki:{demo}:cert:$serial", 'not_after');



=== TEST 18: an Intune that does not answer holds up no other one
--- http_config eval
PKI::Intune::intune_identity('away', graph_host => 'https://127.0.0.1:1')
--- config
location = /probe { pki_probe; }
location /later { scep demo;
                  scep_challenge intune identity=contoso wait_success=off; }
location /away  { scep demo; scep_challenge intune identity=away
                  wait_success=off revocation=off; }
--- perl
settled();
my ($first) = enrol(1);
ok(all_told(20, $first), 'both are there');
redis_cmd('DEL', 'pki:{demo}:outbox');
post_notice(serial => $first, to => 'away') for 1 .. 130;
my @serials = enrol(3);
my $start = time;
ok(wait_until(sub { my $told = told();
                    !grep { !$told->{$_} } @serials }, 40),
   'the other one is told');
cmp_ok(time - $start, '<', 35, 'soon');
cmp_ok(left(), '>=', 130, 'its own wait');



=== TEST 19: nothing to tell: nothing is written
--- perl
settled();
sleep 2;
my $lock = sub { my ($n) = redis_cmd('INFO', 'commandstats')
                     =~ /cmdstat_set:calls=(\d+)/; $n // 0 };
my $sets = $lock->();
sleep 4;
is($lock->(), $sets, 'no lock is taken');
