"""The system calls, one module a topic, grouped as in the manual. Importing a module declares its calls.

Those of programs with 32-bit words (`compat`) are imported when the first such program asks for its calls.
"""

from __future__ import annotations

from metaphrase.machines.linux.calls import (
    clock,
    descriptors,
    directories,
    files,
    forking,
    identity,
    ipc,
    memory,
    polling,
    process,
    reach,
    signals,
    sockets,
    system,
    threads,
    transfer,
)
from metaphrase.machines.linux.calls.table import COMPAT_ALIASES, COMPAT_CALLS, SYSTEM_CALLS

TOPICS = (
    clock, descriptors, directories, files, forking, identity, ipc, memory, polling, process, reach, signals,
    sockets, system, threads, transfer,
)  # fmt: skip

#: Calls that programs try and do without: answered with ENOSYS and no word in the log.
ABSENT = frozenset(
    [
        "rseq",
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "landlock_create_ruleset",
        "landlock_add_rule",
        "landlock_restrict_self",
        "futex_waitv",
        "map_shadow_stack",
        "get_mempolicy",
        "mseal",
        "statmount",
        "listmount",
        "cachestat",
        "userfaultfd",
        "bpf",
        "perf_event_open",
        "seccomp",
        "riscv_hwprobe",
        "pkey_alloc",
        "pkey_free",
        "pkey_mprotect",
        "io_setup",
        "_sysctl",
        "lookup_dcookie",
        "modify_ldt",
        "remap_file_pages",
        "process_madvise",
        "memfd_secret",
    ]
)

__all__ = ["ABSENT", "COMPAT_ALIASES", "COMPAT_CALLS", "SYSTEM_CALLS", "TOPICS"]
