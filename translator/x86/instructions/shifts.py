"""Shifts and rotates (SDM volume 1, 5.1.5 and 7.3.6).

The count is masked to 5 bits (6 at operand size 64); a masked count of zero changes no flag. Where the manual leaves
flags undefined, hardware shows the way: OF is, for every count, what a count of 1 would give (only ROL and ROR by an
immediate greater than 1 leave it alone there, and not here), AF is cleared by shifts, and CF is the last bit shifted
out even by more than the width.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn

Operand = Register | Memory
Meaning = Callable[[X86Emitter, Value, Value], tuple[Value, Flags]]
"""(emitter, operand, masked count of 64 bits) -> (result, flags if the count is not zero)."""


def _masked(count: Value, width: int) -> Value:
    return count.zext(64) & (63 if width == 64 else 31)


def shift(number: int, undefined: str, *, through_carry: bool = False) -> Callable[[Meaning], Meaning]:
    """One of the operations of the encoding grid C0 /n, C1 /n, D0 /n to D3 /n (SDM volume 2, appendix A.4, group 2).

    Rotates `through_carry` have width + 1 bits, so at 8 and 16 bits the count is reduced modulo that.
    """

    def describe(meaning: Meaning) -> Meaning:
        def semantics(m: X86Emitter, target: Operand, count: Register | Value) -> None:
            a = m.get(target)
            masked = _masked(m.get(count), a.width)
            if through_carry and a.width < 32:
                masked = masked.urem(a.width + 1)
            result, flags = meaning(m, a, masked)
            m.put(target, result)
            m.put_flags_if(masked.ne(0), flags)

        semantics.__doc__ = meaning.__doc__
        for prefix, operands in (("C0", "Eb, Ib"), ("C1", "Ev, Ib")):
            insn(f"{prefix} /{number} ib", operands, name=meaning.__name__, undefined=undefined)(semantics)
        for prefix, operands in (("D0", "Eb, 1"), ("D1", "Ev, 1"), ("D2", "Eb, CL"), ("D3", "Ev, CL")):
            insn(f"{prefix} /{number}", operands, name=meaning.__name__, undefined=undefined)(semantics)
        return meaning

    return describe


def _top_bits_differ(a: Value) -> Value:
    """Whether shifting left by one changes the sign."""
    return (a ^ (a << 1)).slt(0)


def _bit(value: Value, number: Value) -> Value:
    return value.lshr(number).trunc(1)


@shift(0, "of")
def rol(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """ROL: rotate left. SDM volume 2B, RCL/RCR/ROL/ROR."""
    result = a.rotl((count & (a.width - 1)).trunc(a.width))
    return result, Flags(cf=result.trunc(1), of=_top_bits_differ(a))


@shift(1, "of")
def ror(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """ROR: rotate right. SDM volume 2B, RCL/RCR/ROL/ROR."""
    result = a.rotr((count & (a.width - 1)).trunc(a.width))
    return result, Flags(cf=result.slt(0), of=a.slt(0) ^ a.trunc(1))


def _through_carry(m: X86Emitter, a: Value, left_count: Value) -> tuple[Value, Value]:
    """CF and the operand as one number of width + 1 bits, rotated left; gives the operand and CF."""
    width = a.width
    wide = 128 if width == 64 else 64
    number = a.zext(wide) | m.cf.zext(wide) << width
    left = left_count.zext(wide)
    rotated = (number << left) | number.lshr(m.const(width + 1, wide) - left)
    return rotated.trunc(width), rotated.lshr(width).trunc(1)


@shift(2, "of", through_carry=True)
def rcl(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """RCL: rotate left through CF. SDM volume 2B, RCL/RCR/ROL/ROR."""
    result, cf = _through_carry(m, a, count)
    return result, Flags(cf=cf, of=_top_bits_differ(a))


@shift(3, "of", through_carry=True)
def rcr(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """RCR: rotate right through CF. SDM volume 2B, RCL/RCR/ROL/ROR."""
    left = m.const(a.width + 1, 64) - count
    of = a.slt(0) ^ m.cf
    result, cf = _through_carry(m, a, left)
    return result, Flags(cf=cf, of=of)


@shift(4, "of af cf")
def shl(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """SHL, SAL: shift left. SDM volume 2B, SAL/SAR/SHL/SHR."""
    width = a.width
    if width == 64:
        result = a << count
        cf = _bit(a, m.const(64, 64) - count)
    else:
        wide = a.zext(64) << count
        result, cf = wide.trunc(width), wide.lshr(width).trunc(1)
    return result, m.logic_flags(result).but(cf=cf, of=_top_bits_differ(a))


shift(6, "of af cf")(shl)


@shift(5, "of af cf")
def shr(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """SHR: logical shift right. SDM volume 2B, SAL/SAR/SHL/SHR."""
    wide = a.zext(64)
    result = wide.lshr(count).trunc(a.width)
    return result, m.logic_flags(result).but(cf=_bit(wide, count - 1), of=a.slt(0))


@shift(7, "af")
def sar(m: X86Emitter, a: Value, count: Value) -> tuple[Value, Flags]:
    """SAR: arithmetic shift right. SDM volume 2B, SAL/SAR/SHL/SHR."""
    wide = a.sext(64)
    result = wide.ashr(count).trunc(a.width)
    return result, m.logic_flags(result).but(cf=wide.ashr(count - 1).trunc(1))


def _double_shift(m: X86Emitter, left: bool, target: Operand, source: Register, count: Register | Value) -> None:
    a, b = m.get(target), m.get(source)
    width = a.width
    masked = _masked(m.get(count), width)
    wide = 128 if width == 64 else 64
    by = masked.zext(wide)
    high, low = (a, b) if left else (b, a)
    both = high.zext(wide) << width | low.zext(wide)
    if width == 16:  # counts of 17 to 31 go on with the target once more, as hardware does
        both = both | a.zext(wide) << 32 if not left else (both << 16 | a.zext(wide))
    if left:
        top = 3 * width if width == 16 else 2 * width
        shifted = both << by
        result = shifted.lshr(top - width).trunc(width)
        cf = both.lshr(m.const(top, wide) - by).trunc(1)
    else:
        result = both.lshr(by).trunc(width)
        cf = both.lshr(by - 1).trunc(1)
    m.put(target, result)
    of = _top_bits_differ(a) if left else a.slt(0) ^ b.trunc(1)
    m.put_flags_if(masked.ne(0), m.logic_flags(result).but(cf=cf, of=of))


@insn("0F A4 /r ib | 0F A5 /r", "Ev, Gv, Ib | Ev, Gv, CL", undefined="of af")
def shld(m: X86Emitter, target: Operand, source: Register, count: Register | Value) -> None:
    """SHLD: shift left, bits coming in from another register. SDM volume 2B, SHLD."""
    _double_shift(m, True, target, source, count)


@insn("0F AC /r ib | 0F AD /r", "Ev, Gv, Ib | Ev, Gv, CL", undefined="of af")
def shrd(m: X86Emitter, target: Operand, source: Register, count: Register | Value) -> None:
    """SHRD: shift right, bits coming in from another register. SDM volume 2B, SHRD."""
    _double_shift(m, False, target, source, count)
