"""Comparing two runs of the harness: what got slower than the spread of both explains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metaphrase.benchmarks.engines import CONTROLS
from metaphrase.benchmarks.machine import OF_THE_MOMENT, differences
from metaphrase.benchmarks.report import seconds
from metaphrase.benchmarks.results import Result, Row, Run

TOLERANCE = 0.02  # of the old median: less than this is nobody's regression, however steady the runs were
UNKNOWN_SPREAD = 0.10  # of the median, either way: what a single run is allowed, for it tells no spread
# Settings that change what is measured; which programs and engines were chosen does not.
SETTINGS = ("quick", "repetitions")


class Verdict(Enum):
    SLOWER = "slower"
    FASTER = "faster"
    SAME = "same"
    CONTROL = "control"  # not Metaphrase, but slower: the machine was


@dataclass(frozen=True)
class Change:
    """One program under one engine, before and now."""

    suite: str
    program: str
    old: Result
    new: Result

    @property
    def engine(self) -> str:
        return self.new.engine

    @property
    def ratio(self) -> float:
        return self.new.wall / self.old.wall

    @property
    def verdict(self) -> Verdict:
        """Slower is what is so in every run: the fastest new one is behind the slowest old one."""
        (old_least, old_most), (new_least, new_most) = span(self.old), span(self.new)
        if new_least > old_most and self.ratio > 1 + TOLERANCE:
            return Verdict.CONTROL if self.engine in CONTROLS else Verdict.SLOWER
        if new_most < old_least and self.ratio < 1 - TOLERANCE:
            return Verdict.FASTER
        return Verdict.SAME


def span(result: Result) -> tuple[float, float]:
    """The least and the most that a run took, or may have taken."""
    if len(result.walls) > 1:
        return min(result.walls), max(result.walls)
    return result.wall * (1 - UNKNOWN_SPREAD), result.wall * (1 + UNKNOWN_SPREAD)


@dataclass
class Comparison:
    """Changes, and what stands in the way of believing them.

    differences    of machine and settings
    broken         programs and engines that ran before and now fail
    incomparable   what only one run has measured, or whose work is another
    """

    differences: list[str]
    changes: list[Change] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    incomparable: list[str] = field(default_factory=list)

    @property
    def slower(self) -> list[Change]:
        return [change for change in self.changes if change.verdict is Verdict.SLOWER]

    @property
    def regressed(self) -> bool:
        return bool(self.slower or self.broken)


def compare(old: Run, new: Run) -> Comparison:
    """Pair what both runs have measured."""
    machine = differences(old.host, new.host, OF_THE_MOMENT)
    settings = differences(old.settings, new.settings, [name for name in new.settings if name not in SETTINGS])
    found = Comparison([*machine, *settings])
    for suite, rows in new.suites.items():
        before = {row.name: row for row in old.suites.get(suite, [])}
        for row in rows:
            compare_rows(found, suite, before.pop(row.name, None), row)
        found.incomparable += [f"{suite}: {name} is in the old run only" for name in before]
    return found


def compare_rows(found: Comparison, suite: str, old: Row | None, new: Row) -> None:
    """Add the changes of one program to what was found."""
    name = f"{suite}: {new.name}"
    if old is None or not old.results or not new.results:
        found.incomparable.append(f"{name} was measured in {'the new run only' if new.results else 'at most one run'}")
        return
    if old.work and new.work and old.work != new.work:
        found.incomparable.append(f"{name} has other work to do (another size, source or compiler)")
        return
    if old.version != new.version and old.version and new.version:
        found.differences.append(f"{name}: {old.version} -> {new.version}")
    before = {result.engine: result for result in old.results}
    for result in new.results:
        earlier = before.get(result.engine)
        if earlier is None or not earlier.walls:
            found.incomparable.append(f"{name}, {result.engine} has no earlier time")
        elif not result.walls:
            found.broken.append(f"{name}, {result.engine}: {result.error}")
        else:
            found.changes.append(Change(suite, new.name, earlier, result))


COLOURS = {Verdict.SLOWER: "bold red", Verdict.FASTER: "green", Verdict.SAME: "dim", Verdict.CONTROL: "yellow"}


def cells(change: Change) -> Iterator[str]:
    """A line of the table: suite, program, engine, old, new, ratio, verdict."""
    yield from (change.suite, change.program, change.engine)
    for result in (change.old, change.new):
        yield f"{seconds(result.wall)} ±{result.spread * 50:.0f}%"
    yield f"{change.ratio:.2f}"
    yield "the machine got slower" if change.verdict is Verdict.CONTROL else change.verdict.value


def show_comparison(console: Console, found: Comparison) -> None:
    """Say what differs besides the times, then print the table and what got slower."""
    if found.differences:
        console.print("[bold yellow]These runs differ in more than the code; compare their times with care:[/]")
        for line in found.differences:
            console.print(f"  {escape(line)}", highlight=False)
    table = Table(title="Old and new (seconds; ± half the spread)", title_justify="left")
    for column in ("suite", "program", "engine", "old", "new", "new/old", "verdict"):
        table.add_column(column, justify="right" if column in ("old", "new", "new/old") else "left")
    for change in found.changes:
        table.add_row(*map(escape, cells(change)), style=COLOURS[change.verdict])
    console.print(table)
    for line in found.incomparable:
        console.print(f"[dim]not compared: {escape(line)}[/dim]", highlight=False)
    for change in found.slower:
        text = f"{change.suite}: {change.program}, {change.engine}: {change.ratio:.2f} times the old time"
        console.print(f"[bold red]slower:[/] {escape(text)}", highlight=False)
    for line in found.broken:
        console.print(f"[bold red]no longer runs:[/] {escape(line)}", highlight=False)
    if not found.regressed:
        console.print(f"Nothing got slower than the spread explains ({len(found.changes)} compared).")
