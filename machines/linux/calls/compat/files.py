"""Files: stat(2) and statfs(2) in their sizes, offsets in two registers, fcntl(2), getdents(2)."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Callable
from errno import EBADF, EFAULT, EINVAL, EOVERFLOW
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host, procfs
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls import descriptors
from metaphrase.machines.linux.calls.compat.layouts import (
    NUMBER,
    POINTER,
    SIGNED,
    TIMES_32,
    TIMES_64,
    Structure,
    alias,
    converted,
    host_area,
    signed_word,
    taken,
    wide,
)
from metaphrase.machines.linux.calls.files import AT_EMPTY_PATH
from metaphrase.machines.linux.calls.table import host_path, signed32, syscall

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_AT_FDCWD, _AT_SYMLINK_NOFOLLOW = -100, 0x100
#: The host's struct stat; struct stat64 and the old struct stat of i386 (arch/x86/include/uapi/asm/stat.h).
HOST_STAT = struct.Struct("<QQQ III 4x Q q q q 6Q 24x")
_STAT64 = struct.Struct("<Q4xIIIIIQ4xqIQ6IQ")
_OLD_STAT = struct.Struct("<IIHHHHIIII6I8x")
#: struct statfs of the host: type, block size, five counts, id, three lengths; struct statfs64 and the old one.
_HOST_STATFS = struct.Struct("<2Q5Q2i3Q32x")
STATFS64 = struct.Struct("<2I5Q2i3I16x")
STATFS = struct.Struct("<2I5I2i3I16x")
_TIMES = Structure(struct.Struct("<ii"), struct.Struct("<qq"))
"""struct utimbuf."""
_FLOCK32 = Structure(struct.Struct("<hhiii"), struct.Struct("<hh4xqqi4x"))
_FLOCK64 = Structure(struct.Struct("<hhqqi"), struct.Struct("<hh4xqqi4x"))
_F_GETLK64, _F_SETLK64, _F_SETLKW64 = 12, 13, 14
#: fcntl's commands that take a struct flock: the host's command, and the layout.
_LOCKS = {
    5: (5, _FLOCK32), 6: (6, _FLOCK32), 7: (7, _FLOCK32),
    _F_GETLK64: (5, _FLOCK64), _F_SETLK64: (6, _FLOCK64), _F_SETLKW64: (7, _FLOCK64),
    36: (36, _FLOCK64), 37: (37, _FLOCK64), 38: (38, _FLOCK64),
}  # fmt: skip
_WAITS = (7, 38)
_LARGEST_BUFFER = 1 << 20
_DIRENT_HEAD, _OLD_DIRENT_HEAD = struct.Struct("<QqHB"), struct.Struct("<IIH")

alias(
    fchown32="fchown", chown32="chown", lchown32="lchown", getgroups32="getgroups", setgroups32="setgroups",
    getuid32="getuid", getgid32="getgid", geteuid32="geteuid", getegid32="getegid", setuid32="setuid",
    setgid32="setgid", setreuid32="setreuid", setregid32="setregid", setresuid32="setresuid",
    getresuid32="getresuid", setresgid32="setresgid", getresgid32="getresgid", setfsuid32="setfsuid",
    setfsgid32="setfsgid",
)  # fmt: skip
converted("utime", POINTER, taken(_TIMES))
converted("utimes", POINTER, taken(TIMES_32))
converted("futimesat", NUMBER, POINTER, taken(TIMES_32))
converted("utimensat", NUMBER, POINTER, taken(TIMES_32), NUMBER)
converted("utimensat_time64", NUMBER, POINTER, taken(TIMES_64), NUMBER, to="utimensat")
converted("truncate", POINTER, SIGNED)
converted("ftruncate", NUMBER, SIGNED)


def pack_stat64(fields: tuple[int, ...]) -> bytes:
    """struct stat64 from the fields of HOST_STAT."""
    device, inode, links, mode, uid, gid, rdev, size, block_size, blocks, *times = fields
    return _STAT64.pack(
        device, inode & 0xFFFF_FFFF, mode, links & 0xFFFF_FFFF, uid, gid, rdev, size, block_size, blocks,
        *(time & 0xFFFF_FFFF for time in times), inode,
    )  # fmt: skip


def pack_old_stat(fields: tuple[int, ...]) -> bytes:
    """The old struct stat from the fields of HOST_STAT; EOVERFLOW where they do not fit."""
    device, inode, links, mode, uid, gid, rdev, size, block_size, blocks, *times = fields
    if size >> 31 or inode >> 32:
        raise OSError(EOVERFLOW, "the file is too large for this call")
    narrow = (value if value < 1 << 16 else 0xFFFE for value in (uid, gid))
    return _OLD_STAT.pack(
        device & 0xFFFF_FFFF, inode, mode, links & 0xFFFF, *narrow, rdev & 0xFFFF_FFFF, size, block_size,
        blocks & 0xFFFF_FFFF, *(time & 0xFFFF_FFFF for time in times),
    )  # fmt: skip


_Packer = Callable[[tuple[int, ...]], bytes]


def _status(task: Task, pack: _Packer, directory: int, path: int, buffer: int, flags: int) -> int:
    """fstatat(2) of the host, in the guest's layout; without a path, of a descriptor."""
    area = ctypes.create_string_buffer(HOST_STAT.size)
    if path:
        pointer, _keep = host_path(task, path)
        if flags & AT_EMPTY_PATH and task.process.descriptors.is_private(signed32(directory)):
            return -EBADF
        result = host.call(HOST["newfstatat"], directory, pointer, ctypes.addressof(area), flags)
    else:
        if task.process.descriptors.is_private(signed32(directory)):
            return -EBADF
        result = host.call(HOST["fstat"], directory, ctypes.addressof(area))
    if result >= 0:
        task.window.write(buffer, pack(HOST_STAT.unpack(area.raw)))
    return result


