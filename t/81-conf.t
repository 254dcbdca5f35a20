# The configurations in conf/, as they are but for paths and ports.  demo.conf
# and run.sh are run by 80-demo.t, intune.conf by 82-conf-intune.t.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Azure;
use PKI::OCSP;
use PKI::Nginx;

use Encode qw( decode );

our $work = work_dir();
our %tested = map { $_ => 1 } qw( demo.conf log-format.conf redis.conf
                                  static-challenge.conf
                                  crl-shards.conf roll-over.conf
                                  keyvault-managed-identity.conf
                                  keyvault-workload-identity.conf
                                  jamf.conf workspace-one.conf
                                  mosyle-kandji.conf intune.conf );

sub curl {
    my ($port, $uri, @words) = @_;

    my ($code, $out) = command('curl', '-s', '-m', 10, '--cacert',
                               "$work/tls.pem", '-w', '\n%{http_code}',
                               @words, "https://localhost:$port$uri");
    my ($body, $status) = $out =~ /\A(.*)\n(\d+)\z/s;
    return ($status, $body);
}

sub tls_certificate {
    my ($name, $subject) = @_;

    my $key = new_key('ec:P-256');
    openssl('x509', '-req', '-in', new_csr(key => $key, subject => $subject),
            '-CA', "$work/tls.pem", '-CAkey', "$work/tls.key",
            '-set_serial', int rand 1e9, '-days', 9, '-extfile',
            work_file("$name.ext", "subjectAltName=DNS:localhost\n"),
            '-out', "$work/$name.pem");
    rename $key, "$work/$name.key" or die $!;
}

no_shuffle();
run_tests();

__DATA__

=== TEST 1: redis.conf: what is acknowledged is not forgotten
--- config
--- perl
my $redis = PKI::Redis->new(config => 'conf/redis.conf');
my %wanted = ('appendonly' => 'yes', 'appendfsync' => 'always', 'save' => '',
              'maxmemory-policy' => 'noeviction',
              'no-appendfsync-on-rewrite' => 'no');

for (sort keys %wanted) {
    is($redis->command('CONFIG', 'GET', $_)->[1], $wanted{$_}, $_);
}

