# Redis comes back older than it was; the machine's clock is set, or it has
# slept: nothing revoked becomes good, nothing stale becomes fresh.

use lib 't/lib';
use PKI::Clock;
use PKI;
use PKI::Client;

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'));

our $key = new_key('ec:P-256');
our $ca = work_file('demo.pem');

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
location /short    { ocsp_responder demo; ocsp_validity good=2s; }
location = /crl    { crl demo; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

sub ready { wait_until(sub { (http_get('/probe'))[0] == 200 }, 15) }

sub new_certificate {
    my ($status, undef, $cert) =
        enroll('/enroll', new_csr(key => $key, subject => "/CN=$_[0]"));
    return $status == 201 ? $cert : undef;
}

sub revoke {
    my ($cert, $reason) = @_;

    my ($status, $json) = api('POST', '/m/api/certificates/'
                              . serial_of($cert) . '/revoke',
                              { reason => $reason });
    return $json;
}

sub ocsp {
    my ($cert, $uri) = @_;

    # the client's clock is not set

    my %ocsp = ocsp_ask(url => $uri || '/ocsp', ca => $ca, cert => $cert,
                        args => [ '-validity_period', 86400 ]);
    return $ocsp{text} =~ /trylater/i ? 'trylater' : $ocsp{status};
}

sub nap { select undef, undef, undef, $_[0] }

# Whether the CRL, if there is one, lists them all.

sub listed {
    my %crl = eval { crl_serials('/crl', $ca) } or return $@ =~ /: 503 /;

    return !grep { !exists $crl{serial_of($_)} } @_;
}

# Whether every worker's CRL does: each has one of its own.

sub in_crl {
    my (@certs) = @_;

    wait_until(sub { listed(@certs) }) or return;
    nap(1.5);

    return !grep { !listed(@certs) } 1 .. 6;
}

# Watches the CRL until its number has risen; then the number of times that
# one of the certificates was missing, and how it ended.

sub watch {
    my ($number, @certs) = @_;

    my $missing = 0;

    my $new = wait_until(sub {
        $missing++ if !listed(@certs);
        return (crl_number() // $number) gt $number;
    }, 40);

    $missing++ if !listed(@certs);
    return ($new, $missing);
}

sub crl_number {
    my ($status, undef, $der) = http_get('/crl');
    return if $status != 200;

    my ($number) = openssl('crl', '-inform', 'DER', '-noout', '-crlnumber',
                           { in => $der }) =~ /=(\S+)/;
    return $number;
}

# The files of Redis: kept, and brought back while it is down.

sub keep {
    my $dir = redis()->dir;

    redis_stop();
    command('rm', '-rf', work_file('kept'));
    command('cp', '-a', $dir, work_file('kept'));
    redis_start();
    return ready();
}

sub bring_back {
    my ($from) = @_;

    my $dir = redis()->dir;

    redis_stop();
    command('rm', '-rf', "$dir/appendonlydir", "$dir/appendonly.aof");
    command('cp', '-a', glob(($from || work_file('kept')) . '/append*'),
            $dir);
    redis_start();
    return;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: an old state is restored: what it does not know stays revoked
--- config eval
$::locations
--- perl
ready();
my $good = new_certificate('good');
my $held = new_certificate('held');
my @lost = map { new_certificate("lost$_") } 1 .. 40;

ok(keep(), 'a copy is made');

my $gone = new_certificate('gone');
my $vanished = new_certificate('vanished');

my $before = revoke($lost[0], 'keyCompromise');
revoke($_, 'superseded') for @lost[1 .. 39], $gone;
revoke($held, 'certificateHold');
my @revoked = (@lost, $gone, $held);

ok(in_crl(@revoked), 'all in the CRL');
is(ocsp($vanished), 'good', 'the other one is good');

my $number = crl_number();
bring_back();

my ($new, $missing) = watch($number, @revoked);
ok($new, 'there is a new CRL');
is($missing, 0, 'none was ever missing in it');
ok(ready(), 'ready');

is(join(' ', sort map { ocsp($_) } @lost[0, 1, 39], $gone, $held),
   join(' ', ('revoked') x 5), 'OCSP: revoked');
is(ocsp($good), 'good', 'good');
is(ocsp($vanished), 'unknown', 'unknown: its record is gone');

my (undef, $after) = api('GET', '/m/api/certificates/'
                         . serial_of($lost[0]));
is($after->{status}, 'revoked', 'the record is revoked again');
is($after->{reason}, 'keyCompromise', 'for the same reason');
is($after->{revoked_at}, $before->{revoked_at}, 'at the same time');
is($after->{revoked_by}, 'restored', 'by us');

(undef, $after) = api('GET', '/m/api/certificates/' . serial_of($held));
is($after->{status}, 'hold', 'a hold is still a hold');
my ($status) = api('POST', '/m/api/certificates/' . serial_of($held)
                   . '/release', {});
is($status, 200, 'it can be released');
ok(wait_until(sub { ocsp($held) eq 'good' }), 'and is good then');

my @errors = grep { /redis has lost changes/ } split /\n/, error_log();
is(scalar @errors, 1, 'one line for it');
--- error_log
redis has lost changes of authority "demo"
41 revocations that redis had lost are restored
redis has no record of 1 revoked certificates



=== TEST 2: a replica that lagged has counted on: its number is higher
--- config eval
$::locations
--- perl
ready();
my $lost = new_certificate('replica');

ok(keep(), 'the replica has so much');

my $other = PKI::Redis->new(appendonly => 1);
$other->stop;
command('rm', '-rf', $other->dir . '/appendonlydir');
command('cp', '-a', glob(work_file('kept') . '/append*'), $other->dir);
$other->start;
my $n = $other->command('HINCRBY', 'pki:{demo}:ca', 'seq', 50);
$other->command('XADD', 'pki:{demo}:log', '*', 'n', $n, 't', 'other');
$other->stop;

revoke($lost, 'keyCompromise');
ok(in_crl($lost), 'in the CRL');

my $number = crl_number();
bring_back($other->dir);

my ($new, $missing) = watch($number, $lost);
ok($new, 'there is a new CRL');
is($missing, 0, 'it was never missing in it');
is(ocsp($lost), 'revoked', 'OCSP: revoked');
--- error_log
gap in the change log
1 revocations that redis had lost are restored



=== TEST 3: the workers change while it is restored
--- config eval
$::locations
--- perl
ready();
my $lost = new_certificate('reload');
keep();
revoke($lost, 'keyCompromise');
ok(in_crl($lost), 'in the CRL');

my $number = crl_number();
bring_back();
ok(wait_until(sub { error_log() =~ /redis has lost changes/ }), 'seen');
ok(nginx_reload(15), 'the old workers are gone');
my ($new, $missing) = watch($number, $lost);
ok($new, 'there is a new CRL');
is($missing, 0, 'it was never missing in it');
--- error_log
redis has lost changes of authority "demo"



=== TEST 4: a hold released behind a gap of the log is not restored
--- config eval
$::locations
--- perl
ready();
my $cert = new_certificate('released');
my $serial = serial_of($cert);
revoke($cert, 'certificateHold');
is(ocsp($cert), 'revoked', 'held');

redis_cmd('EVAL', <<'END', 4, map({ "pki:{demo}:$_" } 'ca', "cert:$serial",
local n = redis.call('HINCRBY', KEYS[1], 'seq', 2)
redis.call('HDEL', KEYS[2], 'revoked_at', 'reason', 'revoked_by')
redis.call('HSET', KEYS[2], 'status', 'good', 'version', n - 1)
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('XTRIM', KEYS[4], 'MAXLEN', 0)
redis.call('XADD', KEYS[4], '*', 'n', n, 't', 'other')
END
          'revoked:0', 'log'), $serial);

ok(wait_until(sub { ocsp($cert) eq 'good' }), 'good');
nap(4);
is(ocsp($cert), 'good', 'for good');
my (undef, $record) = api('GET', "/m/api/certificates/$serial");
is($record->{status}, 'good', 'so says the record');
--- error_log
gap in the change log



=== TEST 5: the clock is set back: what is stale stays stale
--- config eval
$::locations
--- perl
ready();
my $cert = new_certificate('stepped');
is(ocsp($cert, '/short'), 'good', 'good');
redis_stop();
nap(12);
like((http_get('/probe'))[2], qr/statuses are 1\d s old/, 'old by the probe');
clock_step(-11);
nap(0.3);
my %seen = map { ocsp($cert, '/short') => 1 } 1 .. 8;
is(join(' ', keys %seen), 'trylater', 'and old when the clock goes back');
like((http_get('/probe'))[2], qr/statuses are 1\d s old/,
     'by the probe, too');
redis_start();
ok(ready(), 'again');
ok(wait_until(sub { ocsp($cert, '/short') eq 'good' }), 'good again');
clock_step(0);
--- error_log
redis



=== TEST 6: the machine slept: an answer that lay in a buffer is an old one
--- config eval
$::locations
--- perl
ready();
my $cert = new_certificate('slept');
is(ocsp($cert), 'good', 'good');

# what waits is told "nothing new", and nothing else is answered any more

redis_cmd('CLIENT', 'PAUSE', 2500);
clock_step(3600);
nap(1.3);
my %seen = map { ocsp($cert) => 1 } 1 .. 4;
is(join(' ', keys %seen), 'trylater', 'an hour old');

ok(wait_until(sub { ocsp($cert) eq 'good' }), 'good once Redis was asked');
clock_step(0);
