"""Values, blocks and functions: the IR itself.

Pure ops are hash-consed nodes without a place (`Function.pure`); effects stand in blocks; each block ends in one
terminator. Arithmetic on `Value` builds nodes. A Python truth test of a value raises: a condition of the guest is a
value, chosen between by `.select()` or by a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Union

from metaphrase.ir.layout import Layout
from metaphrase.ir.ops import OPS, Op
from metaphrase.ir.types import I1, VOID, Type, TypeMismatch, integer, vector

Imm = Any
Operand = Union["Value", int]

_ADD, _SUB, _MUL, _AND, _OR, _XOR = (OPS[n] for n in ("add", "sub", "mul", "and", "or", "xor"))
_CONST, _SELECT = OPS["const"], OPS["select"]


class Value:
    """One node: `op` applied to `args`, of `type`; `imm` is the op's immediate attribute (hashable)."""

    __slots__ = ("args", "function", "id", "imm", "op", "origin", "type")

    def __init__(self, function: Function, op: Op, type: Type, args: tuple[Value, ...], imm: Imm, id: int) -> None:
        self.function, self.op, self.type, self.args, self.imm, self.id = function, op, type, args, imm, id
        self.origin = function.origin

    def __bool__(self) -> bool:
        raise TypeMismatch(
            f"{self!r} is a value of the guest, unknown while lifting: use .select() or a branch, not a Python `if`"
        )

    def __repr__(self) -> str:
        inner = ", ".join([f"%{a.id}" for a in self.args] + ([repr(self.imm)] if self.imm is not None else []))
        return f"%{self.id} = {self.op.name} {self.type} {inner}"

    def __hash__(self) -> int:
        return self.id

    @property
    def width(self) -> int:
        """Width of the element in bits."""
        return self.type.element.bits

    @property
    def is_const(self) -> bool:
        return self.op is _CONST

    def _coerce(self, other: Operand) -> Value:
        return other if isinstance(other, Value) else self.function.const(self.type, other)

    def _binary(self, op: Op, other: Operand) -> Value:
        return self.function.pure(op, self.type, (self, self._coerce(other)))

    def _named(self, name: str, other: Operand) -> Value:
        return self.function.pure(OPS[name], self.type, (self, self._coerce(other)))

    def _compare(self, name: str, other: Operand) -> Value:
        return self.function.pure(OPS[name], self.type.boolean, (self, self._coerce(other)))

    def __add__(self, other: Operand) -> Value:
        return self._binary(_ADD, other)

    def __sub__(self, other: Operand) -> Value:
        return self._binary(_SUB, other)

    def __mul__(self, other: Operand) -> Value:
        return self._binary(_MUL, other)

    def __and__(self, other: Operand) -> Value:
        return self._binary(_AND, other)

    def __or__(self, other: Operand) -> Value:
        return self._binary(_OR, other)

    def __xor__(self, other: Operand) -> Value:
        return self._binary(_XOR, other)

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__

    def __rsub__(self, other: Operand) -> Value:
        return self._coerce(other) - self

    def __lshift__(self, other: Operand) -> Value:
        return self._named("shl", other)

    def __invert__(self) -> Value:
        return self ^ self.function.const(self.type, -1)

    def __neg__(self) -> Value:
        return self.function.const(self.type, 0) - self

    def shl(self, count: Operand) -> Value:
        return self._named("shl", count)

    def lshr(self, count: Operand) -> Value:
        return self._named("lshr", count)

    def ashr(self, count: Operand) -> Value:
        return self._named("ashr", count)

    def rotl(self, count: Operand) -> Value:
        return self._named("rotl", count)

    def rotr(self, count: Operand) -> Value:
        return self._named("rotr", count)

    def udiv(self, other: Operand) -> Value:
        return self._named("udiv", other)

    def urem(self, other: Operand) -> Value:
        return self._named("urem", other)

    def sdiv(self, other: Operand) -> Value:
        return self._named("sdiv", other)

    def srem(self, other: Operand) -> Value:
        return self._named("srem", other)

    def binary(self, name: str, other: Operand) -> Value:
        """Any op of signature T T -> T, by name (umin, sadd_sat, ...)."""
        return self._named(name, other)

    def unary(self, name: str) -> Value:
        """Any op of signature T -> T, by name (popcnt, clz, ctz, bswap)."""
        return self.function.pure(OPS[name], self.type, (self,))

    def eq(self, other: Operand) -> Value:
        return self._compare("eq", other)

    def ne(self, other: Operand) -> Value:
        return self._compare("ne", other)

    def ult(self, other: Operand) -> Value:
        return self._compare("ult", other)

    def ule(self, other: Operand) -> Value:
        return self._compare("ule", other)

    def slt(self, other: Operand) -> Value:
        return self._compare("slt", other)

    def sle(self, other: Operand) -> Value:
        return self._compare("sle", other)

    def select(self, then: Value, otherwise: Operand) -> Value:
        """`then` where this condition is set, else `otherwise`."""
        return self.function.pure(_SELECT, then.type, (self, then, then._coerce(otherwise)))

    def _resize(self, name: str, bits: int) -> Value:
        if bits == self.type.element.bits:
            return self
        return self.function.pure(OPS[name], self.type.with_element(integer(bits)), (self,))

    def zext(self, bits: int) -> Value:
        """Zero-extended to elements of `bits` bits (itself if they have that width)."""
        return self._resize("zext", bits)

    def sext(self, bits: int) -> Value:
        return self._resize("sext", bits)

    def trunc(self, bits: int) -> Value:
        return self._resize("trunc", bits)

    def bitcast(self, type: Type) -> Value:
        """The same bits as `type`."""
        return self if type is self.type else self.function.pure(OPS["bitcast"], type, (self,))

    def extract(self, lane: int) -> Value:
        return self.function.pure(OPS["extract"], self.type.element, (self,), lane)

    def insert(self, lane: int, value: Value) -> Value:
        return self.function.pure(OPS["insert"], self.type, (self, value), lane)

    def splat(self, lanes: int) -> Value:
        """A vector of `lanes` copies of this scalar."""
        return self.function.pure(OPS["splat"], vector(self.type, lanes), (self,))

    def shuffle(self, other: Value, lanes: Sequence[int]) -> Value:
        """Lane i of the result is lane `lanes[i]` of this vector's lanes followed by those of `other`."""
        return self.function.pure(OPS["shuffle"], vector(self.type.element, len(lanes)), (self, other), tuple(lanes))


