# One-time challenges: scep_challenge one_time (scep.md S2, S3, S14, S16).  A
# secret is worth one certificate, to whom it is for, where it is for, as long
# as it lasts; and what is withheld is not given by other ways.  How they are
# minted is in 47.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;
use PKI::OneTime;
use PKI::Rest qw( csr );
use PKI::Scep;

redis_start(appendonly => 1, args => ['--appendfsync', 'always']);

work_file('challenge', "open sesame\n");
work_file('another', "open barley\n");

our $work = work_dir();

http_config("log_format scep '\$scep_status|\$scep_fail_info|"
            . "\$scep_challenge_result|\$scep_challenge_by|\$pki_serial|';",
            authority('demo'), authority('other'),
            'pki_profile narrow { allow_subject "^CN=narrow"; }',
            'pki_profile names { allow_san upn .; allow_san uri .; }',
            'pki_profile sids { sid request; allow_san uri .; }');

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log scep;
location = /probe { pki_probe; access_log off; }
location = /ocsp  { ocsp_responder demo; access_log off; }
location /m       { certificate_master demo; certificate_master_user someone;
                    certificate_master_roles admin; access_log off; }
location /scep    { scep demo; scep_challenge one_time; }
location /narrow  { scep demo; scep_profile narrow;
                    scep_challenge one_time; }
