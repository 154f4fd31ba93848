"""Leaving a mechanism out changes nothing but the speed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from metaphrase.ir import passes
from metaphrase.translator.mechanisms import MECHANISMS, VARIABLE

SCRIPT = "my $x = 7; $x = ($x * 31 + length(join q(,), 1 .. $_ % 9)) % 65537 for 1 .. 9000; print $x"
PROGRAM = ["/usr/bin/perl", "-e", SCRIPT]
NOT_PASSES = {name for name in MECHANISMS if "-" in name} | {
    "precompiled", "leaves", "stubs", "returns", "landings", "chaining",
}  # fmt: skip


def run(without: str) -> str:
    command = [sys.executable, "-m", "metaphrase", "run", "--tier", "1", *PROGRAM]
    done = subprocess.run(command, env={**os.environ, VARIABLE: without}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", MECHANISMS)
def test_programs_do_the_same_without(name: str) -> None:
    assert run(name) == subprocess.run(PROGRAM, capture_output=True, text=True, check=True).stdout


def test_all_at_once() -> None:
    assert run(",".join(MECHANISMS)) == subprocess.run(PROGRAM, capture_output=True, text=True, check=True).stdout


def test_passes_are_called_as_they_are() -> None:
    assert MECHANISMS.keys() - NOT_PASSES <= {each.__name__ for each in passes.PIPELINE}


def test_unknown_names_are_refused() -> None:
    assert "no mechanism 'magic'" in run("magic")
