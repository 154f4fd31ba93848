"""The described instructions, as a CPU in a mode has them: what decodes, lifts and compiles.

All the tables and semantics hang on this module, and `guest` imports it once something has to be decoded or compiled
that the persistent cache does not have. Most runs of a program never come to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from metaphrase.ir.graph import Function
from metaphrase.translator.guest import Decoded, DecodeError, Description
from metaphrase.translator.x86 import decoder, native_decoder
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import INDEX, IS4, REG, RM, VVVV, Address, Statics
from metaphrase.translator.x86.emitter import Memory, MmxRegister, Register, VexRegister, X86Emitter
from metaphrase.translator.x86.features import BASELINE, needed_by
from metaphrase.translator.x86.instructions import ROWS
from metaphrase.translator.x86.instructions.stack import enter
from metaphrase.translator.x86.modes import Mode
from metaphrase.translator.x86.settle import settler
from metaphrase.translator.x86.table import Encoding, OperandKind, Row

_NAMED = {"AL": (0, 8), "AX": (0, 16), "CL": (1, 8), "DX": (2, 16), "rAX": (0, 0)}
_WIDTHS = {"b": 8, "w": 16, "d": 32, "q": 64, "dq": 128, "o": 128, "ss": 32, "sd": 64}


def _needs(row: Description) -> frozenset[str]:
    """The features of a CPU that has a row's instruction."""
    return needed_by(row.extension, vex=row.detail.encoding.vex)


@cache
def _all_tables(mode: Mode) -> decoder.Tables:
    """The decoder's tables, in a mode, of a CPU that has everything."""
    return decoder.Tables(ROWS, mode)


class Descriptions:
    """The instructions of a CPU with some features, in a mode. What the methods do stands at those of `Guest`."""

    rows: Sequence[Description] = ROWS

    def __init__(self, mode: Mode, features: frozenset[str]) -> None:
        self.mode, self.features = mode, features
        self.tables = decoder.Tables(ROWS, mode, {row.row for row in ROWS if not _needs(row) <= features})
        self.dialect_rows = {row.row for row in ROWS if not _needs(row) <= BASELINE} | self.tables.stand_ins
        """Rows that other CPU models may decode otherwise: not all have them, or they stand in for what some have."""

    def decode(self, code: bytes, pc: int) -> Decoded:
        try:
            return decoder.decode(self.tables, code, pc)
        except DecodeError:
            if not self.tables.absent:
                raise
        row = ROWS[decoder.decode(_all_tables(self.mode), code, pc).row]
        lacking = ", ".join(sorted(_needs(row) - self.features))
        what = f"{row.name} is an instruction of {lacking}, which this CPU lacks"
        raise DecodeError(f"{self.mode.name}: at pc {pc:#x}, {what}")

    def decoder(self) -> Function:
        return native_decoder.build(self.tables)

    def settler(self) -> Function:
        return settler()

    def make_emitter(self, function: Function) -> X86Emitter:
        return X86Emitter(function, self.mode)

    def emit(self, emitter: Any, row: int, statics: int) -> None:
        description = self.rows[row]
        detail: Row = description.detail
        emitter.statics = Statics.unpack(statics)
        operands = [_operand(emitter, kind, detail.encoding) for kind in description.operands]
        description.semantics(emitter, *detail.static, *operands)
        if any(isinstance(operand, MmxRegister) for operand in operands):
            emitter.enter_mmx()

    def restarts(self, decoded: Decoded) -> bool:
        return self.rows[decoded.row].semantics is enter and decoded.immediate >> 16 & 31 > 1


def _operand(m: X86Emitter, kind: OperandKind, encoding: Encoding) -> Register | Memory | Address:
    letter, size = kind.letter, kind.size
    if letter in _NAMED:
        number, width = _NAMED[letter]
        return Register(s.GPR[number], width or m.size)
    if letter == "F":
        index = m.binding.register(RM)
        return (m.const(index, 8) if isinstance(index, int) else index.trunc(8)) & 7
    if letter == "1":
        return m.const(1, 8)
    width = encoding.vector_width if size in ("x", "xa") else _WIDTHS.get(size) or m.size
    vectors = VexRegister if encoding.vex else Register
    match letter:
        case "J":
            return m.binding.target()
        case "I":
            immediate = m.binding.immediate()
            if size == "p":
                return immediate
            return immediate.trunc(8) if size == "b" else immediate.trunc(16) if size == "w" else (
                immediate.trunc(m.size) if m.size else immediate
            )  # fmt: skip
        case "M":
            return m.effective_address()
        case "O":
            return Memory(m.effective_address(), width)
        case "X":
            return Memory(m.string_source(), width)
        case "Y":
            return Memory(m.string_destination(), width)
        case "P":
            return MmxRegister(m.binding.register(REG), width)
        case "N":
            return MmxRegister(m.binding.register(RM), width)
        case "U":  # a register whatever else the form addresses
            return vectors(m.binding.register(RM), width)
        case "R":
            return Register(m.binding.register(RM), width)
        case "T":
            return Register(m.binding.register(INDEX), width)
        case "V":
            return vectors(m.binding.register(REG), width)
        case "G" | "Z" | "S":
            return Register(m.binding.register(REG), width)
        case "H" | "L":
            return VexRegister(m.binding.register(VVVV if letter == "H" else IS4), width)
        case "B":
            return Register(m.binding.register(VVVV), width)
        case "E" | "W" | "Q":
            if m.statics.memory:
                return Memory(m.effective_address(), width, aligned=letter == "W" and size in ("dq", "xa"))
            if letter == "Q":
                return MmxRegister(m.binding.register(RM), width)
            return (vectors if letter == "W" else Register)(m.binding.register(RM), width)
    raise AssertionError(kind)
