"""The state of a RISC-V hardware thread (RV64, user mode), as native code sees it.

x0 is two slots: it is read from "x0", which nothing writes, and written to "sink", which nothing reads. The decoder
chooses, so semantics need no test. An f register holds the bits of a double; a single in it is NaN-boxed.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.layout import Layout
from metaphrase.ir.types import I32, I64

LAYOUT: Final = Layout("riscv64")
X: Final = tuple(LAYOUT.add(f"x{n}", I64) for n in range(32))
F: Final = tuple(LAYOUT.add(f"f{n}", I64) for n in range(32))
PC: Final = LAYOUT.add("pc", I64)
SINK: Final = LAYOUT.add("sink", I64)
RESERVATION: Final = LAYOUT.add("reservation", I64)
"""Address that LR reserved, or NO_RESERVATION."""
RESERVED_VALUE: Final = LAYOUT.add("reserved_value", I64)
"""What LR read there, sign-extended. SC succeeds if memory still holds it (an ABA change goes unnoticed)."""
FRM: Final = LAYOUT.add("frm", I32)
"""The dynamic rounding mode as FRM holds it; the direction is also set in the floating-point environment."""
FENV: Final = LAYOUT.add("fenv", I32)
"""The floating-point environment (MXCSR's layout) while native code does not run."""
LAYOUT.stack_pointer = LAYOUT["x2"]
LAYOUT.carry("x1", "x2", "x8", "x9", "x10", "x11", "x12", "x13", "x14")

ZERO: Final = X[0]
WRITTEN_X: Final = (SINK, *X[1:])
"""Offsets by register number, for destinations."""

NO_RESERVATION: Final = (1 << 64) - 1
"""An odd address, which no LR can reserve."""

RESET: Final = {"reservation": NO_RESERVATION, "fenv": 0x1F80}
"""Slots that do not start at zero in a new process."""

HIDDEN: Final = frozenset({"sink", "reservation", "reserved_value"})
"""Slots that no program can see."""

X_NAMES: Final = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1",
    *(f"a{n}" for n in range(8)), *(f"s{n}" for n in range(2, 12)), *(f"t{n}" for n in range(3, 7)),
)  # fmt: skip
"""The names of the calling convention (RISC-V ELF psABI, 1.1)."""
F_NAMES: Final = (
    *(f"ft{n}" for n in range(8)), "fs0", "fs1",
    *(f"fa{n}" for n in range(8)), *(f"fs{n}" for n in range(2, 12)), *(f"ft{n}" for n in range(8, 12)),
)  # fmt: skip

ALIASES: Final = {
    **{alias: f"x{n}" for n, alias in enumerate(X_NAMES)},
    **{alias: f"f{n}" for n, alias in enumerate(F_NAMES)},
    "fp": "x8",
}
"""Other names of slots."""

ROUNDING_SHIFT: Final = 13
ROUNDING_FIELD: Final = 3 << ROUNDING_SHIFT
"""The rounding direction in the environment."""
FLAGS_FIELD: Final = 0x3F
"""The sticky flags in the environment: invalid, denormal, division by zero, overflow, underflow, inexact."""

RNE, RTZ, RDN, RUP, RMM, DYNAMIC = 0, 1, 2, 3, 4, 7
DIRECTION_OF_MODE: Final = {RNE: 0, RTZ: 3, RDN: 1, RUP: 2, RMM: 0}
"""Rounding mode (table 8 of the F chapter) to the environment's direction. RMM is rounded like RNE."""
DIRECTIONS: Final = sum(direction << 2 * mode for mode, direction in DIRECTION_OF_MODE.items())
"""The same as two bits a mode."""

FLAG_BITS: Final = ((0, 4), (2, 3), (3, 2), (4, 1), (5, 0))
"""Bit in the environment, bit in FFLAGS: NV, DZ, OF, UF, NX. Denormal operands are no flag of RISC-V."""


def fcsr(frm: int, environment: int) -> int:
    """The FCSR register from the slots that hold it."""
    return frm << 5 | sum((environment >> here & 1) << there for here, there in FLAG_BITS)


def fcsr_slots(value: int) -> dict[str, int]:
    """The slots for a value of FCSR; the inverse of `fcsr`."""
    frm = value >> 5 & 7
    flags = sum((value >> there & 1) << here for here, there in FLAG_BITS)
    direction = DIRECTIONS >> 2 * frm & 3
    return {"frm": frm, "fenv": 0x1F80 | direction << ROUNDING_SHIFT | flags}
