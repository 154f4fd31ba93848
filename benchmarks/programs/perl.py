"""Perl."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

SCRIPT = r"""
use strict; use warnings; use integer;
my ($turns, $state, %count, @found) = ($ARGV[0], 12345);
for my $turn (1 .. $turns) {
    $state = ($state * 1103515245 + 12345) & 0x7fffffff;
    my $word = sprintf "%x", $state;
    $count{substr $word, -3}++;
    push @found, $1 if $word =~ /([a-f]{3})\d$/;
    $word =~ tr/0-9a-f/a-p/;
    $state += length join ",", reverse split //, $word if $turn % 4 == 0;
}
my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print scalar(@found), " ", scalar(@sorted), " @sorted[0 .. 4] $state\n";
"""

BENCHMARK = Program(
    "Perl: a loop of regular expressions, hashes, and strings cut and joined.",
    group="interpreters",
    executables=("/usr/bin/perl",),
    package="perl-base",
    size=1_600_000,
    arguments=lambda inputs, size: ["-e", SCRIPT, str(size)],
)
