"""Programs that try to get out of a policy: every attempt fails, and the host shows no trace of any.

Each program in `policy/` judges its own attempts; what is looked at here is the host.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from tests.programs.runner import (
    BUILDS_I386,
    CACHE,
    OTHER_RUNNER,
    Outcome,
    assert_same,
    environment,
    metaphrase_command,
    run,
)

SOURCES = Path(__file__).parent / "policy"
GUESTS = ("x86_64", "i386", "riscv64")
MARK = "METAPHRASE_WITHOUT_TRACE"

pytestmark = pytest.mark.skipif(bool(OTHER_RUNNER), reason="other emulators have no policies")


def traces(folder: Path) -> dict[str, object]:
    """All that a host's folder tells of what lies in it, but for when it was read."""
    found: dict[str, object] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        status = path.lstat()
        names = os.listxattr(path, follow_symlinks=False)
        found[str(path)] = (
            status.st_ino, status.st_mode, status.st_nlink, status.st_uid, status.st_gid, status.st_size,
            status.st_mtime_ns, status.st_ctime_ns,
            {name: os.getxattr(path, name, follow_symlinks=False) for name in names},
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )  # fmt: skip
    return found


class Host:
    """Folders of the host's that a guest may not change, and a process that it may not touch."""

    def __init__(self, base: Path, victim: int) -> None:
        self.base, self.victim = base, victim
        self.hidden, self.readable = base / "hidden", base / "readable"
        self.work, self.written, self.temporary = base / "work", base / "written", base / "temporary"
        for folder in (self.hidden, self.readable, self.work, self.written, self.temporary):
            folder.mkdir()
        (self.hidden / "secret").write_text("secret\n")
        (self.hidden / "program").write_text("#!/bin/sh\necho hidden\n")
        (self.hidden / "program").chmod(0o755)
        for folder in (self.readable, self.work):
            (folder / "file").write_text("file " + "x" * 5000)
            (folder / "folder").mkdir()
            (folder / "folder" / "inner").write_text("inner")
        (self.work / "link").symlink_to("file")
        self.policy = base / "policy.toml"
        self.say("")

    def say(self, text: str) -> None:
        """Write the policy: the sandbox, and what a test adds."""
        self.policy.write_text(
            f'preset = "sandbox"\n{text}\n[files]\n"{self.hidden}" = "hidden"\n"{self.readable}" = "read"\n'
            f'"{self.written}" = "write"\n'
        )

    def _kept(self) -> list[dict[str, object]]:
        return [traces(folder) for folder in (self.hidden, self.readable, self.work)]

    def confined(self, source: str, *arguments: object, guest: str = "x86_64", prefix: tuple[str, ...] = ()) -> Outcome:
        """Run a program of `policy/`, which is to find every attempt refused, and look for traces."""
        program = build(SOURCES / f"{source}.c", ["-O1", "-static"], folder=CACHE, guest=guest)
        return self.run(program, *arguments, prefix=prefix)

    def run(self, program: object, *arguments: object, prefix: tuple[str, ...] = ()) -> Outcome:
        """Run any program under the policy, and look for traces."""
        before, mark, null = self._kept(), uuid.uuid4().hex, os.stat("/dev/null")
        victim = _description(self.victim)
        command = [*prefix, *metaphrase_command("run", "--policy", str(self.policy), "--"), program, *arguments]
        env = environment(TMPDIR=str(self.temporary), **{MARK: mark})
        try:
            outcome = run([str(word) for word in command], env=env, cwd=self.work)
        finally:
            left = _end_marked(mark)
        assert not left, "processes are left"
        assert self._kept() == before, "the host's files have changed"
        assert not list(self.temporary.iterdir()), "what was kept aside is left"
        assert _description(self.victim) == victim, "another process has changed"
        assert os.stat("/dev/null")[:6] == null[:6], "a device has changed"
        return outcome


def _description(process: int) -> tuple[object, ...]:
    limits = Path(f"/proc/{process}/limits").read_text()
    return os.getpgid(process), os.getpriority(os.PRIO_PROCESS, process), os.sched_getaffinity(process), limits


