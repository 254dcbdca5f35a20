# Requests that wait for a decision: scep_approval manual, PENDING, CertPoll and
# the calls of the JSON API that decide (scep.md O3, O7, S30, R3, P14); who may
# learn what has become of a request, what happens to one transaction at many
# places at once.  Limits of what a profile allows are left to 12.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Rest;
use PKI::Scep;

redis_start();
our $port = redis()->port;

work_file('challenge', "open sesame\n");

our $work = work_dir();

http_config("log_format scep '\$scep_message_type|\$scep_status|"
    . "\$scep_fail_info|\$scep_challenge_result|\$pki_serial|\$pki_profile';",
    'limit_req_zone $binary_remote_addr zone=polls:1m rate=1r/m;',
    authority('demo'), authority('other'),
    authority('curve', key => 'ec:P-256', more => 'ra auto;'),
    'pki_profile narrow { allow_subject "^CN=narrow"; }');

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log scep;
scep_approval manual;
location = /probe { pki_probe; access_log off; }
location /scep    { scep demo; scep_challenge none; }
location /other   { scep other; scep_challenge none; }
location /curve   { scep curve; scep_challenge none; }
location /narrow  { scep demo; scep_challenge none; scep_profile narrow; }
location /limited { scep demo; scep_challenge none; limit_req zone=polls; }
location /short   { scep demo; scep_challenge none;
                    scep_approval manual ttl=90s; }
