#!/usr/bin/perl
# What Perl's own tests go through, chapter by chapter: each says what it found, and whether that is what it should be.
use strict;
use warnings;
use utf8;
binmode STDOUT, ':utf8';

my ($count, $failed) = (0, 0);
sub is {
    my ($got, $want, $name) = @_;
    $count++;
    my $good = defined $got && defined $want ? $got eq $want : !defined $got && !defined $want;
    $failed++ unless $good;
    printf "%s %d - %s%s\n", $good ? 'ok' : 'not ok', $count, $name, $good ? '' : " (got $got)";
}

# --- op/: numbers and strings
is(0.1 + 0.2 == 0.3 ? 'same' : 'other', 'other', 'binary fractions');
is(sprintf('%.20g %.3e %a', 0.1, 12345.678, 1.5), '0.10000000000000000555 1.235e+04 0x1.8p+0', 'formats of reals');
is(18446744073709551615 + 1, '1.84467440737096e+19', 'integers overflow to reals');
is(18446744073709551615 & ~0xFF, '18446744073709551360', 'unsigned words');
is(-7 % 3, 2, 'modulus takes the sign of the right');
{ use integer; is(-7 % 3, -1, 'and under integer the sign of the left'); }
is('abc' x 3 . 'd', 'abcabcabcd', 'repetition');
is(join(',', map { sprintf '%s', $_ } 1e15, 1e16, 1e-5, 123456789012345678), '1e+15,1e+16,1e-05,123456789012345678', 'reals as text');
is(++(my $magic = 'Az'), 'Ba', 'magic increment');
is(++(my $more = 'zz9'), 'aaa0', 'and with a carry');
is(reverse('über') . '', 'rebü', 'reversed characters');
is(ucfirst(lc('ÄPFEL')), 'Äpfel', 'case of letters beyond ASCII');
is(length('€uro') . ',' . do { use bytes; length('€uro') }, '4,6', 'characters and bytes');
is(join(' ', unpack('H4 n C/a* w', pack('H4 n C/a* w', 'beef', 513, 'text', 300))), 'beef 513 text 300', 'packing');
is(unpack('%32C*', 'checksum'), 851, 'checksums');
is(sprintf('%vd', v1.22.333), '1.22.333', 'versions');
is(join('', sort { $b <=> $a } 10, 9, 2, 33), '331092', 'sorting by number');
is(join(',', (sort { $a->[1] <=> $b->[1] } map { [$_, $_ % 5] } 1 .. 10)[0]->@*), '5,0', 'sorting is stable');
is("@{[splice(@{[1 .. 10]}, 2, 3)]}", '3 4 5', 'splices');
is(lc(sprintf '%b %o %X', 10, 64, 255), '1010 100 ff', 'bases');
is(vec(my $bits = "\x0f", 0, 4), 15, 'bit vectors');
is(join(',', map { int rand 100 } do { srand 42; 1 .. 3 }), join(',', map { int rand 100 } do { srand 42; 1 .. 3 }), 'seeds');

