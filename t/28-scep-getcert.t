# GetCert (scep.md O4): which certificate it gives, to whom, in what form; what
# it refuses, and that this tells nothing of what is in an envelope.

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

http_config("log_format scep '\$scep_message_type|\$scep_status|"
            . "\$scep_fail_info|\$scep_challenge_result|\$pki_serial';",
            authority('demo'), authority('other'),
            authority('curve', key => 'ec:P-256', more => 'ra auto;'),
            'pki_profile short { validity 20d; }');

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log scep;
scep_challenge static $TEST_NGINX_WORK/challenge;
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
location /scep     { scep demo; }
location /short    { scep demo; scep_profile short; }
location /other    { scep other; }
END

our $curve = <<'END';
location = /probe { pki_probe; }
location /scep    { scep curve; scep_challenge none insecure; }
END

our $rolled = authority('before') . authority('after',
                                              more => 'previous before;');

our ($bad_alg, $bad_check, $bad_request, $bad_id) =
    map { "FAILURE $_" } qw( badAlg badMessageCheck badRequest badCertId );

our $ready;

# nginx has started by then: what it makes at its first start, CAs and RAs, has
# the time of the block before, which is why blocks put the clock back

sub start {
    clock_step(0);
    scep_ready('/probe') or die 'not ready';
}

# two of them, once

