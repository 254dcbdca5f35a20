package PKI::Redis;

# A private Redis server for one suite, and a client for it.
#
#   my $redis = PKI::Redis->new(appendonly => 1, password => 'x',
#                               socket => 1, args => ['--maxclients', 10],
#                               config => 'conf/redis.conf');
#
#   $redis->stop; $redis->kill; $redis->start; $redis->restart;
#   $redis->pause; $redis->resume;          stops answering, and goes on
#   $redis->command('HGETALL', $key);       list reply: an array reference
#   $redis->port, ->dir, ->pid, ->url, ->log
#
# A server keeps its port and its directory over stop and start.  What is
# left running at the end of the suite is killed.

use strict;
use warnings;

use Fcntl qw( LOCK_EX LOCK_NB );
use File::Spec ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw( sleep time );

my %running;    # pid => pid of the suite: forked children leave it alone
my %port_locks; # port => lock on it, held by this suite


# A port for this suite alone, below those of outgoing connections.

sub free_port {
    my $dir = File::Spec->tmpdir . "/pki-test-ports-$<";
    mkdir $dir, 0700;

    for (1 .. 1000) {
        my $port = 20000 + int rand 12000;

        next if $port_locks{$port};
        open my $lock, '>', "$dir/$port" or die "$dir/$port: $!";
        next unless flock $lock, LOCK_EX | LOCK_NB;

        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '0.0.0.0',
                                      LocalPort => $port) or next;
        close $s;

        $port_locks{$port} = $lock;
        return $port;
    }

    die "no free port";
}


sub new {
    my ($class, %option) = @_;

    my $self = bless { %option, port => free_port(),
                       dir => File::Temp::tempdir(CLEANUP => 1) }, $class;

    return $self->start;
}


sub port { return $_[0]{port} }
sub dir  { return $_[0]{dir} }
sub pid  { return $_[0]{pid} }


# As the pki_redis directive wants it.

sub url {
    my ($self) = @_;

    return "redis+unix:$self->{dir}/redis.sock" if $self->{socket};
    return "redis://127.0.0.1:$self->{port}/0";
}


sub start {
    my ($self) = @_;

    return $self if $self->{pid};

    my @args = ('--port', $self->{port}, '--bind', '127.0.0.1',
                '--dir', $self->{dir}, '--logfile', "$self->{dir}/redis.log");

    if ($self->{config}) {
        unshift @args, $self->{config};

    } else {
        push @args, '--save', '', '--appendfsync', 'always',
             '--appendonly', $self->{appendonly} ? 'yes' : 'no';
    }

    push @args, '--unixsocket', "$self->{dir}/redis.sock" if $self->{socket};
    push @args, '--requirepass', $self->{password} if $self->{password};
    push @args, @{ $self->{args} || [] };

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        { exec 'redis-server', @args };
        POSIX::_exit(127);
    }

    $running{$pid} = $$;
    $self->{pid} = $pid;

    for (1 .. 400) {
        my $pong = eval { $self->command('PING') };
        return $self if defined $pong && $pong eq 'PONG';

        die "redis-server did not start, see $self->{dir}/redis.log"
            if waitpid($pid, POSIX::WNOHANG()) == $pid;

        sleep 0.025;
    }

    die "redis-server does not answer";
}


sub signal_and_wait {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return $self;

    close delete $self->{client} if $self->{client};

    CORE::kill('CONT', $pid);
    CORE::kill($signal, $pid);
    waitpid $pid, 0;
    delete $running{$pid};

    return $self;
}


sub stop    { return $_[0]->signal_and_wait('TERM') }
sub kill    { return $_[0]->signal_and_wait('KILL') }
sub restart { return $_[0]->stop->start }
sub pause   { CORE::kill('STOP', $_[0]{pid}); return $_[0] }
sub resume  { CORE::kill('CONT', $_[0]{pid}); return $_[0] }


sub log {
    my ($self) = @_;

    open my $in, '<', "$self->{dir}/redis.log" or return '';
    local $/;
    return scalar <$in>;
}


# Sends one command and returns its reply; dies of an error reply.

sub command {
    my ($self, @words) = @_;

    my $client = $self->{client} || $self->connect;

    print $client '*', scalar(@words), "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @words;

    my $reply = eval { $self->read_reply($client) };

    if ($@) {
        my $error = $@;
        close delete $self->{client} if $error !~ /^reply: / && $self->{client};
        die $error;
    }

    return $reply;
}


sub connect {
    my ($self) = @_;

    my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $self->{port},
                                       Timeout => 5)
        or die "redis: $!";

    binmode $client;
    $client->autoflush(1);
    $self->{client} = $client;

    $self->command('AUTH', $self->{password}) if $self->{password};

    return $client;
}


sub read_reply {
    my ($self, $client) = @_;

    my $line = do { local $/ = "\r\n"; <$client> };
    die "redis: connection closed" unless defined $line;

    $line =~ s/\r\n\z//;
    my $type = substr $line, 0, 1, '';

    return $line         if $type eq '+' || $type eq ':';
    die "reply: $line\n" if $type eq '-';
    return undef         if $line == -1;

    if ($type eq '*') {
        my @list;
        push @list, $self->read_reply($client) for 1 .. $line;
        return \@list;
    }

    my $left = $line + 2;
    my $value = '';

    while ($left > 0) {
        my $n = read $client, $value, $left, length $value;
        die "redis: connection closed" unless $n;
        $left -= $n;
    }

    return substr $value, 0, $line;
}


END {
    local $?;

    for my $pid (keys %running) {
        next unless $running{$pid} == $$;
        CORE::kill('KILL', $pid);
        waitpid $pid, 0;
    }
}

1;
