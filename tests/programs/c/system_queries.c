/* What a program asks the kernel: uname, limits, identifiers, poll, select, epoll, eventfd, sockets, random bytes. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "support.h"

int main(void) {
    struct utsname u;
    int n = uname(&u);
    printf("%d %s\n", n, u.sysname);
    struct rlimit limit;
    n = getrlimit(RLIMIT_NOFILE, &limit);
    printf("%d %d\n", n, limit.rlim_cur > 3);
    struct sysinfo info;
    n = sysinfo(&info);
    printf("%d %d\n", n, info.totalram > 0);
    printf("%d %d %ld\n", getuid() == geteuid(), getgid() == getegid(), sysconf(_SC_PAGESIZE));
    printf("%d %d\n", sysconf(_SC_NPROCESSORS_ONLN) > 0, isatty(99));
    int ends[2];
    if (pipe2(ends, 0)) return 1;
    struct pollfd p[] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    n = poll(p, 2, 0);
    printf("%d %d %d\n", n, p[0].revents, p[1].revents == POLLOUT);
    if (write(ends[1], "hi", 2) != 2) return 2;
    n = poll(p, 2, 1000);
    printf("%d %d\n", n, p[0].revents == POLLIN);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval wait = {1, 0};
    n = select(ends[0] + 1, &set, NULL, NULL, &wait);
    printf("%d %d\n", n, FD_ISSET(ends[0], &set) != 0);
    int e = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788u}, got[2];
    epoll_ctl(e, EPOLL_CTL_ADD, ends[0], &event);
    n = epoll_wait(e, got, 2, 1000);
    printf("%d %llx\n", n, (unsigned long long)got[0].data.u64);
    int counter = eventfd(3, EFD_NONBLOCK);
    uint64_t value = 4;
    n = (int)write(counter, &value, 8);
    n += (int)read(counter, &value, 8);
    printf("%d %llu ", n, (unsigned long long)value);
    n = (int)read(counter, &value, 8);
    printf("%d %d\n", n, errno == EAGAIN);
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    n = (int)send(pair[0], "over a socket", 13, 0);
    char text[32];
    n = (int)recv(pair[1], text, sizeof text, 0);
    printf("%.*s\n", n, text);
    struct iovec parts[2] = {{"two ", 4}, {"parts", 5}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    n = (int)sendmsg(pair[1], &message, 0);
    n = (int)read(pair[0], text, sizeof text);
    printf("%.*s\n", n, text);
    unsigned char random[32] = {0};
    printf("%zd\n", getrandom(random, sizeof random, 0));
    int zeros = 0;
    for (int i = 0; i < 32; i++) zeros += random[i] == 0;
    printf("%d\n", zeros < 20);
    struct statfs fs;
    n = statfs("/", &fs);
    printf("%d %d\n", n, fs.f_bsize > 0);
    n = (int)syscall(99999);
    printf("%d %d\n", n, errno == ENOSYS);
    void *volatile nowhere = (void *)16;
    n = (int)write(ends[1], nowhere, 5);
    printf("%d %d\n", n, errno == EFAULT);
    n = close(12345);
    printf("%d %d\n", n, errno == EBADF);
    return 0;
}
