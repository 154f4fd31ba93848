"""What a guest architecture gives the engine, and how its described instructions are bound to operands.

An instruction is described once (`Description`): its pattern, its operand kinds and its semantics, a function that is
called with an emitter and the operands. Calling it with the operands bound to constants gives the IR of one instruction
of a program (tier 1, the reference interpreter); with the operands bound to the fields of a decoded record it gives a
tier-0 handler that serves every register and immediate of that form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.graph import Function
from metaphrase.ir.layout import Layout
from metaphrase.translator.mechanisms import uses

if TYPE_CHECKING:
    from metaphrase.translator.emitter import Emitter


class DecodeError(MetaphraseError):
    """The bytes are not an instruction that the guest's tables describe."""


class AssemblyError(MetaphraseError):
    """The text is not assembly of that guest."""


@dataclass(slots=True)
class Decoded:
    """One decoded instruction: which description, its static operands, and the values of the dynamic ones.

    `registers` holds byte offsets into the guest's state. `immediate` and `displacement` are 64-bit two's complement;
    the target of a direct branch stands in `immediate` as an absolute address.
    """

    row: int
    statics: int
    registers: tuple[int, ...]
    immediate: int
    displacement: int
    pc: int
    length: int

    @property
    def next_pc(self) -> int:
        return self.pc + self.length


@dataclass(eq=False)
class Description:
    """One described instruction form: a row of a guest's table."""

    name: str
    pattern: str
    semantics: Callable[..., None]
    operands: tuple[Any, ...] = ()
    asm: str = ""
    manual: str = ""
    extension: str = "base"
    row: int = -1
    detail: Any = None
    """What the guest's decoder keeps with the row."""
    ends_block: bool = field(default=False)
    """Control never simply falls through to the next instruction's record in the same block."""

    def __repr__(self) -> str:
        return f"<{self.name} {self.pattern}>"


class Answers(NamedTuple):
    """What is answered to one of a guest's reasons to leave, wherever it leaves for it: CPUID.

    Keys and results are the lower halves of 64-bit registers; the upper halves of the results are cleared.
    """

    reason: str
    keys: tuple[str, str]
    results: tuple[str, str, str, str]
    rows: Sequence[tuple[tuple[int | None, int | None], tuple[int, int, int, int]]]
    """The first whose keys are those asked for is the answer; None is any key, and the last row's keys are any."""

    def find(self, first: int, second: int) -> tuple[int, int, int, int]:
        """The answer to a pair of keys."""
        return next(answer for keys, answer in self.rows if keys[0] in (None, first) and keys[1] in (None, second))


