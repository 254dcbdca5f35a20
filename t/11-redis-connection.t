# How nginx gets to its Redis: passwords, users, databases, sockets, TLS, names,
# replicas; what it says when it cannot, and what its clients are told.  That
# Redis goes away and comes back is in 50-redis.t.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Nginx;

use IO::Socket::INET;

our $ca_key = new_key('ec:P-256');
our $ca = work_file('tls-ca.pem');
openssl('req', '-new', '-x509', '-key', $ca_key, '-subj', '/CN=TLS',
        '-days', 9, '-out', $ca);

our $other_ca = work_file('other-ca.pem');
openssl('req', '-new', '-x509', '-key', new_key('ec:P-256'), '-subj', '/CN=Z',
        '-days', 9, '-out', $other_ca);

# a certificate for TLS: its file and that of its key

sub tls_certificate {
    my ($name, $san) = @_;

    my $key = new_key('ec:P-256');
    my $path = work_file("$name.pem");

    openssl('x509', '-req', '-in', new_csr(key => $key, subject => "/CN=$name"),
            '-CA', $ca, '-CAkey', $ca_key, '-set_serial', int rand 1e9,
            '-days', 9, '-out', $path, '-extfile',
            work_file("$name.ext", "subjectAltName=$san\n"));

    return ($path, $key);
}

our ($server_pem, $server_key) =
    tls_certificate('server', 'DNS:localhost,DNS:redis.test');
our ($address_pem, $address_key) = tls_certificate('address', 'IP:127.0.0.1');
our ($client_pem, $client_key) = tls_certificate('client', 'DNS:nginx');

work_file('client.key', slurp($client_key));

our $tls_port = $ENV{TLS_PORT} = free_port();

redis_start(socket => 1,
            args => ['--tls-port', $tls_port, '--tls-ca-cert-file', $ca,
                     '--tls-cert-file', $server_pem,
                     '--tls-key-file', $server_key,
                     '--tls-auth-clients', 'no']);

our $port = redis()->port;
our $socket = redis()->dir . '/redis.sock';
our $work = work_dir();

work_file('password', "gallop horse\n");
work_file('wrong', "battery staple\n");

# The CRL that Redis has in parts, put together.

sub parts {
    my $number = redis_cmd('HGET', 'pki:{demo}:crl:0', 'number');
    my %part = @{ redis_cmd('HGETALL', "pki:{demo}:crl:0:$number") };

    return join '', map { $part{$_} } 0 .. keys(%part) - 1;
}

# 127.0.0.1 is the address of every name but those that begin with "no"

our $dns_port = do {
    my $s = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1')
        or die "udp: $!";
    our $dns_pid = fork() // die "fork: $!";

    if ($dns_pid == 0) {
        while (defined $s->recv(my $query, 512)) {
            my $question = substr $query, 12;
            my $answers = $question =~ /\A\x02no/ ? 0 : 1;
            $s->send(substr($query, 0, 2)
                     . pack('n5', $answers ? 0x8180 : 0x8183, 1, $answers, 0, 0)
                     . $question
                     . ($answers ? pack('n3Nna4', 0xc00c, 1, 1, 1, 4,
                                        "\x7f\0\0\1") : ''));
        }
        POSIX::_exit(0);
    }

    $s->sockport;
};

END {
    local $?;
    if (our $dns_pid) { kill 'KILL', $dns_pid; waitpid $dns_pid, 0 }
}

http_config(authority('demo', key => 'ec:P-256'));

our $key = new_key('ec:P-256');
our $n = 0;

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /crl    { crl demo; }
location /m/       { certificate_master demo;
                     certificate_master_user someone;
                     certificate_master_roles admin; }
END

sub probe { return (http_get('/probe'))[2] }

sub ready {
    wait_until(sub { (http_get('/probe'))[0] == 200 }, 15) or diag(probe());
}

sub csr { return new_csr(key => $key, subject => '/CN=c' . ++$n) }

sub works {
    ok(ready(), 'ready');
    is((enroll('/enroll', csr()))[0], 201, 'issues');
}

# Redis is there, but not for us: the probe says why, nothing is issued

sub refused {
    my ($why) = @_;

    ok(wait_until(sub { probe() =~ $why }, 15), 'the probe says why')
        or diag(probe());
    is((http_get('/probe'))[0], 503, 'it says 503');
    my ($status, $headers) = enroll('/enroll', csr());
    is($status, 503, 'nothing is issued');
    ok($headers->{'retry-after'}, 'come again');
}

