/* fork, execve and waitpid: a process that runs /bin/true, to its end.
 * group: calls
 * iterations: 500
 */
#include <sys/wait.h>
#include <unistd.h>
#include "../kernels/kernel.h"

static uint64_t run(long iterations) {
    uint64_t failed = 0;
    for (long i = 0; i < iterations; i++) {
        int status = 1;
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        failed += waitpid(child, &status, 0) != child || status != 0;
    }
    return failed;
}
