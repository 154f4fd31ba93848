"""Slots of the state that are the halves of one register: where code treats them as one, so does a region.

A region with code for vectors of 256 bits has both halves of a register in one cell. A value that is put together from
both, or taken apart into both, is read or written as a whole there, and LLVM need not do so again in each turn of a
loop.
"""

from __future__ import annotations

from collections.abc import Container

from metaphrase.ir.graph import Function, Value


class Pairs:
    """What a function reads and writes as a whole, of those `halves` of its layout that have cells."""

    def __init__(self, function: Function, cells: Container[int]) -> None:
        assert function.layout is not None
        self._upper = {low: high for low, high in function.layout.halves if low in cells and high in cells}
        self._lower = {high: low for low, high in self._upper.items()}
        self.reads: dict[int, Value] = {}
        """By ids of values put together from both halves: the effect at which the whole is read."""
        self.read_at: set[int] = set()
        """The ids of those effects."""
        self.writes: dict[int, Value] = {}
        """By ids of the effects that write a high half: the whole that both are halves of."""
        self.halves: dict[int, int] = {}
        """The offsets of the halves that are in one cell, the low one first."""
        if self._upper:
            self._find_reads(function, self._gets(function))
            self._find_writes(function)

    def low_half(self, offset: int) -> int:
        """The offset of the low half of which that is the high one."""
        return self._lower[offset]

    def _gets(self, function: Function) -> dict[tuple[int, int], Value]:
        """By ids, pairs of effects of a block that read two halves as they are at the same time: the later of them."""
        found: dict[tuple[int, int], Value] = {}
        for block in function.blocks:
            known: dict[int, Value] = {}
            for effect in block.effects:
                if effect.op.name == "put":
                    known.pop(effect.imm, None)
                elif effect.op.name == "get":
                    known[effect.imm] = effect
                    if effect.imm in self._upper and self._upper[effect.imm] in known:
                        found[effect.id, known[self._upper[effect.imm]].id] = effect
                    elif effect.imm in self._lower and self._lower[effect.imm] in known:
                        found[known[self._lower[effect.imm]].id, effect.id] = effect
        return found

    def _find_reads(self, function: Function, gets: dict[tuple[int, int], Value]) -> None:
        for value in function.values():
            if value.op.name == "shuffle" and value.imm == tuple(range(2 * value.args[0].type.lanes)):
                low, high = map(_source, value.args)
                if (low.id, high.id) in gets:
                    self.reads[value.id] = gets[low.id, high.id]
                    self.read_at.add(gets[low.id, high.id].id)
                    self.halves[low.imm] = high.imm

    def _find_writes(self, function: Function) -> None:
        for block in function.blocks:
            written: dict[int, Value] = {}
            for effect in block.effects:
                if effect.op.name == "put" and effect.imm in self._upper:
                    written[effect.imm] = effect.args[0]
                elif effect.op.name == "put" and effect.imm in self._lower:
                    low = written.get(self._lower[effect.imm])
                    whole = None if low is None else _whole(low, effect.args[0])
                    if whole is not None:
                        self.writes[effect.id] = whole
                        self.halves[self._lower[effect.imm]] = effect.imm


def _source(value: Value) -> Value:
    """What a value has the bits of."""
    while value.op.name == "bitcast":
        value = value.args[0]
    return value


def _whole(low: Value, high: Value) -> Value | None:
    """What two values are the halves of, if they are."""
    low, high = _source(low), _source(high)
    if low.op.name != "shuffle" or high.op.name != "shuffle" or low.args[0] is not high.args[0]:
        return None
    whole, half = low.args[0], low.args[0].type.lanes // 2
    halves = low.imm == tuple(range(half)) and high.imm == tuple(range(half, 2 * half))
    return whole if halves else None
