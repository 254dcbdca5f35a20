# Turns: enrolments that come together are served in the order in which they
# came, one computation a turn of the event loop; others are served between
# them; who vanishes, a reload and a quit lose nothing.  One worker.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::OCSP qw( ocsp_defaults ocsp_make ocsp_parse );
use PKI::Scep;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw( time );

redis_start();

work_file('challenge', "open sesame\n");
http_config(authority('demo'));

our $locations = <<'END';
location = /probe { pki_probe; }
location = /else  { return 200 "else\n"; }
location /scep    { scep demo; scep_max_pending 100;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
END

our $asked = $locations . <<'END';
location /ocsp { ocsp_responder demo; }
location = /crl/demo.crl { crl demo; }
END

our $requests = 100;

sub ready { scep_ready('/probe') }

sub messages {
    my ($name) = @_;

    return map {
        scep_make(challenge => 'open sesame',
                  subject => sprintf('CN=%s%03d', $name, $_))
    } 1 .. $requests;
}

# Connections that the worker has accepted: one request was answered on each.

sub connections {
    my ($n) = @_;

    my @sockets = map {
        IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', Timeout => 5,
            PeerPort => Test::Nginx::Util::server_port_for_client())
            or die "connect: $!";
    } 1 .. $n;

    for my $s (@sockets) {
        syswrite $s, "GET /else HTTP/1.1\r\nHost: localhost\r\n\r\n";
        answered($s) or die 'no answer';
    }

    return @sockets;
}

# One answer of "return 200".

sub answered {
    my ($s) = @_;

    my $text = '';
    while ($text !~ /\r\n\r\nelse\n\z/) {
        sysread $s, $text, 4096, length $text or return;
    }
    return 1;
}

# The body of an answer to an OCSP request on a connection that stays.

sub ocsp_send {
    my ($s, $der) = @_;

    syswrite $s, "POST /ocsp HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: application/ocsp-request\r\n"
        . 'Content-Length: ' . length($der) . "\r\n\r\n$der";
    return;
}

sub ocsp_receive {
    my ($s) = @_;

    my $text = '';
    my $length;

    until (defined $length && length $text >= $length) {
        sysread $s, $text, 8192, length $text or die 'no answer';

        if (!defined $length && $text =~ s/\A(.*?)\r\n\r\n//s) {
            my $head = $1;
            ($length) = $head =~ /^Content-Length: (\d+)/mi or die $head;
        }
    }

    return [ 200, {}, $text ];
}

# How many of the answers say so of their certificate.

