"""Tables for people, out of the measured results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metaphrase.benchmarks.results import Result, Row, Run, means

TITLES = {
    "kernels": "Kernels (times slower than native; ± half the spread; ~ scaled up from fewer iterations)",
    "programs": "Debian's programs (times slower than native; ± half the spread; cold: with an empty cache)",
    "start-up": "Start-up",
}
MIB = 1 << 20


def seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.3f} s"


def times_cell(row: Row, result: Result) -> str:
    """Time, ratio to native and spread, as plain text; ~ marks a time scaled up from fewer iterations."""
    if not result.walls:
        return "failed"
    ratio = row.ratio(result)
    times = f" {ratio:.2f}x" if ratio is not None and result is not row.results[0] else ""
    return f"{'~' if result.scale > 1 else ''}{seconds(result.wall)}{times} ±{result.spread * 50:.0f}%"


def resources_cell(result: Result, smallest: float) -> str:
    """Processor time, of the guest and of what is compiled beside it, and the peak of memory."""
    if not result.walls:
        return ""
    if not result.peaks:
        return seconds(result.processor)
    peak = f"{result.peak / MIB:.0f} MiB" if result.peak > smallest * 1.1 else f"< {smallest * 1.1 / MIB:.0f} MiB"
    return f"{seconds(result.processor)}, {peak}"


def rate(results: Sequence[Result]) -> str:
    """Guest instructions a second in tier 0, where it counted them."""
    for result in results:
        found = result.statistics
        if result.engine == "tier 0" and found.get("instructions") and found.get("run_seconds"):
            return f"{found['instructions'] / found['run_seconds'] / 1e6:,.0f} M/s"
    return ""


def engine_names(rows: Sequence[Row]) -> list[str]:
    """Of the engines that ran anything, in their order."""
    return list(dict.fromkeys(result.engine for row in rows for result in row.results))


def groups_of(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The measured rows of each group; at the end, if there are several groups, all under the name "all"."""
    measured = [row for row in rows if not row.skipped]
    names = list(dict.fromkeys(row.group for row in measured))
    for name in names:
        yield name, [row for row in measured if row.group == name]
    if len(names) > 1:
        yield "all", measured


def problems(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """What was skipped and what failed, with the reasons."""
    for row in rows:
        if row.skipped:
            yield f"{row.name} skipped", row.skipped
        for result in row.results:
            if result.error:
                yield f"{row.name}, {result.engine} failed", result.error


def show_run(console: Console, run: Run) -> None:
    for suite, rows in run.suites.items():
        show(console, suite, rows, run.settings.get("smallest_peak", 0))
    if run.settings.get("interrupted"):
        console.print("[yellow]Interrupted: this is what was there by then.[/yellow]")


def show(console: Console, suite: str, rows: Sequence[Row], smallest: float = 0) -> None:
    """Print the times of one suite and what they cost, with geometric means for each group, and what failed."""
    names = engine_names(rows)
    if names:
        console.print(times_table(TITLES.get(suite, suite), names, rows))
        if any(result.peaks for row in rows for result in row.results):
            console.print(resources_table(names, rows, smallest))
    for what, why in problems(rows):
        colour = "yellow" if "skipped" in what else "red"
        console.print(f"[{colour}]{escape(what)}:[/{colour}] {escape(why)}", highlight=False)


def times_table(title: str, names: Sequence[str], rows: Sequence[Row]) -> Table:
    rates = any(rate(row.results) for row in rows)
    table = Table(title=title, title_justify="left")
    table.add_column("program")
    for name in names:
        table.add_column(name, justify="right")
    if rates:
        table.add_column("tier 0 rate", justify="right")
    for group, members in groups_of(rows):
        for row in members if group != "all" else []:
            cells = (coloured(times_cell(row, result)) for result in row.results)
            table.add_row(escape(row.name), *cells, *([rate(row.results)] if rates else []))
        if len(members) > 1:
            mean = means(members)
            cells = (f"[bold]{mean[name]:.2f}x[/bold]" if name in mean else "-" for name in names)
            table.add_row(f"[bold]{group}, geometric mean[/bold]", *cells, *([""] if rates else []), end_section=True)
    return table


def coloured(cell: str) -> str:
    """The ratio in a cell of times bold, a failure red."""
    if cell == "failed":
        return "[red]failed[/red]"
    return " ".join(f"[bold]{word}[/bold]" if word.endswith("x") else word for word in cell.split(" "))


def resources_table(names: Sequence[str], rows: Sequence[Row], smallest: float) -> Table:
    table = Table(title="Processor time (all threads, user and system) and peak memory", title_justify="left")
    table.add_column("program")
    for name in names:
        table.add_column(name, justify="right")
    for row in rows:
        if not row.skipped:
            table.add_row(escape(row.name), *(resources_cell(result, smallest) for result in row.results))
    return table
