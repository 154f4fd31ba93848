"""System calls: what is passed on and how, and what is answered here."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Generator
from errno import EACCES, EBADF, EFAULT, EINVAL, ENOENT, ENOMEM, ENOTTY
from pathlib import Path

import pytest

import metaphrase.machines.linux.calls.compat  # noqa: F401  declares its calls
from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi import ABIS, numbers
from metaphrase.machines.linux.calls import COMPAT_ALIASES, COMPAT_CALLS, SYSTEM_CALLS
from metaphrase.machines.linux.calls.table import IN, OUT, SIZE, VALUE, array, out, passthrough
from metaphrase.machines.linux.places import Places
from metaphrase.machines.linux.signals import information_32, information_64
from tests.machines.conftest import ProcessMaker
from tests.machines.scripted_cpu import Event, ScriptedCpu

Steps = Generator[Event, int, None]


class Area:
    """Scratch memory on the guest's stack."""

    def __init__(self, cpu: ScriptedCpu) -> None:
        self.cpu = cpu
        self.base = self.next = (cpu.get(cpu.abi.stack_pointer) - 0x20000) & ~0xFFF

    def room(self, size: int) -> int:
        address = self.next
        self.next += (size + 15) & ~15
        return address

    def put(self, data: bytes) -> int:
        address = self.room(len(data) + 1)
        self.cpu.window.write(address, data + b"\0")
        return address


@pytest.fixture
def run(make_process: ProcessMaker) -> Callable[..., int]:
    """Run a script that is given the CPU and scratch memory."""

    def run(steps: Callable[[ScriptedCpu, Area], Steps], guest: str = "x86_64", **options: object) -> int:
        def script(cpu: ScriptedCpu) -> Steps:
            yield from steps(cpu, Area(cpu))

        return make_process(script, guest=guest, **options).run()

    return run


@pytest.mark.parametrize(
    "header", ["x86_64-linux-gnu/asm/unistd_64.h", "x86_64-linux-gnu/asm/unistd_32.h", "asm-generic/unistd.h"]
)
def test_numbers_agree_with_the_kernels_headers(header: str) -> None:
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip("linux-libc-dev is not installed")
    ours = {"64": numbers.X86_64, "32": numbers.I386}.get(header[-4:-2], numbers.GENERIC)
    found = 0
    for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text()):
        if int(number) in ours:
            if ours is numbers.GENERIC:
                name = {"fstatat": "newfstatat", "sync_file_range2": "sync_file_range"}.get(name, name)
            assert ours[int(number)] == name
            found += 1
    assert found > 300


def test_declared_calls_exist() -> None:
    known = set(numbers.X86_64.values()) | set(ABIS["riscv64"].numbers.values())
    assert set(SYSTEM_CALLS) <= known
    assert set(COMPAT_CALLS) | set(COMPAT_ALIASES) <= set(numbers.I386.values())
    assert set(COMPAT_ALIASES.values()) <= set(SYSTEM_CALLS)


def test_places_in_directories_have_small_numbers() -> None:
    places = Places()
    wide = [1 << 62, 5, (1 << 63) - 1, 1 << 30, 1 << 62]
    numbers = [places.number(offset) for offset in wide]
    assert numbers[1] == 5 and numbers[0] == numbers[4] and all(0 <= number < 1 << 31 for number in numbers)
    for offset, number in zip(wide, numbers, strict=True):
        assert (places.offset(number) if places.is_number(number) else number) == offset


@pytest.mark.parametrize(
    ("signal", "code", "fields", "rest"),
    [
        (11, 1, struct.pack("<Q", 0x1234_5678), struct.pack("<I", 0x1234_5678)),
        (17, 1, struct.pack("<iiI4xQQ", 7, 8, 9, 10, 11), struct.pack("<iiIII", 7, 8, 9, 10, 11)),
        (34, -1, struct.pack("<iiQ", 7, 8, 0xFFFF_FFB3), struct.pack("<iiI", 7, 8, 0xFFFF_FFB3)),
        (29, 1, struct.pack("<Qi", 4, 5), struct.pack("<Ii", 4, 5)),
    ],
)
def test_information_of_signals_in_both_widths(signal: int, code: int, fields: bytes, rest: bytes) -> None:
    wide = (struct.pack("<iii4x", signal, 2, code) + fields).ljust(128, b"\0")
    narrow = (struct.pack("<iii", signal, 2, code) + rest).ljust(128, b"\0")
    assert information_32(wide) == narrow and information_64(narrow, signal) == wide