sub told {
    my ($status, @answers) = @_;
    return scalar grep { ($_->{responses}[0]{status} // '') eq $status }
                  ocsp_parse(@answers);
}

# All requests wait at the worker's sockets before it looks at one.

sub send_together {
    my ($sockets, $messages) = @_;

    my ($worker) = worker_pids();

    kill 'STOP', $worker;

    send_to($sockets->[$_], $messages->[$_]) for 0 .. $#$messages;

    kill 'CONT', $worker;
    return;
}

sub send_to {
    my ($socket, $message) = @_;

    syswrite $socket, "POST /scep?operation=PKIOperation HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($message->{der})
        . "\r\n\r\n$message->{der}";
    return;
}

sub first_answer { return IO::Select->new(@_)->can_read(15) }

# How many answers say SUCCESS.

sub successes {
    my ($sockets, $messages) = @_;

    return scalar grep { $_ eq 'SUCCESS' } map {
        scep_brief(PKI::Scep::answer_of($messages->[$_],
            PKI::parse_response(PKI::read_all($sockets->[$_], 15))))
    } 0 .. $#$sockets;
}

no_shuffle();
workers(1);
log_level('info');
run_tests();

__DATA__

=== TEST 1: who comes first is served first
--- config eval
$::locations
--- perl
ready();

# refused after three turns; answers of Redis would come in an order of their
# own

my @messages = map {
    scep_make(challenge => 'wrong', txn => sprintf('order%03d', $_))
} 1 .. $::requests;
my @sockets = connections($::requests);

send_together(\@sockets, \@messages);
PKI::read_all($_, 15) for @sockets;

my @order = error_log() =~ /challenge is wrong.*transaction: order(\d+)/g;
is("@order", join(' ', map { sprintf '%03d', $_ } 1 .. $::requests),
   'in the order in which they came');



=== TEST 2: others are served between them
--- config eval
$::locations
--- perl
ready();
my @messages = messages('between');
my @sockets = connections($::requests);
my ($other) = connections(1);
my $waiting = IO::Select->new(@sockets);

my $start = time;
send_together(\@sockets, \@messages);

my ($n, $longest, $last) = (0, 0, $start);

# until all have been answered: then nothing more comes to wait for

while ($waiting->count) {
    syswrite $other, "GET /else HTTP/1.1\r\nHost: localhost\r\n\r\n";
    answered($other) or die 'no answer';
    $n++;
    my $now = time;
    $longest = $now - $last if $now - $last > $longest;
    $last = $now;
    $waiting->remove($_) for $waiting->can_read(0);
}

my $all = time - $start;

is(successes(\@sockets, \@messages), $::requests, 'all succeed');
cmp_ok($n, '>=', $::requests / 4, 'many others are served meanwhile');
cmp_ok($longest, '<', $all / 4, 'none waits for many enrolments');



=== TEST 3: clients vanish while they wait
--- config eval
$::locations
--- perl
ready();
my $before = issued('demo');
my @messages;

# until some are gone when nothing has been begun for them yet

for my $n (1 .. 5) {
    @messages = messages("gone$n-");
    my @sockets = connections($::requests);
    my ($other) = connections(1);
    my @stay = 0 .. 59;
    my @go = 60 .. $::requests - 1;

    send_together([@sockets[@stay]], [@messages[@stay]]);
    send_to($sockets[$_], $messages[$_]) for @go;
    syswrite $other, "GET /else HTTP/1.1\r\nHost: localhost\r\n\r\n";
    answered($other) or die 'no answer';
    close $sockets[$_] for @go;

    is(successes([@sockets[@stay]], [@messages[@stay]]), scalar @stay,
       'who stays is answered');

    my @again = connections($::requests);
    send_together(\@again, \@messages);
    is(successes(\@again, \@messages), $::requests,
       'all can come again: none counts as pending');

    is(issued('demo') - $before, $n * $::requests, 'one certificate each');

    last if error_log() =~ /gone before its turn/;
}

ok(error_log() =~ /gone before its turn/, 'nothing was begun for some');



=== TEST 4: a reload while they wait
--- config eval
$::locations
--- perl
ready();
my @messages = messages('reload');
my @sockets = connections($::requests);
my ($old) = worker_pids();

send_together(\@sockets, \@messages);
first_answer(@sockets);
nginx_signal('HUP');

is(successes(\@sockets, \@messages), $::requests, 'all succeed');
ok(wait_until(sub { !kill 0, $old }, 15), 'the old worker exits');
--- no_error_log
open socket
aborting



=== TEST 5: a quit while they wait
--- config eval
$::locations
--- perl
ready();
my @messages = messages('quit');
my @sockets = connections($::requests);
my ($old) = worker_pids();

send_together(\@sockets, \@messages);
first_answer(@sockets);
nginx_signal('QUIT');

is(successes(\@sockets, \@messages), $::requests, 'all succeed');
ok(wait_until(sub { !kill 0, $old }, 15), 'the worker exits');
--- no_error_log
open socket
aborting



=== TEST 6: OCSP of serials that nobody has, and GetCRL, while many enrol
--- config eval
$::asked
--- perl
ready();
my $demo = work_file('demo.pem');
my $about = work_dir() . '/about.pem';
ocsp_defaults(ca => $demo);
is(scep_brief(scep_ask('/scep', challenge => 'open sesame', cert => $about)),
   'SUCCESS');
ok(wait_until(sub { (http_get('/crl/demo.crl'))[0] == 200 }, 15), 'a CRL');

my @serials = ocsp_make(map { { serial => sprintf '40%032x', $_ } } 1 .. 2000);

# as many as "scep_max_pending" allows, every fifth of them a GetCRL

my @messages = (messages('with'))[1 .. 80];
splice @messages, 5 * $_ - 1, 0,
       scep_make(type => 22, about => $about, txn => "crl$_") for 1 .. 20;
my @sockets = connections(scalar @messages);
my ($other) = connections(1);
my $waiting = IO::Select->new(@sockets);

my $start = time;
send_together(\@sockets, \@messages);

my ($longest, $last) = (0, $start);
my @answers;

while ($waiting->count) {
    ocsp_send($other, $serials[@answers % @serials]);
    push @answers, ocsp_receive($other);
    my $now = time;
    $longest = $now - $last if $now - $last > $longest;
    $last = $now;
    $waiting->remove($_) for $waiting->can_read(0);
}

my $all = time - $start;

is(successes(\@sockets, \@messages), scalar @messages, 'all succeed');
cmp_ok(scalar @answers, '>=', $::requests / 4, 'OCSP is answered meanwhile');
is(told('unknown', @answers), scalar @answers, 'unknown, signed each time');
cmp_ok($longest, '<', $all / 4, 'no answer waits for many enrolments');



=== TEST 7: enrolments while many ask for serials that nobody has
--- config eval
$::asked
--- perl
ready();
ocsp_defaults(ca => work_dir() . '/demo.pem');
my $n = 10;
my @serials = ocsp_make(map { { serial => sprintf '41%032x', $_ } }
                        1 .. $::requests);
my @messages = (messages('beside'))[1 .. $n];
my @sockets = connections($n);
my @others = connections($::requests);

# OCSP waits at the worker's sockets first

my ($worker) = worker_pids();
kill 'STOP', $worker;
ocsp_send($others[$_], $serials[$_]) for 0 .. $#others;
send_to($sockets[$_], $messages[$_]) for 0 .. $#sockets;
kill 'CONT', $worker;

is(successes(\@sockets, \@messages), $n, 'all succeed');
is(told('unknown', map { ocsp_receive($_) } @others), $::requests,
   'and all are answered');
