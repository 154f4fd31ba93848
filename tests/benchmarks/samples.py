"""Made-up results and engines for the tests of the harness."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from metaphrase.benchmarks.engines import Engine
from metaphrase.benchmarks.results import Result, Row, Run
from metaphrase.benchmarks.suites import Benchmark, Suite
from metaphrase.translator.engine.statistics import STAGES

MIB = 1 << 20


def python_engine(name: str, script: str, *arguments: str) -> Engine:
    """An engine that is a Python script, which is given the program as further arguments."""
    return Engine(name, (sys.executable, "-I", "-S", "-c", script, *arguments))


def fake_suite(name: str, *engines: Engine, missing: str = "") -> Suite:
    """A suite of two programs, `one` and `two`, that are numbers to be printed."""

    def benchmarks(quick: bool) -> list[Benchmark]:
        def make(folder: Path) -> object:
            return lambda count: [str(count)]

        count = 4 if quick else 8
        return [
            Benchmark("one", "group", "The first.", count, make),  # type: ignore[arg-type]
            Benchmark("two", "group", "The second.", count, make, missing=missing),  # type: ignore[arg-type]
        ]

    return Suite(name, name, lambda folder: list(engines), benchmarks)


def result(engine: str, *walls: float, error: str = "", statistics: dict[str, float] | None = None) -> Result:
    """Two fifths more processor time than wall time, and 40 MiB."""
    processors = [wall * 1.4 for wall in walls]
    return Result(engine, list(walls), processors, [40 * MIB] * len(walls), error=error, statistics=statistics or {})


def row(
    name: str, *results: Result, group: str = "integer", work: str = "w", version: str = "", skipped: str = ""
) -> Row:
    return Row(name, group, list(results), f"What {name} does <quickly>.", work, version, skipped)


def a_run(rows: Sequence[Row], suite: str = "kernels", processor: str = "A", quick: bool = False) -> Run:
    settings = {"quick": quick, "repetitions": 3, "only": "", "engines": [], "smallest_peak": 5 * MIB}
    return Run({"processor": processor, "cores": 2, "date": "2026-01-01"}, settings, {suite: list(rows)})


def compiling(regions: int, instructions: int, seconds: float) -> dict[str, float]:
    """Statistics of a run that compiled regions: half of the processor time in LLVM, and as long again in waiting."""
    stages = {stage: seconds * (0.5 if stage == "llvm_seconds" else 0.1) for stage in STAGES}
    return {"regions": regions, "compiled_instructions": instructions, "region_seconds": 2 * seconds, **stages}


COMPILED = [
    row("gzip", result("native", 1.0), result("qemu", 2.0), result("cold", 3.0, statistics=compiling(10, 4000, 1.0))),
    row("python", result("native", 1.0), result("qemu", 8.0), result("cold", 16.0, statistics=compiling(90, 8000, 2.0)),
        group="interpreters"),
    row("idle", result("native", 1.0), result("qemu", 4.0), result("cold", 4.0), group="interpreters"),
]  # fmt: skip
"""Programs with an empty cache, the last of which compiled nothing."""
