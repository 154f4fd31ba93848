"""How much faster programs become with a second thread: under translation as natively, or not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from metaphrase.benchmarks.building import build
from metaphrase.benchmarks.inputs import Inputs
from metaphrase.benchmarks.kernels import read_kernel
from metaphrase.benchmarks.results import Row
from metaphrase.benchmarks.sheets import Sheet

SCALING = "scaling"
"""The suite."""
COUNTS = (1, 2)
"""Threads."""
SOURCE = Path(__file__).resolve().parent / SCALING / "threads.c"
XZ = "/usr/bin/xz"
XZ_SIZE = 24_000_000
_NAME = re.compile(r"(.*), (\d+) threads?")


def name_of(program: str, threads: int) -> str:
    """What a row is called, by which `scaling_sheet` finds its fellow."""
    return f"{program}, {threads} thread{'s' * (threads > 1)}"


def pthreads(work: int, threads: int) -> Callable[[Path], Callable[[int], list[str]]]:
    """The program of our own."""

    def make(folder: Path) -> Callable[[int], list[str]]:
        binary = build(SOURCE, ["-O2", "-pthread"], folder=folder / "binaries")
        return lambda count: [str(binary), str(work), str(threads)]

    return make


def pthreads_work() -> int:
    """The blocks that it works on."""
    return read_kernel(SOURCE, ("threads",)).iterations


def xz(size: int, threads: int) -> Callable[[Path], Callable[[int], list[str]]]:
    """Debian's xz, in blocks of an eighth of its input: one thread compresses the same blocks as two."""

    def make(folder: Path) -> Callable[[int], list[str]]:
        text = Inputs(folder / "inputs").text(size)
        command = [XZ, "-3", f"--threads={threads}", f"--block-size={-(-size // 8)}", "--stdout", str(text)]
        return lambda count: command

    return make


def scaling_sheet(names: Sequence[str], rows: Sequence[Row]) -> Sheet | None:
    """One thread's time over that of several, by engine."""
    lines = [[name, *cells] for name, cells in _gains(names, rows)]
    note = "Times faster than with one thread. Two threads of one core (SMT) give less than two, natively too."
    return Sheet("Gain by threads", ["program", *names], lines, note) if lines else None


def _gains(names: Sequence[str], rows: Sequence[Row]) -> Iterator[tuple[str, list[str]]]:
    walls: defaultdict[str, dict[tuple[int, str], float]] = defaultdict(dict)
    for row in rows:
        if match := _NAME.fullmatch(row.name):
            walls[match[1]] |= {(int(match[2]), found.engine): found.wall for found in row.results if found.walls}
    for program, found in walls.items():
        for count in sorted({threads for threads, _ in found if threads > 1}):
            pairs = ((found.get((1, engine)), found.get((count, engine))) for engine in names)
            yield name_of(program, count), [f"{one / more:.2f}x" if one and more else "-" for one, more in pairs]
