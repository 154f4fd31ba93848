"""Cases run by the engine's native tiers, in a window that holds the oracle's arena and code area."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from types import TracebackType

from metaphrase.backends.llvm import context
from metaphrase.machines.linux.memory import Window
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.engine.host_memory import protect
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import Decoded
from tests.oracle.native import ARENA, ARENA_SIZE, CODE, CODE_SIZE, Case
from tests.translator.x86.differential import GUEST
from tests.translator.x86.interpreted import ArenaMemory, observe, pack_state
from tests.translator.x86.observed import Observed

_HOT = 2
"""After how many runs a block becomes hot in tier 1, where every case is run a few times more."""


@cache
def _window() -> Window:
    """The one window of this process, for a host process has room for one."""
    window = Window()
    window.map_anonymous(ARENA, ARENA_SIZE, mmap.PROT_READ | mmap.PROT_WRITE)
    window.map_anonymous(CODE, CODE_SIZE, mmap.PROT_READ | mmap.PROT_EXEC)
    return window


class NativeTier:
    """One tier as a runner of cases: "0" or "1". Use it as a context manager."""

    def __init__(self, tier: str) -> None:
        self.tier = tier
        self.window = _window()
        self.cpu = NativeCpu(GUEST, self.window, tier=tier, exact=True)
        if tier == "1":
            self.cpu.put_context_word(context.HOT_THRESHOLD, _HOT)

    def __enter__(self) -> NativeTier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu.close()

    def __call__(self, case: Case, decoded: Decoded) -> Observed:
        self._place(case)
        arena = bytes(ArenaMemory(case).arena)
        data = bytes(pack_state(case))
        for _ in range(1 if self.tier == "0" else _HOT + 3):
            ctypes.memmove(self.window.base + ARENA, arena, ARENA_SIZE)
            self.cpu.state_bytes[:] = data
            self.cpu.pc = case.address
            end = self.cpu.run()
        header = self.cpu.blocks.find(case.address)
        in_region = bool(header) and self.cpu.blocks.is_region(header)
        assert self.tier == "0" or in_region or self.cpu.guest.restarts(decoded), "no region was made of the case"
        event, rip, address = _event(end, case)
        after = ctypes.string_at(self.window.base + ARENA, ARENA_SIZE)
        return observe(bytes(self.cpu.state_bytes), after, self.cpu.get("mxcsr"), event, address, rip)

    def _place(self, case: Case) -> None:
        """Write the snippet, between breakpoints, over the last one."""
        host = self.window.base + CODE
        code = bytearray(b"\xcc" * CODE_SIZE)
        code[case.address - CODE : case.address - CODE + len(case.code)] = case.code
        protect(host, CODE_SIZE, mmap.PROT_READ | mmap.PROT_WRITE)
        ctypes.memmove(host, bytes(code), CODE_SIZE)
        protect(host, CODE_SIZE, mmap.PROT_READ)
        self.cpu.invalidate(CODE, CODE + CODE_SIZE)


def _event(end: Exit, case: Case) -> tuple[str, int, int | None]:
    match end.kind:
        case "syscall":
            return "syscall", end.pc, None
        case "fault":
            return "memory", end.pc, end.address
    assert end.kind == "trap", end
    if end.trap == "breakpoint":
        own = case.address <= end.pc < case.address + len(case.code)
        return ("breakpoint", end.pc + 1, None) if own else ("", end.pc, None)
    return end.trap, end.pc, None
