"""The x87 register stack as descriptions see it (SDM volume 1, chapter 8).

One `Stack` serves one instruction: it reads and writes registers by their distance from the top, notes stack faults,
and commits top, tags and status word at the end. Responses to exceptions are the masked ones: an unmasked exception is
recorded in the status word but raises no #MF. C1 tells of stack faults only, not of upward rounding, and the pointers
to the last instruction and operand (FIP, FDP, FOP) are not kept.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.graph import Operand, Value
from metaphrase.ir.types import F32, F64, F80, I16, VOID, integer
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.emitter import X86Emitter

I80: Final = integer(80)
INDEFINITE: Final = 0xFFFF_C000_0000_0000_0000
"""The real indefinite: the quiet NaN that masked invalid operations give."""
STACK_FAULT: Final = 0x41
"""IE and SF in the status word."""
C0, C1, C2, C3 = 1 << 8, 1 << 9, 1 << 10, 1 << 14
"""Condition codes in the status word."""
EXCEPTIONS: Final = 0x3F
PENDING: Final = 0x8080
"""ES and B: an unmasked exception is recorded."""
TOP_SHIFT: Final = 11


class Stack:
    """The register stack during one instruction."""

    def __init__(self, m: X86Emitter) -> None:
        self.m = m
        self.top = m.get_slot("top")
        self.tags = m.get_slot("ftw")
        self.underflow: Value = m.flag(False)
        self.overflow: Value = m.flag(False)

    # --- registers ----------------------------------------------------------------------------------------------------
    def _number(self, index: Operand) -> Value:
        return (self.top + index) & 7

    def _offset(self, number: Value) -> Value:
        return (number.zext(64) << 4) + s.X87[0]

    def _bit(self, number: Value) -> Value:
        return self.m.const(1, 16) << number.zext(16)

    def is_empty(self, index: Operand) -> Value:
        """Whether ST(index) holds nothing (i1)."""
        return (self.tags & self._bit(self._number(index))).eq(0)

    def raw(self, index: Operand) -> Value:
        """The 80 bits of ST(index), whatever its tag (i80)."""
        return self.m.get_state(self._offset(self._number(index)), I80)

    def read_bits(self, index: Operand) -> Value:
        """The 80 bits of ST(index); the indefinite, and a stack underflow, if it is empty."""
        empty = self.is_empty(index)
        self.underflow = self.underflow | empty
        return empty.select(self.m.const(INDEFINITE, 80), self.raw(index))

    def read(self, index: Operand) -> Value:
        """ST(index) as f80; the indefinite, and a stack underflow, if it is empty."""
        return self.read_bits(index).bitcast(F80)

    def valid(self, value: Value) -> Value:
        """`value` as bits, or the indefinite if an operand was missing."""
        return self.underflow.select(self.m.const(INDEFINITE, 80), value.bitcast(I80))

    def put_raw(self, index: Operand, bits: Value) -> None:
        """Write ST(index) and leave its tag."""
        self.m.put_state(self._offset(self._number(index)), bits)

    def write(self, index: Operand, value: Value) -> None:
        """Write ST(index) (f80 or i80) and tag it full."""
        number = self._number(index)
        self.m.put_state(self._offset(number), value.bitcast(I80))
        self.tags = self.tags | self._bit(number)

    def make_room(self) -> Value:
        """Note an overflow if the register above the top is full; gives whether it is (i1). For use before `push`."""
        full = ~self.is_empty(7)
        self.overflow = self.overflow | full
        return full

    def push(self, value: Value) -> None:
        """A new top; it becomes the indefinite if `make_room` found none."""
        self.top = self._number(7)
        self.write(0, (self.overflow | self.underflow).select(self.m.const(INDEFINITE, 80), value.bitcast(I80)))

    def push_if(self, condition: Value, bits: Value) -> None:
        """A new top of so many bits (i80) where `condition` is set; else all stays as it is."""
        number = self._number(7)
        self.put_raw(7, condition.select(bits, self.raw(7)))
        self.tags = self.tags | condition.select(self._bit(number), 0)
        self.top = condition.select(number, self.top)

    def free(self, index: Operand) -> None:
        """Tag ST(index) empty."""
        self.tags = self.tags & ~self._bit(self._number(index))

    def turn(self, by: int) -> None:
        """Move the top by `by` without touching tags."""
        self.top = self._number(by)

    def pop(self) -> None:
        self.free(0)
        self.turn(1)

    def commit(self, conditions: Value | None = None, codes: int = C0 | C1 | C2 | C3, *, keep: bool = False) -> None:
        """Write top, tags and status: C1 by stack faults; those of `codes` if `conditions` (i16, in place) are given.

        `keep` leaves C1 alone unless there was a fault.
        """
        m = self.m
        fault = self.underflow | self.overflow
        word = m.get_slot("fsw")
        if keep:
            word = word & ~fault.select(m.const(C1, 16), 0)
        else:
            word = word & ~(C1 if conditions is None else codes)
        word = word | fault.select(m.const(STACK_FAULT, 16), 0) | self.overflow.select(m.const(C1, 16), 0)
        m.put_slot("fsw", word if conditions is None else word | conditions)
        m.put_slot("ftw", self.tags)
        m.put_slot("top", self.top)


# --- control and status -----------------------------------------------------------------------------------------------
def is_not_number(bits: Value) -> Value:
    """Whether the bits of an f80 (i80) are a NaN or an encoding that is not supported (SDM volume 1, 8.2.2)."""
    significand, exponent = bits.trunc(64), bits.lshr(64).trunc(16) & 0x7FFF
    return (exponent.eq(0x7FFF) & (significand << 1).ne(0)) | (exponent.ne(0) & significand.lshr(63).eq(0))


def float_operand(m: X86Emitter, bits: Value, suppress: Value) -> Value:
    """The bits of an f32 or f64 operand as f80; tells of signalling NaNs, and of denormals unless `suppress` (i1).

    With `suppress` a denormal's value must not matter, only its sign and that it is not zero. A signalling NaN stays
    one, because the operation prefers a quiet one to it.
    """
    type, fraction_bits = (F32, 23) if bits.width == 32 else (F64, 52)
    fraction = (1 << fraction_bits) - 1
    sign = 1 << (bits.width - 1)
    denormal = (bits & ~(sign | fraction)).eq(0) & (bits & fraction).ne(0)
    one = bits & sign | ((1 << (bits.width - 2 - fraction_bits)) - 1) << fraction_bits
    value = m.effect("fconvert", F80, (denormal & suppress).select(one, bits).bitcast(type))
    quiet = 1 << (fraction_bits - 1)
    is_nan = m.const(sign - 1 ^ fraction, bits.width).ult(bits & (sign - 1))
    signalling = is_nan & (bits & quiet).eq(0)
    return signalling.select(value.bitcast(I80) ^ 1 << 62, value.bitcast(I80)).bitcast(F80)


def status(m: X86Emitter) -> Value:
    """The status word with TOP (i16), the flags of past operations and ES and B brought up to date."""
    word = m.get_slot("fsw") | m.effect("take_f80_flags", I16)
    m.put_slot("fsw", word)
    pending = (word & ~m.get_slot("fcw") & EXCEPTIONS).ne(0)
    word = (word & ~PENDING) | pending.select(m.const(PENDING, 16), 0)
    return word | m.get_slot("top").zext(16) << TOP_SHIFT


def put_status(m: X86Emitter, word: Value) -> None:
    """Replace the status word, TOP included."""
    m.effect("take_f80_flags", I16)
    m.put_slot("fsw", word & ~(7 << TOP_SHIFT | PENDING))
    m.put_slot("top", (word.lshr(TOP_SHIFT) & 7).trunc(8))


def put_control(m: X86Emitter, word: Value) -> None:
    """Replace the control word; its reserved bits read as hardware's do."""
    word = (word & 0x1F3F) | 0x40
    m.put_slot("fcw", word)
    m.effect("set_f80_control", VOID, word)


