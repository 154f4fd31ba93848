"""Signals: frames, masks, restarts, and the host's own signals."""

from __future__ import annotations

import os
import signal
import struct
import threading
import time
from collections.abc import Generator
from signal import SIGALRM, SIGCHLD, SIGINT, SIGPIPE, SIGSEGV, SIGUSR1, SIGUSR2

import pytest

from metaphrase.machines.linux import Exit, host, host_signals
from metaphrase.machines.linux.signals import (
    SA_NODEFER,
    SA_ONSTACK,
    SA_RESETHAND,
    SA_RESTART,
    SA_SIGINFO,
    Pending,
    information,
)
from tests.machines.conftest import ProcessMaker
from tests.machines.elf_files import CODE_ADDRESS
from tests.machines.scripted_cpu import Event, ScriptedCpu

Steps = Generator[Event, int, None]
HANDLER, RESTORER = CODE_ADDRESS + 0x300, CODE_ADDRESS + 0x400
EINTR = 4


def area(cpu: ScriptedCpu) -> int:
    return (cpu.get(cpu.abi.stack_pointer) - 0x40000) & ~0xFFF


def handle(cpu: ScriptedCpu, number: int, flags: int = 0, mask: int = 0, handler: int = HANDLER) -> Steps:
    """rt_sigaction in the guest's layout."""
    fields = [handler, flags] + ([RESTORER] if cpu.abi.has_restorer else []) + [mask]
    cpu.window.write(area(cpu), struct.pack(f"<{len(fields)}Q", *fields))
    assert (yield "rt_sigaction", number, area(cpu), 0, 8) == 0


def in_handler(cpu: ScriptedCpu) -> bool:
    return cpu.get(cpu.abi.program_counter) == HANDLER


def leave_handler(cpu: ScriptedCpu) -> Steps:
    """What the handler's return and the restorer do."""
    if cpu.abi.has_restorer:
        assert cpu.window.read_u64(cpu.get("rsp")) == RESTORER
        cpu.set("rsp", cpu.get("rsp") + 8)
    else:
        code = cpu.window.read(cpu.get("ra"), 8)
        assert code == bytes.fromhex("9308b00873000000")
    yield ("rt_sigreturn",)


def block(cpu: ScriptedCpu, mask: int, how: int = 2) -> Steps:
    cpu.window.write_u64(area(cpu), mask)
    assert (yield "rt_sigprocmask", how, area(cpu), 0, 8) == 0


def mask_of(cpu: ScriptedCpu) -> Generator[Event, int, int]:
    assert (yield "rt_sigprocmask", 0, 0, area(cpu), 8) == 0
    return cpu.window.read_u64(area(cpu))


def test_frame_of_x86(make_process: ProcessMaker) -> None:
    names = ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx"]

    image = bytes(range(256)) * 2 + (7).to_bytes(64, "little") + bytes(range(256))

    def script(cpu: ScriptedCpu) -> Steps:
        window = cpu.window
        yield from handle(cpu, SIGSEGV, SA_SIGINFO, mask=1 << SIGUSR1 - 1)
        yield from block(cpu, 1 << SIGUSR2 - 1)
        stack = cpu.get("rsp")
        for index, name in enumerate(names):
            cpu.set(name, 0x1111_0000_0000 + index)
        cpu.set("rflags", 0x400 | 0x246)
        cpu.floating_point = image
        pc = CODE_ADDRESS + 0x210
        cpu.set("rip", pc)
        yield Exit("fault", pc, 0x8000, "write")
        assert in_handler(cpu)
        frame = cpu.get("rsp")
        assert frame % 16 == 8 and frame < stack - 128
        assert (cpu.get("rdi"), cpu.get("rax")) == (SIGSEGV, 0)
        assert cpu.get("rflags") & 0x400 == 0
        info, context = cpu.get("rsi"), cpu.get("rdx")
        assert struct.unpack("<iii4xQ", window.read(info, 24)) == (SIGSEGV, 0, 1, 0x8000)
        registers = struct.unpack("<18Q", window.read(context + 40, 144))
        assert list(registers[:15]) == [0x1111_0000_0000 + index for index in range(15)]
        assert registers[15:] == (stack, pc, 0x646)
        error, trap, _, cr2, fpstate = struct.unpack("<5Q", window.read(context + 192, 40))
        assert (error, trap, cr2) == (6, 14, 0x8000)
        assert fpstate % 64 == 0 and window.read(fpstate, 464) == image[:464] and window.read_u64(context) & 1
        assert struct.unpack("<IIQI", window.read(fpstate + 464, 20)) == (0x4650_5853, 836, 7, 832)
        assert window.read(fpstate + 512, 324) == image[512:] + b"EXPF"
        assert window.read_u64(context + 296) == 1 << SIGUSR2 - 1
        # The handler changes what it returns to.
        window.write_u64(context + 40 + 16 * 8, pc + 3)
        window.write_u64(context + 40 + 13 * 8, 99)
        cpu.floating_point = b""
        blocked = 1 << SIGUSR2 - 1 | 1 << SIGUSR1 - 1 | 1 << SIGSEGV - 1
        stacked = cpu.get("rsp")
        assert (yield from mask_of(cpu)) == blocked
        cpu.set("rsp", stacked)
        yield from leave_handler(cpu)
        assert cpu.get("rip") == pc + 3 and cpu.get("rax") == 99 and cpu.get("rsp") == stack
        assert cpu.get("rbx") == 0x1111_0000_000B and cpu.get("rflags") & 0x400
        assert cpu.floating_point[:464] + cpu.floating_point[512:] == image[:464] + image[512:]
        assert (yield from mask_of(cpu)) == 1 << SIGUSR2 - 1

    assert make_process(script).run() == 0


