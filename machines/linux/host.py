"""The host kernel, called directly.

Guest file descriptors are host file descriptors, and most system calls are the host's own with pointers moved into
the window, so this module is deliberately thin: `libc.syscall` twice, once keeping the GIL (for calls that never
block: taking it back from a compiling thread can cost milliseconds) and once releasing it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
from collections.abc import Callable
from errno import EMFILE, ENFILE

PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 0, 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS, MAP_NORESERVE = 0x01, 0x02, 0x10, 0x20, 0x4000
MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP = 1, 2, 4

#: The kernel never moves more than this in one call (MAX_RW_COUNT), so a clamped size cannot leave the guard zone.
MAX_TRANSFER = 0x7FFF_F000

#: In the kernel's half of the addresses: given for a pointer that leads nowhere, it is EFAULT, but only when the
#: kernel comes to it, after what it looks at before.
NOWHERE = 0xFFFF_8000_0000_0000

_LONG = ctypes.c_long
_FAST_LIBC = ctypes.PyDLL(None, use_errno=True)
_SLOW_LIBC = ctypes.CDLL(None, use_errno=True)

_fast_syscall = _FAST_LIBC.syscall
_slow_syscall = _SLOW_LIBC.syscall
for _function in (_fast_syscall, _slow_syscall):
    # Values are taken modulo 2^64 by ctypes, so unsigned register contents pass as they are.
    _function.argtypes = [_LONG] * 7
    _function.restype = _LONG

_mmap = _FAST_LIBC.mmap
_mmap.argtypes = [_LONG, _LONG, ctypes.c_int, ctypes.c_int, ctypes.c_int, _LONG]
_mmap.restype = _LONG
_strnlen = _FAST_LIBC.strnlen
_strnlen.argtypes = [_LONG, _LONG]
_strnlen.restype = _LONG
_get_errno = ctypes.get_errno

_NR_MPROTECT, _NR_MREMAP, _NR_PROCESS_VM_READV, _NR_PROCESS_VM_WRITEV = 10, 25, 310, 311
_NR_FCNTL = 72
_NR_SHMAT, _SHM_REMAP = 30, 0o40000
_NR_RT_SIGACTION, _NR_RT_SIGPROCMASK, _SIG_SETMASK = 13, 14, 2


def call(number: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0) -> int:
    """A host system call that never blocks: its result, or minus the error number."""
    result: int = _fast_syscall(number, a, b, c, d, e, f)
    return result if result != -1 else -_get_errno()


def blocking_call(number: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0) -> int:
    """A host system call that may block; other Python threads run meanwhile."""
    result: int = _slow_syscall(number, a, b, c, d, e, f)
    return result if result != -1 else -_get_errno()


def check(result: int) -> int:
    """The result of a host call, or the OSError it stands for."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def mmap(address: int, length: int, protection: int, flags: int, descriptor: int = -1, offset: int = 0) -> int:
    """Map host memory: its address; raises OSError."""
    result: int = _mmap(address, length, protection, flags, descriptor, offset)
    if result == -1:
        errno = _get_errno()
        raise OSError(errno, os.strerror(errno))
    return result


def mprotect(address: int, length: int, protection: int) -> None:
    """Change the protection of host pages; raises OSError."""
    check(call(_NR_MPROTECT, address, length, protection))


def mremap(old: int, old_length: int, new_length: int, flags: int, new: int) -> int:
    """Move or resize a host mapping; raises OSError."""
    return check(call(_NR_MREMAP, old, old_length, new_length, flags, new))


def shmat(identifier: int, address: int, flags: int) -> None:
    """Map a segment of shared memory over whatever is at a host address; raises OSError."""
    check(call(_NR_SHMAT, identifier, address, flags | _SHM_REMAP))


def string_length(address: int, limit: int) -> int:
    """Bytes before the first NUL at a host address, at most `limit`."""
    result: int = _strnlen(address, limit)
    return result


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _copy(number: int, local: int, remote: int, length: int) -> int:
    here, there = _Iovec(local, length), _Iovec(remote, length)
    return call(number, os.getpid(), ctypes.addressof(here), 1, ctypes.addressof(there), 1)


def careful_read(address: int, length: int) -> bytes | None:
    """Bytes at a host address that may raise SIGBUS (a file mapping past the file's end); None when it would."""
    buffer = ctypes.create_string_buffer(length)
    done = _copy(_NR_PROCESS_VM_READV, ctypes.addressof(buffer), address, length)
    return buffer.raw if done == length else None


