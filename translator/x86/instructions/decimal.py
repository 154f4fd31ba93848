"""Decimal arithmetic on AL and AX, which 64-bit mode does not have (SDM volume 1, 5.1.3 and 7.3.5)."""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.translator.x86.emitter import X86Emitter
from metaphrase.translator.x86.table import LEGACY, insn


def _adjust_flag(m: X86Emitter, value: Value) -> Value:
    """AF as its slot has it."""
    return value.select(m.const(0x10, 8), 0)


def _put(m: X86Emitter, low: Value, carry: Value, adjusted: Value) -> None:
    """AL, and the flags of decimal digits; OF is undefined and cleared."""
    m.put(m.gpr(0, 8), low)
    m.put_flags(m.result_flags(low).but(cf=carry, adjust=_adjust_flag(m, adjusted), of=m.flag(False)))


def _unpacked(m: X86Emitter, sign: int) -> None:
    whole = m.get(m.gpr(0, 16))
    carries = m.const(9, 8).ult(whole.trunc(8) & 0xF) | m.af
    changed = whole + 0x106 if sign > 0 else whole - 0x106
    result = carries.select(changed, whole) & 0xFF0F
    m.put(m.gpr(0, 16), result)
    flags = m.result_flags(result.trunc(8))
    m.put_flags(flags.but(cf=carries, adjust=_adjust_flag(m, carries), of=m.flag(False)))


@insn("37", modes=LEGACY, undefined="of sf zf pf")
def aaa(m: X86Emitter) -> None:
    """AAA: adjust AX after an addition of unpacked decimal digits. SDM volume 2A, AAA."""
    _unpacked(m, 1)


@insn("3F", modes=LEGACY, undefined="of sf zf pf")
def aas(m: X86Emitter) -> None:
    """AAS: adjust AX after a subtraction of unpacked decimal digits. SDM volume 2A, AAS."""
    _unpacked(m, -1)


@insn("27", modes=LEGACY, undefined="of")
def daa(m: X86Emitter) -> None:
    """DAA: adjust AL after an addition of packed decimal digits. SDM volume 2A, DAA."""
    old, carry = m.get(m.gpr(0, 8)), m.cf
    low = m.const(9, 8).ult(old & 0xF) | m.af
    high = m.const(0x99, 8).ult(old) | carry
    _put(m, old + low.select(m.const(6, 8), 0) + high.select(m.const(0x60, 8), 0), high, low)


@insn("2F", modes=LEGACY, undefined="of")
def das(m: X86Emitter) -> None:
    """DAS: adjust AL after a subtraction of packed decimal digits. SDM volume 2A, DAS."""
    old, carry = m.get(m.gpr(0, 8)), m.cf
    low = m.const(9, 8).ult(old & 0xF) | m.af
    high = m.const(0x99, 8).ult(old) | carry
    borrow = low & old.ult(6)
    _put(m, old - low.select(m.const(6, 8), 0) - high.select(m.const(0x60, 8), 0), high | borrow, low)


@insn("D4 ib", "Ib", modes=LEGACY, undefined="of af cf")
def aam(m: X86Emitter, base: Value) -> None:
    """AAM: split AL into two digits in AH and AL; #DE for a base of 0. SDM volume 2A, AAM."""
    m.trap_if(base.eq(0), "divide_error")
    old = m.get(m.gpr(0, 8))
    high = old.udiv(base)
    low = old - high * base
    m.put(m.gpr(0, 16), low.zext(16) | high.zext(16) << 8)
    m.put_flags(m.logic_flags(low))


@insn("D5 ib", "Ib", modes=LEGACY, undefined="of af cf")
def aad(m: X86Emitter, base: Value) -> None:
    """AAD: join the digits in AH and AL into AL. SDM volume 2A, AAD."""
    whole = m.get(m.gpr(0, 16))
    low = whole.trunc(8) + whole.lshr(8).trunc(8) * base
    m.put(m.gpr(0, 16), low.zext(16))
    m.put_flags(m.logic_flags(low))


@insn("D6", modes=LEGACY)
def salc(m: X86Emitter) -> None:
    """SALC: AL becomes 0, or FF if CF is set; undocumented by name. SDM volume 2, appendix A.3 leaves D6 empty."""
    m.put(m.gpr(0, 8), m.cf.sext(8))
