"""Bar plots of one suite, as SVG. Matplotlib is optional: the extra `bench` brings it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from metaphrase.benchmarks.compiling import compiled, total
from metaphrase.benchmarks.report import engine_names, groups_of
from metaphrase.benchmarks.results import Row, means
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine.statistics import STAGES

# One colour for each engine, whichever others are shown beside it (Okabe and Ito's, which the colour-blind can tell).
COLOURS = {
    "qemu": "#999999", "tier 0": "#e69f00", "auto": "#0072b2", "warm": "#0072b2", "cold": "#56b4e9",
    "no cache": "#cc79a7",
}  # fmt: skip
OTHER = "#009e73"
STAGE_COLOURS = ("#999999", "#56b4e9", "#e69f00", "#009e73", "#0072b2", "#cc79a7")
BAR = 0.2  # inches
PLAIN_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def require_matplotlib() -> None:
    """Raise MetaphraseError, with what to do, where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401  # optional
    except ImportError as error:
        raise MetaphraseError("reports need matplotlib: pip install 'metaphrase[bench]'") from error


def ratios_as_svg(suite: str, rows: Sequence[Row]) -> str:
    """Times slower than native for each program and engine, on a logarithmic axis, with the spread of the runs; the
    geometric means of the groups at the end. "" if there is nothing to compare with native.

    Raises MetaphraseError where matplotlib is missing.
    """
    names = engine_names(rows)[1:]
    bars = list(_bars(names, rows))
    if not names or not bars:
        return ""
    require_matplotlib()
    import matplotlib  # optional, and slow to import
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    # Text stays text; ids are unique among the plots of a page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": suite, "font.size": 9}):
        height = BAR * len(bars) * (len(names) + 1) + 0.9
        figure = Figure(figsize=(9, height), layout="constrained")
        axes = figure.add_subplot()
        for number, name in enumerate(names):
            known = [(place, *bar[1][name]) for place, bar in enumerate(bars) if name in bar[1]]
            places = [place + (number + 0.5) / (len(names) + 1) for place, *_ in known]
            values = [value for _, value, _, _ in known]
            errors = [[low for *_, low, _ in known], [high for *_, high in known]]
            axes.barh(
                places, [value - 1 for value in values], 1 / (len(names) + 1), left=1, xerr=errors, label=name,
                color=COLOURS.get(name, OTHER), error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
            )  # fmt: skip
            for place, value in zip(places, values):
                axes.annotate(f" {value:.2f}" if value < 10 else f" {value:.0f}", (max(value, 1), place),
                              va="center", fontsize=7, xytext=(5, 0), textcoords="offset points")  # fmt: skip
        axes.set_xscale("log")
        axes.set_yticks([place + 0.5 * len(names) / (len(names) + 1) for place in range(len(bars))],
                        [label for label, _ in bars])  # fmt: skip
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(FixedLocator(PLAIN_TICKS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.axvline(1, color="black", linewidth=0.8)
        axes.margins(x=0.08, y=0.02)
        axes.grid(axis="x", which="major", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("times slower than native (logarithmic)")
        axes.spines[["top", "right", "left"]].set_visible(False)
        figure.legend(loc="outside upper left", ncols=len(names), frameon=False)
        return _svg(figure)


def stages_as_svg(suite: str, rows: Sequence[Row]) -> str:
    """What compiling a guest instruction costs in each stage, for each program and in total; "" if nothing was
    compiled with an empty cache.

    Raises MetaphraseError where matplotlib is missing.
    """
    parts = compiled(rows)
    if not parts:
        return ""
    if len(parts) > 1:
        parts.append(total(parts))
    require_matplotlib()
    import matplotlib  # optional, and slow to import
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"{suite}, stages", "font.size": 9}):
        figure = Figure(figsize=(9, 1.6 * BAR * len(parts) + 0.9), layout="constrained")
        axes = figure.add_subplot()
        begins = [0.0] * len(parts)
        for number, (stage, colour) in enumerate(zip(STAGES.values(), STAGE_COLOURS)):
            costs = [one.stages[number] / one.instructions * 1e6 for one in parts]
            axes.barh(range(len(parts)), costs, 0.7, left=begins, label=stage, color=colour)
            begins = [begin + cost for begin, cost in zip(begins, costs)]
        axes.set_yticks(range(len(parts)), [one.name for one in parts])
        axes.invert_yaxis()
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("microseconds of processor time for each guest instruction")
        axes.spines[["top", "right", "left"]].set_visible(False)
        figure.legend(loc="outside upper left", ncols=len(STAGES), frameon=False)
        return _svg(figure)


def _bars(names: Sequence[str], rows: Sequence[Row]) -> list[tuple[str, dict[str, tuple[float, float, float]]]]:
    """Labels with, for each engine that has one, the ratio and how far the runs reach below and above it."""
    found: list[tuple[str, dict[str, tuple[float, float, float]]]] = []
    for row in rows:
        ratios = {}
        for result in row.results[1:]:
            if (ratio := row.ratio(result)) is not None:
                unit = row.results[0].wall
                ratios[result.engine] = (ratio, ratio - min(result.walls) / unit, max(result.walls) / unit - ratio)
        if ratios:
            found.append((row.name, ratios))
    for group, members in groups_of(rows):
        if len(members) > 1:
            mean = means(members)
            found.append((f"{group}, mean", {name: (mean[name], 0.0, 0.0) for name in names if name in mean}))
    return found


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    found = text.getvalue()
    return found[found.index("<svg") :]  # a part of a page has no XML declaration
