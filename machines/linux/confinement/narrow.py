"""Files of confined programs with 32-bit words: their structures around what `files` does; and socketcall(2)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import EFAULT, EINVAL
from typing import TYPE_CHECKING

from metaphrase.machines.linux.calls.compat import files as compat_files
from metaphrase.machines.linux.calls.compat import identity
from metaphrase.machines.linux.calls.compat import sockets as compat_sockets
from metaphrase.machines.linux.calls.compat.layouts import TIMES_32, TIMES_64, signed_word, wide
from metaphrase.machines.linux.calls.table import signed32
from metaphrase.machines.linux.confinement import files, folders
from metaphrase.machines.linux.confinement.declare import CONFINED, confined, of

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_TIMES = struct.Struct("<4q")


def _store_status(task: Task, pack: Callable[[tuple[int, ...]], bytes], buffer: int, status: bytes) -> int:
    task.window.write(buffer, pack(compat_files.HOST_STAT.unpack(status)))
    return 0


def _declare_status(suffix: str, pack: Callable[[tuple[int, ...]], bytes]) -> None:
    @confined(f"stat{suffix}", compat=True)
    def by_name(task: Task, path: int, buffer: int) -> int:
        return _store_status(task, pack, buffer, files.status_of(task, files.AT_FDCWD, path, 0))

    @confined(f"lstat{suffix}", compat=True)
    def link_by_name(task: Task, path: int, buffer: int) -> int:
        status = files.status_of(task, files.AT_FDCWD, path, files.AT_SYMLINK_NOFOLLOW)
        return _store_status(task, pack, buffer, status)


_declare_status("64", compat_files.pack_stat64)
_declare_status("", compat_files.pack_old_stat)


@confined("fstatat64", compat=True)
def fstatat64(task: Task, directory: int, path: int, buffer: int, flags: int) -> int:
    """fstatat(2)."""
    return _store_status(task, compat_files.pack_stat64, buffer, files.status_of(task, directory, path, flags))


@confined("statfs64", compat=True)
def statfs64(task: Task, path: int, size: int, buffer: int) -> int:
    """statfs(2), whose structure's size is told."""
    if size != compat_files.STATFS64.size:
        return -EINVAL
    return compat_files.store_file_system(task, files.file_system_of(task, path), compat_files.STATFS64, buffer)


@confined("statfs", compat=True)
def statfs(task: Task, path: int, buffer: int) -> int:
    """statfs(2) in its old size."""
    return compat_files.store_file_system(task, files.file_system_of(task, path), compat_files.STATFS, buffer)


@confined("truncate", compat=True)
def truncate(task: Task, path: int, size: int) -> int:
    """truncate(2)."""
    return files.cut(task, path, signed_word(size))


@confined("truncate64", compat=True)
def truncate64(task: Task, path: int, low: int, high: int) -> int:
    """truncate(2)."""
    return files.cut(task, path, wide(low, high))


@confined("utimensat", compat=True)
def utimensat(task: Task, directory: int, path: int, times: int, flags: int) -> int:
    """utimensat(2)."""
    return files.change_times(task, directory, path, TIMES_32.read(task, times) if times else None, flags)


@confined("utimensat_time64", compat=True)
def utimensat_time64(task: Task, directory: int, path: int, times: int, flags: int) -> int:
    """utimensat(2)."""
    return files.change_times(task, directory, path, TIMES_64.read(task, times) if times else None, flags)


@confined("futimesat", compat=True)
def futimesat(task: Task, directory: int, path: int, times: int) -> int:
    """futimesat(2): times in microseconds."""
    data = None
    if times:
        first, micro, second, micro_too = _TIMES.unpack(TIMES_32.read(task, times))
        if not (0 <= micro < 10**6 and 0 <= micro_too < 10**6):
            return -EINVAL
        data = _TIMES.pack(first, micro * 1000, second, micro_too * 1000)
    return files.change_times(task, directory, path, data, 0)


@confined("utimes", compat=True)
def utimes(task: Task, path: int, times: int) -> int:
    """utimes(2)."""
    return futimesat(task, files.AT_FDCWD, path, times) if path else -EFAULT


@confined("utime", compat=True)
def utime(task: Task, path: int, times: int) -> int:
    """utime(2): times in seconds."""
    if not path:
        return -EFAULT
    data = None
    if times:
        first, second = struct.unpack("<ii", task.window.read(times, 8))
        data = _TIMES.pack(first, 0, second, 0)
    return files.change_times(task, files.AT_FDCWD, path, data, 0)


@confined("lseek", compat=True)
def lseek(task: Task, descriptor: int, offset: int, origin: int) -> int:
    """lseek(2)."""
    return folders.seek(task, descriptor, signed_word(offset), origin)


@confined("_llseek", compat=True)
def llseek(task: Task, descriptor: int, high: int, low: int, result: int, origin: int) -> int:
    """llseek(2)."""
    offset = wide(low, high)
    position = folders.seek(task, descriptor, offset - (1 << 64) if offset >> 63 else offset, origin)
    if position < 0:
        return position
    task.window.write_u64(result, position)
    return 0


@confined("socketcall", compat=True)
def socketcall(task: Task, call: int, arguments: int) -> int | None:
    """socketcall(2): what answers the call that it stands for."""
    found = compat_sockets.call_of(task, signed32(call), arguments)
    if found is None:
        return -EINVAL
    name, values = found
    declared = of(task).find_call(name, compat=True)
    return declared.handler(task, *values) if declared is not None else -EINVAL


for _name in identity.TAKES_IDS:
    confined(_name, compat=True)(identity.with_wide_ids(_name, CONFINED.__getitem__))
