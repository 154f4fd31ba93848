"""mawk."""

from __future__ import annotations

from metaphrase.benchmarks.programs import Program

SCRIPT = """
{ for (i = 1; i <= NF; i++) { word = tolower($i); sub(/[.]$/, "", word); count[word]++; letters += length(word) } }
END {
    for (word in count) { kinds++; if (count[word] > most) most = count[word] }
    print NR, kinds, letters, most
}
"""

BENCHMARK = Program(
    "Counting words with mawk: a byte-code interpreter, fields, and tables of strings.",
    group="text",
    executables=("/usr/bin/mawk",),
    package="mawk",
    size=32_000_000,
    arguments=lambda inputs, size: [SCRIPT, inputs.text(size)],
)
