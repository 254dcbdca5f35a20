# Whose a certificate is: devices and users as Intune and Jamf Pro name them
# ("scep_device", scepman.md 1 and 3); requests that a proxy signs for devices;
# accounts of a directory ("sid"), the extensions of Entra, domain controllers.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Nginx;
use PKI::Scep;

redis_start();

our $work = work_dir();
our ($guid, $other) = qw( 3F2504E0-4F89-11D3-9A0C-0305E82C3301
                          6ba7b810-9dad-11d1-80b4-00c04fd430c8 );
our $account = 'S-1-5-21-1004336348-1177238915-682003330-1104';

work_file('challenge', "open sesame\n");

http_config(authority('demo'), slurp('conf/log-format.conf'), <<'END');
pki_profile names { allow_san upn .; allow_san dns .; allow_san uri .;
                    allow_san email .; }
pki_profile bare  { san none; }
pki_profile other { subject "CN=${cn},O=Contoso"; allow_san upn .;
                    allow_san uri .; }
pki_profile sid   { sid request; allow_san dns .; }
pki_profile plain { sid request; san none; }
pki_profile entra { entra_extensions 01234567-89AB-cdef-0123-456789abcdef;
                    allow_san uri .; allow_san dns .; }
pki_profile dc    { validity 365d;
                    key_usage digitalSignature keyEncipherment;
                    extended_key_usage clientAuth serverAuth pkInitKDC
                                       msSmartcardLogin;
                    allow_san dns "^([a-z0-9-]+\.)*ad\.contoso\.example$";
                    allow_san dns "^[A-Z0-9]+$"; }
END

our $locations = join "\n", 'location = /probe { pki_probe; }',
    'access_log $TEST_NGINX_WORK/access.log pki;',
    'scep_challenge static $TEST_NGINX_WORK/challenge;', map {
    my ($name, $rule, $profile) = @$_;
    "location /$name { scep demo; scep_profile $profile; "
    . ($rule ? "scep_device $rule;" : '') . ' }'
} ['intune', 'intune', 'names'], ['jamf', 'jamf', 'names'],
  ['off', 'off', 'names'], ['unset', '', 'names'], ['bare', 'intune', 'bare'],
  ['other', 'intune', 'other'], ['sid', '', 'sid'], ['plain', '', 'plain'],
  ['entra', '', 'entra'], ['dc', '', 'dc'];

our $n = 0;

sub ask {
    my ($uri, %o) = @_;
    my $cert = work_file('cert' . ++$n . '.pem', '');
    my $r = scep_send($uri, scep_make(txn => "txn-$n", challenge =>
                                      'open sesame', %o), cert => $cert);
    return { %$r, cert => $cert };
}

# device and user of the record

