/* What the child of a fork has of its parent's memory: all but what madvise keeps from it, code in such pages among it.
 * qemu: 7.2 starts riscv64 programs only where binfmt_misc is set up
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support.h"

enum { PAGE = 4096 };

#ifdef __riscv
static const unsigned char code[] = {0x13, 0x05, 0x70, 0x00, 0x67, 0x80, 0x00, 0x00}; /* li a0, 7; ret */
#else
static const unsigned char code[] = {0xb8, 7, 0, 0, 0, 0xc3}; /* mov eax, 7; ret */
#endif

static char *map(int protection, int flags) {
    return mmap(NULL, 4 * PAGE, protection, flags | MAP_ANONYMOUS, -1, 0);
}

static void look(const char *what, const char *at) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) _exit(*(volatile const char *)at);
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) printf("%s: %d\n", what, WEXITSTATUS(status));
    else printf("%s: signal %d\n", what, WTERMSIG(status));
}

int main(int argc, char **argv) {
    if (argc > 1) return 5;
    char *area = map(PROT_READ | PROT_WRITE, MAP_PRIVATE), *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED);
    memset(area, 1, 4 * PAGE);
    memset(shared, 2, 4 * PAGE);
    printf("%d", madvise(area + PAGE, PAGE, MADV_DONTFORK));
    printf(" %d", madvise(area + 2 * PAGE, PAGE, MADV_WIPEONFORK));
    printf(" %d\n", madvise(shared, 2 * PAGE, MADV_DONTFORK));
    look("first page", area);
    look("kept from children", area + PAGE);
    look("wiped", area + 2 * PAGE);
    look("last page", area + 3 * PAGE);
    look("shared, kept from children", shared + PAGE);
    look("shared", shared + 2 * PAGE);
    madvise(area + PAGE, PAGE, MADV_DOFORK);
    madvise(area + 2 * PAGE, PAGE, MADV_KEEPONFORK);
    look("for children again", area + PAGE);
    look("not wiped", area + 2 * PAGE);
    char *program = map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    memcpy(program, code, sizeof code);
    __builtin___clear_cache(program, program + sizeof code);
    printf("%d", ((int (*)(void))program)());
    printf(" %d\n", madvise(program, 4 * PAGE, MADV_DONTFORK));
    look("code, kept from children", program);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        _exit(99);
    }
    int status;
    waitpid(child, &status, 0);
    printf("another program: %d\n", WEXITSTATUS(status));
    child = vfork();
    if (!child) _exit(area[3 * PAGE] + ((int (*)(void))program)());
    waitpid(child, &status, 0);
    printf("a child in the same memory: %d\n", WEXITSTATUS(status));
    return 0;
}
