# What OCSP requests consist of: every row Q, well-formed or not, and what is
# answered to each.  HTTP is in 30, statuses and signers in 32.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP;

redis_start(appendonly => 1);
http_config(authority('demo', key => 'ec:P-256'),
            authority('other', key => 'ec:P-256'));

our $locations = <<'END';
location = /probe  { pki_probe; }
location = /enroll { enroll demo; enroll_auth none insecure; }
location = /enroll/other { enroll other; enroll_auth none insecure; }
location /ocsp     { ocsp_responder demo; }
location /both     { ocsp_responder demo other; }
location /signed   { ocsp_responder demo; ocsp_unknown unknown; }
location /nobody   { ocsp_responder demo; ocsp_unknown unauthorized; }
location /extended { ocsp_responder demo; ocsp_unknown revoked; }
END

our ($cert, $foreign);

sub setup {
    ocsp_ready() or die "not ready";
    $cert ||= new_certificate('one') or die 'no certificate';
    ocsp_defaults(ca => work_file('demo.pem'), cert => $cert);
    return (ocsp_make({}))[0];
}

# What a response says, in a word for each certificate.

sub words {
    my ($r) = @_;

    return $r->{error} if $r->{error} ne 'successful';
    return join ' ', map { $_->{status} } @{ $r->{responses} };
}

# Asks for all and compares; pairs of a spec or octets and its words.

sub asked {
    my ($uri, $name, @pairs) = @_;

    my (@ders, @expected, @names);

    while (my ($label, $request, $expected) = splice @pairs, 0, 3) {
        push @ders, ref $request ? ocsp_make($request) : $request;
        push @expected, $expected;
        push @names, $label;
    }

    my @answers = map { ocsp_post($uri, $_) } @ders;

    for (0 .. $#ders) {
        my $r = $answers[$_];

        is(words($r), $expected[$_], "$name: $names[$_]");
        is(length $r->{body}, 5, "$name: $names[$_]: five octets")
            if $r->{error} ne 'successful';
    }

    return @answers;
}

my $unknown_oid = '2a0304';

our $odd      = [ $unknown_oid, '0500' ];
our $critical = [ $unknown_oid, '0500', 1 ];
our $basic    = '06092b0601050507300101';
our $accept   = '2b0601050507300104';
our $locator  = '2b0601050507300107';
our $prefer   = '2b0601050507300108';
our $nobody   = '300a06082a8648ce3d040302' . '030200ff';

# Who signs requests: "radius" by a CA of its own, through another one; each
# with its key and the chain it sends along.

our %signer;

for ([ 'root' ], [ 'middle', 'root' ], [ 'radius', 'middle', 'middle' ],
     [ 'stranger' ])
{
    my ($name, $issuer, @chain) = @$_;
    my $key = new_key('ec:P-256');
    my $file = work_file("$name.pem");

    openssl('req', '-new', '-x509', '-key', $key, '-subj', "/CN=$name",
            '-days', 30, '-out', $file,
            ($issuer ? ('-CA', work_file("$issuer.pem"),
                        '-CAkey', $signer{$issuer}{key}) : ()),
            '-addext', $name =~ /root|middle/ ? 'keyUsage=keyCertSign'
                                              : 'keyUsage=digitalSignature');

    $signer{$name} = { key => $key, certs => [
        $file, map { work_file("$_.pem") } @chain ] };
}

our $root = work_file('root.pem');

# What makes a request signed by one of them; more replaces fields.

sub by {
    my ($name, %more) = @_;

    return (requestor_of => $signer{$name}{certs}[0],
            sign => { %{ $signer{$name} }, %more });
}

run_tests();

__DATA__

=== TEST 1: Q1 Q2: what is not DER is malformed
--- config eval
$::locations
--- perl
my $der = setup();
my $bad = 'malformed_request';
my $outer = substr $der, 2;

