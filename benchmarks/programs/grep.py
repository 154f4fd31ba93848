"""GNU grep."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

PATTERN = r"\<(\w+) \w*([aeiou]\w)\w* \1\>"  # a reference back, which an automaton alone cannot decide

BENCHMARK = Program(
    "Searching for lines where a word comes again soon: an automaton, then a matcher that goes back.",
    group="text",
    executables=("/usr/bin/grep", "/bin/grep"),
    package="grep",
    size=16_000_000,
    arguments=lambda inputs, size: ["--extended-regexp", "--count", PATTERN, inputs.text(size)],
)