def _declare_status(suffix: str, pack: _Packer) -> None:
    @syscall(f"stat{suffix}", compat=True)
    def by_name(task: Task, path: int, buffer: int) -> int:
        return _status(task, pack, _AT_FDCWD, path, buffer, 0) if path else -EFAULT

    @syscall(f"lstat{suffix}", compat=True)
    def link_by_name(task: Task, path: int, buffer: int) -> int:
        return _status(task, pack, _AT_FDCWD, path, buffer, _AT_SYMLINK_NOFOLLOW) if path else -EFAULT

    @syscall(f"fstat{suffix}", compat=True)
    def by_descriptor(task: Task, descriptor: int, buffer: int) -> int:
        return _status(task, pack, descriptor, 0, buffer, 0)


_declare_status("64", pack_stat64)
_declare_status("", pack_old_stat)


@syscall("fstatat64", compat=True)
def fstatat64(task: Task, directory: int, path: int, buffer: int, flags: int) -> int:
    """fstatat(2)."""
    return _status(task, pack_stat64, directory, path, buffer, flags) if path else -EFAULT


def _file_system(task: Task, number: int, what: int, layout: struct.Struct, buffer: int) -> int:
    """statfs(2) or fstatfs(2) of the host, in one of the guest's layouts."""
    area = ctypes.create_string_buffer(_HOST_STATFS.size)
    result = host.call(number, what, ctypes.addressof(area))
    return store_file_system(task, area.raw, layout, buffer) if result >= 0 else result


def store_file_system(task: Task, status: bytes, layout: struct.Struct, buffer: int) -> int:
    """Store the host's struct statfs in one of the guest's layouts."""
    fields = _HOST_STATFS.unpack(status)
    if layout is STATFS and any(count >> 32 for count in fields[2:7]):
        return -EOVERFLOW
    task.window.write(buffer, layout.pack(*fields))
    return 0


@syscall("statfs64", compat=True)
def statfs64(task: Task, path: int, size: int, buffer: int) -> int:
    """statfs(2), whose structure's size is told."""
    pointer, _keep = host_path(task, path)
    return _file_system(task, HOST["statfs"], pointer, STATFS64, buffer) if size == STATFS64.size else -EINVAL


@syscall("fstatfs64", compat=True)
def fstatfs64(task: Task, descriptor: int, size: int, buffer: int) -> int:
    """fstatfs(2)."""
    known = size == STATFS64.size
    return _file_system(task, HOST["fstatfs"], descriptor, STATFS64, buffer) if known else -EINVAL


@syscall("statfs", compat=True)
def statfs(task: Task, path: int, buffer: int) -> int:
    """statfs(2) in its old size."""
    pointer, _keep = host_path(task, path)
    return _file_system(task, HOST["statfs"], pointer, STATFS, buffer)


@syscall("fstatfs", compat=True)
def fstatfs(task: Task, descriptor: int, buffer: int) -> int:
    """fstatfs(2) in its old size."""
    return _file_system(task, HOST["fstatfs"], descriptor, STATFS, buffer)


