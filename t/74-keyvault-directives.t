# How the directives of key vaults are refused, and that what they say is done:
# proxy, trusted certificates, rate and connections.  Those of identities are in
# 72-azure-identity.t, those of RAs in 75-ra.t.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Nginx;

redis_start();
start_azure();

sub node {
    my ($directives, $url) = @_;

    return PKI::Nginx->new(
        http => 'pki_redis ' . redis()->url . ";\n" . <<"END",
$directives
pki_azure_identity test {
    managed_identity endpoint=http://127.0.0.1:\$TEST_NGINX_AZURE_HTTP_PORT;
}
pki_authority there {
    subject     CN=there;
    key         keyvault:$url/keys/there;
    certificate \$TEST_NGINX_WORK/there.pem;
    create      ec:P-256;
    base_url    http://127.0.0.1;
}
END
        server => "location = /probe { pki_probe; }")->start;
}

sub probe { return (http_get('/probe', port => $_[0]->port))[2] }

no_shuffle();
run_tests();

__DATA__

=== TEST 1: pki_proxy, pki_trusted_certificate: through a proxy, names are its own
--- config
--- perl
my $node = node(<<'END', 'https://contoso.vault.azure.net');
pki_proxy http://127.0.0.1:$TEST_NGINX_AZURE_PROXY_PORT;
pki_trusted_certificate $TEST_NGINX_AZURE_CA;
END
ok(wait_until(sub { probe($node) =~ /^authority there: ok$/m }, 20), 'ready')
    or diag(probe($node), $node->log);
ok(azure_counters()->{tunnels} > 0, 'through the proxy');
is(azure_counters()->{dns_queries} // 0, 0, 'no name was asked for');
is(azure_counters()->{tokens_issued}, 1, 'the token came directly');
like(probe($node), qr/^vault\ https:\S+:\ [1-9]\d*\ calls,
                      \ half\ of\ them\ in\ less\ than\ \d+\ ms,
                      \ 0\ unanswered,\ 0\ retries,
                      \ [1-9]\d*\ handshakes$/mx,
     'what the probe tells of the vault');
ok($node->stop, 'ends well');



=== TEST 2: pki_trusted_certificate: without it a vault of its own is not believed
--- config
--- perl
redis_cmd('FLUSHALL');
unlink "$ENV{TEST_NGINX_WORK}/there.pem";
my $node = node('resolver 127.0.0.1:$TEST_NGINX_AZURE_DNS_PORT ipv6=off;',
                "https://$ENV{TEST_NGINX_AZURE_VAULT}");
ok(wait_until(sub { probe($node) =~ /^authority there: key vault: .*certificate/m }, 20),
   'not ready, and why') or diag(probe($node));
is((azure_counters()->{requests}{create} // 0), 1, 'nothing was asked of it');
ok($node->stop, 'ends well');



=== TEST 3: a vault by http
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:http://contoso.vault.azure.net/keys/k;
}
--- config
--- must_die
--- error_log
invalid key "keyvault:http://contoso.vault.azure.net/keys/k"



=== TEST 4: a key with a wrong name
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/keys/a_b;
}
--- config
--- must_die
--- error_log
invalid key "keyvault:https://contoso.vault.azure.net/keys/a_b"



=== TEST 5: a key with a wrong version
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/keys/k/12;
}
--- config
--- must_die
--- error_log
invalid key "keyvault:https://contoso.vault.azure.net/keys/k/12"



=== TEST 6: a secret instead of a key
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/secrets/k;
}
--- config
--- must_die
--- error_log
invalid key "keyvault:https://contoso.vault.azure.net/secrets/k"



=== TEST 7: a parameter of a key that is not known
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/keys/k identify=i;
}
--- config
--- must_die
--- error_log
"identity=" and "api_version=" are its parameters



=== TEST 8: an identity that is not there
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/keys/k identity=j;
}
--- config
--- must_die
--- error_log
authority "a": unknown identity "j"



=== TEST 9: several identities, and none is named
--- http_config
pki_azure_identity i { managed_identity; }
pki_azure_identity j { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/keys/k;
}
--- config
--- must_die
--- error_log
there are several identities, say which one by "identity="



