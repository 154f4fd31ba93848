/* Product of matrices of 32-bit integers, without vector instructions.
 * group: integer
 * iterations: 880
 */
#include "kernel.h"
#define SIZE 128
static int32_t a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

__attribute__((optimize("no-tree-vectorize"))) static void multiply(void) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            uint32_t sum = 0;
            for (int k = 0; k < SIZE; k++) sum += (uint32_t)a[i][k] * (uint32_t)b[k][j];
            c[i][j] = (int32_t)sum;
        }
}

static uint64_t run(long iterations) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) a[i][j] = (int32_t)next_random(), b[i][j] = (int32_t)next_random();
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        multiply();
        a[i % SIZE][i * 7 % SIZE] ^= c[i * 3 % SIZE][i % SIZE];
        sum = sum * 31 + (uint32_t)c[i * 5 % SIZE][i * 11 % SIZE];
    }
    return sum;
}
