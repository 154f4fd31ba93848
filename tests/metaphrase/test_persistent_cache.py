"""The persistent cache: shared by processes, killed at any moment, damaged, full, too large, outdated."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from metaphrase.ir.errors import MetaphraseError
from metaphrase.translator.engine import cache as cache_module
from metaphrase.translator.engine.cache import Cache, folder_name
from metaphrase.translator.engine.upkeep import NEW, Upkeep, size_limit
from tests.programs.runner import CACHE, ROOT, assert_same, environment, metaphrase_command, native, translated

pytestmark = pytest.mark.usefixtures("nothing_precompiled")

C = Path(__file__).parents[1] / "programs" / "c"
OLD = time.time() - 7200
WRITER = """
import os, sys
from pathlib import Path
from metaphrase.translator.engine.cache import Cache
cache = Cache("x86_64", Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10**9):
    cache.store(f"regions/code-{number % 50}", {"number": number}, os.urandom(1 << 18))
"""


def program(name: str) -> list[str]:
    return [str(build(C / f"{name}.c", ["-O2", "-static"], folder=CACHE))]


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def unfinished(folder: Path) -> list[Path]:
    return [path for path in files(folder) if path.name.startswith(NEW)]


def disk_use(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in files(folder))


def assert_all_valid(folder: Path) -> None:
    """Every entry can be loaded: its digest is right."""
    cache = Cache("x86_64", folder)
    assert cache.folder is not None
    entries = [path for path in files(cache.folder) if path.suffix == ".img"]
    assert entries
    for path in entries:
        name = os.fspath(path.relative_to(cache.folder)).removesuffix(".img")
        assert cache.load(name) is not None, path


def test_processes_share_an_empty_cache(tmp_path: Path) -> None:
    command = program("sorting")
    want = native(command)
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path))
    running = [
        subprocess.Popen(
            metaphrase_command("run", "--tier", tier, "--", *command), env=env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for tier in ("0", "auto", "1", "1")
    ]  # fmt: skip
    for process in running:
        stdout, stderr = process.communicate(timeout=120)
        assert (process.returncode, stdout, stderr) == (want.status, want.stdout, b"")
    assert_all_valid(tmp_path)
    assert len(unfinished(tmp_path)) <= 4, "a process may end while it writes, once"
    assert_same(want, translated(command, "1", env=env), "with what four processes left")


def test_killed_writers(tmp_path: Path) -> None:
    """Whenever a writer is killed, entries are whole; what it had begun to write is deleted when it is old."""
    chance = random.Random(1)
    for _ in range(20):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.random() / 20)
        writer.kill()
        writer.communicate()
    assert_all_valid(tmp_path)
    folder = Path(Cache("x86_64", tmp_path).folder or "")
    Path(folder, "regions", f"{NEW}left").write_bytes(b"begun")  # in case that no kill met a write
    for path in unfinished(tmp_path):
        os.utime(path, (OLD, OLD))
    kept = Path(folder, "regions", f"{NEW}now")
    kept.write_bytes(b"being written")
    os.utime(tmp_path / "looked-after", (OLD, OLD))
    Cache("x86_64", tmp_path).store("regions/code-1", {}, b"")
    assert unfinished(tmp_path) == [kept]


def test_killed_runs(tmp_path: Path) -> None:
    command = program("interpreter")
    want = native(command)
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path))
    for seconds in (0.4, 0.8, 1.2, 1.6):
        run = subprocess.Popen(
            metaphrase_command("run", "--tier", "1", "--", *command), env=env, stdout=subprocess.DEVNULL
        )
        time.sleep(seconds)
        run.kill()
        assert run.wait() in (-signal.SIGKILL, want.status)
        assert_same(want, translated(command, "auto", env=env), f"after a kill at {seconds} s")
    assert_all_valid(tmp_path)


def test_damaged_entries_are_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache("x86_64", tmp_path)
    for damage in (b"", b"metaphr1", bytes(5000), b"metaphr1" + bytes(5000)):
        cache.store("regions/one", {"a": 1}, b"code")
        cache.path("regions/one").write_bytes(damage)
        assert cache.load("regions/one") is None
        assert not cache.path("regions/one").exists()
    cache.store("regions/one", {"a": 1}, b"code")
    assert cache.load("regions/one") == ({"a": 1}, 4096, b"code")
    assert len(caplog.records) == 4


@pytest.mark.parametrize("when", ["at once", "in the middle"])
def test_a_full_disk_is_told_once(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache("x86_64", tmp_path)
    cache.store("regions/before", {}, b"code")
    write = os.write
    taken: list[int] = []

    def full(descriptor: int, data: memoryview) -> int:
        if when == "in the middle" and not taken:
            taken.append(write(descriptor, data[:100]))
            return 100
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache_module.os, "write", full)
    for _ in range(3):
        cache.store("regions/one", {}, b"code")
    monkeypatch.undo()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left on device; nothing more is stored" in caplog.text
    assert cache.load("regions/one") is None and cache.load("regions/before") is not None
    assert not unfinished(tmp_path)


def test_a_full_disk_under_a_run(tmp_path: Path) -> None:
    """A file system of 64 KB, where one can be mounted."""
    command = program("switches")
    script = f"""
        mount -t tmpfs -o size=64k none {tmp_path} || exit 99
        export METAPHRASE_CACHE_DIR={tmp_path}
        for tier in 0 1 auto; do {" ".join(metaphrase_command("run", "--tier", "$tier", "--", *command))} || exit; done
    """
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, env=environment())
    if done.returncode in (1, 99) and not done.stdout:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode()}")
    assert done.stdout == native(command).stdout * 3
    lines = done.stderr.decode().splitlines()
    assert 1 <= len(lines) <= 3 and all("nothing more is stored" in line for line in lines), lines


def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    """Its entries are used; where something is to be added, that is told once."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may write everywhere")
    command = program("switches")
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path))
    want = native(command, env=env)
    assert_same(want, translated(command, "0", env=env), "to fill it")
    before = files(tmp_path)
    for folder in (*(path for path in tmp_path.rglob("*") if path.is_dir()), tmp_path):
        folder.chmod(0o555)
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    for tier in ("0", "1"):
        done = subprocess.run(
            [*drop, *metaphrase_command("run", "--tier", tier, "--", *command)], env=env, capture_output=True
        )
        assert done.stdout == want.stdout
        assert len(done.stderr.splitlines()) <= (tier == "1"), done.stderr
    assert files(tmp_path) == before
    for folder in (tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def test_its_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAPHRASE_CACHE_SIZE", "2M")
    cache = Cache("x86_64", tmp_path)
    cache.store("regions/used", {}, b"")
    for number in range(200):
        cache.store(f"regions/code-{number}", {}, bytes(50_000))
        os.utime(cache.path(f"regions/code-{number}"), (OLD + number, OLD + number))
        os.utime(cache.path("regions/used"), (OLD - 1, OLD - 1))
        assert cache.load("regions/used") is not None  # which makes it a recent one
        assert disk_use(tmp_path) <= 2.5 * (1 << 20)
    assert cache.load("regions/code-199") is not None and cache.load("regions/code-0") is None


def test_only_outdated_folders_go(tmp_path: Path) -> None:
    ours = folder_name("x86_64")
    stem = ours.rpartition("-")[0]
    old = {f"{stem}-{'0' * 16}", f"riscv64-{stem.partition('-')[2]}-{'1' * 16}", f"gone-{'2' * 16}"}
    kept = {ours, f"x86_64-12345678-9abcdef0-{'3' * 16}", f"x86_64-{'4' * 16}", "photographs", "x86_64-notes"}
    for name in old | kept:
        (tmp_path / name / "regions").mkdir(parents=True)
        (tmp_path / name / "regions" / "one.img").write_bytes(b"x")
    long_ago = time.time() - 30 * 86400
    for name in (f"gone-{'2' * 16}", "photographs", "x86_64-notes"):
        os.utime(tmp_path / name / "regions" / "one.img", (long_ago, long_ago))
    Upkeep(tmp_path, ours, 1 << 20).run()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == kept


def test_a_folder_that_goes_is_made_again(tmp_path: Path) -> None:
    cache = Cache("x86_64", tmp_path)
    shutil.rmtree(tmp_path)
    cache.store("regions/one", {}, b"code")
    assert cache.load("regions/one") is not None


def test_upkeep_is_rare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Upkeep] = []
    run = Upkeep.run

    def counted(self: Upkeep) -> None:
        runs.append(self)
        run(self)

    monkeypatch.setattr(Upkeep, "run", counted)
    for _ in range(3):
        cache = Cache("x86_64", tmp_path)
        for number in range(5):
            cache.store(f"regions/{number}", {}, b"")
    assert len(runs) == 1
    os.utime(tmp_path / "looked-after", (OLD, OLD))
    cache.load("regions/1")
    assert len(runs) == 1
    Cache("x86_64", tmp_path).store("regions/1", {}, b"")
    assert len(runs) == 2


