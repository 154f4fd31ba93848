"""Instruction tables whose rows are bit patterns: operand kinds, and the decoder that Python calls.

A semantics function is `def add(m, rd: X, rs1: X, imm: Imm)`: each parameter behind the emitter is an operand, its
annotation `Annotated[..., kind]` says what it is, and the field of the pattern with the parameter's name says where it
stands. A row may name other fields, or fixed register numbers, for its operands, so that a short encoding of an
instruction shares the function of the long one. `pattern_native` makes the native decoder of the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from metaphrase.ir.record import REGISTER_FIELDS
from metaphrase.translator.emitter import Binding
from metaphrase.translator.guest import Decoded, DecodeError, Description
from metaphrase.translator.pattern import DecisionTable, Pattern, PatternError, Segment, extract, parse

_ALL_ONES = (1 << 64) - 1


@dataclass(frozen=True)
class RegisterKind:
    """A register, given to semantics functions as its offset in the state.

    Parameters whose name starts with "rd" are destinations. Both tables go from register number to offset; they
    differ where a number means something else when written.
    """

    sources: tuple[int, ...]
    destinations: tuple[int, ...]

    def offsets(self, parameter: str) -> tuple[int, ...]:
        return self.destinations if parameter.startswith("rd") else self.sources


@dataclass(frozen=True)
class ImmediateKind:
    """An immediate operand (at most one of this kind and of TargetKind in a row), an i64."""

    signed: bool = True


class Unsigned(str):
    """The name of a field that is zero-extended, in a row that shares a function whose immediate is signed."""


@dataclass(frozen=True)
class TargetKind:
    """A signed distance from this instruction; semantics functions get the sum with its address.

    `relative` ones are addresses that are computed (Binding.relative); the others are branched to (Binding.target).
    """

    relative: bool = False


@dataclass(frozen=True)
class StaticKind:
    """A field that selects the form; semantics functions get an int."""


Kind = RegisterKind | ImmediateKind | TargetKind | StaticKind


class Operand(NamedTuple):
    """A parameter of a row's semantics: its kind, and the field (or the fixed register number) it is taken from.

    `first` is added to a register field, for fields too short to name every register.
    """

    name: str
    kind: Kind
    field: str | int
    first: int = 0
    slot: int = 0
    """Number among the row's register operands."""

    def bind(self, binding: Binding, statics: int) -> Any:
        """What the semantics function is called with."""
        match self.kind:
            case RegisterKind():
                return binding.register(self.slot)
            case ImmediateKind():
                return binding.immediate()
            case TargetKind(relative):
                return binding.relative() if relative else binding.target()
        return statics


class RegisterPlan(NamedTuple):
    """Offset of a register operand: `offsets[word >> shift & mask]`."""

    shift: int
    mask: int
    offsets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a row's operands are read from a word; both faces of the decoder follow it."""

    registers: tuple[RegisterPlan, ...]
    static: tuple[int, int]
    """Shift and mask."""
    segments: tuple[Segment, ...]
    width: int
    """Bits of a signed immediate or distance; 64 where there is nothing to extend."""
    target: bool
    relative: bool


def make_description(
    pattern: str, semantics: Callable[..., None], asm: str, *, extension: str, ends_block: bool = False,
    fields: Mapping[str, str | int] | None = None, short_registers: int = 0,
) -> Description:  # fmt: skip
    """A row of a table.

    `fields` names the field, or the register number, of parameters that do not stand in the field of their own name.
    `short_registers` is the first register that fields ending in ' name.
    """
    parsed = parse(pattern)
    annotations = [(name, text) for name, text in semantics.__annotations__.items() if name not in ("m", "return")]
    operands: list[Operand] = []
    registers = 0
    for name, text in annotations:
        kind = get_args(semantics.__globals__[text])[1]
        field = fields.get(name, name) if fields else name
        if isinstance(field, str) and field not in parsed.fields:
            raise PatternError(
                f"{semantics.__name__} has the operand {name}, of which {pattern!r} has no field {field}"
            )
        first = short_registers if isinstance(field, str) and field.endswith("'") else 0
        operands.append(Operand(name, kind, field, first, registers))
        registers += isinstance(kind, RegisterKind)
    return Description(
        name=asm.split()[0].partition("{")[0],
        pattern=pattern,
        semantics=semantics,
        operands=tuple(operands),
        asm=asm,
        manual=(semantics.__doc__ or "").strip(),
        extension=extension,
        detail=Encoding(parsed, make_plan(parsed, operands)),
        ends_block=ends_block,
    )


