"""The emitter of x86 semantics: operands and flags; addresses are what `AddressEmitter` knows.

Operands are passed to semantics functions as `Register` and `Memory` (read with `m.get`, written with `m.put`) or, for
immediates and branch targets, as values. The widths are static, so a Python condition may depend on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from metaphrase.ir.graph import Value
from metaphrase.ir.types import F80, I8, I64, Type, integer, vector
from metaphrase.translator.emitter import Offset
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import Address, AddressEmitter


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
    """A memory operand: its address and width in bits; `aligned` to its size or #GP."""

    address: Address
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


class X86Emitter(AddressEmitter):
    """See the module."""

    # --- operands -----------------------------------------------------------------------------------------------------
    @property
    def lock(self) -> bool:
        return self.statics.lock

    def gpr(self, number: int, width: int = 64) -> Register:
        """General register `number` by encoding (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 r8, ...)."""
        return Register(s.GPR[number], width)

    @property
    def vectors(self) -> list[int]:
        """The state offsets of the vector registers that the mode has."""
        return s.XMM if self.mode.is_long else s.XMM[:8]

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
        self.trap_if((self.linear(operand.address) & (operand.width // 8 - 1)).ne(0), "general_protection")

    def check_store(self, target: Memory) -> None:
        """Fault now if a store would, where what is done before it must not be seen then."""
        address = self._checked(target.address, target.width // 8, s.WRITABLE)
        last_page = address + (target.width // 8 - 1) & -4096  # a store over its edge faults at its first byte
        self.check_writable(address, last_page)

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
