"""Run a function of the IR in Python: slow, plain, and the meaning that other backends are compared with.

The function's schedule is executed value by value: pure ops by `metaphrase.ir.evaluate`, effects by the handlers here,
floating point exactly by `metaphrase.ir.softfloat`. Guest state is a buffer laid out as the function's Layout says.
Values are little-endian in state and memory, lane 0 of a vector lowest; an i1 takes a byte.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from metaphrase.backends.reference.floats import FLOAT_OPS, LaneOp, extended_environment
from metaphrase.backends.reference.memory import Memory, MemoryFault
from metaphrase.ir.bits import Bits
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.evaluate import Raw, evaluate, from_bits, to_bits
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.schedule import schedule
from metaphrase.ir.softfloat import BEFORE_COMPUTING, DEFAULT_ENVIRONMENT, MASKS_SHIFT
from metaphrase.ir.types import F80, VOID, Type

_ADDRESSES = (1 << 64) - 1


class InterpreterError(MetaphraseError):
    """The function cannot be run as asked: an input is missing, or it does not end within the step limit."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    kind "next": the instruction is over. "goto": go on at guest address `pc` (`transfer` is "jump", "call" or
    "return"). "leave": leave for `reason`, resume at `pc`. "ret": a function that is not guest code gave `value`.
    "fault": the `access` ("read" or "write") of guest memory at `address` failed; effects before it have happened.
    "exception": a floating-point exception that is not masked; its flag is set.
    """

    kind: str
    pc: int | None = None
    value: Raw | None = None
    reason: str | None = None
    transfer: str | None = None
    address: int | None = None
    access: str | None = None
    origin: int | None = None
    """Of a fault: where the instruction lies that faulted, as an offset from the region's base."""
    block: str | None = None
    """Name of the block that the run ended in."""


class _FloatException(Exception):
    """An operation raised a flag that the environment does not mask."""


