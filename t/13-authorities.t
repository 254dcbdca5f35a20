# pki_authority at work: several of them in one nginx, one of them on several
# nodes, made once; every kind of key; chains; what a reload and nginx -t do.
# How its directives are refused is in 10-directives.t.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Nginx;

redis_start(appendonly => 1);

our $work = work_dir();
our $ec = new_key('ec:P-256');
our $rsa = new_key('rsa:2048');
our $n = 0;

work_file('secret-one', "challenge of one\n");
work_file('secret-two', "challenge of two\n");

# authorities that were made elsewhere: a CA, a root and an intermediate, one
# that has expired

our $usage = 'keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign,'
             . 'cRLSign';

openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-keyout', "$work/store.key", '-out', "$work/store.pem",
        '-subj', '/CN=store', '-addext', 'basicConstraints=critical,CA:TRUE',
        '-addext', $usage);

openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-keyout', "$work/root.key", '-out', "$work/root.pem",
        '-subj', '/CN=root', '-addext', $usage);

sub signed {
    my ($name, $constraints, @by) = @_;

    openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes',
            '-keyout', "$work/$name.key", '-out', "$work/$name.csr",
            '-subj', "/CN=$name");
    openssl('x509', '-req', '-in', "$work/$name.csr", @by,
            '-set_serial', 4711, '-out', "$work/$name.pem", '-extfile',
            work_file("$name.cnf", "basicConstraints=critical,$constraints\n"
                                   . "$usage\nsubjectKeyIdentifier=hash\n"
                                   . "authorityKeyIdentifier=keyid\n"));
}

signed('inter', 'CA:TRUE,pathlen:0', '-CA', "$work/root.pem",
       '-CAkey', "$work/root.key", '-days', 9);
signed('past', 'CA:TRUE', '-signkey', "$work/past.key", '-days', '-1');

# all that an authority offers, below its name

sub locations {
    return join '', "location = /probe { pki_probe; }\n", map { <<"END" } @_;
location = /$_/enroll { enroll $_; enroll_auth none insecure; }
location = /$_/ocsp   { ocsp_responder $_; }
location = /$_/crl    { crl $_; }
location = /$_/ca     { pki_certificate $_ pem chain; }
location /$_/m/       { certificate_master $_;
                        certificate_master_user someone;
                        certificate_master_roles admin; }
END
}

# an authority made in a directory of its own