def careful_write(address: int, data: bytes) -> bool:
    """Write where a plain store might raise SIGBUS; False when it would."""
    buffer = ctypes.create_string_buffer(data, len(data))
    return _copy(_NR_PROCESS_VM_WRITEV, ctypes.addressof(buffer), address, len(data)) == len(data)


def signal_mask() -> int:
    """The signal mask of the calling thread, bit n - 1 for signal n."""
    old = ctypes.c_uint64()
    check(call(_NR_RT_SIGPROCMASK, _SIG_SETMASK, 0, ctypes.addressof(old), 8))
    return old.value


def set_signal_mask(mask: int) -> None:
    """Change the signal mask of the calling thread (Python's own call warns of glibc's two signals)."""
    new = ctypes.c_uint64(mask)
    check(call(_NR_RT_SIGPROCMASK, _SIG_SETMASK, ctypes.addressof(new), 0, 8))


_SIGACTION_SIZE = 32


def signal_action(number: int, new: bytes | None = None) -> bytes:
    """The host's disposition of a signal, as the kernel's struct sigaction, and perhaps another one from now on.

    Unlike Python's own, this can be called by any thread.
    """
    old = ctypes.create_string_buffer(_SIGACTION_SIZE)
    change, _keep = string(new) if new is not None else (0, None)
    check(call(_NR_RT_SIGACTION, number, change, ctypes.addressof(old), 8))
    return old.raw


#: Descriptors of ours among the guest's: it can neither close nor replace them.
PRIVATE: set[int] = set()
#: Called when there is another of them, or one fewer.
PRIVATE_LISTENERS: list[Callable[[], None]] = []


#: A limit up to which descriptors are moved beyond it: what a fork copies of the table grows with the highest number.
_SMALL_TABLE, _BEYOND = 1 << 16, 64
#: Numbers that are looked at one by one, at least, where open descriptors cannot be listed.
_LOOKED_AT = 1024


def _beyond(limit: int, descriptor: int) -> int | None:
    """A copy of a descriptor with a number that no guest looks at, beyond its limit; None if it may have none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit + _BEYOND, max(hard, limit + _BEYOND)))
    except (OSError, ValueError):
        return None
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, limit)
    except OSError:
        return None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def private_descriptor(descriptor: int) -> int:
    """Move a descriptor of ours out of the guest's way, and keep it from the guest: the new number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    moved = _beyond(soft, descriptor) if 3 <= soft <= _SMALL_TABLE else None
    try:
        if moved is None:
            moved = _among(soft, descriptor)
    finally:
        os.close(descriptor)
    PRIVATE.add(moved)
    _tell_listeners()
    return moved


def _tell_listeners() -> None:
    for listener in PRIVATE_LISTENERS:
        listener()


def _among(soft: int, descriptor: int) -> int:
    """A copy of a descriptor with a number that the guest may have, if it insists."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(min(soft, 1 << 20) - 32, 3))
    except OSError:
        # The guest has taken all of the high numbers, or lowered its limit.
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def close_private(descriptor: int) -> None:
    """Close a descriptor that `private_descriptor` gave."""
    PRIVATE.discard(descriptor)
    os.close(descriptor)
    _tell_listeners()


_proc: int | None = None


def keep_proc() -> None:
    """Hold on to /proc, which may be out of reach soon."""
    global _proc
    if _proc is None:
        _proc = private_descriptor(os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))


def open_descriptors() -> list[int]:
    """The numbers of all open descriptors but our private ones."""
    try:
        numbers = [int(name) for name in _listed_descriptors()]
    except OSError as error:
        if error.errno not in (EMFILE, ENFILE):
            raise
        # The guest has taken all that there may be, and listing them takes one.
        limit = max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], _LOOKED_AT)
        numbers = [number for number in range(min(limit, _SMALL_TABLE)) if call(_NR_FCNTL, number, fcntl.F_GETFD) >= 0]
    return [number for number in numbers if number not in PRIVATE]


def _listed_descriptors() -> list[str]:
    if _proc is None:
        return os.listdir("/proc/self/fd")
    descriptor = os.open("self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=_proc)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def link_of(descriptor: int) -> str:
    """What /proc says that a descriptor is open to."""
    if _proc is None:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    return os.readlink(f"self/fd/{descriptor}", dir_fd=_proc)


#: The longest path the kernel takes, with its NUL.
PATH_MAX = 4096


def string(value: bytes) -> tuple[int, object]:
    """The host address of a NUL-terminated copy, and the object that keeps it alive."""
    buffer = ctypes.create_string_buffer(value)
    return ctypes.addressof(buffer), buffer
