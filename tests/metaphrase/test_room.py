"""Translations in bounded memory: programs do the same however little room there is for them, and go on when it is used
up."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import metaphrase.translator.x86  # noqa: F401 (registers the guest)
from metaphrase.backends.llvm.codecache import CodeCacheFull
from metaphrase.backends.llvm.objects import Image
from metaphrase.benchmarks.building import build
from metaphrase.ir.errors import MetaphraseError
from metaphrase.machines.linux.cpu import Cpu
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.process import LinuxProcess
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.engine.native import code_cache
from metaphrase.translator.engine.sizes import Sizes
from metaphrase.translator.engine.statistics import Statistics
from metaphrase.translator.guest import guest
from tests.metaphrase.isolated import isolated
from tests.metaphrase.programs import changing_program
from tests.metaphrase.test_process import output_to
from tests.programs.runner import CACHE, native

pytestmark = pytest.mark.usefixtures("nothing_precompiled")

PROGRAM = Path(__file__).parents[1] / "programs" / "c" / "interpreter.c"


def run(
    command: list[str], tier: str, sizes: Sizes, *, cache: str | None = None,
    change: Callable[[NativeCpu], None] = lambda cpu: None,
) -> tuple[bytes, Statistics]:  # fmt: skip
    """What a program prints, and what its CPU counted."""
    cpus: list[NativeCpu] = []

    def make(window: Window) -> Cpu:
        cpus.append(NativeCpu(guest("x86_64"), window, tier=tier, sizes=sizes, cache=cache))
        change(cpus[-1])
        return cpus[-1]

    process = LinuxProcess(command[0], command, {}, cpu_factory=make)
    with tempfile.TemporaryDirectory() as folder:
        with output_to(Path(folder) / "out"):
            process.run()
        statistics = cpus[-1].update_statistics()
        cpus[-1].close()
        process.close()
        return (Path(folder) / "out").read_bytes(), statistics


def program() -> list[str]:
    return [str(build(PROGRAM, ["-O1", "-static"], folder=CACHE))]


@isolated
def test_little_room_changes_nothing() -> None:
    want = native(program()).stdout
    small = {
        "arena": Sizes(arena=1 << 15), "lookup": Sizes(lookup_bits=7), "regions": Sizes(regions=1 << 13),
        "records": Sizes(records=1 << 10),
    }  # fmt: skip
    for tier in ("0", "1", "auto"):
        for what, sizes in small.items():
            if tier == "0" and what in ("regions", "records"):
                continue
            got, statistics = run(program(), tier, sizes)
            assert got == want, (tier, what)
            assert statistics.evictions or tier == "auto", (tier, what)
            assert statistics.arena_bytes <= sizes.arena and statistics.region_bytes <= sizes.regions
            assert statistics.region_records <= sizes.records
    assert run(program(), "1", Sizes())[1].evictions == 0


@isolated
def test_regions_that_never_fit_stay_in_tier_0() -> None:
    got, statistics = run(program(), "1", Sizes(regions=4096))
    assert got == native(program()).stdout
    assert statistics.region_bytes <= 4096


@isolated
def test_handlers_find_room() -> None:
    """Regions give way where the code cache has no room for the handlers of a form."""
    refusals = []

    class Full:
        """A code cache that is full whenever there are regions."""

        def __init__(self, cpu: NativeCpu) -> None:
            self.cpu = cpu

        def add(self, image: Image) -> int:
            if self.cpu.tier1.installed:
                refusals.append(image)
                raise CodeCacheFull("no room")
            return code_cache().add(image)

    def change(cpu: NativeCpu) -> None:
        cpu.handlers.code = Full(cpu)  # type: ignore[assignment]

    with tempfile.TemporaryDirectory() as folder:
        got, statistics = run(program(), "1", Sizes(), cache=folder, change=change)
    assert got == native(program()).stdout
    assert len(refusals) == statistics.evictions > 0


@isolated
def test_closing_gives_regions_back() -> None:
    run(program(), "1", Sizes())
    used = code_cache().used
    run(program(), "1", Sizes())
    assert code_cache().used == used


@isolated
def test_changing_code_takes_bounded_memory() -> None:
    for kind, count in {"patch": 100_000, "neighbour": 10_000, "own": 10_000, "mix": 10}.items():
        command = [changing_program(), kind, str(count)]
        want = native(command).stdout
        for tier in ("0", "auto"):
            got, statistics = run(command, tier, Sizes())
            assert got == want, (kind, tier)
            assert statistics.arena_bytes < 40 << 20, (kind, tier)
            assert statistics.region_bytes < 4 << 20, (kind, tier)


def test_sizes_in_which_nothing_could_run() -> None:
    with pytest.raises(MetaphraseError, match="arena=1000 is too little to run anything: give at least 5312"):
        Sizes(arena=1000)