=== TEST 10: a vault's name without a resolver
--- http_config
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://contoso.vault.azure.net/keys/k;
}
--- config
--- must_die
--- error_log
the host name contoso.vault.azure.net needs a "resolver"



=== TEST 11: csr without a subject
--- http_config
pki_authority a {
    key file:$TEST_NGINX_WORK/a.key; certificate $TEST_NGINX_WORK/a.pem;
    csr $TEST_NGINX_WORK/a.csr;
}
--- config
--- must_die
--- error_log
authority "a" must have "subject"



=== TEST 12: csr of a store's key
--- http_config
pki_authority a {
    subject CN=a; csr a.csr; certificate $TEST_NGINX_WORK/a.pem;
    key store:file:$TEST_NGINX_WORK/a.key;
}
--- config
--- must_die
--- error_log
"csr" goes with a key of "file:" or "keyvault:"



=== TEST 13: signature_digest with something else than pss
--- http_config
pki_authority a { signature_digest sha256 pks; }
--- config
--- must_die
--- error_log
takes a digest and perhaps "pss"



=== TEST 14: pss without an RSA key
--- http_config
pki_authority a {
    subject CN=a; key file:$TEST_NGINX_WORK/ec.key; create ec:P-256;
    certificate $TEST_NGINX_WORK/ec.pem; signature_digest sha256 pss;
}
--- config
--- must_die
--- error_log
has no RSA key, which "pss" of "signature_digest" needs



=== TEST 15: pki_key_vault connections=0
--- http_config
pki_key_vault connections=0;
--- config
--- must_die
--- error_log
1 to 64 connections of a worker



=== TEST 16: pki_key_vault connections=65
--- http_config
pki_key_vault connections=65;
--- config
--- must_die
--- error_log
1 to 64 connections of a worker



=== TEST 17: pki_key_vault rate=many
--- http_config
pki_key_vault rate=many;
--- config
--- must_die
--- error_log
operations a second, such as "140"



=== TEST 18: pki_key_vault timeout=0
--- http_config
pki_key_vault timeout=0;
--- config
--- must_die
--- error_log
a time from "100ms" to "60s"



=== TEST 19: pki_key_vault budget=2m
--- http_config
pki_key_vault budget=2m;
--- config
--- must_die
--- error_log
a time from "100ms" to "60s"



=== TEST 20: pki_key_vault speed=9
--- http_config
pki_key_vault speed=9;
--- config
--- must_die
--- error_log
"connections=", "rate=", "timeout=" and "budget=" are known



=== TEST 21: pki_key_vault with less for all attempts than for one
--- http_config
pki_key_vault timeout=5s budget=2s;
--- config
--- must_die
--- error_log
has a "budget" for all attempts that is less



=== TEST 22: pki_key_vault twice
--- http_config
pki_key_vault rate=1;
pki_key_vault rate=1;
--- config
--- must_die
--- error_log
"pki_key_vault" directive is duplicate



=== TEST 23: pki_proxy by https
--- http_config
pki_proxy https://127.0.0.1:3128;
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://127.0.0.1/keys/k;
}
--- config
--- must_die
--- error_log
invalid "pki_proxy" "https://127.0.0.1:3128": it is reached by http



=== TEST 24: pki_proxy that is no URL
--- http_config
pki_proxy 127.0.0.1:3128;
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://127.0.0.1/keys/k;
}
--- config
--- must_die
--- error_log
invalid "pki_proxy" "127.0.0.1:3128"



=== TEST 25: pki_proxy twice
--- http_config
pki_proxy http://127.0.0.1:1;
pki_proxy http://127.0.0.1:1;
--- config
--- must_die
--- error_log
"pki_proxy" directive is duplicate



=== TEST 26: pki_trusted_certificate that is not there
--- http_config
pki_trusted_certificate $TEST_NGINX_WORK/none.pem;
pki_azure_identity i { managed_identity; }
pki_authority a {
    subject CN=a; certificate $TEST_NGINX_WORK/a.pem; create rsa:2048;
    base_url http://127.0.0.1; key keyvault:https://127.0.0.1/keys/k;
}
--- config
--- must_die
--- error_log
none.pem
