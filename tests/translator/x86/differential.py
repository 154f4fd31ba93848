"""One instruction, several executions: the host CPU, the reference interpreter over both bindings, and native tiers.

`draw` makes a reproducible random case of a described row: an encoding, a state rich in edges, memory operands that
aim into the oracle's arena. `check` runs cases everywhere and compares registers, defined flags, vectors, memory, the
program counter and faults. A mismatch is shrunk and shown as one line that `parse_case` reads back: regressions.txt.

Chapters refine drawing by row name: `SETUPS` change a drawn case, `UNDEFINED` tells which flags one leaves undefined.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from signal import SIGSYS, SIGVTALRM
from types import ModuleType
from typing import Final

import metaphrase.translator.x86  # noqa: F401  registers the guest
from metaphrase.translator.guest import Decoded, Description, guest
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.guest import X86Guest
from tests.oracle.native import (
    ARENA,
    ARENA_SIZE,
    CODE,
    CODE_SIZE,
    ENTRY,
    FLAGS,
    REGISTERS,
    Case,
    Oracle,
    Result,
    State,
)
from tests.translator.x86.encodings import Encoded, draw_encoding, edge

_guest = guest("x86_64")
assert isinstance(_guest, X86Guest)
GUEST: Final[X86Guest] = _guest
FLAG_BITS: Final = {"cf": 1, "pf": 4, "af": 0x10, "zf": 0x40, "sf": 0x80, "df": 0x400, "of": 0x800, "c1": 1 << 16}
X87_FLAGS: Final = 1 << 17
"""The exception flags of the x87 status word: a store that cannot be done has told of its rounding before."""
CASES: Final = int(os.environ.get("METAPHRASE_CASES", "10"))
"""How many random cases a row gets."""
SEED: Final = int(os.environ.get("METAPHRASE_SEED", "1"))
STRICT: Final = bool(os.environ.get("METAPHRASE_STRICT"))
"""Compare undefined flags too, to learn what the hardware does."""
MASK64: Final = (1 << 64) - 1


@dataclass
class Drawn:
    """A case and what its setup needs to know of it."""

    row: Description
    encoded: Encoded
    state: State
    decoded: Decoded
    rng: random.Random
    undefined: int = 0
    arena: bytearray = field(default_factory=lambda: bytearray(ARENA_SIZE))

    @property
    def size(self) -> int:
        """The operand size in bits, 0 if the row has no size rule."""
        return self.encoded.register_width(encoding_of(self.row).size_rule)

    def operand_width(self, position: int) -> int:
        """Width in bits of an operand of general registers or memory."""
        letter = self.row.operands[position].size
        return {"b": 8, "w": 16, "d": 32, "q": 64, "dq": 128}.get(letter) or self.size

    @property
    def address_registers(self) -> set[str]:
        memory = self.encoded.memory
        numbers = [] if memory is None else [memory.base, memory.index]
        return {REGISTERS[n] for n in numbers if n is not None}

    def poke(self, address: int, data: bytes) -> None:
        """Lay bytes over the arena, as far as they lie in it."""
        start, end = max(address, ARENA), min(address + len(data), ARENA + ARENA_SIZE)
        if start < end:
            self.arena[start - ARENA : end - ARENA] = data[start - address : end - address]

    def peek(self, address: int, size: int) -> bytes:
        """What the arena holds; fewer bytes at its end, none outside."""
        at = address - ARENA
        return bytes(self.arena[at : at + size]) if 0 <= at < ARENA_SIZE else b""

    def set_register(self, name: str, value: int) -> bool:
        """Set a register, unless the memory operand's address depends on it."""
        if name in self.address_registers:
            return False
        self.state.registers[name] = value & MASK64
        return True

    @property
    def case(self) -> Case:
        memory = {ARENA + m.start(): m.group() for m in _PATCH.finditer(self.arena)}
        return Case(self.encoded.code, self.state, memory, ENTRY)


_PATCH: Final = re.compile(rb"[^\0](?:.{0,15}[^\0])*", re.DOTALL)
"""A stretch of memory that is not zero, over short gaps."""


Setup = Callable[[Drawn], None]
SETUPS: Final[dict[str, list[Setup]]] = {}
UNDEFINED: Final[dict[str, Callable[[Drawn], int]]] = {}


def setup(*names: str) -> Callable[[Setup], Setup]:
    """Declare how the drawn cases of the rows of these names are made interesting."""

    def declare(function: Setup) -> Setup:
        for name in names:
            SETUPS.setdefault(name, []).append(function)
        return function

    return declare


def rows_of(*chapters: ModuleType) -> list[Description]:
    """The rows that a chapter's module describes."""
    names = {chapter.__name__ for chapter in chapters}
    return [row for row in GUEST.rows if row.semantics.__module__ in names]


