# What goes wrong with Intune, Graph and Entra, and what hostile ones would try
# (scep.md 2.8, S17, S18, S19): nobody gets a certificate, no token goes
# elsewhere, nothing of it reaches the client, the administrator reads why, and
# all recovers by itself.  Microsoft's own scenarios are in 85.
#
# After a failure Graph and Entra are left alone for a while, whatever names an
# identity has: whoever tries several is another application each time.

use lib 't/lib';
use PKI;
use PKI::Azure;
use PKI::Intune;
use PKI::Scep;

use JSON::PP ();
use Time::HiRes qw( time );

redis_start();
start_azure();

our $work = work_dir();
our $port = $ENV{TEST_NGINX_AZURE_PORT};

sub client { return sprintf 'cccccccc-bbbb-cccc-dddd-%012d', @_ }

azure_client(client_id => client($_), secret =>
             slurp("$ENV{TEST_NGINX_AZURE_DIR}/client.secret")) for 0 .. 39;

our %government = (
    authority_host  => "https://login.microsoftonline.us:$port",
    graph_host      => "https://graph.microsoft.us:$port",
);

http_config(authority('demo'), intune_directives(),
    intune_identity('government', %government,
                    intune_resource => 'https://api.manage.microsoft.us/',
                    intune_host     => '.manage.microsoft.us'),
    intune_identity('mixed', %government),
    map({ intune_identity("new$_", client_id => client($_)) } 0 .. 39),
    <<'END');
pki_profile narrow { allow_subject "^CN=good"; }
END

our $locations = <<'END';
access_log $TEST_NGINX_WORK/access.log pki;
location = /probe    { pki_probe; }
location /intune     { scep demo; scep_profile intune;
                       scep_challenge intune identity=contoso
                                      revocation=off; }
location /narrow     { scep demo; scep_profile narrow;
                       scep_challenge intune identity=contoso
                                      revocation=off; }
location /government { scep demo; scep_profile intune;
                       scep_challenge intune identity=government
                                      revocation=off; }
location /mixed      { scep demo; scep_profile intune;
                       scep_challenge intune identity=mixed revocation=off; }
END

$locations .= <<"END" for 0 .. 39;
location = /new$_ { scep demo; scep_profile intune;
                    scep_challenge intune identity=new$_ revocation=off; }
END

# What is asked of whom, but for tokens and the list.

sub elsewhere {
    my ($what) = @_;

    is_deeply([ grep { !/^(?:token|graph)\z/ } map { $_->{op} } azure_log() ],
              [], "$what: nobody else is asked");
    unlike(join(' ', keys %{ azure_counters()->{dns} }), qr/evil|vault/,
           "$what: nor looked up");
    return;
}

# A name of one common name, of whatever octets.

sub der {
    my ($tag, $value) = @_;

    my $n = length $value;
    my $length = $n < 128 ? chr $n : $n < 256 ? pack 'CC', 0x81, $n
                 : pack 'Cn', 0x82, $n;

    return chr($tag) . $length . $value;
}

sub common_name {
    my ($octets) = @_;
    return unpack 'H*', der(0x30, der(0x31, der(0x30,
        "\x06\x03\x55\x04\x03" . der(0x0c, $octets))));
}

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value('config', $::locations) if !defined $block->config;
});

log_level('info');
run_tests();

__DATA__

=== TEST 1: Entra is away
--- timeout: 90
--- perl
intune_ready();
intune_faulty('Entra', { op => 'token', do => 'status', status => 503 },
              again => 15);



=== TEST 2: Graph fails
--- timeout: 180
--- perl
intune_ready();
my @faults = (
    ['a page', { op => 'graph', do => 'html' }],
    ['500', { op => 'graph', do => 'status' }, log => qr/\b500\b/],
    ['404', { op => 'graph', do => 'status', status => 404 }],
    ['no permission', { op => 'graph', do => 'status', status => 403 },
     log => qr/Application\.Read\.All/],
    ['too many requests', { op => 'graph', do => 'throttle' }],
    ['reset', { op => 'graph', do => 'reset' }],
    ['half', { op => 'graph', do => 'truncate' }],
    ['huge', { op => 'graph', do => 'huge' }],
    ['gzip', { op => 'graph', do => 'gzip' }],
    ['no services', sub { azure_graph(uris => {
        map { $_ => undef } 'ScepRequestValidationFEService',
                            'PkiConnectorFEService' }) },
     log => qr/ScepRequestValidationFEService/],
);
for my $i (0 .. $#faults) {
    my ($what, $fault, @more) = @{ $faults[$i] };
    intune_faulty("Graph: $what", $fault, uri => "/new$i", again => 15, @more);
}



