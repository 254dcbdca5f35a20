# What OCSP responses say and who signs them: statuses, reasons, times, the
# delegated responder, its renewal; how fast changes show, on every worker and
# node.  Rows R; requests are in 31.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;
use POSIX qw( strftime );

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'),
            authority('rsa', key => 'rsa:2048'),
            authority('big', key => 'ec:P-384'));

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

our $cert;

sub setup {
    ocsp_ready() or die "not ready";
    $cert ||= new_certificate('one') or die 'no certificate';
    ocsp_defaults(ca => work_file('demo.pem'), cert => $cert);
    return;
}

sub status {
    my ($cert, %option) = @_;
    my $r = ocsp_post('/ocsp', { cert => $cert }, %option);
    return $r->{status} // $r->{error};
}

# Who signs for an authority, and how.

sub signed_by {
    my ($name, $key, $algorithm, $params) = @_;

    ocsp_ready("/$name", $name) or die "not ready";
    my $ca = work_file("$name.pem");
    my $cert = new_certificate($name, "/enroll/$name");

    ocsp_defaults(ca => $ca, cert => $cert);

    my $r = ocsp_post("/$name", {});
    is($r->{status}, 'good', "$name: good");
    is($r->{verified}, 1, "$name: signed");
    is($r->{algorithm}{name}, $algorithm, "$name: by $algorithm");
    is($r->{algorithm}{params}, $params, "$name: R11: its parameters");
    is($r->{signer}{key}, $key, "$name: with a key $key");
    is($r->{signer}{verified}, 1, "$name: certified by the authority");

    my %ocsp = ocsp_ask(url => "/$name", ca => $ca, cert => $cert);
    is($ocsp{verified}, 1, "$name: openssl agrees");
}

run_tests();

__DATA__

=== TEST 1: R1 R2 R3 R4 R7 R11: a response, in detail
--- config eval
$::locations
--- perl
setup();
my $before = time;
my $r = ocsp_post('/ocsp', { nonce => '07' x 16 });
my $single = $r->{responses}[0];

is($r->{type}, 'basic_ocsp_response', 'R1: basic');
is($r->{version_explicit}, 0, 'R1: the default version is left out');
is($r->{verified}, 1, 'R1: the signature is over the data');

like($_->{text}, qr/^\d{14}Z$/, 'R2: a time in seconds')
    for $r->{produced_at}, $single->{this_update}, $single->{next_update};

ok($single->{this_update}{at} <= $r->{produced_at}{at},
   'R3: known before it was said');
ok($r->{produced_at}{at} <= time, 'R3: not in the future');
ok($r->{produced_at}{at} >= $before - 1, 'now');
ok($r->{produced_at}{at} - $single->{this_update}{at} <= 3,
   'and known a moment ago');
is($single->{next_update}{at} - $single->{this_update}{at}, 600,
   'R4: nextUpdate after ten minutes');

is($r->{responder}, 'by_key', 'R7: byKey');
is($r->{responder_key}, $r->{signer}{key_hash}, 'R7: the SHA-1 of its key');
is($r->{algorithm}{name}, 'sha256_ecdsa', 'R11: ECDSA');
is($r->{algorithm}{params}, '', 'R11: no parameters');
is_deeply($single->{extensions}, [], 'no single extensions');
is(scalar @{ $r->{extensions} }, 1, 'no extension but the nonce');



=== TEST 2: R8 R9: the responder's certificate
--- config eval
$::locations
--- perl
setup();
my $r = ocsp_post('/ocsp', {});
my $s = $r->{signer};
my %ext = map { $_->{oid} => $_ } @{ $s->{extensions} };
my $ca = certificate(work_file('demo.pem'));

is($r->{certs}, 1, 'R8: one certificate');
is($s->{issuer_is_ca}, 1, 'R8: issued by the authority');
is($s->{verified}, 1, 'R8: with its key');
is_deeply($s->{extended_key_usage}, [ 'ocsp_signing' ],
          'R8: id-kp-OCSPSigning alone');
is_deeply($s->{key_usage}, [ 'digital_signature' ],
          'R8: digitalSignature alone');
is($ext{'2.5.29.15'}{critical}, 1, 'R8: critical');

