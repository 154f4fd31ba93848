"""Telling what system calls a guest makes, a line each, with decoded arguments, as strace(1) does.

Each call's arguments are described in SIGNATURES, by words that say how they are read; calls that are not there show
their registers.
"""

from __future__ import annotations

import errno
import mmap
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from metaphrase.machines.linux.calls.table import Bound, signed32, signed64
from metaphrase.machines.linux.errors import GuestFault

if TYPE_CHECKING:
    from metaphrase.machines.linux.abi.base import Abi
    from metaphrase.machines.linux.task import Task

SIGNATURES: Final[Mapping[str, str]] = {
    "accept": "fd address address", "accept4": "fd address address hex", "access": "path int", "acct": "path",
    "alarm": "int", "arch_prctl": "hex address", "bind": "fd address size", "brk": "address", "chdir": "path",
    "chmod": "path octal", "chown": "path int int", "chroot": "path", "clock_getres": "int address",
    "clock_gettime": "int address", "clock_nanosleep": "int hex address address",
    "clone": "clone address address address address", "clone3": "address size", "close": "fd",
    "connect": "fd address size", "creat": "path octal", "dup": "fd", "dup2": "fd fd", "dup3": "fd fd open",
    "epoll_create1": "open", "epoll_ctl": "fd int fd address", "epoll_pwait": "fd address int int address size",
    "epoll_wait": "fd address int int", "eventfd2": "int open", "execve": "path strings strings",
    "execveat": "directory path strings strings hex", "exit": "int", "exit_group": "int",
    "faccessat": "directory path int", "faccessat2": "directory path int hex", "fadvise64": "fd offset size int",
    "fallocate": "fd int signed signed", "fchdir": "fd", "fchmod": "fd octal", "fchmodat": "directory path octal",
    "fchown": "fd int int", "fchownat": "directory path int int hex", "fcntl": "fd int hex", "fdatasync": "fd",
    "flock": "fd int", "fstat": "fd address", "fstatfs": "fd address", "fsync": "fd", "ftruncate": "fd signed",
    "futex": "address futex int address address int", "getcwd": "text size", "getdents64": "fd address size",
    "getegid": "", "geteuid": "", "getgid": "", "getpeername": "fd address address", "getpgid": "int", "getpgrp": "",
    "getpid": "", "getppid": "", "getrandom": "address size hex", "getrlimit": "int address",
    "getrusage": "int address", "getsid": "int", "getsockname": "fd address address",
    "getsockopt": "fd int int address address", "gettid": "", "gettimeofday": "address address", "getuid": "",
    "inotify_add_watch": "fd path hex", "inotify_init1": "open", "ioctl": "fd hex address", "kill": "int signal",
    "lchown": "path int int", "link": "path path", "linkat": "directory path directory path hex", "listen": "fd int",
    "lseek": "fd signed whence", "lstat": "path address", "madvise": "address size int", "memfd_create": "path hex",
    "mkdir": "path octal", "mkdirat": "directory path octal", "mknod": "path octal hex",
    "mknodat": "directory path octal hex", "mmap": "address size protection mapping fd offset",
    "mount": "path path path hex address", "mprotect": "address size protection",
    "mremap": "address size size hex address", "munmap": "address size",
    "name_to_handle_at": "directory path address address hex", "nanosleep": "address address",
    "newfstatat": "directory path address hex", "open": "path open octal", "open_by_handle_at": "fd address open",
    "openat": "directory path open octal", "openat2": "directory path address size", "pause": "",
    "pidfd_getfd": "fd int hex", "pidfd_open": "int open", "pipe": "address", "pipe2": "address open",
    "poll": "address int int", "ppoll": "address int address address size", "prctl": "int hex hex hex hex",
    "pread64": "fd data size offset", "preadv": "fd address int signed", "prlimit64": "int int address address",
    "pselect6": "int address address address address address", "pwrite64": "fd input size offset",
    "pwritev": "fd address int signed", "read": "fd data size", "readlink": "path data size",
    "readlinkat": "directory path data size", "readv": "fd address int", "recvfrom": "fd data size hex address address",
    "recvmsg": "fd address hex", "rename": "path path", "renameat": "directory path directory path",
    "renameat2": "directory path directory path hex", "rmdir": "path", "rseq": "address size hex hex",
    "rt_sigaction": "signal address address size", "rt_sigprocmask": "int address address size", "rt_sigreturn": "",
    "rt_sigsuspend": "address size", "sched_getaffinity": "int size address", "sched_yield": "",
    "select": "int address address address address", "sendfile": "fd fd address size", "sendmsg": "fd address hex",
    "sendto": "fd input size hex address size", "set_robust_list": "address size", "set_tid_address": "address",
    "setdomainname": "input size", "setgid": "int", "sethostname": "input size", "setitimer": "int address address",
    "setns": "fd hex", "setpgid": "int int", "setrlimit": "int address", "setsid": "",
    "setsockopt": "fd int int address size", "settimeofday": "address address", "setuid": "int", "shutdown": "fd int",
    "sigaltstack": "address address", "signalfd4": "fd address size open", "socket": "family hex int",
    "socketpair": "family hex int address", "stat": "path address", "statfs": "path address",
    "statx": "directory path hex hex address", "swapoff": "path", "swapon": "path hex", "symlink": "path path",
    "symlinkat": "path directory path", "sync": "", "sysinfo": "address", "tgkill": "int int signal", "time": "address",
    "timerfd_create": "int open", "timerfd_settime": "fd hex address address", "times": "address",
    "tkill": "int signal", "truncate": "path signed", "umask": "octal", "umount2": "path hex", "uname": "address",
    "unlink": "path", "unlinkat": "directory path hex", "unshare": "clone", "utimensat": "directory path address hex",
    "vfork": "", "wait4": "int address int address", "waitid": "int int address int address", "write": "fd input size",
    "writev": "fd address int",
}  # fmt: skip
"""A word for each argument, in the order that section 2 of the manual has them in: `path` and `strings` are read,
`input` is shown as far as the next argument says, `data` and `text` as far as the call has filled them, and the others
are numbers, or names of flags."""

