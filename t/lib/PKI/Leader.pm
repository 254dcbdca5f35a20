package PKI::Leader;

# Which worker of an nginx leads: it follows the change log, and builds CRLs.
#
#   use PKI::Leader;
#
#   is(followers(), 1);                  how many there are, of all nodes
#   my $pid = leader(worker_pids());     of these, or nothing right now
#   my $pid = leader($node->workers);

use strict;
use warnings;

use Exporter qw( import );

use PKI ();

our @EXPORT = qw( followers leader );


# Their ports: each waits for the log on a connection of its own.

sub followers {
    return PKI::redis_cmd('CLIENT', 'LIST')
           =~ /^[^\n]* addr=127\.0\.0\.1:(\d+) [^\n]* cmd=xread /mg;
}


sub leader {
    my (@pids) = @_;

    my %ends = map { sprintf('0100007F:%04X 0100007F:%04X', $_,
                             PKI::redis()->port) => 1 } followers();
    my %inodes = map { ('socket:[' . (split)[9] . ']') => 1 }
                 grep { $ends{ join ' ', (split)[1, 2] } }
                 split /\n/, PKI::slurp('/proc/net/tcp');

    for my $pid (@pids) {
        return $pid if grep { $inodes{ readlink($_) // '' } }
                       glob "/proc/$pid/fd/*";
    }

    return;
}

1;
