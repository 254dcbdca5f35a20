# An authority whose key is in a key vault: how key, certificate or request
# come to be, for one node and for several, with and without what was there
# before; what its signatures look like; how it reloads.  Faults of the vault
# are in 71-keyvault-faults.t, identities in 72-azure-identity.t.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Vault;
use POSIX ();
use Time::HiRes ();

redis_start();
key_vault();

our $work = work_dir();
our $key = new_key('ec:P-256');

no_shuffle();
run_tests();

__DATA__

=== TEST 1: an empty vault: key and certificate are made, and work
--- config
--- perl
my $node = node('one', one => ['rsa-hsm:2048 validity=3650d'])->start;
ok(ready($node, 'one'), 'ready');

my $keys = azure_keys();
is(scalar @{ $keys->{one} }, 1, 'one version of the key');
is($keys->{one}[0]{kty}, 'RSA-HSM', 'in an HSM');
is(join(' ', @{ $keys->{one}[0]{key_ops} }), 'sign unwrapKey', 'operations');

my $ca = ca_of($node, 'one');
like(text_of($ca), qr/Subject: O = Vault, CN = one/, 'its name');
like(text_of($ca), qr/CA:TRUE/, 'a CA');
ok(wait_until(sub { -s "$::work/one/one.pem" }), 'a copy for people');
is(slurp("$::work/one/one.pem"), slurp($ca), 'is the certificate');

my $cert = issue($node, 'one');
ok(chained($ca, $cert), 'what it issues is by this CA');

my $asked;
ok(wait_until(sub {
    $asked = {ocsp_ask(url => 'http://127.0.0.1:' . $node->port
                              . '/one/ocsp', ca => $ca,
                       cert => $cert)}->{status} // '';
    $asked eq 'good' }), 'OCSP: good')
    or diag($asked);

my ($status, undef, $crl) = http_get('/one/crl', port => $node->port);
ok(wait_until(sub {
    ($status, undef, $crl) = http_get('/one/crl', port => $node->port);
    $status == 200 }), 'a CRL');
like((command('openssl', 'crl', '-inform', 'DER', '-noout', '-CAfile', $ca,
              '-in', work_file('one.crl', $crl)))[2], qr/verify OK/,
     'by this CA');

