# The directives of OCSP: what each accepts, what it does, and how it stops
# nginx when it is wrong.  Those of CRLs are in 34, of certificates in 35.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'),
            authority('other', key => 'ec:P-256'));

our $common = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

our $cert;

sub setup {
    my ($uri) = @_;
    ocsp_ready($uri) or die "not ready";
    $cert ||= new_certificate('one') or die 'no certificate';
    ocsp_defaults(ca => work_file('demo.pem'), cert => $cert);
    return (ocsp_make({}))[0];
}

sub words {
    my ($r) = @_;

    return $r->{error} if $r->{error} ne 'successful';
    return join ' ', map { $_->{status} } @{ $r->{responses} };
}

sub validity {
    my ($r) = @_;
    return ($r->{next_update}{at} // 0) - ($r->{this_update}{at} // 0);
}

run_tests();

__DATA__

=== TEST 1: ocsp_responder: several locations, "if" and "limit_except" in them
--- config eval
$::common . <<'END'
location /ocsp   { ocsp_responder demo other;
                   if ($args) { add_header X-Args $args; } }
location /oc     { ocsp_responder demo; }
location = /one  { ocsp_responder demo;
                   limit_except POST { deny all; } }
END
--- perl
my $der = setup();
my $text = escape(base64($der));

for ("/ocsp/$text", "/ocsp/$text?a=b", "/oc/$text") {
    is(words((ocsp_parse([ http_get($_) ]))[0]), 'good', 'answered');
}

is(words(ocsp_post('/one', $der)), 'good', 'POST');
my ($status) = http_get('/one');
is($status, 403, 'GET is denied');



=== TEST 2: ocsp_responder without an authority
--- config
location /ocsp { ocsp_responder; }
--- must_die
--- error_log
invalid number of arguments in "ocsp_responder" directive



=== TEST 3: ocsp_responder for an authority that there is not
--- config
location /ocsp { ocsp_responder nobody; }
--- must_die
--- error_log
nobody



=== TEST 4: ocsp_responder twice
--- config
location /ocsp { ocsp_responder demo; ocsp_responder other; }
--- must_die
--- error_log
"ocsp_responder" directive is duplicate



=== TEST 5: ocsp_responder in a location that is a regular expression
--- config
location ~ ^/ocsp { ocsp_responder demo; }
--- must_die
--- error_log
"ocsp_responder" directive cannot be used in a location that is given by a regular expression



=== TEST 6: ocsp_responder in a named location
--- config
location @ocsp { ocsp_responder demo; }
--- must_die
--- error_log
"ocsp_responder" directive cannot be used in a location



=== TEST 7: ocsp_responder outside of locations
--- config
ocsp_responder demo;
--- must_die
--- error_log
"ocsp_responder" directive is not allowed here



=== TEST 8: ocsp_responder beside another content handler
--- config
location /ocsp { crl demo; ocsp_responder demo; }
--- must_die
--- error_log
cannot share its location with another content handler



=== TEST 9: ocsp_signer: key and validity, inherited
--- http_config
ocsp_signer auto key=ec:P-384 validity=1h;
--- config eval
$::common . 'location /ocsp { ocsp_responder demo; }'
--- perl
my $r = ocsp_post('/ocsp', setup());
is($r->{status}, 'good', 'good');
is($r->{signer}{key}, 'ec:384', 'its key');
ok(abs($r->{signer}{not_after} - time - 3600) < 60, 'its validity');
is($r->{verified}, 1, 'signed');



=== TEST 10: ocsp_signer: a changed one takes effect with a reload
--- config eval
$::common . 'location /ocsp { ocsp_responder demo;
                              ocsp_signer auto key=ec:P-256; }'
--- perl
my $r = ocsp_post('/ocsp', setup());
is($r->{signer}{key}, 'ec:256', 'P-256');

