"""What random cases of vectors of integers need beyond random vectors: lanes at their bounds, often equal."""

from __future__ import annotations

import random
import struct
from typing import Final

from metaphrase.translator.x86.instructions import avx, sse4_integer, sse_integer, ssse3
from tests.translator.x86.differential import UNDEFINED, Drawn, rows_of, setup
from tests.translator.x86.mmx_setups import ROWS as MMX
from tests.translator.x86.observed import FAULT_OFFSET, MASK64
from tests.translator.x86.vector_setups import vector

ROWS: Final = rows_of(sse_integer, ssse3, sse4_integer, avx)


def bounds(rng: random.Random, lane: int) -> int:
    """128 bits of lanes of so many bits, each one of a few values at which signs, sums or orders change."""
    least = 1 << lane - 1
    values = (0, 1, least - 1, least, least + 1, 2 * least - 1, rng.getrandbits(lane), rng.randrange(2 * lane))
    few = rng.sample(values, 3)
    return sum(rng.choice(few) << at for at in range(0, 128, lane))


@setup(*{row.name for row in ROWS})
def lanes(drawn: Drawn) -> None:
    rng, state, memory = drawn.rng, drawn.state, drawn.encoded.memory
    if rng.random() < 0.3:
        return
    lane = rng.choice((8, 8, 16, 16, 32, 64))
    few = [bounds(rng, lane) for _ in range(4)] + [vector(rng)]
    if drawn.row in MMX:
        data = bytearray(state.x87)
        for number in range(8):
            struct.pack_into("<QH", data, 32 + 16 * number, rng.choice(few) & MASK64, 0xFFFF)
        state.x87 = bytes(data)
    else:
        state.xmm = [rng.choice(few) for _ in range(16)]
        state.ymm_high = [rng.choice(few) for _ in range(16)]
    if memory:
        drawn.poke(memory.target, b"".join(rng.choice(few).to_bytes(16, "little") for _ in range(2)))


UNDEFINED.update((row.name, lambda drawn: FAULT_OFFSET) for row in ROWS if "maskmov" in row.name)
