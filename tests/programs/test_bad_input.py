"""Bad input has one clear outcome: a shell's exit status, at most one line on stderr, and never a Python traceback."""

from __future__ import annotations

import os
import random
import re
import resource
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import (
    CACHE,
    OTHER_RUNNER,
    TIERS,
    Outcome,
    assert_same,
    environment,
    metaphrase_command,
    native,
    run,
    translated,
)

SOURCES = Path(__file__).parent / "faults"
FUZZ_SECONDS = float(os.environ.get("METAPHRASE_FUZZ_SECONDS", "20"))
only_metaphrase = pytest.mark.skipif(bool(OTHER_RUNNER), reason="about Metaphrase's own messages and files")
EM_PPC64, EM_X86_64, EM_AARCH64 = 21, 62, 183

# What each way to die looks like from outside: 128 + signal, and words of the message. No words: the guest ended by a
# signal that it sent, or that a write met, as natively without any message.
CRASHES = {
    "read-null": (139, "read of address 0x0"),
    "write-null": (139, "write of address 0x8"),
    "jump-null": (139, "address 0x0"),
    "jump-unmapped": (139, "address 0x123456000"),
    "jump-to-data": (139, "execution of address"),
    "jump-not-canonical": (139, "0x8000000000000123"),
    "read-not-canonical": (139, "0x4141414141414141"),
    "write-code": (139, "write of address"),
    "ud2": (132, "0f 0b"),
    "undefined": (132, "06"),
    "too-long": (139, ""),
    "privileged": (139, "f4"),
    "breakpoint": (133, ""),
    "misaligned": (139, "66 0f 6f"),
    "off-the-page": (139, "execution of address"),
    "divide-zero": (136, "pc 0x"),
    "divide-overflow": (136, "pc 0x"),
    "stack-overflow": (139, "write of address"),
    "abort": (134, None),
    "terminate": (143, None),
    "pipe": (141, None),
    "past-the-file": (135, "address 0x"),
}


def elf(machine: int, *, kind: int = 2, bits: int = 2) -> bytes:
    """An ELF header with one loadable segment, and no more."""
    ident = b"\x7fELF" + bytes([bits, 1, 1, 0]) + bytes(8)
    header = struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120, 120, 4096)
    return ident + header + segment


