/* stat: what is known of a file by name, "/".
 * group: calls
 * iterations: 1000000
 */
#include <sys/stat.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    struct stat status;
    uint64_t failed = 0;
    for (long i = 0; i < iterations; i++) failed += stat("/", &status) != 0;
    return failed;
}
