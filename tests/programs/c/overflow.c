/* Carries, overflow checks, saturation, long addition with carry chains. */
#include "support.h"

#define CHECK(type)                                                   \
    do {                                                              \
        type a = (type)next_random(), b = (type)next_random(), r = 0; \
        int o;                                                        \
        o = __builtin_add_overflow(a, b, &r);                         \
        h = fold(fold(h, (uint64_t)r), (uint64_t)o);                  \
        o = __builtin_sub_overflow(a, b, &r);                         \
        h = fold(fold(h, (uint64_t)r), (uint64_t)o);                  \
        o = __builtin_mul_overflow(a, b, &r);                         \
        h = fold(fold(h, (uint64_t)r), (uint64_t)o);                  \
    } while (0)

static NOINLINE int64_t saturating(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (a < 0 ? INT64_MIN : INT64_MAX) : r;
}
static NOINLINE unsigned add_long(uint64_t *to, const uint64_t *from, int words) {
    unsigned carry = 0;
    for (int i = 0; i < words; i++) {
        uint64_t sum;
        unsigned first = __builtin_add_overflow(to[i], from[i], &sum);
        carry = first | __builtin_add_overflow(sum, (uint64_t)carry, &to[i]);
    }
    return carry;
}
static NOINLINE unsigned subtract_long(uint64_t *to, const uint64_t *from, int words) {
    unsigned borrow = 0;
    for (int i = 0; i < words; i++) {
        uint64_t left;
        unsigned first = __builtin_sub_overflow(to[i], from[i], &left);
        borrow = first | __builtin_sub_overflow(left, (uint64_t)borrow, &to[i]);
    }
    return borrow;
}

int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 500; i++) {
        CHECK(int8_t);
        CHECK(uint8_t);
        CHECK(int16_t);
        CHECK(uint16_t);
        CHECK(int32_t);
        CHECK(uint32_t);
        CHECK(int64_t);
        CHECK(uint64_t);
        h = fold(h, (uint64_t)saturating((int64_t)next_random(), (int64_t)next_random()));
    }
    printf("%016llx\n", (unsigned long long)h);
    uint64_t a[6] = {~0ull, ~0ull, ~0ull, 5, ~0ull, ~0ull}, b[6] = {1, 0, 0, ~0ull, 0, 0};
    unsigned carry = add_long(a, b, 6);
    for (int i = 0; i < 6; i++) printf("%llx ", (unsigned long long)a[i]);
    printf("carry %u\n", carry);
    carry = subtract_long(a, b, 6);
    for (int i = 0; i < 6; i++) printf("%llx ", (unsigned long long)a[i]);
    printf("borrow %u\n", carry);
    return 0;
}
