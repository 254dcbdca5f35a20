package PKI::Scep;

# SCEP messages, right ones and wrong ones, and the check of their answers: a
# client that t/tools/scep_craft.py is the cryptography of.
#
#   use PKI::Scep;
#
#   scep_ready('/probe');                    waits until all is ready
#   my $m = scep_make(challenge => 'secret', cipher => 'des3', ber => 1);
#   my $r = scep_send('/scep', $m);          by POST; get => 1: by GET
#   my $r = scep_ask('/scep', challenge => 'secret');          both of these
#   is($r->{status}, 'SUCCESS');
#   is(scep_brief($r), 'SUCCESS');           or 'FAILURE badAlg', 'HTTP 400',
#                                            with the errors found, if any
#   my @r = scep_send_all('/scep', @messages);                 all at once
#   is(issued('demo'), 3);                   how many records there are
#   my $r = scep_crl('/scep', $cert, ...);   a GetCRL about a certificate
#
# Options of scep_make() are those of "scep_craft.py make", with "_" for "-";
# lists are for what may be repeated.  "ca" is the certificate that the message
# is for and that signs the answer, by default that of demo's RA, if there is
# one, or demo.pem of the work directory; "issuer" the authority's, if another
# one; "key" the name of a key that is made once for the suite, by default
# "client".
#
# A message has der, get (the value of "message=") and file; an answer http,
# headers, body and, of a CertRep, what "scep_craft.py open" prints.

use strict;
use warnings;

use Exporter qw( import );
use IO::Select;
use IO::Socket::INET;
use IPC::Open2 qw( open2 );
use JSON::PP ();

use PKI ();

our @EXPORT = qw( scep_ready scep_make scep_open scep_send scep_send_all
                  scep_ask scep_crl scep_brief scep_raw scep_recipient scep_pair
                  issued );

my %flags = map { $_ => 1 } qw( ca_true ca_false recipient_ski ber
                                no_envelope signer_ski mismatch no_cert
                                ms_extensions detached );

my ($pid, $owner, $to, $from);
my $count = 0;