class Interpreter:
    """One function bound to the state and memory it works on; `run` may be called again and again.

    `state` and `memory` are changed in place. `base` is what the op `base` gives, `fields` what `field` gives by name,
    `arguments` what `arg` gives; `host` is the memory of `peek` and `poke`. `fenv` is the
    floating-point environment (MXCSR's layout), in which flags accumulate. A run of more than `limit` steps
    raises InterpreterError.
    """

    def __init__(
        self,
        function: Function,
        *,
        state: bytearray,
        memory: Memory,
        base: int = 0,
        fields: Mapping[str, int] = MappingProxyType({}),
        arguments: Sequence[Raw] = (),
        host: Memory | None = None,
        limit: int = 1_000_000,
    ) -> None:
        self.function, self.state, self.memory, self.host = function, state, memory, host
        self.base, self.fields, self.arguments, self.limit = base, fields, arguments, limit
        self.fenv = DEFAULT_ENVIRONMENT
        self.f80_control, self.f80_flags = 0x37F, 0
        self.cycles: Callable[[], int] = time.perf_counter_ns
        self.random: Callable[[], int] = partial(secrets.randbits, 64)
        self.interrupt: Callable[[], bool] = lambda: False
        """Asked by `poll`: whether to leave, for the reason "interrupt"."""
        self.steps = self.instructions = 0
        """Values computed in this run, and guest instructions that its `count` ops announced."""
        self._running: Value | None = None
        self._schedule: dict[Block, list[Value]] = dict(schedule(function))
        self._values: dict[int, Raw] = {}
        self._locals: MutableSequence[Raw | None] = []

    def run(self) -> Outcome:
        """Run from the entry block to the first terminator that leaves the function."""
        self._values.clear()
        self._locals = [None] * len(self.function.locals)
        self.steps = self.instructions = 0
        block = self.function.blocks[0]
        while True:
            try:
                self._run_block(block)
            except _FloatException:
                return Outcome("exception", block=block.name)
            except MemoryFault as fault:
                at = self._running.origin if self._running is not None else None
                return Outcome("fault", address=fault.address, access=fault.access, origin=at, block=block.name)
            end = block.terminator
            if end is None:
                raise InterpreterError(f"{self.function.name}: block {block.name} has no terminator")
            if end.op.name == "jump":
                block = end.targets[0]
            elif end.op.name == "branch":
                block = end.targets[0 if self.value(end.args[0]) else 1]
            else:
                return self._outcome(end, block)

    def _run_block(self, block: Block) -> None:
        values = self._schedule[block]
        self.steps += len(values) + 1
        if self.steps > self.limit:
            raise InterpreterError(
                f"{self.function.name} took more than {self.limit} steps (now in block {block.name}); "
                "it may loop for ever: raise `limit` if it should not"
            )
        for value in values:
            if value.op.is_pure:
                operands = [self.value(arg) for arg in value.args]
                types = [arg.type for arg in value.args]
                self._values[value.id] = evaluate(value.op, value.type, operands, types, value.imm)
            else:
                self._running = value
                self._effect(value)

    def _effect(self, value: Value) -> None:
        operands = [self.value(arg) for arg in value.args]
        lanes = FLOAT_OPS.get(value.op.name)
        if lanes is not None:
            result: Raw | None = self._float(lanes, value, operands)
        else:
            result = _EFFECTS[value.op.name](self, value, *operands)
        if value.type is not VOID:
            assert result is not None
            self._values[value.id] = result

    def _float(self, operation: LaneOp | tuple[LaneOp, LaneOp], value: Value, operands: list[Raw]) -> Raw:
        source, target = value.args[0].type, value.type
        extended = F80 in (source, target)
        environment = extended_environment(self.f80_control) if extended else self.fenv
        results = []
        for lane in range(target.lanes):
            inputs = [a if isinstance(a, int) else a[lane] for a in operands]
            on_lane = operation[lane % 2] if isinstance(operation, tuple) else operation
            bits, flags = on_lane(source.element, target.element, value.imm, environment, *inputs)
            results.append((bits, flags))
        raised = 0
        for _, flags in results:
            raised |= flags
        if extended:
            self.f80_flags |= raised
        else:
            unmasked = ~environment >> MASKS_SHIFT & 0x3F
            if raised & unmasked & BEFORE_COMPUTING:  # in any lane: none is computed (SDM volume 1, 11.5.3)
                raised &= BEFORE_COMPUTING
            self.fenv |= raised
            if raised & unmasked:
                raise _FloatException
        return tuple(bits for bits, _ in results) if target.is_vector else results[0][0]

    def value(self, value: Value) -> Raw:
        """The current value of an operand. Leaves (constants and inputs) are not in the schedule."""
        if value.args or not value.op.is_pure:
            try:
                return self._values[value.id]
            except KeyError:
                raise InterpreterError(f"{self.function.name}: {value!r} is used before it was computed") from None
        match value.op.name:
            case "const":
                return value.imm
            case "base":
                return self.base & _ADDRESSES
            case "arg":
                if value.imm >= len(self.arguments):
                    raise InterpreterError(f"{self.function.name} was given no argument number {value.imm}")
                return _cut(value.type, self.arguments[value.imm])
            case "field":
                if value.imm not in self.fields:
                    raise InterpreterError(f"{self.function.name} was given no field {value.imm!r}")
                return self.fields[value.imm] & value.type.mask
        raise InterpreterError(f"{self.function.name}: no value is known for {value!r}")

    def _outcome(self, end: Terminator, block: Block) -> Outcome:
        operands = [self.value(arg) for arg in end.args]
        match end.op.name:
            case "next":
                return Outcome("next", block=block.name)
            case "goto":
                return Outcome("goto", pc=_address(operands[0]), transfer=end.imm, block=block.name)
            case "leave":
                return Outcome("leave", pc=_address(operands[0]), reason=end.imm, block=block.name)
            case "ret":
                return Outcome("ret", value=operands[0] if operands else None, block=block.name)
        raise InterpreterError(f"{self.function.name}: block {block.name} ends in the unknown {end!r}")

    # --- state and memory -------------------------------------------------------------------------------------------
    def get_state(self, offset: int, type: Type) -> Raw:
        """The value of `type` at a byte offset of the guest state."""
        self._check_state(offset, type)
        return from_bits(type, int.from_bytes(self.state[offset : offset + type.bytes], "little"))

    def put_state(self, offset: int, type: Type, value: Raw) -> None:
        """Write a value at a byte offset of the guest state."""
        self._check_state(offset, type)
        self.state[offset : offset + type.bytes] = to_bits(type, value).to_bytes(type.bytes, "little")

    def _check_state(self, offset: int, type: Type) -> None:
        if offset < 0 or offset + type.bytes > len(self.state):
            raise InterpreterError(
                f"{self.function.name} touches bytes {offset} to {offset + type.bytes - 1} of the guest state, "
                f"which has {len(self.state)}"
            )


def _address(value: Raw) -> int:
    assert isinstance(value, int)
    return value


def _cut(type: Type, value: Raw) -> Raw:
    """A value given by a caller as raw bits of `type`; negative integers wrap."""
    if isinstance(value, int):
        if type.is_vector:
            raise InterpreterError(f"{value:#x} is one number; a {type} is a tuple of {type.lanes} lanes")
        return value & type.mask
    if len(value) != type.lanes or not type.is_vector:
        raise InterpreterError(f"{value} has {len(value)} lanes; a {type} has {type.lanes}")
    return tuple(lane & type.element.mask for lane in value)


def _read(memory: Memory, address: int, type: Type) -> Raw:
    return from_bits(type, int.from_bytes(memory.read(address, type.bytes), "little"))


def _write(memory: Memory, address: int, type: Type, value: Raw) -> None:
    memory.write(address, to_bits(type, value).to_bytes(type.bytes, "little"))


_Effect = Callable[..., Raw | None]
_EFFECTS: dict[str, _Effect] = {}


def _effect(name: str) -> Callable[[_Effect], _Effect]:
    """Declare how the effect op `name` runs: called with the interpreter, the node, and the operands' values."""

    def declare(function: _Effect) -> _Effect:
        _EFFECTS[name] = function
        return function

    return declare


