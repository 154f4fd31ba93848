"""Stops at any moment leave the result as it is: interrupts, and faults that somebody mends."""

from __future__ import annotations

import random
import threading
import time

import metaphrase.translator.x86  # noqa: F401 (registers the guest)
from metaphrase.assembler import assemble
from metaphrase.machines.linux.memory import PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, Window
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.guest import guest
from tests.metaphrase.isolated import isolated

CODE, STACK, DATA, PAGES = 0x10000, 0x20000, 0x100000, 64
PROGRAM = """
again:
    mov rdi, r12
    call mix
    lea rbx, [rax + rbx*2]
    dec r12
    jne again
    ud2
mix:
    push rbp
    mov rbp, rdi
    imul edi, edi, 40503
    and edi, 0x3fff8
    mov rcx, [r13 + rdi]
    add [r13 + rdi], rbp
    adc rcx, rbp
    xor edi, 0x20400
    mov [r13 + rdi], rcx
    cmp rcx, rbp
    setb al
    movzx eax, al
    cmp edi, 0x18000
    ja far
    pop rbp
    ret
far:
    call inner
    pop rbp
    ret
inner:
    lea rax, [rax + rcx*4 + 1]
    sar rax, 3
    ret
"""


def run(
    tier: str, turns: int = 60_000, *, interrupts: bool = False, faults: bool = False
) -> tuple[bytes, bytes, int, list[str]]:
    """The registers and memory that the program leaves, how many instructions it took, and where it stopped how."""
    window = Window()
    window.map_anonymous(CODE, 0x1000, PROT_READ | PROT_WRITE)
    window.write(CODE, assemble("x86_64", PROGRAM, CODE))
    window.protect(CODE, 0x1000, PROT_READ | PROT_EXEC)
    window.map_anonymous(STACK, 0x1000, PROT_READ | PROT_WRITE)
    window.map_anonymous(DATA, PAGES << 12, PROT_READ | PROT_WRITE)
    cpu = NativeCpu(guest("x86_64"), window, tier=tier, exact=faults)
    generator, ended = random.Random(1), threading.Event()
    stops: list[str] = []

    def interrupt() -> None:
        while not ended.is_set():
            time.sleep(generator.random() / 2000)
            cpu.interrupt()

    def close() -> None:
        """Take the rights away of some pages."""
        for page in generator.sample(range(PAGES), 8):
            window.protect(DATA + (page << 12), 0x1000, generator.choice([PROT_NONE, PROT_READ]))

    cpu.set("rsp", STACK + 0x1000)
    cpu.set("r12", turns)
    cpu.set("r13", DATA)
    cpu.pc = CODE
    if interrupts:
        threading.Thread(target=interrupt, daemon=True).start()
    if faults:
        close()

    def registers() -> str:
        names = ("rax", "rbx", "rcx", "rbp", "rsp", "rdi", "r12", "rflags")
        return ",".join(f"{cpu.get(name):x}" for name in names)

    while (end := cpu.run()).kind != "trap":
        stops.append(f"{end} {registers()}")
        if end.kind == "fault":
            assert end.address is not None and DATA <= end.address < DATA + (PAGES << 12)
            window.protect(end.address & ~0xFFF, 0x1000, PROT_READ | PROT_WRITE)
            if generator.random() < 0.9 and len(stops) < 2000:
                close()
    ended.set()
    assert end.trap == "invalid_opcode"
    window.protect(DATA, PAGES << 12, PROT_READ)
    left = window.read(DATA, PAGES << 12)
    at_end = registers().encode()
    instructions = cpu.update_statistics().instructions
    cpu.close()
    window.close()
    return at_end, left, instructions, stops


@isolated
def test_interrupts_change_nothing() -> None:
    turns = 3_000_000
    expected = run("auto", turns)
    for tier in ("0", "1", "auto"):
        result = run(tier, turns, interrupts=True)
        assert result[:2] == expected[:2], tier
        assert result[3], "it was never interrupted"


@isolated
def test_mended_faults_change_nothing() -> None:
    expected = run("0")
    stops = run("0", faults=True)[3]
    assert len(stops) > 100, "it hardly faulted"
    for tier in ("0", "1", "auto"):
        result = run(tier, faults=True)
        assert result[:2] == expected[:2], tier
        assert result[3] == stops, f"tier {tier} stopped elsewhere, or with other registers"


@isolated
def test_regions_count_what_handlers_count() -> None:
    assert run("1")[:3] == run("0")[:3]
