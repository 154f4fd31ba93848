"""Our own C programs, built many ways, print translated what they print natively.

A program's first comment may say how to run it: `args:`, `stdin:` (a file beside it), `env:` (NAME=value), `guests:`
(all by default), `status:` (0), and `qemu:` (why qemu-user, where it stands in for Metaphrase, is known to print
something else). In `make test` each program meets every tier, every optimisation level and both kinds of linking;
METAPHRASE_TEST_FULL=1 runs all combinations.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import (
    BUILDS_I386,
    CACHE,
    FULL,
    NATIVE_I386,
    OTHER_RUNNER,
    RISCV_SYSROOT,
    TIERS,
    assert_same,
    environment,
    native,
    translated,
)

SOURCES = Path(__file__).parent / "c"
SOURCES_I386 = Path(__file__).parent / "i386"
LEVELS = ("-O0", "-O2", "-O3")
LINKS = ("static", "dynamic")
GUESTS = ("x86_64", "i386", "riscv64")
RISCV_EMULATOR = "qemu-riscv64"


@dataclass(frozen=True)
class Program:
    source: Path
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    env: dict[str, str] = field(default_factory=dict)
    guests: tuple[str, ...] = GUESTS
    status: int = 0
    unlike_qemu: str = ""


def read_program(source: Path) -> Program:
    comment = source.read_text().split("*/", 1)[0]
    said = dict(re.findall(r"^ \* (args|stdin|env|guests|status|qemu): (.*)$", comment, re.MULTILINE))
    name, _, value = said.get("env", "").partition("=")
    return Program(
        source,
        args=tuple(shlex.split(said.get("args", ""))),
        stdin=(SOURCES / said["stdin"]).read_bytes() if "stdin" in said else b"",
        env={name: value} if name else {},
        guests=tuple(said["guests"].split()) if "guests" in said else GUESTS,
        status=int(said.get("status", "0")),
        unlike_qemu=said.get("qemu", ""),
    )


PROGRAMS = [read_program(path) for path in sorted(SOURCES.glob("*.c"))]


def matrix(index: int) -> list[tuple[str, str, str]]:
    """(level, link, tier) of the runs of program number `index`; levels rotate from program to program.

    Tier 1 meets dynamic programs: the C library's regions are then compiled for one program and found by the others.
    """
    if FULL:
        return list(product(LEVELS, LINKS, TIERS))
    links = (LINKS[0], LINKS[1], LINKS[index // 3 % 2])
    tiers = TIERS if len(TIERS) == 3 else TIERS * 3
    return [(LEVELS[(index + step) % 3], links[step], tiers[step]) for step in range(3)]


def fresh(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def test_the_matrix_covers_every_choice() -> None:
    runs = [matrix(index) for index in range(len(PROGRAMS))]
    for levels, links, tiers in (zip(*run) for run in runs):
        assert (set(levels), set(links), set(tiers)) == (set(LEVELS), set(LINKS), set(TIERS))
    together = {choice for run in runs for choice in run}
    assert {(level, tier) for level, _, tier in together} == set(product(LEVELS, TIERS))
    assert {(level, link) for level, link, _ in together} == set(product(LEVELS, LINKS))


@pytest.mark.parametrize("index", range(len(PROGRAMS)), ids=lambda index: PROGRAMS[index].source.stem)
def test_x86_64(index: int, tmp_path: Path) -> None:
    program = PROGRAMS[index]
    if program.unlike_qemu and OTHER_RUNNER and Path(OTHER_RUNNER[0]).name.startswith("qemu"):
        pytest.xfail(program.unlike_qemu)
    env = environment(**program.env)
    for level, link, tier in matrix(index):
        flags = [level, *(["-static"] if link == "static" else [])]
        command = [str(build(program.source, flags, folder=CACHE)), *program.args]
        label = f"{program.source.stem} {level} {link} tier {tier}"
        want = native(command, stdin=program.stdin, env=env, cwd=fresh(tmp_path, f"native{level}{link}{tier}"))
        assert want.status == program.status, f"{label} ends natively with {want.status}: {want.stderr!r}"
        assert want.stdout, f"{label} prints nothing natively"
        got = translated(command, tier, stdin=program.stdin, env=env, cwd=fresh(tmp_path, f"run{level}{link}{tier}"))
        assert_same(want, got, label)


@pytest.mark.skipif(not BUILDS_I386, reason="gcc builds nothing for i386: install gcc-12-multilib")
@pytest.mark.parametrize(
    "index",
    [index for index, program in enumerate(PROGRAMS) if "i386" in program.guests],
    ids=lambda index: PROGRAMS[index].source.stem,
)
def test_i386(index: int, tmp_path: Path) -> None:
    """i386 builds of the same sources, against the host's own kernel where it runs them, else against qemu-user."""
    program = PROGRAMS[index]
    env = environment(**program.env)
    choices = [
        (LEVELS[(index + step) % 3], link, tier) for step, (link, tier) in enumerate(product(LINKS, ("0", "auto", "1")))
    ]  # fmt: skip
    for level, link, tier in choices if FULL else [choices[index % len(choices)]]:
        flags = [level, *(["-static"] if link == "static" else [])]
        command = [str(build(program.source, flags, folder=CACHE, guest="i386")), *program.args]
        label = f"{program.source.stem} i386 {level} {link} tier {tier}"
        folder = fresh(tmp_path, f"native{level}{link}{tier}")
        want = native([*NATIVE_I386, *command], stdin=program.stdin, env=env, cwd=folder)
        assert want.status == program.status, f"{label} ends natively with {want.status}: {want.stderr!r}"
        if OTHER_RUNNER:
            continue
        folder = fresh(tmp_path, f"run{level}{link}{tier}")
        assert_same(want, translated(command, tier, stdin=program.stdin, env=env, cwd=folder), label)


