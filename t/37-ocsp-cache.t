# The cache of signed OCSP responses: what is kept and what is not, for whom,
# how long; and that no change of a status, of the signer, of the clock, of the
# configuration or of Redis is ever answered with what was kept before.

use lib 't/lib';
use PKI::Clock;
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Load;
use PKI::OCSP;
use PKI::Watch;
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
key_vault();
http_config(authority('demo', key => 'ec:P-256'),
            authority('other', key => 'ec:P-256'));

our $common = <<'END';
keepalive_requests 1000000;
add_header X-Cache $ocsp_cache;
add_header X-Pid   $pid;

location = /probe        { pki_probe; }
location = /enroll       { enroll demo; enroll_auth none insecure; }
location = /enroll/other { enroll other; enroll_auth none insecure; }
location /m/             { certificate_master demo other;
                           certificate_master_user someone;
                           certificate_master_roles admin; }
END

our $locations = $common . 'location /ocsp { ocsp_responder demo; }';

my $names = 0;

# The responder is ready; returns as many new certificates as wanted.

sub setup {
    my ($n) = @_;

    clock_step(0);
    ocsp_ready() or die 'not ready';

    my @certs = map { new_certificate('cached' . ++$names)
                      or die 'no certificate' } 1 .. $n || 1;
    ocsp_defaults(ca => work_file('demo.pem'), cert => $certs[0]);

    return @certs;
}

sub words {
    my ($r) = @_;

    return $r->{error} if $r->{error} ne 'successful';
    return join ' ', map({ $_->{status} } @{ $r->{responses} }),
                     $r->{headers}{'x-cache'} // ();
}

# Asks until every worker answers from the cache; returns that answer.

