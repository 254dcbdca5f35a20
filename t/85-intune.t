# Microsoft's acceptance matrix for certificate authorities beside Intune
# (TestMatrix.csv, in its words and its order): who gets a certificate, what is
# in it, what Intune is told of it, what the administrator is told.  S20: nothing
# is delivered of which Intune does not know.  Faults and hostile answers are in
# 88, what is sent later in 87, revocation requests in 86, directives in 84.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Intune;
use PKI::OCSP qw( ocsp_defaults ocsp_post );
use PKI::Scep;

use Time::HiRes qw( time );
use Time::Piece ();

redis_start();
start_azure();

our $work = work_dir();
our $profiles = <<'END';
pki_profile month  { validity 30d; backdate 1h; }
pki_profile narrow { allow_subject "^CN=good"; }
END

work_file('wrong.secret', 'wrong');

http_config(authority('demo'), intune_directives(), $profiles,
    intune_identity('intruder',
        client_secret_file => '$TEST_NGINX_WORK/wrong.secret'),
    intune_identity('stranger',
        tenant => '99999999-2222-3333-4444-555555555555'));

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe { pki_probe; }
location /intune  { scep demo; scep_profile intune;
                    scep_challenge intune identity=contoso
                                   revocation=off; }
location /month   { scep demo; scep_profile month;
                    scep_challenge intune identity=contoso
                                   revocation=off; }
location /narrow  { scep demo; scep_profile narrow;
                    scep_challenge intune identity=contoso
                                   revocation=off; }
location /renewal { scep demo; scep_profile intune;
                    scep_challenge intune identity=contoso
                                   revocation=off;
                    scep_renewal on within=0; }
location /later   { scep demo; scep_profile intune;
                    scep_challenge intune identity=contoso
                                   wait_success=off revocation=off; }
location /intruder { scep demo; scep_profile intune;
                    scep_challenge intune identity=intruder
                                   revocation=off; }
location /stranger { scep demo; scep_profile intune;
                    scep_challenge intune identity=stranger
                                   revocation=off; }
location /ocsp    { ocsp_responder demo; }
END

our $tunnel = '1.3.6.1.5.5.7.3.6';
our $client = '1.3.6.1.5.5.7.3.2';

# Ordered like this, asked for like this: the certificate as text.

sub issued_as {
    my ($what, $uri, %order) = @_;

    my $order = intune_order(%order);
    my $r = intune_issued($what, intune_ask($uri, $order), $order);

    intune_obeyed();

    return $r ? ($r, openssl('x509', '-in', $r->{cert}, '-noout', '-text'))
              : ({ cert => '/dev/null' }, '');
}

sub subject_is {
    my ($what, $subject) = @_;

    my ($r) = issued_as($what, '/intune', subject => $subject);
    is($r->{subject}, $subject, "$what: as it was ordered");
    return;
}

# What openssl says of an extension.

sub extension {
    my ($text, $name) = @_;
    my ($found) = $text =~ /X509v3 \Q$name\E:(?: critical)?\s*\n\s*(.*?)\s*\n/;
    return $found;
}

# Ordered, tampered with on the way: not issued, and this code of Intune.

sub tampered {
    my ($what, $code, $order, %tampered) = @_;

    my $before = issued('demo');

    intune_refused($what, intune_ask('/intune', $order, %tampered),
                   code => $code);
    is(issued('demo'), $before, "$what: nothing is issued");
    is_deeply(azure_intune()->{succeeded}, [], "$what: nothing is told");
    return;
}

sub serials {
    return map { /([0-9a-f]+)\z/ } @{ redis_cmd('KEYS', 'pki:{demo}:cert:*') };
}

# Issued, but Intune does not know of it: the client has nothing, and the
# certificate is good nowhere; when Intune does answer, it gets another one.

