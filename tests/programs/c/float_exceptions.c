/* Unmasked SSE exceptions: SIGFPE, its code and address, MXCSR in the handler, in its frame and behind it.
 * guests: x86_64
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <xmmintrin.h>

static sigjmp_buf back;
static volatile double one = 1, zero = 0, huge = 1e308, tiny = 1e-308, third = 3;
static int resumed;

static void jump_back(int signal, siginfo_t *info, void *context) {
    ucontext_t *frame = context;
    printf("signal %d code %d at the instruction %d, handler %x, frame %x\n", signal, info->si_code,
           info->si_addr == (void *)frame->uc_mcontext.gregs[REG_RIP], _mm_getcsr(), frame->uc_mcontext.fpregs->mxcsr);
    siglongjmp(back, 1);
}

static void mask_and_resume(int signal, siginfo_t *info, void *context) {
    ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr |= _MM_MASK_MASK;
    resumed += signal == SIGFPE && info->si_code == 3;
}

static void try(const char *name, unsigned unmasked, volatile double *a, volatile double *b, char operation) {
    volatile double result = 42;
    if (sigsetjmp(back, 1) == 0) {
        _mm_setcsr((0x1f80 & ~unmasked));
        switch (operation) {
        case '+': result = *a + *b; break;
        case '*': result = *a * *b; break;
        default: result = *a / *b;
        }
    }
    unsigned after = _mm_getcsr();
    _mm_setcsr(0x1f80);
    printf("%s: %g, mxcsr %x\n", name, result, after);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = jump_back, .sa_flags = SA_SIGINFO};
    sigaction(SIGFPE, &action, 0);
    try("masked", 0, &one, &zero, '/');
    try("invalid", _MM_MASK_INVALID, &zero, &zero, '/');
    try("by zero", _MM_MASK_DIV_ZERO, &one, &zero, '/');
    try("overflow", _MM_MASK_OVERFLOW, &huge, &huge, '*');
    try("underflow", _MM_MASK_UNDERFLOW, &tiny, &tiny, '*');
    try("inexact", _MM_MASK_INEXACT, &one, &third, '/');
    try("another", _MM_MASK_DIV_ZERO, &one, &third, '/');

    action.sa_sigaction = mask_and_resume;
    sigaction(SIGFPE, &action, 0);
    double sum = 0;
    for (int i = 0; i < 20000; i++) {
        if (i % 5000 == 0)
            _mm_setcsr(0x1f80 & ~_MM_MASK_DIV_ZERO);
        if (i % 5000 == 2500)
            sum += one / zero > huge;
        sum += i / third;
    }
    printf("resumed %d times, sum %.17g, mxcsr %x\n", resumed, sum, _mm_getcsr());
    return 0;
}
