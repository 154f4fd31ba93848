/* Calls that only 32-bit programs have, made by INT 80: old ones, and those with 64-bit numbers in two registers. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL(...) syscall(__VA_ARGS__)
static volatile int caught;
static void note(int number) { caught = number; }

static void show(const char *what, long result) {
    printf("%s: %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "");
}

struct old_action { void *handler; uint32_t mask, flags; void *restorer; };
struct lock32 { int16_t type, whence; int32_t start, length, owner; };
struct __attribute__((packed)) lock64 { int16_t type, whence; int64_t start, length; int32_t owner; };

static void signals(void) {
    struct old_action action = {note, 1 << (SIGUSR2 - 1), SA_RESTART, 0}, before;
    show("sigaction", CALL(SYS_sigaction, SIGUSR1, &action, 0));
    show("sigaction", CALL(SYS_sigaction, SIGUSR1, 0, &before));
    printf("%d %x %x\n", before.handler == (void *)note, before.mask, before.flags & ~0x04000000);
    kill(getpid(), SIGUSR1);
    printf("caught %d\n", caught);
    show("signal", CALL(SYS_signal, SIGUSR2, note));
    kill(getpid(), SIGUSR2);
    printf("caught %d\n", caught);
    show("sigaction", CALL(SYS_sigaction, SIGUSR2, 0, &before));
    printf("%d\n", before.handler == SIG_DFL);
    uint32_t mask = 1 << (SIGUSR1 - 1), old;
    show("sigprocmask", CALL(SYS_sigprocmask, SIG_BLOCK, &mask, &old));
    kill(getpid(), SIGUSR1);
    show("sigpending", CALL(SYS_sigpending, &old));
    printf("pending %x\n", old);
    caught = 0;
    show("sigsuspend", CALL(SYS_sigsuspend, 0, 0, 0));
    printf("caught %d\n", caught);
    show("sigaction of SIGKILL", CALL(SYS_sigaction, SIGKILL, &action, 0));
    mask = 0;
    CALL(SYS_sigprocmask, SIG_SETMASK, &mask, 0);
}

static void files(void) {
    int file = open("numbers", O_RDWR | O_CREAT | O_TRUNC | O_LARGEFILE, 0640);
    show("write", write(file, "0123456789", 10));
    int64_t place = 0;
    show("_llseek", CALL(SYS__llseek, file, 1, 5, &place, SEEK_SET));
    printf("at %llx\n", (long long)place);
    show("ftruncate64", CALL(SYS_ftruncate64, file, 7, 2));
    struct stat64 status;
    show("fstat64", CALL(SYS_fstat64, file, &status));
    printf("%llx %o %d\n", (long long)status.st_size, status.st_mode, (int)status.st_nlink);
    unsigned char old[128];
    show("stat of a large file", CALL(106, "numbers", old)); /* the old stat */
    show("truncate64", CALL(SYS_truncate64, "numbers", 10, 0));
    show("stat", CALL(106, "numbers", old));
    char buffer[32] = "";
    show("pread64", CALL(SYS_pread64, file, buffer, 4, 3, 0));
    printf("%s\n", buffer);
    show("pwrite64", CALL(SYS_pwrite64, file, "xy", 2, 0, 1));
    show("fadvise64_64", CALL(SYS_fadvise64_64, file, 0, 0, 0, 1, POSIX_FADV_NORMAL));
    show("readahead", CALL(SYS_readahead, file, 0, 0, 4096));
    show("fallocate", CALL(SYS_fallocate, file, 1, 0, 0, 4096, 0));
    struct lock32 lock = {F_WRLCK, SEEK_SET, 2, 3, 0};
    struct lock64 wide = {F_WRLCK, SEEK_SET, 0x100000000ll, 5, 0};
    show("fcntl lock", CALL(SYS_fcntl64, file, 6, &lock));
    show("fcntl64 lock", CALL(SYS_fcntl64, file, 13, &wide));
    if (fork() == 0) {
        struct lock32 seen = {F_RDLCK, SEEK_SET, 0, 10, 0};
        struct lock64 far = {F_RDLCK, SEEK_SET, 0, 0x200000000ll, 0};
        show("getlk", CALL(SYS_fcntl64, file, 5, &seen));
        printf("%d %d %d %d\n", seen.type, seen.start, seen.length, seen.owner == getppid());
        far.start = 0x100000000ll;
        show("getlk64", CALL(SYS_fcntl64, file, 12, &far));
        printf("%d %llx %llx\n", far.type, (long long)far.start, (long long)far.length);
        fflush(stdout);
        _exit(3);
    }
    int ended;
    show("waitpid", CALL(SYS_waitpid, -1, &ended, 0) > 0);
    printf("ended %d\n", WEXITSTATUS(ended));
    uint32_t offset = 2;
    int pipes[2];
    show("pipe", pipe(pipes));
    show("sendfile", CALL(SYS_sendfile, pipes[1], file, &offset, 4));
    printf("%u\n", offset);
    memset(buffer, 0, sizeof buffer);
    show("read", read(pipes[0], buffer, 10));
    printf("%s\n", buffer);
    struct { uint32_t address, length, protection, flags, file, offset; } map = {
        0, 4096, PROT_READ, MAP_PRIVATE, file, 0};
    char *mapped = (char *)CALL(90, &map); /* the old mmap */
    printf("%.5s\n", mapped);
    mapped = (char *)CALL(SYS_mmap2, 0, 4096, PROT_READ, MAP_SHARED, file, 0x100000);
    printf("%d\n", mapped == MAP_FAILED ? errno : 0);
    unsigned char information[96];
    show("statfs64 of another size", CALL(SYS_statfs64, ".", 80, information));
    show("statfs64", CALL(SYS_statfs64, ".", 84, information));
    uint32_t times[2] = {1000, 2000};
    show("utime", CALL(SYS_utime, "numbers", times));
    uint32_t moments[4] = {1111, 222222, 3333, 444444};
    show("utimes", CALL(SYS_utimes, "numbers", moments));
    CALL(SYS_stat64, "numbers", &status);
    printf("%ld.%ld %ld.%ld\n", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec, (long)status.st_mtim.tv_sec,
           status.st_mtim.tv_nsec);
    struct { uint32_t parts[2]; uint32_t pad[2]; } precise[2] = {{{5, 0}, {6, 0xdeadbeef}}, {{7, 0}, {8, 0xdeadbeef}}};
    show("utimensat_time64", CALL(SYS_utimensat_time64, AT_FDCWD, "numbers", precise, 0));
    CALL(SYS_stat64, "numbers", &status);
    printf("%ld.%ld %ld.%ld\n", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec, (long)status.st_mtim.tv_sec,
           status.st_mtim.tv_nsec);
}

