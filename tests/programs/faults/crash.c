/* Ways to die, one an argument. Each prints a line first, so that output before the fault is seen to arrive. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int zero = 0, minimum = -2147483647 - 1, minus_one = -1;

/* Bytes on an executable page, called as a function. */
static void execute(const char *bytes, size_t size) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, bytes, size);
    ((void (*)(void))page)();
}
static void jump(uintptr_t address) { ((void (*)(void))address)(); }
static int deepen(int n) {
    volatile char room[4096];
    room[n & 4095] = (char)n;
    return deepen(n + 1) + room[(n + 1) & 4095];
}
static void interrupted(int number) {
    (void)number;
    static const char text[] = "the guest handled it\n";
    if (write(1, text, sizeof text - 1) > 0) _exit(17);
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    volatile uintptr_t address = 0;
    printf("about to %s\n", kind);
    fflush(stdout);
    if (!strcmp(kind, "read-null")) return *(volatile int *)address;
    if (!strcmp(kind, "write-null")) *(volatile int *)(address + 8) = 1;
    if (!strcmp(kind, "jump-null")) jump(address);
    if (!strcmp(kind, "jump-unmapped")) jump(0x123456000);
    if (!strcmp(kind, "jump-to-data")) {
        static char data[64] = {(char)0xc3};
        jump((uintptr_t)data);
    }
    if (!strcmp(kind, "jump-not-canonical")) jump(0x8000000000000123u);
    if (!strcmp(kind, "read-not-canonical")) return *(volatile char *)(address + 0x4141414141414141u);
    if (!strcmp(kind, "write-code")) *(volatile char *)(uintptr_t)&main = 1;
    if (!strcmp(kind, "ud2")) execute("\x0f\x0b", 2);
    if (!strcmp(kind, "undefined")) execute("\x06", 1);                    /* PUSH ES: invalid in 64-bit mode */
    if (!strcmp(kind, "too-long")) execute("fffffffffffffff\x90\xc3", 17); /* more than 15 bytes */
    if (!strcmp(kind, "privileged")) execute("\xf4", 1);                   /* HLT */
    if (!strcmp(kind, "breakpoint")) execute("\xcc\xc3", 2);
    if (!strcmp(kind, "misaligned")) execute("\x66\x0f\x6f\x44\x24\x01\xc3", 7); /* MOVDQA xmm0, [rsp + 1] */
    if (!strcmp(kind, "off-the-page")) {
        char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(pages, 0x90, 4096); /* NOP to the very end, and then nothing */
        munmap(pages + 4096, 4096);
        jump((uintptr_t)pages + 4000);
    }
    if (!strcmp(kind, "divide-zero")) return 5 / zero;
    if (!strcmp(kind, "divide-overflow")) return minimum / minus_one;
    if (!strcmp(kind, "stack-overflow")) return deepen(0);
    if (!strcmp(kind, "abort")) abort();
    if (!strcmp(kind, "terminate")) kill(getpid(), SIGTERM);
    if (!strcmp(kind, "pipe")) {
        int ends[2];
        if (pipe(ends) || close(ends[0])) return 1;
        return (int)write(ends[1], "x", 1);
    }
    if (!strcmp(kind, "past-the-file")) {
        int fd = open("/proc/self/exe", O_RDONLY), copy = open(".", O_TMPFILE | O_RDWR, 0600);
        char byte;
        if (read(fd, &byte, 1) != 1 || write(copy, &byte, 1) != 1) return 1;
        volatile char *mapped = mmap(NULL, 8192, PROT_READ, MAP_SHARED, copy, 0);
        return mapped[5000];
    }
    if (!strcmp(kind, "spin"))
        for (volatile uint64_t n = 0;; n++) {}
    if (!strcmp(kind, "sleep"))
        for (;;) pause();
    if (!strcmp(kind, "handle")) {
        signal(SIGINT, interrupted);
        printf("installed\n");
        fflush(stdout);
        for (volatile uint64_t n = 0;; n++) {}
    }
    return 0;
}