COMPAT_SIGNATURES: Final[Mapping[str, str]] = {
    "_llseek": "fd hex hex address whence", "_newselect": "int address address address address",
    "clock_gettime64": "int address", "clock_nanosleep_time64": "int hex address address", "fcntl64": "fd int hex",
    "fstat64": "fd address", "fstatat64": "directory path address hex", "ftruncate64": "fd hex hex",
    "futex_time64": "address futex int address address int", "getdents": "fd address size", "getegid32": "",
    "geteuid32": "", "getgid32": "", "getuid32": "", "lstat64": "path address", "mmap": "address",
    "mmap2": "address size protection mapping fd hex", "ppoll_time64": "address int address address size",
    "pread64": "fd data size hex hex", "pselect6_time64": "int address address address address address",
    "pwrite64": "fd input size hex hex", "select": "address", "sendfile64": "fd fd address size",
    "set_thread_area": "address", "sigreturn": "",
    "socketcall": "int address", "stat64": "path address", "statfs64": "path size address", "time": "address",
    "truncate64": "path hex hex", "ugetrlimit": "int address", "utimensat_time64": "directory path address hex",
    "waitpid": "int address int",
}  # fmt: skip
"""The same of calls of programs with 32-bit words, as far as they are others."""

_MOST_SHOWN: Final = 32
"""Bytes of a buffer, and elements of a list, that are shown."""
_AT_FDCWD: Final = -100
_O_ACCMODE: Final = 3
_FUTEX_PRIVATE, _FUTEX_REALTIME = 128, 256
_FUTEX: Final = (
    "WAIT", "WAKE", "FD", "REQUEUE", "CMP_REQUEUE", "WAKE_OP", "LOCK_PI", "UNLOCK_PI", "TRYLOCK_PI", "WAIT_BITSET",
    "WAKE_BITSET", "WAIT_REQUEUE_PI", "CMP_REQUEUE_PI", "LOCK_PI2",
)  # fmt: skip
_CLONE: Final = {
    0x100: "CLONE_VM", 0x200: "CLONE_FS", 0x400: "CLONE_FILES", 0x800: "CLONE_SIGHAND", 0x1000: "CLONE_PIDFD",
    0x4000: "CLONE_VFORK", 0x1_0000: "CLONE_THREAD", 0x4_0000: "CLONE_SYSVSEM", 0x8_0000: "CLONE_SETTLS",
    0x10_0000: "CLONE_PARENT_SETTID", 0x20_0000: "CLONE_CHILD_CLEARTID", 0x100_0000: "CLONE_CHILD_SETTID",
}  # fmt: skip
_PROTECTION: Final = {1: "PROT_READ", 2: "PROT_WRITE", 4: "PROT_EXEC"}
_MAPPING: Final = {
    1: "MAP_SHARED", 2: "MAP_PRIVATE", 0x10: "MAP_FIXED", mmap.MAP_ANONYMOUS: "MAP_ANONYMOUS", 0x800: "MAP_DENYWRITE",
    0x4000: "MAP_NORESERVE", 0x2_0000: "MAP_STACK", 0x10_0000: "MAP_FIXED_NOREPLACE",
}  # fmt: skip
_OPEN: Final = {
    getattr(os, name): name
    for name in ("O_CREAT", "O_EXCL", "O_NOCTTY", "O_TRUNC", "O_APPEND", "O_NONBLOCK", "O_DSYNC", "O_DIRECTORY",
                 "O_NOFOLLOW", "O_CLOEXEC", "O_PATH")
}  # fmt: skip
_ACCESS: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR")
_WHENCE: Final = ("SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE")
_REPLACES: Final = frozenset({"execve", "execveat"})
"""Calls that leave all registers alone when they succeed: those are the new program's."""
_SHOWS_ADDRESS: Final = frozenset({"mmap", "mmap2", "mremap", "brk"})


