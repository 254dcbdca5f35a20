# Delta CRLs and what leads to them: rows C4 to C8, C10, C11 and C20 of what
# CRLs have to be; and that a client with any complete CRL and a delta knows
# what one with the newest complete CRL does.
#
# Elsewhere: full CRLs (34), shards (90), directives (93).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::CRL;
use PKI::OCSP;
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
http_config(map({ authority($_, key => 'ec:P-256') }
                qw( demo random shards early short still off switch hold
                    roll openssl )),
            authority('plus', key => 'ec:P-256', more => 'crl_url '
                . 'http://127.0.0.1:$TEST_NGINX_SERVER_PORT/a+b/plus+.crl;'),
            'pki_profile brief { validity 4s; }');

# Full CRLs and deltas of an authority that this block alone has.

sub setup {
    my ($name) = @_;

    ready() or die 'not ready';
    ocsp_defaults(ca => work_file("$name.pem"));
    crl_wait($_) or die "no CRL at $_" for full($name), delta($name);
}

sub full  { return "/crl/$_[0].crl" }
sub delta { return "/crl/$_[0]-delta.crl" }

sub has {
    my (@certs) = @_;

    return sub {
        my ($crl) = @_;
        return !grep { !crl_entry($crl, $_) } @certs;
    };
}

my $names = 0;

sub certs {
    my ($name, $count) = @_;

    return map { new_certificate('delta' . ++$names, "/$name/enroll")
                 or die 'no certificate' } 1 .. $count;
}

# Those of one URI by their numbers.

sub by_number {
    my ($seen, $uri) = @_;

    my %crl = map { $_->{number} => $_ }
              grep { $_->{uri} eq $uri && $_->{status} == 200 } @$seen;

    return map { $crl{$_} } sort { $a <=> $b } keys %crl;
}

# What is wrong with deltas, each together with all complete CRLs; in words.

sub delta_faults {
    my ($complete, $deltas) = @_;

    my %complete = map { $_->{number} => $_ } @$complete;
    my (%fault, $pairs);

    for my $delta (@$deltas) {
        my $same = $complete{ $delta->{number} };
        my $truth = $same && { crl_reasons($same) };

        $fault{'C5: one number, two times'}++
            if $same && $same->{this_update}{at} != $delta->{this_update}{at};

        for my $crl (@$complete) {
            my $with = $crl->{number} <= $delta->{number};

            $fault{'C5: two numbers, one time'}++
                if !$same && $crl->{number} < $delta->{number}
                   && $crl->{this_update}{at} == $delta->{this_update}{at};
            $fault{'C6: of no use for a CRL that still holds'}++
                if $with && $crl->{number} < $delta->{base}
                   && $crl->{next_update}{at} > $delta->{this_update}{at};

            next if !$with || $crl->{number} < $delta->{base};

            my $told = crl_apply($crl, $delta);
            $truth ||= $told;
            $pairs++;
            $fault{'C6: not what is so'}++ if !same_hash($told, $truth);
        }
    }

    return ([ map { "$_, $fault{$_} times" } sort keys %fault ], $pairs);
}

sub same_hash {
    my ($one, $two) = @_;

    return join(' ', map { "$_=$one->{$_}" } sort keys %$one)
           eq join(' ', map { "$_=$two->{$_}" } sort keys %$two);
}

run_tests();

__DATA__

=== TEST 1: C4 C5 C6 C10 C22: full and delta, in detail
--- config eval
::crl_locations('demo', 'crl_delta 20s; crl_refresh 300ms;', delta => 1)
--- perl
setup('demo');
my ($cert) = certs('demo', 1);
my $first = crl_fetch(full('demo'));
revoke($cert, 'keyCompromise', '/demo/m');
my $full = crl_wait(full('demo'), has($cert));
my $delta = crl_wait(delta('demo'), has($cert));
my $ca = certificate(work_file('demo.pem'));

is($delta->{number}, $full->{number}, 'C5: one number');
is($delta->{this_update}{at}, $full->{this_update}{at}, 'C5: one time');
is($delta->{next_update}{at} - $delta->{this_update}{at}, 40,
   'until the next but one');

my %ext = map { $_->{oid} => 0 + $_->{critical} } @{ $delta->{extensions} };
is_deeply(\%ext, { '2.5.29.20' => 0, '2.5.29.27' => 1, '2.5.29.35' => 0 },
   'C6 C10: AKI, number, a critical deltaCRLIndicator, the scope of the full '
   . 'one, no freshestCRL');