sub of {
    my ($r) = @_;
    return scep_brief($r) if !-s $r->{cert};
    my %record = @{ redis_cmd('HGETALL', 'pki:{demo}:cert:'
                                         . serial_of($r->{cert})) };
    return join ' ', map { $record{$_} // '' } qw( device user );
}

# each: what, device and user, options of scep_make()

sub says {
    my ($uri, @cases) = @_;
    for (@cases) {
        my ($what, $expected, @options) = @$_;
        is(of(ask($uri, @options)), $expected, "$uri: $what");
    }
}

sub text_of {
    my ($r) = @_;
    return scep_brief($r) if !-s $r->{cert};
    my $text = openssl('x509', '-in', $r->{cert}, '-noout', '-text');
    return $text =~ s/\n\s+/\n/gr;
}

# the value of an extension, hex

sub value_of {
    my ($r, $oid) = @_;
    my @lines = split /\n/, openssl('asn1parse', '-in', $r->{cert},
                                    '-oid', "$work/oids");
    for my $i (0 .. $#lines) {
        next if $lines[$i] !~ /OBJECT\s+:\Q$oid\E$/;
        my ($next) = grep { /OCTET STRING/ } @lines[$i .. $i + 2];
        return lc $1 if $next =~ /\[HEX DUMP\]:([0-9A-F]+)/;
        return $next;
    }
    return 'none';
}

sub octets {
    my ($tag, $content) = @_;
    my $len = length $content;
    return chr($tag) . ($len < 128 ? chr $len : "\x81" . chr $len) . $content;
}

# Microsoft's extension with this identifier

sub extension {
    my ($sid) = @_;
    my $oid = "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01";
    return '1.3.6.1.4.1.311.25.2:-:' . unpack 'H*',
        octets(0x30, octets(0xa0, $oid . octets(0xa0, octets(4, $sid))));
}

work_file('oids', '');
log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: Intune: device in the subject or in a URI, user by UPN
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my ($guid, $other) = ($::guid, $::other);
my $low = lc $guid;
says('/intune',
     ['a GUID', "$low ", subject => "CN=$guid"],
     ['among others', "$low ", subject => "CN=$guid,OU=x,O=Contoso"],
     ['a URI', "$other ", subject => 'CN=laptop',
      san => "URI:IntuneDeviceId://$other"],
     ['another case', "$other ", subject => 'CN=laptop',
      san => "URI:INTUNEDEVICEID://\U$other"],
     ['a URI is nearer than the name', "$other ", subject => "CN=$guid",
      san => "URI:IntuneDeviceId://$other"],
     ['a URI that is none', "$low ", subject => "CN=$guid",
      san => 'URI:IntuneDeviceId://{{DeviceId}}'],
     ['a device of a user', "$low anna\@contoso.example",
      subject => "CN=$guid", san => 'UPN:anna@contoso.example'],
     ['a user', ' anna@contoso.example', subject => 'CN=Anna',
      san => ['UPN:anna@contoso.example', 'email:a@b.example']],
     ['a user without an UPN', ' ', subject => 'CN=Anna',
      san => 'email:anna@contoso.example'],
     ['two devices', ' ', subject => "CN=$guid,CN=$other"],
     ['twice the same', "$low ", subject => "CN=$guid,CN=$low"],
     ['two URIs', ' ', subject => 'CN=x', san =>
      ["URI:IntuneDeviceId://$guid", "URI:IntuneDeviceId://$other"]],
     ['two users', "$low ", subject => "CN=$guid",
      san => ['UPN:a@contoso.example', 'UPN:b@contoso.example']],
     ['nobody', ' ', subject => 'CN=laptop'],
     ['zeros', ' ', subject => 'CN=00000000-0000-0000-0000-000000000000'],
     ['braces', ' ', subject => "CN={$guid}"],
     ['a digit too few', ' ', subject => 'CN=' . substr($guid, 1)],
     ['no hexadecimal', ' ', subject => 'CN=' . ($guid =~ tr/F/G/r)],
     ['in another attribute', ' ', subject => "OU=$guid,CN=x"],
     ['markers of Jamf', ' ', subject => 'CN=12,OU=computers']);



=== TEST 2: Jamf Pro: markers in the subject, user by e-mail
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
says('/jamf',
     ['a computer', 'computers/12 ', subject => 'CN=12,OU=computers,CN=A1'],
     ['a device', 'devices/7 ', subject => 'CN=7,OU=devices,CN=profile'],
     ['the other way round', 'devices/7 ',
      subject => 'CN=profile,OU=devices,CN=7'],
     ['a user on a computer', 'computers/12 anna@contoso.example',
      subject => 'CN=12,OU=users-on-computers,CN=x',
      san => 'email:anna@contoso.example'],
     ['a user on a device', 'devices/4294967295 anna@contoso.example',
      subject => 'CN=4294967295,OU=users-on-devices,CN=x',
      san => ['email:anna@contoso.example', 'UPN:other@contoso.example']],
     ['a computer is nobody\'s', 'computers/12 ',
      subject => 'CN=12,OU=computers', san => 'email:anna@contoso.example'],
     ['another unit', 'computers/12 ',
      subject => 'CN=12,OU=Computers,OU=Berlin,O=Contoso'],
     ['no marker', ' ', subject => 'CN=12,OU=phones'],
     ['two markers', ' ', subject => 'CN=12,OU=computers,OU=devices'],
     ['no number', ' ', subject => 'CN=x,OU=computers'],
     ['two numbers', ' ', subject => 'CN=12,OU=computers,CN=13'],
     ['a zero before it', ' ', subject => 'CN=012,OU=computers'],
     ['a large one', ' ', subject => 'CN=12345678901,OU=computers'],
     ['a negative one', ' ', subject => 'CN=-1,OU=computers'],
     ['two users', 'computers/12 ', subject => 'CN=12,OU=users-on-computers',
      san => ['email:a@b.example', 'email:b@b.example']],
     ['names of Intune', ' ', subject => "CN=$::guid"]);



=== TEST 3: no rule; and what the certificate says, not the request
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my $low = lc $::guid;
my @both = (subject => "CN=$::guid", san => 'UPN:anna@contoso.example');
says('/off', ['off', ' ', @both]);
says('/unset', ['off unless it is written', ' ', @both]);
says('/bare', ['names that are left out', "$low ", @both]);
says('/other', ['a subject of the profile', "$low anna\@contoso.example",
                @both]);
my $line;
wait_until(sub {
    ($line) = map { JSON::PP::decode_json($_) } grep { /"txn-$::n"/ }
              split /\n/, slurp("$::work/access.log");
    $line;
});
is($line->{device}, $low, 'the access log');



=== TEST 4: one signer for all devices, as Jamf Pro has it
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 9,
        '-subj', '/CN=Jamf Pro', '-keyout', "$::work/proxy.key",
        '-out', "$::work/proxy.pem");
