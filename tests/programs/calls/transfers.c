#include "cases.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char *before_nothing(size_t size) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    return page + 4096 - size;
}
static int digits(const char *name) {
    int file = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
    (void)!write(file, "0123456789", 10), lseek(file, 0, SEEK_SET);
    return file;
}
static void show_file(const char *name) {
    char data[64] = "";
    int file = open(name, O_RDONLY);
    printf("%ld <%s>\n", (long)read(file, data, 63), data);
    close(file);
}

CASE(partial_vectors) {
    char data[16] = "", *edge = before_nothing(3);
    int file = digits("f"), ends[2];
    SHOW(readv(file, (struct iovec[]){{data, 4}, {(void *)8, 4}}, 2)), SHOW(lseek(file, 0, SEEK_CUR)), SHOW(readv(file, (struct iovec[]){{data, 2}, {edge, 8}}, 2)), printf("%.3s\n", edge), SHOW(lseek(file, 0, SEEK_CUR)), SHOW(readv(file, (struct iovec[]){{(void *)8, 4}, {data, 4}}, 2));
    lseek(file, 0, SEEK_SET), SHOW(writev(file, (struct iovec[]){{"ab", 2}, {(void *)8, 4}}, 2)), SHOW(writev(file, (struct iovec[]){{edge, 8}}, 1)), SHOW(lseek(file, 0, SEEK_CUR)), show_file("f");
    (void)!pipe(ends), SHOW(writev(ends[1], (struct iovec[]){{"abc", 3}, {(void *)8, 4}}, 2)), fcntl(ends[0], F_SETFL, O_NONBLOCK), SHOW(read(ends[0], data, 16)), SHOW(readv(ends[0], (struct iovec[]){{data, 0}, {NULL, 0}}, 2)), SHOW(readv(ends[0], (struct iovec[]){{data, 4}}, 1)), SHOW(writev(ends[1], (struct iovec[]){{"ab", 2}, {"", 0}, {"cde", 3}}, 3)), SHOW(readv(ends[0], (struct iovec[]){{data, 1}, {data + 1, 1}, {data + 2, 9}}, 3)), puts(data);
}
CASE(long_vectors) {
    struct iovec many[1025];
    static char bytes[1025];
    for (int index = 0; index < 1025; index++)
        many[index] = (struct iovec){bytes + index, 1};
    int file = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(writev(file, many, 1024)), SHOW(writev(file, many, 1025)), SHOW(pwritev(file, many, 1024, 5000)), SHOW(lseek(file, 0, SEEK_END)), SHOW(preadv(file, many, 1024, 4096)), SHOW(preadv(file, many, 1024, 1 << 20)), SHOW(preadv(file, many, 1, -5)), SHOW(pwritev(99, many, 1, 0)), SHOW(readv(-1, many, 1025)), SHOW(readv(file, many, -1)), SHOW(readv(file, NULL, 0)), SHOW(readv(open("f", O_WRONLY), many, 1)), SHOW(writev(open("f", O_RDONLY), many, 1)), SHOW(readv(open(".", O_RDONLY), many, 1));
    many[0].iov_len = -1, SHOW(readv(file, many, 1)), SHOW(readv(file, many, 2)), many[0].iov_len = 1, many[1].iov_len = (size_t)-1 >> 1, SHOW(writev(99, many, 2)), many[1] = (struct iovec){NULL, 5}, SHOW(writev(file, many + 1, 1));
}
CASE(vector_flags) {
    char data[16] = "";
    struct iovec one = {data, 4}, put = {"xyz", 3};
    int file = digits("f"), ends[2];
    SHOW(preadv2(file, &one, 1, 2, RWF_HIPRI)), puts(data), SHOW(preadv2(file, &one, 1, -1, 0)), SHOW(lseek(file, 0, SEEK_CUR)), SHOW(pwritev2(file, &put, 1, 0, RWF_APPEND)), show_file("f"), SHOW(pwritev2(file, &put, 1, 1, RWF_DSYNC | RWF_SYNC)), show_file("f"), SHOW(lseek(file, 0, SEEK_CUR)), SHOW(pwritev2(file, &put, 1, -1, RWF_APPEND)), SHOW(lseek(file, 0, SEEK_CUR)), SHOW(preadv2(file, &one, 1, 0, RWF_APPEND)), SHOW(preadv2(file, &one, 1, -2, 0)), SHOW(pwritev2(file, &put, 1, 0, 1 << 20));
    (void)!pipe(ends), SHOW(preadv2(ends[0], &one, 1, -1, RWF_NOWAIT)), SHOW(pwritev2(ends[1], &put, 1, -1, RWF_NOWAIT)), SHOW(preadv2(ends[0], &one, 1, -1, RWF_NOWAIT)), SHOW(preadv2(ends[0], &one, 1, 0, 0)), SHOW(pwritev2(ends[1], &put, 1, 5, 0));
}
CASE(appending) {
    int file = digits("f"), add = open("f", O_WRONLY | O_APPEND);
    SHOW(lseek(add, 2, SEEK_SET)), SHOW(write(add, "a", 1)), SHOW(lseek(add, 0, SEEK_CUR)), SHOW(pwrite(add, "b", 1, 0)), SHOW(pwritev(add, &(struct iovec){"c", 1}, 1, 0)), show_file("f"), SHOW(lseek(add, 0, SEEK_CUR)), SHOW(fcntl(file, F_SETFL, O_APPEND)), SHOW(write(file, "d", 1)), show_file("f"), SHOW(fcntl(file, F_SETFL, 0)), SHOW(pwrite(file, "e", 1, 0)), show_file("f"), SHOW(fcntl(file, F_GETFL) & O_APPEND), SHOW(sendfile(add, file, NULL, 1)), SHOW(copy_file_range(file, NULL, add, NULL, 1, 0));
}
CASE(far_away) {
    char byte = 0;
    int file = open("f", O_CREAT | O_RDWR | O_LARGEFILE, 0600);
    SHOW(pwrite64(file, "x", 1, 5000000000ll)), SHOW(lseek64(file, 0, SEEK_END) == 5000000001ll), SHOW(pread64(file, &byte, 1, 5000000000ll)), SHOW(byte), SHOW(pread64(file, &byte, 1, 4999999999ll)), SHOW(byte), SHOW(preadv64(file, &(struct iovec){&byte, 1}, 1, 5000000000ll)), SHOW(byte), SHOW(lseek64(file, 4000000000ll, SEEK_SET) == 4000000000ll), SHOW(write(file, "y", 1)), SHOW(lseek64(file, -1000000000ll, SEEK_CUR) == 3000000001ll), SHOW(lseek64(file, 0, SEEK_DATA) <= 4000000000ll), SHOW(ftruncate64(file, 4500000000ll)), SHOW(lseek64(file, 0, SEEK_END) == 4500000000ll), SHOW(posix_fadvise64(file, 4000000000ll, 4000000000ll, POSIX_FADV_DONTNEED)), SHOW(posix_fallocate64(file, 4400000000ll, 10)), SHOW(sync_file_range(file, 4000000000ll, 10, 7)), SHOW(readahead(file, 4000000000ll, 100)), SHOW(truncate64("f", 4400000000ll)), SHOW(lseek64(file, 0, SEEK_END) == 4400000000ll), SHOW(lseek64(file, 1ll << 62, SEEK_SET) == -1), SHOW(pwrite64(file, "x", 1, 0x7FFFFFFFFFFFFFFFll)), SHOW(ftruncate64(file, -1));
    char *page = mmap64(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 4000000000ll & ~4095ll);
    SHOW(page != MAP_FAILED && page[4000000000ll & 4095] == 'y');
}
CASE(allocating) {
    struct stat status;
    int file = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 8192)), SHOW(fstat(file, &status)), SHOW(status.st_size), SHOW(status.st_blocks > 0), SHOW(fallocate(file, 0, 100, 100)), SHOW(fstat(file, &status)), SHOW(status.st_size), SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, 10)), SHOW(fallocate(file, 0, 0, 0)), SHOW(fallocate(file, 0, 0, -1)), SHOW(fallocate(file, 0x4000, 0, 1)), SHOW(fallocate(open("f", O_RDONLY), 0, 0, 1)), SHOW(fallocate(99, 0, 0, 1)), SHOW(fallocate(open("/dev/null", O_RDWR), 0, 0, 1)), SHOW(posix_fadvise(file, 0, 0, 99)), SHOW(posix_fadvise(99, 0, 0, 0)), SHOW(posix_fadvise(file, 0, -1, 0)), SHOW(sync_file_range(file, 0, 0, 99)), SHOW(sync_file_range(file, -1, 0, 2)), SHOW(fdatasync(file)), SHOW(fsync(99)), SHOW(syncfs(file)), SHOW(syncfs(99)), SHOW(readahead(file, 0, 10)), SHOW(readahead(99, 0, 10));
    int ends[2];
    (void)!pipe(ends), SHOW(fallocate(ends[1], 0, 0, 1)), SHOW(posix_fadvise(ends[0], 0, 0, 0)), SHOW(fsync(ends[0])), SHOW(readahead(ends[0], 0, 1)), SHOW(ftruncate(ends[1], 0)), SHOW(sync_file_range(ends[0], 0, 0, 0));
}
CASE(copying_ranges) {
    int in = digits("f"), out = digits("g"), ends[2];
    loff_t from = 2, to = 12;
    SHOW(copy_file_range(in, &from, out, &to, 3, 0)), SHOW(from), SHOW(to), show_file("g"), SHOW(lseek(in, 0, SEEK_CUR)), SHOW(copy_file_range(in, NULL, out, NULL, 100, 0)), SHOW(lseek(in, 0, SEEK_CUR)), SHOW(lseek(out, 0, SEEK_CUR)), SHOW(copy_file_range(in, NULL, out, NULL, 100, 0)), from = 0, to = 5, SHOW(copy_file_range(in, &from, in, &to, 10, 0)), to = 20, SHOW(copy_file_range(in, &from, in, &to, 10, 0)), show_file("f"), from = -1, SHOW(copy_file_range(in, &from, out, NULL, 1, 0)), (void)!pipe(ends), SHOW(copy_file_range(ends[0], NULL, out, NULL, 1, 0)), SHOW(copy_file_range(in, NULL, open(".", O_RDONLY), NULL, 1, 0)), SHOW(copy_file_range(in, NULL, open("f", O_RDONLY), NULL, 1, 0)), SHOW(copy_file_range(open("f", O_WRONLY), NULL, out, NULL, 1, 0)), SHOW(copy_file_range(99, NULL, out, NULL, 1, 0)), SHOW(copy_file_range(in, (void *)8, out, NULL, 1, 0));
}
CASE(sending_files) {
    int in = digits("f"), out = digits("g"), pair[2], ends[2];
    char data[32] = "";
    off64_t place = 8;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair), (void)!pipe(ends);
    SHOW(sendfile64(pair[0], in, &place, 100)), SHOW(place), SHOW(recv(pair[1], data, 32, 0)), puts(data), SHOW(sendfile64(ends[1], in, NULL, 4)), SHOW(lseek(in, 0, SEEK_CUR)), SHOW(sendfile64(out, in, &(off64_t){-1}, 1)), SHOW(sendfile64(out, in, &(off64_t){100}, 1)), SHOW(sendfile64(out, in, (void *)8, 1)), SHOW(sendfile64(out, ends[0], NULL, 2)), SHOW(sendfile64(out, pair[1], NULL, 2)), SHOW(sendfile64(open("g", O_RDONLY), in, NULL, 1)), SHOW(sendfile64(out, open("f", O_WRONLY), NULL, 1)), SHOW(sendfile64(out, open(".", O_RDONLY), NULL, 1)), SHOW(sendfile64(-1, in, NULL, 1)), SHOW(sendfile64(out, in, NULL, 0)), SHOW(sendfile64(ends[0], in, NULL, 1)), fcntl(ends[1], F_SETFL, O_NONBLOCK), lseek(in, 0, SEEK_SET), ftruncate(in, 1 << 20), SHOW(sendfile64(ends[1], in, NULL, 1 << 20) < 70000), SHOW(sendfile64(ends[1], in, NULL, 10));
}
CASE(splicing) {
    int in = digits("f"), out = digits("g"), a[2], b[2], pair[2];
    char data[32] = "";
    loff_t place = 6;
    (void)!pipe(a), (void)!pipe(b), socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(splice(in, &place, a[1], NULL, 2, 0)), SHOW(place), SHOW(splice(in, NULL, a[1], NULL, 3, SPLICE_F_MOVE | SPLICE_F_MORE)), SHOW(lseek(in, 0, SEEK_CUR)), SHOW(splice(a[0], NULL, b[1], NULL, 4, 0)), SHOW(ioctl(a[0], FIONREAD, data)), SHOW(*(int *)data), place = 15, SHOW(splice(b[0], NULL, out, &place, 10, 0)), SHOW(place), SHOW(splice(a[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK)), show_file("g"), SHOW(splice(a[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK));
    SHOW(splice(in, NULL, out, NULL, 1, 0)), SHOW(splice(a[0], &place, out, NULL, 1, 0)), SHOW(splice(in, NULL, a[1], &place, 1, 0)), SHOW(splice(a[0], NULL, a[1], NULL, 1, SPLICE_F_NONBLOCK)), SHOW(splice(in, NULL, a[1], NULL, 1, 0x100)), SHOW(splice(99, NULL, a[1], NULL, 1, 0)), SHOW(splice(a[1], NULL, out, NULL, 1, 0)), SHOW(splice(in, NULL, a[1], NULL, 0, 0)), SHOW(splice(in, (void *)8, a[1], NULL, 1, 0)), SHOW(splice(in, &(loff_t){-1}, a[1], NULL, 1, 0)), SHOW(splice(in, &(loff_t){100}, a[1], NULL, 1, 0)), SHOW(write(a[1], "to socket", 9)), SHOW(splice(a[0], NULL, pair[0], NULL, 9, 0)), SHOW(splice(pair[1], NULL, b[1], NULL, 20, 0)), SHOW(read(b[0], data, 20)), printf("%.9s\n", data), close(a[1]), SHOW(splice(a[0], NULL, out, NULL, 5, 0)), SHOW(splice(open(".", O_RDONLY), NULL, b[1], NULL, 5, 0));
}
CASE(teeing) {
    int a[2], b[2], file = digits("f");
    char data[16] = "";
    (void)!pipe(a), (void)!pipe(b), (void)!write(a[1], "abcdef", 6);
    SHOW(tee(a[0], b[1], 4, 0)), SHOW(read(b[0], data, 16)), SHOW(tee(a[0], b[1], 100, SPLICE_F_NONBLOCK)), SHOW(read(a[0], data, 16)), puts(data), SHOW(tee(a[0], b[1], 100, SPLICE_F_NONBLOCK)), SHOW(tee(a[0], a[1], 1, 0)), SHOW(tee(file, b[1], 1, 0)), SHOW(tee(a[0], file, 1, 0)), SHOW(tee(99, b[1], 1, 0)), SHOW(tee(a[1], b[1], 1, 0)), SHOW(tee(a[0], b[1], 0, 0)), SHOW(tee(a[0], b[1], 1, 77 << 8)), close(a[1]), SHOW(tee(a[0], b[1], 5, 0));
}
CASE(memory_into_pipes) {
    int ends[2], file = digits("f");
    char data[16] = "", text[] = "from memory";
    (void)!pipe(ends);
    SHOW(vmsplice(ends[1], (struct iovec[]){{text, 4}, {text + 5, 6}}, 2, 0)), SHOW(read(ends[0], data, 16)), puts(data), SHOW(vmsplice(ends[1], &(struct iovec){(void *)8, 4}, 1, 0)), SHOW(vmsplice(ends[1], NULL, 0, 0)), SHOW(vmsplice(ends[1], (void *)8, 2000, 0)), SHOW(vmsplice(file, &(struct iovec){text, 4}, 1, 0)), SHOW(vmsplice(99, &(struct iovec){text, 4}, 1, 0)), SHOW(vmsplice(ends[1], &(struct iovec){text, 4}, 1, 0x80)), (void)!write(ends[1], "out", 3), memset(data, 0, 16), SHOW(vmsplice(ends[0], &(struct iovec){data, 16}, 1, 0)), puts(data), SHOW(vmsplice(ends[0], &(struct iovec){data, 16}, 1, SPLICE_F_NONBLOCK));
}
CASE(sizes_of_pipes) {
    int ends[2], waiting = 0;
    char *much = calloc(1, 1 << 17);
    SHOW(pipe2(ends, O_NONBLOCK)), SHOW(fcntl(ends[1], F_SETPIPE_SZ, 1)), SHOW(fcntl(ends[1], F_SETPIPE_SZ, 5000)), SHOW(fcntl(ends[0], F_GETPIPE_SZ)), SHOW(fcntl(ends[1], F_SETPIPE_SZ, -1)), SHOW(fcntl(0, F_GETPIPE_SZ) > 0), SHOW(write(ends[1], much, 8192)), SHOW(write(ends[1], much, 1)), SHOW(ioctl(ends[0], FIONREAD, &waiting)), SHOW(waiting), SHOW(fcntl(ends[1], F_SETPIPE_SZ, 4096)), SHOW(read(ends[0], much, 4095)), SHOW(write(ends[1], much, 4096)), SHOW(read(ends[0], much, 1)), SHOW(write(ends[1], much, 4096)), SHOW(write(ends[1], much, 5000));
    struct pollfd poller = {ends[1], POLLOUT, 0};
    SHOW(poll(&poller, 1, 0)), SHOW(read(ends[0], much, 1 << 17)), SHOW(poll(&poller, 1, 0)), SHOW(write(ends[1], much, 1 << 17)), SHOW(fcntl(99, F_GETPIPE_SZ)), SHOW(pipe2(ends, O_DIRECT)), SHOW(write(ends[1], "one", 3)), SHOW(write(ends[1], "three", 5)), SHOW(read(ends[0], much, 100)), SHOW(read(ends[0], much, 2)), fcntl(ends[0], F_SETFL, O_NONBLOCK), SHOW(read(ends[0], much, 100));
}
CASE(named_pipes) {
    char data[8] = "";
    SHOW(mkfifo("p", 0600)), SHOW(open("p", O_WRONLY | O_NONBLOCK));
    int in = SHOW(open("p", O_RDONLY | O_NONBLOCK)), out = SHOW(open("p", O_WRONLY | O_NONBLOCK));
    SHOW(read(in, data, 8)), SHOW(write(out, "abc", 3)), SHOW(read(in, data, 8)), close(out), SHOW(read(in, data, 8)), SHOW(lseek(in, 0, SEEK_SET)), SHOW(pread(in, data, 1, 0)), SHOW(write(in, "x", 1));
    close(in);
    if (fork() == 0)
        usleep(20000), (void)!write(open("p", O_WRONLY), "late", 4), _exit(0);
    in = open("p", O_RDONLY), SHOW(read(in, data, 8)), SHOW(read(in, data, 8));
}
CASE(direct) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int file = open("f", O_CREAT | O_RDWR | O_DIRECT, 0600);
    if (file < 0)
        SHOW(file);
    else
        SHOW(write(file, page, 4096)), SHOW(write(file, page + 1, 4096)), SHOW(write(file, page, 100)), SHOW(pread(file, page, 4096, 0)), SHOW(pread(file, page, 4096, 1)), SHOW(fcntl(file, F_SETFL, 0)), SHOW(write(file, page + 1, 100));
}
CASE(requests) {
    int file = digits("f"), number = 0;
    SHOW(ioctl(file, FIONREAD, &number)), SHOW(number), SHOW(ioctl(file, FIOCLEX)), SHOW(fcntl(file, F_GETFD)), SHOW(ioctl(file, FIONCLEX)), SHOW(fcntl(file, F_GETFD)), number = 1, SHOW(ioctl(file, FIONBIO, &number)), SHOW(fcntl(file, F_GETFL) & O_NONBLOCK), SHOW(ioctl(file, FIONBIO, 8)), SHOW(ioctl(file, FIONREAD, 8)), SHOW(ioctl(99, FIONREAD, &number)), SHOW(ioctl(file, 0x12345678, &number)), SHOW(ioctl(open("f", O_PATH), FIOCLEX)), SHOW(ioctl(file, TIOCGWINSZ, &number)), SHOW(isatty(file)), SHOW(isatty(99)), number = 0, SHOW(ioctl(file, FIOASYNC, &number)), SHOW(ioctl(file, 0x40049409, 99)), SHOW(ioctl(file, 0x40049409, 0));
}
