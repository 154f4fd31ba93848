/* Files that are hidden, and files that can only be read.
 *
 * In the working directory lie `file`, `folder/inner` and `link` to `file`; the first argument is a folder that is
 * hidden, with `secret` in it, the second one that can be read, with `file` and `folder`.
 */
#include "escape.h"
#include <dirent.h>
#include <linux/fs.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

static char path[4096];

static const char *in(const char *folder, const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void hidden(const char *folder) {
    struct stat status;
    struct statfs system;
    char secret[2048], buffer[4096];
    snprintf(secret, sizeof secret, "%s/secret", folder);
    REFUSED(open(secret, O_RDONLY), ENOENT);
    REFUSED(open(secret, O_PATH), ENOENT);
    REFUSED(open(secret, O_RDWR), ENOENT);
    REFUSED2(open(in(folder, "new"), O_CREAT | O_WRONLY, 0600), ENOENT, EROFS);
    REFUSED2(open(folder, O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP, ENOENT);
    REFUSED2(open(".", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP, ENOENT);
    REFUSED(stat(secret, &status), ENOENT);
    REFUSED(lstat(secret, &status), ENOENT);
    REFUSED(access(secret, F_OK), ENOENT);
    REFUSED(statfs(secret, &system), ENOENT);
    REFUSED(readlink(secret, buffer, sizeof buffer), ENOENT);
    REFUSED(getxattr(secret, "user.x", buffer, sizeof buffer), ENOENT);
    REFUSED(truncate(secret, 0), ENOENT);
    REFUSED(unlink(secret), ENOENT);
    REFUSED2(rmdir(folder), ENOENT, EBUSY);
    REFUSED(chmod(secret, 0777), ENOENT);
    REFUSED(chown(secret, 1, 1), ENOENT);
    REFUSED(utime(secret, NULL), ENOENT);
    REFUSED(setxattr(secret, "user.x", "1", 1, 0), ENOENT);
    REFUSED(link(secret, "stolen"), ENOENT);
    REFUSED(linkat(AT_FDCWD, secret, AT_FDCWD, "stolen", AT_SYMLINK_FOLLOW), ENOENT);
    REFUSED(rename(secret, "stolen"), ENOENT);
    REFUSED2(rename(folder, "stolen"), ENOENT, EBUSY);
    REFUSED2(rename("file", secret), ENOENT, EROFS);
    REFUSED2(link("file", in(folder, "new")), ENOENT, EROFS);
    REFUSED2(symlink("file", in(folder, "new")), ENOENT, EROFS);
    REFUSED2(mkdir(in(folder, "new"), 0700), ENOENT, EROFS);
    REFUSED2(mknod(in(folder, "new"), S_IFIFO | 0600, 0), ENOENT, EROFS);
    REFUSED(chdir(folder), ENOENT);
    REFUSED(execl(secret, secret, NULL), ENOENT);
    int watch = inotify_init1(0);
    WORKS(watch >= 0);
    REFUSED(inotify_add_watch(watch, secret, IN_OPEN), ENOENT);
}

/* Ways around: links, `..`, the folders of /proc that lead elsewhere, open folders. */
static void around(const char *folder) {
    char secret[2048], text[4096];
    snprintf(secret, sizeof secret, "%s/secret", folder);
    WORKS(symlink(secret, "to-secret") == 0);
    WORKS(symlink(folder, "to-folder") == 0);
    WORKS(symlink("/", "to-root") == 0);
    WORKS(symlink("../../../../../../../../../../../../../../../../../..", "up") == 0);
    REFUSED(open("to-secret", O_RDONLY), ENOENT);
    REFUSED2(open("to-secret", O_CREAT | O_WRONLY, 0600), ENOENT, EROFS);
    REFUSED(open("to-secret", O_NOFOLLOW | O_RDONLY), ELOOP);
    REFUSED(open("to-folder/secret", O_RDONLY), ENOENT);
    snprintf(text, sizeof text, "to-root%s", secret);
    REFUSED(open(text, O_RDONLY), ENOENT);
    snprintf(text, sizeof text, "up%s", secret);
    REFUSED(open(text, O_RDONLY), ENOENT);
    snprintf(text, sizeof text, "../../../../../../../../../../../..%s", secret);
    REFUSED(open(text, O_RDONLY), ENOENT);
    snprintf(text, sizeof text, "/../../..//.%s", secret);
    REFUSED(open(text, O_RDONLY), ENOENT);
    for (const char *const *start = (const char *const[]){
             "/proc/self/root", "/proc/self/cwd/../../../../../../..", "/proc/thread-self/root", "/proc/1/root",
             "/proc/1/cwd", "/proc/self/task/1/root", NULL}; *start; start++) {
        snprintf(text, sizeof text, "%s%s", *start, secret);
        REFUSED(open(text, O_RDONLY), ENOENT);
    }
    int here = open(".", O_RDONLY | O_DIRECTORY);
    int root = open("/", O_PATH);
    WORKS(here >= 0 && root >= 0);
    snprintf(text, sizeof text, "../../../../../../../../../../../..%s", secret);
    REFUSED(openat(here, text, O_RDONLY), ENOENT);
    REFUSED(openat(root, secret + 1, O_RDONLY), ENOENT);
    REFUSED(openat(here, "to-secret", O_RDONLY), ENOENT);
    for (int number = 0; number < 2; number++) {
        snprintf(text, sizeof text, "/proc/self/fd/%d%s", root, secret);
        REFUSED(open(text, O_RDONLY), ENOENT);
        snprintf(text, sizeof text, "/dev/fd/%d/../../../../../../../../..%s", here, secret);
        REFUSED(open(text, O_RDONLY), ENOENT);
    }
    char before[2048], after[2048];
    WORKS(getcwd(before, sizeof before) != NULL);
    WORKS(fchdir(root) == 0 && getcwd(after, sizeof after) != NULL && !strcmp(after, "/"));
    REFUSED(open(secret + 1, O_RDONLY), ENOENT);
    WORKS(chdir("..") == 0 && getcwd(after, sizeof after) != NULL && !strcmp(after, "/"));
    REFUSED(open(secret + 1, O_RDONLY), ENOENT);
    REFUSED(chroot("/"), EPERM);
    WORKS(fchdir(here) == 0 && getcwd(after, sizeof after) != NULL && !strcmp(before, after));
    /* What hides is not in lists. */
    int seen = 0;
    char *parent = strdup(folder), *name = strrchr(parent, '/') + 1;
    name[-1] = 0;
    DIR *list = opendir(parent);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        seen += !strcmp(entry->d_name, name);
    WORKS(seen == 0);
}

static void read_only(const char *folder) {
    struct timespec times[2] = {{1, 1}, {2, 2}};
    struct timeval old_times[2] = {{1, 1}, {2, 2}};
    char file[2048], data[4];
    snprintf(file, sizeof file, "%s/file", folder);
    REFUSED(open(file, O_WRONLY), EROFS);
    REFUSED(open(file, O_RDWR), EROFS);
    REFUSED(open(file, O_RDONLY | O_TRUNC), EROFS);
    REFUSED(open(file, O_WRONLY | O_APPEND), EROFS);
    REFUSED(open(in(folder, "new"), O_CREAT | O_WRONLY, 0600), EROFS);
    REFUSED(creat(file, 0600), EROFS);
    REFUSED(access(file, W_OK), EROFS);
    REFUSED(truncate(file, 0), EROFS);
    REFUSED(unlink(file), EROFS);
    REFUSED(rmdir(in(folder, "folder")), EROFS);
    REFUSED(rename(file, "moved"), EROFS);
    REFUSED(rename("file", file), EROFS);
    REFUSED(rename(file, in(folder, "new")), EROFS);
    REFUSED(link(file, "linked"), EXDEV);
    REFUSED(link("file", in(folder, "new")), EROFS);
    REFUSED(symlink("x", in(folder, "new")), EROFS);
    REFUSED(mkdir(in(folder, "new"), 0700), EROFS);
    REFUSED(mknod(in(folder, "new"), S_IFIFO | 0600, 0), EROFS);
    REFUSED(chmod(file, 0777), EROFS);
    REFUSED(chown(file, 1, 1), EROFS);
    REFUSED(lchown(file, 1, 1), EROFS);
    REFUSED(utime(file, NULL), EROFS);
    REFUSED(utimes(file, old_times), EROFS);
    REFUSED(utimensat(AT_FDCWD, file, times, 0), EROFS);
    REFUSED(setxattr(file, "user.x", "1", 1, 0), EROFS);
    REFUSED(removexattr(file, "user.x"), EROFS);
    /* By a descriptor that is good for reading. */
    int reads = open(file, O_RDONLY);
    WORKS(reads >= 0 && read(reads, data, 4) == 4);
    REFUSED2(write(reads, "x", 1), EBADF, EBADF);
    REFUSED2(ftruncate(reads, 0), EINVAL, EBADF);
    REFUSED(fallocate(reads, 0, 0, 10000), EBADF);
    REFUSED(fchmod(reads, 0777), EROFS);
    REFUSED(fchown(reads, 1, 1), EROFS);
    REFUSED(futimens(reads, times), EROFS);
    REFUSED(fsetxattr(reads, "user.x", "1", 1, 0), EROFS);
    REFUSED(fremovexattr(reads, "user.x"), EROFS);
    REFUSED(fchownat(reads, "", 1, 1, AT_EMPTY_PATH), EROFS);
    long flags = FS_NODUMP_FL;
    REFUSED2(ioctl(reads, FS_IOC_SETFLAGS, &flags), EPERM, ENOTTY);
    snprintf(path, sizeof path, "/proc/self/fd/%d", reads);
    REFUSED(open(path, O_RDWR), EROFS);
    REFUSED(open(path, O_RDONLY | O_TRUNC), EROFS);
    REFUSED(chmod(path, 0777), EROFS);
    REFUSED(linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW), EXDEV);
    REFUSED2(linkat(reads, "", AT_FDCWD, "linked", AT_EMPTY_PATH), EXDEV, EXDEV);
    int folder_handle = open(folder, O_RDONLY);
    REFUSED(unlinkat(folder_handle, "file", 0), EROFS);
    REFUSED(openat(folder_handle, "new", O_CREAT | O_RDWR, 0600), EROFS);
    REFUSED(renameat(folder_handle, "file", AT_FDCWD, "moved"), EROFS);
    REFUSED(fchmodat(folder_handle, "file", 0777, 0), EROFS);
    /* Through mappings. */
    REFUSED(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reads, 0) == MAP_FAILED ? -1 : 0, EACCES);
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reads, 0);
    WORKS(shared != MAP_FAILED);
    REFUSED(mprotect(shared, 4096, PROT_READ | PROT_WRITE), EACCES);
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, reads, 0);
    WORKS(private != MAP_FAILED && (private[0] = 'X') == 'X');
}

