"""Multiplication and division (SDM volume 1, 5.1.2)."""

from __future__ import annotations

from dataclasses import replace

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I64
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.state import DEFER_PRODUCT
from metaphrase.translator.x86.table import insn

Operand = Register | Memory


def product_flags(m: X86Emitter, low: Value, overflow: Value) -> Flags:
    """CF and OF tell that the upper half matters; the rest is undefined, hardware takes it from the lower half."""
    flags = m.result_flags(low).but(cf=overflow, of=overflow, zf=m.flag(False), adjust=m.const(0, 8))
    return replace(flags, operation=(DEFER_PRODUCT, low, overflow.zext(low.width)))


def _put_double(m: X86Emitter, low: Value, high: Value) -> None:
    """The double-width result in AX (bytes) or in rDX:rAX."""
    if low.width == 8:
        m.put(m.gpr(0, 16), low.zext(16) | high.zext(16) << 8)
    else:
        m.put(m.gpr(0, low.width), low)
        m.put(m.gpr(2, low.width), high)


@insn("F6 /4 | F7 /4", "Eb | Ev", undefined="sf zf af pf")
def mul(m: X86Emitter, source: Operand) -> None:
    """MUL: unsigned product of the accumulator, double width. SDM volume 2B, MUL."""
    width = source.width
    product = m.get(source).zext(2 * width) * m.get(m.gpr(0, width)).zext(2 * width)
    low, high = product.trunc(width), product.lshr(width).trunc(width)
    _put_double(m, low, high)
    m.put_flags(product_flags(m, low, high.ne(0)))


def _signed_product(a: Value, b: Value) -> tuple[Value, Value, Value]:
    """Lower and upper half, and whether the lower is not the whole."""
    width = a.width
    product = a.sext(2 * width) * b.sext(2 * width)
    low = product.trunc(width)
    return low, product.lshr(width).trunc(width), product.ne(low.sext(2 * width))


@insn("F6 /5 | F7 /5", "Eb | Ev", undefined="sf zf af pf", name="imul")
def imul_double(m: X86Emitter, source: Operand) -> None:
    """IMUL: signed product of the accumulator, double width. SDM volume 2A, IMUL."""
    low, high, overflow = _signed_product(m.get(m.gpr(0, source.width)), m.get(source))
    _put_double(m, low, high)
    m.put_flags(product_flags(m, low, overflow))


@insn("0F AF /r", "Gv, Ev", undefined="sf zf af pf")
def imul(m: X86Emitter, target: Register, source: Operand) -> None:
    """IMUL: signed product of two operands. SDM volume 2A, IMUL."""
    low, _, overflow = _signed_product(m.get(target), m.get(source))
    m.put(target, low)
    m.put_flags(product_flags(m, low, overflow))


@insn("69 /r iz | 6B /r ib", "Gv, Ev, Iz", undefined="sf zf af pf", name="imul")
def imul_by(m: X86Emitter, target: Register, source: Operand, by: Value) -> None:
    """IMUL: signed product with an immediate. SDM volume 2A, IMUL."""
    low, _, overflow = _signed_product(m.get(source), by)
    m.put(target, low)
    m.put_flags(product_flags(m, low, overflow))


def _dividend(m: X86Emitter, width: int) -> Value:
    """AX or rDX:rAX, in twice the width."""
    if width == 8:
        return m.get(m.gpr(0, 16))
    return m.get(m.gpr(0, width)).zext(2 * width) | m.get(m.gpr(2, width)).zext(2 * width) << width


@insn("F6 /6 | F7 /6", "Eb | Ev", undefined="cf of sf zf af pf")
def div(m: X86Emitter, source: Operand) -> None:
    """DIV: unsigned division of the double-width accumulator; #DE if the quotient does not fit. SDM volume 2A, DIV."""
    divisor = m.get(source)
    width = divisor.width
    if width == 64:
        low, high = m.get(m.gpr(0)), m.get(m.gpr(2))
        m.trap_if(divisor.ule(high), "divide_error")
        quotient, remainder = _divide_wide(m, high, low, divisor)
        _put_double(m, quotient, remainder)
        return
    dividend = _dividend(m, width)
    m.trap_if(divisor.ule(dividend.lshr(width).trunc(width)), "divide_error")
    by = divisor.zext(2 * width)
    quotient = dividend.udiv(by)
    _put_double(m, quotient.trunc(width), _remainder(dividend, quotient, by).trunc(width))