@_effect("get_fenv")
def _get_fenv(run: Interpreter, node: Value) -> Raw:
    return run.fenv


@_effect("set_fenv")
def _set_fenv(run: Interpreter, node: Value, environment: int) -> None:
    run.fenv = environment


@_effect("set_f80_control")
def _set_f80_control(run: Interpreter, node: Value, control: int) -> None:
    run.f80_control = control


@_effect("take_f80_flags")
def _take_f80_flags(run: Interpreter, node: Value) -> Raw:
    flags, run.f80_flags = run.f80_flags, 0
    return flags


@_effect("get")
def _get(run: Interpreter, node: Value) -> Raw:
    return run.get_state(node.imm, node.type)


@_effect("put")
def _put(run: Interpreter, node: Value, value: Raw) -> None:
    run.put_state(node.imm, node.args[0].type, value)


@_effect("get_at")
def _get_at(run: Interpreter, node: Value, offset: int) -> Raw:
    return run.get_state(offset, node.type)


@_effect("put_at")
def _put_at(run: Interpreter, node: Value, offset: int, value: Raw) -> None:
    run.put_state(offset, node.args[1].type, value)


@_effect("load")
@_effect("near_load")
def _load(run: Interpreter, node: Value, address: int) -> Raw:
    return _read(run.memory, address, node.type)


@_effect("store")
@_effect("near_store")
def _store(run: Interpreter, node: Value, address: int, value: Raw) -> None:
    _write(run.memory, address, node.args[1].type, value)


def _read_to_write(run: Interpreter, address: int, type: Type) -> Bits:
    """The old value of an atomic access, which faults as a write even where the read is what fails."""
    try:
        return Bits(type.bits, int.from_bytes(run.memory.read(address, type.bytes), "little"))
    except MemoryFault as fault:
        raise MemoryFault(fault.address, "write") from None


_RMW: dict[str, Callable[[Bits, Bits], Bits]] = {
    "add": lambda old, operand: old + operand,
    "sub": lambda old, operand: old - operand,
    "and": lambda old, operand: old & operand,
    "or": lambda old, operand: old | operand,
    "xor": lambda old, operand: old ^ operand,
    "xchg": lambda old, operand: operand,
    "smax": lambda old, operand: old.slt(operand).ite(operand, old),
    "smin": lambda old, operand: old.slt(operand).ite(old, operand),
    "umax": lambda old, operand: old.ult(operand).ite(operand, old),
    "umin": lambda old, operand: old.ult(operand).ite(old, operand),
}


@_effect("rmw")
def _rmw(run: Interpreter, node: Value, address: int, operand: int) -> Raw:
    old = _read_to_write(run, address, node.type)
    _write(run.memory, address, node.type, _RMW[node.imm](old, Bits(node.type.bits, operand)).value)
    return old.value


@_effect("cmpxchg")
def _cmpxchg(run: Interpreter, node: Value, address: int, expected: int, new: int) -> Raw:
    old = _read_to_write(run, address, node.type).value
    # The bus writes either way, so memory that is only readable faults either way.
    _write(run.memory, address, node.type, new if old == expected else old)
    return old


@_effect("fence")
def _fence(run: Interpreter, node: Value) -> None:
    pass  # one thread runs at a time here, in program order


@_effect("cycles")
def _cycles(run: Interpreter, node: Value) -> Raw:
    return run.cycles() & node.type.mask


@_effect("random")
def _random(run: Interpreter, node: Value) -> Raw:
    return run.random() & node.type.mask


@_effect("count")
def _count(run: Interpreter, node: Value) -> None:
    run.instructions += node.imm


@_effect("checkpoint")
def _checkpoint(run: Interpreter, node: Value) -> None:
    """Nothing to do: every effect is seen at once."""


@_effect("poll")
def _poll(run: Interpreter, node: Value) -> Raw:
    return int(run.interrupt())


def _host(run: Interpreter) -> Memory:
    if run.host is None:
        raise InterpreterError(f"{run.function.name} peeks or pokes: pass the runtime's memory as `host`")
    return run.host


@_effect("peek")
def _peek(run: Interpreter, node: Value, address: int) -> Raw:
    return _read(_host(run), address, node.type)


@_effect("poke")
def _poke(run: Interpreter, node: Value, address: int, value: Raw) -> None:
    _write(_host(run), address, node.args[1].type, value)


@_effect("read")
def _read_local(run: Interpreter, node: Value) -> Raw:
    value = run._locals[node.imm]
    if value is None:
        raise InterpreterError(f"{run.function.name} reads its local variable {node.imm} before it is written")
    return value


@_effect("write")
def _write_local(run: Interpreter, node: Value, value: Raw) -> None:
    run._locals[node.imm] = value


IMPLEMENTED = frozenset(_EFFECTS) | frozenset(FLOAT_OPS)
"""Names of the effect ops that run here; a test compares them with the table."""