class Guest(ABC):
    """A guest architecture. Instances hold the tables and no machine state, so one serves every machine."""

    name: str
    layout: Layout
    rows: Sequence[Description]
    static_bits: int
    """Width of `Decoded.statics`; a form is (row, statics)."""

    def save_fp(self, cpu: Any) -> bytes:
        """The floating-point state of a CPU as a signal frame holds it; nothing by default."""
        return b""

    def load_fp(self, cpu: Any, image: bytes) -> None:  # noqa: B027
        """Bring back what `save_fp` gave."""

    program_counter: str
    """Slot that holds the guest's program counter while native code does not run."""
    common_forms: Path | None = None
    """A file with the names of forms (see `form_name`) that programs have; `precompiled` says what for."""
    has_programs: bool = True
    """Whether it is worth compiling its runtime before anybody asks: Linux has programs for it, say."""
    lazy_group: str = ""
    """Group of slots (flags) of which a tier-0 handler exists in two variants, writing them or not."""
    longest: int
    """Bytes of the longest instruction."""
    alignment: int = 1
    """Instructions start at multiples of this."""
    illegal: str = "illegal"
    """Name of the trap that bytes without a description raise."""
    reset_values: Mapping[str, int] = {}
    """Slots that do not start at zero."""
    hidden: frozenset[str] = frozenset()
    """Slots that no program can see."""
    special_registers: Mapping[str, tuple[Callable[[Any], int], Callable[[Any, int], None]]] = {}
    """Registers that are not a slot: how to read and write them, given the CPU."""
    shown_registers: tuple[str, ...] = ()
    """Those of them, of 32 bits, that people want to see first."""
    bare_stack: int = 0x7FFF_0000
    """The address at which the stack of a bare machine ends."""
    services: Mapping[str, Callable[[Any], None]] = {}
    """Reasons to leave that the guest itself serves, given the CPU."""
    answers: Answers | None = None
    """What native code itself serves so: one reason."""
    reasons: tuple[str, ...] = ()
    """What `Emitter.leave` and `Emitter.trap` may name, beyond "syscall"."""

    models: tuple[str, ...] = ()
    """Names of the CPU models that `with_cpu` knows; of the first guest made of a kind, it is the one that has all."""
    dialect: str = ""
    """Names how this CPU model decodes, where others of the guest may decode otherwise (see `is_dialect`)."""

    def with_cpu(self, cpu: str) -> Guest:
        """This guest as a CPU of another model: a name of `models`, with features added and left out where there are
        such ("haswell,-avx2"). Rows, forms and the native decoder are the same for all. Raises MetaphraseError."""
        raise MetaphraseError(f"{self.name} has no CPU models to choose from, so none is called {cpu!r}")

    def is_dialect(self, decoded: Decoded) -> bool:
        """Whether another CPU model may take the bytes of an instruction for something else, or for none."""
        return False

    def hardware_capabilities(self) -> tuple[int, int] | None:
        """AT_HWCAP and AT_HWCAP2, as Linux has them; None if this guest leaves that to the ABI."""
        return None

    def linux_description(self) -> Mapping[str, str]:
        """The lines of /proc/cpuinfo about a processor, by name; empty if this guest has none to tell."""
        return {}

    def need_no_files(self) -> None:  # noqa: B027
        """Import whatever is imported when it is needed: its files may be out of reach from now on."""

    def slot_of(self, register: str) -> tuple[str, int]:
        """The slot whose lowest bits a general register is, and how many; the slot's other bits are zero."""
        return register, 64

    def begin(self, cpu: Any, pc: int, stack: int) -> None:
        """Have a CPU of a bare machine begin at an address; with its stack at another, where a guest has to do that."""
        cpu.pc = pc

    @abstractmethod
    def decode(self, code: bytes, pc: int) -> Decoded:
        """Decode the instruction at the start of `code`, which lies at guest address `pc`.

        Raises DecodeError if no description matches, or if `code` ends inside the instruction.
        """

    @abstractmethod
    def decoder(self) -> Function:
        """The native face of `decode`, as an IR function over a decoder's table; see `ir/record.py`."""

    def settler(self) -> Function | None:
        """An IR function without parameters that brings deferred slots (`ir.layout.Deferred`) up to date, if any."""
        return None

    @abstractmethod
    def decoder_table(self) -> bytes:
        """The tables that `decoder` reads, as one position-independent blob."""

    @abstractmethod
    def emit(self, emitter: Emitter, row: int, statics: int) -> None:
        """Call the semantics of a form with its operands bound as `emitter.binding` says."""

    def restarts(self, decoded: Decoded) -> bool:
        """Whether an instruction may fault half way, cannot be run again from its start then, and stays in tier 0.

        That is because memory has changed that it reads. One whose registers tell how far it came is none of them: it
        says where it is to be resumed (`Emitter.resume_here`).
        """
        return False

    def trap_of(self, code: bytes) -> str:
        """The trap that bytes without a description raise."""
        return self.illegal

    @abstractmethod
    def make_emitter(self, function: Function) -> Emitter:
        """A fresh emitter of this guest's kind, writing into `function`."""

    def disassemble(self, code: bytes, pc: int = 0) -> str:
        """Assembly text of the instruction at the start of `code`; raises DecodeError as `decode` does."""
        return self.rows[self.decode(code, pc).row].name

    def form_name(self, row: int, statics: int) -> str:
        """A stable, unique name of a form, used for cache keys and statistics."""
        description = self.rows[row]
        return f"{description.name}|{description.pattern}|{statics:x}"


_guests: dict[str, Callable[[], Guest]] = {}
_made: dict[str, Guest] = {}


def register(name: str, factory: Callable[[], Guest]) -> None:
    """Make a guest known by name; `factory` runs when it is first asked for."""
    _guests[name] = factory


def registered() -> tuple[str, ...]:
    """The names of all registered guests, in order."""
    return tuple(sorted(_guests))


def guest(name: str) -> Guest:
    """The guest registered as `name`."""
    found = _made.get(name)
    if found is None:
        if name not in _guests:
            raise MetaphraseError(f"no guest is called {name!r}; known are {', '.join(sorted(_guests))}")
        found = _guests[name]()
        found.layout.program_counter = found.layout[found.program_counter].offset
        if not uses("carried-registers"):
            found.layout.carried = ()
        _made[name] = found
    return found
