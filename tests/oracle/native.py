"""The x86 hardware oracle: the host CPU runs a snippet of machine code from a given state, and the state after.

    with Oracle() as oracle:
        [result] = oracle.run([Case(bytes.fromhex("4801d8"), State(registers={"rax": 1, "rbx": 2}))])
        assert result.state.registers["rax"] == 3

A snippet ends at the first `int3` it reaches outside: the code area around it is filled with them, so a branch taken
anywhere within the area ends there too, and `Result.state.rip` tells where. Signals that it causes, by breakpoints of
its own too, end it as a `Fault`. It runs in a worker process whose system calls from the code area are refused
(SIGSYS), bounded by a timer of CPU time.

Memory that a snippet finds: the arena (read, write) and the code area (read, execute), each between unmapped pages.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import signal
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

from metaphrase.ir.errors import MetaphraseError
from tests.oracle import _trap
from tests.oracle._arena import patched
from tests.oracle._segments import CODE_16, CODE_32, DATA_16, EXTRA_16, STACK_16, STACK_32, base_of
from tests.oracle._worker import Reply, Request, segments_are_made, serve

ARENA, ARENA_SIZE = _trap.ARENA, _trap.ARENA_SIZE
CODE, CODE_SIZE = _trap.CODE, _trap.CODE_SIZE
ENTRY = CODE + CODE_SIZE // 2
"""Where snippets are placed unless a case says otherwise."""

REGISTERS = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{n}" for n in range(8, 16)))
FLAGS = 0xCD5
"""The flags compared: OF, DF, SF, ZF, AF, PF, CF. The others are not reported."""
INITIAL_X87 = struct.pack("<HHBxH", 0x37F, 0, 0, 0).ljust(160, b"\0")

SELECTORS: dict[int | str, tuple[int, ...]] = {
    64: (0, 0x33, 0x2B, 0, 0, 0), 32: (0x2B, 0x23, 0x2B, 0x2B, 0x63, 0x63),
    16: (EXTRA_16, CODE_16, STACK_16, DATA_16, 0x63, 0x63),
    "i8086": (EXTRA_16, CODE_16, STACK_16, DATA_16, 0, 0),
    "i286_stack32": (EXTRA_16, CODE_16, STACK_32, DATA_16, 0x63, 0x63),
    "i386_segments": (EXTRA_16, CODE_32, STACK_32, DATA_16, 0x63, 0x63),
    "i386_segments_stack16": (EXTRA_16, CODE_32, STACK_16, DATA_16, 0x63, 0x63),
}  # fmt: skip
"""ES, CS, SS, DS, FS and GS in the modes of x86: those of 32-bit mode are Linux's flat ones, and the worker's own;
those of 16-bit mode, and of modes that a guest names, are small segments (`_segments.py`), but for FS and GS."""

PAGE_FAULT = 14
_RIP = _trap.REGISTERS + 16 * 8
"""Where the program counter lies in a block; flags, selectors, error code, vector, mask and CR2 follow."""
SUPPORTED = platform.machine() == "x86_64" and platform.system() == "Linux"


def _runs_32_bit_code() -> bool:
    """Whether the kernel lets programs into compatibility mode, and they may set segment bases themselves."""
    if not SUPPORTED:
        return False
    abi = Path("/proc/sys/abi/vsyscall32")  # there with CONFIG_IA32_EMULATION
    return abi.exists() and bool(ctypes.CDLL(None).getauxval(26) & 2)


SUPPORTED_32 = _runs_32_bit_code()
SUPPORTED_16 = SUPPORTED_32 and segments_are_made()
MODES = {64: SUPPORTED, 32: SUPPORTED_32, 16: SUPPORTED_16}
"""The modes of x86, and whether this host runs them."""
WITHOUT_MODE = "the host's kernel runs no such code (IA32_EMULATION; MODIFY_LDT_SYSCALL, X86_16BIT)"


class OracleError(MetaphraseError):
    """The oracle itself failed: bad input, or the worker died."""


@dataclass(slots=True)
class State:
    """The guest-visible registers. Those left out are zero, but for a stack in the arena and the flags of a reset.

    `xmm` are the low and `ymm_high` the high 128 bits of vector registers. `x87` is the
    FXSAVE image (SDM volume 1, 10.5.1) up to its ST registers, 160 bytes; the eight of MXCSR in it are ignored.
    """

    registers: dict[str, int] = field(default_factory=dict)
    rip: int = 0
    """As a linear address, in whatever segment it lies."""
    rflags: int = 0
    mxcsr: int = 0x1F80
    xmm: list[int] = field(default_factory=list)
    ymm_high: list[int] = field(default_factory=list)
    x87: bytes = INITIAL_X87
    fs_base: int = 0
    gs_base: int = 0
    selectors: tuple[int, ...] = ()
    """As SELECTORS has them, which are those of the mode if there are none here; never for a case of 64-bit mode."""

    def pack(self, rip: int, selectors: tuple[int, ...]) -> bytes:
        """The native block of `_trap.GUEST`; raises OracleError for values the CPU cannot hold."""
        es, cs, ss, ds, fs, gs = selectors
        unknown = self.registers.keys() - set(REGISTERS)
        if unknown:
            raise OracleError(f"no such registers: {', '.join(unknown)}; use {', '.join(REGISTERS)}")
        if self.mxcsr >> 16 or len(self.x87) != 160 or len(self.xmm) > 16 or len(self.ymm_high) > 16:
            raise OracleError("MXCSR has 16 bits, the x87 image 160 bytes, and there are 16 vector registers")
        values = {"rsp": ARENA + ARENA_SIZE // 2, **self.registers}
        try:
            general = [values.get(name, 0) for name in _trap.SIGNAL_ORDER]
            image = bytearray(self.x87)
            struct.pack_into("<II", image, 24, self.mxcsr, 0)
            return b"".join(
                (
                    struct.pack("<2Q4H", self.fs_base, self.gs_base, es, ds, fs, gs),
                    struct.pack("<18Q4H", *general, rip - base_of(cs), self.rflags & FLAGS | 0x202, cs, 0, 0, ss),
                    bytes(_trap.SIGNAL_REGISTERS - 19 * 8),
                    image,
                    _vectors(self.xmm),
                    _vectors(self.ymm_high),
                )
            )
        except (struct.error, OverflowError) as error:
            raise OracleError(f"a register's value is negative or too wide: {error}") from error


def _vectors(values: Sequence[int]) -> bytes:
    return b"".join([value.to_bytes(16, "little") for value in values]).ljust(256, b"\0")


def _split(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 16], "little") for at in range(0, 256, 16)]


@dataclass(frozen=True, slots=True)
class Case:
    """One snippet to run; `memory` maps addresses in the arena to bytes laid over the oracle's background."""

    code: bytes
    state: State = field(default_factory=State)
    memory: Mapping[int, bytes] = field(default_factory=dict)
    address: int = ENTRY
    mode: int = 64
    guest: str = ""
    """Of the modes whose code has the same size, the one that a guest of this name is of; else that of the tests."""

    @property
    def segmented(self) -> bool:
        """Whether it is of a mode in which segments have bases and limits."""
        return self.mode == 16 or bool(self.guest)

    @property
    def selectors(self) -> tuple[int, ...]:
        """What its segment registers hold at the beginning."""
        return self.state.selectors or SELECTORS[self.guest or self.mode]


