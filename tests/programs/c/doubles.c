/* Double precision: arithmetic, comparison, exact library functions; results as raw bits. */
#include <float.h>
#include <math.h>
#include "support.h"
static NOINLINE int compare(double a, double b) {
    return (a < b) | (a <= b) << 1 | (a == b) << 2 | (a != b) << 3 | (a > b) << 4 | (a >= b) << 5;
}
static NOINLINE double horner(const double *c, int n, double x) {
    double sum = 0;
    while (n--) sum = sum * x + c[n];
    return sum;
}

int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 2000; i++) {
        double a = (double)(int64_t)next_random() / (double)(1ll << (next_random() % 63)),
               b = (double)(int64_t)next_random() / (double)(1ll << (next_random() % 63));
        double results[] = {a + b,           a - b,
                            a * b,           a / b,
                            sqrt(fabs(a)),   -a,
                            fabs(b),         copysign(a, b),
                            fmin(a, b),      fmax(a, b),
                            floor(a),        ceil(b),
                            trunc(a),        round(b),
                            rint(a),         fmod(a, b),
                            remainder(a, b), ldexp(a, 7),
                            logb(a),         scalbn(b, -20),
                            nextafter(a, b), hypot(3 * a, 4 * a) / a};
        h = fold_bytes(h, results, sizeof results);
        h = fold(h, (uint64_t)compare(a, b));
        h = fold(h, (uint64_t)lrint(a / 1e3));
        h = fold(h, (uint64_t)ilogb(b));
    }
    printf("%016llx\n", (unsigned long long)h);
    double coefficients[] = {1, -0.5, 0.25, -0.125, 3, 7}, integral, fraction = modf(-12345.678, &integral);
    printf("%016llx %a %a\n", (unsigned long long)double_bits(horner(coefficients, 6, 1.1)), integral, fraction);
    volatile double zero = 0, huge = DBL_MAX, tiny = DBL_MIN;
    printf("%016llx %016llx %016llx %016llx\n", (unsigned long long)double_bits(huge * 2),
           (unsigned long long)double_bits(tiny / 3), (unsigned long long)double_bits(-zero * 5),
           (unsigned long long)double_bits(1 / -zero));
    double x = 2;
    for (volatile int i = 0; i < 6; i++) x = (x + 2 / x) / 2;
    printf("%.17g %d %d %d %d\n", x, isfinite(x), isinf(huge * 2), signbit(-zero) != 0,
           fpclassify(tiny / 3) == FP_SUBNORMAL);
    return 0;
}
