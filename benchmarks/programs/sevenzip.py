"""7-Zip, as Debian's 7zip or the older p7zip have it."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "Compression with 7-Zip: LZMA2 by other code than that of xz, in C++, a thread of its own for matches.",
    group="compression",
    executables=("/usr/bin/7zr", "/usr/bin/7zz", "/usr/bin/7z"),
    package="7zip",
    size=3_000_000,
    arguments=lambda inputs, size: ["a", "-txz", "-mx=5", "-mmt=1", "-so", "-bd", "-an", inputs.text(size)],
)
