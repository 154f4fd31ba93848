"""Changing what a confined guest sees: in place where its policy lets it, in the scratch folder otherwise.

All functions take places that a walk found, and the walk, which closes what is opened.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from errno import EACCES, EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal, refused
from metaphrase.machines.linux.confinement.tree import ASIDE, Place, Walk, by_descriptor, path_of
from metaphrase.machines.linux.policy import Access

RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_DEEPEST = 40
"""Levels of folders that are copied for a rename; deeper ones are the guest's to copy."""


# --- copying up -------------------------------------------------------------------------------------------------------
def upper_folder(walk: Walk, place: Place) -> int:
    """The scratch folder's own folder for one that the guest sees, which is made if there is none: a descriptor."""
    if place.upper >= 0:
        return place.upper
    assert place.parent is not None
    parent = upper_folder(walk, place.parent)
    with suppress(FileExistsError):
        os.mkdir(place.name, 0o700, dir_fd=parent)
        made = walk.keep(os.open(place.name, _FOLDER, dir_fd=parent))
        if place.lower >= 0:
            status = os.fstat(place.lower)
            _make_alike(made, status, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
    place.upper = walk.keep(os.open(place.name, _FOLDER, dir_fd=parent))
    return place.upper


def _make_alike(descriptor: int, status: os.stat_result, mode: int) -> None:
    """Owner, mode and times of what was copied, as far as the caller may set them."""
    path = by_descriptor(descriptor)
    if os.geteuid() == 0:
        os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def copy_up(walk: Walk, place: Place, *, empty: bool = False) -> None:
    """Have a copy in the scratch folder of what is there; `empty` for a file that is about to be cut to nothing."""
    if place.is_upper:
        return
    assert place.parent is not None
    status = place.require()
    parent = upper_folder(walk, place.parent)
    if place.is_folder:
        upper_folder(walk, place)
    elif place.kind == stat.S_IFLNK:
        with suppress(FileExistsError):
            os.symlink(os.readlink(b"", dir_fd=place.lower), place.name, dir_fd=parent)
    elif place.kind == stat.S_IFREG:
        _copy_file(walk, place, status, parent, empty)
    else:
        raise PolicyRefusal(EACCES, path_of(place.names), "it is no file that can be copied")
    if place.upper < 0:
        place.upper = walk.keep(os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent))
    place.status = os.fstat(place.upper)


def _copy_file(walk: Walk, place: Place, status: os.stat_result, parent: int, empty: bool) -> None:
    source = os.open(by_descriptor(place.lower), os.O_RDONLY | os.O_CLOEXEC)
    try:
        target, path = walk.tree.scratch.temporary()
        try:
            while not empty and os.sendfile(target, source, None, 1 << 30):
                pass
            _make_alike(target, status, stat.S_IMODE(status.st_mode))
            with suppress(FileExistsError):  # another process was quicker
                os.link(path, place.name, dst_dir_fd=parent)
        finally:
            os.close(target)
            os.unlink(path)
    finally:
        os.close(source)


def changeable(walk: Walk, place: Place, *, empty: bool = False) -> int:
    """A descriptor of what is there, to change it by: the host's own, or that of a copy."""
    place.require()
    if place.descriptor >= 0 and place.access not in ASIDE:
        if walk.tree.has_no_name(place.descriptor):
            return place.descriptor
        raise PolicyRefusal(EROFS, f"descriptor {place.descriptor}", "what it is of is none of the guest's files")
    if place.access in ASIDE:
        copy_up(walk, place, empty=empty)
        return place.upper
    if place.access is not Access.WRITE:
        raise place.read_only()
    return place.lower


# --- names ------------------------------------------------------------------------------------------------------------
def folder_for(walk: Walk, place: Place) -> int:
    """The folder that a new name goes into: a descriptor. EEXIST where something is."""
    if place.status is not None:
        raise refused(EEXIST)
    place.require_creatable()
    parent = place.parent
    assert parent is not None
    if place.access is Access.WRITE:
        if parent.lower < 0:
            raise refused(ENOENT)
        return parent.lower
    return upper_folder(walk, parent)


def entries(walk: Walk, place: Place) -> list[tuple[int, int, bytes]]:
    """What a folder shows, without `.` and `..`: (inode, type as getdents has it, name) of each."""
    names: dict[bytes, tuple[int, int]] = {}
    if place.lower >= 0 and (place.shows_lower or place.rule is not None):
        names.update(_host_entries(place.lower))
    if place.is_upper:
        names.update(_host_entries(place.upper))
    ruled = place.rule.beneath if place.rule is not None else {}
    is_plain = place.access in (Access.READ, Access.WRITE) and not walk.tree.proc.chooses(place.names)
    found = []
    for name, (inode, kind) in names.items():
        if is_plain and name not in ruled:
            found.append((inode, kind, name))
            continue
        with Step(walk, place, name) as inner:
            if inner.status is not None:
                found.append((inner.status.st_ino, inner.kind >> 12, name))
    return found


