/* Shifts and rotates, by variables and constants, in every width; double-width shifts. */
#include "support.h"

#define ROTATE(name, type, bits)                            \
    static NOINLINE type name##_left(type x, unsigned n) {  \
        n %= bits;                                          \
        return n ? (type)(x << n | x >> (bits - n)) : x;    \
    }                                                       \
    static NOINLINE type name##_right(type x, unsigned n) { \
        n %= bits;                                          \
        return n ? (type)(x >> n | x << (bits - n)) : x;    \
    }
ROTATE(r8, uint8_t, 8)
ROTATE(r16, uint16_t, 16) ROTATE(r32, uint32_t, 32) ROTATE(r64, uint64_t, 64)

    static NOINLINE uint64_t funnel(uint64_t high, uint64_t low, unsigned n) {
    return n ? high << n | low >> (64 - n) : high;
}

static NOINLINE uint64_t constants(uint64_t x) {
    uint64_t h = x << 1 ^ x << 3 ^ x >> 5 ^ (uint64_t)((int64_t)x >> 7);
    h = fold(h, (uint32_t)x << 9 ^ (uint32_t)x >> 11 ^ (uint32_t)((int32_t)x >> 31));
    h = fold(h, (x << 13 | x >> 51) ^ ((uint32_t)x << 5 | (uint32_t)x >> 27));
    return fold(h, (uint16_t)(x << 4 | (uint16_t)x >> 12) ^ (uint64_t)((int16_t)x >> 3));
}

int main(void) {
    uint64_t h = 0;
    for (unsigned i = 0; i < 300; i++) {
        uint64_t x = next_random();
        unsigned n = next_random() & 63;
        h = fold(h, x << n);
        h = fold(h, x >> n);
        h = fold(h, (uint64_t)((int64_t)x >> n));
        h = fold(h, (uint32_t)x << (n & 31));
        h = fold(h, (uint32_t)x >> (n & 31));
        h = fold(h, (uint64_t)((int32_t)x >> (n & 31)));
        h = fold(h, r8_left(x, n));
        h = fold(h, r8_right(x, n));
        h = fold(h, r16_left(x, n));
        h = fold(h, r16_right(x, n));
        h = fold(h, r32_left(x, n));
        h = fold(h, r32_right(x, n));
        h = fold(h, r64_left(x, n));
        h = fold(h, r64_right(x, n));
        h = fold(h, funnel(x, next_random(), n));
        h = fold(h, constants(x));
        if (i % 100 == 0) printf("%u %016llx\n", i, (unsigned long long)h);
    }
    volatile uint8_t small = 0x81;
    volatile int8_t negative = -128;
    volatile int zero = 0;
    printf("%x %x %d %d %x\n", (uint8_t)(small << 1), small >> 1, negative >> 1, negative >> 7, small << zero);
    printf("%016llx\n", (unsigned long long)h);
    return 0;
}