def test_frame_of_riscv(make_process: ProcessMaker) -> None:
    names = ["ra", "gp", "tp", "t0", "s0", "a0", "a7", "s11", "t6"]

    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGSEGV, SA_SIGINFO)
        stack = cpu.get("sp")
        for index, name in enumerate(names):
            cpu.set(name, 0x2222_0000_0000 + index)
        cpu.floating_point = bytes(range(256)) + b"fcsr"
        pc = CODE_ADDRESS + 0x210
        cpu.set("pc", pc)
        yield Exit("fault", pc, 0x8000, "read")
        assert in_handler(cpu)
        frame = cpu.get("sp")
        assert frame % 16 == 0 and frame < stack
        assert (cpu.get("a0"), cpu.get("a1"), cpu.get("a2")) == (SIGSEGV, frame, frame + 128)
        registers = struct.unpack("<32Q", cpu.window.read(frame + 128 + 176, 256))
        assert registers[0] == pc and registers[1] == 0x2222_0000_0000 and registers[2] == stack
        assert registers[31] == 0x2222_0000_0008
        cpu.window.write_u64(frame + 128 + 176, pc + 4)
        cpu.floating_point = b""
        yield from leave_handler(cpu)
        assert cpu.get("pc") == pc + 4 and cpu.get("sp") == stack
        assert [cpu.get(name) for name in names] == [0x2222_0000_0000 + index for index in range(len(names))]
        assert cpu.floating_point == bytes(range(256)) + b"fcsr"

    assert make_process(script, guest="riscv64").run() == 0


@pytest.mark.parametrize("guest", ["x86_64", "riscv64"])
def test_alternate_stack(make_process: ProcessMaker, guest: str) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        base = yield "mmap", 0, 0x8000, 3, 0x22, -1, 0
        cpu.window.write(area(cpu), struct.pack("<QiiQ", base, 0, 0, 100))
        assert (yield "sigaltstack", area(cpu), 0) == -12, "too small"
        cpu.window.write(area(cpu), struct.pack("<QiiQ", base, 0, 0, 0x8000))
        assert (yield "sigaltstack", area(cpu), 0) == 0
        yield from handle(cpu, SIGSEGV, SA_ONSTACK)
        scratch = area(cpu)
        # A stack overflow: the ordinary stack pointer leads nowhere.
        cpu.set(cpu.abi.stack_pointer, 0x5000)
        yield Exit("fault", CODE_ADDRESS, 0x4FF8, "write")
        assert in_handler(cpu)
        assert base < cpu.get(cpu.abi.stack_pointer) < base + 0x8000
        assert (yield "sigaltstack", 0, scratch) == 0
        assert struct.unpack("<QiiQ", cpu.window.read(scratch, 24)) == (base, 1, 0, 0x8000)
        assert (yield "sigaltstack", scratch, 0) == -1, "not while it is in use"
        yield from leave_handler(cpu)
        assert cpu.get(cpu.abi.stack_pointer) == 0x5000

    assert make_process(script, guest=guest).run() == 0


