"""The command `metaphrase`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from metaphrase.cli import main
from tests.metaphrase.programs import steps_program
from tests.programs.runner import Outcome, environment, metaphrase_command, run


def command(*arguments: str) -> Outcome:
    return run(metaphrase_command(*arguments))


@pytest.mark.parametrize(
    "options", [[], ["--"], ["--tier", "0"], ["--tier=1", "--"], ["--debug"], ["-L", "/nowhere"], ["-L/nowhere", "--"]]
)
def test_options_before_the_program(options: list[str]) -> None:
    got = command("run", *options, steps_program())
    assert (got.status, got.stdout, got.stderr) == (31, b"sum\n", b"")


def test_options_behind_the_program_are_the_programs() -> None:
    got = command("run", "/bin/echo", "--tier", "0", "--", "--stats")
    assert got.stdout == b"--tier 0 -- --stats\n"
    assert command("run", "--", "/bin/echo", "--", "-L").stdout == b"-- -L\n"


def test_statistics_as_text() -> None:
    for program in (steps_program(), "/bin/true"):  # the latter closes its standard error before it exits
        got = command("run", "--stats", program)
        rows = dict(line.strip().rsplit("  ", 1) for line in got.stderr.decode().splitlines())
        names = {name.strip() for name in rows}
        assert {"instructions", "region instructions", "blocks", "regions", "cache hits", "run seconds"} <= names
        assert {"compiled instructions", "lift seconds", "llvm seconds", "llvm load seconds"} <= names


def test_statistics_as_json(tmp_path: Path) -> None:
    path = tmp_path / "statistics.json"
    got = command("run", f"--stats=json:{path}", "--tier", "0", steps_program())
    assert (got.status, got.stdout, got.stderr) == (31, b"sum\n", b"")
    values = json.loads(path.read_text())
    assert values["instructions"] > 40 and values["regions"] == 0 and values["run_seconds"] > 0


_NEEDED_TO_COMPILE = ("llvmlite", "metaphrase.translator.x86.instructions", "metaphrase.ir.passes")


def test_nothing_to_compile_needs_no_compiler(tmp_path: Path) -> None:
    """Importing it takes longer than a small program that the cache has all of."""
    path = tmp_path / "statistics.json"
    refuse = f"lambda event, about: event == 'import' and about[0].startswith({_NEEDED_TO_COMPILE}) and 1 / 0"
    script = f"import sys; sys.addaudithook({refuse}); from metaphrase.cli import main; main()"
    given = ["run", "--tier", "auto", f"--stats=json:{path}", "/bin/true"]
    assert command(*given).status == 0
    assert run([sys.executable, "-c", script, *given]).status == 0
    values = json.loads(path.read_text())
    assert values["llvm_load_seconds"] == values["forms_compiled"] == values["regions"] == 0 < values["forms_cached"]
    without = run([sys.executable, "-c", script, *given], env=environment(METAPHRASE_CACHE="off"))
    assert without.status == 70, "the script does notice"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["run", "/nonexistent"], 127, "/nonexistent"),
        (["run", "/etc/passwd"], 126, "/etc/passwd"),
        (["run", "--stats=xml", "/bin/true"], 125, "--stats=json:FILE"),
        (["run", "--stats=json:/nonexistent/file", "/bin/true"], 125, "No such file"),
        (["explain", "z80", "00"], 2, "i8086, riscv64, x86_64"),
        (["explain", "x86_64", "0g"], 2, "'g' is no hexadecimal digit"),
        (["explain", "x86_64", "06"], 2, "no instruction at pc 0x1000 (bytes 06"),
        (["explain", "x86_64", "--asm", "bogus"], 2, "cannot be assembled"),
        (["explain", "x86_64"], 2, "either in hexadecimal or with --asm"),
        (["explain", "x86_64", "90", "--asm", "nop"], 2, "either in hexadecimal or with --asm"),
        (["explain", "riscv64", "13"], 2, "ends inside an instruction"),
    ],
)
def test_errors_are_one_line(arguments: list[str], status: int, says: str) -> None:
    got = command(*arguments)
    text = got.stderr.decode()
    assert (got.status, got.stdout) == (status, b""), text
    assert text.startswith("metaphrase: ") and says in text and len(text.splitlines()) == 1
    assert "Traceback" in command(*arguments[:1], "--debug", *arguments[1:]).stderr.decode()


@pytest.mark.parametrize(
    "arguments", [[], ["run"], ["run", "--tier", "2", "/bin/true"], ["run", "--bogus", "x"], ["fly"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    got = command(*arguments)
    assert got.status == 2
    assert got.stderr.startswith(b"usage: metaphrase") and b"Traceback" not in got.stderr


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["run", "--help"], ["explain", "--help"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("--tier", "--stats", "SYSROOT", "--asm", "--handler"))
    assert command("--version").stdout.startswith(b"metaphrase ")


def test_bench_is_the_harness() -> None:
    """It parses its own options; nothing of it is imported for other commands."""
    got = command("bench", "--list", "--suite", "programs", "--only", "^xz$")
    assert got.status == 0 and got.stdout.startswith(b"programs  xz ") and got.stderr == b""
    assert b"--compare" in command("bench", "--help").stdout
    assert b"no engine 'bogus'" in command("bench", "--engine", "bogus").stderr
    python = metaphrase_command()[0].replace("bin/metaphrase", "bin/python")
    text = "import sys, metaphrase.cli; print({'click', 'rich', 'numpy', 'matplotlib'} & set(sys.modules))"
    assert run([python, "-c", text]).stdout == b"set()\n"


def test_an_unexpected_error_is_one_line_too(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(
        "import metaphrase.runner as runner, metaphrase.cli as cli\n"
        "def broken(*_): raise TypeError('it broke')\n"
        "runner.identify = broken\n"
        "cli.main()\n"
    )
    python = metaphrase_command()[0].replace("bin/metaphrase", "bin/python")
    got = run([python, script, "run", "/bin/true"])
    assert (got.status, got.stderr) == (70, b"metaphrase: internal error: TypeError: it broke (--debug shows where)\n")
    assert b"broken.py" in run([python, script, "run", "--debug", "/bin/true"]).stderr


def test_explain_in_full() -> None:
    got = command("explain", "--handler", "x86_64", "f3 0f b8 c1", "75", "fa")
    text = got.stdout.decode()
    titles = [line[3:] for line in text.splitlines() if line.startswith("== ")]
    assert titles[:2] == ["1000  f3 0f b8 c1  popcnt eax, ecx", "1004  75 fa  jne 0x1000"]
    assert titles[2:4] == ["IR", "IR after merge_blocks"]
    assert titles[-7:-4] == ["LLVM IR", "LLVM IR, optimised", "host code"]
    assert titles[-4].startswith("tier-0 handler popcnt|F3 0F B8 /r")
    assert "encoding  F3 0F B8 /r   operands Gv, Ev\nmanual    POPCNT" in text
    assert "popcnt i32" not in text and "popcnt v" in text and "@llvm.ctpop.i32" in text
    assert "\x1b" not in text and got.stderr == b""


def test_explain_assembly_and_other_guests() -> None:
    got = command("explain", "x86_64", "--address", "0x400000", "--asm", "add rax, [rbx+8]; jne 0x10").stdout.decode()
    assert "== 400000  48 03 43 08  add rax, qword ptr [rbx + 0x8]" in got
    assert "jne 0x10" in got and "memory    load" in got
    got = command("explain", "riscv64", "--asm", "loop: addi a0, a0, -1; bnez a0, loop").stdout.decode()
    assert "== 1004  e3 1e 05 fe  bne a0, zero, 0x1000" in got


def test_explain_is_coloured_on_a_terminal_only() -> None:
    main_end, other_end = pty.openpty()
    env = {**environment(), "TERM": "xterm-256color"}
    child = subprocess.Popen(metaphrase_command("explain", "x86_64", "90"), stdout=other_end, env=env)
    os.close(other_end)
    seen = b""
    try:
        while data := os.read(main_end, 4096):
            seen += data
    except OSError:  # how a terminal says that its other end is closed
        pass
    assert child.wait() == 0
    assert b"\x1b[" in seen and b"nop" in seen


def test_explain_stops_when_nobody_reads() -> None:
    shell = " ".join(metaphrase_command("explain", "x86_64", "90"))
    got = run(["/bin/bash", "-o", "pipefail", "-c", f"{shell} | head -1"])
    assert got.stdout.startswith(b"== 1000") and got.stderr == b""
