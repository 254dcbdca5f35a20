package PKI::Nginx;

# An nginx beside that of Test::Nginx: a second node, or a configuration of
# its own.
#
#   my $nginx = PKI::Nginx->new(http => $text, server => $text);
#   my $nginx = PKI::Nginx->new(file => 'conf/x.conf', edit => sub { ... });
#
#   my ($code, $said) = $nginx->test;      nginx -t
#   $nginx->start;                         does not wait for anything
#   $nginx->configure(http => $text, server => $text);
#   $nginx->reload;                        true when the old workers are gone
#   $nginx->stop;                          true if it ended well, by itself
#   $nginx->kill;                          with all workers, at once
#   http_get('/probe', port => $nginx->port);
#   $nginx->prefix, ->pid, ->workers, ->log, ->said
#
# It runs in a directory of its own, with two workers.  What is left running
# at the end of the suite is killed.

use strict;
use warnings;

use File::Temp ();
use POSIX ();
use Time::HiRes qw( sleep time );

use PKI::Redis ();

my %running;    # pid => pid of the suite: forked children leave it alone


sub new {
    my ($class, %option) = @_;

    my $self = bless { port => PKI::Redis::free_port(),
                       prefix => File::Temp::tempdir(CLEANUP => 1) }, $class;

    mkdir "$self->{prefix}/$_" for qw( conf logs temp );

    return $self->configure(%option);
}


sub port   { return $_[0]{port} }
sub prefix { return $_[0]{prefix} }
sub pid    { return $_[0]{pid} }


# Writes the configuration: the content of http{} and server{}, with whatever
# $TEST_NGINX_ variables it has, or a whole file after "edit" has changed it
# (in $_).

sub configure {
    my ($self, %option) = @_;

    my $text;

    if ($option{file}) {
        local $_ = read_file($option{file});
        $option{edit}->() if $option{edit};
        $text = $_;

    } else {
        $text = $self->frame(%option);
    }

    $text =~ s/\$TEST_NGINX_SERVER_PORT/$self->{port}/g;
    $text =~ s/\$(TEST_NGINX_\w+)/$ENV{$1} \/\/ die "no $1"/ge;

    open my $out, '>', "$self->{prefix}/conf/nginx.conf" or die $!;
    print $out $text;
    close $out or die $!;

    return $self;
}


sub frame {
    my ($self, %option) = @_;

    my $modules = join '', map { "load_module $_;\n" }
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';
    my $user = $> == 0 ? "user root;\n" : '';
    my $temp = join '', map { "${_}_temp_path temp/$_;\n" }
               qw( client_body proxy fastcgi uwsgi scgi );

    $option{$_} //= '' for qw( http server );

    return <<"END";
$modules${user}worker_processes 2;
error_log logs/error.log info;
pid logs/nginx.pid;
events { worker_connections 256; }
http {
$temp
access_log logs/access.log;
$option{http}
server {
listen 127.0.0.1:$self->{port};
$option{server}
}
}
END
}


sub words {
    my ($self, @more) = @_;

    return ($ENV{TEST_NGINX_BINARY} || 'nginx', '-p', "$self->{prefix}/",
            '-c', 'conf/nginx.conf', '-e', 'logs/error.log', @more);
}


# Returns the exit code and what nginx said.

sub test {
    my ($self) = @_;

    my $pid = $self->spawn('test.txt', \&leaks, $self->words('-t'));
    waitpid $pid, 0;

    return ($? >> 8, read_file("$self->{prefix}/test.txt"));
}


# nginx itself frees nothing when a configuration is wrong: to "prepare" for.

sub leaks {
    $ENV{LSAN_OPTIONS} = join ',', $ENV{LSAN_OPTIONS} // (), 'detect_leaks=0';
}


# "prepare" is called in the process that becomes nginx.

sub start {
    my ($self, %option) = @_;

    return $self if $self->{pid};

    my $pid = $self->spawn('said.txt', $option{prepare},
                           $self->words('-g', 'daemon off;'));
    $running{$pid} = $$;
    $self->{pid} = $pid;

    return $self;
}


sub spawn {
    my ($self, $file, $prepare, @words) = @_;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{prefix}/$file";
        open STDERR, '>&', \*STDOUT;
        $prepare->() if $prepare;
        delete $ENV{NGINX};
        { exec { $words[0] } @words };
        POSIX::_exit(127);
    }

    return $pid;
}


# Whether it has ended; its exit code is then in $nginx->{code}.

sub ended {
    my ($self, $timeout) = @_;

    my $pid = $self->{pid} or return 1;
    my $end = time + ($timeout || 0);

    while (waitpid($pid, POSIX::WNOHANG()) != $pid) {
        return if time > $end;
        sleep 0.02;
    }

    $self->{code} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    delete $running{$pid};
    delete $self->{pid};

    return 1;
}


sub stop {
    my ($self) = @_;

    my $pid = $self->{pid} or return 1;

    CORE::kill('QUIT', $pid);
    return $self->{code} == 0 if $self->ended(15);

    CORE::kill('KILL', $self->workers, $pid);
    $self->ended(5);

    return;
}


# As if the machine had failed.

sub kill {
    my ($self) = @_;

    my $pid = $self->{pid} or return;

    CORE::kill('KILL', $pid, $self->workers);

    return $self->ended(5);
}


sub workers {
    my ($self) = @_;

    my $pid = $self->{pid} or return;
    open my $in, '<', "/proc/$pid/task/$pid/children" or return;

    return split ' ', <$in> // '';
}


sub reload {
    my ($self, $timeout) = @_;

    my %old = map { $_ => 1 } $self->workers;
    my $end = time + ($timeout || 15);

    CORE::kill('HUP', $self->{pid});

    while (time < $end) {
        my @now = $self->workers;
        return 1 if @now && !grep { $old{$_} } @now;
        sleep 0.05;
    }

    return;
}


sub log  { return read_file("$_[0]{prefix}/logs/error.log") }
sub said { return read_file("$_[0]{prefix}/said.txt") }


sub read_file {
    my ($path) = @_;

    open my $in, '<', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}


END {
    local $?;

    for my $pid (keys %running) {
        next unless $running{$pid} == $$;

        open my $in, '<', "/proc/$pid/task/$pid/children";
        my @workers = $in ? split ' ', <$in> // '' : ();

        CORE::kill('KILL', $pid, @workers);
        waitpid $pid, 0;
    }
}

1;
