/* open and close: a folder by name, "/"; two calls an iteration.
 * group: calls
 * iterations: 500000
 */
#include <fcntl.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    uint64_t failed = 0;
    for (long i = 0; i < iterations; i++) failed += close(open("/", O_RDONLY)) != 0;
    return failed;
}
