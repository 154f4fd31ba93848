"""The files that a confined guest sees: names are looked up here, one at a time, and never by the host's kernel.

Each step opens a name in a folder that is open already, without following links, so that nothing that changes
meanwhile leads elsewhere; links are read, and gone through from the guest's root. What is found is a descriptor
(O_PATH), by which all else is done. `..` goes back the way that was come, and cannot leave the root.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EACCES, ELOOP, ENOENT, ENOTDIR, EROFS
from types import TracebackType

from metaphrase.machines.linux.confinement.proc import Proc
from metaphrase.machines.linux.confinement.refusals import PolicyRefusal, refused
from metaphrase.machines.linux.confinement.rules import Names, Rule, Rules
from metaphrase.machines.linux.confinement.scratch import Scratch
from metaphrase.machines.linux.policy import Access

_LINKS = 40
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
#: Access that keeps what is changed aside.
ASIDE = (Access.OVERLAY, Access.SCRATCH)
#: Access to what the host's files stand for.
USED = (Access.USE, Access.WRITE)


def path_of(names: Names) -> bytes:
    """A path as text."""
    return b"/" + b"/".join(names)


def by_descriptor(descriptor: int) -> bytes:
    """A path for the host's kernel that leads to what a descriptor is of, whatever becomes of its name."""
    return b"/proc/self/fd/%d" % descriptor


@dataclass
class Place:
    """A name in the guest's tree, and what is there."""

    names: Names
    access: Access
    rule: Rule | None
    parent: Place | None
    #: What the host has there, and what the scratch folder has: descriptors, or -1.
    lower: int = -1
    upper: int = -1
    #: Whether the host's counts; and whether it would, were it not for what the scratch folder has.
    shows_lower: bool = True
    hides_lower: bool = False
    #: Of what counts; None where nothing is.
    status: os.stat_result | None = None
    #: The guest's own descriptor that a link in /proc led to, which has no name in the tree.
    descriptor: int = -1

    @property
    def top(self) -> int:
        """The descriptor of what counts."""
        if self.descriptor >= 0:
            return self.descriptor
        if self.access in ASIDE and self.upper >= 0:
            return self.upper
        return self.lower

    @property
    def is_upper(self) -> bool:
        """Whether it is kept in the scratch folder."""
        return self.access in ASIDE and self.upper >= 0

    @property
    def kind(self) -> int:
        """The type bits of what is there, 0 for nothing."""
        return stat.S_IFMT(self.status.st_mode) if self.status is not None else 0

    @property
    def is_folder(self) -> bool:
        """Whether a folder is there."""
        return self.kind == stat.S_IFDIR

    def require(self) -> os.stat_result:
        """The status of what is there; ENOENT where nothing is."""
        if self.status is None:
            raise refused(ENOENT)
        return self.status

    @property
    def name(self) -> bytes:
        """The last of its names."""
        return self.names[-1] if self.names else b"/"

    @property
    def is_fixed(self) -> bool:
        """Whether the policy speaks of it, or of something beneath: it cannot be moved or removed, as a mount point."""
        return self.rule is not None or self.parent is None

    def read_only(self) -> OSError:
        """The refusal to change it."""
        return PolicyRefusal(EROFS, path_of(self.names), "it can only be read")

    def require_creatable(self) -> None:
        """A name that nothing has, where something may be made."""
        if self.access is Access.HIDDEN and self.rule is not None and self.rule.access is Access.HIDDEN:
            raise PolicyRefusal(EACCES, path_of(self.names), "hidden")
        if self.access in (Access.READ, Access.USE, Access.HIDDEN):
            raise self.read_only()


