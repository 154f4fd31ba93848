#include "cases.h"
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

/* What became of the one child there is. */
static void show_end(void) {
    int status = 0;
    if (wait(&status) > 0)
        printf("%s %d\n", WIFEXITED(status) ? "status" : WIFSIGNALED(status) ? "signal" : "else", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

CASE(ends_by_signals) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (int number = 1; number < 32; number++) {
        if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
            continue;
        printf("%d: ", number);
        if (fork() == 0)
            kill(getpid(), number), _exit(50);
        show_end();
    }
    if (fork() == 0)
        kill(getpid(), SIGRTMAX), _exit(50);
    show_end();
}
CASE(waiting_for_changes) {
    siginfo_t info;
    int ends[2];
    char byte;
    (void)!pipe(ends), setpgid(0, 0);
    pid_t child = fork();
    if (child == 0)
        raise(SIGSTOP), (void)!read(ends[0], &byte, 1), raise(SIGTSTP), (void)!read(ends[0], &byte, 1), _exit(6);
    memset(&info, 0, sizeof info), SHOW(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT)), printf("%d %d %d\n", info.si_code, info.si_status, info.si_pid == child), SHOW(waitid(P_PID, child, &info, WSTOPPED)), info.si_pid = 5, SHOW(waitid(P_PID, child, &info, WSTOPPED | WNOHANG)), SHOW(info.si_pid), SHOW(kill(child, SIGCONT)), SHOW(waitid(P_PID, child, &info, WCONTINUED)), printf("%d %d\n", info.si_code, info.si_status), (void)!write(ends[1], "x", 1), SHOW(waitid(P_PGID, getpgrp(), &info, WSTOPPED)), printf("%d %d\n", info.si_code, info.si_status), SHOW(kill(child, SIGCONT)), (void)!write(ends[1], "x", 1), SHOW(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT)), printf("%d %d %d\n", info.si_code, info.si_status, info.si_signo), SHOW(waitid(P_PID, child, NULL, WEXITED)), SHOW(waitid(P_PID, child, NULL, WEXITED)), SHOW(waitid(P_PID, 0, &info, WEXITED)), SHOW(waitid(P_PGID, -1, &info, WEXITED)), SHOW(waitid(P_ALL, 0, &info, 0x80)), SHOW(waitpid(-getpgrp(), NULL, WNOHANG)), SHOW(waitpid(0, NULL, 0)), SHOW(waitpid(INT32_MIN, NULL, 0));
    child = fork();
    if (child == 0)
        kill(getpid(), SIGKILL);
    SHOW(waitid(P_PID, child, &info, WEXITED)), printf("%d %d\n", info.si_code, info.si_status), SHOW(waitpid(-1, NULL, 0x40000000 | WNOHANG));
    if (fork() == 0) { /* nobody of its session could have it go on: it does not stop */
        setsid(), raise(SIGTSTP), raise(SIGTTIN), _exit(7);
    }
    show_end();
}
CASE(kinds_of_clones) {
    int place = 0, pidfd = -1;
    struct { uint64_t flags, pidfd, child_tid, parent_tid, signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup, more; } how = {.signal = SIGCHLD};
    SHOW(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0)), SHOW(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0)), SHOW(syscall(SYS_clone3, &how, 63)), SHOW(syscall(SYS_clone3, &how, 8192)), how.more = 1, SHOW(syscall(SYS_clone3, &how, 96)), how.more = 0, how.signal = 300, SHOW(syscall(SYS_clone3, &how, 88)), how.signal = 0, how.flags = SIGCHLD, SHOW(syscall(SYS_clone3, &how, 88)), how.flags = 0, how.stack = 16, SHOW(syscall(SYS_clone3, &how, 88)), how.stack = 0, how.stack_size = 16, SHOW(syscall(SYS_clone3, &how, 88)), how.stack_size = 0, how.signal = SIGCHLD, how.flags = CLONE_PIDFD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, how.pidfd = (uintptr_t)&pidfd, how.child_tid = (uintptr_t)&place;
    long child = syscall(SYS_clone3, &how, 64);
    if (child == 0)
        _exit(place == getpid() ? 21 : 22);
    SHOW(pidfd > 2), SHOW(fcntl(pidfd, F_GETFD)), SHOW(place), show_end(), how.flags = CLONE_PARENT_SETTID, how.parent_tid = (uintptr_t)&place, child = syscall(SYS_clone3, &how, 88);
    if (child == 0)
        _exit(23);
    SHOW(place == child), show_end(), SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &place, 0, 0));
    child = vfork();
    if (child == 0)
        _exit(24);
    show_end();
}
CASE(settings) {
    int number = -1;
    SHOW(prctl(PR_GET_DUMPABLE)), SHOW(prctl(PR_SET_DUMPABLE, 0)), SHOW(prctl(PR_GET_DUMPABLE)), SHOW(prctl(PR_SET_DUMPABLE, 2)), SHOW(prctl(PR_SET_DUMPABLE, 1)), SHOW(prctl(PR_GET_KEEPCAPS)), SHOW(prctl(PR_SET_KEEPCAPS, 1)), SHOW(prctl(PR_GET_KEEPCAPS)), SHOW(prctl(PR_SET_KEEPCAPS, 2)), SHOW(prctl(PR_GET_TIMERSLACK) > 0), SHOW(prctl(PR_SET_TIMERSLACK, 1000)), SHOW(prctl(PR_GET_TIMERSLACK)), SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1)), SHOW(prctl(PR_GET_CHILD_SUBREAPER, &number)), SHOW(number), SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)), SHOW(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0)), SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)), SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 1)), SHOW(prctl(PR_GET_SECUREBITS)), SHOW(prctl(PR_CAPBSET_READ, 0)), SHOW(prctl(PR_CAPBSET_READ, 999)), SHOW(prctl(PR_GET_TIMING)), SHOW(prctl(PR_SET_TIMING, 1)), SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)), SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)), SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)), SHOW(prctl(PR_SET_PDEATHSIG, 65)), SHOW(prctl(PR_SET_PDEATHSIG, 0)), SHOW(prctl(PR_GET_PDEATHSIG, &number)), SHOW(number), SHOW(prctl(77777, 1, 2, 3, 4)), SHOW(prctl(PR_SET_NAME, "")), SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0)), SHOW(prctl(PR_CAP_AMBIENT, 99, 0, 0, 0)), SHOW(prctl(PR_GET_TID_ADDRESS, 8) == 0 || errno == EINVAL || errno == EFAULT);
    int ends[2], status;
    char byte;
    (void)!pipe(ends);
    pid_t child = fork(), orphan;
    if (child == 0) {
        orphan = fork();
        if (orphan == 0)
            prctl(PR_SET_PDEATHSIG, SIGKILL), (void)!write(ends[1], "x", 1), close(ends[1]), pause(), _exit(1);
        (void)!read(ends[0], &byte, 1), (void)!write(ends[1], &orphan, sizeof orphan), _exit(8);
    }
    close(ends[1]), SHOW(waitpid(child, &status, 0) == child), SHOW(WEXITSTATUS(status)), SHOW(read(ends[0], &orphan, sizeof orphan)), SHOW(waitpid(orphan, &status, 0) == orphan), SHOW(WTERMSIG(status)), SHOW(read(ends[0], &byte, 1));
}
CASE(identities) {
    uid_t a, b, c;
    gid_t groups[8];
    if (getuid() != 0) {
        SHOW(getuid() == geteuid());
        return;
    }
    if (fork() == 0) {
        SHOW(setgroups(2, (gid_t[]){5, 70000})), SHOW(getgroups(0, NULL)), SHOW(getgroups(1, groups)), SHOW(getgroups(8, groups)), printf("%u %u\n", groups[0], groups[1]), SHOW(setgroups(1 << 20, groups)), SHOW(setresgid(10, 20, 30)), SHOW(getresgid(&a, &b, &c)), printf("%u %u %u\n", a, b, c), SHOW(setregid(-1, 10)), SHOW(getegid()), SHOW(setresuid(100, 200, 300)), SHOW(getresuid(&a, &b, &c)), printf("%u %u %u\n", a, b, c), SHOW(seteuid(0)), SHOW(seteuid(300)), SHOW(setuid(100)), SHOW(getresuid(&a, &b, &c)), printf("%u %u %u\n", a, b, c), SHOW(setreuid(200, -1)), SHOW(setresuid(-1, -1, 5)), SHOW(setfsuid(77)), SHOW(setfsuid(-1)), SHOW(setgroups(0, NULL)), SHOW(setpriority(PRIO_PROCESS, 0, -5)), SHOW(kill(1, 0)), SHOW(chown("/", 1, 1)), _exit(0);
    }
    show_end();
    if (fork() == 0) {
        SHOW(setgid(5)), SHOW(getgid()), SHOW(setuid(7)), SHOW(setuid(0)), SHOW(getuid()), SHOW(open("/proc/1/environ", O_RDONLY)), _exit(0);
    }
    show_end();
}
CASE(all_limits) {
    struct rlimit limit, old;
    for (int which = 0; which < 17; which++)
        SHOW(getrlimit(which, &limit));
    for (int which = 0; which < 16; which++) {
        if (fork() == 0) {
            getrlimit(which, &limit), limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? 1 << 30 : limit.rlim_max / 2, SHOW(setrlimit(which, &limit)), SHOW(getrlimit(which, &old)), SHOW(old.rlim_cur == limit.rlim_cur), SHOW(old.rlim_max == limit.rlim_max), limit.rlim_cur = 2, limit.rlim_max = 1, SHOW(setrlimit(which, &limit)), _exit(0);
        }
        show_end();
    }
    SHOW(prlimit(getpid(), RLIMIT_NOFILE, NULL, &old)), SHOW(prlimit(1 << 22, RLIMIT_NOFILE, NULL, &old)), SHOW(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, RLIM_INFINITY}, &old)), SHOW(prlimit(0, RLIMIT_CORE, NULL, &old)), SHOW(old.rlim_max == RLIM_INFINITY || getuid() != 0);
}
CASE(scheduling_more) {
    struct sched_param parameter = {0};
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t low, high; } how = {0};
    unsigned processor = 999, node = 999;
    SHOW(sched_getparam(0, &parameter)), SHOW(parameter.sched_priority), parameter.sched_priority = 5, SHOW(sched_setscheduler(0, SCHED_OTHER, &parameter)), parameter.sched_priority = 0, SHOW(sched_setscheduler(0, SCHED_BATCH, &parameter)), SHOW(sched_getscheduler(0)), SHOW(sched_setscheduler(0, SCHED_IDLE | 0x40000000, &parameter)), SHOW(sched_getscheduler(0)), SHOW(sched_setscheduler(0, SCHED_FIFO, &parameter)), SHOW(sched_setscheduler(0, 77, &parameter)), SHOW(sched_setscheduler(-1, 0, &parameter)), SHOW(sched_getscheduler(1 << 22)), SHOW(sched_getparam(0, NULL)), SHOW(sched_setscheduler(0, SCHED_OTHER, NULL)), SHOW(syscall(SYS_sched_getattr, 0, &how, 48, 0)), SHOW(how.size), SHOW(how.policy), SHOW(how.nice), SHOW(syscall(SYS_sched_getattr, 0, &how, 40, 0)), SHOW(syscall(SYS_sched_getattr, 0, &how, 48, 1)), how.size = 48, how.policy = SCHED_BATCH, how.flags = 0, how.nice = 3, SHOW(syscall(SYS_sched_setattr, 0, &how, 0)), SHOW(sched_getscheduler(0)), SHOW(getpriority(PRIO_PROCESS, 0)), how.size = 500, SHOW(syscall(SYS_sched_setattr, 0, &how, 0)), how.size = 48, how.policy = 99, SHOW(syscall(SYS_sched_setattr, 0, &how, 0)), SHOW(syscall(SYS_sched_setattr, 0, NULL, 0)), SHOW(syscall(SYS_sched_setattr, 0, 8, 0));
    SHOW(getcpu(&processor, &node)), SHOW(processor < 512), SHOW(node < 8), SHOW(nice(2)), SHOW(nice(100)), SHOW(setpriority(PRIO_PGRP, 0, 19)), SHOW(getpriority(PRIO_USER, 12345)), SHOW(syscall(SYS_getpriority, PRIO_PROCESS, 0)), SHOW(syscall(SYS_ioprio_get, 1, 0)), SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 4)), SHOW(syscall(SYS_ioprio_get, 1, 0)), SHOW(syscall(SYS_ioprio_set, 1, 0, 9 << 13)), SHOW(syscall(SYS_ioprio_get, 9, 0)), SHOW(sched_rr_get_interval(-1, &(struct timespec){0, 0})), SHOW(sched_get_priority_max(SCHED_RR)), SHOW(sched_get_priority_min(SCHED_RR)), SHOW(syscall(SYS_sched_getaffinity, 0, 3, &how)), SHOW(syscall(SYS_sched_getaffinity, -1, 8, &how));
}
CASE(sessions) {
    int ends[2];
    char byte;
    (void)!pipe(ends);
    pid_t child = fork();
    if (child == 0)
        SHOW(setpgid(0, 0)), SHOW(getpgrp() == getpid()), close(ends[1]), (void)!read(ends[0], &byte, 1), SHOW(getsid(0) == getpid()), SHOW(setsid()), _exit(0);
    usleep(30000), SHOW(getpgid(child) == child), SHOW(setpgid(child, getpgrp())), SHOW(getpgid(child) == getpgrp()), SHOW(setpgid(child, child)), SHOW(setpgid(getppid(), 0)), SHOW(kill(-child, 0)), SHOW(kill(-(1 << 22), 0)), SHOW(getsid(child) == getsid(0)), SHOW(setpgid(child, 1 << 22)), SHOW(setpgid(child, 1)), close(ends[1]), show_end(), SHOW(setpgid(child, 0)), SHOW(getpgid(child)), SHOW(kill(child, 0)), SHOW(kill(0, 0)), SHOW(kill(INT32_MIN, 0)), SHOW(syscall(SYS_tgkill, 0, getpid(), 0)), SHOW(syscall(SYS_tgkill, getpid(), getpid(), 0)), SHOW(syscall(SYS_tkill, -1, 0));
}
CASE(kinds_of_execution) {
    SHOW(personality(0xFFFFFFFF)), SHOW(personality(ADDR_NO_RANDOMIZE)), SHOW(personality(0xFFFFFFFF) == ADDR_NO_RANDOMIZE), SHOW(personality(0) == ADDR_NO_RANDOMIZE), SHOW(unshare(0)), SHOW(unshare(0x77)), SHOW(unshare(CLONE_FILES)), SHOW(unshare(CLONE_FS)), SHOW(unshare(CLONE_SYSVSEM)), SHOW(syscall(SYS_set_tid_address, NULL) == getpid()), SHOW(syscall(SYS_gettid) == getpid()), SHOW(getppid() > 0), SHOW(syscall(9999)), SHOW(syscall(-1));
}
