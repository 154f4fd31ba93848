/* What programs that try to get out share: each attempt is to fail with one of some errors, or the program fails. */
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
#include <sys/wait.h>
#include <unistd.h>

static int attempts, failures;

static inline void judge(const char *what, long result, int error, int first, int second) {
    attempts++;
    if (result != -1 || (error != first && error != second)) {
        failures++;
        printf("%s: %ld, %s\n", what, result, result == -1 ? strerror(error) : "no error");
    }
}

/* The attempt fails, with an error, or one of two. */
#define REFUSED(attempt, error) REFUSED2(attempt, error, error)
#define REFUSED2(attempt, first, second)                    \
    do {                                                    \
        errno = 0;                                          \
        long result_ = (long)(attempt);                     \
        judge(#attempt, result_, errno, first, second);     \
    } while (0)
/* What is no attempt to get out is to work. */
#define WORKS(condition)                                                    \
    do {                                                                    \
        errno = 0;                                                          \
        attempts++;                                                         \
        if (!(condition)) {                                                 \
            failures++;                                                     \
            printf("%s: fails, %s\n", #condition, strerror(errno));         \
        }                                                                   \
    } while (0)

static inline int verdict(void) {
    printf("%d of %d attempts went wrong\n", failures, attempts);
    fflush(stdout);
    return failures != 0 || attempts == 0;
}
