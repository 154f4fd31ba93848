"""Halves of registers in one cell: whole, and in part, in loops that LLVM turns into vectors of 256 bits."""

from __future__ import annotations

import metaphrase as mp
from metaphrase.backends.llvm.pairs import Pairs
from tests.metaphrase.isolated import isolated

_LOOP = """
    mov rdi, 3000; vmovq xmm4, rdi; vpbroadcastq ymm4, xmm4; vpxor ymm0, ymm0, ymm0; vpxor ymm1, ymm1, ymm1
    again: vpaddq ymm0, ymm0, ymm4; vpxor ymm1, ymm1, ymm0; vpsllq ymm2, ymm0, 3
    test dil, 3; jne second
    vpaddq xmm1, xmm1, xmm4
    second: test dil, 5; jne third
    vinserti128 ymm2, ymm2, xmm0, 1; pxor xmm1, xmm2; vpermq ymm4, ymm4, 0x93
    third: vaddps ymm3, ymm3, ymm1; vpaddd ymm4, ymm4, ymm2
    dec rdi; jne again
"""


@isolated
def test_whole_and_in_part() -> None:
    """A loop's registers, as a whole, by halves, and by instructions that leave or clear the high one."""
    left = {}
    for tier in ("reference", "0", "1"):
        code = mp.code("x86_64", asm=_LOOP)
        code.run(tier=tier)
        left[tier] = [code.registers[f"ymm{number}"] for number in range(5)]
    assert left["reference"] == left["0"] == left["1"] and all(left["0"])


def test_what_is_taken_for_one() -> None:
    code = mp.code("x86_64", asm="again: vpaddq ymm0, ymm0, ymm1; vpaddq xmm2, xmm2, xmm1; dec rdi; jne again")
    function = code.optimised_ir
    layout = code.guest.layout
    offset = {name: layout[name].offset for name in ("xmm0", "ymm0h", "xmm1", "ymm1h", "xmm2", "ymm2h")}
    pairs = Pairs(function, set(offset.values()))
    assert pairs.halves == {offset["xmm0"]: offset["ymm0h"], offset["xmm1"]: offset["ymm1h"]}
    assert len(pairs.reads) == 2 and len(pairs.writes) == 1
    assert not Pairs(function, {offset["xmm0"], offset["xmm1"]}).halves
