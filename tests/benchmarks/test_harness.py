"""The benchmark harness measures what it says, and says what failed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from metaphrase.benchmarks.__main__ import main
from metaphrase.benchmarks.building import BuildError, build
from metaphrase.benchmarks.engines import Engine
from metaphrase.benchmarks.kernels import GROUPS, all_kernels
from metaphrase.benchmarks.measure import Result, measure
from metaphrase.benchmarks.report import Row, geometric_mean, means


def test_kernels_describe_themselves() -> None:
    kernels = all_kernels()
    assert len({kernel.name for kernel in kernels}) == len(kernels) >= 12
    for group in GROUPS:
        assert len([kernel for kernel in kernels if kernel.group == group]) >= 3
    assert all(kernel.title.endswith(".") and kernel.iterations >= 40 for kernel in kernels)


def test_building_again_compiles_nothing(tmp_path: Path) -> None:
    source = tmp_path / "one.c"
    source.write_text("int main(void) { return 7; }\n")
    binary = build(source, ["-O1"], folder=tmp_path / "built")
    made = binary.stat().st_mtime_ns
    assert build(source, ["-O1"], folder=tmp_path / "built").stat().st_mtime_ns == made
    source.write_text("int main(void) { return 8; }\n")
    assert build(source, ["-O1"], folder=tmp_path / "built") != binary
    source.write_text("int main(void) { return }\n")
    with pytest.raises(BuildError, match=r"one\.c"):
        build(source, ["-O1"], folder=tmp_path / "built")


def test_engines_take_turns_and_failures_stay_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "from sys import argv; open(argv[1], 'a').write(argv[2]); print(argv[4] if argv[3] == 'right' else 'x')"

    def engine(name: str, kind: str) -> Engine:
        return Engine(name, (sys.executable, "-c", script, str(log), name, kind))

    broken = Engine("b", (sys.executable, "-c", "raise SystemExit(3)"))
    engines = [engine("n", "right"), engine("a", "right"), broken, engine("w", "wrong")]
    results = measure(engines, lambda count: [str(count)], 5, 3)
    assert [len(result.walls) for result in results] == [3, 3, 0, 0]
    assert "status 3" in results[2].error and "natively" in results[3].error
    # the reference runs once more for the expected output; then n and a alternate
    assert log.read_text().endswith("nanana")


def test_means_leave_out_engines_that_failed() -> None:
    assert geometric_mean([2, 8]) == pytest.approx(4)
    rows = [
        Row("p", "integer", [Result("native", [1.0]), Result("good", [2.0, 2.0, 9.0]), Result("bad", [5.0])]),
        Row("q", "integer", [Result("native", [2.0]), Result("good", [16.0]), Result("bad", error="status 1")]),
    ]
    found = means(rows)
    assert found == {"native": pytest.approx(1), "good": pytest.approx(4)}


def test_command_line_writes_json(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    arguments = ["--quick", "--repetitions", "1", "--only", "^sieve$", "--engine", "none", "--output", str(output)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    (program,) = found["kernels"]["programs"]
    assert program["name"] == "sieve" and program["engines"][0]["median_seconds"] > 0
    assert found["host"]["cores"] and found["settings"]["quick"] is True
