"""The described instructions, one module a chapter of the manual; importing them fills the table."""

from __future__ import annotations

from metaphrase.translator.x86.instructions import arithmetic
from metaphrase.translator.x86.table import ROWS

CHAPTERS = (arithmetic,)

__all__ = ["CHAPTERS", "ROWS"]
