/* The sieve of Eratosthenes over a million numbers: strided stores and a counting loop.
 * group: integer
 * iterations: 1000
 */
#include "kernel.h"
#define LIMIT 1000000
static unsigned char composite[LIMIT + 1];

static uint64_t run(long iterations) {
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        memset(composite, 0, sizeof composite);
        for (uint32_t p = 2; p * p <= LIMIT; p++)
            if (!composite[p])
                for (uint32_t m = p * p; m <= LIMIT; m += p) composite[m] = 1;
        uint32_t count = 0;
        for (uint32_t n = 2 + (uint32_t)(i % 7); n <= LIMIT; n++) count += !composite[n];
        sum = sum * 31 + count;
    }
    return sum;
}