my $conf = slurp($Test::Nginx::Util::ConfFile);
$conf =~ s/key=ec:P-256;/key=ec:P-384;/;
open my $out, '>', $Test::Nginx::Util::ConfFile or die $!;
print $out $conf;
close $out;

nginx_reload(15);
ok(wait_until(sub {
    ($r = ocsp_post('/ocsp', {}))->{error} eq 'successful'
        && $r->{signer}{key} eq 'ec:384';
}), 'P-384');
is($r->{verified}, 1, 'signed');



=== TEST 11: ocsp_signer: an RSA key without a thread pool
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=rsa:2048; }
--- must_die
--- error_log
"ocsp_signer auto key=rsa:2048" makes its keys in a thread pool: configure "pki_thread_pool"



=== TEST 12: ocsp_signer: an RSA key with a thread pool
--- main_config
thread_pool pki threads=1;
--- http_config
pki_thread_pool pki;
--- config eval
$::common . 'location /ocsp { ocsp_responder demo;
                              ocsp_signer auto key=rsa:2048; }'
--- perl
my $r = ocsp_post('/ocsp', setup());
is($r->{status}, 'good', 'good');
is($r->{signer}{key}, 'rsa:2048', 'RSA');



=== TEST 13: ocsp_signer: an RSA key that nobody uses needs no thread pool
--- http_config
ocsp_signer auto key=rsa:2048;
--- config eval
$::common . 'location /ocsp { ocsp_responder demo; ocsp_signer auto; }'
--- perl
is(ocsp_post('/ocsp', setup())->{signer}{key}, 'ec:256', 'P-256');



=== TEST 14: ocsp_signer authority, not in this version
--- config
location /ocsp { ocsp_responder demo; ocsp_signer authority; }
--- must_die
--- error_log
"ocsp_signer authority" is not available in this version



=== TEST 15: ocsp_signer file, not in this version
--- config
location /ocsp { ocsp_responder demo; ocsp_signer file a b; }
--- must_die
--- error_log
"ocsp_signer file" is not available in this version



=== TEST 16: ocsp_signer of an unknown kind
--- config
location /ocsp { ocsp_responder demo; ocsp_signer self; }
--- must_die
--- error_log
invalid parameter "self" in "ocsp_signer": "auto" would be right



=== TEST 17: ocsp_signer with a key too large
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=rsa:4096; }
--- must_die
--- error_log
invalid parameter "key=rsa:4096" in "ocsp_signer"



=== TEST 18: ocsp_signer with a key of a vault
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto key=ec-hsm:P-256; }
--- must_die
--- error_log
invalid parameter "key=ec-hsm:P-256" in "ocsp_signer"



=== TEST 19: ocsp_signer with a validity too short
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto validity=4s; }
--- must_die
--- error_log
a time of at least 5 seconds, e.g. "validity=24h" would be right



=== TEST 20: ocsp_signer with an unknown parameter
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto size=1; }
--- must_die
--- error_log
invalid parameter "size=1" in "ocsp_signer": "key=" or "validity=" would be right



=== TEST 21: ocsp_signer twice
--- config
location /ocsp { ocsp_responder demo; ocsp_signer auto; ocsp_signer auto; }
--- must_die
--- error_log
"ocsp_signer" directive is duplicate



=== TEST 22: ocsp_signer: two of one authority
--- config
location /a { ocsp_responder demo; }
location /b { ocsp_responder demo; ocsp_signer auto key=ec:P-384; }
--- must_die
--- error_log
locations with "ocsp_responder demo" have different "ocsp_signer"



=== TEST 23: ocsp_validity: each status its own
--- config eval
$::common . <<'END'
location /ocsp    { ocsp_responder demo; }
location /own     { ocsp_responder demo;
                    ocsp_validity good=20m hold=2m revoked=1h unknown=10s; }
location /good    { ocsp_responder demo; ocsp_validity good=7s; }
END
--- perl
setup();
my ($held, $revoked) = map { new_certificate($_) } qw( held revoked );
revoke($held, 'certificateHold');
revoke($revoked, 'superseded');

