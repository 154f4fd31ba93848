/* Memory mapping: files private and shared, protections, remapping, fixed addresses, sync, what /proc/self/maps says.
 * qemu: 7.2 knows no MAP_FIXED_NOREPLACE and names no [heap] in its maps
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "support.h"

int main(void) {
    int fd = open("mapped.bin", O_RDWR | O_CREAT | O_TRUNC, 0600);
    uint32_t numbers[4096];
    for (uint32_t i = 0; i < 4096; i++) numbers[i] = i * 2654435761u;
    if (write(fd, numbers, sizeof numbers) != sizeof numbers) return 1;
    uint32_t *shared = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
             *private = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    printf("%08x %08x\n", shared[1000], private[4095]);
    shared[7] = 1;
    private[8] = 2;
    uint32_t back[2];
    if (pread(fd, back, 8, 28) != 8) return 2;
    printf("%u %d\n", back[0], back[1] == 8 * 2654435761u);
    uint32_t *second = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 8192);
    printf("%d\n", second[0] == 2048 * 2654435761u);
    char *area = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    printf("%d\n", mprotect(area + 4096, 8192, PROT_READ | PROT_WRITE));
    memset(area + 4096, 'x', 8192);
    mprotect(area + 8192, 4096, PROT_READ);
    int out[2];
    if (pipe(out)) return 3;
    printf("%zd %zd\n", write(out[1], area + 8192, 10), write(out[1], area, 10) < 0 ? (ssize_t)-errno : 0);
    printf("%zd\n", read(out[0], area + 8192, 10) < 0 ? (ssize_t)-errno : 0);
    char *fixed = mmap(area + 16384, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("%td %d\n", fixed - area, fixed[100]);
    void *refused = mmap(area + 16384, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("%d %d\n", refused == MAP_FAILED, errno == EEXIST);
    char *grown = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(grown, 7, 8192);
    grown = mremap(grown, 8192, 1 << 20, MREMAP_MAYMOVE);
    printf("%d %d %d\n", grown[8191], grown[8192], grown[(1 << 20) - 1]);
    grown[5000] = 9;
    madvise(grown, 8192, MADV_DONTNEED);
    printf("%d %d\n", grown[5000], grown[8192]);
    char *left = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(left, 5, 3 * 4096);
    char *taken = mremap(left + 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf("%d %d %d %d\n", left[0], left[4096], left[8192], taken[100]);
    left[4096] = 6;
    char *placed = mremap(left, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, taken);
    printf("%d %d %d\n", placed == taken, taken[0], left[0] + left[4096]);
    refused = mremap(left, 4096, 8192, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    printf("%d %d\n", refused == MAP_FAILED, errno == EINVAL);
    madvise(taken, 4096, MADV_DONTFORK);
    for (size_t size = 4096; size < 1 << 20; size *= 2) taken = mremap(taken, size, 2 * size, MREMAP_MAYMOVE);
    printf("%d %d\n", taken[4095], taken[4096]);
    int ok = munmap(area, 65536) + munmap(shared, 16384);
    printf("%d %d\n", ok, munmap((char *)private + 1, 10) ? errno : 0);
    char *brk_before = sbrk(0);
    char *brk_area = sbrk(100000);
    memset(brk_area, 3, 100000);
    printf("%d %td\n", brk_before == brk_area, (char *)sbrk(0) - brk_area);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    int has_stack = 0, has_file = 0, has_heap = 0;
    while (fgets(line, sizeof line, maps)) {
        has_stack += strstr(line, "[stack]") != NULL;
        has_file += strstr(line, "mapped.bin") != NULL;
        has_heap += strstr(line, "[heap]") != NULL;
    }
    fclose(maps);
    printf("%d %d %d\n", has_stack, has_file > 0, has_heap);
    unlink("mapped.bin");
    return 0;
}
