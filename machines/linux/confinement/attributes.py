"""Extended attributes, for confined processes: xattr(7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.confinement import overlay
from metaphrase.machines.linux.confinement.declare import confined, of
from metaphrase.machines.linux.confinement.files import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, At
from metaphrase.machines.linux.confinement.tree import by_descriptor

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task


def _get(task: Task, path: int, name: int, buffer: int, size: int, flags: int) -> int:
    window, size = task.window, min(size, host.MAX_TRANSFER)
    window.will_write(buffer, size)
    with At(task, AT_FDCWD, path, flags) as (_, place):
        place.require()
        target, _keep = host.string(by_descriptor(place.top))
        return host.call(HOST["getxattr"], target, window.host_pointer(name), window.host_pointer(buffer), size)


def _list(task: Task, path: int, buffer: int, size: int, flags: int) -> int:
    window, size = task.window, min(size, host.MAX_TRANSFER)
    window.will_write(buffer, size)
    with At(task, AT_FDCWD, path, flags) as (_, place):
        place.require()
        target, _keep = host.string(by_descriptor(place.top))
        return host.call(HOST["listxattr"], target, window.host_pointer(buffer), size)


def _set(task: Task, directory: int, path: int, name: int, data: tuple[int, int], how: int, flags: int) -> int:
    value, size = data
    window, size = task.window, min(size, host.MAX_TRANSFER)
    with At(task, directory, path, flags) as (walk, place):
        target, _keep = host.string(by_descriptor(overlay.changeable(walk, place)))
        pointers = window.host_pointer(name), window.host_pointer(value)
        return host.call(HOST["setxattr"], target, *pointers, size, how)


def _remove(task: Task, directory: int, path: int, name: int, flags: int) -> int:
    with At(task, directory, path, flags) as (walk, place):
        target, _keep = host.string(by_descriptor(overlay.changeable(walk, place)))
        return host.call(HOST["removexattr"], target, task.window.host_pointer(name))


@confined("getxattr")
def getxattr(task: Task, path: int, name: int, buffer: int, size: int) -> int:
    """getxattr(2)."""
    return _get(task, path, name, buffer, size, 0)


@confined("lgetxattr")
def lgetxattr(task: Task, path: int, name: int, buffer: int, size: int) -> int:
    """lgetxattr(2)."""
    return _get(task, path, name, buffer, size, AT_SYMLINK_NOFOLLOW)


@confined("listxattr")
def listxattr(task: Task, path: int, buffer: int, size: int) -> int:
    """listxattr(2)."""
    return _list(task, path, buffer, size, 0)


@confined("llistxattr")
def llistxattr(task: Task, path: int, buffer: int, size: int) -> int:
    """llistxattr(2)."""
    return _list(task, path, buffer, size, AT_SYMLINK_NOFOLLOW)


@confined("setxattr")
def setxattr(task: Task, path: int, name: int, value: int, size: int, how: int) -> int:
    """setxattr(2)."""
    return _set(task, AT_FDCWD, path, name, (value, size), how, 0)


@confined("lsetxattr")
def lsetxattr(task: Task, path: int, name: int, value: int, size: int, how: int) -> int:
    """lsetxattr(2)."""
    return _set(task, AT_FDCWD, path, name, (value, size), how, AT_SYMLINK_NOFOLLOW)


@confined("fsetxattr")
def fsetxattr(task: Task, descriptor: int, name: int, value: int, size: int, how: int) -> int:
    """fsetxattr(2)."""
    of(task).descriptors.require(descriptor)
    return _set(task, descriptor, 0, name, (value, size), how, AT_EMPTY_PATH)


@confined("removexattr")
def removexattr(task: Task, path: int, name: int) -> int:
    """removexattr(2)."""
    return _remove(task, AT_FDCWD, path, name, 0)


@confined("lremovexattr")
def lremovexattr(task: Task, path: int, name: int) -> int:
    """lremovexattr(2)."""
    return _remove(task, AT_FDCWD, path, name, AT_SYMLINK_NOFOLLOW)


@confined("fremovexattr")
def fremovexattr(task: Task, descriptor: int, name: int) -> int:
    """fremovexattr(2)."""
    of(task).descriptors.require(descriptor)
    return _remove(task, descriptor, 0, name, AT_EMPTY_PATH)
