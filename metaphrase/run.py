"""Run a Linux program and report on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import metaphrase.translator.riscv
import metaphrase.translator.x86
from metaphrase.machines.linux.loader import identify
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.process import LinuxProcess
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.guest import guest


def run_program(
    program: str, arguments: Sequence[str], *, tier: str = "auto", sysroot: str | None = None, stats: str | None = None
) -> int:
    """Run a program to its end; gives its exit status, 128 + signal if one killed it."""
    name = identify(program, sysroot)
    cpus: list[NativeCpu] = []

    def make(window: Window) -> NativeCpu:
        cpus.append(NativeCpu(guest(name), window, tier=tier))
        return cpus[-1]

    process = LinuxProcess(program, (program, *arguments), sysroot=sysroot, cpu_factory=make)
    status = process.run()
    if stats:
        _report(cpus[-1], stats)
    return status


def _report(cpu: NativeCpu, how: str) -> None:
    values = asdict(cpu.update_statistics())
    if how.startswith("json:"):
        with open(how[5:], "w") as file:
            json.dump(values, file)
        return
    for key, value in values.items():
        shown = f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
        print(f"{key.replace('_', ' '):>16}  {shown}", file=sys.stderr)
