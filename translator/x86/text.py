"""Decoded instructions as text, in Intel's syntax (SDM volume 1, 1.3.4).

A description's `asm` is its mnemonic. It may list one for each operand size, 16, 32 and 64 bits ("cbw/cwde/cdqe"): the
operands of such are implied. {s} in it stands for the letter of the first operand's size, {a} for "", "e" or "r" by
address size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from metaphrase.translator.guest import Decoded, Description
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import (
    BASE,
    INDEX,
    IS4,
    MEMORY_INDEX,
    MEMORY_INDEX_SEGMENT,
    MEMORY_RESIZED,
    REG,
    RM,
    SCALE,
    SEGMENT,
    VVVV,
    Statics,
)
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.modes import Mode
from metaphrase.translator.x86.table import OperandKind

_LEGACY: Final = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
_LOW: Final = ("al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil")
_HIGH: Final = ("ah", "ch", "dh", "bh")
_SEGMENTS: Final = (*s.SEGMENT_NAMES, "?", "?")
_WIDTHS: Final = {"b": 8, "w": 16, "d": 32, "q": 64, "dq": 128, "o": 128, "ss": 32, "sd": 64}
_POINTERS: Final = {8: "byte", 16: "word", 32: "dword", 64: "qword", 80: "tbyte", 128: "xmmword", 256: "ymmword"}
_LETTERS: Final = {8: "b", 16: "w", 32: "d", 64: "q"}
_REPEATS: Final = ("", "", "rep ", "repne ")
_MASK64: Final = (1 << 64) - 1


def general_register(number: int, width: int) -> str:
    """Name of a general register; byte registers as with a REX prefix."""
    if number < 8:
        return _LOW[number] if width == 8 else {16: "", 32: "e", 64: "r"}[width] + _LEGACY[number]
    return f"r{number}" + {8: "b", 16: "w", 32: "d", 64: ""}[width]


def _at_offset(offset: int, width: int) -> str:
    """Name of the register at a state offset."""
    for number, start in enumerate(s.GPR):
        if offset == start:
            return general_register(number, width)
        if offset == start + 1 and number < 4:
            return _HIGH[number]
    for number, start in enumerate(s.XMM):
        if offset == start:
            return f"{'ymm' if width == 256 else 'xmm'}{number}"
    raise AssertionError(f"no register lies at offset {offset}")


def _mmx(offset: int) -> str:
    return f"mm{s.X87.index(offset)}"


def disassemble(rows: Sequence[Description], decoded: Decoded, mode: Mode) -> str:
    """The text of an instruction as it was decoded in a mode."""
    row = rows[decoded.row]
    if _is_nop(row, decoded):
        return "nop"
    statics = Statics.unpack(decoded.statics)
    words = "" if "/" in row.asm else ", ".join(_operand(decoded, statics, kind, row, mode) for kind in row.operands)
    if row.name == "enter":
        words += f", {decoded.immediate >> 16:#x}"
    prefix = "lock " if statics.lock else _REPEATS[statics.repeat]
    if prefix == "rep " and row.name in ("cmps", "scas"):
        prefix = "repe "
    return f"{prefix}{mnemonic(row, statics, mode)} {words}".strip()


def _is_nop(row: Description, decoded: Decoded) -> bool:
    return row.pattern == "90+r" and decoded.registers[REG] == s.GPR[0]


def _address_width(statics: Statics, mode: Mode) -> int:
    return mode.other_address_size if statics.memory == MEMORY_RESIZED else mode.size


def mnemonic(row: Description, statics: Statics, mode: Mode) -> str:
    """The mnemonic of a form in a mode."""
    text = row.asm
    if "/" in text:
        text = text.split("/")[(16, 32, 64).index(statics.size)]
    if "{" in text:
        width = _width(row.operands[0], statics, row) if row.operands else 0
        address = {16: "", 32: "e", 64: "r"}[_address_width(statics, mode)]
        text = text.format(s=_LETTERS.get(width, ""), a=address)
    return text


def _width(kind: OperandKind, statics: Statics, row: Description) -> int:
    if kind.size in ("x", "xa"):
        return encoding_of(row).vector_width
    named = {"AL": 8, "CL": 8, "AX": 16, "DX": 16}.get(kind.letter)
    return named or _WIDTHS.get(kind.size) or statics.size


def _operand(decoded: Decoded, statics: Statics, kind: OperandKind, row: Description, mode: Mode) -> str:
    width = _width(kind, statics, row)
    letter = kind.letter
    if letter in "GEZBR":
        width = min(width, 64 if mode.is_long else 32)
    match letter:
        case "AL" | "CL" | "AX" | "DX":
            return letter.lower()
        case "rAX":
            return general_register(0, width)
        case "1":
            return "1"
        case "I":
            if kind.size == "p":
                return f"{decoded.immediate >> 32:#x}, {decoded.immediate & 0xFFFF_FFFF:#x}"
            return _immediate(decoded, statics, kind)
        case "J":
            return hex(decoded.immediate)
        case "X" | "Y":
            name = general_register(6 if letter == "X" else 7, _address_width(statics, mode))
            return f"{_POINTERS[width]} ptr {_segment(decoded) if letter == 'X' else ''}[{name}]"
        case "G" | "Z" | "V":
            return _at_offset(decoded.registers[REG], width)
        case "H" | "B":
            return _at_offset(decoded.registers[VVVV], width)
        case "L":
            return _at_offset(decoded.registers[IS4], width)
        case "S":
            return _SEGMENTS[decoded.registers[REG] & 7]
        case "T":
            loaded = _width(row.operands[0], statics, row)
            return f"{_POINTERS[loaded]} ptr {_address(decoded, statics, mode, width)}"
        case "P":
            return _mmx(decoded.registers[REG])
        case "F":
            return f"st({decoded.registers[RM] & 7})"
    if statics.memory and letter not in "URN":
        address = _address(decoded, statics, mode)
        return address if letter == "M" else f"{_POINTERS[width]} ptr {address}"
    return _mmx(decoded.registers[RM]) if letter in "NQ" else _at_offset(decoded.registers[RM], width)


def _immediate(decoded: Decoded, statics: Statics, kind: OperandKind) -> str:
    width = _WIDTHS.get(kind.size) or statics.size or 64
    return hex(decoded.immediate & (1 << width) - 1)


def _segment(decoded: Decoded) -> str:
    """The segment that an operand is in, unless it is the one that such operands are in."""
    on_stack = decoded.registers[BASE] in (s.GPR[4], s.GPR[5])
    segment = decoded.registers[SEGMENT]
    implied = segment in (s.ZERO, s.SS_BASE if on_stack else s.DS_BASE)
    return "" if implied else f"{s.SEGMENT_NAMES[s.SEGMENT_BASES.index(segment)]}:"


def _address(decoded: Decoded, statics: Statics, mode: Mode, vector: int = 0) -> str:
    """A memory operand in brackets; `vector` is the width of a vector register that is its index."""
    width = _address_width(statics, mode)
    base, index = decoded.registers[BASE], decoded.registers[INDEX]
    displacement = decoded.displacement
    parts = []
    if base == s.ZERO_PC:
        parts.append("eip" if width == 32 else "rip")
        displacement = displacement - decoded.next_pc & _MASK64
    elif base != s.ZERO:
        parts.append(_at_offset(base, width))
    if vector or (index != s.ZERO and statics.memory in (MEMORY_INDEX, MEMORY_INDEX_SEGMENT, MEMORY_RESIZED)):
        scale = decoded.registers[SCALE]
        parts.append(_at_offset(index, vector or width) + (f"*{1 << scale}" if scale else ""))
    signed = displacement - (1 << 64) if displacement >> 63 else displacement
    text = " + ".join(parts)
    if not parts:
        text = hex(displacement & (1 << width) - 1 if not mode.is_long else displacement)
    elif signed:
        text += f" {'-' if signed < 0 else '+'} {abs(signed):#x}"
    return f"{_segment(decoded)}[{text}]"
