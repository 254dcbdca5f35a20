# CRLs of shards, and the full one beside them: what is in them (rows C), which
# certificate belongs where, for its life; what is built when, and what not.
#
# Elsewhere: what full CRLs and shards have in common (34), deltas (91), HTTP
# (92), directives (93), several nodes and their failures (94).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::CRL;
use PKI::OCSP;

redis_start(appendonly => 1);
work_file('challenge', "secret\n");
http_config(map({ authority($_, key => 'ec:P-256') }
                qw( demo other empty life timer many late edge )),
            authority('scep', key => 'rsa:2048'),
            'pki_profile bare { distribution_point off; }');

our $four = crl_locations('demo', 'crl_shards 4;');

# The first CRLs are there.

sub setup {
    my ($name, $shards) = @_;

    ready() or die 'not ready';
    ocsp_defaults(ca => work_file("$name.pem"));

    for ("/crl/$name.crl", map { shard_uri($name, $_) } 0 .. $shards - 1) {
        crl_wait($_) or die "no CRL at $_";
    }
}

sub shard_uri { return sprintf '/crl/%s-%02x.crl', @_ }

sub numbers {
    my ($name, $shards) = @_;

    return map { crl_fetch(shard_uri($name, $_))->{number} } 0 .. $shards - 1;
}

