"""Where deferred slots hold what others can be computed from (`ir.layout.Deferred`), and where those are up to date."""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.ops import OPS

_PUT = OPS["put"]
UNTOUCHED, DEFERRED, PRESENT = 1, 2, 4
"""What may be the case at a place, as a set of bits: as it was at the function's start; to be computed; up to date."""


def deferred_state(function: Function) -> tuple[dict[Block, int], dict[Block, int]]:
    """What may be the case at the start and at the end of each block; empty for layouts that defer nothing."""
    if function.layout is None or function.layout.deferred is None:
        return {}, {}
    kind = function.layout.deferred.kind.offset
    own: dict[Block, int] = {}
    for block in function.blocks:
        for effect in reversed(block.effects):
            if effect.op is _PUT and effect.imm == kind:
                own[block] = after_put(effect)
                break
    start = dict.fromkeys(function.blocks, 0)
    work = [(function.blocks[0], UNTOUCHED)]
    while work:
        block, before = work.pop()
        if start[block] | before != start[block]:
            start[block] |= before
            after = own.get(block, start[block])
            work.extend((successor, after) for successor in block.successors)
    return start, {block: own.get(block, start[block]) for block in function.blocks}


def after_put(effect: Value) -> int:
    """What is the case behind a write of the slot that tells."""
    value = effect.args[0]
    return DEFERRED | PRESENT if not value.is_const else DEFERRED if value.imm else PRESENT
