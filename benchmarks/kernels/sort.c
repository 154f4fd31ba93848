/* Sorting integers: quicksort by hand and the C library's qsort with its comparison through a pointer.
 * group: integer
 * iterations: 72
 */
#include "kernel.h"
#define COUNT 100000
static uint32_t original[COUNT], work[COUNT];

static void quick(uint32_t *a, long low, long high) {
    while (low < high) {
        uint32_t pivot = a[(low + high) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i <= j) {
                uint32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quick(a, low, j);
        low = i;
    }
}
static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t run(long iterations) {
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        for (int k = 0; k < COUNT; k++) original[k] = (uint32_t)next_random();
        memcpy(work, original, sizeof work);
        quick(work, 0, COUNT - 1);
        sum = sum * 31 + work[i * 7919 % COUNT];
        memcpy(work, original, sizeof work);
        qsort(work, COUNT, sizeof *work, compare);
        sum = sum * 31 + work[i * 104729 % COUNT];
    }
    return sum;
}