asked('/ocsp', 'Q1',
    'empty'                => '', $bad,
    'text'                 => 'hello', $bad,
    'a lone tag'           => "\x30", $bad,
    'an empty sequence'    => "\x30\x00", $bad,
    'nested empty ones'    => "\x30\x02\x30\x00", $bad,
    'nested, cut short'    => pack('H*', '3009300730053003300130'), $bad,
    'truncated'            => substr($der, 0, -1), $bad,
    'cut in the middle'    => substr($der, 0, 40), $bad,
    'trailing octets'      => { tail => '00' }, $bad,
    'indefinite length'    => "\x30\x80$outer\x00\x00", $bad,
    'length not minimal'   => "\x30\x81" . substr($der, 1), $bad,
    'length of 4 octets'   => "\x30\x84\x00\x00\x00" . substr($der, 1), $bad,
    'length of 2^32'       => "\x30\x85\x01\x00\x00\x00\x00$outer", $bad,
    'another tag'          => "\x31" . substr($der, 1), $bad,
    'a primitive sequence' => "\x10" . substr($der, 1), $bad,
    'more in tbsRequest'   => { inner => '0500' }, $bad,
    'random octets'        => join('', map { chr rand 256 } 1 .. 500), $bad);

# every prefix, and every octet changed: an answer, and no worker lost

my @pids = worker_pids();
my $wrong = 0;

for (1 .. length($der) - 1) {
    my (undef, undef, $body) = http_post('/ocsp', substr $der, 0, $_);
    $wrong++ if $body ne $PKI::OCSP::MALFORMED;
}

is($wrong, 0, 'no prefix is a request');

for my $at (0 .. length($der) - 1) {
    my $changed = $der;
    substr($changed, $at, 1) ^= chr(1 + rand 255);
    my (undef, undef, $body) = http_post('/ocsp', $changed);
    $wrong++ if $body !~ /^\x30/;
}

is($wrong, 0, 'each change has its answer');
is("@{[ worker_pids() ]}", "@pids", 'the same workers');



=== TEST 2: Q3: version v1, said or not; no other
--- config eval
$::locations
--- perl
setup();
asked('/ocsp', 'Q3',
    'v1, said'   => { version => 0 }, 'good',
    'v2'         => { version => 1 }, 'malformed_request',
    'version -1' => { version => 255 }, 'malformed_request');



=== TEST 3: Q4: an empty list of requests is malformed
--- config eval
$::locations
--- perl
setup();
asked('/ocsp', 'Q4', 'no CertID' => { ids => [] }, 'malformed_request');



=== TEST 4: Q5: as many answers as CertIDs, one signature; ten at most
--- config eval
$::locations
--- perl
setup();
my @many = map { { serial => "01$_" } } 10 .. 19;

asked('/ocsp', 'Q5',
    'two'    => { ids => [ {}, $many[0] ] }, 'good unknown',
    'twice'  => { ids => [ {}, {} ] }, 'good good',
    'ten'    => { ids => \@many }, join(' ', ('unknown') x 10),
    'eleven' => { ids => [ {}, @many ] }, 'malformed_request',
    '100'    => { ids => [ (@many) x 10 ] }, 'malformed_request');

my $r = ocsp_post('/ocsp', { ids => [ @many[0 .. 4], {} ] });
is($r->{verified}, 1, 'one signature for six');
is(join(' ', map { $_->{serial} } @{ $r->{responses} }),
   join(' ', map({ "01$_" } 10 .. 14), serial_octets($::cert)), 'in order');



=== TEST 5: Q5 Q6: certificates of two authorities; nothing not asked for
--- config eval
$::locations
--- perl
setup();
$::foreign ||= new_certificate('two', '/enroll/other');
my $other = { ca => work_file('other.pem'), cert => $::foreign };

my ($r) = asked('/both', 'Q5', 'two issuers' => { ids => [ {}, $other ] },
                'good good');
is(scalar @{ $r->{responses} }, 2, 'Q6: these two');
is($r->{verified}, 1, 'signed');
is($r->{signer}{subject}{common_name}, 'demo CA OCSP', 'by the first');

ocsp_defaults(ca => work_file('other.pem'), cert => $::foreign);
$r = ocsp_post('/both', {});
is($r->{status}, 'good', 'the other one alone');
is($r->{signer}{subject}{common_name}, 'other CA OCSP', 'by its own');
is($r->{signer}{verified}, 1, 'whose certificate that authority issued');

# a serial is one of its own authority

is(words(ocsp_post('/both', { cert => $::cert })), 'unknown',
   'the same serial of another authority');
