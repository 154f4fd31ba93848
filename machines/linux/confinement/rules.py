"""Which access a policy gives to a path: the longest of its paths that fits counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from metaphrase.machines.linux.policy import Access

Names = tuple[bytes, ...]
"""A path from the root on, a name for each step, without links."""

_LINKS = 40


@dataclass
class Rule:
    """What a policy says of a path and of those beneath it."""

    #: None where it speaks of paths further down only.
    access: Access | None = None
    beneath: dict[bytes, Rule] = field(default_factory=dict)

    def shows_something(self) -> bool:
        """Whether the path, or anything beneath it, is there for the guest."""
        return self.access not in (None, Access.HIDDEN) or any(rule.shows_something() for rule in self.beneath.values())

    def walk(self, names: Names = ()) -> Iterator[tuple[Names, Access]]:
        """All paths that are spoken of, with their access."""
        if self.access is not None:
            yield names, self.access
        for name, rule in self.beneath.items():
            yield from rule.walk((*names, name))


class Rules:
    """The paths of a policy as a tree. Links on the way to them can be read, and what they lead to counts."""

    def __init__(self, files: Mapping[str, Access]) -> None:
        self.root = Rule(Access.HIDDEN)
        for path, access in files.items():
            full = _absolute(path)
            # Neither the whole system nor /dev/null is meant where it happens to be a home folder.
            if path not in (".", "~") or (full != b"/" and os.path.isdir(full)):
                self.add(full, access)

    def add(self, path: bytes, access: Access) -> None:
        """Speak of one more path of the host."""
        self._links = _LINKS
        self._enter(self._resolved(path), access)

    def access(self, names: Names) -> Access:
        """What may be done with a path."""
        rule, found = self.root, self.root.access or Access.HIDDEN
        for name in names:
            inner = rule.beneath.get(name)
            if inner is None:
                break
            rule, found = inner, inner.access or found
        return found

    def _enter(self, names: Names, access: Access) -> None:
        rule = self.root
        for name in names:
            rule = rule.beneath.setdefault(name, Rule())
        rule.access = access

    def _resolved(self, path: bytes) -> Names:
        """The names of a path whose links are followed; each of them becomes readable."""
        done: list[bytes] = []
        for name in filter(None, path.split(b"/")):
            if name == b".":
                continue
            if name == b"..":
                done = done[:-1]
                continue
            here = b"/" + b"/".join([*done, name])
            try:
                target = os.readlink(here)
            except OSError:
                done.append(name)
                continue
            self._links -= 1
            if self._links < 0 or (done[:1] == [b"proc"] and len(done) > 1):
                done.append(name)
                continue
            self._enter((*done, name), Access.READ)
            done = list(self._resolved(os.path.join(b"/" + b"/".join(done), target)))
        return tuple(done)


def _absolute(path: str) -> bytes:
    return os.path.abspath(os.path.join(os.getcwd(), os.path.expanduser(path))).encode(errors="surrogateescape")
