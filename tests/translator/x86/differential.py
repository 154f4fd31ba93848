"""Random cases of the described instructions, for running them on the host CPU and in every other way (executors.py).

`draw` makes a reproducible random case of a described row: an encoding, a state rich in edges, memory operands that
aim into the oracle's arena. Chapters refine drawing by row name: `SETUPS` change a drawn case, `UNDEFINED` tells what
one leaves undefined, as a mask of RFLAGS and the further bits of observed.py.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import Any, Final

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
    State,
)
from tests.translator.x86.encodings import Encoded, draw_encoding, edge
from tests.translator.x86.observed import FLAG_BITS, MASK64

_NAMES: Final = {64: "x86_64", 32: "i386", 16: "i286"}
GUESTS: Final[dict[int, X86Guest]] = {
    size: made for size, name in _NAMES.items() if isinstance(made := guest(name), X86Guest)
}
"""The guests by the mode of their processor: 64-bit, flat 32-bit, and 16-bit in protected mode with segments."""
GUEST: Final[X86Guest] = GUESTS[64]


def guest_of(case: Case) -> X86Guest:
    """The guest that runs a case."""
    if not case.guest:
        return GUESTS[case.mode]
    made = guest(case.guest)
    assert isinstance(made, X86Guest)
    return made


ROWS: Final[list[tuple[Description, int]]] = [
    (row, mode) for mode, one in GUESTS.items() for row in GUEST.rows if row.detail.exists_in(one.mode)
]
"""All rows in all modes that have them."""
CASES: Final = int(os.environ.get("METAPHRASE_CASES", "8"))
"""How many random cases a row gets."""
SEED: Final = int(os.environ.get("METAPHRASE_SEED", "1"))


@dataclass
class Drawn:
    """A case and what its setup needs to know of it."""

    row: Description
    encoded: Encoded
    state: State
    decoded: Decoded
    rng: random.Random
    arena: bytearray = field(default_factory=lambda: bytearray(ARENA_SIZE))
    poked: list[tuple[int, int]] = field(default_factory=list)
    """The stretches of the arena that may not be zero."""

    @property
    def undefined(self) -> int:
        """What the case leaves undefined, which its state may decide."""
        undefined = UNDEFINED.get(self.row.name)
        return undefined(self) if undefined else flag_mask(self.row.detail.undefined)

    @property
    def mode(self) -> int:
        return self.encoded.mode

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
            self.poked.append((start - ARENA, end - ARENA))
            self.arena[start - ARENA : end - ARENA] = data[start - address : end - address]

    def peek(self, address: int, size: int) -> bytes:
        """What the arena holds; fewer bytes at its end, none outside."""
        at = address - ARENA
        return bytes(self.arena[at : at + size]) if 0 <= at < ARENA_SIZE else b""

    @property
    def stack_top(self) -> int:
        """The linear address of the top of the stack."""
        top = self.state.registers["rsp"]
        return ARENA + (top & 0xFFFF) if self.mode == 16 else top

    def set_register(self, name: str, value: int) -> bool:
        """Set a register, unless the memory operand's address depends on it."""
        if name in self.address_registers:
            return False
        self.state.registers[name] = value & (1 << max(self.mode, 32)) - 1
        return True

    def simpler(self) -> Iterator[Drawn]:
        """The same with less code, where there is some to spare."""
        return iter(())

    @cached_property
    def case(self) -> Case:
        """The case as it is when it is first asked for, which is after its setup."""
        memory = {}
        for start, end in _joined(self.poked):
            data = bytes(self.arena[start:end])
            if any(data):
                memory[ARENA + end - len(data.lstrip(b"\0"))] = data.strip(b"\0")
        return Case(self.encoded.code, self.state, memory, ENTRY, self.mode)


