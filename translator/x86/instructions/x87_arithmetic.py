"""x87 arithmetic and comparison (SDM volume 1, 5.2.2 and 5.2.3)."""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F80, I1, I8, I16, VOID
from metaphrase.translator.x86.emitter import Memory, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.x87 import C0, C1, C2, C3, I80, Stack, float_operand, is_not_number

OPERATIONS = (("add", "fadd", False), ("mul", "fmul", False), ("sub", "fsub", False), ("subr", "fsub", True),
              ("div", "fdiv", False), ("divr", "fdiv", True))  # fmt: skip
"""Suffix of the mnemonic, op, and whether the operands are in reverse."""
EXTENSIONS = {"add": 0, "mul": 1, "sub": 4, "subr": 5, "div": 6, "divr": 7}
REGISTER_EXTENSIONS = EXTENSIONS | {"sub": 5, "subr": 4, "div": 7, "divr": 6}
"""The reg field where ST(i) is the destination: the reversed operations change places."""


def _apply(m: X86Emitter, op: str, reverse: bool, stack: Stack, target: Value | int, other: Value) -> None:
    """`target = target op other`, or the other way round."""
    mine = stack.read(target)
    result = m.effect(op, F80, *((other, mine) if reverse else (mine, other)))
    stack.write(target, stack.valid(result))


def _from_float(m: X86Emitter, op: str, reverse: bool, source: Memory) -> None:
    """FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR: ST(0) and a single or double in memory. SDM volume 2A, each."""
    stack = Stack(m)
    memory, top = m.get(source), stack.read_bits(0)
    suppress = is_not_number(top)
    if op == "fdiv" and reverse:
        suppress = suppress | (top << 1).eq(0)  # a division by zero tells of nothing else
    _apply(m, op, reverse, stack, 0, float_operand(m, memory, suppress))
    stack.commit()


def _from_integer(m: X86Emitter, op: str, reverse: bool, source: Memory) -> None:
    """FIADD, FIMUL, FISUB, FISUBR, FIDIV, FIDIVR: ST(0) and an integer in memory. SDM volume 2A, each."""
    stack = Stack(m)
    _apply(m, op, reverse, stack, 0, m.effect("sitof", F80, m.get(source)))
    stack.commit()


def _to_top(m: X86Emitter, op: str, reverse: bool, index: Value) -> None:
    """FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR: ST(0) and ST(i), to ST(0). SDM volume 2A, each."""
    stack = Stack(m)
    _apply(m, op, reverse, stack, 0, stack.read(index))
    stack.commit()


def _to_register(m: X86Emitter, op: str, reverse: bool, pop: bool, index: Value) -> None:
    """FADD(P), FMUL(P), FSUB(P), FSUBR(P), FDIV(P), FDIVR(P): ST(i) and ST(0), to ST(i). SDM volume 2A, each."""
    stack = Stack(m)
    _apply(m, op, reverse, stack, index, stack.read(0))
    if pop:
        stack.pop()
    stack.commit()


for _name, _op, _reverse in OPERATIONS:
    _number, _other = EXTENSIONS[_name], REGISTER_EXTENSIONS[_name]
    insn(f"D8 /{_number} mem", "Ed", name="f" + _name, static=(_op, _reverse), extension="x87")(_from_float)
    insn(f"DC /{_number} mem", "Eq", name="f" + _name, static=(_op, _reverse), extension="x87")(_from_float)
    insn(f"DA /{_number} mem | DE /{_number} mem", "Ed | Ew", name="fi" + _name, static=(_op, _reverse),
         extension="x87")(_from_integer)  # fmt: skip
    insn(f"D8 /{_number} reg", "F", name="f" + _name, static=(_op, _reverse), extension="x87")(_to_top)
    insn(f"DC /{_other} reg", "F", name="f" + _name, static=(_op, _reverse, False), extension="x87")(_to_register)
    insn(f"DE /{_other} reg", "F", name=f"f{_name}p", static=(_op, _reverse, True), extension="x87")(_to_register)


@insn("D9 (E0)", name="fchs", static=("xor", 1 << 79), extension="x87")
@insn("D9 (E1)", name="fabs", static=("and", (1 << 79) - 1), extension="x87")
def change_sign(m: X86Emitter, op: str, mask: int) -> None:
    """FCHS, FABS: complement or clear the sign, of NaNs too. SDM volume 2A, each."""
    stack = Stack(m)
    stack.write(0, stack.valid(stack.read_bits(0).binary(op, mask)))
    stack.commit()