class Encoding(NamedTuple):
    """What a description keeps for its decoder."""

    pattern: Pattern
    plan: Plan


def make_plan(pattern: Pattern, operands: Sequence[Operand]) -> Plan:
    """How the operands of a pattern are read."""
    registers: list[RegisterPlan] = []
    static, width, target, relative = (0, 0), 64, False, False
    segments: tuple[Segment, ...] = ()
    for operand in operands:
        name, kind, field, first, _ = operand
        if isinstance(kind, RegisterKind):
            offsets = kind.offsets(name)
            if isinstance(field, int):
                registers.append(RegisterPlan(0, 0, offsets[field : field + 1]))
                continue
            segment = _only(pattern, field)
            registers.append(RegisterPlan(segment.from_lsb, segment.mask, offsets[first : first + segment.mask + 1]))
        elif isinstance(field, int):
            if field or not isinstance(kind, ImmediateKind):
                raise PatternError(f"{pattern.text!r}: the fixed operand {name}={field} is no register and not zero")
        elif isinstance(kind, StaticKind):
            segment = _only(pattern, field)
            static = segment.from_lsb, segment.mask
        else:
            segments = pattern.fields[field]
            if isinstance(kind, TargetKind):
                target, relative = not kind.relative, kind.relative
            if isinstance(kind, TargetKind) or (kind.signed and not isinstance(field, Unsigned)):
                width = pattern.field_width(field)
    return Plan(tuple(registers), static, segments, width, target, relative)


def _only(pattern: Pattern, field: str) -> Segment:
    segments = pattern.fields[field]
    if len(segments) != 1:
        raise PatternError(f"{pattern.text!r}: the field {field} is scattered; only immediates may be")
    return segments[0]


class PatternTable:
    """The rows of a guest, found by word. `keys` gives the bits to index by for each width of instructions in bits."""

    def __init__(self, rows: Sequence[Description], keys: Mapping[int, Sequence[Segment]]) -> None:
        self.rows = rows
        self.plans: list[Plan] = [row.detail.plan for row in rows]
        self.tables: dict[int, DecisionTable] = {}
        for width, key in keys.items():
            patterns = [(index, row.detail.pattern) for index, row in enumerate(rows)]
            self.tables[width] = DecisionTable([item for item in patterns if item[1].width == width], key)
        for index, row in enumerate(rows):
            row.row = index

    def decode(self, word: int, width: int, pc: int) -> Decoded:
        """The instruction `word` of `width` bits at guest address `pc`; raises DecodeError if no row matches."""
        row = self.tables[width].find(word)
        if row < 0:
            raise DecodeError(f"the word {word:0{width // 4}x} at {pc:#x} is no instruction that the tables describe")
        plan = self.plans[row]
        registers = [offsets[word >> shift & mask] for shift, mask, offsets in plan.registers]
        registers += [0] * (REGISTER_FIELDS - len(registers))
        value = extract(plan.segments, word)
        if value >> (plan.width - 1):
            value -= 1 << plan.width
        displacement = 0
        if plan.target:
            value += pc
        elif plan.relative:
            value, displacement = 0, value + pc
        shift, mask = plan.static
        return Decoded(
            row, word >> shift & mask, tuple(registers), value & _ALL_ONES, displacement & _ALL_ONES, pc, width // 8
        )
