"""Keep as many checkpoints as a region needs for its state to be exact where an access to guest memory faults.

A region holds in registers of the host what changed since its last checkpoint. If an access faults, tier 0 begins again
there and finds the fault itself. Loads may run twice, stores must not: between a store and the next access there has to
be a checkpoint. The start of the region is one. Stores below the stack pointer, as a function begins with, may run
twice too: they write the same again where nobody else looks, unless something was loaded before that they may have
changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from metaphrase.ir.graph import Block, Function, Value
from metaphrase.ir.layout import INDEXED, Slot
from metaphrase.ir.ops import MAY_FAULT, OPS

CHECKPOINT: Final = OPS["checkpoint"]
_GET, _PUT, _STORE, _ADD = OPS["get"], OPS["put"], OPS["store"], OPS["add"]
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
    stack = function.layout.stack_pointer if function.layout is not None else None
    sweep = _Sweep(accesses, registers, stack)
    before = dict.fromkeys(function.blocks, 0)
    work = list(function.blocks)
    while work:
        block = work.pop()
        after = sweep.run(block, before[block], None)
        for successor in block.successors:
            if after | before[successor] != before[successor]:
                before[successor] |= after
                work.append(successor)
    for block in function.blocks:
        kept: list[Value] = []
        sweep.run(block, before[block], kept)
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


_LOADED, _LASTING_DONE = 1, 2
"""What may have happened since the last checkpoint: something was loaded; something that must not happen twice."""


@dataclass(frozen=True, slots=True)
class _Sweep:
    """The way through a block, with what is known of the whole function."""

    ahead: dict[Block, bool]
    registers: Mapping[int, Slot]
    stack: Slot | None

    def run(self, block: Block, since: int, kept: list[Value] | None) -> int:
        """What may have happened at the end of a block, given that at its start; collects the effects that stay."""
        needed: list[bool] = []
        found = any(self.ahead[successor] for successor in block.successors)
        for effect in reversed(block.effects):
            if effect.op is CHECKPOINT:
                needed.append(found)
                found = False
            elif effect.op in MAY_FAULT:
                found = True
        for effect in block.effects:
            if effect.op is CHECKPOINT:
                if not needed.pop() or not since & _LASTING_DONE:
                    continue
                since = 0
            elif effect.op in _LASTING or (effect.op is _PUT and effect.imm not in self.registers):
                if since & _LOADED or not self._below_stack(effect):
                    since |= _LASTING_DONE
            elif effect.op in MAY_FAULT:
                since |= _LOADED
            if kept is not None:
                kept.append(effect)
        return since

    def _below_stack(self, effect: Value) -> bool:
        """Whether an effect is a store a constant way below where the stack pointer has been."""
        if self.stack is None or effect.op is not _STORE or effect.args[0].op is not _ADD:
            return False
        base, offset = effect.args[0].args
        on_stack = base.op is _GET and base.imm == self.stack.offset
        return on_stack and offset.is_const and bool(offset.imm >> offset.width - 1)
