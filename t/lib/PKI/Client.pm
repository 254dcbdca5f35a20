package PKI::Client;

# Clients as an administrator has them: openssl, curl-less HTTP and
# strongSwan's pki, for suites that play a whole story.
#
#   use PKI::Client;
#
#   my $key = new_key('rsa:2048');                 files in the work directory
#   my $csr = new_csr(key => $key, subject => '/CN=a', san => 'DNS:a',
#                     challenge => 'secret', extension => [...]);
#   my ($status, $headers, $cert) = enroll('/enroll', $csr, user => 'a:b');
#   my $cert = scep_enroll(url => '/scep', key => $key, subject => 'CN=a',
#                          password => 'secret', ca => $ca);
#   my $serial = serial_of($cert);                 lower-case hex
#   my %ocsp = ocsp_ask(url => '/ocsp', ca => $ca, cert => $cert);
#   is($ocsp{status}, 'good');
#   my %crl = crl_serials('/crl/demo.crl', $ca);   serial => reason
#   my ($status, $json) = api('POST', '/m/api/x', { reason => 'superseded' });

use strict;
use warnings;

use Exporter qw( import );
use JSON::PP ();
use MIME::Base64 qw( encode_base64 );

use PKI ();

our @EXPORT = qw( new_key new_csr ca_certificate enroll scep_enroll serial_of
                  ocsp_ask crl_serials api basic_auth );

my $count = 0;


sub url {
    my ($uri) = @_;

    return $uri if $uri =~ /^http/;
    return 'http://127.0.0.1:' . Test::Nginx::Util::server_port_for_client()
           . $uri;
}


# Makes a private key, "rsa:N" or "ec:CURVE"; returns its file.

sub new_key {
    my ($type) = @_;

    my ($kind, $size) = split /:/, $type || 'rsa:2048';
    my $path = PKI::work_file('key' . ++$count . '.pem');

    PKI::openssl('genpkey', '-out', $path,
                 $kind eq 'rsa'
                 ? ('-algorithm', 'RSA', '-pkeyopt', "rsa_keygen_bits:$size")
                 : ('-algorithm', 'EC', '-pkeyopt', "ec_paramgen_curve:$size"));

    return $path;
}


# A PKCS#10 in PEM, as a file.

sub new_csr {
    my (%o) = @_;

    my $path = PKI::work_file('csr' . ++$count . '.pem');
    my $config = "[req]\nprompt=no\ndistinguished_name=dn\n"
                 . "string_mask=utf8only\n";

    $config .= "attributes=attrs\n" if defined $o{challenge};
    $config .= "[dn]\n";

    my @ext = @{ $o{extension} || [] };
    push @ext, "subjectAltName=$o{san}" if $o{san};

    my $n = 0;
    for (grep { length } split m{/}, $o{subject} // '/CN=test') {
        my ($name, $value) = split /=/, $_, 2;
        $config .= $n++ . ".$name=$value\n";
    }

    $config .= "[attrs]\nchallengePassword=$o{challenge}\n"
        if defined $o{challenge};

    PKI::openssl('req', '-new', '-key', $o{key} || new_key(), '-out', $path,
                 '-config', PKI::work_file('req.cnf', $config),
                 ($o{digest} ? "-$o{digest}" : ()),
                 map { ('-addext', $_) } @ext);

    return $path;
}


# Fetches a CA certificate (DER) and returns it as a PEM file.

sub ca_certificate {
    my ($uri) = @_;

    my (undef, undef, $der) = PKI::http_get($uri);
    my $path = PKI::work_file('ca' . ++$count . '.pem');

    PKI::work_file("ca$count.pem",
                   PKI::openssl('x509', '-inform', 'DER', { in => $der }));

    return $path;
}


sub basic_auth {
    my ($user_and_password) = @_;

    return 'Basic ' . encode_base64($user_and_password, '');
}


# POSTs a PKCS#10 file; returns status, headers, and the body or, if that is a
# certificate, a file with it.