def write_program(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    path = folder / "program"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def assert_one_message(outcome: Outcome, *, says: str = "") -> None:
    text = outcome.stderr.decode(errors="replace")
    assert "Traceback" not in text, text
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, f"one line was due on stderr:\n{text}"
    assert lines[0].startswith("metaphrase: "), text
    assert re.search(says, text), f"{says!r} is missing in: {text}"


def crash_program() -> str:
    return str(build(SOURCES / "crash.c", ["-O1"], folder=CACHE))


def wild_program() -> str:
    return str(build(SOURCES / "wild.c", ["-O1", "-static", "-no-pie"], folder=CACHE))


def whole() -> bytes:
    return Path("/bin/true").read_bytes()


# name: how to make the file, the exit status, and what the message must hold
UNLOADABLE: dict[str, tuple[Callable[[Path], Path], int, str]] = {
    "empty": (lambda folder: write_program(folder, b""), 126, "empty"),
    "text": (lambda folder: write_program(folder, b"just some words\n"), 126, "program"),
    "header-cut": (lambda folder: write_program(folder, whole()[:40]), 126, "trunc|short|cut"),
    "segments-cut": (lambda folder: write_program(folder, whole()[:9000]), 126, "trunc|short|cut"),
    "aarch64": (lambda folder: write_program(folder, elf(EM_AARCH64)), 126, "(?i)aarch64"),
    "ppc64": (lambda folder: write_program(folder, elf(EM_PPC64)), 126, "(?i)ppc|powerpc"),
    "object-file": (lambda folder: write_program(folder, elf(EM_X86_64, kind=1)), 126, "(?i)relocatable|object|type"),
    "no-permission": (lambda folder: write_program(folder, whole(), 0o644), 126, "(?i)permission|executable"),
    "directory": (lambda folder: folder, 126, "(?i)directory"),
    "missing": (lambda folder: folder / "nothing-here", 127, "nothing-here"),
    "no-shell": (lambda folder: write_program(folder, b"#!/no/such/shell -x\necho hi\n"), 126, "/no/such/shell"),
}


@only_metaphrase
@pytest.mark.parametrize("name", UNLOADABLE)
def test_unloadable_program(name: str, tmp_path: Path) -> None:
    make, status, says = UNLOADABLE[name]
    got = translated([make(tmp_path)], "auto")
    if name == "no-shell":  # a shell says 126 or 127, as it finds the fault itself or hears of it
        assert got.status in (126, 127)
    else:
        assert got.status == status, got
    assert got.stdout == b""
    assert_one_message(got, says=says)


@only_metaphrase
def test_missing_elf_interpreter(tmp_path: Path) -> None:
    binary = Path("/bin/true").read_bytes()
    wrong = binary.replace(b"/lib64/ld-linux-x86-64.so.2", b"/lib64/ld-missing-64.so.2".ljust(27, b"\0"))
    assert wrong != binary
    got = translated([write_program(tmp_path, wrong)], "auto")
    assert got.status in (126, 127), got
    assert_one_message(got, says="ld-missing-64.so.2")


@only_metaphrase
def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    got = run([*metaphrase_command("run", "--debug"), "--", str(write_program(tmp_path, b""))])
    assert got.status != 0
    assert b"Traceback" in got.stderr


@only_metaphrase
def test_damaged_headers_never_crash_the_loader(tmp_path: Path) -> None:
    """Bytes of an ELF file's headers changed at random: refused, or run into whatever end, but always cleanly."""
    original = Path(build(SOURCES / "crash.c", ["-O1", "-static"], folder=CACHE)).read_bytes()
    chance = random.Random(7)
    for _ in range(25):
        damaged = bytearray(original)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(4, 64 + 56 * 10)] = chance.randrange(256)
        got = translated([write_program(tmp_path, bytes(damaged)), "read-null"], "0", timeout=20)
        assert b"Traceback" not in got.stderr, got.stderr.decode()


@pytest.mark.parametrize("kind", CRASHES)
def test_crash(kind: str) -> None:
    status, says = CRASHES[kind]
    command = [crash_program(), kind]
    want = native(command)
    assert want.status == status
    for tier in TIERS:
        got = translated(command, tier)
        assert_same(want, got, f"{kind} tier {tier}")
        if OTHER_RUNNER:
            continue
        if says is None:
            assert b"Traceback" not in got.stderr, got.stderr.decode()
        else:
            assert_one_message(got, says=re.escape(says))
            assert re.search(rb"pc 0x[0-9a-f]+", got.stderr), got.stderr


