/* SSE and SSE2 floating vectors: arithmetic, comparison, conversion, shuffles, masks, the control register.
 * guests: x86_64
 * qemu: 7.2 raises no denormal flag
 */
#include <emmintrin.h>
#include "support.h"
static uint64_t h;
static void note_d(__m128d v) {
    uint64_t p[2];
    memcpy(p, &v, 16);
    h = fold(fold(h, p[0]), p[1]);
}
static void note_f(__m128 v) {
    uint64_t p[2];
    memcpy(p, &v, 16);
    h = fold(fold(h, p[0]), p[1]);
}
static void note_i(__m128i v) {
    uint64_t p[2];
    memcpy(p, &v, 16);
    h = fold(fold(h, p[0]), p[1]);
}
static double number(void) { return (double)(int64_t)next_random() / (double)(1ll << (next_random() % 60)); }
#define D(f) note_d(f(a, b));
#define F(f) note_f(f(c, d));
#define REPORT(name)                                     \
    printf("%s %016llx\n", name, (unsigned long long)h); \
    h = 0;

int main(void) {
    for (int i = 0; i < 200; i++) {
        double x = number(), y = i % 7 ? number() : x;
        volatile double nan = __builtin_nan("");
        __m128d a = _mm_set_pd(x, y), b = i % 11 ? _mm_set_pd(y, number()) : _mm_set_pd(nan, -0.0);
        __m128 c = _mm_set_ps((float)x, (float)y, (float)number(), 2.5f),
               d = i % 13 ? _mm_set_ps((float)y, 1.5f, (float)number(), (float)x) : _mm_set1_ps((float)nan);
        D(_mm_add_pd)
        D(_mm_sub_pd) D(_mm_mul_pd) D(_mm_div_pd) D(_mm_min_pd) D(_mm_max_pd) D(_mm_add_sd) D(_mm_sub_sd) D(_mm_mul_sd)
            D(_mm_div_sd) D(_mm_min_sd) D(_mm_max_sd) D(_mm_and_pd) D(_mm_or_pd) D(_mm_xor_pd) D(_mm_andnot_pd)
                D(_mm_cmpeq_pd) D(_mm_cmplt_pd) D(_mm_cmple_pd) D(_mm_cmpgt_pd) D(_mm_cmpneq_pd) D(_mm_cmpnlt_pd)
                    D(_mm_cmpnle_pd) D(_mm_cmpord_pd) D(_mm_cmpunord_pd) D(_mm_cmplt_sd) D(_mm_cmpunord_sd)
                        F(_mm_add_ps) F(_mm_sub_ps) F(_mm_mul_ps) F(_mm_div_ps) F(_mm_min_ps) F(_mm_max_ps)
                            F(_mm_add_ss) F(_mm_mul_ss) F(_mm_div_ss) F(_mm_min_ss) F(_mm_max_ss) F(_mm_and_ps)
                                F(_mm_or_ps) F(_mm_xor_ps) F(_mm_andnot_ps) F(_mm_cmpeq_ps) F(_mm_cmplt_ps)
                                    F(_mm_cmple_ps) F(_mm_cmpneq_ps) F(_mm_cmpnlt_ps) F(_mm_cmpord_ps)
                                        F(_mm_cmpunord_ps) F(_mm_unpacklo_ps) F(_mm_unpackhi_ps) F(_mm_movehl_ps)
                                            F(_mm_movelh_ps) F(_mm_move_ss) D(_mm_unpacklo_pd) D(_mm_unpackhi_pd)
                                                D(_mm_move_sd) note_d(_mm_shuffle_pd(a, b, 1));
        note_d(_mm_shuffle_pd(a, b, 2));
        note_f(_mm_shuffle_ps(c, d, 0x1b));
        note_f(_mm_shuffle_ps(c, d, 0xb4));
        note_d(_mm_sqrt_pd(_mm_mul_pd(a, a)));
        note_f(_mm_sqrt_ps(_mm_mul_ps(c, c)));
        note_d(_mm_sqrt_sd(a, _mm_mul_sd(b, b)));
        h = fold(h, (uint64_t)(_mm_movemask_pd(a) | _mm_movemask_ps(c) << 2 | _mm_comilt_sd(a, b) << 6 |
                               _mm_ucomieq_sd(a, b) << 7 | _mm_comige_ss(c, d) << 8 | _mm_ucomineq_ss(c, d) << 9));
    }
    REPORT("arithmetic")
    for (int i = 0; i < 200; i++) {
        __m128d a = _mm_set_pd(number() / 1e9, number() / 1e6);
        __m128 c = _mm_set_ps((float)number() / 1e9f, 0.5f, -1.5f, (float)i + 0.5f);
        __m128i n = _mm_set_epi64x((long long)next_random(), (long long)next_random());
        note_i(_mm_cvtpd_epi32(a));
        note_i(_mm_cvttpd_epi32(a));
        note_i(_mm_cvtps_epi32(c));
        note_i(_mm_cvttps_epi32(c));
        note_d(_mm_cvtepi32_pd(n));
        note_f(_mm_cvtepi32_ps(n));
        note_f(_mm_cvtpd_ps(a));
        note_d(_mm_cvtps_pd(c));
        note_d(_mm_cvtsi32_sd(a, _mm_cvtsi128_si32(n)));
        note_d(_mm_cvtsi64_sd(a, _mm_cvtsi128_si64(n)));
        note_f(_mm_cvtsi64_ss(c, _mm_cvtsi128_si64(n)));
        note_f(_mm_cvtsd_ss(c, a));
        note_d(_mm_cvtss_sd(a, c));
        h = fold(h, (uint64_t)_mm_cvtsd_si64(a));
        h = fold(h, (uint64_t)_mm_cvttsd_si32(a));
        h = fold(h, (uint64_t)_mm_cvtss_si32(c));
        h = fold(h, (uint64_t)_mm_cvttss_si64(c));
    }
    REPORT("conversions")
    unsigned saved = _mm_getcsr();
    volatile double third = 3, one = 1, tiny = 1e-310;
    volatile float small = 1e-30f;
    for (unsigned mode = 0; mode < 4; mode++) {
        _mm_setcsr((saved & ~0x6000u) | mode << 13);
        volatile double q = one / third;
        h = fold(h, double_bits(q));
        h = fold(h, (uint64_t)_mm_cvtsd_si64(_mm_set_sd(2.5 * one)));
        h = fold(h, (uint64_t)_mm_cvttsd_si64(_mm_set_sd(-2.5 * one)));
    }
    _mm_setcsr(saved | 0x8040);
    volatile double flushed = tiny * one;
    volatile float gone = small * small;
    h = fold(h, double_bits(flushed));
    h = fold(h, float_bits(gone));
    _mm_setcsr(saved & ~0x3fu);
    volatile double inexact = one / third;
    unsigned flags = _mm_getcsr() & 0x3f;
    _mm_setcsr(saved & ~0x3fu);
    volatile double denormal = tiny * one;
    unsigned more = _mm_getcsr() & 0x3f;
    _mm_setcsr(saved);
    (void)inexact;
    (void)denormal;
    printf("flags %02x %02x\n", flags, more);
    REPORT("control")
    double area[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    note_d(_mm_loadu_pd(area + 1));
    note_d(_mm_loadh_pd(_mm_load_sd(area), area + 5));
    note_d(_mm_load1_pd(area + 3));
    _mm_storeh_pd(area, _mm_set_pd(9, 10));
    _mm_storel_pd(area + 7, _mm_set_pd(11, 12));
    h = fold_bytes(h, area, sizeof area);
    REPORT("memory")
    return 0;
}
