/* clock_gettime: a structure to be filled, by the kernel and not by code that it lends to programs.
 * group: calls
 * iterations: 3000000
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    struct timespec now;
    uint64_t failed = 0;
    for (long i = 0; i < iterations; i++) failed += syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0;
    return failed;
}
