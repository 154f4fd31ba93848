"""The programs and their inputs: the same work everywhere, every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from metaphrase.benchmarks.inputs import Inputs
from metaphrase.benchmarks.measure import run_once
from metaphrase.benchmarks.programs import GROUPS, Program, all_programs
from metaphrase.ir.errors import MetaphraseError

PROGRAMS = all_programs()
# The beginnings of the digests of 100,000 bytes. They change with the generators, and with nothing else.
DIGESTS = {"text": "64ed1f187e68", "lines": "926a6f323f0f", "noise": "777e537ee30b"}


@pytest.mark.parametrize("kind", DIGESTS)
def test_inputs_are_the_same_everywhere(kind: str, tmp_path: Path) -> None:
    path = Path(getattr(Inputs(tmp_path), kind)(100_000))
    content = path.read_bytes()
    assert len(content) == 100_000 and hashlib.sha256(content).hexdigest().startswith(DIGESTS[kind])
    made = path.stat().st_mtime_ns
    assert Path(getattr(Inputs(tmp_path), kind)(100_000)).stat().st_mtime_ns == made


def test_text_is_like_prose(tmp_path: Path) -> None:
    words = Path(Inputs(tmp_path).text(200_000)).read_text().split()
    assert 2000 < len(set(words)) < 10_000
    assert words.count("fun") > words.count("nol") > 100


def test_groups_are_filled() -> None:
    assert {program.group for program in PROGRAMS.values()} == set(GROUPS)
    assert all(program.title.endswith(".") for program in PROGRAMS.values())


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_run_and_say_the_same_again(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    if program.executable is None:
        pytest.skip(program.missing)
    command = program.command(Inputs(tmp_path), max(program.size // 400, 1))
    first, second = run_once(command, {}), run_once(command, {})
    assert first.output == second.output and first.output.size > 0


def test_a_missing_program_names_its_package(tmp_path: Path) -> None:
    missing = Program(
        "It is not there.", "text", ("/nonexistent/a", "/nonexistent/b"), "some-package", 1, lambda *_: []
    )
    assert missing.executable is None and missing.missing == "not installed: apt-get install some-package"
    with pytest.raises(MetaphraseError, match="some-package"):
        missing.command(Inputs(tmp_path), 1)