sub no_secret {
    my $logs = error_log() . redis()->log
               . slurp("$Test::Nginx::Util::ServRoot/logs/access.log");

    unlike($logs, qr/gallop|horse|battery|staple/, 'no password in any log');
    unlike(probe(), qr/gallop|horse|battery|staple/, 'nor on the probe');
}

# "before": code to run before nginx starts

add_block_preprocessor(sub {
    my ($block) = @_;

    eval "package main; " . $block->before . "; 1" or die $@
        if defined $block->before;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: the password
--- before
redis_cmd('CONFIG', 'SET', 'requirepass', 'gallop horse');
redis()->{password} = 'gallop horse';
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;
pki_redis_password_file $::work/password;"
--- config eval
$::locations
--- perl
works();
no_secret();



=== TEST 2: a wrong password
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;
pki_redis_password_file $::work/wrong;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: WRONGPASS /m);
no_secret();



=== TEST 3: no password where one is needed
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: NOAUTH /m);



=== TEST 4: a wrong password that becomes right: recovers by itself
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;
pki_redis_password_file $::work/wrong;"
--- config eval
$::locations
--- perl
ok(wait_until(sub { probe() =~ /WRONGPASS/ }), 'wrong');
redis_cmd('CONFIG', 'SET', 'requirepass', 'battery staple');
works();
redis_cmd('CONFIG', 'SET', 'requirepass', '');
delete redis()->{password};
no_secret();



=== TEST 5: an ACL user with no more rights than needed, of a directive
--- before
redis_cmd('ACL', 'SETUSER', 'nginx', 'on', '>gallop horse', '~pki:*',
          '-@all', '+@read', '+@write', '+@scripting', '+@connection',
          '-@dangerous', '+wait');
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;
pki_redis_user nginx;
pki_redis_password_file $::work/password;"
--- config eval
$::locations
--- perl
works();
like(redis_cmd('CLIENT', 'LIST'), qr/user=nginx/, 'it is this user');
no_secret();



=== TEST 6: an ACL user of the URL, with a wrong password
--- http_config eval
"pki_redis redis://nginx\@127.0.0.1:$::port;
pki_redis_password_file $::work/wrong;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: WRONGPASS /m);
no_secret();



=== TEST 7: an ACL user without the right to these keys
--- before
redis_cmd('ACL', 'SETUSER', 'nginx', 'resetkeys', '~other:*');
--- http_config eval
"pki_redis redis://nginx\@127.0.0.1:$::port;
pki_redis_password_file $::work/password;"
--- config eval
$::locations
--- perl
refused(qr/^authority demo: waiting for redis, which refuses: NOPERM /m);
no_secret();



=== TEST 8: a database and a prefix of one's own
--- before
redis_cmd('FLUSHALL');
--- http_config eval
"pki_redis redis://127.0.0.1:$::port/5 prefix=site1/;"
--- config eval
$::locations
--- perl
works();
is(redis_cmd('DBSIZE'), 0, 'nothing in database 0');
redis_cmd('SELECT', 5);
my $keys = redis_cmd('KEYS', '*');
ok(@$keys > 3, 'but in database 5');
is(scalar(grep { !/^site1\/\{demo\}:/ } @$keys), 0, 'all with the prefix')
    or diag(join ' ', @$keys);
redis_cmd('SELECT', 0);



=== TEST 9: a database that does not exist
--- http_config eval
"pki_redis redis://127.0.0.1:$::port/4000;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: .*(?:range|DB index)/m);



=== TEST 10: a unix socket, with a database
--- http_config eval
"pki_redis redis+unix:$::socket?db=6;"
--- config eval
$::locations
--- perl
works();
redis_cmd('SELECT', 6);
ok(redis_cmd('DBSIZE') > 3, 'in database 6');
redis_cmd('SELECT', 0);



=== TEST 11: a unix socket that is not there
--- http_config
pki_redis redis+unix:/nonexistent/redis.sock;
--- config eval
$::locations
--- perl
refused(qr/^redis: down: connecting failed .*No such file/m);



=== TEST 12: TLS, a private CA, "localhost"
--- http_config eval
"pki_redis rediss://localhost:$::tls_port;
pki_redis_trusted_certificate $::ca;"
--- config eval
$::locations
--- perl
works();



