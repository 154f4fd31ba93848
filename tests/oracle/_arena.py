"""The memory that snippets find at ARENA: what a case lays over its background, and what a snippet changes there."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

import numpy as np

from tests.oracle._trap import ARENA, ARENA_SIZE

Patches = tuple[tuple[int, bytes], ...]
"""Addresses, and the bytes there."""

_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Arena:
    """The arena at a host address. It holds the background, but between `lay` and `take_changes`."""

    def __init__(self, host: int, background: bytes = bytes(ARENA_SIZE)) -> None:
        self._background = np.frombuffer(background, np.uint8)
        self._now = np.ctypeslib.as_array((ctypes.c_uint64 * (ARENA_SIZE // 8)).from_address(host))
        self._before = self._background.copy().view(np.uint64)
        self._now_bytes, self._before_bytes = self._now.view(np.uint8), self._before.view(np.uint8)
        self._pointers = host, self._before.ctypes.data, ARENA_SIZE
        self._laid: list[slice] = []
        self._in_use = False
        self._now_bytes[:] = self._background

    def lay(self, patches: Iterable[tuple[int, bytes]]) -> None:
        """Lay a case's bytes over the background, which comes back first if need be."""
        if self._in_use:
            self.take_changes()
        self._in_use = True
        for start, data in patches:
            place = slice(start - ARENA, start - ARENA + len(data))
            self._now_bytes[place] = self._before_bytes[place] = np.frombuffer(data, np.uint8)
            self._laid.append(place)

    def take_changes(self) -> Patches:
        """What has changed since, as stretches of 8-byte words; the background is back."""
        changes: Patches = ()
        if _memcmp(*self._pointers):
            changed = np.flatnonzero(self._now != self._before)
            changes = _stretches(self._now, changed)
            self._now[changed] = self._before[changed]
        for place in self._laid:
            self._now_bytes[place] = self._before_bytes[place] = self._background[place]
        self._laid.clear()
        self._in_use = False
        return changes


def _stretches(words: np.ndarray, chosen: np.ndarray) -> Patches:
    """Neighbouring words joined."""
    runs = np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1)
    return tuple((ARENA + 8 * int(run[0]), words[run].tobytes()) for run in runs)


def changes_between(before: bytes | bytearray, now: bytes | bytearray) -> Patches:
    """What differs between two contents of the arena, as `Arena.take_changes` gives it."""
    words = np.frombuffer(now, np.uint64)
    changed = np.flatnonzero(words != np.frombuffer(before, np.uint64))
    return _stretches(words, changed) if len(changed) else ()


def patched(background: bytes, *layers: Iterable[tuple[int, bytes]]) -> bytearray:
    """The arena's contents with bytes laid over them, one layer after the other."""
    arena = bytearray(background)
    for layer in layers:
        for address, data in layer:
            arena[address - ARENA : address - ARENA + len(data)] = data
    return arena
