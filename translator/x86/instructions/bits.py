"""Bit and byte instructions: BT and relatives, scans and counts, SETcc (SDM volume 1, 5.1.6 and 5.1.16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from metaphrase.ir.graph import Value
from metaphrase.translator.x86.emitter import Flags, Memory, Register, X86Emitter
from metaphrase.translator.x86.table import CONDITIONS, insn

Operand = Register | Memory
UNCHANGED: Final = "of sf af pf"
"""BT and relatives leave these undefined; hardware leaves them alone."""


def bit_operation(number: int, opcode: int, rmw: str = "") -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """One of BT, BTS, BTR, BTC: 0F `opcode` with the bit's number in a register, 0F BA /`number` with an immediate one.

    `rmw` is the atomic operation that is applied with the mask (the complement of it for "and").
    """

    def describe(change: Callable[..., Value]) -> Callable[..., Value]:
        def semantics(m: X86Emitter, target: Operand, index: Register | Value) -> None:
            width = target.width
            offset = m.get(index)
            if isinstance(target, Memory) and isinstance(index, Register):  # a string of bits, 2^63 either way
                units = offset.sext(64).ashr(width.bit_length() - 1)
                target = Memory(m.effective_address(units << (width // 8).bit_length() - 1), width)
            bit = offset.zext(width) & (width - 1)
            mask = m.const(1, width) << bit
            if not rmw:
                old = m.get(target)
            else:
                old = m.update(target, lambda a: change(a, mask), rmw, ~mask if rmw == "and" else mask)
            m.put_flags(Flags(cf=old.lshr(bit).trunc(1)))

        semantics.__doc__ = change.__doc__
        name = change.__name__
        insn(f"0F {opcode:02X} /r | 0F BA /{number} ib", "Ev, Gv | Ev, Ib", name=name, lock=bool(rmw),
             undefined=UNCHANGED)(semantics)  # fmt: skip
        return change

    return describe


@bit_operation(4, 0xA3)
def bt(value: Value, mask: Value) -> Value:
    """BT: bit test. SDM volume 2A, BT."""
    return value


@bit_operation(5, 0xAB, "or")
def bts(value: Value, mask: Value) -> Value:
    """BTS: bit test and set. SDM volume 2A, BTS."""
    return value | mask


@bit_operation(6, 0xB3, "and")
def btr(value: Value, mask: Value) -> Value:
    """BTR: bit test and reset. SDM volume 2A, BTR."""
    return value & ~mask


@bit_operation(7, 0xBB, "xor")
def btc(value: Value, mask: Value) -> Value:
    """BTC: bit test and complement. SDM volume 2A, BTC."""
    return value ^ mask


def _scan(m: X86Emitter, target: Register, source: Operand, result: Callable[[Value], Value]) -> None:
    value = m.get(source)
    zero = value.eq(0)
    found = result(value)
    if target.width == 32:  # a register that keeps its value keeps its upper half
        target, found = Register(target.offset, 64), found.zext(64)
    m.put(target, zero.select(m.get(target), found))
    clear = m.flag(False)
    m.put_flags(Flags(clear, zero.select(m.const(0, 8), found.trunc(8)), m.const(0, 8), zero, clear, clear))


@insn("0F BC /r", "Gv, Ev", undefined="cf of sf af pf")
def bsf(m: X86Emitter, target: Register, source: Operand) -> None:
    """BSF: bit scan forward; of zero, the target keeps its value. SDM volume 2A, BSF."""
    _scan(m, target, source, lambda value: value.unary("ctz"))


@insn("0F BD /r", "Gv, Ev", undefined="cf of sf af pf")
def bsr(m: X86Emitter, target: Register, source: Operand) -> None:
    """BSR: bit scan reverse; of zero, the target keeps its value. SDM volume 2A, BSR."""
    _scan(m, target, source, lambda value: value.unary("clz") ^ (value.width - 1))


def _count(m: X86Emitter, target: Register, source: Operand, op: str) -> None:
    value = m.get(source)
    result = value.unary(op)
    m.put(target, result)
    clear = m.flag(False)
    m.put_flags(Flags(value.eq(0), m.const(1, 8), m.const(0, 8), result.eq(0), clear, clear))


@insn("F3 0F BC /r", "Gv, Ev", extension="bmi1", undefined="of sf af pf")
def tzcnt(m: X86Emitter, target: Register, source: Operand) -> None:
    """TZCNT: count trailing zeros. SDM volume 2D, TZCNT."""
    _count(m, target, source, "ctz")


@insn("F3 0F BD /r", "Gv, Ev", extension="lzcnt", undefined="of sf af pf")
def lzcnt(m: X86Emitter, target: Register, source: Operand) -> None:
    """LZCNT: count leading zeros. SDM volume 2B, LZCNT."""
    _count(m, target, source, "clz")


@insn("F3 0F B8 /r", "Gv, Ev", extension="popcnt")
def popcnt(m: X86Emitter, target: Register, source: Operand) -> None:
    """POPCNT: count set bits; ZF tells of zero, the other flags are cleared. SDM volume 2B, POPCNT."""
    value = m.get(source)
    clear = m.flag(False)
    m.put(target, value.unary("popcnt"))
    m.put_flags(Flags(clear, m.const(1, 8), m.const(0, 8), value.eq(0), clear, clear))


def _setcc(m: X86Emitter, code: int, target: Operand) -> None:
    """SETcc: a byte that tells whether a condition is met. SDM volume 2B, SETcc."""
    m.put(target, m.condition(code).zext(8))


for _code, _name in enumerate(CONDITIONS):
    insn(f"0F {0x90 + _code:02X} /r", "Eb", name=f"set{_name}", static=(_code,))(_setcc)
