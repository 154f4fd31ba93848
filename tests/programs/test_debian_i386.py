"""Debian's i386 programs, static and dynamic, print translated what they print natively.

tests/fetch-i386-programs (`make packages`) puts them into a folder, which is their sysroot here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs.runner import (
    FULL,
    NATIVE_I386,
    OTHER_RUNNER,
    ROOT,
    assert_same,
    environment,
    native,
    translated,
)
from tests.programs.test_debian import NUMBERS, SCRIPTS, SUMS, TEXT

I386 = ROOT / ".cache" / "i386"
LIBRARIES = ":".join(str(I386 / folder / "i386-linux-gnu") for folder in ("lib", "usr/lib"))
LOADER = (str(I386 / "lib" / "ld-linux.so.2"), "--library-path", LIBRARIES)
SHELL = r"""
echo "$BASH_VERSION" $((2**40)); a=(one "two words" three); echo "${#a[@]}" "${a[1]}" "${a[@]: -1}"
printf '%s\n' x y z | while read -r line; do echo "<$line>"; done
trap 'echo caught' USR1; kill -USR1 $$
f() { return 7; }; f; echo $?
for n in 3 1 2; do echo $n; done | sort -n | tr '\n' ' '
declare -A map=([k]=v); echo "${map[k]}" "$(printf '%08.3f' 3.14159)"
exit 5
"""
FIND = r"""for folder in {tests} {tests}/programs; do find $folder -maxdepth 2 -type f -name "*.py" | wc -l; done
for turn in 1 2 3; do find {tests} -name "t*.c" | sed s/tests/x/ | sort -r | tail -1; done"""


@dataclass(frozen=True)
class Run:
    """One command; a `loaded` one is dynamic, and needs its loader's help where it is not in its sysroot."""

    name: str
    command: tuple[str, ...]
    stdin: bytes = b""
    status: int = 0
    loaded: bool = True
    heavy: bool = False


def busybox(name: str, *words: str, stdin: bytes = b"", status: int = 0, heavy: bool = False) -> Run:
    return Run(f"busybox-{name}", ("bin/busybox", *words), stdin, status, False, heavy)


RUNS = [
    busybox("sh", "sh", str(SCRIPTS / "tour.sh"), "one", "two words", status=3, heavy=True),
    busybox("awk", "awk", SUMS, stdin=NUMBERS),
    busybox("sha512sum", "sha512sum", "-", stdin=TEXT),
    busybox("gzip", "gzip", "-c", stdin=TEXT),
    busybox("sort", "sort", "-k3,3n", "-k1,1nr", stdin=NUMBERS),
    busybox("bc", "bc", "-l", stdin=b"scale=30\n4*a(1)\n2^200\n"),
    Run("bash", ("bin/bash", "-c", SHELL), status=5, heavy=True),
    Run("dash", ("bin/dash", str(SCRIPTS / "tour.sh"), "one", "two words"), status=3, heavy=True),
    Run("dash-find", ("bin/dash", "-c", FIND.replace("{tests}", str(SCRIPTS.parents[1]))), heavy=True),
    Run("ls", ("bin/ls", "-lR", str(SCRIPTS))),
    Run("sort", ("usr/bin/sort", "-k3,3n", "-k1,1nr"), stdin=NUMBERS),
    Run("grep", ("bin/grep", "-rnE", "(th|sh)[aeiou]+ ", str(SCRIPTS))),
    Run("sed", ("bin/sed", "-E", r"s/([a-z]+) ([a-z]+)/\2-\1/g; /^e/d"), stdin=TEXT[:9000]),
    Run("mawk", ("usr/bin/mawk", SUMS), stdin=NUMBERS),
    Run("sha256sum", ("usr/bin/sha256sum", "-"), stdin=TEXT),
    Run("date", ("bin/date", "-u", "-d", "@1709210096", "+%c %j %G-W%V")),
]


@pytest.mark.skipif(not (I386 / "complete").exists(), reason="run tests/fetch-i386-programs first")
@pytest.mark.skipif(bool(OTHER_RUNNER), reason="the other runner is for x86_64")
@pytest.mark.parametrize("tier", ("0", "auto", "1") if FULL else ("0", "auto"))
@pytest.mark.parametrize("case", RUNS, ids=lambda case: case.name)
def test_program(case: Run, tier: str, tmp_path: Path) -> None:
    if not FULL and not case.heavy and (tier == "auto") != (RUNS.index(case) % 2 == 0):
        pytest.skip("one tier does for small ones; METAPHRASE_TEST_FULL=1 runs all")
    command = [str(I386 / case.command[0]), *case.command[1:]]
    folders = [tmp_path / "native", tmp_path / "translated"]
    for folder in folders:
        folder.mkdir()
    loader = LOADER if case.loaded else ()
    want = native([*NATIVE_I386, *loader, *command], stdin=case.stdin, env=environment(), cwd=folders[0])
    assert want.status == case.status, f"natively: {want}"
    got = translated(command, tier, "-L", str(I386), stdin=case.stdin, env=environment(), cwd=folders[1])
    assert_same(want, got, f"{case.name} tier {tier}")