def test_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, size in {"": 2 << 30, "1000": 1000, "500M": 500 << 20, "1.5 GiB": 3 << 29, "64kb": 65536}.items():
        monkeypatch.setenv("METAPHRASE_CACHE_SIZE", text)
        assert size_limit() == size
    for text in ("much", "-1", "5 apples", "G"):
        monkeypatch.setenv("METAPHRASE_CACHE_SIZE", text)
        with pytest.raises(MetaphraseError, match=f"METAPHRASE_CACHE_SIZE={text}: give a number of bytes"):
            size_limit()
    env = environment(METAPHRASE_CACHE_SIZE="much")
    done = subprocess.run(metaphrase_command("run", "--", "/bin/true"), env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (125, 1) and "METAPHRASE_CACHE_SIZE=much" in done.stderr


def test_statistics_tell_what_came_from_it(tmp_path: Path) -> None:
    env = environment(METAPHRASE_CACHE_DIR=str(tmp_path / "cache"))
    report = tmp_path / "report"
    for cached in (False, True):
        translated(program("sorting"), "1", f"--stats=json:{report}", env=env)
        told = json.loads(report.read_text())
        assert (told["regions_cached"] > told["regions"]) == cached
        assert (told["forms_cached"] > told["forms_compiled"]) == cached
