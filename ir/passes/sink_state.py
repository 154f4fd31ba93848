"""Move writes of guest state down to the ways on which they are needed.

A flag that the hot way of a loop overwrites, and only an exit needs, is then written in the exit alone; what it is
computed from goes there with it (see `schedule`).
"""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS
from metaphrase.ir.passes.dead_state import ALL, liveness, state_bytes
from metaphrase.ir.schedule import Dominators

_GET, _PUT = OPS["get"], OPS["put"]
_COMPUTED = frozenset({OPS["get_at"], OPS["put_at"], OPS["checkpoint"]})


def sink_state(function: Function) -> Function:
    """Move each `put` that nothing in its block follows into those successors that need it.

    It stays where a successor that needs it can be reached another way too, and where all successors need it, unless
    it belongs to a group (flags are likely to find their overwriting write further on). On a way out of a loop it gets
    a block of its own.
    """
    if function.layout is not None and len(function.blocks) > 1:
        sinking = _Sinking(function, function.layout)
        for block in sinking.dominators.order:
            if block.successors:
                sinking.sink(block)
    return function


class _Sinking:
    """The work on one function."""

    def __init__(self, function: Function, layout: Layout) -> None:
        self.function, self.layout = function, layout
        self.live_in = liveness(function)
        self.dominators = Dominators(function)

    def leads_out(self, block: Block, successor: Block) -> bool:
        """Whether the edge between two blocks leaves a loop."""
        depth, index = self.dominators.loop_depth, self.dominators.index
        return depth[index[successor]] < depth[index[block]]

    def own_way(self, block: Block, successor: Block) -> Block:
        """The successor, or, where it has other ways to it, a new block on this one."""
        end = block.terminator
        if len(self.dominators.predecessors[successor]) == 1 or end is None:
            return successor
        way = self.function.block()
        way.terminator = Terminator(OPS["jump"], (), (successor,))
        targets = tuple(way if target is successor else target for target in end.targets)
        block.terminator = Terminator(end.op, end.args, targets, end.imm)
        return way

    def may_sink(self, block: Block, effect: Value, needed: list[Block]) -> bool:
        """Whether a write may move into all of the successors that need it."""
        slot = self.layout.find(effect.imm)
        grouped = slot is not None and slot.group != ""
        for successor in needed:
            alone = len(self.dominators.predecessors[successor]) == 1
            if not alone and not (grouped and self.leads_out(block, successor)):
                return False
        return grouped or len(needed) < len(block.successors)

    def sink(self, block: Block) -> None:
        """Move what can be moved from the end of a block."""
        blocked = 0
        kept: list[Value] = []
        moved: dict[Block, list[Value]] = {}
        for effect in reversed(block.effects):
            if effect.op is _PUT:
                bytes_written = state_bytes(effect.imm, effect.args[0].type.bytes)
                if not bytes_written & blocked:
                    needed = [s for s in dict.fromkeys(block.successors) if self.live_in.get(s, 0) & bytes_written]
                    if self.may_sink(block, effect, needed):
                        for successor in needed:
                            moved.setdefault(successor, []).append(effect)
                        blocked |= bytes_written
                        continue
                blocked |= bytes_written
            elif effect.op is _GET:
                blocked |= state_bytes(effect.imm, effect.type.bytes)
            elif effect.op in _COMPUTED:
                blocked = ALL
            kept.append(effect)
        if not moved and len(kept) == len(block.effects):
            return
        kept.reverse()
        block.effects[:] = kept
        for successor, puts in moved.items():
            copies = [self.function.copy_effect(put) for put in reversed(puts)]
            self.own_way(block, successor).effects[:0] = copies
