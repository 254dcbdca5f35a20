# Roll-over: "previous", GetNextCACert, messages for the authority that follows,
# what the one before goes on doing (scep.md N1 to N3, A2, A3, A7, C6, T9); and
# certificates for people: PEM, fingerprints.  Renewal across a roll-over is
# left to 27.

use lib 't/lib';

BEGIN { delete $ENV{PKI_KEY} }

use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Nginx;
use PKI::OCSP;
use PKI::Scep;
use PKI::Vault;

use Digest::SHA qw( sha1_hex sha256_hex );
use Time::HiRes qw( sleep time );

redis_start();
key_vault();

our $work = work_dir();
our $n = 0;

work_file('challenge', "open sesame\n");

our $authorities =
    authority('old') . authority('new', more => 'ra auto; previous old;')
    . authority('curve', key => 'ec:P-384',
                more => 'ra auto; signature_digest sha384;')
    . authority('next', key => 'ec:P-256', more => 'ra auto; previous curve;')
    . authority('alone');

http_config(
    "log_format roll '\$pki_authority|\$scep_status|\$pki_serial';",
    'scep_challenge static $TEST_NGINX_WORK/challenge;');

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log roll;
location = /probe      { pki_probe; }
location /scep         { scep old; }
location /scep2        { scep old; }
location /curve        { scep curve; }
location /alone        { scep alone; scep_renewal on; }
location /ocsp         { ocsp_responder old new; }
location = /crl/old.crl { crl old; }
location = /crl/new.crl { crl new; }
location /m/           { certificate_master old new next;
                         certificate_master_user someone;
                         certificate_master_roles admin; }
END

our $caps = "AES\nPOSTPKIOperation\nSHA-256\nSHA-384\nSHA-512\n"
            . "SCEPStandard\n";
our $caps_next = $caps =~ s/AES\n/AES\nGetNextCACert\n/r;

our $type_next = 'application/x-x509-next-ca-cert';

sub caps { return (http_get("$_[0]?operation=GetCACaps"))[2] }

# every worker

sub all_ready {
    my (%o) = @_;
    my $times = 0;
    return wait_until(sub {
        $times = (http_get('/probe', %o))[0] == 200 ? $times + 1 : 0;
        return $times == 10;
    }, 45) || diag((http_get('/probe', %o))[2]) && 0;
}

sub next_ready {
    my ($uri) = @_;
    my $times = 0;
    return wait_until(sub {
        $times = caps($uri) =~ /^GetNextCACert$/m ? $times + 1 : 0;
        return $times == 10;
    }, 20);
}

sub pems { return $_[0] =~ /(-----BEGIN.*?-----END [A-Z ]+-----\n)/sg }

sub der_of { return openssl('x509', '-in', $_[0], '-outform', 'DER') }

sub subject {
    return openssl('x509', '-in', $_[0], '-noout', '-subject', '-nameopt',
                   'RFC2253') =~ s/^subject=|\n//gr;
}

# What a client does with an answer to GetNextCACert: verifies it with the
# certificate that it trusts, and takes the others out; they are files then.

sub next_certificates {
    my ($body, $ca) = @_;

    my $file = work_file('next' . ++$n . '.der', $body);
    my ($code, $out, $err) = command(
        'openssl', 'cms', '-verify', '-inform', 'DER', '-in', $file,
        '-CAfile', $ca, '-purpose', 'any', '-binary', '-out', "$file.p7");
    return $err if $code;

    return map { work_file('next' . ++$n . '.pem', $_) } pems(
        openssl('pkcs7', '-inform', 'DER', '-in', "$file.p7", '-print_certs'));
}

sub next_ask {
    my ($uri, $name, %o) = @_;

    my ($ra, $ca) = scep_recipient($name);
    return scep_ask($uri, challenge => 'open sesame', ca => $ra,
                    issuer => $ca // $ra, %o);
}

# GETs at once: status, headers, body of each; some clients go away

sub get_begin {
    my ($node, $uri) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $node->port)
        or die "connect: $!";
    syswrite $s, "GET $uri HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    return $s;
}

