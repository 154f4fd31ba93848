"""The x86 guests that have programs, in flat modes: what the engine asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from metaphrase.ir.graph import Function
from metaphrase.translator.guest import Decoded, DecodeError, Description, Guest
from metaphrase.translator.x86 import decoder, native_decoder, services
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import INDEX, IS4, REG, RM, VVVV, Address, Statics
from metaphrase.translator.x86.cpuid import cpuid, linux_description
from metaphrase.translator.x86.emitter import Memory, MmxRegister, Register, VexRegister, X86Emitter
from metaphrase.translator.x86.features import BASELINE, needed_by
from metaphrase.translator.x86.instructions import ROWS
from metaphrase.translator.x86.instructions.stack import enter
from metaphrase.translator.x86.models import DEFAULT, MODELS, processor
from metaphrase.translator.x86.modes import FLAT, LONG, Mode
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


class X86Guest(Guest):
    """x86-64, 64-bit user mode.

    cpu  the processor, as `models.processor` wants it: a model, and changes of its features
    """

    mode = LONG
    name = mode.name
    layout = s.LAYOUT
    rows = ROWS
    static_bits = native_decoder.STATIC_BITS
    program_counter = "rip"
    lazy_group = "flags"
    common_forms: Path | None = Path(__file__).parent / "common_forms.txt"
    longest = decoder.LONGEST
    illegal = "invalid_opcode"
    hidden = s.HIDDEN | s.UNUSED_FLAT | set(s.SEGMENT_NAMES)
    special_registers = services.REGISTERS
    reasons = (
        "divide_error", "invalid_opcode", "breakpoint", "general_protection", "overflow", "simd_exception",
        "bound_range", "cpuid", "environment", "descriptor", *s.FAULTS[1:], "privileged", "halt",
    )  # fmt: skip

    models = tuple(MODELS)

    def __init__(self, cpu: str = DEFAULT) -> None:
        self.processor = processor(cpu)
        self.dialect = self.processor.digest
        self.services = services.services(self.processor)
        self.reset_values = {**s.RESET, "xcr0": self.processor.xcr0, "last_xcr": self.processor.last_xcr}

    def with_cpu(self, cpu: str) -> X86Guest:
        return type(self)(cpu)

    def hardware_capabilities(self) -> tuple[int, int]:
        """EDX of CPUID's leaf 1, and whether FSGSBASE may be used (HWCAP2_FSGSBASE), as the kernel has them."""
        return cpuid(self.processor, 1, 0)[3], ("fsgsbase" in self.processor.features) << 1

    def linux_description(self) -> Mapping[str, str]:
        return linux_description(self.processor)

    @cached_property
    def tables(self) -> decoder.Tables:
        features = self.processor.features
        return decoder.Tables(ROWS, self.mode, {row.row for row in ROWS if not _needs(row) <= features})

    def is_dialect(self, decoded: Decoded) -> bool:
        """Whether other CPU models may decode it otherwise: not all have it, or it stands in for what some have."""
        return decoded.row in self._dialect_rows

    @cached_property
    def _dialect_rows(self) -> set[int]:
        return {row.row for row in ROWS if not _needs(row) <= BASELINE} | self.tables.stand_ins

    def save_fp(self, cpu: Any) -> bytes:
        return services.save_fp(cpu)

    def load_fp(self, cpu: Any, image: bytes) -> None:
        services.load_fp(cpu, image)

    def decode(self, code: bytes, pc: int) -> Decoded:
        try:
            return decoder.decode(self.tables, code, pc)
        except DecodeError:
            if not self.tables.absent:
                raise
        row = ROWS[decoder.decode(_all_tables(self.mode), code, pc).row]
        lacking = ", ".join(sorted(_needs(row) - self.processor.features))
        what = f"{row.name} is an instruction of {lacking}, which this CPU lacks"
        raise DecodeError(f"{self.name}: at pc {pc:#x}, {what}")

    def disassemble(self, code: bytes, pc: int = 0) -> str:
        """Text in Intel's syntax of the instruction at the start of `code`; raises DecodeError as `decode` does."""
        from metaphrase.translator.x86.text import disassemble  # for people: not imported to run a program

        return disassemble(self.rows, self.decode(code, pc), self.mode)

    def decoder(self) -> Function:
        return native_decoder.build(self.tables)

    def decoder_table(self) -> bytes:
        return self.tables.blob

    def settler(self) -> Function:
        return settler()

    def trap_of(self, code: bytes) -> str:
        """#GP for more than 15 bytes (SDM volume 2, 2.3.11), #UD for what is no instruction."""
        prefixes = b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3"
        too_long = len(code) == decoder.LONGEST and not code.strip(prefixes)
        return "general_protection" if too_long else self.illegal

    def make_emitter(self, function: Function) -> X86Emitter:
        return X86Emitter(function, self.mode)

    def emit(self, emitter: Any, row: int, statics: int) -> None:
        description = self.rows[row]
        detail: Row = description.detail
        emitter.statics = Statics.unpack(statics)
        operands = [self._operand(emitter, kind, detail.encoding) for kind in description.operands]
        description.semantics(emitter, *detail.static, *operands)
        if any(isinstance(operand, MmxRegister) for operand in operands):
            emitter.enter_mmx()

    def restarts(self, decoded: Decoded) -> bool:
        return self.rows[decoded.row].semantics is enter and decoded.immediate >> 16 & 31 > 1

    def _operand(self, m: X86Emitter, kind: OperandKind, encoding: Encoding) -> Register | Memory | Address:
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


class I386Guest(X86Guest):
    """32-bit x86, user mode with flat segments but for FS and GS; all registers are state as 64-bit mode has it."""

    mode = FLAT
    name = mode.name
    common_forms = Path(__file__).parent / "common_forms_32.txt"
    hidden = s.HIDDEN | s.UNUSED_32 | s.UNUSED_FLAT
    special_registers = services.REGISTERS_32
    shown_registers = services.GENERAL_32

    def __init__(self, cpu: str = DEFAULT) -> None:
        super().__init__(cpu)
        self.reset_values = {**self.reset_values, **s.RESET_32}

    def slot_of(self, register: str) -> tuple[str, int]:
        """As the base class; registers are halves here."""
        return f"r{register[1:]}", 32

    def hardware_capabilities(self) -> tuple[int, int]:
        """As the base class; FSGSBASE is not for 32-bit programs."""
        return super().hardware_capabilities()[0], 0
