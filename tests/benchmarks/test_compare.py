"""Regressions are what the spread of both runs does not explain."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from metaphrase.benchmarks.compare import Change, Comparison, Verdict, compare, show_comparison
from metaphrase.benchmarks.results import Result
from tests.benchmarks.samples import a_run, result, row


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([1.0, 1.1, 1.2], [1.15, 1.3, 1.4], Verdict.SAME),  # a new run is as quick as an old one
        ([1.0, 1.1, 1.2], [1.21, 1.3, 1.4], Verdict.SLOWER),
        ([1.0, 1.0, 1.0], [1.01, 1.01, 1.01], Verdict.SAME),  # within the tolerance
        ([1.0, 1.0, 1.0], [0.9, 0.9, 0.95], Verdict.FASTER),
        ([1.0], [1.15], Verdict.SAME),  # single runs tell no spread
        ([1.0], [1.4], Verdict.SLOWER),
    ],
)
def test_verdicts(old: list[float], new: list[float], verdict: Verdict) -> None:
    assert Change("kernels", "p", result("auto", *old), result("auto", *new)).verdict is verdict


def test_a_slower_machine_is_no_regression() -> None:
    old = a_run([row("p", result("native", 1.0, 1.0), result("qemu", 3.0, 3.0), result("auto", 2.0, 2.0))])
    new = a_run([row("p", result("native", 2.0, 2.0), result("qemu", 6.0, 6.0), result("auto", 2.0, 2.0))])
    found = compare(old, new)
    assert [change.verdict for change in found.changes] == [Verdict.CONTROL, Verdict.CONTROL, Verdict.SAME]
    assert not found.regressed


def text_of(found: Comparison) -> str:
    console = Console(file=io.StringIO(), width=160)
    show_comparison(console, found)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_cannot_be_compared_is_told() -> None:
    native = result("native", 1.0, 1.0)
    old = [
        row("same", native, result("auto", 2.0, 2.1), version="p 1.0"),
        row("other work", native, result("auto", 2.0), work="v"),
        row("gone", native),
    ]
    new = [
        row("same", native, result("auto", 2.0, 2.1), result("tier 0", 9.0), version="p 2.0"),
        row("other work", native, result("auto", 5.0)),
        row("new one", native),
        row("skipped", skipped="not installed"),
    ]
    found = compare(a_run(old, processor="A", quick=True), a_run(new, processor="B"))
    text = text_of(found)
    assert not found.regressed and len(found.changes) == 2
    assert "processor: A -> B" in text and "quick: True -> False" in text and "p 1.0 -> p 2.0" in text
    assert "same, tier 0 has no earlier time" in text and "other work has other work to do" in text
    assert "gone is in the old run only" in text and "new one was measured in the new run only" in text
    assert "skipped was measured in at most one run" in text


def test_regressions_are_named() -> None:
    native = result("native", 1.0, 1.0)
    old = [row("p", native, result("auto", 2.0, 2.1)), row("q", native, result("auto", 2.0))]
    new = [row("p", native, result("auto", 3.0, 3.2)), row("q", native, result("auto", error="status 70"))]
    found = compare(a_run(old), a_run(new))
    text = text_of(found)
    assert found.regressed and "slower: kernels: p, auto: 1.51 times" in text
    assert "no longer runs: kernels: q, auto: status 70" in text and "differ in more" not in text
    assert "Nothing got slower" in text_of(compare(a_run(old), a_run(old)))


def test_results_of_older_versions_can_be_compared() -> None:
    """They had neither peaks nor digests of the work."""
    old = row("p", Result("native", [1.0], [1.0]), Result("auto", [2.0], [2.0]), work="")
    assert [change.verdict for change in compare(a_run([old]), a_run([old])).changes] == [Verdict.SAME] * 2