=== TEST 3: HTML instead of JSON
--- perl
intune_ready();
intune_faulty('a page', { op => 'validate', do => 'html' });
intune_faulty('half', { op => 'validate', do => 'truncate' });



=== TEST 4: an answer that takes 31 seconds
--- timeout: 120
--- perl
intune_ready();
intune_faulty('slow', { op => 'validate', do => 'delay', ms => 31000 });



=== TEST 5: no answer at all, and one octet after the other
--- timeout: 180
--- perl
intune_ready();
intune_faulty('silent', { op => 'validate', do => 'hang' });
intune_faulty('trickle', { op => 'validate', do => 'trickle', ms => 300 });



=== TEST 6: the connection is reset after the request was sent
--- timeout: 90
--- perl
intune_ready();
intune_faulty('reset', { op => 'validate', do => 'reset' });
intune_faulty('in the middle', { op => 'validate', do => 'reset_body' });
azure_fault(op => 'validate', do => 'reset');
my $order = intune_order();
intune_issued('reset once', intune_ask('/intune', $order), $order);
my @ids = map { $_->{headers}{'client-request-id'} } azure_log(op => 'validate');
is($ids[-1], $ids[-2], 'asked again under the same id');
intune_obeyed();



=== TEST 7: a redirect
--- perl
intune_ready();
intune_faulty('302', { op => 'validate', do => 'redirect',
                       location => "$ENV{TEST_NGINX_AZURE_GRAPH}/v1.0/x" });



=== TEST 8: a huge body, and a compressed one
--- perl
intune_ready();
intune_faulty('huge', { op => 'validate', do => 'huge', size => 200_000 });
intune_faulty('endless', { op => 'validate', do => 'huge', size => 20_000_000 });
intune_faulty('gzip', { op => 'validate', do => 'gzip' });
my ($asked) = azure_log(op => 'validate', last => 1);
unlike($asked->{headers}{'accept-encoding'} // '', qr/gzip|deflate|br/,
       'nobody asked for it');



=== TEST 9: a list of services of several pages
--- perl
intune_ready();
azure_graph(pages => 3);
my $order = intune_order();
intune_issued('three pages', intune_ask('/intune', $order), $order);
is(azure_counters()->{requests}{graph}, 3, 'all were asked for');
intune_obeyed();



=== TEST 10: 429 with and without Retry-After
--- timeout: 120
--- perl
intune_ready();
for my $more ([], [retry_after => 1]) {
    azure_fault(op => 'validate', do => 'throttle', @$more);
    my $order = intune_order();
    my $start = time();
    intune_issued("once (@$more)", intune_ask('/intune', $order), $order);
    cmp_ok(time() - $start, '>', 0.9, 'not before a second') if @$more;
    intune_faulty("always (@$more)", { op => 'validate', do => 'throttle', @$more });
}
intune_faulty('come tomorrow', { op => 'validate', do => 'throttle',
                          retry_after => 86400 });



=== TEST 11: a token that was issued before the role
--- timeout: 60
--- perl
intune_ready();
intune_faulty('no role', sub { azure_token(roles => 0) }, again => 20,
              log => qr/\b403\b/);



=== TEST 12: a token that has expired
--- perl
intune_ready();
my $order = intune_order();
intune_issued('before', intune_ask('/intune', $order), $order);
azure_token(expire => 1);
$order = intune_order();
intune_issued('expired', intune_ask('/intune', $order), $order);
is(azure_counters()->{status}{validate}{401}, 1, 'refused once');
intune_obeyed();



=== TEST 13: Intune has moved
--- timeout: 90
--- perl
intune_ready();
my $order = intune_order();
intune_issued('there', intune_ask('/intune', $order), $order);
my ($uri) = map { "https://$_->{headers}{host}$_->{path}" }
            azure_log(op => 'validate');
