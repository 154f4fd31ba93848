/* Which descriptors and threads a process has, as /proc and a look at each number tell.
 * qemu: 7.2 shows its own threads and files
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "support.h"

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int list(const char *path, int *numbers, int most) {
    DIR *directory = opendir(path);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.' && count < most) numbers[count++] = atoi(entry->d_name);
    closedir(directory);
    qsort(numbers, count, sizeof *numbers, compare);
    return count;
}

static void show(const char *when) {
    int numbers[64];
    for (int i = 0; i < 2; i++) {
        int count = list(i ? "/proc/self/fdinfo" : "/proc/self/fd", numbers, 64);
        printf("%s:", when);
        for (int j = 0; j < count; j++) printf(" %d", numbers[j]);
        printf("; %d threads;", list("/proc/self/task", numbers, 64));
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int open = 0, most = limit.rlim_cur < 100000 ? (int)limit.rlim_cur : 100000;
    struct stat status;
    for (int number = 0; number < most; number++) open += !fstat(number, &status);
    printf(" %d found\n", open);
    fflush(stdout);
}

static void *thread(void *argument) {
    show("with another thread");
    return argument;
}

int main(void) {
    show("first");
    int ends[2];
    if (pipe(ends)) return 1;
    int high = fcntl(ends[0], F_DUPFD_CLOEXEC, 40);
    show("with a pipe");
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        close(high);
        show("in a child");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 45;
    setrlimit(RLIMIT_NOFILE, &limit);
    int opened = 0;
    while (open("/dev/null", O_RDONLY) >= 0) opened++;
    printf("%d more, then %d\n", opened, errno);
    close(10);
    child = fork();
    if (!child) _exit(0);
    waitpid(child, NULL, 0);
    close(11);
    show("under a limit");
    for (int i = 0; i < 3; i++) {
        child = vfork();
        if (!child) _exit(0);
        waitpid(child, NULL, 0);
    }
    limit.rlim_cur = 70;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (open("/dev/null", O_RDONLY) >= 0) opened++;
    int closed = 0;
    for (int number = 3; number < 70; number++) closed += !close(number);
    printf("%d more, %d closed\n", opened, closed);
    return 0;
}
