# Clocks that are wrong for a while, and nodes whose clocks differ: OCSP is
# judged by the clock as it is, CRLs are built anew, no revocation is left out;
# and a worker that is out of memory goes on.

use lib 't/lib';

our $nginx;

BEGIN { $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx' }

use PKI::Clock;
use PKI;
use PKI::CRL;
use PKI::Client;
use PKI::OCSP;

redis_start();
http_config(authority('demo', key => 'ec:P-256'));

# glibc: what is large is mapped, so that a limit of the address space counts

$ENV{MALLOC_MMAP_THRESHOLD_} = 8192;
$ENV{MALLOC_TOP_PAD_} = 0;

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /crl    { crl demo; }
location /ocsp     { ocsp_responder demo; ocsp_max_requests 100; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

sub setup {
    clock_step(0);
    ocsp_ready() or die 'not ready';
    wait_until(sub { (http_get('/crl'))[0] == 200 }) or die 'no CRL';
}

# Enough for both workers to have their say.

sub ask {
    my ($cert) = @_;
    return ocsp_post_all('/ocsp', map { { cert => $cert } } 1 .. 24);
}

sub all_are {
    my ($status, @answers) = @_;
    return !grep { ($_->{status} // $_->{error}) ne $status } @answers;
}

sub crls { return map { crl_fetch('/crl') } 1 .. 24 }

sub lists {
    my ($crl, @certs) = @_;

    my %has = map { $_->{serial} => 1 } @{ $crl->{entries} };

    return !grep { !$has{serial_octets($_)} } @certs;
}

# The CRL once it has these certificates.

sub crl_with {
    my (@certs) = @_;

    return wait_until(sub {
        my $crl = crl_fetch('/crl');
        lists($crl, @certs) && $crl;
    });
}

# How many CRLs the log tells of.

sub published { return scalar(() = crl_published('demo')) }

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the clock was half an hour ahead: OCSP is as before right away
--- config eval
$::locations
--- perl
setup();
my $good = new_certificate('good');
my $bad = new_certificate('bad');
is(revoke($bad), 200, 'revoked');
ok(all_are('good', ask($good)), 'good');

clock_step(1800);
ok(wait_until(sub { all_are('good', ask($good)) }), 'good while it is ahead');
my ($ahead) = ask($good);
cmp_ok($ahead->{produced_at}{at}, '>', time + 1700, 'and it is ahead');

# at once, and after the follower has told the time again

clock_step(0);
my @answers = ask($good);
sleep 2;
push @answers, ask($good);
ok(all_are('good', @answers), 'good');
ok(!(grep { ($_->{produced_at}{at} // 0) > time + 60 } @answers),
   'producedAt is right again');
ok(!(grep { $_->{this_update}{at} > $_->{produced_at}{at}
            || $_->{next_update}{at} <= time } grep { $_->{status} } @answers),
   'so are the others');
ok(all_are('revoked', ask($bad)), 'revoked');



=== TEST 2: the clock is set back by seconds: producedAt is not
--- config eval
$::locations
--- perl
setup();
my $cert = new_certificate('seconds');
my $before = time;
ok(all_are('good', ask($cert)), 'good');
clock_step(-3);
my @answers = ask($cert);
ok(all_are('good', @answers), 'good');
ok(!(grep { $_->{produced_at}{at} < $before } @answers), 'not older');
ok(!(grep { $_->{this_update}{at} > time - 2 } @answers),
   'thisUpdate is what the clock says');
clock_step(0);



=== TEST 3: a CRL from a clock that was ahead is replaced
--- config eval
$::locations
--- perl
setup();
my $cert = new_certificate('ahead');
clock_step(1800);
is(revoke($cert), 200, 'revoked while the clock is ahead');
my $ahead = crl_with($cert) or die 'no CRL with it';
cmp_ok($ahead->{this_update}{at}, '>', time + 1700, 'thisUpdate is ahead');

clock_step(0);
my $crl = wait_until(sub {
    my $new = crl_fetch('/crl');
    $new->{this_update}{at} <= time + 1 && $new;
});
ok($crl, 'thisUpdate is right again') or return;
ok(lists($crl, $cert), 'still revoked');
cmp_ok($crl->{number}, '>', $ahead->{number}, 'its number is higher');

sleep 3;
is(crl_fetch('/crl')->{number}, $crl->{number}, 'that was all');



=== TEST 4: Redis forgets a CRL from a clock that was ahead
--- config eval
$::locations
--- perl
setup();
my @cert = map { new_certificate("forgotten$_") } 1, 2;
clock_step(1800);
is(revoke($cert[0]), 200, 'revoked while the clock is ahead');
my $ahead = crl_with($cert[0]) or die 'no CRL with it';
crls();

clock_step(0);
redis_cmd('DEL', 'pki:{demo}:crl:0');
is(revoke($cert[1]), 200, 'another is revoked');
my $crl = crl_with(@cert);
ok($crl, 'the CRL has it') or return;
cmp_ok($crl->{number}, '>', $ahead->{number}, 'its number is higher');
ok(!(grep { !lists($_, @cert) } crls()), 'from every worker');



=== TEST 5: another node's CRL lacks a revocation, its clock says otherwise
--- config eval
$::locations
--- perl
setup();
my $cert = new_certificate('lacking');
my $lock = 'pki:{demo}:lock:crl';
my $hash = 'pki:{demo}:crl:0';

# the other node has read what is revoked, and publishes when this one has
# noticed the revocation

wait_until(sub {
    redis_cmd('SET', $lock, 'another', 'NX', 'PX', 30000);
}) or die 'no lock';
is(revoke($cert), 200, 'revoked');
sleep 3;
my $at = time - 1;
redis_cmd('HSET', $hash, number => $at . '500', this_update => $at,
          next_update => $at + 86400);
redis_cmd('DEL', $lock);

ok(crl_with($cert), 'the CRL has it all the same');



=== TEST 6: two nodes, one revocation, one CRL
--- config eval
$::locations
--- perl
setup();
clock_step(2);
my $node = do { local $ENV{TEST_NGINX_BINARY} = $::nginx; node_start() };
ok(wait_until(sub { (http_get('/crl', port => $node->port))[0] == 200 }),
   'another node, 2 seconds behind');

# long enough for either to build one that it should not

sleep 3;

for (1 .. 2) {
    my $cert = new_certificate("both$_");
    my $published = published();
    is(revoke($cert), 200, 'revoked');
    ok(crl_with($cert), 'in the CRL');
    sleep 3;
    is(published() - $published, 1, 'built once');

    my (undef, undef, $der) = http_get('/crl', port => $node->port);
    ok(lists(crl_parse($der), $cert), 'there, too');
}

ok($node->stop, 'it ends well');
clock_step(0);



=== TEST 7: thisUpdate does not precede the revocation
--- config eval
$::locations
--- perl
setup();
my @cert = map { new_certificate("now$_") } 1 .. 4;
my @reason = qw( superseded superseded certificateHold certificateHold );

# The worker that follows the log is silent, the other one does not know yet
# that it is to take over.

for my $worker (worker_pids(), worker_pids()) {
    my $cert = shift @cert;
    my $serial = serial_of($cert);
    my ($request) = ocsp_make({ cert => $cert });
    my $reason = shift @reason;

    sleep 3;
    kill 'STOP', $worker;
    select undef, undef, undef, 1.5;

    my ($status) = api('POST', "/m/api/certificates/$serial/revoke",
                       { reason => $reason });
    my $r = ocsp_post('/ocsp', $request);
    kill 'CONT', $worker;

    is($status, 200, "$reason");
    is($r->{status}, 'revoked', 'at once');
    cmp_ok($r->{this_update}{at}, '>=', $r->{revoked_at}{at}, 'since then');
    cmp_ok($r->{next_update}{at}, '>', $r->{this_update}{at}, 'and on');
}



=== TEST 8: Q28 T16: no memory for requests of many certificates
--- config eval
$::locations . <<'END'
location /status   { ocsp_responder demo; ocsp_max_requests 100;
                     ocsp_error_status on; }
END
--- perl
setup();
my $id = { cert => new_certificate('memory') };
my @ders = ocsp_make(map { { ids => [ ($id) x (5 * $_) ] },
                           { ids => [ ($id) x (5 * $_) ], hash => 'sha384' } }
                     1 .. 20);
my @workers = worker_pids();

is(ocsp_post('/ocsp', $ders[-1])->{error}, 'successful', 'a hundred');

for my $worker (@workers) {
    my ($vm) = slurp("/proc/$worker/status") =~ /^VmSize:\s+(\d+) kB/m;
    my ($code) = command('prlimit', '--pid', $worker, '--as=' . 1024 * $vm . ':');
    is($code, 0, 'no more memory');
}

for my $uri (qw( /ocsp /status )) {
    my %answers;
    push @{ $answers{ $_->{error} } }, $_
        for map { ocsp_post($uri, $_) } @ders;

    # it may lack memory for the connection, too: then there is no answer

    my $said = delete $answers{internal_error} || [];
    my $successful = delete $answers{successful} || [];
    delete $answers{garbage};

    ok($said->[0], 'so it says, ' . @$said . ' times') or next;
    is(join(' ', keys %answers), '', 'and nothing else');
    is(scalar(grep { !$_->{verified} } @$successful), 0,
       'what is answered all the same is right');

    my ($r) = @$said;
    is($r->{http}, $uri eq '/status' ? 500 : 200, "$uri: its status");
    is($r->{body}, "\x30\x03\x0a\x01\x02", 'the five octets');
    is($r->{headers}{'cache-control'}, 'no-store, max-age=0',
       'not to be kept');
}

command('prlimit', '--pid', $_, '--as=unlimited:') for @workers;
is(ocsp_post('/ocsp', $ders[-1])->{error}, 'successful', 'a hundred again');
is_deeply([ worker_pids() ], \@workers, 'by the same workers');
--- error_log
[emerg]
Cannot allocate memory
--- skip_eval: 4: $ENV{UBSAN_OPTIONS}
