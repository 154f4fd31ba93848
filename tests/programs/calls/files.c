#include "cases.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static void put(const char *name, const char *text) {
    int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    (void)!write(file, text, strlen(text));
    close(file);
}

CASE(open_flags) {
    SHOW(open("x", O_RDONLY));
    SHOW(open("x", O_CREAT | O_EXCL | O_RDWR, 0600));
    SHOW(open("x", O_CREAT | O_EXCL | O_RDWR, 0600));
    SHOW(open("x", O_DIRECTORY));
    SHOW(open(".", O_WRONLY));
    SHOW(open("x/", O_RDONLY));
    SHOW(open("x/y", O_RDONLY));
    SHOW(open("", O_RDONLY));
    SHOW(open(".", O_CREAT, 0600));
    SHOW(open("y/", O_CREAT | O_RDWR, 0600));
    SHOW(open("x", O_RDONLY | O_CLOEXEC));
    SHOW(fcntl(4, F_GETFD));
    SHOW(fcntl(3, F_GETFL) & O_ACCMODE);
}
CASE(open_pointers) {
    SHOW(open(NULL, O_RDONLY));
    SHOW(open((char *)8, O_RDONLY));
    SHOW(open((char *)-8L, O_RDONLY));
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    memset(page, 'a', 4096);
    SHOW(open(page + 4090, O_RDONLY));
    page[4095] = 0;
    SHOW(open(page + 4090, O_RDONLY));
    SHOW(open(page, O_RDONLY));
}
CASE(long_names) {
    char name[5000];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    SHOW(open(name, O_CREAT | O_RDWR, 0600) > 0);
    name[255] = 'n', name[256] = 0;
    SHOW(open(name, O_CREAT | O_RDWR, 0600));
    name[256] = 'n', name[4999] = 0;
    SHOW(open(name, O_CREAT | O_RDWR, 0600));
}
CASE(open_at) {
    mkdir("d", 0700);
    int folder = SHOW(open("d", O_RDONLY | O_DIRECTORY));
    SHOW(openat(folder, "f", O_CREAT | O_RDWR, 0600));
    SHOW(openat(99, "f", O_RDONLY));
    SHOW(openat(99, "/", O_RDONLY) > 0);
    SHOW(openat(4, "f", O_RDONLY));
    SHOW(openat(AT_FDCWD, "d/f", O_RDONLY) > 0);
    SHOW(unlinkat(folder, "f", AT_REMOVEDIR));
    SHOW(unlinkat(folder, "f", 0));
    SHOW(unlinkat(AT_FDCWD, "d", 0));
    SHOW(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    SHOW(openat(folder, "g", O_CREAT | O_RDWR, 0600));
    SHOW(unlinkat(AT_FDCWD, "d", 1));
}
CASE(path_descriptors) {
    put("f", "text");
    char data[8];
    struct stat status;
    int path = SHOW(open("f", O_PATH));
    SHOW(read(path, data, 4));
    SHOW(fstat(path, &status));
    SHOW(fchmod(path, 0600));
    SHOW(ftruncate(path, 0));
    SHOW(fcntl(path, F_GETFL) & O_PATH ? 1 : 0);
    SHOW(ioctl(path, 0x5401, data));
    SHOW(fchdir(path));
    SHOW(dup(path));
    SHOW(lseek(path, 0, SEEK_SET));
    SHOW(fsync(path));
}
CASE(seeking) {
    put("f", "0123456789");
    int file = open("f", O_RDWR);
    SHOW(lseek(file, 5, SEEK_SET));
    SHOW(lseek(file, -6, SEEK_CUR));
    SHOW(lseek(file, 5, SEEK_END));
    SHOW(lseek(file, 0, 77));
    SHOW(write(file, "x", 1));
    SHOW(lseek(file, 0, SEEK_END));
    SHOW(lseek(file, 0, SEEK_DATA));
    SHOW(lseek(file, 0, SEEK_HOLE));
    SHOW(lseek(file, 100, SEEK_DATA));
    SHOW(lseek(99, 0, SEEK_SET));
    int ends[2];
    (void)!pipe(ends);
    SHOW(lseek(ends[0], 0, SEEK_SET));
}
CASE(positions) {
    char data[32] = "";
    put("f", "0123456789");
    int file = open("f", O_RDWR | O_APPEND);
    SHOW(pread(file, data, 3, 4));
    puts(data);
    SHOW(pwrite(file, "AB", 2, 0));
    SHOW(pread(file, data, 31, 0));
    puts(data);
    SHOW(pread(file, data, 3, -1));
    SHOW(pwrite(file, "x", 1, -1));
    SHOW(pread(file, data, 3, 100));
    SHOW(lseek(file, 0, SEEK_CUR));
}
CASE(vectors) {
    char a[4] = "", b[8] = "";
    put("f", "0123456789");
    int file = open("f", O_RDWR);
    struct iovec two[2] = {{a, 3}, {b, 4}};
    SHOW(readv(file, two, 2));
    printf("%s %s\n", a, b);
    SHOW(readv(file, two, 0));
    SHOW(readv(file, two, -1));
    SHOW(readv(file, two, 1025));
    SHOW(writev(file, (struct iovec[]){{"x", 1}, {NULL, 0}, {"y", 1}}, 3));
    SHOW(writev(file, (struct iovec[]){{"x", -1}, {"y", 1}}, 2));
    SHOW(writev(file, (struct iovec[]){{(void *)8, 4}, {"y", 1}}, 2));
    SHOW(writev(file, (struct iovec[]){{"z", 1}, {(void *)8, 4}}, 2));
    SHOW(preadv(file, two, 2, 1));
    SHOW(pwritev2(file, two, 1, 2, 0));
    SHOW(preadv2(file, two, 1, -1, 0));
    SHOW(preadv2(file, two, 1, 0, 0x10000));
}
CASE(bad_buffers) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    put("f", "0123456789");
    int file = open("f", O_RDWR);
    SHOW(read(file, page + 4092, 10));
    SHOW(read(file, page + 4096, 10));
    SHOW(read(file, NULL, 0));
    SHOW(write(file, page + 4096, 1));
    SHOW(write(file, (char *)-1L, 1));
    SHOW(read(file, (char *)-1L, 1));
    SHOW(read(-1, page, 1));
    SHOW(write(file, page, 0));
    mprotect(page, 4096, PROT_READ);
    SHOW(read(file, page, 4));
    SHOW(write(file, page, 4));
    SHOW(pipe((int *)page));
    SHOW(fstat(file, (struct stat *)page));
}
CASE(truncating) {
    struct stat status;
    put("f", "0123456789");
    SHOW(truncate("f", 4));
    SHOW(stat("f", &status)), SHOW(status.st_size);
    SHOW(truncate("f", 100));
    SHOW(stat("f", &status)), SHOW(status.st_size);
    SHOW(truncate("f", -1));
    SHOW(truncate("g", 0));
    SHOW(truncate(".", 0));
    int file = open("f", O_RDONLY);
    SHOW(ftruncate(file, 0));
    SHOW(fallocate(open("f", O_RDWR), 0, 0, 5000));
    SHOW(stat("f", &status)), SHOW(status.st_size);
    SHOW(fallocate(open("f", O_RDWR), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    SHOW(fallocate(open("f", O_RDWR), 0, -1, 1));
    SHOW(posix_fallocate(open("f", O_RDWR), 0, 0));
}
CASE(names) {
    put("a", "a");
    mkdir("d", 0700), mkdir("e", 0700), mkdir("d/x", 0700);
    SHOW(rename("a", "b"));
    SHOW(rename("a", "c"));
    SHOW(rename("b", "d"));
    SHOW(rename("d", "b"));
    SHOW(rename("e", "d"));
    SHOW(rename("d", "e"));
    SHOW(rename("e", "e/x/y"));
    SHOW(rename("b", "b"));
    SHOW(rename(".", "q"));
    SHOW(rename("b", "nothing/b"));
    SHOW(rename("b/", "c"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", 1));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", 2));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "e", 77));
    SHOW(mkdir("b", 0700));
    SHOW(mkdir("nothing/x", 0700));
    SHOW(rmdir("e"));
    SHOW(rmdir("b/.."));
    SHOW(rmdir("b/."));
    SHOW(rmdir("/"));
    SHOW(unlink("b"));
    SHOW(unlink("nothing"));
}
CASE(links) {
    struct stat status;
    char target[64] = "";
    put("a", "a");
    SHOW(link("a", "b")), SHOW(stat("a", &status)), SHOW(status.st_nlink);
    SHOW(link("a", "b"));
    SHOW(link(".", "c"));
    SHOW(link("nothing", "c"));
    SHOW(symlink("a", "s")), SHOW(symlink("s", "t")), SHOW(symlink("u", "u"));
    SHOW(symlink("", "v"));
    SHOW(symlink("a", "s"));
    SHOW(readlink("t", target, sizeof target));
    puts(target);
    SHOW(readlink("a", target, sizeof target));
    SHOW(readlink("t", target, 0));
    SHOW(readlink("t", target, -1));
    SHOW(readlink("nothing", target, 4));
    SHOW(open("u", O_RDONLY)), SHOW(stat("u", &status)), SHOW(lstat("u", &status));
    SHOW(S_ISLNK(status.st_mode)), SHOW(status.st_size);
    SHOW(open("s", O_RDONLY | O_NOFOLLOW));
    SHOW(open("s", O_CREAT | O_EXCL | O_RDWR, 0600));
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-s", 0)), SHOW(lstat("hard-s", &status)), SHOW(S_ISLNK(status.st_mode));
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "hard-a", AT_SYMLINK_FOLLOW)), SHOW(lstat("hard-a", &status));
    SHOW(status.st_nlink);
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "x", 7));
    SHOW(unlink("s/"));
    SHOW(faccessat(AT_FDCWD, "u", F_OK, 0)), SHOW(faccessat(AT_FDCWD, "u", F_OK, AT_SYMLINK_NOFOLLOW));
}
CASE(modes) {
    struct stat status;
    put("f", "x");
    SHOW(umask(027)), SHOW(umask(0777)), SHOW(umask(027));
    SHOW(open("g", O_CREAT | O_RDWR, 0666)), SHOW(stat("g", &status)), printf("%o\n", status.st_mode);
    SHOW(mkdir("d", 01777)), SHOW(stat("d", &status)), printf("%o\n", status.st_mode);
    SHOW(mkfifo("p", 0666)), SHOW(stat("p", &status)), printf("%o\n", status.st_mode);
    SHOW(mkfifo("p", 0666));
    SHOW(chmod("f", 04755)), SHOW(stat("f", &status)), printf("%o\n", status.st_mode);
    SHOW(chmod("nothing", 0755));
    SHOW(fchmod(3, 0)), SHOW(stat("g", &status)), printf("%o\n", status.st_mode);
    SHOW(fchmodat(AT_FDCWD, "f", 0600, 0));
    SHOW(access("f", R_OK | W_OK)), SHOW(access("f", 8)), SHOW(access("nothing", F_OK)), SHOW(access("f/x", F_OK));
    SHOW(mknod("n", S_IFREG | 0600, 0)), SHOW(mknod("n", S_IFREG | 0600, 0)), SHOW(mknod("m", 0170000, 0));
}
CASE(times) {
    struct stat status;
    struct timespec pair[2] = {{100, 5}, {200, 999999999}};
    put("f", "x");
    SHOW(utimensat(AT_FDCWD, "f", pair, 0)), SHOW(stat("f", &status));
    printf("%ld.%09ld %ld.%09ld\n", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec, (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    pair[0].tv_nsec = UTIME_OMIT, pair[1].tv_sec = 300, pair[1].tv_nsec = 0;
    SHOW(utimensat(AT_FDCWD, "f", pair, 0)), SHOW(stat("f", &status));
    printf("%ld %ld\n", (long)status.st_atime, (long)status.st_mtime);
    pair[1].tv_nsec = 1000000000;
    SHOW(utimensat(AT_FDCWD, "f", pair, 0));
    SHOW(utimensat(AT_FDCWD, "nothing", NULL, 0));
    SHOW(utimensat(AT_FDCWD, "f", NULL, 0x77));
    SHOW(futimens(99, NULL));
}
CASE(folders) {
    for (int number = 0; number < 300; number++) {
        char name[64];
        snprintf(name, sizeof name, "a-rather-long-name-of-a-file-%03d", number);
        put(name, "");
    }
    DIR *list = opendir(".");
    int count = 0;
    long place = 0;
    char at[256] = "";
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL)
        if (++count == 100)
            place = telldir(list), entry = readdir(list), strcpy(at, entry->d_name), count++;
    SHOW(count);
    seekdir(list, place);
    SHOW(strcmp(readdir(list)->d_name, at));
    rewinddir(list);
    for (count = 0; readdir(list) != NULL; count++)
        ;
    SHOW(count);
    char buffer[64];
    SHOW(syscall(SYS_getdents64, dirfd(list), buffer, 10));
    rewinddir(list);
    SHOW(syscall(SYS_getdents64, dirfd(list), buffer, 10));
    SHOW(syscall(SYS_getdents64, 1, buffer, 64));
    SHOW(syscall(SYS_getdents64, dirfd(list), (void *)8, 64));
    SHOW(lseek(dirfd(list), -5, SEEK_SET));
}
CASE(working_directory) {
    char here[4096];
    mkdir("d", 0700), put("f", "");
    SHOW(chdir("d")), SHOW(chdir("../f")), SHOW(chdir("nothing")), SHOW(chdir(""));
    SHOW(getcwd(here, 3) == NULL ? -1 : 0);
    SHOW(syscall(SYS_getcwd, here, sizeof here) > 1);
    SHOW(rmdir("../d")), SHOW(syscall(SYS_getcwd, here, sizeof here)), SHOW(open("x", O_CREAT | O_RDWR, 0600));
    SHOW(chdir(".."));
    SHOW(fchdir(0)), SHOW(fchdir(99));
}
CASE(descriptors) {
    put("f", "0123456789");
    char data[4] = "";
    int file = SHOW(open("f", O_RDWR));
    SHOW(dup(file)), SHOW(read(file, data, 2)), SHOW(lseek(4, 0, SEEK_CUR));
    SHOW(dup2(file, 20)), SHOW(dup2(file, file)), SHOW(dup2(99, 99)), SHOW(dup2(file, -1)), SHOW(dup2(file, 1 << 30));
    SHOW(dup3(file, 21, O_CLOEXEC)), SHOW(fcntl(21, F_GETFD)), SHOW(dup3(file, file, 0)), SHOW(dup3(file, 22, 5));
    SHOW(fcntl(file, F_DUPFD, 30)), SHOW(fcntl(file, F_DUPFD_CLOEXEC, 30)), SHOW(fcntl(file, F_DUPFD, -1));
    SHOW(fcntl(file, F_SETFD, 1)), SHOW(fcntl(file, F_GETFD)), SHOW(fcntl(file, 9999)), SHOW(fcntl(99, F_GETFD));
    SHOW(fcntl(file, F_SETFL, O_APPEND | O_NONBLOCK)), SHOW(fcntl(file, F_GETFL) & (O_APPEND | O_NONBLOCK));
    SHOW(close(file)), SHOW(close(file)), SHOW(close(-1));
    SHOW(close_range(20, 31, 0)), SHOW(fcntl(20, F_GETFD)), SHOW(close_range(5, 4, 0)), SHOW(close_range(4, 5, 99));
    SHOW(open("f", O_RDONLY)), SHOW(open("f", O_RDONLY));
}
CASE(record_locks) {
    put("f", "0123456789");
    int file = open("f", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_start = 2, .l_len = 4};
    SHOW(fcntl(file, F_SETLK, &lock));
    if (fork() == 0) {
        struct flock other = {.l_type = F_RDLCK, .l_start = 0, .l_len = 0};
        SHOW(fcntl(file, F_GETLK, &other));
        printf("%d %ld %ld %d\n", other.l_type, (long)other.l_start, (long)other.l_len, other.l_pid == getppid());
        other = (struct flock){.l_type = F_RDLCK, .l_start = 3, .l_len = 1};
        SHOW(fcntl(file, F_SETLK, &other));
        other.l_start = 8;
        SHOW(fcntl(file, F_SETLK, &other));
        SHOW(flock(file, LOCK_SH | LOCK_NB)), SHOW(flock(file, 77)), SHOW(flock(99, LOCK_SH));
        int again = open("f", O_RDONLY);
        SHOW(flock(again, LOCK_EX | LOCK_NB));
        _exit(0);
    }
    wait(NULL);
    lock.l_type = 77;
    SHOW(fcntl(file, F_SETLK, &lock));
}
CASE(pipes) {
    int ends[2];
    char data[8] = "";
    SHOW(pipe2(ends, O_NONBLOCK | O_CLOEXEC)), SHOW(ends[0]), SHOW(ends[1]);
    SHOW(read(ends[0], data, 8)), SHOW(write(ends[1], "abc", 3)), SHOW(read(ends[0], data, 2));
    SHOW(write(ends[0], "x", 1)), SHOW(read(ends[1], data, 1));
    SHOW(fcntl(ends[0], F_GETPIPE_SZ)), SHOW(fcntl(ends[0], F_SETPIPE_SZ, 8192));
    char *much = calloc(1, 1 << 20);
    SHOW(write(ends[1], much, 1 << 20)), SHOW(write(ends[1], much, 1));
    SHOW(close(ends[1])), SHOW(read(ends[0], much, 1 << 20)), SHOW(read(ends[0], data, 1));
    SHOW(pipe2(ends, 77));
    SHOW(pipe(ends)), SHOW(close(ends[0]));
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(ends[1], "x", 1));
    signal(SIGPIPE, SIG_DFL);
    SHOW(write(ends[1], "x", 1));
}
CASE(moving_data) {
    char data[16] = "";
    put("f", "0123456789");
    int in = open("f", O_RDONLY), out = open("g", O_CREAT | O_RDWR, 0600), ends[2];
    loff_t offset = 3;
    (void)!pipe(ends);
    SHOW(sendfile64(out, in, &offset, 4)), SHOW(offset), SHOW(lseek(in, 0, SEEK_CUR));
    SHOW(sendfile(out, in, NULL, 100)), SHOW(sendfile(out, 99, NULL, 1)), SHOW(sendfile(in, out, NULL, 1));
    SHOW(splice(in, &offset, ends[1], NULL, 2, 0)), SHOW(offset), SHOW(read(ends[0], data, 8));
    SHOW(splice(in, NULL, out, NULL, 2, 0));
    offset = 0;
    SHOW(copy_file_range(in, &offset, out, NULL, 5, 0)), SHOW(copy_file_range(in, NULL, out, NULL, 5, 9));
    SHOW(write(ends[1], "tee", 3));
    int more[2];
    (void)!pipe(more);
    SHOW(tee(ends[0], more[1], 3, 0)), SHOW(read(more[0], data, 8)), SHOW(read(ends[0], data, 8));
}
CASE(attributes) {
    char data[64] = "";
    put("f", "");
    SHOW(setxattr("f", "user.a", "value", 5, 0)), SHOW(setxattr("f", "user.a", "v", 1, XATTR_CREATE));
    SHOW(setxattr("f", "user.b", "v", 1, XATTR_REPLACE)), SHOW(setxattr("f", "nonsense", "v", 1, 0));
    SHOW(getxattr("f", "user.a", data, sizeof data)), SHOW(getxattr("f", "user.a", NULL, 0));
    SHOW(getxattr("f", "user.a", data, 2)), SHOW(getxattr("f", "user.none", data, 2));
    SHOW(listxattr("f", data, sizeof data)), SHOW(listxattr("f", data, 1)), SHOW(removexattr("f", "user.a"));
    SHOW(removexattr("f", "user.a")), SHOW(setxattr("nothing", "user.a", "v", 1, 0));
}
CASE(file_systems) {
    struct statvfs system;
    SHOW(statvfs(".", &system)), SHOW(system.f_bsize > 0), SHOW(statvfs("nothing", &system)), SHOW(fstatvfs(99, &system));
    struct statx status;
    put("f", "12345");
    SHOW(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &status)), SHOW(status.stx_size), SHOW(status.stx_nlink);
    SHOW(statx(AT_FDCWD, "f", 0x800000, STATX_BASIC_STATS, &status));
    SHOW(statx(AT_FDCWD, "", 0, STATX_BASIC_STATS, &status)), SHOW(statx(0, "", AT_EMPTY_PATH, STATX_TYPE, &status));
    SHOW(statx(AT_FDCWD, "f", 0, 1u << 31, &status));
}
CASE(memory_files) {
    char data[8] = "";
    int file = SHOW(memfd_create("name", MFD_ALLOW_SEALING));
    SHOW(write(file, "text", 4)), SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW)), SHOW(write(file, "x", 1));
    SHOW(fcntl(file, F_GET_SEALS)), SHOW(pread(file, data, 4, 0)), SHOW(ftruncate(file, 100)), SHOW(ftruncate(file, 2));
    SHOW(memfd_create("name", 0x4000)), SHOW(memfd_create((char *)8, 0));
    SHOW(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED ? -1 : 0);
}
