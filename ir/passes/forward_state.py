"""Use what is known of the guest state instead of reading it again: within a block, and from block to block.

What is known at the start of a block is what all its predecessors agree on, provided that they have been looked at (a
loop's head knows nothing). Values built of a read that disappears are built anew, so that they fold with what is known:
a condition becomes a comparison though the flags were written in another block.
"""

from __future__ import annotations

from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import ENVIRONMENT_SLOT, Layout
from metaphrase.ir.ops import OPS, Trait
from metaphrase.ir.passes.environment import USES_ENVIRONMENT
from metaphrase.ir.schedule import reverse_postorder
from metaphrase.ir.types import Type

_PURE = Trait.PURE
_GET, _PUT, _PUT_AT = OPS["get"], OPS["put"], OPS["put_at"]
Known = dict[int, Value]
"""By the offset of a slot, the value that it holds."""


def forward_state(function: Function) -> Function:
    """Replace reads of slots whose value is known; also drop writes of the value that a slot holds already."""
    if function.layout is None:
        return function
    order = reverse_postorder(function)
    predecessors: dict[Block, list[Block]] = {block: [] for block in order}
    for block in order:
        for successor in block.successors:
            predecessors[successor].append(block)
    at_end: dict[Block, Known] = {}
    rewriter = _Rewriter(function)
    for block in order:
        at_end[block] = rewriter.block(block, _known_at(predecessors[block], at_end), function.layout)
    return function


def _known_at(predecessors: list[Block], at_end: dict[Block, Known]) -> Known:
    if not predecessors or any(block not in at_end for block in predecessors):
        return {}
    known = dict(at_end[predecessors[0]])
    for block in predecessors[1:]:
        other = at_end[block]
        known = {offset: value for offset, value in known.items() if other.get(offset) is value}
    return known


class _Rewriter:
    """Replaced reads, and the values that were built anew because of them."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.new: dict[int, Value] = {}
        """By the number of the old value."""
        slot = function.layout.slots.get(ENVIRONMENT_SLOT) if function.layout else None
        self.environment = slot.offset if slot else -1
        self.replaced = False
        """Until the first read is replaced, nothing needs to be looked at."""

    def block(self, block: Block, known: Known, layout: Layout) -> Known:
        """Rewrite a block, given what is known at its start; gives what is known at its end."""
        kept = []
        for effect in block.effects:
            op = effect.op
            if op is _GET:
                if _is_slot(layout, effect.imm, effect.type):
                    found = known.get(effect.imm)
                    if found is not None and found.type is effect.type:
                        self.new[effect.id] = found
                        self.replaced = True
                        continue
                    known[effect.imm] = effect
                kept.append(effect)
                continue
            if self.replaced and effect.args:
                effect.args = self.values(effect.args)
            if op is _PUT:
                value = effect.args[0]
                if not _is_slot(layout, effect.imm, value.type):
                    _forget(layout, known, effect.imm, value.type)
                elif known.get(effect.imm) is value:
                    continue
                else:
                    known[effect.imm] = value
            elif op is _PUT_AT:
                known.clear()
            elif op in USES_ENVIRONMENT:
                known.pop(self.environment, None)
            kept.append(effect)
        if len(kept) != len(block.effects):
            block.effects[:] = kept
        end = block.terminator
        if self.replaced and end is not None and end.args:
            block.terminator = Terminator(end.op, self.values(end.args), end.targets, end.imm)
        return known

    def values(self, args: tuple[Value, ...]) -> tuple[Value, ...]:
        return tuple([self.value(arg) for arg in args])

    def value(self, root: Value) -> Value:
        """A value without the reads that have been replaced."""
        new = self.new
        found = new.get(root.id)
        if found is not None:
            return found
        if not root.args or root.op.trait is not _PURE:
            return root
        stack = [root]
        while stack:
            value = stack[-1]
            args = []
            ready, changed = True, False
            for arg in value.args:
                found = new.get(arg.id)
                if found is None:
                    if arg.args and arg.op.trait is _PURE:
                        stack.append(arg)
                        ready = False
                        continue
                    found = arg
                elif found is not arg:
                    changed = True
                args.append(found)
            if ready:
                stack.pop()
                new[value.id] = (
                    self.function.pure(value.op, value.type, tuple(args), value.imm) if changed else value
                )
        return new[root.id]


def _is_slot(layout: Layout, offset: int, type: Type) -> bool:
    """Whether an access touches exactly one slot, as its own type."""
    slot = layout.find(offset)
    return slot is not None and slot.offset == offset and slot.type is type


def _forget(layout: Layout, known: Known, offset: int, type: Type) -> None:
    """Forget every slot that an access touches."""
    for byte in range(offset, offset + type.bytes):
        slot = layout.find(byte)
        if slot is not None:
            known.pop(slot.offset, None)