def traced(abi: Abi, number: int, bound: Bound, say: Callable[[str], object]) -> Bound:
    """What answers a system call as `bound` does, and then says a line about it."""
    name = abi.numbers.get(number) or f"syscall_{number}"
    described = COMPAT_SIGNATURES.get(name) if abi.word == 4 else None
    described = SIGNATURES.get(name) if described is None else described
    words = ["hex"] * len(abi.argument_registers) if described is None else described.split()
    registers = abi.argument_registers[: len(words)]

    def answer(task: Task, get: Callable[[str], int]) -> int | None:
        values = [get(register) for register in registers]
        shown = [_shown(word, values, index, task) for index, word in enumerate(words)]
        who = f"[{task.number}] "
        try:
            result = bound(task, get)
        except GuestFault:
            say(f"{who}{_call(name, shown)} = -1 EFAULT")
            raise
        except OSError as error:
            say(f"{who}{_call(name, shown)} = {_result(name, -(error.errno or errno.EIO))}")
            raise
        for index, word in enumerate(words):
            if word in ("data", "text"):
                shown[index] = _filled(task, values[index], result)
        say(f"{who}{_call(name, shown)} = {_result(name, result)}")
        return result

    return answer


def _call(name: str, shown: list[str]) -> str:
    return f"{name}({', '.join(shown)})"


def _result(name: str, result: int | None) -> str:
    if result is None:
        return "0" if name in _REPLACES else "?"
    if -4096 < result < 0:
        known = errno.errorcode.get(-result, str(-result))
        return f"-1 {known} ({os.strerror(-result)})"
    return hex(result) if name in _SHOWS_ADDRESS else str(result)