@syscall("truncate64", compat=True)
def truncate64(task: Task, path: int, low: int, high: int) -> int:
    """truncate(2)."""
    return host.call(HOST["truncate"], task.window.host_pointer(path), wide(low, high))


@syscall("ftruncate64", compat=True)
def ftruncate64(task: Task, descriptor: int, low: int, high: int) -> int:
    """ftruncate(2)."""
    return host.call(HOST["ftruncate"], descriptor, wide(low, high))


@syscall("fcntl", "fcntl64", compat=True)
def fcntl(task: Task, descriptor: int, command: int, argument: int) -> int:
    """fcntl(2): locks have two layouts, all else is as in 64-bit programs."""
    lock = _LOCKS.get(signed32(command))
    if lock is None:
        return descriptors.fcntl(task, descriptor, command, argument)
    number, layout = lock
    if not argument:
        return -EFAULT
    address, area = host_area(layout.read(task, argument))
    call = task.blocking_call if number in _WAITS else host.call
    result = call(HOST["fcntl"], descriptor, number, address)
    if result >= 0 and number in (5, 36):  # F_GETLK and its like
        try:
            layout.write(task, argument, area.raw)
        except struct.error:
            return -EOVERFLOW
    return result


# --- directories ------------------------------------------------------------------------------------------------------
def _entries(task: Task, descriptor: int, size: int) -> tuple[int, list[tuple[int, int, bytes, int]]]:
    """What getdents64(2) of the host gives for a buffer of so many bytes: (inode, place, name, type) of each entry.

    File systems take 64 bits for places in a directory, of programs with 64-bit words; a place is a number for it.
    """
    area = ctypes.create_string_buffer(min(size, _LARGEST_BUFFER))
    count = host.call(HOST["getdents64"], descriptor, ctypes.addressof(area), len(area))
    hidden = procfs.hidden(task, signed32(descriptor))
    entries, at = [], 0
    while at < count:
        inode, offset, length, kind = _DIRENT_HEAD.unpack_from(area, at)
        name = area.raw[at + _DIRENT_HEAD.size : at + length].split(b"\0", 1)[0]
        if hidden is None or not hidden(name):
            entries.append((inode, task.process.directory_places.number(offset), name, kind))
        at += length
    return count, entries


@syscall("getdents64", compat=True)
def getdents64(task: Task, descriptor: int, buffer: int, size: int) -> int:
    """getdents64(2)."""
    count, entries = _entries(task, descriptor, size)
    packed = bytearray()
    for inode, place, name, kind in entries:
        room = _DIRENT_HEAD.size + len(name) + 1 + 7 & ~7
        packed += (_DIRENT_HEAD.pack(inode, place, room, kind) + name).ljust(room, b"\0")
    if packed:
        task.window.write(buffer, bytes(packed))
    return len(packed) if count >= 0 else count


@syscall("getdents", compat=True)
def getdents(task: Task, descriptor: int, buffer: int, size: int) -> int:
    """getdents(2), of whose entries those of 64 bits are always longer."""
    count, entries = _entries(task, descriptor, size)
    packed = bytearray()
    for inode, place, name, kind in entries:
        room = _OLD_DIRENT_HEAD.size + len(name) + 2 + 3 & ~3
        head = _OLD_DIRENT_HEAD.pack(inode & 0xFFFF_FFFF, place, room)
        packed += (head + name).ljust(room - 1, b"\0") + bytes([kind])
    if packed:
        task.window.write(buffer, bytes(packed))
    return len(packed) if count >= 0 else count


def _seek(task: Task, descriptor: int, offset: int, origin: int) -> int:
    """lseek(2); in a directory, to a place that `_entries` told."""
    places = task.process.directory_places
    if origin == os.SEEK_SET and places.is_number(offset) and stat.S_ISDIR(os.fstat(signed32(descriptor)).st_mode):
        position = host.call(HOST["lseek"], descriptor, places.offset(offset), origin)
        return offset if position >= 0 else position
    return host.call(HOST["lseek"], descriptor, offset, origin)


@syscall("lseek", compat=True)
def lseek(task: Task, descriptor: int, offset: int, origin: int) -> int:
    """lseek(2)."""
    return _seek(task, descriptor, signed_word(offset), origin)


@syscall("_llseek", compat=True)
def llseek(task: Task, descriptor: int, high: int, low: int, result: int, origin: int) -> int:
    """llseek(2): lseek(2) with an offset of 64 bits, and a place for the new one."""
    position = _seek(task, descriptor, wide(low, high), origin)
    if position < 0:
        return position
    task.window.write_u64(result, position)
    return 0
