# The directives of OCSP: what each accepts, what it does, and how it stops
# nginx when it is wrong.  Those of CRLs are in 93, of certificates in 35,
# ocsp_signer is in 38.

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

# somebody who signs requests, known to none of the authorities

our $asker_key = new_key('ec:P-256');
our $asker = work_file('asker.pem');
openssl('req', '-new', '-x509', '-key', $asker_key, '-subj', '/CN=asker',
        '-addext', 'keyUsage=digitalSignature', '-out', $asker);

our $bundle = work_file('bundle.pem', slurp($asker));
our $broken = work_file('broken.pem', slurp($asker) . substr slurp($asker), 0,
                        200);
our $empty = work_file('empty.pem', "\n");

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
    is((ocsp_parse([ http_get($_) ]))[0]{status}, 'good', 'answered');
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



=== TEST 9: ocsp_validity: each status its own
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



=== TEST 10: ocsp_validity: R6: an answer ends when what is known is that old
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



=== TEST 11: ocsp_validity of nothing
--- config
location /ocsp { ocsp_responder demo; ocsp_validity good=1s; }
--- must_die
--- error_log
invalid parameter "good=1s" in "ocsp_validity": a time of at least 2s



=== TEST 12: ocsp_validity that is no time
--- config
location /ocsp { ocsp_responder demo; ocsp_validity hold=soon; }
--- must_die
--- error_log
invalid parameter "hold=soon" in "ocsp_validity"



=== TEST 13: ocsp_validity of an unknown status
--- config
location /ocsp { ocsp_responder demo; ocsp_validity bad=1m; }
--- must_die
--- error_log
invalid parameter "bad=1m" in "ocsp_validity"



=== TEST 14: ocsp_validity of one status twice
--- config
location /ocsp { ocsp_responder demo; ocsp_validity good=1m good=2m; }
--- must_die
--- error_log
"ocsp_validity" directive is duplicate



=== TEST 15: ocsp_unknown: http, server and location
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



=== TEST 16: ocsp_unknown good
--- config
location /ocsp { ocsp_responder demo; ocsp_unknown good; }
--- must_die
--- error_log
invalid parameter "good" in "ocsp_unknown": "unauthorized", "unknown" or "revoked" would be right



=== TEST 17: ocsp_unknown twice
--- config
location /ocsp { ocsp_responder demo; ocsp_unknown revoked;
                 ocsp_unknown unknown; }
--- must_die
--- error_log
"ocsp_unknown" directive is duplicate



=== TEST 18: ocsp_nonce on, off
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



=== TEST 19: ocsp_nonce maybe
--- config
location /ocsp { ocsp_responder demo; ocsp_nonce maybe; }
--- must_die
--- error_log
invalid value "maybe" in "ocsp_nonce" directive



=== TEST 20: ocsp_max_requests
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



=== TEST 21: ocsp_max_requests 0
--- config
location /ocsp { ocsp_responder demo; ocsp_max_requests 0; }
--- must_die
--- error_log
invalid parameter "0" in "ocsp_max_requests": a number from 1 to 100 would be right



=== TEST 22: ocsp_max_requests 101
--- config
location /ocsp { ocsp_responder demo; ocsp_max_requests 101; }
--- must_die
--- error_log
invalid parameter "101" in "ocsp_max_requests"



=== TEST 23: ocsp_max_requests twice
--- config
location /ocsp { ocsp_responder demo; ocsp_max_requests 1;
                 ocsp_max_requests 2; }
--- must_die
--- error_log
"ocsp_max_requests" directive is duplicate



=== TEST 24: ocsp_on_error: stale goes on, try_later for a minute only
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



=== TEST 25: ocsp_on_error die
--- config
location /ocsp { ocsp_responder demo; ocsp_on_error die; }
--- must_die
--- error_log
invalid parameter "die" in "ocsp_on_error": "stale" or "try_later" would be right



=== TEST 26: ocsp_on_error twice
--- config
location /ocsp { ocsp_responder demo; ocsp_on_error stale;
                 ocsp_on_error stale; }
