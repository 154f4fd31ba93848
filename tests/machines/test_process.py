"""Starting a process: its memory, its stack, and what becomes of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Generator
from pathlib import Path
from signal import SIGKILL, SIGSEGV, SIGTERM
from typing import Any

import pytest

from metaphrase.machines.linux import Exit, LinuxProcess, LoadError, stack
from tests.machines.conftest import ProcessMaker
from tests.machines.elf_files import CODE_ADDRESS, DATA_ADDRESS, write_elf
from tests.machines.scripted_cpu import ScriptedCpu

Script = Generator[Any, Any, Any]


def idle(cpu: ScriptedCpu) -> Script:
    yield from ()


def parse_stack(process: LinuxProcess) -> tuple[list[bytes], list[bytes], dict[int, int]]:
    """argv, envp and the auxiliary vector, read the way a program's start code does."""
    window = process.window
    pointer = process.cpu.get(process.abi.stack_pointer)
    count = window.read_u64(pointer)
    pointer += 8
    argv = [window.read_cstring(p) for p in window.read_pointers(pointer)]
    assert len(argv) == count
    pointer += 8 * (count + 1)
    environment = [window.read_cstring(p) for p in window.read_pointers(pointer)]
    pointer += 8 * (len(environment) + 1)
    vector: dict[Any, Any] = {}
    while True:
        key, value = struct.unpack("<QQ", window.read(pointer, 16))
        if not key:
            return argv, environment, vector
        vector[key] = value
        pointer += 16


@pytest.mark.parametrize("guest", ["x86_64", "riscv64"])
def test_the_initial_stack(make_process: ProcessMaker, tmp_path: Path, guest: str) -> None:
    process = make_process(idle, ["name", "", "last one"], guest=guest, env={"A": "1", "EMPTY": ""})
    argv, environment, vector = parse_stack(process)
    window = process.window
    assert argv == [b"name", b"", b"last one"]
    assert environment == [b"A=1", b"EMPTY="]
    assert process.cpu.get(process.abi.stack_pointer) % 16 == 0
    assert vector[stack.AT_PHDR] == CODE_ADDRESS + 64
    assert (vector[stack.AT_PHENT], vector[stack.AT_PHNUM]) == (56, 3)
    assert vector[stack.AT_ENTRY] == process.cpu.get(process.abi.program_counter) == CODE_ADDRESS + 0x200
    assert vector[stack.AT_BASE] == vector[stack.AT_SECURE] == vector[stack.AT_FLAGS] == 0
    assert vector[stack.AT_PAGESZ] == 4096
    assert (vector[stack.AT_UID], vector[stack.AT_EGID]) == (os.getuid(), os.getegid())
    assert window.read_cstring(vector[stack.AT_EXECFN]) == os.fsencode(tmp_path / "program")
    assert len(set(window.read(vector[stack.AT_RANDOM], 16))) > 1
    assert window.read(vector[stack.AT_SYSINFO_EHDR], 4) == b"\x7fELF"
    if guest == "x86_64":
        assert window.read_cstring(vector[stack.AT_PLATFORM]) == b"x86_64"
    else:
        assert stack.AT_PLATFORM not in vector
        assert vector[stack.AT_HWCAP] == 0x112D
        assert window.check_execute(process.vdso["__vdso_rt_sigreturn"]), "handlers return through a page of ours"


def test_segments(make_process: ProcessMaker) -> None:
    process = make_process(idle)
    window = process.window
    assert window.read(CODE_ADDRESS + 0x200, 2) == b"\x0f\x0b"
    assert window.check_execute(CODE_ADDRESS) and not window.check_execute(DATA_ADDRESS)
    assert window.read(DATA_ADDRESS, 16) == b"data of program!"
    assert window.read(DATA_ADDRESS + 16, 0x3000) == bytes(0x3000), "the rest of the page and the bss are zero"
    window.write(DATA_ADDRESS + 0x3000, b"x")
    assert process.space.break_end == 0x40_6000
    names = {region.name for region in window.regions}
    assert "[stack]" in names


def test_position_independent_program_with_interpreter(make_process: ProcessMaker, tmp_path: Path) -> None:
    (tmp_path / "root/lib").mkdir(parents=True)
    write_elf(tmp_path / "root/lib/ld.so", kind=3)
    program = write_elf(tmp_path / "dynamic", kind=3, interpreter=b"/lib/ld.so\0")
    places = []
    for _ in range(2):
        process = make_process(idle, path=program, sysroot=str(tmp_path / "root"))
        _, _, vector = parse_stack(process)
        bias = vector[stack.AT_ENTRY] - CODE_ADDRESS - 0x200
        assert bias % 4096 == 0 and bias > 1 << 40
        assert vector[stack.AT_PHDR] == CODE_ADDRESS + bias + 64
        base = vector[stack.AT_BASE]
        assert base > 1 << 40
        assert process.cpu.get("rip") == base + CODE_ADDRESS + 0x200, "the interpreter goes first"
        places.append((bias, base, process.cpu.get("rsp") & ~0xFFF))
    assert places[0] == places[1], "addresses are the same in every run"
    process = make_process(idle, path=program, sysroot=str(tmp_path / "root"), randomize=True)
    assert parse_stack(process)[2][stack.AT_BASE] != places[0][1]


