# What goes wrong with a key vault: how often it is asked again, what the
# client and the log are told, that nothing wrong is released or recorded, and
# that all recovers by itself.  How keys come to be is in 70-keyvault.t.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use Time::HiRes qw( time );

redis_start();
start_azure();

# A key of its own for each fault: what a vault refuses is not tried again for
# half a minute.

our @keys = qw( once twice expired rbac firewall missing conflict invalid
                unauthorized paused throttled five reset silent late truncated
                html huge redirect kid kidtwice corrupt short shared reload
                wire resolve );

azure_key($_, kty => 'EC', crv => 'P-256', key_ops => ['sign']) for @keys;
azure_key('rsa', kty => 'RSA', key_size => 2048,
          key_ops => ['sign', 'unwrapKey']);
azure_key('limited', kty => 'RSA-HSM', key_size => 2048, key_ops => ['sign']);

our $settings = 'rate=0 timeout=1s budget=9s';

sub vault_config {
    my ($settings, @names) = @_;

    my $config = <<"END";
resolver 127.0.0.1:\$TEST_NGINX_AZURE_DNS_PORT ipv6=off valid=1s;
resolver_timeout 1s;
pki_trusted_certificate \$TEST_NGINX_AZURE_CA;
pki_key_vault $settings;
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:\$TEST_NGINX_AZURE_HTTP_PORT;
}
END

    for my $name (@names) {
        my ($host, $key) = ref $name ? @$name
                                     : ('$TEST_NGINX_AZURE_VAULT', $name);

        $config .= <<"END";
pki_authority $key {
    subject     "CN=$key CA,O=Test";
    key         keyvault:https://$host/keys/$key;
    certificate ${\ work_dir() }/$key.pem;
    create      ${\ ($key =~ /^(?:rsa|limited)/ ? 'rsa:2048' : 'ec:P-256') };
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END
    }

    return $config;
}

sub locations {
    return "location = /probe { pki_probe; }\n"
           . join '', map { "location = /$_/enroll { enroll $_; "
                            . "enroll_auth none insecure; }\n" } @_;
}

our $http = vault_config($settings, @keys, 'rsa');
our $locations = locations(@keys, 'rsa');

our $key = new_key('ec:P-256');
our $mark = 0;

sub ready {
    my $probe;
    return wait_ready(sub {
        (undef, undef, $probe) = http_get('/probe');
        $mark = length error_log();
        $probe =~ /^authority/m && $probe !~ /^authority(?!.*: ok)/m }, 30)
        || diag($probe) && 0;
}

# Tries to enrol: status, Retry-After, certificate.  Somebody else each time: a
# retry would get the same certificate.

my $requests = 0;

sub request {
    return slurp(new_csr(key => $key, subject => '/CN=r' . ++$requests));
}

sub issue {
    my ($name, $csr) = @_;
    my ($status, $headers, $body) = http_post("/$name/enroll",
                                              $csr // request(),
                                              timeout => 30);
    return ($status, $headers->{'retry-after'}, $body);
}

# What the log says of vaults since the last time, by level.

sub vault_lines {
    my ($level) = @_;
    return grep { /\[$level\].*key vault/ }
           split /\n/, substr error_log(), $mark;
}

sub recorded {
    return scalar @{ redis_cmd('KEYS', "pki:{$_[0]}:cert:*") };
}

