"""The modes in which a processor decodes and runs code, as far as translated code takes them for granted.

A mode is what does not change while code runs but by a far transfer, a load of SS, or the system: everything here is
static in decoders, handlers and regions, and so part of the key of every translation, by the guest's name. Whatever
else segments say, bases, limits and rights, is state (`state.SEGMENT_BASES` and behind): code that is translated once
serves all segments of its mode, wherever they lie.

Three of these modes see only some of what segments can do. In 64-bit mode, and in the flat 32-bit mode of Linux's
programs, ES, CS, SS and DS are nothing: no base is added, no limit is looked at.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LONGEST: Final = 15
"""Bytes of the longest instruction (SDM volume 2, 2.3.11)."""
STATIC_BITS: Final = 8
"""Width of an instruction's static operands (`addresses.Statics`) in its form."""


class Mode(NamedTuple):
    """A mode (SDM volume 1, 3.1 and 3.6; volume 3, 3.4.5)."""

    name: str
    """Of the guest whose code is of this mode."""
    size: int
    """Bits of operands and addresses without prefixes: 16 or 32 as CS.D says, 64 in 64-bit mode (operands have 32)."""
    stack: int
    """Bits of the stack pointer that count: 16 or 32 as SS.B says, 64 in 64-bit mode."""
    protected: bool = True
    """Whether selectors name descriptors. In real-address mode (and virtual-8086 mode) they are bases, shifted."""
    flat: bool = True
    """Whether ES, CS, SS and DS have the base 0 and all of the address space, so that they need not be looked at."""

    @property
    def is_long(self) -> bool:
        """Whether it is 64-bit mode."""
        return self.size == 64

    @property
    def linear(self) -> int:
        """Bits of linear addresses."""
        return 64 if self.size == 64 else 32

    @property
    def other_address_size(self) -> int:
        """Bits of addresses behind prefix 67."""
        return 16 if self.size == 32 else 32


LONG: Final = Mode("x86_64", 64, 64)
FLAT: Final = Mode("i386", 32, 32)
REAL: Final = Mode("i8086", 16, 16, protected=False, flat=False)
PROTECTED_16: Final = Mode("i286", 16, 16, flat=False)
PROTECTED_32: Final = Mode("i386_segments", 32, 32, flat=False)
MODES: Final = (
    LONG, FLAT, REAL, PROTECTED_16, PROTECTED_32,
    Mode("i286_stack32", 16, 32, flat=False), Mode("i386_segments_stack16", 32, 16, flat=False),
)  # fmt: skip
"""All of them. Names are those that debuggers have for sizes of code; the instructions are everywhere those of today's
processors."""
