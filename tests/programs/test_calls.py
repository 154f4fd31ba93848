"""System calls one by one: what each gives translated is what it gives natively, errors above all.

A file of `calls/` is a topic; each of its cases is a small program of its own (`cases.h`). Topics take turns with
kinds of linking and tiers; METAPHRASE_TEST_FULL=1 runs each with all. riscv64 has no exact oracle here: qemu-user has
gaps of its own. What cases say is the same on all 64-bit architectures, so x86-64 speaks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import (
    BUILDS_I386,
    CACHE,
    FULL,
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
    links: list[list[str]] = [["-static"]] if number % 2 or guest == "riscv64" else [[]]
    if FULL and guest != "riscv64":
        links = [[], ["-static"]]
    for link in links:
        folder = tmp_path / ("static" if link else "dynamic")
        folder.mkdir()
        check(source, guest, link, TIERS if FULL else (TIERS[number % len(TIERS)],), folder)


def check(source: Path, guest: str, link: list[str], tiers: Sequence[str], folder: Path) -> None:
    """Compare the cases of a topic on some tiers, and x86-64's on both together in any case."""
    flags = ["-O1", *(["-DRUNS_PROGRAMS"] if guest == "x86_64" else []), *link]
    command = [str(build(source, flags, folder=CACHE, guest=guest))]
    oracle = [str(build(source, flags, folder=CACHE))] if guest == "riscv64" else command
    tiers = list(dict.fromkeys([*(["auto"] if guest == "x86_64" else []), *tiers]))
    for name in ("native", *tiers):
        (folder / name).mkdir()
    want = native(oracle, env=environment(), cwd=folder / "native")
    assert want.status == 0 and b"-> status 99" not in want.stdout
    cases = source.read_text().count("CASE(")
    assert want.stdout.count(b"\n-> ") == cases
    for tier in tiers:
        got = translated(command, tier, env=environment(), cwd=folder / tier)
        assert_same(want, got, f"{source.stem} {guest} tier {tier}")