def test_no_stack_for_the_handler_kills(make_process: ProcessMaker, capfd: pytest.CaptureFixture[str]) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGSEGV)
        cpu.set("rsp", 0x5000)
        yield Exit("fault", CODE_ADDRESS, 0x4FF8, "write")

    assert make_process(script).run() == 139
    assert "no stack for a handler" in capfd.readouterr().err


def test_a_fault_in_its_own_blocked_handler_kills(
    make_process: ProcessMaker, capfd: pytest.CaptureFixture[str]
) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGSEGV)
        yield Exit("fault", CODE_ADDRESS, 8, "read")
        assert in_handler(cpu)
        yield Exit("fault", HANDLER, 16, "read")

    assert make_process(script).run() == 139
    assert "address 0x10" in capfd.readouterr().err


def test_sent_to_itself(make_process: ProcessMaker) -> None:
    entered = []

    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGUSR1, SA_SIGINFO)
        assert (yield "kill", os.getpid(), 0) == 0
        cpu.registers["rip"] = CODE_ADDRESS
        yield "kill", os.getpid(), SIGUSR1
        assert in_handler(cpu)
        info = struct.unpack("<iii4xiI", cpu.window.read(cpu.get("rsi"), 24))
        assert info == (SIGUSR1, 0, 0, os.getpid(), os.getuid())
        yield from leave_handler(cpu)
        assert cpu.signed_result() == 0, "kill's own result"
        entered.append(1)
        yield from block(cpu, 1 << SIGUSR1 - 1)
        yield "tgkill", os.getpid(), os.getpid(), SIGUSR1
        assert not in_handler(cpu)
        assert (yield "rt_sigpending", area(cpu), 8) == 0
        assert cpu.window.read_u64(area(cpu)) == 1 << SIGUSR1 - 1
        cpu.window.write_u64(area(cpu), 1 << SIGUSR1 - 1)
        assert (yield "rt_sigtimedwait", area(cpu), 0, 0, 8) == SIGUSR1
        yield "kill", os.getpid(), SIGUSR1
        yield from block_nothing(cpu)
        assert in_handler(cpu), "unblocking delivers at once"
        entered.append(2)

    def block_nothing(cpu: ScriptedCpu) -> Steps:
        cpu.window.write_u64(area(cpu), 0)
        yield "rt_sigprocmask", 2, area(cpu), 0, 8

    assert make_process(script).run() == 0
    assert entered == [1, 2]


def test_reset_and_no_defer(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGUSR1, SA_RESETHAND | SA_NODEFER)
        yield "kill", os.getpid(), SIGUSR1
        assert in_handler(cpu)
        assert (yield from mask_of(cpu)) == 0
        yield "kill", os.getpid(), SIGUSR1
        raise AssertionError("the default action ends the process")

    assert make_process(script).run() == 128 + SIGUSR1


def test_a_signal_from_outside_ends_a_call(make_process: ProcessMaker) -> None:
    results = []

    def script(cpu: ScriptedCpu) -> Steps:
        pipe = area(cpu) - 0x1000
        yield "pipe", pipe
        read_end, write_end = struct.unpack("<ii", cpu.window.read(pipe, 8))
        for flags in (0, SA_RESTART):
            yield from handle(cpu, SIGALRM, flags)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            call = "read", read_end, pipe, 1
            stack = cpu.get("rsp")
            result = yield call
            while cpu.get("rsp") != stack:
                # In the handler: what it does ends the wait.
                if flags:
                    os.write(write_end, b"x")
                yield from leave_handler(cpu)
                if flags:
                    # Registers are those before the call: the same instruction runs again.
                    assert cpu.get("rax") == 0
                    result = yield call
                else:
                    result = cpu.signed_result()
            results.append(result)

    assert make_process(script).run() == 0
    assert results == [-EINTR, 1]


def test_sleeps_end_with_the_time_left(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGALRM, SA_RESTART)
        scratch = area(cpu)
        cpu.window.write(scratch, struct.pack("<QQ", 10, 0))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        yield "nanosleep", scratch, scratch + 16
        yield from leave_handler(cpu)
        assert cpu.signed_result() == -EINTR, "sleeps are not restarted"
        seconds, nanoseconds = struct.unpack("<QQ", cpu.window.read(scratch + 16, 16))
        assert 8 < seconds + nanoseconds / 1e9 < 10

    assert make_process(script).run() == 0


