#include "cases.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

static struct sockaddr_in loopback(int type, int *socket_) {
    struct sockaddr_in name = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, ""};
    socklen_t size = sizeof name;
    *socket_ = socket(AF_INET, type, 0), bind(*socket_, (void *)&name, sizeof name), getsockname(*socket_, (void *)&name, &size);
    return name;
}
static int opens(int descriptor) { return fcntl(descriptor, F_GETFD) >= 0; }

CASE(rights) {
    int pair[2], files[3], got[3] = {-1, -1, -1};
    char control[CMSG_SPACE(sizeof files)], byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *entry = (void *)control;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    for (int index = 0; index < 3; index++)
        files[index] = open("f", O_CREAT | O_RDWR, 0600);
    entry->cmsg_level = SOL_SOCKET, entry->cmsg_type = SCM_RIGHTS, entry->cmsg_len = CMSG_LEN(sizeof files), memcpy(CMSG_DATA(entry), files, sizeof files), message.msg_controllen = CMSG_SPACE(sizeof files);
    SHOW(sendmsg(pair[0], &message, 0)), SHOW(sendmsg(pair[0], &message, 0)), SHOW(sendmsg(pair[0], &message, 0)), SHOW(sendmsg(pair[0], &message, 0));
    memset(control, 0, sizeof control), SHOW(recvmsg(pair[1], &message, 0)), SHOW(message.msg_controllen == CMSG_SPACE(sizeof files)), SHOW(entry->cmsg_len == CMSG_LEN(sizeof files)), memcpy(got, CMSG_DATA(entry), sizeof got), printf("%d %d %d\n", got[0], got[1], got[2]), SHOW(message.msg_flags);
    message.msg_controllen = CMSG_LEN(sizeof(int)), SHOW(recvmsg(pair[1], &message, 0)), SHOW(message.msg_flags & MSG_CTRUNC), SHOW(entry->cmsg_len == CMSG_LEN(sizeof(int))), memcpy(got, CMSG_DATA(entry), sizeof(int)), printf("%d %d\n", got[0], opens(got[0] + 1));
    message.msg_control = NULL, message.msg_controllen = 0, SHOW(recvmsg(pair[1], &message, 0)), SHOW(message.msg_flags & MSG_CTRUNC), SHOW(message.msg_controllen), SHOW(read(pair[1], &byte, 1)), SHOW(opens(got[0] + 1));
    message.msg_control = control, entry->cmsg_len = 3, message.msg_controllen = CMSG_SPACE(4), SHOW(sendmsg(pair[0], &message, 0)), entry->cmsg_len = CMSG_LEN(4), entry->cmsg_type = 99, SHOW(sendmsg(pair[0], &message, 0)), entry->cmsg_type = SCM_RIGHTS, entry->cmsg_level = 77, SHOW(sendmsg(pair[0], &message, 0)), entry->cmsg_level = SOL_SOCKET, entry->cmsg_len = CMSG_LEN(0), SHOW(sendmsg(pair[0], &message, 0)), message.msg_controllen = 1, SHOW(sendmsg(pair[0], &message, 0)), piece.iov_len = 0, entry->cmsg_len = CMSG_LEN(4), message.msg_controllen = CMSG_SPACE(4), memcpy(CMSG_DATA(entry), files, 4), SHOW(sendmsg(pair[0], &message, 0));
    int own[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, own), piece.iov_len = 1, memcpy(CMSG_DATA(entry), &own[1], 4), SHOW(sendmsg(own[0], &message, 0)), memset(control, 0, sizeof control), SHOW(recvmsg(own[1], &message, MSG_PEEK)), memcpy(got, CMSG_DATA(entry), 4), SHOW(got[0] > 0), SHOW(recvmsg(own[1], &message, 0)), memcpy(got + 1, CMSG_DATA(entry), 4), SHOW(got[1] > 0);
}
CASE(credentials) {
    int pair[2], one = 1;
    struct ucred who = {getpid(), getuid(), getgid()}, told = {0};
    char control[CMSG_SPACE(sizeof who) + CMSG_SPACE(sizeof(int))], byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *entry = (void *)control;
    socklen_t size = sizeof told;
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    SHOW(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &told, &size)), SHOW(size), SHOW(told.pid == getpid()), SHOW(told.uid == getuid()), SHOW(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one)), SHOW(send(pair[0], "x", 1, 0)), message.msg_controllen = sizeof control, SHOW(recvmsg(pair[1], &message, 0)), SHOW(entry->cmsg_type == SCM_CREDENTIALS), SHOW(message.msg_controllen == CMSG_SPACE(sizeof who)), memcpy(&told, CMSG_DATA(entry), sizeof told), SHOW(told.pid == getpid()), SHOW(told.gid == getgid());
    entry->cmsg_level = SOL_SOCKET, entry->cmsg_type = SCM_CREDENTIALS, entry->cmsg_len = CMSG_LEN(sizeof who), memcpy(CMSG_DATA(entry), &who, sizeof who), message.msg_controllen = CMSG_SPACE(sizeof who), SHOW(sendmsg(pair[0], &message, 0)), memset(control, 0, sizeof control), message.msg_controllen = sizeof control, SHOW(recvmsg(pair[1], &message, 0)), memcpy(&told, CMSG_DATA(entry), sizeof told), SHOW(told.pid == getpid()), who.pid = 1 << 22, memcpy(CMSG_DATA(entry), &who, sizeof who), message.msg_controllen = CMSG_SPACE(sizeof who), SHOW(sendmsg(pair[0], &message, 0));
    size = 4, SHOW(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &told, &size)), SHOW(size);
}
CASE(times_of_messages) {
    int receiver, one = 1;
    struct sockaddr_in name = loopback(SOCK_DGRAM, &receiver), from;
    char control[256], data[8];
    struct iovec piece = {data, 8};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int sender = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(setsockopt(receiver, SOL_SOCKET, SO_TIMESTAMP, &one, sizeof one)), SHOW(setsockopt(receiver, IPPROTO_IP, IP_PKTINFO, &one, sizeof one)), SHOW(setsockopt(receiver, IPPROTO_IP, IP_RECVTTL, &one, sizeof one)), SHOW(sendto(sender, "abc", 3, 0, (void *)&name, sizeof name)), SHOW(recvmsg(receiver, &message, 0)), SHOW(message.msg_namelen), SHOW(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    for (struct cmsghdr *entry = CMSG_FIRSTHDR(&message); entry != NULL; entry = CMSG_NXTHDR(&message, entry)) {
        printf("level %d type %d length %d\n", entry->cmsg_level, entry->cmsg_type, (int)(entry->cmsg_len - CMSG_LEN(0)) / (entry->cmsg_type == SO_TIMESTAMP && entry->cmsg_level == SOL_SOCKET ? (int)sizeof(long) : 1));
        if (entry->cmsg_type == SO_TIMESTAMP && entry->cmsg_level == SOL_SOCKET) {
            struct timeval stamp;
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now); /* time() reads a coarse clock, which may be a second behind */
            memcpy(&stamp, CMSG_DATA(entry), sizeof stamp), SHOW(stamp.tv_sec > now.tv_sec - 100 && stamp.tv_sec <= now.tv_sec), SHOW(stamp.tv_usec < 1000000);
        }
        if (entry->cmsg_type == IP_TTL && entry->cmsg_level == IPPROTO_IP)
            SHOW(*(int *)CMSG_DATA(entry) > 0);
    }
}
CASE(several_messages) {
    int pair[2];
    char data[4][8] = {""};
    struct iovec pieces[4];
    struct mmsghdr many[4];
    struct timespec none = {0, 0}, some = {5, 0}, bad = {0, -1};
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    for (int index = 0; index < 4; index++)
        pieces[index] = (struct iovec){index % 2 ? "odd" : "even!", index % 2 ? 3 : 5}, many[index] = (struct mmsghdr){{.msg_iov = &pieces[index], .msg_iovlen = 1}, 77};
    SHOW(sendmmsg(pair[0], many, 3, 0)), printf("%u %u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len, many[3].msg_len), SHOW(sendmmsg(pair[0], many, 0, 0)), SHOW(sendmmsg(99, many, 0, 0)), SHOW(sendmmsg(99, many, 1, 0)), many[1].msg_hdr.msg_iov = (void *)8, SHOW(sendmmsg(pair[0], many, 3, 0)), many[0].msg_hdr.msg_iov = (void *)8, SHOW(sendmmsg(pair[0], many, 3, 0));
    for (int index = 0; index < 4; index++)
        pieces[index] = (struct iovec){data[index], 4}, many[index] = (struct mmsghdr){{.msg_iov = &pieces[index], .msg_iovlen = 1}, 77};
    SHOW(recvmmsg(pair[1], many, 2, 0, NULL)), printf("%.4s %.4s %u %u %d %d\n", data[0], data[1], many[0].msg_len, many[1].msg_len, many[0].msg_hdr.msg_flags, many[1].msg_hdr.msg_flags), SHOW(recvmmsg(pair[1], many, 4, MSG_DONTWAIT, NULL)), SHOW(recvmmsg(pair[1], many, 4, MSG_DONTWAIT, NULL)), send(pair[0], "1", 1, 0), send(pair[0], "2", 1, 0), SHOW(recvmmsg(pair[1], many, 4, MSG_WAITFORONE, NULL)), send(pair[0], "1", 1, 0), send(pair[0], "2", 1, 0), SHOW(recvmmsg(pair[1], many, 4, 0, &none)), SHOW(recvmmsg(pair[1], many, 1, 0, &some)), SHOW(some.tv_sec == 4), SHOW(recvmmsg(pair[1], many, 1, 0, &bad)), SHOW(recvmmsg(pair[1], many, 0, 0, NULL)), SHOW(recvmmsg(0, many, 1, MSG_DONTWAIT, NULL)), many[0].msg_hdr.msg_iovlen = 2000, send(pair[0], "1", 1, 0), SHOW(recvmmsg(pair[1], many, 1, MSG_DONTWAIT, NULL));
}
CASE(streams) {
    int pair[2];
    char data[16] = "";
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(send(pair[0], "abcdef", 6, MSG_MORE)), SHOW(recv(pair[1], data, 3, MSG_PEEK)), SHOW(recv(pair[1], data, 16, MSG_PEEK | MSG_TRUNC)), SHOW(recv(pair[1], data, 2, 0)), puts(data);
    if (fork() == 0)
        usleep(20000), (void)!write(pair[0], "ghij", 4), _exit(0);
    SHOW(recv(pair[1], data, 8, MSG_WAITALL)), puts(data), wait(NULL), SHOW(recv(pair[1], data, 1, MSG_DONTWAIT)), SHOW(recv(pair[1], data, 0, MSG_DONTWAIT)), SHOW(read(pair[1], data, 0)), SHOW(recv(pair[1], data, 1, MSG_OOB | MSG_DONTWAIT)), SHOW(recv(pair[1], data, 1, MSG_ERRQUEUE | MSG_DONTWAIT)), SHOW(shutdown(pair[0], SHUT_RD)), SHOW(recv(pair[0], data, 1, 0)), signal(SIGPIPE, SIG_IGN), SHOW(write(pair[1], "x", 1)), SHOW(shutdown(pair[0], SHUT_WR)), SHOW(recv(pair[1], data, 4, 0)), SHOW(write(pair[0], "x", 1)), SHOW(shutdown(pair[0], SHUT_RDWR)), SHOW(shutdown(99, 0)), SHOW(lseek(pair[0], 0, SEEK_CUR)), SHOW(pread(pair[0], data, 1, 0)), SHOW(readv(pair[0], &(struct iovec){data, 4}, 1));
    struct pollfd poller = {pair[1], POLLIN | POLLOUT | POLLRDHUP, 0};
    SHOW(poll(&poller, 1, 0)), printf("%x\n", poller.revents), close(pair[0]), SHOW(poll(&poller, 1, 0)), printf("%x\n", poller.revents);
}
CASE(urgent_data) {
    int server, peer, client = socket(AF_INET, SOCK_STREAM, 0), mark = -1, one = 1;
    struct sockaddr_in name = loopback(SOCK_STREAM, &server);
    char data[8] = "";
    listen(server, 1), connect(client, (void *)&name, sizeof name), peer = accept(server, NULL, NULL);
    SHOW(send(client, "ab", 2, 0)), SHOW(send(client, "!", 1, MSG_OOB)), SHOW(send(client, "cd", 2, 0));
    struct pollfd poller = {peer, POLLPRI | POLLIN, 0};
    usleep(20000), SHOW(poll(&poller, 1, 1000)), printf("%x\n", poller.revents), SHOW(ioctl(peer, SIOCATMARK, &mark)), SHOW(mark), SHOW(recv(peer, data, 8, 0)), SHOW(ioctl(peer, SIOCATMARK, &mark)), SHOW(mark), SHOW(recv(peer, data, 1, MSG_OOB)), puts(data), SHOW(recv(peer, data, 1, MSG_OOB)), SHOW(recv(peer, data, 8, 0)), SHOW(setsockopt(peer, SOL_SOCKET, SO_OOBINLINE, &one, 4)), SHOW(recv(peer, data, 1, MSG_OOB)), SHOW(ioctl(peer, FIONREAD, &mark)), SHOW(mark), SHOW(ioctl(client, TIOCOUTQ, &mark)), SHOW(shutdown(client, SHUT_WR)), SHOW(recv(peer, data, 8, 0));
}
CASE(kinds_of_unix_sockets) {
    int pair[2], bound = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    char data[8] = "", name_[32];
    struct sockaddr_un name = {AF_UNIX, ""}, told;
    socklen_t size = sizeof told;
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    SHOW(send(pair[0], "long packet", 11, 0)), SHOW(send(pair[0], "", 0, 0)), SHOW(send(pair[0], "x", 1, 0)), SHOW(recv(pair[1], data, 4, 0)), SHOW(recv(pair[1], data, 4, 0)), SHOW(recv(pair[1], data, 4, 0)), SHOW(getsockname(pair[0], (void *)&told, &size)), SHOW(size), SHOW(bind(bound, (void *)&name, sizeof(sa_family_t))), size = sizeof told, SHOW(getsockname(bound, (void *)&told, &size)), SHOW(size), SHOW(told.sun_path[0]);
    snprintf(name_, sizeof name_, "%cmetaphrase-%d", 0, getpid()), memcpy(name.sun_path, name_, 20), SHOW(bind(other, (void *)&name, offsetof(struct sockaddr_un, sun_path) + 16)), size = sizeof told, SHOW(getsockname(other, (void *)&told, &size)), SHOW(size), SHOW(memcmp(told.sun_path, name_, 16)), SHOW(bind(other, (void *)&name, 20)), SHOW(listen(other, 1)), SHOW(listen(bound, 1));
    memset(name.sun_path, 'n', sizeof name.sun_path), SHOW(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name)), SHOW(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name + 1)), name.sun_family = AF_INET, SHOW(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name)), SHOW(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name)), SHOW(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&(struct sockaddr_un){AF_UNIX, "/dev/null"}, sizeof name)), SHOW(sendto(bound, "x", 1, 0, (void *)&(struct sockaddr_un){AF_UNIX, "nowhere"}, sizeof name)), SHOW(send(bound, "x", 1, 0)), SHOW(connect(bound, (void *)&told, size));
}
CASE(datagrams) {
    int one, two, number = 0, yes = 1;
    struct sockaddr_in a = loopback(SOCK_DGRAM, &one), b = loopback(SOCK_DGRAM, &two), from;
    socklen_t size = sizeof from;
    char data[8] = "";
    SHOW(sendto(one, "0123456789", 10, 0, (void *)&b, sizeof b)), SHOW(ioctl(two, FIONREAD, &number)), SHOW(number), SHOW(recvfrom(two, data, 4, MSG_PEEK | MSG_TRUNC, (void *)&from, &size)), SHOW(size), SHOW(from.sin_port == a.sin_port), size = 4, SHOW(recvfrom(two, data, 8, 0, (void *)&from, &size)), SHOW(size), SHOW(recv(two, data, 8, MSG_DONTWAIT)), SHOW(sendto(one, "", 0, 0, (void *)&b, sizeof b)), SHOW(recv(two, data, 8, 0)), SHOW(send(one, "x", 1, 0)), SHOW(sendto(one, "x", 1, 0, (void *)&b, 5)), SHOW(connect(one, (void *)&b, sizeof b)), SHOW(send(one, "x", 1, 0)), close(two), SHOW(send(one, "x", 1, 0)), usleep(10000), SHOW(send(one, "x", 1, 0)), SHOW(recv(one, data, 1, MSG_DONTWAIT)), size = sizeof number, SHOW(getsockopt(one, SOL_SOCKET, SO_ERROR, &number, &size)), SHOW(number), a = (struct sockaddr_in){AF_UNSPEC}, SHOW(connect(one, (void *)&a, sizeof a)), SHOW(getpeername(one, (void *)&from, &size)), b.sin_addr.s_addr = htonl(INADDR_BROADCAST), SHOW(sendto(one, "x", 1, 0, (void *)&b, sizeof b)), SHOW(setsockopt(one, SOL_SOCKET, SO_BROADCAST, &yes, 4)), SHOW(send(one, data, 1 << 17, 0)), b.sin_family = AF_INET6, SHOW(sendto(one, "x", 1, 0, (void *)&b, sizeof b));
}
CASE(options) {
    static const int levels[][2] = {{SOL_SOCKET, SO_DEBUG}, {SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_TYPE}, {SOL_SOCKET, SO_DOMAIN}, {SOL_SOCKET, SO_PROTOCOL}, {SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_DONTROUTE}, {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_OOBINLINE}, {SOL_SOCKET, SO_PRIORITY}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_RCVLOWAT}, {SOL_SOCKET, SO_SNDLOWAT}, {SOL_SOCKET, SO_ACCEPTCONN}, {SOL_SOCKET, SO_MARK}, {SOL_SOCKET, SO_PASSCRED}, {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK}, {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_SYNCNT}, {IPPROTO_TCP, TCP_DEFER_ACCEPT}, {IPPROTO_IP, IP_TTL}, {IPPROTO_IP, IP_TOS}};
    int socket_ = socket(AF_INET, SOCK_STREAM, 0);
    for (unsigned index = 0; index < sizeof levels / sizeof *levels; index++) {
        int value = -1, set = 3;
        socklen_t size = sizeof value;
        printf("%d %d\n", levels[index][0], levels[index][1]), SHOW(getsockopt(socket_, levels[index][0], levels[index][1], &value, &size)), SHOW(value), SHOW(size), SHOW(setsockopt(socket_, levels[index][0], levels[index][1], &set, sizeof set)), SHOW(setsockopt(socket_, levels[index][0], levels[index][1], &set, 1)), size = sizeof value, SHOW(getsockopt(socket_, levels[index][0], levels[index][1], &value, &size)), SHOW(value), size = 1, SHOW(getsockopt(socket_, levels[index][0], levels[index][1], &value, &size)), SHOW(size);
    }
    struct linger linger = {1, 5};
    struct timeval time = {1, 500000}, none;
    socklen_t size = sizeof linger;
    char name[32] = "";
    SHOW(setsockopt(socket_, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)), linger.l_linger = 0, SHOW(getsockopt(socket_, SOL_SOCKET, SO_LINGER, &linger, &size)), SHOW(linger.l_linger), size = sizeof time, SHOW(setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time)), SHOW(getsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &none, &size)), SHOW(size == sizeof none), SHOW(none.tv_sec), SHOW(none.tv_usec), time.tv_usec = 2000000, SHOW(setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time)), SHOW(setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &time, 2)), size = 32, SHOW(getsockopt(socket_, IPPROTO_TCP, TCP_CONGESTION, name, &size)), SHOW(size);
    int value = 4096;
    SHOW(setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &value, 4)), size = 4, SHOW(getsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &value, &size)), SHOW(value), SHOW(setsockopt(99, SOL_SOCKET, SO_RCVBUF, &value, 4)), SHOW(setsockopt(0, SOL_SOCKET, SO_RCVBUF, &value, 4)), SHOW(getsockopt(socket_, SOL_SOCKET, SO_TYPE, &value, &(socklen_t){-1}));
    struct tcp_info info;
    size = sizeof info, SHOW(getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size)), SHOW(info.tcpi_state);
}
CASE(connecting_without_waiting) {
    int server, client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
    struct sockaddr_in name = loopback(SOCK_STREAM, &server), closed = name;
    socklen_t size = sizeof error;
    SHOW(listen(server, 1)), fcntl(server, F_SETFL, O_NONBLOCK), SHOW(accept(server, NULL, NULL)), SHOW(connect(client, (void *)&name, sizeof name));
    struct pollfd poller = {client, POLLOUT, 0}, acceptor = {server, POLLIN, 0};
    SHOW(poll(&poller, 1, 1000)), SHOW(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size)), SHOW(error), SHOW(connect(client, (void *)&name, sizeof name)), SHOW(connect(client, (void *)&name, sizeof name)), SHOW(poll(&acceptor, 1, 1000));
    int peer = SHOW(accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    SHOW(fcntl(peer, F_GETFL) & O_NONBLOCK), SHOW(fcntl(peer, F_GETFD)), SHOW(accept4(server, NULL, NULL, 77)), SHOW(recv(peer, &error, 4, 0)), close(server), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), SHOW(connect(client, (void *)&closed, sizeof closed)), poller.fd = client, SHOW(poll(&poller, 1, 1000)), printf("%x\n", poller.revents), size = sizeof error, SHOW(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size)), SHOW(error), SHOW(send(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_NOSIGNAL)), SHOW(recv(socket(AF_INET, SOCK_STREAM, 0), &error, 1, 0)), SHOW(shutdown(socket(AF_INET, SOCK_STREAM, 0), SHUT_RD)), SHOW(bind(peer, (void *)&name, sizeof name)), name.sin_addr.s_addr = htonl(0x08080808), SHOW(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&name, sizeof name)), SHOW(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&name, 7));
}
CASE(interfaces) {
    struct ifreq request = {0}, list[8];
    struct ifconf all = {sizeof list, {(void *)list}};
    int socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, "lo"), SHOW(ioctl(socket_, SIOCGIFINDEX, &request)), SHOW(request.ifr_ifindex), SHOW(ioctl(socket_, SIOCGIFFLAGS, &request)), SHOW(request.ifr_flags & IFF_LOOPBACK), SHOW(ioctl(socket_, SIOCGIFMTU, &request)), SHOW(request.ifr_mtu > 1000), SHOW(ioctl(socket_, SIOCGIFADDR, &request)), SHOW(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK)), SHOW(ioctl(socket_, SIOCGIFCONF, &all)), SHOW(all.ifc_len % sizeof *list == 0 && all.ifc_len > 0), puts(list[0].ifr_name), all.ifc_buf = NULL, SHOW(ioctl(socket_, SIOCGIFCONF, &all)), SHOW(all.ifc_len > 0), strcpy(request.ifr_name, "none"), SHOW(ioctl(socket_, SIOCGIFINDEX, &request)), SHOW(ioctl(socket_, SIOCGIFINDEX, 8)), request.ifr_ifindex = 1, SHOW(ioctl(socket_, SIOCGIFNAME, &request)), puts(request.ifr_name), SHOW(if_nametoindex("lo")), SHOW(if_nametoindex("none"));
}
