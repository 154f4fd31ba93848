"""D, double-precision floating point. Manual volume I (20191213), chapter 12.

Rounding modes 5 and 6 are reserved, so those words are no instructions.
"""

from __future__ import annotations

from metaphrase.ir.types import F32, F64, I64
from metaphrase.translator.riscv import floating
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.emitter import F, Imm, RiscvEmitter, Static, X
from metaphrase.translator.riscv.table import Chapter

CHAPTER = Chapter("D")
insn = CHAPTER.insn


# --- 12.3 Loads and stores --------------------------------------------------------------------------------------------
@insn("imm[11:0]:12 rs1:5 011 rd:5 0000111", asm="fld {rd}, {imm}({rs1})")
def fld(m: RiscvEmitter, rd: F, rs1: X, imm: Imm) -> None:
    """FLD, section 12.3."""
    m.put(rd, m.load(m.address(rs1, imm), I64))


@insn("imm[11:5]:7 rs2:5 rs1:5 011 imm[4:0]:5 0100111", asm="fsd {rs2}, {imm}({rs1})")
def fsd(m: RiscvEmitter, rs1: X, rs2: F, imm: Imm) -> None:
    """FSD, section 12.3."""
    m.store(m.address(rs1, imm), m.get(rs2))


# --- 12.4 Computation -------------------------------------------------------------------------------------------------
@insn("rs3:5 01 rs2:5 rs1:5 rm:3 rd:5 1000011 rm!=5,6", asm="fmadd.d {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fmadd_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FMADD.D, section 12.4: rs1 * rs2 + rs3."""
    floating.fused(m, F64, rm, rd, rs1, rs2, rs3)


@insn("rs3:5 01 rs2:5 rs1:5 rm:3 rd:5 1000111 rm!=5,6", asm="fmsub.d {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fmsub_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FMSUB.D, section 12.4: rs1 * rs2 - rs3."""
    floating.fused(m, F64, rm, rd, rs1, rs2, rs3, negate_addend=True)


@insn("rs3:5 01 rs2:5 rs1:5 rm:3 rd:5 1001011 rm!=5,6", asm="fnmsub.d {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fnmsub_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FNMSUB.D, section 12.4: -(rs1 * rs2) + rs3."""
    floating.fused(m, F64, rm, rd, rs1, rs2, rs3, negate_product=True)


@insn("rs3:5 01 rs2:5 rs1:5 rm:3 rd:5 1001111 rm!=5,6", asm="fnmadd.d {rd}, {rs1}, {rs2}, {rs3}{rm:mode}")
def fnmadd_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rs3: F, rm: Static) -> None:
    """FNMADD.D, section 12.4: -(rs1 * rs2) - rs3."""
    floating.fused(m, F64, rm, rd, rs1, rs2, rs3, negate_product=True, negate_addend=True)


@insn("0000001 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fadd.d {rd}, {rs1}, {rs2}{rm:mode}")
def fadd_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FADD.D, section 12.4."""
    floating.arithmetic(m, "fadd", F64, rm, rd, rs1, rs2)


@insn("0000101 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fsub.d {rd}, {rs1}, {rs2}{rm:mode}")
def fsub_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FSUB.D, section 12.4."""
    floating.arithmetic(m, "fsub", F64, rm, rd, rs1, rs2)


@insn("0001001 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fmul.d {rd}, {rs1}, {rs2}{rm:mode}")
def fmul_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FMUL.D, section 12.4."""
    floating.arithmetic(m, "fmul", F64, rm, rd, rs1, rs2)


@insn("0001101 rs2:5 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fdiv.d {rd}, {rs1}, {rs2}{rm:mode}")
def fdiv_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F, rm: Static) -> None:
    """FDIV.D, section 12.4."""
    floating.arithmetic(m, "fdiv", F64, rm, rd, rs1, rs2)


@insn("0101101 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fsqrt.d {rd}, {rs1}{rm:mode}")
def fsqrt_d(m: RiscvEmitter, rd: F, rs1: F, rm: Static) -> None:
    """FSQRT.D, section 12.4."""
    floating.arithmetic(m, "fsqrt", F64, rm, rd, rs1)


@insn("0010101 rs2:5 rs1:5 000 rd:5 1010011", asm="fmin.d {rd}, {rs1}, {rs2}")
def fmin_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FMIN.D, section 12.4."""
    floating.choose(m, F64, rd, rs1, rs2, greater=False)


@insn("0010101 rs2:5 rs1:5 001 rd:5 1010011", asm="fmax.d {rd}, {rs1}, {rs2}")
def fmax_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FMAX.D, section 12.4."""
    floating.choose(m, F64, rd, rs1, rs2, greater=True)


# --- 12.5 Conversion and moves ----------------------------------------------------------------------------------------
@insn("1100001 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.w.d {rd}, {rs1}{rm:mode}")
def fcvt_w_d(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.W.D, section 12.5."""
    floating.to_integer(m, F64, 32, True, rm, rd, rs1)


@insn("1100001 00001 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.wu.d {rd}, {rs1}{rm:mode}")
def fcvt_wu_d(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.WU.D, section 12.5."""
    floating.to_integer(m, F64, 32, False, rm, rd, rs1)


@insn("1100001 00010 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.l.d {rd}, {rs1}{rm:mode}")
def fcvt_l_d(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.L.D, section 12.5."""
    floating.to_integer(m, F64, 64, True, rm, rd, rs1)


@insn("1100001 00011 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.lu.d {rd}, {rs1}{rm:mode}")
def fcvt_lu_d(m: RiscvEmitter, rd: X, rs1: F, rm: Static) -> None:
    """FCVT.LU.D, section 12.5."""
    floating.to_integer(m, F64, 64, False, rm, rd, rs1)


@insn("1101001 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.d.w {rd}, {rs1}{rm:mode}")
def fcvt_d_w(m: RiscvEmitter, rd: F, rs1: X) -> None:
    """FCVT.D.W, section 12.5: exact, so the mode does not matter."""
    floating.from_integer(m, F64, 32, True, s.DYNAMIC, rd, rs1)


@insn("1101001 00001 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.d.wu {rd}, {rs1}{rm:mode}")
def fcvt_d_wu(m: RiscvEmitter, rd: F, rs1: X) -> None:
    """FCVT.D.WU, section 12.5: exact, so the mode does not matter."""
    floating.from_integer(m, F64, 32, False, s.DYNAMIC, rd, rs1)


@insn("1101001 00010 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.d.l {rd}, {rs1}{rm:mode}")
def fcvt_d_l(m: RiscvEmitter, rd: F, rs1: X, rm: Static) -> None:
    """FCVT.D.L, section 12.5."""
    floating.from_integer(m, F64, 64, True, rm, rd, rs1)


@insn("1101001 00011 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.d.lu {rd}, {rs1}{rm:mode}")
def fcvt_d_lu(m: RiscvEmitter, rd: F, rs1: X, rm: Static) -> None:
    """FCVT.D.LU, section 12.5."""
    floating.from_integer(m, F64, 64, False, rm, rd, rs1)


@insn("0100000 00001 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.s.d {rd}, {rs1}{rm:mode}")
def fcvt_s_d(m: RiscvEmitter, rd: F, rs1: F, rm: Static) -> None:
    """FCVT.S.D, section 12.5."""
    floating.convert(m, F64, F32, rm, rd, rs1)


@insn("0100001 00000 rs1:5 rm:3 rd:5 1010011 rm!=5,6", asm="fcvt.d.s {rd}, {rs1}{rm:mode}")
def fcvt_d_s(m: RiscvEmitter, rd: F, rs1: F) -> None:
    """FCVT.D.S, section 12.5: exact, so the mode does not matter."""
    floating.convert(m, F32, F64, s.DYNAMIC, rd, rs1)


@insn("0010001 rs2:5 rs1:5 000 rd:5 1010011", asm="fsgnj.d {rd}, {rs1}, {rs2}")
def fsgnj_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FSGNJ.D, section 12.5."""
    floating.inject_sign(m, F64, rd, rs1, rs2, "copy")


@insn("0010001 rs2:5 rs1:5 001 rd:5 1010011", asm="fsgnjn.d {rd}, {rs1}, {rs2}")
def fsgnjn_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FSGNJN.D, section 12.5."""
    floating.inject_sign(m, F64, rd, rs1, rs2, "negate")


@insn("0010001 rs2:5 rs1:5 010 rd:5 1010011", asm="fsgnjx.d {rd}, {rs1}, {rs2}")
def fsgnjx_d(m: RiscvEmitter, rd: F, rs1: F, rs2: F) -> None:
    """FSGNJX.D, section 12.5."""
    floating.inject_sign(m, F64, rd, rs1, rs2, "xor")


@insn("1110001 00000 rs1:5 000 rd:5 1010011", asm="fmv.x.d {rd}, {rs1}")
def fmv_x_d(m: RiscvEmitter, rd: X, rs1: F) -> None:
    """FMV.X.D, section 12.5."""
    m.put(rd, m.get(rs1))


@insn("1111001 00000 rs1:5 000 rd:5 1010011", asm="fmv.d.x {rd}, {rs1}")
def fmv_d_x(m: RiscvEmitter, rd: F, rs1: X) -> None:
    """FMV.D.X, section 12.5."""
    m.put(rd, m.get(rs1))


# --- 12.6 Comparison --------------------------------------------------------------------------------------------------
@insn("1010001 rs2:5 rs1:5 010 rd:5 1010011", asm="feq.d {rd}, {rs1}, {rs2}")
def feq_d(m: RiscvEmitter, rd: X, rs1: F, rs2: F) -> None:
    """FEQ.D, section 12.6."""
    floating.compare(m, "feq", F64, rd, rs1, rs2)


@insn("1010001 rs2:5 rs1:5 001 rd:5 1010011", asm="flt.d {rd}, {rs1}, {rs2}")
def flt_d(m: RiscvEmitter, rd: X, rs1: F, rs2: F) -> None:
    """FLT.D, section 12.6."""
    floating.compare(m, "flt", F64, rd, rs1, rs2)


@insn("1010001 rs2:5 rs1:5 000 rd:5 1010011", asm="fle.d {rd}, {rs1}, {rs2}")
def fle_d(m: RiscvEmitter, rd: X, rs1: F, rs2: F) -> None:
    """FLE.D, section 12.6."""
    floating.compare(m, "fle", F64, rd, rs1, rs2)


# --- 12.7 Classification ----------------------------------------------------------------------------------------------
@insn("1110001 00000 rs1:5 001 rd:5 1010011", asm="fclass.d {rd}, {rs1}")
def fclass_d(m: RiscvEmitter, rd: X, rs1: F) -> None:
    """FCLASS.D, section 12.7."""
    floating.classify(m, F64, rd, rs1)
