"""Check that a function is well formed: what the builder's users, parsers and passes must keep true.

`mismatch` judges one op against its row of the table; `verify` judges a whole function: types, immediates, one
terminator a block, effects standing in one place, and every use dominated by its definition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.f80_functions import FUNCTIONS
from metaphrase.ir.graph import Block, Function, Imm, Terminator, Value, postorder
from metaphrase.ir.ops import OPS, Op, Trait
from metaphrase.ir.schedule import Dominators
from metaphrase.ir.types import I1, VOID, Type, parse_type

RMW_OPERATIONS = ("add", "sub", "and", "or", "xor", "xchg", "smax", "smin", "umax", "umin")
TRANSFERS = ("jump", "call", "return", "rarely", "carefully")
TARGETS = {"jump": 1, "branch": 2}
"""How many blocks a terminator names, where it names a fixed number of them."""

FLOAT_OPS = (
    "fadd", "fsub", "fmul", "fdiv", "fsqrt", "fma", "fms", "fnma", "fnms", "fmaddsub", "fmsubadd", "fmin",
    "fmax", "fround",
    "feq", "flt", "flt_quiet", "fle", "funord", "fcompare", "fcompare_quiet",
)  # fmt: skip
"""Ops whose operands are floating point, all of one format."""


class VerifyError(MetaphraseError):
    """A function breaks a rule of the IR. The text names the function, the block and the value."""


# --- one op -----------------------------------------------------------------------------------------------------------
def bind(op: Op, arg_types: Sequence[Type]) -> Type | None:
    """What the signature's letter T stands for, as the first operand that is declared T has it."""
    for word, type in zip(op.operands, arg_types):
        if word == "T":
            return type
    return None


def result_type(op: Op, bound: Type | None, given: Type | None) -> Type | None:
    """The type of an op's result by its signature; `given` is the type that the user chose for R."""
    match op.result:
        case "-":
            return VOID
        case "R":
            return given
        case "T":
            return bound
        case "B":
            return bound.boolean if bound else None
        case "E":
            return bound.element if bound else None
    return parse_type(op.result)