def test_waits_with_another_mask(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGALRM)
        blocked = 1 << SIGALRM - 1
        for call in ("rt_sigsuspend", "ppoll", "pselect6"):
            yield from block(cpu, blocked)
            signal.setitimer(signal.ITIMER_REAL, 0.03)
            scratch = area(cpu)
            cpu.window.write(scratch, struct.pack("<4Q", 0, scratch, 8, 0))
            arguments = {"rt_sigsuspend": (scratch, 8), "ppoll": (0, 0, 0, scratch, 8)}.get(
                call, (0, 0, 0, 0, 0, scratch + 8)
            )
            yield (call, *arguments)
            assert in_handler(cpu)
            yield from leave_handler(cpu)
            assert cpu.signed_result() == -EINTR
            assert (yield from mask_of(cpu)) == blocked, "the old mask is back"

    assert make_process(script).run() == 0


def test_a_wait_with_another_mask_is_ended_for_good(make_process: ProcessMaker) -> None:
    """The interrupt is blocked but for the wait, and has its default action."""

    def script(cpu: ScriptedCpu) -> Steps:
        yield from block(cpu, 1 << SIGINT - 1)
        scratch = area(cpu)
        cpu.window.write(scratch, bytes(8))
        threading.Timer(0.1, os.kill, (os.getpid(), SIGINT)).start()
        yield "rt_sigsuspend", scratch, 8
        raise AssertionError("the wait goes on")

    assert make_process(script).run() == 128 + SIGINT


class Spinning(ScriptedCpu):
    """A CPU whose guest loops for ever: only `interrupt` brings it back."""

    def run(self) -> Exit:
        self.woken = getattr(self, "woken", threading.Event())
        assert self.woken.wait(10), "nobody interrupted the guest"
        self.woken.clear()
        return Exit("interrupt", 0)

    def interrupt(self) -> None:
        self.woken = getattr(self, "woken", threading.Event())
        self.woken.set()


def test_interrupt_key_ends_a_loop(make_process: ProcessMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from ()

    process = make_process(script)
    process.cpu.__class__ = Spinning
    before = signal.getsignal(SIGINT)
    threading.Timer(0.1, os.kill, (os.getpid(), SIGINT)).start()
    assert process.run() == 128 + SIGINT
    assert signal.getsignal(SIGINT) is before, "the caller's handlers come back"
    assert signal.getsignal(SIGPIPE) is signal.SIG_IGN


def test_a_call_entered_just_after_a_signal_is_nudged(
    make_process: ProcessMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gap: Python knows of the signal, its handler has not run, and the blocking call has begun."""

    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGALRM)
        threading.Timer(0.05, os.write, (process.host_signals._wake_write, bytes([SIGALRM]))).start()
        yield ("pause",)
        assert in_handler(cpu)

    process = make_process(script)
    # The nudge makes Python run the handlers that are due.
    due = Pending(SIGALRM, information(SIGALRM, 0))
    monkeypatch.setattr(host_signals, "_nothing", lambda number, frame: process.signals.queue(due))
    assert process.run() == 0


def test_a_signal_handled_on_the_way_into_a_call_ends_it(
    make_process: ProcessMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other gap: its handler runs behind the last look at what has arrived, and the watcher has looked before."""
    enter = host.blocking_call
    calls: list[int] = []

    def enter_late(number: int, *arguments: int) -> int:
        if not calls:
            watched = signal.set_wakeup_fd(-1)
            signal.raise_signal(SIGALRM)
            signal.set_wakeup_fd(watched, warn_on_full_buffer=False)
        calls.append(number)
        return enter(number, *arguments)

    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGALRM)
        yield ("pause",)
        assert in_handler(cpu)

    monkeypatch.setattr(host, "blocking_call", enter_late)
    process = make_process(script)
    watchdog = threading.Timer(10, os.kill, (os.getpid(), SIGALRM))
    watchdog.start()
    begin = time.monotonic()
    assert process.run() == 0
    watchdog.cancel()
    assert calls and time.monotonic() - begin < 5


def test_children(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield from handle(cpu, SIGCHLD, SA_SIGINFO | SA_RESTART)
        child = yield ("fork",)
        if child == 0:
            yield "exit_group", 5
        stack, status = cpu.get("rsp"), area(cpu)
        yield "wait4", child, status, 0, 0
        assert cpu.get("rsp") != stack and in_handler(cpu)
        code, pid = struct.unpack_from("<i4xi", cpu.window.read(cpu.get("rsi"), 128), 8)
        value = struct.unpack_from("<i", cpu.window.read(cpu.get("rsi"), 128), 24)[0]
        assert (code, pid, value) == (1, child, 5)

    assert make_process(script).run() == 0
