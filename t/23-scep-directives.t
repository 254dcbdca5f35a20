# Every directive of SCEP: taken where it belongs and does what it says,
# refused else.  What the ciphers and secrets are good for is in 21.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Scep;

redis_start();

our $work = work_dir();

work_file('challenge', "open sesame\n");
work_file('new', "before\n");
work_file('empty', '');
work_file('blank', "\n\r\n\n");
work_file('many', join "\n", 1 .. 1025);
work_file('most', join "\n", 1 .. 1024);
work_file('large', "x\n" x 600000);
work_file('open', "open sesame\n");
chmod 0644, "$work/open";

work_file('ca.cnf', <<'END');
[req]
prompt=no
distinguished_name=dn
[dn]
CN=Usage
[usage]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
END

openssl('req', '-new', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 99,
        '-config', "$work/ca.cnf", '-extensions', 'usage',
        '-keyout', "$work/usage.key", '-out', "$work/usage.pem");

http_config(authority('demo'), authority('curve', key => 'ec:P-256'),
            <<'END');
pki_authority usage {
    key         file:$TEST_NGINX_WORK/usage.key;
    certificate $TEST_NGINX_WORK/usage.pem;
    base_url    http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
}
pki_profile short { validity 5d; }
END

# within how many days it ends: 6, 400, or more (0)

sub days {
    for my $days (6, 400) {
        my ($code) = command('openssl', 'x509', '-in', $_[0], '-noout',
                             '-checkend', $days * 86400);
        return $days if $code != 0;
    }
    return 0;
}

run_tests();

__DATA__

=== TEST 1: scep, everything else from the levels above
--- http_config
scep_challenge static $TEST_NGINX_WORK/challenge;
scep_profile short;
scep_response_cipher aes-256-cbc;
scep_max_pending 100;
--- config
location = /probe { pki_probe; }
location /scep    { scep demo; }
location /own     { scep demo; scep_profile default;
                    scep_response_cipher aes-128-cbc;
                    scep_challenge none insecure; }
--- perl
scep_ready('/probe');
my $r = scep_ask('/scep', challenge => 'open sesame', cert => "$::work/1.pem",
                 response_cipher => 'aes-256-cbc');
is(scep_brief($r), 'SUCCESS');
is(days("$::work/1.pem"), 6, 'the profile of http{}');
is(scep_ask('/scep')->{fail_info}, 'badRequest', 'the challenge of http{}');
$r = scep_ask('/own', cert => "$::work/2.pem",
              cipher => 'aes-256-cbc', response_cipher => 'aes-128-cbc');
is(scep_brief($r), 'SUCCESS');
is(days("$::work/2.pem"), 400, 'that of the location');



=== TEST 2: scep in all kinds of locations
--- http_config
scep_challenge none insecure;
--- config
location = /probe        { pki_probe; }
location = /exact        { scep demo; }
location ^~ /first       { scep demo; }
location ~ \.exe$        { scep demo; }
location /outer          { location /outer/inner { scep demo; } }
location /limited        { scep demo; limit_except GET { deny all; } }
location /if             { scep demo; if ($arg_x) { set $x 1; } }
location /rewritten      { rewrite ^ /exact last; }
--- perl
scep_ready('/probe');
my $m = scep_make();
for my $uri ('/exact', '/first/x', '/cgi-bin/pkiclient.exe', '/outer/inner',
             '/limited', '/if', '/if?x=1', '/rewritten')
{
    my $args = ($uri =~ /\?/ ? '&' : '?') . 'operation=PKIOperation';
    is(scep_brief(scep_send("$uri$args", $m, get => 1)), 'SUCCESS', $uri);
}
is((http_post('/limited', $m->{der}))[0], 403, 'limit_except');
is(scep_brief(scep_send('/if?x=1', $m)), 'SUCCESS', 'if, by POST');



=== TEST 3: scep without an authority
--- config
location /scep { scep; }
--- must_die
--- error_log
invalid number of arguments in "scep" directive



=== TEST 4: scep with two
--- config
location /scep { scep demo curve; }
--- must_die
--- error_log
invalid number of arguments in "scep" directive



=== TEST 5: scep with an authority that is not there
--- config
location /scep { scep none; scep_challenge none insecure; }
--- must_die
--- error_log
none



=== TEST 6: scep with an empty name
--- config
location /scep { scep ""; scep_challenge none insecure; }
--- must_die
--- error_log
"scep" directive needs the name of an authority



=== TEST 7: scep twice
--- config
location /scep { scep demo; scep demo; scep_challenge none insecure; }
--- must_die
--- error_log
"scep" directive is duplicate



=== TEST 8: scep in a server
--- config
scep demo;
--- must_die
--- error_log
"scep" directive is not allowed here



=== TEST 9: scep beside another handler
--- config
location /scep { pki_probe; scep demo; scep_challenge none insecure; }
--- must_die
--- error_log
"scep" directive conflicts with another handler



