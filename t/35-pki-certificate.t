# The certificate of an authority to download: DER, PEM, PKCS#7, with its
# chain; and what the AIA and CDP of an issued certificate lead to.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;

redis_start();

# an authority below a root that is elsewhere

openssl('req', '-new', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=root', '-days', 90,
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
        '-keyout', work_file('root.key'), '-out', work_file('root.pem'));
openssl('req', '-new', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=sub',
        '-keyout', work_file('sub.key'), '-out', work_file('sub.csr'));
openssl('x509', '-req', '-in', work_file('sub.csr'), '-days', 60,
        '-CA', work_file('root.pem'), '-CAkey', work_file('root.key'),
        '-CAcreateserial', '-out', work_file('sub.pem'), '-extfile',
        work_file('sub.ext', "basicConstraints=critical,CA:TRUE,pathlen:0\n"
                  . "keyUsage=critical,digitalSignature,keyCertSign,cRLSign\n"
                  . "subjectKeyIdentifier=hash\n"
                  . "authorityKeyIdentifier=keyid\n"));
chmod 0600, work_file('sub.key');

our $sub = work_dir();

http_config(authority('demo', key => 'ec:P-256'), <<"END");
pki_authority sub {
    subject     "CN=sub";
    key         file:$sub/sub.key;
    certificate $sub/sub.pem chain=$sub/root.pem;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END

our $locations = <<'END';
location = /probe       { pki_probe; }
location = /enroll      { enroll demo; enroll_auth none insecure; }
location = /enroll/sub  { enroll sub; enroll_auth none insecure; }
location /ocsp          { ocsp_responder demo sub; }
location = /crl/demo.crl { crl demo; }
location = /crl/sub.crl  { crl sub; }
location = /ca/demo.cer  { pki_certificate demo; }
location = /ca/sub.cer   { pki_certificate sub; }
location = /der         { pki_certificate sub der; }
location = /pem         { pki_certificate sub pem; }
location = /chain.pem   { pki_certificate sub pem chain; }
location = /p7c         { pki_certificate sub p7c; }
location = /chain.p7c   { pki_certificate sub p7c chain; }
END

sub der { return openssl('x509', '-in', work_file($_[0]), '-outform', 'DER') }

# The certificates of a PKCS#7, in DER.

sub bag {
    my ($p7c) = @_;

    my $pem = openssl('pkcs7', '-inform', 'DER', '-print_certs',
                      { in => $p7c });
    return map { openssl('x509', '-outform', 'DER', { in => $_ }) }
           $pem =~ /(-----BEGIN.*?END CERTIFICATE-----\n)/sg;
}

run_tests();

__DATA__

=== TEST 1: DER
--- config eval
$::locations
--- perl
for my $uri ('/ca/sub.cer', '/der') {
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, "$uri: found");
    is($headers->{'content-type'}, 'application/pkix-cert', 'its type');
    is($headers->{'content-length'}, length $body, 'its length');
    is($body, der('sub.pem'), 'octet by octet');
}

my (undef, undef, $body) = http_get('/ca/demo.cer');
is($body, der('demo.pem'), 'that of another authority');



=== TEST 2: PEM, with and without its chain
--- config eval
$::locations
--- perl
for ([ '/pem', 'sub.pem' ], [ '/chain.pem', 'sub.pem', 'root.pem' ]) {
    my ($uri, @files) = @$_;
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, "$uri: found");
    is($headers->{'content-type'}, 'application/x-pem-file', 'its type');

    my @certs = $body =~ /(-----BEGIN.*?END CERTIFICATE-----\n)/sg;
    is(join('', @certs), $body, 'nothing else');
    is(scalar @certs, scalar @files, 'as many');
    is(openssl('x509', '-outform', 'DER', { in => $certs[$_] }),
       der($files[$_]), $files[$_]) for 0 .. $#files;
    ok(!grep({ length > 64 } split /\n/, $body), 'lines of 64');
}



=== TEST 3: PKCS#7, with and without its chain
--- config eval
$::locations
--- perl
for ([ '/p7c', 'sub.pem' ], [ '/chain.p7c', 'sub.pem', 'root.pem' ]) {
    my ($uri, @files) = @$_;
    my ($status, $headers, $body) = http_get($uri);
    is($status, 200, "$uri: found");
    is($headers->{'content-type'}, 'application/pkcs7-mime', 'its type');

    my @certs = bag($body);
    is(scalar @certs, scalar @files, 'as many');
    is($certs[$_], der($files[$_]), $files[$_]) for 0 .. $#files;

    my ($code) = command('certtool', '--p7-info', '--inder',
                         { in => $body });
    is($code, 0, 'certtool reads it, too');
}



=== TEST 4: ETag, 304, HEAD, other methods
--- config eval
$::locations
--- perl
my %etags;