sub get_all {
    my ($node, $uri, $many, $gone) = @_;

    my @sockets = map { get_begin($node, $uri) } 1 .. $many;
    close $_ for splice @sockets, 0, $gone // 0;

    return ((map { [ 0 ] } 1 .. ($gone // 0)),
            map { [ PKI::parse_response(PKI::read_all($_, 20)) ] } @sockets);
}

sub ca_file {
    my ($name, @port) = @_;

    my $pem = (http_get('/scep?operation=GetCACert&format=pem', @port))[2];
    return work_file("$name.pem", $pem);
}

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: N1, C6: nobody follows: no keyword, 404
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready(), 'ready');
is(caps('/alone'), $::caps =~ s/SHA-256/Renewal\nSHA-256/r, 'no keyword');

for my $args ('', '&message=', '&message=CA', '&format=pem') {
    my ($status, $headers, $body) =
        http_get("/alone?operation=GetNextCACert$args");
    is($status, 404, "nobody$args");
    is($headers->{'content-type'}, 'text/plain');
    is($headers->{'cache-control'}, 'no-store', 'one may follow tomorrow');
    is($body, "no authority follows\n");
}
is((http('HEAD', '/alone?operation=GetNextCACert'))[0], 404, 'HEAD');



=== TEST 2: N2, C6: signed by the current authority: the next one and its RA
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready(), 'ready');

for (['/scep', 'old', 'new'], ['/curve', 'curve', 'next']) {
    my ($uri, $name, $next) = @$_;

    ok(next_ready($uri), "$name: the keyword");
    is(caps($uri), $::caps_next, 'in its place');

    my ($status, $headers, $body) = http_get("$uri?operation=GetNextCACert");
    is($status, 200);
    is($headers->{'content-type'}, $::type_next);

    my @files = next_certificates($body, "$::work/$name.pem");
    my ($ra, $ca) = scep_recipient($next);
    is_deeply([ sort map { der_of($_) } @files ],
              [ sort map { der_of($_) } $ra, $ca ],
              "verified with $name, of $next both") or diag("@files");
    is((http_get("$uri?message=CA&operation=GetNextCACert"))[0], 200,
       'with a message');
}

my ($body) = (http_get('/scep?operation=GetNextCACert'))[2];
like((next_certificates($body, "$::work/new.pem"))[0], qr/verify error/i,
     'not by the next one itself');
substr($body, index($body, 'new CA'), 6) = 'bad CA';
like((next_certificates($body, "$::work/old.pem"))[0],
     qr/verif|digest/i, 'nor if it was changed on its way');

my $text = openssl('cms', '-cmsout', '-print', '-inform', 'DER',
                   { in => (http_get('/curve?operation=GetNextCACert'))[2] });
like($text, qr/eContentType: pkcs7-data \(/, 'content of type data');
like($text, qr/digestAlgorithm:\s+algorithm: sha384/, 'its own digest');
like($text, qr/signatureAlgorithm:\s+algorithm: ecdsa-with-SHA384/);
$text = openssl('cms', '-cmsout', '-print', '-inform', 'DER',
                { in => (http_get('/scep?operation=GetNextCACert'))[2] });
like($text, qr/signatureAlgorithm:\s+algorithm: rsaEncryption/, 'RSA');
like($text, qr/signedAttrs:.*contentType.*messageDigest/s, 'attributes');



=== TEST 3: N2: signed once, and kept until a certificate is another one
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready() && next_ready('/curve'), 'ready');

# no two signatures by such a key are the same; there are two workers

my %body = map { (http_get("/curve/$_?operation=GetNextCACert"))[2] => 1 }
           1 .. 30;
my $count = keys %body;
ok($count == 1 || $count == 2, 'one for each worker') or diag($count);