@insn("F6 /7 | F7 /7", "Eb | Ev", undefined="cf of sf zf af pf")
def idiv(m: X86Emitter, source: Operand) -> None:
    """IDIV: signed division of the double-width accumulator; #DE if the quotient does not fit. SDM volume 2A, IDIV."""
    divisor = m.get(source)
    width = divisor.width
    if width == 64:
        _divide_signed_wide(m, divisor)
        return
    m.trap_if(divisor.eq(0), "divide_error")
    dividend, by = _dividend(m, width), divisor.sext(2 * width)
    quotient = dividend.sdiv(by)
    fits = quotient.eq(quotient.trunc(width).sext(2 * width))
    lowest = dividend.eq(1 << 2 * width - 1)  # the one dividend whose quotient overflows twice the width
    m.trap_if(~fits | lowest, "divide_error")
    _put_double(m, quotient.trunc(width), _remainder(dividend, quotient, by).trunc(width))


def _remainder(dividend: Value, quotient: Value, divisor: Value) -> Value:
    """A multiplication is much cheaper than a second division, which is what `urem` or `srem` may become."""
    return dividend - quotient * divisor


def _divide_signed_wide(m: X86Emitter, divisor: Value) -> None:
    """RDX:RAX by a 64-bit divisor: magnitudes are divided, the signs put on again."""
    low, high = m.get(m.gpr(0)), m.get(m.gpr(2))
    wide = low.zext(128) | high.zext(128) << 64
    negative, opposite = high.slt(0), (high ^ divisor).slt(0)
    magnitude = negative.select(-wide, wide)
    by = divisor.slt(0).select(-divisor, divisor)
    upper = magnitude.lshr(64).trunc(64)
    m.trap_if(by.ule(upper), "divide_error")
    quotient, remainder = _divide_wide(m, upper, magnitude.trunc(64), by)
    limit = m.const((1 << 63) - 1, 64) + opposite.zext(64)
    m.trap_if(limit.ult(quotient), "divide_error")
    _put_double(m, opposite.select(-quotient, quotient), negative.select(-remainder, remainder))


def _divide_wide(m: X86Emitter, high: Value, low: Value, divisor: Value) -> tuple[Value, Value]:
    """high:low by `divisor`, where high < divisor; a host division of 64 bits does if high is zero."""
    quotient, remainder = m.local(I64), m.local(I64)

    def narrow() -> None:
        quotient.set(low.udiv(divisor))
        remainder.set(_remainder(low, quotient.get(), divisor))

    def wide() -> None:
        for result, value in zip((quotient, remainder), _long_division(m, high, low, divisor), strict=True):
            result.set(value)

    m.if_else(high.eq(0), narrow, wide)
    return quotient.get(), remainder.get()


def _long_division(m: X86Emitter, high: Value, low: Value, divisor: Value) -> tuple[Value, Value]:
    """Knuth's algorithm D (TAOCP volume 2, 4.3.1) with two digits of 32 bits; high < divisor."""
    shift = divisor.unary("clz")
    by = divisor << shift
    upper = (high << shift) | low.lshr(m.const(64, 64) - shift)
    lower = low << shift
    first, rest = _digit(upper, lower.lshr(32), by)
    second, rest = _digit(rest, lower & 0xFFFFFFFF, by)
    return (first << 32) + second, rest.lshr(shift)


def _digit(upper: Value, next_digit: Value, by: Value) -> tuple[Value, Value]:
    """One digit of the quotient of (upper, next_digit) by a normalised `by`, and what is left."""
    by_high, by_low = by.lshr(32), by & 0xFFFFFFFF
    guess = upper.udiv(by_high)
    rest = upper - guess * by_high
    for _ in range(2):  # the guess is at most two too large
        too_large = guess.ule(0xFFFFFFFF).select(
            rest.ule(0xFFFFFFFF) & ((rest << 32) | next_digit).ult(guess * by_low), rest.ule(0xFFFFFFFF)
        )
        guess = too_large.select(guess - 1, guess)
        rest = too_large.select(rest + by_high, rest)
    return guess, (upper << 32) + next_digit - guess * by
