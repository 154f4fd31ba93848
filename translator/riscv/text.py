"""Assembly text of RISC-V instructions, in the assembler's names and without its aliases."""

from __future__ import annotations

from metaphrase.translator.guest import Description
from metaphrase.translator.pattern_table import ImmediateKind, RegisterKind, StaticKind, TargetKind, Unsigned
from metaphrase.translator.riscv import state as s

_MODES = {s.RNE: ", rne", s.RTZ: ", rtz", s.RDN: ", rdn", s.RUP: ", rup", s.RMM: ", rmm", s.DYNAMIC: ""}
_ORDERS = {0: "", 1: ".rl", 2: ".aq", 3: ".aqrl"}


class Field(int):
    """An operand's value, written in decimal or, by a format, as the assembler writes it."""

    def __format__(self, how: str) -> str:
        value = int(self)
        match how:
            case "x":
                return hex(value)
            case "upper":
                return hex(value >> 12 & 0xFFFFF)
            case "mode":
                return _MODES[value]
            case "fence":
                return "".join(letter for bit, letter in enumerate("wroi") if value >> bit & 1)[::-1] or "0"
            case "order":
                return _ORDERS[value]
        return str(value)


def text(description: Description, word: int, pc: int) -> str:
    """The assembly text of `word`, an instruction of that description at guest address `pc`."""
    pattern = description.detail.pattern
    values: dict[str, str | Field] = {name: Field(pattern.extract(name, word)) for name in pattern.fields}
    if "rl" in pattern.fields:
        values["aq"] = Field(pattern.extract("aq", word) << 1 | pattern.extract("rl", word))
    for name, kind, field, first, _ in description.operands:
        number = field if isinstance(field, int) else pattern.extract(field, word)
        if isinstance(kind, RegisterKind):
            names = s.F_NAMES if kind.sources is s.F else s.X_NAMES
            values[name] = names[first + number]
        elif isinstance(kind, TargetKind) and not kind.relative:
            values[name] = hex(pc + _signed(number, pattern.field_width(field)) & (1 << 64) - 1)
        elif isinstance(kind, StaticKind):
            values[name] = Field(number)
        else:
            unsigned = isinstance(field, int | Unsigned) or (isinstance(kind, ImmediateKind) and not kind.signed)
            values[name] = Field(number if unsigned else _signed(number, pattern.field_width(field)))
    return description.asm.format_map(values)


def _signed(value: int, width: int) -> int:
    return value - (1 << width) if value >> (width - 1) else value
