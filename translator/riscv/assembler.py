"""RISC-V assembly to machine code: the tables' own texts, read the other way.

What `text` writes is understood, with labels, the numeric names of registers, and the usual short forms beside it.
Compressed instructions are written as such ("c.addi"); nothing is compressed on its own account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from string import Formatter
from typing import Final, NamedTuple

from metaphrase.translator.guest import AssemblyError, Description, guest
from metaphrase.translator.pattern import Pattern, extract, insert
from metaphrase.translator.pattern_table import ImmediateKind, Operand, RegisterKind, TargetKind, Unsigned
from metaphrase.translator.riscv import state as s

_MODES: Final = {"rne": s.RNE, "rtz": s.RTZ, "rdn": s.RDN, "rup": s.RUP, "rmm": s.RMM, "dyn": s.DYNAMIC}
_ORDERS: Final = {"": 0, ".rl": 1, ".aq": 2, ".aqrl": 3}
_WIDE_REGISTERS: Final = {**{name: n for n, name in enumerate(s.X_NAMES)}, **{f"x{n}": n for n in range(32)}, "fp": 8}
_FLOAT_REGISTERS: Final = {**{name: n for n, name in enumerate(s.F_NAMES)}, **{f"f{n}": n for n in range(32)}}
_LABEL: Final = re.compile(r"\s*([a-z_.$][\w.$]*)\s*:")

_SHORT_FORMS: Final = {
    "nop": "addi zero, zero, 0",
    "li A, B": "addi A, zero, B",
    "mv A, B": "addi A, B, 0",
    "not A, B": "xori A, B, -1",
    "neg A, B": "sub A, zero, B",
    "sext.w A, B": "addiw A, B, 0",
    "seqz A, B": "sltiu A, B, 1",
    "snez A, B": "sltu A, zero, B",
    "beqz A, B": "beq A, zero, B",
    "bnez A, B": "bne A, zero, B",
    "bgez A, B": "bge A, zero, B",
    "bltz A, B": "blt A, zero, B",
    "bgtz A, B": "blt zero, A, B",
    "blez A, B": "bge zero, A, B",
    "j A": "jal zero, A",
    "jr A": "jalr zero, 0(A)",
    "ret": "jalr zero, 0(ra)",
}
"""Chapter 25 of the manual, volume I: the pseudoinstructions that stand for one instruction."""


class _Row(NamedTuple):
    """A description, how its text is matched, and what the groups of the match are: a name and a format each."""

    description: Description
    expression: re.Pattern[str]
    groups: tuple[tuple[str, str], ...]


def assemble_text(text: str, address: int) -> bytes:
    """Machine code for instructions separated by line breaks or semicolons; # begins a comment.

    `address` is where it will lie. Raises AssemblyError, which shows the instruction.
    """
    lines, labels = _lines(text, address)
    code = bytearray()
    for line in lines:
        word, width = _encode(line, address + len(code), labels)
        code += word.to_bytes(width // 8, "little")
    return bytes(code)


def _lines(text: str, address: int) -> tuple[list[str], dict[str, int]]:
    """The instructions, long forms in place of short ones, and the addresses of the labels."""
    lines: list[str] = []
    labels: dict[str, int] = {}
    for piece in text.lower().splitlines():
        for part in piece.partition("#")[0].split(";"):
            while label := _LABEL.match(part):
                labels[label[1]] = address
                part = part[label.end() :]
            if part.strip():
                lines.append(_in_full(", ".join(word.strip() for word in " ".join(part.split()).split(","))))
                address += _width(lines[-1]) // 8
    return lines, labels


def _in_full(line: str) -> str:
    """The instruction that a short form stands for; others as they are."""
    name, _, rest = line.partition(" ")
    operands = rest.split(", ") if rest else []
    for short, full in _SHORT_FORMS.items():
        short_name, _, short_operands = short.partition(" ")
        if name == short_name and len(operands) == len(short_operands.split(", ") if short_operands else []):
            return re.sub(r"\b[AB]\b", lambda match: operands["AB".index(match[0])], full)
    return line


def _width(line: str) -> int:
    """Bits of an instruction, which its name tells."""
    return 16 if line.startswith("c.") else 32


@cache
def _rows() -> dict[str, list[_Row]]:
    """All rows by the beginning of their text."""
    rows: dict[str, list[_Row]] = {}
    for description in guest("riscv64").rows:
        expression, groups = "", []
        for literal, name, how, _ in Formatter().parse(description.asm):
            expression += re.escape(literal).replace(r"\ ", " ")
            if name is not None:
                groups.append((name, how or ""))
                expression += _expression(how or "")
        found = _Row(description, re.compile(expression), tuple(groups))
        rows.setdefault(description.name, []).append(found)
    return rows


def _expression(how: str) -> str:
    match how:
        case "mode":
            return r"(?:, (\w+))?"
        case "order":
            return r"((?:\.aq|\.rl|\.aqrl)?)"
    return r"([\w.$+-]+)"


def _encode(line: str, pc: int, labels: Mapping[str, int]) -> tuple[int, int]:
    """The word of one instruction, and its width in bits."""
    name = line.partition(" ")[0]
    candidates = _rows().get(name) or _rows().get(re.sub(r"\.(aq|rl|aqrl)$", "", name), [])
    if not candidates:
        raise AssemblyError(f"riscv64: no instruction is called {name!r}")
    why = "its operands are of another form"
    for row in candidates:
        match = row.expression.fullmatch(line)
        if match is None:
            continue
        pattern: Pattern = row.description.detail.pattern
        try:
            values = _values(row, match.groups(), pc, labels)
        except ValueError as error:
            why = str(error)
            continue
        word = pattern.encode(**values)
        if pattern.matches(word) and all(pattern.extract(field, word) == value for field, value in values.items()):
            return word, pattern.width
        why = "no encoding has these operands"
    forms = " or ".join(row.description.asm for row in candidates)
    raise AssemblyError(f"riscv64: {line!r} cannot be assembled: {why} (its form is {forms})")


def _values(row: _Row, texts: tuple[str | None, ...], pc: int, labels: Mapping[str, int]) -> dict[str, int]:
    """The values of the pattern's fields. Raises ValueError for an operand that does not fit."""
    operands = {operand.name: operand for operand in row.description.operands}
    pattern: Pattern = row.description.detail.pattern
    values: dict[str, int] = {}
    for (name, how), text in zip(row.groups, texts):
        operand = operands.get(name)
        if how == "order":
            order = _ORDERS[text or ""]
            values |= {"aq": order >> 1, "rl": order & 1}
        elif how == "mode":
            values[name] = _MODES["dyn" if text is None else _known(text, _MODES)]
        elif how == "fence":
            values[name] = sum(1 << "wroi".index(letter) for letter in (text or "").strip("0"))
        elif operand is not None and isinstance(operand.kind, RegisterKind):
            _put_register(values, operand, text or "", pattern)
        else:
            field = name if operand is None else operand.field
            number = _number(text or "", labels)
            if operand is not None and isinstance(operand.kind, TargetKind) and not operand.kind.relative:
                number = _signed(number - pc, 64)
            if how == "upper":  # the upper 20 bits of what is a number of 32 bits
                number = _signed(number << 12, 32)
            if isinstance(field, str):
                _put_number(values, field, number, pattern, signed=_is_signed(operand, field))
    return values


