"""The x86 decoder's tables, generated from the described instructions, and their Python face; one of each a mode.

Level one is indexed by opcode map and opcode and says which further fields of the encoding select; level two holds the
row for each combination of those fields; a third table holds what the decoder must know of a row. All of it is one
position-independent blob that the native face (`native_decoder.py`) reads too.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.guest import Decoded, DecodeError, Description
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.modes import LONGEST, Mode
from metaphrase.translator.x86.table import IMMEDIATES, SIZE_RULES, Encoding

MAP_COUNT: Final = 7
BY_PREFIX, BY_REG, BY_FORM, BY_RM, BY_W, BY_L = 1, 2, 4, 8, 16, 64
"""Which fields select a row, in the order in which they index level two, as DIMENSIONS says."""
DIMENSIONS: Final = ((BY_PREFIX, 4), (BY_REG, 8), (BY_FORM, 2), (BY_RM, 8), (BY_W, 2), (BY_L, 2))
HAS_MODRM: Final = 32
LEVEL_ONE: Final = 0
LEVEL_TWO: Final = MAP_COUNT * 256 * 4


@dataclass(frozen=True, slots=True)
class Cell:
    """A level-one entry: what selects, and where its part of level two begins."""

    selects: int
    begin: int


def encoding_of(description: Description) -> Encoding:
    encoding = description.detail.encoding
    assert isinstance(encoding, Encoding)
    return encoding


class Tables:
    """The three tables for the rows that exist in a mode. Raises MetaphraseError if two claim the same encoding.

    absent  rows that are left out. Their encodings are those of the rows that do not look at what tells them apart, as
            LZCNT is BSR with a prefix; or none. The tables' layout, and so the native face, is the same without them.
    """

    def __init__(self, rows: Sequence[Description], mode: Mode, absent: Collection[int] = ()) -> None:
        self.rows, self.mode = rows, mode
        self.absent = absent
        self.stand_ins: set[int] = set()
        """Rows that have encodings of absent ones."""
        self.cells: dict[tuple[int, int], Cell] = {}
        self.level_two: list[int] = []
        groups: dict[tuple[int, int], list[Description]] = {}
        for row in rows:
            if not row.detail.exists_in(mode):
                continue
            encoding = encoding_of(row)
            opcodes = range(encoding.opcode, encoding.opcode + (8 if encoding.opcode_register else 1))
            for opcode in opcodes:
                groups.setdefault((encoding.map, opcode), []).append(row)
        for key, members in groups.items():
            self.cells[key] = self._cell(members)

    def _cell(self, members: list[Description]) -> Cell:
        encodings = [self._as_selected(encoding_of(row)) for row in members]
        selects = HAS_MODRM if any(e.modrm for e in encodings) else 0
        for flag, field in ((BY_PREFIX, "prefix"), (BY_REG, "extension"), (BY_FORM, "form"), (BY_RM, "exact_rm"),
                            (BY_W, "wide"), (BY_L, "length")):  # fmt: skip
            if any(getattr(e, field) is not None for e in encodings):
                selects |= flag
        begin = len(self.level_two)
        size = 1
        for flag, count in DIMENSIONS:
            size *= count if selects & flag else 1
        self.level_two += [0] * size
        claims: dict[int, int] = {}
        lost: set[int] = set()
        for row, encoding in zip(members, encodings, strict=True):
            fields = (
                encoding.prefix, encoding.extension, encoding.form, encoding.exact_rm, encoding.wide, encoding.length,
            )  # fmt: skip
            strength = sum(field is not None for field in fields)
            if row.row in self.absent:
                lost.update(_combinations(selects, fields))
                continue
            for index in _combinations(selects, fields):
                if claims.get(index) == strength:
                    other = self.rows[self.level_two[begin + index] - 1]
                    raise MetaphraseError(f"x86 table: {row} and {other} claim the same encoding")
                if claims.get(index, -1) < strength:  # the row that says more is the exception to the other
                    claims[index] = strength
                    self.level_two[begin + index] = row.row + 1
        self.stand_ins.update(self.level_two[begin + index] - 1 for index in lost & claims.keys())
        return Cell(selects, begin)

    def _as_selected(self, encoding: Encoding) -> Encoding:
        """As the mode looks at it: W does not always matter."""
        return replace(encoding, wide=None) if not self.mode.is_long and encoding.ignores_w else encoding

    @cached_property
    def blob(self) -> bytes:
        """Level one (u32: begin << 8 | selects), level two (u16: row + 1, or 0), row facts (u64 each, 8-aligned)."""
        one = [0] * (MAP_COUNT * 256)
        for (map_number, opcode), cell in self.cells.items():
            one[map_number * 256 + opcode] = cell.begin << 8 | cell.selects | 128
        two = self.level_two + [0] * (-len(self.level_two) % 4)
        facts = [row_facts(encoding_of(row)) for row in self.rows]
        return struct.pack(f"<{len(one)}I{len(two)}H{len(facts)}Q", *one, *two, *facts)

    @property
    def facts_offset(self) -> int:
        return LEVEL_TWO + 2 * (len(self.level_two) + -len(self.level_two) % 4)


def row_facts(encoding: Encoding) -> int:
    """A row's facts as eight bytes: modrm, size rule, immediate, class of reg, class of rm, opcode register,
    lock, repeat, addresses and vector index as bits, class of VEX.vvvv."""
    values = (
        encoding.modrm, encoding.size_rule, encoding.immediate, encoding.reg_class, encoding.rm_class,
        encoding.opcode_register, encoding.lockable | encoding.repeatable << 1 | encoding.addresses << 2
        | encoding.vector_index << 3, encoding.vex_class,
    )  # fmt: skip
    return int.from_bytes(bytes(int(value) for value in values), "little")


def _combinations(selects: int, fields: tuple[int | None, ...]) -> list[int]:
    indices = [0]
    for (flag, count), field in zip(DIMENSIONS, fields, strict=True):
        if selects & flag:
            choices = range(count) if field is None else (field,)
            indices = [index * count + choice for index in indices for choice in choices]
    return indices


class _Reader:
    """Bytes of one instruction, read in order."""

    def __init__(self, code: bytes, pc: int, mode: Mode) -> None:
        self.code, self.pc, self.mode, self.at = code, pc, mode, 0

    def peek(self) -> int:
        """The next byte, which is left there."""
        byte = self.unsigned(1)
        self.at -= 1
        return byte

    def unsigned(self, size: int) -> int:
        end = self.at + size
        if end > LONGEST or end > len(self.code):
            raise self.error("instruction is longer than 15 bytes" if end > LONGEST else "the code ends inside it")
        value = int.from_bytes(self.code[self.at : end], "little")
        self.at = end
        return value

    def signed(self, size: int) -> int:
        value = self.unsigned(size)
        return value - (1 << 8 * size) if value >> (8 * size - 1) else value

    def error(self, why: str) -> DecodeError:
        shown = self.code[: max(self.at, 1)].hex(" ")
        return DecodeError(f"{self.mode.name}: no instruction at pc {self.pc:#x} (bytes {shown} ...): {why}")


def register_offset(register_class: int, number: int, rex: bool) -> int:
    """State offset of a register by class (table.CLASSES) and number."""
    match register_class:
        case 1:
            return s.GPR[number]
        case 2:
            return s.GPR[number] if rex or number < 4 or number > 7 else s.GPR[number - 4] + 1
        case 3:
            return s.XMM[number]
        case 4:  # REX does not extend it
            return s.X87[number & 7]
    return number


def decode(tables: Tables, code: bytes, pc: int) -> Decoded:
    """The Python face of the decoder (SDM volume 2, chapter 2). Raises DecodeError."""
    mode = tables.mode
    reader = _Reader(code, pc, mode)
    operand16 = resized = lock = False
    repeat = segment = rex = 0
    while True:
        byte = reader.unsigned(1)
        if byte & 0xF0 == 0x40 and mode.is_long:
            rex = byte  # counts only right before the opcode
            continue
        if byte == 0x66:
            operand16 = True
        elif byte == 0x67:
            resized = True
        elif byte == 0xF0:
            lock = True
        elif byte in (0xF2, 0xF3):
            repeat = 3 if byte == 0xF2 else 2
        elif byte in (0x26, 0x2E, 0x36, 0x3E):
            if not mode.is_long:  # where these are null, and FS and GS stay in force
                segment = 0 if mode.flat else s.SEGMENT_BASES[byte >> 3 & 3]
        elif byte in (0x64, 0x65):
            segment = s.FS_BASE if byte == 0x64 else s.GS_BASE
        else:
            break
        rex = 0
    map_number = length = vex_register = wide = 0
    if byte in (0xC4, 0xC5) and mode.protected and (mode.is_long or reader.peek() >= 0xC0):  # else LES, LDS
        if operand16 or repeat or lock or rex:
            raise reader.error("a 66, F2, F3, LOCK or REX prefix before VEX")
        rex, wide, map_number, vex_register, length, prefix = _vex(reader, byte)
        operand16, repeat = prefix == 1, prefix if prefix > 1 else 0
        byte = reader.unsigned(1)
    elif byte == 0x0F:
        byte, map_number = reader.unsigned(1), 1
        if byte in (0x38, 0x3A):
            byte, map_number = reader.unsigned(1), 2 if byte == 0x38 else 3
    wide |= rex >> 3 & 1
    cell = tables.cells.get((map_number, byte))
    if cell is None:
        raise reader.error("no such opcode")
    modrm = reader.unsigned(1) if cell.selects & HAS_MODRM else 0
    form = int(modrm >= 0xC0)
    prefix = repeat or int(operand16)
    index = 0
    for (flag, count), field in zip(DIMENSIONS, (prefix, modrm >> 3 & 7, form, modrm & 7, wide, length), strict=True):
        if cell.selects & flag:
            index = index * count + field
    row = tables.level_two[cell.begin + index] - 1
    if row < 0:
        raise reader.error("no such opcode with this prefix and ModRM byte")
    encoding = encoding_of(tables.rows[row])

    narrow = operand16 != (mode.size == 16)
    size = _operand_size(encoding.size_rule, wide, narrow, mode)
    address_size = mode.other_address_size if resized else mode.size
    reg = (modrm >> 3 & 7) | (rex >> 2 & 1) << 3
    if encoding.opcode_register:
        reg = (byte & 7) | (rex & 1) << 3
    if vex_register and not encoding.vex_class:
        raise reader.error("VEX.vvvv names a register where there is none")
    registers = [
        register_offset(encoding.reg_class, reg, bool(rex)), 0, s.ZERO, s.ZERO, 0, segment or s.ZERO,
        register_offset(encoding.vex_class, vex_register, True), 0,
    ]  # fmt: skip
    memory = displacement = 0
    relative = False
    if encoding.modrm and form:
        registers[1] = register_offset(encoding.rm_class, (modrm & 7) | (rex & 1) << 3, bool(rex))
    elif encoding.modrm:
        if address_size == 16:
            if encoding.vector_index:
                raise reader.error("a gather with 16-bit addresses")
            memory, displacement = _memory_operand_16(reader, modrm, registers)
        else:
            memory, displacement, relative = _memory_operand(reader, modrm, rex, registers, encoding.vector_index)
        if encoding.vector_index and len({registers[0], registers[3], registers[6]}) < 3:
            raise reader.error("a gather that names a register twice")
    if encoding.immediate == 8:
        displacement, memory = reader.unsigned(address_size // 8), 1
    if encoding.addresses:
        memory = 1
    if memory:
        if not mode.flat and not segment:
            registers[5] = s.SS_BASE if registers[2] in (s.GPR[4], s.GPR[5]) else s.DS_BASE
        if segment or not mode.flat:
            memory += 2
        if resized:
            memory = 5
    if lock and not (encoding.lockable and memory):
        raise reader.error("LOCK prefix where it is not allowed")
    narrow_branch = narrow and not mode.is_long
    immediate = _immediate(reader, encoding.immediate, size, narrow_branch)
    if encoding.immediate == IMMEDIATES["is4"]:
        registers[7] = s.XMM[immediate >> 4 & (15 if mode.is_long else 7)]
    if relative:
        displacement += pc + reader.at
    repeat_static = repeat if encoding.repeatable else 0
    statics = (0, 16, 32, 64).index(size) | memory << 2 | lock << 5 | repeat_static << 6
    if encoding.immediate in (6, 7):
        immediate += pc + reader.at
        if not mode.is_long:  # in a segment, an offset of 16 bits is not known before its base is
            immediate &= 0xFFFF if narrow_branch and mode.flat else 0xFFFF_FFFF
    mask = (1 << 64) - 1
    return Decoded(row, statics, tuple(registers), immediate & mask, displacement & mask, pc, reader.at)


def _vex(reader: _Reader, first: int) -> tuple[int, int, int, int, int, int]:
    """The rest of a VEX prefix (SDM volume 2, 2.3.5): as a REX prefix, W, map, vvvv, L and index of the prefix.

    Outside 64-bit mode there are only eight registers, and the bits that would name more are ignored.
    """
    last = reader.unsigned(1)
    rex, map_number = 0x40 | (~last >> 7 & 1) << 2, 1
    if first == 0xC4:
        map_number = last & 31
        rex = 0x40 | ~last >> 5 & 7
        if not 1 <= map_number <= 3:
            raise reader.error("no such opcode map")
        last = reader.unsigned(1)
        rex |= last >> 7 << 3
    wide, register = rex >> 3 & 1, ~last >> 3 & 15
    if not reader.mode.is_long:
        rex, register = 0, register & 7
    return rex, wide, 3 + map_number, register, last >> 2 & 1, last & 3


def _operand_size(rule: int, wide: int, narrow: bool, mode: Mode) -> int:
    if not mode.is_long:
        if rule == SIZE_RULES["none"] or (rule == SIZE_RULES["branch"] and mode.flat):
            return 0
        return 16 if narrow and rule != SIZE_RULES["y"] else 32
    match rule:
        case 1:
            return 64 if wide else 16 if narrow else 32
        case 2:
            return 16 if narrow and not wide else 64
        case 3:
            return 64
        case 4:
            return 64 if wide else 32
    return 0


def _memory_operand(
    reader: _Reader, modrm: int, rex: int, registers: list[int], vector_index: bool
) -> tuple[int, int, bool]:
    """Fill BASE, INDEX and SCALE; gives the memory kind, the displacement, and whether it is RIP-relative.

    With a vector index, the kind is that of the address without it.
    """
    mod, rm = modrm >> 6, modrm & 7
    kind = 1
    if rm == 4:
        sib = reader.unsigned(1)
        index = (sib >> 3 & 7) | (rex >> 1 & 1) << 3
        if vector_index:
            registers[3], registers[4] = s.XMM[index], sib >> 6
        elif index != 4:
            registers[3], registers[4], kind = s.GPR[index], sib >> 6, 2
        rm = sib & 7
        if rm == 5 and mod == 0:
            return kind, reader.signed(4), False
    elif vector_index:
        raise reader.error("a gather without a SIB byte")
    elif rm == 5 and mod == 0:
        if reader.mode.is_long:
            registers[2] = s.ZERO_PC
        return kind, reader.signed(4), reader.mode.is_long
    registers[2] = s.GPR[rm | (rex & 1) << 3]
    return kind, reader.signed(mod if mod == 1 else 4) if mod else 0, False


BASES_16: Final = (3, 3, 5, 5, 6, 7, 5, 3)
INDEXES_16: Final = (6, 7, 6, 7, None, None, None, None)
"""By rm, the general registers that a 16-bit address is the sum of (SDM volume 2, table 2-1)."""


def _memory_operand_16(reader: _Reader, modrm: int, registers: list[int]) -> tuple[int, int]:
    """Fill BASE and INDEX for a 16-bit address; gives the memory kind and the displacement."""
    mod, rm = modrm >> 6, modrm & 7
    if rm == 6 and mod == 0:
        return 1, reader.signed(2)
    registers[2] = s.GPR[BASES_16[rm]]
    index = INDEXES_16[rm]
    if index is not None:
        registers[3] = s.GPR[index]
    return 1 if index is None else 2, reader.signed(mod) if mod else 0


def _immediate(reader: _Reader, kind: int, size: int, narrow_branch: bool) -> int:
    match kind:
        case 1 | 6:
            return reader.signed(1)
        case 2 | 14:
            return reader.unsigned(1)
        case 3:
            return reader.unsigned(2)
        case 4:
            return reader.signed(2 if size == 16 else 4)
        case 5:
            return reader.unsigned(size // 8)
        case 7:
            return reader.signed(2 if narrow_branch else 4)
        case 9:
            word = reader.unsigned(2)
            return word | reader.unsigned(1) << 16
        case 15:
            offset = reader.unsigned(size // 8)
            return offset | reader.unsigned(2) << 32
    return 0
