# What comes of decrypting a content key does not show, whether a vault or a
# file has the key: answers to malformed ciphertexts are the same octets, but
# for nonce, time and signature.  About 300 are asked for, or as many as
# PKI_ORACLE says: 20000 take a minute.  How long the answers took is
# printed, and not judged: the network tells the same.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Load;
use PKI::Scep;
use List::Util qw( shuffle );
use POSIX ();

redis_start();
start_azure(log => 100);
work_file('challenge', "open sesame\n");

our $repeats = $ENV{PKI_ORACLE} || 300;
our $work = work_dir();

sub authority_block {
    my ($name, $key) = @_;

    return <<"END";
pki_authority $name {
    subject     "CN=$name CA,O=Test";
    key         $key;
    certificate $work/$name.pem;
    create      rsa:2048;
    ra          off;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END
}

http_config(<<'END', authority_block('file', "file:$work/file.key"),
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
pki_key_vault rate=0;
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:$TEST_NGINX_AZURE_HTTP_PORT;
}
END
            authority_block('vault',
                'keyvault:https://$TEST_NGINX_AZURE_VAULT/keys/oracle'));

our $locations = join "\n", 'location = /probe { pki_probe; }',
    map { "location /$_ { scep $_; scep_challenge static $work/challenge; }" }
    qw( file vault );

# An answer without what differs each time: the value of senderNonce, that of
# signingTime if there is one, and the signature at the end.

sub constant {
    my ($answer) = @_;

    my $der = $answer->{body};
    my $nonce = "\x06\x0a\x60\x86\x48\x01\x86\xf8\x45\x01\x09\x05\x31\x12\x04\x10";
    my $time = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05\x31\x0f\x17\x0d";

    my $found = $der =~ s/(\Q$nonce\E).{16}/$1-/s;
    $found += $der =~ s/(\x04\x82\x01\x00).{256}\z/$1-/s;
    $der =~ s/(\Q$time\E)\d{12}Z/$1-/;

    return $found == 2 ? "$answer->{status} " . unpack 'H*', $der
                       : "unexpected ($found): $answer->{status} " . unpack "H*", $der;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[ $#sorted / 2 ];
}

run_tests();

__DATA__

=== TEST 1: malformed content keys and contents: always the same answer
--- timeout: 600
--- config eval
$::locations
--- perl
ok(scep_ready('/probe'), 'ready');

my %sent = (file => {}, vault => {});
my (%seen, %status, %seconds);

for my $name (sort keys %sent) {
    mkdir "$::work/$name";
    my ($code, undef, $err) =
        command('/usr/bin/python3', 't/tools/scep_oracle.py',
                "$::work/$name.pem", "$::work/$name", 'open sesame');
    is($code, 0, "$name: messages") or diag($err);

    for my $file (glob "$::work/$name/*.der") {
        my ($kind) = $file =~ m{([^/]+)\.der$};
        $sent{$name}{$kind} = {
            file => $file, der => slurp($file), ca => "$::work/$name.pem",
        };
    }

    my $right = delete $sent{$name}{right};
    is(scep_brief(scep_send("/$name", $right)), 'SUCCESS',
       "$name: with a right one nothing is wrong");
}

my @kinds = sort keys %{ $sent{file} };
is(scalar @kinds, 9, 'kinds');
azure_reset();

# all kinds in turn, in another order each time, so that whatever else happens
# on the machine happens to all

my $rounds = POSIX::ceil($::repeats / (2 * @kinds));
my $headers = { 'Content-Type' => 'application/x-pki-message' };

while ($rounds > 0) {
    my $some = $rounds > 50 ? 50 : $rounds;
    my @plan = map { shuffle map { my $name = $_;
                                   map { [$name, $_] } @kinds } keys %sent }
               1 .. $some;
    my @answers = load(
        port => Test::Nginx::Util::server_port_for_client(),
        connections => 4, timeout => 120, requests => [ map {
            ["/$_->[0]?operation=PKIOperation", $sent{$_->[0]}{$_->[1]}{der},
             $headers]
        } @plan ]);

    for my $i (0 .. $#plan) {
        my ($name, $kind) = @{ $plan[$i] };
        $seen{$name}{ constant($answers[$i]) }{$kind}++;
        push @{ $seconds{$name}{$kind} }, $answers[$i]{seconds} // 0;
        $status{$name} ||= scep_brief({
            http => 200, %{ scep_open($sent{$name}{$kind},
                                      $answers[$i]{body}) } });
    }

    $rounds -= $some;
}

for my $name (sort keys %sent) {
    my @different = keys %{ $seen{$name} };
    my $total = 0;
    $total += @$_ for values %{ $seconds{$name} };

    is(scalar @different, 1, "$name: $total answers, all the same")
        or diag(map { join(' ', sort keys %{ $seen{$name}{$_} }),
                      ": $_\n" } @different);
    like(substr($different[0], 0, 30), qr{^200 30}, "$name: a message");
    is($status{$name}, 'FAILURE badMessageCheck', "$name: that tells nothing");
    is_deeply([ sort keys %{ $seen{$name}{ $different[0] } } ], \@kinds,
              "$name: to all kinds");

    for my $kind (@kinds) {
        diag(sprintf '%-5s %-14s median %7.3f ms of %d', $name, $kind,
             1000 * median(@{ $seconds{$name}{$kind} }),
             scalar @{ $seconds{$name}{$kind} });
    }
}

is($status{file}, $status{vault}, 'vault and file say the same');

my $counters = azure_counters();
cmp_ok($counters->{status}{unwrapkey}{400}, '>', 0,
       'the vault refuses some ciphertexts');
cmp_ok($counters->{status}{unwrapkey}{200}, '>', 0, 'and takes others');
is(issued('file') + issued('vault'), 2, 'nothing but the right ones is issued');