static void directories(void) {
    mkdir("folder", 0755);
    for (char name = 'a'; name < 'h'; name++) close(creat((char[]){'f','o','l','d','e','r','/',name,0}, 0600));
    int folder = open("folder", O_RDONLY | O_DIRECTORY), seen = 0, bytes;
    char buffer[64];
    while ((bytes = CALL(SYS_getdents, folder, buffer, sizeof buffer)) > 0)
        for (int at = 0; at < bytes; at += *(uint16_t *)(buffer + at + 8)) {
            const char *name = buffer + at + 10;
            int type = buffer[at + *(uint16_t *)(buffer + at + 8) - 1];
            seen += name[0] == '.' ? 1000 : name[0] - 'a' + 1 + 100 * (type == DT_REG);
        }
    printf("entries %d, then %d\n", seen, bytes);
    DIR *again = opendir("folder");
    readdir(again), readdir(again), readdir(again);
    long place = telldir(again);
    char first[8];
    strcpy(first, readdir(again)->d_name);
    while (readdir(again)) {}
    seekdir(again, place);
    printf("back: %d\n", strcmp(first, readdir(again)->d_name));
}

static void waiting(void) {
    int pipes[2];
    show("pipe", pipe(pipes));
    write(pipes[1], "x", 1);
    uint32_t set[4] = {1u << pipes[0], 0xffffffff, 7, 7};
    uint32_t time[2] = {0, 1000};
    struct { uint32_t count; void *read, *write, *other, *time; } arguments = {pipes[0] + 1, set, 0, 0, time};
    show("select", CALL(82, &arguments)); /* the old select */
    printf("%x %x\n", set[0] == 1u << pipes[0], set[1]);
    set[0] = 1u << pipes[1];
    time[1] = 20000;
    show("_newselect", CALL(SYS__newselect, pipes[1] + 1, set, 0, 0, time));
    printf("left %u.%06u, %x\n", time[0], time[1], set[0]);
    struct pollfd entry = {pipes[0], POLLIN, 0};
    uint32_t moment[4] = {0, 0, 0, 0xdeadbeef};
    show("ppoll", CALL(SYS_ppoll, &entry, 1, moment, 0, 8));
    show("ppoll_time64", CALL(SYS_ppoll_time64, &entry, 1, moment, 0, 8));
    printf("%x\n", entry.revents);
    uint64_t mask = 1 << (SIGUSR1 - 1), *pointer = &mask;
    struct { void *mask; uint32_t size; } pair = {pointer, 8};
    uint32_t nothing[2] = {0, 1000000};
    set[0] = 0;
    show("pselect6", CALL(SYS_pselect6, 1, set, 0, 0, nothing, &pair));
    uint32_t sleep[2] = {0, 1000}, wrong[2] = {0, 1000000000};
    show("nanosleep", CALL(SYS_nanosleep, sleep, 0));
    show("nanosleep", CALL(SYS_nanosleep, wrong, 0));
    uint32_t word = 5;
    show("futex", CALL(SYS_futex, &word, 0, 5, sleep, 0, 0));
    show("futex", CALL(SYS_futex, &word, 0, 6, sleep, 0, 0));
    uint64_t wide[2] = {0, 1000};
    show("futex_time64", CALL(SYS_futex_time64, &word, 0, 5, wide, 0, 0));
}

