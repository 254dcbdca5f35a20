# pki_azure_identity: what it accepts and how it stops nginx when it is wrong;
# every way to get a token, seen by the vault that it is for; how workers share
# a token, renew it, do without it and get it again.  Not covered: that Azure
# itself agrees; t/azure/sdk says how close the simulator is.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use Digest::SHA qw( sha256 );
use JSON::PP qw( decode_json );
use MIME::Base64 qw( decode_base64 encode_base64url decode_base64url );
use POSIX ();
use Time::HiRes qw( sleep time );

redis_start();

# Arc's keys are at one place only, which may be that of a real agent

our $suite = $$;
our $arc_dir = '/var/opt/azcmagent/tokens';
our $arc = $> == 0 && !-e '/opt/azcmagent';
our $arc_made = $arc && !-e '/var/opt/azcmagent';

start_azure($arc ? (arc_dir => $arc_dir) : ());

END {
    if ($arc_made && $$ == $suite) {
        local $?;
        system 'rm', '-rf', '/var/opt/azcmagent';
    }
}

our %azure = map { /^TEST_NGINX_AZURE_(.*)/ ? ($1 => $ENV{$_}) : () }
             keys %ENV;
our $work = work_dir();
our $dir = $azure{DIR};
our $imds = "http://127.0.0.1:$azure{HTTP_PORT}";
our $secret = slurp("$dir/client.secret");
our $key = new_key('ec:P-256');
our $n = 0;
our @authorities;    # of this block

s/\s+\z// for $secret;

# identities that work

our $application = "tenant $azure{TENANT}; client_id $azure{CLIENT};
                    authority_host $azure{LOGIN};";
our $managed = "managed_identity endpoint=$imds;";

# identities that do not

sub certificate {
    my ($name, @key) = @_;

    openssl('req', '-new', '-x509', '-nodes', '-subj', "/CN=$name",
            '-days', 9, '-keyout', "$work/$name.key", '-out', "$work/$name.pem",
            @key);
    chmod 0600, "$work/$name.key";
}

