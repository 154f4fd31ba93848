/* write and read by turns: a byte through a pipe that never is empty or full; two calls an iteration.
 * group: calls
 * iterations: 1500000
 */
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    int ends[2];
    char byte = 1;
    uint64_t moved = 0;
    if (pipe(ends)) return 0;
    for (long i = 0; i < iterations; i++) moved += write(ends[1], &byte, 1) + read(ends[0], &byte, 1);
    return moved == 2 * (uint64_t)iterations;
}