sub start_with {
    start();
    $ready++ or enrol('member'), enrol('device');
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

# who signs with a certificate of ours

sub as {
    my ($name) = @_;
    return (signer_cert => "$::work/$name.pem",
            signer_key => "$::work/$name.scep");
}

# a GetCert about a certificate in a file, by "member" if nobody else signs

sub ask {
    my ($about, %o) = @_;
    %o = (as('member'), %o)
        if !grep { exists $o{$_} } qw( signer_cert signer_key key );
    return scep_ask($o{uri} || '/scep', type => 21, about => $about,
                    map { $_ => $o{$_} } grep { $_ ne 'uri' } keys %o);
}

sub octets_of {
    my ($file) = @_;
    return openssl('x509', '-in', $file, '-outform', 'DER');
}

# what Redis is asked while the code runs

sub asked_while {
    my ($code) = @_;

    my $monitor = work_file('monitor', '');
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        open STDOUT, '>', $monitor;
        { exec 'redis-cli', '-p', redis()->port, 'MONITOR' };
        POSIX::_exit(127);
    }

    wait_until(sub { -s $monitor }, 5);
    $code->();
    redis_cmd('PING');
    select undef, undef, undef, 0.2;
    kill TERM => $pid;
    waitpid $pid, 0;

    return grep { /"pki:\{demo\}:cert:/ } split /\n/, slurp($monitor);
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: O4: a certificate, to whoever has one
--- config eval
$::locations
--- perl
start_with();
my $r = ask("$::work/device.pem", cert => "$::work/got.pem");
is(scep_brief($r), 'SUCCESS', "another's");
is($r->{serial}, serial_of("$::work/device.pem"));
is(octets_of("$::work/got.pem"), octets_of("$::work/device.pem"),
   'as it was issued');
is(scep_brief(ask("$::work/member.pem")), 'SUCCESS', 'its own');

my $csr = new_csr(key => "$::work/device.scep", subject => '/CN=rest');
my (undef, undef, $cert) = enroll('/enroll', $csr);
is(scep_brief(ask($cert)), 'SUCCESS', 'one that came by REST');

for (['by GET', get => 1], ['BER', ber => 1],
     ['AES-256, SHA-512', cipher => 'aes-256-cbc', digest => 'sha512'],
     ['OAEP', transport => 'oaep-sha256'], ['3DES', cipher => 'des3'],
     ['key identifiers', signer_ski => 1, recipient_ski => 1])
{
    my ($what, @options) = @$_;
    is(scep_brief(ask("$::work/device.pem", @options)), 'SUCCESS', $what);
}



=== TEST 2: O4: a certificate, to whoever has its key
--- config eval
$::locations
--- perl
start_with();
my @own = (key => 'device', signer_subject => 'CN=anybody');
is(scep_brief(ask("$::work/device.pem", @own)), 'SUCCESS',
   'its own, self-signed');
is(scep_brief(ask("$::work/member.pem", @own)), $::bad_id, "another's");
is(scep_brief(ask("$::work/device.pem", key => 'stranger')), $::bad_id,
   'a stranger');
is(scep_brief(ask("$::work/device.pem", key => 'stranger', challenge => 'x')),
   $::bad_id, 'whatever he says');
--- error_log
who asks for a certificate has none that is good, nor its key



=== TEST 3: O4: what was asked for may be revoked, or expired
--- config eval
$::locations
--- perl
start_with();
enrol('old', '/short');
enrol('bad');
is(revoke("$::work/bad.pem", 'keyCompromise'), 200);
is(scep_brief(ask("$::work/bad.pem")), 'SUCCESS', 'revoked');
clock_step(21 * $::day);
is(scep_brief(ask("$::work/old.pem")), 'SUCCESS', 'expired');
clock_step(0);



=== TEST 4: O4: who asks may be neither
--- config eval
$::locations
--- perl
start_with();
enrol('lost');
enrol('aged', '/short');
is(scep_brief(ask("$::work/device.pem", as('lost'))), 'SUCCESS', 'good');

is(revoke("$::work/lost.pem", 'certificateHold'), 200);
is(scep_brief(ask("$::work/device.pem", as('lost'))), $::bad_id, 'on hold');
is(release("$::work/lost.pem"), 200);
is(scep_brief(ask("$::work/device.pem", as('lost'))), 'SUCCESS', 'released');
is(revoke("$::work/lost.pem", 'keyCompromise'), 200);
is(scep_brief(ask("$::work/device.pem", as('lost'))), $::bad_id, 'revoked')
    for 1 .. 4;
is(scep_brief(ask("$::work/lost.pem", as('lost'))), 'SUCCESS',
   'but of its own it has the key');

is(scep_brief(ask("$::work/device.pem", as('aged'))), 'SUCCESS', 'good');
clock_step(20 * $::day + 60);
is(scep_brief(ask("$::work/device.pem", as('aged'))), $::bad_id, 'expired');
is(scep_brief(ask("$::work/aged.pem", as('aged'))), 'SUCCESS', 'its own');
clock_step(-2 * $::day);
is(scep_brief(ask("$::work/device.pem", as('aged'))), $::bad_id,
   'not valid yet');
clock_step(0);



=== TEST 5: O4: who asks is revoked, and Redis has come back from a backup
--- config eval
$::locations
--- perl
start_with();
my $key = 'pki:{demo}:cert:' . enrol('backup');
is(scep_brief(ask("$::work/device.pem", as('backup'))), 'SUCCESS', 'good');
is(revoke("$::work/backup.pem", 'keyCompromise'), 200);
redis_cmd('HSET', $key, 'status', 'good');
redis_cmd('HDEL', $key, 'revoked_at', 'reason', 'revoked_by');
is(scep_brief(ask("$::work/device.pem", as('backup'))), $::bad_id,
   'the zone knows better');
is(scep_brief(ask("$::work/backup.pem", as('backup'))), 'SUCCESS', 'its own');



=== TEST 6: O4, S5: who asks with a certificate that is none of ours
--- config eval
$::locations
--- perl
start_with();
enrol('foreign', '/other', ca => "$::work/other.pem");
my $key = "$::work/thief.key";
openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-subj', '/O=Test/CN=demo CA', '-keyout', $key,
        '-out', "$::work/twin.pem");

for (['of another authority', as('foreign')],
     ['a CA of the same name', signer_cert => "$::work/twin.pem",
      signer_key => $key],
     ["a member's, forged", signer_like => "$::work/member.pem",
      signer_key => $key],
     ["a member's, signed anew by itself",
      signer_like => "$::work/member.pem",
      signer_key => "$::work/member.scep"],
     ["the certificate asked for, forged",
      signer_like => "$::work/device.pem", signer_key => $key],
     ["the CA's, forged", signer_like => "$::work/demo.pem",
      signer_key => $key],
     ["a member's, beside its own", first_cert => "$::work/member.pem",
      signer_key => $key],
     ['a serial number of 33 octets', signer_key => $key,
      signer_subject => 'CN=demo CA,O=Test', signer_serial => '77' x 33])
{
    my ($what, @options) = @$_;
    is(scep_brief(ask("$::work/device.pem", @options)), $::bad_id, $what);
}

is(scep_brief(ask("$::work/device.pem", signer_cert => "$::work/member.pem",
                  signer_key => $key)), $::bad_check, "another's key");
is(scep_brief(ask("$::work/device.pem", signer_cert => "$::work/demo.pem",
                  signer_key => "$::work/demo.key")), $::bad_id,
   'the CA itself') if !$ENV{PKI_KEY};



=== TEST 7: O4: certificates of nobody, of others
--- config eval
$::locations
--- perl
start_with();
for (['unknown', about_serial => '40' . '11' x 16],
     ['of one octet', about_serial => '00'],
     ['negative', about_serial => 'c0' x 17],
     ['of another authority', about => "$::work/other.pem"],
     ['a known number of another authority', about_issuer => 'CN=x'],
     ['the authority itself', about => "$::work/demo.pem"])
{
    my ($what, %options) = @$_;
    my $about = delete $options{about} || "$::work/device.pem";
    my $r = ask($about, %options);
    is(scep_brief($r), $::bad_id, $what);
    is($r->{fail_info_text}, undef, "$what: no text");
}
--- error_log
there is no such certificate
the certificate is of another authority



=== TEST 8: what is wrong inside the envelope does not show
--- config eval
$::locations
--- perl
start_with();
my @wrong = (
    ['of nobody', about_issuer => ''],
    ['nearly of this one', about_issuer => 'CN=demo CA,O=test'],
    ['the same name in other words', about_issuer => 'O=Test,CN=demo CA'],
    ['something behind it', trailing_csr => '00'],
    ['a serial number of 21 octets', about_serial => '40' x 21],
    ['none', about_serial => ''],
    ['of more octets than it needs', about_serial => '00' . '11' x 16],
    ['nothing', payload => work_file('empty', '')],
    ['rubbish', payload => work_file('noise', 'x' x 50)],
    ['half of it', payload => work_file('half', "\x30\x20\x30\x10")],
    ['a key identifier',
     payload => work_file('key-id', "\x80\x14" . 'x' x 20)],
    ['indefinite length',
     payload => work_file('ber', "\x30\x80\x30\x00\x02\x01\x01\0\0")],
    ['a PKCS#10', about => [], challenge => 'open sesame'],
    ['a broken envelope', broken => 'envelope'],
    ['a wrong content key', broken => 'cek']);

for my $who ([as('member')], [key => 'stranger']) {
    for (@wrong) {
        my ($what, %options) = @$_;
        my $r = ask(delete $options{about} || "$::work/device.pem", @$who,
                    %options);
        is(scep_brief($r), $::bad_id, $what);
        is($r->{fail_info_text}, undef, "$what: no text");
    }
}
--- no_error_log
[error]
[warn]
--- error_log
the envelope names no certificate
the envelope cannot be opened



=== TEST 9: nor does it by what is asked of Redis
--- config eval
$::locations
--- perl
start_with();
my $file = "$::work/device.pem";
for my $who (['a member', 2, as('member')], ['a stranger', 1,
             key => 'stranger'])
{
    my ($name, $questions, @who) = @$who;
    for (['as it should be'], ['unknown', about_serial => '40' . '11' x 16],
         ['of others', about_issuer => 'CN=x'],
         ['a wrong envelope', broken => 'envelope'],
         ['a wrong content key', broken => 'cek'],
         ['rubbish', payload => work_file('noise', 'x' x 50)])
    {
        my ($what, @options) = @$_;
        my @asked = asked_while(sub { ask($file, @who, @options) });
        is(scalar @asked, $questions, "$name: $what");
    }
}



=== TEST 10: refused like any other message
--- config eval
$::locations
--- perl
start_with();
for (['signature', $::bad_check, broken => 'signature'],
     ['digest', $::bad_check, broken => 'digest'],
     ['no certificate', $::bad_check, no_cert => 1],
     ['single DES', $::bad_alg, cipher => 'des'],
     ['MD5', $::bad_alg, digest => 'md5'],
     ['for another authority', $::bad_id, recipient => "$::work/other.pem"],
     ['no nonce', $::bad_request, omit => 'nonce'],
     ['no envelope', $::bad_request, no_envelope => 1],
     ['two types', $::bad_request, dup_value => '19'])
{
    my ($what, $answer, @options) = @$_;
    is(scep_brief(ask("$::work/device.pem", @options)), $answer, $what);
}
is(scep_brief(ask("$::work/device.pem", key => 'ec', key_type => 'ec:P-256')),
   $::bad_alg, 'an EC key, which no answer could be enveloped for');
--- no_error_log
[error]
[warn]



=== TEST 11: an EC authority, whose RA opens and signs
--- config eval
$::curve
--- perl
start();
my ($ra, $ca) = scep_recipient('curve');
my %o = (ca => $ra, issuer => $ca);
enrol('rsa', undef, %o);
enrol('ec', undef, %o, key_type => 'ec:P-256', signer_key =>
      "$::work/rsa.scep");
is(scep_brief(ask("$::work/ec.pem", %o, as('rsa'))), 'SUCCESS',
   'one with an EC key');
is(scep_brief(ask($ra, %o, as('rsa'))), 'SUCCESS', 'that of the RA');
is(scep_brief(ask("$::work/ec.pem", %o, key => 'rsa')), $::bad_id,
   'an RSA key is not that');



=== TEST 12: variables in the log
--- config eval
$::locations
--- perl
start_with();
work_file('access.log', '');
ask("$::work/device.pem");
ask("$::work/device.pem", key => 'stranger');
my @lines;
wait_until(sub { @lines = split /\n/, slurp("$::work/access.log");
                 @lines >= 2 });
is($lines[0], 'GetCert|SUCCESS|-|-|-', 'given');
is($lines[1], 'GetCert|FAILURE|badCertId|-|-', 'refused');



=== TEST 13: Redis is away
--- config eval
$::locations
--- perl
start_with();
my @messages = map { scep_make(type => 21, about => "$::work/device.pem",
                               as('member'), @$_) }
               [], [about_issuer => 'CN=x'], [broken => 'envelope'];
redis_stop();
is(scep_brief(scep_send('/scep', $_)), $::bad_request, 'no answer, whatever')
    for @messages;
redis_restart();
ok(wait_until(sub { scep_brief(scep_send('/scep', $messages[0]))
                    eq 'SUCCESS' }), 'it is back');



=== TEST 14: O4: a certificate of the authority before, after a roll-over
--- http_config eval
$::rolled
--- config
scep_challenge none insecure;
location = /probe { pki_probe; }
location /old     { scep before; }
location /new     { scep after; }
--- perl
start();
my @old = (ca => "$::work/before.pem");
my @new = (ca => "$::work/after.pem");
enrol('veteran', '/old', @old);
enrol('recruit', '/new', @new);
is(scep_brief(ask("$::work/veteran.pem", @new, uri => '/new', as('recruit'),
                  issuer => $old[1])), 'SUCCESS', 'to one of the new one');
is(scep_brief(ask("$::work/recruit.pem", @new, uri => '/new',
                  as('veteran'))), 'SUCCESS', 'one of the new one, to it');
is(scep_brief(ask("$::work/recruit.pem", @old, uri => '/old',
                  as('veteran'))), $::bad_id, 'not of the next one');
