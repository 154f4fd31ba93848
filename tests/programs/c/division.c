/* Division and remainder: all widths, by variables and by constants. */
#include "support.h"

#define BY(k)                       \
    h = fold(h, a / k);             \
    h = fold(h, a % k);             \
    h = fold(h, (uint64_t)(s / k)); \
    h = fold(h, (uint64_t)(s % k));

static NOINLINE uint64_t constants(uint64_t a, int64_t s) {
    uint64_t h = 0;
    BY(3) BY(5) BY(7) BY(10) BY(16) BY(25) BY(100) BY(1000) BY(641) BY(65537) BY(1000000007) BY(1ll << 40) return h;
}
static NOINLINE uint64_t constants32(uint32_t a, int32_t s) {
    uint64_t h = 0;
    BY(3) BY(5) BY(7) BY(10) BY(16) BY(25) BY(100) BY(1000) BY(641) BY(65537) BY(1000000007) return h;
}
#define DIVIDE(name, type)                                                      \
    static NOINLINE uint64_t name(type a, type b) {                             \
        return fold(fold(9, (uint64_t)(type)(a / b)), (uint64_t)(type)(a % b)); \
    }
DIVIDE(u8, uint8_t)
DIVIDE(i8, int8_t) DIVIDE(u16, uint16_t) DIVIDE(i16, int16_t) DIVIDE(u32, uint32_t) DIVIDE(i32, int32_t)
    DIVIDE(u64, uint64_t) DIVIDE(i64, int64_t)

        int main(void) {
    uint64_t h = 0, k = 0;
    for (int i = 0; i < 400; i++) {
        uint64_t a = next_random() >> (i & 63), b = (next_random() >> ((i * 7) & 63)) | 1;
        h = fold(h, constants(a, (int64_t)a));
        h = fold(h, constants32((uint32_t)a, (int32_t)a));
        k = fold(k, u8(a, b));
        k = fold(k, u16(a, b));
        k = fold(k, u32(a, b));
        k = fold(k, u64(a, b));
        if ((int8_t)b != -1) k = fold(k, i8(a, b));
        if ((int16_t)b != -1) k = fold(k, i16(a, b));
        if ((int32_t)b != -1) k = fold(k, i32(a, b));
        if ((int64_t)b != -1) k = fold(k, i64(a, b));
    }
    printf("%016llx %016llx\n", (unsigned long long)h, (unsigned long long)k);
    volatile int m = -7, n = 2;
    printf("%d %d %d %d %d %d\n", m / n, m % n, -m / n, -m % n, m / -n, m % -n);
    volatile long long p = -9223372036854775807ll - 1, q = 10;
    printf("%lld %lld %lld\n", p / q, p % q, p / 2);
    lldiv_t d = lldiv(p, 1000);
    div_t e = div(m, n);
    printf("%lld %lld %d %d\n", d.quot, d.rem, e.quot, e.rem);
    return 0;
}