--- must_die
--- error_log
"ocsp_on_error" directive is duplicate



=== TEST 27: ocsp_cache on, off
--- config eval
$::common . <<'END'
add_header X-Cache $ocsp_cache;
location /ocsp { ocsp_responder demo; }
location /off  { ocsp_responder demo; ocsp_cache off; }
END
--- perl
my $der = setup();
my $r;

ok(wait_until(sub {
    ($r = ocsp_get('/ocsp', $der))->{headers}{'x-cache'} eq 'hit'
}), 'kept');

for (1 .. 8) {
    my $again = ocsp_get('/ocsp', $der);
    is($again->{headers}{'x-cache'}, 'hit', 'kept');
    is($again->{body}, $r->{body}, 'the same octets');
}

my %body;

for (1 .. 4) {
    $r = ocsp_get('/off', $der);
    is(words($r), 'good', 'off: good');
    is($r->{verified}, 1, 'signed');
    is($r->{headers}{'x-cache'}, 'bypass', 'not kept');
    $body{ $r->{body} }++;
}

is(scalar keys %body, 4, 'signed each time');



=== TEST 28: ocsp_cache auto
--- config
location /ocsp { ocsp_responder demo; ocsp_cache auto; }
--- must_die
--- error_log
invalid value "auto" in "ocsp_cache" directive



=== TEST 29: ocsp_retention: inherited, and off
--- http_config
ocsp_retention 30d;
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; }
location /off  { ocsp_responder demo; ocsp_retention off; }
END
--- perl
setup();
my %record = @{ redis_cmd('HGETALL', 'pki:{demo}:cert:' . serial_of($::cert)) };
my $serial = '5b' . '00' x 15;

redis_cmd('HSET', "pki:{demo}:cert:$serial", %record,
          not_after => time - 31 * 86400);

is(words(ocsp_post('/ocsp', {})), 'good', 'a valid one');
is(words(ocsp_post('/ocsp', { serial => $serial })), 'unauthorized',
   'one that is forgotten');
is(words(ocsp_post('/off', { serial => $serial })), 'good',
   'off: nothing is forgotten');



=== TEST 30: ocsp_retention of nothing
--- config
location /ocsp { ocsp_responder demo; ocsp_retention 0; }
--- must_die
--- error_log
invalid parameter "0" in "ocsp_retention": a time, e.g. "365d", or "off" would be right



=== TEST 31: ocsp_retention that is no time
--- config
location /ocsp { ocsp_responder demo; ocsp_retention forever; }
--- must_die
--- error_log
invalid parameter "forever" in "ocsp_retention"



=== TEST 32: ocsp_retention twice
--- config
location /ocsp { ocsp_responder demo; ocsp_retention off;
                 ocsp_retention 1d; }
--- must_die
--- error_log
"ocsp_retention" directive is duplicate



=== TEST 33: ocsp_request_signature: inherited, overridden
--- http_config eval
"ocsp_request_signature require trusted_certificate=$::bundle;"
--- config eval
$::common . <<'END'
location /ocsp   { ocsp_responder demo; ocsp_request_signature ignore; }
location /all    { ocsp_responder demo; }
location /verify { ocsp_responder demo; ocsp_request_signature verify;
                   if ($args) { add_header X-Args $args; } }
END
--- perl
setup();
my %signed = (requestor_of => $::asker,
              sign => { key => $::asker_key, certs => [ $::asker ] });

is(words(ocsp_post('/ocsp', {})), 'good', 'ignore: unsigned');
is(words(ocsp_post('/ocsp', \%signed)), 'good', 'ignore: signed');
is(words(ocsp_post('/all', {})), 'sign_required', 'require: unsigned');
is(words(ocsp_post('/all', \%signed)), 'good', 'require: signed');
is(words(ocsp_post('/verify', {})), 'good', 'verify: unsigned');
is(words(ocsp_post('/verify', \%signed)), 'unauthorized',
   'verify: signed by somebody in the file of another level');
is(words(ocsp_post('/verify?a=b', \%signed)), 'unauthorized',
   'verify: the same in "if"');



