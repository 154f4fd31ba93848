"""The emitter of x86 semantics: operands, effective addresses, flags.

Operands are passed to semantics functions as `Register` and `Memory` (read with `m.get`, written with `m.put`) or, for
immediates and branch targets, as values. The widths are static, so a Python condition may depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from metaphrase.ir.graph import Function, Operand, Value
from metaphrase.ir.types import F80, I8, I16, I64, Type, integer, vector
from metaphrase.translator.emitter import Emitter, Offset
from metaphrase.translator.x86 import state as s

REG, RM, BASE, INDEX, SCALE, SEGMENT, VVVV, IS4 = range(8)
"""Numbers of the register fields of a decoded record."""

MEMORY_NONE, MEMORY_BASE, MEMORY_INDEX, MEMORY_BASE_SEGMENT, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED = range(6)
"""Kinds of memory operand, a static operand: none (register), [base+disp], [base+index*scale+disp], the same two with
a segment base, and any with the address size that prefix 67 gives (32 bits in 64-bit mode, 16 in 32-bit modes)."""


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
class Register:
    """A register operand at a state offset; `width` in bits."""

    offset: Offset
    width: int


@dataclass(frozen=True, slots=True)
class MmxRegister(Register):
    """An MMX register, the low 64 bits of the physical x87 register at a state offset (SDM volume 1, 9.2.1)."""


@dataclass(frozen=True, slots=True)
class VexRegister(Register):
    """A vector register of a VEX form: what is above a value written is cleared (SDM volume 2, 2.3.10)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory operand: its linear address and width in bits; `aligned` to its size or #GP."""

    address: Value
    width: int
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class Flags:
    """New values of the arithmetic flags; None leaves one as it is. All are i1 but `parity` and `adjust` (state.py)."""

    cf: Value | None = None
    parity: Value | None = None
    adjust: Value | None = None
    zf: Value | None = None
    sf: Value | None = None
    of: Value | None = None
    operation: tuple[int, Value, Value] | None = None
    """What the flags are those of, if that is all there is to them: a kind (`state.DEFER_ADD`...), and the operands."""
    result: Value | None = None
    """What all but CF and OF are the flags of, with AF clear."""

    @property
    def values(self) -> tuple[Value | None, ...]:
        """The flags in the order of their slots."""
        return self.cf, self.parity, self.adjust, self.zf, self.sf, self.of

    def but(self, **changes: Value | None) -> Flags:
        """These flags with some of them changed."""
        result = self.result if changes.keys() <= {"cf", "of"} else None
        return replace(self, operation=None, result=result, **changes)

    def deferred(self) -> tuple[int, Value, Value] | None:
        """What these can be computed from later, as the slots of `state.DEFERRED` want it."""
        if None in self.values:
            return None
        if self.operation is not None:
            kind, a, b = self.operation
        elif self.result is not None and self.cf is not None and self.of is not None:
            kind, a, b = s.DEFER_RESULT, self.result, self.cf.zext(64) | self.of.zext(64) << 1
        else:
            return None
        return kind | 64 - a.width, a.zext(64), b.zext(64)


_FLAG_SLOTS = (s.CF, s.PARITY, s.ADJUST, s.ZF, s.SF, s.OF)


