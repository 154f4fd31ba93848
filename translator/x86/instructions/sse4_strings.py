"""SSE4.2: the comparison of strings, and CRC32 (SDM volume 1, 5.11; volume 2B, 4.1).

PCMPxSTRx compare elements (bytes or words) of a first operand, a set or a needle, with those of a second. Here the
first's valid elements are taken one after another, each compared with all of the second's at once; what is found of the
second's is a bit each, in an i32.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I32, integer
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import LANES, WHOLE, bit_lanes, chosen
from metaphrase.translator.x86.vex import SHORT, vex_forms

EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED = range(4)
"""Bits 2 and 3 of the immediate: which comparison."""


def _by_format(how: Value, write: Callable[[int], Value]) -> Value:
    """`write(lane)` for the width of an element: 16 bits if bit 0 of the immediate is set, else 8."""
    if how.is_const:
        return write(16 if how.imm & 1 else 8)
    return (how & 1).ne(0).select(write(16), write(8))


def _bits(lanes: Value) -> Value:
    """Lanes of i1 as bits, lane 0 lowest."""
    return lanes.bitcast(integer(lanes.type.lanes)).zext(32)


def _ones(m: X86Emitter, count: Value) -> Value:
    """So many ones."""
    return (m.const(1, 32) << count) - 1


def _folded(m: X86Emitter, a: Value, count: Value, step: int, start: int, change: Callable[..., Value]) -> Value:
    """`bits = change(bits, number, elements)` over the first `count` elements of `a`, `step` of them at a time.

    Each element is a vector that has it in all lanes, `number` is the first one's; elements that are left over do not
    count.
    """
    lanes = a.type.lanes
    rest, number, bits = m.local(a.type), m.local(I32), m.local(I32)
    rest.set(a)
    number.set(step)
    bits.set(start)
    with m.while_(lambda: number.get().ule(count)):
        now, behind = rest.get(), number.get()
        elements = [now.shuffle(now, [index] * lanes) for index in range(step)]
        bits.set(change(bits.get(), behind - step, *elements))
        rest.set(now.shuffle(now, [(lane + step) % lanes for lane in range(lanes)]))
        number.set(behind + step)
    return bits.get()


def _found(m: X86Emitter, comparison: int, a: Value, b: Value, in_a: Value, in_b: Value) -> Value:
    """Which elements of `b` are found (SDM volume 2B, 4.1.4 to 4.1.6), for so many valid elements of either (i32)."""
    valid = _ones(m, in_b)
    if comparison == EQUAL_ANY:
        return valid & _folded(m, a, in_a, 1, 0, lambda bits, number, x: bits | _bits(b.eq(x)))
    if comparison == RANGES:
        return valid & _folded(
            m, a, in_a, 2, 0, lambda bits, number, low, high: bits | _bits(low.ule(b) & b.ule(high))
        )  # fmt: skip
    everywhere = (1 << a.type.lanes) - 1
    if comparison == EQUAL_EACH:
        both, either = _ones(m, in_a) & valid, _ones(m, in_a) | valid
        return (_bits(a.eq(b)) & both) | (either ^ everywhere)
    beyond = 0xFFFFFFFF & ~everywhere  # what of the needle lies beyond the register may be anything
    return _folded(
        m, a, in_a, 1, everywhere, lambda bits, number, x: bits & ((_bits(b.eq(x)) & valid) | beyond).lshr(number & 31)
    )


def compared(m: X86Emitter, a: Value, b: Value, in_a: Value, in_b: Value, how: Value) -> Value:
    """The result as bits (i32), all of the immediate but its output selection heeded; sets the flags."""

    def found(number: int) -> Value:
        lane = 16 if number & 1 else 8
        type = LANES[lane]
        left, right = a.bitcast(type), b.bitcast(type)
        if number >> 1 == RANGES:  # signed elements compare as unsigned ones do with the sign inverted
            sign = (how & 2).zext(lane) << lane - 2
            left, right = (value ^ sign.splat(type.lanes) for value in (left, right))
        return _found(m, number >> 1, left, right, in_a, in_b)

    raw = chosen(m, I32, (how & 1) | (how.lshr(1) & 6), 8, found)
    count = _by_format(how, lambda lane: m.const(128 // lane, 32))
    inverted = _ones(m, (how & 0x20).ne(0).select(in_b, count))
    result = raw ^ (how & 0x10).ne(0).select(inverted, 0)
    m.put_flags(Flags(
        result.ne(0), m.const(1, 8), m.const(0, 8), in_b.ult(count), in_a.ult(count), (result & 1).ne(0)
    ))  # fmt: skip
    return result


def index(m: X86Emitter, bits: Value, how: Value, xmm0: Register) -> None:
    """ECX: the number of the first set bit, or of the last if bit 6 of the immediate is set; without any, the count."""
    count = _by_format(how, lambda lane: m.const(128 // lane, 32))
    last = bits.eq(0).select(count, 31 - bits.unary("clz"))
    first = bits.eq(0).select(count, bits.unary("ctz"))
    m.put(m.gpr(1, 32), (how & 0x40).ne(0).select(last, first))


def mask(m: X86Emitter, bits: Value, how: Value, xmm0: Register) -> None:
    """XMM0: the bits, or elements of ones if bit 6 of the immediate is set."""
    alone = m.function.const(WHOLE, 0).insert(0, bits.zext(64))
    elements = _by_format(how, lambda lane: bit_lanes(bits.trunc(16), LANES[lane]).sext(lane).bitcast(WHOLE))
    m.put(xmm0, (how & 0x40).ne(0).select(elements, alone))


Output = Callable[[X86Emitter, Value, Value, Register], None]


def _explicit(m: X86Emitter, output: Output, width: int, a: Register, b: Register | Memory, how: Value) -> None:
    """PCMPESTRI, PCMPESTRM: compare strings whose lengths are the magnitudes of rAX and rDX. SDM volume 2B, each."""
    right = m.get(b, WHOLE)
    count = _by_format(how, lambda lane: m.const(128 // lane, width))
    in_a, in_b = (m.get(m.gpr(number, width)) for number in (0, 2))
    in_a, in_b = (length.slt(0).select(-length, length).binary("umin", count).trunc(32) for length in (in_a, in_b))
    output(m, compared(m, m.get(a, WHOLE), right, in_a, in_b, how), how, type(a)(s.XMM[0], 128))


def _implicit(m: X86Emitter, output: Output, a: Register, b: Register | Memory, how: Value) -> None:
    """PCMPISTRI, PCMPISTRM: compare strings that end before a zero, if there is one. SDM volume 2B, each."""

    def length(value: Value) -> Value:
        return _by_format(how, lambda lane: (_bits(value.bitcast(LANES[lane]).eq(0)) | 1 << 128 // lane).unary("ctz"))

    right = m.get(b, WHOLE)
    left = m.get(a, WHOLE)
    output(m, compared(m, left, right, length(left), length(right), how), how, type(a)(s.XMM[0], 128))


for _opcode, _letter, _output in ((0x60, "m", mask), (0x61, "i", index)):
    for _wide, _width in (("W0", 32), ("REX.W", 64)):
        insn(f"66 {_wide} 0F 3A {_opcode:02X} /r ib", "Vx, Wx, Ib", name="pcmpestr" + _letter, extension="sse4.2",
             static=(_output, _width))(_explicit)  # fmt: skip
        vex_forms("pcmpestr" + _letter, SHORT, "66", f"{_opcode:02X} /r ib", "Vx, Wx, Ib", _explicit, _output, _width,
                  map="0F3A", w="W0" if _width == 32 else "W1")  # fmt: skip
    insn(f"66 0F 3A {_opcode + 2:02X} /r ib", "Vx, Wx, Ib", name="pcmpistr" + _letter, extension="sse4.2",
         static=(_output,))(_implicit)  # fmt: skip
    vex_forms("pcmpistr" + _letter, SHORT, "66", f"{_opcode + 2:02X} /r ib", "Vx, Wx, Ib", _implicit, _output,
              map="0F3A")  # fmt: skip


@insn("F2 W0 0F 38 F0 /r | F2 REX.W 0F 38 F0 /r | F2 W0 0F 38 F1 /r | F2 REX.W 0F 38 F1 /r",
      "Gd, Eb | Gq, Eb | Gd, Ev | Gq, Eq", extension="sse4.2")  # fmt: skip
def crc32(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CRC32: the target's checksum carried on over the source, by Castagnoli's polynomial. SDM volume 2A, CRC32."""
    data = m.get(source)
    m.put(target, m.pure("crc32c", I32, m.get(target, I32), data).zext(target.width))
