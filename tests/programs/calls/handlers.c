#include "cases.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile int ticks;
static void tick(int number) { (void)number, ticks++; }
static void tell(int number, siginfo_t *info, void *context) {
    sigset_t now;
    (void)context, sigprocmask(SIG_BLOCK, NULL, &now);
    printf("signal %d code %d value %d, USR1 %d USR2 %d\n", number, info->si_code, info->si_code == SI_QUEUE || info->si_code == SI_TIMER ? info->si_value.sival_int : 0, sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2)), ticks++;
}
static void on(int number, int flags, int also_blocked) {
    struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    if (also_blocked)
        sigaddset(&action.sa_mask, also_blocked);
    sigaction(number, &action, NULL);
}
static sigset_t every(void) {
    sigset_t set;
    sigfillset(&set);
    return set;
}
/* Signals of this kind come again and again, for the first may come before what it is to interrupt. */
static void keep_ticking(int flags) {
    struct itimerval timer = {{0, 30000}, {0, 30000}};
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = tick, .sa_flags = flags}, NULL), setitimer(ITIMER_REAL, &timer, NULL);
}

CASE(order) {
    sigset_t full = every(), none;
    sigemptyset(&none), sigprocmask(SIG_SETMASK, &full, NULL);
    for (int number = SIGRTMIN + 2; number >= SIGRTMIN; number--)
        on(number, 0, 0), sigqueue(getpid(), number, (union sigval){.sival_int = number}), sigqueue(getpid(), number, (union sigval){.sival_int = -number});
    on(SIGUSR2, 0, SIGUSR1), on(SIGUSR1, 0, 0), on(SIGTERM, SA_NODEFER, 0), raise(SIGUSR2), raise(SIGUSR1), raise(SIGTERM), raise(SIGTERM);
    sigprocmask(SIG_SETMASK, &none, NULL), SHOW(ticks);
}
CASE(inside_handlers) {
    on(SIGUSR1, 0, SIGUSR2), on(SIGUSR2, SA_NODEFER, 0), on(SIGTERM, SA_RESETHAND, 0);
    raise(SIGUSR1), raise(SIGUSR2), raise(SIGTERM);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now), SHOW(sigismember(&now, SIGUSR1)), SHOW(sigismember(&now, SIGUSR2)), raise(SIGTERM);
}
CASE(queueing) {
    siginfo_t info = {.si_code = SI_QUEUE, .si_value.sival_int = 77}, told;
    sigset_t full = every();
    sigprocmask(SIG_SETMASK, &full, NULL);
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &info)), SHOW(sigwaitinfo(&full, &told)), SHOW(told.si_value.sival_int), SHOW(told.si_code), info.si_code = -60, SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN + 5, &info)), SHOW(sigwaitinfo(&full, &told) == SIGRTMIN + 5), SHOW(told.si_code), SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info)), info.si_code = 0, SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info)), info.si_code = SI_TKILL, SHOW(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info)), SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), 99, &info)), SHOW(syscall(SYS_rt_sigqueueinfo, 1 << 22, SIGUSR1, &info)), SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), 1 << 22, SIGUSR1, &info)), SHOW(syscall(SYS_rt_tgsigqueueinfo, -1, getpid(), SIGUSR1, &info)), SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info));
    SHOW(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1})), SHOW(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 2})), raise(SIGHUP), SHOW(sigtimedwait(&full, &told, &(struct timespec){0, 0})), SHOW(sigtimedwait(&full, &told, NULL) == SIGRTMIN), SHOW(told.si_value.sival_int), SHOW(sigtimedwait(&full, &told, NULL) == SIGRTMIN), SHOW(told.si_value.sival_int), SHOW(sigtimedwait(&full, &told, &(struct timespec){0, 0})), SHOW(sigtimedwait(&full, &told, &(struct timespec){0, -1}));
}
CASE(interrupting) {
    int ends[2], pair[2];
    char byte;
    (void)!pipe(ends), socketpair(AF_UNIX, SOCK_STREAM, 0, pair), keep_ticking(0);
    struct timespec long_ = {10, 0};
    pid_t child = fork();
    if (child == 0)
        pause(), pause(), pause(), pause(), _exit(0);
    SHOW(read(ends[0], &byte, 1)), SHOW(recv(pair[0], &byte, 1, 0)), SHOW(open("/dev/null", O_RDONLY) > 0), SHOW(waitpid(child, NULL, 0)), SHOW(nanosleep(&long_, NULL)), SHOW(clock_nanosleep(CLOCK_REALTIME, 0, &long_, NULL)), SHOW(sigwaitinfo(&(sigset_t){0}, NULL)), SHOW(syscall(SYS_futex, &(int){5}, 0, 5, NULL, NULL, 0)), SHOW(pause());
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), kill(child, SIGKILL), wait(NULL);
}
CASE(going_on) {
    int ends[2], pair[2], status;
    char byte;
    struct timeval time = {0, 200000};
    (void)!pipe(ends), socketpair(AF_UNIX, SOCK_STREAM, 0, pair), setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), keep_ticking(SA_RESTART);
    if (fork() == 0)
        usleep(150000), (void)!write(ends[1], "x", 1), usleep(150000), _exit(5);
    SHOW(read(ends[0], &byte, 1)), SHOW(wait(&status) > 0), SHOW(WEXITSTATUS(status)), SHOW(recv(pair[0], &byte, 1, 0)), SHOW(ticks >= 4), SHOW(poll(NULL, 0, 10000)), SHOW(select(0, NULL, NULL, NULL, &(struct timeval){10, 0})), SHOW(nanosleep(&(struct timespec){10, 0}, NULL)), SHOW(sigwaitinfo(&(sigset_t){0}, NULL));
}
static char area[65536];
static void on_other_stack(int number) {
    char here;
    stack_t inside, other = {.ss_sp = area, .ss_size = sizeof area};
    (void)number, SHOW(&here >= area && &here < area + sizeof area), SHOW(sigaltstack(NULL, &inside)), SHOW(inside.ss_flags), other.ss_flags = inside.ss_flags == SS_DISABLE ? 99 : 0, SHOW(sigaltstack(&other, NULL));
}
CASE(other_stacks) {
    stack_t stack = {.ss_sp = area, .ss_size = sizeof area}, now;
    SHOW(sigaltstack(&stack, NULL));
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_other_stack, .sa_flags = SA_ONSTACK}, NULL), raise(SIGUSR1), SHOW(sigaltstack(NULL, &now)), SHOW(now.ss_flags), stack.ss_flags = SS_ONSTACK, SHOW(sigaltstack(&stack, NULL)), stack.ss_flags = 1 << 31, SHOW(sigaltstack(&stack, NULL)), raise(SIGUSR1), SHOW(sigaltstack(NULL, &now)), printf("%x\n", now.ss_flags), stack.ss_flags = 3, SHOW(sigaltstack(&stack, NULL)), stack.ss_flags = 0, stack.ss_size = 2047, SHOW(sigaltstack(&stack, NULL)), SHOW(sigaltstack(NULL, NULL));
}
static void at_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    printf("%d %d\n", number, info->si_code), _exit(7);
}
static int down(volatile int level) {
    volatile char room[4096];
    room[level % 4096] = 1;
    return down(level + 1) + room[0];
}
CASE(no_room_on_the_stack) {
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&stack, NULL), sigaction(SIGSEGV, &(struct sigaction){.sa_sigaction = at_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK}, NULL);
    setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, 1 << 20});
    SHOW(down(0));
}
static void change(int number, siginfo_t *info, void *context) {
    (void)number, (void)info, sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}
