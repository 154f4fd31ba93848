"""Move writes of guest state down to the ways on which they are needed.

A flag that the hot way of a loop overwrites, and only an exit needs, is then written in the exit alone; what it is
computed from goes there with it (see `schedule`).
"""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.passes.dead_state import ALL, liveness, state_bytes
from metaphrase.ir.schedule import reverse_postorder

_GET, _PUT = OPS["get"], OPS["put"]
_COMPUTED = frozenset({OPS["get_at"], OPS["put_at"]})


def sink_state(function: Function) -> Function:
    """Move each `put` that nothing in its block follows into those successors that need it.

    It stays where a successor that needs it can be reached another way too, and where all successors need it, unless
    it belongs to a group (flags are likely to find their overwriting write further on).
    """
    live_in = liveness(function)
    order = reverse_postorder(function)
    edges: dict[Block, int] = {}
    for block in order:
        for successor in block.successors:
            edges[successor] = edges.get(successor, 0) + 1
    for block in order:
        if block.successors:
            _sink(function, block, live_in, edges)
    return function


def _sink(function: Function, block: Block, live_in: dict[Block, int], edges: dict[Block, int]) -> None:
    layout = function.layout
    assert layout is not None
    blocked = 0
    kept: list[Value] = []
    moved: dict[Block, list[Value]] = {}
    for effect in reversed(block.effects):
        if effect.op is _PUT:
            bytes_written = state_bytes(effect.imm, effect.args[0].type.bytes)
            if not bytes_written & blocked:
                needed = [s for s in dict.fromkeys(block.successors) if live_in.get(s, 0) & bytes_written]
                slot = layout.find(effect.imm)
                grouped = slot is not None and slot.group != ""
                if all(edges[s] == 1 for s in needed) and (grouped or len(needed) < len(block.successors)):
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
        copies = [function.copy_effect(put) for put in reversed(puts)]
        successor.effects[:0] = copies
