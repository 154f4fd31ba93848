"""The MMX chapter is complete, and its registers are those of x87."""

from __future__ import annotations

from tests.translator.x86.differential import GUEST
from tests.translator.x86.mmx_setups import ROWS


def test_the_chapter_is_complete() -> None:
    """Every instruction on MMX registers is described (SDM volume 2, tables A-3 to A-5)."""
    mmx = {*range(0x60, 0x6C), 0x6E, 0x6F, *range(0x71, 0x78), 0x7E, 0x7F}
    mmx |= {0xD1, 0xD2, 0xD3, 0xD5, 0xD8, 0xD9, 0xDB, 0xDC, 0xDD, 0xDF, 0xE1, 0xE2, 0xE5, 0xE8, 0xE9, 0xEB, 0xEC, 0xED}
    mmx |= {0xEF, 0xF1, 0xF2, 0xF3, 0xF5, 0xF8, 0xF9, 0xFA, 0xFC, 0xFD, 0xFE}
    sse = {0x2A, 0x2C, 0x2D, 0x70, 0xC4, 0xC5, 0xD7, 0xDA, 0xDE, 0xE0, 0xE3, 0xE4, 0xE7, 0xEA, 0xEE, 0xF6, 0xF7}
    sse2 = {0xD4, 0xD6, 0xF4, 0xFB}
    encodings = [row.detail.encoding for row in ROWS if row.detail.encoding.prefix in (None, 0, 2, 3)]
    maps = [{each.opcode for each in encodings if each.map == number} for number in range(4)]
    assert maps == [set(), mmx | sse | sse2, {*range(0x0C), 0x1C, 0x1D, 0x1E}, {0x0F}]  # the last two are of SSSE3


def test_what_the_extensions_brought() -> None:
    names = {row.name for row in ROWS if row.extension == "mmx"}
    assert len(names) == 47 and "emms" in names
    assert {row.name for row in GUEST.rows if row.extension == "sse"} >= {"pavgb", "pshufw", "maskmovq", "movntq"}