ok($delta->{base} <= $first->{number}, 'C6: of use for the one before');
is(scalar(grep { $_ == $delta->{base} } crl_published('demo', '0')), 1,
   'C6: its base was published as a complete one');

%ext = map { $_->{oid} => 0 + $_->{critical} } @{ $full->{extensions} };
is_deeply(\%ext, { '2.5.29.20' => 0, '2.5.29.35' => 0, '2.5.29.46' => 0 },
          'C10: freshestCRL, not critical');
my $points = $full->{freshest}{points};
is(scalar @$points, 1, 'one place');
is(join(' ', keys %{ $points->[0]{fields} }), 'a0',
   'C10: no reasons, no cRLIssuer');
is($points->[0]{urls}[0], "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}"
   . delta('demo'), 'where the delta is');

for my $crl ($full, $delta) {
    is($crl->{version}, 'v2', 'v2');
    is($crl->{algorithms_equal}, 1, 'both algorithms');
    is($crl->{issuer_is_ca}, 1, 'C22: the issuer\'s name');
    is($crl->{verified}, 1, 'C22: signed by the issuer itself');
    is($crl->{aki}, $ca->{ski}, 'C4: the key identifier');
    is($_->{tag}, 23, 'UTCTime') for @$crl{qw( this_update next_update )};
}

my $h = $delta->{headers};
is($h->{'content-type'}, 'application/pkix-crl', 'its type');
my ($age) = $h->{'cache-control'} =~ /max-age=(\d+)/;
ok($age <= 20, 'to be kept until the next one is published') or diag($age);



=== TEST 2: C11 C7: reasons in a delta: those of the full one
--- config eval
::crl_locations('demo', 'crl_delta 20s; crl_refresh 300ms;', delta => 1)
--- perl
setup('demo');
my %code = (unspecified => undef, keyCompromise => 1, superseded => 4,
            certificateHold => 6, privilegeWithdrawn => 9);
my %cert = map { $_ => (certs('demo', 1))[0] } sort keys %code;
revoke($cert{$_}, $_, '/demo/m') for sort keys %cert;

my $delta = crl_wait(delta('demo'), has(values %cert)) or die 'no delta';
my $full = crl_wait(full('demo'), has(values %cert));

for my $reason (sort keys %code) {
    my $entry = crl_entry($delta, $cert{$reason});
    is($entry->{reason}, $code{$reason}, "$reason: its reason, or none");
    is(scalar @{ $entry->{extensions} }, defined $code{$reason} ? 1 : 0,
       'nothing else');
    is($_->{critical}, 0, 'not critical') for @{ $entry->{extensions} };
    is($entry->{at}{text}, crl_entry($full, $cert{$reason})->{at}{text},
       'the time of the full one');
}



=== TEST 3: C7: hold and release: removeFromCRL, in the delta only
--- config eval
::crl_locations('hold', 'crl_delta 20s; crl_refresh 200ms;', delta => 1)
--- perl
setup('hold');
my $base = crl_fetch(full('hold'));
my ($cert, $other) = certs('hold', 2);

revoke($cert, 'certificateHold', '/hold/m');
my $held = crl_wait(full('hold'), has($cert));
is(crl_reason(crl_wait(delta('hold'), has($cert)), $cert), 6, 'held');

