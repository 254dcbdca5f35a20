# The directives of REST enrolment and of the Certificate Master: what each
# accepts, what it inherits, and how it stops nginx when it is wrong.  What they
# do to requests is in 40 and 41.

use lib 't/lib';
use PKI;
use PKI::Client;
use PKI::Rest;

redis_start();
tls_files();
htpasswd(admin => 'secret');

http_config(authority('demo', key => 'ec:P-256'),
            authority('other', key => 'ec:P-256'), <<'END');
map $http_x $mapped { default x; }
END

our $basic = 'auth_basic x;'
             . ' auth_basic_user_file $TEST_NGINX_WORK/htpasswd;';
our $ssl = <<'END';
ssl_certificate $TEST_NGINX_WORK/tls.pem;
ssl_certificate_key $TEST_NGINX_WORK/tls.key;
ssl_client_certificate $TEST_NGINX_WORK/ca.pem;
ssl_verify_client optional;
END

our $probe = "location = /probe { pki_probe; }\n";

sub profile_of {
    my ($uri, @o) = @_;
    my ($status, undef, $body) = post($uri, csr('profile'), @o);
    return $status if $status != 201;
    my ($usage) = reads(cert_of($body), '-ext', 'extendedKeyUsage')
                  =~ /\n\s+(.*\S)/;
    return $usage // 'none';
}

sub code { return brief((http_get($_[0]))[0, 2]) }

run_tests();

__DATA__

=== TEST 1: enroll: at a location of any kind
--- config eval
$::probe . <<END
location = /exact    { enroll demo; $::basic }
location /prefix     { enroll demo; $::basic }
location ~ ^/regex\$ { enroll demo; $::basic }
location /outer      { $::basic location /outer/inner { enroll other; } }
location \@named     { enroll demo; $::basic }
location = /to       { error_page 418 = \@named; return 418; }
location /if         { enroll demo; $::basic if (\$arg_x) { set \$y 1; } }
END
--- perl
rest_ready();
for my $uri (qw( /exact /prefix /prefix/below /regex /outer/inner /to /if
                 /if?x=1 ))
{
    is((post($uri, csr('where'), user => 'admin:secret'))[0], 201, $uri);
    is((post($uri, csr('where')))[0], 401, 'not for everybody');
}
is((post('/outer', ''))[0], 401, 'not around it');
is((post('/outer', '', user => 'admin:secret'))[0], 404, 'but files');



=== TEST 2: enroll twice
--- config
location /e { enroll demo; enroll other; enroll_auth none insecure; }
--- must_die
--- error_log
"enroll" directive is duplicate



=== TEST 3: enroll of an unknown authority
--- config
location /e { enroll none; enroll_auth none insecure; }
--- must_die
--- error_log
unknown authority "none" in "enroll"



=== TEST 4: enroll of an authority without a name
--- config
location /e { enroll ""; enroll_auth none insecure; }
--- must_die
--- error_log
unknown authority "" in "enroll"



=== TEST 5: enroll without an authority
--- config
location /e { enroll; }
--- must_die
--- error_log
invalid number of arguments in "enroll" directive



=== TEST 6: enroll of two
--- config
location /e { enroll demo other; }
--- must_die
--- error_log
invalid number of arguments in "enroll" directive



=== TEST 7: enroll outside of a location
--- config
enroll demo;
--- must_die
--- error_log
"enroll" directive is not allowed here



=== TEST 8: enroll beside another handler
--- config
location /e { proxy_pass http://127.0.0.1; enroll demo;
              enroll_auth none insecure; }
--- must_die
--- error_log
"enroll" directive conflicts with another handler



=== TEST 9: enroll beside the Certificate Master
--- config
location /e { certificate_master demo; enroll demo; }
--- must_die
--- error_log
"enroll" directive conflicts with another handler



=== TEST 10: enroll where nobody is authenticated
--- config
location /e { enroll demo; }
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated, it needs "auth_basic"



