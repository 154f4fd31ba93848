"""Files by name, for confined processes: open(2), stat(2), access(2), readlink(2), and what changes them.

Whatever was found is passed to the host's kernel by its descriptor.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from errno import EACCES, EEXIST, EFAULT, EINVAL, EISDIR, ELOOP, ENOENT, ENOSYS, ENOTDIR, EOPNOTSUPP
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host, procfs
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.files import HOW, read_how
from metaphrase.machines.linux.calls.table import signed32
from metaphrase.machines.linux.confinement import overlay
from metaphrase.machines.linux.confinement.declare import confined, of
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal, refused
from metaphrase.machines.linux.confinement.tree import ASIDE, USED, Place, Walk, by_descriptor, path_of
from metaphrase.machines.linux.policy import Access

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, _AT_EACCESS = -100, 0x100, 0x1000, 0x200
_O_TMPFILE = 0o20200000
_STAT_SIZE, _STATX_SIZE, _STATFS_SIZE = 144, 256, 120
_IN_DONT_FOLLOW = 0x0200_0000
_F_DUPFD, _F_DUPFD_CLOEXEC = 0, 1030
#: What a file is opened again with, which was found without these.
_FOUND_ALREADY = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_TIMES, _OLD_TIMES, _SECONDS = struct.Struct("<4q"), struct.Struct("<4q"), struct.Struct("<2q")


def read_path(task: Task, address: int) -> bytes:
    """A path in the guest's memory."""
    return task.window.read_cstring(address, host.PATH_MAX)


class At:
    """What a descriptor and a path name, as the calls that end with `at` have it: a context manager.

    `flags` may hold AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW. Gives the walk and the place.
    """

    def __init__(self, task: Task, directory: int, path: int, flags: int = 0, *, looks: bool = True) -> None:
        self._confinement = of(task)
        name = read_path(task, path) if path else b""
        if not path and not flags & AT_EMPTY_PATH:
            raise refused(EFAULT)
        self._descriptor = -1
        if not name and flags & AT_EMPTY_PATH:
            if signed32(directory) != AT_FDCWD:
                self._descriptor = self._confinement.descriptors.require(directory)
            name = b"."
        base = () if self._descriptor >= 0 else self._confinement.base(directory, name)
        follow = not flags & AT_SYMLINK_NOFOLLOW and self._descriptor < 0
        self.walk = self._confinement.tree.walk(base, name, follow=follow, looks=looks)

    def __enter__(self) -> tuple[Walk, Place]:
        place = self.walk.__enter__()
        if self._descriptor >= 0:
            place = self.walk.of_descriptor(place, self._descriptor)
        return self.walk, place

    def __exit__(self, *error: object) -> None:
        self.walk.close()


def _own_descriptor(task: Task, directory: int, path: int, flags: int) -> int | None:
    """The descriptor that is meant itself, with AT_EMPTY_PATH and no path."""
    if not flags & AT_EMPTY_PATH or signed32(directory) == AT_FDCWD or (path and read_path(task, path)):
        return None
    return of(task).descriptors.require(directory)


# --- opening ----------------------------------------------------------------------------------------------------------
@confined("openat")
def openat(task: Task, directory: int, path: int, flags: int, mode: int) -> int:
    """openat(2)."""
    if flags & _O_TMPFILE == _O_TMPFILE:
        return -EOPNOTSUPP
    exclusive = bool(flags & os.O_CREAT and flags & os.O_EXCL)
    nofollow = AT_SYMLINK_NOFOLLOW if exclusive or flags & os.O_NOFOLLOW else 0
    if not path:
        return -EFAULT
    with At(task, directory, path, nofollow) as (walk, place):
        if place.status is None:
            if not flags & os.O_CREAT:
                return -ENOENT
            if walk.wants_folder:
                return -EISDIR
            folder = overlay.folder_for(walk, place)
            name, _keep = host.string(place.name)
            descriptor = task.blocking_call(HOST["openat"], folder, name, flags | os.O_NOFOLLOW, mode)
        else:
            if exclusive:
                return -EEXIST
            descriptor = _open(task, walk, place, flags)
    if descriptor < 0:
        return descriptor
    lowest = _lowest(descriptor, _F_DUPFD_CLOEXEC if flags & os.O_CLOEXEC else _F_DUPFD)
    return of(task).descriptors.opened(procfs.guest_view(task, lowest, flags))