release($cert, '/hold/m');
my $delta = crl_wait(delta('hold'),
                     sub { (crl_reason($_[0], $cert) // 0) == 8 });
ok($delta, 'removeFromCRL in the delta') or return;
is($delta->{base}, $base->{number}, 'since the same base');
my $full = crl_wait(full('hold'), sub { !crl_entry($_[0], $cert) });
ok($full, 'gone from the full one');
is($full->{number}, $delta->{number}, 'issued together');
my $entry = crl_entry($delta, $cert);
is(scalar @{ $entry->{extensions} }, 1, 'one extension');
is($entry->{extensions}[0]{critical}, 0, 'not critical');

# after something else, and after a revocation in its place

revoke($other, 'superseded', '/hold/m');
$delta = crl_wait(delta('hold'), has($other));
is(crl_reason($delta, $cert), 8, 'it stays so');

revoke($cert, 'keyCompromise', '/hold/m');
$delta = crl_wait(delta('hold'),
                  sub { (crl_reason($_[0], $cert) // 0) == 1 });
ok($delta, 'until it is revoked');
$full = crl_wait(full('hold'), has($cert));
is(crl_reason($full, $cert), 1, 'so says the full one');



=== TEST 4: C5 C6 C7: any complete CRL and a delta: what the newest one says
--- timeout: 60
--- config eval
::crl_locations('random', 'crl_delta 1s; crl_refresh 100ms;', delta => 1)
--- perl
setup('random');
my @certs = certs('random', 16);
my $watch = crl_watch([ own_port() ], full('random'), delta('random'));
my $seed = time ^ $$;
srand $seed;
diag("srand $seed");

my (%so, %truth);
my @why = qw( superseded keyCompromise unspecified );
my %code = (superseded => 4, keyCompromise => 1, unspecified => 0);

for my $step (1 .. 40) {
    my $cert = $certs[ rand @certs ];
    my $now = $so{$cert} // 'good';
    my $what = $now eq 'good' ? (rand 3 < 2 ? 'hold' : 'revoke')
             : $now eq 'hold' ? (rand 3 < 2 ? 'release' : 'revoke') : 'nothing';
    my $reason = $why[ rand @why ];

    if ($what eq 'hold') {
        revoke($cert, 'certificateHold', '/random/m') == 200 or die 'hold';
        $so{$cert} = 'hold';
        $truth{ serial_octets($cert) } = 6;

    } elsif ($what eq 'release') {
        release($cert, '/random/m') == 200 or die 'release';
        delete $so{$cert};
        delete $truth{ serial_octets($cert) };

    } elsif ($what eq 'revoke') {
        revoke($cert, $reason, '/random/m') == 200 or die 'revoke';
        $so{$cert} = 'revoked';
        $truth{ serial_octets($cert) } = $code{$reason};
    }

    sleep rand 0.4;
}

ok(crl_wait(full('random'),
            sub { same_hash({ crl_reasons($_[0]) }, \%truth) }),
   'the full one is right in the end');
sleep 2.5;

my @seen = crl_seen($watch);
my @full = by_number(\@seen, full('random'));
my @delta = by_number(\@seen, delta('random'));
my ($faults, $pairs) = delta_faults(\@full, \@delta);
is_deeply($faults, [], "$pairs pairs of " . @full . ' and ' . @delta);
ok(same_hash(crl_apply($_, $delta[-1]), \%truth), 'the last one is right')
    for @full;

is_deeply([ crl_faults(\@seen, gone => sub { 1 }) ], [], 'each is right');
ok(!(grep { $_->{reason} && $_->{reason} == 8 }
     map { @{ $_->{entries} } } @full), 'C7: no removeFromCRL in full ones');
ok(!(grep { $_->{reason} && $_->{reason} == 7 }
     map { @{ $_->{entries} } } @full, @delta), 'C11: 7 never');

my %published = map { $_ => 1 } crl_published('random', '0');
is(scalar(grep { !$published{ $_->{base} } } @delta), 0,
   'C6: each base was published as a complete one');

my @numbers = sort { $a <=> $b } keys %published;
my @deltas = crl_published('random', 'delta');
is(join(' ', crl_published('random', '0')), join(' ', @numbers),
   'C5: numbers of the full ones rise');
is(join(' ', @deltas), join(' ', sort { $a <=> $b } @deltas),
   'those of deltas, too');
my %with = map { $_ => 1 } @deltas;
is(scalar(grep { !$with{$_} } @numbers), 0, 'each full one has its delta');



=== TEST 5: C6: the base moves on, but all that still hold can be used
--- timeout: 60
--- config eval
::crl_locations('roll', 'crl_delta 1s; crl_refresh 100ms; '
                        . 'crl_validity 4s overlap=2s;', delta => 1)
--- perl
setup('roll');
my @certs = certs('roll', 8);
my $watch = crl_watch([ own_port() ], full('roll'), delta('roll'));

for my $cert (@certs) {
    revoke($cert, 'certificateHold', '/roll/m');
    sleep 1.2;
    release($cert, '/roll/m') if $cert ne $certs[7];
    sleep 0.7;
}

sleep 3;
my @seen = crl_seen($watch);
my @full = by_number(\@seen, full('roll'));
my @delta = by_number(\@seen, delta('roll'));
my ($faults, $pairs) = delta_faults(\@full, \@delta);
is_deeply($faults, [], "$pairs pairs of " . @full . ' and ' . @delta);

my %bases = map { $_->{base} => 1 } @delta;
ok(keys %bases >= 3, keys(%bases) . ' bases');
my @bases = map { $_->{base} } @delta;
is(join(' ', @bases), join(' ', sort { $a <=> $b } @bases),
   'a base does not go back');
my %published = map { $_ => 1 } crl_published('roll', '0');
is(scalar(grep { !$published{$_} } @bases), 0,
   'each was published as a complete one');
is_deeply([ crl_faults(\@seen, gone => sub { 1 }) ], [], 'each is right');



=== TEST 6: C8: first seen in a delta, expired before the next complete CRL
--- timeout: 60
--- config eval
::crl_locations('early', 'crl_delta 1s; crl_refresh 6s; '
                         . 'crl_validity 12s overlap=4s;', delta => 1)
    . 'location = /brief { enroll early; enroll_auth none insecure;
                           enroll_profile brief; }'
--- perl
setup('early');

# right behind a full one, so that the next one is 6 s away

my ($first) = certs('early', 1);
revoke($first, 'superseded', '/early/m');
crl_wait(full('early'), has($first), 20) or die 'no CRL';
my $watch = crl_watch([ own_port() ], full('early'), delta('early'));

my $cert = new_certificate('brief', '/brief');
my $end = certificate($cert)->{not_after};
my $start = time;
revoke($cert, 'keyCompromise', '/early/m');

my $delta = crl_wait(delta('early'), has($cert));
ok($delta, sprintf 'in a delta after %.1f s', time - $start) or return;
ok(!crl_entry(crl_fetch(full('early')), $cert), 'before it is in a full one');

my $full = crl_wait(full('early'), has($cert), 15);
ok($full, sprintf 'in a full one after %.1f s', time - $start) or return;
ok($full->{this_update}{at} > $end, 'when it had expired') or return;

ok(crl_wait(full('early'), sub { !crl_entry($_[0], $cert) }, 25),
   'C13: then it leaves');
my @seen = crl_seen($watch);
my @delta = by_number(\@seen, delta('early'));
my $serial = serial_octets($cert);
my @with = grep { my %s = crl_reasons($_); exists $s{$serial} } @delta;

ok($with[0]{number} < $full->{number}, 'the delta was first');
is(scalar(grep { $_->{number} > $with[0]{number}
                 && $_->{number} <= $full->{number} } @delta),
   scalar(grep { $_->{number} > $with[0]{number}
                 && $_->{number} <= $full->{number} } @with),
   'C8: and all deltas until then have it');



=== TEST 7: C5: a delta on its timer though nothing changed
--- config eval
::crl_locations('still', 'crl_delta 1s;', delta => 1)
--- perl
setup('still');
my $full = crl_fetch(full('still'));
my $watch = crl_watch([ own_port() ], full('still'), delta('still'));
sleep 6;
my @seen = crl_seen($watch);
my @delta = by_number(\@seen, delta('still'));

is_deeply([ crl_faults(\@seen) ], [], 'each is right');
ok(@delta >= 4, @delta . ' deltas');
is(join(' ', map { $_->{number} } by_number(\@seen, full('still'))),
   $full->{number}, 'the full one stays');
ok(!(grep { $_->{list} } @delta), 'C3: without a list');
my %times = map { $_->{this_update}{at} => 1 } @delta;
is(scalar keys %times, scalar @delta, 'another number, another time');



=== TEST 8: C10: no deltas: no freshestCRL
--- config eval
::crl_locations('off', 'crl_refresh 200ms;')
--- perl
ready();
ocsp_defaults(ca => work_file('off.pem'));
my ($cert) = certs('off', 1);
crl_wait(full('off')) or die 'no CRL';
revoke($cert, 'superseded', '/off/m');
my $crl = crl_wait(full('off'), has($cert));
is(join(' ', sort map { $_->{oid} } @{ $crl->{extensions} }),
   '2.5.29.20 2.5.29.35', 'AKI and number');
is(redis_cmd('EXISTS', 'pki:{off}:crl:delta'), 0, 'none in Redis');
is(join(' ', crl_published('off', 'delta')), '', 'nor was there one');



=== TEST 9: openssl verify -use_deltas sees additions and releases
--- config eval
::crl_locations('openssl', 'crl_delta 20s; crl_refresh 200ms;', delta => 1)
--- perl
setup('openssl');
my $ca = work_file('openssl.pem');
my ($good, $added, $held, $old) = certs('openssl', 4);
revoke($held, 'certificateHold', '/openssl/m');
revoke($old, 'superseded', '/openssl/m');
my $base = crl_wait(full('openssl'), has($held, $old));

revoke($added, 'keyCompromise', '/openssl/m');
release($held, '/openssl/m');
my $delta = crl_wait(delta('openssl'), sub {
    has($added)->($_[0]) && (crl_reason($_[0], $held) // 0) == 8
});
ok($delta, 'a delta with both') or return;

# without it

is(crl_verify($_, $ca, $base), '', 'not known yet') for $good, $added;
like(crl_verify($_, $ca, $base), qr/error 23 /, 'revoked') for $held, $old;

# with it

my @both = ($base, $delta, 'delta');
is(crl_verify($good, $ca, @both), '', 'good');
like(crl_verify($added, $ca, @both), qr/error 23 .*certificate revoked/,
     'an addition');
is(crl_verify($held, $ca, @both), '', 'a release');
like(crl_verify($old, $ca, @both), qr/error 23 /, 'revoked as before');



=== TEST 10: C20: "+" in the delta's path
--- config eval
::crl_locations('demo', 'crl_delta 20s;', delta => 1)
    . 'location = /crl/demo+.crl { crl demo delta; }
       location = /a+b/plus+.crl { crl plus; }
       location = /a+b/plus+-delta.crl { crl plus delta; }'
--- perl
setup('demo');
my $der = crl_fetch(delta('demo'))->{der};

for my $uri ('/crl/demo+.crl', '/crl/demo%2B.crl', '/crl/demo%2b.crl') {
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, "$uri: 200");
    is($body, $der, 'the delta');
}

ocsp_defaults(ca => work_file('plus.pem'));
my $full = crl_wait('/a+b/plus+.crl') or die 'no CRL';
my $url = $full->{freshest}{points}[0]{urls}[0];
is($url, "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}/a+b/plus+-delta.crl",
   'freshestCRL has it as it is');

my ($path) = $url =~ m{//[^/]*(/.*)};
for my $uri ($path, $path =~ s/\+/%2B/gr) {
    my $delta = crl_wait($uri);
    ok($delta, "$uri: there it is") or next;
    is($delta->{base}, $full->{number}, 'a delta');
}



=== TEST 11: shards beside deltas: deltas belong to the full CRL
--- config eval
::crl_locations('shards', 'crl_delta 2s; crl_refresh 200ms; crl_shards 2;',
                delta => 1)
--- perl
setup('shards');
my @certs = map { @$_ } crl_spread('shards', 2, 2);
my @shards = map { crl_uri($certs[$_]) } 0, 2;
my $base = crl_fetch(full('shards'));
revoke($_, 'superseded', '/shards/m') for @certs[0, 2];

my $delta = crl_wait(delta('shards'), has(@certs[0, 2]));
ok($delta, 'of both shards in the delta') or return;
is($delta->{idp}, undef, 'the scope is that of the full one: no IDP');
ok(crl_wait(full('shards'), has(@certs[0, 2])), 'in the full one');

for (0, 1) {
    my $crl = crl_wait($shards[$_], has($certs[ 2 * $_ ]));
    ok($crl, 'in its shard') or next;
    is($crl->{freshest}, undef, 'no freshestCRL');
    is($crl->{base}, undef, 'no delta');
}

# one on the delta's timer is none of a shard

my @before = map { crl_fetch($_)->{number} } @shards;
sleep 5;
is(join(' ', map { crl_fetch($_)->{number} } @shards), "@before",
   'shards are not built for a delta');



=== TEST 12: deltas are switched on, and off again
--- config eval
::crl_locations('switch', 'crl_refresh 200ms;')
--- perl
ready();
ocsp_defaults(ca => work_file('switch.pem'));
my @certs = certs('switch', 3);
my $full = crl_wait(full('switch')) or die 'no CRL';
is($full->{freshest}, undef, 'no freshestCRL');

ok(crl_reconfigure(sub {
    s/(crl_refresh 200ms;)/$1 crl_delta 2s;
      location = \/crl\/switch-delta.crl { crl switch delta; }/ or die
}), 'on');
revoke($certs[0], 'superseded', '/switch/m');
$full = crl_wait(full('switch'),
                 sub { $_[0]{freshest} && crl_entry($_[0], $certs[0]) });
ok($full, 'freshestCRL');
my $delta = crl_wait(delta('switch'), has($certs[0]));
ok($delta, 'and a delta') or return;
ok($delta->{base} <= $full->{number}, 'that fits');

ok(crl_reconfigure(sub { s/ crl_delta 2s;\n.*// or die }), 'off');
revoke($certs[1], 'superseded', '/switch/m');
$full = crl_wait(full('switch'), has($certs[1]));
is($full->{freshest}, undef, 'no freshestCRL');
is((http_get(delta('switch')))[0], 404, 'no delta');

ok(crl_reconfigure(sub {
    s/(crl_refresh 200ms;)/$1 crl_delta 2s;
      location = \/crl\/switch-delta.crl { crl switch delta; }/ or die
}), 'on again');
revoke($certs[2], 'superseded', '/switch/m');
$full = crl_wait(full('switch'), has(@certs));
$delta = crl_wait(delta('switch'), has($certs[2]));
ok($delta && $delta->{number} >= $full->{number}, 'a new delta');