@dataclass
class Tree:
    """The rules of a policy over the host's files, and the scratch folder."""

    rules: Rules
    scratch: Scratch
    proc: Proc
    sysroot: Names | None = None
    #: Told of names that are hidden though the host has them.
    hidden: Callable[[bytes], None] = lambda path: None
    working_directory: Names = ()
    #: Whether a number is a descriptor of the guest's.
    is_guests: Callable[[int], bool] = field(default=lambda descriptor: False)

    def prepare(self) -> None:
        """Make the folders that are there whether the host has them or not."""
        for names, access in list(self.rules.root.walk()):
            if access is Access.SCRATCH:
                self._make_scratch(names)
            elif access is not Access.HIDDEN:
                for length in range(1, len(names)):
                    if self.rules.access(names[:length]) is Access.SCRATCH:
                        self._make_scratch(names[:length])

    def _make_scratch(self, names: Names) -> None:
        try:
            mode = stat.S_IMODE(os.stat(path_of(names)).st_mode)
        except OSError:
            mode = 0o755
        self.scratch.make_folders(names, mode)

    def walk(
        self, base: Names, path: bytes, *, follow: bool = True, looks: bool = True, quiet: bool = False
    ) -> Walk:
        """Look a path up; a context manager that gives a Place, whose descriptors it closes.

        base    where a relative path begins
        follow  whether a link at its end is followed
        looks   whether it is to be there already: then the sysroot comes first
        quiet   whether hidden names are not told of
        """
        return Walk(self, base, path, follow=follow, looks=looks, quiet=quiet)

    def target(self, link: Place) -> bytes:
        """What a link says."""
        return self.proc.target(link.names, self) or os.readlink(b"", dir_fd=link.top)

    def has_no_name(self, descriptor: int) -> bool:
        """Whether what a descriptor is of is the guest's alone: a pipe, socket, memory, or a removed copy."""
        path = os.readlink(by_descriptor(descriptor))
        if os.fstat(descriptor).st_nlink:
            return not path.startswith(b"/")
        return not path.startswith(b"/") or path.startswith((b"/memfd:", self.scratch.upper + b"/"))

    def guest_names(self, descriptor: int) -> Names | None:
        """The guest's path of a folder or file that is open; None for what has no name in the tree."""
        host_path = os.readlink(by_descriptor(descriptor))
        if not host_path.startswith(b"/"):
            return None
        names = tuple(filter(None, host_path.split(b"/")))
        upper = self.scratch.upper_names
        return names[len(upper) :] if names[: len(upper)] == upper else names


