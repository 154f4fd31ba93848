/* Signals: handlers with information and context, masks, pending ones, alternate stack, timers, restarts, recovery from faults. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support.h"
static volatile sig_atomic_t seen, order, sender_ok, ticks;
static sigjmp_buf recover;
static void *volatile fault_address;
static volatile int fault_code, on_other_stack;
static char stack[65536];

static void simple(int number) {
    seen = number;
    order = order * 10 + (number == SIGUSR1 ? 1 : 2);
}
static void detailed(int number, siginfo_t *info, void *context) {
    seen = number;
    sender_ok = info->si_pid == getpid() && info->si_signo == number && context != NULL;
}
static void queued(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    order = info->si_value.sival_int;
}
static void fault(int number, siginfo_t *info, void *context) {
    (void)context;
    char here;
    on_other_stack = &here > stack && &here < stack + sizeof stack;
    fault_address = info->si_addr;
    fault_code = info->si_code;
    siglongjmp(recover, number);
}
static void tick(int number) {
    (void)number;
    ticks++;
}
static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = handler;
    a.sa_flags = SA_SIGINFO | flags;
    sigaction(number, &a, NULL);
}

int main(void) {
    signal(SIGUSR1, simple);
    signal(SIGUSR2, simple);
    raise(SIGUSR1);
    printf("%d\n", seen == SIGUSR1);
    install(SIGUSR2, detailed, 0);
    kill(getpid(), SIGUSR2);
    printf("%d %d\n", seen == SIGUSR2, (int)sender_ok);
    signal(SIGUSR2, simple);
    order = 0;
    sigset_t set, old, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigpending(&pending);
    printf("%d %d %d\n", (int)order, sigismember(&pending, SIGUSR1), sigismember(&pending, SIGINT));
    sigprocmask(SIG_SETMASK, &old, NULL);
    printf("%d\n", order == 12 || order == 21);
    install(SIGRTMIN, queued, 0);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1234});
    printf("%d\n", (int)order);
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&other, NULL);
    install(SIGSEGV, fault, SA_ONSTACK);
    install(SIGFPE, fault, 0);
    char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int got = sigsetjmp(recover, 1);
    if (!got) page[4100] = 1;
    printf("%d %ld %d %d\n", got, (long)((char *)fault_address - page), fault_code, on_other_stack);
    munmap(page, 8192);
    got = sigsetjmp(recover, 1);
    if (!got) return page[17];
    printf("%d %ld %d\n", got, (long)((char *)fault_address - page), fault_code);
#ifdef __x86_64__
    volatile int zero = 0, one = 1;
    got = sigsetjmp(recover, 1);
    if (!got) one /= zero;
    printf("%d %d\n", got, fault_code == FPE_INTDIV);
#endif
    signal(SIGALRM, tick);
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    volatile uint64_t spins = 0;
    while (ticks < 5) spins++;
    timer = (struct itimerval){{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%d\n", ticks >= 5);
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = tick;
    sigaction(SIGALRM, &a, NULL);
    ualarm(3000, 3000); /* again and again: the first may come before the read */
    int ends[2];
    if (pipe(ends)) return 1;
    char c;
    ssize_t n = read(ends[0], &c, 1);
    printf("%zd %d\n", n, n < 0 && errno == EINTR);
    ualarm(0, 0);
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    pid_t child = fork();
    if (!child) {
        usleep(30000);
        n = write(ends[1], "x", 1);
        _exit(n != 1);
    }
    ualarm(3000, 0);
    n = read(ends[0], &c, 1);
    printf("%zd %c\n", n, c);
    wait(NULL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    a.sa_handler = simple;
    a.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGUSR2, &a, NULL);
    raise(SIGUSR2);
    sigaction(SIGUSR2, NULL, &a);
    printf("%d\n", a.sa_handler == SIG_DFL);
    sigaddset(&old, SIGUSR1);
    sigprocmask(SIG_BLOCK, &old, NULL);
    signal(SIGUSR1, simple);
    raise(SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int number;
    sigwait(&set, &number);
    printf("%d\n", number);
    return 0;
}
