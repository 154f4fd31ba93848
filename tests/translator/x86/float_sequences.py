"""Random sequences of floating-point instructions, between which the environment is loaded, stored and looked at.

One instruction cannot show what an optimiser does to several: an operation dropped though its flags are read later, one
moved across LDMXCSR, two merged, operands exchanged. So these share few registers and places in memory, compare and
branch on what they compute, and are run in a loop.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from metaphrase.translator.guest import Description
from metaphrase.translator.x86.instructions import conversions, sse4_float, sse_float
from tests.oracle.native import ARENA, ARENA_SIZE, ENTRY, FLAGS, REGISTERS, State
from tests.translator.x86.differential import GUEST, SEED, Drawn, rows_of
from tests.translator.x86.encodings import Encoded, draw_encoding, edge
from tests.translator.x86.host import NOT_IN_SEQUENCES
from tests.translator.x86.vector_setups import ESTIMATES, environment, vector
from tests.translator.x86.x87_setups import image

SSE_ROWS: Final = [
    row for row in rows_of(sse_float, conversions, sse4_float) if row.name not in ESTIMATES | NOT_IN_SEQUENCES
]
_X87_NAMES: Final = (
    "fadd", "fmul", "fsub", "fsubr", "fdiv", "fdivr", "fsqrt", "frndint", "fcomi", "fucomi", "fcom", "fucom", "fchs",
)  # fmt: skip
X87_ROWS: Final = [row for row in GUEST.rows if row.name in _X87_NAMES and row.extension == "x87"]

VALUES: Final = tuple(ARENA + 0x2000 + 16 * n for n in range(4))
"""Where memory operands lie."""
ENVIRONMENTS: Final = tuple(ARENA + 0x3000 + 4 * n for n in range(3))
"""What LDMXCSR and FLDCW load, and STMXCSR stores."""
SEEN: Final = ARENA + 0x4000
"""Where flags and environments are written down, 8 bytes for each piece of code."""
COUNTER: Final = ARENA + 0x5000
_FEW: Final = 4
"""How many vector registers take part, so that instructions depend on each other."""

Piece = Callable[[random.Random, int], bytes]


@dataclass
class DrawnSequence(Drawn):
    """A case of several instructions; `pieces` is its code, which a loop goes through `turns` times."""

    pieces: tuple[bytes, ...] = ()
    turns: int = 1

    def simpler(self) -> Iterator[Drawn]:
        """Fewer turns, then the same without one of the pieces."""
        if self.turns > 1:
            yield _assembled(self, self.pieces, 1)
        for number in range(len(self.pieces) - 1, -1, -1):
            if len(self.pieces) > 1:
                yield _assembled(self, self.pieces[:number] + self.pieces[number + 1 :], self.turns)


def draw_sequence(number: int, seed: int = SEED) -> DrawnSequence:
    """Sequence `number`: the same for the same seed. Every fourth is one of x87 instructions."""
    rng = random.Random(f"sequence|{seed}|{number}")
    x87 = number % 4 == 3
    state = State({name: edge(rng, 64) for name in REGISTERS}, ENTRY, rng.getrandbits(12) & FLAGS)
    state.registers["rsp"] = ARENA + ARENA_SIZE // 2
    state.mxcsr = environment(rng)
    state.xmm = [vector(rng) for _ in range(16)]
    if rng.random() < 0.3:  # two registers alike: x - x, comparisons of equals
        state.xmm[rng.randrange(_FEW)] = state.xmm[rng.randrange(_FEW)]
    state.x87 = image(rng) if x87 else State().x87
    pieces = tuple(_piece(rng, x87)(rng, at) for at in range(rng.randint(2, 6)))
    row = next(row for row in GUEST.rows if row.name == ("fadd" if x87 else "addps"))  # says what is undefined
    turns = rng.choice((1, 2, 3))
    drawn = DrawnSequence(row, Encoded(b""), state, GUEST.decode(b"\x90", ENTRY), rng, pieces=pieces)
    for address in VALUES:
        drawn.poke(address, vector(rng).to_bytes(16, "little"))
    for address in ENVIRONMENTS:
        control = struct.pack("<HH", _control(rng), 0) if x87 else environment(rng).to_bytes(4, "little")
        drawn.poke(address, control)
    return _assembled(drawn, pieces, turns)


def _assembled(drawn: DrawnSequence, pieces: tuple[bytes, ...], turns: int) -> DrawnSequence:
    code = b"".join(pieces)
    if turns > 1:
        code += b"\xff\x0c\x25" + COUNTER.to_bytes(4, "little")  # dec dword [COUNTER]
        code += b"\x0f\x85" + (-len(code) - 6).to_bytes(4, "little", signed=True)  # jnz to the start
    decoded = GUEST.decode(code, ENTRY)
    made = replace(drawn, encoded=Encoded(code), decoded=decoded, pieces=pieces, turns=turns,
                   arena=bytearray(drawn.arena), poked=[*drawn.poked])  # fmt: skip
    made.poke(COUNTER, (turns if turns > 1 else 0).to_bytes(4, "little"))
    return made


def _control(rng: random.Random) -> int:
    """An x87 control word with every exception masked."""
    return 0x7F | rng.choice((0, 2, 3)) << 8 | rng.randrange(4) << 10


# --- pieces -----------------------------------------------------------------------------------------------------------
def _piece(rng: random.Random, x87: bool) -> Piece:
    kind = rng.random()
    if kind < 0.66:
        rows = X87_ROWS if x87 else SSE_ROWS
        return lambda rng, at: _instruction(rng, rng.choice(rows))
    if kind < 0.78:
        return _load_control if x87 else _load_environment
    if kind < 0.88:
        return _store_status if x87 else _store_environment
    return _set_byte if kind < 0.94 else _skip_x87 if x87 else _skip


def _instruction(rng: random.Random, row: Description) -> bytes:
    """An encoding of a row that names few registers, or memory by its address alone.

    RIP-relative operands are not taken, for the place of the code is not known yet.
    """
    for _ in range(2000):
        encoded = draw_encoding(rng, row, rng.choice(VALUES), ENTRY, (ENTRY, ENTRY + 1))
        memory = encoded.memory
        if memory is not None:
            absolute = memory.base is None and memory.index is None and encoded.code[-_tail(row) - 5 :][:1] == b"\x25"
            if not absolute or encoded.prefixes.count(0x64) or encoded.prefixes.count(0x65) or memory.width < 64:
                continue
        elif row in SSE_ROWS and encoded.rm is not None and encoded.rm >= _FEW:
            continue
        if row in SSE_ROWS and encoded.reg is not None and encoded.reg >= _FEW:
            continue
        if GUEST.decode(encoded.code, ENTRY).row == row.row:
            return encoded.code
    raise AssertionError(f"no encoding of {row} suits a sequence")


def _tail(row: Description) -> int:
    """How many bytes of immediate follow the displacement."""
    return 1 if row.pattern.endswith(" ib") else 0


def _at(code: str, address: int) -> bytes:
    """An instruction of ModRM with an absolute address, the SIB byte included in `code`."""
    return bytes.fromhex(code) + address.to_bytes(4, "little")


def _load_environment(rng: random.Random, at: int) -> bytes:
    return _at("0fae1425", rng.choice(ENVIRONMENTS))


def _store_environment(rng: random.Random, at: int) -> bytes:
    return _at("0fae1c25", rng.choice((*ENVIRONMENTS, SEEN + 8 * at, SEEN + 8 * at)))


def _load_control(rng: random.Random, at: int) -> bytes:
    return _at("d92c25", rng.choice(ENVIRONMENTS))


def _store_status(rng: random.Random, at: int) -> bytes:
    """FNCLEX now and then, so that what is raised afterwards shows."""
    return b"\xdb\xe2" if rng.random() < 0.3 else _at("d93c25", SEEN + 8 * at)


def _set_byte(rng: random.Random, at: int) -> bytes:
    return bytes([0x0F, 0x90 | rng.randrange(16)]) + _at("0425", SEEN + 8 * at)


def _skip(rng: random.Random, at: int) -> bytes:
    """A branch around an instruction."""
    skipped = _instruction(rng, rng.choice(SSE_ROWS))
    return bytes([0x70 | rng.randrange(16), len(skipped)]) + skipped


def _skip_x87(rng: random.Random, at: int) -> bytes:
    skipped = _instruction(rng, rng.choice(X87_ROWS))
    return bytes([0x70 | rng.randrange(16), len(skipped)]) + skipped