@pytest.mark.skipif(not BUILDS_I386, reason="gcc builds nothing for i386: install gcc-12-multilib")
@pytest.mark.skipif(bool(NATIVE_I386 or OTHER_RUNNER), reason="only the kernel itself is exact enough")
@pytest.mark.parametrize("flags", (("0",), ("1",), ("0", "--cpu", "qemu64")), ids=" ".join)
@pytest.mark.parametrize("source", sorted(SOURCES_I386.glob("*.c")), ids=lambda source: source.stem)
def test_what_only_i386_has(source: Path, flags: tuple[str, ...], tmp_path: Path) -> None:
    command = [str(build(source, ["-O1", "-static", "-no-pie"], folder=CACHE, guest="i386"))]
    want = native(command, env=environment(), cwd=fresh(tmp_path, "native"))
    assert want.status == 0 and want.stdout, want
    got = translated(command, *flags, env=environment(), cwd=fresh(tmp_path, "translated"))
    assert_same(want, got, f"{source.stem} tier {' '.join(flags)}")


@pytest.mark.parametrize(
    "index",
    [index for index, program in enumerate(PROGRAMS) if "riscv64" in program.guests],
    ids=lambda index: PROGRAMS[index].source.stem,
)
def test_riscv64(index: int, tmp_path: Path) -> None:
    """riscv64 builds of the same sources, static ones and, with the cross compiler's libraries as `-L`, dynamic ones.

    The oracle is qemu-user, or where that is known to differ, the same program native.
    """
    program = PROGRAMS[index]
    env = environment(**program.env)
    static = [str(build(program.source, ["-O2", "-static"], folder=CACHE, guest="riscv64")), *program.args]
    dynamic = [str(build(program.source, ["-O2"], folder=CACHE, guest="riscv64")), *program.args]
    oracle = [RISCV_EMULATOR, *static]
    if program.unlike_qemu:
        oracle = [str(build(program.source, ["-O2", "-static"], folder=CACHE)), *program.args]
    want = native(oracle, stdin=program.stdin, env=env, cwd=fresh(tmp_path, "oracle"))
    assert want.status == program.status, f"the oracle ends with {want.status}: {want.stderr!r}"
    if OTHER_RUNNER:
        return  # the other runner is for x86_64; that the oracle itself runs is checked above
    choices = [(static, "0"), (dynamic, "1"), (static, "auto")]
    for command, tier in [*choices, (static, "1"), (dynamic, "auto")] if FULL else [choices[index % 3]]:
        flags = ["-L", RISCV_SYSROOT] if command is dynamic else []
        label = f"{program.source.stem} riscv64 {'dynamic' if flags else 'static'} tier {tier}"
        folder = fresh(tmp_path, f"run{len(flags)}{tier}")
        assert_same(want, translated(command, tier, *flags, stdin=program.stdin, env=env, cwd=folder), label)
