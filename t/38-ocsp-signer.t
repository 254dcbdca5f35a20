# Who signs OCSP answers: the directive ocsp_signer, which of several signs
# (rows Q26, Q27), delegates and their renewal (R5, R6), the authority itself
# (R10), responders whose certificates are in files (R8, R9).  What the answers
# say is in 32.

use lib 't/lib';
use JSON::PP ();
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Load;
use PKI::Nginx;
use PKI::OCSP;
use Time::HiRes qw( time sleep );

redis_start(appendonly => 1);

our $work = work_dir();

# A key and a certificate in $work: of an authority, or of a responder.

sub issue {
    my ($name, %spec) = @_;

    my ($code, undef, $err) = command(
        '/usr/bin/python3', 't/tools/ocsp_issue.py',
        JSON::PP->new->encode({ key => "$work/$name.key",
                                cert => "$work/$name.pem", %spec }));
    die "$name: $err" if $code;

    return;
}

sub responder {
    my ($name, %spec) = @_;

    issue($name, ca => "$work/demo.pem", ca_key => "$work/demo.key", %spec);

    return;
}

# The responder of this name, as a location has it.

sub signer { return "ocsp_signer file $work/$_[0].pem $work/$_[0].key;" }

sub location { return "location /ocsp { ocsp_responder demo; $_[0] }" }

# One location with its own authority for each of these, and all else.

sub authorities {
    my (%more) = @_;

    return join '', map { authority($_, @{ $more{$_} }) } sort keys %more;
}

sub locations {
    my (@names) = @_;

    return "location = /probe { pki_probe; }\n" . join '', map { <<"END" } @names;
location = /$_/enroll { enroll $_; enroll_auth none insecure; }
location /$_/ocsp     { ocsp_responder $_; }
END
}

issue('demo');
issue('namesake');               # another key, the same name
issue('other', subject => 'other CA');

responder('right');
responder('p384', type => 'ec:P-384');
responder('rsa', type => 'rsa:2048');
responder('slow', type => 'rsa:4096');
responder('soon', days => 6, eku => [ 'client', 'ocsp' ]);
responder('hour', days => 1 / 24, ku => 0, nocheck => 0);
responder('open');
chmod 0644, "$work/open.key";

responder('weak', type => 'rsa:1024');
responder('curve', type => 'ec:P-224');
responder('client', eku => [ 'client' ]);
responder('all', eku => 0);
responder('usage', ku => [ 'key_encipherment' ]);
responder('past', from => -9, days => -1);
responder('future', from => 1);
issue('forged', ca => "$work/namesake.pem", ca_key => "$work/namesake.key");
issue('foreign', ca => "$work/other.pem", ca_key => "$work/other.key");
work_file('garbage.pem', "nothing\n");
work_file('garbage.key', "nothing\n");

http_config(authority('demo'), authority('other'));

our $common = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
END

our $cert;

sub setup {
    ocsp_ready('/ocsp') or die "not ready";
    $cert ||= new_certificate('one') or die 'no certificate';
    ocsp_defaults(ca => work_file('demo.pem'), cert => $cert);
    return;
}

# PreferredSignatureAlgorithms of these, in this order; "ecdsa_sha256:P-384":
# with that curve.

our %oid = (
    'ecdsa_sha1'   => '300906072a8648ce3d0401',
    'ecdsa_sha256' => '300a06082a8648ce3d040302',
    'ecdsa_sha384' => '300a06082a8648ce3d040303',
    'rsa_md5'      => '300d06092a864886f70d0101040500',
    'rsa_sha1'     => '300d06092a864886f70d0101050500',
    'rsa_sha256'   => '300d06092a864886f70d01010b0500',
    'rsa_pss'      => '300b06092a864886f70d01010a',
    'P-256'        => '301306072a8648ce3d020106082a8648ce3d030107',
    'P-384'        => '301006072a8648ce3d020106052b81040022',
    'rsa'          => '300d06092a864886f70d0101010500',
);

sub sequence {
    my ($hex) = @_;

    my $n = length($hex) / 2;
    my $length = $n > 255 ? sprintf('82%04x', $n)
               : $n > 127 ? sprintf('81%02x', $n) : sprintf('%02x', $n);

    return "30$length$hex";
}

sub preferring {
    my (@names) = @_;

    my $list = join '', map { sequence(join '', @oid{ split /:/ }) } @names;

    return { ext => [ [ '2b0601050507300108', sequence($list) ] ] };
}

# Answers for "seconds", asked as the specs say, by turns; what is wrong with
# them, how many there are, and by whom.

