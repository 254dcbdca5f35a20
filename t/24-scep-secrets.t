# What is logged, and what must not be: variables of the access log, and no
# secret in any log, in Redis, or in an answer (scep.md S16, S27, S29, S31).

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Scep;

use Cwd qw( abs_path );
use Digest::SHA ();
use MIME::Base64 qw( encode_base64 );

redis_start();

our $secret = 'Tr0ub4dor-and-3 horses';
our $guess = 'correct horse battery staple';

our $work = work_dir();

work_file('challenge', "$secret\n");

our $format = abs_path('conf/log-format.conf');

http_config('large_client_header_buffers 4 32k;', "include $format;",
            authority('demo'), <<'END');
pki_profile laptop { validity 10d; }
END

our $locations = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo; scep_profile laptop;
                    scep_challenge static $TEST_NGINX_WORK/challenge;
                    access_log $TEST_NGINX_WORK/access.json pki; }
location /open    { scep demo; scep_challenge none insecure;
                    access_log $TEST_NGINX_WORK/access.json pki; }
END

sub log_start {
    scep_ready('/probe') or die 'not ready';
    truncate "$work/access.json", 0;
}

# The last line of the access log: it is written when the answer is.

sub last_line {
    my ($lines) = @_;
    my @log;
    wait_until(sub {
        @log = split /\n/, slurp("$work/access.json");
        return @log >= $lines;
    });
    is(@log, $lines, "$lines lines");
    return JSON::PP::decode_json($log[-1]);
}

sub fields {
    my ($line, %expected) = @_;
    for (sort keys %expected) {
        ref $expected{$_} ? like($line->{$_}, $expected{$_}, $_)
                          : is($line->{$_}, $expected{$_}, $_);
    }
}

# Whatever is in Redis: names, values, of all kinds

sub redis_dump {
    my @all;
    for my $key (@{ redis_cmd('KEYS', '*') }) {
        my $type = redis_cmd('TYPE', $key);
        my $value = $type eq 'string' ? redis_cmd('GET', $key)
                  : $type eq 'hash'   ? redis_cmd('HGETALL', $key)
                  : $type eq 'zset'   ? redis_cmd('ZRANGE', $key, 0, -1)
                  : $type eq 'set'    ? redis_cmd('SMEMBERS', $key)
                  : $type eq 'list'   ? redis_cmd('LRANGE', $key, 0, -1)
                  : $type eq 'stream' ? redis_cmd('XRANGE', $key, '-', '+')
                  : die "redis type $type";
        push @all, $key, flat($value);
    }
    return join "\n", @all;
}