=== TEST 13: TLS, a CA that is not the one
--- http_config eval
"pki_redis rediss://localhost:$::tls_port;
pki_redis_trusted_certificate $::other_ca;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: TLS: \S.* certificate/m);



=== TEST 14: TLS, the system's CAs, which do not know this one
--- http_config eval
"pki_redis rediss://localhost:$::tls_port;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: TLS: \S.* certificate/m);



=== TEST 15: TLS, a certificate for another host, which is put right
--- http_config eval
"pki_redis rediss://127.0.0.1:$::tls_port;
pki_redis_trusted_certificate $::ca;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: TLS: the certificate is not for this host/m);
redis_cmd('CONFIG', 'SET', 'tls-cert-file', $::address_pem,
          'tls-key-file', $::address_key);
works();
redis_cmd('CONFIG', 'SET', 'tls-cert-file', $::server_pem,
          'tls-key-file', $::server_key);



=== TEST 16: TLS asked of a port that does not speak it
--- http_config eval
"pki_redis rediss://localhost:$::port timeout=500ms;
pki_redis_trusted_certificate $::ca;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: (?:TLS: handshake failed|connecting failed)/m);



=== TEST 17: TLS, the server wants a client certificate and gets it
--- before
redis_cmd('CONFIG', 'SET', 'tls-auth-clients', 'yes');
--- http_config eval
"pki_redis rediss://localhost:$::tls_port;
pki_redis_trusted_certificate $::ca;
pki_redis_certificate $::client_pem;
pki_redis_certificate_key $::work/client.key;"
--- config eval
$::locations
--- perl
works();



=== TEST 18: TLS, the server wants a client certificate and gets none
--- config
--- perl
# one of its own: nginx itself calls what the server says critical
my $nginx = PKI::Nginx->new(
    http => "pki_redis rediss://localhost:$::tls_port;
             pki_redis_trusted_certificate $::ca;
             " . authority('demo'),
    server => $::locations)->start;
sub said { (http_get('/probe', port => $_[0]->port))[2] }
ok(wait_until(sub { said($nginx) =~ /^redis: down: TLS: .*certificate/m }),
   'the probe says why') or diag(said($nginx));
redis_cmd('CONFIG', 'SET', 'tls-auth-clients', 'no');
ok(wait_until(sub { said($nginx) =~ /^authority demo: ok/m }),
   'ready once it wants none') or diag(said($nginx));
ok($nginx->stop, 'ends well');



=== TEST 19: a host name, by the resolver
--- http_config eval
"resolver 127.0.0.1:$::dns_port ipv6=off valid=1s;
pki_redis redis://redis.test:$::port;"
--- config eval
$::locations
--- perl
works();
redis_restart();
works();



=== TEST 20: a host name with TLS: the certificate must be for this name
--- http_config eval
"resolver 127.0.0.1:$::dns_port ipv6=off;
pki_redis rediss://wrong.test:$::tls_port;
pki_redis_trusted_certificate $::ca;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: TLS: the certificate is not for this host/m);



=== TEST 21: a host name with TLS
--- http_config eval
"resolver 127.0.0.1:$::dns_port ipv6=off;
pki_redis rediss://redis.test:$::tls_port;
pki_redis_trusted_certificate $::ca;"
--- config eval
$::locations
--- perl
works();



=== TEST 22: a host name that does not exist
--- http_config eval
"resolver 127.0.0.1:$::dns_port ipv6=off;
resolver_timeout 1s;
pki_redis redis://no.test:$::port;"
--- config eval
$::locations
--- perl
refused(qr/^redis: down: Host not found/m);



=== TEST 23: wait=1: without a replica no certificate leaves
--- http_config eval
"pki_redis redis://127.0.0.1:$::port/7 timeout=1s wait=1 wait_timeout=300ms;"
--- config eval
$::locations
--- perl
my $csr = csr();
my ($status) = enroll('/enroll', $csr);
is($status, 503, 'none without a replica');

my $replica = PKI::Redis->new(args => ['--replicaof', '127.0.0.1', $::port,
                                       '--repl-diskless-sync-delay', '0']);
