"""What was measured, as data: it becomes JSON and comes back from it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from metaphrase.ir.errors import MetaphraseError


class ResultsError(MetaphraseError):
    """A file holds no benchmark results."""


@dataclass
class Result:
    """What one engine took for one program. `scale` is above 1 where fewer iterations ran and times were scaled up.

    walls         seconds by the clock, one a run
    processors    seconds of processor time, user and system, of all threads and waited-for children
    peaks         bytes of memory that were resident at most
    """

    engine: str
    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    scale: float = 1.0
    error: str = ""
    statistics: dict[str, float] = field(default_factory=dict)

    @property
    def wall(self) -> float:
        """The median, in seconds."""
        return median(self.walls)

    @property
    def processor(self) -> float:
        """The median, in seconds."""
        return median(self.processors)

    @property
    def peak(self) -> float:
        """The median, in bytes; 0 if it was not measured."""
        return median(self.peaks) if self.peaks else 0

    @property
    def spread(self) -> float:
        """(slowest - fastest) / median."""
        return (max(self.walls) - min(self.walls)) / self.wall

    def as_json(self) -> dict[str, object]:
        found: dict[str, object] = {"engine": self.engine, "error": self.error, "scale": self.scale}
        if self.walls:
            found |= {"wall_seconds": self.walls, "processor_seconds": self.processors, "peak_bytes": self.peaks}
            found |= {"median_seconds": self.wall, "spread": self.spread}
        return found | ({"statistics": self.statistics} if self.statistics else {})

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Result:
        return cls(
            found["engine"],
            list(found.get("wall_seconds", [])),
            list(found.get("processor_seconds", [])),
            list(found.get("peak_bytes", [])),
            found.get("scale", 1.0),
            found.get("error", ""),
            dict(found.get("statistics", {})),
        )


@dataclass(frozen=True)
class Row:
    """One program under all engines; the first result is the native one.

    work       a digest of what was to be run; times of different work cannot be compared
    version    of the Debian package, where the program comes from one
    skipped    why nothing was measured
    iterations how often it does what it is about, where that is said
    """

    name: str
    group: str
    results: Sequence[Result]
    title: str = ""
    work: str = ""
    version: str = ""
    skipped: str = ""
    iterations: int = 1

    def ratio(self, result: Result) -> float | None:
        """Times slower than native, or None where either failed."""
        native = self.results[0]
        return result.wall / native.wall if result.walls and native.walls else None

    def processor_ratio(self, result: Result) -> float | None:
        """Times more processor time than native, or None where either failed or took less than can be told."""
        native = self.results[0]
        known = result.walls and native.walls and result.processor and native.processor
        return result.processor / native.processor if known else None

    def memory_over_native(self, result: Result) -> float | None:
        """Bytes at the peak beyond the native ones, or None where either was not measured."""
        native = self.results[0]
        return result.peak - native.peak if result.peaks and native.peaks else None

    def as_json(self) -> dict[str, object]:
        named = {"name": self.name, "group": self.group, "title": self.title, "work": self.work}
        engines = [result.as_json() | {"ratio": self.ratio(result)} for result in self.results]
        more = {"version": self.version, "skipped": self.skipped, "iterations": self.iterations}
        return {**named, **more, "engines": engines}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Row:
        results = [Result.from_json(result) for result in found["engines"]]
        title, work, version, skipped = (found.get(name, "") for name in ("title", "work", "version", "skipped"))
        iterations = found.get("iterations", 1)
        return cls(found["name"], found["group"], results, title, work, version, skipped, iterations)


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product of n positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def means(rows: Sequence[Row], of: Callable[[Row, Result], float | None] = Row.ratio) -> dict[str, float]:
    """Engine -> geometric mean of its ratios to native, of wall time or another. Engines that failed anywhere have
    none: a mean over fewer programs would flatter them. Programs that were skipped count for no engine."""
    measured = [row for row in rows if not row.skipped]
    found = {}
    for column, result in enumerate(measured[0].results if measured else ()):
        ratios = [of(row, row.results[column]) for row in measured]
        known = [ratio for ratio in ratios if ratio is not None]
        if len(known) == len(ratios):
            found[result.engine] = geometric_mean(known)
    return found


@dataclass
class Run:
    """One run of the harness: the machine, the settings, and a list of rows for each suite by its name."""

    host: dict[str, Any]
    settings: dict[str, Any]
    suites: dict[str, list[Row]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether any engine failed anywhere."""
        return any(result.error for rows in self.suites.values() for row in rows for result in row.results)

    def as_json(self) -> dict[str, object]:
        """Suites -> programs -> engines -> runs, with ratios and geometric means."""
        found: dict[str, object] = {"host": self.host, "settings": self.settings}
        for name, rows in self.suites.items():
            kinds = {kind: [row for row in rows if row.group == kind] for kind in dict.fromkeys(r.group for r in rows)}
            found[_key(name)] = {
                "programs": [row.as_json() for row in rows],
                "geometric_means": {kind: means(members) for kind, members in kinds.items()},
            }
        return found

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Run:
        """The run that `write` left. Raises ResultsError if it is none."""
        try:
            found = json.loads(path.read_text())
            suites = {
                key.replace("_", "-"): [Row.from_json(row) for row in suite["programs"]]
                for key, suite in found.items()
                if isinstance(suite, dict) and "programs" in suite
            }
            return cls(found["host"], found["settings"], suites)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResultsError(f"{path} holds no benchmark results: {error!r}") from error


def _key(suite: str) -> str:
    return suite.replace("-", "_")
