"""Measuring: runs of several engines take turns, so that a change of the machine's mood touches all of them alike."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

from metaphrase.benchmarks.engines import Engine
from metaphrase.benchmarks.results import Result
from metaphrase.ir.errors import MetaphraseError

TIMEOUT = 180.0  # seconds for one run
LONGEST = 12.0  # seconds: an engine that would take longer runs fewer iterations, and its time is scaled up
SCALED_TO = 6.0  # seconds that such a run is aimed at
PROBE = 20  # a first run of 1/PROBE of the iterations estimates how long an engine takes
LAUNCHER = Path(__file__).with_name("launcher.py")
KIB = 1024  # the unit of ru_maxrss, getrusage(2)


class RunFailed(MetaphraseError):
    """A measured command failed, took too long, or printed something else than natively."""


@dataclass(frozen=True)
class Output:
    """What a run printed: all of it as a digest, and its beginning for people."""

    digest: str
    beginning: bytes
    size: int

    @classmethod
    def of(cls, file: BufferedRandom) -> Output:
        file.seek(0)
        beginning = file.read(80)
        file.seek(0)
        return cls(hashlib.file_digest(file, "sha256").hexdigest(), beginning, file.tell())

    def __str__(self) -> str:
        return f"{self.size} bytes {self.beginning!r}"


@dataclass(frozen=True)
class Sample:
    """One run: seconds by the clock, and of processor time in user and kernel mode, children included; the memory that
    was resident at most, in bytes."""

    wall: float
    processor: float
    peak: int
    output: Output


def run_once(command: Sequence[str], env: Mapping[str, str]) -> Sample:
    """Run a command to its end. Raises RunFailed unless it exits with 0 within TIMEOUT seconds.

    Its output goes to a file: read through a pipe, it would take time of the processors that are measured.
    """
    whole = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": os.environ.get("HOME", "/"), **env}
    reader, writer = os.pipe()
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(writer)]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, os.fdopen(reader) as report:
        try:
            child = subprocess.Popen(
                [*launcher, *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=whole, start_new_session=True,
                pass_fds=[writer],
            )  # fmt: skip
        finally:
            os.close(writer)
        try:
            child.wait(TIMEOUT)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise RunFailed(f"no end after {TIMEOUT:.0f} s") from None
            raise
        status, wall, processor, peak = report.read().split() or ("127", "0", "0", "0")
        if status != "0":
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()
            raise RunFailed(f"status {status}: {text[-300:]}")
        return Sample(float(wall), float(processor), int(peak) * KIB, Output.of(output))


def smallest_peak() -> int:
    """The memory in bytes that a run which needs none is said to have had: no figure below it can be told."""
    return run_once(["/bin/true"], {}).peak


class Measurement:
    """One program under several engines, the first of which is the reference for the output."""

    def __init__(
        self,
        engines: Sequence[Engine],
        program: Callable[[int], list[str]],
        iterations: int,
        tell: Callable[[str], None],
    ) -> None:
        self.engines, self.program, self.tell = engines, program, tell
        self.results = {engine.name: Result(engine.name) for engine in engines}
        self.iterations = iterations
        self.counts = {engine.name: iterations for engine in engines}
        self.expected: dict[int, Output] = {}

    def attempt(self, engine: Engine, what: str, statistics: Path | None = None) -> Sample | None:
        """Run once; None if that failed, now or earlier."""
        result, count = self.results[engine.name], self.counts[engine.name]
        if result.error:
            return None
        self.tell(f"{engine.name} ({what})")
        try:
            engine.prepare()
            sample = run_once(engine.command(self.program(count), statistics), engine.env)
            expected = self.expected_output(count, sample if engine is self.engines[0] else None)
            if sample.output.digest != expected.digest:
                raise RunFailed(f"prints {sample.output}, natively {expected}")
        except RunFailed as failure:
            result.error = str(failure)
            return None
        return sample

    def expected_output(self, count: int, sample: Sample | None) -> Output:
        """What the reference prints; `sample` is a run of its own, if there is one."""
        if count not in self.expected:
            first = self.engines[0]
            self.expected[count] = (sample or run_once(first.command(self.program(count)), first.env)).output
        return self.expected[count]

    def probe(self, engine: Engine) -> None:
        """Have an engine that would take too long do fewer iterations."""
        if self.iterations < PROBE or engine is self.engines[0]:
            return
        self.counts[engine.name] = self.iterations // PROBE
        estimate = LONGEST + 1
        for _ in range(2):  # the first may have spent its time on filling a cache
            if estimate > LONGEST and (sample := self.attempt(engine, "trial")):
                estimate = sample.wall * PROBE
        fewer = max(int(self.iterations * SCALED_TO / estimate), 1)
        self.counts[engine.name] = fewer if estimate > LONGEST else self.iterations
        self.results[engine.name].scale = self.iterations / self.counts[engine.name]

    def warm_up(self, engine: Engine) -> None:
        """The runs that are not measured: until one of them finds nothing to compile any more, or as many as there may
        be. The last of them, whose caches are as they will be, leaves statistics."""
        for _ in range(engine.unmeasured):
            if not engine.gives_statistics:
                self.attempt(engine, "unmeasured")
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "statistics.json"
                if self.attempt(engine, "unmeasured", path):
                    self.results[engine.name].statistics = read_statistics(path)
                    if not self.results[engine.name].statistics.get("regions"):
                        break

    def keep(self, engine: Engine, number: int) -> None:
        if sample := self.attempt(engine, f"run {number}"):
            result = self.results[engine.name]
            result.walls.append(sample.wall * result.scale)
            result.processors.append(sample.processor * result.scale)
            result.peaks.append(sample.peak)


def read_statistics(path: Path) -> dict[str, float]:
    """Metaphrase's own counters, as `--stats=json:FILE` leaves them. Raises RunFailed if it did not."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunFailed(f"no statistics: {error}") from error
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def measure(
    engines: Sequence[Engine],
    program: Callable[[int], list[str]],
    iterations: int,
    repetitions: int,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Time `program(iterations)` under each engine, the first one being the reference for the output.

    Each engine first runs unmeasured, which fills its persistent cache. Then the engines take turns. An engine that
    fails gives a result with `error`, and the others go on.
    """
    measurement = Measurement(engines, program, iterations, tell)
    for engine in engines:
        measurement.probe(engine)
        try:
            measurement.warm_up(engine)
        except RunFailed as failure:
            measurement.results[engine.name].error = str(failure)
    for number in range(repetitions):
        for engine in engines:
            measurement.keep(engine, number + 1)
    return list(measurement.results.values())
