/* Multiplying matrices of single floats by AVX2 and FMA, in tiles of four rows by sixteen columns.
 * group: simd
 * iterations: 1100
 */
#include "kernel.h"
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define N 256
static float a[N][N], b[N][N] __attribute__((aligned(32))), c[N][N] __attribute__((aligned(32)));

static void tile(int row, int column) {
    __m256 sums[4][2];
    for (int i = 0; i < 4; i++) sums[i][0] = sums[i][1] = _mm256_setzero_ps();
    for (int k = 0; k < N; k++) {
        __m256 left = _mm256_load_ps(&b[k][column]), right = _mm256_load_ps(&b[k][column + 8]);
        for (int i = 0; i < 4; i++) {
            __m256 factor = _mm256_broadcast_ss(&a[row + i][k]);
            sums[i][0] = _mm256_fmadd_ps(factor, left, sums[i][0]);
            sums[i][1] = _mm256_fmadd_ps(factor, right, sums[i][1]);
        }
    }
    for (int i = 0; i < 4; i++) {
        _mm256_store_ps(&c[row + i][column], sums[i][0]);
        _mm256_store_ps(&c[row + i][column + 8], sums[i][1]);
    }
}

static uint64_t run(long iterations) {
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (float)(next_random() % 1000) / 1000;
            b[i][j] = (float)(next_random() % 1000) / 1000;
        }
    for (long i = 0; i < iterations; i++) {
        for (int row = 0; row < N; row += 4)
            for (int column = 0; column < N; column += 16) tile(row, column);
        sum += c[i % N][i / N % N];
        a[i % N][i % N] += 1;
    }
    return double_bits(sum);
}
