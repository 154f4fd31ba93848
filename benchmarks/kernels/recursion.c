/* Calls and returns: Fibonacci, Ackermann and the towers of Hanoi.
 * group: integer
 * iterations: 190
 */
#include "kernel.h"
#define ALONE __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

ALONE static uint64_t fibonacci(uint64_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
ALONE static uint64_t ackermann(uint64_t m, uint64_t n) {
    if (m == 0) return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}
ALONE static uint64_t hanoi(int n, int from, int to, int by) {
    if (n == 0) return 0;
    uint64_t before = hanoi(n - 1, from, by, to);
    return before * 3 + (uint64_t)(from - to) + hanoi(n - 1, by, to, from);
}

static uint64_t run(long iterations) {
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        sum = sum * 31 + fibonacci(28 + i % 2);
        sum = sum * 31 + ackermann(2, 700 + (uint64_t)i % 10) + ackermann(3, 6);
        sum = sum * 31 + hanoi(19, 0, 2, 1);
    }
    return sum;
}
