"""Tables for people, out of the measured results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from metaphrase.benchmarks.compiling import compile_sheet
from metaphrase.benchmarks.engines import IMPORT
from metaphrase.benchmarks.kernels import CALLS
from metaphrase.benchmarks.results import Result, Row, geometric_mean, means
from metaphrase.benchmarks.scaling import SCALING, scaling_sheet
from metaphrase.benchmarks.sheets import Sheet, Summed, as_table

TITLES = {
    "kernels": "Kernels (times slower than native; ± half the spread; ~ scaled up from fewer iterations)",
    CALLS: "System calls (times slower than native; ± half the spread; ~ scaled up from fewer iterations)",
    "programs": "Debian's programs (times slower than native; ± half the spread; cold: with an empty cache)",
    SCALING: "Programs with one thread and with two (times slower than native; ± half the spread)",
    "start-up": "Start-up",
    IMPORT: "Import: what it adds to the start of Python",
}
MIB = 1 << 20
NEAR = 1.1
"""A peak that is not above the smallest one by more than this factor may be anything below."""


def seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 0.1 else f"{value:.3f} s"


def times_cell(row: Row, result: Result) -> str:
    """Time, ratio to native and spread, as plain text; ~ marks a time scaled up from fewer iterations."""
    if not result.walls:
        return "failed"
    ratio = row.ratio(result)
    times = f" {ratio:.2f}x" if ratio is not None and result is not row.results[0] else ""
    return f"{'~' if result.scale > 1 else ''}{seconds(result.wall)}{times} ±{result.spread * 50:.0f}%"


def processor_cell(row: Row, result: Result) -> str:
    """Processor time, of the guest and of what is compiled beside it, and its ratio to native."""
    if not result.walls:
        return ""
    ratio = row.processor_ratio(result) if result is not row.results[0] else None
    return seconds(result.processor) + (f" {ratio:.2f}x" if ratio is not None else "")


def memory_cell(row: Row, result: Result, smallest: float) -> str:
    """MiB at the peak: of the first engine, all of it; of the others, what they have more."""
    told = result.peak > smallest * NEAR
    if result is row.results[0]:
        bound = f"< {smallest * NEAR / MIB:.0f} MiB"
        return "" if not result.peaks else f"{result.peak / MIB:.0f} MiB" if told else bound
    over = row.memory_over_native(result)
    if over is None:
        return ""
    if not told:
        return ""
    # Where the native peak is only known to be no more than the smallest, the difference is no less than this.
    least = "" if row.results[0].peak > smallest * NEAR else "≥ "
    return f"{least}{over / MIB:+.0f} MiB"


def rate(results: Sequence[Result]) -> float:
    """Guest instructions a second in tier 0, where it counted them; else 0."""
    for result in results:
        found = result.statistics
        if result.engine == "tier 0" and found.get("instructions") and found.get("run_seconds"):
            return found["instructions"] / found["run_seconds"]
    return 0.0


def mean_rate(rows: Sequence[Row]) -> float:
    """The geometric mean of tier 0's rates; 0 unless all that ran have one."""
    rates = [rate(row.results) for row in rows if not row.skipped]
    return geometric_mean(rates) if rates and all(rates) else 0.0


def import_seconds(row: Row) -> float | None:
    """What an import adds to the start of Python, in seconds."""
    walls = [result.wall for result in row.results if result.walls]
    return walls[1] - walls[0] if len(walls) == 2 else None


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


def show(console: Console, suite: str, rows: Sequence[Row], smallest: float = 0) -> None:
    """Print the tables of one suite, and what was skipped or failed."""
    for sheet in suite_sheets(suite, rows, smallest):
        console.print(as_table(sheet))
    for what, why in problems(rows):
        colour = "yellow" if "skipped" in what else "red"
        console.print(f"[{colour}]{escape(what)}:[/{colour}] {escape(why)}", highlight=False)


def suite_sheets(suite: str, rows: Sequence[Row], smallest: float) -> Iterator[Sheet]:
    """The tables of one suite; the first is that of its times."""
    names = engine_names(rows)
    measured = [row for row in rows if not row.skipped]
    if not names:
        return
    yield times_sheet(suite, names, rows)
    if suite == IMPORT:
        return
    if (gained := scaling_sheet(names, measured)) is not None:
        yield gained
    if suite == CALLS:
        yield calls_sheet(names, measured)
    cells = [[row.name, *(processor_cell(row, result) for result in row.results)] for row in measured]
    yield Sheet("Processor time (all threads, user and system)", ["program", *names], cells)
    if any(result.peaks for row in measured for result in row.results):
        cells = [[row.name, *(memory_cell(row, result, smallest) for result in row.results)] for row in measured]
        yield Sheet(
            f"Peak memory: {names[0]}, and over {names[0]}", ["program", *names], cells,
            f"{names[0]}: all of it; the others: what they have more. Of small peaks only a bound can be told.",
        )  # fmt: skip
    if (compiling := compile_sheet(rows)) is not None:
        yield compiling
    if (started := warm_sheet(measured)) is not None:
        yield started


def calls_sheet(names: Sequence[str], rows: Sequence[Row]) -> Sheet:
    """What an iteration takes, in nanoseconds."""

    def cell(row: Row, engine: str) -> str:
        found = next((result for result in row.results if result.engine == engine and result.walls), None)
        return f"{found.wall / row.iterations * 1e9:,.0f}" if found is not None else ""

    return Sheet(
        "Nanoseconds an iteration", ["program", *names],
        [[row.name, *(cell(row, engine) for engine in names)] for row in rows],
        "An iteration is one system call, or two (pipe, vectors, open, folder). The start of each run is in it.",
    )  # fmt: skip


def times_sheet(suite: str, names: Sequence[str], rows: Sequence[Row]) -> Sheet:
    """The times of every program, with the geometric means of every group."""
    rates, imports = any(rate(row.results) for row in rows), suite == IMPORT
    lines: list[Sequence[str]] = []
    for group, members in groups_of(rows):
        for row in members if group != "all" else []:
            line = [row.name, *(times_cell(row, result) for result in row.results)]
            taken = import_seconds(row)
            line += [_millions(rate(row.results))] * rates + [seconds(taken) if taken is not None else ""] * imports
            lines.append(line)
        if len(members) > 1:
            mean = means(members)
            line = [f"{group}, geometric mean", *(f"{mean[name]:.2f}x" if name in mean else "-" for name in names)]
            lines.append(Summed(line + [_millions(mean_rate(members))] * rates + [""] * imports))
    head = ["program", *names, *["tier 0 rate"] * rates, *["the import alone"] * imports]
    note = "tier 0 rate: million guest instructions a second" if rates else ""
    return Sheet(TITLES.get(suite, suite), head, lines, note)


def _millions(found: float) -> str:
    return f"{found / 1e6:,.0f} M/s" if found else ""


def warm_sheet(rows: Sequence[Row]) -> Sheet | None:
    """What was left to compile where the cache was filled, and whether LLVM was loaded for that."""
    lines = []
    for row in rows:
        for told in (result.statistics for result in row.results if result.engine == "warm"):
            if "llvm_load_seconds" in told:
                load = told["llvm_load_seconds"]
                counts = (told["forms_compiled"], told["regions"], told["regions_cached"])
                lines.append([row.name, *(f"{count:,.0f}" for count in counts), seconds(load) if load else "no"])
    head = ["program", "handlers compiled", "regions compiled", "regions from the cache", "LLVM loaded"]
    return Sheet("What warm starts had to compile", head, lines) if lines else None
