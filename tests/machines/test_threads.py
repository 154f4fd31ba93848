"""Threads, as far as the machine goes: the guest code of each is a generator."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from errno import E2BIG, EAGAIN, EFAULT, EINVAL, ESRCH
from signal import SIGUSR1

from metaphrase.machines.linux import Window
from metaphrase.machines.linux.calls.forking import CLONE_VFORK
from metaphrase.machines.linux.calls.threads import (
    CLONE_CHILD_CLEARTID,
    CLONE_FILES,
    CLONE_FS,
    CLONE_PARENT_SETTID,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_VM,
)
from metaphrase.machines.linux.futexes import FUTEX_WAKE
from tests.machines.conftest import ProcessMaker
from tests.machines.scripted_cpu import Event, Script, ScriptedCpu

Steps = Generator[Event, int, None]
SHARED = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | 0x1_0000
OWNER_DIED, WAITERS = 0x4000_0000, 0x8000_0000
WAIT = 0


class ThreadedCpu(ScriptedCpu):
    """A CPU whose siblings run the scripts that it was given, one after the other."""

    def __init__(self, window: Window, script: Script, others: list[Script]) -> None:
        super().__init__(window, script)
        self.others = others
        self.retired = 0

    def sibling(self) -> ThreadedCpu:
        made = ThreadedCpu(self.window, self.others.pop(0), self.others)
        made.registers = dict(self.registers)
        return made

    def retire(self) -> None:
        self.retired += 1

    def others_stopped(self) -> AbstractContextManager[None]:
        return nullcontext()

    def compare_exchange(self, address: int, expected: int, new: int) -> int:
        held = self.window.read_u32(address)
        if held == expected:
            self.window.write_u32(address, new)
        return held


def run(make_process: ProcessMaker, script: Script, *others: Script) -> int:
    """The exit status of a process with these scripts as its threads."""
    waiting = list(others)
    return make_process(script, cpu_factory=lambda window: ThreadedCpu(window, script, waiting)).run()


def area(cpu: ScriptedCpu) -> int:
    return (cpu.get("rsp") - 0x20000) & ~0xFFF


def start(flags: int = 0, parent_tid: int = 0, child_tid: int = 0, tls: int = 0) -> Event:
    return ("clone", SHARED | flags, 0, parent_tid, child_tid, tls)


def test_a_cpu_without_siblings_has_one_thread(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        assert (yield start()) == -EAGAIN
        assert (yield ("clone", SHARED & ~CLONE_FILES, 0, 0, 0, 0)) == -EINVAL, "threads share their descriptors"

    assert make_process(script).run() == 0


def test_clone3(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        def put(*words: int) -> tuple[int, int]:
            cpu.window.write(area(cpu), struct.pack(f"<{len(words)}Q", *words))
            return area(cpu), 8 * len(words)

        assert (yield ("clone3", *put(*[0] * 7))) == -EINVAL, "the structure had 64 bytes from the beginning"
        assert (yield ("clone3", *put(*[0] * 8, 1, 0, 0))) == -EINVAL, "set_tid"
        assert (yield ("clone3", *put(*[0] * 11, 1))) == -E2BIG, "what later kernels may add"
        assert (yield ("clone3", *put(0, 0, 0, 0, 0, 0x1000, 0, 0))) == -EINVAL, "a stack has a size"
        child = yield ("clone3", *put(CLONE_VFORK, 0, 0, 0, 17, 0, 0, 0))
        if child == 0:
            yield ("exit_group", 6)
        yield ("wait4", child, area(cpu) + 256, 0, 0)
        assert os.waitstatus_to_exitcode(cpu.window.read_u32(area(cpu) + 256)) == 6

    assert make_process(script).run() == 0


def test_a_thread_has_an_id_and_is_waited_for(make_process: ProcessMaker) -> None:
    seen: dict[str, int] = {}

    def script(cpu: ScriptedCpu) -> Steps:
        word = area(cpu)
        cpu.window.write_u32(word, 77)
        seen["made"] = yield start(CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS, word, word, 0x1234)
        while value := cpu.window.read_u32(word):
            yield ("futex", word, WAIT, value, 0, 0, 0)
        seen["main"] = yield ("gettid",)
        assert (yield ("tgkill", os.getpid(), seen["made"], 0)) in (0, -ESRCH)

    def other(cpu: ScriptedCpu) -> Steps:
        seen["tls"], seen["result"] = cpu.get("fs_base"), cpu.get("rax")
        seen["told"] = cpu.window.read_u32(area(cpu))
        seen["own"] = yield ("gettid",)
        seen["thread"] = threading.get_native_id()
        yield ("exit", 3)

    assert run(make_process, script, other) == 0
    assert seen["own"] == seen["told"] == seen["made"] == seen["thread"] != seen["main"] == os.getpid()
    assert seen["tls"] == 0x1234 and seen["result"] == 0


def test_the_process_ends_with_its_last_thread(make_process: ProcessMaker) -> None:
    order: list[str] = []

    def script(cpu: ScriptedCpu) -> Steps:
        yield start()
        order.append("first")
        yield ("exit", 5)

    def other(cpu: ScriptedCpu) -> Steps:
        yield ("nanosleep", sleep_for(cpu, 20_000_000), 0)
        order.append("second")
        yield ("exit", 9)

    assert run(make_process, script, other) == 5, "the status is the first thread's"
    assert order == ["first", "second"]


def sleep_for(cpu: ScriptedCpu, nanoseconds: int) -> int:
    cpu.window.write(area(cpu) + 512, struct.pack("<QQ", nanoseconds // 10**9, nanoseconds % 10**9))
    return area(cpu) + 512


def test_any_thread_ends_all(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield start()
        yield start()
        yield ("pause",)
        raise AssertionError("it goes on")

    def sleeper(cpu: ScriptedCpu) -> Steps:
        yield ("nanosleep", sleep_for(cpu, 10**12), 0)
        raise AssertionError("it goes on")

    def other(cpu: ScriptedCpu) -> Steps:
        yield ("exit_group", 8)

    assert run(make_process, script, sleeper, other) == 8


def test_an_error_of_ours_in_a_thread_is_told(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        yield start()
        yield ("pause",)

    def other(cpu: ScriptedCpu) -> Steps:
        yield ("gettid",)
        raise RuntimeError("broken")

    try:
        run(make_process, script, other)
    except RuntimeError as error:
        assert str(error) == "broken"
    else:
        raise AssertionError("nothing was raised")


def test_a_signal_for_a_thread_interrupts_its_call(make_process: ProcessMaker) -> None:
    seen: dict[str, int] = {}
    sleeping = threading.Event()

    def script(cpu: ScriptedCpu) -> Steps:
        cpu.window.write(area(cpu), struct.pack("<4Q", 0x4000, 0x0400_0000, 0x5000, 0))
        yield ("rt_sigaction", SIGUSR1, area(cpu), 0, 8)
        thread = yield start()
        sleeping.wait(10)
        yield ("nanosleep", sleep_for(cpu, 5_000_000), 0)
        assert (yield ("tgkill", os.getpid(), thread, SIGUSR1)) == 0
        yield ("exit", 0)

    def other(cpu: ScriptedCpu) -> Steps:
        sleeping.set()
        yield ("nanosleep", sleep_for(cpu, 10**12), 0)
        seen["handler"], seen["signal"] = cpu.get("rip"), cpu.get("rdi")
        yield ("exit", 0)

    assert run(make_process, script, other) == 0
    assert seen == {"handler": 0x4000, "signal": SIGUSR1}


def test_robust_futexes_tell_that_their_owner_has_died(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        base, own = area(cpu), os.getpid()
        head, entries, offset = base, (base + 64, base + 128, base + 192), 8
        chain = [*entries, head]
        cpu.window.write(head, struct.pack("<3Q", chain[0], offset, base + 256))
        for at, following, owner in zip(entries, chain[1:], (own, own | WAITERS, own + 1)):
            cpu.window.write(at, struct.pack("<QI", following, owner))
        cpu.window.write_u32(base + 256 + offset, own)
        assert (yield ("set_robust_list", head, 23)) == -EINVAL
        assert (yield ("set_robust_list", head, 24)) == 0
        assert (yield ("get_robust_list", 0, base + 512, base + 520)) == 0
        assert cpu.window.read_u64(base + 512) == head and cpu.window.read_u64(base + 520) == 24

    process = make_process(script)
    base, window = area(process.cpu), process.window  # type: ignore[arg-type]
    assert process.run() == 0
    words = [window.read_u32(base + at + 8) for at in (64, 128, 192, 256)]
    assert words == [OWNER_DIED, OWNER_DIED | WAITERS, os.getpid() + 1, OWNER_DIED]


def test_a_broken_robust_list_does_no_harm(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        cpu.window.write(area(cpu), struct.pack("<3Q", 0x10, 8, 0))
        yield ("set_robust_list", area(cpu), 24)

    assert make_process(script).run() == 0


def test_futex_arguments(make_process: ProcessMaker) -> None:
    def script(cpu: ScriptedCpu) -> Steps:
        word, anything = area(cpu), (1 << 64) - 2
        assert (yield ("futex", word, FUTEX_WAKE, 1, 0, anything, 0)) == 0, "there is no second word to look at"
        assert (yield ("futex", word, WAIT, 1, 0, anything, 0)) == -EAGAIN
        cpu.window.write(word + 16, struct.pack("<QQ", 0, 10**9))
        assert (yield ("futex", word, WAIT, 0, word + 16, 0, 0)) == -EINVAL
        assert (yield ("futex", 1 << 62, WAIT, 0, 0, 0, 0)) == -EFAULT

    assert make_process(script).run() == 0
