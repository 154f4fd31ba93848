"""The described instructions, one module a chapter of the manual; importing them fills the table."""

from __future__ import annotations

from metaphrase.translator.x86.instructions import arithmetic, conversions, sse_float, sse_integer, sse_transfer
from metaphrase.translator.x86.table import ROWS

CHAPTERS = (arithmetic, sse_transfer, sse_float, conversions, sse_integer)

__all__ = ["CHAPTERS", "ROWS"]
