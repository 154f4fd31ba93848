"""The kernels: one C file each under benchmarks/kernels/, which says its group and its iterations itself; and those of
system calls, in the same form, under benchmarks/calls/."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metaphrase.ir.errors import MetaphraseError

FOLDER = Path(__file__).resolve().parent / "kernels"
GROUPS = ("integer", "float", "simd")
CALLS_FOLDER = FOLDER.parent / "calls"
CALLS = "calls"
"""The group of those, and the suite that they are in."""


@dataclass(frozen=True)
class Kernel:
    """A program that takes a number of iterations and prints a checksum. `iterations` take about a second natively."""

    name: str
    source: Path
    title: str
    group: str
    iterations: int


def read_kernel(source: Path, groups: Sequence[str] = GROUPS) -> Kernel:
    """A kernel as its first comment describes it."""
    comment = source.read_text().split("*/", 1)[0]
    title = re.match(r"/\* (.*?)(?=\n \* \w+:)", comment, re.DOTALL)
    group = re.search(r"^ \* group: (\w+)$", comment, re.MULTILINE)
    iterations = re.search(r"^ \* iterations: (\d+)$", comment, re.MULTILINE)
    if not title or not group or not iterations or group[1] not in groups:
        raise MetaphraseError(f"{source}: its first comment must give a title, 'group:' of {groups}, and 'iterations:'")
    return Kernel(source.stem, source, title[1].replace("\n *", ""), group[1], int(iterations[1]))


def all_kernels() -> list[Kernel]:
    return [read_kernel(path) for path in sorted(FOLDER.glob("*.c"))]


def call_kernels() -> list[Kernel]:
    """Those that do nothing but make system calls; an iteration is what its title says."""
    return [read_kernel(path, (CALLS,)) for path in sorted(CALLS_FOLDER.glob("*.c"))]
