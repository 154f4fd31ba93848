"""The emitter: what an instruction's semantics function writes its IR through.

It knows how operands are bound (`Constants` or `Parameters`), forwards state within a block, and offers structured
control. Guests derive from it to add their own helpers (flags, effective addresses).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from metaphrase.ir.graph import Block, Function, Imm, Operand, Terminator, Value
from metaphrase.ir.layout import Layout, Slot
from metaphrase.ir.ops import OPS
from metaphrase.ir.types import I64, VOID, Type, integer, vector
from metaphrase.translator.guest import Decoded

_GET, _PUT, _GET_AT, _PUT_AT = OPS["get"], OPS["put"], OPS["get_at"], OPS["put_at"]
_LOAD, _STORE = OPS["load"], OPS["store"]
_BASE, _FIELD = OPS["base"], OPS["field"]

Offset = int | Value
"""Where a register lies in the state: known, or a value in a tier-0 handler."""


class Binding(Protocol):
    """Where the operands of the instruction being emitted come from."""

    def register(self, number: int) -> Offset:
        """State offset of register operand `number`."""

    def immediate(self) -> Value:
        """The immediate operand, i64."""

    def target(self) -> Value:
        """The immediate operand as the guest address of a direct branch, i64."""

    def displacement(self) -> Value:
        """The displacement of a memory operand, i64."""

    def relative(self) -> Value:
        """The displacement as an address relative to the program counter, already summed, i64."""

    def pc(self) -> Value:
        """Address of this instruction."""

    def next_pc(self) -> Value:
        """Address of the instruction behind it."""


class Constants:
    """Operands of one decoded instruction as constants; addresses relative to the region's `origin`."""

    def __init__(self, function: Function, decoded: Decoded, origin: int) -> None:
        self.function, self.decoded, self.origin = function, decoded, origin
        self._base = function.pure(_BASE, I64, ())

    def _address(self, address: int) -> Value:
        return self._base + (address - self.origin)

    def register(self, number: int) -> Offset:
        return self.decoded.registers[number]

    def immediate(self) -> Value:
        return self.function.const(I64, self.decoded.immediate)

    def target(self) -> Value:
        return self._address(self.decoded.immediate)

    def displacement(self) -> Value:
        return self.function.const(I64, self.decoded.displacement)

    def relative(self) -> Value:
        return self._address(self.decoded.displacement)

    def pc(self) -> Value:
        return self._address(self.decoded.pc)

    def next_pc(self) -> Value:
        return self._address(self.decoded.next_pc)


