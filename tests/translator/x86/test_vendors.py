"""The table of what vendors do differently is true of the host at hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.native import MODES, SUPPORTED, WITHOUT_MODE, Oracle
from tests.translator.x86 import host
from tests.translator.x86.differential import flag_mask, guest_of
from tests.translator.x86.execution import Execution
from tests.translator.x86.host import HERE
from tests.translator.x86.interpreted import run_constants
from tests.translator.x86.lines import parse_case
from tests.translator.x86.observed import differences, observe_hardware
from tests.translator.x86.vendors import DIFFERENCES, Difference

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.what)
def test_the_host_differs_as_the_table_says(difference: Difference, oracle: Oracle) -> None:
    """The example differs from what the guest does on the hosts that the row is for, and on no other; told as the row
    says, it no longer does."""
    case, undefined = parse_case(difference.example)
    if not MODES[case.mode]:
        pytest.skip(WITHOUT_MODE)
    run = Execution(case, guest_of(case).decode(case.code, case.address))
    undefined = undefined or flag_mask(run.row.detail.undefined)
    assert difference.applies(run)
    ours = run_constants(case, run.decoded).observed
    [result] = oracle.run([case])
    found = differences(observe_hardware(result), ours, undefined)
    assert bool(found) == (difference in HERE), found
    [expected] = host.observe_host(oracle, [run])
    assert expected is not None
    assert not differences(expected, ours, undefined | host.undefined(run))
