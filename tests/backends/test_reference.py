"""The reference interpreter: effects, faults, control, floating point."""

from __future__ import annotations

import random
import struct

import pytest

from metaphrase.backends.reference import Interpreter, InterpreterError, MemoryFault, PagedMemory
from metaphrase.backends.reference.interpreter import IMPLEMENTED
from metaphrase.backends.reference.operations import operation, reader, writer
from metaphrase.ir.evaluate import Raw, evaluate, from_bits, to_bits
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import EFFECT, OPS
from metaphrase.ir.types import F32, F64, I1, I8, I16, I32, I64, I128, VOID, Type, parse_type, vector

LAYOUT = Layout("test")
A = LAYOUT.add("a", I64)
FLAG = LAYOUT.add("flag", I1)
FOUR = vector(I32, 4)
V = LAYOUT.add("v", FOUR)


class Builder:
    """The least that these tests need to write functions."""

    def __init__(self, *parameters: Type) -> None:
        self.function = Function("test", LAYOUT, parameters)
        self.block = self.function.block()
        self.memory, self.host = PagedMemory(), PagedMemory()
        self.state = bytearray(LAYOUT.size)

    def arg(self, number: int) -> Value:
        return self.function.pure(OPS["arg"], self.function.parameters[number], (), number)

    def const(self, value: int, type: Type = I64) -> Value:
        return self.function.const(type, value)

    def effect(self, name: str, type: Type, *args: Value, imm: object = None) -> Value:
        return self.function.effect(self.block, OPS[name], type, args, imm)

    def end(self, name: str, *args: Value, targets: tuple[Block, ...] = (), imm: object = None) -> None:
        self.block.terminator = Terminator(OPS[name], args, targets, imm)

    def interpreter(self, *arguments: Raw, limit: int = 1000) -> Interpreter:
        return Interpreter(
            self.function, state=self.state, memory=self.memory, host=self.host, base=0x1000,
            fields={"r0": A}, arguments=arguments, limit=limit,
        )  # fmt: skip


def single(
    name: str, result: Type, *operands: tuple[Type, Raw], imm: object = None, fenv: int = 0x1F80
) -> tuple[Raw, int]:
    """The result of one effect on arguments, and the environment after it."""
    build = Builder(*[type for type, _ in operands])
    build.end("ret", build.effect(name, result, *[build.arg(i) for i in range(len(operands))], imm=imm))
    run = build.interpreter(*[value for _, value in operands])
    run.fenv = fenv
    value = run.run().value
    assert value is not None
    return value, run.fenv


