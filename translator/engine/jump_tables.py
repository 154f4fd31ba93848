"""Tables that a jump takes its target from, as compilers make of a `switch`: where they lie, and what they hold.

Nothing depends on the table staying as it was found: a region compares the target with what it knows before it goes
there, and leaves if it is none of that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Value
from metaphrase.ir.types import I32, I64
from metaphrase.translator.emitter import Constants
from metaphrase.translator.guest import Decoded, Guest

MAX_ENTRIES: Final = 512
_MASK: Final = (1 << 64) - 1
Read = Callable[[int, int], bytes]


class JumpTable(NamedTuple):
    """A table of addresses (`base` is None) or of signed distances from `base`, 8 or 4 bytes each."""

    address: int
    base: int | None

    def targets(self, read: Read) -> list[int]:
        """The addresses that the table may hold, each once: where it ends is not known, so there may be others."""
        size = 8 if self.base is None else 4
        data = read(self.address, size * MAX_ENTRIES)
        words = (int.from_bytes(data[at : at + size], "little", signed=True) for at in range(0, len(data), size))
        return list(dict.fromkeys(((self.base or 0) + word) & _MASK for word in words))


def jump_table(guest: Guest, instructions: list[Decoded]) -> JumpTable | None:
    """The table that the jump at the end of a block takes its target from, if that can be seen in this block."""
    origin = instructions[0].pc
    function = Function("jump", guest.layout, simplify=simplify)
    emitter = guest.make_emitter(function)
    for decoded in instructions:
        emitter.binding = Constants(function, decoded, origin)
        guest.emit(emitter, decoded.row, decoded.statics)
    gotos = [block.terminator for block in function.blocks if block.terminator and block.terminator.op.name == "goto"]
    if len(gotos) != 1:
        return None
    target = gotos[0].args[0]
    base, rest = _sum(target, origin)
    if len(rest) != 1:
        return None
    if rest[0].op.name == "sext" and base is not None:
        address = _table(rest[0].args[0], 2, origin)
        return JumpTable(address, base) if rest[0].args[0].type is I32 and address is not None else None
    address = _table(rest[0], 3, origin)
    return JumpTable(address, None) if base is None and rest[0].type is I64 and address is not None else None


def _table(value: Value, shift: int, origin: int) -> int | None:
    """Where the table lies that a value is loaded from, by an index times `1 << shift`."""
    if value.op.name != "load":
        return None
    start, rest = _sum(value.args[0], origin)
    scaled = len(rest) == 1 and rest[0].op.name == "shl" and rest[0].args[1].is_const and rest[0].args[1].imm == shift
    return start if scaled else None


def _sum(value: Value, origin: int) -> tuple[int | None, list[Value]]:
    """A sum's constant part, None if it has none, and its other parts."""
    if value.op.name == "add":
        parts = [_sum(each, origin) for each in value.args]
        known = [start for start, _ in parts if start is not None]
        return (sum(known) & _MASK if known else None), [each for _, rest in parts for each in rest]
    if value.op.name == "base":
        return origin, []
    return (int(value.imm), []) if value.is_const else (None, [value])
