"""Which file descriptors are the guest's. They are the host's, with the same numbers; a few are not to be touched."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from metaphrase.machines.linux import host

_BEYOND_ALL = 1 << 31


def _flags(descriptor: int) -> int | None:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETFD)
    except OSError:
        return None


class Descriptors:
    """Tells the guest's descriptors from ours: those that close on execve when the run starts, and private ones."""

    def __init__(self) -> None:
        self._private: frozenset[int] = frozenset()
        self._before: frozenset[int] = frozenset()
        self.first_private_changed: Callable[[int], None] | None = None
        """Told the lowest number of those that are not to be touched, or one beyond all descriptors."""

    def start(self) -> None:
        """A native program would not see what closes on execve, so neither does the guest."""
        numbers = host.open_descriptors()
        self._before = frozenset(numbers)
        self._private = frozenset(number for number in numbers if (_flags(number) or 0) & fcntl.FD_CLOEXEC)
        if self.first_private_changed is not None:
            host.PRIVATE_LISTENERS.append(self._tell)
            self._tell()

    def _tell(self) -> None:
        if self.first_private_changed is not None:
            self.first_private_changed(min(host.PRIVATE | self._private, default=_BEYOND_ALL))

    def stop(self) -> None:
        """Close what the guest left open. What it opened to be closed on execve may be another thread's, and stays."""
        if self._tell in host.PRIVATE_LISTENERS:
            host.PRIVATE_LISTENERS.remove(self._tell)
        for number in host.open_descriptors():
            if number not in self._before and _flags(number) == 0:
                os.close(number)

    def is_private(self, descriptor: int) -> bool:
        """Whether the guest must not close or replace this one."""
        return descriptor in host.PRIVATE or descriptor in self._private

    def opened(self, descriptor: int) -> int:
        """The guest has got a descriptor, whose number this is."""
        return descriptor

    def close_on_execve(self) -> None:
        """What execve closes."""
        for number in host.open_descriptors():
            if number not in self._private and (_flags(number) or 0) & fcntl.FD_CLOEXEC:
                os.close(number)

    def guests_in(self, first: int, last: int) -> list[int]:
        """The guest's open descriptors in [first, last]."""
        among = (number for number in host.open_descriptors() if first <= number <= last)
        return [number for number in among if number not in self._private and _flags(number) is not None]
