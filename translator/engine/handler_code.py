"""The code of tier-0 handlers: a form's semantics, bound to the fields of a decoded record."""

from __future__ import annotations

from collections.abc import Sequence

from metaphrase.backends.llvm import context
from metaphrase.backends.llvm.compile import HANDLER_PASSES, compile_text, host
from metaphrase.backends.llvm.lower import ModuleWriter
from metaphrase.backends.llvm.objects import Image, link
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Block, Function
from metaphrase.ir.layout import Slot
from metaphrase.ir.ops import MAY_FAULT, MAY_STORE
from metaphrase.ir.passes.environment import USES_ENVIRONMENT
from metaphrase.translator.emitter import Parameters
from metaphrase.translator.guest import Guest

_MAY_STOP = MAY_FAULT | {op for op in USES_ENVIRONMENT if not op.name.endswith("_fenv")}
"""Accesses to memory, and what may raise a floating-point exception that the guest has unmasked."""


def compile_forms(guest: Guest, forms: Sequence[int]) -> tuple[dict[str, list[int]], Image]:
    """The handlers of some forms (row << static_bits | statics) as one image, and what is to be known of each.

    That stands under the form's name: the form, where its handler begins and the one that leaves the lazy group
    unwritten (-1 for none), what it reads, surely writes, may write and may show of the group, and whether it may write
    to memory (see `_Effects`).
    """
    group = guest.layout.group(guest.lazy_group) if guest.lazy_group else []
    writer = ModuleWriter(host(), context.Reasons.table(guest.reasons))
    facts: dict[int, _Effects] = {}
    for form in forms:
        row, statics = form >> guest.static_bits, form & (1 << guest.static_bits) - 1
        function = lift_handler(guest, row, statics)
        facts[form] = _Effects(function, group)
        writer.handler(function, f"h{form:x}")
        if facts[form].writes:
            writer.handler(_without(group, lift_handler(guest, row, statics)), f"z{form:x}")
    image = link([compile_text(writer.text(), HANDLER_PASSES)])
    entries = {}
    for form, does in facts.items():
        name = guest.form_name(form >> guest.static_bits, form & (1 << guest.static_bits) - 1)
        lazy = image.symbols[f"z{form:x}"] if does.writes else -1
        entries[name] = [
            form, image.symbols[f"h{form:x}"], lazy, does.reads, does.kills, does.writes, does.stops, does.stores,
        ]  # fmt: skip
    return entries, image


def lift_handler(guest: Guest, row: int, statics: int) -> Function:
    """The IR of a form with its operands bound to record fields."""
    function = Function("handler", guest.layout, simplify=simplify)
    emitter = guest.make_emitter(function)
    emitter.binding = Parameters(function)
    guest.emit(emitter, row, statics)
    if not emitter.ended:
        emitter.next()
    return function


def _without(group: Sequence[Slot], function: Function) -> Function:
    """A handler that leaves the lazy group unwritten."""
    dropped = {slot.offset for slot in group}
    for block in function.blocks:
        block.effects = [e for e in block.effects if not (e.op.name == "put" and e.imm in dropped)]
    return function


class _Effects:
    """What a form does to the slots of the lazy group, as bit masks: reads, surely writes, may write.

    `stops` are those that a handler of the machine's may read where the form stops for a fault: all or none. `stores`
    tells whether it may write to memory.
    """

    def __init__(self, function: Function, group: Sequence[Slot]) -> None:
        bit = {slot.offset: 1 << index for index, slot in enumerate(group)}
        self.reads = self.writes = self.stops = 0
        self.stores = False
        all_of_them = (1 << len(group)) - 1
        written: dict[Block, int] = {}
        for block in function.blocks:
            own = 0
            for effect in block.effects:
                if effect.op.name == "get":
                    self.reads |= bit.get(effect.imm, 0)
                elif effect.op.name == "put":
                    own |= bit.get(effect.imm, 0)
                elif effect.op in _MAY_STOP:
                    self.stops = all_of_them
                    self.stores = self.stores or effect.op in MAY_STORE
            written[block] = own
            self.writes |= own
            if block.terminator is not None and block.terminator.op.name == "leave":
                self.reads = all_of_them  # whoever it leaves to may look at all of the state
        self.kills = _surely_written(function, written)


def _surely_written(function: Function, written: dict[Block, int]) -> int:
    """What is written on every way out (a forward intersection over the blocks)."""
    out: dict[Block, int] = {}
    work: list[tuple[Block, int]] = [(function.blocks[0], 0)]
    while work:
        block, before = work.pop()
        after = before | written[block]
        if block in out and out[block] & after == out[block]:
            continue
        out[block] = out.get(block, after) & after
        work.extend((successor, out[block]) for successor in block.successors)
    result = -1
    for block, mask in out.items():
        if not block.successors:
            result &= mask
    return result & 0xFF
