#include "cases.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <time.h>

static long futex(void *word, int operation, unsigned value, const struct timespec *time, void *second, unsigned third) {
    struct { int64_t seconds, parts; } wide = {0};
    if (time != NULL)
        wide.seconds = time->tv_sec, wide.parts = time->tv_nsec;
#ifdef SYS_futex_time64
    return syscall(SYS_futex_time64, word, operation, value, time ? &wide : NULL, second, third);
#else
    return syscall(SYS_futex, word, operation, value, time ? &wide : NULL, second, third);
#endif
}
/* The same where the place of the time holds a number. */
static long futex_of_two(void *word, int operation, unsigned value, unsigned second_value, void *second, unsigned third) { return syscall(SYS_futex, word, operation, value, (void *)(uintptr_t)second_value, second, third); }
static const struct timespec SOON = {0, 1000000}, NEVER = {100, 0};
static int *shared(void) { return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }

CASE(waiting) {
    int word = 5;
    SHOW(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0)), SHOW(futex(&word, FUTEX_WAIT, 5, &SOON, NULL, 0)), SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 5, &SOON, NULL, 0)), SHOW(futex((char *)&word + 1, FUTEX_WAIT, 5, &SOON, NULL, 0)), SHOW(futex(&word, FUTEX_WAIT, 5, &(struct timespec){0, 1000000000}, NULL, 0)), SHOW(futex(&word, FUTEX_WAIT, 5, &(struct timespec){-1, 0}, NULL, 0)), SHOW(futex(&word, FUTEX_WAIT_BITSET, 5, &SOON, NULL, 0)), SHOW(futex(&word, FUTEX_WAIT_BITSET, 5, &SOON, NULL, 1)), SHOW(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 5, &SOON, NULL, 1)), SHOW(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0)), SHOW(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0)), SHOW(futex(&word, 77, 5, NULL, NULL, 0)), SHOW(futex(&word, FUTEX_FD, 5, NULL, NULL, 0)), SHOW(futex(NULL, FUTEX_WAIT, 0, NULL, NULL, 0)), SHOW(futex(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), FUTEX_WAIT, 0, &SOON, NULL, 0)), SHOW(futex(&word, FUTEX_WAKE, -1, NULL, NULL, 0)), SHOW(futex((char *)&word + 2, FUTEX_WAKE, 1, NULL, NULL, 0));
}
CASE(moving_waiters) {
    int a = 1, b = 2;
    SHOW(futex_of_two(&a, FUTEX_REQUEUE, 1, 1, &b, 0)), SHOW(futex_of_two(&a, FUTEX_CMP_REQUEUE, 1, 1, &b, 1)), SHOW(futex_of_two(&a, FUTEX_CMP_REQUEUE, 1, 1, &b, 7)), SHOW(futex_of_two(&a, FUTEX_CMP_REQUEUE, -1, 1, &b, 1)), SHOW(futex_of_two(&a, FUTEX_CMP_REQUEUE, 1, -1, &b, 1)), SHOW(futex_of_two(&a, FUTEX_REQUEUE, 1, 1, (char *)&b + 1, 0)), SHOW(futex_of_two(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 2))), SHOW(b), SHOW(futex_of_two(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_GT, 2))), SHOW(b), SHOW(futex_of_two(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_LT, 2))), SHOW(b), SHOW(futex_of_two(&a, FUTEX_WAKE_OP, 1, 1, &b, FUTEX_OP(7, 1, 0, 0)));
}
CASE(between_processes) {
    int *words = shared(), status;
    for (int number = 0; number < 3; number++)
        if (fork() == 0)
            _exit(futex(words, FUTEX_WAIT, 0, &NEVER, NULL, 0) == 0 ? 10 : 1);
    int woken = 0;
    while (futex_of_two(words, FUTEX_CMP_REQUEUE, 0, 3, words + 1, 0), (woken += futex(words + 1, FUTEX_WAKE, 3, NULL, NULL, 0)) < 3)
        usleep(1000);
    SHOW(woken);
    for (int number = 0; number < 3; number++)
        wait(&status), SHOW(WEXITSTATUS(status));
    if (fork() == 0)
        _exit(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 6) == 0 ? 10 : 1);
    while (SHOW(futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 1)), usleep(30000), futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 4) == 0)
        ;
    wait(&status), SHOW(WEXITSTATUS(status));
}
CASE(with_inheritance) {
    int *words = shared(), status;
    SHOW(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0)), SHOW(words[0] == getpid()), SHOW(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0)), SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0)), SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)), SHOW(words[0]), SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)), SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0)), SHOW(words[0] == getpid());
    pid_t child = fork();
    if (child == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now), now.tv_nsec += 10000000, now.tv_sec += now.tv_nsec / 1000000000, now.tv_nsec %= 1000000000;
        SHOW(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0)), SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0)), SHOW(futex(words, FUTEX_LOCK_PI, 0, &now, NULL, 0)), SHOW(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0)), SHOW((words[0] & FUTEX_TID_MASK) == getpid()), SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
        _exit(7);
    }
    while (!(*(volatile int *)words & FUTEX_WAITERS))
        usleep(1000);
    usleep(50000);
    while (!(*(volatile int *)words & FUTEX_WAITERS))
        usleep(1000);
    futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), waitpid(child, &status, 0), SHOW(WEXITSTATUS(status)), SHOW(words[0]), words[0] = 1 << 22, SHOW(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0)), words[0] = FUTEX_WAITERS | 5, SHOW(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}