my @before = sort map { der_of($_) } scep_recipient('next');
my ($status) = api('POST', '/m/api/certificates/'
                           . serial_of((scep_recipient('next'))[0])
                           . '/revoke', { reason => 'keyCompromise' });
is($status, 200, 'its RA is revoked');

my @after;
ok(wait_until(sub {
    my ($status, undef, $body) = http_get('/curve?operation=GetNextCACert');
    return if $status != 200 || $body{$body};
    my @files = next_certificates($body, "$::work/curve.pem");
    @after = sort map { der_of($_) } @files;
    return @after == 2;
}, 60), 'another RA: another answer');
my $ca = der_of("$::work/next.pem");
is(scalar(grep { $_ eq $ca } @after), 1, 'the authority is the same');
isnt("@after", "@before", 'the RA is not');
is_deeply(\@after, [ sort map { der_of($_) } scep_recipient('next') ],
          'it is the one in Redis');



=== TEST 4: T9: what caches may do with it; HEAD, POST, other methods
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready() && next_ready('/scep'), 'ready');

for my $op (qw( GetCACaps GetCACert GetNextCACert )) {
    my $uri = "/scep?operation=$op";
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, $op);
    is($headers->{'cache-control'}, 'no-cache', 'asked again each time');
    is($headers->{etag}, '"' . substr(sha256_hex($body), 0, 32) . '"',
       'a strong ETag');

    my %known = (headers => { 'If-None-Match' => $headers->{etag} });
    ($status, undef, my $empty) = http_get($uri, %known);
    is($status, 304, 'not modified');
    is($empty, '');
    is((http_get($uri, headers => { 'If-None-Match' => '"x"' }))[0], 200,
       'modified');
    is((http_get($uri, headers => { 'If-Modified-Since' =>
                                    'Thu, 01 Jan 2037 00:00:00 GMT' }))[0],
       200, 'no time is known');

    ($status, my $head, $empty) = http('HEAD', $uri);
    is($status, 200, 'HEAD');
    is($head->{etag}, $headers->{etag});
    is($head->{'content-length'}, length $body);
    is($empty, '');

    ($status, undef, my $post) = http_post($uri, 'x' x 100);
    is($status, 200, 'POST');
    is($post, $body);
    is((http('PUT', $uri, body => 'x'))[0], 405, 'PUT');
}

my $r = scep_ask('/scep', ca => "$::work/old.pem", challenge => 'open sesame');
is($r->{headers}{'cache-control'}, 'no-store', 'PKIOperation is not kept');
ok(!exists $r->{headers}{etag});



=== TEST 5: A2, A3: PEM for people
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready() && next_ready('/scep') && next_ready('/curve'), 'ready');

my ($curve_ra, $curve) = scep_recipient('curve');
my ($new_ra, $new) = scep_recipient('new');

for (['/scep', 'GetCACert', "$::work/old.pem"],
     ['/curve', 'GetCACert', $curve_ra, $curve],
     ['/scep', 'GetNextCACert', $new_ra, $new])
{
    my ($uri, $op, @wanted) = @$_;

    my ($status, $headers, $body) =
        http_get("$uri?operation=$op&format=pem");
    is($status, 200, "$op of $uri");
    is($headers->{'content-type'}, 'application/x-pem-file');
    is($headers->{'cache-control'}, 'no-cache');
    ok($headers->{etag}, 'an ETag');
    my @got = map { der_of(work_file('pem' . ++$::n, $_)) } pems($body);
    is_deeply(\@got, [ map { der_of($_) } @wanted ], 'from the leaf up');
    is(join('', pems($body)), $body, 'and nothing else');
    is((http_get("$uri?format=pem&operation=$op&message=x"))[2], $body,
       'in any order');

    for my $format ('', 'PEM', 'der', 'pem%00', 'pe', 'pemm') {
        ($status, undef, $body) =
            http_get("$uri?operation=$op&format=$format");
        is($status, 400, "format $format");
        is($body, "unknown format\n");
    }
}
is((http_get('/scep?operation=GetCACaps&format=pem'))[2], $::caps_next,
   'GetCACaps has no format');