=== TEST 10: S4: scep without scep_challenge
--- config
location /scep { scep demo; }
--- must_die
--- error_log
"scep" without "scep_challenge" would let anybody enrol



=== TEST 11: scep with an EC key
--- config
location /scep { scep curve; scep_challenge none insecure; }
--- must_die
--- error_log
"scep" cannot use authority "curve": its key is not RSA



=== TEST 12: A4: scep with a certificate that lacks usages
--- config
location /scep { scep usage; scep_challenge none insecure; }
--- must_die
--- error_log
"scep" cannot use authority "usage": its certificate lacks the key usages



=== TEST 13: scep_profile that is not there
--- config
location /scep { scep demo; scep_profile none; scep_challenge none insecure; }
--- must_die
--- error_log
none



=== TEST 14: scep_profile twice
--- config
location /scep { scep demo; scep_profile short; scep_profile short;
                 scep_challenge none insecure; }
--- must_die
--- error_log
"scep_profile" directive is duplicate



=== TEST 15: scep_profile without a name
--- config
scep_profile;
--- must_die
--- error_log
invalid number of arguments in "scep_profile" directive



=== TEST 16: built-in profiles
--- http_config
scep_challenge none insecure;
--- config
location = /probe { pki_probe; }
location /default { scep demo; scep_profile default; }
location /device  { scep demo; scep_profile device; }
location /user    { scep demo; scep_profile user; }
location /server  { scep demo; scep_profile server; }
--- perl
scep_ready('/probe');
for my $profile ('default', 'device', 'user', 'server') {
    is(scep_brief(scep_ask("/$profile", subject => 'CN=a.example',
                           san => 'DNS:a.example')), 'SUCCESS', $profile);
}



=== TEST 17: scep_challenge without parameters
--- config
scep_challenge;
--- must_die
--- error_log
invalid number of arguments in "scep_challenge" directive



=== TEST 18: scep_challenge of an unknown kind
--- config
scep_challenge secret;
--- must_die
--- error_log
invalid challenge "secret", it must be "static file", "one_time", "webhook url"



=== TEST 19: S4: scep_challenge none, without the word
--- http_config
scep_challenge none;
--- config
location /scep { scep demo; }
--- must_die
--- error_log
"scep_challenge none" would let anybody enrol



=== TEST 20: scep_challenge none with another word
--- config
scep_challenge none secure;
--- must_die
--- error_log
invalid parameter "secure"



=== TEST 21: scep_challenge none insecure, and more
--- config
scep_challenge none insecure really;
--- must_die
--- error_log
"scep_challenge" directive must be "none" or "none insecure"



=== TEST 22: scep_challenge none insecure twice
--- config
scep_challenge none insecure;
scep_challenge none insecure;
--- must_die
--- error_log
"scep_challenge" directive is duplicate



=== TEST 23: scep_challenge none insecure before another
--- config
scep_challenge none insecure;
scep_challenge static $TEST_NGINX_WORK/challenge;
--- must_die
--- error_log
"none" cannot be combined



=== TEST 24: scep_challenge none insecure after another
--- config
scep_challenge static $TEST_NGINX_WORK/challenge;
scep_challenge none insecure;
--- must_die
--- error_log
"none" cannot be combined



=== TEST 25: scep_challenge static without a file
--- config
scep_challenge static;
--- must_die
--- error_log
must be "static file"



=== TEST 26: scep_challenge static with two
--- config
scep_challenge static $TEST_NGINX_WORK/challenge $TEST_NGINX_WORK/challenge;
--- must_die
--- error_log
must be "static file"



=== TEST 27: scep_challenge static, no such file
--- config
scep_challenge static $TEST_NGINX_WORK/none;
--- must_die
--- error_log
No such file



=== TEST 28: scep_challenge static, an empty file
--- config
scep_challenge static $TEST_NGINX_WORK/empty;
--- must_die
--- error_log
there is no secret in



=== TEST 29: scep_challenge static, empty lines
--- config
scep_challenge static $TEST_NGINX_WORK/blank;
--- must_die
--- error_log
there is no secret in



=== TEST 30: scep_challenge static, a directory
--- config
scep_challenge static $TEST_NGINX_WORK;
--- must_die
--- error_log
is not a file of at most



=== TEST 31: scep_challenge static, a file that is too large
--- config
scep_challenge static $TEST_NGINX_WORK/large;
--- must_die
--- error_log
is not a file of at most



=== TEST 32: scep_challenge static, too many secrets
--- config
scep_challenge static $TEST_NGINX_WORK/many;
--- must_die
--- error_log
there are over 1024 secrets



=== TEST 33: scep_challenge static, as many as may be
--- config
location = /probe { pki_probe; }
location /scep    { scep demo; scep_challenge static $TEST_NGINX_WORK/most; }
--- perl
scep_ready('/probe');
for (1, 512, 1024) {
    is(scep_brief(scep_ask('/scep', challenge => $_)), 'SUCCESS',
       "secret $_");
}
is(scep_ask('/scep', challenge => '1025')->{status}, 'FAILURE');



