"""Runs the suites and gathers what they took."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from metaphrase.benchmarks.engines import Engine, without
from metaphrase.benchmarks.machine import host
from metaphrase.benchmarks.measure import measure, smallest_peak
from metaphrase.benchmarks.results import Row, Run
from metaphrase.benchmarks.suites import Benchmark, Suite, work_of
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator import mechanisms


class SettingsError(MetaphraseError):
    """The harness is asked for what there is not."""


def chosen(engines: Sequence[Engine], names: Sequence[str]) -> list[Engine]:
    """The reference always, and of the others those named (all, if none is)."""
    return [engines[0], *(engine for engine in engines[1:] if not names or engine.name in names)]


def suite_engines(suite: Suite, cache: Path, names: Sequence[str], left_out: Sequence[str]) -> list[Engine]:
    """The engines of a suite that are asked for, and those that do without a mechanism."""
    all_engines = suite.engines(cache)
    more = left_out if any(engine.name == "auto" for engine in all_engines) else ()
    return [*chosen(all_engines, names), *(without(name, cache) for name in more)]


def plan(suites: Sequence[Suite], *, quick: bool, only: str) -> list[tuple[Suite, Benchmark]]:
    """What is to be run. Raises SettingsError if nothing is."""
    try:
        pattern = re.compile(only)
    except re.error as error:
        raise SettingsError(f"--only {only!r} is no regular expression: {error}") from error
    found = [(suite, one) for suite in suites for one in suite.benchmarks(quick) if pattern.search(one.name)]
    if not found:
        raise SettingsError(f"no benchmark of {', '.join(suite.name for suite in suites)} has a name like {only!r}")
    return found


def check_names(suites: Sequence[Suite], names: Sequence[str]) -> None:
    """Raise SettingsError if no suite has an engine of one of these names."""
    known = list(dict.fromkeys(engine.name for suite in suites for engine in suite.engines(Path())))
    for name in names:
        if name not in known:
            raise SettingsError(f"no engine {name!r} here; there are {', '.join(known)}")


def run_suites(
    suites: Sequence[Suite],
    folder: Path,
    *,
    quick: bool = False,
    repetitions: int = 3,
    only: str = "",
    engines: Sequence[str] = (),
    left_out: Sequence[str] = (),
    console: Console | None = None,
) -> Run:
    """Time what is asked for; a bar on `console` says how far it is. Built programs and inputs stay in `folder`.

    For each mechanism that is `left_out`, suites that measure both tiers have one engine more, which does without it.
    Interrupted by the keyboard, it gives what is there, and says so in the settings.
    """
    planned = plan(suites, quick=quick, only=only)
    check_names(suites, engines)
    mechanisms.check(frozenset(left_out))
    settings = {"quick": quick, "repetitions": repetitions, "only": only, "engines": list(engines)}
    run = Run(host(), {**settings, "suites": [suite.name for suite in suites], "smallest_peak": smallest_peak()})
    columns = (
        TextColumn("[bold]{task.fields[program]}[/bold] {task.description}"),
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with (
        tempfile.TemporaryDirectory(prefix="metaphrase-benchmark-") as scratch,
        Progress(*columns, console=console or Console(stderr=True, quiet=True), transient=True) as progress,
    ):
        lists = {suite.name: suite_engines(suite, Path(scratch) / suite.name, engines, left_out) for suite in suites}
        runs = [
            0 if one.missing else sum(engine.unmeasured + repetitions * suite.times for engine in lists[suite.name])
            for suite, one in planned
        ]
        task = progress.add_task("", total=sum(runs), program="")
        try:
            for number, (suite, one) in enumerate(planned):
                progress.update(task, program=one.name, completed=sum(runs[:number]))

                def tell(text: str) -> None:
                    # Trial runs are not counted beforehand: which engines need them is not known then.
                    progress.update(task, description=text, advance=0 if "trial" in text else 1)

                row = run_benchmark(one, lists[suite.name], folder, repetitions * suite.times, tell)
                run.suites.setdefault(suite.name, []).append(row)
        except KeyboardInterrupt:
            run.settings["interrupted"] = True
    return run


def run_benchmark(
    one: Benchmark, engines: Sequence[Engine], folder: Path, repetitions: int, tell: Callable[[str], None]
) -> Row:
    """One program under its engines, or why it is skipped."""
    if one.missing:
        return Row(one.name, one.group, [], one.title, skipped=one.missing)
    tell("being made (trial)")
    program = one.make(folder)
    work = work_of(program(one.iterations), folder)
    results = measure(engines, program, one.iterations, repetitions, tell)
    return Row(one.name, one.group, results, one.title, work, one.version, iterations=one.iterations)
