"""Keep the generated parts of docs/ir.md current: `python -m metaphrase.ir.document [docs/ir.md]`.

A generated part stands between the comments ``<!-- generated: name -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.ops import OPS, Trait
from metaphrase.ir.passes import PIPELINE
from metaphrase.ir.rules import FILES, rules_of

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADINGS = {Trait.PURE: "Pure", Trait.EFFECT: "Effects", Trait.TERMINATOR: "Terminators"}


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    escaped = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    lines = [header, tuple("---" for _ in header), *escaped]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def ops() -> str:
    """The table of ops, by trait."""
    parts = []
    for trait, heading in _HEADINGS.items():
        rows = [
            (f"`{op.name}`", f"`{op.signature}`", op.immediate, op.doc + ("; commutes" if op.commutes else ""))
            for op in OPS.values()
            if op.trait is trait
        ]
        parts.append(f"### {heading}\n\n" + _table(("op", "signature", "immediate", "meaning"), rows))
    return "\n".join(parts)


def rules() -> str:
    """The named rules, by file."""
    rows = []
    for module in FILES:
        name = module.__name__.rpartition(".")[2]
        rows += [(f"`{rule.name}`", name, rule.doc) for rule in rules_of(module)]
    return _table(("rule", "file", "says"), rows)


def passes() -> str:
    """The pipeline, in order."""
    rows = [(f"`{each.__name__}`", (each.__doc__ or "").splitlines()[0]) for each in PIPELINE]
    return _table(("pass", "does"), rows)


PARTS: dict[str, Callable[[], str]] = {"ops": ops, "rules": rules, "passes": passes}


def document(text: str) -> str:
    """A page with its generated parts made anew."""

    def part(match: re.Match[str]) -> str:
        if match[2] not in PARTS:
            raise MetaphraseError(f"nothing generates the part {match[2]!r}; there are {', '.join(PARTS)}")
        return f"{match[1]}{PARTS[match[2]]()}{match[3]}"

    return _PART.sub(part, text)


def main(arguments: list[str]) -> None:
    """Rewrite the pages named (docs/ir.md if none is)."""
    for name in arguments or ["docs/ir.md"]:
        path = Path(name)
        path.write_text(document(path.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
