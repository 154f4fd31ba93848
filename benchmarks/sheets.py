"""Tables as data: each is made once, and shown in a terminal and in the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table


class Summed(list[str]):
    """A line that stands for those above it: a mean, a total."""

    style = "mean"


@dataclass(frozen=True)
class Sheet:
    """A table of text. The first column names what the line is about; `note` tells how to read the rest."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def as_table(sheet: Sheet) -> Table:
    """The sheet for a terminal."""
    table = Table(title=escape(sheet.title), title_justify="left", caption=escape(sheet.note), caption_justify="left")
    for number, name in enumerate(sheet.head):
        table.add_column(escape(name), justify="right" if number else "left", overflow="fold")
    for row in sheet.rows:
        summed = isinstance(row, Summed)
        cells = (coloured(escape(cell)) for cell in row)
        table.add_row(*cells, style="bold" if summed else None, end_section=summed)
    return table


def coloured(cell: str) -> str:
    """The ratios in a cell bold, a failure red."""
    if cell == "failed":
        return "[red]failed[/red]"
    return " ".join(f"[bold]{word}[/bold]" if word.endswith("x") else word for word in cell.split(" "))
