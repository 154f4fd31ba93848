"""Which slots of the guest state a region keeps in cells, that is, in registers of the host.

A cell is read where the region is entered and written back where it is left. What code outside of loops reads or writes
once or twice costs less where it is: LLVM, short of registers, would have all who enter copy it to a stack slot. In an
exact region, whose state at checkpoints is in cells, that goes for reads of what nothing has written yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from metaphrase.ir.graph import Block, Function
from metaphrase.ir.layout import Slot
from metaphrase.ir.types import I64
from metaphrase.translator.mechanisms import uses


def left_in_state(
    function: Function, possible: Mapping[int, Slot], carried: Collection[int], loops: set[Block]
) -> frozenset[int]:
    """Which of the slots that can be in cells are better where they are: general registers that are not carried and
    that no loop touches."""
    if not uses("left-in-state"):
        return frozenset()
    looped = {effect.imm for block in loops for effect in block.effects if effect.op.name in ("get", "put")}
    return frozenset(
        offset for offset, slot in possible.items()
        if slot.type is I64 and not slot.group and offset not in carried and offset not in looped
    )  # fmt: skip
