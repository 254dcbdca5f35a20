# A name that nobody has verified never becomes a user, however early a
# variable made of it was evaluated.

use lib 't/lib';
use PKI;
use PKI::Client;

redis_start();
work_file('users', "admin:{PLAIN}right\n");

http_config(authority('demo'), <<'END');
map $remote_user $role { default ""; admin admin; }
map $remote_user $who  { default ""; admin admin; }
limit_req_zone $remote_user zone=users:1m rate=1000r/s;
END

our $location = <<'END';
location = /probe { pki_probe; }
location /open/ {
    limit_req zone=users;
    satisfy any;
    allow 127.0.0.1;
    deny all;
    auth_basic "master";
    auth_basic_user_file $TEST_NGINX_WORK/users;
    certificate_master demo;
    certificate_master_user $who;
    certificate_master_roles $role;
}
location /set/ {
    set $u $remote_user;
    certificate_master demo;
    certificate_master_user $u;
    certificate_master_roles admin;
}
location /checked/ {
    auth_basic "master";
    auth_basic_user_file $TEST_NGINX_WORK/users;
    certificate_master demo;
    certificate_master_user $who;
    certificate_master_roles $role;
}
END

sub list {
    my ($where, $user) = @_;
    my ($status) = api('GET', "$where/api/certificates", undef,
                       user => $user);
    return $status;
}

run_tests();

__DATA__

=== TEST 1: evaluated by limit_req before the content phase
--- config eval
$::location
--- perl
wait_until(sub { (http_get('/probe'))[0] == 200 });
is(list('/open', 'admin:wrong'), 403, 'a wrong password');
is(list('/open', 'admin:right'), 403, 'a right one that counts for nothing');
is(list('/open'), 403, 'none');



=== TEST 2: copied by set in the rewrite phase
--- config eval
$::location
--- perl
wait_until(sub { (http_get('/probe'))[0] == 200 });
is(list('/set', 'admin:wrong'), 403, 'nobody asked for a password');



=== TEST 3: where auth_basic asks always, the name counts
--- config eval
$::location
--- perl
wait_until(sub { (http_get('/probe'))[0] == 200 });
is(list('/checked', 'admin:right'), 200, 'a right password');
is(list('/checked', 'admin:wrong'), 401, 'a wrong one');