def _half(type: Type) -> Type:
    """The vector type of half the lanes."""
    return vector(type.element, type.lanes // 2)


class X86Emitter(Emitter):
    """See the module."""

    def __init__(self, function: Function, mode: int = 64) -> None:
        super().__init__(function, s.LAYOUT)
        self.mode = mode
        """64 in 64-bit mode, else the size of segments, 32: addresses and the stack are as wide."""
        self.statics = Statics(0, 0, False, 0)

    # --- operands -----------------------------------------------------------------------------------------------------
    @property
    def size(self) -> int:
        """The operand size in bits."""
        return self.statics.size

    @property
    def lock(self) -> bool:
        return self.statics.lock

    def gpr(self, number: int, width: int = 64) -> Register:
        """General register `number` by encoding (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 r8, ...)."""
        return Register(s.GPR[number], width)

    @property
    def vectors(self) -> list[int]:
        """The state offsets of the vector registers that the mode has."""
        return s.XMM if self.mode == 64 else s.XMM[:8]

    def get(self, operand: Register | Memory | Value, type: Type | None = None) -> Value:
        """The operand's value, by default an integer of its width."""
        if isinstance(operand, Value):
            return operand
        type = type or integer(operand.width)
        if isinstance(operand, MmxRegister):
            return self.get_state(operand.offset, F80).bitcast(integer(80)).trunc(type.bits).bitcast(type)
        if isinstance(operand, Register):
            if type.bits == 256:
                low, high = (self.get_state(operand.offset + by, _half(type)) for by in (0, s.YMM_HIGH))
                return low.shuffle(high, range(type.lanes))
            return self.get_state(operand.offset, type)
        if operand.aligned:
            self.check_aligned(operand)
        return self.load(operand.address, type)

    def put(self, operand: Register | Memory, value: Value) -> None:
        """Write the operand. A 32-bit general register is zero-extended to 64 (SDM volume 1, 3.4.1.1)."""
        if isinstance(operand, Memory):
            if operand.aligned:
                self.check_aligned(operand)
            self.store(operand.address, value)
        elif isinstance(operand, MmxRegister):  # sign and exponent of the x87 register become ones
            bits = value.bitcast(I64).zext(80) | 0xFFFF << 64
            self.put_state(operand.offset, bits.bitcast(F80))
        elif isinstance(operand, VexRegister):
            self._put_vex(operand, value)
        else:
            if operand.width == 32 and value.type.is_int:
                value = value.zext(64)
            self.put_state(operand.offset, value)

    def _put_vex(self, operand: VexRegister, value: Value) -> None:
        low, high = value, self.function.const(vector(I64, 2), 0)
        if value.type.bits == 256:
            count = value.type.lanes
            low, high = (value.shuffle(value, range(at, at + count // 2)) for at in (0, count // 2))
        elif value.type.bits < 128:
            if value.type.is_vector:
                value = value.bitcast(integer(value.type.bits))
            low = self.function.const(vector(value.type, 128 // value.type.bits), 0).insert(0, value)
        self.put_state(operand.offset, low)
        self.put_state(operand.offset + s.YMM_HIGH, high)

    def put_xmm(self, operand: Register, value: Value) -> None:
        """Write the low bits of an XMM register and leave the rest."""
        self.put_state(operand.offset, value)

    def enter_mmx(self) -> None:
        """What every instruction that names an MMX register does to the x87 stack: no register is empty, TOP is 0."""
        self.put_slot("ftw", 0xFF)
        self.put_slot("top", 0)

    def check_aligned(self, operand: Memory) -> None:
        self.trap_if((operand.address & (operand.width // 8 - 1)).ne(0), "general_protection")

    def update(
        self, operand: Register | Memory, change: Callable[[Value], Value], rmw: str = "", by: Value | None = None
    ) -> Value:
        """Read, change and write an operand, atomically under a LOCK prefix; gives the old value.

        `rmw` and `by` name the atomic operation that is the same as `change`, if there is one.
        """
        if not self.lock or isinstance(operand, Register):
            old = self.get(operand)
            self.put(operand, change(old))
            return old
        if rmw and by is not None:
            return self.atomic(rmw, operand.address, by)
        type = integer(operand.width)
        expected, again = self.local(type), self.local(integer(1))
        expected.set(self.load(operand.address, type))
        again.set(1)
        with self.while_(lambda: again.get()):
            old = expected.get()
            seen = self.compare_exchange(operand.address, old, change(old))
            again.set(seen.ne(old))
            expected.set(seen)
        return expected.get()

    # --- addresses ----------------------------------------------------------------------------------------------------
    def effective_address(self, bias: Operand = 0) -> Value:
        """The linear address of the ModRM memory operand (SDM volume 1, 3.7.5), `bias` bytes further on."""
        return self._in_segment(self._offset_part(self.statics.memory) + bias)

    def indexed_address(self, index: Value) -> Value:
        """The linear address of a lane of a gather: `index` (i64) is that of the vector (SDM volume 2, 2.3.12)."""
        return self._in_segment(self._base_part() + self._scaled(index))

    def _in_segment(self, address: Value) -> Value:
        address = self._wrapped(address, self.address_size)
        if self.statics.memory in (MEMORY_BASE_SEGMENT, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED):
            address = self._wrapped(address + self._address_register(SEGMENT), self.mode)
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

    def linear(self, offset: Value) -> Value:
        """The linear address of an offset that the instruction implies: XLAT, MASKMOVDQU."""
        return self._wrapped(offset.trunc(self.address_size).zext(64) + self._segment_base(), self.mode)

    def check_writable(self, *addresses: Value) -> None:
        """Fault, before anything is stored, if one of these bytes cannot be written."""
        for address in addresses:
            self.atomic("or", address, self.const(0, 8))

    @property
    def address_size(self) -> int:
        """The address size in bits, for forms with a memory operand (or described with `addresses`)."""
        return self.mode // 2 if self.statics.memory == MEMORY_RESIZED else self.mode

    def string_source(self) -> Value:
        """Address of the source element of a string instruction: rSI, in a segment that may be overridden."""
        return self.linear(self.get(self.gpr(6, self.address_size)))

    def string_destination(self) -> Value:
        """Address of the destination element of a string instruction: rDI."""
        return self.get(self.gpr(7, self.address_size)).zext(64)

    def _segment_base(self) -> Operand:
        """Base of the segment that an override prefix names, for implicit memory operands."""
        plain = self.statics.memory in (MEMORY_BASE, MEMORY_INDEX)
        return 0 if plain else self._address_register(SEGMENT)

    def _address_register(self, number: int) -> Value:
        offset = self.binding.register(number)
        return self.const(0, 64) if isinstance(offset, int) and offset == s.ZERO else self.get_state(offset, I64)

    # --- flags --------------------------------------------------------------------------------------------------------
    def put_flags(self, flags: Flags) -> None:
        """Commit flags."""
        for slot, value in zip(_FLAG_SLOTS, flags.values, strict=True):
            if value is not None:
                self.put_state(slot, value.zext(8))
        self._defer(flags.deferred() if self.defers else None)

    def put_flags_if(self, condition: Value, flags: Flags) -> None:
        """Commit flags where `condition` is set, and leave them alone elsewhere."""
        if condition.is_const and condition.imm:
            self.put_flags(flags)
            return
        for slot, value in zip(_FLAG_SLOTS, flags.values, strict=True):
            if value is not None:
                self.put_state(slot, condition.select(value.zext(8), self.get_state(slot, I8)))
        self._defer(None)

    def _defer(self, how: tuple[int, Value, Value] | None) -> None:
        """Say what the flags just written can be computed from, or that they cannot."""
        if not self.defers:
            return
        self.put_state(s.DEFERRED, self.const(how[0] if how else 0, 8))
        if how:
            self.put_state(s.DEFERRED_A, how[1])
            self.put_state(s.DEFERRED_B, how[2])

    def _flag(self, slot: int) -> Value:
        return self.get_state(slot, I8).ne(0)

    @property
    def cf(self) -> Value:
        return self._flag(s.CF)

    @property
    def zf(self) -> Value:
        return self._flag(s.ZF)

    @property
    def sf(self) -> Value:
        return self._flag(s.SF)

    @property
    def of(self) -> Value:
        return self._flag(s.OF)

    @property
    def pf(self) -> Value:
        return (self.get_state(s.PARITY, I8).unary("popcnt") & 1).eq(0)

    @property
    def af(self) -> Value:
        return (self.get_state(s.ADJUST, I8) & 0x10).ne(0)

    @property
    def df(self) -> Value:
        return self._flag(s.DF)

    def rflags(self) -> Value:
        """The RFLAGS register, an i32."""
        value = (self.get_slot("eflags_rest") & ~s.FLAG_BITS) | 2
        flags = ((self.cf, 0), (self.pf, 2), (self.af, 4), (self.zf, 6), (self.sf, 7), (self.df, 10), (self.of, 11))
        for flag, bit in flags:
            value = value | flag.zext(32) << bit
        return value

    def put_rflags(self, value: Value) -> None:
        """Set the flags that have slots of their own from an RFLAGS value."""
        self.put_low_flags(value)
        self.put_state(s.DF, value.lshr(10).trunc(8) & 1)
        self.put_state(s.OF, value.lshr(11).trunc(8) & 1)

    def put_low_flags(self, value: Value) -> None:
        """Set SF, ZF, AF, PF and CF from the low byte of an RFLAGS value."""
        low = value.trunc(8)
        self.put_state(s.CF, low & 1)
        self.put_state(s.PARITY, (low.lshr(2) & 1) ^ 1)
        self.put_state(s.ADJUST, low & 0x10)
        self.put_state(s.ZF, low.lshr(6) & 1)
        self.put_state(s.SF, low.lshr(7))
        self._defer(None)

    def flag(self, value: bool) -> Value:
        """A constant flag."""
        return self.const(int(value), 1)

    def result_flags(self, result: Value) -> Flags:
        """SF, ZF and PF of a result; the others unchanged."""
        return Flags(parity=result.trunc(8), zf=result.eq(0), sf=result.slt(0))

    def logic_flags(self, result: Value) -> Flags:
        """Flags of AND, OR, XOR, TEST: CF = OF = 0; AF is undefined, hardware clears it."""
        zero = self.flag(False)
        return replace(self.result_flags(result), cf=zero, of=zero, adjust=self.const(0, 8), result=result)

    def add_flags(self, a: Value, b: Value, carry: Value | None = None) -> Flags:
        """Flags of a + b (+ carry, an i1)."""
        total = a + b
        if carry is None:
            result, cf = total, total.ult(a)
        else:
            result = total + carry.zext(a.width)
            cf = total.ult(a) | result.ult(total)
        flags = self.result_flags(result).but(
            cf=cf, adjust=(a ^ b ^ result).trunc(8), of=((a ^ result) & (b ^ result)).slt(0)
        )
        return flags if carry is not None else replace(flags, operation=(s.DEFER_ADD, a, b))

    def sub_flags(self, a: Value, b: Value, borrow: Value | None = None) -> Flags:
        """Flags of a - b (- borrow, an i1)."""
        difference = a - b
        if borrow is None:
            result, cf, zf = difference, a.ult(b), a.eq(b)
        else:
            result = difference - borrow.zext(a.width)
            cf = a.ult(b) | difference.ult(borrow.zext(a.width))
            zf = result.eq(0)
        flags = self.result_flags(result).but(
            cf=cf, zf=zf, adjust=(a ^ b ^ result).trunc(8), of=((a ^ b) & (a ^ result)).slt(0)
        )
        return flags if borrow is not None else replace(flags, operation=(s.DEFER_SUB, a, b))

    def keep_carry(self, flags: Flags, kind: int, operand: Value) -> Flags:
        """Flags of an increment or decrement, which leaves CF; where they are deferred, CF goes with the operand."""
        if not self.defers:
            return flags.but(cf=None)
        return replace(flags.but(cf=self.cf), operation=(kind, operand, self.cf.zext(operand.width)))

    def relation_flags(self, relation: Value) -> Flags:
        """ZF, PF and CF as `fcompare` gives them; the others clear."""
        zero = self.flag(False)
        parity = (relation & 4).eq(0).zext(8)
        return Flags((relation & 1).ne(0), parity, self.const(0, 8), (relation & 0x40).ne(0), sf=zero, of=zero)

    def condition(self, code: int) -> Value:
        """Condition `code` (0 to 15) of Jcc, SETcc and CMOVcc (SDM volume 1, appendix B)."""
        match code >> 1:
            case 0:
                value = self.of
            case 1:
                value = self.cf
            case 2:
                value = self.zf
            case 3:
                value = self.cf | self.zf
            case 4:
                value = self.sf
            case 5:
                value = self.pf
            case 6:
                value = self.sf ^ self.of
            case _:
                value = self.zf | (self.sf ^ self.of)
        return ~value if code & 1 else value

    # --- segments -----------------------------------------------------------------------------------------------------
    def segment_number(self, operand: Register) -> Value:
        """The number of a segment register as it is encoded (0 ES, 1 CS, 2 SS, 3 DS, 4 FS, 5 GS), i64."""
        number = operand.offset if isinstance(operand.offset, Value) else self.const(operand.offset, 64)
        return number & 7

    def selector(self, number: Value) -> Value:
        """The selector that segment register `number` holds, i16."""
        if self.mode == 64:
            code, stack = self.const(s.USER_CS_64, 16), self.const(s.USER_DS, 16)
            return number.eq(1).select(code, number.eq(2).select(stack, 0))
        at = number * 2 + s.SELECTORS[0]
        return self.get_state(int(at.imm) if at.is_const else at, I16)

    def descriptor_base(self, selector: Value, *, null: bool = True) -> Value:
        """The base of the data segment that a selector names, i64; #GP if user mode may not have it in a register.

        Linux lets it have the null selector (if `null`), its own code and data, and what it has described itself.
        """
        index = selector.lshr(3).zext(64)
        found = self.const(0, 64)
        for number, slot in enumerate(s.TLS):
            found = index.eq(s.TLS_FIRST + number).select(self.get_state(slot, I64), found)
        flat = index.eq(s.USER_DS >> 3)
        if null:
            flat = flat | index.eq(s.USER_CS_32 >> 3) | index.eq(s.USER_CS_64 >> 3) | index.eq(s.CPU_NUMBER >> 3)
        found = flat.select(self.const(s.TLS_PRESENT, 64), found)
        valid = (found & s.TLS_PRESENT).ne(0) & (selector & 4).eq(0)
        if null:
            valid = valid | (selector & ~3).eq(0)
        else:  # the stack's privilege level is that of the code
            valid = valid & (selector & 3).eq(3)
        self.trap_if(~valid, "general_protection")
        return found & 0xFFFF_FFFF

    def put_selector(self, number: Value, selector: Value) -> None:
        """Load a segment register but CS: #GP for what it may not hold. ES, SS and DS remain flat."""
        if number.is_const:
            base = self.descriptor_base(selector, null=int(number.imm) != 2)
            self.put_state(s.SELECTORS[int(number.imm)], selector)
            if int(number.imm) >= 4:
                self.put_state((s.FS_BASE, s.GS_BASE)[int(number.imm) - 4], base)
            return
        with self.if_(number.eq(2)):
            self.descriptor_base(selector, null=False)
        base = self.descriptor_base(selector)
        self.put_state(number * 2 + s.SELECTORS[0], selector)
        for own, slot in ((4, s.FS_BASE), (5, s.GS_BASE)):
            self.put_state(slot, number.eq(own).select(base, self.get_state(slot, I64)))

    # --- stack --------------------------------------------------------------------------------------------------------
    def stack_address(self, address: Value) -> Value:
        """An address of the stack's width."""
        return self._wrapped(address, self.mode)

    def push(self, value: Value) -> None:
        """Push a value; the store comes before rSP changes, so that a fault leaves it as it was."""
        top = self.stack_address(self.get_slot("rsp") - value.type.bytes)
        self.store(top, value)
        self.put_slot("rsp", top)

    def peek(self, width: int, behind: int = 0) -> Value:
        """The value at the top of the stack, or so many bytes behind; `drop` removes it once nothing can fault."""
        return self.load(self.stack_address(self.get_slot("rsp") + behind), integer(width))

    def drop(self, amount: Operand) -> None:
        """Add to rSP."""
        self.put_slot("rsp", self.stack_address(self.get_slot("rsp") + amount))
