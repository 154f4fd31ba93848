"""Compiling leaves nothing behind in memory: a guest's code may change for hours."""

from __future__ import annotations

import random
from pathlib import Path

from metaphrase.backends.llvm.compile import REGION_PASSES, compile_text

_FEW_KILOBYTES = 512


def _resident() -> int:
    """Memory of this process, in KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def _text(rng: random.Random) -> str:
    """A function of many constants that were never met before."""
    lines = ["define i64 @f(i64 %v0) {"]
    for number in range(60):
        lines.append(f"%w{number} = xor i64 %v{number}, {rng.getrandbits(62)}")
        lines.append(f"%v{number + 1} = mul i64 %w{number}, {rng.getrandbits(62)}")
    return "\n".join([*lines, "ret i64 %v60", "}"])


def test_memory_does_not_grow() -> None:
    rng = random.Random(1)
    for _ in range(150):  # until the allocator has what it takes
        compile_text(_text(rng), REGION_PASSES)
    before = _resident()
    for _ in range(300):
        compile_text(_text(rng), REGION_PASSES)
    assert _resident() - before < _FEW_KILOBYTES
