/* __int128: carries across words, multiplication, division, comparison, printing in decimal.
 * guests: x86_64 riscv64
 */
#include "support.h"
typedef unsigned __int128 wide;
typedef __int128 swide;

static void show(wide x) {
    char text[48];
    int at = 47;
    text[at] = 0;
    do {
        text[--at] = '0' + (int)(x % 10);
        x /= 10;
    } while (x);
    puts(text + at);
}
static wide make(uint64_t high, uint64_t low) { return (wide)high << 64 | low; }

int main(void) {
    uint64_t h = 0;
    for (int i = 0; i < 200; i++) {
        wide a = make(next_random(), next_random()), b = make(next_random() >> (i & 63), next_random()) | 1;
        wide results[] = {a + b,
                          a - b,
                          a * b,
                          a / b,
                          a % b,
                          a << (i & 127),
                          a >> (i & 127),
                          (wide)((swide)a >> (i & 127)),
                          a ^ b,
                          -a,
                          (wide)(a < b),
                          (wide)((swide)a < (swide)b),
                          (wide)((swide)a / (swide)b),
                          (wide)((swide)a % (swide)b)};
        for (size_t k = 0; k < COUNT(results); k++) {
            h = fold(h, (uint64_t)results[k]);
            h = fold(h, (uint64_t)(results[k] >> 64));
        }
        uint64_t m = next_random(), n = next_random();
        wide product = (wide)m * n;
        swide signed_product = (swide)(int64_t)m * (int64_t)n;
        h = fold(h, (uint64_t)(product >> 64));
        h = fold(h, (uint64_t)((wide)signed_product >> 64));
        if (i % 50 == 0) {
            show(a);
            show(product);
            show(a / b);
        }
    }
    printf("%016llx\n", (unsigned long long)h);
    wide factorial = 1;
    for (volatile int i = 2; i <= 34; i++) factorial *= (wide)i;
    show(factorial);
    printf("%a\n", (double)factorial);
    printf("%a\n", (double)(swide)-factorial);
    show((wide)1e30);
    return 0;
}