sub made_in {
    my ($dir, $name, $key, $more) = @_;

    return "pki_authority $name {
                subject \"CN=$name CA,O=Test\"; create $key validity=30d;
                key file:$dir/$name.key; certificate $dir/$name.pem;
                base_url http://127.0.0.1:\$TEST_NGINX_SERVER_PORT/$name;
                @{[ $more // '' ]}
            }\n";
}

our $redis = 'pki_redis ' . redis()->url . ";\n";

# a Redis that nobody has used: a prefix of its own

sub new_redis {
    return 'pki_redis ' . redis()->url . ' prefix=n' . ++$n . ":;\n";
}

sub new_dir {
    my $dir = work_file('dir' . ++$n);
    mkdir $dir or die $!;
    return $dir;
}

sub probe { return (http_get('/probe', @_ ? (port => $_[0]->port) : ()))[2] }

sub ready {
    my ($nginx) = @_;
    return wait_until(sub {
        (http_get('/probe', $nginx ? (port => $nginx->port) : ()))[0] == 200
    }, 30) || do {
        diag(probe(@_));
        diag($nginx->said) if $nginx;
        0;
    };
}

sub url { return 'http://127.0.0.1:' . $_[0]->port . $_[1] }

# a certificate of an authority, of Test::Nginx's nginx or of another one

sub issue {
    my ($name, $nginx) = @_;

    my ($status, undef, $body) = http_post(
        "/$name/enroll", slurp(new_csr(key => $ec, subject => '/CN=c' . ++$n)),
        $nginx ? (port => $nginx->port) : ());

    return $status == 201 ? work_file("issued$n.pem", $body) : undef;
}

sub verifies {
    my ($what, $cert, $ca, @more) = @_;

    my ($code, $out, $err) = command('openssl', 'verify', '-CAfile', $ca,
                                     @more, $cert);
    is($out, "$cert: OK\n", "$what: verifies") or diag($err);
}

sub files {
    my ($dir) = @_;
    opendir my $in, $dir or die $!;
    return join ' ', sort grep { !/^\./ } readdir $in;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: two authorities in one nginx know nothing of each other
--- http_config eval
package main;
authority('one') . authority('two')
--- config eval
package main;
locations('one', 'two') . <<'END'
location /one/scep { scep one;
                     scep_challenge static $TEST_NGINX_WORK/secret-one; }
location /two/scep { scep two;
                     scep_challenge static $TEST_NGINX_WORK/secret-two; }
location /both/ocsp { ocsp_responder one two; }
location /both/m/  { certificate_master one two;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END
--- perl
ok(ready(), 'both are ready');
my %ca = map { $_ => work_file("$_.pem") } qw( one two );
my %cert = map { $_ => issue($_) } qw( one two );
my %serial = map { $_ => serial_of($cert{$_}) } qw( one two );

for (['one', 'two'], ['two', 'one']) {
    my ($own, $other) = @$_;
    verifies($own, $cert{$own}, $ca{$own});
    is({ocsp_ask(url => "/$own/ocsp", ca => $ca{$own},
                 cert => $cert{$own})}->{status}, 'good', "$own: good");
    is({ocsp_ask(url => "/$own/ocsp", ca => $ca{$own},
                 serial => $serial{$other})}->{status}, 'unknown',
       "$own: the serial of $other is unknown");
    isnt({ocsp_ask(url => "/$other/ocsp", ca => $ca{$own},
                   cert => $cert{$own})}->{status}, 'good',
         "$own: nor good, asked at $other");
    is({ocsp_ask(url => '/both/ocsp', ca => $ca{$own},
                 cert => $cert{$own})}->{status}, 'good',
       "$own: a location of both finds it");

    is((api('GET', "/$own/m/api/certificates/$serial{$other}"))[0], 404,
       "$own: shows none of $other");
    is((api('POST', "/$own/m/api/certificates/$serial{$other}/revoke", {}))[0],
       404, "$own: revokes none of $other");
    my (undef, $list) = api('GET', "/$own/m/api/certificates");
    is(join(' ', map { $_->{authority} } @{ $list->{certificates} }), $own,
       "$own: lists its own");
    is((api('GET', "/both/m/api/certificates/$serial{$own}"))[1]{authority},
       $own, "$own: a location of both shows it");
    is((api('POST', "/$own/m/api/certificates",
            { csr => slurp(new_csr(key => $::ec)), authority => $other }))[0],
       400, "$own: does not issue for $other");
}

my %scep;
for my $own (qw( one two )) {
    for my $secret (qw( one two )) {
        $scep{"$own/$secret"} = scep_enroll(
            url => "/$own/scep", key => $::rsa, subject => "CN=$own$secret",
            password => "challenge of $secret", ca => $ca{$own});
    }
}
ok(defined $scep{'one/one'} && defined $scep{'two/two'}, 'the own challenge');
ok(!defined $scep{'one/two'} && !defined $scep{'two/one'},
   'the challenge of the other is refused');

is((api('POST', "/one/m/api/certificates/$serial{one}/revoke",
        { reason => 'superseded' }))[0], 200, 'one of one is revoked');
ok(wait_until(sub { (http_get("/$_/crl"))[0] == 200 }), "$_: a CRL")
    for qw( one two );
my %one;
ok(wait_until(sub {
    %one = crl_serials('/one/crl', $ca{one});
    exists $one{$serial{one}};
}), 'the CRL of one has it');
my %two = crl_serials('/two/crl', $ca{two});
is(scalar keys %two, 0, 'that of two has not');
is({ocsp_ask(url => '/two/ocsp', ca => $ca{two},
             cert => $cert{two})}->{status}, 'good', 'two goes on');



=== TEST 2: nodes start at the same moment with nothing: one key, one certificate
--- config
--- perl
for my $round (1 .. 3) {
    my $dir = new_dir();
    my $shared = new_redis() . made_in($dir, 'a', 'rsa:2048');
    my @nodes = map { PKI::Nginx->new(http => $shared,
                                      server => locations('a')) } 1 .. 3;
    $_->start for @nodes;
    ok(ready($_), "$round: ready") for @nodes;

    is(files($dir), 'a.key a.pem', "$round: a key and a certificate");
    is((stat "$dir/a.key")[2] & 07777, 0600, "$round: mode of the key");

    my %ca = map { (http_get('/a/ca', port => $_->port))[2] => 1 } @nodes;
    is(scalar keys %ca, 1, "$round: all have the same certificate");

    for my $node (@nodes) {
        my $cert = issue('a', $node);
        ok(defined $cert, "$round: issues") or next;
        verifies($round, $cert, "$dir/a.pem");
        is({ocsp_ask(url => url($_, '/a/ocsp'), ca => "$dir/a.pem",
                     cert => $cert)}->{status}, 'good', "$round: known to all")
            for @nodes;
    }

    is(scalar(() = join('', map { $_->log . $_->said } @nodes)
                   =~ /made the key/g), 1, "$round: one has made the key");
    unlike(join('', map { $_->log } @nodes), qr/\[(?:alert|crit|emerg)\]/,
           "$round: no trouble");
    ok($_->stop, "$round: ends well") for @nodes;
}



=== TEST 3: a node with another key of the same name serves nothing
--- config
--- perl
my ($first, $second) = (new_dir(), new_dir());
my $shared = new_redis();
my @nodes = map { PKI::Nginx->new(http => $shared
                                          . made_in($_, 'a', 'ec:P-256'),
                                  server => locations('a')) }
            $first, $second;
$nodes[0]->start;
ok(ready($nodes[0]), 'the first one is ready');
my $cert = issue('a', $nodes[0]);
$nodes[1]->start;
ok(wait_until(sub {
    probe($nodes[1]) =~ /^authority a: redis has another certificate of/m
}, 20), 'the second one says why not');
is((http_get('/probe', port => $nodes[1]->port))[0], 503, 'its probe is 503');
is((http_post('/a/enroll', slurp(new_csr(key => $::ec)),
              port => $nodes[1]->port))[0], 503, 'it issues nothing');
isnt({ocsp_ask(url => url($nodes[1], '/a/ocsp'), ca => "$first/a.pem",
               cert => $cert)}->{status}, 'good', 'it says nothing is good');
like($nodes[1]->log, qr/\[error\].*redis has another certificate/,
     'its log says why');
ok(defined issue('a', $nodes[0]), 'the first one goes on');
ok($nodes[1]->stop, 'ends well');

command('cp', "$first/a.key", "$first/a.pem", $second);
$nodes[1]->start;
ok(ready($nodes[1]), 'ready once it has the same ones');
ok($_->stop, 'ends well') for @nodes;



=== TEST 4: every kind of key signs certificates, answers and CRLs
--- config
--- perl
my %kind = (p256 => 'ec:P-256', p384 => 'ec:P-384', p521 => 'ec:P-521',
            r2048 => 'rsa:2048', r3072 => 'rsa:3072', r4096 => 'rsa:4096');
my %digest = (p384 => 'sha384', p521 => 'sha512', r4096 => 'sha512');
my $dir = new_dir();

my $nginx = PKI::Nginx->new(
    http => new_redis() . join('', map {
        made_in($dir, $_, $kind{$_},
                $digest{$_} ? "signature_digest $digest{$_};" : '')
    } sort keys %kind),
    server => locations(sort keys %kind));
$nginx->start;
wait_until(sub { -e "$dir/r4096.pem" || $nginx->ended }, 60);
ok(ready($nginx), 'all are ready');

for my $name (sort keys %kind) {
    my $ca = "$dir/$name.pem";
    my $cert = issue($name, $nginx);
    ok(defined $cert, "$name: issues") or next;
    verifies($name, $cert, $ca, '-x509_strict');

    my $digest = $digest{$name} || 'sha256';
    for my $file ($cert, $ca) {
        like(openssl('x509', '-in', $file, '-noout', '-text'),
             $name =~ /^p/ ? qr/ecdsa-with-\U$digest\E$/m
                           : qr/: ${digest}WithRSAEncryption$/m,
             "$name: signature algorithm");
    }

    my %ocsp = ocsp_ask(url => url($nginx, "/$name/ocsp"), ca => $ca,
                        cert => $cert);
    is($ocsp{status}, 'good', "$name: OCSP") or diag($ocsp{text});
    ok($ocsp{verified}, "$name: OCSP verifies");

    my $crl;
    ok(wait_until(sub {
        (my $status, undef, $crl) = http_get("/$name/crl",
                                             port => $nginx->port);
        $status == 200;
    }, 40), "$name: a CRL");
    my ($code, undef, $said) = command('openssl', 'crl', '-inform', 'DER',
        '-noout', '-CAfile', $ca, { in => $crl });
    like($said, qr/verify OK/, "$name: which verifies");
    is((stat "$dir/$name.key")[2] & 07777, 0600, "$name: mode of the key");
}

unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
ok($nginx->stop, 'ends well');



=== TEST 5: many at once with a key that computes in threads
--- main_config
thread_pool signing threads=2;
--- http_config eval
"pki_thread_pool signing;\n" . main::authority('slow', key => 'rsa:3072')
--- config eval
package main;
locations('slow')
--- perl
ok(ready(), 'ready');
my @children;
my @csr = map { new_csr(key => $::ec, subject => "/CN=t$_") } 1 .. 16;
for my $csr (@csr) {
    my $pid = fork() // die;
    if ($pid == 0) {
        my ($status) = http_post('/slow/enroll', slurp($csr));
        POSIX::_exit($status == 201 ? 0 : 1);
    }
    push @children, $pid;
}
my $bad = 0;
for (@children) { waitpid $_, 0; $bad++ if $? }
is($bad, 0, 'all sixteen are issued');
like(error_log(), qr/run task #/, 'in threads');



=== TEST 6: a key by OSSL_STORE
--- http_config eval
"pki_authority store {
    key store:file:$::work/store.key;
    certificate $::work/store.pem;
    base_url http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}"
--- config eval
package main;
locations('store') . 'location = /store/scep { scep store;
    scep_challenge static $TEST_NGINX_WORK/secret-one; }'
--- perl
ok(ready(), 'ready');
my $ca = "$::work/store.pem";
my $cert = issue('store');
verifies('enroll', $cert, $ca);
is({ocsp_ask(url => '/store/ocsp', ca => $ca, cert => $cert)}->{status},
   'good', 'OCSP');
$cert = scep_enroll(url => '/store/scep', key => $::rsa, subject => 'CN=s',
                    password => 'challenge of one', ca => $ca);
ok(defined $cert, 'SCEP: it opens envelopes, too');
ok(nginx_reload(15), 'reloads');
ok(defined issue('store'), 'and goes on');
like(error_log(), qr/run task #/, 'in threads');



=== TEST 7: a key by OSSL_STORE that is not there
--- http_config eval
"pki_authority store { key store:file:$::work/nowhere.key;
                       certificate $::work/store.pem; }"
--- config
--- must_die
--- error_log
OSSL_STORE gives no private key



=== TEST 8: an intermediate authority and its chain
--- http_config eval
"pki_authority inter {
    key file:$::work/inter.key;
    certificate $::work/inter.pem chain=$::work/root.pem;
    base_url http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}"
--- config eval
package main;
locations('inter')
--- perl
ok(ready(), 'ready');
my ($root, $inter) = ("$::work/root.pem", "$::work/inter.pem");
my $cert = issue('inter');
is(scalar(() = slurp($cert) =~ /BEGIN CERTIFICATE/g), 3,
   'answered with its chain, up to the root');
verifies('the certificate', $cert, $root, '-untrusted', $inter,
         '-x509_strict');
my ($status, undef, $chain) = http_get('/inter/ca');
is($status, 200, 'the chain can be fetched');
is(scalar(() = $chain =~ /BEGIN CERTIFICATE/g), 2, 'and has both');
my ($code, $out, $err) = command('openssl', 'ocsp', '-url',
    'http://127.0.0.1:' . Test::Nginx::Util::server_port_for_client()
    . '/inter/ocsp', '-issuer', $inter, '-CAfile', $root, '-verify_other',
    $inter, '-cert', $cert);
like($out, qr/: good$/m, 'OCSP');
like($err, qr/^Response verify OK$/m, 'which verifies');
my $bundle = work_file('bundle.pem', slurp($root) . slurp($inter));
ok(wait_until(sub { (http_get('/inter/crl'))[0] == 200 }), 'a CRL');
my %crl = crl_serials('/inter/crl', $bundle);
is(scalar keys %crl, 0, 'which verifies');
like(openssl('x509', '-in', $cert, '-noout', '-issuer', '-ext',
             'authorityKeyIdentifier'), qr/issuer=CN = inter$/m,
     'issued by the intermediate');



=== TEST 9: nginx -t makes nothing, and asks nobody
--- config
--- perl
my $dir = new_dir();
my $port = free_port();
my $nginx = PKI::Nginx->new(
    http => "pki_redis redis://127.0.0.1:$port;"
            . made_in($dir, 'a', 'rsa:2048'),
    server => locations('a')
              . "location /scep { scep a; scep_challenge none insecure; }\n");
my ($code, $said) = $nginx->test;
is($code, 0, 'the configuration is good') or diag($said);
is(files($dir), '', 'no file is made');

$nginx->start;
ok(wait_until(sub { probe($nginx) =~ /^redis: down/m }, 20),
   'it starts without Redis, too');
is(files($dir), 'a.key a.pem', 'and makes both');

unlink "$dir/a.pem";
($code) = $nginx->test;
is($code, 0, 'nginx -t with the key alone');
is(files($dir), 'a.key', 'makes no certificate');
ok($nginx->stop, 'ends well');



=== TEST 10: nothing is ever overwritten
--- config
--- perl
my $dir = new_dir();
my $nginx = PKI::Nginx->new(http => new_redis()
                                    . made_in($dir, 'a', 'ec:P-256'),
                            server => locations('a'));

# as a node that was killed while it made the key has left it

$nginx->start(prepare => sub {
    open my $out, '>', "$dir/a.key.new.$$" or die;
});
ok(ready($nginx), 'ready, whatever lies about');
unlink glob "$dir/a.key.new.*";

my $cert = issue('a', $nginx);
my $sum = sub { join ' ', map { "$_:" . (stat "$dir/$_")[1] . slurp("$dir/$_") }
                          split ' ', files($dir) };
my $before = $sum->();
ok($nginx->reload, 'reloads');
is($sum->(), $before, 'the same files after a reload');
ok($nginx->stop, 'ends well');
$nginx->start;
ok(ready($nginx), 'ready');
is($sum->(), $before, 'and after a restart');
is({ocsp_ask(url => url($nginx, '/a/ocsp'), ca => "$dir/a.pem",
             cert => $cert)}->{status}, 'good', 'which knows it');
ok($nginx->stop, 'ends well');

rename "$dir/a.key", "$dir/gone";
$nginx->start(prepare => \&PKI::Nginx::leaks);
ok($nginx->ended(10), 'a certificate without its key: nginx does not start');
like($nginx->said, qr/no new key is made for it/, 'and says why');
is(files($dir), 'a.pem gone', 'no key is made');

rename "$dir/gone", "$dir/a.key";
rename "$dir/a.pem", "$dir/a.old";
$nginx->start;
ok(wait_until(sub { probe($nginx) =~ /redis has another certificate/ }, 20),
   'a key without its certificate: Redis has another one');
ok(!defined issue('a', $nginx), 'nothing is issued');
ok($nginx->stop, 'ends well');
rename "$dir/a.old", "$dir/a.pem";
$nginx->start;
ok(ready($nginx), 'ready once it is put back');
ok($nginx->stop, 'ends well');



=== TEST 11: a key, or a certificate, that does not belong here
--- http_config eval
"pki_authority a { key file:$::work/root.key;
                   certificate $::work/inter.pem; }"
