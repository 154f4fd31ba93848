"""Simplification while building: constants are folded and algebraic identities applied as a node is asked for.

`simplify` is what functions are given as their `simplify`; the named rules of `ir/rules/` are tried after folding.
"""

from __future__ import annotations

from collections.abc import Callable

from metaphrase.ir.evaluate import evaluate
from metaphrase.ir.graph import Function, Imm, Value
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.rules import RULES
from metaphrase.ir.types import Type

_CONST = OPS["const"]
_ZERO_IS_IDENTITY = frozenset({"add", "sub", "or", "xor", "shl", "lshr", "ashr", "rotl", "rotr"})
_INSERT = OPS["insert"]
_OF_ITSELF = {
    **dict.fromkeys([OPS[name] for name in ("xor", "sub", "ne", "ult", "slt")], 0),
    **dict.fromkeys([OPS[name] for name in ("eq", "ule", "sle")], 1),
    **dict.fromkeys([OPS[name] for name in ("and", "or", "umin", "umax", "smin", "smax")], -1),
}
"""What an op makes of the same value twice: a constant, or (-1) that value."""


def simplify(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    """A value equal to the node, if a simpler one is known."""
    found = _fold(function, op, type, args, imm)
    return RULES.apply(function, op, type, args) if found is None else found


def _fold(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    last = args[-1]
    if last.op is _CONST:  # where operands commute, constants stand last
        if all(arg.op is _CONST for arg in args):
            return function.const(type, evaluate(op, type, [a.imm for a in args], [a.type for a in args], imm))
        if len(args) == 2 and not type.is_vector and not last.type.is_vector:
            return _with_constant(function, op.name, type, args[0], last)
    if args[0] is last and len(args) == 2:
        same = _OF_ITSELF.get(op)
        if same is not None:
            return args[0] if same < 0 else function.const(type, same)
    folder = _FOLDERS.get(op)
    return folder(function, op, type, args, imm) if folder is not None else None


def _select(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    condition, then, otherwise = args
    if condition.op is _CONST and not condition.type.is_vector:
        return then if condition.imm else otherwise
    return then if then is otherwise else None


def _bitcast(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    source = args[0]
    if source.type is type:
        return source
    return source.args[0].bitcast(type) if source.op is op else None


def _extract(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    inner = args[0]
    if inner.op is not _INSERT:
        return None
    return inner.args[1] if inner.imm == imm else inner.args[0].extract(imm)


def _insert(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    inner = args[0]
    return inner.args[0].insert(imm, args[1]) if inner.op is op and inner.imm == imm else None


def _with_constant(function: Function, name: str, type: Type, a: Value, b: Value) -> Value | None:
    constant = b.imm
    if constant == 0:
        if name in _ZERO_IS_IDENTITY:
            return a
        if name in ("and", "mul"):
            return b
    if constant == b.type.mask:
        if name == "and":
            return a
        if name == "or":
            return b
    if name == "add" and a.op.name == "add" and a.args[1].op is _CONST:
        return a.args[0] + (a.args[1].imm + constant)
    if name == "sub":
        return a + -constant
    if name == "and":
        if a.op is OPS["and"] and a.args[1].op is _CONST:
            return a.args[0] & (a.args[1].imm & constant)
        if a.op is OPS["zext"] and constant & a.args[0].type.mask == a.args[0].type.mask:
            return a
    if name == "mul" and constant == 1:
        return a
    return None


def _resized(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    name, a = op.name, args[0]
    inner = a.op.name
    bits = type.element.bits
    if name == "trunc" and inner in ("zext", "sext"):
        source = a.args[0]
        if bits == source.width:
            return source
        return source.trunc(bits) if bits < source.width else function.pure(a.op, type, (source,))
    if name == "trunc" and inner in ("and", "or") and a.args[1].op is _CONST and not type.is_vector:
        mask = a.args[1].imm & type.mask  # a partial register write, read back: the merge disappears
        if inner == "and" and mask == type.mask:
            return a.args[0].trunc(bits)
        if inner == "and" and mask == 0:
            return function.const(type, 0)
    if name == "trunc" and inner == "or" and a.args[1].op.name == "zext" and a.args[0].op.name == "and":
        kept = a.args[0].args[1]
        if kept.op is _CONST and not type.is_vector and kept.imm & type.mask == 0:
            return a.args[1].trunc(bits)
    if name == inner and inner in ("zext", "sext", "trunc"):
        return function.pure(a.op, type, a.args)
    if name == "sext" and inner == "zext":
        return function.pure(OPS["zext"], type, a.args)
    return None


_FOLDERS: dict[Op, Callable[[Function, Op, Type, tuple[Value, ...], Imm], Value | None]] = {
    **dict.fromkeys([OPS[name] for name in ("zext", "sext", "trunc")], _resized),
    OPS["select"]: _select,
    OPS["bitcast"]: _bitcast,
    OPS["extract"]: _extract,
    OPS["insert"]: _insert,
}
