# Renewal (scep.md O2, S5, S6): by RenewalReq and by a PKCSReq that a held
# certificate signs; who may renew, when, and what the new certificate may say.
# Its directive is tested here, too.  The rest of a roll-over is in 15.

use lib 't/lib';
use PKI::Clock;
use PKI;
use PKI::Client;
use PKI::OCSP;
use PKI::Scep;

redis_start(appendonly => 1);

work_file('challenge', "open sesame\n");

our $work = work_dir();
our $day = 24 * 60 * 60;

http_config(
    "log_format scep '\$scep_message_type|\$scep_status|\$scep_fail_info|"
    . "\$scep_challenge_result|\$pki_serial';",
    authority('demo', more => 'ra auto;'), authority('other'), <<'END');
scep_challenge static $TEST_NGINX_WORK/challenge;
pki_profile short   { validity 20d; }
pki_profile cipher  { key_usage keyEncipherment; }
pki_profile copying { copy_extension 1.2.3.4.5; }
pki_profile names {
    allow_san dns .;
    allow_san ip .;
    allow_san email .;
    allow_san uri .;
    allow_san upn .;
}
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log scep;
location = /probe  { pki_probe; }
location /held     { scep demo; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
location /scep     { scep demo; scep_renewal on within=0; }
location /window   { scep demo; scep_renewal on; }
location /short    { scep demo; scep_renewal on; scep_profile short; }
location /strict   { scep demo; scep_renewal on within=5d;
                     scep_profile short; }
location /grace    { scep demo; scep_renewal on expired=10d;
                     scep_profile short; }
location /off      { scep demo; }
location /cipher   { scep demo; scep_renewal on within=0;
                     scep_profile cipher; }
location /copying  { scep demo; scep_renewal on within=0;
                     scep_profile copying; }
location /names    { scep demo; scep_renewal on within=0;
                     scep_profile names; }
location /open     { scep demo; scep_renewal on within=0;
                     scep_challenge none insecure; }
location /other    { scep other; scep_renewal on within=0; }
END

our $rolled = authority('before') . authority('after',
                                              more => 'previous before;');

# a roll-over that only changes the key

our $twins = join '', map {
    my $text = authority($_, more => $_ eq 'twin2' ? 'previous twin1;' : '');
    $text =~ s/CN=twin. CA/CN=twin CA/;
    $text;
} 'twin1', 'twin2';

our ($bad_check, $bad_request, $bad_time, $bad_id) =
    map { "FAILURE $_" } qw( badMessageCheck badRequest badTime badCertId );

our ($ready, $ra);

sub start {
    clock_step(0);
    scep_ready('/probe') or die 'not ready';
    $ra ||= redis_cmd('HGETALL', 'pki:{demo}:ra');
    $PKI::Scep::recipient ||= [ scep_recipient('demo') ];
    $ready++ or enrol('held', '/held');
}

# At the end of a block: an RA that was renewed in the future would be the one
# that signs in the next block, when it is not valid yet.

sub clock_back {
    clock_step(0);
    redis_cmd('DEL', 'pki:{demo}:ra');
    redis_cmd('HSET', 'pki:{demo}:ra', @$ra);
}

# a certificate by its challenge: NAME.pem, its key is NAME.scep

sub enrol {
    my ($name, $uri, %o) = @_;

    my $r = scep_ask($uri || '/scep', challenge => 'open sesame', key => $name,
                     subject => "CN=$name,O=Test", cert => "$::work/$name.pem",
                     %o);
    scep_brief($r) eq 'SUCCESS' or die "$name: " . scep_brief($r);
    return $r->{serial};
}

# a message that this certificate signs, for a new one with the same key

sub renewal {
    my ($name, %o) = @_;

    return (type => 17, key => $name, subject => "CN=$name,O=Test",
            signer_cert => "$::work/$name.pem",
            signer_key => "$::work/$name.scep", %o);
}

sub renew {
    my ($uri, $name, %o) = @_;
    return scep_ask($uri, renewal($name, %o));
}

sub record_of {
    my ($serial, $authority) = @_;
    $authority ||= 'demo';
    return { @{ redis_cmd('HGETALL', "pki:{$authority}:cert:$serial") } };
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: O2: RenewalReq, with the same key and with a new one
--- config eval
$::locations
--- perl
start();
my $serial = serial_of("$::work/held.pem");

my $r = renew('/scep', 'held', cert => "$::work/same.pem");
is(scep_brief($r), 'SUCCESS', 'the same key');
like(error_log(), qr/renewal, asked for by certificate \Q$serial\E while/,
     'in the log');
isnt($r->{serial}, $serial, 'a new certificate');
is($r->{subject}, 'CN=held,O=Test');

scep_make(key => 'next');
$r = renew('/scep', 'held', key => 'next', cert => "$::work/next.pem");
is(scep_brief($r), 'SUCCESS', 'a new key');

my $second = scep_ask('/scep', renewal('held', key => 'last',
                      signer_cert => "$::work/next.pem",
                      signer_key => "$::work/next.scep"));
is(scep_brief($second), 'SUCCESS', 'and the new one renews in turn');

for (['by GET', get => 1], ['BER', ber => 1],
     ['AES-256, SHA-512', cipher => 'aes-256-cbc', digest => 'sha512'],
     ['OAEP', transport => 'oaep-sha256'], ['3DES', cipher => 'des3'],
     ['signer by its key identifier', signer_ski => 1],
     ['the challenge of before', challenge => 'open sesame'])
{
    my ($what, @options) = @$_;
    is(scep_brief(renew('/scep', 'held', @options)), 'SUCCESS', $what);
}



=== TEST 2: O2: PKCSReq signed by a held certificate, without a challenge
--- config eval
$::locations
--- perl
start();
my ($before, $there) = (issued('demo'), issued('other'));
for (['none'], ['an empty one', challenge => '']) {
    my ($what, @options) = @$_;
    my $r = renew('/scep', 'held', type => 19, @options);
    is(scep_brief($r), 'SUCCESS', $what);
}
is(issued('demo'), $before + 2);

is(scep_brief(renew('/scep', 'held', type => 19, challenge => 'guess')),
   $::bad_request, 'a wrong challenge is wrong');
is(scep_brief(renew('/scep', 'held', type => 19, subject => 'CN=boss')),
   $::bad_request, 'another subject');
is(scep_brief(scep_ask('/scep', key => 'held', subject => 'CN=held,O=Test')),
   $::bad_request, 'self-signed, no challenge');
is(scep_brief(renew('/other', 'held', type => 19, ca => "$::work/other.pem")),
   $::bad_request, 'a certificate of another authority');
is(issued('demo'), $before + 2, 'nothing more');
is(issued('other'), $there, 'nor there');

is(scep_brief(renew('/scep', 'held', type => 19, subject => 'CN=anew',
                    challenge => 'open sesame')),
   'SUCCESS', 'with the challenge it is as any other request');
--- error_log
the challenge is wrong
there is no challenge
a renewal may not change the subject



=== TEST 3: S1: scep_renewal off
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
is(scep_brief(renew('/off', 'held')), $::bad_request, 'RenewalReq');
is(scep_brief(renew('/off', 'held', challenge => 'open sesame')),
   $::bad_request, 'with a challenge');
is(scep_brief(renew('/off', 'held', type => 19)), $::bad_request, 'PKCSReq');
is(issued('demo'), $before, 'nothing is issued');
--- error_log
RenewalReq, but "scep_renewal" is off
there is no challenge



=== TEST 4: C6: the capability Renewal
--- config eval
$::locations
--- perl
start();
for ('/scep', '/window', '/off') {
    my (undef, undef, $caps) = http_get("$_?operation=GetCACaps");
    is(scalar(() = $caps =~ /^Renewal$/mg), $_ eq '/off' ? 0 : 1, $_);
}



=== TEST 5: R11: a retry gets the same certificate
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
my $m = scep_make(renewal('held', txn => 'retry'));
my $r = scep_send('/scep', $m);
is(scep_brief($r), 'SUCCESS');
is(scep_send('/scep', $m)->{serial}, $r->{serial}, 'the same message') for 1, 2;
is(renew('/scep', 'held', txn => 'retry')->{serial}, $r->{serial},
   'made anew');
is(renew('/scep', 'held', txn => 'retry', type => 19)->{serial}, $r->{serial},
   'as a PKCSReq');
is(issued('demo'), $before + 1, 'one certificate');

isnt(renew('/scep', 'held', txn => 'another')->{serial}, $r->{serial},
     'another transaction');

$before = issued('demo');
my @r = scep_send_all('/scep', map { scep_make(renewal('held', txn => 'rush')) }
                               1 .. 12);
my %serials = map { ($_->{serial} // scep_brief($_)) => 1 } @r;
is(keys %serials, 1, 'twelve at once');
is(issued('demo'), $before + 1, 'one certificate');



=== TEST 6: O2: the challenge of a RenewalReq is not looked at
--- config eval
$::locations
--- perl
start();
work_file('access.log', '');
for my $challenge ('open sesame', 'guess', '') {
    is(scep_brief(renew('/scep', 'held', challenge => $challenge)), 'SUCCESS',
       "'$challenge'");
}
is(scep_brief(scep_ask('/scep', type => 17, key => 'stranger',
                       challenge => 'open sesame')),
   $::bad_id, 'nor does it help who has no certificate');
my @lines;
wait_until(sub { @lines = split /\n/, slurp("$::work/access.log");
                 @lines >= 4 });
like($lines[0], qr/^RenewalReq\|SUCCESS\|-\|-\|[0-9a-f]+$/, 'in the log');
is($lines[3], 'RenewalReq|FAILURE|badCertId|-|-', 'refused');



=== TEST 7: S5: a certificate of nobody here
--- config eval
$::locations
--- perl
start();
enrol('foreign', '/other', ca => "$::work/other.pem");
my $before = issued('demo');

openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-subj', '/O=Test/CN=demo CA', '-keyout', "$::work/twin.key",
        '-out', "$::work/twin.pem");

# the serial number of the victim, and its names, by a CA of the same name

work_file('sub.csr', openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes',
                             '-subj', '/O=Test/CN=held',
                             '-keyout', "$::work/sub.scep"));
openssl('x509', '-req', '-in', "$::work/sub.csr", '-CA', "$::work/twin.pem",
        '-CAkey', "$::work/twin.key", '-days', 9, '-out', "$::work/sub.pem",
        '-set_serial', '0x' . serial_of("$::work/held.pem"));

my %as_held = (subject => 'CN=held,O=Test');

for (['self-signed', signer_key => "$::work/twin.key"],
     ["self-signed, with the authority's name",
      signer_key => "$::work/twin.key", signer_subject => 'CN=demo CA,O=Test'],
     ['of another authority here', signer_cert => "$::work/foreign.pem",
      signer_key => "$::work/foreign.scep"],
     ['of a CA of the same name', signer_cert => "$::work/sub.pem",
      signer_key => "$::work/sub.scep"],
     ['that CA itself', signer_cert => "$::work/twin.pem",
      signer_key => "$::work/twin.key"],
     ["the victim's, forged for another key",
      signer_like => "$::work/held.pem", signer_key => "$::work/twin.key"],
     ["the CA's, likewise", signer_like => "$::work/demo.pem",
      signer_key => "$::work/twin.key"],
     ["the victim's own, signed anew by itself",
      signer_like => "$::work/held.pem", signer_key => "$::work/held.scep"],
     ['a serial number of 33 octets', signer_key => "$::work/twin.key",
      signer_subject => 'CN=demo CA,O=Test', signer_serial => '77' x 33],
     ['one of no number', signer_key => "$::work/twin.key",
      signer_subject => 'CN=demo CA,O=Test', signer_serial => '80' x 20])
{
    my ($what, @options) = @$_;
    for my $type (17, 19) {
        my $r = scep_ask('/scep', type => $type, key => 'thief', %as_held,
                         @options);
        my $of_demo = $type == 17 || $what !~ /self-signed$|here/;
        is(scep_brief($r), $of_demo ? $::bad_id : $::bad_request,
           "$what, type $type");
    }
}
is(issued('demo'), $before, 'nothing is issued');
--- error_log
the certificate that signs is none of this authority



=== TEST 8: S5: the CA's certificate, the RA's
--- config eval
$::locations
--- perl
start();
my ($ra, $ca) = scep_recipient('demo');
my $before = issued('demo');

my (undef, $pem) = command('/usr/bin/python3', 't/tools/ra_entry.py', 'open',
                           "$::work/demo.ra", 'demo', "$::work/demo.key");
work_file('ra.key', $pem);

for (['CA', $ca, "$::work/demo.key", 'CN=demo CA,O=Test'],
     ['RA', $ra, "$::work/ra.key", 'CN=demo CA RA,O=Test'])
{
    my ($what, $cert, $key, $subject) = @$_;
    for my $type (17, 19) {
        my $r = scep_ask('/scep', type => $type, key => 'thief',
                         subject => $subject, signer_cert => $cert,
                         signer_key => $key);
        is(scep_brief($r), $::bad_id, "$what, type $type");
    }
}
is(issued('demo'), $before, 'nothing is issued');
--- error_log
the certificate that signs is none of this authority
the certificate that signs is of another profile



=== TEST 9: S5: revoked, on hold, released
--- config eval
$::locations
--- perl
start();
enrol('lost');
my $m = scep_make(renewal('lost', txn => 'before'));
is(scep_brief(scep_send('/scep', $m)), 'SUCCESS', 'good');

is(revoke("$::work/lost.pem", 'certificateHold'), 200);
is(scep_brief(renew('/scep', 'lost')), $::bad_id, 'on hold');
is(scep_brief(renew('/scep', 'lost', type => 19)), $::bad_id, 'by PKCSReq');
is(scep_brief(scep_send('/scep', $m)), $::bad_id, 'not even the retry');

is(release("$::work/lost.pem"), 200);
is(scep_brief(renew('/scep', 'lost')), 'SUCCESS', 'released');

my $before = issued('demo');
is(revoke("$::work/lost.pem", 'keyCompromise'), 200);
is(scep_brief(renew('/scep', 'lost')), $::bad_id, 'revoked') for 1 .. 8;
is(scep_brief(renew('/open', 'lost')), $::bad_id, 'anywhere');
is(issued('demo'), $before, 'nothing is issued');
--- error_log
the certificate that signs is on hold
the certificate that signs is revoked



=== TEST 10: S5: revoked after it was renewed: the retry is refused, too
--- config eval
$::locations
--- perl
start();
my $m = scep_make(renewal('held', txn => 'late'));
my $r = scep_send('/scep', $m, cert => "$::work/late.pem");
is(scep_brief($r), 'SUCCESS');
is(revoke("$::work/late.pem", 'superseded'), 200);
is(scep_brief(scep_send('/scep', $m)), $::bad_request,
   'what it got is revoked');
--- error_log
the certificate of this transaction is revoked



=== TEST 11: S5, S2: of another profile, another location
--- config eval
$::locations
--- perl
start();
enrol('brief', '/short');
is(scep_brief(renew('/short', 'brief')), 'SUCCESS', 'where it comes from');
my $before = issued('demo');
for my $type (17, 19) {
    is(scep_brief(renew('/scep', 'brief', type => $type)), $::bad_id,
       "not of this profile, type $type");
    is(scep_brief(renew('/short', 'held', type => $type)), $::bad_id,
       'nor the other way round');
    is(scep_brief(renew('/copying', 'held', type => $type)), $::bad_id,
       'nor for a third');
}
is(issued('demo'), $before, 'nothing is issued');

my $csr = new_csr(key => "$::work/held.scep", subject => '/O=Test/CN=rest');
my (undef, undef, $cert) = enroll('/enroll', $csr);
is(scep_brief(renew('/scep', 'held', signer_cert => $cert,
                    subject => 'CN=rest,O=Test')), 'SUCCESS',
   'by REST, with the same profile');
--- error_log
the certificate that signs is of another profile



=== TEST 12: S5: a certificate whose key may not sign
--- config eval
$::locations
--- perl
start();
enrol('cipher', '/cipher');
for my $type (17, 19) {
    is(scep_brief(renew('/cipher', 'cipher', type => $type)), $::bad_id,
       "type $type");
}
--- error_log
the certificate that signs has not the key usage digitalSignature



=== TEST 13: S5: other names
--- config eval
$::locations
--- perl
start();
my @names = ('DNS:a.example', 'email:a@a.example', 'IP:192.0.2.1',
             'UPN:a@a.example', 'URI:urn:a');
enrol('named', '/names', san => \@names);
my $before = issued('demo');

for (['another subject', subject => 'CN=boss'],
     ['one more attribute', subject => 'CN=named,O=Test,OU=Board'],
     ['one fewer', subject => 'CN=named'],
     ['in another order', subject => 'O=Test,CN=named'],
     ['in capitals', subject => 'CN=NAMED,O=Test'],
     ['two in one', subject => 'CN=named+O=Test'],
     ['none', subject => '', san => \@names],
     ['another host', san => 'DNS:b.example'],
     ['one more', san => [@names, 'DNS:b.example']],
     ['a part of a name', san => 'DNS:example'],
     ['a longer one', san => 'DNS:www.a.example'],
     ['of another kind', san => 'UPN:a.example'],
     ['a UPN out of an address', san => 'UPN:192.0.2.1'],
     ['another address', san => 'IP:192.0.2.2'],
     ['another UPN', san => 'UPN:administrator@a.example'],
     ['a UPN out of two names',
      san => 'UPN:a@a.example,DNS:a.example'])
{
    my ($what, @options) = @$_;
    is(scep_brief(renew('/names', 'named', @options)), $::bad_request, $what);
}
is(issued('demo'), $before, 'nothing is issued');

for (['all', \@names], ['in another order', [reverse @names]],
     ['some', [@names[1, 3]]], ['none', []])
{
    my ($what, $san) = @$_;
    is(scep_brief(renew('/names', 'named', san => $san)), 'SUCCESS',
       "of its names: $what");
}

is(scep_brief(renew('/names', 'named', cert => "$::work/sid.pem",
                    san => [$names[0], 'URI:tag:microsoft.com,2022-09-14:sid:'
                                       . 'S-1-5-21-1-2-3-500'])),
   'SUCCESS', 'an account, as a URI');
unlike(openssl('x509', '-in', "$::work/sid.pem", '-noout', '-text'),
       qr/tag:microsoft/, 'is left out');

# what a renewal has lost is lost for the one after it

my $r = renew('/names', 'named', san => 'DNS:a.example',
              cert => "$::work/fewer.pem");
is(scep_brief($r), 'SUCCESS', 'one');
is(scep_brief(renew('/names', 'named', san => \@names,
                    signer_cert => "$::work/fewer.pem")), $::bad_request,
   'not all again');
--- error_log
a renewal may not change the subject
a renewal may not add a subject alternative name



=== TEST 14: S5: separators within names
--- config eval
$::locations
--- perl
start();
enrol('commas', '/names', san => 'UPN:x,DNS:boss.example,UPN:y');
for (['a name within it', 'DNS:boss.example'], ['its begin', 'UPN:x'],
     ['its end', 'UPN:y'], ['a part', 'UPN:x,DNS:boss.example'],
     ['a comma more', 'UPN:x,DNS:boss.example,UPN:y,'],
     ['two of them', ['UPN:x,', 'UPN:x,DNS:boss.example,UPN:y']])
{
    my ($what, $san) = @$_;
    is(scep_brief(renew('/names', 'commas', san => $san)), $::bad_request,
       $what);
}
is(scep_brief(renew('/names', 'commas',
                    san => 'UPN:x,DNS:boss.example,UPN:y')), 'SUCCESS', 'it');



=== TEST 15: S10, S5: extensions that the profile copies
--- config eval
$::locations
--- perl
start();
my @other = (extension => '1.2.3.4.5:-:0c036d6564');
enrol('plain', '/copying');
enrol('marked', '/copying', @other);

is(scep_brief(renew('/copying', 'plain')), 'SUCCESS', 'none as before');
is(scep_brief(renew('/copying', 'plain', @other)), $::bad_request, 'added');
is(scep_brief(renew('/copying', 'marked', @other)), 'SUCCESS', 'as before');
is(scep_brief(renew('/copying', 'marked')), 'SUCCESS', 'left out');
is(scep_brief(renew('/copying', 'marked',
                    extension => '1.2.3.4.5:-:0c03626164')), $::bad_request,
   'another');
is(scep_brief(renew('/copying', 'marked',
                    extension => '1.2.3.4.5:critical:0c036d6564')),
   $::bad_request, 'critical now');

# Microsoft's security identifier is never copied

is(scep_brief(renew('/scep', 'held', cert => "$::work/sid.pem",
                    extension => '1.3.6.1.4.1.311.25.2:-:30060c04532d3121')),
   'SUCCESS', 'an account');
unlike(openssl('x509', '-in', "$::work/sid.pem", '-noout', '-text'),
       qr/1\.3\.6\.1\.4\.1\.311\.25\.2/, 'left out');
--- error_log
a renewal may not add or change an extension



=== TEST 16: O2: when: the window
--- config eval
$::locations
--- perl
start();
enrol('timed', '/window');                          # for 365 days
is(scep_brief(renew('/window', 'timed')), $::bad_time, 'at once');
is(scep_brief(renew('/window', 'timed', type => 19)), $::bad_time,
   'by PKCSReq');

clock_step(334 * $::day);
is(scep_brief(renew('/window', 'timed')), $::bad_time, '31 days before');
clock_step(336 * $::day);
my $r = renew('/window', 'timed', cert => "$::work/timed2.pem");
is(scep_brief($r), 'SUCCESS', '29 days before');
is(scep_brief(renew('/window', 'timed', signer_cert => "$::work/timed2.pem")),
   $::bad_time, 'and that not again at once');
clock_step(0);

enrol('strict', '/strict');                         # for 20 days
for ([14 * $::day, $::bad_time, 'six days before'],
     [16 * $::day, 'SUCCESS', 'four days before'],
     [20 * $::day - 60, 'SUCCESS', 'a minute before'],
     [20 * $::day + 60, $::bad_time, 'a minute after'])
{
    my ($step, $answer, $what) = @$_;
    clock_step($step);
    is(scep_brief(renew('/strict', 'strict')), $answer, $what);
}
clock_step(0);

enrol('fleeting', '/short');
is(scep_brief(renew('/short', 'fleeting')), 'SUCCESS',
   'a life within the window');
clock_back();
--- error_log
it is too early to renew the certificate that signs
the certificate that signs has expired



=== TEST 17: O2: when: expired, not yet valid
--- config eval
$::locations
--- perl
start();
enrol('tardy', '/grace');
for ([20 * $::day + 60, 'SUCCESS', 'a minute after its end'],
     [29 * $::day, 'SUCCESS', 'nine days'],
     [30 * $::day + 60, $::bad_time, 'ten days, and a minute'],
     [-2 * $::day, $::bad_time, 'before it is valid'])
{
    my ($step, $answer, $what) = @$_;
    clock_step($step);
    is(scep_brief(renew('/grace', 'tardy', type => $_)), $answer,
       "$what, type $_") for 17, 19;
}

clock_step(21 * $::day);
is(revoke("$::work/tardy.pem", 'keyCompromise'), 200);
is(scep_brief(renew('/grace', 'tardy')), $::bad_id, 'expired and revoked');
clock_back();
--- error_log
the certificate that signs has expired
the certificate that signs is not valid yet



=== TEST 18: S6: the victim's certificate beside the attacker's own
--- config eval
$::locations
--- perl
start();
scep_make(key => 'thief');
my $before = issued('demo');
my @thief = (key => 'thief', subject => 'CN=held,O=Test',
             signer_key => "$::work/thief.scep");

for (['first', $::bad_id, first_cert => "$::work/held.pem"],
     ['first, the signer by its key identifier', $::bad_id,
      first_cert => "$::work/held.pem", signer_ski => 1],
     ['named, but another key signs', $::bad_check,
      signer_cert => "$::work/held.pem"],
     ['named, and the forged one first', $::bad_check,
      signer_cert => "$::work/held.pem", first_cert => "$::work/held.pem"],
     ['not there', $::bad_check, signer_cert => "$::work/held.pem",
      no_cert => 1],
     ['signed by nobody', $::bad_request, signer_cert => "$::work/held.pem",
      signer_key => "$::work/held.scep", signers => 0],
     ['signed twice', $::bad_request, signer_cert => "$::work/held.pem",
      signer_key => "$::work/held.scep", signers => 2],
     ['a broken signature', $::bad_check, signer_cert => "$::work/held.pem",
      signer_key => "$::work/held.scep", broken => 'signature'],
     ["the request's own signature is wrong", $::bad_check,
      signer_cert => "$::work/held.pem", signer_key => "$::work/held.scep",
      broken => 'csr'])
{
    my ($what, $answer, @options) = @$_;
    for my $type (17, 19) {
        my $r = scep_ask('/scep', type => $type, @thief, @options);
        my $wanted = $answer;
        $wanted = $::bad_request if $type == 19 && $answer eq $::bad_id;
        $wanted = 'HTTP 400' if $what =~ /nobody|twice/;
        is(scep_brief($r), $wanted, "$what, type $type");
    }
}
is(issued('demo'), $before, 'nothing is issued');

my $r = renew('/scep', 'held', first_cert => "$::work/demo.pem");
is(scep_brief($r), 'SUCCESS', 'others beside the right one do no harm');



=== TEST 19: S25: the answer is for the key that signs
--- config eval
$::locations
--- perl
start();
my $r = renew('/scep', 'held', key => 'fresh');
is(scep_brief($r), 'SUCCESS', 'not for that of the request');
is(scep_brief(renew('/scep', 'held', key => 'ec', key_type => 'ec:P-256')),
   'SUCCESS', 'nor for one that could not open it');



=== TEST 20: the record: who it is about is copied, who asked is not
--- config eval
$::locations
--- perl
start();
my $serial = enrol('owned', undef, san => 'DNS:owned.example');
redis_cmd('HSET', "pki:{demo}:cert:$serial", 'device', 'd-17', 'user', 'alice',
          'requester', '192.0.2.1');
my $r = renew('/scep', 'owned', san => 'DNS:owned.example', txn => 'copied');
is(scep_brief($r), 'SUCCESS');
my $new = record_of($r->{serial});
is($new->{device}, 'd-17', 'device');
is($new->{user}, 'alice', 'user');
is($new->{requester}, '127.0.0.1', 'requester');
is($new->{transaction}, 'copied', 'transaction');
is($new->{source}, 'scep', 'source');
is($new->{status}, 'good', 'status');
is(record_of($serial)->{status}, 'good', 'the old one stays as it is');



=== TEST 21: S5: what Redis has is the truth
--- config eval
$::locations
--- perl
start();
my $serial = enrol('gone');
my $key = "pki:{demo}:cert:$serial";
my $record = record_of($serial);
my $before = issued('demo');

redis_cmd('HSET', $key, 'der', record_of(serial_of("$::work/held.pem"))->{der});
is(scep_brief(renew('/scep', 'gone')), $::bad_id, 'another certificate');
redis_cmd('HSET', $key, 'der', $record->{der} . "\0");
is(scep_brief(renew('/scep', 'gone')), $::bad_id, 'an octet more');
redis_cmd('HSET', $key, 'der', $record->{der}, 'status', 'odd');
is(scep_brief(renew('/scep', 'gone')), $::bad_request, 'a malformed record');
redis_cmd('HSET', $key, 'status', 'good');
is(scep_brief(renew('/scep', 'gone')), 'SUCCESS', 'as it was');
redis_cmd('DEL', $key);
is(scep_brief(renew('/scep', 'gone')), $::bad_id, 'none');
is(issued('demo'), $before, 'one issued, one gone');



=== TEST 22: S5: Redis has come back from a backup
--- config eval
$::locations
--- perl
start();
my $serial = enrol('backup');
my $key = "pki:{demo}:cert:$serial";
my $before = issued('demo');

for my $reason ('certificateHold', 'keyCompromise') {
    is(revoke("$::work/backup.pem", $reason), 200);
    redis_cmd('HSET', $key, 'status', 'good');
    redis_cmd('HDEL', $key, 'revoked_at', 'reason', 'revoked_by');
    is(scep_brief(renew('/scep', 'backup')), $::bad_id, $reason);
}

is(issued('demo'), $before, 'nothing is issued');



=== TEST 23: S5: a renewal does not overtake a revocation
--- config eval
$::locations
--- perl
start();
my $serial = enrol('raced');

# the script that adds a record, as nginx calls it

my $monitor = work_file('monitor', '');
my $pid = fork() // die "fork: $!";

if (!$pid) {
    open STDOUT, '>', $monitor;
    { exec 'redis-cli', '-p', redis()->port, 'MONITOR' };
    POSIX::_exit(127);
}

wait_until(sub { -s $monitor }, 5);
my $r = renew('/scep', 'raced');
is(scep_brief($r), 'SUCCESS');
is(record_of($r->{serial})->{renewed}, $serial, 'recorded, what it renews');
redis_cmd('PING');
select undef, undef, undef, 0.2;
kill TERM => $pid;
waitpid $pid, 0;

my ($sha, $old) = slurp($monitor)
    =~ /"EVALSHA" "([0-9a-f]{40})" "7" (?:"[^"]*" ){6}"([^"]*)"/i;
is($old, "pki:{demo}:cert:$serial", 'the script is told what is renewed');

my $add = sub {
    my ($new) = @_;
    return redis_cmd('EVALSHA', $sha, 7,
        (map { "pki:{raced}:$_" } 'ca', "cert:$new", 'issued', 'log',
         'expires', "txn:$new"), $old, $new, 1000, 2000, 60, '', '',
        'txn', 'renewed', 0, 'der', 'octets', 'status', 'good')->[0];
};
is($add->('01'), 'ok', 'good');
is(revoke("$::work/raced.pem", 'keyCompromise'), 200);
is($add->('02'), 'revoked', 'revoked in between');
is(redis_cmd('EXISTS', 'pki:{raced}:cert:02'), 0, 'nothing is recorded');
is(redis_cmd('EXISTS', 'pki:{raced}:txn:02'), 0);



=== TEST 24: Redis is away
--- config eval
$::locations
--- perl
start();
my @messages = map { scep_make(renewal('held')) } 1 .. 3;
my $before = issued('demo');
redis_stop();
is(scep_brief(scep_send('/scep', $_)), $::bad_request, 'refused') for @messages;
redis_restart();
ok(wait_until(sub { scep_brief(scep_send('/scep', $messages[0]))
                    eq 'SUCCESS' }), 'it is back');
is(issued('demo'), $before + 1);



=== TEST 25: manual approval is not for renewals
--- config
location = /probe { pki_probe; }
location /held    { scep demo; }
location /manual  { scep demo; scep_renewal on within=0;
                    scep_approval manual; }
location /none    { scep demo; scep_renewal on within=0;
                    scep_approval manual; scep_challenge none; }
--- perl
start();
my $r = renew('/manual', 'held');
is(scep_brief($r), 'SUCCESS', 'RenewalReq');
is(scep_brief(renew('/manual', 'held', type => 19)), 'SUCCESS', 'PKCSReq');
is(scep_brief(renew('/none', 'held', type => 19)), 'SUCCESS',
   'PKCSReq where nothing asks for a challenge');
is(scep_brief(renew('/manual', 'held', subject => 'CN=boss')),
   $::bad_request, 'no other names by that');



=== TEST 26: O2: a certificate of the authority before, after a roll-over
--- http_config eval
$::rolled
--- config
location = /probe { pki_probe; }
location /held    { scep demo; }
location /before/ { certificate_master before;
                    certificate_master_user someone;
                    certificate_master_roles admin; }
location /old     { scep before; scep_renewal on within=0; }
location /new     { scep after; scep_renewal on within=0; }
--- perl
start();
my @old = (ca => "$::work/before.pem");
my @new = (ca => "$::work/after.pem");
enrol('veteran', '/old', @old);
enrol('recruit', '/new', @new);

is(scep_brief(renew('/new', 'veteran', @new, cert => "$::work/moved.pem")),
   'SUCCESS', 'RenewalReq, by the new one');
is(scep_brief(renew('/new', 'veteran', @new, type => 19)), 'SUCCESS',
   'PKCSReq');
is(scep_brief(renew('/old', 'veteran', @new)), 'SUCCESS',
   'at the old address, enveloped for the new one');
is(scep_brief(renew('/old', 'veteran', @old)), 'SUCCESS', 'for the old one');
is(scep_brief(renew('/new', 'veteran', @new,
                    signer_cert => "$::work/moved.pem")), 'SUCCESS',
   'and what it got renews in turn');

my $before = issued('before') + issued('after');
is(scep_brief(renew('/old', 'recruit', @old)), $::bad_id,
   'not the other way round');
is(scep_brief(renew('/new', 'veteran', @new, subject => 'CN=boss')),
   $::bad_request, 'another subject');
is(scep_brief(renew('/new', 'held', @new)), $::bad_id, 'a third authority');
is(scep_brief(scep_ask('/new', type => 17, @new, key => 'thief',
                       subject => 'CN=veteran,O=Test',
                       signer_like => "$::work/veteran.pem")), $::bad_id,
   'forged');
is(scep_brief(scep_ask('/new', type => 17, @new, key => 'thief',
                       subject => 'CN=before CA,O=Test',
                       signer_cert => "$::work/before.pem",
                       signer_key => "$::work/before.key")), $::bad_id,
   'the old CA itself') if !$ENV{PKI_KEY};
is(revoke("$::work/veteran.pem", 'keyCompromise', '/before'), 200);
is(scep_brief(renew('/new', 'veteran', @new)), $::bad_id, 'revoked there');
is(issued('before') + issued('after'), $before, 'nothing is issued');



=== TEST 27: O2: the same with one name for both
--- http_config eval
$::twins
--- config
location = /probe { pki_probe; }
location /held    { scep demo; }
location /new     { scep twin2; scep_renewal on within=0; }
location /old     { scep twin1; scep_renewal on within=0; }
--- perl
start();
my @old = (ca => "$::work/twin1.pem");
my @new = (ca => "$::work/twin2.pem");
is(openssl('x509', '-in', $old[1], '-noout', '-subject'),
   openssl('x509', '-in', $new[1], '-noout', '-subject'), 'one name');
enrol('elder', '/old', @old);
enrol('younger', '/new', @new);
for my $type (17, 19) {
    is(scep_brief(renew('/new', 'elder', @new, type => $type)), 'SUCCESS',
       "of the old one, type $type");
    is(scep_brief(renew('/new', 'younger', @new, type => $type)), 'SUCCESS',
       "of the new one, type $type");
    is(scep_brief(scep_ask('/new', type => $type, @new, key => 'thief',
                           subject => 'CN=elder,O=Test',
                           signer_like => "$::work/elder.pem")), $::bad_id,
       "forged, type $type");
}



=== TEST 28: scep_renewal, inherited
--- http_config
scep_renewal on within=0;
--- config
location = /probe { pki_probe; }
location /held    { scep demo; }
location /one     { scep demo; }
location /two     { scep demo; scep_renewal off; }
location /three   { scep demo; scep_renewal on; }
location /four    { scep demo;
                    if ($arg_x) { set $x 1; } }
--- perl
start();
is(scep_brief(renew('/one', 'held')), 'SUCCESS', 'of http{}');
is(scep_brief(renew('/two', 'held')), $::bad_request, 'off');
is(scep_brief(renew('/three', 'held')), $::bad_time,
   'as a whole: within is 30d again');
is(scep_brief(renew('/four?x=1&operation=PKIOperation', 'held')), 'SUCCESS',
   'in an if');



=== TEST 29: scep_renewal with all of its parameters
--- config
location = /probe { pki_probe; }
location /held    { scep demo; }
location /scep { scep demo; scep_renewal on expired=1w within=1w;
                 scep_profile short; }
location /long { scep demo; scep_renewal on within=21d;
                 scep_profile short; }
--- perl
start();
enrol('params', '/scep');
is(scep_brief(renew('/scep', 'params')), $::bad_time, 'too early');
is(scep_brief(renew('/long', 'params')), 'SUCCESS', 'not for this one');
clock_step(14 * $::day);
is(scep_brief(renew('/scep', 'params')), 'SUCCESS', 'within');
clock_step(26 * $::day);
is(scep_brief(renew('/scep', 'params')), 'SUCCESS', 'after');
clock_step(28 * $::day);
is(scep_brief(renew('/scep', 'params')), $::bad_time, 'too late');
clock_back();



=== TEST 30: scep_renewal without parameters
--- config
scep_renewal;
--- must_die
--- error_log
invalid number of arguments in "scep_renewal" directive



=== TEST 31: scep_renewal of another kind
--- config
scep_renewal always;
--- must_die
--- error_log
"scep_renewal" directive must be "on [within=time] [expired=time]" or "off"



=== TEST 32: scep_renewal off with a parameter
--- config
scep_renewal off within=1d;
--- must_die
--- error_log
"scep_renewal" directive must be "on [within=time] [expired=time]" or "off"



=== TEST 33: scep_renewal twice
--- config
scep_renewal on;
scep_renewal off;
--- must_die
--- error_log
"scep_renewal" directive is duplicate



=== TEST 34: scep_renewal with a parameter that is not there
--- config
scep_renewal on grace=1d;
--- must_die
--- error_log
"grace=1d" in "scep_renewal", it takes "within=" and "expired="



=== TEST 35: scep_renewal with the same twice
--- config
scep_renewal on within=1d within=2d;
--- must_die
--- error_log
invalid parameter "within=2d" in "scep_renewal"



=== TEST 36: scep_renewal with no time
--- config
scep_renewal on within=;
--- must_die
--- error_log
invalid parameter "within=", it must be a time, as "within=30d"



=== TEST 37: scep_renewal with what is no time
--- config
scep_renewal on expired=soon;
--- must_die
--- error_log
invalid parameter "expired=soon", it must be a time, as "expired=30d"



=== TEST 38: scep_renewal with a negative time
--- config
scep_renewal on expired=-1;
--- must_die
--- error_log
invalid parameter "expired=-1", it must be a time, as "expired=30d"
