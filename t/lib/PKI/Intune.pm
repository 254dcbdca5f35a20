package PKI::Intune;

# Devices that Intune manages: what it orders for them, what they ask for, what
# Intune, the logs and the client are told.
#
#   use PKI::Azure;
#   use PKI::Intune;
#   use PKI::Scep;
#
#   start_azure();
#   http_config(intune_directives(), ...);
#
#   my $order = intune_order(subject => 'CN=x', san => ['UPN:a@b']);
#   my $r = intune_ask('/intune', $order);           as it was ordered
#   my $r = intune_ask('/intune', $order, subject => 'CN=y');    tampered with
#   intune_issued('what', $r, $order);       certificate, record, notification
#   intune_refused('what', $r, result => 'wrong', code => 'ChallengeExpired');
#   intune_obeyed();                         nothing malformed was said to it
#
#   intune_faulty('what', { op => 'validate', do => 'reset' });
#
# refuses a device for as long as the fault lasts, and no longer.
#
# Options of intune_order(): subject, san, key_usage (names), eku (OIDs),
# key_size; lifetime, delay, garbled of the challenge; and any of scep_make().

use strict;
use warnings;

use Digest::SHA ();
use Exporter qw( import );
use JSON::PP ();
use Test::More;
use Time::HiRes qw( time );

use PKI ();
use PKI::Azure;
use PKI::Scep;

our @EXPORT = qw( intune_directives intune_identity intune_ready
                  intune_order intune_ask intune_issued intune_refused
                  intune_faulty intune_obeyed intune_success intune_record
                  intune_line intune_log );

my %bit = (digitalSignature => 0x80, nonRepudiation => 0x40,
           keyEncipherment => 0x20, dataEncipherment => 0x10,
           keyAgreement => 0x08);
my $client_auth = '1.3.6.1.5.5.7.3.2';

my ($devices, $files, $tags) = (0, 0, 0);


# What all configurations have in common: an identity "contoso" and a profile
# "intune".

sub intune_directives {
    return PKI::slurp('conf/log-format.conf') . intune_identity('contoso')
           . <<'END';
pki_profile intune {
    allow_san email .;
    allow_san upn .;
    allow_san uri .;
    allow_san dns .;
}
resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off valid=1s;
resolver_timeout 2s;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
END
}

# Another identity; directives may be others.

sub intune_identity {
    my ($name, %o) = @_;

    %o = (tenant => '$TEST_NGINX_AZURE_TENANT',
          client_id => '$TEST_NGINX_AZURE_CLIENT',
          client_secret_file => '$TEST_NGINX_AZURE_DIR/client.secret',
          authority_host => '$TEST_NGINX_AZURE_LOGIN',
          graph_host => '$TEST_NGINX_AZURE_GRAPH', %o);

    return "pki_azure_identity $name {\n"
           . join('', map { "    $_ $o{$_};\n" } sort keys %o) . "}\n";
}


# Nothing is wrong with Azure, and nginx is ready.

sub intune_ready {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    azure_reset();
    return ok(scep_ready('/probe'), 'ready');
}


sub device_id {
    return sprintf '%08x-1111-4222-8333-%012x', $$, ++$devices;
}


sub key_usage {
    my (@names) = @_;

    my $octet = 0;
    $octet |= $bit{$_} // die "no key usage $_" for @names;

    my $unused = 0;
    $unused++ while $unused < 7 && !($octet >> $unused & 1);

    return sprintf '%02x%02x', $unused, $octet;
}


sub intune_order {
    my (%o) = @_;

    my $device = device_id();
    my %life = map { $_ => delete $o{$_} }
               grep { exists $o{$_} } qw( lifetime delay garbled );

    %o = (subject => "CN=$device", san => [],
          key_usage => [qw( digitalSignature keyEncipherment )],
          eku => [$client_auth], key_size => 2048, %o);

    my $size = delete $o{key_size};
    my $challenge = azure_challenge(
        subject => $o{subject}, sans => $o{san}, eku => $o{eku},
        key_usage => $o{key_usage}, key_length => $size, %life);

    return { %o, challenge => $challenge, key => "intune$size",
             key_usage => key_usage(@{ $o{key_usage} }),
             key_type => "rsa:$size", device => $device };
}


# "device" is the suite's own; whatever is undef was left out by the client.

sub intune_ask {
    my ($uri, $order, %tampered) = @_;

    my %o = (%$order, %tampered);
    my $device = delete $o{device};

    delete @o{ grep { !defined $o{$_} } keys %o };

    $o{txn} //= 'device' . ++$tags . "-$$" if !exists $o{txn_hex};

    my $cert = PKI::work_file('intune' . ++$files . '.pem', '');
    my $r = scep_send($uri, scep_make(%o), timeout => 60, cert => $cert);

    return { %$r, txn => $o{txn}, cert => $cert, device => $device,
             asked_subject => $o{subject} };
}


sub der_of {
    my ($file) = @_;
    return PKI::openssl('x509', '-in', $file, '-outform', 'DER');
}


