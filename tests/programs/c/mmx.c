/* MMX registers: arithmetic, packs, shuffles, shifts, moves to and from other registers; x87 after EMMS.
 * guests: x86_64
 */
#include <emmintrin.h>
#include "support.h"
static uint64_t h;
static void note(__m64 v) {
    uint64_t p = (uint64_t)_mm_cvtm64_si64(v);
    h = fold(h, p);
}

static NOINLINE void arithmetic(__m64 a, __m64 b) {
    note(_mm_add_pi8(a, b)), note(_mm_adds_pi8(a, b)), note(_mm_adds_pu16(a, b)), note(_mm_sub_pi32(a, b));
    note(_mm_subs_pu8(a, b)), note(_mm_madd_pi16(a, b)), note(_mm_mulhi_pi16(a, b)), note(_mm_mullo_pi16(a, b));
    note(_mm_avg_pu8(a, b)), note(_mm_max_pi16(a, b)), note(_mm_min_pu8(a, b)), note(_mm_mulhi_pu16(a, b));
    note(_mm_sad_pu8(a, b)), note(_mm_add_si64(a, b)), note(_mm_mul_su32(a, b)), note(_mm_cmpgt_pi8(a, b));
    note(_mm_and_si64(a, b)), note(_mm_andnot_si64(a, b)), note(_mm_cmpeq_pi16(a, b)), note(_mm_xor_si64(a, b));
}

static NOINLINE void shapes(__m64 a, __m64 b) {
    note(_mm_packs_pi16(a, b)), note(_mm_packs_pi32(a, b)), note(_mm_packs_pu16(a, b));
    note(_mm_unpackhi_pi8(a, b)), note(_mm_unpacklo_pi16(a, b)), note(_mm_unpackhi_pi32(a, b));
    note(_mm_shuffle_pi16(a, 0x1B)), note(_mm_insert_pi16(a, 0x1234, 2)), note(_mm_slli_pi16(a, 3));
    note(_mm_srl_si64(a, _mm_cvtsi32_si64(13))), note(_mm_sra_pi32(b, _mm_cvtsi32_si64(40)));
    h = fold(h, (uint64_t)_mm_movemask_pi8(a) << 32 | (uint32_t)_mm_extract_pi16(b, 3));
}

static NOINLINE void exchanges(__m64 a, char *place) {
    __m128i wide = _mm_movpi64_epi64(a);
    __m128d doubles = _mm_cvtpi32_pd(a);
    __m128 singles = _mm_cvtpi32_ps(_mm_set1_ps(2), a);
    note(_mm_movepi64_pi64(_mm_add_epi64(wide, wide)));
    note(_mm_cvtpd_pi32(_mm_mul_pd(doubles, _mm_set1_pd(0.3))));
    note(_mm_cvttps_pi32(_mm_mul_ps(singles, _mm_set1_ps(0.3f))));
    _mm_stream_pi((__m64 *)place, a);
    _mm_maskmove_si64(_mm_add_pi8(a, a), a, place + 3);
    for (int n = 0; n < 16; n++) h = fold(h, (unsigned char)place[n]);
}

int main(void) {
    char place[16] __attribute__((aligned(8))) = {0};
    volatile long double sum = 0;
    for (uint64_t n = 1; n < 400; n++) {
        __m64 a = _mm_cvtsi64_m64((long long)(n * 0x9E3779B97F4A7C15ull)), b = _mm_cvtsi64_m64((long long)(h ^ n << 40));
        arithmetic(a, b), shapes(a, b), exchanges(b, place);
        _mm_empty();
        sum = sum * 0.5L + (long double)n / 7;
        if (n % 100 == 0) printf("%llu %016llx %.18Lg\n", (unsigned long long)n, (unsigned long long)h, sum);
    }
    return 0;
}