def interrupted(kind: str, tier: str, waited_for: bytes) -> tuple[int, bytes, bytes]:
    """Start `kind`, send SIGINT to its process group once it has printed `waited_for`, and give what it left."""
    runner = OTHER_RUNNER or [*metaphrase_command("run", "--tier", tier), "--"]
    child = subprocess.Popen(
        [*runner, crash_program(), kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        printed = b""
        while waited_for not in printed:
            line = child.stdout.readline()
            assert line, f"ended early with {child.wait()}: {child.stderr.read() if child.stderr else b''!r}"
            printed += line
        time.sleep(0.3)
        os.killpg(child.pid, signal.SIGINT)
        stdout, stderr = child.communicate(timeout=15)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return child.returncode, printed + stdout, stderr


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("kind", ["spin", "sleep"])
def test_interrupt_ends_the_guest(kind: str, tier: str) -> None:
    status, _, stderr = interrupted(kind, tier, b"about to")
    assert status == (-signal.SIGINT if OTHER_RUNNER else 130)
    assert b"Traceback" not in stderr, stderr.decode()


@pytest.mark.parametrize("tier", TIERS)
def test_interrupt_reaches_the_guest_handler(tier: str) -> None:
    status, stdout, stderr = interrupted("handle", tier, b"installed")
    assert (status, stdout.splitlines()[-1]) == (17, b"the guest handled it"), stderr.decode()


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_wild_pointers(seed: int, tier: str) -> None:
    """Thousands of accesses all over 64 bits end as they do natively, address by address."""
    command = [wild_program(), str(seed), "1500", "25"]
    want = native(command)
    assert b"0 survived, 1500 SIGSEGV" in want.stdout and b"25 of 25 children" in want.stdout, want
    got = translated(command, tier, timeout=120)
    if OTHER_RUNNER:  # qemu-user has its own idea of si_code above the canonical half
        assert got.stdout.splitlines()[1:] == want.stdout.splitlines()[1:]
    else:
        assert_same(want, got, f"wild {seed} tier {tier} (WILD_TRACE=1 shows each access)")


@only_metaphrase
@pytest.mark.fuzz
def test_wild_pointers_for_long() -> None:
    """New seeds until the time is over; a failure names its seed."""
    end = time.monotonic() + FUZZ_SECONDS
    seed = int(time.time())
    while time.monotonic() < end:
        seed += 1
        command = [wild_program(), str(seed), "5000", "50"]
        want = native(command)
        for tier in TIERS:
            assert_same(want, translated(command, tier, timeout=300), f"wild seed {seed} tier {tier}")


def small_program() -> list[str]:
    return [str(build(SOURCES.parent / "c" / "switches.c", ["-O2", "-static"], folder=CACHE))]


def cached_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]


@pytest.mark.usefixtures("nothing_precompiled")
@only_metaphrase
@pytest.mark.parametrize("where", ["beneath-a-file", "in-proc", "read-only", "disk-full"])
def test_unusable_cache_folder(where: str, tmp_path: Path) -> None:
    """The program runs as ever; at most one line says that nothing will be kept."""
    (tmp_path / "file").write_bytes(b"in the way")
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0o555)
    folders = {"beneath-a-file": tmp_path / "file" / "cache", "in-proc": Path("/proc/metaphrase-cache")}
    folders |= {"read-only": tmp_path / "locked" / "cache", "disk-full": tmp_path / "full"}
    env = environment(METAPHRASE_CACHE_DIR=str(folders[where]))
    want = native(small_program(), env=env)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    for tier in ("0", "1"):
        try:
            if where == "disk-full":  # writes to files fail with EFBIG, as they would with ENOSPC; pipes still work
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
            got = translated(small_program(), tier, env=env)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert_same(want, got, f"cache {where} tier {tier}")
        assert b"Traceback" not in got.stderr and len(got.stderr.splitlines()) <= 1, got.stderr.decode()


@pytest.mark.usefixtures("nothing_precompiled")
@only_metaphrase
@pytest.mark.parametrize("damage", ["bits", "cut", "empty", "zeros", "random"])
def test_damaged_cache_is_not_trusted(damage: str, tmp_path: Path) -> None:
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path / "cache"))
    want = native(small_program(), env=env)
    chance = random.Random(3)
    for tier in ("0", "1"):
        assert_same(want, translated(small_program(), tier, env=env), "with an empty cache")
        files = cached_files(tmp_path / "cache")
        assert files, "nothing was kept in the cache"
        for path in files:
            content = bytearray(path.read_bytes())
            if damage == "bits":
                for _ in range(1 + len(content) // 500):
                    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            elif damage == "cut":
                content = content[: chance.randrange(len(content))]
            else:
                size = {"empty": 0, "zeros": len(content), "random": len(content)}[damage]
                content = bytearray(chance.randbytes(size) if damage == "random" else bytes(size))
            path.chmod(0o644)
            path.write_bytes(content)
        got = translated(small_program(), tier, env=env)
        assert_same(want, got, f"cache damaged ({damage}) tier {tier}")
        assert b"Traceback" not in got.stderr, got.stderr.decode()


@only_metaphrase
def test_cache_can_be_switched_off(tmp_path: Path) -> None:
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path / "cache"), METAPHRASE_CACHE="off")
    assert_same(native(small_program(), env=env), translated(small_program(), "1", env=env), "without a cache")
    assert not cached_files(tmp_path / "cache")