--- config
--- must_die
--- error_log
does not belong to the key



=== TEST 12: an authority is added, and taken out again, by a reload
--- config
--- perl
my $dir = new_dir();
my $shared = new_redis();
my $one = made_in($dir, 'a', 'ec:P-256');
my $two = made_in($dir, 'b', 'ec:P-384');
my $nginx = PKI::Nginx->new(http => $shared . $one, server => locations('a'));
$nginx->start;
ok(ready($nginx), 'ready');
my $cert = issue('a', $nginx);

$nginx->configure(http => $shared . $one . $two,
                  server => locations('a', 'b'));
ok($nginx->reload, 'reloads');
is(files($dir), 'a.key a.pem b.key b.pem', 'the new one is made');
ok(ready($nginx), 'both are ready');
like(probe($nginx), qr/^authority $_: ok$/m, 'as the probe says') for 'a', 'b';
my $new = issue('b', $nginx);
verifies('the new one', $new, "$dir/b.pem");
is({ocsp_ask(url => url($nginx, '/a/ocsp'), ca => "$dir/a.pem",
             cert => $cert)}->{status}, 'good', 'the old one goes on');

$nginx->configure(http => $shared . $one, server => locations('a'));
ok($nginx->reload, 'reloads');
ok(ready($nginx), 'ready without it');
is((http_get('/b/ca', port => $nginx->port))[0], 404, 'it is gone');

$nginx->configure(http => $shared . $one . $two,
                  server => locations('a', 'b'));
ok($nginx->reload, 'reloads');
ok(ready($nginx), 'ready with it');
is({ocsp_ask(url => url($nginx, '/b/ocsp'), ca => "$dir/b.pem",
             cert => $new)}->{status}, 'good', 'it knows what it has issued');

$nginx->configure(http => $shared . $one . 'pki_authority c { }',
                  server => locations('a'));
ok(!$nginx->reload(2), 'a wrong configuration is not taken');
ok(defined issue('a', $nginx), 'the old one goes on');
unlike($nginx->log, qr/\[(?:alert|crit)\]|open socket|aborting/, 'no trouble');
ok($nginx->stop, 'ends well');



=== TEST 13: a certificate that has expired
--- http_config eval
"pki_authority past { key file:$::work/past.key;
                      certificate $::work/past.pem;
                      base_url http://127.0.0.1; }"
--- config eval
package main;
locations('past')
--- perl
ok(wait_until(sub { probe() =~ /^authority past: .* has expired$/m }),
   'the probe says so') or diag(probe());
ok(!defined issue('past'), 'it issues nothing');
--- error_log
has expired
