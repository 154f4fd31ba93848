"""The native tiers against the host CPU on the cases of all chapters; and cases that once were wrong, everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from metaphrase.translator.guest import Description
from tests.oracle.native import SUPPORTED, Oracle
from tests.translator.x86 import integer_setups, vector_setups, x87_setups
from tests.translator.x86.differential import (
    CASES,
    GUEST,
    Runner,
    check,
    differences,
    draw,
    flag_mask,
    observe_hardware,
    parse_case,
    row_id,
)
from tests.translator.x86.interpreted import RUNNERS
from tests.translator.x86.native_tiers import NativeTier

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")

ROWS = [
    row
    for row in (*integer_setups.ROWS, *vector_setups.ROWS, *x87_setups.ROWS)
    if row.name not in integer_setups.SKIPPED and row.name not in vector_setups.APPROXIMATE
]
RESTARTED = ("movs", "stos", "lods", "cmps", "scas")
INEXACT = pytest.mark.xfail(reason="tier 1 does not yet commit what an access that faults must show")
REGRESSIONS = [
    line
    for line in Path(__file__).with_name("regressions.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


@pytest.fixture(scope="module")
def tier0() -> Iterator[NativeTier]:
    with NativeTier("0") as tier:
        yield tier


@pytest.fixture(scope="module")
def tier1() -> Iterator[NativeTier]:
    with NativeTier("1") as tier:
        yield tier


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_tier_0(oracle: Oracle, tier0: NativeTier, row: Description) -> None:
    check(oracle, [draw(row, number) for number in range(max(2, CASES // 4))], [("tier 0", tier0)])


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_tier_1(oracle: Oracle, tier1: NativeTier, request: pytest.FixtureRequest, row: Description) -> None:
    if row.name in RESTARTED:
        request.applymarker(INEXACT)
    check(oracle, [draw(row, number) for number in range(max(1, CASES // 10))], [("tier 1", tier1)])


def check_line(oracle: Oracle, line: str, name: str, runner: Runner) -> None:
    case = parse_case(line)
    decoded = GUEST.decode(case.code, case.address)
    [result] = oracle.run([case])
    undefined = flag_mask(GUEST.rows[decoded.row].detail.undefined)
    assert not differences(observe_hardware(result), runner(case, decoded), undefined), name


@pytest.mark.parametrize("line", REGRESSIONS)
def test_regression(oracle: Oracle, tier0: NativeTier, line: str) -> None:
    for name, runner in (*RUNNERS, ("tier 0", tier0)):
        check_line(oracle, line, name, runner)


@pytest.mark.parametrize("line", REGRESSIONS)
def test_regression_in_tier_1(oracle: Oracle, tier1: NativeTier, request: pytest.FixtureRequest, line: str) -> None:
    if GUEST.rows[GUEST.decode(parse_case(line).code, 0).row].name in RESTARTED:
        request.applymarker(INEXACT)
    check_line(oracle, line, "tier 1", tier1)


SEQUENCES = [
    "48ffc0 48ffc1 488b1c2500000000 | rax=0x5 rcx=0x7",  # inc rax; inc rcx; mov rbx, [0]
    "4829c3 50 8f042500000000 | rax=0x5 rbx=0x7",  # sub rbx, rax; push rax; pop qword ptr [0]
    "4801d8 f30f6f042500000000 48ffc0 | rax=0x5",  # add rax, rbx; movdqu xmm0, [0]; inc rax
    "4831c0 f7f0 | rax=0x5 rcx=0x7",  # xor rax, rax; div eax
    "4c01c0 7402 0f0b f4 | rax=0x5",  # add rax, r8; je +2; ud2
]
"""Several instructions, of which one faults: what those before it did must be seen, and nothing of those behind it."""


@pytest.mark.parametrize("line", SEQUENCES)
def test_faults_leave_exact_state(oracle: Oracle, tier0: NativeTier, line: str) -> None:
    check_line(oracle, line, "tier 0", tier0)


@INEXACT
@pytest.mark.parametrize("line", SEQUENCES)
def test_faults_leave_exact_state_in_tier_1(oracle: Oracle, tier1: NativeTier, line: str) -> None:
    check_line(oracle, line, "tier 1", tier1)
