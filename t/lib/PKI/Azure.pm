package PKI::Azure;

# A private Azure for one suite: the simulator of t/azure, started by
#
#   use PKI::Azure;
#
#   start_azure();
#   azure_key('ca', kty => 'RSA-HSM', key_size => 2048);
#
# It sets, for use in configurations:
#
#   $TEST_NGINX_AZURE_PORT       https: vaults and Entra, by Host
#   $TEST_NGINX_AZURE_WRONG_PORT https with a certificate of another name
#   $TEST_NGINX_AZURE_HTTP_PORT  http: IMDS, App Service (/msi/token), Arc
#   $TEST_NGINX_AZURE_DNS_PORT   DNS by UDP: every name is at 127.0.0.1
#   $TEST_NGINX_AZURE_PROXY_PORT a proxy for CONNECT
#   $TEST_NGINX_AZURE_CONTROL_PORT  what the functions below talk to
#   $TEST_NGINX_AZURE_DIR        the directory of the files
#   $TEST_NGINX_AZURE_CA         ca.pem there: whom to trust
#   $TEST_NGINX_AZURE_VAULT      contoso.vault.azure.net:<port>
#   $TEST_NGINX_AZURE_LOGIN      https://login.microsoftonline.com:<port>
#   $TEST_NGINX_AZURE_GRAPH      https://graph.microsoft.com:<port>
#   $TEST_NGINX_AZURE_TENANT, $TEST_NGINX_AZURE_CLIENT   their ids
#   $TEST_NGINX_AZURE_HEADER     what X-IDENTITY-HEADER has to be
#
# In the directory are client.secret, client.pem and client.key, and
# federated.token, each of which proves to be that client.
#
# t/azure/README.md tells what can be ordered; faults are written flat here.
# What is left running at the end of the suite is killed, after nginx.

use strict;
use warnings;

use Exporter qw( import );
use File::Basename qw( dirname );
use File::Spec ();
use File::Temp ();
use HTTP::Tiny ();
use IO::Select ();
use JSON::PP ();
use POSIX ();

use PKI::Redis ();

our @EXPORT = qw(
    start_azure stop_azure azure_control azure_reset azure_fault azure_faults
    azure_latency azure_limit azure_listen azure_dns azure_token azure_client
    azure_arc azure_settle azure_counters azure_log azure_key azure_import
    azure_keys azure_update azure_rotate azure_forget azure_stock
    azure_intune azure_challenge azure_graph azure_revoke
);

my $simulator = File::Spec->rel2abs(dirname(__FILE__)
                                    . '/../../azure/simulator.py');
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $http = HTTP::Tiny->new(timeout => 60, http_proxy => undef);

my ($running, $dir, $base);


# Starts it, and returns when it answers.  Options: those of simulator.py, as
# log => 5000, or arc_dir => '/var/opt/azcmagent/tokens'.

sub start_azure {
    my (%option) = @_;

    die "Azure runs already" if $running;

    $dir ||= File::Temp::tempdir('pki-azure-XXXXXX', TMPDIR => 1,
                                 CLEANUP => 1);

    my %port = map { $_ => PKI::Redis::free_port() }
               qw( https wrong http control proxy dns );

    %option = (dir => $dir, %port, %option);

    my @args = map { (my $name = $_) =~ tr/_/-/; ("--$name", $option{$_}) }
               sort keys %option;

    export_variables(run(@args));

    return;
}

sub run {
    my (@args) = @_;

    pipe my $in, my $to or die "pipe: $!";
    pipe my $from, my $out or die "pipe: $!";

    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>', "$dir/simulator.log";
        { exec '/usr/bin/python3', '-B', $simulator, @args };
        POSIX::_exit(127);
    }

    close $in;
    close $out;

    # with its standard input it ends, however the suite does

    $running = bless { pid => $pid, owner => $$, stdin => $to };

    my $ready = IO::Select->new($from)->can_read(30) ? <$from> : undef;

    return $json->decode($ready) if defined $ready;

    die "Azure did not start: ", read_file("$dir/simulator.log");
}