=== TEST 11: enroll with a realm alone
--- config
location /e { enroll demo; auth_basic x; }
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 12: enroll with passwords alone
--- config
location /e { enroll demo;
              auth_basic_user_file $TEST_NGINX_WORK/htpasswd; }
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 13: enroll with auth_basic of the server turned off
--- config eval
"$::basic location /e { enroll demo; auth_basic off; }"
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 14: enroll with "satisfy any"
--- config eval
"satisfy any; location /e { enroll demo; $::basic }"
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 15: enroll with a realm that may be off
--- config eval
"location /e { enroll demo; $::basic auth_basic \$mapped; }"
=~ s/auth_basic x;//r
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 16: enroll with "auth_request" alone
--- config
location = /ask { return 204; }
location /e { enroll demo; auth_request /ask; }
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 17: enroll with an address alone
--- config
location /e { enroll demo; allow 127.0.0.1; deny all; }
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 18: enroll with ssl_verify_client off
--- config eval
"$::ssl location /e { enroll demo; }" =~ s/optional/off/r
--- must_die
--- error_log
"enroll" in location "/e" has nobody authenticated



=== TEST 19: enroll with auth_basic of http, of the server, of the location
--- http_config eval
$::basic
--- config eval
"$::probe location /e { enroll demo; }"
--- perl
rest_ready();
is((post('/e', csr('inherited'), user => 'admin:secret'))[0], 201, 'issued');
is((post('/e', csr('inherited')))[0], 401, 'not for everybody');



=== TEST 20: enroll with client certificates
--- config eval
"$::probe $::ssl location /e { enroll demo; }"
--- perl
rest_ready();
is(brief((post('/e', csr('plain')))[0, 2]), '403 forbidden',
   'none without TLS');
is(brief((post('/e', csr('plain'), user => 'admin:secret'))[0, 2]),
   '403 forbidden', 'nor with a header');



=== TEST 21: enroll with client certificates, and with what proves nothing
--- suppress_stderr
--- config eval
"$::ssl location /e { enroll demo; satisfy any; $::basic }"
--- request
GET /_alive
--- error_code: 204
--- error_log
"auth_basic" in location "/e" proves nothing with a variable or "satisfy any"



=== TEST 22: enroll_auth and enroll_profile
--- config eval
$::probe . <<END
location /access { enroll demo; enroll_auth access; $::basic }
location /none   { enroll demo; enroll_auth none insecure; }
location /server { enroll demo; enroll_auth none insecure;
                   enroll_profile server; }
location /user   { enroll_auth none insecure; enroll_profile user;
                   enroll demo;
                   location /user/too { enroll demo; }
                   location /user/own { enroll demo; enroll_profile server; } }
END
--- perl
rest_ready();
is(profile_of('/access'), 401, 'access');
is(profile_of('/access', user => 'admin:secret'), profile_of('/none'),
   'the default profile');
is(profile_of('/none', headers => { Authorization => 'Basic x' }),
   profile_of('/none'), 'none insecure');
is(profile_of('/server'), 'TLS Web Server Authentication', 'a profile');
my $user = profile_of('/user');
like($user, qr/TLS Web Client Authentication/, 'another');
is(profile_of('/user/too'), $user, 'inherited');
is(profile_of('/user/own'), 'TLS Web Server Authentication', 'not inherited');



=== TEST 23: enroll_auth none, without a word of how
--- config
location /e { enroll demo; enroll_auth none; }
--- must_die
--- error_log
"enroll_auth none" gives a certificate to everybody



=== TEST 24: enroll_auth none, with another word
--- config
location /e { enroll demo; enroll_auth none secure; }
--- must_die
--- error_log
"enroll_auth none" gives a certificate to everybody



=== TEST 25: enroll_auth of an unknown kind
--- config
location /e { enroll demo; enroll_auth maybe; }
--- must_die
--- error_log
invalid parameter "maybe", "access" or "none insecure" expected



=== TEST 26: enroll_auth access, with more
--- config
location /e { enroll demo; enroll_auth access insecure; }
--- must_die
--- error_log
invalid parameter "insecure", "access" or "none insecure" expected



