"""`metaphrase.run` and the package itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import metaphrase as mp
from metaphrase.launch import ProgramFailed, RunError
from metaphrase.statistics import Statistics
from tests.metaphrase.programs import steps_program


def test_a_program_and_what_it_left() -> None:
    result = mp.run(steps_program())
    assert (result.status, result.text, result.stderr) == (31, "sum\n", b"")
    assert result.statistics.instructions == result.statistics["instructions"] > 40
    assert "status 31" in repr(result) and "sum" in str(result)
    assert "<table>" in result._repr_mimebundle_()["text/html"]
    with pytest.raises(AttributeError, match="no statistic is called 'nothing'; there are instructions"):
        _ = result.statistics.nothing


@pytest.mark.parametrize("tier", ["0", "1", "auto", "reference"])
def test_input_environment_and_folder(tier: str, tmp_path: Path) -> None:
    if tier == "reference":  # a shell takes the interpreter too long
        assert mp.run(steps_program(), tier=tier).status == 31
        return
    script = "read line; echo $line $NAME $(pwd); echo oops >&2; exit 5"
    result = mp.run(
        "/bin/sh", "-c", script, stdin="hello\n", env={"NAME": "world", "PATH": "/bin"}, cwd=tmp_path, tier=tier
    )
    assert (result.status, result.text, result.stderr) == (5, f"hello world {tmp_path}\n", b"oops\n")


def test_the_guests_environment_is_not_ours() -> None:
    before = mp.run("/usr/bin/env", env={"PYTHONPATH": "/nowhere", "A": "1"})
    assert before.text.splitlines() == ["PYTHONPATH=/nowhere", "A=1"]


def test_failures() -> None:
    with pytest.raises(mp.MetaphraseError, match="no such file"):
        mp.run("/nonexistent")
    with pytest.raises(mp.MetaphraseError, match="tier 'fast' does not exist"):
        mp.run("/bin/true", tier="fast")
    with pytest.raises(ProgramFailed, match="ended with status 31") as caught:
        mp.run(steps_program(), check=True)
    assert caught.value.result.status == 31
    with pytest.raises(subprocess.TimeoutExpired):
        mp.run("/bin/sleep", "60", timeout=1)


def test_a_failing_translator_is_no_failing_program(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [sys.executable, "-c", "import sys; sys.exit('metaphrase: it broke')"]
    monkeypatch.setattr("metaphrase.launch._ourselves", lambda: wrong)
    with pytest.raises(RunError, match="it broke"):
        mp.run(steps_program())


def test_deaths_by_signals() -> None:
    killed = mp.run("/bin/sh", "-c", "kill -9 $$")
    assert killed.status == 137 and b"killed (signal 9)" in (killed.stderr or b"")


def test_importing_is_cheap_and_lazy() -> None:
    script = (
        "import sys; import metaphrase as mp; ours = ('metaphrase', 'llvmlite', 'rich', 'numpy', 'capstone');"
        "print(*(name for name in sys.modules if name.startswith(ours))); print(*dir(mp)); mp.Statistics"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded, names = (line.split() for line in done.stdout.splitlines())
    assert set(loaded) == {"metaphrase", "metaphrase.ir", "metaphrase.ir.errors"}
    assert {"run", "load", "code", "guests", "tiers", "Process"} <= set(names)


def test_what_there_is() -> None:
    assert {"x86_64", "riscv64"} <= set(mp.guests())
    assert list(mp.tiers()) == ["auto", "0", "1", "reference"]
    assert all(getattr(mp, name) for name in mp.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mp.nothing  # type: ignore[attr-defined]


def test_guests_of_other_packages(tmp_path: Path) -> None:
    (tmp_path / "borrowed.py").write_text(
        "from metaphrase.translator.x86.guest import X86Guest\nclass Borrowed(X86Guest):\n    name = 'borrowed'\n"
    )
    info = tmp_path / "borrowed-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: borrowed\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[metaphrase.guests]\nborrowed = borrowed:Borrowed\n")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import metaphrase as mp;"
        "print({'borrowed', 'i8086', 'x86_64'} <= set(mp.guests()));"
        "print(mp.code('borrowed', '90')); print(mp.code('borrowed', '90').run(tier='reference'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "True", "1000  90  nop", "left the snippet for 0x1001"
    ], done.stderr  # fmt: skip


def test_statistics_show_themselves() -> None:
    statistics = Statistics({"instructions": 12345, "run_seconds": 0.5})
    assert statistics.instructions_per_second == 24690
    assert str(statistics) == "instructions  12,345\n run seconds   0.500"
    assert "12,345" in statistics._repr_html_()
    assert repr(statistics) == "Statistics(instructions=12345, run_seconds=0.5)"
    assert Statistics({}).instructions_per_second == 0 and str(Statistics({})) == ""