def _marked(mark: str) -> Iterator[int]:
    """Processes that have a mark in their environment."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                yield int(entry.name)
        except OSError:
            continue


def _end_marked(mark: str) -> int:
    """End processes that have a mark, which may be making new ones: how many there were at first."""
    first = len(list(_marked(mark)))
    while left := list(_marked(mark)):
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        for process in _marked(mark):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    return first


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    victim = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        yield Host(tmp_path, victim.pid)
        assert victim.poll() is None, "another process was ended"
    finally:
        victim.kill()
        victim.wait()


def guests() -> list[object]:
    """Guests whose programs can be built."""
    return [
        pytest.param(guest, marks=pytest.mark.skipif(guest == "i386" and not BUILDS_I386, reason="gcc has no i386"))
        for guest in GUESTS
    ]


def assert_all_refused(outcome: Outcome) -> None:
    assert outcome.status == 0, outcome.stdout.decode() + outcome.stderr.decode()[-3000:]
    assert b"0 of " in outcome.stdout and b"policy: " in outcome.stderr


@pytest.mark.parametrize("guest", guests())
def test_files(host: Host, guest: str) -> None:
    outcome = host.confined("files", host.hidden, host.readable, guest=guest)
    assert_all_refused(outcome)
    told = outcome.stderr.decode()
    assert f"policy: path {host.hidden}: hidden" in told
    assert f"{host.readable}/file: it can only be read: Read-only file system" in told


@pytest.mark.parametrize("guest", guests())
def test_memory(host: Host, guest: str) -> None:
    assert_all_refused(host.confined("memory", host.victim, guest=guest))


@pytest.mark.parametrize("guest", guests())
def test_processes(host: Host, guest: str) -> None:
    host.say("processes = 12")
    assert_all_refused(host.confined("processes", host.victim, 12, guest=guest))


@pytest.mark.parametrize("guest", guests())
def test_programs(host: Host, guest: str) -> None:
    outcome = host.confined("programs", host.hidden, guest=guest)
    assert_all_refused(outcome)
    for again in (b"memory", b"its name", b"a copy", b"itself"):
        assert again + b": 0 of 4 attempts" in outcome.stdout


@pytest.mark.parametrize("guest", guests())
def test_calls(host: Host, guest: str) -> None:
    assert_all_refused(host.confined("calls", guest=guest))


@pytest.mark.parametrize("guest", guests())
def test_network_and_descriptors(host: Host, guest: str) -> None:
    abstract = f"metaphrase-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as unnamed, socket.socket() as far:
        # The working directory's path may be too long for a socket's name.
        here = os.open(host.work, os.O_PATH)
        named.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        unnamed.bind("\0" + abstract)
        far.bind(("127.0.0.1", 0))
        for server in (named, unnamed, far):
            server.listen()
            server.setblocking(False)
        script = f'exec "$@" 7<>{host.hidden}/secret'
        port = far.getsockname()[1]
        outcome = host.confined(
            "network", "socket", abstract, port, 7, guest=guest, prefix=("sh", "-c", script, "sh")
        )
        assert_all_refused(outcome)
        for server in (named, unnamed, far):
            with pytest.raises(BlockingIOError):
                server.accept()


def test_an_overlay_is_like_the_files_themselves(tmp_path: Path) -> None:
    """A script that changes much sees the same in an overlay as natively in a copy of the same files."""
    places = tmp_path / "native", tmp_path / "confined"
    for place in places:
        for folder in ("folder", "deep/a/b", "deep/empty", "many"):
            (place / folder).mkdir(parents=True)
        for name in ("file", "folder/inner", "deep/a/b/c", *(f"many/f{number}" for number in range(1, 10))):
            (place / name).write_text(f"{name}\n")
        (place / "link").symlink_to("file")
    script = (SOURCES / "overlay.sh").read_text()
    before = traces(places[1])
    want = run(["/bin/sh", "-c", script], cwd=places[0])
    assert want.status == 0 and b"Traceback" not in want.stderr, want.stderr
    got = run(metaphrase_command("run", "--policy", "sandbox", "/bin/sh", "-c", script), cwd=places[1])
    assert_same(want, got, "overlay.sh")
    assert traces(places[1]) == before


@pytest.mark.parametrize("name", ["directories", "files", "mapping", "processes", "threads_processes", "times"])
def test_ordinary_programs_do_not_notice(name: str, tmp_path: Path) -> None:
    program = build(SOURCES.parent / "c" / f"{name}.c", ["-O2"], folder=CACHE)
    places = tmp_path / "native", tmp_path / "confined"
    for place in places:
        place.mkdir()
    want = run([program], cwd=places[0])
    assert_same(want, run(metaphrase_command("run", "--policy", "sandbox", str(program)), cwd=places[1]), name)
    assert not list(places[1].iterdir())


@pytest.mark.parametrize("guest", guests())
def test_limits(host: Host, guest: str) -> None:
    host.say('limits = {address_space = "200 MiB", open_files = 20, file_size = 10000, cpu_time = 0.5}')
    outcome = host.confined("limits", 200 << 20, 20, 10000, guest=guest)
    assert outcome.status == 128 + 9, outcome.stderr[-1000:]
    assert outcome.stdout.decode().splitlines()[-2:] == ["0 of 15 attempts went wrong", "it was told of its time"]
    assert "used up its processor time" in outcome.stderr.decode()


def test_what_is_kept(host: Host) -> None:
    """A folder that a policy names holds the changes, and the next run sees them."""
    kept = host.base / "kept"
    host.say(f'keep = "{kept}"')
    first = host.run("/bin/sh", "-c", "rm -r folder; echo changed > file; echo new > added; ls")
    second = host.run("/bin/sh", "-c", "ls; cat file added")
    assert first.stdout == b"added\nfile\nlink\n" and second.stdout == first.stdout + b"changed\nnew\n"
    assert [path.name for path in kept.rglob("added")] == ["added"]
    third = host.run("/bin/cat", kept / "upper" / "added")
    assert third.status == 1 and not third.stdout, "the folder itself is hidden"


def test_what_can_be_written(host: Host) -> None:
    outcome = host.run("/bin/sh", "-c", f"cd {host.written}; mkdir new; echo text > new/file; mv new moved; ls -R")
    assert outcome.status == 0 and (host.written / "moved" / "file").read_text() == "text\n"
    host.say("")
    inner = host.written / "moved" / "inner"
    inner.mkdir()
    host.policy.write_text(host.policy.read_text() + f'"{inner}" = "hidden"\n')
    script = f"cd {host.written}; mv moved elsewhere; rm -r moved; ls -A moved; mkdir moved/inner; ls"
    outcome = host.run("/bin/sh", "-c", script)
    assert outcome.stdout == b"moved\n" and inner.exists(), "nothing hidden is moved to where it is seen"


def test_loopback(host: Host) -> None:
    host.policy.write_text(host.policy.read_text().replace("\n[files]", '\nnetwork = "loopback"\n[files]'))
    script = """