is(words(ocsp_post('/ocsp', {})), 'unauthorized', 'not answered for here');
is(words(ocsp_post('/ocsp', { ids => [ {}, { ca => work_file('demo.pem'),
                                             cert => $::cert } ] })),
   'unknown good', 'among others: unknown');



=== TEST 6: Q7: hashes, with NULL and without; the CertID comes back
--- config eval
$::locations
--- perl
setup();

for my $hash (qw( sha1 sha256 sha384 sha512 )) {
    for my $params (qw( null absent )) {
        my ($der) = ocsp_make({ hash => $hash, params => $params });
        my $r = ocsp_post('/ocsp', $der);
        is($r->{status}, 'good', "$hash, $params");
        is($r->{hash}, $hash, 'answered with the same');
        ok(index(unpack('H*', $der), $r->{cert_id}) > 0, 'octet by octet');
    }
}

is(words(ocsp_post('/ocsp', { params => '0201' . '05' })), 'unauthorized',
   'other parameters name no hash that is known');



=== TEST 7: Q8: the key's hash is one of its bits, whatever its identifier
--- config eval
$::locations
--- perl
setup();
my $ca = certificate(work_file('demo.pem'));
is(words(ocsp_post('/ocsp', { key => $ca->{key_hash} })), 'good', 'the bits');

my $spki = unpack 'H*', openssl('x509', '-in', work_file('demo.pem'),
                                '-noout', '-pubkey');
require Digest::SHA;
is(words(ocsp_post('/ocsp', { key => Digest::SHA::sha1_hex($spki) })),
   'unauthorized', 'of something else');



=== TEST 8: Q9: the same name with another key is somebody else
--- config eval
$::locations
--- perl
setup();
asked('/ocsp', 'Q9',
    'another key'   => { key => '6b' x 20 }, 'unauthorized',
    'another name'  => { name => '6b' x 20 }, 'unauthorized',
    'a short hash'  => { key => '6b' x 19 }, 'unauthorized',
    'an empty one'  => { key => '' }, 'unauthorized',
    'SHA-1 as SHA-256' => { hash => 'sha256',
                            key => '6b' x 20 }, 'unauthorized');



=== TEST 9: Q10: a foreign issuer, by policy; never good
--- config eval
$::locations
--- perl
setup();
my $strange = { key => '6b' x 20 };

is(words(ocsp_post('/ocsp', $strange)), 'unauthorized', 'not set');
is(words(ocsp_post('/nobody', $strange)), 'unauthorized', 'unauthorized');
is(words(ocsp_post('/extended', $strange)), 'unauthorized', 'revoked');

my $r = ocsp_post('/signed', $strange);
is(words($r), 'unknown', 'unknown: signed');
is($r->{verified}, 1, 'indeed');



=== TEST 10: Q11: a hash that is not known
--- config eval
$::locations
--- perl
setup();
asked('/ocsp', 'Q11',
    'an unknown OID' => { hash => 'odd' }, 'unauthorized',
    'MD5'            => { hash => 'md5' }, 'unauthorized');
asked('/signed', 'Q11', 'signed' => { hash => 'odd' }, 'unknown');



=== TEST 11: Q12: serials that were never issued, by policy
--- config eval
$::locations
--- perl
my $der = setup();
my ($never) = ocsp_make({ serial => '4e' x 16 });

for my $ask (\&ocsp_post, \&ocsp_get) {
    is(words($ask->('/ocsp', $never)), 'unknown', 'not set: unknown');
    is(words($ask->('/signed', $never)), 'unknown', 'unknown');
    is(words($ask->('/nobody', $never)), 'unauthorized', 'unauthorized');
    is(words($ask->('/extended', $never)), 'revoked', 'revoked');
    is(words($ask->($_, $der)), 'good', 'an issued one')
        for qw( /ocsp /signed /nobody /extended );
}

my $both = { ids => [ {}, { serial => '4e' x 16 } ] };
is(words(ocsp_post('/nobody', $both)), 'good unknown',
   'unauthorized only if for all');
is(words(ocsp_post('/extended', $both)), 'good revoked', 'each its own');



