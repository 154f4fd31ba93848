"""What random cases of instructions on MMX registers need beyond random state: an x87 stack that holds vectors."""

from __future__ import annotations

import struct
from typing import Final

from metaphrase.translator.x86.instructions import mmx
from tests.oracle.native import ARENA, ARENA_SIZE
from tests.translator.x86.differential import GUEST, Drawn, rows_of, setup
from tests.translator.x86.vector_setups import environment, vector
from tests.translator.x86.x87_setups import image

TRANSFERS: Final = rows_of(mmx)
ROWS: Final = [row for row in GUEST.rows if any(kind.letter in "PQN" for kind in row.operands) or row in TRANSFERS]


@setup(*{row.name for row in ROWS})
def registers(drawn: Drawn) -> None:
    """Most registers as MMX leaves them, the others as x87 does; a shift's count often within the width."""
    if drawn.row not in ROWS:  # the form on XMM registers
        return
    rng, state, memory = drawn.rng, drawn.state, drawn.encoded.memory
    data = bytearray(image(rng))
    counts = drawn.row.name.startswith(("psll", "psrl", "psra"))
    for number in range(8):
        if rng.random() < 0.8:
            value = rng.randrange(70) if counts and rng.random() < 0.5 else vector(rng) & (1 << 64) - 1
            struct.pack_into("<QH", data, 32 + 16 * number, value, 0xFFFF)
    if memory and not ARENA <= memory.target <= ARENA + ARENA_SIZE - 16:
        data[3] &= ~0x38  # a store that faults has cleared TOP on some processors, and nothing else
    state.x87 = bytes(data)
    state.mxcsr = environment(rng)
    state.xmm = [vector(rng) for _ in range(16)]
    if memory:
        value = rng.randrange(70) if counts and rng.random() < 0.5 else vector(rng)
        drawn.poke(memory.target, value.to_bytes(16, "little"))
