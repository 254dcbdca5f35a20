# Many enrolments by a vault's key at a time: how few tokens and handshakes
# they need, that a slow vault fills its connections while nothing else of the
# worker waits, that the vault's limits are kept, and that clients who leave
# lose nothing.  How fast it is in figures: t/bench.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Load;
use PKI::Nginx;
use Time::HiRes qw( sleep time );

redis_start();
start_azure();

our $work = work_dir();
our $n = 0;

# A ready node with one authority; options: name, create, workers, and the
# settings of pki_key_vault.

sub node {
    my (%o) = @_;

    my $dir = "$work/node" . ++$n;
    mkdir $dir;
    chmod 0777, $dir;

    my $http = 'pki_redis ' . redis()->url . ";\n" . <<"END";
resolver 127.0.0.1:\$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate \$TEST_NGINX_AZURE_CA;
pki_key_vault $o{settings};
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:\$TEST_NGINX_AZURE_HTTP_PORT;
}
pki_authority $o{name} {
    subject     "CN=$o{name}";
    key         keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/$o{name};
    certificate $dir/ca.pem;
    create      $o{create};
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END

    my $server = <<"END";
location = /probe  { pki_probe; add_header X-Pid \$pid always; }
location = /enroll { enroll $o{name}; enroll_auth none insecure; }
location = /ocsp   { ocsp_responder $o{name}; }
location = /ca     { pki_certificate $o{name} pem; }
END

    my $node = PKI::Nginx->new(http => $http, server => $server);
    my $workers = $o{workers} || 2;

    $node->configure(file => $node->prefix . '/conf/nginx.conf', edit => sub {
        s/^worker_processes 2/worker_processes $workers/m;
        s/worker_connections 256/worker_connections 1024/;
    });

    azure_reset();
    $node->start;
    ok(wait_until(sub { ready($node) == $workers }), 'all workers are ready')
        or diag((http_get('/probe', port => $node->port))[2]);

    return $node;
}

# How many workers are.

sub ready {
    my ($node) = @_;

    my %ready = map { $_->{headers}{'x-pid'} => 1 }
                grep { $_->{status} == 200 }
                eval { load(port => $node->port, connections => 24,
                            requests => [ (['/probe']) x 24 ]) };
    return scalar keys %ready;
}

sub requests { return [ map { ['/enroll', $_] } load_csrs(@_) ] }

sub issued { return redis_cmd('ZCARD', "pki:{$_[0]}:issued") }

# That all are in Redis and good, each under a number of its own.

