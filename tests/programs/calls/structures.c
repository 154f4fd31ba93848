#include "cases.h"
#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <linux/openat2.h>
#include <time.h>

static void put(const char *name, const char *text) {
    int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    (void)!write(file, text, strlen(text));
    close(file);
}

CASE(status_of_files) {
    struct stat a, b;
    struct timespec times[2] = {{1000000000, 123456789}, {2000000000, 987654321}};
    put("f", "0123456789");
    link("f", "g"), utimensat(AT_FDCWD, "f", times, 0);
    SHOW(stat("f", &a)), SHOW(a.st_size), SHOW(a.st_nlink), SHOW(a.st_uid == getuid()), SHOW(a.st_gid == getgid()), SHOW(a.st_blksize), SHOW(a.st_blocks), printf("%o\n", a.st_mode);
    SHOW(a.st_atim.tv_sec), SHOW(a.st_atim.tv_nsec), SHOW(a.st_mtim.tv_sec), SHOW(a.st_mtim.tv_nsec), SHOW(a.st_ctim.tv_sec > 1000000000);
    SHOW(lstat("g", &b)), SHOW(a.st_ino == b.st_ino), SHOW(a.st_dev == b.st_dev), SHOW(fstat(open("f", O_RDONLY), &b)), SHOW(memcmp(&a, &b, sizeof a));
    SHOW(symlink("a-longer-name", "s")), SHOW(lstat("s", &a)), SHOW(a.st_size), printf("%o\n", a.st_mode), SHOW(fstatat(AT_FDCWD, "s", &b, AT_SYMLINK_NOFOLLOW)), SHOW(a.st_ino == b.st_ino), SHOW(fstatat(AT_FDCWD, "s", &b, 0)), SHOW(fstatat(AT_FDCWD, "f", &b, 0x40000000));
    SHOW(mkdir("d", 0750)), SHOW(stat("d", &a)), SHOW(a.st_nlink), printf("%o\n", a.st_mode), SHOW(stat("/dev/null", &a)), SHOW(major(a.st_rdev)), SHOW(minor(a.st_rdev)), SHOW(stat("/dev/zero", &a)), SHOW(minor(a.st_rdev));
}
CASE(kinds_of_files) {
    struct stat status;
    int ends[2], pair[2];
    (void)!pipe(ends), socketpair(AF_UNIX, SOCK_STREAM, 0, pair), mkfifo("p", 0600);
    int of[] = {ends[0], pair[0], eventfd(0, 0), open("/dev/null", O_RDONLY), open(".", O_RDONLY), open("p", O_RDWR), memfd_create("m", 0), open("/proc/self/limits", O_RDONLY)};
    for (unsigned index = 0; index < sizeof of / sizeof *of; index++)
        SHOW(fstat(of[index], &status)), printf("%o %ld\n", status.st_mode & S_IFMT, (long)status.st_size);
    SHOW(fstat(-1, &status)), SHOW(fstat(1 << 20, &status)), SHOW(fstatat(of[0], "", &status, AT_EMPTY_PATH)), SHOW(fstatat(of[0], "x", &status, 0)), SHOW(fstatat(-1, "/", &status, 0));
}
CASE(extended_status) {
    struct statx all, some;
    struct stat status;
    put("f", "0123456789");
    stat("f", &status);
    SHOW(statx(AT_FDCWD, "f", 0, STATX_ALL, &all)), SHOW(all.stx_mask & STATX_BASIC_STATS), SHOW(all.stx_size), SHOW(all.stx_nlink), SHOW(all.stx_uid == getuid()), printf("%o\n", all.stx_mode), SHOW(all.stx_ino == status.st_ino), SHOW(all.stx_blocks == status.st_blocks), SHOW(all.stx_mtime.tv_sec == status.st_mtim.tv_sec), SHOW(all.stx_mtime.tv_nsec == status.st_mtim.tv_nsec);
    SHOW(makedev(all.stx_dev_major, all.stx_dev_minor) == status.st_dev), SHOW(statx(AT_FDCWD, "/dev/null", AT_STATX_SYNC_AS_STAT, STATX_TYPE, &some)), SHOW(some.stx_rdev_major), SHOW(some.stx_rdev_minor);
    SHOW(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_TYPE, &some)), SHOW(statx(AT_FDCWD, "f/x", 0, 0, &some)), SHOW(statx(99, "f", 0, 0, &some)), SHOW(statx(open("f", O_PATH), "", AT_EMPTY_PATH, STATX_SIZE, &some)), SHOW(some.stx_size);
}
CASE(file_system_status) {
    struct statfs one, two;
    put("f", "");
    SHOW(statfs("/proc", &one)), printf("%lx\n", (unsigned long)one.f_type & 0xFFFFFFFF), SHOW(one.f_bsize), SHOW(one.f_namelen), SHOW(one.f_blocks), SHOW(statfs(".", &one)), SHOW(one.f_namelen), SHOW(one.f_bsize > 0), SHOW(one.f_bfree <= one.f_blocks), SHOW(one.f_files > 0);
    SHOW(fstatfs(open("f", O_RDONLY), &two)), SHOW(one.f_type == two.f_type), SHOW(one.f_blocks == two.f_blocks), SHOW(memcmp(&one.f_fsid, &two.f_fsid, sizeof one.f_fsid)), SHOW(one.f_frsize == two.f_frsize), SHOW(fstatfs(open("f", O_PATH), &two));
    SHOW(statfs("f/x", &one)), SHOW(statfs("", &one)), SHOW(fstatfs(-1, &one)), symlink("l", "l"), SHOW(statfs("l", &one));
}
CASE(usage_of_a_child) {
    struct rusage usage = {{77}}, before;
    struct tms ticks;
    SHOW(getrusage(RUSAGE_CHILDREN, &before)), SHOW(before.ru_utime.tv_sec), SHOW(before.ru_minflt);
    if (fork() == 0) {
        struct timespec end, now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end), end.tv_nsec += 60000000;
        if (end.tv_nsec >= 1000000000)
            end.tv_nsec -= 1000000000, end.tv_sec++;
        do
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
        _exit(0);
    }
    int status;
    SHOW(wait4(-1, &status, 0, &usage) > 0), SHOW(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec >= 40000), SHOW(usage.ru_maxrss > 100), SHOW(usage.ru_minflt > 0), SHOW(usage.ru_nsignals), SHOW(usage.ru_ixrss);
    SHOW(times(&ticks) != -1), SHOW(ticks.tms_cutime + ticks.tms_cstime > 0), SHOW(ticks.tms_utime < 100000), SHOW(getrusage(RUSAGE_THREAD, &usage)), SHOW(usage.ru_utime.tv_sec < 20), SHOW(getrusage(-7, &usage));
}
CASE(system) {
    struct sysinfo info;
    struct utsname names;
    char release[128] = "";
    SHOW(sysinfo(&info)), SHOW(info.uptime > 0), SHOW(info.procs > 0), SHOW(info.mem_unit > 0), SHOW((unsigned long long)info.totalram * info.mem_unit > 1 << 26), SHOW(info.freeram <= info.totalram), SHOW(info.loads[0] < 1000 * 65536);
    SHOW(uname(&names)), puts(names.sysname), (void)!read(open("/proc/sys/kernel/osrelease", O_RDONLY), release, sizeof release), SHOW(strncmp(release, names.release, strlen(names.release))), (void)!gethostname(release, sizeof release), SHOW(strcmp(release, names.nodename)), puts(names.domainname), SHOW(strncmp(names.version, "#", 1));
}
CASE(reading_folders) {
    mkdir("d", 0700), chdir("d");
    put("a", ""), put("a-name-that-is-rather-long-and-takes-more-room", ""), mkdir("b", 0700), symlink("x", "c"), mkfifo("e", 0600);
    int folder = open(".", O_RDONLY | O_DIRECTORY), total = 0, kinds[16] = {0};
    char buffer[96];
    long got;
    while ((got = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < got; total++) {
            struct dirent64 *entry = (void *)(buffer + at);
            kinds[entry->d_type & 15]++, at += entry->d_reclen;
            if (entry->d_reclen % 8 || entry->d_reclen < strlen(entry->d_name) + 20)
                puts("bad length");
        }
    SHOW(got), SHOW(total), SHOW(kinds[DT_DIR]), SHOW(kinds[DT_REG]), SHOW(kinds[DT_LNK]), SHOW(kinds[DT_FIFO]);
    SHOW(syscall(SYS_getdents64, folder, buffer, sizeof buffer)), SHOW(lseek(folder, 0, SEEK_SET)), SHOW(syscall(SYS_getdents64, folder, buffer, 23)), SHOW(syscall(SYS_getdents64, folder, buffer, 0)), SHOW(syscall(SYS_getdents64, -1, buffer, 96)), SHOW(syscall(SYS_getdents64, open("a", O_RDONLY), buffer, 96)), SHOW(read(folder, buffer, 1)), SHOW(write(folder, buffer, 1));
    int gone = open("b", O_RDONLY);
    rmdir("b"), SHOW(syscall(SYS_getdents64, gone, buffer, 96)), SHOW(openat(gone, "x", O_CREAT | O_RDWR, 0600)), SHOW(openat(gone, "..", O_RDONLY));
}
CASE(loops_and_lengths) {
    char name[32], next[32], deep[4200] = "", far[300];
    struct stat status;
    put("f", ""), symlink("f", "l0");
    for (int number = 1; number <= 41; number++)
        snprintf(name, sizeof name, "l%d", number), snprintf(next, sizeof next, "l%d", number - 1), symlink(next, name);
    SHOW(stat("l39", &status)), SHOW(stat("l40", &status)), SHOW(open("l39", O_RDONLY)), SHOW(open("l40", O_RDONLY)), SHOW(lstat("l40", &status)), SHOW(access("l41", F_OK)), SHOW(chmod("l41", 0600)), SHOW(truncate("l41", 0)), SHOW(link("l41", "x")), SHOW(rename("l41", "x"));
    memset(far, 'a', 256), far[256] = 0;
    SHOW(stat(far, &status)), SHOW(mkdir(far, 0700)), SHOW(symlink("x", far)), SHOW(rename("f", far)), SHOW(unlink(far)), SHOW(access(far, F_OK)), SHOW(chdir(far)), SHOW(truncate(far, 0)), SHOW(chmod(far, 0));
    for (int count = 0; count < 2047; count++)
        strcat(deep, "./");
    SHOW(stat(deep, &status)), strcat(deep, "f"), SHOW(stat(deep, &status)), strcat(deep, "f"), SHOW(stat(deep, &status)), SHOW(mkdir(deep, 0700)), SHOW(access(deep, F_OK)), SHOW(open(deep, O_RDONLY)), SHOW(symlink(deep, "y")), SHOW(execve(deep, NULL, NULL)), SHOW(chdir(deep));
    SHOW(stat("f/", &status)), SHOW(stat("f/.", &status)), SHOW(chdir("f")), SHOW(mkdir("f/x", 0700)), SHOW(rename("f/x", "y")), SHOW(unlink("f/")), SHOW(rmdir("f")), SHOW(readlink("f/x", name, 4)), SHOW(mkdir("new/", 0700)), SHOW(rmdir("new/")), SHOW(symlink("x", "new/")), SHOW(link("f", "new/"));
}
CASE(resolving) {
    struct open_how how = {.flags = O_RDONLY};
    mkdir("d", 0700), put("d/f", ""), symlink("f", "d/s"), symlink("../out", "d/up"), symlink("/", "d/root"), put("out", "");
    int folder = open("d", O_PATH);
    TELL(syscall(SYS_openat2, folder, "f", &how, sizeof how)), SHOW(syscall(SYS_openat2, folder, "f", &how, 8)), SHOW(syscall(SYS_openat2, folder, "f", NULL, sizeof how)), SHOW(syscall(SYS_openat2, folder, NULL, &how, sizeof how)), SHOW(syscall(SYS_openat2, folder, "f", &how, 5000));
    how.resolve = RESOLVE_BENEATH, TELL(syscall(SYS_openat2, folder, "f", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "s", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "up", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "../out", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "/", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "root", &how, sizeof how));
    how.resolve = RESOLVE_NO_SYMLINKS, TELL(syscall(SYS_openat2, folder, "s", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "f", &how, sizeof how)), how.resolve = RESOLVE_IN_ROOT, TELL(syscall(SYS_openat2, folder, "/f", &how, sizeof how)), TELL(syscall(SYS_openat2, folder, "up", &how, sizeof how));
    how.resolve = 0x4000, SHOW(syscall(SYS_openat2, folder, "f", &how, sizeof how)), how.resolve = 0, how.mode = 0600, SHOW(syscall(SYS_openat2, folder, "f", &how, sizeof how)), how.flags = 1ull << 40, how.mode = 0, SHOW(syscall(SYS_openat2, folder, "f", &how, sizeof how)), how.flags = O_CREAT | O_RDWR, how.mode = 010000, SHOW(syscall(SYS_openat2, folder, "g", &how, sizeof how)), how.mode = 0640, umask(0), TELL(syscall(SYS_openat2, folder, "g", &how, sizeof how));
    struct stat status;
    SHOW(stat("d/g", &status)), printf("%o\n", status.st_mode);
    struct { struct open_how how; long more; } longer = {{.flags = O_RDONLY}, 0};
    TELL(syscall(SYS_openat2, folder, "f", &longer, sizeof longer)), longer.more = 1, SHOW(syscall(SYS_openat2, folder, "f", &longer, sizeof longer));
    how = (struct open_how){.flags = O_PATH | O_CLOEXEC}, SHOW(fcntl(syscall(SYS_openat2, AT_FDCWD, "d", &how, sizeof how), F_GETFD)), SHOW(syscall(SYS_openat2, 99, "f", &how, sizeof how));
}
CASE(access_flags) {
    put("f", ""), symlink("nothing", "s"), chmod("f", 0);
    SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", X_OK, 0)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", F_OK, AT_EACCESS)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, "s", F_OK, 0)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, "s", F_OK, AT_SYMLINK_NOFOLLOW)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", 0, 0x4000)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, "f", 8, 0)), SHOW(syscall(SYS_faccessat2, open("f", O_PATH), "", F_OK, AT_EMPTY_PATH)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, "", F_OK, 0)), SHOW(syscall(SYS_faccessat2, 99, "f", F_OK, 0)), SHOW(syscall(SYS_faccessat2, AT_FDCWD, NULL, F_OK, 0));
    chmod("f", 0100), SHOW(access("f", X_OK)), SHOW(access("f/", F_OK)), SHOW(euidaccess("f", X_OK)), SHOW(faccessat(open(".", O_RDONLY), "f", X_OK, AT_EACCESS));
}
CASE(unnamed_files) {
    char data[8] = "";
    struct stat status;
    int file = TELL(open(".", O_TMPFILE | O_RDWR, 0640));
    SHOW(write(file, "text", 4)), SHOW(fstat(file, &status)), SHOW(status.st_nlink), SHOW(linkat(file, "", AT_FDCWD, "named", AT_EMPTY_PATH)), SHOW(stat("named", &status)), SHOW(status.st_nlink), SHOW(status.st_size), SHOW(open(".", O_TMPFILE | O_RDONLY, 0600)), SHOW(open("named", O_TMPFILE | O_RDWR, 0600)), SHOW(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600) > 0);
    int gone = open("gone", O_CREAT | O_RDWR, 0600);
    char name[64], target[128] = "";
    unlink("gone"), SHOW(write(gone, "kept", 4)), SHOW(pread(gone, data, 4, 0)), puts(data), snprintf(name, sizeof name, "/proc/self/fd/%d", gone), SHOW(readlink(name, target, sizeof target) > 10), SHOW(strstr(target, "/gone (deleted)") != NULL);
    int again = open(name, O_RDONLY);
    SHOW(read(again, data, 4)), SHOW(linkat(AT_FDCWD, name, AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
}
CASE(links_of_descriptors) {
    char target[64] = "";
    symlink("where", "s");
    int link = open("s", O_PATH | O_NOFOLLOW);
    struct stat status;
    SHOW(readlinkat(link, "", target, sizeof target)), puts(target), SHOW(fstat(link, &status)), SHOW(S_ISLNK(status.st_mode)), SHOW(open("s", O_PATH)), SHOW(readlinkat(AT_FDCWD, "", target, 4)), SHOW(readlinkat(99, "s", target, 4)), SHOW(readlinkat(AT_FDCWD, "s", target, 3)), printf("%.3s\n", target), SHOW(readlinkat(open(".", O_RDONLY), "", target, 4)), SHOW(read(link, target, 1));
}
CASE(owners) {
    put("f", ""), symlink("f", "s"), chmod("f", 06755);
    struct stat status;
    SHOW(chown("f", -1, -1)), SHOW(stat("f", &status)), printf("%o\n", status.st_mode), SHOW(chown("f", getuid(), getgid())), SHOW(stat("f", &status)), printf("%o\n", status.st_mode), SHOW(lchown("s", getuid(), -1)), SHOW(fchown(open("f", O_RDONLY), -1, getgid())), SHOW(fchown(open("f", O_PATH), -1, -1)), SHOW(fchownat(open("f", O_PATH), "", -1, -1, AT_EMPTY_PATH)), SHOW(fchownat(AT_FDCWD, "s", -1, -1, AT_SYMLINK_NOFOLLOW)), SHOW(fchownat(AT_FDCWD, "f", -1, -1, 0x77)), SHOW(chown("nothing", -1, -1)), SHOW(fchown(99, -1, -1)), SHOW(chown("f/x", -1, -1));
    if (getuid() == 0) {
        SHOW(chown("f", 1, 2)), SHOW(stat("f", &status)), SHOW(status.st_uid), SHOW(status.st_gid), SHOW(chown("f", 70000, -1)), SHOW(stat("f", &status)), SHOW(status.st_uid);
#ifdef __i386__ /* whose old call takes 16 bits of them */
        SHOW(syscall(SYS_chown, "f", 65535, 7) == 0), stat("f", &status), SHOW(status.st_gid);
#endif
    }
}
CASE(more_attributes) {
    char data[64], big[70000];
    memset(big, 'x', sizeof big);
    put("f", ""), symlink("f", "s");
    SHOW(setxattr("f", "user.a", big, 65537, 0)), SHOW(setxattr("f", "user.", "v", 1, 0)), SHOW(setxattr("f", "", "v", 1, 0)), SHOW(setxattr("f", "user.a", "v", 1, 77)), SHOW(setxattr("f", "user.a", NULL, 0, 0)), SHOW(getxattr("f", "user.a", data, 0)), SHOW(getxattr("f", "user.a", data, 8)), SHOW(lsetxattr("s", "user.a", "v", 1, 0)), SHOW(lgetxattr("s", "user.a", data, 8)), SHOW(llistxattr("s", data, sizeof data)), SHOW(lremovexattr("s", "user.a"));
    int file = open("f", O_RDWR);
    SHOW(fsetxattr(file, "user.bb", "three", 5, 0)), SHOW(fgetxattr(file, "user.bb", data, sizeof data)), SHOW(flistxattr(file, NULL, 0)), SHOW(flistxattr(file, data, sizeof data)), SHOW(fremovexattr(file, "user.none")), SHOW(fremovexattr(file, "user.bb")), SHOW(fgetxattr(open("f", O_PATH), "user.a", data, 8)), SHOW(fsetxattr(99, "user.a", "v", 1, 0));
    memset(big, 0, sizeof big), memset(big, 'n', 300), memcpy(big, "user.", 5), SHOW(setxattr("f", big, "v", 1, 0)), SHOW(getxattr("f", big, data, 1)), SHOW(getxattr("f", "nonsense.a", data, 1)), SHOW(getxattr("f", "trusted.a", data, 1));
}
CASE(more_times) {
    struct stat status;
    put("f", "");
    struct timespec before[2] = {{-5, 0}, {-1, 999999999}}, now[2] = {{0, UTIME_NOW}, {77, UTIME_NOW}}, none[2] = {{1, UTIME_OMIT}, {1, UTIME_OMIT}}, wrong[2] = {{0, 0}, {0, -1}};
    SHOW(utimensat(AT_FDCWD, "f", before, 0)), SHOW(stat("f", &status)), SHOW(status.st_atim.tv_sec), SHOW(status.st_mtim.tv_sec), SHOW(status.st_mtim.tv_nsec), SHOW(utimensat(AT_FDCWD, "f", none, 0)), SHOW(stat("f", &status)), SHOW(status.st_atim.tv_sec), SHOW(utimensat(AT_FDCWD, "nothing", none, 0)), SHOW(utimensat(AT_FDCWD, "f", now, 0)), SHOW(stat("f", &status)), SHOW(status.st_mtim.tv_sec > 1000), SHOW(utimensat(AT_FDCWD, "f", wrong, 0));
    struct timeval pair[2] = {{10, 5}, {20, 999999}};
    SHOW(utimes("f", pair)), SHOW(stat("f", &status)), SHOW(status.st_mtim.tv_nsec), pair[0].tv_usec = 1000000, SHOW(utimes("f", pair)), pair[0].tv_usec = -1, SHOW(futimes(open("f", O_RDONLY), pair)), symlink("f", "s"), SHOW(lutimes("s", NULL)), SHOW(utimensat(open("f", O_RDONLY), NULL, before, 0)), SHOW(utimensat(open("f", O_RDONLY), NULL, before, AT_SYMLINK_NOFOLLOW)), SHOW(futimens(open("f", O_PATH), NULL)), SHOW(utimensat(open("f", O_PATH), "", before, AT_EMPTY_PATH));
}
