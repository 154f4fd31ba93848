"""`metaphrase explain`: what becomes of machine code, on a terminal or as plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

import metaphrase as mp
from metaphrase.ir.errors import MetaphraseError
from metaphrase.show import columns
from metaphrase.snippet import Snippet

_PLAIN_WIDTH = 10_000
"""Lines of plain text are not broken."""


class Section(NamedTuple):
    """A titled part of the explanation; `language` is how it is coloured."""

    title: str
    body: str
    language: str


def sections(snippet: Snippet, *, handler: bool = False) -> Iterator[Section]:
    """The parts of the explanation, each made when it is its turn."""
    for instruction in snippet.instructions:
        yield Section(str(instruction), columns(instruction.details()), "")
    yield Section("IR", str(snippet.ir), "llvm")
    for stage in snippet.stages:
        if stage.changed:
            yield Section(f"IR after {stage.name}", str(stage.ir), "llvm")
    yield Section("LLVM IR", snippet.llvm, "llvm")
    yield Section("LLVM IR, optimised", snippet.optimised_llvm, "llvm")
    yield Section("host code", str(snippet.assembly), "nasm")
    if not handler:
        return
    forms = {instruction.handler.name: instruction.handler for instruction in snippet.instructions}
    for name, one in forms.items():
        yield Section(f"tier-0 handler {name}", str(one.ir), "llvm")
        yield Section(f"tier-0 handler {name}: host code", str(one.assembly), "nasm")


def explain_command(
    guest: str, text: str, *, asm: str | None, address: int, handler: bool, cpu: str | None = None
) -> None:
    """Print the explanation of code, given in hexadecimal or in assembly."""
    if bool(text.strip()) == (asm is not None):
        raise MetaphraseError("explain: give the code either in hexadecimal or with --asm")
    snippet = mp.code(guest, text if asm is None else None, asm=asm, address=address, cpu=cpu)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH, color_system=None)
    for number, section in enumerate(sections(snippet, handler=handler)):
        _print(console, section, first=number == 0)
    sys.stdout.flush()


def _print(console: Console, section: Section, *, first: bool) -> None:
    if not first:
        console.print()
    if not console.is_terminal:
        console.out(f"== {section.title}\n{section.body}", highlight=False)
        return
    console.print(Text(section.title, style="bold cyan"))
    if section.language:
        console.print(Syntax(section.body, section.language, background_color="default", word_wrap=True))
    else:
        console.print(Text(section.body))