ok($ext{'1.3.6.1.5.5.7.48.1.5'}, 'R9: id-pkix-ocsp-nocheck');
is($ext{'1.3.6.1.5.5.7.48.1.5'}{value}, '0500', 'R9: NULL');
is($ext{'1.3.6.1.5.5.7.48.1.5'}{critical}, 0, 'R9: not critical');
is_deeply([ @$s{qw( ocsp crl )} ], [ [], [] ], 'R9: no AIA for OCSP, no CDP');
is($s->{aki}, $ca->{ski}, 'its issuer\'s key identifier');
ok(!$ext{'2.5.29.19'} || $ext{'2.5.29.19'}{value} eq '3000', 'no authority');

ok($s->{not_before} <= time - 3000, 'valid since an hour');
ok(abs($s->{not_after} - time - 86400) < 120, 'and for a day');
ok($s->{not_after} <= $ca->{not_after}, 'not longer than the authority');
is($s->{subject}{common_name}, 'demo CA OCSP', 'its name');

# it is nobody's device, and never in a list

my (undef, $list) = api('GET', '/m/api/certificates?limit=1000');
ok(!grep({ $_->{subject} =~ /OCSP/ } @{ $list->{certificates} }),
   'not among the certificates issued');



=== TEST 3: R10 R11: authorities and responders of each kind
--- main_config
thread_pool pki threads=1;
--- http_config
pki_thread_pool pki;
--- config
location = /probe       { pki_probe; }
location = /enroll/demo { enroll demo; enroll_auth none insecure; }
location = /enroll/rsa  { enroll rsa; enroll_auth none insecure; }
location = /enroll/big  { enroll big; enroll_auth none insecure; }
location /demo { ocsp_responder demo; ocsp_signer auto key=rsa:2048; }
location /rsa  { ocsp_responder rsa;  ocsp_signer auto key=rsa:2048; }
location /big  { ocsp_responder big;  ocsp_signer auto key=ec:P-384; }
--- perl
signed_by('demo', 'rsa:2048', 'sha256_rsa', '0500');
signed_by('rsa', 'rsa:2048', 'sha256_rsa', '0500');
signed_by('big', 'ec:384', 'sha384_ecdsa', '');



=== TEST 4: R11: the responder's key is P-256 unless said otherwise
--- config
location = /probe       { pki_probe; }
location = /enroll/rsa  { enroll rsa; enroll_auth none insecure; }
location = /enroll/big  { enroll big; enroll_auth none insecure; }
location /rsa  { ocsp_responder rsa; }
location /big  { ocsp_responder big; ocsp_signer auto; }
--- perl
signed_by('rsa', 'ec:256', 'sha256_ecdsa', '');
signed_by('big', 'ec:256', 'sha256_ecdsa', '');



=== TEST 5: R12: revoked, with each reason
--- config eval
$::locations
--- perl
setup();

my %code = (unspecified => undef, keyCompromise => 1, cACompromise => 2,
            affiliationChanged => 3, superseded => 4,
            cessationOfOperation => 5, certificateHold => 6,
            privilegeWithdrawn => 9, aACompromise => 10);

for my $reason (sort keys %code) {
    my $cert = new_certificate($reason);
    is(status($cert), 'good', "$reason: good before");
    my $before = time;
    is(revoke($cert, $reason), 200, "$reason: revoked");

    my $r = ocsp_post('/ocsp', { cert => $cert });
    is($r->{status}, 'revoked', "$reason: revoked");
    is($r->{reason}, $code{$reason}, "$reason: says so, or nothing");
    is_deeply($r->{responses}[0]{extensions}, [], "$reason: once");
    like($r->{revoked_at}{text}, qr/^\d{14}Z$/, 'R2: a time');
    ok($r->{revoked_at}{at} >= $before - 1 && $r->{revoked_at}{at} <= time,
       "$reason: when");
    is($r->{next_update}{at} - $r->{this_update}{at},
       $reason eq 'certificateHold' ? 300 : 86400,
       "$reason: its own validity") if $reason eq 'certificateHold';
}



=== TEST 6: R13: hold, release, hold, revocation
--- config eval
$::locations
--- perl
setup();
my $cert = new_certificate('held');

