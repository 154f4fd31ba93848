"""The harness measures what it says, and says what failed and what is skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from metaphrase.benchmarks import measure as measuring
from metaphrase.benchmarks.building import BuildError, build
from metaphrase.benchmarks.engines import Engine, import_engines, program_engines, with_empty_cache
from metaphrase.benchmarks.harness import SettingsError, run_suites
from metaphrase.benchmarks.kernels import CALLS, GROUPS, all_kernels, call_kernels
from metaphrase.benchmarks.measure import RunFailed, measure, run_once, smallest_peak
from metaphrase.benchmarks.report import calls_sheet
from metaphrase.benchmarks.results import Result, Row
from metaphrase.benchmarks.scaling import scaling_sheet
from metaphrase.benchmarks.suites import SUITES, imports, work_of
from metaphrase.translator.mechanisms import VARIABLE
from tests.benchmarks.samples import MIB, fake_suite, python_engine

PRINT = "import sys; print(sys.argv[1])"
LOG = "from sys import argv; open(argv[1], 'a').write(argv[2]); print(argv[4] if argv[3] == 'right' else 'x')"


def test_kernels_describe_themselves() -> None:
    kernels = all_kernels()
    assert len({kernel.name for kernel in kernels}) == len(kernels) >= 12
    for group in GROUPS:
        assert len([kernel for kernel in kernels if kernel.group == group]) >= 3
    assert all(kernel.title.endswith(".") and kernel.iterations >= 40 for kernel in kernels)


def test_kernels_of_system_calls_describe_themselves() -> None:
    kernels = call_kernels()
    assert {"getppid", "read", "pipe", "stat"} <= {kernel.name for kernel in kernels}
    assert all(kernel.title.endswith(".") and kernel.group == CALLS for kernel in kernels)


def test_nanoseconds_of_a_call_are_told() -> None:
    row = Row("read", CALLS, [Result("native", [1.0, 2.0, 3.0]), Result("qemu", error="no")], iterations=4_000_000)
    sheet = calls_sheet(["native", "qemu"], [row])
    assert sheet.rows == [["read", "500", ""]] and Row.from_json(row.as_json()).iterations == 4_000_000


def test_the_gain_by_threads_is_told() -> None:
    rows = [
        Row("xz, 1 thread", "xz", [Result("native", [1.0]), Result("auto", [3.0]), Result("qemu", [9.0])]),
        Row("xz, 2 threads", "xz", [Result("native", [0.5]), Result("auto", [2.0]), Result("qemu", error="no")]),
        Row("other", "xz", [Result("native", [1.0])]),
    ]
    sheet = scaling_sheet(["native", "auto", "qemu"], rows)
    assert sheet is not None and sheet.rows == [["xz, 2 threads", "2.00x", "1.50x", "-"]]
    assert scaling_sheet(["native"], rows[2:]) is None


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

    def engine(name: str, kind: str) -> Engine:
        return python_engine(name, LOG, str(log), name, kind)

    broken = python_engine("b", "raise SystemExit(3)")
    engines = [engine("n", "right"), engine("a", "right"), broken, engine("w", "wrong")]
    results = measure(engines, lambda count: [str(count)], 5, 3)
    assert [len(result.walls) for result in results] == [3, 3, 0, 0]
    assert "status 3" in results[2].error and "natively" in results[3].error
    assert log.read_text() == "nawnanana"


def test_a_run_is_measured_whole() -> None:
    script = "import sys\nheld = bytearray(64 << 20)\nfor number in range(400_000): pass\nprint('done')"
    sample = run_once(python_engine("p", script).command([]), {})
    assert sample.wall >= sample.processor * 0.9 > 0.005
    assert 64 * MIB < sample.peak < 90 * MIB
    assert (sample.output.beginning, sample.output.size) == (b"done\n", 5)
    # What needs next to nothing shows next to nothing, however large the harness itself is.
    assert smallest_peak() < 16 * MIB


def test_failures_say_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunFailed, match="/nonexistent: No such file"):
        run_once(["/nonexistent"], {})
    with pytest.raises(RunFailed, match="status -9"):
        run_once(python_engine("p", "import os; os.kill(os.getpid(), 9)").command([]), {})
    monkeypatch.setattr(measuring, "TIMEOUT", 0.2)
    with pytest.raises(RunFailed, match="no end after"):
        run_once(["/bin/sleep", "20"], {})


@pytest.mark.parametrize(("most", "runs"), [(2, 2), (6, 3)])
def test_statistics_are_of_the_last_unmeasured_run(tmp_path: Path, most: int, runs: int) -> None:
    """There are no more of these once one has nothing to compile, here the third."""
    script = tmp_path / "engine"
    log = tmp_path / "log"
    script.write_text(
        f"#!/bin/sh\necho run >> {log}\n"
        f"n=$(wc -l < {log})\n"
        'case $1 in --stats=json:*) echo "{\\"runs\\": $n, \\"regions\\": $((3 - n))}" > "${1#*:}" ;; esac\n'
    )
    script.chmod(0o755)
    engine = Engine("fake", (str(script),), gives_statistics=True, unmeasured=most)
    (result,) = measure([engine], lambda count: ["program"], 1, 3)
    assert result.statistics == {"runs": runs, "regions": 3 - runs} and len(result.walls) == 3


def test_statistics_with_an_empty_cache_are_of_one(tmp_path: Path) -> None:
    cold = with_empty_cache(tmp_path)
    cold = replace(cold, env={**cold.env, VARIABLE: "precompiled"})
    native = Engine("native")
    for _ in range(2):  # the second time, the first has filled the cache
        _, result = measure([native, cold], lambda count: ["/bin/true"], 1, 0)
        assert not result.error and result.statistics["cache_hits"] == result.statistics["forms_cached"] == 0
        assert result.statistics["forms_compiled"] > 0 and result.statistics["llvm_load_seconds"] > 0


def test_an_import_is_measured(tmp_path: Path) -> None:
    (one,) = imports(False)
    python, imported = measure(import_engines(tmp_path), one.make(tmp_path), one.iterations, 2)
    assert not python.error and not imported.error and 0 < python.wall < 60 and len(imported.walls) == 2


def test_slow_engines_do_less_and_are_scaled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LONGEST", 0.5)
    monkeypatch.setattr(measuring, "SCALED_TO", 0.25)
    slow = python_engine("slow", "import sys, time; time.sleep(int(sys.argv[1]) / 80); print()")
    results = measure([python_engine("native", "print()"), slow], lambda count: [str(count)], 80, 1)
    assert results[0].scale == 1 and results[1].scale > 2
    assert 0.8 < results[1].wall < 5


def test_suites_give_rows_and_skip_what_is_missing(tmp_path: Path) -> None:
    engines = (python_engine("native", PRINT), python_engine("other", PRINT), python_engine("third", PRINT))
    suites = [
        fake_suite("kernels", *engines, missing="not installed: apt-get install two"),
        fake_suite("programs", *engines),
    ]
    run = run_suites(suites, tmp_path, repetitions=2, engines=["third"])
    assert list(run.suites) == ["kernels", "programs"]
    one, two = run.suites["kernels"]
    assert [result.engine for result in one.results] == ["native", "third"]
    assert all(len(result.walls) == 2 for result in one.results) and len(one.work) == 16
    assert two.skipped.endswith("install two") and not two.results and not run.failed
    assert run.settings["repetitions"] == 2 and run.host["cores"] and run.settings["smallest_peak"] > 0


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    suites = [fake_suite("kernels", python_engine("native", PRINT))]
    with pytest.raises(SettingsError, match="'fast' here; there are native"):
        run_suites(suites, tmp_path, engines=["fast"])
    with pytest.raises(SettingsError, match="no benchmark of kernels"):
        run_suites(suites, tmp_path, only="nothing")
    with pytest.raises(SettingsError, match="no regular expression"):
        run_suites(suites, tmp_path, only="(")


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("metaphrase.benchmarks.harness.measure", interrupt)
    run = run_suites([fake_suite("kernels", python_engine("native", PRINT))], tmp_path)
    assert run.settings["interrupted"] and not run.suites


def test_the_suites_are_as_documented(tmp_path: Path) -> None:
    assert [suite.name for suite in SUITES] == ["kernels", "calls", "programs", "scaling", "start-up", "import"]
    for suite in SUITES:
        assert suite.engines(tmp_path)[0].name == ("python" if suite.name == "import" else "native")
        names = [one.name for one in suite.benchmarks(False)]
        assert len(set(names)) == len(names)
    cold = next(engine for engine in program_engines(tmp_path) if engine.name == "cold")
    (tmp_path / "cold").mkdir()
    (tmp_path / "cold" / "entry").touch()
    cold.prepare()
    assert not list((tmp_path / "cold").iterdir())


def test_work_does_not_depend_on_where_files_lie(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    assert work_of(["xz", f"{one}/text-5"], one) == work_of(["xz", f"{other}/text-5"], other)
    assert work_of(["xz", f"{one}/text-5"], one) != work_of(["xz", f"{one}/text-6"], one)
