# No secret of Azure or of SCEP is where somebody may read it: with all logs at
# level debug, good and bad enrolments by each kind of identity, and everything
# going wrong at the vault and where tokens come from.  Looked at are the logs,
# Redis, the probe and all answers; that the look itself finds what there is,
# is proved by what the simulator was sent and by the files.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Load;
use PKI::Nginx;
use PKI::Scep;
use MIME::Base64 qw( encode_base64 );

redis_start();
start_azure(log => 5000);

our $work = work_dir();
our $challenge = 'Tr0ub4dor-and-3-horses';
our $guess = 'correct-horse-battery-staple';

work_file('challenge', "$challenge\n");

# Shorter parts are not looked for: any part of a secret that is twice as long
# has one of these in it, wherever it was cut.

our $PIECE = 16;

# What proves who an identity is, by its name.

our %identity = (
    secret => <<'END',
    tenant $TEST_NGINX_AZURE_TENANT;
    client_id $TEST_NGINX_AZURE_CLIENT;
    client_secret_file $TEST_NGINX_AZURE_DIR/client.secret;
    authority_host $TEST_NGINX_AZURE_LOGIN;
END
    certificate => <<'END',
    tenant $TEST_NGINX_AZURE_TENANT;
    client_id $TEST_NGINX_AZURE_CLIENT;
    client_certificate $TEST_NGINX_AZURE_DIR/client.pem
                       $TEST_NGINX_AZURE_DIR/client.key;
    authority_host $TEST_NGINX_AZURE_LOGIN;
END
    federated => <<'END',
    tenant $TEST_NGINX_AZURE_TENANT;
    client_id $TEST_NGINX_AZURE_CLIENT;
    federated_token_file $TEST_NGINX_AZURE_DIR/federated.token;
    authority_host $TEST_NGINX_AZURE_LOGIN;
END
    managed => <<'END',
    managed_identity endpoint=http://127.0.0.1:$TEST_NGINX_AZURE_HTTP_PORT;
END
);

our @kinds = sort keys %identity;

# All of them in one nginx, each with an authority of its own.

