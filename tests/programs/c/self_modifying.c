/* Code that a program writes itself: generated, called, rewritten in place (another byte, a loop that patches itself), remapped, made executable later.
 * guests: x86_64
 */
#include <sys/mman.h>
#include "support.h"
typedef int function(int);

int main(void) {
    unsigned char *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* lea eax, [rdi + 5]; ret */
    memcpy(code, "\x8d\x47\x05\xc3", 4);
    int sum = ((function *)code)(10);
    for (int i = 0; i < 100; i++) {
        code[2] = (unsigned char)i;
        sum += ((function *)code)(1000);
    }
    printf("%d\n", sum);
    /* mov eax, imm32; ret: written over the old function, hot enough to be compiled */
    long total = 0;
    for (int i = 0; i < 20; i++) {
        code[0] = 0xb8;
        int value = i * 1001;
        memcpy(code + 1, &value, 4);
        code[5] = 0xc3;
        for (int k = 0; k < 2000; k++) total += ((function *)code)(k);
    }
    printf("%ld\n", total);
    /* a loop that overwrites the immediate of its own next instruction:
       xor eax,eax; 1: mov byte [rip+2], dil (the immediate); add eax, imm8; dec edi; jnz 1b; ret */
    static const unsigned char loop[] = {0x31, 0xc0, 0x40, 0x88, 0x3d, 0x02, 0,    0,   0,
                                         0x83, 0xc0, 0x00, 0xff, 0xcf, 0x75, 0xf2, 0xc3};
    memcpy(code + 64, loop, sizeof loop);
    printf("%d\n", ((function *)(code + 64))(100));
    /* a function across a page boundary, its second half replaced */
    unsigned char *across = code + 4094;
    memcpy(across, "\x89\xf8\x83\xc0\x07\xc3", 6);
    int a = ((function *)across)(1);
    across[4] = 9;
    printf("%d %d\n", a, ((function *)across)(1));
    /* made executable only after it was written, then written again */
    unsigned char *later = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(later, "\x8d\x04\x3f\xc3", 4);
    mprotect(later, 4096, PROT_READ | PROT_EXEC);
    a = ((function *)later)(21);
    mprotect(later, 4096, PROT_READ | PROT_WRITE);
    memcpy(later, "\x8d\x04\x7f\xc3", 4);
    mprotect(later, 4096, PROT_READ | PROT_EXEC);
    printf("%d %d\n", a, ((function *)later)(21));
    munmap(later, 4096);
    unsigned char *again =
        mmap(later, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(again, "\x31\xc0\xc3", 3);
    printf("%d\n", ((function *)again)(21));
    return 0;
}
