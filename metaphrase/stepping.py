"""A CPU for debugging: it goes in single steps, and stops at an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from metaphrase.cpus import make_cpu
from metaphrase.machines.linux.memory import Window
from metaphrase.reference import ReferenceCpu, WindowMemory
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import Guest


class SteppingCpu:
    """A CPU of any tier that can also run a given number of instructions, by the reference interpreter.

    Both work on the same state and memory. It keeps the rules of `machines.linux.cpu.Cpu`.
    """

    def __init__(self, guest: Guest, window: Window, tier: str) -> None:
        self.name = guest.name
        self.whole = make_cpu(guest, window, tier, exact=True)
        self.stepper = self._make_stepper(guest, window)
        self.steps_left: int | None = None
        """How many instructions to run before a pause; None for no end."""
        self.stop_at: int | None = None
        """Address of a breakpoint of ours, at which to pause."""
        self.stopped = False
        """Whether the last run ended in a pause."""
        self.forked: Callable[[], None] = lambda: None
        """Called in the child of a fork."""

    def _make_stepper(self, guest: Guest, window: Window) -> ReferenceCpu:
        if isinstance(self.whole, ReferenceCpu):
            return self.whole
        assert isinstance(self.whole, NativeCpu)
        memory = WindowMemory(window)
        return ReferenceCpu(guest, memory, state=self.whole.state_bytes, flush=self.whole.flush)

    def get(self, register: str) -> int:
        """A register by name."""
        return self.whole.get(register)

    def set(self, register: str, value: int) -> None:
        """Change a register by name."""
        self.whole.set(register, value)

    def hardware_capabilities(self) -> tuple[int, int] | None:
        """AT_HWCAP and AT_HWCAP2, if the guest says."""
        return self.stepper.hardware_capabilities()

    def linux_description(self) -> Mapping[str, str]:
        """The lines of /proc/cpuinfo about a processor, if the guest says."""
        return self.stepper.linux_description()

    def run(self) -> Exit:
        """Run until something needs the machine, or, with the reason "budget", to a pause."""
        self.stopped = False
        end = self.whole.run() if self.steps_left is None else self._step()
        if end.kind == "trap" and end.trap == "breakpoint" and end.pc == self.stop_at:
            return self._pause(end.pc)
        return end

    def _step(self) -> Exit:
        while self.steps_left:
            self.steps_left -= 1
            end = self.stepper.step()
            if end is not None:
                self.stopped = not self.steps_left
                return end
        return self._pause(self.stepper.pc)

    def _pause(self, pc: int) -> Exit:
        self.stopped = True
        return Exit("budget", pc)

    def interrupt(self) -> None:
        """Make `run` return soon."""
        (self.whole if self.steps_left is None else self.stepper).interrupt()

    def invalidate(self, start: int, end: int) -> None:
        """Forget code translated from [start, end)."""
        self.whole.invalidate(start, end)

    def reset(self) -> None:
        """Every register to its state at the start of a process, and all translated code forgotten."""
        self.whole.reset()

    def after_fork(self) -> None:
        """In the child of a fork, which nobody watches: it runs to its end."""
        self.steps_left, self.stop_at = None, None
        self.whole.after_fork()
        self.forked()

    def close(self) -> None:
        """The CPU must not run any more."""
        if isinstance(self.whole, NativeCpu):
            self.whole.close()
