/* A signal's frame holds the whole vector registers; a handler may use them, and change them in the frame.
 *
 * guests: x86_64
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum { MAGIC = 0x46505853, SOFTWARE = 464, HEADER = 512, HIGH_HALVES = 576 };

static void handler(int number, siginfo_t *info, void *pointer)
{
    ucontext_t *context = pointer;
    unsigned char *state = (unsigned char *)context->uc_mcontext.fpregs;
    uint32_t magic, size;
    uint64_t components, high[2];

    memcpy(&magic, state + SOFTWARE, 4);
    memcpy(&size, state + SOFTWARE + 16, 4);
    memcpy(&components, state + HEADER, 8);
    memcpy(high, state + HIGH_HALVES + 3 * 16, 16);
    printf("signal %d, flag %d, magic %d, at least 832 bytes: %d, components %d\n", number,
           (int)(context->uc_flags & 1), magic == MAGIC, size >= 832, (int)(components & 6));
    printf("ymm3's high half: %016llx %016llx\n", (unsigned long long)high[0], (unsigned long long)high[1]);
    high[1] ^= 0xff;
    memcpy(state + HIGH_HALVES + 3 * 16, high, 16);
    context->uc_mcontext.gregs[REG_RIP] += 2; /* behind UD2 */
    __asm__ volatile("vzeroall" ::: "memory");
    (void)info;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    uint64_t in[4] = {0x0123456789abcdef, 0xfedcba9876543210, 0x1111222233334444, 0x5555666677778888}, out[4];

    if (!__builtin_cpu_supports("avx")) {
        puts("no AVX");
        return 1;
    }
    sigaction(SIGILL, &action, NULL);
    __asm__ volatile("vmovdqu %1, %%ymm3\n\tvmovdqu %1, %%ymm15\n\tud2\n\tvpxor %%ymm15, %%ymm3, %%ymm3\n\t"
                     "vmovdqu %%ymm3, %0\n\tvzeroupper"
                     : "=m"(out) : "m"(in) : "memory", "xmm3", "xmm15");
    printf("changed: %016llx %016llx %016llx %016llx\n", (unsigned long long)out[0], (unsigned long long)out[1],
           (unsigned long long)out[2], (unsigned long long)out[3]);
    return 0;
}
