"""CPython's own tests have translated the results that they have natively: with METAPHRASE_TEST_FULL=1, for hours.

Left out are, of test_time, the test that a process takes no processor time while it sleeps: translation does; and of
test_socket those of VSOCK, in which Python waits for ever, natively too, where the host's kernel has no such transport.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs.runner import FULL, OTHER_RUNNER, environment, native, translated

PYTHON = "/usr/bin/python3"
MODULES = (
    "threading", "mmap", "thread", "threadsignals", "fork1", "wait3", "wait4", "os", "posix", "pty", "select",
    "poll", "epoll", "fcntl", "resource", "signal", "faulthandler", "time", "fileio", "file", "tempfile",
    "shutil", "glob", "pathlib", "struct", "ctypes", "float", "math", "int", "random", "re", "bytes", "json",
    "marshal", "dict", "set", "list", "itertools", "generators", "coroutines", "contextlib", "exceptions", "sys",
    "gc", "weakref", "zlib", "httplib", "import", "runpy", "eintr", "openpty", "selectors", "queue",
    "sched", "subprocess", "asyncio", "popen",
    "posixpath", "locale", "datetime", "memoryio", "memoryview", "codecs", "binascii", "socket",
)  # fmt: skip
IGNORED = ("-i", "test_process_time", "-i", "*VSOCK*")
RESULT = re.compile(r"^(test\w*) \((\S+)\)(?:\n.*)? \.\.\. (?:.*\n)*?.*?\b(ok|FAIL|ERROR|skipped)\b", re.MULTILINE)
LONG = 1800.0


def results(output: bytes) -> dict[str, str]:
    """What became of each test."""
    return {f"{where} {name}": result for name, where, result in RESULT.findall(output.decode(errors="replace"))}


@pytest.mark.skipif(not FULL, reason="only with METAPHRASE_TEST_FULL=1")
@pytest.mark.skipif(bool(OTHER_RUNNER), reason="other emulators do not start programs of programs")
@pytest.mark.skipif(not list(Path("/usr/lib").glob("python3.*/test/test_mmap.py")), reason="no libpython3-testsuite")
@pytest.mark.parametrize("module", MODULES)
def test_module(module: str, tmp_path: Path) -> None:
    outputs = []
    command = [PYTHON, "-m", "test", "-v", *IGNORED, f"test_{module}"]
    for name, start in (("native", native), ("translated", lambda *a, **o: translated(*a, "auto", **o))):
        folder = tmp_path / name
        folder.mkdir()
        env = environment(HOME=str(folder), LC_ALL="C.UTF-8")
        outputs.append(start(command, env=env, cwd=folder, timeout=LONG))
    want, got = (results(outcome.stdout) for outcome in outputs)
    assert want, outputs[0]
    different = {test: (want.get(test), got.get(test)) for test in want | got if want.get(test) != got.get(test)}
    assert not different, outputs[1].stdout[-3000:].decode(errors="replace")