import errno, socket
addresses = (socket.AF_INET, "127.0.0.1", ("10.0.0.1", "0.0.0.0")), (socket.AF_INET6, "::1", ("fe80::1", "::"))
for family, near, far in addresses:
    server = socket.socket(family)
    try: server.bind((near, 0))
    except OSError as error:
        assert error.errno == errno.EADDRNOTAVAIL, error
        continue
    server.listen()
    client = socket.create_connection(server.getsockname()[:2])
    client.send(b"x")
    assert server.accept()[0].recv(5) == b"x"
    for address in far:
        for attempt in ("connect", "bind"):
            try: getattr(socket.socket(family), attempt)((address, 9))
            except PermissionError: continue
            raise AssertionError((attempt, address))
        try: socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (address, 9))
        except PermissionError: continue
        raise AssertionError(address)
    try: socket.socket(family).listen()
    except PermissionError: continue
    raise AssertionError("everybody reaches it")
import ctypes
kernel = ctypes.CDLL(None, use_errno=True)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for address in (bytes(16), bytes([0, 0, 0, 9, 10, 0, 0, 1]) + bytes(8), bytes([16]) + bytes(11)):
    for attempt in (lambda: kernel.bind(datagrams.fileno(), address, len(address)),
                    lambda: kernel.sendto(datagrams.fileno(), b"x", 1, 0, address, len(address))):
        assert attempt() == -1 and ctypes.get_errno() in (errno.EACCES, errno.EAFNOSUPPORT), address
