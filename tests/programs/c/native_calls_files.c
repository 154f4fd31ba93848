/* Lists of buffers, opening and listing folders, made often enough for compiled code: with signals that arrive all the
 * time, with lists that are none, where they would wait, and where what is shown is the guest's and not the host's.
 * qemu: 7.2 writes nothing where a part of it could be written, and tells other flags
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "results.h"
#include "support.h"

static volatile sig_atomic_t alarms;
static void on_alarm(int number) { alarms++; }

static void start_timer(long microseconds, int flags) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval often = {{0, microseconds}, {0, microseconds}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

/* Bytes in two buffers through a pipe and a socket while a timer interrupts: none is lost, doubled or out of order. */
static void storm(int flags) {
    int ends[2], pair[2];
    unsigned long wrong = 0, interrupted = 0;
    unsigned sent = 0, got = 0;
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) return;
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    struct iovec out[2] = {{&sent, 3}, {(char *)&sent + 3, 1}}, in[2] = {{&got, 1}, {(char *)&got + 1, 3}};
    alarms = 0;
    start_timer(2000, flags);
    for (long i = 0; i < 10000 || alarms < 20; i++, sent++) {
        int *way = i & 1 ? ends : pair;
        while (writev(way[1], out, 2) != 4) interrupted += errno == EINTR;
        while (readv(way[0], in, 2) != 4) interrupted += errno == EINTR;
        wrong += got != sent;
        int file = open(i & 1 ? "/" : "/dev/null", O_RDONLY);
        if (file < 0) interrupted += errno == EINTR;
        else close(file);
    }
    start_timer(0, flags);
    printf("storm: wrong %lu, restarted ones interrupted %lu, alarms %d\n", wrong, flags ? interrupted : 0, alarms >= 20);
    close(ends[0]), close(ends[1]), close(pair[0]), close(pair[1]);
}

static void lists(void) {
    static char area[64];
    struct iovec many[40], *edge;
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int file = memfd_create("file", 0), ends[2], datagrams[2], pair[2];
    mprotect(pages + 4096, 4096, PROT_NONE);
    edge = (struct iovec *)(pages + 4096) - 1;
    if (pipe2(ends, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, datagrams)) return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair)) return;
    write(file, "0123456789abcdefghijklmnopqrstuvwxyz", 36);
    for (int i = 0; i < 40; i++) many[i] = (struct iovec){area + i, 1};
    *edge = (struct iovec){area, 5};
    struct iovec far = {(void *)-4096L, 1}, none = {NULL, 0}, hole = {pages + 4096, 4}, huge = {area, -1};
    struct iovec half[2] = {{area, 2}, {pages + 4096, 4}}, nothing[2] = {{area, 0}, {NULL, 0}};
    for (int turn = 0; turn < 300; turn++) {
        lseek(file, 0, SEEK_SET);
        const char *results[] = {
            name(readv(file, many, 3)), name(readv(file, many, 40)), name(readv(file, edge, 1)), name(readv(file, edge, 2)),
            name(readv(file, many, 0)), name(readv(file, many, -1)), name(readv(file, NULL, 1)), name(readv(file, &far, 1)),
        };
        if (turn % 299 == 0)
            for (unsigned i = 0; i < COUNT(results); i++) printf("%s ", results[i]);
        lseek(file, 0, SEEK_SET);
        const char *more[] = {
            name(readv(file, &none, 1)), name(readv(file, &hole, 1)), name(readv(file, &huge, 1)), name(readv(file, half, 2)),
            name(readv(99, many, 2)), name(preadv(file, many, 5, 10)), name(pwritev(file, many, 2, 36)), name(preadv(file, many, 1, -1)),
        };
        if (turn % 299 == 0)
            for (unsigned i = 0; i < COUNT(more); i++) printf("%s ", more[i]);
        const char *streams[] = {
            name(readv(ends[0], many, 2)), name(writev(ends[1], half, 2)), name(writev(ends[1], many, 7)), name(readv(ends[0], many, 40)),
            name(writev(ends[0], many, 1)), name(writev(datagrams[0], many, 4)), name(readv(datagrams[1], nothing, 2)), name(readv(datagrams[1], many, 2)),
        };
        if (turn % 299 == 0)
            for (unsigned i = 0; i < COUNT(streams); i++) printf("%s ", streams[i]);
        const char *sockets[] = {
            name(readv(datagrams[1], many, 2)), name(writev(datagrams[0], nothing, 2)), name(readv(datagrams[1], many, 2)), name(writev(pair[0], half, 2)),
            name(writev(pair[0], many, 9)), name(readv(pair[1], half, 2)), name(readv(pair[1], many, 3)), name(readv(pair[1], many, 30)),
        };
        if (turn % 299 == 0)
            for (unsigned i = 0; i < COUNT(sockets); i++) printf("%s ", sockets[i]);
        while (read(ends[0], area, 64) > 0) {}
        while (read(pair[1], area, 64) > 0) {}
        ftruncate(file, 36);
    }
    printf("\n");
    close(file), close(ends[0]), close(ends[1]), close(datagrams[0]), close(datagrams[1]), close(pair[0]), close(pair[1]);
}

