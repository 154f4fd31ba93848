"""Addresses of x86 code: effective addresses, segments and their limits, the stack, offsets of code.

Where segments are flat, addresses are linear, and nothing is added to them or looked at. Elsewhere an address is an
offset in a segment until memory is accessed, which is when limits are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from metaphrase.ir.graph import Function, Operand, Value
from metaphrase.ir.types import I16, I64, Type, integer
from metaphrase.translator.emitter import Emitter, Offset
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.modes import LONG, Mode

REG, RM, BASE, INDEX, SCALE, SEGMENT, VVVV, IS4 = range(8)
"""Numbers of the register fields of a decoded record."""

MEMORY_NONE, MEMORY_BASE, MEMORY_INDEX, MEMORY_BASE_SEGMENT, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED = range(6)
"""Kinds of memory operand, a static operand: none (register), [base+disp], [base+index*scale+disp], the same two with
a segment base (always, where segments are not flat), and any with the address size that prefix 67 gives (32 bits in
64-bit and 16-bit modes, 16 in 32-bit modes)."""


class Statics(NamedTuple):
    """The static operands of a form, unpacked from `Decoded.statics`."""

    size: int
    """Operand size in bits: 16, 32 or 64 (or 0 where the description has no size rule)."""
    memory: int
    lock: bool
    repeat: int
    """0, 2 (F3: REP, REPE) or 3 (F2: REPNE)."""

    @classmethod
    def unpack(cls, bits: int) -> Statics:
        return cls((0, 16, 32, 64)[bits & 3], bits >> 2 & 7, bool(bits >> 5 & 1), bits >> 6 & 3)

    def pack(self) -> int:
        return (0, 16, 32, 64).index(self.size) | self.memory << 2 | self.lock << 5 | self.repeat << 6


@dataclass(frozen=True, slots=True)
class InSegment:
    """An address in a segment that has a base and limits: where the base lies in the state, and the offset, i64, of
    which so many bits count. Of an operand in several parts each may lie behind the last offset, where the first is."""

    segment: Offset
    offset: Value
    width: int

    def __add__(self, by: Operand) -> InSegment:
        return InSegment(self.segment, self.offset + by, self.width)


Address = Value | InSegment
"""An address for loads and stores: linear in flat modes, i64; so semantics only add to it, and ask for `m.linear`."""


class AddressEmitter(Emitter):
    """The part of the emitter (`emitter.py`) that knows of the mode; see the module."""

    def __init__(self, function: Function, mode: Mode = LONG) -> None:
        super().__init__(function, s.LAYOUT)
        self.mode = mode
        self.statics = Statics(0, 0, False, 0)

    @property
    def size(self) -> int:
        """The operand size in bits."""
        return self.statics.size

    # --- addresses ----------------------------------------------------------------------------------------------------
    def effective_address(self, bias: Operand = 0) -> Address:
        """The address of the ModRM memory operand (SDM volume 1, 3.7.5), `bias` bytes further on."""
        return self._in_segment(self._offset_part(self.statics.memory) + bias)

    def indexed_address(self, index: Value) -> Address:
        """The address of a lane of a gather: `index` (i64) is that of the vector (SDM volume 2, 2.3.12)."""
        return self._in_segment(self._base_part() + self._scaled(index))

    def _in_segment(self, address: Value) -> Address:
        address = self._wrapped(address, self.address_size)
        if not self.mode.flat:
            return InSegment(self.binding.register(SEGMENT), address, self.address_size)
        if self.statics.memory in (MEMORY_BASE_SEGMENT, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED):
            address = self._wrapped(address + self._address_register(SEGMENT), self.mode.linear)
        return address

    def _wrapped(self, address: Value, width: int) -> Value:
        """An address of so many bits."""
        return address if width == 64 else address.trunc(width).zext(64)

    def effective_offset(self) -> Value:
        """The address without the segment's base, as LEA gives it."""
        return self._wrapped(self._offset_part(self.statics.memory), self.address_size)

    def _offset_part(self, kind: int) -> Value:
        address = self._base_part()
        if kind in (MEMORY_INDEX, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED):
            address = address + self._scaled(self._address_register(INDEX))
        return address

    def _base_part(self) -> Value:
        base = self.binding.register(BASE)
        if isinstance(base, int) and base == s.ZERO_PC:
            return self.binding.relative()
        return self._address_register(BASE) + self.binding.displacement()

    def _scaled(self, index: Value) -> Value:
        return index << (self.binding.register(SCALE) & 63)  # spares handlers the case of a large scale

    def implied_address(self, offset: Value) -> Address:
        """The address of an offset that the instruction implies, in DS or another segment: XLAT, MASKMOVDQU."""
        offset = self._wrapped(offset, self.address_size)
        if not self.mode.flat:
            return InSegment(self.binding.register(SEGMENT), offset, self.address_size)
        return self._wrapped(offset + self._segment_base(), self.mode.linear)

    def check_writable(self, *addresses: Address) -> None:
        """Fault, before anything is stored, if one of these bytes cannot be written."""
        for address in addresses:
            self.atomic("or", address, self.const(0, 8))

    @property
    def address_size(self) -> int:
        """The address size in bits, for forms with a memory operand (or described with `addresses`)."""
        return self.mode.other_address_size if self.statics.memory == MEMORY_RESIZED else self.mode.size

    def string_source(self) -> Address:
        """Address of the source element of a string instruction: rSI, in a segment that may be overridden."""
        return self.implied_address(self.get_state(s.GPR[6], integer(self.address_size)).zext(64))

    def string_destination(self) -> Address:
        """Address of the destination element of a string instruction: rDI, in ES."""
        offset = self.get_state(s.GPR[7], integer(self.address_size)).zext(64)
        return offset if self.mode.flat else InSegment(s.ES_BASE, offset, self.address_size)

    def _segment_base(self) -> Operand:
        """Base of the segment that an override prefix names, for implicit memory operands of flat modes."""
        plain = self.statics.memory in (MEMORY_BASE, MEMORY_INDEX)
        return 0 if plain else self._address_register(SEGMENT)

    def _address_register(self, number: int) -> Value:
        offset = self.binding.register(number)
        return self.const(0, 64) if isinstance(offset, int) and offset == s.ZERO else self.get_state(offset, I64)

    # --- memory, in segments ------------------------------------------------------------------------------------------
    def linear(self, address: Address) -> Value:
        """The linear address, i64, without a look at limits."""
        if isinstance(address, Value):
            return address
        offset = self._wrapped(address.offset, address.width)
        return self._wrapped(self.get_state(address.segment, I64) + offset, self.mode.linear)

    def may_end_elsewhere(self, first: Address, last: Address) -> Value:
        """Whether one of two bytes may be out of bounds and the other not: they lie in two pages, or limits count."""
        if isinstance(first, Value) and isinstance(last, Value):
            return (first ^ last).lshr(12).ne(0)
        return self.const(1, 1)

    def _checked(self, address: Address, size: int, limit: int) -> Value:
        """The linear address of `size` bytes, once they are within a segment's limits; `limit` says of which kind."""
        if isinstance(address, Value):
            return address
        first, last = (self.get_state(address.segment + at, I64) for at in (s.LOWEST, limit))
        offset = self._wrapped(address.offset, address.width)
        outside = offset.slt(first) | last.slt(offset + (size - 1))
        if isinstance(address.segment, Value):
            on_stack = address.segment.eq(s.SS_BASE)
            self.trap_if(outside & on_stack, "stack_fault")
            self.trap_if(outside, "general_protection")
        else:
            self.trap_if(outside, "stack_fault" if address.segment == s.SS_BASE else "general_protection")
        return self.linear(address)

    def load(self, address: Address, type: Type) -> Value:
        if isinstance(address, InSegment) and type.bits == 80:  # in two parts
            low, high = self.load(address, I64), self.load(address + 8, I16)
            return (low.zext(80) | high.zext(80) << 64).bitcast(type)
        return super().load(self._checked(address, type.bytes, s.READABLE), type)

    def store(self, address: Address, value: Value) -> None:
        if isinstance(address, InSegment) and value.type.bits == 80:
            bits = value.bitcast(integer(80))
            self._checked(address + 8, 2, s.WRITABLE)
            self.store(address, bits.trunc(64))
            self.store(address + 8, bits.lshr(64).trunc(16))
            return
        super().store(self._checked(address, value.type.bytes, s.WRITABLE), value)

    def atomic(self, operation: str, address: Address, value: Value) -> Value:
        return super().atomic(operation, self._checked(address, value.type.bytes, s.WRITABLE), value)

    def compare_exchange(self, address: Address, expected: Value, new: Value) -> Value:
        return super().compare_exchange(self._checked(address, new.type.bytes, s.WRITABLE), expected, new)

    # --- the stack ----------------------------------------------------------------------------------------------------
    @property
    def stack_pointer(self) -> Value:
        """rSP, as wide as the stack's segment says, i64."""
        return self.stack_offset(self.get_slot("rsp"))

    @stack_pointer.setter
    def stack_pointer(self, value: Value) -> None:
        if self.mode.stack == 16:
            self.put_state(s.GPR[4], value.trunc(16))
        else:
            self.put_slot("rsp", self.stack_offset(value))

    def stack_offset(self, offset: Value) -> Value:
        """An offset in the stack, of its width."""
        return self._wrapped(offset, self.mode.stack)

    def on_stack(self, offset: Value) -> Address:
        """The address of an offset in the stack."""
        offset = self.stack_offset(offset)
        return offset if self.mode.flat else InSegment(s.SS_BASE, offset, self.mode.stack)

    def push(self, value: Value) -> None:
        """Push a value; the store comes before rSP changes, so that a fault leaves it as it was."""
        top = self.get_slot("rsp") - value.type.bytes
        self.store(self.on_stack(top), value)
        self.stack_pointer = top

    def peek(self, width: int, behind: int = 0) -> Value:
        """The value at the top of the stack, or so many bytes behind; `drop` removes it once nothing can fault."""
        return self.load(self.on_stack(self.get_slot("rsp") + behind), integer(width))

    def drop(self, amount: Operand) -> None:
        """Add to rSP."""
        self.stack_pointer = self.get_slot("rsp") + amount

    # --- transfers ----------------------------------------------------------------------------------------------------
    def instruction_pointer(self, address: Value) -> Value:
        """The offset in CS of a linear address of code."""
        return address if self.mode.flat else self._wrapped(address - self.get_state(s.CS_BASE, I64), 32)

    def near_target(self, offset: Value) -> Value:
        """The linear address of an offset in CS (of the operand size), where it may be executed: else #GP."""
        offset = offset.zext(64)
        if self.mode.flat:
            return offset
        self.trap_if(self.get_state(s.CODE_LIMIT, I64).slt(offset), "general_protection")
        return self._wrapped(self.get_state(s.CS_BASE, I64) + offset, 32)

    def check_branch(self, target: Value, taken: Value | None = None) -> None:
        """#GP if a branch that is taken leads out of CS. A target is decoded as if no offset wrapped around."""
        if self.mode.flat:
            return
        outside = self.get_state(s.CODE_LIMIT, I64).slt(self._branch_offset(target))
        self.trap_if(outside if taken is None else outside & taken, "general_protection")

    def branch(self, target: Value, kind: str = "jump") -> None:
        """End this instruction with a relative branch, which has been checked."""
        if not self.mode.flat and self.size == 16:
            offset = self._branch_offset(target)
            with self.if_(self.instruction_pointer(target).ne(offset)):
                self.goto(self._wrapped(self.get_state(s.CS_BASE, I64) + offset, 32), kind)
        self.goto(target, kind)

    def branch_if(self, condition: Value, target: Value) -> None:
        """A conditional relative branch, which has been checked; what is written after it is for when it goes on."""
        with self.if_(condition):
            self.branch(target)

    def _branch_offset(self, target: Value) -> Value:
        return self._wrapped(self.instruction_pointer(target), self.size)
