package PKI;

# What every suite starts with:
#
#   use lib 't/lib';
#   use PKI;
#
#   redis_start();
#   http_config(authority('demo'));
#   run_tests();
#
#   __DATA__
#   === TEST 1: what is expected, in words
#   --- config
#   location /ocsp { ocsp_responder demo; }
#   --- request
#   ...
#
# It exports all of Test::Nginx::Socket and the functions below, and changes
# some defaults: a master with two workers; no plan needed; every block must
# leave no [alert], [crit] or [emerg] in its log, when nginx runs and when it
# stops, unless its own "error_log" section asks for one.
#
# Sections that it adds:
#
#   --- perl          code to run while nginx does, in package main: sees the
#                     suite's "our" variables; may use ok(), is(), like() and
#                     all functions here.  "request" is optional then.
#   --- no_defaults   neither pki_redis nor http_config() for this block
#
# Variables for use in configurations: $TEST_NGINX_SERVER_PORT,
# $TEST_NGINX_REDIS_PORT, $TEST_NGINX_REDIS_URL, and $TEST_NGINX_WORK, the
# suite's own directory: keys in it last from block to block.

use strict;
use warnings;

BEGIN { $ENV{TEST_NGINX_TIMEOUT} ||= 10 }

use File::Spec ();
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw( sleep time );

use PKI::Redis;                 # first: stopped after nginx

# Side by side with other suites: a port that no outgoing connection of theirs
# takes between two blocks, and a directory named after it.

my ($servroot, $suite_pid);

BEGIN {
    $suite_pid = $$;

    if (delete $ENV{TEST_NGINX_RANDOMIZE}) {
        my $port = PKI::Redis::free_port();

        $servroot = File::Spec->rel2abs("t/servroot_$port");
        $ENV{TEST_NGINX_SERVER_PORT} = $port;
        $ENV{TEST_NGINX_SERVROOT} = $servroot;
    }
}

END {
    if ($servroot && $$ == $suite_pid && !$ENV{TEST_NGINX_NO_CLEAN}) {
        local $?;
        system 'rm', '-rf', $servroot;
    }
}

use Test::Nginx::Socket ();

my @EXPORT = qw(
    redis redis_start redis_stop redis_kill redis_restart redis_pause
    redis_resume redis_cmd
    http_config authority key_vault work_dir work_file slurp free_port
    http http_get http_post command openssl wait_until
    wait_ready error_log nginx_pid worker_pids nginx_signal nginx_reload
);

