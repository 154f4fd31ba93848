"""State for XSAVE and its kin: components that are in use, and areas with headers right and wrong."""

from __future__ import annotations

import random
import struct
from typing import Final

from metaphrase.translator.x86.instructions import xsave
from tests.oracle.native import ARENA, ARENA_SIZE
from tests.translator.x86.differential import UNDEFINED, Drawn, rows_of, setup
from tests.translator.x86.observed import FAULT_ADDRESS, FAULT_OFFSET
from tests.translator.x86.vector_setups import environment, vector
from tests.translator.x86.x87_setups import image

ROWS: Final = [row for row in rows_of(xsave) if row.name.startswith(("xsave", "xrstor"))]
_ALIGNED: Final = 64


def _begins_outside(drawn: Drawn) -> bool:
    assert drawn.encoded.memory is not None
    return not ARENA <= drawn.encoded.memory.target < ARENA + ARENA_SIZE


# No manual says which byte of an area is read first.
UNDEFINED.update(xrstor=lambda drawn: FAULT_OFFSET | (FAULT_ADDRESS if _begins_outside(drawn) else 0))


@setup(*{row.name for row in ROWS})
def components(drawn: Drawn) -> None:
    """Everything in use, for what hardware takes for its initial state is its own affair; only what XCR0 of all hosts
    has is asked for."""
    rng, state, memory = drawn.rng, drawn.state, drawn.encoded.memory
    assert memory is not None
    state.x87, state.mxcsr = image(rng), environment(rng)
    state.xmm = [vector(rng) | 1 for _ in range(16)]
    state.ymm_high = [vector(rng) | 1 for _ in range(16)]
    if not drawn.set_register("rax", rng.randrange(8)):
        state.registers["rax"] = 1 << 63 | 1 << 24
    if rng.random() < 0.9:
        _align(drawn)
    drawn.poke(memory.target, area(rng, flawless=_begins_outside(drawn)))  # nor which of two exceptions comes


def _align(drawn: Drawn) -> None:
    """Move the area to where it may lie, where that is one register's doing."""
    memory, registers = drawn.encoded.memory, drawn.state.registers
    assert memory is not None
    wrong = memory.target % _ALIGNED
    [*names] = drawn.address_registers
    if len(names) == 1 and memory.index is None and names[0] != "rax":
        if memory.width == 16 and registers[names[0]] + memory.displacement & 0xFFFF < wrong:
            return  # it would begin at the end of the segment
        registers[names[0]] -= wrong
        memory.target -= wrong


def area(rng: random.Random, *, flawless: bool = False) -> bytes:
    """What XRSTOR may find: mostly an area that it takes, standard or compacted; always, if it is to be flawless."""
    present, held, reserved = rng.randrange(8), 0, bytes(48)
    if rng.random() < 0.5:
        held = 1 << 63 | (present | rng.randrange(8))
    match 12 if flawless else rng.randrange(12):
        case 0:
            held ^= 1 << rng.choice((0, 1, 2, 3, 4, 62, 63))
        case 1:
            present |= 1 << rng.choice((3, 4, 62, 63))
        case 2:
            reserved = bytes(at := rng.randrange(48)) + b"\1" + bytes(47 - at)
    # MXCSR without reserved bits: where there are some, hardware has loaded this and that before its #GP.
    legacy = image(rng)[:24] + struct.pack("<II", environment(rng), 0xFFFF) + image(rng)[32:]
    vectors = b"".join(vector(rng).to_bytes(16, "little") for _ in range(32))
    return legacy + vectors[:256] + bytes(96) + struct.pack("<QQ", present, held) + reserved + vectors[256:]
