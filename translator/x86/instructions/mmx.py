"""MMX data transfer and EMMS (SDM volume 1, 5.4.1 and 5.4.8; MMX registers in 5.5.4, 5.6.3 and 5.6.4; chapter 9).

The MMX registers are the physical registers of the x87 stack; see `X86Emitter.enter_mmx`. Arithmetic on them is
described with that on XMM registers, in sse_integer.py, and so are the conversions to and from floats.
"""

from __future__ import annotations

from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import put_zero_extended


@insn("NP W0 0F 6E /r", "Pq, Ed", name="movd", extension="mmx")
@insn("NP REX.W 0F 6E /r", "Pq, Eq", name="movq", extension="mmx")
def movd_load(m: X86Emitter, target: Register, source: Register | Memory) -> None:
    """MOVD, MOVQ: a general register or memory to an MMX register. SDM volume 2B, MOVD/MOVQ."""
    m.put(target, m.get(source).zext(64))


@insn("NP W0 0F 7E /r", "Ed, Pq", name="movd", extension="mmx")
@insn("NP REX.W 0F 7E /r", "Eq, Pq", name="movq", extension="mmx")
def movd_store(m: X86Emitter, target: Register | Memory, source: Register) -> None:
    """MOVD, MOVQ: an MMX register to a general register or memory. SDM volume 2B, MOVD/MOVQ."""
    m.put(target, m.get(source).trunc(target.width))


@insn("NP 0F 6F /r | NP 0F 7F /r", "Pq, Qq | Qq, Pq", name="movq", extension="mmx")
@insn("NP 0F E7 /r mem", "Qq, Pq", name="movntq", extension="sse")
def move(m: X86Emitter, target: Register | Memory, source: Register | Memory) -> None:
    """MOVQ, MOVNTQ: move 64 bits, the latter with a hint to pass by the caches. SDM volume 2B, each."""
    m.put(target, m.get(source))


@insn("F3 0F D6 /r reg", "Vx, Nq", extension="sse2")
def movq2dq(m: X86Emitter, target: Register, source: Register) -> None:
    """MOVQ2DQ: an MMX register to the bottom of an XMM register, zeroes above. SDM volume 2B, MOVQ2DQ."""
    put_zero_extended(m, target, m.get(source))


@insn("F2 0F D6 /r reg", "Pq, Uq", extension="sse2")
def movdq2q(m: X86Emitter, target: Register, source: Register) -> None:
    """MOVDQ2Q: the low quadword of an XMM register to an MMX register. SDM volume 2B, MOVDQ2Q."""
    m.put(target, m.get(source))


@insn("NP 0F 77", extension="mmx")
def emms(m: X86Emitter) -> None:
    """EMMS: every x87 register is empty again; TOP is 0, as after any instruction of MMX. SDM volume 2A, EMMS."""
    m.put_slot("ftw", 0)
    m.put_slot("top", 0)
