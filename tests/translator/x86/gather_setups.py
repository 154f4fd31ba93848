"""What random cases of gathers need: indices that stay near, or lead to where lanes fault; masks of all kinds."""

from __future__ import annotations

from metaphrase.translator.x86.instructions import gathers
from tests.oracle.native import ARENA, ARENA_SIZE
from tests.translator.x86.differential import Drawn, rows_of, setup
from tests.translator.x86.encodings import edge


@setup(*{row.name for row in rows_of(gathers)})
def scattered(drawn: Drawn) -> None:
    rng, state, memory = drawn.rng, drawn.state, drawn.encoded.memory
    assert memory is not None and memory.vector_index is not None
    _, width = drawn.row.detail.static
    state.xmm = [rng.getrandbits(128) & rng.choice((0, -1, rng.getrandbits(128))) for _ in range(16)]
    state.ymm_high = [rng.getrandbits(128) & rng.choice((0, -1, rng.getrandbits(128))) for _ in range(16)]
    reach = rng.choice((8, 32, 200))
    lanes = [rng.randrange(-reach, reach) for _ in range(256 // width)]
    if rng.random() < 0.1:
        lanes[rng.randrange(len(lanes))] = edge(rng, width)
    if rng.random() < 0.1:  # the first byte behind the arena
        lanes[rng.randrange(len(lanes))] = (ARENA + ARENA_SIZE - memory.target) // memory.scale
    bits = sum((lane & (1 << width) - 1) << width * n for n, lane in enumerate(lanes))
    state.xmm[memory.vector_index], state.ymm_high[memory.vector_index] = bits & (1 << 128) - 1, bits >> 128
    drawn.poke(memory.target - 1600, rng.randbytes(3200))
