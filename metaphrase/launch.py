"""Run a program in a process of its own, and tell how it went."""

from __future__ import annotations

import html
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from metaphrase.ir.errors import MetaphraseError
from metaphrase.machines.linux.loader import identify
from metaphrase.machines.linux.policy import Policy
from metaphrase.show import MimeBundle, preformatted, section
from metaphrase.statistics import Statistics

_TIERS = ("auto", "0", "1", "reference")
_OUR_OWN = "metaphrase: "
"""What our own messages begin with."""


class RunError(MetaphraseError):
    """The translator could not run the program, or failed while it did; the text is what it said."""


class ProgramFailed(MetaphraseError):
    """The program ended with another status than 0, and `check` was asked for; `result` tells all."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{shlex.join(result.command)} ended with status {result.status}")
        self.result = result


@dataclass(frozen=True)
class Result:
    """What a program left behind."""

    command: tuple[str, ...]
    status: int
    """Its exit status, or 128 + the number of the signal that killed it."""
    stdout: bytes | None
    """What it wrote, unless it was not captured."""
    stderr: bytes | None
    seconds: float
    """From start to end, the translator's own start included."""
    statistics: Statistics
    """Empty if the first process of the guest was killed before it could report."""

    @property
    def text(self) -> str:
        """What it wrote to standard output, as text."""
        return (self.stdout or b"").decode(errors="backslashreplace")

    def __repr__(self) -> str:
        return f"<{shlex.join(self.command)}: status {self.status}, {self.seconds:.2f} s>"

    def __str__(self) -> str:
        errors = (self.stderr or b"").decode(errors="backslashreplace")
        return "".join([_lines(self.text), _lines(errors), f"[status {self.status}, {self.seconds:.2f} s]"])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        errors = (self.stderr or b"").decode(errors="backslashreplace")
        body = preformatted(self.text) + (section("standard error", preformatted(errors), shown=True) if errors else "")
        title = f"{shlex.join(self.command)}: status {self.status}, {self.seconds:.2f} s"
        body += section(title, self.statistics._repr_html_())
        return {"text/plain": str(self), "text/html": f'<div title="{html.escape(title)}">{body}</div>'}


def run(
    program: str | os.PathLike[str],
    *arguments: str | os.PathLike[str],
    tier: str = "auto",
    sysroot: str | os.PathLike[str] | None = None,
    stdin: str | bytes | IO[bytes] | None = None,
    capture: bool = True,
    check: bool = False,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    cpu: str | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
) -> Result:
    """Run a Linux program of any guest to its end, in a process of its own.

    stdin    what it reads: bytes or text, or an open file; nothing by default
    capture  keep what it writes in the result, or else let it through to this process's own output
    check    raise ProgramFailed unless its status is 0
    cpu      the CPU's model, such as "nehalem" or "haswell,-avx2"; by default the one that has all that there is
    policy   what it may do: a Policy, a preset's name, or a file; all that this process may by default
    timeout  seconds until it is killed, which raises subprocess.TimeoutExpired

    Raises LoadError if it cannot be started, RunError if the translator fails.
    """
    if tier not in _TIERS:
        raise MetaphraseError(f"tier {tier!r} does not exist; choose one of {', '.join(_TIERS)}")
    command = (os.fspath(program), *(os.fspath(argument) for argument in arguments))
    identify(command[0], None if sysroot is None else os.fspath(sysroot))  # says best why it cannot be started
    given = stdin.encode() if isinstance(stdin, str) else stdin
    with tempfile.TemporaryDirectory(prefix="metaphrase-") as folder:
        report = Path(folder) / "statistics"
        options = ["--tier", tier, f"--stats=json:{report}", *(["-L", os.fspath(sysroot)] if sysroot else [])]
        options += [] if cpu is None else ["--cpu", cpu]
        options += [] if policy is None else ["--policy", _policy_file(policy, folder)]
        begin = time.perf_counter()
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            [*_ourselves(), "run", *options, "--", *command],
            input=given if isinstance(given, bytes) else None,
            stdin=None if isinstance(given, bytes) else given or subprocess.DEVNULL,
            capture_output=capture, timeout=timeout, cwd=cwd, check=False, env=env,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        statistics = Statistics(json.loads(report.read_text()) if report.exists() else {})
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    result = Result(command, status, done.stdout, done.stderr, seconds, statistics)
    _check_translator(result, done.returncode)
    if check and status:
        raise ProgramFailed(result)
    return result


def _policy_file(policy: Policy | str | os.PathLike[str], folder: str) -> str:
    """A policy as the command line takes it."""
    if isinstance(policy, str | os.PathLike):
        name = os.fspath(policy)
        return os.path.abspath(name) if os.path.exists(name) and "/" in name else name
    path = Path(folder) / "policy.toml"
    path.write_text(policy.text())
    return str(path)


def _ourselves() -> list[str]:
    """The command `metaphrase` of this very package.

    It finds modules where this process does, and not by the environment, which is the guest's.
    """
    folders = [str(Path(__file__).resolve().parents[1]), *(os.path.abspath(folder) for folder in sys.path)]
    start = f"import sys; sys.path[:] = {list(dict.fromkeys(folders))!r}; from metaphrase.cli import main; main()"
    return [sys.executable, "-I", "-c", start]


def _check_translator(result: Result, returned: int) -> None:
    """Tell the translator's failures from the program's: it reports on every program that ended, and then says so."""
    if result.statistics or returned < 0 or result.stderr is None:
        return
    told = [line for line in result.stderr.decode(errors="replace").splitlines() if line.startswith(_OUR_OWN)]
    raise RunError(told[-1].removeprefix(_OUR_OWN) if told else f"the translator ended with status {result.status}")


def _lines(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
