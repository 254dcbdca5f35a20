# The directive "scep_challenge intune": what it takes and refuses, what each
# parameter does, in which order others are told, and what the administrator
# reads of it.  Microsoft's matrix is in 85, what is sent later in 87.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Intune;
use PKI::OneTime;
use PKI::Scep;

redis_start(appendonly => 1);
start_azure();

our $work = work_dir();
work_file('challenge', "open sesame\n");
http_config(authority('demo'), intune_directives(), <<'END');
pki_profile narrow { allow_subject "^CN=good"; }
pki_profile users  { allow_san upn "@contoso\.example$"; }
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe { pki_probe; }
location /intune  { scep demo; scep_profile users; scep_challenge intune; }
location /later   { scep demo; scep_challenge intune wait_success=off; }
location /narrow  { scep demo; scep_profile narrow; scep_challenge intune; }
location /both    { scep demo; scep_challenge intune identity=contoso;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
location /mix     { scep demo; scep_renewal on within=0;
                    scep_challenge one_time;
                    scep_challenge static $TEST_NGINX_WORK/challenge;
                    scep_challenge intune identity=contoso; }
location /static  { scep demo; scep_challenge static $TEST_NGINX_WORK/challenge;
                    scep_device intune; }
END

sub record { return @{ redis_cmd('HGETALL', "pki:{demo}:cert:$_[0]") } }

sub serials {
    return sort map { /([0-9a-f]+)\z/ }
                @{ redis_cmd('KEYS', 'pki:{demo}:cert:*') };
}

# how often Intune was asked

sub calls { return azure_counters()->{requests}{ $_[0] } // 0 }

# A message on its way, in a process of its own; the answer is not looked at.

sub send_away {
    my ($message) = @_;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        scep_raw("POST /intune?operation=PKIOperation HTTP/1.1\r\n"
                 . "Host: localhost\r\nConnection: close\r\nContent-Length: "
                 . length($message->{der}) . "\r\n\r\n$message->{der}");
        POSIX::_exit(0);
    }

    return $pid;
}

sub message {
    my ($order, %more) = @_;

    my %o = (%$order, %more);
    delete $o{device};
    return scep_make(%o);
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value('config', $::locations) if !defined $block->config;
});

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: one line tells of a request that Intune vouches for
--- perl
scep_ready('/probe');
my $order = intune_order(san => ['UPN:alice@contoso.example']);
my $r = intune_ask('/intune', $order);
is(scep_brief($r), 'SUCCESS');
my $line = intune_line($r->{txn});
is($line->{scep_status}, 'SUCCESS', 'status');
is($line->{scep_challenge_result}, 'accepted', 'accepted');
is($line->{scep_challenge_by}, 'intune', 'by Intune');
is($line->{scep_challenge_code}, '', 'no code');
like($line->{scep_challenge_time}, qr/^\d+\.\d{3}\z/, 'so long it took');
is($line->{device}, $order->{device}, 'the device');
is($line->{subject}, $order->{subject}, 'the subject');
is($line->{serial}, $r->{serial}, 'the serial number');
my %record = record($r->{serial});
is($record{device}, $order->{device}, 'device, without scep_device');
is($record{user}, 'alice@contoso.example', 'user');
is($record{vouched}, 'intune', 'who vouched');
is($record{withheld} // '', '', 'given out');
is(intune_success($r)->{transactionId}, $r->{txn}, 'Intune knows of it');
intune_obeyed();



=== TEST 2: one line tells of a request that it refuses, the client hears nothing
--- perl
scep_ready('/probe');
azure_reset();
my @before = serials();
my $order = intune_order(subject => 'CN=0d2d1f5c-8c0a-4b8e-9b1f-6a8f5d3c2b1a');
my $r = intune_ask('/intune', $order,
                   subject => 'CN=ffffffff-8c0a-4b8e-9b1f-6a8f5d3c2b1a');
is(scep_brief($r), 'FAILURE badRequest');
unlike($r->{body}, qr/Mismatch|Subject|vouch/i, 'nothing of it in the answer');
is_deeply([ serials() ], \@before, 'nothing is issued');
my $line = intune_line($r->{txn});
is($line->{scep_challenge_result}, 'wrong', 'wrong');
is($line->{scep_challenge_by}, 'intune', 'says Intune');
is($line->{scep_challenge_code}, 'SubjectNameMismatch', 'its code');
is($line->{device}, 'ffffffff-8c0a-4b8e-9b1f-6a8f5d3c2b1a', 'the device');
is($line->{scep_fail_info}, 'badRequest', 'what the client hears');
my @log = grep { /$r->{txn}/ } split /\n/, error_log();
is(scalar @log, 1, 'one line in the error log');
like($log[0], qr/\[info\] .*intune\ refuses\ the\ request:
                 \ SubjectNameMismatch.*,\ device\ "ffffffff-8c0a-[^"]+"
                 .*transaction:\ \Q$r->{txn}\E,\ client:/x, 'that tells all');
