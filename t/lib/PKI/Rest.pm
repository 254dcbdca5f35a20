package PKI::Rest;

# Clients of REST enrolment and of the JSON API, well-meaning and other.
#
#   use PKI::Rest;
#
#   htpasswd(admin => 'secret');             "htpasswd" of the work directory
#   tls_files();                             keys and certificates, see there
#   rest_ready();                            until the probe at /probe is 200
#   my $csr = csr('a');                      bytes, PEM; options of new_csr
#   my ($status, $headers, $body) = post('/enroll', $bytes, user => 'a:b');
#   my ($status, $body, $h) = curl('one.example', $port, '/enroll',
#                                  data => $csr, cert => 'client');
#   is(brief($status, $body), '400 refused');        code of a JSON error
#   my @entries = access_log($file);         of a log of JSON lines
#   is(count('demo'), 3);                    how many certificates there are

use strict;
use warnings;

use Exporter qw( import );
use JSON::PP ();

use PKI ();
use PKI::Client ();

our @EXPORT = qw( htpasswd tls_files rest_ready csr post curl brief
                  access_log count cert_of reads pem_count );

my $count = 0;
my $key;


sub htpasswd {
    my (%password) = @_;

    return PKI::work_file('htpasswd', join '', map {
        "$_:{PLAIN}$password{$_}\n"
    } sort keys %password);
}


# tls.pem and tls.key for servers; ca.pem and client.pem, client.key below it;
# stranger-ca.pem and stranger.pem, stranger.key, which the first does not know.

sub tls_files {
    my $dir = PKI::work_dir();
    my @ec = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
              '-nodes');

    for (['tls', 'tls'], ['ca', 'Client CA'], ['stranger-ca', 'Strange CA']) {
        my ($name, $subject) = @$_;
        PKI::openssl('req', '-new', '-x509', @ec, '-days', 30,
                     '-subj', "/CN=$subject", '-keyout', "$dir/$name.key",
                     '-out', "$dir/$name.pem");
    }

    for (['client', 'ca'], ['stranger', 'stranger-ca']) {
        my ($name, $ca) = @$_;
        PKI::openssl('req', '-new', @ec, '-subj', "/O=Test/CN=$name",
                     '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
        PKI::openssl('x509', '-req', '-in', "$dir/$name.csr", '-days', 29,
                     '-CA', "$dir/$ca.pem", '-CAkey', "$dir/$ca.key",
                     '-set_serial', ++$count, '-out', "$dir/$name.pem");
    }
}


sub rest_ready {
    return PKI::wait_until(sub { (PKI::http_get('/probe'))[0] == 200 }, 15);
}


sub csr {
    my ($name, %o) = @_;

    $key ||= PKI::Client::new_key('ec:P-256');

    return PKI::slurp(PKI::Client::new_csr(
        key => $key, subject => "/O=Test/CN=$name", %o));
}


sub post {
    my ($uri, $body, %o) = @_;

    my %headers = %{ $o{headers} || {} };
    $headers{Authorization} = PKI::Client::basic_auth($o{user}) if $o{user};

    return PKI::http_post($uri, $body, %o, headers => \%headers);
}


# By TLS.  Options: host (the Host header), sni => 0 (no name in the
# handshake), data, cert (name of a client certificate), user, headers.

sub curl {
    my ($name, $port, $uri, %o) = @_;

    my $dir = PKI::work_dir();
    my $out = PKI::work_file('curl' . ++$count . '.out', '');
    my $head = PKI::work_file("curl$count.head", '');
    my $to = exists $o{sni} && !$o{sni} ? '127.0.0.1' : $name;
    my %headers = (Expect => '', %{ $o{headers} || {} });

    $headers{Host} = $o{host} // $name if $o{host} || $to ne $name;

    my @args = ('-s', '-k', '-m', 20, '-o', $out, '-D', $head,
                '-w', '%{http_code}', '--resolve', "$name:$port:127.0.0.1");

    push @args, '--data-binary', '@' . PKI::work_file("curl$count.in",
                                                      $o{data})
        if defined $o{data};
    push @args, '--cert', "$dir/$o{cert}.pem", '--key', "$dir/$o{cert}.key"
        if $o{cert};
    push @args, '-u', $o{user} if $o{user};
    push @args, map { ('-H', "$_: $headers{$_}") } sort keys %headers;

    my ($code, $status, $err) =
        PKI::command('curl', @args, "https://$to:$port$uri");

    return ($status, PKI::slurp($out), PKI::slurp($head));
}


# "201", or "400 bad_request" where the body is an error of the API.

sub brief {
    my ($status, $body) = @_;

    my $json = eval { JSON::PP::decode_json($body) };
    my $error = ref $json eq 'HASH' ? $json->{error} : undef;

    return $status if ref $error ne 'HASH';

    return "$status malformed"
        if join(' ', sort keys %$error) ne 'code message'
           || $error->{message} !~ /^\S.*[^.]\z/;

    return "$status $error->{code}";
}


sub access_log {
    my ($file) = @_;

    return map { JSON::PP::decode_json($_) } split /\n/, PKI::slurp($file);
}


# How many certificates an authority has; it has given none away without one
# of these.

sub count {
    my ($authority) = @_;

    return PKI::redis_cmd('ZCARD', "pki:{$authority}:issued");
}


# A certificate, PEM or DER, as a file.

sub cert_of {
    my ($bytes) = @_;

    if ($bytes !~ /^-----BEGIN/) {
        $bytes = PKI::openssl('x509', '-inform', 'DER', { in => $bytes });
    }

    return PKI::work_file('rest' . ++$count . '.pem', $bytes);
}


# What openssl prints of it.

sub reads {
    my ($cert, @options) = @_;

    my $text = PKI::openssl('x509', '-in', $cert, '-noout', @options);
    chomp $text;

    return $text;
}


sub pem_count { return scalar(() = $_[0] =~ /^-----BEGIN CERTIFICATE-----/mg) }

1;
