#!/usr/bin/perl
# Reads a log that it makes itself and reports: regular expressions, hashes, closures, sorting, formats, packing, objects.
use strict;
use warnings;

package Counter;
sub new { my ($class, %options) = @_; return bless {count => 0, step => $options{step} // 1}, $class; }
sub next { my $self = shift; return $self->{count} += $self->{step}; }
sub DESTROY { print "counter ended at $_[0]{count}\n"; }

package main;

my $seed = 12345;
sub random { my $limit = shift; $seed = ($seed * 1103515245 + 12345) % 2147483648; return int($seed / 65536) % $limit; }

my @hosts = qw(alpha beta gamma delta);
my @lines = map {
    sprintf "2024-%02d-%02d %s user%d %s /page/%d %d",
        1 + random(12), 1 + random(28), $hosts[random(4)], random(50), (qw(GET POST PUT))[random(3)], random(20), 100 + random(5000)
} 1 .. 2000;

my (%by_host, %by_month, %pages, $bytes);
for (@lines) {
    if (/^(\d+)-(\d+)-(\d+)\s+(\w+)\s+user(\d+)\s+(GET|POST|PUT)\s+(\S+)\s+(\d+)$/) {
        $by_host{$4}{$6}++;
        $by_month{$2} += $8;
        push @{$pages{$7}}, $8;
        $bytes += $8;
    } else { die "bad line: $_" }
}
print "total $bytes bytes in ", scalar(@lines), " lines\n";
for my $host (sort keys %by_host) { printf "%-6s %s\n", $host, join ' ', map { "$_=$by_host{$host}{$_}" } sort keys %{$by_host{$host}}; }
printf "%s:%d ", $_, $by_month{$_} for sort keys %by_month;
print "\n";
my @best = (sort { @{$pages{$b}} <=> @{$pages{$a}} || $a cmp $b } keys %pages)[0 .. 4];
printf "%-10s %4d visits, mean %.3f\n", $_, scalar @{$pages{$_}}, eval { my $s = 0; $s += $_ for @{$pages{$_}}; $s / @{$pages{$_}} } for @best;

my $text = "The year 1999 and the year 2024; the end.";
(my $copy = $text) =~ s/(\d{4})/$1 + 1/ge;
print "$copy\n", join('|', $text =~ /\b(\w)\w*\b/g), "\n";
print "palindrome\n" if 'level' =~ /^(?:(.)(?=.*(\1)))*.?\2?/;
my $count = () = $text =~ /the/gi;
print "$count times 'the'; ", ucfirst lc 'MIXED Case', "; ", scalar reverse('backwards'), "\n";

my @fibonacci = (0, 1);
push @fibonacci, $fibonacci[-1] + $fibonacci[-2] while @fibonacci < 60;
print "fibonacci $fibonacci[59]\n";
my @primes = grep { my $n = $_; !grep { $n % $_ == 0 } 2 .. sqrt $n } 2 .. 200;
print "primes @primes[-5 .. -1]\n";
my @adders = map { my $n = $_; sub { $_[0] + $n } } 1 .. 3;
print join(',', map { $_->(10) } @adders), "\n";
my $packed = pack 'NnCa5w/a', 0xdeadbeef, 0x1234, 255, 'text', 'length';
print unpack('H*', $packed), ' ', join(',', unpack 'NnCa5', $packed), ' ', unpack('%32C*', $packed), "\n";
my $counter = Counter->new(step => 7);
$counter->next for 1 .. 6;
undef $counter;
local $@;
eval { die {code => 42} };
print "caught $@->{code}\n";
open my $file, '>', 'report.out' or die; print $file sort map { "$_\n" } @lines[0 .. 9]; close $file;
open $file, '<', 'report.out' or die; my @back = <$file>; close $file; unlink 'report.out';
print scalar(@back), ' ', length(join '', @back), ' ', 0.1 + 0.2, ' ', 1e21, ' ', 10 ** 15, ' ', 7 / 2, ' ', int(-7 / 2), ' ', -7 % 3, "\n";
exit 5;
