"""Guest memory as Python sees it: sliced by address."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from metaphrase.ir.errors import MetaphraseError
from metaphrase.show import MimeBundle, columns, table


class MemoryAccessError(MetaphraseError):
    """An address is not mapped, or not a number."""


class Area(NamedTuple):
    """A run of pages that are alike: [start, end)."""

    start: int
    end: int
    access: str
    """As /proc/PID/maps has it: "r-x"."""
    name: str = ""


class Backing(Protocol):
    """What memory is read from and written to. Both raise MetaphraseError for addresses that are not mapped."""

    def peek(self, address: int, size: int) -> bytes: ...

    def poke(self, address: int, data: bytes) -> None:
        """Replace bytes, also where the guest may not write."""

    def areas(self) -> list[Area]: ...


class GuestMemory:
    """Bytes by guest address: `memory[a]` is one, `memory[a:b]` several; both can be assigned to.

    What is written here is written as a debugger writes: the guest's own permissions do not matter, and code that was
    translated from it is forgotten.
    """

    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes from an address. Raises MetaphraseError where nothing is mapped."""
        return self._backing.peek(address, size)

    def write(self, address: int, data: bytes) -> None:
        """Replace bytes from an address on. Raises MetaphraseError where nothing is mapped."""
        self._backing.poke(address, bytes(data))

    def read_word(self, address: int, size: int = 8) -> int:
        """A little-endian number of `size` bytes."""
        return int.from_bytes(self.read(address, size), "little")

    def write_word(self, address: int, value: int, size: int = 8) -> None:
        """Write a little-endian number of `size` bytes."""
        self.write(address, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def read_string(self, address: int, limit: int = 4096) -> bytes:
        """The bytes before the first NUL, at most `limit`."""
        found = bytearray()
        while len(found) < limit:
            byte = self.read(address + len(found), 1)
            if byte == b"\0":
                break
            found += byte
        return bytes(found)

    @property
    def areas(self) -> list[Area]:
        """What is mapped, in order of address."""
        return self._backing.areas()

    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            start, size = _bounds(place)
            return self.read(start, size)
        return self.read(place, 1)[0]

    def __setitem__(self, place: int | slice, value: int | bytes) -> None:
        if isinstance(place, slice):
            assert not isinstance(value, int), "a slice takes bytes"
            start, size = _bounds(place, len(value))
            if size != len(value):
                raise MemoryAccessError(f"{size} bytes from {start:#x} on cannot be replaced by {len(value)}")
            self.write(start, value)
        else:
            assert isinstance(value, int), "one address takes one number"
            self.write(place, bytes([value]))

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [(f"{a.start:x}-{a.end:x}", a.access, f"{(a.end - a.start) / 1024:.0f} KiB", a.name) for a in self.areas]

    def __str__(self) -> str:
        return columns(self._rows())

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return {"text/plain": str(self), "text/html": table(self._rows())}


def _bounds(place: slice, default: int | None = None) -> tuple[int, int]:
    """Start and size of a slice; its end may be left out where the size is known otherwise."""
    if place.step is not None or place.start is None or (place.stop is None and default is None):
        raise MemoryAccessError("memory is sliced as memory[start:end], without a step")
    size = place.stop - place.start if place.stop is not None else default
    assert size is not None
    if size < 0:
        raise MemoryAccessError(f"the slice ends at {place.stop:#x}, before it starts at {place.start:#x}")
    return place.start, size


def joined(pages: list[tuple[int, int, str, str]]) -> list[Area]:
    """Areas of neighbouring (start, end, access, name) that are alike."""
    areas: list[Area] = []
    for start, end, access, name in pages:
        last = areas[-1] if areas else None
        if last is not None and (last.end, last.access, last.name) == (start, access, name):
            areas[-1] = last._replace(end=end)
        else:
            areas.append(Area(start, end, access, name))
    return areas


