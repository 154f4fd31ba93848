"""What the summary says, and what the tables of compiling, memory and start-up say."""

from __future__ import annotations

import pytest

from metaphrase.benchmarks.compiling import compile_sheet, compiled, total
from metaphrase.benchmarks.engines import IMPORT
from metaphrase.benchmarks.page import as_html
from metaphrase.benchmarks.report import mean_rate, memory_cell, suite_sheets
from metaphrase.benchmarks.results import Result, Row, Run, means
from metaphrase.benchmarks.sheets import Summed
from metaphrase.benchmarks.summary import against_qemu, summary_sheets
from tests.benchmarks.samples import COMPILED, MIB, a_run, result, row

TIER_0 = [
    row(name, result("native", 1.0), result("tier 0", 9.0, statistics={"instructions": count, "run_seconds": 2.0}))
    for name, count in (("sieve", 4e8), ("crc", 16e8))
]
IMPORTED = row("import metaphrase", result("python", 0.020), result("import", 0.024), group=IMPORT)


def facts_of(run: Run) -> dict[str, tuple[str, str]]:
    """The lines of the last sheet by their names."""
    return {name: (measured, aim) for name, measured, aim in list(summary_sheets(run))[-1].rows}


def test_throughput_is_told_by_stage() -> None:
    parts = compiled(COMPILED)
    assert [one.name for one in parts] == ["gzip", "python"], "what compiled nothing is left out"
    assert parts[0].rate == pytest.approx(4000) and total(parts).rate == pytest.approx(4000)
    sheet = compile_sheet(COMPILED)
    assert sheet is not None
    gzip, python, last = (dict(zip(sheet.head, line)) for line in sheet.rows)
    assert (gzip["instructions"], gzip["elapsed"], gzip["all"]) == ("4,000", "2.0", "4.0")
    assert (python["LLVM"], python["lifting"]) == ("8.0 (50%)", "40 (10%)")
    assert (last["program"], last["regions"], last["LLVM"]) == ("total", "100", "8.0 (50%)")
    assert isinstance(sheet.rows[-1], Summed)
    assert compile_sheet(COMPILED[2:]) is None


def test_warm_runs_say_nothing_about_throughput() -> None:
    """They compile leftovers, and their results from before stages were measured have none."""
    told = COMPILED[0].results[2].statistics
    assert compiled([row("p", result("native", 1.0), result("auto", 2.0, statistics=told))]) == []
    assert compiled([row("p", result("native", 1.0), result("cold", 2.0, statistics={"regions": 3}))]) == []


def test_means_are_of_wall_and_of_processor_time() -> None:
    run = Run({}, {}, {"programs": COMPILED, "start-up": [row("p", result("native", 1.0), result("warm", 3.0))]})
    sheet = next(summary_sheets(run))
    assert list(sheet.head) == ["group", "programs", "qemu", "cold", "warm"]
    lines = {line[0]: list(line[1:]) for line in sheet.rows}
    assert lines["programs: interpreters"] == ["2", "5.66x / 5.66x", "8.00x / 8.00x", ""]
    assert lines["programs: all"][0] == "3" and lines["start-up: integer"] == ["1", "", "", "3.00x / 3.00x"]
    quick = Row("p", "g", [Result("native", [1.0], [0.0]), Result("auto", [2.0], [1.0])])
    assert means([quick])["auto"] == 2 and means([quick], Row.processor_ratio) == {}, "no time is no measure"


def test_auto_is_what_start_up_calls_warm() -> None:
    run = Run({}, {}, {"kernels": TIER_0, "programs": [row("p", result("native", 1.0), result("auto", 2.0))]})
    assert list(next(summary_sheets(run)).head) == ["group", "programs", "tier 0", "warm"]


def test_cold_runs_are_compared_with_qemu() -> None:
    assert against_qemu(COMPILED)["python"] == (16.0, 8.0)
    facts = facts_of(a_run(COMPILED, suite="programs"))
    assert facts["empty cache, 3 programs, geometric mean over qemu's time"][0] == "1.44x"
    late = facts["empty cache, over qemu's time by more than 1.5 s"]
    assert late == ("python (+8.0 s)", "none (missed)")
    assert facts["compiling the programs' regions"][0] == "4.0 thousand instructions/s"
    assert facts["python's memory over native, cold"] == ("0 MiB", "under 238 MiB")
    early = facts_of(a_run(COMPILED[:1], suite="programs"))
    assert early["empty cache, over qemu's time by more than 1.5 s"] == ("none", "none")


def test_rates_of_tier_0() -> None:
    assert mean_rate(TIER_0) == pytest.approx(4e8)
    assert mean_rate([*TIER_0, row("p", result("native", 1.0))]) == 0, "a mean over fewer programs is none"
    (times, *_) = suite_sheets("kernels", TIER_0, 0)
    assert [line[-1] for line in times.rows] == ["200 M/s", "800 M/s", "400 M/s"]
    assert facts_of(a_run(TIER_0))["tier 0 on the integer kernels, geometric mean"][0] == "400 million instructions/s"


def test_memory_is_told_over_native() -> None:
    native, small = Result("native", [1.0], [1.0], [40 * MIB]), Result("native", [1.0], [1.0], [5 * MIB])
    ours, tiny = Result("auto", [1.0], [1.0], [140 * MIB]), Result("auto", [1.0], [1.0], [5 * MIB])
    known, bounded = Row("p", "g", [native, ours]), Row("p", "g", [small, ours, tiny])
    assert [memory_cell(known, one, 5 * MIB) for one in known.results] == ["40 MiB", "+100 MiB"]
    assert [memory_cell(bounded, one, 5 * MIB) for one in bounded.results] == ["< 6 MiB", "≥ +135 MiB", ""]
    unmeasured = Row("p", "g", [Result("native", [1.0], [1.0]), ours])
    assert [memory_cell(unmeasured, one, 5 * MIB) for one in unmeasured.results] == ["", ""]


def test_an_import_is_what_it_adds() -> None:
    (times,) = suite_sheets(IMPORT, [IMPORTED], 0)
    assert times.head[-1] == "the import alone" and times.rows[0][-1] == "4.0 ms"
    run = a_run([IMPORTED], suite=IMPORT)
    assert facts_of(run) == {"import metaphrase": ("4.0 ms", "under 150 ms")}
    alone = row("import metaphrase", result("python", 0.020), group=IMPORT)
    assert list(summary_sheets(a_run([alone], suite=IMPORT))) == []
    assert "4.0 ms" in as_html(run)


def test_warm_starts_say_whether_they_loaded_llvm() -> None:
    counts = {"forms_compiled": 0, "regions": 0, "regions_cached": 2}
    rows = [
        row(name, result("native", 0.1), result("warm", 0.2, statistics={**counts, "llvm_load_seconds": load}))
        for name, load in (("true", 0.0), ("python", 0.05))
    ]
    sheet = list(suite_sheets("start-up", rows, 0))[-1]
    assert [list(line) for line in sheet.rows] == [["true", "0", "0", "2", "no"], ["python", "0", "0", "2", "50.0 ms"]]


def test_the_page_begins_with_the_summary() -> None:
    page = as_html(a_run(COMPILED, suite="programs"))
    assert page.index("Summary") < page.index("At a glance") < page.index("Compiling with an empty cache")
    assert "python (+8.0 s)" in page and page.count("<svg") == 2
