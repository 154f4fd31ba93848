"""bzip2."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "Compression with bzip2: sorting all rotations of a block, then moving to front and Huffman codes.",
    group="compression",
    executables=("/usr/bin/bzip2", "/bin/bzip2"),
    package="bzip2",
    size=12_000_000,
    arguments=lambda inputs, size: ["-9", "--stdout", inputs.text(size)],
)