class Walk:
    """One look-up. Leaving it closes all that it opened."""

    def __init__(
        self, tree: Tree, base: Names, path: bytes, *, follow: bool = False, looks: bool = False, quiet: bool = True
    ) -> None:
        self.tree = tree
        self._hidden: Callable[[bytes], None] = (lambda path: None) if quiet else tree.hidden
        self._base, self._path, self._follow, self._looks = base, path, follow, looks
        #: Whether the path ends with a slash.
        self.wants_folder = path.endswith(b"/")
        self._open: list[int] = []

    def __enter__(self) -> Place:
        try:
            return self._find()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def keep(self, descriptor: int) -> int:
        """Have one more descriptor closed at the end."""
        self._open.append(descriptor)
        return descriptor

    def close(self) -> None:
        """Close all that it opened."""
        while self._open:
            os.close(self._open.pop())

    def _find(self) -> Place:
        path, sysroot = self._path, self.tree.sysroot
        if not path:
            raise refused(ENOENT)
        if path.startswith(b"/") and sysroot is not None and self._looks:
            with suppress(OSError):
                place = self._resolve(deque([*sysroot, *path.split(b"/")]))
                if place.status is not None:
                    return place
            self.close()
        start = [] if path.startswith(b"/") else self._base
        return self._resolve(deque([*start, *path.split(b"/")]))

    def _resolve(self, pending: deque[bytes]) -> Place:
        root = place = self._root()
        links = 0
        # A slash at the end asks for a folder, and for the link before it to be followed.
        folder = pending[-1] == b"" and len(pending) > 1
        while pending:
            name = pending.popleft()
            if name in (b"", b"."):
                continue
            if not place.is_folder:
                raise refused(ENOTDIR if place.status is not None else ENOENT)
            if name == b"..":
                place = place.parent or place
                continue
            place = self.child(place, name)
            last = not any(pending)
            if place.kind == stat.S_IFLNK and (not last or self._follow or folder):
                links += 1
                if links > _LINKS:
                    raise refused(ELOOP)
                place = self._through(root, place, pending)
            elif place.status is None and not last:
                raise refused(ENOENT)
        if folder and place.status is not None and not place.is_folder:
            raise refused(ENOTDIR)
        return place

    def _through(self, root: Place, link: Place, pending: deque[bytes]) -> Place:
        """Go on behind a link: where its target is to be looked for."""
        number = self.tree.proc.descriptor_of(link.names)
        if number is not None:
            return self._behind_descriptor(root, number, pending)
        target = self.tree.target(link)
        pending.extendleft(reversed(target.split(b"/")))
        assert link.parent is not None
        return root if target.startswith(b"/") else link.parent

    def _behind_descriptor(self, root: Place, number: int, pending: deque[bytes]) -> Place:
        """What /proc/self/fd/N leads to: by its name, if that is still its name, so that the policy tells of it."""
        if not self.tree.is_guests(number):
            raise refused(ENOENT)
        names = self._name_of(number)
        if names is not None:
            pending.extendleft(reversed(names))
            return root
        return Place((), Access.HIDDEN, None, root, status=os.fstat(number), descriptor=number)

    def _name_of(self, number: int) -> Names | None:
        """The name of what a descriptor is of, if it is found under that name."""
        status = os.fstat(number)
        names = self.tree.guest_names(number)
        if names is None:
            return None
        with suppress(OSError):
            with self.tree.walk((), path_of(names), follow=False, looks=False, quiet=True) as place:
                layers = [os.fstat(layer) for layer in (place.lower, place.upper) if layer >= 0]
                if any((layer.st_dev, layer.st_ino) == (status.st_dev, status.st_ino) for layer in layers):
                    return names if place.status is not None else None
        return None

    def of_descriptor(self, root: Place, number: int) -> Place:
        """What a descriptor of the guest's is of, as a place; calls may change it as they may what has its name."""
        names = self._name_of(number)
        status = os.fstat(number)
        if names is None:
            return Place((), Access.HIDDEN, None, root, status=status, descriptor=number)
        place = self._resolve(deque(names or [b"."]))
        own = place.status is not None and (place.status.st_dev, place.status.st_ino) == (status.st_dev, status.st_ino)
        if not own and place.is_upper:
            # It was opened before there was a copy.
            place.status = status
            place.descriptor = number
        return place

    def _root(self) -> Place:
        rules = self.tree.rules
        place = Place((), rules.root.access or Access.HIDDEN, rules.root, None)
        place.lower = self.keep(os.open("/", _LOOK | os.O_DIRECTORY))
        place.upper = self.keep(os.open(self.tree.scratch.upper, _LOOK | os.O_DIRECTORY))
        place.status = os.fstat(place.top)
        return place

    def child(self, parent: Place, name: bytes) -> Place:
        """What a folder has under a name."""
        names = (*parent.names, name)
        rule = parent.rule.beneath.get(name) if parent.rule is not None else None
        access = (rule.access if rule is not None else None) or parent.access
        place = Place(names, access, rule, parent)
        if access is Access.HIDDEN and not (rule is not None and rule.shows_something()):
            self._tell_hidden(parent, name)
            return place
        if not self.tree.proc.shows(names):
            self._hidden(path_of(names))
            return place
        place.upper = self._opened(name, parent.upper)
        # Through a scratch folder, the host's are only a way to those that the policy speaks of.
        speaks = rule is not None and rule.access is not None
        place.shows_lower = access is not Access.SCRATCH and (parent.shows_lower or speaks)
        if parent.lower >= 0 and (place.shows_lower or rule is not None):
            place.lower = self._opened(name, parent.lower)
            if place.shows_lower and place.lower >= 0 and access is Access.OVERLAY:
                place.shows_lower = not self.tree.scratch.is_gone(names)
        place.hides_lower = place.shows_lower and place.lower >= 0
        if place.is_upper:
            place.status = os.fstat(place.upper)
            if place.shows_lower and place.lower >= 0:
                both = place.is_folder and stat.S_ISDIR(os.fstat(place.lower).st_mode)
                place.shows_lower = both
        elif place.lower >= 0 and place.shows_lower:
            place.status = os.fstat(place.lower)
            if self.tree.proc.is_elsewhere(names, place.status.st_dev):
                self._hidden(path_of(names))
                place.status = None
        return place

    def _tell_hidden(self, parent: Place, name: bytes) -> None:
        with suppress(OSError, ValueError):
            if parent.lower >= 0:
                os.stat(name, dir_fd=parent.lower, follow_symlinks=False)
                self._hidden(path_of((*parent.names, name)))

    def _opened(self, name: bytes, folder: int) -> int:
        if folder < 0:
            return -1
        try:
            return self.keep(os.open(name, _LOOK, dir_fd=folder))
        except (FileNotFoundError, NotADirectoryError):
            return -1
