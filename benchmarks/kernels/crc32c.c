/* CRC-32C by the CRC32 instruction, three streams at a time.
 * group: simd
 * iterations: 1300000
 */
#include "kernel.h"
#pragma GCC target("sse4.2")
#include <nmmintrin.h>
#define WORDS 3072
static uint64_t data[WORDS];

static uint64_t run(long iterations) {
    for (int i = 0; i < WORDS; i++) data[i] = next_random();
    uint64_t a = 0xffffffff, b = a, c = a;
    for (long i = 0; i < iterations; i++)
        for (int k = 0; k < WORDS / 3; k++) {
            a = _mm_crc32_u64(a, data[k]);
            b = _mm_crc32_u64(b, data[k + WORDS / 3]);
            c = _mm_crc32_u64(c, data[k + 2 * WORDS / 3]);
        }
    return a ^ b << 16 ^ c << 32;
}
