"""How things show themselves: as text in a terminal, as HTML and drawings in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

MimeBundle = dict[str, str]


class Text(str):
    """Text of several lines, which is shown as it is and not as a Python string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        return {"text/plain": str(self), "text/html": preformatted(str(self))}


def preformatted(text: str) -> str:
    """Text as HTML that keeps its lines and columns."""
    return f'<pre style="line-height:1.25">{html.escape(text)}</pre>'


def section(title: str, body: str, *, shown: bool = False) -> str:
    """HTML that can be folded away under a title."""
    return f"<details{' open' if shown else ''}><summary>{html.escape(title)}</summary>{body}</details>"


def table(rows: Iterable[Sequence[str]], *, header: Sequence[str] = ()) -> str:
    """An HTML table of monospaced text; cells are escaped."""
    style = 'style="text-align:left;font-family:monospace;white-space:pre"'
    parts = ["<table>"]
    if header:
        parts.append("<tr>" + "".join(f'<th style="text-align:left">{html.escape(cell)}</th>' for cell in header))
    parts += ["<tr>" + "".join(f"<td {style}>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return "".join([*parts, "</table>"])


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text, each column as wide as its widest cell; nothing follows the last."""
    widths: dict[int, int] = {}
    for row in rows:
        for index, cell in enumerate(row):
            widths[index] = max(widths.get(index, 0), len(cell))
    return "\n".join("  ".join(f"{c:{widths[i]}}" for i, c in enumerate(row)).rstrip() for row in rows)