=== TEST 27: enroll_auth none, with more
--- config
location /e { enroll demo; enroll_auth none insecure really; }
--- must_die
--- error_log
"enroll_auth none" gives a certificate to everybody



=== TEST 28: enroll_auth twice
--- config
location /e { enroll demo; enroll_auth none insecure; enroll_auth access; }
--- must_die
--- error_log
"enroll_auth" directive is duplicate



=== TEST 29: enroll_auth without a kind
--- config
location /e { enroll demo; enroll_auth; }
--- must_die
--- error_log
invalid number of arguments in "enroll_auth" directive



=== TEST 30: enroll_auth outside of a location
--- config
enroll_auth none insecure;
--- must_die
--- error_log
"enroll_auth" directive is not allowed here



=== TEST 31: enroll_profile that is unknown
--- config
location /e { enroll demo; enroll_auth none insecure; enroll_profile none; }
--- must_die
--- error_log
unknown profile "none" in "enroll_profile"



=== TEST 32: enroll_profile twice
--- config
location /e { enroll demo; enroll_profile user; enroll_profile user; }
--- must_die
--- error_log
"enroll_profile" directive is duplicate



=== TEST 33: enroll_profile without a name
--- config
location /e { enroll demo; enroll_profile; }
--- must_die
--- error_log
invalid number of arguments in "enroll_profile" directive



=== TEST 34: enroll_profile outside of a location
--- config
enroll_profile user;
--- must_die
--- error_log
"enroll_profile" directive is not allowed here



=== TEST 35: certificate_master, its users and roles, here and inherited
--- http_config
certificate_master_user robot;
certificate_master_roles reader;
--- config eval
$::probe . <<END
location /both    { certificate_master demo other; }
location /slash/  { certificate_master demo; }
location ^~ /nore { certificate_master demo; }
location /own     { certificate_master demo; certificate_master_roles admin; }
location /text    { certificate_master demo;
                    certificate_master_user a-\${uri}-b; }
location /issuer  { certificate_master_roles issue;
                    location /issuer/of { certificate_master demo; } }
location /name    { certificate_master demo; $::basic
                    certificate_master_user x-\${remote_user}; }
location /vars    { certificate_master demo; set \$my_remote_user x;
                    set \$remote_user2 y; certificate_master_user
                    \$my_remote_user\$remote_user2; }
END
--- perl
rest_ready();
is(code("/$_/api/certificates"), 200, $_) for qw( both slash nore own text
                                                  vars );
is(code('/issuer/of/api/certificates'), '403 forbidden',
   'a role that is inherited');
is(code('/name/api/certificates'), 401, 'a user who must log in');
is((api('POST', '/both/api/certificates', {}))[0], 403, 'a reader only reads');
is((api('POST', '/own/api/certificates', {}))[0], 400, 'an administrator');



=== TEST 36: certificate_master twice
--- config
location /c { certificate_master demo; certificate_master other; }
--- must_die
--- error_log
"certificate_master" directive is duplicate



=== TEST 37: certificate_master of an unknown authority
--- config
location /c { certificate_master demo none; }
--- must_die
--- error_log
unknown authority "none" in "certificate_master"



=== TEST 38: certificate_master of one authority twice
--- config
location /c { certificate_master demo other demo; }
--- must_die
--- error_log
duplicate authority "demo" in "certificate_master"



=== TEST 39: certificate_master without an authority
--- config
location /c { certificate_master; }
--- must_die
--- error_log
invalid number of arguments in "certificate_master" directive



=== TEST 40: certificate_master at an exact location
--- config
location = /c { certificate_master demo; }
--- must_die
--- error_log
"certificate_master" directive must be in a location given by a prefix



=== TEST 41: certificate_master at a regular expression
--- config
location ~ /c { certificate_master demo; }
--- must_die
--- error_log
"certificate_master" directive must be in a location given by a prefix