/* What there is and what there is not, and what others do meanwhile. */
static void opening(const char *program) {
    char folder[] = "/tmp/native-calls-XXXXXX", text[64] = "";
    struct stat status;
    if (mkdtemp(folder) == NULL || chdir(folder)) return;
    close(open("file", O_CREAT | O_WRONLY, 0644));
    symlink("file", "link"), symlink("nowhere", "dangling"), mkfifo("fifo", 0600), symlink("/proc/self/comm", "comm");
    int here = open(".", O_RDONLY | O_DIRECTORY);
    const struct { const char *name; int flags; } cases[] = {
        {"file", O_RDONLY}, {"file", O_RDWR | O_APPEND}, {"file", O_CREAT | O_EXCL | O_RDWR}, {"file", O_DIRECTORY}, {"file/", O_RDONLY},
        {"link", O_RDONLY | O_CLOEXEC}, {"link", O_RDONLY | O_NOFOLLOW}, {"link", O_PATH | O_NOFOLLOW}, {"dangling", O_RDONLY}, {"dangling", O_NOFOLLOW},
        {"nowhere", O_RDONLY}, {"nowhere/x", O_CREAT | O_RDWR}, {".", O_RDONLY}, {".", O_WRONLY}, {".", O_CREAT}, {"", O_RDONLY},
        {"fifo", O_RDONLY | O_NONBLOCK}, {"fifo", O_WRONLY | O_NONBLOCK}, {"fifo", O_RDWR}, {"/dev/null", O_RDWR}, {"/proc", O_RDONLY}, {"file", O_RDONLY | O_NONBLOCK},
        {".", O_TMPFILE | O_RDWR}, {"file", O_WRONLY | O_TRUNC | O_SYNC},
    };
    for (int turn = 0; turn < 200; turn++)
        for (unsigned i = 0; i < COUNT(cases); i++) {
            int file = openat(i & 1 ? here : AT_FDCWD, cases[i].name, cases[i].flags, 0600);
            int flags = file < 0 ? errno : fcntl(file, F_GETFL) & ~0100000 /* O_LARGEFILE */, closes = file < 0 ? 0 : fcntl(file, F_GETFD);
            if (turn % 199 == 0) printf("%d:%o:%d ", file < 0 ? -1 : file, flags, closes);
            if (file >= 0) close(file);
        }
    printf("\n");
    /* made, as the mask says, and seen by others at once */
    umask(027);
    int wrong = 0;
    for (int turn = 0; turn < 300; turn++) {
        int file = openat(here, "new", O_CREAT | O_EXCL | O_RDWR, 0666);
        wrong += file < 0 || fstat(file, &status) || (status.st_mode & 07777) != 0640 || write(file, "x", 1) != 1;
        close(file), unlink("new");
    }
    /* a pipe's other end is waited for */
    for (int turn = 0; turn < 20; turn++) {
        pid_t child = fork();
        if (!child) {
            usleep(2000);
            int file = open("fifo", O_WRONLY);
            _exit(file < 0 || write(file, "late", 4) != 4);
        }
        int file = open("fifo", O_RDONLY);
        wrong += read(file, text, sizeof text) != 4;
        close(file), waitpid(child, NULL, 0);
    }
    /* the guest's own view, whatever the way there */
    int processes = open("/proc/self", O_RDONLY);
    for (int turn = 0; turn < 200; turn++) {
        int files[] = {openat(processes, "comm", O_RDONLY), open("comm", O_RDONLY), open("/proc/self/comm", O_RDONLY)};
        for (unsigned i = 0; i < COUNT(files); i++) {
            long got = read(files[i], text, 5);
            wrong += got != 5 || memcmp(text, "nativ", 5);
            close(files[i]);
        }
    }
    printf("%d wrong\n", wrong);
    /* none is left, and the call says so */
    struct rlimit few = {40, 40};
    int count = 0, last = -1;
    setrlimit(RLIMIT_NOFILE, &few);
    while (count < 100 && (last = open("file", O_RDONLY)) >= 0) count++;
    printf("%d %s\n", count > 10, name(last));
    unlink("file"), unlink("link"), unlink("dangling"), unlink("fifo"), unlink("comm"), chdir("/"), rmdir(folder);
}

/* All entries, in pieces, and of the open descriptors only those of this process. */
static void listing(void) {
    static char buffer[2048];
    int folder = open("/usr/bin", O_RDONLY), own = open("/proc/self/fd", O_RDONLY), highest = 0, before = -1, differs = 0;
    for (int turn = 0; turn < 60; turn++) {
        int count = 0;
        long got;
        lseek(folder, 0, SEEK_SET), lseek(own, 0, SEEK_SET);
        while ((got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0)
            for (long at = 0; at < got; count++) at += ((struct dirent64 *)(buffer + at))->d_reclen;
        differs += before >= 0 && count != before, before = count;
        while ((got = syscall(SYS_getdents64, own, buffer, sizeof buffer)) > 0)
            for (long at = 0; at < got;) {
                struct dirent64 *entry = (void *)(buffer + at);
                int number = atoi(entry->d_name);
                if (number > highest) highest = number;
                at += entry->d_reclen;
            }
    }
    printf("%d entries, %d differ, up to %d\n", before > 10, differs, highest < 20);
    for (int turn = 0; turn < 300; turn++) {
        const char *results[] = {
            name(syscall(SYS_getdents64, folder, buffer, 3)), name(syscall(SYS_getdents64, 99, buffer, 100)),
            name(syscall(SYS_getdents64, 1, buffer, 100)), name(syscall(SYS_getdents64, folder, (void *)-1L, 100)),
        };
        if (turn % 299 == 0)
            for (unsigned k = 0; k < COUNT(results); k++) printf("%s ", results[k]);
    }
    printf("\n");
    close(folder), close(own);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IONBF, 0);
    storm(0), storm(SA_RESTART), lists(), listing(), opening(arguments[0]);
    return 0;
}
