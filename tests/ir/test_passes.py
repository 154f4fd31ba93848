"""Passes: what text does not say, and that the pipeline keeps the meaning of random functions."""

from __future__ import annotations

import random

import pytest

from metaphrase.backends.reference import Interpreter, PagedMemory
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Block, Function, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS
from metaphrase.ir.parse import parse_function
from metaphrase.ir.passes import PIPELINE, dead_code, dead_state, forward_state, run
from metaphrase.ir.passes.checkpoints import checkpoints
from metaphrase.ir.text import print_function
from metaphrase.ir.types import I1, I8, I32, I64, VOID, Type
from metaphrase.ir.verify import verify

LAYOUT = Layout("guest")
for _name in ("rax", "rbx", "rcx"):
    LAYOUT.add(_name, I64)
for _name in ("zf", "cf"):
    LAYOUT.add(_name, I8, group="flags")


def test_exact_state_at_checkpoints() -> None:
    text = "func @f(x: i64) { put zf, 1  checkpoint 3  v = load i8 x  put zf, v  next }"
    assert "put zf, 1" in print_function(dead_state(parse_function(text, LAYOUT)))
    assert "put zf, 1" not in print_function(dead_state(parse_function(text.replace("checkpoint 3", ""), LAYOUT)))


def test_stores_below_the_stack_may_run_twice() -> None:
    layout = Layout("guest")
    layout.add("rsp", I64)
    layout.stack_pointer = layout["rsp"]
    text = """func @f(x: i64) {
        p = get i64 rsp  checkpoint 0  %s  store (add p, 0xfffffffffffffff8), i64 1  checkpoint 3
        store (add p, %s), i64 2  checkpoint 6  v = load i8 x  put rsp, (zext i64 v)  next }"""
    for before, offset, kept in (("", -16, []), ("w = load i8 x", -16, [3]), ("", 16, [6])):
        function = checkpoints(parse_function(text % (before, hex(offset & (1 << 64) - 1)), layout))
        found = [effect.imm for effect in function.blocks[0].effects if effect.op is OPS["checkpoint"]]
        assert found == kept, (before, offset)


def test_unreachable_blocks_are_removed() -> None:
    function = parse_function("func @f() { a: next  b: jump c  c: jump b }")
    assert [block.name for block in dead_code(function).blocks] == ["a"]


def test_conditions_fold_across_blocks() -> None:
    text = """
    func @compare_and_branch_twice(a: i32, b: i32) -> i32 {
      start:
        r = sub a, b
        put zf, (zext i8 (eq a, b))
        put cf, (zext i8 (xor (slt r, 0), (slt (and (xor a, b), (xor a, r)), 0)))
        z = get i8 zf
        branch (ne z, 0), equal, other
      equal: ret 0
      other:
        l = get i8 cf
        branch (xor (ne l, 0), 1), greater, less
      greater: ret 1
      less: ret 2
    }"""
    function = forward_state(parse_function(text, LAYOUT, simplify))
    conditions = [block.terminator.args[0] for block in function.blocks if len(block.successors) == 2]  # type: ignore[union-attr]
    assert [value.op.name for value in conditions] == ["eq", "sle"]


# --- random functions -------------------------------------------------------------------------------------------------
SLOTS = list(LAYOUT)
Pool = dict[Type, list[Value]]
"""Values that a block may use, by type."""


def random_function(seed: int) -> Function:
    """A random graph of blocks that read and write state, with loops that end."""
    choose = random.Random(seed)
    function = Function("random", LAYOUT, (I64, I1), simplify=simplify)
    function.locals.append(I64)
    blocks = [function.block() for _ in range(choose.randrange(1, 9))]
    x = function.pure(OPS["arg"], I64, (), 0)
    c = function.pure(OPS["arg"], I1, (), 1)
    function.effect(blocks[0], OPS["write"], VOID, (function.const(I64, 12),), 0)
    for number, block in enumerate(blocks):
        local: Pool = {I64: [x, function.const(I64, 5)], I8: [function.const(I8, 1)]}
        for _ in range(choose.randrange(8)):
            _random_effect(function, block, choose, local)
        _random_end(function, blocks, number, choose, local, c)
    return function


def _random_effect(function: Function, block: Block, choose: random.Random, local: Pool) -> None:
    slot = choose.choice(SLOTS)
    values = local[slot.type]
    kind = choose.randrange(12)
    if kind < 4:
        values.append(function.effect(block, OPS["get"], slot.type, (), slot.offset))
    elif kind < 9:
        value = choose.choice(values)
        function.effect(block, OPS["put"], VOID, (value + choose.choice((0, 1, 255)),), slot.offset)
    elif kind == 9:
        half = choose.choice(local[I64]).trunc(32)
        function.effect(block, OPS["put"], VOID, (half,), LAYOUT["rbx"].offset + choose.choice((0, 4)))
    elif kind == 10:
        offset = (choose.choice(local[I64]) & 1).shl(3)
        if choose.random() < 0.5:
            local[I64].append(function.effect(block, OPS["get_at"], I64, (offset,)))
        else:
            function.effect(block, OPS["put_at"], VOID, (offset, choose.choice(local[I64])))
    else:
        part = function.effect(block, OPS["get"], I32, (), LAYOUT["rbx"].offset + choose.choice((0, 4)))
        local[I64].append(part.zext(64))


def _random_end(
    function: Function, blocks: list[Block], number: int, choose: random.Random, local: Pool, c: Value
) -> None:
    block, later = blocks[number], blocks[number + 1 :]
    kind = choose.randrange(6)
    if not later or kind == 0:
        block.terminator = Terminator(OPS["goto"], (choose.choice(local[I64]),), imm="jump")
    elif kind == 1:
        block.terminator = Terminator(OPS["jump"], (), (choose.choice(later),))
    elif kind < 5:
        condition = choose.choice((c, choose.choice(local[I64]).ult(100), choose.choice(local[I8]).ne(0)))
        block.terminator = Terminator(OPS["branch"], (condition,), (choose.choice(later), choose.choice(later)))
    else:  # perhaps round a loop, as long as the counter lasts
        count = function.effect(block, OPS["read"], I64, (), 0) - 1
        function.effect(block, OPS["write"], VOID, (count,), 0)
        back = choose.choice(blocks[1:] or blocks)
        again = count.slt(64) & function.const(I64, 0).slt(count)
        block.terminator = Terminator(OPS["branch"], (again,), (back, choose.choice(later)))


def observe(function: Function, seed: int) -> object:
    choose = random.Random(seed)
    state = bytearray(choose.randbytes(LAYOUT.size))
    arguments = [choose.choice((0, 1, 99, choose.getrandbits(64))), choose.getrandbits(1)]
    outcome = Interpreter(function, state=state, memory=PagedMemory(), arguments=arguments).run()
    return outcome.kind, outcome.pc, bytes(state)


@pytest.mark.parametrize("start", range(0, 600, 50))
def test_the_pipeline_keeps_what_random_functions_do(start: int) -> None:
    for seed in range(start, start + 50):
        function = verify(random_function(seed))
        before = [observe(function, turn) for turn in range(6)]
        run(function, PIPELINE, check=True)
        assert [observe(function, turn) for turn in range(6)] == before, f"seed {seed}"