sub has {
    my (@certs) = @_;

    return sub {
        my ($crl) = @_;
        return !grep { !crl_entry($crl, $_) } @certs;
    };
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: C1 C2 C4 C9 C10: the CRL of a shard, in detail
--- config eval
$::four
--- perl
setup('demo', 4);
my @certs = crl_spread('demo', 4);
my $ca = certificate(work_file('demo.pem'));

for my $n (0 .. 3) {
    my $cert = certificate($certs[$n]);
    is($cert->{crl}[0], "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}"
       . shard_uri('demo', $n), "$n: the URL of its shard");
    is(scalar @{ $cert->{points} }, 1, 'one distribution point');
    is(join(' ', keys %{ $cert->{points}[0]{fields} }), 'a0',
       'with a name, and nothing else');

    my $crl = crl_fetch(crl_uri($certs[$n]));
    my %ext = map { $_->{oid} => 0 + $_->{critical} } @{ $crl->{extensions} };

    is_deeply(\%ext, { '2.5.29.20' => 0, '2.5.29.35' => 0, '2.5.29.28' => 1 },
              'C9 C10: AKI, CRLNumber, a critical IDP, no freshestCRL');
    is($crl->{idp}{fields}{a0}, $cert->{points}[0]{fields}{a0},
       'C9: the same octets as in the certificate');
    is($crl->{idp}{fields}{81}, '8101ff', 'C9: onlyContainsUserCerts');
    is(join(' ', sort keys %{ $crl->{idp}{fields} }), '81 a0',
       'C9: nothing else in it, so it is not empty');

    is($crl->{version}, 'v2', 'C1: v2');
    is($crl->{algorithms_equal}, 1, 'C1: both algorithms');
    is($crl->{issuer_is_ca}, 1, 'C1: the issuer\'s name');
    is($crl->{verified}, 1, 'C22: signed by the issuer itself');
    is($_->{tag}, 23, 'C2: UTCTime') for @$crl{qw( this_update next_update )};
    is($crl->{next_update}{at} - $crl->{this_update}{at}, 86400, 'C2: a day');
    is($crl->{aki}, $ca->{ski}, 'C4: the key identifier');
    ok($crl->{number} > 0 && $crl->{number} < 2 ** 63, 'C4: a number');
}

my $full = crl_fetch('/crl/demo.crl');
is(join(' ', sort map { $_->{oid} } @{ $full->{extensions} }),
   '2.5.29.20 2.5.29.35', 'the full one has no IDP');



=== TEST 2: C3: a shard of which nothing is revoked
--- config eval
::crl_locations('empty', 'crl_shards 3;')
--- perl
setup('empty', 3);
my $cert = (crl_spread('empty', 3))[1];
revoke($cert, 'superseded', '/empty/m');
ok(crl_wait(crl_uri($cert), has($cert)), 'one of another shard is revoked');

for my $n (0, 2) {
    my $crl = crl_fetch(shard_uri('empty', $n));
    is($crl->{list}, 0, "$n: no list at all");
    is($crl->{verified}, 1, 'signed');

    my (undef, undef, $err) = command('openssl', 'crl', '-inform', 'DER',
        '-noout', '-CAfile', work_file('empty.pem'), { in => $crl->{der} });
    like($err, qr/verify OK/, 'openssl agrees');
}



=== TEST 3: C4 C16: within two seconds in its shard, and only in that
--- config eval
$::four
--- perl
setup('demo', 4);
crl_grace();
my @certs = map { (crl_spread('demo', 4))[2] } 1 .. 2;
my @before = numbers('demo', 4);
my $last = $before[2];
my $published = crl_published('demo');

for my $cert (@certs) {
    my $start = Time::HiRes::time();
    is(revoke($cert, 'keyCompromise', '/demo/m'), 200, 'revoked');
    my $crl = crl_wait(crl_uri($cert), has($cert)) or die 'not in its shard';
    my $took = Time::HiRes::time() - $start;

    ok($took < 2.2, sprintf 'after %.2f s', $took);
    ok($crl->{number} > $last, 'C4: a higher number');
    is(crl_entry($crl, $cert)->{reason}, 1, 'its reason');
    $last = $crl->{number};
    ok(crl_wait('/crl/demo.crl', has($cert)), 'in the full one, too');
}

sleep 2;
my @after = numbers('demo', 4);
is("@after[0, 1, 3]", "@before[0, 1, 3]", 'the others are as they were');

my @names = crl_published('demo');
my %built = map { $_ => 1 } @names[$published .. $#names];
is(join(' ', sort keys %built), '0 shard-02', 'nothing else was built');

for my $cert (@certs) {
    ok(!crl_entry(crl_fetch(shard_uri('demo', $_)), $cert), "not in shard $_")
        for 0, 1, 3;
}



=== TEST 4: C15 C21: the full CRL has everything, each shard what is its own
--- config eval
$::four . 'location = /bare { enroll demo; enroll_auth none insecure;
                              enroll_profile bare; }'
--- perl
setup('demo', 4);
my @certs = crl_spread('demo', 4);
my $bare = new_certificate('bare', '/bare');

is(crl_shard($bare), undef, 'one without a CDP has a serial without a shard');
is(length serial_octets($bare), 34, 'of 17 octets');
is(crl_uri($bare), undef, 'and no CDP');

revoke($_, 'affiliationChanged', '/demo/m') for @certs, $bare;
ok(crl_wait('/crl/demo.crl', has(@certs, $bare)), 'all in the full one');

for my $n (0 .. 3) {
    my $crl = crl_wait(crl_uri($certs[$n]), has($certs[$n]));
    ok($crl, "$n: in its shard") or next;
    ok(!crl_entry($crl, $_), 'and no other')
        for grep { $_ ne $certs[$n] } @certs, $bare;
    ok(!(grep { hex(substr $_->{serial}, -4) != $n } @{ $crl->{entries} }),
       'all of this shard');
    my %times;
    $times{ $_->{serial} }++ for @{ $crl->{entries} };
    ok(!(grep { $_ > 1 } values %times), 'each once');
}



=== TEST 5: C9: openssl verify, also with the CRL of a wrong shard
--- config eval
$::four . 'location = /bare { enroll demo; enroll_auth none insecure;
                              enroll_profile bare; }'
--- perl
setup('demo', 4);
my ($ca, @certs) = (work_file('demo.pem'), crl_spread('demo', 4, 2));
my ($good, $bad) = @{ $certs[1] };
my $bare = new_certificate('bare, too', '/bare');

revoke($bad, 'keyCompromise', '/demo/m');
my $crl = crl_wait(crl_uri($bad), has($bad));
my $wrong = crl_fetch(crl_uri($certs[0][0]));
my $full = crl_wait('/crl/demo.crl', has($bad));

is(crl_verify($good, $ca, $crl), '', 'good');
like(crl_verify($bad, $ca, $crl), qr/error 23 .*certificate revoked/,
     'revoked');
like(crl_verify($_, $ca, $wrong), qr/error 44 /, 'another shard: error 44')
    for $good, $bad;
like(crl_verify($bare, $ca, $crl), qr/error 44 /,
     'C21: of one without a CDP, too');
is(crl_verify($_, $ca, $full), '', 'the full one: good') for $good, $bare;
like(crl_verify($bad, $ca, $full), qr/error 23 /, 'the full one: revoked');



