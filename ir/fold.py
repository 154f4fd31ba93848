"""Simplification while building: constants are folded and algebraic identities applied as a node is asked for.

`simplify` is what functions are given as their `simplify`; the named rules of `ir/rules/` are tried after folding.
"""

from __future__ import annotations

from metaphrase.ir.evaluate import evaluate
from metaphrase.ir.graph import Function, Imm, Value
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.rules import RULES
from metaphrase.ir.types import Type

_CONST = OPS["const"]
_ZERO_IS_IDENTITY = frozenset({"add", "sub", "or", "xor", "shl", "lshr", "ashr", "rotl", "rotr"})
_RESIZES = frozenset({"zext", "sext", "trunc"})


def simplify(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    """A value equal to the node, if a simpler one is known."""
    found = _fold(function, op, type, args, imm)
    return RULES.apply(function, op, type, args) if found is None else found


def _fold(function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value | None:
    if args[-1].op is _CONST and all(arg.op is _CONST for arg in args):
        return function.const(type, evaluate(op, type, [a.imm for a in args], [a.type for a in args], imm))
    name = op.name
    if len(args) == 2 and args[1].op is _CONST:
        return _with_constant(function, name, type, args[0], args[1])
    if len(args) == 2 and args[0] is args[1]:
        if name in ("xor", "sub"):
            return function.const(type, 0)
        if name in ("and", "or", "umin", "umax", "smin", "smax"):
            return args[0]
        if name in ("eq", "ule", "sle"):
            return function.const(type, 1)
        if name in ("ne", "ult", "slt"):
            return function.const(type, 0)
    if name in _RESIZES:
        return _resized(function, name, type, args[0])
    if name == "select":
        if args[0].op is _CONST and not args[0].type.is_vector:
            return args[1] if args[0].imm else args[2]
        if args[1] is args[2]:
            return args[1]
    if name == "bitcast":
        source = args[0]
        if source.type is type:
            return source
        if source.op is op:
            return source.args[0].bitcast(type)
    if name == "extract" and args[0].op.name == "insert":
        inner = args[0]
        return inner.args[1] if inner.imm == imm else inner.args[0].extract(imm)
    if name == "insert" and args[0].op is op and args[0].imm == imm:
        return args[0].args[0].insert(imm, args[1])
    return None


def _with_constant(function: Function, name: str, type: Type, a: Value, b: Value) -> Value | None:
    if type.is_vector or b.type.is_vector:
        return None
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


def _resized(function: Function, name: str, type: Type, a: Value) -> Value | None:
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
