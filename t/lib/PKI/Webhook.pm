package PKI::Webhook;

# A webhook for one suite, t/tools/webhook.py, with a certificate of its own:
#
#   use PKI::Webhook;
#
#   webhook_start();
#   webhook_answer(body => '{"allow":true}');       see t/tools/webhook.py
#   webhook_allow(); webhook_deny('not_enrolled');
#   my @asked = webhook_asked();                    since the last answer
#
# It sets, for use in configurations:
#
#   $TEST_NGINX_WEBHOOK        https://hooks.contoso.example:<port>
#   $TEST_NGINX_WEBHOOK_HTTP   http://127.0.0.1:<port>
#   $TEST_NGINX_WEBHOOK_CA     whom to trust
#
# Each that was asked has path, headers, tls, time, body, and json of it.

use strict;
use warnings;

use Exporter qw( import );
use IO::Select ();
use JSON::PP ();
use POSIX ();

use PKI ();
use PKI::Redis ();

our @EXPORT = qw( webhook_start webhook_answer webhook_allow webhook_deny
                  webhook_asked );

my $json = JSON::PP->new->utf8->canonical;
my ($running, $dir);


sub webhook_start {
    $dir = PKI::work_dir() . '/webhook';
    mkdir $dir or die "$dir: $!";

    certificates();
    webhook_allow();

    my ($http, $https) = (PKI::Redis::free_port(), PKI::Redis::free_port());

    run('--dir', $dir, '--http', $http, '--https', $https,
        '--cert', "$dir/server.pem", '--key', "$dir/server.key");

    $ENV{TEST_NGINX_WEBHOOK} = "https://hooks.contoso.example:$https";
    $ENV{TEST_NGINX_WEBHOOK_HTTP} = "http://127.0.0.1:$http";
    $ENV{TEST_NGINX_WEBHOOK_CA} = "$dir/ca.pem";

    return;
}


sub certificates {
    my @new = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
               '-nodes');

    PKI::openssl('req', '-new', '-x509', @new, '-days', 9, '-subj',
                 '/CN=hooks ca', '-keyout', "$dir/ca.key",
                 '-out', "$dir/ca.pem");
    PKI::openssl('req', '-new', @new, '-subj', '/CN=hooks', '-keyout',
                 "$dir/server.key", '-out', "$dir/server.csr");
    PKI::openssl('x509', '-req', '-in', "$dir/server.csr", '-CA',
                 "$dir/ca.pem", '-CAkey', "$dir/ca.key", '-set_serial', 1,
                 '-days', 9, '-out', "$dir/server.pem", '-extfile',
                 PKI::work_file('hooks.ext',
                                'subjectAltName=DNS:hooks.contoso.example'));
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
        open STDERR, '>', "$dir/webhook.log";
        { exec '/usr/bin/python3', '-B', 't/tools/webhook.py', @args };
        POSIX::_exit(127);
    }

    close $in;
    close $out;

    # with its standard input it ends, however the suite does

    $running = bless { pid => $pid, owner => $$, stdin => $to };

    IO::Select->new($from)->can_read(30) && defined <$from>
        or die 'the webhook did not start: ', PKI::slurp("$dir/webhook.log");

    return;
}


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $!);
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;

    return;
}


# Replaced as a whole: it is read with each request.

sub webhook_answer {
    my (%answer) = @_;

    PKI::work_file('webhook/answer.tmp', $json->encode(\%answer));
    rename "$dir/answer.tmp", "$dir/answer.json" or die $!;
    PKI::work_file('webhook/requests.jsonl', '');

    return;
}

sub webhook_allow { return webhook_answer(body => '{"allow":true}') }

sub webhook_deny {
    my ($code) = @_;

    return webhook_answer(body => $json->encode({
        allow => JSON::PP::false,
        error => { code => $code, message => 'a message' },
    }));
}


sub webhook_asked {
    return map {
        my $asked = $json->decode($_);
        $asked->{json} = eval { JSON::PP->new->decode($asked->{body}) };
        $asked;
    } split /\n/, PKI::slurp("$dir/requests.jsonl");
}

1;
