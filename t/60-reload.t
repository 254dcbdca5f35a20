# Reload, quit, a killed worker, vanished clients: nothing is lost, nobody
# notices.

use lib 't/lib';
use PKI;
use PKI::Client;

redis_start(appendonly => 1);
http_config(authority('demo'));

our $key = new_key();

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
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

# Starts to send a request on a connection of its own, without reading.

sub send_request {
    my ($uri, $body) = @_;

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client());
    $s->autoflush(1);
    print $s "POST $uri HTTP/1.1\r\nHost: localhost\r\n"
             . "Connection: close\r\nContent-Length: " . length($body)
             . "\r\n\r\n$body";
    return $s;
}

sub answer {
    my ($s) = @_;
    return PKI::parse_response(PKI::read_all($s, 15));
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a reload: statuses, the responder, the CRL go on
--- config eval
$::locations
--- perl
ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $good = new_certificate('good');
my $bad = new_certificate('bad');
api('POST', '/m/api/certificates/' . serial_of($bad) . '/revoke', {});

for my $n (1 .. 3) {
    ok(nginx_reload(15), "reload $n: the old workers are gone");
    is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $good)}->{status}, 'good',
       'good at once');
    is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $bad)}->{status},
       'revoked', 'revoked at once');
    ok(new_certificate("after$n"), 'issues at once');
}

ok(wait_until(sub {
    my %crl = eval { crl_serials('/crl', $ca) };
    exists $crl{serial_of($bad)};
}), 'the CRL has it');
--- no_error_log
open socket



=== TEST 2: a reload with enrolments in flight: Redis is slow, all succeed
--- config eval
$::locations
--- perl
ready();
my @csr = map { slurp(new_csr(key => $::key, subject => "/CN=flight$_")) }
          1 .. 20;
redis_pause();
my @sockets = map { send_request('/enroll', $_) } @csr;
select undef, undef, undef, 0.3;
nginx_signal('HUP');
select undef, undef, undef, 0.7;
redis_resume();
my @status = map { (answer($_))[0] } @sockets;
is("@status", join(' ', (201) x 20), 'all 201');
my $old = wait_until(sub { error_log() =~ /exited with code 0/ }, 15);
ok($old, 'old workers end');
--- no_error_log
open socket
aborting



=== TEST 3: a quit with enrolments in flight
--- config eval
$::locations
--- perl
ready();
my @csr = map { slurp(new_csr(key => $::key, subject => "/CN=quit$_")) }
          1 .. 10;
redis_pause();
my @sockets = map { send_request('/enroll', $_) } @csr;
select undef, undef, undef, 0.3;
nginx_signal('QUIT');
select undef, undef, undef, 0.5;
redis_resume();
my @status = map { (answer($_))[0] } @sockets;
is("@status", join(' ', (201) x 10), 'all 201');
--- no_error_log
open socket
aborting



=== TEST 4: clients vanish: their certificates are recorded, a retry gets them
--- config eval
$::locations
--- perl
ready();
my @csr = map { slurp(new_csr(key => $::key, subject => "/CN=gone$_")) }
          1 .. 5;
redis_pause();
close $_ for map { send_request('/enroll', $_) } @csr;
select undef, undef, undef, 0.5;
redis_resume();

my ($list, %found);

wait_until(sub {
    (undef, $list) = api('GET', '/m/api/certificates?q=CN=gone');
    %found = map { $_->{subject} => $_->{serial} }
             @{ $list->{certificates} };
    keys %found == 5;
});
is(scalar keys %found, 5, 'all recorded');

for my $n (1 .. 5) {
    my ($status, undef, $body) = http_post('/enroll', $csr[$n - 1]);
    is($status, 201, 'retried');
    is(serial_of(work_file('retry.pem', $body)), $found{"CN=gone$n"},
       'the same certificate');
}



=== TEST 5: a worker is killed: the other goes on, a new one follows the log
--- config eval
$::locations
--- perl
ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $cert = new_certificate('survivor');

for (1 .. 2) {
    my ($pid) = worker_pids();
    kill 'KILL', $pid;
    ok(wait_until(sub { my @now = worker_pids();
                        @now == 2 && !grep { $_ == $pid } @now }),
       'a new worker');
    ok(ready(), 'ready');
}

api('POST', '/m/api/certificates/' . serial_of($cert) . '/revoke', {});

my %seen;
for (1 .. 20) {
    my %ocsp = ocsp_ask(url => '/ocsp', ca => $ca, cert => $cert);
    $seen{$ocsp{status}}++;
}
is(join(' ', keys %seen), 'revoked', 'every worker knows');
unlike(error_log(), qr/\[alert\](?!.* exited on signal 9)/, 'no other alert');
--- error_log
[alert]
exited on signal 9



=== TEST 6: 20 reloads leave neither memory nor sockets behind
--- config eval
$::locations
--- perl
ready();
nginx_reload(15) for 1 .. 3;
my $before = files();
nginx_reload(15) for 1 .. 20;
my $after = files();
is($after, $before, 'as many open files in the master as before');
ok(ready(), 'ready');

sub files { my @fd = glob('/proc/' . nginx_pid() . '/fd/*'); scalar @fd }
--- timeout: 60
