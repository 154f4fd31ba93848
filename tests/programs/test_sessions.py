"""Sessions of Debian's larger programs, servers and compilers among them, show translated what they show natively.

A session is a shell script in sessions/, and the shell and all that it starts are translated. Its comment says which
programs it `needs` (and perhaps to be `root`), and if it is `long`: then it is for METAPHRASE_TEST_FULL=1.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.programs.runner import FULL, OTHER_RUNNER, assert_same, environment, native, translated

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.sh"))
SEARCH_PATH = "/usr/sbin:/usr/bin:/bin"
LONG = 900.0


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def reason_to_skip(session: Path) -> str:
    text = session.read_text()
    if re.search(r"^# long$", text, re.MULTILINE) and not FULL:
        return "only with METAPHRASE_TEST_FULL=1"
    (needs,) = re.findall(r"^# needs: (.*)$", text, re.MULTILINE)
    for need in needs.split():
        if need == "root" and os.getuid():
            return "only for root"
        if need != "root" and shutil.which(need, path=SEARCH_PATH) is None:
            return f"{need} is not installed"
    return ""


@pytest.mark.skipif(bool(OTHER_RUNNER), reason="other emulators do not start programs of programs")
@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.stem)
def test_session(session: Path, tmp_path: Path) -> None:
    if reason := reason_to_skip(session):
        pytest.skip(reason)
    env = environment(PATH=SEARCH_PATH)
    want = native(["/bin/sh", session], env=env, cwd=folder(tmp_path, "native"), timeout=LONG)
    assert want.status == 0 and want.stdout, want
    got = translated(["/bin/sh", session], "auto", env=env, cwd=folder(tmp_path, "translated"), timeout=LONG)
    assert_same(want, got, session.stem)
