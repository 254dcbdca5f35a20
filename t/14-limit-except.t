# "limit_except" and "if" within a location with a handler of ours are part of
# it: nginx itself would serve files for the methods that are excepted.  The
# probe is the one that does not care, as stub_status does not.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Rest;

redis_start();
work_file('challenge', "secret\n");
htpasswd(admin => 'secret');
http_config(authority('demo'));

our $ca = work_file('demo.pem');
our $basic = 'auth_basic x;'
             . ' auth_basic_user_file $TEST_NGINX_WORK/htpasswd;';
our $probe = "location = /probe { pki_probe; }\n";

sub code { return brief((http(@_))[0, 2]) }

run_tests();

__DATA__

=== TEST 1: scep
--- config eval
$::probe . <<'END'
scep_challenge static $TEST_NGINX_WORK/challenge;
location /post { scep demo; limit_except GET { allow 127.0.0.1; deny all; } }
location /get  { scep demo; limit_except POST { deny 127.0.0.2; } }
location /deny { scep demo; limit_except GET { deny all; } }
location /if   { scep demo; if ($arg_x) { set $y 1; } }
END
--- perl
rest_ready();
for my $uri ('/post', '/get', '/deny', '/if') {
    my ($status, undef, $body) = http_get("$uri?operation=GetCACert");
    is($status, 200, "$uri: GET");
    is(openssl('x509', '-inform', 'DER', { in => $body }), slurp($::ca),
       'the certificate');
}

my ($status, undef, $body) = http_get('/if?x=1&operation=GetCACaps');
is($status, 200, 'if');
like($body, qr/^POSTPKIOperation/m, 'the capabilities');

for my $uri ('/post', '/get', '/if', '/if?x=1&operation=PKIOperation') {
    my $sep = $uri =~ /\?/ ? '' : '?operation=PKIOperation';
    is((http_post("$uri$sep", 'junk'))[0], 400, "$uri: POST");
}

is((http_post('/deny?operation=PKIOperation', 'junk'))[0], 403,
   'POST, denied');

my $cert = scep_enroll(url => '/post', key => new_key(), subject => 'CN=a',
                       password => 'secret', ca => $::ca);
ok($cert, 'enrols by POST');



=== TEST 2: ocsp_responder
--- config eval
$::probe . <<'END'
location = /enroll { enroll demo; enroll_auth none insecure; }
location /post { ocsp_responder demo; limit_except GET { allow all; } }
location /get  { ocsp_responder demo; limit_except POST { allow all; } }
location /deny { ocsp_responder demo; limit_except GET { deny all; } }
location /if   { ocsp_responder demo; if ($request_method = POST) {
                     set $y 1; } }
END
--- perl
rest_ready();
my $cert = cert_of((post('/enroll', csr('ocsp')))[2]);

for my $uri ('/post', '/get', '/if') {
    is({ ocsp_ask(url => $uri, ca => $::ca, cert => $cert) }->{status}, 'good',
       "$uri: POST");
    my ($status, $headers) = http_get("$uri/AAAA");
    is("$status $headers->{'content-type'}", '200 application/ocsp-response',
       'GET');
}

is((http_post('/deny', 'x'))[0], 403, 'denied');



=== TEST 3: crl
--- config eval
$::probe . <<'END'
location = /crl  { crl demo; limit_except HEAD { allow all; } }
location = /pem  { crl demo pem; limit_except POST { allow all; } }
location = /deny { crl demo; limit_except POST { deny all; } }
location = /if   { crl demo; if ($arg_x) { set $y 1; } }
END
--- perl
rest_ready();
wait_until(sub { (http_get('/crl'))[0] == 200 });
ok(defined eval { my %crl = crl_serials($_, $::ca); 1 }, "$_: GET")
    for '/crl', '/if', '/if?x=1';
like((http_get('/pem'))[2], qr/^-----BEGIN X509 CRL/, 'PEM');
is((http_post('/crl', ''))[0], 405, 'POST');
is((http_get('/deny'))[0], 403, 'denied');



=== TEST 4: pki_certificate
--- config eval
$::probe . <<'END'
location = /der  { pki_certificate demo; limit_except HEAD { allow all; } }
location = /pem  { pki_certificate demo pem; limit_except POST { allow all; } }
location = /deny { pki_certificate demo; limit_except POST { deny all; } }
location = /if   { pki_certificate demo pem; if ($arg_x) { set $y 1; } }
END
--- perl
rest_ready();
is(slurp(ca_certificate('/der')), slurp($::ca), 'DER');
is((http_get($_))[2], slurp($::ca), "PEM: $_") for '/pem', '/if', '/if?x=1';
is((http_post('/der', ''))[0], 405, 'POST');
is((http_get('/deny'))[0], 403, 'denied');



=== TEST 5: enroll
--- config eval
$::probe . <<END
location /post { enroll demo; $::basic limit_except GET { allow all; } }
location /get  { enroll demo; $::basic limit_except POST { allow all; } }
location /deny { enroll demo; $::basic limit_except GET { deny all; } }
location /if   { enroll demo; $::basic if (\$arg_x) { set \$y 1; } }
END
--- perl
rest_ready();
for my $uri ('/post', '/get', '/if', '/if?x=1') {
    my ($status) = post($uri, csr('limit'), user => 'admin:secret');
    is($status, 201, "$uri: POST");
    is((post($uri, csr('limit')))[0], 401, 'not for everybody');
    is(code('GET', $uri, headers =>
            { Authorization => PKI::Client::basic_auth('admin:secret') }),
       '405 method_not_allowed', 'GET');
}

is((post('/deny', csr('limit'), user => 'admin:secret'))[0], 403, 'denied');



=== TEST 6: certificate_master: only some may make changes
--- config eval
$::probe . <<END
certificate_master_user \$remote_user;
certificate_master_roles admin;
location /post { certificate_master demo; $::basic
                 limit_except GET { allow 127.0.0.1; deny all; } }
location /get  { certificate_master demo; $::basic
                 limit_except POST { allow all; } }
location /deny { certificate_master demo; $::basic
                 limit_except GET { deny all; } }
END
--- perl
rest_ready();
for my $uri (map { "/$_/api/certificates" } qw( post get )) {
    my ($status, $json) = api('POST', $uri, { csr => csr('limit') },
                              user => 'admin:secret');
    is($status, 201, "$uri: POST");
    is((api('GET', "$uri/$json->{serial}", undef,
            user => 'admin:secret'))[0], 200, 'GET');
    is((api('GET', $uri))[0], 401, 'not for everybody');
}

is((api('GET', '/deny/api/certificates', undef,
        user => 'admin:secret'))[0], 200, 'GET');
is((api('POST', '/deny/api/certificates', { csr => csr('limit') },
        user => 'admin:secret'))[0], 403, 'POST, denied');
