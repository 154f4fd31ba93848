"""A CPU that runs the IR of one instruction after the other in the reference interpreter: slow, exact and plain.

It is the tier called "reference", and what single steps are made with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, cast

from metaphrase.backends.reference import Interpreter, Outcome
from metaphrase.backends.reference.memory import MemoryFault, PagedMemory
from metaphrase.ir.fold import simplify
from metaphrase.ir.graph import Function
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.machines.linux.memory import PAGE_SIZE, Window
from metaphrase.translator.emitter import Constants
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import Decoded, DecodeError, Guest

_ENVIRONMENT, _F80_CONTROL, _F80_STATUS = "fenv", "fcw", "fsw"
_UNLIMITED: Final = 1 << 62
_KNOWN: Final = 1 << 14
"""Instructions whose IR is kept; past that many, all are forgotten."""
_ALL_ONES: Final = (1 << 64) - 1


class CodeMemory(Protocol):
    """Guest memory for data, as the interpreter wants it, and for instructions."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held during an instruction, which is what one CPU does to memory at once."""

    def read(self, address: int, size: int, /) -> bytes:
        """Bytes; raises MemoryFault."""

    def write(self, address: int, data: bytes, /) -> None:
        """Replace bytes; raises MemoryFault."""

    def fetch(self, address: int, size: int, /) -> bytes:
        """Bytes that the guest may execute, fewer than `size` where the next page does not allow it."""


