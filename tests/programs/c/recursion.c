/* Recursion: Fibonacci, Ackermann, Hanoi, mutual recursion, permutations, a deep one that grows the stack. */
#include "support.h"

static NOINLINE unsigned fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static NOINLINE unsigned ackermann(unsigned m, unsigned n) {
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
static int is_odd(unsigned n);
static NOINLINE int is_even(unsigned n) { return n == 0 ? 1 : is_odd(n - 1); }
static NOINLINE int is_odd(unsigned n) { return n == 0 ? 0 : is_even(n - 1); }
static unsigned moves;
static void hanoi(int n, int from, int to, int by) {
    if (!n) return;
    hanoi(n - 1, from, by, to);
    moves = moves * 31 + (unsigned)(from * 3 + to);
    hanoi(n - 1, by, to, from);
}
static uint64_t permutations;
static void permute(char *text, int at, int n) {
    if (at == n) {
        permutations = fold_bytes(permutations, text, (size_t)n);
        return;
    }
    for (int i = at; i < n; i++) {
        char t = text[at];
        text[at] = text[i];
        text[i] = t;
        permute(text, at + 1, n);
        text[i] = text[at];
        text[at] = t;
    }
}
static NOINLINE uint64_t deep(unsigned n, volatile signed char *above) {
    volatile signed char here[64];
    here[0] = (signed char)n;
    return n == 0 ? (uint64_t)(above != here) : (uint64_t)here[0] + deep(n - 1, here);
}
static unsigned gcd(unsigned a, unsigned b) { return b ? gcd(b, a % b) : a; }

int main(void) {
    printf("%u %u\n", fibonacci(20), ackermann(2, 30));
    printf("%d %d\n", is_even(5000), is_odd(777));
    hanoi(12, 0, 2, 1);
    printf("%u\n", moves);
    char text[] = "abcdefg";
    permute(text, 0, 7);
    printf("%016llx\n", (unsigned long long)permutations);
    printf("%llu\n", (unsigned long long)deep(30000, 0));
    printf("%u\n", gcd(1071 * 97, 462 * 97));
    return 0;
}