certificate('ec', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
certificate('short', '-newkey', 'rsa:1024');
certificate('rsa', '-newkey', 'rsa:2048');
certificate('past', '-newkey', 'rsa:2048');

openssl('x509', '-in', "$work/past.pem", '-signkey', "$work/past.key",
        '-days', '-1', '-out', "$work/past.pem");
openssl('pkey', '-in', "$work/rsa.key", '-aes128', '-passout', 'pass:x',
        '-out', work_file('locked.key', ''));

work_file('empty', "\n");
work_file('long', 'x' x 4097);
work_file('wrong', "gallop horse\n");
work_file('secret', "$secret\n");
chmod 0644, work_file('open', "$secret\r\n");

# Authorities of vault keys that are there already, one for each identity:
# "http" has an identity of that name; "more" is put before.

sub vault {
    my ($more, @identities) = @_;

    my $config = "resolver 127.0.0.1:$azure{DNS_PORT} ipv6=off;\n"
                 . "pki_trusted_certificate $azure{CA};\n"
                 . "pki_key_vault rate=0;\n$more\n";

    @authorities = ();

    for my $identity (@identities ? @identities : '') {
        my $name = 'a' . ++$n;
        my $which = $identity ? "identity=$identity" : '';

        push @authorities, $name;
        azure_key($name, kty => 'EC', crv => 'P-256', key_ops => ['sign']);

        $config .= <<"END";
pki_authority $name {
    subject     "CN=$name";
    key         keyvault:https://$azure{VAULT}/keys/$name $which;
    certificate $work/$name.pem;
    create      ec:P-256;
    base_url    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT;
}
END
    }

    return $config;
}

sub locations {
    return "location = /probe { pki_probe; }\n"
           . join '', map { "location = /$_ { enroll $_; "
                            . "enroll_auth none insecure; }\n" }
                      @authorities;
}

sub probe { return (http_get('/probe'))[2] }

sub ready {
    my ($name) = @_;
    return wait_ready(sub { probe() =~ /^authority $name: ok$/m }, 20)
           || diag(probe()) && 0;
}

# the status of an enrolment: 201 if the vault has signed

sub issue {
    my ($name, %option) = @_;

    return (http_post('/' . ($name // $authorities[0]),
                      slurp(new_csr(key => $key, subject => '/CN=c' . ++$n)),
                      timeout => 30, %option))[0];
}

# in processes of their own

sub issue_many {
    my ($count) = @_;

    my @csr = map { slurp(new_csr(key => $key, subject => '/CN=m' . ++$n)) }
              1 .. $count;
    my @pipes;

    for my $csr (@csr) {
        my $pid = open(my $pipe, '-|') // die "fork: $!";

        if ($pid == 0) {
            print +(http_post("/$authorities[0]", $csr, timeout => 30))[0];
            close STDOUT;
            POSIX::_exit(0);
        }

        push @pipes, $pipe;
    }

    return map { my $status = <$_>; close $_; $status // 0 } @pipes;
}

sub works {
    for my $name (@authorities) {
        ok(ready($name), "$name is ready");
        is(issue($name), 201, "$name issues");
    }

    silent();
}

# the authority is there, but has no token: what the probe says of it

sub complains {
    my ($why) = @_;

    ok(wait_until(sub { probe() =~ $why }, 20), 'the probe says why')
        or diag(probe());
    silent();
}

sub tokens {
    my $requests = azure_counters()->{requests};
    return join ' ', map { $requests->{$_} ? "$_=$requests->{$_}" : () }
                     qw( token imds appservice arc );
}

sub lines { return grep { /$_[0]/ } split /\n/, error_log() }

# nginx logs at debug level here

sub silent {
    my $log = error_log();
    my @secrets = ($secret, $azure{HEADER}, 'eyJ', 'gallop',
                   map { substr $_, 0, 20 } grep { length > 20 }
                   slurp("$dir/federated.token"));

    is(scalar(grep { index($log, $_) >= 0 } @secrets), 0, 'no secret in logs');
    unlike(probe(), qr/eyJ|gallop/, 'nor on the probe');
}

# "before": code to run before nginx starts.  What the machine has in its
# environment is none of ours.

our @environment = qw(
    AZURE_TENANT_ID AZURE_CLIENT_ID AZURE_CLIENT_SECRET
    AZURE_CLIENT_CERTIFICATE_PATH AZURE_FEDERATED_TOKEN_FILE
    AZURE_AUTHORITY_HOST AZURE_POD_IDENTITY_AUTHORITY_HOST
    IDENTITY_ENDPOINT IDENTITY_HEADER IMDS_ENDPOINT
);

add_block_preprocessor(sub {
    my ($block) = @_;

    delete @ENV{@environment};
    azure_reset();

    @authorities = ($block->http_config // '') =~ /^pki_authority (\w+)/mg;

    eval "package main; " . $block->before . "; 1" or die $@
        if defined $block->before;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a block that is not used
--- http_config
pki_azure_identity contoso {
    tenant         contoso.example;
    client_id      11111111-2222-3333-4444-555555555555;
    authority_host https://login.microsoftonline.us/;
    managed_identity;
}
--- config
--- request
GET /_alive
--- error_code: 204



=== TEST 2: no way to get a token
--- http_config
pki_azure_identity contoso { tenant contoso.example; }
--- config
--- must_die
--- error_log
azure identity "contoso" must have one of "managed_identity", "client_secret_file"



=== TEST 3: two ways to get a token
--- http_config
pki_azure_identity contoso { auto; managed_identity; }
--- config
--- must_die
--- error_log
"managed_identity" of "pki_azure_identity" comes after another way to get tokens



=== TEST 4: one of them twice
--- http_config
pki_azure_identity contoso { auto; auto; }
--- config
--- must_die
--- error_log
"auto" of "pki_azure_identity" is duplicate



=== TEST 5: an unknown directive
--- http_config
pki_azure_identity contoso { client_secret x; }
--- config
--- must_die
--- error_log
unknown directive "client_secret" in "pki_azure_identity"



=== TEST 6: too few parameters
--- http_config
pki_azure_identity contoso { client_certificate x; }
--- config
--- must_die
--- error_log
invalid number of arguments in "client_certificate" of "pki_azure_identity"



=== TEST 7: too many parameters
--- http_config
pki_azure_identity contoso { auto on; }
--- config
--- must_die
--- error_log
invalid number of arguments in "auto" of "pki_azure_identity"



=== TEST 8: a name that is none
--- http_config
pki_azure_identity contoso.example { auto; }
--- config
--- must_die
--- error_log
invalid identity name "contoso.example": letters, digits, "-" and "_" make a name



=== TEST 9: a name twice
--- http_config
pki_azure_identity contoso { auto; }
pki_azure_identity contoso { managed_identity; }
--- config
--- must_die
--- error_log
azure identity "contoso" is there already



=== TEST 10: tenant twice
--- http_config
pki_azure_identity contoso { tenant a; tenant b; auto; }
--- config
--- must_die
--- error_log
"tenant" of "pki_azure_identity" is duplicate



=== TEST 11: a tenant that is none
--- http_config
pki_azure_identity contoso { tenant ../common; auto; }
--- config
--- must_die
--- error_log
"tenant" of "pki_azure_identity" has characters that no identifier has



=== TEST 12: a client_id that is none
--- http_config
pki_azure_identity contoso { client_id 'a"b'; auto; }
--- config
--- must_die
--- error_log
"client_id" of "pki_azure_identity" has characters that no identifier has



=== TEST 13: a secret of nobody
--- http_config
pki_azure_identity contoso {
    tenant a; client_secret_file $TEST_NGINX_WORK/secret;
}
--- config
--- must_die
--- error_log
azure identity "contoso" must have "client_id"



=== TEST 14: a certificate of no tenant
--- http_config
pki_azure_identity contoso {
    client_id a;
    client_certificate $TEST_NGINX_WORK/rsa.pem $TEST_NGINX_WORK/rsa.key;
}
--- config
--- must_die
--- error_log
azure identity "contoso" must have "tenant"



=== TEST 15: a federated token of no tenant
--- http_config
pki_azure_identity contoso {
    client_id a; federated_token_file $TEST_NGINX_WORK/secret;
}
--- config
--- must_die
--- error_log
azure identity "contoso" must have "tenant"



=== TEST 16: a secret that is not there
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b; client_secret_file $TEST_NGINX_WORK/none;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": cannot open "\S+/none": No such file or directory}



=== TEST 17: an empty secret
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b; client_secret_file $TEST_NGINX_WORK/empty;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": nothing is in "\S+/empty"}



=== TEST 18: a secret that is too long
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b; client_secret_file $TEST_NGINX_WORK/long;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": too long for a secret is "\S+/long"}



=== TEST 19: a directory for a secret
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b; client_secret_file $TEST_NGINX_WORK;
}
--- config
--- must_die
--- error_log
azure identity "contoso": no regular file is



=== TEST 20: a secret without a name
--- http_config
pki_azure_identity contoso { tenant a; client_id b; client_secret_file ""; }
--- config
--- must_die
--- error_log
"client_secret_file" of "pki_azure_identity" is empty



=== TEST 21: a secret that everybody may read is warned of
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b; client_secret_file $TEST_NGINX_WORK/open;
}
--- config
--- request
GET /_alive
--- error_code: 204
--- error_log eval
qr{"contoso": others than its owner may use "\S+/open", do "chmod 600"}



=== TEST 22: a certificate that is not there
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b;
    client_certificate $TEST_NGINX_WORK/none $TEST_NGINX_WORK/rsa.key;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": no certificate \(PEM\) in "\S+/none"}



=== TEST 23: a key with a password
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b;
    client_certificate $TEST_NGINX_WORK/rsa.pem $TEST_NGINX_WORK/locked.key;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": no private key \(PEM, without a password\) in "\S+/locked.key"}



=== TEST 24: the key of another certificate
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b;
    client_certificate $TEST_NGINX_WORK/rsa.pem $TEST_NGINX_WORK/past.key;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": the key "\S+/past.key" does not belong to the certificate}



=== TEST 25: a key that is not RSA
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b;
    client_certificate $TEST_NGINX_WORK/ec.pem $TEST_NGINX_WORK/ec.key;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": the key "\S+/ec.key" is not RSA, which Entra asks for}



=== TEST 26: a key that is too short
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b;
    client_certificate $TEST_NGINX_WORK/short.pem $TEST_NGINX_WORK/short.key;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": the key "\S+/short.key" is not RSA of 2048 to 8192 bits}



=== TEST 27: a certificate that has expired is warned of
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b;
    client_certificate $TEST_NGINX_WORK/past.pem $TEST_NGINX_WORK/past.key;
}
--- config
--- request
GET /_alive
--- error_code: 204
--- error_log eval
qr{"contoso": certificate "\S+/past.pem" has expired}



=== TEST 28: a federated token that is not there
--- http_config
pki_azure_identity contoso {
    tenant a; client_id b; federated_token_file $TEST_NGINX_WORK/none;
}
--- config
--- must_die
--- error_log eval
qr{"contoso": cannot open "\S+/none"}



=== TEST 29: an authority_host that is no URL
--- http_config
pki_azure_identity contoso { authority_host login.microsoftonline.us; auto; }
--- config
--- must_die
--- error_log
invalid URL "login.microsoftonline.us" in "authority_host" of "pki_azure_identity"



=== TEST 30: an authority_host with a path
--- http_config
pki_azure_identity contoso { authority_host https://a.example/b; auto; }
--- config
--- must_die
--- error_log
"authority_host" of "pki_azure_identity" is a host without a path



=== TEST 31: secrets would go over the network in the clear
--- http_config
pki_azure_identity contoso { authority_host http://192.0.2.1; auto; }
--- config
--- must_die
--- error_log
"authority_host" of "pki_azure_identity" must be "https://"



=== TEST 32: a name that begins like an address of this machine
--- http_config
pki_azure_identity contoso { authority_host http://127.example; auto; }
--- config
--- must_die
--- error_log
"authority_host" of "pki_azure_identity" must be "https://"



=== TEST 33: tokens would come over the network in the clear
--- http_config
pki_azure_identity contoso { managed_identity endpoint=http://imds.example; }
--- config
--- must_die
--- error_log
"managed_identity" of "pki_azure_identity" must be "https://"



=== TEST 34: an unknown parameter of managed_identity
--- http_config
pki_azure_identity contoso { managed_identity resource=a; }
--- config
--- must_die
--- error_log
"managed_identity" of "pki_azure_identity" takes nothing, or "endpoint=



=== TEST 35: an endpoint that is no URL
--- http_config
pki_azure_identity contoso { managed_identity endpoint=ftp://127.0.0.1; }
--- config
--- must_die
--- error_log
invalid URL "ftp://127.0.0.1" in "managed_identity" of "pki_azure_identity"



=== TEST 36: AZURE_TENANT_ID is none
--- before
$ENV{AZURE_TENANT_ID} = 'a/b';
--- http_config
pki_azure_identity contoso { auto; }
--- config
--- must_die
--- error_log
"contoso": AZURE_TENANT_ID in the environment is not a tenant



=== TEST 37: AZURE_AUTHORITY_HOST is not safe
--- before
$ENV{AZURE_TENANT_ID} = 'a';
$ENV{AZURE_CLIENT_ID} = 'b';
$ENV{AZURE_CLIENT_SECRET} = 'c';
$ENV{AZURE_AUTHORITY_HOST} = 'http://login.example';
--- http_config
pki_azure_identity contoso { auto; }
--- config
--- must_die
--- error_log
"contoso": AZURE_AUTHORITY_HOST in the environment is not "https://" and a host



=== TEST 38: AZURE_FEDERATED_TOKEN_FILE is not there
--- before
$ENV{AZURE_TENANT_ID} = 'a';
$ENV{AZURE_CLIENT_ID} = 'b';
$ENV{AZURE_FEDERATED_TOKEN_FILE} = '/nowhere/token';
--- http_config
pki_azure_identity contoso { auto; }
--- config
--- must_die
--- error_log
"contoso": cannot open "/nowhere/token"



=== TEST 39: an authority with an unknown identity
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }", 'b')
--- config
--- must_die
--- error_log
unknown identity "b"



=== TEST 40: two identities, and an authority that does not say which
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed } pki_azure_identity b { auto; }")
--- config
--- must_die
--- error_log
there are several identities



=== TEST 41: IMDS: one token for two workers and 20 certificates
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
works();
is(join(' ', issue_many(20)), join(' ', (201) x 20), 'all issued');
is(tokens(), 'imds=1', 'one request');

my ($request) = azure_log(op => 'imds');
is($request->{headers}{metadata}, 'true', 'its header');
is($request->{query}{'api-version'}, '2018-02-01', 'version');
is($request->{query}{resource}, 'https://vault.azure.net', 'resource');
ok(!exists $request->{query}{client_id}, 'the identity of the machine');



=== TEST 42: IMDS: an identity assigned by the user, an endpoint with a path
--- http_config eval
package main;
vault("pki_azure_identity a {
           client_id $::azure{CLIENT};
           managed_identity
               endpoint=$::imds/metadata/identity/oauth2/token?a=b;
       }")
--- config eval
package main;
locations()
--- perl
works();
my ($request) = azure_log(op => 'imds');
is($request->{query}{client_id}, $::azure{CLIENT}, 'client_id');
is($request->{query}{a}, 'b', 'what the endpoint had');



=== TEST 43: a client secret
--- http_config eval
package main;
vault("pki_azure_identity a {
           $::application client_secret_file $::work/secret;
       }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'token=1', 'one request');

my ($request) = azure_log(op => 'token');
is($request->{path}, "/$::azure{TENANT}/oauth2/v2.0/token", 'of the tenant');
like($request->{body}, qr/\bscope=https%3A%2F%2Fvault\.azure\.net%2F\.default/,
     'scope');
like($request->{body}, qr/\bgrant_type=client_credentials\b/, 'grant');



=== TEST 44: a client certificate
--- http_config eval
package main;
vault("pki_azure_identity a {
           $::application client_certificate $::dir/client.pem
                                             $::dir/client.key;
       }")
--- config eval
package main;
locations()
--- perl
works();

my ($request) = azure_log(op => 'token');
my ($jwt) = $request->{body} =~ /\bclient_assertion=([\w.-]+)/;
my ($header, $claims) = map { decode_json(decode_base64url($_)) }
                        (split /\./, $jwt)[0, 1];
my ($pem) = slurp("$::dir/client.pem") =~ /-----\n(.*?)-----END/s;

is($header->{alg}, 'PS256', 'its algorithm');
is($header->{'x5t#S256'}, encode_base64url(sha256(decode_base64($pem))),
   'its thumbprint');
is($claims->{aud}, "$::azure{LOGIN}/$::azure{TENANT}/oauth2/v2.0/token",
   'its audience');
is($claims->{iss}, $::azure{CLIENT}, 'its issuer');
is($claims->{sub}, $::azure{CLIENT}, 'its subject');
is($claims->{exp} - $claims->{nbf}, 600, 'good for ten minutes');
like($claims->{jti}, qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, 'jti');



=== TEST 45: a federated token, read each time
--- before
my $token = slurp("$::dir/federated.token");
work_file('federated', "$token\n");
--- http_config eval
package main;
vault("pki_azure_identity a {
           $::application federated_token_file $::work/federated;
       }")
--- config eval
package main;
locations()
--- perl
works();

azure_token(expire => 1);
work_file('federated', "something else\n");
isnt(issue(), 201, 'not with another one');
ok(lines(qr/no new token .*: no token is in the file of "federated_token/),
   'a file that has none');
ok(!azure_counters()->{status}{token}{401}, 'it was not sent');

work_file('federated', slurp("$::dir/federated.token"));
ok(wait_until(sub { issue() == 201 }, 20), 'and with a new one');
silent();



=== TEST 46: App Service
--- before
$ENV{IDENTITY_ENDPOINT} = "$::imds/msi/token";
$ENV{IDENTITY_HEADER} = $::azure{HEADER};
azure_token(iso_dates => 1);
--- http_config eval
package main;
vault("pki_azure_identity a { managed_identity; }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'appservice=1', 'one request');
my ($request) = azure_log(op => 'appservice');
is($request->{query}{'api-version'}, '2019-08-01', 'version');



=== TEST 47: Arc
--- skip_eval
6: !$::arc
--- before
$ENV{IDENTITY_ENDPOINT} = "$::imds/metadata/identity/oauth2/token";
$ENV{IMDS_ENDPOINT} = $::imds;
--- http_config eval
package main;
vault("pki_azure_identity a { managed_identity; }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'arc=2', 'a challenge and its answer');



=== TEST 48: Arc: no other file is read
--- before
$ENV{IDENTITY_ENDPOINT} = "$::imds/metadata/identity/oauth2/token";
$ENV{IMDS_ENDPOINT} = $::imds;
azure_arc(realm => "$::arc_dir/../../../../etc/passwd.key");
--- http_config eval
package main;
vault("pki_azure_identity a { managed_identity; }")
--- config eval
package main;
locations()
--- perl
complains(qr/asks for something else than a key of "$::arc_dir/);
is(scalar(grep { $_->{headers}{authorization} } azure_log(op => 'arc')), 0,
   'nothing was handed over');



=== TEST 49: auto: a client secret in the environment, before all others
--- before
$ENV{AZURE_TENANT_ID} = $::azure{TENANT};
$ENV{AZURE_CLIENT_ID} = $::azure{CLIENT};
$ENV{AZURE_AUTHORITY_HOST} = "$::azure{LOGIN}/";
$ENV{AZURE_CLIENT_SECRET} = $::secret;
$ENV{AZURE_FEDERATED_TOKEN_FILE} = "$::dir/federated.token";
$ENV{IDENTITY_ENDPOINT} = "$::imds/msi/token";
$ENV{IDENTITY_HEADER} = $::azure{HEADER};
--- http_config eval
package main;
vault("pki_azure_identity a { auto; }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'token=1', 'of Entra');
like((azure_log(op => 'token'))[0]{body}, qr/\bclient_secret=/, 'by it');
is(scalar(lines(qr/\[notice\] .*"a": "auto" found a client secret at/)), 1,
   'said once');



=== TEST 50: auto: a client certificate in the environment, block first
--- before
$ENV{AZURE_TENANT_ID} = 'another.example';
$ENV{AZURE_CLIENT_ID} = 'another';
$ENV{AZURE_CLIENT_CERTIFICATE_PATH} =
    work_file('both.pem', slurp("$::dir/client.pem")
                          . slurp("$::dir/client.key"));
--- http_config eval
package main;
vault("pki_azure_identity a { $::application auto; }")
--- config eval
package main;
locations()
--- perl
works();
ok(lines(qr/"auto" found a client certificate at/), 'said');



=== TEST 51: auto: workload identity
--- before
$ENV{AZURE_TENANT_ID} = $::azure{TENANT};
$ENV{AZURE_CLIENT_ID} = $::azure{CLIENT};
$ENV{AZURE_AUTHORITY_HOST} = $::azure{LOGIN};
$ENV{AZURE_FEDERATED_TOKEN_FILE} = "$::dir/federated.token";
$ENV{IDENTITY_ENDPOINT} = "$::imds/msi/token";
$ENV{IDENTITY_HEADER} = $::azure{HEADER};
--- http_config eval
package main;
vault("pki_azure_identity a { auto; }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'token=1', 'of Entra');
ok(lines(qr/"auto" found a workload identity at/), 'said');



=== TEST 52: auto: App Service before Arc
--- before
$ENV{IDENTITY_ENDPOINT} = "$::imds/msi/token";
$ENV{IDENTITY_HEADER} = $::azure{HEADER};
$ENV{IMDS_ENDPOINT} = $::imds;
--- http_config eval
package main;
vault("pki_azure_identity a { auto; }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'appservice=1', 'of App Service');
ok(lines(qr/"auto" found the managed identity of App Service at/), 'said');



=== TEST 53: auto, in an authority that names no identity: IMDS
--- before
$ENV{AZURE_POD_IDENTITY_AUTHORITY_HOST} = "$::imds/";
--- http_config eval
package main;
vault('')
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'imds=2', 'a probe and a request');
is(join(' ', map { $_->{headers}{metadata} // 'none' }
             azure_log(op => 'imds')), 'none true', 'probed without header');
ok(lines(qr/azure identity "auto": "auto" found .* of IMDS at/), 'said');



=== TEST 54: auto, and nobody there
--- before
$ENV{AZURE_POD_IDENTITY_AUTHORITY_HOST} = $::imds;
azure_listen(http => 'stalled');
--- http_config eval
package main;
vault('')
--- config eval
package main;
locations()
--- perl
complains(qr/"auto" found no identity: nothing in the environment, and IMDS/);
azure_listen(http => 'open');
works();
ok(lines(qr/\[notice\] .*"auto": token for "https\S+" again/), 'again');



=== TEST 55: two identities, each of its authority
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }
       pki_azure_identity b {
           $::application client_secret_file $::work/secret;
       }", 'b', 'a')
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'token=1 imds=1', 'both were used');



=== TEST 56: a proxy is for Entra, not for IMDS
--- before
azure_dns(fail => { 'login.microsoftonline.com' => 'nxdomain',
                    'contoso.vault.azure.net' => 'nxdomain' });
--- http_config eval
package main;
vault("pki_proxy http://127.0.0.1:$::azure{PROXY_PORT};
       pki_azure_identity a { $::managed }
       pki_azure_identity b {
           $::application client_secret_file $::work/secret;
       }", 'a', 'b')
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'token=1 imds=1', 'both were asked');
ok(azure_counters()->{tunnels}, 'the names by the proxy, which knows them');



=== TEST 57: a wrong secret: one error in Entra's words, then it is right
--- http_config eval
package main;
vault("pki_azure_identity contoso {
           $::application client_secret_file $::work/wrong;
       }")
--- config eval
package main;
locations()
--- perl
complains(qr/invalid_client \(AADSTS7000215\)/);
sleep 2;
is(scalar(lines(qr/\[error\] .*: azure identity "contoso": no token for /
                . qr/"https:..vault.azure.net": invalid_client \(AADSTS7/)),
   1, 'one line of it');

my $asked = azure_counters()->{requests}{token};
ok($asked <= 3, "asked $asked times");

work_file('wrong', $::secret);
ok(nginx_reload(), 'reloads');
works();
work_file('wrong', "gallop horse\n");



=== TEST 58: no such identity at IMDS
--- http_config eval
package main;
vault("pki_azure_identity a { client_id unknown; $::managed }")
--- config eval
package main;
locations()
--- perl
complains(qr/Identity not found/);



=== TEST 59: what passes is asked again
--- before
azure_fault(op => 'imds', do => 'status', status => 404);
azure_fault(op => 'imds', do => 'throttle');
azure_fault(op => 'imds', do => 'reset');
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'imds=4', 'three times again');
is(scalar(lines(qr/\[error\] .*azure identity/)), 0, 'no error');



=== TEST 60: a server that never answers, and one that answers nonsense
--- before
azure_fault(op => 'token', do => 'hang');
azure_fault(op => 'token', do => 'html', status => 200);
azure_fault(op => 'token', do => 'truncate');
--- http_config eval
package main;
vault("pki_azure_identity a {
           $::application client_secret_file $::work/secret;
       }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'token=4', 'three times again');



=== TEST 61: a redirection is not followed
--- before
azure_fault(op => 'token', do => 'redirect', status => 302, count => -1,
            location => "$::azure{LOGIN}/common/oauth2/v2.0/token");
--- http_config eval
package main;
vault("pki_azure_identity a {
           $::application client_secret_file $::work/secret;
       }")
--- config eval
package main;
locations()
--- perl
complains(qr/HTTP 302/);
is(scalar(grep { $_->{path} =~ /common/ } azure_log(op => 'token')), 0,
   'nobody came there');



=== TEST 62: who is not Entra gets no secret
--- http_config eval
package main;
(my $other = $::application) =~ s/:$::azure{PORT}/:$::azure{WRONG_PORT}/;
vault("pki_azure_identity a {
           $other client_secret_file $::work/secret;
       }")
--- config eval
package main;
locations()
--- perl
complains(qr/login\.microsoftonline\.com:$::azure{WRONG_PORT}/);
is(tokens(), '', 'no request');



=== TEST 63: a token is renewed before it expires, by one worker
--- before
azure_token(lifetime => 12);
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
works();
azure_latency(imds => 300);

my $end = time + 15;
my ($slow, %status) = (0);

while (time < $end) {
    my $start = time;
    $status{issue()}++;
    $slow++ if time - $start > 0.29;
    sleep 0.1;
}

is(join(' ', keys %status), 201, 'always issued');
is($slow, 0, 'without ever waiting for a token');

my $asked = azure_counters()->{requests}{imds};
ok($asked >= 3 && $asked <= 5, "asked $asked times");
silent();



=== TEST 64: a token that cannot be renewed is used as long as it is good
--- before
azure_token(lifetime => 24);
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
works();

azure_fault(op => 'imds', count => -1, do => 'status', status => 400,
            code => 'invalid_request', message => 'Identity not found');
sleep 13;
is(issue(), 201, 'with the old one');
is(scalar(lines(qr/\[warn\] .*"a": no new token for .*Identity not found; /
                . qr/the old one has not expired/)), 1, 'one warning');

ok(wait_until(sub { issue() != 201 }, 20), 'until it has expired');
ok(wait_until(sub { issue(); lines(qr/\[error\] .*"a": no token for "h/) }, 20),
   'an error');

azure_reset();
ok(wait_until(sub { issue() == 201 }, 40), 'and then again');
is(scalar(lines(qr/\[notice\] .*"a": token for "\S+" again/)), 1, 'a notice');
silent();



=== TEST 65: a token that the vault refuses is replaced once
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
works();
is(tokens(), 'imds=1', 'one');

azure_token(expire => 1);
is(join(' ', issue_many(8)), join(' ', (201) x 8), 'all issued');
is(tokens(), 'imds=2', 'another one');



=== TEST 66: a reload with other secrets gets another token, with the same not
--- before
work_file('changing', $::secret);
--- http_config eval
package main;
vault("pki_azure_identity a {
           $::application client_secret_file $::work/changing;
       }")
--- config eval
package main;
locations()
--- perl
works();
ok(nginx_reload(), 'reloads');
works();
is(tokens(), 'token=1', 'the same token');

azure_client(client_id => $::azure{CLIENT}, secret => 'battery staple');
work_file('changing', 'battery staple');
ok(nginx_reload(), 'reloads');
works();
is(tokens(), 'token=2', 'another one');
unlike(error_log(), qr/battery/, 'no secret in logs');



=== TEST 67: a reload while a token is on its way
--- before
azure_latency(imds => 2000);
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
sleep 0.5;
ok(nginx_reload(), 'reloads');
works();
is(tokens(), 'imds=1', 'the new workers waited for that of an old one');



=== TEST 68: the worker that asks is killed
--- http_config eval
package main;
vault("pki_azure_identity a { $::managed }")
--- config eval
package main;
locations()
--- perl
works();

azure_latency(imds => 5000);
azure_token(expire => 1);

my @workers = worker_pids();
my $pid = fork() // die;
if ($pid == 0) { issue(); POSIX::_exit(0) }

ok(wait_until(sub { azure_counters()->{concurrent}{all} }), 'somebody asks');
azure_latency(imds => 0);
kill 'KILL', @workers;
waitpid $pid, 0;

my $start = time;
ok(wait_until(sub { issue() == 201 }, 20), 'issues');
ok(time - $start < 5, 'as soon as there are workers again');
is(tokens(), 'imds=3', 'asked by another one');
--- error_log
[alert]
exited on signal 9