redis_cmd('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
ok(wait_until(sub { redis_cmd('INFO', 'replication') =~ /state=online/ }, 15),
   'a replica is there');
ok(ready(), 'ready');

my $cert;
ok(wait_until(sub {
    ($status, undef, $cert) = enroll('/enroll', $csr);
    $status == 201;
}), 'the retry is answered');
$replica->command('SELECT', 7);
is($replica->command('HGET', 'pki:{demo}:cert:' . serial_of($cert), 'status'),
   'good', 'the replica has the record');

$replica->pause;
$csr = csr();
($status) = enroll('/enroll', $csr);
is($status, 503, 'the replica says nothing: withheld');

redis_cmd('SELECT', 7);
my $before = redis_cmd('ZCARD', 'pki:{demo}:issued');
redis_cmd('SELECT', 0);

$replica->resume;
ok(wait_until(sub {
    ($status, undef, $cert) = enroll('/enroll', $csr);
    $status == 201;
}), 'the replica is back: released');

redis_cmd('SELECT', 7);
is(redis_cmd('ZCARD', 'pki:{demo}:issued'), $before, 'the one made before');
redis_cmd('SELECT', 0);
is($replica->command('HGET', 'pki:{demo}:cert:' . serial_of($cert), 'status'),
   'good', 'and the replica has it');



=== TEST 24: Redis is a replica: refused with its words, until it is promoted
--- before
our $primary = PKI::Redis->new();
redis_cmd('REPLICAOF', '127.0.0.1', $::primary->port);
wait_until(sub { redis_cmd('INFO', 'replication') =~ /link_status:up/ }, 15);
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;"
--- config eval
$::locations
--- perl
refused(qr/^authority demo: waiting for redis, which refuses: READONLY /m);
ok(worker_pids() == 2, 'both workers live');
redis_cmd('REPLICAOF', 'NO', 'ONE');
works();



=== TEST 25: Redis does not answer in time: 503, then all is as before
--- http_config eval
"pki_redis redis://127.0.0.1:$::port timeout=300ms;"
--- config eval
$::locations
--- perl
works();
my $csr = csr();
redis_pause();
my $start = Time::HiRes::time();
my ($status, $headers) = enroll('/enroll', $csr);
my $took = Time::HiRes::time() - $start;
is($status, 503, 'unavailable');
ok($headers->{'retry-after'}, 'come again');
ok($took < 5, "within seconds: $took");
ok(wait_until(sub { (http_get('/probe'))[0] == 503 }), 'the probe says so');
is((http_get('/_alive'))[0], 204, 'nginx does not wait');
redis_resume();
ok(ready(), 'ready by itself');
my ($again, undef, $cert) = enroll('/enroll', $csr);
is($again, 201, 'the retry gets its certificate');
is(redis_cmd('HGET', 'pki:{demo}:cert:' . serial_of($cert), 'status'), 'good',
   'which is recorded');



=== TEST 26: scripts that Redis has forgotten are sent again
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;"
--- config eval
$::locations
--- perl
works();
for (1 .. 3) {
    redis_cmd('SCRIPT', 'FLUSH');
    is((enroll('/enroll', csr()))[0], 201, "issued after flush $_");
}
my (undef, $json) = api('GET', '/m/api/certificates?limit=1');
my $serial = $json->{certificates}[0]{serial};
redis_cmd('SCRIPT', 'FLUSH');
is((api('POST', "/m/api/certificates/$serial/revoke",
        { reason => 'superseded' }))[0], 200, 'revoked after a flush');
unlike(error_log(), qr/NOSCRIPT/, 'nobody needs to know');



=== TEST 27: half a megabyte at a time: 30000 revoked ones make a CRL
--- before
redis_cmd('FLUSHALL');
redis_cmd('EVAL', <<'LUA', 0, time());
for i = 1, 30000 do
    redis.call('HSET', 'pki:{demo}:revoked:0',
               string.format('41%030x', i), ARGV[1] .. ' 4')
end
redis.call('HINCRBY', 'pki:{demo}:ca', 'seq', 1)
LUA
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;"
--- config eval
$::locations
--- perl
works();
ok(wait_until(sub { (http_get('/crl'))[0] == 200 }, 40), 'there is a CRL');
my %crl = crl_serials('/crl', work_file('demo.pem'));
is(scalar keys %crl, 30000, 'with all of them');
cmp_ok(length parts(), '>', 1024 * 1024, 'over a megabyte');



=== TEST 28: another nginx takes that CRL from Redis
--- http_config eval
"pki_redis redis://127.0.0.1:$::port;"
--- config eval
$::locations
--- perl
works();
ok(wait_until(sub { (http_get('/crl'))[0] == 200 }, 40), 'there is a CRL');
ok((http_get('/crl'))[2] eq parts(), 'octet by octet');