@pytest.mark.parametrize(("flags", "executable"), [(7, True), (6, False), (None, False)])
def test_executable_stack(make_process: ProcessMaker, tmp_path: Path, flags: int | None, executable: bool) -> None:
    process = make_process(idle, path=write_elf(tmp_path / "stack", stack_flags=flags))
    assert process.window.check_execute(process.space.stack_top - 4096) == executable


def test_real_programs_load(make_process: ProcessMaker, busybox: str) -> None:
    for path in (busybox, "/bin/ls"):
        process = make_process(idle, path=Path(path))
        _, _, vector = parse_stack(process)
        assert process.window.read(vector[stack.AT_PHDR], 4)
        assert process.window.check_execute(vector[stack.AT_ENTRY] & ~0xFFF)


def test_exit_status(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Script:
        yield "exit_group", 0x1FE

    assert make_process(script).run() == 0xFE


def test_wrong_cpu(tmp_path: Path) -> None:
    program = write_elf(tmp_path / "program", guest="riscv64")
    with pytest.raises(LoadError, match=r"riscv64 program.*x86_64"):
        LinuxProcess(str(program), cpu_factory=lambda window: ScriptedCpu(window, idle))


FAULTS = [
    (
        Exit("fault", CODE_ADDRESS + 0x200, 0x123, "read"),
        139,
        "segmentation fault",
        "read of address 0x123 (not mapped)",
    ),
    (Exit("fault", CODE_ADDRESS, CODE_ADDRESS, "write"), 139, "segmentation fault", "write of address 0x400000 (not p"),
    (Exit("fault", 0x50, 0x50, "execute"), 139, "segmentation fault", "(no code there): execution of address 0x50"),
    (Exit("fault", CODE_ADDRESS, 0xDEAD << 48, "read"), 139, "segmentation fault", "not canonical"),
    (Exit("fault", CODE_ADDRESS, DATA_ADDRESS, "read"), 135, "bus error", "no page behind it"),
    (Exit("trap", CODE_ADDRESS + 0x200, trap="invalid_opcode"), 132, "illegal instruction", "bytes 0f 0b 90"),
    (Exit("trap", CODE_ADDRESS, trap="divide_error"), 136, "arithmetic exception", "divide error"),
    (Exit("trap", CODE_ADDRESS, trap="breakpoint"), 133, "trap", "breakpoint"),
    (Exit("trap", CODE_ADDRESS, trap="general_protection"), 139, "segmentation fault", "general protection"),
]


@pytest.mark.parametrize(("event", "status", "name", "words"), FAULTS)
def test_a_fatal_fault_is_told_once(
    make_process: ProcessMaker, capfd: pytest.CaptureFixture[str], event: Exit, status: int, name: str, words: str
) -> None:
    def script(cpu: ScriptedCpu) -> Script:
        yield event

    assert make_process(script).run() == status
    message = capfd.readouterr().err
    assert message.startswith("metaphrase: ") and message.count("\n") == 1
    assert f"{name} at pc {event.pc:#x}" in message and words in message


def test_riscv_illegal_instruction(make_process: ProcessMaker, capfd: pytest.CaptureFixture[str]) -> None:
    def script(cpu: ScriptedCpu) -> Script:
        yield Exit("trap", CODE_ADDRESS, trap="illegal")

    assert make_process(script, guest="riscv64").run() == 132
    assert "illegal instruction" in capfd.readouterr().err


def test_unknown_calls_are_logged_once(make_process: ProcessMaker, caplog: pytest.LogCaptureFixture) -> None:
    results = []

    def script(cpu: ScriptedCpu) -> Script:
        for name in (999, 999, "quotactl", "rseq"):
            results.append((yield name, 0))

    assert make_process(script).run() == 0
    assert results == [-38] * 4
    assert len(caplog.records) == 2 and "999" in caplog.text and "quotactl" in caplog.text


def wait_status(cpu: ScriptedCpu, child: int, at: int) -> Script:
    assert (yield "wait4", child, at, 0, 0) == child
    return cpu.window.read_u32(at)


def test_fork_and_wait(make_process: ProcessMaker) -> None:
    found = []

    def script(cpu: ScriptedCpu) -> Script:
        area = cpu.get("rsp") - 0x1000
        child = yield ("fork",)
        if child == 0:
            assert cpu.forks == 1
            cpu.window.write(area, b"changed")
            yield "exit_group", 7
        found.append((yield from wait_status(cpu, child, area)))
        found.append(cpu.window.read(area + 4, 3))
        for number in (SIGSEGV, SIGTERM, SIGKILL):
            child = yield ("fork",)
            if child == 0:
                pid = yield ("getpid",)
                yield "kill", pid, number
            found.append((yield from wait_status(cpu, child, area)) & 0x7F)
        child = yield ("fork",)
        if child == 0:
            yield Exit("fault", CODE_ADDRESS, 8, "read")
        found.append((yield from wait_status(cpu, child, area)) & 0x7F)

    assert make_process(script).run() == 0
    assert found == [7 << 8, bytes(3), SIGSEGV, SIGTERM, SIGKILL, SIGSEGV]


def test_vfork_hands_the_frame_back(make_process: ProcessMaker) -> None:
    found = []

    def script(cpu: ScriptedCpu) -> Script:
        local = cpu.get("rsp") + 64
        area = cpu.get("rsp") - 0x1000
        child = yield "clone", 0x4100 | 17, 0, 0, 0, 0
        if child == 0:
            cpu.window.write_u32(local, 2)
            yield "exit_group", 127
        found.append(cpu.window.read_u32(local))
        found.append((yield from wait_status(cpu, child, area)))

    process = make_process(script)
    assert process.run() == 0
    assert found == [2, 127 << 8]


def test_clone_argument_order(make_process: ProcessMaker) -> None:
    for guest, order in (("x86_64", (0, 1)), ("riscv64", (1, 0))):
        told: list[Any] = []

        def script(cpu: ScriptedCpu, order: Any = order, told: Any = told) -> Script:
            area = cpu.get(cpu.abi.stack_pointer) - 0x1000
            last = [0, 0]
            last[order[0]], last[order[1]] = area + 8, 0x1234
            flags = 0x0100_0000 | 0x0010_0000 | 0x0008_0000 | 17
            child = yield "clone", flags, 0, area, *last
            if child == 0:
                pid = yield ("getpid",)
                right = cpu.window.read_u32(area + 8) == pid and cpu.get(cpu.abi.thread_pointer) == 0x1234
                yield "exit_group", 5 if right else 6
            told.append(cpu.window.read_u32(area) == child)
            told.append((yield from wait_status(cpu, child, area)))

        assert make_process(script, guest=guest).run() == 0
        assert told == [True, 5 << 8]


def test_threads_are_refused(make_process: ProcessMaker) -> None:
    results = []

    def script(cpu: ScriptedCpu) -> Script:
        results.append((yield "clone", 0x10F00, 0x1000, 0, 0, 0))

    make_process(script).run()
    assert results == [-11]


def put(cpu: ScriptedCpu, address: int, *strings: bytes) -> tuple[list[int], int]:
    """Write strings: their addresses, and the next free one."""
    addresses = []
    for string in strings:
        cpu.window.write(address, string + b"\0")
        addresses.append(address)
        address += (len(string) + 8) & ~7
    return addresses, address


def test_execve(make_process: ProcessMaker, tmp_path: Path) -> None:
    told = []
    new = write_elf(tmp_path / "new", kind=3)
    (tmp_path / "bad").write_bytes(b"neither")
    (tmp_path / "bad").chmod(0o755)

    def script(cpu: ScriptedCpu) -> Script:
        area = cpu.get("rsp") - 0x4000
        names = [os.fsencode(tmp_path / name) for name in ("missing", "bad", "new")]
        (missing, bad, good, one, variable), area = put(cpu, area, *names, b"one", b"V=1")
        cpu.window.write(area, struct.pack("<4Q", good, one, 0, 0) + struct.pack("<2Q", variable, 0))
        told.append((yield "execve", missing, area, area + 32))
        told.append((yield "execve", bad, area, area + 32))
        told.append((yield "execve", area - 0x10_0000_0000, area, area + 32))
        kept = yield "dup", 1
        closed = yield "fcntl", 1, 1030, 0
        resets = cpu.resets
        yield "execve", good, area, area + 32
        told.append((cpu.resets - resets, process.image.path, parse_stack(process)[:2]))
        told.append((yield "close", kept))
        told.append((yield "close", closed))

    process = make_process(script)
    assert process.run() == 0
    arguments = [os.fsencode(new), b"one"]
    assert told == [-2, -8, -14, (1, os.fsencode(new), (arguments, [b"V=1"])), 0, -9]


def test_execve_in_a_vforked_child(make_process: ProcessMaker, tmp_path: Path) -> None:
    write_elf(tmp_path / "new")
    told = []

    def script(cpu: ScriptedCpu) -> Script:
        area = cpu.get("rsp") - 0x4000
        (name,), area = put(cpu, area, os.fsencode(tmp_path / "new"))
        child = yield ("vfork",)
        if child == 0:
            yield "execve", name, 0, 0
            yield "exit_group", 9
        told.append((yield from wait_status(cpu, child, area)))

    assert make_process(script).run() == 0
    assert told == [9 << 8]
