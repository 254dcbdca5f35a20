# Clients whose key cannot decrypt: what they are answered, and who is not
# (scep.md P9, R7, R8); messages signed by RSASSA-PSS and ECDSA (P3, P8, P10).
# The answer is opened by scep_craft.py and by openssl's own cms.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Scep;

redis_start();

our $secret = 'Open sesame, says 40 thieves';

work_file('challenge', "$secret\np\x{c3}\x{a4}ssw\x{c3}\x{b6}rd 1\n");

http_config('large_client_header_buffers 4 32k;', authority('demo'), <<'END');
pki_profile tight { allow_key ec:P-256; }
END

our $work = work_dir();

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /tight   { scep demo; scep_profile tight;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /aes     { scep demo; scep_response_cipher aes-256-cbc;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /open    { scep demo; scep_challenge none insecure; }
location /renew   { scep demo; scep_renewal on within=0;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /enroll  { enroll demo; enroll_auth none insecure; }
END

our ($bad_alg, $bad_check, $bad_request) =
    map { "FAILURE $_" } qw( badAlg badMessageCheck badRequest );

# an EC client with the right challenge

sub ask {
    my ($uri, @what) = @_;
    return scep_ask($uri, challenge => $secret, key => 'p256',
                    key_type => 'ec:P-256', @what);
}

# What openssl finds in an answer with this password: the certificate's
# subject, or nothing.

sub opened {
    my ($r, $password) = @_;
    my $reply = work_file('openssl.reply', $r->{body});
    openssl('cms', '-verify', '-noverify', '-binary', '-inform', 'DER', '-in',
            $reply, '-out', "$work/openssl.envelope");
    my ($code) = command('openssl', 'cms', '-decrypt', '-binary', '-inform',
                         'DER', '-in', "$work/openssl.envelope", '-out',
                         "$work/openssl.p7", '-pwri_password', $password);
    return undef if $code != 0;
    my $text = openssl('pkcs7', '-inform', 'DER', '-in', "$work/openssl.p7",
                       '-print_certs', '-noout');
    my ($subject) = $text =~ /^subject=(.*)$/m;
    return $subject;
}

# How openssl shows the envelope of an answer

sub shown {
    my ($r) = @_;
    my $reply = work_file('openssl.reply', $r->{body});
    openssl('cms', '-verify', '-noverify', '-binary', '-inform', 'DER', '-in',
            $reply, '-out', "$work/openssl.envelope");
    return openssl('cms', '-cmsout', '-print', '-inform', 'DER', '-in',
                   "$work/openssl.envelope");
}

# Each case: what it is, what is answered, where, options.

sub answered {
    for (@_) {
        my ($what, $answer, $uri, @options) = @$_;
        is(scep_brief(ask($uri, @options)), $answer, $what);
    }
}

# Sends messages in another process, which ends with how many had no SUCCESS.

sub beside {
    my (@messages) = @_;
    my $pid = fork() // die "fork: $!";
    return $pid if $pid != 0;
    my $bad = eval { grep { scep_brief($_) ne 'SUCCESS' }
                     scep_send_all('/scep', @messages) };
    POSIX::_exit($bad // 255);
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: R7: P-256, P-384 and P-521 are answered under the challenge
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $curve ('P-256', 'P-384', 'P-521') {
    my $r = ask('/scep', key => $curve, key_type => "ec:$curve",
                subject => "CN=$curve,O=Test");
    is(scep_brief($r), 'SUCCESS', $curve);
    is($r->{subject}, "CN=$curve,O=Test");
    like(opened($r, $::secret), qr/CN = $curve\z/, 'openssl opens it');
    is(opened($r, "$::secret."), undef, 'but not with another password');
    my $text = shown($r);
    like($text, qr/d\.pwri:/, 'PasswordRecipientInfo');
    unlike($text, qr/d\.ktri:|d\.kari:/, 'and nobody else');
    like($text, qr/PBKDF2/);
    like($text, qr/hmacWithSHA256/);
    like($text, qr/id-alg-PWRI-KEK/);
}
my $r = ask('/scep', get => 1);
is(scep_brief($r), 'SUCCESS', 'T2: by GET');
is(scep_brief(ask('/scep', ber => 1)), 'SUCCESS', 'BER');
--- no_error_log
[error]
[warn]



=== TEST 2: R8: ciphers and digests, mirrored by the answer
--- config eval
$::locations . <<'END';
location /des { scep demo; scep_legacy des;
                scep_challenge static $TEST_NGINX_WORK/challenge; }
END
--- perl
scep_ready('/probe');
for my $cipher ('aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des3') {
    my $r = ask('/scep', cipher => $cipher, subject => "CN=$cipher");
    is(scep_brief($r), 'SUCCESS', $cipher);
    is(opened($r, $::secret), "CN = $cipher", "openssl opens $cipher");
}
for my $digest ('sha1', 'sha256', 'sha384', 'sha512') {
    is(scep_brief(ask('/scep', digest => $digest)), 'SUCCESS', $digest);
}
is(scep_brief(ask('/aes', response_cipher => 'aes-256-cbc')), 'SUCCESS',
   'scep_response_cipher');
is(scep_brief(ask('/des', cipher => 'des')), 'SUCCESS', 'legacy DES');
is(scep_brief(ask('/scep', transport => 'oaep-sha256')), 'SUCCESS',
   'P8: the request by RSAES-OAEP');



=== TEST 3: the password is the challenge as UTF-8
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $word = "p\x{e4}ssw\x{f6}rd 1";
for my $tag ('utf8', 'bmp') {
    my $r = ask('/scep', challenge => $word, challenge_tag => $tag);
    is(scep_brief($r), 'SUCCESS', $tag);
    my $utf8 = $word;
    utf8::encode($utf8);
    is(opened($r, $utf8), 'CN = craft', 'openssl opens it');
}



=== TEST 4: R7: without a challenge there is no password
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
answered(
    ['none', $::bad_alg, '/scep', challenge => []],
    ['none where none is asked for', $::bad_alg, '/open', challenge => []],
    ['an empty one', $::bad_alg, '/open', challenge => ''],
    ['a wrong one', $::bad_request, '/scep', challenge => 'wrong'],
    ['said of what is whole alone', $::bad_check, '/scep', challenge => [],
     broken => 'csr'],
    ['rubbish', $::bad_check, '/scep', broken => 'envelope'],
    ['a wrong key', $::bad_check, '/scep', broken => 'cek'],
    ['P9: no envelope at all', $::bad_request, '/scep', no_envelope => 1],
    ['S24: single DES', $::bad_alg, '/scep', cipher => 'des'],
    ['S24: MD5', $::bad_alg, '/scep', digest => 'md5'],
    ['a wrong signature', $::bad_check, '/scep', broken => 'signature'],
    ['the key of another', $::bad_check, '/scep', mismatch => 1],
    ['a curve that is not allowed', $::bad_request, '/tight', key => 'P-521',
     key_type => 'ec:P-521'],
);
is(issued('demo'), $before, 'nothing is issued');
is(scep_brief(ask('/open', challenge => 'any')), 'SUCCESS',
   'any challenge will do where none is asked for');
is(issued('demo'), $before + 1, 'issued');
--- no_error_log
[error]
[warn]



=== TEST 5: R6, S24: who has an RSA key is answered by it
--- config eval
$::locations
--- perl
scep_ready('/probe');
scep_make(key => 'signer');
for my $r (ask('/scep', signer_key => "$::work/signer.scep"),
           ask('/scep', key => 'client', key_type => 'rsa:2048'),
           ask('/scep', key => 'client', key_type => 'rsa:2048', pss => 32))
{
    is(scep_brief($r), 'SUCCESS');
    my $text = shown($r);
    like($text, qr/d\.ktri:/, 'KeyTransRecipientInfo');
    unlike($text, qr/d\.pwri:/, 'and no password');
}



=== TEST 6: S25: a captured request, signed anew, gives nothing to guess from
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
scep_make(key => 'thief', key_type => 'ec:P-256');
my @thief = (signer_key => "$::work/thief.scep", txn => 'captured');
answered(
    ['of an RSA client', $::bad_alg, '/scep', key => 'client',
     key_type => 'rsa:2048', @thief],
    ['of an EC client', $::bad_alg, '/scep', @thief],
    ['as a renewal that is off', $::bad_request, '/scep', @thief, type => 17],
);
is(issued('demo'), $before, 'nothing is issued');

# nor once it was answered to whom it belongs

is(scep_brief(ask('/scep', txn => 'captured')), 'SUCCESS', 'the client');
is(scep_brief(ask('/scep', @thief)), $::bad_alg, 'the thief');
is(issued('demo'), $before + 1, 'one certificate');
--- no_error_log
[error]
[warn]



=== TEST 7: GetCert and GetCRL have no challenge
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $type (21, 22) {
    is(scep_brief(ask('/scep', type => $type, challenge => [],
                      about => "$::work/demo.pem")), $::bad_alg, "type $type");
}
--- error_log
GetCert or GetCRL by a signer without an RSA key
--- no_error_log
[error]
[warn]



=== TEST 8: R11: a retry gets the same certificate under a fresh key
--- config eval
$::locations
--- perl
scep_ready('/probe');
my @what = (txn => 'again', subject => 'CN=again');
my @r = map { ask('/scep', @what) } 1 .. 3;
is(scep_brief($_), 'SUCCESS') for @r;
is($r[$_]{serial}, $r[0]{serial}, 'the same') for 1, 2;
my %salts = map { $_->{salt} => 1 } @r;
is(keys %salts, 3, 'three salts');

my @m = map { scep_make(challenge => $::secret, key => 'p256', key_type =>
                        'ec:P-256', txn => 'rush', subject => 'CN=rush') }
        1 .. 20;
@r = scep_send_all('/scep', @m);
my %serials = map { $_->{serial} => 1 } grep { $_->{serial} } @r;
is(grep({ scep_brief($_) eq 'SUCCESS' } @r), 20, 'twenty at once');
is(keys %serials, 1, 'one certificate');



=== TEST 9: a worker does other things meanwhile
--- main_config
thread_pool slow threads=4;
--- http_config
pki_thread_pool slow;
--- config eval
$::locations
--- perl
scep_ready('/probe');
my @m = map { scep_make(challenge => $::secret, key => 'p256', key_type =>
                        'ec:P-256', subject => "CN=many $_") } 1 .. 40;
my $pid = beside(@m);
my $n = 0;
while (waitpid($pid, POSIX::WNOHANG()) == 0) {
    (http_get('/probe'))[0] == 200 or die 'not ready';
    $n++;
}
is($? >> 8, 0, 'all forty have their certificates');
cmp_ok($n, '>', 40, "$n other requests meanwhile");
my ($most, %now) = (0);
for (split /\n/, error_log()) {
    my ($pid, $task) = / (\d+)#\d+: (run|complete) task #/ or next;
    $now{$pid} += $task eq 'run' ? 1 : -1;
    $most = $now{$pid} if $now{$pid} > $most;
}
is($most, 1, 'one at a time in a worker');
--- log_level: debug



=== TEST 10: clients that do not wait
--- config eval
$::locations
--- perl
scep_ready('/probe');
my @workers = worker_pids();
my $before = issued('demo');
my @m = map { scep_make(challenge => $::secret, key => 'p256', key_type =>
                        'ec:P-256', subject => "CN=gone $_",
                        txn => "gone $_") } 1 .. 12;
my @sockets;
for my $m (@m) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort =>
                Test::Nginx::Util::server_port_for_client()) or die;
    print $s "POST /scep?operation=PKIOperation HTTP/1.1\r\nHost: a\r\n",
             'Content-Length: ', length($m->{der}), "\r\n\r\n", $m->{der};
    $s->flush;
    push @sockets, $s;
}
ok(wait_until(sub { issued('demo') > $before }), 'they are at work');
close $_ for @sockets;
my @bad = grep { scep_brief(scep_send('/scep', $_)) ne 'SUCCESS' } @m;
is(@bad, 0, 'their retries get them');
is(issued('demo'), $before + 12, 'one certificate each');
is_deeply([worker_pids()], \@workers, 'the workers are the same');
--- no_error_log
[error]
[warn]



=== TEST 11: a reload with keys being derived
--- config eval
$::locations
--- perl
scep_ready('/probe');
my @m = map { scep_make(challenge => $::secret, key => 'p256', key_type =>
                        'ec:P-256', subject => "CN=reload $_") } 1 .. 30;
my $pid = beside(@m);
select undef, undef, undef, 0.3;
ok(nginx_reload(), 'reloaded');
waitpid $pid, 0;
is($? >> 8, 0, 'all are answered');
--- no_error_log
[error]
[warn]



=== TEST 12: S16: the challenge is not logged, and not left in memory
--- config eval
$::locations
--- log_level: debug
--- perl
scep_ready('/probe');
my $word = 'ephemeral-' . join '', map { chr(97 + rand 26) } 1 .. 20;
for my $n (1 .. 5) {
    is(scep_brief(ask('/open', challenge => $word, txn => "word $n")),
       'SUCCESS');
}
unlike(error_log(), qr/\Q$word/, 'not in the log');
for my $pid (worker_pids()) {
    next if !memory_of($pid, 'CN=demo CA,O=Test');    # may not be read
    is(memory_of($pid, $word), 0, 'not in the memory of a worker');
}

sub memory_of {
    my ($pid, $what) = @_;
    my $found = 0;
    open my $maps, '<', "/proc/$pid/maps" or return 0;
    open my $mem, '<:raw', "/proc/$pid/mem" or return 0;
    while (<$maps>) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
        no warnings 'portable';
        my $size = hex($to) - hex($from);
        next if $size > 64 << 20;
        sysseek $mem, hex($from), 0 or next;
        sysread $mem, my $buf, $size or next;
        $found += () = $buf =~ /\Q$what/g;
    }
    return $found;
}



=== TEST 13: P3: RSASSA-PSS with every salt
--- config eval
$::locations
--- perl
scep_ready('/probe');
for my $digest ('sha256', 'sha384', 'sha512') {
    for my $salt (0, 20, { sha256 => 32, sha384 => 48, sha512 => 64 }
                         ->{$digest}, 190) {
        is(scep_brief(ask('/scep', key => 'client', key_type => 'rsa:2048',
                          digest => $digest, pss => $salt)), 'SUCCESS',
           "$digest with $salt octets");
    }
}
is(scep_brief(ask('/scep', key => 'client', key_type => 'rsa:2048', pss => 32,
                  pss_trailer => 1)), 'SUCCESS', 'the trailer field spelt out');
is(scep_brief(ask('/scep', key => 'rsa:4096', key_type => 'rsa:4096',
                  pss => 32, transport => 'oaep-sha256')), 'SUCCESS',
   '4096 bits, and RSAES-OAEP');



=== TEST 14: S24: RSASSA-PSS that is not allowed, or wrong
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');
my @rsa = (key => 'client', key_type => 'rsa:2048');
my $sha256 = '300d06096086480165030402010500';
my $mgf = "301a06092a864886f70d010108$sha256";
answered(
    ['a wrong signature', $::bad_check, '/scep', @rsa, pss => 32,
     broken => 'signature'],
    ['SHA-1', $::bad_alg, '/scep', @rsa, pss => 20, digest => 'sha1'],
    ['another digest', $::bad_alg, '/scep', @rsa, pss => 32,
     pss_digest => 'sha512'],
    ['another mask', $::bad_alg, '/scep', @rsa, pss => 32,
     pss_mgf => 'sha1'],
    ['another trailer', $::bad_alg, '/scep', @rsa, pss => 32,
     pss_trailer => 2],
    map { [$_->[0], $_->[1], '/scep', @rsa, pss => 32,
           pss_params => $_->[2]] }
    ['no parameters', $::bad_alg, ''],
    ['NULL', $::bad_alg, '0500'],
    ['the defaults, SHA-1', $::bad_alg, '3000'],
    ['no mask', $::bad_alg, "3011a00f$sha256"],
    ['another salt', $::bad_check, "3034a00f${sha256}a11c${mgf}a203020114"],
    ['no salt that fits', $::bad_check,
     "3035a00f${sha256}a11c${mgf}a20402020400"],
    ['a huge salt', $::bad_alg,
     "3036a00f${sha256}a11c${mgf}a20502030f4240"],
    ['a negative salt', $::bad_alg, "3034a00f${sha256}a11c${mgf}a2030201e0"],
    ['octets after them', $::bad_alg,
     "3036a00f${sha256}a11c${mgf}a2030201200500"],
    ['fields in disorder', $::bad_alg,
     "3034a11c${mgf}a00f${sha256}a203020120"],
);
is(issued('demo'), $before, 'nothing is issued');
--- no_error_log
[error]
[warn]



=== TEST 15: RenewalReq: the challenge is the password, whatever it is
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $old = ask('/renew', subject => 'CN=renewed', cert => "$::work/old.pem");
is(scep_brief($old), 'SUCCESS');
my @signer = (signer_cert => "$::work/old.pem", type => 17,
              signer_key => "$::work/p256.scep", subject => 'CN=renewed');
my $r = ask('/renew', @signer, key => 'p256-new', challenge => 'made up');
is(scep_brief($r), 'SUCCESS', 'renewed');
isnt($r->{serial}, $old->{serial});
is(opened($r, 'made up'), 'CN = renewed');
is(scep_brief(ask('/renew', @signer, key => 'p256-new', challenge => [])),
   $::bad_alg, 'not without a challenge');
is(scep_brief(ask('/renew', @signer, type => 19, key => 'p256-newer',
                  challenge => [])), $::bad_alg, 'nor by PKCSReq');

# somebody else's renewal, captured and signed anew by one who has a
# certificate, too

my %what = (key => 'p256-captured', challenge => 'low-entropy',
            txn => 'captured renewal');
is(scep_brief(ask('/renew', @signer, %what)), 'SUCCESS', 'the client');
is(scep_brief(ask('/renew', key => 'insider', subject => 'CN=insider',
                  cert => "$::work/insider.pem")), 'SUCCESS');
is(scep_brief(ask('/renew', @signer, %what,
                  signer_cert => "$::work/insider.pem",
                  signer_key => "$::work/insider.scep")), $::bad_request,
   'the insider');
--- no_error_log
[error]
[warn]



=== TEST 16: RenewalReq: a retry, and its answer lost
--- config eval
$::locations
--- perl
scep_ready('/probe');
my @san = (san => ['DNS:one.example', 'DNS:two.example']);
my $old = ask('/renew', subject => '', @san, cert => "$::work/san.pem");
is(scep_brief($old), 'SUCCESS');
my @signer = (signer_cert => "$::work/san.pem", type => 17, subject => '',
              signer_key => "$::work/p256.scep");
my @what = (key => 'p256-san', challenge => 'made up', txn => 'san',
            san => 'DNS:one.example');
my @r = map { ask('/renew', @signer, @what) } 1, 2;
is(scep_brief($_), 'SUCCESS') for @r;
is($r[1]{serial}, $r[0]{serial}, 'the same');

is(scep_brief(ask('/renew', key => 'insider', subject => '',
                  san => 'DNS:three.example', cert => "$::work/three.pem")),
   'SUCCESS');
is(scep_brief(ask('/renew', @signer, @what,
                  signer_cert => "$::work/three.pem",
                  signer_key => "$::work/insider.scep")), $::bad_request,
   'somebody else with no subject, either');



=== TEST 17: a captured message repeated does not keep everybody out
--- config eval
$::locations
--- perl
scep_ready('/probe');
my %o = (challenge => $::secret, key => 'p256', key_type => 'ec:P-256',
         subject => 'CN=again and again');
my $m = scep_make(%o);
is(scep_send('/scep', $m)->{status}, 'SUCCESS', 'issued');
my %n;
$n{$_->{http}}++ for scep_send_all('/scep', ($m) x 300);
is(join(' ', sort keys %n), '200 503', "$n{200} answered, others later");
cmp_ok($n{200}, '>=', 64, 'those that wait are answered');
is(scep_ask('/scep', challenge => $::secret)->{status}, 'SUCCESS',
   'an RSA client');
is(scep_send('/scep', $m)->{status}, 'SUCCESS', 'the same again');



=== TEST 18: a curve by its parameters is none, even those of P-256
--- config eval
$::locations
--- perl
scep_ready('/probe');
my $before = issued('demo');

# the numbers of a named curve can be written out, with a generator of
# somebody's choice (CVE-2020-0601)

my ($key, $csr, $cert) = map { "$::work/explicit.$_" } qw( key csr crt );
openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out',
        "$::work/named.key");
openssl('ec', '-in', "$::work/named.key", '-param_enc', 'explicit', '-out',
        $key);
openssl('req', '-new', '-key', $key, '-subj', '/CN=explicit', '-out', $csr);
openssl('req', '-new', '-x509', '-key', $key, '-subj', '/CN=explicit', '-out',
        $cert);
like(openssl('req', '-in', $csr, '-noout', '-text'), qr/Generator/,
     'they are written out');

my ($status, undef, $body) = enroll('/enroll', $csr);
is($status, 400, 'REST');
like($body, qr/this kind of key is not allowed/);

openssl('req', '-in', $csr, '-outform', 'DER', '-out', "$csr.der");
is(scep_brief(scep_ask('/scep', challenge => $::secret,
                       payload => "$csr.der")), $::bad_check, 'in a request');
answered(['of the signer', $::bad_alg, '/scep', signer_cert => $cert,
          signer_key => "$::work/named.key"]);
is(issued('demo'), $before, 'nothing is issued');
is(scep_brief(ask('/scep')), 'SUCCESS', 'and P-256 by its name');
--- error_log
the key is not RSA, EC on P-256, P-384 or P-521, or Ed25519
the signature algorithm is not allowed
--- no_error_log
[error]