static void sockets(void) {
    int ends[2];
    uint32_t pair[4] = {AF_UNIX, SOCK_DGRAM, 0, (uintptr_t)ends};
    show("socketcall pair", CALL(SYS_socketcall, 8, pair));
    uint32_t message[4] = {ends[0], (uintptr_t)"datagram", 8, 0};
    show("socketcall send", CALL(SYS_socketcall, 9, message));
    char buffer[16] = "";
    uint32_t taken[4] = {ends[1], (uintptr_t)buffer, 16, 0};
    show("socketcall recv", CALL(SYS_socketcall, 10, taken));
    printf("%s\n", buffer);
    show("socketcall", CALL(SYS_socketcall, 99, taken));
    char text[] = "with a file";
    struct iovec part = {text, sizeof text};
    union { struct cmsghdr head; char room[CMSG_SPACE(2 * sizeof(int))]; } control = {0};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.head = (struct cmsghdr){CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), (int[]){1, ends[0]}, 2 * sizeof(int));
    show("sendmsg", sendmsg(ends[0], &header, 0));
    memset(&control, 0, sizeof control);
    memset(text, 0, sizeof text);
    show("recvmsg", recvmsg(ends[1], &header, 0));
    int *got = (int *)CMSG_DATA(&control.head);
    printf("%s %u %u %d %d %d\n", text, (unsigned)header.msg_controllen, (unsigned)control.head.cmsg_len,
           control.head.cmsg_type, header.msg_flags, got[1] - got[0]);
    struct timeval limit = {3, 500000}, back = {0};
    socklen_t size = sizeof back;
    show("setsockopt", setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    show("getsockopt", getsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &back, &size));
    printf("%ld.%06ld %u\n", (long)back.tv_sec, (long)back.tv_usec, size);
}

static void limits(void) {
    uint32_t limit[2] = {100, 200};
    show("setrlimit", CALL(SYS_setrlimit, RLIMIT_NOFILE, limit));
    limit[0] = limit[1] = 0;
    show("ugetrlimit", CALL(SYS_ugetrlimit, RLIMIT_NOFILE, limit));
    printf("%u %u\n", limit[0], limit[1]);
    show("getrlimit", CALL(76, RLIMIT_CORE, limit));
    printf("%x\n", limit[1] & 0x80000000);
    struct rusage usage;
    show("getrusage", CALL(SYS_getrusage, RUSAGE_SELF, &usage));
    printf("%d\n", usage.ru_maxrss > 100);
    unsigned char cpus[128];
    printf("%d\n", CALL(SYS_sched_getaffinity, 0, sizeof cpus, cpus) % 4 == 0);
    if (fork() == 0) _exit(9);
    siginfo_t info;
    show("waitid", CALL(SYS_waitid, P_ALL, 0, &info, WEXITED, &usage));
    printf("%d %d %d\n", info.si_signo == SIGCHLD, info.si_code == CLD_EXITED, info.si_status);
}

int main(void) {
    setvbuf(stdout, 0, _IOLBF, 0);
    signals();
    files();
    directories();
    waiting();
    sockets();
    limits();
    return 0;
}