class Step:
    """One name in a folder that was found, looked at for a moment."""

    def __init__(self, walk: Walk, place: Place, name: bytes) -> None:
        self._walk = Walk(walk.tree, (), b"/")
        self._place, self._name = place, name

    def __enter__(self) -> Place:
        return self._walk.child(self._place, self._name)

    def __exit__(self, *error: object) -> None:
        self._walk.close()


def _host_entries(folder: int) -> dict[bytes, tuple[int, int]]:
    """Inodes and types by name of a folder of the host's, given by an O_PATH descriptor; type 0 is unknown."""
    handle = os.open(by_descriptor(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(handle) as found:
            return {os.fsencode(entry.name): (entry.inode(), _kind(entry)) for entry in found}
    finally:
        os.close(handle)


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK >> 12
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR >> 12
    return stat.S_IFREG >> 12 if entry.is_file(follow_symlinks=False) else 0


def remove(walk: Walk, place: Place, *, folder: bool) -> None:
    """unlink(2), or rmdir(2) of a folder."""
    place.require()
    if folder and not place.is_folder:
        raise refused(ENOTDIR)
    if not folder and place.is_folder:
        raise refused(EISDIR)
    if place.is_fixed:
        raise refused(EBUSY)
    parent = place.parent
    assert parent is not None
    if place.access is Access.WRITE:
        (os.rmdir if folder else os.unlink)(place.name, dir_fd=parent.lower)
        return
    if place.access not in ASIDE:
        raise place.read_only()
    if folder and entries(walk, place):
        raise refused(ENOTEMPTY)
    if place.hides_lower:
        walk.tree.scratch.set_gone(place.names)
    if place.is_upper:
        (os.rmdir if folder else os.unlink)(place.name, dir_fd=parent.upper)


def make_link(walk: Walk, old: Place, new_walk: Walk, new: Place) -> None:
    """link(2), within what may be changed alike."""
    old.require()
    if old.is_folder:
        raise refused(EPERM)
    aside = old.access in ASIDE and new.access in ASIDE
    if not aside and not (old.access is new.access is Access.WRITE):
        if new.access in (Access.READ, Access.USE, Access.HIDDEN):
            raise new.read_only()
        raise refused(EEXIST if new.status is not None else EXDEV)
    folder = folder_for(new_walk, new)
    if aside:
        copy_up(walk, old)
    assert old.parent is not None
    source = old.parent.upper if aside else old.parent.lower
    os.link(old.name, new.name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)


def rename(walk: Walk, old: Place, new_walk: Walk, new: Place, flags: int) -> None:
    """renameat2(2)."""
    old.require()
    if flags & ~RENAME_NOREPLACE:
        raise refused(EINVAL)
    if flags & RENAME_NOREPLACE and new.status is not None:
        raise refused(EEXIST)
    if old.is_fixed or new.is_fixed:
        raise refused(EBUSY)
    if old.names == new.names:
        return
    if old.is_folder and new.names[: len(old.names)] == old.names:
        raise refused(EINVAL)
    if new.is_folder and old.names[: len(new.names)] == new.names:
        raise refused(ENOTEMPTY)
    assert old.parent is not None and new.parent is not None
    if old.access is new.access is Access.WRITE:
        (before, _keep), (after, _keep_too) = host.string(old.name), host.string(new.name)
        host.check(host.call(HOST["renameat2"], old.parent.lower, before, new.parent.lower, after, flags))
        return
    for place in (old, new):
        if place.access not in (*ASIDE, Access.WRITE):
            raise place.read_only()
    if old.access is Access.WRITE or new.access is Access.WRITE:
        raise refused(EXDEV)
    if new.status is not None:
        if old.is_folder and not new.is_folder:
            raise refused(ENOTDIR)
        if new.is_folder and not old.is_folder:
            raise refused(EISDIR)
        if new.is_folder and entries(new_walk, new):
            raise refused(ENOTEMPTY)
    _copy_up_all(walk, old, 0)
    folder = upper_folder(new_walk, new.parent)
    if new.hides_lower:
        walk.tree.scratch.set_gone(new.names)
    os.rename(old.name, new.name, src_dir_fd=old.parent.upper, dst_dir_fd=folder)
    if old.hides_lower:
        walk.tree.scratch.set_gone(old.names)


def _copy_up_all(walk: Walk, place: Place, depth: int) -> None:
    """Have a copy of a whole folder, so that it can be moved."""
    if depth > _DEEPEST:
        raise refused(EXDEV)
    copy_up(walk, place)
    if not place.is_folder or not place.shows_lower:
        return
    for _, _, name in entries(walk, place):
        with Step(walk, place, name) as inner:
            if inner.is_fixed:
                raise refused(EBUSY)
            step = Walk(walk.tree, (), b"/")
            try:
                _copy_up_all(step, inner, depth + 1)
            finally:
                step.close()
