"""Keep as many checkpoints as a region needs for its state to be exact where an access to guest memory faults.

A region holds in registers of the host what changed since its last checkpoint. If an access faults, tier 0 begins again
there and finds the fault itself. Loads may run twice, stores must not: between a store and the next access there has to
be a checkpoint. The start of the region is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.layout import Slot
from metaphrase.ir.ops import MAY_FAULT, OPS

CHECKPOINT: Final = OPS["checkpoint"]
INDEXED: Final = "indexed"
"""Group of slots that are reached by computed offsets, and so stay in memory."""
_PUT: Final = OPS["put"]
_LASTING: Final = frozenset(
    OPS[name] for name in ("store", "near_store", "rmw", "cmpxchg", "set_fenv", "set_f80_control", "put_at")
)
"""What must not happen twice, besides writes of slots that are not `register_slots`."""


def register_slots(function: Function) -> dict[int, Slot]:
    """The slots, by offset, that can live in registers of the host: always touched as a whole, at a known offset."""
    assert function.layout is not None
    cells: dict[int, Slot] = {}
    shared: set[int] = set()
    for block in function.blocks:
        for effect in block.effects:
            if effect.op.name in ("get", "put"):
                type = effect.type if effect.op.name == "get" else effect.args[0].type
                slot = function.layout.find(effect.imm)
                if slot is not None and slot.offset == effect.imm and slot.type is type and slot.group != INDEXED:
                    cells[slot.offset] = slot
                else:
                    for byte in range(effect.imm, effect.imm + type.bytes):
                        touched = function.layout.find(byte)
                        if touched is not None:
                            shared.add(touched.offset)
    return {offset: slot for offset, slot in sorted(cells.items()) if offset not in shared}


def checkpoints(function: Function) -> Function:
    """Remove the checkpoints, of which one stands before every instruction, that no access needs."""
    if not any(effect.op is CHECKPOINT for block in function.blocks for effect in block.effects):
        return function
    predecessors: dict[Block, list[Block]] = {block: [] for block in function.blocks}
    for block in function.blocks:
        for successor in block.successors:
            predecessors[successor].append(block)
    accesses = _accesses_ahead(function, predecessors)
    registers = register_slots(function) if function.layout is not None else {}
    pending = dict.fromkeys(function.blocks, False)
    work = list(function.blocks)
    while work:  # whether something lasting has happened since the last checkpoint, at each block's start
        block = work.pop()
        if _sweep(block, pending[block], accesses, registers, None):
            for successor in block.successors:
                if not pending[successor]:
                    pending[successor] = True
                    work.append(successor)
    for block in function.blocks:
        kept: list[Value] = []
        _sweep(block, pending[block], accesses, registers, kept)
        if len(kept) != len(block.effects):
            block.effects[:] = kept
    return function


def _accesses_ahead(function: Function, predecessors: dict[Block, list[Block]]) -> dict[Block, bool]:
    """Whether an access may follow, before the next instruction begins, from each block's start on."""
    ahead = dict.fromkeys(function.blocks, False)
    work = list(function.blocks)
    while work:
        block = work.pop()
        found = any(ahead[successor] for successor in block.successors)
        for effect in reversed(block.effects):
            if effect.op is CHECKPOINT:
                found = False
            elif effect.op in MAY_FAULT:
                found = True
        if found and not ahead[block]:
            ahead[block] = True
            work.extend(predecessors[block])
    return ahead


def _sweep(
    block: Block, pending: bool, ahead: dict[Block, bool], registers: Mapping[int, Slot], kept: list[Value] | None
) -> bool:
    """Whether something lasting is pending at the end of a block; collects what stays of its effects in `kept`."""
    needed: list[bool] = []
    found = any(ahead[successor] for successor in block.successors)
    for effect in reversed(block.effects):
        if effect.op is CHECKPOINT:
            needed.append(found)
            found = False
        elif effect.op in MAY_FAULT:
            found = True
    for effect in block.effects:
        if effect.op is CHECKPOINT:
            wanted = needed.pop()
            keep = wanted and pending
            pending = pending and not wanted
            if not keep:
                continue
        elif effect.op in _LASTING or (effect.op is _PUT and effect.imm not in registers):
            pending = True
        if kept is not None:
            kept.append(effect)
    return pending
