"""What the F and D chapters share: NaN boxing, canonical NaNs, rounding modes, and the operations they differ in from
the IR's floating point.

The IR follows x86: a NaN result is an operand's, conversions that cannot be done give the least integer, minima are
left out. RISC-V (manual volume I, 20191213, chapters 11 and 12) gives the canonical NaN, clamps, and has the minimum
and maximum of IEEE 754-2019. Flags, tininess and fused operations agree, but for what is said below.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, I32, I64, VOID, Type, integer
from metaphrase.translator.emitter import Offset
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.emitter import RiscvEmitter

_SIGN = {F32: 1 << 31, F64: 1 << 63}
_INFINITY = {F32: 0x7F80_0000, F64: 0x7FF0_0000_0000_0000}
_QUIET = {F32: 1 << 22, F64: 1 << 51}
_CANONICAL = {F32: 0x7FC0_0000, F64: 0x7FF8_0000_0000_0000}
_HALF = {F32: 0x3F00_0000, F64: 0x3FE0_0000_0000_0000}
_ONE = {F32: 0x3F80_0000, F64: 0x3FF0_0000_0000_0000}
_TWO = {F32: 0x4000_0000, F64: 0x4000_0000_0000_0000}
_TWO_TO_63 = {F32: 0x5F00_0000, F64: 0x43E0_0000_0000_0000}
_BOX = 0xFFFF_FFFF << 32
_INVALID = 1


# --- registers --------------------------------------------------------------------------------------------------------
def read_bits(m: RiscvEmitter, register: Offset, type: Type) -> Value:
    """The bits of an operand of a float `type`. A single that is not NaN-boxed reads as the canonical NaN (12.2)."""
    bits = m.get(register)
    if type is F64:
        return bits
    return bits.lshr(32).eq(0xFFFF_FFFF).select(bits.trunc(32), _CANONICAL[F32])


def read(m: RiscvEmitter, register: Offset, type: Type) -> Value:
    """An operand of a float `type`."""
    return read_bits(m, register, type).bitcast(type)


def write_bits(m: RiscvEmitter, register: Offset, bits: Value) -> None:
    """Write the bits of a result; those of a single are NaN-boxed."""
    m.put(register, bits if bits.width == 64 else bits.zext(64) | _BOX)


def write(m: RiscvEmitter, register: Offset, value: Value) -> None:
    """Write a result; any NaN becomes the canonical one (11.3)."""
    write_bits(m, register, _canonical(value.bitcast(value.type.as_int), value.type))


def is_nan(bits: Value, type: Type) -> Value:
    """Whether the bits of a float `type` are a NaN; raises no flag."""
    return _const(bits, _INFINITY[type]).ult(bits & ~_SIGN[type])


def _canonical(bits: Value, type: Type) -> Value:
    return is_nan(bits, type).select(_const(bits, _CANONICAL[type]), bits)


def _const(like: Value, value: int) -> Value:
    return like.function.const(like.type, value)


# --- the environment --------------------------------------------------------------------------------------------------
def environment(m: RiscvEmitter) -> Value:
    return m.effect("get_fenv", I32)


def set_environment(m: RiscvEmitter, value: Value) -> None:
    m.effect("set_fenv", VOID, value)


@contextmanager
def rounding(m: RiscvEmitter, mode: int) -> Iterator[None]:
    """Round what is written inside by a static rounding mode; dynamic is what the environment has anyway."""
    if mode == s.DYNAMIC:
        yield
        return
    before = environment(m)
    direction = s.DIRECTION_OF_MODE[mode] << s.ROUNDING_SHIFT
    set_environment(m, before & ~s.ROUNDING_FIELD | direction)
    yield
    set_environment(m, environment(m) & ~s.ROUNDING_FIELD | before & s.ROUNDING_FIELD)


# --- operations -------------------------------------------------------------------------------------------------------
def arithmetic(m: RiscvEmitter, name: str, type: Type, rm: int, rd: Offset, *sources: Offset) -> None:
    """An operation of the IR, rounded by `rm`."""
    operands = [read(m, source, type) for source in sources]
    with rounding(m, rm):
        result = m.effect(name, type, *operands)
    write(m, rd, result)


def fused(
    m: RiscvEmitter, type: Type, rm: int, rd: Offset, rs1: Offset, rs2: Offset, rs3: Offset, *,
    negate_product: bool = False, negate_addend: bool = False,
) -> None:  # fmt: skip
    """rs1 * rs2 + rs3 with one rounding, either term negated (11.6).

    Infinity times zero is invalid even if a quiet NaN is added, which the IR leaves silent.
    """
    a, b, c = (read_bits(m, source, type) for source in (rs1, rs2, rs3))
    if negate_product:
        a = a ^ _SIGN[type]
    if negate_addend:
        c = c ^ _SIGN[type]
    with rounding(m, rm):
        result = m.effect("fma", type, a.bitcast(type), b.bitcast(type), c.bitcast(type))
    bits = result.bitcast(type.as_int)
    with m.if_(is_nan(bits, type)), m.if_(_is_infinity_times_zero(a, b, type)):
        set_environment(m, environment(m) | _INVALID)
    write(m, rd, result)


def _is_infinity_times_zero(a: Value, b: Value, type: Type) -> Value:
    a, b = a & ~_SIGN[type], b & ~_SIGN[type]
    return a.eq(_INFINITY[type]) & b.eq(0) | a.eq(0) & b.eq(_INFINITY[type])


def choose(m: RiscvEmitter, type: Type, rd: Offset, rs1: Offset, rs2: Offset, *, greater: bool) -> None:
    """FMIN and FMAX (11.6): -0 is less than +0, a NaN is ignored, a signalling one raises invalid."""
    a, b = read_bits(m, rs1, type), read_bits(m, rs2, type)
    unordered = m.effect("funord", a.type.boolean, a.bitcast(type), b.bitcast(type))  # for its flag, too
    a_first = _ordered(b, type).slt(_ordered(a, type)) if greater else _ordered(a, type).slt(_ordered(b, type))
    number = is_nan(a, type).select(b, a)
    write_bits(m, rd, unordered.select(_canonical(number, type), a_first.select(a, b)))


def _ordered(bits: Value, type: Type) -> Value:
    """A signed integer that orders as the floats do."""
    return bits ^ bits.ashr(type.bits - 1) & (_SIGN[type] - 1)


def compare(m: RiscvEmitter, name: str, type: Type, rd: Offset, rs1: Offset, rs2: Offset) -> None:
    """FEQ, FLT and FLE (11.8)."""
    left, right = read(m, rs1, type), read(m, rs2, type)
    m.put_bool(rd, m.effect(name, type.boolean, left, right))


def inject_sign(m: RiscvEmitter, type: Type, rd: Offset, rs1: Offset, rs2: Offset, rule: str) -> None:
    """FSGNJ, FSGNJN and FSGNJX (11.7): rs1 with a sign made of both; no NaN is made canonical."""
    a, b = read_bits(m, rs1, type), read_bits(m, rs2, type)
    sign = {"copy": b, "negate": ~b, "xor": a ^ b}[rule]
    write_bits(m, rd, a & ~_SIGN[type] | sign & _SIGN[type])


def classify(m: RiscvEmitter, type: Type, rd: Offset, rs1: Offset) -> None:
    """FCLASS (11.9): one bit of ten."""
    bits = read_bits(m, rs1, type)
    magnitude = bits & ~_SIGN[type]
    negative = (bits & _SIGN[type]).ne(0)

    def either(below: int, above: int) -> Value:
        return negative.select(m.const(1 << below, 64), 1 << above)

    least_normal = _INFINITY[type] & -_INFINITY[type]
    finite = magnitude.ult(least_normal).select(either(2, 5), either(1, 6))
    number = magnitude.eq(0).select(either(3, 4), magnitude.eq(_INFINITY[type]).select(either(0, 7), finite))
    nan = (bits & _QUIET[type]).ne(0).select(m.const(1 << 9, 64), 1 << 8)
    m.put(rd, is_nan(bits, type).select(nan, number))


# --- conversions ------------------------------------------------------------------------------------------------------
def convert(m: RiscvEmitter, source: Type, target: Type, rm: int, rd: Offset, rs1: Offset) -> None:
    """FCVT between float formats (12.5)."""
    value = read(m, rs1, source)
    with rounding(m, rm):
        result = m.effect("fconvert", target, value)
    write(m, rd, result)


def from_integer(m: RiscvEmitter, type: Type, width: int, signed: bool, rm: int, rd: Offset, rs1: Offset) -> None:
    """FCVT from an integer of `width` bits (11.7, 12.5)."""
    value = m.get(rs1).trunc(width)
    if not signed:
        _from_unsigned(m, type, value, rm, rd)
        return
    with rounding(m, rm):
        result = m.effect("sitof", type, value)
    write_bits(m, rd, result.bitcast(type.as_int))


def _from_unsigned(m: RiscvEmitter, type: Type, value: Value, rm: int, rd: Offset) -> None:
    """A word fits a signed doubleword. Half of a big doubleword does, and rounds alike if the bit lost sticks."""
    if value.width == 32:
        with rounding(m, rm):
            result = m.effect("sitof", type, value.zext(64))
    else:
        big = value.slt(0)
        factor = big.select(m.function.const(type.as_int, _TWO[type]), _ONE[type]).bitcast(type)
        with rounding(m, rm):
            half = m.effect("sitof", type, big.select(value.lshr(1) | value & 1, value))
            result = m.effect("fmul", type, half, factor)
    write_bits(m, rd, result.bitcast(type.as_int))


def to_integer(m: RiscvEmitter, type: Type, width: int, signed: bool, rm: int, rd: Offset, rs1: Offset) -> None:
    """FCVT to an integer of `width` bits (11.7): clamped and invalid where out of range; a NaN counts as +infinity."""
    bits = read_bits(m, rs1, type)
    below = (bits & _SIGN[type]).ne(0) & ~is_nan(bits, type)
    if signed:
        raw = _rounded(m, bits, type, integer(width), rm)
        least = m.const(1 << (width - 1), width)
        # What cannot be converted gives the least integer, and its flag is right already.
        m.put(rd, (raw.eq(least) & ~below).select(~least, raw).sext(64))
        return
    before = environment(m)
    if width == 32:
        raw = _rounded(m, bits, type, I64, rm)
        invalid = raw.lshr(32).ne(0)
    else:
        # From 2^63 on, 2^63 less is converted. Nothing is lost: those numbers are multiples of 1024.
        limit = _const(bits, _TWO_TO_63[type])
        big = limit.sle(bits)
        shifted = m.effect("fsub", type, bits.bitcast(type), big.select(limit, 0).bitcast(type))
        low = _rounded(m, shifted.bitcast(type.as_int), type, I64, rm)
        invalid = low.slt(0)
        raw = low ^ big.zext(64).shl(63)
    with m.if_(invalid):
        set_environment(m, before | _INVALID)  # and not inexact, which the wider conversion may have raised
    m.put(rd, invalid.select(below.select(m.const(0, width), -1), raw.trunc(width)).sext(64))


def _rounded(m: RiscvEmitter, bits: Value, type: Type, result: Type, rm: int) -> Value:
    """The IR's conversion to a signed integer, rounded by `rm`."""
    value = bits.bitcast(type)
    if rm == s.RTZ:
        return m.effect("ftosi_trunc", result, value)
    if rm != s.RMM:
        with rounding(m, rm):
            return m.effect("ftosi", result, value)
    # To nearest, ties away: add a half of the same sign, rounding towards zero, and truncate. The flags are those of
    # truncating the operand itself, or invalid alone if the sum is out of range.
    half = (bits & _SIGN[type] | _HALF[type]).bitcast(type)
    before = environment(m)
    toward_zero = s.DIRECTION_OF_MODE[s.RTZ] << s.ROUNDING_SHIFT
    set_environment(m, before & ~(s.ROUNDING_FIELD | s.FLAGS_FIELD) | toward_zero)
    rounded = m.effect("ftosi_trunc", result, m.effect("fadd", type, value, half))
    invalid = (environment(m) & _INVALID).ne(0)
    set_environment(m, before)
    m.effect("ftosi_trunc", result, value)
    set_environment(m, invalid.select(before | _INVALID, environment(m)))
    return rounded