$uri =~ s{/ScepActions/.*}{};
my $n = 0;
my ($host) = $uri =~ m{//([^:]+)};
$uri =~ s{//\w+\.}{//moved.};

for my $fault ({ do => 'status', status => 404 },
               { do => 'status', status => 503 }, { do => 'reset' })
{
    my $here = '/new' . $n++;
    $order = intune_order();
    intune_issued('there', intune_ask($here, $order), $order);
    azure_graph(uris => { ScepRequestValidationFEService => $uri });
    azure_fault(op => 'validate', key => $host, count => -1, %$fault);
    $order = intune_order();
    intune_issued('found again', intune_ask($here, $order), $order);
    my ($asked) = azure_log(op => 'validate', last => 1);
    like($asked->{headers}{host}, qr/^moved\./, 'where it is now');
    azure_reset();
}



=== TEST 14: another cloud, by directive
--- perl
intune_ready();
my $order = intune_order();
intune_issued('another cloud', intune_ask('/government', $order), $order);
my %hosts = map { $_->{op} . ' ' . ($_->{headers}{host} =~ s/:\d+//r) => 1 }
            azure_log();
is_deeply([ sort keys %hosts ],
          [ 'graph graph.microsoft.us',
            'success fef.msub05.manage.microsoft.us',
            'token login.microsoftonline.us',
            'validate fef.msub05.manage.microsoft.us' ], 'nobody else is asked');
intune_obeyed();



=== TEST 15: another cloud's services are not this one's
--- perl
intune_ready();
intune_refused('services elsewhere', intune_ask('/mixed', intune_order()),
               result => 'unavailable');
is(azure_counters()->{requests}{validate}, undef, 'Intune is not asked');



=== TEST 16: S17: transactions that look like JSON
What is no PrintableString gets nowhere; the rest comes as it is.
--- perl
intune_ready();
my $before = issued('demo');
my @odd = ('","code":"Success","x":"', '\\', '\\"', '{"a":1}', '%s%n',
           '$pki_serial', '</script>', "a\nb", "\r\nX-Evil: 1", "\x00",
           "a\x00b", "\x01\x1f\x7f", "\xff", "\xed\xa0\x80", "\xc3\xa9",
           "\xe2\x80\xa8", "\xf4\x90\x80\x80", "\xc0\xaf", "\xc3");
for my $txn (@odd) {
    my $what = JSON::PP->new->ascii->allow_nonref->encode($txn);
    my $r = intune_ask('/intune', intune_order(),
                       txn_hex => unpack 'H*', $txn);
    like(scep_brief($r), qr/^(?:FAILURE|HTTP 400)/, "$what: refused");
}
is(issued('demo'), $before, 'nothing is issued');
is(azure_counters()->{requests}{validate}, undef, 'Intune is not asked');

for my $txn (q(AZaz09 '()+,-./:=?), "'", 'x' x 128) {
    my $order = intune_order(txn => $txn);
    intune_issued($txn, intune_ask('/intune', $order), $order);
}
intune_obeyed();
for (split /\n/, slurp("$::work/access.log")) {
    ok(eval { JSON::PP->new->latin1->decode($_) }, 'a line of JSON')
        or diag($_);
}



=== TEST 17: S17: names that look like JSON, in what Intune is told
--- perl
intune_ready();
my @names = ('evil","hResult":0,"x":"', '\\', "a\nb", "\x00\x1f\x7f", "\xff\xfe",
             "\xed\xa0\x80", "\xc3\xa4" x 300, 'x' x 3000,
             'x' x 180 . "\xf0\x9f\x92\xa9" x 60);
for my $name (@names) {
    my $before = @{ azure_intune()->{failed} };
    my $what = JSON::PP->new->ascii->allow_nonref->encode(substr $name, 0, 30);
    my $r = intune_ask('/narrow', intune_order(), subject => undef,
                       subject_der => common_name($name),
                       challenge => azure_challenge());
    like(scep_brief($r), qr/^FAILURE/, "$what: refused");
    my $asked = grep { $_->{transactionId} eq $r->{txn} }
                @{ azure_intune()->{validated} };
    next if !$asked;
    ok(wait_until(sub { @{ azure_intune()->{failed} } > $before }, 5),
       "$what: Intune is told");
}
cmp_ok(scalar @{ azure_intune()->{failed} }, '>', 2, 'of some at least');
intune_obeyed();



=== TEST 18: S18: answers that are nearly right
--- timeout: 300
--- perl
intune_ready();
my $right = '{"code":"Success","errorDescription":""}';
my @wrong = ('', 'null', '[]', '{}', '"Success"', 'Success', 'true',
    '{"code":"success"}', '{"code":"SUCCESS"}', '{"code":"Success "}',
    '{"code":" Success"}', '{"code":"Success\u0000"}', '{"code":""}',
    '{"code":"Succ\u00e9ss"}', '{"Code":"Success"}', '{"code":null}',
    '{"code":0}', '{"code":true}', '{"code":["Success"]}',
    '{"code":{"code":"Success"}}', '{"value":{"code":"Success"}}',
    '[{"code":"Success"}]', '{"errorDescription":"Success"}',
    '{"code":"Success","code":"Success"}',
    '{"code":"SubjectNameMismatch","code":"Success"}',
    '{"code":"Success","code":"SubjectNameMismatch"}',
    "$right x", "$right$right", "$right]", "x$right", "{\"code\":\"Success\"",
    '{"code":"Success",}', "{'code':'Success'}", "{\"code\":\"Success\xff\"}",
    '{"a":' x 5000 . $right . '}' x 5000, '[' x 60000,
    '<html><body>{"code":"Success"}</body></html>');

my $before = issued('demo');
my $order = intune_order();

for my $body (@wrong) {
    my $what = JSON::PP->new->ascii->allow_nonref->encode(substr $body, 0, 50);
    azure_fault(op => 'validate', do => 'body', body => $body, count => -1);
    my $r = intune_ask('/intune', $order);
    is(scep_brief($r), 'FAILURE badRequest', $what);
    like(intune_line($r->{txn})->{scep_challenge_result},
         qr/^(?:wrong|unavailable)\z/, 'and in the log');
    azure_reset();
}
for my $status (201, 202, 204, 206, 300, 304, 400, 404, 418, 500) {
    azure_fault(op => 'validate', do => 'body', body => $right,
                status => $status, count => -1);
    my $r = intune_ask('/intune', $order);
    is(scep_brief($r), 'FAILURE badRequest', "success with status $status");
    azure_reset();
}
is(issued('demo'), $before, 'nothing is issued');
is(scep_brief(intune_ask('/intune', $order)), 'SUCCESS', 'but by a right one');



=== TEST 19: S18: what Intune says cannot disturb the logs
--- perl
intune_ready();
my $order = intune_order();
for my $code ('SubjectNameMismatch\r\n2026 [emerg] x', 'A\"}', 'x' x 5000,
              '\u001b[31m', '\u0000', 'NewCodeOfTomorrow') {
    azure_fault(op => 'validate', do => 'body', count => -1, body =>
                "{\"code\":\"$code\",\"errorDescription\":\"$code\"}");
    my $r = intune_ask('/intune', $order);
    is(scep_brief($r), 'FAILURE badRequest', 'refused');
    like(intune_line($r->{txn})->{scep_challenge_code},
         qr/^[A-Za-z0-9]{0,64}\z/, 'letters and digits');
    is(scalar(intune_log($r->{txn})), 1, 'one line');
    azure_reset();
}
unlike(error_log(), qr/\x1b|\x00|^2026 /m, 'the error log is whole');



=== TEST 20: S19: services that are not Intune's get no token
--- timeout: 120
--- perl
intune_ready();
my $good = 'fef.msub05.manage.microsoft.com';
my $vault = "contoso.vault.azure.net:$::port";
my @uris = ("http://$good:$::port/RACerts", "https://$vault/RACerts",
            "https://evilmanage.microsoft.com:$::port/RACerts",
            "https://manage.microsoft.com:$::port/RACerts",
            "https://$good.evil.example:$::port/RACerts",
            "https://$good\@$vault/RACerts", "https://$good:443\@$vault/",
            "https://$vault/$good", "https://$vault?$good",
            "https://$vault#.manage.microsoft.com",
            "https://$vault\\.manage.microsoft.com",
            "https://contoso.vault.azure.net%2f.manage.microsoft.com/",
            "https://127.0.0.1:$::port/RACerts", 'https://[::1]/RACerts',
            "https://.manage.microsoft.com:$::port/", "//$good:$::port/RACerts",
            "ftp://$good:$::port/", '/RACerts', '', 'https://', 42, ['x'],
            "https://$good:$::port/\r\nX-Evil: 1",
            "https://$good:$::port/ HTTP/1.0", "https://$good:99999/",
            "https://$good:0/", "https://$good:$::port/\x00",
            'https://' . 'x' x 5000 . '.manage.microsoft.com/');
for my $i (0 .. $#uris) {
    my $what = JSON::PP->new->ascii->allow_nonref->encode($uris[$i]);
    $what = substr $what, 0, 70;
    azure_reset();
    azure_graph(uris => { ScepRequestValidationFEService => $uris[$i] });
    my $r = intune_ask("/new$i", intune_order());
    is(scep_brief($r), 'FAILURE badRequest', "$what: refused");
    is(intune_line($r->{txn})->{scep_challenge_result}, 'unavailable',
       "$what: in the log");
    is(azure_counters()->{requests}{graph}, 1, "$what: it was read");
    elsewhere($what);
}



=== TEST 21: S19: nobody is followed elsewhere
--- timeout: 60
--- perl
intune_ready();
my $vault = "https://$ENV{TEST_NGINX_AZURE_VAULT}";
my $order = intune_order();
my $n = 0;
intune_issued('known', intune_ask('/intune', $order), $order);
for my $status (301, 302, 303, 307, 308) {
    for my $op ('graph', 'validate') {
        azure_reset();
        azure_fault(op => $op, do => 'redirect', status => $status,
                    count => -1, location => "$vault/RACerts");
        my $r = intune_ask($op eq 'graph' ? '/new' . $n++ : '/intune',
                           intune_order());
        is(scep_brief($r), 'FAILURE badRequest', "$op: $status");
        is(azure_counters()->{status}{$op}{$status}, 1, 'asked once');
        is_deeply([ grep { !/^(?:token|graph|validate)\z/ }
                    map { $_->{op} } azure_log() ], [], 'not followed');
    }
}
for my $link ("$vault/v1.0/x", 'http://graph.microsoft.com/v1.0/x',
              'https://graph.microsoft.com.evil.example/v1.0/x',
              'https://graph.microsoft.com:1/v1.0/x', '/v1.0/x',
              "https://graph.microsoft.com\@$ENV{TEST_NGINX_AZURE_VAULT}/", 1)
{
    azure_reset();
    azure_fault(op => 'graph', do => 'replace', count => -1,
                fields => { value => [], '@odata.nextLink' => $link });
    my $r = intune_ask('/new' . $n++, $order);
    is(scep_brief($r), 'FAILURE badRequest', "next page $link: refused");
    is(azure_counters()->{requests}{graph}, 1, "next page $link: not read");
    elsewhere("next page $link");
}



=== TEST 22: S19: lists without an end, and wrong ones
--- timeout: 120
--- perl
intune_ready();
my $next = "$ENV{TEST_NGINX_AZURE_GRAPH}/v1.0/servicePrincipals/"
           . 'appId=0000000a-0000-0000-c000-000000000000/endpoints';
azure_fault(op => 'graph', do => 'replace', count => -1,
            fields => { value => [], '@odata.nextLink' => $next });
my $order = intune_order();
my $n = 0;
is(scep_brief(intune_ask('/new' . $n++, $order)), 'FAILURE badRequest',
   'no end');
is(azure_counters()->{requests}{graph}, 5, 'no more than five pages');
my @many = map { { providerName => "Service$_", uri => "https://x$_.example" } }
           1 .. 600;
for my $body ('', '[]', '{"value":{}}', '{"value":[1]}', '{"value":[[]]}',
              '{"value":[{}]}', '{"value":[{"providerName":1,"uri":"x"}]}',
              '[' x 60000, 'x', JSON::PP::encode_json({ value => \@many }))
{
    azure_reset();
    azure_fault(op => 'graph', do => 'body', body => $body, count => -1);
    my $r = intune_ask('/new' . $n++, $order);
    my $what = substr $body, 0, 40;
    is(scep_brief($r), 'FAILURE badRequest', "$what: refused");
    elsewhere($what);
}



=== TEST 23: Intune fails for once, and Graph has nothing to say
The list there is goes on: nobody waits for another one.
--- timeout: 90
--- perl
intune_ready();
my $n = 39;
for my $status (503, 408, 404) {
    my $here = '/new' . $n--;
    my $order = intune_order();
    intune_issued("before $status", intune_ask($here, $order), $order);

    azure_fault(op => 'graph', count => -1,
                do => $status == 404 ? 'status' : 'hang');
    azure_fault(op => 'validate', do => 'status', status => $status);
    $order = intune_order();
    my $start = time();
    intune_issued($status, intune_ask($here, $order), $order);
    cmp_ok(time() - $start, '<', 5, "$status: soon");
    is(azure_counters()->{status}{validate}{$status}, 1, "$status: once");
    azure_reset();
}
