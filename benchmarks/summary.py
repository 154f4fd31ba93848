"""The whole run on one screen: geometric means of all groups, and the figures that there is an aim for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from metaphrase.benchmarks.compiling import compiled, thousands, total
from metaphrase.benchmarks.engines import COLD, IMPORT
from metaphrase.benchmarks.report import MIB, engine_names, groups_of, import_seconds, mean_rate, seconds
from metaphrase.benchmarks.results import Row, Run, geometric_mean, means
from metaphrase.benchmarks.sheets import Sheet, Summed

IMPORT_AIM = 0.15
"""Seconds that `import metaphrase` may take."""
PYTHON_AIM = 250e6
"""Bytes of memory that Python may take beyond what it takes natively."""
COLD_AIM = 1.5
"""Seconds that a program may take longer than under qemu when nothing is in the cache."""
SAME = {"auto": "warm"}
"""Engines that go by another name in another suite."""


def summary_sheets(run: Run) -> Iterator[Sheet]:
    """What to look at first."""
    suites = {name: rows for name, rows in run.suites.items() if name != IMPORT and any(row.results for row in rows)}
    if suites:
        yield means_sheet(suites)
    facts = list(_facts(run))
    if facts:
        yield Sheet("At a glance", ["", "measured", "aim"], facts)


def means_sheet(suites: dict[str, list[Row]]) -> Sheet:
    """The geometric means of every group of every suite."""
    measured = {suite: engine_names(rows)[1:] for suite, rows in suites.items()}
    names = list(dict.fromkeys(SAME.get(name, name) for found in measured.values() for name in found))
    lines: list[Sequence[str]] = []
    for suite, rows in suites.items():
        for group, members in groups_of(rows):
            walls, processors = means(members), means(members, Row.processor_ratio)
            cells = {SAME.get(name, name): _pair(walls.get(name), processors.get(name)) for name in measured[suite]}
            label = suite if group == suite else f"{suite}: {group}"
            line = [label, str(len(members)), *(cells.get(name, "") for name in names)]
            lines.append(Summed(line) if group == "all" else line)
    return Sheet(
        "Times slower than native, geometric means: by the clock / in processor time", ["group", "programs", *names],
        lines, "warm: both tiers with a filled cache; cold: with an empty one. - : the engine failed somewhere.",
    )  # fmt: skip


def _pair(wall: float | None, processor: float | None) -> str:
    if wall is None:
        return "-"
    return f"{wall:.2f}x / " + (f"{processor:.2f}x" if processor is not None else "-")


def _facts(run: Run) -> Iterator[list[str]]:
    """Lines of name, figure and aim, as far as they were measured."""
    integer = [row for row in run.suites.get("kernels", []) if row.group == "integer"]
    if rate := mean_rate(integer):
        yield ["tier 0 on the integer kernels, geometric mean", f"{rate / 1e6:,.0f} million instructions/s", ""]
    programs = run.suites.get("programs", [])
    if parts := compiled(programs):
        yield ["compiling the programs' regions", f"{thousands(total(parts).rate)} thousand instructions/s", ""]
    yield from _cold_facts(programs)
    for row in programs:
        for result in row.results[1:] if row.name == "python" else []:
            over = row.memory_over_native(result)
            if over is not None and result.engine in ("auto", COLD):
                aim = f"under {PYTHON_AIM / MIB:.0f} MiB{_missed(over < PYTHON_AIM)}"
                yield [f"python's memory over native, {result.engine}", f"{over / MIB:.0f} MiB", aim]
    for row in run.suites.get(IMPORT, []):
        if (taken := import_seconds(row)) is not None:
            yield [row.name, seconds(taken), f"under {IMPORT_AIM * 1e3:.0f} ms{_missed(taken < IMPORT_AIM)}"]


def _missed(reached: bool) -> str:
    return "" if reached else " (missed)"


def _cold_facts(rows: Sequence[Row]) -> Iterator[list[str]]:
    pairs = against_qemu(rows)
    if not pairs:
        return
    mean = geometric_mean([cold / qemu for cold, qemu in pairs.values()])
    yield [f"empty cache, {len(pairs)} programs, geometric mean over qemu's time", f"{mean:.2f}x", ""]
    late = [f"{name} (+{cold - qemu:.1f} s)" for name, (cold, qemu) in pairs.items() if cold > qemu + COLD_AIM]
    aim = f"none{_missed(not late)}"
    yield [f"empty cache, over qemu's time by more than {COLD_AIM:g} s", ", ".join(late) or "none", aim]


def against_qemu(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """Program -> seconds with an empty cache, and under qemu, where both ran."""
    found = {}
    for row in rows:
        walls = {result.engine: result.wall for result in row.results if result.walls}
        if COLD in walls and "qemu" in walls:
            found[row.name] = walls[COLD], walls["qemu"]
    return found