CASE(robust) {
    pthread_mutex_t *mutex = (void *)shared();
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how), pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST), pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED), pthread_mutexattr_settype(&how, PTHREAD_MUTEX_ERRORCHECK);
    SHOW(pthread_mutex_init(mutex, &how));
    if (fork() == 0)
        _exit(pthread_mutex_lock(mutex));
    wait(NULL), SHOW(pthread_mutex_lock(mutex) == EOWNERDEAD), SHOW(pthread_mutex_consistent(mutex)), SHOW(pthread_mutex_unlock(mutex)), SHOW(pthread_mutex_lock(mutex));
    if (fork() == 0)
        _exit(pthread_mutex_trylock(mutex) == EBUSY ? 4 : 5);
    int status;
    wait(&status), SHOW(WEXITSTATUS(status)), pthread_mutex_unlock(mutex);
    if (fork() == 0)
        pthread_mutex_lock(mutex), kill(getpid(), SIGKILL);
    wait(NULL), SHOW(pthread_mutex_lock(mutex) == EOWNERDEAD), SHOW(pthread_mutex_unlock(mutex)), SHOW(pthread_mutex_lock(mutex) == ENOTRECOVERABLE);
    struct robust_list_head *head = NULL;
    size_t length = 0;
    SHOW(syscall(SYS_get_robust_list, 0, &head, &length)), SHOW(head != NULL), SHOW(length == 3 * sizeof(long)), SHOW(syscall(SYS_get_robust_list, 1 << 22, &head, &length)), SHOW(syscall(SYS_get_robust_list, 0, 8, &length)), SHOW(syscall(SYS_set_robust_list, head, 1)), SHOW(syscall(SYS_set_robust_list, head, length));
}
CASE(inheriting_mutexes) {
    pthread_mutex_t *mutex = (void *)shared();
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how), pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST), pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED), pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT);
    SHOW(pthread_mutex_init(mutex, &how)), SHOW(pthread_mutex_lock(mutex));
    if (fork() == 0)
        _exit(pthread_mutex_lock(mutex) == 0 ? 3 : 4);
    usleep(20000), SHOW(pthread_mutex_unlock(mutex));
    int status;
    wait(&status), SHOW(WEXITSTATUS(status)), SHOW(pthread_mutex_lock(mutex) == EOWNERDEAD), SHOW(pthread_mutex_consistent(mutex)), SHOW(pthread_mutex_unlock(mutex));
}
CASE(barriers) {
    int commands = syscall(SYS_membarrier, 0, 0, 0);
    SHOW((commands & 1) != 0), SHOW((commands & 8) != 0), SHOW(syscall(SYS_membarrier, 1, 0, 0)), SHOW(syscall(SYS_membarrier, 8, 0, 0)), SHOW(syscall(SYS_membarrier, 16, 0, 0)), SHOW(syscall(SYS_membarrier, 8, 0, 0)), SHOW(syscall(SYS_membarrier, 1 << 20, 0, 0)), SHOW(syscall(SYS_membarrier, 0, 77, 0)), SHOW(syscall(SYS_membarrier, 3, 0, 0));
}