/* Devices can be used, and stay what they are. */
static void devices(void) {
    int null = open("/dev/null", O_RDWR | O_TRUNC);
    WORKS(null >= 0 && write(null, "x", 1) == 1 && access("/dev/null", R_OK | W_OK) == 0);
    REFUSED(fchmod(null, 0), EROFS);
    REFUSED(chmod("/dev/null", 0), EROFS);
    REFUSED(chown("/dev/null", 1, 1), EROFS);
    REFUSED(utime("/dev/null", NULL), EROFS);
    REFUSED2(unlink("/dev/null"), EROFS, EBUSY);
    REFUSED2(rename("/dev/null", "moved"), EROFS, EBUSY);
    REFUSED(link("/dev/null", "linked"), EXDEV);
    REFUSED2(open("/dev/kmsg", O_RDONLY), ENOENT, ENOENT);
    int random = open("/dev/urandom", O_RDONLY);
    char data[8];
    WORKS(random >= 0 && read(random, data, 8) == 8);
}

/* What is kept aside: everything works, and the host's files stay as they are. */
static void aside(void) {
    char data[64] = "";
    int changes = open("file", O_RDWR);
    WORKS(changes >= 0 && read(changes, data, 4) == 4 && !memcmp(data, "file", 4));
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, changes, 0);
    WORKS(shared != MAP_FAILED);
    memcpy(shared, "FILE", 4);
    WORKS(msync(shared, 4096, MS_SYNC) == 0 && pread(changes, data, 4, 0) == 4 && !memcmp(data, "FILE", 4));
    WORKS(link("file", "second") == 0 && unlink("file") == 0 && access("file", F_OK) == -1);
    WORKS(rename("folder", "moved") == 0 && access("moved/inner", R_OK) == 0 && access("folder", F_OK) == -1);
    WORKS(unlink("link") == 0 && mkdir("folder", 0700) == 0 && access("folder/inner", F_OK) == -1);
    REFUSED(mknod("device", S_IFCHR | 0600, makedev(1, 3)), EPERM);
    REFUSED(mknod("device", S_IFBLK | 0600, makedev(254, 0)), EPERM);
    REFUSED(rename(".", "elsewhere"), EBUSY);
    REFUSED(rmdir("/tmp"), EBUSY);
}

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    setbuf(stdout, NULL);
    hidden(arguments[1]);
    around(arguments[1]);
    read_only(arguments[2]);
    devices();
    aside();
    return verdict();
}
