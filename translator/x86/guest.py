"""The x86 guests that have programs, in flat modes: what the engine asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaphrase.ir.graph import Function
from metaphrase.translator.guest import Decoded, Description, Guest
from metaphrase.translator.importing import IMPORTING
from metaphrase.translator.x86 import services
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.cpuid import answers, linux_description
from metaphrase.translator.x86.models import DEFAULT, MODELS, processor
from metaphrase.translator.x86.modes import FLAT, LONG, LONGEST, STATIC_BITS

if TYPE_CHECKING:
    from metaphrase.translator.x86.descriptions import Descriptions
    from metaphrase.translator.x86.emitter import X86Emitter


class X86Guest(Guest):
    """x86-64, 64-bit user mode.

    cpu  the processor, as `models.processor` wants it: a model, and changes of its features
    """

    mode = LONG
    name = mode.name
    layout = s.LAYOUT
    static_bits = STATIC_BITS
    program_counter = "rip"
    lazy_group = "flags"
    common_forms: Path | None = Path(__file__).parent / "common_forms.txt"
    longest = LONGEST
    illegal = "invalid_opcode"
    hidden = s.HIDDEN | s.UNUSED_FLAT | set(s.SEGMENT_NAMES)
    special_registers = services.REGISTERS
    reasons = (
        "divide_error", "invalid_opcode", "breakpoint", "general_protection", "overflow", "simd_exception",
        "bound_range", "cpuid", "environment", "descriptor", *s.FAULTS[1:], "privileged", "halt",
    )  # fmt: skip

    models = tuple(MODELS)

    def __init__(self, cpu: str = DEFAULT) -> None:
        self._described: Descriptions | None = None
        self.processor = processor(cpu)
        self.dialect = self.processor.digest
        self.services, self.answers = services.services(self.processor), answers(self.processor)
        self.reset_values = {**s.RESET, "xcr0": self.processor.xcr0, "last_xcr": self.processor.last_xcr}

    def with_cpu(self, cpu: str) -> X86Guest:
        return type(self)(cpu)

    def hardware_capabilities(self) -> tuple[int, int]:
        """EDX of CPUID's leaf 1, and whether FSGSBASE may be used (HWCAP2_FSGSBASE), as the kernel has them."""
        return answers(self.processor).find(1, 0)[3], ("fsgsbase" in self.processor.features) << 1

    def linux_description(self) -> Mapping[str, str]:
        return linux_description(self.processor)

    @property
    def described(self) -> Descriptions:
        """The described instructions: most runs find all that is made of them in the cache."""
        if self._described is None:
            with IMPORTING:
                from metaphrase.translator.x86.descriptions import Descriptions

                self._described = Descriptions(self.mode, self.processor.features)
        return self._described

    def need_no_files(self) -> None:
        self.described  # noqa: B018  it is imported with that

    @property
    def rows(self) -> Sequence[Description]:  # type: ignore[override]
        return self.described.rows

    def is_dialect(self, decoded: Decoded) -> bool:
        return decoded.row in self.described.dialect_rows

    def save_fp(self, cpu: Any) -> bytes:
        return services.save_fp(cpu)

    def load_fp(self, cpu: Any, image: bytes) -> None:
        services.load_fp(cpu, image)

    def decode(self, code: bytes, pc: int) -> Decoded:
        return self.described.decode(code, pc)

    def disassemble(self, code: bytes, pc: int = 0) -> str:
        """Text in Intel's syntax of the instruction at the start of `code`; raises DecodeError as `decode` does."""
        from metaphrase.translator.x86.text import disassemble  # for people: not imported to run a program

        return disassemble(self.rows, self.decode(code, pc), self.mode)

    def decoder(self) -> Function:
        return self.described.decoder()

    def decoder_table(self) -> bytes:
        return self.described.tables.blob

    def settler(self) -> Function:
        return self.described.settler()

    def trap_of(self, code: bytes) -> str:
        """#GP for more than 15 bytes (SDM volume 2, 2.3.11), #UD for what is no instruction."""
        prefixes = b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3"
        too_long = len(code) == LONGEST and not code.strip(prefixes)
        return "general_protection" if too_long else self.illegal

    def make_emitter(self, function: Function) -> X86Emitter:
        return self.described.make_emitter(function)

    def emit(self, emitter: Any, row: int, statics: int) -> None:
        self.described.emit(emitter, row, statics)

    def restarts(self, decoded: Decoded) -> bool:
        return self.described.restarts(decoded)


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
