/* Rounding modes and exception flags of the floating-point environment. */
#include <fenv.h>
#include <math.h>
#include "support.h"

int main(void) {
    int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    const char *names[] = {"nearest", "down", "up", "zero"};
    volatile double values[] = {0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.1, 1e16, -7.00001, 4503599627370497.5};
    volatile double one = 1, three = 3, tiny = 1e-30;
    volatile float fone = 1, fthree = 3;
    for (int m = 0; m < 4; m++) {
        if (fesetround(modes[m]) || fegetround() != modes[m]) return 1;
        volatile double third = one / three, nearly = one + tiny, less = one - tiny, root = sqrt(three);
        volatile float fthird = fone / fthree, narrow = (float)third;
        uint64_t h = 0;
        for (size_t i = 0; i < COUNT(values); i++) {
            h = fold(h, double_bits(rint(values[i])));
            h = fold(h, double_bits(nearbyint(values[i])));
            h = fold(h, (uint64_t)lrint(values[i]));
            h = fold(h, double_bits(floor(values[i])));
            h = fold(h, double_bits(ceil(values[i])));
        }
        fesetround(FE_TONEAREST);
        printf("%s %016llx %016llx %016llx %016llx %08x %08x %016llx\n", names[m],
               (unsigned long long)double_bits(third), (unsigned long long)double_bits(nearly),
               (unsigned long long)double_bits(less), (unsigned long long)double_bits(root), float_bits(fthird),
               float_bits(narrow), (unsigned long long)h);
    }
    volatile double zero = 0, huge = 1e308, small = 1e-308, minus = -1, result;
    struct {
        const char *name;
        int flag;
    } flags[] = {{"invalid", FE_INVALID},
                 {"zero", FE_DIVBYZERO},
                 {"overflow", FE_OVERFLOW},
                 {"underflow", FE_UNDERFLOW},
                 {"inexact", FE_INEXACT}};
    for (int test = 0; test < 7; test++) {
        feclearexcept(FE_ALL_EXCEPT);
        switch (test) {
            case 0: result = one / zero; break;
            case 1: result = zero / zero; break;
            case 2: result = huge * 10; break;
            case 3: result = small * 1e-10; break;
            case 4: result = one / three; break;
            case 5: result = sqrt(minus); break;
            default: result = one + one;
        }
        printf("%d:", test);
        for (size_t i = 0; i < COUNT(flags); i++)
            if (fetestexcept(flags[i].flag)) printf(" %s", flags[i].name);
        putchar('\n');
    }
    (void)result;
    return 0;
}
