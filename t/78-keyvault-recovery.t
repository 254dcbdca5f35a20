# What an authority with a vault key makes of states that should not be: another
# key, a certificate that is none, a lock of the dead, a Redis that has lost
# everything, answers that break off.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Vault;

redis_start();
key_vault();

our $key = new_key('ec:P-256');

sub refused {
    my ($node, $name, $what) = @_;
    return is((http_post("/$name/enroll", slurp(new_csr(key => $key)),
                         port => $node->port))[0], 503, $what);
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a certificate in Redis that is not of the key named beside it
--- config
--- perl
my $good = node('good', good => ['rsa:2048'])->start;
ok(ready($good, 'good'), 'ready');
my %ca = @{ redis_cmd('HGETALL', 'pki:{good}:ca') };
ok($good->stop, 'stops');

azure_key('moved', kty => 'RSA', key_size => 2048,
          key_ops => ['sign', 'unwrapKey']);
my $version = azure_keys()->{moved}[0]{version};
redis_cmd('HSET', 'pki:{moved}:ca', 'certificate', $ca{certificate}, 'key',
          "https://$ENV{TEST_NGINX_AZURE_VAULT}/keys/moved/$version");

my $node = node('moved', moved => [])->start;
ok(says($node, qr/authority moved: the key .* is not that of the certificate/),
   'told');
sleep 2;
ok(!(grep { probe($node) !~ /is not that of the certificate/ } 1 .. 8),
   'by both workers, and it stays so');
refused($node, 'moved', 'nothing is issued');
ok($node->stop, 'stops');
clean_log($node);



=== TEST 2: "create" with a version that is not there makes no other one
--- config
--- perl
azure_key('vers', kty => 'RSA', key_size => 2048,
          key_ops => ['sign', 'unwrapKey']);
my $node = node('vers', vers => ['rsa:2048']);
my $conf = slurp($node->prefix . '/conf/nginx.conf');
$conf =~ s{/keys/vers;}{/keys/vers/0123456789abcdef0123456789abcdef;} or die;
$node->configure(file => work_file('vers.conf', $conf))->start;
ok(says($node, qr/authority vers: key vault: 404 /), 'told');
is(scalar @{ azure_keys()->{vers} }, 1, 'no other version was made');
is(redis_cmd('EXISTS', 'pki:{vers}:ca'), 0, 'no certificate either');
ok($node->stop, 'stops');



=== TEST 3: the lock is held by a node that has died
--- config
--- perl
redis_cmd('SET', 'pki:{hot}:lock:ca', 'dead', 'PX', 30000);
redis_cmd('CONFIG', 'RESETSTAT');
my $node = node('hot', hot => ['rsa:2048'])->start;
sleep 3;
my ($calls) = redis_cmd('INFO', 'commandstats')
              =~ /cmdstat_set:calls=(\d+)/;
ok($calls > 2 && $calls < 60, 'asked for now and then') or diag($calls);
redis_cmd('DEL', 'pki:{hot}:lock:ca');
ok(ready($node, 'hot'), 'ready when it is free');
ok($node->stop, 'stops');
clean_log($node);



=== TEST 4: a deleted key holds the name
--- config
--- perl
azure_fault(op => 'create', count => -1, do => 'status', status => 409,
            code => 'Conflict', inner => 'ObjectIsDeletedButRecoverable',
            message => 'Key gone is currently in a deleted but recoverable '
                       . 'state');
my $node = node('gone', gone => ['rsa:2048'])->start;
ok(says($node, qr/authority gone: key vault: 409 .*ObjectIsDeletedButRecov/),
   'the probe has the vault\'s own words');
like($node->log, qr/\[error\].* refuses create of key "gone": 409 .*deleted but recoverable/,
     'the log as well');
azure_reset();
ok(ready($node, 'gone', 40), 'ready when it is purged');
ok($node->stop, 'stops');



=== TEST 5: a certificate in Redis that is none of a CA is refused for nothing
--- config
--- perl
my $work = work_dir();
openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-keyout', "$work/l.key", '-out', "$work/l.der", '-outform', 'DER',
        '-subj', '/CN=leaf', '-addext', 'basicConstraints=critical,CA:FALSE');
redis_cmd('HSET', 'pki:{leaf}:ca', 'certificate', slurp("$work/l.der"));
my $node = node('leaf', leaf => ['rsa:2048'])->start;
ok(says($node, qr/authority leaf: the certificate of this authority in redis is not that of a CA/),
   'told');
