/* writev and readv by turns: eight bytes in two buffers through a pipe; two calls an iteration.
 * group: calls
 * iterations: 1000000
 */
#include <sys/uio.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    int ends[2];
    char head[4] = "abc", body[4] = "def";
    struct iovec both[2] = {{head, 4}, {body, 4}};
    uint64_t moved = 0;
    if (pipe(ends)) return 0;
    for (long i = 0; i < iterations; i++) moved += writev(ends[1], both, 2) + readv(ends[0], both, 2);
    return moved == 16 * (uint64_t)iterations;
}
