"""C, compressed instructions. Manual volume I (20191213), chapter 16; encodings from tables 16.5 to 16.7, for RV64.

Most are another encoding of a base instruction and share its meaning. Those whose expansion names x0 have their own.
Fields whose name ends in ' have three bits and name x8 to x15.
"""

from __future__ import annotations

from metaphrase.translator.pattern_table import Unsigned
from metaphrase.translator.riscv import d, i
from metaphrase.translator.riscv.emitter import Imm, RiscvEmitter, Target, X
from metaphrase.translator.riscv.table import Chapter

CHAPTER = Chapter("C")
insn, same = CHAPTER.insn, CHAPTER.same

RA, SP = 1, 2
U = Unsigned("uimm")

# --- quadrant 0 (table 16.5) ------------------------------------------------------------------------------------------
same("000 uimm[5:4|9:6|2|3]:8 rd':3 00 uimm!=0", i.addi, "c.addi4spn {rd}, {rs1}, {imm}", rd="rd'", rs1=SP, imm=U)
same("001 uimm[5:3]:3 rs1':3 uimm[7:6]:2 rd':3 00", d.fld, "c.fld {rd}, {imm}({rs1})", rd="rd'", rs1="rs1'", imm=U)
same("010 uimm[5:3]:3 rs1':3 uimm[2|6]:2 rd':3 00", i.lw, "c.lw {rd}, {imm}({rs1})", rd="rd'", rs1="rs1'", imm=U)
same("011 uimm[5:3]:3 rs1':3 uimm[7:6]:2 rd':3 00", i.ld, "c.ld {rd}, {imm}({rs1})", rd="rd'", rs1="rs1'", imm=U)
same("101 uimm[5:3]:3 rs1':3 uimm[7:6]:2 rs2':3 00", d.fsd, "c.fsd {rs2}, {imm}({rs1})", rs2="rs2'", rs1="rs1'", imm=U)
same("110 uimm[5:3]:3 rs1':3 uimm[2|6]:2 rs2':3 00", i.sw, "c.sw {rs2}, {imm}({rs1})", rs2="rs2'", rs1="rs1'", imm=U)
same("111 uimm[5:3]:3 rs1':3 uimm[7:6]:2 rs2':3 00", i.sd, "c.sd {rs2}, {imm}({rs1})", rs2="rs2'", rs1="rs1'", imm=U)

# --- quadrant 1 (table 16.6) ------------------------------------------------------------------------------------------
same("000 imm[5]:1 rd:5 imm[4:0]:5 01", i.addi, "c.addi {rd}, {imm}", rs1="rd")


@insn("000 0 00000 00000 01", asm="c.nop")
def c_nop(m: RiscvEmitter) -> None:
    """C.NOP, section 16.5."""


same("001 imm[5]:1 rd:5 imm[4:0]:5 01 rd!=0", i.addiw, "c.addiw {rd}, {imm}", rs1="rd")


@insn("010 imm[5]:1 rd:5 imm[4:0]:5 01", asm="c.li {rd}, {imm}")
def c_li(m: RiscvEmitter, rd: X, imm: Imm) -> None:
    """C.LI, section 16.5."""
    m.put(rd, imm)


same("011 imm[9]:1 00010 imm[4|6|8:7|5]:5 01 imm!=0", i.addi, "c.addi16sp {rd}, {imm}", rd=SP, rs1=SP)
same("011 imm[17]:1 rd:5 imm[16:12]:5 01 rd!=2 imm!=0", i.lui, "c.lui {rd}, {imm:upper}")
same("100 uimm[5]:1 00 rd':3 uimm[4:0]:5 01", i.srli, "c.srli {rd}, {imm:x}", rd="rd'", rs1="rd'", imm=U)
same("100 uimm[5]:1 01 rd':3 uimm[4:0]:5 01", i.srai, "c.srai {rd}, {imm:x}", rd="rd'", rs1="rd'", imm=U)
same("100 imm[5]:1 10 rd':3 imm[4:0]:5 01", i.andi, "c.andi {rd}, {imm}", rd="rd'", rs1="rd'")
same("100 0 11 rd':3 00 rs2':3 01", i.sub, "c.sub {rd}, {rs2}", rd="rd'", rs1="rd'", rs2="rs2'")
same("100 0 11 rd':3 01 rs2':3 01", i.xor, "c.xor {rd}, {rs2}", rd="rd'", rs1="rd'", rs2="rs2'")
same("100 0 11 rd':3 10 rs2':3 01", i.or_, "c.or {rd}, {rs2}", rd="rd'", rs1="rd'", rs2="rs2'")
same("100 0 11 rd':3 11 rs2':3 01", i.and_, "c.and {rd}, {rs2}", rd="rd'", rs1="rd'", rs2="rs2'")
same("100 1 11 rd':3 00 rs2':3 01", i.subw, "c.subw {rd}, {rs2}", rd="rd'", rs1="rd'", rs2="rs2'")
same("100 1 11 rd':3 01 rs2':3 01", i.addw, "c.addw {rd}, {rs2}", rd="rd'", rs1="rd'", rs2="rs2'")


