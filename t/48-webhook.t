# "scep_challenge webhook": a service of the operator is asked in the JSON of
# step-ca's webhooks, and nothing but "allow": true of it allows (scep.md 3.4,
# S17, S19).

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Nginx;
use PKI::Scep;
use PKI::Webhook;

use Digest::SHA qw( hmac_sha256_hex );
use MIME::Base64 qw( encode_base64 decode_base64 );
use Time::HiRes qw( time );

redis_start();
start_azure();
webhook_start();

our $work = work_dir();
our $secret = join '', map { chr 200 - $_ } 1 .. 32;
our $challenge = 'Tr0ub4dor "and" 3\\horses';

work_file('secret', encode_base64($secret));
work_file('challenge', "open sesame\n");
work_file('short', encode_base64('fifteen octets.'));
work_file('text', "this is no base64!\n");
work_file('empty', "\n");

http_config(authority('demo'), slurp('conf/log-format.conf'), <<'END');
pki_trusted_certificate $TEST_NGINX_WEBHOOK_CA;
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off valid=1s;
pki_profile names { allow_san upn .; allow_san dns .; allow_san uri .;
                    allow_san ip .; allow_san email .; }
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe { pki_probe; }
location /hook  { scep demo; scep_profile names; scep_challenge webhook
                      $TEST_NGINX_WEBHOOK/scep?token=xyz123
                      secret_file=$TEST_NGINX_WORK/secret id=hook-1; }
location /plain { scep demo; scep_challenge webhook $TEST_NGINX_WEBHOOK_HTTP; }
location /quick { scep demo; scep_challenge webhook
                      $TEST_NGINX_WEBHOOK_HTTP/ timeout=500ms; }
location /both  { scep demo; scep_challenge webhook $TEST_NGINX_WEBHOOK/both;
                  scep_challenge static $TEST_NGINX_WORK/challenge; }
END

our $n = 0;

# A device that has not been here before.

sub ask {
    my ($uri, %o) = @_;
    my $cert = work_file('cert' . ++$n . '.pem', '');
    my %more = map { $_ => delete $o{$_} } grep { exists $o{$_} } 'timeout';
    $o{txn} //= "txn-$n-$$" if !exists $o{txn_hex};
    my $m = scep_make(subject => "CN=device-$n", challenge => $challenge, %o);
    return { %{ scep_send($uri, $m, cert => $cert, timeout => 30, %more) },
             message => $m, cert => $cert, txn => $o{txn} };
}

sub line_of {
    my ($txn) = @_;
    my @lines;
    wait_until(sub {
        @lines = grep { index($_, qq("$txn")) >= 0 }
                 split /\n/, slurp("$work/access.log");
        @lines > 0;
    });
    is(scalar @lines, 1, 'one line in the access log');
    return JSON::PP::decode_json($lines[0]);
}

sub complaints {
    my ($txn) = @_;
    return grep { index($_, $txn) >= 0 } split /\n/, error_log();
}

# nothing is issued, the client learns nothing, the log tells why