sub ask_for {
    my ($seconds, $port, @specs) = @_;

    my @ders = ocsp_make(@specs);
    my $end = time + $seconds;
    my (@answers, %bad, %signer);

    while (time < $end) {
        push @answers, [ PKI::OCSP::post('/ocsp', $ders[@answers % @ders],
                                         port => $port) ];
        sleep 0.03;
    }

    for my $r (ocsp_parse(@answers)) {
        if ($r->{error} ne 'successful') {
            $bad{ $r->{error} }++;
            next;
        }

        my $s = $r->{signer};
        $signer{ $s->{key} }{ $s->{serial} }++;
        $bad{'not good'}++ if $r->{status} ne 'good';
        $bad{'bad signature'}++ unless $r->{verified} && $s->{verified};
        $bad{'after its end'}++ if $r->{produced_at}{at} >= $s->{not_after};
        $bad{'promises more'}++ if $r->{next_update}{at} > $s->{not_after};
        $bad{'not its key'}++ if $r->{responder_key} ne $s->{key_hash};
    }

    return (\%bad, \%signer, scalar @answers);
}

# A node whose authority has a key in the vault, made by "create"; more
# settings of the vault, and locations.

sub vault_node {
    my ($name, %o) = @_;

    return PKI::Nginx->new(
        http => 'pki_redis ' . redis()->url . ";\n" . <<"END",
resolver 127.0.0.1:\$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate \$TEST_NGINX_AZURE_CA;
pki_key_vault ${\ ($o{settings} || 'rate=0') };
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:\$TEST_NGINX_AZURE_HTTP_PORT;
}
pki_authority $name {
    subject     "CN=$name CA,O=Test";
    key         keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/$name;
    certificate ${\ ($o{certificate} || "$work/$name.pem") };
    create      ${\ ($o{create} || 'ec:P-256') } validity=3650d;
}
END
        server => <<"END");
location = /probe  { pki_probe; }
location = /enroll { enroll $name; enroll_auth none insecure; }
location /ocsp     { ocsp_responder $name; $o{signer} }
END
}

# A certificate of the node, which is then what requests are about.

sub vault_setup {
    my ($node, $name) = @_;

    my $port = $node->port;
    my $csr = new_csr(key => new_key('ec:P-256'), subject => "/CN=$name");
    my ($status, $ready, $pem);

    wait_ready(sub {
        (undef, undef, $ready) = http_get('/probe', port => $port);
        $ready =~ /^authority \S+: ok/m }, 30) or diag($ready);

    wait_until(sub {
        ($status, undef, $pem) = http_post('/enroll', slurp($csr),
                                           port => $port);
        $status == 201 }, 10) or die "enrol: $status";

    ocsp_defaults(ca => "$work/$name.pem",
                  cert => work_file("$name.cert.pem", $pem));

    return wait_until(sub {
        ocsp_post('/ocsp', {}, port => $port)->{error} eq 'successful' }, 20);
}

sub clean {
    my ($node) = @_;

    ok($node->stop, 'it ends well');
    unlike($node->log, qr/\[(?:alert|crit|emerg)\]/, 'a clean log');

    return;
}

sub signs { return azure_counters()->{requests}{sign} // 0 }

start_azure();
run_tests();

__DATA__

=== TEST 1: auto: key and validity, inherited
--- http_config
ocsp_signer auto key=ec:P-384 validity=1h;
--- config eval
$::common . main::location('')
--- perl
setup();
my $r = ocsp_post('/ocsp', {});
is($r->{status}, 'good', 'good');
is($r->{signer}{key}, 'ec:384', 'its key');
ok(abs($r->{signer}{not_after} - time - 3600) < 60, 'its validity');
is($r->{verified}, 1, 'signed');



=== TEST 2: a changed one takes effect with a reload
--- config eval
$::common . main::location('ocsp_signer auto key=ec:P-256;')
--- perl
setup();
my $r = ocsp_post('/ocsp', {});
is($r->{signer}{key}, 'ec:256', 'P-256');

my $before = 'key=ec:P-256';
my $conf = slurp($Test::Nginx::Util::ConfFile);

for ([ 'key=ec:P-384', 'ec:384' ],
     [ 'key=ec:P-256 validity=2h', 'ec:256' ],
     [ 'key=ec:P-384 key=ec:P-256', 'ec:384' ])
{
    my ($after, $key) = @$_;

    (my $new = $conf) =~ s/ocsp_signer auto \Q$before\E;/ocsp_signer auto $after;/
        or die;
    open my $out, '>', $Test::Nginx::Util::ConfFile or die $!;
    print $out $new;
    close $out;

    nginx_reload(15);
    ok(wait_until(sub {
        ($r = ocsp_post('/ocsp', {}))->{error} eq 'successful'
            && $r->{signer}{key} eq $key;
    }), "$after: $key");
    is($r->{verified}, 1, 'signed');
}

ok(abs($r->{signer}{not_after} - time - 86400) < 120, 'its validity');

(my $new = $conf) =~ s/ocsp_signer auto \Q$before\E;/ocsp_signer authority;/;
open my $out, '>', $Test::Nginx::Util::ConfFile or die $!;
print $out $new;
close $out;

nginx_reload(15);
ok(wait_until(sub {
    ($r = ocsp_post('/ocsp', {}))->{error} eq 'successful'
        && $r->{responder_key}
           eq certificate(work_file('demo.pem'))->{key_hash};
}), 'the authority itself');
is($r->{verified}, 1, 'signed');



=== TEST 3: auto: an RSA key without a thread pool
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=rsa:2048; }
--- must_die
--- error_log
"ocsp_signer auto key=rsa:2048" makes its keys in a thread pool: configure "pki_thread_pool"



