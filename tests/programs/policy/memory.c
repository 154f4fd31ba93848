/* Memory of others, and of the process that the guest lives in. The argument is another process's id. */
#include "escape.h"
#include <sys/ptrace.h>
#include <sys/uio.h>

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    setbuf(stdout, NULL);
    int victim = atoi(arguments[1]);
    char text[256], data[16] = "";
    for (const char *const *name = (const char *const[]){
             "mem", "pagemap", "map_files", "ns", "ns/mnt", "syscall", "stack", "attr", "clear_refs", "smaps", "uid_map",
             "setgroups", "timers", "mem/", NULL}; *name; name++) {
        snprintf(text, sizeof text, "/proc/self/%s", *name);
        REFUSED(open(text, O_RDONLY), ENOENT);
        snprintf(text, sizeof text, "/proc/%d/%s", getpid(), *name);
        REFUSED(open(text, O_RDONLY), ENOENT);
        snprintf(text, sizeof text, "/proc/self/task/%d/%s", getpid(), *name);
        REFUSED(open(text, O_RDONLY), ENOENT);
        snprintf(text, sizeof text, "/proc/%d/%s", victim, *name);
        REFUSED(open(text, O_RDONLY), ENOENT);
    }
    for (const char *const *name = (const char *const[]){
             "", "/environ", "/maps", "/fd", "/fd/0", "/cwd", "/root", "/exe", "/status", "/cmdline", "/io", NULL};
         *name; name++) {
        snprintf(text, sizeof text, "/proc/%d%s", victim, *name);
        REFUSED(open(text, O_RDONLY), ENOENT);
        snprintf(text, sizeof text, "/proc/%d%s", getppid(), *name);
        REFUSED(open(text, O_RDONLY), ENOENT);
    }
    REFUSED(open("/proc/self/comm", O_WRONLY), EROFS);
    REFUSED(open("/proc/self/oom_score_adj", O_WRONLY), EROFS);
    REFUSED(open("/proc/sysrq-trigger", O_WRONLY), ENOENT);
    REFUSED(open("/proc/kcore", O_RDONLY), ENOENT);
    REFUSED(open("/proc/kmsg", O_RDONLY), ENOENT);
    REFUSED(open("/proc/kallsyms", O_RDONLY), ENOENT);
    REFUSED(open("/proc/sys/kernel/core_pattern", O_RDWR), ENOENT);
    REFUSED(open("/proc/sys/kernel/hostname", O_RDWR), ENOENT);
    REFUSED(open("/dev/mem", O_RDONLY), ENOENT);
    REFUSED(open("/dev/kmsg", O_RDONLY), ENOENT);

    struct iovec here = {data, 8}, there = {(void *)0x400000, 8};
    REFUSED(process_vm_readv(victim, &here, 1, &there, 1, 0), ESRCH);
    REFUSED(process_vm_writev(victim, &here, 1, &there, 1, 0), ESRCH);
    there.iov_base = (void *)8; /* its own memory is its own, and nothing is there */
    REFUSED(process_vm_readv(getpid(), &here, 1, &there, 1, 0), EFAULT);
    REFUSED(process_vm_writev(getpid(), &here, 1, &there, 1, 0), EFAULT);
    there.iov_base = (void *)(1L << (sizeof(long) == 8 ? 46 : 31));
    REFUSED(process_vm_readv(getpid(), &here, 1, &there, 1, 0), EFAULT);
    REFUSED(ptrace(PTRACE_TRACEME, 0, 0, 0), EPERM);
    REFUSED(ptrace(PTRACE_ATTACH, victim, 0, 0), EPERM);
    REFUSED(ptrace(PTRACE_SEIZE, getppid(), 0, 0), EPERM);
    REFUSED2(syscall(SYS_process_madvise, 3, &there, 1, MADV_DONTNEED, 0), ENOSYS, EBADF);

    /* Addresses that are none of the guest's. */
    const int narrow = sizeof(void *) == 4;
    for (int bit = narrow ? 31 : 46; bit < (narrow ? 32 : 64); bit++) {
        /* From where nothing is mapped on; in 32 bits, that is the last two pages. */
        void *far = (void *)(narrow ? ~4095UL : (unsigned long)1 << bit);
        REFUSED2(mmap(far, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0,
                 ENOMEM, EINVAL);
        REFUSED2(munmap(far, 4096), EINVAL, ENOMEM);
        REFUSED2(mprotect(far, 4096, PROT_READ | PROT_WRITE), ENOMEM, EINVAL);
        REFUSED2(madvise(far, 4096, MADV_DONTNEED), ENOMEM, EINVAL);
        REFUSED(write(1, far, 16), EFAULT);
        REFUSED(getcwd(far, 100) == NULL ? -1 : 0, EFAULT);
        REFUSED(readlink("/proc/self/exe", far, 100), EFAULT);
        REFUSED(open(far, O_RDONLY), EFAULT);
    }
    /* The maps that it is shown are its own. */
    FILE *maps = fopen("/proc/self/maps", "r");
    WORKS(maps != NULL);
    unsigned long begin, end;
    int lines = 0, outside = 0;
    char line[4096];
    while (maps != NULL && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx", &begin, &end) == 2)
            lines++, outside += end > (narrow ? ~0xFFFUL : 1ULL << 46);
    WORKS(lines > 3 && outside == 0);
    return verdict();
}
