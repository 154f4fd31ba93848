"""Making, moving and removing names, for confined processes: mkdir(2), link(2), rename(2), unlink(2)."""

from __future__ import annotations

import os
import stat
from errno import EEXIST, EINVAL, ENOENT, ENOTEMPTY, EPERM
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.confinement import overlay
from metaphrase.machines.linux.confinement.declare import confined
from metaphrase.machines.linux.confinement.files import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    At,
    read_path,
)
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal
from metaphrase.machines.linux.confinement.tree import path_of

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_AT_REMOVEDIR, _AT_SYMLINK_FOLLOW = 0x200, 0x400
_MAKEABLE = (0, stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK)


@confined("mkdirat")
def mkdirat(task: Task, directory: int, path: int, mode: int) -> int:
    """mkdir(2)."""
    with At(task, directory, path, AT_SYMLINK_NOFOLLOW, looks=False) as (walk, place):
        folder = overlay.folder_for(walk, place)
        name, _keep = host.string(place.name)
        return host.call(HOST["mkdirat"], folder, name, mode)


@confined("mkdir")
def mkdir(task: Task, path: int, mode: int) -> int:
    """mkdir(2)."""
    return mkdirat(task, AT_FDCWD, path, mode)


@confined("mknodat")
def mknodat(task: Task, directory: int, path: int, mode: int, device: int) -> int:
    """mknod(2). Devices would be the host's."""
    with At(task, directory, path, AT_SYMLINK_NOFOLLOW, looks=False) as (walk, place):
        if stat.S_IFMT(mode & 0xFFFF) not in _MAKEABLE:
            raise PolicyRefusal(EPERM, path_of(place.names), "a guest makes no devices")
        folder = overlay.folder_for(walk, place)
        name, _keep = host.string(place.name)
        return host.call(HOST["mknodat"], folder, name, mode, 0)


@confined("mknod")
def mknod(task: Task, path: int, mode: int, device: int) -> int:
    """mknod(2)."""
    return mknodat(task, AT_FDCWD, path, mode, device)


@confined("symlinkat")
def symlinkat(task: Task, target: int, directory: int, path: int) -> int:
    """symlink(2). A link may say anything: it is followed from the guest's root."""
    text = read_path(task, target)
    if not text:
        return -ENOENT
    with At(task, directory, path, AT_SYMLINK_NOFOLLOW, looks=False) as (walk, place):
        if walk.wants_folder:
            return -EEXIST if place.status is not None else -ENOENT
        os.symlink(text, place.name, dir_fd=overlay.folder_for(walk, place))
    return 0


@confined("symlink")
def symlink(task: Task, target: int, path: int) -> int:
    """symlink(2)."""
    return symlinkat(task, target, AT_FDCWD, path)


@confined("linkat")
def linkat(task: Task, old_directory: int, old: int, new_directory: int, new: int, flags: int) -> int:
    """link(2)."""
    if flags & ~(_AT_SYMLINK_FOLLOW | AT_EMPTY_PATH):
        return -EINVAL
    how = (0 if flags & _AT_SYMLINK_FOLLOW else AT_SYMLINK_NOFOLLOW) | flags & AT_EMPTY_PATH
    with At(task, old_directory, old, how, looks=False) as (walk, source):
        with At(task, new_directory, new, AT_SYMLINK_NOFOLLOW, looks=False) as (new_walk, target):
            overlay.make_link(walk, source, new_walk, target)
    return 0


@confined("link")
def link(task: Task, old: int, new: int) -> int:
    """link(2)."""
    return linkat(task, AT_FDCWD, old, AT_FDCWD, new, 0)


@confined("unlinkat")
def unlinkat(task: Task, directory: int, path: int, flags: int) -> int:
    """unlink(2), and rmdir(2) with AT_REMOVEDIR."""
    if flags & 0xFFFF_FFFF & ~_AT_REMOVEDIR:
        return -EINVAL
    folder = bool(flags & _AT_REMOVEDIR)
    name = read_path(task, path)
    # The last name itself is meant, which `.` and `..` are not.
    last = name.rstrip(b"/").rpartition(b"/")[2]
    if folder and last in (b".", b".."):
        return -EINVAL if last == b"." else -ENOTEMPTY
    with At(task, directory, path, AT_SYMLINK_NOFOLLOW, looks=False) as (walk, place):
        overlay.remove(walk, place, folder=folder)
    return 0


@confined("unlink")
def unlink(task: Task, path: int) -> int:
    """unlink(2)."""
    return unlinkat(task, AT_FDCWD, path, 0)


@confined("rmdir")
def rmdir(task: Task, path: int) -> int:
    """rmdir(2)."""
    return unlinkat(task, AT_FDCWD, path, _AT_REMOVEDIR)


@confined("renameat2")
def renameat2(task: Task, old_directory: int, old: int, new_directory: int, new: int, flags: int) -> int:
    """renameat2(2)."""
    with At(task, old_directory, old, AT_SYMLINK_NOFOLLOW, looks=False) as (walk, source):
        with At(task, new_directory, new, AT_SYMLINK_NOFOLLOW, looks=False) as (new_walk, target):
            overlay.rename(walk, source, new_walk, target, flags & 0xFFFF_FFFF)
    return 0


@confined("renameat")
def renameat(task: Task, old_directory: int, old: int, new_directory: int, new: int) -> int:
    """renameat(2)."""
    return renameat2(task, old_directory, old, new_directory, new, 0)


@confined("rename")
def rename(task: Task, old: int, new: int) -> int:
    """rename(2)."""
    return renameat2(task, AT_FDCWD, old, AT_FDCWD, new, 0)