=== TEST 4: auto: an RSA key for a second one without a thread pool
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=ec:P-256 key=rsa:2048; }
--- must_die
--- error_log
"ocsp_signer auto key=rsa:2048" makes its keys in a thread pool: configure "pki_thread_pool"



=== TEST 5: auto: an RSA key with a thread pool
--- main_config
thread_pool pki threads=1;
--- http_config
pki_thread_pool pki;
--- config eval
$::common . main::location('ocsp_signer auto key=rsa:2048;')
--- perl
setup();
my $r = ocsp_post('/ocsp', {});
is($r->{status}, 'good', 'good');
is($r->{signer}{key}, 'rsa:2048', 'RSA');



=== TEST 6: auto: an RSA key that nobody uses needs no thread pool
--- http_config
ocsp_signer auto key=rsa:2048;
--- config eval
$::common . main::location('ocsp_signer auto;')
--- perl
setup();
is(ocsp_post('/ocsp', {})->{signer}{key}, 'ec:256', 'P-256');



=== TEST 7: of an unknown kind
--- config
location /ocsp { ocsp_responder demo; ocsp_signer self; }
--- must_die
--- error_log
in "ocsp_signer": "auto", "authority" or "file certificate key" would be right



=== TEST 8: auto: a key too large
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=rsa:4096; }
--- must_die
--- error_log
"key=rsa:4096" in "ocsp_signer": "key=ec:P-256", "key=ec:P-384" or "key=rsa:2048"



=== TEST 9: auto: a key of a vault
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=ec-hsm:P-256; }
--- must_die
--- error_log
invalid parameter "key=ec-hsm:P-256" in "ocsp_signer"



=== TEST 10: auto: the same key twice
--- config
location /ocsp { ocsp_responder demo;
                 ocsp_signer auto key=ec:P-256 key=ec:P-384 key=ec:P-256; }
--- must_die
--- error_log
invalid parameter "key=ec:P-256" in "ocsp_signer": each kind of key once would be right



=== TEST 11: auto: a validity too short
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto validity=4s; }
--- must_die
--- error_log
a time of at least 5 seconds, e.g. "validity=24h" would be right



=== TEST 12: auto: two validities
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto validity=1h validity=2h; }
--- must_die
--- error_log
invalid parameter "validity=2h" in "ocsp_signer": one "validity=" for all keys would be right



=== TEST 13: auto: an unknown parameter
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto size=1; }
--- must_die
--- error_log
invalid parameter "size=1" in "ocsp_signer": "key=" or "validity=" would be right



=== TEST 14: nothing
--- config
location /ocsp { ocsp_responder demo; ocsp_signer; }
--- must_die
--- error_log
invalid number of arguments in "ocsp_signer" directive



=== TEST 15: twice
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto; ocsp_signer authority; }
--- must_die
--- error_log
"ocsp_signer" directive is duplicate



=== TEST 16: two of one authority: keys
--- config
location /a { ocsp_responder demo; }
location /b { ocsp_responder demo; ocsp_signer auto key=ec:P-384; }
--- must_die
--- error_log
locations with "ocsp_responder demo" have different "ocsp_signer"



=== TEST 17: two of one authority: the order of keys
--- config
location /a { ocsp_responder demo; ocsp_signer auto key=ec:P-256 key=ec:P-384; }
location /b { ocsp_responder demo; ocsp_signer auto key=ec:P-384 key=ec:P-256; }
--- must_die
--- error_log
locations with "ocsp_responder demo" have different "ocsp_signer"



=== TEST 18: two of one authority: auto and itself
--- config
location /a { ocsp_responder demo; ocsp_signer auto; }
location /b { ocsp_responder demo; ocsp_signer authority; }
--- must_die
--- error_log
locations with "ocsp_responder demo" have different "ocsp_signer"



=== TEST 19: two of one authority: files
--- config eval
'location /a { ocsp_responder demo; ' . main::signer('right') . '}'
. 'location /b { ocsp_responder demo; ' . main::signer('rsa') . '}'
--- must_die
--- error_log
locations with "ocsp_responder demo" have different "ocsp_signer"