sub flat {
    return map { ref $_ ? flat(@$_) : $_ // '' } @_;
}

# Every form in which a secret might turn up

sub forms {
    my ($text) = @_;
    my $base64 = encode_base64($text, '');
    (my $escaped = $text) =~ s/ /%20/g;
    (my $plus = $text) =~ s/ /+/g;
    return ($text, lc $text, unpack('H*', $text), uc unpack('H*', $text),
            substr($base64, 0, length($base64) - 4), $escaped, $plus,
            join("\0", split //, $text), Digest::SHA::sha256_hex($text),
            Digest::SHA::sha256($text), scalar reverse($text));
}

# The parts of a private key: its numbers, and the lines of its PEM, of which
# the first eight have the public ones

sub key_forms {
    my ($file) = @_;
    my @lines = grep { length > 40 } split /\n/, slurp($file);
    splice @lines, 0, 9;
    my $text = openssl('pkey', '-in', $file, '-noout', '-text');
    my @numbers;
    for my $name ('privateExponent', 'prime1', 'prime2') {
        my ($hex) = $text =~ /^$name:\n((?:\s+[0-9a-f:]+\n)+)/m or next;
        $hex =~ s/[\s:]//g;
        $hex =~ s/^(00)+//;
        push @numbers, substr($hex, 0, 32), pack 'H32', $hex;
    }
    return (@lines, @numbers);
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: S16, S27, S31: good and bad enrolments at level debug: no secret
--- log_level: debug
--- config eval
$::locations
--- perl
log_start();

my @bodies;
my $sent = 0;

sub enrol {
    my ($uri, %what) = @_;
    my $r = scep_ask($uri, %what);
    push @bodies, $r->{body};
    $sent++;
    is($r->{fail_info_text}, undef, 'no failInfoText');
    return $r;
}

for my $get (0, 1) {
    for my $tag ('printable', 'utf8', 'bmp') {
        my %o = (get => $get, challenge_tag => $tag);
        is(enrol('/scep', %o, challenge => $::secret)->{status}, 'SUCCESS');
        is(enrol('/scep', %o, challenge => $::guess)->{status}, 'FAILURE');
    }
}
enrol('/scep', challenge => $::secret, @$_)
    for [ber => 1], [broken => 'csr'], [broken => 'cek'], [ca_true => 1],
        [broken => 'envelope'], [broken => 'digest'], [cipher => 'des'],
        [type => '17'], [type => $::guess], [omit => 'type'],
        [omit => 'txn'], [trailing_csr => '00'], [no_envelope => 0],
        [recipient_serial => '1'], [san => 'DNS:not a name'],
        [subject => ''], [challenge => [$::secret, $::guess]],
        [transport => 'oaep'], [key => 'ec', key_type => 'ec:P-256'];

# garbage and odd requests: what they are told

for my $uri ('/scep?operation=x', '/scep', '/scep?operation=PKIOperation',
             '/scep?operation=PKIOperation&message=%%%',
             '/scep?operation=PKIOperation&message=AAAA')
{
    push @bodies, (http_get($uri))[2];
    push @bodies, (http_post($uri, 'garbage'))[2];
    $sent += 2;
}
push @bodies, (http('PUT', '/scep', body => 'x'))[2];
$sent++;

last_line($sent);

my %places = (
    'the error log' => error_log(),
    'the access log' => slurp("$::work/access.json")
                        . slurp($Test::Nginx::Util::AccLogFile),
    'Redis' => redis_dump(),
    'the answers' => join("\n", @bodies),
);

cmp_ok(length $places{'the error log'}, '>', 100000, 'there is something');
like($places{Redis}, qr/cert:/, 'there, too');
like($places{'the access log'}, qr/"scep_status":"SUCCESS"/, 'and there');

my %secrets = (
    'the challenge' => [forms($::secret)],
    'the wrong challenge' => [forms($::guess)],
    'the key of the CA' => [key_forms("$::work/demo.key")],
    'the key of the client' => [key_forms("$::work/client.scep")],
    'a PEM key' => ['PRIVATE KEY'],
);

# it was sent as messageType and is there as such: not as a challenge

$places{'the error log'} =~ s/^.*messageType.*\n//mg;

for my $place (sort keys %places) {
    for my $what (sort keys %secrets) {
        my @found = grep { index($places{$place}, $_) >= 0 }
                    @{ $secrets{$what} };
        is(@found, 0, "$what is not in $place") or diag("@found");
    }
}

# nor does an answer tell of the inside

for my $body (@bodies) {
    my @found = $body =~ m{($::work|/etc/|/usr/|/home|\.c\b:|\bssl\b
                            |openssl|error:[0-9A-F]{8}|redis|keyvault)}xi;
    is("@found", '', 'nothing of the inside');
}

my @errors = grep { /\[(error|crit|alert|emerg)\]/ } split /\n/, error_log();
is_deeply(\@errors, [], 'a fault of the client is no error');



=== TEST 2: variables: SUCCESS
--- config eval
$::locations
--- perl
log_start();
my $r = scep_ask('/scep', challenge => $::secret, txn => "it's (1)",
                 subject => 'CN=lap \"top\",O=T\+st');
is(scep_brief($r), 'SUCCESS');
fields(last_line(1), method => 'POST', uri => '/scep', status => '200',
       authority => 'demo', serial => $r->{serial}, profile => 'laptop',
       subject => 'CN=lap \\"top\\",O=T\+st', sign_time => qr/^\d+\.\d{3}$/,
       store_time => qr/^\d+\.\d{3}$/, scep_operation => 'PKIOperation',
       scep_message_type => 'PKCSReq', scep_transaction_id => "it's (1)",
       scep_status => 'SUCCESS', scep_fail_info => '',
       scep_challenge_result => 'accepted', enroll_status => '',
       ocsp_status => '');

my $m = scep_make(challenge => $::secret, txn => 'again');
my $first = scep_send('/scep', $m);
my $again = scep_send('/scep', $m, get => 1);
fields(last_line(3), method => 'GET', serial => $first->{serial},
       scep_status => 'SUCCESS', scep_transaction_id => 'again',
       subject => 'CN=craft', profile => 'laptop');

scep_ask('/open', txn => 'open');
fields(last_line(4), scep_challenge_result => 'none', profile => 'default',
       scep_status => 'SUCCESS');



=== TEST 3: variables: FAILURE
--- config eval
$::locations
--- perl
log_start();
my %none = (serial => '', authority => 'demo', status => '200',
            scep_operation => 'PKIOperation', scep_status => 'FAILURE');
my $n = 0;
for ([{ challenge => $::guess }, scep_fail_info => 'badRequest',
      scep_message_type => 'PKCSReq', scep_challenge_result => 'wrong'],
     [{}, scep_fail_info => 'badRequest', scep_message_type => 'PKCSReq',
      scep_challenge_result => 'missing'],
     [{ challenge => $::secret, broken => 'csr' },
      scep_fail_info => 'badMessageCheck', scep_message_type => 'PKCSReq',
      scep_challenge_result => ''],
     [{ challenge => $::secret, cipher => 'des' },
      scep_fail_info => 'badAlg', scep_challenge_result => ''],
     [{ challenge => $::secret, recipient_serial => '1' },
      scep_fail_info => 'badCertId'],
     [{ challenge => $::secret, ca_true => 1 },
      scep_fail_info => 'badRequest', scep_challenge_result => 'accepted'],
     [{ type => 17 }, scep_fail_info => 'badRequest',
      scep_message_type => 'RenewalReq'],
     [{ type => 20 }, scep_message_type => 'CertPoll'],
     [{ type => 21 }, scep_message_type => 'GetCert'],
     [{ type => 22 }, scep_message_type => 'GetCRL'],
     [{ type => 18 }, scep_fail_info => 'badRequest',
      scep_message_type => ''])
{
    my ($what, %expected) = @$_;
    scep_ask('/scep', %$what, txn => 'failed ' . ++$n);
    fields(last_line($n), %none, %expected,
           scep_transaction_id => "failed $n");
}



=== TEST 4: S29: variables: what is no message; one line of JSON each
--- config eval
$::locations
--- perl
log_start();
my $n = 0;
my %none = map { $_ => '' } qw( serial subject profile scep_message_type
               scep_transaction_id scep_status scep_fail_info
               scep_challenge_result );
for my $hex ('610d0a62', '1b5b33316d', '22', '222c2278223a22', 'c3a9', '00',
             'ff' x 20)
{
    is(scep_brief(scep_ask('/scep', challenge => $::secret,
                           txn_hex => $hex)), 'HTTP 400', "transaction $hex");
    fields(last_line(++$n), %none, status => '400', authority => 'demo',
           scep_operation => 'PKIOperation');
}
for my $operation ('GetCACaps', 'GetCACert') {
    http_get("/scep?operation=$operation");
    fields(last_line(++$n), %none, status => '200', authority => 'demo',
           scep_operation => $operation);
}
http_get('/scep/%0d%0a%22,%22x%22:%22?operation=%22');
fields(last_line(++$n), %none, status => '400', scep_operation => '');

# a subject that is no text for a terminal

my $r = scep_ask('/open', subject => '', extension =>
                 '2.5.29.17:critical:30058203610d0a');
last_line(++$n);
my @lines = split /\n/, slurp("$::work/access.json");
is(scalar(grep { eval { JSON::PP::decode_json($_); 1 } } @lines), $n,
   'JSON all');