def _shown(word: str, values: list[int], index: int, task: Task) -> str:
    """One argument, as its word says; what cannot be read is shown as its address."""
    value = values[index]
    try:
        match word:
            case "path":
                return _quoted(task.window.read_cstring(value, 4096)) if value else "NULL"
            case "strings":
                return _strings(task, value)
            case "input":
                return _buffer(task, value, values[index + 1])
            case "data" | "text" | "address":
                return hex(value) if value else "NULL"
    except (GuestFault, OSError):
        return hex(value)
    if word == "signed" and task.abi.word == 4:
        return str(signed32(value))
    return _number(word, value)


def _number(word: str, value: int) -> str:
    """An argument that is not a pointer."""
    small = signed32(value)
    match word:
        case "fd" | "int":
            return str(small)
        case "directory":
            return "AT_FDCWD" if small == _AT_FDCWD else str(small)
        case "signed":
            return str(signed64(value))
        case "size":
            return str(value)
        case "octal":
            return f"0{small:o}" if small else "0"
        case "signal":
            return _signal(small)
        case "open":
            rest = _flags(value & 0xFFFF_FFFF & ~_O_ACCMODE, _OPEN)
            access = _ACCESS[value & _O_ACCMODE] if value & _O_ACCMODE < len(_ACCESS) else "3"
            return access if rest == "0" else f"{access}|{rest}"
        case "protection":
            return _flags(value, _PROTECTION) if value else "PROT_NONE"
        case "mapping":
            return _flags(value, _MAPPING)
        case "clone":
            ends_with = _signal(value & 0xFF)
            return _flags(value & ~0xFF, _CLONE) + (f"|{ends_with}" if value & 0xFF else "")
        case "whence":
            return _WHENCE[value] if value < len(_WHENCE) else str(small)
        case "family":
            return _family(small)
        case "futex":
            return _futex(value)
    return hex(value)


def _flags(value: int, names: Mapping[int, str]) -> str:
    """Names of the bits that are set, and the rest as a number."""
    found = [name for bits, name in names.items() if bits and value & bits == bits]
    rest = value
    for bits in names:
        if value & bits == bits:
            rest &= ~bits
    return "|".join([*found, *([hex(rest)] if rest else [])]) or "0"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _family(number: int) -> str:
    try:
        return socket.AddressFamily(number).name
    except ValueError:
        return str(number)


def _futex(value: int) -> str:
    operation = value & ~(_FUTEX_PRIVATE | _FUTEX_REALTIME)
    name = f"FUTEX_{_FUTEX[operation]}" if operation < len(_FUTEX) else hex(operation)
    private = "_PRIVATE" if value & _FUTEX_PRIVATE else ""
    return name + private + ("|FUTEX_CLOCK_REALTIME" if value & _FUTEX_REALTIME else "")


def _strings(task: Task, address: int) -> str:
    if not address:
        return "NULL"
    pointers = task.window.read_pointers(address, task.abi.word)
    shown = [_quoted(task.window.read_cstring(pointer)) for pointer in pointers[:_MOST_SHOWN]]
    return f"[{', '.join([*shown, *(['...'] if len(pointers) > _MOST_SHOWN else [])])}]"


def _buffer(task: Task, address: int, size: int) -> str:
    more = "..." if size > _MOST_SHOWN else ""
    return _quoted(task.window.read(address, min(size, _MOST_SHOWN))) + more


def _filled(task: Task, address: int, result: int | None) -> str:
    """A buffer that the kernel has filled with as many bytes as the result says."""
    if not result or result < 0 or not address:
        return hex(address) if address else "NULL"
    try:
        return _buffer(task, address, result)
    except GuestFault:
        return hex(address)


_ESCAPES: Final = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\", 0: "\\0"}


def _quoted(data: bytes) -> str:
    """Bytes as C has them between quotes."""
    shown = (_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data)
    return f'"{"".join(shown)}"'