def test_passed_on_pointers_are_moved_and_sizes_clamped(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []

    def answer(*values: int) -> int:
        seen.append(values)
        return 77

    monkeypatch.setattr(host, "call", answer)
    monkeypatch.setitem(SYSTEM_CALLS, "swapon", None)
    del SYSTEM_CALLS["swapon"]
    passthrough("swapon", VALUE, OUT, SIZE, IN, out(8), VALUE)
    call = SYSTEM_CALLS.pop("swapon")
    monkeypatch.setitem(SYSTEM_CALLS, "capset", call)
    results = []
    base = []

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        base.append(cpu.window.base)
        seen.clear()
        results.append((yield "capset", 1 << 63, 0x5000, 1 << 60, 0, 0x7000, 9))
        results.append((yield "capset", 0, 0, 0, 1 << 46, 0, 0))
        results.append((yield "capset", 0, (1 << 64) - 1, 0, 0, 0, 0))

    run(steps)
    assert results == [77, 77, 77]
    number = numbers.HOST["swapon"]
    passed = [values for values in seen if values[0] == number]
    assert passed == [
        (number, 1 << 63, base[0] + 0x5000, host.MAX_TRANSFER, 0, base[0] + 0x7000, 9),
        (number, 0, 0, 0, host.NOWHERE, 0, 0),
        (number, 0, host.NOWHERE, 0, 0, 0, 0),
    ]


def test_writable_code_is_forgotten_before_the_kernel_writes(run: Callable[..., int]) -> None:
    told: list[tuple[int, int]] = []

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        code = yield "mmap", 0, 0x2000, 7, 0x22, (1 << 64) - 1, 0
        cpu.invalidated.clear()
        yield "clock_gettime", 1, code + 0x10
        yield "getrandom", code + 0x1000, 0x20, 0
        yield "poll", code + 0x100, 2, 0
        yield "uname", code + 0x200
        told.extend((start - code, end - code) for start, end in cpu.invalidated)

    run(steps)
    assert told == [(0x10, 0x20), (0x1000, 0x1020), (0x100, 0x110), (0x200, 0x200 + 65 * 6)]
    assert array(8).size == 8


def test_files(run: Callable[..., int], tmp_path: Path) -> None:
    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        window = cpu.window
        name = area.put(os.fsencode(tmp_path / "file"))
        buffer = area.room(4096)
        assert (yield "open", name, os.O_RDONLY, 0) == -ENOENT
        file = yield "openat", -100, name, os.O_RDWR | os.O_CREAT, 0o644
        assert file >= 0
        assert (yield "write", file, area.put(b"hello world"), 11) == 11
        assert (yield "lseek", file, 0, 0) == 0
        assert (yield "read", file, buffer, 1 << 40) == 11, "a size beyond all reason reads what there is"
        assert window.read(buffer, 11) == b"hello world"
        assert (yield "pread64", file, buffer, 5, 6) == 5
        assert window.read(buffer, 5) == b"world"
        vector = area.put(struct.pack("<4Q", buffer, 3, buffer + 100, 50))
        assert (yield "lseek", file, 0, 0) == 0
        assert (yield "readv", file, vector, 2) == 11
        assert window.read(buffer, 3) + window.read(buffer + 100, 8) == b"hello world"
        assert (yield "preadv", file, vector, 2, 6, 0) == 5
        assert (yield "readv", file, area.put(struct.pack("<2Q", 1 << 50, 5)), 1) == -EFAULT
        assert (yield "readv", file, 0x100, 1) == -EFAULT
        assert (yield "writev", file, vector, 1025) == -EINVAL
        assert (yield "read", file, 0x100, 4) == 0, "at the end of the file nothing is touched"
        assert (yield "pread64", file, 0x100, 4, 0) == -EFAULT
        assert (yield "fstat", file, buffer) == 0
        assert struct.unpack_from("<q", window.read(buffer, 144), 48)[0] == 11
        assert (yield "newfstatat", -100, name, buffer, 0) == 0
        assert (yield "stat", 0x100, buffer) == -EFAULT
        assert (yield "access", name, os.R_OK) == 0
        assert (yield "unlink", name) == 0
        assert (yield "access", name, os.R_OK) == -ENOENT
        assert (yield "close", file) == 0
        assert (yield "close", file) == -EBADF
        assert (yield "open", area.put(b"x" * 5000), 0, 0) == -36
        assert (yield "ioctl", file, 0x5401, buffer) == -EBADF
        assert (yield "ioctl", 0, 0xDEADBEEF, buffer) == -ENOTTY
        assert (yield "getcwd", buffer, 4096) == len(os.getcwd()) + 1
        assert (yield "chdir", area.put(os.fsencode(tmp_path))) == 0

    before = os.getcwd()
    assert run(steps) == 0
    assert os.getcwd() == before, "the caller's directory comes back"


def test_riscv_structures(run: Callable[..., int], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1234))
    path.chmod(0o640)
    status = path.stat()

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        window = cpu.window
        buffer = area.room(256)
        window.write(buffer, b"\xaa" * 256)
        assert (yield "newfstatat", -100, area.put(os.fsencode(path)), buffer, 0) == 0
        device, inode, mode, links = struct.unpack("<QQII", window.read(buffer, 24))
        assert (device, inode, mode, links) == (status.st_dev, status.st_ino, status.st_mode, 1)
        size, block_size = struct.unpack("<qi", window.read(buffer + 48, 12))
        assert (size, block_size) == (1234, status.st_blksize)
        assert struct.unpack("<qQ", window.read(buffer + 88, 16)) == divmod(status.st_mtime_ns, 10**9)
        assert window.read(buffer + 128, 4) == b"\xaa" * 4, "nothing past the structure is touched"
        poll = yield "epoll_create1", 0
        event = area.put(struct.pack("<I4xQ", 4, 0x1122_3344_5566_7788))
        target = yield "eventfd2", 1, 0
        assert (yield "epoll_ctl", poll, 1, target, event) == 0
        assert (yield "epoll_pwait", poll, buffer, 4, 0, 0, 8) == 1
        assert struct.unpack("<I4xQ", window.read(buffer, 16)) == (4, 0x1122_3344_5566_7788)
        assert (yield "uname", buffer) == 0
        assert window.read_cstring(buffer + 65 * 4) == b"riscv64"

    assert run(steps, guest="riscv64") == 0


