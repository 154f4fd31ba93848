/* Long arithmetic: factorials, Fibonacci numbers, powers, digits of pi and e, modular exponentiation, square roots.
 * guests: x86_64 riscv64
 */
#include "support.h"
#define LIMBS 80
typedef struct {
    uint32_t d[LIMBS];
    int n;
} big;
static void times(big *b, uint32_t k) {
    uint64_t c = 0;
    for (int i = 0; i < b->n; i++) {
        c += (uint64_t)b->d[i] * k;
        b->d[i] = (uint32_t)c;
        c >>= 32;
    }
    if (c) b->d[b->n++] = (uint32_t)c;
}
static void plus(big *a, const big *b) {
    uint64_t c = 0;
    for (int i = 0; i < b->n || c; i++) {
        if (i >= a->n) {
            a->d[i] = 0;
            a->n = i + 1;
        }
        c += (uint64_t)a->d[i] + (i < b->n ? b->d[i] : 0);
        a->d[i] = (uint32_t)c;
        c >>= 32;
    }
}
static uint32_t divide(big *b, uint32_t k) {
    uint64_t r = 0;
    for (int i = b->n; i--;) {
        r = r << 32 | b->d[i];
        b->d[i] = (uint32_t)(r / k);
        r %= k;
    }
    while (b->n && !b->d[b->n - 1]) b->n--;
    return (uint32_t)r;
}
static void product(big *r, const big *a, const big *b) {
    memset(r, 0, sizeof *r);
    for (int i = 0; i < a->n; i++) {
        uint64_t c = 0;
        for (int j = 0; j < b->n || c; j++) {
            c += r->d[i + j] + (uint64_t)a->d[i] * (j < b->n ? b->d[j] : 0);
            r->d[i + j] = (uint32_t)c;
            c >>= 32;
        }
    }
    r->n = a->n + b->n;
    while (r->n && !r->d[r->n - 1]) r->n--;
}
static void show(const big *b) {
    char text[LIMBS * 10 + 1];
    int at = LIMBS * 10;
    big c = *b;
    text[at] = 0;
    do text[--at] = (char)('0' + divide(&c, 10));
    while (c.n);
    puts(text + at);
}
static uint64_t power(uint64_t b, uint64_t e, uint64_t m) {
    uint64_t r = 1;
    for (b %= m; e; e >>= 1, b = (uint64_t)((unsigned __int128)b * b % m))
        if (e & 1) r = (uint64_t)((unsigned __int128)r * b % m);
    return r;
}
static int prime(uint64_t n) {
    static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    uint64_t d = n - 1;
    int s = 0;
    while (!(d & 1)) {
        d >>= 1;
        s++;
    }
    for (int i = 0; i < 12; i++) {
        if (n % bases[i] == 0) return n == bases[i];
        uint64_t x = power(bases[i], d, n);
        int ok = x == 1 || x == n - 1;
        for (int k = 1; k < s && !ok; k++) {
            x = (uint64_t)((unsigned __int128)x * x % n);
            ok = x == n - 1;
        }
        if (!ok) return 0;
    }
    return 1;
}

int main(void) {
    big f = {{1}, 1};
    for (uint32_t i = 2; i <= 200; i++) times(&f, i);
    show(&f);
    big a = {{0}, 1}, b = {{1}, 1};
    for (int i = 0; i < 1000; i++) {
        big t = b;
        plus(&b, &a);
        a = t;
    }
    show(&a);
    big x = {{3}, 1}, y;
    for (int i = 0; i < 9; i++) {
        product(&y, &x, &x);
        x = y;
    }
    show(&x);
    printf("%u\n", divide(&x, 1000000007));
    int digits[700], carry = 0;
    for (int i = 0; i < 700; i++) digits[i] = 2000; /* the spigot of Rabinowitz and Wagon */
    for (int n = 700; n > 0; n -= 14) {
        int sum = 0;
        for (int i = n - 1; i > 0; i--) {
            sum = sum * i + 10000 * digits[i];
            digits[i] = sum % (2 * i - 1);
            sum /= 2 * i - 1;
        }
        printf("%04d", carry + sum / 10000);
        carry = sum % 10000;
    }
    int e[220];
    for (int i = 0; i < 220; i++) e[i] = 1;
    printf("\n2.");
    for (int n = 0; n < 100; n++) {
        int c = 0;
        for (int i = 219; i >= 0; i--) {
            int t = e[i] * 10 + c;
            e[i] = t % (i + 2);
            c = t / (i + 2);
        }
        putchar('0' + c);
    }
    printf("\n%llu %llu\n", (unsigned long long)power(3, 1000000000000ull, 1000000000039ull),
           (unsigned long long)power(0xfedcba9876543210u, 0x123456789abcdefu, 0xffffffffffffffc5u));
    int count = 0;
    uint64_t last = 0;
    for (uint64_t n = 0xffffffffffffff01u; n >= 0xffffffffffffff01u; n += 2)
        if (prime(n)) {
            count++;
            last = n;
        }
    printf("%d %llu\n", count, (unsigned long long)last);
    return 0;
}