@confined("openat2")
def openat2(task: Task, directory: int, path: int, pointer: int, size: int) -> int:
    """openat2(2), as far as it is openat(2). Programs do without the rest."""
    data = read_how(task, pointer, size)
    if not data:
        return -EFAULT if size == HOW.size else -EINVAL
    flags, mode, resolve = HOW.unpack_from(data)
    if resolve or any(data[HOW.size :]):
        return -ENOSYS
    if flags >> 32 or mode & ~0o7777 or (mode and not flags & (os.O_CREAT | _O_TMPFILE)):
        return -EINVAL
    return openat(task, directory, path, flags, mode)


def _lowest(descriptor: int, duplicate: int) -> int:
    """The same with the lowest number that is free, which those had that it was found by."""
    other = host.call(HOST["fcntl"], descriptor, duplicate, 0)
    if other < 0:
        return descriptor
    os.close(max(descriptor, other))
    return min(descriptor, other)


@confined("open")
def open_(task: Task, path: int, flags: int, mode: int) -> int:
    """open(2)."""
    return openat(task, AT_FDCWD, path, flags, mode)


@confined("creat")
def creat(task: Task, path: int, mode: int) -> int:
    """creat(2)."""
    return openat(task, AT_FDCWD, path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)


def _open(task: Task, walk: Walk, place: Place, flags: int) -> int:
    """Open what was found."""
    if flags & os.O_DIRECTORY and not place.is_folder:
        return -ENOTDIR
    if flags & os.O_PATH:
        return host.call(HOST["fcntl"], place.top, _F_DUPFD_CLOEXEC if flags & os.O_CLOEXEC else _F_DUPFD, 0)
    if place.kind == stat.S_IFLNK:
        return -ELOOP
    writes = flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_TRUNC
    if place.is_folder and (writes or flags & os.O_CREAT):
        return -EISDIR
    if place.descriptor >= 0:
        _require_same_access(place.descriptor, flags)
    elif place.kind not in (stat.S_IFREG, stat.S_IFDIR) and place.access not in USED and not place.is_upper:
        raise PolicyRefusal(EACCES, path_of(place.names), "a device, pipe or socket takes `use`")
    elif writes and place.access is not Access.USE:
        overlay.changeable(walk, place, empty=bool(flags & os.O_TRUNC))
    pointer, _keep = host.string(by_descriptor(place.top))
    return task.blocking_call(HOST["open"], pointer, flags & ~_FOUND_ALREADY, 0)


def _require_same_access(descriptor: int, flags: int) -> None:
    """What has no name may be opened once more for what its descriptor is good for."""
    had = host.check(host.call(HOST["fcntl"], descriptor, 3))  # F_GETFL
    access, wanted = had & os.O_ACCMODE, flags & os.O_ACCMODE
    if flags & os.O_TRUNC and wanted == os.O_RDONLY:
        wanted = os.O_RDWR
    appends = had & os.O_APPEND and wanted != os.O_RDONLY and (not flags & os.O_APPEND or flags & os.O_TRUNC)
    if had & os.O_PATH or (access not in (os.O_RDWR, wanted)) or appends:
        raise PolicyRefusal(EACCES, f"descriptor {descriptor}", "it was not opened for that")


# --- looking ----------------------------------------------------------------------------------------------------------
def status_of(task: Task, directory: int, path: int, flags: int) -> bytes:
    """fstatat(2): the host's struct stat."""
    area = ctypes.create_string_buffer(_STAT_SIZE)
    descriptor = _own_descriptor(task, directory, path, flags)
    if descriptor is not None:
        host.check(host.call(HOST["fstat"], descriptor, ctypes.addressof(area)))
        return area.raw
    with At(task, directory, path, flags) as (_, place):
        place.require()
        empty, _keep = host.string(b"")
        host.check(host.call(HOST["newfstatat"], place.top, empty, ctypes.addressof(area), AT_EMPTY_PATH))
    return area.raw


def _store_status(task: Task, buffer: int, status: bytes) -> int:
    convert = task.abi.convert_stat
    task.window.write(buffer, status if convert is None else convert(status))
    return 0


