"""Cases run by the engine's native tiers, in a window that holds the oracle's arena and code area."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from types import TracebackType
from typing import Final

from metaphrase.backends.llvm import context
from metaphrase.machines.linux.memory import Window
from metaphrase.translation import decode_block
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.engine.host_memory import protect
from metaphrase.translator.exits import Exit
from metaphrase.translator.guest import Decoded
from metaphrase.translator.x86.guest import X86Guest
from tests.oracle._arena import Arena
from tests.oracle.native import ARENA, ARENA_SIZE, CODE, CODE_SIZE, Case
from tests.translator.x86.differential import GUEST
from tests.translator.x86.interpreted import LAYOUT, TABLES, Seen, descriptor_tables, start_of

REAL_MODE: Final = "i8086"
"""The guest whose cases end with HLT, or where there is no code."""
_FENV: Final = slice(LAYOUT["fenv"].offset, LAYOUT["fenv"].end)
_HOT = 2
"""After how many runs a block becomes hot in tier 1, where every case is run a few times more."""


class _Area:
    """The arena and the code area, and the snippet that lies there."""

    def __init__(self) -> None:
        self.window = Window()
        self.window.map_anonymous(ARENA, ARENA_SIZE, mmap.PROT_READ | mmap.PROT_WRITE)
        self.window.map_anonymous(CODE, CODE_SIZE, mmap.PROT_READ | mmap.PROT_EXEC)
        tables = descriptor_tables()
        self.window.map_anonymous(TABLES, len(tables), mmap.PROT_READ | mmap.PROT_WRITE)
        self.window.write(TABLES, tables)
        self.window.protect(TABLES, len(tables), mmap.PROT_READ)
        self.arena = Arena(self.window.base + ARENA)
        self.placed: tuple[int, bytes] | None = None

    def place(self, address: int, snippet: bytes, filler: bytes) -> None:
        """Write a snippet, between instructions that stop, over the last one."""
        if self.placed == (address, snippet):
            return
        host = self.window.base + CODE
        code = bytearray(filler * CODE_SIZE)
        code[address - CODE : address - CODE + len(snippet)] = snippet
        protect(host, CODE_SIZE, mmap.PROT_READ | mmap.PROT_WRITE)
        ctypes.memmove(host, bytes(code), CODE_SIZE)
        protect(host, CODE_SIZE, mmap.PROT_READ)
        self.placed = address, snippet


@cache
def _area() -> _Area:
    """The one of this process, for a host process has room for one window."""
    return _Area()


class NativeTier:
    """One tier as a runner of cases of one guest: "0" or "1". Use it as a context manager."""

    def __init__(self, tier: str, guest: X86Guest = GUEST) -> None:
        self.tier = tier
        self.area = _area()
        self.window = self.area.window
        self.translated: tuple[int, bytes] | None = None
        """Address and bytes of the code that `cpu` knows."""
        self.cpu = NativeCpu(guest, self.window, tier=tier, exact=True)
        if tier == "1":
            self.cpu.translations.put_word(context.HOT_THRESHOLD, _HOT)

    def __enter__(self) -> NativeTier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cpu.close()

    def __call__(self, case: Case, _decoded: Decoded) -> Seen:
        known = self._place(case)
        data, cpu, arena = start_of(case), self.cpu, self.area.arena
        for _ in range(1 if self.tier == "0" or known else _HOT + 3):
            arena.lay(case.memory.items())
            cpu.state_bytes[:] = data
            end = cpu.run()
        in_region = cpu.blocks.is_region(cpu.blocks.find(case.address) or 0)
        assert self.tier == "0" or in_region or self._restarts(case.address), "no region was made of the case"
        event, rip, address = _event(end, case)
        after = bytes(cpu.state_bytes)
        return Seen(case, after, arena.take_changes(), int.from_bytes(after[_FENV], "little"), event, address, rip)

    def _restarts(self, address: int) -> bool:
        """Whether the code there has an instruction that stays in tier 0, and its block with it."""
        return any(map(self.cpu.guest.restarts, decode_block(self.cpu.guest, self.window.read, address)))

    def _place(self, case: Case) -> bool:
        """Have the snippet in its place; gives whether this is the one that was run last."""
        snippet = case.address, case.code
        self.area.place(*snippet, b"\xf4" if case.guest == REAL_MODE else b"\xcc")  # where INT3 is nothing special
        if self.translated == snippet:
            return True
        self.cpu.invalidate(CODE, CODE + CODE_SIZE)
        self.translated = snippet
        return False


def _event(end: Exit, case: Case) -> tuple[str, int, int | None]:
    match end.kind:
        case "syscall":
            return "syscall", end.pc, None
        case "fault" if case.guest == REAL_MODE and end.access == "execute":
            return "", end.pc, None
        case "fault":
            return "memory", end.pc, end.address
    assert end.kind == "trap", end
    if end.trap == "halt":
        return "", end.pc - 1, None
    if end.trap == "breakpoint":
        own = case.address <= end.pc < case.address + len(case.code)
        return ("breakpoint", end.pc + 1, None) if own else ("", end.pc, None)
    return end.trap, end.pc, None
