"""Evaluate pure ops on raw values: constant folding and the reference interpreter share this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metaphrase.ir.bits import Bits
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Function, Imm, Value
from metaphrase.ir.ops import Op
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
    return tuple([int(op.meaning(*map(Bits, widths, lane), *result_width).value) for lane in zip(*columns)])


class _Folder(Function):
    """A function whose pure ops are evaluated as they are made: all operands are constants."""

    def pure(self, op: Op, type: Type, args: tuple[Value, ...], imm: Imm = None) -> Value:
        if not args:
            return super().pure(op, type, args, imm)
        return self.const(type, evaluate(op, type, [arg.imm for arg in args], [arg.type for arg in args], imm))


def _expanded(op: Op, args: Sequence[Raw], arg_types: Sequence[Type]) -> Raw:
    """What an op's expansion makes of constants."""
    assert op.expansion is not None
    folder = _Folder(op.name)
    value: Raw = op.expansion(*(folder.const(type, arg) for type, arg in zip(arg_types, args, strict=True))).imm
    return value


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
