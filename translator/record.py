"""Decoded instructions to and from the records of `ir/record.py`."""

from __future__ import annotations

import struct

from metaphrase.translator.guest import Decoded

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
