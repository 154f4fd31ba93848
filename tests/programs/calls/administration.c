#include "cases.h"
#include <sched.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <sys/utsname.h>

/* What takes privileges, in namespaces of the case's own, so that nobody else notices. */

CASE(names) {
    struct utsname names;
    if (TELL(unshare(CLONE_NEWUTS)) != 0)
        return;
    SHOW(sethostname("elsewhere", 9)), SHOW(uname(&names)), SHOW(strcmp(names.nodename, "elsewhere"));
    SHOW(setdomainname("nowhere", 7)), SHOW(sethostname(NULL, 5)), SHOW(sethostname("x", -1)), SHOW(sethostname("x", 100));
    char text[32] = "";
    SHOW(gethostname(text, sizeof text)), SHOW(strcmp(text, "elsewhere"));
}
CASE(mounts) {
    if (TELL(unshare(CLONE_NEWNS)) != 0)
        return;
    SHOW(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)), SHOW(mkdir("place", 0700));
    SHOW(mount("none", "place", "tmpfs", 0, "size=64k")), SHOW(close(open("place/file", O_CREAT | O_WRONLY, 0600)));
    SHOW(access("place/file", F_OK)), SHOW(mount(NULL, "place", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    SHOW(open("place/other", O_CREAT | O_WRONLY, 0600)), SHOW(umount2("place", 0)), SHOW(access("place/file", F_OK));
    SHOW(umount2("place", 0)), SHOW(umount2("absent", 0)), SHOW(mount("none", "absent", "tmpfs", 0, NULL));
    SHOW(mount("none", "place", "no such type", 0, NULL)), SHOW(mount("place", (char *)8, "tmpfs", 0, NULL));
}
CASE(going_back) {
    int before = TELL(open("/proc/self/ns/uts", O_RDONLY));
    if (before < 0 || TELL(unshare(CLONE_NEWUTS)) != 0)
        return;
    char first[65], second[65];
    SHOW(sethostname("elsewhere", 9)), SHOW(setns(before, 0)), SHOW(gethostname(first, sizeof first));
    SHOW(strcmp(first, "elsewhere") != 0), SHOW(setns(before, CLONE_NEWUTS)), SHOW(gethostname(second, sizeof second));
    SHOW(strcmp(first, second)), SHOW(setns(before, CLONE_NEWNS)), SHOW(setns(-1, 0)), SHOW(setns(1, 0));
}
CASE(log) {
    SHOW(klogctl(10, NULL, 0) > 0), SHOW(klogctl(3, NULL, 100)), SHOW(klogctl(77, NULL, 0)), SHOW(klogctl(3, (char *)8, -1));
}
CASE(swapping) {
    SHOW(swapon("absent", 0)), SHOW(swapoff("absent")), SHOW(swapon((char *)8, 0)), SHOW(syscall(SYS_acct, "absent"));
}
CASE(clocks) {
    SHOW(syscall(SYS_settimeofday, (void *)8, NULL)), SHOW(syscall(SYS_settimeofday, NULL, (void *)8));
    SHOW(syscall(SYS_settimeofday, NULL, NULL));
}
CASE(handles) {
    struct {
        struct file_handle head;
        unsigned char rest[MAX_HANDLE_SZ];
    } handle;
    int mount_id;
    memset(&handle, 0, sizeof handle);
    SHOW(close(open("file", O_CREAT | O_WRONLY, 0600)));
    SHOW(name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount_id, 0)), handle.head.handle_bytes = MAX_HANDLE_SZ;
    if (TELL(name_to_handle_at(AT_FDCWD, "file", &handle.head, &mount_id, 0)) != 0)
        return;
    int folder = open(".", O_RDONLY);
    struct stat one, other;
    int again = TELL(open_by_handle_at(folder, &handle.head, O_RDONLY));
    if (again >= 0)
        SHOW(fstat(again, &one)), SHOW(stat("file", &other)), SHOW(one.st_ino == other.st_ino);
    handle.head.handle_type = 77;
    SHOW(open_by_handle_at(folder, &handle.head, O_RDONLY)), SHOW(open_by_handle_at(folder, (void *)8, O_RDONLY));
    SHOW(name_to_handle_at(AT_FDCWD, "absent", &handle.head, &mount_id, 0)), SHOW(name_to_handle_at(AT_FDCWD, "file", (void *)8, &mount_id, 0));
}
CASE(descriptors_of_others) {
    int ends[2], apart[2];
    char text[8] = "";
    if (pipe(ends) != 0 || pipe(apart) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        int wrote = dup2(ends[1], 77) == 77 && write(apart[1], "x", 1) == 1;
        close(ends[1]);
        pause();
        _exit(!wrote);
    }
    SHOW(read(apart[0], text, 1)), close(ends[1]);
    int handle = SHOW(syscall(SYS_pidfd_open, child, 0)), taken = TELL(syscall(SYS_pidfd_getfd, handle, 77, 0));
    if (taken >= 0)
        SHOW(write(taken, "hello", 5)), SHOW(read(ends[0], text, 5)), SHOW(memcmp(text, "hello", 5)), SHOW(fcntl(taken, F_GETFD));
    SHOW(syscall(SYS_pidfd_getfd, handle, 78, 0)), SHOW(syscall(SYS_pidfd_getfd, handle, 77, 1)), SHOW(syscall(SYS_pidfd_getfd, 0, 0, 0));
    SHOW(syscall(SYS_pidfd_getfd, handle, -1, 0)), SHOW(syscall(SYS_kcmp, getpid(), child, 1, 0, 0) > 0), SHOW(syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0));
    SHOW(syscall(SYS_kcmp, getpid(), 1 << 22, 1, 0, 0)), SHOW(syscall(SYS_kcmp, getpid(), getpid(), 77, 0, 0)), SHOW(kill(child, SIGKILL));
}