# The notification about the certificate of an answer.

sub intune_success {
    my ($r) = @_;

    my @found = grep { lc $_->{certificateSerialNumber} eq $r->{serial} }
                @{ azure_intune()->{succeeded} };

    return $found[-1];
}


# Dates as Intune gets them.

sub not_after {
    my ($file) = @_;

    my ($date, $time) =
        PKI::openssl('x509', '-in', $file, '-noout', '-enddate', '-dateopt',
                     'iso_8601') =~ /=(\S+) (\S+)Z/;

    return "${date}T$time";
}


sub intune_issued {
    my ($what, $r, $order) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(scep_brief($r), 'SUCCESS', "$what: issued") or return;

    my $told = intune_success($r);
    ok($told, "$what: Intune was told") or return $r;

    is($told->{transactionId}, $r->{txn}, "$what: of the transaction");
    is($told->{certificateThumbprint},
       uc Digest::SHA::sha1_hex(der_of($r->{cert})), "$what: thumbprint");
    like($told->{certificateExpirationDateUtc},
         qr/^\Q${\ not_after($r->{cert}) }\E(?:\.000)?Z\z/, "$what: expiry");
    is($told->{issuingCertificateAuthority}, 'CN=demo CA,O=Test',
       "$what: issuer");

    my %record = intune_record($r->{serial});

    is($record{status}, 'good', "$what: recorded");
    is($record{vouched}, 'intune', "$what: who vouched is recorded");
    is($record{withheld} // '', '', "$what: nothing is withheld");

    return $r;
}


sub intune_record {
    my ($serial) = @_;
    return @{ PKI::redis_cmd('HGETALL', "pki:{demo}:cert:$serial") };
}


# The line of the access log about a transaction, decoded; and the lines of
# the error log that name it, but for those of tries that others follow.

sub intune_line {
    my ($txn) = @_;

    my $line;

    PKI::wait_until(sub {
        ($line) = grep { $_->{scep_transaction_id} eq $txn }
                  map { JSON::PP::decode_json($_) }
                  split /\n/, PKI::slurp(PKI::work_dir() . '/access.log');
        $line }, 5);

    return $line // {};
}

sub intune_log {
    my ($txn) = @_;
    return grep { /\Q$txn\E/ && /intune/ && !/next try in/ }
           split /\n/, PKI::error_log();
}


# Nothing is issued and nothing said to the client; the administrator is told
# what happened.  Options: what the access log says (result, code), "log" for
# the error log.

sub intune_refused {
    my ($what, $r, %o) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is(scep_brief($r), 'FAILURE badRequest', "$what: refused");
    is($r->{fail_info_text}, undef, "$what: without a word");
    ok($r->{body} !~ /intune|challenge|mismatch|microsoft|graph/i,
       "$what: nothing of Intune");

    my $line = intune_line($r->{txn});

    is($line->{scep_challenge_result}, $o{result} // 'wrong',
       "$what: access log");
    is($line->{scep_challenge_by}, 'intune', "$what: by whom");
    is($line->{scep_challenge_code}, $o{code} // '', "$what: code");
    is($line->{subject}, $r->{asked_subject}, "$what: whose")
        if $r->{asked_subject};
    is($line->{scep_status}, 'FAILURE', "$what: status");

    my @lines = intune_log($r->{txn});

    is(scalar @lines, 1, "$what: one line in the error log") or diag(@lines);
    like($lines[0] // '', $o{log}, "$what: that says why") if $o{log};
    like($lines[0] // '', qr/\b\Q$o{code}\E\b/, "$what: and Intune's code")
        if $o{code};

    return;
}


# A fault, or, if it is code, what it does.  Options: as of intune_refused();
# "uri" (/intune); "within" how many seconds (28) it is over, after how many
# more (0) it works again.

sub intune_faulty {
    my ($what, $fault, %o) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $uri = delete $o{uri} // '/intune';
    my $within = delete $o{within} // 28;
    my $again = delete $o{again} // 0;

    azure_reset();
    ref $fault eq 'CODE' ? $fault->() : azure_fault(count => -1, %$fault);

    my $before = issued('demo');
    my $start = time();
    my $r = intune_ask($uri, intune_order());

    cmp_ok(time() - $start, '<', $within, "$what: in time");
    intune_refused($what, $r, result => 'unavailable', %o);
    is(issued('demo'), $before, "$what: nothing is issued");

    my $said = azure_intune();
    is_deeply([ $said->{succeeded}, $said->{failed} ], [ [], [] ],
              "$what: nothing is told");
    intune_obeyed();

    azure_reset();
    PKI::wait_until(sub {
        scep_brief(intune_ask($uri, intune_order())) eq 'SUCCESS' }, $again)
        if $again;

    my $order = intune_order();
    intune_issued("after $what", intune_ask($uri, $order), $order);
    intune_obeyed();
    return;
}


sub intune_obeyed {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply(azure_intune()->{violations}, [], 'all was said as it should');
    return;
}

1;
