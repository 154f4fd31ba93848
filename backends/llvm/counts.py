"""Counting instructions along the paths of a region, with as little as can be done while it runs.

Outside of loops, each block is given a number of instructions that were executed before it. Where paths come together
it is the least of theirs, and the others add to the region's counter what they have more. Ways out add the number that
their block has. In loops each block counts by itself, in a cell that LLVM keeps in a register.

When that has come to `LOOK`, it is time to look whether somebody wants to interrupt the loop, so that most turns of it
need not; and it begins at zero again.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.graph import Block
from metaphrase.ir.schedule import Dominators

LOOK: Final = 1 << 16
"""Instructions that a loop executes before it looks: many more than looking costs, and soon over."""


class Counts:
    """The numbers of one region."""

    def __init__(self, dominators: Dominators, *, by_blocks: bool = False) -> None:
        self.loops = _looping(dominators)
        """Blocks that may be executed more than once."""
        self.by_themselves = set(dominators.order) if by_blocks else self.loops
        """Blocks that count by themselves: all, or those of loops."""
        self.before: dict[Block, int] = {}
        """By block, the instructions executed before it, but for those of loops."""
        self.behind: dict[Block, int] = {}
        """By block, the same at its end."""
        for number, block in enumerate(dominators.order):
            before = dominators.predecessors[block]
            forward = [self.behind[each] for each in before if dominators.index[each] < number]
            own = sum(int(effect.imm) for effect in block.effects if effect.op.name == "count")
            self.before[block] = min(forward, default=0)
            self.behind[block] = self.before[block] + (0 if block in self.by_themselves else own)

    def more(self, block: Block, successor: Block) -> int:
        """What an edge adds to the counter."""
        return self.behind[block] - self.before[successor]


def _looping(dominators: Dominators) -> set[Block]:
    """The blocks of loops, and some that only lie between theirs."""
    found: set[Block] = set()
    for number, block in enumerate(dominators.order):
        for successor in block.successors:
            found.update(dominators.order[dominators.index[successor] : number + 1])
    return found
