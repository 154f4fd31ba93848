/* Signals to others, becoming others, and more processes than there may be. The arguments are another process's id, and
 * how many processes and threads there may be. */
#include "escape.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_gate(void *unused) {
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return unused;
}

static void others(int victim) {
    struct rlimit limit = {1, 1};
    struct sched_param parameters = {.sched_priority = 1};
    cpu_set_t cpus;
    siginfo_t info = {.si_code = SI_QUEUE};
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    for (int round = 0; round < 3; round++) {
        int target = round == 0 ? victim : round == 1 ? getppid() : 1;
        REFUSED(kill(target, SIGKILL), ESRCH);
        REFUSED(kill(target, 0), ESRCH);
        REFUSED(syscall(SYS_tkill, target, SIGKILL), ESRCH);
        REFUSED(syscall(SYS_tgkill, target, target, SIGKILL), ESRCH);
        REFUSED(syscall(SYS_rt_sigqueueinfo, target, SIGKILL, &info), ESRCH);
        REFUSED(syscall(SYS_rt_tgsigqueueinfo, target, target, SIGKILL, &info), ESRCH);
        REFUSED(syscall(SYS_pidfd_open, target, 0), ESRCH);
        REFUSED(setpriority(PRIO_PROCESS, target, 19), ESRCH);
        REFUSED(sched_setaffinity(target, sizeof cpus, &cpus), ESRCH);
        REFUSED(sched_setscheduler(target, SCHED_FIFO, &parameters), ESRCH);
        REFUSED(getpgid(target), ESRCH);
        REFUSED(getsid(target), ESRCH);
        REFUSED(setpgid(target, 0), ESRCH);
        REFUSED(prlimit(target, RLIMIT_NOFILE, &limit, NULL), ESRCH);
        REFUSED(fcntl(0, F_SETOWN, target), ESRCH);
        struct f_owner_ex owner = {F_OWNER_PID, target};
        REFUSED(fcntl(0, F_SETOWN_EX, &owner), ESRCH);
    }
    int group = getpgid(0);
    REFUSED(kill(-1, SIGTERM), ESRCH);
    REFUSED(kill(-victim, SIGTERM), ESRCH);
    REFUSED(setpgid(0, victim), ESRCH);
    WORKS(group > 0 && kill(0, 0) == 0);
    struct f_owner_ex owner = {F_OWNER_PGRP, group};
    REFUSED(fcntl(0, F_SETOWN_EX, &owner), ESRCH);
    REFUSED(fcntl(0, F_SETOWN, -group), ESRCH);
    REFUSED(ioctl(0, TIOCSTI, "x"), EPERM);
    REFUSED(ioctl(0, TIOCSETD, &group), EPERM);
    REFUSED(ioctl(0, TIOCSCTTY, 1), EPERM);
    REFUSED(ioctl(0, TIOCSPGRP, &victim), EPERM);
    REFUSED(fcntl(0, F_SETLEASE, F_WRLCK), EPERM);
    REFUSED2(waitpid(victim, NULL, WNOHANG), ECHILD, ECHILD);
}

static void another_user(void) {
    gid_t group = 65534;
    REFUSED(setuid(65534), EPERM);
    REFUSED(setgid(65534), EPERM);
    REFUSED(setreuid(65534, -1), EPERM);
    REFUSED(setresuid(-1, 65534, -1), EPERM);
    REFUSED(setresgid(-1, -1, 65534), EPERM);
    REFUSED(setgroups(1, &group), EPERM);
    WORKS(setuid(getuid()) == 0 && setresgid(-1, getgid(), -1) == 0);
    struct sched_param parameters = {.sched_priority = 1};
    REFUSED(sched_setscheduler(0, SCHED_FIFO, &parameters), EPERM);
    REFUSED(setpriority(PRIO_PROCESS, 0, -20), EACCES);
    REFUSED(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), EINVAL);
    REFUSED(prctl(PR_CAPBSET_DROP, 0, 0, 0, 0), EINVAL);
}

static void too_many(int limit) {
    pid_t children[1000];
    pthread_t threads[1000];
    int ends[2], started = 0, error = 0;
    WORKS(pipe(ends) == 0);
    for (; started < 1000; started++) {
        pid_t child = fork();
        if (child == 0) {
            char byte;
            close(ends[1]);
            (void)!read(ends[0], &byte, 1);
            _exit(7);
        }
        if (child < 0) {
            error = errno;
            break;
        }
        children[started] = child;
    }
    WORKS(error == EAGAIN && started == limit - 1);
    REFUSED(vfork(), EAGAIN);
    WORKS(kill(children[0], SIGKILL) == 0 && waitpid(children[0], NULL, 0) == children[0]);
    pid_t again = fork();
    if (again == 0)
        _exit(8);
    int status = 0;
    WORKS(again > 0 && waitpid(again, &status, 0) == again && WIFEXITED(status) && WEXITSTATUS(status) == 8);
    close(ends[1]);
    int ended = 0;
    for (int index = 1; index < started; index++)
        ended += waitpid(children[index], &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7;
    WORKS(ended == started - 1);

    pthread_mutex_lock(&gate);
    int made = 0;
    while (made < 1000 && (error = pthread_create(&threads[made], NULL, wait_at_gate, NULL)) == 0)
        made++;
    WORKS(error == EAGAIN && made == limit - 1);
    pthread_mutex_unlock(&gate);
    for (int index = 0; index < made; index++)
        pthread_join(threads[index], NULL);
}

/* Processes that are still there at the end, and would make more. */
static void stay(void) {
    for (int index = 0; index < 3; index++)
        if (fork() == 0) {
            setsid();
            signal(SIGTERM, SIG_IGN);
            signal(SIGHUP, SIG_IGN);
            for (;;)
                if (fork() < 0)
                    usleep(1000);
        }
    usleep(200000);
}

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    setbuf(stdout, NULL);
    others(atoi(arguments[1]));
    another_user();
    too_many(atoi(arguments[2]));
    int status = verdict();
    stay();
    return status;
}
