"""Descriptors of segments, and what loading one into a segment register takes (SDM volume 3, 3.4.5 and 5.5 to 5.8).

The service reads the tables from the guest's memory, at linear addresses. What is more than a load (gates, tasks,
another privilege level or mode) is told as "far_transfer" and left to the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.modes import Mode

_ACCESSED: Final = 1
GENERAL, NOT_PRESENT, STACK, FAR_TRANSFER = range(1, len(s.FAULTS) + 1)
"""What `described_fault` says, other than 0."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The eight bytes of a descriptor, field by field (SDM volume 3, figure 3-8)."""

    bits: int

    @property
    def base(self) -> int:
        return self.bits >> 16 & 0xFF_FFFF | self.bits >> 32 & 0xFF00_0000

    @property
    def limit(self) -> int:
        """In bytes: the last offset, or the last one that is not in a segment that expands down."""
        limit = self.bits & 0xFFFF | self.bits >> 32 & 0xF_0000
        return limit << 12 | 0xFFF if self.bits >> 55 & 1 else limit

    @property
    def type(self) -> int:
        """Bits as code has them: accessed 1, readable 2, conforming 4, code 8; data: writable 2, expands down 4."""
        return self.bits >> 40 & 15

    @property
    def is_segment(self) -> bool:
        """Whether it describes code or data; else a gate, or what the system needs."""
        return bool(self.bits >> 44 & 1)

    @property
    def is_code(self) -> bool:
        return self.is_segment and bool(self.type & 8)

    @property
    def privilege(self) -> int:
        return self.bits >> 45 & 3

    @property
    def is_present(self) -> bool:
        return bool(self.bits >> 47 & 1)

    @property
    def is_long(self) -> bool:
        """Whether it is of 64-bit code."""
        return bool(self.bits >> 53 & 1)

    @property
    def size(self) -> int:
        """D/B: 32 or 16 bits."""
        return 32 if self.bits >> 54 & 1 else 16

    def bounds(self) -> tuple[int, int, int]:
        """The first offset, and the last that may be read and that may be written; -1 for none."""
        if self.is_code:
            return 0, self.limit if self.type & 2 else -1, -1
        first, last = 0, self.limit
        if self.type & 4:
            first, last = self.limit + 1, (1 << self.size) - 1
        return first, last, last if self.type & 2 else -1


_LEADING_ON: Final = (1, 4, 5, 9, 12)
"""Types of what is no segment, but to be called or jumped to: tasks that are free, call gates, task gates."""
NULL: Final = (0, -1, -1)
"""The bounds of a segment that holds nothing."""


def serve_descriptor(mode: Mode) -> Callable[[Any], None]:
    """The service "descriptor" of a CPU in a protected mode (see `selectors.py`)."""

    def serve(cpu: Any) -> None:
        wanted = cpu.get_slot("described")
        number, selector = wanted >> 16 & 7, wanted & 0xFFFF
        place, found = _look_up(cpu, selector)
        level = cpu.get_slot("cs") & 3
        if number == s.CS:
            fault = _check_code(mode, found, selector, level, bool(wanted & s.DESCRIBED_RETURN))
        else:
            fault = _check_data(mode, found, selector, level, number)
        cpu.set_slot("described_fault", fault)
        if fault:
            return
        if found is not None and not found.type & _ACCESSED:
            cpu.memory.write(place + 5, bytes([found.bits >> 40 & 0xFF | _ACCESSED]))
        bounds = found.bounds() if found is not None else NULL
        for name, value in zip(s.LIMITS, bounds, strict=True):
            cpu.set_slot(f"described_{name}", value)
        cpu.set_slot("described_base", found.base if found is not None else 0)
        cpu.set_slot("described_limit", found.limit if found is not None else 0)

    return serve


def _look_up(cpu: Any, selector: int) -> tuple[int, Descriptor | None]:
    """Where a selector's descriptor lies, and what it says; None for a null selector, or one beyond its table."""
    table = "ldt" if selector & 4 else "gdt"
    at = selector & ~7
    if not selector & ~3 or at + 7 > cpu.get_slot(f"{table}_limit"):
        return 0, None
    place = cpu.get_slot(f"{table}_base") + at & 0xFFFF_FFFF
    return place, Descriptor(int.from_bytes(cpu.memory.read(place, 8), "little"))


def _check_data(mode: Mode, found: Descriptor | None, selector: int, level: int, number: int) -> int:
    """SDM volume 3, 5.6 and 5.7, and volume 2B, MOV."""
    asked = selector & 3
    if found is None:
        return GENERAL if number == s.SS or selector & ~3 else 0
    if number == s.SS:
        writable = found.is_segment and not found.is_code and found.type & 2
        if not writable or asked != level or found.privilege != level:
            return GENERAL
        if not found.is_present:
            return STACK
        return FAR_TRANSFER if found.size != mode.stack else 0
    if not found.is_segment or (found.is_code and not found.type & 2):
        return GENERAL
    conforming = found.is_code and found.type & 4
    if not conforming and found.privilege < max(asked, level):
        return GENERAL
    return 0 if found.is_present else NOT_PRESENT


def _check_code(mode: Mode, found: Descriptor | None, selector: int, level: int, returns: bool) -> int:
    """SDM volume 3, 5.8.1, and volume 2, CALL, JMP, RET."""
    if found is None:
        return GENERAL
    asked = selector & 3
    if not found.is_segment:
        leads_on = not returns and found.type in _LEADING_ON and found.privilege >= max(asked, level)
        return FAR_TRANSFER if leads_on else GENERAL
    if not found.is_code or (returns and asked < level):
        return GENERAL
    if found.type & 4:
        if found.privilege > (asked if returns else level):
            return GENERAL
    elif found.privilege != (asked if returns else level) or (not returns and asked > level):
        return GENERAL
    if not found.is_present:
        return NOT_PRESENT
    changes = found.is_long or found.size != mode.size or (returns and asked != level)
    return FAR_TRANSFER if changes else 0
