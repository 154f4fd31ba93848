"""Folders, for confined processes: chdir(2), getcwd(2), getdents(2).

What a folder shows may come from two of the host's, and lack what the policy hides: then a list is made when it is read
from its beginning, and places in it are numbers of entries.
"""

from __future__ import annotations

import os
import stat
import struct
from errno import EINVAL, ENOENT, ENOTDIR, ERANGE
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import signed32, signed64
from metaphrase.machines.linux.confinement.declare import confined, of
from metaphrase.machines.linux.confinement.files import AT_FDCWD, At
from metaphrase.machines.linux.confinement.tree import by_descriptor, path_of

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_HEAD, _OLD_HEAD, _OLD_HEAD_32 = struct.Struct("<QqHB"), struct.Struct("<QQH"), struct.Struct("<IIH")


def _fill(task: Task, descriptor: int, buffer: int, size: int, head: struct.Struct) -> int:
    """Store as many entries as fit, in one of three layouts."""
    confinement = of(task)
    descriptor = confinement.descriptors.require(descriptor)
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        return -ENOTDIR
    listing = confinement.listings.of(confinement.tree, descriptor)
    packed = bytearray()
    place = listing.place
    while place < len(listing.entries):
        inode, kind, name = listing.entries[place]
        place += 1
        if head is _HEAD:
            room = head.size + len(name) + 1 + 7 & ~7
            entry = (head.pack(inode, place, room, kind) + name).ljust(room, b"\0")
        else:
            alignment = 8 if head is _OLD_HEAD else 4
            room = head.size + len(name) + 2 + alignment - 1 & -alignment
            narrow = inode if head is _OLD_HEAD else inode & 0xFFFF_FFFF
            entry = (head.pack(narrow, place, room) + name).ljust(room - 1, b"\0") + bytes([kind])
        if len(packed) + room > size:
            if not packed:
                return -EINVAL
            break
        packed += entry
        listing.place = place
    if packed:
        task.window.write(buffer, bytes(packed))
    return len(packed)


@confined("getdents64")
@confined("getdents64", compat=True)
def getdents64(task: Task, descriptor: int, buffer: int, size: int) -> int:
    """getdents64(2)."""
    return _fill(task, descriptor, buffer, size & 0xFFFF_FFFF, _HEAD)


@confined("getdents")
def getdents(task: Task, descriptor: int, buffer: int, size: int) -> int:
    """getdents(2)."""
    return _fill(task, descriptor, buffer, size & 0xFFFF_FFFF, _OLD_HEAD)


@confined("getdents", compat=True)
def getdents_32(task: Task, descriptor: int, buffer: int, size: int) -> int:
    """getdents(2), of words of 32 bits."""
    return _fill(task, descriptor, buffer, size, _OLD_HEAD_32)


def seek(task: Task, descriptor: int, offset: int, origin: int) -> int:
    """lseek(2), in folders to the numbers of entries."""
    confinement = of(task)
    descriptor, origin = confinement.descriptors.require(descriptor), signed32(origin)
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        return host.call(HOST["lseek"], descriptor, offset, origin)
    listing = confinement.listings.of(confinement.tree, descriptor)
    starts = {os.SEEK_SET: 0, os.SEEK_CUR: listing.place, os.SEEK_END: len(listing.entries)}
    if origin not in starts or starts[origin] + offset < 0:
        return -EINVAL
    place = starts[origin] + offset
    if place == 0 and origin == os.SEEK_SET:
        confinement.listings.forget(descriptor)  # rewinddir sees what was made meanwhile
    else:
        listing.place = place
    return place


@confined("lseek")
def lseek(task: Task, descriptor: int, offset: int, origin: int) -> int:
    """lseek(2)."""
    return seek(task, descriptor, signed64(offset), origin)


# --- the working directory --------------------------------------------------------------------------------------------
@confined("chdir")
def chdir(task: Task, path: int) -> int:
    """chdir(2). The host's own working directory stays as it is."""
    with At(task, AT_FDCWD, path) as (walk, place):
        place.require()
        if not place.is_folder:
            return -ENOTDIR
        pointer, _keep = host.string(by_descriptor(place.top))
        host.check(host.call(HOST["access"], pointer, os.X_OK))
        walk.tree.working_directory = place.names
    return 0


@confined("fchdir")
def fchdir(task: Task, descriptor: int) -> int:
    """fchdir(2)."""
    confinement = of(task)
    confinement.tree.working_directory = confinement.base(confinement.descriptors.require(descriptor), b".")
    return 0


@confined("getcwd")
def getcwd(task: Task, buffer: int, size: int) -> int:
    """getcwd(2)."""
    tree = of(task).tree
    with tree.walk((), path_of(tree.working_directory), follow=False, looks=False, quiet=True) as place:
        if not place.is_folder:
            return -ENOENT
    path = path_of(tree.working_directory) + b"\0"
    if len(path) > size:
        return -ERANGE
    task.window.write(buffer, path)
    return len(path)
