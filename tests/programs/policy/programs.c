/* Programs that are run from memory, or from where the guest has put them: they are held to the policy as well.
 *
 * The arguments are a hidden folder with `secret` and `program` in it; and a word, for what is run again.
 */
#include "escape.h"

extern char **environ;

static void try_secret(const char *folder) {
    char text[4096];
    snprintf(text, sizeof text, "%s/secret", folder);
    REFUSED(open(text, O_RDONLY), ENOENT);
    REFUSED(open("/usr/new", O_CREAT | O_WRONLY, 0600), EROFS);
    REFUSED(kill(1, 0), ESRCH);
    REFUSED(socket(2, 1, 0), EACCES);
}

static int status_of(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static int copy_to(int target) {
    char buffer[65536];
    int source = open("/proc/self/exe", O_RDONLY);
    for (ssize_t size; (size = read(source, buffer, sizeof buffer)) > 0;)
        if (write(target, buffer, size) != size)
            return -1;
    return close(source);
}

int main(int count, char **arguments) {
    const char *folder = arguments[1];
    setbuf(stdout, NULL);
    try_secret(folder);
    if (count == 3) {
        printf("%s: ", arguments[2]);
        return verdict();
    }
    char text[4096];
    int memory = memfd_create("program", 0);
    WORKS(memory >= 0 && copy_to(memory) == 0);
    pid_t child = fork();
    if (child == 0) {
        fexecve(memory, (char *[]){"program", (char *)folder, "memory", NULL}, environ);
        _exit(99);
    }
    WORKS(status_of(child) == 0);
    child = fork();
    if (child == 0) {
        snprintf(text, sizeof text, "/proc/self/fd/%d", memory);
        execl(text, "program", folder, "its name", NULL);
        _exit(99);
    }
    WORKS(status_of(child) == 0);
    int file = open("made", O_CREAT | O_WRONLY, 0755);
    WORKS(file >= 0 && copy_to(file) == 0 && close(file) == 0);
    child = vfork();
    if (child == 0) {
        execl("./made", "made", folder, "a copy", NULL);
        _exit(99);
    }
    WORKS(status_of(child) == 0);
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "self", folder, "itself", NULL);
        _exit(99);
    }
    WORKS(status_of(child) == 0);
    /* A script whose interpreter is hidden, and a program that is. */
    snprintf(text, sizeof text, "%s/program", folder);
    REFUSED(execl(text, text, NULL), ENOENT);
    file = open("script", O_CREAT | O_WRONLY, 0755);
    dprintf(file, "#!%s\n", text);
    close(file);
    REFUSED(execl("./script", "script", NULL), ENOENT);
    int path = open(".", O_PATH);
    snprintf(text, sizeof text, "../../../../../../../../../..%s/program", folder);
    REFUSED(syscall(SYS_execveat, path, text, arguments, environ, 0), ENOENT);
    return verdict();
}
