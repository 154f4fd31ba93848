/* The C library's long doubles to the last bit: its functions over values of all sizes, under every direction of
 * rounding, and what printf and strtold make of them.
 * guests: x86_64
 * qemu: 7.2 computes transcendental functions in its own way
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <math.h>
#include "support.h"
#define ONE(f) {#f, f, NULL, NULL}
#define TWO(f) {#f, NULL, f, NULL}
static const struct {
    const char *name;
    long double (*one)(long double);
    long double (*two)(long double, long double);
    long double (*three)(long double, long double, long double);
} functions[] = {
    ONE(sinl), ONE(cosl), ONE(tanl), ONE(asinl), ONE(acosl), ONE(atanl), ONE(sinhl), ONE(coshl), ONE(tanhl),
    ONE(asinhl), ONE(acoshl), ONE(atanhl), ONE(expl), ONE(exp2l), ONE(exp10l), ONE(expm1l), ONE(logl), ONE(log2l),
    ONE(log10l), ONE(log1pl), ONE(logbl), ONE(sqrtl), ONE(cbrtl), ONE(erfl), ONE(erfcl), ONE(lgammal), ONE(tgammal),
    ONE(j0l), ONE(j1l), ONE(y0l), ONE(floorl), ONE(ceill), ONE(truncl), ONE(roundl), ONE(roundevenl), ONE(rintl),
    ONE(nearbyintl), TWO(powl), TWO(atan2l), TWO(hypotl), TWO(fmodl), TWO(remainderl), TWO(fdiml), TWO(fmaxl),
    TWO(fminl), TWO(nextafterl), TWO(copysignl),
    {"fmal", NULL, NULL, fmal},
};
static const int directions[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};

static long double values[] = {
    0.0L, -0.0L, 1.0L, -1.0L, 0.5L, 1.0L / 3, -2.0L / 3, 0.1L, 2.718281828459045235360L, -3.14159265358979323846L,
    1e-10L, -1e-30L, 1e10L, -1e18L, 1e30L, 0x1p62L, 0x1.8p63L, 0x1p-16382L, 0x1p-16445L, -0x1.8p-16400L, 11356.5L,
    -11355.1L, 0x1.fffffffffffffffep16383L, -0x1p16383L, 0x1.921fb54442d18469p+0L, 700.5L, 36.7L, -44.4L, 1e300L,
    4e-4000L, 1.0L / 0.0L, -1.0L / 0.0L, 0.0L / 0.0L, 0x1.0000000000000002p0L, 0x1.fffffffffffffffep-1L,
};

static void show(long double value) {
    if (value != value)
        printf(" nan");
    else
        printf(" %La", value);
}

static const char *const texts[] = {
    "0.1", "1e4932", "1.18973149535723176502e4932", "3.6e-4951", "1e-5000", "123456789012345678901234567890",
    "0x1.23456789abcdef0123p5", "2.5", "-9007199254740993.00000000001", "inf", "1.00000000000000000005421010862427522",
};

int main(void) {
    for (size_t f = 0; f < COUNT(functions); f++) {
        uint64_t h = 0;
        for (size_t d = 0; d < COUNT(directions); d++) {
            fesetround(directions[d]);
            printf("%s %zu:", functions[f].name, d);
            for (size_t i = 0; i < COUNT(values); i++) {
                long double x = values[i], y = values[(i * 7 + 3) % COUNT(values)];
                long double z = values[(i * 11 + 5) % COUNT(values)];
                feclearexcept(FE_ALL_EXCEPT);
                errno = 0;
                long double r = functions[f].one   ? functions[f].one(x)
                                : functions[f].two ? functions[f].two(x, y)
                                                   : functions[f].three(x, y, z);
                int raised = fetestexcept(FE_ALL_EXCEPT), failed = errno;
                h = fold(fold(h, raised), failed);
                show(r);
            }
            printf(" %016llx\n", (unsigned long long)h);
        }
    }
    for (size_t d = 0; d < COUNT(directions); d++) {
        fesetround(directions[d]);
        for (size_t i = 0; i < COUNT(values); i++) {
            long double x = values[i] == values[i] ? values[i] : 1.5L;
            if (fabsl(x) < 1e300L || isinf(x)) printf("[%Lf] [%+.3Lf] [%030.5Lf] ", x, x, x);
            printf("[%La] [%.3LA] [%Le] [%.25Le] [%Lg] [%#.20Lg] [%-25.8Lg]\n", x, x, x, x, x, x, x);
        }
        for (size_t i = 0; i < COUNT(texts); i++) {
            errno = 0;
            long double x = strtold(texts[i], NULL);
            printf("%s %La %d, as double %a, as float %a, as integers %lld %d\n", texts[i], x, errno, (double)x,
                   (float)x, fabsl(x) < 9e18L ? (long long)x : 0, fabsl(x) < 2e9L ? (int)x : 0);
        }
    }
    return 0;
}