sub signs { return azure_counters()->{requests}{sign} // 0 }

# What it says.

our $internal = qr/fails at .*: 500 Internal Server Error \(InternalError\): Broken\./;
our $rbac = qr/refuses .*: 403 Forbidden \(ForbiddenByRbac\): Caller is not authorized to .*\./;
our $wrong = qr/fails at .*: 200 with a wrong answer/;
our $guid = qr/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;

# A fault for ever: the client may come again, one line in the log says what
# "like" wants, nothing is recorded, "asked" tries were made.  And then, unless
# told otherwise, recovery.

sub refused {
    my ($name, %o) = @_;

    my $before = recorded($name);

    azure_reset();
    azure_fault(op => 'sign', key => $name, count => -1, %{ $o{fault} });
    $mark = length error_log();

    my $start = time();
    my ($status, $again) = issue($name);
    my $taken = time() - $start;

    is($status, 503, "$name: no certificate");
    ok($again, "$name: but come again");
    is(recorded($name), $before, "$name: nothing is recorded");
    is(signs(), $o{asked}, "$name: asked $o{asked} times") if $o{asked};
    cmp_ok($taken, '<', $o{within} || 10, "$name: within the budget");

    my @lines = vault_lines('error');
    is(scalar @lines, 1, "$name: one line in the log") or diag(@lines);
    like($lines[0] // '', qr/key vault "contoso\.vault\.azure\.net:\d+" /,
         "$name: names the vault");
    like($lines[0] // '', qr/ sign with key "$name": /,
         "$name: the operation and the key");
    like($lines[0] // '', $o{like}, "$name: and what happened");

    recovered($name) unless $o{lasting};
}

sub recovered {
    my ($name) = @_;

    my $before = recorded($name);

    azure_reset();

    my ($status, undef, $body) = issue($name);
    is($status, 201, "$name: works again") or diag($body);
    is(recorded($name), $before + 1, "$name: one certificate is recorded");
}

# A fault that passes: the client notices nothing, nor does the log at error.

sub survived {
    my ($name, %o) = @_;

    azure_reset();
    azure_fault(op => 'sign', key => $name, %{ $o{fault} });
    $mark = length error_log();

    my ($status) = issue($name);

    is($status, 201, "$name: a certificate");
    is(signs(), $o{asked}, "$name: asked $o{asked} times") if $o{asked};

    my @lines = vault_lines('error');
    is(scalar @lines, 0, "$name: nothing in the log") or diag(@lines);
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: what passes when it is tried again
--- http_config eval: $::http
--- config eval: $::locations
--- perl
ok(ready(), 'ready');

survived('once', asked => 2,
         fault => { do => 'status', status => 401, code => 'Unauthorized' });
survived('twice', asked => 3, fault => { do => 'akv10046', count => 2 });

azure_reset();
azure_token(expire => 1);
is((issue('expired'))[0], 201, 'a token that the vault no longer takes');
is(signs(), 4, 'the same twice more, then another one');
is(azure_counters()->{tokens_issued}, 1, 'one of which was got');

survived($_->[0], asked => 2, fault => $_->[1])
    for [five => { do => 'status', status => 500, code => 'InternalError' }],
        [five => { do => 'status', status => 502 }],
        [five => { do => 'status', status => 503 }],
        [five => { do => 'status', status => 408 }],
        [paused => { do => 'throttle' }],
        [paused => { do => 'throttle', retry_after => 1 }],
        [reset => { do => 'reset' }],
        [reset => { do => 'reset_body' }],
        [reset => { do => 'close_body' }],
        [silent => { do => 'hang' }],
        [truncated => { do => 'truncate' }],
        [html => { do => 'html', status => 200 }],
        [kid => { do => 'wrong_kid' }],
        [corrupt => { do => 'corrupt' }],
        [rsa => { do => 'corrupt', byte => 0 }],
        [rsa => { do => 'replace', fields => { value => 'AAEC' } }];

survived('reset', asked => 1, fault => { do => 'drop', count => 8 })
    for 1 .. 8;

my @warned = grep { /then a right one/ } split /\n/, error_log();
is(scalar @warned, 6, 'wrong answers are told, though they did not last');
is(scalar(grep { /\[warn\].*corrupt": the public key does not verify/ }
               @warned), 1, 'and what was wrong');



=== TEST 2: what does not pass
--- timeout: 60
--- http_config eval: $::http
--- config eval: $::locations
--- perl
ok(ready(), 'ready');

refused('five', asked => 4,
        fault => { do => 'status', status => 500, code => 'InternalError',
                   message => "Broken.\r\nTruly \x01so." },
        like => qr/$::internal, retries: 3, request: "\S+", client request: "$::guid"/);
refused('five', asked => 4, fault => { do => 'status', status => 503 },
        like => qr/: 503 Service Unavailable \(/);
refused('conflict', asked => 1,
        fault => { do => 'status', status => 409, code => 'Conflict',
                   inner => 'ObjectIsBeingRecovered' },
        like => qr/refuses .*: 409 Conflict \(ObjectIsBeingRecovered\)/);
refused('invalid', asked => 1,
        fault => { do => 'status', status => 400, code => 'BadParameter' },
        like => qr/refuses .*: 400 Bad Request \(BadParameter\)/);
refused('redirect', asked => 1,
        fault => { do => 'redirect', location => 'https://evil.example/' },
        like => qr/fails at .*: 30\d.* it answers with a redirect/);
refused('reset', asked => 4, fault => { do => 'reset_body' },
        like => qr/fails at /);
refused('huge', asked => 4, fault => { do => 'huge' },
        like => qr/fails at /);
refused('silent', fault => { do => 'hang' }, like => qr/fails at /);
refused('late', fault => { do => 'delay', ms => 12000 },
        like => qr/fails at /);
refused('throttled', fault => { do => 'throttle', retry_after => 30 },
        asked => 1, within => 2, lasting => 1,
        like => qr/: 429 Too Many Requests \(Throttled\): /);
is(scalar(vault_lines('warn')), 1, 'the pause is told once');
like((vault_lines('warn'))[0], qr/gets no calls for 30000 ms/, 'its length');

my $signs = signs();
my ($status) = issue('once');
is($status, 503, 'the gate is closed for all keys of the vault');
is(signs(), $signs, 'which is left in peace');



=== TEST 3: what is not tried again for half a minute, but then
--- timeout: 120
--- http_config eval: $::http
--- config eval: $::locations
--- perl
ok(ready(), 'ready');

my $start = time();

refused('rbac', asked => 1, lasting => 1,
        fault => { do => 'status', status => 403, code => 'Forbidden',
                   inner => 'ForbiddenByRbac',
                   message => "Caller is not authorized to perform action on "
                              . "resource.\r\nAction: sign" },
        like => qr/$::rbac, retries: 0/);

my ($status) = issue('rbac') for 1 .. 3;
is(signs(), 1, 'the vault is not asked again');
is(scalar(vault_lines('error')), 1, 'nor the log filled');

my (undef, undef, $probe) = http_get('/probe');
like($probe, qr/^authority rbac: .*"contoso.* \(ForbiddenByRbac\)/m,
     'the probe has its words');
like($probe, qr/^authority once: ok/m, 'other keys are well');

refused('firewall', asked => 1, lasting => 1,
        fault => { do => 'status', status => 403, code => 'Forbidden',
                   inner => 'ForbiddenByFirewall' },
        like => qr/refuses .*: 403 Forbidden \(ForbiddenByFirewall\)/);
refused('missing', asked => 1, lasting => 1,
        fault => { do => 'status', status => 404, code => 'KeyNotFound' },
        like => qr/refuses .*: 404 Not Found \(KeyNotFound\)/);
refused('unauthorized', asked => 4, lasting => 1,
        fault => { do => 'status', status => 401, code => 'Unauthorized',
                   message => 'AKV10022: Invalid audience.' },
        like => qr/refuses .*: 401 Unauthorized: AKV10022: Invalid audience\./);
refused('truncated', asked => 2, lasting => 1,
        fault => { do => 'truncate' },
        like => qr/$::wrong: malformed JSON/);
refused('html', asked => 2, lasting => 1,
        fault => { do => 'html', status => 200 },
        like => qr/$::wrong: malformed JSON/);
refused('kidtwice', asked => 2, lasting => 1,
        fault => { do => 'wrong_kid' },
        like => qr/$::wrong: "kid" /);
refused('corrupt', asked => 2, lasting => 1,
        fault => { do => 'corrupt' },
        like => qr/$::wrong: the public key does not verify the signature/);
refused('rsa', asked => 2, lasting => 1,
        fault => { do => 'corrupt' },
        like => qr/$::wrong: the public key does not verify the signature/);
refused('short', asked => 2, lasting => 1,
        fault => { do => 'replace', fields => { value => 'AAEC' } },
        like => qr/$::wrong: the signature has a wrong length/);

# meanwhile the first may be tried again

azure_reset();
is((issue('short'))[0], 503, 'not yet');
is(signs(), 0, 'and not asked');

sleep 1 while time() - $start < 31;

$::mark = length error_log();
recovered('rbac');
is(scalar(grep { /works again: sign with key "rbac"/ }
               vault_lines('notice')), 1, 'which is told once');

sleep 1 while time() - $start < 55;

recovered($_) for qw( firewall missing unauthorized truncated html kidtwice
                      corrupt rsa );

(undef, undef, $probe) = http_get('/probe');
like($probe, qr/^authority $_: ok/m, "the probe: $_ is well")
    for qw( rbac firewall missing );



=== TEST 4: no connection, no name
--- timeout: 60
--- http_config eval: $::http
--- config eval: $::locations
--- perl
ok(ready(), 'ready');

azure_reset();
azure_listen(https => 'closed');
azure_token(expire => 0);

for my $name ('wire') {
    $::mark = length error_log();
    my ($status, $again) = issue($name);
    is($status, 503, 'refused: no certificate');
    ok($again, 'but come again');
    is(recorded($name), 0, 'nothing is recorded');
    my @lines = vault_lines('error');
    is(scalar @lines, 1, 'one line in the log') or diag(@lines);
    like($lines[0] // '', qr/fails at sign with key "wire": \S/, 'says why');
    like((http_get('/probe'))[2], qr/^authority wire: .*fails at sign/m,
         'and so does the probe');
}

azure_dns(ttl => 1, fail => { 'contoso.vault.azure.net' => 'nxdomain' });
azure_listen(https => 'open');
select undef, undef, undef, 2.5;

$::mark = length error_log();
my ($status) = issue('resolve');
is($status, 503, 'no name: no certificate');
is(recorded('resolve'), 0, 'nothing is recorded');
my @lines = vault_lines('error');
is(scalar @lines, 1, 'one line in the log') or diag(@lines);
like($lines[0] // '', qr/fails at sign with key "resolve": .*contoso/,
     'names what cannot be resolved');

azure_reset();
ok(wait_until(sub { (issue('wire'))[0] == 201 }, 15), 'works again');
ok(wait_until(sub { (issue('resolve'))[0] == 201 }, 15), 'both do');



=== TEST 5: a vault that is somebody else
--- http_config eval
::vault_config($::settings,
               ["localhost:$ENV{TEST_NGINX_AZURE_WRONG_PORT}", 'once']);
--- config eval: ::locations('once')
--- perl
redis_cmd('DEL', 'pki:{once}:ca');
unlink work_dir() . '/once.pem';

my @lines;
my $gets = azure_counters()->{requests}{get};
ok(wait_until(sub {
    @lines = grep { /\[error\].*key vault "localhost:\d+" fails at get of key "once": \S/ }
             split /\n/, error_log();
    scalar @lines }, 15), 'its certificate is not trusted');
is(azure_counters()->{requests}{get}, $gets, 'and it is told nothing');
is((issue('once'))[0], 503, 'nothing is issued');
ok(wait_until(sub {
    (http_get('/probe'))[2] =~ /^authority once: .*key vault/m }, 10),
   'the probe says so') or diag((http_get('/probe'))[2]);
--- no_error_log
[alert]
--- error_log
key vault



=== TEST 6: no token
--- http_config eval: ::vault_config($::settings, 'twice')
--- config eval: ::locations('twice')
--- perl
ok(ready(), 'ready');
azure_reset();
azure_token(expire => 1);
azure_fault(op => 'imds', count => -1, do => 'status', status => 400,
            code => 'invalid_request');
$::mark = length error_log();

my ($status) = issue('twice');
is($status, 503, 'no certificate');
my @lines = vault_lines('error');
is(scalar @lines, 1, 'one line of the vault') or diag(@lines);
like($lines[0] // '', qr/fails at sign with key "twice": no access token: \S/,
     'says that it is the token');
unlike(error_log(), qr/eyJ[A-Za-z0-9_-]{10}|Bearer/, 'and no token is logged');

azure_reset();
ok(wait_until(sub { (issue('twice'))[0] == 201 }, 40), 'works again');



=== TEST 7: what one worker knows all know; a reload tries anew
--- http_config eval: ::vault_config($::settings, 'shared', 'reload')
--- config eval: ::locations('shared', 'reload')
--- perl
ok(ready(), 'ready');
azure_reset();
azure_fault(op => 'sign', count => -1, do => 'status', status => 403,
            code => 'Forbidden', inner => 'AccessDenied');

is((issue('shared'))[0], 503, 'refused') for 1 .. 12;
is(signs(), 1, 'by the vault once, whichever worker');

is((issue('reload'))[0], 503, 'refused');
azure_reset();
is((issue('reload'))[0], 503, 'not asked again yet');
ok(nginx_reload(), 'reloaded');
ok(wait_until(sub { (issue('reload'))[0] == 201 }, 10), 'works at once');
ok(wait_until(sub { (issue('shared'))[0] == 201 }, 10), 'so does the other');



=== TEST 8: the vault's limit is kept
--- timeout: 60
--- http_config eval: ::vault_config('rate=20 budget=10s', 'limited')
--- config eval: ::locations('limited')
--- perl
ok(ready(), 'ready');
sleep 3;
azure_reset();
azure_limit(units => 70, seconds => 1, retry_after => 1);

# 40 go at once, 20 a second after that

my @requests = map { request() } 1 .. 100;
my $start = time();
my @pids = map {
    my $pid = fork() // die $!;
    if ($pid == 0) {
        my ($status) = issue('limited', $_);
        POSIX::_exit($status == 201 ? 0 : 1);
    }
    $pid;
} @requests;

my $good = 0;
for (@pids) { waitpid $_, 0; $good++ if $? == 0 }
my $taken = time() - $start;

is($good, 100, 'all are served');
is(azure_counters()->{status}{sign}{429} // 0, 0, 'none was throttled');
cmp_ok($taken, '>', 2.5, 'by the rate');
cmp_ok($taken, '<', 8, 'but not slower');



=== TEST 9: an envelope that the vault does not open
--- http_config eval: ::vault_config($::settings, 'rsa')
--- config eval
::locations('rsa') . "location = /ca { pki_certificate rsa; }\n"
. "location /scep { scep rsa; scep_challenge none insecure; }\n";
--- perl
ok(ready(), 'ready');

my $ca = ca_certificate('/ca');
my $device = new_key();
my %scep = (url => '/scep', key => $device, ca => $ca);

azure_reset();
ok(scep_enroll(%scep, subject => 'CN=one'), 'SCEP: a certificate');
is(azure_counters()->{requests}{unwrapkey}, 1, 'opened by the vault');

# what a client can bring about is no trouble

azure_fault(op => 'unwrapkey', do => 'status', status => 400,
            code => 'BadParameter');
$::mark = length error_log();
my $before = recorded('rsa');
ok(!scep_enroll(%scep, subject => 'CN=two'), 'wrong padding: refused');
is(recorded('rsa'), $before, 'nothing is recorded');
is(scalar(vault_lines('(?:error|warn)')), 0, 'no error of the vault');
is(scalar(vault_lines('info')), 1, 'but told at info');
like((http_get('/probe'))[2], qr/^authority rsa: ok/m, 'the probe is well');

# a vault may refuse to unwrap and sign all the same

azure_reset();
azure_fault(op => 'unwrapkey', count => -1, do => 'status', status => 403,
            code => 'Forbidden', inner => 'KeyOperationForbidden');
ok(!scep_enroll(%scep, subject => 'CN=three'), 'not allowed: refused');
ok(!scep_enroll(%scep, subject => 'CN=four'), 'and again');
is(azure_counters()->{requests}{unwrapkey}, 1, 'but not asked again');
is(recorded('rsa'), $before, 'nothing is recorded');

my @lines = vault_lines('error');
is(scalar @lines, 1, 'one line in the log') or diag(@lines);
like($lines[0], qr/refuses unwrap with key "rsa": 403 Forbidden \(KeyOperation/,
     'says what');
is((issue('rsa'))[0], 201, 'others can enrol');
like((http_get('/probe'))[2], qr/^authority rsa: .*refuses unwrap/m,
     'and the probe still says what does not work');



=== TEST 10: a reload with calls under way, and some that wait for a retry
--- timeout: 60
--- http_config eval: ::vault_config('rate=0', 'shared')
--- config eval: ::locations('shared')
--- perl
ok(ready(), 'ready');
azure_reset();
azure_latency(sign => 800);
azure_fault(op => 'sign', count => 5, skip => 10, do => 'status',
            status => 503);

my $before = recorded('shared');
my @requests = map { request() } 1 .. 50;
my @pids = map {
    my $pid = fork() // die $!;
    if ($pid == 0) {
        my ($status) = issue('shared', $_);
        POSIX::_exit($status == 201 ? 0 : 1);
    }
    $pid;
} @requests;

ok(wait_until(sub { (azure_counters()->{concurrent}{all} // 0) >= 8 }, 5),
   'calls are under way');
ok(nginx_reload(), 'reloaded');

my $good = 0;
for (@pids) { waitpid $_, 0; $good++ if $? == 0 }

is($good, 50, 'all finish');
is(recorded('shared') - $before, 50, 'and are recorded');
azure_reset();
is((issue('shared'))[0], 201, 'the new workers serve');
