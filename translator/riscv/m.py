"""M, integer multiplication and division. Manual volume I (20191213), chapter 7.

The IR's divisions are defined as the manual's: by zero, all ones and the dividend; on overflow, the dividend and zero.
"""

from __future__ import annotations

from metaphrase.translator.riscv.emitter import RiscvEmitter, X
from metaphrase.translator.riscv.table import Chapter

CHAPTER = Chapter("M")
insn = CHAPTER.insn


@insn("0000001 rs2:5 rs1:5 000 rd:5 0110011", asm="mul {rd}, {rs1}, {rs2}")
def mul(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """MUL, section 7.1."""
    m.put(rd, m.get(rs1) * m.get(rs2))


@insn("0000001 rs2:5 rs1:5 001 rd:5 0110011", asm="mulh {rd}, {rs1}, {rs2}")
def mulh(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """MULH, section 7.1: the high half of signed by signed."""
    product = m.get(rs1).sext(128) * m.get(rs2).sext(128)
    m.put(rd, product.lshr(64).trunc(64))


@insn("0000001 rs2:5 rs1:5 010 rd:5 0110011", asm="mulhsu {rd}, {rs1}, {rs2}")
def mulhsu(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """MULHSU, section 7.1: the high half of signed rs1 by unsigned rs2."""
    product = m.get(rs1).sext(128) * m.get(rs2).zext(128)
    m.put(rd, product.lshr(64).trunc(64))


@insn("0000001 rs2:5 rs1:5 011 rd:5 0110011", asm="mulhu {rd}, {rs1}, {rs2}")
def mulhu(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """MULHU, section 7.1: the high half of unsigned by unsigned."""
    product = m.get(rs1).zext(128) * m.get(rs2).zext(128)
    m.put(rd, product.lshr(64).trunc(64))


@insn("0000001 rs2:5 rs1:5 000 rd:5 0111011", asm="mulw {rd}, {rs1}, {rs2}")
def mulw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """MULW, section 7.1."""
    m.put_word(rd, m.get_word(rs1) * m.get_word(rs2))


@insn("0000001 rs2:5 rs1:5 100 rd:5 0110011", asm="div {rd}, {rs1}, {rs2}")
def div(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """DIV, section 7.2."""
    m.put(rd, m.get(rs1).sdiv(m.get(rs2)))


@insn("0000001 rs2:5 rs1:5 101 rd:5 0110011", asm="divu {rd}, {rs1}, {rs2}")
def divu(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """DIVU, section 7.2."""
    m.put(rd, m.get(rs1).udiv(m.get(rs2)))


@insn("0000001 rs2:5 rs1:5 110 rd:5 0110011", asm="rem {rd}, {rs1}, {rs2}")
def rem(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """REM, section 7.2."""
    m.put(rd, m.get(rs1).srem(m.get(rs2)))


@insn("0000001 rs2:5 rs1:5 111 rd:5 0110011", asm="remu {rd}, {rs1}, {rs2}")
def remu(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """REMU, section 7.2."""
    m.put(rd, m.get(rs1).urem(m.get(rs2)))


@insn("0000001 rs2:5 rs1:5 100 rd:5 0111011", asm="divw {rd}, {rs1}, {rs2}")
def divw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """DIVW, section 7.2."""
    m.put_word(rd, m.get_word(rs1).sdiv(m.get_word(rs2)))


@insn("0000001 rs2:5 rs1:5 101 rd:5 0111011", asm="divuw {rd}, {rs1}, {rs2}")
def divuw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """DIVUW, section 7.2: the unsigned quotient, sign-extended."""
    m.put_word(rd, m.get_word(rs1).udiv(m.get_word(rs2)))


@insn("0000001 rs2:5 rs1:5 110 rd:5 0111011", asm="remw {rd}, {rs1}, {rs2}")
def remw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """REMW, section 7.2."""
    m.put_word(rd, m.get_word(rs1).srem(m.get_word(rs2)))


@insn("0000001 rs2:5 rs1:5 111 rd:5 0111011", asm="remuw {rd}, {rs1}, {rs2}")
def remuw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """REMUW, section 7.2: the unsigned remainder, sign-extended."""
    m.put_word(rd, m.get_word(rs1).urem(m.get_word(rs2)))