def test_private_descriptors_are_out_of_reach(run: Callable[..., int]) -> None:
    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        assert host.PRIVATE
        for private in sorted(host.PRIVATE):
            assert (yield "close", private) == -EBADF
            assert (yield "dup2", 1, private) == -EBADF
            assert (yield "dup3", 1, private, 0) == -EBADF
            assert (yield "fcntl", private, 1) == -EBADF
            assert (yield "fstat", private, area.room(144)) == -EBADF
            assert (yield "newfstatat", private, area.put(b""), area.room(144), 0x1000) == -EBADF
        copy = yield "dup", 1
        assert (yield "close_range", copy, 0xFFFF_FFFF, 0) == 0
        assert (yield "close", copy) == -EBADF
        for private in host.PRIVATE:
            os.fstat(private)

    assert run(steps) == 0


def test_memory_calls(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"f" * 5000)

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        window = cpu.window
        start = yield "brk", 0
        assert (yield "brk", start + 0x2345) == start + 0x2345
        window.write(start, b"heap")
        assert (yield "brk", start - 1) == start + 0x2345
        assert (yield "brk", start + 0x1000) == start + 0x1000
        assert (yield "brk", start + 0x3000) == start + 0x3000
        assert window.read(start + 0x1000, 16) == bytes(16)

        first = yield "mmap", 0, 0x5000, 3, 0x22, -1, 0
        second = yield "mmap", 0, 100, 3, 0x22, -1, 0
        assert second + 0x1000 == first, "mappings grow down"
        assert (yield "mmap", 0, 0, 3, 0x22, -1, 0) == -EINVAL
        assert (yield "mmap", 0, 0x1000, 3, 0x20, -1, 0) == -EINVAL
        assert (yield "mmap", 0, 1 << 60, 3, 0x22, -1, 0) == -ENOMEM
        assert (yield "mmap", 0, 0x1000, 3, 0x02, 999, 0) == -EBADF
        assert (yield "mmap", first, 0x1000, 3, 0x100022, -1, 0) == -17, "MAP_FIXED_NOREPLACE"
        assert (yield "mmap", 0x1000, 0x1000, 3, 0x32, -1, 0) == -ENOMEM, "nothing near null"
        assert (yield "mmap", 0x1000_0000, 0x1000, 3, 0x22, -1, 0) == 0x1000_0000, "a free hint is taken"
        low = yield "mmap", 0, 0x1000, 3, 0x62, -1, 0
        assert 0 < low < 1 << 31

        window.write(first + 0x4FF0, b"tail")
        assert (yield "munmap", first + 0x1000, 0x1000) == 0
        assert (yield "mprotect", first, 0x3000, 1) == -ENOMEM
        assert (yield "mprotect", first + 0x2000, 0x3000, 1) == 0
        assert (yield "madvise", first, 0x2000, 4) == -ENOMEM
        assert (yield "madvise", first + 0x4000, 0x1000, 4) == 0
        assert window.read(first + 0x4FF0, 4) == bytes(4)

        file = yield "open", area.put(os.fsencode(tmp_path / "file")), 0, 0
        mapped = yield "mmap", 0, 5000, 3, 2, file, 0
        window.write(mapped, b"private")
        assert window.read(mapped, 8) == b"privatef"
        moved = yield "mremap", mapped, 0x2000, 0x8000, 1, 0
        assert moved > 0 and window.read(moved, 8) == b"privatef" and window.regions.find(mapped) is None
        assert (yield "mremap", moved, 0x8000, 0x1000, 0, 0) == moved
        assert window.regions.find(moved + 0x1000) is None
        again = yield "mremap", moved, 0x1000, 0x3000, 0, 0
        assert again == moved, "grown in place"
        target = moved - 0x100000
        assert (yield "mremap", moved, 0x1000, 0x2000, 3, target) == target
        assert window.read(target, 8) == b"privatef" and window.read(target + 0x1000, 4) == b"ffff"
        assert (yield "mremap", 0x5000_0000, 0x1000, 0x2000, 1, 0) == -EFAULT
        shared = yield "mmap", 0, 0x1000, 3, 0x21, -1, 0
        window.write(shared, b"shared")
        larger = yield "mremap", shared, 0x1000, 0x4000, 1, 0
        assert window.read(larger, 6) == b"shared" and larger != shared

    assert run(steps) == 0


