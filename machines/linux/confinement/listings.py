"""What open folders of a confined guest show, and how far each was read."""

from __future__ import annotations

import os

from metaphrase.machines.linux.confinement import overlay
from metaphrase.machines.linux.confinement.rules import Names
from metaphrase.machines.linux.confinement.tree import Tree, path_of

_FOLDER = 4
"""The type of a folder, as getdents has it."""
Entry = tuple[int, int, bytes]


class Listing:
    """What an open folder shows, and how far it was read."""

    def __init__(self, status: os.stat_result, found: list[Entry]) -> None:
        self.identity = status.st_dev, status.st_ino
        self.entries = found
        self.place = 0


class Listings:
    """The lists of a process's open folders, by their descriptors."""

    def __init__(self) -> None:
        self._made: dict[int, Listing] = {}

    def of(self, tree: Tree, descriptor: int) -> Listing:
        """The list of an open folder, which is made if there is none of it."""
        status = os.fstat(descriptor)
        listing = self._made.get(descriptor)
        if listing is None or listing.identity != (status.st_dev, status.st_ino):
            listing = self._made[descriptor] = Listing(status, _entries(tree, descriptor, status))
        return listing

    def forget(self, descriptor: int) -> None:
        """The descriptor was closed, or goes back to the beginning."""
        self._made.pop(descriptor, None)


def _entries(tree: Tree, descriptor: int, status: os.stat_result) -> list[Entry]:
    names = tree.guest_names(descriptor)
    if names is None or not status.st_nlink:
        return []
    found: list[Entry] = [(status.st_ino, _FOLDER, b"."), (_inode(tree, names[:-1]), _FOLDER, b"..")]
    with tree.walk((), path_of(names), follow=False, looks=False, quiet=True) as place:
        if not place.is_folder:
            return []
        inner = tree.walk((), b"/", quiet=True)
        try:
            found += overlay.entries(inner, place)
        finally:
            inner.close()
    return found


def _inode(tree: Tree, names: Names) -> int:
    with tree.walk((), path_of(names), follow=False, looks=False, quiet=True) as place:
        return place.require().st_ino