=== TEST 20: authority: a parameter
--- config
location /ocsp { ocsp_responder demo; ocsp_signer authority key=ec:P-256; }
--- must_die
--- error_log
"ocsp_signer" directive takes nothing behind "authority"



=== TEST 21: file: no key
--- config
location /ocsp { ocsp_responder demo; ocsp_signer file a.pem; }
--- must_die
--- error_log
takes a certificate and its key behind "file", e.g. "ocsp_signer file ocsp.pem ocsp.key"



=== TEST 22: file: one file too many
--- config
location /ocsp { ocsp_responder demo; ocsp_signer file a.pem a.key b; }
--- must_die
--- error_log
takes a certificate and its key behind "file"



=== TEST 23: Q26: of several the first that the client names signs
--- main_config
thread_pool pki threads=1;
--- http_config
pki_thread_pool pki;
--- config eval
$::common
. main::location('ocsp_signer auto key=ec:P-256 key=ec:P-384 key=rsa:2048;')
--- perl
setup();

ok(wait_until(sub {
    ocsp_post('/ocsp', preferring('rsa_sha256'))->{signer}{key}
        eq 'rsa:2048' }, 20), 'the third is there, too');

my @cases = (
    [ 'ec:256', 'sha256_ecdsa' ],
    [ 'ec:256', 'sha256_ecdsa', 'ecdsa_sha256' ],
    [ 'ec:384', 'sha384_ecdsa', 'ecdsa_sha384' ],
    [ 'rsa:2048', 'sha256_rsa', 'rsa_sha256' ],
    [ 'rsa:2048', 'sha256_rsa', 'rsa_sha256:rsa' ],
    [ 'rsa:2048', 'sha256_rsa', 'rsa_sha256', 'ecdsa_sha384' ],
    [ 'ec:384', 'sha384_ecdsa', 'ecdsa_sha384', 'rsa_sha256' ],
    [ 'ec:256', 'sha256_ecdsa', 'ecdsa_sha256:P-256', 'rsa_sha256' ],
    [ 'ec:384', 'sha384_ecdsa', 'ecdsa_sha384:P-384' ],

    # no P-384 key signs with SHA-256 here, no P-256 key with SHA-384
    [ 'rsa:2048', 'sha256_rsa', 'ecdsa_sha256:P-384', 'ecdsa_sha384:P-256',
      'rsa_sha256' ],

    # what is not there, or Q27: not secure, is passed over
    [ 'ec:256', 'sha256_ecdsa', 'rsa_pss' ],
    [ 'ec:256', 'sha256_ecdsa', 'rsa_sha1', 'ecdsa_sha1', 'rsa_md5' ],
    [ 'rsa:2048', 'sha256_rsa', 'ecdsa_sha1', 'rsa_md5', 'rsa_sha1',
      'rsa_pss', 'rsa_sha256', 'ecdsa_sha256' ],
    [ 'rsa:2048', 'sha256_rsa', ('rsa_sha1') x 15, 'rsa_sha256' ],
);

# with and without a nonce: what is kept for one is not given to another

for my $round (1 .. 2) {
    for my $nonce (undef, '0102030405060708') {
        for (@cases) {
            my ($key, $algorithm, @preferred) = @$_;

            my $r = ocsp_post('/ocsp', {
                @preferred ? %{ preferring(@preferred) } : (),
                nonce => $nonce });

            is(join(' ', $r->{status}, $r->{signer}{key},
                    $r->{algorithm}{name}, $r->{verified}),
               "good $key $algorithm 1",
               "@preferred" . ($nonce ? ', nonce' : ''));
        }
    }
}

# each has a certificate of its own

my %serial = map {
    ocsp_post('/ocsp', preferring($_))->{signer}{serial} => 1
} qw( ecdsa_sha256 ecdsa_sha384 rsa_sha256 );
is(scalar keys %serial, 3, 'three certificates');



=== TEST 24: Q26: whoever signs alone does so by its own algorithm
--- config eval
$::common . main::location('ocsp_signer authority;')
--- perl
setup();
my $r = ocsp_post('/ocsp', preferring('rsa_sha1', 'rsa_sha256'));
is("$r->{status} $r->{algorithm}{name} $r->{verified}",
   'good sha256_ecdsa 1', 'ECDSA');



=== TEST 25: R10: the authority signs itself, by keys of each kind
--- http_config eval
main::authorities(
    ec256 => [ key => 'ec:P-256' ], rsa2048 => [ key => 'rsa:2048' ],
    ec521 => [ key => 'ec:P-521', more => 'signature_digest sha512;' ],
    rsa4096 => [ key => 'rsa:4096' ],
    pss => [ key => 'rsa:2048', more => 'signature_digest sha384 pss;' ])
