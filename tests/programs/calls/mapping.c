#include "cases.h"
#include <sys/resource.h>
#include <sys/uio.h>

static char *pages(size_t count) {
    return mmap(NULL, count * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static int file_of(size_t size) {
    int file = open("f", O_CREAT | O_RDWR | O_TRUNC, 0600);
    (void)!ftruncate(file, size);
    for (size_t at = 0; at < size; at += 4096)
        (void)!pwrite(file, (char[]){'a' + at / 4096}, 1, at);
    return file;
}
/* The error of a call that gives an address, or whether that is the one expected. */
#define PLACE(call, at) SHOW(({ char *got_ = (char *)(call); got_ == MAP_FAILED ? -1L : got_ == (char *)(at) ? 0L : 1L; }))

CASE(growing) {
    char *some = pages(8);
    munmap(some + 4 * 4096, 4 * 4096), strcpy(some, "grows"), some[4 * 4096 - 1] = 'e';
    PLACE(mremap(some, 4 * 4096, 6 * 4096, 0), some), SHOW(some[4 * 4096 - 1]), SHOW(some[5 * 4096]), PLACE(mremap(some, 6 * 4096, 6 * 4096, 0), some), PLACE(mremap(some, 6 * 4096, 3 * 4096, 0), some), SHOW(msync(some + 3 * 4096, 4096, MS_ASYNC)), PLACE(mremap(some, 3 * 4096 - 5, 3 * 4096 - 9, 0), some);
    char *wall = mmap(some + 3 * 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    PLACE(mremap(some, 3 * 4096, 4 * 4096, 0), some);
    char *away = mremap(some, 3 * 4096, 4 * 4096, MREMAP_MAYMOVE);
    SHOW(away != some), puts(away), SHOW(msync(some, 4096, MS_ASYNC)), SHOW(msync(wall, 4096, MS_ASYNC)), PLACE(mremap(wall, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, wall), wall), PLACE(mremap(wall - 4096, 8192, 4096, MREMAP_MAYMOVE), wall);
}
CASE(moving_over) {
    char *from = pages(3), *to = pages(5);
    strcpy(from + 4096, "second"), strcpy(to, "stays"), strcpy(to + 4 * 4096, "stays too");
    PLACE(mremap(from, 3 * 4096, 3 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4096), to + 4096), puts(to), puts(to + 2 * 4096), puts(to + 4 * 4096), SHOW(msync(from, 4096, MS_ASYNC)), to[4096] = 'x';
    char *shrunk = pages(4), *there = pages(2);
    strcpy(shrunk, "moved and shrunk"), PLACE(mremap(shrunk, 4 * 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, there), there), puts(there), SHOW(msync(shrunk + 4096, 4096, MS_ASYNC)), SHOW(msync(shrunk, 4096, MS_ASYNC));
    PLACE(mremap(there, 4096, 4096, MREMAP_FIXED, shrunk), shrunk), PLACE(mremap(there, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, shrunk + 1), shrunk), PLACE(mremap(there, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, there + 4096), there);
}
CASE(leaving_behind) {
    char *from = pages(2), *to;
    strcpy(from, "gone"), to = mremap(from, 8192, 8192, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    SHOW(to != MAP_FAILED && to != from), puts(to), SHOW(from[0]), from[0] = 'x', PLACE(mremap(from, 8192, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), from), PLACE(mremap(from, 8192, 8192, MREMAP_DONTUNMAP, NULL), from);
    int file = file_of(8192);
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), *again;
    again = mremap(shared, 0, 8192, MREMAP_MAYMOVE), SHOW(again != MAP_FAILED && again != shared);
    if (again != MAP_FAILED)
        again[5] = 'Z', SHOW(shared[5]), SHOW(again[4096]);
    PLACE(mremap(from, 0, 4096, MREMAP_MAYMOVE), from);
}
CASE(growing_files) {
    int file = file_of(4 * 4096);
    char *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 4096), *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    own[1] = 'x', own = mremap(own, 4096, 2 * 4096, MREMAP_MAYMOVE), SHOW(own[0]), SHOW(own[1]), SHOW(own[4096]), shared[1] = 'y', shared = mremap(shared, 4096, 4 * 4096, MREMAP_MAYMOVE), SHOW(shared[0]), SHOW(shared[1]), SHOW(shared[3 * 4096]), shared[3 * 4096] = 'w';
    char byte;
    SHOW(pread(file, &byte, 1, 3 * 4096)), SHOW(byte), SHOW(ftruncate(file, 2 * 4096)), SHOW(msync(shared, 4 * 4096, MS_SYNC));
    if (fork() == 0)
        byte = *(volatile char *)(shared + 2 * 4096);
    int status;
    wait(&status), SHOW(WTERMSIG(status)), SHOW(read(file, shared + 3 * 4096, 10)), SHOW(write(file, shared + 3 * 4096, 10)), SHOW(write(file, shared + 2 * 4096 - 2, 4));
}
CASE(protecting) {
    char *some = pages(6);
    munmap(some + 3 * 4096, 4096);
    SHOW(mprotect(some + 4096, 4 * 4096, PROT_READ)), SHOW(read(open("/dev/zero", O_RDONLY), some + 4096, 4)), SHOW(read(open("/dev/zero", O_RDONLY), some + 4 * 4096, 4)), SHOW(mprotect(some, 100, PROT_READ | PROT_WRITE)), SHOW(mprotect(some + 3 * 4096, 4096, PROT_READ)), SHOW(mprotect(some, 4096, PROT_GROWSDOWN | PROT_READ)), SHOW(mprotect(some, 4096, PROT_GROWSDOWN | PROT_GROWSUP)), SHOW(mprotect(some, 4096, 0x10)), SHOW(mprotect(some + 1, 0, PROT_READ)), SHOW(mprotect(some, 4096, PROT_NONE)), SHOW(write(open("f", O_CREAT | O_WRONLY, 0600), some, 1)), SHOW(mprotect(some, 4096, PROT_WRITE)), SHOW(write(open("f", O_CREAT | O_WRONLY, 0600), some, 1));
    int file = open("f", O_RDONLY);
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0), *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
    SHOW(mprotect(shared, 4096, PROT_READ | PROT_WRITE)), SHOW(mprotect(own, 4096, PROT_READ | PROT_WRITE)), SHOW(mprotect(shared, 4096, PROT_NONE));
}
CASE(advising) {
    char *some = pages(6);
    int file = file_of(8192), advice[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, 99, -1};
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), *own = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), *locked = mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("f", O_RDONLY), 0);
    munmap(some + 2 * 4096, 4096);
    for (unsigned index = 0; index < sizeof advice / sizeof *advice; index++) {
        printf("advice %d\n", advice[index]), SHOW(madvise(some, 4096, advice[index])), SHOW(madvise(some + 4096, 3 * 4096, advice[index])), SHOW(madvise(some + 2 * 4096, 4096, advice[index])), SHOW(madvise(shared, 8192, advice[index]) == 0 || errno == EOPNOTSUPP), SHOW(madvise(some + 1, 4096, advice[index])), SHOW(madvise(some, 0, advice[index])), SHOW(madvise(some, -1, advice[index]));
        if (advice[index] == MADV_DONTNEED)
            shared[1] = 'k', own[1] = 'k', SHOW(madvise(own, 8192, MADV_DONTNEED)), SHOW(own[1]), SHOW(madvise(shared, 8192, MADV_DONTNEED)), SHOW(shared[1]);
    }
    some[0] = some[3 * 4096] = 1, SHOW(madvise(some, 6 * 4096, MADV_DONTNEED)), SHOW(some[0]), SHOW(some[3 * 4096]), SHOW(madvise(locked, 4096, MADV_WIPEONFORK)), SHOW(madvise(locked, 4096, MADV_FREE)), SHOW(madvise(own, 4096, MADV_FREE));
}
CASE(presence) {
    char *some = pages(4), *shared = mmap(NULL, 8192, PROT_READ, MAP_SHARED, file_of(8192), 0);
    unsigned char present[4] = {9, 9, 9, 9};
    some[4096] = 1, SHOW(mincore(some, 4 * 4096, present)), printf("%d%d%d%d\n", present[0] & 1, present[1] & 1, present[2] & 1, present[3] & 1), SHOW(mincore(some, 1, present)), SHOW(mincore(shared, 8192, present)), printf("%d%d\n", present[0] & 1, present[1] & 1), SHOW(mincore(some, 0, present)), munmap(some + 4096, 4096), SHOW(mincore(some, 3 * 4096, present)), SHOW(mincore(some, -1, present));
}
CASE(syncing) {
    char *some = pages(3), *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file_of(8192), 0);
    SHOW(msync(shared, 8192, MS_SYNC)), SHOW(msync(shared, 8192, MS_ASYNC | MS_INVALIDATE)), SHOW(msync(shared, 8192, MS_SYNC | MS_ASYNC)), SHOW(msync(shared, 8192, 0)), SHOW(msync(shared, 8192, 8)), SHOW(msync(shared, 100, MS_SYNC)), SHOW(msync(shared, 0, MS_SYNC)), SHOW(msync(shared + 5, 0, MS_SYNC)), munmap(some + 4096, 4096), SHOW(msync(some, 3 * 4096, MS_SYNC)), SHOW(msync(some + 4096, 4096, 99)), SHOW(msync(some + 4096, 4096, MS_ASYNC));
}
CASE(locking_more) {
    char *some = pages(4);
    SHOW(syscall(SYS_mlock2, some, 4096, 0)), SHOW(syscall(SYS_mlock2, some, 4096, 1)), SHOW(syscall(SYS_mlock2, some, 4096, 2)), SHOW(mlock(some + 1, 4096)), SHOW(mlock(some, 0)), SHOW(mlock(some, -1)), SHOW(munlock(some, 4 * 4096)), munmap(some + 4096, 4096), SHOW(mlock(some, 3 * 4096)), SHOW(munlock(some, 3 * 4096)), SHOW(mlock(some + 4096, 1)), SHOW(mlockall(0)), SHOW(mlockall(MCL_ONFAULT)), SHOW(mlockall(8)), SHOW(munlockall());
}
CASE(kinds_of_maps) {
    int file = file_of(8192);
    char *some = pages(2);
    PLACE(mmap(some, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), some), munmap(some, 4096), PLACE(mmap(some, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), some), munmap(some, 4096), PLACE(mmap(some, 100, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), some), PLACE(mmap(some, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 4096), some), SHOW(some[0]), PLACE(mmap(some + 5, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), some);
    TELL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK | MAP_NORESERVE, -1, 0)), TELL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, 77, 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("/dev/zero", O_RDWR), 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open("/dev/null", O_RDWR), 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open("f", O_PATH), 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open("/proc/self/limits", O_RDONLY), 0));
    TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE, file, 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_PRIVATE | 8, file, 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 8192)), TELL(mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE, file, 0)), TELL(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, 99, 0)), TELL(mmap(NULL, 4096, PROT_READ, 0, file, 0)), TELL(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, open("f", O_WRONLY), 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("f", O_RDWR | O_APPEND), 0));
}
CASE(memory_of_a_file) {
    int file = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC), plain = memfd_create("plain", 0);
    char name[300];
    SHOW(fcntl(file, F_GETFD)), SHOW(fcntl(plain, F_GET_SEALS)), SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE)), SHOW(ftruncate(file, 8192));
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    shared[0] = 'm', SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)), SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)), SHOW(pwrite(file, "x", 1, 0)), shared[1] = 'n', TELL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)), TELL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0)), TELL(mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0)), SHOW(munmap(shared, 8192)), SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK)), SHOW(ftruncate(file, 4096)), SHOW(ftruncate(file, 3 * 4096)), SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_GROW)), SHOW(ftruncate(file, 4 * 4096)), SHOW(fallocate(file, 0, 0, 1 << 20)), SHOW(fcntl(file, F_ADD_SEALS, 0x40000)), SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL)), SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)), SHOW(fcntl(file, F_GET_SEALS));
    memset(name, 'n', 299), name[299] = 0, SHOW(memfd_create(name, 0)), name[249] = 0, SHOW(memfd_create(name, 0) > 0), SHOW(memfd_create("", 0) > 0), SHOW(memfd_create("a/b", 0) > 0), SHOW(memfd_create("x", 1 << 20)), SHOW(memfd_create("x", 0x8) > 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", plain), (void)!readlink(name, name, sizeof name), printf("%.14s\n", name);
}
CASE(own_memory) {
    char text[] = "from here", data[16] = "", *some = pages(2);
    munmap(some + 4096, 4096);
    SHOW(process_vm_readv(getpid(), &(struct iovec){data, 9}, 1, &(struct iovec){text, 9}, 1, 0)), puts(data), SHOW(process_vm_writev(getpid(), (struct iovec[]){{"ab", 2}, {"cd", 2}}, 2, (struct iovec[]){{text, 3}, {text + 5, 4}}, 2, 0)), puts(text), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 16}, 1, &(struct iovec){some + 4090, 16}, 1, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 16}, 1, (struct iovec[]){{text, 4}, {(void *)8, 4}}, 2, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 16}, 1, &(struct iovec){(void *)8, 4}, 1, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){(void *)8, 16}, 1, &(struct iovec){text, 4}, 1, 0)), SHOW(process_vm_readv(getpid(), NULL, 0, NULL, 0, 0)), SHOW(process_vm_readv(getpid(), (void *)8, 1, &(struct iovec){text, 4}, 1, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 4}, 1, (void *)8, 1, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 4}, 1, &(struct iovec){text, 4}, 1, 7)), SHOW(process_vm_readv(1 << 22, &(struct iovec){data, 4}, 1, &(struct iovec){text, 4}, 1, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 4}, 2000, &(struct iovec){text, 4}, 1, 0)), mprotect(some, 4096, PROT_READ), SHOW(process_vm_writev(getpid(), &(struct iovec){data, 4}, 1, &(struct iovec){some, 4}, 1, 0)), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 2}, 1, &(struct iovec){text, 9}, 1, 0)), mprotect(some, 4096, PROT_NONE), SHOW(process_vm_readv(getpid(), &(struct iovec){data, 2}, 1, &(struct iovec){some, 2}, 1, 0));
}
