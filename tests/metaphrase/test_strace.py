"""`metaphrase run --strace`: system calls as lines of text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.strace import COMPAT_SIGNATURES, SIGNATURES
from tests.programs.runner import ROOT, Outcome, environment, metaphrase_command, run

I386 = ROOT / ".cache" / "i386" / "bin" / "busybox"
SCRIPT = "read line < {data}; echo \"$line\" > {made}; cd /nonexistent-folder; kill -0 $$; umask 027; exit 5"


def command(*arguments: str) -> Outcome:
    return run(metaphrase_command("run", *arguments))


def names(lines: list[str]) -> list[str]:
    return [match[1] for line in lines if (match := re.match(r"(?:\[?(?:pid )?\d+\]? )?(\w+)\(", line))]


def test_arguments_are_decoded(tmp_path: Path) -> None:
    data, made, told = tmp_path / "data", tmp_path / "made", tmp_path / "told"
    data.write_text('a "word"\tand\x01 more\n')
    got = command(f"--strace={told}", "/bin/sh", "-c", SCRIPT.format(data=data, made=made))
    text = told.read_text()
    assert got.status == 5 and b"strace" not in got.stderr
    for expected in (
        rf'openat(AT_FDCWD, "{data}", O_RDONLY, 0) = ',
        rf'openat(AT_FDCWD, "{made}", O_WRONLY|O_CREAT|O_TRUNC, 0666) = ',
        'chdir("/nonexistent-folder") = -1 ENOENT (No such file or directory)',
        r'\"word\"\tand\x01 more\n", ', "umask(027) = ", "exit_group(5) = ?", "PROT_READ|PROT_EXEC, MAP_PRIVATE|",
    ):  # fmt: skip
        assert expected in text, expected


def test_all_processes_and_programs_are_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    command(f"--strace={told}", "/bin/sh", "-c", "/bin/echo hi | cat; /bin/true nobody")
    lines = told.read_text().splitlines()
    assert len({line.split("]")[0] for line in lines}) == 4
    assert any('execve("/bin/true", ["/bin/true", "nobody"], [' in line and line.endswith(" = 0") for line in lines)
    assert any('read(0, "hi\\n", ' in line and line.endswith(" = 3") for line in lines)


def test_on_standard_error() -> None:
    got = command("--strace", "/bin/echo", "hi")
    assert got.stdout == b"hi\n" and b'write(1, "hi\\n", 3) = 3' in got.stderr


def test_a_file_that_cannot_be_written() -> None:
    got = command("--strace=/dev/null/trace", "/bin/true")
    assert got.status == 125 and got.stderr.count(b"\n") == 1 and b"--strace=/dev/null/trace: the file" in got.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_same_calls_as_strace_tells(tmp_path: Path) -> None:
    """A static program, whose start is the same natively."""
    program = ["/bin/busybox", "head", "-n", "1", "/etc/passwd"]
    told, native = tmp_path / "told", tmp_path / "native"
    command(f"--strace={told}", *program)
    subprocess.run(["strace", "-o", native, *program], env=environment(), capture_output=True, check=True)
    ours, theirs = (names(path.read_text().splitlines()) for path in (told, native))
    assert ours == theirs[1:]  # natively, execve comes first


def test_signatures_are_of_calls_that_exist() -> None:
    known = {name for abi in ABIS.values() for name in abi.numbers.values()}
    assert SIGNATURES.keys() <= known


def test_names_of_calls_of_32_bit_programs_exist() -> None:
    assert set(COMPAT_SIGNATURES) <= set(ABIS["i386"].numbers.values())


@pytest.mark.skipif(not I386.exists(), reason="run tests/fetch-i386-programs first")
def test_programs_with_32_bit_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("text")
    got = command("--strace", str(I386), "sh", "-c", f"exec {I386} cat {data}")
    assert got.stdout == b"text" and got.status == 0
    for expected in (
        rf'execve("{I386}", ["{I386}", "cat", "{data}"], [', "sendfile64(1, 3, NULL, ", "getuid32() = ",
        "exit_group(0) = ?",
    ):  # fmt: skip
        assert expected.encode() in got.stderr, expected
