/* qsort of ints, strings and structs; shell, heap, merge, quick, insertion and radix sort agree with it. */
#include "support.h"
#define N 2000
struct record {
    char name[12];
    double weight;
    int order;
};

static int by_int(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_weight(const void *a, const void *b) {
    const struct record *x = a, *y = b;
    return x->weight < y->weight ? -1 : x->weight > y->weight ? 1 : x->order - y->order;
}
static void shell(int *a, int n) {
    for (int gap = n / 2; gap; gap /= 2)
        for (int i = gap; i < n; i++) {
            int x = a[i], j = i;
            for (; j >= gap && a[j - gap] > x; j -= gap) a[j] = a[j - gap];
            a[j] = x;
        }
}
static void sift(int *a, int i, int n) {
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && a[child + 1] > a[child]) child++;
        if (a[i] >= a[child]) return;
        int t = a[i];
        a[i] = a[child];
        a[child] = t;
    }
}
static void heap(int *a, int n) {
    for (int i = n / 2; i--;) sift(a, i, n);
    while (n-- > 1) {
        int t = a[0];
        a[0] = a[n];
        a[n] = t;
        sift(a, 0, n);
    }
}
static void merge(int *a, int *spare, int n) {
    if (n < 2) return;
    int half = n / 2, i = 0, j = half, k = 0;
    merge(a, spare, half);
    merge(a + half, spare, n - half);
    while (i < half && j < n) spare[k++] = a[j] < a[i] ? a[j++] : a[i++];
    while (i < half) spare[k++] = a[i++];
    memcpy(a, spare, (size_t)k * sizeof *a);
}
static void quick(int *a, int low, int high) {
    while (low < high) {
        int pivot = a[(low + high) / 2], i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i <= j) {
                int t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quick(a, low, j);
        low = i;
    }
}
static void radix(int *a, int *spare, int n) {
    for (int shift = 0; shift < 32; shift += 8) {
        int count[257] = {0};
        for (int i = 0; i < n; i++) count[(((unsigned)a[i] ^ 0x80000000u) >> shift & 255) + 1]++;
        for (int i = 0; i < 256; i++) count[i + 1] += count[i];
        for (int i = 0; i < n; i++) spare[count[((unsigned)a[i] ^ 0x80000000u) >> shift & 255]++] = a[i];
        memcpy(a, spare, (size_t)n * sizeof *a);
    }
}

int main(void) {
    static int original[N], sorted[N], work[N], spare[N];
    for (int i = 0; i < N; i++) original[i] = (int)next_random() >> (i % 20);
    memcpy(sorted, original, sizeof sorted);
    qsort(sorted, N, sizeof *sorted, by_int);
    const char *names[] = {"shell", "heap", "merge", "quick", "radix"};
    for (int kind = 0; kind < 5; kind++) {
        memcpy(work, original, sizeof work);
        switch (kind) {
            case 0: shell(work, N); break;
            case 1: heap(work, N); break;
            case 2: merge(work, spare, N); break;
            case 3: quick(work, 0, N - 1); break;
            default: radix(work, spare, N);
        }
        printf("%s %s\n", names[kind], memcmp(work, sorted, sizeof work) ? "differs" : "agrees");
    }
    char *words[] = {"pear", "apple", "fig", "cherry", "banana", "date", "apricot", "elderberry"};
    qsort(words, COUNT(words), sizeof *words, by_text);
    for (size_t i = 0; i < COUNT(words); i++) printf("%s ", words[i]);
    struct record records[64];
    for (int i = 0; i < 64; i++) {
        sprintf(records[i].name, "r%d", i);
        records[i].weight = (double)(next_random() % 10) / 4;
        records[i].order = i;
    }
    qsort(records, 64, sizeof *records, by_weight);
    for (int i = 0; i < 64; i += 9) printf("%s:%g ", records[i].name, records[i].weight);
    int key = sorted[777];
    int *hit = bsearch(&key, sorted, N, sizeof *sorted, by_int);
    printf("\n%d %d %d\n", sorted[0], sorted[N - 1], hit && *hit == key);
    return 0;
}