=== TEST 34: ocsp_request_signature maybe
--- config
location /ocsp { ocsp_responder demo; ocsp_request_signature maybe; }
--- must_die
--- error_log
invalid parameter "maybe" in "ocsp_request_signature": "ignore", "verify" or "require"



=== TEST 35: ocsp_request_signature with an unknown parameter
--- config
location /ocsp { ocsp_responder demo; ocsp_request_signature verify ca=a; }
--- must_die
--- error_log
invalid parameter "ca=a" in "ocsp_request_signature": "trusted_certificate=file" would be right



=== TEST 36: ocsp_request_signature with a file that it would not look at
--- config
location /ocsp { ocsp_responder demo;
                 ocsp_request_signature ignore trusted_certificate=a; }
--- must_die
--- error_log
"ocsp_request_signature" directive has "trusted_certificate", which needs "verify" or "require"



=== TEST 37: ocsp_request_signature with a file that there is not
--- config
location /ocsp { ocsp_responder demo;
                 ocsp_request_signature verify trusted_certificate=none.pem; }
--- must_die
--- error_log
cannot open trusted certificates "



=== TEST 38: ocsp_request_signature with a file without certificates
--- config eval
"location /ocsp { ocsp_responder demo; ocsp_request_signature verify
                 trusted_certificate=$::empty; }"
--- must_die
--- error_log
no certificates, or broken ones, in "



=== TEST 39: ocsp_request_signature with a file that is broken at its end
--- config eval
"location /ocsp { ocsp_responder demo; ocsp_request_signature verify
                 trusted_certificate=$::broken; }"
--- must_die
--- error_log
no certificates, or broken ones, in "



=== TEST 40: ocsp_request_signature twice
--- config
location /ocsp { ocsp_responder demo; ocsp_request_signature verify;
                 ocsp_request_signature verify; }
--- must_die
--- error_log
"ocsp_request_signature" directive is duplicate



=== TEST 41: ocsp_responder_id key, name
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; }
location /key  { ocsp_responder demo; ocsp_responder_id key; }
location /name { ocsp_responder demo; ocsp_responder_id name; }
END
--- perl
my $der = setup();
is(ocsp_get($_, $der)->{responder}, $_ eq '/name' ? 'by_name' : 'by_key', $_)
    for (qw( /ocsp /key /name )) x 4;



=== TEST 42: ocsp_responder_id hash
--- config
location /ocsp { ocsp_responder demo; ocsp_responder_id hash; }
--- must_die
--- error_log
invalid parameter "hash" in "ocsp_responder_id": "key" or "name" would be right



=== TEST 43: ocsp_responder_id twice
--- config
location /ocsp { ocsp_responder demo; ocsp_responder_id key;
                 ocsp_responder_id name; }
--- must_die
--- error_log
"ocsp_responder_id" directive is duplicate



=== TEST 44: ocsp_error_status: T16: errors by HTTP, too
--- config eval
$::common . <<'END'
location /ocsp   { ocsp_responder demo; ocsp_request_signature require; }
location /status { ocsp_responder demo; ocsp_request_signature require;
                   ocsp_error_status on; }
location /plain  { ocsp_responder demo; ocsp_error_status on; }
END
--- perl
setup('/plain');

sub told {
    my ($uri, $request) = @_;
    my $r = ocsp_post($uri, $request);
    is($r->{headers}{'content-type'}, 'application/ocsp-response',
       'an OCSP response all the same');
    return "$r->{http} " . words($r);
}

my ($der) = ocsp_make({});
my $foreign = { key => '6b' x 20 };

is(told('/ocsp', 'x'), '200 malformed_request', 'off');
is(told('/ocsp', $der), '200 sign_required', 'off');
is(told('/status', 'x'), '400 malformed_request', 'on');
is(told('/status', $der), '403 sign_required', 'on');
is(told('/plain', $foreign), '403 unauthorized', 'on');
is(told('/plain', $der), '200 good', 'no error');

