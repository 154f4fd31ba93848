"""`metaphrase bench`, `python -m metaphrase.benchmarks`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from metaphrase.benchmarks.command import bench
from tests.benchmarks.samples import a_run, result, row


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(bench, [str(argument) for argument in arguments])


def test_a_kernel_is_measured_and_compared(tmp_path: Path) -> None:
    first, second, page = (tmp_path / name for name in ("first.json", "second.json", "report.html"))
    chosen = ("--suite", "kernels", "--quick", "--repetitions", 1, "--only", "^sieve$", "--engine", "native")
    done = invoke(*chosen, "--output", first)
    assert done.exit_code == 0, done.output
    found = json.loads(first.read_text())
    (program,) = found["kernels"]["programs"]
    assert program["name"] == "sieve" and program["engines"][0]["median_seconds"] > 0
    assert program["engines"][0]["peak_bytes"][0] > 1 << 20
    assert found["host"]["cores"] and found["settings"]["quick"] is True
    done = invoke(*chosen, "--output", second, "--compare", first, "--report", page)
    assert done.exit_code == 0 and "new/old" in done.output
    assert "sieve" in page.read_text()


def test_earlier_runs_are_shown_compared_and_reported(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    a_run([row("p", result("native", 1.0, 1.0), result("auto", 2.0, 2.1))]).write(old)
    a_run([row("p", result("native", 1.0, 1.0), result("auto", 3.0, 3.1))]).write(new)
    assert invoke("--from", new).exit_code == 0
    done = invoke("--from", new, "--compare", old)
    assert done.exit_code == 1 and "slower: kernels: p, auto" in done.output
    assert invoke("--from", old, "--compare", new).exit_code == 0


def test_errors_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    for arguments in (["--from", tmp_path / "bad.json"], ["--engine", "bogus"], ["--only", "nothing at all"]):
        done = invoke(*arguments)
        assert done.exit_code == 1 and done.output.startswith("Error: ") and len(done.output.splitlines()) == 1
    assert invoke("--suite", "bogus").exit_code == 2


def test_the_list_names_every_benchmark() -> None:
    done = invoke("--list")
    assert done.exit_code == 0
    listed = [tuple(line.split()[:2]) for line in done.output.splitlines()]
    assert {("kernels", "sieve"), ("programs", "xz"), ("programs", "sort"), ("start-up", "/bin/true")} <= set(listed)


def test_the_module_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "metaphrase.benchmarks", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--compare" in done.stdout and "metaphrase bench" in done.stdout