datagrams.connect(("127.0.0.1", 9))
assert kernel.connect(datagrams.fileno(), bytes(16), 16) == 0, "a connection is taken back"
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    raise AssertionError("raw")
except PermissionError:
    print("good")
"""
    outcome = host.run("/usr/bin/python3", "-c", script)
    assert outcome.stdout == b"good\n", outcome.stderr


def test_races(host: Host) -> None:
    """Against links in a folder that both guest and host can write, and in an overlay."""
    for folder in (host.written, host.work / "folder"):
        outcome = host.confined("races", host.hidden, folder, 3000)
        assert outcome.status == 0, outcome.stdout[-2000:]
        own, missing = (int(word.split()[0]) for word in outcome.stderr.decode().splitlines()[-1].split(", "))
        assert own > 10 and missing > 10  # both happen, however slow the machine is


def test_the_host_may_change_names_too(host: Host) -> None:
    """Something outside turns a folder of the guest's into a link to what is hidden, and back."""
    name, real = host.written / "name", host.written / "real"
    real.mkdir()
    (real / "secret").write_text("own\n")
    flips = subprocess.Popen(
        ["sh", "-c", 'cd "$1"; ln -s "$2" hidden; while :; do mv real name; mv name real; mv -T hidden name; '
                     "mv -T name hidden; done", "sh", str(host.written), str(host.hidden)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        script = f"i=0; while [ $i -lt 2000 ]; do read -r line < {name}/secret && echo $line; i=$((i+1)); done"
        outcome = host.run("/bin/sh", "-c", script)
    finally:
        flips.kill()
        flips.wait()
    assert set(outcome.stdout.splitlines()) == {b"own"}, outcome.stderr[-1000:]


def test_nothing_is_left_of_a_program_that_cannot_start(host: Host) -> None:
    script = host.readable / "script"
    script.write_text(f"#!{host.hidden}/program\n")
    script.chmod(0o755)
    outcome = host.run(script)
    assert outcome.status == 127 and b"no such file" in outcome.stderr.lower()


def test_nothing_is_left_of_a_run_that_is_ended(host: Host) -> None:
    """By a signal from outside, to a shell with children that ignore it."""
    script = 'trap "" TERM; sleep 1000 & (sleep 1000 & sleep 1000) & echo ready; trap - TERM; echo x > kept; wait'
    mark = uuid.uuid4().hex
    child = subprocess.Popen(
        metaphrase_command("run", "--policy", str(host.policy), "/bin/sh", "-c", script), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=host.work, env=environment(TMPDIR=str(host.temporary), **{MARK: mark}),
    )  # fmt: skip
    try:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        time.sleep(1)
        assert len(list(_marked(mark))) >= 4 and list(host.temporary.iterdir())
        child.terminate()
        child.wait(20)
    finally:
        child.kill()
        left = _end_marked(mark)
        child.communicate()
    assert not left
    assert child.returncode == 128 + 15
    assert not list(host.temporary.iterdir()) and not (host.work / "kept").exists()


def test_the_folder_of_a_killed_run_is_removed_by_a_later_one(tmp_path: Path) -> None:
    def begin() -> tuple[subprocess.Popen[bytes], Path]:
        known = set(tmp_path.iterdir())
        command = metaphrase_command("run", "--policy", "sandbox", "/bin/cat")
        started = subprocess.Popen(
            command, env=environment(TMPDIR=str(tmp_path)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert started.stdin is not None and started.stdout is not None
        started.stdin.write(b"x\n")
        started.stdin.flush()
        assert started.stdout.readline() == b"x\n"
        (folder,) = set(tmp_path.iterdir()) - known
        os.utime(folder, (0, 0))
        return started, folder

    killed, abandoned = begin()
    killed.kill()
    killed.wait()
    assert abandoned.is_dir()
    running, used = begin()
    assert not abandoned.exists()
    another, _ = begin()
    assert used.is_dir()
    for process in (running, another):
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert not list(tmp_path.iterdir())
