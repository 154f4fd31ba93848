/* System calls that only pass through, made often enough for compiled code: with signals that arrive all the time, that
 * the calls raise themselves, with pointers and descriptors that are none, where they would wait, and after fork.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "results.h"
#include "support.h"

static volatile sig_atomic_t alarms, pipes;
static void on_alarm(int number) { alarms++; }
static void on_pipe(int number) { pipes++; }

static void handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}

static void start_timer(long microseconds) {
    struct itimerval often = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &often, NULL);
}

/* Bytes through a pipe while a timer interrupts: none is lost, doubled or out of order. */
static void storm(int flags) {
    int ends[2];
    unsigned char sent = 0, got;
    unsigned long wrong = 0, interrupted = 0;
    if (pipe(ends)) return;
    handle(SIGALRM, on_alarm, flags);
    alarms = 0;
    start_timer(2000);
    for (long i = 0; i < 30000 || alarms < 20; i++, sent++) {
        while (write(ends[1], &sent, 1) != 1) interrupted += errno == EINTR;
        while (read(ends[0], &got, 1) != 1) interrupted += errno == EINTR;
        wrong += got != sent;
    }
    start_timer(0);
    printf("storm: wrong %lu, restarted ones interrupted %lu, alarms %d\n", wrong, flags ? interrupted : 0, alarms >= 20);
    close(ends[0]), close(ends[1]);
}

/* A call that waits is interrupted; the handler has run when it says so. */
static void waiting(void) {
    int ends[2];
    char byte;
    if (pipe(ends)) return;
    handle(SIGALRM, on_alarm, 0);
    for (int i = 0; i < 5; i++) {
        alarms = 0;
        struct itimerval once = {{0, 0}, {0, 20000}};
        setitimer(ITIMER_REAL, &once, NULL);
        long result = read(ends[0], &byte, 1);
        printf("%s after %d\n", name(result), alarms);
    }
    if (!fork()) {
        usleep(20000);
        write(ends[1], "x", 1);
        _exit(0);
    }
    printf("waited for: %s\n", name(read(ends[0], &byte, 1)));
    wait(NULL);
    close(ends[0]), close(ends[1]);
}

/* The handler of SIGPIPE runs before the write comes back. */
static void broken(void) {
    int ends[2], pair[2];
    handle(SIGPIPE, on_pipe, 0);
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) return;
    close(ends[0]), close(pair[0]);
    int early = 0, late = 0, other = 0;
    for (int i = 1; i <= 3000; i++) {
        other += write(i & 1 ? ends[1] : pair[1], "x", 1) != -1 || errno != EPIPE;
        early += pipes > i, late += pipes < i;
    }
    printf("broken pipes: %d early, %d late, %d other\n", early, late, other);
    close(ends[1]), close(pair[1]);
}

static void wrong_arguments(void) {
    struct timespec now;
    struct stat status;
    char byte;
    void *hole = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *far[] = {(void *)1, hole, (void *)-4096L, (void *)-1L};
    int zero = open("/dev/zero", O_RDWR), closed = dup(zero), file = open("/proc/self/exe", O_RDONLY);
    int mine[2];
    if (pipe(mine)) return;
    close(closed);
    for (int turn = 0; turn < 400; turn++)
        for (unsigned i = 0; i < COUNT(far); i++) {
            const char *results[] = {
                name(read(zero, far[i], 1)), name(read(file, far[i], 1)), name(write(mine[1], far[i], 1)),
                name(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, far[i])), name(syscall(SYS_getrandom, far[i], 1, 0)),
                name(poll(far[i], 1, 0)),
            };
            if (turn % 399 == 0)
                for (unsigned k = 0; k < COUNT(results); k++) printf("%s ", results[k]);
        }
    printf("\n");
    for (int turn = 0; turn < 400; turn++) {
        const char *results[] = {
            name(read(closed, &byte, 1)), name(write(closed, &byte, 1)), name(lseek(closed, 0, SEEK_SET)),
            name(fstat(closed, &status)), name(recv(closed, &byte, 1, 0)), name(send(zero, &byte, 1, 0)),
            name(syscall(SYS_clock_gettime, 77, &now)), name(lseek(mine[0], 0, SEEK_CUR)),
        };
        if (turn % 399 == 0)
            for (unsigned k = 0; k < COUNT(results); k++) printf("%s ", results[k]);
    }
    printf("\n%s %s %s\n", name(read(mine[1], &byte, 1)), name(write(mine[0], &byte, 1)), name(write(file, "x", 1)));
    close(zero), close(file), close(mine[0]), close(mine[1]);
}

