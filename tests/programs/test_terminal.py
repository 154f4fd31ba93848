"""An interactive shell on a terminal, translated: stopping, continuing and interrupting jobs, and editing the line."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from pathlib import Path

import pytest

from tests.programs.runner import OTHER_RUNNER, TIMEOUT, environment, metaphrase_command

PROMPT = r"\$ \Z"
JOB = "sh -c 'echo ready; exec sleep 100'"
"""Whoever has seen that it is ready may send it signals from the keyboard, which the shell itself ignores."""
SHELL = ("/bin/bash", "--norc", "--noprofile", "-i")


class Terminal:
    """A shell, and what it wrote since the last look."""

    def __init__(self, command: list[str]) -> None:
        self.process, self.descriptor = pty.fork()
        if not self.process:
            os.execvpe(command[0], command, environment(PS1="$ ", TERM="dumb", HISTFILE=""))
        self.seen = ""

    def expect(self, pattern: str) -> str:
        """Wait until the end of what was written matches: all of it."""
        end = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.seen):
            assert time.monotonic() < end, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.descriptor], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.descriptor, 4096).decode().replace("\r\n", "\n")
                except OSError:  # the other side is closed
                    assert re.search(pattern, self.seen), f"the end, and no {pattern!r} in {self.seen!r}"
        text, self.seen = self.seen, ""
        return text

    def say(self, keys: str, pattern: str = PROMPT) -> str:
        os.write(self.descriptor, keys.encode())
        return self.expect(pattern)

    def wait_for_job(self) -> None:
        """Until a job, and not the shell, has the terminal, which the shell gives it after it has told."""
        end = time.monotonic() + TIMEOUT
        while os.tcgetpgrp(self.descriptor) == self.process:
            assert time.monotonic() < end, "no job comes to the foreground"
            time.sleep(0.05)

    def wait_until_idle(self) -> None:
        """Until the shell sleeps: between its prompt and that, it looks at an interruption only with the next key."""
        end, looks = time.monotonic() + TIMEOUT, 0
        while looks < 5:
            assert time.monotonic() < end, "the shell does not wait for keys"
            time.sleep(0.05)
            state = Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1].split()[0]
            looks = looks + 1 if state == "S" else 0


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([*SHELL], id="native"),
        pytest.param([*(OTHER_RUNNER or metaphrase_command("run", "--")), *SHELL], id="translated"),
    ],
)
def test_jobs(command: list[str]) -> None:
    terminal = Terminal(command)
    try:
        terminal.expect(PROMPT)
        assert "hello\n" in terminal.say("echo hello\n")
        terminal.say(f"{JOB}\n", r"\nready\n\Z")
        assert re.search(r"\[1\]\+  Stopped +sh -c", terminal.say("\x1a"))
        assert re.search(r"\[1\]\+ sh -c", terminal.say("bg\n"))
        assert re.search(r"\[1\]\+  Running +sh -c", terminal.say("jobs\n"))
        terminal.say("fg\n", r"fg\nsh -c.*\n\Z")
        terminal.wait_for_job()
        assert "^C" in terminal.say("\x03")
        assert "130\n" in terminal.say("echo $?\n")
        terminal.say("while true; do :; done\n", r"done\n\Z")
        time.sleep(0.3)
        assert "^C" in terminal.say("\x03")
        terminal.say("trap 'echo caught' INT\n")
        terminal.wait_until_idle()
        assert "caught" in terminal.say("\x03", r"caught(.|\n)*\$ \Z")
        terminal.say("x line\x01\x1bdecho changed\x05\n", r"\nchanged line\n\$ \Z")
        assert re.search(r"\[1\] \d+\n", terminal.say("(exit 3) &\n"))
        assert "3\n" in terminal.say("wait $!; echo $?\n", r"\n3\n(.|\n)*\$ \Z")
        terminal.say("exit 7\n", r"exit\n")
        assert os.waitstatus_to_exitcode(os.waitpid(terminal.process, 0)[1]) == 7
    finally:
        os.close(terminal.descriptor)
        try:
            os.kill(terminal.process, signal.SIGKILL)
            os.waitpid(terminal.process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
