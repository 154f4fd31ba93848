/* sigaltstack: a call that Metaphrase answers itself, in Python.
 * group: calls
 * iterations: 4000000
 */
#include <signal.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    stack_t stack;
    uint64_t failed = 0;
    for (long i = 0; i < iterations; i++) failed += sigaltstack(NULL, &stack) != 0;
    return failed;
}
