# Redis away at the start, away later, restarted, emptied, refusing; what the
# clients of each interface are told, and that all recovers by itself.

use lib 't/lib';
use PKI;
use PKI::Client;

# down when the first block starts nginx

redis_start(appendonly => 1);
redis_stop();

work_file('challenge', "open sesame\n");

http_config(authority('demo'));

our $key = new_key();
our $csr = new_csr(key => $key, subject => '/CN=one', san => 'DNS:one');

our $locations = <<'END';
location = /probe       { pki_probe; }
location = /enroll      { enroll demo; enroll_auth none insecure; }
location = /ca          { pki_certificate demo; }
location /scep          { scep demo;
                          scep_challenge static $TEST_NGINX_WORK/challenge; }
location /ocsp          { ocsp_responder demo; }
location /short         { ocsp_responder demo; ocsp_validity good=2s; }
location /strict        { ocsp_responder demo; ocsp_on_error try_later; }
location = /crl         { crl demo; }
location /m/            { certificate_master demo;
                          certificate_master_user someone;
                          certificate_master_roles admin; }
END

sub ready { wait_until(sub { (http_get('/probe'))[0] == 200 }, 15) }

sub crl_ready { wait_until(sub { (http_get('/crl'))[0] == 200 }, 40) }

sub new_certificate {
    my ($status, undef, $cert) =
        enroll('/enroll', new_csr(key => $key, subject => "/CN=$_[0]"));
    return $status == 201 ? $cert : undef;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: Redis down at the start: nginx runs, says so, and recovers
--- config eval
$::locations
--- perl
my ($status, undef, $body) = http_get('/probe');
is($status, 503, 'the probe says 503');
like($body, qr/^redis: down: .+/m, 'and why');
like($body, qr/^authority demo: waiting for redis/m, 'and what waits');

my $headers;
($status, $headers) = enroll('/enroll', $::csr);
is($status, 503, 'no certificate');
ok($headers->{'retry-after'}, 'but come again');

($status, $headers) = http_get('/scep?operation=GetCACert');
is($status, 503, 'SCEP: 503');
ok($headers->{'retry-after'}, 'come again');

my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my %ocsp = ocsp_ask(url => '/ocsp', ca => $ca, serial => '1234');
like($ocsp{text}, qr/trylater|try later/i, 'OCSP: tryLater');

($status) = http_get('/crl');
is($status, 503, 'no CRL');

redis_start();
ok(ready(), 'ready by itself');
ok(new_certificate('first'), 'and issues');
--- error_log
redis



=== TEST 2: Redis goes: what is known stays known, nothing new is issued
--- config eval
$::locations
--- perl
ready();
crl_ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $good = new_certificate('good');
my $bad = new_certificate('bad');
my $serial = serial_of($bad);
my ($status, $json) = api('POST', "/m/api/certificates/$serial/revoke",
                          { reason => 'keyCompromise' });
is($status, 200, 'revoked');
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $good)}->{status}, 'good',
   'one good');
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $bad)}->{status}, 'revoked',
   'one revoked');

redis_stop();

is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $good)}->{status}, 'good',
   'good as far as is known');
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $bad)}->{status}, 'revoked',
   'revoked for ever');

my %unknown = ocsp_ask(url => '/ocsp', ca => $ca, serial => '77');
like($unknown{text}, qr/trylater|try later/i,
     'whether this was issued nobody knows now');

($status) = http_get('/crl');
is($status, 200, 'the last CRL');

ok(!defined new_certificate('late'), 'nothing is issued');

($status, $json) = api('POST', '/m/api/certificates/' . serial_of($good)
                       . '/revoke', { reason => 'superseded' });
is($status, 503, 'nothing is revoked without saying so');

redis_start();
ok(ready(), 'again');
ok(new_certificate('late'), 'issues again');
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $bad)}->{status}, 'revoked',
   'still revoked');
--- error_log
redis



=== TEST 3: statuses age honestly: after their validity OCSP says tryLater
--- config eval
$::locations
--- perl
ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $cert = new_certificate('aging');
is({ocsp_ask(url => '/short', ca => $ca, cert => $cert)}->{status}, 'good',
   'good');
redis_stop();
ok(wait_until(sub {
    my %ocsp = ocsp_ask(url => '/short', ca => $ca, cert => $cert);
    $ocsp{text} =~ /trylater|try later/i;
}), 'tryLater once what is known is too old');
redis_start();
ok(ready(), 'again');
ok(wait_until(sub {
    my %ocsp = ocsp_ask(url => '/short', ca => $ca, cert => $cert);
    $ocsp{status} eq 'good';
}), 'good again');
--- error_log
redis



=== TEST 4: Redis is killed and comes back with its append-only file
--- config eval
$::locations
--- perl
ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $cert = new_certificate('before');
my $serial = serial_of($cert);
api('POST', "/m/api/certificates/$serial/revoke", { reason => 'superseded' });
redis_kill();
redis_start();
ok(ready(), 'ready');
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $cert)}->{status}, 'revoked',
   'nothing forgotten');
my ($status, $json) = api('GET', "/m/api/certificates/$serial");
is($json->{status}, 'revoked', 'nor in the record');
--- error_log
redis



=== TEST 5: Redis is emptied: revoked stays revoked, good is not claimed
--- config eval
$::locations
--- perl
ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $good = new_certificate('good2');
my $bad = new_certificate('bad2');
api('POST', '/m/api/certificates/' . serial_of($bad) . '/revoke',
    { reason => 'keyCompromise' });
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $good)}->{status}, 'good',
   'good');
redis_cmd('FLUSHALL');
ok(wait_until(sub {
    my %ocsp = ocsp_ask(url => '/ocsp', ca => $ca, cert => $good);
    $ocsp{status} eq 'unknown';
}), 'unknown: its record is gone');
is({ocsp_ask(url => '/ocsp', ca => $ca, cert => $bad)}->{status}, 'revoked',
   'still revoked');
--- error_log
log



=== TEST 6: ocsp_on_error try_later: no old answer at all
--- config eval
$::locations
--- perl
ready();
my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my $cert = new_certificate('strict');
is({ocsp_ask(url => '/strict', ca => $ca, cert => $cert)}->{status}, 'good',
   'good while all is well');



=== TEST 7: another node has another certificate of this authority
--- config eval
$::locations
--- perl
ready();
redis_cmd('HSET', 'pki:{demo}:ca', 'certificate', 'something else');
nginx_reload(15);
ok(wait_until(sub { (http_get('/probe'))[2] =~ /another certificate/ }),
   'the probe says so') or diag((http_get('/probe'))[2]);
my ($status) = enroll('/enroll', $::csr);
is($status, 503, 'nothing is issued');
redis_cmd('HDEL', 'pki:{demo}:ca', 'certificate');
ok(ready(), 'ready again once it is put right')
    or diag((http_get('/probe'))[2]);
--- error_log
redis has another certificate of this authority
