"""Run a Linux program in this process, as the command `metaphrase run` does."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from metaphrase.ir.errors import MetaphraseError
from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.base import Abi
from metaphrase.machines.linux.calls.table import Bound
from metaphrase.machines.linux.cpu import Cpu
from metaphrase.machines.linux.loader import identify
from metaphrase.machines.linux.memory import Window
from metaphrase.machines.linux.process import LinuxProcess
from metaphrase.policies import confined
from metaphrase.registry import find_guest

STATUS_INTERNAL_ERROR = 70
STATUS_CANNOT_RUN = 125
"""As `env` and `timeout` have it: nothing was started, for a reason that is not the program's."""
STATUS_INTERRUPTED = 130


class Messages(logging.Handler):
    """Our own way to standard error: the guest may close its own, as many programs do before they exit."""

    def __init__(self, *, debug: bool = False) -> None:
        super().__init__(logging.DEBUG if debug else logging.WARNING)
        self.debug = debug
        try:
            self.descriptor = host.private_descriptor(os.dup(2))
        except OSError:  # it was closed to begin with
            self.descriptor = -1

    def say(self, text: str) -> None:
        """Write a line, or several, if there is anybody to read."""
        try:
            os.write(self.descriptor, (text.rstrip("\n") + "\n").encode(errors="replace"))
        except OSError:
            return

    def emit(self, record: logging.LogRecord) -> None:
        """A message of the library's; tracebacks are for --debug."""
        text = f"metaphrase: {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + _traceback(record.exc_info[1]) if self.debug else f" {record.exc_info[1]!r}"
        self.say(text)

    def failure(self, error: BaseException) -> int:
        """Say what went wrong; the exit status that goes with it."""
        if self.debug:
            self.say(_traceback(error))
        if isinstance(error, MetaphraseError):
            self.say(f"metaphrase: {error}")
            return int(getattr(error, "exit_status", STATUS_CANNOT_RUN))
        if isinstance(error, KeyboardInterrupt):
            return STATUS_INTERRUPTED
        hint = "" if self.debug else " (--debug shows where)"
        self.say(f"metaphrase: internal error: {type(error).__name__}: {error}{hint}")
        return STATUS_INTERNAL_ERROR


def _traceback(error: BaseException | None) -> str:
    import traceback  # seldom wanted

    return "".join(traceback.format_exception(error))


def run_command(
    program: str,
    arguments: Sequence[str],
    *,
    tier: str = "auto",
    sysroot: str | None = None,
    stats: str | None = None,
    debug: bool = False,
    cpu: str | None = None,
    strace: str | None = None,
    policy: str | None = None,
) -> int:
    """Run a program to its end and report as `stats` says ("text", "json:FILE"); gives the exit status.

    `policy` is a preset's name or a file's, and says what the program may do.
    Its system calls are told on standard error, or in a file, if `strace` is "-" or names one.

    What goes wrong is told on standard error, in one line.
    """
    messages = Messages(debug=debug)
    logging.getLogger("metaphrase").addHandler(messages)
    try:
        if stats and stats != "text" and not stats.startswith("json:"):
            raise MetaphraseError(f"--stats={stats}: write --stats, or --stats=json:FILE")
        return _run(program, arguments, tier, sysroot, stats, messages, cpu, _tracer(strace, messages),
                    policy)  # fmt: skip
    except (Exception, KeyboardInterrupt) as error:
        return messages.failure(error)


def _run(
    program: str, arguments: Sequence[str], tier: str, sysroot: str | None, stats: str | None, messages: Messages,
    cpu: str | None, tracer: Callable[[Abi, int, Bound], Bound] | None, policy: str | None,
) -> int:  # fmt: skip
    guest = find_guest(identify(program, sysroot), cpu)
    confinement = confined(policy, sysroot)
    cpus: list[Cpu] = []

    def make(window: Window) -> Cpu:
        from metaphrase.cpus import make_cpu  # imported once the program was found to be good

        cpus.append(make_cpu(guest, window, tier))
        return cpus[-1]

    process = LinuxProcess(program, (program, *arguments), _environment(), sysroot=sysroot, cpu_factory=make,
                           tracer=tracer, confinement=confinement)  # fmt: skip
    gc.freeze()  # what was made so far stays: no collection needs to look at it
    gc.enable()
    status = process.run()
    if stats:
        _report(cpus[-1], stats, messages)
    return status


def _tracer(where: str | None, messages: Messages) -> Callable[[Abi, int, Bound], Bound] | None:
    """What tells each system call; forks of the guest append to the same place."""
    if where is None:
        return None
    from metaphrase.machines.linux.strace import traced  # seldom wanted

    if where == "-":
        return lambda abi, number, answer: traced(abi, number, answer, messages.say)
    try:
        descriptor = host.private_descriptor(os.open(where, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666))
    except OSError as error:
        raise MetaphraseError(f"--strace={where}: the file cannot be written: {error.strerror}") from error

    def say(line: str) -> None:
        os.write(descriptor, f"{line}\n".encode())

    return lambda abi, number, answer: traced(abi, number, answer, say)


def _environment() -> dict[str, str] | None:
    """The environment as this process was given it: Python itself adds LC_CTYPE where no locale is set (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = os.fsdecode(file.read()).split("\0")
    except OSError:
        return None
    return {name: value for name, equals, value in (entry.partition("=") for entry in entries) if equals}


def _report(cpu: Cpu, how: str, messages: Messages) -> None:
    from metaphrase.statistics import statistics_of  # seldom wanted

    statistics = statistics_of(cpu)
    if how == "text":
        messages.say(str(statistics))
        return
    path = how.removeprefix("json:")
    try:
        with open(path, "w") as file:
            json.dump(dict(statistics), file)
    except OSError as error:
        raise MetaphraseError(f"the statistics cannot be written to {path}: {error.strerror}") from error


def leave(status: int) -> NoReturn:
    """End the process at once: nothing of ours needs to be taken down, and a thread may still be compiling."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # the guest has closed it
            continue
    os._exit(status)
