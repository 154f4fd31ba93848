/* A guest that reads, writes and jumps all over 64 bits: every try must end in this process's own signal, and nothing
 * else may change. Arguments: seed, tries caught by a handler, tries in forked children. Built static, not PIE, so that
 * natively the addresses tried are unmapped too. */
#define _GNU_SOURCE
#include <emmintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;
static uint64_t next_random(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1du;
}

static sigjmp_buf back;
static volatile uint64_t seen_address;
static volatile int seen_code;
static void caught(int number, siginfo_t *info, void *context) {
    (void)context;
    seen_address = (uint64_t)info->si_addr;
    seen_code = info->si_code;
    siglongjmp(back, number);
}

/* Where things go wrong: the ends of the address space, of its canonical halves, of a 2^46 window, round 2^31 and 2^32. */
static const uint64_t edges[] = {0,          1ull << 31, 1ull << 32,          1ull << 33,         1ull << 40,
                                 1ull << 45, 3ull << 45, 1ull << 46,          5ull << 44,         1ull << 47,
                                 1ull << 48, 1ull << 63, 0xffff800000000000u, 0xffffc00000000000u};
static uint64_t wild_address(void) {
    uint64_t r = next_random();
    uint64_t address;
    switch (r % 4) {
        case 0: address = next_random(); break;
        case 1: address = next_random() >> (r >> 8) % 30; break;
        case 2: address = edges[(r >> 8) % 14] + (r >> 16) % 8192; break;
        default: address = edges[(r >> 8) % 14] - 1 - (r >> 16) % 8192; break;
    }
    /* Not the program itself, its heap, nor where kernels and emulators put stacks and libraries. */
    if (address >= 0x10000 && address < 0x80000000) address += 1ull << 34;
    uint64_t top = address >> 40;
    if (top == 0x3f || top == 0x55 || top == 0x56 || top == 0x7f || address >> 20 == 0xffffffffff6u)
        address ^= 1ull << 44;
    return address;
}

static volatile uint64_t sink;
static void touch(int kind, uint64_t address) {
    switch (kind) {
        case 0: sink = *(volatile uint8_t *)address; break;
        case 1: sink = *(volatile uint16_t *)address; break;
        case 2: sink = *(volatile uint32_t *)address; break;
        case 3: sink = *(volatile uint64_t *)address; break;
        case 4: sink = (uint64_t)_mm_cvtsi128_si64(_mm_loadu_si128((const __m128i *)address)); break;
        case 5: *(volatile uint8_t *)address = 0x5a; break;
        case 6: *(volatile uint32_t *)address = 0x5a5a5a5a; break;
        case 7: *(volatile uint64_t *)address = 0x5a5a5a5a5a5a5a5a; break;
        case 8: _mm_storeu_si128((__m128i *)address, _mm_set1_epi8(0x5a)); break;
        case 9: __atomic_fetch_add((uint64_t *)address, 1, __ATOMIC_SEQ_CST); break;
        case 10: ((void (*)(void))address)(); break;
        default: sink = ((volatile uint8_t *)address)[(int64_t)(int32_t)address * 8]; break;
    }
}

static uint64_t fold(uint64_t hash, uint64_t value) { return (hash ^ value) * 0x100000001b3u + (hash >> 29); }

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    state = strtoull(argv[1], NULL, 0) * 2654435769u + 1;
    int tries = atoi(argv[2]), forks = atoi(argv[3]);
    size_t size = 4 << 20;
    uint64_t *buffer = malloc(size);
    for (size_t i = 0; i < size / 8; i++) buffer[i] = i * 0x9e3779b97f4a7c15u;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = caught;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    uint64_t hash = 0;
    int counts[3] = {0};
    for (volatile int i = 0; i < tries; i++) {
        volatile uint64_t address = wild_address();
        int kind = (int)(next_random() % 12);
        int number = sigsetjmp(back, 1);
        if (number == 0) {
            touch(kind, address);
            counts[0]++;
            printf("survived kind %d at %016llx\n", kind, (unsigned long long)address);
            continue;
        }
        counts[number == SIGSEGV ? 1 : 2]++;
        if (getenv("WILD_TRACE"))
            printf("%d %016llx: %d %d %016llx\n", kind, (unsigned long long)address, number, seen_code,
                   (unsigned long long)seen_address);
        hash = fold(fold(fold(hash, (uint64_t)number), (uint64_t)seen_code), seen_address);
    }
    printf("%d survived, %d SIGSEGV, %d others; %016llx\n", counts[0], counts[1], counts[2], (unsigned long long)hash);
    fflush(stdout);
    /* accesses across the end of a page: the fault is at the first byte of the missing page */
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    for (int kind = 1; kind < 10; kind++) {
        int number = sigsetjmp(back, 1);
        if (number == 0) touch(kind, (uint64_t)pages + 4095);
        else printf("kind %d at the edge: %d %lld\n", kind, number, (long long)(seen_address - (uint64_t)pages));
    }
    printf("byte at the edge %02x\n", (unsigned char)pages[4095]);
    fflush(stdout);
    int died = 0;
    for (int i = 0; i < forks; i++) {
        uint64_t address = wild_address();
        int kind = (int)(next_random() % 12), status;
        pid_t child = fork();
        if (child == 0) {
            signal(SIGSEGV, SIG_DFL);
            touch(kind, address);
            _exit(0);
        }
        waitpid(child, &status, 0);
        died += WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
    }
    int wrong = 0;
    for (size_t i = 0; i < size / 8; i++) wrong += buffer[i] != i * 0x9e3779b97f4a7c15u;
    printf("%d of %d children died by SIGSEGV; %d words changed\n", died, forks, wrong);
    return 0;
}
