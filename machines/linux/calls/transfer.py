"""Reading and writing: read(2), readv(2), sendfile(2) and their kin."""

from __future__ import annotations

import ctypes
import os
import struct
from errno import EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import (
    FILLED_VECTOR,
    IN,
    OUT,
    SIZE,
    VALUE,
    VECTOR,
    Handler,
    in_native_code,
    out,
    passthrough,
    signed32,
    syscall,
)
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.translator.host_calls import Way

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_IOV_MAX = 1024
_NEGATIVE = (1 << 64) - 1
#: struct iovec, by the bytes of a word.
_IOVEC = {8: struct.Struct("<QQ"), 4: struct.Struct("<II")}

passthrough("read", VALUE, OUT, SIZE, blocking=True)
passthrough("write", VALUE, IN, SIZE, blocking=True)
passthrough("pread64", VALUE, OUT, SIZE, VALUE, blocking=True)
passthrough("pwrite64", VALUE, IN, SIZE, VALUE, blocking=True)
passthrough("lseek", VALUE, VALUE, VALUE)
passthrough("sendfile", VALUE, VALUE, out(8), SIZE, blocking=True)
passthrough("copy_file_range", VALUE, out(8), VALUE, out(8), SIZE, VALUE, blocking=True)
passthrough("splice", VALUE, out(8), VALUE, out(8), SIZE, VALUE, blocking=True)
passthrough("tee", VALUE, VALUE, SIZE, VALUE, blocking=True)
passthrough("readahead", VALUE, VALUE, VALUE)
passthrough("fadvise64", VALUE, VALUE, VALUE, VALUE)
passthrough("fallocate", VALUE, VALUE, VALUE, VALUE, blocking=True)
passthrough("ftruncate", VALUE, VALUE)
passthrough("fsync", VALUE, blocking=True)
passthrough("fdatasync", VALUE, blocking=True)
passthrough("syncfs", VALUE, blocking=True)
passthrough("sync_file_range", VALUE, VALUE, VALUE, VALUE, blocking=True)
passthrough("sync", blocking=True)


def host_iovec(task: Task, address: int, count: int, *, fills: bool) -> tuple[int, object]:
    """A struct iovec list for the host from the guest's: its address and what keeps it alive.

    One that is too long or cannot be read is the kernel's to refuse, which looks at the descriptor before.
    """
    window, layout = task.window, _IOVEC[task.abi.word]
    if count > _IOV_MAX:
        return host.NOWHERE, None
    try:
        vector = window.read(address, count * layout.size)
    except GuestFault:
        return host.NOWHERE, None
    words: list[int] = []
    for pointer, length in layout.iter_unpack(vector):
        # A negative length stays one.
        length = _NEGATIVE if length >> 8 * task.abi.word - 1 else min(length, host.MAX_TRANSFER)
        if fills and length != _NEGATIVE:
            window.will_write(pointer, length)
        words += (window.host_pointer(pointer), length)
    buffer = (ctypes.c_uint64 * max(len(words), 1))(*words)
    return ctypes.addressof(buffer), buffer


def _vectored(name: str, *, fills: bool, extra: int) -> None:
    number = HOST[name]

    def handler(task: Task, descriptor: int, vector: int, count: int, *rest: int) -> int:
        address, _keep = host_iovec(task, vector, count & 0xFFFF_FFFF, fills=fills)
        return task.blocking_call(number, descriptor, address, count, *rest)

    def with_position(task: Task, descriptor: int, vector: int, count: int, low: int, high: int) -> int:
        return handler(task, descriptor, vector, count, low, high)

    def with_flags(
        task: Task, descriptor: int, vector: int, count: int, low: int, high: int, flags: int
    ) -> int:
        return handler(task, descriptor, vector, count, low, high, flags)

    def plain(task: Task, descriptor: int, vector: int, count: int) -> int:
        return handler(task, descriptor, vector, count)

    shapes: dict[int, Handler] = {0: plain, 2: with_position, 3: with_flags}
    arguments = VALUE, FILLED_VECTOR if fills else VECTOR, VALUE, *[VALUE] * extra
    syscall(name, native=in_native_code(name, *arguments, way=Way.WAITING))(shapes[extra])


@syscall("vmsplice")
def vmsplice(task: Task, descriptor: int, vector: int, count: int, flags: int) -> int:
    """vmsplice(2), in either direction."""
    address, _keep = host_iovec(task, vector, count & 0xFFFF_FFFF, fills=True)
    return task.blocking_call(HOST["vmsplice"], descriptor, address, count, flags)


_vectored("readv", fills=True, extra=0)
_vectored("writev", fills=False, extra=0)
_vectored("preadv", fills=True, extra=2)
_vectored("pwritev", fills=False, extra=2)
_vectored("preadv2", fills=True, extra=3)
_vectored("pwritev2", fills=False, extra=3)


def _between_processes(name: str, *, fills: bool) -> None:
    """Declare process_vm_readv(2) or process_vm_writev(2), for the process's own memory: of others' nothing is known
    here that would keep it from what they may not write."""
    number = HOST[name]

    @syscall(name)
    def transfer(
        task: Task, target: int, local: int, local_count: int, remote: int, remote_count: int, flags: int
    ) -> int:
        if signed32(target) != os.getpid():
            return host.call(HOST["kill"], target, 0) or -EPERM
        here, _keep = host_iovec(task, local, local_count, fills=fills)
        there, _keep_too = host_iovec(task, remote, remote_count, fills=not fills)
        return host.call(number, target, here, local_count, there, remote_count, flags)


_between_processes("process_vm_readv", fills=True)
_between_processes("process_vm_writev", fills=False)
