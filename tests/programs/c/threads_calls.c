/* System calls of several threads at once: who waits is woken, who makes them for ever ends with the process, and each is
 * itself; code is thrown away meanwhile, and signals are for one of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int ping[2], pong[2];
static atomic_int wrong, stop;
static __thread volatile int handled;

static void *answer(void *unused) {
    unsigned char byte;
    while (read(ping[0], &byte, 1) == 1) {
        byte++;
        if (write(pong[1], &byte, 1) != 1) wrong++;
    }
    return NULL;
}

static void *check_identity(void *unused) {
    long me = syscall(SYS_gettid);
    for (int i = 0; i < 20000; i++)
        if (syscall(SYS_gettid) != me || syscall(SYS_getpid) == me) wrong++;
    return NULL;
}

static void *call_for_ever(void *unused) {
    struct timespec now;
    for (;;) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now), syscall(SYS_sched_yield);
}

static void on_signal(int number) { handled++; }

/* Ends once a signal has been handled here. */
static void *call_until_signal(void *unused) {
    char byte;
    int zero = open("/dev/zero", O_RDONLY);
    while (!handled && !stop)
        if (read(zero, &byte, 1) != 1 && errno != EINTR) wrong++;
    close(zero);
    return (void *)(long)handled;
}

int main(void) {
    pthread_t threads[4];
    if (pipe(ping) || pipe(pong)) return 1;
    pthread_create(&threads[0], NULL, answer, NULL);
    unsigned char byte = 0, back;
    for (int i = 0; i < 2000; i++, byte++)
        if (write(ping[1], &byte, 1) != 1 || read(pong[0], &back, 1) != 1 || back != (unsigned char)(byte + 1)) wrong++;
    close(ping[1]);
    pthread_join(threads[0], NULL);
    printf("answers: %d wrong\n", wrong);
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, check_identity, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    printf("identities: %d wrong\n", wrong);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    for (int round = 0; round < 10; round++) {
        void *result[2];
        for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, call_until_signal, NULL);
        usleep(2000);
        for (int i = 0; i < 2; i++) pthread_kill(threads[i], SIGUSR1);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], &result[i]), wrong += (long)result[i] != 1;
    }
    printf("signals: %d wrong\n", wrong);
    pthread_create(&threads[0], NULL, call_for_ever, NULL);
    /* mappings change, and the process forks, while it does */
    for (int i = 0; i < 50; i++) {
        void *some = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(some, 4096, PROT_READ | PROT_EXEC);
        munmap(some, 65536);
        pid_t child = i % 10 ? 0 : fork();
        if (!child && i % 10 == 0) _exit(7);
        int status = 7 << 8;
        if (child) waitpid(child, &status, 0);
        if (status != 7 << 8) wrong++;
    }
    printf("for ever: %d wrong\n", wrong);
    return 0;
}
