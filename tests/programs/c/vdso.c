/* What the kernel's own library says of itself: it is found, its functions are found by name and
 * version, and they tell the time that system calls tell. Where there is none (qemu-user), nothing is missed.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#if defined(__riscv)
#define VERSION "LINUX_4.15"
#else
#define VERSION "LINUX_2.6"
#endif
#if __SIZEOF_POINTER__ == 8
#define CLOCK_CALL SYS_clock_gettime
#define CLOCK_FUNCTION "__vdso_clock_gettime"
#else
#define CLOCK_CALL SYS_clock_gettime64
#define CLOCK_FUNCTION "__vdso_clock_gettime64"
#endif

struct wide_time {
    long long seconds, nanoseconds;
};
typedef int (*clock_function)(int, struct wide_time *);

/* The address of a symbol of a version, as a C library looks for it. */
static void *look_up(ElfW(Addr) base, const char *name, const char *version) {
    const ElfW(Ehdr) *header = (const void *)base;
    const ElfW(Phdr) *segments = (const void *)(base + header->e_phoff);
    const ElfW(Dyn) *dynamic = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    const unsigned *hashes = NULL;
    const unsigned short *versions = NULL;
    const ElfW(Verdef) *definition = NULL;
    ElfW(Addr) bias = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD)
            bias = base + segments[i].p_offset - segments[i].p_vaddr;
        if (segments[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(base + segments[i].p_offset);
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        const void *at = (const void *)(bias + dynamic->d_un.d_ptr);
        switch (dynamic->d_tag) {
        case DT_SYMTAB: symbols = at; break;
        case DT_STRTAB: strings = at; break;
        case DT_HASH: hashes = at; break;
        case DT_VERSYM: versions = at; break;
        case DT_VERDEF: definition = at; break;
        }
    }
    if (!symbols || !strings || !versions || !definition)
        return NULL;
    unsigned wanted = 0;
    for (;; definition = (const void *)((const char *)definition + definition->vd_next)) {
        const ElfW(Verdaux) *named = (const void *)((const char *)definition + definition->vd_aux);
        if (!(definition->vd_flags & VER_FLG_BASE) && !strcmp(strings + named->vda_name, version))
            wanted = definition->vd_ndx;
        if (!definition->vd_next)
            break;
    }
    unsigned count = hashes ? hashes[1] : 64;
    for (unsigned i = 1; i < count; i++)
        if (!strcmp(strings + symbols[i].st_name, name) && (versions[i] & 0x7fff) == wanted)
            return (void *)(bias + symbols[i].st_value);
    return NULL;
}

int main(void) {
    ElfW(Addr) base = getauxval(AT_SYSINFO_EHDR);
    struct wide_time before, there, after;
    int good = 1;
    if (base) {
        clock_function function = (clock_function)look_up(base, CLOCK_FUNCTION, VERSION);
        good = function != NULL && !memcmp((void *)base, ELFMAG, SELFMAG);
        for (int clock = 0; good && clock < 2; clock++) {
            syscall(CLOCK_CALL, clock, &before);
            good = function(clock, &there) == 0;
            syscall(CLOCK_CALL, clock, &after);
            long long first = before.seconds * 1000000000 + before.nanoseconds;
            long long middle = there.seconds * 1000000000 + there.nanoseconds;
            long long last = after.seconds * 1000000000 + after.nanoseconds;
            good = good && first <= middle && middle <= last;
        }
    }
    printf("the library: %d\n", good);
    struct timespec now, resolution;
    struct timeval day;
    printf("clock_gettime: %d\n", clock_gettime(CLOCK_MONOTONIC, &now) == 0 && now.tv_nsec < 1000000000);
    printf("clock_getres: %d\n", clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0);
    printf("gettimeofday: %d\n", gettimeofday(&day, NULL) == 0 && day.tv_usec < 1000000);
    printf("time: %d\n", time(NULL) - day.tv_sec <= 1);
    errno = 0;
    printf("no such clock: %d %s\n", clock_gettime(77, &now), strerror(errno));
    errno = 0;
    printf("no memory: %ld %s\n", syscall(CLOCK_CALL, 0, (void *)8), strerror(errno));
    errno = 0;
    printf("code: %ld %s\n", syscall(CLOCK_CALL, 0, (void *)((unsigned long)main & -16ul)), strerror(errno));
    return 0;
}
