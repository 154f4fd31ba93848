"""SSE3 and SSE4.1 floating point (SDM volume 1, 5.7.2 to 5.7.4, 5.10.2 to 5.10.7).

Where an instruction does several operations, each lane that does not take part is kept from raising exceptions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, Type
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import (
    DOUBLES,
    LANES,
    SINGLES,
    bit_lanes,
    chosen,
    lanes,
    pick,
    shuffled_by_halves,
    with_lane,
)
from metaphrase.translator.x86.vex import FLOAT, LONG, SCALAR, SHORT, vex_forms, widened, with_scalar

Binary = Callable[[X86Emitter, Value, Value], Value]
WithImmediate = Callable[[X86Emitter, Value, Value, Value], Value]


# --- SSE3 -------------------------------------------------------------------------------------------------------------
def sse3_binary(opcode: int) -> Callable[[Binary], Binary]:
    """`target = meaning(m, target, source)` at 66 0F `opcode` for doubles, F2 0F `opcode` for singles."""

    def describe(meaning: Binary) -> Binary:
        def semantics(m: X86Emitter, type: Type, target: Register, source: Register | Memory) -> None:
            vex(m, type, target, target, source)

        def vex(m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory) -> None:
            b = m.get(source, widened(type, target.width))
            m.put(target, meaning(m, m.get(first, b.type), b))

        semantics.__doc__ = meaning.__doc__
        for suffix, prefix, type in (("ps", "F2", SINGLES), ("pd", "66", DOUBLES)):
            insn(f"{prefix} 0F {opcode:02X} /r", "Vx, Wdq", name=meaning.__name__ + suffix, extension="sse3",
                 static=(type,))(semantics)  # fmt: skip
            vex_forms(meaning.__name__ + suffix, FLOAT, prefix, f"{opcode:02X} /r", "Vx, Hx, Wx", vex, type)
        return meaning

    return describe


@sse3_binary(0xD0)
def addsub(m: X86Emitter, a: Value, b: Value) -> Value:
    """ADDSUBPS, ADDSUBPD: differences in even lanes, sums in odd ones. SDM volume 2A, each.

    One addition, of the negated number in even lanes; a NaN keeps its sign, as in a subtraction.
    """
    integers = a.type.as_int
    sign, infinity = 1 << a.width - 1, {32: 0x7F800000, 64: 0x7FF << 52}[a.width]
    even = m.function.const(integers, tuple(0 if lane & 1 else sign for lane in range(a.type.lanes)))
    bits = b.bitcast(integers)
    is_nan = m.function.const(integers, infinity).slt(bits & sign - 1)
    return m.effect("fadd", a.type, a, (bits ^ (even & ~is_nan.sext(a.width))).bitcast(a.type))


def horizontal(m: X86Emitter, op: str, a: Value, b: Value) -> Value:
    """`op` of the even and the odd lanes of `a`, then of those of `b`, in every 128 bits."""
    places = range(256 // a.width)
    return m.effect(op, a.type, shuffled_by_halves(a, b, places[0::2]), shuffled_by_halves(a, b, places[1::2]))


@sse3_binary(0x7C)
def hadd(m: X86Emitter, a: Value, b: Value) -> Value:
    """HADDPS, HADDPD: sums of neighbouring lanes. SDM volume 2A, each."""
    return horizontal(m, "fadd", a, b)


@sse3_binary(0x7D)
def hsub(m: X86Emitter, a: Value, b: Value) -> Value:
    """HSUBPS, HSUBPD: differences of neighbouring lanes. SDM volume 2A, each."""
    return horizontal(m, "fsub", a, b)


@insn("F2 0F 12 /r", "Vx, Wq", name="movddup", static=(64, 0), extension="sse3")
@insn("F3 0F 12 /r", "Vx, Wdq", name="movsldup", static=(32, 0), extension="sse3")
@insn("F3 0F 16 /r", "Vx, Wdq", name="movshdup", static=(32, 1), extension="sse3")
def duplicate(m: X86Emitter, lane: int, odd: int, target: Register, source: Register | Memory) -> None:
    """MOVDDUP, MOVSLDUP, MOVSHDUP: the even lanes twice each, or the odd ones. SDM volume 2B, each."""
    if source.width == 64:
        m.put(target, m.get(source, F64).splat(2))
        return
    a = m.get(source, lanes(source, lane))
    m.put(target, shuffled_by_halves(a, a, [number & ~1 | odd for number in range(128 // lane)]))


vex_forms("movddup", SHORT, "F2", "12 /r", "Vx, Wq", duplicate, 64, 0)
vex_forms("movddup", LONG, "F2", "12 /r", "Vx, Wx", duplicate, 64, 0)
vex_forms("movsldup", FLOAT, "F3", "12 /r", "Vx, Wx", duplicate, 32, 0)
vex_forms("movshdup", FLOAT, "F3", "16 /r", "Vx, Wx", duplicate, 32, 1)


# --- SSE4.1: rounding -------------------------------------------------------------------------------------------------
def rounded(m: X86Emitter, a: Value, how: Value) -> Value:
    """`a` to integral values; bit 2 of `how` leaves the direction to MXCSR, bit 3 keeps precision exceptions away."""

    def by(number: int) -> Value:
        direction = 4 if number & 4 else number & 3
        return m.effect("fround", a.type, a, imm=number & 8 | direction)

    return chosen(m, a.type, how, 16, by)


@insn("66 0F 3A 08 /r ib", "Vx, Wdq, Ib", name="roundps", static=(SINGLES,), extension="sse4.1")
@insn("66 0F 3A 09 /r ib", "Vx, Wdq, Ib", name="roundpd", static=(DOUBLES,), extension="sse4.1")
@insn("66 0F 3A 0A /r ib", "Vss, Wss, Ib", name="roundss", static=(F32,), extension="sse4.1")
@insn("66 0F 3A 0B /r ib", "Vsd, Wsd, Ib", name="roundsd", static=(F64,), extension="sse4.1")
def round_(m: X86Emitter, type: Type, target: Register, source: Register | Memory, how: Value) -> None:
    """ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD: to integral values, as the immediate says. SDM volume 2B, each."""
    m.put_xmm(target, rounded(m, m.get(source, type), how))


def vex_round(m: X86Emitter, type: Type, target: Register, source: Register | Memory, how: Value) -> None:
    m.put(target, rounded(m, m.get(source, widened(type, target.width)), how))


def vex_round_scalar(
    m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory, how: Value
) -> None:
    m.put(target, with_scalar(m, first, rounded(m, m.get(source, type), how)))


vex_forms("roundps", FLOAT, "66", "08 /r ib", "Vx, Wx, Ib", vex_round, SINGLES, map="0F3A")
vex_forms("roundpd", FLOAT, "66", "09 /r ib", "Vx, Wx, Ib", vex_round, DOUBLES, map="0F3A")
vex_forms("roundss", SCALAR, "66", "0A /r ib", "Vss, Hss, Wss, Ib", vex_round_scalar, F32, map="0F3A")
vex_forms("roundsd", SCALAR, "66", "0B /r ib", "Vsd, Hsd, Wsd, Ib", vex_round_scalar, F64, map="0F3A")


# --- SSE4.1: dot products and blends ----------------------------------------------------------------------------------
def with_immediate(
    opcode: int, name: str, type: Type, lengths: tuple[tuple[str, str], ...] = FLOAT
) -> Callable[[WithImmediate], WithImmediate]:
    """`target = meaning(m, target, source, immediate)` at 66 0F 3A `opcode`; `lengths` are those behind VEX."""

    def describe(meaning: WithImmediate) -> WithImmediate:
        def semantics(m: X86Emitter, target: Register, source: Register | Memory, immediate: Value) -> None:
            vex(m, target, target, source, immediate)

        def vex(
            m: X86Emitter, target: Register, first: Register, source: Register | Memory, immediate: Value
        ) -> None:
            b = m.get(source, widened(type, target.width))
            m.put(target, meaning(m, m.get(first, b.type), b, immediate))

        semantics.__doc__ = meaning.__doc__
        insn(f"66 0F 3A {opcode:02X} /r ib", "Vx, Wdq, Ib", name=name, extension="sse4.1")(semantics)
        vex_forms(name, lengths, "66", f"{opcode:02X} /r ib", "Vx, Hx, Wx, Ib", vex, map="0F3A")
        return meaning

    return describe


def _repeated(bits: Value, type: Type) -> Value:
    """`bit_lanes`, the same bits for every 128 bits of `type`."""
    mask = bit_lanes(bits, LANES[type.element.bits])
    return mask.shuffle(mask, [lane % mask.type.lanes for lane in range(type.lanes)])


@with_immediate(0x40, "dpps", SINGLES)
@with_immediate(0x41, "dppd", DOUBLES, SHORT)
def dot_product(m: X86Emitter, a: Value, b: Value, which: Value) -> Value:
    """DPPS, DPPD: the sum of chosen products, in chosen lanes. SDM volume 2A, each.

    Bits 4 and up of the immediate choose products, its low bits lanes; the others are +0. Products that are not chosen
    are those of zeroes. Four of them are added in pairs, then the sums of the pairs. Each lane adds for itself: of
    several NaNs it is the order of operands that tells, which differs between lanes.
    """
    zero = m.function.const(a.type, 0)
    takes_part = _repeated(which.lshr(4), a.type)
    total = m.effect("fmul", a.type, takes_part.select(a, zero), takes_part.select(b, zero))
    if a.width == 32:
        total = m.effect("fadd", a.type, shuffled_by_halves(total, total, (1, 0, 3, 2)), total)
    other = shuffled_by_halves(total, total, (2, 3, 0, 1) if a.width == 32 else (1, 0))
    total = m.effect("fadd", a.type, total, other)
    return _repeated(which, a.type).select(total, zero)


@with_immediate(0x0C, "blendps", SINGLES)
@with_immediate(0x0D, "blendpd", DOUBLES)
def blend(m: X86Emitter, a: Value, b: Value, which: Value) -> Value:
    """BLENDPS, BLENDPD: lanes of the source where the immediate has a bit set. SDM volume 2A, each."""
    return bit_lanes(which, a.type).select(b, a)


XMM0: Final = Register(s.XMM[0], 128)


def blended_by_sign(a: Value, b: Value, mask: Value) -> Value:
    """Lanes of `b` where those of `mask` (integers) have their sign set, else of `a`."""
    return mask.slt(0).select(b, a)


@insn("66 0F 38 14 /r", "Vx, Wdq", name="blendvps", static=(32,), extension="sse4.1")
@insn("66 0F 38 15 /r", "Vx, Wdq", name="blendvpd", static=(64,), extension="sse4.1")
def blend_by_register(m: X86Emitter, lane: int, target: Register, source: Register | Memory) -> None:
    """BLENDVPS, BLENDVPD: lanes of the source where those of XMM0 have their sign set. SDM volume 2A, each."""
    vex_blend_by_register(m, lane, target, target, source, XMM0)


def vex_blend_by_register(
    m: X86Emitter, lane: int, target: Register, first: Register, source: Register | Memory, mask: Register
) -> None:
    b = m.get(source, lanes(target, lane))
    m.put(target, blended_by_sign(m.get(first, b.type), b, m.get(mask, b.type)))


for _name, _opcode, _lane in (("blendvps", "4A", 32), ("blendvpd", "4B", 64)):
    vex_forms(_name, FLOAT, "66", f"{_opcode} /r is4", "Vx, Hx, Wx, Lx", vex_blend_by_register, _lane,
              map="0F3A", w="W0")  # fmt: skip


# --- SSE4.1: insert and extract ---------------------------------------------------------------------------------------
def inserted(a: Value, single: Value, where: Value) -> Value:
    """`a` with `single` in the lane of bits 4 and 5 of `where`, then zeroes in the lanes that its low bits tell."""
    result = with_lane(a, where.lshr(4).zext(32) & 3, single)
    return bit_lanes(where, a.type).select(a.function.const(a.type, 0), result)


@insn("66 0F 3A 21 /r mem ib", "Vx, Wss, Ib", name="insertps", extension="sse4.1")
@insn("66 0F 3A 21 /r reg ib", "Vx, Ux, Ib", name="insertps", extension="sse4.1")
def insertps(m: X86Emitter, target: Register, source: Register | Memory, where: Value) -> None:
    """INSERTPS: a single into a lane, and zeroes into others. SDM volume 2A, INSERTPS.

    Of a register, bits 6 and 7 of the immediate choose the lane; its low bits tell which become zero.
    """
    vex_insertps(m, target, target, source, where)


def vex_insertps(
    m: X86Emitter, target: Register, first: Register, source: Register | Memory, where: Value
) -> None:
    if isinstance(source, Memory):
        single = m.get(source, F32)
    else:
        b = m.get(source, SINGLES)
        single = pick([b.extract(lane) for lane in range(4)], where.lshr(6))
    m.put(target, inserted(m.get(first, SINGLES), single, where))


vex_forms("insertps", SHORT, "66", "21 /r mem ib", "Vx, Hx, Wss, Ib", vex_insertps, map="0F3A")
vex_forms("insertps", SHORT, "66", "21 /r reg ib", "Vx, Hx, Ux, Ib", vex_insertps, map="0F3A")


@insn("VEX.128.66.0F3A.WIG 17 /r ib", "Ed, Vx, Ib", name="vextractps", extension="avx")
@insn("66 0F 3A 17 /r ib", "Ed, Vx, Ib", extension="sse4.1")
def extractps(m: X86Emitter, target: Register | Memory, source: Register, index: Value) -> None:
    """EXTRACTPS: a single, as its bits, to a general register or memory. SDM volume 2A, EXTRACTPS."""
    a = m.get(source, LANES[32])
    m.put(target, pick([a.extract(lane) for lane in range(4)], index))