for ([ '/ocsp', 600, 300, undef, 60 ], [ '/own', 1200, 120, 3600, 10 ],
     [ '/good', 7, 300, undef, 60 ])
{
    my ($uri, @expected) = @$_;
    my @got = map { validity($_) } ocsp_post_all($uri, {},
        { cert => $held }, { cert => $revoked }, { serial => '4e4e4e' });
    $got[2] = undef if !defined $expected[2];
    is_deeply(\@got, \@expected, $uri);
}

is(words(ocsp_post('/ocsp', { cert => $revoked })), 'revoked', 'revoked');



=== TEST 24: ocsp_validity: R6: an answer ends when what is known is that old
--- config eval
$::common . <<'END'
location /ocsp  { ocsp_responder demo; }
location /short { ocsp_responder demo; ocsp_validity good=3s; }
END
--- perl
my $der = setup();
is(words(ocsp_post('/short', $der)), 'good', 'good');

redis_stop();

my ($r, %bad);
ok(wait_until(sub {
    $r = ocsp_post('/short', $der);
    return 1 if $r->{error} eq 'try_later';
    $bad{late}++ if $r->{next_update}{at} <= $r->{produced_at}{at};
    $bad{long}++ if validity($r) != 3;
    $bad{future}++ if $r->{this_update}{at} > $r->{produced_at}{at};
    return 0;
}), 'try later in the end');

is_deeply(\%bad, {}, 'until then never beyond nextUpdate');
is($r->{headers}{'cache-control'}, 'no-store, max-age=0', 'not to be kept');
is(words(ocsp_post('/ocsp', $der)), 'good', 'where it is longer: good');

$r = ocsp_get('/ocsp', $der);
my $age = $r->{produced_at}{at} - $r->{this_update}{at};
ok($age >= 2, "thisUpdate is $age seconds ago");
is(validity($r), 600, 'from there it counts');

redis_start();
ok(wait_until(sub { words(ocsp_post('/short', $der)) eq 'good' }),
   'good when Redis is back');
--- error_log
redis



=== TEST 25: ocsp_validity of nothing
--- config
location /ocsp { ocsp_responder demo; ocsp_validity good=0; }
--- must_die
--- error_log
invalid parameter "good=0" in "ocsp_validity": a time, e.g. "good=10m" would be right



=== TEST 26: ocsp_validity that is no time
--- config
location /ocsp { ocsp_responder demo; ocsp_validity hold=soon; }
--- must_die
--- error_log
invalid parameter "hold=soon" in "ocsp_validity"



=== TEST 27: ocsp_validity of an unknown status
--- config
location /ocsp { ocsp_responder demo; ocsp_validity bad=1m; }
--- must_die
--- error_log
invalid parameter "bad=1m" in "ocsp_validity"



=== TEST 28: ocsp_validity of one status twice
--- config
location /ocsp { ocsp_responder demo; ocsp_validity good=1m good=2m; }
--- must_die
--- error_log
"ocsp_validity" directive is duplicate



=== TEST 29: ocsp_unknown: http, server and location
--- http_config
ocsp_unknown revoked;
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; }
location /own  { ocsp_responder demo; ocsp_unknown unauthorized; }
END
--- perl
setup();
is(words(ocsp_post('/ocsp', { serial => '4e4e' })), 'revoked', 'inherited');
is(words(ocsp_post('/own', { serial => '4e4e' })), 'unauthorized', 'own');



=== TEST 30: ocsp_unknown good
--- config
location /ocsp { ocsp_responder demo; ocsp_unknown good; }
--- must_die
--- error_log
invalid parameter "good" in "ocsp_unknown": "unauthorized", "unknown" or "revoked" would be right



=== TEST 31: ocsp_unknown twice
--- config
location /ocsp { ocsp_responder demo; ocsp_unknown revoked;
                 ocsp_unknown unknown; }
--- must_die
--- error_log
"ocsp_unknown" directive is duplicate



