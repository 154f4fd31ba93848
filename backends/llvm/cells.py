"""Which slots of the guest state a region keeps in cells, that is, in registers of the host.

A cell is read where the region is entered and written back where it is left. What code outside of loops reads or writes
once or twice costs less where it is: LLVM, short of registers, would have all who enter copy it to a stack slot. In an
exact region, whose state at checkpoints is in cells, that goes for reads of what nothing has written yet.
"""

from __future__ import annotations

from collections.abc import Collection

from metaphrase.ir.graph import Block, Function
from metaphrase.ir.layout import Slot
from metaphrase.ir.passes.checkpoints import register_slots
from metaphrase.ir.types import I64
from metaphrase.translator.mechanisms import uses


def cells(
    function: Function, carried: Collection[int], loops: set[Block], *, exact: bool
) -> tuple[dict[int, Slot], frozenset[int]]:
    """The slots that have cells, by offset, and those of them that are better read in their place for as long as they
    have not been written: general registers that are not carried and that no loop touches. Regions that are not exact
    have no cells for these at all."""
    possible = register_slots(function)
    if not uses("left-in-state"):
        return possible, frozenset()
    looped = {effect.imm for block in loops for effect in block.effects if effect.op.name in ("get", "put")}
    left = frozenset(
        offset for offset, slot in possible.items()
        if slot.type is I64 and not slot.group and offset not in carried and offset not in looped
    )  # fmt: skip
    if exact:
        return possible, left
    return {offset: slot for offset, slot in possible.items() if offset not in left}, frozenset()
