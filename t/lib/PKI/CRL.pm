package PKI::CRL;

# CRLs of a whole authority: the full one, those of its shards, the delta; what
# was published in the course of time, and whether that contradicts itself.
#
#   use PKI::CRL;
#
#   crl_locations('demo', 'crl_shards 4;')    a part of server{}: /probe,
#                                      /demo/enroll, /demo/m/, /crl/demo.crl,
#                                      /crl/demo-0a.crl, /crl/demo-delta.crl
#   my @certs = crl_spread('demo', 4); one in each shard: $certs[3]
#   is(crl_shard($cert), 3);           by its serial number
#   my $crl = crl_wait(crl_uri($cert), sub { crl_entry($_[0], $cert) });
#   my @numbers = crl_published('demo', 'shard-0a');      by the log
#   crl_reconfigure(sub { s/crl_shards 4/crl_shards 2/ });
#   crl_grace();                       until CRLs follow changes at once
#
#   my $watch = crl_watch([ $port, ... ], '/crl/demo.crl', ...);
#   ...
#   my @seen = crl_seen($watch);       all watches end together
#   is_deeply([ crl_faults(\@seen) ], []);
#
# What was seen is one hash for each answer that differs from the one before
# of that port and URI: at, port, uri, status, and what there is in a CRL.

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use Exporter qw( import );
use Time::HiRes qw( sleep time );

use PKI ();
use PKI::Load ();
use PKI::OCSP ();

our @EXPORT = qw( crl_locations crl_spread crl_shard crl_uri crl_entry
                  crl_reason crl_wait crl_published crl_reconfigure crl_pem
                  crl_verify crl_reasons crl_apply crl_watch crl_seen
                  crl_faults crl_grace own_port );

my $PAUSE = 0.01;
my $names = 0;


# With "delta" among the options there is a location of it.

sub crl_locations {
    my ($name, $directives, %option) = @_;

    my $delta = $option{delta}
                ? "location = /crl/$name-delta.crl { crl $name delta; }\n" : '';

    return <<"END";
$directives
location = /probe        { pki_probe; }
location = /$name/enroll { enroll $name; enroll_auth none insecure; }
location /$name/m/       { certificate_master $name;
                           certificate_master_user someone;
                           certificate_master_roles admin; }
location = /crl/$name.crl { crl $name; }
location ~ ^/crl/$name-(?<shard>[0-9a-f]+)\\.crl\$ {
    crl $name shard=\$shard;
}
$delta
END
}


sub own_port { return Test::Nginx::Util::server_port_for_client() }


# Enrols until there are so many certificates in each of the shards; returns a
# list of lists if more than one.

sub crl_spread {
    my ($name, $shards, $each) = @_;

    my @certs = map { [] } 1 .. $shards;
    $each ||= 1;

    while (grep { @$_ < $each } @certs) {
        my $cert = PKI::OCSP::new_certificate("spread" . ++$names,
                                              "/$name/enroll")
                   or die 'no certificate';
        my $shard = crl_shard($cert) // die 'it belongs to no shard';
        my $list = $certs[$shard] or die "in shard $shard of $shards";

        push @$list, $cert if @$list < $each;
    }

    return $each > 1 ? @certs : map { $_->[0] } @certs;
}


sub crl_shard {
    my ($cert) = @_;

    my $serial = PKI::OCSP::serial_octets($cert);

    return length $serial == 38 ? hex substr $serial, -4 : undef;
}


# Where its CRL is, by its distribution point.

