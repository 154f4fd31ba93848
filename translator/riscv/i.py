"""RV32I and RV64I, the base integer instructions.

The RISC-V Instruction Set Manual, Volume I (20191213), chapters 2 and 5; Zifencei is chapter 3.
"""

from __future__ import annotations

from metaphrase.ir.types import I8, I16, I32, I64, VOID
from metaphrase.translator.riscv.emitter import Imm, Relative, RiscvEmitter, Target, UImm, X
from metaphrase.translator.riscv.table import Chapter

CHAPTER = Chapter("I")
insn = CHAPTER.insn


# --- 2.4.1 Integer register-immediate instructions --------------------------------------------------------------------
@insn("imm[11:0]:12 rs1:5 000 rd:5 0010011", asm="addi {rd}, {rs1}, {imm}")
def addi(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """ADDI, section 2.4.1."""
    m.put(rd, m.get(rs1) + imm)


@insn("imm[11:0]:12 rs1:5 010 rd:5 0010011", asm="slti {rd}, {rs1}, {imm}")
def slti(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """SLTI, section 2.4.1."""
    m.put_bool(rd, m.get(rs1).slt(imm))


@insn("imm[11:0]:12 rs1:5 011 rd:5 0010011", asm="sltiu {rd}, {rs1}, {imm}")
def sltiu(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """SLTIU, section 2.4.1: the immediate is sign-extended, then compared as unsigned."""
    m.put_bool(rd, m.get(rs1).ult(imm))


@insn("imm[11:0]:12 rs1:5 100 rd:5 0010011", asm="xori {rd}, {rs1}, {imm}")
def xori(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """XORI, section 2.4.1."""
    m.put(rd, m.get(rs1) ^ imm)


@insn("imm[11:0]:12 rs1:5 110 rd:5 0010011", asm="ori {rd}, {rs1}, {imm}")
def ori(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """ORI, section 2.4.1."""
    m.put(rd, m.get(rs1) | imm)


@insn("imm[11:0]:12 rs1:5 111 rd:5 0010011", asm="andi {rd}, {rs1}, {imm}")
def andi(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """ANDI, section 2.4.1."""
    m.put(rd, m.get(rs1) & imm)


@insn("000000 imm[5:0]:6 rs1:5 001 rd:5 0010011", asm="slli {rd}, {rs1}, {imm:x}")
def slli(m: RiscvEmitter, rd: X, rs1: X, imm: UImm) -> None:
    """SLLI, section 5.2."""
    m.put(rd, m.get(rs1).shl(imm))


@insn("000000 imm[5:0]:6 rs1:5 101 rd:5 0010011", asm="srli {rd}, {rs1}, {imm:x}")
def srli(m: RiscvEmitter, rd: X, rs1: X, imm: UImm) -> None:
    """SRLI, section 5.2."""
    m.put(rd, m.get(rs1).lshr(imm))


@insn("010000 imm[5:0]:6 rs1:5 101 rd:5 0010011", asm="srai {rd}, {rs1}, {imm:x}")
def srai(m: RiscvEmitter, rd: X, rs1: X, imm: UImm) -> None:
    """SRAI, section 5.2."""
    m.put(rd, m.get(rs1).ashr(imm))


@insn("imm[31:12]:20 rd:5 0110111", asm="lui {rd}, {imm:upper}")
def lui(m: RiscvEmitter, rd: X, imm: Imm) -> None:
    """LUI, sections 2.4.1 and 5.2."""
    m.put(rd, imm)


@insn("imm[31:12]:20 rd:5 0010111", asm="auipc {rd}, {imm:upper}")
def auipc(m: RiscvEmitter, rd: X, imm: Relative) -> None:
    """AUIPC, sections 2.4.1 and 5.2."""
    m.put(rd, imm)


@insn("imm[11:0]:12 rs1:5 000 rd:5 0011011", asm="addiw {rd}, {rs1}, {imm}")
def addiw(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """ADDIW, section 5.2."""
    m.put_word(rd, m.get_word(rs1) + imm.trunc(32))


@insn("0000000 imm[4:0]:5 rs1:5 001 rd:5 0011011", asm="slliw {rd}, {rs1}, {imm:x}")
def slliw(m: RiscvEmitter, rd: X, rs1: X, imm: UImm) -> None:
    """SLLIW, section 5.2."""
    m.put_word(rd, m.get_word(rs1).shl(imm.trunc(32)))


@insn("0000000 imm[4:0]:5 rs1:5 101 rd:5 0011011", asm="srliw {rd}, {rs1}, {imm:x}")
def srliw(m: RiscvEmitter, rd: X, rs1: X, imm: UImm) -> None:
    """SRLIW, section 5.2."""
    m.put_word(rd, m.get_word(rs1).lshr(imm.trunc(32)))


@insn("0100000 imm[4:0]:5 rs1:5 101 rd:5 0011011", asm="sraiw {rd}, {rs1}, {imm:x}")
def sraiw(m: RiscvEmitter, rd: X, rs1: X, imm: UImm) -> None:
    """SRAIW, section 5.2."""
    m.put_word(rd, m.get_word(rs1).ashr(imm.trunc(32)))


# --- 2.4.2 Integer register-register operations -----------------------------------------------------------------------
@insn("0000000 rs2:5 rs1:5 000 rd:5 0110011", asm="add {rd}, {rs1}, {rs2}")
def add(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """ADD, section 2.4.2."""
    m.put(rd, m.get(rs1) + m.get(rs2))


@insn("0100000 rs2:5 rs1:5 000 rd:5 0110011", asm="sub {rd}, {rs1}, {rs2}")
def sub(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SUB, section 2.4.2."""
    m.put(rd, m.get(rs1) - m.get(rs2))


@insn("0000000 rs2:5 rs1:5 001 rd:5 0110011", asm="sll {rd}, {rs1}, {rs2}")
def sll(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SLL, section 5.2: the low six bits of rs2 count."""
    m.put(rd, m.get(rs1).shl(m.get(rs2) & 63))


@insn("0000000 rs2:5 rs1:5 010 rd:5 0110011", asm="slt {rd}, {rs1}, {rs2}")
def slt(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SLT, section 2.4.2."""
    m.put_bool(rd, m.get(rs1).slt(m.get(rs2)))


@insn("0000000 rs2:5 rs1:5 011 rd:5 0110011", asm="sltu {rd}, {rs1}, {rs2}")
def sltu(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SLTU, section 2.4.2."""
    m.put_bool(rd, m.get(rs1).ult(m.get(rs2)))


@insn("0000000 rs2:5 rs1:5 100 rd:5 0110011", asm="xor {rd}, {rs1}, {rs2}")
def xor(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """XOR, section 2.4.2."""
    m.put(rd, m.get(rs1) ^ m.get(rs2))


@insn("0000000 rs2:5 rs1:5 101 rd:5 0110011", asm="srl {rd}, {rs1}, {rs2}")
def srl(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SRL, section 5.2."""
    m.put(rd, m.get(rs1).lshr(m.get(rs2) & 63))


@insn("0100000 rs2:5 rs1:5 101 rd:5 0110011", asm="sra {rd}, {rs1}, {rs2}")
def sra(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SRA, section 5.2."""
    m.put(rd, m.get(rs1).ashr(m.get(rs2) & 63))


@insn("0000000 rs2:5 rs1:5 110 rd:5 0110011", asm="or {rd}, {rs1}, {rs2}")
def or_(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """OR, section 2.4.2."""
    m.put(rd, m.get(rs1) | m.get(rs2))


@insn("0000000 rs2:5 rs1:5 111 rd:5 0110011", asm="and {rd}, {rs1}, {rs2}")
def and_(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """AND, section 2.4.2."""
    m.put(rd, m.get(rs1) & m.get(rs2))


@insn("0000000 rs2:5 rs1:5 000 rd:5 0111011", asm="addw {rd}, {rs1}, {rs2}")
def addw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """ADDW, section 5.2."""
    m.put_word(rd, m.get_word(rs1) + m.get_word(rs2))


@insn("0100000 rs2:5 rs1:5 000 rd:5 0111011", asm="subw {rd}, {rs1}, {rs2}")
def subw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SUBW, section 5.2."""
    m.put_word(rd, m.get_word(rs1) - m.get_word(rs2))


@insn("0000000 rs2:5 rs1:5 001 rd:5 0111011", asm="sllw {rd}, {rs1}, {rs2}")
def sllw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SLLW, section 5.2: the low five bits of rs2 count."""
    m.put_word(rd, m.get_word(rs1).shl(m.get_word(rs2) & 31))


@insn("0000000 rs2:5 rs1:5 101 rd:5 0111011", asm="srlw {rd}, {rs1}, {rs2}")
def srlw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SRLW, section 5.2."""
    m.put_word(rd, m.get_word(rs1).lshr(m.get_word(rs2) & 31))


@insn("0100000 rs2:5 rs1:5 101 rd:5 0111011", asm="sraw {rd}, {rs1}, {rs2}")
def sraw(m: RiscvEmitter, rd: X, rs1: X, rs2: X) -> None:
    """SRAW, section 5.2."""
    m.put_word(rd, m.get_word(rs1).ashr(m.get_word(rs2) & 31))


# --- 2.5.1 Unconditional jumps ----------------------------------------------------------------------------------------
# x1 and x5 are link registers; table 2.1 says what a return-address stack does for each choice of them.
@insn("imm[20|10:1|11|19:12]:20 rd:5 1101111 rd!=1,5", asm="jal {rd}, {imm}", ends_block=True)
def jal(m: RiscvEmitter, rd: X, imm: Target) -> None:
    """JAL that does not link, section 2.5.1."""
    m.put(rd, m.next_pc)
    m.goto(imm, "jump")


@insn("imm[20|10:1|11|19:12]:20 rd:5 1101111 rd=1", asm="jal {rd}, {imm}", ends_block=True)
@insn("imm[20|10:1|11|19:12]:20 rd:5 1101111 rd=5", asm="jal {rd}, {imm}", ends_block=True)
def jal_call(m: RiscvEmitter, rd: X, imm: Target) -> None:
    """JAL to a link register, section 2.5.1: push."""
    m.put(rd, m.next_pc)
    m.goto(imm, "call")


def _jump_register(m: RiscvEmitter, rd: X, rs1: X, imm: Imm, kind: str) -> None:
    target = m.address(rs1, imm) & -2  # read before rd, which may be the same register, is written
    m.put(rd, m.next_pc)
    m.goto(target, kind)


@insn("imm[11:0]:12 rs1:5 000 rd:5 1100111 rd!=1,5 rs1!=1,5", asm="jalr {rd}, {imm}({rs1})", ends_block=True)
def jalr(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """JALR without link registers, section 2.5.1."""
    _jump_register(m, rd, rs1, imm, "jump")


@insn("imm[11:0]:12 rs1:5 000 rd:5 1100111 rd!=1,5 rs1=1", asm="jalr {rd}, {imm}({rs1})", ends_block=True)
@insn("imm[11:0]:12 rs1:5 000 rd:5 1100111 rd!=1,5 rs1=5", asm="jalr {rd}, {imm}({rs1})", ends_block=True)
def jalr_return(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """JALR from a link register, section 2.5.1: pop."""
    _jump_register(m, rd, rs1, imm, "return")


@insn("imm[11:0]:12 rs1:5 000 rd:5 1100111 rd=1", asm="jalr {rd}, {imm}({rs1})", ends_block=True)
@insn("imm[11:0]:12 rs1:5 000 rd:5 1100111 rd=5", asm="jalr {rd}, {imm}({rs1})", ends_block=True)
def jalr_call(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """JALR to a link register, section 2.5.1: push."""
    _jump_register(m, rd, rs1, imm, "call")


# --- 2.5.2 Conditional branches ---------------------------------------------------------------------------------------
@insn("imm[12|10:5]:7 rs2:5 rs1:5 000 imm[4:1|11]:5 1100011", asm="beq {rs1}, {rs2}, {imm}", ends_block=True)
def beq(m: RiscvEmitter, rs1: X, rs2: X, imm: Target) -> None:
    """BEQ, section 2.5.2."""
    m.goto_if(m.get(rs1).eq(m.get(rs2)), imm)


@insn("imm[12|10:5]:7 rs2:5 rs1:5 001 imm[4:1|11]:5 1100011", asm="bne {rs1}, {rs2}, {imm}", ends_block=True)
def bne(m: RiscvEmitter, rs1: X, rs2: X, imm: Target) -> None:
    """BNE, section 2.5.2."""
    m.goto_if(m.get(rs1).ne(m.get(rs2)), imm)


@insn("imm[12|10:5]:7 rs2:5 rs1:5 100 imm[4:1|11]:5 1100011", asm="blt {rs1}, {rs2}, {imm}", ends_block=True)
def blt(m: RiscvEmitter, rs1: X, rs2: X, imm: Target) -> None:
    """BLT, section 2.5.2."""
    m.goto_if(m.get(rs1).slt(m.get(rs2)), imm)


@insn("imm[12|10:5]:7 rs2:5 rs1:5 101 imm[4:1|11]:5 1100011", asm="bge {rs1}, {rs2}, {imm}", ends_block=True)
def bge(m: RiscvEmitter, rs1: X, rs2: X, imm: Target) -> None:
    """BGE, section 2.5.2."""
    m.goto_if(m.get(rs2).sle(m.get(rs1)), imm)


@insn("imm[12|10:5]:7 rs2:5 rs1:5 110 imm[4:1|11]:5 1100011", asm="bltu {rs1}, {rs2}, {imm}", ends_block=True)
def bltu(m: RiscvEmitter, rs1: X, rs2: X, imm: Target) -> None:
    """BLTU, section 2.5.2."""
    m.goto_if(m.get(rs1).ult(m.get(rs2)), imm)


@insn("imm[12|10:5]:7 rs2:5 rs1:5 111 imm[4:1|11]:5 1100011", asm="bgeu {rs1}, {rs2}, {imm}", ends_block=True)
def bgeu(m: RiscvEmitter, rs1: X, rs2: X, imm: Target) -> None:
    """BGEU, section 2.5.2."""
    m.goto_if(m.get(rs2).ule(m.get(rs1)), imm)


# --- 2.6 Load and store instructions (LWU, LD and SD: 5.3) ------------------------------------------------------------
@insn("imm[11:0]:12 rs1:5 000 rd:5 0000011", asm="lb {rd}, {imm}({rs1})")
def lb(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LB, section 2.6."""
    m.load_extended(rd, m.address(rs1, imm), I8, signed=True)


@insn("imm[11:0]:12 rs1:5 001 rd:5 0000011", asm="lh {rd}, {imm}({rs1})")
def lh(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LH, section 2.6."""
    m.load_extended(rd, m.address(rs1, imm), I16, signed=True)


@insn("imm[11:0]:12 rs1:5 010 rd:5 0000011", asm="lw {rd}, {imm}({rs1})")
def lw(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LW, sections 2.6 and 5.3."""
    m.load_extended(rd, m.address(rs1, imm), I32, signed=True)


@insn("imm[11:0]:12 rs1:5 011 rd:5 0000011", asm="ld {rd}, {imm}({rs1})")
def ld(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LD, section 5.3."""
    m.put(rd, m.load(m.address(rs1, imm), I64))


@insn("imm[11:0]:12 rs1:5 100 rd:5 0000011", asm="lbu {rd}, {imm}({rs1})")
def lbu(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LBU, section 2.6."""
    m.load_extended(rd, m.address(rs1, imm), I8, signed=False)


@insn("imm[11:0]:12 rs1:5 101 rd:5 0000011", asm="lhu {rd}, {imm}({rs1})")
def lhu(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LHU, section 2.6."""
    m.load_extended(rd, m.address(rs1, imm), I16, signed=False)


@insn("imm[11:0]:12 rs1:5 110 rd:5 0000011", asm="lwu {rd}, {imm}({rs1})")
def lwu(m: RiscvEmitter, rd: X, rs1: X, imm: Imm) -> None:
    """LWU, section 5.3."""
    m.load_extended(rd, m.address(rs1, imm), I32, signed=False)


@insn("imm[11:5]:7 rs2:5 rs1:5 000 imm[4:0]:5 0100011", asm="sb {rs2}, {imm}({rs1})")
def sb(m: RiscvEmitter, rs1: X, rs2: X, imm: Imm) -> None:
    """SB, section 2.6."""
    m.store(m.address(rs1, imm), m.get(rs2).trunc(8))


@insn("imm[11:5]:7 rs2:5 rs1:5 001 imm[4:0]:5 0100011", asm="sh {rs2}, {imm}({rs1})")
def sh(m: RiscvEmitter, rs1: X, rs2: X, imm: Imm) -> None:
    """SH, section 2.6."""
    m.store(m.address(rs1, imm), m.get(rs2).trunc(16))


@insn("imm[11:5]:7 rs2:5 rs1:5 010 imm[4:0]:5 0100011", asm="sw {rs2}, {imm}({rs1})")
def sw(m: RiscvEmitter, rs1: X, rs2: X, imm: Imm) -> None:
    """SW, section 2.6."""
    m.store(m.address(rs1, imm), m.get_word(rs2))


@insn("imm[11:5]:7 rs2:5 rs1:5 011 imm[4:0]:5 0100011", asm="sd {rs2}, {imm}({rs1})")
def sd(m: RiscvEmitter, rs1: X, rs2: X, imm: Imm) -> None:
    """SD, section 5.3."""
    m.store(m.address(rs1, imm), m.get(rs2))


# --- 2.7 Memory ordering ----------------------------------------------------------------------------------------------
@insn("fm:4 pred:4 succ:4 rs1:5 000 rd:5 0001111", asm="fence {pred:fence}, {succ:fence}")
def fence(m: RiscvEmitter) -> None:
    """FENCE, section 2.7. Every set of accesses is ordered as the full one is; reserved fields are ignored."""
    m.effect("fence", VOID)


@insn("0000 0001 0000 00000 000 00000 0001111", asm="pause")
def pause(m: RiscvEmitter) -> None:
    """PAUSE (Zihintpause), a fence that orders nothing."""


@insn("imm:12 rs1:5 001 rd:5 0001111", asm="fence.i", ends_block=True)
def fence_i(m: RiscvEmitter) -> None:
    """FENCE.I, chapter 3: what was stored is fetched from here on. Reserved fields are ignored."""
    m.leave("flush_code", m.next_pc)


# --- 2.8 Environment call and breakpoints -----------------------------------------------------------------------------
@insn("000000000000 00000 000 00000 1110011", asm="ecall", ends_block=True)
def ecall(m: RiscvEmitter) -> None:
    """ECALL, section 2.8."""
    m.leave("syscall", m.next_pc)


@insn("000000000001 00000 000 00000 1110011", asm="ebreak", ends_block=True)
def ebreak(m: RiscvEmitter) -> None:
    """EBREAK, section 2.8."""
    m.trap("breakpoint")
