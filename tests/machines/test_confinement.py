"""Calls of confined processes, called with whatever there is."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Generator
from pathlib import Path

import pytest

from metaphrase.benchmarks.building import build
from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.calls.table import find_call
from metaphrase.machines.linux.confinement import Confinement
from metaphrase.machines.linux.policy import Access, Policy, find_policy
from tests.machines.conftest import ProcessMaker
from tests.machines.scripted_cpu import Event, ScriptedCpu
from tests.programs.runner import BUILDS_I386, CACHE, ROOT

Steps = Generator[Event, int, None]
#: They end the process, wait for what never comes, or change this process's own limits or standard output.
_LEFT_OUT = {
    "exit", "exit_group", "pause", "rt_sigsuspend", "sigsuspend", "rt_sigreturn", "sigreturn", "fork", "vfork", "clone",
    "clone3", "execve", "execveat", "kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "alarm",
    "setitimer", "timer_settime", "timer_settime64", "select", "_newselect", "poll", "ppoll", "ppoll_time64",
    "pselect6", "pselect6_time64", "epoll_wait", "epoll_pwait", "epoll_pwait2", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "futex", "futex_time64", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
    "read", "readv", "pread64", "preadv", "preadv2", "accept", "accept4", "recvfrom", "recvmsg", "connect", "sendto",
    "sendmsg", "sendmmsg", "flock", "fcntl", "fcntl64", "write", "writev", "socketcall", "wait4", "waitid", "waitpid",
    "setsid", "sync", "syncfs", "pwritev", "pwritev2", "pwrite64", "splice", "tee", "sendfile", "sendfile64",
    "rt_sigprocmask", "sigprocmask", "rt_sigaction", "sigaction", "signal", "munmap", "mmap", "mmap2", "mremap",
    "mprotect", "brk", "close", "close_range", "prctl", "pidfd_send_signal", "sched_setaffinity",
    "lseek", "_llseek", "ftruncate", "ftruncate64", "fallocate", "dup2", "dup3", "sched_setscheduler",
    "setpriority", "setrlimit", "prlimit64", "nice", "setpgid", "madvise", "mlockall", "copy_file_range",
}  # fmt: skip


@pytest.mark.parametrize(
    "guest",
    [pytest.param(guest, marks=pytest.mark.skipif(guest == "i386" and not BUILDS_I386, reason="gcc has no i386"))
     for guest in ABIS],
)  # fmt: skip
def test_every_call_takes_anything(
    guest: str, make_process: ProcessMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers, pointers, paths and descriptors in the wrong places: always a result, or an error number."""
    monkeypatch.chdir(tmp_path)
    abi = ABIS[guest]
    names = [name for name in abi.numbers.values() if find_call(name, compat=abi.word == 4) and name not in _LEFT_OUT]
    choose = random.Random(guest)

    def steps(cpu: ScriptedCpu) -> Steps:
        base = (cpu.get(abi.stack_pointer) - 0x20000) & ~0xFFF
        texts = [b"/etc/passwd", b"", b".", b"..", b"/", b"new", b"/proc/self/fd/0", b"a/" * 700, b"/tmp/x", b"\xff"]
        places = []
        for number, text in enumerate(texts):
            place = base + 0x800 * number
            cpu.window.write(place, text + b"\0")
            places.append(place)
        cpu.window.write(base + 0x7000, struct.pack("<16Q", *[base] * 16))
        wild = [0, 1, 2, 3, 17, 1 << 31, (1 << 32) - 100, (1 << 32) - 1, 0x1000, base + 0x7000, base + 0x8000]
        wild += [(1 << 64) - 1, 1 << 46, 1 << 63, (1 << 64) - 100] if abi.word == 8 else []
        for _ in range(12):
            for name in names:
                result = yield (name, *(choose.choice([*wild, *places, *places]) for _ in range(6)))
                if name in ("open", "openat", "creat", "dup", "socket", "memfd_create") and result > 9:
                    yield "close", result

    before = os.stat("/etc/passwd"), os.stat("/dev/null").st_mode
    umask = os.umask(0o22)
    descriptors = set(os.listdir("/proc/self/fd"))
    path = None
    if abi.word == 4:  # for which nobody writes ELF files here
        path = build(ROOT / "tests/programs/c/arguments.c", ["-O2", "-static"], folder=CACHE, guest=guest)
    confinement = Confinement(find_policy("sandbox") or Policy())
    process = make_process(steps, guest=guest, path=path, confinement=confinement)
    try:
        assert process.run() == 0
    finally:
        os.umask(umask)
    process.close()
    assert (os.stat("/etc/passwd"), os.stat("/dev/null").st_mode) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"program"}
    assert len(set(os.listdir("/proc/self/fd")) - descriptors) <= 1


def test_an_opened_file_has_the_lowest_number(make_process: ProcessMaker, tmp_path: Path) -> None:
    """Though looking it up took numbers as well."""
    (tmp_path / "file").write_text("text")

    def steps(cpu: ScriptedCpu) -> Steps:
        place = (cpu.get(cpu.abi.stack_pointer) - 0x20000) & ~0xFFF
        cpu.window.write(place, os.fsencode(tmp_path / "file") + b"\0")
        first = yield "open", place, os.O_RDONLY, 0
        second = yield "open", place, os.O_RDONLY, 0
        assert (yield "close", first) == 0
        assert (yield "open", place, os.O_RDONLY, 0) == first
        assert (yield "open", place, os.O_PATH | os.O_CLOEXEC, 0) > second
        assert (yield "close", second) == 0
        assert (yield "fcntl", first, 1, 0) == 0

    policy = Policy(files={str(tmp_path): Access.READ})
    assert make_process(steps, confinement=Confinement(policy)).run() == 0


def test_denials_are_told_as_printable_text(make_process: ProcessMaker, caplog: pytest.LogCaptureFixture) -> None:
    """A guest chooses the names in them."""

    def steps(cpu: ScriptedCpu) -> Steps:
        place = (cpu.get(cpu.abi.stack_pointer) - 0x20000) & ~0xFFF
        cpu.window.write(place, b"/tmp/a\xff\xc0\x1b[2J\nb\0")
        assert (yield "mknod", place, 0o20600, 0x101) < 0

    process = make_process(steps, confinement=Confinement(find_policy("sandbox") or Policy()))
    assert process.run() == 0
    process.close()
    (message,) = [record.getMessage() for record in caplog.records if "mknod" in record.getMessage()]
    assert r"a\udcff\udcc0\x1b[2J\nb" in message and message.isprintable()
