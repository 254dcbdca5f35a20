# CRLs and what comes to an end: certificates that expire, and leave; a vault
# that is away, and the last CRL until its nextUpdate.
#
# Elsewhere: nodes that race and die (94), a Redis that is gone (95).

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::CRL;
use PKI::Nodes;
use PKI::OCSP;
use PKI::Vault ();
use Time::HiRes qw( sleep time );

redis_start(appendonly => 1);
key_vault();
http_config(authority('expire', key => 'ec:P-256'),
            'pki_profile brief { validity 5s; }');

no_shuffle();
run_tests();

__DATA__

=== TEST 1: C13: what has expired leaves after a CRL from behind its end
--- timeout: 60
--- config eval
::crl_locations('expire', 'crl_shards 2; crl_refresh 100ms; crl_delta 1s; '
                          . 'crl_validity 4s overlap=2s;', delta => 1)
    . 'location = /brief { enroll expire; enroll_auth none insecure;
                           enroll_profile brief; }'
--- perl
setup('expire', 2);
crl_grace();
my ($kept) = crl_spread('expire', 2);
my @certs = map { new_certificate("brief$_", '/brief') } 1 .. 5;
my ($held, $released) = (pop @certs, new_certificate('released', '/brief'));
my %end = map { serial_octets($_) => certificate($_)->{not_after} }
          @certs, $held;
my @uris = uris('expire', 2);
my $watch = crl_watch([ own_port() ], @uris);

revoke($_, 'superseded', '/expire/m') for @certs, $kept;
revoke($_, 'certificateHold', '/expire/m') for $held, $released;
ok(all_in('expire', 5, @certs, $held, $released, $kept), 'all are listed');
is(release($released, '/expire/m'), 200, 'one is released');

ok(crl_wait($_, sub { !grep { $_->{serial} ne serial_octets($kept) }
                      @{ $_[0]{entries} } }, 30), "$_: they leave") for @uris;
ok(crl_wait('/crl/expire-delta.crl', sub { !$_[0]{list} }, 30),
   'and the delta');
ok(all_in('expire', 5, $kept), 'the other one stays');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, gone => sub {
                $end{ $_[0] } || $_[0] eq serial_octets($released)
            }) ], [], 'of ' . @seen . ' all are right');

for my $cert (@certs, $held) {
    my $serial = serial_octets($cert);

    for my $uri ('/crl/expire.crl', crl_uri($cert)) {
        my %crls = map { $_->{number} => $_ } grep { $_->{uri} eq $uri } @seen;
        my @listed;

        for my $crl (values %crls) {
            my %serials = crl_reasons($crl);
            push @listed, $crl->{this_update}{at} if exists $serials{$serial};
        }

        ok((grep { $_ > $end{$serial} } @listed),
           "$uri: it was on one issued after its end");
    }

    my (undef, $record) = api('GET', '/expire/m/api/certificates/'
                              . serial_of($cert));
    is($record->{reason}, $cert eq $held ? 'certificateHold' : 'superseded',
       'its record stays');
}

# once a minute or so

ok(wait_until(sub {
    redis_cmd('HLEN', 'pki:{expire}:revoked:0') == 1
        && !redis_cmd('EXISTS', 'pki:{expire}:released');
}, 100), 'Redis forgets them, and what was released');
sleep 3;
ok(all_in('expire', 5, $kept), 'the other one is still there');



=== TEST 2: C22: a vault that is away: the last CRL, told early, and recovery
--- timeout: 90
--- config
location = /probe { pki_probe; }
--- perl
ready(40);
azure_reset();
my $node = PKI::Vault::node('vault', sealed => ['ec:P-256']);
my $text = slurp($node->prefix . '/conf/nginx.conf');
$text =~ s{(location = /sealed/crl)}{crl_refresh 100ms;
    crl_validity 20s overlap=16s;
    location /sealed/m/ { certificate_master sealed;
        certificate_master_user a; certificate_master_roles admin; } $1} or die;
$node->configure(file => work_file('sealed.conf', $text))->start;
ok(PKI::Vault::ready($node, 'sealed'), 'ready');
my $ca = PKI::Vault::ca_of($node, 'sealed');
ocsp_defaults(ca => $ca);
my @there = (port => $node->port);
my ($good, $bad) = map { PKI::Vault::issue($node, 'sealed') } 1, 2;
my $crl = crl_wait('/sealed/crl', undef, 20, @there);
ok($crl, 'a CRL') or return;
is($crl->{verified} && $crl->{issuer_is_ca}, 1, 'C22: of the issuer itself');
my $watch = crl_watch([ $node->port ], '/sealed/crl');
my $log = length $node->log;

azure_fault(op => 'sign', key => 'sealed', count => -1, do => 'status',
            status => 503, code => 'Unavailable', message => 'not now');
is(revoke_at($node->port, 'sealed', $bad), 200, 'revoked');

my $told = wait_until(sub {
    PKI::Vault::probe($node) =~ /^(crl sealed: (?!ok).*)$/m && $1
}, 12);
ok($told, 'the probe says so') or diag(PKI::Vault::probe($node));
like(substr($node->log, $log), qr/\[error\].*CRL/, 'the log as well');
my $last = crl_fetch('/sealed/crl', undef, @there);
ok($last && $last->{next_update}{at} > time + 2,
   'early: while the last CRL still holds');

my $status = wait_until(sub {
    my ($status) = http_get('/sealed/crl', @there);
    $status != 200 && [ $status, time ];
}, 30);
is($status->[0], 503, 'none in the end');
cmp_ok($status->[1], '>=', $last->{next_update}{at} - 1,
       'the last one until its nextUpdate');

azure_reset();
$crl = crl_wait('/sealed/crl', has($bad), 60, @there);
ok($crl, 'well by itself') or return;
ok(wait_until(sub { (http_get('/probe', @there))[0] == 200 }),
   'and the probe is');
like(crl_verify($bad, $ca, $crl), qr/certificate revoked/, 'revoked');
is(crl_verify($good, $ca, $crl), '', 'the other one is good');

my @seen = crl_seen($watch);
is_deeply([ crl_faults(\@seen, statuses => [ 503 ]) ], [], 'all are right');
ok($node->stop, 'it ends well');
unlike($node->log, qr/\[(alert|crit|emerg)\]/, 'a clean log');
