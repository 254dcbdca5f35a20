package PKI::Refused;

# What the suites of wrong SCEP messages share: what is answered, that nothing
# is issued, that no worker is lost.
#
#   use PKI::Refused;
#
#   refused_start();                   all is ready; what there is, is counted
#   refused('/scep',                   each: what, answer, options of
#       ['no nonce', $bad_request, omit => 'nonce'],         scep_make()
#       ...);
#   accepted('/scep', ['an old form', ber => 1], ...);
#   refused_finish();                  nothing was issued but by accepted()
#
# The challenge is 'open sesame', if the options name no other.  scep_brief()
# of the answers: $bad_alg, $bad_check, $bad_request, $bad_time, $bad_id.

use strict;
use warnings;

use Exporter qw( import );
use Test::More ();

use PKI ();
use PKI::Scep;

our ($bad_alg, $bad_check, $bad_request, $bad_time, $bad_id) =
    map { "FAILURE $_" } qw( badAlg badMessageCheck badRequest badTime
                             badCertId );

our @EXPORT = qw( refused_start refused accepted refused_finish unspoken
                  $bad_alg $bad_check $bad_request $bad_time $bad_id );

my ($before, @workers);


sub authorities {
    my %names = map { /^pki:\{(.*)\}:ca$/ ? ($1 => 1) : () }
                    @{ PKI::redis_cmd('KEYS', 'pki:{*}:ca') };
    return keys %names;
}


sub all_issued {
    my $n = 0;
    $n += issued($_) for authorities();
    return $n;
}


sub refused_start {
    scep_ready('/probe') or die "not ready\n";
    ($before, @workers) = (all_issued(), PKI::worker_pids());
    return;
}


sub refused_finish {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is(all_issued(), $before, 'nothing else is issued');
    Test::More::is_deeply([PKI::worker_pids()], \@workers,
                          'the workers are the same');
    return;
}


# The client is told nothing but the code.

sub unspoken {
    my ($r, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Test::More::is($r->{fail_info_text}, undef, "$what: no text");
    Test::More::unlike($r->{body},
        qr{/etc|/tmp|/usr|\.c:\d|error:[0-9A-F]|ssl|redis|vault}i,
        "$what: nothing of the inside");
    return;
}


sub refused {
    my ($uri, @cases) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for (@cases) {
        my ($what, $answer, @options) = @$_;
        my $r = scep_ask($uri, challenge => 'open sesame', @options);
        Test::More::is(scep_brief($r), $answer, $what);
        unspoken($r, $what);
    }

    return;
}


# Returns the last answer.

sub accepted {
    my ($uri, @cases) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r;

    for (@cases) {
        my ($what, @options) = @$_;
        $r = scep_ask($uri, challenge => 'open sesame', @options);
        Test::More::is(scep_brief($r), 'SUCCESS', $what);
        $before++ if ($r->{status} // '') eq 'SUCCESS';
    }

    return $r;
}

1;
