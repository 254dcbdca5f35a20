# The JSON API of the Certificate Master: routes, users and roles, what each
# call answers and changes, lists.  Redis that is away at the start and reloads
# are left to 50 and 60, the directives to 42.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Rest;

redis_start(appendonly => 1);
tls_files();
htpasswd(map { $_ => 'secret' }
         qw( admin reader issuer revoker approver nobody ), "m\xfcller");

our $tls = $ENV{TEST_NGINX_TLS_PORT} = free_port();
our $ca = work_file('demo.pem');

http_config(authority('demo', key => 'ec:P-256'),
            authority('other', key => 'ec:P-256'),
            authority('bulk', key => 'ec:P-256'),
            slurp('conf/log-format.conf'), <<'END');
map $remote_user $roles {
    default  "";
    admin    "admin";
    reader   "reader";
    ~ller$   "admin";
    issuer   " issue ,unheard-of";
    revoker  "revoke,reader";
    approver "approve,,Admin,admi,admins";
}
map $remote_user $mapped { default $remote_user; }
auth_basic_user_file $TEST_NGINX_WORK/htpasswd;
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.json pki;
location = /probe  { pki_probe; access_log off; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /other  { enroll other; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo other; access_log off; }
location = /crl    { crl demo; access_log off; }
location /pki/     { certificate_master demo other;
                     certificate_master_user $remote_user;
                     certificate_master_roles $roles; auth_basic x; }
location /m        { certificate_master demo other;
                     certificate_master_user robot;
                     certificate_master_roles admin; }
location /bulk/    { certificate_master bulk other;
                     certificate_master_user robot;
                     certificate_master_roles reader; }
END

our $api = '/m/api/certificates';

sub new_certificate {
    my ($name, %o) = @_;
    my ($status, undef, $body) =
        post(delete $o{uri} || '/enroll', csr($name, %o));
    die "$name: $status" if $status != 201;
    return cert_of($body);
}

sub new_serial { return serial_of(new_certificate(@_)) }

# status and error of a call

sub called {
    my ($method, $uri, $data, %o) = @_;
    my ($status, $json) = api($method, $uri, $data, %o);
    return $status if ref $json ne 'HASH' || !$json->{error};
    return "$status $json->{error}{code}";
}

sub revoke {
    my ($serial, $reason, %o) = @_;
    return called('POST', "$::api/$serial/revoke",
                  $reason ? { reason => $reason } : {}, %o);
}

sub release { return called('POST', "$::api/$_[0]/release", {}) }

sub item { return (api('GET', "$::api/$_[0]"))[1] }

sub status { my $item = item($_[0]); return $item->{status} }

# all of a list; how many requests that took

sub walk {
    my ($uri, %query) = @_;
    my (@all, $requests);
    my $limit = $query{limit} || 100;

    while (1) {
        my $args = join '&', map { "$_=$query{$_}" } sort keys %query;
        my ($status, $list) = api('GET', "$uri/api/certificates?$args");
        die "$args: $status" if $status != 200;
        die "$args: too many" if @{ $list->{certificates} } > $limit;
        push @all, @{ $list->{certificates} };
        $requests++;
        last unless defined($query{cursor} = $list->{cursor});
    }

    return wantarray ? (\@all, $requests) : \@all;
}

sub serials { return join ' ', map { $_->{serial} } @{ $_[0] } }

# Makes records of "bulk" out of nothing: n of them, from the number on, ten
# in each second.  With 0 it begins anew.

sub seed {
    my ($first, $n) = @_;

    my $now = time;
    redis_cmd('DEL', 'pki:{bulk}:issued') if $first == 0;
    redis_cmd('EVAL', <<'END', 0, $first, $n, $now - 100000, $now);
for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do
  local serial = string.format('7e%030x', (i * 7919) % 1000003)
  local at = ARGV[3] + math.floor(i / 10)
  local key = 'pki:{bulk}:cert:' .. serial
  redis.call('DEL', key)
  redis.call('HSET', key, 'der', '0', 'subject', 'CN=bulk ' .. i .. ',O=Test',
    'sans', 'DNS:b' .. i .. '.example', 'profile',
    i % 3 == 0 and 'server' or 'device', 'source',
    i % 7 == 0 and 'api' or 'scep', 'requester', i % 11 == 0 and 'Someone'
    or '', 'transaction', 't' .. i, 'issued_at', at, 'not_before', at,
    'not_after', ARGV[4] + (i % 5 == 0 and -9 or 90000), 'status',
    i % 4 == 1 and 'revoked' or i % 4 == 2 and 'hold' or 'good', 'version', 1)
  if i % 4 == 1 or i % 4 == 2 then
    redis.call('HSET', key, 'revoked_at', at, 'reason', i % 4 == 1 and 1 or 6,
      'revoked_by', 'seed')
  end
  redis.call('ZADD', 'pki:{bulk}:issued', at, serial)
end
END
}

run_tests();

__DATA__

=== TEST 1: routes: what there is, what not, and by which methods
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('routes');

is(called('GET', $::api), 200, 'a list');
is(called('GET', '/pki/api/certificates', undef, user => 'admin:secret'), 200,
   'below a prefix with a slash');

for my $path ('/m', '/m/', '/m/api', '/m/api/', '/m/api/certificatesx',
              '/mapi/certificates', '/m/API/certificates', "$::api/",
              "$::api/$serial/", "$::api/$serial.txt", "$::api/$serial.pem/",
              "$::api/$serial/chain/", "$::api/$serial/x",
              "$::api/.pem", "$::api/$serial.pem.der", '/m/api/challenge',
              '/m/api/audit')
{
    is(called('GET', $path), '404 not_found', $path);
    is(called('POST', $path, {}), '404 not_found', "POST $path");
}

my %allow = ('' => 'GET, HEAD, POST', "/$serial" => 'GET, HEAD',
             "/$serial.pem" => 'GET, HEAD', "/$serial.der" => 'GET, HEAD',
             "/$serial/chain" => 'GET, HEAD', "/$serial/revoke" => 'POST',
             "/$serial/release" => 'POST');

for my $path (sort keys %allow) {
    for my $method (qw( GET HEAD POST PUT DELETE PATCH OPTIONS )) {
        next if $allow{$path} =~ /\b$method\b/;
        my ($status, $headers) = http($method, "$::api$path");
        is($status, 405, "$method $path");
        is($headers->{allow}, $allow{$path}, 'Allow');
    }
}

is(status($serial), 'good', 'nothing happened');



=== TEST 2: roles: who may call what
--- config eval
$::locations
--- perl
rest_ready();
my %may = (admin => 'list get issue revoke release',
           reader => 'list get', issuer => 'issue',
           revoker => 'list get revoke release', approver => '', nobody => '');

for my $name (sort keys %may) {
    my $serial = new_serial("role $name");
    my $uri = "/pki/api/certificates";
    my @o = (user => "$name:secret");
    my %status = (
        list => called('GET', $uri, undef, @o),
        get => called('GET', "$uri/$serial", undef, @o),
        issue => called('POST', $uri, { csr => csr("by $name"),
                                        authority => 'demo' }, @o),
        revoke => called('POST', "$uri/$serial/revoke",
                         { reason => 'certificateHold' }, @o),
        release => called('POST', "$uri/$serial/release", {}, @o));

    for my $call (sort keys %status) {
        my $expected = $may{$name} !~ /\b$call\b/ ? '403 forbidden'
                     : $call eq 'issue' ? 201 : 200;
        is($status{$call}, $expected, "$name: $call");
    }
}

is(called('GET', '/pki/api/certificates'), 401, 'nobody: list');
is(called('GET', '/pki/api/certificates', undef, user => 'admin:no'), 401,
   'a wrong password');
is(called('GET', '/pki/nothing', undef, user => 'nobody:secret'),
   '404 not_found', 'whoever is logged in may learn what is not there');



=== TEST 3: without a user, or without roles, everything is refused
--- suppress_stderr
--- config eval
$::locations . <<'END'
location /no-user  { certificate_master demo; certificate_master_roles admin; }
location /no-roles { certificate_master demo; certificate_master_user robot; }
location /no-one   { certificate_master demo; }
location /empty    { certificate_master demo; certificate_master_user "";
                     certificate_master_roles admin; }
location /unset    { certificate_master demo; set $nobody "";
                     certificate_master_user $nobody;
                     certificate_master_roles admin; }
location /mapped   { certificate_master demo; certificate_master_user $mapped;
                     certificate_master_roles admin; }
location /verified { certificate_master demo; certificate_master_user $mapped;
                     certificate_master_roles admin; auth_basic x; }
location /roles    { certificate_master demo; certificate_master_user robot;
                     certificate_master_roles $roles; }
location /limited  { certificate_master demo; auth_basic x;
                     certificate_master_user $remote_user;
                     certificate_master_roles admin;
                     limit_except POST { auth_basic off; } }
location /mirrored { mirror /pki/api/certificates; pki_probe; auth_basic x; }
END
--- perl
rest_ready();
my $before = count('demo');
my $csr = csr('refused');

for my $location (qw( no-user no-roles no-one empty unset mapped roles )) {
    for my $user (undef, 'admin:secret', 'evil:evil') {
        my $uri = "/$location/api/certificates";
        is(called('GET', $uri, undef, user => $user), '403 forbidden',
           "$location, " . ($user // 'nobody'));
        is(called('POST', $uri, { csr => $csr }, user => $user),
           '403 forbidden', 'POST');
        next if $location =~ /roles/;
        is(called('GET', "/$location/x", undef, user => $user),
           '403 forbidden', 'nor is anything told');
    }
}

is(called('GET', '/limited/api/certificates', undef, user => 'admin:no'),
   '403 forbidden', 'limit_except turns the check off');
is(called('GET', '/verified/api/certificates', undef, user => 'admin:secret'),
   200, 'a map of a verified user');
is((api('POST', '/mirrored', { csr => $csr, authority => 'demo' },
        user => 'admin:secret'))[0], 405, 'the mirrored one goes its own way');
ok(wait_until(sub { error_log() =~ /nobody is logged in.*subrequest/ }),
   'its subrequest is refused');
is(called('GET', $::api, undef, user => 'evil:evil'), '403 forbidden',
   'a header that nobody verifies, though nobody asks for it');
is(count('demo'), $before, 'nothing is issued');
--- error_log
a user name that "auth_basic" has not verified
"certificate_master_user" is not configured, everything is refused
"certificate_master_roles" is not configured, everything is refused



=== TEST 4: a user from a client certificate
--- http_config
server {
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    server_name one.example;
    ssl_certificate $TEST_NGINX_WORK/tls.pem;
    ssl_certificate_key $TEST_NGINX_WORK/tls.key;
    ssl_client_certificate $TEST_NGINX_WORK/ca.pem;
    ssl_verify_client optional;
    location /m { certificate_master demo;
                  certificate_master_user $ssl_client_s_dn;
                  certificate_master_roles admin; }
}
server {
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    server_name two.example;
    ssl_certificate $TEST_NGINX_WORK/tls.pem;
    ssl_certificate_key $TEST_NGINX_WORK/tls.key;
    ssl_client_certificate $TEST_NGINX_WORK/stranger-ca.pem;
    ssl_verify_client optional_no_ca;
    location /m { certificate_master demo;
                  certificate_master_user $ssl_client_s_dn;
                  certificate_master_roles admin; }
}
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('by certificate');

is(by('one'), '403 forbidden', 'none');
is(by('one', user => 'admin:secret'), '403 forbidden', 'a header');
is(by('one', cert => 'client'), 200, 'a certificate');
is(by('two', cert => 'client'), '403 forbidden', 'an untrusted one');
is(by('two', cert => 'stranger'), 200, 'a trusted one');
is(by('two', cert => 'client', sni => 0), '403 forbidden',
   'one that another server verified');

my ($status) = curl('one.example', $::tls, "$::api/$serial/revoke",
    cert => 'client', data => '{"reason":"superseded"}',
    headers => { 'Content-Type' => 'application/json' });
is($status, 200, 'revokes');
is(item($serial)->{revoked_by}, 'CN=client,O=Test', 'and is recorded');

sub by {
    my ($name, %o) = @_;
    return brief(curl("$name.example", $::tls, $::api, %o));
}
--- error_log
client certificate was verified for another server



=== TEST 5: a user that "auth_request" names
--- config eval
$::locations . <<'END'
location = /deny    { internal; return 403; }
location /asked     { auth_request /ok; auth_request_set $who "";
                      certificate_master demo; certificate_master_user $who;
                      certificate_master_roles admin; }
location /allowed   { auth_request /ok; auth_request_set $known alice;
                      certificate_master demo; certificate_master_user $known;
                      certificate_master_roles admin; }
location = /ok      { internal; return 204; }
location /denied    { auth_request /deny; auth_request_set $known alice;
                      certificate_master demo; certificate_master_user $known;
                      certificate_master_roles admin; }
END
--- perl
rest_ready();
is(called('GET', '/asked/api/certificates'), '403 forbidden',
   'says yes, but not who');
is(called('GET', '/allowed/api/certificates'), 200, 'says who');
is(called('GET', '/denied/api/certificates'), 403, 'says no');



=== TEST 6: an item: all of its members, in each of its states
--- config eval
$::locations
--- perl
rest_ready();
my $cert = new_certificate('item', san => 'DNS:item.example,email:a@b.example');
my $serial = serial_of($cert);
my %item = %{ item($serial) };

is(join(' ', sort keys %item),
   'authority not_after not_before profile reason requester revoked_at'
   . ' revoked_by sans serial source status subject transaction', 'members');
is($item{serial}, $serial, 'serial');
is($item{authority}, 'demo', 'authority');
is($item{subject}, 'CN=item,O=Test', 'subject');
like($item{sans}, qr/DNS:item\.example.*a\@b\.example/, 'sans');
is($item{profile}, 'default', 'profile');
is($item{source}, 'enroll', 'source');
is($item{requester}, '', 'requester');
is($item{status}, 'good', 'status');
is($item{$_}, undef, $_) for qw( reason revoked_at revoked_by );

my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;
like($item{$_}, $time, $_) for qw( not_before not_after );
(my $after = $item{not_after}) =~ tr/TZ/ Z/;
is(reads($cert, '-enddate', '-dateopt', 'iso_8601'), "notAfter=$after",
   'as in the certificate');

is(revoke($serial, 'keyCompromise'), 200, 'revoked');
%item = %{ item($serial) };
is($item{status}, 'revoked', 'status');
is($item{reason}, 'keyCompromise', 'reason');
is($item{revoked_by}, 'robot', 'revoked_by');
like($item{revoked_at}, $time, 'revoked_at');

$serial = new_serial('old');
redis_cmd('HSET', "pki:{demo}:cert:$serial", 'not_after', time - 5);
is(status($serial), 'expired', 'expired');
is(revoke($serial), 200, 'may be revoked');
is(status($serial), 'revoked', 'and is');



=== TEST 7: a certificate by its serial number: JSON, PEM, DER, chain
--- config eval
$::locations
--- perl
rest_ready();
my $cert = new_certificate('forms');
my $serial = serial_of($cert);
my ($pem) = split /(?<=END CERTIFICATE-----\n)/, slurp($cert);
my $der = openssl('x509', '-outform', 'DER', { in => $pem });

my %answer = ('' => ['application/json'],
              '.pem' => ['application/x-pem-file', $pem],
              '.der' => ['application/pkix-cert', $der],
              '/chain' => ['application/x-pem-file', $pem . slurp($::ca)]);

for my $suffix (sort keys %answer) {
    my ($type, $expected) = @{ $answer{$suffix} };
    for my $name ($serial, uc $serial) {
        my ($status, $headers, $body) = http_get("$::api/$name$suffix");
        is($status, 200, "$name$suffix");
        is($headers->{'content-type'}, $type, 'its type');
        is($headers->{'cache-control'}, 'no-store', 'is not kept');
        is($headers->{'x-content-type-options'}, 'nosniff', 'nor guessed at');
        is($body, $expected, 'what it says') if $expected;
        my $length = length $body;
        ($status, $headers, $body) = http('HEAD', "$::api/$name$suffix");
        is("$status $headers->{'content-length'} $body", "200 $length ",
           'HEAD');
    }

    is(called('GET', "$::api/00ab$suffix"), '404 not_found', 'unknown');
    is(called('GET', "$::api/" . 'ab' x 20 . $suffix), '404 not_found',
       'as long as may be');
    is(called('GET', "$::api/$_$suffix"), '400 bad_request', "\"$_\"")
        for 'abc', 'xy', 'ab' x 21, 'ab%20', 'ab*', '{ab}', 'x' x 999;
}



=== TEST 8: every reason; OCSP and the CRL see it
--- config eval
$::locations
--- perl
rest_ready();
wait_until(sub { (http_get('/crl'))[0] == 200 });

my @reasons = qw( unspecified keyCompromise cACompromise affiliationChanged
                  superseded cessationOfOperation certificateHold
                  privilegeWithdrawn aACompromise );
# openssl 3.0 has no names for the last two

my %said = (unspecified => '', map { $_ => '(UNKNOWN)' }
                               qw( privilegeWithdrawn aACompromise ));
my %cert = map { $_ => new_certificate("for $_") } @reasons;
my %serial = map { $_ => serial_of($cert{$_}) } @reasons;

ask($cert{$_}) for @reasons;            # all known to be good

for my $reason (@reasons) {
    my ($status, $item) = api('POST', "$::api/$serial{$reason}/revoke",
                              { reason => $reason });
    is($status, 200, $reason);
    is($item->{reason}, $reason, 'the answer says so');
    is($item->{status}, $reason eq 'certificateHold' ? 'hold' : 'revoked',
       'and what it is now');
    my %ocsp = ask($cert{$reason});
    is($ocsp{status}, 'revoked', 'OCSP at once');
    is($ocsp{reason}, $said{$reason} // $reason, 'and why');
}

my (%crl, $missing);
ok(wait_until(sub {
    %crl = crl_serials('/crl', $::ca);
    !grep { !exists $crl{$serial{$_}} } @reasons;
}), 'the CRL has them');
is($crl{$serial{keyCompromise}}, 'Key Compromise', 'and why');

my $serial = new_serial('no reason');
is(called('POST', "$::api/$serial/revoke", {}), 200, 'no reason');
is(item($serial)->{reason}, 'unspecified', 'is none');
$serial = new_serial('no body');
my ($status) = post("$::api/$serial/revoke", '',
                    headers => { 'Content-Type' => 'application/json' });
is($status, 200, 'no body');
is(item($serial)->{reason}, 'unspecified', 'nor this');

sub ask { return ocsp_ask(url => '/ocsp', ca => $::ca, cert => $_[0]) }



=== TEST 9: hold, release, revoke: what follows upon what
--- config eval
$::locations
--- perl
rest_ready();
my $cert = new_certificate('steps');
my $serial = serial_of($cert);

my @steps = (
    [ 'release', '409 conflict', 'good', 'a good one is not released' ],
    [ 'certificateHold', 200, 'hold', 'hold' ],
    [ 'certificateHold', '409 conflict', 'hold', 'hold twice' ],
    [ 'release', 200, 'good', 'release' ],
    [ 'release', '409 conflict', 'good', 'release twice' ],
    [ 'certificateHold', 200, 'hold', 'hold again' ],
    [ 'keyCompromise', 200, 'revoked', 'a held one is revoked' ],
    [ 'keyCompromise', '409 conflict', 'revoked', 'twice' ],
    [ 'superseded', '409 conflict', 'revoked', 'for another reason' ],
    [ 'certificateHold', '409 conflict', 'revoked', 'held after' ],
    [ 'release', '409 conflict', 'revoked', 'for ever' ],
);

for (@steps) {
    my ($step, $answer, $status, $name) = @$_;
    is($step eq 'release' ? release($serial) : revoke($serial, $step),
       $answer, $name);
    is(status($serial), $status, "is $status");
    is({ ocsp_ask(url => '/ocsp', ca => $::ca, cert => $cert) }->{status},
       $status eq 'good' ? 'good' : 'revoked', 'OCSP at once');
}

is(item($serial)->{reason}, 'keyCompromise', 'the first reason');
is(revoke('00ab'), '404 not_found', 'no such certificate');
is(release('00ab'), '404 not_found', 'nor for release');
is(revoke('xyz'), '400 bad_request', 'no serial number');
--- error_log
certificate revoked by "robot", now hold, reason: certificateHold
certificate revoked by "robot", now revoked, reason: keyCompromise
certificate released by "robot", now good
certificate not revoked by "robot"
certificate not released by "robot"
certificate to be revoked by "robot" does not exist



=== TEST 10: one certificate revoked by many at once: one of them did it
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('race');
my @sockets;

for my $n (1 .. 20) {
    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client());
    $s->autoflush(1);
    print $s "POST $::api/$serial/revoke HTTP/1.0\r\n"
             . "Content-Type: application/json\r\n"
             . "Content-Length: 2\r\n\r\n{";
    push @sockets, $s;
}

print $_ '}' for @sockets;
my %status;
$status{(PKI::parse_response(PKI::read_all($_, 10)))[0]}++ for @sockets;
is(join(' ', map { "$_:$status{$_}" } sort keys %status), '200:1 409:19',
   'one 200, the others 409');



=== TEST 11: bodies that are no JSON, or not what is expected
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('bodies');
my $before = count('demo');

for my $body ('[]', '1', 'null', '"x"', '{', '{}}', '{} x', "{}\0", "\0",
              '{"reason":1}', '{"reason":null}', '{"reason":["x"]}',
              '{"reason":{"a":"b"}}', '{"reason":""}', '{"reason":"x"}',
              '{"reason":"removeFromCRL"}', '{"reason":"KeyCompromise"}',
              '{"reason":"keyCompromise "}', '{"reason":"keyCompromise\u0000"}',
              '{"reason":"keyCompromise","reason":"superseded"}',
              '{"x":"y"}', '{"reason":"superseded","x":"y"}',
              '{"Reason":"superseded"}', "{'reason':'superseded'}",
              "{\"reason\":\"\xff\"}", "\xef\xbb\xbf{}",
              'reason=superseded', '[' x 2000, '{"a":' x 500,
              '{"reason":"' . 'x' x 4000 . '"}')
{
    for my $call ("/$serial/revoke", "/$serial/release", '') {
        (my $name = "$call: " . substr $body, 0, 40) =~ s/[^ -~]/?/g;
        is(json_post("$::api$call", $body), '400 bad_request', $name);
    }
}

is(json_post("$::api/$serial/release", '{"reason":"superseded"}'),
   '400 bad_request', 'release takes nothing');
is(json_post("$::api/$serial/revoke", 'x' x 4097), '413 too_large', 'long');
is(json_post($::api, 'x' x 131073), '413 too_large', 'longer');
is(json_post($::api, '{"csr":"' . 'x' x 65537 . '","authority":"demo"}'),
   '400 bad_request', 'a request that is too long');
is(status($serial), 'good', 'nothing happened');
is(count('demo'), $before, 'nothing was issued');

sub json_post {
    my ($uri, $body) = @_;
    return brief((post($uri, $body,
        headers => { 'Content-Type' => 'application/json' }))[0, 2]);
}



=== TEST 12: pages of other sites cannot make a browser call
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('sites');

for my $call ("/$serial/revoke", "/$serial/release", '') {
    for my $type (undef, 'text/plain', 'application/x-www-form-urlencoded',
                  'multipart/form-data; boundary=x', 'application/jsonx',
                  'application/jso', 'text/plain; application/json',
                  'application/json-patch+json')
    {
        is(brief((post("$::api$call", '{}',
            headers => { $type ? ('Content-Type' => $type) : () }))[0, 2]),
           '400 content_type', "$call: " . ($type // 'none'));
    }

    is(brief((post("$::api$call", '{}',
        headers => { 'Content-Type' => 'application/json',
                     'Sec-Fetch-Site' => 'cross-site' }))[0, 2]),
       '403 forbidden', "$call: a script of another site");
}

my (undef, $headers) = http('OPTIONS', "$::api/$serial/revoke",
    headers => { Origin => 'http://evil.example',
                 'Access-Control-Request-Method' => 'POST' });
ok(!grep({ /^access-control/ } keys %$headers), 'nor may it ask');
is(status($serial), 'good', 'nothing happened');

is(brief((post("$::api/$serial/revoke", '{}',
    headers => { 'Content-Type' => 'Application/JSON; charset=utf-8',
                 'Sec-Fetch-Site' => 'same-origin' }))[0, 2]), 200,
   'a page of this one may');



=== TEST 13: a certificate from a request
--- config eval
$::locations . <<'END'
location /single { certificate_master other; certificate_master_user robot;
                   certificate_master_roles issue; }
END
--- perl
rest_ready();
my $csr = csr('issued', san => 'DNS:issued.example');
my ($status, $headers, $body) = post('/pki/api/certificates',
    JSON::PP::encode_json({ csr => $csr, authority => 'demo',
                            profile => 'server' }),
    user => 'issuer:secret',
    headers => { 'Content-Type' => 'application/json' });
is($status, 201, 'issued');

my $json = JSON::PP::decode_json($body);
is(join(' ', sort keys %$json), 'certificate chain serial', 'its members');
is($json->{chain}, slurp($::ca), 'the chain');
my $cert = cert_of($json->{certificate});
is(serial_of($cert), $json->{serial}, 'the serial number');
like($headers->{location}, qr{/pki/api/certificates/$json->{serial}\z},
     'Location');
like(reads($cert, '-ext', 'extendedKeyUsage'), qr/Server/, 'the profile');
is((command('openssl', 'verify', '-CAfile', $::ca, $cert))[0], 0, 'verifies');

my %item = %{ item($json->{serial}) };
is("$item{source} $item{requester} $item{profile}", 'api issuer server',
   'the record');

my %call = (csr => $csr, authority => 'demo', profile => 'server');
my ($again, $same) = api('POST', '/pki/api/certificates', \%call,
                         user => 'issuer:secret');
is("$again $same->{serial}", "201 $json->{serial}", 'again: the same');
($again, $same) = api('POST', $::api, \%call);
is($again, 201, 'by another user');
isnt($same->{serial}, $json->{serial}, 'another certificate');

my %bad = (
    'no request' => { authority => 'demo' },
    'an empty request' => { csr => '', authority => 'demo' },
    'junk' => { csr => 'x', authority => 'demo' },
    'no authority of several' => { csr => $csr },
    'an unknown authority' => { csr => $csr, authority => 'none' },
    'one of another location' => { csr => $csr, authority => 'bulk' },
    'an unknown profile' => { csr => $csr, authority => 'demo',
                              profile => 'none' },
    'an empty profile' => { csr => $csr, authority => 'demo',
                            profile => '' },
    'an unknown member' => { csr => $csr, authority => 'demo', x => 'y' },
    'a list' => { csr => [$csr], authority => 'demo' },
);
my $before = count('demo') + count('other');
is(called('POST', $::api, $bad{$_}), '400 bad_request', $_) for sort keys %bad;
is(called('POST', $::api, { csr => csr('CA', extension =>
    ['basicConstraints=critical,CA:TRUE']), authority => 'demo' }),
   '400 refused', 'a CA');
is(count('demo') + count('other'), $before, 'nothing is issued');

$before = count('other');
is(called('POST', '/single/api/certificates', { csr => $csr }), 201,
   'the only authority need not be named');
is(count('other'), $before + 1, 'it is this one');
--- error_log
certificate issued by "api", requester: "issuer", subject: "CN=issued,O=Test"



=== TEST 14: two authorities: each certificate is its own
--- config eval
$::locations . <<'END'
location /only { certificate_master demo; certificate_master_user robot;
                 certificate_master_roles admin; }
END
--- perl
rest_ready();
my $serial = new_serial('of the other', uri => '/other');

is(item($serial)->{authority}, 'other', 'found in the second');
like((http_get("$::api/$serial/chain"))[2],
     qr/\Q${\ slurp(work_file('other.pem'))}/, 'its chain');
is(called('GET', "/only/api/certificates/$serial"), '404 not_found',
   'not at a location of the first');
is(called('POST', "/only/api/certificates/$serial/revoke", {}),
   '404 not_found', 'nor revoked there');
is(status($serial), 'good', 'still good');
is(revoke($serial), 200, 'revoked where it may be');
is(redis_cmd('HGET', "pki:{other}:cert:$serial", 'status'), 'revoked',
   'in its own record');
is(redis_cmd('EXISTS', "pki:{demo}:cert:$serial"), 0, 'and in no other');
is(called('GET', '/only/api/certificates?authority=other'),
   '400 bad_request', 'not even named there');



=== TEST 15: revoked is durable when it is answered
--- config eval
$::locations
--- perl
rest_ready();
my @cert = map { new_certificate("durable $_") } 1 .. 3;
my @serial = map { serial_of($_) } @cert;

is(revoke($serial[0], 'keyCompromise'), 200, 'revoked');
is(revoke($serial[1], 'certificateHold'), 200, 'held');
is(revoke($serial[2], 'certificateHold'), 200, 'held');
is(release($serial[2]), 200, 'and released');
redis_kill();
redis_start();
ok(rest_ready(), 'Redis was killed and is back');

is(join(' ', map { status($_) } @serial), 'revoked hold good',
   'nothing is forgotten');
is({ ocsp_ask(url => '/ocsp', ca => $::ca, cert => $cert[0]) }->{status},
   'revoked', 'OCSP');
--- error_log
redis



=== TEST 16: Redis is away, or hangs: 503, and a change is made or is not
--- http_config
pki_redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT timeout=500ms;
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('away');

for my $way ('stop', 'pause') {
    $way eq 'stop' ? redis_stop() : redis_pause();

    for my $call ('', "/$serial", "/$serial.pem", "/$serial/chain") {
        my $start = Time::HiRes::time();
        my ($status, $headers, $body) = http_get("$::api$call");
        is(brief($status, $body), '503 unavailable', "$way: $call");
        is($headers->{'retry-after'}, 5, 'Retry-After');
        ok(Time::HiRes::time() - $start < 5, 'in time');
    }

    is(called('POST', $::api, { csr => csr('away'), authority => 'demo' }),
       '503 unavailable', 'nothing is issued');

    is(revoke($serial), '503 unavailable', 'nobody knows') if $way eq 'stop';
    is(called('GET', "$::api?limit=0"), '400 bad_request', 'wrong is wrong');
    $way eq 'stop' ? redis_start() : redis_resume();
    ok(rest_ready(), 'back');
    wait_until(sub { called('GET', "$::api/$serial") eq '200' });
}

like(status($serial), qr/^good|revoked\z/, 'one or the other');
--- error_log
redis



=== TEST 17: the client goes away: what it asked for is done
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('gone');

redis_pause();
my $s = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client());
$s->autoflush(1);
print $s "POST $::api/$serial/revoke HTTP/1.0\r\n"
         . "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
select undef, undef, undef, 0.2;
close $s;
select undef, undef, undef, 0.2;
redis_resume();

ok(wait_until(sub { status($serial) eq 'revoked' }), 'revoked');
--- error_log
certificate revoked by "robot", now revoked



=== TEST 18: a list: order, limit, cursor; complete while more come and go
--- config eval
$::locations
--- perl
rest_ready();
seed(0, 437);
my $all = walk('/bulk', limit => 1000, authority => 'bulk');
is(scalar @$all, 437, 'all');
my %seen = map { $_->{serial} => 1 } @$all;
is(scalar keys %seen, 437, 'each once');

my @sorted = sort {
    $b->{not_before} cmp $a->{not_before} || $b->{serial} cmp $a->{serial}
} @$all;
is(serials($all), serials(\@sorted), 'the newest first');

for my $limit (9, 10, 100, 250, 251, 436, 437, 438) {
    my ($list, $requests) = walk('/bulk', limit => $limit,
                                 authority => 'bulk');
    is(serials($list), serials($all), "limit $limit: the same");
    cmp_ok($requests, '<=', 437 / $limit + 1, 'in as few requests');
}

my ($status, $list) = api('GET', '/bulk/api/certificates');
is(scalar @{ $list->{certificates} }, 100, '100 if nothing is said');
is($all->[$_]{serial}, $list->{certificates}[$_]{serial}, "number $_")
    for 0, 99;

# new ones come, others change and vanish between the pages

my @walked = @{ $list->{certificates} };
my $n = 0;

while (defined $list->{cursor}) {
    seed(437 + 20 * $n++, 20);
    redis_cmd('HSET', "pki:{bulk}:cert:$all->[$n]{serial}", 'status',
              'revoked', 'reason', 1, 'revoked_at', 1);
    (undef, $list) = api('GET', '/bulk/api/certificates?limit=50&cursor='
                         . $list->{cursor});
    push @walked, grep { $_->{authority} eq 'bulk' }
                  @{ $list->{certificates} };
}

is(serials(\@walked), serials($all), 'neither repeated nor skipped');

# a record that is gone is left out, also at the end of a page

redis_cmd('DEL', "pki:{bulk}:cert:$all->[49]{serial}",
          "pki:{bulk}:cert:$all->[50]{serial}");
my $rest = walk('/bulk', limit => 50, authority => 'bulk');
my %gone = map { $_->{serial} => 1 } @$all[49, 50];
is(scalar(grep { $gone{$_->{serial}} } @$rest), 0, 'gone');
is(scalar(grep { $seen{$_->{serial}} } @$rest), 435, 'the others are there');



=== TEST 19: a list: filters, alone and together
--- config eval
$::locations
--- perl
rest_ready();
my $csr = openssl('req', '-new', '-utf8', '-newkey', 'ec', '-nodes', '-pkeyopt',
                  'ec_paramgen_curve:P-256', '-keyout', work_file('u.key'),
                  '-subj', "/O=Test/CN=\xc3\x9cn\xc3\xafcode \"q\" <b>");
is((post('/other', $csr))[0], 201, 'a name that is not plain');
seed(0, 200);
my $all = walk('/bulk', limit => 1000);

my %filter = (
    'status=good' => sub { $_->{status} eq 'good' },
    'status=hold' => sub { $_->{status} eq 'hold' },
    'status=revoked' => sub { $_->{status} eq 'revoked' },
    'status=expired' => sub { $_->{status} eq 'expired' },
    'profile=server' => sub { $_->{profile} eq 'server' },
    'profile=serve' => sub { 0 },
    'source=api' => sub { $_->{source} eq 'api' },
    'source=API' => sub { 0 },
    'authority=bulk' => sub { $_->{authority} eq 'bulk' },
    'authority=other' => sub { $_->{authority} eq 'other' },
    'q=bulk+11' => sub { $_->{subject} =~ /bulk 11/ },
    'q=BULK%2011' => sub { $_->{subject} =~ /bulk 11/ },
    'q=b77.EXAMPLE' => sub { $_->{sans} =~ /b77\.example/ },
    'q=someone' => sub { $_->{requester} eq 'Someone' },
    'q=%C3%9Cn%c3%af' => sub { $_->{subject} =~ /code/ },
    'q=%22q%5c%22' => sub { $_->{subject} =~ /code/ },
    'q=%3Cb%5c%3e' => sub { $_->{subject} =~ /code/ },
    'q=' => sub { 1 }, 'status=&profile=&' => sub { 1 },
    "q=$all->[7]{serial}" => sub { $_->{serial} eq $all->[7]{serial} },
    'q=*' => sub { 0 }, 'q=.' => sub { $_->{sans} =~ /\./ },
    'q=' . 'x' x 1024 => sub { 0 },
    'status=good&profile=server&source=scep&q=someone&authority=bulk' => sub {
        $_->{status} eq 'good' && $_->{profile} eq 'server'
        && $_->{source} eq 'scep' && $_->{requester} eq 'Someone' },
);

for my $query (sort keys %filter) {
    my @expected = grep { $filter{$query}->() } @$all;
    for my $limit (23, 1000) {
        is(serials(scalar walk('/bulk', args($query),
                               limit => $limit)),
           serials(\@expected),
           substr($query, 0, 60) . ": " . @expected . ", limit $limit");
    }
}

my ($item) = grep { $_->{subject} =~ /code/ } @$all;
like($item->{subject}, qr/^CN=\x{dc}n\x{ef}code \\"q\\" \\<b\\>,/, 'well written');

sub args { return map { /^(.*?)=(.*)/ } grep { /=/ } split /&/, $_[0] }



=== TEST 20: a list of very many: a request looks at some thousands only
--- config eval
$::locations
--- perl
rest_ready();
seed(0, 6000);
my ($status, $list) =
    api('GET', '/bulk/api/certificates?q=CN=bulk+3,&authority=bulk');
is($status, 200, 'answered');
is(scalar @{ $list->{certificates} }, 0, 'not found yet');
ok(defined $list->{cursor}, 'but there is more');
my ($found, $requests) = walk('/bulk', q => 'CN=bulk+3,', authority => 'bulk');
is("@{[ scalar @$found ]} $requests", '1 2', 'found by the next request');
is($found->[0]{subject}, 'CN=bulk 3,O=Test', 'it is this one');



=== TEST 21: a list: queries that are wrong
--- config eval
$::locations
--- perl
rest_ready();

my $long = 'q=' . 'x' x 1025;
my $b64 = sub { my $t = PKI::Client::encode_base64($_[0], '');
                $t =~ tr{+/=}{-_}d; $t };

for my $query ('limit=0', 'limit=1001', 'limit=x', 'limit=-1', 'limit=',
               'limit=1.5', 'limit=99999999999999999999', 'limit=5&limit=6',
               'status=foo', 'status=unknown', 'status=Good',
               'authority=none', 'authority=demo', 'foo=1', 'Q=1', 'q%3D=1',
               'q=%zz', 'q=%f', 'q=%', 'q=%00', 'q=%0a', 'q=%7f', 'q=%ff',
               'q=%c0%80', 'q=%ed%a0%80', $long, "source=$long", 'x' x 5000,
               'cursor=!!!', 'cursor=YWJj', 'cursor=%20',
               'cursor=' . $b64->("none\n1-ab"),
               'cursor=' . $b64->("bulk\n1-xy"),
               'cursor=' . $b64->("bulk\n-ab"),
               'cursor=' . $b64->("bulk\n1"),
               'cursor=' . $b64->("bulk\n1-ab\0"),
               'cursor=' . $b64->("bulk\n'; redis.call('FLUSHALL')-ab"),
               'authority=bulk&cursor=' . $b64->("other\n1-ab"))
{
    is(called('GET', "/bulk/api/certificates?$query"), '400 bad_request',
       substr $query, 0, 60);
}

is(called('GET', "/bulk/api/certificates?$_"), 200, "\"$_\" is well")
    for '', '&', '&&q=a&', 'q', 'q=a=b', 'limit=01',
        'cursor=' . $b64->("bulk\n1-ab"), 'cursor=' . $b64->("other\n");



=== TEST 22: the access log
--- config eval
$::locations
--- perl
rest_ready();
my $serial = new_serial('logged');
work_file('access.json', '');
revoke($serial);
item('00ab');
api('GET', $::api);
api('POST', $::api, { csr => csr('log'), authority => 'other' });
wait_until(sub { access_log(work_file('access.json')) == 4 });

my ($revoke, $unknown, $list, $issue) = access_log(work_file('access.json'));
is(join(' ', @$revoke{qw( status authority serial subject profile )}),
   "200 demo $serial CN=logged,O=Test default", 'revoke');
is($unknown->{status} . $unknown->{serial}, '40400ab', 'unknown');
like($_->{store_time}, qr/^\d+\.\d{3}\z/, '$pki_store_time')
    for $revoke, $unknown, $list, $issue;
is(join(' ', @$issue{qw( status authority enroll_status subject )}),
   '201 other ISSUED CN=log,O=Test', 'issue');



=== TEST 23: names that are no UTF-8 break neither records nor lists
--- config eval
$::locations
--- perl
rest_ready();
my @user = (user => "m\xfcller:secret");
my ($status, $json) = api('POST', '/pki/api/certificates',
                          { csr => csr('latin'), authority => 'demo' }, @user);
is($status, 201, 'issued');
is(called('POST', "/pki/api/certificates/$json->{serial}/revoke", {}, @user),
   200, 'revoked');
my ($code, $item) = api('GET', "$::api/$json->{serial}");
is($code, 200, 'shown');
like($_ // '', qr/^m.+ller\z/, 'as well as may be')
    for @$item{qw( requester revoked_by )};

for my $mask (0x4, 0x100, 0x800, 0x2000) {
    my $csr = openssl('req', '-new', '-newkey', 'ec', '-nodes', '-pkeyopt',
                      'ec_paramgen_curve:P-256', '-config', work_file("m.cnf",
                      "[req]\nprompt=no\nstring_mask=MASK:$mask\n"
                      . "distinguished_name=dn\n[dn]\n"
                      . "CN=m\xfcller\n"),
                      '-keyout', work_file('m.key'));
    my ($status, undef, $body) = post('/enroll', $csr);
    ok($status == 201 || brief($status, $body) =~ /^400 (?:refused|bad)/,
       "a subject of another type: " . brief($status, $body));
}

is(called('GET', "$::api?limit=1000"), 200, 'and listed');
