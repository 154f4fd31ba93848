"""Pure ops as Python functions, made of the meanings in the table of ops and compiled once for each types."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from metaphrase.backends.reference.expressions import Text
from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.evaluate import Raw, from_bits, to_bits
from metaphrase.ir.graph import Function, Value, postorder
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.types import Type

Operation = Callable[..., Any]
_LETTERS: Final = {8: "B", 16: "H", 32: "I", 64: "Q"}
"""Elements that `struct` knows."""


class Code:
    """A Python function in the making: lines, and the objects that they name."""

    def __init__(self, *parameters: str) -> None:
        self.lines = [f"def compiled({', '.join(parameters)}):"]
        self.names: dict[str, object] = {}
        self._known: dict[int, str] = {}

    def line(self, text: str, depth: int = 1) -> None:
        self.lines.append("    " * depth + text)

    def name(self, thing: object) -> str:
        """What an object is called in the text."""
        found = self._known.get(id(thing))
        if found is None:
            found = self._known[id(thing)] = f"n{len(self.names)}"
            self.names[found] = thing
        return found

    def constant(self, value: Raw) -> str:
        return str(value) if isinstance(value, int) else self.name(value)

    def apply(self, value: Value, operands: list[str]) -> str:
        """The expression of a pure op's value on operands."""
        made = operation(value.op, value.type, tuple([arg.type for arg in value.args]), value.imm)
        return f"{self.name(made)}({', '.join(operands)})"

    def compile(self) -> Operation:
        scope = dict(self.names)
        exec("\n".join(self.lines), scope)
        return scope["compiled"]  # type: ignore[return-value]


@cache
def operation(op: Op, type: Type, arg_types: tuple[Type, ...], imm: Any = None) -> Operation:
    """A pure op of these types as a function of raw operands.

    Raises MetaphraseError for an op whose value depends on where the function runs (arg, base, field).
    """
    if op.whole:
        return _expanded(op, arg_types) if op.expansion is not None else _whole(op, type, arg_types, imm)
    lane = _lane(op, tuple([t.element.bits for t in arg_types]), (type.element.bits,) if op.result == "R" else ())
    if not type.is_vector:
        return lane
    if not arg_types[0].is_vector:  # a select may choose between vectors by one i1
        return lambda condition, a, b: a if condition else b
    return lambda *operands: tuple(map(lane, *operands))


@cache
def _lane(op: Op, widths: tuple[int, ...], result_width: tuple[int, ...]) -> Operation:
    """A lane of an op: its meaning as a function of integers."""
    assert op.meaning is not None
    names = [f"x{number}" for number in range(len(widths))]
    code = Code(*names)
    lines: list[str] = []
    result = op.meaning(*[Text(width, name, lines) for width, name in zip(widths, names)], *result_width)
    for line in lines:
        code.line(line)
    code.line(f"return {result.text}")
    return code.compile()


@cache
def _expanded(op: Op, arg_types: tuple[Type, ...]) -> Operation:
    """An op by what it is in others."""
    assert op.expansion is not None
    function = Function(op.name, parameters=arg_types)
    arguments = [function.pure(OPS["arg"], type, (), number) for number, type in enumerate(arg_types)]
    code = Code(*[f"x{number}" for number in range(len(arg_types))])
    texts: dict[int, str] = {}
    for value in postorder(op.expansion(*arguments), set()):
        if value.op.name == "arg":
            texts[value.id] = f"x{value.imm}"
        elif value.is_const:
            texts[value.id] = code.constant(value.imm)
        else:
            code.line(f"v{value.id} = {code.apply(value, [texts[arg.id] for arg in value.args])}")
            texts[value.id] = f"v{value.id}"
    code.line(f"return {texts[value.id]}")
    return code.compile()


def _whole(op: Op, type: Type, arg_types: tuple[Type, ...], imm: Any) -> Operation:
    match op.name:
        case "bitcast":
            return _bitcast(arg_types[0], type)
        case "splat":
            return lambda lane: (lane,) * type.lanes
        case "extract":
            return itemgetter(imm)
        case "insert":
            return lambda lanes, lane: (*lanes[:imm], lane, *lanes[imm + 1 :])
        case "shuffle":
            if type.lanes == 1:
                return lambda a, b: ((*a, *b)[imm[0]],)
            choose = itemgetter(*imm)
            return lambda a, b: choose(a + b)
    raise MetaphraseError(f"the value of {op.name} is known only where the function runs")


def _bitcast(source: Type, target: Type) -> Operation:
    if source.is_vector == target.is_vector and source.element.bits == target.element.bits:
        return lambda value: value
    read, write = reader(target), writer(source)
    if source.bits % 8:
        return lambda value: from_bits(target, to_bits(source, value))
    return lambda value: read(write(value), 0)


@cache
def reader(type: Type) -> Callable[[Any, int], Raw]:
    """A function of a buffer and an offset in it that gives the value of `type` there."""
    letter, size, mask = _LETTERS.get(type.element.bits), type.bytes, type.mask
    if letter and type.is_vector:
        return Struct(f"<{type.lanes}{letter}").unpack_from
    if not type.is_vector:
        return lambda data, at: int.from_bytes(data[at : at + size], "little") & mask
    return lambda data, at: from_bits(type, int.from_bytes(data[at : at + size], "little"))


@cache
def writer(type: Type) -> Callable[[Any], bytes]:
    """A function of a value of `type` that gives its bytes."""
    letter, size = _LETTERS.get(type.element.bits), type.bytes
    if letter and type.is_vector:
        pack = Struct(f"<{type.lanes}{letter}").pack
        return lambda lanes: pack(*lanes)
    return lambda value: to_bits(type, value).to_bytes(size, "little")
