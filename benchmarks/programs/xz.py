"""xz."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "Compression with xz: a binary tree of matches, then range coding.",
    group="compression",
    executables=("/usr/bin/xz",),
    package="xz-utils",
    size=3_000_000,
    arguments=lambda inputs, size: ["-6", "--threads=1", "--stdout", inputs.text(size)],
)
