# GetCRL (scep.md O5): which CRL it gives, to whom, in what form; what it
# refuses, and that this tells nothing of what is in an envelope; CRLs that are
# too large, clients that are too slow.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::CRL;
use PKI::OCSP;
use PKI::Scep;

use IO::Socket::INET;
use Socket qw( SOL_SOCKET SO_LINGER SO_RCVBUF );

redis_start();

work_file('challenge', "open sesame\n");

our ($work, $slow) = (work_dir(), free_port());

http_config('large_client_header_buffers 4 32k;',
    "log_format scep '\$scep_message_type|\$scep_status|\$scep_fail_info|"
    . "\$scep_challenge_result|\$pki_serial|\$crl_number';",
    authority('demo'), authority('other'), authority('none'),
    authority('large'), authority('middle'), authority('bulky'),
    authority('curve', key => 'ec:P-256', more => 'ra auto;'));

# revoked before anybody looks: more than 512 KB of them, and less

for (['large', 12000], ['middle', 10000]) {
    my ($name, $count) = @$_;
    my ($code, $out, $err) = command(
        'python3', 't/tools/load_statuses.py', '--port',
        $ENV{TEST_NGINX_REDIS_PORT}, '--authority', $name, '--count', $count,
        '--revoked', 1);
    die $out . $err if $code;
}

our $locations = crl_locations('demo', 'crl_shards 4; crl_refresh 100ms;')
                 . <<'END';
access_log $TEST_NGINX_WORK/access.log scep;
location /scep       { scep demo;
                       scep_challenge static $TEST_NGINX_WORK/challenge; }
location /other/scep { scep other; scep_challenge none insecure; }
location /none/scep  { scep none; scep_challenge none insecure; }
END

our $curve = crl_locations('curve', 'crl_shards 4; crl_refresh 100ms;')
             . 'location /scep { scep curve; scep_challenge none insecure; }';

our $many = join '', "location = /probe { pki_probe; }\n", map { <<"END" }
location = /crl/$_.crl { crl $_; }
location /$_/scep { scep $_; scep_challenge none insecure; }
location /$_/des3 { scep $_; scep_challenge none insecure;
                    scep_response_cipher des-ede3-cbc; }
END
    qw( large middle );

our $small_buffers = <<"END";
server {
    listen 127.0.0.1:$slow sndbuf=16k;
    location /middle/scep { scep middle; scep_challenge none insecure; }
}
END

our $rolled = authority('before') . authority('after',
                                              more => 'previous before;');

our ($bad_alg, $bad_check, $bad_request, $bad_id) =
    map { "FAILURE $_" } qw( badAlg badMessageCheck badRequest badCertId );

our $demo = "$work/demo.pem";
our $serial = '40' . '11' x 16;                # nobody has it
our @certs;

# one certificate in each shard, all CRLs are there

sub start {
    scep_ready('/probe') or die 'not ready';
    ocsp_defaults(ca => $demo);
    @certs = crl_spread('demo', 4) if !@certs;
    crl_wait($_) or die "no $_" for '/crl/demo.crl', map { crl_uri($_) } @certs;
}

# a GetCRL as it should be, but for the options

sub ask {
    return scep_crl('/scep', $::certs[0], @_);
}

# what a URL serves now

sub served {
    return (http_get($_[0]))[2];
}

# A message by a client that is gone when nginx reads it.

sub send_and_reset {
    my ($uri, $m) = @_;

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client());
    print $s "POST $uri HTTP/1.1\r\nHost: x\r\nContent-Length: "
             . length($m->{der}) . "\r\n\r\n$m->{der}";
    $s->flush;
    setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $s;
}