sub withdrawn {
    my ($what, $fault) = @_;

    my %before = map { $_ => 1 } serials();
    my $order = intune_order();

    azure_fault(op => 'success', count => -1, %$fault);
    my $r = intune_ask('/intune', $order);

    intune_refused($what, $r, result => $fault->{result} // 'unavailable',
                   code => $fault->{said});

    my @new = grep { !$before{$_} } serials();
    is(scalar @new, 1, "$what: one record") or return;

    my %record = intune_record($new[0]);
    is($record{status}, 'revoked', "$what: revoked");
    is($record{reason}, 5, "$what: cessation of operation");
    is($record{revoked_by}, 'intune', "$what: by intune");

    ocsp_defaults(ca => "$::work/demo.pem");
    is(ocsp_post('/ocsp', { serial => $new[0] })->{status}, 'revoked',
       "$what: OCSP says so");

    azure_reset();

    my $later = intune_ask('/intune', $order, txn => $r->{txn});
    is(scep_brief($later), 'SUCCESS', "$what: asked again");
    isnt($later->{serial} // '', $new[0], "$what: never delivered");
    return;
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $::locations) if !defined $block->config;
});

log_level('info');
run_tests();

__DATA__

=== TEST 1: Validation Period Configuration
--- perl
intune_ready();
my ($r) = issued_as('30 days', '/month');
my ($from, $to) = openssl('x509', '-in', $r->{cert}, '-noout', '-dates',
                          '-dateopt', 'iso_8601') =~ /=(\S+ \S+)Z/g;
($from, $to) = map { Time::Piece->strptime($_, '%Y-%m-%d %H:%M:%S')->epoch }
               $from, $to;
cmp_ok(abs($to - time() - 30 * 86400), '<', 60, 'for 30 days from now on');
cmp_ok(abs(time() - $from - 3600), '<', 60, 'and an hour before');



=== TEST 2: SN Format: Common Name
--- perl
intune_ready();
subject_is('a name', 'CN=Alice Example');
subject_is('an id', 'CN=0d2d1f5c-8c0a-4b8e-9b1f-6a8f5d3c2b1a');



=== TEST 3: SN Format: Common Name with email
--- perl
intune_ready();
subject_is('name and email',
           '1.2.840.113549.1.9.1=alice@contoso.example,CN=Alice Example');



=== TEST 4: SN Format: Common name as email
--- perl
intune_ready();
subject_is('email', 'CN=alice@contoso.example');



=== TEST 5: SN Format: IMEI
--- perl
intune_ready();
subject_is('IMEI', 'CN=356938035643809');



=== TEST 6: SN Format: Serial number
--- perl
intune_ready();
subject_is('as common name', 'CN=C02XG2JHJG5H');
subject_is('as serial number', '2.5.4.5=C02XG2JHJG5H,CN=laptop');



=== TEST 7: SN Format: Custom
--- perl
intune_ready();
subject_is('custom', 'CN=alice,OU=Sales \\+ Support,OU=Devices,'
                     . 'O=Contoso\\, Ltd.,L=Köln,ST=NRW,C=DE');



=== TEST 8: SAN: Email
--- perl
intune_ready();
my ($r, $text) = issued_as('email', '/intune',
                           san => ['email:alice@contoso.example']);
is(extension($text, 'Subject Alternative Name'),
   'email:alice@contoso.example', 'in the certificate');



=== TEST 9: SAN: UPN
--- perl
intune_ready();
my ($r, $text) = issued_as('UPN', '/intune',
                           san => ['UPN:alice@contoso.example']);
like(extension($text, 'Subject Alternative Name'),
     qr/^othername: UPN::alice\@contoso\.example\z/, 'in the certificate');
my %record = intune_record($r->{serial});
is($record{user}, 'alice@contoso.example', 'and the user of the record');



=== TEST 10: SAN: Email and UPN
--- perl
intune_ready();
my ($r, $text) = issued_as('both', '/intune',
                           san => ['email:a@contoso.example',
                                   'UPN:alice@contoso.example']);
is(extension($text, 'Subject Alternative Name'),
   'email:a@contoso.example, othername: UPN::alice@contoso.example',
   'in the certificate');



=== TEST 11: Key Usage: Digital signature
--- perl
intune_ready();
my ($r, $text) = issued_as('signature', '/intune',
                           key_usage => ['digitalSignature']);
is(extension($text, 'Key Usage'), 'Digital Signature', 'in the certificate');