=== TEST 12: Q13: the extended form of revoked, exactly
--- config eval
$::locations
--- perl
my $der = setup();

for my $hash ({}, { nonce => '01' x 8 }) {
    my $r = ocsp_post('/extended', { %$hash, serial => '4e' x 16 });
    my $single = $r->{responses}[0];

    is($single->{status}, 'revoked', 'revoked');
    is($single->{reason}, 6, 'certificateHold');
    is($single->{revoked_at}{text}, '19700101000000Z', 'since 1970');
    is_deeply($single->{extensions}, [], 'no single extensions');

    my @extended = grep { $_->{oid} eq '1.3.6.1.5.5.7.48.1.9' }
                   @{ $r->{extensions} };
    is(scalar @extended, 1, 'id-pkix-ocsp-extended-revoke, once');
    is($extended[0]{critical}, 0, 'not critical');
    is($extended[0]{value}, '0500', 'NULL');
    is(scalar @{ $r->{extensions} }, $hash->{nonce} ? 2 : 1,
       'beside the nonce nothing else');
    is($r->{verified}, 1, 'signed');
}

my $r = ocsp_post('/extended', { ids => [ {}, { serial => '4e' x 16 },
                                          { key => '6b' x 20 } ] });
is(words($r), 'good revoked unknown', 'a foreign one is not revoked');
is(scalar grep({ $_->{oid} eq '1.3.6.1.5.5.7.48.1.9' }
               @{ $r->{extensions} }), 1, 'once for all');

is_deeply(ocsp_post('/extended', $der)->{extensions}, [],
          'not in an answer that has none of them');



=== TEST 13: Q14: good as soon as it is issued
--- config eval
$::locations
--- perl
setup();

for (1 .. 5) {
    my $new = new_certificate("fresh$_");
    my %seen;
    $seen{ words(ocsp_post('/ocsp', { cert => $new })) }++ for 1 .. 8;
    is(join(' ', keys %seen), 'good', 'at once, whichever worker answers');
}



=== TEST 14: Q15: serials of any shape come back as they were
--- config eval
$::locations
--- perl
setup();

for my $serial ('00', '01', '7f', '0080', '00' . '11' x 15,
                '0080' . '11' x 18, 'ff' x 16, '80', '01' x 20, '01' x 21,
                '01' x 100, '01' x 200, '000001')
{
    my ($der) = ocsp_make({ serial => $serial });
    my $r = ocsp_post('/ocsp', $der);
    my $n = length($serial) / 2;

    is(words($r), 'unknown', "$n octets: unknown");
    is($r->{serial}, $serial, 'the same octets');
    ok(index(unpack('H*', $der), $r->{cert_id}) > 0, 'the same CertID');
}

is(words(ocsp_post('/ocsp', { serial => '' })), 'malformed_request',
   'no octet: malformed');

# leading zeroes make another serial, never that of a certificate

is(words(ocsp_post('/ocsp', { serial => "00" . serial_octets($::cert) })),
   'unknown', 'a zero before it');



=== TEST 15: Q16: unknown extensions; critical ones are malformed
--- config eval
$::locations
--- perl
setup();
my ($odd, $critical) = ($::odd, $::critical);

asked('/ocsp', 'Q16',
    'not critical'     => { ext => [ $odd ] }, 'good',
    'critical'         => { ext => [ $critical ] }, 'malformed_request',
    'both'             => { ext => [ $odd, $critical ] }, 'malformed_request',
    'single'           => { ids => [ { ext => [ $odd ] } ] }, 'good',
    'single, critical' => { ids => [ { ext => [ $critical ] } ] },
                          'malformed_request',
    'an empty list'    => { ext => [] }, 'malformed_request',
    'very many'        => { ext => [ ($odd) x 200 ] }, 'malformed_request');



=== TEST 16: Q17: AcceptableResponses
--- config eval
$::locations
--- perl
setup();
my ($accept, $basic) = ($::accept, $::basic);

