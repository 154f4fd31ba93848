"""F, single-precision floating point. Manual volume I (20191213), chapter 11.

Rounding modes 5 and 6 are reserved, so those words are no instructions.
"""

from __future__ import annotations

from metaphrase.ir.types import F32, I32
from metaphrase.translator.riscv import floating
from metaphrase.translator.riscv.emitter import F, Imm, RiscvEmitter, Static, X
from metaphrase.translator.riscv.table import Chapter

CHAPTER = Chapter("F")
insn = CHAPTER.insn


# --- 11.5 Loads and stores --------------------------------------------------------------------------------------------
@insn("imm[11:0]:12 rs1:5 010 rd:5 0000111", asm="flw {rd}, {imm}({rs1})")
def flw(m: RiscvEmitter, rd: F, rs1: X, imm: Imm) -> None:
    """FLW, section 11.5."""
    floating.write_bits(m, rd, m.load(m.address(rs1, imm), I32))


@insn("imm[11:5]:7 rs2:5 rs1:5 010 imm[4:0]:5 0100111", asm="fsw {rs2}, {imm}({rs1})")
def fsw(m: RiscvEmitter, rs1: X, rs2: F, imm: Imm) -> None:
    """FSW, section 11.5: the low half of the register, boxed or not."""
    m.store(m.address(rs1, imm), m.get_word(rs2))


