# Records that are not what they should be: one line in the log, and nothing
# else suffers.

use lib 't/lib';
use PKI;
use PKI::Client;

redis_start();
http_config(authority('demo'));

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

run_tests();

__DATA__

=== TEST 1: one malformed record hides no other from the list
--- config eval
$::locations
--- perl
wait_until(sub { (http_get('/probe'))[0] == 200 });

my $key = new_key();
my @serial = map {
    my (undef, undef, $cert) =
        enroll('/enroll', new_csr(key => $key, subject => "/CN=list$_"));
    serial_of($cert);
} 1 .. 3;

redis_cmd('HSET', "pki:{demo}:cert:$serial[1]", 'not_after', 'tomorrow');

my ($status, $list) = api('GET', '/m/api/certificates');
is($status, 200, 'a list');

my %seen = map { $_->{serial} => 1 } @{ $list->{certificates} };
ok($seen{$serial[0]} && $seen{$serial[2]}, 'with the others');
ok(!$seen{$serial[1]}, 'without the bad one');

my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";
my %ocsp = ocsp_ask(url => '/ocsp', ca => $ca, serial => $serial[0]);
is($ocsp{status}, 'good', 'OCSP of another');
--- error_log eval
qr/malformed record "[0-9a-f]{34}" in redis/