asked('/ocsp', 'Q17',
    'basic'            => { ext => [ [ $accept, "300b$basic" ] ] }, 'good',
    'basic, critical'  => { ext => [ [ $accept, "300b$basic", 1 ] ] }, 'good',
    'another as well'  => { ext => [ [ $accept, "301006032a0304$basic" ] ] },
                          'good',
    'another one only' => { ext => [ [ $accept, '300506032a0304' ] ] },
                          'malformed_request',
    'none'             => { ext => [ [ $accept, '3000' ] ] },
                          'malformed_request',
    'not a list'       => { ext => [ [ $accept, '0500' ] ] },
                          'malformed_request');



=== TEST 17: Q18 Q19 Q20 Q26: a name, a signature, a locator, preferences
--- config eval
$::locations
--- perl
setup();

my @answers = asked('/ocsp', 'Q',
    'Q18: requestorName'   => { requestor => 'a.example' }, 'good',
    'Q19: a signature'     => { signature => $::nobody }, 'good',
    'Q18 Q19: both'        => { requestor => 'a', signature => $::nobody },
                              'good',
    'Q20: serviceLocator'  => { ids => [ { ext =>
                                  [ [ $::locator, '3000' ] ] } ] }, 'good',
    'Q26: preferred algorithms' => { ext =>
                                  [ [ $::prefer, '3000' ] ] }, 'good');

is($answers[0]{verified}, 1, 'signed as ever');
is($answers[4]{algorithm}{name}, 'sha256_ecdsa', 'Q27: never by SHA-1');

# openssl signs one

my (undef, $key) = (undef, new_key('ec:P-256'));
openssl('req', '-new', '-x509', '-key', $key, '-subj', '/CN=me',
        '-out', work_file('me.pem'));
my %ocsp = ocsp_ask(url => '/ocsp', ca => work_file('demo.pem'),
                    cert => $::cert, args => [ '-signer', work_file('me.pem'),
                                             '-signkey', $key ]);
is($ocsp{status}, 'good', 'Q19: of openssl');



=== TEST 18: Q19: signatures: ignored, verified, required
--- config eval
$::locations . <<"END";
location /verify  { ocsp_responder demo; ocsp_request_signature verify; }
location /require { ocsp_responder demo; ocsp_request_signature require
                        trusted_certificate=$::root; }
location /m/      { certificate_master demo;
                    certificate_master_user someone;
                    certificate_master_roles admin; }
END
--- perl
setup();

my $key = new_key('ec:P-256');
my (undef, undef, $own) = enroll('/enroll', new_csr(key => $key,
                                                    subject => '/CN=own'));
$::signer{own} = { key => $key, certs => [ $own ] };

for my $uri (qw( /ocsp /verify )) {
    asked($uri, "Q19 $uri",
        'none'     => {}, 'good',
        'our own'  => { ::by('own') }, 'good',
        'a nonce'  => { ::by('own'), nonce => '07' x 16 }, 'good',
        'v1, said' => { ::by('own'), version => 0 }, 'good');
}

asked('/ocsp', 'Q19 ignored',
    'a stranger'   => { ::by('stranger') }, 'good',
    'wrong octets' => { ::by('own', over => '3000') }, 'good');

asked('/require', 'Q19 required',
    'none'           => {}, 'sign_required',
    'a name only'    => { requestor_of => $own }, 'sign_required',
    'our own'        => { ::by('own') }, 'good',
    'of a chain'     => { ::by('radius') }, 'good',
    'for three'      => { ::by('own'), ids => [ {}, {}, {} ] },
                        'good good good',
    'no name'        => { ::by('own'), requestor_of => undef }, 'good',
    'a DNS name'     => { ::by('own'), requestor_of => undef,
                          requestor => 'a.example' }, 'good',
    'no certificate' => { ::by('own', certs => []) }, 'unauthorized',
    'half a chain'   => { ::by('radius', certs =>
                          [ work_file('radius.pem') ]) }, 'unauthorized',
    'another name'   => { ::by('own'), requestor_of =>
                          work_file('stranger.pem') }, 'unauthorized',
    'a stranger'     => { ::by('stranger') }, 'unauthorized',
    'of a CA'        => { ::by('middle') }, 'unauthorized');

