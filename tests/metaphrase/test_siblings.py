"""Several CPUs over one memory, each on a thread of its own, while code is made, dropped and changed under them."""

from __future__ import annotations

import threading
import time

import metaphrase.translator.x86  # noqa: F401 (registers the guest)
from metaphrase.assembler import assemble
from metaphrase.machines.linux.memory import PROT_EXEC, PROT_READ, PROT_WRITE, Window
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.engine.sizes import Sizes
from metaphrase.translator.guest import guest
from tests.metaphrase.isolated import isolated

CODE, CALLED, DATA = 0x10000, 0x20000, 0x30000
LOOP = f"""
again:
    call {CALLED}
    lock add qword ptr [{DATA}], rax
    add rbx, rax
    dec rcx
    jne again
    ud2
"""
TIERS = ("0", "1", "auto")


def code_page(window: Window, address: int, text: str, protection: int = PROT_READ | PROT_EXEC) -> None:
    window.map_anonymous(address, 0x1000, PROT_READ | PROT_WRITE)
    window.write(address, assemble("x86_64", text, address))
    window.protect(address, 0x1000, protection)


def prepared(tier: str, called: str, sizes: Sizes | None = None) -> tuple[Window, NativeCpu]:
    """A memory with the loop and what it calls, and a CPU at its beginning."""
    window = Window()
    code_page(window, CODE, LOOP)
    code_page(window, CALLED, called)
    window.map_anonymous(DATA, 0x8000, PROT_READ | PROT_WRITE)
    cpu = NativeCpu(guest("x86_64"), window, tier=tier, sizes=sizes or Sizes())
    cpu.pc = CODE
    return window, cpu


def run_all(cpus: list[NativeCpu], turns: int) -> list[threading.Thread]:
    def run(cpu: NativeCpu) -> None:
        while cpu.run().kind == "interrupt":
            pass

    threads = []
    for number, cpu in enumerate(cpus):
        cpu.set("rsp", DATA + 0x1000 * (number + 2))
        cpu.set("rcx", turns)
        threads.append(threading.Thread(target=run, args=(cpu,)))
        threads[-1].start()
    return threads


@isolated
def test_translations_are_dropped_under_running_threads() -> None:
    for tier, turns in {"0": 300_000, "1": 5_000_000, "auto": 5_000_000}.items():
        window, cpu = prepared(tier, "mov eax, 1\nret")
        cpus = [cpu, cpu.sibling(), cpu.sibling()]
        flushes = total = 0
        while flushes < 20:
            for one in cpus:
                one.pc = CODE
            threads = run_all(cpus, turns)
            total += turns
            while any(thread.is_alive() for thread in threads):
                with window.lock:
                    if flushes % 2:
                        cpu.flush()
                    else:
                        cpu.invalidate(CALLED, CALLED + 1)
                flushes += 1
                time.sleep(0.002)
        assert [one.get("rbx") for one in cpus] == [total] * 3
        assert window.read_u64(DATA) == 3 * total, tier
        assert cpu.update_statistics().instructions >= 3 * total * 7
        cpu.close()
        window.close()


@isolated
def test_threads_evict_together() -> None:
    """There is room for a few blocks only."""
    window, cpu = prepared("0", "mov eax, 1\njmp next\nnext: jmp after\nafter: ret", Sizes(lookup_bits=4))
    code_page(window, 0x50000, "".join(f"jmp l{n}\nl{n}: " for n in range(40)) + "jmp " + str(CODE))
    cpus = [cpu, cpu.sibling(), cpu.sibling()]
    for one in cpus[1:]:
        one.pc = 0x50000
    threads = run_all(cpus, 20_000)
    for thread in threads:
        thread.join()
    assert [one.get("rbx") for one in cpus] == [20_000] * 3
    assert cpu.update_statistics().evictions > 0
    cpu.close()
    window.close()


@isolated
def test_code_is_written_under_running_threads() -> None:
    """Guest code in one thread changes what the others call; each sees the last value in the end."""
    for tier in TIERS:
        window, cpu = prepared(tier, "mov eax, 1\nret")
        window.protect(CALLED, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC)
        code_page(window, 0x50000, f"write: mov dword ptr [{CALLED + 1}], 2\nmov dword ptr [{CALLED + 1}], 1\n"
                  "dec rcx\njne write\nud2")  # fmt: skip
        writer, cpus = cpu.sibling(), [cpu, cpu.sibling()]
        writer.pc = 0x50000
        threads = run_all(cpus, 100_000)
        run_all([writer], 50)[0].join()
        for thread in threads:
            thread.join()
        total = sum(one.get("rbx") for one in cpus)
        assert window.read_u64(DATA) == total and 200_000 <= total <= 400_000, tier
        for one in cpus:
            one.pc = CODE
        for thread in run_all(cpus, 1000):
            thread.join()
        assert sum(one.get("rbx") for one in cpus) == total + 2000, tier
        cpu.close()
        window.close()


@isolated
def test_cpus_of_ended_threads_are_used_again() -> None:
    window, cpu = prepared("auto", "mov eax, 1\nret")
    made = set()
    for _ in range(20):
        sibling = cpu.sibling()
        made.add(sibling.state)

        def run(one: NativeCpu = sibling) -> None:
            one.run()
            one.retire()

        sibling.set("rsp", DATA + 0x2000)
        sibling.set("rcx", 100)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert sibling.get("rbx") == 100
    assert len(made) == 1
    cpu.close()
    window.close()


@isolated
def test_compare_exchange() -> None:
    window, cpu = prepared("0", "ret")
    window.write_u32(DATA, 5)
    assert cpu.compare_exchange(DATA, 4, 9) == 5 and window.read_u32(DATA) == 5
    assert cpu.compare_exchange(DATA, 5, 0x8000_0001) == 5 and window.read_u32(DATA) == 0x8000_0001
    cpu.close()
    window.close()
