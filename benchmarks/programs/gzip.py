"""gzip, RFC 1951."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "Compression with gzip: matches of strings in a window of 32 KiB, then Huffman codes.",
    group="compression",
    executables=("/usr/bin/gzip", "/bin/gzip"),
    package="gzip",
    size=12_000_000,
    arguments=lambda inputs, size: ["-6", "--no-name", "--stdout", inputs.text(size)],
)