def _is_signed(operand: Operand | None, field: str) -> bool:
    if operand is None or isinstance(field, Unsigned):
        return False
    return isinstance(operand.kind, TargetKind) or (isinstance(operand.kind, ImmediateKind) and operand.kind.signed)


def _put_register(values: dict[str, int], operand: Operand, text: str, pattern: Pattern) -> None:
    assert isinstance(operand.kind, RegisterKind)
    names = _FLOAT_REGISTERS if operand.kind.sources is s.F else _WIDE_REGISTERS
    number = names[_known(text, names)]
    if isinstance(operand.field, int):
        if number != operand.field:
            raise ValueError(f"{text} cannot stand there")
        return
    number -= operand.first
    if not 0 <= number < 1 << pattern.field_width(operand.field):
        raise ValueError(f"{text} cannot stand there")
    if values.setdefault(operand.field, number) != number:
        raise ValueError(f"{text} must be the destination")


def _put_number(values: dict[str, int], field: str, number: int, pattern: Pattern, *, signed: bool) -> None:
    width = pattern.field_width(field)
    segments = pattern.fields[field]
    read_back = extract(segments, insert(segments, number))
    if (_signed(read_back, width) if signed else read_back) != number:
        raise ValueError(f"{number:#x} does not fit")
    values[field] = read_back


def _signed(number: int, width: int) -> int:
    """The low bits of a number as a signed one."""
    half = 1 << (width - 1)
    return (number + half & (1 << width) - 1) - half


def _known(text: str, names: Mapping[str, int]) -> str:
    if text not in names:
        raise ValueError(f"{text!r} is none of {', '.join(names)}")
    return text


def _number(text: str, labels: Mapping[str, int]) -> int:
    if text in labels:
        return labels[text]
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor a label") from None
