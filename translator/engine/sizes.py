"""How much memory one guest's translations may take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from metaphrase.backends.llvm.context import MAX_BLOCK, MAX_COPIED
from metaphrase.ir import record
from metaphrase.ir.errors import MetaphraseError

_SMALLEST = {
    "arena": (MAX_BLOCK + 3) * record.SIZE + MAX_COPIED, "lookup_bits": 4, "regions": 4096, "records": 2 * record.SIZE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sizes:
    """Where one of these is used up, all translations are dropped, and made again as they are needed.

    Raises MetaphraseError for sizes in which nothing could be run.
    """

    arena: int = 1 << 30
    """Bytes of tier 0's records. Host memory is taken as they are written."""
    lookup_bits: int = 20
    """The hash table of blocks has 2 to this power entries, half of which are used at most."""
    regions: int = 192 << 20
    """Bytes of regions' code. All guests and handlers of a process share its code cache, which has 256 MiB."""
    records: int = 64 << 20
    """Bytes of the records through which regions are entered and left."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), _SMALLEST[field.name]
            if value < least:
                raise MetaphraseError(f"{field.name}={value} is too little to run anything: give at least {least}")
