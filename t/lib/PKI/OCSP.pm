package PKI::OCSP;

# OCSP requests of any shape, and what responses and CRLs consist of, by
# t/tools/ocsp_craft.py, whose head and comments name all fields.
#
#   use PKI::OCSP;
#
#   ocsp_defaults(ca => $ca, cert => $cert);       PEM files
#   my ($der) = ocsp_make({ hash => 'sha256', nonce => '00' x 16 });
#   my $r = ocsp_post('/ocsp', { serial => '01' }); or the octets of a request
#   is($r->{status}, 'good');                      of the first certificate
#   is($r->{error}, 'tryLater');                   error: the responseStatus
#   my @r = ocsp_post_all('/ocsp', @specs);
#   is(scalar @{ $r->{twins} }, 1);                what was not asked for: the
#                                                  same by another hash
#   my $r = ocsp_get('/ocsp', $der);               escaped base64
#   my $crl = crl_fetch('/crl', $ca);              more about CRLs: PKI::CRL

use strict;
use warnings;

use Exporter qw( import );
use IPC::Open2 qw( open2 );
use JSON::PP ();
use MIME::Base64 qw( encode_base64 );

use PKI ();
use PKI::Client ();
use PKI::Nginx ();

our @EXPORT = qw( ocsp_defaults ocsp_craft ocsp_make ocsp_parse ocsp_post
                  ocsp_post_all ocsp_get base64 escape crl_fetch crl_parse
                  certificate ready ocsp_ready new_certificate revoke release
                  serial_octets raw by_worker node_start );

our $MALFORMED    = "\x30\x03\x0a\x01\x01";
our $TRY_LATER    = "\x30\x03\x0a\x01\x03";
our $UNAUTHORIZED = "\x30\x03\x0a\x01\x06";

my %defaults;
my $json = JSON::PP->new;
my ($pid, $owner, $in, $out);


# What every request has that does not say otherwise.

sub ocsp_defaults { %defaults = @_; return }


# One question to the tool, which is started at the first one; dies of what it
# complains about.

