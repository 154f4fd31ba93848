/* Single precision: arithmetic, comparison, library functions; results as raw bits. */
#include <math.h>
#include "support.h"
static NOINLINE float add(float a, float b) { return a + b; }
static NOINLINE float subtract(float a, float b) { return a - b; }
static NOINLINE float multiply(float a, float b) { return a * b; }
static NOINLINE float divide(float a, float b) { return a / b; }
static NOINLINE int compare(float a, float b) {
    return (a < b) | (a <= b) << 1 | (a == b) << 2 | (a != b) << 3 | (a > b) << 4 | (a >= b) << 5 |
           !!isunordered(a, b) << 6;
}

int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 2000; i++) {
        float a = (float)(int32_t)next_random() / (float)(1 << (next_random() % 31)),
              b = (float)(int32_t)next_random() / (float)(1 << (next_random() % 31));
        h = fold(h, float_bits(add(a, b)));
        h = fold(h, float_bits(subtract(a, b)));
        h = fold(h, float_bits(multiply(a, b)));
        h = fold(h, float_bits(divide(a, b)));
        h = fold(h, (uint64_t)compare(a, b));
        h = fold(h, float_bits(sqrtf(fabsf(a))));
        h = fold(h, float_bits(-a));
        h = fold(h, float_bits(copysignf(a, b)));
        h = fold(h, float_bits(a < b ? a : b));
        h = fold(h, float_bits(fmaxf(a, b)));
        h = fold(h, float_bits(floorf(a)));
        h = fold(h, float_bits(truncf(b)));
    }
    printf("%016llx\n", (unsigned long long)h);
    float sum = 0, product = 1, series = 0;
    for (volatile int i = 1; i <= 1000; i++) {
        sum += 1.0f / (float)i;
        product *= 1.0f + 1.0f / (float)(i * i);
        series += (i & 1 ? 1.0f : -1.0f) / (float)(2 * i - 1);
    }
    printf("%08x %08x %08x\n", float_bits(sum), float_bits(product), float_bits(series * 4));
    volatile float tiny = 1e-38f, huge = 3e38f, zero = 0.0f;
    printf("%08x %08x %08x %08x %08x\n", float_bits(tiny / 100), float_bits(huge * 10), float_bits(-1 / (1 / zero)),
           float_bits(huge - huge), float_bits(1 / zero));
    int exponent;
    float mantissa = frexpf(123.456f + zero, &exponent);
    printf("%08x %d %08x %08x\n", float_bits(mantissa), exponent, float_bits(ldexpf(mantissa, 10)),
           float_bits(fmodf(10.5f + zero, 3.2f)));
    printf("%a %.9g\n", (double)sum, (double)product);
    return 0;
}