def test_growth_in_place_keeps_zeroed_memory(run: Callable[..., int]) -> None:
    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        window = cpu.window
        block = yield "mmap", 0x2000_0000, 0x1000, 3, 0x22, -1, 0
        window.write(block, b"start")
        assert (yield "mremap", block, 0x1000, 0x100000, 1, 0) == block
        assert window.read(block, 5) == b"start" and window.read(block + 0xFFFF0, 16) == bytes(16)
        assert len([r for r in window.regions if block <= r.start < block + 0x100000]) == 1

    assert run(steps) == 0


def read_all(cpu: ScriptedCpu, area: Area, path: bytes, flags: int = 0) -> Generator[Event, int, bytes]:
    file = yield "open", area.put(path), flags, 0
    assert file >= 0, file
    buffer = area.room(1 << 14)
    length = yield "read", file, buffer, 1 << 14
    yield "close", file
    return cpu.window.read(buffer, length)


def test_proc_shows_the_guest(run: Callable[..., int], tmp_path: Path) -> None:
    program = os.fsencode(tmp_path / "program")

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        maps = (yield from read_all(cpu, area, b"/proc/self/maps")).decode()
        assert re.search(r"^400000-401000 r-xp 00000000 .* +/.*program$", maps, re.M)
        assert "[stack]" in maps and "python" not in maps
        assert (yield from read_all(cpu, area, b"/proc/self/cmdline")) == b"one\0two\0"
        assert (yield from read_all(cpu, area, b"/proc/self/environ")) == b"K=V\0"
        assert (yield from read_all(cpu, area, b"/proc/%d/comm" % os.getpid())) == b"program\n"
        auxv = yield from read_all(cpu, area, b"/proc/self/auxv")
        assert struct.unpack_from("<QQ", auxv, len(auxv) - 16) == (0, 0)
        buffer = area.room(4096)
        link = area.put(b"/proc/self/exe")
        assert (yield "readlink", link, buffer, 4096) == len(program)
        assert cpu.window.read(buffer, len(program)) == program
        assert (yield "readlink", link, buffer, 3) == 3
        assert (yield from read_all(cpu, area, b"/proc/self/exe"))[:4] == b"\x7fELF"

    assert run(steps, argv=["one", "two"], env={"K": "V"}) == 0


