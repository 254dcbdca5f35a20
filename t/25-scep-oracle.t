# A captured PKCSReq is bits that anybody may change: the envelope is not
# authenticated, and whoever changes it signs the result anew.  Until the
# request's own signature holds, every answer must be the same.

use lib 't/lib';
use PKI;
use PKI::Client;

use JSON::PP ();

redis_start();
work_file('challenge', "open sesame\n");
http_config(authority('demo'));

our $location = <<'END';
location = /probe { pki_probe; }
location /scep    { scep demo;
                    scep_challenge static $TEST_NGINX_WORK/challenge; }
END

our $craft = 't/tools/scep_craft.py';
our $n = 0;

# Makes a message, sends it, and returns status and failInfo.

sub ask {
    my (@options) = @_;

    my $file = work_file('message' . ++$n);
    my $ca = "$ENV{TEST_NGINX_WORK}/demo.pem";

    my ($code, undef, $err) =
        command('/usr/bin/python3', $craft, 'make', '--ca', $ca, '--out',
                $file, '--challenge', 'open sesame', @options);
    die $err if $code;

    my ($status, undef, $body) = http_post('/scep', slurp($file));
    return "http $status" if $status != 200;

    my ($rc, $out, $error) =
        command('/usr/bin/python3', $craft, 'open', '--ca', $ca, '--state',
                "$file.json", '-', { in => $body });
    my $answer = eval { JSON::PP::decode_json($out) } or die "$out $error";

    return "$answer->{status} " . ($answer->{fail_info} // '');
}

run_tests();

__DATA__

=== TEST 1: S7: what is wrong inside the envelope does not show
--- config eval
$::location
--- perl
wait_until(sub { (http_get('/probe'))[0] == 200 });

my $key = new_key('rsa:2048');
my @signer = ('--signer-key', new_key('rsa:2048'), '--signer-subject', 'CN=x');

my $opaque = ask(@signer, '--broken', 'envelope');
like($opaque, qr/^\S*(?:2|FAILURE)\S* \S+/, "a failure: $opaque");

is(ask(@signer, '--broken', 'cek'), $opaque, 'a wrong content key');
is(ask(@signer, '--payload', work_file('noise', 'x' x 700)), $opaque,
   'not a request at all');
is(ask(@signer, '--key', $key, '--broken', 'csr'), $opaque,
   'a request whose signature is broken');
is(ask(@signer, '--key-type', 'rsa:1024', '--broken', 'csr'), $opaque,
   'broken, with a key that is too short');
is(ask(@signer, '--key-type', 'ec:P-256', '--broken', 'csr'), $opaque,
   'broken, with a key of another kind');
is(ask(@signer, '--key-type', 'rsa:1024'), $opaque,
   'whole, but of a key that is not even looked at');
is(ask(@signer, '--trailing-csr', '00'), $opaque, 'with something behind it');
