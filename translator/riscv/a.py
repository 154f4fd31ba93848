"""A, atomic instructions. Manual volume I (20191213), chapter 8.

Every access is sequentially consistent, whatever aq and rl ask for. An address that is not a multiple of the size
traps ("alignment"), as an execution environment without Zam does.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I32, I64, Type
from metaphrase.translator.emitter import Offset
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.emitter import RiscvEmitter, X
from metaphrase.translator.riscv.table import Chapter, Semantics

CHAPTER = Chapter("A")
insn = CHAPTER.insn


# --- 8.2 Load-reserved and store-conditional --------------------------------------------------------------------------
def _load_reserved(m: RiscvEmitter, rd: Offset, rs1: Offset, type: Type) -> None:
    address = m.align(m.get(rs1), type.bytes)
    value = m.load(address, type).sext(64)
    m.put_state(s.RESERVATION, address)
    m.put_state(s.RESERVED_VALUE, value)
    m.put(rd, value)


def _store_conditional(m: RiscvEmitter, rd: Offset, rs1: Offset, rs2: Offset, type: Type) -> None:
    """Stores if the address is the reserved one and memory still holds what was loaded."""
    address, new = m.align(m.get(rs1), type.bytes), m.get(rs2).trunc(type.bits)
    failed = m.local(I64)
    failed.set(1)
    with m.if_(m.get_state(s.RESERVATION, I64).eq(address)):
        expected = m.get_state(s.RESERVED_VALUE, I64)
        old = m.compare_exchange(address, expected.trunc(type.bits), new)
        failed.set(old.sext(64).ne(expected).zext(64))
    m.put_state(s.RESERVATION, m.const(s.NO_RESERVATION, 64))
    m.put(rd, failed.get())


@insn("00010 aq:1 rl:1 00000 rs1:5 010 rd:5 0101111", asm="lr.w{aq:order} {rd}, ({rs1})")
def lr_w(m: RiscvEmitter, rd: X, rs1: X) -> None:
    """LR.W, section 8.2."""
    _load_reserved(m, rd, rs1, I32)


@insn("00010 aq:1 rl:1 00000 rs1:5 011 rd:5 0101111", asm="lr.d{aq:order} {rd}, ({rs1})")
def lr_d(m: RiscvEmitter, rd: X, rs1: X) -> None:
    """LR.D, section 8.2."""
    _load_reserved(m, rd, rs1, I64)


@insn("00011 aq:1 rl:1 rs2:5 rs1:5 010 rd:5 0101111", asm="sc.w{aq:order} {rd}, {rs2}, ({rs1})")
def sc_w(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SC.W, section 8.2."""
    _store_conditional(m, rd, rs1, rs2, I32)


@insn("00011 aq:1 rl:1 rs2:5 rs1:5 011 rd:5 0101111", asm="sc.d{aq:order} {rd}, {rs2}, ({rs1})")
def sc_d(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SC.D, section 8.2."""
    _store_conditional(m, rd, rs1, rs2, I64)


# --- 8.4 Atomic memory operations -------------------------------------------------------------------------------------
def _atomic(m: RiscvEmitter, operation: str, address: Value, operand: Value) -> Value:
    """An atomic read-modify-write at an aligned address; the old value, sign-extended."""
    return m.atomic(operation, m.align(address, operand.type.bytes), operand).sext(64)


def _amo(funct5: str, name: str, operation: str) -> None:
    """Describe the word and the doubleword form of an operation."""

    def word(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
        m.put(rd, _atomic(m, operation, m.get(rs1), m.get_word(rs2)))

    def double(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
        m.put(rd, _atomic(m, operation, m.get(rs1), m.get(rs2)))

    forms: tuple[tuple[str, str, Semantics], ...] = (("010", "w", word), ("011", "d", double))
    for funct3, suffix, semantics in forms:
        semantics.__doc__ = f"{name.upper()}.{suffix.upper()}, section 8.4."
        pattern = f"{funct5} aq:1 rl:1 rs2:5 rs1:5 {funct3} rd:5 0101111"
        insn(pattern, asm=f"{name}.{suffix}{{aq:order}} {{rd}}, {{rs2}}, ({{rs1}})")(semantics)


_amo("00001", "amoswap", "xchg")
_amo("00000", "amoadd", "add")
_amo("00100", "amoxor", "xor")
_amo("01100", "amoand", "and")
_amo("01000", "amoor", "or")
_amo("10000", "amomin", "smin")
_amo("10100", "amomax", "smax")
_amo("11000", "amominu", "umin")
_amo("11100", "amomaxu", "umax")
