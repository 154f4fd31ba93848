"""The floating-point ops of the table, one lane at a time, by exact arithmetic on bits.

Each function takes the operands' element type, the result's, the immediate, the environment and raw bits, and gives
(bits, flags raised).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from metaphrase.ir import f80_functions, softfloat
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.softfloat import Format, Relation, Rounding
from metaphrase.ir.types import F16, Type

LaneOp = Callable[..., tuple[int, int]]
BY_ENVIRONMENT = 4
"""The immediate of `fround` that leaves the direction to the environment."""
QUIETLY = 8
"""What is added to it so that a precision exception is not raised."""


def format_of(type: Type) -> Format:
    """The IEEE format of a float type."""
    if not type.is_float:
        raise MetaphraseError(f"{type} is not a floating-point type")
    return softfloat.FORMATS[type.bits]


def extended_environment(control: int) -> int:
    """The environment, in MXCSR's layout, of ops that touch f80, from an x87 control word (SDM volume 1, 8.1.5)."""
    precision = {0: softfloat.PRECISION_SINGLE, 2: softfloat.PRECISION_DOUBLE}.get(control >> 8 & 3, 0)
    return softfloat.DEFAULT_ENVIRONMENT | (control >> 10 & 3) << 13 | precision


def _arithmetic(operation: Callable[..., tuple[int, int]]) -> LaneOp:
    def run(source: Type, target: Type, imm: None, environment: int, *operands: int) -> tuple[int, int]:
        return operation(format_of(source), *operands, environment)

    return run


def _comparison(relations: frozenset[Relation], signalling: bool) -> LaneOp:
    def run(source: Type, target: Type, imm: None, environment: int, x: int, y: int) -> tuple[int, int]:
        relation, flags = softfloat.compare(format_of(source), x, y, environment, signalling=signalling)
        return int(relation in relations), flags

    return run


_RFLAGS: Final = {Relation.GREATER: 0, Relation.LESS: 1, Relation.EQUAL: 0x40, Relation.UNORDERED: 0x45}


def _relation(signalling: bool) -> LaneOp:
    def run(source: Type, target: Type, imm: None, environment: int, x: int, y: int) -> tuple[int, int]:
        relation, flags = softfloat.compare(format_of(source), x, y, environment, signalling=signalling)
        return _RFLAGS[relation], flags

    return run


def _extreme(wanted: Relation) -> LaneOp:
    """x86's MIN and MAX: the first operand if it is the wanted way from the second, else the second."""

    def run(source: Type, target: Type, imm: None, environment: int, x: int, y: int) -> tuple[int, int]:
        form = format_of(source)
        relation, flags = softfloat.compare(form, x, y, environment, signalling=True)
        bits = x if relation is wanted else y
        denormal = not bits >> form.fraction_bits & form.exponent_mask
        if denormal and form.flushes and environment & softfloat.DENORMALS_ARE_ZERO:
            bits = form.zero(bits >> (form.width - 1))
        return bits, flags

    return run


def _convert(source: Type, target: Type, imm: None, environment: int, x: int) -> tuple[int, int]:
    if source is F16:
        masked = environment | softfloat.DENORMAL << softfloat.MASKS_SHIFT
        bits, flags = softfloat.convert(format_of(source), format_of(target), x, masked)
        return bits, flags & ~softfloat.DENORMAL
    return softfloat.convert(format_of(source), format_of(target), x, environment)


def _convert_by(source: Type, target: Type, imm: int, environment: int, x: int) -> tuple[int, int]:
    if not imm & BY_ENVIRONMENT:
        environment = softfloat.with_rounding(environment, Rounding(imm & 3))
    return _convert(source, target, None, environment, x)


def _to_integer(source: Type, target: Type, imm: None, environment: int, x: int) -> tuple[int, int]:
    return softfloat.to_int(format_of(source), x, target.bits, True, environment)


def _to_integer_truncating(source: Type, target: Type, imm: None, environment: int, x: int) -> tuple[int, int]:
    return softfloat.to_int(format_of(source), x, target.bits, True, environment, Rounding.TOWARD_ZERO)


def _from_integer(source: Type, target: Type, imm: None, environment: int, x: int) -> tuple[int, int]:
    value = x - (1 << source.bits) if x >> (source.bits - 1) else x
    return softfloat.from_int(format_of(target), value, environment)


def _round(source: Type, target: Type, imm: int, environment: int, x: int) -> tuple[int, int]:
    direction = None if imm & BY_ENVIRONMENT else imm & 3
    return softfloat.round_to_integral(format_of(source), x, environment, direction, exact=not imm & QUIETLY)


def _function(source: Type, target: Type, imm: str, environment: int, x: int, y: int) -> tuple[int, int]:
    return f80_functions.evaluate(imm, x, y, environment)


_FMA, _FMS = _arithmetic(softfloat.fma), _arithmetic(partial(softfloat.fma, negate_addend=True))

FLOAT_OPS: dict[str, LaneOp | tuple[LaneOp, LaneOp]] = {
    "fadd": _arithmetic(softfloat.add),
    "fsub": _arithmetic(softfloat.sub),
    "fmul": _arithmetic(softfloat.mul),
    "fdiv": _arithmetic(softfloat.div),
    "fsqrt": _arithmetic(softfloat.sqrt),
    "fmin": _extreme(Relation.LESS),
    "fmax": _extreme(Relation.GREATER),
    "fma": _FMA,
    "fms": _FMS,
    "fnma": _arithmetic(partial(softfloat.fma, negate_product=True)),
    "fnms": _arithmetic(partial(softfloat.fma, negate_product=True, negate_addend=True)),
    "fmaddsub": (_FMS, _FMA),
    "fmsubadd": (_FMA, _FMS),
    "feq": _comparison(frozenset({Relation.EQUAL}), signalling=False),
    "flt": _comparison(frozenset({Relation.LESS}), signalling=True),
    "flt_quiet": _comparison(frozenset({Relation.LESS}), signalling=False),
    "fle": _comparison(frozenset({Relation.LESS, Relation.EQUAL}), signalling=True),
    "funord": _comparison(frozenset({Relation.UNORDERED}), signalling=False),
    "fcompare": _relation(signalling=True),
    "fcompare_quiet": _relation(signalling=False),
    "fconvert": _convert,
    "fconvert_by": _convert_by,
    "ftosi": _to_integer,
    "ftosi_trunc": _to_integer_truncating,
    "sitof": _from_integer,
    "fround": _round,
    "f80_function": _function,
}
"""What each op does to a lane; a pair is of even and odd ones."""