sub ocsp_craft {
    my (%question) = @_;

    if (!$pid) {
        $pid = open2($out, $in, '/usr/bin/python3', 't/tools/ocsp_craft.py');
        $owner = $$;
    }

    print $in $json->encode({ %defaults, %question }), "\n";
    my $answer = $json->decode(scalar <$out> // 'null');

    die "ocsp_craft: $answer->{exception}\n"
        if ref $answer eq 'HASH' && $answer->{exception};

    return $answer;
}


sub ocsp_make {
    my (@specs) = @_;

    return map { pack 'H*', $_ }
           @{ ocsp_craft(op => 'make', specs => \@specs) };
}


# Adds what HTTP said: http, headers, body.

sub ocsp_parse {
    my (@answers) = @_;

    my $parsed = ocsp_craft(
        op => 'response',
        ders => [ map { unpack 'H*', $_->[2] || "\x30\x00" } @answers ]);

    return map { {
        %{ $parsed->[$_] }, http => $answers[$_][0],
        headers => $answers[$_][1], body => $answers[$_][2],
    } } 0 .. $#answers;
}


sub ocsp_post_all {
    my ($uri, @specs) = @_;

    my @ders = ocsp_make(@specs);
    my @answers = ocsp_parse(map { [ post($uri, $_) ] } @ders);

    return map { twins($answers[$_], $ders[$_]) } 0 .. $#ders;
}


sub ocsp_post {
    my ($uri, $request, %option) = @_;

    my ($der) = ref $request ? ocsp_make($request) : $request;

    return twins(ocsp_parse([ post($uri, $der, %option) ]), $der);
}


# An answer may tell of a certificate by SHA-1 and by SHA-256 (RFC 9919, 2.2.1).
# What was not asked for goes from "responses" to "twins", if it is no more than
# that; the fields of the first certificate are those of the first one left.

sub twins {
    my ($r, $der) = @_;

    my $hex = unpack 'H*', $der;
    my (@asked, @others);

    for (@{ $r->{responses} || [] }) {
        push @{ index($hex, $_->{cert_id}) < 0 ? \@others : \@asked }, $_;
    }

    $r->{twins} = [];

    return $r if !@asked || grep { !is_twin($_, @asked) } @others;

    my %first = %{ $asked[0] };
    delete $first{extensions};    # the response has its own

    return { %$r, %first, responses => \@asked, twins => \@others };
}

sub is_twin {
    my ($one, @asked) = @_;

    my $told = sub { join ' ', map { ref $_ ? $_->{text} : $_ // '' }
                     @{ $_[0] }{qw( serial status reason revoked_at
                                    this_update next_update )} };

    return grep { $_->{hash} ne $one->{hash}
                  && $told->($_) eq $told->($one) } @asked;
}


sub post {
    my ($uri, $der, %option) = @_;

    return PKI::http_post($uri, $der,
        headers => { 'Content-Type' => 'application/ocsp-request' }, %option);
}


sub ocsp_get {
    my ($uri, $der, %option) = @_;

    return twins(ocsp_parse([
        PKI::http_get("$uri/" . escape(base64($der)), %option) ]), $der);
}


sub base64 { return encode_base64($_[0], '') }

sub escape {
    my ($text) = @_;

    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;

    return $text;
}


# "brief": of entries no more than serial and reason, but quickly.

sub crl_parse {
    my ($der, $ca, $brief) = @_;

    return ocsp_craft(op => 'crl', der => unpack('H*', $der),
                      ca => $ca || $defaults{ca}, $brief ? (brief => 1) : ());
}


# Undefined unless there is one.  Options as those of PKI::http().

sub crl_fetch {
    my ($uri, $ca, %option) = @_;

    my ($status, $headers, $der) = PKI::http_get($uri, %option);
    return if $status != 200;

    return { %{ crl_parse($der, $ca) }, headers => $headers, der => $der };
}


# A certificate, apart.

sub certificate {
    my ($pem, $ca) = @_;

    return ocsp_craft(op => 'certificate', pem => $pem,
                      ca => $ca || $defaults{ca});
}


# What the suites with /probe, /enroll and /m/ do at their beginning.

sub ready {
    my ($timeout) = @_;

    return PKI::wait_until(sub { (PKI::http_get('/probe'))[0] == 200 },
                           $timeout || 15);
}


# Ready, and able to sign; sets the default authority.

sub ocsp_ready {
    my ($uri, $authority) = @_;

    my $ca = PKI::work_file(($authority || 'demo') . '.pem');

    PKI::wait_until(sub { -s $ca });
    ocsp_defaults(%defaults, ca => $ca);

    return ready() && PKI::wait_until(sub {
        ocsp_post($uri || '/ocsp', { serial => '01' })->{error}
            !~ /try_later|garbage/;
    });
}


# The content octets of a certificate's serial number, hex.

sub serial_octets { return certificate($_[0])->{serial} }


# Sends octets on a connection of its own, in pieces if there are several, and
# returns all that comes back.

sub raw {
    my ($pieces, $timeout) = @_;

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => Test::Nginx::Util::server_port_for_client())
        or die "connect: $!";

    binmode $s;
    $s->autoflush(1);

    local $SIG{PIPE} = 'IGNORE';

    for (ref $pieces ? @$pieces : $pieces) {
        print $s $_;
        select undef, undef, undef, 0.02 if ref $pieces;
    }

    return PKI::read_all($s, $timeout || 3);
}


# Sends the same request on many connections until each worker has answered;
# the location says who did: add_header X-Pid $pid always.  Returns answers
# (status, headers, body) by process id.

sub by_worker {
    my ($request) = @_;

    my $port = Test::Nginx::Util::server_port_for_client();
    my %answers;

    PKI::wait_until(sub {
        my @sockets = map {
            IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
                or die "connect: $!"
        } 1 .. 24;

        for my $s (@sockets) {
            binmode $s;
            $s->autoflush(1);
            print $s $request;
        }

        for my $s (@sockets) {
            my @answer = PKI::parse_response(PKI::read_all($s, 5));
            push @{ $answers{ $answer[1]{'x-pid'} // 0 } }, \@answer;
        }

        return keys %answers > 1;
    }, 20) or die 'one worker answers everything';

    return %answers;
}


# Its file, or nothing: PKI::Client's key is made once.

my $key;

sub new_certificate {
    my ($name, $uri) = @_;

    $key ||= PKI::Client::new_key('ec:P-256');

    my ($status, undef, $cert) = PKI::Client::enroll($uri || '/enroll',
        PKI::Client::new_csr(key => $key, subject => "/CN=$name"));

    return $status == 201 ? $cert : undef;
}


# The JSON API by serial number; returns the HTTP status.

sub revoke {
    my ($cert, $reason, $uri) = @_;

    my $serial = PKI::Client::serial_of($cert);

    return (PKI::Client::api(
        'POST', ($uri || '/m') . "/api/certificates/$serial/revoke",
        { reason => $reason || 'superseded' }))[0];
}


sub release {
    my ($cert, $uri) = @_;

    my $serial = PKI::Client::serial_of($cert);

    return (PKI::Client::api(
        'POST', ($uri || '/m') . "/api/certificates/$serial/release", {}))[0];
}


# Another node: the same configuration and Redis, an nginx and a port of its
# own; "edit" may change more of the configuration, in $_.  Returns it
# (PKI::Nginx) when it is ready.

sub node_start {
    my (%option) = @_;

    my $own = Test::Nginx::Util::server_port();
    my $root = $Test::Nginx::Util::ServRoot;

    my $node = PKI::Nginx->new(
        file => $Test::Nginx::Util::ConfFile,
        edit => sub {
            s/\blisten(\s+)$own\b/listen$1\$TEST_NGINX_SERVER_PORT/g;
            s{\Q$root\E/*}{}g;
            s/^\s*daemon\s.*;//m;
            $option{edit}->() if $option{edit};
        });

    $node->start;

    PKI::wait_until(sub {
        (PKI::http_get('/probe', port => $node->port))[0] == 200
    }, 15) or die "the other node is not ready: ", $node->said;

    return $node;
}


END {
    if ($pid && $owner == $$) {
        local $?;
        close $in;
        waitpid $pid, 0;
    }
}

1;
