/* memcpy, memmove with overlap both ways, memset, memcmp: every length and alignment up to some hundred bytes. */
#include "support.h"
static unsigned char area[70000], want[70000];

static void fill(void) {
    for (size_t i = 0; i < sizeof area; i++) area[i] = want[i] = (unsigned char)(i * 31 + (i >> 8));
}

int main(void) {
    int wrong = 0;
    uint64_t h = 0;
    for (int length = 0; length < 300; length += length < 70 ? 1 : 13)
        for (int from = 0; from < 40; from += 5)
            for (int to = 0; to < 40; to += 9) {
                fill();
                memmove(area + 100 + to, area + 100 + from, (size_t)length);
                for (int i = 0; i < length; i++)
                    want[100 + to + i] = (unsigned char)((100 + from + i) * 31 + ((100 + from + i) >> 8));
                if (memcmp(area, want, 600)) wrong++;
            }
    printf("wrong moves: %d\n", wrong);
    size_t lengths[] = {1000, 4095, 4096, 4097, 8191, 16384, 33333};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        fill();
        memmove(area + 77, area + 5, lengths[i]);
        h = fold_bytes(h, area, 34000);
        fill();
        memmove(area + 5, area + 77, lengths[i]);
        h = fold_bytes(h, area, 34000);
        memcpy(area + 35001, area + 3, lengths[i]);
        h = fold_bytes(h, area + 35000, 34000);
        memset(area + 9, (int)i + 65, lengths[i]);
        h = fold_bytes(h, area, 34000);
    }
    printf("%016llx\n", (unsigned long long)h);
    fill();
    int signs = 0;
    for (int length = 1; length < 200; length++)
        for (int at = 0; at < length; at += 7) {
            want[at]++;
            int r = memcmp(area, want, (size_t)length);
            signs = signs * 3 % 100003 + (r > 0) - (r < 0);
            want[at]--;
        }
    printf("%d\n", signs);
    volatile size_t zero = 0;
    memcpy(area, want + 1, zero);
    memset(area, 1, zero);
    printf("%d\n", memcmp(area, want, sizeof area));
    return 0;
}
