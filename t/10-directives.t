# The directives of shared/: what each accepts, and how it stops nginx when it
# is wrong.

use lib 't/lib';
use PKI;

redis_start();

our $key = work_file('other.key', openssl('genpkey', '-algorithm', 'EC',
                     '-pkeyopt', 'ec_paramgen_curve:P-256'));
our $ed = work_file('ed.key', openssl('genpkey', '-algorithm', 'ED25519'));

openssl('req', '-new', '-x509', '-key', $key, '-subj', '/CN=leaf', '-days', 9,
        '-addext', 'basicConstraints=critical,CA:FALSE',
        '-out', work_file('leaf.pem'));
openssl('req', '-new', '-x509', '-key', $key, '-subj', '/CN=ca', '-days', 9,
        '-addext', 'basicConstraints=critical,CA:TRUE',
        '-addext', 'keyUsage=critical,digitalSignature',
        '-out', work_file('usage.pem'));
openssl('req', '-new', '-x509', '-key', $key, '-subj', '/CN=ca', '-days', 9,
        '-addext', 'basicConstraints=critical,CA:TRUE',
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
        '-out', work_file('good.pem'));

chmod 0644, work_file('w.key', slurp($key));
work_file('empty', "\n");
work_file('password', "secret\n");

no_shuffle();
run_tests();

__DATA__

=== TEST 1: pki_zone, pki_thread_pool, pki_redis with all parameters
--- main_config
thread_pool pki threads=2;
--- http_config
pki_zone zone=state:1m;
pki_thread_pool pki;
pki_redis redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/0 prefix=t: timeout=500ms
          connections=2 wait=0 wait_timeout=10ms;
--- config
location = /probe { pki_probe; }
--- perl
wait_until(sub { (http_get('/probe'))[0] == 200 });
my ($status, $headers, $body) = http_get('/probe');
is($status, 200, 'up');
is($body, "redis: ok\n", 'one line');
is($headers->{'cache-control'}, 'no-store', 'not kept');
($status) = http_post('/probe', 'x');
is($status, 405, 'GET and HEAD only');



=== TEST 2: pki_zone twice
--- http_config
pki_zone zone=a:1m;
pki_zone zone=b:1m;
--- config
--- must_die
--- error_log
"pki_zone" directive is duplicate



=== TEST 3: pki_zone without zone=
--- http_config
pki_zone a:1m;
--- config
--- must_die
--- error_log
"pki_zone" directive must have "zone=name:size"



=== TEST 4: pki_zone without a size
--- http_config
pki_zone zone=a;
--- config
--- must_die
--- error_log
must have a name and a size



=== TEST 5: pki_zone of a wrong size
--- http_config
pki_zone zone=a:big;
--- config
--- must_die
--- error_log
has an invalid size



=== TEST 6: pki_zone too small
--- http_config
pki_zone zone=a:64k;
--- config
--- must_die
--- error_log
is too small



=== TEST 7: pki_redis twice
--- http_config
pki_redis redis://127.0.0.1;
pki_redis redis://127.0.0.1;
--- config
--- must_die
--- error_log
"pki_redis" directive is duplicate



=== TEST 8: pki_redis of an unknown scheme
--- http_config
pki_redis http://127.0.0.1;
--- config
--- must_die
--- error_log
invalid url in "pki_redis"



=== TEST 9: pki_redis with a password in it: refused, and not repeated
--- http_config
pki_redis redis://user:hush@127.0.0.1;
--- config
--- must_die
--- error_log
invalid url in "pki_redis"
--- no_error_log
hush



=== TEST 10: pki_redis with a host name needs a resolver
--- http_config
pki_redis redis://redis.example:6379;
--- config
--- must_die
--- error_log
which needs a "resolver"



=== TEST 11: pki_redis, unknown parameter
--- http_config
pki_redis redis://127.0.0.1 speed=9;
--- config
--- must_die
--- error_log
invalid parameter "speed=9" in "pki_redis"



=== TEST 12: pki_redis, wrong timeout
--- http_config
pki_redis redis://127.0.0.1 timeout=soon;
--- config
--- must_die
--- error_log
a time such as "2s"



=== TEST 13: pki_redis, wrong connections
--- http_config
pki_redis redis://127.0.0.1 connections=0;
--- config
--- must_die
--- error_log
1 to 64 connections



=== TEST 14: pki_redis, wrong wait
--- http_config
pki_redis redis://127.0.0.1 wait=many;
--- config
--- must_die
--- error_log
0 to 16 replicas



=== TEST 15: pki_redis, braces in the prefix
--- http_config
pki_redis redis://127.0.0.1 "prefix={a}";
--- config
--- must_die
--- error_log
no blanks and no braces



=== TEST 16: pki_redis_user without a password
--- http_config
pki_redis redis://127.0.0.1;
pki_redis_user nginx;
--- config
--- must_die
--- error_log
"pki_redis_user" needs "pki_redis_password_file"



