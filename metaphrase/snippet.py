"""A few instructions on a bare machine: code, a stack, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from metaphrase.assembler import assemble
from metaphrase.cpus import TIERS
from metaphrase.interrupts import interruptible
from metaphrase.ir.errors import MetaphraseError
from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.memory import Window
from metaphrase.memory import Area, GuestMemory, joined
from metaphrase.reference import BareMemory, ReferenceCpu
from metaphrase.registers import Registers
from metaphrase.registry import BREAKPOINTS, find_guest
from metaphrase.statistics import Statistics, statistics_of
from metaphrase.translation import Instruction, Instructions, Translation, decode, describe
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import DecodeError, Guest

DEFAULT_ADDRESS = 0x1000
_STACK_SIZE = 64 << 10
_RED_ZONE = 256
"""Zeros above the initial stack pointer: the return address there is 0, which no code has."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why code stopped running.

    kind  "end": it left the snippet, for `pc`. "syscall", "fault" (an access of `address`, which is not mapped),
          "trap" (the exception `trap`), "interrupt": as `translator.exits.Exit` has them; pc is the instruction's own,
          but behind a system call's.
    """

    kind: str
    pc: int
    address: int = 0
    access: str = ""
    trap: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "end":
                return f"left the snippet for {self.pc:#x}"
            case "fault":
                return f"fault at {self.pc:#x}: {self.access} of address {self.address:#x}"
            case "trap":
                return f"trap at {self.pc:#x}: {self.trap.replace('_', ' ')}"
        return f"{self.kind} at {self.pc:#x}"

    __repr__ = __str__


class Snippet(Translation):
    """Machine code to look at and to run; made by `metaphrase.code`.

    As a Translation it shows its instructions, IR, LLVM IR and host code. It runs on a bare machine, whose `registers`
    and `memory` start as zeros, with a stack of 64 KiB.
    """

    def __init__(
        self, guest: str, code: bytes | str, *, address: int = DEFAULT_ADDRESS, cpu: str | None = None
    ) -> None:
        made = find_guest(guest, cpu)
        self.code = assemble(guest, code, address) if isinstance(code, str) else bytes(code)
        if not self.code:
            raise MetaphraseError(f"{guest}: there is no code")
        if address % made.alignment or not 0 <= address < made.bare_stack - _STACK_SIZE - len(self.code):
            raise MetaphraseError(f"{guest}: code cannot lie at {address:#x}")
        super().__init__(made, self._code_at, address)
        self._memory = BareMemory()
        self._memory.map_code(address, self.code, _filler(made))
        self._memory.map(made.bare_stack - _STACK_SIZE, _STACK_SIZE)
        self._cpu = ReferenceCpu(made, self._memory)
        self.registers = Registers(made, self._cpu)
        self.memory = GuestMemory(self)
        self.statistics = Statistics({})
        """Of the last run."""
        self.reset()

    @cached_property
    def instructions(self) -> Instructions:
        """All of them, one behind the other. Raises DecodeError where bytes are none."""
        found, pc = [], self.address
        while pc < self.end:
            found.append(describe(self.guest, self._code_at, decode(self.guest, self._code_at, pc)))
            pc = found[-1].decoded.next_pc
        return Instructions(found)

    @property
    def end(self) -> int:
        """The address behind the code."""
        return self.address + len(self.code)

    @property
    def pc(self) -> int:
        """The address of the instruction that comes next."""
        return self._cpu.pc

    @pc.setter
    def pc(self, value: int) -> None:
        self._cpu.pc = value

    @property
    def next(self) -> Instruction | None:
        """The instruction that comes next; None outside the snippet."""
        if not self._is_inside(self.pc):
            return None
        return describe(self.guest, self._code_at, decode(self.guest, self._code_at, self.pc))

    def reset(self) -> None:
        """Every register to its initial value, and the pc to the first instruction; memory stays."""
        self._cpu.reset()
        abi = ABIS.get(self.guest.name)
        if abi is not None:
            self._cpu.set(abi.stack_pointer, self.guest.bare_stack - _RED_ZONE)
        self.guest.begin(self._cpu, self.address, self.guest.bare_stack - _RED_ZONE)

    def map(self, address: int, data: bytes | int, *, writable: bool = True) -> None:
        """Map the pages that hold `data` (or so many zero bytes) from an address on, and fill them."""
        self._memory.map(address, data, writable=writable)

    def run(self, *, tier: str = "1", **registers: int) -> Stop:
        """Run until control leaves the snippet, or something happens; keywords set registers before.

        A run goes on where the last one stopped, or begins anew if that was outside. Native tiers need an address space
        that a host process has only once: they raise WindowError while a program is loaded (`metaphrase.load`), and
        tier "reference" does not.
        """
        for name, value in registers.items():
            self.registers[name] = value
        self._begin()
        if tier == "reference":
            return self._run_interpreted()
        if tier not in TIERS:
            raise MetaphraseError(f"tier {tier!r} does not exist; choose one of {', '.join(TIERS)}")
        return self._run_natively(tier)

    def step(self, count: int = 1) -> Stop | None:
        """Run exactly `count` instructions; gives why, if it stopped before. A repeated string instruction is one."""
        self._begin()
        for _ in range(count):
            end = self._cpu.step()
            if end is not None:
                return self._stop(end)
            if not self._is_inside(self.pc):
                return Stop("end", self.pc)
        return None

    def _begin(self) -> None:
        if not self._is_inside(self.pc):
            self.pc = self.address

    def _run_interpreted(self) -> Stop:
        before = self._cpu.instructions
        while (stop := self.step()) is None:
            continue
        self.statistics = Statistics({"instructions": self._cpu.instructions - before})
        return stop

    def _run_natively(self, tier: str) -> Stop:
        window = Window()
        try:
            for start, data, writable, executable in self._memory.pages():
                window.map_anonymous(start, len(data), PROT_READ | PROT_WRITE)
                window.write(start, bytes(data))
                if not writable:
                    window.protect(start, len(data), PROT_READ | (PROT_EXEC if executable else 0))
            cpu = NativeCpu(self.guest, window, tier=tier, exact=True)
            try:
                cpu.state_bytes[:] = self._cpu.state_bytes
                with interruptible(cpu.interrupt):
                    end = cpu.run()
                self._cpu.state_bytes[:] = cpu.state_bytes
                self.statistics = statistics_of(cpu)
            finally:
                cpu.close()
            for start, data, writable, _ in self._memory.pages():
                if writable:
                    data[:] = window.read(start, len(data))
        finally:
            window.close()
        return self._stop(end)

    def _stop(self, end: Exit) -> Stop:
        outside = end.kind in ("trap", "fault") and not self._is_inside(end.pc)
        if outside:
            self.pc = end.pc
        return Stop("end", end.pc) if outside else Stop(end.kind, end.pc, end.address, end.access, end.trap)

    def _is_inside(self, pc: int) -> bool:
        return self.address <= pc < self.end

    def _code_at(self, address: int, size: int) -> bytes:
        offset = address - self.address
        return self.code[offset : offset + size] if 0 <= offset < len(self.code) else b""

    # --- what `memory` stands on --------------------------------------------------------------------------------------
    def peek(self, address: int, size: int) -> bytes:
        """Bytes of the bare machine's memory."""
        return self._memory.read(address, size)

    def poke(self, address: int, data: bytes) -> None:
        """Replace bytes of the bare machine's data; its code is fixed."""
        self._memory.write(address, data)

    def areas(self) -> list[Area]:
        """What is mapped."""
        return joined([
            (start, start + len(data), f"r{'w' if writable else '-'}{'x' if executable else '-'}", "")
            for start, data, writable, executable in self._memory.pages()
        ])  # fmt: skip


def _filler(guest: Guest) -> bytes:
    """What stands behind the code, to stop whoever gets there: a breakpoint, or what is no instruction at all."""
    if guest.name in BREAKPOINTS:
        return BREAKPOINTS[guest.name]
    for byte in (0xFF, 0x00, 0x55, 0xAA):
        try:
            guest.decode(bytes([byte]) * guest.longest, 0)
        except DecodeError:
            return bytes([byte]) * guest.alignment
    return bytes(guest.alignment)


def from_hexadecimal(text: str) -> bytes:
    """Bytes written as "f3 0f b8 c1", with or without spaces, commas and 0x. Raises MetaphraseError."""
    digits = "".join(word.removeprefix("0x") for word in text.lower().replace(",", " ").split())
    try:
        return bytes.fromhex(digits)
    except ValueError:
        bad = next((character for character in digits if character not in "0123456789abcdef"), None)
        what = f"{bad!r} is no hexadecimal digit" if bad else "the number of digits is odd"
        raise MetaphraseError(f"{text!r} is not code in hexadecimal: {what}") from None
