"""Cases that once were wrong, everywhere; and faults in the midst of several instructions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.native import MODES, SUPPORTED, WITHOUT_MODE
from tests.translator.x86 import host
from tests.translator.x86.differential import flag_mask, guest_of
from tests.translator.x86.execution import Execution
from tests.translator.x86.executors import Executors
from tests.translator.x86.fuzz import regression_lines
from tests.translator.x86.lines import parse_case
from tests.translator.x86.observed import differences

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")

REGRESSIONS = regression_lines()
INTERPRETERS_AND_TIER_0 = ("the interpreter over constants", "the interpreter over a record", "tier 0")


@pytest.fixture(scope="module")
def executors() -> Iterator[Executors]:
    with Executors() as shared:
        yield shared


def check_line(executors: Executors, line: str, *names: str) -> None:
    case, undefined = parse_case(line)
    if not MODES[case.mode]:
        pytest.skip(WITHOUT_MODE)
    decoded = guest_of(case).decode(case.code, case.address)
    run = Execution(case, decoded)
    [expected] = host.observe_host(executors.oracle, [run])
    assert expected is not None, "the host cannot tell"
    undefined = undefined or flag_mask(run.row.detail.undefined)
    for name in names:
        actual = executors.runners[name](case, decoded)
        found = differences(expected, actual.observed, undefined | host.undefined(run))
        assert not found, f"{name}: {found}"


@pytest.mark.parametrize("line", REGRESSIONS)
def test_regression(executors: Executors, line: str) -> None:
    check_line(executors, line, *INTERPRETERS_AND_TIER_0)


@pytest.mark.parametrize("line", REGRESSIONS)
def test_regression_in_tier_1(executors: Executors, line: str) -> None:
    check_line(executors, line, "tier 1")


SEQUENCES = [
    "48ffc0 48ffc1 488b1c2500000000 | rax=0x5 rcx=0x7",  # inc rax; inc rcx; mov rbx, [0]
    "4829c3 50 8f042500000000 | rax=0x5 rbx=0x7",  # sub rbx, rax; push rax; pop qword ptr [0]
    "4801d8 f30f6f042500000000 48ffc0 | rax=0x5",  # add rax, rbx; movdqu xmm0, [0]; inc rax
    "4831c0 f7f0 | rax=0x5 rcx=0x7",  # xor rax, rax; div eax
    "4c01c0 7402 0f0b f4 | rax=0x5",  # add rax, r8; je +2; ud2
    "01d8 891425 00000000 83f807 | rax=0xffffffff rbx=0x1",  # add eax, ebx; mov [0], edx; cmp eax, 7
    "4829d8 48ffc9 87042500000000 29d1 | rbx=0x1 rcx=0x8000000000000000",  # sub; dec; xchg [0], eax; sub ecx, edx
]
"""Several instructions, of which one faults: what those before it did must be seen, and nothing of those behind it."""


@pytest.mark.parametrize("line", SEQUENCES)
def test_faults_leave_exact_state(executors: Executors, line: str) -> None:
    check_line(executors, line, "tier 0")


@pytest.mark.parametrize("line", SEQUENCES)
def test_faults_leave_exact_state_in_tier_1(executors: Executors, line: str) -> None:
    check_line(executors, line, "tier 1")