class Terminator:
    """The end of a block; `targets` are the blocks of `jump` and `branch`."""

    __slots__ = ("args", "imm", "op", "targets")

    def __init__(self, op: Op, args: tuple[Value, ...], targets: tuple[Block, ...] = (), imm: Imm = None) -> None:
        self.op, self.args, self.targets, self.imm = op, args, targets, imm

    def __repr__(self) -> str:
        words = [f"%{a.id}" for a in self.args] + [t.name for t in self.targets]
        return f"{self.op.name} " + ", ".join(words + ([str(self.imm)] if self.imm is not None else []))


class Block:
    """Effects in program order, then one terminator.

    `origin` is (offset from the region's base, instruction count) where known, `runs` how often it was run.
    """

    __slots__ = ("effects", "name", "origin", "runs", "terminator")

    def __init__(self, name: str) -> None:
        self.name = name
        self.effects: list[Value] = []
        self.terminator: Terminator | None = None
        self.origin: tuple[int, int] | None = None
        self.runs: int | None = None

    def __repr__(self) -> str:
        return f"<block {self.name}>"

    @property
    def successors(self) -> tuple[Block, ...]:
        return self.terminator.targets if self.terminator else ()


class Function:
    """A graph of blocks over one value graph; `blocks[0]` is the entry.

    `layout` declares the guest state that `get` and `put` touch. `simplify` is asked for a replacement before a pure
    node is made (constant folding and the named rules install themselves there).
    """

    def __init__(
        self,
        name: str,
        layout: Layout | None = None,
        parameters: Sequence[Type] = (),
        result: Type = VOID,
        simplify: Callable[[Function, Op, Type, tuple[Value, ...], Imm], Value | None] | None = None,
    ) -> None:
        self.name, self.layout, self.parameters, self.result = name, layout, tuple(parameters), result
        self.blocks: list[Block] = []
        self.locals: list[Type] = []
        self.simplify = simplify
        self.origin = 0
        """Offset from the region's base of the instruction being lifted; values remember it."""
        self._pure: dict[tuple[Op, Type, tuple[Value, ...], Imm], Value] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"<function {self.name}: {len(self.blocks)} blocks, {self._count} values>"

    def __str__(self) -> str:
        from metaphrase.ir.text import print_function  # the text form stands above the graph

        return print_function(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What notebooks show: text, and a drawing of the blocks."""
        from metaphrase.ir.view import mimebundle  # needs networkx, which nothing on the hot path does

        return mimebundle(self)

    def block(self, name: str = "") -> Block:
        """A new, empty block at the end."""
        block = Block(name or f"b{len(self.blocks)}")
        self.blocks.append(block)
        return block

    def _new(self, op: Op, type: Type, args: tuple[Value, ...], imm: Imm) -> Value:
        self._count += 1
        return Value(self, op, type, args, imm, self._count)

    def pure(self, op: Op, type: Type, args: tuple[Value, ...], imm: Imm = None) -> Value:
        """The node for a pure op: simplified if possible, else the one that exists, else a new one."""
        if op.commutes and args[0].op is _CONST and args[1].op is not _CONST:
            args = (args[1], args[0])
        key = (op, type, args, imm)
        found = self._pure.get(key)
        if found is None:
            if self.simplify is not None and args:
                found = self.simplify(self, op, type, args, imm)
            if found is None:
                found = self._new(op, type, args, imm)
            self._pure[key] = found
        return found

    def effect(self, block: Block, op: Op, type: Type, args: tuple[Value, ...], imm: Imm = None) -> Value:
        """Append an effect to `block` and give its result."""
        value = self._new(op, type, args, imm)
        block.effects.append(value)
        return value

    def copy_effect(self, effect: Value) -> Value:
        """An effect of the same kind, for the caller to put into another block."""
        copy = self._new(effect.op, effect.type, effect.args, effect.imm)
        copy.origin = effect.origin
        return copy

    def const(self, type: Type, value: int | tuple[int, ...]) -> Value:
        """A constant: raw bits (negative numbers wrap), or one per lane; an int for a vector fills every lane."""
        if type.is_vector:
            mask = type.element.mask
            lanes = (value,) * type.lanes if isinstance(value, int) else value
            return self.pure(_CONST, type, (), tuple(lane & mask for lane in lanes))
        assert isinstance(value, int)
        return self.pure(_CONST, type, (), value & type.mask)

    def true(self) -> Value:
        return self.const(I1, 1)

    def values(self) -> Iterator[Value]:
        """Every value reachable from effects and terminators, operands before users."""
        seen: set[int] = set()
        for block in self.blocks:
            roots = [*block.effects, *(block.terminator.args if block.terminator else ())]
            for root in roots:
                yield from postorder(root, seen)


def postorder(root: Value, seen: set[int]) -> Iterator[Value]:
    """`root` and what it is made of, operands before users, but for values whose ids are in `seen` (which grows)."""
    stack: list[tuple[Value, int]] = [(root, 0)]
    while stack:
        value, index = stack.pop()
        if value.id in seen:
            continue
        if index < len(value.args):
            stack.append((value, index + 1))
            if value.args[index].id not in seen:
                stack.append((value.args[index], 0))
        else:
            seen.add(value.id)
            yield value