class Parameters:
    """Operands as the fields of the record that a tier-0 handler is run with."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def _field(self, name: str) -> Value:
        return self.function.pure(_FIELD, I64, (), name)

    def register(self, number: int) -> Offset:
        return self._field(f"r{number}")

    def immediate(self) -> Value:
        return self._field("immediate")

    target = immediate

    def displacement(self) -> Value:
        return self._field("displacement")

    relative = displacement

    def pc(self) -> Value:
        return self._field("pc")

    def next_pc(self) -> Value:
        return self._field("next_pc")


class Emitter:
    """Writes the IR of instructions into `function`, at the end of `block`."""

    def __init__(self, function: Function, layout: Layout) -> None:
        self.function, self.layout = function, layout
        self.block: Block = function.block()
        self.binding: Binding = Parameters(function)
        self._known: dict[int, Value] = {}
        self.defers = False
        """Whether deferred slots are written as such (see `ir.layout.Deferred`): in compiled regions only."""
        self.checkpoint: int | None = None
        """In exact regions: where the instruction stands, as checkpoints have it (see the op)."""

    # --- values ----------------------------------------------------------------------------------------------------
    def const(self, value: int, width: int) -> Value:
        """The integer constant `value` of `width` bits."""
        return self.function.const(integer(width), value)

    def effect(self, name: str, type: Type, *args: Value, imm: Imm = None) -> Value:
        """Append the effect op `name`."""
        return self.function.effect(self.block, OPS[name], type, args, imm)

    def pure(self, name: str, type: Type, *args: Value, imm: Imm = None) -> Value:
        """The node of the pure op `name`."""
        return self.function.pure(OPS[name], type, args, imm)

    @property
    def pc(self) -> Value:
        return self.binding.pc()

    @property
    def next_pc(self) -> Value:
        return self.binding.next_pc()

    # --- guest state -----------------------------------------------------------------------------------------------
    def get_state(self, offset: Offset, type: Type) -> Value:
        """State at a byte offset; a value written or read before in this block is used again."""
        if isinstance(offset, Value):
            return self.function.effect(self.block, _GET_AT, type, (offset,))
        slot = self.layout.find(offset)
        if slot is None or offset + type.bytes > slot.end:
            return self.function.effect(self.block, _GET, type, (), offset)
        if offset == slot.offset and type is slot.type:
            return self._get_slot(slot)
        return _part(self._get_slot(slot), slot, offset, type)

    def _get_slot(self, slot: Slot) -> Value:
        known = self._known.get(slot.offset)
        if known is None:
            value = self.function.effect(self.block, _GET, slot.type, (), slot.offset)
            self._known[slot.offset] = value
            return value
        return known

    def put_state(self, offset: Offset, value: Value) -> None:
        """Write state at a byte offset. A part of a slot is merged into it: whole slots can live in registers."""
        if isinstance(offset, Value):
            self._known.clear()
            self.function.effect(self.block, _PUT_AT, VOID, (offset, value))
            return
        slot = self.layout.find(offset)
        if slot is None or offset + value.type.bytes > slot.end:
            self._known.clear()
            self.function.effect(self.block, _PUT, VOID, (value,), offset)
            return
        if value.type is not slot.type:
            value = _merged(self._get_slot(slot), slot, offset, value)
        self._known[slot.offset] = value
        self.function.effect(self.block, _PUT, VOID, (value,), slot.offset)

    def get_slot(self, name: str) -> Value:
        """A named slot of the state."""
        slot = self.layout[name]
        return self.get_state(slot.offset, slot.type)

    def put_slot(self, name: str, value: Operand) -> None:
        slot = self.layout[name]
        self.put_state(slot.offset, value if isinstance(value, Value) else self.function.const(slot.type, value))

    # --- guest memory ----------------------------------------------------------------------------------------------
    def load(self, address: Value, type: Type) -> Value:
        """Little-endian load; faults as the guest's access would."""
        return self.function.effect(self.block, _LOAD, type, (address,))

    def store(self, address: Value, value: Value) -> None:
        self.function.effect(self.block, _STORE, VOID, (address, value))

    def atomic(self, operation: str, address: Value, value: Value) -> Value:
        """Atomic read-modify-write (add, sub, and, or, xor, xchg, smin, smax, umin, umax); gives the old value."""
        return self.effect("rmw", value.type, address, value, imm=operation)

    def compare_exchange(self, address: Value, expected: Value, new: Value) -> Value:
        """Atomically store `new` if memory equals `expected`; gives the old value."""
        return self.effect("cmpxchg", new.type, address, expected, new)

    # --- control inside one instruction ----------------------------------------------------------------------------
    @contextmanager
    def if_(self, condition: Value) -> Iterator[None]:
        """What is written inside runs where `condition` (i1) is set. Values made inside must not be used outside."""
        then, after = self.function.block(), self.function.block()
        self._end(Terminator(OPS["branch"], (condition,), (then, after)))
        before = dict(self._known)
        self._start(then, dict(before))
        yield
        if not self.ended:
            self._end(Terminator(OPS["jump"], (), (after,)))
            before = {}  # what is known of the state differs between the two ways here
        self._start(after, before)

    def if_else(self, condition: Value, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        """Run one of two writers; join behind them."""
        yes, no, after = self.function.block(), self.function.block(), self.function.block()
        self._end(Terminator(OPS["branch"], (condition,), (yes, no)))
        known = dict(self._known)
        for block, write in ((yes, then), (no, otherwise)):
            self._start(block, dict(known))
            write()
            if self.block.terminator is None:
                self._end(Terminator(OPS["jump"], (), (after,)))
        self._start(after, {})

    @contextmanager
    def while_(self, condition: Callable[[], Value]) -> Iterator[None]:
        """Repeat what is written inside while `condition()`, evaluated anew before each turn, is set."""
        head, body, after = self.function.block(), self.function.block(), self.function.block()
        self._end(Terminator(OPS["jump"], (), (head,)))
        self._start(head, {})
        self._end(Terminator(OPS["branch"], (condition(),), (body, after)))
        self._start(body, {})
        yield
        if self.block.terminator is None:
            self._end(Terminator(OPS["jump"], (), (head,)))
        self._start(after, {})

    def resume_here(self) -> None:
        """An instruction that faults after this is resumed from here: its registers tell how far it has come."""
        if self.checkpoint is not None:
            self.effect("checkpoint", VOID, imm=self.checkpoint)

    def local(self, type: Type) -> Local:
        """A mutable variable of this function, for loops."""
        self.function.locals.append(type)
        return Local(self, len(self.function.locals) - 1, type)

    def _end(self, terminator: Terminator) -> None:
        assert self.block.terminator is None, f"{self.function.name}: code after the end of a block"
        self.block.terminator = terminator

    def _start(self, block: Block, known: dict[int, Value]) -> None:
        self.block, self._known = block, known

    def begin(self, block: Block) -> None:
        """Go on writing in `block`, of whose state nothing is known."""
        self._start(block, {})

    # --- control between instructions ------------------------------------------------------------------------------
    @property
    def ended(self) -> bool:
        """Whether the current block has its terminator."""
        return self.block.terminator is not None

    def next(self) -> None:
        """End this instruction; the following one comes next."""
        self._end(Terminator(OPS["next"], ()))

    def goto(self, target: Value, kind: str = "jump") -> None:
        """End this instruction and go on at a guest address; `kind` is "jump", "call" or "return"."""
        self._end(Terminator(OPS["goto"], (target,), imm=kind))

    def goto_if(self, condition: Value, target: Value) -> None:
        """A conditional direct jump: what is written after it happens only if it is not taken."""
        with self.if_(condition):
            self.goto(target)

    def leave(self, reason: str, resume: Value) -> None:
        """End this instruction by leaving guest code because of `reason`; the embedder resumes at `resume`."""
        self._end(Terminator(OPS["leave"], (resume,), imm=reason))

    def trap(self, reason: str) -> None:
        """Raise an exception of the guest at this instruction: leave with the pc still at it."""
        self.leave(reason, self.pc)

    def trap_if(self, condition: Value, reason: str) -> None:
        with self.if_(condition):
            self.trap(reason)


class Local:
    """A mutable variable of a function under construction."""

    def __init__(self, emitter: Emitter, number: int, type: Type) -> None:
        self.emitter, self.number, self.type = emitter, number, type

    def get(self) -> Value:
        return self.emitter.effect("read", self.type, imm=self.number)

    def set(self, value: Operand) -> None:
        if not isinstance(value, Value):
            value = self.emitter.function.const(self.type, value)
        self.emitter.effect("write", VOID, value, imm=self.number)


def _part(whole: Value, slot: Slot, offset: int, type: Type) -> Value:
    """The part of a slot's value at a byte offset, as `type`."""
    byte = offset - slot.offset
    if slot.type.is_int and type.bits <= slot.type.bits and not type.is_vector:
        shifted = whole.lshr(8 * byte) if byte else whole
        return shifted.trunc(type.bits).bitcast(type)
    lanes = whole.bitcast(_lanes(slot, type))
    if type.is_vector:
        first, count = byte // type.element.bytes, type.lanes
        return lanes if count == lanes.type.lanes else lanes.shuffle(lanes, range(first, first + count))
    return lanes.extract(byte // type.bytes)


def _merged(whole: Value, slot: Slot, offset: int, part: Value) -> Value:
    """A slot's value with `part` put in at a byte offset."""
    byte, type = offset - slot.offset, part.type
    if slot.type.is_int and not type.is_vector:
        bits = part.bitcast(integer(type.bits)).zext(slot.type.bits)
        keep = whole & ~(type.mask << 8 * byte)
        return keep | (bits << 8 * byte if byte else bits)
    if type.bits == slot.type.bits:
        return part.bitcast(slot.type)
    lanes = whole.bitcast(_lanes(slot, type))
    if type.is_vector:
        for index in range(type.lanes):
            lanes = lanes.insert(byte // type.element.bytes + index, part.extract(index))
    else:
        lanes = lanes.insert(byte // type.bytes, part)
    return lanes.bitcast(slot.type)


def _lanes(slot: Slot, type: Type) -> Type:
    return vector(type.element, slot.type.bits // type.element.bits)

