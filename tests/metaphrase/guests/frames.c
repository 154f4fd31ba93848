/* A signal's frame on CPUs with and without AVX and XSAVE: what it says of itself, and that a change of a vector
 * register in it arrives. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum { MAGIC = 0x46505853, SOFTWARE = 464, HEADER = 512, XMM3 = 160 + 3 * 16, HIGH3 = 576 + 3 * 16 };

static int has_avx, has_xsave;

static void handler(int number, siginfo_t *info, void *pointer)
{
    ucontext_t *context = pointer;
    unsigned char *state = (unsigned char *)context->uc_mcontext.fpregs;
    uint32_t magic;
    uint64_t components = 0;

    memcpy(&magic, state + SOFTWARE, 4);
    if (magic == MAGIC)
        memcpy(&components, state + HEADER, 8);
    printf("avx %d xsave %d frame %d components %d magic %d\n", has_avx, has_xsave, (int)(context->uc_flags & 1),
           (int)components, magic == MAGIC);
    state[has_avx ? HIGH3 : XMM3] ^= 0xff;
    context->uc_mcontext.gregs[REG_RIP] += 2; /* behind UD2 */
    (void)number, (void)info;
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    uint64_t in[4] = {1, 2, 3, 4}, out[4] = {0};
    unsigned eax, ebx, ecx, edx;

    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    has_avx = ecx >> 28 & 1, has_xsave = ecx >> 26 & 1;
    sigaction(SIGILL, &action, NULL);
    if (has_avx)
        __asm__ volatile("vmovdqu %1, %%ymm3\n\tud2\n\tvmovdqu %%ymm3, %0\n\tvzeroupper"
                         : "=m"(out) : "m"(in) : "memory", "xmm3");
    else
        __asm__ volatile("movdqu %1, %%xmm3\n\tud2\n\tmovdqu %%xmm3, %0" : "=m"(out) : "m"(in) : "memory", "xmm3");
    if (has_avx)
        puts(out[2] == (3 ^ 0xff) && out[0] == 1 ? "ymm changed" : "ymm is wrong");
    else
        puts(out[0] == (1 ^ 0xff) && out[1] == 2 ? "xmm changed" : "xmm is wrong");
    return 0;
}