def reset(m: X86Emitter) -> None:
    """The state that FNINIT gives."""
    put_control(m, m.const(0x37F, 16))
    put_status(m, m.const(0, 16))
    m.put_slot("ftw", m.const(0, 16))


def full_tags(m: X86Emitter) -> Value:
    """The tag word with two bits a register: 0 valid, 1 zero, 2 special, 3 empty (SDM volume 1, 8.1.7)."""
    tags, word = m.get_slot("ftw"), m.const(0, 16)
    for number in range(8):
        bits = m.get_state(s.X87[number], F80).bitcast(I80)
        low, exponent = bits.trunc(64), bits.lshr(64).trunc(16) & 0x7FFF
        special = exponent.eq(0x7FFF) | low.lshr(63).eq(0)
        kind = special.select(m.const(2, 16), 0)
        kind = (exponent.eq(0) & low.eq(0)).select(m.const(1, 16), kind)
        kind = (exponent.eq(0) & low.ne(0)).select(m.const(2, 16), kind)
        kind = (tags & 1 << number).eq(0).select(m.const(3, 16), kind)
        word = word | kind << 2 * number
    return word


def put_full_tags(m: X86Emitter, word: Value) -> None:
    """Replace the tags by a word of two bits a register; only whether they say empty counts."""
    tags = m.const(0, 16)
    for number in range(8):
        empty = (word.lshr(2 * number) & 3).eq(3)
        tags = tags | empty.select(m.const(0, 16), m.const(1 << number, 16))
    m.put_slot("ftw", tags)
