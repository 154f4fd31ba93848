/* setjmp and longjmp: error exits from deep calls, repeated returns, sigsetjmp, a coroutine-like generator. */
#include <setjmp.h>
#include <signal.h>
#include "support.h"
static jmp_buf top, inner;
static sigjmp_buf with_mask;

static NOINLINE void dig(int depth, int code) {
    volatile char room[100];
    room[0] = (char)depth;
    if (depth == 0) longjmp(top, code);
    if (code >= 0) dig(depth - 1, code + room[0] % 3);
}
static int parse(const char *text) {
    int value = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') longjmp(inner, *text);
        value = value * 10 + (*text - '0');
    }
    return value;
}

int main(void) {
    volatile int rounds = 0;
    int code = setjmp(top);
    printf("back with %d in round %d\n", code, rounds);
    if (rounds++ < 5) dig(rounds * 10, rounds);
    const char *inputs[] = {"123", "45x6", "78", "9-", ""};
    for (volatile size_t i = 0; i < COUNT(inputs); i++) {
        int bad = setjmp(inner);
        if (bad) printf("bad character %c\n", bad);
        else printf("value %d\n", parse(inputs[i]));
    }
    volatile double kept = 1.5;
    volatile long kept_too = 99;
    if (!setjmp(inner)) {
        kept *= 3;
        kept_too++;
        longjmp(inner, 0);
    }
    printf("%g %ld\n", kept, kept_too);
    sigset_t set, now;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (!sigsetjmp(with_mask, 1)) {
        sigprocmask(SIG_BLOCK, &set, NULL);
        siglongjmp(with_mask, 3);
    }
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("SIGUSR1 %s\n", sigismember(&now, SIGUSR1) ? "blocked" : "open again");
    return 0;
}
