"""The record that a decoded instruction is to native code: one cache line of handler, operands and addresses.

A guest's native decoder is an IR function (pc: i64, record: i64, table: i64) -> i64. It reads the instruction's bytes
with guest loads at `pc` (only those that belong to it, so that the end of a page is never overstepped), its own tables
at the host address `table` with `peek`, and fills the record at the host address `record` with `poke`; it gives the
length in bytes, or 0 if no description matches. It leaves the handler and the u32 behind the form alone.
"""

from __future__ import annotations

import struct
from typing import Final

from metaphrase.translator.guest import REGISTER_FIELDS, Decoded

HANDLER: Final = 0
PC: Final = 8
IMMEDIATE: Final = 16
"""Immediate operand, or the absolute target of a direct branch."""
DISPLACEMENT: Final = 24
"""Displacement of a memory operand; in a record that branches, the record that is chained to instead."""
REGISTERS: Final = 32
"""`REGISTER_FIELDS` u16: state offsets."""
NEXT_PC: Final = 48
FORM: Final = 56
"""u32: row << static_bits | statics."""
EXTRA: Final = 60
"""u32 that the engine uses."""
SIZE: Final = 64

FIELDS: Final = {
    "pc": (PC, 8),
    "immediate": (IMMEDIATE, 8),
    "displacement": (DISPLACEMENT, 8),
    "next_pc": (NEXT_PC, 8),
    **{f"r{n}": (REGISTERS + 2 * n, 2) for n in range(REGISTER_FIELDS)},
}
"""Offset and size in bytes of what the IR op `field` names."""

_RECORD = struct.Struct("<QQQQ8HQII")


def unpack(data: bytes, static_bits: int) -> Decoded:
    """The decoded instruction that a record's bytes describe."""
    _, pc, immediate, displacement, *rest = _RECORD.unpack(data)
    *registers, next_pc, form, _ = rest
    row, statics = form >> static_bits, form & (1 << static_bits) - 1
    return Decoded(row, statics, tuple(registers), immediate, displacement, pc, next_pc - pc)


def pack(decoded: Decoded, static_bits: int, handler: int = 0) -> bytes:
    """A record for a decoded instruction; the inverse of `unpack`."""
    form = decoded.row << static_bits | decoded.statics
    return _RECORD.pack(
        handler, decoded.pc, decoded.immediate, decoded.displacement, *decoded.registers, decoded.next_pc, form, 0
    )
