/* sigprocmask: a signal blocked and let through again; two calls an iteration.
 * group: calls
 * iterations: 2000000
 */
#include <signal.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    sigset_t set;
    uint64_t failed = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (long i = 0; i < iterations; i++)
        failed += sigprocmask(SIG_BLOCK, &set, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) != 0;
    return failed;
}
