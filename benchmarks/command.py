"""`metaphrase bench`: compare Metaphrase with native runs and with qemu-user on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from metaphrase.benchmarks.compare import Comparison, compare, show_comparison
from metaphrase.benchmarks.harness import plan, run_suites
from metaphrase.benchmarks.page import as_html
from metaphrase.benchmarks.plots import require_matplotlib
from metaphrase.benchmarks.report import show
from metaphrase.benchmarks.results import Run
from metaphrase.benchmarks.sheets import as_table
from metaphrase.benchmarks.suites import SUITES
from metaphrase.benchmarks.summary import summary_sheets
from metaphrase.ir.errors import MetaphraseError

RESULTS = Path(".cache/benchmarks")
WIDTH = 130  # columns, where the output is no terminal
FILE = click.Path(path_type=Path, dir_okay=False)
EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.option("--suite", "names", multiple=True, type=click.Choice([suite.name for suite in SUITES]),
              help="Only this suite (repeatable).")  # fmt: skip
@click.option("--quick", is_flag=True, help="A quarter of the work; start-up then weighs more.")
@click.option("--repetitions", default=3, show_default=True, type=click.IntRange(1),
              help="Measured runs of each program and engine; start-up is run twice as often.")  # fmt: skip
@click.option("--only", default="", metavar="REGEX", help="Only programs whose name matches.")
@click.option("--engine", "engines", multiple=True, metavar="NAME",
              help="Only this engine, besides native (repeatable).")  # fmt: skip
@click.option("--without", "left_out", multiple=True, metavar="MECHANISM",
              help="Also without this mechanism of the translator (repeatable; see docs/mechanisms.md).")  # fmt: skip
@click.option("--output", type=FILE, default=RESULTS / "latest.json", show_default=True, help="Where the JSON goes.")
@click.option("--report", type=FILE, help="Write tables and plots to this HTML file.")
@click.option("--compare", "old", type=EXISTING, help="Tell what got slower since this JSON was written.")
@click.option("--from", "earlier", type=EXISTING, help="Measure nothing; show, report or compare this JSON.")
@click.option("--list", "listing", is_flag=True, help="List the benchmarks, and measure nothing.")
def bench(
    names: tuple[str, ...],
    quick: bool,
    repetitions: int,
    only: str,
    engines: tuple[str, ...],
    left_out: tuple[str, ...],
    output: Path,
    report: Path | None,
    old: Path | None,
    earlier: Path | None,
    listing: bool,
) -> None:
    """Time kernels, Debian's programs, and the start of programs, natively and translated; print tables and write JSON.

    Exits with 1 if any engine failed anywhere, or if --compare finds a regression.
    """
    console, progress = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=WIDTH)
    suites = [suite for suite in SUITES if not names or suite.name in names]
    try:
        if listing:
            for suite, one in plan(suites, quick=quick, only=only):
                console.out(f"{suite.name:9} {one.name:16} {one.missing or one.title}", highlight=False)
            return
        if report:
            require_matplotlib()  # before the long part
        before = Run.read(old) if old else None
        if earlier:
            run = Run.read(earlier)
        else:
            run = run_suites(
                suites, RESULTS.absolute(), quick=quick, repetitions=repetitions, only=only, engines=engines,
                left_out=left_out, console=progress,
            )  # fmt: skip
            run.write(output)
        failed = finish(console, run, before, report)
        if not earlier:
            console.print(f"written to {output}", highlight=False)
    except MetaphraseError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(130 if run.settings.get("interrupted") and not earlier else failed)


def finish(console: Console, run: Run, before: Run | None, report: Path | None) -> bool:
    """Show a run, compare it, and write the report; tells whether something failed or got slower."""
    show_run(console, run)
    comparison: Comparison | None = None
    if before:
        comparison = compare(before, run)
        show_comparison(console, comparison)
    if report:
        report.write_text(as_html(run, comparison))
        console.print(f"report in {report}", highlight=False)
    return run.failed or bool(comparison and comparison.regressed)


def show_run(console: Console, run: Run) -> None:
    """Print the tables of all suites; the summary comes last, where it is seen."""
    for suite, rows in run.suites.items():
        show(console, suite, rows, run.settings.get("smallest_peak", 0))
    for sheet in summary_sheets(run):
        console.print(as_table(sheet))
    if run.settings.get("interrupted"):
        console.print("[yellow]Interrupted: this is what was there by then.[/yellow]")
