# pki_profile: each directive as seen in the certificates issued, what is
# refused, and how a wrong directive stops nginx.  SCEP's view of a refusal is
# in the suites of SCEP.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Nginx;
use PKI::Scep;

use Math::BigInt;

redis_start();

our $rsa = new_key('rsa:2048');
our $ec = new_key('ec:P-256');

our $sid = '1.3.6.1.4.1.311.25.2=ASN1:SEQUENCE:sid';

our %profiles = (
    short     => 'validity 90d; backdate 1h;',
    backdated => 'validity 3650d; backdate 30d;',
    now       => 'backdate 0;',
    usages    => 'key_usage digitalSignature nonRepudiation keyAgreement
                            dataEncipherment;
                  extended_key_usage codeSigning timeStamping pkInitKDC
                                     msSmartcardLogin
                                     1.3.6.1.4.1.99999.1;',
    agree     => 'key_usage keyAgreement;',
    cipher    => 'key_usage keyEncipherment;',
    asked     => 'key_usage requested; extended_key_usage requested;',
    template  => 'subject "CN=${cn},OU=Devices,O=Contoso";',
    address   => 'subject "CN=$cn,O=$o,OU=${ou},emailAddress=${email}";',
    fixed     => 'subject "CN=the one";
                  san dns:one.example ip:192.0.2.1 ip:2001:db8::1
                      email:a@one.example uri:https://one.example/
                      upn:a@one.example;',
    nameless  => 'san none;',
    big       => 'allow_key rsa:3072-4096;',
    curves    => 'allow_key ec:P-384,P-521 ed25519;',
    strict    => 'allow_subject "^CN=[a-z]+,O=Contoso$";
                  allow_subject "^CN=root$";',
    names     => 'allow_san dns "^[a-z]+\.contoso\.example$";
                  allow_san upn "@contoso\.example$";',
    wild      => 'allow_san dns "^(\*\.)?contoso\.example$";',
    kinds     => 'allow_san dns .; allow_san ip .; allow_san email .;
                  allow_san uri .; allow_san upn .;',
    carries   => 'copy_extension 1.3.6.1.4.1.99999.2;
                  copy_extension 1.3.6.1.4.1.99999.3;
                  extension 1.3.6.1.4.1.99999.4 0c026869;
                  extension 1.3.6.1.4.1.99999.5 0500 critical;',
    quiet     => 'sid off; distribution_point off;',
    code      => 'key_usage digitalSignature;
                  extended_key_usage codeSigning;',
    server    => 'validity 30d;',
);

http_config(authority('demo') . authority('brief', key => 'ec:P-256'));
http_config(join '', map { "pki_profile $_ { $profiles{$_} }\n" }
                     sort keys %profiles);

# "brief" lives for two days only

my $brief = new_key('ec:P-256');

openssl('req', '-new', '-x509', '-key', $brief, '-days', 2,
        '-subj', '/CN=brief', '-addext', 'basicConstraints=critical,CA:TRUE',
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
        '-out', work_file('brief.pem'));
rename $brief, work_file('brief.key') or die $!;

our $locations = join "\n", 'location = /probe { pki_probe; }', map {
    "location = /$_ { enroll demo; enroll_profile $_;
                      enroll_auth none insecure; }
     location = /brief/$_ { enroll brief; enroll_profile $_;
                            enroll_auth none insecure; }"
} qw( default device user ), sort keys %profiles;

$locations .= <<'END';
location = /scep { scep demo; scep_profile short; scep_renewal on within=0;
                   scep_challenge none insecure; }
END

our $n = 0;
our $last = '';

sub ready {
    wait_until(sub { (http_get('/probe'))[0] == 200 }) or diag('not ready');
}

# a request by "openssl req -subj", in UTF-8

sub request {
    my (%o) = @_;

    my $path = work_file('request' . ++$n);
    my @ext = @{ $o{extension} || [] };
    push @ext, "subjectAltName=$o{san}" if defined $o{san};

    my $config = join "\n", '[req]', 'distinguished_name=dn', '[dn]', '[ext]',
                 @ext, '';

    $config .= "[sid]\nother=EXPLICIT:0,SEQUENCE:value\n"
               . "[value]\noid=OID:1.3.6.1.4.1.311.25.2.1\n"
               . "octets=EXPLICIT:0,OCT:S-1-5-21-1-2-3-500\n"
               . "[account]\nDNS=a\nURI=tag:microsoft.com,2022-09-14:sid:"
               . "S-1-5-21-1-2-3-500\n";

    openssl('req', '-new', '-utf8', '-key', $o{key} || $ec,
            '-subj', $o{subject} // "/CN=c$n", '-out', $path,
            '-config', work_file('request.cnf', $config),
            @ext ? ('-reqexts', 'ext') : ());

    return $path;
}

# its certificate, and that as text; nothing if it is refused

sub issue {
    my ($profile, @request) = @_;

    my $csr = @request == 1 ? $request[0] : request(@request);
    my ($status, undef, $cert) = enroll("/$profile", $csr);

    if ($status != 201) {
        $last = "$status $cert";
        return;
    }

    my $text = openssl('x509', '-in', $cert, '-noout', '-text', '-nameopt',
                       'RFC2253,-esc_msb,utf8');
    $text =~ s/\n\s+/\n/g;

    return ($cert, $text);
}