my $nginx = PKI::Nginx->new(
    http => 'pki_redis ' . $redis->url . ";\n"
            . authority('demo', key => 'ec:P-256'),
    server => 'location = /probe { pki_probe; }
               location = /enroll { enroll demo; enroll_auth none insecure; }
               location = /ocsp { ocsp_responder demo; }')->start;
my $up = sub { (http_get('/probe', port => $nginx->port))[0] == 200 };
ok(wait_until($up, 20), 'ready');
my $key = new_key('ec:P-256');

for my $time (1 .. 3) {
    my ($status, undef, $cert) = http_post(
        '/enroll', slurp(new_csr(key => $key, subject => "/CN=c$time")),
        port => $nginx->port);
    $redis->kill;
    is($status, 201, 'issued');
    my $serial = serial_of(work_file('cert.pem', $cert));
    $redis->start;
    is($redis->command('HGET', "pki:{demo}:cert:$serial", 'status'), 'good',
       'killed at once: it knows the certificate');
    ok(wait_until($up, 20), 'ready again');
}

$redis->command('CONFIG', 'SET', 'maxmemory', '1mb');
my ($status) = http_post('/enroll', slurp(new_csr(key => $key)),
                         port => $nginx->port);
is($status, 503, 'memory is full: nothing is issued');
is({ocsp_ask(url => 'http://127.0.0.1:' . $nginx->port . '/ocsp',
             ca => work_file('demo.pem'),
             cert => work_file('cert.pem'))}->{status}, 'good',
   'OCSP goes on');
$redis->command('CONFIG', 'SET', 'maxmemory', '0');
($status) = http_post('/enroll', slurp(new_csr(key => $key)),
                      port => $nginx->port);
is($status, 201, 'and so does the rest, once there is memory');
ok($nginx->stop, 'ends well');



=== TEST 2: static-challenge.conf
--- config
--- perl
my ($etc, $lib) = ("$::work/etc", "$::work/lib");
mkdir $_ for $etc, $lib;
work_file('etc/challenge', "open sesame\n");
work_file('etc/log-format.conf', slurp('conf/log-format.conf'));

openssl('req', '-new', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-keyout', "$::work/tls.key",
        '-days', 9, '-subj', '/CN=tls', '-out', "$::work/tls.pem");
tls_certificate('etc/server', '/CN=localhost');
tls_certificate('alice', '/O=Contoso/CN=alice');
tls_certificate('helpdesk', '/O=Contoso/CN=helpdesk');
tls_certificate('mallory', '/O=Contoso/CN=mallory');
work_file('etc/admins.pem', slurp("$::work/tls.pem"));

my $redis = PKI::Redis->new(config => 'conf/redis.conf');
my $tls_port = free_port();
my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';

my $nginx = PKI::Nginx->new(file => 'conf/static-challenge.conf', edit => sub {
    my $change = sub {
        my ($from, $to) = @_;
        ok(s/$from/$to/g, "has $from");
    };
    $change->(qr/^load_module \S+;\n/m, $modules);
    $change->(qr/^user\s+\S+;/m, $> == 0 ? 'user root;' : '');
    $change->(qr{/etc/nginx/pki}, $etc);
    $change->(qr{/var/lib/nginx/pki}, $lib);
    $change->(qr{/var/log/nginx}, 'logs');
    $change->(qr{/run/nginx\.pid}, 'logs/nginx.pid');
    $change->(qr/worker_processes auto/, 'worker_processes 2');
    $change->(qr/redis:\S+:6379/, $redis->url);
    $change->(qr/listen +80 /, 'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT ');
    $change->(qr/listen +443 /, "listen 127.0.0.1:$tls_port ");
    $change->(qr{http://pki\.contoso\.example},
              'http://127.0.0.1:$TEST_NGINX_SERVER_PORT');
    s/^http \{/http {\nclient_body_temp_path temp;\nproxy_temp_path temp;\n/m;
});

my ($code, $said) = $nginx->test;
is($code, 0, 'nginx -t') or diag($said);
unlike($said, qr/\[warn\]/, 'without a warning') or diag($said);

$nginx->start;
my $port = $nginx->port;
my $url = "http://127.0.0.1:$port";
ok(wait_until(sub { (http_get('/probe', port => $port))[0] == 200 }, 30),
   'ready') or diag($nginx->said . $nginx->log);

my $ca = "$lib/devices.pem";
my $key = new_key('rsa:2048');
my $cert = scep_enroll(url => "$url/scep", key => $key, ca => $ca,
                       subject => 'O=Evil, CN=laptop-1',
                       san => 'laptop-1.devices.contoso.example',
                       password => 'open sesame');
ok(defined $cert, 'a device enrols');
is(openssl('x509', '-in', $cert, '-noout', '-subject', '-nameopt', 'RFC2253'),
   "subject=CN=laptop-1,OU=Devices,O=Contoso\n", 'with the name of the profile');
ok(!defined scep_enroll(url => "$url/scep", key => $key, ca => $ca,
                        subject => 'CN=laptop-2', password => 'wrong'),
   'not with another secret');
ok(!defined scep_enroll(url => "$url/scep", key => $key, ca => $ca,
                        subject => 'CN=laptop-2', password => 'open sesame',
                        san => 'www.contoso.example'),
   'nor with another name');

my ($ocsp) = openssl('x509', '-in', $cert, '-noout', '-ocsp_uri') =~ /(\S+)/;
is({ocsp_ask(url => $ocsp, ca => $ca, cert => $cert)}->{status}, 'good',
   'good, asked where the certificate says');

my @alice = ('--cert', "$::work/alice.pem", '--key', "$::work/alice.key");
my @helpdesk = ('--cert', "$::work/helpdesk.pem",
                '--key', "$::work/helpdesk.key");
my @mallory = ('--cert', "$::work/mallory.pem", '--key',
               "$::work/mallory.key");
my $list = '/certificates/api/certificates';
my $serial = serial_of($cert);

is((curl($tls_port, $list))[0], 400, 'no client certificate');
is((curl($tls_port, $list, @mallory))[0], 403, 'somebody without a role');
like((curl($tls_port, $list, @helpdesk))[1], qr/"$serial"/,
     'the helpdesk sees it');

my $csr = slurp(new_csr(key => $key)) =~ s/\n/\\n/gr;
is((curl($tls_port, $list, @helpdesk, '-H', 'Content-Type: application/json',
         '-d', "{\"csr\":\"$csr\"}"))[0], 403, 'but does not issue');
is((curl($tls_port, "$list/$serial/revoke", @helpdesk, '-H',
         'Content-Type: application/json', '-d', '{"reason":"superseded"}'))[0],
   200, 'and revokes');
is({ocsp_ask(url => $ocsp, ca => $ca, cert => $cert)}->{status}, 'revoked',
   'revoked');
is((curl($tls_port, $list, @alice, '-H', 'Content-Type: application/json',
         '-d', "{\"csr\":\"$csr\",\"profile\":\"server\"}"))[0], 201,
   'an administrator issues');

for ('/certificates/api/certificates', '/', '/scep/../certificates/') {
    is((http_get($_, port => $port))[0], 404, "nothing of it on port 80: $_");
}

my @status = map {
    (http_get('/scep?operation=GetCACaps', port => $port))[0]
} 1 .. 120;
ok(scalar(grep { $_ == 429 } @status), 'who asks too often is told so');
is((http_get('/ca/devices.cer', port => $port))[0], 200, 'others are not');

my $log = slurp($nginx->prefix . '/logs/pki.log');
my ($line) = grep { /"SUCCESS"/ } split /\n/, $log;
my $json = eval { JSON::PP::decode_json($line) };
is($json->{serial}, $serial, 'the access log has the serial number');
is($json->{scep_challenge_result}, 'accepted', 'and what became of the secret');
unlike($log . $nginx->log, qr/sesame/, 'no secret in the logs');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
ok($nginx->stop, 'ends well');



=== TEST 3: keyvault-*.conf: on a virtual machine, in a container
--- config
--- perl
start_azure();
azure_stock(key_size => 4096);
my $redis = PKI::Redis->new;
my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';

my $run = sub {
    my ($file, %change) = @_;

    my $etc = "$::work/etc-$file";
    my $lib = "$::work/lib-$file";
    mkdir $_ for $etc, $lib;
    chmod 0777, $lib;
    work_file("etc-$file/challenge", "open sesame\n");
    work_file("etc-$file/log-format.conf", slurp('conf/log-format.conf'));

    my $nginx = PKI::Nginx->new(file => "conf/$file", edit => sub {
        my $change = sub {
            my ($from, $to) = @_;
            ok(s/$from/$to/g, "$file has $from");
        };
        $change->(qr/^load_module \S+;\n/m, $modules);
        $change->(qr{/etc/nginx/pki}, $etc);
        $change->(qr/resolver \S+/, 'resolver 127.0.0.1:'
                                    . $ENV{TEST_NGINX_AZURE_DNS_PORT});
        $change->(qr{https://contoso\.vault\.azure\.net},
                  "https://$ENV{TEST_NGINX_AZURE_VAULT}");
        $change->(qr{http://pki\.contoso\.example},
                  'http://127.0.0.1:$TEST_NGINX_SERVER_PORT');
        $change->(qr/pki_redis \S+/, 'pki_redis ' . $redis->url . ';');
        for my $from (sort keys %change) { $change->($from, $change{$from}) }
        s/^http \{/http {\npki_trusted_certificate
                       $ENV{TEST_NGINX_AZURE_CA};\n/m;
    });

    my ($code, $said) = $nginx->test;
    is($code, 0, "$file: nginx -t") or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning') or diag($said);

    $nginx->start;
    ok(wait_until(sub { (http_get('/probe', port => $nginx->port))[0] == 200 },
                  30),
       'ready') or diag((http_get('/probe', port => $nginx->port))[2]);

    my $ca = work_file("$file.ca", (http_get('/ca/devices.cer',
                                             port => $nginx->port))[2]);
    openssl('x509', '-in', $ca, '-out', "$ca.pem");
    my $cert = scep_enroll(url => 'http://127.0.0.1:' . $nginx->port . '/scep',
                           key => new_key('rsa:2048'), ca => "$ca.pem",
                           ra => 1, error => \my $error,
                           subject => 'CN=laptop-1', password => 'open sesame');
    ok(defined $cert, 'a device enrols') or diag($error);
    unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
    ok($nginx->stop, 'ends well');
};

$run->('keyvault-managed-identity.conf',
       '(?m)^user\s+\S+;' => $> == 0 ? 'user root;' : '',
       '/var/lib/nginx/pki' => "$::work/lib-keyvault-managed-identity.conf",
       '/var/log/nginx/' => 'logs/', '/run/nginx\.pid' => 'logs/nginx.pid',
       'listen +80 ' => 'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT ',
       'managed_identity;' => 'managed_identity endpoint=http://127.0.0.1:'
                              . "$ENV{TEST_NGINX_AZURE_HTTP_PORT};");
$redis->command('FLUSHALL');
azure_forget();

local %ENV = (%ENV, AZURE_TENANT_ID => $ENV{TEST_NGINX_AZURE_TENANT},
              AZURE_CLIENT_ID => $ENV{TEST_NGINX_AZURE_CLIENT},
              AZURE_AUTHORITY_HOST => $ENV{TEST_NGINX_AZURE_LOGIN},
              AZURE_FEDERATED_TOKEN_FILE =>
                  "$ENV{TEST_NGINX_AZURE_DIR}/federated.token");

$run->('keyvault-workload-identity.conf',
       '(?m)^worker_processes' => ($> == 0 ? 'user root; ' : '')
                                  . 'worker_processes',
       '/tmp/nginx.pid' => 'logs/nginx.pid',
       '/tmp/(?=body|proxy|fastcgi|uwsgi|scgi|devices)' =>
           "$::work/lib-keyvault-workload-identity.conf/",
       'error_log +stderr' => 'error_log logs/error.log',
       '/dev/stdout' => 'logs/access.log',
       'listen 8080' => 'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT');



=== TEST 4: crl-shards.conf
--- config
--- perl
my ($etc, $lib) = ("$::work/etc-shards", "$::work/lib-shards");
mkdir $_ for $etc, $lib;
work_file('etc-shards/challenge', "open sesame\n");
work_file('etc-shards/htpasswd', "admin:{PLAIN}secret\n");

my $redis = PKI::Redis->new(config => 'conf/redis.conf');
my $admin_port = free_port();
my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';

my $nginx = PKI::Nginx->new(file => 'conf/crl-shards.conf', edit => sub {
    my $change = sub {
        my ($from, $to) = @_;
        ok(s/$from/$to/g, "has $from");
    };
    $change->(qr/^load_module \S+;\n/m, $modules);
    $change->(qr/^user\s+\S+;/m, $> == 0 ? 'user root;' : '');
    $change->(qr{/etc/nginx/pki}, $etc);
    $change->(qr{/var/lib/nginx/pki}, $lib);
    $change->(qr{/var/log/nginx}, 'logs');
    $change->(qr{/run/nginx\.pid}, 'logs/nginx.pid');
    $change->(qr/worker_processes auto/, 'worker_processes 2');
    $change->(qr/redis:\S+:6379/, $redis->url);
    $change->(qr/listen +80 /, 'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT ');
    $change->(qr/127\.0\.0\.1:8081/, "127.0.0.1:$admin_port");
    $change->(qr{http://pki\.contoso\.example},
              'http://127.0.0.1:$TEST_NGINX_SERVER_PORT');
    s/^http \{/http {\nclient_body_temp_path temp;\nproxy_temp_path temp;\n/m;
});

my ($code, $said) = $nginx->test;
is($code, 0, 'nginx -t') or diag($said);
unlike($said, qr/\[warn\]/, 'without a warning') or diag($said);

$nginx->start;
my $port = $nginx->port;
my $url = "http://127.0.0.1:$port";
ok(wait_until(sub {
    (http_get('/probe', port => $admin_port))[0] == 200
}, 30), 'ready') or diag($nginx->said . $nginx->log);

my $ca = "$lib/devices.pem";
my $cert = scep_enroll(url => "$url/scep", key => new_key('rsa:2048'),
                       ca => $ca, subject => 'O=Contoso, CN=laptop-1',
                       password => 'open sesame');
ok(defined $cert, 'a device enrols');

ocsp_defaults(ca => $ca);

my $crl_url = qr{\Q$url\E(/crl/devices-[0-7][0-9a-f]\.crl)\n};
my ($point) = openssl('x509', '-in', $cert, '-noout', '-text') =~ /URI:$crl_url/;
ok($point, 'its certificate names a shard');

my @verify = ('openssl', 'verify', '-crl_check', '-crl_download', '-CAfile',
              $ca, $cert);
ok(wait_until(sub { (command(@verify))[0] == 0 }, 30), 'where it is good');

my $serial = serial_of($cert);
my ($status) = http('POST', "/certificates/api/certificates/$serial/revoke",
    port => $admin_port, body => '{"reason":"keyCompromise"}',
    headers => { 'Content-Type' => 'application/json',
                 'Authorization' => basic_auth('admin:secret') });
is($status, 200, 'it is revoked');
my $now = Time::HiRes::time();
ok(wait_until(sub {
    my ($code, $out, $err) = command(@verify);
    return $code != 0 && "$out$err" =~ /certificate revoked/;
}), 'where it is revoked then');
ok(Time::HiRes::time() - $now < 2.5, 'at once');

for my $uri ('/crl/devices.crl', '/crl/devices-delta.crl') {
    my $crl;
    ok(wait_until(sub {
        $crl = crl_fetch($uri, $ca, port => $port);
        return $crl && ($uri =~ /delta/ || grep {
            $_->{serial} eq serial_octets($cert)
        } @{ $crl->{entries} });
    }, 30), $uri);
    is($crl->{verified}, 1, 'signed');
}

is((http_get("/crl/devices-$_.crl", port => $port))[0], 404, "no shard $_")
    for qw( 80 fff zz );
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
ok($nginx->stop, 'ends well');



=== TEST 5: roll-over.conf, step by step
--- config
--- perl
my ($etc, $lib) = ("$::work/etc-roll", "$::work/lib-roll");
mkdir $_ for $etc, $lib;
work_file('etc-roll/challenge', "open sesame\n");

my $redis = PKI::Redis->new(config => 'conf/redis.conf');
my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';
my $step = 0;

my @conf = (file => 'conf/roll-over.conf', edit => sub {
    my $change = sub {
        my ($from, $to) = @_;
        ok(s/$from/$to/g, "has $from");
    };
    $change->(qr/^load_module \S+;\n/m, $modules);
    $change->(qr/^user\s+\S+;/m, $> == 0 ? 'user root;' : '');
    $change->(qr{/etc/nginx/pki}, $etc);
    $change->(qr{/var/lib/nginx/pki}, $lib);
    $change->(qr{/var/log/nginx}, 'logs');
    $change->(qr{/run/nginx\.pid}, 'logs/nginx.pid');
    $change->(qr/worker_processes auto/, 'worker_processes 2');
    $change->(qr/redis:\S+:6379/, $redis->url);
    $change->(qr/listen +80 /, 'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT ');
    $change->(qr{http://pki\.contoso\.example},
              'http://127.0.0.1:$TEST_NGINX_SERVER_PORT');
    s/^http \{/http {\nclient_body_temp_path temp;\nproxy_temp_path temp;\n/m;

    # before, as the file is, after the switch, and at the end

    my $second = qr/    pki_authority devices-2 \{.*?\n    \}\n\n/s;
    $change->($second, '') if $step == 0;
    $change->(qr/    pki_authority devices \{.*?\n    \}\n\n/s, '')
        if $step == 4;
    $change->(qr/ +previous +devices;\n/, '') if $step == 4;
    $change->(qr/scep +devices; +# step 3: devices-2/, 'scep devices-2;')
        if $step > 2;
    s/devices devices-2;/devices;/, s/ +location .*devices-2; \}\n//g
        if $step == 0;
    s/devices devices-2;/devices-2;/, s/ +location .* devices; \}\n//g
        if $step == 4;
});

my $nginx = PKI::Nginx->new(@conf);
my ($port, $n, %cert) = ($nginx->port, 0);
my $url = "http://127.0.0.1:$port";
my ($ca, $ca2) = ("$lib/devices.pem", "$lib/devices-2.pem");

my $up = sub {
    my ($code, $said) = $nginx->test;
    is($code, 0, "step $step: nginx -t") or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning') or diag($said);
    $nginx->pid ? $nginx->reload : $nginx->start;
    ok(wait_ready(sub { (http_get('/probe', port => $port))[0] == 200 }, 30),
       'ready') or diag($nginx->said . $nginx->log);
};

my $enrol = sub {
    my ($name, $for) = @_;
    $cert{$name} = scep_enroll(
        url => "$url/scep", key => new_key('rsa:2048'), ca => $for,
        subject => "CN=$name", password => 'open sesame', error => \my $error);
    ok(defined $cert{$name}, "$name enrols") or diag($error);
    my ($code) = command('openssl', 'verify', '-CAfile', $for, $cert{$name});
    is($code, 0, 'by ' . $for =~ s{.*/}{}r);
};

my $asks = sub {
    my ($name, $issuer) = @_;
    my ($ocsp) = openssl('x509', '-in', $cert{$name}, '-noout', '-ocsp_uri')
                 =~ /(\S+)/;
    is({ocsp_ask(url => $ocsp, ca => $issuer, cert => $cert{$name})}->{status},
       'good', "OCSP of $name");
    my @crl = ('openssl', 'verify', '-crl_check', '-crl_download', '-CAfile',
               $issuer, $cert{$name});
    ok(wait_until(sub { (command(@crl))[0] == 0 }, 30), 'and its CRL');
};

my $get = '/scep?operation=GetNextCACert';

$up->();
is((http_get($get, port => $port))[0], 404, 'nobody follows');
$enrol->('one', $ca);

$step = 1;
$nginx->configure(@conf);
$up->();
my ($status, undef, $pem) = http_get("$get&format=pem", port => $port);
is($status, 200, 'step 2: the next one');
my ($sha) = openssl('x509', '-noout', '-fingerprint', '-sha256',
                    { in => $pem }) =~ /=(\S+)/;
$sha = lc $sha =~ tr/://dr;
like((http_get('/probe', port => $port))[2],
     qr/^certificate devices-2: sha256 $sha,/m, 'as the probe has it');
is($pem, slurp($ca2), 'and the file');
($status, undef, my $signed) = http_get($get, port => $port);
is($status, 200, 'for devices: signed');
is((command('openssl', 'cms', '-verify', '-inform', 'DER', '-CAfile', $ca,
            '-purpose', 'any', '-binary', { in => $signed }))[0], 0,
   'by the current one');
$enrol->('two', $ca);
$enrol->('early', $ca2);

$step = 3;
$nginx->configure(@conf);
$up->();
$enrol->('three', $ca2);
$asks->('one', $ca);
$asks->('three', $ca2);

$step = 4;
$nginx->configure(@conf);
$up->();
$asks->('early', $ca2);
$enrol->('four', $ca2);
is((http_get($get, port => $port))[0], 404, 'nobody follows');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
ok($nginx->stop, 'ends well');



=== TEST 6: jamf.conf, workspace-one.conf, mosyle-kandji.conf
--- config
--- perl
my $redis = PKI::Redis->new(config => 'conf/redis.conf');
my $modules = join '', map { "load_module $_;\n" }
              split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';

openssl('req', '-new', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-keyout', "$::work/tls.key",
        '-days', 9, '-subj', '/CN=tls', '-out', "$::work/tls.pem")
    if !-f "$::work/tls.pem";

my ($nginx, $tls, $url, $ca);
my $key = new_key('rsa:2048');

# As the file is, and SCEP also without TLS, for strongSwan

my $run = sub {
    my ($name, $user) = @_;

    my ($etc, $lib) = map { "$::work/$_-$name" } qw( etc lib );
    mkdir $_ for $etc, $lib;
    tls_certificate("etc-$name/server", '/CN=localhost');
    work_file("etc-$name/log-format.conf", slurp('conf/log-format.conf'));
    work_file("etc-$name/htpasswd", "$user:{PLAIN}open sesame\n");
    work_file("etc-$name/challenge$_", "static sesame$_\n")
        for '', '.mosyle', '.kandji';

    $redis->command('FLUSHALL');
    $tls = free_port();
    my $plain = free_port();

    $nginx = PKI::Nginx->new(file => "conf/$name.conf", edit => sub {
        my $change = sub {
            my ($from, $to) = @_;
            ok(s/$from/$to/g, "$name has $from");
        };
        $change->(qr/^load_module \S+;\n/m, $modules);
        $change->(qr/^user\s+\S+;/m, $> == 0 ? 'user root;' : '');
        $change->(qr{/etc/nginx/pki}, $etc);
        $change->(qr{/var/lib/nginx/pki}, $lib);
        $change->(qr{/var/log/nginx}, 'logs');
        $change->(qr{/run/nginx\.pid}, 'logs/nginx.pid');
        $change->(qr/worker_processes auto/, 'worker_processes 2');
        $change->(qr/redis:\S+:6379/, $redis->url);
        $change->(qr/listen +80 /,
                  'listen 127.0.0.1:$TEST_NGINX_SERVER_PORT ');
        $change->(qr/listen +443 ssl default_server/,
                  "listen 127.0.0.1:$plain; listen 127.0.0.1:$tls ssl");
        $change->(qr{base_url +http://pki\.contoso\.example},
                  'base_url http://127.0.0.1:$TEST_NGINX_SERVER_PORT');
        s/^http \{/http {\nclient_body_temp_path temp;\nproxy_temp_path temp;\n/m;
    });

    my ($code, $said) = $nginx->test;
    is($code, 0, "$name: nginx -t") or diag($said);
    unlike($said, qr/\[warn\]/, 'without a warning') or diag($said);

    $nginx->start;
    $url = "http://127.0.0.1:$plain";
    $ca = "$lib/devices.pem";
    ok(wait_until(sub {
        (http_get('/probe', port => $nginx->port))[0] == 200
    }, 30), 'ready') or diag($nginx->said . $nginx->log);
};

my $enrol = sub {
    my ($uri, $password, $subject, %o) = @_;
    return scep_enroll(url => "$url$uri", ca => $ca, key => $key,
                       subject => $subject, password => $password, %o);
};

my $end = sub {
    my @secrets = @_;
    my $log = $nginx->log . slurp($nginx->prefix . '/logs/pki.log');
    ok(index($log, $_) < 0, 'no secret in the logs') for @secrets;
    unlike($log, qr/\[(?:alert|crit|emerg)\]/, 'no trouble');
    ok($nginx->stop, 'ends well');
};

my $page = sub {
    my ($uri, @user) = @_;
    my ($status, $body) = curl($tls, $uri, @user);
    return $status if $status != 200;
    my $text = decode('UTF-16', $body);
    return ($text =~ /The enrollment challenge password is: <B> (\S*)/i)[0];
};

$run->('jamf', 'jamf');
my @jamf = ('-u', 'jamf:open sesame');
my $event = '{"webhook":{"webhookEvent":"SCEPChallenge"},"event":{}}';
is((curl($tls, '/jamf/challenge', '-d', $event))[0], 401, 'nobody');
my ($status, $secret) = curl($tls, '/jamf/challenge', @jamf, '-d', $event);
is($status, 200, 'Jamf');
my $subject = 'CN=9F-1, OU=computers, CN=12';
ok(!defined $enrol->('/jamf', $secret, 'CN=laptop'), 'not for any name');
my $cert = $enrol->('/jamf', $secret, $subject);
ok(defined $cert, 'a computer');
ok(!defined $enrol->('/jamf', $secret, $subject, key => new_key()), 'once');
is($redis->command('HGET', 'pki:{devices}:cert:' . serial_of($cert), 'device'),
   'computers/12', 'it is known which');
my $second = $page->('/jamf/mscep_admin/', @jamf);
ok(defined $enrol->('/jamf', $second, 'CN=12, OU=users-on-devices, CN=9F-1',
                    san => 'a@contoso.example', key => new_key()),
   'a user, by the page of NDES');
$end->($secret, $second, 'open sesame');

$run->('workspace-one', 'uem');
my @uem = ('-u', 'uem:open sesame');
is($page->('/certsrv/mscep_admin/'), 401, 'nobody');
$secret = $page->('/certsrv/mscep_admin/', @uem);
is(length $secret, 32, 'as long as is typed there');
$subject = 'O=Contoso, OU=Devices, CN=AB12';
ok(!defined $enrol->('/static', $secret, $subject), 'not elsewhere');
my $scep = '/certsrv/mscep/mscep.dll';
ok(defined $enrol->($scep, $secret, $subject), 'a device');
ok(!defined $enrol->($scep, $secret, $subject, key => new_key()), 'once');
ok(!defined $enrol->($scep, 'static sesame', $subject, key => new_key()),
   'not by the secret of all');
for (1, 2) {
    ok(defined $enrol->('/static', 'static sesame', $subject,
                        key => new_key()), 'which is good where it belongs');
}
$end->($secret, 'open sesame', 'static sesame');

$run->('mosyle-kandji', 'nobody');
my %subject = (mosyle => 'O=Contoso, OU=Mosyle, CN=C02X1',
               kandji => 'O=Contoso, OU=Kandji, CN=C02X1, CN=9f-1');
for my $mdm (sort keys %subject) {
    for my $of (sort keys %subject) {
        my $got = $enrol->("/$mdm", "static sesame.$of", $subject{$mdm},
                           key => new_key());
        is(defined $got ? 1 : 0, $mdm eq $of ? 1 : 0, "secret of $of at $mdm");
    }
    ok(!defined $enrol->("/$mdm", "static sesame.$mdm", 'CN=www, O=Other',
                         key => new_key()), 'another name')
        if $mdm eq 'kandji';
    ok(!defined $enrol->("/$mdm", "static sesame.$mdm", 'CN=www.example',
                         key => new_key()), 'a strange name');
}
ok(defined $enrol->('/kandji', 'static sesame.kandji',
                    'CN=9f-1, O=Contoso, OU=Kandji, CN=C02X1',
                    key => new_key()), 'the other order of two names');
$end->('static sesame');



=== TEST 7: every configuration is run by a test
--- config
--- perl
my @untested = grep { !$::tested{$_} } map { s{.*/}{}r } glob 'conf/*.conf';
is("@untested", '', 'none is left out');
