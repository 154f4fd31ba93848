/* Signals and threads: sent to one of them, sent to the process and taken by whoever does not block them, waited for,
 * masks of their own, calls that they interrupt, timers; and faults, which each thread handles on its own stack.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static __thread volatile int number, handled;
static volatile int taken_by[65], times;
static sem_t ready, done;

static void note(int signal) {
    handled++;
    taken_by[signal] = number;
    __atomic_add_fetch(&times, 1, __ATOMIC_SEQ_CST);
}

static void handle(int signal, int flags) {
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};
    sigaction(signal, &action, NULL);
}

static void mask(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(how, &set, NULL);
}

static void *compute_until_told(void *argument) {
    number = (int)(intptr_t)argument;
    sem_post(&ready);
    for (volatile long i = 0; !handled; i++)
        ;
    return (void *)(intptr_t)handled;
}

static void *sleep_until_told(void *argument) {
    number = (int)(intptr_t)argument;
    struct timespec long_time = {1000, 0};
    sem_post(&ready);
    int result = nanosleep(&long_time, NULL);
    printf("sleep: %d %s\n", result, strerror(errno));
    return (void *)(intptr_t)handled;
}

static int ends[2];

static void *read_until_told(void *argument) {
    number = (int)(intptr_t)argument;
    char byte = 0;
    sem_post(&ready);
    long result = read(ends[0], &byte, 1);
    printf("read: %ld %s, handled %d\n", result, result < 0 ? strerror(errno) : "ok", handled > 0);
    return (void *)(intptr_t)handled;
}

static void *wait_for_signal(void *argument) {
    sigset_t set;
    siginfo_t info;
    number = (int)(intptr_t)argument;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sem_post(&ready);
    int signal = sigwaitinfo(&set, &info);
    printf("waited for %d, code %d, from %s\n", signal, info.si_code, info.si_pid == getpid() ? "here" : "elsewhere");
    struct timespec soon = {0, 3000000};
    printf("no more: %d %s\n", sigtimedwait(&set, &info, &soon), strerror(errno));
    return NULL;
}

static void *leave_unblocked(void *argument) {
    number = (int)(intptr_t)argument;
    mask(SIG_UNBLOCK, SIGTERM);
    sem_post(&ready);
    while (!handled)
        usleep(1000);
    return NULL;
}

static void *take_alarm(void *argument) {
    number = (int)(intptr_t)argument;
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    sigdelset(&set, SIGALRM);
    sem_post(&ready);
    while (!handled)
        sigsuspend(&set);
    return NULL;
}

/* Signals to a thread that is on its way into a call, until it has left it: one that came too early is not the last. */
static void interrupt(pthread_t thread, void **result) {
    do {
        pthread_kill(thread, SIGUSR1);
        usleep(5000);
    } while (pthread_tryjoin_np(thread, result));
}

/* --- faults -------------------------------------------------------------------------------------------------------- */
static __thread sigjmp_buf back;
static __thread char *low, *high;
static volatile int elsewhere;

static void fault(int signal) {
    char here;
    if (&here < low || &here >= high)
        elsewhere++;
    siglongjmp(back, signal);
}

static void *provoke(void *argument) {
    static const int stack_size = 65536;
    volatile long caught = 0;
    low = malloc(stack_size);
    high = low + stack_size;
    stack_t stack = {.ss_sp = low, .ss_size = stack_size};
    sigaltstack(&stack, NULL);
    for (int i = 0; i < 300; i++)
        if (sigsetjmp(back, 1) == 0)
            *(volatile int *)(uintptr_t)(16 * i + 4) = i;
        else
            caught++;
    return (void *)caught;
}

static void *storm(void *argument) {
    number = 1;
    mask(SIG_UNBLOCK, SIGUSR1);
    unsigned long sum = 0;
    for (int i = 0; i < 3000000; i++)
        sum += i ^ sum >> 3;
    sem_post(&done);
    return (void *)sum;
}

