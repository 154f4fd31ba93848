/* read: 64 bytes of a file that is in memory.
 * group: calls
 * iterations: 2000000
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    char bytes[64];
    uint64_t total = 0;
    int file = open("/proc/self/exe", O_RDONLY);
    for (long i = 0; i < iterations; i++) total += pread(file, bytes, sizeof bytes, 0);
    return total == (uint64_t)iterations * sizeof bytes;
}
