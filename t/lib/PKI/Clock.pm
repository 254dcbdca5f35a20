package PKI::Clock;

# The wall clock of nginx, and of nothing else, in the hands of a suite; the
# monotonic clock goes on as it does.  To be used before PKI, for nginx is
# started through a wrapper then:
#
#   use PKI::Clock;
#   use PKI;
#
#   clock_step(-3600);      nginx believes that it is an hour earlier
#   clock_step(0);          as it is

use strict;
use warnings;

use Exporter qw( import );
use File::Basename qw( dirname );
use File::Temp ();

our @EXPORT = qw( clock_step );

my $dir = File::Temp::tempdir('pki-clock-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $clock;


sub clock_step {
    my ($seconds) = @_;

    seek $clock, 0, 0;
    syswrite $clock, pack 'q', $seconds;
    return;
}


sub write_wrapper {
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

    open my $out, '>', "$dir/nginx" or die "$dir/nginx: $!";
    print $out "#!/bin/sh\n",
        "PKI_CLOCK=$dir/step LD_PRELOAD=$dir/clock.so exec $nginx \"\$@\"\n";
    close $out or die "$dir/nginx: $!";
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
    return;
}


open $clock, '+>', "$dir/step" or die "$dir/step: $!";
clock_step(0);

system($ENV{CC} || 'cc', '-shared', '-fPIC', '-O1', '-o', "$dir/clock.so",
       dirname(__FILE__) . '/../clock.c') == 0
    or die "the clock could not be compiled";

# a preloaded library comes before the sanitizer's, and is of no harm to it

$ENV{ASAN_OPTIONS} = join ',', grep { defined && length }
                     $ENV{ASAN_OPTIONS}, 'verify_asan_link_order=0';

write_wrapper();

1;
