/* Signal frames of 32-bit programs: both kinds, what they tell, and what is taken back from them. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static char *page;
static volatile int plain;
static unsigned char *alternate;

static void fault(int number, siginfo_t *info, void *pointer) {
    ucontext_t *context = pointer;
    greg_t *registers = context->uc_mcontext.gregs;
    printf("signal %d code %d", number, info->si_code);
    if (number == SIGSEGV && info->si_code > 0 && info->si_code < 0x80)
        printf(" at %d, error %x, cr2 %d", (char *)info->si_addr - page, (unsigned)registers[REG_ERR],
               (int)(context->uc_mcontext.cr2 - (unsigned long)page));
    printf(", trap %d, ebx %x, cs %x ds %x ss %x", (int)registers[REG_TRAPNO], (unsigned)registers[REG_EBX],
           registers[REG_CS] & 0xffff, registers[REG_DS] & 0xffff, registers[REG_SS] & 0xffff);
    unsigned char here = 0;
    printf(", on the alternate stack %d\n", &here >= alternate && &here < alternate + 65536);
    unsigned char *code = (unsigned char *)registers[REG_EIP];
    if (number == SIGSEGV && code[0] == 0xc6) registers[REG_EIP] += 3;        /* mov byte ptr [eax], imm */
    else if (number == SIGFPE) registers[REG_EIP] += 2;                       /* div ecx */
    else if (number == SIGSEGV && code[0] == 0x62) registers[REG_EIP] += 2;   /* bound */
    else if (number == SIGILL) registers[REG_EIP] += 2;                       /* ud2 */
    registers[REG_ESI] = 0x1234;
    registers[REG_EFL] |= 1;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaction(number, &action, 0);
}

static void faults(void) {
    unsigned esi, carry;
    page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    plain = *(volatile char *)page; /* so that there is a page */
    alternate = malloc(65536);
    stack_t stack = {.ss_sp = alternate, .ss_size = 65536}, old;
    sigaltstack(&stack, 0);
    sigaltstack(0, &old);
    printf("alternate %d %d %d\n", old.ss_sp == alternate, old.ss_flags, (int)old.ss_size);
    handle(SIGSEGV, fault, SA_ONSTACK);
    handle(SIGFPE, fault, 0);
    handle(SIGILL, fault, 0);
    handle(SIGTRAP, fault, 0);
    asm volatile("clc; mov $0xabcd, %%ebx; movb $5, (%2); sbb %1, %1" : "=&S"(esi), "=&r"(carry) : "a"(page + 5) : "ebx", "cc");
    printf("esi %x carry %d\n", esi, carry);
    asm volatile("mov $1, %%ebx; xor %%ecx, %%ecx; mov $7, %%eax; cdq; div %%ecx" ::: "eax", "ebx", "ecx", "edx", "esi", "cc");
    asm volatile("mov $2, %%ebx; ud2" ::: "ebx", "esi", "cc");
    asm volatile("mov $3, %%ebx; int3" ::: "ebx", "esi", "cc");
    int range[2] = {3, 5};
    asm volatile("mov $4, %%ebx; mov $9, %%eax; bound %%eax, (%0)" :: "c"(range) : "eax", "ebx", "esi", "cc");
    asm volatile("mov $5, %%ebx; movb $127, %%al; addb $127, %%al; into" ::: "eax", "ebx", "esi", "cc");
    asm volatile("mov $6, %%ebx; mov $0xff80, %%eax; mov %%eax, %0; movb $1, %%al" : "=m"(range[0]) :: "eax", "ebx");
}