=== TEST 32: ocsp_nonce on, off
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; }
location /on   { ocsp_responder demo; ocsp_nonce on; }
location /off  { ocsp_responder demo; ocsp_nonce off; }
END
--- perl
setup();
my ($der) = ocsp_make({ nonce => '0b' x 16 });

for ([ '/ocsp', 1 ], [ '/on', 1 ], [ '/off', 0 ]) {
    my ($uri, $n) = @$_;
    my $r = ocsp_get($uri, $der);
    is($r->{status}, 'good', "$uri: good");
    is(scalar @{ $r->{extensions} }, $n, "$uri: the nonce");
    is(defined $r->{headers}{'cache-control'}, !$n,
       "$uri: cached without one only");
}

is(ocsp_post('/off', { nonce => '' })->{error}, 'malformed_request',
   'malformed all the same');



=== TEST 33: ocsp_nonce maybe
--- config
location /ocsp { ocsp_responder demo; ocsp_nonce maybe; }
--- must_die
--- error_log
invalid value "maybe" in "ocsp_nonce" directive



=== TEST 34: ocsp_max_requests
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; }
location /one  { ocsp_responder demo; ocsp_max_requests 1; }
location /many { ocsp_responder demo; ocsp_max_requests 100; }
END
--- perl
setup();
my @ids = map { { serial => sprintf '4e%02x', $_ } } 1 .. 101;

for ([ '/ocsp', 10 ], [ '/one', 1 ], [ '/many', 100 ]) {
    my ($uri, $n) = @$_;
    my ($at, $above) = ocsp_post_all($uri, { ids => [ @ids[1 .. $n] ] },
                                     { ids => [ @ids[0 .. $n] ] });
    is(scalar @{ $at->{responses} || [] }, $n, "$uri: $n");
    is($at->{verified}, 1, "$uri: signed");
    is($above->{error}, 'malformed_request', "$uri: not one more");
}



=== TEST 35: ocsp_max_requests 0
--- config
location /ocsp { ocsp_responder demo; ocsp_max_requests 0; }
--- must_die
--- error_log
invalid parameter "0" in "ocsp_max_requests": a number from 1 to 100 would be right



=== TEST 36: ocsp_max_requests 101
--- config
location /ocsp { ocsp_responder demo; ocsp_max_requests 101; }
--- must_die
--- error_log
invalid parameter "101" in "ocsp_max_requests"



=== TEST 37: ocsp_max_requests twice
--- config
location /ocsp { ocsp_responder demo; ocsp_max_requests 1;
                 ocsp_max_requests 2; }
--- must_die
--- error_log
"ocsp_max_requests" directive is duplicate



=== TEST 38: ocsp_on_error: stale goes on, try_later for a minute only
--- config eval
$::common . <<'END'
location /ocsp   { ocsp_responder demo; }
location /stale  { ocsp_responder demo; ocsp_on_error stale; }
location /strict { ocsp_responder demo; ocsp_on_error try_later; }
END
--- perl
my $der = setup();
is(words(ocsp_post($_, $der)), 'good', "$_: good")
    for qw( /ocsp /stale /strict );

redis_stop();
is(words(ocsp_post($_, $der)), 'good', "$_: good for a moment")
    for qw( /ocsp /stale /strict );
is(words(ocsp_post($_, { serial => '4e4f' })), 'try_later',
   "$_: try later, what is not known") for qw( /ocsp /stale /strict );
redis_start();
--- error_log
redis



=== TEST 39: ocsp_on_error die
--- config
location /ocsp { ocsp_responder demo; ocsp_on_error die; }
--- must_die
--- error_log
invalid parameter "die" in "ocsp_on_error": "stale" or "try_later" would be right



=== TEST 40: ocsp_on_error twice
--- config
location /ocsp { ocsp_responder demo; ocsp_on_error stale;
                 ocsp_on_error stale; }
--- must_die
--- error_log
"ocsp_on_error" directive is duplicate
