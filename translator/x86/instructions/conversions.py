"""SSE and SSE2 conversions between integers and floats (SDM volume 1, 5.5.1.6 and 5.6.1.6).

A NaN or a value that the integer cannot hold gives the integer indefinite (only the top bit set) and signals invalid.
CVTPI2PS and its kin have an MMX register for the integers.
"""

from __future__ import annotations

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F32, F64, I32, Type, integer, vector
from metaphrase.translator.x86.emitter import Memory, MmxRegister, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import DOUBLES, SINGLES, lanes, put_zero_extended
from metaphrase.translator.x86.vex import FLOAT, LONG, SCALAR, SHORT, vex_forms, widened, with_scalar

LOW_INTEGERS = vector(I32, 2)
LOW_SINGLES = vector(F32, 2)


@insn("F3 0F 2A /r", "Vss, Ey", name="cvtsi2ss", static=(F32,), extension="sse")
@insn("F2 0F 2A /r", "Vsd, Ey", name="cvtsi2sd", static=(F64,), extension="sse2")
def scalar_from_integer(m: X86Emitter, type: Type, target: Register, source: Register | Memory) -> None:
    """CVTSI2SS, CVTSI2SD: signed integer to scalar float, rounded by MXCSR. SDM volume 2A, each."""
    m.put_xmm(target, m.effect("sitof", type, m.get(source)))


def vex_scalar_from_integer(
    m: X86Emitter, type: Type, target: Register, first: Register, source: Register | Memory
) -> None:
    m.put(target, with_scalar(m, first, m.effect("sitof", type, m.get(source))))


vex_forms("cvtsi2ss", SCALAR, "F3", "2A /r", "Vx, Hx, Ey", vex_scalar_from_integer, F32)
vex_forms("cvtsi2sd", SCALAR, "F2", "2A /r", "Vx, Hx, Ey", vex_scalar_from_integer, F64)


@insn("F3 0F 2C /r", "Gy, Wss", name="cvttss2si", static=(F32, "ftosi_trunc"), extension="sse")
@insn("F3 0F 2D /r", "Gy, Wss", name="cvtss2si", static=(F32, "ftosi"), extension="sse")
@insn("F2 0F 2C /r", "Gy, Wsd", name="cvttsd2si", static=(F64, "ftosi_trunc"), extension="sse2")
@insn("F2 0F 2D /r", "Gy, Wsd", name="cvtsd2si", static=(F64, "ftosi"), extension="sse2")
def integer_from_scalar(m: X86Emitter, type: Type, op: str, target: Register, source: Register | Memory) -> None:
    """CVTSS2SI, CVTSD2SI (rounded by MXCSR), CVTTSS2SI, CVTTSD2SI (truncated): to integer. SDM volume 2A, each."""
    m.put(target, m.effect(op, integer(m.size), m.get(source, type)))


for _prefix, _size, _type in (("F3", "ss", F32), ("F2", "sd", F64)):
    vex_forms(f"cvtt{_size}2si", SCALAR, _prefix, "2C /r", f"Gy, W{_size}", integer_from_scalar, _type, "ftosi_trunc")
    vex_forms(f"cvt{_size}2si", SCALAR, _prefix, "2D /r", f"Gy, W{_size}", integer_from_scalar, _type, "ftosi")


@insn("F3 0F 5A /r", "Vsd, Wss", name="cvtss2sd", static=(F32, F64), extension="sse2")
@insn("F2 0F 5A /r", "Vss, Wsd", name="cvtsd2ss", static=(F64, F32), extension="sse2")
def scalar_precision(m: X86Emitter, source_type: Type, type: Type, target: Register, source: Register | Memory) -> None:
    """CVTSS2SD, CVTSD2SS: between scalar single and double. SDM volume 2A, each."""
    m.put_xmm(target, m.effect("fconvert", type, m.get(source, source_type)))


def vex_scalar_precision(
    m: X86Emitter, source_type: Type, type: Type, target: Register, first: Register, source: Register | Memory
) -> None:
    m.put(target, with_scalar(m, first, m.effect("fconvert", type, m.get(source, source_type))))


vex_forms("cvtss2sd", SCALAR, "F3", "5A /r", "Vx, Hx, Wss", vex_scalar_precision, F32, F64)
vex_forms("cvtsd2ss", SCALAR, "F2", "5A /r", "Vx, Hx, Wsd", vex_scalar_precision, F64, F32)