is(calls('success') + calls('failure'), 0, 'Intune is not told what it knows');



=== TEST 3: Intune does not answer
--- perl
scep_ready('/probe');
azure_reset();
azure_fault(op => 'validate', count => -1, do => 'status', status => 503);
my @before = serials();
my $order = intune_order();
my $r = intune_ask('/intune', $order);
is(scep_brief($r), 'FAILURE badRequest');
is_deeply([ serials() ], \@before, 'nothing is issued');
is(intune_line($r->{txn})->{scep_challenge_result}, 'unavailable', 'why');
my @log = grep { /\[error\] .*$r->{txn}/ } split /\n/, error_log();
is(scalar @log, 1, 'one line of error') or diag(@log);
like($log[0], qr/intune cannot be asked about the request.*503/,
     'that tells more');
is(calls('failure'), 0, 'an error of its own is no failure to tell of');
azure_reset();
is(scep_brief(intune_ask('/intune', $order, txn => $r->{txn})), 'SUCCESS',
   'the retry, when it does');



=== TEST 4: Intune does not take the certificate: revoked, never given out
--- perl
scep_ready('/probe');
azure_reset();
azure_fault(op => 'success', count => -1, do => 'body',
            content_type => 'application/json',
            body => '{"code":"SignatureValidationFailed",'
                    . '"errorDescription":"no"}');
my %before = map { $_ => 1 } serials();
my $order = intune_order();
my $r = intune_ask('/intune', $order);
is(scep_brief($r), 'FAILURE badRequest');
my ($serial) = grep { !$before{$_} } serials();
my %record = record($serial);
is($record{status}, 'revoked', 'revoked');
is($record{reason}, 5, 'cessationOfOperation');
is($record{revoked_by}, 'intune', 'by intune');
my $line = intune_line($r->{txn});
is($line->{scep_challenge_result}, 'wrong', 'access log');
is($line->{scep_challenge_code}, 'SignatureValidationFailed', 'code');
my @log = intune_log($r->{txn});
is(scalar @log, 1, 'one line in the error log') or diag(@log);
like($log[0], qr/\[error\] .*does not take the certificate, which is revoked:/,
     'that tells what became of it');
like($log[0], qr/which is revoked: .*SignatureValidationFailed/, 'and why');
azure_reset();
$r = intune_ask('/intune', $order, txn => $r->{txn});
is(scep_brief($r), 'SUCCESS', 'the retry, when it does');
isnt($r->{serial}, $serial, 'gets another one');



=== TEST 5: Redis fails when the certificate is to be given out: the retry gets it
--- perl
scep_ready('/probe');
azure_reset();
my %before = map { $_ => 1 } serials();
my $order = intune_order();
my $message = message($order, txn => 'withheld-1');
azure_latency(success => 2000);
my $pid = send_away($message);
my ($serial);
ok(wait_until(sub { ($serial) = grep { !$before{$_} } serials() }, 10),
   'recorded');
is({ record($serial) }->{withheld}, 'intune', 'and withheld');
redis_kill();
waitpid $pid, 0;
is(intune_line('withheld-1')->{scep_status}, 'FAILURE', 'not given out');
redis_start();
azure_latency();
ok(wait_until(sub { (http_get('/probe'))[0] == 200 }), 'Redis is back');
my $r;
ok(wait_until(sub {
    $r = scep_send('/intune', $message); scep_brief($r) eq 'SUCCESS' }, 10),
   'the retry');
