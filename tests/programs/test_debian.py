"""Debian's own programs, static and dynamic, print translated what they print natively, with the same exit status.

Tier 1 alone compiles all that a program touches before it runs it, which takes minutes for a big one with an empty
cache: the HEAVY ones meet it only with METAPHRASE_TEST_FULL=1 (`make test-all`).
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs.runner import FULL, TIERS, assert_same, environment, native, translated

SCRIPTS = Path(__file__).parent / "scripts"
BUSYBOX = "/bin/busybox"
LONG = 400.0  # seconds; with an empty cache, tier 1 compiles all that Python's start touches


def prose(seed: int, words: int) -> bytes:
    """Text that compresses like text, the same for every run."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(400)]
    lines = (" ".join(chance.choices(vocabulary, k=10)) for _ in range(words // 10))
    return "\n".join(lines).encode() + b"\n"


TEXT = prose(1, 20_000)
NUMBERS = "".join(f"{(n * 7919) % 10007} {n} {(n * n) % 31}\n" for n in range(2000)).encode()
ARITHMETIC = b"""scale=40
4*a(1)
sqrt(2)
2^200
define f(n) { if (n <= 1) return 1; return n * f(n-1) }
f(50)
obase=16
12345678901234567890
"""
SUMS = r'{ s[$3] += $1 } END { for (i = 0; i < 31; i++) printf "%d %d %.3f\n", i, s[i], s[i] / 7 }'
PYTHON_LINE = "print(sum(i * i for i in range(1000)), 2**100, 'é'.encode())"
FILES = ("text/a.txt", "text/b.txt", "text/deep/er/c.txt", "code/numbers.c", "code/run.sh", "empty")
HEAVY = {"bash", "busybox-sh", "busybox-sed", "busybox-bc", "bzip2", "dash", "perl", "perl-language", "7zz"}
HEAVY |= {"sqlite3", "sqlite3-more", "sqlite3-reals", "python3-c", "python3-script", "python3-threads"}


@dataclass(frozen=True)
class Run:
    """One command. Its words may name {scripts} and {tree}; a `writes` command gets an empty folder of its own."""

    name: str
    command: tuple[str, ...]
    stdin: bytes = b""
    status: int = 0
    writes: bool = False


def busybox(name: str, *words: str, **options: object) -> Run:
    return Run(f"busybox-{name}", (BUSYBOX, *words), **options)  # type: ignore[arg-type]


RUNS = [
    busybox("sh", "sh", "{scripts}/tour.sh", "one", "two words", status=3, writes=True),
    busybox("awk", "awk", SUMS, stdin=NUMBERS),
    busybox("sed", "sed", "-E", r"s/([a-z]+) ([a-z]+)/\2-\1/g; /^e/d; 3,9y/aeiou/AEIOU/; $!N; P; D", stdin=TEXT[:9000]),
    busybox("sort", "sort", "-k3,3n", "-k1,1nr", stdin=NUMBERS),
    busybox("md5sum", "md5sum", "-", stdin=TEXT),
    busybox("sha512sum", "sha512sum", "-", stdin=TEXT),
    busybox("gzip", "gzip", "-c", stdin=TEXT),
    busybox("tar", "tar", "cf", "-", "-C", "{tree}", "text", "code"),
    busybox("bc", "bc", "-l", stdin=ARITHMETIC),
    busybox("dc", "dc", stdin=b"20k 2v p 16o 255 p 10o 99 37 * p [lap] sb 5 sa lbx\n"),
    busybox("diff", "diff", "{tree}/text/a.txt", "{tree}/text/b.txt", status=1),
    Run("true", ("/bin/true",)),
    Run("false", ("/bin/false",), status=1),
    Run("echo", ("/bin/echo", "-e", "tab\\tnew\\nline", "last")),
    Run("ls", ("/bin/ls", "-lR", "{tree}")),
    Run("ls-missing", ("/bin/ls", "{tree}/code", "/no/such/file"), status=2),
    Run("sha256sum", ("/usr/bin/sha256sum", "{tree}/text/a.txt", "{tree}/code/numbers.c")),
    Run("gzip", ("/usr/bin/gzip", "-9c"), stdin=TEXT),
    Run("bzip2", ("/usr/bin/bzip2", "-c"), stdin=TEXT[:60000]),
    Run("xz", ("/usr/bin/xz", "-c", "-1"), stdin=TEXT[:60000]),
    Run("xz-threads", ("/usr/bin/xz", "-c", "-1", "-T2", "--block-size=16KiB"), stdin=TEXT[:120000]),
    Run("7zz", ("/usr/bin/7zz", "a", "-txz", "-mx=3", "-mmt=2", "-so", "-bd", "-an", "{tree}/text/a.txt")),
    Run("sort-threads", ("/usr/bin/sort", "--parallel=3", "-S", "64K", "-k3,3n", "-k1,1nr"), stdin=40 * NUMBERS),
    Run("grep", ("/bin/grep", "-rnE", "--include=*.txt", "(th|sh)[aeiou]+ |^[ao].*n$", "{tree}/text")),
    Run("sort", ("/usr/bin/sort", "-k3,3n", "-k1,1nr"), stdin=NUMBERS),
    Run("find", ("/usr/bin/find", "{tree}", "-type", "f", "-size", "-20k", "-printf", "%P %s %m %TY\n")),
    Run("od", ("/usr/bin/od", "-A", "x", "-t", "x2z", "-N", "600"), stdin=TEXT),
    Run("date", ("/bin/date", "-u", "-d", "@1709210096", "+%c %j %G-W%V")),
    Run("bc", ("/usr/bin/bc", "-lq"), stdin=ARITHMETIC),
    Run("dash", ("/bin/dash", "{scripts}/tour.sh", "one", "two words"), status=3, writes=True),
    Run("bash", ("/bin/bash", "{scripts}/workshop.bash"), status=4, writes=True),
    Run("perl", ("/usr/bin/perl", "{scripts}/report.pl"), status=5, writes=True),
    Run("perl-language", ("/usr/bin/perl", "{scripts}/language.pl"), status=6, writes=True),
    Run("sqlite3", ("/usr/bin/sqlite3", "-batch", "test.db", ".read {scripts}/database.sql"), status=1, writes=True),
    Run("sqlite3-more", ("/usr/bin/sqlite3", "-batch", "q.db", ".read {scripts}/queries.sql"), status=5, writes=True),
    Run("sqlite3-reals", ("/usr/bin/sqlite3", "-batch", "test.db", ".read {scripts}/reals.sql"), writes=True),
    Run("python3-c", ("/usr/bin/python3", "-S", "-E", "-c", PYTHON_LINE)),
    Run("python3-threads", ("/usr/bin/python3", "-E", "{scripts}/threads.py")),
    Run("python3-script", ("/usr/bin/python3", "-E", "{scripts}/tour.py"), status=9, writes=True),
]


assert {case.name for case in RUNS} >= HEAVY


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few folders with fixed contents, modes and times."""
    root = tmp_path_factory.mktemp("tree")
    for number, name in enumerate(FILES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else prose(number // 2, 3000 + 700 * number))
        path.chmod(0o640 + number)
    (root / "code" / "link").symlink_to("../text/a.txt")
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    os.utime(root, (1_600_000_000, 1_600_000_000))
    return root


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", RUNS, ids=lambda case: case.name)
def test_program(case: Run, tier: str, tree: Path, tmp_path: Path) -> None:
    if case.name in HEAVY and tier == "1" and not FULL:
        pytest.skip("minutes of compiling; METAPHRASE_TEST_FULL=1 runs it")
    command = [word.replace("{scripts}", str(SCRIPTS)).replace("{tree}", str(tree)) for word in case.command]
    folders = [tmp_path / "native", tmp_path / "translated"] if case.writes else [tree, tree]
    for folder in folders:
        folder.mkdir(exist_ok=True)
    want = native(command, stdin=case.stdin, env=environment(), cwd=folders[0])
    assert want.status == case.status, f"natively: {want}"
    got = translated(command, tier, stdin=case.stdin, env=environment(), cwd=folders[1], timeout=LONG)
    assert_same(want, got, f"{case.name} tier {tier}")
