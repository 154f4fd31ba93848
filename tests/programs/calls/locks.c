#include "cases.h"
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>

static int digits(const char *name) {
    int file = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
    (void)!write(file, "0123456789", 10), lseek(file, 0, SEEK_SET);
    return file;
}
static int lock(int file, int command, int type, long start, long length) {
    struct flock lock = {.l_type = type, .l_start = start, .l_len = length};
    return fcntl(file, command, &lock);
}
/* What stands in the way of a lock on everything behind a place. */
static void show_lock(int file, int command, long start) {
    struct flock lock = {.l_type = F_WRLCK, .l_start = start};
    if (fcntl(file, command, &lock) == 0)
        printf("%d at %ld for %ld, %d\n", lock.l_type, (long)lock.l_start, (long)lock.l_len, lock.l_pid > 0 ? 1 : lock.l_pid);
}

CASE(pieces_of_locks) {
    int file = digits("f");
    SHOW(lock(file, F_SETLK, F_WRLCK, 0, 10)), SHOW(lock(file, F_SETLK, F_UNLCK, 3, 2)), SHOW(lock(file, F_SETLK, F_RDLCK, 6, 1));
    if (fork() == 0) {
        for (long start = 0; start < 12; start++)
            show_lock(file, F_GETLK, start);
        SHOW(lock(file, F_SETLK, F_WRLCK, 3, 2)), SHOW(lock(file, F_SETLK, F_RDLCK, 6, 1)), SHOW(lock(file, F_SETLK, F_WRLCK, 6, 1)), SHOW(lock(file, F_SETLK, F_WRLCK, 0, 1)), SHOW(lock(file, F_SETLK, F_UNLCK, 0, 0));
        _exit(0);
    }
    wait(NULL);
    struct flock from = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -2, .l_len = -3};
    SHOW(fcntl(file, F_SETLK, &from)), from.l_start = 5, from.l_len = -20, SHOW(fcntl(file, F_SETLK, &from)), from = (struct flock){.l_type = F_WRLCK, .l_whence = 9}, SHOW(fcntl(file, F_SETLK, &from)), SHOW(lock(file, F_SETLK, F_WRLCK, -1, 1)), SHOW(lock(open("f", O_RDONLY), F_SETLK, F_WRLCK, 50, 1)), SHOW(lock(open("f", O_WRONLY), F_SETLK, F_RDLCK, 50, 1)), SHOW(lock(99, F_SETLK, F_RDLCK, 0, 1)), SHOW(fcntl(file, F_SETLK, NULL)), SHOW(fcntl(file, F_GETLK, &(struct flock){.l_type = F_UNLCK})), SHOW(lock(open("f", O_PATH), F_SETLK, F_RDLCK, 0, 1));
}
CASE(locks_that_end) {
    int file = digits("f"), go[2];
    (void)!pipe(go);
    SHOW(lock(file, F_SETLK, F_WRLCK, 0, 0)), SHOW(close(open("f", O_RDONLY)));
    pid_t child = fork();
    if (child == 0)
        show_lock(file, F_GETLK, 0), SHOW(lock(file, F_SETLK, F_WRLCK, 0, 0)), (void)!write(go[1], "x", 1), pause(), _exit(0);
    char byte;
    (void)!read(go[0], &byte, 1);
    SHOW(lock(file, F_SETLK, F_WRLCK, 0, 0)), show_lock(file, F_GETLK, 0), kill(child, SIGKILL), wait(NULL), SHOW(lock(file, F_SETLK, F_WRLCK, 0, 0));
}
static void nothing(int number) { (void)number; }
CASE(waiting_for_locks) {
    int file = digits("f"), go[2];
    char byte;
    (void)!pipe(go), lock(file, F_SETLK, F_WRLCK, 0, 1);
    pid_t child = fork();
    if (child == 0)
        lock(file, F_SETLK, F_WRLCK, 1, 1), (void)!write(go[1], "x", 1), _exit(lock(file, F_SETLKW, F_WRLCK, 0, 1) != 0);
    (void)!read(go[0], &byte, 1), usleep(50000);
    SHOW(lock(file, F_SETLKW, F_WRLCK, 1, 1)), SHOW(lock(file, F_SETLK, F_UNLCK, 0, 1));
    int status;
    SHOW(waitpid(child, &status, 0) == child), SHOW(status), SHOW(lock(file, F_SETLKW, F_WRLCK, 0, 0));
    if (fork() == 0) {
        sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, NULL), alarm(1);
        SHOW(lock(file, F_SETLKW, F_RDLCK, 0, 0)), _exit(0);
    }
    wait(NULL);
}
CASE(locks_of_descriptions) {
    int one = digits("f"), two = open("f", O_RDWR), same = dup(one);
    SHOW(lock(one, F_OFD_SETLK, F_WRLCK, 0, 5)), SHOW(lock(two, F_OFD_SETLK, F_WRLCK, 0, 5)), SHOW(lock(same, F_OFD_SETLK, F_RDLCK, 0, 2)), show_lock(two, F_OFD_GETLK, 0), show_lock(two, F_GETLK, 0), SHOW(lock(two, F_OFD_SETLK, F_RDLCK, 0, 2)), SHOW(lock(two, F_SETLK, F_WRLCK, 3, 1)), SHOW(lock(two, F_OFD_SETLKW, F_RDLCK, 1, 1));
    struct flock with = {.l_type = F_WRLCK, .l_start = 20, .l_len = 1, .l_pid = 5};
    SHOW(fcntl(one, F_OFD_SETLK, &with)), SHOW(close(one)), SHOW(lock(two, F_OFD_SETLK, F_WRLCK, 3, 1)), SHOW(close(same)), SHOW(lock(two, F_OFD_SETLK, F_WRLCK, 3, 1));
    if (fork() == 0) {
        SHOW(lock(two, F_OFD_SETLK, F_UNLCK, 0, 0)), SHOW(lock(open("f", O_RDWR), F_OFD_SETLK, F_WRLCK, 0, 0)), _exit(0);
    }
    wait(NULL);
}
CASE(whole_files) {
    int one = digits("f"), two = open("f", O_RDONLY), same = dup(one);
    SHOW(flock(one, LOCK_EX)), SHOW(flock(two, LOCK_SH | LOCK_NB)), SHOW(flock(same, LOCK_SH | LOCK_NB)), SHOW(flock(two, LOCK_SH | LOCK_NB)), SHOW(flock(one, LOCK_EX | LOCK_NB)), SHOW(flock(two, LOCK_UN)), SHOW(flock(one, LOCK_EX | LOCK_NB)), SHOW(lock(two, F_SETLK, F_RDLCK, 0, 0));
    if (fork() == 0)
        SHOW(flock(one, LOCK_UN)), _exit(0);
    wait(NULL), SHOW(flock(two, LOCK_EX | LOCK_NB)), SHOW(close(two)), SHOW(flock(one, LOCK_EX | LOCK_NB)), SHOW(flock(one, LOCK_NB)), SHOW(flock(one, LOCK_SH | LOCK_EX)), SHOW(flock(one, LOCK_UN | LOCK_NB)), SHOW(flock(open("f", O_PATH), LOCK_SH));
    int ends[2];
    (void)!pipe(ends), SHOW(flock(ends[0], LOCK_SH)), SHOW(lock(ends[0], F_SETLK, F_RDLCK, 0, 0));
}
CASE(leases) {
    int file = digits("f");
    SHOW(fcntl(file, F_GETLEASE)), SHOW(fcntl(file, F_SETLEASE, F_RDLCK)), SHOW(fcntl(file, F_SETLEASE, F_WRLCK)), SHOW(fcntl(file, F_GETLEASE)), SHOW(fcntl(file, F_SETLEASE, 77)), SHOW(fcntl(file, F_SETLEASE, F_UNLCK)), SHOW(fcntl(file, F_SETLEASE, F_UNLCK)), SHOW(fcntl(99, F_GETLEASE)), SHOW(fcntl(open(".", O_RDONLY), F_SETLEASE, F_RDLCK)), SHOW(fcntl(open(".", O_RDONLY), F_NOTIFY, 0)), SHOW(fcntl(file, F_NOTIFY, 1));
}
static volatile int told;
static void tell(int number, siginfo_t *info, void *context) {
    (void)context, told++;
    printf("signal %d code %d descriptor %d\n", number, info->si_code, number == SIGIO || number == SIGRTMIN ? info->si_fd : -1);
}
CASE(owners_of_descriptors) {
    struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO};
    struct f_owner_ex { int type, pid; } owner = {0, 0};
    int pair[2];
    sigaction(SIGIO, &action, NULL), sigaction(SIGRTMIN, &action, NULL), socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(fcntl(pair[0], F_GETOWN)), SHOW(fcntl(pair[0], F_SETOWN, getpid())), SHOW(fcntl(pair[0], F_GETOWN) == getpid()), SHOW(fcntl(pair[0], F_GETOWN_EX, &owner)), SHOW(owner.type), SHOW(owner.pid == getpid()), SHOW(fcntl(pair[0], F_SETFL, O_ASYNC)), SHOW(fcntl(pair[0], F_GETFL) & O_ASYNC), SHOW(write(pair[1], "x", 1)), SHOW(told > 0), SHOW(fcntl(pair[0], F_SETSIG, SIGRTMIN)), SHOW(fcntl(pair[0], F_GETSIG) == SIGRTMIN), told = 0, SHOW(write(pair[1], "x", 1)), SHOW(told > 0), SHOW(fcntl(pair[0], F_SETFL, 0)), told = 0, SHOW(write(pair[1], "x", 1)), SHOW(told);
    owner.type = 7, SHOW(fcntl(pair[0], F_SETOWN_EX, &owner)), owner.type = 0, owner.pid = 1 << 22, SHOW(fcntl(pair[0], F_SETOWN_EX, &owner)), SHOW(fcntl(pair[0], F_SETSIG, 99)), SHOW(fcntl(pair[0], F_SETOWN, -getpgrp())), SHOW(fcntl(pair[0], F_GETOWN) == -getpgrp()), SHOW(fcntl(99, F_GETOWN)), SHOW(fcntl(pair[0], F_GETOWN_EX, 8)), SHOW(fcntl(pair[0], F_SETOWN, 1 << 22));
}
CASE(hints) {
    int file = digits("f");
    unsigned long long hint = 3;
    SHOW(fcntl(file, 1035, &hint)), SHOW(hint), hint = 2, SHOW(fcntl(file, 1036, &hint)), SHOW(fcntl(file, 1035, &hint)), SHOW(hint), hint = 99, SHOW(fcntl(file, 1036, &hint)), SHOW(fcntl(file, 1035, 8)), SHOW(fcntl(file, F_SETFL, O_CREAT | O_TRUNC | O_WRONLY)), SHOW(fcntl(file, F_GETFL) & (O_CREAT | O_TRUNC | O_ACCMODE)), SHOW(fcntl(file, F_SETFL, O_NOATIME) == 0 || errno == EPERM), SHOW(fcntl(file, F_SETFL, O_DIRECT) == 0 || errno == EINVAL), SHOW(fcntl(file, F_SETFD, 77)), SHOW(fcntl(file, F_GETFD)), SHOW(fcntl(file, F_DUPFD, 1 << 30)), SHOW(fcntl(open("f", O_PATH), F_SETFL, 0)), SHOW(fcntl(open("f", O_PATH), F_GETFD)), SHOW(fcntl(open("f", O_PATH), F_DUPFD, 20)), SHOW(fcntl(file, -1)), SHOW(fcntl(file, F_ADD_SEALS, 1)), SHOW(fcntl(file, F_GET_SEALS));
}