def row_id(row: Description) -> str:
    return f"{row.name} {row.pattern}"


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw_target(rng: random.Random, bytes_wide: int) -> int:
    """An address for a memory operand: mostly inside the arena, now and then over an edge, seldom impossible."""
    kind = rng.random()
    if kind < 0.93:
        address = ARENA + rng.randrange(0x1000, ARENA_SIZE - 0x1000)
        return address & -bytes_wide if rng.random() < 0.6 else address
    if kind < 0.96:
        return ARENA + 0x3000 - rng.randrange(bytes_wide + 1)
    if kind < 0.99:
        return rng.choice((ARENA + ARENA_SIZE - rng.randrange(2 * bytes_wide), ARENA - rng.randrange(2 * bytes_wide)))
    return rng.choice((0, 1 << 46, 1 << 47, MASK64 - bytes_wide + 1, 0xDEAD << 48))


def _draw_encoded(rng: random.Random, row: Description) -> tuple[Encoded, Decoded]:
    area = (CODE + 0x100, CODE + CODE_SIZE - 0x100)
    for _ in range(200):
        encoded = draw_encoding(rng, row, draw_target(rng, 16), ENTRY, area)
        decoded = GUEST.decode(encoded.code, ENTRY)
        if decoded.row == row.row:
            return encoded, decoded
    raise AssertionError(f"no encoding of {row} decodes as it; the last was {encoded.code.hex(' ')}")


def _random(row: Description, number: int, seed: int) -> random.Random:
    return random.Random(f"{row.name}|{row.pattern}|{row.detail.codes}|{seed}|{number}")


def draw_plain(row: Description, number: int, seed: int = SEED) -> tuple[Encoded, Decoded]:
    """The encoding of case `number` of a row, before any setup, and as it is decoded."""
    return _draw_encoded(_random(row, number, seed), row)


def draw(row: Description, number: int, seed: int = SEED) -> Drawn:
    """Case `number` of a row: the same for the same seed."""
    rng = _random(row, number, seed)
    encoded, decoded = _draw_encoded(rng, row)
    registers = {name: edge(rng, 64) for name in REGISTERS}
    registers["rsp"] = ARENA + rng.randrange(0x2000, ARENA_SIZE - 0x2000) & -8
    state = State(registers, ENTRY, rng.getrandbits(12) & FLAGS, fs_base=edge(rng, 46), gs_base=edge(rng, 46))
    drawn = Drawn(row, encoded, state, decoded, rng)
    _aim(drawn)
    if encoded.memory:
        drawn.poke(encoded.memory.target - 64, _random_bytes(rng, 192))
    drawn.poke(registers["rsp"] - 64, _random_bytes(rng, 192))
    for change in SETUPS.get(row.name, ()):
        change(drawn)
    undefined = UNDEFINED.get(row.name)
    drawn.undefined = undefined(drawn) if undefined else flag_mask(row.detail.undefined)
    return drawn


