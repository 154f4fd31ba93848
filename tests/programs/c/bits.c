/* Bit tricks: counts, scans, reversals, masks, Gray codes. */
#include "support.h"

static NOINLINE unsigned count_by_hand(uint64_t x) {
    unsigned n = 0;
    while (x) {
        x &= x - 1;
        n++;
    }
    return n;
}
static NOINLINE uint32_t reverse(uint32_t x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
static NOINLINE uint64_t interleave(uint32_t a, uint32_t b) {
    uint64_t z = 0;
    for (int i = 0; i < 32; i++) z |= (uint64_t)(a >> i & 1) << 2 * i | (uint64_t)(b >> i & 1) << (2 * i + 1);
    return z;
}

int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = next_random() >> (i & 31) | 1ull << (i & 63);
        h = fold(h, __builtin_popcountll(x) * 100 + count_by_hand(x));
        h = fold(h, __builtin_clzll(x));
        h = fold(h, __builtin_ctzll(x));
        h = fold(h, __builtin_parityll(x));
        h = fold(h, __builtin_ffsll((long long)x));
        h = fold(h, __builtin_bswap64(x));
        h = fold(h, __builtin_bswap16((uint16_t)x));
        h = fold(h, reverse((uint32_t)x));
        h = fold(h, x & -x);
        h = fold(h, x ^ x >> 1);
        h = fold(h, interleave((uint32_t)x, (uint32_t)(x >> 32)));
        if ((uint32_t)x) {
            h = fold(h, __builtin_clz((uint32_t)x));
            h = fold(h, __builtin_ctz((uint32_t)x));
        }
        uint64_t set[4] = {x, ~x, x << 3, x >> 3};
        unsigned bit = next_random() % 256;
        h = fold(h, set[bit / 64] >> bit % 64 & 1);
        set[bit / 64] |= 1ull << bit % 64;
        set[bit / 32 % 4] &= ~(1ull << bit % 61);
        set[bit % 4] ^= 1ull << bit % 59;
        h = fold_bytes(h, set, sizeof set);
    }
    printf("%016llx\n", (unsigned long long)h);
    for (uint32_t i = 1; i; i = i * 5 & 0xfffff) {
        printf("%x:%x ", i, reverse(i));
        if (i == 0x3d09) break;
    }
    printf("\n%d %d %d\n", __builtin_clrsb(-1), __builtin_clrsb(1), __builtin_clrsbll(0x123456));
    return 0;
}
