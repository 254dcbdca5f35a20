package PKI::Relay;

# A way for TCP that can be cut, blocked, and led to somewhere else.
#
#   my $relay = PKI::Relay->new($port);     leads to 127.0.0.1:$port
#
#   $relay->cut;              connections break, new ones are refused
#   $relay->block;            nothing gets through any more, nobody is told
#   $relay->lead($port);      after either: new connections get there
#   $relay->port
#
# What is left running at the end of the suite is killed.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();

use PKI::Redis ();

my %running;    # pid => pid of the suite: forked children leave it alone


sub new {
    my ($class, $to) = @_;

    my $self = bless { port => PKI::Redis::free_port() }, $class;

    return $self->lead($to);
}

sub port { return $_[0]{port} }


sub cut {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return $self;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    delete $running{$pid};

    return $self;
}

sub block { kill 'STOP', $_[0]{pid}; return $_[0] }


sub lead {
    my ($self, $to) = @_;

    $self->cut;
    $self->{to} = $to if $to;

    my $listening = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $self->{port}, Listen => 64,
        ReuseAddr => 1) or die "relay: $!";

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        eval { relay($listening, $self->{to}) };
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    $running{$pid} = $$;

    return $self;
}


sub relay {
    my ($listening, $to) = @_;

    my $select = IO::Select->new($listening);
    my %other;

    $SIG{PIPE} = 'IGNORE';

    while (1) {
        for my $s ($select->can_read) {

            if ($s == $listening) {
                my $near = $listening->accept or next;
                my $far = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                PeerPort => $to) or next;
                @other{ $near, $far } = ($far, $near);
                $select->add($near, $far);
                next;
            }

            my $other = $other{$s} or next;
            my $octets;

            next if sysread($s, $octets, 65536) && print_all($other, $octets);

            $select->remove($s, $other);
            delete @other{ $s, $other };
            close $_ for $s, $other;
        }
    }
}

sub print_all {
    my ($s, $octets) = @_;

    while (length $octets) {
        my $n = syswrite $s, $octets or return;
        substr $octets, 0, $n, '';
    }

    return 1;
}


END {
    local $?;

    for my $pid (keys %running) {
        next unless $running{$pid} == $$;
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
}

1;