for (1 .. 3) {
    is(revoke($cert, 'certificateHold'), 200, 'held');
    my $r = ocsp_post('/ocsp', { cert => $cert });
    is("$r->{status} $r->{reason}", 'revoked 6', 'revoked(6)');

    is(release($cert), 200, 'released');
    is(status($cert), 'good', 'good at once');
}

revoke($cert, 'certificateHold');
is(revoke($cert, 'keyCompromise'), 200, 'a hold may become a revocation');
is(ocsp_post('/ocsp', { cert => $cert })->{reason}, 1, 'keyCompromise');
is(release($cert), 409, 'which nothing undoes');
is(status($cert), 'revoked', 'still revoked');



=== TEST 7: good, revoked, held and unknown in one response
--- config eval
$::locations
--- perl
setup();
my @certs = map { new_certificate("many$_") } 1 .. 3;
revoke($certs[1], 'superseded');
revoke($certs[2], 'certificateHold');

my $r = ocsp_post('/ocsp', { nonce => '0a', ids => [
    map({ { cert => $_ } } @certs), { serial => '4e4e' } ] });

is(join(' ', map { $_->{status} . ($_->{reason} // '') }
             @{ $r->{responses} }),
   'good revoked4 revoked6 unknown', 'each its own');
is($r->{verified}, 1, 'one signature');

my @validity = map { $_->{next_update}{at} - $_->{this_update}{at} }
               @{ $r->{responses} };
is("@validity[0, 2, 3]", '600 300 60', 'each its own validity');
ok($validity[1] > 80000, 'a day, or as long as the responder')
    or diag($validity[1]);

my $get = ocsp_get('/ocsp', ocsp_make({ ids => [ { cert => $certs[0] },
                                                 { serial => '4e4e' } ] }));
my ($age) = $get->{headers}{'cache-control'} =~ /max-age=(\d+)/;
ok($age <= 30, 'cached as long as the shortest');



=== TEST 8: R5 R6: the responder is renewed, nobody notices
--- timeout: 40
--- config
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; ocsp_signer auto validity=6s; }
--- perl
setup();
my ($der) = ocsp_make({});
my $end = time + 11;
my @answers;

while (time < $end) {
    push @answers, [ PKI::OCSP::post('/ocsp', $der) ];
    select undef, undef, undef, 0.03;
}

my @parsed = ocsp_parse(@answers);
my (%signer, %bad);

for my $r (@parsed) {
    if ($r->{error} ne 'successful') {
        $bad{$r->{error}}++;
        next;
    }

    my $s = $r->{signer};
    $signer{$s->{serial}}++;
    $bad{'not good'}++ if $r->{status} ne 'good';
    $bad{'bad signature'}++ unless $r->{verified} && $s->{verified};
    $bad{'after its end'}++ if $r->{produced_at}{at} >= $s->{not_after};
    $bad{'promises more'}++ if $r->{next_update}{at} > $s->{not_after};
    $bad{'not its key'}++ if $r->{responder_key} ne $s->{key_hash};
}

ok(@parsed > 100, scalar(@parsed) . ' answers');
is_deeply(\%bad, {}, 'none failed, none after its signer\'s end');
ok(keys %signer >= 3, scalar(keys %signer) . ' responders');
ok(keys %signer <= 7, 'one at a time, for both workers');



=== TEST 9: R9: the key is nowhere on disk or in Redis
--- config eval
$::locations
--- perl
setup();
my $r = ocsp_post('/ocsp', {});
my $point = $r->{signer}{key_hash};

my $found = 0;
for my $key (@{ redis_cmd('KEYS', '*') }) {
    my $type = redis_cmd('TYPE', $key);
    my $all = $type eq 'hash' ? join ' ', @{ redis_cmd('HGETALL', $key) }
            : $type eq 'string' ? redis_cmd('GET', $key) : '';
    $found++ if index($all, pack 'H*', $r->{signer}{der}) >= 0;
}
is($found, 0, 'Redis knows nothing of the responder');
unlike(error_log(), qr/PRIVATE KEY/, 'nor does the log');



=== TEST 10: a reload keeps the responder
--- config eval
$::locations
--- perl
setup();
my $before = ocsp_post('/ocsp', {})->{signer}{serial};
ok(nginx_reload(15), 'reloaded');
is(ocsp_post('/ocsp', {})->{signer}{serial}, $before, 'the same one');



=== TEST 11: read-through: what another node wrote is known at once
--- config eval
$::locations
--- perl
setup();
my $r;

# a record as this authority's other nodes write it, but no log entry

my %record = @{ redis_cmd('HGETALL',
                          'pki:{demo}:cert:' . serial_of($::cert)) };
my $n = 0;

for my $with ({}, { status => 'revoked', reason => 1, revoked_at => 1700000000 },
              { status => 'hold', reason => 6, revoked_at => 1700000000 })
{
    my $serial = sprintf '5a%030x', ++$n;
    redis_cmd('HSET', "pki:{demo}:cert:$serial", %record, %$with);

    $r = ocsp_post('/ocsp', { serial => $serial });
    is($r->{status}, $with->{status} ? 'revoked' : 'good',
       $with->{status} // 'good');
    is($r->{revoked_at}{at}, 1700000000, 'since then') if $with->{status};
    is($r->{reason}, $with->{reason}, 'its reason');
}

# records that contradict themselves are never good

for my $with ({ status => 'revoked' }, { status => 'odd' },
              { status => 'hold', reason => 1, revoked_at => 1 },
              { status => 'good', not_after => 'never' })
{
    my $serial = sprintf '5a%030x', ++$n;
    redis_cmd('HSET', "pki:{demo}:cert:$serial", %record, %$with);
    $r = ocsp_post('/ocsp', { serial => $serial });
    is($r->{error}, 'try_later', 'a broken record: no answer');
}
--- error_log
malformed status from redis



=== TEST 12: two nodes: issued, revoked, held and released is known to both
--- config eval
$::locations
--- perl
setup();
my $node = node_start();
my $port = $node->port;
my @at = ([], [ port => $port ]);
my $slowest = 0;

sub within {
    my ($expected, $cert, $name, @option) = @_;
    my $start = Time::HiRes::time();
    my $ok = wait_until(sub { status($cert, @option) eq $expected }, 1);
    my $took = Time::HiRes::time() - $start;
    $slowest = $took if $took > $slowest;
    ok($ok, $name);
}

for my $round (1 .. 5) {
    my $new = new_certificate("node$round");
    is(status($new, port => $port), 'good', 'issued here, good there');
    is(status($new), 'good', 'and here');

    revoke($new, 'certificateHold');
    is(status($new), 'revoked', 'held: here at once');
    within('revoked', $new, 'there within a second', port => $port);

    release($new);
    is(status($new), 'good', 'released: here at once');
    within('good', $new, 'there within a second', port => $port);

    revoke($new, 'keyCompromise');
    is(status($new), 'revoked', 'revoked: here at once');
    within('revoked', $new, 'there within a second', port => $port);

    my %seen;
    $seen{ status($new, port => $port) }++ for 1 .. 10;
    is(join(' ', keys %seen), 'revoked', 'and nobody there says otherwise');
}

ok($slowest < 1, sprintf 'the slowest: %.3f s', $slowest);

# each node has a responder of its own; both are the authority's

my ($one, $two) = map { ocsp_post('/ocsp', {}, @$_) } @at;
isnt($one->{signer}{serial}, $two->{signer}{serial}, 'two responders');
is("$one->{signer}{verified} $two->{signer}{verified}", '1 1', 'both good');

ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'no alert over there');



=== TEST 13: a revocation is seen by every worker
--- config
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; add_header X-Pid $pid always; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
--- perl
setup();

for my $n (1 .. 3) {
    my $cert = new_certificate("worker$n");
    my ($der) = ocsp_make({ cert => $cert });
    my $request = "POST /ocsp HTTP/1.0\r\nContent-Length: " . length($der)
                  . "\r\n\r\n$der";

    for my $expected (qw( good revoked )) {
        my %answers = by_worker($request);
        my %seen;

        for my $pid (keys %answers) {
            $seen{ $_->{status} // $_->{error} }++
                for ocsp_parse(@{ $answers{$pid} });
        }

        is(join(' ', sort keys %seen), $expected, "$expected everywhere");
        is(scalar keys %answers, 2, 'two workers');
        revoke($cert);
    }
}



=== TEST 14: openssl and GnuTLS agree
--- config eval
$::locations
--- perl
setup();
my $ca = work_file('demo.pem');
my $url = 'http://127.0.0.1:' . Test::Nginx::Util::server_port_for_client()
          . '/ocsp';
my $bad = new_certificate('agreed');
revoke($bad, 'keyCompromise');

for ([ $::cert, 'good' ], [ $bad, 'revoked' ]) {
    my ($cert, $expected) = @$_;

    for my $args ([], [ '-no_nonce' ], [ '-sha256' ]) {
        my %ocsp = ocsp_ask(url => '/ocsp', ca => $ca, cert => $cert,
                            args => $args);
        next if "@$args" eq '-sha256' && $ocsp{status} eq 'error';
        is($ocsp{status}, $expected, "openssl @$args: $expected");
        is($ocsp{verified}, 1, 'verified');
        unlike($ocsp{text}, qr/WARNING/, 'no warning') if !@$args;
    }

    my ($code, $out, $err) = command(
        'ocsptool', "--ask=$url", '--nonce', "--load-issuer=$ca",
        "--load-cert=$cert", "--load-trust=$ca");
    like($out . $err, qr/Certificate Status: $expected/, 'ocsptool');
    like($out . $err, qr/Success/, 'verified');
}



=== TEST 15: R3: thisUpdate earlier than it was known, for clocks that are behind
--- config eval
$::locations . <<'END'
location /back { ocsp_responder demo; ocsp_validity backdate=60s; }
END
--- perl
setup();
my ($der) = ocsp_make({});

for my $get (0, 1) {
    my ($plain, $back) = map { $get ? ocsp_get($_, $der) : ocsp_post($_, $der) }
                         qw( /ocsp /back );

    is($back->{status}, 'good', 'good');
    ok($back->{this_update}{at} <= $back->{produced_at}{at} - 60,
       'thisUpdate is a minute early');
    ok($back->{this_update}{at} >= $back->{produced_at}{at} - 70,
       'and not more');
    is($back->{next_update}{at} - $back->{this_update}{at}, 660,
       'nextUpdate is what it was');
    ok($plain->{this_update}{at} > $plain->{produced_at}{at} - 10,
       'elsewhere it is as ever');

    next if !$get;

    is($back->{headers}{'last-modified'},
       strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $back->{this_update}{at}),
       'Last-Modified says the same');
}

my $bad = new_certificate('early');
revoke($bad);
my $r = ocsp_post('/back', { cert => $bad });
is($r->{status}, 'revoked', 'revoked');
is($r->{verified}, 1, 'signed');



=== TEST 16: R7: the responder by its name
--- config eval
$::locations . <<'END'
location /name { ocsp_responder demo; ocsp_responder_id name; }
END
--- perl
setup();

for my $request ({}, { nonce => '07' x 16 }, { ids => [ {}, {} ] }) {
    my $r = ocsp_post('/name', $request);
    is($r->{status}, 'good', 'good');
    is($r->{responder}, 'by_name', 'byName');
    ok($r->{responder_is_signer}, 'the subject of its certificate');
    is($r->{verified}, 1, 'signed');

    $r = ocsp_post('/ocsp', $request);
    is($r->{responder}, 'by_key', 'byKey elsewhere');
    is($r->{responder_key}, $r->{signer}{key_hash}, 'of its key');
}

my $ca = work_file('demo.pem');
my %ocsp = ocsp_ask(url => '/name', ca => $ca, cert => $::cert);
is("$ocsp{status} $ocsp{verified}", 'good 1', 'openssl agrees');

my $url = 'http://127.0.0.1:' . Test::Nginx::Util::server_port_for_client()
          . '/name';
my ($code, $out, $err) = command(
    'ocsptool', "--ask=$url", '--nonce', "--load-issuer=$ca",
    "--load-cert=$::cert", "--load-trust=$ca");
like($out . $err, qr/Certificate Status: good/, 'ocsptool agrees');



=== TEST 17: R14: a compromised authority: all are revoked
--- config eval
$::locations . <<'END'
location /bad { ocsp_responder demo;
                ocsp_compromised 2020-02-29T23:59:59Z;
                add_header X-Status "$ocsp_status $ocsp_reason"; }
END
--- error_log
redis
--- perl
setup();
my $held = new_certificate('held before');
revoke($held, 'certificateHold');

for my $request ({}, { nonce => '07' x 16 }, { serial => '4e' x 16 },
                 { cert => $held }, { serial => '01' x 40 })
{
    my $r = ocsp_post('/bad', $request);
    is($r->{status}, 'revoked', 'revoked');
    is($r->{reason}, 2, 'cACompromise');
    is($r->{revoked_at}{text}, '20200229235959Z', 'since then');
    is($r->{headers}{'x-status'}, 'revoked cACompromise', 'variables');
    is($r->{verified}, 1, 'signed');
    is(scalar @{ $r->{responses}[0]{extensions} }, 0, 'nothing else');
}

my ($der) = ocsp_make({});
is(ocsp_get('/ocsp', $der)->{status}, 'good', 'good elsewhere') for 1 .. 4;
is(ocsp_get('/bad', $der)->{status}, 'revoked', 'not from the cache')
    for 1 .. 4;

is(ocsp_post('/bad', { key => '6b' x 20 })->{error}, 'unauthorized',
   'of somebody else nothing is said');

redis_stop();
is(ocsp_post('/bad', $_)->{status}, 'revoked', 'nobody has to be asked')
    for $der, { serial => '4f' x 16 };
redis_start(appendonly => 1);



=== TEST 18: R15: certificates that have expired
--- config eval
$::locations . <<'END'
location /kept { ocsp_responder demo; ocsp_retention 1d; }
END
--- perl
setup();
my $cutoff = '1.3.6.1.5.5.7.48.1.6';
my %record = @{ redis_cmd('HGETALL',
                          'pki:{demo}:cert:' . serial_of($::cert)) };
my $n = 0;

my $new = sub {
    my (%with) = @_;
    my $serial = sprintf '5c%030x', ++$n;
    redis_cmd('HSET', "pki:{demo}:cert:$serial", %record, %with);
    return $serial;
};

my @revoked = (status => 'revoked', reason => 1, revoked_at => 1700000000);
my %serial = (
    good    => $new->(not_after => time - 100),
    revoked => $new->(not_after => time - 100, @revoked),
);

for my $status (sort keys %serial) {
    for my $request ({}, { nonce => '07' x 16 }, { hash => 'sha256' }) {
        my $r = ocsp_post('/kept', { %$request, serial => $serial{$status} });
        my ($e, @more) = @{ $r->{responses}[0]{extensions} };

        is($r->{status}, $status, "expired, $status: told all the same");
        is(scalar @more, 0, 'one extension');
        is($e->{oid}, $cutoff, 'archiveCutoff');
        is($e->{critical}, 0, 'not critical');
        is(substr($e->{value}, 0, 4), '180f', 'GeneralizedTime');

        is(pack('H*', substr $e->{value}, 4),
           strftime('%Y%m%d%H%M%SZ', gmtime $r->{produced_at}{at} - 86400),
           'a day before producedAt');
        is($r->{verified}, 1, 'signed');
    }

    is_deeply(ocsp_post('/ocsp', { serial => $serial{$status} })
              ->{responses}[0]{extensions}, [], 'no cutoff where none is set');
}

is_deeply(ocsp_post('/kept', {})->{responses}[0]{extensions}, [],
          'none of a valid one');

# longer than that ago: nothing is told

for my $status ([], \@revoked) {
    my $old = $new->(not_after => time - 86500, @$status);

    is(ocsp_post('/kept', { serial => $old })->{error}, 'unauthorized',
       'forgotten');
    is(ocsp_post('/ocsp', { serial => $old })->{error}, 'successful',
       'not elsewhere');

    my $r = ocsp_post('/kept', { ids => [ { serial => $old }, {} ] });
    is(join(' ', map { $_->{status} } @{ $r->{responses} }), 'unknown good',
       'beside another: unknown');
}

# an answer that is kept does not outlast the end of the certificate

my ($der) = ocsp_make({ serial => $new->(not_after => time + 3) });
my $has = sub {
    my $r = ocsp_get('/kept', $der);
    return "$r->{status} " . @{ $r->{responses}[0]{extensions} };
};

is($has->(), 'good 0', 'valid') for 1 .. 4;
ok(wait_until(sub { $has->() eq 'good 1' }, 8), 'expired');
is($has->(), 'good 1', 'from then on, on every worker') for 1 .. 8;
