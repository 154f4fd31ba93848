"""Remove blocks that cannot be reached, and reads whose value nothing uses. Unused pure nodes have no place anyway."""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.ops import OPS

_READS = frozenset(OPS[name] for name in ("get", "get_at", "read", "peek", "get_fenv", "cycles"))
"""Effects that leave no trace but their value. A load is none of them: it may fault."""


def reachable(function: Function) -> list[Block]:
    """The blocks that control can come to, in the function's order."""
    seen = {function.blocks[0]}
    work = [function.blocks[0]]
    while work:
        for successor in work.pop().successors:
            if successor not in seen:
                seen.add(successor)
                work.append(successor)
    return [block for block in function.blocks if block in seen]


def dead_code(function: Function) -> Function:
    """Remove blocks that cannot be reached and reads whose value is not used."""
    function.blocks[:] = reachable(function)
    used: set[int] = set()
    work: list[Value] = []
    for block in function.blocks:
        for effect in block.effects:
            if effect.op not in _READS:
                work.extend(effect.args)
        if block.terminator is not None:
            work.extend(block.terminator.args)
    while work:
        value = work.pop()
        if value.id not in used:
            used.add(value.id)
            work.extend(value.args)
    for block in function.blocks:
        block.effects[:] = [effect for effect in block.effects if effect.op not in _READS or effect.id in used]
    return function