sub node {
    my $http = 'pki_redis ' . redis()->url . ";\n" . <<'END';
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
pki_key_vault rate=0 timeout=1s budget=2s;
END
    my $server = "location = /probe { pki_probe; }\n";

    for (@kinds) {
        $http .= <<"END";
pki_azure_identity $_ {
$identity{$_}}
pki_authority $_ {
    subject     "CN=$_";
    key         keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/$_ identity=$_;
    certificate $work/$_.pem;
    create      rsa:2048;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END
        $server .= <<"END";
location /$_/scep  { scep $_; scep_challenge static $work/challenge; }
location /$_/enroll { enroll $_; enroll_auth none insecure; }
END
    }

    my $node = PKI::Nginx->new(http => $http, server => $server);

    return $node->configure(file => $node->prefix . '/conf/nginx.conf',
                            edit => sub { s/error\.log info/error.log debug/ });
}

our (@answers, %places, %sent);

sub keep {
    my ($status, $headers, $body) = @_;
    push @answers, join "\n", $status, %$headers, $body;
    return ($status, $headers, $body);
}

sub scep {
    my ($node, $name, %o) = @_;

    my $m = scep_make(ca => "$work/$name.pem", challenge => $challenge, %o);
    my ($status, undef, $body) = keep(http_post(
        "/$name/scep?operation=PKIOperation", $m->{der},
        port => $node->port));

    return $status == 200 ? scep_open($m, $body)->{status} // '' : $status;
}

sub rest {
    my ($node, $name, $body) = @_;
    ($body) = load_csrs(1) if !defined $body;
    return (keep(http_post("/$name/enroll", $body, port => $node->port)))[0];
}

sub probe { return (keep(http_get('/probe', port => $_[0]->port)))[0] }

# Lets a node go, and keeps what it leaves behind.

sub finish {
    my ($node, $name) = @_;

    ok($node->stop, "$name: stops");
    $places{'the error log'} .= $node->log . $node->said;
    $places{'the access log'} .= slurp($node->prefix . '/logs/access.log');
    is_deeply([ grep { /\[(?:alert|crit|emerg)\]/ } split /\n/, $node->log ],
              [], "$name: a clean log");
    keep_sent();
}

# What the simulator was sent since its last reset, and the secrets therein.

sub keep_sent {
    for my $request (azure_log()) {
        my $all = join "\n", %{ $request->{headers} }, $request->{body};

        $sent{all} .= $all;
        $sent{tokens}{$1} = 1 if $all =~ /Bearer (\S+)/;
        $sent{assertions}{$1} = 1 if $all =~ /client_assertion=([\w.-]+)/;
    }
}

# Whatever is in Redis: names, values, of all kinds.

sub redis_dump {
    my ($cursor, @all) = (0);

    do {
        ($cursor, my $keys) = @{ redis_cmd('SCAN', $cursor) };

        for my $key (@$keys) {
            my $type = redis_cmd('TYPE', $key);
            push @all, $key, flat($type eq 'string' ? redis_cmd('GET', $key)
                 : $type eq 'hash'   ? redis_cmd('HGETALL', $key)
                 : $type eq 'zset'   ? redis_cmd('ZRANGE', $key, 0, -1)
                 : $type eq 'set'    ? redis_cmd('SMEMBERS', $key)
                 : $type eq 'list'   ? redis_cmd('LRANGE', $key, 0, -1)
                 : $type eq 'stream' ? redis_cmd('XRANGE', $key, '-', '+')
                 : die "redis type $type");
        }
    } while ($cursor);

    return join "\n", @all;
}

sub flat { return map { ref $_ ? flat(@$_) : $_ // '' } @_ }

# Parts of a secret in each form in which it might turn up.

sub pieces {
    my ($text) = @_;

    my $escaped = $text =~ s/([^\w.~-])/sprintf '%%%02X', ord $1/ger;
    my @forms = ($text, $escaped, unpack('H*', $text), uc unpack('H*', $text));

    for my $before ('', '-', '--') {
        my $base64 = encode_base64("$before$text", '');
        push @forms, substr $base64, 4, length($base64) - 8;
        push @forms, $forms[-1] =~ tr{+/}{-_}r;
    }

    return map { cut($_) } @forms;
}

sub cut {
    my ($text) = @_;
    return map { substr $text, $_ * $PIECE, $PIECE }
           0 .. int(length($text) / $PIECE) - 1;
}

# Of a private RSA key: its numbers, and the lines of its file but the first
# nine, which have the public ones.

sub key_pieces {
    my ($file) = @_;

    my @lines = grep { /^[\w+\/=]{40,}$/ } split /\n/, slurp($file);
    my $text = openssl('pkey', '-in', $file, '-noout', '-text');
    my @pieces = map { cut($_) } @lines[9 .. $#lines];

    for my $name ('privateExponent', 'prime1', 'prime2', 'exponent1') {
        my ($hex) = $text =~ /^$name:\n((?:\s+[0-9a-f:]+\n)+)/m or next;
        $hex =~ s/[\s:]//g;
        $hex =~ s/^(00)+//;
        push @pieces, pieces(pack 'H*', $hex), cut(pack 'H*', $hex);
    }

    return @pieces;
}

# One regular expression for many words: Perl makes a tree of them if it may.

sub any_of {
    my (@words) = @_;
    local ${^RE_TRIE_MAXBUF} = 1 << 26;
    my $any = join '|', map { quotemeta } @words;
    return qr/($any)/;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: enrolments, good and bad, at level debug
--- config
--- perl
my $node = node()->start;
ok(wait_ready(sub { probe($node) == 200 }), 'ready')
    or diag((http_get('/probe', port => $node->port))[2]);

for my $name (@::kinds) {
    ok(wait_until(sub { -s "$::work/$name.pem" }), "$name: its certificate");
    is(scep($node, $name), 'SUCCESS', "$name: SCEP");
    is(scep($node, $name, challenge => $::guess), 'FAILURE', 'a wrong guess');
    is(scep($node, $name, broken => $_), 'FAILURE', "$_ is broken")
        for 'cek', 'envelope', 'csr';
    is(rest($node, $name), 201, "$name: REST");
    is(rest($node, $name, 'garbage'), 400, 'garbage');
}

finish($node, 'good');



=== TEST 2: whatever goes wrong at the vault
--- config
--- perl
my $node = node()->start;
my $turn = 0;
ok(wait_until(sub { probe($node) == 200 }), 'ready');

for (['truncate'], ['html'], ['akv10046'], ['close_body'], ['corrupt'],
     ['wrong_kid'], ['body', body => '{"value":1'],
     ['status', status => 503, code => 'Unavailable', message => 'no'],
     ['status', status => 403, code => 'Forbidden', message => 'no',
      inner => 'ForbiddenByRbac'])
{
    my $name = $::kinds[ $turn++ % @::kinds ];

    for my $op ('sign', 'unwrapkey') {
        azure_fault(op => $op, key => $name, do => @$_);
        my $said = $op eq 'sign' ? rest($node, $name) : scep($node, $name);
        ok($said, "$name: $op: $_->[0]: $said");
    }

    probe($node);
}

# 401 for tokens that were good

azure_token(expire => 1);
rest($node, $_) for @::kinds;
finish($node, 'vault');



=== TEST 3: whatever goes wrong where tokens come from
--- config
--- perl
my $undated = ['replace', fields => { expires_in => undef,
                                      expires_on => undef }];
my $odd = ['replace', fields => { token_type => 7, expires_in => 'x' }];

for ([ $undated, ['truncate'], ['close_body'], $odd ],
     [ ['truncate'], $undated, $odd,
       ['status', status => 401, code => 'invalid_client', message => 'no'] ])
{
    my ($first, @more) = @$_;

    # what is ordered first is for those who ask the first time

    azure_reset();
    azure_fault(op => 'imds', do => @$first);
    azure_fault(op => 'token', do => @$_) for @more;

    my $node = node()->start;
    ok(wait_until(sub { !grep { $_->{left} } @{ azure_faults() } }),
       'all goes wrong') or diag(map { "$_->{op} $_->{left}\n" }
                                 @{ azure_faults() });
    my @csrs = load_csrs(scalar @::kinds);
    my @got = load(port => $node->port, connections => 4, requests => [
        map { ["/$_/enroll", shift @csrs] } @::kinds ]);
    keep(@$_{qw( status headers body )}) for @got;
    probe($node);
    finish($node, 'tokens');
}



=== TEST 4: no secret is in any of these places
--- config
--- perl
$::places{Redis} = redis_dump();
$::places{'the log of Redis'} = redis()->log;
$::places{'answers and probe'} = join "\n", @::answers;

my $files = $ENV{TEST_NGINX_AZURE_DIR};
my ($key, $secret, $token) = map { slurp("$files/$_") }
                             qw( client.key client.secret federated.token );
chomp($secret, $token);

my %secrets = (
    'an access token' => [ map { cut($_) } keys %{ $::sent{tokens} } ],
    'an assertion' => [ map { cut($_) } keys %{ $::sent{assertions} } ],
    'the client secret' => [ pieces($secret) ],
    'the federated token' => [ pieces($token) ],
    'the key of the client certificate' => [ key_pieces("$files/client.key") ],
    'the challenge' => [ pieces($::challenge) ],
    'a wrong challenge' => [ pieces($::guess) ],
    'any private key' => [ 'PRIVATE KEY' ],
);

# that it is found where it is

my %there = (
    'an access token' => $::sent{all},
    'an assertion' => $::sent{all},
    'the client secret' => $::sent{all},
    'the federated token' => $::sent{all},
    'the key of the client certificate' => $key,
    'the challenge' => slurp("$::work/challenge"),
    'a wrong challenge' => encode_base64("so: $::guess", ''),
    'any private key' => $key,
);

cmp_ok(scalar keys %{ $::sent{tokens} }, '>=', 4, 'tokens were used');
cmp_ok(scalar keys %{ $::sent{assertions} }, '>=', 3, 'and assertions');
cmp_ok(length $::places{'the error log'}, '>', 1_000_000, 'a log');
like($::places{'the error log'}, qr/\[debug\].*pki/, 'of that level');
like($::places{'the access log'}, qr{POST /managed/scep}, 'another one');
like($::places{Redis}, qr/cert:/, 'certificates');
like($::places{'answers and probe'}, qr/^authority managed: /m, 'the probe');

for my $what (sort keys %secrets) {
    my $any = any_of(@{ $secrets{$what} });

    like($there{$what}, $any, "$what would be found");

    for my $place (sort keys %::places) {
        my $found = $::places{$place} =~ $any
                    ? substr $::places{$place}, $-[0] > 80 ? $-[0] - 80 : 0, 160
                    : '';
        is($found, '', "$what is not in $place");
    }
}
