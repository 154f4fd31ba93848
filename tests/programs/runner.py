"""Running a program natively and translated, and comparing what came out.

METAPHRASE_TEST_RUNNER names another command to use in place of `metaphrase run` (such as `qemu-x86_64`), to see that
the expectations hold for an emulator that is known to work. METAPHRASE_TEST_TIMEOUT is in seconds (120).
"""

from __future__ import annotations

import difflib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "programs"
OTHER_RUNNER = shlex.split(os.environ.get("METAPHRASE_TEST_RUNNER", ""))
FULL = bool(os.environ.get("METAPHRASE_TEST_FULL"))
TIERS = ("other",) if OTHER_RUNNER else ("0", "1", "auto")
TIMEOUT = float(os.environ.get("METAPHRASE_TEST_TIMEOUT", "120"))
RISCV_SYSROOT = "/usr/riscv64-linux-gnu"
NATIVE_I386: tuple[str, ...] = () if Path("/proc/sys/abi/vsyscall32").exists() else ("qemu-i386",)
"""What runs i386 programs where Metaphrase does not: nothing, if the kernel does (CONFIG_IA32_EMULATION)."""
BUILDS_I386 = any(Path("/usr/lib/gcc/x86_64-linux-gnu").glob("*/32/libgcc.a")) and Path("/usr/lib32/crt1.o").exists()


@dataclass(frozen=True)
class Outcome:
    """What a program left: its status as a shell reports it, and its output."""

    status: int
    stdout: bytes
    stderr: bytes


def environment(**extra: str) -> dict[str, str]:
    """The same small environment for every run, native or not, so that outputs can only differ by translation.

    No program can leave anything in its home folder.
    """
    fixed = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null", "LC_ALL": "C", "TZ": "UTC"}
    ours = ("METAPHRASE_CACHE", "METAPHRASE_WITHOUT")
    kept = {name: value for name, value in os.environ.items() if name.startswith(ours)}
    return fixed | kept | extra


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = TIMEOUT,
) -> Outcome:
    """Run to the end; past `timeout` seconds its whole process group is killed and the test fails."""
    child = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env) if env is not None else environment(),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        stdout, stderr = child.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        stdout, stderr = child.communicate()
        raise AssertionError(
            f"no end after {timeout} s: {shlex.join(map(str, command))}\n{stdout[-2000:]!r}\n{stderr[-2000:]!r}"
        ) from None
    return Outcome(child.returncode, stdout, stderr)


def as_shell_status(outcome: Outcome) -> Outcome:
    """A death by signal N becomes status 128 + N."""
    return outcome if outcome.status >= 0 else Outcome(128 - outcome.status, outcome.stdout, outcome.stderr)


def metaphrase_command(*arguments: str) -> list[str]:
    script = Path(sys.executable).with_name("metaphrase")
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "metaphrase", *arguments]


def native(command: Sequence[str | Path], **options: object) -> Outcome:
    return as_shell_status(run(command, **options))  # type: ignore[arg-type]


def translated(command: Sequence[str | Path], tier: str, *flags: str, **options: object) -> Outcome:
    """Run under Metaphrase. Its own death by a signal is never the guest's, and fails the test; but for SIGPIPE, whose
    action is the host's own until the guest sets another."""
    if tier == "other":
        return as_shell_status(run([*OTHER_RUNNER, *command], **options))  # type: ignore[arg-type]
    outcome = run([*metaphrase_command("run", "--tier", tier, *flags), "--", *command], **options)  # type: ignore[arg-type]
    assert outcome.status >= 0 or outcome.status == -signal.SIGPIPE, (
        f"the translator itself died by signal {-outcome.status}: {shlex.join(map(str, command))} on tier {tier}\n"
        f"{outcome.stderr[-3000:].decode(errors='replace')}"
    )
    return as_shell_status(outcome)


def assert_same(want: Outcome, got: Outcome, what: str) -> None:
    """Same status and same output, or a readable difference with the end of the translated run's stderr."""
    if (want.status, want.stdout) == (got.status, got.stdout):
        return
    lines = difflib.unified_diff(
        want.stdout.decode(errors="backslashreplace").splitlines(),
        got.stdout.decode(errors="backslashreplace").splitlines(),
        "native",
        "translated",
        lineterm="",
        n=2,
    )
    difference = "\n".join(line[:300] for line, _ in zip(lines, range(60)))
    raise AssertionError(
        f"{what}: status {got.status}, native {want.status}\n{difference}\n"
        f"stderr of the translated run:\n{got.stderr[-3000:].decode(errors='replace')}"
    )