for my $uri (qw( /verify /require )) {
    asked($uri, "Q19 $uri",
        'a stranger'   => { ::by('stranger') }, 'unauthorized',
        'wrong octets' => { ::by('own', over => '3000') }, 'unauthorized',
        'another key'  => { ::by('own', key => $::signer{radius}{key}) },
                          'unauthorized',
        'SHA-1'        => { ::by('own', md => 'sha1') }, 'unauthorized',
        'broken'       => { signature => '0500' }, 'malformed_request');
}

asked('/verify', 'Q19', 'trusted elsewhere' => { ::by('radius') },
      'unauthorized');

my ($der) = ocsp_make({ ::by('own') });
is(words(ocsp_get('/require', $der)), 'good', 'by GET, too');

# openssl's own

for ([ 'own', 'good' ], [ 'radius', 'good' ], [ 'stranger', 'error' ]) {
    my ($name, $expected) = @$_;
    my ($cert, @chain) = @{ $::signer{$name}{certs} };
    my %ocsp = ocsp_ask(url => '/require', ca => work_file('demo.pem'),
                        cert => $::cert, args => [
                            '-signer', $cert,
                            '-signkey', $::signer{$name}{key},
                            map { ('-sign_other', $_) } @chain ]);
    is($ocsp{status}, $expected, "openssl, $name");
}

# whose certificate is revoked has nothing to ask

is(revoke($own, 'certificateHold'), 200, 'held');
is(words(ocsp_post('/require', { ::by('own') })), 'unauthorized', 'held');
is(words(ocsp_post('/ocsp', { ::by('own') })), 'good', 'ignored');
is(release($own), 200, 'released');
is(words(ocsp_post('/require', { ::by('own') })), 'good', 'released');
is(revoke($own), 200, 'revoked');
is(words(ocsp_post('/verify', { ::by('own') })), 'unauthorized', 'revoked');



=== TEST 19: Q1 Q19 Q26: signatures and preferences of a wrong shape
--- config eval
$::locations
--- perl
setup();
my $bad = 'malformed_request';
my $algorithm = '300a06082a8648ce3d040302';
my $stranger = $::signer{stranger}{certs}[0];
my $pair = '300c' . $algorithm;

asked('/ocsp', 'Q19',
    'empty'               => { signature => $algorithm }, $bad,
    'no algorithm'        => { signature => '030200ff' }, $bad,
    'unused bits'         => { signature => $algorithm . '030204f0' }, $bad,
    'no octet'            => { signature => $algorithm . '0300' }, $bad,
    'certs: no list'      => { signature => $::nobody . 'a0020500' }, $bad,
    'certs: no SEQUENCE'  => { signature => $::nobody . 'a00430020500' },
                             $bad,
    'certs: none'         => { signature => $::nobody . 'a0023000' }, 'good',
    'certs: ten'          => { ::by('stranger', certs => [ ($stranger) x 10 ])
                             }, 'good',
    'certs: eleven'       => { ::by('stranger', certs => [ ($stranger) x 11 ])
                             }, $bad,
    'more'                => { ::by('stranger', tail => '0500') }, $bad);

asked('/ocsp', 'Q26',
    'sixteen'      => { ext => [ [ $::prefer, '3081e0' . $pair x 16 ] ] },
                      'good',
    'seventeen'    => { ext => [ [ $::prefer, '3081ee' . $pair x 17 ] ] },
                      $bad,
    'not a list'   => { ext => [ [ $::prefer, '0500' ] ] }, $bad,
    'no algorithm' => { ext => [ [ $::prefer, '30023000' ] ] }, $bad,
    'no OID'       => { ext => [ [ $::prefer, '3006300430020500' ] ] }, $bad,
    'more in one'  => { ext => [ [ $::prefer, '3010' . '300e' . $algorithm
                                   . '0500' ] ] }, $bad,
    'twice'        => { ext => [ ([ $::prefer, '300e' . $pair ]) x 2 ] },
                      $bad,
    'with a curve' => { ext => [ [ $::prefer, '30233021' . $algorithm
                          . '301306072a8648ce3d020106082a8648ce3d030107' ] ]
                      }, 'good');



