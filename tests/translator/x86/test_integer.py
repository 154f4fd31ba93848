"""The integer chapters against the host CPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from metaphrase.translator.guest import Description
from metaphrase.translator.x86.instructions import (
    arithmetic,
    bits,
    control,
    data_transfer,
    flags,
    multiplication,
    shifts,
    stack,
    strings,
    system,
)
from tests.oracle.native import SUPPORTED, Oracle
from tests.translator.x86 import integer_setups
from tests.translator.x86.differential import CASES, check, draw, row_id, rows_of
from tests.translator.x86.interpreted import RUNNERS

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")
ROWS = rows_of(arithmetic, bits, control, data_transfer, flags, multiplication, shifts, stack, strings, system)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in integer_setups.SKIPPED], ids=row_id)
def test_row(oracle: Oracle, row: Description) -> None:
    check(oracle, [draw(row, number) for number in range(CASES)], RUNNERS)
