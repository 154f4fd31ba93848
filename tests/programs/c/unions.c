/* Unions: the same bytes as integers, floats and arrays; tagged values; unaligned and byte-swapped access. */
#include "support.h"
union view {
    double d;
    uint64_t q;
    uint32_t l[2];
    uint16_t w[4];
    uint8_t b[8];
    float f[2];
};
struct value {
    enum { INTEGER, REAL, TEXT, LIST } kind;
    union {
        long integer;
        double real;
        const char *text;
        struct {
            struct value *items;
            int count;
        } list;
    } of;
};

static double weigh(const struct value *v) {
    switch (v->kind) {
        case INTEGER: return (double)v->of.integer;
        case REAL: return v->of.real;
        case TEXT: return (double)strlen(v->of.text);
        default: {
            double sum = 0;
            for (int i = 0; i < v->of.list.count; i++) sum = sum * 2 + weigh(&v->of.list.items[i]);
            return sum;
        }
    }
}
static NOINLINE uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static NOINLINE uint32_t unaligned(const uint8_t *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

int main(void) {
    union view v;
    uint64_t h = 0;
    for (int i = 0; i < 500; i++) {
        v.q = next_random();
        v.b[i & 7] ^= 0x5a;
        v.w[i & 3] += 3;
        v.l[i & 1] *= 5;
        h = fold(h, v.q);
        v.d = (double)i / 8;
        v.l[0] |= (uint32_t)i;
        h = fold(h, v.q);
        v.f[1] = (float)i;
        h = fold(h, v.w[3]);
        h = fold(h, v.b[7]);
    }
    printf("%016llx\n", (unsigned long long)h);
    struct value inner[] = {{INTEGER, {.integer = 7}}, {REAL, {.real = 0.25}}},
                 items[] = {{TEXT, {.text = "hello"}}, {LIST, {.list = {inner, 2}}}, {INTEGER, {.integer = -9}}},
                 all = {LIST, {.list = {items, 3}}};
    printf("%g\n", weigh(&all));
    uint8_t bytes[64];
    for (int i = 0; i < 64; i++) bytes[i] = (uint8_t)(i * 37 + 11);
    for (int i = 0; i < 60; i++) h = fold(h, big_endian(bytes + i) ^ unaligned(bytes + i));
    printf("%016llx\n", (unsigned long long)h);
    v.f[0] = 1.5f;
    v.f[1] = -2.0f;
    printf("%08x %08x %016llx\n", v.l[0], v.l[1], (unsigned long long)v.q);
    return 0;
}
