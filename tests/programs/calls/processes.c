#include "cases.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>

CASE(waiting) {
    int status = 0;
    SHOW(wait(&status)), SHOW(waitpid(-1, &status, WNOHANG)), SHOW(waitpid(1, &status, 0)), SHOW(waitpid(-1, &status, 0x1000000));
    pid_t child = fork();
    if (child == 0)
        _exit(300);
    SHOW(waitpid(child, &status, 0) == child), SHOW(WIFEXITED(status)), SHOW(WEXITSTATUS(status));
    child = fork();
    if (child == 0)
        pause();
    SHOW(waitpid(child, &status, WNOHANG)), SHOW(kill(child, SIGSTOP)), SHOW(waitpid(child, &status, WUNTRACED) == child);
    SHOW(WIFSTOPPED(status)), SHOW(WSTOPSIG(status)), SHOW(kill(child, SIGCONT)), SHOW(waitpid(child, &status, WCONTINUED) == child);
    SHOW(WIFCONTINUED(status)), SHOW(kill(child, SIGUSR1)), SHOW(waitpid(child, &status, 0) == child);
    SHOW(WIFSIGNALED(status)), SHOW(WTERMSIG(status)), SHOW(kill(child, 0));
}
CASE(waiting_ids) {
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    memset(&info, 0, sizeof info);
    SHOW(waitid(P_PID, child, &info, WEXITED | WNOWAIT)), SHOW(info.si_status), SHOW(info.si_code), SHOW(info.si_pid == child);
    SHOW(waitid(P_ALL, 0, &info, WEXITED)), SHOW(waitid(P_ALL, 0, &info, WEXITED));
    SHOW(waitid(77, 0, &info, WEXITED)), SHOW(waitid(P_ALL, 0, &info, 0));
    child = fork();
    if (child == 0)
        pause();
    int handle = SHOW(syscall(SYS_pidfd_open, child, 0));
    SHOW(waitid((idtype_t)3, handle, &info, WEXITED | WNOHANG));
    SHOW(syscall(SYS_pidfd_send_signal, handle, SIGTERM, NULL, 0)), SHOW(waitid((idtype_t)3, handle, &info, WEXITED)), SHOW(info.si_status);
    SHOW(syscall(SYS_pidfd_open, 1 << 22, 0)), SHOW(syscall(SYS_pidfd_open, getpid(), 77));
}
CASE(usage) {
    struct rusage usage;
    int status;
    if (fork() == 0)
        _exit(0);
    SHOW(wait4(-1, &status, 0, &usage) > 0), SHOW(usage.ru_maxrss > 0);
    SHOW(getrusage(RUSAGE_SELF, &usage)), SHOW(getrusage(RUSAGE_CHILDREN, &usage)), SHOW(getrusage(77, &usage));
    SHOW(getrusage(RUSAGE_SELF, (void *)8));
}
CASE(groups) {
    SHOW(getpgid(0) == getpgrp()), SHOW(getsid(0) > 0), SHOW(getpgid(1 << 22)), SHOW(getsid(1 << 22));
    SHOW(setpgid(0, 0)), SHOW(getpgrp() == getpid()), SHOW(setsid()), SHOW(setpgid(1 << 22, 0)), SHOW(setpgid(0, 1 << 22)), SHOW(setpgid(0, -1));
    if (fork() == 0) {
        SHOW(setsid() == getpid()), SHOW(getsid(0) == getpid()), SHOW(setpgid(0, 0));
        _exit(0);
    }
    wait(NULL);
}
CASE(limits) {
    struct rlimit limit;
    SHOW(getrlimit(RLIMIT_NOFILE, &limit)), limit.rlim_cur = 10;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit)), SHOW(open("/", O_RDONLY));
    int last = 0, next;
    while ((next = dup(0)) >= 0)
        last = next;
    SHOW(last), SHOW(dup(0)), SHOW(dup2(0, 10)), SHOW(fcntl(0, F_DUPFD, 10)), SHOW(pipe((int[2]){0}));
    limit.rlim_cur = limit.rlim_max + 1;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit)), SHOW(getrlimit(99, &limit)), SHOW(setrlimit(RLIMIT_CORE, (void *)8));
    struct rlimit old;
    SHOW(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, &old)), SHOW(prlimit(0, RLIMIT_CORE, NULL, &old)), SHOW(old.rlim_max);
}
CASE(file_size) {
    SHOW(setrlimit(RLIMIT_FSIZE, &(struct rlimit){10, 10}));
    int file = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(write(file, "01234567890123", 14)), signal(SIGXFSZ, SIG_IGN), SHOW(write(file, "x", 1));
    signal(SIGXFSZ, SIG_DFL), SHOW(write(file, "x", 1));
}
CASE(names) {
    char name[20] = "";
    struct utsname system;
    SHOW(prctl(PR_SET_NAME, "a name of many letters")), SHOW(prctl(PR_GET_NAME, name)), puts(name);
    SHOW(uname(&system)), puts(system.sysname), SHOW(uname((void *)8)), SHOW(prctl(9999, 0, 0, 0, 0)), SHOW(prctl(PR_SET_NAME, 8));
    SHOW(prctl(PR_SET_PDEATHSIG, 99)), SHOW(prctl(PR_SET_PDEATHSIG, SIGTERM));
    int number = 0;
    SHOW(prctl(PR_GET_PDEATHSIG, &number)), SHOW(number), SHOW(prctl(PR_GET_DUMPABLE)), SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
}
CASE(scheduling) {
    cpu_set_t cpus;
    SHOW(sched_getaffinity(0, sizeof cpus, &cpus)), SHOW(CPU_COUNT(&cpus) > 0), SHOW(sched_setaffinity(0, sizeof cpus, &cpus));
    CPU_ZERO(&cpus);
    SHOW(sched_setaffinity(0, sizeof cpus, &cpus)), SHOW(sched_getaffinity(0, 4, &cpus)), SHOW(sched_getaffinity(1 << 22, sizeof cpus, &cpus));
    SHOW(sched_getscheduler(0)), SHOW(sched_get_priority_max(SCHED_FIFO)), SHOW(sched_get_priority_min(SCHED_OTHER)), SHOW(sched_get_priority_max(99));
    SHOW(sched_yield()), SHOW(getpriority(PRIO_PROCESS, 1 << 22)), SHOW(getpriority(99, 0));
    errno = 0;
    SHOW(setpriority(PRIO_PROCESS, 0, 19)), SHOW(getpriority(PRIO_PROCESS, 0));
}
CASE(cloning) {
    SHOW(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0)), SHOW(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0));
    SHOW(syscall(SYS_clone3, NULL, 8)), SHOW(syscall(SYS_clone3, NULL, 88)), SHOW(syscall(SYS_clone3, (void *)8, 88));
    int place = 0;
    long child = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &place, 0, 0);
    if (child == 0)
        _exit(0);
    SHOW(place == child), SHOW(waitpid(child, NULL, 0) == child);
}
CASE(executing) {
    char *nothing[] = {NULL};
    SHOW(execve("nothing", nothing, nothing)), SHOW(execve(".", nothing, nothing)), SHOW(execve("", nothing, nothing));
    int file = open("text", O_CREAT | O_WRONLY, 0755);
    (void)!write(file, "no program\n", 11), close(file);
    SHOW(execve("text", nothing, nothing));
    close(open("plain", O_CREAT | O_WRONLY, 0644));
    SHOW(execve("plain", nothing, nothing)), SHOW(execve((char *)8, nothing, nothing)), SHOW(execve("text", (char **)8, nothing));
    file = open("loop", O_CREAT | O_WRONLY, 0755);
    (void)!write(file, "#!./loop\n", 9), close(file);
    SHOW(execve("loop", nothing, nothing));
    file = open("script", O_CREAT | O_WRONLY, 0755);
    (void)!write(file, "#!/bin/echo of a script\n", 24), close(file);
#ifdef RUNS_PROGRAMS /* the system's, of the same architecture */
    if (fork() == 0)
        execve("script", (char *[]){"zero", "one", NULL}, nothing);
    wait(NULL);
#endif
    SHOW(syscall(SYS_execveat, 99, "x", nothing, nothing, 0)), SHOW(syscall(SYS_execveat, AT_FDCWD, "", nothing, nothing, 0));
#ifdef RUNS_PROGRAMS
    file = open("/bin/echo", O_RDONLY | O_CLOEXEC);
    if (fork() == 0)
        syscall(SYS_execveat, file, "", (char *[]){"echo", "by a descriptor", NULL}, nothing, AT_EMPTY_PATH);
    wait(NULL);
    fcntl(1, F_DUPFD, 50), fcntl(1, F_DUPFD_CLOEXEC, 60);
    execl("/bin/sh", "sh", "-c", "ls -l /proc/$$/fd | grep -c -E ' (50|60) -> ' ", NULL);
#endif
}
CASE(capabilities) {
    unsigned head[2] = {0x20080522, 0}, data[6];
    SHOW(syscall(SYS_capget, head, data)), head[0] = 5;
    SHOW(syscall(SYS_capget, head, data)), printf("%x\n", head[0]), head[1] = -1, head[0] = 0x20080522, SHOW(syscall(SYS_capget, head, data));
    SHOW(getgroups(-1, NULL)), SHOW(getgroups(0, NULL) >= 0);
    uid_t ids[3];
    SHOW(getresuid(&ids[0], &ids[1], &ids[2])), SHOW(ids[0] == getuid()), SHOW(syscall(SYS_getresuid, 8, 8, 8));
}