sub text_of { return (issue(@_))[1] // "no certificate: $last" }

sub refused {
    my ($what, $why, $profile, @request) = @_;

    my $before = length error_log();
    ok(!defined issue($profile, @request), "$what: refused");
    like($last, qr/^400 .*"refused"/s, "$what: 400");
    like(substr(error_log(), $before), $why, "$what: the log says why");
}

# the line after a heading

sub extension {
    my ($text, $name) = @_;

    return $text =~ /^\Q$name\E: *(critical)?\n(.*)/m
           ? ($1 ? "critical $2" : $2) : '';
}

sub der {
    my ($tag, $content) = @_;

    my $length = length $content;

    return pack('CC', $tag, $length) . $content if $length < 128;
    return pack('CCC', $tag, 0x81, $length) . $content if $length < 256;
    return pack('CCn', $tag, 0x82, $length) . $content;
}

# the parts of a DER SEQUENCE

sub parts {
    my ($der) = @_;

    my @parts;

    for ($der) {
        s/\A\x30(?:[\0-\x7f]|\x81.|\x82..)//s or die 'no SEQUENCE';

        while (length) {
            my (undef, $length, $more) = unpack 'CCn', $_;
            my $head = $length == 0x82 ? 4 : $length == 0x81 ? 3 : 2;
            $length = $more if $head == 4;
            $length = $more >> 8 if $head == 3;
            push @parts, substr $_, 0, $head + $length, '';
        }
    }

    return @parts;
}

# a request in which something was replaced by as many octets, signed anew

sub forged {
    my ($key, $from, $to, %request) = @_;

    my ($info, $algorithm) = parts(openssl(
        'req', '-in', request(%request, key => $key), '-outform', 'DER'));

    $info =~ s/\Q$from\E/$to/ or die 'nothing to replace';

    my $signature = openssl('dgst', '-sha256', '-sign', $key, { in => $info });

    return work_file('forged', der(0x30, $info . $algorithm
                                         . der(3, "\0$signature")));
}

sub seconds {
    my ($time) = @_;

    require Time::Piece;
    $time =~ s/ GMT$//;
    return Time::Piece->strptime($time, '%b %e %H:%M:%S %Y')->epoch;
}

sub validity {
    my ($text) = @_;

    my ($from) = $text =~ /^Not Before: *(.*)$/m or return (0, 0);
    my ($to) = $text =~ /^Not After : *(.*)$/m or return (0, 0);
    return (seconds($from), seconds($to));
}

sub near {
    my ($got, $expected, $what) = @_;

    cmp_ok(abs($got - $expected), '<', 20, $what);
}

# the attributes that ask for a validity

sub lasting {
    my ($units, $period) = @_;
    return csr_attribute => '1.3.6.1.4.1.311.13.2.1:'
        . scep_pair(ValidityPeriod => $period)
        . scep_pair(ValidityPeriodUnits => $units);
}

# for how long from now on a certificate is valid that SCEP gives

sub lasts {
    my ($what, $expected, @options) = @_;

    my $cert = work_file('lasts.pem', '');
    my $r = scep_ask('/scep', key => 'lasts', cert => $cert, @options);
    is(scep_brief($r), 'SUCCESS', $what) or return;
    my (undef, $to) = validity(join "\n",
        map { s/notAfter=/Not After : /r =~ s/notBefore=/Not Before: /r }
        split /\n/, openssl('x509', '-in', $cert, '-noout', '-dates'));
    near($to, time() + $expected, "$what: $expected seconds");
}

run_tests();

__DATA__

=== TEST 1: the profiles that are built in, and one of them that is changed
--- config eval
$::locations
--- perl
ready();
my $both = 'critical Digital Signature, Key Encipherment';
my %usage = (default => 'TLS Web Client Authentication',
             device => 'TLS Web Client Authentication',
             user => 'TLS Web Client Authentication, E-mail Protection',
             server => 'TLS Web Server Authentication');

for my $profile (sort keys %usage) {
    my $text = text_of($profile, key => $::rsa);
    is(extension($text, 'X509v3 Key Usage'), $both, "$profile: key usage");
    is(extension($text, 'X509v3 Extended Key Usage'), $usage{$profile},
       "$profile: extended key usage");

    my ($from, $to) = validity($text);
    near($from, time() - 86400, "$profile: from yesterday on");
    near($to, time() + 86400 * ($profile eq 'server' ? 30 : 365),
         "$profile: for as long as it says");
}

my $text = text_of('device', key => $::ec);
is(extension($text, 'X509v3 Key Usage'), 'critical Digital Signature',
   'what an EC key cannot do is left out');
like($text, qr/X509v3 Subject Key Identifier:/, 'subjectKeyIdentifier');
like($text, qr/X509v3 Authority Key Identifier:/, 'authorityKeyIdentifier');
like($text, qr{OCSP - URI:http://127\.0\.0\.1:\d+/ocsp$}m, 'OCSP');
like($text, qr{CA Issuers - URI:\S+/ca/demo\.cer$}m, 'the issuer');
like($text, qr{^URI:\S+/crl/demo\.crl$}m, 'the CRL');
unlike($text, qr/CA:TRUE/, 'no authority');
like($text, qr/Serial Number:\n([0-9a-f]{2}:){16}[0-9a-f]{2}\n/,
     'a serial number of 128 random bits');

$text = text_of('device', key => $::rsa,
                extension => ['keyUsage=dataEncipherment',
                              'extendedKeyUsage=serverAuth']);
is(extension($text, 'X509v3 Key Usage'), $both, 'device is not asked');
is(extension($text, 'X509v3 Extended Key Usage'), $usage{device},
   'nor for what');



=== TEST 2: validity, backdate; never longer than the authority
--- config eval
$::locations
--- perl
ready();
my ($from, $to) = validity(text_of('short', key => $::ec));
near($from, time() - 3600, 'backdate');
near($to, time() + 90 * 86400, 'validity');

($from, $to) = validity(text_of('now', key => $::ec));
near($from, time(), 'no backdate');

my ($ca_from, $ca_to) = validity(join "\n",
    map { s/notBefore=/Not Before: /r =~ s/notAfter=/Not After : /r }
    split /\n/, openssl('x509', '-in', work_file('brief.pem'), '-noout',
                        '-dates'));

($from, $to) = validity(text_of('brief/backdated', key => $::ec));
is($from, $ca_from, 'not before its authority');
is($to, $ca_to, 'not after its authority');

my ($cert) = issue('brief/backdated', key => $::ec);
is(openssl('verify', '-CAfile', work_file('brief.pem'), $cert),
   "$cert: OK\n", 'and verifies');



=== TEST 3: key_usage, extended_key_usage
--- config eval
$::locations
--- perl
ready();
my $text = text_of('usages', key => $::rsa);
is(extension($text, 'X509v3 Key Usage'),
   'critical Digital Signature, Non Repudiation, Data Encipherment',
   'those of RSA');
is(extension($text, 'X509v3 Extended Key Usage'),
   'Code Signing, Time Stamping, Signing KDC Response, Microsoft Smartcard '
   . 'Login, 1.3.6.1.4.1.99999.1',
   'names and an OID');

$text = text_of('usages', key => $::ec);
is(extension($text, 'X509v3 Key Usage'),
   'critical Digital Signature, Non Repudiation, Key Agreement',
   'those of EC');

refused('an RSA key for keyAgreement', qr/has none of the key usages wanted/,
        'agree', key => $::rsa);
refused('an EC key for keyEncipherment', qr/has none of the key usages wanted/,
        'cipher', key => $::ec);

$text = text_of('asked', key => $::rsa,
                extension => ['keyUsage=nonRepudiation,dataEncipherment',
                              'extendedKeyUsage=serverAuth,emailProtection,'
                              . 'ipsecIKE']);
is(extension($text, 'X509v3 Key Usage'),
   'critical Non Repudiation, Data Encipherment', 'as requested');
is(extension($text, 'X509v3 Extended Key Usage'),
   'TLS Web Server Authentication, E-mail Protection, ipsec Internet Key '
   . 'Exchange', 'as requested, in this order');



=== TEST 4: what makes an authority cannot be had for the asking
--- config eval
$::locations
--- perl
ready();
my %asked = (
    'CA:TRUE' => ['basicConstraints=CA:TRUE', qr/\(CA:TRUE\)/],
    'critical CA:TRUE' => ['basicConstraints=critical,CA:TRUE,pathlen:0',
                           qr/\(CA:TRUE\)/],
    'malformed constraints' => ['2.5.29.19=ASN1:NULL',
                                qr/basic constraints are malformed/],
    keyCertSign => ['keyUsage=keyCertSign', qr/key usage keyCertSign/],
    cRLSign => ['keyUsage=digitalSignature,cRLSign', qr/key usage keyCertSign/],
    decipherOnly => ['keyUsage=keyAgreement,decipherOnly',
                     qr/encipherOnly or decipherOnly/],
    'malformed usage' => ['2.5.29.15=ASN1:NULL', qr/key usage is malformed/],
    OCSPSigning => ['extendedKeyUsage=OCSPSigning',
                    qr/extended key usage OCSPSigning/],
    anyExtendedKeyUsage => ['extendedKeyUsage=clientAuth,anyExtendedKeyUsage',
                            qr/extended key usage anyExtendedKeyUsage/],
    msSmartcardLogin => ['extendedKeyUsage=msSmartcardLogin',
                         qr/extended key usage msSmartcardLogin/],
    codeSigning => ['extendedKeyUsage=codeSigning',
                    qr/extended key usage codeSigning/],
    'an unknown usage' => ['extendedKeyUsage=1.3.6.1.4.1.99999.9',
                           qr/extended key usage 1\.3\.6\.1\.4\.1\.99999\.9/],
    'malformed usages' => ['2.5.29.37=ASN1:NULL',
                           qr/extended key usage is malformed/],
    'an unknown critical extension' =>
        ['1.3.6.1.4.1.99999.7=critical,ASN1:NULL',
         qr/critical extension 1\.3\.6\.1\.4\.1\.99999\.7/],
    'critical name constraints' =>
        ['nameConstraints=critical,permitted;DNS:a', qr/2\.5\.29\.30/],
);

for my $what (sort keys %asked) {
    my ($extension, $why) = @{ $asked{$what} };
    refused($what, $why, 'default', key => $::ec, extension => [$extension]);
}

for my $profile (qw( device user server )) {
    refused("CA:TRUE of $profile", qr/\(CA:TRUE\)/, $profile, key => $::ec,
            extension => ['basicConstraints=CA:TRUE']);
}

my $text = text_of('default', key => $::ec,
                   extension => ['basicConstraints=critical,CA:FALSE',
                                 '1.3.6.1.4.1.99999.7=ASN1:NULL',
                                 'subjectKeyIdentifier=0102',
                                 '1.3.6.1.5.5.7.48.1.5=ASN1:NULL']);
like($text, qr/^Subject: CN=c\d+$/m, 'CA:FALSE is tolerated');
unlike($text, qr/Basic Constraints|99999|^01:02$|No Check/m,
       'what is not known is left out');



=== TEST 5: subject: as requested, whatever its letters
--- config eval
$::locations
--- perl
ready();
my %odd = (
    "/CN=J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80" =>
        "CN=J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80",
    '/O=Smith\, Jones \+ Co/CN=a "b" <c>; d\\\\e' =>
        'CN=a \"b\" \<c\>\; d\\\\e,O=Smith\, Jones \+ Co',
    '/CN=#1' => 'CN=\#1',
    '/CN=a=b$(c)`d`%n%s' => 'CN=a=b$(c)`d`%n%s',
    '/DC=example/DC=contoso/UID=u/CN=a' => 'CN=a,UID=u,DC=contoso,DC=example',
    '/CN=a+OU=b' => 'OU=b+CN=a',
);

for my $subject (sort keys %odd) {
    my ($cert, $text) = issue('default', key => $::ec, subject => $subject);
    $text //= $::last;
    like($text, qr/^Subject: \Q$odd{$subject}\E$/m, "$subject: as it was");
    next unless $cert;
    my ($serial) = serial_of($cert);
    my $record = redis_cmd('HGET', "pki:{demo}:cert:$serial", 'subject');
    unlike($record, qr/[\0-\x1f\x7f]/, 'recorded as text');
}

my $csr = request(key => $::ec, subject => '/C=DE/O=a/CN=b');
my ($cert) = issue('default', $csr);
my ($info) = parts(openssl('req', '-in', $csr, '-outform', 'DER'));
my ($tbs) = parts(openssl('x509', '-in', $cert, '-outform', 'DER'));
is(unpack('H*', (parts($tbs))[5]), unpack('H*', (parts($info))[1]),
   'octet by octet');

for (["\0" => 'NUL'], ["\n" => 'line feed'], ["\e" => 'escape'],
     ["\x7f" => 'DEL'], ["\xff" => 'no UTF-8'])
{
    my ($octet, $what) = @$_;
    refused($what, qr/requested subject has an attribute that is not plain/,
            'default', forged($::ec, 'evil.example', "evil${octet}example",
                              subject => '/CN=evil.example'));
}

refused('no subject, no name', qr/neither a subject nor a subject alternative/,
        'default', key => $::ec, subject => '/');

unlike(error_log(), qr/\e|\x7f/, 'no controls in the log');



=== TEST 6: subject: a template
--- config eval
$::locations
--- perl
ready();
like(text_of('template', key => $::ec, subject => '/O=Evil/OU=Admins/CN=laptop'),
     qr/^Subject: CN=laptop,OU=Devices,O=Contoso$/m, 'its own, and the name');
like(text_of('template', key => $::ec, subject => '/CN=x\,O=Evil\+OU=y'),
     qr/^Subject: CN=x\\,O=Evil\\\+OU=y,OU=Devices,O=Contoso$/m,
     'a name cannot break out');
like(text_of('template', key => $::ec, subject => '/CN=${ou}'),
     qr/^Subject: CN=\$\{ou\},OU=Devices,O=Contoso$/m,
     'nor is a template itself');
like(text_of('address', key => $::ec,
             subject => '/OU=u/O=o/CN=n/emailAddress=m@a.example'),
     qr/^Subject: CN=n,O=o,OU=u,emailAddress=m\@a\.example$/m,
     'all four, with and without braces');
refused('no CN', qr/lacks an attribute of the profile's template/, 'template',
        key => $::ec, subject => '/O=a');
refused('two CN', qr/or has it several times/, 'template', key => $::ec,
        subject => '/CN=a/CN=b');
refused('an empty subject', qr/lacks an attribute/, 'template', key => $::ec,
        subject => '/', san => 'DNS:a');
like(text_of('fixed', key => $::ec, subject => '/CN=other'),
     qr/^Subject: CN=the one$/m, 'a fixed one');



=== TEST 7: san: requested, fixed, none
--- config eval
$::locations
--- perl
ready();
my $san = 'X509v3 Subject Alternative Name';
my $all = 'DNS:a.example,IP:192.0.2.7,IP:2001:db8::7,email:a@a.example,'
          . 'URI:urn:uuid:0b06c0b2-0000-4000-8000-000000000000,'
          . 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@a.example';
my $text = text_of('kinds', key => $::ec, san => $all);
is(extension($text, $san),
   'DNS:a.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7, '
   . 'email:a@a.example, '
   . 'URI:urn:uuid:0b06c0b2-0000-4000-8000-000000000000, '
   . 'othername: UPN::a@a.example', 'all five kinds')
    or diag($text);
is(extension(text_of('default', key => $::ec, subject => '/', san => 'DNS:a'),
             $san), 'critical DNS:a', 'critical if it is the only name');
like(extension(text_of('fixed', key => $::ec, san => 'DNS:evil'), $san),
     qr{^DNS:one\.example,\ IP\ Address:192\.0\.2\.1,
         \ IP\ Address:2001:DB8:\S+,\ email:a\@one\.example,
         \ URI:https:\S+,\ othername:\ UPN::a\@one\.example$}x,
     'those of the profile');
is(extension(text_of('nameless', key => $::ec, san => 'DNS:evil'), $san), '',
   'none');
refused('none, and no subject', qr/neither a subject nor/, 'nameless',
        key => $::ec, subject => '/', san => 'DNS:a');

my $many = join ',', map { "DNS:n$_.example" } 1 .. 64;
like(extension(text_of('default', key => $::ec, san => $many), $san),
     qr/DNS:n1\.example, .*DNS:n64\.example$/, '64 names');
refused('65 names', qr/has over 64 names/, 'default', key => $::ec,
        san => "$many,DNS:last");

refused('a user principal name', qr/not allowed, a user principal name needs/,
        'default', key => $::ec,
        san => 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@a.example');
my $name = qr/subject alternative name has a name that is not/;
refused('a wildcard', qr/"\*\.a\.example" is not allowed, a wildcard needs/,
        'default', key => $::ec, san => 'DNS:*.a.example');
refused('a wildcard of a top-level domain', qr/a whole top-level domain/,
        'wild', key => $::ec, san => 'DNS:*.example');
refused('a registered name', $name, 'default', key => $::ec, san => 'RID:1.2.3');
refused('another otherName', qr/has an otherName that is not a UPN/,
        'default', key => $::ec, san => 'otherName:1.2.3.4;UTF8:a');
refused('a malformed one', qr/alternative name is malformed/, 'default',
        key => $::ec, extension => ['2.5.29.17=ASN1:NULL']);

for (["a\0example", 'NUL'], ["a\nexample", 'line feed'], ['a example', 'blank'],
     ["a\xe4example", 'no ASCII'], ['a..xample', 'empty label'],
     ['-.example', 'no label'])
{
    my ($to, $what) = @$_;
    refused("DNS name, $what", qr/requested subject alternative name/,
            'default', forged($::ec, "\x82\x09a.example",
                              "\x82" . chr(length $to) . $to,
                              san => 'DNS:a.example'));
}

refused('an address of 3 octets', qr/requested subject alternative name/,
        'default', forged($::ec, "\x87\x04\xc0\0\2\7", "\x82\x04.\0\2\7",
                          san => 'IP:192.0.2.7'));



=== TEST 8: allow_key, and keys that are too weak for any profile
--- config eval
$::locations
--- perl
ready();
my $kind = qr/keys of this kind and size are not allowed/;
my $p384 = new_key('ec:P-384');
my $p521 = new_key('ec:P-521');
my $ed = work_file('ed.pem', openssl('genpkey', '-algorithm', 'ED25519'));
my $rsa3072 = new_key('rsa:3072');

ok(defined issue('default', key => $_), 'the default allows it')
    for $::rsa, $rsa3072, $::ec, $p384, $p521, $ed;
ok(defined issue('big', key => $rsa3072), 'rsa:3072-4096 has 3072');
refused('RSA-2048', $kind, 'big', key => $::rsa);
refused('EC', $kind, 'big', key => $::ec);
ok(defined issue('curves', key => $_), 'P-384, P-521, Ed25519')
    for $p384, $p521, $ed;
refused('P-256', $kind, 'curves', key => $::ec);
refused('RSA', $kind, 'curves', key => $::rsa);

refused('RSA-1024', $kind, 'default', key => new_key('rsa:1024'));
refused('secp256k1', qr/the key is not RSA, EC on P-256/, 'default',
        key => new_key('ec:secp256k1'));
refused('P-224', qr/the key is not RSA, EC on P-256/, 'default',
        key => new_key('ec:P-224'));

# none of these has a private key: they are refused before the signature

my $csr = openssl('req', '-in', request(key => $::rsa), '-outform', 'DER');
my $exponent = "\2\3\1\0\1";
my ($modulus) = openssl('rsa', '-in', $::rsa, '-noout', '-modulus')
                =~ /=([0-9A-F]+)/;
$modulus = pack 'H*', $modulus;

sub altered {
    my ($from, $to) = @_;
    (my $der = $csr) =~ s/\Q$from\E/$to/ or die 'nothing to replace';
    return work_file('altered', $der);
}

refused('an even exponent', qr/exponent is even or below 3/, 'default',
        altered($exponent, "\2\3\1\0\0"));
refused('an even modulus', qr/modulus is even/, 'default',
        altered($modulus, substr($modulus, 0, 255) . "\x02"));

# a multiple of the product of the primes up to 167, and 1

my $product = Math::BigInt->new(1);
for my $i (2 .. 167) {
    $product->bmul($i) unless grep { $i % $_ == 0 } 2 .. sqrt $i;
}
my $roca = Math::BigInt->from_hex('0xc' . '3' x 511);
$roca = $roca - $roca % ($product * 2) + 1;
refused('ROCA', qr/CVE-2017-15361/, 'default',
        altered($modulus, pack 'H*', substr $roca->as_hex, 2));

my ($status, undef, $body) = enroll('/default',
                                    altered($exponent, "\2\3\1\0\3"));
is($status, 400, 'a signature by another key');
like($body, qr/"bad_request"/, 'is no request');



=== TEST 9: allow_subject, allow_san
--- config eval
$::locations
--- perl
ready();
my $san = 'X509v3 Subject Alternative Name';
ok(defined issue('strict', key => $::ec, subject => '/O=Contoso/CN=a'), 'one');
ok(defined issue('strict', key => $::ec, subject => '/CN=root'), 'the other');
refused($_, qr/subject ".*" is not allowed by "allow_subject"/, 'strict',
        key => $::ec, subject => $_)
    for '/O=Contoso/CN=A', '/O=Contoso/CN=', '/CN=a', '/CN=a\,O=Contoso',
        '/O=Contoso/CN=a/OU=b', '/O=Contoso/CN=a\\\\';

is(extension(text_of('names', key => $::ec, san => 'DNS:a.contoso.example,'
                     . 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:'
                     . 'a@contoso.example'), $san),
   'DNS:a.contoso.example, othername: UPN::a@contoso.example', 'both kinds');
ok(defined issue('names', key => $::ec), 'no name is none that is wrong');
refused($_, qr/alternative name ".*" is not allowed$|is not allowed,/m,
        'names', key => $::ec, san => $_)
    for 'DNS:a.evil.example', 'DNS:a.contoso.example,DNS:b', 'IP:192.0.2.1',
        'email:a@contoso.example', 'DNS:*.contoso.example',
        'URI:https://a.contoso.example/';

is(extension(text_of('wild', key => $::ec, san => 'DNS:*.contoso.example'),
             $san), 'DNS:*.contoso.example', 'a wildcard that is allowed');
refused('another one', qr/is not allowed/, 'wild', key => $::ec,
        san => 'DNS:*.evil.example');



=== TEST 10: copy_extension, extension
--- config eval
$::locations
--- perl
ready();
my $text = text_of('carries', key => $::ec,
                   extension => ['1.3.6.1.4.1.99999.2=ASN1:UTF8:copied',
                                 '1.3.6.1.4.1.99999.3=critical,ASN1:INT:5',
                                 '1.3.6.1.4.1.99999.6=ASN1:UTF8:dropped']);
like($text, qr/^1\.3\.6\.1\.4\.1\.99999\.2: *\n\.+copied$/m, 'copied');
like($text, qr/^1\.3\.6\.1\.4\.1\.99999\.3: critical$/m, 'critical as it was');
like($text, qr/^1\.3\.6\.1\.4\.1\.99999\.4: *\n\.+hi$/m, 'its own');
like($text, qr/^1\.3\.6\.1\.4\.1\.99999\.5: critical$/m, 'critical');
unlike($text, qr/99999\.6|dropped/, 'no other');

$text = text_of('carries', key => $::ec);
unlike($text, qr/99999\.2/, 'nothing to copy');
like($text, qr/99999\.4/, 'its own');

refused('not DER', qr/99999\.2 is malformed/, 'carries', key => $::ec,
        extension => ['1.3.6.1.4.1.99999.2=DER:0C05']);
refused('the own one, critical', qr/critical extension 1\S+99999\.5/,
        'carries', key => $::ec,
        extension => ['1.3.6.1.4.1.99999.5=critical,ASN1:UTF8:mine']);
unlike(text_of('carries', key => $::ec,
               extension => ['1.3.6.1.4.1.99999.4=ASN1:UTF8:mine']),
       qr/mine/, 'its own cannot be replaced');



=== TEST 11: security identifiers are left out; distribution_point off
--- config eval
$::locations
--- perl
ready();
for my $profile (qw( default quiet )) {
    my $before = length error_log();
    my $text = text_of($profile, key => $::ec, extension => [$::sid],
                       san => '@account');
    like($text, qr/DNS:a$/m, 'the other name stays');
    unlike($text, qr/311\.25\.2|S-1-5|microsoft/, 'no security identifier');
    like(substr(error_log(), $before), qr/requested security identifier left/,
         'the log tells');
}

my $text = text_of('quiet', key => $::ec);
unlike($text, qr/CRL Distribution/, 'no CRL');
like($text, qr/OCSP - URI/, 'OCSP is there');



=== TEST 12: mail, web, client, code: as the programs that use them say
--- config eval
$::locations
--- perl
ready();
my $ca = work_file('demo.pem');
my %oids = (sslserver => '1.3.6.1.5.5.7.3.1', sslclient => '1.3.6.1.5.5.7.3.2',
            smimesign => '1.3.6.1.5.5.7.3.4', code => '1.3.6.1.5.5.7.3.3');

sub opens {
    my ($cert, $purpose) = @_;
    return (command('openssl', 'verify', '-x509_strict', '-purpose', $purpose,
                    '-CAfile', $ca, $cert))[0] == 0 ? 1 : 0;
}

# certtool asks for the usage itself, by its OID

sub allows {
    my ($cert, $oid) = @_;
    my ($code, $out) = command('certtool', '--verify', '--infile', $cert,
        '--load-ca-certificate', $ca, '--verify-purpose', $oid);
    return $out =~ /Chain verification output: Verified/ ? 1 : 0;
}

my %certs = map { $_ => (issue($_, key => $::rsa,
    san => $_ eq 'user' ? 'email:u@a.example' : 'DNS:a.example'))[0] }
    qw( server device user code );

for (['server', 1, 0, 0, 0], ['device', 0, 1, 0, 0], ['user', 0, 1, 1, 0],
     ['code', 0, 0, 0, 1])
{
    my ($profile, @expected) = @$_;
    ok(defined $certs{$profile}, "$profile: issued") or diag($::last);
    is_deeply([map { allows($certs{$profile}, $oids{$_}) }
               qw( sslserver sslclient smimesign code )], \@expected,
              "$profile: for its own use, and for no other");
}
for (['server', 'sslserver', 1], ['server', 'sslclient', 0],
     ['server', 'smimesign', 0], ['device', 'sslclient', 1],
     ['device', 'sslserver', 0], ['user', 'smimesign', 1],
     ['user', 'smimeencrypt', 1], ['user', 'sslclient', 1],
     ['user', 'sslserver', 0], ['code', 'sslserver', 0],
     ['code', 'smimesign', 0], ['device', 'crlsign', 0])
{
    my ($profile, $purpose, $expected) = @$_;
    is(opens($certs{$profile}, $purpose), $expected, "$profile: $purpose");
}

# a mail, signed and read

my $mail = work_file('mail.p7');
my $text = work_file('mail.txt', "Hello\n");
for (['user', 0], ['server', 4]) {
    my ($profile, $expected) = @$_;
    openssl('smime', '-sign', '-in', $text, '-signer', $certs{$profile},
            '-inkey', $::rsa, '-out', $mail);
    is((command('openssl', 'smime', '-verify', '-in', $mail, '-CAfile', $ca))
       [0], $expected, "a mail signed by $profile");
}



=== TEST 13: what is wrong stops nginx, with the directive and what is right
--- config
--- perl
my @wrong = (
    ['validity', 'invalid number of parameters'],
    ['validity soon', '"validity" of "pki_profile": "soon" is not a time'],
    ['validity 0', 'is not a time of 100 years at most'],
    ['validity 101y', 'is not a time of 100 years at most'],
    ['validity 1d; validity 2d', '"validity" of "pki_profile" is duplicate'],
    ['backdate 31d', 'is not a time of 30 days at most'],
    ['backdate -1d', 'is not a time of 30 days at most'],
    ['key_usage', 'invalid number of parameters'],
    ['key_usage keyCertSign', '"keyCertSign" is not one of'],
    ['key_usage cRLSign', '"cRLSign" is not one of'],
    ['key_usage requested digitalSignature', '"requested" is not one of'],
    ['extended_key_usage OCSPSigning', 'would make every holder speak'],
    ['extended_key_usage 1.3.6.1.5.5.7.3.9', 'would make every holder speak'],
    ['extended_key_usage anyExtendedKeyUsage', 'would make every holder'],
    ['extended_key_usage 2.5.29.37.0', 'would make every holder speak'],
    ['extended_key_usage clientauth', 'is neither the name of a usage'],
    ['extended_key_usage clientAuth requested', 'is neither the name'],
    ['subject CN', 'has a part that is not "type=value"'],
    ['subject "CN=${serial}"', 'has a variable other than ${cn}'],
    ['subject "CN=${cn"', 'has a variable other than ${cn}'],
    ['subject "XX=a"', 'has a type other than CN'],
    ['subject CN=a O=b', 'invalid number of parameters'],
    ['san a.example', 'must start with "dns:"'],
    ['san dns:a_b..c', '"dns:a_b..c"'],
    ['san ip:1.2.3', 'is not an address'],
    ['san none dns:a', 'must start with "dns:"'],
    ['san email:a', '"email:a"'],
    ['allow_key rsa:1024', '"rsa:1024" is not of the kind'],
    ['allow_key rsa:4096-2048', 'is not of the kind'],
    ['allow_key rsa:2048-16384', 'is not of the kind'],
    ['allow_key ec:P-192', 'is not of the kind'],
    ['allow_key dsa', 'is not of the kind'],
    ['allow_subject "("', 'missing'],
    ['allow_san dns', 'invalid number of parameters'],
    ['allow_san host ^a$', 'is not one of dns, ip, email, uri and upn'],
    ['allow_san dns "["', 'missing'],
    ['copy_extension subjectAltName', 'is not an OID'],
    ['copy_extension 2.5.29.17', 'no client may bring along'],
    ['copy_extension 2.5.29.19', 'no client may bring along'],
    ['copy_extension 2.5.29.32', 'no client may bring along'],
    ['copy_extension 1.3.6.1.4.1.311.25.2', 'no client may bring along'],
    ['copy_extension 1.2.3; copy_extension 1.2.3', 'is there already'],
    ['extension 1.2.3', 'invalid number of parameters'],
    ['extension 1.2.3 05', 'is not one DER element in hex'],
    ['extension 1.2.3 0500ff', 'is not one DER element in hex'],
    ['extension 1.2.3 xx', 'is not one DER element in hex'],
    ['extension 1.2.3 0500 important', 'is not "critical"'],
    ['extension 2.5.29.19 30030101ff', 'or that only authorities have'],
    ['extension 1.2.3 0500; extension 1.2.3 0500', 'is there already'],
    ['sid directory', '"directory" is not available in this version'],
    ['sid maybe', 'must be "off"'],
    ['distribution_point maybe', 'must be "on" or "off"'],
    ['colour blue', 'unknown directive "colour" in "pki_profile"'],
);

my $nginx = PKI::Nginx->new;

for (@wrong) {
    my ($directive, $message) = @$_;
    $nginx->configure(http => "pki_profile p { $directive; }");
    my ($code, $said) = $nginx->test;
    is($code, 1, "$directive: nginx does not start");
    like($said, qr/\[emerg\] .*\Q$message\E.* in \S+nginx\.conf:\d+$/m,
         "$directive: says why, and where");
}

for (['pki_profile "a b" { }', 'invalid profile name "a b"'],
     ['pki_profile { }', 'invalid number of arguments in "pki_profile"'],
     ['pki_profile ' . 'a' x 65 . ' { }', 'invalid profile name'],
     ['pki_profile p { } pki_profile p { }', 'profile "p" is there already'])
{
    my ($text, $message) = @$_;
    $nginx->configure(http => $text);
    my ($code, $said) = $nginx->test;
    is($code, 1, 'nginx does not start');
    like($said, qr/\Q$message/, $message);
}



=== TEST 14: C1: shorter than the profile says, on request; never longer
--- config eval
$::locations
--- perl
ready();
my $day = 86400;
lasts('nothing said', 90 * $day);
lasts("@$_[1, 2]", $_->[0], lasting(@$_[1, 2]))
    for [600, 10, 'Minutes'], [7200, 2, 'Hours'], [3 * $day, 3, 'Days'],
        [14 * $day, 2, 'Weeks'], [28 * $day, 1, 'Months'], [90, 90, 'seconds'],
        [90 * $day, 91, 'Days'], [90 * $day, 1, 'Years'],
        [90 * $day, '999999999999', 'Years'];
lasts('in two attributes, the other way round', 5 * $day, csr_attribute => [
    '1.3.6.1.4.1.311.13.2.1:' . scep_pair(ValidityPeriodUnits => 5),
    '1.3.6.1.4.1.311.13.2.1:' . scep_pair(validityperiod => 'days')]);
lasts('other pairs', 90 * $day, csr_attribute => '1.3.6.1.4.1.311.13.2.1:'
      . scep_pair(CertificateTemplate => 'User') . scep_pair('', ''));

for (['no number', lasting('one', 'Days')], ['none', lasting(0, 'Days')],
     ['a negative one', lasting(-1, 'Days')],
     ['a number too large to be one', lasting('9' x 30, 'Days')],
     ['no period', lasting(1, 'Fortnights')],
     ['units alone', csr_attribute => '1.3.6.1.4.1.311.13.2.1:'
      . scep_pair(ValidityPeriodUnits => 1)],
     ['twice', csr_attribute => '1.3.6.1.4.1.311.13.2.1:'
      . scep_pair(ValidityPeriod => 'Days') . scep_pair(ValidityPeriodUnits => 1)
      . scep_pair(ValidityPeriodUnits => 2)])
{
    my ($what, @options) = @$_;
    is(scep_brief(scep_ask('/scep', @options)), 'FAILURE badRequest', $what);
}

# a renewal is asked for as any other, and is a request of its own

my @same = (key => 'renews', subject => 'CN=renews', txn => 'renews');
my @renewal = (@same, type => 17, signer_key => work_dir() . '/renews.scep',
               signer_cert => work_file('renews.pem', ''));
is(scep_brief(scep_ask('/scep', @same, cert => work_dir() . '/renews.pem',
                       lasting(2, 'Days'))), 'SUCCESS');
lasts('a renewal, longer than what it renews', 90 * $day, @renewal);
lasts('a renewal, shorter', 3600, @renewal, lasting(1, 'Hours'));
lasts('and shorter still, of the same transaction', 1800, @renewal,
      lasting(30, 'Minutes'));
--- error_log
the requested validity is not understood
--- no_error_log
[error]
