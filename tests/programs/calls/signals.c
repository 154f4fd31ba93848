#include "cases.h"
#include <sys/signalfd.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int count, codes[8];

static void handler(int number, siginfo_t *info, void *context) {
    (void)context;
    codes[count & 7] = info->si_code;
    count++;
    printf("handler %d code %d\n", number, info->si_code);
}
static void install(int number, int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}
static sigset_t set_of(int number) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, number);
    return set;
}

CASE(actions) {
    struct sigaction old;
    SHOW(sigaction(0, NULL, &old)), SHOW(sigaction(65, NULL, &old)), SHOW(sigaction(SIGKILL, NULL, &old));
    SHOW(sigaction(SIGKILL, &old, NULL)), SHOW(sigaction(SIGSTOP, &old, NULL));
    install(SIGUSR1, SA_RESTART);
    SHOW(sigaction(SIGUSR1, NULL, &old)), printf("%x %d\n", old.sa_flags & ~0x04000000, old.sa_sigaction == handler);
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8)), SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, (void *)8, 8));
}
CASE(masks) {
    sigset_t one = set_of(SIGUSR1), old;
    SHOW(sigprocmask(SIG_BLOCK, &one, &old)), SHOW(sigismember(&old, SIGUSR1));
    SHOW(sigprocmask(77, &one, NULL)), SHOW(sigprocmask(77, NULL, &old)), SHOW(sigismember(&old, SIGUSR1));
    sigset_t full;
    sigfillset(&full);
    SHOW(sigprocmask(SIG_SETMASK, &full, NULL)), SHOW(sigprocmask(SIG_SETMASK, NULL, &old));
    SHOW(sigismember(&old, SIGKILL)), SHOW(sigismember(&old, SIGSTOP)), SHOW(sigismember(&old, SIGTERM));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &one, NULL, 16)), SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8));
}
CASE(pending) {
    sigset_t one = set_of(SIGUSR1), now;
    install(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &one, NULL);
    SHOW(raise(SIGUSR1)), SHOW(raise(SIGUSR1)), SHOW(sigpending(&now)), SHOW(sigismember(&now, SIGUSR1));
    SHOW(sigprocmask(SIG_UNBLOCK, &one, NULL)), SHOW(count);
    sigprocmask(SIG_BLOCK, &one, NULL);
    raise(SIGUSR1), signal(SIGUSR1, SIG_IGN);
    SHOW(sigpending(&now)), SHOW(sigismember(&now, SIGUSR1));
}
CASE(sent_codes) {
    install(SIGUSR1, 0), install(SIGRTMIN, 0);
    SHOW(kill(getpid(), SIGUSR1)), SHOW(raise(SIGUSR1));
    SHOW(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}));
    SHOW(kill(getpid(), 0)), SHOW(kill(getpid(), 65)), SHOW(kill(getpid(), -1)), SHOW(kill(1 << 22, 0));
    siginfo_t info = {.si_code = 5};
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    SHOW(syscall(SYS_tgkill, getpid(), 1 << 22, SIGUSR1)), SHOW(syscall(SYS_tgkill, -1, getpid(), SIGUSR1));
    SHOW(syscall(SYS_tkill, 0, SIGUSR1)), SHOW(syscall(SYS_tkill, getpid(), SIGUSR1));
}
CASE(queued) {
    sigset_t one = set_of(SIGRTMIN);
    install(SIGRTMIN, 0);
    sigprocmask(SIG_BLOCK, &one, NULL);
    for (int number = 0; number < 3; number++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = number});
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    SHOW(count);
}
CASE(waiting) {
    siginfo_t info;
    sigset_t one = set_of(SIGUSR1);
    struct timespec soon = {0, 1000000};
    sigprocmask(SIG_BLOCK, &one, NULL);
    SHOW(sigtimedwait(&one, &info, &soon));
    raise(SIGUSR1);
    SHOW(sigtimedwait(&one, &info, &soon)), SHOW(info.si_signo), SHOW(info.si_pid == getpid());
    soon.tv_nsec = 2000000000;
    SHOW(sigtimedwait(&one, &info, &soon));
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
    SHOW(sigwaitinfo(&one, &info)), SHOW(info.si_value.sival_int), SHOW(info.si_code);
}
CASE(descriptors_of_signals) {
    sigset_t one = set_of(SIGUSR1);
    struct signalfd_siginfo info;
    sigprocmask(SIG_BLOCK, &one, NULL);
    int file = SHOW(signalfd(-1, &one, SFD_NONBLOCK));
    SHOW(read(file, &info, sizeof info));
    kill(getpid(), SIGUSR1);
    SHOW(read(file, &info, sizeof info)), SHOW(info.ssi_signo), SHOW(info.ssi_code), SHOW(info.ssi_pid == (unsigned)getpid());
    SHOW(read(file, &info, 3)), SHOW(signalfd(0, &one, 0)), SHOW(signalfd(-1, &one, 77));
}
static void silent(int number) { (void)number; }
static void install_silent(int flags) {
    struct sigaction action = {.sa_handler = silent, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
}
CASE(interrupted) {
    install_silent(0);
    /* Again and again, for the first may come before the call. */
    struct itimerval timer = {{0, 50000}, {0, 50000}};
    int ends[2];
    char byte;
    (void)!pipe(ends);
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(read(ends[0], &byte, 1));
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(pause());
    install_silent(SA_RESTART);
    setitimer(ITIMER_REAL, &timer, NULL);
    struct timespec time = {10, 0}, left = {0, 0};
    SHOW(nanosleep(&time, &left)), SHOW(left.tv_sec);
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(select(0, NULL, NULL, NULL, &(struct timeval){10, 0}));
    setitimer(ITIMER_REAL, &timer, NULL);
    sigset_t empty;
    sigemptyset(&empty);
    SHOW(sigsuspend(&empty));
}
CASE(nested) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESETHAND};
    sigaction(SIGUSR2, &action, NULL);
    struct sigaction now;
    raise(SIGUSR2);
    SHOW(sigaction(SIGUSR2, NULL, &now)), SHOW(now.sa_handler == SIG_DFL);
    raise(SIGUSR2);
}
CASE(alternate_stack) {
    stack_t stack = {.ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ}, old;
    SHOW(sigaltstack(NULL, &old)), SHOW(old.ss_flags);
    SHOW(sigaltstack(&stack, NULL)), SHOW(sigaltstack(NULL, &old)), SHOW(old.ss_size == (size_t)SIGSTKSZ), SHOW(old.ss_flags);
    stack.ss_size = 10;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = 99, stack.ss_size = SIGSTKSZ;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = SS_DISABLE;
    SHOW(sigaltstack(&stack, NULL)), SHOW(sigaltstack(NULL, &old)), SHOW(old.ss_flags);
    SHOW(sigaltstack((void *)8, NULL));
}
static void fault_handler(int number, siginfo_t *info, void *context) {
    (void)context;
    printf("fault %d code %d at %lx\n", number, info->si_code, (unsigned long)info->si_addr & 0xFFF);
    _exit(5);
}
static void on_fault(int number) {
    struct sigaction action = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO};
    sigaction(number, &action, NULL);
}
CASE(fault_unmapped) { on_fault(SIGSEGV); *(volatile int *)0x123 = 1; }
CASE(fault_protected) {
    on_fault(SIGSEGV);
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)(page + 0x45) = 1;
}
CASE(fault_bus) {
    on_fault(SIGBUS);
    int file = open("f", O_CREAT | O_RDWR, 0600);
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    *(volatile char *)(page + 0x67) = 1;
}
CASE(fault_blocked) {
    on_fault(SIGSEGV);
    sigset_t one = set_of(SIGSEGV);
    sigprocmask(SIG_BLOCK, &one, NULL);
    *(volatile int *)0x123 = 1;
}
CASE(fault_ignored) { signal(SIGSEGV, SIG_IGN); *(volatile int *)0x123 = 1; }
CASE(kill_default) { kill(getpid(), SIGTERM); }
CASE(kill_kill) { sigset_t full; sigfillset(&full); sigprocmask(SIG_SETMASK, &full, NULL); kill(getpid(), SIGKILL); }
CASE(kill_real_time) { kill(getpid(), SIGRTMIN + 3); }
CASE(harmless) { kill(getpid(), SIGCHLD), kill(getpid(), SIGURG), kill(getpid(), SIGWINCH), kill(getpid(), SIGCONT); puts("alive"); }
CASE(abort_blocked) { sigset_t full; sigfillset(&full); sigprocmask(SIG_SETMASK, &full, NULL); abort(); }
CASE(children) {
    install(SIGCHLD, SA_RESTART);
    if (fork() == 0)
        _exit(3);
    int status;
    SHOW(wait(&status) > 0), SHOW(WEXITSTATUS(status));
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(3);
    SHOW(wait(&status));
}
