/* Arguments, environment, exit status, the auxiliary vector.
 * args: one "two words" "" --flag=value "quote's" last
 * env: GREETING=hello world
 * status: 7
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <sys/auxv.h>
#include <unistd.h>
#include "support.h"
extern char **environ;

int main(int argc, char **argv, char **envp) {
    for (int i = 1; i < argc; i++) printf("%d [%s]\n", i, argv[i]);
    printf("%s %d %d\n", getenv("GREETING"), getenv("NO_SUCH_VARIABLE") == NULL, argv[argc] == NULL);
    printf("%d %s\n", envp == environ, strrchr(argv[0], '/') ? "path" : "name");
    setenv("ADDED", "yes", 1);
    setenv("GREETING", "changed", 1);
    unsetenv("HOME");
    printf("%s %s %d\n", getenv("ADDED"), getenv("GREETING"), getenv("HOME") == NULL);
    printf("%lu %d %d %d\n", getauxval(AT_PAGESZ), getauxval(AT_PHDR) != 0, getauxval(AT_RANDOM) != 0,
           getauxval(AT_ENTRY) != 0);
    const char *file = (const char *)getauxval(AT_EXECFN);
    printf("%d %lu %d\n", file && !strcmp(file, argv[0]), getauxval(AT_CLKTCK), getauxval(AT_UID) == getuid());
    printf("%d %d %d\n", program_invocation_short_name == strrchr(program_invocation_name, '/') + 1, getpid() > 1,
           (int)(((uintptr_t)__builtin_frame_address(0) & 15) == 0));
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *real = realpath(argv[0], NULL);
    printf("%d\n", real && !strcmp(real, exe));
    free(real);
    return 7;
}