my @proxy = (signer_cert => "$::work/proxy.pem",
             signer_key => "$::work/proxy.key");
my %seen;
for my $id (1 .. 5) {
    my $r = ask('/jamf', @proxy, subject => "CN=$id,OU=computers,CN=profile",
                key => "device$id");
    is(scep_brief($r), 'SUCCESS', "device $id");
    is(of($r), "computers/$id ", 'recorded as it');
    my $key = openssl('x509', '-in', $r->{cert}, '-noout', '-pubkey');
    is($key, openssl('pkey', '-in', "$::work/device$id.scep", '-pubout'),
       'for its own key');
    ok(!$seen{$key}++, 'another one');
}

my $before = issued('demo');
is(scep_brief(ask('/jamf', @proxy, challenge => 'wrong',
                  subject => 'CN=6,OU=computers')), 'FAILURE badRequest',
   'the signer vouches for nothing');
is(scep_brief(ask('/jamf', @proxy, broken => 'signature',
                  subject => 'CN=7,OU=computers')), 'FAILURE badMessageCheck',
   'nor may its signature be wrong');
is(scep_brief(ask('/jamf', @proxy, broken => 'csr',
                  subject => 'CN=8,OU=computers')), 'FAILURE badMessageCheck',
   'nor that of the device');
is(issued('demo'), $before, 'nothing is issued');

my @m = map { scep_make(txn => "proxy-$_", challenge => 'open sesame', @proxy,
                        subject => "CN=$_,OU=devices,CN=profile",
                        key => 'device' . $_ % 5) } 11 .. 20;
is(scalar(grep { scep_brief($_) eq 'SUCCESS' } scep_send_all('/jamf', @m)), 10,
   'ten at once');



=== TEST 5: sid request: copied, if it is one
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my $uri = "URI:tag:microsoft.com,2022-09-14:sid:$::account";
my $r = ask('/sid', subject => 'CN=a', san => ['DNS:a.example', $uri],
            extension => extension($::account));