=== TEST 6: C7: hold and release in a shard
--- config eval
$::four
--- perl
setup('demo', 4);
my ($cert) = crl_spread('demo', 4);
my @before = numbers('demo', 4);
my $uri = crl_uri($cert);

revoke($cert, 'certificateHold', '/demo/m');
my $held = crl_wait($uri, has($cert));
is(crl_entry($held, $cert)->{reason}, 6, 'held');

is(release($cert, '/demo/m'), 200, 'released');
my $crl = crl_wait($uri, sub { !crl_entry($_[0], $cert) });
ok($crl->{number} > $held->{number}, 'gone, with a higher number');
ok(!(grep { ($_->{reason} // 0) == 8 } @{ $crl->{entries} }),
   'removeFromCRL is none of a complete CRL');

revoke($cert, 'certificateHold', '/demo/m');
revoke($cert, 'keyCompromise', '/demo/m');
ok(crl_wait($uri, sub { (crl_reason($_[0], $cert) // 0) == 1 }),
   'a revocation in place of a hold');
is(join(' ', (numbers('demo', 4))[1 .. 3]), "@before[1 .. 3]",
   'the others are as they were');



=== TEST 7: C21: crl_shards goes up and down, certificates stay where they are
--- config eval
::crl_locations('life', 'crl_shards 1;')
    . 'location = /bare { enroll life; enroll_auth none insecure;
                          enroll_profile bare; }'
--- perl
ready();
ocsp_defaults(ca => work_file('life.pem'));
our %life;

# of each time: two, one of which is revoked right away

sub more {
    my ($when, $shards) = @_;

    my @all = $shards > 1
              ? map { @$_ } crl_spread('life', $shards, 2)
              : map { new_certificate("$when$_", '/life/enroll') } 1, 2;

    while (my ($kept, $bad) = splice @all, 0, 2) {
        push @{ $life{kept} }, [ $when, $kept ];
        revoke($bad, 'superseded', '/life/m');
        push @{ $life{bad} }, [ $when, $bad ];
    }
}

sub all_listed {
    my @bad = map { $_->[1] } @{ $life{bad} };

    ok(crl_wait('/crl/life.crl', has(@bad)), 'all in the full one');

    for (@{ $life{bad} }) {
        my ($when, $cert) = @$_;
        ok(crl_wait(crl_uri($cert), has($cert)),
           "revoked when there were $when: " . crl_uri($cert));
        is(crl_verify($cert, work_file('life.pem'),
                      crl_fetch(crl_uri($cert))) =~ /certificate revoked/, 1,
           'and openssl finds it there');
    }
}

more('none', 1);
is(crl_uri($life{kept}[0][1]), '/crl/life.crl', 'none: the full one');
is(crl_shard($life{kept}[0][1]), undef, 'none: no shard');
is((http_get('/crl/life-00.crl'))[0], 404, 'none: no CRL of a shard');

my $bare = new_certificate('bare', '/bare');
push @{ $life{kept} }, [ 'bare', $bare ];

ok(crl_reconfigure(sub { s/crl_shards 1;/crl_shards 2;/ }), '2 shards');
setup('life', 2);
more('2', 2);
all_listed();

ok(crl_reconfigure(sub { s/crl_shards 2;/crl_shards 5;/ }), '5 shards');
setup('life', 5);
more('5', 5);
all_listed();

ok(crl_reconfigure(sub { s/crl_shards 5;/crl_shards 3;/ }), '3 shards');
setup('life', 5);
more('3', 3);
all_listed();
is((http_get('/crl/life-05.crl'))[0], 404, 'there is no sixth one');



=== TEST 8: C21: nginx is started anew, without shards: all old URLs go on
--- config eval
::crl_locations('life', '')
--- perl
setup('life', 5);
our %life;
my $new = new_certificate('new', '/life/enroll');
is(crl_uri($new), '/crl/life.crl', 'a new one belongs to the full CRL');

for (grep { $_->[0] ne 'bare' } @{ $life{kept} }, [ 'new', $new ]) {
    my ($when, $cert) = @$_;
    revoke($cert, 'cessationOfOperation', '/life/m');
    my $crl = crl_wait(crl_uri($cert), has($cert));
    ok($crl, "one of when there were $when: " . crl_uri($cert)) or next;
    like(crl_verify($cert, work_file('life.pem'), $crl),
         qr/certificate revoked/, 'openssl finds it there');
}

my ($bare) = map { $_->[1] } grep { $_->[0] eq 'bare' } @{ $life{kept} };
revoke($bare, 'superseded', '/life/m');
ok(crl_wait('/crl/life.crl', has($bare, map({ $_->[1] } @{ $life{bad} }))),
   'the full one has all');

for (@{ $life{bad} }) {
    ok(crl_wait(crl_uri($_->[1]), has($_->[1])), 'and each shard its own');
}



=== TEST 9: C2 C4 C16 C19: each is issued anew although nothing was revoked
--- config eval
::crl_locations('timer',
                'crl_shards 4; crl_validity 4s overlap=2s; crl_refresh 100ms;')
--- perl
setup('timer', 4);
my @uris = ('/crl/timer.crl', map { shard_uri('timer', $_) } 0 .. 3);
my $watch = crl_watch([ own_port() ], @uris);
sleep 9;
my @seen = crl_seen($watch);

is_deeply([ crl_faults(\@seen) ], [], 'always one that holds');

for my $uri (@uris) {
    my @crls = grep { $_->{uri} eq $uri } @seen;
    my %numbers = map { $_->{number} => 1 } @crls;
    my %dates = map { $_->{this_update}{at} => 1 } @crls;

    ok(keys %numbers >= 3, "$uri: " . keys(%numbers) . ' of them');
    is(scalar keys %dates, scalar keys %numbers,
       'C4: another number, another time');
}



=== TEST 10: C19: never a mix while shards change
--- config eval
::crl_locations('demo', 'crl_shards 4; crl_refresh 50ms;')
--- perl
setup('demo', 4);
my @certs = map { @$_ } crl_spread('demo', 4, 5);
my $watch = crl_watch([ own_port() ], '/crl/demo.crl',
                      map { shard_uri('demo', $_) } 0 .. 3);
revoke($_, 'superseded', '/demo/m') for @certs;
ok(crl_wait('/crl/demo.crl', has(@certs)), 'all in the full one');
ok(crl_wait(crl_uri($_), has($_)), 'each in its shard') for @certs;

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen) ], [], 'of ' . @seen . ' all are right');



=== TEST 11: C17: PEM of a shard
--- config eval
$::four . 'location = /pem { crl demo shard=2 pem; }
           location = /arg { crl demo shard=$arg_n pem; }'
--- perl
setup('demo', 4);
my $der = crl_fetch(shard_uri('demo', 2))->{der};

for my $uri ('/pem', '/arg?n=02', '/arg?n=2', '/arg?n=0002') {
    my ($status, $headers, $pem) = http_get($uri);
    is($status, 200, "$uri: 200");
    is($headers->{'content-type'}, 'application/x-pem-file', 'its type');
    is(openssl('crl', '-outform', 'DER', { in => $pem }), $der, 'that CRL');
}

is((http_get("/arg$_"))[0], 404, "/arg$_: 404")
    for '', '?n=', '?n=4', '?n=04', '?n=3ff', '?n=400', '?n=10000', '?n=zz',
        '?n=-1', '?n=2%00';



=== TEST 12: two authorities have nothing to do with each other
--- config eval
$::four . ::crl_locations('other', '') =~ s/^location = \/probe.*\n//mr
--- perl
setup('demo', 4);
setup('other', 4);
my @before = (numbers('other', 4), crl_fetch('/crl/other.crl')->{number});
my ($cert) = (crl_spread('demo', 4))[3];

revoke($cert, 'superseded', '/demo/m');
ocsp_defaults(ca => work_file('demo.pem'));
ok(crl_wait(crl_uri($cert), has($cert)), 'revoked in one');
sleep 2;

ocsp_defaults(ca => work_file('other.pem'));
is(join(' ', numbers('other', 4), crl_fetch('/crl/other.crl')->{number}),
   "@before", 'the other\'s are as they were');

my ($mine) = (crl_spread('other', 4))[3];
revoke($mine, 'superseded', '/other/m');
my $crl = crl_wait(crl_uri($mine), has($mine));
ok($crl, 'revoked in the other');
is($crl->{verified} && $crl->{issuer_is_ca}, 1, 'signed by it');
ok(!crl_entry($crl, $cert), 'which does not have the first one\'s');



=== TEST 13: $crl_number and $pki_authority
--- config eval
$::four . 'add_header X-CRL "$pki_authority $crl_number";'
--- perl
setup('demo', 4);
for my $uri ('/crl/demo.crl', map { shard_uri('demo', $_) } 0 .. 3) {
    my $crl = crl_fetch($uri);
    is($crl->{headers}{'x-crl'}, "demo $crl->{number}", $uri);
}



=== TEST 14: C9: SCEP and REST alike
--- config eval
::crl_locations('scep', 'crl_shards 16;') . <<'END'
location /scep { scep scep;
                 scep_challenge static $TEST_NGINX_WORK/challenge; }
END
--- perl
setup('scep', 16);
my $ca = work_file('scep.pem');
my $key = new_key();
my @certs = map {
    scep_enroll(url => '/scep', key => $key, subject => "CN=scep$_",
                password => 'secret', ca => $ca)
} 1, 2;
push @certs, map { new_certificate("rest$_", '/scep/enroll') } 1, 2;

for my $cert (@certs) {
    my $shard = crl_shard($cert);
    ok(defined $shard && $shard < 16, 'of a shard') or next;
    is(crl_uri($cert), shard_uri('scep', $shard), 'which it names');
    revoke($cert, 'superseded', '/scep/m');
    my $crl = crl_wait(crl_uri($cert), has($cert));
    ok($crl, 'and is in once it is revoked') or next;
    like(crl_verify($cert, $ca, $crl), qr/certificate revoked/,
         'which openssl finds');
}



=== TEST 15: C21: a node that only enrols, with more shards than the others
--- timeout: 60
--- config eval
::crl_locations('late', 'crl_shards 2;')
--- perl
setup('late', 2);

my $node = node_start(edit => sub {
    s/^.*crl_shards.*\n//mg;
    s/location [^{]*\{\s*crl late[^}]*\}//g;
    s/http \{/http {\ncrl_shards 6;/ or die;
});

# by that node

my $key = new_key('ec:P-256');
my $n = 0;

my $enrol_there = sub {
    my $csr = new_csr(key => $key, subject => '/CN=there' . ++$n);
    my ($status, undef, $pem) = http_post('/late/enroll', slurp($csr),
                                          port => $node->port);
    return $status == 201 ? work_file("there$n.pem", $pem) : undef;
};

is((http_get('/crl/late.crl', port => $node->port))[0], 404,
   'it serves no CRL');

my $cert = wait_until(sub {
    my $new = $enrol_there->() or return;
    return crl_shard($new) >= 2 && $new;
});
ok($cert, 'of a shard that the other one does not know of') or return;
my $uri = shard_uri('late', crl_shard($cert));
is(crl_uri($cert), $uri, 'which it names');

# each node asks Redis every half a minute how many there are

ok(crl_wait($uri, undef, 45), 'there is its CRL');
is(revoke($cert, 'keyCompromise', '/late/m'), 200, 'revoked');
my $crl = crl_wait($uri, has($cert));
ok($crl, 'and it is in it') or return;

is($crl->{idp}{fields}{a0}, certificate($cert)->{points}[0]{fields}{a0},
   'C9: by the same octets');
like(crl_uri(new_certificate('here', '/late/enroll')), qr{/late-0[01]\.crl$},
     'this one issues for two shards, as before');

ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'no alert over there');



=== TEST 16: as many shards as there can be
--- timeout: 60
--- config eval
::crl_locations('many', 'crl_shards 1024;')
--- perl
my $start = Time::HiRes::time();
ready();
ocsp_defaults(ca => work_file('many.pem'));

ok(wait_until(sub {
    my $n = redis_cmd('EVAL', <<'END', 0);
local n = 0
for i = 0, 1023 do
    n = n + redis.call('EXISTS', string.format('pki:{many}:crl:shard-%02x', i))
end
return n
END
    $n == 1024;
}), sprintf 'all are there after %.1f s', Time::HiRes::time() - $start);

for my $n (0, 255, 256, 1023) {
    my $crl = crl_fetch(shard_uri('many', $n));
    is($crl->{idp}{urls}[0], "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}"
       . sprintf('/crl/many-%02x.crl', $n), "shard $n");
}

for (1 .. 3) {
    my $cert = new_certificate("many$_", '/many/enroll');
    my $start = Time::HiRes::time();
    revoke($cert, 'superseded', '/many/m');
    ok(crl_wait(crl_uri($cert), has($cert)), crl_uri($cert));
    ok(Time::HiRes::time() - $start < 2.5, 'in time');
}
