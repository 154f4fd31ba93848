"""GNU sort."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

BENCHMARK = Program(
    "Sorting lines by their bytes: a merge sort whose time goes into comparing.",
    group="text",
    executables=("/usr/bin/sort", "/bin/sort"),
    package="coreutils",
    size=48_000_000,
    arguments=lambda inputs, size: ["--parallel=1", "--buffer-size=512M", inputs.lines(size)],
)