sub refused {
    my ($what, $r, $result, $log, %line) = @_;
    is(scep_brief($r), 'FAILURE badRequest', $what);
    is($r->{fail_info_text}, undef, 'no text');
    my $line = line_of($r->{txn});
    is($line->{scep_challenge_result}, $result, $result);
    is($line->{scep_challenge_by}, 'webhook', 'by the webhook');
    is($line->{$_}, $line{$_}, $_) for sort keys %line;
    my @said = complaints($r->{txn});
    is(scalar @said, 1, 'one line in the error log') or diag("@said");
    like($said[0] // '', $log, 'it says why');
}

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: what it is asked
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my $r = ask('/hook', subject => 'CN=one,OU=First,OU=Second,O=Contoso,CN=two',
            san => ['DNS:a.contoso.example', 'IP:192.0.2.1', 'email:a@b.c',
                    'URI:urn:x', 'UPN:anna@contoso.example'],
            eku => ['1.3.6.1.5.5.7.3.2']);
is(scep_brief($r), 'SUCCESS', 'issued');
my @asked = webhook_asked();
is(scalar @asked, 1, 'asked once');
my ($headers, $json) = @{ $asked[0] }{qw( headers json )};
is($asked[0]{path}, '/scep?token=xyz123', 'the URL as it is written');
ok($asked[0]{tls}, 'over TLS');
is($headers->{host}, $ENV{TEST_NGINX_WEBHOOK} =~ s{https://}{}r, 'by its name');
is($headers->{'content-type'}, 'application/json', 'JSON');
is($headers->{'x-smallstep-webhook-id'}, 'hook-1', 'id');
is($headers->{'x-smallstep-signature'},
   hmac_sha256_hex($asked[0]{body}, $::secret), 'signature');

is(join(' ', sort keys %$json), 'provisionerName scepChallenge '
   . 'scepTransactionID timestamp x509CertificateRequest', 'members');
is($json->{provisionerName}, 'demo', 'provisionerName');
is($json->{scepChallenge}, $::challenge, 'scepChallenge');
is($json->{scepTransactionID}, $r->{txn}, 'scepTransactionID');
like($json->{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, 'timestamp');

my $csr = $json->{x509CertificateRequest};
is_deeply($csr->{subject}, { commonName => 'one', organization => ['Contoso'],
    organizationalUnit => [qw( Second First )],
    extraNames => [{ type => '2.5.4.3', value => 'two' }] }, 'subject');
is_deeply([@$csr{qw( dnsNames ipAddresses emailAddresses uris )}],
          [['a.contoso.example'], ['192.0.2.1'], ['a@b.c'], ['urn:x']],
          'names, by kind');
is_deeply([map { "$_->{type}=$_->{value}" } @{ $csr->{sans} }],
          [qw( dns=a.contoso.example ip=192.0.2.1 email=a@b.c uri=urn:x
               userPrincipalName=anna@contoso.example )], 'and all');
is($csr->{publicKeyAlgorithm}, 'RSA', 'publicKeyAlgorithm');
is_deeply([sort map { $_->{id} } @{ $csr->{extensions} }],
          [qw( 2.5.29.17 2.5.29.37 )], 'extensions');
my $text = openssl('req', '-inform', 'DER', '-noout', '-pubkey', '-text',
                   { in => decode_base64($csr->{raw}) });
like($text, qr/challengePassword/, 'the request itself');
is(openssl('pkey', '-pubin', '-inform', 'DER',
           { in => decode_base64($csr->{publicKey}) }),
   openssl('x509', '-in', $r->{cert}, '-noout', '-pubkey'), 'its key');

my %record = @{ redis_cmd('HGETALL', 'pki:{demo}:cert:'
                                     . serial_of($r->{cert})) };
is($record{vouched}, 'webhook', 'the record tells who vouched');
my $line = line_of($r->{txn});
is($line->{scep_challenge_result}, 'accepted', 'so does the access log');
is($line->{scep_challenge_by}, 'webhook', 'by whom');
like($line->{scep_challenge_time}, qr/^\d+\.\d{3}\z/, 'how long it took');

$r = scep_send('/hook', $r->{message});
is(scep_brief($r), 'SUCCESS', 'a retry');
is(scalar webhook_asked(), 1, 'nobody is asked again');

webhook_allow();
is(scep_brief(ask('/plain')), 'SUCCESS', 'http on this machine');
my ($plain) = webhook_asked();
is($plain->{path}, '/', 'no path');
is($plain->{headers}{'x-smallstep-signature'}, undef, 'no secret, no signature');
is($plain->{headers}{'x-smallstep-webhook-id'}, 'demo',
   'the name of the authority');



=== TEST 2: no
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my $before = issued('demo');
webhook_deny('not_enrolled.7');
my $r = ask('/hook', subject => 'CN=laptop,O=Contoso');
refused('no', $r, 'wrong',
        qr/\[info\].*webhook refuses the request: not_enrolled\.7, subject/,
        scep_challenge_code => 'not_enrolled.7');
is(scalar webhook_asked(), 1, 'asked once');
like((complaints($r->{txn}))[0], qr/subject "CN=laptop,O=Contoso".*client: /,
     'whom it refuses');

webhook_deny('two words');
refused('a code that is none', ask('/hook'), 'wrong',
        qr/refuses the request, subject/, scep_challenge_code => '');
webhook_deny('x' x 65);
refused('a long one', ask('/hook'), 'wrong', qr/refuses the request, subject/,
        scep_challenge_code => '');
webhook_answer(body => '{"allow":false,"error":"x","data":{"allow":true}}');
refused('another shape', ask('/hook'), 'wrong', qr/refuses the request/);

webhook_allow();
$r = ask('/hook', challenge => '');
is(scep_brief($r), 'FAILURE badRequest', 'no challenge');
is(scalar webhook_asked(), 0, 'nobody is asked');
is(line_of($r->{txn})->{scep_challenge_result}, 'missing', 'missing');
is(issued('demo'), $before, 'nothing is issued');



=== TEST 3: S18, S19: nothing but "allow": true allows
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my $before = issued('demo');
for (['a string', '{"allow":"true"}', 'JSON without "allow"'],
     ['a number', '{"allow":1}', 'JSON without "allow"'],
     ['null', '{"allow":null}', 'JSON without "allow"'],
     ['an object', '{"allow":{}}', 'JSON without "allow"'],
     ['upper case', '{"Allow":true}', 'JSON without "allow"'],
     ['TRUE', '{"allow":TRUE}', 'malformed JSON'],
     ['nothing', '{}', 'JSON without "allow"'],
     ['a list', '[{"allow":true}]', 'JSON without "allow"'],
     ['deeper', '{"data":{"allow":true}}', 'JSON without "allow"'],
     ['twice', '{"allow":false,"allow":true}', 'malformed JSON'],
     ['twice the same', '{"allow":true,"allow":true}', 'malformed JSON'],
     ['more behind it', '{"allow":true}{}', 'malformed JSON'],
     ['cut off', '{"allow":true', 'malformed JSON'],
     ['true alone', 'true', 'malformed JSON'],
     ['an empty body', '', 'malformed JSON'],
     ['HTML', '<html>allow: true</html>', 'malformed JSON'],
     ['NUL', "{\"allow\":true}\0", 'malformed JSON'],
     ['deep', '{"allow":true,"data":' . '[' x 40 . ']' x 40 . '}', 'deeply'],
     ['large', '{"allow":true,"data":"' . 'x' x 70000 . '"}', 'larger than'])
{
    my ($what, $body, $log) = @$_;
    webhook_answer(body => $body);
    refused($what, ask('/plain'), 'unavailable',
            qr/\[error\].*webhook cannot be asked about the request: .*\Q$log\E/);
}

my $yes = '{"allow":true}';
for my $status (201, 204, 206, 301, 302, 307, 400, 401, 403, 404, 429) {
    webhook_answer(status => $status, body => $status == 204 ? '' : $yes,
                   headers => { Location => $ENV{TEST_NGINX_WEBHOOK} });
    refused("status $status", ask('/hook'), 'unavailable',
            qr/\[error\].*webhook cannot .*answers by status $status/);
    is(scalar webhook_asked(), 1, 'asked once, nobody else is');
}

webhook_answer(body => "\x1f\x8b\x08\x00", headers => { 'Content-Encoding'
                                                       => 'gzip' });
refused('gzip', ask('/hook'), 'unavailable', qr/cannot/);
is(issued('demo'), $before, 'nothing is issued');
unlike(error_log(), qr/xyz123/, 'no path of the URL in the log');



=== TEST 4: one more try, if that may help
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my %yes = (body => '{"allow":true}');
for my $status (500, 503) {
    webhook_answer(status => $status, times => 1, then => \%yes);
    is(scep_brief(ask('/hook')), 'SUCCESS', "$status, once");
    my @asked = webhook_asked();
    is(scalar @asked, 2, 'asked twice');
    is($asked[0]{body}, $asked[1]{body}, 'the same');
    ok($asked[1]{time} - $asked[0]{time} > 0.4, 'with a pause');

    my $before = issued('demo');
    webhook_answer(status => $status, times => 2, then => \%yes);
    refused("$status, twice", ask('/hook'), 'unavailable',
            qr/\[error\].*cannot .*status $status/);
    is(scalar webhook_asked(), 2, 'no third time');
    is(issued('demo'), $before, 'nothing is issued');
}

# what fails on a connection of before libcurl repeats by itself, five times

for my $do (qw( reset close )) {
    webhook_answer(do => $do, times => 1, then => \%yes);
    is(scep_brief(ask('/hook')), 'SUCCESS', "$do, once");

    webhook_answer(do => $do);
    refused("$do, each time", ask('/hook'), 'unavailable',
            qr/\[error\].*cannot/);
    cmp_ok(scalar webhook_asked(), '<', 8, 'not for ever');
}

for (['slow', delay => 1.5, %yes], ['silent', do => 'hang'],
     ['drop by drop', do => 'trickle'])
{
    my ($what, @answer) = @$_;
    webhook_answer(@answer);
    my $start = time;
    refused($what, ask('/quick'), 'unavailable', qr/no answer in time/);
    cmp_ok(time - $start, '<', 4, 'not waited for longer than it says');
}



=== TEST 5: S17: what the client chooses stays what it is
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
for my $subject ('CN=la\"}\,pt\\\\op', 'CN=x\,\22scepChallenge\22:\22y',
                 'CN=\5cu0022,O=\22')
{
    webhook_deny('no');
    my $r = ask('/hook', subject => $subject,
                challenge => '","allow":true,"\u0022\\');
    is(scep_brief($r), 'FAILURE badRequest', "subject $subject");
    my ($asked) = webhook_asked();
    is(join(' ', sort keys %{ $asked->{json} // {} }), 'provisionerName '
       . 'scepChallenge scepTransactionID timestamp x509CertificateRequest',
       'the same members');
    is($asked->{json}{scepChallenge}, '","allow":true,"\u0022\\',
       'the challenge as it is');
}

webhook_allow();
for my $hex ('222c22736365704368616c6c656e6765223a22782c', '5c22',
             '007f1b0a0d', 'edb080', 'ff', 'e282ac')
{
    my $r = ask('/hook', txn_hex => $hex);
    is(scep_brief($r), 'HTTP 400', "transaction $hex is none");
    is(scalar webhook_asked(), 0, 'nobody is asked');
}



=== TEST 6: beside static secrets
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
webhook_deny('no');
is(scep_brief(ask('/both', challenge => 'open sesame')), 'SUCCESS',
   'a secret of the file');
is(scalar webhook_asked(), 0, 'nobody is asked');
is(scep_brief(ask('/both')), 'FAILURE badRequest', 'another one, not allowed');
is(scalar webhook_asked(), 1, 'asked');
webhook_allow();
is(scep_brief(ask('/both')), 'SUCCESS', 'another one, allowed');



=== TEST 7: it is who it says it is
--- config
--- perl
my $config = "pki_redis $ENV{TEST_NGINX_REDIS_URL};\n" . authority('demo')
    . slurp('conf/log-format.conf')
    . "pki_trusted_certificate $ENV{TEST_NGINX_AZURE_CA};\n"
    . "resolver 127.0.0.1:$ENV{TEST_NGINX_AZURE_DNS_PORT} ipv6=off;\n";
my $nginx = PKI::Nginx->new(
    http => $config,
    server => "location = /probe { pki_probe; }
               location /hook { scep demo; scep_challenge webhook
                   $ENV{TEST_NGINX_WEBHOOK}/; }")->start;
ok(wait_until(sub { (http_get('/probe', port => $nginx->port))[0] == 200 }, 20),
   'ready');
webhook_allow();
my ($status, $headers, $body) = http_post('/hook?operation=PKIOperation',
    (my $m = scep_make(challenge => $::challenge, txn => 'tls'))->{der},
    port => $nginx->port, timeout => 20);
is(scep_brief({ http => $status, %{ scep_open($m, $body) } }),
   'FAILURE badRequest', 'not trusted');
is(scalar webhook_asked(), 0, 'nothing is sent there');
like($nginx->log, qr/cannot be asked about the request: .*certificate/,
     'the log says why');
ok($nginx->stop, 'ends well');



=== TEST 8: many at once disturb nobody
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
webhook_answer(body => '{"allow":true}', delay => 0.3);
my @m = map { scep_make(txn => "many-$_", subject => "CN=many-$_",
                        challenge => $::challenge) } 1 .. 20;
my $start = time;
my $pid = fork() // die;
if ($pid == 0) {
    my @slow = grep { $_ > 0.25 } map {
        my $t = time;
        http_get('/probe');
        select undef, undef, undef, 0.05;
        time - $t - 0.05;
    } 1 .. 10;
    POSIX::_exit(scalar @slow > 2);
}
my @r = scep_send_all('/plain', @m);
waitpid $pid, 0;
is($?, 0, 'others are served meanwhile');
is(scalar(grep { scep_brief($_) eq 'SUCCESS' } @r), 20, 'all are issued');
cmp_ok(time - $start, '<', 5, 'side by side');



=== TEST 9: reload and end while one is asked
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
webhook_answer(body => '{"allow":true}', delay => 1.5);
my $m = scep_make(txn => 'reload', subject => 'CN=reload',
                  challenge => $::challenge);
my $pid = fork() // die;
if ($pid == 0) {
    my $r = scep_send('/plain', $m, timeout => 20);
    POSIX::_exit(scep_brief($r) eq 'SUCCESS' ? 0 : 1);
}
ok(wait_until(sub { webhook_asked() == 1 }, 10), 'asked');
nginx_reload();
waitpid $pid, 0;
is($?, 0, 'the client gets its certificate') or diag(error_log());

$pid = fork() // die;
if ($pid == 0) {
    my $gone = scep_make(txn => 'gone', subject => 'CN=gone',
                         challenge => $::challenge);
    eval {
        local $SIG{ALRM} = sub { die };
        alarm 1;
        scep_send('/plain', $gone, timeout => 20);
    };
    POSIX::_exit(0);
}
waitpid $pid, 0;
my $m2 = (grep { $_->{json}{scepTransactionID} eq 'gone' } webhook_asked())[0];
ok($m2, 'a client that does not wait') ;
ok(wait_until(sub {
    my @all = @{ redis_cmd('KEYS', 'pki:{demo}:cert:*') };
    grep { (redis_cmd('HGET', $_, 'transaction') // '') eq 'gone' } @all;
}, 10), 'its certificate waits for it');



=== TEST 10: no secret in any log, nor in Redis
--- config
--- perl
my $log = slurp("$::work/access.log") . error_log();
for my $secret ('Tr0ub4dor', encode_base64($::secret, ''), 'a message') {
    unlike($log, qr/\Q$secret\E/, 'not in a log');
}
for my $key (@{ redis_cmd('KEYS', '*') }) {
    next if redis_cmd('TYPE', $key) ne 'hash';
    unlike("@{ redis_cmd('HGETALL', $key) }", qr/Tr0ub4dor/, "not in $key");
}



=== TEST 11: what nginx -t says
--- config
--- perl
my @wrong = (
    ['webhook', 'needs a URL'],
    ['webhook hooks.contoso.example', 'invalid URL "hooks.contoso.example"'],
    ['webhook ftp://127.0.0.1/', 'invalid URL "ftp://127.0.0.1/"'],
    ['webhook http://192.0.2.1/', 'it must be "https://"'],
    ['webhook http://169.254.1.1/', 'it must be "https://"'],
    ['webhook http://hooks.contoso.example/', 'it must be "https://"'],
    ['webhook https://a:b@192.0.2.1/', 'invalid URL'],
    ['webhook https://192.0.2.1/#x', 'invalid URL'],
    ['webhook https://hooks.contoso.example/', 'hooks.contoso.example needs a "resolver"'],
    ['webhook https://192.0.2.1/ timeout=0', 'invalid parameter "timeout=0"'],
    ['webhook https://192.0.2.1/ timeout=11s', 'invalid parameter "timeout=11s"'],
    ['webhook https://192.0.2.1/ timeout=50ms', 'invalid parameter'],
    ['webhook https://192.0.2.1/ timeout=1s timeout=2s', 'each once'],
    ['webhook https://192.0.2.1/ id=', 'invalid parameter "id="'],
    ['webhook https://192.0.2.1/ id=a:b', 'invalid parameter "id=a:b"'],
    ['webhook https://192.0.2.1/ id=a id=b', 'each once'],
    ['webhook https://192.0.2.1/ colour=blue', 'invalid parameter "colour=blue"'],
    ['webhook https://192.0.2.1/ secret_file=', 'invalid parameter'],
    ["webhook https://192.0.2.1/ secret_file=$::work/none", 'cannot open'],
    ["webhook https://192.0.2.1/ secret_file=$::work/empty", 'nothing is in'],
    ["webhook https://192.0.2.1/ secret_file=$::work/short", 'at least 16 octets'],
    ["webhook https://192.0.2.1/ secret_file=$::work/text", 'at least 16 octets in base64'],
    ['webhook https://192.0.2.1/; scep_challenge webhook https://192.0.2.2/',
     'is duplicate'],
    ['none; scep_challenge webhook https://192.0.2.1/', 'cannot be combined'],
    ['webhook https://192.0.2.1/; scep_approval manual',
     '"scep_approval manual" goes only with'],
);
my $nginx = PKI::Nginx->new;
my $try = sub {
    my ($directives, $http) = @_;
    $nginx->configure(http => "pki_redis $ENV{TEST_NGINX_REDIS_URL};\n"
                              . authority('demo') . ($http // ''),
                      server => "location /x { scep demo;
                                     scep_challenge $directives; }");
    return $nginx->test;
};
for (@wrong) {
    my ($directives, $message) = @$_;
    my ($code, $said) = $try->($directives);
    isnt($code, 0, "refused: $directives");
    like($said, qr/\[emerg\].*\Q$message\E/, "... $message");
}
my @right = ('webhook https://192.0.2.1', 'webhook https://[2001:db8::1]:8443/a?b=c',
             'webhook http://127.0.0.1:9000/ timeout=10s', 'webhook http://[::1]/',
             "webhook https://192.0.2.1/ secret_file=$::work/secret timeout=100ms id=A-1_b.c");
for (@right) {
    my ($code, $said) = $try->($_);
    is($code, 0, "taken: $_") or diag($said);
}
my ($code, $said) = $try->('webhook https://hooks.contoso.example/',
                           'pki_proxy http://192.0.2.9:3128;');
is($code, 0, 'a name is the proxy\'s to resolve') or diag($said);
($code, $said) = $try->('webhook https://hooks.contoso.example/',
                        'pki_proxy http://proxy.contoso.example:3128;');
like($said, qr/proxy\.contoso\.example needs a "resolver"/, 'but its own');
