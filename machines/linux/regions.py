"""The map of a guest's address space: which ranges are mapped, how, and from what."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from mmap import PROT_WRITE


@dataclass(slots=True)
class Region:
    """A run of pages that were mapped alike: [start, end), in guest addresses.

    `name` is what /proc/self/maps shows: a file's path, or "[stack]" and the like. `offset`, `device` and `inode`
    belong to files. `stable` says that the host can touch readable pages without SIGBUS: true of anonymous memory and
    of what the loader mapped; a file that the guest mapped may have been cut short since. `inherited` says that a
    forked child has it too.
    """

    start: int
    end: int
    protection: int
    shared: bool = False
    name: str = ""
    offset: int = 0
    device: int = 0
    inode: int = 0
    stable: bool = True
    inherited: bool = True

    def part(self, start: int, end: int) -> Region:
        """The piece [start, end) of this region."""
        offset = self.offset + (start - self.start) if self.inode else 0
        return replace(self, start=start, end=end, offset=offset)

    @property
    def writes_file(self) -> bool:
        """Whether what the guest writes here is seen in other mappings of the file."""
        return self.shared and self.inode != 0 and self.protection & PROT_WRITE != 0

    def is_of(self, other: Region) -> bool:
        """Whether both are of the same file."""
        return self.inode == other.inode and self.device == other.device

    def continues(self, other: Region) -> bool:
        """Whether `other`, which starts where this ends, can be recorded as one region with it."""
        return (
            self.end == other.start
            and self.protection == other.protection
            and self.name == other.name
            and self.inode == other.inode
            and self.device == other.device
            and self.stable == other.stable
            and self.shared == other.shared
            and self.inherited == other.inherited
            # Two shared anonymous mappings are different objects even when they touch.
            and (self.offset + (self.end - self.start) == other.offset if self.inode else not self.shared)
        )


class RegionMap:
    """Disjoint regions in order of address. Look-ups are binary searches; changes touch only the neighbours."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._regions: list[Region] = []

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions)

    def __len__(self) -> int:
        return len(self._regions)

    def find(self, address: int) -> Region | None:
        """The region that holds an address."""
        index = bisect_right(self._starts, address) - 1
        if index >= 0:
            region = self._regions[index]
            if address < region.end:
                return region
        return None

    def overlapping(self, start: int, end: int) -> list[Region]:
        """All regions that share an address with [start, end), whole, in order."""
        low, high = self._span(start, end)
        return self._regions[low:high]

    def covered(self, start: int, end: int) -> bool:
        """Whether every address of [start, end) is mapped."""
        reached = start
        for region in self.overlapping(start, end):
            if region.start > reached:
                return False
            reached = region.end
        return reached >= end

    def extent(self, address: int, protection: int) -> int:
        """How many bytes from `address` on are mapped with at least this protection without a gap."""
        index = bisect_right(self._starts, address) - 1
        reached = address
        while 0 <= index < len(self._regions):
            region = self._regions[index]
            if not region.start <= reached < region.end or region.protection & protection != protection:
                break
            reached = region.end
            index += 1
        return reached - address

    def insert(self, region: Region) -> None:
        """Record a mapping; whatever was recorded there before is forgotten."""
        self.remove(region.start, region.end)
        index = bisect_right(self._starts, region.start)
        self._starts.insert(index, region.start)
        self._regions.insert(index, region)
        self._merge(index, index + 1)

    def remove(self, start: int, end: int) -> list[Region]:
        """Forget [start, end); the pieces that were mapped there."""
        low, high = self._carve(start, end)
        removed = self._regions[low:high]
        del self._starts[low:high], self._regions[low:high]
        return removed

    def protect(self, start: int, end: int, protection: int) -> None:
        """Change the protection of whatever is mapped in [start, end)."""
        low, high = self._carve(start, end)
        for region in self._regions[low:high]:
            region.protection = protection
        self._merge(low, high)

    def inherit(self, start: int, end: int, inherited: bool) -> None:
        """Say whether the child of a fork has whatever is mapped in [start, end)."""
        low, high = self._carve(start, end)
        for region in self._regions[low:high]:
            region.inherited = inherited
        self._merge(low, high)

    def gap_below(self, high: int, size: int, low: int) -> int | None:
        """The highest free range of `size` bytes inside [low, high): its start."""
        ceiling = high
        index = bisect_right(self._starts, high - 1) - 1
        while index >= 0:
            region = self._regions[index]
            if region.end <= ceiling - size:
                break
            ceiling = min(ceiling, region.start)
            index -= 1
        start = ceiling - size
        return start if start >= low else None

    def gap_above(self, low: int, size: int, high: int) -> int | None:
        """The lowest free range of `size` bytes inside [low, high): its start."""
        start = low
        for region in self.overlapping(low, high):
            if region.start >= start + size:
                break
            start = region.end
        return start if start + size <= high else None

    def _span(self, start: int, end: int) -> tuple[int, int]:
        low = bisect_right(self._starts, start) - 1
        if low < 0 or self._regions[low].end <= start:
            low += 1
        high = bisect_right(self._starts, end - 1) if end > start else low
        return low, max(low, high)

    def _carve(self, start: int, end: int) -> tuple[int, int]:
        """Split regions at both ends of [start, end); the list indices of what lies between."""
        for boundary in (start, end):
            region = self.find(boundary)
            if region is not None and region.start < boundary:
                upper = region.part(boundary, region.end)
                region.end = boundary
                index = bisect_right(self._starts, boundary)
                self._starts.insert(index, boundary)
                self._regions.insert(index, upper)
        return self._span(start, end)

    def _merge(self, low: int, high: int) -> None:
        """Join neighbours that belong together around the list indices [low, high)."""
        index = max(low, 1)
        high = min(high + 1, len(self._regions))
        while index < high:
            before, here = self._regions[index - 1], self._regions[index]
            if before.continues(here):
                before.end = here.end
                del self._starts[index], self._regions[index]
                high -= 1
            else:
                index += 1