def double(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


def test_every_effect_of_the_table_runs() -> None:
    assert {name for name, op in OPS.items() if op.trait is EFFECT} == IMPLEMENTED


def test_state_is_little_endian_with_lane_0_lowest() -> None:
    build = Builder()
    build.effect("put", VOID, build.const(0x1122334455667788), imm=A)
    build.effect("put", VOID, build.const(1, I1), imm=FLAG)
    build.effect("put", VOID, build.function.const(vector(I32, 4), (1, 2, 3, 4)), imm=V)
    high = build.effect("get_at", I16, build.const(A + 6))
    build.end("ret", high)
    assert build.interpreter().run().value == 0x1122
    assert build.state[A] == 0x88
    assert build.state[FLAG] == 1
    assert build.state[V : V + 8] == bytes([1, 0, 0, 0, 2, 0, 0, 0])


def test_state_access_outside_is_an_error() -> None:
    build = Builder()
    build.end("ret", build.effect("get_at", I64, build.const(LAYOUT.size - 4)))
    with pytest.raises(InterpreterError, match="of the guest state, which has"):
        build.interpreter().run()


def test_memory_and_inputs() -> None:
    build = Builder(I32)
    build.memory.map(0x1000, 4096)
    address = build.function.pure(OPS["base"], I64, ()) + 8
    build.effect("store", VOID, address, build.arg(0))
    build.effect("put_at", VOID, build.function.pure(OPS["field"], I64, (), "r0"), address)
    build.end("goto", build.effect("load", I16, address).zext(64), imm="call")
    outcome = build.interpreter(-2).run()
    assert (outcome.kind, outcome.pc, outcome.transfer) == ("goto", 0xFFFE, "call")
    assert build.memory.read(0x1008, 4) == b"\xfe\xff\xff\xff"
    assert build.state[A : A + 2] == b"\x08\x10"


def test_a_fault_keeps_the_effects_before_it() -> None:
    build = Builder()
    build.memory.map(0x1000, 4096, writable=False)
    build.effect("put", VOID, build.const(7), imm=A)
    build.effect("store", VOID, build.const(0x1FFC), build.const(1))
    build.effect("put", VOID, build.const(8), imm=A)
    build.end("next")
    outcome = build.interpreter().run()
    assert (outcome.kind, outcome.address, outcome.access, build.state[A]) == ("fault", 0x1FFC, "write", 7)


def test_a_fault_names_the_first_bad_byte() -> None:
    build = Builder()
    build.memory.map(0x1000, 4096)
    build.end("ret", build.effect("load", I128, build.const(0x1FF8)))
    outcome = build.interpreter().run()
    assert (outcome.kind, outcome.address, outcome.access) == ("fault", 0x2000, "read")
    with pytest.raises(MemoryFault):
        build.memory.write(0x1FFF, b"ab")
    assert build.memory.read(0x1FFF, 1) == b"\0"


@pytest.mark.parametrize(
    ("operation", "left"),
    [
        *[("add", 3), ("sub", 1), ("and", 0), ("or", 3), ("xor", 3)],
        *[("xchg", 1), ("smax", 2), ("smin", 1), ("umax", 2), ("umin", 1)],
    ],
)
def test_read_modify_write(operation: str, left: int) -> None:
    build = Builder()
    build.memory.map(0x1000, b"\x02")
    build.end("ret", build.effect("rmw", I8, build.const(0x1000), build.const(1, I8), imm=operation))
    assert build.interpreter().run().value == 2
    assert build.memory.read(0x1000, 1)[0] == left


def test_signed_read_modify_write() -> None:
    build = Builder()
    build.memory.map(0x1000, b"\xff")
    build.effect("rmw", I8, build.const(0x1000), build.const(1, I8), imm="smax")
    build.end("next")
    assert build.interpreter().run().kind == "next"
    assert build.memory.read(0x1000, 1)[0] == 1


@pytest.mark.parametrize(("expected", "left"), [(5, 9), (6, 5)])
def test_compare_and_exchange(expected: int, left: int) -> None:
    build = Builder()
    build.memory.map(0x1000, b"\x05")
    build.end("ret", build.effect("cmpxchg", I8, build.const(0x1000), build.const(expected, I8), build.const(9, I8)))
    assert build.interpreter().run().value == 5
    assert build.memory.read(0x1000, 1)[0] == left


def test_an_atomic_access_faults_as_a_write() -> None:
    build = Builder()
    build.end("ret", build.effect("rmw", I8, build.const(0x1000), build.const(1, I8), imm="add"))
    assert build.interpreter().run().access == "write"


def test_runtime_memory() -> None:
    build = Builder()
    build.host.map(0x1000, 16)
    build.effect("poke", VOID, build.const(0x1004), build.const(0x1234, I16))
    build.effect("fence", VOID)
    build.end("ret", build.effect("peek", I32, build.const(0x1004)))
    assert build.interpreter().run().value == 0x1234
    build.host = None  # type: ignore[assignment]
    with pytest.raises(InterpreterError, match="pass the runtime's memory as `host`"):
        build.interpreter().run()


def loop() -> Builder:
    """Sums argument 0 down to 1."""
    build = Builder(I32)
    build.function.locals += [I32, I32]
    head, body, after = build.function.block("head"), build.function.block("body"), build.function.block("after")
    build.effect("write", VOID, build.arg(0), imm=0)
    build.effect("write", VOID, build.const(0, I32), imm=1)
    build.end("jump", targets=(head,))
    build.block = head
    build.end("branch", build.effect("read", I32, imm=0).ne(0), targets=(body, after))
    build.block = body
    count = build.effect("read", I32, imm=0)
    build.effect("write", VOID, build.effect("read", I32, imm=1) + count, imm=1)
    build.effect("write", VOID, count - 1, imm=0)
    build.end("jump", targets=(head,))
    build.block = after
    build.end("ret", build.effect("read", I32, imm=1))
    return build


def test_loops_over_local_variables() -> None:
    assert loop().interpreter(10).run().value == 55


def test_the_step_limit_is_an_error() -> None:
    with pytest.raises(InterpreterError, match=r"took more than 1000 steps .* it may loop for ever"):
        loop().interpreter(1000).run()


def test_a_local_variable_is_written_before_it_is_read() -> None:
    build = Builder()
    build.function.locals.append(I32)
    build.end("ret", build.effect("read", I32, imm=0))
    with pytest.raises(InterpreterError, match="local variable 0 before it is written"):
        build.interpreter().run()


def test_leaving() -> None:
    build = Builder()
    build.end("leave", build.function.pure(OPS["base"], I64, ()) + 2, imm="syscall")
    outcome = build.interpreter().run()
    assert (outcome.kind, outcome.reason, outcome.pc) == ("leave", "syscall", 0x1002)


def test_interrupts_are_polled() -> None:
    build = Builder()
    build.effect("count", VOID, imm=3)
    build.end("ret", build.effect("poll", I1))
    run = build.interpreter()
    assert (run.run().value, run.instructions) == (0, 3)
    run.interrupt = lambda: True
    assert run.run().value == 1


def test_the_counter_of_cycles_does_not_go_back() -> None:
    build = Builder()
    first, second = build.effect("cycles", I64), build.effect("cycles", I64)
    build.end("ret", first.ule(second))
    assert build.interpreter().run().value == 1


# --- floating point ---------------------------------------------------------------------------------------------------
D = {value: (F64, double(value)) for value in (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, -1.0, float("inf"), float("nan"))}
QUIET_NAN = double(float("nan"))
INVALID, DIVIDE, INEXACT = 1, 4, 32


@pytest.mark.parametrize(
    ("name", "operands", "result", "flags"),
    [
        ("fadd", (1.0, 1.5), 2.5, 0),
        ("fsub", (1.0, 2.5), -1.5, 0),
        ("fmul", (1.5, 2.0), 3.0, 0),
        ("fdiv", (1.0, 2.0), 0.5, 0),
        ("fdiv", (1.0, 3.0), 1 / 3, INEXACT),
        ("fdiv", (1.0, 0.0), float("inf"), DIVIDE),
        ("fsqrt", (2.0,), 2.0**0.5, INEXACT),
        ("fma", (1.5, 2.0, 1.0), 4.0, 0),
        ("fms", (1.5, 2.0, 1.0), 2.0, 0),
        ("fnma", (1.5, 2.0, 1.0), -2.0, 0),
        ("fnms", (1.5, 2.0, 1.0), -4.0, 0),
    ],
)
def test_float_arithmetic(name: str, operands: tuple[float, ...], result: float, flags: int) -> None:
    assert single(name, F64, *[D[value] for value in operands]) == (double(result), 0x1F80 | flags)


@pytest.mark.parametrize(
    ("name", "operands", "result", "flags"),
    [
        ("feq", (1.0, 1.0), 1, 0),
        ("feq", (1.0, float("nan")), 0, 0),
        ("flt", (1.0, 2.0), 1, 0),
        ("flt", (2.0, 2.0), 0, 0),
        ("flt", (1.0, float("nan")), 0, INVALID),
        ("fle", (2.0, 2.0), 1, 0),
        ("funord", (1.0, 2.0), 0, 0),
        ("funord", (float("nan"), 2.0), 1, 0),
    ],
)
def test_float_comparison(name: str, operands: tuple[float, ...], result: int, flags: int) -> None:
    nan = D[float("inf")]
    pairs = [D.get(value, nan) if value == value else (F64, QUIET_NAN) for value in operands]
    assert single(name, I1, *pairs) == (result, 0x1F80 | flags)


def test_float_conversion_obeys_the_environment() -> None:
    down, up = 0x1F80 | 1 << 13, 0x1F80 | 2 << 13
    assert single("ftosi", I32, D[2.5]) == (2, 0x1F80 | INEXACT)
    assert single("ftosi", I32, D[2.5], fenv=up) == (3, up | INEXACT)
    assert single("ftosi", I32, D[-1.0]) == (0xFFFFFFFF, 0x1F80)
    assert single("ftosi", I32, D[float("inf")]) == (0x80000000, 0x1F80 | INVALID)
    assert single("ftosi_trunc", I32, D[2.5], fenv=up) == (2, up | INEXACT)
    assert single("sitof", F64, (I32, 0xFFFFFFFF)) == (double(-1.0), 0x1F80)
    assert single("sitof", F32, (I32, 0x01000001)) == (0x4B800000, 0x1F80 | INEXACT)
    assert single("fconvert", F32, D[1.5]) == (0x3FC00000, 0x1F80)
    assert single("fround", F64, D[1.5], imm=1) == (double(1.0), 0x1F80 | INEXACT)
    assert single("fround", F64, D[2.5], imm=4, fenv=down) == (double(2.0), down | INEXACT)
    assert single("fround", F64, D[2.5], imm=2, fenv=down) == (double(3.0), down | INEXACT)
    assert single("fround", F64, D[2.5], imm=2 | 8, fenv=down) == (double(3.0), down)
    assert single("fround", F64, D[2.5], imm=4 | 8, fenv=down) == (double(2.0), down)


def test_float_lanes_collect_their_flags() -> None:
    pair = vector(F64, 2)
    left, right = (double(1.0), double(6.0)), (double(3.0), double(2.0))
    value, fenv = single("fdiv", pair, (pair, left), (pair, right))
    assert (value, fenv) == ((double(1 / 3), double(3.0)), 0x1F80 | INEXACT)


def test_the_environment_is_read_and_replaced() -> None:
    build = Builder()
    build.effect("set_fenv", VOID, build.const(0x7F80, I32))
    build.effect("fdiv", F64, build.const(double(1.0), F64), build.const(double(3.0), F64))
    build.end("ret", build.effect("get_fenv", I32))
    assert build.interpreter().run().value == 0x7F80 | INEXACT


def numbers(rng: random.Random, type: Type) -> Raw:
    """Raw bits of a type, often at an edge, each lane for itself."""
    lanes = []
    for _ in range(type.lanes):
        edge = rng.choice((0, 1, 2, type.element.bits - 1, type.element.bits, -1, 1 << type.element.bits - 1))
        lanes.append((edge if rng.random() < 0.5 else rng.getrandbits(type.element.bits)) & type.element.mask)
    return tuple(lanes) if type.is_vector else lanes[0]


SIGNATURES = {"T T -> T", "T -> T", "T T -> B", "B T T -> T"}


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.is_pure and op.signature in SIGNATURES])
def test_compiled_ops_are_what_constants_are_folded_by(name: str) -> None:
    op, rng = OPS[name], random.Random(name)
    types = [I1, I8, I16, I32, I64, I128, vector(I8, 16), vector(I16, 8), vector(I64, 4), vector(I1, 4)]
    if op.bound:
        types = [parse_type(op.bound)]
    elif name == "bswap":
        types = [type for type in types if type.element.bits > 8]
    elif op.expansion is not None:
        types = [I32, I64]
    for type in types:
        operands = [type.boolean if word == "B" else type for word in op.operands]
        result = type.boolean if op.result == "B" else type
        compiled = operation(op, result, tuple(operands))
        for _ in range(20):
            values = [numbers(rng, operand) for operand in operands]
            assert compiled(*values) == evaluate(op, result, values, operands), (type, values)


