"""Which rows `make test` takes in which modes; METAPHRASE_TEST_FULL=1 takes all of them."""

from __future__ import annotations

from typing import Final

from metaphrase.translator.guest import Description
from tests.programs.runner import FULL
from tests.translator.x86.differential import ROWS
from tests.translator.x86.integer_setups import ROWS as INTEGER_ROWS

_OF_OTHERS = 6


def _is_taken(row: Description, mode: int) -> bool:
    """Vectors and x87 do the same in every mode but for addresses, so that one row in six does for the narrow ones."""
    return FULL or mode == 64 or row in INTEGER_ROWS or row.row % _OF_OTHERS == 0


SLICE: Final[list[tuple[Description, int]]] = [one for one in ROWS if _is_taken(*one)]
"""Rows, and modes that have them."""
