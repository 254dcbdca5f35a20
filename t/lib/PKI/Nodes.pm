package PKI::Nodes;

# What the suites of CRLs on several nodes have in common (94 to 96).
#
#   use PKI::Nodes;
#
#   setup('demo', 4);                  ready, and every CRL is there
#   my @uris = uris('demo', 4);        the full one, those of the shards
#   crl_wait($uri, has(@certs));
#   ok(all_in('demo', 10, @certs));    in the full one and in those they name
#   revoke_at($port, 'demo', $cert);   by one of several nodes
#   numbers_rise('demo');

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use PKI ();
use PKI::CRL;
use PKI::Client ();
use PKI::OCSP ();

our @EXPORT = qw( setup uris has all_in revoke_at numbers_rise );


sub setup {
    my ($name, $shards) = @_;

    PKI::OCSP::ready(40) or die 'not ready: ' . (PKI::http_get('/probe'))[2];
    PKI::OCSP::ocsp_defaults(ca => PKI::work_file("$name.pem"));
    crl_wait($_, undef, 40) or die "no CRL at $_" for uris($name, $shards);

    return;
}


sub uris {
    my ($name, $shards) = @_;

    return ("/crl/$name.crl", map { sprintf '/crl/%s-%02x.crl', $name, $_ }
                              0 .. ($shards || 0) - 1);
}


sub has {
    my (@certs) = @_;

    return sub {
        my ($crl) = @_;
        return !grep { !crl_entry($crl, $_) } @certs;
    };
}


# Whether each is on the full CRL and on that of its shard.

sub all_in {
    my ($name, $seconds, @certs) = @_;

    crl_wait("/crl/$name.crl", has(@certs), $seconds) or return;

    for (@certs) {
        crl_wait(crl_uri($_), has($_), $seconds) or return;
    }

    return 1;
}


sub revoke_at {
    my ($port, $name, $cert, $reason) = @_;

    return (PKI::http_post("/$name/m/api/certificates/"
                           . PKI::Client::serial_of($cert) . '/revoke',
                           '{"reason":"' . ($reason || 'superseded') . '"}',
                           port => $port,
                           headers => {
                               'Content-Type' => 'application/json'
                           }))[0];
}


# By the log, whose entries no node can take back.

sub numbers_rise {
    my ($name) = @_;

    my %names = map { $_ => 1 } crl_published($name);

    for (sort keys %names) {
        my @numbers = crl_published($name, $_);
        my @wrong = grep { $numbers[$_] <= $numbers[ $_ - 1 ] } 1 .. $#numbers;
        Test::More::is(scalar @wrong, 0,
                       "$_: " . @numbers . ' numbers, each higher');
    }

    return;
}

1;