sub octets_of {
    return MIME::Base64::decode_base64($_[0]{crl} // '');
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: O5: the CRL of the certificate's shard
--- config eval
$::locations
--- perl
start();
my $cert = $::certs[2];
my $r = scep_crl('/scep', $cert, cert => "$::work/shard.crl");
is(scep_brief($r), 'SUCCESS');
is(octets_of($r), served('/crl/demo-02.crl'), 'as its URL serves it');
isnt(octets_of($r), served('/crl/demo-01.crl'), 'and no other');

my $before = crl_parse(octets_of($r), $::demo);
ok(!crl_entry($before, $cert), 'the certificate is good');
revoke($cert, 'keyCompromise', '/demo/m');
my $after = wait_until(sub {
    my $r = scep_crl('/scep', $cert);
    my $crl = crl_parse(octets_of($r), $::demo);
    return crl_entry($crl, $cert) && $crl;
});
is(crl_entry($after, $cert)->{reason}, 1, 'revoked, and on it');
ok($after->{number} > $before->{number}, 'a newer one');



=== TEST 2: O5: the full CRL, for whatever has no shard
--- config eval
$::locations
--- perl
start();
my $full = served('/crl/demo.crl');
for (['17 octets', $::serial], ['one octet', '01'], ['20 octets', '40' x 20],
     ['of the shard behind the last', '40' . '11' x 16 . '0004'],
     ['of the last one there may be', '40' . '11' x 16 . '03ff'],
     ['of more', '40' . '11' x 16 . 'ffff'], ['negative', 'c0' x 17])
{
    my $r = ask(about_serial => $_->[1]);
    is(scep_brief($r), 'SUCCESS', "a serial number $_->[0]");
    is(octets_of($r), $full, 'the full one');
}
my $r = ask(about_serial => '40' . '11' x 16 . '0003');
is(octets_of($r), served('/crl/demo-03.crl'),
   'one that nobody has, of a shard that there is');
is(octets_of(ask(about => $::demo)), $full, 'about the authority itself');



=== TEST 3: who may ask, in what form
--- config eval
$::locations
--- perl
start();
is(scep_brief(ask(key => 'stranger')), 'SUCCESS', 'self-signed, no challenge');

my $enrolled = scep_ask('/scep', challenge => 'open sesame', key => 'member',
                        cert => "$::work/member.pem");
is(scep_brief($enrolled), 'SUCCESS', 'enrolled');
is(scep_brief(scep_crl('/scep', "$::work/member.pem", key => 'member',
                       signer_cert => "$::work/member.pem",
                       signer_key => "$::work/member.scep")),
   'SUCCESS', 'with its own certificate, about itself');

is(scep_brief(ask(get => 1)), 'SUCCESS', 'by GET');
is(scep_brief(ask(ber => 1)), 'SUCCESS', 'BER');
is(scep_brief(ask(cipher => $_)), 'SUCCESS', $_)
    for 'aes-256-cbc', 'des3';
is(scep_brief(ask(transport => 'oaep-sha256', digest => 'sha512')), 'SUCCESS',
   'RSAES-OAEP');
is(scep_brief(ask(signer_ski => 1, recipient_ski => 1)), 'SUCCESS',
   'key identifiers');



=== TEST 4: what is wrong inside the envelope does not show
--- config eval
$::locations
--- perl
start();
for (['of another authority', about => "$::work/other.pem"],
     ['of nobody', about_issuer => ''],
     ['nearly of this one', about_issuer => 'CN=demo CA,O=test'],
     ['the same name in other words', about_issuer => 'O=Test,CN=demo CA'],
     ['something behind it', trailing_csr => '00'],
     ['a serial number of 21 octets', about_serial => '40' x 21],
     ['none', about_serial => ''],
     ['of more octets than it needs', about_serial => '00' . '11' x 16],
     ['likewise, negative', about_serial => 'ff' . '91' x 16],
     ['nothing', payload => work_file('empty', '')],
     ['rubbish', payload => work_file('noise', 'x' x 50)],
     ['half of it', payload => work_file('half', "\x30\x20\x30\x10")],
     ['a key identifier',
      payload => work_file('key-id', "\x80\x14" . 'x' x 20)],
     ['only a name', payload => work_file('name', "\x30\x02\x30\x00")],
     ['indefinite length',
      payload => work_file('ber', "\x30\x80\x30\x00\x02\x01\x01\0\0")],
     ['a PKCS#10', about => [], challenge => 'open sesame'],
     ['a broken one', about => [], broken => 'csr'],
     ['a broken envelope', broken => 'envelope'],
     ['a wrong content key', broken => 'cek'])
{
    my ($what, @options) = @$_;
    my $r = ask(@options);
    is(scep_brief($r), $::bad_id, $what);
    is($r->{fail_info_text}, undef, "$what: no text");
}

my $before = issued('demo');
is(scep_brief(ask(type => 19)), $::bad_check,
   'a PKCSReq about a certificate');
is(scep_brief(ask(type => 21)), $::bad_id, 'GetCert');
is(issued('demo'), $before, 'nothing is issued');
--- no_error_log
[error]
[warn]
--- error_log
the certificate is of another authority
the envelope names no certificate
the envelope cannot be opened



=== TEST 5: refused like any other message
--- config eval
$::locations
--- perl
start();
for (['signature', $::bad_check, broken => 'signature'],
     ['digest', $::bad_check, broken => 'digest'],
     ['the key of another', $::bad_check, mismatch => 1],
     ['no certificate', $::bad_check, no_cert => 1],
     ['single DES', $::bad_alg, cipher => 'des'],
     ['MD5', $::bad_alg, digest => 'md5'],
     ['a small key', $::bad_request, key => 'small', key_type => 'rsa:1024'],
     ['an EC key', $::bad_alg, key => 'ec', key_type => 'ec:P-256'],
     ['for another authority', $::bad_id, recipient => "$::work/other.pem"],
     ['no nonce', $::bad_request, omit => 'nonce'],
     ['no envelope', $::bad_request, no_envelope => 1],
     ['no transaction', 'HTTP 400', omit => 'txn'],
     ['two types', $::bad_request, dup_value => '19'])
{
    my ($what, $answer, @options) = @$_;
    is(scep_brief(ask(@options)), $answer, $what);
}
--- no_error_log
[error]
[warn]



=== TEST 6: no CRL yet
--- config eval
$::locations
--- perl
start();
is(scep_brief(scep_crl('/none/scep', "$::work/none.pem",
                       ca => "$::work/none.pem")), $::bad_request, 'none');
is(scep_brief(scep_crl('/none/scep', "$::work/none.pem",
                       about_serial => '40' . '11' x 16 . '0000',
                       ca => "$::work/none.pem")), $::bad_request,
   'and no shards');
--- error_log
there is no current CRL to give



=== TEST 7: an EC authority, whose RA opens and signs
--- config eval
$::curve
--- perl
scep_ready('/probe') or die 'not ready';
my ($ra, $ca) = scep_recipient('curve');
ocsp_defaults(ca => $ca);
my @certs = crl_spread('curve', 4);
crl_wait($_) or die "no $_" for '/crl/curve.crl', map { crl_uri($_) } @certs;
for my $n (0 .. 3) {
    my $r = scep_crl('/scep', $certs[$n], ca => $ra, issuer => $ca);
    is(scep_brief($r), 'SUCCESS', "shard $n");
    is(octets_of($r), served("/crl/curve-0$n.crl"), 'its CRL');
}
my $r = scep_crl('/scep', $ra, ca => $ra, issuer => $ca);
is(scep_brief($r), 'SUCCESS', 'about the RA');
is(scep_brief(scep_crl('/scep', $certs[0], ca => $ra, issuer => $ca,
                       about => "$::work/demo.pem")), $::bad_id,
   'of another authority');



=== TEST 8: variables in the log
--- config eval
$::locations
--- perl
start();
work_file('access.log', '');
my $r = ask();
ask(about => "$::work/other.pem");
ask(broken => 'signature');
my @lines;
wait_until(sub { @lines = split /\n/, slurp("$::work/access.log");
                 @lines >= 3 });
is($lines[0], "GetCRL|SUCCESS|-|-|-|$r->{number}", 'given');
is($lines[1], 'GetCRL|FAILURE|badCertId|-|-|-', 'refused');
is($lines[2], 'GetCRL|FAILURE|badMessageCheck|-|-|-', 'forged');



=== TEST 9: Redis is away
--- config eval
$::locations
--- perl
start();
is(scep_brief(ask()), 'SUCCESS', "worker $_") for 1 .. 20;
my @messages = map { scep_make(type => 22, about => $::certs[0]) } 1 .. 8;
redis_pause();
send_and_reset('/none/scep', $_) for @messages[0 .. 3];
is(scep_brief(scep_send('/scep', $_)), 'SUCCESS', 'still') for @messages;
redis_resume();
is(scep_brief(ask()), 'SUCCESS', 'and again');



=== TEST 10: sizes: 512 KB, less by a slow cipher
--- config eval
$::many
--- perl
scep_ready('/probe') or die 'not ready';
for my $name (qw( large middle )) {
    my $file = "$::work/$name.pem";
    crl_wait("/crl/$name.crl", undef, 20, ca => $file) or die "no $name.crl";
    my $crl = served("/crl/$name.crl");
    my %o = (ca => $file, about_serial => $::serial);
    my $r = scep_crl("/$name/scep", $file, %o);
    my $large = $name eq 'large';

    ok((length $crl > 1 << 19) == $large, length($crl) . ' octets');
    is(scep_brief($r), $large ? $::bad_request : 'SUCCESS', $name);
    is(octets_of($r), $crl, 'whole') if !$large;
    is(scep_brief(scep_crl("/$name/scep", $file, %o, cipher => 'des3')),
       $::bad_request, "$name: 3DES");
    is(scep_brief(scep_crl("/$name/des3", $file, %o)), $::bad_request,
       "$name: 3DES in the answer");
}
--- error_log
octets is too large for GetCRL, its URL serves it



=== TEST 11: clients that do not read
--- http_config eval
$::small_buffers
--- config eval
$::many
--- perl
scep_ready('/probe') or die 'not ready';
my $file = "$::work/middle.pem";
crl_wait('/crl/middle.crl', undef, 20, ca => $file) or die 'no middle.crl';

# what one worker holds at most, twice and more

my $m = scep_make(type => 22, about => $file, about_serial => $::serial,
                  ca => $file);
my @clients = map {
    my $s = IO::Socket::INET->new(Proto => 'tcp');
    $s->setsockopt(SOL_SOCKET, SO_RCVBUF, 4096);
    $s->connect(Socket::pack_sockaddr_in($::slow,
                                         Socket::inet_aton('127.0.0.1')))
        or die "connect: $!";
    print $s "POST /middle/scep HTTP/1.0\r\nContent-Length: "
             . length($m->{der}) . "\r\n\r\n$m->{der}";
    $s->flush;
    $s;
} 1 .. 90;

my %got;
for my $s (@clients) {
    sysread $s, my $head, 12;
    $got{ substr $head // '', 9 }++;
}
ok($got{503}, "some are told to come later: $got{503}");
ok($got{200} >= 8, "others are answered: $got{200}");
is(join(' ', sort keys %got), '200 503', 'nothing else');

close $_ for @clients;
ok(wait_until(sub {
       my @r = map { scep_send('/middle/scep', $m) } 1 .. 4;
       return 4 == grep { scep_brief($_) eq 'SUCCESS' } @r;
   }), 'they are gone: answered again');
--- error_log
are on their way to slow clients



=== TEST 12: clients that are gone before their message is looked at
--- config eval
$::locations
--- perl
start();
is(scep_brief(ask()), 'SUCCESS', 'there is one') for 1 .. 8;
my @workers = worker_pids();
for my $m (scep_make(type => 22, about => $::certs[0]),
           scep_make(type => 22, about => "$::work/other.pem"),
           scep_make(type => 22, about => $::certs[0], broken => 'signature'))
{
    kill STOP => @workers;
    send_and_reset('/scep', $m) for 1 .. 8;
    kill CONT => @workers;
    is(scep_brief(ask()), 'SUCCESS', 'answered') for 1 .. 4;
}
is_deeply([worker_pids()], \@workers, 'the workers are the same');



=== TEST 13: a node that only enrols does not load what it would refuse
--- config
location = /probe { pki_probe; }
location /bulky/scep { scep bulky; scep_challenge none insecure; }
--- perl
scep_ready('/probe') or die 'not ready';

# one of two parts, and of some MB

for my $size (600_000, 5_000_000) {
    my $now = time;
    redis_cmd('HSET', 'pki:{bulky}:crl:0', 'size', $size,
              'number', $now * 1000 + $size, 'this_update', $now,
              'next_update', $now + 86400, 'seq', 0);
    nginx_reload(20);
    scep_ready('/probe') or die 'not ready';

    my $file = "$::work/bulky.pem";
    my $m = scep_make(type => 22, about => $file, about_serial => $::serial,
                      ca => $file);
    my $monitor = work_file('monitor', '');
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        open STDOUT, '>', $monitor;
        { exec 'redis-cli', '-p', redis()->port, 'MONITOR' };
        POSIX::_exit(127);
    }

    wait_until(sub { -s $monitor }, 5);

    my %answers;
    $answers{ scep_brief(scep_send('/bulky/scep', $_)) }++ for ($m) x 30;

    redis_cmd('PING');
    select undef, undef, undef, 0.2;
    kill TERM => $pid;
    waitpid $pid, 0;

    my $said = slurp($monitor);
    my @parts = $said =~ /"HGET" "pki:\{bulky\}:crl:0:/g;
    my @asked = $said =~ /"HMGET" "pki:\{bulky\}:crl:/g;

    is_deeply(\%answers, { $::bad_request => 30 }, "$size octets: refused");
    is(scalar @parts, 0, 'nothing is loaded');
    ok(@asked > 0 && @asked <= 2, 'each worker asks once: ' . @asked);
}
--- error_log
octets is too large for GetCRL, its URL serves it



=== TEST 14: clients that are gone while they wait hold no place
--- config
location = /probe { pki_probe; }
location /none/scep { scep none; scep_challenge none insecure;
                      scep_max_pending 1; }
--- perl
scep_ready('/probe') or die 'not ready';
my $file = "$::work/none.pem";
my $m = scep_make(type => 22, about => $file, about_serial => $::serial,
                  ca => $file);
my @answered;
redis_pause();

for (1 .. 5) {
    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client());
    print $s "POST /none/scep HTTP/1.1\r\nHost: x\r\nContent-Length: "
             . length($m->{der}) . "\r\n\r\n$m->{der}";
    $s->flush;
    push @answered, PKI::read_all($s, 0.2) || ();
    close $s;
    select undef, undef, undef, 0.05;
}

is(scalar @answered, 0, 'each waits') or diag(@answered);
redis_resume();
ok(wait_until(sub { scep_brief(scep_send('/none/scep', $m))
                    eq $::bad_request }, 10), 'answered in the end');
--- no_error_log
as "scep_max_pending" allows



=== TEST 15: a node that only enrols: a shard that changed in a gap of the log
--- config eval
$::locations
--- timeout: 60
--- perl
start();
my ($cert, $other) = @::certs[1, 2];
my $node = node_start(edit => sub { s/\bcrl demo\b[^;]*;/return 404;/g });

sub told {
    my ($cert) = @_;
    my $m = scep_make(type => 22, about => $cert);
    my (undef, undef, $body) =
        http_post('/scep?operation=PKIOperation', $m->{der},
                  port => $node->port);
    return scep_open($m, $body);
}

is(scep_brief(told($_)), 'SUCCESS', 'a copy') for ($cert, $other) x 10;
my $kept = octets_of(told($other));

# the node sleeps, the log forgets

kill STOP => $node->workers;
is(revoke($cert, 'keyCompromise', '/demo/m'), 200, 'revoked');
my $crl = crl_wait(crl_uri($cert), sub { crl_entry($_[0], $cert) }, 20);
ok($crl, 'on the CRL');
redis_cmd('XTRIM', 'pki:{demo}:log', 'MAXLEN', 0);
kill CONT => $node->workers;

ok(wait_until(sub { $node->log =~ /gap in the change log/ }, 10), 'noticed');
my %seen;
$seen{ octets_of(told($cert)) eq $crl->{der} ? 'new' : 'old' }++ for 1 .. 20;
is_deeply(\%seen, { new => 20 }, 'of every worker the new one');
ok(octets_of(told($other)) eq $kept, 'what has not changed is as it was');
ok($node->stop, 'it ends well');



=== TEST 16: O5: a certificate of the authority before, after a roll-over
--- http_config eval
$::rolled
--- config
scep_challenge none insecure;
crl_refresh 100ms;
location = /probe          { pki_probe; }
location = /crl/before.crl { crl before; }
location = /crl/after.crl  { crl after; }
location /old              { scep before; }
location /new              { scep after; }
--- perl
scep_ready('/probe') or die 'not ready';
my ($old, $new) = map { "$::work/$_.pem" } qw( before after );
crl_wait("/crl/$_.crl", undef, 20, ca => "$::work/$_.pem") or die "no $_.crl"
    for qw( before after );

my $r = scep_crl('/new', $old, ca => $new, issuer => $old,
                 about_serial => $::serial);
is(scep_brief($r), 'SUCCESS', 'of the one before');
is(octets_of($r), served('/crl/before.crl'), 'its CRL');
$r = scep_crl('/new', $new, ca => $new, about_serial => $::serial);
is(scep_brief($r), 'SUCCESS', 'of this one');
is(octets_of($r), served('/crl/after.crl'), 'its CRL');
$r = scep_crl('/old', $new, ca => $old, about_serial => $::serial);
is(scep_brief($r), $::bad_id, 'not of the next one');
