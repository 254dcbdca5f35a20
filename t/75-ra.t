# Registration authorities: "ra auto" beside RSA and EC keys of files, "ra
# file:".  What GetCACert offers, who opens envelopes and signs answers, one RA
# for all nodes, restarts, renewal, revocation, what Redis holds, what is put
# there by somebody else.  With keys in a vault: 79-ra-keyvault.t.

use lib 't/lib';

BEGIN { delete $ENV{PKI_KEY} }

use PKI::Clock;
use PKI;
use PKI::Client;
use PKI::Nginx;
use PKI::Scep;

use JSON::PP ();
use Time::Piece ();

redis_start();

our $work = work_dir();
our $n = 0;

work_file('challenge', "open sesame\n");

our %key = (demo => 'rsa:2048', curve => 'ec:P-256', large => 'ec:P-521');

# made with "ra off", so that their own certificates may open envelopes, too

our $plain = authority('demo') . authority('chain');

our $auto = join '', map { authority($_, key => $key{$_}, more => 'ra auto;') }
                     sort keys %key;

our $locations = join '', "location = /probe { pki_probe; }\n",
    map { <<"END" } sort(keys %key), 'other', 'renew';
location /$_/scep { scep $_;
                    scep_challenge static \$TEST_NGINX_WORK/challenge; }
location /$_/ocsp { ocsp_responder $_; }
location /$_/m/   { certificate_master $_; certificate_master_user someone;
                    certificate_master_roles admin; }
END

# locations of these authorities only

sub locations {
    my $names = join '|', 'probe', @_;
    return join '', grep { m{^location (?:= )?/(?:$names)\b} }
                    split /(?=^location )/m, $locations;
}

# all workers

sub ready {
    my $times = 0;
    return wait_until(sub {
        $times = (http_get('/probe'))[0] == 200 ? $times + 1 : 0;
        return $times == 10;
    }, 45) || diag((http_get('/probe'))[2]) && 0;
}

# what GetCACert says: type, and certificates as files, the RA's first

sub offered {
    my ($name, %o) = @_;

    my ($status, $headers, $body) =
        http_get("/$name/scep?operation=GetCACert", %o);
    return $status if $status != 200;

    my $type = $headers->{'content-type'};
    my $pem = $type =~ /ca-ra/
        ? openssl('pkcs7', '-inform', 'DER', '-print_certs', { in => $body })
        : openssl('x509', '-inform', 'DER', { in => $body });

    return ($type, map { work_file('offered' . ++$n . '.pem', $_) }
                   $pem =~ /(-----BEGIN.*?-----END [A-Z ]+-----\n)/sg);
}

sub serial_offered {
    my (undef, $ra) = offered(@_);
    return $ra && serial_of($ra);
}

# asks for a certificate through an RA

sub ask {
    my ($name, $ra, @what) = @_;
    return scep_brief(scep_ask("/$name/scep", challenge => 'open sesame',
                               ca => $ra, issuer => "$work/$name.pem", @what));
}

sub entry {
    my ($name, $field) = @_;
    return redis_cmd('HGET', "pki:{$name}:ra", $field || 'current');
}

sub tool {
    my ($code, $out, $err) = command('/usr/bin/python3', 't/tools/ra_entry.py',
                                     @_);
    die $err if $code != 0;
    return $out;
}

# serial numbers of what was issued by a "source"

sub issued_by {
    my ($source, $name) = @_;

    return grep {
        redis_cmd('HGET', "pki:{$name}:cert:$_", 'source') eq $source
    } @{ redis_cmd('ZRANGE', "pki:{$name}:issued", 0, -1) };
}

# all that Redis has

sub dump_redis {
    my @values;

    for my $key (@{ redis_cmd('KEYS', '*') }) {
        my $type = redis_cmd('TYPE', $key);
        push @values, $key,
            $type eq 'hash'   ? @{ redis_cmd('HGETALL', $key) }
          : $type eq 'string' ? redis_cmd('GET', $key)
          : $type eq 'zset'   ? @{ redis_cmd('ZRANGE', $key, 0, -1) }
          : map { ($_->[0], @{ $_->[1] }) }
            @{ redis_cmd('XRANGE', $key, '-', '+') };
    }

    return join "\n", @values;
}

