"""x87 remainders, FXTRACT and the transcendental instructions (SDM volume 1, 5.2.2 and 5.2.4).

Their results come from the IR's `f80_function`, natively the host's own instruction: which of the two neighbours of an
inexact result is given, and by how much FPREM reduces at a time, is its choice.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F80, integer
from metaphrase.translator.x86.emitter import X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.x87 import C0, C1, C2, C3, INDEFINITE, Stack, is_not_number


def _apply(m: X86Emitter, function: str, x: Value, y: Value) -> tuple[Value, Value]:
    """The bits of a function of ST(0) and ST(1), and the condition codes that it sets."""
    result = m.effect("f80_function", integer(96), x, y, imm=function)
    return result.trunc(80), result.lshr(80).trunc(16)


@insn("D9 (F8)", name="fprem", static=("fprem",), extension="x87")
@insn("D9 (F5)", name="fprem1", static=("fprem1",), extension="x87")
def fprem(m: X86Emitter, function: str) -> None:
    """FPREM, FPREM1: remainder of ST(0) by ST(1), of which C2 tells that it is partial. SDM volume 2A, each.

    C0 and C3 tell of the quotient where there is one.
    """
    stack = Stack(m)
    result, conditions = _apply(m, function, stack.read(0), stack.read(1))
    result = stack.valid(result)
    stack.write(0, result)
    stack.commit(is_not_number(result).select(m.get_slot("fsw") & (C0 | C3), conditions))


@insn("D9 (F0)", name="f2xm1", static=("f2xm1",), extension="x87")
def to_top(m: X86Emitter, function: str) -> None:
    """F2XM1: 2^ST(0) - 1. SDM volume 2A, F2XM1."""
    stack = Stack(m)
    x = stack.read(0)
    stack.write(0, stack.valid(_apply(m, function, x, x)[0]))
    stack.commit()


@insn("D9 (F1)", name="fyl2x", static=("fyl2x",), extension="x87")
@insn("D9 (F9)", name="fyl2xp1", static=("fyl2xp1",), extension="x87")
@insn("D9 (F3)", name="fpatan", static=("fpatan",), extension="x87")
def to_second(m: X86Emitter, function: str) -> None:
    """FYL2X, FYL2XP1, FPATAN: a function of ST(0) and ST(1), to ST(1); pop. SDM volume 2A, each."""
    stack = Stack(m)
    result, _ = _apply(m, function, stack.read(0), stack.read(1))
    stack.write(1, stack.valid(result))
    stack.pop()
    stack.commit()


@insn("D9 (FE)", name="fsin", static=("fsin",), extension="x87")
@insn("D9 (FF)", name="fcos", static=("fcos",), extension="x87")
def fsin(m: X86Emitter, function: str) -> None:
    """FSIN, FCOS: sine or cosine of ST(0); C2 tells that its magnitude is 2^63 or more. SDM volume 2A, each."""
    stack = Stack(m)
    x = stack.read(0)
    result, conditions = _apply(m, function, x, x)
    stack.write(0, stack.valid(result))
    stack.commit(conditions, C1 | C2)


@insn("D9 (F4)", name="fxtract", static=("fxtract_exponent", "fxtract_significand", C1), extension="x87")
@insn("D9 (FB)", name="fsincos", static=("fsincos_sine", "fsincos_cosine", C1 | C2), extension="x87")
@insn("D9 (F2)", name="fptan", static=("fptan_tangent", "fptan_one", C1 | C2), extension="x87")
def replace_and_push(m: X86Emitter, below: str, top: str, codes: int) -> None:
    """FXTRACT, FSINCOS, FPTAN: replace ST(0) and push a second result, unless C2 is set. SDM volume 2A, each.

    After a stack fault both are the indefinite, as functions of the indefinite are.
    """
    stack = Stack(m)
    bits = stack.read_bits(0)
    stack.overflow = ~stack.is_empty(7) & ~stack.underflow
    x = stack.overflow.select(m.const(INDEFINITE, 80), bits).bitcast(F80)
    first, conditions = _apply(m, below, x, x)
    second, _ = _apply(m, top, x, x)
    stack.write(0, first)
    stack.push_if((conditions & C2).eq(0), second)
    stack.commit(conditions, codes)
