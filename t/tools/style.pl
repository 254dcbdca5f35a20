#!/usr/bin/perl

# Checks how the sources look: style.pl file ...
#
#   all     no line above 80 columns, no tab, no trailing blank, no blank line
#           and no missing newline at the end
#   C       no // comment, two blank lines after a function, the name of a
#           function first on its line, functions of at most 80 lines, files
#           of at most 700, none of the calls below
#   shared  includes point to the same floor or down (floors.txt), every file
#           is in that table; the two other folders include each other never,
#           and nothing in shared includes them
#
# Prints "file:line: complaint"; with none, a report of function lengths.

use strict;
use warnings;

use File::Basename qw( basename dirname );

my $MAX_COLUMNS  = 80;
my $MAX_FUNCTION = 80;
my $MAX_FILE     = 700;

my @FORBIDDEN = qw(
    sprintf vsprintf strcpy strcat gets system popen sleep usleep
    getaddrinfo gethostbyname
);

my $forbidden = join '|', @FORBIDDEN;
my $complaints = 0;
my (%floor, %folder, @lengths);

read_floors(dirname($0) . '/floors.txt');

my @files = @ARGV or die "usage: style.pl file ...\n";

for my $file (@files) {
    $folder{basename($file)} = dirname($file) if $file =~ /\.h$/;
}

check_file($_) for @files;
check_functions(grep { is_product($_) } @files);

report() if !$complaints && @lengths;
exit($complaints ? 1 : 0);


sub complain {
    my ($file, $line, $text) = @_;

    print "$file:$line: $text\n";
    $complaints++;
}


sub is_product {
    return $_[0] =~ m{^(?:shared|ngx_\w+_module)/[^/]+\.[ch]$};
}


sub read_floors {
    my ($table) = @_;

    open my $in, '<', $table or die "$table: $!\n";
    my $floor;

    while (<$in>) {
        next if /^#/ || /^\s*$/;

        if (/^(\d) /) {
            $floor = $1;
            next;
        }

        $floor{$_} = $floor for split;
    }
}


sub check_file {
    my ($file) = @_;

    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    my @lines = <$in>;
    close $in;

    return unless @lines;

    complain($file, scalar @lines, 'no newline at the end')
        if $lines[-1] !~ /\n\z/;
    complain($file, scalar @lines, 'blank line at the end')
        if $lines[-1] =~ /^\s*\n?\z/;

    chomp @lines;
    my $max = $file =~ /\.(?:t|py)$/ ? 100 : $MAX_COLUMNS;

    for my $i (0 .. $#lines) {
        my $n = $i + 1;
        complain($file, $n, 'longer than ' . $max . ' columns')
            if length $lines[$i] > $max;
        complain($file, $n, 'tab')
            if $lines[$i] =~ /\t/ && basename($file) ne 'Makefile';
        complain($file, $n, 'trailing blank') if $lines[$i] =~ /\s\z/;
    }

    check_c($file, @lines) if $file =~ /\.[ch]$/;
}


sub check_c {
    my ($file, @lines) = @_;

    complain($file, scalar @lines, "longer than $MAX_FILE lines")
        if @lines > $MAX_FILE;

    my $code = strip(join "\n", @lines);
    my $n = 0;

    for (split /\n/, $code) {
        $n++;
        complain($file, $n, '// comment') if m{//};
        complain($file, $n, "call of $1()")
            if is_product($file) && /(?<![\w>.])($forbidden)\s*\(/;
    }

    for my $i (0 .. $#lines) {
        next unless $lines[$i] eq '}';
        my ($one, $two, $three) = map { $lines[$i + $_] } 1 .. 3;

        next if !defined $one;
        next if $one eq '' && defined $two && $two =~ /^#(?:else|elif|endif)/;
        next if $one eq '' && defined $two && $two eq ''
                && defined $three && $three ne '';

        complain($file, $i + 1, 'not two blank lines after a function');
    }

    check_includes($file, @lines) if is_product($file);
}


# Comments and strings become blanks, lines stay.

sub strip {
    my ($text) = @_;

    $text =~ s{(/\*.*?\*/)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}{
        my $gone = $1 // '""';
        $gone =~ s/[^\n]/ /g if defined $1;
        $gone;
    }gsex;

    return $text;
}


sub check_includes {
    my ($file, @lines) = @_;

    my $dir = dirname($file);
    (my $stem = basename($file)) =~ s/\.[ch]$//;
    my $own = $floor{$stem};

    if ($dir eq 'shared' && !$own) {
        complain($file, 1, 'has no floor, add it to t/tools/floors.txt');
        return;
    }

    for my $i (0 .. $#lines) {
        if ($dir eq 'shared' && $own < 4
            && $lines[$i] =~ /^#include <ngx_http/)
        {
            complain($file, $i + 1, "floor $own knows nothing of HTTP");
        }

        my ($header) = $lines[$i] =~ /^#include "([^"]+)"/ or next;
        my $where = $folder{basename($header)};

        if (!defined $where) {
            complain($file, $i + 1, "$header is no file of the project");

        } elsif ($where ne $dir && $where ne 'shared') {
            complain($file, $i + 1, "$dir includes $header of $where");

        } elsif ($dir eq 'shared') {
            (my $other = $header) =~ s/\.h$//;
            complain($file, $i + 1, "floor $own includes $header of floor "
                                    . ($floor{$other} // '?'))
                if ($floor{$other} // 9) > $own;
        }
    }
}


sub check_functions {
    my (@sources) = @_;

    return unless @sources;

    open my $tags, '-|', 'ctags', '--language-force=C', '--c-kinds=f',
        '--fields=ne', '--sort=no', '-f', '-', @sources
        or die "ctags: $!\n";

    while (<$tags>) {
        next if /^!/;
        my ($name, $file, $text) = /^(\S+)\t(\S+)\t(.*)/ or next;
        my ($line) = $text =~ /\tline:(\d+)/;
        my ($end) = $text =~ /\tend:(\d+)/;
        next unless $line && $end;

        my $length = $end - $line + 1;
        push @lengths, [ $length, $name, $file ];

        complain($file, $line, "$name() has $length lines,"
                               . " more than $MAX_FUNCTION")
            if $length > $MAX_FUNCTION;
        complain($file, $line, "$name() is not the first word of its line")
            if $text !~ m{^/\^\Q$name\E\(};
    }

    close $tags or die "ctags failed\n";
}


sub report {
    my @sorted = sort { $a->[0] <=> $b->[0] } @lengths;
    my ($length, $name, $file) = @{ $sorted[-1] };

    printf "functions: %d, median %d lines, p90 %d, longest %d (%s in %s)\n",
        scalar @sorted, $sorted[$#sorted / 2][0], $sorted[$#sorted * 0.9][0],
        $length, $name, $file;
}