@insn("D9 (FA)", extension="x87")
def fsqrt(m: X86Emitter) -> None:
    """FSQRT: square root of ST(0). SDM volume 2A, FSQRT."""
    stack = Stack(m)
    stack.write(0, m.effect("fsqrt", F80, stack.read(0)))
    stack.commit()


@insn("D9 (FC)", extension="x87")
def frndint(m: X86Emitter) -> None:
    """FRNDINT: round ST(0) to an integer by the control word. SDM volume 2A, FRNDINT."""
    stack = Stack(m)
    stack.write(0, m.effect("fround", F80, stack.read(0), imm=4))
    stack.commit()


# --- comparison -------------------------------------------------------------------------------------------------------
def _compare(m: X86Emitter, stack: Stack, b: Value, quiet: bool) -> Value:
    """How ST(0) relates to b, as CF, PF and ZF stand in RFLAGS; unordered where a register is empty."""
    relation = m.effect("fcompare_quiet" if quiet else "fcompare", I8, stack.read(0), b)
    return stack.underflow.select(m.const(0x45, 8), relation)


def _set_conditions(m: X86Emitter, stack: Stack, b: Value, quiet: bool, pops: int) -> None:
    """C0, C2 and C3 stand in the status word as CF, PF and ZF in RFLAGS, 8 bits further up."""
    conditions = _compare(m, stack, b, quiet).zext(16) << 8
    for _ in range(pops):
        stack.pop()
    stack.commit(conditions)


@insn("D8 /2 mem | DC /2 mem", "Ed | Eq", name="fcom", static=(0,), extension="x87")
@insn("D8 /3 mem | DC /3 mem", "Ed | Eq", name="fcomp", static=(1,), extension="x87")
def fcom_memory(m: X86Emitter, pops: int, source: Memory) -> None:
    """FCOM, FCOMP: compare ST(0) with a float in memory. SDM volume 2A, FCOM/FCOMP/FCOMPP."""
    stack = Stack(m)
    bits = m.get(source)
    _set_conditions(m, stack, float_operand(m, bits, is_not_number(stack.read_bits(0))), False, pops)


@insn("DE /2 mem | DA /2 mem", "Ew | Ed", name="ficom", static=(0,), extension="x87")
@insn("DE /3 mem | DA /3 mem", "Ew | Ed", name="ficomp", static=(1,), extension="x87")
def ficom(m: X86Emitter, pops: int, source: Memory) -> None:
    """FICOM, FICOMP: compare ST(0) with an integer in memory. SDM volume 2A, FICOM/FICOMP."""
    stack = Stack(m)
    _set_conditions(m, stack, m.effect("sitof", F80, m.get(source)), False, pops)


@insn("D8 /2 reg | DC /2 reg", "F", name="fcom", static=(False, 0), extension="x87")
@insn("D8 /3 reg | DC /3 reg | DE /2 reg", "F", name="fcomp", static=(False, 1), extension="x87")
@insn("DD /4 reg", "F", name="fucom", static=(True, 0), extension="x87")
@insn("DD /5 reg", "F", name="fucomp", static=(True, 1), extension="x87")
def fcom_register(m: X86Emitter, quiet: bool, pops: int, index: Value) -> None:
    """FCOM, FCOMP, FUCOM, FUCOMP: compare ST(0) with ST(i); the latter two quietly. SDM volume 2A, each."""
    stack = Stack(m)
    _set_conditions(m, stack, stack.read(index), quiet, pops)


@insn("DE (D9)", name="fcompp", static=(False,), extension="x87")
@insn("DA (E9)", name="fucompp", static=(True,), extension="x87")
def fcompp(m: X86Emitter, quiet: bool) -> None:
    """FCOMPP, FUCOMPP: compare ST(0) with ST(1), and pop both. SDM volume 2A, each."""
    stack = Stack(m)
    _set_conditions(m, stack, stack.read(1), quiet, 2)


@insn("D9 (E4)", extension="x87")
def ftst(m: X86Emitter) -> None:
    """FTST: compare ST(0) with zero. SDM volume 2A, FTST."""
    stack = Stack(m)
    _set_conditions(m, stack, m.const(0, 80).bitcast(F80), False, 0)