is(azure_keys()->{leaf}, undef, 'no key is made');
my $lines = () = $node->log =~ /in redis is not that of a CA/g;
ok($lines <= 2, 'one line a worker') or diag($lines);
ok($node->stop, 'stops');



=== TEST 6: Redis has lost everything, and a node without a copy comes first
--- config
--- perl
my $old = node('old', lost => ['rsa:2048', 'ra auto;'])->start;
ok(ready($old, 'lost'), 'ready');
my $ca = slurp(ca_of($old, 'lost'));
redis_cmd('FLUSHALL');
my $new = node('new', lost => ['rsa:2048', 'ra auto;'])->start;
ok(ready($new, 'lost', 30), 'a fresh one is ready');
is(slurp(ca_of($new, 'lost')), $ca, 'with the certificate of the other');
ok(ready($old, 'lost', 30), 'which is ready, too');
like(issue($_, 'lost'), qr/pem/, 'issues') for $old, $new;
ok($_->stop, 'stops') for $old, $new;
clean_log($_) for $old, $new;



=== TEST 7: an EC key known from Redis only, SCEP without an RA
--- config
--- perl
my $node = node('curve', curve => ['ec:P-256'])->start;
ok(ready($node, 'curve'), 'ready');
ok($node->stop, 'stops');
$node = node('curve2', curve => []);
my $conf = slurp($node->prefix . '/conf/nginx.conf');
$conf =~ s<(location = /curve/enroll)>
          <location /scep { scep curve; scep_challenge none insecure; } $1>
    or die;
$node->configure(file => work_file('curve.conf', $conf))->start;
ok(says($node, qr/authority curve: ok, but not for scep: its key is not RSA/),
   'the probe says so');
like($node->log, qr/\[warn\].*the authority cannot serve scep: its key is not RSA/,
     'the log as well');
is((http_get('/scep?operation=GetCACert', port => $node->port))[0], 503, '503 there');
like(issue($node, 'curve'), qr/pem/, 'the rest works');
ok($node->stop, 'stops');



=== TEST 8: a vault that has made a key and does not come to say so
--- config
--- perl
my $node = node('once', once => ['rsa:2048']);
azure_fault(op => 'create', do => 'reset');
$node->start;
ok(ready($node, 'once', 60), 'ready in the end');
my ($create) = azure_counters()->{requests}{create};
is(scalar @{ azure_keys()->{once} }, 1, 'one version of the key');
like(issue($node, 'once'), qr/pem/, 'issues');
ok($node->stop, 'stops');



=== TEST 9: one worker sees the vault late: no RA of a nameless key
--- config
--- perl
my $node = node('pin', pin => ['rsa:2048', 'ra auto;'])->start;
ok(ready($node, 'pin', 30), 'ready');
ok($node->stop, 'stops');
redis_cmd('DEL', 'pki:{pin}:ca', 'pki:{pin}:ra');
azure_fault(op => 'get', key => 'pin', skip => 1, count => 1, do => 'delay',
            ms => 3000);
$node = node('pin', pin => ['rsa:2048', 'ra auto;'])->start;
ok(ready($node, 'pin', 30), 'ready');
my $version = azure_keys()->{pin}[0]{version};
like(redis_cmd('HGET', 'pki:{pin}:ra', 'current'), qr{/keys/pin/$version},
     'sealed under the key by its whole name');
unlike($node->log, qr/malformed/, 'nothing is malformed');
ok($node->stop, 'stops');



=== TEST 10: wrong signatures: the trials do not call it well
--- config
--- perl
my $node = node('corr', corr => ['rsa:2048', 'ra auto;'])->start;
ok(ready($node, 'corr', 30), 'ready');
azure_fault(op => 'sign', key => 'corr', count => -1, do => 'corrupt');
refused($node, 'corr', 'nothing is released');
ok(says($node, qr/authority corr: .*does not verify the signature/), 'told');
sleep 33;
unlike($node->log, qr/works again/, 'nor after the first trial');
like(probe($node), qr/does not verify the signature/, 'still told');
azure_reset();
ok(ready($node, 'corr', 40), 'well by itself, without a request');
like($node->log, qr/works again/, 'and the log says so');
like(issue($node, 'corr'), qr/pem/, 'issues');
ok($node->stop, 'stops');