=== TEST 34: scep_challenge static, a file that everybody may read
--- config
location /scep { scep demo; scep_challenge static $TEST_NGINX_WORK/open; }
--- request
GET /_alive
--- error_code: 204
--- suppress_stderr
--- error_log
can be read by everybody



=== TEST 35: scep_challenge static, read anew at a reload
--- config
location = /probe { pki_probe; }
location /scep    { scep demo; scep_challenge static $TEST_NGINX_WORK/new; }
--- perl
scep_ready('/probe');
is(scep_brief(scep_ask('/scep', challenge => 'before')), 'SUCCESS');
work_file('new', "after\nbefore\n");
ok(nginx_reload(15), 'reloaded');
scep_ready('/probe');
is(scep_brief(scep_ask('/scep', challenge => $_)), 'SUCCESS', $_)
    for 'after', 'before';
work_file('new', "after\n");
ok(nginx_reload(15), 'reloaded');
scep_ready('/probe');
is(scep_ask('/scep', challenge => 'before')->{status}, 'FAILURE', 'gone');



=== TEST 36: scep_max_pending: more than that is told to come again
--- config
location = /probe { pki_probe; }
location /scep    { scep demo; scep_challenge none insecure;
                    scep_max_pending 1; }
--- perl
scep_ready('/probe');
my @messages = map { scep_make(subject => "CN=$_") } 1 .. 6;

# while Redis says nothing, each of the two workers has its one in work

redis_pause();
my $resume = sub { redis_resume() };
my $pid = fork();
if ($pid == 0) { select undef, undef, undef, 0.7; $resume->();
                 POSIX::_exit(0) }
my @answers = scep_send_all('/scep', @messages);
waitpid $pid, 0;
my @busy = grep { $_->{http} == 503 } @answers;
my @done = grep { ($_->{status} // '') eq 'SUCCESS' } @answers;
cmp_ok(@busy, '>=', 4, 'at most two in work');
cmp_ok(@done, '>=', 1, 'which are done');
is(@busy + @done, 6);
like($_->{headers}{'retry-after'}, qr/^\d+$/) for @busy;
is($_->{body}, "too many requests at a time\n") for @busy;
is(scep_brief(scep_send('/scep', $_)), 'SUCCESS', 'again') for @messages;
--- error_log
as "scep_max_pending" allows



=== TEST 37: scep_max_pending 0
--- config
scep_max_pending 0;
--- must_die
--- error_log
invalid number "0" in "scep_max_pending"



=== TEST 38: scep_max_pending, no number
--- config
scep_max_pending many;
--- must_die
--- error_log
invalid number "many" in "scep_max_pending"



=== TEST 39: scep_max_pending, too many
--- config
scep_max_pending 100000000;
--- must_die
--- error_log
invalid number "100000000" in "scep_max_pending"



=== TEST 40: scep_max_pending twice
--- config
scep_max_pending 1;
scep_max_pending 1;
--- must_die
--- error_log
"scep_max_pending" directive is duplicate



=== TEST 41: scep_response_cipher that is none of them
--- config
scep_response_cipher aes-128-gcm;
--- must_die
--- error_log
invalid cipher "aes-128-gcm" in "scep_response_cipher", it must be



=== TEST 42: scep_response_cipher des, whatever scep_legacy says
--- config
scep_legacy des;
scep_response_cipher des-cbc;
--- must_die
--- error_log
invalid cipher "des-cbc"



=== TEST 43: scep_response_cipher twice
--- config
scep_response_cipher aes-128-cbc;
scep_response_cipher aes-128-cbc;
--- must_die
--- error_log
"scep_response_cipher" directive is duplicate



=== TEST 44: scep_response_cipher without a cipher
--- config
scep_response_cipher;
--- must_die
--- error_log
invalid number of arguments in "scep_response_cipher" directive



=== TEST 45: scep_legacy without parameters
--- config
scep_legacy;
--- must_die
--- error_log
invalid number of arguments in "scep_legacy" directive



=== TEST 46: scep_legacy of an unknown kind
--- config
scep_legacy rc2;
--- must_die
--- error_log
invalid parameter "rc2" in "scep_legacy", it takes "des" and "md5"



=== TEST 47: scep_legacy with the same twice
--- config
scep_legacy des des;
--- must_die
--- error_log
invalid parameter "des" in "scep_legacy"



=== TEST 48: scep_legacy twice
--- config
scep_legacy des;
scep_legacy md5;
--- must_die
--- error_log
"scep_legacy" directive is duplicate



=== TEST 49: scep_legacy: said at the start
--- http_config
scep_legacy des;
--- config
location /scep { scep demo; scep_challenge none insecure; }
--- request
GET /_alive
--- error_code: 204
--- suppress_stderr
--- error_log
"scep_legacy" admits single DES, which RFC 8894 forbids, for "scep" in