--- config eval
'ocsp_signer authority;'
. main::locations(qw( ec256 ec521 rsa2048 rsa4096 pss ))
--- timeout: 60
--- perl
my %algorithm = (ec256 => 'sha256_ecdsa', ec521 => 'sha512_ecdsa',
                 rsa2048 => 'sha256_rsa', rsa4096 => 'sha256_rsa',
                 pss => 'rsassa_pss');

for my $name (sort keys %algorithm) {
    ocsp_ready("/$name/ocsp", $name) or die "not ready";

    my $cert = new_certificate($name, "/$name/enroll");
    my $ca = work_file("$name.pem");
    my $hash = certificate($ca, $ca)->{key_hash};

    ocsp_defaults(ca => $ca, cert => $cert);

    for my $spec ({}, { nonce => '55' x 16 }, {}) {
        my $r = ocsp_post("/$name/ocsp", $spec);
        is($r->{status}, 'good', "$name: good");
        is($r->{certs}, 1, "$name: its certificate is there: Apache and"
                           . " FreeRADIUS look for it nowhere else");
        is($r->{signer}{key_hash}, $hash, "$name: and no other");
        is($r->{algorithm}{name}, $algorithm{$name}, "$name: its algorithm");
        is($r->{verified}, 1, "$name: signed by the authority");
        is($r->{responder_key}, $hash, "$name: the responder is its key");
        unlike(unpack('H*', $r->{body}), qr/a0023000/, 'nor an empty list');
    }

    for my $args ([], [ '-no_nonce' ]) {
        my %ocsp = ocsp_ask(url => "/$name/ocsp", ca => $ca, cert => $cert,
                            args => $args);
        is("$ocsp{status} $ocsp{verified}", 'good 1', "$name: openssl agrees");
    }
}



=== TEST 26: authority: several in one location, each signs its own
--- config
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /second { enroll other; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo other; ocsp_signer authority; }
--- perl
setup();
my $second = new_certificate('second', '/second');
my $ca = work_file('other.pem');

for ([ work_file('demo.pem'), $::cert ], [ $ca, $second ]) {
    my ($ca, $cert) = @$_;
    ocsp_defaults(ca => $ca, cert => $cert);
    my $r = ocsp_post('/ocsp', {});
    is("$r->{status} $r->{certs} $r->{verified}", 'good 1 1', 'its own key');
}



=== TEST 27: authority: its key is in a vault
--- config
--- timeout: 60
--- perl
my $node = vault_node('vec', signer => 'ocsp_signer authority;')->start;
my $port = $node->port;
ok(vault_setup($node, 'vec'), 'ready');

my $r = ocsp_post('/ocsp', {}, port => $port);
is("$r->{status} $r->{certs} $r->{algorithm}{name} $r->{verified}",
   'good 1 sha256_ecdsa 1', 'signed by the authority');

# Q25: what a vault can sign is not for whoever sends a nonce

my $before = signs();
$r = ocsp_post('/ocsp', { nonce => '42' x 16 }, port => $port);
is("$r->{status} $r->{verified}", 'good 1', 'Q25: an answer to a nonce');
is_deeply($r->{extensions}, [], 'Q25: without it');
is(signs() - $before, 0, 'and no signature for it');

# one signature is for all who ask at the same time, on every worker

azure_latency(sign => 300);
my ($status, undef, $pem) = http_post('/enroll', slurp(
    new_csr(key => new_key('ec:P-256'), subject => '/CN=flight')),
    port => $port);
is($status, 201, 'a new certificate');

$before = signs();
my $type = { 'Content-Type' => 'application/ocsp-request' };
my ($der) = ocsp_make({ cert => work_file('flight.pem', $pem) });
my @answers = load(port => $port, connections => 24,
                   requests => [ (['/ocsp', $der, $type]) x 24 ]);
my %seen = map { $_->{body} => 1 } @answers;
is(scalar keys %seen, 1, 'the same answer for 24');
is((ocsp_parse([ 200, {}, keys %seen ]))[0]{status}, 'good', 'good');
is(signs() - $before, 1, 'one signature');

# several at once are not kept: they must not use up what a vault can do

azure_reset();
$before = signs();
my ($two) = ocsp_make({ ids => [ ({ cert => work_file('flight.pem') }) x 2 ] });
@answers = load(port => $port, connections => 8,
                requests => [ (['/ocsp', $two, $type]) x 80 ]);
my @late = grep { $_->{body} eq $PKI::OCSP::TRY_LATER } @answers;
cmp_ok(scalar @late, '>=', 20, 'most of 80 come again later');
is(signs() - $before, 80 - @late, 'the others are signed');

clean($node);