@confined("newfstatat")
def newfstatat(task: Task, directory: int, path: int, buffer: int, flags: int) -> int:
    """fstatat(2)."""
    return _store_status(task, buffer, status_of(task, directory, path, flags))


@confined("stat")
def stat_(task: Task, path: int, buffer: int) -> int:
    """stat(2)."""
    return _store_status(task, buffer, status_of(task, AT_FDCWD, path, 0))


@confined("lstat")
def lstat(task: Task, path: int, buffer: int) -> int:
    """lstat(2)."""
    return _store_status(task, buffer, status_of(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW))


@confined("statx")
def statx(task: Task, directory: int, path: int, flags: int, mask: int, buffer: int) -> int:
    """statx(2)."""
    area = ctypes.create_string_buffer(_STATX_SIZE)
    empty, _keep = host.string(b"")
    descriptor = _own_descriptor(task, directory, path, flags)
    if descriptor is not None:
        host.check(host.call(HOST["statx"], descriptor, empty, flags, mask, ctypes.addressof(area)))
    else:
        with At(task, directory, path, flags) as (_, place):
            place.require()
            flags |= AT_EMPTY_PATH
            host.check(host.call(HOST["statx"], place.top, empty, flags, mask, ctypes.addressof(area)))
    task.window.write(buffer, area.raw)
    return 0


@confined("faccessat2")
def faccessat2(task: Task, directory: int, path: int, mode: int, flags: int) -> int:
    """faccessat(2). What can be copied can be written."""
    mode = signed32(mode)
    with At(task, directory, path, flags) as (_, place):
        place.require()
        if mode & os.W_OK and place.descriptor < 0 and place.kind != stat.S_IFLNK:
            if place.access in (Access.READ, Access.HIDDEN):
                raise place.read_only()
            if place.access in ASIDE and not place.is_upper:
                mode &= ~os.W_OK
        empty, _keep = host.string(b"")
        return host.call(HOST["faccessat2"], place.top, empty, mode, AT_EMPTY_PATH | flags & _AT_EACCESS)


@confined("faccessat")
def faccessat(task: Task, directory: int, path: int, mode: int) -> int:
    """faccessat(2)."""
    return faccessat2(task, directory, path, mode, 0)


@confined("access")
def access(task: Task, path: int, mode: int) -> int:
    """access(2)."""
    return faccessat2(task, AT_FDCWD, path, mode, 0)


@confined("readlinkat")
def readlinkat(task: Task, directory: int, path: int, buffer: int, size: int) -> int:
    """readlink(2)."""
    size = signed32(size)
    if size <= 0:
        return -EINVAL
    # An empty path is the descriptor itself, without a flag.
    with At(task, directory, path, AT_SYMLINK_NOFOLLOW | (AT_EMPTY_PATH if path else 0)) as (walk, place):
        place.require()
        if place.kind != stat.S_IFLNK:
            return -EINVAL
        target = walk.tree.target(place)[:size]
    task.window.write(buffer, target)
    return len(target)


@confined("readlink")
def readlink(task: Task, path: int, buffer: int, size: int) -> int:
    """readlink(2)."""
    return readlinkat(task, AT_FDCWD, path, buffer, size)


def file_system_of(task: Task, path: int) -> bytes:
    """statfs(2): the host's struct statfs."""
    area = ctypes.create_string_buffer(_STATFS_SIZE)
    with At(task, AT_FDCWD, path) as (_, place):
        place.require()
        host.check(host.call(HOST["fstatfs"], place.top, ctypes.addressof(area)))
    return area.raw


@confined("statfs")
def statfs(task: Task, path: int, buffer: int) -> int:
    """statfs(2)."""
    task.window.write(buffer, file_system_of(task, path))
    return 0


@confined("inotify_add_watch")
def inotify_add_watch(task: Task, descriptor: int, path: int, mask: int) -> int:
    """inotify_add_watch(2)."""
    of(task).descriptors.require(descriptor)
    with At(task, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW if mask & _IN_DONT_FOLLOW else 0) as (_, place):
        place.require()
        pointer, _keep = host.string(by_descriptor(place.top))
        return host.call(HOST["inotify_add_watch"], descriptor, pointer, mask & ~_IN_DONT_FOLLOW)


