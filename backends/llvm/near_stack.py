"""The stack pointer is near the window: what regions hand on to each other, so that each need not check it anew.

Wherever a region is entered or left for another one, the guest's stack pointer lies in the window, or so near it that
an access would fault by itself (see `ir.window`). An access through it that did not fault shows that, as does a check.
A region that moves it without either checks it on the way out. Tier 0 promises nothing: the header of a block that a
region took over looks.

Steps do not add up: what a block leaves behind lies a small distance from what was accessed or checked in it or above
it, not from what the block was given.
"""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.ops import MAY_FAULT
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.window import large_part


class NearStack:
    """Where the stack pointer of a function is known to be near."""

    def __init__(self, function: Function, dominators: Dominators) -> None:
        slot = function.layout.stack_pointer if function.layout is not None else None
        self.offset = -1 if slot is None else slot.offset
        self.blocks = dominators.order
        self.behind: dict[Block, bool] = dict.fromkeys(self.blocks, True)
        """Whether it is near at the end of a block."""
        self.reads: set[Value] = set()
        """What was read of it where it is near."""
        if slot is not None:
            self._solve(dominators)

    def _solve(self, dominators: Dominators) -> None:
        accessed: list[set[Value]] = []
        for number, block in enumerate(self.blocks):
            above = accessed[dominators.idom[number]] if number else set[Value]()
            roots = (large_part(effect.args[0]) for effect in block.effects if effect.op in MAY_FAULT)
            accessed.append(above | {root for root in roots if root is not None})
        at_start = dict.fromkeys(self.blocks, True)
        changed = True
        while changed:
            changed = False
            for number, block in enumerate(self.blocks):
                self.behind[block] = self._is_near_behind(block, at_start[block], accessed[number])
                for successor in block.successors:
                    if at_start[successor] and not self.behind[block]:
                        at_start[successor] = False
                        changed = True
        for block in self.blocks:
            if at_start[block]:
                self.reads.update(self._reads(block))

    def _reads(self, block: Block) -> list[Value]:
        """What a block reads of it before writing it."""
        found = []
        for effect in block.effects:
            if effect.op.name == "get" and effect.imm == self.offset:
                found.append(effect)
            elif effect.op.name == "put" and effect.imm == self.offset:
                break
        return found

    def _is_near_behind(self, block: Block, at_start: bool, accessed: set[Value]) -> bool:
        writes = [e.args[0] for e in block.effects if e.op.name == "put" and e.imm == self.offset]
        held = writes[-1] if writes else None
        reads = self._reads(block)
        if held is None or held in reads:
            return at_start or not accessed.isdisjoint(reads)
        root = large_part(held)
        return root is None or root in accessed
