"""Hot blocks that wait for their regions: which comes next, and which lie near one another."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

_NEAR = 1024
"""Bytes within which blocks that are hot at the same time are taken for parts of one function."""
_PAUSE = 10.0
"""Ranking them all is put off for so many times as long as it took: programs that make code may have many."""


class Place(NamedTuple):
    """When a block became hot, in a number that only grows, and its guest address."""

    when: int
    pc: int


class Waiting:
    """Hot blocks by their headers, in the order in which they became hot. `runs` tells how often one has been run."""

    def __init__(self, runs: Callable[[int], int]) -> None:
        self._runs = runs
        self._places: dict[int, Place] = {}
        self._around: defaultdict[int, list[int]] = defaultdict(list)
        """Headers by their guest addresses in units of `_NEAR`."""
        self._count = 0
        self._ranked: list[int] = []
        """Headers as they were ranked last, the hottest at the end; some are waiting no more."""
        self._rank_again = 0.0
        """When to rank them again, as the monotonic clock has it."""

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def add(self, header: int, pc: int) -> None:
        """A block at a guest address became hot."""
        if header not in self._places:
            self._count += 1
            self._places[header] = Place(self._count, pc)
            self._around[pc // _NEAR].append(header)

    def remove(self, header: int) -> None:
        """A block waits no more."""
        unit = self._places.pop(header).pc // _NEAR
        self._around[unit].remove(header)
        if not self._around[unit]:
            del self._around[unit]

    def clear(self) -> None:
        """None waits any more."""
        self._places.clear()
        self._around.clear()
        self._ranked.clear()
        self._rank_again = 0.0

    def hottest(self) -> int:
        """The block that has been run most often, as far as that was looked at lately. There must be one."""
        while True:
            if not self._ranked or time.monotonic() > self._rank_again:
                begin = time.monotonic()
                self._ranked = sorted(self._places, key=self._runs)
                end = time.monotonic()
                self._rank_again = end + _PAUSE * (end - begin)
            header = self._ranked.pop()
            if header in self._places:
                return header

    def near(self, pc: int) -> dict[int, int]:
        """The blocks near a guest address by their headers, and their own addresses, in their order."""
        unit = pc // _NEAR
        around = [header for one in (unit - 1, unit, unit + 1) for header in self._around.get(one, ())]
        around.sort(key=self._places.__getitem__)
        return {header: at for header in around if abs((at := self._places[header].pc) - pc) < _NEAR}