sub export_variables {
    my ($ready) = @_;

    my $port = $ready->{ports};

    $base = "http://127.0.0.1:$port->{control}/control";

    my %variable = (
        PORT         => $port->{https},
        WRONG_PORT   => $port->{wrong},
        HTTP_PORT    => $port->{http},
        DNS_PORT     => $port->{dns},
        PROXY_PORT   => $port->{proxy},
        CONTROL_PORT => $port->{control},
        DIR          => $dir,
        CA           => "$dir/ca.pem",
        VAULT        => "contoso.vault.azure.net:$port->{https}",
        LOGIN        => "https://login.microsoftonline.com:$port->{https}",
        GRAPH        => "https://graph.microsoft.com:$port->{https}",
        TENANT       => $ready->{tenant},
        CLIENT       => $ready->{client},
        HEADER       => $ready->{header},
    );

    $ENV{"TEST_NGINX_AZURE_$_"} = $variable{$_} for keys %variable;

    return;
}

sub stop_azure { undef $running; return }

# At the latest when all END blocks have run.

sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $!);
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;

    return;
}

sub read_file {
    my ($path) = @_;

    open my $in, '<', $path or return '';
    local $/;
    return scalar <$in> // '';
}


# One call of the control API; dies if it was refused.

sub azure_control {
    my ($method, $call, $order) = @_;

    my $answer = $http->request($method, "$base/$call", {
        content => defined $order ? $json->encode($order) : '',
    });

    die "azure: $call: $answer->{status} $answer->{content}"
        if !$answer->{success};

    return $json->decode($answer->{content});
}

sub post {
    my ($call, %order) = @_;
    return azure_control('POST', $call, \%order);
}


# Faults, delays, limits, counters and log as at the start; keys stay.

sub azure_reset { return post('reset') }

# azure_fault(op => 'sign', key => 'ca', count => 2, skip => 1,
#             do => 'throttle', retry_after => 1);

sub azure_fault {
    my (%order) = @_;

    my %match = map { $_ => delete $order{$_} }
                grep { exists $order{$_} } qw( op key );
    my %count = map { $_ => delete $order{$_} }
                grep { exists $order{$_} } qw( count skip );

    return post('fault', match => \%match, %count, action => \%order);
}

sub azure_faults  { return azure_control('GET', 'faults') }
sub azure_latency { return post('latency', @_) }
sub azure_limit   { return post('limit', @_) }
sub azure_listen  { return post('listen', @_) }
sub azure_dns     { return post('dns', @_) }
sub azure_token   { return post('token', @_) }
sub azure_arc     { return post('arc', @_) }
sub azure_settle  { return post('settle', @_) }

# azure_client(client_id => ..., secret => ..., certificate => $pem,
#              federated => ...)

sub azure_client { return post('client', @_) }

sub azure_counters { return azure_control('GET', 'counters') }

# The last requests, oldest first: azure_log(op => 'sign', last => 5).

sub azure_log {
    my (%wanted) = @_;
    return @{ azure_control('GET', 'log', \%wanted) };
}


# Keys.  All return what azure_keys() has of a version: version, kty, key_ops,
# attributes, public (PEM); all take vault => host name.

sub azure_key {
    my ($name, %option) = @_;
    return post('key', name => $name, %option);
}

sub azure_import {
    my ($name, $file, %option) = @_;
    return post('import', name => $name, pem => read_file($file), %option);
}

sub azure_update {
    my ($name, %option) = @_;
    return post('update', name => $name, %option);
}

sub azure_rotate {
    my ($name, %option) = @_;
    return post('rotate', name => $name, %option);
}

# name => [ versions, oldest first ]

sub azure_keys {
    my (%option) = @_;
    return azure_control('GET', 'keys', \%option);
}

# As if the key, or without a name all keys, had never been.

sub azure_forget {
    my ($name, %option) = @_;
    return post('forget', name => $name, %option);
}

# Prepares RSA keys, for a "create" that shall not take seconds:
# azure_stock(key_size => 4096, count => 2).

sub azure_stock { return post('stock', @_) }


# Intune: what it was told and what it found wrong: validated, refused,
# succeeded, failed, revocations, results, violations.

sub azure_intune { return azure_control('GET', 'intune') }

# A challenge for a device, for a request with this and nothing else:
# azure_challenge(subject => 'CN=x', sans => ['UPN:a@b'], key_usage =>
#     ['digitalSignature'], eku => [OID], key_length => 2048, lifetime => 3600)

sub azure_challenge { return post('challenge', @_)->{challenge} }

# What Graph tells: azure_graph(pages => 3, uris => { name => address, undef:
# not there })

sub azure_graph { return post('graph', @_) }

# A certificate is to be revoked: azure_revoke(serial => 'ab12', ...)

sub azure_revoke { return post('revoke', @_) }

1;
