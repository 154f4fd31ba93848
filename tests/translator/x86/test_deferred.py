"""Flags that are left to be computed come out as those that are computed at once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from metaphrase.backends.reference import Interpreter, PagedMemory
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Terminator, Value
from metaphrase.ir.ops import OPS
from metaphrase.ir.types import integer
from metaphrase.translator.guest import guest
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Flags, X86Emitter
from metaphrase.translator.x86.instructions.multiplication import product_flags

Meaning = Callable[[X86Emitter, Value, Value], Flags]
OPERATIONS: dict[str, Meaning] = {
    "add": lambda m, a, b: m.add_flags(a, b),
    "sub": lambda m, a, b: m.sub_flags(a, b),
    "and": lambda m, a, b: m.logic_flags(a & b),
    "shl by one": lambda m, a, b: m.logic_flags(a << 1).but(cf=a.slt(0), of=(a ^ (a << 1)).slt(0)),
    "sbb": lambda m, a, b: m.sub_flags(a, b, m.flag(True)),
    "adc": lambda m, a, b: m.add_flags(a, b, m.flag(True)),
    "inc": lambda m, a, b: m.keep_carry(m.add_flags(a, m.const(1, a.width)), s.DEFER_INC, a),
    "dec": lambda m, a, b: m.keep_carry(m.sub_flags(a, m.const(1, a.width)), s.DEFER_DEC, a),
    "product": lambda m, a, b: product_flags(m, a * b, a.ult(b)),
}


def flags_of(meaning: Meaning, width: int, a: int, b: int, *, defer: bool) -> tuple[dict[str, int], int]:
    """The flags that an operation leaves, from clear ones, and whether they were deferred."""
    function = Function("flags", s.LAYOUT, (integer(width), integer(width)), simplify=simplify)
    m = X86Emitter(function)
    m.defers = defer
    operands = [function.pure(OPS["arg"], integer(width), (), number) for number in range(2)]
    m.put_flags(meaning(m, *operands))
    m.block.terminator = Terminator(OPS["ret"], ())
    state, memory = bytearray(s.LAYOUT.size), PagedMemory()
    Interpreter(function, state=state, memory=memory, arguments=(a, b)).run()
    kind = state[s.DEFERRED]
    if kind:
        for slot in s.LAYOUT.group("flags"):
            state[slot.offset] = 0xA5  # out of date
        settler = guest("x86_64").settler()
        assert settler is not None
        Interpreter(settler, state=state, memory=memory).run()
        assert state[s.DEFERRED] == 0
    values = {slot.name: state[slot.offset] for slot in s.LAYOUT.group("flags")}
    values["parity"] = values["parity"].bit_count() & 1
    values["adjust"] &= 0x10
    return values, kind


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_settled_flags(name: str, width: int) -> None:
    generator = random.Random(f"{name} {width}")
    edges = [0, 1, 0xF, 0x10, (1 << width - 1) - 1, 1 << width - 1, (1 << width) - 1]
    pairs = [(a, b) for a in edges for b in edges]
    pairs += [(generator.getrandbits(width), generator.getrandbits(width)) for _ in range(40)]
    for a, b in pairs:
        at_once, _ = flags_of(OPERATIONS[name], width, a, b, defer=False)
        late, kind = flags_of(OPERATIONS[name], width, a, b, defer=True)
        assert late == at_once, (hex(a), hex(b))
        assert (kind != 0) == (name not in ("adc", "sbb")), "these two cannot wait: they have three operands"
