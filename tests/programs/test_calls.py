"""System calls one by one: what each gives translated is what it gives natively, errors above all.

A file of `calls/` is a topic; each of its cases is a small program of its own (`cases.h`). riscv64 has no exact oracle
here: qemu-user has gaps of its own. What cases say is the same on all 64-bit architectures, so x86-64 speaks for it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import (
    BUILDS_I386,
    CACHE,
    NATIVE_I386,
    OTHER_RUNNER,
    TIERS,
    assert_same,
    environment,
    native,
    translated,
)

SOURCES = sorted((Path(__file__).parent / "calls").glob("*.c"))
GUESTS = ("x86_64", "i386", "riscv64")


@pytest.mark.skipif(bool(OTHER_RUNNER), reason="other emulators have gaps of their own")
@pytest.mark.parametrize("guest", GUESTS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_calls(source: Path, guest: str, tmp_path: Path) -> None:
    if guest == "i386" and (NATIVE_I386 or not BUILDS_I386):
        pytest.skip("only the kernel itself is exact enough for i386, and gcc-12-multilib is needed")
    number = SOURCES.index(source) + GUESTS.index(guest)
    flags = ["-O1", "-DRUNS_PROGRAMS"] if guest == "x86_64" else ["-O1"]
    flags += ["-static"] if number % 2 or guest == "riscv64" else []
    command = [str(build(source, flags, folder=CACHE, guest=guest))]
    oracle = [str(build(source, flags, folder=CACHE))] if guest == "riscv64" else command
    tiers = dict.fromkeys([*(["auto"] if guest == "x86_64" else []), TIERS[number % len(TIERS)]])
    for name in ("native", *tiers):
        (tmp_path / name).mkdir()
    want = native(oracle, env=environment(), cwd=tmp_path / "native")
    assert want.status == 0 and b"-> status 99" not in want.stdout
    cases = source.read_text().count("CASE(")
    assert want.stdout.count(b"\n-> ") == cases
    for tier in tiers:
        got = translated(command, tier, env=environment(), cwd=tmp_path / tier)
        assert_same(want, got, f"{source.stem} {guest} tier {tier}")