sub enroll {
    my ($uri, $csr, %o) = @_;

    my %headers = ('Content-Type' => 'application/pkcs10',
                   %{ $o{headers} || {} });
    $headers{Authorization} = basic_auth($o{user}) if $o{user};

    my ($status, $headers, $body) =
        PKI::http_post($uri, PKI::slurp($csr), headers => \%headers);

    if ($body =~ /^-----BEGIN CERTIFICATE/m) {
        $body = PKI::work_file('cert' . ++$count . '.pem', $body);
    }

    return ($status, $headers, $body);
}


# strongSwan enrols; returns the certificate's file, or nothing: $o{error}
# points to a scalar for what it said.  With ra => 1 it asks for the RA's
# certificate first.

sub scep_enroll {
    my (%o) = @_;

    local $ENV{STRONGSWAN_CONF} = PKI::work_file('strongswan.conf', <<'END');
pki {
    load = curl random nonce openssl pem pkcs1 pkcs7 pkcs8 x509
}
END

    my $ra = $o{ca};

    if ($o{ra}) {
        my $out = PKI::work_file('scepca' . ++$count);
        PKI::command('pki', '--scepca', '--url', url($o{url}), '--caout',
                     "$out.ca", '--raout', "$out.ra", '--outform', 'pem');
        ($ra) = glob "$out.ra*";
    }

    my ($code, $out, $err) = PKI::command(
        'pki', '--scep', '--url', url($o{url}), '--in', $o{key},
        '--dn', $o{subject}, '--cacert-enc', $ra, '--cacert-sig', $ra,
        $o{ra} ? ('--cacert', $o{ca}) : (),
        '--outform', 'pem',
        defined $o{password} ? ('--password', $o{password}) : (),
        defined $o{san} ? ('--san', $o{san}) : (),
        @{ $o{args} || [] });

    ${ $o{error} } = $err if $o{error};

    return if $code != 0;
    return PKI::work_file('cert' . ++$count . '.pem', $out);
}


sub serial_of {
    my ($cert) = @_;

    my ($serial) = PKI::openssl('x509', '-in', $cert, '-noout', '-serial')
                   =~ /=([0-9A-F]+)/;
    return lc $serial;
}


# openssl ocsp: returns status (good, revoked, unknown), verified, reason,
# text; status is "error" if there was no answer.

sub ocsp_ask {
    my (%o) = @_;

    my ($code, $out, $err) = PKI::command(
        'openssl', 'ocsp', '-url', url($o{url}), '-issuer', $o{ca},
        '-CAfile', $o{ca},
        $o{cert} ? ('-cert', $o{cert}) : ('-serial', "0x$o{serial}"),
        @{ $o{args} || [] });

    my $text = $out . $err;
    my ($status) = $text =~ /: (good|revoked|unknown)$/m;
    my ($reason) = $text =~ /Reason: (\S+)/;

    return (status => $status // 'error', text => $text,
            reason => $reason // '',
            verified => $text =~ /Response verify OK/ ? 1 : 0);
}


# Fetches a CRL, verifies it, and returns its serials with their reasons.

sub crl_serials {
    my ($uri, $ca) = @_;

    my ($status, undef, $der) = PKI::http_get($uri);
    die "$uri: $status" if $status != 200;

    my ($code, $text, $err) = PKI::command(
        'openssl', 'crl', '-inform', 'DER', '-noout', '-text',
        '-CAfile', $ca, { in => $der });
    die "CRL: $err" if $code != 0 || $err !~ /verify OK/;

    my %serials;

    for (split /(?=Serial Number: )/, $text) {
        my ($serial) = /^Serial Number: ([0-9A-F]+)/ or next;
        $serials{lc $serial} = /Reason Code:\s*\n\s*(.+)/ ? $1 : '';
    }

    return %serials;
}


# One call of the JSON API; returns status and the decoded answer.

sub api {
    my ($method, $uri, $data, %o) = @_;

    my %headers = %{ $o{headers} || {} };
    $headers{Authorization} = basic_auth($o{user}) if $o{user};

    my %body;

    if (defined $data) {
        $headers{'Content-Type'} //= 'application/json';
        %body = (body => JSON::PP->new->canonical->encode($data));
    }

    my ($status, undef, $answer) =
        PKI::http($method, $uri, %body, headers => \%headers);

    return ($status, eval { JSON::PP::decode_json($answer) } // $answer);
}

1;
