"""Measuring: runs of several engines take turns, so that a change of the machine's mood touches all of them alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Timer

from metaphrase.benchmarks.engines import Engine
from metaphrase.ir.errors import MetaphraseError

TIMEOUT = 180.0  # seconds for one run
LONGEST = 12.0  # seconds: an engine that would take longer runs fewer iterations, and its time is scaled up
SCALED_TO = 6.0  # seconds that such a run is aimed at
PROBE = 20  # a first run of 1/PROBE of the iterations estimates how long an engine takes


class RunFailed(MetaphraseError):
    """A measured command failed, took too long, or printed something else than natively."""


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, and of processor time in user and kernel mode, children included."""

    wall: float
    processor: float
    output: bytes


@dataclass
class Result:
    """What one engine took for one program. `scale` is above 1 where fewer iterations ran and times were scaled up."""

    engine: str
    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    scale: float = 1.0
    error: str = ""
    statistics: dict[str, float] = field(default_factory=dict)

    @property
    def wall(self) -> float:
        """The median, in seconds."""
        return median(self.walls)

    @property
    def spread(self) -> float:
        """(slowest - fastest) / median."""
        return (max(self.walls) - min(self.walls)) / self.wall

    def as_json(self) -> dict[str, object]:
        found: dict[str, object] = {"engine": self.engine, "error": self.error, "scale": self.scale}
        if self.walls:
            found |= {"wall_seconds": self.walls, "processor_seconds": self.processors}
            found |= {"median_seconds": self.wall, "spread": self.spread}
        return found | ({"statistics": self.statistics} if self.statistics else {})


def run_once(command: Sequence[str], env: Mapping[str, str]) -> Sample:
    """Run a command to its end. Raises RunFailed unless it exits with 0 within TIMEOUT seconds."""
    whole = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": os.environ.get("HOME", "/"), **env}
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=whole, start_new_session=True
        )
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            os.killpg(child.pid, signal.SIGKILL)

        timer = Timer(TIMEOUT, give_up)
        timer.start()
        assert child.stdout is not None
        with child.stdout:
            output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        if late:
            raise RunFailed(f"no end after {TIMEOUT:.0f} s")
        if child.returncode:
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()
            raise RunFailed(f"status {child.returncode}: {text[-300:]}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, output)


def statistics_of(engine: Engine, program: list[str]) -> dict[str, float]:
    """Metaphrase's own counters for one run of a program."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "statistics.json"
        run_once(engine.command(program, path), engine.env)
        found = json.loads(path.read_text())
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def measure(
    engines: Sequence[Engine],
    program: Callable[[int], list[str]],
    iterations: int,
    repetitions: int,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Time `program(iterations)` under each engine, the first one being the reference for the output.

    Each engine first runs once unmeasured, which fills its persistent cache. Then the engines take turns. An engine
    that fails gives a result with `error`, and the others go on.
    """
    results = {engine.name: Result(engine.name) for engine in engines}
    counts = {engine.name: iterations for engine in engines}
    expected: dict[int, bytes] = {}

    def attempt(engine: Engine, keep: bool) -> None:
        result, count = results[engine.name], counts[engine.name]
        if result.error:
            return
        tell(f"{engine.name}{'' if keep else ' (unmeasured)'}")
        try:
            engine.prepare()
            sample = run_once(engine.command(program(count)), engine.env)
            if count not in expected:
                first = engines[0]
                expected[count] = run_once(first.command(program(count)), first.env).output
            if sample.output != expected[count]:
                raise RunFailed(f"prints {sample.output[:80]!r}, natively {expected[count][:80]!r}")
        except RunFailed as failure:
            result.error = str(failure)
            return
        if keep:
            result.walls.append(sample.wall * result.scale)
            result.processors.append(sample.processor * result.scale)

    for engine in engines:
        if iterations >= PROBE and engine is not engines[0]:
            counts[engine.name] = iterations // PROBE
            estimate = LONGEST + 1
            for _ in range(2):  # the first may have spent its time on filling a cache
                if estimate > LONGEST:
                    start = time.perf_counter()
                    attempt(engine, keep=False)
                    estimate = (time.perf_counter() - start) * PROBE
            fewer = max(int(iterations * SCALED_TO / estimate), 1)
            counts[engine.name] = fewer if estimate > LONGEST else iterations
            results[engine.name].scale = iterations / counts[engine.name]
        attempt(engine, keep=False)
    for _ in range(repetitions):
        for engine in engines:
            attempt(engine, keep=True)
    return list(results.values())
