"""Fixtures of the machine tests: a process whose guest code is a Python generator."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from metaphrase.machines.linux import LinuxProcess, Window
from metaphrase.machines.linux.cpu import Cpu
from tests.machines.elf_files import write_elf
from tests.machines.scripted_cpu import Script, ScriptedCpu


@pytest.fixture
def window() -> Iterator[Window]:
    """A small guest address space; full-sized ones do not fit the host twice."""
    small = Window(1 << 30)
    yield small
    small.close()


ProcessMaker = Callable[..., LinuxProcess]


@pytest.fixture
def make_process(tmp_path: Path) -> Iterator[ProcessMaker]:
    """Make a process whose guest code is a generator; `process.cpu` is the ScriptedCpu."""
    made: list[LinuxProcess] = []

    def make(
        script: Script,
        argv: list[str] | None = None,
        *,
        guest: str = "x86_64",
        path: Path | None = None,
        cpu_factory: Callable[[Window], Cpu] | None = None,
        **options: Any,
    ) -> LinuxProcess:
        if path is None:
            path = tmp_path / "program"
            write_elf(path, guest=guest)
        while made:
            made.pop().close()
        factory = cpu_factory or (lambda window: ScriptedCpu(window, script, guest))
        made.append(LinuxProcess(str(path), argv or [], cpu_factory=factory, **options))
        return made[0]

    yield make
    for process in made:
        process.close()


@pytest.fixture
def busybox() -> str:
    """A static program of the host's."""
    path = shutil.which("busybox")
    assert path, "busybox is needed: apt-get install busybox-static"
    return path
