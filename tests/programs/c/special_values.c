/* NaNs, infinities, denormals and signed zeros through every arithmetic operation, bit by bit.
 * guests: x86_64 i386
 * qemu: 7.2 picks the other operand where a quiet NaN meets a signalling one
 */
#include <math.h>
#include "support.h"
static const uint64_t doubles[] = {0,
                                   0x8000000000000000u,
                                   1,
                                   0x8000000000000001u,
                                   0x000fffffffffffffu,
                                   0x0010000000000000u,
                                   0x3ff0000000000000u,
                                   0xbff0000000000000u,
                                   0x7fefffffffffffffu,
                                   0x7ff0000000000000u,
                                   0xfff0000000000000u,
                                   0x7ff8000000000000u,
                                   0xfff8000000000123u,
                                   0x7ff0000000000001u,
                                   0xfff4000000000000u,
                                   0x3ca0000000000000u};
static const uint32_t floats[] = {0,           0x80000000u, 1,           0x80000001u, 0x007fffffu, 0x00800000u,
                                  0x3f800000u, 0xbf800000u, 0x7f7fffffu, 0x7f800000u, 0xff800000u, 0x7fc00000u,
                                  0xffc00123u, 0x7f800001u, 0xffa00000u, 0x33800000u};

/* the operands pass through volatile variables, so that the machine computes and not the compiler */
static NOINLINE double double_operation(int kind, double a, double b) {
    switch (kind) {
        case 0: return a + b;
        case 1: return a - b;
        case 2: return a * b;
        case 3: return a / b;
        case 4: return a < b ? a : b;
        case 5: return a > b ? a : b;
        default: return __builtin_sqrt(a);
    }
}
static NOINLINE float float_operation(int kind, float a, float b) {
    switch (kind) {
        case 0: return a + b;
        case 1: return a - b;
        case 2: return a * b;
        case 3: return a / b;
        case 4: return a < b ? a : b;
        case 5: return a > b ? a : b;
        default: return __builtin_sqrtf(a);
    }
}
static NOINLINE int relation(double a, double b) {
    return (a < b) | (a <= b) << 1 | (a == b) << 2 | (a > b) << 3 | !!isless(a, b) << 4 | !!isgreaterequal(a, b) << 5 |
           !!isunordered(a, b) << 6 | !!islessgreater(a, b) << 7;
}

int main(void) {
    for (int kind = 0; kind < 7; kind++) {
        uint64_t h = 0, g = 0;
        for (size_t i = 0; i < COUNT(doubles); i++)
            for (size_t j = 0; j < COUNT(doubles); j++) {
                volatile double a = double_from(doubles[i]), b = double_from(doubles[j]);
                volatile float c = float_from(floats[i]), d = float_from(floats[j]);
                h = fold(h, double_bits(double_operation(kind, a, b)));
                g = fold(g, float_bits(float_operation(kind, c, d)));
                if (kind == 0) printf("%02x%c", relation(a, b), j == 15 ? '\n' : ' ');
            }
        printf("%d %016llx %016llx\n", kind, (unsigned long long)h, (unsigned long long)g);
    }
    for (size_t i = 0; i < COUNT(doubles); i++) {
        volatile double a = double_from(doubles[i]);
        volatile float b = float_from(floats[i]);
        volatile float narrow = (float)a;
        volatile double wide = (double)b;
        volatile int32_t integer = (int32_t)a;
        volatile int64_t longer = (int64_t)b;
        printf("%08x %016llx %d %lld %d %d\n", float_bits(narrow), (unsigned long long)double_bits(wide), integer,
               (long long)longer, fpclassify(a), !!signbit(b));
    }
    return 0;
}