location /static  { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /auto    { scep demo; scep_approval auto;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /m       { certificate_master other demo curve;
                    certificate_master_user robot;
                    certificate_master_roles admin; access_log off; }
location /approve { certificate_master demo; certificate_master_user approver;
                    certificate_master_roles approve; access_log off; }
location /reader  { certificate_master demo; certificate_master_user reader;
                    certificate_master_roles reader; access_log off; }
location /revoker { certificate_master demo; certificate_master_user revoker;
                    certificate_master_roles "issue,revoke"; access_log off; }
END

our ($bad_alg, $bad_check, $bad_request, $bad_id) =
    map { "FAILURE $_" } qw( badAlg badMessageCheck badRequest badCertId );

our $demo = "$work/demo.pem";

sub start { scep_ready('/probe') or die 'not ready' }

# a request and the question for it: of the same transaction, key and subject

sub request {
    my ($txn, %o) = @_;
    return scep_make(txn => $txn, subject => "CN=$txn", %o);
}

sub poll {
    my ($txn, %o) = @_;
    return scep_make(type => 20, txn => $txn, poll => $::demo,
                     subject => "CN=$txn", %o);
}

sub ask  { return scep_send('/scep', request(@_)) }
sub asks { return scep_brief(ask(@_)) }
sub poll_brief { return scep_brief(scep_send('/scep', poll(@_))) }

# the list, by transaction; the item of one

sub waiting {
    my ($location) = @_;
    my ($status, $list) = api('GET', ($location || '/m')
                              . '/api/pending?limit=1000');
    die "list: $status" if $status != 200;
    return { map { $_->{transaction} => $_ } @{ $list->{pending} } };
}

sub id_of {
    my ($txn) = @_;
    my $item = waiting()->{$txn} or die "$txn does not wait";
    return $item->{id};
}

sub decide {
    my ($verb, $id, $location) = @_;
    return api('POST', ($location || '/m') . "/api/pending/$id/$verb", {});
}

# status, code of an error

sub decided {
    my ($status, $json) = decide(@_);
    return $status if ref $json ne 'HASH' || !$json->{error};
    return "$status $json->{error}{code}";
}

sub revoke {
    my ($status) = api('POST', "/m/api/certificates/$_[0]/revoke", {});
    die "revoke: $status" if $status != 200;
}

# an id is that of the request in Redis, and the key of its transaction

sub member { return substr $_[0], 0, 64 }
sub key_of { return 'pki:{demo}:pending:' . member($_[0]) }
sub record { return { @{ redis_cmd('HGETALL', key_of($_[0])) } } }

# Runs functions in processes of their own, all at once, and gives back what
# each has returned, a line.

sub at_once {
    my (@functions) = @_;
    my $start = Time::HiRes::time() + 0.3 + 0.02 * @functions;
    my @files = map { work_file("at-once-$_", '') } 0 .. $#functions;
    my @pids;

    for my $i (0 .. $#functions) {
        my $pid = fork() // die "fork: $!";

        if (!$pid) {
            my $wait = $start - Time::HiRes::time();
            Time::HiRes::sleep($wait) if $wait > 0;
            my $said = eval { $functions[$i]->() } // "died: $@";
            open my $out, '>', $files[$i];
            print $out $said;
            close $out;
            POSIX::_exit(0);
        }

        push @pids, $pid;
    }

    waitpid $_, 0 for @pids;
    return map { slurp($_) } @files;
}

# the HTTP answer to a message, without the helper that opens it

sub send_body {
    my ($uri, $m) = @_;
    my ($status, undef, $body) = http_post(
        "$uri?operation=PKIOperation", $m->{der},
        headers => { 'Content-Type' => 'application/x-pki-message' },
        timeout => 30);
    return $status == 200 ? $body : "HTTP $status";
}

sub count_by { my %n; $n{$_}++ for @_; return \%n }

log_level('info');
run_tests();

__DATA__

=== TEST 1: O7, R3: a request waits, is approved, and is given its certificate
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
my $m = request('one', san => 'DNS:one.example');
my $r = scep_send('/scep', $m);
is(scep_brief($r), 'PENDING', 'R3: no envelope, digest of nothing');
is($r->{http}, 200);
is(poll_brief('one'), 'PENDING', 'CertPoll');
is(scep_brief(scep_send('/scep', $m)), 'PENDING', 'the same message again');
is(asks('one', san => 'DNS:one.example'), 'PENDING', 'a new one of the same');
is(issued('demo'), $before, 'nothing is issued');

my $item = waiting()->{one};
my $id = $item->{id};
like($id, qr/^[0-9a-f]{128}\z/);
is($id, member($id) . record($id)->{key}, 'who asks, and what for');
like(delete $item->{received}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/);
is_deeply($item, { id => $id, authority => 'demo', transaction => 'one',
                   subject => 'CN=one', sans => 'DNS:one.example',
                   key => 'rsa:2048',
                   usages => 'digitalSignature, keyEncipherment, clientAuth',
                   profile => 'default', requester => '127.0.0.1',
                   state => 'pending', decided_at => undef,
                   decided_by => undef }, 'the item of the list');

my ($status, $json) = decide('approve', $id);
is($status, 200, 'approved');
is($json->{id}, $id);
is($json->{subject}, 'CN=one');
is($json->{source}, 'scep');
is($json->{requester}, '127.0.0.1', 'the device');
is($json->{transaction}, 'one');
is(serial_of(cert_of($json->{certificate})), $json->{serial});
is(waiting()->{one}, undef, 'waits no more');
is(issued('demo'), $before + 1, 'one');

for (1 .. 3) {
    my $r = scep_send('/scep', poll('one'));
    is(scep_brief($r), 'SUCCESS', "CertPoll $_");
    is($r->{serial}, $json->{serial}, 'its certificate');
}
$r = scep_send('/scep', $m);
is(scep_brief($r), 'SUCCESS', 'the request again');
is($r->{serial}, $json->{serial}, 'the same');
is((decide('approve', $id))[1]{serial}, $json->{serial}, 'approved again');
is(decided('reject', $id), '409 conflict', 'too late to reject it');
is(issued('demo'), $before + 1, 'still one');

redis_cmd('DEL', key_of($id));
$r = scep_send('/scep', $m);
is($r->{serial}, $json->{serial}, 'O7: found by its transaction as well');
is(poll_brief('one'), $::bad_id, 'CertPoll has nothing to go by');
--- no_error_log
[error]
[warn]
--- error_log
request waits for a decision, id:
request approved by "robot", id:
request approved by "robot" again, id:
request not rejected by "robot": it is approved already



=== TEST 2: O7: everything a request may ask for survives the wait
--- config eval
$::locations
--- perl
start();
my $last;
for (['plain'], ['sans', san => ['DNS:a.example', 'IP:192.0.2.1',
                                 'email:a@b.example']],
     ['usage', key_usage => '05a0', eku => '1.3.6.1.5.5.7.3.2'],
     ['no constraints', ca_false => 1],
     ['other names', extension => '1.2.3.4::3003020101'],
     ['nameless', subject => '', san => 'DNS:nameless.example'],
     ['challenge', challenge => 'ignored here'],
     ['EC', key => 'curve', signer_key => "$::work/client.scep",
      key_type => 'ec:P-256'],
     ['sha512', digest => 'sha512'], ['oaep', transport => 'oaep-sha256'])
{
    my ($txn, @o) = @$_;
    $txn =~ s/ /-/g;
    my $m = request($txn, @o);
    is(scep_brief(scep_send('/scep', $m)), 'PENDING', $txn);
    my $id = $last = id_of($txn);
    my $key = record($id)->{key};
    my ($status, $json) = decide('approve', $id);
    is($status, 200, 'approved');
    is(redis_cmd('GET', "pki:{demo}:txn:$key"), $json->{serial},
       'under the name of its transaction');
    is(scep_send('/scep', $m)->{serial}, $json->{serial}, 'given');
}
like(reads(cert_of((decide('approve', $last))[1]{certificate}), '-subject'),
     qr/oaep/);



=== TEST 3: O3: what CertPoll must name, one answer to all else
--- config eval
$::locations
--- perl
start();
is(asks('three'), 'PENDING');
is(poll_brief('three'), 'PENDING', 'as it should be');
is(poll_brief('three', poll_issuer => 'CN=demo CA,O=Test'), 'PENDING',
   'the name of the authority');

my @wrong = (
    ['another transaction', txn => 'three3'],
    ['another authority', poll => "$::work/other.pem"],
    ['another subject', poll_subject => 'CN=two'],
    ['no subject', poll_subject => ''],
    ['no issuer', poll_issuer => ''],
    ['nearly the issuer', poll_issuer => 'CN=demo CA,O=test'],
    ['something behind it', trailing_csr => '00'],
    ['nothing', payload => work_file('empty', '')],
    ['rubbish', payload => work_file('noise', 'x' x 50)],
    ['half of it', payload => work_file('half', "\x30\x20\x30\x10")],
    ['one name', payload => work_file('name', "\x30\x02\x30\x00")],
    ['three names', payload => work_file('names', "\x30\x06" . "\x30\0" x 3)],
    ['indefinite length',
     payload => work_file('ber', "\x30\x80\x30\x00\x30\x00\0\0")],
    ['a PKCS#10', poll => []],
    ['a serial number', poll => [], about => $::demo],
    ['a broken envelope', broken => 'envelope'],
    ['a wrong content key', broken => 'cek']);

for (@wrong, ['S30: another key', key => 'eve']) {
    my ($what, @o) = @$_;
    my $r = scep_send('/scep', poll('three', @o));
    is(scep_brief($r), $::bad_id, $what);
    is($r->{fail_info_text}, undef, 'no text');
}

is(decided('approve', id_of('three')), 200);
for (@wrong, ['S30: another key', key => 'eve']) {
    my ($what, @o) = @$_;
    is(poll_brief('three', @o), $::bad_id, "approved: $what");
}
is(poll_brief('three'), 'SUCCESS', 'as it should be');

for (['signature', $::bad_check, broken => 'signature'],
     ['digest', $::bad_check, broken => 'digest'],
     ['no nonce', $::bad_request, omit => 'nonce'],
     ['single DES', $::bad_alg, cipher => 'des'],
     ['for another authority', $::bad_id, recipient => "$::work/other.pem"],
     ['no transaction', 'HTTP 400', omit => 'txn'])
{
    my ($what, $answer, @o) = @$_;
    is(poll_brief('three', @o), $answer, $what);
}
is(scep_brief(scep_send('/auto', poll('three'))), $::bad_request,
   'not where nothing waits');
is(poll_brief('three', signer_ski => 1, recipient_ski => 1), 'SUCCESS',
   'key identifiers');
is(poll_brief('three', ber => 1, transport => 'oaep-sha256',
              digest => 'sha512'), 'SUCCESS', 'BER, OAEP, SHA-512');
is(scep_brief(scep_send('/scep', poll('three'), get => 1)), 'SUCCESS',
   'by GET');
--- no_error_log
[error]
[warn]
--- error_log
there is no such request
the request is for another subject
the request is one to another authority
the envelope names no request
the envelope cannot be opened



=== TEST 4: S30: a guessed transaction tells nothing, and spoils nothing
--- config eval
$::locations
--- perl
start();
is(asks('four', key => 'victim'), 'PENDING', 'the victim');
my $id = id_of('four');

is(poll_brief('four', key => 'eve'), $::bad_id, 'one that waits');
is(poll_brief('nobody', key => 'eve'), $::bad_id, 'one that nobody has');
is(asks('four', key => 'eve'), 'PENDING', 'a request of its own');
is(poll_brief('four', key => 'eve'), 'PENDING', 'is all it has');
is(scalar(grep { $_->{transaction} eq 'four' }
          @{ (api('GET', '/m/api/pending'))[1]{pending} }), 2,
   'two of that name');

is(asks('four', key => 'eve', signer_cert => "$::work/demo.pem",
        signer_key => "$::work/eve.scep"), $::bad_check,
   'the certificate of another, signed by oneself');
is(asks('four', key => 'victim', signer_key => "$::work/eve.scep"),
   $::bad_request, 'the request of another, signed by oneself');

is(decided('approve', $id), 200);
is(poll_brief('four', key => 'eve'), 'PENDING', 'still waits');
my $r = scep_send('/scep', poll('four', key => 'victim'));
is(scep_brief($r), 'SUCCESS', 'the victim gets it, and can open it');
is($r->{subject}, 'CN=four');



=== TEST 5: P14: no challenge is not enough, where one is asked for
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
is(scep_brief(scep_ask('/static', txn => 'five')), $::bad_request, 'none');
is(scep_brief(scep_ask('/static', txn => 'five', challenge => 'wrong')),
   $::bad_request, 'a wrong one');
is(scep_brief(scep_ask('/auto', txn => 'five')), $::bad_request,
   'nor where nobody decides');
is(waiting()->{five}, undef, 'does not even wait');

is(scep_brief(scep_ask('/static', txn => 'five', subject => 'CN=five',
                       challenge => 'open sesame')), 'PENDING', 'the right one');
is(scep_brief(scep_ask('/scep', txn => 'free')), 'PENDING',
   'P14: none is asked for: somebody decides');
is(issued('demo'), $before, 'nothing is issued without');

my $dump = join "\n", map {
    my $key = $_;
    my $type = redis_cmd('TYPE', $key);
    ($key, $type eq 'hash' ? @{ redis_cmd('HGETALL', $key) }
           : $type eq 'string' ? redis_cmd('GET', $key) : ());
} @{ redis_cmd('KEYS', '*') };
ok(index($dump, 'CN=five') > 0, 'what is in Redis');
is(index($dump, 'open sesame'), -1, 'S16: the challenge is not');
is(index(error_log(), 'open sesame'), -1, 'nor in the log');

is(decided('approve', id_of('five')), 200);
is(scep_brief(scep_ask('/static', type => 20, txn => 'five',
                       poll => $::demo, subject => 'CN=five')), 'SUCCESS',
   'CertPoll needs no challenge');
is(scep_brief(scep_ask('/static', txn => 'five', subject => 'CN=five')),
   $::bad_request, 'the request does, again');



=== TEST 6: O7: rejected
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
is(asks('six'), 'PENDING');
my $id = id_of('six');
my ($status, $json) = decide('reject', $id, '/approve');
is($status, 200);
is($json->{state}, 'rejected');
is($json->{decided_by}, 'approver');
like($json->{decided_at}, qr/^20\d\d-/);
is(waiting()->{six}, undef, 'waits no more');
is(asks('six'), $::bad_request, 'the request again');
is(poll_brief('six'), $::bad_request, 'CertPoll');
is(poll_brief('six', key => 'eve'), $::bad_id, 'S30: of another');
is(decided('reject', $id), 200, 'rejected again');
is(record($id)->{decided_by}, 'approver', 'by whom it was');
is(decided('approve', $id), '409 conflict', 'too late to approve it');
is(issued('demo'), $before, 'nothing is issued');
my $ttl = redis_cmd('TTL', key_of($id));
ok($ttl > 86000 && $ttl <= 86400, "kept for a day: $ttl");
redis_cmd('DEL', key_of($id));
is(asks('six'), 'PENDING', 'after that it can try again');
--- error_log
request rejected by "approver", id:
request was rejected, id:
request not approved by "robot": it is rejected already



=== TEST 7: O7: revoked since it was approved
--- config eval
$::locations
--- perl
start();
is(asks('seven'), 'PENDING');
my ($status, $json) = decide('approve', id_of('seven'));
is(poll_brief('seven'), 'SUCCESS');
revoke($json->{serial});
is(poll_brief('seven'), $::bad_request, 'CertPoll');
is(asks('seven'), $::bad_request, 'the request');
redis_cmd('DEL', "pki:{demo}:txn:" . record($json->{id})->{key});
is(asks('seven'), $::bad_request, 'the transaction being forgotten');
is(decided('approve', $json->{id}), '409 conflict', 'approved again');

# where nobody decides it got a certificate, which is revoked, too

my $m = request('sevenfold', challenge => 'open sesame');
is(scep_brief(scep_send('/static', $m)), 'PENDING');
my $id = id_of('sevenfold');
revoke(scep_send('/auto', $m)->{serial});
is(decided('approve', $id), '409 conflict', 'approved for the first time');

# nor is one given that somebody else must be told of first

is(asks('unsaid'), 'PENDING');
($status, $json) = decide('approve', id_of('unsaid'));
my $key = "pki:{demo}:cert:$json->{serial}";
redis_cmd('HSET', $key, 'withheld', 'somebody');
is(poll_brief('unsaid'), $::bad_request, 'withheld: CertPoll');
is(asks('unsaid'), $::bad_request, 'the request');
redis_cmd('DEL', "pki:{demo}:txn:" . record($json->{id})->{key});
is(asks('unsaid'), $::bad_request, 'the transaction being forgotten');
is(decided('approve', $json->{id}), '409 conflict', 'approved again');
redis_cmd('HDEL', $key, 'withheld');
is(poll_brief('unsaid'), 'SUCCESS', 'not withheld any more');

$m = request('unsaid2', challenge => 'open sesame');
is(scep_brief(scep_send('/static', $m)), 'PENDING');
$id = id_of('unsaid2');
my $serial = scep_send('/auto', $m)->{serial};
redis_cmd('HSET', "pki:{demo}:cert:$serial", 'withheld', 'somebody');
is(decided('approve', $id), '409 conflict', 'approved for the first time');
is(poll_brief('unsaid2'), $::bad_request, 'CertPoll');
--- error_log
the certificate of this transaction is withheld
the certificate of this transaction is revoked
it is approved already, and its certificate revoked
it is approved already, and its certificate withheld



=== TEST 8: another request of the same transaction
--- config eval
$::locations
--- perl
start();
my %other = (subject => [subject => 'CN=other'], 'a name' => [san => 'DNS:x'],
             key => [key => 'other', signer_key => "$::work/client.scep"]);
is(asks('eight'), 'PENDING');
my $id = id_of('eight');
for my $round ('waits', 'approved') {
    is(asks('eight', @{ $other{$_} }), $::bad_request, "$round: another $_")
        for sort keys %other;
    is(scep_brief(scep_send('/static', request('eight',
                                          challenge => 'open sesame'))),
       $round eq 'waits' ? 'PENDING' : 'SUCCESS', 'of another location');
    is(scep_brief(scep_send('/narrow', request('eight', subject => 'CN=narrow'
       ))), $::bad_request, 'of another profile');
    is(record($id)->{subject}, 'CN=eight', 'it has not changed');
    is(decided('approve', $id), 200);
}
--- error_log
another request of this transaction waits or is decided



=== TEST 9: O7: at most 10,000 wait
--- config eval
$::locations
--- perl
start();
is(asks('nine'), 'PENDING');
redis_cmd('EVAL', <<'END', 0, time + 500);
for i = 1, 9999 do
  redis.call('ZADD', 'pki:{demo}:pending', ARGV[1], string.format('%064x', i))
end
END
my $n = redis_cmd('ZCARD', 'pki:{demo}:pending');
ok($n >= 10000, "$n of them");
is(asks('ninth'), 'HTTP 503', 'one more: to come again');
is(asks('nine'), 'PENDING', 'one that is known');
is(poll_brief('nine'), 'PENDING', 'and asked for');
is(scep_brief(scep_send('/other', request('nine',
                        ca => "$::work/other.pem"))), 'PENDING',
   'of another authority');
is(decided('approve', id_of('nine')), 200, 'the list finds it');

redis_cmd('EVAL', <<'END', 0, time - 5);
for i = 1, 9999 do
  redis.call('ZADD', 'pki:{demo}:pending', ARGV[1], string.format('%064x', i))
end
END
is(asks('ninth'), 'PENDING', 'they have expired: there is room');
is(redis_cmd('ZSCORE', 'pki:{demo}:pending', sprintf '%064x', 1), undef,
   'and they are gone');
--- error_log
too many requests wait for a decision
--- no_error_log
[error]



=== TEST 10: O7: requests expire
--- config eval
$::locations
--- perl
start();
is(scep_brief(scep_send('/short', request('ten'))), 'PENDING');
my $id = id_of('ten');
my $ttl = redis_cmd('TTL', key_of($id));
ok($ttl > 80 && $ttl <= 90, "ttl=90s: $ttl");
my $in = redis_cmd('ZSCORE', 'pki:{demo}:pending', member($id)) - time;
ok($in > 80 && $in <= 91, "in the index until then: $in");

is(scep_brief(scep_send('/short', poll('ten'))), 'PENDING');
ok(redis_cmd('TTL', key_of($id)) <= $ttl,
   'who asks does not keep it');

redis_cmd('EXPIRE', key_of($id), 20);
is(decided('approve', $id), 200);
ok(redis_cmd('TTL', key_of($id)) > 80,
   'once decided it is kept as long again');

is(scep_brief(scep_send('/short', request('eleven'))), 'PENDING');
$id = id_of('eleven');
redis_cmd('PEXPIRE', key_of($id), 1);
select undef, undef, undef, 0.1;
is(waiting()->{eleven}, undef, 'left out of the list');
is(decided('approve', $id), '404 not_found', 'and of decisions');
is(scep_brief(scep_send('/short', poll('eleven'))), $::bad_id, 'and of polls');
redis_cmd('ZADD', 'pki:{demo}:pending', time - 2, member($id));
waiting();
is(redis_cmd('ZSCORE', 'pki:{demo}:pending', member($id)), undef, 'pruned');

is(asks('default'), 'PENDING');
ok(redis_cmd('TTL', key_of(id_of('default'))) > 604700,
   'seven days, if nothing is said');



=== TEST 11: the list: pages, authorities
--- config eval
$::locations
--- perl
start();
redis_cmd('DEL', 'pki:{demo}:pending', 'pki:{other}:pending');
is(asks("list$_"), 'PENDING') for 1 .. 5;
is(scep_brief(scep_send('/other', request("list$_",
                        ca => "$::work/other.pem"))), 'PENDING') for 6, 7;
is(scalar keys %{ waiting() }, 7, 'of all authorities');
is(waiting()->{list6}{authority}, 'other');

for my $limit (1, 2, 3, 7) {
    my (@all, $cursor);
    while (1) {
        my $args = "limit=$limit" . ($cursor ? "&cursor=$cursor" : '');
        my ($status, $list) = api('GET', "/m/api/pending?$args");
        is($status, 200) or last;
        ok(@{ $list->{pending} } <= $limit, 'no more than asked for');
        push @all, map { $_->{transaction} } @{ $list->{pending} };
        last if !defined($cursor = $list->{cursor});
    }
    is(join(' ', sort @all), 'list1 list2 list3 list4 list5 list6 list7',
       "$limit at a time");
}

my ($status, $list) = api('GET', '/m/api/pending?authority=other');
is(scalar @{ $list->{pending} }, 2, 'of one authority');
is($list->{cursor}, undef);
for my $args ('limit=0', 'limit=x', 'authority=none', 'cursor=x', 'q=list',
              'status=good', 'profile=default', 'source=scep', 'nothing=1',
              'cursor=b3RoZXIKMTIzNC1hYg')
{
    my ($status, $json) = api('GET', "/m/api/pending?$args");
    is("$status $json->{error}{code}", '400 bad_request', $args);
}
my $id = id_of('list1');
redis_cmd('HSET', key_of($id), 'state', 'perhaps');
is(scalar keys %{ waiting() }, 6, 'a bad one does not hide the others');
redis_cmd('ZREM', 'pki:{demo}:pending', member($id));
--- error_log
malformed request



=== TEST 12: roles, routes and bodies
--- config eval
$::locations
--- perl
start();
is(asks('twelve'), 'PENDING');
my $id = id_of('twelve');
my $of = sub {
    my ($status, $json) = api(@_);
    return ref $json eq 'HASH' && $json->{error}
        ? "$status $json->{error}{code}" : $status;
};

ok(waiting('/reader')->{twelve}, 'a reader sees the list');
ok(waiting('/approve')->{twelve}, 'who approves, too');
is($of->('GET', '/revoker/api/pending'), '403 forbidden', 'no one else');
for my $verb ('approve', 'reject') {
    is(decided($verb, $id, $_), '403 forbidden', "$_: $verb")
        for '/reader', '/revoker';
    is($of->('GET', "/m/api/pending/$id/$verb"), '405 method_not_allowed');
    is($of->('POST', "/m/api/pending/$id/$verb", undef), '400 content_type');
    is($of->('POST', "/m/api/pending/$id/$verb", { x => 'y' }),
       '400 bad_request', 'a body with something in it');
    is($of->('POST', "/m/api/pending/$id/$verb", {},
             headers => { 'Sec-Fetch-Site' => 'cross-site' }),
       '403 forbidden', 'of another site');
    is(decided($verb, $_), '400 bad_request', "id: $_")
        for uc $id, substr($id, 1), "${id}0", 'x', '0' x 127 . 'g',
            'g' . '0' x 127, member($id);
    is(decided($verb, '0' x 128), '404 not_found', 'of nobody');
}
is($of->(@$_), '404 not_found', $_->[1])
    for map { ['GET', "/m/api/$_"] } 'pending/' . '0' x 128, 'pendin', 'pendings',
        'pending/', "pending/$id.pem", "pending/$id/approve/",
        "pending/$id/chain", "certificates/$id/approve";
is($of->('POST', '/m/api/pending', {}), '405 method_not_allowed');
is($of->('POST', "/m/api/pending/$id", {}), '405 method_not_allowed');
is($of->('GET', "/m/api/pending/" . member($id)), '400 bad_request');
is($of->('GET', "$_/api/pending/$id"), 200, $_) for '/reader', '/approve';
is($of->('GET', "/revoker/api/pending/$id"), '403 forbidden');
is((http('HEAD', '/m/api/pending'))[0], 200);
ok(waiting()->{twelve}, 'it still waits');
is(decided('approve', $id, '/approve'), 200, 'who may, does');



=== TEST 13: what the profile refuses
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
my $r = scep_send('/narrow', request('wide'));
is(scep_brief($r), $::bad_request, 'at once');
is(waiting()->{wide}, undef, 'nobody is asked');
is(asks('thirteen'), 'PENDING');
my $id = id_of('thirteen');

for my $profile ('narrow', 'gone') {
    redis_cmd('HSET', key_of($id), 'profile', $profile);
    is(decided('approve', $id), '400 refused',
       "the profile has changed meanwhile: $profile");
    ok(waiting()->{thirteen}, 'it still waits');
    is(poll_brief('thirteen'), 'PENDING');
}
redis_cmd('HSET', key_of($id), 'csr', "\x30\0");
is(decided('approve', $id), '400 refused', 'what is no request');
is(issued('demo'), $before, 'nothing is issued');
is(decided('reject', $id), 200, 'it can be rejected');
is(asks('large', extension => '1.2.3.4::0482' . '4000' . '00' x 16384),
   $::bad_request, 'too large to be kept');
--- error_log
its profile is not configured any more
the request is malformed
the request is too large to be kept



=== TEST 14: many at once: 50 clients of one transaction under approval
--- config eval
$::locations
--- timeout: 60
--- perl
start();
my $before = issued('demo');
my @messages = map { $_ % 2 ? request('many') : poll('many') } 1 .. 50;
is(asks('many'), 'PENDING');
my $id = id_of('many');

my @bodies = at_once(
    (map { my $m = $_; sub { send_body('/scep', $m) } } @messages),
    map { sub { join ' ', map { $_ // '' } decided('approve', $id) } } 1 .. 4);

is_deeply(count_by(splice @bodies, 50), { 200 => 4 }, 'approved by four');
my @r = map { scep_open($messages[$_], $bodies[$_]) } 0 .. 49;
my %status = %{ count_by(map { join ' ', $_->{status}, @{ $_->{errors} } }
                         @r) };
is(($status{PENDING} // 0) + ($status{SUCCESS} // 0), 50,
   'waits or has it: ' . join ', ', map { "$_: $status{$_}" } keys %status);
my %serial = map { $_->{serial} => 1 } grep { $_->{serial} } @r;
is(issued('demo'), $before + 1, 'one certificate');
ok(keys %serial <= 1, 'and no other one is given');

for my $m (@messages) {
    my $r = scep_open($m, send_body('/scep', $m));
    is($r->{status}, 'SUCCESS');
    $serial{ $r->{serial} } = 1;
}
is(scalar keys %serial, 1, 'all have the same');
is(issued('demo'), $before + 1, 'still one');
--- no_error_log
[error]
[alert]



=== TEST 15: many at once: approved and rejected, at two workers
--- config eval
$::locations
--- timeout: 90
--- perl
start();
for my $n (1 .. 6) {
    my $before = issued('demo');
    is(asks("race$n"), 'PENDING');
    my $id = id_of("race$n");

    my %said = %{ count_by(at_once(
        (map { sub { 'approve ' . decided('approve', $id) } } 1 .. 4),
        (map { sub { 'reject ' . decided('reject', $id) } } 1 .. 4))) };

    my $approved = $said{'approve 200'} // 0;
    my $rejected = $said{'reject 200'} // 0;
    is($approved + ($said{'approve 409 conflict'} // 0), 4);
    is($rejected + ($said{'reject 409 conflict'} // 0), 4);
    ok(($approved == 4 && $rejected == 0) || ($approved == 0 && $rejected == 4),
       "one of both: $approved, $rejected");
    is(issued('demo') - $before, $approved ? 1 : 0, 'and a certificate or not');
    is(asks("race$n"), $approved ? 'SUCCESS' : $::bad_request);
}
--- no_error_log
[error]
[alert]



=== TEST 16: many at once: the transaction where nobody decides
--- config eval
$::locations
--- timeout: 60
--- perl
start();
for my $n (1 .. 4) {
    my $before = issued('demo');
    my $m = request("two$n", challenge => 'open sesame');
    is(scep_brief(scep_send('/static', $m)), 'PENDING');
    my $id = id_of("two$n");

    my @said = at_once(
        (map { sub { send_body('/auto', $m) } } 1 .. 4),
        (map { sub { decided('approve', $id) } } 1 .. 2));
    is_deeply([ splice @said, 4 ], [200, 200]);
    my %serial = map { scep_open($m, $_)->{serial} // 'none' => 1 } @said;
    is(scalar keys %serial, 1, 'all have the same');
    is(record($id)->{serial}, (keys %serial)[0], 'that of the approval');
    is(issued('demo'), $before + 1, 'one');
}



=== TEST 17: Redis is away
--- config eval
$::locations
--- perl
start();
is(asks('seventeen'), 'PENDING');
my $id = id_of('seventeen');
my @m = (request('later'), poll('seventeen'));
redis_stop();
is(scep_brief(scep_send('/scep', $m[0])), $::bad_request, 'a request');
is(scep_brief(scep_send('/scep', $m[1])), 'HTTP 503',
   'CertPoll: to come again');
is(decided('approve', $id), '503 unavailable');
is(decided('reject', $id), '503 unavailable');
is((api('GET', '/m/api/pending'))[0], 503);
redis_start();
start();
--- error_log
request perhaps not rejected by "robot"



=== TEST 18: after a reload, at any worker
--- config eval
$::locations
--- perl
start();
is(asks('eighteen'), 'PENDING');
my $id = id_of('eighteen');
ok(nginx_reload(15), 'reloaded');
start();
is(poll_brief('eighteen'), 'PENDING') for 1 .. 4;
is(decided('approve', $id), 200);
is(poll_brief('eighteen'), 'SUCCESS') for 1 .. 4;



=== TEST 19: an EC authority, whose RA opens and signs
--- config eval
$::locations
--- perl
start();
my ($ra, $ca) = scep_recipient('curve');
my %o = (ca => $ra, issuer => $ca);
is(scep_brief(scep_send('/curve', request('nineteen', %o))), 'PENDING');
is(scep_brief(scep_send('/curve', poll('nineteen', %o, poll => $ca))),
   'PENDING');
is(scep_brief(scep_send('/curve', poll('nineteen', %o, poll => $ra))),
   $::bad_id, 'the RA is not the authority');
is(decided('approve', id_of('nineteen')), 200);
is(scep_brief(scep_send('/curve', poll('nineteen', %o, poll => $ca))),
   'SUCCESS');



=== TEST 20: a signer without an RSA key
--- config eval
$::locations
--- perl
start();
my @ec = (key => 'ec', key_type => 'ec:P-256');
my $m = request('twenty', @ec, challenge => 'my secret');
is(scep_brief(scep_send('/scep', $m)), 'PENDING');
is(poll_brief('twenty', @ec), 'PENDING');
is(decided('approve', id_of('twenty')), 200);
is(poll_brief('twenty', @ec), $::bad_alg, 'CertPoll brings no challenge');
is(scep_brief(scep_send('/scep', $m)), 'SUCCESS', 'the request does');
is(asks('rejected', @ec, challenge => 'my secret'), 'PENDING');
is(decided('reject', id_of('rejected')), 200);
is(poll_brief('rejected', @ec), $::bad_request, 'rejected');
--- error_log
it must send the request again



=== TEST 21: O7: how often somebody asks can be limited
--- config eval
$::locations
--- perl
start();
my @answers = map { scep_brief(scep_send('/limited', request('often'))) }
              1 .. 4;
is_deeply(\@answers, ['PENDING', ('HTTP 503') x 3], 'limit_req');



=== TEST 22: variables in the log
--- config eval
$::locations
--- perl
start();
work_file('access.log', '');
asks('logged');
scep_send('/scep', poll('logged'));
my $serial = (decide('approve', id_of('logged')))[1]{serial};
scep_send('/scep', poll('logged'));
scep_send('/scep', poll('logged', key => 'eve'));
my @lines;
wait_until(sub { @lines = split /\n/, slurp("$::work/access.log");
                 @lines >= 4 });
is($lines[0], 'PKCSReq|PENDING|-|none|-|-');
is($lines[1], 'CertPoll|PENDING|-|-|-|-');
is($lines[2], "CertPoll|SUCCESS|-|-|$serial|default");
is($lines[3], 'CertPoll|FAILURE|badCertId|-|-|-');



=== TEST 23: what is decided is what was seen
--- config eval
$::locations
--- perl
start();
my $before = issued('demo');
is(asks('seen'), 'PENDING');
my $id = id_of('seen');
my ($status, $json) = api('GET', "/m/api/pending/$id");
is($status, 200);
my $csr = delete $json->{csr};
is_deeply($json, waiting()->{seen}, 'as in the list, and the request');
my $text = openssl('req', '-in', work_file('seen.csr', $csr), '-noout',
                   '-text');
like($text, qr/Subject: CN = seen/);
like($text, qr/Public-Key: \(2048 bit\)/);

redis_cmd('DEL', key_of($id));
redis_cmd('ZREM', 'pki:{demo}:pending', member($id));
is(asks('seen', subject => 'CN=administrator'), 'PENDING',
   'it has expired, and another one waits in its place');
is(decided('approve', $id), '404 not_found', 'approve');
is(decided('reject', $id), '404 not_found', 'reject');
is((api('GET', "/m/api/pending/$id"))[0], 404);
is(asks('seen', subject => 'CN=administrator'), 'PENDING', 'still waits');
my $other = id_of('seen');
isnt($other, $id);
is(member($other), member($id));

is(asks('lure'), 'PENDING');
redis_cmd('HSET', key_of($other), 'csr', record(id_of('lure'))->{csr});
is(decided('approve', $other), '400 refused', 'exchanged on the way');
is(issued('demo'), $before, 'nothing is issued');
is(decided('reject', $other), 200);

is(asks('curved', key => 'curve', key_type => 'ec:P-256',
        signer_key => "$::work/client.scep", eku => '1.3.6.1.5.5.7.3.2',
        key_usage => '0780'), 'PENDING');
my $item = waiting()->{curved};
is($item->{key}, 'ec:P-256');
is($item->{usages}, 'digitalSignature, clientAuth');
--- error_log
the request does not wait for a decision any more



=== TEST 24: wait=1: what no replica has is not given out
--- http_config eval
"pki_redis redis://127.0.0.1:$::port/7 timeout=1s wait=1 wait_timeout=300ms;"
--- config eval
$::locations
--- timeout: 60
--- perl
my $replica = PKI::Redis->new(args => ['--replicaof', '127.0.0.1',
                                       $::port]);
redis_cmd('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
ok(wait_until(sub { redis_cmd('INFO', 'replication') =~ /state=online/ }, 15),
   'a replica is there');
start();
is(asks('acked'), 'PENDING');
my $id = id_of('acked');
my ($request, $poll) = (request('acked'), poll('acked'));
is(decided('approve', $id), 200);
$replica->pause;
ok(nginx_reload(15), 'on another connection');
is(scep_brief(scep_send('/scep', $poll)), 'HTTP 503', 'CertPoll');
isnt(scep_brief(scep_send('/scep', $request)), 'SUCCESS', 'the request');
is(decided('approve', $id), '503 unavailable', 'approved again');
$replica->resume;
ok(wait_until(sub { poll_brief('acked') eq 'SUCCESS' }, 15), 'it is back');
is(decided('approve', $id), 200);



=== TEST 25: O7: scep_approval is inherited, and overridden
--- http_config
scep_challenge none;
scep_approval manual;
--- config
location = /probe { pki_probe; }
location /scep    { scep demo; }
location /auto    { scep demo; scep_approval auto;
                    scep_challenge none insecure; }
--- perl
start();
is(asks('inherited'), 'PENDING');
is(scep_brief(scep_ask('/auto')), 'SUCCESS', 'auto');



=== TEST 26: scep_challenge none without scep_approval manual
--- config
location /scep { scep demo; scep_challenge none; }
--- must_die
--- error_log
"scep_challenge none" would let anybody enrol, it needs "scep_approval manual"



=== TEST 27: scep_challenge none with scep_approval auto
--- http_config
scep_approval manual;
--- config
location /scep { scep demo; scep_challenge none; scep_approval auto; }
--- must_die
--- error_log
"scep_challenge none" would let anybody enrol



=== TEST 28: scep_challenge none insecure, for a decision
--- config
location = /probe { pki_probe; }
location /scep { scep demo; scep_challenge none insecure;
                 scep_approval manual ttl=1h; }
--- perl
start();
is(asks('twentysix'), 'PENDING', 'is the same then');



=== TEST 29: scep_challenge none with another
--- config
location /scep { scep demo; scep_approval manual; scep_challenge none;
                 scep_challenge static $TEST_NGINX_WORK/challenge; }
--- must_die
--- error_log
"none" cannot be combined with another challenge



=== TEST 30: scep_approval without parameters
--- config
scep_approval;
--- must_die
--- error_log
invalid number of arguments in "scep_approval" directive



=== TEST 31: scep_approval of an unknown kind
--- config
scep_approval sometimes;
--- must_die
--- error_log
"scep_approval" directive must be "auto" or "manual [ttl=time] [per_client=number]"



=== TEST 32: scep_approval auto with a time
--- config
scep_approval auto ttl=1h;
--- must_die
--- error_log
"scep_approval" directive must be "auto" or "manual [ttl=time] [per_client=number]"



=== TEST 33: scep_approval manual with more
--- config
scep_approval manual ttl=1h ttl=2h;
--- must_die
--- error_log
"scep_approval" directive must be "auto" or "manual [ttl=time] [per_client=number]"



=== TEST 34: scep_approval manual with something else
--- config
scep_approval manual for=1h;
--- must_die
--- error_log
invalid parameter "for=1h", it must be a time, as "ttl=30d"



=== TEST 35: scep_approval manual, no time
--- config
scep_approval manual ttl=soon;
--- must_die
--- error_log
invalid parameter "ttl=soon", it must be a time



=== TEST 36: scep_approval manual, too short
--- config
scep_approval manual ttl=59s;
--- must_die
--- error_log
"ttl=59s" is too short, it must be at least 60s



=== TEST 37: scep_approval twice
--- config
scep_approval manual;
scep_approval manual;
--- must_die
--- error_log
"scep_approval" directive is duplicate


=== TEST 38: O7: of one client 100 wait at most, or as many as is said
--- config eval
$::locations . <<'END';
location /three { scep demo; scep_challenge none;
                  scep_approval manual ttl=2m per_client=3; }
END
--- perl
start();
my $brief = sub { scep_brief(scep_send('/three', request(@_))) };

# of other blocks

redis_cmd('DEL', 'pki:{demo}:pending', 'pki:{demo}:pending:of:127.0.0.1');

is($brief->("share$_"), 'PENDING', "number $_") for 1 .. 3;
is($brief->('share4'), 'HTTP 503', 'one more: to come again');
is($brief->('share2'), 'PENDING', 'one that is known');
is(poll_brief('share2'), 'PENDING', 'and asked for');
is(redis_cmd('SCARD', 'pki:{demo}:pending:of:127.0.0.1'), 3);
my $ttl = redis_cmd('TTL', 'pki:{demo}:pending:of:127.0.0.1');
cmp_ok($ttl, '>', 0, 'it expires');
cmp_ok($ttl, '<=', 120, 'with the last of them');

is(decided('approve', id_of('share1')), 200, 'one is decided');
is($brief->('share4'), 'PENDING', 'there is room again');
is($brief->('share5'), 'HTTP 503', 'for one');
is(decided('reject', id_of('share2')), 200, 'another one');
is($brief->('share5'), 'PENDING');

# as if they had expired

redis_cmd('ZREM', 'pki:{demo}:pending', map { member(id_of("share$_")) } 3 .. 5);
is($brief->("share$_"), 'PENDING', 'those are not counted') for 6 .. 8;
is($brief->('share9'), 'HTTP 503');

# who has not said how many

redis_cmd('EVAL', <<'END', 0, time + 500);
for i = 1, 97 do
  local id = string.format('%064x', i)
  redis.call('ZADD', 'pki:{demo}:pending', ARGV[1], id)
  redis.call('SADD', 'pki:{demo}:pending:of:127.0.0.1', id)
end
END
is(asks('share10'), 'HTTP 503', 'there are 100');
redis_cmd('ZREM', 'pki:{demo}:pending', sprintf '%064x', 97);
is(asks('share10'), 'PENDING', 'there are 99');
redis_cmd('DEL', 'pki:{demo}:pending', 'pki:{demo}:pending:of:127.0.0.1');
--- error_log
too many requests of this client wait for a decision, "per_client" of "scep_approval" allows 3
too many requests of this client wait for a decision, "per_client" of "scep_approval" allows 100
--- no_error_log
[error]
[warn]



=== TEST 39: a shorter validity is kept until it is approved
--- config eval
$::locations
--- perl
start();
my @two = (csr_attribute => '1.3.6.1.4.1.311.13.2.1:'
           . scep_pair(ValidityPeriod => 'Hours')
           . scep_pair(ValidityPeriodUnits => 2));
is(asks('lasting', @two), 'PENDING');
is(asks('lasting'), $::bad_request, 'for longer is another request');
is(decided('approve', id_of('lasting')), 200);
my $r = scep_send('/scep', poll('lasting'), cert => "$::work/lasting.pem");
is(scep_brief($r), 'SUCCESS');
my ($code) = command('openssl', 'x509', '-in', "$::work/lasting.pem", '-noout',
                     '-checkend', 3600);
is($code, 0, 'it lasts an hour');
($code) = command('openssl', 'x509', '-in', "$::work/lasting.pem", '-noout',
                  '-checkend', 7201);
isnt($code, 0, 'but not much more than two');
is(asks('lasting', @two), 'SUCCESS', 'a retry');



=== TEST 40: scep_approval manual, of one client: none
--- config
scep_approval manual per_client=0;
--- must_die
--- error_log
invalid parameter "per_client=0", it must be a number from 1 to 10000



=== TEST 41: scep_approval manual, of one client: too many
--- config
scep_approval manual per_client=10001;
--- must_die
--- error_log
invalid parameter "per_client=10001", it must be a number from 1 to 10000



=== TEST 42: scep_approval manual, of one client: no number
--- config
scep_approval manual per_client=some;
--- must_die
--- error_log
invalid parameter "per_client=some", it must be a number from 1 to 10000



=== TEST 43: scep_approval manual, of one client: twice
--- config
scep_approval manual per_client=1 per_client=2;
--- must_die
--- error_log
"scep_approval" directive must be "auto" or "manual [ttl=time] [per_client=number]"
