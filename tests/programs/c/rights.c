/* A child gives up its root directory and its user, as servers do: what it sees and may do then, and that it goes on.
 * Without the privilege for it, all that is refused alike.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support.h"

static void say(const char *what, long result) {
    printf("%s: %ld %d\n", what, result < 0 ? -1 : result, result < 0 ? errno : 0);
    fflush(stdout);
}

static NOINLINE uint64_t compute(uint64_t hash, int count) {
    for (int i = 0; i < count; i++) hash = fold(hash, next_random());
    return hash;
}

static void leave_root(void) {
    say("chroot", chroot("box"));
    say("chdir", chdir("/"));
    char name[256] = "";
    getcwd(name, sizeof name);
    printf("in %s\n", strlen(name) == 1 ? name : "a folder");
    int file = open("/inside", O_RDONLY);
    say("open", file < 0 ? file : 0);
    say("open of what is outside", open("/proc/self/fd", O_RDONLY | O_DIRECTORY) < 0 ? -1 : 1);
    say("mkdir", mkdir("/made", 0755));
    say("close of others", syscall(SYS_close_range, 3, ~0u, 0));
    say("close of one of them", close(file));
    printf("%d\n", (int)(compute(1, 300000) & 0xffff));
    fflush(stdout);
    say("exec", execl("/absent", "absent", (char *)NULL));
}

static void leave_user(void) {
    say("setresgid", setresgid(65534, 65534, 65534));
    say("setresuid", setresuid(65534, 65534, 65534));
    printf("%d %d\n", getuid() == geteuid(), getgid() == getegid());
    int file = open("private", O_RDONLY);
    say("open", file < 0 ? file : 0);
    say("setuid", setuid(0) < 0 ? -1 : 0);
    printf("%d\n", (int)(compute(2, 300000) & 0xffff));
    fflush(stdout);
}

static void in_child(void (*work)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        work();
        _exit(3);
    }
    int status;
    waitpid(child, &status, 0);
    printf("ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

int main(void) {
    mkdir("box", 0755);
    close(open("box/inside", O_CREAT | O_WRONLY, 0644));
    close(open("private", O_CREAT | O_WRONLY, 0600));
    in_child(leave_root);
    in_child(leave_user);
    say("still there", open("private", O_RDONLY) < 0 ? -1 : 0);
    return 0;
}