/* What is there is given, what is not is waited for or refused, by kind of descriptor. */
static void kinds(void) {
    static char large[200000], back[200000];
    int ends[2], pair[2], datagrams[2], status = 0;
    char small[16];
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams)) return;
    for (unsigned i = 0; i < sizeof large; i++) large[i] = (char)next_random();
    /* more than a pipe, or a socket, takes at once */
    int places[][2] = {{ends[0], ends[1]}, {pair[0], pair[1]}};
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (!child) {
            usleep(5000);
            size_t got = 0;
            for (long more; got < sizeof back && (more = read(places[i][0], back + got, 3000)) > 0;) got += more;
            _exit(memcmp(large, back, sizeof back) != 0);
        }
        printf("large: %s ", name(write(places[i][1], large, sizeof large)));
        waitpid(child, &status, 0);
        printf("%d\n", status);
    }
    /* a datagram is not taken by reading nothing */
    write(datagrams[0], "abcdef", 6), write(datagrams[0], "", 0), write(datagrams[0], "xy", 2);
    printf("%s %s ", name(read(datagrams[1], small, 0)), name(read(datagrams[1], small, 4)));
    printf("%s %s\n", name(read(datagrams[1], small, 4)), name(recv(datagrams[1], small, 4, 0)));
    printf("%s\n", name(recv(datagrams[1], small, 4, MSG_DONTWAIT)));
    fcntl(ends[0], F_SETFL, O_NONBLOCK), fcntl(ends[1], F_SETFL, O_NONBLOCK), fcntl(pair[1], F_SETFL, O_NONBLOCK);
    printf("%s ", name(read(ends[0], small, 4)));
    printf("%s ", name(read(pair[1], small, 4)));
    long first = write(ends[1], large, sizeof large), second = write(ends[1], large, 1);
    printf("%ld %s ", first, name(second));
    int all = 0;
    while (write(pair[1], large, 1000) > 0) all++;
    printf("%s %d\n", strerrorname_np(errno), all > 10);
    /* all of a file's bytes at once, from where it was left */
    int file = memfd_create("file", 0);
    write(file, large, sizeof large);
    lseek(file, 100, SEEK_SET);
    printf("%s ", name(read(file, back, sizeof back)));
    printf("%d %s ", memcmp(back, large + 100, sizeof large - 100), name(read(file, back, 10)));
    printf("%s %d ", name(pread(file, back, 50, 150000)), memcmp(back, large + 150000, 50));
    printf("%s %s\n", name(pwrite(file, "abc", 3, 199999)), name(lseek(file, 0, SEEK_END)));
    struct pollfd poller[] = {{ends[0], POLLIN, 0}, {file, POLLIN, 0}, {99, POLLIN, 0}};
    int ready = poll(poller, 3, -1);
    printf("%d %d %d %d\n", ready, poller[0].revents, poller[1].revents, poller[2].revents);
    while (read(ends[0], back, sizeof back) > 0) {}
    printf("%s %s\n", name(poll(poller, 1, 0)), name(poll(poller, 1, 5)));
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef}, found[3];
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    printf("%s %s ", name(epoll_wait(epoll, found, 3, 0)), name(epoll_wait(epoll, found, 3, 5)));
    write(ends[1], "x", 1);
    for (int i = 0; i < 300; i++) found[0].data.u64 = 0, epoll_wait(epoll, found, 3, -1);
    printf("%s %d %d ", name(epoll_wait(epoll, found, 3, -1)), found[0].events, found[0].data.u64 == event.data.u64);
    printf("%s\n", name(epoll_wait(epoll, found, 0, 0)));
}

static void identities(void) {
    pid_t parent = getpid(), before = 0;
    int status, wrong = 0;
    for (int i = 0; i < 500; i++) before = getppid(), wrong += syscall(SYS_gettid) != parent;
    for (int level = 0; level < 3; level++) {
        pid_t me = getpid(), child = fork();
        if (child) {
            waitpid(child, &status, 0);
            wrong += status != 0;
            break;
        }
        for (int i = 0; i < 500; i++)
            wrong += getppid() != me || getpid() == me || syscall(SYS_gettid) != getpid() || before == getpid();
    }
    if (getpid() != parent) _exit(wrong);
    printf("identities: %d wrong\n", wrong);
}

/* Names, and what is known of files. */
static void files(const char *program) {
    struct stat one, other;
    char longest[5000];
    memset(longest, 'x', sizeof longest - 1), longest[sizeof longest - 1] = 0;
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *edge = pages + 4094;
    mprotect(pages + 4096, 4096, PROT_NONE);
    strcpy(edge, "/");
    const char *names[] = {"/", edge, pages + 4096, edge + 2, (char *)1, (char *)-1L, longest, "/nowhere", "", "/dev/null"};
    for (int turn = 0; turn < 300; turn++)
        for (unsigned i = 0; i < COUNT(names); i++) {
            long looked = stat(names[i], &one), error = looked ? errno : 0;
            long linked = lstat(names[i], &other), linked_error = linked ? errno : 0;
            long may = access(names[i], R_OK), may_error = may ? errno : 0;
            long at = fstatat(AT_FDCWD, names[i], &one, AT_SYMLINK_NOFOLLOW), at_error = at ? errno : 0;
            if (turn % 299 == 0) printf("%ld %ld %ld %ld, ", error, linked_error, may_error, at_error);
        }
    printf("\n");
    /* the link to the program leads to the guest's */
    for (int turn = 0; turn < 300; turn++) {
        int file = open(program, O_RDONLY), again = fcntl(file, F_DUPFD, 50);
        long same = !fstat(file, &other);
#ifndef __riscv /* qemu-user, which tells there what is right, shows its own program */
        same = !stat("/proc/self/exe", &one) && one.st_ino == other.st_ino;
#endif
        same += !fstatat(again, "", &one, AT_EMPTY_PATH) && one.st_ino == other.st_ino;
        same += fcntl(again, F_SETFD, FD_CLOEXEC) == 0 && fcntl(again, F_GETFD) == FD_CLOEXEC;
        const char *closed[] = {name(close(again)), name(close(again)), name(close(-1)), name(fcntl(again, F_GETFL))};
        if (turn % 299 == 0) printf("%ld %s %s %s %s\n", same, closed[0], closed[1], closed[2], closed[3]);
        close(file);
    }
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IONBF, 0);
    storm(0), storm(SA_RESTART), waiting(), broken(), wrong_arguments(), kinds(), identities(), files(arguments[0]);
    return 0;
}
