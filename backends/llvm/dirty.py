"""What of the state a region may have written but not written back, and where exact regions go on after a fault."""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function
from metaphrase.ir.layout import Slot
from metaphrase.ir.ops import MAY_FAULT
from metaphrase.ir.passes.checkpoints import CHECKPOINT

Cells = frozenset[int]
"""Cells by the offsets of their slots."""


def dirty_cells(function: Function, cells: dict[int, Slot]) -> tuple[dict[int, Cells], dict[Block, Cells]]:
    """The cells that may have been written: at each checkpoint and at blocks' ends, and before accesses, which are of
    the state at the last checkpoint, as of that. By ids of effects, and by blocks."""
    nothing = frozenset[int]()
    at_start = dict.fromkeys(function.blocks, (nothing, nothing))
    at_end: dict[Block, Cells] = {}
    before: dict[int, Cells] = {}
    work = list(function.blocks)
    while work:
        block = work.pop()
        dirty, noted = (set(one) for one in at_start[block])
        for effect in block.effects:
            if effect.op is CHECKPOINT:
                noted |= dirty
                before[effect.id] = frozenset(dirty)
            elif effect.op in MAY_FAULT:
                before[effect.id] = frozenset(noted)
            elif effect.op.name == "put" and effect.imm in cells:
                dirty.add(effect.imm)
        at_end[block] = frozenset(dirty)
        for successor in block.successors:
            more = (at_start[successor][0] | dirty, at_start[successor][1] | noted)
            if more != at_start[successor]:
                at_start[successor] = more
                work.append(successor)
    return before, at_end


def last_checkpoints(function: Function) -> dict[int, object]:
    """For each access by its id: the last checkpoint before it, or the block where several come together."""
    at_start: dict[Block, object] = {function.blocks[0]: function.blocks[0]}
    found: dict[int, object] = {}
    work = [function.blocks[0]]
    while work:
        block = work.pop()
        last = at_start[block]
        for effect in block.effects:
            if effect.op is CHECKPOINT:
                last = effect
            elif effect.op in MAY_FAULT:
                found[effect.id] = last
        for successor in block.successors:
            before = at_start.get(successor)
            if before is not last and before is not successor:
                at_start[successor] = last if before is None else successor
                work.append(successor)
    return found
