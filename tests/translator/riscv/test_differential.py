"""RISC-V instructions against qemu: random ones over random states, run by the reference interpreter."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from pathlib import Path

import pytest

from metaphrase.translator.riscv.guest import RiscvGuest
from tests.translator.riscv.differential import Case, State, build, generate, run_program, run_reference

QEMU = shutil.which("qemu-riscv64")

pytestmark = pytest.mark.skipif(
    QEMU is None or shutil.which("riscv64-linux-gnu-gcc") is None, reason="needs qemu-user and the riscv64 compiler"
)


@pytest.fixture(scope="module")
def guest() -> RiscvGuest:
    return RiscvGuest()


def divergences(guest: RiscvGuest, cases: list[Case], ours: list[State], theirs: list[State]) -> list[str]:
    """One line for each case whose states after it differ."""
    return [
        f"{guest.disassemble(case.code, case.pc)} ({case.code.hex()}, fcsr {case.before.fcsr:#x}): "
        + ", ".join(here.differences(there))
        for case, here, there in zip(cases, ours, theirs, strict=True)
        if here != there
    ]


def compare(guest: RiscvGuest, seed: int, each: int, folder: Path) -> None:
    cases = generate(guest, random.Random(seed), each)
    theirs = run_program([str(QEMU), str(build(cases, folder))], len(cases))
    assert any(case.before != after for case, after in zip(cases, theirs, strict=True))
    for parameters in (False, True):
        ours = run_reference(guest, cases, parameters=parameters)
        found = divergences(guest, cases, ours, theirs)
        assert not found, f"seed {seed}, operands as {'fields' if parameters else 'constants'}:\n" + "\n".join(found)


@pytest.mark.parametrize("seed", [1, 2])
def test_agrees_with_qemu(guest: RiscvGuest, seed: int, tmp_path: Path) -> None:
    compare(guest, seed, 10, tmp_path)


@pytest.mark.parametrize("tier", ["0", "1", "auto"])
def test_native_code_agrees_with_qemu(guest: RiscvGuest, tier: str, tmp_path: Path) -> None:
    cases = generate(guest, random.Random(f"tier {tier}"), 20)
    program = str(build(cases, tmp_path))
    theirs = run_program([str(QEMU), program], len(cases))
    ours = run_program([sys.executable, "-m", "metaphrase", "run", "--tier", tier, program], len(cases))
    found = divergences(guest, cases, ours, theirs)
    assert not found, f"tier {tier}:\n" + "\n".join(found)


@pytest.mark.fuzz
def test_agrees_with_qemu_for_long(guest: RiscvGuest, tmp_path: Path) -> None:
    end = time.monotonic() + float(os.environ.get("METAPHRASE_FUZZ_SECONDS", "10"))
    while time.monotonic() < end:
        compare(guest, random.getrandbits(32), 20, tmp_path)