my $work = File::Temp::tempdir('pki-test-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $redis;
my $http_config = '';

# an nginx that refuses its configuration does not free it

my $lsan_options = $ENV{LSAN_OPTIONS} || '';

$ENV{TEST_NGINX_WORK} = $work;


# Exports, and hands over to Test::Nginx as if the suite had called it.

sub import {
    my ($class, @plan) = @_;

    my $suite = caller;

    {
        no strict 'refs';
        *{"${suite}::$_"} = \&{$_} for @EXPORT;
    }

    @_ = ('Test::Nginx::Socket', @plan ? @plan : 'no_plan');
    goto &{ Test::Nginx::Socket->can('import') };
}


Test::Nginx::Socket::master_on();
Test::Nginx::Socket::workers(2);
Test::Nginx::Socket::worker_connections(512);
Test::Nginx::Socket::no_long_string();
Test::Nginx::Util::config_preamble("location = /_alive { return 204; }\n");

Test::Nginx::Util::add_block_preprocessor(sub {
    my ($block) = @_;

    add_http_config($block);
    add_log_checks($block);

    if (defined $block->perl && !defined $block->request
        && !defined $block->raw_request)
    {
        $block->set_value('request', 'GET /_alive');
        $block->set_value('error_code', 204);
    }
});

Test::Nginx::Socket::add_response_body_check(sub {
    my ($block) = @_;

    run_perl($block) if defined $block->perl;
});


sub add_http_config {
    my ($block) = @_;

    return if defined $block->no_defaults;

    my $config = join '', $http_config, $block->http_config // '';

    if ($redis && $config !~ /^\s*pki_redis\s/m) {
        $config = "pki_redis " . $redis->url . ";\n$config";
    }

    $block->set_value('http_config', $config);
}


sub add_log_checks {
    my ($block) = @_;

    my $expected = $block->error_log // '';
    $expected = join "\n", @$expected if ref $expected eq 'ARRAY';

    my @levels = grep { index($expected, $_) < 0 }
                 qw( [alert] [crit] [emerg] );

    if (defined $block->must_die) {
        @levels = grep { $_ ne '[emerg]' } @levels;
        $block->set_value('suppress_stderr', '1');
        $ENV{LSAN_OPTIONS} = "$lsan_options,detect_leaks=0";
        add_patterns($block, 'error_log', '[emerg]');

    } else {
        $ENV{LSAN_OPTIONS} = $lsan_options;
        add_patterns($block, 'no_shutdown_error_log', @levels);
    }

    add_patterns($block, 'no_error_log', @levels);
}


sub add_patterns {
    my ($block, $section, @patterns) = @_;

    my $own = $block->$section;

    my @own = !defined $own       ? ()
            : ref $own eq 'ARRAY' ? @$own
            : ref $own            ? ($own)
            :                       grep { length } split /\n+/, $own;

    my %seen = map { $_ => 1 } @own;

    $block->set_value($section, [ @own, grep { !$seen{$_} } @patterns ]);
}


sub run_perl {
    my ($block) = @_;

    my $name = $block->name;
    (my $label = $name) =~ s/["\n]/ /g;

    eval "package main; use strict; use warnings;\n"
         . "#line 1 \"$label, perl\"\n" . $block->perl . "\n; 1"
        or Test::More::fail("$name - died: $@");
}


# Redis

sub redis { return $redis }

# Starts the suite's Redis; options as in PKI::Redis.

sub redis_start {
    my (%option) = @_;

    if ($redis) {
        $redis->start;

    } else {
        $redis = PKI::Redis->new(%option);
    }

    $ENV{TEST_NGINX_REDIS_PORT} = $redis->port;
    $ENV{TEST_NGINX_REDIS_URL} = $redis->url;

    return $redis;
}

sub redis_stop    { return $redis->stop }
sub redis_kill    { return $redis->kill }
sub redis_restart { return $redis->restart }
sub redis_pause   { return $redis->pause }
sub redis_resume  { return $redis->resume }
sub redis_cmd     { return $redis->command(@_) }


# configuration and files

# What every block of the suite has in http{}, before its own http_config.

sub http_config { $http_config .= join "\n", @_, ''; return }

# An authority whose key and certificate live in the work directory; options:
# key => 'ec:P-256' what "create" makes, more => further directives.
#
# With PKI_KEY=vault in the environment the key is in a key vault instead, with
# PKI_KEY=vault-ec it is an EC key there, and there is an RA for SCEP.

sub authority {
    my ($name, %option) = @_;

    my $key = $option{key} || 'rsa:2048';
    my $more = $option{more} || '';
    my $place = "file:$work/$name.key";

    if (my $kind = $ENV{PKI_KEY}) {
        key_vault();
        $place = "keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/$name";

        if ($kind eq 'vault-ec' && $key =~ /^rsa/) {
            $key = 'ec:P-256';
            $more .= "\n    ra auto;" if $more !~ /^\s*ra\s/m;
        }
    }

    return <<"END";
pki_authority $name {
    subject     "CN=$name CA,O=Test";
    key         $place;
    certificate $work/$name.pem;
    create      $key validity=3650d;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
    $more
}
END
}

# Starts the simulator of Azure and says where it is, once.

sub key_vault {
    require PKI::Azure;
    return if $ENV{TEST_NGINX_AZURE_VAULT};

    PKI::Azure::start_azure();
    http_config(<<'END');
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
pki_key_vault rate=0;
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:$TEST_NGINX_AZURE_HTTP_PORT;
}
END
    return;
}

sub work_dir { return $work }

# Writes a file of the work directory, mode 0600, and returns its path; without
# content only tells the path.

sub work_file {
    my ($name, $content) = @_;

    my $path = "$work/$name";

    if (defined $content) {
        my $umask = umask 0077;
        open my $out, '>:raw', $path or die "$path: $!";
        print $out $content;
        close $out or die "$path: $!";
        umask $umask;
    }

    return $path;
}

sub slurp {
    my ($path) = @_;

    open my $in, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar <$in>;
}

sub free_port { return PKI::Redis::free_port() }


# HTTP

# One request on a connection of its own.  Options: body, headers (hash
# reference), port, timeout, version ('1.1').  Returns status, headers (names
# in lower case; repeated ones joined by ", "), body; the status is 0 if there
# was no answer.

sub http {
    my ($method, $uri, %option) = @_;

    my $timeout = $option{timeout} || 10;
    my $s = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', Timeout => $timeout,
        PeerPort => $option{port}
                    || Test::Nginx::Util::server_port_for_client())
        or return (0, {}, '');

    binmode $s;
    $s->autoflush(1);

    my %headers = (Host => 'localhost', Connection => 'close',
                   %{ $option{headers} || {} });

    $headers{'Content-Length'} //= length $option{body}
        if defined $option{body} && !exists $headers{'Transfer-Encoding'};

    local $SIG{PIPE} = 'IGNORE';

    print $s "$method $uri HTTP/" . ($option{version} || '1.1') . "\r\n",
        map({ "$_: $headers{$_}\r\n" } sort keys %headers),
        "\r\n", $option{body} // '';

    return parse_response(read_all($s, $timeout));
}

