# The module does no harm where it is loaded and not used.  What it does when
# used is in the other suites.

use lib 't/lib';
use PKI;

our $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

# Starts nginx with a configuration of one's own, stops it, and returns its
# exit code and its log.

sub start_and_quit {
    my ($config) = @_;

    my $dir = File::Temp::tempdir(CLEANUP => 1);
    my $user = $> == 0 ? 'user root;' : '';
    my $load = join ' ', map { "load_module $_;" }
               split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

    open my $out, '>', "$dir/nginx.conf" or die $!;
    print $out <<"END";
$load $user
error_log $dir/error.log info;
pid $dir/nginx.pid;
worker_processes 2;
$config
END
    close $out;

    my ($code, undef, $err) = command($nginx, '-e', "$dir/error.log",
                                      '-p', $dir, '-c', "$dir/nginx.conf");
    return ($code, $err) if $code != 0;

    wait_until(sub { -s "$dir/nginx.pid" });
    wait_until(sub {
        my @started = slurp("$dir/error.log") =~ /start worker process \d+/g;
        return @started == 2;
    });

    kill 'QUIT', slurp("$dir/nginx.pid") + 0;

    wait_until(sub { ! -e "$dir/nginx.pid" }) or return (1, 'does not quit');

    return (0, slurp("$dir/error.log"));
}

run_tests();

__DATA__

=== TEST 1: http{} without a directive of the module
--- config
--- request
GET /_alive
--- error_code: 204
--- no_error_log
[error]



=== TEST 2: no http{} at all: starts and quits clean
--- config
--- perl
my ($code, $log) = start_and_quit('events {}');
is($code, 0, 'quits clean') or diag $log;
unlike($log, qr/\[(?:alert|crit|emerg|error)\]|signal 11/, 'nothing bad');
like($log, qr/worker process \d+ exited with code 0/, 'workers end well');



=== TEST 3: http{} without a server
--- config
--- perl
my ($code, $log) = start_and_quit('events {} http {}');
is($code, 0, 'quits clean') or diag $log;
unlike($log, qr/\[(?:alert|crit|emerg|error)\]|signal 11/, 'nothing bad');



=== TEST 4: a reload
--- config
--- perl
ok(nginx_reload(), 'the old workers are gone');
ok(nginx_reload(), 'once more');
my ($status) = http_get('/_alive');
is($status, 204, 'serves');
