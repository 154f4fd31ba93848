/* Code that system calls write, over code that has run: from files, pipes and sockets, where it is written and executed
 * in place, and where it is made writable and executable in turn.
 * guests: x86_64
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "support.h"
typedef int function(void);

static unsigned char text[6] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov eax, imm32; ret */

static void *code_for(int value) {
    memcpy(text + 1, &value, 4);
    return text;
}

static int ways(int way, int turn, unsigned char *code, int file, int *ends, int *pair) {
    switch (way) {
    case 0: return pwrite(file, code_for(turn), 6, 0) == 6 && pread(file, code, 6, 0) == 6;
    case 1: return write(ends[1], code_for(turn), 6) == 6 && read(ends[0], code, 6) == 6;
    case 2: return send(pair[1], code_for(turn), 6, 0) == 6 && recv(pair[0], code, 6, 0) == 6;
    case 3: return pwrite(file, code_for(turn), 6, 0) == 6 && lseek(file, 0, SEEK_SET) == 0 && read(file, code, 6) == 6;
    default: return 0;
    }
}

int main(void) {
    int file = memfd_create("code", 0), ends[2], pair[2];
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return 1;
    char byte;
    /* before there is any such code */
    for (int i = 0; i < 3000; i++)
        if (write(ends[1], "x", 1) != 1 || read(ends[0], &byte, 1) != 1) return 2;
    for (int in_turn = 1; in_turn >= 0; in_turn--) {
        int both = PROT_READ | PROT_WRITE | (in_turn ? 0 : PROT_EXEC);
        unsigned char *code = mmap(NULL, 8192, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        /* in the second half, across two pages */
        for (int place = 0; place < 2; place++)
            for (int way = 0; way < 4; way++) {
                unsigned char *here = code + (place ? 4093 : 64);
                long sum = 0, failed = 0;
                for (int turn = 0; turn < 300; turn++) {
                    if (in_turn) mprotect(code, 8192, PROT_READ | PROT_WRITE);
                    failed += !ways(way, turn, here, file, ends, pair);
                    if (in_turn) mprotect(code, 8192, PROT_READ | PROT_EXEC);
                    for (int k = 0; k < 10; k++) sum += ((function *)here)();
                }
                printf("%d %d %d: %ld %ld\n", in_turn, place, way, sum, failed);
            }
        /* what is only executable is not written */
        mprotect(code, 8192, PROT_READ | PROT_EXEC);
        ways(0, 1, text, file, ends, pair);
        printf("%zd %d\n", pread(file, code + 64, 6, 0), ((function *)(code + 64))());
    }
    return 0;
}
