/* A hash table of 64-bit keys with open addressing: insert, find, delete, in a table that fits no first-level cache.
 * group: integer
 * iterations: 790
 */
#include "kernel.h"
#define CAPACITY 262144
static uint64_t keys[CAPACITY], values[CAPACITY];

static size_t find(uint64_t key) {
    size_t i = key * 0x9e3779b97f4a7c15u >> 46;
    while (keys[i] && keys[i] != key) i = (i + 1) & (CAPACITY - 1);
    return i;
}

static uint64_t run(long iterations) {
    uint64_t sum = 0;
    for (long i = 0; i < iterations; i++) {
        memset(keys, 0, sizeof keys);
        uint64_t seed = next_random();
        for (uint64_t k = 0; k < 120000; k++) {
            uint64_t key = ((seed + k * k * 2654435761u) | 1) & 0xffffffffffffu;
            size_t at = find(key);
            keys[at] = key;
            values[at] += k;
        }
        for (uint64_t k = 0; k < 120000; k += 3) {
            size_t at = find(((seed + k * k * 2654435761u + (k % 5)) | 1) & 0xffffffffffffu);
            if (keys[at]) sum = sum * 31 + values[at];
        }
    }
    return sum;
}
