"""Which slots of the guest state a region keeps in cells, that is, in registers of the host.

A cell is read where the region is entered and written back where it is left. What code outside of loops reads or writes
once or twice costs less where it is: LLVM, short of registers, would have all who enter copy it to a stack slot.
"""

from __future__ import annotations

from collections.abc import Collection

from metaphrase.ir.graph import Block, Function
from metaphrase.ir.layout import Slot
from metaphrase.ir.passes.checkpoints import register_slots
from metaphrase.ir.types import I64
from metaphrase.translator.mechanisms import uses


def cells(function: Function, carried: Collection[int], loops: set[Block], *, exact: bool) -> dict[int, Slot]:
    """The slots by offset. All that can be: in an `exact` region, whose state at checkpoints is in the cells. In others
    all but general registers that are not carried and that no loop touches."""
    possible = register_slots(function)
    if exact or not uses("left-in-state"):
        return possible
    looped = {effect.imm for block in loops for effect in block.effects if effect.op.name in ("get", "put")}
    return {
        offset: slot for offset, slot in possible.items()
        if offset in carried or offset in looped or slot.group or slot.type is not I64
    }  # fmt: skip
