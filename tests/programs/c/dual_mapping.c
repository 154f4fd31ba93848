/* Code that is written in one mapping of a file and run in another, as careful compilers do: rewritten, by the kernel
 * too, with a mapping that comes late, one that goes, and what lies in its place then.
 * guests: x86_64 i386
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 12288

typedef int (*function)(void);

static sigjmp_buf back;

static void *map(int file, int protection, int flags, long offset) {
    return mmap(NULL, SIZE - offset, protection, flags, file, offset);
}

/* mov eax, value; ret */
static void put(unsigned char *at, int value) {
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    at[5] = 0xc3;
}

static int call(unsigned char *at) { return ((function)at)(); }

static void fault(int signal) { siglongjmp(back, signal); }

int main(void) {
    int file = memfd_create("code", 0), wrong = 0;
    if (file < 0 || ftruncate(file, SIZE))
        return 1;
    unsigned char *data = map(file, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
    unsigned char *code = map(file, PROT_READ | PROT_EXEC, MAP_SHARED, 0);
    unsigned char *second = map(file, PROT_READ | PROT_EXEC, MAP_SHARED, 4096);
    for (int i = 0; i < 3000; i++) {
        unsigned place = i % 5 * 64 + (i & 4096);
        put(data + place, i);
        wrong += call(code + place) != i;
    }
    printf("rewritten: %d wrong\n", wrong);

    wrong = 0;
    for (int i = 0; i < 300; i++) {
        put(data + 4096 + 512, i);
        wrong += call(code + 4096 + 512) != i || call(second + 512) != i;
    }
    printf("in two places: %d wrong\n", wrong);

    /* a loop that is hot, and then changed */
    for (int k = 0; k < 3; k++) {
        long sum = 0;
        put(data + 8192, k);
        for (int i = 0; i < 100000; i++)
            sum += call(code + 8192);
        printf("hot: %ld\n", sum);
    }

    int ends[2];
    unsigned char text[6];
    wrong = 0;
    if (pipe(ends))
        return 1;
    for (int i = 0; i < 100; i++) {
        put(text, i);
        if (write(ends[1], text, 6) != 6 || read(ends[0], data + 128, 6) != 6)
            return 1;
        wrong += call(code + 128) != i;
    }
    printf("by the kernel: %d wrong\n", wrong);

    /* there is code already when it can be written here */
    unsigned char *late = map(file, PROT_READ, MAP_SHARED, 0);
    wrong = call(code + 128) != 99;
    mprotect(late, SIZE, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 100; i++) {
        put((i & 1 ? late : data) + 128, i);
        wrong += call(code + 128) != i;
    }
    munmap(data, SIZE);
    for (int i = 0; i < 100; i++) {
        put(late + 128, i);
        wrong += call(code + 128) != i;
    }
    printf("late: %d wrong\n", wrong);

    /* what comes in the place of a mapping that was written to is not writable for it */
    put(late + 128, 7);
    wrong = call(code + 128) != 7;
    unsigned char *there = mmap(late, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    signal(SIGSEGV, fault);
    if (sigsetjmp(back, 1) == 0) {
        *(volatile unsigned char *)(there + 128) = 1;
        wrong++;
    }
    printf("gone: %d wrong, %d\n", wrong, call(code + 128));
    return 0;
}
