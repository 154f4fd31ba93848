#include "cases.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

CASE(making) {
    SHOW(socket(AF_UNIX, SOCK_STREAM, 0)), SHOW(socket(99, SOCK_STREAM, 0)), SHOW(socket(AF_UNIX, 99, 0)), SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SHOW(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), SHOW(fcntl(4, F_GETFD)), SHOW(fcntl(4, F_GETFL) & O_NONBLOCK);
    int pair[2];
    SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair)), SHOW(socketpair(AF_INET, SOCK_STREAM, 0, pair)), SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8));
}
CASE(unix_streams) {
    struct sockaddr_un name = {AF_UNIX, "socket"}, told;
    socklen_t size = sizeof told;
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(client, (void *)&name, sizeof name)), SHOW(bind(server, (void *)&name, sizeof name)), SHOW(bind(client, (void *)&name, sizeof name));
    SHOW(connect(client, (void *)&name, sizeof name)), SHOW(accept(server, NULL, NULL)), SHOW(listen(server, 1)), SHOW(connect(client, (void *)&name, sizeof name));
    int peer = SHOW(accept4(server, (void *)&told, &size, SOCK_CLOEXEC));
    SHOW(size), SHOW(connect(client, (void *)&name, sizeof name)), SHOW(send(client, "hello", 5, 0));
    char data[16] = "";
    SHOW(recv(peer, data, 2, MSG_PEEK)), SHOW(recv(peer, data, 16, 0)), SHOW(recv(peer, data, 16, MSG_DONTWAIT)), size = sizeof told;
    SHOW(getpeername(client, (void *)&told, &size)), puts(told.sun_path), size = 4, SHOW(getsockname(server, (void *)&told, &size)), SHOW(size);
    SHOW(shutdown(client, SHUT_WR)), SHOW(recv(peer, data, 16, 0)), signal(SIGPIPE, SIG_IGN), SHOW(send(client, "x", 1, 0)), SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    SHOW(shutdown(client, 77)), SHOW(close(client)), SHOW(send(peer, "x", 1, 0)), SHOW(getpeername(server, (void *)&told, &size)), SHOW(bind(0, (void *)&name, sizeof name));
}
CASE(datagrams) {
    int pair[2];
    char data[8] = "";
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair);
    SHOW(send(pair[0], "longer than that", 16, 0)), SHOW(send(pair[0], "", 0, 0)), SHOW(recv(pair[1], data, 4, MSG_TRUNC)), SHOW(recv(pair[1], data, 4, 0)), SHOW(recv(pair[1], data, 4, 0));
    struct iovec piece = {"ab", 2};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr several[2] = {{message, 0}, {message, 0}};
    SHOW(sendmmsg(pair[0], several, 2, 0)), SHOW(several[1].msg_len);
    struct iovec place = {data, 1};
    message.msg_iov = &place;
    SHOW(recvmsg(pair[1], &message, 0)), SHOW(message.msg_flags & MSG_TRUNC ? 1 : 0), message.msg_iovlen = 5000, SHOW(recvmsg(pair[1], &message, 0)), SHOW(recvmsg(pair[1], (void *)8, 0));
}
CASE(internet) {
    struct sockaddr_in name = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, ""}, told;
    socklen_t size = sizeof told;
    int server = socket(AF_INET, SOCK_STREAM, 0), one = 1, value = 0;
    SHOW(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)), SHOW(bind(server, (void *)&name, sizeof name)), SHOW(listen(server, 5));
    SHOW(getsockname(server, (void *)&told, &size)), SHOW(size), SHOW(told.sin_port != 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(client, (void *)&told, 3)), SHOW(connect(client, (void *)&told, sizeof told));
    int peer = accept(server, NULL, NULL);
    SHOW(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)), size = sizeof value;
    SHOW(getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &size)), SHOW(value != 0), SHOW(getsockopt(client, SOL_SOCKET, SO_TYPE, &value, &size)), SHOW(value);
    SHOW(getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &size)), SHOW(value), SHOW(getsockopt(client, SOL_SOCKET, 9999, &value, &size)), SHOW(setsockopt(client, 9999, 1, &one, 4)), SHOW(setsockopt(client, SOL_SOCKET, SO_REUSEADDR, &one, 1));
    struct linger linger = {1, 0};
    SHOW(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)), SHOW(close(peer));
    char byte;
    SHOW(recv(client, &byte, 1, 0)), SHOW(recv(client, &byte, 1, 0)), close(server);
    client = socket(AF_INET, SOCK_STREAM, 0), SHOW(connect(client, (void *)&told, sizeof told));
    struct timeval wait = {0, 10000};
    int datagram = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(setsockopt(datagram, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait)), SHOW(bind(datagram, (void *)&name, sizeof name)), SHOW(recv(datagram, &byte, 1, 0));
}
CASE(passing) {
    int pair[2], file = open("f", O_CREAT | O_RDWR, 0600), got = -1;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET, entry->cmsg_type = SCM_RIGHTS, entry->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(entry), &file, sizeof file);
    SHOW(sendmsg(pair[0], &message, 0)), memset(control, 0, sizeof control), message.msg_controllen = sizeof control;
    SHOW(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC)), SHOW(message.msg_controllen == CMSG_SPACE(sizeof(int)));
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got), SHOW(got), SHOW(fcntl(got, F_GETFD)), SHOW(write(got, "abc", 3)), SHOW(lseek(file, 0, SEEK_CUR));
    int bad = 99;
    memcpy(CMSG_DATA(entry), &bad, sizeof bad), SHOW(sendmsg(pair[0], &message, 0));
}
CASE(polling) {
    int ends[2];
    (void)!pipe(ends);
    struct pollfd some[3] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {99, POLLIN, 0}};
    SHOW(poll(some, 3, 0)), printf("%x %x %x\n", some[0].revents, some[1].revents, some[2].revents), SHOW(poll(some, 1, 5)), SHOW(poll(NULL, 0, 1)), SHOW(poll((void *)8, 1, 0));
    close(ends[1]), some[0].fd = ends[0], SHOW(poll(some, 1, 1000)), printf("%x\n", some[0].revents), some[0].fd = -1, SHOW(poll(some, 1, 0));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval none = {0, 0}, bad = {-1, 0};
    SHOW(select(ends[0] + 1, &set, NULL, NULL, &none)), SHOW(FD_ISSET(ends[0], &set) != 0), SHOW(select(-1, NULL, NULL, NULL, &none)), SHOW(select(0, NULL, NULL, NULL, &bad));
    SHOW(ppoll(some, 1, &(struct timespec){0, 1000000}, NULL)), SHOW(ppoll(some, 1, &(struct timespec){0, -1}, NULL));
}
CASE(events) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789ABCDEF0}, found[2];
    int poll = SHOW(epoll_create1(EPOLL_CLOEXEC)), counter = SHOW(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE));
    SHOW(epoll_create1(77)), SHOW(epoll_create(0)), SHOW(epoll_ctl(poll, EPOLL_CTL_ADD, counter, &event)), SHOW(epoll_ctl(poll, EPOLL_CTL_ADD, counter, &event)), SHOW(epoll_ctl(poll, EPOLL_CTL_MOD, 0, &event)), SHOW(epoll_ctl(poll, EPOLL_CTL_ADD, poll, &event)), SHOW(epoll_ctl(poll, EPOLL_CTL_ADD, 99, &event)), SHOW(epoll_ctl(poll, 77, counter, &event)), SHOW(epoll_ctl(poll, EPOLL_CTL_ADD, open("f", O_CREAT | O_RDWR, 0600), &event));
    SHOW(epoll_wait(poll, found, 2, 0)), SHOW(found[0].data.u64 == event.data.u64), SHOW(found[0].events), SHOW(epoll_wait(poll, found, 0, 0)), SHOW(epoll_wait(counter, found, 1, 0)), SHOW(epoll_wait(poll, (void *)8, 1, 0));
    unsigned long long value = 0;
    SHOW(read(counter, &value, 8)), SHOW(value), SHOW(read(counter, &value, 8)), SHOW(read(counter, &value, 8)), SHOW(read(counter, &value, 4)), value = -1, SHOW(write(counter, &value, 8)), value = -2, SHOW(write(counter, &value, 8)), SHOW(write(counter, &value, 8)), SHOW(epoll_wait(poll, found, 2, 1)), SHOW(epoll_ctl(poll, EPOLL_CTL_DEL, counter, NULL)), SHOW(epoll_ctl(poll, EPOLL_CTL_DEL, counter, NULL));
}
