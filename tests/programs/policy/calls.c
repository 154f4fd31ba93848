/* Calls that change the system, or reach around what is asked elsewhere. */
#include "escape.h"
#include <sys/time.h>
#include <time.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define NOT_FOR_GUESTS(...) REFUSED2(syscall(__VA_ARGS__), EPERM, ENOSYS)

int main(void) {
    char area[4096] = "";
    struct timespec time = {1, 1};
    setbuf(stdout, NULL);
    NOT_FOR_GUESTS(SYS_perf_event_open, area, 0, -1, -1, 0);
    NOT_FOR_GUESTS(SYS_bpf, 0, area, 64);
    NOT_FOR_GUESTS(SYS_keyctl, 0, -1, 0, 0, 0);
    NOT_FOR_GUESTS(SYS_add_key, "user", "x", "x", 1, -3);
    NOT_FOR_GUESTS(SYS_request_key, "user", "x", "x", -3);
    NOT_FOR_GUESTS(SYS_io_uring_setup, 8, area);
    NOT_FOR_GUESTS(SYS_io_setup, 8, area);
    NOT_FOR_GUESTS(SYS_userfaultfd, 0);
    NOT_FOR_GUESTS(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
    NOT_FOR_GUESTS(SYS_umount2, "/proc", 2);
    NOT_FOR_GUESTS(SYS_pivot_root, ".", ".");
    NOT_FOR_GUESTS(SYS_chroot, ".");
    NOT_FOR_GUESTS(SYS_unshare, 0x10000000);
    NOT_FOR_GUESTS(SYS_setns, 0, 0);
    NOT_FOR_GUESTS(SYS_init_module, area, 10, "");
    NOT_FOR_GUESTS(SYS_finit_module, 0, "", 0);
    NOT_FOR_GUESTS(SYS_delete_module, "x", 0);
    NOT_FOR_GUESTS(SYS_kexec_load, 0, 0, area, 0);
    NOT_FOR_GUESTS(SYS_reboot, 0xFEE1DEAD, 672274793, 0, NULL);
    NOT_FOR_GUESTS(SYS_sethostname, "x", 1);
    NOT_FOR_GUESTS(SYS_setdomainname, "x", 1);
    NOT_FOR_GUESTS(SYS_clock_settime, CLOCK_REALTIME, &time);
    NOT_FOR_GUESTS(SYS_settimeofday, area, NULL);
    NOT_FOR_GUESTS(SYS_adjtimex, area);
    NOT_FOR_GUESTS(SYS_swapon, "/dev/null", 0);
    NOT_FOR_GUESTS(SYS_acct, "file");
    NOT_FOR_GUESTS(SYS_quotactl, 0, "/", 0, NULL);
    NOT_FOR_GUESTS(SYS_open_by_handle_at, 0, area, 0);
    NOT_FOR_GUESTS(SYS_name_to_handle_at, -100, "/", area, area, 0);
    NOT_FOR_GUESTS(SYS_fanotify_init, 0, 0);
    NOT_FOR_GUESTS(SYS_pidfd_getfd, 0, 0, 0);
    NOT_FOR_GUESTS(SYS_kcmp, getpid(), getppid(), 0, 0, 0);
    NOT_FOR_GUESTS(SYS_syslog, 3, area, 100);
    NOT_FOR_GUESTS(SYS_seccomp, 1, 0, area);
    NOT_FOR_GUESTS(SYS_capset, area, area + 64);
    NOT_FOR_GUESTS(SYS_ioprio_set, 1, 0, 1 << 13);
    NOT_FOR_GUESTS(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0);
    NOT_FOR_GUESTS(SYS_migrate_pages, 0, 0, NULL, NULL);
    NOT_FOR_GUESTS(SYS_lookup_dcookie, 0, area, 100);
    NOT_FOR_GUESTS(SYS_vhangup);
#ifdef SYS_iopl
    NOT_FOR_GUESTS(SYS_iopl, 3);
    NOT_FOR_GUESTS(SYS_ioperm, 0x60, 4, 1);
    NOT_FOR_GUESTS(SYS_modify_ldt, 1, area, 16);
#endif
    /* And those that there are none of. */
    for (int number = 460; number < 1100; number++)
        NOT_FOR_GUESTS(number, area, area, area, area, area, area);
    return verdict();
}
