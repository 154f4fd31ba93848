"""BMI1 and BMI2: bit manipulation on general registers, behind VEX (SDM volume 1, 5.1.16). TZCNT is in bits.py."""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn

Operand = Register | Memory


def both(pattern: str) -> str:
    """A pattern for 32-bit and for 64-bit operands: W stands for W0 and W1."""
    return " | ".join(pattern.replace(".W ", f".W{wide} ") for wide in (0, 1))


def _flags(m: X86Emitter, result: Value, carry: Value) -> Flags:
    """SF and ZF of the result, CF as given, OF clear; AF and PF are undefined."""
    return m.logic_flags(result).but(cf=carry)


@insn(both("VEX.LZ.0F38.W F2 /r"), "Gy, By, Ey", extension="bmi1", undefined="af pf")
def andn(m: X86Emitter, target: Register, first: Register, second: Operand) -> None:
    """ANDN: the complement of the first source and the second. SDM volume 2A, ANDN."""
    result = ~m.get(first) & m.get(second)
    m.put(target, result)
    m.put_flags(_flags(m, result, m.flag(False)))


@insn(both("VEX.LZ.0F38.W F7 /r"), "Gy, Ey, By", extension="bmi1", undefined="af sf pf")
def bextr(m: X86Emitter, target: Register, source: Operand, field: Register) -> None:
    """BEXTR: bits from where a register's low byte says, as many as its next byte says. SDM volume 2A, BEXTR."""
    value, which = m.get(source), m.get(field)
    result = value.lshr(which & 0xFF) & ~(m.const(-1, value.width).shl(which.lshr(8) & 0xFF))
    m.put(target, result)
    m.put_flags(_flags(m, result, m.flag(False)))


def _lowest(name: str, extension: int, what: str, result_of: Callable[[Value], Value], carry_if_zero: bool) -> None:
    def semantics(m: X86Emitter, target: Register, source: Operand) -> None:
        value = m.get(source)
        result = result_of(value)
        m.put(target, result)
        m.put_flags(_flags(m, result, value.eq(0) if carry_if_zero else value.ne(0)))

    upper = name.upper()
    insn(
        both(f"VEX.LZ.0F38.W F3 /{extension}"), "By, Ey", name=name, extension="bmi1", undefined="af pf",
        manual=f"{upper}: {what}. SDM volume 2A, {upper}.",
    )(semantics)  # fmt: skip


_lowest("blsr", 1, "all but the lowest set bit", lambda a: a & a - 1, carry_if_zero=True)
_lowest("blsmsk", 2, "ones up to the lowest set bit", lambda a: a ^ a - 1, carry_if_zero=True)
_lowest("blsi", 3, "the lowest set bit alone", lambda a: a & -a, carry_if_zero=False)


@insn(both("VEX.LZ.0F38.W F5 /r"), "Gy, Ey, By", extension="bmi2", undefined="af pf")
def bzhi(m: X86Emitter, target: Register, source: Operand, index: Register) -> None:
    """BZHI: the bits below the one that a register's low byte names; CF if there is none. SDM volume 2A, BZHI."""
    value = m.get(source)
    count = m.get(index) & 0xFF
    result = value & ~m.const(-1, value.width).shl(count)
    m.put(target, result)
    m.put_flags(_flags(m, result, m.const(value.width - 1, value.width).ult(count)))


@insn(both("VEX.LZ.F2.0F38.W F6 /r"), "Gy, By, Ey", extension="bmi2")
def mulx(m: X86Emitter, high: Register, low: Register, source: Operand) -> None:
    """MULX: the unsigned product with rDX in two registers; if they are one, its high half. SDM volume 2B, MULX."""
    value = m.get(source)
    width = value.width
    product = value.zext(2 * width) * m.get(m.gpr(2, width)).zext(2 * width)
    m.put(low, product.trunc(width))
    m.put(high, product.lshr(width).trunc(width))


@insn(both("VEX.LZ.F2.0F3A.W F0 /r ib"), "Gy, Ey, Ib", extension="bmi2")
def rorx(m: X86Emitter, target: Register, source: Operand, count: Value) -> None:
    """RORX: rotate right, and leave the flags. SDM volume 2B, RORX."""
    value = m.get(source)
    m.put(target, value.binary("rotr", count.zext(value.width) & value.width - 1))


def _gathered(name: str, prefix: str, op: str, what: str) -> None:
    def semantics(m: X86Emitter, target: Register, first: Register, mask: Operand) -> None:
        bits = m.get(mask)
        m.put(target, m.get(first).binary(op, bits))

    insn(
        both(f"VEX.LZ.{prefix}.0F38.W F5 /r"), "Gy, By, Ey", name=name, extension="bmi2",
        manual=f"{name.upper()}: {what}. SDM volume 2B, {name.upper()}.",
    )(semantics)  # fmt: skip


_gathered("pdep", "F2", "deposit_bits", "low bits to where the mask has ones")
_gathered("pext", "F3", "extract_bits", "bits where the mask has ones to the low end")


def _shift(name: str, prefix: str, op: str) -> None:
    def semantics(m: X86Emitter, target: Register, source: Operand, count: Register) -> None:
        value = m.get(source)
        m.put(target, value.binary(op, m.get(count) & value.width - 1))

    insn(
        both(f"VEX.LZ.{prefix}.0F38.W F7 /r"), "Gy, Ey, By", name=name, extension="bmi2",
        manual=f"{name.upper()}: shift by a register's value modulo the width, and leave the flags. "
        "SDM volume 2B, SARX/SHLX/SHRX.",
    )(semantics)  # fmt: skip


_shift("sarx", "F3", "ashr")
_shift("shlx", "66", "shl")
_shift("shrx", "F2", "lshr")
