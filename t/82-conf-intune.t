# conf/intune.conf, as it is but for paths, ports and what stands for Azure: the
# way of INTUNE.md, from the first start to a device whose certificate Intune
# revokes.  And what a profile that copies security identifiers makes of an
# extension that Intune has not compared.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Intune;
use PKI::Nginx;
use PKI::OCSP;
use PKI::Scep;

redis_start();
start_azure();

our $work = work_dir();

http_config(authority('demo'), intune_directives(), <<'END');
pki_profile sid { sid request; }
END

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: from an empty machine to an enrolled device
--- config
--- perl
my $etc = "$::work/etc";
my ($tls, $plain) = (free_port(), free_port());
mkdir $etc;
chmod 0777, $::work;
work_file('etc/log-format.conf', slurp('conf/log-format.conf'));
openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
        '-nodes', '-days', 9, '-subj', '/CN=localhost', '-addext',
        'subjectAltName=DNS:localhost', '-keyout', "$etc/server.key",
        '-out', "$etc/server.pem");

my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';

my $nginx = PKI::Nginx->new(file => 'conf/intune.conf', edit => sub {
    my $change = sub {
        my ($from, $to) = @_;
        ok(s/$from/$to/g, "has $from");
    };
    $change->(qr/^load_module \S+;\n/m, $modules);
    $change->(qr/^user\s+\S+;/m, $> == 0 ? 'user root;' : '');
    $change->(qr{/etc/nginx/pki}, $etc);
    $change->(qr{/var/lib/nginx/pki}, $::work);
    $change->(qr{/var/log/nginx}, 'logs');
    $change->(qr{/run/nginx\.pid}, 'logs/nginx.pid');
    $change->(qr/worker_processes auto/, 'worker_processes 2');
    $change->(qr/pki_redis \S+/, "pki_redis $ENV{TEST_NGINX_REDIS_URL};");
    $change->(qr/listen +80 /, 'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT ');
    $change->(qr/listen +443 ssl/,
              "listen 127.0.0.1:$plain; listen 127.0.0.1:$tls ssl");
    $change->(qr{base_url +http://pki\.contoso\.example},
              'base_url http://127.0.0.1:$TEST_NGINX_SERVER_PORT');
    $change->(qr/managed_identity;/, 'managed_identity endpoint=http://'
              . "127.0.0.1:$ENV{TEST_NGINX_AZURE_HTTP_PORT};");
    $change->(qr/resolver \S+ [^;]+;/, 'pki_proxy http://127.0.0.1:'
              . "$ENV{TEST_NGINX_AZURE_PROXY_PORT};\npki_trusted_certificate "
              . "$ENV{TEST_NGINX_AZURE_CA};");
    s/^http \{/http {\nclient_body_temp_path temp;\nproxy_temp_path temp;\n/m;
});

azure_stock(key_size => 4096);

my ($code, $said) = $nginx->test;
is($code, 0, 'nginx -t') or diag($said);
unlike($said, qr/\[warn\]/, 'without a warning') or diag($said);

$nginx->start;
my $port = $nginx->port;
ok(wait_until(sub { (http_get('/probe', port => $port))[0] == 200 }, 40),
   'ready') or diag((http_get('/probe', port => $port))[2] . $nginx->log);

my ($status, undef, $der) = http_get('/ca/devices.cer', port => $port);
is($status, 200, 'the file for the profile "Trusted certificate"');
my $ca = work_file('devices.pem', openssl('x509', '-inform', 'DER',
                                          { in => $der }));

my ($https) = command('curl', '-sf', '--cacert', "$etc/server.pem",
                      "https://localhost:$tls/certsrv/mscep/mscep.dll/"
                      . 'pkiclient.exe?operation=GetCACaps&message=default');
is($https, 0, 'what Windows asks first, by TLS');

# one device of Intune, and what it has in its profile

my $guid = '0a1b2c3d-1111-4222-8333-444455556666';
my $n = 0;
my @issuer = ();

my $ask = sub {
    my ($order, %tampered) = @_;
    @issuer = scep_recipient('devices') if !@issuer;
    my $cert = work_file('cert' . ++$n . '.pem', '');
    my $m = scep_make(ca => $issuer[0], issuer => $issuer[1],
                      txn => "device-$n", key_usage => '05a0',
                      eku => '1.3.6.1.5.5.7.3.2', %$order, %tampered);
    my ($status, $headers, $body) = http_post(
        '/certsrv/mscep/mscep.dll/pkiclient.exe?operation=PKIOperation',
        $m->{der}, port => $plain, timeout => 30);
    my $r = $status == 200 ? scep_open($m, $body, cert => $cert) : {};
    return { http => $status, %$r, cert => $cert };
};

my $order = sub {
    my ($subject, @sans) = @_;
    return { subject => $subject, san => \@sans, challenge => azure_challenge(
        subject => $subject, sans => \@sans, key_length => 2048,
        key_usage => [qw( digitalSignature keyEncipherment )],
        eku => ['1.3.6.1.5.5.7.3.2']) };
};

my $line = sub {
    my @line;
    wait_until(sub {
        @line = grep { /"device-$n"/ } split /\n/,
                slurp($nginx->prefix . '/logs/pki.log');
        @line == 1;
    });
    return JSON::PP::decode_json($line[0] // '{}');
};

my $uri = "URI:IntuneDeviceId://$guid";
my $r = $ask->($order->("CN=$guid", $uri));
is(scep_brief($r), 'SUCCESS', 'a device enrols') or diag($nginx->log);
my $text = openssl('x509', '-in', $r->{cert}, '-noout', '-text');
like($text, qr/Subject: CN = $guid$/m, 'its name');
like($text, qr/URI:IntuneDeviceId:\/\/$guid/, 'and its id');
like($text, qr/1\.2\.840\.113556\.1\.5\.284\.2/, 'also for Entra');
my $device = $line->();
is($device->{scep_challenge_by}, 'intune', 'Intune vouched for it');
is($device->{device}, $guid, 'the device is in the log');
is($device->{serial}, serial_of($r->{cert}), 'and the serial number');
my %record = @{ redis_cmd('HGETALL', 'pki:{devices}:cert:'
                                     . $device->{serial}) };
is($record{device}, $guid, 'in the record, too');
is(scalar @{ azure_intune()->{succeeded} }, 1, 'Intune was told');

my ($ocsp) = openssl('x509', '-in', $r->{cert}, '-noout', '-ocsp_uri')
             =~ /(\S+)/;
my @status = (url => $ocsp, ca => $ca, cert => $r->{cert});
is({ocsp_ask(@status)}->{status}, 'good', 'good');

my $user = $ask->($order->("CN=Anna", 'UPN:anna@contoso.example',
                           'email:anna@contoso.example'));
is(scep_brief($user), 'SUCCESS', 'a user enrols');
%record = @{ redis_cmd('HGETALL', 'pki:{devices}:cert:'
                                  . serial_of($user->{cert})) };
is($record{user}, 'anna@contoso.example', 'recorded as such');

for (['a tampered subject', 'SubjectNameMismatch', 'wrong',
      subject => 'CN=administrator'],
     ['a tampered name', 'SubjectAltNameMismatch', 'wrong',
      san => 'UPN:admin@contoso.example'])
{
    my ($what, $said, $result, @tampered) = @$_;
    my $r = $ask->($order->("CN=$guid", $uri), @tampered);
    is(scep_brief($r), 'FAILURE badRequest', $what);
    my $line = $line->();
    is($line->{scep_challenge_code}, $said, "$said, in the log");
    is($line->{scep_challenge_result}, $result, $result);
}

$r = $ask->($order->('CN=x', 'UPN:anna@elsewhere.example'));
is(scep_brief($r), 'FAILURE badRequest',
   'what Intune orders, but the profile does not allow');
like($nginx->log, qr/certificate refused: .*elsewhere/, 'the log says so');
ok(wait_until(sub { @{ azure_intune()->{failed} } == 1 }, 10),
   'Intune is told of it');

# the identifier that Intune does not look at

my $sid = '1.3.6.1.4.1.311.25.2:-:303fa03d060a2b060104018237190201a02f042d'
          . unpack 'H*', 'S-1-5-21-1004336348-1177238915-682003330-1104';
$r = $ask->($order->("CN=$guid", $uri), extension => $sid);
is(scep_brief($r), 'SUCCESS', 'an extension that nobody ordered');
unlike(openssl('x509', '-in', $r->{cert}, '-noout', '-text'), qr/311\.25\.2/,
       'is left out');

azure_revoke(serial => $device->{serial},
             issuer => openssl('x509', '-in', $ca, '-noout', '-subject',
                               '-nameopt', 'RFC2253') =~ s/^subject=|\n//gr);
my %ocsp;
ok(wait_until(sub {
    %ocsp = ocsp_ask(@status);
    return $ocsp{status} eq 'revoked';
}, 45), 'revoked in Intune: revoked');
ok(wait_until(sub { @{ azure_intune()->{results} } == 1 }, 10),
   'Intune is told of that');
is_deeply(azure_intune()->{violations}, [], 'it found nothing wrong');

my $log = $nginx->log . slurp($nginx->prefix . '/logs/pki.log');
unlike($log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
unlike($log, qr{[A-Za-z0-9+/]{200}}, 'no challenge in the logs');
ok($nginx->stop, 'ends well');



=== TEST 2: sid request: Intune compares the URI, so it takes the URI
--- config
location = /probe { pki_probe; }
location /sid { scep demo; scep_profile sid; scep_challenge intune; }
--- perl
intune_ready();
my $account = 'S-1-5-21-1004336348-1177238915-682003330-1104';
my $uri = "URI:tag:microsoft.com,2022-09-14:sid:$account";
my $extension = sub {
    return '1.3.6.1.4.1.311.25.2:-:303fa03d060a2b060104018237190201a02f042d'
           . unpack 'H*', $_[0];
};
my $text = sub {
    my ($what, $r) = @_;
    is(scep_brief($r), 'SUCCESS', $what);
    return openssl('x509', '-in', $r->{cert}, '-noout', '-text');
};

my $said = $text->('an extension alone',
                   intune_ask('/sid', intune_order(),
                              extension => $extension->($account)));
unlike($said, qr/311\.25\.2|S-1-5-21/, 'is left out');
like(error_log(), qr/requested security identifier left out/, 'the log tells');

$said = $text->('a URI that Intune has ordered',
                intune_ask('/sid', intune_order(san => [$uri])));
like($said, qr/sid:\Q$account\E/, 'is copied');

$said = $text->('both', intune_ask('/sid', intune_order(san => [$uri]),
                                   extension => $extension->($account)));
like($said, qr/sid:\Q$account\E/, 'are copied');
like($said, qr/311\.25\.2/, 'both');

my $r = intune_ask('/sid', intune_order(san => [$uri]), extension =>
                   $extension->($account =~ s/1104$/1105/r));
is(scep_brief($r), 'FAILURE badRequest', 'two accounts');
intune_obeyed();