class WindowMemory:
    """A Linux process's window as the interpreter wants it."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.lock = window.lock

    def read(self, address: int, size: int, /) -> bytes:
        try:
            return self.window.read(address, size)
        except GuestFault:
            raise MemoryFault(self._refused(address, size, self._readable), "read") from None

    def write(self, address: int, data: bytes, /) -> None:
        try:
            self.window.write(address, data)
        except GuestFault:
            raise MemoryFault(self._refused(address, len(data), self.window.check_write), "write") from None

    def fetch(self, address: int, size: int, /) -> bytes:
        window = self.window
        for length in dict.fromkeys((size, min(size, PAGE_SIZE - address % PAGE_SIZE))):
            last = (address + length - 1) // PAGE_SIZE * PAGE_SIZE
            if window.check_execute(address) and window.check_execute(last):
                try:
                    return window.read(address, length)
                except GuestFault:
                    continue
        return b""

    def _readable(self, page: int) -> bool:
        region = self.window.regions.find(page)
        return region is not None and region.protection & 7 != 0

    def _refused(self, address: int, size: int, allowed: Callable[[int], bool]) -> int:
        """The first address of an access that is not allowed: in its first page, or where its second begins."""
        second = (address // PAGE_SIZE + 1) * PAGE_SIZE
        return second if second < address + size and allowed(address) else address


class BareMemory(PagedMemory):
    """Memory of its own, without a machine around it: pages are code, or data, or data that cannot be written."""

    def __init__(self) -> None:
        super().__init__()
        self._executable: set[int] = set()
        self.lock = nullcontext()

    def map_code(self, address: int, code: bytes, filler: bytes) -> None:
        """Map `code` as pages that can be executed and read; what is left of them holds `filler`, again and again."""
        first, last = address // self.PAGE, (address + len(code) - 1) // self.PAGE
        count = (last + 1 - first) * self.PAGE
        self.map(first * self.PAGE, (filler * (count // len(filler) + 1))[:count], writable=False)
        self.map(address, code, writable=False)
        self._executable.update(range(first, last + 1))

    def fetch(self, address: int, size: int, /) -> bytes:
        """Bytes that the guest may execute, fewer than `size` where the next page does not allow it."""
        size = min(size, self.PAGE - address % self.PAGE if self._next_page(address) not in self._executable else size)
        return self.read(address, size) if address // self.PAGE in self._executable else b""

    def _next_page(self, address: int) -> int:
        return address // self.PAGE + 1

    def pages(self) -> list[tuple[int, bytearray, bool, bool]]:
        """Address and contents of each page, whether it can be written, and whether it can be executed."""
        return [
            (number * self.PAGE, data, number in self._writable, number in self._executable)
            for number, data in sorted(self._pages.items())
        ]


def lift(guest: Guest, decoded: Decoded) -> Function:
    """The IR of one instruction with its operands as constants, relative to its own address."""
    function = Function(f"at_{decoded.pc:x}", guest.layout, simplify=simplify)
    emitter = guest.make_emitter(function)
    emitter.binding = Constants(function, decoded, decoded.pc)
    guest.emit(emitter, decoded.row, decoded.statics)
    if not emitter.ended:
        emitter.next()
    return function


class ReferenceCpu:
    """One guest hardware thread, run by the reference interpreter; it keeps the rules of `machines.linux.cpu.Cpu`.

    state    where the guest's state is kept, laid out as its `Layout` says; a new one by default
    flush    called when the guest says that code has changed (an interpreter has nothing to forget)
    """

    def __init__(
        self,
        guest: Guest,
        memory: CodeMemory,
        *,
        state: bytearray | memoryview | None = None,
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        self.guest, self.memory, self.name = guest, memory, guest.name
        self.state_bytes = bytearray(guest.layout.size) if state is None else state
        self.flush = flush
        self.instructions = 0
        """Instructions executed; a repeated string instruction counts once."""
        self._wants_interrupt = False
        self._known: dict[bytes, tuple[Decoded, Interpreter]] = {}
        if state is None:
            self.reset()

    # --- registers ----------------------------------------------------------------------------------------------------
    def get(self, register: str) -> int:
        """A register's value by name; derived ones (x86 rflags) are put together by the guest."""
        special = self.guest.special_registers.get(register)
        return special[0](self) if special is not None else self.get_slot(register)

    def set(self, register: str, value: int) -> None:
        """Set a register; values are taken modulo its width."""
        special = self.guest.special_registers.get(register)
        if special is not None:
            special[1](self, value)
        else:
            self.set_slot(register, value)

    def save_fp(self) -> bytes:
        """The floating-point state as a signal frame holds it."""
        return self.guest.save_fp(self)

    def load_fp(self, image: bytes) -> None:
        """Bring back what `save_fp` gave."""
        self.guest.load_fp(self, image)

    def hardware_capabilities(self) -> tuple[int, int] | None:
        """AT_HWCAP and AT_HWCAP2, if the guest says."""
        return self.guest.hardware_capabilities()

    def linux_description(self) -> Mapping[str, str]:
        """The lines of /proc/cpuinfo about a processor, if the guest says."""
        return self.guest.linux_description()

    def get_slot(self, name: str) -> int:
        """The raw bits of a slot of the guest's layout."""
        slot = self.guest.layout[name]
        return int.from_bytes(self.state_bytes[slot.offset : slot.end], "little")

    def set_slot(self, name: str, value: int) -> None:
        slot = self.guest.layout[name]
        self.state_bytes[slot.offset : slot.end] = (value & slot.type.mask).to_bytes(slot.type.bytes, "little")

    @property
    def pc(self) -> int:
        return self.get_slot(self.guest.program_counter)

    @pc.setter
    def pc(self, value: int) -> None:
        self.set_slot(self.guest.program_counter, value)

    # --- running ------------------------------------------------------------------------------------------------------
    def run(self) -> Exit:
        """Run until something needs the machine."""
        while True:
            with self.memory.lock:
                end = self.step()
            if end is not None:
                return end

    def step(self) -> Exit | None:
        """Run one instruction; gives what it asks of the machine, if anything."""
        if self._wants_interrupt:
            self._wants_interrupt = False
            return Exit("interrupt", self.pc)
        pc = self.pc
        code = self.memory.fetch(pc, self.guest.longest)
        try:
            decoded, run = self._interpreter(code, pc)
        except DecodeError:
            if len(code) < self.guest.longest:
                return Exit("fault", pc, pc + len(code) & _ALL_ONES, "execute")
            return Exit("trap", pc, trap=self.guest.illegal)
        run.base = pc
        self._load_environment(run)
        outcome = run.run()
        self._save_environment(run)
        return self._answer(outcome, pc, decoded.length)

    def _interpreter(self, code: bytes, pc: int) -> tuple[Decoded, Interpreter]:
        """What interprets the instruction at the start of `code`. Its IR is relative, so it serves any address."""
        found = self._known.get(code)
        if found is None:
            decoded = self.guest.decode(code, pc)
            function = lift(self.guest, decoded)
            state = cast(bytearray, self.state_bytes)
            found = decoded, Interpreter(function, state=state, memory=self.memory, limit=_UNLIMITED)
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[code] = found
        return found

    def _load_environment(self, run: Interpreter) -> None:
        slots = self.guest.layout.slots
        if _ENVIRONMENT in slots:
            run.fenv = self.get_slot(_ENVIRONMENT)
        if _F80_CONTROL in slots:
            run.f80_control, run.f80_flags = self.get_slot(_F80_CONTROL), 0

    def _save_environment(self, run: Interpreter) -> None:
        slots = self.guest.layout.slots
        if _ENVIRONMENT in slots:
            self.set_slot(_ENVIRONMENT, run.fenv)
        if _F80_CONTROL in slots and run.f80_flags:
            self.set_slot(_F80_STATUS, self.get_slot(_F80_STATUS) | run.f80_flags)

    def _answer(self, outcome: Outcome, pc: int, length: int) -> Exit | None:
        if outcome.kind == "exception":
            self.pc = pc
            return Exit("trap", pc, trap="simd_exception")
        if outcome.kind == "fault":
            assert outcome.address is not None
            access = "write" if outcome.access == "write" else "read"
            return Exit("fault", pc, outcome.address, access)  # type: ignore[arg-type]
        target = self.pc = pc + length if outcome.pc is None else outcome.pc
        reason = outcome.reason if outcome.kind == "leave" else None
        service = self.guest.services.get(reason or "")
        if reason not in (None, "syscall", "flush_code") and service is None:
            return Exit("trap", target, trap=reason or "")
        self.instructions += 1
        if service is not None:
            service(self)
        elif reason == "flush_code":
            self.flush()
        return Exit("syscall", target) if reason == "syscall" else None

    # --- what a machine asks ------------------------------------------------------------------------------------------
    def interrupt(self) -> None:
        """Make `run` return soon, or at once when it is entered next."""
        self._wants_interrupt = True

    def invalidate(self, start: int, end: int) -> None:
        """Nothing is translated, so nothing is to be forgotten."""

    def reset(self) -> None:
        """Every register to its state at the start of a process."""
        self.state_bytes[:] = bytes(len(self.state_bytes))
        for name, value in self.guest.reset_values.items():
            self.set_slot(name, value)
        self._wants_interrupt = False

    def sibling(self) -> ReferenceCpu:
        """Another CPU over the same memory, with the same registers."""
        made = ReferenceCpu(self.guest, self.memory, flush=self.flush)
        made.state_bytes[:] = self.state_bytes
        return made

    def retire(self) -> None:
        """Nothing is held."""

    def others_stopped(self) -> AbstractContextManager[object]:
        """A stretch in which no other CPU over this memory runs guest code."""
        return self.memory.lock

    def compare_exchange(self, address: int, expected: int, new: int) -> int:
        """Atomically store a 32-bit word if memory holds another; gives what it held."""
        with self.memory.lock:
            held = int.from_bytes(self.memory.read(address, 4), "little")
            if held == expected:
                self.memory.write(address, new.to_bytes(4, "little"))
            return held

    def after_fork(self) -> None:
        """There is no thread and no table to care for."""

    def close(self) -> None:
        """Nothing is held."""
