"""Tests in a Python process of their own: a process has room for one guest address space, and other tests hold one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_INSIDE = "METAPHRASE_TEST_ISOLATED"


def isolated(test: Callable[[], None]) -> Callable[[], None]:
    """Run a test, which takes no fixtures, in a process of its own."""
    if os.environ.get(_INSIDE):
        return test

    @wraps(test)
    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.metaphrase.isolated", test.__module__, test.__name__],
            cwd=ROOT, env={**os.environ, _INSIDE: "1"}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"

    return run


if __name__ == "__main__":
    getattr(importlib.import_module(sys.argv[1]), sys.argv[2])()