sub http_get {
    my ($uri, %option) = @_;
    return http('GET', $uri, %option);
}

sub http_post {
    my ($uri, $body, %option) = @_;
    return http('POST', $uri, %option, body => $body);
}

sub read_all {
    my ($s, $timeout) = @_;

    my $all = '';
    my $end = time + $timeout;

    while ((my $left = $end - time) > 0) {
        my $bits = '';
        vec($bits, fileno $s, 1) = 1;
        next unless select $bits, undef, undef, $left;
        last unless sysread $s, $all, 65536, length $all;
    }

    return $all;
}

sub parse_response {
    my ($all) = @_;

    my ($head, $body) = split /\r\n\r\n/, $all, 2;
    return (0, {}, '') unless defined $head
                              && $head =~ s{^HTTP/\S+ (\d+)[^\r\n]*}{};

    my $status = $1;
    my %headers;

    for (split /\r\n/, $head) {
        my ($name, $value) = /^([^:]+):\s*(.*)/ or next;
        $name = lc $name;
        $headers{$name} = defined $headers{$name}
                          ? "$headers{$name}, $value" : $value;
    }

    $body //= '';
    $body = unchunk($body) if ($headers{'transfer-encoding'} // '') =~ /chunk/;

    return ($status, \%headers, $body);
}

sub unchunk {
    my ($in) = @_;

    my $out = '';

    while ($in =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1;
        last unless $size;
        $out .= substr $in, 0, $size, '';
        $in =~ s/^\r\n//;
    }

    return $out;
}


# programs

# Runs a program, without a shell; a last argument that is a hash reference
# may hold its input: { in => $bytes }.  Returns exit code, output, error
# output.

sub command {
    my (@words) = @_;

    my $option = ref $words[-1] eq 'HASH' ? pop @words : {};
    my $in = File::Temp->new;
    my $out = File::Temp->new;
    my $err = File::Temp->new;

    binmode $in;
    print $in $option->{in} // '';
    close $in;

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', $in->filename;
        open STDOUT, '>', $out->filename;
        open STDERR, '>', $err->filename;
        { exec { $words[0] } @words };
        POSIX::_exit(127);
    }

    waitpid $pid, 0;
    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    return ($code, slurp($out->filename), slurp($err->filename));
}

# Output of openssl; dies with its complaint if it fails.

sub openssl {
    my ($code, $out, $err) = command('openssl', @_);

    die "openssl @_[0 .. ($#_ > 3 ? 3 : $#_)]: $err" if $code != 0;

    return $out;
}


# time and processes

# Waits until a node of two workers is ready: when one of them says so, the
# other one, whose word it is not, follows within a moment.

sub wait_ready {
    my ($is_ready, $seconds) = @_;

    return wait_until($is_ready, $seconds) && (sleep(0.5), 1);
}

# Waits until the function returns something true, and returns that; nothing
# if it did not within the time (default 40 seconds).

sub wait_until {
    my ($ready, $timeout) = @_;

    my $end = time + ($timeout || 40);

    while (1) {
        my $result = $ready->();
        return $result if $result;
        return if time > $end;
        sleep 0.05;
    }
}

sub error_log { return slurp($Test::Nginx::Util::ErrLogFile) }

sub nginx_pid { return Test::Nginx::Util::get_pid_from_pidfile('') }

sub worker_pids {
    my $master = nginx_pid();
    my @workers;

    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $stat or next;
        my $line = <$in> // next;
        my ($pid, $parent) = $line =~ /^(\d+) \(.*\) \S (\d+)/s or next;
        push @workers, $pid if $parent == $master;
    }

    @workers = sort { $a <=> $b } @workers;

    return @workers;
}

sub nginx_signal {
    my ($signal) = @_;

    return kill $signal, nginx_pid();
}

# Reloads, and returns when the old workers are gone (true) or are not after
# the time (false).

sub nginx_reload {
    my ($timeout) = @_;

    my %old = map { $_ => 1 } worker_pids();

    nginx_signal('HUP');

    return wait_until(sub {
        my @now = worker_pids();
        return @now && !grep { $old{$_} } @now;
    }, $timeout);
}

1;
