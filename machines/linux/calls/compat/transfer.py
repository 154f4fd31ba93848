"""Reading, writing and mapping: offsets in two registers, struct iovec of 32-bit words, mmap(2) in pages."""

from __future__ import annotations

import ctypes
import struct
from errno import EOVERFLOW
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import memory
from metaphrase.machines.linux.calls.compat.layouts import alias, wide
from metaphrase.machines.linux.calls.table import syscall
from metaphrase.machines.linux.calls.transfer import host_iovec

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_PAGE_BITS = 12
#: The arguments of the old mmap: a structure.
_MMAP = struct.Struct("<6I")

alias(sendfile64="sendfile")


def _vectored(name: str, *, fills: bool) -> None:
    @syscall(name, compat=True)
    def plain(task: Task, descriptor: int, vector: int, count: int) -> int:
        address, _keep = host_iovec(task, vector, count, fills=fills)
        return task.blocking_call(HOST[name], descriptor, address, count)

    @syscall(f"p{name}", compat=True)
    def at_position(task: Task, descriptor: int, vector: int, count: int, low: int, high: int) -> int:
        address, _keep = host_iovec(task, vector, count, fills=fills)
        return task.blocking_call(HOST[f"p{name}"], descriptor, address, count, wide(low, high), 0)

    @syscall(f"p{name}2", compat=True)
    def with_flags(
        task: Task, descriptor: int, vector: int, count: int, low: int, high: int, flags: int
    ) -> int:
        address, _keep = host_iovec(task, vector, count, fills=fills)
        return task.blocking_call(HOST[f"p{name}2"], descriptor, address, count, wide(low, high), 0, flags)


_vectored("readv", fills=True)
_vectored("writev", fills=False)


@syscall("pread64", compat=True)
def pread64(task: Task, descriptor: int, buffer: int, size: int, low: int, high: int) -> int:
    """pread(2)."""
    task.window.will_write(buffer, size)
    pointer = task.window.host_pointer(buffer)
    return task.blocking_call(HOST["pread64"], descriptor, pointer, min(size, host.MAX_TRANSFER), wide(low, high))


@syscall("pwrite64", compat=True)
def pwrite64(task: Task, descriptor: int, buffer: int, size: int, low: int, high: int) -> int:
    """pwrite(2)."""
    pointer = task.window.host_pointer(buffer)
    return task.blocking_call(HOST["pwrite64"], descriptor, pointer, min(size, host.MAX_TRANSFER), wide(low, high))


@syscall("sendfile", compat=True)
def sendfile(task: Task, target: int, source: int, offset: int, size: int) -> int:
    """sendfile(2) with an offset of 32 bits."""
    window = task.window
    place = ctypes.c_int64(window.read_u32(offset) if offset else 0)
    pointer = ctypes.addressof(place) if offset else 0
    result = task.blocking_call(HOST["sendfile"], target, source, pointer, min(size, host.MAX_TRANSFER))
    if result >= 0 and offset:
        if place.value >> 31:
            return -EOVERFLOW
        window.write_u32(offset, place.value)
    return result


@syscall("readahead", compat=True)
def readahead(task: Task, descriptor: int, low: int, high: int, size: int) -> int:
    """readahead(2)."""
    return host.call(HOST["readahead"], descriptor, wide(low, high), size)


@syscall("fadvise64", compat=True)
def fadvise64(task: Task, descriptor: int, low: int, high: int, size: int, advice: int) -> int:
    """posix_fadvise(2)."""
    return host.call(HOST["fadvise64"], descriptor, wide(low, high), size, advice)


@syscall("fadvise64_64", compat=True)
def fadvise64_64(
    task: Task, descriptor: int, low: int, high: int, size_low: int, size_high: int, advice: int
) -> int:
    """posix_fadvise(2)."""
    return host.call(HOST["fadvise64"], descriptor, wide(low, high), wide(size_low, size_high), advice)


@syscall("fallocate", compat=True)
def fallocate(
    task: Task, descriptor: int, mode: int, low: int, high: int, size_low: int, size_high: int
) -> int:
    """fallocate(2)."""
    size = wide(size_low, size_high)
    return task.blocking_call(HOST["fallocate"], descriptor, mode, wide(low, high), size)


@syscall("sync_file_range", compat=True)
def sync_file_range(
    task: Task, descriptor: int, low: int, high: int, size_low: int, size_high: int, flags: int
) -> int:
    """sync_file_range(2)."""
    size = wide(size_low, size_high)
    return task.blocking_call(HOST["sync_file_range"], descriptor, wide(low, high), size, flags)


@syscall("mmap2", compat=True)
def mmap2(
    task: Task, address: int, length: int, protection: int, flags: int, descriptor: int, page: int
) -> int:
    """mmap2(2): mmap(2) with an offset in pages."""
    return memory.mmap(task, address, length, protection, flags, descriptor, page << _PAGE_BITS)


@syscall("mmap", compat=True)
def old_mmap(task: Task, arguments: int) -> int:
    """mmap(2) with its arguments in memory."""
    return memory.mmap(task, *_MMAP.unpack(task.window.read(arguments, _MMAP.size)))
