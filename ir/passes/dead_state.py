"""Remove writes of guest state that are overwritten before anything can see them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.layout import ENVIRONMENT_SLOT, INDEXED, Deferred, Slot
from metaphrase.ir.ops import OPS
from metaphrase.ir.passes.checkpoints import CHECKPOINT
from metaphrase.ir.passes.deferred import DEFERRED, PRESENT, after_put, deferred_state
from metaphrase.ir.passes.environment import USES_ENVIRONMENT

_GET, _PUT = OPS["get"], OPS["put"]
ALL = -1
"""The set of all bytes of the state. A set of bytes is an integer, bit i standing for the byte at offset i."""
_LEAVES = frozenset({OPS["next"], OPS["goto"], OPS["leave"], OPS["ret"]})


@cache
def state_bytes(offset: int, size: int) -> int:
    """The set of `size` bytes from `offset` on."""
    return ((1 << size) - 1) << offset


def bytes_of(slots: Iterable[Slot]) -> int:
    """The set of all bytes of some slots."""
    found = 0
    for slot in slots:
        found |= state_bytes(slot.offset, slot.type.bytes)
    return found


def dead_state(function: Function) -> Function:
    """Remove every `put` whose bytes are written again, on every way, before they are read or the function is left.

    An access that may fault does not count as a way out, but what is a checkpoint does (see `checkpoints`).
    """
    seers = _Seers(function)
    live_in = _liveness(function, seers)
    for block in function.blocks:
        _sweep(block, _live_out(block, live_in, seers.outside), seers)
    return function


class _Seers:
    """What is read of the state other than by `get`: bytes by op, by checkpoint, and behind blocks that leave."""

    def __init__(self, function: Function, outside: dict[Block, int] | None = None) -> None:
        indexed = function.layout.group(INDEXED) if function.layout else []
        self.ops = {OPS["get_at"]: bytes_of(indexed) if indexed else ALL}
        slot = function.layout.slots.get(ENVIRONMENT_SLOT) if function.layout else None
        if slot is not None:  # a backend may keep the environment there
            self.ops |= dict.fromkeys(USES_ENVIRONMENT, state_bytes(slot.offset, slot.type.bytes))
        self.checkpoints = visible_at_checkpoints(function)
        self.outside = visible_outside(function) if outside is None else outside

    def seen_by(self, effect: Value) -> int:
        """The bytes that an effect reads, if it is neither `get` nor `put`."""
        if effect.op is CHECKPOINT:
            return self.checkpoints[effect.id]
        return self.ops.get(effect.op, 0)


def _up_to_date(deferred: Deferred | None, state: int) -> int:
    """All bytes of the state but those that are out of date for sure, given what may be the case with deferred ones."""
    hidden: tuple[Slot, ...] = ()
    if deferred is not None and state == DEFERRED:
        hidden = deferred.stands_for
    elif deferred is not None and state == PRESENT:
        hidden = deferred.operands
    return ALL & ~bytes_of(hidden)


def visible_outside(function: Function) -> dict[Block, int]:
    """What is read of the state behind each block that leaves the function: all but what is out of date there."""
    deferred = function.layout.deferred if function.layout else None
    states = deferred_state(function)[1]
    return {block: _up_to_date(deferred, states.get(block, 0)) for block in _leaving(function)}


def _leaving(function: Function) -> list[Block]:
    return [b for b in function.blocks if b.terminator is None or b.terminator.op in _LEAVES]


def visible_at_checkpoints(function: Function) -> dict[int, int]:
    """What is read of the state at each checkpoint, by its id."""
    deferred = function.layout.deferred if function.layout else None
    return {number: _up_to_date(deferred, state) for number, state in _states_at_checkpoints(function).items()}


def _states_at_checkpoints(function: Function) -> dict[int, int]:
    """What may be the case with deferred slots at each checkpoint, by its id."""
    deferred = function.layout.deferred if function.layout else None
    starts = deferred_state(function)[0]
    found: dict[int, int] = {}
    for block in function.blocks:
        state = starts.get(block, 0)
        for effect in block.effects:
            if effect.op is CHECKPOINT:
                found[effect.id] = state
            elif effect.op is _PUT and deferred is not None and effect.imm == deferred.kind.offset:
                state = after_put(effect)
    return found


def needs_present(function: Function) -> bool:
    """Whether the function may read deferred slots, or leave part of them, as they were when it began."""
    deferred = function.layout.deferred if function.layout else None
    if deferred is None:
        return False
    wanted = bytes_of(deferred.stands_for)
    states = deferred_state(function)[1]
    outside = {block: wanted if states[block] & PRESENT else 0 for block in _leaving(function)}
    seers = _Seers(function, outside)
    seers.checkpoints = {
        number: wanted if state & PRESENT else 0 for number, state in _states_at_checkpoints(function).items()
    }
    at_entry = _liveness(function, seers).get(function.blocks[0], 0)
    return at_entry & wanted != 0


def liveness(function: Function) -> dict[Block, int]:
    """The bytes of the state that are read before they are written from the start of each block on."""
    return _liveness(function, _Seers(function))


def _liveness(function: Function, seers: _Seers) -> dict[Block, int]:
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
        live = used | (_live_out(block, live_in, seers.outside) & ~written)
        if live != live_in.get(block, 0):
            live_in[block] = live
            for predecessor in predecessors[block]:
                if predecessor not in waiting:
                    waiting.add(predecessor)
                    work.append(predecessor)
    return live_in


def _live_out(block: Block, live_in: dict[Block, int], outside: dict[Block, int]) -> int:
    live = outside.get(block, 0)
    end = block.terminator
    if end is None or live:
        return live
    for target in end.targets:
        live |= live_in.get(target, 0)
    return live


def _summary(block: Block, seers: _Seers) -> tuple[int, int]:
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
        else:
            used |= seers.seen_by(effect)
    return used, written


def _sweep(block: Block, live: int, seers: _Seers) -> None:
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
        else:
            live |= seers.seen_by(effect)
        kept.append(effect)
    if len(kept) != len(block.effects):
        kept.reverse()
        block.effects[:] = kept
