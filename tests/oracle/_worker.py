"""The oracle's worker process: fixed mappings, signals, a filter against system calls, and the loop over cases."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
from multiprocessing.connection import Connection
from typing import NoReturn

from tests.oracle._arena import Arena, Patches
from tests.oracle._segments import LOCAL
from tests.oracle._trap import ARENA, ARENA_SIZE, CODE, CODE_SIZE, TICK_SECONDS, Trap

Request = tuple[int, bytes, bytes, Patches]
"""Address and bytes of the code, the state's block, and what to lay over the arena's background."""
Reply = tuple[int, bytes, Patches]
"""The signal that ended the snippet, the block after, and the changes of the arena."""

_SIGNALS = (
    signal.SIGTRAP,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSYS,
    signal.SIGVTALRM,
)
_MAP_FIXED_NOREPLACE = 0x10_0000
_SA_SIGINFO, _SA_ONSTACK, _SA_RESTART = 4, 0x0800_0000, 0x1000_0000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_SECCOMP_ALLOW, _SECCOMP_TRAP = 0x7FFF_0000, 0x0003_0000
_ALTERNATE_STACK = 1 << 18
_MODIFY_LDT, _WRITE_LDT, _USER_DESC = 154, 0x11, 16

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64]


class _Action(ctypes.Structure):
    """glibc's struct sigaction."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_uint8 * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _Stack(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.c_char_p))


def serve(pipe: Connection, trap: Trap, background: bytes) -> NoReturn:
    """Answer lists of requests with lists of replies until the pipe closes; never returns."""
    status = 1
    try:
        code = _map_guest()
        _describe_segment(trap)
        _make_local_segments()
        _take_signals(trap)
        _refuse_system_calls()
        worker = _Worker(trap, code, background)
        while True:
            requests: list[Request] = pipe.recv()
            signal.setitimer(signal.ITIMER_VIRTUAL, TICK_SECONDS, TICK_SECONDS)
            replies = [worker.run(index, request) for index, request in enumerate(requests)]
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            pipe.send(replies)
    except EOFError:
        status = 0
    finally:
        os._exit(status)


class _Worker:
    def __init__(self, trap: Trap, code: mmap.mmap, background: bytes) -> None:
        self._trap, self._code, self._arena = trap, code, Arena(ARENA, background)

    def run(self, index: int, request: Request) -> Reply:
        address, code, block, patches = request
        offset = address - CODE
        self._arena.lay(patches)
        self._code[offset : offset + len(code)] = code
        self._trap.progress = index
        number, after = self._trap.run(block)
        self._code[offset : offset + len(code)] = b"\xcc" * len(code)
        return number, after, self._arena.take_changes()


def _map_guest() -> mmap.mmap:
    """Map the guest's areas; gives a writable view of the code area, which the guest may only read and execute."""
    file = os.memfd_create("oracle-code")
    os.ftruncate(file, CODE_SIZE)
    view = mmap.mmap(file, CODE_SIZE)
    view[:] = b"\xcc" * CODE_SIZE
    anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    for address, size, protection, flags, descriptor in (
        (ARENA - mmap.PAGESIZE, ARENA_SIZE + 2 * mmap.PAGESIZE, 0, anonymous, -1),  # keeps the neighbours unmapped
        (CODE - mmap.PAGESIZE, CODE_SIZE + 2 * mmap.PAGESIZE, 0, anonymous, -1),
        (ARENA, ARENA_SIZE, mmap.PROT_READ | mmap.PROT_WRITE, anonymous, -1),
        (CODE, CODE_SIZE, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_SHARED, file),
    ):
        fixed = _MAP_FIXED_NOREPLACE if protection == 0 else 0x10
        if _libc.mmap(address, size, protection, flags | fixed, descriptor, 0) != address:
            raise OSError(ctypes.get_errno(), f"the guest's area at {address:#x} is taken")
    os.close(file)
    return view


def _describe_segment(trap: Trap) -> None:
    """A flat data segment for FS and GS in 32-bit mode, where null selectors fault, if the kernel has that mode.

    struct user_desc: entry (-1: any that is free), base, limit, and flags: 32 bits, limit in pages, usable.
    """
    descriptor = struct.pack("<iIII", -1, 0, 0xFFFFF, 1 | 1 << 4 | 1 << 6)
    ctypes.memmove(ARENA, descriptor, len(descriptor))
    trap.describe_segment(ARENA)
    ctypes.memset(ARENA, 0, len(descriptor))


def _make_local_segments() -> bool:
    """The segments of 16-bit mode; gives whether the kernel has made all (it need not: CONFIG_MODIFY_LDT_SYSCALL)."""
    return all(
        _libc.syscall(_MODIFY_LDT, _WRITE_LDT, segment.user_desc(number), _USER_DESC) == 0
        for number, segment in enumerate(LOCAL)
    )


def segments_are_made() -> bool:
    """Whether the kernel makes local segments of 16 bits, as a child of this process finds out."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _make_local_segments() else 1)
    return os.waitpid(child, 0)[1] == 0


def _take_signals(trap: Trap) -> None:
    """Route the guest's signals to the native handler, on a stack of its own, and hold back all others."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set(signal.Signals) - set(_SIGNALS))
    stack = mmap.mmap(-1, _ALTERNATE_STACK)
    keep = (ctypes.c_char * _ALTERNATE_STACK).from_buffer(stack)
    alternate = _Stack(ctypes.addressof(keep), 0, _ALTERNATE_STACK)
    action = _Action(trap.handler, (ctypes.c_uint8 * 128)(*[255] * 128), _SA_SIGINFO | _SA_ONSTACK | _SA_RESTART, None)
    failed = _libc.sigaltstack(ctypes.byref(alternate), None)
    for number in _SIGNALS:
        failed |= _libc.sigaction(int(number), ctypes.byref(action), None)
    if failed:
        raise OSError(ctypes.get_errno(), "cannot install the oracle's signal handler")
    _forever.append(keep)


_forever: list[object] = []


def _refuse_system_calls() -> None:
    """Make system calls from the code area raise SIGSYS, by a filter on the instruction pointer.

    The filter is classic BPF over `struct seccomp_data`, where the instruction pointer is at offset 8.
    """
    load, equal, above, answer = 0x20, 0x15, 0x35, 0x06
    program = b"".join(
        struct.pack("<HBBI", *instruction)
        for instruction in (
            (load, 0, 0, 12),
            (equal, 0, 4, 0),
            (load, 0, 0, 8),
            (above, 0, 2, CODE),
            (above, 1, 0, CODE + CODE_SIZE + 1),
            (answer, 0, 0, _SECCOMP_TRAP),
            (answer, 0, 0, _SECCOMP_ALLOW),
        )
    )
    filters = _Program(len(program) // 8, program)
    failed = _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if failed or _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filters), 0, 0):
        raise OSError(ctypes.get_errno(), "cannot keep snippets from making system calls")
