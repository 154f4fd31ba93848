"""Write docs/isa-x86.md from the tables: `python -m metaphrase.translator.x86.document [docs/isa-x86.md]`."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from metaphrase.translator.guest import Description
from metaphrase.translator.x86.absent import ABSENT, Absent
from metaphrase.translator.x86.features import FEATURES
from metaphrase.translator.x86.instructions import ROWS
from metaphrase.translator.x86.table import SIZES, Row

_HEAD = """# The x86 instructions that are described

Generated from the tables (`python -m metaphrase.translator.x86.document`): every form, by its extension in CPUID,
as the manual writes it (`translator/x86/table.py` explains the notation). Where the same bytes may have operands
in registers or in memory, that is one form here. A form that only 64-bit mode has is marked with 64, one that only
other modes have with 16 and 32; the rest exist in all, but where W tells of 64-bit operands, which takes 64-bit mode.
VEX forms, and what is marked with "protected", are not in real-address mode.

All of them run on every tier and in the reference interpreter, but for ENTER that copies frame pointers, which
regions leave to tier 0. `make test` runs eight random cases of each form everywhere and compares them with the host's
CPU; `METAPHRASE_CASES=N` takes N of them, and `make fuzz` goes on for as long as you like.

"Cases" says how many random cases of each form (of all in the line, if there is one number) have agreed in 64-bit mode,
or in the 32- and 16-bit modes if it is not there, with the host's CPU in registers, flags, MXCSR, x87 status and
memory, in the reference, tier 0 and tier 1: `make campaign` goes on from there. A form whose meaning has changed starts
again.

"Announced" extensions are what CPUID tells a program of. The others are there for programs that do not ask.
"""


_ABSENT: Final = """\
## Absent

What is not described gives #UD, as on a processor without it. Of what capstone knows, that is:

| what | mnemonics | why |
| --- | --- | --- |"""


COUNTS: Final = Path(__file__).resolve().parents[2] / "tests" / "translator" / "x86" / "campaign.txt"
"""Random cases that agreed with the host's CPU, written by the campaign there."""


def page() -> str:
    """The whole page."""
    by_extension: dict[str, list[Description]] = defaultdict(list)
    for row in ROWS:
        by_extension[row.extension].append(row)
    counts = recorded_counts()
    parts = [_HEAD, f"{len(ROWS)} forms in {len(by_extension)} extensions.\n"]
    for extension in sorted(by_extension):
        rows = by_extension[extension]
        told = extension == "base" or extension == "x87" or extension in FEATURES
        parts.append(f"## {extension}\n\n{len(rows)} forms, {'announced' if told else 'not announced'}.\n")
        parts.append(_table(rows, counts))
    parts.append(_ABSENT)
    lines = (f"| {entry.what}{_only(entry)} | {_patterns(entry)} | {entry.reason} |" for entry in ABSENT)
    parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _patterns(entry: Absent) -> str:
    return " ".join(f"`{name}`" for name in entry.names) or "all"


def _only(entry: Row | Absent) -> str:
    """A mark of what does not concern all modes."""
    return "" if entry.modes == SIZES else f" ({', '.join(map(str, entry.modes))})"


def form_key(row: Description) -> str:
    """What a form is called where its cases are counted."""
    return f"{row.name} {row.pattern} {row.detail.codes}".rstrip()


def recorded_counts() -> dict[str, tuple[str, int]]:
    """By form, a digest of what it meant and how many cases it has passed."""
    lines = COUNTS.read_text().splitlines() if COUNTS.exists() else []
    return {key: (digest, int(count)) for digest, count, key in (line.split(" ", 2) for line in lines)}


def _table(rows: list[Description], counts: dict[str, tuple[str, int]]) -> str:
    forms: dict[tuple[str, str], list[str]] = defaultdict(list)
    cases: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in rows:
        operands = ", ".join(kind.code for kind in row.operands)
        form = f"`{row.pattern}`" + (f" {operands}" if operands else "") + _only(row.detail)
        form += "" if row.detail.real else " (protected)"
        forms[row.name, row.manual].append(form)
        cases[row.name, row.manual].append(counts.get(form_key(row), ("", 0))[1])
    lines = ["| instruction | forms | cases | what it is |", "| --- | --- | --- | --- |"]
    for (name, manual), patterns in sorted(forms.items()):
        numbers = cases[name, manual]
        passed = "; ".join(map(str, numbers if len(set(numbers)) > 1 else numbers[:1]))
        lines.append(f"| {name} | {'; '.join(patterns)} | {passed} | {manual.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/isa-x86.md").write_text(page())
