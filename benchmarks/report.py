"""Tables for people and JSON for programs, out of the measured results."""

from __future__ import annotations

import datetime
import math
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from metaphrase.benchmarks.measure import Result


@dataclass(frozen=True)
class Row:
    """One program under all engines; the first result is the native one."""

    name: str
    group: str
    results: Sequence[Result]

    def ratio(self, result: Result) -> float | None:
        """Times slower than native, or None where either failed."""
        native = self.results[0]
        return result.wall / native.wall if result.walls and native.walls else None


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product of n positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Engine -> geometric mean of its ratios to native. Engines that failed anywhere have none: a mean over fewer
    programs would flatter them."""
    found = {}
    for column, result in enumerate(rows[0].results):
        ratios = [row.ratio(row.results[column]) for row in rows]
        known = [ratio for ratio in ratios if ratio is not None]
        if len(known) == len(ratios):
            found[result.engine] = geometric_mean(known)
    return found


def seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.3f} s"


def cell(row: Row, result: Result) -> str:
    """Time, ratio to native and spread; ~ marks a time scaled up from fewer iterations."""
    if not result.walls:
        return "[red]failed[/red]"
    ratio = row.ratio(result)
    times = f" [bold]{ratio:.2f}x[/bold]" if ratio is not None and result is not row.results[0] else ""
    return f"{'~' if result.scale > 1 else ''}{seconds(result.wall)}{times} [dim]±{result.spread * 50:.0f}%[/dim]"


def rate(results: Sequence[Result]) -> str:
    """Guest instructions a second, where an engine counted them."""
    for result in results:
        found = result.statistics
        instructions, spent = found.get("instructions"), found.get("run_seconds", found.get("seconds"))
        if instructions and spent:
            return f"{instructions / spent / 1e6:,.0f} M/s"
    return ""


def show(console: Console, title: str, rows: Sequence[Row]) -> None:
    """Print one table, with a line of geometric means for each group, and what failed below it."""
    if not rows:
        return
    rates = any(rate(row.results) for row in rows)
    table = Table(title=title, title_justify="left")
    table.add_column("program")
    for result in rows[0].results:
        table.add_column(result.engine, justify="right")
    if rates:
        table.add_column("tier 0 rate", justify="right")
    for group in dict.fromkeys(row.group for row in rows):
        members = [row for row in rows if row.group == group]
        for row in members:
            table.add_row(
                row.name, *(cell(row, result) for result in row.results), *([rate(row.results)] if rates else [])
            )
        if len(members) > 1:
            mean = means(members)
            found = (f"[bold]{mean[r.engine]:.2f}x[/bold]" if r.engine in mean else "-" for r in members[0].results)
            table.add_row(f"[bold]{group}, geometric mean[/bold]", *found, *([""] if rates else []), end_section=True)
    console.print(table)
    for row in rows:
        for result in row.results:
            if result.error:
                console.print(f"[red]{row.name}, {result.engine}:[/red] {result.error}", highlight=False, markup=True)


def version_of(*command: str) -> str:
    if not shutil.which(command[0]):
        return "not installed"
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]


def host() -> dict[str, object]:
    """What the figures depend on besides the code."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    return {
        "processor": model.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "llvmlite": metadata.version("llvmlite"),
        "gcc": version_of("gcc", "--version"),
        "qemu": version_of("qemu-x86_64", "--version"),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def as_json(groups: dict[str, Sequence[Row]], settings: dict[str, object]) -> dict[str, object]:
    """Everything measured: groups of programs -> engines -> samples, with ratios and geometric means."""
    found: dict[str, object] = {"host": host(), "settings": settings}
    for title, rows in groups.items():
        kinds = dict.fromkeys(row.group for row in rows)
        found[title] = {
            "programs": [
                {
                    "name": row.name,
                    "group": row.group,
                    "engines": [result.as_json() | {"ratio": row.ratio(result)} for result in row.results],
                }
                for row in rows
            ],
            "geometric_means": {kind: means([row for row in rows if row.group == kind]) for kind in kinds},
        }
    return found
