"""Bringing the flags up to date from what compiled regions left in their place (`state.DEFERRED`)."""

from __future__ import annotations

from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function, Terminator
from metaphrase.ir.ops import OPS
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Flags, X86Emitter


def settler() -> Function:
    """The function that computes the flags; only to be called while the slot `deferred` is not 0, which it clears.

    Operands are shifted up so that the operation's sign is that of 64 bits, and whatever stood above it is gone.
    """
    function = Function("settle", s.LAYOUT, simplify=simplify)
    m = X86Emitter(function)
    kind = m.get_slot("deferred")
    a, b = m.get_slot("deferred_a"), m.get_slot("deferred_b")
    narrow = (kind & s.DEFER_NARROW).zext(64)
    operation = kind & 7
    steps_up, steps_down = operation.eq(s.DEFER_INC), operation.eq(s.DEFER_DEC)
    steps = steps_up | steps_down
    adds, subtracts = operation.eq(s.DEFER_ADD) | steps_up, operation.eq(s.DEFER_SUB) | steps_down
    product = operation.eq(s.DEFER_PRODUCT)
    given = b.trunc(1)
    b = steps.select(m.const(1, 64), b)
    x, y = a << narrow, b << narrow
    total, difference = x + y, x - y
    result = adds.select(total, subtracts.select(difference, x))
    low = adds.select(a + b, subtracts.select(a - b, a))
    overflow = adds.select((x ^ result) & (y ^ result), (x ^ y) & (x ^ result)).slt(0)
    computed = adds | subtracts
    m.put_flags(
        Flags(
            cf=steps.select(given, adds.select(total.ult(x), subtracts.select(x.ult(y), given))),
            parity=low.trunc(8),
            adjust=computed.select((a ^ b ^ low).trunc(8), m.const(0, 8)),
            zf=result.eq(0) & ~product,
            sf=result.slt(0),
            of=computed.select(overflow, product.select(given, b.lshr(1).trunc(1))),
        )
    )
    m.put_slot("deferred", 0)
    m.block.terminator = Terminator(OPS["ret"], ())
    return function
