"""The decorator that describes an instruction, and the list that the tables are built from.

Importing a chapter only collects what its decorators say; patterns are parsed when the guest is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from metaphrase.translator.guest import Description
from metaphrase.translator.pattern_table import make_description

Semantics = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Written:
    """A row as it was written."""

    pattern: str
    semantics: Semantics
    asm: str
    ends_block: bool = False
    fields: dict[str, str | int] = field(default_factory=dict)


class Chapter:
    """The instructions of one chapter of the manual, in the order in which they were described."""

    def __init__(self, extension: str) -> None:
        self.extension = extension
        self.written: list[Written] = []

    def insn(self, pattern: str, asm: str, ends_block: bool = False) -> Callable[[Semantics], Semantics]:
        """Describe an instruction: the decorated function is its meaning. May be stacked."""

        def describe(semantics: Semantics) -> Semantics:
            self.written.append(Written(pattern, semantics, asm, ends_block))
            return semantics

        return describe

    def same(self, pattern: str, semantics: Semantics, asm: str, ends_block: bool = False, **fields: str | int) -> None:
        """Describe another encoding of an instruction.

        Keywords say from which field, or which register number, an operand comes if not from the field of its name.
        """
        self.written.append(Written(pattern, semantics, asm, ends_block, fields))

    def descriptions(self) -> list[Description]:
        """The rows, with patterns parsed."""
        return [
            make_description(
                row.pattern, row.semantics, row.asm, extension=self.extension, ends_block=row.ends_block,
                fields=row.fields, short_registers=8,
            )
            for row in self.written
        ]  # fmt: skip
