# What the zone knows without being asked: all statuses are read when nginx
# starts and when its log had a gap, whatever happens meanwhile; and what
# serial numbers that nobody has issued cost Redis.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Load;
use PKI::OCSP;

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'));

# two workers, each with a budget of 1000 and of 1000 a second

our $WORKERS = 2;
our $BUDGET = 1000;

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

our $READ = qr/\d+ statuses of \d+ certificates were read/;

sub setup {
    redis_resume();
    ocsp_ready() or die 'not ready';
}

# Certificates of which Redis has the records only; their serial numbers.

our $seed = 0;

sub load_statuses {
    my ($count, @option) = @_;

    my $port = redis()->port;

    $seed++;
    tool('--port', $port, '--seed', $seed, '--count', $count, @option);

    return split ' ', tool('--seed', $seed, '--list', 0, $count);
}

sub tool {
    my ($code, $out, $err) =
        command('/usr/bin/python3', 't/tools/load_statuses.py', @_);
    die $err if $code;

    return $out;
}

# Each 10th is revoked if the option was --revoked 0.1.

sub each_10th { return @_[ grep { $_ % 10 == 9 } 0 .. $#_ ] }
sub others    { return @_[ grep { $_ % 10 != 9 } 0 .. $#_ ] }

# How many times all has been read, by a log.

sub times_read { return scalar(() = $_[0] =~ /$READ/g) }

sub is_read {
    my ($node, $times) = @_;
    return wait_until(sub { times_read($node->log) >= ($times || 1) }, 60);
}

# The statuses that a node gives, or its errors, each with how many.

sub tally {
    my ($node, @serials) = @_;

    my @requests = ocsp_make(map { { serial => $_ } } @serials);
    my $headers = { 'Content-Type' => 'application/ocsp-request' };

    my @answers = load(
        port => ref $node ? $node->port : $node, connections => 16,
        requests => [ map { [ '/ocsp', $_, $headers ] } @requests ]);

    my %tally;

    for (ocsp_parse(map { [ @$_{qw( status headers body )} ] } @answers)) {
        $tally{ $_->{error} eq 'successful' ? $_->{status} : $_->{error} }++;
    }

    return join ' ', map { "$_:$tally{$_}" } sort keys %tally;
}

# Sends all requests of each connection at once; bodies in their order.

sub flood {
    my (@pipes) = @_;

    my @headers = map { {
        'Content-Type' => 'application/ocsp-request', Connection => $_,
    } } qw( keep-alive close );
    my (%out, %in, @sockets);

    for my $pipe (@pipes) {
        my $s = IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', PeerPort => server_port_for_client(),
            Blocking => 0) or die "connect: $!";

        binmode $s;
        $out{$s} = join '', map { PKI::Load::octets(
            [ '/ocsp', $pipe->[$_], $headers[ $_ == $#$pipe ] ]) } 0 .. $#$pipe;
        $in{$s} = '';
        push @sockets, $s;
    }

    local $SIG{PIPE} = 'IGNORE';
    my $left = IO::Select->new(@sockets);

    while ($left->count) {
        my $write = IO::Select->new(grep { length $out{$_} } $left->handles);
        my ($r, $w) = IO::Select->select($left, $write, undef, 10) or last;

        for my $s (@$w) {
            my $n = syswrite $s, $out{$s}, 65536;
            substr $out{$s}, 0, $n, '' if $n;
        }

        for my $s (@$r) {
            my $n = sysread $s, $in{$s}, 262144, length $in{$s};
            $left->remove($s) if defined $n && $n == 0;
        }
    }

    return map { [ bodies($in{$_}) ] } @sockets;
}

sub bodies {
    my ($octets) = @_;
    my @bodies;

    while ($octets =~ /\GHTTP\/1\.1 .*?^content-length:\s*(\d+).*?\r\n\r\n/gimsc) {
        push @bodies, substr $octets, pos $octets, $1;
        pos($octets) += $1;
    }

    return @bodies;
}

# How many statuses the zone has, and has given up.

sub zone_has {
    my ($has, $lost) = (http_get('/probe'))[2]
                       =~ /^zone: ok, (\d+) of \d+ statuses, (\d+) given up/m;
    return "$has $lost";
}

sub hmgets {
    my ($calls) = redis_cmd('INFO', 'commandstats')
                  =~ /^cmdstat_hmget:calls=(\d+)/m;
    return $calls // 0;
}

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: after a start statuses are known that nobody asked for
--- config eval
$::locations
--- perl
setup();
my @certs = map { new_certificate("one$_") } 1 .. 3;
is(revoke($certs[2], 'keyCompromise'), 200, 'one is revoked');
my @serials = load_statuses(3000, '--revoked', 0.1, '--der', 800);

my $node = node_start();
ok(is_read($node), 'the other node reads them');
like($node->log, qr/authority "demo": $::READ in \d+ ms/, 'and says so');
my $read = time;
redis_pause();

my %at = (port => $node->port);
for my $i (0 .. 2) {
    my $r = ocsp_post('/ocsp', { cert => $certs[$i] }, %at);
    is($r->{status}, $i < 2 ? 'good' : 'revoked', "certificate $i");
    cmp_ok($r->{this_update}{at}, '>=', $read - 3, 'as fresh as that');
}

is(tally($node, (others(@serials))[0 .. 199]), 'good:200', 'good ones');
is(tally($node, (each_10th(@serials))[0 .. 199]), 'revoked:200', 'revoked ones');

my $r = ocsp_post('/ocsp', { serial => '01' }, %at);
is($r->{error}, 'try_later', 'of the rest nobody knows');

redis_resume();
redis_stop();
is(tally($node, @serials[10 .. 19]), 'good:9 revoked:1', 'without Redis');

redis_start();
ok($node->stop, 'it ends well');
--- error_log
redis
--- timeout: 60



=== TEST 2: a reload does not read them again, a gap in the log does
--- config eval
$::locations
--- perl
setup();
my $node = node_start();
ok(is_read($node), 'read');
ok($node->reload, 'reloaded');
sleep 1;
is(times_read($node->log), 1, 'read once');

my @serials = load_statuses(500, '--revoked', 0.1);
ok(is_read($node, 2), 'read again');
like($node->log, qr/gap in the change log/, 'after the gap');

redis_pause();
is(tally($node, @serials[0 .. 99]), 'good:90 revoked:10', 'known');
redis_resume();
ok($node->stop, 'it ends well');
--- error_log
gap in the change log
--- timeout: 60



=== TEST 3: changes while they are being read
--- config eval
$::locations
--- perl
setup();
my @serials = load_statuses(30000, '--revoked', 0.1);
my @good = others(@serials);
my @bad = each_10th(@serials);

# some at each place, for it is not known how far the node has got

my @change = map { $good[ $_ * 60 ] } 0 .. 399;
my @kinds = qw( keyCompromise certificateHold released superseded );
my (%left, @now);

my $node = node_start();

while (@change && times_read($node->log) == 0) {
    my $serial = shift @change;
    my $kind = $kinds[ @now % 4 ];
    my $reason = $kind eq 'released' ? 'certificateHold' : $kind;

    my ($status) = api('POST', "/m/api/certificates/$serial/revoke",
                       { reason => $reason });
    ($status) = api('POST', "/m/api/certificates/$serial/release", {})
        if $status == 200 && $kind eq 'released';
    die "status $status" if $status != 200;

    push @now, $serial;
}

cmp_ok(scalar @now, '>', 5, scalar(@now) . ' changes');
ok(is_read($node), 'read');
sleep 2;
redis_pause();

my @released = @now[ grep { $_ % 4 == 2 } 0 .. $#now ];
my %released = map { $_ => 1 } @released;
my @revoked = grep { !$released{$_} } @now;

is(tally($node, @released), 'good:' . @released, 'released: good');
is(tally($node, @revoked), 'revoked:' . @revoked, 'revoked: never again good');
is(tally($node, @bad[0 .. 499]), 'revoked:500', 'as those before');

my %changed = map { $_ => 1 } @now;
my @rest = grep { !$changed{$_} } @good;
is(tally($node, @rest[-500 .. -1]), 'good:500', 'the others are good');

redis_resume();
ok($node->stop, 'it ends well');
--- timeout: 120



=== TEST 4: whoever reads is killed: another worker begins anew
--- config eval
$::locations
--- perl
setup();
my @serials = load_statuses(20000, '--revoked', 0.1);
my $node = node_start();

# whichever it is; the one that takes over lives

my ($victim) = $node->workers;
kill 'KILL', $victim;

ok(is_read($node), 'read');
redis_pause();
is(tally($node, @serials[0 .. 99]), 'good:90 revoked:10', 'the newest');
is(tally($node, @serials[-100 .. -1]), 'good:90 revoked:10', 'the oldest');
redis_resume();
ok($node->stop, 'it ends well');
--- timeout: 60



=== TEST 5: a zone that is too small: what is revoked is known, and the newest
--- http_config
pki_zone zone=small:1m;
--- config eval
$::locations
--- perl
setup();
my $node = node_start();
ok(is_read($node), 'read');

my ($max, $count, $would) = $node->log =~ m{
    zone[ ]"small"[ ]is[ ]too[ ]small:[ ]it[ ]has[ ]room[ ]for[ ]the[ ]statuses
    [ ]of[ ](\d+)[ ]certificates,[ ]there[ ]are[ ](\d+);[ ]a[ ]size[ ]of[ ](\d+)m
}x;
ok($would, 'it says so');
cmp_ok($would, '>=', $count / $max, 'and how large it should be');
cmp_ok($would, '<=', 2 + 1.2 * $count / $max, 'but no larger');
is(scalar(() = $node->log =~ /is too small/g), 1, 'once');

# of the block before

my @serials = split ' ', tool('--seed', $::seed, '--list', 0, 20000);
redis_pause();
is(tally($node, (each_10th(@serials))[-100 .. -1]), 'revoked:100',
   'the oldest revoked ones');
redis_resume();

is(tally($node, (others(@serials))[-100 .. -1]), 'good:100',
   'what is not known is asked for');
ok($node->stop, 'it ends well');
--- timeout: 60
--- error_log
is too small



=== TEST 6: records that contradict themselves are left out, and counted
--- config eval
$::locations
--- perl
setup();
my @serials = load_statuses(300);
redis_cmd('HSET', "pki:{demo}:cert:$serials[7]", status => 'fine');
redis_cmd('HDEL', "pki:{demo}:cert:$serials[8]", 'not_after');
redis_cmd('DEL', "pki:{demo}:cert:$serials[9]");

# nor are a record that is none, and a serial number that is none, in the way

redis_cmd('DEL', "pki:{demo}:cert:$serials[10]");
redis_cmd('SET', "pki:{demo}:cert:$serials[10]", 'text');
redis_cmd('ZADD', 'pki:{demo}:issued', time + 9, 'not a serial number');

my $node = node_start();
ok(is_read($node), 'read');
like($node->log, qr/"demo": 4 records in redis are malformed/, 'four are bad');
redis_pause();
is(tally($node, @serials[0 .. 99]), 'good:96 try_later:4', 'the others count');
redis_resume();

redis_cmd('DEL', "pki:{demo}:cert:$serials[10]");
redis_cmd('ZREM', 'pki:{demo}:issued', 'not a serial number');

redis_cmd('HSET', "pki:{demo}:cert:$serials[7]", status => 'good');
redis_cmd('HSET', "pki:{demo}:cert:$serials[8]", not_after => time + 99);
ok($node->stop, 'it ends well');
--- timeout: 60



=== TEST 7: Redis goes while they are being read, and comes back
--- config eval
$::locations
--- perl
setup();
my @serials = load_statuses(30000);
my $node = node_start();
redis_stop();
sleep 1;
redis_start();
ok(is_read($node), 'read');
sleep 1;
redis_pause();
is(tally($node, @serials[0 .. 49], @serials[-50 .. -1]), 'good:100', 'all');
redis_resume();
ok($node->stop, 'it ends well');
--- timeout: 60
--- error_log
redis



=== TEST 8: serial numbers that nobody has issued
--- config eval
$::locations
--- perl
setup();
ok(wait_until(sub { error_log() =~ $::READ }), 'all is read');
my @serials = (load_statuses(1000))[0 .. 99];
ok(wait_until(sub { times_read(error_log()) == 2 }), 'and again');

# few: each is looked up

my $has = zone_has();
my $asked = hmgets();
is(tally(server_port_for_client(), map { sprintf '5b%030x', $_ } 1 .. 200),
   'unknown:200', '200 are unknown');
is(hmgets() - $asked, 200, 'says Redis');
sleep 1;

# many, on each connection all at once, and some that are known among them

my @random = ocsp_make(map { { serial => sprintf '5c%030x', $_ } } 1 .. 24000);
my @known = ocsp_make(map { { serial => $_ } } @serials);
my @pipes;

while (@random) {
    push @pipes, [ splice(@random, 0, 300), $known[ @pipes % 100 ],
                   splice(@random, 0, 300), $known[ (@pipes + 40) % 100 ] ];
}

$asked = hmgets();

my $start = Time::HiRes::time();
my $flood = beside(sub { [ flood(@pipes) ] });
my $r = ocsp_post('/ocsp', { cert => new_certificate('new') });
is($r->{status}, 'good', 'issued meanwhile: good at once');

my @answers = @{ $flood->() };
my $took = Time::HiRes::time() - $start;
$asked = hmgets() - $asked;

my (%is, @of_known);

for (@answers) {
    my @bodies = @$_;
    push @of_known, map { [ 200, {}, $_ ] } @bodies[300, 601];
    $is{ $_ eq $PKI::OCSP::TRY_LATER ? 'later' : 'told' }++
        for @bodies[0 .. 299, 301 .. 600];
}

my $bound = $::WORKERS * $::BUDGET * (1 + $took);
diag(sprintf '%.1f s, %d looked up, %d told, %d later', $took, $asked,
     @is{qw( told later )});

is($is{told} + ($is{later} // 0), 24000, 'all are answered');
cmp_ok($is{later}, '>', 0, 'some later') if $bound < 24000;
cmp_ok($asked, '>=', $::BUDGET, 'Redis is asked');
cmp_ok($asked, '<=', $bound, 'no more than may be');
is(scalar(grep { $_->{status} eq 'good' } ocsp_parse(@of_known)), 80,
   'those that are known are good');

my $said = () = error_log() =~ /too many unknown serial numbers/g;
cmp_ok($said, '<=', $::WORKERS * ($took + 2), 'a line a second');
cmp_ok($said, '>', 0, 'at least') if $is{later};

# but for the new one

is(zone_has(), $has =~ s/(\d+)/$1 + 1/er, 'the zone is as it was');

# what has been spent comes back

sleep 1;
is(tally(server_port_for_client(), map { sprintf '5d%030x', $_ } 1 .. 200),
   'unknown:200', 'as before');
--- timeout: 120
