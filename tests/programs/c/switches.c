/* switch: dense jump tables, sparse values, ranges, fall through, nested, on characters and 64-bit values. */
#include "support.h"
static NOINLINE int dense(int x) {
    switch (x) {
        case 0: return 11;
        case 1: return 7;
        case 2: return 93;
        case 3: return -4;
        case 4: return 55;
        case 5: return 8;
        case 6: return 101;
        case 7: return x * 3;
        case 8: return x * x;
        case 9: return 2;
        case 10: return 12345;
        case 11: return ~x;
        default: return -1;
    }
}
static NOINLINE int sparse(int x) {
    switch (x) {
        case -1000: return 1;
        case -7: return 2;
        case 13: return 3;
        case 512: return 4;
        case 99999: return 5;
        case 1 << 30: return 6;
        default: return 0;
    }
}
static NOINLINE long long big(long long x) {
    switch (x) {
        case 0x123456789ll: return 1;
        case -0x7fffffffffll: return 2;
        case 0x7fffffffffffffffll: return 3;
        default: return x >> 60;
    }
}
static NOINLINE int ranges(int c) {
    switch (c) {
        case '0' ... '9': return 1;
        case 'a' ... 'z':
        case '_': return 2;
        case 'A' ... 'Z': return 3;
        case ' ':
        case '\t':
        case '\n': return 4;
        default: return 5;
    }
}
static NOINLINE int through(int x) {
    int sum = 0;
    switch (x & 7) {
        case 7: sum += 64; /* fall through */
        case 6: sum += 32; /* fall through */
        case 5: sum += 16; /* fall through */
        case 4: sum += 8; break;
        case 3: sum += 4; /* fall through */
        case 2: sum += 2; /* fall through */
        default: sum += 1;
    }
    return sum;
}
static NOINLINE const char *nested(int a, int b) {
    switch (a) {
        case 1:
            switch (b) {
                case 1: return "one-one";
                case 2: return "one-two";
                case 3: return "one-three";
            }
            return "one-other";
        case 2:
            switch (b) {
                case 5: return "two-five";
                default: return "two-other";
            }
        default: return "other";
    }
}
/* Duff's device: a switch into the middle of a loop */
static NOINLINE void duff(char *to, const char *from, int count) {
    int n = (count + 3) / 4;
    switch (count % 4) {
        case 0: do { *to++ = *from++;    /* fall through */
                case 3: *to++ = *from++; /* fall through */
                case 2: *to++ = *from++; /* fall through */
                case 1: *to++ = *from++;
            } while (--n > 0);
    }
}

int main(void) {
    long sum = 0;
    for (int i = -5; i < 20; i++) {
        sum = sum * 3 + dense(i);
        sum ^= through(i);
    }
    for (int i = 0; i < 3000; i++) sum = (sum * 5 + dense((int)(next_random() % 14))) % 1000000007;
    int probes[] = {-1000, -7, 13, 512, 99999, 1 << 30, 0, 511};
    for (size_t i = 0; i < COUNT(probes); i++) printf("%d ", sparse(probes[i]));
    printf("%ld %lld %lld %lld %lld\n", sum, big(0x123456789ll), big(-0x7fffffffffll), big(0x7fffffffffffffffll),
           big(-1));
    int counts[6] = {0};
    for (const char *p = "The 39 Steps; (a_film) by\tHitchcock, 1935!\n"; *p; p++) counts[ranges(*p)]++;
    for (int i = 1; i < 6; i++) printf("%d ", counts[i]);
    for (int a = 0; a < 4; a++)
        for (int b = 1; b < 6; b += 2) printf("%s ", nested(a, b));
    char copy[32] = {0};
    duff(copy, "Duff's device copies this", 25);
    printf("\n%s\n", copy);
    return 0;
}
