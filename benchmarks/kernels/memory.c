/* The C library's memcpy, memset, memchr, memcmp, strlen and strchr, for short and long strings at all alignments.
 * group: simd
 * iterations: 70000
 */
#include "kernel.h"
#define SIZE 16384
#define STRINGS 512
static char from[SIZE], to[SIZE];
static struct { short at, length; } strings[STRINGS];

static uint64_t run(long iterations) {
    volatile uint64_t sink = 0;
    uint64_t sum = 0;
    for (int i = 0; i < SIZE; i++) from[i] = (char)(next_random() % 95 + 32);
    for (int i = 0; i < STRINGS; i++) {
        int bits = (int)(next_random() % 12);
        strings[i].length = (short)(next_random() % (2u << bits));
        strings[i].at = (short)(next_random() % (SIZE - 4097));
    }
    for (long i = 0; i < iterations; i++) {
        for (int k = 0; k < STRINGS; k++) {
            char *source = from + strings[k].at, *target = to + strings[STRINGS - 1 - k].at;
            size_t length = (size_t)strings[k].length;
            memcpy(target, source, length);
            target[length] = 0;
            sum += strlen(target) + (size_t)memcmp(source, target, length);
            char *found = strchr(target, '~');
            sum += found ? (uint64_t)(found - target) : 0;
            found = memchr(source, '\x7f', length);
            sum = sum * 31 + (found ? 1 : 0);
            memset(target, (int)k, length / 2);
        }
        sink = sum;
    }
    return sink;
}