@insn("NP 0F 5B /r", "Vx, Wdq", extension="sse2")
def cvtdq2ps(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTDQ2PS: signed doublewords to singles, rounded by MXCSR. SDM volume 2A, CVTDQ2PS."""
    m.put(target, m.effect("sitof", widened(SINGLES, target.width), m.get(source, lanes(source, 32))))


@insn("66 0F 5B /r", "Vx, Wdq", name="cvtps2dq", static=("ftosi",), extension="sse2")
@insn("F3 0F 5B /r", "Vx, Wdq", name="cvttps2dq", static=("ftosi_trunc",), extension="sse2")
def integers_from_singles(m: X86Emitter, op: str, target: Register, source: Register | Memory) -> None:
    """CVTPS2DQ, CVTTPS2DQ: singles to signed doublewords. SDM volume 2A, each."""
    m.put(target, m.effect(op, lanes(target, 32), m.get(source, widened(SINGLES, source.width))))


vex_forms("cvtdq2ps", FLOAT, "NP", "5B /r", "Vx, Wx", cvtdq2ps)
vex_forms("cvtps2dq", FLOAT, "66", "5B /r", "Vx, Wx", integers_from_singles, "ftosi")
vex_forms("cvttps2dq", FLOAT, "F3", "5B /r", "Vx, Wx", integers_from_singles, "ftosi_trunc")


@insn("F3 0F E6 /r", "Vx, Wq", name="cvtdq2pd", extension="sse2")
@insn("66 0F 2A /r", "Vx, Qq", name="cvtpi2pd", extension="sse2")
def doubles_from_integers(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTDQ2PD, CVTPI2PD: signed doublewords to doubles, exactly. SDM volume 2A, each."""
    m.put(target, m.effect("sitof", widened(DOUBLES, target.width), m.get(source, vector(I32, target.width // 64))))


@insn("F2 0F E6 /r", "Vx, Wdq", name="cvtpd2dq", static=("ftosi",), extension="sse2")
@insn("66 0F E6 /r", "Vx, Wdq", name="cvttpd2dq", static=("ftosi_trunc",), extension="sse2")
def integers_from_doubles(m: X86Emitter, op: str, target: Register, source: Register | Memory) -> None:
    """CVTPD2DQ, CVTTPD2DQ: doubles to signed doublewords; the rest of the register is cleared. SDM volume 2A, each."""
    doubles = m.get(source, widened(DOUBLES, source.width))
    _put_narrow(m, target, m.effect(op, vector(I32, doubles.type.lanes), doubles))


@insn("NP 0F 5A /r", "Vx, Wq", extension="sse2")
def cvtps2pd(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTPS2PD: the low singles to doubles. SDM volume 2A, CVTPS2PD."""
    doubles = widened(DOUBLES, target.width)
    m.put(target, m.effect("fconvert", doubles, m.get(source, vector(F32, doubles.lanes))))


@insn("66 0F 5A /r", "Vx, Wdq", extension="sse2")
def cvtpd2ps(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTPD2PS: doubles to singles; the rest of the register is cleared. SDM volume 2A, CVTPD2PS."""
    doubles = m.get(source, widened(DOUBLES, source.width))
    _put_narrow(m, target, m.effect("fconvert", vector(F32, doubles.type.lanes), doubles))


def _put_narrow(m: X86Emitter, target: Register, value: Value) -> None:
    """Write what has half as many bits as it was made of: 64, which are extended with zeroes, or 128."""
    if value.type.bits == 128:
        m.put(target, value)
    else:
        put_zero_extended(m, target, value)


for _length, _source in (SHORT, "Wq"), (LONG, "Wo"):
    vex_forms("cvtdq2pd", _length, "F3", "E6 /r", f"Vx, {_source}", doubles_from_integers)
    vex_forms("cvtps2pd", _length, "NP", "5A /r", f"Vx, {_source}", cvtps2pd)
    vex_forms("cvtpd2ps", _length, "66", "5A /r", "Vo, Wx", cvtpd2ps)
    vex_forms("cvtpd2dq", _length, "F2", "E6 /r", "Vo, Wx", integers_from_doubles, "ftosi")
    vex_forms("cvttpd2dq", _length, "66", "E6 /r", "Vo, Wx", integers_from_doubles, "ftosi_trunc")


@insn("NP 0F 2A /r", "Vq, Qq", extension="sse")
def cvtpi2ps(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTPI2PS: two signed doublewords to the two low singles, rounded by MXCSR. SDM volume 2A, CVTPI2PS."""
    integers = m.get(source, LOW_INTEGERS)
    if isinstance(source, MmxRegister):
        m.enter_mmx()  # before an exception that is not masked
    m.put_xmm(target, m.effect("sitof", LOW_SINGLES, integers))


@insn("NP 0F 2C /r", "Pq, Wq", name="cvttps2pi", static=(LOW_SINGLES, "ftosi_trunc"), extension="sse")
@insn("NP 0F 2D /r", "Pq, Wq", name="cvtps2pi", static=(LOW_SINGLES, "ftosi"), extension="sse")
@insn("66 0F 2C /r", "Pq, Wdq", name="cvttpd2pi", static=(DOUBLES, "ftosi_trunc"), extension="sse2")
@insn("66 0F 2D /r", "Pq, Wdq", name="cvtpd2pi", static=(DOUBLES, "ftosi"), extension="sse2")
def mmx_from_floats(m: X86Emitter, type: Type, op: str, target: Register, source: Register | Memory) -> None:
    """CVTPS2PI, CVTPD2PI (rounded by MXCSR), CVTTPS2PI, CVTTPD2PI: two floats to doublewords. SDM volume 2A, each."""
    floats = m.get(source, type)
    m.enter_mmx()  # before an exception that is not masked
    m.put(target, m.effect(op, LOW_INTEGERS, floats))
