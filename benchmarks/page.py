"""The report: one HTML file with tables and plots, which needs nothing besides itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from metaphrase.benchmarks.compare import Comparison, Verdict, cells
from metaphrase.benchmarks.engines import IMPORT
from metaphrase.benchmarks.plots import ratios_as_svg, stages_as_svg
from metaphrase.benchmarks.report import (
    MIB,
    problems,
    seconds,
    suite_sheets,
)
from metaphrase.benchmarks.results import Row, Run
from metaphrase.benchmarks.sheets import Sheet
from metaphrase.benchmarks.summary import summary_sheets

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: 90% }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
th:first-child, td:first-child, .left td { text-align: left }
.left td { white-space: normal }
tr.mean td { font-weight: bold; border-bottom: 2px solid #999 }
tr.slower td, .failed { color: #b00020 } tr.faster td { color: #00692b } tr.control td { color: #8a6100 }
figure { margin: 1rem 0; overflow-x: auto } svg { max-width: 100%; height: auto }
.note { color: #555; font-size: 90%; margin-top: -.5rem }
summary { cursor: pointer; color: #0050a0 } .wide { overflow-x: auto }
"""


def as_html(run: Run, comparison: Comparison | None = None) -> str:
    """The whole page. Raises MetaphraseError where matplotlib is missing."""
    body = "\n".join(_body(run, comparison))
    title = f"Metaphrase benchmarks, {escape(str(run.host.get('date', ''))[:10])}"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}\n</body></html>\n"
    )


def _body(run: Run, comparison: Comparison | None) -> Iterator[str]:
    if run.settings.get("interrupted"):
        yield '<p class="failed">This run was interrupted: some benchmarks are missing.</p>'
    yield "<p>Each program ran natively and under each engine, in turns; times are medians of all its runs, with half "
    yield "the spread between the slowest and the fastest. Ratios are to native: 1 is as fast.</p>"
    yield "<h2>Summary</h2>"
    for sheet in summary_sheets(run):
        yield from _shown_sheet(sheet)
    if comparison:
        yield from _compared(comparison)
    for suite, rows in run.suites.items():
        yield from _suite(suite, rows, run.settings.get("smallest_peak", 0))
    yield "<h2>Machine and settings</h2>"
    yield table([], [(name.replace("_", " "), value) for name, value in {**run.host, **_shown(run)}.items()], "left")


def _shown(run: Run) -> dict[str, object]:
    """The settings as people read them."""
    found = {name: ", ".join(value) if isinstance(value, list) else value for name, value in run.settings.items()}
    found["smallest_peak"] = f"{run.settings.get('smallest_peak', 0) / MIB:.1f} MiB, which every program has at least"
    return {name: value for name, value in found.items() if value != ""}


def _suite(suite: str, rows: Sequence[Row], smallest: float) -> Iterator[str]:
    for number, sheet in enumerate(suite_sheets(suite, rows, smallest)):
        yield from _shown_sheet(sheet, "h3" if number else "h2")
        if number == 0 and suite != IMPORT and (plot := ratios_as_svg(suite, rows)):
            yield f"<figure>{plot}</figure>"
    if plot := stages_as_svg(suite, rows):
        yield f"<figure>{plot}</figure>"
    found = list(problems(rows))
    if found:
        yield f'<ul class="failed">{"".join(f"<li>{escape(what)}: {escape(why)}</li>" for what, why in found)}</ul>'
    yield "<details><summary>What each program does</summary>"
    yield table([], [(row.name, row.title, row.version) for row in rows], "left") + "</details>"
    yield "<details><summary>Every run</summary>"
    yield table(["program", "engine", "wall seconds"], _runs(rows), "left") + "</details>"
    if counters := list(dict.fromkeys(name for row in rows for one in row.results for name in one.statistics)):
        yield '<details><summary>Statistics of Metaphrase</summary><div class="wide">'
        head = ["program, engine", *(name.replace("_", " ") for name in counters)]
        yield table(head, _statistics(rows, counters)) + "</div></details>"


def _shown_sheet(sheet: Sheet, heading: str = "h3") -> Iterator[str]:
    yield f"<{heading}>{escape(sheet.title)}</{heading}>"
    yield f'<div class="wide">{table(sheet.head, sheet.rows)}</div>'
    if sheet.note:
        yield f'<p class="note">{escape(sheet.note)}</p>'


def _runs(rows: Sequence[Row]) -> Iterator[Sequence[object]]:
    for row in rows:
        for result in row.results:
            note = f" (scaled up {result.scale:.1f} times)" if result.scale > 1 else ""
            yield row.name, result.engine, ", ".join(seconds(wall) for wall in result.walls) + note


def _statistics(rows: Sequence[Row], counters: Sequence[str]) -> Iterator[Sequence[object]]:
    for row in rows:
        for result in row.results:
            if result.statistics:
                values = (result.statistics.get(name, "") for name in counters)
                shown = (f"{value:.3f}" if isinstance(value, float) else f"{value}" for value in values)
                yield f"{row.name}, {result.engine}", *shown


def _compared(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Compared with an earlier run</h2>"
    if comparison.differences:
        yield "<p class='failed'>These runs differ in more than the code; compare their times with care:</p>"
        yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in comparison.differences)}</ul>"
    slower = [f"{change.program}, {change.engine}: {change.ratio:.2f} times" for change in comparison.slower]
    yield f"<p>Slower: {escape('; '.join([*slower, *comparison.broken]) or 'nothing')}.</p>"
    rows = [Marked(list(cells(change)), change.verdict) for change in comparison.changes]
    yield table(["suite", "program", "engine", "old", "new", "new/old", "verdict"], rows)
    yield f"<ul>{''.join(f'<li>not compared: {escape(line)}</li>' for line in comparison.incomparable)}</ul>"


class Marked(list[object]):
    """A line of a comparison."""

    def __init__(self, cells: list[str], verdict: Verdict) -> None:
        super().__init__(cells)
        self.style = verdict.value


def table(head: Sequence[str], rows: Iterable[Sequence[object]], style: str = "") -> str:
    """An HTML table; all text is escaped."""
    parts = [f'<table class="{style}">']
    if head:
        parts.append("<tr>" + "".join(f"<th>{escape(text)}</th>" for text in head) + "</tr>")
    for row in rows:
        cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in row)
        parts.append(f'<tr class="{getattr(row, "style", "")}">{cells}</tr>')
    return "\n".join([*parts, "</table>"])
