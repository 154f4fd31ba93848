/* The x87 unit: long double library functions, and remainders, packed decimals and functions in assembly.
 * guests: x86_64 i386
 * qemu: 7.2 computes transcendental functions in its own way
 */
#include <math.h>
#include "support.h"
static uint64_t h;
static void note(long double v) {
    uint64_t p[2] = {0, 0};
    memcpy(p, &v, 10);
    h = fold(fold(h, p[0]), p[1]);
}

#define UNARY(name)                                                     \
    static NOINLINE long double name(long double x) {                   \
        long double r;                                                  \
        __asm__(#name : "=t"(r) : "0"(x));                              \
        return r;                                                       \
    }
UNARY(fsin) UNARY(fcos) UNARY(f2xm1) UNARY(fsqrt) UNARY(frndint)

static NOINLINE long double fyl2x(long double x, long double y) {
    long double r;
    __asm__("fyl2x" : "=t"(r) : "0"(x), "u"(y) : "st(1)");
    return r;
}
static NOINLINE long double fpatan(long double x, long double y) {
    long double r;
    __asm__("fpatan" : "=t"(r) : "0"(x), "u"(y) : "st(1)");
    return r;
}
static NOINLINE long double remainder_of(long double x, long double y) {
    unsigned short status;
    do
        __asm__("fprem1; fnstsw %1" : "+t"(x), "=a"(status) : "u"(y));
    while (status & 0x400);
    return x;
}
static NOINLINE void sine_and_cosine(long double x, long double *s, long double *c) {
    __asm__("fsincos" : "=t"(*c), "=u"(*s) : "0"(x));
}
static NOINLINE void parts(long double x, long double *exponent, long double *significand) {
    __asm__("fxtract" : "=t"(*significand), "=u"(*exponent) : "0"(x));
}
static NOINLINE long double through_digits(long double x) {
    unsigned char digits[10];
    long double r;
    __asm__("fbstp %0" : "=m"(digits) : "t"(x) : "st");
    for (int n = 0; n < 10; n++) h = fold(h, digits[n]);
    __asm__("fbld %1" : "=t"(r) : "m"(digits));
    return r;
}

int main(void) {
    long double a, b;
    for (int n = -200; n <= 200; n++) {
        long double x = n * 0.37L + 0.01L, y = 1.5L + n * n * 1e-3L;
        note(fsin(x)), note(fcos(x)), note(f2xm1(x / 80)), note(fsqrt(y)), note(frndint(x));
        note(fyl2x(y, x)), note(fpatan(x, y)), note(remainder_of(x * 1e25L, y)), note(through_digits(x * 1e12L));
        sine_and_cosine(x, &a, &b), note(a), note(b);
        parts(x, &a, &b), note(a), note(b);
        if (n % 50 == 0) printf("%d %016llx\n", n, (unsigned long long)h);
    }
    for (int n = 1; n < 200; n++) {
        long double x = n * 0.0625L;
        note(sinl(x)), note(cosl(x)), note(tanl(x)), note(expl(x)), note(logl(x)), note(log2l(x)), note(log10l(x));
        note(expm1l(x / 16)), note(log1pl(x / 16)), note(atan2l(x, 3)), note(asinl(x / 16)), note(acosl(x / 16));
        note(powl(x, 1.25L)), note(fmodl(x * 1e9L, 0.7L)), note(remainderl(x * 1e9L, 0.7L)), note(cbrtl(x));
        note(sinhl(x)), note(coshl(x)), note(tanhl(x)), note(exp2l(x)), note(hypotl(x, 4)), note(logbl(x));
        note(ldexpl(x, n)), note(floorl(x)), note(ceill(x)), note(roundl(x)), note(truncl(x)), note(lgammal(x));
        note((long double)llrintl(x)), note(nextafterl(x, 100)), note(scalbnl(x, -n)), note(erfl(x / 16));
    }
    printf("%016llx %.20Lg %.20Lg %La\n", (unsigned long long)h, sinl(1e10L), powl(2.5L, 70.3L), expl(0.1L));
    return 0;
}
