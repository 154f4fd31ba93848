"""xz with two threads."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "Compression with xz in two threads: as xz, block by block in parallel.",
    group="compression",
    executables=("/usr/bin/xz",),
    package="xz-utils",
    size=6_000_000,
    arguments=lambda inputs, size: [
        "-6", "--threads=2", f"--block-size={-(-size // 4)}", "--stdout", inputs.text(size)
    ],
)