=== TEST 28: authority: an RSA key in a vault
--- config
--- timeout: 60
--- perl
my $node = vault_node('vrsa', create => 'rsa:2048',
                      signer => 'ocsp_signer authority;')->start;
ok(vault_setup($node, 'vrsa'), 'ready');
my $r = ocsp_post('/ocsp', { nonce => '01' }, port => $node->port);
is("$r->{status} $r->{certs} $r->{algorithm}{name} $r->{verified}",
   'good 1 sha256_rsa 1', 'signed by the authority');
ok($node->reload, 'a reload');
$r = ocsp_post('/ocsp', { nonce => '02' }, port => $node->port);
is("$r->{status} $r->{verified}", 'good 1', 'at once');
clean($node);



=== TEST 29: R8 R9: file: keys of each kind
--- config eval
$::common . 'location /right/ocsp { ocsp_responder demo; '
. main::signer('right') . '}'
--- perl
ok(ocsp_ready('/right/ocsp'), 'ready');
my $conf = slurp($Test::Nginx::Util::ConfFile);
my $before = 'right';

for ([ right => 'ec:256', 'sha256_ecdsa' ],
     [ p384 => 'ec:384', 'sha384_ecdsa' ],
     [ rsa => 'rsa:2048', 'sha256_rsa' ],
     [ slow => 'rsa:4096', 'sha256_rsa' ],
     [ soon => 'ec:256', 'sha256_ecdsa' ],
     [ hour => 'ec:256', 'sha256_ecdsa' ])
{
    my ($name, $key, $algorithm) = @$_;

    (my $new = $conf) =~ s/\bright\b/$name/g;
    open my $out, '>', $Test::Nginx::Util::ConfFile or die $!;
    print $out $new;
    close $out;

    nginx_reload(15);
    ok(wait_until(sub {
        (http_get("/$name/ocsp"))[0] == 200 }), "$name: new workers");

    $::cert ||= new_certificate('one');
    ocsp_defaults(ca => "$::work/demo.pem", cert => $::cert);
    my $file = certificate("$::work/$name.pem");

    for my $spec ({}, { nonce => '66' x 8 }) {
        my $r = ocsp_post("/$name/ocsp", $spec);
        is("$r->{status} $r->{verified} $r->{signer}{verified}", 'good 1 1',
           "$name: good, signed, of the authority");
        is($r->{signer}{der}, $file->{der}, "$name: its certificate");
        is("$r->{signer}{key} $r->{algorithm}{name}", "$key $algorithm",
           "$name: $algorithm");
        is($r->{responder_key}, $file->{key_hash}, "$name: its key");
        ok($r->{next_update}{at} <= $file->{not_after}, 'R5: not longer');
    }

    my %ocsp = ocsp_ask(url => "/$name/ocsp", ca => "$::work/demo.pem",
                        cert => $::cert);
    is("$ocsp{status} $ocsp{verified}", 'good 1', "$name: openssl agrees");
}



=== TEST 30: file: warnings: it ends soon
--- config eval
main::location(main::signer('soon'))
--- perl
--- suppress_stderr
--- error_log eval
qr{\[warn\] .* "ocsp_signer file": the certificate "\S+/soon.pem" expires in 14[34] hours}



=== TEST 31: file: warnings: it ends before an answer does
--- config eval
main::location(main::signer('hour') . 'ocsp_validity good=9d;')
--- perl
--- suppress_stderr
--- error_log eval
qr{"ocsp_signer file": the certificate "\S+/hour.pem" expires in [01] hours}



=== TEST 32: file: warnings: without ocsp-nocheck
--- config eval
main::location(main::signer('hour'))
--- perl
--- suppress_stderr
--- error_log eval
qr{\[warn\] .* the certificate "\S+/hour.pem" lacks id-pkix-ocsp-nocheck}



=== TEST 33: file: warnings: others may read the key
--- config eval
main::location(main::signer('open'))
--- perl
--- suppress_stderr
--- error_log eval
qr{\[warn\] .* others than its owner may use the key "\S+/open.key", do "chmod 600"}



=== TEST 34: file: nothing to warn of
--- config eval
$::common . main::location(main::signer('right'))
--- perl
ok(ocsp_ready('/ocsp'), 'ready');
--- no_error_log
[warn]
[error]



=== TEST 35: file: no such certificate
--- config eval
main::location("ocsp_signer file $::work/no.pem $::work/right.key;")
--- must_die
--- error_log eval
[ qr{"ocsp_signer file": cannot open certificate "\S+/no.pem"}, '[emerg]' ]



=== TEST 36: file: no certificate in it
--- config eval
main::location("ocsp_signer file $::work/garbage.pem $::work/right.key;")
--- must_die
--- error_log eval
[ qr{"ocsp_signer file": no certificate in "\S+/garbage.pem"}, '[emerg]' ]