# --- 11.6 Computation -------------------------------------------------------------------------------------------------
@insn("rs3:5 00 rs2:5 rs1:5 rm:3 rd:5 1000011 rm!=5,6", asm="fmadd.s {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fmadd_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FMADD.S, section 11.6: rs1 * rs2 + rs3."""
    floating.fused(m, F32, rm, rd, rs1, rs2, rs3)


@insn("rs3:5 00 rs2:5 rs1:5 rm:3 rd:5 1000111 rm!=5,6", asm="fmsub.s {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fmsub_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FMSUB.S, section 11.6: rs1 * rs2 - rs3."""
    floating.fused(m, F32, rm, rd, rs1, rs2, rs3, negate_addend=True)


@insn("rs3:5 00 rs2:5 rs1:5 rm:3 rd:5 1001011 rm!=5,6", asm="fnmsub.s {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fnmsub_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FNMSUB.S, section 11.6: -(rs1 * rs2) + rs3."""
    floating.fused(m, F32, rm, rd, rs1, rs2, rs3, negate_product=True)


@insn("rs3:5 00 rs2:5 rs1:5 rm:3 rd:5 1001111 rm!=5,6", asm="fnmadd.s {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fnmadd_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FNMADD.S, section 11.6: -(rs1 * rs2) - rs3."""
    floating.fused(m, F32, rm, rd, rs1, rs2, rs3, negate_product=True, negate_addend=True)


@insn("0000000 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fadd.s {rd}, {rs1}, {rs2}{rm:mode}")
def fadd_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FADD.S, section 11.6."""
    floating.arithmetic(m, "fadd", F32, rm, rd, rs1, rs2)


@insn("0000100 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fsub.s {rd}, {rs1}, {rs2}{rm:mode}")
def fsub_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FSUB.S, section 11.6."""
    floating.arithmetic(m, "fsub", F32, rm, rd, rs1, rs2)


@insn("0001000 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fmul.s {rd}, {rs1}, {rs2}{rm:mode}")
def fmul_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FMUL.S, section 11.6."""
    floating.arithmetic(m, "fmul", F32, rm, rd, rs1, rs2)


@insn("0001100 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fdiv.s {rd}, {rs1}, {rs2}{rm:mode}")
def fdiv_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FDIV.S, section 11.6."""
    floating.arithmetic(m, "fdiv", F32, rm, rd, rs1, rs2)


@insn("0101100 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fsqrt.s {rd}, {rs1}{rm:mode}")
def fsqrt_s(m: RiscvEmitter, rd: F, rs1: F, rm: Static) -> None:
    """FSQRT.S, section 11.6."""
    floating.arithmetic(m, "fsqrt", F32, rm, rd, rs1)


@insn("0010100 rs2:5 rs1:5 000 rd:5 1010011", asm="fmin.s {rd}, {rs1}, {rs2}")
def fmin_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FMIN.S, section 11.6."""
    floating.choose(m, F32, rd, rs1, rs2, greater=False)


@insn("0010100 rs2:5 rs1:5 001 rd:5 1010011", asm="fmax.s {rd}, {rs1}, {rs2}")
def fmax_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FMAX.S, section 11.6."""
    floating.choose(m, F32, rd, rs1, rs2, greater=True)


# --- 11.7 Conversion and moves ----------------------------------------------------------------------------------------
@insn("1100000 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.w.s {rd}, {rs1}{rm:mode}")
def fcvt_w_s(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.W.S, section 11.7."""
    floating.to_integer(m, F32, 32, True, rm, rd, rs1)


@insn("1100000 00001 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.wu.s {rd}, {rs1}{rm:mode}")
def fcvt_wu_s(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.WU.S, section 11.7."""
    floating.to_integer(m, F32, 32, False, rm, rd, rs1)


@insn("1100000 00010 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.l.s {rd}, {rs1}{rm:mode}")
def fcvt_l_s(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.L.S, section 11.7."""
    floating.to_integer(m, F32, 64, True, rm, rd, rs1)


@insn("1100000 00011 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.lu.s {rd}, {rs1}{rm:mode}")
def fcvt_lu_s(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.LU.S, section 11.7."""
    floating.to_integer(m, F32, 64, False, rm, rd, rs1)


@insn("1101000 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.s.w {rd}, {rs1}{rm:mode}")
def fcvt_s_w(m: RiscvEmitter, rd: F, rs1: X, rm: Static) -> None:
    """FCVT.S.W, section 11.7."""
    floating.from_integer(m, F32, 32, True, rm, rd, rs1)


@insn("1101000 00001 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.s.wu {rd}, {rs1}{rm:mode}")
def fcvt_s_wu(m: RiscvEmitter, rd: F, rs1: X, rm: Static) -> None:
    """FCVT.S.WU, section 11.7."""
    floating.from_integer(m, F32, 32, False, rm, rd, rs1)


@insn("1101000 00010 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.s.l {rd}, {rs1}{rm:mode}")
def fcvt_s_l(m: RiscvEmitter, rd: F, rs1: X, rm: Static) -> None:
    """FCVT.S.L, section 11.7."""
    floating.from_integer(m, F32, 64, True, rm, rd, rs1)


@insn("1101000 00011 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.s.lu {rd}, {rs1}{rm:mode}")
def fcvt_s_lu(m: RiscvEmitter, rd: F, rs1: X, rm: Static) -> None:
    """FCVT.S.LU, section 11.7."""
    floating.from_integer(m, F32, 64, False, rm, rd, rs1)


@insn("0010000 rs2:5 rs1:5 000 rd:5 1010011", asm="fsgnj.s {rd}, {rs1}, {rs2}")
def fsgnj_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FSGNJ.S, section 11.7."""
    floating.inject_sign(m, F32, rd, rs1, rs2, "copy")


@insn("0010000 rs2:5 rs1:5 001 rd:5 1010011", asm="fsgnjn.s {rd}, {rs1}, {rs2}")
def fsgnjn_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FSGNJN.S, section 11.7."""
    floating.inject_sign(m, F32, rd, rs1, rs2, "negate")


@insn("0010000 rs2:5 rs1:5 010 rd:5 1010011", asm="fsgnjx.s {rd}, {rs1}, {rs2}")
def fsgnjx_s(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FSGNJX.S, section 11.7."""
    floating.inject_sign(m, F32, rd, rs1, rs2, "xor")


@insn("1110000 00000 rs1:5 000 rd:5 1010011", asm="fmv.x.w {rd}, {rs1}")
def fmv_x_w(m: RiscvEmitter, rd: X, rs1: F) -> None:
    """FMV.X.W, section 11.7: the low half of the register, boxed or not, sign-extended."""
    m.put_word(rd, m.get_word(rs1))


@insn("1111000 00000 rs1:5 000 rd:5 1010011", asm="fmv.w.x {rd}, {rs1}")
def fmv_w_x(m: RiscvEmitter, rd: F, rs1: X) -> None:
    """FMV.W.X, section 11.7."""
    floating.write_bits(m, rd, m.get_word(rs1))


# --- 11.8 Comparison --------------------------------------------------------------------------------------------------
@insn("1010000 rs2:5 rs1:5 010 rd:5 1010011", asm="feq.s {rd}, {rs1}, {rs2}")
def feq_s(m: RiscvEmitter, rd: X, rs1: F, rs2: F) -> None:
    """FEQ.S, section 11.8."""
    floating.compare(m, "feq", F32, rd, rs1, rs2)


@insn("1010000 rs2:5 rs1:5 001 rd:5 1010011", asm="flt.s {rd}, {rs1}, {rs2}")
def flt_s(m: RiscvEmitter, rd: X, rs1: F, rs2: F) -> None:
    """FLT.S, section 11.8."""
    floating.compare(m, "flt", F32, rd, rs1, rs2)


@insn("1010000 rs2:5 rs1:5 000 rd:5 1010011", asm="fle.s {rd}, {rs1}, {rs2}")
def fle_s(m: RiscvEmitter, rd: X, rs1: F, rs2: F) -> None:
    """FLE.S, section 11.8."""
    floating.compare(m, "fle", F32, rd, rs1, rs2)


# --- 11.9 Classification ----------------------------------------------------------------------------------------------
@insn("1110000 00000 rs1:5 001 rd:5 1010011", asm="fclass.s {rd}, {rs1}")
def fclass_s(m: RiscvEmitter, rd: X, rs1: F) -> None:
    """FCLASS.S, section 11.9."""
    floating.classify(m, F32, rd, rs1)
