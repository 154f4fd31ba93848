/* Sockets, and descriptors that are none of the guest's. The arguments are the path of a socket in the working directory,
 * an abstract name, a port of this machine, and a descriptor that the translator inherited. */
#include "escape.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t named(struct sockaddr_un *address, const char *path, int abstract) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path + abstract, path);
    return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static void others(const char *path, const char *abstract, int port) {
    struct sockaddr_un address;
    for (int family = 0; family < 46; family++)
        if (family != AF_UNIX)
            for (int kind = SOCK_STREAM; kind <= SOCK_RAW; kind++)
                REFUSED2(socket(family, kind, 0), EACCES, EAFNOSUPPORT);
    int stream = socket(AF_UNIX, SOCK_STREAM, 0), datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
    WORKS(stream >= 0 && datagram >= 0);
    socklen_t length = named(&address, path, 0);
    REFUSED(connect(stream, (void *)&address, length), EACCES);
    REFUSED(sendto(datagram, "x", 1, 0, (void *)&address, length), EACCES);
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_name = &address, .msg_namelen = length, .msg_iov = &data, .msg_iovlen = 1};
    struct mmsghdr several = {message, 0};
    REFUSED(sendmsg(datagram, &message, 0), EACCES);
    REFUSED(sendmmsg(datagram, &several, 1, 0), EACCES);
    REFUSED(bind(stream, (void *)&address, length), EADDRINUSE);
    REFUSED2(open(path, O_RDONLY), EACCES, ENXIO);
    length = named(&address, "/run/systemd/private", 0);
    REFUSED(connect(stream, (void *)&address, length), ENOENT);
    length = named(&address, "/usr/new", 0);
    REFUSED(bind(stream, (void *)&address, length), EROFS);
    length = named(&address, abstract, 1) - 1;
    REFUSED(connect(stream, (void *)&address, length), EACCES);
    REFUSED(bind(stream, (void *)&address, length), EACCES);
    REFUSED(sendto(datagram, "x", 1, 0, (void *)&address, length), EACCES);
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7F000001)};
    REFUSED2(connect(stream, (void *)&far, sizeof far), EACCES, EINVAL);
}

/* Among its own processes, sockets work. */
static void own(void) {
    struct sockaddr_un address, told;
    socklen_t length = named(&address, "own-socket", 0), size = sizeof told;
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    WORKS(bind(server, (void *)&address, length) == 0 && listen(server, 1) == 0);
    WORKS(getsockname(server, (void *)&told, &size) == 0 && !strcmp(told.sun_path, "own-socket") && size == length);
    WORKS(connect(client, (void *)&address, length) == 0);
    int accepted = accept(server, NULL, NULL);
    char data[8] = "";
    WORKS(accepted >= 0 && write(client, "hello", 5) == 5 && read(accepted, data, 8) == 5 && !strcmp(data, "hello"));
}

static long pass(int channel, int descriptor) {
    char control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec data = {"x", 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET, entry->cmsg_type = SCM_RIGHTS, entry->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(entry), &descriptor, sizeof descriptor);
    return sendmsg(channel, &message, 0);
}

static int take(int channel) {
    char control[CMSG_SPACE(sizeof(int))] = "", byte;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    int descriptor = -1;
    if (recvmsg(channel, &message, 0) == 1 && CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    return descriptor;
}

static void descriptors(int inherited) {
    int channel[2];
    char data[16], text[64];
    struct stat status;
    WORKS(socketpair(AF_UNIX, SOCK_STREAM, 0, channel) == 0);
    REFUSED(read(inherited, data, 1), EBADF);
    REFUSED(write(inherited, "x", 1), EBADF);
    REFUSED(pread(inherited, data, 1, 0), EBADF);
    REFUSED(fstat(inherited, &status), EBADF);
    REFUSED(dup(inherited), EBADF);
    REFUSED(fcntl(inherited, F_DUPFD, 0), EBADF);
    REFUSED(fcntl(inherited, F_GETFL), EBADF);
    REFUSED(close(inherited), EBADF);
    REFUSED(ftruncate(inherited, 0), EBADF);
    REFUSED(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, inherited, 0) == MAP_FAILED ? -1 : 0, EBADF);
    REFUSED(openat(inherited, "x", O_RDONLY), EBADF);
    REFUSED(fchdir(inherited), EBADF);
    REFUSED(pass(channel[0], inherited), EBADF);
    snprintf(text, sizeof text, "/proc/self/fd/%d", inherited);
    REFUSED(open(text, O_RDONLY), ENOENT);
    REFUSED(readlink(text, data, sizeof data), ENOENT);
    snprintf(text, sizeof text, "/dev/fd/%d", inherited);
    REFUSED(open(text, O_RDONLY), ENOENT);
    REFUSED(dup2(0, inherited), EBADF);
    /* Whatever the translator itself has open. */
    int found = 0, limit = (int)sysconf(_SC_OPEN_MAX);
    for (int number = 3; number < limit + 100; number++)
        found += fcntl(number, F_GETFD) != -1;
    WORKS(found == 2);
    close_range(channel[1] + 1, ~0U, 0);
    /* What is its own can be passed on. */
    WORKS(pass(channel[0], 0) == 1);
    int passed = take(channel[1]);
    WORKS(passed > 2 && fcntl(passed, F_GETFD) != -1);
    WORKS(close(passed) == 0);
}

int main(int count, char **arguments) {
    if (count != 5)
        return 2;
    setbuf(stdout, NULL);
    descriptors(atoi(arguments[4]));
    others(arguments[1], arguments[2], atoi(arguments[3]));
    own();
    return verdict();
}
