"""The verifier: each rule has a function that breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS
from metaphrase.ir.parse import parse_function
from metaphrase.ir.types import F32, I1, I8, I32, I64, VOID, Type, vector
from metaphrase.ir.verify import VerifyError, mismatch, verify

LAYOUT = Layout("guest")
LAYOUT.add("rax", I64)

DIAMOND = """
func @f(x: i64, c: i1) -> i64 {
  a: branch c, b, d
  b: v = load i64 x   w = load i64 v   jump e
  d: u = load i64 x   jump e
  e: y = load i64 x   ret y
}
"""


def diamond() -> tuple[Function, list[Block]]:
    function = parse_function(DIAMOND, LAYOUT)
    return function, function.blocks


def test_good_functions_pass() -> None:
    function, _ = diamond()
    assert verify(function) is function


def broken(change: Callable[[Function, list[Block]], None]) -> str:
    function, blocks = diamond()
    change(function, blocks)
    with pytest.raises(VerifyError) as caught:
        verify(function)
    return str(caught.value)


def terminator(name: str, *args: Value, targets: tuple[Block, ...] = (), imm: object = None) -> Terminator:
    return Terminator(OPS[name], args, targets, imm)


def test_every_block_ends_once() -> None:
    def no_end(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = None

    def not_an_end(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = terminator("fence")

    def too_many(function: Function, blocks: list[Block]) -> None:
        blocks[1].terminator = terminator("jump", targets=(blocks[3], blocks[2]))

    def away(function: Function, blocks: list[Block]) -> None:
        blocks[1].terminator = terminator("jump", targets=(Block("elsewhere"),))

    assert broken(no_end) == "@f, block e: has no terminator"
    assert "ends in fence, which is no terminator" in broken(not_an_end)
    assert "jump names 2 blocks" in broken(too_many)
    assert "goes to a block that is not in the function" in broken(away)


def test_uses_follow_definitions() -> None:
    def later(function: Function, blocks: list[Block]) -> None:
        blocks[1].effects.reverse()

    def other_path(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = terminator("ret", blocks[1].effects[0] + 1)

    def both_paths(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = terminator("ret", blocks[1].effects[0] + blocks[2].effects[0])

    def nowhere(function: Function, blocks: list[Block]) -> None:
        del blocks[3].effects[0]

    assert "is used before it is computed" in broken(later)
    assert "is computed in block b, which does not come before on every path" in broken(other_path)
    assert "joins values of blocks of which neither comes before the other" in broken(both_paths)
    assert "is used and stands in no block that runs" in broken(nowhere)


def test_effects_stand_in_one_place() -> None:
    def twice(function: Function, blocks: list[Block]) -> None:
        blocks[3].effects.insert(0, blocks[1].effects[0])

    def pure(function: Function, blocks: list[Block]) -> None:
        blocks[3].effects.append(blocks[3].effects[0] + 1)

    assert "stands in block b too" in broken(twice)
    assert "stands among the effects and is none" in broken(pure)


def test_values_belong_to_the_function() -> None:
    def foreign(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = terminator("ret", Function("g").const(I64, 1))

    assert "belongs to @g" in broken(foreign)


def test_places_exist() -> None:
    def put(function: Function, blocks: list[Block]) -> None:
        function.effect(blocks[3], OPS["put"], VOID, (function.const(I64, 1),), 4)

    def read(function: Function, blocks: list[Block]) -> None:
        function.effect(blocks[3], OPS["read"], I64, (), 0)

    def argument(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = terminator("ret", function.pure(OPS["arg"], I64, (), 1))

    assert "layout guest ends at byte 8" in broken(put)
    assert "the function has no local variable 0 of i64" in broken(read)
    assert "the function has no parameter 1 of i64" in broken(argument)


def test_returns_what_the_function_returns() -> None:
    def nothing(function: Function, blocks: list[Block]) -> None:
        blocks[3].terminator = terminator("ret")

    assert "the function returns i64" in broken(nothing)


FOUR = vector(I32, 4)


@pytest.mark.parametrize(
    ("name", "type", "arguments", "imm", "what"),
    [
        ("add", I32, [I32], None, "add takes 2 operands, not 1"),
        ("add", I32, [I32, I64], None, "operand 2 of add is i64, and the one before it i32"),
        ("add", I64, [I32, I32], None, "add gives i32, not i64"),
        ("add", F32, [F32, F32], None, "add works on integers, not f32"),
        ("fadd", I32, [I32, I32], None, "fadd works on floating point, not i32"),
        ("eq", I32, [I32, I32], None, "eq gives i1, not i32"),
        ("select", FOUR, [vector(I1, 2), FOUR, FOUR], None, "is <2 x i1>, not a condition (i1) of <4 x i32>"),
        ("load", I32, [I32], None, "operand 1 of load is i32, not i64"),
        ("load", VOID, [I64], None, "load needs the type of its result"),
        ("bitcast", I64, [I32], None, "bitcast of 32 bits (i32) to 64 (i64)"),
        ("trunc", I64, [I32], None, "trunc cannot take i32 to i64"),
        ("zext", FOUR, [vector(I8, 8)], None, "zext cannot change the shape"),
        ("splat", FOUR, [I8], None, "operand 1 of splat is i8, not the element of <4 x i32>"),
        ("extract", I32, [FOUR], 4, "extract of lane 4 of <4 x i32>"),
        ("extract", I32, [I32], 0, "extract works on a vector, not i32"),
        ("insert", FOUR, [FOUR, I8], 0, "operand 2 of insert is i8"),
        ("shuffle", FOUR, [FOUR, FOUR], (0, 1, 8, 2), "shuffle names lane 8 of 8"),
        ("shuffle", FOUR, [FOUR, FOUR], (0, 1), "shuffle of <4 x i32> by 2 lanes"),
        ("bswap", I8, [I8], None, "bswap needs an even number of bytes, not i8"),
        ("crc32c", I32, [I32, FOUR], None, "crc32c works on i8 to i64, not <4 x i32>"),
        ("const", I8, [], 256, "256 is no value of i8"),
        ("const", FOUR, [], (1, 2), "(1, 2) is no value of <4 x i32>"),
        ("fround", F32, [F32], 5, "the immediate rounding of fround cannot be 5"),
        ("rmw", I32, [I64, I32], "nand", "the immediate operation of rmw cannot be 'nand'"),
        ("add", I32, [I32, I32], 1, "the immediate (none) of add cannot be 1"),
        ("ftosi", F32, [F32], None, "ftosi cannot convert f32 to f32"),
        ("branch", VOID, [I32], None, "operand 1 of branch is i32, not i1"),
    ],
)
def test_signatures(name: str, type: Type, arguments: list[Type], imm: object, what: str) -> None:
    found = mismatch(OPS[name], type, arguments, imm)
    assert found is not None
    assert what in found
