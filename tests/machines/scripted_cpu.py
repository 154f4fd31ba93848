"""A CPU that runs a Python generator instead of guest code: it yields events, and is sent the system calls' results."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.cpu import Exit
from metaphrase.machines.linux.memory import Window

U64 = (1 << 64) - 1
#: A call by name with its arguments, or any other event.
Event = tuple[Any, ...] | Exit
Script = Callable[["ScriptedCpu"], Generator[Event, int, None]]


class ScriptedCpu:
    """Guest code as a generator: `result = yield ("openat", ...)`; its end is exit_group(0).

    A script that changes `pc` takes care of nothing: the pc only matters to what looks at it. `entered` lists the
    handlers that signals made the guest enter; the script goes on by itself afterwards, unless it looks.
    """

    def __init__(self, window: Window, script: Script, guest: str = "x86_64") -> None:
        self.name = guest
        self.abi = ABIS[guest]
        self.window = window
        self.registers: dict[str, int] = {}
        self.invalidated: list[tuple[int, int]] = []
        self.interrupts = 0
        self.forks = 0
        self.resets = 0
        self.floating_point = b""
        self._script = script
        self._running: Generator[Event, int, None] | None = None
        self._in_call = False
        self._call: tuple[Any, ...] = ()
        self._after_call = 0

    def get(self, register: str) -> int:
        return self.registers.get(register, 0)

    def set(self, register: str, value: int) -> None:
        self.registers[register] = value & U64

    def run(self) -> Exit:
        counter = self.abi.program_counter
        if self._in_call and self.get(counter) == self._after_call - self.abi.syscall_length:
            # Sent back over the instruction: the registers make the same call again.
            self.set(counter, self._after_call)
            return Exit("syscall", self._after_call)
        try:
            if self._running is None:
                self._running = self._script(self)
                event = next(self._running)
            else:
                event = self._running.send(self.signed_result() if self._in_call else 0)
        except StopIteration:
            event = ("exit_group", 0)
        if isinstance(event, Exit):
            self._in_call = False
            return event
        self._in_call = True
        numbers = {name: number for number, name in self.abi.numbers.items()}
        name, *arguments = event
        self.set(self.abi.number_register, numbers[name] if isinstance(name, str) else name)
        for register, value in zip(self.abi.argument_registers, arguments):
            self.set(register, value)
        self._after_call = self.get(counter) + self.abi.syscall_length
        self.set(counter, self._after_call)
        return Exit("syscall", self._after_call)

    def signed_result(self) -> int:
        """The result register as the C library would see it."""
        value = self.get(self.abi.result_register)
        return value - (1 << 64) if value >> 63 else value

    def invalidate(self, start: int, end: int) -> None:
        self.invalidated.append((start, end))

    def interrupt(self) -> None:
        self.interrupts += 1

    def reset(self) -> None:
        self.registers.clear()
        self.resets += 1

    def after_fork(self) -> None:
        self.forks += 1

    def save_fp(self) -> bytes:
        return self.floating_point or bytes(832 if self.name == "x86_64" else 260)

    def load_fp(self, image: bytes) -> None:
        self.floating_point = image