my %ca = @{ redis_cmd('HGETALL', 'pki:{one}:ca') };
like($ca{key}, qr{^https://contoso\S+/keys/one/[0-9a-f]{32}$},
     'the key, with its version, in Redis');
is(azure_counters()->{tokens_issued}, 1, 'one token');
ok($node->stop, 'stops by itself');
clean_log($node);



=== TEST 2: started again: the same, from the file, from Redis alone
--- config
--- perl
my $before = azure_counters()->{keys_made} // 0;
my $made = slurp("$::work/one/one.pem");
my $node = node('one', one => ['rsa-hsm:2048'])->start;
ok(ready($node, 'one'), 'with the file');
is(slurp(ca_of($node, 'one')), $made, 'the same certificate');
ok($node->stop, 'stops');

$node = node('elsewhere', one => ['rsa-hsm:2048'])->start;
ok(ready($node, 'one'), 'another node, without the file');
is(slurp(ca_of($node, 'one')), $made, 'the same certificate');
ok(wait_until(sub { -s "$::work/elsewhere/one.pem" }), 'gets its copy');
ok(chained("$::work/elsewhere/one.pem", issue($node, 'one')), 'issues');
ok($node->stop, 'stops');

$node = node('readonly', one => ['rsa-hsm:2048']);
chmod 0555, "$::work/readonly";
ok(ready($node->start, 'one'), 'where no copy can be written, too');
ok($node->stop, 'stops');

$node = node('without', one => []);
ok(ready($node->start, 'one'), 'without "create": Redis has it');
ok(ref $node && $node->stop, 'stops');
is(azure_counters()->{keys_made} // 0, $before, 'no other key was made');
clean_log($node);



=== TEST 3: two nodes of two workers at once: one key, one certificate
--- config
--- perl
for my $round (1 .. 3) {
    my $name = "race$round";
    my $before = azure_counters()->{keys_made} // 0;
    my @nodes = map { node("race$_", $name => ['ec-hsm:P-384']) } 1, 2;

    $_->start for @nodes;
    ok(ready($_, $name), 'ready') for @nodes;

    is(scalar @{ azure_keys()->{$name} }, 1, 'one version of one key');
    is((azure_counters()->{keys_made} // 0) - $before, 1, 'made once');

    my @ca = map { slurp(ca_of($_, $name)) } @nodes;
    is($ca[0], $ca[1], 'the same certificate on both');

    my $ca = work_file('race.pem', $ca[0]);
    ok(chained($ca, issue($_, $name)), 'both issue') for @nodes, @nodes;
    ok($_->stop, 'stops') for @nodes;
    clean_log($_) for @nodes;
}



=== TEST 4: a vault that needs a moment until a new key works
--- config
--- perl
azure_settle(ms => 1800, status => 404);
my $node = node('slow', slow => ['ec:P-256'])->start;
ok(ready($node, 'slow'), 'ready all the same');
azure_settle(ms => 1200, status => 409);
$node->stop;
$node = node('slow2', slow2 => ['rsa:2048'])->start;
ok(ready($node, 'slow2'), 'ready all the same');
ok(ref issue($node, 'slow2') eq '' && issue($node, 'slow2') =~ /pem/,
   'issues');
azure_reset();
ok($node->stop, 'stops');
clean_log($node);



=== TEST 5: a key that is there already
--- config
--- perl
azure_key('there', kty => 'EC', crv => 'P-521', key_ops => ['sign']);
my $node = node('there', there => ['ec:P-521'])->start;
ok(ready($node, 'there'), 'is taken');
is(scalar @{ azure_keys()->{there} }, 1, 'none was made');
like(text_of(ca_of($node, 'there')),
     qr/Signature Algorithm: ecdsa-with-SHA512/, 'its own digest');
like(text_of(issue($node, 'there')),
     qr/Signature Algorithm: ecdsa-with-SHA512/, 'of certificates, too');
ok($node->stop, 'stops');

$node = node('other', there2 => ['rsa:2048']);
azure_key('there2', kty => 'EC', crv => 'P-256', key_ops => ['sign']);
$node->start;
ok(says($node, qr/authority there2: the vault has a key .* which is not what/),
   'another kind than "create" says: told, not replaced');
is((http_post('/there2/enroll', slurp(new_csr(key => $::key)),
              port => $node->port))[0], 503, 'nothing is issued');
is(scalar @{ azure_keys()->{there2} }, 1, 'none was made');
ok($node->stop, 'stops');



=== TEST 6: no key, and nobody said to make one
--- config
--- perl
my $node = node('none', nokey => [])->start;
ok(says($node, qr/authority nokey: there is no certificate .*"create"/),
   'the probe says what to do');
is((http_get('/probe', port => $node->port))[0], 503, 'and 503');
my ($status, $headers) = http_get('/nokey/ca', port => $node->port);
is($status, 503, 'no certificate to give');
is($headers->{'retry-after'}, 1, 'Retry-After');
is((http_get('/nokey/crl', port => $node->port))[0], 503, 'no CRL');
ok($node->stop, 'stops');
is(azure_keys()->{nokey}, undef, 'no key was made');
clean_log($node);



=== TEST 7: a newer version of the key changes nothing
--- config
--- perl
my $old = azure_keys()->{one}[0]{version};
azure_rotate('one');
my $node = node('one', one => ['rsa-hsm:2048'])->start;
ok(ready($node, 'one'), 'ready with the version of its certificate');
azure_reset();
ok(chained("$::work/one/one.pem", issue($node, 'one')), 'issues');
my ($sign) = azure_log(op => 'sign', last => 1);
like($sign->{path}, qr{/keys/one/$old/sign$}, 'signed by the old version');
ok($node->stop, 'stops');

$node = node('one', one => ['rsa-hsm:2048']);
redis_cmd('HDEL', 'pki:{one}:ca', 'key');
$node->start;
ok(says($node, qr/authority one: the key .* is not that of the certificate/),
   'a version that is not known is not guessed');
redis_cmd('HSET', 'pki:{one}:ca', 'key',
          "https://$ENV{TEST_NGINX_AZURE_VAULT}/keys/one/$old");
ok(ready($node, 'one'), 'told to it, it is ready');
ok($node->stop, 'stops');
clean_log($node);



=== TEST 8: Redis knows another key
--- config
--- perl
my %ca = @{ redis_cmd('HGETALL', 'pki:{there}:ca') };
redis_cmd('HSET', 'pki:{moved}:ca', 'certificate', $ca{certificate}, 'key',
          $ca{key});
my $node = node('moved', moved => [])->start;
ok(says($node, qr{^authority moved: the key .*/there/\S+ in redis, but "\S+/moved" here}m),
   'told');
is((http_post('/moved/enroll', slurp(new_csr(key => $::key)),
              port => $node->port))[0], 503, 'nothing is issued');
ok($node->stop, 'stops');



=== TEST 9: a subordinate authority: request out, certificate in
--- config
--- perl
openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-keyout', "$::work/root.key", '-out', "$::work/root.pem",
        '-subj', '/CN=root');

sub sign_request {
    my ($dir, $name) = @_;

    openssl('x509', '-req', '-in', "$::work/$dir/$name.csr", '-CA',
            "$::work/root.pem", '-CAkey', "$::work/root.key", '-set_serial', 77,
            '-days', 8, '-copy_extensions', 'copyall', '-out',
            "$::work/$dir/$name.new");
    rename "$::work/$dir/$name.new", "$::work/$dir/$name.pem" or die $!;
}

for my $kind ('vault', 'file') {
    my $node = node($kind, sub => ['rsa:2048', "csr $::work/$kind/sub.csr;"]);

    if ($kind eq 'file') {
        redis_cmd('DEL', 'pki:{sub}:ca');
        my $conf = slurp($node->prefix . '/conf/nginx.conf');
        $conf =~ s{key +keyvault:\S+}{key file:$::work/file/sub.key;};
        work_file('sub.conf', $conf);
        $node->configure(file => "$::work/sub.conf");
    }

    $node->start;
    ok(says($node, qr/sub: waiting for the certificate of the request "\S+csr"/),
       "$kind: the probe says what to do");
    my (undef, $csr) = command('openssl', 'req', '-in',
                               "$::work/$kind/sub.csr", '-noout', '-text',
                               '-verify');
    like($csr, qr/Subject: O = Vault, CN = sub/, 'a request of its name');
    like($csr, qr/CA:TRUE/, 'for a CA');
    is((http_get('/sub/ca', port => $node->port))[0], 503, 'not ready');

    sign_request($kind, 'sub');
    ok($node->reload, 'reloads');
    ok(ready($node, 'sub'), 'ready with its certificate');
    my $cert = issue($node, 'sub');
    is((command('openssl', 'verify', '-CAfile', "$::work/root.pem",
                '-untrusted', "$::work/$kind/sub.pem", $cert))[0], 0,
       'what it issues leads to the root');
    ok($node->stop, 'stops');
    clean_log($node);
}
is(scalar @{ azure_keys()->{sub} }, 1, 'one key was made');



=== TEST 10: a certificate that is not of the vault's key
--- config
--- perl
my $node = node('wrong', wrong => ['rsa:2048']);
work_file('wrong/wrong.pem', slurp("$::work/one/one.pem"));
azure_key('wrong', kty => 'RSA', key_size => 2048,
          key_ops => ['sign', 'unwrapKey']);
chmod 0644, "$::work/wrong/wrong.pem";
$node->start;
ok(says($node, qr/authority wrong: the key .* is not that of the certificate/),
   'told');
is(redis_cmd('EXISTS', 'pki:{wrong}:ca'), 0, 'and not registered');
is((http_post('/wrong/enroll', slurp(new_csr(key => $::key)),
              port => $node->port))[0], 503, 'nothing is issued');
ok($node->stop, 'stops');



=== TEST 11: what the key may do is told before the first device comes
--- config
--- perl
azure_key('signless', kty => 'RSA', key_size => 2048, key_ops => ['sign']);
my $node = node('signless', signless => ['rsa:2048'])->start;
ok(says($node, qr/authority signless: ok, but the key does not permit the operation "unwrapKey"/),
   'on the probe');
like($node->log, qr/\[warn\].*"unwrapKey", which SCEP needs/, 'in the log');
ok($node->stop, 'stops');



=== TEST 12: digests and RSASSA-PSS
--- config
--- perl

# large keys take the simulator longer to make than a vault

azure_stock(key_size => $_) for 3072, 4096;

for (['rsa:3072', 'sha512', qr/sha512WithRSAEncryption/],
     ['rsa:2048', 'sha256 pss', qr/rsassaPss.*Hash Algorithm: sha256.*Salt Length: 0x20/s],
     ['rsa:4096', 'sha384 pss', qr/rsassaPss.*Hash Algorithm: sha384.*Salt Length: 0x30/s],
     ['ec:P-384', 'sha384', qr/ecdsa-with-SHA384/])
{
    my ($create, $digest, $pattern) = @$_;
    (my $name = "$create-$digest") =~ s/\W/-/g;

    my $node = node($name, $name => [$create, "signature_digest $digest;"])
               ->start;
    ok(ready($node, $name), "$create $digest");
    my $ca = ca_of($node, $name);
    my $cert = issue($node, $name);
    like(text_of($_), $pattern, 'the algorithm') for $ca, $cert;
    ok(chained($ca, $cert), 'verified');

    my ($status, $crl);
    ok(wait_until(sub {
        ($status, undef, $crl) = http_get("/$name/crl", port => $node->port);
        $status == 200 }), 'a CRL');
    like((command('openssl', 'crl', '-inform', 'DER', '-noout', '-CAfile',
                  $ca, '-in', work_file('pss.crl', $crl)))[2], qr/verify OK/,
         'verified');
    ok($node->stop, 'stops');
}

my $node = node('pair', pair => ['ec:P-384', 'signature_digest sha256;'])
           ->start;
ok(says($node, qr/pair: the key .* a vault signs its own digest only/),
   'a digest that the vault does not sign');
ok($node->stop, 'stops');



=== TEST 13: calls in flight at a reload and at a stop: all finish
--- config
--- perl
my $node = node('one', one => ['rsa-hsm:2048'])->start;
ok(ready($node, 'one'), 'ready');
azure_latency(sign => 700);

for my $signal ('reload', 'stop') {
    my @csrs = map { slurp(new_csr(key => $::key,
                                   subject => "/CN=$signal$_")) } 1 .. 50;
    my (@pids, @ends);

    for my $csr (@csrs) {
        pipe my $from, my $to or die $!;
        my $pid = fork // die $!;
        if (!$pid) {
            my ($status) = eval { http_post('/one/enroll', $csr,
                                            port => $node->port) };
            syswrite $to, $status // $@;
            POSIX::_exit(0);
        }
        push @pids, $pid;
        push @ends, $from;
        close $to;
    }

    Time::HiRes::sleep(0.5);
    ok(wait_until(sub { azure_counters()->{concurrent}{sign} }),
       "$signal: calls are in flight");
    ok($node->$signal, "$signal: went well");
    my %got;
    $got{ join '', readline $_ }++ for @ends;
    is_deeply(\%got, { 201 => 50 }, "$signal: all finish");
    waitpid $_, 0 for @pids;
}

azure_reset();
clean_log($node);
unlike($node->log, qr/open socket|aborting/, 'nothing left open');