@insn("101 imm[11|4|9:8|10|6|7|3:1|5]:11 01", asm="c.j {imm}", ends_block=True)
def c_j(m: RiscvEmitter, imm: Target) -> None:
    """C.J, section 16.4."""
    m.goto(imm, "jump")


def c_beqz(m: RiscvEmitter, rs1: X, imm: Target) -> None:
    """C.BEQZ, section 16.4."""
    m.goto_if(m.get(rs1).eq(0), imm)


def c_bnez(m: RiscvEmitter, rs1: X, imm: Target) -> None:
    """C.BNEZ, section 16.4."""
    m.goto_if(m.get(rs1).ne(0), imm)


same("110 imm[8|4:3]:3 rs1':3 imm[7:6|2:1|5]:5 01", c_beqz, "c.beqz {rs1}, {imm}", ends_block=True, rs1="rs1'")
same("111 imm[8|4:3]:3 rs1':3 imm[7:6|2:1|5]:5 01", c_bnez, "c.bnez {rs1}, {imm}", ends_block=True, rs1="rs1'")

# --- quadrant 2 (table 16.7) ------------------------------------------------------------------------------------------
same("000 uimm[5]:1 rd:5 uimm[4:0]:5 10", i.slli, "c.slli {rd}, {imm:x}", rs1="rd", imm=U)
same("001 uimm[5]:1 rd:5 uimm[4:3|8:6]:5 10", d.fld, "c.fldsp {rd}, {imm}({rs1})", rs1=SP, imm=U)
same("010 uimm[5]:1 rd:5 uimm[4:2|7:6]:5 10 rd!=0", i.lw, "c.lwsp {rd}, {imm}({rs1})", rs1=SP, imm=U)
same("011 uimm[5]:1 rd:5 uimm[4:3|8:6]:5 10 rd!=0", i.ld, "c.ldsp {rd}, {imm}({rs1})", rs1=SP, imm=U)


def _jump(m: RiscvEmitter, rs1: X, kind: str) -> None:
    m.goto(m.get(rs1) & -2, kind)


@insn("100 0 rs1:5 00000 10 rs1!=0,1,5", asm="c.jr {rs1}", ends_block=True)
def c_jr(m: RiscvEmitter, rs1: X) -> None:
    """C.JR, section 16.4."""
    _jump(m, rs1, "jump")


@insn("100 0 rs1:5 00000 10 rs1=1", asm="c.jr {rs1}", ends_block=True)
@insn("100 0 rs1:5 00000 10 rs1=5", asm="c.jr {rs1}", ends_block=True)
def c_jr_return(m: RiscvEmitter, rs1: X) -> None:
    """C.JR from a link register, section 16.4: pop."""
    _jump(m, rs1, "return")


@insn("100 0 rd:5 rs2:5 10 rs2!=0", asm="c.mv {rd}, {rs2}")
def c_mv(m: RiscvEmitter, rd: X, rs2: X) -> None:
    """C.MV, section 16.5."""
    m.put(rd, m.get(rs2))


same("100 1 00000 00000 10", i.ebreak, "c.ebreak", ends_block=True)
same("100 1 rs1:5 00000 10 rs1!=0", i.jalr_call, "c.jalr {rs1}", ends_block=True, rd=RA, imm=0)
same("100 1 rd:5 rs2:5 10 rs2!=0", i.add, "c.add {rd}, {rs2}", rs1="rd")
same("101 uimm[5:3|8:6]:6 rs2:5 10", d.fsd, "c.fsdsp {rs2}, {imm}({rs1})", rs1=SP, imm=U)
same("110 uimm[5:2|7:6]:6 rs2:5 10", i.sw, "c.swsp {rs2}, {imm}({rs1})", rs1=SP, imm=U)
same("111 uimm[5:3|8:6]:6 rs2:5 10", i.sd, "c.sdsp {rs2}, {imm}({rs1})", rs1=SP, imm=U)
