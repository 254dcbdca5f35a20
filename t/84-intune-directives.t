# Where Graph and Intune are (graph_host, intune_resource, intune_host of
# pki_azure_identity): what they do, and how wrong ones are refused.  Not here:
# another cloud and lists of services, see 83; what is asked, see 85.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Client;
use PKI::Intune;
use PKI::Scep;

redis_start();
start_azure();

our $fef = 'fef.msub05.manage.microsoft.com';

http_config(authority('demo'), intune_directives(),
    intune_identity('exact', intune_host => "other.example $fef"),
    intune_identity('others', intune_host => '.example.com x.example.com'),
    intune_identity('api', intune_resource =>
                           'https://api.manage.microsoft.com'),
    intune_identity('wrong', intune_resource =>
                             'https://api.manage.microsoft.us/'));

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe { pki_probe; }
location /intune  { scep demo; scep_profile intune;
                    scep_challenge intune identity=contoso revocation=off; }
location /exact   { scep demo; scep_profile intune;
                    scep_challenge intune identity=exact revocation=off; }
location /others  { scep demo; scep_profile intune;
                    scep_challenge intune identity=others revocation=off; }
location /api     { scep demo; scep_profile intune;
                    scep_challenge intune identity=api revocation=off; }
location /wrong   { scep demo; scep_profile intune;
                    scep_challenge intune identity=wrong revocation=off; }
END

log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: intune_host: a name as it is, beside others
--- config eval
$::locations
--- perl
intune_ready();
my $order = intune_order();
intune_issued('one of two', intune_ask('/exact', $order), $order);
intune_obeyed();



=== TEST 2: intune_host: other names than Graph tells
--- config eval
$::locations
--- perl
intune_ready();
intune_refused('none of two', intune_ask('/others', intune_order()),
               result => 'unavailable', log => qr/none of "intune_host"/);
my %asked = %{ azure_counters()->{requests} };
is($asked{graph}, 1, 'the list was read');
is($asked{validate}, undef, 'who is in it was not asked');



=== TEST 3: intune_resource: with and without a slash at its end
--- config eval
$::locations
--- perl
intune_ready();
my $order = intune_order();
intune_issued('without a slash', intune_ask('/api', $order), $order);



=== TEST 4: intune_resource: a token of another cloud is not taken
--- config eval
$::locations
--- perl
intune_ready();
intune_refused('of another cloud', intune_ask('/wrong', intune_order()),
               result => 'unavailable', log => qr/HTTP 401/);
is(azure_counters()->{requests}{validate}, 2, 'one more token, and no more');



=== TEST 5: graph_host without https, over a network
--- http_config
pki_azure_identity i {
    managed_identity;
    graph_host http://graph.microsoft.com;
}
--- config
--- must_die
--- error_log
"graph_host" of "pki_azure_identity" must be "https://"



=== TEST 6: graph_host with a path
--- http_config
pki_azure_identity i {
    managed_identity;
    graph_host https://graph.microsoft.com/v1.0;
}
--- config
--- must_die
--- error_log
"graph_host" of "pki_azure_identity" is a host without a path



=== TEST 7: graph_host that is no URL
--- http_config
pki_azure_identity i {
    managed_identity;
    graph_host graph.microsoft.com;
}
--- config
--- must_die
--- error_log
invalid URL "graph.microsoft.com" in "graph_host" of "pki_azure_identity"



=== TEST 8: graph_host twice
--- http_config
pki_azure_identity i {
    managed_identity;
    graph_host https://a.example; graph_host https://b.example;
}
--- config
--- must_die
--- error_log
"graph_host" of "pki_azure_identity" is duplicate



=== TEST 9: graph_host of two
--- http_config
pki_azure_identity i {
    managed_identity;
    graph_host https://a.example https://b.example;
}
--- config
--- must_die
--- error_log
invalid number of arguments in "graph_host" of "pki_azure_identity"



=== TEST 10: intune_resource without https
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_resource http://api.manage.microsoft.com/;
}
--- config
--- must_die
--- error_log
"intune_resource" of "pki_azure_identity" is no https URL of a host



=== TEST 11: intune_resource with a path
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_resource https://api.manage.microsoft.com/.default;
}
--- config
--- must_die
--- error_log
"intune_resource" of "pki_azure_identity" is no https URL of a host



=== TEST 12: intune_resource that is no URL
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_resource api.manage.microsoft.com;
}
--- config
--- must_die
--- error_log
"intune_resource" of "pki_azure_identity" is no https URL of a host



=== TEST 13: intune_resource twice
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_resource https://a.example/; intune_resource https://a.example/;
}
--- config
--- must_die
--- error_log
"intune_resource" of "pki_azure_identity" is duplicate



=== TEST 14: intune_host: all there is
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host .;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 15: intune_host: a whole top level
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host .com;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 16: intune_host: a wildcard
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host *.manage.microsoft.us;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 17: intune_host: capitals
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host .Manage.microsoft.us;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 18: intune_host: two dots
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host .manage..microsoft.us;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 19: intune_host: a dot at its end
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host .manage.microsoft.us.;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 20: intune_host: a port
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host a.example.com:443;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 21: intune_host: nothing
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host "";
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" takes names of hosts in lower case



=== TEST 22: intune_host: none
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host;
}
--- config
--- must_die
--- error_log
invalid number of arguments in "intune_host" of "pki_azure_identity"



=== TEST 23: intune_host twice
--- http_config
pki_azure_identity i {
    managed_identity;
    intune_host a.example; intune_host b.example;
}
--- config
--- must_die
--- error_log
"intune_host" of "pki_azure_identity" is duplicate



=== TEST 24: the probe: a line for each identity
--- config eval
$::locations . <<'END';
location /again   { scep demo; scep_profile intune;
                    scep_challenge intune identity=exact wait_success=off; }
END
--- perl
intune_ready();
my $said = sub {
    my ($status, undef, $body) = http_get('/probe');
    is($status, 200, 'Intune is no reason for 503');
    my ($line, @more) = $body =~ /^intune $_[0]: (.*)$/mg;
    is(scalar @more, 0, "one line for $_[0]");
    return $line;
};
azure_fault(op => 'graph', do => 'status', status => 404, count => -1);
intune_refused('no list', intune_ask('/api', intune_order()),
               result => 'unavailable');
like($said->('api'), qr/^services are not found: HTTP 404/, 'why not');
azure_reset();
wait_until(sub { scep_brief(intune_ask('/api', intune_order())) eq 'SUCCESS' },
           15);
is($said->('api'), 'ok, services are known', 'found');
like($said->($_), qr/^(?:ok, )?services are /, $_)
    for 'contoso', 'exact', 'others', 'wrong';
