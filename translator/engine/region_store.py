"""Regions in the persistent cache.

The code of a region is stored once, under a name made of all guest code it was compiled from. For where it begins, and
for the block that it was made for, there are small notes under the guest code there, which name that region and the
distance from its origin. A later region for the same block overwrites the note: whoever meets the block in another run
begins with the last region that earlier ones came to.

What other CPU models of a guest may decode otherwise is kept under names of its own: those of the guest's dialect.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine.cache import Cache
from metaphrase.translator.engine.code_pages import PAGE
from metaphrase.translator.engine.host_memory import GuestMemory

LOGGER = logging.getLogger("metaphrase.tier1")
_FOLDER = "regions"
_KEY_BYTES = 192
_MANY_ADDED = 10_000


@dataclass(slots=True)
class Compiled:
    """A region's code and what is needed to install it anywhere: all is relative to its origin, where it begins."""

    code: bytes
    entry: int
    """Offset in the code where it begins."""
    exits: list[int]
    blocks: list[tuple[int, int, str]]
    """(offset, bytes, digest) of the guest code it was made of."""
    faults: int = 0
    """Offset in the code of its table of faults, 0 if it has none."""
    cold: int = 0
    """Offset in the code of what is seldom run, 0 if that is not a part of its own (see `Image`)."""
    crossings: tuple[int, ...] = ()


class RegionStore:
    """The regions of one guest, as far as its memory holds what they were made of."""

    def __init__(self, cache: Cache, memory: GuestMemory, dialect: str = "") -> None:
        self.cache, self.memory, self.dialect = cache, memory, dialect
        self._notes: set[str] | None = None
        self._added = 0

    def has(self, pc: int, kind: str) -> bool:
        """Whether a region is noted for the code at an address, as far as this process knows (others may add some)."""
        if self._notes is None:
            self._notes = set(self.cache.names(_FOLDER))
        return not self._notes.isdisjoint(self._keys(pc, kind))

    def load(self, pc: int, kind: str) -> tuple[Compiled, int] | None:
        """The region noted for the code at an address, and the address it begins at; None if memory differs."""
        note = next(filter(None, map(self.cache.load, self._keys(pc, kind))), None)
        if note is None:
            return None
        origin = pc - note[0]["offset"]
        found = self.cache.load(note[0]["region"])
        if found is None:
            return None
        header, _, code = found
        for offset, length, digest in header["blocks"]:
            try:
                now = self.code(origin + offset, length)
            except MetaphraseError as error:  # the memory is not there
                LOGGER.debug("a cached region does not fit: %s", error)
                return None
            if digest_of(now) != digest:
                return None
        return Compiled(code=code, **header), origin

    def store(
        self, compiled: Compiled, origin: int, offsets: Iterable[int], kind: str, *, dialect: bool = False
    ) -> None:
        """Store a region, and a note of it for the blocks at `offsets` from its origin.

        `dialect` tells whether other CPU models may decode some of it otherwise.
        """
        if dialect:
            kind += self._suffix
        header: dict[str, Any] = {
            "entry": compiled.entry, "exits": compiled.exits, "blocks": compiled.blocks, "faults": compiled.faults,
            "cold": compiled.cold, "crossings": compiled.crossings,
        }  # fmt: skip
        name = f"{_FOLDER}/code-{digest_of(repr((kind, compiled.blocks)).encode())}"
        self.cache.store(name, header, compiled.code)
        for offset in offsets:
            note = self._key(origin + offset, kind)
            self.cache.store(note, {"region": name, "offset": offset}, b"")
            if self._notes is not None:
                self._notes.add(note)
                self._added += 1
        if self._added >= _MANY_ADDED:  # the folder is bounded, what was ever in it is not
            self._notes, self._added = None, 0

    @property
    def _suffix(self) -> str:
        return f"-{self.dialect}" if self.dialect else ""

    def _keys(self, pc: int, kind: str) -> dict[str, None]:
        """The notes that the code at an address may have: that of this dialect goes first."""
        return dict.fromkeys((self._key(pc, kind + self._suffix), self._key(pc, kind)))

    def _key(self, pc: int, kind: str) -> str:
        """Names the code at an address: more of it than one block, since many begin alike."""
        return f"{_FOLDER}/{kind}-{digest_of(self.code(pc, min(_KEY_BYTES, -pc % PAGE or PAGE)))}"

    def code(self, pc: int, length: int) -> bytes:
        """Guest code, which a thread of the guest may want to unmap meanwhile."""
        with self.memory.lock:
            return self.memory.read(pc, length)


def digest_of(code: bytes) -> str:
    return hashlib.blake2b(code, digest_size=12).hexdigest()