=== TEST 17: pki_redis_password_file that is not there
--- http_config
pki_redis redis://127.0.0.1;
pki_redis_password_file $TEST_NGINX_WORK/none;
--- config
--- must_die
--- error_log
cannot open



=== TEST 18: pki_redis_password_file that is empty
--- http_config
pki_redis redis://127.0.0.1;
pki_redis_password_file $TEST_NGINX_WORK/empty;
--- config
--- must_die
--- error_log
no password of 1 to



=== TEST 19: certificates for a Redis without TLS
--- http_config
pki_redis redis://127.0.0.1;
pki_redis_trusted_certificate $TEST_NGINX_WORK/good.pem;
--- config
--- must_die
--- error_log
does not say "rediss://"



=== TEST 20: pki_redis_certificate without its key
--- http_config
pki_redis rediss://127.0.0.1;
pki_redis_certificate $TEST_NGINX_WORK/good.pem;
--- config
--- must_die
--- error_log
"pki_redis_certificate" and "pki_redis_certificate_key" go together



=== TEST 21: pki_redis_certificate_key without its certificate
--- http_config
pki_redis rediss://127.0.0.1;
pki_redis_certificate_key $TEST_NGINX_WORK/other.key;
--- config
--- must_die
--- error_log
"pki_redis_certificate" and "pki_redis_certificate_key" go together



=== TEST 22: pki_thread_pool that is not defined
--- http_config
pki_thread_pool nowhere;
--- config
--- must_die
--- error_log
unknown thread pool "nowhere"



=== TEST 23: an authority without pki_redis
--- no_defaults
--- http_config
pki_authority a {
    subject CN=a;
    key file:$TEST_NGINX_WORK/a.key;
    certificate $TEST_NGINX_WORK/a.pem;
    create ec:P-256;
}
--- config
--- must_die
--- error_log
"pki_authority" needs "pki_redis"



=== TEST 24: pki_authority of an impossible name
--- http_config
pki_authority "a b" { }
--- config
--- must_die
--- error_log
invalid authority name "a b"



=== TEST 25: pki_authority twice
--- http_config eval
PKI::authority('a') . PKI::authority('a')
--- config
--- must_die
--- error_log
authority "a" is there already



=== TEST 26: pki_authority without a key
--- http_config
pki_authority a { subject CN=a; }
--- config
--- must_die
--- error_log
authority "a" must have "key"



=== TEST 27: pki_authority without a certificate
--- http_config
pki_authority a { subject CN=a; key file:a.key; }
--- config
--- must_die
--- error_log
authority "a" must have "certificate"



=== TEST 28: create without a subject
--- http_config
pki_authority a { key file:a.key; certificate a.pem; create rsa:2048; }
--- config
--- must_die
--- error_log
authority "a" must have "subject"



=== TEST 29: an impossible subject
--- http_config
pki_authority a {
    subject Device; key file:a.key; certificate a.pem; create rsa:2048;
}
--- config
--- must_die
--- error_log
invalid subject "Device"



=== TEST 30: an unknown directive in pki_authority
--- http_config
pki_authority a { colour blue; }
--- config
--- must_die
--- error_log
unknown directive "colour" in "pki_authority"



=== TEST 31: a duplicate directive in pki_authority
--- http_config
pki_authority a { subject CN=a; subject CN=b; }
--- config
--- must_die
--- error_log
"subject" of "pki_authority" is duplicate



=== TEST 32: a directive in pki_authority with too many parameters
--- http_config
pki_authority a { subject CN=a O=b; }
--- config
--- must_die
--- error_log
invalid number of arguments in "subject" of "pki_authority"



=== TEST 33: a key of no known kind
--- http_config
pki_authority a { key a.key; }
--- config
--- must_die
--- error_log
neither "file:path", "keyvault:URL" nor "store:URI"



=== TEST 34: a vault without the name of a key
--- http_config
pki_authority a { key keyvault:https://v.example/; }
--- config
--- must_die
--- error_log
invalid key "keyvault:https://v.example/"



=== TEST 35: create of an impossible key
--- http_config
pki_authority a { create rsa:1024; }
--- config
--- must_die
--- error_log
invalid key "rsa:1024" in "create": an RSA key has 2048, 3072 or 4096 bits



=== TEST 36: create of an impossible curve
--- http_config
pki_authority a { create ec:P-192; }
--- config
--- must_die
--- error_log
a curve is P-256, P-384 or P-521



=== TEST 37: create of a key in an HSM without one
--- http_config
pki_authority a {
    subject CN=a; key file:a.key; certificate a.pem; create rsa-hsm:4096;
}
--- config
--- must_die
--- error_log
authority "a": only a key of "keyvault:" can be made in an HSM



=== TEST 38: create with a wrong validity
--- http_config
pki_authority a { create rsa:2048 validity=long; }
--- config
--- must_die
--- error_log
has an invalid validity



=== TEST 39: create for a key of OSSL_STORE
--- http_config
pki_authority a {
    subject CN=a; key store:file:/a; certificate a.pem; create rsa:2048;
}
--- config
--- must_die
--- error_log
"create" makes a key of "file:"



=== TEST 40: ra of no known kind
--- http_config
pki_authority a { ra perhaps; }
--- config
--- must_die
--- error_log
"ra" of "pki_authority" is neither "off", "auto", "file:certificate,key"



=== TEST 41: base_url that is none
--- http_config
pki_authority a { base_url pki.example; }
--- config
--- must_die
--- error_log
must start with "http://" or "https://"



=== TEST 42: ocsp_url with a blank
--- http_config
pki_authority a { ocsp_url "http://a b"; }
--- config
--- must_die
--- error_log
has characters that a URL cannot have



=== TEST 43: signature_digest that is too weak
--- http_config
pki_authority a { signature_digest sha1; }
--- config
--- must_die
--- error_log
is "sha256", "sha384" or "sha512"



=== TEST 44: directory: not available yet
--- http_config
pki_authority a { directory b; }
--- config
--- must_die
--- error_log
"directory" of "pki_authority" is not available in this version



=== TEST 45: a key that is not there
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/none.key;
    certificate $TEST_NGINX_WORK/good.pem;
}
--- config
--- must_die
--- error_log
there is no key