@dataclass(frozen=True, slots=True)
class Fault:
    """The signal that ended a snippet. SIGVTALRM stands for the time limit."""

    signal: signal.Signals
    offset: int
    """From the snippet's start to the instruction that faulted (for SIGTRAP and SIGSYS: to what follows it)."""
    vector: int
    """The processor's exception number: 0 #DE, 6 #UD, 11 #NP, 12 #SS, 13 #GP, 14 #PF, 17 #AC, 19 #XM."""
    address: int | None = None
    """The address that could not be accessed, if it was a page fault."""
    write: bool = False
    """Whether that access was a store."""


class Result:
    """What a snippet left behind, decoded when it is asked for.

    `start` and `block` are the states before and after as `State.pack` has them, `changes` lists what it altered in the
    arena: (address, bytes) of 8-byte words.
    """

    def __init__(self, case: Case, request: Request, reply: Reply, background: bytes) -> None:
        self.case, self._background = case, background
        self.start = request[2]
        self._number, self.block, self.changes = reply

    @property
    def segmented(self) -> bool:
        return self.case.segmented

    @property
    def arena(self) -> bytes:
        """The whole arena after the snippet."""
        return bytes(patched(self._background, self.case.memory.items(), self.changes))

    @property
    def _stopped_at(self) -> int:
        [rip] = struct.unpack_from("<Q", self.block, _RIP)
        [cs] = struct.unpack_from("<H", self.block, _RIP + 16)
        return base_of(cs) + rip

    @cached_property
    def rip(self) -> int:
        """As a linear address: of the breakpoint that ended it, or of the fault."""
        return self._stopped_at - (self.fault is None)

    @cached_property
    def fault(self) -> Fault | None:
        """The signal that ended it, if not the breakpoint behind it."""
        rip = self._stopped_at
        error_code, vector, _, address = struct.unpack_from("<4Q", self.block, _RIP + 24)
        own = 0 < rip - self.case.address <= len(self.case.code)
        if self._number == signal.SIGTRAP and vector == 3 and not own:
            return None
        page_fault = vector == PAGE_FAULT and self._number in (signal.SIGSEGV, signal.SIGBUS)
        return Fault(
            signal.Signals(self._number),
            rip - self.case.address,
            vector,
            address if page_fault else None,
            page_fault and bool(error_code & 2),
        )

    @cached_property
    def state(self) -> State:
        """The registers."""
        block = self.block
        fs_base, gs_base, *words = struct.unpack_from("<2Q8x18Q", block)
        es, ds, fs, gs = struct.unpack_from("<4H", block, 16)
        cs, _, _, ss = struct.unpack_from("<4H", block, _RIP + 16)
        if self.segmented:  # behind a stack of 16 bits, the upper half of the kernel's own address may show
            words[_trap.SIGNAL_ORDER.index("rsp")] &= 0xFFFF_FFFF
        image = block[_trap.IMAGE : _trap.IMAGE + 160]
        return State(
            dict(zip(_trap.SIGNAL_ORDER, words)),
            self.rip,
            words[17] & FLAGS,
            struct.unpack_from("<I", image, 24)[0],
            _split(block[_trap.IMAGE + 160 : _trap.IMAGE + 416]),
            _split(block[_trap.IMAGE + 416 : _trap.IMAGE + 672]),
            image[:24] + bytes(8) + image[32:],
            fs_base,
            gs_base,
            (es, cs, ss, ds, fs, gs) if self.case.mode != 64 else (),
        )


