/* Small programs in one file: each CASE runs in a process of its own, and says what calls give. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct one {
    const char *name;
    void (*run)(void);
    struct one *next;
};
static struct one *all, **last = &all;

#define CASE(name_)                                                          \
    static void case_##name_(void);                                          \
    static struct one one_##name_ = {#name_, case_##name_, NULL};            \
    __attribute__((constructor)) static void add_##name_(void) {             \
        *last = &one_##name_, last = &one_##name_.next;                      \
    }                                                                        \
    static void case_##name_(void)

/* A call's result, and its error. */
#define SHOW(call)                                                                                      \
    ({                                                                                                  \
        errno = 0;                                                                                      \
        long shown_ = (long)(call);                                                                     \
        printf("%s = %ld%s%s\n", #call, shown_, shown_ == -1 ? " " : "", shown_ == -1 ? strerrorname_np(errno) : ""); \
        fflush(stdout);                                                                                 \
        shown_;                                                                                         \
    })
/* Whether it succeeds, where the result itself differs from run to run. */
#define TELL(call)                                                                                      \
    ({                                                                                                  \
        errno = 0;                                                                                      \
        long told_ = (long)(call);                                                                      \
        printf("%s: %s\n", #call, told_ == -1 ? strerrorname_np(errno) : "good");                       \
        fflush(stdout);                                                                                 \
        told_;                                                                                          \
    })

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    int number = 0;
    for (struct one *one = all; one != NULL; one = one->next) {
        printf("== %s\n", one->name);
        pid_t child = fork();
        if (child == 0) {
            char folder[32];
            snprintf(folder, sizeof folder, "case%d", number);
            if (mkdir(folder, 0700) != 0 || chdir(folder) != 0)
                _exit(99);
            alarm(20);
            one->run();
            fflush(stdout);
            _exit(0);
        }
        int status;
        while (waitpid(child, &status, 0) < 0)
            ;
        printf("-> %s %d\n", WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        number++;
    }
    return 0;
}