for my $uri ('/der', '/pem', '/chain.pem', '/p7c', '/chain.p7c') {
    my ($status, $headers, $body) = http_get($uri);
    my $etag = $headers->{etag};

    like($etag, qr/^"[0-9a-f]+"$/, "$uri: an ETag");
    ok(!$etags{$etag}++, 'its own');
    like($headers->{'cache-control'}, qr/^max-age=86400, public/, 'cached');
    like($headers->{$_}, qr/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/, $_)
        for qw( last-modified expires );

    ($status, my $same, my $none) =
        http_get($uri, headers => { 'If-None-Match' => $etag });
    is("$status$none", '304', 'not modified');
    is($same->{etag}, $etag, 'with its ETag');

    ($status, $same, $none) = http('HEAD', $uri);
    is("$status$none", '200', 'HEAD');
    is($same->{'content-length'}, length $body, 'its length');
}

my ($status, $headers) = http_post('/der', 'x');
is($status, 405, 'POST is refused');
is($headers->{allow}, 'GET, HEAD', 'what is allowed');



=== TEST 5: AIA and CDP of an issued certificate lead to what they promise
--- config eval
$::locations
--- perl
my $port = Test::Nginx::Util::server_port_for_client();

for my $name (qw( demo sub )) {
    my $ca = work_file("$name.pem");

    ocsp_ready('/ocsp', $name) or die 'not ready';

    my $cert = new_certificate("device of $name",
                               $name eq 'sub' ? '/enroll/sub' : '/enroll');
    my $issued = certificate($cert, $ca);
    my $base = "http://127.0.0.1:$port";

    is($issued->{verified}, 1, "$name: issued");
    is_deeply($issued->{ocsp}, [ "$base/ocsp" ], 'AIA: OCSP');
    is_deeply($issued->{issuers}, [ "$base/ca/$name.cer" ], 'AIA: issuer');
    is_deeply($issued->{crl}, [ "$base/crl/$name.crl" ], 'CDP');
    is($issued->{aki}, certificate($ca)->{ski}, 'AKI is the issuer\'s SKI');

    # the issuer

    (my $uri = $issued->{issuers}[0]) =~ s/^\Q$base//;
    my ($status, undef, $body) = http_get($uri);
    is($body, der("$name.pem"), 'the issuer is there');

    # OCSP

    my %ocsp = ocsp_ask(url => $issued->{ocsp}[0], ca => $ca, cert => $cert,
                        args => $name eq 'sub'
                                ? [ '-VAfile', $ca, '-partial_chain' ] : []);
    is($ocsp{status}, 'good', 'OCSP answers');

    my $r = ocsp_post('/ocsp', { ca => $ca, cert => $cert });
    is($r->{status}, 'good', 'good');
    is($r->{signer}{issuer_is_ca}, 1, 'by its issuer\'s responder')
        if $name eq 'sub';

    # the CRL

    my $crl = wait_until(sub { crl_fetch("/crl/$name.crl", $ca) });
    is($crl->{verified}, 1, 'the CRL is there, of its issuer');

    my $file = work_file("$name.crl", openssl('crl', '-inform', 'DER',
                                              { in => $crl->{der} }));
    my ($code, $out, $err) = command(
        'openssl', 'verify', '-crl_check', '-partial_chain', '-CRLfile',
        $file, '-trusted', $ca, $cert);
    is($code, 0, 'openssl verifies with it') or diag($out . $err);
}



=== TEST 6: openssl finds the CRL by itself
--- config eval
$::locations
--- perl
ocsp_ready() or die 'not ready';
wait_until(sub { crl_fetch('/crl/demo.crl') });
my $cert = new_certificate('download');
my ($code, $out, $err) = command(
    'openssl', 'verify', '-crl_download', '-crl_check',
    '-CAfile', work_file('demo.pem'), $cert);
is($code, 0, 'downloaded and verified') or diag($out . $err);



=== TEST 7: pki_certificate without an authority
--- config
location /ca { pki_certificate; }
--- must_die
--- error_log
invalid number of arguments in "pki_certificate" directive



=== TEST 8: pki_certificate of an authority that there is not
--- config
location /ca { pki_certificate nobody; }
--- must_die
--- error_log
nobody



=== TEST 9: pki_certificate in an unknown format
--- config
location /ca { pki_certificate demo jks; }
--- must_die
--- error_log
invalid parameter "jks" in "pki_certificate": "der", "pem", "p7c" or "chain" would be right



=== TEST 10: pki_certificate in two formats
--- config
location /ca { pki_certificate demo pem der; }
--- must_die
--- error_log
invalid parameter "der" in "pki_certificate": "chain" would be right



=== TEST 11: pki_certificate: a chain in DER
--- config
location /ca { pki_certificate demo der chain; }
--- must_die
--- error_log
"pki_certificate" directive has "chain", which needs "pem" or "p7c"



=== TEST 12: pki_certificate: a chain in the default format
--- config
location /ca { pki_certificate demo chain; }
--- must_die
--- error_log
"pki_certificate" directive has "chain", which needs "pem" or "p7c"



=== TEST 13: pki_certificate twice
--- config
location /ca { pki_certificate demo; pki_certificate demo pem; }
--- must_die
--- error_log
"pki_certificate" directive is duplicate



=== TEST 14: pki_certificate beside another content handler
--- config
location /ca { pki_certificate demo; crl demo; }
--- must_die
--- error_log
cannot share its location with another content handler



=== TEST 15: pki_certificate outside of locations
--- config
pki_certificate demo;
--- must_die
--- error_log
"pki_certificate" directive is not allowed here