# --- changing ---------------------------------------------------------------------------------------------------------
def change_times(task: Task, directory: int, path: int, times: bytes | None, flags: int) -> int:
    """utimensat(2), with two times of seconds and nanoseconds; without a path, of the descriptor."""
    with At(task, directory, path, flags if path else flags | AT_EMPTY_PATH) as (walk, place):
        target, _keep = host.string(by_descriptor(overlay.changeable(walk, place)))
        area, _keep_too = host.string(times) if times is not None else (0, None)
        return host.call(HOST["utimensat"], AT_FDCWD, target, area, 0)


@confined("utimensat")
def utimensat(task: Task, directory: int, path: int, times: int, flags: int) -> int:
    """utimensat(2)."""
    return change_times(task, directory, path, task.window.read(times, _TIMES.size) if times else None, flags)


@confined("futimesat")
def futimesat(task: Task, directory: int, path: int, times: int) -> int:
    """futimesat(2): times in microseconds."""
    data = None
    if times:
        first, micro, second, micro_too = _OLD_TIMES.unpack(task.window.read(times, _OLD_TIMES.size))
        if not (0 <= micro < 10**6 and 0 <= micro_too < 10**6):
            return -EINVAL
        data = _TIMES.pack(first, micro * 1000, second, micro_too * 1000)
    return change_times(task, directory, path, data, 0)


@confined("utimes")
def utimes(task: Task, path: int, times: int) -> int:
    """utimes(2)."""
    return futimesat(task, AT_FDCWD, path, times) if path else -EFAULT


@confined("utime")
def utime(task: Task, path: int, times: int) -> int:
    """utime(2): times in seconds."""
    if not path:
        return -EFAULT
    data = None
    if times:
        first, second = _SECONDS.unpack(task.window.read(times, _SECONDS.size))
        data = _TIMES.pack(first, 0, second, 0)
    return change_times(task, AT_FDCWD, path, data, 0)


def cut(task: Task, path: int, size: int) -> int:
    """truncate(2)."""
    with At(task, AT_FDCWD, path) as (walk, place):
        if place.is_folder:
            return -EISDIR
        target, _keep = host.string(by_descriptor(overlay.changeable(walk, place)))
        return host.call(HOST["truncate"], target, size)


@confined("truncate")
def truncate(task: Task, path: int, size: int) -> int:
    """truncate(2)."""
    return cut(task, path, size)


@confined("fchmodat")
def fchmodat(task: Task, directory: int, path: int, mode: int) -> int:
    """fchmodat(2)."""
    return _change_mode(task, directory, path, mode, 0)


@confined("chmod")
def chmod(task: Task, path: int, mode: int) -> int:
    """chmod(2)."""
    return _change_mode(task, AT_FDCWD, path, mode, 0)


@confined("fchmod")
def fchmod(task: Task, descriptor: int, mode: int) -> int:
    """fchmod(2)."""
    of(task).descriptors.require(descriptor)
    return _change_mode(task, descriptor, 0, mode, AT_EMPTY_PATH)


def _change_mode(task: Task, directory: int, path: int, mode: int, flags: int) -> int:
    with At(task, directory, path, flags) as (walk, place):
        target, _keep = host.string(by_descriptor(overlay.changeable(walk, place)))
        return host.call(HOST["chmod"], target, mode)


@confined("fchownat")
def fchownat(task: Task, directory: int, path: int, user: int, group: int, flags: int) -> int:
    """fchownat(2)."""
    with At(task, directory, path, flags) as (walk, place):
        target = overlay.changeable(walk, place)
        empty, _keep = host.string(b"")
        return host.call(HOST["fchownat"], target, empty, user, group, AT_EMPTY_PATH)


@confined("chown")
def chown(task: Task, path: int, user: int, group: int) -> int:
    """chown(2)."""
    return fchownat(task, AT_FDCWD, path, user, group, 0)


@confined("lchown")
def lchown(task: Task, path: int, user: int, group: int) -> int:
    """lchown(2)."""
    return fchownat(task, AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW)


@confined("fchown")
def fchown(task: Task, descriptor: int, user: int, group: int) -> int:
    """fchown(2)."""
    of(task).descriptors.require(descriptor)
    return fchownat(task, descriptor, 0, user, group, AT_EMPTY_PATH)