sub recorded {
    my ($name, @answers) = @_;

    my %serial = map { load_serial($_) => 1 } @answers;
    my @good = grep {
        (redis_cmd('HGET', "pki:{$name}:cert:$_", 'status') // '') eq 'good'
    } keys %serial;

    is(scalar keys %serial, scalar @answers, 'serial numbers differ');
    is(scalar @good, scalar @answers, 'all are recorded, and good');
}

sub finish {
    my ($node) = @_;

    ok($node->stop, 'stops by itself');
    is_deeply([ grep { /\[(?:alert|crit|emerg)\]|open socket|aborting/ }
                split /\n/, $node->log ], [], 'a clean log');
}

sub threads {
    my ($pid) = @_;
    return scalar(() = glob "/proc/$pid/task/*");
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: 1000 enrolments: one token, no handshake but one a connection
--- config
--- perl
my $node = node(name => 'many', create => 'ec-hsm:P-256',
                settings => 'connections=8 rate=0');
my @answers = load(port => $node->port, connections => 64,
                   requests => requests(1000));

is_deeply(load_tally(@answers), { 201 => 1000 }, '1000 enrolments');
is(issued('many'), 1000, 'are issued');
recorded('many', @answers);

my $counters = azure_counters();
is($counters->{tokens_issued}, 1, 'one token');
is($counters->{requests}{imds}, 1, 'asked for once');
cmp_ok($counters->{requests}{sign}, '>=', 1000, 'signed by the vault');

# the key is made over a connection of its own

is($counters->{requests}{create}, 1, 'the key was made once');
cmp_ok($counters->{tls}{https} - 1, '<=', 8 * 2,
       'TLS handshakes: connections by workers at the most');
cmp_ok($counters->{max_concurrent}{sign}, '<=', 8 * 2, 'and calls at a time');
is_deeply([ grep { $_ != 200 } keys %{ $counters->{status}{sign} } ], [],
          'none of them failed');
finish($node);



=== TEST 2: 200 in flight on one worker, 90 ms each: nothing else waits
--- config
--- perl
my $node = node(name => 'slow', create => 'rsa-hsm:2048', workers => 1,
                settings => 'connections=8 rate=0');
my ($worker) = $node->workers;
my $requests = requests(320);
my $ca = work_file('slow.pem', (http_get('/ca', port => $node->port))[2]);
my $first = (load(port => $node->port, requests => [ shift @$requests ]))[0];
my $cert = work_file('first.pem', $first->{body});
my $threads = threads($worker);

is($first->{status}, 201, 'one before');
openssl('ocsp', '-issuer', $ca, '-cert', $cert, '-no_nonce', '-reqout',
        work_file('ocsp.der'));
azure_latency(sign => 90);

my $enrolments = beside(sub {
    my $start = time;
    my @answers = load(port => $node->port, connections => 200,
                       requests => $requests);
    return { answers => \@answers, seconds => time - $start };
});

ok(wait_until(sub { (azure_counters()->{concurrent}{sign} // 0) >= 8 }),
   'all connections are in use');

my $ocsp = ['/ocsp', slurp(work_file('ocsp.der')),
            { 'Content-Type' => 'application/ocsp-request' }];
my (@meanwhile, @threads);

while ((azure_counters()->{concurrent}{sign} // 0) > 0) {
    push @meanwhile, load(port => $node->port, connections => 4,
                          requests => [ ($ocsp) x 40 ]);
    push @threads, threads($worker);
    sleep 0.05;
}

my $done = $enrolments->();
my @answers = @{ $done->{answers} };
my $rate = @answers / $done->{seconds};
my $ideal = 8 / 0.09;

is_deeply(load_tally(@answers), { 201 => 319 }, 'all are issued');
recorded('slow', @answers, $first);
diag(sprintf '%.1f enrolments a second, %.2f of the ideal', $rate,
     $rate / $ideal);
cmp_ok($rate, '>', $ideal / 2, 'the connections are put to use');
cmp_ok($rate, '<', $ideal * 1.05, 'and no more of them');
is(azure_counters()->{max_concurrent}{sign}, 8, 'eight calls at a time');

cmp_ok(scalar @meanwhile, '>', 200, 'OCSP was asked during that time');
is_deeply(load_tally(@meanwhile), { 200 => scalar @meanwhile }, 'and answered');
my ($longest) = sort { $b <=> $a } map { $_->{seconds} } @meanwhile;
diag(sprintf 'OCSP during that time: %d answers, the slowest after %.0f ms',
     scalar @meanwhile, $longest * 1000);

my (undef, $said) = command(
    'openssl', 'ocsp', '-issuer', $ca, '-cert', $cert, '-CAfile', $ca,
    '-respin', work_file('ocsp.res', $meanwhile[-1]{body}));
like($said, qr/: good/, 'good');

is_deeply([ grep { $_ != $threads } @threads, threads($worker) ], [],
          "no other threads than before: $threads");
finish($node);



=== TEST 3: the configured rate is that of all workers together
--- config
--- perl
my $node = node(name => 'paced', create => 'rsa-hsm:2048',
                settings => 'rate=20');

# two seconds of it may gather while there is nothing to do

azure_limit(units => 100, seconds => 2);

my $start = time;
my @answers = load(port => $node->port, connections => 150,
                   requests => requests(150));
my $seconds = time - $start;

is_deeply(load_tally(@answers), { 201 => 150 }, 'all are issued');
is(azure_counters()->{status}{sign}{429} // 0, 0,
   'the vault never had to refuse');
cmp_ok($seconds, '>', (150 - 2 * 20) / 20 - 0.5, 'they took their time');
cmp_ok($seconds, '<', 2 * (150 - 2 * 20) / 20, 'but not more');

my @times = sort { $a <=> $b } map { $_->{time} } azure_log(op => 'sign');
my $most = 0;
for my $i (0 .. $#times) {
    my $n = grep { $_ >= $times[$i] && $_ < $times[$i] + 1 } @times;
    $most = $n if $n > $most;
}
diag("at most $most signatures within a second");
cmp_ok($most, '<=', 2 * 20 + 20 + 15, 'what may gather, and the rate');
finish($node);



=== TEST 4: a vault that has too much to do is left alone by all workers
--- config
--- perl
my $node = node(name => 'busy', create => 'rsa-hsm:2048',
                settings => 'connections=8 rate=0 timeout=2s budget=4s');

azure_limit(units => 10, seconds => 1, retry_after => 1);

my @answers = load(port => $node->port, connections => 200,
                   requests => requests(200));
my $tally = load_tally(@answers);
my $throttled = azure_counters()->{status}{sign}{429} // 0;

diag("of 200: ", join(', ', map { "$tally->{$_} $_" } sort keys %$tally),
     "; $throttled calls were refused by the vault");
is_deeply([ grep { $_ !~ /^(?:201|503)$/ } keys %$tally ], [],
          'a certificate, or 503');
cmp_ok($tally->{201} // 0, '>', 0, 'what there is room for is issued');
cmp_ok($tally->{503} // 0, '>', 0, 'the rest is told to come again');
is_deeply([ grep { $_->{status} == 503
                   && ($_->{headers}{'retry-after'} // '') !~ /^[1-9]\d*$/ }
            @answers ], [], 'with Retry-After');

# each time the gate opens, what is sent until the first 429 comes back

cmp_ok($throttled, '<=', 16 * 5, 'the vault is not hammered');
like($node->log, qr/\[warn\].*gets no calls for \d+ ms, it answered/, 'told');

azure_limit();
ok(wait_until(sub {
    (load(port => $node->port, requests => requests(1, 'later')))[0]{status}
        == 201
}), 'and it recovers');
recorded('busy', grep { $_->{status} == 201 } @answers);
finish($node);



=== TEST 5: 50 clients leave: nothing is lost, and a retry gets the same
--- config
--- perl
my $node = node(name => 'left', create => 'rsa-hsm:2048',
                settings => 'connections=8 rate=0');
my $requests = requests(50);

azure_latency(sign => 400);
load_leave(port => $node->port, requests => $requests, after => 0.15);
cmp_ok(issued('left'), '<', 50, 'they left before the end');
ok(wait_until(sub { issued('left') == 50 }), 'all the same they are recorded');

azure_latency();
my $before = azure_counters()->{requests}{sign};
my @answers = load(port => $node->port, connections => 10,
                   requests => $requests);

is_deeply(load_tally(@answers), { 201 => 50 }, 'who comes again is served');
recorded('left', @answers);
is(issued('left'), 50, 'with what was issued before');
is(azure_counters()->{requests}{sign}, $before, 'the vault was not asked');
finish($node);
