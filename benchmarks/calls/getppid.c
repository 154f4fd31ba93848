/* getppid: a call with no arguments, and hardly any work for the kernel.
 * group: calls
 * iterations: 5000000
 */
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    uint64_t same = 0;
    pid_t parent = getppid();
    for (long i = 0; i < iterations; i++) same += getppid() == parent;
    return same == (uint64_t)iterations;
}