sub warm {
    my ($request, $uri) = @_;

    my ($der) = ref $request ? ocsp_make($request) : $request;
    my $r;

    wait_until(sub {
        for (1 .. 12) {
            my (undef, $h) = PKI::OCSP::post($uri || '/ocsp', $der);
            return 0 if ($h->{'x-cache'} // '') ne 'hit';
        }

        $r = ocsp_post($uri || '/ocsp', $der);
        return $r->{headers}{'x-cache'} eq 'hit';
    }) or die 'never answered from the cache';

    return $r;
}

# Certificates that were put into Redis by a script, as the documentation of
# its state says; their serial numbers.

sub load_records {
    my ($n, $like) = @_;

    my %record = @{ redis_cmd('HGETALL',
                              'pki:{demo}:cert:' . serial_of($like)) };

    redis_cmd('EVAL', <<'END', 0, $n, %record);
for i = 1, ARGV[1] do
    redis.call('HSET', 'pki:{demo}:cert:' .. string.format('5b%030x', i),
               unpack(ARGV, 2))
end
return redis.call('HINCRBY', 'pki:{demo}:ca', 'seq', 1)
END

    return map { sprintf '5b%030x', $_ } 1 .. $n;
}

log_level('info');    # many requests
no_shuffle();
run_tests();

__DATA__

=== TEST 1: what is kept, and what is made for one client only
--- config eval
$::locations . <<'END'
location /off     { ocsp_responder demo; ocsp_cache off; }
location /nonce   { ocsp_responder demo; ocsp_nonce off; }
END
--- perl
my ($cert) = setup();
my ($der) = ocsp_make({});

is(words(ocsp_post('/ocsp', $der)), 'good miss', 'not there at first');
my $kept = warm($der);

my @same = (
    'POST'               => ocsp_post('/ocsp', $der),
    'GET'                => ocsp_get('/ocsp', $der),
    'by SHA-256'         => ocsp_post('/ocsp', { hash => 'sha256' }),
    'of NSS, strongSwan' => ocsp_get('/ocsp', ocsp_make({ ext =>
        [ [ '2b0601050507300104', '300b06092b0601050507300101' ] ] })),
    'with a name'        => ocsp_post('/ocsp', { requestor => 'a' }),
    'signed'             => ocsp_post('/ocsp', { signature =>
                                '300a06082a8648ce3d040302' . '03020000' }),
    'unknown extension'  => ocsp_post('/ocsp', { ext =>
                                                 [ [ '2a0304', '0500' ] ] }),
    'version told'       => ocsp_post('/ocsp', { version => 0 }));

while (my ($name, $r) = splice @same, 0, 2) {
    is(words($r), 'good hit', "$name: kept");
    ok($r->{body} eq $kept->{body}, "$name: the same octets");
}

my $never = { serial => '4e' x 16 };

my @own = (
    'a nonce'       => { nonce => '0b' x 16 }, 'good bypass',
    'two CertIDs'   => { ids => [ {}, {} ] }, 'good good bypass',
    'two hashes'    => { ids => [ {}, { hash => 'sha256' } ] },
                       'good good bypass',
    'never issued'  => $never, 'unknown miss',
    'never issued, again' => $never, 'unknown miss',
    'among others'  => { ids => [ {}, $never ] }, 'good unknown bypass');

while (my ($name, $spec, $expected) = splice @own, 0, 3) {
    is(words(ocsp_post('/ocsp', $spec)), $expected, "$name: not kept");
}

is(words(ocsp_post('/ocsp', $der)), 'good hit', 'nothing is lost by that');

for my $spec ('nonsense', { key => '6b' x 20 }) {
    my $r = ocsp_post('/ocsp', $spec);
    is($r->{headers}{'x-cache'}, undef, "$r->{error}: no answer, no word");
}

my %octets;

for (1 .. 6) {
    my $r = ocsp_post('/off', $der);
    is(words($r), 'good bypass', 'ocsp_cache off');
    $octets{ $r->{body} }++;
}

is(scalar keys %octets, 6, 'each signed anew');

# Q25: without nonces they are all alike

warm($der, '/nonce');
my $r = ocsp_post('/nonce', { nonce => '0c' x 16 });
is(words($r), 'good hit', 'Q25: a nonce that is not wanted');
is_deeply($r->{extensions}, [], 'Q25: and not answered');



=== TEST 2: Q6: one answer for SHA-1 and SHA-256, accepted by clients
--- config eval
$::locations
--- perl
my ($good, $revoked, $held) = setup(3);
my $ca = work_file('demo.pem');
revoke($revoked, 'keyCompromise');
revoke($held, 'certificateHold');

for ([ $good, 'good' ], [ $revoked, 'revoked' ], [ $held, 'revoked' ]) {
    my ($cert, $expected) = @$_;
    my %der = map { $_ => ocsp_make({ cert => $cert, hash => $_ }) }
              qw( sha1 sha256 );
    my $kept = warm($der{sha1});

    for my $hash (qw( sha1 sha256 )) {
        my $r = ocsp_post('/ocsp', $der{$hash});
        my $other = $hash eq 'sha1' ? 'sha256' : 'sha1';

        is(words($r), "$expected hit", "$hash: $expected");
        ok($r->{body} eq $kept->{body}, 'the same octets');
        is($r->{hash}, $hash, 'with what was asked for');
        is($r->{verified}, 1, 'one signature');
        is(scalar @{ $r->{twins} }, 1, 'and its twin');
        ok(index(unpack('H*', $der{$other}), $r->{twins}[0]{cert_id}) > 0,
           "by $other");

        my $file = work_file("$hash.der", $r->{body});
        my ($code, $out, $err) = command(
            'openssl', 'ocsp', '-respin', $file, '-CAfile', $ca,
            '-issuer', $ca, "-$hash", '-cert', $cert);
        like($out . $err, qr/: $expected$/m, 'openssl finds it');
        like($out . $err, qr/Response verify OK/, 'and verifies it');

        ($code, $out, $err) = command(
            'ocsptool', '--verify-response', "--load-response=$file",
            "--load-trust=$ca");
        is($code, 0, 'GnuTLS verifies it');
        ($code, $out, $err) = command('ocsptool', '-j',
                                      "--load-response=$file");
        is(() = $out =~ /Certificate Status: $expected/g, 2, 'and reads both');
    }
}

my $r = ocsp_post('/ocsp', { serial => '4e4e' });
is(scalar @{ $r->{twins} }, 0, 'one never issued has none');

# without parameters a CertID is another one, to be echoed as it is

for my $hash (qw( sha1 sha256 )) {
    my ($der) = ocsp_make({ cert => $good, hash => $hash,
                            params => 'absent' });
    my $bare = warm($der);

    is(words($bare), 'good hit', "$hash without parameters: kept");
    is($bare->{hash}, $hash, 'answered with it');
    ok(index(unpack('H*', $der), $bare->{cert_id}) > 0, 'octet by octet');
    ok($bare->{body} ne ocsp_post('/ocsp', { hash => $hash })->{body},
       'not what those with them get');
}

for my $hash (qw( sha384 sha512 )) {
    for my $params (qw( null absent )) {
        for (1 .. 4) {
            my ($der) = ocsp_make({ hash => $hash, params => $params });
            $r = ocsp_post('/ocsp', $der);
            is($r->{status}, 'good', "$hash, $params");
            ok(index(unpack('H*', $der), $r->{cert_id}) > 0, 'echoed');
        }
    }
}



=== TEST 3: R16 R17: neither CrlID nor entry extensions, whatever the status
--- config eval
$::locations . <<'END'
location /extended { ocsp_responder demo; ocsp_unknown revoked; }
END
--- perl
my ($good, $revoked, $held) = setup(3);
revoke($revoked, 'keyCompromise');
revoke($held, 'certificateHold');

for my $spec ({ cert => $good }, { cert => $revoked }, { cert => $held },
              { serial => '4e4e' })
{
    for my $uri (qw( /ocsp /extended )) {
        for my $more ({}, {}, { nonce => '0d' x 8 }) {
            my $r = ocsp_post($uri, { %$spec, %$more });

            is_deeply([ map { @{ $_->{extensions} } }
                        @{ $r->{responses} }, @{ $r->{twins} } ],
                      [], "$r->{status}: no single extensions");
            is_deeply([ grep { $_ ne '1.3.6.1.5.5.7.48.1.2'
                               && $_ ne '1.3.6.1.5.5.7.48.1.9' }
                        map { $_->{oid} } @{ $r->{extensions} } ],
                      [], 'nor others than nonce and extended revoke');
        }
    }
}



=== TEST 4: what one worker has signed all others answer, without Redis
--- config eval
$::locations
--- perl
my ($cert) = setup();
my ($der) = ocsp_make({});
my $kept = warm($der);
my $uri = '/ocsp/' . escape(base64($der));

for my $request ("GET $uri HTTP/1.0\r\n\r\n",
                 "POST /ocsp HTTP/1.0\r\nContent-Length: " . length($der)
                 . "\r\n\r\n$der")
{
    my %answers = by_worker($request);
    is(scalar keys %answers, 2, 'two workers');

    for my $pid (keys %answers) {
        is(scalar(grep { $_->[2] ne $kept->{body}
                         || $_->[1]{'x-cache'} ne 'hit' }
                  @{ $answers{$pid} }), 0, 'the same octets, always');
    }
}

# the follower asks for the position of each log once a second; what a start
# brings with it is over after a moment

ok(wait_until(sub {
    my ($before, $start) = (asked(), time);
    PKI::OCSP::post('/ocsp', $der) for 1 .. 300;
    return asked() - $before <= 2 * (2 + time - $start);
}, 10), 'Redis hears nothing of 300 answers');

sub asked {
    return eval join '+', redis_cmd('INFO', 'commandstats')
        =~ /^cmdstat_(?:eval|evalsha|hmget|hgetall):calls=(\d+)/mg;
}



=== TEST 5: every change shows in the very next answer, of every worker
--- config eval
$::locations
--- perl
my ($cert) = setup();
my ($der) = ocsp_make({});
my $request = "POST /ocsp HTTP/1.0\r\nContent-Length: " . length($der)
              . "\r\n\r\n$der";
my ($wrong, $hits) = (0, 0);

for (1 .. 12) {
    for my $expected (qw( good revoked )) {
        my %answers = by_worker($request);

        for (map { @$_ } values %answers) {
            $wrong++ if ocsp_told($_->[2], $der) ne $expected;
            $hits++ if $_->[1]{'x-cache'} eq 'hit';
        }

        my $status = $expected eq 'good' ? revoke($cert, 'certificateHold')
                                         : release($cert);
        $wrong++ if $status != 200;

        # the next one, by whichever worker

        my (undef, undef, $body) = PKI::OCSP::post('/ocsp', $der);
        $wrong++ if ocsp_told($body, $der) eq $expected;
    }
}

is($wrong, 0, 'never what was so before');
ok($hits > 200, "$hits answers from the cache");

revoke($cert, 'keyCompromise');
my $r = warm($der);
is("$r->{status} $r->{reason}", 'revoked 1', 'revoked for good is kept');



=== TEST 6: changes while two nodes are asked all the time
--- timeout: 30
--- config eval
$::locations
--- perl
my @certs = setup(6);
my @ders = ocsp_make(map { { cert => $_ } } @certs);
my $node = node_start();
my @ports = (Test::Nginx::Util::server_port_for_client(), $node->port);
my @watches = map { ocsp_watch($_, '/ocsp', @ders) } @ports;
my (@spans, @refused);

sleep 0.5;

for my $round (1 .. 3) {
    my $last = $round == 3;

    for my $n (0 .. $#certs) {
        my $status = revoke($certs[$n], $last ? 'keyCompromise'
                                              : 'certificateHold');
        push @refused, $status if $status != 200;
        push @spans, [ $n, time, $FOREVER, 'revoked' ];
        sleep 0.1;
        next if $last;

        $spans[-1][2] = time;
        $status = release($certs[$n]);
        push @refused, $status if $status != 200;
        push @spans, [ $n, time, $FOREVER, 'good' ];
    }

    # what is good is so until it is held again

    next if $last;
    sleep 0.2;
    $_->[2] = time for grep { $_->[2] == $FOREVER } @spans;
}

sleep 0.5;

my ($here, $there) = map { [ stop_watching($_) ] } @watches;
my @late = map { [ $_->[0], $_->[1] + 1, @$_[2, 3] ] }
           grep { $_->[2] == $FOREVER } @spans;

is_deeply(\@refused, [], 'all changes are made');
ok(@$here > 1000, @$here . ' answers here');
ok(@$there > 1000, @$there . ' answers there');
is_deeply([ contradictions($here, @spans) ], [],
   'here: none contradicts a change that was acknowledged');
is_deeply([ contradictions($there, @late) ], [],
   'there: all are revoked, and never good again');

my @odd = grep { $_->[3] !~ /^(?:good|revoked)$/ } @$here, @$there;
is_deeply(\@odd, [], 'and none is without an answer');

# how long it took there

my @took = sort { $a <=> $b } map {
    my ($n, $from) = @$_[0, 1];
    my ($last) = sort { $b <=> $a } map { $_->[1] }
                 grep { $_->[0] == $n && $_->[1] > $from
                        && $_->[3] eq 'good' } @$there;
    $last ? $last - $from : 0;
} grep { $_->[2] == $FOREVER } @spans;

ok($took[-1] < 0.5, sprintf 'the slowest: %.3f s', $took[-1]);

ok($node->stop, 'the other node ends well');



=== TEST 7: H4: renewed before half of its life is over, and in time for all
--- config eval
$::locations . <<'END'
location /short { ocsp_responder demo; ocsp_validity good=1m; }
location /dated { ocsp_responder demo; ocsp_validity good=10m hold=10m unknown=10m
                                                backdate=10m; }
END
--- perl
setup();
my $step = 0;

# a client that keeps an answer as long as it may finds another one then

for my $n (1 .. 3) {
    my $cert = new_certificate("half$n");
    my ($der) = ocsp_make({ cert => $cert });
    my $first = warm($der);
    my ($age) = sort { $a <=> $b } map {
        ocsp_get('/ocsp', $der)->{headers}{'cache-control'}
            =~ /max-age=(\d+)/
    } 1 .. 20;

    clock_step($step + 60);
    ok(ocsp_post('/ocsp', $der)->{body} eq $first->{body},
       'kept for a while');

    # what is known is as old as the clock says, until Redis is asked again

    clock_step($step += $age);
    sleep 1.3;

    my @next = map { ocsp_get('/ocsp', $der) } 1 .. 8;
    is(scalar(grep { $_->{status} ne 'good' } @next), 0, 'good');
    is(scalar(grep { $_->{produced_at}{at} <= $first->{produced_at}{at} }
              @next), 0, "after $age s: another one");
    my %octets = map { $_->{body} => 1 } @next;
    cmp_ok(scalar keys %octets, '<=', 2, 'signed once, not for each');
    is(words($next[-1]), 'good hit', 'and kept');
}

# backdated by as much as it lives: it is kept all the same

my ($dated) = ocsp_make({ cert => new_certificate('dated') });
my %dated = map { ocsp_post('/dated', $dated)->{body} => 1 } 1 .. 20;
cmp_ok(scalar keys %dated, '<=', 2, 'backdated, and kept');

# in small steps: at no time is anything answered that is older than half

my ($der) = ocsp_make({ cert => new_certificate('steps') });
my (%bad, %octets);

for my $n (1 .. 18) {
    clock_step($step += 5);
    sleep 1.1 if $n % 6 == 0;

    for my $uri (qw( /ocsp /short )) {
        my $r = ocsp_post($uri, $der);
        my $now = time + $step;
        my $life = $uri eq '/ocsp' ? 600 : 60;
        $octets{$uri}{ $r->{body} }++;
        $bad{status}++ if $r->{status} ne 'good';
        $bad{life}++
            if $r->{next_update}{at} - $r->{this_update}{at} != $life;
        $bad{old}++ if $now - $r->{produced_at}{at} > $life / 2 + 1;
        $bad{past}++ if $r->{next_update}{at} <= $now - 1;
        $bad{future}++ if $r->{produced_at}{at} > $now + 1;
    }
}

is_deeply(\%bad, {}, 'none is older than half of its life');
cmp_ok(scalar keys %{ $octets{'/ocsp'} }, '<=', 3,
       'signed seldom where it lives long');
clock_step(0);



=== TEST 8: locations and authorities that answer differently share nothing
--- main_config
thread_pool pki threads=1;
--- http_config eval
"pki_thread_pool pki;\n" . PKI::authority('big', key => 'ec:P-384')
--- config eval
$::locations . <<'END'
location /again   { ocsp_responder demo; }
location /long    { ocsp_responder demo; ocsp_validity good=20m; }
location /name    { ocsp_responder demo; ocsp_responder_id name; }
location /back    { ocsp_responder demo; ocsp_validity good=10m backdate=60; }
location /several { ocsp_responder other demo; }
location /other   { ocsp_responder other; }
location /big     { ocsp_responder big; ocsp_signer auto key=rsa:2048;
                    ocsp_responder_id name; }
location = /enroll/big { enroll big; enroll_auth none insecure; }
END
--- perl
my ($cert) = setup();
my ($der) = ocsp_make({});
for (1 .. 12) {
    PKI::OCSP::post($_, $der) for qw( /ocsp /again /long /name /back /several );
}

my %r = map { $_ => warm($der, $_) }
        qw( /ocsp /again /long /name /back /several );
my %life = map { $_ => $r{$_}{next_update}{at} - $r{$_}{this_update}{at} }
           keys %r;

is($r{$_}{status}, 'good', "$_: good") for sort keys %r;
is($r{$_}{verified}, 1, "$_: signed") for sort keys %r;
ok($r{'/ocsp'}{body} eq $r{'/again'}{body}, 'those that say the same share');
is($life{'/ocsp'}, 600, 'ten minutes');
is($life{'/long'}, 1200, 'twenty');
is($r{'/ocsp'}{responder}, 'by_key', 'byKey');
is($r{'/name'}{responder}, 'by_name', 'byName');
cmp_ok($r{'/back'}{produced_at}{at} - $r{'/back'}{this_update}{at}, '>=', 60,
       'thisUpdate a minute back');
is($r{'/several'}{signer}{subject}{common_name}, 'demo CA OCSP',
   'of two authorities the right one');

# the same serial number of another authority

my $serial = serial_of($cert);
my %record = @{ redis_cmd('HGETALL', "pki:{demo}:cert:$serial") };
redis_cmd('HSET', "pki:{other}:cert:$serial", %record, status => 'revoked',
          reason => 1, revoked_at => 1700000000);

my ($theirs) = ocsp_make({ ca => work_file('other.pem') });

for my $uri (qw( /several /other )) {
    my $r = warm($theirs, $uri);
    is($r->{status}, 'revoked', "$uri: theirs is revoked");
    is($r->{signer}{subject}{common_name}, 'other CA OCSP', 'they say');
}

is(words(ocsp_post('/several', $der)), 'good hit', 'ours is good');
is(words(ocsp_post('/ocsp', $der)), 'good hit', 'everywhere');

# the largest answers that there are

ocsp_ready('/big', 'big') or die 'not ready';
ocsp_defaults(ca => work_file('big.pem'),
              cert => new_certificate('big', '/enroll/big'));

for my $hash (qw( sha1 sha512 )) {
    for my $params (qw( null absent )) {
        my $r = warm({ hash => $hash, params => $params }, '/big');
        is(words($r), 'good hit', "by RSA, $hash, $params: kept");
        is($r->{algorithm}{name}, 'sha256_rsa', 'signed so');
        is($r->{verified}, 1, 'rightly');
    }
}



=== TEST 9: gaps of the log: what was kept before is not answered any more
--- config eval
$::locations
--- perl
my @certs = setup(4);
my @ders = ocsp_make(map { { cert => $_ } } @certs);

# something happens that the log does not tell

my %gap = (
    'trimmed' => [ 2, "redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)"
                      . " redis.call('XADD', KEYS[2], '*', 'n', n,"
                      . " 't', 'other')" ],
    'deleted' => [ 1, "redis.call('DEL', KEYS[2])" ],
    'counted on' => [ 1, '' ]);

for my $kind (sort keys %gap) {
    my ($by, $script) = @{ $gap{$kind} };
    my $cert = pop @certs;
    my $der = pop @ders;
    my @kept = map { warm($_) } $der, $ders[0];

    redis_cmd('EVAL', <<"END", 4,
local n = redis.call('HINCRBY', KEYS[1], 'seq', $by)
redis.call('HSET', KEYS[3], 'status', 'revoked', 'revoked_at', ARGV[2],
           'reason', 1, 'version', n)
redis.call('HSET', KEYS[4], ARGV[1], ARGV[2] .. ' 1')
$script
END
              map({ "pki:{demo}:$_" } 'ca', 'log', 'cert:' . serial_of($cert),
                  'revoked:0'),
              serial_of($cert), int time);

    # until it has been noticed, and a moment longer

    my $start = time;
    my ($seen, %last);

    while (time < ($seen ? $seen + 0.7 : $start + 5)) {
        for ($der, $ders[0]) {
            my (undef, $h, $body) = PKI::OCSP::post('/ocsp', $_);
            my $told = ocsp_told($body, $_);
            push @{ $last{$_} }, [ time, $told, $body ];
            $seen ||= time if $told eq 'revoked';
        }

        sleep 0.02;
    }

    my ($good) = reverse map { $_->[0] - $start } grep { $_->[1] eq 'good' }
                 @{ $last{$der} };
    my ($revoked) = map { $_->[0] - $start } grep { $_->[1] eq 'revoked' }
                    @{ $last{$der} };

    ok($revoked, "log $kind: revoked, behind the back") or next;
    cmp_ok($good // 0, '<', $revoked, 'and never good again');
    cmp_ok($revoked, '<', 2.5, 'noticed soon');
    ok($last{ $ders[0] }[-1][2] ne $kept[1]{body},
       'another one has been asked for');
    is(scalar(grep { $_->[1] ne 'good' } @{ $last{ $ders[0] } }), 0,
       'and is good all the time');
}
--- error_log
gap in the change log



=== TEST 10: R6: Redis away: answers are used until their end, not longer
--- config eval
$::locations . <<'END'
location /short   { ocsp_responder demo; ocsp_validity good=4s revoked=4s; }
location /strict  { ocsp_responder demo; ocsp_on_error try_later; }
END
--- perl
my ($cert, $revoked) = setup(2);
revoke($revoked, 'superseded');
my ($der, $bad) = ocsp_make({}, { cert => $revoked });
my $long = warm($der);
warm($_, '/strict') for $der, $bad;
PKI::OCSP::post('/short', $_) for ($der, $bad) x 3;

redis_stop();

my (%wrong, @later);

for my $request ($der, $bad) {
    my $expected = $request eq $der ? 'good' : 'revoked';

    push @later, wait_until(sub {
        my $now = int time;
        my $r = ocsp_post('/short', $request);

        if ($r->{error} ne 'successful') {
            $wrong{ $r->{error} }++ if $r->{error} ne 'try_later';
            return $r;
        }

        $wrong{"not $expected"}++ if $r->{status} ne $expected;
        $wrong{'past its end'}++ if $r->{next_update}{at} <= $now;
        $wrong{future}++ if $r->{this_update}{at} > $now + 1;
        return;
    }, 10);
}

is_deeply(\%wrong, {}, 'nothing beyond nextUpdate');
is(scalar(grep { $_ } @later), 2, 'then "try later"') or die;
is($_->{headers}{'cache-control'}, 'no-store, max-age=0', 'not to be kept')
    for @later;
my %later = map { words(ocsp_post('/short', $der)) => 1 } 1 .. 10;
is(join(' ', keys %later), 'try_later', 'from every worker');

my $r = ocsp_post('/ocsp', $der);
is(words($r), 'good hit', 'what lives longer is answered');
ok($r->{body} eq $long->{body}, 'as it was');
is(words(ocsp_post('/strict', $der)), 'good hit', 'a moment is not too long');

# "try later" after a minute, though the answer holds for ten

clock_step(65);
%later = map { words(ocsp_post('/strict', $_)) => 1 } ($der, $bad) x 6;
is(join(' ', keys %later), 'try_later', 'ocsp_on_error try_later');
is(ocsp_post('/ocsp', $der)->{status}, 'good', 'stale: good');

# what is left of an answer's life gets less for caches, too

clock_step(400);
$r = ocsp_get('/ocsp', $der);
my ($age) = $r->{headers}{'cache-control'} =~ /max-age=(\d+)/;
is($r->{status}, 'good', 'still good after 400 s');
ok($age <= 110, "max-age is $age");

clock_step(620);
%later = map { words(ocsp_post('/ocsp', $der)) => 1 } 1 .. 10;
is(join(' ', keys %later), 'try_later', 'not after 620');

clock_step(0);
redis_start();
ok(wait_until(sub { words(ocsp_post('/short', $der)) =~ /^good/ }),
   'good when Redis is back');
ok(wait_until(sub { words(ocsp_post('/strict', $der)) =~ /^good/ }),
   'everywhere');
is(ocsp_post('/short', $bad)->{status}, 'revoked', 'or revoked');
--- error_log
redis



=== TEST 11: R5: the responder is renewed: answers come with their signer's
--- timeout: 30
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; ocsp_signer auto validity=6s; }
END
--- perl
my @certs = setup(3);
revoke($certs[1], 'superseded');
revoke($certs[2], 'certificateHold');
my @ders = ocsp_make(map { { cert => $_ } } @certs);
my @expected = qw( good revoked revoked );
my $end = time + 8;
my @answers;

while (time < $end) {
    for (0 .. 2) {
        push @answers, [ $_, PKI::OCSP::post('/ocsp', $ders[$_]), time ];
    }

    sleep 0.05;
}

my @parsed = ocsp_parse(map { [ @$_[1 .. 3] ] } @answers);
my (%signer, %bad, $hits);

for (0 .. $#parsed) {
    my $r = $parsed[$_];
    my ($n, $at) = @{ $answers[$_] }[0, 4];

    if ($r->{error} ne 'successful') {
        $bad{$r->{error}}++;
        next;
    }

    my $s = $r->{signer};
    $signer{$s->{serial}}++;
    $hits++ if $r->{headers}{'x-cache'} eq 'hit';
    $bad{status}++ if $r->{status} ne $expected[$n];
    $bad{signature}++ unless $r->{verified} && $s->{verified};
    $bad{'not its key'}++ if $r->{responder_key} ne $s->{key_hash};
    $bad{'produced after its end'}++
        if $r->{produced_at}{at} >= $s->{not_after};
    $bad{'promises more'}++ if $r->{next_update}{at} > $s->{not_after};
    $bad{'past its end'}++ if $r->{next_update}{at} <= int($at) - 1;
    $bad{'an expired signer'}++ if $s->{not_after} <= int($at) - 1;
}

is_deeply(\%bad, {}, 'none fails, each fits its certificate');
ok($hits > @parsed / 2, "$hits of " . @parsed . ' were kept');
ok(keys %signer >= 3, scalar(keys %signer) . ' responders');



=== TEST 12: a reload keeps answers, unless it changes them
--- config eval
$::common . 'location /ocsp { ocsp_responder demo; ocsp_validity good=10m; }'
--- perl
my ($cert, $revoked) = setup(2);
revoke($revoked, 'superseded');
my @ders = ocsp_make({}, { cert => $revoked });
my @kept = map { warm($_) } @ders;

for (1 .. 2) {
    ok(nginx_reload(15), 'reloaded');

    for (0, 1) {
        my $r = ocsp_post('/ocsp', $ders[$_]);
        is($r->{headers}{'x-cache'}, 'hit', 'still there');
        ok($r->{body} eq $kept[$_]{body}, 'the same octets');
    }
}

my $conf = slurp($Test::Nginx::Util::ConfFile);
$conf =~ s/good=10m/good=30m/;
open my $out, '>', $Test::Nginx::Util::ConfFile or die $!;
print $out $conf;
close $out;

ok(nginx_reload(15), 'reloaded with another ocsp_validity');
my %life = map { $_->{next_update}{at} - $_->{this_update}{at} => 1 }
           map { ocsp_post('/ocsp', $ders[0]) } 1 .. 8;
is(join(' ', keys %life), 1800, 'which is at once so');
is(ocsp_post('/ocsp', $ders[1])->{status}, 'revoked', 'revoked still');



=== TEST 13: workers are killed while they answer
--- config eval
$::locations
--- perl
my @certs = setup(8);
my @ders = ocsp_make(map { { cert => $_ } } @certs);
my $port = Test::Nginx::Util::server_port_for_client();
my $watch = ocsp_watch($port, '/ocsp', @ders);
my @spans;

for my $n (0 .. 5) {
    sleep 0.3;

    my ($pid) = (worker_pids())[$n % 2];
    kill 'KILL', $pid;
    ok(wait_until(sub { my @now = worker_pids();
                        @now == 2 && !grep { $_ == $pid } @now }),
       'a new worker');

    # the connection of the call itself may be to the one that is killed

    ok(wait_until(sub { revoke($certs[$n]) =~ /^(?:200|409)$/ }, 10),
       'a revocation');
    push @spans, [ $n, time, $FOREVER, 'revoked' ];
}

sleep 0.3;

my @seen = stop_watching($watch);
is_deeply([ contradictions(\@seen, @spans) ], [], 'none is good after that');
is(scalar(grep { $_->[0] > 5 && $_->[3] !~ /^(?:good|gone)$/ } @seen), 0,
   'nor are others anything else');
ok((grep { $_->[3] eq 'gone' } @seen), 'some had no answer');
ok(@seen > 1000, @seen . ' had one');

is(warm($_)->{status}, 'good', 'kept as before') for @ders[6, 7];
is(warm($_)->{status}, 'revoked', 'kept as before') for @ders[0, 5];
unlike(error_log(), qr/\[alert\](?!.* exited on signal 9)/, 'no other alert');
--- error_log
[alert]
exited on signal 9



=== TEST 14: a zone that is too small for all: every answer is right
--- timeout: 60
--- http_config
pki_zone zone=pki:1m;
--- config eval
$::locations
--- perl
my ($cert) = setup();
my $port = Test::Nginx::Util::server_port_for_client();
my @serials = load_records(12000, $cert);
my @ders = ocsp_make(map { { serial => $_ } } @serials);
my @expected = ('good') x @ders;

# how full it is: [of it, at most], given up

sub usage {
    my ($status, $max, $up, $answers, $most) = (http_get('/probe'))[2]
        =~ /^zone: ok, (\d+) of (\d+) statuses, (\d+) given up, (\d+) of (\d+) answers$/m;
    return { statuses => [ $status, $max ], answers => [ $answers, $most ],
             given_up => $up };
}

# the gap that the script leaves is noticed

ok(wait_until(sub { error_log() =~ /gap in the change log/ }), 'loaded');

sub all_right {
    my ($name) = @_;

    my @answers = load(port => $port, connections => 16, timeout => 30,
                       requests => [ map { [ '/ocsp', $_ ] } @ders ]);
    my %wrong;

    for (0 .. $#ders) {
        my $told = ocsp_told($answers[$_]{body}, $ders[$_]);
        $wrong{"$told, not $expected[$_]"}++ if $told ne $expected[$_];
    }

    is_deeply(\%wrong, {}, $name);
    return load_tally(map { { status => $_->{headers}{'x-cache'} // '' } }
                      @answers);
}

all_right('all are good');

for my $n (map { 10 * $_ } 0 .. 59) {
    my ($status) = api('POST', "/m/api/certificates/$serials[$n]/revoke",
                       { reason => $n % 20 ? 'keyCompromise'
                                           : 'certificateHold' });
    is($status, 200, 'revoked') if $status != 200;
    $expected[$n] = 'revoked';
}

all_right('60 are revoked');

my $usage = usage();
cmp_ok($usage->{$_}[1], '<', @ders, "$_: there is room for $usage->{$_}[1]")
    for qw( statuses answers );
cmp_ok($usage->{$_}[0], '<=', $usage->{$_}[1], "$_: no more than that")
    for qw( statuses answers );
ok($usage->{given_up}, "$usage->{given_up} were given up");

for my $n (map { 20 * $_ } 0 .. 9) {
    my ($status) = api('POST', "/m/api/certificates/$serials[$n]/release", {});
    is($status, 200, 'released') if $status != 200;
    $expected[$n] = 'good';
}

all_right('10 are released');

# what is asked for all the time is kept although others come

@ders = (@ders[0 .. 9]) x 100;
@expected = (@expected[0 .. 9]) x 100;
all_right('ten of them');
my $tally = all_right('ten of them, many times');
ok(($tally->{hit} // 0) == @ders, "these are kept: "
   . join ', ', map { "$tally->{$_} $_" } sort keys %$tally);
--- error_log
gap in the change log



=== TEST 15: R5: the clock is set: no kept answer of another time, no dead signer
--- config eval
$::locations
--- perl
my ($cert, $revoked) = setup(2);
revoke($revoked, 'superseded');
my @ders = ocsp_make({}, { cert => $revoked });
my $at = 0;

# what both workers answer must be sound by the clock as it is now

sub sound {
    my ($name, $strict) = @_;

    my $answers = 0;
    my %bad;

    for my $n ((0, 1) x 8) {
        my $r = ocsp_post('/ocsp', $ders[$n]);
        my $now = time + $at;
        my $s = $r->{signer};

        if ($r->{error} ne 'successful') {
            $bad{ $r->{error} }++ if $strict || $r->{error} ne 'try_later';
            next;
        }

        $answers++;
        $bad{status}++ if $r->{status} ne ('good', 'revoked')[$n];
        $bad{'this update'}++ if $r->{this_update}{at} > $now;
        $bad{'produced at'}++ if $r->{produced_at}{at} > $now + 5;
        $bad{'next update'}++ if $r->{next_update}{at} <= $now - 1;
        $bad{signer}++ if $s->{not_after} <= $now - 1
                          || $s->{not_before} > $now
                          || $r->{produced_at}{at} >= $s->{not_after};
    }

    is_deeply(\%bad, {}, $name);
    return $answers;
}

sound('as it is', 1);
warm($_) for @ders;

for my $step (3000, 0, -300, 0, 3, 0) {
    clock_step($at = $step);
    sound("$step s: at once", $step <= 0 || $step == 3);
    ok(wait_until(sub { words(ocsp_post('/ocsp', $ders[0])) =~ /^good/ }, 5),
       'good again, if it was not');
    sound('and from then on', 1);
    warm($_) for @ders;
}

# the responder's certificate lives for a day, and begins an hour ago

for my $step (25 * 3600, 0) {
    clock_step($at = $step);
    sound("$step s: at once");
    ok(wait_until(sub { sound('soon') > 12 }, 10), 'with another responder');
    sound('and from then on', 1);
    warm($_) for @ders;
}



=== TEST 16: an answer that a slow key renews is given until that is done
--- http_config
pki_authority slow {
    subject     "CN=slow,O=Test";
    key         keyvault:https://$TEST_NGINX_AZURE_VAULT/keys/slow;
    certificate $TEST_NGINX_WORK/slow.pem;
    create      ec:P-256 validity=3650d;
    base_url    http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
}
--- config eval
$::common . <<'END'
location = /enroll/slow { enroll slow; enroll_auth none insecure; }
location /ocsp          { ocsp_responder demo; }
location /slow          { ocsp_responder slow; ocsp_signer authority; }
END
--- perl
setup();
ocsp_ready('/slow', 'slow') or die 'not ready';
my $cert = new_certificate('slow', '/enroll/slow') or die 'no certificate';
ocsp_defaults(ca => work_file('slow.pem'), cert => $cert);
my ($der) = ocsp_make({});
my $first = warm($der, '/slow');
is($first->{certs}, 1, 'R10: signed by the authority');

azure_latency(sign => 800);
clock_step(310);

my ($stale, $took, $r) = (0, 0);

ok(wait_until(sub {
    my $start = time;
    $r = ocsp_post('/slow', $der);
    my $seconds = time - $start;
    $took = $seconds if $seconds > $took;
    $stale++ if $r->{headers}{'x-cache'} eq 'stale';
    $r->{body} ne $first->{body};
}, 10), 'there is a new one');

ok($stale > 0, "$stale times the one before");
ok($took < 0.5, sprintf 'nobody waited for the key: %.3f s', $took);
is($r->{headers}{'x-cache'}, 'hit', 'kept like any other');
cmp_ok($r->{produced_at}{at}, '>', $first->{produced_at}{at}, 'newer');

azure_latency();
clock_step(0);
