"""The RISC-V guest: RV64GC in user mode, as the engine asks for it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from metaphrase.ir.graph import Function, Value
from metaphrase.ir.types import I16
from metaphrase.translator.emitter import Emitter, Local
from metaphrase.translator.guest import Decoded, DecodeError, Description, Guest
from metaphrase.translator.pattern import Segment
from metaphrase.translator.pattern_native import Blob, DecoderEmitter, make_blob, make_decoder
from metaphrase.translator.pattern_table import PatternTable
from metaphrase.translator.riscv import a, c, d, f, i, m, services, text, zicsr
from metaphrase.translator.riscv import state as s
from metaphrase.translator.riscv.emitter import RiscvEmitter

CHAPTERS = (i.CHAPTER, m.CHAPTER, a.CHAPTER, f.CHAPTER, d.CHAPTER, zicsr.CHAPTER, c.CHAPTER)
"""The list that a new extension is added to."""

KEYS = {
    16: (Segment(0, 2, 0), Segment(13, 3, 2)),  # quadrant and funct3
    32: (Segment(2, 5, 0), Segment(12, 3, 5)),  # opcode and funct3
}
_LONG = 3
"""Both low bits are set in instructions longer than 16 bits (section 1.5)."""


class RiscvGuest(Guest):
    """RV64IMAFDC with Zicsr and Zifencei, user mode.

    Left out: rounding to nearest with ties away from zero outside conversions to integers (it rounds ties to even),
    and the trap of dynamic rounding while FRM holds a reserved mode.
    """

    name = "riscv64"
    layout = s.LAYOUT
    static_bits = 3
    program_counter = "pc"
    longest = 4
    alignment = 2
    reset_values = s.RESET
    hidden = s.HIDDEN
    special_registers = services.REGISTERS
    services = services.SERVICES
    reasons = ("breakpoint", "alignment", "flush_code")

    def __init__(self) -> None:
        self.rows: list[Description] = [row for chapter in CHAPTERS for row in chapter.descriptions()]
        self.table = PatternTable(self.rows, KEYS)

    def slot_of(self, register: str) -> tuple[str, int]:
        """As the base class, by the names that the ABI has for registers too."""
        return s.ALIASES.get(register, register), 64

    def save_fp(self, cpu: Any) -> bytes:
        return services.save_fp(cpu)

    def load_fp(self, cpu: Any, image: bytes) -> None:
        services.load_fp(cpu, image)

    def decode(self, code: bytes, pc: int) -> Decoded:
        word, width = fetch(code, pc)
        return self.table.decode(word, width, pc)

    def disassemble(self, code: bytes, pc: int = 0) -> str:
        """Assembly text of the instruction at the start of `code`; raises DecodeError as `decode` does."""
        word, width = fetch(code, pc)
        return text.text(self.rows[self.table.decode(word, width, pc).row], word, pc)

    @cached_property
    def blob(self) -> Blob:
        return make_blob(self.table)

    def decoder(self) -> Function:
        return make_decoder("decode_riscv64", s.LAYOUT, self.table, self.blob, self.static_bits, _fetch)

    def decoder_table(self) -> bytes:
        return self.blob.data

    def make_emitter(self, function: Function) -> RiscvEmitter:
        return RiscvEmitter(function)

    def emit(self, emitter: Emitter, row: int, statics: int) -> None:
        description = self.rows[row]
        binding = emitter.binding
        description.semantics(emitter, *[operand.bind(binding, statics) for operand in description.operands])


def fetch(code: bytes, pc: int) -> tuple[int, int]:
    """The instruction word at the start of `code`, and its width in bits; raises DecodeError if `code` ends in it."""
    width = 32 if code[:1] and code[0] & _LONG == _LONG else 16
    if len(code) < width // 8:
        raise DecodeError(f"the code at {pc:#x} ends inside an instruction: {code.hex() or 'nothing'} is left")
    return int.from_bytes(code[: width // 8], "little"), width


def _fetch(m: DecoderEmitter, address: Value, word: Local, length: Local) -> None:
    """`fetch` in IR. The second half is read only if it belongs to the instruction: it may lie on another page."""
    word.set(m.load(address, I16).zext(64))
    length.set(2)
    with m.if_((word.get() & _LONG).eq(_LONG)):
        word.set(m.load(address + 2, I16).zext(64) << 16 | word.get())
        length.set(4)
