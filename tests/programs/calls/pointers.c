#include "cases.h"
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <time.h>

/* Nothing is mapped at the first; the second lies beyond all that a program may have. */
#define BAD ((void *)8)
#define AWAY ((void *)-4096L)

/* The last `size` bytes before pages that are not there; and a page that can only be read. */
static char *before_nothing(size_t size) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    return page + 4096 - size;
}
static void *read_only(void) { return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

CASE(names) {
    SHOW(openat(AT_FDCWD, BAD, O_RDONLY)), SHOW(openat(AT_FDCWD, AWAY, O_CREAT | O_RDWR, 0600)), SHOW(mkdir(BAD, 0700)), SHOW(mkdir(AWAY, 0700));
    SHOW(rmdir(BAD)), SHOW(unlink(AWAY)), SHOW(unlinkat(AT_FDCWD, BAD, 0)), SHOW(chdir(BAD)), SHOW(chdir(AWAY)), SHOW(chmod(BAD, 0600)), SHOW(chown(AWAY, 0, 0));
    SHOW(truncate(BAD, 0)), SHOW(truncate(AWAY, 0)), SHOW(access(BAD, F_OK)), SHOW(access(AWAY, F_OK)), SHOW(mkfifo(BAD, 0600)), SHOW(mknod(AWAY, S_IFREG, 0));
    SHOW(rename(BAD, "x")), SHOW(rename("nothing", BAD)), SHOW(link(BAD, "x")), SHOW(link("nothing", AWAY)), SHOW(symlink(BAD, "x")), SHOW(symlink("x", AWAY));
    SHOW(inotify_add_watch(0, BAD, 1)), SHOW(execve(AWAY, NULL, NULL)), SHOW(memfd_create(BAD, 0)), SHOW(memfd_create(AWAY, 0));
}
CASE(no_names) {
    SHOW(openat(AT_FDCWD, NULL, O_RDONLY)), SHOW(mkdir(NULL, 0700)), SHOW(rmdir(NULL)), SHOW(unlink(NULL)), SHOW(rename(NULL, NULL)), SHOW(link(NULL, NULL)), SHOW(symlink(NULL, NULL));
    SHOW(chdir(NULL)), SHOW(access(NULL, F_OK)), SHOW(chmod(NULL, 0)), SHOW(chown(NULL, 0, 0)), SHOW(truncate(NULL, 0)), SHOW(execve(NULL, NULL, NULL)), SHOW(readlink(NULL, NULL, 4));
    SHOW(memfd_create(NULL, 0)), SHOW(syscall(SYS_statx, AT_FDCWD, NULL, 0, 0, NULL)), SHOW(getxattr(NULL, NULL, NULL, 0)), SHOW(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
}
CASE(name_at_the_edge) {
    char *edge = before_nothing(4);
    memcpy(edge, "abc", 4);
    SHOW(mkdir(edge, 0700)), SHOW(access(edge, F_OK)), SHOW(rename(edge, edge + 1)), SHOW(access("bc", F_OK)), SHOW(rmdir(edge + 1));
    edge[3] = 'd';
    SHOW(mkdir(edge, 0700)), SHOW(access(edge, F_OK)), SHOW(symlink(edge, "x")), SHOW(symlink("x", edge)), SHOW(rename("x", edge)), SHOW(chdir(edge)), SHOW(execve(edge, NULL, NULL));
}
CASE(filled) {
    void *page = read_only(), *edge = before_nothing(4), *bad[] = {BAD, AWAY, page, edge};
    for (int which = 0; which < 4; which++) {
        void *to = bad[which];
        struct stat unused;
        SHOW(syscall(SYS_statx, AT_FDCWD, ".", 0, STATX_BASIC_STATS, to)), SHOW(statfs(".", &(struct statfs){0})), SHOW(syscall(SYS_getrusage, RUSAGE_SELF, to)), SHOW(uname(to)), SHOW(sysinfo(to));
        SHOW(syscall(SYS_times, to)), SHOW(syscall(SYS_getitimer, ITIMER_REAL, to)), SHOW(pipe2((int *)((char *)to + (which == 3)), 0)), SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)((char *)to + (which == 3))));
        SHOW(syscall(SYS_getcwd, to, 4096)), SHOW(readlink("/proc/self/cwd", to, 100)), SHOW(sched_getparam(0, (void *)((char *)to + (which == 3)))), SHOW(syscall(SYS_sched_getaffinity, 0, 1024, to));
        SHOW(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, to)), SHOW(syscall(SYS_getresuid, to, to, (char *)to + 2)), SHOW(syscall(SYS_sigaltstack, NULL, to)), SHOW(syscall(SYS_getrandom, to, 8, 0));
        SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, to, 8)), SHOW(syscall(SYS_rt_sigpending, to, 8)), SHOW(syscall(SYS_capget, (unsigned[]){0x20080522, 0}, to));
    }
}
CASE(lists) {
    char data[4];
    int file = open("f", O_CREAT | O_RDWR, 0600);
    struct iovec *edge = (struct iovec *)before_nothing(sizeof(struct iovec));
    *edge = (struct iovec){data, 4};
    SHOW(writev(file, BAD, 1)), SHOW(readv(file, AWAY, 1)), SHOW(writev(file, NULL, 1)), SHOW(writev(file, NULL, 0)), SHOW(writev(file, edge, 1)), SHOW(writev(file, edge, 2)), SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(preadv(file, BAD, 1, 0)), SHOW(pwritev(file, AWAY, 1, 0)), SHOW(writev(99, BAD, 1)), SHOW(writev(file, BAD, 2000)), SHOW(writev(file, &(struct iovec){AWAY, 1}, 1)), SHOW(readv(file, &(struct iovec){read_only(), 4}, 1));
    SHOW(pread(file, read_only(), 4, 0)), SHOW(pwrite(file, AWAY, 1, 0)), SHOW(pread(file, BAD, 0, 0)), SHOW(read(file, AWAY, 0)), SHOW(write(file, AWAY, 0));
    int ends[2];
    (void)!pipe(ends);
    SHOW(vmsplice(ends[1], BAD, 1, 0)), SHOW(write(ends[1], BAD, 1)), SHOW(write(ends[1], "abcd", 4)), SHOW(read(ends[0], BAD, 4)), fcntl(ends[0], F_SETFL, O_NONBLOCK), SHOW(read(ends[0], data, 4));
}
CASE(sockets) {
    int one = 1, pair[2];
    struct sockaddr_un name = {AF_UNIX, "socket"};
    socklen_t size = sizeof name;
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(server, BAD, 20)), SHOW(bind(server, AWAY, 20)), SHOW(bind(server, BAD, 0)), SHOW(bind(server, (void *)&name, -1)), SHOW(bind(server, (void *)&name, 1000)), SHOW(bind(server, (void *)&name, sizeof name)), SHOW(listen(server, 5));
    SHOW(connect(client, BAD, 20)), SHOW(connect(client, (void *)&name, sizeof name)), SHOW(getsockname(server, BAD, &size)), SHOW(getsockname(server, (void *)&name, BAD)), SHOW(getpeername(client, AWAY, &size)), SHOW(getpeername(client, NULL, NULL));
    SHOW(accept(server, BAD, &size)), SHOW(connect(client, (void *)&name, sizeof name));
    SHOW(setsockopt(client, SOL_SOCKET, SO_REUSEADDR, BAD, 4)), SHOW(getsockopt(client, SOL_SOCKET, SO_TYPE, BAD, &size)), SHOW(getsockopt(client, SOL_SOCKET, SO_TYPE, &one, BAD)), SHOW(getsockopt(client, SOL_SOCKET, SO_TYPE, NULL, NULL));
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(send(pair[0], BAD, 4, 0)), SHOW(sendto(pair[0], "abcd", 4, 0, BAD, 16)), SHOW(send(pair[0], "abcd", 4, 0)), SHOW(recv(pair[1], AWAY, 4, 0)), SHOW(recvfrom(pair[1], &one, 4, 0, (void *)&name, BAD));
    SHOW(sendmsg(pair[0], BAD, 0)), SHOW(recvmsg(pair[1], AWAY, MSG_DONTWAIT)), SHOW(sendmsg(pair[0], &(struct msghdr){.msg_iov = BAD, .msg_iovlen = 1}, 0)), SHOW(sendmsg(pair[0], &(struct msghdr){.msg_control = BAD, .msg_controllen = 40}, 0));
    SHOW(sendmsg(pair[0], &(struct msghdr){.msg_iov = &(struct iovec){BAD, 3}, .msg_iovlen = 1}, 0)), SHOW(sendmsg(pair[0], &(struct msghdr){0}, 0)), SHOW(syscall(SYS_sendmmsg, pair[0], BAD, 1, 0)), SHOW(syscall(SYS_recvmmsg, pair[0], BAD, 1, MSG_DONTWAIT, NULL));
}
CASE(waiting) {
    struct pollfd *edge = (struct pollfd *)before_nothing(sizeof(struct pollfd));
    *edge = (struct pollfd){1, POLLOUT, 0};
    struct epoll_event event = {EPOLLIN};
    fd_set set;
    FD_ZERO(&set);
    int poller = epoll_create1(0), counter = eventfd(1, 0);
    SHOW(poll(BAD, 1, 0)), SHOW(poll(AWAY, 1, 0)), SHOW(poll(BAD, 0, 0)), SHOW(poll(edge, 1, 0)), SHOW(poll(edge, 2, 0)), SHOW(syscall(SYS_ppoll, BAD, 1, NULL, NULL, 8)), SHOW(syscall(SYS_ppoll, NULL, 0, BAD, NULL, 8)), SHOW(syscall(SYS_ppoll, NULL, 0, NULL, BAD, 8));
    SHOW(syscall(SYS_pselect6, 8, BAD, NULL, NULL, NULL, NULL)), SHOW(syscall(SYS_pselect6, 8, NULL, AWAY, NULL, NULL, NULL)), SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, BAD, NULL)), SHOW(syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, BAD));
    SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, counter, BAD)), SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, counter, NULL)), SHOW(epoll_ctl(poller, EPOLL_CTL_ADD, counter, &event)), SHOW(epoll_ctl(poller, EPOLL_CTL_MOD, counter, AWAY)), SHOW(epoll_ctl(poller, EPOLL_CTL_DEL, 99, BAD));
    SHOW(epoll_wait(poller, BAD, 1, 0)), SHOW(epoll_wait(poller, AWAY, 1, 0)), SHOW(epoll_wait(poller, read_only(), 1, 0)), SHOW(syscall(SYS_epoll_pwait, poller, &event, 1, 0, BAD, 8)), SHOW(epoll_wait(99, BAD, 1, 0)), SHOW(epoll_wait(poller, &event, 1, 0));
}
CASE(signals) {
    struct itimerval timer = {{0, 0}, {0, 1}};
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, AWAY, NULL, 8)), SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, AWAY, 8)), SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, AWAY, NULL, 8)), SHOW(syscall(SYS_rt_sigprocmask, 77, BAD, NULL, 8));
    SHOW(syscall(SYS_rt_sigsuspend, BAD, 8)), SHOW(syscall(SYS_rt_sigsuspend, BAD, 4)), SHOW(syscall(SYS_rt_sigtimedwait, BAD, NULL, NULL, 8)), SHOW(syscall(SYS_rt_sigtimedwait, &(uint64_t){1}, NULL, BAD, 8)), SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, BAD));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, AWAY)), SHOW(syscall(SYS_sigaltstack, AWAY, NULL)), SHOW(syscall(SYS_signalfd4, -1, BAD, 8, 0)), SHOW(syscall(SYS_pidfd_send_signal, 99, SIGTERM, BAD, 0)), SHOW(syscall(SYS_rt_sigpending, BAD, 0)), SHOW(syscall(SYS_rt_sigpending, BAD, 9));
    sigset_t one;
    sigemptyset(&one), sigaddset(&one, SIGUSR1), sigprocmask(SIG_BLOCK, &one, NULL), raise(SIGUSR1);
    SHOW(syscall(SYS_rt_sigtimedwait, &one, BAD, NULL, 8)), sigpending(&one), SHOW(sigismember(&one, SIGUSR1));
}
CASE(times) {
    timer_t timer;
    int file = timerfd_create(CLOCK_MONOTONIC, 0);
    timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &timer);
    SHOW(syscall(SYS_clock_gettime, CLOCK_REALTIME, AWAY)), SHOW(syscall(SYS_clock_getres, CLOCK_REALTIME, BAD)), SHOW(syscall(SYS_clock_gettime, 99, BAD)), SHOW(syscall(SYS_nanosleep, AWAY, NULL)), SHOW(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, BAD, NULL));
    SHOW(syscall(SYS_timer_create, CLOCK_REALTIME, BAD, &timer)), SHOW(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, AWAY)), SHOW(syscall(SYS_timer_settime, (long)timer, 0, BAD, NULL)), SHOW(syscall(SYS_timer_settime, (long)timer, 0, NULL, NULL)), SHOW(syscall(SYS_timer_gettime, (long)timer, AWAY));
    SHOW(syscall(SYS_timerfd_settime, file, 0, BAD, NULL)), SHOW(syscall(SYS_timerfd_gettime, file, AWAY)), SHOW(syscall(SYS_setitimer, ITIMER_REAL, BAD, NULL)), SHOW(syscall(SYS_setitimer, ITIMER_REAL, NULL, BAD)), SHOW(syscall(SYS_gettimeofday, AWAY, NULL)), SHOW(syscall(SYS_gettimeofday, NULL, BAD));
    SHOW(syscall(SYS_utimensat, AT_FDCWD, ".", BAD, 0)), SHOW(syscall(SYS_utimensat, AT_FDCWD, BAD, NULL, 0)), SHOW(syscall(SYS_sched_rr_get_interval, 0, BAD)), SHOW(syscall(SYS_times, AWAY));
}
CASE(processes) {
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    waitid(P_PID, child, &(siginfo_t){0}, WEXITED | WNOWAIT);
    SHOW(syscall(SYS_waitid, P_PID, child, BAD, WEXITED | WNOWAIT, NULL)), SHOW(syscall(SYS_waitid, P_PID, child, NULL, WEXITED | WNOWAIT, AWAY)), SHOW(syscall(SYS_wait4, child, BAD, 0, NULL)), SHOW(waitpid(child, NULL, 0));
    SHOW(syscall(SYS_futex, BAD, 0, 0, NULL, NULL, 0)), SHOW(syscall(SYS_futex, AWAY, 1, 1, NULL, NULL, 0)), SHOW(syscall(SYS_futex, &(int){5}, 0, 5, BAD, NULL, 0)), SHOW(syscall(SYS_futex, &(int){5}, 4, 1, 1, BAD, 5)), SHOW(syscall(SYS_set_robust_list, BAD, 5));
    SHOW(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, BAD, NULL)), SHOW(syscall(SYS_prlimit64, 0, 99, BAD, NULL)), SHOW(syscall(SYS_getcpu, BAD, NULL, NULL)), SHOW(syscall(SYS_getcpu, NULL, AWAY, NULL)), SHOW(syscall(SYS_getcpu, NULL, NULL, BAD)), SHOW(syscall(SYS_sched_setaffinity, 0, 8, BAD)), SHOW(syscall(SYS_sched_setparam, 0, BAD)), SHOW(syscall(SYS_sched_setparam, 0, NULL));
    SHOW(prctl(PR_SET_NAME, AWAY)), SHOW(prctl(PR_GET_NAME, BAD)), SHOW(prctl(PR_GET_PDEATHSIG, AWAY)), SHOW(syscall(SYS_capget, BAD, NULL)), SHOW(syscall(SYS_getgroups, 100, BAD)), SHOW(syscall(SYS_setgroups, 1, BAD)), SHOW(syscall(SYS_clone3, AWAY, 88)), SHOW(syscall(SYS_getrandom, AWAY, 0, 0));
    SHOW(execve("/bin/true", BAD, NULL)), SHOW(execve("/bin/true", NULL, AWAY)), SHOW(execve("/bin/true", (char *[]){"x", BAD, NULL}, NULL)), SHOW(execve("/bin/true", (char *[]){"x", NULL}, (char *[]){AWAY, NULL}));
}
CASE(memory) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char present;
    SHOW(mincore(page, 4096, BAD)), SHOW(mincore(page, 4096, AWAY)), SHOW(mincore(page, 4096, read_only())), SHOW(mincore(page, 0, BAD)), SHOW(mincore(AWAY, 4096, &present)), SHOW(munmap(AWAY, 4096)), SHOW(mprotect(AWAY, 4096, PROT_READ));
    SHOW(msync(AWAY, 4096, MS_SYNC)), SHOW(madvise(AWAY, 4096, MADV_DONTNEED)), SHOW(mlock(AWAY, 100)), SHOW((long)mremap(AWAY, 4096, 8192, MREMAP_MAYMOVE)), SHOW((long)mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, AWAY)), SHOW(munmap(page, -4096L)), SHOW(sizeof(long) < 8 || mprotect(page, -4096L, PROT_READ)), SHOW(msync(page, -4096L, MS_SYNC));
    SHOW((long)mmap(AWAY, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)), SHOW((long)mmap(AWAY, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)), TELL((long)mmap(AWAY, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
CASE(attributes) {
    char data[16];
    close(open("f", O_CREAT | O_RDWR, 0600));
    SHOW(setxattr("f", BAD, "v", 1, 0)), SHOW(setxattr("f", "user.a", BAD, 1, 0)), SHOW(setxattr(AWAY, "user.a", "v", 1, 0)), SHOW(setxattr("f", "user.a", "v", 1, 0)), SHOW(getxattr("f", "user.a", BAD, 4)), SHOW(getxattr("f", AWAY, data, 4)), SHOW(getxattr(BAD, "user.a", data, 4)), SHOW(listxattr("f", BAD, 16)), SHOW(listxattr(AWAY, data, 16)), SHOW(removexattr("f", BAD)), SHOW(removexattr(BAD, "user.a"));
}
