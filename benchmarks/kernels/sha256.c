/* SHA-256 of 4 KiB blocks, by the SHA instructions if CPUID tells of them, else in plain C, as libraries choose.
 * group: simd
 * iterations: 400000
 */
#include "kernel.h"
#pragma GCC target("sha,sse4.1")
#include <cpuid.h>
#include <immintrin.h>
#define LENGTH 4096
static uint32_t constants[64], state[8];
static unsigned char data[LENGTH];

static uint32_t rotate(uint32_t value, int by) { return value >> by | value << (32 - by); }

static uint32_t word(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void plain(const unsigned char *block) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = word(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]), majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice + constants[i] + w[i];
        uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + majority;
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
}

static void by_instructions(const unsigned char *block) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_set_epi32(state[0], state[1], state[4], state[5]);
    __m128i cdgh = _mm_set_epi32(state[2], state[3], state[6], state[7]);
    __m128i before[2] = {abef, cdgh}, w[4];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
        __m128i *now = &w[i & 3], last = w[i + 3 & 3];
        if (i < 4) *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + i), swap);
        else
            *now = _mm_sha256msg2_epu32(
                _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[i + 1 & 3]), _mm_alignr_epi8(last, w[i + 2 & 3], 4)), last);
        __m128i sum = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)constants + i));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, before[0]);
    cdgh = _mm_add_epi32(cdgh, before[1]);
    state[0] = _mm_extract_epi32(abef, 3), state[1] = _mm_extract_epi32(abef, 2);
    state[4] = _mm_extract_epi32(abef, 1), state[5] = _mm_extract_epi32(abef, 0);
    state[2] = _mm_extract_epi32(cdgh, 3), state[3] = _mm_extract_epi32(cdgh, 2);
    state[6] = _mm_extract_epi32(cdgh, 1), state[7] = _mm_extract_epi32(cdgh, 0);
}

static uint64_t run(long iterations) {
    unsigned a, b = 0, c, d;
    int announced = __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> 29 & 1;
    for (int i = 0; i < 64; i++) constants[i] = (uint32_t)next_random(); /* any will do */
    for (int i = 0; i < 8; i++) state[i] = (uint32_t)next_random();
    for (int i = 0; i < LENGTH; i++) data[i] = (unsigned char)next_random();
    for (long i = 0; i < iterations; i++)
        for (int at = 0; at < LENGTH; at += 64)
            if (announced) by_instructions(data + at);
            else plain(data + at);
    return (uint64_t)state[0] << 32 | state[7];
}