sub craft {
    my (@args) = @_;

    if (!$pid) {
        $pid = open2($from, $to, '/usr/bin/python3', 't/tools/scep_craft.py',
                     'run');
        $owner = $$;
    }

    print $to JSON::PP->new->ascii->encode(\@args), "\n";
    $to->flush;

    my $line = <$from>;
    die "scep_craft.py is gone\n" if !defined $line;

    my $answer = JSON::PP::decode_json($line);
    return ($answer->{code} // 0, $answer->{out});
}


END {
    if ($pid && $owner == $$) {
        local $?;
        close $to;
        close $from;
        waitpid $pid, 0;
    }
}


sub scep_ready {
    my ($uri) = @_;

    return PKI::wait_ready(sub { (PKI::http_get($uri))[0] == 200 }, 20);
}


# What a message is for unless told otherwise: set it where the clock is turned,
# for an RA that is made anew is not offered at once.

our $recipient;

# Whom a message to an authority is for, and who issues, if another one.

sub scep_recipient {
    my ($name) = @_;

    my $ca = PKI::work_file("$name.pem");
    my $entry = eval { PKI::redis_cmd('HGET', "pki:{$name}:ra", 'current') };

    return ($ca) if !defined $entry;

    my $file = PKI::work_file("$name.ra");
    my $known = -e $file ? PKI::slurp($file) : '';

    if ($known ne $entry) {
        PKI::work_file("$name.ra", $entry);

        my (undef, $pem) = PKI::command('/usr/bin/python3',
                                        't/tools/ra_entry.py', 'cert', $file);
        PKI::work_file("$name-ra.pem", $pem);
    }

    return (PKI::work_file("$name-ra.pem"), $ca);
}


# The certificate of the RA beside that of an authority in the work directory,
# which has made it and recorded it; itself, if it has none.

sub ra_of {
    my ($ca) = @_;

    my ($name) = $ca =~ m{([^/]+)\.pem$};
    my $path = PKI::work_dir() . "/$name.ra";
    return $path if -s $path;

    for (@{ PKI::redis_cmd('ZRANGE', "pki:{$name}:issued", 0, -1) }) {
        my %record = @{ PKI::redis_cmd('HGETALL', "pki:{$name}:cert:$_") };
        next if $record{source} ne 'ra';

        my $der = PKI::work_file("$name.ra.der", $record{der});
        PKI::openssl('x509', '-inform', 'DER', '-in', $der, '-out', $path);
        return $path;
    }

    return $ca;
}


sub scep_make {
    my (%o) = @_;

    my $file = PKI::work_file('message' . ++$count . '.der');
    my ($ca, $issuer) = (delete $o{ca}, delete $o{issuer});
    ($ca, $issuer) = $recipient ? @$recipient : scep_recipient('demo')
        if !$ca;

    $o{key} = PKI::work_dir() . '/' . ($o{key} || 'client') . '.scep';

    my @args = ('make', '--ca', $ca, '--out', $file, '--get');

    for my $name (sort keys %o) {
        (my $option = "--$name") =~ s/_/-/g;

        if ($flags{$name}) {
            push @args, $option if $o{$name};
            next;
        }

        push @args, map { "$option=$_" }
                    ref $o{$name} ? @{ $o{$name} } : $o{$name};
    }

    my ($code, $out) = craft(@args);
    die "scep_craft.py: $out (@args)\n" if $code != 0;

    chomp $out;
    return { file => $file, ca => $ca, issuer => $issuer, get => $out,
             der => PKI::slurp($file) };
}


# Microsoft's EnrollmentNameValuePair in hex, of short texts.

sub scep_pair {
    my $texts = join '', map {
        "\x1e" . chr(2 * length) . pack 'n*', unpack 'C*'
    } @_;
    return unpack 'H*', "\x30" . chr(length $texts) . $texts;
}


# Takes an answer apart; options: cipher, cert (a file for the certificate).

sub scep_open {
    my ($message, $body, %o) = @_;

    my $reply = PKI::work_file('reply' . ++$count . '.der', $body);

    my (undef, $out) = craft(
        'open', '--ca', $message->{ca}, '--state', "$message->{file}.json",
        $message->{issuer} ? ('--issuer', $message->{issuer}) : (),
        $o{cipher} ? ('--cipher', $o{cipher}) : (),
        $o{cert} ? ('--cert-out', $o{cert}) : (), $reply);

    return eval { JSON::PP::decode_json($out) } // { errors => [ $out ] };
}


sub answer_of {
    my ($message, $status, $headers, $body, %o) = @_;

    my %answer = (http => $status, headers => $headers, body => $body);

    return \%answer
        if ($headers->{'content-type'} // '') ne 'application/x-pki-message';

    return { %answer, %{ scep_open($message, $body, %o) } };
}


# Options: get, query (more arguments), headers, cipher, cert.

sub scep_send {
    my ($uri, $message, %o) = @_;

    $uri .= '?operation=PKIOperation' if $uri !~ /\?/;

    my @answer = $o{get}
        ? PKI::http_get("$uri&message=$message->{get}",
                        headers => $o{headers})
        : PKI::http_post($uri, $message->{der},
                         headers => $o{headers}
                         || { 'Content-Type' => 'application/x-pki-message' },
                         timeout => $o{timeout});

    return answer_of($message, @answer, %o);
}


sub scep_ask {
    my ($uri, %what) = @_;

    my %o = map { $_ => delete $what{$_} }
            grep { exists $what{$_} } qw( get response_cipher cert );

    $o{cipher} = delete $o{response_cipher};

    return scep_send($uri, scep_make(%what), %o);
}


# All connections are open before the first message is sent.

sub scep_send_all {
    my ($uri, @messages) = @_;

    my @sockets = map {
        IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', Timeout => 5,
            PeerPort => Test::Nginx::Util::server_port_for_client())
            or die "connect: $!";
    } @messages;

    for my $i (0 .. $#messages) {
        my $der = $messages[$i]{der};
        syswrite $sockets[$i],
            "POST $uri?operation=PKIOperation HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\nContent-Length: " . length($der)
            . "\r\n\r\n$der";
    }

    return map {
        answer_of($messages[$_],
                  PKI::parse_response(PKI::read_all($sockets[$_], 15)))
    } 0 .. $#messages;
}


# A GetCRL about a certificate in a file; "cert" is a file for the CRL.

sub scep_crl {
    my ($uri, $about, %what) = @_;

    return scep_ask($uri, type => 22, about => $about, %what);
}


sub scep_brief {
    my ($r) = @_;

    return "HTTP $r->{http}" if !exists $r->{errors};

    return join ' ', grep { defined } $r->{status}, $r->{fail_info},
                                      @{ $r->{errors} };
}


# Octets to the server, its answer whatever it is: status, headers, body.

sub scep_raw {
    my (@parts) = @_;

    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', Timeout => 5,
        PeerPort => Test::Nginx::Util::server_port_for_client())
        or die "connect: $!";

    local $SIG{PIPE} = 'IGNORE';

    binmode $s;
    $s->autoflush(1);
    print $s $_ for @parts;

    return PKI::parse_response(PKI::read_all($s, 10));
}


sub issued {
    my ($authority) = @_;

    return scalar @{ PKI::redis_cmd('KEYS', "pki:{$authority}:cert:*") };
}

1;
