/* AES-128 in counter mode, eight blocks at a time, with POLYVAL over what comes out, as in AES-GCM and GCM-SIV.
 * group: simd
 * iterations: 120000
 */
#include "kernel.h"
#pragma GCC target("aes,pclmul,avx2")
#include <immintrin.h>
#define ROUNDS 10
#define BLOCKS 1024
static __m128i keys[ROUNDS + 1], data[BLOCKS];

static __m128i next_key(__m128i key, __m128i assisted) {
    for (int i = 0; i < 3; i++) key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    return _mm_xor_si128(key, _mm_shuffle_epi32(assisted, 0xff));
}

#define EXPAND(number, constant) \
    keys[number] = next_key(keys[number - 1], _mm_aeskeygenassist_si128(keys[number - 1], constant))

static __m128i multiply(__m128i a, __m128i b) { /* in POLYVAL's field, Montgomery's way */
    const __m128i polynomial = _mm_set_epi64x(0, (long long)0xc200000000000000);
    __m128i low = _mm_clmulepi64_si128(a, b, 0x00), high = _mm_clmulepi64_si128(a, b, 0x11);
    __m128i middle = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
    low = _mm_xor_si128(low, _mm_slli_si128(middle, 8));
    high = _mm_xor_si128(high, _mm_srli_si128(middle, 8));
    for (int i = 0; i < 2; i++)
        low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x00));
    return _mm_xor_si128(high, low);
}

static uint64_t run(long iterations) {
    keys[0] = _mm_set_epi64x((long long)next_random(), (long long)next_random());
    EXPAND(1, 0x01), EXPAND(2, 0x02), EXPAND(3, 0x04), EXPAND(4, 0x08), EXPAND(5, 0x10);
    EXPAND(6, 0x20), EXPAND(7, 0x40), EXPAND(8, 0x80), EXPAND(9, 0x1b), EXPAND(10, 0x36);
    for (int i = 0; i < BLOCKS; i++) data[i] = _mm_set_epi64x((long long)next_random(), (long long)next_random());
    __m128i hash_key = data[0], hash = _mm_setzero_si128(), counter = data[1];
    const __m128i one = _mm_set_epi64x(0, 1);
    for (long i = 0; i < iterations; i++)
        for (int block = 0; block < BLOCKS; block += 8) {
            __m128i stream[8];
            for (int k = 0; k < 8; k++) {
                stream[k] = _mm_xor_si128(counter, keys[0]);
                counter = _mm_add_epi64(counter, one);
            }
            for (int round = 1; round < ROUNDS; round++)
                for (int k = 0; k < 8; k++) stream[k] = _mm_aesenc_si128(stream[k], keys[round]);
            for (int k = 0; k < 8; k++) {
                stream[k] = _mm_aesenclast_si128(stream[k], keys[ROUNDS]);
                data[block + k] = _mm_xor_si128(data[block + k], stream[k]);
                hash = multiply(_mm_xor_si128(hash, data[block + k]), hash_key);
            }
        }
    return (uint64_t)(_mm_cvtsi128_si64(hash) ^ _mm_extract_epi64(hash, 1));
}
