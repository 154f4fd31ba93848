/* A checksum folded by carry-less multiplication (PCLMULQDQ), 64 bytes at a time, as CRCs of long data are.
 * group: simd
 * iterations: 1000000
 */
#include "kernel.h"
#pragma GCC target("pclmul,sse4.1")
#include <immintrin.h>
#define BLOCKS 1024
static __m128i data[BLOCKS];

static __m128i fold(__m128i sum, __m128i constants, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(sum, constants, 0x00), high = _mm_clmulepi64_si128(sum, constants, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static uint64_t run(long iterations) {
    for (int i = 0; i < BLOCKS; i++) data[i] = _mm_set_epi64x((long long)next_random(), (long long)next_random());
    const __m128i constants = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* x^(4*128-32), x^(4*128+32) for CRC-32 */
    __m128i sums[4] = {data[0], data[1], data[2], data[3]};
    for (long i = 0; i < iterations; i++)
        for (int block = 0; block < BLOCKS; block += 4)
            for (int k = 0; k < 4; k++) sums[k] = fold(sums[k], constants, data[block + k]);
    __m128i sum = _mm_xor_si128(_mm_xor_si128(sums[0], sums[1]), _mm_xor_si128(sums[2], sums[3]));
    return (uint64_t)(_mm_cvtsi128_si64(sum) ^ _mm_extract_epi64(sum, 1));
}
