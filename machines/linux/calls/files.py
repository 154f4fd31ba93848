"""Files by name and what is known of them: open(2), stat(2), readlink(2), access(2), statfs(2), xattr(7)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from errno import EBADF, EINVAL
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host, procfs
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import (
    IN,
    OUT,
    PATH,
    SIZE,
    VALUE,
    host_path,
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

_AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
_STAT_SIZE = 144
_STATFS_SIZE = 120
_STATX_SIZE = 256
#: struct open_how: flags, mode, and how paths are resolved; it may become longer.
HOW, _RESOLVE, _LARGEST_HOW = struct.Struct("<3Q"), slice(16, 24), 4096
_O_CREAT_WRONLY_TRUNC = os.O_CREAT | os.O_WRONLY | os.O_TRUNC

passthrough("access", PATH, VALUE)
passthrough("faccessat", VALUE, PATH, VALUE)
passthrough("faccessat2", VALUE, PATH, VALUE, VALUE)
passthrough("statfs", PATH, out(_STATFS_SIZE))
passthrough("fstatfs", VALUE, out(_STATFS_SIZE))
passthrough("getxattr", PATH, IN, OUT, SIZE)
passthrough("lgetxattr", PATH, IN, OUT, SIZE)
passthrough("fgetxattr", VALUE, IN, OUT, SIZE)
passthrough("listxattr", PATH, OUT, SIZE)
passthrough("llistxattr", PATH, OUT, SIZE)
passthrough("flistxattr", VALUE, OUT, SIZE)
passthrough("setxattr", IN, IN, IN, SIZE, VALUE)
passthrough("lsetxattr", IN, IN, IN, SIZE, VALUE)
passthrough("fsetxattr", VALUE, IN, IN, SIZE, VALUE)
passthrough("removexattr", IN, IN)
passthrough("lremovexattr", IN, IN)
passthrough("fremovexattr", VALUE, IN)


@syscall("openat", native=in_native_code("openat", VALUE, PATH, VALUE, VALUE, way=Way.OPEN))
def openat(task: Task, directory: int, path: int, flags: int, mode: int) -> int:
    """openat(2). Files of /proc that tell about this process tell about the guest instead."""
    pointer, _keep = host_path(task, path)
    descriptor = task.blocking_call(HOST["openat"], directory, pointer, flags, mode)
    return procfs.guest_view(task, descriptor, flags) if descriptor >= 0 else descriptor


@syscall("open")
def open_(task: Task, path: int, flags: int, mode: int) -> int:
    """open(2)."""
    return openat(task, _AT_FDCWD, path, flags, mode)


@syscall("creat")
def creat(task: Task, path: int, mode: int) -> int:
    """creat(2)."""
    return openat(task, _AT_FDCWD, path, _O_CREAT_WRONLY_TRUNC, mode)


@syscall("openat2")
def openat2(task: Task, directory: int, path: int, pointer: int, size: int) -> int:
    """openat2(2), whose structure the kernel looks at. Where it says how paths are resolved, they are the host's."""
    data = read_how(task, pointer, size)
    how, _keep = host.string(data) if data else (host.NOWHERE, None)
    if any(data[_RESOLVE]):
        name, _keep_too = host.string(task.window.read_cstring(path, host.PATH_MAX))
    else:
        name, _keep_too = host_path(task, path)
    descriptor = task.blocking_call(HOST["openat2"], directory, name, how, size)
    flags = int.from_bytes(data[:8], "little")
    return procfs.guest_view(task, descriptor, flags) if descriptor >= 0 else descriptor


def read_how(task: Task, pointer: int, size: int) -> bytes:
    """openat2's struct open_how, of so many bytes; none if it cannot be read or has a wrong size."""
    try:
        return task.window.read(pointer, size) if HOW.size <= size <= _LARGEST_HOW else b""
    except GuestFault:
        return b""


def _status_call(task: Task, buffer: int, number: int, before: Sequence[int], after: Sequence[int]) -> int:
    """Make a host call that fills a struct stat between its other arguments, in the guest's layout."""
    convert = task.abi.convert_stat
    window = task.window
    if convert is None:
        window.will_write(buffer, _STAT_SIZE)
        return host.call(number, *(*before, window.host_pointer(buffer), *after))
    area = ctypes.create_string_buffer(_STAT_SIZE)
    result = host.call(number, *(*before, ctypes.addressof(area), *after))
    if result >= 0:
        window.write(buffer, convert(area.raw))
    return result


@syscall("stat", native=in_native_code("stat", PATH, out(_STAT_SIZE), fills_status=True))
def stat(task: Task, path: int, buffer: int) -> int:
    """stat(2)."""
    return newfstatat(task, _AT_FDCWD, path, buffer, 0)


@syscall("lstat", native=in_native_code("lstat", PATH, out(_STAT_SIZE), fills_status=True))
def lstat(task: Task, path: int, buffer: int) -> int:
    """lstat(2)."""
    return newfstatat(task, _AT_FDCWD, path, buffer, 0x100)  # AT_SYMLINK_NOFOLLOW


@syscall("fstat", native=in_native_code("fstat", VALUE, out(_STAT_SIZE), way=Way.OWN, fills_status=True))
def fstat(task: Task, descriptor: int, buffer: int) -> int:
    """fstat(2), by which some programs look for what is open."""
    if task.process.descriptors.is_private(signed32(descriptor)):
        return -EBADF
    return _status_call(task, buffer, HOST["fstat"], (descriptor,), ())


@syscall(
    "newfstatat",
    native=in_native_code("newfstatat", VALUE, PATH, out(_STAT_SIZE), VALUE, way=Way.OWN_4, fills_status=True),
)
def newfstatat(task: Task, directory: int, path: int, buffer: int, flags: int) -> int:
    """fstatat(2)."""
    if flags & AT_EMPTY_PATH and task.process.descriptors.is_private(signed32(directory)):
        return -EBADF
    pointer, _keep = host_path(task, path) if path else (0, None)
    return _status_call(task, buffer, HOST["newfstatat"], (directory, pointer), (flags,))


@syscall("statx", native=in_native_code("statx", VALUE, PATH, VALUE, VALUE, out(_STATX_SIZE), way=Way.OWN_3))
def statx(task: Task, directory: int, path: int, flags: int, mask: int, buffer: int) -> int:
    """statx(2)."""
    if flags & AT_EMPTY_PATH and task.process.descriptors.is_private(signed32(directory)):
        return -EBADF
    pointer, _keep = host_path(task, path) if path else (0, None)
    task.window.will_write(buffer, _STATX_SIZE)
    return host.call(HOST["statx"], directory, pointer, flags, mask, task.window.host_pointer(buffer))


@syscall("readlink")
def readlink(task: Task, path: int, buffer: int, size: int) -> int:
    """readlink(2)."""
    return readlinkat(task, _AT_FDCWD, path, buffer, size)


@syscall("readlinkat")
def readlinkat(task: Task, directory: int, path: int, buffer: int, size: int) -> int:
    """readlinkat(2); /proc/self/exe is the guest's program."""
    size &= 0xFFFF_FFFF
    if not 0 < size < 1 << 31:
        return -EINVAL
    name = task.window.read_cstring(path, host.PATH_MAX)
    if task.process.paths.is_own_executable(name):
        target = task.process.paths.executable[:size]
        task.window.write(buffer, target)
        return len(target)
    pointer, _keep = host.string(task.process.paths.host(name))
    task.window.will_write(buffer, size)
    return host.call(HOST["readlinkat"], directory, pointer, task.window.host_pointer(buffer), size)