@pytest.mark.parametrize("name", ["zext", "sext", "trunc"])
def test_compiled_extensions(name: str) -> None:
    rng = random.Random(name)
    for narrow, wide in ((I1, I8), (I8, I64), (I32, I128), (vector(I8, 8), vector(I16, 8)), (vector(I1, 4), FOUR)):
        source, target = (wide, narrow) if name == "trunc" else (narrow, wide)
        for value in (numbers(rng, source) for _ in range(20)):
            assert operation(OPS[name], target, (source,))(value) == evaluate(OPS[name], target, [value], [source])


def test_compiled_lanes() -> None:
    rng, pair = random.Random(1), vector(I64, 2)
    cases = [
        ("bitcast", FOUR, (pair,), None), ("bitcast", I128, (FOUR,), None), ("bitcast", pair, (I128,), None),
        ("bitcast", F32, (I32,), None), ("bitcast", vector(I1, 8), (I8,), None),
        ("bitcast", I8, (vector(I1, 8),), None),
        ("splat", FOUR, (I32,), None), ("extract", I32, (FOUR,), 2), ("insert", FOUR, (FOUR, I32), 3),
        ("shuffle", FOUR, (FOUR, FOUR), (0, 7, 2, 5)), ("shuffle", vector(I32, 1), (FOUR, FOUR), (6,)),
        ("crc32c", I32, (I32, I8), None), ("crc32c", I32, (I32, I64), None),
        ("select", FOUR, (I1, FOUR, FOUR), None),
    ]  # fmt: skip
    for name, result, operands, imm in cases:
        for _ in range(20):
            values = [numbers(rng, operand) for operand in operands]
            folded = evaluate(OPS[name], result, values, operands, imm)
            assert operation(OPS[name], result, operands, imm)(*values) == folded, (name, result, values)


@pytest.mark.parametrize("type", [I1, I8, I64, I128, F64, FOUR, vector(I1, 16), vector(I128, 2), vector(F32, 8)])
def test_values_as_bytes(type: Type) -> None:
    rng = random.Random(type.name)
    for value in (numbers(rng, type) for _ in range(20)):
        data = writer(type)(value)
        assert data == to_bits(type, value).to_bytes(type.bytes, "little")
        assert reader(type)(b"\0" + data + b"\xff", 1) == value == from_bits(type, int.from_bytes(data, "little"))
