"""What system calls of confined processes name beyond their own memory, as far as no handler of its own looks at it.

A word for each argument: `fd` is a descriptor, which must be the guest's; `pid` a process or thread, which must be one
of its own, or 0; `.` anything else. Behind an arrow stands `fd` where the result is a new descriptor. Calls that are
named nowhere are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOTHING: Final = _names(
    """
    alarm arch_prctl capget clock_getres clock_gettime clock_nanosleep execve execveat exit exit_group futex
    get_robust_list getcpu getegid geteuid getgid getgroups getitimer getpid getpgrp getppid getrandom getresgid
    getresuid getrusage gettid gettimeofday getuid madvise membarrier mincore mlock mlock2 mlockall mprotect msync
    munlock munlockall munmap nanosleep pause personality poll ppoll pselect6 riscv_flush_icache rt_sigaction
    rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_get_priority_max
    sched_get_priority_min sched_yield select set_robust_list set_tid_address setitimer setsid sigaltstack sync
    sysinfo time timer_create timer_delete timer_getoverrun timer_gettime timer_settime times umask uname wait4
    waitid ptrace reboot kexec_load kexec_file_load init_module finit_module delete_module iopl ioperm
    """
)
"""Calls that reach nothing beyond the process, or are refused to all guests."""

REFUSED: Final = _names(
    """
    acct adjtimex capset chroot clock_adjtime clock_settime ioprio_set kcmp mount mq_getsetattr mq_notify mq_open
    mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd name_to_handle_at open_by_handle_at pidfd_getfd
    sched_setattr semctl semget semop semtimedop setdomainname setgroups sethostname setns settimeofday shmat shmctl
    shmdt shmget swapoff swapon syslog umount2 vhangup
    """
)
"""Calls that change what belongs to others, or share what has no owner among processes: EPERM."""

NAMES: Final[Mapping[str, str]] = {
    "copy_file_range": "fd . fd . . .", "dup": "fd -> fd", "epoll_create": ". -> fd",
    "epoll_create1": ". -> fd", "epoll_ctl": "fd . fd .", "epoll_pwait": "fd . . . . .", "epoll_pwait2": "fd . . . . .",
    "epoll_wait": "fd . . .", "eventfd": ". -> fd", "eventfd2": ". . -> fd", "fadvise64": "fd . . .",
    "fallocate": "fd . . .", "fdatasync": "fd", "fgetxattr": "fd . . .", "flistxattr": "fd . .", "flock": "fd .",
    "fstat": "fd .", "fstatfs": "fd .", "fsync": "fd", "ftruncate": "fd .", "getpgid": "pid", "getsid": "pid",
    "inotify_init": "-> fd", "inotify_init1": ". -> fd", "inotify_rm_watch": "fd .", "ioprio_get": ". pid",
    "memfd_create": ". . -> fd", "pidfd_open": "pid . -> fd", "pidfd_send_signal": "fd . . .", "pread64": "fd . . .",
    "process_vm_readv": "pid . . . . .", "process_vm_writev": "pid . . . . .",
    "preadv": "fd . . . .", "preadv2": "fd . . . . .", "pwrite64": "fd . . .", "pwritev": "fd . . . .",
    "pwritev2": "fd . . . . .", "read": "fd . .", "readahead": "fd . .", "readv": "fd . .",
    "sched_getaffinity": "pid . .", "sched_getattr": "pid . . .", "sched_getparam": "pid .",
    "sched_getscheduler": "pid", "sched_rr_get_interval": "pid .", "sched_setaffinity": "pid . .",
    "sched_setparam": "pid .", "sendfile": "fd fd . .", "setpgid": "pid pid", "signalfd": "fd? . . -> fd",
    "signalfd4": "fd? . . . -> fd", "splice": "fd . fd . . .", "sync_file_range": "fd . . .", "syncfs": "fd",
    "tee": "fd fd . .", "vmsplice": "fd . . .",
    "timerfd_create": ". . -> fd", "timerfd_gettime": "fd .", "timerfd_settime": "fd . . .",
    "write": "fd . .", "writev": "fd . .",
    "accept": "fd . . -> fd", "accept4": "fd . . . -> fd", "getsockopt": "fd . . . .",
    "recvfrom": "fd . . . . .", "setsockopt": "fd . . . .", "shutdown": "fd .",
}  # fmt: skip
"""Calls that are as all others' once these are the guest's. `fd?` may be -1 too."""

COMPAT_NOTHING: Final = _names(
    """
    _newselect arch_prctl clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
    clock_nanosleep_time64 futex futex_time64 get_thread_area getegid geteuid getgid getgroups getitimer getresgid
    getresuid getrusage gettimeofday getuid nanosleep ppoll
    ppoll_time64 pselect6 pselect6_time64 rt_sigaction rt_sigtimedwait rt_sigtimedwait_time64 select set_thread_area
    setitimer sigaction sigaltstack signal sigpending sigprocmask sigreturn sigsuspend sysinfo time timer_create
    timer_gettime timer_gettime64 timer_settime timer_settime64 times wait4 waitid waitpid
    """
)
COMPAT_REFUSED: Final = _names(
    """
    adjtimex clock_adjtime clock_settime clock_settime64 ipc mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 msgctl msgrcv msgsnd nice semctl semtimedop_time64 setgroups
    settimeofday shmctl
    """
)
COMPAT_NAMES: Final[Mapping[str, str]] = {
    "fadvise64": "fd . . . .", "fadvise64_64": "fd . . . . .", "fallocate": "fd . . . . .", "fstat": "fd .",
    "fstat64": "fd .", "fstatfs": "fd .", "fstatfs64": "fd . .", "ftruncate": "fd .", "ftruncate64": "fd . .",
    "getsockopt": "fd . . . .", "pread64": "fd . . . .", "preadv": "fd . . . .", "preadv2": "fd . . . . .",
    "pwrite64": "fd . . . .", "pwritev": "fd . . . .", "pwritev2": "fd . . . . .", "readahead": "fd . . .",
    "readv": "fd . .", "sched_getaffinity": "pid . .", "sched_rr_get_interval": "pid .",
    "sched_rr_get_interval_time64": "pid .", "sendfile": "fd fd . .", "setsockopt": "fd . . . .",
    "sync_file_range": "fd . . . . .", "timerfd_gettime": "fd .", "timerfd_gettime64": "fd .",
    "timerfd_settime": "fd . . .", "timerfd_settime64": "fd . . .", "writev": "fd . .",
}  # fmt: skip
"""The same of the calls that differ for programs with 32-bit words."""