int main(void) {
    pthread_t thread, others[4];
    void *result;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sem_init(&ready, 0, 0);
    sem_init(&done, 0, 0);

    handle(SIGUSR1, 0);
    pthread_create(&thread, NULL, compute_until_told, (void *)1);
    sem_wait(&ready);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, &result);
    printf("computing: taken by %d, %ld times\n", taken_by[SIGUSR1], (long)(intptr_t)result);

    pthread_create(&thread, NULL, sleep_until_told, (void *)2);
    sem_wait(&ready);
    usleep(5000);
    interrupt(thread, &result);
    printf("sleeping: taken by %d, %d\n", taken_by[SIGUSR1], result != 0);

    for (int restart = 0; restart < 2; restart++) {
        handle(SIGUSR1, restart ? SA_RESTART : 0);
        if (pipe(ends))
            return 1;
        pthread_create(&thread, NULL, read_until_told, (void *)3);
        sem_wait(&ready);
        usleep(5000);
        if (restart) {
            pthread_kill(thread, SIGUSR1);
            usleep(5000);
            if (write(ends[1], "x", 1) != 1)
                return 1;
            pthread_join(thread, &result);
        } else {
            interrupt(thread, &result);
        }
        close(ends[0]);
        close(ends[1]);
    }

    /* for the process: whoever does not block it */
    handle(SIGTERM, 0);
    mask(SIG_BLOCK, SIGTERM);
    pthread_create(&thread, NULL, leave_unblocked, (void *)4);
    sem_wait(&ready);
    kill(getpid(), SIGTERM);
    pthread_join(thread, NULL);
    printf("for the process: taken by %d\n", taken_by[SIGTERM]);

    handle(SIGALRM, 0);
    mask(SIG_BLOCK, SIGALRM);
    pthread_create(&thread, NULL, leave_unblocked, (void *)5);
    sem_wait(&ready);
    kill(getpid(), SIGTERM);
    pthread_join(thread, NULL);
    sigset_t pending;
    kill(getpid(), SIGALRM);
    sigpending(&pending);
    printf("blocked by all: pending %d, taken by %d\n", sigismember(&pending, SIGALRM), taken_by[SIGALRM]);
    mask(SIG_UNBLOCK, SIGALRM);
    printf("unblocked: handled %d, taken by %d\n", taken_by[SIGALRM] == 0 && handled > 0, taken_by[SIGALRM]);

    /* from outside, as far as the process can tell: the host's kernel sends it, to whoever does not block it */
    mask(SIG_BLOCK, SIGALRM);
    pthread_create(&thread, NULL, take_alarm, (void *)8);
    sem_wait(&ready);
    struct itimerval soon = {{0, 0}, {0, 3000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    pthread_join(thread, &result);
    printf("from outside: taken by %d\n", taken_by[SIGALRM]);
    mask(SIG_UNBLOCK, SIGALRM);

    /* waited for */
    mask(SIG_BLOCK, SIGUSR2);
    for (int i = 0; i < 2; i++) {
        pthread_create(&thread, NULL, wait_for_signal, (void *)6);
        sem_wait(&ready);
        usleep(i ? 3000 : 0);
        if (i)
            kill(getpid(), SIGUSR2);
        else
            pthread_kill(thread, SIGUSR2);
        pthread_join(thread, NULL);
    }

    /* an interval timer interrupts the main thread while others compute */
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    times = 0;
    pthread_create(&thread, NULL, leave_unblocked, (void *)7);
    sem_wait(&ready);
    setitimer(ITIMER_REAL, &often, NULL);
    while (times < 10)
        pause();
    setitimer(ITIMER_REAL, &never, NULL);
    kill(getpid(), SIGTERM);
    pthread_join(thread, NULL);
    printf("ticks: enough\n");

    /* faults in several threads at once */
    struct sigaction action = {.sa_handler = fault, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    long caught = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&others[i], NULL, provoke, NULL);
    for (int i = 0; i < 4; i++) {
        pthread_join(others[i], &result);
        caught += (long)result;
    }
    printf("faults: %ld caught, %d elsewhere\n", caught, elsewhere);

    /* a storm of signals changes nothing */
    unsigned long expected;
    handle(SIGUSR1, SA_RESTART);
    mask(SIG_BLOCK, SIGUSR1);
    expected = (unsigned long)storm(NULL);
    sem_wait(&done);
    for (int i = 0; i < 2; i++)
        pthread_create(&others[i], NULL, storm, NULL);
    for (int i = 0, value = 0; value < 2 && i < 100000; i++) {
        for (int k = 0; k < 2; k++)
            pthread_kill(others[k], SIGUSR1);
        sem_getvalue(&done, &value);
        usleep(100);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(others[i], &result);
        printf("storm: %s\n", (unsigned long)result == expected ? "same" : "different");
    }
    return 0;
}
