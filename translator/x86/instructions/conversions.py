"""SSE and SSE2 conversions between integers and floats (SDM volume 1, 5.5.1.6 and 5.6.1.6).

A NaN or a value that the integer cannot hold gives the integer indefinite (only the top bit set) and signals invalid.
CVTPI2PS and its kin have an MMX register for the integers.
"""

from __future__ import annotations

from metaphrase.ir.types import F32, F64, I32, Type, integer, vector
from metaphrase.translator.x86.emitter import Memory, MmxRegister, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import DOUBLES, LANES, SINGLES, put_zero_extended

LOW_INTEGERS = vector(I32, 2)
LOW_SINGLES = vector(F32, 2)


@insn("F3 0F 2A /r", "Vss, Ey", name="cvtsi2ss", static=(F32,), extension="sse")
@insn("F2 0F 2A /r", "Vsd, Ey", name="cvtsi2sd", static=(F64,), extension="sse2")
def scalar_from_integer(m: X86Emitter, type: Type, target: Register, source: Register | Memory) -> None:
    """CVTSI2SS, CVTSI2SD: signed integer to scalar float, rounded by MXCSR. SDM volume 2A, each."""
    m.put_xmm(target, m.effect("sitof", type, m.get(source)))


@insn("F3 0F 2C /r", "Gy, Wss", name="cvttss2si", static=(F32, "ftosi_trunc"), extension="sse")
@insn("F3 0F 2D /r", "Gy, Wss", name="cvtss2si", static=(F32, "ftosi"), extension="sse")
@insn("F2 0F 2C /r", "Gy, Wsd", name="cvttsd2si", static=(F64, "ftosi_trunc"), extension="sse2")
@insn("F2 0F 2D /r", "Gy, Wsd", name="cvtsd2si", static=(F64, "ftosi"), extension="sse2")
def integer_from_scalar(m: X86Emitter, type: Type, op: str, target: Register, source: Register | Memory) -> None:
    """CVTSS2SI, CVTSD2SI (rounded by MXCSR), CVTTSS2SI, CVTTSD2SI (truncated): to integer. SDM volume 2A, each."""
    m.put(target, m.effect(op, integer(m.size), m.get(source, type)))


@insn("F3 0F 5A /r", "Vsd, Wss", name="cvtss2sd", static=(F32, F64), extension="sse2")
@insn("F2 0F 5A /r", "Vss, Wsd", name="cvtsd2ss", static=(F64, F32), extension="sse2")
def scalar_precision(m: X86Emitter, source_type: Type, type: Type, target: Register, source: Register | Memory) -> None:
    """CVTSS2SD, CVTSD2SS: between scalar single and double. SDM volume 2A, each."""
    m.put_xmm(target, m.effect("fconvert", type, m.get(source, source_type)))


@insn("NP 0F 5B /r", "Vx, Wdq", extension="sse2")
def cvtdq2ps(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTDQ2PS: four signed doublewords to singles, rounded by MXCSR. SDM volume 2A, CVTDQ2PS."""
    m.put_xmm(target, m.effect("sitof", SINGLES, m.get(source, LANES[32])))


@insn("66 0F 5B /r", "Vx, Wdq", name="cvtps2dq", static=("ftosi",), extension="sse2")
@insn("F3 0F 5B /r", "Vx, Wdq", name="cvttps2dq", static=("ftosi_trunc",), extension="sse2")
def integers_from_singles(m: X86Emitter, op: str, target: Register, source: Register | Memory) -> None:
    """CVTPS2DQ, CVTTPS2DQ: four singles to signed doublewords. SDM volume 2A, each."""
    m.put_xmm(target, m.effect(op, LANES[32], m.get(source, SINGLES)))


@insn("F3 0F E6 /r", "Vx, Wq", name="cvtdq2pd", extension="sse2")
@insn("66 0F 2A /r", "Vx, Qq", name="cvtpi2pd", extension="sse2")
def doubles_from_integers(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTDQ2PD, CVTPI2PD: two signed doublewords to doubles, exactly. SDM volume 2A, each."""
    m.put_xmm(target, m.effect("sitof", DOUBLES, m.get(source, LOW_INTEGERS)))


@insn("F2 0F E6 /r", "Vx, Wdq", name="cvtpd2dq", static=("ftosi",), extension="sse2")
@insn("66 0F E6 /r", "Vx, Wdq", name="cvttpd2dq", static=("ftosi_trunc",), extension="sse2")
def integers_from_doubles(m: X86Emitter, op: str, target: Register, source: Register | Memory) -> None:
    """CVTPD2DQ, CVTTPD2DQ: two doubles to signed doublewords; the high quadword is cleared. SDM volume 2A, each."""
    put_zero_extended(m, target, m.effect(op, LOW_INTEGERS, m.get(source, DOUBLES)))


@insn("NP 0F 5A /r", "Vx, Wq", extension="sse2")
def cvtps2pd(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTPS2PD: the two low singles to doubles. SDM volume 2A, CVTPS2PD."""
    m.put_xmm(target, m.effect("fconvert", DOUBLES, m.get(source, LOW_SINGLES)))


@insn("66 0F 5A /r", "Vx, Wdq", extension="sse2")
def cvtpd2ps(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """CVTPD2PS: two doubles to singles; the high quadword is cleared. SDM volume 2A, CVTPD2PS."""
    put_zero_extended(m, target, m.effect("fconvert", LOW_SINGLES, m.get(source, DOUBLES)))


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
