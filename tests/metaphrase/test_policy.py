"""Policies from the library and the command line."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

import metaphrase as mp
from metaphrase.machines.linux.policy import Access, Limits
from tests.metaphrase.isolated import isolated
from tests.programs.runner import environment, metaphrase_command, run

SECRET = "secret\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "hidden" / "secret"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


def test_run_with_a_policy(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    assert mp.run("/bin/cat", str(secret)).text == SECRET
    assert mp.run("/bin/cat", str(secret), policy="caller").text == SECRET
    result = mp.run("/bin/cat", str(secret), policy="sandbox", cwd=work)
    assert result.status == 1 and not result.stdout
    files = {"/usr": Access.READ, "/lib": Access.READ, "/lib64": Access.READ, "/etc": Access.READ}
    policy = mp.Policy(files={**files, str(secret): Access.READ}, limits=Limits(open_files=30))
    assert mp.run("/bin/cat", str(secret), policy=policy, cwd=work).text == SECRET
    path = tmp_path / "policy.toml"
    path.write_text(policy.text())
    monkeypatch.chdir(tmp_path)
    assert mp.run("/bin/cat", str(secret), policy="./policy.toml", cwd=work).text == SECRET
    with pytest.raises(mp.MetaphraseError, match="neither a preset"):
        mp.run("/bin/true", policy="sandbx")


def test_the_program_is_seen_where_all_else_is_hidden(tmp_path: Path) -> None:
    program = tmp_path / "in" / "program"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho $0; ls -a $1; cat $0 | wc -l; echo x > $0\n")
    program.chmod(0o755)
    (tmp_path / "work").mkdir()
    result = mp.run(program, program.parent, policy="sandbox", cwd=tmp_path / "work")
    assert result.text.split() == [str(program), ".", "..", "program", "2"]
    assert program.read_text().count("\n") == 2


def test_an_empty_policy_leaves_nothing_but_the_program(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("")
    busybox = "/bin/busybox"
    script = "echo here; cd /; echo *; echo /bin/*; (:); echo not reached"
    outcome = run(metaphrase_command("run", "--policy", str(policy), busybox, "sh", "-c", script))
    assert outcome.stdout.decode().splitlines() == ["here", "bin usr", "/bin/busybox"]
    assert outcome.status == 2 and b"a process: there may be 1" in outcome.stderr


@isolated
def test_a_loaded_program_is_held_to_its_policy() -> None:
    messages: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logging.getLogger("metaphrase.policy").addHandler(Kept())
    # What the host opens, before or while the guest runs, is none of the guest's.
    first = os.open("/etc/passwd", os.O_RDONLY)
    script = f"cat <&{first}; cat /etc/shadow; echo x > /usr/new; exit 3"
    with mp.load("/bin/sh", "-c", script, policy="sandbox") as process:
        process.run()
        assert process.status == 3
    assert any("/usr/new: it can only be read" in message for message in messages)
    os.fstat(first)


@isolated
def test_a_paused_program_and_its_folder() -> None:
    before = os.getcwd()
    process = mp.load("/bin/sh", "-c", "cd /usr; exit 0", policy="sandbox")
    scratch = process.machine.confinement.scratch.folder  # type: ignore[union-attr]
    process.step(100)
    assert os.path.isdir(scratch) and os.getcwd() == before
    process.close()
    assert not os.path.exists(scratch)


@pytest.mark.parametrize(
    ("text", "says"),
    [("network = 3", "network = 3: write one of none, loopback, all"), ("limits.cpu = 1", "limits.cpu: there is no")],
)
def test_a_wrong_policy_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    outcome = run(metaphrase_command("run", "--policy", str(path), "/bin/true"), env=environment())
    assert outcome.status == 125
    assert outcome.stderr.decode() == f"metaphrase: {path}: {says}" + outcome.stderr.decode().partition(says)[2]
    assert len(outcome.stderr.splitlines()) == 1
