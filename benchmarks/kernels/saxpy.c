/* Single precision: y = a * x + y over vectors in the second-level cache, and dot products that can't be vectorised.
 * group: float
 * iterations: 72000
 */
#include "kernel.h"
#define LENGTH 16384
static float x[LENGTH], y[LENGTH];

static uint64_t run(long iterations) {
    for (int i = 0; i < LENGTH; i++) x[i] = (float)(int32_t)next_random() / 2147483648.0f;
    uint64_t sum = 0;
    for (long n = 0; n < iterations; n++) {
        float a = x[n % LENGTH] * 0.001f, dot = 0;
        for (int i = 0; i < LENGTH; i++) y[i] = a * x[i] + y[i];
        for (int i = 0; i < LENGTH; i++) dot += x[i] * y[i];
        uint32_t bits;
        memcpy(&bits, &dot, sizeof bits);
        sum = sum * 31 + bits;
    }
    return sum;
}