redis_stop();
my $r = ocsp_post('/plain', { serial => '4e4d' });
is("$r->{http} $r->{error}", '503 try_later', 'on: without Redis');
like($r->{headers}{'retry-after'}, qr/^\d+$/, 'and when to come again');
is($r->{headers}{'cache-control'}, 'no-store, max-age=0', 'not to be kept');
redis_start();
--- error_log
redis



=== TEST 45: ocsp_error_status 500
--- config
location /ocsp { ocsp_responder demo; ocsp_error_status 500; }
--- must_die
--- error_log
invalid value "500" in "ocsp_error_status" directive



=== TEST 46: ocsp_compromised: of one location, not of the others
--- http_config
ocsp_compromised 2020-02-29T23:59:59Z;
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; ocsp_compromised off; }
location /bad  { ocsp_responder demo; }
END
--- perl
my $der = setup();

for (1 .. 4) {
    is(words(ocsp_get('/ocsp', $der)), 'good', 'off: good');
    is(words(ocsp_get('/bad', $der)), 'revoked', 'revoked');
}



=== TEST 47: ocsp_compromised of another form
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 2020-02-29; }
--- must_die
--- error_log
invalid parameter "2020-02-29" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 48: ocsp_compromised of a day that there was not
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 2021-02-29T00:00:00Z; }
--- must_die
--- error_log
invalid parameter "2021-02-29T00:00:00Z" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 49: ocsp_compromised of an hour that there is not
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 2020-01-01T24:00:00Z; }
--- must_die
--- error_log
invalid parameter "2020-01-01T24:00:00Z" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 50: ocsp_compromised with a fraction
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 2020-01-01T00:00:00.5Z; }
--- must_die
--- error_log
invalid parameter "2020-01-01T00:00:00.5Z" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 51: ocsp_compromised in local time
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 2020-01-01T00:00:00+; }
--- must_die
--- error_log
invalid parameter "2020-01-01T00:00:00+" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 52: ocsp_compromised of the future
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 2999-01-01T00:00:00Z; }
--- must_die
--- error_log
invalid parameter "2999-01-01T00:00:00Z" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 53: ocsp_compromised before 1970
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised 1969-12-31T23:59:59Z; }
--- must_die
--- error_log
invalid parameter "1969-12-31T23:59:59Z" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 54: ocsp_compromised on
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised on; }
--- must_die
--- error_log
invalid parameter "on" in "ocsp_compromised": "off" or a time of the past in UTC



=== TEST 55: ocsp_compromised twice
--- config
location /ocsp { ocsp_responder demo; ocsp_compromised off;
                 ocsp_compromised off; }
--- must_die
--- error_log
"ocsp_compromised" directive is duplicate



=== TEST 56: ocsp_validity: backdate, inherited and none
--- http_config
ocsp_validity backdate=60s;
--- config eval
$::common . <<'END'
location /ocsp { ocsp_responder demo; }
location /none { ocsp_responder demo; ocsp_validity backdate=0; }
END
--- perl
my $der = setup();

for ([ '/ocsp', 60 ], [ '/none', 0 ]) {
    my ($uri, $expected) = @$_;
    my $r = ocsp_post($uri, $der);
    my $ago = $r->{produced_at}{at} - $r->{this_update}{at};
    ok($ago >= $expected && $ago <= $expected + 5, "$uri: $ago seconds ago");
}



=== TEST 57: ocsp_validity: backdate that is no time
--- config
location /ocsp { ocsp_responder demo; ocsp_validity backdate=soon; }
--- must_die
--- error_log
invalid parameter "backdate=soon" in "ocsp_validity"



=== TEST 58: ocsp_validity: backdate twice
--- config
location /ocsp { ocsp_responder demo; ocsp_validity backdate=1s backdate=1s; }
--- must_die
--- error_log
"ocsp_validity" directive is duplicate



=== TEST 59: ocsp_validity: backdate by more than a validity
--- config
location /ocsp { ocsp_responder demo; ocsp_validity backdate=61s; }
--- must_die
--- error_log
"backdate" of "ocsp_validity" is 61 seconds, more than a validity of 60 seconds
