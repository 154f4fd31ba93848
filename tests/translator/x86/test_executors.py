"""Every described row against the host CPU: the interpreter over both bindings, tier 0 and tier 1.

METAPHRASE_CASES says how many random cases a row gets, METAPHRASE_SEED which; fuzz.py goes on for as long as it is let.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from metaphrase.translator.guest import Description
from tests.oracle.native import SUPPORTED
from tests.translator.x86.differential import CASES, GUEST, draw, row_id
from tests.translator.x86.executors import Executors
from tests.translator.x86.fuzz import fuzz

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")


@pytest.fixture(scope="module")
def executors() -> Iterator[Executors]:
    with Executors() as shared:
        yield shared


@pytest.mark.parametrize("row", GUEST.rows, ids=row_id)
def test_row(executors: Executors, row: Description) -> None:
    divergence = executors.divergence([draw(row, number) for number in range(CASES)])
    assert divergence is None, str(divergence)


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(2))
def test_rows_for_long(executors: Executors, part: int) -> None:
    """Two parts, for two cores. METAPHRASE_FUZZ_SEED makes a run happen again."""
    seed = int(os.environ.get("METAPHRASE_FUZZ_SEED") or random.getrandbits(32))
    found = fuzz(executors, float(os.environ.get("METAPHRASE_FUZZ_SECONDS", "10")), 2 * seed + part)
    assert not found, f"seed {seed}:\n" + "\n".join(map(str, found))
