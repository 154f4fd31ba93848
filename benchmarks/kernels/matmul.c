/* Product of matrices of doubles, blocked for vectors: SSE2 loads, multiplications and additions.
 * group: float
 * iterations: 560
 */
#include "kernel.h"
#define SIZE 192
static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static uint64_t run(long iterations) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = (double)(next_random() >> 11) / 9007199254740992.0;
            b[i][j] = (double)(next_random() >> 11) / 9007199254740992.0 - 0.5;
        }
    uint64_t sum = 0;
    for (long n = 0; n < iterations; n++) {
        memset(c, 0, sizeof c);
        for (int i = 0; i < SIZE; i++)
            for (int k = 0; k < SIZE; k++) {
                double factor = a[i][k];
                for (int j = 0; j < SIZE; j++) c[i][j] += factor * b[k][j];
            }
        a[n % SIZE][n * 7 % SIZE] = c[n * 3 % SIZE][n % SIZE] / SIZE;
        sum = sum * 31 + double_bits(c[n * 5 % SIZE][n * 11 % SIZE]);
    }
    return sum;
}
