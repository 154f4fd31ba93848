"""The window memory model: what translated code may rely on about a guest's address space in the host's.

Guest addresses below 2^WINDOW_BITS lie in the window; those above are checked for, and fault. Around the window lie
zones of host memory that never map. So an address is safe to access that is near one which was checked or accessed:
it lies in the window too, or faults by itself.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.graph import Value

WINDOW_BITS: Final = 46
ZONE: Final = 1 << 38
"""Bytes below and above the window that never map."""
SMALL: Final = 1 << 36
"""A part of an address below this is small: two small parts, a few steps of a loop and an access stay in the zone."""

BESIDE: Final = 4032
"""Displacements up to this do not reach over more than a page, with what is accessed there."""


def displaced(address: Value) -> tuple[Value, int] | None:
    """What an address is a displacement of at most BESIDE away from, and that.

    To compare it in place of the address takes no instruction for the sum. Where it lies outside of the window and the
    address does not, an access would fault all the same: the first and the last page of a process's window are never
    mapped.
    """
    if address.op.name != "add" or not address.args[1].is_const:
        return None
    displacement = int(address.args[1].imm)
    displacement -= displacement >> 63 << 64
    return (address.args[0], displacement) if abs(displacement) <= BESIDE else None


def large_part(address: Value) -> Value | None:
    """What is left of an address without its small parts (displacements, 32-bit indexes); None if nothing is."""
    return _split(address)[0]


def _split(value: Value) -> tuple[Value | None, int]:
    """(the large part, a bound of the rest)."""
    large, bound = _parts(value)
    return (large, bound) if bound < SMALL else (value, 0)


def _parts(value: Value) -> tuple[Value | None, int]:
    args = value.args
    constant = int(args[1].imm) if len(args) == 2 and args[1].is_const and value.type.is_int else None
    match value.op.name:
        case "const" if value.type.is_int:
            number = int(value.imm)
            return None, min(number, (1 << value.width) - number)
        case "add" | "sub":
            large, bound = _split(args[0])
            other, other_bound = _split(args[1])
            if other is None:
                return large, bound + other_bound
            if large is None and value.op.name == "add":
                return other, bound + other_bound
        case "zext":
            return None, 1 << args[0].width
        case "sext":
            return None, 1 << args[0].width - 1
        case "and" if constant is not None:
            return None, constant
        case "lshr" if constant is not None and constant < value.width:
            return None, 1 << value.width - constant
        case "shl" if constant is not None and constant < 8:
            large, bound = _split(args[0])
            if large is None:
                return None, bound << constant
        case "mul" if constant is not None:
            large, bound = _split(args[0])
            if large is None:
                return None, bound * constant
    return value, 0
