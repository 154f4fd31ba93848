/* e to the power of single floats by AVX2: rounding, a polynomial, integer exponents, comparisons and blends.
 * group: simd
 * iterations: 880000
 */
#include "kernel.h"
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define COUNT 4096
static float in[COUNT] __attribute__((aligned(32))), out[COUNT] __attribute__((aligned(32)));

static __m256 exponential(__m256 x) {
    static const float factors[] = {1.f / 720, 1.f / 120, 1.f / 24, 1.f / 6, 0.5f, 1, 1};
    __m256 limit = _mm256_set1_ps(88), small = _mm256_cmp_ps(x, _mm256_sub_ps(_mm256_setzero_ps(), limit), _CMP_LT_OQ);
    x = _mm256_min_ps(x, limit);
    __m256 whole = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(0.69314718f), x), sum = _mm256_setzero_ps();
    for (int i = 0; i < 7; i++) sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(factors[i]));
    __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
    return _mm256_blendv_ps(_mm256_mul_ps(sum, _mm256_castsi256_ps(exponent)), _mm256_setzero_ps(), small);
}

static uint64_t run(long iterations) {
    double sum = 0;
    for (int i = 0; i < COUNT; i++) in[i] = (float)(next_random() % 200000) / 1000 - 100;
    for (long i = 0; i < iterations; i++) {
        for (int k = 0; k < COUNT; k += 8) _mm256_store_ps(out + k, exponential(_mm256_load_ps(in + k)));
        sum += out[i % COUNT];
    }
    return double_bits(sum);
}
