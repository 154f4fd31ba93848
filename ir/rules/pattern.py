"""The language that rules are written in: symbolic values, and what a rule gives back.

A rule is a function of symbolic values; its annotations say what they stand for:

    Wide       any value of the integer type T       Narrow       any value of a narrower type N
    Constant   a constant of type T                  Condition    an i1

`x.zext()` and `x.sext()` go to T, `x.trunc()` to N. Integers beside a symbolic value are constants of its type;
`wide(-1)` and `narrow(-1)` are constants of T and N. T may be i1 too, and rules are about scalars.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.ops import OPS, Op

T, N, B = "T", "N", "B"
"""Type variables: the wide type, a narrower one, and i1."""


class RuleError(MetaphraseError):
    """A rule is written in a way that it cannot be matched."""


class Pattern:
    """A symbolic value of the type that `tag` stands for."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def _coerce(self, other: Pattern | int) -> Pattern:
        return other if isinstance(other, Pattern) else Literal(other, self.tag)

    def _binary(self, name: str, other: Pattern | int) -> Node:
        return Node(OPS[name], (self, self._coerce(other)), self.tag)

    def _compare(self, name: str, other: Pattern | int) -> Node:
        return Node(OPS[name], (self, self._coerce(other)), B)

    def __add__(self, other: Pattern | int) -> Node:
        return self._binary("add", other)

    def __sub__(self, other: Pattern | int) -> Node:
        return self._binary("sub", other)

    def __and__(self, other: Pattern | int) -> Node:
        return self._binary("and", other)

    def __or__(self, other: Pattern | int) -> Node:
        return self._binary("or", other)

    def __xor__(self, other: Pattern | int) -> Node:
        return self._binary("xor", other)

    def __lshift__(self, count: Pattern | int) -> Node:
        return self._binary("shl", count)

    def __invert__(self) -> Node:
        return self ^ -1

    def lshr(self, count: Pattern | int) -> Node:
        return self._binary("lshr", count)

    def ashr(self, count: Pattern | int) -> Node:
        return self._binary("ashr", count)

    def eq(self, other: Pattern | int) -> Node:
        return self._compare("eq", other)

    def ne(self, other: Pattern | int) -> Node:
        return self._compare("ne", other)

    def ult(self, other: Pattern | int) -> Node:
        return self._compare("ult", other)

    def ule(self, other: Pattern | int) -> Node:
        return self._compare("ule", other)

    def slt(self, other: Pattern | int) -> Node:
        return self._compare("slt", other)

    def sle(self, other: Pattern | int) -> Node:
        return self._compare("sle", other)

    def select(self, then: Pattern, otherwise: Pattern | int) -> Node:
        return Node(OPS["select"], (self, then, then._coerce(otherwise)), then.tag)

    def zext(self) -> Node:
        return Node(OPS["zext"], (self,), T)

    def sext(self) -> Node:
        return Node(OPS["sext"], (self,), T)

    def trunc(self) -> Node:
        return Node(OPS["trunc"], (self,), N)


class Node(Pattern):
    """An op applied to patterns. The same object in two places means the same value."""

    def __init__(self, op: Op, args: tuple[Pattern, ...], tag: str) -> None:
        super().__init__(tag)
        self.op, self.args = op, args


class Literal(Pattern):
    """A constant that is written in the rule."""

    def __init__(self, value: int, tag: str) -> None:
        super().__init__(tag)
        self.value = value


class Variable(Pattern):
    """A parameter of the rule."""

    tag_of_kind = T
    is_constant = False

    def __init__(self, name: str) -> None:
        super().__init__(self.tag_of_kind)
        self.name = name


class Wide(Variable):
    """Any value of type T."""


class Constant(Variable):
    """A constant of type T."""

    is_constant = True


class Narrow(Variable):
    """Any value of type N, which is narrower than T."""

    tag_of_kind = N


class Condition(Variable):
    """Any i1."""

    tag_of_kind = B


_KINDS = {kind.__name__: kind for kind in (Wide, Constant, Narrow, Condition)}


def wide(value: int) -> Literal:
    """A constant of type T."""
    return Literal(value, T)


def narrow(value: int) -> Literal:
    """A constant of type N."""
    return Literal(value, N)


def bit(value: int) -> Literal:
    """A constant i1."""
    return Literal(value, B)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Replace `find` by `to`, where `when` (an i1) is known to be set: it must fold to a constant."""

    find: Node
    to: Pattern
    when: Pattern | None = None


@dataclass(eq=False, slots=True)
class Rule:
    """A named rewrite. `fired` counts how often it has been applied in this process."""

    name: str
    doc: str
    variables: tuple[Variable, ...]
    rewrite: Rewrite
    fired: int = field(default=0)

    def __repr__(self) -> str:
        return f"<rule {self.name}>"


def rule(function: Callable[..., Rewrite]) -> Rule:
    """Make a rule of a function from symbolic values to a Rewrite."""
    name = function.__name__
    if not function.__doc__:
        raise RuleError(f"rule {name} has no docstring")
    variables = []
    for parameter in inspect.signature(function).parameters.values():
        kind = _KINDS.get(parameter.annotation)
        if kind is None:
            raise RuleError(f"rule {name}: {parameter.name} needs one of the annotations {', '.join(_KINDS)}")
        variables.append(kind(parameter.name))
    return Rule(name, inspect.cleandoc(function.__doc__), tuple(variables), function(*variables))
