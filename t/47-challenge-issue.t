# One-time challenges are made: the page of NDES as programs of device
# management read it, the answer to the webhook of Jamf, JSON, and the call of
# the JSON API; for whom, how many, and what the logs say.  How they are used
# up is in 46.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Rest;
use PKI::Nginx;

use Digest::SHA ();
use Encode qw( decode );

redis_start();
tls_files();
htpasswd(map { $_ => 'secret' } qw( mdm other issuer reader admin ));

our $tls = $ENV{TEST_NGINX_TLS_PORT} = free_port();

http_config(authority('demo'), authority('ec', key => 'ec:P-256'),
            slurp('conf/log-format.conf'), <<'END');
pki_profile device { validity 30d; }
scep_profile device;
auth_basic_user_file $TEST_NGINX_WORK/htpasswd;
map $remote_user $roles { default ""; admin admin; issuer issue;
                          reader "reader,revoke,approve"; }
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.json pki;
location = /probe { pki_probe; access_log off; }
location = /ca    { pki_certificate demo; access_log off; }
location /scep    { scep demo; scep_challenge one_time; }
location /phones  { scep demo; scep_challenge one_time scope=phones; }
location /certsrv/mscep_admin/ { auth_basic x; scep_challenge_issue demo; }
location /little  { auth_basic x;
                    scep_challenge_issue demo length=16 ttl=3m; }
location /few     { auth_basic x; scep_challenge_issue demo quota=2; }
location /short   { auth_basic x; scep_challenge_issue demo ttl=1s; }
location /text    { auth_basic x; scep_challenge_issue demo format=text; }
location /bound   { auth_basic x; scep_challenge_issue demo format=text
                        "bind=CN=${serial},OU=${uuid},O=Contoso"; }
location /json    { auth_basic x; scep_challenge_issue demo format=json; }
location /number  { auth_basic x;
                    scep_challenge_issue demo format=json scope=phones; }
location /api/    { auth_basic x; certificate_master demo ec;
                    certificate_master_user $remote_user;
                    certificate_master_roles $roles; }
END

our $page = '/certsrv/mscep_admin/';
our @mdm = (user => 'mdm:secret');
our ($key, $count) = (new_key(), 0);

