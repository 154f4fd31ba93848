"""A case and its first instruction as it is decoded: what it is about, and where its operands lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from metaphrase.translator.guest import Decoded, Description
from metaphrase.translator.x86.addresses import (
    BASE,
    INDEX,
    MEMORY_BASE_SEGMENT,
    MEMORY_INDEX_SEGMENT,
    MEMORY_RESIZED,
    SCALE,
    SEGMENT,
    Statics,
)
from tests.oracle.native import Case
from tests.translator.x86.differential import GUEST, guest_of
from tests.translator.x86.interpreted import ArenaMemory, observe, pack_state
from tests.translator.x86.observed import Observed

_PREFIXES: Final = frozenset((0x26, 0x2E, 0x36, 0x3E, *range(0x40, 0x50), 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))


@dataclass(frozen=True)
class Execution:
    """A case, and its first instruction as it is decoded."""

    case: Case
    decoded: Decoded

    @property
    def row(self) -> Description:
        return GUEST.rows[self.decoded.row]

    @property
    def statics(self) -> Statics:
        return Statics.unpack(self.decoded.statics)

    @cached_property
    def prefixes(self) -> bytes:
        """The legacy and REX prefixes of its code."""
        code = self.case.code
        return code[: next(at for at, byte in enumerate(code) if byte not in _PREFIXES)]

    def with_prefix(self, old: int, new: int) -> bytes:
        """Its code with another byte wherever that prefix stands."""
        return bytes(new if byte == old else byte for byte in self.prefixes) + self.case.code[len(self.prefixes) :]

    def slot(self, field: int, size: int = 8) -> int:
        """What the state holds, before it, where a register field of the decoded record points."""
        offset = self.decoded.registers[field]
        return int.from_bytes(pack_state(self.case)[offset : offset + size], "little")

    @cached_property
    def address(self) -> int:
        """The linear address of its memory operand (SDM volume 1, 3.7.5)."""
        kind, mode = self.statics.memory, guest_of(self.case).mode
        address = self.slot(BASE) + self.decoded.displacement + (self.slot(INDEX) << self.decoded.registers[SCALE])
        address &= (1 << (mode.other_address_size if kind == MEMORY_RESIZED else mode.size)) - 1
        if kind in (MEMORY_BASE_SEGMENT, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED):
            address += self.slot(SEGMENT)
        return address & (1 << mode.linear) - 1

    def refused(self, event: str = "general_protection") -> Observed:
        """What #GP leaves: everything as it was."""
        case = self.case
        arena = bytes(ArenaMemory(case).arena)
        return observe(bytes(pack_state(case)), arena, case.state.mxcsr, event, None, case.address, case.mode)