=== TEST 37: file: no such key
--- config eval
main::location("ocsp_signer file $::work/right.pem $::work/no.key;")
--- must_die
--- error_log eval
[ qr{"ocsp_signer file": cannot open "?\S+/no.key}, '[emerg]' ]



=== TEST 38: file: no key in it
--- config eval
main::location("ocsp_signer file $::work/right.pem $::work/garbage.key;")
--- must_die
--- error_log eval
[ qr{"ocsp_signer file": no private key without a password in}, '[emerg]' ]



=== TEST 39: file: the key of another one
--- config eval
main::location("ocsp_signer file $::work/right.pem $::work/rsa.key;")
--- must_die
--- error_log eval
[ qr{the certificate "\S+/right.pem" does not belong to the key}, '[emerg]' ]



=== TEST 40: file: a weak key
--- config eval
main::location(main::signer('weak'))
--- must_die
--- error_log eval
[ qr{the certificate "\S+/weak.pem" has an RSA key of less than 2048 bits},
  '[emerg]' ]



=== TEST 41: file: a curve that nobody asked for
--- config eval
main::location(main::signer('curve'))
--- must_die
--- error_log
neither RSA nor EC on P-256, P-384 or P-521



=== TEST 42: R8: file: without OCSPSigning
--- config eval
main::location(main::signer('client'))
--- must_die
--- error_log eval
[ qr{of authority "demo": the certificate "\S+/client.pem" lacks the extended},
  '[emerg]' ]



=== TEST 43: R8: file: without extended key usages
--- config eval
main::location(main::signer('all'))
--- must_die
--- error_log
lacks the extended key usage OCSPSigning



=== TEST 44: R8: file: without digitalSignature
--- config eval
main::location(main::signer('usage'))
--- must_die
--- error_log
has a key usage without digitalSignature



=== TEST 45: R5: file: it has expired
--- config eval
main::location(main::signer('past'))
--- must_die
--- error_log eval
[ qr{the certificate "\S+/past.pem" has expired}, '[emerg]' ]



=== TEST 46: file: it is not valid yet
--- config eval
main::location(main::signer('future'))
--- must_die
--- error_log
is not valid yet



=== TEST 47: R8: file: of another authority
--- config eval
main::location(main::signer('foreign'))
--- must_die
--- error_log
has another issuer: only one that the authority itself has issued speaks for it



=== TEST 48: R8: file: of another authority of the same name
--- config eval
main::location(main::signer('forged'))
--- must_die
--- error_log
is not signed by the key of the authority



=== TEST 49: R8: file: the authority's own certificate
--- config eval
main::location(main::signer('demo'))
--- must_die
--- error_log
lacks the extended key usage OCSPSigning



=== TEST 50: file: for two authorities
--- config eval
'location /ocsp { ocsp_responder demo other; ' . main::signer('right') . '}'
--- must_die
--- error_log
"ocsp_signer file" speaks for one authority, but "ocsp_responder" names 2



=== TEST 51: file: inherited by the location of another authority
--- config eval
main::signer('right') . 'location /a { ocsp_responder demo; }'
                      . 'location /b { ocsp_responder other; }'
--- must_die
--- error_log
"ocsp_signer file" of authority "other": the certificate



=== TEST 52: file: nobody uses it, nobody reads it
--- config eval
"ocsp_signer file $::work/no.pem $::work/no.key;"
. $::common . main::location('ocsp_signer auto;')
--- perl
ok(ocsp_ready('/ocsp'), 'ready');



=== TEST 53: file: whose it is shows only when Redis tells of the authority
--- config
--- timeout: 60
--- perl

# the first node tells Redis the certificate, others have no file of it

issue('known', subject => 'known CA');
azure_import('known', "$::work/known.key");
issue('known.right', ca => "$::work/known.pem", ca_key => "$::work/known.key");

my $node = vault_node('known', signer => 'ocsp_signer auto;')->start;
ok(vault_setup($node, 'known'), 'the authority is known');
clean($node);

my $n = 0;

for ([ 'known.right', 1 ], [ 'foreign', 0 ]) {
    my ($name, $right) = @$_;

    $node = vault_node('known', signer => main::signer($name),
                       certificate => "$::work/absent" . $n++ . '.pem');
    my ($code, $said) = $node->test;
    is($code, 0, "$name: nginx -t finds nothing wrong") or diag($said);

    $node->start;
    my $port = $node->port;
    ok(wait_ready(sub {
        (http_get('/probe', port => $port))[2] =~ /^authority known: ok/m }),
       "$name: the authority is ready");

    if ($right) {
        my $r;
        ok(wait_until(sub {
            ($r = ocsp_post('/ocsp', {}, port => $port))->{error}
                eq 'successful' }), "$name: answers");
        is("$r->{status} $r->{verified} $r->{signer}{verified}", 'good 1 1',
           "$name: good");
        unlike($node->log, qr/\[error\]/, 'no error');

    } else {
        ok(wait_until(sub {
            $node->log =~ /authority "known": the certificate "\S+" has another issuer/
        }), "$name: the log says why");
        is(ocsp_post('/ocsp', {}, port => $port)->{error}, 'try_later',
           "$name: nothing is signed by it") for 1 .. 5;
        is(scalar(() = $node->log =~ /has another issuer/g), 2,
           'said once by each worker');
    }

    clean($node);
}



=== TEST 54: R5 R6: file: it expires while nginx runs
--- config
--- timeout: 40
--- perl
responder('brief', days => 7 / 86400);
my $node = PKI::Nginx->new(
    http => 'pki_redis ' . redis()->url . ";\n" . authority('demo'),
    server => $::common . main::location(main::signer('brief')))->start;
my $port = $node->port;
my $r;

ok(wait_until(sub {
    ($r = ocsp_post('/ocsp', { ca => "$::work/demo.pem", serial => '01' },
                    port => $port))->{error} eq 'successful' }, 5),
   'it answers');
ok($r->{next_update}{at} <= $r->{signer}{not_after}, 'not beyond its end');

ok(wait_until(sub { time > $r->{signer}{not_after} + 1 }, 20), 'its end');
is(ocsp_post('/ocsp', { ca => "$::work/demo.pem", serial => '01' },
             port => $port)->{error}, 'try_later', 'and then no answer');
ok(wait_until(sub {
    $node->log =~ /\[error\].* "\S+brief.pem" is not valid at this time/
}, 5), 'the log says why');
is(scalar(() = $node->log =~ /not valid at this time/g), 2,
   'once by each worker');
clean($node);



=== TEST 55: R5 R6: two delegates are renewed, nobody notices
--- timeout: 60
--- config eval
$::common
. main::location('ocsp_signer auto key=ec:P-256 key=ec:P-384 validity=10s;')
--- perl
setup();
ok(wait_until(sub {
    ocsp_post('/ocsp', preferring('ecdsa_sha384'))->{signer}{key}
        eq 'ec:384' }), 'both are there');

my ($bad, $signer, $n) = ask_for(
    18, undef, {}, preferring('ecdsa_sha384'), { nonce => '01' },
    { %{ preferring('ecdsa_sha384') }, nonce => '02' });

ok($n > 100, "$n answers");
is_deeply($bad, {}, 'none failed, none after its signer\'s end');
is(join(' ', sort keys %$signer), 'ec:256 ec:384', 'by both');

for (sort keys %$signer) {
    my $count = keys %{ $signer->{$_} };
    ok($count >= 3 && $count <= 6, "$_: $count, for both workers");
}



=== TEST 56: R5 R6: a slow vault makes no gap between delegates
--- config
--- timeout: 90
--- perl
my $node = vault_node('lazy', signer => 'ocsp_signer auto validity=12s;')
    ->start;
my $port = $node->port;
ok(vault_setup($node, 'lazy'), 'ready');

azure_latency(sign => 2500);
my ($bad, $signer, $n) = ask_for(20, $port, {}, { nonce => '01' });

ok($n > 100, "$n answers");
is_deeply($bad, {}, 'none failed');
ok(keys %{ $signer->{'ec:256'} } >= 2, 'by several delegates');

# a failure is tried again in time

azure_reset();
azure_fault(op => 'sign', count => 2, do => 'status', status => 400);
($bad, $signer, $n) = ask_for(14, $port, { nonce => '01' });
is_deeply($bad, {}, 'none failed');
like($node->log, qr/\[error\].*has no new certificate, key ec:P-256/,
     'though a vault refused');

azure_reset();
clean($node);



=== TEST 57: whoever makes the delegate is killed: the next one takes over
--- config
--- timeout: 60
--- perl
my $node = vault_node('killed', signer => 'ocsp_signer auto;')->start;
my $port = $node->port;

wait_ready(sub {
    azure_latency(sign => 0);
    (http_get('/probe', port => $port))[2] =~ /^authority killed: ok/m }, 20)
    or die 'not ready';
clean($node);

# the zone is new, and so is the delegate

azure_latency(sign => 3000);
my $before = signs();
$node->start;
ok(wait_until(sub { azure_counters()->{concurrent}{sign} }, 15),
   'it is being made');

kill 'KILL', $node->workers;
azure_latency(sign => 10);

my $start = time;
ok(wait_until(sub {
    ocsp_post('/ocsp', { ca => "$::work/killed.pem", serial => '01' },
              port => $port)->{error} eq 'successful' }, 15),
   'others have made one');
ok(time - $start < 8, 'soon') or diag(time - $start);
ok($node->stop, 'it ends well');
azure_reset();
