/* Signals that come from outside: what they tell, that none is lost that queues, and timers too fast to keep up with.
 * qemu: 7.2 starts riscv64 programs only where binfmt_misc is set up
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "support.h"

enum { MOST = 40 };
static volatile int count, values[MOST], codes[MOST], senders[MOST];
static volatile sig_atomic_t ends;
static timer_t timer;

static void note(int number, siginfo_t *info, void *context) {
    (void)context;
    if (count < MOST) {
        codes[count] = info->si_code;
        senders[count] = info->si_pid;
        values[count] = number == SIGCHLD ? info->si_status : info->si_value.sival_int;
    }
    count++;
}

static void on_timer(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    if (++count < MOST) return;
    struct itimerspec never = {{0, 0}, {0, 0}};
    timer_settime(timer, 0, &never, NULL);
    ends = info->si_code == SI_TIMER && info->si_value.sival_int == 77;
}

static void on_alarm(int number) {
    (void)number;
    struct itimerval never = {{0, 0}, {0, 0}};
    if (++count == MOST) setitimer(ITIMER_REAL, &never, NULL);
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void queued(int waits) {
    count = 0;
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (!child) {
        for (int i = 0; i < 20; i++) {
            union sigval value = {.sival_int = i * i};
            while (sigqueue(parent, SIGRTMIN + 3, value) && errno == EAGAIN) usleep(1000);
        }
        _exit(0);
    }
    while (count < 20)
        if (waits) usleep(1000);
    int status, right = 0;
    waitpid(child, &status, 0);
    for (int i = 0; i < 20; i++) right += values[i] == i * i && codes[i] == SI_QUEUE && senders[i] == child;
    printf("%d signals, %d right\n", count, right);
}

int main(void) {
    handle(SIGRTMIN + 3, note, SA_RESTART);
    queued(0);
    queued(1);
    handle(SIGUSR1, note, 0);
    count = 0;
    fflush(stdout);
    pid_t parent = getpid(), child = fork();
    if (!child) {
        kill(parent, SIGUSR1);
        _exit(7);
    }
    while (!count) usleep(1000);
    printf("%d %d\n", codes[0] == SI_USER, senders[0] == child);
    waitpid(child, NULL, 0);
    handle(SIGCHLD, note, 0);
    count = 0;
    child = fork();
    if (!child) _exit(23);
    while (!count) usleep(1000);
    printf("%d %d %d\n", codes[0] == CLD_EXITED, senders[0] == child, values[0]);
    waitpid(child, NULL, 0);
    signal(SIGCHLD, SIG_DFL);
    handle(SIGRTMIN + 1, on_timer, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77};
    struct itimerspec fast = {{0, 1000}, {0, 1000}};
    count = 0;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &fast, NULL);
    while (count < MOST);
    printf("%d expirations told, %d\n", count, (int)ends);
    timer_delete(timer);
    signal(SIGALRM, on_alarm);
    struct itimerval alarms = {{0, 1}, {0, 1}};
    count = 0;
    setitimer(ITIMER_REAL, &alarms, NULL);
    while (count < MOST);
    printf("%d alarms\n", count >= MOST);
    return 0;
}
