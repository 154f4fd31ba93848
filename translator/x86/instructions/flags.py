"""Flag control: CLC, STC, CMC, CLD, STD, LAHF, SAHF (SDM volume 1, 5.1.11)."""

from __future__ import annotations

from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import Flags, Register, X86Emitter
from metaphrase.translator.x86.table import insn


@insn("F8")
def clc(m: X86Emitter) -> None:
    """CLC: clear carry. SDM volume 2A, CLC."""
    m.put_flags(Flags(cf=m.flag(False)))


@insn("F9")
def stc(m: X86Emitter) -> None:
    """STC: set carry. SDM volume 2B, STC."""
    m.put_flags(Flags(cf=m.flag(True)))


@insn("F5")
def cmc(m: X86Emitter) -> None:
    """CMC: complement carry. SDM volume 2A, CMC."""
    m.put_flags(Flags(cf=~m.cf))


@insn("FC")
def cld(m: X86Emitter) -> None:
    """CLD: clear the direction flag, so that strings run upwards. SDM volume 2A, CLD."""
    m.put_state(s.DF, m.const(0, 8))


@insn("FD")
def std(m: X86Emitter) -> None:
    """STD: set the direction flag, so that strings run downwards. SDM volume 2B, STD."""
    m.put_state(s.DF, m.const(1, 8))


@insn("9F", extension="lahf")
def lahf(m: X86Emitter) -> None:
    """LAHF: the low byte of the flags into AH. SDM volume 2A, LAHF."""
    m.put(_ah(), m.rflags().trunc(8))


@insn("9E", extension="lahf")
def sahf(m: X86Emitter) -> None:
    """SAHF: AH into the low byte of the flags. SDM volume 2B, SAHF."""
    m.put_low_flags(m.get(_ah()))


def _ah() -> Register:
    return Register(s.GPR[0] + 1, 8)
