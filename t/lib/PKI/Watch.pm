package PKI::Watch;

# OCSP asked all the time, in a process of its own, while something happens;
# and whether an answer contradicted what was so by then.
#
#   use PKI::Watch;
#
#   my ($der) = ocsp_make({});                  one CertID, no extensions
#   is(ocsp_told($body, $der), 'good');         quickly, nothing is verified
#
#   my $watch = ocsp_watch($port, '/ocsp', @ders);
#   revoke($certs[0]);
#   my @spans = [ 0, time, $FOREVER, 'revoked' ];   certificate, from, until
#   my @seen = stop_watching($watch);           all of them end together
#   is_deeply([ contradictions(\@seen, @spans) ], []);
#
# What was seen is [certificate, sent, received, what was told].

use strict;
use warnings;

use Exporter qw( import );
use IO::Socket::INET;
use Time::HiRes qw( sleep time );

use PKI ();
use PKI::Load ();
use PKI::OCSP ();

our @EXPORT = qw( ocsp_told ocsp_watch stop_watching contradictions
                  $FOREVER );

our $FOREVER = 2 ** 40;

my $CONNECTIONS = 6;
my $PAUSE = 0.002;  # that leaves the processor to others, too
my $CERT_ID = 8;    # where it begins in such a request


# good, revoked, unknown, "try later", or "nothing" of that certificate.

sub ocsp_told {
    my ($body, $der) = @_;

    return 'try later' if $body eq $PKI::OCSP::TRY_LATER;

    my $id = substr $der, $CERT_ID;
    my $at = index $body, $id;
    my $status = $at < 0 ? '' : substr $body, $at + length $id, 2;

    return $status eq "\x80\x00" ? 'good'
         : $status =~ /^\xa1/    ? 'revoked'
         : $status eq "\x82\x00" ? 'unknown' : 'nothing';
}


sub ocsp_watch {
    my ($port, $uri, @ders) = @_;

    my $stop = PKI::work_file('stop');
    unlink $stop;

    my @requests = map {
        "POST $uri HTTP/1.1\r\nHost: a\r\nContent-Length: " . length($_)
        . "\r\n\r\n$_"
    } @ders;

    return PKI::Load::beside(sub {
        my (@seen, @sockets);
        my $n = 0;

        local $SIG{PIPE} = 'IGNORE';

        while (!-e $stop) {
            my @asked = map { $n++ % @ders } 1 .. $CONNECTIONS;
            my $sent = time;

            for (0 .. $#asked) {
                $sockets[$_] ||= IO::Socket::INET->new(
                    PeerAddr => '127.0.0.1', PeerPort => $port) or next;
                syswrite $sockets[$_], $requests[ $asked[$_] ];
            }

            for (0 .. $#asked) {
                my $body = $sockets[$_] && read_body($sockets[$_]);
                my $told = defined $body ? ocsp_told($body, $ders[$asked[$_]])
                                         : 'gone';

                undef $sockets[$_] if $told eq 'gone';
                push @seen, [ $asked[$_], $sent, time, $told ];
            }

            sleep $PAUSE;
        }

        return \@seen;
    });
}


# Nothing if the connection was closed instead.

sub read_body {
    my ($s) = @_;

    my $in = '';

    while (sysread $s, $in, 65536, length $in) {
        my ($head, $body) = split /\r\n\r\n/, $in, 2;
        next if !defined $body;

        my ($length) = $head =~ /^content-length: (\d+)/im or return;
        return $body if length $body >= $length;
    }

    return;
}


sub stop_watching {
    my (@watches) = @_;

    PKI::work_file('stop', '');

    return map { @{ $_->() } } @watches;
}


# What was asked and answered within a span, and said something else; in words.

sub contradictions {
    my ($seen, @spans) = @_;

    my @found;

    for (@spans) {
        my ($cert, $from, $until, $expected) = @$_;

        push @found, map {
            sprintf '%d: %s, not %s, after %.3f s', $cert, $_->[3], $expected,
                    $_->[1] - $from
        } grep {
            $_->[0] == $cert && $_->[1] > $from && $_->[2] < $until
                && $_->[3] ne $expected && $_->[3] ne 'gone'
        } @$seen;
    }

    return @found;
}

1;