location /phones  { scep demo; scep_challenge one_time scope=phones; }
location /other   { scep other; scep_challenge one_time; }
location /static  { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /another { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/another; }
location /both    { scep demo; scep_renewal on within=0;
                    scep_challenge static $TEST_NGINX_WORK/challenge;
                    scep_challenge one_time; }
location /sids    { scep demo; scep_profile sids;
                    scep_challenge one_time; }
location /short   { scep demo; scep_challenge one_time ttl=10s; }
location /intune  { scep demo; scep_profile names; scep_device intune;
                    scep_challenge one_time scope=intune; }
END

our $bad = 'FAILURE badRequest';
our ($secrets, @secrets) = (0);

sub start {
    scep_ready('/probe') or die 'not ready';
    truncate "$work/access.log", 0;
}

# A new secret, in Redis.

sub mint {
    my (%o) = @_;
    my $secret = sprintf 'ONE-TIME-%08d', ++$secrets;
    push @secrets, $secret;
    return one_time_put(delete $o{authority} || 'demo',
                        delete $o{scope} || 'default', $secret, %o);
}

sub there { return one_time_is('demo', 'default', $_[0]) }

sub record_of {
    my ($serial) = @_;
    return { @{ redis_cmd('HGETALL', "pki:{demo}:cert:$serial") } };
}

# a SAN of this user principal name alone

sub upn {
    my $name = pack 'H* a*', '060a2b060104018237140203',
                    tlv(0xa0, tlv(0x0c, $_[0]));
    return (extension => '2.5.29.17::'
                         . unpack 'H*', tlv(0x30, tlv(0xa0, $name)));
}

sub tlv { return pack 'C C/a*', @_ }

sub count_by { my %n; $n{$_}++ for @_; return \%n }

# an extension that names an account of a directory (MS-WCCE, 2.2.2.7.7.4)

sub sid {
    my $name = pack 'H* a*', '060a2b060104018237190201',
                    tlv(0xa0, tlv(0x04, $_[0]));
    return (extension => '1.3.6.1.4.1.311.25.2::'
                         . unpack 'H*', tlv(0x30, tlv(0xa0, $name)));
}

# the lines of the access log: status, failInfo, result, by, serial

sub logged { return split /\n/, slurp("$::work/access.log") }

# the last line, which may come after the answer

sub logs {
    my ($like, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_until(sub { ((logged())[-1] // '') =~ $like }, 2);
    return like((logged())[-1], $like, $what);
}

log_level('info');
run_tests();

__DATA__

=== TEST 1: one certificate, and what is kept and logged of it
--- config eval
$::locations
--- perl
start();
my $secret = mint(by => 'mdm');
my $second = mint(by => 'mdm');
is(one_time_count('demo', 'mdm'), 2);

my $m = scep_make(challenge => $secret, subject => 'CN=one', txn => 'one');
my $r = scep_send('/scep', $m);
is(scep_brief($r), 'SUCCESS');
my $record = record_of($r->{serial});
is($record->{vouched}, 'one_time', 'the record says by what');
is($record->{withheld}, undef);
ok(!there($secret), 'used up');
is(one_time_count('demo', 'mdm'), 1, 'given back to whoever had it made');

is(scep_send('/scep', $m)->{serial}, $r->{serial}, 'a retry: the same');
is(scep_ask('/scep', challenge => $secret, subject => 'CN=one',
            txn => 'one')->{serial}, $r->{serial}, 'put together anew');
is(scep_brief(scep_ask('/scep', challenge => $secret, subject => 'CN=one',
                       txn => 'two')), $::bad, 'another transaction');
is(scep_brief(scep_ask('/scep', challenge => $secret, subject => 'CN=two',
                       txn => 'one')), $::bad, 'another subject');
is(scep_brief(scep_ask('/scep', challenge => $secret, subject => 'CN=one',
                       txn => 'one', key => 'eve')), $::bad, 'another key');
is(scep_brief(scep_ask('/scep', challenge => 'ONE-TIME-00000000')), $::bad,
   'never made');
is(scep_brief(scep_ask('/scep')), $::bad, 'none');
is(scep_brief(scep_ask('/scep', challenge => "$second ")), $::bad, 'longer');
is(scep_brief(scep_ask('/scep', challenge => lc $second)), $::bad,
   'lower case');
is(scep_brief(scep_ask('/scep', challenge => substr $second, 1)), $::bad,
   'shorter');
is(scep_brief(scep_ask('/scep', challenge => $second, get => 1)), 'SUCCESS',
   'by GET');
is(one_time_count('demo', 'mdm'), 0);

wait_until(sub { logged() >= 12 }, 2);
my @lines = logged();
is($lines[0], "SUCCESS|-|accepted|one_time|$r->{serial}|");
is($lines[3], 'FAILURE|badRequest|wrong|one_time|-|');
is($lines[7], 'FAILURE|badRequest|missing|-|-|');
--- error_log
there is no such challenge here, it was used, or it has expired
there is no challenge
--- no_error_log
[error]



=== TEST 2: S14: fifty clients, one challenge, one certificate
--- timeout: 60
--- config eval
$::locations
--- perl
start();
my ($secret, $before) = (mint(by => 'race'), issued('demo'));
my @m = map { scep_make(challenge => $secret, key => "racer$_",
                        subject => "CN=racer$_") } 1 .. 50;
my @said = map { scep_brief($_) } scep_send_all('/scep', @m);
is_deeply(count_by(@said), { 'SUCCESS' => 1, $::bad => 49 });
is(issued('demo'), $before + 1, 'one is recorded');
ok(!there($secret));
is(one_time_count('demo', 'race'), 0);

my ($winner) = grep { $said[$_] eq 'SUCCESS' } 0 .. 49;
is_deeply(count_by(map { scep_brief($_) } scep_send_all('/scep', @m)),
          { 'SUCCESS' => 1, $::bad => 49 }, 'all of them once more');
is(scep_brief(scep_send('/scep', $m[$winner])), 'SUCCESS',
   'it goes to the one who has it');
is(issued('demo'), $before + 1);
wait_until(sub { logged() >= 101 }, 2);
my %n = %{ count_by(map { (split /\|/)[2] } grep { /\|one_time\|/ } logged()) };
is($n{unavailable}, undef);
ok($n{wrong} >= 49 * 2, 'those who were late were wrong, for the log, too');



=== TEST 3: S14: the same request, ten times at once
--- config eval
$::locations
--- perl
start();
for my $round (1 .. 5) {
    my ($secret, $before) = (mint(), issued('demo'));
    my $m = scep_make(challenge => $secret, subject => "CN=same$round");
    my @r = scep_send_all('/scep', ($m) x 10);
    is_deeply(count_by(map { scep_brief($_) } @r), { SUCCESS => 10 });
    is(keys %{ count_by(map { $_->{serial} } @r) }, 1, 'the same certificate');
    is(issued('demo'), $before + 1);
    ok(!there($secret));
}
--- no_error_log
[error]



=== TEST 4: S2: a challenge works where it is for, and nowhere else
--- config eval
$::locations
--- perl
start();
my %mine = (
    '/scep'    => sub { mint() },
    '/narrow'  => sub { mint(scope => 'narrow') },
    '/phones'  => sub { mint(scope => 'phones') },
    '/other'   => sub { mint(authority => 'other') },
    '/intune'  => sub { mint(scope => 'intune') },
    '/static'  => sub { 'open sesame' },
    '/another' => sub { 'open barley' });
my %also = ('/both' => { '/scep' => 1, '/static' => 1 },
            '/short' => { '/scep' => 1 }, '/scep' => {});

for my $from (sort keys %mine) {
    for my $to (sort keys %mine, '/both', '/short') {
        my $secret = $mine{$from}->();
        my @ca = $to eq '/other' ? (ca => "$::work/other.pem") : ();
        is(scep_brief(scep_ask($to, challenge => $secret,
                               subject => 'CN=narrow', @ca)),
           $from eq $to || $also{$to}{$from} ? 'SUCCESS' : $::bad,
           "$from at $to");
    }
}
my $secret = mint();
is(scep_brief(scep_ask('/both', challenge => $secret, type => 17)),
   'FAILURE badCertId', 'a renewal by nobody');
is(scep_brief(scep_ask('/both', challenge => $secret)), 'SUCCESS');



=== TEST 5: S3: bound to a subject, to names, to a device, to a user
--- config eval
$::locations
--- perl
start();
my $guid = '0f0e0d0c-0b0a-4908-8706-050403020100';
my $other = '1f0e0d0c-0b0a-4908-8706-050403020100';
my @names = ('DNS:a.example', 'DNS:b.example');

for (['subject', '/scep', { subject => 'CN=bound,O=Test' },
      [ subject => 'CN=bound,O=Test' ],
      [ subject => 'CN=bound,O=test' ], [ subject => 'CN=bound' ],
      [ subject => 'O=Test,CN=bound' ], [ subject => 'CN=bound,O=Test,C=DE' ],
      [ subject => '', san => 'DNS:a.example' ],
      [ subject => 'CN=bound\\,O\\=Test' ]],
     ['names', '/scep', { sans => 'DNS:a.example, DNS:b.example' },
      [ san => [ @names ] ],
      [ san => [ @names[0, 0] ] ], [ san => $names[0] ], [],
      [ san => [ @names, 'DNS:c.example' ] ],
      [ san => [ $names[0], 'email:b@b.example' ] ]],
     ['names in another order', '/scep',
      { sans => 'DNS:a.example, DNS:b.example' },
      [ san => [ reverse @names ] ]],
     ['all', '/scep', { subject => 'CN=bound', sans => 'DNS:a.example' },
      [ subject => 'CN=bound', san => $names[0] ],
      [ subject => 'CN=bound', san => $names[1] ], [ subject => 'CN=bound' ],
      [ subject => 'CN=other', san => $names[0] ]],
     ['device', '/intune', { device => uc $guid },
      [ subject => "CN=$guid" ],
      [ subject => "CN=$other" ], [ subject => 'CN=x' ],
      [ subject => "CN=$guid",
        san => "URI:IntuneDeviceId://$other" ]],
     ['device, by a URI', '/intune', { device => $guid },
      [ subject => 'CN=x', san => "URI:IntuneDeviceId://$guid" ],
      [ subject => 'CN=x', san => "URI:IntuneDeviceId://$other" ]],
     ['user', '/intune', { user => 'Ann@contoso.example' },
      [ upn('ann@contoso.example') ], [ upn('bob@contoso.example') ], [] ])
{
    my ($what, $uri, $bound, $right, @wrong) = @$_;
    my $scope = $uri eq '/intune' ? 'intune' : 'default';
    my $secret = mint(scope => $scope, by => 'binder', %$bound);
    my $before = issued('demo');

    for (@wrong) {
        is(scep_brief(scep_ask($uri, challenge => $secret, @$_)), $::bad,
           "$what, not @$_");
        logs(qr/\|wrong\|one_time\|-\|$/, 'so says the log');
    }
    is(issued('demo'), $before, 'nothing is issued');
    ok(one_time_is('demo', $scope, $secret), 'that has not cost it');
    is(scep_brief(scep_ask($uri, challenge => $secret, @$right)), 'SUCCESS',
       $what);
    ok(!one_time_is('demo', $scope, $secret), 'this has');
}

# where nothing tells which device it is, it is none

my $secret = mint(device => $guid);
is(scep_brief(scep_ask('/scep', challenge => $secret, subject => "CN=$guid")),
   $::bad, 'without scep_device');
--- error_log
certificate refused: the one-time challenge is for another subject
certificate refused: the one-time challenge is for other subject alternative names
certificate refused: the one-time challenge is for another device
certificate refused: the one-time challenge is for another user
--- no_error_log
[error]



=== TEST 6: nothing but a certificate uses it up
--- config eval
$::locations
--- perl
start();
my $secret = mint(scope => 'narrow');
my $ask = sub { scep_brief(scep_ask('/narrow', challenge => $secret, @_)) };
is($ask->(subject => 'CN=wide'), $::bad, 'refused by the profile');
is($ask->(subject => 'CN=narrow', key_type => 'rsa:1024', key => 'weak'),
   'FAILURE badRequest', 'a weak key');
is($ask->(subject => 'CN=narrow', broken => 'signature'),
   'FAILURE badMessageCheck', 'forged');
is($ask->(subject => 'CN=narrow', broken => 'cek'),
   'FAILURE badMessageCheck', 'unreadable');
ok(one_time_is('demo', 'narrow', $secret), 'still there');

# a key of another type where its record would be: the step fails as a whole

redis_cmd('RENAME', 'pki:{demo}:issued', 'pki:{demo}:kept');
redis_cmd('SET', 'pki:{demo}:issued', 'x');
my $r = $ask->(subject => 'CN=narrow', txn => 'halfway');
is($r, $::bad, 'redis refuses');
redis_cmd('DEL', 'pki:{demo}:issued');
redis_cmd('RENAME', 'pki:{demo}:kept', 'pki:{demo}:issued');
is($ask->(subject => 'CN=narrow', txn => 'halfway'), 'SUCCESS',
   'then it works');
is($ask->(subject => 'CN=narrow', txn => 'later'), $::bad, 'once');
--- error_log
redis refused



=== TEST 7: it expires
--- config eval
$::locations
--- perl
start();
my $brief = sub {
    my ($uri, $secret) = @_;
    return scep_brief(scep_ask($uri, challenge => $secret));
};

my $secret = mint(ttl => 1, by => 'hasty');
is(one_time_count('demo', 'hasty'), 1);
select undef, undef, undef, 1.3;
ok(!there($secret), 'gone from Redis');
is(one_time_count('demo', 'hasty'), 0, 'it does not count any more');
is($brief->('/scep', $secret), $::bad);

$secret = mint(created => time - 11);
is($brief->('/short', $secret), $::bad, 'older than this location likes');
is($brief->('/scep', $secret), 'SUCCESS', 'another one takes it');

$secret = mint(created => time - 3601, ttl => 7200);
is($brief->('/scep', $secret), $::bad, 'an hour, unless it says otherwise');
ok(there($secret));

$secret = mint(expires => time - 1, created => time - 60);
is($brief->('/scep', $secret), $::bad, 'expired, but Redis still has it');

$secret = mint(created => time + 300);
is($brief->('/scep', $secret), 'SUCCESS', 'made where the clock is ahead');
--- error_log
the challenge is too old



=== TEST 8: with other kinds
--- config eval
$::locations
--- perl
start();
my $secret = mint();
is(scep_brief(scep_ask('/both', challenge => 'open sesame')), 'SUCCESS');
logs(qr/^SUCCESS\|-\|accepted\|(?!one_time)/);
ok(there($secret));
is(scep_brief(scep_ask('/both', challenge => $secret)), 'SUCCESS');
is(scep_brief(scep_ask('/both', challenge => $secret)), $::bad);
logs(qr/\|wrong\|one_time\|-\|$/);

# a file's secret needs no look at Redis, nor is it used up

one_time_put('demo', 'default', 'open sesame');
is(scep_brief(scep_ask('/both', challenge => 'open sesame')), 'SUCCESS');
ok(there('open sesame'));
redis_cmd('DEL', one_time_key('demo', 'default', 'open sesame'));

my $r = scep_ask('/both', challenge => mint(), key => 'renews',
                 subject => 'CN=renews', cert => "$::work/renews.pem");
is(scep_brief($r), 'SUCCESS');
my $again = scep_ask('/both', type => 17, subject => 'CN=renews',
                     signer_cert => "$::work/renews.pem",
                     signer_key => "$::work/renews.scep", key => 'renewed');
is(scep_brief($again), 'SUCCESS', 'a renewal needs none');
is(record_of($again->{serial})->{vouched}, 'one_time',
   'as for what it renews');



=== TEST 9: what is malformed in Redis vouches for nobody
--- config eval
$::locations
--- perl
start();
for (['no scope', 'HDEL', 'scope'], ['no time', 'HDEL', 'expires'],
     ['another time', 'HSET', 'created', '1e9'],
     ['over before it began', 'HSET', 'created', time + 9999],
     ['a long name', 'HSET', 'subject', 'x' x 1025])
{
    my ($what, $command, @args) = @$_;
    my $secret = mint();
    redis_cmd($command, one_time_key('demo', 'default', $secret), @args);
    is(scep_brief(scep_ask('/scep', challenge => $secret)), $::bad, $what);
    logs(qr/\|unavailable\|one_time\|-\|$/);
    ok(there($secret));
}

my $secret = mint();
redis_cmd('SET', one_time_key('demo', 'default', $secret), 'x');
is(scep_brief(scep_ask('/scep', challenge => $secret)), $::bad, 'no hash');

$secret = mint();
redis_cmd('HSET', one_time_key('demo', 'default', $secret), 'new', 'x');
is(scep_brief(scep_ask('/scep', challenge => $secret)), 'SUCCESS',
   'what is not known is ignored');
--- error_log
malformed one-time challenge from redis
redis refused: WRONGTYPE



=== TEST 10: Redis away, and there again
--- timeout: 60
--- config eval
$::locations
--- perl
start();
my $secret = mint(by => 'keeper');
my $used = mint();
is(scep_brief(scep_ask('/scep', challenge => $used)), 'SUCCESS');
my $m = scep_make(challenge => $secret);
redis_stop();
is(scep_brief(scep_send('/scep', $m)), $::bad, 'nobody can say');
logs(qr/^FAILURE\|badRequest\|unavailable\|/);
redis()->start;
start();
is(scep_brief(scep_send('/scep', $m)), 'SUCCESS', 'the same message later');
is(scep_brief(scep_ask('/scep', challenge => $used)), $::bad,
   'used up stays used up');

$secret = mint(by => 'keeper');
redis_kill();
redis()->start;
start();
ok(there($secret), 'kept over a crash');
is(one_time_count('demo', 'keeper'), 1);
ok(redis_cmd('TTL', one_time_key('demo', 'default', $secret)) > 3500,
   'and expires all the same');
my $r = scep_ask('/scep', challenge => $secret);
is(scep_brief($r), 'SUCCESS');
redis_kill();
redis()->start;
start();
ok(!there($secret), 'used up, over a crash');
is(record_of($r->{serial})->{vouched}, 'one_time', 'with its certificate');
--- error_log
redis



=== TEST 11: two nodes
--- timeout: 60
--- config eval
$::locations
--- perl
start();
my $node = node_start();
my $to = sub {
    my ($port, $m) = @_;
    my ($status, undef, $body) = http_post(
        '/scep?operation=PKIOperation', $m->{der}, port => $port,
        headers => { 'Content-Type' => 'application/x-pki-message' });
    return scep_brief({ http => $status, %{ scep_open($m, $body) } });
};
my $here = Test::Nginx::Util::server_port_for_client();

for my $round (1 .. 5) {
    my ($secret, $before) = (mint(), issued('demo'));
    my @m = map { scep_make(challenge => $secret, key => "node$_",
                            subject => "CN=node$_-$round") } 0 .. 3;
    my @files = map { work_file("node-$_", '') } 0 .. 3;
    my @pids;

    for my $i (0 .. 3) {
        my $pid = fork() // die "fork: $!";
        if (!$pid) {
            my ($status, undef, $body) = http_post(
                '/scep?operation=PKIOperation', $m[$i]{der},
                port => $i % 2 ? $here : $node->port,
                headers => { 'Content-Type' => 'application/x-pki-message' });
            open my $out, '>', $files[$i];
            print $out $body;
            close $out;
            POSIX::_exit(0);
        }
        push @pids, $pid;
    }
    waitpid $_, 0 for @pids;
    my @said = map { scep_brief(scep_open($m[$_], slurp($files[$_]))) } 0 .. 3;
    is_deeply(count_by(@said), { 'SUCCESS' => 1, $::bad => 3 });
    is(issued('demo'), $before + 1);
}

my $m = scep_make(challenge => mint());
is($to->($here, $m), 'SUCCESS');
is($to->($node->port, $m), 'SUCCESS', 'the same at the other one');
ok($node->stop);



=== TEST 12: what is withheld is given to nobody, in no way
--- config eval
$::locations
--- perl
start();
my %o = (key => 'held', subject => 'CN=held', txn => 'held');
my $r = scep_ask('/both', challenge => 'open sesame', %o,
                 cert => "$::work/held.pem");
is(scep_brief($r), 'SUCCESS');
my $issued = scep_ask('/both', challenge => 'open sesame', key => 'member',
                      subject => 'CN=member', cert => "$::work/member.pem");
is(scep_brief($issued), 'SUCCESS');

my @held = (signer_cert => "$::work/held.pem",
            signer_key => "$::work/held.scep");
my @member = (signer_cert => "$::work/member.pem",
              signer_key => "$::work/member.scep");
my $get = sub {
    my ($name, @who) = @_;
    return scep_brief(scep_ask('/both', type => 21,
                               about => "$::work/$name.pem", @who));
};
my $renew = sub {
    return scep_brief(scep_ask('/both', type => 17, subject => 'CN=held',
                               key => 'new', @held, txn => "renew$_[0]"));
};
my $key = "pki:{demo}:cert:$r->{serial}";
my $ocsp = sub {
    return ocsp_post('/ocsp', { serial => $r->{serial} })->{status};
};
ocsp_defaults(ca => "$::work/demo.pem");

is($get->('held', @member), 'SUCCESS', 'before');
is($ocsp->(), 'good');

redis_cmd('HSET', $key, 'withheld', 'somebody');
my $before = issued('demo');
is($get->('held', @member), 'FAILURE badCertId', 'GetCert of another');
is($get->('held', @held), 'FAILURE badCertId', 'of its own key');
is($get->('member', @held), 'FAILURE badCertId', 'nor does it speak for one');
is($get->('member', @member), 'SUCCESS', 'another one');
is($renew->(1), 'FAILURE badCertId', 'a renewal');
is(scep_brief(scep_ask('/both', challenge => 'open sesame', %o)), $::bad,
   'the request again');
is(issued('demo'), $before, 'nor is there another one');
is($ocsp->(), 'good', 'OCSP says what it says');

my $item = "/m/api/certificates/$r->{serial}";
is((api('GET', $item))[1]{withheld}, 'somebody', 'administrators see why');
is((api('GET', "$item$_"))[0], 409, "but get no $_") for qw( .pem .der /chain );
my ($status, $made) = api('POST', '/m/api/certificates',
                          { csr => csr('made') });
is($status, 201, 'by REST');
redis_cmd('HSET', "pki:{demo}:cert:$made->{serial}", 'withheld', 'somebody');
is((api('POST', '/m/api/certificates', { csr => csr('made') }))[0], 400,
   'the same again');

redis_cmd('HDEL', $key, 'withheld');
is((api('GET', "$item.pem"))[0], 200, 'delivered: by REST');
is((api('GET', $item))[1]{withheld}, undef);
is($get->('held', @member), 'SUCCESS', 'delivered: GetCert');
is($renew->(2), 'SUCCESS', 'a renewal');
is(scep_ask('/both', challenge => 'open sesame', %o)->{serial}, $r->{serial},
   'the request again');
--- error_log
the certificate is withheld
the certificate that signs is withheld
the certificate is withheld until "somebody" is told of it
the certificate of this transaction is withheld



=== TEST 13: S16: no secret is kept or logged
--- config eval
$::locations
--- perl
start();
my $secret = mint(by => 'mdm');
is(scep_brief(scep_ask('/scep', challenge => $secret)), 'SUCCESS');
mint();
for my $file ("$::work/access.log", error_log_file(),
              glob(redis()->dir . '/*'), glob(redis()->dir . '/*/*'))
{
    next if !-f $file;
    my $text = slurp($file);
    is(scalar(grep { index($text, $_) >= 0 } @::secrets), 0, $file);
}

sub error_log_file { return $Test::Nginx::Util::ErrLogFile }



=== TEST 14: from the levels above, with the profile of the location
--- http_config
scep_challenge one_time ttl=2h;
scep_profile narrow;
--- config
location = /probe { pki_probe; }
location /narrow  { scep demo; }
location /default { scep demo; scep_profile default; }
--- perl
scep_ready('/probe');
my $secret = one_time_put('demo', 'narrow', 'INHERITED', created => time - 3700,
                          expires => time + 3600);
is(scep_brief(scep_ask('/default', challenge => $secret,
                       subject => 'CN=narrow')), $::bad);
is(scep_brief(scep_ask('/narrow', challenge => $secret,
                       subject => 'CN=narrow')), 'SUCCESS');



=== TEST 15: an unknown parameter
--- config
location /scep { scep demo; scep_challenge one_time quota=5; }
--- must_die
--- error_log
invalid parameter "quota=5" in "scep_challenge one_time", it takes "ttl=" and "scope=", each once



=== TEST 16: a parameter twice
--- config
location /scep { scep demo; scep_challenge one_time scope=a scope=b; }
--- must_die
--- error_log
invalid parameter "scope=b" in "scep_challenge one_time"



=== TEST 17: the other one twice
--- config
location /scep { scep demo; scep_challenge one_time ttl=1h ttl=1h; }
--- must_die
--- error_log
invalid parameter "ttl=1h" in "scep_challenge one_time"



=== TEST 18: a time that is none
--- config
location /scep { scep demo; scep_challenge one_time ttl=soon; }
--- must_die
--- error_log
invalid parameter "ttl=soon", it must be a time of at least 10s, as "ttl=1h"



=== TEST 19: a time that is too short
--- config
location /scep { scep demo; scep_challenge one_time ttl=9s; }
--- must_die
--- error_log
invalid parameter "ttl=9s", it must be a time of at least 10s



=== TEST 20: an empty scope
--- config
location /scep { scep demo; scep_challenge one_time scope=; }
--- must_die
--- error_log
invalid parameter "scope=", it must be a name of 1 to 64 octets



=== TEST 21: a scope that is too long
--- config eval
"location /scep { scep demo; scep_challenge one_time scope=" . 'x' x 65 . '; }'
--- must_die
--- error_log
it must be a name of 1 to 64 octets



=== TEST 22: one_time twice
--- config
location /scep { scep demo; scep_challenge one_time;
                 scep_challenge one_time scope=x; }
--- must_die
--- error_log
"scep_challenge" directive is duplicate



=== TEST 23: with none
--- config
location /scep { scep demo; scep_challenge one_time;
                 scep_challenge none insecure; }
--- must_die
--- error_log
"none" cannot be combined with another challenge



=== TEST 24: with a decision
--- config
location /scep { scep demo; scep_challenge one_time; scep_approval manual; }
--- must_die
--- error_log
"scep_approval manual" goes only with "scep_challenge static" or "none"



=== TEST 15: who is bound to a name gets no account of somebody else
--- config eval
$::locations
--- perl
start();
my $send = sub {
    my ($name, $asks, %bound) = @_;
    return scep_ask('/sids', challenge => mint(scope => 'sids', %bound),
                    subject => 'CN=alice', @$asks, txn => $name,
                    cert => "$::work/$name.pem");
};
my $ask = sub {
    my ($name, %bound) = @_;
    my $r = $send->($name, [ sid('S-1-5-21-1-2-3-500') ], %bound);
    is(scep_brief($r), 'SUCCESS', $name);
    return openssl('x509', '-in', "$::work/$name.pem", '-noout', '-text');
};
like($ask->('unbound'), qr/1\.3\.6\.1\.4\.1\.311\.25\.2:/, 'as it asks');
unlike($ask->('bound', subject => 'CN=alice'),
       qr/1\.3\.6\.1\.4\.1\.311\.25\.2:|S-1-5/, 'as it must be');

my $uri = 'tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500';
my @uri = (san => "URI:$uri");
is(scep_brief($send->('any', \@uri)), 'SUCCESS', 'by a URI');
is(scep_brief($send->('name', \@uri, subject => 'CN=alice')), $::bad,
   'but not of another name');
is(scep_brief($send->('both', \@uri, subject => 'CN=alice',
                      sans => "URI:$uri")), 'SUCCESS', 'that it is for');
--- error_log
requested security identifier left out
the one-time challenge is for somebody, but not for this security identifier



=== TEST 16: a one-time challenge vouches for no renewal
--- config eval
$::locations
--- perl
start();
my $old = scep_ask('/both', challenge => mint(), key => 'kept',
                   subject => 'CN=kept', cert => "$::work/kept.pem");
is(scep_brief($old), 'SUCCESS');
my $secret = mint();
my $new = scep_ask('/both', type => 17, challenge => $secret, key => 'fresh',
                   subject => 'CN=kept', signer_cert => "$::work/kept.pem",
                   signer_key => "$::work/kept.scep");
is(scep_brief($new), 'SUCCESS', 'its signer does');
is(record_of($new->{serial})->{renewed}, $old->{serial});
is(record_of($new->{serial})->{vouched}, 'one_time', 'as for what it renews');
ok(there($secret), 'the challenge stays');