is($r->{serial}, $serial, 'the same certificate');
is({ record($serial) }->{withheld} // '', '', 'not withheld any more');
is(intune_success({ serial => $serial })->{transactionId}, 'withheld-1',
   'Intune knows of it');
intune_obeyed();



=== TEST 6: a worker dies before Intune is told: the retry tells it
--- perl
scep_ready('/probe');
azure_reset();
my %before = map { $_ => 1 } serials();
my $message = message(intune_order(), txn => 'killed-1');
azure_latency(success => 2000);
my $pid = send_away($message);
my $serial;
ok(wait_until(sub { ($serial) = grep { !$before{$_} } serials() }, 10),
   'recorded');
kill 'KILL', worker_pids();
waitpid $pid, 0;
azure_reset();
ok(wait_until(sub { (http_get('/probe'))[0] == 200 }), 'ready again');
my $r = scep_send('/intune', $message);
is(scep_brief($r), 'SUCCESS', 'the retry');
is($r->{serial}, $serial, 'the same certificate');
is(calls('validate'), 1, 'Intune was asked about the retry');
is(calls('success'), 1, 'and told');
intune_obeyed();
--- error_log
[alert]
exited on signal 9



=== TEST 7: a retry of what was not given out, with another challenge
--- perl
scep_ready('/probe');
azure_reset();
my %before = map { $_ => 1 } serials();
my $order = intune_order();
my $message = message($order, txn => 'other-1');
azure_latency(success => 2000);
my $pid = send_away($message);
my $serial;
ok(wait_until(sub { ($serial) = grep { !$before{$_} } serials() }, 10),
   'recorded');
kill 'KILL', worker_pids();
waitpid $pid, 0;
azure_reset();
ok(wait_until(sub { (http_get('/probe'))[0] == 200 }), 'ready again');
my $r = intune_ask('/intune', $order, txn => 'other-1', challenge => 'guess');
is(scep_brief($r), 'FAILURE badRequest', 'Intune does not know it');
is(calls('success'), 0, 'it is not told of it');
is({ record($serial) }->{status}, 'good', 'nor is the certificate revoked');
$r = intune_ask('/intune', $order, txn => 'other-1');
is($r->{serial}, $serial, 'the right one gets it');
--- error_log
[alert]
exited on signal 9



=== TEST 8: the profile refuses what Intune vouches for: Intune is told
--- perl
scep_ready('/probe');
azure_reset();
my $order = intune_order(subject => 'CN=other');
my $r = intune_ask('/narrow', $order);
is(scep_brief($r), 'FAILURE badRequest');
ok(wait_until(sub { @{ azure_intune()->{failed} } }, 5), 'it is told');
my ($failed) = @{ azure_intune()->{failed} };
is($failed->{transactionId}, $r->{txn}, 'of the transaction');
like($failed->{errorDescription}, qr/subject/, 'why');
is($failed->{hResult}, 0x80094014, 'denied');
is(calls('success'), 0, 'and of no success');
is(intune_line($r->{txn})->{subject}, 'CN=other', 'whose it was');
is(intune_line($r->{txn})->{scep_challenge_result}, 'accepted',
   'the challenge was right');
intune_obeyed();



=== TEST 9: nobody can sign: Intune is told, and if it does not listen, nobody else
--- perl
scep_ready('/probe');
azure_reset();
azure_fault(op => 'failure', count => -1, do => 'status', status => 400);
my $order = intune_order(subject => 'CN=other');
my $r = intune_ask('/narrow', $order);
is(scep_brief($r), 'FAILURE badRequest');
ok(wait_until(sub { error_log() =~ /\[warn\] .*not told of the failure.*\Q$r->{txn}\E/ }, 20),
   'one line of it');



=== TEST 10: wait_success=off: given out at once, told of later
--- perl
scep_ready('/probe');
azure_reset();
azure_latency(success => 3000);
my $started = Time::HiRes::time();
my $r = intune_ask('/later', intune_order());
is(scep_brief($r), 'SUCCESS');
cmp_ok(Time::HiRes::time() - $started, '<', 2.5, 'without waiting');
is({ record($r->{serial}) }->{withheld} // '', '', 'nothing is withheld');
ok(wait_until(sub { intune_success($r) }, 15), 'Intune is told');
ok(wait_until(sub { redis_cmd('XLEN', 'pki:{demo}:outbox') == 0 }, 10),
   'nothing is left to tell');
intune_obeyed();



=== TEST 11: beside secrets of a file: those ask nobody
--- perl
scep_ready('/probe');
azure_reset();
my $r = scep_ask('/both', challenge => 'open sesame', txn => 'static-1');
is(scep_brief($r), 'SUCCESS', 'the secret');
is(calls('validate'), 0, 'Intune is not asked');
is(intune_line('static-1')->{scep_challenge_by}, 'static', 'who vouched');
$r = intune_ask('/both', intune_order());
is(scep_brief($r), 'SUCCESS', 'what Intune ordered');
is(intune_line($r->{txn})->{scep_challenge_by}, 'intune', 'who vouched');
$r = scep_ask('/both', challenge => 'guess', txn => 'wrong-1');
is(scep_brief($r), 'FAILURE badRequest', 'neither');
is(intune_line('wrong-1')->{scep_challenge_code}, 'ChallengeDecodingError',
   'asked');
$r = scep_ask('/both', txn => 'none-1');
is(scep_brief($r), 'FAILURE badRequest', 'no challenge');
is(intune_line('none-1')->{scep_challenge_result}, 'missing', 'is missing');
is(calls('validate'), 2, 'and nobody is asked about it');



=== TEST 12: whose a request was, when a secret of a file is wrong
--- perl
scep_ready('/probe');
my $r = scep_ask('/static', challenge => 'guess', txn => 'whose-1',
                 subject => 'CN=0D2D1F5C-8C0A-4B8E-9B1F-6A8F5D3C2B1A');
is(scep_brief($r), 'FAILURE badRequest');
my $line = intune_line('whose-1');
is($line->{scep_challenge_result}, 'wrong');
is($line->{subject}, 'CN=0D2D1F5C-8C0A-4B8E-9B1F-6A8F5D3C2B1A', 'subject');
is($line->{device}, '0d2d1f5c-8c0a-4b8e-9b1f-6a8f5d3c2b1a', 'device');



=== TEST 13: the same request twice at once, the second notification refused
--- perl
scep_ready('/probe');
azure_reset();
my %before = map { $_ => 1 } serials();
my $message = message(intune_order(), txn => 'twice-1');
azure_latency(success => 300);
azure_fault(op => 'success', skip => 1, do => 'body',
            content_type => 'application/json',
            body => '{"code":"Unknown","errorDescription":"again"}');
my @r = scep_send_all('/intune', $message, $message);
my @serials = grep { !$before{$_} } serials();
is(scalar @serials, 1, 'one certificate');
my @good = grep { scep_brief($_) eq 'SUCCESS' } @r;
my %record = record($serials[0]);
ok($record{status} eq 'good' ? @good >= 1 : 1, 'given out if it is good')
    or diag(map { scep_brief($_) . "\n" } @r);



=== TEST 14: discovery and tokens are for all workers and locations
--- perl
scep_ready('/probe');
azure_reset();
for my $uri ('/intune', '/later', '/both', '/narrow') {
    intune_ask($uri, intune_order(subject => "CN=good $uri")) for 1 .. 3;
}
is(calls('validate'), 12, 'asked each time');
cmp_ok(calls('graph'), '<=', 1, 'where it is, at most once');
cmp_ok(azure_counters()->{tokens_issued} // 0, '<=', 2, 'a token each');
ok(wait_until(sub { redis_cmd('XLEN', 'pki:{demo}:outbox') == 0 }, 15),
   'nothing is left to tell');



=== TEST 15: no challenge in any log
--- perl
scep_ready('/probe');
my $order = intune_order();
intune_ask('/intune', $order);
intune_ask('/intune', $order, subject => 'CN=x');
my $secret = substr $order->{challenge}, 0, 40;
my $logs = error_log() . slurp("$::work/access.log");
ok(index($logs, $secret) < 0, 'neither error log nor access log');



=== TEST 16: nginx is reloaded while Intune is asked
--- perl
scep_ready('/probe');
azure_reset();
azure_latency(validate => 2000);
my $order = intune_order();
my $message = message($order, txn => 'reload-1');
my $pid = send_away($message);
ok(wait_until(sub { (azure_counters()->{concurrent}{validate} // 0) > 0 }, 10),
   'it is asked');
ok(nginx_reload(20), 'the old workers end');
waitpid $pid, 0;
is(intune_line('reload-1')->{scep_status}, 'SUCCESS', 'the request was served');
is(calls('success'), 1, 'and Intune told');
intune_obeyed();



=== TEST 17: an unknown parameter
--- config
location /x { scep demo; scep_challenge intune tenant=contoso; }
--- must_die
--- error_log
invalid parameter "tenant=contoso" in "scep_challenge intune", it takes
"identity=name", "wait_success=on|off" and "revocation=on|off", each once



=== TEST 18: a parameter twice
--- config
location /x { scep demo; scep_challenge intune wait_success=on wait_success=on; }
--- must_die
--- error_log
invalid parameter "wait_success=on" in "scep_challenge intune"



=== TEST 19: neither on nor off
--- config
location /x { scep demo; scep_challenge intune revocation=yes; }
--- must_die
--- error_log
invalid parameter "revocation=yes" in "scep_challenge intune"



=== TEST 20: an empty name
--- config
location /x { scep demo; scep_challenge intune identity=; }
--- must_die
--- error_log
invalid parameter "identity=" in "scep_challenge intune"



=== TEST 21: twice
--- config
location /x { scep demo; scep_challenge intune; scep_challenge intune; }
--- must_die
--- error_log
"scep_challenge" directive is duplicate



=== TEST 22: an identity that is not there
--- config
location /x { scep demo; scep_challenge intune identity=fabrikam; }
--- must_die
--- error_log
unknown identity "fabrikam": there is no such "pki_azure_identity" in
nginx.conf:



=== TEST 23: several identities, and none named
--- http_config
pki_azure_identity other { tenant $TEST_NGINX_AZURE_TENANT; managed_identity; }
--- config
location /x { scep demo; scep_challenge intune; }
--- must_die
--- error_log
there are several identities, say which one by "identity="



=== TEST 24: with a decision of people
--- config
location /x { scep demo; scep_challenge intune; scep_approval manual; }
--- must_die
--- error_log
"scep_approval manual" goes only with "scep_challenge static" or "none"



=== TEST 25: with "none"
--- config
location /x { scep demo; scep_challenge intune; scep_challenge none; }
--- must_die
--- error_log
"none" cannot be combined with another challenge



=== TEST 26: without a resolver
--- no_defaults
--- http_config eval
"pki_redis $ENV{TEST_NGINX_REDIS_URL};\n" . PKI::authority('demo')
. PKI::Intune::intune_identity('contoso')
--- config
location /x { scep demo; scep_challenge intune; }
--- must_die
--- error_log
needs a "resolver" at the http level



=== TEST 27: in http{} and server{}, inherited as a whole
--- http_config
scep_challenge intune wait_success=off;
--- config
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe { pki_probe; }
location /above { scep demo; }
location /own   { scep demo; scep_challenge static $TEST_NGINX_WORK/challenge; }
--- perl
scep_ready('/probe');
azure_reset();
my $r = intune_ask('/above', intune_order());
is(scep_brief($r), 'SUCCESS', 'Intune of http{}');
is(scep_brief(intune_ask('/own', intune_order())), 'FAILURE badRequest',
   'a location of its own');
ok(wait_until(sub { intune_success($r) }, 15), 'told of later');



=== TEST 28: a duplicate that Intune refuses takes nothing away
--- perl
scep_ready('/probe');
azure_reset();
my %before = map { $_ => 1 } serials();
my $message = message(intune_order(), txn => 'first-1');
azure_latency(success => 3000);
my $pid = send_away($message);
my $serial;
ok(wait_until(sub { ($serial) = grep { !$before{$_} } serials() }, 10),
   'recorded');
ok(wait_until(sub { (azure_counters()->{concurrent}{success} // 0) > 0 }, 5),
   'Intune is being told');
azure_latency();
azure_fault(op => 'success', do => 'body', content_type => 'application/json',
            body => '{"code":"Unknown","errorDescription":"again"}');
is(scep_brief(scep_send('/intune', $message)), 'FAILURE badRequest',
   'the duplicate');
my %record = record($serial);
is($record{status}, 'good', 'does not revoke it');
is($record{withheld}, 'intune', 'nor give it out');
waitpid $pid, 0;
%record = record($serial);
is($record{status}, 'good', 'what Intune took');
is($record{withheld}, undef, 'is given out');
is(scep_send('/intune', $message)->{serial}, $serial, 'and again');
--- error_log
intune does not take the certificate, which stays withheld:



=== TEST 29: perhaps recorded, perhaps not: Intune hears of no failure
--- perl
scep_ready('/probe');
azure_reset();
azure_latency(validate => 1500);
my $message = message(intune_order(), txn => 'perhaps-1');
my $pid = send_away($message);
ok(wait_until(sub { (azure_counters()->{concurrent}{validate} // 0) > 0 }, 10),
   'Intune is asked');
redis_pause();
waitpid $pid, 0;
redis_resume();
azure_latency();
is(intune_line('perhaps-1')->{scep_status}, 'FAILURE', 'Redis is silent');
ok(wait_until(sub { (http_get('/probe'))[0] == 200 }), 'Redis is back');
ok(wait_until(sub {
    scep_brief(scep_send('/intune', $message)) eq 'SUCCESS' }, 10),
   'the retry');
is(calls('failure'), 0, 'no failure');
is(calls('success'), 1, 'one success');



=== TEST 30: a renewal that Intune orders, beside other challenges
--- perl
scep_ready('/probe');
azure_reset();
my %o = (subject => 'CN=mixed');
my $old = intune_ask('/mix', intune_order(%o));
is(scep_brief($old), 'SUCCESS', 'the first one');
my @signer = (type => 17, signer_cert => $old->{cert},
              signer_key => "$::work/intune2048.scep");
my $new = intune_ask('/mix', intune_order(%o), @signer, key => 'mixed');
is(scep_brief($new), 'SUCCESS', 'renewed');
is({ record($new->{serial}) }->{renewed}, $old->{serial}, 'as what it is');
is(calls('success'), 2, 'Intune is told');
my $again = intune_ask('/mix', intune_order(%o), @signer, key => 'mixed',
                       txn => $new->{txn});
is($again->{serial}, $new->{serial}, 'the retry');

# neither a secret of a file nor one for a first certificate is Intune's

is(calls('validate'), 2, 'asked twice');
my $secret = one_time_put('demo', 'default', 'ABCDEF0123456789');
my $plain = scep_ask('/mix', @signer, %o, key => 'mixed2', txn => 'plain-1',
                     challenge => 'open sesame');
is(scep_brief($plain), 'SUCCESS', 'with a secret of a file');
is(calls('validate'), 2, 'Intune is not asked');
my %record = record($plain->{serial});
is($record{vouched}, 'intune', 'but has vouched for what is renewed');
is(scep_brief(scep_ask('/mix', @signer, %o, key => 'mixed3',
                       challenge => $secret)), 'FAILURE badRequest',
   'with one for a first certificate');
is(calls('validate'), 3, 'Intune does not know it');
ok(one_time_is('demo', 'default', $secret), 'it is not used up');
intune_obeyed();



=== TEST 31: one identity, by its name and as the only one
--- timeout: 90
--- perl
scep_ready('/probe');
my ($probe) = (http_get('/probe'))[2];
is(scalar(() = $probe =~ /^intune contoso: /mg), 1, 'is one Intune');
redis_cmd('DEL', 'pki:{demo}:lock:intune');
ok(nginx_reload(20), 'reloaded');
azure_reset();
ok(wait_until(sub { calls('download') }, 40), 'what is to be revoked is asked');
sleep 8;
is(calls('download'), 1, 'not once by each name');