=== TEST 20: Q21: nonces that are empty or too long
--- config eval
$::locations
--- perl
setup();
asked('/ocsp', 'Q21',
    (map { ("$_ octets" => { nonce => '6e' x $_ }, 'malformed_request') }
         0, 129, 130, 300),
    'no octets, not wrapped'  => { nonce_raw => '' }, 'malformed_request',
    '140 octets, not wrapped' => { nonce_raw => '6e' x 140 },
                                 'malformed_request',
    'two' => { nonce => '6e' x 8, nonce_raw => '6f' x 8 },
             'malformed_request');



=== TEST 21: Q22 Q23: every nonce of 1 to 128 octets comes back as it was
--- config eval
$::locations
--- perl
setup();
my @specs;

for my $n (1 .. 128) {
    my $nonce = join '', map { sprintf '%02x', rand 256 } 1 .. $n;
    push @specs, { nonce => $nonce, critical => $n % 2 ? undef : 1 };
}

my @answers = ocsp_post_all('/ocsp', @specs);
my ($echoed, $verified) = (0, 0);

for (0 .. 127) {
    my $n = $_ + 1;
    my $value = '04' . ($n < 128 ? '' : '81') . sprintf('%02x', $n)
                . $specs[$_]{nonce};

    $echoed += join(' ', map { "$_->{oid} $_->{critical} $_->{value}" }
                    @{ $answers[$_]{extensions} })
               eq "1.3.6.1.5.5.7.48.1.2 0 $value";
    $verified += $answers[$_]{verified};
}

is($echoed, 128, 'all come back, never critical');
is($verified, 128, 'all signed');

for my $n (1, 8, 16, 32, 120) {
    my ($der) = ocsp_make({ nonce_raw => 'a5' x $n });
    my (undef, undef, $body) = http_post('/ocsp', $der);
    ok(index($body, "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02\x04"
             . chr($n) . "\xa5" x $n) > 0, "Q23: so do $n unwrapped octets");
}



=== TEST 22: Q24: a nonce of a single request is ignored
--- config eval
$::locations
--- perl
setup();
my ($r) = asked('/ocsp', 'Q24', 'in the single request' => { ids => [
    { ext => [ [ '2b0601050507300102', '0408' . '61' x 8 ] ] } ] }, 'good');
is_deeply($r->{extensions}, [], 'not echoed');



=== TEST 23: Q28: without Redis an unknown serial is "try later", at once
--- config eval
$::locations
--- perl
my $der = setup();
is(words(ocsp_post('/ocsp', $der)), 'good', 'good')
    for 1 .. 4;

redis_stop();

my ($slow, %words) = (0);

for (1 .. 30) {
    my ($new) = ocsp_make({ serial => sprintf '4e%04x', $_ });
    my $start = Time::HiRes::time();
    my (undef, undef, $body) = http_post('/ocsp', $new);
    my $took = Time::HiRes::time() - $start;

    $slow++ if $took > 0.5;
    $words{$body eq $PKI::OCSP::TRY_LATER ? 'try later' : 'other'}++;
    select undef, undef, undef, 0.15;
}

is($slow, 0, 'every answer within half a second');
is(join(' ', keys %words), 'try later', 'all "try later"');
is(words(ocsp_post('/ocsp', $der)), 'good', 'what is known is answered');

# also by a worker that has never been connected

nginx_reload(15);

my $start = Time::HiRes::time();
is(words(ocsp_post('/ocsp', { serial => '4e99' })), 'try_later',
   'a new worker');
ok(Time::HiRes::time() - $start < 0.5, 'at once, too');

redis_start(appendonly => 1);
ok(wait_until(sub {
    words(ocsp_post('/ocsp', { serial => '4e99' })) eq 'unknown'
}), 'answered when Redis is back');
--- error_log
redis



=== TEST 24: Q28: a reload asks nobody to come again
--- config eval
$::locations
--- perl
setup();

# made before, so that some come when a new worker has just begun

my @ders = ocsp_make(map { { serial => sprintf '4d%04x', $_ } } 1 .. 900);
my %later;

for my $n (1 .. 3) {
    my @now = splice @ders, 0, 300;
    nginx_signal('HUP');

    for (@now) {
        my (undef, undef, $body) = http_post('/ocsp', $_);
        $later{ unpack 'H*', $body }++ if length $body < 6;
    }

    wait_until(sub { worker_pids() == 2 });
}

is_deeply(\%later, {}, 'workers that are not connected yet wait for it');