my $text = text_of($r);
like($text, qr/DNS:a\.example, \Q$uri\E$/m, 'the URI');
like($text, qr/^1\.3\.6\.1\.4\.1\.311\.25\.2: *$/m, 'the extension');
is(value_of($r, '1.3.6.1.4.1.311.25.2'),
   extension($::account) =~ s/.*://r, 'as it was');
like(text_of(ask('/sid', subject => 'CN=b', extension => extension($::account))),
     qr/311\.25\.2/, 'the extension alone');
like(text_of(ask('/sid', subject => 'CN=c', san => $uri)), qr/\Q$uri\E/,
     'the URI alone');
like(text_of(ask('/sid', subject => 'CN=d', extension =>
                 extension('S-1-12-1-1-2-3-4294967295'))), qr/311\.25\.2/,
     'of Entra');
$text = text_of(ask('/plain', subject => 'CN=e', san => $uri,
                    extension => extension($::account)));
like($text, qr/311\.25\.2/, 'without names: the extension');
unlike($text, qr/microsoft/, 'and no URI');
$text = text_of(ask('/unset', subject => 'CN=f', san => ['DNS:a', $uri],
                    extension => extension($::account)));
like($text, qr/DNS:a$/m, 'off unless it is written');
unlike($text, qr/311\.25\.2|S-1-5/, 'neither of them');

my $before = issued('demo');
for (['two accounts', san => $uri, extension =>
      extension('S-1-5-21-1-2-3-500')],
     ['two URIs', san => [$uri, 'URI:tag:microsoft.com,2022-09-14:sid:'
                                . 'S-1-5-21-1-2-3-500']],
     map({ ["URI $_", san => "URI:$_"] }
         'tag:microsoft.com,2022-09-14:sid:', 'tag:microsoft.com,2022-09-14:x',
         'tag:microsoft.com,2023-09-14:sid:' . $::account,
         'TAG:microsoft.com,2022-09-14:sid:' . $::account),
     map({ ["identifier $_", extension => extension($_)] }
         '', 'S-1-5-18', 'S-1-5-32-544', 'S-1-5-21-1-2-3', "$::account-1",
         "$::account ", "s-1-5-21-1-2-3-4", 'S-1-5-21-1-2-3-04',
         'S-1-5-21-1-2-3-', 'S-1-5-21-1-2-3-4294967296',
         'S-1-5-21-1-2-3-99999999999', "S-1-5-21-1-2-3-4\0",
         'S-1-5-21--1-2-3', 'S-1-12-1-1-2-3'),
     map({ ["extension $_", extension => "1.3.6.1.4.1.311.25.2:-:$_"] }
         '0500', '3000', '04', extension($::account) =~ s/.*://r . '0500'))
{
    my ($what, @options) = @$_;
    is(scep_brief(ask('/sid', subject => 'CN=x', @options)),
       'FAILURE badRequest', $what);
}
is(issued('demo'), $before, 'nothing is issued');
like(error_log(), qr/certificate refused: the request has two security/,
     'the log tells');



=== TEST 6: the extensions of Entra: tenant and device
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my ($tenant, $device) = qw( 1.2.840.113556.5.14 1.2.840.113556.1.5.284.2 );
my $id = '0410' . '67452301ab89efcd0123456789abcdef';
my $of = '0410' . 'e004253f894fd3119a0c0305e82c3301';
my $r = ask('/entra', subject => "CN=$::guid");
is(value_of($r, $tenant), $id, 'tenant');
is(value_of($r, $device), $of, 'device, by the subject');
$r = ask('/entra', subject => 'CN=x', san => "URI:IntuneDeviceId://\L$::guid");
is(value_of($r, $device), $of, 'device, by the URI');
$r = ask('/entra', subject => 'CN=laptop', san => 'DNS:a');
is(value_of($r, $tenant), $id, 'no device: tenant');
is(value_of($r, $device), 'none', 'alone');
$r = ask('/entra', subject => 'CN=laptop', extension =>
         ["$tenant:-:04100000", "$device:-:0410" . '00' x 16]);
is(scep_brief($r), 'SUCCESS', 'a request that has them');
is(value_of($r, $tenant), $id, 'is not asked');
is(value_of($r, $device), 'none', 'for either');
is(value_of(ask('/unset', subject => "CN=$::guid"), $tenant), 'none',
   'off unless it is written');
unlike(text_of($r), qr/($tenant).*\1/s, 'none is there twice');



=== TEST 7: B8: domain controllers
--- config eval
$::locations
--- perl
scep_ready('/probe') or die 'not ready';
my @names = map { "DNS:$_" } qw( dc1.ad.contoso.example ad.contoso.example
                                 CONTOSO );
my $r = ask('/dc', subject => 'CN=dc1.ad.contoso.example', san => \@names,
            eku => '1.3.6.1.5.5.7.3.3');
is(scep_brief($r), 'SUCCESS', 'issued');
my $text = text_of($r);
is_deeply([split /, /, ($text =~ /^(TLS Web .*)$/m)[0]],
          ['TLS Web Client Authentication', 'TLS Web Server Authentication',
           'Signing KDC Response', 'Microsoft Smartcard Login'],
          'Kerberos and smart cards, whatever was requested');
like($text, qr/^Digital Signature, Key Encipherment$/m, 'key usage');
like($text, qr/^${\join ', ', @names}$/m, 'its names');
my ($code) = command('certtool', '--verify', '--infile', $r->{cert},
                     '--load-ca-certificate', "$::work/demo.pem",
                     '--verify-purpose', '1.3.6.1.5.2.3.5');
is($code, 0, 'a client of Kerberos takes it for a KDC\'s');
is(scep_brief(ask('/dc', subject => 'CN=dc1', san => 'DNS:www.contoso.example')),
   'FAILURE badRequest', 'no other name');
is(scep_brief(ask('/unset', subject => 'CN=dc1', eku => '1.3.6.1.5.2.3.5')),
   'FAILURE badRequest', 'only by the profile');



=== TEST 8: a renewal names nobody else
--- config
location = /probe { pki_probe; }
location /sid { scep demo; scep_profile sid; scep_renewal on within=0;
                scep_challenge static $TEST_NGINX_WORK/challenge; }
--- perl
scep_ready('/probe') or die 'not ready';
my $r = ask('/sid', subject => 'CN=renew', key => 'renew',
            extension => extension($::account));
is(scep_brief($r), 'SUCCESS', 'issued');
my @by = (type => 17, subject => 'CN=renew', signer_cert => $r->{cert},
          signer_key => "$::work/renew.scep", challenge => '');
like(text_of(ask('/sid', @by, key => 'new', extension =>
                 extension($::account))), qr/311\.25\.2/, 'the same account');
is(scep_brief(ask('/sid', @by, key => 'new2', extension =>
                  extension('S-1-5-21-1-2-3-500'))), 'FAILURE badRequest',
   'not another one');
is(scep_brief(ask('/sid', @by, key => 'new3', san =>
                  'URI:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500')),
   'FAILURE badRequest', 'nor by a URI');



=== TEST 9: what nginx -t says
--- config
--- perl
my @wrong = (
    ['', 'scep_device intunes;', 'invalid rule "intunes" in "scep_device", '
     . 'it must be "off", "intune" or "jamf"'],
    ['', 'scep_device;', 'invalid number of arguments'],
    ['', 'scep_device intune; scep_device jamf;', 'is duplicate'],
    ['sid directory;', '', '"directory" is not available in this version'],
    ['sid yes;', '', 'must be "off" or "request"'],
    ['sid off; sid request;', '', 'is duplicate'],
    ['copy_extension 1.3.6.1.4.1.311.25.2;', '', 'no client may bring along'],
    ['entra_extensions;', '', 'invalid number of parameters'],
    ['entra_extensions contoso;', '', 'is not the id of a tenant'],
    ['entra_extensions 00000000-0000-0000-0000-000000000000;', '',
     'is not the id of a tenant'],
    ["entra_extensions $::guid; extension 1.2.840.113556.5.14 0500;", '',
     'is there already'],
    ["copy_extension 1.2.840.113556.1.5.284.2; entra_extensions $::guid;", '',
     'has extensions that are there already'],
    ["entra_extensions $::guid; entra_extensions $::other;", '', 'duplicate'],
);
my $nginx = PKI::Nginx->new;
my $try = sub {
    my ($profile, $directives) = @_;
    $nginx->configure(http => "pki_redis $ENV{TEST_NGINX_REDIS_URL};\n"
                              . authority('demo') . "pki_profile x { $profile }",
                      server => "location /x { scep demo; $directives
                                 scep_challenge none insecure; }");
    return $nginx->test;
};
for (@wrong) {
    my ($profile, $directives, $message) = @$_;
    my ($code, $said) = $try->($profile, $directives);
    isnt($code, 0, "refused: $profile$directives");
    like($said, qr/\[emerg\].*\Q$message\E/, "... $message");
}
for (['sid off;', 'scep_device off;'], ['sid request;', 'scep_device jamf;'],
     ["entra_extensions $::guid;", 'scep_device intune;'])
{
    my ($code, $said) = $try->(@$_);
    is($code, 0, "taken: @$_") or diag($said);
}
