"""The integer chapters against the host CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metaphrase.translator.guest import Description
from tests.oracle.native import SUPPORTED, Oracle
from tests.translator.x86.differential import CASES, check, draw, row_id
from tests.translator.x86.integer_setups import ROWS, SKIPPED
from tests.translator.x86.interpreted import RUNNERS

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in SKIPPED], ids=row_id)
def test_row(oracle: Oracle, row: Description) -> None:
    check(oracle, [draw(row, number) for number in range(CASES)], RUNNERS)