=== TEST 6: A7: fingerprints on the probe
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready(), 'ready');
my $probe = (http_get('/probe'))[2];

for (['old', ''], ['new', ', follows old'], ['next', ', follows curve']) {
    my ($name, $more) = @$_;
    my $der = der_of("$::work/$name.pem");
    my ($sha256, $sha1) = (sha256_hex($der), sha1_hex($der));
    my $date = qr/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
    like($probe, qr/^certificate $name: sha256 $sha256, sha1 $sha1, /m,
         "of $name");
    like($probe, qr/^certificate $name: .*, ends at $date$more$/m,
         'and more of it');
    my ($openssl) = openssl('x509', '-in', "$::work/$name.pem", '-noout',
                            '-fingerprint', '-sha256') =~ /=(\S+)/;
    is($sha256, lc $openssl =~ tr/://dr, 'as openssl has it');
}



=== TEST 7: N3: a message for the next authority is issued by that one
--- http_config eval
$::authorities
--- config eval
$::locations
--- perl
ok(all_ready() && next_ready('/scep'), 'ready');
work_file('access.log', '');

my @issued = (issued('old'), issued('new'));
my $r = next_ask('/scep', 'new', cert => "$::work/by-new.pem");
is(scep_brief($r), 'SUCCESS', 'for the RA of the next one');
like(openssl('verify', '-CAfile', "$::work/new.pem", "$::work/by-new.pem"),
     qr/OK/, 'issued by the next one');
is(issued('new'), $issued[1] + 1, 'recorded there');
is(issued('old'), $issued[0], 'and nowhere else');
ok(wait_until(sub {
    slurp("$::work/access.log") =~ /^new\|SUCCESS\|$r->{serial}$/m;
}), 'the access log says so');
like(error_log(), qr/certificate issued.*authority: new/, 'and the error log');

my ($ra) = scep_recipient('new');
is(scep_brief(scep_ask('/scep', ca => $ra, issuer => "$::work/new.pem",
                       challenge => 'wrong')), 'FAILURE badRequest',
   'not without the secret; the answer is signed by whom it was for');

is(scep_brief(next_ask('/scep', 'old', cert => "$::work/by-old.pem")),
   'SUCCESS', 'for the current one');
like(openssl('verify', '-CAfile', "$::work/old.pem", "$::work/by-old.pem"),
     qr/OK/, 'issued by the current one');

ok(wait_until(sub {
    scep_brief(scep_crl('/scep', "$::work/by-new.pem", ca => $ra,
                        issuer => "$::work/new.pem")) eq 'SUCCESS';
}, 20), 'GetCRL of the next one, too');

for my $name (qw( alone next curve )) {
    my ($ra) = scep_recipient($name);
    is(scep_brief(scep_ask('/scep', ca => "$::work/old.pem",
                           recipient => $ra, challenge => 'open sesame')),
       'FAILURE badCertId', "for $name");
}

# the same transaction twice: one certificate, each of its authority

my %same = (txn => 'roll-1', key => 'roll');
my @r = map { next_ask('/scep', $_, %same) } qw( old new old new );
is(scep_brief($_), 'SUCCESS', 'a transaction with both') for @r;
is($r[0]{serial}, $r[2]{serial}, 'a retry to the one');
is($r[1]{serial}, $r[3]{serial}, 'and to the other');
isnt($r[0]{serial}, $r[1]{serial}, 'they know nothing of each other');



=== TEST 8: D5: after the switch the old authority goes on for what it issued
--- http_config eval
$::authorities
--- config eval
$::locations =~ s/scep old/scep new/gr
--- perl
ok(all_ready(), 'ready');
ocsp_defaults(ca => "$::work/old.pem");

is(caps('/scep'), $::caps, 'nobody follows the new one');
is((http_get('/scep?operation=GetNextCACert'))[0], 404);

my ($ra, $ca) = scep_recipient('new');
my ($body) = (http_get('/scep?operation=GetCACert'))[2];
is_deeply([ sort map { der_of(work_file('now' . ++$::n, $_)) } pems(
                openssl('pkcs7', '-inform', 'DER', '-print_certs',
                        { in => $body })) ],
          [ sort map { der_of($_) } $ra, $ca ],
          'what was offered as the next one is offered');

is(scep_brief(next_ask('/scep', 'new')), 'SUCCESS', 'it issues');
is(scep_brief(scep_ask('/scep', ca => $ra, recipient => "$::work/old.pem",
                       challenge => 'open sesame')), 'FAILURE badCertId',
   'who has missed it has to ask GetCACert');

my %cert = map { $_ => "$::work/by-$_.pem" } qw( old new );

for my $name (qw( old new )) {
    my %good = ocsp_ask(url => '/ocsp', ca => "$::work/$name.pem",
                        cert => $cert{$name});
    is($good{status}, 'good', "OCSP: $name: good");
    is($good{verified}, 1);
    my $serial = serial_of($cert{$name});
    my ($status, $said) = api('POST', "/m/api/certificates/$serial/revoke",
                              { reason => 'superseded' });
    is($status, 200, 'revoked');
    is($said->{authority}, $name);
    is({ocsp_ask(url => '/ocsp', ca => "$::work/$name.pem",
                 cert => $cert{$name})}->{status}, 'revoked', 'OCSP says so');
    ok(wait_until(sub {
        my %crl = eval { crl_serials("/crl/$name.crl",
                                     "$::work/$name.pem") };
        return exists $crl{$serial};
    }, 20), 'and its CRL');
}
my %crl = crl_serials('/crl/old.crl', "$::work/old.pem");
ok(!exists $crl{serial_of($cert{new})}, 'each its own');



=== TEST 9: N1: the next authority is not ready yet: 503, and no keyword
--- http_config eval
package main;
authority('old') . authority('soon', more => "previous old;
    csr $::work/soon.csr;")
--- config
location = /probe { pki_probe; }
location /scep    { scep old; }
--- perl
ok(wait_until(sub {
    (http_get('/probe'))[2] =~ /^authority old: ok$/m
        && caps('/scep') eq $::caps;
}, 20), 'ready, without the keyword');

my ($status, $headers, $body) = http_get('/scep?operation=GetNextCACert');
is($status, 503);
is($headers->{'retry-after'}, 10);
is($body, "the authority that follows is not ready\n");
is((http_get('/scep?operation=GetNextCACert&format=pem'))[0], 503, 'PEM');
is(scep_brief(scep_ask('/scep', ca => "$::work/old.pem",
                       challenge => 'open sesame')), 'SUCCESS',
   'the current one works');
($status, undef, $body) = http_get('/probe');
like($body, qr/^authority soon: waiting for the certificate/m,
     'the probe says what it waits for');
is($status, 200, 'but the node is well');
unlike($body, qr/^certificate soon:/m, 'there is no certificate to show');

# a root elsewhere certifies it

openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 99,
        '-subj', '/CN=root', '-keyout', "$::work/root.key",
        '-out', "$::work/root.pem");
work_file('sub.ext', <<'EOT');
basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
EOT
openssl('x509', '-req', '-in', "$::work/soon.csr", '-days', 98,
        '-CA', "$::work/root.pem", '-CAkey', "$::work/root.key",
        '-CAcreateserial', '-extfile', "$::work/sub.ext",
        '-out', "$::work/soon.pem");
nginx_reload();
ok(next_ready('/scep'), 'then there is the keyword');
ok(all_ready(), 'and the probe is well');
my @files = next_certificates((http_get('/scep?operation=GetNextCACert'))[2],
                              "$::work/old.pem");
is_deeply([ map { der_of($_) } @files ], [ der_of("$::work/soon.pem") ],
          'and the certificate');
is(scep_brief(scep_ask('/scep', ca => "$::work/soon.pem",
                       challenge => 'open sesame',
                       cert => "$::work/by-soon.pem")), 'SUCCESS',
   'which issues');



=== TEST 10: N1: the next authority cannot serve SCEP
--- http_config eval
package main;
authority('old') . authority('mute', key => 'ec:P-256',
                             more => 'previous old;')
--- config
location = /probe { pki_probe; }
location /scep    { scep old; }
location /ocsp    { ocsp_responder mute; }
--- perl
ok(all_ready(), 'ready');
is(caps('/scep'), $::caps, 'no keyword');
is((http_get('/scep?operation=GetNextCACert'))[0], 404);
is(scep_brief(scep_ask('/scep', ca => "$::work/old.pem",
                       challenge => 'open sesame')), 'SUCCESS',
   'the current one works');
--- error_log
"scep" cannot offer authority "mute", which follows "old": its key is not RSA



=== TEST 11: one after the other: each offers the one that follows itself
--- http_config eval
package main;
authority('new', more => 'ra auto; previous old;') . authority('old')
. authority('third', more => 'previous new;')
--- config
location = /probe { pki_probe; }
location /old     { scep old; }
location /new     { scep new; }
location /third   { scep third; }
--- perl
ok(all_ready() && next_ready('/old') && next_ready('/new'), 'ready');
is(caps('/third'), $::caps, 'the last one');

for (['old', 'new'], ['new', 'third']) {
    my ($name, $next) = @$_;
    my @files = next_certificates(
        (http_get("/$name?operation=GetNextCACert"))[2],
        "$::work/$name.pem");
    my %der = map { der_of($_) => 1 } @files;
    ok($der{der_of("$::work/$next.pem")}, "$next follows $name");
}
is(scep_brief(scep_ask('/old', ca => "$::work/old.pem",
                       recipient => "$::work/third.pem",
                       challenge => 'open sesame')), 'FAILURE badCertId',
   'not the one after the next');



=== TEST 12: clients that read the keywords enrol all the same
--- http_config eval
package main;
authority('old') . authority('plain', more => 'previous old;')
--- config
location = /probe { pki_probe; }
location /scep    { scep old; scep_renewal on; }
--- perl
ok(all_ready() && next_ready('/scep'), 'ready');
is(caps('/scep'), $::caps_next =~ s/SHA-256/Renewal\nSHA-256/r, 'all keywords');

for my $name (qw( old plain )) {
    my $cert = scep_enroll(url => '/scep', key => new_key(), subject => 'CN=a',
                           password => 'open sesame',
                           ca => "$::work/$name.pem", error => \my $error);
    ok(defined $cert, "strongSwan, for $name") or diag($error);
    like(openssl('verify', '-CAfile', "$::work/$name.pem", $cert), qr/OK/,
         'issued by it');
}



=== TEST 13: keys in a vault: all who ask wait for one signature
--- config
--- perl
my $node = PKI::Nginx->new(
    http => 'pki_redis ' . redis()->url . ";\n"
            . vault_directives() . <<"END", server => <<'END')->start;
pki_authority vold {
    subject     "CN=vold";
    key         keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/vold;
    certificate $::work/vold.pem;
    create      rsa:2048;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
pki_authority vnew {
    subject     "CN=vnew";
    key         keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/vnew;
    certificate $::work/vnew.pem;
    create      ec:P-256;
    ra          auto;
    previous    vold;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END
location = /probe { pki_probe; }
location /scep    { scep vold; scep_challenge none insecure;
                    scep_max_pending 40; }
END
my @port = (port => $node->port);
ok(all_ready(@port), 'ready');
my $ca = ca_file('vold', @port);
my $get = '/scep?operation=GetNextCACert';
my $calls = sub { azure_counters()->{requests}{sign} // 0 };

# it does not answer: those who wait are told so, a later one gets it

azure_fault(op => 'sign', key => 'vold', count => -1, do => 'status',
            status => 503);
my ($status, $headers) = http_get($get, @port, timeout => 40);
is($status, 503, 'the vault fails');
ok($headers->{'retry-after'}, 'try again');
azure_reset();
ok(wait_until(sub { (http_get($get, @port))[0] == 200 }, 20), 'then it is back');

$node->reload;
ok(all_ready(@port), 'new workers');
azure_latency(sign => 500);
my $before = $calls->();
my %count;
$count{$_->[0]}++ for my @got = get_all($node, $get, 30);
is($count{200}, 30, '30 at once') or diag(explain(\%count));
my %body = map { $_->[2] => 1 } @got;
ok(keys %body <= 2, 'have the same');
my $more = $calls->() - $before;
ok($more >= 1 && $more <= 2, 'a signature a worker') or diag($more);
is((http_get($get, @port))[0], 200, 'later ones cost nothing');
azure_latency();

my @files = next_certificates($got[0][2], $ca);
is(scalar @files, 2, 'verified') or diag("@files");

# more than "scep_max_pending" of them, and clients that go away

$node->reload;
ok(all_ready(@port), 'new workers');
azure_latency(sign => 1500);
%count = ();
$count{$_->[0]}++ for get_all($node, $get, 120, 30);
is($count{200} + $count{503} + ($count{0} // 0), 120, 'all are told')
    or diag(explain(\%count));
ok($count{503}, 'some at once that it is too much');
ok($count{200}, 'the rest have it');
azure_latency();
is((http_get($get, @port))[0], 200, 'and it goes on');

# a reload while they wait: they are answered first

$node->reload;
ok(all_ready(@port), 'new workers');
azure_latency(sign => 1500);
my @sockets = map { get_begin($node, $get) } 1 .. 10;
sleep 0.3;
ok($node->reload, 'reloaded');
is(scalar(grep { (PKI::parse_response(PKI::read_all($_, 10)))[0] == 200 }
          @sockets), 10, 'nobody is sent away');
azure_latency();
unlike($node->log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
ok($node->stop, 'ends well');
unlike($node->log, qr/open socket|aborting/, 'with nothing left');



=== TEST 14: previous: the authority itself
--- http_config
pki_authority a { previous a; }
--- config
--- must_die
--- error_log
"previous" of "pki_authority" names the authority itself



=== TEST 15: previous: nobody of that name
--- http_config eval
package main;
authority('old') . authority('new', more => 'previous older;')
--- config
--- must_die
--- error_log
authority "new": "previous" names "older", which no "pki_authority" defines



=== TEST 16: previous: two with the same
--- http_config eval
package main;
authority('old') . authority('new', more => 'previous old;')
. authority('other', more => 'previous old;')
--- config
--- must_die
--- error_log
authorities "new" and "other" have the same "previous": "old"



=== TEST 17: previous: in a circle
--- http_config eval
package main;
authority('one', more => 'previous three;')
. authority('two', more => 'previous one;')
. authority('three', more => 'previous two;')
--- config
--- must_die
--- error_log
authority "three" would follow itself by "previous"



=== TEST 18: previous: twice
--- http_config
pki_authority a { previous b; previous c; }
--- config
--- must_die
--- error_log
"previous" of "pki_authority" is duplicate



=== TEST 19: previous: without a name
--- http_config
pki_authority a { previous ""; }
--- config
--- must_die
--- error_log
"previous" of "pki_authority" is empty



=== TEST 20: previous: with two names
--- http_config
pki_authority a { previous b c; }
--- config
--- must_die
--- error_log
invalid number of arguments in "previous"



=== TEST 21: previous: without SCEP it changes nothing
--- http_config eval
package main;
authority('old') . authority('new', more => 'previous old;')
--- config
location = /probe { pki_probe; }
location = /enroll { enroll new; enroll_auth none insecure; }
--- perl
ok(all_ready(), 'ready');
my ($status, undef, $cert) = enroll('/enroll', new_csr(subject => '/CN=a'));
is($status, 201, 'it issues');
like((http_get('/probe'))[2], qr/^certificate new: .*, follows old$/m,
     'the probe says whom it follows');