sub get {
    my ($uri, %o) = @_;
    my %headers = %{ $o{headers} || {} };
    $headers{Authorization} = basic_auth($o{user} // 'mdm:secret');
    return http_get($uri, %o, headers => \%headers);
}

sub read_page { return decode('UTF-16', $_[0]) }

sub scrape {
    my ($text) = @_;
    return $text =~ /The enrollment challenge password is: <B> (\S*)/i
           ? $1 : undef;
}

# A challenge from a page.

sub page_secret {
    my ($uri, @o) = @_;
    my ($status, undef, $body) = get($uri, @o);
    return $status == 200 ? scrape(read_page($body)) : undef;
}

sub enrolled {
    my ($uri, $secret, %o) = @_;
    return scep_enroll(url => $uri, key => $o{key} || $key,
                       ca => ca_certificate('/ca'), password => $secret,
                       subject => $o{subject} // 'O=Contoso, CN=device-'
                                                 . ++$count,
                       args => [ map { ('--san', $_) } @{ $o{sans} || [] } ]);
}

sub json {
    my ($uri, $data, %o) = @_;
    my ($status, $json) = api('POST', $uri, $data, user => 'mdm:secret', %o);
    return $status if ref $json ne 'HASH';
    return $json->{error} ? "$status $json->{error}{code}" : ($status, $json);
}

sub challenge { return (json(@_))[1]{challenge} }

run_tests();

__DATA__

=== TEST 1: the page, as programs of device management read it
--- config eval
$::locations
--- perl
rest_ready();
my ($status, $headers, $body) = get($::page);
is($status, 200);
is($headers->{'cache-control'}, 'no-store');
is($headers->{'content-type'}, 'text/html; charset=utf-16');
is(substr($body, 0, 2), "\xff\xfe", 'a byte order mark');

my $text = read_page($body);
is(decode('UTF-16LE', substr $body, 2), $text, 'in the order it says');
my $secret = scrape($text);
like($secret, qr/^[0-9A-F]{32}\z/, 'Fleet finds it');

my $start = 'The enrollment challenge password is: <B> ';
my $end = ' </B> <P> This password can be used only once';
my $at = index($text, $start) + length $start;
is(substr($text, $at, index($text, $end) - $at), $secret, 'ManageEngine does');

my %found;
my @parts = split />/, $text;
for (0 .. $#parts) {
    my ($what) = $parts[$_] =~ /^ The (thumbprint|enrollment) .* is: <B\z/
        or next;
    ($found{$what}) = $parts[$_ + 1] =~ m{\A (.*) </B\z};
}
is($found{enrollment}, $secret, 'so does who splits it at tags');
is(uc openssl('x509', '-in', ca_certificate('/ca'), '-noout', '-fingerprint',
              '-md5') =~ s/.*=//r =~ tr/:\n//dr, $found{thumbprint} =~ tr/ //dr,
   'with the thumbprint that NDES shows');
like($found{thumbprint}, qr/^[0-9A-F]{8}(?: [0-9A-F]{8}){3}\z/, 'in groups');
is(($text =~ /challenge password.*?([0-9A-Fa-f]{8,64})/is)[0], $secret,
   'and who takes the first digits after the words');
like($text, qr/will expire within 60 minutes\./);

isnt(page_secret($::page), $secret, 'the next one is another one');
is(length page_secret('/little'), 16, 'length=16');
like(read_page((get('/little'))[2]), qr/within 3 minutes\./, 'ttl=3m');

($status, $headers, my $utf8) = get("$::page?charset=UTF-8");
is($headers->{'content-type'}, 'text/html; charset=utf-8');
like(scrape($utf8), qr/^[0-9A-F]{32}\z/, '?charset=utf-8');
is($utf8 =~ s/[0-9A-F]{32}//r, $text =~ s/[0-9A-F]{32}//r, 'the same page');
like(page_secret("$::page?charset=utf-16"), qr/\A\w{32}\z/,
     'another charset is not known');



=== TEST 2: from the page to a certificate, once
--- config eval
$::locations
--- perl
rest_ready();
my $secret = page_secret($::page);
my $cert = enrolled('/scep', $secret);
ok(defined $cert, 'enrolled');
ok(!defined enrolled('/scep', $secret, key => new_key()), 'not again');
ok(!defined enrolled('/scep', lc page_secret($::page)), 'not in lower case');
ok(!defined enrolled('/phones', page_secret($::page)), 'not elsewhere');

$secret = page_secret('/short');
my ($line) = grep { $_->{uri} eq '/short' } access_log("$ENV{TEST_NGINX_WORK}"
                                                        . '/access.json');
is($line->{authority}, 'demo', 'access log');
is($line->{user}, 'mdm');
my $hash = Digest::SHA::sha256_hex(map { pack('N', length) . $_ } 'demo',
                                   'device', $secret);
ok(wait_until(sub {
    !redis_cmd('EXISTS', "pki:{demo}:challenge:$hash")
}), 'it expires');
ok(!defined enrolled('/scep', $secret), 'nor when it has expired');



=== TEST 3: for whom
--- http_config
server {
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate $TEST_NGINX_WORK/tls.pem;
    ssl_certificate_key $TEST_NGINX_WORK/tls.key;
    ssl_client_certificate $TEST_NGINX_WORK/ca.pem;
    ssl_verify_client optional_no_ca;
    location /page { scep_challenge_issue demo; }
    location /text { scep_challenge_issue demo format=text; }
}
--- config eval
$::locations . <<'END'
location /except { auth_basic x; scep_challenge_issue demo format=text;
                   limit_except GET { auth_basic off; } }
location /if     { auth_basic x; scep_challenge_issue demo format=text;
                   if ($arg_x) { set $y 1; } }
END
--- perl
rest_ready();
is((http_get($::page))[0], 401, 'nobody');
is((get($::page, user => 'mdm:wrong'))[0], 401, 'a wrong password');
is((get($::page, user => 'stranger:secret'))[0], 401, 'a stranger');

for my $method (qw( HEAD POST PUT DELETE )) {
    my ($status, $headers) = http($method, $::page, headers => {
        Authorization => basic_auth('mdm:secret') });
    is($status, 405, "$method for the page");
    is($headers->{allow}, 'GET');
}
for my $method (qw( HEAD GET PUT )) {
    my ($status, $headers) = http($method, '/text', headers => {
        Authorization => basic_auth('mdm:secret') });
    is($status, 405, "$method for the text");
    is($headers->{allow}, 'POST');
}

my %cross = (headers => { 'Sec-Fetch-Site' => 'cross-site' });
my ($status, undef, $body) = get($::page, %cross);
is($status, 403, 'a page of another site asks');
my $denied = 'You do not have sufficient permission to enroll with SCEP.';
like(read_page($body), qr/\Q$denied/, 'in the words of NDES');
unlike(read_page($body), qr/challenge password/, 'and no others');
is((post('/text', '', @::mdm, %cross))[0], 403);
is(brief((post('/json', '', @::mdm, %cross))[0, 2]), '403 forbidden');

is((post('/except', ''))[0], 403, 'limit_except takes the password away');
is((post('/except', '', @::mdm))[0], 403, 'also if there is one');
is((post('/if', '', @::mdm))[0], 200, 'if');
is((post('/if?x=1', '', @::mdm))[0], 200, 'if, true');

is((curl('one', $::tls, '/page'))[0], 403, 'no certificate');
is((curl('one', $::tls, '/page', cert => 'stranger'))[0], 403, 'a strange one');
($status, $body) = curl('one', $::tls, '/page', cert => 'client');
is($status, 200, 'one that is verified');
my $secret = scrape(read_page($body));
like($secret, qr/^\w{32}\z/);
ok(defined enrolled('/scep', $secret), 'enrols a device');
is((curl('one', $::tls, '/text', cert => 'client', data => '{}'))[0], 200);
is((curl('one', $::tls, '/text', cert => 'client', user => 'a:b',
         data => '{}'))[0], 200);
is((curl('one', $::tls, '/text', user => 'mdm:secret', data => '{}'))[0], 403,
   'a password that nobody has verified');
like(error_log(), qr/made for "CN=client,O=Test", scope: "device"/);



=== TEST 4: how many
--- config eval
$::locations . <<'END'
location /few-text { auth_basic x;
                     scep_challenge_issue demo format=text quota=2; }
location /few-json { auth_basic x;
                     scep_challenge_issue demo format=json quota=2; }
END
--- perl
rest_ready();
redis_cmd('DEL', "pki:{demo}:challenges:$_") for qw( mdm other );
my ($one, $two) = map { page_secret('/few') } 1, 2;
ok(defined $two, 'two of them');
my ($status, $headers, $body) = get('/few');
is($status, 200, 'not a third one');
like(read_page($body), qr/The password cache is full\./, 'in the words of NDES');
is(scrape(read_page($body)), undef);
like(error_log(), qr/\[warn\].*not made for "mdm": 2 of them are not used yet/);
is((post('/few-text', '', @::mdm))[0], 429, 'as text');
is(json('/few-json'), '429 quota', 'as JSON');
ok(defined page_secret('/few', user => 'other:secret'), 'somebody else may');
ok(defined enrolled('/scep', $one), 'one is used');
ok(defined page_secret('/few'), 'that makes room');
like(read_page((get('/few'))[2]), qr/cache is full/, 'for one');



=== TEST 5: the webhook of Jamf, and of others
--- config eval
$::locations
--- perl
rest_ready();
my $event = '{"webhook":{"id":1,"name":"scep","webhookEvent":"SCEPChallenge",'
            . '"eventTimestamp":1757435578},"event":{"scepServerUrl":'
            . '"https://ca.example/scep","payloadIdentifier":"x",'
            . '"payloadTypes":["com.apple.security.scep"]}}';
my ($status, $headers, $secret) = post('/text', $event, @::mdm,
    headers => { 'Content-Type' => 'application/json' });
is($status, 200);
is($headers->{'content-type'}, 'text/plain');
is($headers->{'cache-control'}, 'no-store');
like($secret, qr/\A[0-9A-F]{32}\z/, 'the secret and nothing else');
ok(defined enrolled('/scep', $secret), 'enrols a device');

for ('', '{', '[]', 'null', '{"event":[]}', '<xml/>', "\0" x 9) {
    like((post('/text', $_, @::mdm))[2], qr/\A\w{32}\z/,
         'whatever the body is: ' . s/\0/-/gr);
}
is((post('/text', ' ' x 70000, @::mdm))[0], 413, 'if it is not too large');



=== TEST 6: a challenge for one device
--- config eval
$::locations
--- perl
rest_ready();
my $event = sub { JSON::PP::encode_json({ event => $_[0] }) };
my %device = (uuid => 'U-1', serialNumber => 'C02');
my $subject = 'O=Contoso, OU=U-1, CN=C02';

for my $told ({ device => \%device },
              { targetDevice => { udid => 'U-1', serialNumber => 'C02' } },
              { udid => 'U-1', serialNumber => 'C02', jssID => 12 },
              { device => { uuid => 'U-1' }, serialNumber => 'C02' })
{
    my ($status, undef, $secret) = post('/bound', $event->($told), @::mdm);
    is($status, 200, join ' ', sort keys %$told);
    ok(!defined enrolled('/scep', $secret, subject => 'CN=admin'),
       'not for another name');
    ok(!defined enrolled('/scep', $secret,
                         subject => 'O=Contoso, OU=U-1, CN=C03'),
       'nor for another device');
    ok(defined enrolled('/scep', $secret, subject => $subject, key => new_key()),
       'for this one, which costs the others nothing');
}
like(error_log(), qr/made for "mdm".*, subject: "CN=C02,OU=U-1,O=Contoso"/);

for (['', 'no body'], ['{}', 'nothing'], [$event->({}), 'no device'],
     [$event->({ device => { uuid => 'U-1' } }), 'one of two'],
     [$event->({ device => { uuid => 'U-1', serialNumber => 12 } }), 'a number'],
     [$event->({ device => { uuid => 'U-1', serialNumber => "a\nb" } }), 'lines'],
     [$event->({ device => { uuid => 'U-1', serialNumber => 'a' x 300 } }),
      'too long'])
{
    my ($status, undef, $body) = post('/bound', $_->[0], @::mdm);
    is($status, 400, $_->[1]);
    is($body, "this names no device to make one for\n");
}

my ($status, undef, $secret) = post('/bound', $event->({ device => {
    uuid => 'U-1', serialNumber => 'admin,O=Contoso' } }), @::mdm);
is($status, 200, 'what looks like more');
ok(!defined enrolled('/scep', $secret, subject => $subject), 'is no more');
like(error_log(), qr/subject: "CN=admin\\,O=Contoso,OU=U-1,O=Contoso"/,
     'but a name with a comma');



=== TEST 7: JSON
--- config eval
$::locations
--- perl
rest_ready();
my ($status, $json) = json('/json');
is($status, 201);
like($json->{challenge}, qr/\A[0-9A-F]{32}\z/);
like($json->{expires}, qr/\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/);
is(join(' ', map { "$_=$json->{$_}" } qw( authority scope )),
   'authority=demo scope=device');
is(join(' ', sort keys %$json), 'authority challenge expires scope');
ok(defined enrolled('/scep', $json->{challenge}), 'enrols a device');
is((json('/number'))[1]{scope}, 'phones', 'scope=');
ok(defined enrolled('/phones', challenge('/number')), 'enrols there');
ok(!defined enrolled('/scep', challenge('/number')), 'and only there');

my $secret = challenge('/json', { subject => 'CN=one, O=Contoso' });
ok(!defined enrolled('/scep', $secret), 'for one subject');
ok(defined enrolled('/scep', $secret, subject => 'O=Contoso, CN=one'));
$secret = challenge('/json', { sans => 'dns:a.example' });
ok(!defined enrolled('/scep', $secret), 'for one name');
ok(!defined enrolled('/scep', $secret, sans => ['b.example']));
ok(defined enrolled('/scep', $secret, sans => ['a.example']));

is(json('/json', { ttl => '1d' }), '400 bad_request', 'not as long as one likes');
is(json('/json', { subject => 'one' }), '400 bad_request');
is(json('/json', { subject => 1 }), '400 bad_request');
is(brief((post('/json', '{', @::mdm))[0, 2]), '400 bad_request');
is((get('/json'))[0], 405);



=== TEST 8: POST api/challenges
--- config eval
$::locations
--- perl
rest_ready();
my $call = sub {
    my ($data, $user) = @_;
    return json('/api/api/challenges', $data,
                user => ($user // 'issuer') . ':secret');
};
my $made = sub { return ($call->({ authority => 'demo', @_ }))[1] };

my ($status, $json) = $call->({ authority => 'demo', profile => 'device' });
is($status, 201, 'issue may');
is(join(' ', sort keys %$json), 'authority challenge expires scope');
is("$json->{authority} $json->{scope}", 'demo device');
ok(defined enrolled('/scep', $json->{challenge}), 'enrols a device');
ok(!defined enrolled('/scep', $json->{challenge}, key => new_key()), 'once');
is(($call->({ authority => 'ec' }, 'admin'))[0], 201, 'admin may');
is($call->({ authority => 'demo' }, 'reader'), '403 forbidden', 'others not');
is(json('/api/api/challenges', {}, user => 'nobody:secret'), 401);

is($made->()->{scope}, 'default', 'the profile default');
ok(defined enrolled('/phones', $made->(scope => 'phones')->{challenge}),
   'scope');
ok(!defined enrolled('/scep', $made->(scope => 'phones')->{challenge}));
ok(!defined enrolled('/scep', ($call->({ authority => 'ec',
                                         scope => 'device' }))[1]{challenge}),
   'not of another authority');

my $bound = $made->(profile => 'device', subject => 'cn=a, o=Contoso',
                    sans => 'DNS:a.example, email:a@b.example', ttl => '5m');
ok(!defined enrolled('/scep', $bound->{challenge},
                     subject => 'O=Contoso, CN=a'), 'for these names');
ok(!defined enrolled('/scep', $bound->{challenge}, sans => ['a.example'],
                     subject => 'O=Contoso, CN=a'), 'all of them');
ok(defined enrolled('/scep', $bound->{challenge},
                    sans => ['a@b.example', 'a.example'],
                    subject => 'O=Contoso, CN=a'), 'in any order');
my $time = time;
my ($minute) = $bound->{expires} =~ /T\d\d:(\d\d)/;
like(abs($minute - (gmtime($time + 300))[1]), qr/^(?:0|1|59)\z/, 'for 5 minutes');

my %wrong = (
    'an unknown authority' => [ authority => 'none' ],
    'which authority?' => [ authority => undef ],
    'an unknown profile' => [ profile => 'none' ],
    'a profile and a scope' => [ profile => 'device', scope => 'device' ],
    'no scope' => [ scope => '' ],
    'a long scope' => [ scope => 'x' x 65 ],
    'a scope of two lines' => [ scope => "a\nb" ],
    'no time' => [ ttl => '' ], 'never' => [ ttl => '0' ],
    'for ever' => [ ttl => '366d' ], 'a strange time' => [ ttl => '1h30' . 'x' ],
    'a number' => [ ttl => 60 ],
    'no subject' => [ subject => '' ], 'a bad one' => [ subject => 'CN' ],
    'no names' => [ sans => '' ], 'strange names' => [ sans => 'a.example' ],
    'a bad name' => [ sans => 'dns:a b' ],
    'a device of two lines' => [ device => "a\r\nb" ],
    'no device' => [ device => '' ], 'no user' => [ user => '' ],
    'a long user' => [ user => 'x' x 1025 ],
    'something else' => [ challenge => 'mine' ],
);
my $before = @{ redis_cmd('KEYS', 'pki:{demo}:challenge:*') };
for (sort keys %wrong) {
    my %data = (authority => 'demo', @{ $wrong{$_} });
    delete $data{authority} if !defined $data{authority};
    is($call->(\%data), '400 bad_request', $_);
}
is(@{ redis_cmd('KEYS', 'pki:{demo}:challenge:*') }, $before, 'none is made');

for (qw( /api/api/challenges/x /api/api/challenges/ /api/api/challenge )) {
    is((api('POST', $_, {}, user => 'admin:secret'))[0], 404, $_);
}
is((api('GET', '/api/api/challenges', undef, user => 'admin:secret'))[0], 405);
is((post('/api/api/challenges', '{}', user => 'admin:secret', headers => {
    'Content-Type' => 'text/plain' }))[0], 400, 'a form of another site');



=== TEST 9: who had one made for whom is logged, the secret is nowhere
--- config eval
$::locations
--- perl
rest_ready();
truncate "$ENV{TEST_NGINX_WORK}/access.json", 0;
my @secrets = (page_secret($::page), (post('/text', '', @::mdm))[2],
               challenge('/json', { device => 'computers/12',
                                    user => 'a@contoso.example' }),
               challenge('/api/api/challenges', { authority => 'demo' },
                         user => 'admin:secret'));
ok(defined enrolled('/scep', $secrets[0]), 'one is used');
is(scalar(grep { defined && /\A\w{32}\z/ } @secrets), 4);

my $log = error_log();
my @made = $log =~ /\[notice\] \S+ one-time challenge made for (.*)/g;
is($made[2], '"mdm", scope: "device", seconds: 3600, device: "computers/12",'
             . ' user: "a@contoso.example", authority: demo,'
             . ' client: 127.0.0.1', 'who, and for whom');
is($made[3], '"admin", scope: "default", seconds: 3600, authority: demo,'
             . ' client: 127.0.0.1');
is(@made, 4, 'one line each');

my $access = slurp("$ENV{TEST_NGINX_WORK}/access.json");
my $dump = join "\n", map {
    my ($key, $type) = ($_, redis_cmd('TYPE', $_));
    my $value = $type eq 'string' ? redis_cmd('GET', $key)
              : $type eq 'hash'   ? redis_cmd('HGETALL', $key)
              : $type eq 'zset'   ? redis_cmd('ZRANGE', $key, 0, -1)
              : redis_cmd('XRANGE', $key, '-', '+');
    $key . JSON::PP->new->allow_nonref->latin1->encode($value);
} @{ redis_cmd('KEYS', '*') };
like($dump, qr/challenge:[0-9a-f]{64}/, 'Redis has hashes');

for (@secrets) {
    ok(index(uc $log, $_) < 0, 'not in the error log');
    ok(index(uc $access, $_) < 0, 'not in the access log');
    ok(index(uc $dump, $_) < 0, 'not in Redis');
}
my ($line) = grep { $_->{uri} eq '/json' }
             access_log("$ENV{TEST_NGINX_WORK}/access.json");
is("$line->{user} $line->{authority} $line->{status}", 'mdm demo 201');
like($line->{store_time}, qr/^0\.\d{3}\z/);



=== TEST 10: Redis is away
--- config eval
$::locations
--- perl
rest_ready();
redis_kill();
my ($status, $headers, $body) = get($::page);
is($status, 503, 'the page');
is($headers->{'retry-after'}, 5);
like(read_page($body), qr/no challenge password at the moment/);
is(scrape(read_page($body)), undef);
($status, $headers, $body) = post('/text', '', @::mdm);
is($status, 503, 'the text');
is($headers->{'retry-after'}, 5);
is($body, "try again later\n");
is(json('/json'), '503 unavailable', 'JSON');
is(json('/api/api/challenges', { authority => 'demo' },
        user => 'admin:secret'), '503 unavailable', 'the API');
redis_restart();
ok(wait_until(sub { defined page_secret($::page) }, 10), 'it is back');
--- no_error_log
[alert]



=== TEST 11: the authority is not ready
--- http_config
pki_authority later {
    subject CN=later;
    key file:$TEST_NGINX_WORK/later.key;
    certificate $TEST_NGINX_WORK/later.pem;
    create ec:P-256 validity=1y;
    csr $TEST_NGINX_WORK/later.csr;
    base_url http://localhost;
}
--- config
location /page { auth_basic x; scep_challenge_issue later; }
location /text { auth_basic x; scep_challenge_issue later format=text; }
location /json { auth_basic x; scep_challenge_issue later format=json; }
--- perl
is((get('/page'))[0], 503);
is((post('/text', '', @::mdm))[0], 503);
is(json('/json'), '503 unavailable');



=== TEST 12: scep_challenge_issue where nobody is authenticated
--- config
location /x { scep_challenge_issue demo; }
--- must_die
--- error_log
"scep_challenge_issue" in location "/x" would give challenges to anybody



=== TEST 13: with auth_basic off
--- config
location /x { auth_basic off; scep_challenge_issue demo; }
--- must_die
--- error_log
"scep_challenge_issue" in location "/x" would give challenges to anybody



=== TEST 14: with satisfy any
--- config
location /x { auth_basic x; satisfy any; allow all;
              scep_challenge_issue demo; }
--- must_die
--- error_log
"scep_challenge_issue" in location "/x" would give challenges to anybody



=== TEST 15: twice
--- config
location /x { auth_basic x; scep_challenge_issue demo;
              scep_challenge_issue ec; }
--- must_die
--- error_log
"scep_challenge_issue" directive is duplicate



=== TEST 16: beside another handler
--- config
location /x { auth_basic x; scep demo; scep_challenge_issue demo; }
--- must_die
--- error_log
"scep_challenge_issue" directive conflicts with another handler



=== TEST 17: of an unknown authority
--- config
location /x { auth_basic x; scep_challenge_issue none; }
--- must_die
--- error_log
unknown authority "none" in "scep_challenge_issue"



=== TEST 18: without an authority
--- config
location /x { auth_basic x; scep_challenge_issue; }
--- must_die
--- error_log
invalid number of arguments in "scep_challenge_issue" directive



=== TEST 19: outside of a location
--- config
scep_challenge_issue demo;
--- must_die
--- error_log
"scep_challenge_issue" directive is not allowed here



=== TEST 20: an unknown format
--- config
location /x { auth_basic x; scep_challenge_issue demo format=html; }
--- must_die
--- error_log
invalid value in "format=html", it must be "ndes", "text" or "json"



=== TEST 21: an unknown parameter
--- config
location /x { auth_basic x; scep_challenge_issue demo size=1; }
--- must_die
--- error_log
invalid parameter "size=1"



=== TEST 22: a parameter without a value
--- config
location /x { auth_basic x; scep_challenge_issue demo format; }
--- must_die
--- error_log
invalid parameter "format"



=== TEST 23: a parameter twice
--- config
location /x { auth_basic x; scep_challenge_issue demo ttl=1h ttl=1h; }
--- must_die
--- error_log
duplicate parameter "ttl=1h"



=== TEST 24: a ttl that is none
--- config
location /x { auth_basic x; scep_challenge_issue demo ttl=soon; }
--- must_die
--- error_log
invalid value in "ttl=soon", it must be a time from "1s" to "365d"



=== TEST 25: a ttl that is too long
--- config
location /x { auth_basic x; scep_challenge_issue demo ttl=366d; }
--- must_die
--- error_log
invalid value in "ttl=366d", it must be a time from "1s" to "365d"



=== TEST 26: an empty scope
--- config
location /x { auth_basic x; scep_challenge_issue demo scope=; }
--- must_die
--- error_log
invalid value in "scope=", it must be a name of 1 to 64 octets



=== TEST 27: no quota
--- config
location /x { auth_basic x; scep_challenge_issue demo quota=0; }
--- must_die
--- error_log
invalid value in "quota=0", it must be 1 to 1000000



=== TEST 28: a secret that can be guessed
--- config
location /x { auth_basic x; scep_challenge_issue demo length=15; }
--- must_die
--- error_log
invalid value in "length=15", it must be 16 to 32



=== TEST 29: a secret that is too long for some
--- config
location /x { auth_basic x; scep_challenge_issue demo length=33; }
--- must_die
--- error_log
invalid value in "length=33", it must be 16 to 32



=== TEST 30: bind with another variable
--- config
location /x { auth_basic x; scep_challenge_issue demo format=text
              "bind=CN=${cn}"; }
--- must_die
--- error_log
it has a variable other than ${serial} and ${uuid}



=== TEST 31: bind that is no name
--- config
location /x { auth_basic x; scep_challenge_issue demo format=text
              "bind=${serial}"; }
--- must_die
--- error_log
invalid value in "bind=${serial}", it



=== TEST 32: bind in another format
--- config
location /x { auth_basic x; scep_challenge_issue demo "bind=CN=${serial}"; }
--- must_die
--- error_log
has "bind", which goes only with "format=text"



=== TEST 33: a profile whose name is too long for a scope
--- config eval
my $name = 'x' x 65;
"location /x { auth_basic x; scep_profile $name; scep_challenge_issue demo; }"
--- must_die
--- error_log
needs "scope=", the name of the profile is too long



=== TEST 34: challenges that no location takes
--- config
--- perl
my $said = sub {
    my ($server) = @_;
    my $nginx = PKI::Nginx->new(
        http => 'pki_redis ' . redis()->url . ";\n"
                . 'auth_basic_user_file $TEST_NGINX_WORK/htpasswd;'
                . authority('demo') . authority('ec', key => 'ec:P-256'),
        server => "auth_basic x; $server");
    my ($code, $said) = $nginx->test;
    is($code, 0) or diag($said);
    my ($which) = $said =~ /\[warn\] (\S+ in location "\S+") makes/;
    return $which // 'none';
};
my $scep = 'location /scep { auth_basic off; scep_profile device;
            scep demo; scep_challenge one_time; }';
my $lost = '"scep_challenge_issue" in location "/x"';

is($said->("$scep location /x { scep_challenge_issue demo; }"), $lost,
   'another profile');
is($said->("$scep location /x { scep_challenge_issue demo scope=y; }"), $lost,
   'another scope');
is($said->("$scep location /x { scep_profile device;
            scep_challenge_issue demo; }"), 'none', 'the same profile');
is($said->("$scep location /x { scep_challenge_issue demo scope=device; }"),
   'none', 'the same scope');
is($said->("$scep location /x { scep_challenge_issue ec; }"), 'none',
   'of an authority whose devices enrol elsewhere');
is($said->('location /x { scep_challenge_issue demo; }'), 'none',
   'with none at all');



=== TEST 35: challenges that live too long, or that nothing makes
--- config
--- perl
my $said = sub {
    my ($server) = @_;
    my $nginx = PKI::Nginx->new(
        http => 'pki_redis ' . redis()->url . ";\n"
                . 'auth_basic_user_file $TEST_NGINX_WORK/htpasswd;'
                . authority('demo') . authority('ec', key => 'ec:P-256'),
        server => "auth_basic x; $server");
    my ($code, $said) = $nginx->test;
    is($code, 0) or diag($said);
    return join "\n", $said =~ /\[warn\] (.*one_time.*)/g;
};
my $scep = sub { "location $_[0] { auth_basic off; scep demo;
                  scep_challenge one_time $_[1]; }" };
my $made = sub { "location /x { scep_challenge_issue demo $_[0]; }" };

like($said->($scep->('/a', '') . $made->('ttl=24h')),
     qr{in location "/x" makes challenges for 86400 s, .* for 3600 s: set},
     'a day, of which an hour is good');
is($said->($scep->('/a', '') . $scep->('/b', 'ttl=24h')
           . $made->('ttl=24h')), '', 'one location takes them');
like($said->($scep->('/a', '') . $scep->('/b', 'ttl=24h scope=y')
             . $made->('ttl=24h') . $made->('scope=y') =~ s{/x}{/y}r),
     qr{in location "/x" makes challenges for 86400 s}, 'of another scope');
is($said->($scep->('/a', 'ttl=2h') . $made->('')), '', 'shorter ones');
is($said->($made->('ttl=24h')), '', 'taken elsewhere');

like($said->($scep->('/a', '') . $scep->('/b', '')),
     qr{\A"scep_challenge one_time" in location "/a" takes [^\n]*default[^\n]*\z},
     'nothing makes them, said once');
like($said->($scep->('/a', 'scope=y') . $scep->('/b', '') . $made->('')),
     qr{"/a" takes .* scope "y"}, 'of one scope');
my $master = 'certificate_master_user $remote_user;
              certificate_master_roles admin;';
is($said->($scep->('/a', 'scope=y')
           . "location /api/ { certificate_master ec demo; $master }"), '',
   'the JSON API does');
like($said->($scep->('/a', 'scope=y')
             . "location /api/ { certificate_master ec; $master }"),
     qr{"/a" takes}, 'of another authority');