class Oracle:
    """A worker process that runs cases; use it as a context manager, or close it.

    `background` is what the arena holds where a case says nothing: 64 KiB, zeroes by default. `time_limit` is the CPU
    time, in seconds, after which a snippet counts as endless; it is rounded up to some tens of milliseconds.
    """

    def __init__(self, background: bytes = bytes(ARENA_SIZE), time_limit: float = 0.05) -> None:
        if not SUPPORTED:
            raise OracleError("the oracle is the host CPU; it needs Linux on x86-64")
        if len(background) != ARENA_SIZE:
            raise OracleError(f"the background has {len(background)} bytes; the arena has {ARENA_SIZE}")
        self.background = background
        self._trap = _trap.Trap(time_limit)
        self._process = 0
        self._pipe: Connection | None = None

    def run(self, cases: Sequence[Case]) -> list[Result]:
        """Run each case from its own state and arena. Raises OracleError if one of them kills the worker."""
        requests = [self._request(case) for case in cases]
        if self._pipe is None:
            self._start()
        assert self._pipe is not None
        try:
            self._pipe.send(requests)
            replies: list[Reply] = self._pipe.recv()
        except (EOFError, OSError):
            index = self._trap.progress
            self.close()
            culprit = f"{cases[index].code.hex(' ')} from {cases[index].state}" if index < len(cases) else "no case"
            raise OracleError(
                f"the oracle's worker died running {culprit}; a new one starts with the next run"
            ) from None
        return [Result(*one, self.background) for one in zip(cases, requests, replies)]

    def close(self) -> None:
        """End the worker. A later `run` starts a new one."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
            os.kill(self._process, signal.SIGKILL)  # another oracle's worker may hold the pipe open, so it sees no end
            os.waitpid(self._process, 0)

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        self._process = os.fork()
        if self._process == 0:
            ours.close()
            serve(theirs, self._trap, self.background)
        theirs.close()
        self._pipe = ours

    def _request(self, case: Case) -> Request:
        if not (case.address >= CODE and case.address + len(case.code) <= CODE + CODE_SIZE):
            raise OracleError(f"{len(case.code)} bytes at {case.address:#x} do not fit in the code area at {CODE:#x}")
        for address, data in case.memory.items():
            if not (address >= ARENA and address + len(data) <= ARENA + ARENA_SIZE):
                raise OracleError(f"{len(data)} bytes at {address:#x} do not fit in the arena at {ARENA:#x}")
        return case.address, case.code, case.state.pack(case.address, case.selectors), tuple(case.memory.items())
