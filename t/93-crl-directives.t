# The directives of CRLs: what each accepts, what it does, and how it stops
# nginx when it is wrong.  What is in shards is in 90, in deltas in 91, how they
# are served in 92.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;

redis_start(appendonly => 1);

# There are as many shards of an authority for ever as there were once: each
# block that works has an authority of its own.

our @names = qw( regex constant variable level issuer few off delta many
                 except plain warn served );
our %authority = map { $_ => authority($_, key => 'ec:P-256') } @names;

http_config(authority('demo', key => 'ec:P-256'), <<'END');
pki_authority bare {
    subject     "CN=bare";
    key         file:$TEST_NGINX_WORK/bare.key;
    certificate $TEST_NGINX_WORK/bare.pem;
    create      ec:P-256;
}
END

$authority{bare} = '';
$authority{url} = <<'END';
pki_authority url {
    subject     "CN=url";
    key         file:$TEST_NGINX_WORK/url.key;
    certificate $TEST_NGINX_WORK/url.pem;
    create      ec:P-256;
    crl_url     http://crl.example/url;
}
END

our $url = "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}";

# where certificates of an authority come from, and are revoked

sub common {
    my ($name) = @_;

    return <<"END";
location = /probe  { pki_probe; }
location = /enroll { enroll $name; enroll_auth none insecure; }
location /m/       { certificate_master $name;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
crl_refresh 100ms;
END
}

sub setup {
    my ($name) = @_;

    ready() or die 'not ready';
    ocsp_defaults(ca => work_file("$name.pem"));
    return;
}

# The distribution point of a new certificate, and it.

my $made = 0;

sub point {
    my $cert = new_certificate('c' . ++$made) or die 'no certificate';
    my ($point) = map { @{ $_->{urls} } } @{ certificate($cert)->{points} };

    return ($point, $cert);
}

sub status { return (http_get($_[0]))[0] }

# The first CRL there that is as wanted, or nothing.

sub wait_for_crl {
    my ($uri, $wanted) = @_;

    return wait_until(sub {
        my $crl = crl_fetch($uri);
        return $crl && (!$wanted || $wanted->($crl)) && $crl;
    });
}

sub urls {
    my ($points) = @_;
    return join ' ', map { @{ $_->{urls} } } @{ $points || [] };
}

sub span {
    my ($crl) = @_;
    return $crl->{next_update}{at} - $crl->{this_update}{at};
}

run_tests();

__DATA__

=== TEST 1: crl shard=: a regular expression with a named capture
--- http_config eval
$::authority{regex}
--- config eval
main::common('regex') . <<'END';
crl_shards 16;
location = /crl/regex.crl { crl regex; }
location ~ "^/crl/regex-(?<shard>[0-9a-f]+)\.crl$" { crl regex shard=$shard; }
END
--- perl
setup('regex');

for (1 .. 3) {
    my ($point, $cert) = point();
    like($point, qr{^\Q$::url\E/crl/regex-0[0-9a-f]\.crl$}, 'a shard\'s URL');

    revoke($cert);
    my ($uri, $serial) = ($point =~ s/^\Q$::url\E//r, serial_octets($cert));
    my $crl = wait_for_crl($uri, sub {
        grep { $_->{serial} eq $serial } @{ $_[0]{entries} }
    });
    ok($crl, 'in the CRL there');
    is(join(' ', @{ $crl->{idp}{urls} || [] }), $point, 'which is of it');
}

ok(wait_for_crl("/crl/regex-$_.crl"), "shard $_") for '00', '0f', 'f', '000f';
is((http_get('/crl/regex-f.crl'))[1]{etag},
   (http_get('/crl/regex-0f.crl'))[1]{etag}, 'the same shard');
is(status("/crl/regex-$_.crl"), 404, "no shard $_")
    for qw( 10 3ff 400 0000f ffff ffffffffffffffffff );
is(status('/crl/regex-g.crl'), 404, 'not of this location');



=== TEST 2: crl shard=: constant, with pem; only those are built
--- http_config eval
$::authority{constant}
--- config eval
main::common('constant') . <<'END';
crl_shards 4;
location = /0    { crl constant shard=0; }
location = /3    { crl constant shard=0003; }
location = /4    { crl constant shard=04; }
location = /last { crl constant shard=3ff; }
location = /pem  { crl constant shard=3 pem; }
END
--- perl
setup('constant');

for my $n (0, 3) {
    my $crl = wait_for_crl("/$n");
    is(join(' ', @{ $crl->{idp}{urls} }), "$::url/crl/constant-0$n.crl",
       "shard $n");
}

is(status("/$_"), 404, "/$_: there is none") for qw( 4 last );

my $der = crl_fetch('/3')->{der};
my ($status, $headers, $pem) = http_get('/pem');
is(openssl('crl', '-outform', 'DER', { in => $pem }), $der, 'PEM: the same');
isnt($headers->{etag}, (http_get('/3'))[1]{etag}, 'PEM: other octets');
is(redis_cmd('EXISTS', 'pki:{constant}:crl:0'), 0,
   'no full CRL, since no location serves it');



=== TEST 3: crl shard=: whatever a variable says
--- http_config eval
$::authority{variable}
--- config eval
main::common('variable') . <<'END';
crl_shards 4;
location = /arg  { crl variable shard=$arg_s; }
location = /two  { crl variable shard=${arg_a}$arg_b; }
END
--- perl
setup('variable');

ok(wait_for_crl($_), $_) for '/arg?s=0', '/arg?s=03', '/two?a=0&b=2';
is(status($_), 404, "$_: 404")
    for '/arg', '/arg?s=', '/arg?s=4', '/arg?s=-1', '/arg?s=g', '/arg?s=0x1',
        '/arg?s=%30', '/arg?s=delta', '/arg?s=1%00', '/two?a=0&b=4',
        '/arg?s=' . '0' x 1000;



=== TEST 4: crl_shards: http, server, location
--- http_config eval
$::authority{level} . 'crl_shards 1000;'
--- config eval
main::common('level') . <<'END';
crl_shards 100;
location ~ ^/level-(?<n>.*)\.crl$ { crl level shard=$n; crl_shards 300; }
END
--- perl
setup('level');
ok(wait_for_crl("/level-$_.crl"), "shard $_") for qw( 00 0ff 12b );
is(status('/level-12c.crl'), 404, 'the 301st');

my %points;
$points{ (point())[0] } = 1 for 1 .. 20;
ok(keys %points > 10, 'certificates have many');
is(scalar(grep { !m{/crl/level-(?:0?[0-9a-f]{2}|1[01][0-9a-f]|12[0-9ab])\.crl$} }
          keys %points), 0, 'of these');



=== TEST 5: crl_shards of http: also where CRLs are built by another nginx
--- http_config eval
$::authority{issuer} . 'crl_shards 8;'
--- config eval
main::common('issuer')
--- perl
setup('issuer');
like((point())[0], qr{/crl/issuer-0[0-7]\.crl$}, 'a shard') for 1 .. 3;



=== TEST 6: crl_shards of a server without "crl": it says nothing
--- http_config eval
$::authority{few}
--- config eval
main::common('few') . 'crl_shards 8;'
--- perl
setup('few');
is((point())[0], "$::url/crl/few.crl", 'the full CRL');



=== TEST 7: crl_shards 1: none; more than needed is refused by nobody
--- http_config eval
$::authority{off} . 'crl_shards 8;'
--- config eval
main::common('off') . <<'END';
location = /crl { crl off; crl_shards 1; }
location = /0   { crl off shard=0; crl_shards 1; }
END
--- perl
setup('off');
is((point())[0], "$::url/crl/off.crl", 'the full CRL');
my $crl = wait_for_crl('/crl');
is($crl->{idp}, undef, 'which is of all');
is(status('/0'), 404, 'no shard');



=== TEST 8: crl_delta: http, location; its name is in the full CRL
--- http_config eval
$::authority{delta} . $::authority{off} . 'crl_delta 10s;'
--- config eval
main::common('delta') . <<'END';
location = /crl       { crl delta; }
location = /delta     { crl delta delta; }
location = /delta.pem { crl delta pem delta; }
location = /off       { crl off; crl_delta off; }
END
--- perl
setup('delta');
my $crl = wait_for_crl('/crl');
my $delta = wait_for_crl('/delta');

is(urls($crl->{freshest}{points}), "$::url/crl/delta-delta.crl",
   'where it is');
is($crl->{base}, undef, 'a full one');
is($delta->{base}, $crl->{number}, 'a delta to it');
is($delta->{freshest}, undef, 'which names none');
is(span($delta), 20, 'and holds twice as long');
is(openssl('crl', '-outform', 'DER', { in => (http_get('/delta.pem'))[2] }),
   crl_fetch('/delta')->{der}, 'PEM');

ocsp_defaults(ca => work_file('off.pem'));
is(wait_for_crl('/off')->{freshest}, undef, 'off: none');



=== TEST 9: crl_delta: the delta alone in a location
--- http_config eval
$::authority{many}
--- config eval
main::common('many') . <<'END';
crl_delta 1s;
crl_validity 1h;
location = /delta { crl many delta; }
END
--- perl
setup('many');
my $delta = wait_for_crl('/delta');
ok($delta->{base}, 'a delta');
is(span($delta), 2, 'of two seconds');
is(redis_cmd('EXISTS', 'pki:{many}:crl:0'), 1, 'to a full CRL');



=== TEST 10: crl_validity, crl_refresh: of shards, too
--- http_config eval
$::authority{plain}
--- config eval
main::common('plain') . <<'END';
crl_shards 2;
crl_validity 1h overlap=1m;
location = /crl { crl plain; }
location = /0   { crl plain shard=0; }
END
--- perl
setup('plain');
is(span(wait_for_crl($_)), 3600, $_) for '/crl', '/0';
like((http_get('/crl'))[1]{'cache-control'}, qr/^max-age=35\d\d,/,
     'until the next one');



=== TEST 11: crl: "if" and "limit_except" in its location
--- http_config eval
$::authority{except}
--- config eval
main::common('except') . <<'END';
crl_shards 2;
crl_delta 1h;
location ~ ^/if-(?<n>.*)$     { crl except shard=$n; if ($arg_x) { set $y 1; } }
location ~ ^/except-(?<m>.*)$ { crl except shard=$m;
                                limit_except POST { allow all; } }
location ~ ^/deny-(?<o>.*)$   { crl except shard=$o;
                                limit_except POST { deny all; } }
location = /constant          { crl except shard=1;
                                limit_except POST { allow all; } }
location = /delta             { crl except delta;
                                if ($arg_x) { set $y 1; } }
location = /delta.pem         { crl except delta pem;
                                limit_except POST { allow all; } }
END
--- perl
setup('except');
my $one = "$::url/crl/except-01.crl";

for ('/if-1', '/if-1?x=1', '/except-1', '/constant') {
    is(join(' ', @{ wait_for_crl($_)->{idp}{urls} }), $one, $_);
}

ok(wait_for_crl($_)->{base}, $_) for '/delta', '/delta?x=1';
like((http_get('/delta.pem'))[2], qr/^-----BEGIN X509 CRL/, 'PEM');
is(status('/except-2'), 404, 'no shard');
is(status('/deny-1'), 403, 'denied');
is((http_post('/constant', ''))[0], 405, 'POST');



=== TEST 12: crl_url: shards and the delta are beside it
--- http_config eval
$::authority{url}
--- config eval
main::common('url') . <<'END';
crl_shards 2;
crl_delta 1h;
location = /crl   { crl url; }
location = /1     { crl url shard=1; }
location = /delta { crl url delta; }
END
--- perl
setup('url');
is(urls(wait_for_crl('/crl')->{freshest}{points}),
   'http://crl.example/url-delta', 'the delta');
is(join(' ', @{ wait_for_crl('/1')->{idp}{urls} }), 'http://crl.example/url-01',
   'a shard');
like((point())[0], qr{^http://crl\.example/url-0[01]$}, 'of a certificate');



=== TEST 13: without a URL: a delta, but its name is nowhere; one shard
--- http_config
crl_shards 8;
--- config eval
main::common('bare') . <<'END';
crl_delta 1h;
crl_shards 1;
location = /crl   { crl bare; }
location = /delta { crl bare delta; }
END
--- perl
setup('bare');
is(wait_for_crl('/crl')->{freshest}, undef, 'no name');
ok(wait_for_crl('/delta')->{base}, 'but there it is');
is((point())[0], undef, 'none in certificates');



=== TEST 14: without a URL and without "crl": http does not count
--- http_config
crl_shards 8;
--- config eval
main::common('bare')
--- perl
setup('bare');
is((point())[0], undef, 'no URL');



=== TEST 15: a warning where certificates name what no location serves
--- http_config eval
$::authority{warn} . 'crl_shards 8; crl_delta 1h;'
--- config eval
main::common('warn') . 'location = /crl { crl warn; }'
--- perl
setup('warn');
ok(wait_for_crl('/crl'), 'all the same');
--- error_log
[warn]
certificates of authority "warn" name a shard of its CRL, but no location has "crl warn shard="
CRLs of authority "warn" name a delta, but no location has "crl warn delta"



=== TEST 16: no warning where they are served, or there is nothing to serve
--- http_config eval
$::authority{served} . $::authority{url}
--- config eval
main::common('served') . <<'END';
location = /crl { crl served; }
location = /url { crl url shard=1; crl_shards 2; crl_delta 1h; }
END
--- perl
setup('served');
ok(wait_for_crl('/crl'), 'a CRL');
--- no_error_log
name a shard
name a delta



=== TEST 17: crl without an authority
--- config
location /crl { crl; }
--- must_die
--- error_log
invalid number of arguments in "crl" directive



=== TEST 18: crl of an authority that there is not
--- config
location /crl { crl nobody; }
--- must_die
--- error_log
nobody



=== TEST 19: crl of an authority without a name
--- config
location /crl { crl ""; }
--- must_die
--- error_log
invalid parameter "" in "crl": an authority's name would be right



=== TEST 20: crl twice
--- config
location /crl { crl demo; crl demo pem; }
--- must_die
--- error_log
"crl" directive is duplicate



=== TEST 21: crl with an unknown parameter
--- config
location /crl { crl demo der; }
--- must_die
--- error_log
invalid parameter "der" in "crl": "pem", "shard=" or "delta" would be right



=== TEST 22: crl with pem twice
--- config
location /crl { crl demo pem pem; }
--- must_die
--- error_log
"crl" directive has "pem" twice



=== TEST 23: crl with delta twice
--- config
location /crl { crl demo delta delta; crl_delta 1h; }
--- must_die
--- error_log
"crl" directive has more than one of "delta" and "shard=": shards have no deltas



=== TEST 24: crl with delta and a shard
--- config
location /crl { crl demo delta shard=1; crl_delta 1h; crl_shards 2; }
--- must_die
--- error_log
"crl" directive has more than one of "delta" and "shard="



=== TEST 25: crl with a shard and delta
--- config
location /crl { crl demo shard=$arg_s delta; crl_delta 1h; crl_shards 2; }
--- must_die
--- error_log
"crl" directive has more than one of "delta" and "shard="



=== TEST 26: crl with two shards
--- config
location /crl { crl demo shard=0 shard=1; crl_shards 2; }
--- must_die
--- error_log
"crl" directive has more than one of "delta" and "shard="



=== TEST 27: crl with a shard that is no number
--- config
location /crl { crl demo shard=zz; crl_shards 2; }
--- must_die
--- error_log
invalid parameter "shard=zz" in "crl": the number of a shard in hex,
"shard=00" to "shard=3ff", or a variable would be right



=== TEST 28: crl with no shard
--- config
location /crl { crl demo shard=; crl_shards 2; }
--- must_die
--- error_log
invalid parameter "shard=" in "crl": the number of a shard in hex



=== TEST 29: crl with a shard that there never is
--- config
location /crl { crl demo shard=400; crl_shards 1024; }
--- must_die
--- error_log
invalid parameter "shard=400" in "crl": the number of a shard in hex



=== TEST 30: crl with a shard of five digits
--- config
location /crl { crl demo shard=00000; crl_shards 2; }
--- must_die
--- error_log
invalid parameter "shard=00000" in "crl": the number of a shard in hex



=== TEST 31: crl with a variable that there is not
--- config
location /crl { crl demo shard=$nothing; crl_shards 2; }
--- must_die
--- error_log
unknown "nothing" variable



=== TEST 32: crl with a variable without a name
--- config
location /crl { crl demo shard=$; crl_shards 2; }
--- must_die
--- error_log
invalid variable name



=== TEST 33: crl delta without crl_delta
--- config
location /crl { crl demo delta; }
--- must_die
--- error_log
"crl demo delta" needs "crl_delta", e.g. "crl_delta 15m"



=== TEST 34: crl delta where crl_delta is off
--- http_config
crl_delta 15m;
--- config
location /crl { crl demo delta; crl_delta off; }
--- must_die
--- error_log
"crl demo delta" needs "crl_delta", e.g. "crl_delta 15m"



=== TEST 35: crl outside of locations
--- config
crl demo;
--- must_die
--- error_log
"crl" directive is not allowed here



=== TEST 36: crl beside another content handler
--- config
location /crl { pki_certificate demo; crl demo; }
--- must_die
--- error_log
"crl" directive cannot share its location with another content handler



=== TEST 37: crl_shards 0
--- config
location /crl { crl demo; crl_shards 0; }
--- must_die
--- error_log
invalid parameter "0" in "crl_shards": a number from 1 to 1024 would be right



=== TEST 38: crl_shards 1025
--- config
location /crl { crl demo; crl_shards 1025; }
--- must_die
--- error_log
invalid parameter "1025" in "crl_shards": a number from 1 to 1024 would be right



=== TEST 39: crl_shards that is no number
--- config
location /crl { crl demo; crl_shards abc; }
--- must_die
--- error_log
invalid parameter "abc" in "crl_shards": a number from 1 to 1024 would be right



=== TEST 40: crl_shards of nothing
--- config
location /crl { crl demo; crl_shards ""; }
--- must_die
--- error_log
invalid parameter "" in "crl_shards": a number from 1 to 1024 would be right



=== TEST 41: crl_shards with two numbers
--- config
location /crl { crl demo; crl_shards 1 2; }
--- must_die
--- error_log
invalid number of arguments in "crl_shards" directive



=== TEST 42: crl_shards twice
--- config
location /crl { crl demo; crl_shards 2; crl_shards 2; }
--- must_die
--- error_log
"crl_shards" directive is duplicate



=== TEST 43: crl_shards outside of http
--- main_config
crl_shards 2;
--- config
--- must_die
--- error_log
"crl_shards" directive is not allowed here



=== TEST 44: crl_shards in "if"
--- config
location /crl { crl demo; if ($arg_x) { crl_shards 2; } }
--- must_die
--- error_log
"crl_shards" directive is not allowed here



=== TEST 45: crl_shards of an authority without a URL
--- config
location /crl { crl bare; crl_shards 2; }
--- must_die
--- error_log
"crl_shards 2" of "crl bare" needs "base_url" or "crl_url" of the authority:
a certificate names the URL of its shard



=== TEST 46: crl_shards of http, an authority without a URL
--- http_config
crl_shards 128;
--- config
location /crl { crl bare; }
--- must_die
--- error_log
"crl_shards 128" of "crl bare" needs "base_url" or "crl_url"



=== TEST 47: crl_shards: two of one authority
--- config
location /a { crl demo; crl_shards 2; }
location /b { crl demo shard=0; crl_shards 4; }
--- must_die
--- error_log
locations with "crl demo" have different "crl_shards", 2 and 4:
one for all of them, in "server" or "http", would be right



=== TEST 48: crl_delta 0
--- config
location /crl { crl demo; crl_delta 0; }
--- must_die
--- error_log
invalid parameter "0" in "crl_delta": a time of at least 1s, e.g. "15m", or "off" would be right



=== TEST 49: crl_delta of less than a second
--- config
location /crl { crl demo; crl_delta 500ms; }
--- must_die
--- error_log
invalid parameter "500ms" in "crl_delta": a time of at least 1s



=== TEST 50: crl_delta that is no time
--- config
location /crl { crl demo; crl_delta on; }
--- must_die
--- error_log
invalid parameter "on" in "crl_delta": a time of at least 1s



=== TEST 51: crl_delta longer than crl_validity
--- config
location /crl { crl demo; crl_delta 25h; crl_validity 24h; }
--- must_die
--- error_log
"crl_delta" of "crl demo" is 90000s, a time shorter than "crl_validity", 86400s, would be right



=== TEST 52: crl_delta as long as crl_validity
--- config
location /crl { crl demo; crl_delta 1d; }
--- must_die
--- error_log
"crl_delta" of "crl demo" is 86400s, a time shorter than "crl_validity", 86400s, would be right



=== TEST 53: crl_delta twice
--- config
location /crl { crl demo; crl_delta off; crl_delta 1h; }
--- must_die
--- error_log
"crl_delta" directive is duplicate



=== TEST 54: crl_delta outside of http
--- main_config
crl_delta 1h;
--- config
--- must_die
--- error_log
"crl_delta" directive is not allowed here



=== TEST 55: crl_delta: two of one authority
--- config
location /a { crl demo; }
location /b { crl demo delta; crl_delta 1h; }
--- must_die
--- error_log
locations with "crl demo" have different "crl_delta", 0s and 3600s: one for all of them



=== TEST 56: crl_validity of nothing
--- config
location /crl { crl demo; crl_validity 0; }
--- must_die
--- error_log
invalid parameter "0" in "crl_validity": a time, e.g. "24h" would be right



=== TEST 57: crl_validity shorter than its overlap
--- config
location /crl { crl demo; crl_validity 1h overlap=2h; }
--- must_die
--- error_log
invalid parameter "overlap=2h" in "crl_validity": a time shorter than the validity



=== TEST 58: crl_validity with an unknown parameter
--- config
location /crl { crl demo; crl_validity 1h before=5m; }
--- must_die
--- error_log
invalid parameter "before=5m" in "crl_validity": "overlap=" would be right



=== TEST 59: crl_validity twice
--- config
location /crl { crl demo; crl_validity 1h; crl_validity 2h; }
--- must_die
--- error_log
"crl_validity" directive is duplicate



=== TEST 60: crl_validity: two of one authority
--- config
location /a { crl demo; }
location /b { crl demo; crl_validity 1h; }
--- must_die
--- error_log
locations with "crl demo" have different "crl_validity", 86400s and 3600s:
one for all of them, in "server" or "http", would be right



=== TEST 61: crl_validity: two overlaps of one authority
--- config
location /a { crl demo; crl_validity 1h overlap=5m; }
location /b { crl demo; crl_validity 1h overlap=6m; }
--- must_die
--- error_log
locations with "crl demo" have different "crl_validity overlap=", 300s and 360s: one for all of them



=== TEST 62: crl_refresh too short
--- config
location /crl { crl demo; crl_refresh 1ms; }
--- must_die
--- error_log
invalid parameter "1ms" in "crl_refresh": a time of at least 10ms, e.g. "1s" would be right



=== TEST 63: crl_refresh twice
--- config
location /crl { crl demo; crl_refresh 1s; crl_refresh 2s; }
--- must_die
--- error_log
"crl_refresh" directive is duplicate



=== TEST 64: crl_refresh: two of one authority
--- config
location /a { crl demo; crl_refresh 1s; }
location /b { crl demo shard=0; }
location /c { crl demo; crl_refresh 2s; }
--- must_die
--- error_log
locations with "crl demo" have different "crl_refresh", 1000ms and 2000ms: one for all of them



=== TEST 65: pki_certificate of an authority without a name
--- config
location /ca { pki_certificate ""; }
--- must_die
--- error_log
invalid parameter "" in "pki_certificate": an authority's name would be right
