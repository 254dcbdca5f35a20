package PKI::Vault;

# Nodes whose authorities have their keys in the vault of the simulator.
#
#   use PKI;
#   use PKI::Vault;
#
#   redis_start();
#   key_vault();
#   my $node = node('one', devices => ['rsa:2048', 'ra auto;'])->start;
#   ok(ready($node, 'devices'));
#   my $cert = issue($node, 'devices');     a file, or the status
#   ok(chained(ca_of($node, 'devices'), $cert));

use strict;
use warnings;

use Exporter qw( import );
use Test::More;

use PKI ();
use PKI::Client ();
use PKI::Nginx ();

our @EXPORT = qw( node vault_directives probe ready says issue ca_of text_of
                  chained clean_log );

my $n = 0;
my $key;


# A node: authority blocks by name => [create, further directives], each with
# the vault key of that name, its own directory for certificates.

sub node {
    my ($dir, %authorities) = @_;

    my $work = PKI::work_dir();

    mkdir "$work/$dir";
    chmod 0777, "$work/$dir";    # workers write into it

    my ($http, $server) = ('pki_redis ' . PKI::redis()->url . ";\n"
                           . vault_directives(), '');

    for my $name (sort keys %authorities) {
        my ($create, $more) = @{ $authorities{$name} };

        $create = $create ? "create $create;" : '';
        $more //= '';

        # an authority that is to serve SCEP says so by its RA

        my $scep = $more =~ /^ra /m ? <<"END" : '';
location = /$name/scep   { scep $name; scep_challenge none insecure; }
END
        $http .= <<"END";
pki_authority $name {
    subject     "CN=$name,O=Vault";
    key         keyvault:https://\$TEST_NGINX_AZURE_VAULT/keys/$name;
    certificate $work/$dir/$name.pem;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
    $create
    $more
}
END
        $server .= <<"END";
location = /$name/enroll { enroll $name; enroll_auth none insecure; }
location = /$name/ocsp   { ocsp_responder $name; }
location = /$name/crl    { crl $name; }
location = /$name/ca     { pki_certificate $name pem; }
END
        $server .= $scep;
    }

    return PKI::Nginx->new(http => $http,
                           server => "location = /probe { pki_probe; }\n"
                                     . $server);
}

sub vault_directives {
    return <<'END';
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
pki_key_vault rate=0;
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:$TEST_NGINX_AZURE_HTTP_PORT;
}
END
}

sub probe { return (PKI::http_get('/probe', port => $_[0]->port))[2] }

sub ready {
    my ($node, $name, $seconds) = @_;

    return PKI::wait_ready(sub { probe($node) =~ /^authority $name: ok$/m },
                           $seconds || 20);
}

sub says {
    my ($node, $pattern) = @_;
    return PKI::wait_until(sub { probe($node) =~ $pattern }, 20)
           || diag(probe($node)) && 0;
}

sub issue {
    my ($node, $name) = @_;

    $key //= PKI::Client::new_key('ec:P-256');

    my $csr = PKI::slurp(PKI::Client::new_csr(key => $key,
                                              subject => '/CN=c' . ++$n));
    my ($status, $cert);

    # another worker than the one that said so may not be ready yet
    PKI::wait_until(sub {
        ($status, undef, $cert) = PKI::http_post("/$name/enroll", $csr,
                                                 port => $node->port);
        $status != 503 }, 10);

    return $status == 201 ? PKI::work_file("vault-cert$n.pem", $cert) : $status;
}

sub ca_of {
    my ($node, $name) = @_;

    my ($status, $cert);

    PKI::wait_until(sub {
        ($status, undef, $cert) = PKI::http_get("/$name/ca",
                                                port => $node->port);
        $status == 200 }, 10);

    return PKI::work_file("vault-ca" . ++$n . ".pem", $cert);
}

sub text_of {
    my ($cert) = @_;
    return (PKI::command('openssl', 'x509', '-in', $cert, '-noout',
                         '-text'))[1];
}

sub chained {
    my ($ca, $cert) = @_;
    return (PKI::command('openssl', 'verify', '-CAfile', $ca, $cert))[0] == 0;
}

sub clean_log {
    my ($node) = @_;
    return unlike($node->log, qr/\[(?:alert|crit|emerg)\]/, 'a clean log');
}

1;
