/* getdents64: the entries of "/", from the beginning each time; two calls an iteration.
 * group: calls
 * iterations: 200000
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    char entries[8192];
    uint64_t failed = 0;
    int folder = open("/", O_RDONLY | O_DIRECTORY);
    for (long i = 0; i < iterations; i++)
        failed += lseek(folder, 0, SEEK_SET) != 0 || syscall(SYS_getdents64, folder, entries, sizeof entries) <= 0;
    return failed;
}
