"""The x87 chapters, MXCSR and FXSAVE against the host CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metaphrase.translator.guest import Description
from tests.oracle.native import SUPPORTED, Oracle
from tests.translator.x86.differential import CASES, check, draw, row_id
from tests.translator.x86.interpreted import RUNNERS
from tests.translator.x86.native_tiers import NativeTier
from tests.translator.x86.x87_setups import ROWS

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


@pytest.fixture(scope="module", params=["0", "1"])
def tier(request: pytest.FixtureRequest) -> Iterator[NativeTier]:
    with NativeTier(request.param) as native:
        yield native


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_row(oracle: Oracle, row: Description) -> None:
    check(oracle, [draw(row, number) for number in range(CASES)], RUNNERS)


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_row_natively(oracle: Oracle, tier: NativeTier, row: Description) -> None:
    drawn = [draw(row, number) for number in range(CASES if tier.tier == "0" else CASES // 3)]
    check(oracle, drawn, [(f"tier {tier.tier}", tier)])
