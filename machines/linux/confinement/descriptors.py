"""Which descriptors a confined guest has: those that it was given, and those that its own calls made.

All others are the host's, whatever their numbers: for the guest they are not open.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from errno import EBADF, EMFILE

from metaphrase.machines.linux.calls.table import signed32
from metaphrase.machines.linux.confinement.refusals import refused
from metaphrase.machines.linux.descriptors import Descriptors

_STANDARD = (0, 1, 2)


class OwnDescriptors(Descriptors):
    """A set that every call keeps in step with the host's table; at first, the standard ones."""

    def __init__(self, limit: int | None, forget: Callable[[int], None] = lambda descriptor: None) -> None:
        super().__init__()
        self._limit = limit
        #: Told of numbers that stand for something else from now on.
        self._forget = forget
        self._given: frozenset[int] = frozenset()
        self._own: set[int] = set()

    def start(self) -> None:
        """The standard descriptors are the guest's, as far as they are open."""
        for number in _STANDARD:
            with suppress(OSError):
                os.fstat(number)
                self._own.add(number)
        self._given = frozenset(self._own)

    def stop(self) -> None:
        """Close what the guest left open."""
        for number in self._own - self._given:
            with suppress(OSError):
                os.close(number)
        self._own &= self._given

    def has(self, descriptor: int) -> bool:
        """Whether a number is a descriptor of the guest's."""
        return descriptor in self._own

    def require(self, value: int) -> int:
        """A descriptor of the guest's from a register; EBADF for all else."""
        descriptor = signed32(value)
        if descriptor not in self._own:
            raise refused(EBADF)
        return descriptor

    def is_private(self, descriptor: int) -> bool:
        """Whether it is not the guest's."""
        return descriptor not in self._own

    def opened(self, descriptor: int) -> int:
        """A call has made a descriptor, which is the guest's from now on: its number; EMFILE if there are too many."""
        if descriptor < 0:
            return descriptor
        self._forget(descriptor)
        if descriptor not in self._own:
            if self._limit is not None and len(self._own) >= self._limit:
                os.close(descriptor)
                raise refused(EMFILE)
            self._own.add(descriptor)
        return descriptor

    def closed(self, descriptor: int) -> None:
        """A descriptor is no longer the guest's."""
        self._own.discard(descriptor)
        self._forget(descriptor)

    def close_on_execve(self) -> None:
        """What execve closes."""
        for number in sorted(self._own):
            if fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC:
                os.close(number)
                self.closed(number)

    def guests_in(self, first: int, last: int) -> list[int]:
        """The guest's open descriptors in [first, last]."""
        return [number for number in sorted(self._own) if first <= number <= last]
