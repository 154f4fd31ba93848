/* Segments of 32-bit programs: thread-local descriptors, selectors that may be loaded or not, far transfers. */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static sigjmp_buf back;
static void refused(int number) { siglongjmp(back, number); }
static __thread int ours = 41;
static int words[8] = {10, 11, 12, 13, 14, 15, 16, 17};

static void load(unsigned selector) {
    unsigned short seen = 0;
    int signal = sigsetjmp(back, 1);
    if (signal == 0) {
        asm volatile("mov %1, %%es; mov %%es, %0; push %%ds; pop %%es" : "=r"(seen) : "r"(selector));
        printf("%x may be loaded: %x\n", selector, seen & ~3);
    } else {
        asm volatile("push %ds; pop %es");
        printf("%x: signal %d\n", selector, signal);
    }
}

static int far_call(void) {
    int result;
    static struct __attribute__((packed)) { void *offset; uint16_t selector; } pointer;
    pointer.selector = 0x23;
    asm volatile("movl $1f, %1; lcall *%1; jmp 2f;"
                 "1: mov $123, %0; lret;"
                 "2: lcall $0x23, $3f; jmp 4f;"
                 "3: add $4, %0; lret $0;"
                 "4: pushf; push %%cs; push $5f; iret;"
                 "5: ljmp $0x23, $6f;"
                 "6: add $1000, %0"
                 : "=&a"(result) : "m"(pointer) : "memory", "cc");
    return result;
}

int main(void) {
    struct user_desc entry = {.entry_number = -1, .base_addr = (uintptr_t)words, .limit = 0xfffff, .seg_32bit = 1,
                              .limit_in_pages = 1, .useable = 1};
    signal(SIGSEGV, refused);
    printf("%ld\n", syscall(SYS_set_thread_area, &entry));
    unsigned selector = entry.entry_number << 3 | 3;
    int first, second, third;
    asm volatile("mov %3, %%fs; movl %%fs:4, %0; movl %%fs:8(,%4,4), %1; mov %%fs, %2"
                 : "=&r"(first), "=&r"(second), "=&r"(third) : "r"(selector), "r"(2));
    printf("%d %d %d\n", first, second, third == (int)selector);
    asm volatile("push %%esi; push %%edi; push %%ecx; lea %1, %%edi; mov $8, %%esi; mov $3, %%ecx; cld;"
                 "rep movsl %%fs:(%%esi), %%es:(%%edi); pop %%ecx; pop %%edi; pop %%esi; movl %2, %0"
                 : "=r"(first), "=m"(words[5]) : "m"(words[5]) : "memory");
    printf("%d %d %d\n", words[5], words[6], words[7]);
    entry.base_addr += 16;
    printf("%ld\n", syscall(SYS_set_thread_area, &entry));
    asm volatile("movl %%fs:0, %0" : "=r"(first));
    printf("%d\n", first);
    struct user_desc seen = {.entry_number = entry.entry_number};
    printf("%ld %d\n", syscall(SYS_get_thread_area, &seen), seen.base_addr == entry.base_addr);
    asm volatile("movw $4, %%ax; .byte 0x64, 0x67, 0x8b, 0x0e, 0x04, 0x00" : "=c"(second) :: "eax"); /* fs:[4], 16 bits */
    printf("%d\n", second);
    memset(&entry.base_addr, 0, 8);
    memset((char *)&entry + 12, 0, 4);
    entry.read_exec_only = entry.seg_not_present = 1;
    printf("%ld\n", syscall(SYS_set_thread_area, &entry));
    entry.entry_number = 3;
    printf("%ld %d\n", syscall(SYS_set_thread_area, &entry), errno == EINVAL);
    load(0x2b);
    load(0);
    load(0x23);
    load(0x10);
    load(0x73);
    load(0x7ff7);
    printf("%d\n", far_call());
    ours++;
    printf("%d\n", ours);
    unsigned short codes[2];
    asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(codes[0]), "=r"(codes[1]));
    printf("%x %x\n", codes[0], codes[1]);
    return 0;
}
