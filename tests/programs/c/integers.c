/* Integer arithmetic of every width, signed and unsigned. */
#include "support.h"

#define WIDTH(type)                                                \
    static NOINLINE uint64_t test_##type(type a, type b, type c) { \
        uint64_t h = 1;                                            \
        h = fold(h, (type)(a + b));                                \
        h = fold(h, (type)(a - b));                                \
        h = fold(h, (type)(a * b));                                \
        h = fold(h, (type)(-a));                                   \
        h = fold(h, (type)(~a));                                   \
        h = fold(h, (type)(a & b));                                \
        h = fold(h, (type)(a | b));                                \
        h = fold(h, (type)(a ^ b));                                \
        h = fold(h, a < b);                                        \
        h = fold(h, a <= b);                                       \
        h = fold(h, a == b);                                       \
        h = fold(h, a > c ? a : c);                                \
        h = fold(h, (type)(a * 7 + b * 3 - c));                    \
        h = fold(h, (type)(a++ + --b));                            \
        h = fold(h, (type)(a * 10));                               \
        h = fold(h, (type)(a * 45));                               \
        h = fold(h, !a);                                           \
        return fold(h, (type)(a + b + c));                         \
    }
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef uint64_t u64;
typedef signed char i8;
typedef short i16;
typedef int32_t i32;
typedef int64_t i64;
WIDTH(u8)
WIDTH(u16) WIDTH(u32) WIDTH(u64) WIDTH(i8) WIDTH(i16)
    /* signed overflow is undefined, so the wide signed types are tested on small numbers */
    WIDTH(i32) WIDTH(i64)

        int main(void) {
    uint64_t h[8] = {0};
    for (int i = 0; i < 500; i++) {
        uint64_t a = next_random(), b = next_random(), c = next_random();
        h[0] = fold(h[0], test_u8(a, b, c));
        h[1] = fold(h[1], test_u16(a, b, c));
        h[2] = fold(h[2], test_u32(a, b, c));
        h[3] = fold(h[3], test_u64(a, b, c));
        h[4] = fold(h[4], test_i8(a, b, c));
        h[5] = fold(h[5], test_i16(a, b, c));
        h[6] = fold(h[6], test_i32((int16_t)a, (int16_t)b, (int16_t)c));
        h[7] = fold(h[7], test_i64((int32_t)a, (int32_t)b, (int32_t)c));
    }
    for (int i = 0; i < 8; i++) printf("%d %016llx\n", i, (unsigned long long)h[i]);
    uint8_t edge8 = 255;
    uint16_t edge16 = 65535;
    uint32_t edge32 = 4294967295u;
    uint64_t edge64 = ~0ull;
    volatile uint8_t v8 = edge8;
    volatile uint16_t v16 = edge16;
    volatile uint32_t v32 = edge32;
    volatile uint64_t v64 = edge64;
    v8++;
    v16++;
    v32++;
    v64++;
    printf("%u %u %u %llu\n", v8, v16, v32, (unsigned long long)v64);
    v8 -= 2;
    v16 -= 2;
    v32 -= 2;
    v64 -= 2;
    printf("%u %u %u %llu\n", v8, v16, v32, (unsigned long long)v64);
    printf("%d %d %d\n", (int8_t)v8, (int16_t)v16, (int)(int64_t)v64);
    return 0;
}
