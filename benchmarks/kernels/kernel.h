/* Frame of a benchmark kernel: it defines run(iterations), which returns a checksum. A kernel's first comment says what
 * it measures, its `group:` (integer, float or simd) and its `iterations:` for about a second natively. */
#ifndef KERNEL_H
#define KERNEL_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t run(long iterations);

static uint64_t random_state = 0x9e3779b97f4a7c15u;
static inline uint64_t next_random(void) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1du;
}
static inline uint64_t double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

int main(int argc, char **argv) {
    long iterations = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    printf("%016llx\n", (unsigned long long)run(iterations));
    return 0;
}
#endif
