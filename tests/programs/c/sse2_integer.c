/* SSE2 integer vectors: arithmetic, comparison, shifts, shuffles, packing, multiplication, masks, streaming.
 * guests: x86_64
 */
#include <emmintrin.h>
#include "support.h"
static __m128i random_vector(void) { return _mm_set_epi64x((long long)next_random(), (long long)next_random()); }
static uint64_t h;
static void note(__m128i v) {
    uint64_t parts[2];
    _mm_storeu_si128((__m128i *)parts, v);
    h = fold(fold(h, parts[0]), parts[1]);
}
#define TWO(f) note(f(a, b));
#define SHIFT(f)    \
    note(f(a, 0));  \
    note(f(a, 1));  \
    note(f(a, 5));  \
    note(f(a, 15)); \
    note(f(a, 31)); \
    note(f(a, 63)); \
    note(f(a, 64));
#define COUNTED(f) note(f(a, _mm_cvtsi32_si128((int)(next_random() % 70))));
#define REPORT(name)                                     \
    printf("%s %016llx\n", name, (unsigned long long)h); \
    h = 0;

int main(void) {
    for (int i = 0; i < 200; i++) {
        __m128i a = random_vector(), b = i % 5 ? random_vector() : a;
        TWO(_mm_add_epi8)
        TWO(_mm_add_epi16) TWO(_mm_add_epi32) TWO(_mm_add_epi64) TWO(_mm_sub_epi8) TWO(_mm_sub_epi16) TWO(_mm_sub_epi32)
            TWO(_mm_sub_epi64) TWO(_mm_adds_epi8) TWO(_mm_adds_epi16) TWO(_mm_adds_epu8) TWO(_mm_adds_epu16)
                TWO(_mm_subs_epi8) TWO(_mm_subs_epi16) TWO(_mm_subs_epu8) TWO(_mm_subs_epu16) TWO(_mm_avg_epu8)
                    TWO(_mm_avg_epu16) TWO(_mm_max_epu8) TWO(_mm_min_epu8) TWO(_mm_max_epi16) TWO(_mm_min_epi16)
                        TWO(_mm_sad_epu8) TWO(_mm_mullo_epi16) TWO(_mm_mulhi_epi16) TWO(_mm_mulhi_epu16)
                            TWO(_mm_mul_epu32) TWO(_mm_madd_epi16) TWO(_mm_and_si128) TWO(_mm_or_si128)
                                TWO(_mm_xor_si128) TWO(_mm_andnot_si128) TWO(_mm_cmpeq_epi8) TWO(_mm_cmpeq_epi16)
                                    TWO(_mm_cmpeq_epi32) TWO(_mm_cmpgt_epi8) TWO(_mm_cmpgt_epi16) TWO(_mm_cmpgt_epi32)
    }
    REPORT("arithmetic")
    for (int i = 0; i < 100; i++) {
        __m128i a = random_vector(), b = random_vector();
        SHIFT(_mm_slli_epi16)
        SHIFT(_mm_slli_epi32) SHIFT(_mm_slli_epi64) SHIFT(_mm_srli_epi16) SHIFT(_mm_srli_epi32) SHIFT(_mm_srli_epi64)
            SHIFT(_mm_srai_epi16) SHIFT(_mm_srai_epi32) COUNTED(_mm_sll_epi16) COUNTED(_mm_sll_epi32)
                COUNTED(_mm_sll_epi64) COUNTED(_mm_srl_epi16) COUNTED(_mm_srl_epi32) COUNTED(_mm_srl_epi64)
                    COUNTED(_mm_sra_epi16) COUNTED(_mm_sra_epi32) note(_mm_slli_si128(a, 3));
        note(_mm_srli_si128(a, 11));
        note(_mm_slli_si128(b, 15));
        TWO(_mm_unpacklo_epi8)
        TWO(_mm_unpackhi_epi8) TWO(_mm_unpacklo_epi16) TWO(_mm_unpackhi_epi16) TWO(_mm_unpacklo_epi32)
            TWO(_mm_unpackhi_epi32) TWO(_mm_unpacklo_epi64) TWO(_mm_unpackhi_epi64) TWO(_mm_packs_epi16)
                TWO(_mm_packs_epi32) TWO(_mm_packus_epi16) note(_mm_shuffle_epi32(a, 0x1b));
        note(_mm_shuffle_epi32(b, 0x4e));
        note(_mm_shufflelo_epi16(a, 0x93));
        note(_mm_shufflehi_epi16(b, 0x39));
        note(_mm_insert_epi16(a, 0x1234 + i, 5));
        h = fold(h, (uint64_t)_mm_movemask_epi8(a));
        h = fold(h, (uint64_t)_mm_extract_epi16(b, 6));
        h = fold(h, (uint64_t)_mm_cvtsi128_si64(a));
        h = fold(h, (uint64_t)_mm_cvtsi128_si32(b));
    }
    REPORT("shifts and shuffles")
    _Alignas(16) unsigned char area[160];
    for (int i = 0; i < 160; i++) area[i] = (unsigned char)next_random();
    for (int i = 0; i < 16; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(area + 3 * i));
        note(v);
        _mm_storeu_si128((__m128i *)(area + 100 + i), _mm_add_epi8(v, _mm_load_si128((const __m128i *)(area + 16))));
        note(_mm_loadl_epi64((const __m128i *)(area + i)));
    }
    _mm_stream_si128((__m128i *)(area + 64), random_vector());
    _mm_storel_epi64((__m128i *)(area + 33), random_vector());
    _mm_maskmoveu_si128(random_vector(), random_vector(), (char *)area + 80);
    _mm_mfence();
    _mm_sfence();
    h = fold_bytes(h, area, sizeof area);
    REPORT("memory")
    return 0;
}