# --- re/
is(join('|', 'key=value; other=thing' =~ /(\w+)=(\w+)/g), 'key|value|other|thing', 'all matches');
is('2024-02-29' =~ /^(?<y>\d+)-(?<m>\d+)/ ? "$+{m}/$+{y}" : '', '02/2024', 'named groups');
is(('(a(b)c)(d)' =~ /^(\((?:[^()]++|(?1))*\))/)[0], '(a(b)c)', 'recursion');
(my $text = 'The cat sat on the mat') =~ s/(\w+)/\u\L$1/g;
is($text, 'The Cat Sat On The Mat', 'substitution');
is('aaa' =~ /^(a+?)(a*)$/ ? "$1,$2" : '', 'a,aa', 'lazy and greedy');
is(join(',', map { s/(?<=\d)(?=(?:\d{3})+$)/,/gr } 1234567, 12), '1,234,567,12', 'look-around');
is('foobar' =~ /foo(?!baz)/ ? $` . '<' . $& . '>' . $' : '', '<foo>bar', 'negative look-ahead');
is(($text =~ tr/a-z//), 11, 'counting by tr');
(my $coded = 'Hello') =~ tr/a-zA-Z/n-za-mN-ZA-M/;
is($coded, 'Uryyb', 'transliteration');
is(join('', 'naïve café' =~ /(\p{L}+)/g), 'naïvecafé', 'properties');
is(('ab' x 2000) =~ /^(?:ab)+$/ ? 'yes' : 'no', 'yes', 'long repetitions');
my $found = ''; 'abcd' =~ /(?:(\w)(?{ $found .= $1 }))+$/;
is($found, 'abcd', 'code in a pattern');

# --- closures, contexts, local, wantarray, prototypes
my @adders = map { my $n = $_; sub { $n += shift } } 1 .. 3;
$_->(10) for @adders;
is(join(',', map { $_->(0) } @adders), '11,12,13', 'closures have their own variables');
our $global = 'outer';
sub seen { $global }
sub within { local $global = 'inner'; seen() }
is(within() . seen(), 'innerouter', 'dynamic scope');
sub context { wantarray ? 'list' : defined wantarray ? 'scalar' : 'void' }
sub apply(&@) { my $code = shift; map { $code->($_) } @_ }
is(join(',', apply { $_[0] ** 2 } 1 .. 4), '1,4,9,16', 'prototypes');
is(do { my $s = ''; OUTER: for my $i (1 .. 5) { for my $j (1 .. 5) { next OUTER if $j > $i; last OUTER if $i == 4; $s .= $j } } $s }, '112123', 'labels');
sub fact { my $n = shift; $n < 2 ? 1 : $n * fact($n - 1) }
is(fact(20), '2432902008176640000', 'recursion of functions');
my $depth = 0; { no warnings 'recursion'; my $down; $down = sub { $depth++; $_[0] ? $down->($_[0] - 1) : 0 }; $down->(5000); }
is($depth, 5001, 'deep recursion');

# --- objects, overloading, tie, AUTOLOAD, DESTROY, multiple inheritance
{
    package Vector; use overload '+' => \&add, '*' => sub { $_[0]->scale($_[1]) }, '""' => sub { "($_[0][0], $_[0][1])" },
        '==' => sub { "$_[0]" eq "$_[1]" }, '<=>' => sub { $_[0][0] <=> $_[1][0] }, 'bool' => sub { 1 };
    sub new { my $class = shift; bless [@_], $class }
    sub add { Vector->new($_[0][0] + $_[1][0], $_[0][1] + $_[1][1]) }
    sub scale { Vector->new(map { $_ * $_[1] } @{$_[0]}) }
    package Upper; sub TIESCALAR { my ($class, $value) = @_; bless \$value, $class } sub FETCH { uc ${$_[0]} }
    sub STORE { ${$_[0]} = $_[1] }
    package Base1; sub hello { 'base1' } package Base2; sub hello { 'base2' } sub only { 'only2' }
    package Child; our @ISA = ('Base1', 'Base2'); our $AUTOLOAD;
    sub new { bless {}, shift } sub AUTOLOAD { my $name = $AUTOLOAD; $name =~ s/.*:://; return if $name eq 'DESTROY'; "auto $name" }
    package Guard; sub new { my ($class, $code) = @_; bless { code => $code }, $class } sub DESTROY { $_[0]{code}->() }
}
is('' . (Vector->new(1, 2) + Vector->new(3, 4)) * 2, '(8, 12)', 'overloaded operators');
tie my $upper, 'Upper', 'abc'; my $first = $upper; $upper = 'def';
is($first . $upper, 'ABCDEF', 'tied scalars');
my $child = Child->new;
is(join(',', $child->hello, $child->only, $child->anything), 'base1,only2,auto anything', 'methods are found');
my $order = ''; { my $guard = Guard->new(sub { $order .= 'end' }); $order .= 'in '; }
is($order, 'in end', 'destruction is immediate');
is(ref(\my @a) . ref({}) . ref(sub { }) . ref(qr/x/) . ref(\\1), 'ARRAYHASHCODERegexpREF', 'kinds of references');
is(join(',', $child->can('only') ? 'can' : 'cannot', UNIVERSAL::isa($child, 'Base2') ? 'isa' : 'not'), 'can,isa', 'universal methods');

# --- errors
is(eval { die { code => 42 } } // $@->{code}, 42, 'exceptions are values');
is(eval { my $x = 1 / 0; 1 } // ($@ =~ /division by zero/ ? 'caught' : $@), 'caught', 'division by zero');
is(do { local $SIG{__WARN__} = sub { $order = shift }; my $u; my $v = "x$u"; $order =~ /uninitialized/ ? 'warned' : 'not' }, 'warned', 'warnings');
is(do { local $@; eval { eval { die "inner\n" }; die "outer: $@" }; $@ }, "outer: inner\n", 'nested evals');
is(eval "1 + )" // ($@ =~ /syntax error/ ? 'syntax' : $@), 'syntax', 'compiling at run time');
is(eval q{ my $s = 0; $s += $_ for 1 .. 100; $s }, 5050, 'and running that');

# --- io/: files, pipes, processes, sockets, signals
open my $out, '>:encoding(UTF-16LE)', 'wide.txt' or die $!;
print $out "grün\n" x 3; close $out;
is(-s 'wide.txt', 30, 'encodings of files');
open my $in, '<:encoding(UTF-16LE)', 'wide.txt' or die $!;
my @lines = <$in>; is(scalar(@lines) . $lines[2], "3grün\n", 'and back'); close $in;
open my $memory, '>', \my $buffer; printf $memory '%05.1f', 3.14159; close $memory;
is($buffer, '003.1', 'files in memory');
open my $pipe, '-|', 'echo one; echo two; exit 3' or die $!;
is(join('', map { chomp; $_ } <$pipe>), 'onetwo', 'output of commands'); close $pipe;
is($? >> 8, 3, 'and their status');
is(do { my $pid = fork; if (!$pid) { exit 7 } waitpid $pid, 0; $? >> 8 }, 7, 'children');
{
    pipe my $reader, my $writer; my $pid = fork;
    if (!$pid) { close $reader; print $writer "from $_\n" for 1 .. 3; close $writer; require POSIX; POSIX::_exit(0) }
    close $writer; my @got = <$reader>; waitpid $pid, 0;
    is(scalar @got, 3, 'pipes to children');
}
my $signals = 0; { local $SIG{USR1} = sub { $signals++ }; kill 'USR1', $$ for 1 .. 5; select undef, undef, undef, 0.01; }
is($signals, 5, 'signals to itself');
is(eval { local $SIG{ALRM} = sub { die "late\n" }; alarm 1; select undef, undef, undef, 10; alarm 0; 1 } // $@, "late\n", 'alarms');
{
    require IO::Socket::INET;
    my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $@;
    my $pid = fork;
    if (!$pid) { my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport); print $s "hello\n"; close $s; require POSIX; POSIX::_exit(0) }
    my $peer = $server->accept; chomp(my $line = <$peer>); waitpid $pid, 0;
    is($line, 'hello', 'sockets');
}
opendir my $folder, '.'; my @names = sort grep { !/^\./ } readdir $folder;
is("@names", 'wide.txt', 'folders'); unlink 'wide.txt';
is(join(',', (stat '/dev/null')[2] & 0777, -c '/dev/null' ? 'c' : ''), '438,c', 'stat');

# --- lib/: modules in C and in Perl
use List::Util qw(reduce shuffle sum max first uniq pairs);
is((reduce { $a * $b } 1 .. 10) . ',' . sum(1 .. 10) . ',' . max(3, 9, 2) . ',' . (first { $_ > 3 } 1 .. 9), '3628800,55,9,4', 'List::Util');
use Scalar::Util qw(weaken blessed reftype looks_like_number dualvar);
my $strong = { name => 'x' }; my $weak = $strong; weaken $weak; undef $strong;
is(defined $weak ? 'kept' : 'gone', 'gone', 'weak references');
use POSIX qw(floor strtol strftime setlocale);
is(floor(-3.5) . ',' . (strtol('ff', 16))[0] . ',' . strftime('%Y-%m-%d', gmtime 86400 * 365), '-4,255,1971-01-01', 'POSIX');
use Digest::MD5 'md5_hex'; use Digest::SHA 'sha256_hex';
is(substr(md5_hex('abc'), 0, 8) . substr(sha256_hex('abc'), 0, 8), '90015098ba7816bf', 'digests');
use Math::BigInt; use Math::BigFloat;
is(Math::BigInt->new(2)->bpow(200)->bmod(1000007) . '', '' . Math::BigInt->new(2)->bmodpow(200, 1000007), 'large integers');
is(Math::BigFloat->new(2)->bsqrt(40) . '', '1.414213562373095048801688724209698078570', 'large reals');
use Storable qw(freeze thaw dclone); use Data::Dumper; $Data::Dumper::Sortkeys = $Data::Dumper::Terse = 1; $Data::Dumper::Indent = 0;
my $deep = { list => [1, [2, 3]], hash => { a => undef } };
is(Dumper(thaw freeze $deep), "{'hash' => {'a' => undef},'list' => [1,[2,3]]}", 'freezing and dumping');
use Encode qw(encode decode); is(unpack('H*', encode('UTF-8', '€')) . decode('cp1252', "\x80"), 'e282ac€', 'encodings');
use Time::Local; is(timegm(0, 0, 0, 29, 1, 2024), 1709164800, 'times');
use MIME::Base64; is(encode_base64('any carnal pleas', ''), 'YW55IGNhcm5hbCBwbGVhcw==', 'Base64');
use Compress::Zlib; is(length(uncompress(compress('abc' x 10000))), 30000, 'compression');
use JSON::PP; is(JSON::PP->new->canonical->encode({ b => [1, 2.5, "x\n"], a => undef }), '{"a":null,"b":[1,2.5,"x\\n"]}', 'JSON');
use File::Temp; use File::Spec; is(File::Spec->canonpath('/a/./b//c/'), '/a/b/c', 'paths');
use Text::Wrap; $Text::Wrap::columns = 20; is(wrap('', '  ', 'the quick brown fox jumps'), "the quick brown fox\n  jumps", 'wrapping');
if (eval { require threads; 1 }) {
    my @threads = map { my $n = $_; threads->create(sub { my $sum = 0; $sum += $n for 1 .. 1000; $sum }) } 1 .. 3;
    is(join(',', map { $_->join } @threads), '1000,2000,3000', 'threads');
}
format STDOUT =
@<<<<<<<< @>>>>> @##.## @*
'left', 'right', 3.14159, 'rest'
.
write;
my $hash = 0; my %table; for my $i (1 .. 20000) { my $key = 'k' . ($i * 7919 % 5003); $table{$key} .= chr(65 + $i % 26); $hash = ($hash * 31 + length $table{$key}) % 1000000007; }
is(scalar(keys %table) . ',' . $hash, '5003,38710459', 'a large table');
print "$count, of which $failed failed\n";
exit($failed ? 1 : 6);