def test_host_memory_cannot_be_opened(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc/self/mem")

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        paths = [b"/proc/self/mem", b"/proc/%d/mem" % os.getpid(), b"/proc/self/task/%d/mem" % os.getpid()]
        paths += [os.fsencode(tmp_path / "link"), b"/proc/self/../%d/./mem" % os.getppid()]
        for path in paths:
            assert (yield "open", area.put(path), os.O_RDWR, 0) in (-EACCES, -1)
        folder = yield "open", area.put(b"/proc/self"), os.O_RDONLY, 0
        assert (yield "openat", folder, area.put(b"mem"), os.O_RDONLY, 0) == -EACCES

    assert run(steps) == 0


def test_sysroot(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text("from the sysroot")

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        assert (yield from read_all(cpu, area, b"/etc/passwd")) == b"from the sysroot"
        assert (yield from read_all(cpu, area, b"/proc/version")).startswith(b"Linux"), "the rest is the host's"

    assert run(steps, sysroot=str(tmp_path / "root")) == 0


def test_limits_on_memory_are_not_ours(run: Callable[..., int]) -> None:
    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        old = area.room(16)
        assert (yield "prlimit64", 0, 9, area.put(struct.pack("<QQ", 1 << 20, 1 << 20)), 0) == 0
        assert (yield "prlimit64", 0, 9, 0, old) == 0
        assert struct.unpack("<QQ", cpu.window.read(old, 16)) == (1 << 20, 1 << 20)
        assert (yield "getrlimit", 7, old) == 0
        assert (yield "mmap", 0, 1 << 24, 3, 0x22, -1, 0) > 0

    assert run(steps) == 0


def test_registers_of_the_architecture(run: Callable[..., int]) -> None:
    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        assert (yield "arch_prctl", 0x1002, 0x1234_5678) == 0
        assert cpu.get("fs_base") == 0x1234_5678
        assert (yield "arch_prctl", 0x1003, area.base) == 0
        assert cpu.window.read_u64(area.base) == 0x1234_5678
        assert (yield "arch_prctl", 0x1002, 1 << 47) == -1
        assert (yield "arch_prctl", 0x1003, 8) == -EFAULT
        assert (yield "prctl", 15, area.put(b"a name that is too long"), 0, 0, 0) == 0
        assert (yield "prctl", 16, area.base, 0, 0, 0) == 0
        assert cpu.window.read(area.base, 16) == b"a name that is \0"

    assert run(steps) == 0


def test_wild_pointers_are_always_efault(run: Callable[..., int]) -> None:
    """Every declared call gets pointers that lead nowhere; the host must survive, and say EFAULT or the like."""
    dangerous = {
        "exit", "exit_group", "fork", "vfork", "clone", "pause", "kill", "tkill", "tgkill", "rt_sigreturn", "close",
        "close_range", "rt_sigsuspend", "setsid", "setuid", "setgid", "setfsuid", "setfsgid", "setpgid", "setreuid",
        "setregid", "setresuid", "setresgid", "munmap", "mmap", "brk", "dup2", "dup3", "wait4", "waitid", "read",
        "ftruncate", "sync", "alarm", "set_tid_address", "setgroups", "umask", "fchdir", "capset", "mremap", "mprotect",
        "pread64", "syncfs", "sched_setscheduler", "sched_setparam", "setpriority", "ioprio_set", "rt_sigqueueinfo",
        "rt_tgsigqueueinfo", "pidfd_send_signal", "prlimit64", "setrlimit", "flock", "fchmod", "fchown",
        "sethostname", "setdomainname", "vhangup", "unshare", "setns", "mount", "umount2", "swapon", "swapoff", "acct",
        "settimeofday", "syslog",
        # System V's objects are the whole machine's, and numbered from 0.
        "msgget", "msgctl", "msgrcv", "msgsnd", "semget", "semctl", "semop", "semtimedop", "shmget", "shmctl",
    }  # fmt: skip
    names = sorted(set(SYSTEM_CALLS) & set(numbers.HOST) - dangerous)
    pointers = (1 << 46, (1 << 64) - 8, 0x1000, (1 << 46) - 8, 1 << 47)

    def steps(cpu: ScriptedCpu, area: Area) -> Steps:
        for name in names:
            for pointer in pointers:
                yield name, pointer, pointer, pointer, pointer, pointer, pointer

    assert run(steps) == 0