=== TEST 12: Key Usage: Key encipherment
--- perl
intune_ready();
my ($r, $text) = issued_as('encipherment', '/intune',
                           key_usage => ['keyEncipherment']);
is(extension($text, 'Key Usage'), 'Key Encipherment', 'in the certificate');



=== TEST 13: Key Usage: Digital signature and Key encipherment
--- perl
intune_ready();
my ($r, $text) = issued_as('both', '/intune',
                           key_usage => ['digitalSignature',
                                         'keyEncipherment']);
is(extension($text, 'Key Usage'), 'Digital Signature, Key Encipherment',
   'in the certificate');



=== TEST 14: Key Size: 1024
Too weak for this authority: Intune is told that it failed.
--- perl
intune_ready();
my $before = issued('demo');
my $r = intune_ask('/intune', intune_order(key_size => 1024));
isnt($r->{status} // '', 'SUCCESS', 'not issued');
is(issued('demo'), $before, 'nothing is recorded');
intune_obeyed();



=== TEST 15: Key Size: 2048
--- perl
intune_ready();
for my $size (2048, 4096) {
    my ($r, $text) = issued_as("$size bits", '/intune', key_size => $size);
    like($text, qr/Public-Key: \($size bit\)/, 'in the certificate');
}



=== TEST 16: Hash Alg: SHA-1
The device signs by it; no certificate is signed so.
--- perl
intune_ready();
my ($r, $text) = issued_as('SHA-1', '/intune', digest => 'sha1');
like($text, qr/Signature Algorithm: sha256/, 'the certificate by SHA-256');



=== TEST 17: Hash Alg: SHA-2
--- perl
intune_ready();
for my $digest ('sha256', 'sha384', 'sha512') {
    my ($r, $text) = issued_as($digest, '/intune', digest => $digest);
    like($text, qr/Signature Algorithm: sha256/, 'the certificate by SHA-256');
}



=== TEST 18: Hash Alg: SHA-1 & SHA-2
--- perl
intune_ready();
issued_as('both', '/intune', digest => 'sha256', csr_digest => 'sha1');
issued_as('the other way', '/intune', digest => 'sha1',
          csr_digest => 'sha256');



=== TEST 19: Extended Key Usage: Client Authentication
--- perl
intune_ready();
my ($r, $text) = issued_as('client', '/intune', eku => [$::client]);
is(extension($text, 'Extended Key Usage'),
   'TLS Web Client Authentication', 'in the certificate');



=== TEST 20: Extended Key Usage: Ipsec Tunnel
--- perl
intune_ready();
my ($r, $text) = issued_as('tunnel', '/intune', eku => [$::tunnel]);
is(extension($text, 'Extended Key Usage'), 'IPSec Tunnel',
   'in the certificate');
($r, $text) = issued_as('both', '/intune', eku => [$::client, $::tunnel]);
is(extension($text, 'Extended Key Usage'),
   'TLS Web Client Authentication, IPSec Tunnel', 'in the certificate');



=== TEST 21: Renewal
With the challenge of a new order, signed by the certificate there was, as
Windows does it; Intune is asked and told as for the first one.
--- perl
intune_ready();
my %order = (subject => 'CN=renewed', san => ['UPN:r@contoso.example']);
my $order = intune_order(%order);
my $r = intune_issued('first', intune_ask('/renewal', $order), $order) or return;

for my $type (19, 17) {
    my $again = intune_order(%order, key => "renewed$type");
    my $new = intune_ask('/renewal', $again, type => $type,
                         key => "renewed$type", signer_cert => $r->{cert},
                         signer_key => "$::work/intune2048.scep");
    intune_issued("renewed by a message of type $type", $new, $again);
    isnt($new->{serial}, $r->{serial}, 'another certificate');

    my $spent = intune_order(%order, lifetime => -1);
    my $refused = intune_ask('/renewal', $spent, type => $type,
                             signer_cert => $r->{cert},
                             signer_key => "$::work/intune2048.scep");
    intune_refused("what Intune does not order, type $type", $refused,
                   code => 'ChallengeExpired');
}
intune_obeyed();



=== TEST 22: Challenge Authentication Failure
--- perl
intune_ready();
tampered('an old order', 'ChallengeExpired', intune_order(lifetime => -1));
tampered('an order from tomorrow', 'ChallengeInvalidTimestamp',
         intune_order(delay => 86400));
tampered('garbled', 'ChallengeDeserializationError',
         intune_order(garbled => 1));
tampered('not base64', 'ChallengeDecodingError', intune_order(),
         challenge => 'open sesame');
tampered('of somebody else', 'ChallengeDecryptionError', intune_order(),
         challenge => 'A' x 2800);
tampered('subject', 'SubjectNameMismatch', intune_order(),
         subject => 'CN=Administrator');
tampered('one more attribute', 'SubjectNameMismatch',
         intune_order(subject => 'CN=x'), subject => 'CN=x,O=y');
tampered('no subject', 'SubjectNameMissing',
         intune_order(san => ['UPN:a@b.example']), subject => '');
tampered('SAN', 'SubjectAltNameMismatch',
         intune_order(san => ['UPN:a@b.example']),
         san => ['UPN:admin@b.example']);
tampered('one more SAN', 'SubjectAltNameMismatch',
         intune_order(san => ['UPN:a@b.example']),
         san => ['UPN:a@b.example', 'UPN:admin@b.example']);
tampered('SAN where none was ordered', 'SubjectAltNameMismatch',
         intune_order(), san => ['UPN:admin@b.example']);
tampered('no SAN', 'SubjectAltNameMissing',
         intune_order(san => ['UPN:a@b.example']), san => undef);
tampered('key usage', 'KeyUsageMismatch', intune_order(), key_usage => '0780');
tampered('EKU', 'EnhancedKeyUsageMismatch', intune_order(),
         eku => [$::tunnel]);
tampered('no EKU', 'EnhancedKeyUsageMissing', intune_order(), eku => undef);
tampered('key size', 'KeyLengthMismatch', intune_order(),
         key_type => 'rsa:3072', key => 'large');
intune_obeyed();

my $before = issued('demo');
my $r = intune_ask('/intune', intune_order(), challenge => undef);
is(scep_brief($r), 'FAILURE badRequest', 'no challenge');
is(intune_line($r->{txn})->{scep_challenge_result}, 'missing', 'it is missing');
is(issued('demo'), $before, 'nothing is issued');
is(azure_counters()->{requests}{validate}, 16, 'Intune is not asked then');



=== TEST 23: Challenge Authentication Failure - 2: HTTP 500 on validate
--- perl
intune_ready();
intune_faulty('500', { op => 'validate', do => 'status', code => 'InternalError' },
       log => qr/\b500\b/);



=== TEST 24: Success Notification Failure: HTTP 500 on success
--- timeout: 90
--- perl
intune_ready();
withdrawn('500', { do => 'status', code => 'InternalError' });
intune_obeyed();



=== TEST 25: Communication Failure: Entra does not accept the key
--- perl
intune_ready();
my $before = issued('demo');
my $r = intune_ask('/intruder', intune_order());
intune_refused('wrong key', $r, result => 'unavailable');
is(issued('demo'), $before, 'nothing is issued');
is(azure_counters()->{requests}{validate}, undef, 'Intune is not asked');
is(azure_counters()->{requests}{graph}, undef, 'nor is Graph');
$before = issued('demo');
intune_refused('wrong tenant', intune_ask('/stranger', intune_order()),
               result => 'unavailable');
is(issued('demo'), $before, 'nothing is issued');
is(azure_counters()->{requests}{validate}, undef, 'Intune is not asked');



=== TEST 26: two parallel identical requests
--- perl
intune_ready();
my $before = issued('demo');
azure_latency(validate => 200);
my $order = intune_order();
my %o = %$order;
delete $o{device};
my $message = scep_make(%o, txn => "twice-$$");
my @r = scep_send_all('/intune', ($message) x 4);
is(scep_brief($_), 'SUCCESS', 'issued') for @r;
my %serials = map { ($_->{serial} // 'none') => 1 } @r;
is(scalar keys %serials, 1, 'the same certificate');
is(issued('demo'), $before + 1, 'one record');
my %told = map { $_->{certificateSerialNumber} => 1 }
           @{ azure_intune()->{succeeded} };
is(join(' ', keys %told), uc $r[0]{serial}, 'Intune was told of this one');
intune_obeyed();



=== TEST 27: a retry after success: the same certificate, nobody is asked
--- perl
intune_ready();
my $order = intune_order();
my $first = intune_issued('first', intune_ask('/intune', $order), $order);
my $asked = azure_counters()->{requests};
my $again = intune_ask('/intune', $order, txn => $first->{txn});
is($again->{serial}, $first->{serial}, 'the same');
is_deeply(azure_counters()->{requests}, $asked, 'nobody was asked');



=== TEST 28: many requests: one discovery, one token each
--- perl
intune_ready();
azure_latency(graph => 200, token => 200);
my @messages = map { my %o = %{ intune_order() };
                     delete $o{device};
                     scep_make(%o, txn => "many$_-$$") } 1 .. 30;
my @r = scep_send_all('/intune', @messages);
is(scalar(grep { scep_brief($_) eq 'SUCCESS' } @r), 30, 'issued');
my $counters = azure_counters();
is($counters->{requests}{graph}, 1, 'one discovery');
is($counters->{tokens_issued}, 2, 'two tokens: for Graph and for Intune');
is($counters->{requests}{validate}, 30, 'each asked about');
is($counters->{requests}{success}, 30, 'each told of');
intune_obeyed();



=== TEST 29: S20: no certificate whose notification failed
--- timeout: 240
--- perl
intune_ready();
withdrawn('refused', { do => 'body', said => 'Unknown', result => 'wrong',
                       body => '{"code":"Unknown","errorDescription":""}' });
withdrawn('a page', { do => 'html' });
withdrawn('reset', { do => 'reset' });
withdrawn('throttled', { do => 'throttle' });
withdrawn('silent', { do => 'hang' });
withdrawn('no right', { do => 'status', status => 403 });
withdrawn('success in lower case',
          { do => 'body', said => 'success', result => 'wrong',
            body => '{"code":"success","errorDescription":""}' });



=== TEST 30: S20: a notification that gets through at last
--- timeout: 90
--- perl
intune_ready();
for my $fault ({ do => 'status', status => 503 }, { do => 'reset' },
               { do => 'throttle' }, { do => 'status', status => 401 })
{
    azure_reset();
    azure_fault(op => 'success', %$fault);
    my $order = intune_order();
    my $r = intune_issued($fault->{do}, intune_ask('/intune', $order), $order);
    my @told = azure_log(op => 'success');
    is(scalar @told, 2, 'told twice');
    is($told[0]{body}, $told[1]{body}, 'the same');
    is($told[0]{headers}{'client-request-id'},
       $told[1]{headers}{'client-request-id'}, 'under the same id');
    intune_obeyed();
}



=== TEST 31: S20: the client gives up before Intune knows
--- timeout: 60
--- perl
intune_ready();
azure_latency(success => 2000);
my $order = intune_order();
my %o = %$order;
delete $o{device};
my $message = scep_make(%o, txn => "gone-$$");
my $socket = IO::Socket::INET->new(
    PeerAddr => '127.0.0.1',
    PeerPort => Test::Nginx::Util::server_port_for_client()) or die;
print $socket "POST /intune?operation=PKIOperation HTTP/1.0\r\n",
    'Content-Length: ', length $message->{der}, "\r\n\r\n", $message->{der};
ok(wait_until(sub { azure_counters()->{requests}{success} }, 10), 'on its way');
close $socket;
my $r = scep_send('/intune', $message);
is(scep_brief($r), 'SUCCESS', 'its retry gets the certificate');
my %told = map { $_->{certificateSerialNumber} => 1 }
           @{ azure_intune()->{succeeded} };
is(join(' ', keys %told), uc $r->{serial}, 'that Intune knows of');
intune_obeyed();



=== TEST 32: Intune is told of what was not issued after all
--- perl
intune_ready();
my $before = issued('demo');
my $r = intune_ask('/narrow', intune_order(subject => 'CN=evil'));
is(scep_brief($r), 'FAILURE badRequest', 'the profile refuses it');
ok(wait_until(sub { @{ azure_intune()->{failed} } == 1 }, 10), 'it is told');
my ($failed) = @{ azure_intune()->{failed} };
is($failed->{transactionId}, $r->{txn}, 'of the transaction');
cmp_ok($failed->{hResult}, '!=', 0, 'with a code');
like($failed->{errorDescription}, qr/subject/, 'and why');
is_deeply(azure_intune()->{succeeded}, [], 'of no success');
is(issued('demo'), $before, 'nothing is issued');
my $order = intune_order(subject => 'CN=good');
intune_issued('another', intune_ask('/narrow', $order), $order);
is(scalar @{ azure_intune()->{failed} }, 1, 'no failure more');
intune_obeyed();



=== TEST 33: whose the certificate is: device and user in the record
--- perl
intune_ready();
my $id = '0D2D1F5C-8C0A-4B8E-9B1F-6A8F5D3C2B1A';
my ($r) = issued_as('CN', '/intune', subject => "CN=$id");
my %record = intune_record($r->{serial});
is($record{device}, lc $id, 'by the subject');
($r) = issued_as('URI', '/intune', subject => 'CN=laptop',
                 san => ["URI:IntuneDeviceId://$id",
                         'UPN:alice@contoso.example']);
%record = intune_record($r->{serial});
is($record{device}, lc $id, 'by the URI');
is($record{user}, 'alice@contoso.example', 'by the UPN');
is(intune_line($r->{txn})->{device}, lc $id, 'in the access log');



=== TEST 34: a refusal: one line of the access log for the administrator
--- perl
intune_ready();
my $id = '0d2d1f5c-8c0a-4b8e-9b1f-6a8f5d3c2b1a';
my $r = intune_ask('/intune', intune_order(subject => "CN=$id",
                                           lifetime => -1));
intune_refused('expired', $r, code => 'ChallengeExpired',
               log => qr/device "$id"/);
my $line = intune_line($r->{txn});
is($line->{device}, $id, 'the device');
is($line->{scep_transaction_id}, $r->{txn}, 'the transaction');
is($line->{scep_challenge_code}, 'ChallengeExpired', 'the code');
like($line->{scep_challenge_time}, qr/^\d+\.\d{3}\z/, 'how long it took');
is(scalar(grep { /\Q$r->{txn}\E/ } split /\n/, slurp("$::work/access.log")),
   1, 'one line');
unlike(slurp("$::work/access.log") . error_log(),
       qr/[A-Za-z0-9+\/]{200}/, 'no challenge in a log');



=== TEST 35: wait_success=off: delivered at once, Intune is told later
--- timeout: 60
--- perl
intune_ready();
azure_latency(success => 3000);
my $order = intune_order();
my $start = time();
my $r = intune_ask('/later', $order);
is(scep_brief($r), 'SUCCESS', 'issued');
cmp_ok(time() - $start, '<', 2.5, 'without waiting');
ok(wait_until(sub { intune_success($r) }, 30), 'told in the end');
intune_issued('later', $r, $order);
intune_obeyed();



=== TEST 36: S20: the same request twice at once, one notification is refused
What was given out is good, what is revoked is given to nobody.
--- perl
intune_ready();
my %before = map { $_ => 1 } serials();
azure_latency(validate => 200, success => 300);
azure_fault(op => 'success', do => 'body', body => '{"code":"Unknown"}');
my %o = %{ intune_order() };
delete $o{device};
my $message = scep_make(%o, txn => "both-$$");
my @r = scep_send_all('/intune', ($message) x 2);
my @good = grep { scep_brief($_) eq 'SUCCESS' } @r;
my @new = grep { !$before{$_} } serials();
cmp_ok(scalar @new, '<=', 2, 'another one only if the first is revoked');
my %out = map { $_->{serial} => 1 } @good;
cmp_ok(scalar keys %out, '<=', 1, 'one is given out');
my %told = map { lc $_->{certificateSerialNumber} => 1 }
           @{ azure_intune()->{succeeded} };
ok($told{$_}, 'Intune knows of it') for keys %out;
for my $serial (@new) {
    my %record = intune_record($serial);
    is($record{status}, $out{$serial} ? 'good' : 'revoked',
       'good if it is given out');
}
