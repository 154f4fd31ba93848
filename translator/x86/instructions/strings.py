"""String instructions, with and without REP (SDM volume 1, 7.3.9).

A repeated instruction runs to its end inside one instruction. Registers are written after each element, so that
one that faults half way is resumed there; the flags of CMPS and SCAS only at the end, as the manual demands.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I1, integer
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn

RCX, RSI, RDI = 1, 6, 7


def _advance(m: X86Emitter, width: int, *registers: int) -> None:
    """Move index registers to the next element, downwards if DF is set."""
    size = width // 8
    step = m.df.select(m.const(-size, m.address_size), size)
    for number in registers:
        register = m.gpr(number, m.address_size)
        m.put(register, m.get(register) + step)


def _count(m: X86Emitter) -> Register:
    return m.gpr(RCX, m.address_size)


def _count_down(m: X86Emitter) -> Value:
    left = m.get(_count(m)) - 1
    m.put(_count(m), left)
    return left


def _narrow(m: X86Emitter, *registers: int) -> None:
    """With 32-bit addresses hardware clears upper halves at the start of a REP, even if there is nothing to do."""
    if m.mode.is_long and m.address_size == 32:
        for number in registers:
            m.put(m.gpr(number, 32), m.get(m.gpr(number, 32)))


def _repeated(m: X86Emitter, element: Callable[[], None], *moved: int) -> None:
    """Do one element, or under a REP prefix as many as rCX says; `moved` are narrowed at its start as rCX is."""
    if not m.statics.repeat:
        element()
        return
    _narrow(m, RCX, *moved)
    with m.while_(lambda: m.get(_count(m)).ne(0)):
        element()
        _count_down(m)


@insn("A4 | A5", "Yb, Xb | Yv, Xv", repeat=True, asm="movs{s}")
def movs(m: X86Emitter, target: Memory, source: Memory) -> None:
    """MOVS: move string element. SDM volume 2B, MOVS/MOVSB/MOVSW/MOVSD/MOVSQ."""

    def element() -> None:
        m.store(m.string_destination(), m.load(m.string_source(), integer(source.width)))
        _advance(m, source.width, RSI, RDI)

    _repeated(m, element, RSI, RDI)


@insn("AA | AB", "Yb, AL | Yv, rAX", repeat=True, asm="stos{s}")
def stos(m: X86Emitter, target: Memory, source: Register) -> None:
    """STOS: store string element. SDM volume 2B, STOS/STOSB/STOSW/STOSD/STOSQ."""

    def element() -> None:
        m.store(m.string_destination(), m.get(source))
        _advance(m, source.width, RDI)

    _repeated(m, element, RDI)


@insn("AC | AD", "AL, Xb | rAX, Xv", repeat=True, asm="lods{s}")
def lods(m: X86Emitter, target: Register, source: Memory) -> None:
    """LODS: load string element. SDM volume 2A, LODS/LODSB/LODSW/LODSD/LODSQ."""

    def element() -> None:
        m.put(target, m.load(m.string_source(), integer(source.width)))
        _advance(m, source.width, RSI)

    _repeated(m, element)


def _compared(m: X86Emitter, width: int, operands: Callable[[], tuple[Value, Value]], *registers: int) -> None:
    """Compare one element, or under REPE or REPNE while elements are equal or unequal and rCX is not used up."""
    if not m.statics.repeat:
        a, b = operands()
        _advance(m, width, *registers)
        m.put_flags(m.sub_flags(a, b))
        return
    _narrow(m, RCX)
    first, second, again = m.local(integer(width)), m.local(integer(width)), m.local(I1)
    with m.if_(m.get(_count(m)).ne(0)):
        again.set(1)
        with m.while_(again.get):
            a, b = operands()
            _advance(m, width, *registers)
            left = _count_down(m)
            first.set(a)
            second.set(b)
            again.set(left.ne(0) & (a.eq(b) if m.statics.repeat == 2 else a.ne(b)))
        m.put_flags(m.sub_flags(first.get(), second.get()))


@insn("A6 | A7", "Xb, Yb | Xv, Yv", repeat=True, asm="cmps{s}")
def cmps(m: X86Emitter, first: Memory, second: Memory) -> None:
    """CMPS: compare string elements. SDM volume 2A, CMPS/CMPSB/CMPSW/CMPSD/CMPSQ."""
    type = integer(first.width)
    _compared(
        m, first.width, lambda: (m.load(m.string_source(), type), m.load(m.string_destination(), type)), RSI, RDI
    )


@insn("AE | AF", "AL, Yb | rAX, Yv", repeat=True, asm="scas{s}")
def scas(m: X86Emitter, accumulator: Register, element: Memory) -> None:
    """SCAS: compare the accumulator with a string element. SDM volume 2B, SCAS/SCASB/SCASW/SCASD."""
    type = integer(element.width)
    _compared(m, element.width, lambda: (m.get(accumulator), m.load(m.string_destination(), type)), RDI)
