"""What is made and compared of many cases at once is what is made and compared of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle.native import SUPPORTED, Oracle
from tests.translator.x86.batches import Agreement, prepare
from tests.translator.x86.differential import GUEST, Drawn, draw_states
from tests.translator.x86.executors import SETUPS
from tests.translator.x86.interpreted import LAYOUT, pack_state, run_constants, start_of
from tests.translator.x86.observed import FLAG_BITS, differences, observe_hardware

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")
assert SETUPS, "the chapters refine what is drawn"


def drawn(pattern: str) -> list[Drawn]:
    [row] = [row for row in GUEST.rows if f"{row.name} {row.pattern}" == pattern]
    return draw_states(row, 0, 40)


PATTERNS = ["add 01 /r", "fadd D8 /0 mem", "vpaddd VEX.256.66.0F.WIG FE /r", "fnstenv D9 /6 mem"]
SLOTS = [
    "rax", "r15", "fs_base", "xmm0", "ymm15h", "st_physical3", "fcw", "fsw", "ftw", "top", "cf", "adjust", "of"
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_states_and_agreement(pattern: str) -> None:
    cases = drawn(pattern)
    with Oracle() as oracle:
        results = oracle.run([one.case for one in cases])
    prepare([one.case for one in cases], results)
    assert [start_of(one.case) for one in cases] == [bytes(pack_state(one.case)) for one in cases]

    seen = [run_constants(one.case, one.decoded) for one in cases]
    undefined = [one.undefined for one in cases]
    agree = Agreement(results).holds(range(40), seen, undefined)
    one_by_one = [
        differences(observe_hardware(result), one.observed, bits) == []
        for result, one, bits in zip(results, seen, undefined, strict=True)
    ]
    assert sum(agree) >= 36
    assert all(slow for slow, quick in zip(one_by_one, agree, strict=True) if quick)


@pytest.mark.parametrize("slot", SLOTS)
def test_every_difference_is_seen(slot: str) -> None:
    [one] = [case for case in drawn("add 01 /r") if not case.encoded.memory][:1]
    with Oracle() as oracle:
        agreement = Agreement(oracle.run([one.case]))
    seen = run_constants(one.case, one.decoded)
    assert agreement.holds([0], [seen], [0]).all()
    data = bytearray(seen.data)
    data[LAYOUT[slot].offset] ^= 0x10 if slot == "adjust" else 1
    assert not agreement.holds([0], [replace(seen, data=bytes(data))], [0]).any()
    for other in (
        replace(seen, mxcsr=seen.mxcsr ^ 1), replace(seen, rip=seen.rip + 1), replace(seen, event="memory"),
        replace(seen, changes=((0x1000_0000, bytes(8)),)),
    ):  # fmt: skip
        assert not agreement.holds([0], [other], [0]).any()


def test_what_is_undefined_is_not_compared() -> None:
    [one] = [case for case in drawn("add 01 /r") if not case.encoded.memory][:1]
    with Oracle() as oracle:
        agreement = Agreement(oracle.run([one.case]))
    seen = run_constants(one.case, one.decoded)
    data = bytearray(seen.data)
    data[LAYOUT["zf"].offset] ^= 1
    flipped = replace(seen, data=bytes(data))
    assert agreement.holds([0], [flipped], [FLAG_BITS["zf"]]).all()
    assert not agreement.holds([0], [flipped], [FLAG_BITS["cf"]]).any()
