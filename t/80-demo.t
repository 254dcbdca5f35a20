# conf/run.sh and conf/run-intune.sh: what "make run" and "make run-intune"
# promise, on free ports and in a directory of their own.

use strict;
use warnings;

use lib 't/lib';

use File::Basename qw( dirname );
use File::Temp ();
use Test::More;

use PKI::Redis;

die "strongSwan pki is not installed\n"
    if system('command -v pki > /dev/null') != 0;

my ($module) = split ' ', $ENV{TEST_NGINX_LOAD_MODULES} || '';

die "no module in TEST_NGINX_LOAD_MODULES\n" unless $module;

my $dir = File::Temp::tempdir(CLEANUP => 1);

$ENV{BUILD} = dirname($module);
$ENV{PKI_NGINX} = $ENV{TEST_NGINX_BINARY};
$ENV{RUN} = "$dir/run";
$ENV{ONCE} = 1;
$ENV{PORT} = PKI::Redis::free_port();
$ENV{REDIS_PORT} = PKI::Redis::free_port();

for my $time (1 .. 2) {
    my $said = `timeout 120 conf/run.sh 2>&1`;

    is($?, 0, "start $time: ends well") or diag $said;
    like($said, qr/cert\.pem: good$/m, 'found good');
    like($said, qr/cert\.pem: revoked$/m, 'found revoked');
    like($said, qr/^run: a device was enrolled.*\Z/m, 'the last line');

    my $challenge = slurp("$dir/run/conf/challenge");
    chomp $challenge;

    for my $log ('error.log', 'access.log') {
        unlike(slurp("$dir/run/logs/$log"), qr/\Q$challenge/,
               "no challenge in $log");
    }

    is((stat "$dir/run/conf/demo.key")[2] & 0777, 0600, 'mode of the key');
}

$ENV{RUN} = "$dir/run-intune";
$ENV{$_} = PKI::Redis::free_port() for qw( TLS_PORT SCEP_PORT );

my $said = `timeout 120 conf/run-intune.sh 2>&1`;

is($?, 0, 'run-intune ends well') or diag $said;
like($said, qr/"scep_challenge_code":"SubjectNameMismatch"/, 'refused');
like($said, qr/cert\.pem: good\n.*cert\.pem: revoked$/ms, 'revoked by Intune');
like($said, qr/^run-intune: a device of Intune.*\Z/m, 'the last line');

like(slurp("$dir/run/logs/access.log"),
     qr/"scep_status":"SUCCESS"|"scep_status":"0"/i, 'the access log tells');

done_testing();


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!";
    local $/;
    return scalar <$in>;
}
