"""System calls one by one: what each gives translated is what it gives natively, errors above all.

A file of `calls/` is a topic; each of its cases is a small program of its own (`cases.h`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import CACHE, OTHER_RUNNER, TIERS, assert_same, environment, native, translated

SOURCES = sorted((Path(__file__).parent / "calls").glob("*.c"))


@pytest.mark.skipif(bool(OTHER_RUNNER), reason="other emulators have gaps of their own")
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_calls(source: Path, tmp_path: Path) -> None:
    number = SOURCES.index(source)
    flags = ["-O1", *(["-static"] if number % 2 else [])]
    command = [str(build(source, flags, folder=CACHE))]
    places = tmp_path / "native", tmp_path / "translated"
    for place in places:
        place.mkdir()
    want = native(command, env=environment(), cwd=places[0])
    assert want.status == 0 and b"-> status 99" not in want.stdout
    cases = source.read_text().count("CASE(")
    assert want.stdout.count(b"\n-> ") == cases
    got = translated(command, TIERS[number % len(TIERS)], env=environment(), cwd=places[1])
    assert_same(want, got, source.stem)
