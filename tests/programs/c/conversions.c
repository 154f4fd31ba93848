/* Conversions between integers of all widths, float and double. */
#include <math.h>
#include "support.h"

#define TO_INTEGER(type, limit) \
    static NOINLINE uint64_t to_##type(double d, float f) { return fold((uint64_t)(type)d, (uint64_t)(type)f); }
TO_INTEGER(int8_t, 127)
TO_INTEGER(uint8_t, 255) TO_INTEGER(int16_t, 0) TO_INTEGER(uint16_t, 0) TO_INTEGER(int32_t, 0) TO_INTEGER(uint32_t, 0)
    TO_INTEGER(int64_t, 0) TO_INTEGER(uint64_t, 0)
#define FROM_INTEGER(type) \
    static NOINLINE uint64_t from_##type(type v) { return fold(double_bits((double)v), float_bits((float)v)); }
        FROM_INTEGER(int8_t) FROM_INTEGER(uint8_t) FROM_INTEGER(int16_t) FROM_INTEGER(uint16_t) FROM_INTEGER(int32_t)
            FROM_INTEGER(uint32_t) FROM_INTEGER(int64_t) FROM_INTEGER(uint64_t)

                int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t r = next_random() >> (i & 63);
        h = fold(h, from_int8_t((int8_t)r));
        h = fold(h, from_uint8_t((uint8_t)r));
        h = fold(h, from_int16_t((int16_t)r));
        h = fold(h, from_uint16_t((uint16_t)r));
        h = fold(h, from_int32_t((int32_t)r));
        h = fold(h, from_uint32_t((uint32_t)r));
        h = fold(h, from_int64_t((int64_t)r));
        h = fold(h, from_uint64_t(r));
        double unit = (double)(next_random() >> 11) / 9007199254740992.0;
        h = fold(h, to_int8_t(unit * 200 - 100, (float)unit * 99));
        h = fold(h, to_uint8_t(unit * 255, (float)unit * 99));
        h = fold(h, to_int16_t(unit * 6e4 - 3e4, (float)unit * -999));
        h = fold(h, to_uint16_t(unit * 65535, (float)unit * 999));
        h = fold(h, to_int32_t(unit * 4e9 - 2e9, (float)unit * -1e9f));
        h = fold(h, to_uint32_t(unit * 4.2e9, (float)unit * 4e9f));
        h = fold(h, to_int64_t(unit * 1.8e19 - 9e18, (float)unit * -9e18f));
        h = fold(h, to_uint64_t(unit * 1.8e19, (float)unit * 1.8e19f));
        float narrow = (float)unit;
        double back = (double)narrow;
        h = fold(h, float_bits(narrow));
        h = fold(h, double_bits(back));
        h = fold(h, (uint64_t)lround(unit * 1e6));
        h = fold(h, (uint64_t)llrint(unit * 1e15));
        h = fold(h, (uint64_t)lrintf(narrow * 1e4f));
    }
    printf("%016llx\n", (unsigned long long)h);
    static double from[128];
    static float halves[128];
    static int whole[128];
    for (int i = 0; i < 128; i++) from[i] = (double)(int)(next_random() % 100000) / 7 - 5000;
    for (int i = 0; i < 128; i++) whole[i] = (int)from[i];
    for (int i = 0; i < 128; i++) halves[i] = (float)from[i] * 0.5f;
    for (int i = 0; i < 128; i++) from[i] = (double)whole[i] + (double)halves[i];
    h = fold_bytes(0, from, sizeof from);
    h = fold_bytes(h, whole, sizeof whole);
    h = fold_bytes(h, halves, sizeof halves);
    printf("%016llx\n", (unsigned long long)h);
    volatile uint64_t edges[] = {0x8000000000000000u, 0xffffffffffffffffu, 0x20000000000001u,
                                 0x7fffffffffffffffu, 0x8000000000000401u, 0xfffffffffffffbffu};
    for (size_t i = 0; i < COUNT(edges); i++)
        printf("%a %a %a\n", (double)edges[i], (double)(int64_t)edges[i], (double)(float)edges[i]);
    return 0;
}
