/* The mathematics library, compared to the last bit.
 * The tunable makes glibc choose the same code on every CPU: its FMA variants differ in last bits.
 * env: GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable
 */
#include <math.h>
#include "support.h"
#define ONE(f) {#f, f, NULL}
#define TWO(f) {#f, NULL, f}
static const struct {
    const char *name;
    double (*one)(double);
    double (*two)(double, double);
} functions[] = {ONE(sin),   ONE(cos),   ONE(tan),    ONE(asin),      ONE(acos),  ONE(atan),     ONE(sinh),
                 ONE(cosh),  ONE(tanh),  ONE(asinh),  ONE(acosh),     ONE(atanh), ONE(exp),      ONE(exp2),
                 ONE(expm1), ONE(log),   ONE(log2),   ONE(log10),     ONE(log1p), ONE(cbrt),     ONE(sqrt),
                 ONE(erf),   ONE(erfc),  ONE(lgamma), ONE(tgamma),    ONE(j0),    ONE(y1),       TWO(pow),
                 TWO(atan2), TWO(hypot), TWO(fmod),   TWO(remainder), TWO(fdim),  TWO(nextafter)};

int main(void) {
    for (size_t f = 0; f < COUNT(functions); f++) {
        uint64_t h = 0;
        random_state = 88172645463325252u;
        for (int i = 0; i < 120; i++) {
            double x = (double)(int64_t)next_random() / 9.3e18, y = (double)(int64_t)next_random() / 1e18;
            if (i % 3 == 1) x *= 30;
            if (i % 20 == 7) x *= 1e8;
            double r = functions[f].one ? functions[f].one(x) : functions[f].two(fabs(x), y);
            h = fold(h, r == r ? double_bits(r) : 0x7ff8000000000000u);
        }
        printf("%s %016llx\n", functions[f].name, (unsigned long long)h);
    }
    volatile float x = 1.2345f, y = 0.777f;
    printf("%08x %08x %08x %08x %08x\n", float_bits(sinf(x)), float_bits(expf(x)), float_bits(logf(x)),
           float_bits(powf(x, y)), float_bits(atan2f(x, y)));
    volatile double a = 1.1, b = 2.3, c = -2.53;
    printf("%016llx %08x\n", (unsigned long long)double_bits(fma(a, b, c)), float_bits(fmaf(x, y, -x)));
    return 0;
}