static void numbers(int number, siginfo_t *info, void *pointer) {
    ucontext_t *context = pointer;
    struct _libc_fpstate *state = context->uc_mcontext.fpregs;
    printf("top of the stack %04x%08lx%08lx, control %lx, status %lx, tags %lx\n", state->_st[0].exponent,
           *(unsigned long *)&state->_st[0].significand[2], *(unsigned long *)&state->_st[0].significand[0],
           state->cw & 0xffff, state->sw & 0xffff, state->tag & 0xffff);
    unsigned char *extended = (unsigned char *)state + 112;
    printf("mxcsr %x, xmm1 %x\n", *(unsigned *)(extended + 24), *(unsigned *)(extended + 160 + 16));
    *(unsigned *)(extended + 160 + 16) = 0x11223344;
    state->_st[0].significand[3] ^= 0x4000;
    state->cw = (state->cw & ~0xffff) | 0x27f;
}

static void floating(void) {
    handle(SIGUSR1, numbers, 0);
    long double x = 1.5L, y;
    unsigned vector[4] = {0xcafe, 1, 2, 3}, back[4];
    unsigned short control;
    asm volatile("fldt %3; movdqu %4, %%xmm1; mov %5, %%ebx; mov %6, %%ecx; mov %7, %%eax; int $0x80;"
                 "fnstcw %2; fstpt %0; movdqu %%xmm1, %1"
                 : "=m"(y), "=m"(back), "=m"(control)
                 : "m"(x), "m"(vector), "g"(getpid()), "i"(SIGUSR1), "i"(SYS_kill)
                 : "eax", "ebx", "ecx", "xmm1", "memory");
    printf("%.6Lf %x %x %x\n", y, back[0], back[1], control);
}

static void without_information(int number) { plain = number; }

static void tell(int number, siginfo_t *info, void *pointer) {
    printf("signal %d code %d from us %d value %d\n", number, info->si_code, info->si_pid == getpid(),
           info->si_value.sival_int);
}

static void child(int number, siginfo_t *info, void *pointer) {
    printf("child: code %d status %d\n", info->si_code, info->si_status);
}

static void timer(int number, siginfo_t *info, void *pointer) {
    printf("timer: signal %d\n", number);
}

static void others(void) {
    struct sigaction action = {.sa_handler = without_information};
    sigaddset(&action.sa_mask, SIGRTMIN + 3);
    sigaction(SIGUSR2, &action, 0);
    raise(SIGUSR2);
    printf("plain %d\n", plain);
    struct sigaction before;
    sigaction(SIGUSR2, 0, &before);
    printf("%d %d\n", before.sa_handler == without_information, sigismember(&before.sa_mask, SIGRTMIN + 3));
    handle(SIGRTMIN, tell, 0);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = -77});
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, &old);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 99});
    siginfo_t info;
    struct timespec wait = {1, 0};
    printf("waited for %d", sigtimedwait(&set, &info, &wait) - SIGRTMIN);
    printf(": %d %d\n", info.si_code, info.si_value.sival_int);
    wait = (struct timespec){0, 1000};
    printf("%d %d\n", sigtimedwait(&set, &info, &wait), errno == EAGAIN);
    handle(SIGCHLD, child, 0);
    pid_t one = fork();
    if (one == 0) _exit(7);
    waitpid(one, 0, 0);
    handle(SIGALRM, timer, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 42};
    timer_t made;
    struct itimerspec when = {.it_value = {0, 1000000}}, left;
    sigset_t nothing;
    sigemptyset(&set), sigaddset(&set, SIGALRM), sigemptyset(&nothing);
    sigprocmask(SIG_BLOCK, &set, 0);
    timer_create(CLOCK_MONOTONIC, &event, &made);
    timer_settime(made, 0, &when, 0);
    timer_gettime(made, &left);
    printf("%d %d\n", (int)left.it_value.tv_sec, left.it_value.tv_nsec <= 1000000);
    sigsuspend(&nothing);
    struct itimerval alarm = {.it_value = {0, 2000}}, rest;
    setitimer(ITIMER_REAL, &alarm, 0);
    getitimer(ITIMER_REAL, &rest);
    printf("%d\n", (int)rest.it_value.tv_sec);
    sigset_t all;
    sigemptyset(&all);
    sigsuspend(&all);
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    faults();
    floating();
    others();
    return 0;
}