# nginx by itself, with what this suite has in http{}

sub node {
    my ($http, $server) = @_;

    return PKI::Nginx->new(
        http => 'pki_redis $TEST_NGINX_REDIS_URL;' . $http, server => $server);
}

sub node_ready {
    my ($nginx) = @_;
    return wait_until(sub {
        (http_get('/probe', port => $nginx->port))[0] == 200
    }, 20) || diag((http_get('/probe', port => $nginx->port))[2],
                   $nginx->log) && 0;
}

# files for "ra file:", issued by demo or by somebody else

sub ra_file {
    my ($name, %o) = @_;

    my ($key, $cert) = ("$work/$name.ra.key", "$work/$name.ra.pem");
    my ($kind, $size) = split /:/, $o{key} || 'rsa:2048';
    my $by = $o{by} || 'demo';

    openssl('genpkey', '-out', $key, $kind eq 'rsa'
            ? ('-algorithm', 'RSA', '-pkeyopt', "rsa_keygen_bits:$size")
            : ('-algorithm', 'EC', '-pkeyopt', "ec_paramgen_curve:$size"));
    chmod 0600, $key;
    openssl('req', '-new', '-key', $key, '-subj', "/CN=$name",
            '-out', "$work/$name.csr");
    openssl('x509', '-req', '-in', "$work/$name.csr", '-CA', "$work/$by.pem",
            '-CAkey', "$work/$by.key", '-set_serial', 1000 + ++$n,
            '-days', $o{days} || 30, '-out', $cert, '-extfile',
            work_file("$name.cnf", join '', map { "$_\n" }
                'keyUsage=critical,'
                . ($o{usage} || 'digitalSignature,keyEncipherment'),
                $o{extended} // 'extendedKeyUsage=1.3.6.1.4.1.311.20.2.1'));

    return "ra file:$cert,$key;";
}

# the authorities' own keys and certificates, as nginx makes them

{
    my $nginx = node($plain . authority('curve', key => 'ec:P-256'),
                     'location = /probe { pki_probe; }');
    $nginx->start;
    node_ready($nginx) or die 'no authorities';
    $nginx->stop;
    redis_cmd('FLUSHALL');
}

our %file = (
    good   => ra_file('good'),
    large  => ra_file('large', key => 'rsa:3072'),
    curve  => ra_file('curve', by => 'curve'),
    ec     => ra_file('ec', key => 'ec:P-256'),
    small  => ra_file('small', key => 'rsa:1024'),
    sign   => ra_file('sign', usage => 'digitalSignature'),
    wrap   => ra_file('wrap', usage => 'keyEncipherment'),
    tls    => ra_file('tls', extended => 'extendedKeyUsage=serverAuth'),
    any    => ra_file('any', extended => ''),
    client => ra_file('client', extended => 'extendedKeyUsage=clientAuth'),
    past   => ra_file('past', days => -1),
    alien  => ra_file('alien', by => 'chain'),
);

our $swapped = "ra file:$work/good.ra.pem,$work/large.ra.key;";

log_level('debug');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: A3, W3, M3: GetCACert: the RA's certificate and the authority's
--- http_config eval
$::auto
--- config eval
main::locations('demo', 'curve', 'large')
--- perl
ok(ready(), 'ready');
for my $name ('demo', 'curve', 'large') {
    my ($type, @certs) = offered($name);
    is($type, 'application/x-x509-ca-ra-cert', $name);
    is(@certs, 2, 'two certificates');
    is(serial_of($certs[1]), serial_of("$::work/$name.pem"), 'the authority');
    like(openssl('verify', '-x509_strict', '-CAfile', "$::work/$name.pem",
                 $certs[0]), qr/OK/, 'issued by it');

    my $text = openssl('x509', '-in', $certs[0], '-noout', '-text',
                       '-nameopt', 'RFC2253');
    like($text, qr/Subject: CN=$name CA RA,O=Test\n/);
    like($text, qr/rsaEncryption\s+Public-Key: \(2048 bit\)/);
    like($text, qr/Basic Constraints: critical\s+CA:FALSE/);
    like($text, qr/Key Usage: critical\s+Digital Signature, Key Enc\w+\n/);
    like($text, qr/Extended Key Usage:\s+1\.3\.6\.1\.4\.1\.311\.20\.2\.1\n/);
    like($text, qr/OCSP - URI:.*CA Issuers - URI:.*Full Name:\s+URI:/s);

    my ($from, $to) = map { Time::Piece->strptime($_, '%b %e %T %Y')->epoch }
                      $text =~ /Not (?:Before|After ): (.*) GMT/g;
    ok(abs(time - 86400 - $from) < 60, 'from yesterday on');
    ok(abs(time + 365 * 86400 - $to) < 60, 'for a year');
}



=== TEST 2: enrolment: the RA opens the envelope and signs the answer
--- http_config eval
$::auto
--- config eval
main::locations('demo', 'curve', 'large')
--- perl
ready() or return;
for my $name ('demo', 'curve', 'large') {
    my (undef, $ra) = offered($name);
    is(ask($name, $ra), 'SUCCESS', $name);
    is(ask($name, $ra, get => 1), 'SUCCESS', 'GET');
    is(ask($name, $ra, recipient_ski => 1), 'SUCCESS', 'by key identifier');
    is(ask($name, $ra, digest => $_), 'SUCCESS', $_)
        for 'sha1', 'sha384', 'sha512';
    is(ask($name, $ra, transport => $_), 'SUCCESS', $_)
        for 'oaep', 'oaep-sha256', 'oaep-sha512';
    is(ask($name, $ra, challenge => 'wrong'), 'FAILURE badRequest',
       'refused by the RA');
    is(ask($name, $ra, broken => 'envelope'), 'FAILURE badMessageCheck');
}
my (undef, $ra) = offered('curve');
is(scep_brief(scep_ask('/curve/scep', challenge => 'open sesame',
                       ca => $ra, recipient => "$::work/chain.pem")),
   'FAILURE badCertId', 'for another authority: the RA says no');
like(ask('demo', $ra), qr/^FAILURE badCertId R9: signer is not the recipient/,
     'for the RA of another one');



=== TEST 3: strongSwan enrols through an RA
--- http_config eval
$::auto
--- config eval
main::locations('demo', 'curve')
--- perl
ready() or return;
for my $name ('demo', 'curve') {
    my (undef, $ra) = offered($name);
    my $cert = scep_enroll(url => "/$name/scep", key => new_key('rsa:2048'),
                           subject => 'CN=device', password => 'open sesame',
                           ca => $ra, args => [ '--cacert-sig',
                                                "$::work/$name.pem" ],
                           error => \my $error);
    ok($cert, $name) or diag($error);
    like(openssl('verify', '-CAfile', "$::work/$name.pem", $cert), qr/OK/)
        if $cert;
}



=== TEST 4: R9: an authority whose certificate opens envelopes still does
--- http_config eval
main::authority('demo', more => 'ra auto;')
--- config eval
main::locations('demo')
--- perl
ready() or return;
my (undef, $ra, $ca) = offered('demo');
is(ask('demo', $ra), 'SUCCESS', 'the RA');
is(scep_brief(scep_ask('/demo/scep', challenge => 'open sesame', ca => $ca)),
   'SUCCESS', 'for the authority, answered by the authority');



=== TEST 5: it is recorded like any certificate
--- http_config eval
$::auto
--- config eval
main::locations('demo')
--- perl
ready() or return;
my (undef, $ra, $ca) = offered('demo');
my $serial = serial_of($ra);
is(join(' ', issued_by('ra', 'demo')), $serial, 'one, by "ra"');
my ($status, $json) = api('GET', "/demo/m/api/certificates/$serial");
is($status, 200);
is($json->{source}, 'ra');
is($json->{subject}, 'CN=demo CA RA,O=Test');
is($json->{status}, 'good');
wait_until(sub {
    my %ocsp = ocsp_ask(url => '/demo/ocsp', ca => $ca, cert => $ra);
    $ocsp{status} eq 'good';
}, 10);
is({ ocsp_ask(url => '/demo/ocsp', ca => $ca, cert => $ra) }->{status},
   'good', 'OCSP');



=== TEST 6: what Redis holds: the key is sealed, as documented, and nowhere else
--- http_config eval
$::auto
--- config eval
main::locations('demo', 'curve', 'large')
--- perl
ready() or return;
my $dump = dump_redis();
unlike($dump, qr/PRIVATE KEY/);
for my $name ('demo', 'curve', 'large') {
    my $file = work_file("$name.entry", entry($name));
    my $said = JSON::PP::decode_json(tool('show', $file));
    is($said->{key_name}, 'file');
    is($said->{method}, $name eq 'demo' ? 1 : 2);
    ok(abs($said->{made_at} - time) < 3600);

    my $pem = tool('open', $file, $name, "$::work/$name.key");
    like($pem, qr/PRIVATE KEY/, "$name: the authority's key opens it");
    ok(!eval { tool('open', $file, 'other', "$::work/$name.key") },
       'for this authority only');

    my $key = work_file("$name.opened", $pem);
    is(openssl('pkey', '-in', $key, '-pubout'),
       openssl('x509', '-in', (offered($name))[1], '-noout', '-pubkey'),
       'it is that of the certificate');

    my $text = openssl('pkey', '-in', $key, '-noout', '-text');
    my $log = error_log();
    for my $part ('privateExponent', 'prime1', 'prime2', 'coefficient') {
        my ($hex) = $text =~ /^$part:\n((?:    .*\n)+)/m;
        $hex =~ s/[^0-9a-f]//g;
        $hex =~ s/^(00)+//;
        my $octets = pack 'H*', substr $hex, 0, 64;
        ok(index($dump, $octets) < 0, "$part is not in redis");
        ok(index($log, $octets) < 0
           && index(lc $log, substr $hex, 0, 64) < 0, 'nor in the log');
    }
}



=== TEST 7: Redis is away at the start: 503, then there is an RA
--- http_config eval
$::auto
--- config eval
main::locations('demo')
--- init
main::redis_cmd('FLUSHALL');
main::redis_stop();
--- perl
my ($status, $headers) = http_get('/demo/scep?operation=GetCACert');
is($status, 503);
ok($headers->{'retry-after'}, 'Retry-After');
redis_start();
ok(ready(), 'ready');
my (undef, $ra) = offered('demo');
is(ask('demo', $ra), 'SUCCESS');
redis_stop();
is(serial_offered('demo'), serial_of($ra), 'offered without Redis, too');
is(ask('demo', $ra), 'FAILURE badRequest', 'nothing is issued');
redis_start();
ok(ready());



=== TEST 8: two nodes of two workers at once, and a restart: one RA
--- config
--- perl
redis_cmd('FLUSHALL');
my @nodes = map { node($::auto, locations('demo', 'curve', 'large')) } 1, 2;
$_->start for @nodes;
ok(node_ready($_), 'ready') for @nodes;

for my $name ('demo', 'curve', 'large') {
    my @ra = issued_by('ra', $name);
    is(@ra, 1, "$name: one was made");
    for my $node (@nodes) {
        my %seen = map { serial_offered($name, port => $node->port) => 1 }
                   1 .. 12;
        is(join(' ', keys %seen), $ra[0], 'everybody offers it');
    }
}

my ($one, $two) = @nodes;
ok($one->stop, 'one stops');
unlike($one->log, qr/\[(?:alert|crit|emerg)\]/);
ok($one->start && node_ready($one), 'and starts again');
is(serial_offered('curve', port => $one->port), (issued_by('ra', 'curve'))[0],
   'the same RA');
like($one->log, qr/opened the registration authority's key/);
my @opened = $one->log =~ /opened the registration authority's key/g;
ok($one->reload, 'reload');
ok(node_ready($one));
is(serial_offered('demo', port => $one->port), (issued_by('ra', 'demo'))[0],
   'the same again');
for my $node (@nodes) {
    ok($node->stop);
    unlike($node->log, qr/\[(?:alert|crit|emerg|error)\]/);
}



=== TEST 9: renewal: the new one is offered when all know it, the old one opens
--- http_config eval
main::authority('renew', more => 'ra auto;')
--- config eval
main::locations('renew')
--- perl
ok(ready(), 'ready');
my (undef, $old) = offered('renew');
my $entry = entry('renew');

clock_step(230 * 86400);
sleep 3;
is(entry('renew'), $entry, 'two thirds of its life are not over');

clock_step(250 * 86400);
ok(wait_until(sub { entry('renew') ne $entry }, 45), 'they are now');
is(entry('renew', 'previous'), $entry, 'the old one is kept');
is(scalar(issued_by('ra', 'renew')), 2);
my $new = work_file('new.pem', tool('cert', work_file('e', entry('renew'))));
ok(wait_until(sub { serial_offered('renew') eq serial_of($old) }, 10),
   'the old one is offered at first');
ok(wait_until(sub { ask('renew', $new) eq 'SUCCESS' }, 45),
   'the new one opens already');
sleep 35;

clock_step(250 * 86400 + 150);
my %seen = map { serial_offered('renew') => 1 } 1 .. 12;
is(join(' ', keys %seen), serial_of($new), 'the new one is offered');
is(ask('renew', $_), 'SUCCESS', 'both open') for ($old, $new) x 4;

clock_step(366 * 86400);
is(ask('renew', $new), 'SUCCESS', 'a year later');
like(scep_brief(scep_ask('/renew/scep', challenge => 'open sesame',
                         ca => $old, issuer => "$::work/renew.pem")),
     qr/^FAILURE badCertId/, 'the old one has expired');
clock_step(0);
--- timeout: 30



=== TEST 10: no renewal that the authority would not outlive
--- http_config
pki_authority brief {
    subject "CN=brief CA,O=Test"; create rsa:2048 validity=30d;
    key file:$TEST_NGINX_WORK/brief.key; ra auto;
    certificate $TEST_NGINX_WORK/brief.pem;
    base_url http://127.0.0.1;
}
--- config
location = /probe { pki_probe; }
location /brief/scep { scep brief; scep_challenge none insecure; }
--- perl
ok(ready(), 'ready');
my (undef, $ra, $ca) = offered('brief');
is(openssl('x509', '-in', $ra, '-noout', '-enddate'),
   openssl('x509', '-in', $ca, '-noout', '-enddate'), 'they end together');
clock_step(29 * 86400);
sleep 40;
is(scalar(issued_by('ra', 'brief')), 1, 'a day before: the same one');
is(ask('brief', $ra), 'SUCCESS');
clock_step(0);
--- timeout: 30



=== TEST 11: a revoked RA is replaced at once, and opens nothing more
--- http_config eval
$::auto
--- config eval
main::locations('demo', 'curve', 'large')
--- init
main::redis_cmd('FLUSHALL');
--- perl
ok(wait_until(sub {
    entry('curve') && (http_get('/probe'))[0] == 200
        && 8 == grep { serial_offered('curve') } 1 .. 8
}, 45)) or diag((http_get('/probe'))[2]);

# a worker that has no other one yet says so

my $answer = sub {
    my ($recipient) = @_;

    return wait_until(sub {
        my $brief = ask('curve', $recipient);
        return $brief ne 'HTTP 503' && $brief;
    }, 10);
};

for my $reason ('keyCompromise', 'certificateHold') {
    my (undef, $old) = offered('curve');
    my ($status) = api('POST', '/curve/m/api/certificates/' . serial_of($old)
                               . '/revoke', { reason => $reason });
    is($status, 200, $reason);

    ok(wait_until(sub {
        my @seen = map { serial_offered('curve') } 1 .. 8;
        !grep { !$_ || $_ eq serial_of($old) || $_ ne ($seen[0] // '') } @seen;
    }, 10), 'another one is offered');

    my (undef, $new) = offered('curve');
    is($answer->($new), 'SUCCESS', 'and opens');
    like($answer->($old), qr/^FAILURE badCertId/, 'the old one does not');
    is(entry('curve', 'previous'), undef, 'it is not kept');
}
is(scalar(issued_by('ra', 'curve')), 3, 'three in all');
is(scalar(issued_by('ra', 'demo')), 1, 'the others are left alone');
--- error_log
the registration authority's certificate is revoked, a new one is made



=== TEST 12: entries that somebody else has put into Redis are not used
--- http_config eval
main::authority('demo', more => 'ra auto;')
. main::authority('chain', more => 'ra auto;')
--- config eval
main::locations('demo') . 'location /chain/scep { scep chain;
    scep_challenge none insecure; }'
--- init
main::redis_cmd('FLUSHALL');
--- perl
ok(wait_until(sub { entry('demo') && entry('chain') && ready() }, 45));

my $own = entry('demo');
my $file = work_file('own', $own);

# a device's certificate with the usages of an RA, and its key, sealed by a
# public operation: anybody with access to Redis could

my (undef, $ra) = offered('demo');
my $r = scep_ask('/demo/scep', challenge => 'open sesame', ca => $ra,
                 issuer => "$::work/demo.pem", key => 'device',
                 key_usage => '05a0', cert => "$::work/device.pem");
is(scep_brief($r), 'SUCCESS');
my $forged = tool('seal', 'demo', "$::work/demo.pem", "$::work/device.pem",
                  "$::work/device.scep");

my $bits = $own;
substr($bits, -20, 1) ^= "\x01";

my %entries = (
    'of a device'         => [ $forged, 'not that of a registration' ],
    'of another one'      => [ entry('chain'), 'not issued by this' ],
    'with a bit changed'  => [ $bits, 'not sealed by the key of this' ],
    'cut off'             => [ substr($own, 0, -1), 'malformed' ],
    'with something more' => [ "$own\0", 'malformed' ],
    'not one'             => [ 'x' x 3000, 'malformed' ],
);

for my $what (sort keys %entries) {
    my ($octets, $words) = @{ $entries{$what} };

    redis_cmd('HSET', 'pki:{demo}:ra', 'current', $octets);

    my $node = node(authority('demo', more => 'ra auto;'), locations('demo'));
    $node->start;

    if ($words eq 'malformed') {
        ok(wait_until(sub { entry('demo') ne $octets }, 20),
           "$what: another one is made");

    } else {
        ok(wait_until(sub {
            (http_get('/probe', port => $node->port))[2] =~ /$words/
        }, 20), "$what: the probe says why");
        is((http_get('/demo/scep?operation=GetCACert',
                     port => $node->port))[0], 503);
        is(entry('demo'), $octets, 'left alone: another node may use it');
    }

    ok($node->stop);
    like($node->log, qr/\[warn\].*the registration authority in redis .*$words/);
}

# ten minutes later it is nobody's

redis_cmd('HSET', 'pki:{demo}:ra', 'current', $forged);
clock_step(700);
ok(wait_until(sub { entry('demo') ne $forged }, 45), 'replaced in the end');
ok(wait_until(sub { serial_offered('demo') }, 45));
(undef, $ra) = offered('demo');
isnt(serial_of($ra), serial_of("$::work/device.pem"));
is(ask('demo', $ra), 'SUCCESS');
clock_step(0);
--- timeout: 30



=== TEST 13: S7: what is wrong inside the envelope does not show
--- http_config eval
$::auto
--- config eval
main::locations('curve')
--- init
main::redis_cmd('FLUSHALL');
--- perl
ok(wait_until(sub {
    my @seen = map { serial_offered('curve') // '' } 1 .. 8;
    $seen[0] && !grep { $_ ne $seen[0] } @seen;
}, 45), 'all workers have the same one');
my (undef, $ra) = offered('curve');
my @signer = (signer_key => new_key('rsa:2048'), signer_subject => 'CN=x');
my $opaque = ask('curve', $ra, @signer, broken => 'envelope');
is($opaque, 'FAILURE badMessageCheck');
is(ask('curve', $ra, @signer, broken => $_), $opaque, $_) for 'cek', 'csr';
is(ask('curve', $ra, @signer, payload => work_file('noise', 'x' x 700)),
   $opaque, 'no request at all');



=== TEST 14: "ra file:": RSA and EC authorities, a large key in the thread pool
--- http_config eval
main::authority('demo', more => $::file{good})
. main::authority('curve', key => 'ec:P-256', more => $::file{curve})
. main::authority('other', more => "$::file{large}
    # another name for demo's files
")  =~ s/other\.(key|pem)/demo.$1/gr
--- config eval
main::locations('demo', 'curve', 'other')
--- perl
ok(ready(), 'ready');
for my $name ('demo', 'curve') {
    my ($type, $ra, $ca) = offered($name);
    is($type, 'application/x-x509-ca-ra-cert', $name);
    like(openssl('x509', '-in', $ra, '-noout', '-subject'),
         $name eq 'demo' ? qr/CN = good/ : qr/CN = curve/);
    is(ask($name, $ra), 'SUCCESS');
    is(ask($name, $ra, transport => 'oaep-sha256', digest => 'sha512'),
       'SUCCESS');
    is(entry($name), undef, 'Redis knows nothing of it') if $name eq 'demo';
}
my (undef, $ra) = offered('other');
is(scep_brief(scep_ask('/other/scep', challenge => 'open sesame', ca => $ra,
                       issuer => "$::work/demo.pem")), 'SUCCESS',
   'RSA-3072');
--- init
main::redis_cmd('FLUSHALL');
--- no_error_log
[warn]



=== TEST 15: "ra file:": what clients may stumble over is warned of
--- http_config eval
main::authority('demo', more => $::file{client})
. main::authority('chain', more => $::file{alien})
--- config eval
main::locations('demo') . 'location /chain/scep { scep chain;
    scep_challenge none insecure; }'
--- perl
ok(ready(), 'ready');
is(ask('demo', (offered('demo'))[1]), 'SUCCESS', 'it works all the same');
--- error_log
client.ra.pem" of "ra" has neither of the extended key usages



=== TEST 16: "ra file:" with a certificate of another authority
--- http_config eval
main::authority('demo', more => $::file{alien})
--- config eval
main::locations('demo')
--- request
GET /_alive
--- error_code: 204
--- error_log
alien.ra.pem" of "ra" was not issued by the authority: most clients



=== TEST 17: "ra file:" that has expired
--- http_config eval
main::authority('demo', more => $::file{past})
--- config eval
main::locations('demo')
--- perl
my $probe = wait_until(sub {
    my (undef, undef, $text) = http_get('/probe');
    $text =~ /registration authority has expired/ && $text;
}, 20);
ok($probe, 'the probe says so');
is((http_get('/demo/scep?operation=GetCACert'))[0], 503);
--- error_log
past.ra.pem" of "ra" has expired



=== TEST 18: "ra file:" with serverAuth is good for Windows
--- http_config eval
main::authority('demo', more => $::file{tls})
--- config eval
main::locations('demo')
--- request
GET /_alive
--- error_code: 204
--- no_error_log
[warn]



=== TEST 19: "ra off": the authority itself
--- http_config eval
main::authority('demo', more => 'ra off;')
--- config eval
main::locations('demo')
--- perl
ok(ready(), 'ready');
my ($type, $ca) = offered('demo');
is($type, 'application/x-x509-ca-cert');
is(serial_of($ca), serial_of("$::work/demo.pem"));
is(scep_brief(scep_ask('/demo/scep', challenge => 'open sesame',
                       ca => $ca)), 'SUCCESS');
is(entry('demo'), undef);



=== TEST 20: an EC authority without an RA has no SCEP
--- http_config eval
main::authority('curve', key => 'ec:P-256')
--- config eval
main::locations('curve')
--- must_die
--- error_log
its key is not RSA, and only an RSA key opens the envelopes



=== TEST 21: nginx -t with "ra auto" and keys that are not there yet
--- config
--- perl
my $node = node(join('', map {
    authority("new$_", key => $_ ? 'ec:P-384' : 'rsa:2048', more => 'ra auto;')
} 0, 1), join '', map {
    "location /$_ { scep new$_; scep_challenge none insecure; }\n"
} 0, 1);
my ($code, $said) = $node->test;
is($code, 0) or diag($said);



=== TEST 22: an unknown word
--- http_config eval
main::authority('demo', more => 'ra maybe;')
--- config
--- must_die
--- error_log
"ra" of "pki_authority" is neither "off", "auto", "file:certificate,key" nor "keyvault:URL"



=== TEST 23: twice
--- http_config eval
main::authority('demo', more => 'ra off; ra auto;')
--- config
--- must_die
--- error_log
"ra" of "pki_authority" is duplicate



=== TEST 24: too many words
--- http_config eval
main::authority('demo', more => 'ra auto really;')
--- config
--- must_die
--- error_log
"ra" of "pki_authority" takes one parameter



=== TEST 25: one file
--- http_config eval
main::authority('demo', more => 'ra file:/tmp/ra.pem;')
--- config
--- must_die
--- error_log
takes two files, as "file:ra.pem,ra.key"



=== TEST 26: an empty name of a file
--- http_config eval
main::authority('demo', more => 'ra file:,ra.key;')
--- config
--- must_die
--- error_log
takes two files, as "file:ra.pem,ra.key"



=== TEST 27: no such certificate
--- http_config eval
main::authority('demo', more => "ra file:$::work/no.pem,$::work/good.ra.key;")
--- config
--- must_die
--- error_log
no.pem" of "ra"
No such file



=== TEST 28: no certificate in the file
--- http_config eval
main::authority('demo', more => "ra file:$::work/good.csr,$::work/good.ra.key;")
--- config
--- must_die
--- error_log
no certificate in "



=== TEST 29: no such key
--- http_config eval
main::authority('demo', more => "ra file:$::work/good.ra.pem,$::work/no.key;")
--- config
--- must_die
--- error_log
"ra": cannot open



=== TEST 30: another key
--- http_config eval
main::authority('demo', more => $::swapped)
--- config
--- must_die
--- error_log
good.ra.pem" of "ra" does not belong to the key



=== TEST 31: an EC key
--- http_config eval
main::authority('demo', more => $::file{ec})
--- config
--- must_die
--- error_log
ec.ra.pem" of "ra" has no RSA key of 2048 bits or more



=== TEST 32: a small key
--- http_config eval
main::authority('demo', more => $::file{small})
--- config
--- must_die
--- error_log
small.ra.pem" of "ra" has no RSA key of 2048 bits or more



=== TEST 33: no key usage to open envelopes with
--- http_config eval
main::authority('demo', more => $::file{sign})
--- config
--- must_die
--- error_log
sign.ra.pem" of "ra" lacks the key usages digitalSignature and keyEncipherment



=== TEST 34: no key usage to sign answers with
--- http_config eval
main::authority('demo', more => $::file{wrap})
--- config
--- must_die
--- error_log
wrap.ra.pem" of "ra" lacks the key usages digitalSignature and keyEncipherment



=== TEST 35: "ra auto" with an EC key of a store
--- http_config eval
main::authority('curve', key => 'ec:P-256', more => 'ra auto;')
    =~ s/key         file:/key store:file:/r =~ s/create.*\n//r
--- config
--- must_die
--- error_log
"ra auto" cannot seal the RA's key, for an EC key of "store:" opens nothing



=== TEST 36: "ra auto" with an RSA key of a store
--- http_config eval
main::authority('demo', more => 'ra auto;')
    =~ s/key         file:/key store:file:/r =~ s/create.*\n//r
--- config eval
main::locations('demo')
--- init
main::redis_cmd('FLUSHALL');
--- perl
ok(wait_until(sub { serial_offered('demo') }, 45));
is(ask('demo', (offered('demo'))[1]), 'SUCCESS');
