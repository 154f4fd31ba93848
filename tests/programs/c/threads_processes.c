/* Threads and processes: fork and posix_spawn from threads, what becomes of the other threads, robust mutexes shared with
 * a process that dies, programs started by any thread, and ends that come from any thread.
 * qemu: 7.2 tells a parent nothing of a failed posix_spawn, and hangs in the rest
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static volatile int stop;
static char *self;

static void *busy(void *argument) {
    volatile long *count = argument;
    while (!stop)
        ++*count;
    return NULL;
}

static void *block(void *argument) {
    pause();
    return NULL;
}

static void *nothing(void *argument) { return argument; }

static const char *end_of(int status) {
    static char text[64];
    if (WIFEXITED(status))
        snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
    else
        snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
    return text;
}

static void *fork_from_thread(void *argument) {
    long results = 0;
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            /* it is the only thread, has the process's id, and can have threads of its own */
            pthread_t thread;
            void *result = NULL;
            if (syscall(SYS_gettid) != getpid())
                _exit(1);
            pthread_create(&thread, NULL, nothing, (void *)7);
            pthread_join(thread, &result);
            _exit(result == (void *)7 ? 10 + i : 2);
        }
        int status;
        waitpid(child, &status, 0);
        results = results * 100 + (WIFEXITED(status) ? WEXITSTATUS(status) : 99);
    }
    return (void *)results;
}

static void *spawn_from_thread(void *argument) {
    char *arguments[] = {self, "child", NULL};
    pid_t child;
    int status, error = posix_spawn(&child, self, NULL, NULL, arguments, environ);
    if (error) {
        printf("posix_spawn: %s\n", strerror(error));
        return NULL;
    }
    waitpid(child, &status, 0);
    printf("spawned: %s\n", end_of(status));
    char *missing[] = {"/no/such/program", NULL};
    printf("missing: %s\n", strerror(posix_spawn(&child, missing[0], NULL, NULL, missing, environ)));
    return NULL;
}

/* --- a stack of one thread beside what another writes, while the first waits for a vfork'ed child ------------------- */
#define STACK (64 << 10)
#define BEHIND 512

static void *vfork_from_thread(void *argument) {
    volatile int told = 0;
    pid_t child = vfork();
    if (child == 0) {
        told = 7;
        usleep(100000);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    stop = 1;
    return (void *)(intptr_t)told;
}

static void beside_a_stack(void) {
    char *area = mmap(NULL, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile long *words = (long *)(area + STACK);
    long wrong = 0, told = 0;
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        pthread_attr_t attributes;
        void *result;
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, area, STACK);
        stop = 0;
        pthread_create(&thread, &attributes, vfork_from_thread, NULL);
        for (long count = 0; !stop; count++)
            for (int i = 0; i < BEHIND; i++) {
                wrong += count != 0 && words[i] != count - 1 + i;
                words[i] = count + i;
            }
        pthread_join(thread, &result);
        told += (intptr_t)result;
        memset((void *)words, 0, 4096);
    }
    stop = 0;
    munmap(area, STACK + 4096);
    printf("beside a stack: %ld wrong, told %ld\n", wrong, told);
}

/* --- robust mutexes ------------------------------------------------------------------------------------------------ */
static pthread_mutex_t *shared;
static sem_t *held;

static void *die_holding(void *argument) {
    pthread_mutex_lock(&shared[0]);
    pthread_mutex_lock(&shared[1]);
    sem_post(held);
    return NULL;
}

static void *wait_for_it(void *argument) {
    int error = pthread_mutex_lock(&shared[0]);
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(&shared[0]);
    pthread_mutex_unlock(&shared[0]);
    return (void *)(intptr_t)error;
}

static void robust(void) {
    pthread_mutexattr_t attributes;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    held = (sem_t *)&shared[2];
    sem_init(held, 1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    for (int how = 0; how < 4; how++) {
        pthread_mutex_init(&shared[0], &attributes);
        pthread_mutex_init(&shared[1], &attributes);
        pthread_t thread;
        if (how == 0) {
            pthread_create(&thread, NULL, die_holding, NULL);
            pthread_join(thread, NULL);
        } else if (fork() == 0) {
            die_holding(NULL);
            usleep(20000); /* others come to wait */
            if (how == 2)
                _exit(0);
            if (how == 3)
                execl(self, self, "child", NULL);
            pthread_create(&thread, NULL, block, NULL);
            exit(0);
        }
        sem_wait(held);
        pthread_t waiter;
        void *result;
        pthread_create(&waiter, NULL, wait_for_it, NULL);
        pthread_join(waiter, &result);
        printf("owner dead: %d, then %d;", (intptr_t)result == EOWNERDEAD, pthread_mutex_lock(&shared[1]) == EOWNERDEAD);
        pthread_mutex_unlock(&shared[1]);
        printf(" and not made consistent: %d\n", pthread_mutex_lock(&shared[1]) == ENOTRECOVERABLE);
        if (how)
            wait(NULL);
    }
}

/* --- ends ---------------------------------------------------------------------------------------------------------- */
static pthread_t first;

static void *end_by(void *argument) {
    switch ((intptr_t)argument) {
    case 0:
        pthread_join(first, NULL); /* exit unregisters what a thread that ends unwinds by */
        exit(30);
    case 1:
        _exit(31);
    case 2:
        abort();
    case 3:
        *(volatile int *)8 = 1;
        break;
    case 4:
        execl(self, self, "child", NULL);
        break;
    case 5:
        kill(getpid(), SIGTERM);
        pause();
        break;
    case 6:
        usleep(3000);
        break;
    case 7:
        execl(self, self, "pid", NULL);
        break;
    }
    return NULL;
}

static void ends(void) {
    for (intptr_t way = 0; way < 8; way++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            static volatile long count;
            pthread_t thread;
            first = pthread_self();
            pthread_create(&thread, NULL, busy, (void *)&count);
            pthread_create(&thread, NULL, block, NULL);
            if (way == 6)
                stop = 1, pthread_cancel(thread);
            pthread_create(&thread, NULL, end_by, (void *)way);
            if (way % 2 == 0)
                pthread_exit(NULL);
            pause();
            _exit(99);
        }
        int status;
        waitpid(child, &status, 0);
        printf("way %d: %s\n", (int)way, end_of(status));
    }
}

int main(int count, char **arguments) {
    if (count > 1 && !strcmp(arguments[1], "child"))
        return 42;
    if (count > 1 && !strcmp(arguments[1], "pid")) {
        pthread_t thread;
        void *result = NULL;
        pthread_create(&thread, NULL, nothing, (void *)3);
        pthread_join(thread, &result);
        pthread_create(&thread, NULL, block, NULL);
        return syscall(SYS_gettid) == getpid() && getppid() == atoi(getenv("PARENT")) ? 40 + (int)(intptr_t)result : 1;
    }
    static long counts[2];
    pthread_t threads[2], thread;
    void *result;
    char parent[16];
    self = arguments[0];
    snprintf(parent, sizeof parent, "%d", getpid());
    setenv("PARENT", parent, 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, busy, &counts[i]);
    pthread_create(&thread, NULL, fork_from_thread, NULL);
    pthread_join(thread, &result);
    printf("forked: %ld\n", (long)result);
    pthread_create(&thread, NULL, spawn_from_thread, NULL);
    pthread_join(thread, NULL);
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    stop = 0;
    beside_a_stack();
    robust();
    ends();
    return 0;
}
