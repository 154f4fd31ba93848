"""String instructions, with and without REP (SDM volume 1, 7.3.9).

A repeated instruction runs to its end inside one instruction. Registers are written after each element, so that
one that faults half way is resumed there; the flags of CMPS and SCAS only at the end, as the manual demands.

REP MOVS and REP STOS go on in stretches of many elements, as hardware does, where that cannot be told from one at a
time: upwards, in flat segments, and no further than the next end of a page, since all of a page can be accessed or
nothing. Source and destination of a stretch do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.graph import Value
from metaphrase.ir.types import I1, I8, I64, Type, integer, vector
from metaphrase.translator.x86.emitter import Memory, Register, X86Emitter
from metaphrase.translator.x86.table import insn

RCX, RSI, RDI = 1, 6, 7
_PAGE = 4096
_BYTES = vector(I8, 32)
"""What a stretch is copied by."""
_LEAST = 16
"""Bytes that a stretch has at least."""


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
    def one() -> None:
        element()
        _count_down(m)

    if m.statics.repeat:
        _until_done(m, one, *moved)
    else:
        element()


def _until_done(m: X86Emitter, turn: Callable[[], None], *moved: int) -> None:
    """Take turns, each of which may be the last before a fault, until rCX is used up."""
    _narrow(m, RCX, *moved)
    with m.while_(lambda: m.get(_count(m)).ne(0)):
        m.resume_here()
        turn()


def _repeated_in_stretches(
    m: X86Emitter, width: int, element: Callable[[], None], move: Callable[[Value, Type], None], *moved: int
) -> None:
    """Do as `_repeated`, but many elements at once where that is possible.

    `move` does so many bytes as a type has, so far from where the `moved` registers point.
    """
    if not m.statics.repeat or not m.mode.flat or m.address_size < 32:
        _repeated(m, element, *moved)
        return

    def one() -> None:
        element()
        _count_down(m)

    def stretch(size: Value) -> None:
        done = m.local(I64)
        done.set(0)
        with m.while_(lambda: (done.get() + _BYTES.bytes).ule(size)):
            move(done.get(), _BYTES)
            done.set(done.get() + _BYTES.bytes)
        half = vector(I8, _LEAST)
        with m.if_((size & half.bytes).ne(0)):
            move(done.get(), half)
        with m.if_((size & half.bytes - 1).ne(0)):  # what the last bytes have in common with those before is done again
            move(size - half.bytes, half)
        for number in moved:
            register = m.gpr(number, m.address_size)
            m.put(register, m.get(register) + size.trunc(m.address_size))
        m.put(_count(m), m.get(_count(m)) - size.lshr(shift).trunc(m.address_size))

    def turn() -> None:
        size = _stretch(m, shift, *moved)
        m.if_else(size.ult(_LEAST), one, lambda: stretch(size))

    shift = width.bit_length() - 4
    _until_done(m, turn, *moved)


def _stretch(m: X86Emitter, shift: int, *moved: int) -> Value:
    """How many bytes, of elements of `1 << shift`, can be done at once, i64."""
    places = [m.linear(m.string_destination())]
    if RSI in moved:
        places.append(m.linear(m.string_source()))
    # an offset may come to its end within a page of a segment that does not begin with one
    offsets = [m.get(m.gpr(number, m.address_size)).zext(64) for number in moved]
    limits = [_PAGE - (place & _PAGE - 1) for place in dict.fromkeys([*places, *offsets])]
    if RSI in moved:
        ahead = places[0] - places[1]
        limits.append(ahead.binary("umin", -ahead))
    size = m.get(_count(m)).zext(64).binary("umin", _PAGE) << shift
    for limit in limits:
        size = size.binary("umin", limit)
    return m.df.select(m.const(0, 64), size & -(1 << shift))


@insn("A4 | A5", "Yb, Xb | Yv, Xv", repeat=True, asm="movs{s}")
def movs(m: X86Emitter, target: Memory, source: Memory) -> None:
    """MOVS: move string element. SDM volume 2B, MOVS/MOVSB/MOVSW/MOVSD/MOVSQ."""

    def element() -> None:
        m.store(m.string_destination(), m.load(m.string_source(), integer(source.width)))
        _advance(m, source.width, RSI, RDI)

    def move(done: Value, type: Type) -> None:
        m.store(m.string_destination() + done, m.load(m.string_source() + done, type))

    _repeated_in_stretches(m, source.width, element, move, RSI, RDI)


@insn("AA | AB", "Yb, AL | Yv, rAX", repeat=True, asm="stos{s}")
def stos(m: X86Emitter, target: Memory, source: Register) -> None:
    """STOS: store string element. SDM volume 2B, STOS/STOSB/STOSW/STOSD/STOSQ."""

    def element() -> None:
        m.store(m.string_destination(), m.get(source))
        _advance(m, source.width, RDI)

    def move(done: Value, type: Type) -> None:
        m.store(m.string_destination() + done, m.get(source).splat(type.bits // source.width))

    _repeated_in_stretches(m, source.width, element, move, RDI)


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
            m.resume_here()
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

    def operands() -> tuple[Value, Value]:
        # the manual leaves open which of two that cannot be read faults; AMD's hardware does as follows
        if m.statics.repeat == 2 and first.width == 8:
            return m.load(m.string_source(), type), m.load(m.string_destination(), type)
        other = m.load(m.string_destination(), type)
        return m.load(m.string_source(), type), other

    _compared(m, first.width, operands, RSI, RDI)


@insn("AE | AF", "AL, Yb | rAX, Yv", repeat=True, asm="scas{s}")
def scas(m: X86Emitter, accumulator: Register, element: Memory) -> None:
    """SCAS: compare the accumulator with a string element. SDM volume 2B, SCAS/SCASB/SCASW/SCASD."""
    type = integer(element.width)
    _compared(m, element.width, lambda: (m.get(accumulator), m.load(m.string_destination(), type)), RDI)