=== TEST 46: a certificate without its key: no new key is made
--- http_config
pki_authority a {
    subject CN=a;
    key file:$TEST_NGINX_WORK/none.key;
    certificate $TEST_NGINX_WORK/good.pem;
    create ec:P-256;
}
--- config
--- must_die
--- error_log
no new key is made for it



=== TEST 47: a certificate that is not there
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/none.pem;
}
--- config
--- must_die
--- error_log
there is no certificate



=== TEST 48: a file without a key
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/good.pem;
    certificate $TEST_NGINX_WORK/good.pem;
}
--- config
--- must_die
--- error_log
no private key without a password in



=== TEST 49: a key of a kind that cannot be used
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/ed.key;
    certificate $TEST_NGINX_WORK/good.pem;
}
--- config
--- must_die
--- error_log
neither RSA nor EC



=== TEST 50: a certificate that is not of a CA
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/leaf.pem;
}
--- config
--- must_die
--- error_log
is not that of a CA



=== TEST 51: a CA certificate that may not sign certificates
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/usage.pem;
}
--- config
--- must_die
--- error_log
lacks the key usages keyCertSign and cRLSign



=== TEST 52: a chain that is not there
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/good.pem chain=$TEST_NGINX_WORK/none.pem;
}
--- config
--- must_die
--- error_log
cannot open chain



=== TEST 53: a chain without certificates
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/good.pem chain=$TEST_NGINX_WORK/empty;
}
--- config
--- must_die
--- error_log
no certificate in chain



=== TEST 54: all directives of an authority, key and certificate from files
--- http_config
pki_authority outside {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/good.pem chain=$TEST_NGINX_WORK/good.pem;
    ra off;
    ocsp_url http://o.example/ocsp;
    crl_url http://c.example/a.crl;
    ca_url http://a.example/a.cer;
    signature_digest sha384;
}
--- config
location = /probe { pki_probe; }
--- perl
ok(wait_until(sub { (http_get('/probe'))[2] =~ /authority outside: ok/ }),
   'ready') or diag((http_get('/probe'))[2]);



=== TEST 55: the same key by OSSL_STORE
--- http_config
pki_authority outside {
    key store:file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/good.pem;
    base_url http://127.0.0.1:8080/;
}
--- config
location = /probe { pki_probe; }
--- perl
ok(wait_until(sub { (http_get('/probe'))[2] =~ /authority outside: ok/ }),
   'ready') or diag((http_get('/probe'))[2]);



=== TEST 56: a key that everybody may read is warned of
--- http_config
pki_authority open {
    key file:$TEST_NGINX_WORK/w.key;
    certificate $TEST_NGINX_WORK/good.pem;
    base_url http://127.0.0.1:8080;
}
--- config
--- request
GET /_alive
--- error_code: 204
--- error_log
do "chmod 600"



=== TEST 57: an authority without base_url is warned of
--- http_config
pki_authority silent {
    key file:$TEST_NGINX_WORK/other.key;
    certificate $TEST_NGINX_WORK/good.pem;
}
--- config
--- request
GET /_alive
--- error_code: 204
--- error_log
authority "silent" has no "base_url"



=== TEST 58: pki_probe beside another handler
--- config
location = /probe { pki_probe; pki_probe; }
--- must_die
--- error_log
"pki_probe" directive is duplicate



=== TEST 59: pki_probe says why it is 503
--- http_config eval
PKI::authority('demo')
--- config
location = /probe { pki_probe; }
--- perl
ok(wait_until(sub { (http_get('/probe'))[0] == 200 }), 'up at first');
redis_stop();
ok(wait_until(sub { (http_get('/probe'))[0] == 503 }), 'down');
like((http_get('/probe'))[2], qr/^redis: down: \S+/, 'and why');
redis_start();
ok(wait_until(sub { (http_get('/probe'))[0] == 200 }), 'up again by itself');
