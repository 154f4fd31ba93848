"""Evaluate pure ops on raw values: constant folding and the reference interpreter share this."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from metaphrase.ir.bits import Bits
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Function, Value, postorder
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.types import Type

Raw = int | tuple[int, ...]
"""A value outside native code: unsigned bits, or a tuple of them a lane."""


def to_bits(type: Type, value: Raw) -> int:
    """All bits of a value as one integer; lane 0 is least significant."""
    if isinstance(value, int):
        return value
    width = type.element.bits
    return sum(lane << width * index for index, lane in enumerate(value))


def from_bits(type: Type, bits: int) -> Raw:
    """The value of `type` made of the low bits of `bits`."""
    if not type.is_vector:
        return bits & type.mask
    width, mask = type.element.bits, type.element.mask
    return tuple(bits >> width * index & mask for index in range(type.lanes))


def evaluate(op: Op, type: Type, args: Sequence[Raw], arg_types: Sequence[Type], imm: Any = None) -> Raw:
    """The result of a pure op of result `type` on raw operands.

    Raises MetaphraseError for an op whose value depends on where the function runs (arg, base, field).
    """
    if op.whole:
        return _whole(op, type, args, arg_types, imm)
    assert op.meaning is not None
    widths = [t.element.bits for t in arg_types]
    result_width = (type.element.bits,) if op.result == "R" else ()
    if not type.is_vector:
        return int(op.meaning(*map(Bits, widths, args), *result_width).value)  # type: ignore[arg-type]
    # A select may choose between vectors by one i1.
    columns = [(a,) * type.lanes if isinstance(a, int) else a for a in args]
    if max(*widths, type.element.bits) <= _NARROW:
        return tuple([_narrow(op, tuple(widths), result_width, lane) for lane in zip(*columns)])
    return tuple([int(op.meaning(*map(Bits, widths, lane), *result_width).value) for lane in zip(*columns)])


_NARROW = 8
"""Lanes of so few bits are computed once for each operands: AES alone is thousands of operations on bytes."""


@lru_cache(maxsize=1 << 18)
def _narrow(op: Op, widths: tuple[int, ...], result_width: tuple[int, ...], lane: tuple[int, ...]) -> int:
    """One lane of `evaluate`."""
    assert op.meaning is not None
    return int(op.meaning(*map(Bits, widths, lane), *result_width).value)


@cache
def _expansion(op: Op, arg_types: tuple[Type, ...]) -> list[Value]:
    """What an op is in other pure ops, operands before users; the last is the op's value."""
    assert op.expansion is not None
    function = Function(op.name, parameters=arg_types)
    arguments = [function.pure(OPS["arg"], type, (), number) for number, type in enumerate(arg_types)]
    return list(postorder(op.expansion(*arguments), set()))


def _expanded(op: Op, args: Sequence[Raw], arg_types: Sequence[Type]) -> Raw:
    """What an op's expansion makes of operands."""
    values: dict[int, Raw] = {}
    expansion = _expansion(op, tuple(arg_types))
    for value in expansion:
        if value.op.name == "arg":
            values[value.id] = args[value.imm]
        else:
            operands = [values[arg.id] for arg in value.args]
            values[value.id] = evaluate(value.op, value.type, operands, [arg.type for arg in value.args], value.imm)
    return values[expansion[-1].id]


def _whole(op: Op, type: Type, args: Sequence[Raw], arg_types: Sequence[Type], imm: Any) -> Raw:
    if op.expansion is not None:
        return _expanded(op, args, arg_types)
    match op.name:
        case "const":
            return imm
        case "bitcast":
            return from_bits(type, to_bits(arg_types[0], args[0]))
        case "splat":
            return (args[0],) * type.lanes  # type: ignore[return-value]
        case "extract":
            return args[0][imm]  # type: ignore[index]
        case "insert":
            lanes = list(args[0])  # type: ignore[arg-type]
            lanes[imm] = args[1]
            return tuple(lanes)
        case "shuffle":
            both = (*args[0], *args[1])  # type: ignore[misc]
            return tuple(both[lane] for lane in imm)
    raise MetaphraseError(f"the value of {op.name} is known only where the function runs")
