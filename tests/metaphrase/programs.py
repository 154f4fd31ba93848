"""Small guest programs for these tests."""

from __future__ import annotations

from pathlib import Path

from metaphrase.benchmarks.building import build
from tests.programs.runner import CACHE

SOURCES = Path(__file__).parent / "guests"


def steps_program() -> str:
    """Some hundred instructions without a C library: it writes a line, and exits with a sum."""
    options = ["-O1", "-static", "-nostdlib", "-no-pie", "-fno-stack-protector", "-fno-builtin"]
    return str(build(SOURCES / "steps.c", options, folder=CACHE))


def changing_program() -> str:
    """Code that changes all the time, in several ways: its arguments are the way and a count (see the source)."""
    return str(build(SOURCES / "changing.c", ["-O2", "-static"], folder=CACHE))


def starts_program() -> str:
    """Processes and threads that come and go: its argument is how many rounds of them (see the source)."""
    return str(build(SOURCES / "starts.c", ["-O1", "-pthread"], folder=CACHE))
