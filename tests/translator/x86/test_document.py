"""The page about the instruction set is current."""

from __future__ import annotations

from pathlib import Path

from metaphrase.translator.x86.document import page
from metaphrase.translator.x86.instructions import ROWS

PAGE = Path(__file__).parents[3] / "docs" / "isa-x86.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m metaphrase.translator.x86.document"


def test_every_form_says_what_it_is() -> None:
    assert not [row for row in ROWS if "SDM" not in row.manual]