=== TEST 42: certificate_master at a named location
--- config
location @c { certificate_master demo; }
--- must_die
--- error_log
"certificate_master" directive must be in a location given by a prefix



=== TEST 43: certificate_master outside of a location
--- config
certificate_master demo;
--- must_die
--- error_log
"certificate_master" directive is not allowed here



=== TEST 44: certificate_master beside another handler
--- config
location /c { pki_probe; certificate_master demo; }
--- must_die
--- error_log
"certificate_master" directive conflicts with another handler



=== TEST 45: no user, no roles: warned of
--- suppress_stderr
--- config
location /c { certificate_master demo; }
--- request
GET /c/api/certificates
--- error_code: 403
--- error_log
no "certificate_master_user" for location "/c", everything is refused there
no "certificate_master_roles" for location "/c", everything is refused there



=== TEST 46: a user who may be anybody: warned of
--- suppress_stderr
--- config
location /c { certificate_master demo; certificate_master_user $http_x_user;
              certificate_master_roles x,$arg_r; }
location /d { certificate_master demo; certificate_master_user ${cookie_u};
              certificate_master_roles admin; }
--- request
GET /_alive
--- error_code: 204
--- error_log
"certificate_master_user" of location "/c" believes "$http_x_user"
"certificate_master_roles" of location "/c" believes "x,$arg_r"
"certificate_master_user" of location "/d" believes "${cookie_u}"



=== TEST 47: certificate_master_user: $remote_user that nobody verifies
--- config
location /c { certificate_master demo; certificate_master_user $remote_user;
              certificate_master_roles admin; }
--- must_die
--- error_log
"certificate_master_user" of location "/c" takes $remote_user, which nobody



=== TEST 48: the same, inherited, in braces and amid other text
--- config
certificate_master_user x-${REMOTE_user};
certificate_master_roles admin;
location /c { certificate_master demo; }
--- must_die
--- error_log
"certificate_master_user" of location "/c" takes $remote_user, which nobody



=== TEST 49: the same with "satisfy any"
--- config eval
"location /c { certificate_master demo; satisfy any; $::basic
               certificate_master_user \$remote_user;
               certificate_master_roles admin; }"
--- must_die
--- error_log
"certificate_master_user" of location "/c" takes $remote_user, which nobody



=== TEST 50: certificate_master_user: a certificate that nobody verifies
--- config
location /c { certificate_master demo;
              certificate_master_user $ssl_client_s_dn;
              certificate_master_roles admin; }
--- must_die
--- error_log
"certificate_master_user" of location "/c" takes the client's certificate



=== TEST 51: certificate_master_user: a certificate
--- config eval
"$::probe $::ssl location /c { certificate_master demo;
    certificate_master_user \$ssl_client_s_dn;
    certificate_master_roles admin; }"
--- perl
rest_ready();
is(code('/c/api/certificates'), '403 forbidden', 'not without TLS');



=== TEST 52: certificate_master_user twice
--- config
location /c { certificate_master_user a; certificate_master_user b; }
--- must_die
--- error_log
"certificate_master_user" directive is duplicate



=== TEST 53: certificate_master_user of nothing
--- config
location /c { certificate_master_user; }
--- must_die
--- error_log
invalid number of arguments in "certificate_master_user" directive



=== TEST 54: certificate_master_user of an unknown variable
--- config
location /c { certificate_master_user $no_such_variable; }
--- must_die
--- error_log
unknown "no_such_variable" variable



=== TEST 55: certificate_master_roles twice
--- config
location /c { certificate_master_roles a; certificate_master_roles b; }
--- must_die
--- error_log
"certificate_master_roles" directive is duplicate



=== TEST 56: certificate_master_roles of too much
--- config
location /c { certificate_master_roles reader revoke; }
--- must_die
--- error_log
invalid number of arguments in "certificate_master_roles" directive



=== TEST 57: certificate_master_roles of an unknown variable
--- config
location /c { certificate_master_roles $no_such_variable; }
--- must_die
--- error_log
unknown "no_such_variable" variable
