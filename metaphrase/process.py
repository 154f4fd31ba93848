"""A guest program loaded into this process, to be run, stepped, and looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING

from metaphrase.ir.errors import MetaphraseError
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.loader import identify
from metaphrase.machines.linux.memory import PAGE_SIZE, Window
from metaphrase.machines.linux.process import LinuxProcess
from metaphrase.memory import Area, GuestMemory, joined
from metaphrase.policies import confined
from metaphrase.reference import WindowMemory
from metaphrase.registers import Registers
from metaphrase.registry import BREAKPOINTS, find_guest
from metaphrase.show import MimeBundle, preformatted
from metaphrase.statistics import Statistics, statistics_of
from metaphrase.stepping import SteppingCpu
from metaphrase.symbols import Symbols, symbols_of
from metaphrase.translation import Instruction, Translation, decode, describe

if TYPE_CHECKING:
    from metaphrase.machines.linux.policy import Policy


class Process:
    """A Linux program in memory, ready to run; made by `metaphrase.load`.

    It lives in this process: its descriptors, process id and forks are this process's own, and while it runs, so are
    its signals. A host process holds one at a time: `close` it, or use it as a context manager.

    program, arguments  the program's path, or a name to be looked for in $PATH, and its arguments
    tier                "auto", "0", "1" or "reference" (see `metaphrase.tiers`)
    sysroot             absolute guest paths are tried beneath this folder first
    env                 the environment; this process's by default
    policy              what it may do: a Policy, a preset's name, or a file; all that this process may by default
    cpu                 the CPU's model, as `Guest.with_cpu` takes it ("haswell,-avx2"); the one that has all by default
    """

    def __init__(
        self,
        program: str | os.PathLike[str],
        *arguments: str,
        tier: str = "auto",
        sysroot: str | None = None,
        env: Mapping[str, str] | None = None,
        cpu: str | None = None,
        policy: Policy | str | None = None,
    ) -> None:
        path = os.fspath(program)
        self.guest = find_guest(identify(path, sysroot), cpu)
        self.tier = tier
        self._cpus: list[SteppingCpu] = []
        self.machine = LinuxProcess(
            path, (path, *arguments), env, sysroot=sysroot, cpu_factory=self._make_cpu,
            confinement=confined(policy, sysroot),
        )  # fmt: skip
        self.cpu = self._cpus[0]
        self.registers = Registers(self.guest, self.cpu)
        self.memory = GuestMemory(self)
        self._code = WindowMemory(self.machine.window)
        self._replaced: tuple[int, bytes] | None = None
        self._closed = False

    def _make_cpu(self, window: Window) -> SteppingCpu:
        self._cpus.append(SteppingCpu(self.guest, window, self.tier))
        return self._cpus[-1]

    # --- running ------------------------------------------------------------------------------------------------------
    @property
    def status(self) -> int | None:
        """The exit status, 128 + the number of the signal that killed it; None while it has not ended."""
        return self.machine.exit_status

    @property
    def pc(self) -> int:
        """The address of the instruction that comes next."""
        return self.cpu.get(self.machine.abi.program_counter)

    @property
    def next(self) -> Instruction | None:
        """The instruction that comes next; None at the end, or where there is none."""
        if self.status is not None:
            return None
        try:
            return self.instruction()
        except MetaphraseError:
            return None

    def run(self, until: int | str | None = None) -> int | None:
        """Run to the end, or to an address (or a symbol of the program's) that control reaches first.

        Gives the exit status, None if it has stopped before.
        """
        self._require_alive()
        if until is None:
            self._advance(None)
            return self.status
        address = self.symbols[until] if isinstance(until, str) else until
        if self.pc == address:
            self.step()
        if self.status is None and self.pc != address:
            self._put_breakpoint(address)
            try:
                self._advance(None)
            finally:
                self._take_breakpoint()
        return self.status

    def step(self, count: int = 1) -> Instruction | None:
        """Run exactly `count` instructions, system calls included; gives the one that comes next, None at the end.

        A repeated string instruction counts as one.
        """
        self._require_alive()
        if count > 0:
            self._advance(count)
        return self.next

    def _advance(self, steps: int | None) -> None:
        self.cpu.steps_left = steps
        try:
            self.machine.run_until(lambda: self.cpu.stopped)
        finally:
            self.cpu.steps_left = None

    def _require_alive(self) -> None:
        if self._closed:
            raise MetaphraseError("this process is closed: load the program again")
        if self.status is not None:
            raise MetaphraseError(f"the program has ended, with status {self.status}: load it again")

    def _put_breakpoint(self, address: int) -> None:
        if self.guest.name not in BREAKPOINTS:
            raise MetaphraseError(f"no breakpoint instruction is known of {self.guest.name}: step instead")
        instruction = BREAKPOINTS[self.guest.name]
        self._replaced = address, self.memory.read(address, len(instruction))
        self.memory.write(address, instruction)
        self.cpu.stop_at, self.cpu.forked = address, self._take_breakpoint

    def _take_breakpoint(self) -> None:
        if self._replaced is not None:
            (address, before), self._replaced = self._replaced, None
            self.cpu.stop_at, self.cpu.forked = None, lambda: None
            if self.machine.window.regions.find(address) is not None:  # the guest may have unmapped it
                self.memory.write(address, before)

    def close(self) -> None:
        """Give the guest's memory back. Nothing of it can be used afterwards; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self.cpu.close()
            self.machine.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- looking ------------------------------------------------------------------------------------------------------
    @property
    def statistics(self) -> Statistics:
        """What the CPU has done so far; `stepped_instructions` are those of single steps."""
        whole = dict(statistics_of(self.cpu.whole))
        if self.cpu.stepper is not self.cpu.whole:
            whole["stepped_instructions"] = self.cpu.stepper.instructions
        return Statistics(whole)

    @cached_property
    def symbols(self) -> Symbols:
        """The program's own symbols, at the addresses where they were loaded."""
        image = self.machine.image
        return symbols_of(os.fsdecode(image.path), image.entry - image.elf.entry)

    def instruction(self, pc: int | str | None = None) -> Instruction:
        """The instruction at an address or symbol (by default the one that comes next)."""
        at = self._address(pc)
        return describe(self.guest, self._fetch, decode(self.guest, self._fetch, at))

    def block(self, pc: int | str | None = None) -> Translation:
        """The block at an address or symbol: instructions up to the first that ends one, and what becomes of them."""
        return Translation(self.guest, self._fetch, self._address(pc), single=True)

    def region(self, pc: int | str | None = None) -> Translation:
        """All blocks that direct jumps and calls reach from an address or symbol, as tier 1 takes them together."""
        return Translation(self.guest, self._fetch, self._address(pc))

    def _address(self, pc: int | str | None) -> int:
        if self._closed:
            raise MetaphraseError("this process is closed: load the program again")
        return self.pc if pc is None else self.symbols[pc] if isinstance(pc, str) else pc

    def _fetch(self, address: int, size: int) -> bytes:
        return self._code.fetch(address, size)

    def peek(self, address: int, size: int) -> bytes:
        """Bytes of the guest's memory."""
        return self.machine.window.read(address, size)

    def poke(self, address: int, data: bytes) -> None:
        """Replace bytes of the guest's memory, also where the guest itself may not write."""
        window = self.machine.window
        try:
            window.write(address, data)
        except GuestFault:
            pass
        else:
            return
        first = address // PAGE_SIZE * PAGE_SIZE
        pages = range(first, address + len(data), PAGE_SIZE)
        before = [(page, region.protection) for page in pages if (region := window.regions.find(page)) is not None]
        if len(before) != len(pages):
            raise GuestFault(address)
        try:
            for page, protection in before:
                window.protect(page, PAGE_SIZE, protection | PROT_READ | PROT_WRITE)
            window.write(address, data)
        finally:
            for page, protection in before:
                window.protect(page, PAGE_SIZE, protection)

    def areas(self) -> list[Area]:
        """What is mapped."""
        found = []
        for region in self.machine.window.regions:
            bits = ((PROT_READ, "r"), (PROT_WRITE, "w"), (PROT_EXEC, "x"))
            access = "".join(letter if region.protection & bit else "-" for bit, letter in bits)
            found.append((region.start, region.end, access, region.name))
        return joined(found)

    def __str__(self) -> str:
        name = os.fsdecode(self.machine.image.name)
        if self.status is not None:
            return f"{name} ({self.guest.name}) ended with status {self.status}"
        if self._closed:
            return f"{name} ({self.guest.name}), closed"
        place = self.symbols.place(self.pc)
        return f"{name} ({self.guest.name}) at {self.pc:#x}{f', {place}' if place else ''}\n{self.next or ''}".rstrip()

    def __repr__(self) -> str:
        return f"<{self.__str__().splitlines()[0]}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return {"text/plain": str(self), "text/html": preformatted(str(self))}
