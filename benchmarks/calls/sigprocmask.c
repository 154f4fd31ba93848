/* sigprocmask: a call that Metaphrase answers itself, in Python.
 * group: calls
 * iterations: 4000000
 */
#include <signal.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    sigset_t set;
    uint64_t failed = 0;
    for (long i = 0; i < iterations; i++) failed += sigprocmask(SIG_BLOCK, NULL, &set) != 0;
    return failed;
}
