/* Ever-changing code: KIND COUNT. Prints a checksum, which no translation may change.
 *
 * patch      a function in another page gets another immediate before each call
 * neighbour  so does a function in the same page as the code that writes it
 * own        a loop overwrites the immediate of its own next instruction
 * fresh      functions with loops of their own are written to fresh pages, called, and the pages unmapped
 * ring       functions are written one after another into 64 pages, writable and executable, over and over
 * toggle     the same, but pages are writable or executable, never both
 * hot        functions in fresh pages run for so long that they are compiled
 * mix        COUNT rounds of all of them
 * soak       rounds for COUNT seconds; prints what `mix` prints for as many
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef uint32_t function(uint32_t);
enum { PAGE = 4096, RING = 64 * PAGE };

static unsigned char *map(size_t size) {
    unsigned char *at = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) exit(3);
    return at;
}

/* mov eax, value; xor eax, edi; ret */
static size_t emit_constant(unsigned char *at, uint32_t value) {
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    memcpy(at + 5, "\x31\xf8\xc3", 3);
    return 8;
}

/* mov eax, value; 1: imul eax, eax, factor; add eax, edi; dec edi; jnz 1b; ret: for edi > 0 */
static size_t emit_loop(unsigned char *at, uint32_t value, uint32_t factor) {
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    memcpy(at + 5, "\x69\xc0", 2);
    memcpy(at + 7, &factor, 4);
    memcpy(at + 11, "\x01\xf8\xff\xcf\x75\xf4\xc3", 7);
    return 18;
}

static uint32_t patch(uint32_t sum, long count) {
    static unsigned char *code;
    if (!code) code = map(PAGE);
    emit_constant(code, 0);
    for (long i = 0; i < count; i++) {
        uint32_t value = (uint32_t)i * 2654435761u;
        memcpy(code + 1, &value, 4);
        sum = ((function *)code)(sum) * 5;
    }
    return sum;
}

/* mov ecx, edi; xor eax, eax; 1: mov [rip + to code+2051], ecx; call code+2048; dec ecx; jnz 1b; ret
   code+2048: lea eax, [rax + rax*4 + disp32]; xor eax, imm32; ret, whose displacement is written */
static uint32_t neighbour(uint32_t sum, long count) {
    static unsigned char *code;
    int32_t there = 2048 + 3 - 10, target = 2048 - 15;
    if (!code) code = map(PAGE);
    memcpy(code, "\x89\xf9\x31\xc0\x89\x0d", 6);
    memcpy(code + 6, &there, 4);
    code[10] = 0xe8;
    memcpy(code + 11, &target, 4);
    memcpy(code + 15, "\xff\xc9\x75\xf1\xc3", 5);
    memcpy(code + 2048, "\x8d\x84\x80\x00\x00\x00\x00\x35\x01\x02\x03\x04\xc3", 13);
    return sum + ((function *)code)((uint32_t)count);
}

/* xor eax, eax; 1: mov [rip + 1], edi; add eax, imm32 (what was just written); dec edi; jnz 1b; ret */
static uint32_t own(uint32_t sum, long count) {
    static unsigned char *code;
    if (!code) code = map(PAGE);
    memcpy(code, "\x31\xc0\x89\x3d\x01\x00\x00\x00\x05\x00\x00\x00\x00\xff\xcf\x75\xf1\xc3", 18);
    return sum + ((function *)code)((uint32_t)count);
}

static uint32_t fresh(uint32_t sum, long count) {
    for (long i = 0; i < count; i++) {
        unsigned char *code = map(PAGE);
        for (uint32_t at = 0, next; at < PAGE - 32; at = next) {
            next = at + (uint32_t)emit_loop(code + at, sum, (uint32_t)i * 2 + 3);
            sum = ((function *)(code + at))(100) + at;
        }
        munmap(code, PAGE);
    }
    return sum;
}

static uint32_t around(uint32_t sum, long count, int toggles) {
    unsigned char *code = map(RING);
    size_t at = 0;
    for (long i = 0; i < count; i++) {
        unsigned char *here = code + at, *page = (unsigned char *)((uintptr_t)here & -PAGE);
        if (toggles && mprotect(page, PAGE, PROT_READ | PROT_WRITE)) exit(3);
        emit_loop(here, sum, (uint32_t)i | 1);
        if (toggles && mprotect(page, PAGE, PROT_READ | PROT_EXEC)) exit(3);
        sum = ((function *)here)(1 + (uint32_t)(i % 3000));
        at = (at + 256) % RING;
    }
    munmap(code, RING);
    return sum;
}

static uint32_t ring(uint32_t sum, long count) { return around(sum, count, 0); }

static uint32_t toggle(uint32_t sum, long count) { return around(sum, count, 1); }

static uint32_t hot(uint32_t sum, long count) {
    for (long i = 0; i < count; i++) {
        unsigned char *code = map(PAGE);
        emit_loop(code, sum, (sum << 3) | 5);
        sum = ((function *)code)(5000000);
        munmap(code, PAGE);
    }
    return sum;
}

static uint32_t one_round(uint32_t sum) {
    sum = hot(sum, 1);
    return toggle(ring(fresh(own(neighbour(patch(sum, 500), 500), 500), 5), 2000), 1000);
}

static uint32_t mix(uint32_t sum, long count) {
    while (count-- > 0) sum = one_round(sum);
    return sum;
}

static const struct { const char *name; uint32_t (*run)(uint32_t sum, long count); } kinds[] = {
    {"patch", patch}, {"neighbour", neighbour}, {"own", own}, {"fresh", fresh},
    {"ring", ring},   {"toggle", toggle},       {"hot", hot}, {"mix", mix},
};

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const char *kind = argv[1];
    long count = atol(argv[2]);
    if (!strcmp(kind, "soak")) {
        time_t end = time(NULL) + count;
        uint32_t sum = 1;
        for (count = 0; time(NULL) < end; count++) sum = one_round(sum);
        printf("mix %ld %08x\n", count, sum);
        return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kind, kinds[i].name)) {
            printf("%s %ld %08x\n", kind, count, kinds[i].run(1, count));
            return 0;
        }
    }
    return 2;
}
