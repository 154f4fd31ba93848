/* Structs by value: passed and returned in integer, floating and mixed registers and in memory; nested, copied, compared. */
#include <stddef.h>
#include "support.h"
struct small {
    char c;
    short s;
};
struct two {
    long a, b;
};
struct reals {
    double x, y;
};
struct mixed {
    int n;
    double x;
};
struct floats {
    float a, b, c;
};
struct big {
    int values[20];
    char tag;
};
struct nested {
    struct small s;
    struct {
        struct floats f;
        union {
            int i;
            float r;
        } u;
    } inner;
};
struct __attribute__((packed)) packed {
    char a;
    int b;
    short c;
    double d;
};

static NOINLINE struct small make_small(struct small s, int k) {
    s.c = (char)(s.c + k);
    s.s = (short)(s.s * k);
    return s;
}
static NOINLINE struct two make_two(struct two t, struct small s) { return (struct two){t.b + s.s, t.a - s.c}; }
static NOINLINE struct reals make_reals(struct reals r, double k) { return (struct reals){r.y * k, r.x / k}; }
static NOINLINE struct mixed make_mixed(struct mixed m, struct reals r, struct two t) {
    return (struct mixed){m.n + (int)t.a, m.x + r.x - r.y};
}
static NOINLINE struct floats make_floats(struct floats f) { return (struct floats){f.c, f.a, f.b + 0.5f}; }
static NOINLINE struct big make_big(struct big b, int k) {
    for (int i = 0; i < 20; i++) b.values[i] += k * i;
    b.tag++;
    return b;
}
static NOINLINE struct nested make_nested(struct nested n) {
    n.inner.f = make_floats(n.inner.f);
    n.inner.u.i ^= 0x1234;
    n.s = make_small(n.s, 2);
    return n;
}
static NOINLINE long many(struct two a, struct two b, struct two c, struct two d, struct reals e, int f,
                          struct mixed g) {
    return a.a + b.b * 2 + c.a * 3 + d.b * 4 + (long)(e.x * 10) + f + g.n;
}

int main(void) {
    struct small s = {'a', 7};
    struct two t = {100, -3};
    struct reals r = {1.5, 2.25};
    struct mixed m = {5, 0.5};
    struct floats f = {1, 2, 3};
    struct big b = {.tag = 'x'};
    struct nested n = {{'z', 1}, {{9, 8, 7}, {.r = 1.5f}}};
    for (int i = 1; i < 6; i++) {
        s = make_small(s, i);
        t = make_two(t, s);
        r = make_reals(r, 1.25);
        m = make_mixed(m, r, t);
        f = make_floats(f);
        b = make_big(b, i);
        n = make_nested(n);
    }
    printf("%d %d %ld %ld %a %a %d %a\n", s.c, s.s, t.a, t.b, r.x, r.y, m.n, m.x);
    printf("%g %g %g %d %d %c %d %d %g %x\n", (double)f.a, (double)f.b, (double)f.c, b.values[3], b.values[19], b.tag,
           n.s.c, n.s.s, (double)n.inner.f.b, (unsigned)n.inner.u.i);
    printf("%ld\n", many(t, t, (struct two){1, 2}, t, r, 7, m));
    printf("%zu %zu %zu %zu %zu\n", sizeof(struct small), sizeof(struct nested), sizeof(struct packed),
           offsetof(struct packed, d), offsetof(struct mixed, x));
    struct packed p[3];
    memset(p, 0, sizeof p);
    for (int i = 0; i < 3; i++) {
        p[i].a = (char)i;
        p[i].b = i * 1000003;
        p[i].c = (short)-i;
        p[i].d = i / 4.0;
    }
    printf("%016llx\n", (unsigned long long)fold_bytes(0, p, sizeof p));
    struct big copies[10];
    for (int i = 0; i < 10; i++) {
        copies[i] = b;
        copies[i].values[i] = i;
    }
    printf("%d %d\n", memcmp(&copies[0].values[10], &copies[5].values[10], 40), copies[9].values[9]);
    return 0;
}
