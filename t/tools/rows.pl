#!/usr/bin/perl

# Whether the table of t/README.md that says which block of the SCEP suites has
# which row is right:
#
#     rows.pl          complains, and exits with 1, if it is not
#     rows.pl -w       writes it anew
#
# The blocks of a row are those whose titles name it, "P8" or "B1 to B6".  What
# is in parentheses shows the row beside other things and is kept as it is:
# such a block has to be there.

use strict;
use warnings;

my $README = 't/README.md';
my $SUITES = '{1[5-9],2[0-9],44,46,48,75,79,85,88}';

my $write = @ARGV && $ARGV[0] eq '-w';
my (%blocks, %named);
my $complaints = 0;
my $text = '';

read_titles($_) for glob 't/[0-9]*.t';

open my $in, '<', $README or die "$README: $!\n";

while (my $line = <$in>) {
    if ($line =~ /^\| ((?:[TCANPROSWMB]\d+[, to]*)+) \| (.*) \| (.*) \|$/) {
        $line = check_row($1, $2, $3);
    }
    $text .= $line;
}

close $in;

if ($write) {
    open my $out, '>', $README or die "$README: $!\n";
    print $out $text;
    close $out or die "$README: $!\n";
}

exit($complaints && !$write ? 1 : 0);


sub read_titles {
    my ($file) = @_;

    my ($suite) = $file =~ m{/(\d+)-};
    my %counted = map { $_ => 1 } glob "t/$SUITES-*.t";

    open my $in, '<', $file or die "$file: $!\n";

    while (<$in>) {
        my ($n, $title) = /^=== TEST (\d+): (.*)/ or next;
        $blocks{"$suite/$n"} = 1;
        next if !$counted{$file};

        my %rows = map { $_ => 1 } rows_of($title);
        push @{ $named{$_} }, "$suite/$n" for keys %rows;
    }

    close $in;
}


sub rows_of {
    my ($title) = @_;

    my @rows = $title =~ /\b([TCANPROSWMB]\d{1,2})\b/g;

    while ($title =~ /\b([A-Z])(\d+) to \1(\d+)\b/g) {
        push @rows, map { "$1$_" } $2 .. $3;
    }

    return @rows;
}


sub check_row {
    my ($rows, $what, $cell) = @_;

    my ($beside) = $cell =~ /(\(.*\))/;
    my (@found, %seen);

    for my $row (rows_of($rows)) {
        push @found, grep { !$seen{$_}++ } @{ $named{$row} || [] };
    }

    for my $block (($beside // '') =~ m{\d+/\d+}g) {
        complain("$rows: there is no block $block") if !$blocks{$block};
    }

    my $right = join ', ', @found;
    $right .= ($right ? ', ' : '') . $beside if defined $beside;

    complain("$rows: there is no test") if $right eq '';
    complain("$rows: it is $right, not $cell") if $right ne $cell;

    return "| $rows | $what | $right |\n";
}


sub complain {
    print "$README: $_[0]\n" if !$write;
    $complaints++;
}
