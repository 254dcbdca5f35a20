# What Intune wants revoked: how soon it is, in whatever manner the serial number
# is written, what Intune is told of it; over outages of Intune and Redis, on
# several nodes; what is not answered, what is not believed.  Waits are cut
# short by reloads: new workers ask at once, others twice a minute.  What one
# page can hold is asked for in one page.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Intune;
use PKI::Nginx;
use PKI::OCSP qw( ocsp_defaults ocsp_post );
use PKI::Scep;

redis_start(appendonly => 1);
start_azure();

our $work = work_dir();
our $key = new_key('ec:P-256');
our $issuer = 'CN=demo CA,O=Test';
our $n = 0;

our $http = authority('demo')
            . intune_directives() =~ s/\A.*?(?=pki_azure_identity)//sr;

http_config($http);

our $server = <<'END';
location = /probe { pki_probe; }
location /enroll  { enroll demo; enroll_auth none insecure; }
location /intune  { scep demo; scep_challenge intune; scep_renewal on within=0; }
location /ocsp    { ocsp_responder demo; }
END

# The serial numbers of certificates that any client got; and of some that
# Intune has vouched for, as their records say, which is faster than to ask it.

sub enrol {
    my ($count) = @_;

    my @serials = enrol_others($count);
    redis_cmd('HSET', "pki:{demo}:cert:$_", 'vouched', 'intune') for @serials;
    return @serials;
}

sub enrol_others {
    my ($count) = @_;

    return map {
        my ($status, undef, $body) = http_post('/enroll',
            slurp(new_csr(key => $key, subject => '/CN=c' . ++$n)));
        is($status, 201, 'issued') if $status != 201;
        my $file = work_file('enrolled.pem', $body);
        lc((openssl('x509', '-in', $file, '-noout', '-serial')
            =~ /=(\w+)/)[0]);
    } 1 .. $count;
}

sub wanted {
    my ($serial, %o) = @_;
    return azure_revoke(serial => $serial, issuer => $issuer, %o)
           ->{requestContext};
}

sub record { return @{ redis_cmd('HGETALL', "pki:{demo}:cert:$_[0]") } }
sub state  { return { record($_[0]) }->{status} // '' }
sub calls  { return azure_counters()->{requests}{ $_[0] } // 0 }

# What Intune was told, by context: each once.

sub told {
    my %told;

    for my $result (@{ azure_intune()->{results} }) {
        $told{ $result->{requestContext} } .= $result->{errorCode};
    }

    return \%told;
}

sub all_told {
    my ($seconds, @contexts) = @_;

    return wait_until(sub {
        my $told = told();
        return !grep { !$told->{$_} } @contexts }, $seconds);
}

# Nothing is wanted, nothing is wrong.

sub settled {
    scep_ready('/probe') or diag((http_get('/probe'))[2]);
    azure_reset();
    return;
}

# What Intune answers to a download, whatever was asked for.

sub download {
    my (@items) = @_;

    return azure_fault(op => 'download', do => 'replace', count => -1,
                       fields => { value => \@items });
}

sub item {
    my ($context, $serial, %o) = @_;

    return { requestContext => $context, serialNumber => $serial,
             issuerName => $issuer, %o };
}

# Workers that ask now.

sub look {
    ok(nginx_reload(20), 'reloaded');
    return;
}

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $::server) if !defined $block->config;
});

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: revoked, by whom and why, and told; again: a success
--- perl
settled();
my ($serial, $other) = enrol(2);
my $context = wanted($serial);
look();
ok(all_told(20, $context), 'told');
is(told()->{$context}, 'None', 'of a success');
my %record = record($serial);
is($record{status}, 'revoked', 'revoked');
is($record{reason}, 5, 'cessationOfOperation');
is($record{revoked_by}, 'intune', 'by Intune');
ocsp_defaults(ca => "$::work/demo.pem");
is(ocsp_post('/ocsp', { serial => $serial })->{status}, 'revoked', 'OCSP');
is(state($other), 'good', 'no other one');
like(error_log(), qr/\[notice\] .*certificate revoked because intune "contoso" wants it.*$serial/,
     'the log says so');
azure_fault(op => 'upload', do => 'body', content_type => 'application/json',
            body => '{"value":false}');
my $second = wanted($serial);
look();
ok(all_told(20, $second), 'told again, until Intune takes it');
is(told()->{$second}, 'None', 'of a success');
is_deeply({ record($serial) }, \%record, 'the record is as it was');
intune_obeyed();



