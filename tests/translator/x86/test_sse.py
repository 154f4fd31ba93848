"""The SSE and SSE2 chapters against the host CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metaphrase.translator.guest import Description
from tests.oracle.native import SUPPORTED, Oracle
from tests.translator.x86.differential import (
    CASES,
    check,
    differences,
    draw,
    observe_hardware,
    row_id,
    show_case,
)
from tests.translator.x86.interpreted import RUNNERS
from tests.translator.x86.native_tiers import NativeTier
from tests.translator.x86.vector_setups import APPROXIMATE, ROWS, close

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


@pytest.fixture(scope="module", params=["0", "1"])
def tier(request: pytest.FixtureRequest) -> Iterator[NativeTier]:
    with NativeTier(request.param) as native:
        yield native


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in APPROXIMATE], ids=row_id)
def test_row(oracle: Oracle, row: Description) -> None:
    check(oracle, [draw(row, number) for number in range(CASES)], RUNNERS)


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in APPROXIMATE], ids=row_id)
def test_row_natively(oracle: Oracle, tier: NativeTier, row: Description) -> None:
    drawn = [draw(row, number) for number in range(CASES if tier.tier == "0" else CASES // 3)]
    check(oracle, drawn, [(f"tier {tier.tier}", tier)])


@pytest.mark.parametrize("row", [row for row in ROWS if row.name in APPROXIMATE], ids=row_id)
def test_approximate_row(oracle: Oracle, row: Description) -> None:
    """Flags and everything but the result are exact; the result lies within the documented error."""
    drawn = [draw(row, number) for number in range(4 * CASES)]
    for one, result in zip(drawn, oracle.run([d.case for d in drawn]), strict=True):
        expected = observe_hardware(result)
        for name, runner in RUNNERS:
            actual = runner(one.case, one.decoded)
            near = all(map(close, expected.xmm, actual.xmm))
            actual.xmm = expected.xmm
            found = differences(expected, actual, 0)
            assert near and not found, f"{row} by {name}: {found}\n{show_case(one.case)}"


def test_the_chapters_are_complete() -> None:
    """Every opcode of SSE and SSE2 on XMM registers is described (SDM volume 2, tables A-3 and A-4)."""
    everywhere = {0x10, 0x11, 0x2A, 0x2C, 0x2D, 0x51, 0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x70, 0xC2, 0xE6}
    both = {0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x28, 0x29, 0x2B, 0x2E, 0x2F, 0x50, 0x54, 0x55, 0x56, 0x57, 0xC6}
    integer = set(range(0x60, 0x77)) | {0x7E, 0x7F, 0xC4, 0xC5} | set(range(0xD1, 0xFF)) - {0xF0}
    described = {row.detail.encoding.opcode for row in ROWS}
    assert everywhere | both | integer <= described