CASE(changed_masks) {
    sigset_t now;
    sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = change, .sa_flags = SA_SIGINFO}, NULL), raise(SIGUSR1), sigprocmask(SIG_BLOCK, NULL, &now), SHOW(sigismember(&now, SIGUSR1)), SHOW(sigismember(&now, SIGUSR2));
    ucontext_t here;
    volatile int turns = 0;
    SHOW(getcontext(&here));
    if (turns++ < 2)
        setcontext(&here);
    SHOW(turns);
}
CASE(children_that_tell) {
    siginfo_t info;
    sigset_t one, full = every();
    sigemptyset(&one), sigaddset(&one, SIGCHLD), sigprocmask(SIG_SETMASK, &full, NULL);
    pid_t child = fork();
    if (child == 0)
        raise(SIGSTOP), _exit(3);
    SHOW(sigwaitinfo(&one, &info)), printf("%d %d %d %d\n", info.si_code, info.si_status, info.si_pid == child, info.si_uid == getuid()), SHOW(waitpid(child, NULL, WUNTRACED) == child), kill(child, SIGCONT), SHOW(sigwaitinfo(&one, &info)), printf("%d\n", info.si_code == CLD_CONTINUED || info.si_code == CLD_EXITED), SHOW(waitpid(child, NULL, 0) == child), sigtimedwait(&one, &info, &(struct timespec){0, 0});
    signal(SIGCHLD, SIG_DFL), sigaction(SIGCHLD, &(struct sigaction){.sa_handler = tick, .sa_flags = SA_NOCLDSTOP}, NULL), child = fork();
    if (child == 0)
        raise(SIGSTOP), kill(getpid(), SIGKILL);
    SHOW(waitpid(child, NULL, WUNTRACED) == child), SHOW(sigtimedwait(&one, &info, &(struct timespec){0, 0})), kill(child, SIGCONT), SHOW(sigwaitinfo(&one, &info)), printf("%d %d\n", info.si_code, info.si_status), SHOW(waitpid(child, NULL, 0) == child), sigaction(SIGCHLD, &(struct sigaction){.sa_handler = tick, .sa_flags = SA_NOCLDWAIT}, NULL);
    if (fork() == 0)
        _exit(3);
    SHOW(sigwaitinfo(&one, &info)), SHOW(waitpid(-1, NULL, 0));
}
CASE(timers_that_tell) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
    struct itimerspec time = {{0, 1000000}, {0, 1000000}}, now;
    sigset_t full = every();
    siginfo_t info;
    sigprocmask(SIG_SETMASK, &full, NULL), SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer)), SHOW(timer_settime(timer, 0, &time, NULL)), usleep(20000), SHOW(sigwaitinfo(&full, &info) == SIGRTMIN), SHOW(info.si_code), SHOW(info.si_value.sival_int), SHOW(info.si_overrun > 5), SHOW(timer_getoverrun(timer) > 5), time = (struct itimerspec){{0, 0}, {0, 0}}, SHOW(timer_settime(timer, 0, &time, &now)), SHOW(now.it_interval.tv_nsec), SHOW(timer_gettime(timer, &now)), SHOW(now.it_value.tv_nsec), SHOW(timer_delete(timer)), sigtimedwait(&full, &info, &(struct timespec){0, 0});
    event.sigev_notify = 4, event._sigev_un._tid = getpid(), SHOW(timer_create(CLOCK_REALTIME, &event, &timer)), clock_gettime(CLOCK_REALTIME, &time.it_value), SHOW(timer_settime(timer, TIMER_ABSTIME, &time, NULL)), SHOW(sigwaitinfo(&full, &info) == SIGRTMIN), time.it_value = (struct timespec){0, 1000000000}, SHOW(timer_settime(timer, 0, &time, NULL)), SHOW(timer_delete(timer)), SHOW(syscall(SYS_timer_delete, 9999)), SHOW(syscall(SYS_timer_gettime, 9999, &now)), SHOW(syscall(SYS_timer_getoverrun, 9999)), event._sigev_un._tid = 1, SHOW(timer_create(CLOCK_REALTIME, &event, &timer)), event.sigev_notify = 77, SHOW(timer_create(CLOCK_REALTIME, &event, &timer)), SHOW(timer_create(CLOCK_REALTIME, NULL, &timer)), time.it_value = (struct timespec){0, 1000000}, SHOW(timer_settime(timer, 0, &time, NULL)), SHOW(sigwaitinfo(&full, &info)), SHOW(info.si_code);
}