def _random_bytes(rng: random.Random, size: int) -> bytes:
    return b"".join(edge(rng, 64).to_bytes(8, "little") for _ in range(size // 8))


def flag_mask(names: str) -> int:
    """The RFLAGS bits of flags named as in `undefined` of a description."""
    return sum(FLAG_BITS[name] for name in names.split())


def _aim(drawn: Drawn) -> None:
    """Choose base and index registers so that the memory operand lies at its target."""
    memory, registers, rng = drawn.encoded.memory, drawn.state.registers, drawn.rng
    if memory is None:
        return
    if memory.segment:
        setattr(drawn.state, f"{memory.segment}_base", edge(rng, 40))
    segment_base = getattr(drawn.state, f"{memory.segment}_base") if memory.segment else 0
    modulus = 1 << (32 if memory.address32 else 64)
    wanted = memory.target - segment_base - memory.displacement
    base = REGISTERS[memory.base] if memory.base is not None else None
    index = REGISTERS[memory.index] if memory.index is not None else None
    if base is None and index is None:
        if memory.segment:
            setattr(drawn.state, f"{memory.segment}_base", 0)
    elif base is not None and base != index:
        if index is not None and not memory.address32 and rng.random() < 0.5:
            registers[index] = rng.randrange(-1000, 1000) & MASK64
        scaled = registers[index] * memory.scale if index else 0
        registers[base] = (wanted - scaled) % modulus
    else:
        name = base or index
        assert name is not None
        factor = memory.scale + (1 if base else 0)
        registers[name] = wanted % modulus // factor
        inner = (registers[name] * factor + memory.displacement) % modulus
        memory.target = (inner + segment_base) & MASK64
    if memory.address32:  # what does not count must not matter
        for name in (base, index):
            if name:
                registers[name] = registers[name] & 0xFFFFFFFF | rng.getrandbits(32) << 32


# --- lines ------------------------------------------------------------------------------------------------------------
def show_case(case: Case) -> str:
    """A case as a line: code | what differs from the reset state | memory."""
    state, words = case.state, []
    for name, value in state.registers.items():
        if value != (ARENA + ARENA_SIZE // 2 if name == "rsp" else 0):
            words.append(f"{name}={value:#x}")
    for name in ("rflags", "fs_base", "gs_base"):
        if getattr(state, name):
            words.append(f"{name}={getattr(state, name):#x}")
    if state.mxcsr != 0x1F80:
        words.append(f"mxcsr={state.mxcsr:#x}")
    words += [f"xmm{n}={value:#x}" for n, value in enumerate(state.xmm) if value]
    if state.x87 != State().x87:
        words.append(f"x87={state.x87.hex()}")
    memory = [f"{address:#x}={data.hex()}" for address, data in case.memory.items()]
    return " | ".join((case.code.hex(), " ".join(words), " ".join(memory))).rstrip(" |")


def parse_case(line: str) -> Case:
    """The case that a line of `show_case` describes."""
    parts = [part.split() for part in line.split("|")] + [[], []]
    state = State({"rsp": ARENA + ARENA_SIZE // 2}, ENTRY)
    vectors = [0] * 16
    for word in parts[1]:
        name, text = word.split("=")
        if name == "x87":
            state.x87 = bytes.fromhex(text)
        elif name.startswith("xmm"):
            vectors[int(name[3:])] = int(text, 0)
        elif name in REGISTERS:
            state.registers[name] = int(text, 0)
        else:
            setattr(state, name, int(text, 0))
    state.xmm = vectors if any(vectors) else []
    memory = {int(a, 0): bytes.fromhex(d) for a, d in (word.split("=") for word in parts[2])}
    return Case(bytes.fromhex("".join(parts[0])), state, memory, ENTRY)


# --- what an execution leaves behind ----------------------------------------------------------------------------------
@dataclass
class Observed:
    """The state behind one execution, in the form in which executions are compared."""

    registers: dict[str, int]
    rip: int
    rflags: int
    bases: tuple[int, int]
    xmm: tuple[int, ...]
    mxcsr: int
    x87: bytes
    arena: bytes
    event: str = ""
    """"" for a normal end, else the fault: "memory", or the reason for leaving."""
    address: int | None = None
    """Of a memory fault, where known."""
    extra: dict[str, object] = field(default_factory=dict)


_VECTORS: Final = {
    0: "divide_error", 3: "breakpoint", 4: "overflow", 6: "invalid_opcode", 12: "memory", 13: "general_protection",
    14: "memory", 19: "simd_exception", 16: "x87_exception",
}  # fmt: skip


def observe_hardware(result: Result) -> Observed:
    """What the oracle saw."""
    state, fault = result.state, result.fault
    event, address = "", None
    if fault:
        assert fault.signal is not SIGVTALRM, "the snippet does not end"
        event = "syscall" if fault.signal is SIGSYS else _VECTORS.get(fault.vector, f"vector {fault.vector}")
        address = fault.address
    xmm = tuple(state.xmm) + (0,) * (16 - len(state.xmm))
    return Observed(
        {name: state.registers.get(name, 0) for name in REGISTERS}, state.rip, state.rflags & FLAGS,
        (state.fs_base, state.gs_base), xmm, state.mxcsr, state.x87, result.arena, event, address,
    )  # fmt: skip


def differences(expected: Observed, actual: Observed, undefined: int) -> list[str]:
    """What differs, each as a phrase; nothing if the executions agree."""
    found = []
    event = actual.event
    if event == "memory" and actual.address is not None and expected.event == "general_protection" and not (
        canonical(actual.address) and canonical(actual.address + 64 & MASK64)
    ):
        event = "general_protection"  # the bus never sees such an address
    if expected.event != event:
        found.append(f"event {actual.event or 'none'} instead of {expected.event or 'none'}")
    if expected.event == "memory" == event and expected.address is not None and expected.address != actual.address:
        found.append(f"fault at {actual.address or 0:#x} instead of {expected.address:#x}")
    for name, value in expected.registers.items():
        if actual.registers[name] != value:
            found.append(f"{name} {actual.registers[name]:#x} instead of {value:#x}")
    wrong = (expected.rflags ^ actual.rflags) & (FLAGS if STRICT else FLAGS & ~undefined)
    if wrong:
        names = [f"{name}={bool(actual.rflags & bit):d}" for name, bit in FLAG_BITS.items() if wrong & bit]
        found.append(f"flags {' '.join(names)}")
    for name in ("rip", "mxcsr"):
        if getattr(actual, name) != getattr(expected, name):
            found.append(f"{name} {getattr(actual, name):#x} instead of {getattr(expected, name):#x}")
    for name, wanted, got in zip(("fs_base", "gs_base"), expected.bases, actual.bases, strict=True):
        if wanted != got:
            found.append(f"{name} {got:#x} instead of {wanted:#x}")
    for number, (wanted, got) in enumerate(zip(expected.xmm, actual.xmm, strict=True)):
        if wanted != got:
            found.append(f"xmm{number} {got:#034x} instead of {wanted:#034x}")
    if expected.event in ("memory", "general_protection"):
        undefined |= X87_FLAGS
    if _x87_defined(expected.x87, undefined) != _x87_defined(actual.x87, undefined):
        found.append(f"x87 {actual.x87.hex()} instead of {expected.x87.hex()}")
    if expected.arena != actual.arena:
        at = next(i for i, (a, b) in enumerate(zip(expected.arena, actual.arena, strict=True)) if a != b)
        shown = [arena[at : at + 16].hex() for arena in (actual.arena, expected.arena)]
        found.append(f"memory at {ARENA + at:#x} {shown[0]} instead of {shown[1]}")
    return found


def _x87_defined(image: bytes, undefined: int) -> bytes:
    """An FXSAVE image without FOP, FIP and FDP, which are not kept, and without what of the status is undefined."""
    low = image[2] & (0xC0 if undefined & X87_FLAGS else 0xFF)
    high = image[3] & (0xFD if undefined & FLAG_BITS["c1"] else 0xFF)
    return image[:2] + bytes((low, high)) + image[4:6] + bytes(18) + image[24:]


def canonical(address: int) -> bool:
    """Whether bits 63 to 47 are equal (SDM volume 1, 3.3.7.1)."""
    return (address + (1 << 47) & MASK64) >> 48 == 0


# --- running ----------------------------------------------------------------------------------------------------------
Runner = Callable[[Case, Decoded], Observed]
"""An execution of a case's one instruction: the interpreter over a binding, or a native tier."""


def check(oracle: Oracle, drawn: Sequence[Drawn], runners: Iterable[tuple[str, Runner]]) -> None:
    """Run cases on the hardware and everywhere else; raises AssertionError with a shrunk case on a difference."""
    named = list(runners)
    for one, result in zip(drawn, oracle.run([d.case for d in drawn]), strict=True):
        expected = observe_hardware(result)
        for name, runner in named:
            found = differences(expected, runner(one.case, one.decoded), one.undefined)
            if found:
                small, found = shrink(oracle, one, runner, found)
                raise AssertionError(f"{one.row} by {name}: {'; '.join(found)}\n{show_case(small)}")


def _compare(oracle: Oracle, case: Case, decoded: Decoded, undefined: int, runner: Runner) -> list[str]:
    [result] = oracle.run([case])
    return differences(observe_hardware(result), runner(case, decoded), undefined)


def shrink(oracle: Oracle, drawn: Drawn, runner: Runner, found: list[str]) -> tuple[Case, list[str]]:
    """A case with as little state as still differs in the same way."""
    case = drawn.case
    kind = found[0].split()[0]

    def attempt(candidate: Case) -> bool:
        nonlocal case, found
        try:
            now = _compare(oracle, candidate, drawn.decoded, drawn.undefined, runner)
        except AssertionError:
            return False
        if now and now[0].split()[0] == kind:
            case, found = candidate, now
            return True
        return False

    for name in REGISTERS:
        default = ARENA + ARENA_SIZE // 2 if name == "rsp" else 0
        attempt(replace(case, state=replace(case.state, registers={**case.state.registers, name: default})))
    for name, value in (("rflags", 0), ("fs_base", 0), ("gs_base", 0), ("xmm", []), ("mxcsr", 0x1F80)):
        attempt(replace(case, state=replace(case.state, **{name: value})))  # type: ignore[arg-type]
    for number in range(len(case.state.xmm)):
        xmm = [0 if n == number else value for n, value in enumerate(case.state.xmm)]
        attempt(replace(case, state=replace(case.state, xmm=xmm)))
    for address in list(case.memory):
        rest = {a: d for a, d in case.memory.items() if a != address}
        if not attempt(replace(case, memory=rest)):
            _shrink_block(lambda memory: attempt(replace(case, memory=memory)), case, address)
    return case, found


def _shrink_block(attempt: Callable[[dict[int, bytes]], bool], case: Case, address: int) -> None:
    """Narrow one block of memory to the words that matter."""
    data, rest = case.memory[address], {a: d for a, d in case.memory.items() if a != address}
    while len(data) > 8 and attempt({**rest, address: data[: len(data) // 2]}):
        data = data[: len(data) // 2]
    while len(data) > 8 and attempt({**rest, address + len(data) // 2: data[len(data) // 2 :]}):
        address, data = address + len(data) // 2, data[len(data) // 2 :]
