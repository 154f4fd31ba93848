"""Every op of the table has a documentation, a meaning or a way to run, and a text form."""

from __future__ import annotations

import pytest

from metaphrase.backends.llvm.lower import LOWERED_OPS
from metaphrase.backends.reference.interpreter import IMPLEMENTED
from metaphrase.ir.evaluate import evaluate, to_bits
from metaphrase.ir.graph import Block, Function, Imm, Terminator, Value
from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS, Op, Trait
from metaphrase.ir.parse import parse_function
from metaphrase.ir.text import print_function
from metaphrase.ir.types import F32, F64, I1, I8, I32, I64, VOID, Type, parse_type, vector
from metaphrase.ir.verify import FLOAT_OPS, TARGETS, verify

FOUR = vector(I32, 4)
LAYOUT = Layout("guest")
LAYOUT.add("rax", I64)
LAYOUT.add("zf", I8)
LAYOUT.add("xmm0", FOUR)

INPUTS = {"arg", "base", "field"}
"""What is known only where a function runs."""
RESULTS = {"zext": I64, "sext": I64, "trunc": I8, "bitcast": F32, "splat": FOUR, "shuffle": vector(I32, 2)}
RESULTS |= {"fconvert": F32, "fconvert_by": F32, "ftosi": I32, "ftosi_trunc": I64, "sitof": F64}
RESULTS |= {"const": I32, "arg": I32, "field": I64}
OPERANDS = {"extract": FOUR, "insert": FOUR, "shuffle": FOUR, "fconvert": F64, "fconvert_by": F64, "ftosi": F32}
OPERANDS |= {"ftosi_trunc": F32}
IMMEDIATES: dict[str, Imm] = {"value": 5, "number": 0, "name": "r0", "lane": 2, "lanes": (5, 0), "rounding": 4}
IMMEDIATES |= {"offset": 0, "local": 0, "count": 2, "address": -4}
IMMEDIATES |= {"operation": "smax", "function": "fprem", "transfer": "call", "reason": "syscall", "": None}


def operand_types(op: Op) -> list[Type]:
    """Types that the op can be applied to."""
    bound = OPERANDS.get(op.name, F64 if op.name in FLOAT_OPS else parse_type(op.bound) if op.bound else I32)
    letters = {"T": bound, "B": I1, "E": I32}
    return [letters.get(word) or parse_type(word) for word in op.operands if word != "..."]


def result_of(op: Op, types: list[Type]) -> Type:
    bound = types[-1] if types else I32
    letters = {"-": VOID, "B": I1, "E": I32, "T": OPERANDS.get(op.name, bound), "R": RESULTS.get(op.name, I32)}
    return letters[op.result] if op.result in letters else parse_type(op.result)


def application(op: Op, constants: bool) -> Function:
    """A function that applies the op once, to arguments or to constants."""
    name, types = op.name, operand_types(op)
    type = result_of(op, types)
    wanted = type if op.trait is not Trait.TERMINATOR else VOID
    function = Function("sample", LAYOUT, [I32, *types], wanted)
    function.locals.append(I32)
    block = function.block()
    args: tuple[Value, ...] = tuple(
        function.const(t, 1) if constants else function.pure(OPS["arg"], t, (), i) for i, t in enumerate(types, 1)
    )
    imm = IMMEDIATES[op.immediate]
    if op.trait is Trait.TERMINATOR:
        targets = tuple(function.block() for _ in range(TARGETS.get(name, 0)))
        for target in targets:
            target.terminator = Terminator(OPS["next"], ())
        block.terminator = Terminator(op, args, targets, imm)
        return function
    value = function.pure(op, type, args, imm) if op.is_pure else function.effect(block, op, type, args, imm)
    block.terminator = Terminator(OPS["ret"], () if type is VOID else (value,))
    return function


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("constants", [False, True], ids=["arguments", "constants"])
def test_text_round_trip(name: str, constants: bool) -> None:
    function = verify(application(OPS[name], constants))
    text = print_function(function)
    again = verify(parse_function(text, LAYOUT))
    assert print_function(again) == text
    before, after = function.blocks[0], again.blocks[0]
    assert shape(before) == shape(after)


def shape(block: Block) -> list[object]:
    """What a block holds, without the numbers of values."""
    assert block.terminator is not None
    roots = [*block.effects, *block.terminator.args]
    return [tree(value) for value in roots] + [block.terminator.op, block.terminator.imm]


def tree(value: Value) -> object:
    return value.op, value.type, value.imm, [tree(arg) for arg in value.args]


def test_the_lowering_covers_the_same_ops() -> None:
    assert set(OPS) == LOWERED_OPS


@pytest.mark.parametrize("name", OPS)
def test_documented(name: str) -> None:
    op = OPS[name]
    assert op.doc
    assert not op.doc.endswith(".")
    assert op.name == name


@pytest.mark.parametrize("name", OPS)
def test_has_a_meaning(name: str) -> None:
    op = OPS[name]
    if op.trait is Trait.EFFECT:
        assert name in IMPLEMENTED
    elif op.is_pure and name not in INPUTS:
        types = operand_types(op)
        type = result_of(op, types)
        raw = [tuple(range(1, t.lanes + 1)) if t.is_vector else 1 for t in types]
        assert 0 <= to_bits(type, evaluate(op, type, raw, types, IMMEDIATES[op.immediate])) <= type.mask


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.is_pure and op.meaning is not None])
def test_meaning_is_lane_by_lane(name: str) -> None:
    """A vector op is the scalar op on every lane."""
    op = OPS[name]
    types = operand_types(op)
    type = result_of(op, types)
    rows = [(0, 1, 5, t.mask) if t is not I1 else (0, 1, 0, 1) for t in types]
    wide = [vector(t, 4) for t in types]
    together = evaluate(op, vector(type, 4), rows, wide)
    assert together == tuple(evaluate(op, type, lane, types) for lane in zip(*rows))
