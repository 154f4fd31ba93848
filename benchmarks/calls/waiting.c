/* read that waits: a byte to another process and back; each sleeps until the other has written.
 * group: calls
 * iterations: 100000
 */
#include <sys/wait.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    int there[2], back[2];
    char byte = 1;
    uint64_t moved = 0;
    if (pipe(there) || pipe(back)) return 0;
    if (fork() == 0) {
        for (long i = 0; i < iterations; i++)
            if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    for (long i = 0; i < iterations; i++) moved += write(there[1], &byte, 1) + read(back[0], &byte, 1);
    wait(NULL);
    return moved == 2 * (uint64_t)iterations;
}
