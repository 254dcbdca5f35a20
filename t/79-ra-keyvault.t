# Registration authorities and key vaults: "ra auto" beside RSA and EC keys of
# a vault, "ra keyvault:".  What is asked of the vault and what is not, keys
# that it makes, one RA for all nodes, a vault that refuses, is away, or loses
# keys.  With keys of files: 75-ra.t.

use lib 't/lib';

BEGIN { delete $ENV{PKI_KEY} }

use PKI::Clock;
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Nginx;
use PKI::Scep;

use JSON::PP ();

redis_start();
key_vault();

our $work = work_dir();
our $n = 0;

work_file('challenge', "open sesame\n");

our $vault = 'https://$TEST_NGINX_AZURE_VAULT/keys';

our $directives = <<'END';
pki_redis $TEST_NGINX_REDIS_URL;
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
pki_key_vault rate=0 timeout=2s budget=4s;
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:$TEST_NGINX_AZURE_HTTP_PORT;
}
END

# A node with one authority, "demo": key, what "create" makes, what "ra" says;
# a directory for its certificate, if not one of its own.

our @running;

sub node {
    my ($key, $create, $ra, $dir) = @_;

    $dir ||= new_dir();

    my $node = PKI::Nginx->new(http => $directives . <<"END", server => <<'END');
pki_authority demo {
    subject     "CN=demo CA,O=Test";
    key         $key;
    create      $create;
    certificate $dir/demo.pem;
    base_url    http://127.0.0.1;
    ra          $ra;
}
END
location = /probe { pki_probe; }
location /scep    { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location = /ca    { pki_certificate demo pem; }
END
    push @running, $node;
    return $node;
}

sub new_dir {
    my $dir = work_file('dir' . ++$n);
    mkdir $dir or die $!;
    chmod 0777, $dir;            # workers write into it
    return $dir;
}

sub file_key { return "file:$work/" . (shift || 'demo') . '.key' }
sub vault_key { return "keyvault:$vault/" . (shift || 'ca') }

# Nothing of the block before is left.

sub clean {
    $_->stop for splice @running;
    redis_cmd('FLUSHALL');
    azure_reset();
    azure_forget();
    clock_step(0);
    unlink "$work/demo.key", "$work/demo.pem";
}

sub get { return http_get($_[1], port => $_[0]->port) }

sub probe { return (get($_[0], '/probe'))[2] }

# all workers

sub ready {
    my ($node, $seconds) = @_;
    my $times = 0;

    return wait_until(sub {
        $times = probe($node) =~ /^authority demo: ok$/m ? $times + 1 : 0;
        return $times == 10;
    }, $seconds || 30) || diag(probe($node), $node->log =~ s/.*debug.*\n//gr)
                          && 0;
}

sub says {
    my ($node, $pattern, $seconds) = @_;
    return wait_until(sub { probe($node) =~ $pattern }, $seconds || 20)
           || diag(probe($node)) && 0;
}

# the RA's and the authority's certificate, as files

sub offered {
    my ($node) = @_;

    my ($status, undef, $body) = get($node, '/scep?operation=GetCACert');
    return if $status != 200;

    return map { work_file('offered' . ++$n . '.pem', $_) }
           openssl('pkcs7', '-inform', 'DER', '-print_certs', { in => $body })
           =~ /(-----BEGIN.*?-----END [A-Z ]+-----\n)/sg;
}

# asks through the RA, or through what "ca" says

sub ask {
    my ($node, @what) = @_;

    my ($ra, $issuer) = offered($node);
    my $m = scep_make(challenge => 'open sesame', ca => $ra,
                      issuer => $issuer, @what);
    my ($status, $headers, $body) = http_post(
        '/scep?operation=PKIOperation', $m->{der}, port => $node->port,
        timeout => 20);

    return "HTTP $status" if $status != 200;
    return { %{ scep_open($m, $body) }, http => $status };
}

sub brief { my $r = ask(@_); return ref $r ? scep_brief($r) : $r }

sub entry { return redis_cmd('HGET', 'pki:{demo}:ra', $_[0] || 'current') }

sub shown {
    my ($code, $out, $err) = command('/usr/bin/python3', 't/tools/ra_entry.py',
                                     'show', work_file('entry', entry()));
    die $err if $code != 0;
    return JSON::PP::decode_json($out);
}

sub ras {
    return grep {
        redis_cmd('HGET', "pki:{demo}:cert:$_", 'source') eq 'ra'
    } @{ redis_cmd('ZRANGE', 'pki:{demo}:issued', 0, -1) };
}

sub calls { return azure_counters()->{requests}{$_[0]} // 0 }

sub url_of {
    my ($name) = @_;
    return "https://$ENV{TEST_NGINX_AZURE_VAULT}/keys/$name/"
           . azure_keys()->{$name}[-1]{version};
}

sub public_of { return openssl('x509', '-in', $_[0], '-noout', '-pubkey') }

sub ends_well {
    my ($node, $levels) = @_;

    $levels ||= 'alert|crit|emerg';
    ok($node->stop, 'ends');
    unlike($node->log, qr/\[(?:$levels)\].*/, 'a clean log');
    unlike($node->log, qr/open socket/);
}

log_level('debug');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: an RSA key in the vault: it signs certificates, and opens the RA once
--- config
--- perl
clean();
my $node = node(vault_key(), 'rsa:2048', 'auto')->start;
ok(ready($node), 'ready');

my $said = shown();
is($said->{method}, 1);
is($said->{key_name}, url_of('ca'), 'sealed by the key of the authority');
my @unwraps = azure_log(op => 'unwrapkey', last => 10);
is(@unwraps, 2, 'each worker has opened it');
like($unwraps[0]{body}, qr/"RSA-OAEP-256"/);

my $before = azure_counters()->{requests};
is(brief($node), 'SUCCESS', 'enrolment') for 1 .. 5;
my $after = azure_counters()->{requests};
is($after->{sign} - $before->{sign}, 5, 'one signature each');
is($after->{unwrapkey} // 0, $before->{unwrapkey} // 0, 'and no more');
is(brief($node, digest => 'sha1'), 'SUCCESS', 'SHA-1: the RA is local');

my ($ra) = offered($node);
ok($node->reload, 'reload');
ok(ready($node));
is(serial_of((offered($node))[0]), serial_of($ra), 'the same RA');
ends_well($node);



=== TEST 2: two nodes of two workers on an empty vault and Redis: one of each
--- config
--- perl
for my $create ('rsa:2048', 'ec:P-256') {
    clean();
    my $key = vault_key();
    my @nodes = map { node($key, $create, 'auto') } 1, 2;
    $_->start for @nodes;
    ok(ready($_), "$create: ready") for @nodes;
    is(scalar(ras()), 1, 'one RA');
    my %seen = map { serial_of((offered($_))[0]) => 1 } (@nodes) x 6;
    is(join(' ', keys %seen), (ras())[0], 'everybody offers it');
    my $keys = azure_keys();
    is(join(' ', map { "$_ " . @{ $keys->{$_} } } sort keys %$keys),
       $create =~ /rsa/ ? 'ca 1' : 'ca 1 ca-ra 1', 'one version of each key');
    is(brief($_), 'SUCCESS') for @nodes;
    ends_well($_) for @nodes;
}



=== TEST 3: an EC key in the vault: a second one, RSA, seals
--- config
--- perl
for my $hsm ('', '-hsm') {
    clean();
    my $node = node(vault_key(), "ec$hsm:P-384", 'auto')->start;
    ok(ready($node), "ec$hsm: ready");
    my $key = azure_keys()->{'ca-ra'}[0];
    is($key->{kty}, $hsm ? 'RSA-HSM' : 'RSA', 'in an HSM as the first');
    is(join(' ', sort @{ $key->{key_ops} }), 'unwrapKey wrapKey');
    is(shown()->{key_name}, url_of('ca-ra'));
    is(brief($node), 'SUCCESS');
    is(brief($node, transport => 'oaep-sha512', digest => 'sha1'), 'SUCCESS');

    my ($ra) = offered($node);
    ok($node->stop && $node->start && ready($node), 'started again');
    is(serial_of((offered($node))[0]), serial_of($ra), 'the same RA');
    ends_well($node);
}



=== TEST 4: "ra keyvault:": made there, signs answers and opens envelopes there
--- config
--- perl
for my $key (file_key(), vault_key()) {
    clean();
    my $node = node($key, 'ec:P-256', vault_key('ra'))->start;
    ok(ready($node), "$key: ready");

    my $made = azure_keys()->{ra}[0];
    is($made->{kty}, 'RSA');
    is(join(' ', sort @{ $made->{key_ops} }), 'sign unwrapKey');
    my ($ra) = offered($node);
    is(public_of($ra), $made->{public}, 'its certificate');
    is(shown()->{key_url}, url_of('ra'), 'its version is known to all');

    my ($signs, $unwraps) = map { calls($_) } 'sign', 'unwrapkey';
    is(brief($node), 'SUCCESS', 'enrolment');
    is(calls('unwrapkey') - $unwraps, 1, 'opened by the vault');
    is(calls('sign') - $signs, $key =~ /^file/ ? 1 : 2, 'signed by it');

    is(brief($node, transport => $_), 'SUCCESS', $_)
        for 'oaep', 'oaep-sha256';
    is(brief($node, transport => 'oaep-sha512'), 'FAILURE badAlg',
       'no OAEP that a vault has not');
    is(brief($node, transport => 'oaep-sha256', mgf1 => 'sha1'),
       'FAILURE badAlg', 'nor with another MGF1');
    is(brief($node, digest => $_), 'SUCCESS', $_) for 'sha384', 'sha512';
    my $r = ask($node, digest => 'sha1');
    is($r->{status}, 'SUCCESS', 'SHA-1 is answered');
    is($r->{digest} // 'sha256', 'sha256', 'with SHA-256');

    my ($was) = offered($node);
    ok($node->reload && ready($node), 'reload');
    is(serial_of((offered($node))[0]), serial_of($was));
    ends_well($node);
}



=== TEST 5: S7: what is wrong inside the envelope does not show
--- config
--- perl
clean();
my $node = node(file_key(), 'ec:P-256', vault_key('ra'))->start;
ok(ready($node), 'ready');
my @signer = (signer_key => new_key('rsa:2048'), signer_subject => 'CN=x');
my $opaque = brief($node, @signer, broken => 'envelope');
is($opaque, 'FAILURE badMessageCheck');
is(brief($node, @signer, broken => $_), $opaque, $_) for 'cek', 'csr';
is(brief($node, @signer, payload => work_file('noise', 'x' x 700)), $opaque);
my $broken = grep { $_->{status} == 400 }
             azure_log(op => 'unwrapkey', last => 20);
diag("$broken refused by the vault");
is(probe($node) =~ /^authority demo: ok/m, 1, 'no trouble of ours');
ends_well($node);



=== TEST 6: "ra keyvault:": the vault is away for a while, refuses, recovers
--- config
--- perl
clean();
my $node = node(file_key(), 'ec:P-256', vault_key('ra'))->start;
ok(ready($node), 'ready');
my ($ra) = offered($node);

azure_fault(op => 'unwrapkey', count => -1, do => 'status', status => 403,
            code => 'Forbidden', inner => 'ForbiddenByRbac');
is(brief($node), 'FAILURE badRequest', 'refused');
ok(says($node, qr/^authority demo: .*ForbiddenByRbac/m), 'the probe says so');
azure_reset();
ok(ready($node, 60), 'nobody has to ask for it to recover');
ok(wait_until(sub { brief($node) eq 'SUCCESS' }, 45), 'recovers by itself');

azure_fault(op => 'sign', count => -1, do => 'status', status => 503);
like(brief($node), qr/^HTTP 503/, 'nobody can sign an answer');
azure_reset();
ok(wait_until(sub { brief($node) eq 'SUCCESS' }, 90), 'recovers by itself');
is(serial_of((offered($node))[0]), serial_of($ra), 'the same RA');
is(scalar(ras()), 1);
ends_well($node);



=== TEST 7: the vault refuses at the start: 503, its own words; then it does not
--- config
--- perl
clean();
my $first = node(vault_key(), 'rsa:2048', 'auto')->start;
ok(ready($first), 'an RA is made');
ok($first->stop);
azure_fault(op => 'unwrapkey', count => -1, do => 'status', status => 403,
            code => 'Forbidden', message => 'no right to unwrap',
            inner => 'ForbiddenByRbac');
my $node = node(vault_key(), 'rsa:2048', 'auto')->start;
ok(says($node, qr/^authority demo: (?!ok)/m), 'the probe says no');
ok(says($node, qr/ForbiddenByRbac/), 'and why');
is((get($node, '/scep?operation=GetCACert'))[0], 503);
is((get($node, '/ca'))[0], 200, 'all else works');
sleep 3;
is(scalar(ras()), 1, 'no other one is made');
azure_reset();
ok(ready($node, 90), 'recovers by itself');
is(scalar(ras()), 1, 'the same one');
ok(wait_until(sub { brief($node) eq 'SUCCESS' }, 20), 'in each worker');
my @lines = $node->log =~ /ForbiddenByRbac/g;
ok(@lines <= 12, scalar(@lines) . ' lines say so');
ends_well($node);



=== TEST 8: keys that the vault has just made need a moment
--- config
--- perl
for my $ra ('auto', vault_key('ra')) {
    clean();
    azure_settle(ms => 1500, status => 409);
    my $node = node(vault_key(), 'ec:P-256', $ra)->start;
    ok(ready($node, 60), "$ra: ready");
    is(scalar(ras()), 1);

    # of two workers one may still try

    ok(wait_until(sub { brief($node) eq 'SUCCESS' }, 10), 'SUCCESS');
    ends_well($node);
}



=== TEST 9: the key that sealed is gone from the vault: another RA in the end
--- config
--- perl
clean();
my $node = node(vault_key(), 'ec:P-256', 'auto')->start;
ok(ready($node), 'ready');
my ($ra) = offered($node);
ok($node->stop);
azure_forget('ca-ra');
ok($node->start, 'started again');
ok(says($node, qr/sealed by a key that is not here/), 'the probe says why');
is(scalar(ras()), 1, 'nothing is made at once');
clock_step(700);
ok(ready($node, 60), 'ten minutes later another one is made');
is(scalar(ras()), 2);
isnt(serial_of((offered($node))[0]), serial_of($ra));
is(brief($node), 'SUCCESS');
clock_step(0);
ends_well($node);
--- timeout: 20



=== TEST 10: "ra keyvault:": renewal: another certificate, the newest version
--- config
--- perl
clean();
my $node = node(file_key(), 'ec:P-256', vault_key('ra'))->start;
ok(ready($node), 'ready');
my ($old, $ca) = offered($node);
my $first = shown()->{key_url};
azure_rotate('ra');
sleep 2;
is(brief($node), 'SUCCESS', 'rotated: the version is pinned');

clock_step(250 * 86400);
ok(wait_until(sub { ras() == 2 }, 60), 'renewed');
ok(wait_until(sub { shown()->{key_url} ne $first }, 10), 'with the new version');
sleep 35;                        # each worker has looked
clock_step(250 * 86400 + 150);
my ($new) = offered($node);
isnt(serial_of($new), serial_of($old), 'the new one is offered');
isnt(public_of($new), public_of($old));
for my $ra ($old, $new) {
    is(brief($node, ca => $ra, issuer => $ca), 'SUCCESS', 'both open');
}
clock_step(0);
ends_well($node);
--- timeout: 20



=== TEST 11: "ra keyvault:" with a key that is not made for it
--- config
--- perl
clean();
azure_key('ra', kty => 'RSA', key_size => 2048, key_ops => ['sign']);
my $node = node(file_key(), 'ec:P-256', vault_key('ra'))->start;
ok(says($node, qr/does not permit the operations "sign" and "unwrapKey"/),
   'operations');
azure_update('ra', key_ops => ['sign', 'unwrapKey']);
ok(ready($node, 60), 'put right');
is(brief($node), 'SUCCESS');
ends_well($node);

clean();
azure_key('ra', kty => 'EC', crv => 'P-256', key_ops => ['sign']);
$node = node(file_key(), 'ec:P-256', vault_key('ra'))->start;
ok(says($node, qr/has no RSA key of 2048 bits/), 'no RSA key');
ends_well($node);



=== TEST 12: "ra auto" becomes "ra keyvault:" and back: nodes do not quarrel
--- config
--- perl
clean();
my $dir = new_dir();
my $auto = node(file_key(), 'rsa:2048', 'auto', $dir)->start;
ok(ready($auto), 'ready');
my $other = node(file_key(), 'rsa:2048', vault_key('ra'), $dir)->start;
sleep 3;
is(scalar(ras()), 1, 'it is too new to be replaced');
is(brief($auto), 'SUCCESS');
ok($auto->stop);
clock_step(700);
ok(wait_until(sub { ras() == 2 }, 60), 'ten minutes later it is');
ok(ready($other, 60));
is(brief($other), 'SUCCESS');
clock_step(0);
ends_well($other);
--- timeout: 20



=== TEST 13: no private key in Redis
--- config
--- perl
clean();
my $node = node(vault_key(), 'rsa:2048', 'auto')->start;
ok(ready($node));
is(brief($node), 'SUCCESS');
my $all = join '', map {
    my $type = redis_cmd('TYPE', $_);
    $type eq 'hash' ? @{ redis_cmd('HGETALL', $_) } : ()
} @{ redis_cmd('KEYS', '*') };
unlike($all, qr/PRIVATE KEY/);
ok(index($all, "\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
               . "\x01\x01\x05\x00\x04") < 0, 'no PKCS#8');
ends_well($node);



=== TEST 14: a URL that is not one of a key
--- http_config eval
main::authority('demo', more => 'ra keyvault:https://a.vault.azure.net/x;')
--- config
--- must_die
--- error_log
invalid key "keyvault:https://a.vault.azure.net/x"



=== TEST 15: a parameter that is none
--- http_config eval
main::authority('demo', more => "ra keyvault:$::vault/ra really;")
--- config
--- must_die
--- error_log
"identity=" and "api_version=" are its parameters



=== TEST 16: an identity that is not there
--- http_config eval
main::authority('demo', more => "ra keyvault:$::vault/ra identity=nobody;")
--- config
--- must_die
--- error_log
nobody
