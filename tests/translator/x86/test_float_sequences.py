"""Sequences of floating-point instructions against the host CPU, and what they are drawn from."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.oracle.native import SUPPORTED
from tests.translator.x86.differential import CASES
from tests.translator.x86.executors import Executors
from tests.translator.x86.float_sequences import SSE_ROWS, draw_sequence
from tests.translator.x86.fuzz import fuzz_sequences
from tests.translator.x86.vector_setups import environment

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")

_AT_ONCE = 10


@pytest.fixture(scope="module")
def executors() -> Iterator[Executors]:
    with Executors() as shared:
        yield shared


@pytest.mark.parametrize("part", range(25))
def test_sequences(executors: Executors, part: int) -> None:
    count = CASES * _AT_ONCE // 8
    divergence = executors.divergence([draw_sequence(part * count + number) for number in range(count)])
    assert divergence is None, str(divergence)


def test_everything_is_drawn() -> None:
    """Environments have every bit set and clear; sequences hold every row."""
    rng = random.Random(1)
    drawn = [environment(rng) for _ in range(2000)]
    assert {value >> 13 & 3 for value in drawn} == {0, 1, 2, 3}
    for bit in (*range(7), 15):
        assert {value >> bit & 1 for value in drawn} == {0, 1}
    names = {row.name for row in SSE_ROWS}
    assert {"addss", "sqrtpd", "minps", "cmpsd", "comiss", "ucomisd", "cvttsd2si", "cvtpi2ps", "cvtpd2ps"} <= names


@pytest.mark.fuzz
@pytest.mark.parametrize("part", range(2))
def test_sequences_for_long(executors: Executors, part: int) -> None:
    seed = int(os.environ.get("METAPHRASE_FUZZ_SEED") or random.getrandbits(32))
    found = fuzz_sequences(executors, float(os.environ.get("METAPHRASE_FUZZ_SECONDS", "10")), 2 * seed + part)
    assert not found, f"seed {seed}:\n" + "\n".join(map(str, found))
