"""Results survive JSON, and become tables and a page."""

from __future__ import annotations

import io
import sys
import xml.dom.minidom
from pathlib import Path

import pytest
from rich.console import Console

from metaphrase.benchmarks.command import show_run
from metaphrase.benchmarks.compare import compare
from metaphrase.benchmarks.page import as_html
from metaphrase.benchmarks.plots import ratios_as_svg, require_matplotlib, stages_as_svg
from metaphrase.benchmarks.results import Result, ResultsError, Row, Run, geometric_mean, means
from metaphrase.ir.errors import MetaphraseError
from tests.benchmarks.samples import COMPILED, a_run, result, row

ROWS = [
    row("sieve", result("native", 1.0, 1.1), result("auto", 2.0, 2.2, statistics={"regions": 4, "run_seconds": 2.0})),
    row("nbody", result("native", 1.0), result("auto", 4.0), group="float"),
    row("saxpy", result("native", 1.0), result("auto", error="status <70>"), group="float"),
    row("lua", skipped="not installed: apt-get install lua5.4"),
]


def test_means_leave_out_engines_that_failed() -> None:
    assert geometric_mean([2, 8]) == pytest.approx(4)
    rows = [
        Row("p", "integer", [Result("native", [1.0]), Result("good", [2.0, 2.0, 9.0]), Result("bad", [5.0])]),
        Row("q", "integer", [Result("native", [2.0]), Result("good", [16.0]), Result("bad", error="status 1")]),
        Row("r", "integer", [], skipped="not installed"),
    ]
    assert means(rows) == {"native": pytest.approx(1), "good": pytest.approx(4)}
    assert means(rows[2:]) == {}


def test_json_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    run = a_run(ROWS, suite="start-up")
    run.write(path)
    assert Run.read(path) == run
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(ResultsError, match=r"other\.json holds no benchmark results"):
        Run.read(tmp_path / "other.json")


def test_tables_hold_ratios_and_reasons() -> None:
    console = Console(file=io.StringIO(), width=160)
    show_run(console, a_run(ROWS))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "2.100 s 2.00x ±5%" in text and "2.940 s 2.00x" in text
    assert "40 MiB" in text and "+0 MiB" in text
    assert "integer, geometric" not in text and "float, geometric mean" in text and "all, geometric mean" in text
    assert "saxpy, auto failed: status <70>" in text and "lua skipped: not installed: apt-get install lua5.4" in text


def test_the_page_is_whole() -> None:
    run = a_run(ROWS)
    page = as_html(run, compare(run, run))
    for text in ("<svg", "2.00x", "apt-get install lua5.4", "What sieve does &lt;quickly&gt;.", "status &lt;70&gt;",
                 "run seconds", "processor", "Slower: nothing", "new/old"):  # fmt: skip
        assert text in page, text
    assert "src=" not in page and "<script" not in page and 'rel="stylesheet"' not in page


def test_plots_show_every_program_that_ran() -> None:
    svg = ratios_as_svg("kernels", ROWS)
    xml.dom.minidom.parseString(svg)
    assert "sieve" in svg and "nbody" in svg and "saxpy" not in svg and "lua" not in svg and "logarithmic" in svg
    assert ratios_as_svg("kernels", ROWS) == svg, "the same results give the same plot"
    assert ratios_as_svg("kernels", ROWS[3:]) == ""
    assert ratios_as_svg("kernels", [row("p", result("native", 1.0))]) == ""


def test_stages_are_drawn_where_regions_were_compiled() -> None:
    svg = stages_as_svg("programs", COMPILED)
    xml.dom.minidom.parseString(svg)
    assert all(text in svg for text in ("gzip", "total", "lifting", "microseconds"))
    assert stages_as_svg("programs", COMPILED) == svg
    assert stages_as_svg("kernels", ROWS) == ""


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MetaphraseError, match=r"pip install 'metaphrase\[bench\]'"):
        require_matplotlib()