=== TEST 2: what Intune vouched for, and what renews that; nothing else
--- perl
settled();
my $order = intune_order(subject => 'CN=renewed');
my $r = intune_ask('/intune', $order);
is(scep_brief($r), 'SUCCESS', 'issued');
my $new = intune_ask('/intune', $order, type => 17, challenge => undef,
                     key => 'renewed86', signer_cert => $r->{cert},
                     signer_key => "$::work/$order->{key}.scep");
is(scep_brief($new), 'SUCCESS', 'renewed, which Intune does not hear of');
my ($other) = enrol_others(1);
my @contexts = map { wanted($_) } $r->{serial}, $new->{serial}, $other;
look();
ok(all_told(20, @contexts), 'told');
is_deeply([ map { state($_) } $r->{serial}, $new->{serial}, $other ],
          [ 'revoked', 'revoked', 'good' ], 'and done');
is_deeply([ @{ told() }{@contexts} ],
          [ 'None', 'None', 'CertificateNotFoundError' ], 'what is so');
like(error_log(), qr/\[warn\] .*wants a certificate revoked that it did not vouch for.*$other/,
     'the log says which');
intune_obeyed();



=== TEST 3: however the serial number is written; not known, or none
--- perl
settled();
my @serials = enrol(5);
my @written = (lc $serials[0], '00' . uc $serials[1],
               join(':', uc($serials[2]) =~ /../g),
               join(' ', $serials[3] =~ /../g), $serials[4] =~ s/^0+//r);
my @contexts = map { wanted($serials[$_], as => $written[$_]) } 0 .. 4;
my $unknown = wanted('0123456789abcdef');
my @wrong = map { wanted('00', as => $_) }
            '', 'xyz', '0', 'a' x 41, "$serials[0]/", '-1';
look();
ok(all_told(20, @contexts, $unknown, @wrong), 'all are told');
is_deeply([ map { state($_) } @serials ], [ ('revoked') x 5 ], 'all revoked');
my $told = told();
is_deeply([ @$told{@contexts} ], [ ('None') x 5 ], 'all successes');
is($told->{$unknown}, 'CertificateNotFoundError', 'not known');
is_deeply([ @$told{@wrong} ], [ ('ParameterDataInvalidError') x 6 ], 'wrong');
like(error_log(), qr/\[warn\] .*wants a certificate revoked that is not known.*0123456789abcdef/,
     'the log says which');
intune_obeyed();



=== TEST 4: of another authority: left to it; of nobody: only what is done is told
--- perl
settled();
my ($serial, $bare) = enrol(2);
my ($context, $known) = qw( ours bare );
download(item('x', 'ab', issuerName => 'CN=x'),
         item('y', '0123456789abcdef', issuerName => undef),
         item('z', 'none', issuerName => ''),
         item($known, $bare, issuerName => undef), item($context, $serial));
wanted($serial, context => $context);
wanted($bare, context => $known);
look();
ok(all_told(20, $context, $known), 'ours are told');
is_deeply([ sort keys %{ told() } ], [ sort $context, $known ],
          'all others are not answered');
is(state($bare), 'revoked', 'ours, though nobody says whose it is');
like(error_log(), qr/\[warn\] .*of another issuer than "\Q$::issuer\E"/, 'log');



=== TEST 5: a record that cannot be read, requests that cannot be answered
--- perl
settled();
my ($first, $broken, $last) = enrol(3);
redis_cmd('HSET', "pki:{demo}:cert:$broken", 'not_after', 'x');
download(item('f', $first), item('b', $broken), 1,
         { serialNumber => $broken }, item('', $broken),
         item("nul\0", $broken), item('n', "$broken\0"),
         item('l', $last));
wanted($first, context => $_) for qw( f n l );
look();
ok(all_told(20, qw( f n l )), 'all others are told');
is_deeply([ map { state($_) } $first, $last ], [ ('revoked') x 2 ], 'revoked');
is(told()->{b}, undef, 'what is not done is not told');
is(told()->{n}, 'ParameterDataInvalidError', 'NUL is in no serial number');
like(error_log(), qr/\[error\] .*"contoso" wants revoked cannot be revoked now.*$broken/,
     'one line of the record');
like(error_log(), qr/\[error\] .*"contoso" wants 4 certificates revoked without "requestContext"/,
     'one of the requests');
intune_obeyed();



=== TEST 6: more than a page
--- timeout: 60
--- perl
settled();
my @serials = enrol(120);
my @contexts = map { wanted($_) } @serials;
look();
ok(all_told(40, @contexts), 'all are told');
is(scalar(grep { state($_) ne 'revoked' } @serials), 0, 'all revoked');
my $told = told();
is(scalar(grep { $_ ne 'None' } values %$told), 0, 'each told of once');
intune_obeyed();



=== TEST 7: Intune does not take the results: they are told again
--- timeout: 60
--- perl
settled();
my ($serial) = enrol(1);
my $context = wanted($serial);
azure_fault(op => 'upload', do => 'status', status => 503, count => 3);
look();
ok(wait_until(sub { state($serial) eq 'revoked' }, 20), 'revoked all the same');
ok(all_told(40, $context), 'told in the end');
is(told()->{$context}, 'None', 'of a success');
my @lines = grep { /\[error\] .*cannot be asked for revocations/ }
            split /\n/, error_log();
cmp_ok(scalar @lines, '<=', 2, 'one line for the outage, of each worker')
    or diag(@lines);
like($lines[0], qr/uploadRevocationResults: HTTP 503/, 'that says why');
like(error_log(), qr/\[notice\] .*is asked for revocations again/, 'its end');



=== TEST 8: answers that are nearly right revoke nothing
--- perl
settled();
my ($serial) = enrol(1);
my $item = qq({"requestContext":"c","serialNumber":"$serial","issuerName":null});
for my $body ('<html>', "{\"value\":[$item],\"value\":[$item]}",
              "{\"value\":[$item]} x",
              '{"value":[' . join(',', ($item) x 51) . ']}')
{
    azure_reset();
    azure_fault(op => 'download', do => 'body', body => $body,
                content_type => 'application/json', count => -1);
    look();
    ok(wait_until(sub { calls('download') > 0 }, 20), 'asked');
    is(calls('upload'), 0, 'nothing is told: ' . substr $body, 0, 30);
}
is(state($serial), 'good', 'nothing is revoked');



=== TEST 9: an answer that is too long: less is asked for
--- timeout: 60
--- perl
settled();
my @serials = enrol(40);
my @contexts = map { wanted($serials[$_], context => "$_-" . 'x' x 2000) }
               0 .. 39;
look();
ok(all_told(40, @contexts), 'all are told');
is(scalar(grep { state($_) ne 'revoked' } @serials), 0, 'all revoked');
intune_obeyed();



=== TEST 10: by itself, twice a minute; Redis goes away in the middle
--- timeout: 120
--- perl
settled();
my ($serial) = enrol(1);
azure_latency(download => 2000);
my $asks = sub { azure_counters()->{concurrent}{download} // 0 };
ok(wait_until(sub { calls('download') && !$asks->() }, 20), 'asked before');
my $context = wanted($serial);
ok(wait_until($asks, 40), 'asked');
redis_stop();
sleep 3;
is(told()->{$context}, undef, 'nothing is told that was not done');
my $before = calls('download');
look();
sleep 2;
is(calls('download'), $before, 'nobody asks while it is away');
azure_latency();
redis_start();
redis_cmd('DEL', 'pki:{demo}:lock:intune');
ok(all_told(40, $context), 'told when it is back');
is(state($serial), 'revoked', 'and revoked');
--- error_log
[error]



=== TEST 11: two nodes: one at a time
--- timeout: 60
--- perl
settled();
azure_latency(download => 300, upload => 300);
my $node = PKI::Nginx->new(
    http => 'pki_redis ' . redis()->url . ";\n" . $::http,
    server => $::server)->start;
my @serials = enrol(20);
my @contexts = map { wanted($_) } @serials;
look();
ok(all_told(40, @contexts), 'all are told');
my $told = told();
is(scalar(grep { $_ ne 'None' } values %$told), 0, 'each once');
is(azure_counters()->{max_concurrent}{download}, 1, 'one asks at a time');
ok($node->stop, 'ends well');



=== TEST 12: Intune has no such service
--- perl
settled();
azure_graph(uris => { PkiConnectorFEService => undef });
azure_fault(op => 'download', do => 'status', status => 404, count => -1);
look();
ok(wait_until(sub { error_log() =~ /cannot be asked for revocations/ }, 25),
   'the log says so') or diag(error_log());
my $order = intune_order();
intune_issued('enrolment goes on', intune_ask('/intune', $order), $order);



=== TEST 13: revocation=off: nobody asks
--- config
location = /probe { pki_probe; }
location /intune  { scep demo; scep_challenge intune revocation=off; }
--- perl
settled();
look();
sleep 4;
is(calls('download'), 0, 'nobody asks');
