#include "cases.h"

static char *pages(size_t count) {
    return mmap(NULL, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
#define MAP(...) (mmap(__VA_ARGS__) == MAP_FAILED ? -1L : 0L)

CASE(bad_maps) {
    SHOW(MAP(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), SHOW(MAP(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SHOW(MAP(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0)), SHOW(MAP(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 5));
    SHOW(MAP((void *)5, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)), SHOW(MAP(NULL, -4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SHOW(MAP(NULL, 4096, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0));
    int file = open("f", O_CREAT | O_WRONLY, 0600);
    SHOW(MAP(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0)), file = open("f", O_RDONLY);
    SHOW(MAP(NULL, 4096, PROT_WRITE, MAP_SHARED, file, 0)), SHOW(MAP(NULL, 4096, PROT_WRITE, MAP_PRIVATE, file, 0));
    SHOW(MAP(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | 0x8000000, file, 0));
    char *page = pages(1);
    SHOW(MAP(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
}
CASE(unmapping) {
    char *some = pages(4);
    SHOW(munmap(some + 4096, 4096)), SHOW(munmap(some + 4096, 4096)), SHOW(munmap(some + 1, 4096)), SHOW(munmap(some, 0));
    SHOW(msync(some, 4096, MS_SYNC)), SHOW(msync(some, 8192, MS_SYNC)), SHOW(msync(some, 4096, 77)), SHOW(msync(some + 1, 4096, MS_ASYNC));
    SHOW(mprotect(some, 8192, PROT_READ)), SHOW(mprotect(some + 1, 1, PROT_READ)), SHOW(mprotect(some, 4096, 0x88)), SHOW(mprotect(some, 0, PROT_READ));
    unsigned char present[4];
    SHOW(mincore(some, 4096, present)), SHOW(mincore(some, 8192, present)), SHOW(mincore(some + 1, 10, present)), SHOW(mincore(some, 4096, (void *)8));
}
CASE(moving) {
    char *some = pages(4);
    strcpy(some, "moved");
    char *more = mremap(some, 4 * 4096, 8 * 4096, MREMAP_MAYMOVE);
    puts(more), more[8 * 4096 - 1] = 1;
    SHOW(mremap(more, 8 * 4096, 2 * 4096, 0) == more), SHOW(msync(more + 2 * 4096, 4096, MS_SYNC));
    SHOW((long)mremap(more, 0, 4096, MREMAP_MAYMOVE)), SHOW((long)mremap(more + 1, 4096, 4096, 0)), SHOW((long)mremap(more, 4096, 0, 0));
    SHOW((long)mremap(more, 4096, 8192, 77)), SHOW((long)mremap((void *)4096, 4096, 8192, MREMAP_MAYMOVE));
    char *target = pages(2);
    SHOW(mremap(more, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target), puts(target);
    SHOW((long)mremap(target, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, target + 4096)), SHOW((long)mremap(target, 8192, 8192, MREMAP_FIXED, more));
}
CASE(advice) {
    char *some = pages(2);
    strcpy(some, "x");
    SHOW(madvise(some, 4096, MADV_DONTNEED)), SHOW(some[0]), SHOW(madvise(some + 1, 4096, MADV_DONTNEED)), SHOW(madvise(some, 4096, 9999));
    SHOW(madvise(some, 4096, MADV_NORMAL)), SHOW(madvise(some, 4096, MADV_WILLNEED)), SHOW(madvise(some, 0, MADV_DONTNEED));
    munmap(some + 4096, 4096);
    SHOW(madvise(some, 8192, MADV_DONTNEED)), SHOW(madvise(some, 4096, MADV_WIPEONFORK)), strcpy(some, "y");
    if (fork() == 0)
        SHOW(some[0]), _exit(0);
    wait(NULL);
    SHOW(madvise(some, 4096, MADV_DONTFORK));
}
CASE(heap) {
    char *before = sbrk(0);
    SHOW(sbrk(8192) == before), before[8191] = 1, SHOW(brk(before + 4096)), SHOW(sbrk(0) == before + 4096);
    SHOW(msync((void *)(((long)before + 8191) & ~4095L), 4096, MS_SYNC)), SHOW(brk((void *)8)), SHOW(sbrk(0) == before + 4096), SHOW(brk(before));
}
CASE(files) {
    int file = open("f", O_CREAT | O_RDWR, 0600);
    (void)!write(file, "hello", 5);
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), data[8] = "";
    close(file), shared[0] = 'H', puts(own), own[1] = 'E', shared[2] = 'L', puts(own), puts(shared);
    file = open("f", O_RDWR);
    SHOW(read(file, data, 8)), puts(data), SHOW(pwrite(file, "J", 1, 0)), puts(shared), SHOW(ftruncate(file, 0));
    if (fork() == 0)
        SHOW(shared[0]);
    int status;
    wait(&status), SHOW(WTERMSIG(status));
}
CASE(sharing) {
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *own = (int *)pages(1);
    if (fork() == 0)
        shared[0] = own[0] = 5, _exit(0);
    wait(NULL);
    SHOW(shared[0]), SHOW(own[0]);
}
CASE(locking) {
    char *some = pages(1);
    SHOW(mlock(some, 4096)), SHOW(munlock(some, 4096)), munmap(some, 4096), SHOW(mlock(some, 4096)), SHOW(munlock(some, 4096)), SHOW(mlockall(77)), SHOW(munlockall());
}