@insn("DB /6 reg", "F", name="fcomi", static=(False, False), extension="x87")
@insn("DF /6 reg", "F", name="fcompi", static=(False, True), extension="x87")
@insn("DB /5 reg", "F", name="fucomi", static=(True, False), extension="x87")
@insn("DF /5 reg", "F", name="fucompi", static=(True, True), extension="x87")
def fcomi(m: X86Emitter, quiet: bool, pop: bool, index: Value) -> None:
    """FCOMI, FCOMIP, FUCOMI, FUCOMIP: compare ST(0) with ST(i), into ZF, PF and CF. SDM volume 2A, FCOMI."""
    stack = Stack(m)
    b = stack.read(index)
    relation = _compare(m, stack, b, quiet)
    if pop:
        stack.pop()
    stack.commit(keep=True)
    m.put_flags(m.relation_flags(relation))


@insn("D9 (E5)", extension="x87")
def fxam(m: X86Emitter) -> None:
    """FXAM: the class of ST(0) in C3, C2 and C0, its sign in C1. SDM volume 2A, FXAM."""
    stack = Stack(m)
    bits = stack.raw(0)
    significand, exponent = bits.trunc(64), bits.lshr(64).trunc(16) & 0x7FFF
    integer, fraction = significand.slt(0), significand & ((1 << 63) - 1)
    normal = m.const(C2, 16)
    kind = integer.select(normal, 0)
    extreme = fraction.eq(0).select(m.const(C2 | C0, 16), m.const(C0, 16))
    kind = exponent.eq(0x7FFF).select(integer.select(extreme, 0), kind)
    kind = exponent.eq(0).select(significand.eq(0).select(m.const(C3, 16), m.const(C3 | C2, 16)), kind)
    kind = stack.is_empty(0).select(m.const(C3 | C0, 16), kind)
    sign = bits.slt(0).select(m.const(C1, 16), 0)
    stack.commit(kind | sign)


# --- scaling ----------------------------------------------------------------------------------------------------------
DENORMAL = 2
"""DE in the status word."""
HALF_RANGE = 16382
"""2^-16382 and its inverse are normal numbers."""


def _power_of_two(m: X86Emitter, exponent: Value) -> Value:
    """The bits of 2^exponent (i32, within the normal range)."""
    return (exponent + 0x3FFF).zext(80) << 64 | 1 << 63


def _clamped(exponent: Value) -> Value:
    return exponent.binary("smax", -HALF_RANGE).binary("smin", HALF_RANGE)


@insn("D9 (FD)", extension="x87")
def fscale(m: X86Emitter) -> None:
    """FSCALE: ST(0) times two to the power of ST(1) without its fraction. SDM volume 2A, FSCALE.

    No one number holds every power of two that may be asked for, so there are three factors. Those that go beyond the
    last are multiplied in first: that is exact wherever the result is not already decided.
    """
    stack = Stack(m)
    value, scale = stack.read(0), stack.read(1)
    control = m.get_slot("fcw")
    bits = scale.bitcast(I80)
    field = (bits.lshr(64).trunc(16) & 0x7FFF).zext(32)
    magnitude = bits.trunc(64).lshr((m.const(0x3FFF + 63, 32) - field).binary("smax", 0).zext(64))
    magnitude = magnitude.binary("umin", 3 * HALF_RANGE).trunc(32)
    exponent = bits.slt(0).select(-magnitude, magnitude)
    last = _clamped(exponent)
    middle = _clamped(exponent - last)
    extreme = field.eq(0x7FFF) | (field.ne(0) & bits.trunc(64).lshr(63).eq(0))  # infinity, NaN, unsupported
    to_nothing = bits.lshr(64).trunc(16).eq(0xFFFF) & bits.trunc(64).eq(1 << 63)
    special = to_nothing.select(m.const(0, 80), bits)
    factor = extreme.select(special, _power_of_two(m, last))

    m.effect("feq", I1, value, scale)  # denormal operands are told of here, and only here
    m.put_slot("fsw", m.get_slot("fsw") | m.effect("take_f80_flags", I16))
    m.effect("set_f80_control", VOID, control | 0x300)
    scaled = value
    for step in (exponent - last - middle, middle):
        step = extreme.select(m.const(0, 32), step)
        scaled = m.effect("fmul", F80, scaled, _power_of_two(m, step).bitcast(F80))
    scaled = extreme.select(value.bitcast(I80), scaled.bitcast(I80)).bitcast(F80)  # as it was: which NaN counts
    scaled = m.effect("fmul", F80, scaled, factor.bitcast(F80))
    m.put_slot("fsw", m.get_slot("fsw") | m.effect("take_f80_flags", I16) & ~DENORMAL)
    m.effect("set_f80_control", VOID, control)
    stack.write(0, stack.valid(scaled))
    stack.commit()
