/* alloca, arrays of variable length, nested and multi-dimensional, large frames, flexible members. */
#include <alloca.h>
#include "support.h"
struct flexible {
    int n;
    int values[];
};
static NOINLINE uint64_t sum_square(int n, int m[n][n]) {
    uint64_t s = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) s += (uint64_t)m[i][j] * (uint64_t)(i + 1);
    return s;
}
static NOINLINE uint64_t variable(int n) {
    int m[n][n];
    char label[n + 10];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) m[i][j] = i * 10 + j;
    int length = sprintf(label, "size %d", n);
    return sum_square(n, m) + (uint64_t)length + sizeof m;
}
static NOINLINE char *join(char *to, int n) {
    char *parts[20];
    for (int i = 0; i < n; i++) {
        parts[i] = alloca(16 + (size_t)i * 8);
        sprintf(parts[i], "<%d>", i * i);
    }
    *to = 0;
    for (int i = n; i--;) strcat(to, parts[i]);
    return to;
}
static NOINLINE uint64_t large(int depth) {
    unsigned char frame[40000];
    memset(frame, depth, sizeof frame);
    uint64_t below = depth ? large(depth - 1) : 0;
    return below + frame[(unsigned)depth * 777 % sizeof frame] + frame[39999];
}
static NOINLINE uint64_t loops(int rounds) {
    uint64_t h = 0;
    for (int i = 1; i <= rounds; i++) {
        short block[i * 3];
        for (int k = 0; k < i * 3; k++) block[k] = (short)(k * i);
        h = fold(h, (uint64_t)(uint16_t)block[i * 3 - 1]);
        if (i % 7 == 0) continue;
        if (i > 90) break;
        h = fold_bytes(h, block, sizeof block);
    }
    return h;
}

int main(void) {
    for (int n = 1; n <= 40; n += 13) printf("%llu ", (unsigned long long)variable(n));
    char text[500];
    printf("%s\n", join(text, 12));
    printf("%llu %016llx\n", (unsigned long long)large(100), (unsigned long long)loops(100));
    struct flexible *f = malloc(sizeof *f + 50 * sizeof(int));
    f->n = 50;
    for (int i = 0; i < 50; i++) f->values[i] = i * i - 7;
    long sum = 0;
    for (int i = 0; i < f->n; i++) sum += f->values[i];
    printf("%ld\n", sum);
    free(f);
    struct {
        _Alignas(64) char a;
        _Alignas(32) int b;
    } aligned[3];
    printf("%d %zu\n", (int)((uintptr_t)&aligned[1] % 64), sizeof aligned);
    return 0;
}