def mismatch(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    """What is wrong with an op of result `type` on operands of `arg_types`, or None."""
    if op.name != "ret":
        wrong = _signature(op, type, arg_types)
        if wrong:
            return wrong
    wrong = _immediate(op, imm)
    if wrong:
        return wrong
    extra = _EXTRA.get(op.name, _integers if op.meaning is not None and op.name != "select" else None)
    return extra(op, type, arg_types, imm) if extra else None


def _signature(op: Op, type: Type, arg_types: Sequence[Type]) -> str | None:
    words = op.operands
    if len(words) != len(arg_types):
        return f"{op.name} takes {len(words)} operands, not {len(arg_types)}"
    bound = bind(op, arg_types)
    element = bound or (type if op.result == "R" else None)
    for index, (word, given) in enumerate(zip(words, arg_types), 1):
        if given is VOID:
            return f"operand {index} of {op.name} has no value"
        if word == "T":
            if given is not bound:
                return f"operand {index} of {op.name} is {given}, and the one before it {bound}"
        elif word == "B":
            if given is not I1 and (bound is None or given is not bound.boolean):
                return f"operand {index} of {op.name} is {given}, not a condition (i1) of {bound}"
        elif word == "E":
            if element is None or given is not element.element:
                return f"operand {index} of {op.name} is {given}, not the element of {element}"
        elif given.name != word:
            return f"operand {index} of {op.name} is {given}, not {word}"
    expected = result_type(op, bound, type)
    if expected is not type:
        return f"{op.name} gives {expected}, not {type}"
    if op.result == "R" and type is VOID:
        return f"{op.name} needs the type of its result"
    return None


def _immediate(op: Op, imm: Imm) -> str | None:
    """Whether the immediate is of the kind that the table says."""
    match op.immediate:
        case "":
            good = imm is None
        case "address":
            good = isinstance(imm, int)
        case "number" | "lane" | "local" | "offset" | "count":
            good = isinstance(imm, int) and imm >= 0
        case "distance":
            good = isinstance(imm, int)
        case "rounding":
            good = isinstance(imm, int) and imm & ~8 in range(5)
        case "lanes":
            good = isinstance(imm, tuple) and all(isinstance(lane, int) and lane >= 0 for lane in imm)
        case "operation":
            good = imm in RMW_OPERATIONS
        case "function":
            good = imm in FUNCTIONS
        case "transfer":
            good = imm in TRANSFERS
        case "name" | "reason":
            good = isinstance(imm, str)
        case _:
            good = True
    return None if good else f"the immediate {op.immediate or '(none)'} of {op.name} cannot be {imm!r}"


def _integers(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    for given in (*arg_types, type):
        if not given.element.is_int:
            return f"{op.name} works on integers, not {given}"
    return None


def _floats(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    return None if arg_types[0].element.is_float else f"{op.name} works on floating point, not {arg_types[0]}"


def _float_scalars(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    right = arg_types[0].is_float and not arg_types[0].is_vector
    return None if right else f"{op.name} works on floating-point scalars, not {arg_types[0]}"


def _same_shape(op: Op, type: Type, source: Type) -> str | None:
    same = type.is_vector == source.is_vector and type.lanes == source.lanes
    return None if same else f"{op.name} cannot change the shape of {source} to {type}"


def _wider(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    narrow, wide = arg_types[0].element.bits, type.element.bits
    if op.name == "trunc":
        narrow, wide = wide, narrow
    wrong = _integers(op, type, arg_types, imm) or _same_shape(op, type, arg_types[0])
    return wrong or (None if narrow < wide else f"{op.name} cannot take {arg_types[0]} to {type}")


def _converts(source_is_float: bool, target_is_float: bool) -> Callable[..., str | None]:
    def check(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
        source = arg_types[0]
        right = source.element.is_float == source_is_float and type.element.is_float == target_is_float
        return _same_shape(op, type, source) if right else f"{op.name} cannot convert {source} to {type}"

    return check


def _bitcast(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    same = arg_types[0].bits == type.bits
    return None if same else f"bitcast of {arg_types[0].bits} bits ({arg_types[0]}) to {type.bits} ({type})"


def _bswap(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    whole = type.element.bits % 16 == 0
    wrong = _integers(op, type, arg_types, imm)
    return wrong or (None if whole else f"bswap needs an even number of bytes, not {type}")


def _checksum(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    data = arg_types[1]
    return None if data.is_int and data.bits in (8, 16, 32, 64) else f"{op.name} works on i8 to i64, not {data}"


def _rotate(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    power = type.element.bits.bit_count() == 1
    return _integers(op, type, arg_types, imm) or (None if power else f"{op.name} of {type}, no power of two wide")


def _splat(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    return None if type.is_vector else f"splat gives a vector, not {type}"


def _lane(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    vector = arg_types[0]
    if not vector.is_vector:
        return f"{op.name} works on a vector, not {vector}"
    return None if imm < vector.lanes else f"{op.name} of lane {imm} of {vector}"


def _shuffle(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    source = arg_types[0]
    if not (source.is_vector and type.is_vector and type.element is source.element and type.lanes == len(imm)):
        return f"shuffle of {source} by {len(imm)} lanes cannot give {type}"
    outside = [lane for lane in imm if lane >= 2 * source.lanes]
    return f"shuffle names lane {outside[0]} of {2 * source.lanes}" if outside else None


def _constant(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    lanes = imm if type.is_vector else (imm,)
    good = isinstance(lanes, tuple) and len(lanes) == type.lanes
    if good and all(isinstance(lane, int) and 0 <= lane <= type.element.mask for lane in lanes):
        return None
    return f"{imm!r} is no value of {type}"


def _bound(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    if op.bound:
        return None if str(type) == op.bound else f"{op.name} of {type}, not {op.bound}"
    return None if type.is_int and type.bits in (32, 64) else f"{op.name} of {type}, not of i32 or i64"


def _atomic(op: Op, type: Type, arg_types: Sequence[Type], imm: Imm) -> str | None:
    return None if type.is_int and type.bits in (8, 16, 32, 64, 128) else f"{op.name} of {type}, which no host does"


_EXTRA: dict[str, Callable[[Op, Type, Sequence[Type], Imm], str | None]] = {
    "const": _constant, "bitcast": _bitcast, "bswap": _bswap, "crc32c": _checksum, "rotl": _rotate, "rotr": _rotate,
    "zext": _wider, "sext": _wider, "trunc": _wider,
    "splat": _splat, "extract": _lane, "insert": _lane, "shuffle": _shuffle,
    **dict.fromkeys((name for name, op in OPS.items() if op.expansion is not None), _bound),
    "rmw": _atomic, "cmpxchg": _atomic,
    **dict.fromkeys(("fconvert", "fconvert_by"), _converts(True, True)),
    **dict.fromkeys(("ftosi", "ftosi_trunc"), _converts(True, False)), "sitof": _converts(False, True),
    **dict.fromkeys(
        ("fadd", "fsub", "fmul", "fdiv", "fsqrt", "fmin", "fmax", "fma", "fms", "fnma", "fnms", "fmaddsub",
         "fmsubadd", "feq", "flt", "flt_quiet", "fle", "funord", "fround"), _floats
    ),
    **dict.fromkeys(("fcompare", "fcompare_quiet"), _float_scalars),
}  # fmt: skip


# --- a function -------------------------------------------------------------------------------------------------------
def verify(function: Function) -> Function:
    """Give the function back, or raise VerifyError with the first rule it breaks."""
    _Verifier(function).run()
    return function


class _Verifier:
    """The state of one verification."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.place: dict[int, tuple[int, int]] = {}
        """Where a value is known at the earliest: (block's number, effect's index behind which it is)."""
        self.placed: set[int] = set()

    def fail(self, block: Block, what: str) -> NoReturn:
        raise VerifyError(f"@{self.function.name}, block {block.name}: {what}")

    def run(self) -> None:
        if not self.function.blocks:
            raise VerifyError(f"@{self.function.name} has no blocks")
        self._blocks()
        self._types()
        self._dominance()

    def _blocks(self) -> None:
        blocks = set(self.function.blocks)
        standing: dict[int, Block] = {}
        for block in self.function.blocks:
            end = block.terminator
            if end is None:
                self.fail(block, "has no terminator")
            if end.op.trait is not Trait.TERMINATOR:
                self.fail(block, f"ends in {end.op}, which is no terminator")
            count = TARGETS.get(end.op.name, 0)
            if len(end.targets) != count:
                self.fail(block, f"{end.op} names {len(end.targets)} blocks")
            for target in end.targets:
                if target not in blocks:
                    self.fail(block, f"{end!r} goes to a block that is not in the function")
            for effect in block.effects:
                if effect.op.trait is not Trait.EFFECT:
                    self.fail(block, f"{effect!r} stands among the effects and is none")
                if effect.id in standing:
                    self.fail(block, f"{effect!r} stands in block {standing[effect.id].name} too")
                standing[effect.id] = block

    def _types(self) -> None:
        seen: set[int] = set()
        for block in self.function.blocks:
            end = block.terminator
            assert end is not None
            for root in (*block.effects, *end.args):
                if root.function is not self.function:  # ids are those of its own function: don't look inside
                    self.fail(block, f"{root!r} belongs to @{root.function.name}")
                for value in postorder(root, seen):
                    self._value(block, value)
            self._terminator(block, end)

    def _value(self, block: Block, value: Value) -> None:
        function = self.function
        for arg in value.args:
            if arg.function is not function:
                self.fail(block, f"{arg!r} belongs to @{arg.function.name}")
        wrong = mismatch(value.op, value.type, [arg.type for arg in value.args], value.imm)
        if wrong:
            self.fail(block, f"{value!r}: {wrong}")
        kind, imm = value.op.immediate, value.imm
        if kind == "local":
            type = value.args[0].type if value.args else value.type
            if imm >= len(function.locals) or function.locals[imm] is not type:
                self.fail(block, f"{value!r}: the function has no local variable {imm} of {type}")
        elif kind == "offset" and function.layout is not None:
            type = value.args[0].type if value.args else value.type
            if imm + type.bytes > function.layout.size:
                self.fail(block, f"{value!r}: layout {function.layout.name} ends at byte {function.layout.size}")
        elif kind == "number" and (imm >= len(function.parameters) or function.parameters[imm] is not value.type):
            self.fail(block, f"{value!r}: the function has no parameter {imm} of {value.type}")

    def _terminator(self, block: Block, end: Terminator) -> None:
        types = [arg.type for arg in end.args]
        wrong = mismatch(end.op, VOID, types, end.imm)
        if end.op.name == "ret" and types != ([] if self.function.result is VOID else [self.function.result]):
            wrong = f"the function returns {self.function.result}"
        if wrong:
            self.fail(block, f"{end!r}: {wrong}")

    def _dominance(self) -> None:
        dominators = Dominators(self.function)
        for number, block in enumerate(dominators.order):
            for index, effect in enumerate(block.effects):
                self.place[effect.id] = (number, index)
        self.placed = set(self.place)
        for number, block in enumerate(dominators.order):
            end = block.terminator
            assert end is not None
            uses = [(index, arg) for index, effect in enumerate(block.effects) for arg in effect.args]
            uses += [(len(block.effects), arg) for arg in end.args]
            for index, arg in uses:
                at = self._known_from(dominators, block, arg)
                if at[0] == number:
                    if at[1] >= index:
                        self.fail(block, f"{arg!r} is used before it is computed")
                elif not dominators.dominates(at[0], number):
                    name = dominators.order[at[0]].name
                    self.fail(block, f"{arg!r} is computed in block {name}, which does not come before on every path")

    def _known_from(self, dominators: Dominators, block: Block, root: Value) -> tuple[int, int]:
        """The place behind which a value can be computed; the places of its operands must lie on one path."""
        for value in postorder(root, self.placed):
            if not value.op.is_pure:
                self.fail(block, f"{value!r} is used and stands in no block that runs")
            deepest = (0, -1)
            for arg in value.args:
                at = self.place[arg.id]
                if at[0] == deepest[0]:
                    deepest = max(deepest, at)
                elif dominators.dominates(deepest[0], at[0]):
                    deepest = at
                elif not dominators.dominates(at[0], deepest[0]):
                    self.fail(block, f"{value!r} joins values of blocks of which neither comes before the other")
            self.place[value.id] = deepest
        return self.place[root.id]
