"""Every described row against the host CPU: the interpreter over both bindings, tier 0 and tier 1.

METAPHRASE_CASES says how many random cases a row gets, METAPHRASE_SEED which; fuzz.py goes on for as long as it is let.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaphrase.translator.guest import Decoded, Description
from tests.oracle.native import MODES, SUPPORTED, WITHOUT_MODE, Case
from tests.translator.x86.differential import CASES, GUEST, draw, row_id
from tests.translator.x86.executors import Executors
from tests.translator.x86.fuzz import fuzz, keep
from tests.translator.x86.host import lacks
from tests.translator.x86.integer_setups import ROWS as INTEGER_ROWS
from tests.translator.x86.interpreted import Seen, run_constants
from tests.translator.x86.lines import parse_case
from tests.translator.x86.selection import SLICE

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")


@pytest.fixture(scope="module")
def executors() -> Iterator[Executors]:
    with Executors() as shared:
        yield shared


@pytest.mark.parametrize(("row", "mode"), SLICE, ids=row_id)
def test_row(executors: Executors, row: Description, mode: int) -> None:
    if not MODES[mode]:
        pytest.skip(WITHOUT_MODE)
    if missing := lacks(row):
        pytest.skip(f"the host has no {missing}")
    cases = CASES if mode == 64 else CASES // (2 if row in INTEGER_ROWS else 8) or 1  # vectors are the same there
    divergence = executors.divergence([draw(row, number, mode=mode) for number in range(cases)])
    assert divergence is None, str(divergence)


def test_a_divergence_is_shrunk_and_kept(
    executors: Executors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A planted mistake that shows where RAX is odd: the line that is kept says little more."""

    def mistaken(case: Case, decoded: Decoded) -> Seen:
        seen = run_constants(case, decoded)
        if GUEST.rows[decoded.row].name == "paddw" and case.state.registers.get("rax", 0) & 1:
            seen.mxcsr ^= 1
        return seen

    file = tmp_path / "regressions.txt"
    monkeypatch.setattr("tests.translator.x86.fuzz.REGRESSIONS", file)
    monkeypatch.setattr(executors, "runners", {"the mistaken one": mistaken})
    [row] = [row for row in GUEST.rows if row.name == "paddw" and row.extension == "sse2"]
    found = [d for d in (executors.divergence([draw(row, number)]) for number in range(20)) if d is not None]
    for divergence in found * 2:
        keep(divergence)
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == len({divergence.line for divergence in found}) > 1
    for line in lines:
        case, undefined = parse_case(line)
        assert case.state.registers["rax"] & 1 and not undefined
        assert not case.state.xmm and set(case.memory) == set() and case.state.mxcsr == 0x1F80


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(2))
def test_rows_for_long(executors: Executors, part: int) -> None:
    """Two parts, for two cores. METAPHRASE_FUZZ_SEED makes a run happen again."""
    seed = int(os.environ.get("METAPHRASE_FUZZ_SEED") or random.getrandbits(32))
    found = fuzz(executors, float(os.environ.get("METAPHRASE_FUZZ_SECONDS", "10")), 2 * seed + part)
    assert not found, f"seed {seed}:\n" + "\n".join(map(str, found))
