"""Helpers for describing VEX forms of instructions that exist without VEX (SDM volume 1, 14.1 and 14.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from metaphrase.ir.graph import Value
from metaphrase.ir.types import Type, vector
from metaphrase.translator.x86.emitter import Register, X86Emitter
from metaphrase.translator.x86.table import insn
from metaphrase.translator.x86.vectors import WHOLE

INTEGER: Final = (("128", "avx"), ("256", "avx2"))
FLOAT: Final = (("128", "avx"), ("256", "avx"))
SCALAR: Final = (("LIG", "avx"),)
SHORT: Final = (("128", "avx"),)
LONG: Final = (("256", "avx"),)
"""Vector lengths of an instruction, and the extension that brought each: integers, floats, scalars, one length only."""


def vex_pattern(length: str, prefix: str, rest: str, *, map: str = "0F", w: str = "WIG") -> str:
    """The pattern of a VEX form: a length, a mandatory prefix ("NP" for none), and what follows on the VEX prefix."""
    return f"VEX.{length}.{'' if prefix == 'NP' else prefix + '.'}{map}.{w} {rest}"


def vex_forms(
    name: str, lengths: tuple[tuple[str, str], ...], prefix: str, rest: str, operands: str,
    semantics: Callable[..., None], *static: object, map: str = "0F", w: str = "WIG", undefined: str = "",
) -> None:  # fmt: skip
    """Describe the forms of all `lengths`, of what is called `name` without the V; operands of size x have that length.

    If there is no such instruction without VEX, the docstring of `semantics` says what it does.
    """
    upper = name.upper()
    what = (semantics.__doc__ or "SDM").split("\n")[0]
    if "SDM" in what:
        what = f"{upper} behind VEX."
    for length, extension in lengths:
        insn(
            vex_pattern(length, prefix, rest, map=map, w=w), operands, name=f"v{name}", extension=extension,
            static=static, undefined=undefined, manual=f"V{upper}: {what} SDM volume 2, {upper}.",
        )(semantics)  # fmt: skip


def widened(type: Type, operand_width: int) -> Type:
    """The vector of the same lanes that fills an operand."""
    return vector(type.element, operand_width // type.element.bits)


def with_scalar(m: X86Emitter, first: Register, value: Value) -> Value:
    """The XMM register `first` with its bottom replaced by a scalar."""
    lanes = vector(value.type, 128 // value.type.bits)
    return m.get(first, WHOLE).bitcast(lanes).insert(0, value)
