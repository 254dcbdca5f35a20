package PKI::Load;

# Many HTTP requests at a time, from one process; what runs beside the suite.
#
#   use PKI::Load;
#
#   my @csrs = load_csrs(1000, 'name');            PEM, of one key
#   my @answers = load(port => $port, connections => 200,
#                      requests => [ map { ['/enroll', $_] } @csrs ]);
#   is($answers[0]{status}, 201);                  headers, body, seconds
#   load_leave(port => $port, requests => [...]);  sends, and hangs up
#
#   my $load = beside(sub { ... return \%data });  in a process of its own
#   my $data = $load->();                          waits for its end
#
# Requests are URI and body for a POST, or URI alone for a GET, and a hash
# reference with headers.  Connections are kept alive; each sends its next
# request when it has the answer to the one before.

use strict;
use warnings;

use Exporter qw( import );
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw( decode_base64 );
use POSIX ();
use Storable ();
use Time::HiRes qw( sleep time );

use PKI ();

our @EXPORT = qw( load load_csrs load_leave load_tally load_serial beside );


sub load_csrs {
    my ($count, $prefix) = @_;

    my ($code, $out, $err) =
        PKI::command('/usr/bin/python3', 't/tools/csr_many.py', $count,
                     $prefix || 'device');
    die $err if $code;

    return $out =~ /(-----BEGIN.*?-----END[^\n]*\n)/gs;
}


sub load {
    my (%o) = @_;

    my @requests = map { octets($_) } @{ $o{requests} };
    my $end = time + ($o{timeout} || 60);
    my $select = IO::Select->new;
    my $next = 0;
    my @answers;
    my %lanes;

    local $SIG{PIPE} = 'IGNORE';

    while ($next < @requests && keys %lanes < ($o{connections} || 8)) {
        my $lane = { port => $o{port}, select => $select };
        lane_open($lane, \%lanes);
        lane_send($lane, \@requests, $next++);
    }

    while (%lanes && time < $end) {
        for my $s ($select->can_read(0.5)) {
            my $lane = $lanes{$s};
            my $done = lane_read($lane, \@answers) or next;

            if ($next >= @requests || $done eq 'closed') {
                lane_close($lane, \%lanes);
                next if $next >= @requests;
                lane_open($lane, \%lanes);
            }

            lane_send($lane, \@requests, $next++);
        }
    }

    return map { $_ // { status => 0, headers => {}, body => '' } }
           @answers[0 .. $#requests];
}


sub octets {
    my ($request) = @_;

    my ($uri, $body, $headers) = @$request;
    my $method = defined $body ? 'POST' : 'GET';
    my %headers = (Host => 'localhost', %{ $headers || {} });

    $headers{'Content-Length'} = length $body if defined $body;

    return join '', "$method $uri HTTP/1.1\r\n",
                    map({ "$_: $headers{$_}\r\n" } sort keys %headers),
                    "\r\n", $body // '';
}


sub lane_open {
    my ($lane, $lanes) = @_;

    $lane->{socket} = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $lane->{port}, Timeout => 10)
        or die "connect: $!";

    binmode $lane->{socket};
    $lane->{select}->add($lane->{socket});
    $lanes->{ $lane->{socket} } = $lane;
}


sub lane_close {
    my ($lane, $lanes) = @_;

    $lane->{select}->remove($lane->{socket});
    delete $lanes->{ $lane->{socket} };
    close delete $lane->{socket};
}


sub lane_send {
    my ($lane, $requests, $number) = @_;

    @$lane{'number', 'in', 'started'} = ($number, '', time);
    syswrite $lane->{socket}, $requests->[$number];
}


# "kept" or "closed" when the answer is complete, or will never be.

sub lane_read {
    my ($lane, $answers) = @_;

    my $n = sysread $lane->{socket}, $lane->{in}, 65536, length $lane->{in};
    my ($head, $body) = split /\r\n\r\n/, $lane->{in}, 2;
    my $length = defined $body && $head =~ /^content-length:\s*(\d+)/im
                 ? $1 : undef;

    return if $n && !(defined $length && length $body >= $length);

    my ($status, $headers, $content) = PKI::parse_response($lane->{in});

    $answers->[ $lane->{number} ] = {
        status => $status, headers => $headers, body => $content,
        seconds => time - $lane->{started},
    };

    return $n && ($headers->{connection} // '') ne 'close' ? 'kept' : 'closed';
}


# Sends each request on a connection of its own, and closes that after the
# time: nobody waits for an answer.

sub load_leave {
    my (%o) = @_;

    my @sockets = map {
        my $lane = { port => $o{port}, select => IO::Select->new };
        lane_open($lane, {});
        syswrite $lane->{socket}, octets($_);
        $lane->{socket};
    } @{ $o{requests} };

    sleep($o{after} // 0.1);
    close $_ for @sockets;

    return;
}


# How many answers there are of each status.

sub load_tally {
    my %tally;
    $tally{ $_->{status} }++ for @_;
    return \%tally;
}


# The serial number of the first certificate of an answer, as in Redis: hex.

sub load_serial {
    my ($answer) = @_;

    my ($text) = $answer->{body}
                 =~ /-----BEGIN CERTIFICATE-----\n(.*?)-----END/s or return '';
    my $der = decode_base64($text);

    # Certificate, tbsCertificate, version 3, and the number

    $der =~ /^\x30\x82..\x30\x82..\xa0\x03\x02\x01\x02\x02(.)/gs or return '';

    return unpack 'H*', substr $der, pos $der, ord $1;
}


# Runs the function in another process; what it returns must be a reference.

sub beside {
    my ($function) = @_;

    my $file = File::Temp->new;
    my $pid = fork() // die "fork: $!";

    if (!$pid) {
        my $result = eval { $function->() } // { died => "$@" };
        Storable::nstore($result, $file->filename);
        POSIX::_exit(0);
    }

    return sub {
        waitpid $pid, 0;
        return Storable::retrieve($file->filename);
    };
}

1;
