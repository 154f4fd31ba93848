"""Which system calls native code makes, and that it leaves them to the machine where somebody wants to see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from metaphrase.benchmarks.kernels import call_kernels
from metaphrase.translator.mechanisms import VARIABLE
from tests.programs.runner import CACHE

COUNT = 3000
NATIVE = [kernel for kernel in call_kernels() if kernel.name not in ("sigaltstack", "spawn")]


def native_calls(source: Path, tmp_path: Path, *options: str, without: str = "") -> int:
    told = tmp_path / "statistics.json"
    binary = build(source, ["-O2"], folder=CACHE)
    command = [sys.executable, "-m", "metaphrase", "run", f"--stats=json:{told}", *options, str(binary), str(COUNT)]
    subprocess.run(command, env={**os.environ, VARIABLE: without}, check=True, capture_output=True)
    return int(json.loads(told.read_text())["native_calls"])


@pytest.mark.parametrize("source", [kernel.source for kernel in NATIVE], ids=[kernel.name for kernel in NATIVE])
def test_they_are_made_by_native_code(source: Path, tmp_path: Path) -> None:
    assert native_calls(source, tmp_path) >= COUNT


def test_those_of_the_machine_are_not(tmp_path: Path) -> None:
    (kernel,) = (kernel for kernel in call_kernels() if kernel.name == "sigaltstack")
    assert native_calls(kernel.source, tmp_path) < COUNT


def test_all_are_the_machines_if_traced_or_left_out(tmp_path: Path) -> None:
    source = NATIVE[0].source
    assert native_calls(source, tmp_path, f"--strace={tmp_path / 'trace'}") == 0
    assert native_calls(source, tmp_path, without="native-calls") == 0
