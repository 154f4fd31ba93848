"""The record that a decoded instruction is to native code: one cache line of handler, operands and addresses.

A guest's native decoder is an IR function (pc: i64, record: i64, table: i64) -> i64. It reads the instruction's bytes
with guest loads at `pc` (only those that belong to it, so that the end of a page is never overstepped), its own tables
at the host address `table` with `peek`, and fills the record at the host address `record` with `poke`; it gives the
length in bytes, or 0 if no description matches. It leaves the handler and the u32 behind the form alone.
"""

from __future__ import annotations

from typing import Final

REGISTER_FIELDS: Final = 8
"""How many register operands (state offsets) a record has room for."""

HANDLER: Final = 0
PC: Final = 8
IMMEDIATE: Final = 16
"""Immediate operand, or the absolute target of a direct branch."""
DISPLACEMENT: Final = 24
"""Displacement of a memory operand; in a record that branches, the record that is chained to instead; in one that a
region is left through, where the region has that."""
REGISTERS: Final = 32
"""`REGISTER_FIELDS` u16: state offsets."""
NEXT_PC: Final = 48
FORM: Final = 56
"""u32: row << static_bits | statics."""
SIZE: Final = 64

FIELDS: Final = {
    "pc": (PC, 8),
    "immediate": (IMMEDIATE, 8),
    "displacement": (DISPLACEMENT, 8),
    "next_pc": (NEXT_PC, 8),
    **{f"r{n}": (REGISTERS + 2 * n, 2) for n in range(REGISTER_FIELDS)},
}
"""Offset and size in bytes of what the IR op `field` names."""
