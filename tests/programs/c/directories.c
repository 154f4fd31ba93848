/* Directories: make, list, change, walk, remove; getcwd, realpath, glob-like matching. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>
#include "support.h"
static int visible(const struct dirent *e) { return e->d_name[0] != '.'; }
static void walk(const char *path, int depth) {
    struct dirent **entries;
    int n = scandir(path, &entries, visible, alphasort);
    for (int i = 0; i < n; i++) {
        char full[512];
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        struct stat s;
        lstat(full, &s);
        printf("%*s%s %s\n", depth * 2, "", entries[i]->d_name,
               S_ISDIR(s.st_mode)   ? "directory"
               : S_ISLNK(s.st_mode) ? "link"
                                    : "file");
        if (S_ISDIR(s.st_mode)) walk(full, depth + 1);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
}
static void touch(const char *path) {
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0) close(fd);
}

int main(void) {
    mkdir("tree", 0755);
    mkdir("tree/a", 0755);
    mkdir("tree/b", 0700);
    mkdir("tree/a/deep", 0755);
    touch("tree/one.txt");
    touch("tree/a/two.c");
    touch("tree/a/deep/three.txt");
    if (symlink("../one.txt", "tree/b/link")) return 1;
    walk("tree", 0);
    char start[1000], here[1000];
    if (!getcwd(start, sizeof start) || chdir("tree/a") || !getcwd(here, sizeof here)) return 2;
    printf("%s %d\n", here + strlen(start), access("two.c", F_OK));
    char *real = realpath("../b/link", NULL);
    printf("%s\n", real + strlen(start));
    free(real);
    if (chdir(start)) return 3;
    DIR *d = opendir("tree");
    int entries = 0;
    while (readdir(d)) entries++;
    rewinddir(d);
    while (readdir(d)) entries++;
    closedir(d);
    printf("%d %d\n", entries, fnmatch("*.t?t", "one.txt", 0));
    for (int i = 0; i < 300; i++) {
        char name[40];
        sprintf(name, "tree/b/file-with-a-long-name-%d", i);
        touch(name);
    }
    d = opendir("tree/b");
    entries = 0;
    struct dirent *e;
    uint64_t sum = 0;
    while ((e = readdir(d))) {
        entries++;
        sum += fold_bytes(0, e->d_name, strlen(e->d_name));
    }
    closedir(d);
    printf("%d %016llx\n", entries, (unsigned long long)sum);
    printf("%d %d %d\n", rmdir("tree/b") ? errno : 0, mkdir("tree", 0755) ? errno : 0,
           opendir("tree/one.txt") ? 0 : errno);
    return 0;
}