sub crl_uri {
    my ($cert) = @_;

    my ($url) = @{ PKI::OCSP::certificate($cert)->{crl} };

    return ($url // '') =~ m{^http://127\.0\.0\.1:\d+(/.*)} ? $1 : undef;
}


# The entry of a certificate, if there is exactly one.

sub crl_entry {
    my ($crl, $cert) = @_;

    my $serial = PKI::OCSP::serial_octets($cert);
    my @entries = grep { $_->{serial} eq $serial } @{ $crl->{entries} };

    return @entries == 1 ? $entries[0] : undef;
}


# Its reason, 0 if there is none; nothing if it is not in the list.

sub crl_reason {
    my ($crl, $cert) = @_;

    my $entry = crl_entry($crl, $cert) or return;

    return $entry->{reason} // 0;
}


# The first CRL that is as wanted (any, if that is undefined), or nothing.
# Options: those of PKI::http(), and ca.

sub crl_wait {
    my ($uri, $wanted, $seconds, %option) = @_;

    my $ca = delete $option{ca};

    return PKI::wait_until(sub {
        my $crl = PKI::OCSP::crl_fetch($uri, $ca, %option);

        return $crl && (!$wanted || $wanted->($crl)) && $crl;
    }, $seconds || 10);
}


# The numbers of all that were published, in order, of one CRL as Redis calls
# it: "0", "delta", "shard-0a"; without one all names instead.

sub crl_published {
    my ($name, $list) = @_;

    my $log = PKI::redis_cmd('XRANGE', "pki:{$name}:log", '-', '+');
    my @crls = grep { ($_->{t} // '') eq 'crl' }
               map { +{ @{ $_->[1] } } } @$log;

    return map { $_->{l} // '0' } @crls if !defined $list;
    return map { $_->{number} } grep { ($_->{l} // '0') eq $list } @crls;
}


# Changes the configuration of nginx, in $_, and reloads.

sub crl_reconfigure {
    my ($edit) = @_;

    my $file = $Test::Nginx::Util::ConfFile;
    local $_ = PKI::slurp($file);

    $edit->();

    open my $out, '>', $file or die "$file: $!";
    print $out $_;
    close $out or die "$file: $!";

    return PKI::nginx_reload(15);
}


# A file with CRLs, as openssl reads them.

sub crl_pem {
    my (@crls) = @_;

    return PKI::work_file('crls' . ++$names . '.pem', join '', map {
        PKI::openssl('crl', '-inform', 'DER', { in => $_->{der} })
    } @crls);
}


# openssl verify with these CRLs: nothing if it accepts the certificate, else
# its words.  "delta" in place of a CRL: as clients that use deltas.

sub crl_verify {
    my ($cert, $ca, @crls) = @_;

    my @delta = grep({ !ref } @crls) ? ('-use_deltas', '-extended_crl') : ();
    my ($code, $out, $err) = PKI::command(
        'openssl', 'verify', '-crl_check', @delta, '-CAfile', $ca,
        '-CRLfile', crl_pem(grep { ref } @crls), $cert);

    return $code ? $out . $err : '';
}


# Serial => reason, 0 if there is none.

sub crl_reasons {
    my ($crl) = @_;

    return map { $_->{serial} => $_->{reason} // 0 } @{ $crl->{entries} };
}


# What a client that has a complete CRL makes of a delta.

sub crl_apply {
    my ($complete, $delta) = @_;

    my %serials = crl_reasons($complete);
    my %changes = crl_reasons($delta);

    for (keys %changes) {
        if ($changes{$_} == 8) {
            delete $serials{$_};

        } else {
            $serials{$_} = $changes{$_};
        }
    }

    return \%serials;
}


# Asks for CRLs all the time, in a process of its own.

sub crl_watch {
    my ($ports, @uris) = @_;

    my $stop = PKI::work_file('stop-crl');
    unlink $stop;

    return PKI::Load::beside(sub {
        my (%last, %body, @seen);

        while (!-e $stop) {
            for my $port (@$ports) {
                for my $uri (@uris) {
                    my ($status, $headers, $body) =
                        PKI::http_get($uri, port => $port, timeout => 3);
                    my $key = "$status " . sha256_hex($body);

                    next if ($last{"$port $uri"} // '') eq $key;
                    $last{"$port $uri"} = $key;
                    $body{$key} = $body if $status == 200;
                    push @seen, { at => time, port => $port, uri => $uri,
                                  status => $status, key => $key,
                                  headers => $headers };
                }
            }

            sleep $PAUSE;
        }

        return { seen => \@seen, body => \%body };
    });
}


# Ends them all, and takes apart what they saw.

sub crl_seen {
    my (@watches) = @_;

    PKI::work_file('stop-crl', '');

    my (@seen, %crl);

    for my $data (map { $_->() } @watches) {
        die $data->{died} if $data->{died};

        for my $one (@{ $data->{seen} }) {
            my $der = $data->{body}{ $one->{key} };

            $crl{ $one->{key} } ||= {
                der => $der, %{ PKI::OCSP::crl_parse($der, undef, 1) },
            } if defined $der;
            push @seen, { %{ $crl{ $one->{key} } || {} }, %$one };
        }
    }

    return sort { $a->{at} <=> $b->{at} } @seen;
}


# A node that has just started builds none: others may have to tell Redis what
# that has lost.  Where it is measured how fast one is, that has to be over.

sub crl_grace {
    sleep 4;
    return;
}


# What is wrong in what was seen, in words.  Options: statuses => [503] are
# right, too; gone => sub: whether a serial number may leave the list.

sub crl_faults {
    my ($seen, %option) = @_;

    my %right = map { $_ => 1 } 200, @{ $option{statuses} || [] };
    my (%fault, %number, %last);

    for my $one (@$seen) {
        my ($uri, $place) = ($one->{uri}, "$one->{port} $one->{uri}");

        $fault{"$uri: status $one->{status}"}++ if !$right{ $one->{status} };
        next if $one->{status} != 200;

        $fault{"$uri: $one->{number} after $last{$place}"}++
            if $one->{number} < ($last{$place} // 0);
        $last{$place} = $one->{number};

        $fault{"$uri: after its nextUpdate"}++
            if $one->{at} > $one->{next_update}{at} + 1;
        $fault{"$uri: not signed by the authority"}++
            if !$one->{verified} || !$one->{issuer_is_ca};

        my $same = $number{$uri}{ $one->{number} } ||= $one;
        $fault{"$uri: two with one number"}++
            if $same->{key} ne $one->{key}
               || $same->{headers}{etag} ne $one->{headers}{etag};
    }

    for my $uri (keys %number) {
        my @crls = map { $number{$uri}{$_} }
                   sort { $a <=> $b } keys %{ $number{$uri} };

        $fault{$_}++ for crl_order_faults($uri, $option{gone}, @crls);
    }

    return map { "$_, $fault{$_} times" } sort keys %fault;
}


# All CRLs of one URI, by their numbers.

sub crl_order_faults {
    my ($uri, $gone, @crls) = @_;

    my @found;

    for my $n (0 .. $#crls) {
        my $crl = $crls[$n];
        my %serials = crl_reasons($crl);

        push @found, "$uri: an entry twice"
            if keys %serials != @{ $crl->{entries} };
        push @found, "$uri: an empty list"
            if $crl->{list} && !@{ $crl->{entries} };

        next if $n == 0;

        my $before = $crls[ $n - 1 ];

        push @found, "$uri: $_ that falls"
            for grep { $crl->{$_}{at} < $before->{$_}{at} }
                qw( this_update next_update );

        next if defined $crl->{base};

        push @found, map { "$uri: $_ is gone" }
                     grep { !exists $serials{$_} && !($gone && $gone->($_)) }
                     map { $_->{serial} } @{ $before->{entries} };
    }

    return @found;
}

1;
