"""F16C: between singles and half precision (SDM volume 1, 14.4)."""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F16, F32, vector
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import chosen, lanes


@insn("VEX.128.66.0F38.W0 13 /r", "Vx, Wq", name="vcvtph2ps", extension="f16c")
@insn("VEX.256.66.0F38.W0 13 /r", "Vx, Wo", name="vcvtph2ps", extension="f16c")
def singles_from_halves(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """VCVTPH2PS: half precision to singles, exactly. SDM volume 2C, VCVTPH2PS."""
    singles = vector(F32, target.width // 32)
    halves = m.get(source, vector(F16.as_int, singles.lanes)).bitcast(vector(F16, singles.lanes))
    m.put(target, m.effect("fconvert", singles, halves))


@insn("VEX.128.66.0F3A.W0 1D /r ib", "Wq, Vx, Ib", name="vcvtps2ph", extension="f16c")
@insn("VEX.256.66.0F3A.W0 1D /r ib", "Wo, Vx, Ib", name="vcvtps2ph", extension="f16c")
def halves_from_singles(m: X86Emitter, target: Register | Memory, source: Register, how: Value) -> None:
    """VCVTPS2PH: singles to half precision, rounded as the immediate says or MXCSR. SDM volume 2C, VCVTPS2PH."""
    singles = m.get(source, vector(F32, source.width // 32))
    halves = vector(F16, singles.type.lanes)
    if isinstance(target, Memory):  # before MXCSR tells of what is not stored
        m.check_store(target)

    def by(number: int) -> Value:
        return m.effect("fconvert_by", halves, singles, imm=4 if number & 4 else number)

    m.put(target, chosen(m, halves, how, 8, by).bitcast(lanes(target, 16)))
