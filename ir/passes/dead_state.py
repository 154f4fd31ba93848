"""Remove writes of guest state that are overwritten before anything can see them."""

from __future__ import annotations

from functools import cache

from metaphrase.ir.graph import Block, Function
from metaphrase.ir.ops import MAY_FAULT, OPS, Op
from metaphrase.ir.passes.environment import ENVIRONMENT_SLOT, USES_ENVIRONMENT

_GET, _PUT = OPS["get"], OPS["put"]
ALL = -1
"""The set of all bytes of the state. A set of bytes is an integer, bit i standing for the byte at offset i."""
_SEES_ALL = frozenset({OPS["get_at"]})
_LEAVES = frozenset({OPS["next"], OPS["goto"], OPS["leave"], OPS["ret"]})


@cache
def state_bytes(offset: int, size: int) -> int:
    """The set of `size` bytes from `offset` on."""
    return ((1 << size) - 1) << offset


def dead_state(function: Function, *, exact: bool = False) -> Function:
    """Remove every `put` whose bytes are written again, on every way, before they are read or the function is left.

    With `exact`, an access to guest memory counts as a way out, since it may fault; without, whoever handles the fault
    must know the state in another way.
    """
    seers = _seers(function, exact)
    live_in = liveness(function, exact=exact)
    for block in function.blocks:
        _sweep(block, _live_out(block, live_in), seers)
    return function


def liveness(function: Function, *, exact: bool = False) -> dict[Block, int]:
    """The bytes of the state that are read before they are written from the start of each block on."""
    seers = _seers(function, exact)
    live_in: dict[Block, int] = {}
    summary = {block: _summary(block, seers) for block in function.blocks}
    # Later blocks first: most blocks then see their successors' answer at the first visit.
    work = list(function.blocks)
    waiting = set(work)
    predecessors: dict[Block, list[Block]] = {block: [] for block in work}
    for block in work:
        for successor in block.successors:
            predecessors[successor].append(block)
    while work:
        block = work.pop()
        waiting.discard(block)
        used, written = summary[block]
        live = used | (_live_out(block, live_in) & ~written)
        if live != live_in.get(block, 0):
            live_in[block] = live
            for predecessor in predecessors[block]:
                if predecessor not in waiting:
                    waiting.add(predecessor)
                    work.append(predecessor)
    return live_in


def _seers(function: Function, exact: bool) -> dict[Op, int]:
    """What ops other than `get` and `put` read of the state."""
    seers = dict.fromkeys(_SEES_ALL, ALL)
    if exact:
        seers |= dict.fromkeys(MAY_FAULT, ALL)
    slot = function.layout.slots.get(ENVIRONMENT_SLOT) if function.layout else None
    if slot is not None:  # a backend may keep the environment there
        seers |= dict.fromkeys(USES_ENVIRONMENT, state_bytes(slot.offset, slot.type.bytes))
    return seers


def _live_out(block: Block, live_in: dict[Block, int]) -> int:
    end = block.terminator
    if end is None or end.op in _LEAVES:
        return ALL
    live = 0
    for target in end.targets:
        live |= live_in.get(target, 0)
    return live


def _summary(block: Block, seers: dict[Op, int]) -> tuple[int, int]:
    """(bytes read before they are written, bytes written)."""
    used = written = 0
    for effect in reversed(block.effects):
        op = effect.op
        if op is _PUT:
            mask = state_bytes(effect.imm, effect.args[0].type.bytes)
            used &= ~mask
            written |= mask
        elif op is _GET:
            used |= state_bytes(effect.imm, effect.type.bytes)
        elif op in seers:
            used |= seers[op]
    return used, written


def _sweep(block: Block, live: int, seers: dict[Op, int]) -> None:
    """Drop the dead writes of a block, given what is live at its end."""
    kept = []
    for effect in reversed(block.effects):
        op = effect.op
        if op is _PUT:
            mask = state_bytes(effect.imm, effect.args[0].type.bytes)
            if not live & mask:
                continue
            live &= ~mask
        elif op is _GET:
            live |= state_bytes(effect.imm, effect.type.bytes)
        elif op in seers:
            live |= seers[op]
        kept.append(effect)
    if len(kept) != len(block.effects):
        kept.reverse()
        block.effects[:] = kept
