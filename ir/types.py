"""Types of IR values: integers of any width, IEEE floats, and vectors of them.

Types are interned, so identity is equality. A value of any type is, outside native code, its raw bits: an unsigned
`int` for a scalar (floats included) and a `tuple` of them, lane 0 first, for a vector.
"""

from __future__ import annotations

import re
from typing import Final

from metaphrase.ir.errors import MetaphraseError


class TypeMismatch(MetaphraseError):
    """An operation was given operands whose types its signature does not allow."""


class Type:
    """One interned type; `kind` is "int", "float" or "vector", `bits` its total width."""

    __slots__ = ("bits", "element", "kind", "lanes", "mask", "name")

    def __init__(self, kind: str, name: str, bits: int, lanes: int = 1, element: Type | None = None) -> None:
        self.kind, self.name, self.bits, self.lanes = kind, name, bits, lanes
        self.element: Type = element or self
        self.mask = (1 << bits) - 1

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, ...]:
        return parse_type, (self.name,)

    @property
    def bytes(self) -> int:
        """Size in memory, in bytes (an i1 takes one)."""
        return (self.bits + 7) // 8

    @property
    def is_int(self) -> bool:
        return self.kind == "int"

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_vector(self) -> bool:
        return self.kind == "vector"

    def with_element(self, element: Type) -> Type:
        """The type of the same shape (scalar, or as many lanes) over another element."""
        return vector(element, self.lanes) if self.is_vector else element

    @property
    def boolean(self) -> Type:
        """The type of a comparison of two values of this type: i1, lane by lane."""
        return self.with_element(I1)

    @property
    def as_int(self) -> Type:
        """The same shape over integers of the element's width."""
        return self.with_element(integer(self.element.bits))


_types: dict[str, Type] = {}


def integer(bits: int) -> Type:
    """The integer type of `bits` bits."""
    name = f"i{bits}"
    found = _types.get(name)
    if found is None:
        if bits < 1:
            raise TypeMismatch(f"an integer type of {bits} bits does not exist; the least is i1")
        found = _types.setdefault(name, Type("int", name, bits))
    return found


def vector(element: Type, lanes: int) -> Type:
    """The type of `lanes` lanes of a scalar `element`."""
    name = f"<{lanes} x {element.name}>"
    found = _types.get(name)
    if found is None:
        if element.is_vector or lanes < 1:
            raise TypeMismatch(f"{name} is not a vector type: lanes are scalars, and there is at least one")
        found = _types.setdefault(name, Type("vector", name, element.bits * lanes, lanes, element))
    return found


def _float(bits: int) -> Type:
    return _types.setdefault(f"f{bits}", Type("float", f"f{bits}", bits))


I1: Final = integer(1)
I8: Final = integer(8)
I16: Final = integer(16)
I32: Final = integer(32)
I64: Final = integer(64)
I128: Final = integer(128)
F16: Final = _float(16)
F32: Final = _float(32)
F64: Final = _float(64)
F80: Final = _float(80)
VOID: Final = Type("void", "void", 0)

_VECTOR = re.compile(r"<\s*(\d+)\s*x\s*(\w+)\s*>")


def parse_type(text: str) -> Type:
    """The type that `text` names, e.g. ``i32``, ``f64`` or ``<4 x i32>``."""
    found = _types.get(text)
    if found is not None:
        return found
    if text == "void":
        return VOID
    match = _VECTOR.fullmatch(text)
    if match:
        return vector(parse_type(match[2]), int(match[1]))
    if re.fullmatch(r"i[1-9]\d*", text):
        return integer(int(text[1:]))
    raise TypeMismatch(f"{text!r} is not a type; types are written i32, f64, <4 x i32>")
