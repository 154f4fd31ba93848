"""Run a function of the IR in Python: slow, plain, and the meaning that other backends are compared with.

The function is compiled to Python, its schedule line by line (`code.py`): pure ops by their meanings in the table
(`operations.py`), effects by the handlers here, floating point exactly by `metaphrase.ir.softfloat`. Guest state is a
buffer laid out as the function's Layout says. Values are little-endian in state and memory, lane 0 of a vector lowest;
an i1 takes a byte.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from metaphrase.backends.reference.code import INLINE, Effect, FunctionCode
from metaphrase.backends.reference.floats import FLOAT_OPS, LaneOp, extended_environment
from metaphrase.backends.reference.memory import Memory, MemoryFault
from metaphrase.backends.reference.operations import reader, writer
from metaphrase.backends.reference.outcome import FloatException, InterpreterError, Outcome
from metaphrase.ir.bits import Bits
from metaphrase.ir.evaluate import Raw
from metaphrase.ir.graph import Function, Value
from metaphrase.ir.softfloat import BEFORE_COMPUTING, DEFAULT_ENVIRONMENT, MASKS_SHIFT
from metaphrase.ir.types import F80, Type

_ADDRESSES = (1 << 64) - 1


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
        self.instructions = 0
        """Guest instructions that the `count` ops of this run announced."""
        self._code = FunctionCode(function, _EFFECTS)

    def run(self) -> Outcome:
        """Run from the entry block to the first terminator that leaves the function."""
        self.instructions = 0
        if self._code.extent > len(self.state):
            self._check_state(0, self._code.extent)
        return self._code.run(self, self.state, self.memory)

    def input(self, value: Value) -> Raw:
        """The value of a leaf that is fixed while the function runs."""
        match value.op.name:
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

    # --- state and memory -------------------------------------------------------------------------------------------
    def get_state(self, offset: int, type: Type) -> Raw:
        """The value of `type` at a byte offset of the guest state."""
        self._check_state(offset, type.bytes)
        return reader(type)(self.state, offset)

    def put_state(self, offset: int, type: Type, value: Raw) -> None:
        """Write a value at a byte offset of the guest state."""
        self._check_state(offset, type.bytes)
        self.state[offset : offset + type.bytes] = writer(type)(value)

    def _check_state(self, offset: int, size: int) -> None:
        if offset < 0 or offset + size > len(self.state):
            raise InterpreterError(
                f"{self.function.name} touches bytes {offset} to {offset + size - 1} of the guest state, "
                f"which has {len(self.state)}"
            )


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
    return reader(type)(memory.read(address, type.bytes), 0)


def _write(memory: Memory, address: int, type: Type, value: Raw) -> None:
    memory.write(address, writer(type)(value))


_EFFECTS: dict[str, Effect] = {}


def _effect(name: str) -> Callable[[Effect], Effect]:
    """Declare how the effect op `name` runs: called with the interpreter, the node, and the operands' values."""

    def declare(function: Effect) -> Effect:
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


@_effect("get_at")
def _get_at(run: Interpreter, node: Value, offset: int) -> Raw:
    return run.get_state(offset, node.type)


@_effect("put_at")
def _put_at(run: Interpreter, node: Value, offset: int, value: Raw) -> None:
    run.put_state(offset, node.args[1].type, value)


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


def _floating(operation: LaneOp | tuple[LaneOp, LaneOp]) -> Effect:
    """An effect that is an operation on each lane; a pair is of even and odd ones."""

    def effect(run: Interpreter, node: Value, *operands: Raw) -> Raw:
        source, target = node.args[0].type, node.type
        extended = F80 in (source, target)
        environment = extended_environment(run.f80_control) if extended else run.fenv
        lanes: list[int] = []
        raised = 0
        for lane in range(target.lanes):
            inputs = [a if isinstance(a, int) else a[lane] for a in operands]
            on_lane = operation[lane % 2] if isinstance(operation, tuple) else operation
            bits, flags = on_lane(source.element, target.element, node.imm, environment, *inputs)
            lanes.append(bits)
            raised |= flags
        if extended:
            run.f80_flags |= raised
        else:
            unmasked = ~environment >> MASKS_SHIFT & 0x3F
            if raised & unmasked & BEFORE_COMPUTING:  # in any lane: none is computed (SDM volume 1, 11.5.3)
                raised &= BEFORE_COMPUTING
            run.fenv |= raised
            if raised & unmasked:
                raise FloatException
        return tuple(lanes) if target.is_vector else lanes[0]

    return effect


_EFFECTS.update({name: _floating(operation) for name, operation in FLOAT_OPS.items()})
IMPLEMENTED = INLINE | _EFFECTS.keys()
"""Names of the effect ops that run here; a test compares them with the table."""
