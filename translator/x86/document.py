"""Write docs/isa-x86.md from the tables: `python -m metaphrase.translator.x86.document [docs/isa-x86.md]`."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from metaphrase.translator.guest import Description
from metaphrase.translator.x86.cpuid import FEATURES
from metaphrase.translator.x86.instructions import ROWS

_HEAD = """# The x86-64 instructions that are described

Generated from the tables (`python -m metaphrase.translator.x86.document`): every form, by its extension in CPUID,
as the manual writes it (`translator/x86/table.py` explains the notation). Where the same bytes may have operands
in registers or in memory, that is one form here.

All of them run on every tier and in the reference interpreter, but for string instructions with a REP prefix, which
regions leave to tier 0. `make test` runs eight random cases of each form everywhere and compares them with the host's
CPU; `METAPHRASE_CASES=N` takes N of them, and `make fuzz` goes on for as long as you like.

"Announced" extensions are what CPUID tells a program of. The others are there for programs that do not ask.
"""


def page() -> str:
    """The whole page."""
    by_extension: dict[str, list[Description]] = defaultdict(list)
    for row in ROWS:
        by_extension[row.extension].append(row)
    parts = [_HEAD, f"{len(ROWS)} forms in {len(by_extension)} extensions.\n"]
    for extension in sorted(by_extension):
        rows = by_extension[extension]
        told = extension == "base" or extension == "x87" or extension in FEATURES
        parts.append(f"## {extension}\n\n{len(rows)} forms, {'announced' if told else 'not announced'}.\n")
        parts.append(_table(rows))
    return "\n".join(parts)


def _table(rows: list[Description]) -> str:
    forms: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        operands = ", ".join(kind.code for kind in row.operands)
        forms[row.name, row.manual].append(f"`{row.pattern}`" + (f" {operands}" if operands else ""))
    lines = ["| instruction | forms | what it is |", "| --- | --- | --- |"]
    for (name, manual), patterns in sorted(forms.items()):
        lines.append(f"| {name} | {'; '.join(patterns)} | {manual.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/isa-x86.md").write_text(page())