def _joined(stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Stretches that overlap as one, in order."""
    first = last = -1
    for start, end in sorted(stretches):
        if start <= last:
            last = max(last, end)
            continue
        if last > 0:
            yield first, last
        first, last = start, end
    if last > 0:
        yield first, last


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


def row_id(value: Description | int) -> str:
    """How a test's parameters are shown: a row, and its mode, if it is not 64-bit mode."""
    if isinstance(value, int):
        return f"in mode {value}" if value != 64 else ""
    return f"{value.name} {value.pattern}"


# --- drawing ----------------------------------------------------------------------------------------------------------
def draw_target(rng: random.Random, bytes_wide: int, mode: int) -> int:
    """An address for a memory operand: mostly inside the arena, now and then over an edge, seldom impossible."""
    kind = rng.random()
    if kind < 0.93:
        address = ARENA + rng.randrange(0x1000, ARENA_SIZE - 0x1000)
        return address & -bytes_wide if rng.random() < 0.6 else address
    if kind < 0.96:
        return ARENA + 0x3000 - rng.randrange(bytes_wide + 1)
    if kind < 0.99:
        return rng.choice((ARENA + ARENA_SIZE - rng.randrange(2 * bytes_wide), ARENA - rng.randrange(2 * bytes_wide)))
    if mode != 64:
        return rng.choice((0, 0x8000_0000, 0xFFFF_F000, 0xFFFF_FFFF - 64))
    return rng.choice((0, 1 << 46, 1 << 47, MASK64 - bytes_wide + 1, 0xDEAD << 48))


def _draw_encoded(rng: random.Random, row: Description, number: int, mode: int) -> tuple[Encoded, Decoded]:
    """Of an immediate byte, every second number draws the next value, in an order that soon has small and great ones;
    so 512 numbers have all."""
    area = (CODE + 0x100, CODE + CODE_SIZE - 0x100)
    byte = number // 2 * 73 % 256 if number % 2 else None
    for _ in range(200):
        encoded = draw_encoding(rng, row, draw_target(rng, 16, mode), ENTRY, area, byte, mode)
        decoded = GUESTS[mode].decode(encoded.code, ENTRY)
        if decoded.row == row.row:
            return encoded, decoded
    raise AssertionError(f"no encoding of {row} decodes as it; the last was {encoded.code.hex(' ')}")


class Draws(random.Random):
    """Random numbers that are drawn quickly: remainders of 64 bits, which are even enough for small ranges."""

    def choice(self, seq: Any) -> Any:
        return seq[self.getrandbits(64) % len(seq)]

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        first, last = (0, start) if stop is None else (start, stop)
        return first + self.getrandbits(80) % -((first - last) // step) * step


def _random(row: Description, number: int, seed: int, mode: int) -> random.Random:
    return Draws(f"{row.name}|{row.pattern}|{row.detail.codes}|{seed}|{number}{'' if mode == 64 else mode}")


def draw_plain(row: Description, number: int, seed: int = SEED, mode: int = 64) -> tuple[Encoded, Decoded]:
    """The encoding of case `number` of a row in a mode, before any setup, and as it is decoded."""
    return _draw_encoded(_random(row, number, seed, mode), row, number, mode)


def draw(row: Description, number: int, seed: int = SEED, mode: int = 64) -> Drawn:
    """Case `number` of a row in a mode: the same for the same seed."""
    return draw_states(row, number, 1, seed, mode)[0]


def draw_states(row: Description, number: int, count: int, seed: int = SEED, mode: int = 64) -> list[Drawn]:
    """Case `number` of a row in a mode, and more cases of the same code from other states."""
    rng = _random(row, number, seed, mode)
    encoded, decoded = _draw_encoded(rng, row, number, mode)
    drawn = [_draw_state(rng, row, replace(encoded, memory=copy(encoded.memory)), decoded)]
    while len(drawn) < count:
        again = replace(encoded, memory=copy(encoded.memory))
        if again.memory and (again.memory.base is not None or again.memory.index is not None):
            again.memory.target = draw_target(rng, 16, mode)
        drawn.append(_draw_state(rng, row, again, decoded))
    return drawn


def _draw_state(rng: random.Random, row: Description, encoded: Encoded, decoded: Decoded) -> Drawn:
    registers = {name: edge(rng, 64) for name in REGISTERS}
    registers["rsp"] = ARENA + rng.randrange(0x2000, ARENA_SIZE - 0x2000) & -8
    state = State(registers, ENTRY, rng.getrandbits(12) & FLAGS, fs_base=edge(rng, 46), gs_base=edge(rng, 46))
    drawn = Drawn(row, encoded, state, decoded, rng)
    _aim(drawn)
    if encoded.memory:
        drawn.poke(encoded.memory.target - 64, _random_bytes(rng, 192))
    drawn.poke(drawn.stack_top - 64, _random_bytes(rng, 192))
    for change in SETUPS.get(row.name, ()):
        change(drawn)
    if drawn.mode != 64:
        _narrow(state)
    return drawn


def _narrow(state: State) -> None:
    """What there is of the registers outside 64-bit mode."""
    for number, name in enumerate(REGISTERS):
        state.registers[name] = state.registers[name] & 0xFFFF_FFFF if number < 8 else 0
    state.xmm, state.ymm_high = state.xmm[:8], state.ymm_high[:8]
    state.fs_base, state.gs_base = state.fs_base & 0xFFFF_FFFF, state.gs_base & 0xFFFF_FFFF


def _random_bytes(rng: random.Random, size: int) -> bytes:
    """Random bytes, with edges about the middle, where an instruction's operand begins."""
    words = [edge(rng, 64) if abs(8 * at - size // 3) <= 32 else rng.getrandbits(64) for at in range(size // 8)]
    return struct.pack(f"<{len(words)}Q", *words)


def flag_mask(names: str) -> int:
    """The RFLAGS bits of flags named as in `undefined` of a description."""
    return sum(FLAG_BITS[name] for name in names.split())


def _aim_16(drawn: Drawn) -> None:
    """A 16-bit address reaches its target only in a segment, whose base is chosen so."""
    memory, registers, rng = drawn.encoded.memory, drawn.state.registers, drawn.rng
    assert memory is not None
    names = [REGISTERS[number] for number in (memory.base, memory.index) if number is not None]
    if names and memory.start:
        others = sum(registers[name] for name in names[1:]) + memory.displacement
        registers[names[0]] = memory.target - memory.start - others & 0xFFFF
    offset = (sum(registers[name] for name in names) + memory.displacement) & 0xFFFF
    if offset >= 0xFC00 and names and not memory.start:  # hardware would go on at offset 0, and here at 0x10000
        registers[names[0]] -= 0x400
        offset -= 0x400
    if not memory.segment:
        memory.target = offset
    elif memory.start:
        memory.target = memory.start + offset
    else:
        setattr(drawn.state, f"{memory.segment}_base", memory.target - offset & 0xFFFF_FFFF)
    for name in names:
        registers[name] = registers[name] & 0xFFFF | rng.getrandbits(16) << 16


def _aim(drawn: Drawn) -> None:
    """Choose base and index registers so that the memory operand lies at its target."""
    memory, registers, rng = drawn.encoded.memory, drawn.state.registers, drawn.rng
    if memory is None:
        return
    if memory.width == 16:
        _aim_16(drawn)
        return
    has_base = memory.segment in ("fs", "gs")
    if has_base:
        setattr(drawn.state, f"{memory.segment}_base", edge(rng, 40))
    segment_base = getattr(drawn.state, f"{memory.segment}_base") if has_base else memory.start
    modulus = 1 << memory.width
    if memory.width < drawn.mode and memory.target % modulus > modulus - 1024:
        memory.target = 0  # no manual says whether an operand goes on at 0 behind the last address
    wanted = memory.target - segment_base - memory.displacement
    base = REGISTERS[memory.base] if memory.base is not None else None
    index = REGISTERS[memory.index] if memory.index is not None else None
    if base is None and index is None:
        if has_base:
            setattr(drawn.state, f"{memory.segment}_base", 0)
    elif base is not None and base != index:
        if index is not None and memory.width == 64 and rng.random() < 0.5:
            registers[index] = rng.randrange(-1000, 1000) & MASK64
        scaled = registers[index] * memory.scale if index else 0
        registers[base] = (wanted - scaled) % modulus
    else:
        name = base or index
        assert name is not None
        factor = memory.scale + (1 if base else 0)
        registers[name] = wanted % modulus // factor
        inner = (registers[name] * factor + memory.displacement) % modulus
        memory.target = (inner + segment_base) & (1 << max(drawn.mode, 32)) - 1
    if memory.width < drawn.mode:  # what does not count must not matter
        for name in (base, index):
            if name:
                registers[name] = registers[name] & 0xFFFFFFFF | rng.getrandbits(32) << 32
