/* How much there may be of memory, of open files, of a file's bytes, and of time. The arguments are the first three. */
#include "escape.h"
#include <sys/resource.h>

static volatile int told;

static void tell(int number) {
    (void)number;
    told = 1;
}

int main(int count, char **arguments) {
    if (count != 4)
        return 2;
    long memory = atol(arguments[1]), files = atol(arguments[2]), size = atol(arguments[3]);
    struct rlimit limit;
    WORKS(getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_max == (rlim_t)memory);
    WORKS(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max == (rlim_t)files);
    limit.rlim_cur = limit.rlim_max = files + 1;
    REFUSED(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    WORKS(getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == (rlim_t)size);
    limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
    REFUSED(setrlimit(RLIMIT_FSIZE, &limit), EPERM);

    REFUSED(mmap(NULL, memory, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0, ENOMEM);
    void *half = mmap(NULL, memory / 2, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    WORKS(half != MAP_FAILED);
    REFUSED(mremap(half, memory / 2, memory, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0, ENOMEM);
    WORKS(sbrk(memory) == (void *)-1);
    WORKS(munmap(half, memory / 2) == 0);

    int last = -1, opened = 0, next;
    while ((next = opened % 2 ? dup(0) : open(".", O_RDONLY)) >= 0)
        last = next, opened++;
    REFUSED(dup(0), EMFILE);
    WORKS(opened == files - 3 && last == files - 1);
    int ends[2];
    REFUSED(pipe(ends), EMFILE);
    for (int number = 3; number <= last; number++)
        close(number);

    signal(SIGXFSZ, SIG_IGN);
    int file = open("large", O_CREAT | O_RDWR, 0600);
    WORKS(file >= 0 && ftruncate(file, size) == 0);
    REFUSED(pwrite(file, "x", 1, size), EFBIG);
    signal(SIGXCPU, tell);
    int status = verdict();
    while (!told)
        ;
    puts("it was told of its time");
    fflush(stdout);
    for (;;)
        ;
    return status;
}
