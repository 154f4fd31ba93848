"""`metaphrase.code`: a few instructions, their translation, and their effect."""

from __future__ import annotations

import ctypes
import signal
import threading
import time

import pytest

import metaphrase as mp
from metaphrase.registers import RegisterError
from metaphrase.snippet import Snippet
from tests.metaphrase.isolated import isolated

LOOP = "xor eax, eax; again: add rax, rdi; dec rdi; jne again"
RISCV_LOOP = "li a0, 0; again: add a0, a0, a1; addi a1, a1, -1; bnez a1, again"


def test_bytes_and_assembly_are_the_same() -> None:
    for code in ("f3 0f b8 c1", "0xf30fb8c1", "F3,0F,B8,C1", bytes.fromhex("f30fb8c1")):
        assert str(mp.code("x86_64", code)) == "1000  f3 0f b8 c1  popcnt eax, ecx"
    assert mp.code("x86_64", asm="popcnt eax, ecx").code == bytes.fromhex("f30fb8c1")
    assert str(mp.code("riscv64", asm="addi a0, a1, -1", address=0x2000)) == "2000  13 85 f5 ff  addi a0, a1, -1"


def test_an_instruction_tells_what_it_is() -> None:
    instruction = mp.code("x86_64", asm="xadd [rbx + 8], rax").instructions[0]
    assert instruction.description.name == "xadd"
    assert "XADD" in instruction.manual
    assert set(instruction.reads) == {"rbx", "rax"}
    assert {"rax", "cf", "zf"} <= set(instruction.writes)
    assert instruction.accesses == ("load", "store")
    details = dict(instruction.details())
    assert details["encoding"].startswith("0F C1 /r") and details["memory"] == "load, store"
    assert instruction.text in instruction._repr_mimebundle_()["text/html"]
    assert "field.r0" in str(instruction.handler.ir)
    assert "musttail" in instruction.handler.llvm and "jmp" in str(instruction.handler.assembly)


def test_its_translation_is_shown_step_by_step() -> None:
    code = mp.code("x86_64", asm=LOOP)
    assert [str(block[0]).split()[0] for block in code.blocks] == ["1000", "1002"]
    assert code.ir is not code.optimised_ir
    assert next(stage.name for stage in code.stages if stage.changed) == "merge_blocks"
    assert str(code.stages[-1].ir) == str(code.optimised_ir)
    assert "put adjust" in str(code.ir) and str(code.ir).count("put ") > str(code.optimised_ir).count("put ")
    assert "alloca" in code.llvm and "alloca" not in code.optimised_llvm
    assert "L1:" in str(code.assembly) and 10 < len(code.assembly) < 200
    assert "<svg" in code.optimised_ir._repr_mimebundle_()["image/svg+xml"]
    html = code._repr_mimebundle_()["text/html"]
    assert all(f"<summary>{title}" in html for title in ("IR", "LLVM IR", "host code"))


@isolated
def test_every_tier_has_the_same_effect() -> None:
    for guest, text, result, count in (("x86_64", LOOP, "rax", "rdi"), ("riscv64", RISCV_LOOP, "a0", "a1")):
        for tier in mp.tiers():
            code = mp.code(guest, asm=text)
            stop = code.run(tier=tier, **{count: 1000})
            assert (stop.kind, stop.pc) == ("end", code.end), (guest, tier, stop)
            assert code.registers[result] == 500500, (guest, tier)
            # Blocks are counted when they are entered; the last of them is the breakpoint behind the code.
            assert code.statistics.instructions in (3001, 3002)
            if tier == "1":
                assert code.statistics.region_instructions > 2000


@isolated
def test_why_it_stops() -> None:
    cases = {
        "mov rax, [rdi]": ("fault", "fault at 0x1000: read of address 0x10"),
        "nop; mov [rdi], eax": ("fault", "fault at 0x1001: write of address 0x10"),
        "syscall": ("syscall", "syscall at 0x1002"),
        "nop; int3": ("trap", "trap at 0x1001: breakpoint"),
        "ud2": ("trap", "trap at 0x1000: invalid opcode"),
        "ret": ("end", "left the snippet for 0x0"),
        "jmp rdi": ("end", "left the snippet for 0x10"),
        "nop": ("end", "left the snippet for 0x1001"),
        "mov [rip], eax": ("fault", "fault at 0x1000: write of address 0x1006"),
    }
    for text, (kind, said) in cases.items():
        for tier in ("reference", "0", "1"):
            code = mp.code("x86_64", asm=text)
            stop = code.run(tier=tier, rdi=0x10)
            assert (stop.kind, str(stop)) == (kind, said), (text, tier)


STORES = "xor eax, eax; again: add rax, 3; mov byte ptr [rdi], 1; add rdi, 8; dec rsi; jne again"


def check_fault_in_a_loop(tier: str) -> None:
    """A loop runs into a page that is not mapped: its registers are those of that turn."""
    code = mp.code("x86_64", asm=STORES)
    code.map(0x10000, 0x4000)
    stop = code.run(tier=tier, rdi=0x10000, rsi=100_000)
    assert str(stop) == "fault at 0x1006: write of address 0x14000"
    turns = 0x4000 // 8
    assert (code.registers.rdi, code.registers.rsi) == (0x14000, 100_000 - turns)
    assert code.registers.rax == 3 * (turns + 1)


@isolated
def test_registers_are_exact_at_a_fault() -> None:
    check_fault_in_a_loop("reference")
    check_fault_in_a_loop("0")


@isolated
def test_registers_are_exact_at_a_fault_in_a_region() -> None:
    check_fault_in_a_loop("1")


@isolated
def test_memory_of_its_own() -> None:
    for tier in ("reference", "0", "1"):
        code = mp.code("x86_64", asm="push rdi; lodsb; stosb; pop rax; ret")
        code.map(0x8000, b"abc")
        code.memory.write_word(code.registers.rsp, code.address)  # return to where it began: it stops on its way
        stop = code.run(tier=tier, rsi=0x8000, rdi=0x8100)
        assert stop.kind == "fault" or code.memory[0x8100] == ord("a"), (tier, stop)
        assert code.memory[0x8000:0x8003] == b"abc"
        assert [area.access for area in code.memory.areas] == ["r-x", "rw-", "rw-"]


def test_single_steps() -> None:
    code = mp.code("x86_64", asm=LOOP)
    code.registers.rdi = 2
    seen = []
    while code.next is not None:
        seen.append(code.next.text.split()[0])
        code.step()
    assert seen == ["xor", "add", "dec", "jne", "add", "dec", "jne"]
    assert code.registers.rax == 3
    assert code.step(2) is None and code.registers.rax == 0, "it begins anew"
    code.reset()
    assert code.pc == code.address and code.registers.rdi == 0
    stop = code.step(100)
    assert stop is None, "the loop goes on for 2^64 turns"
    assert code.registers.rflags & 2


@isolated
def test_the_number_of_instructions_is_exact() -> None:
    """In loops, and where ways of different lengths come together: the same number whoever runs them."""
    text = """
        mov rdi, 30000; lea r8, [rip + function]; jmp start
        again: call r8; start: dec rdi; jne again; jmp end
        function: xor rcx, rcx; test dil, 1; je second; inc rsi; inc rsi
        second: test dil, 2; je third; mov cl, 3
        loop: add rax, rcx; dec rcx; jne loop
        third: test dil, 4; je fourth; not rax; add rax, 7
        fourth: add rax, rsi; ret
        end: nop
    """
    counts = {}
    for tier in ("0", "1"):
        code = mp.code("x86_64", asm=text)
        code.run(tier=tier)
        counts[tier] = code.statistics.instructions
        assert (code.statistics.region_instructions > 300_000) == (tier == "1")
    assert counts["0"] == counts["1"]


def test_repeated_string_instructions_are_one_step() -> None:
    code = mp.code("x86_64", asm="rep stosb; nop")
    code.map(0x8000, 4096)
    code.registers.rdi, code.registers.rcx, code.registers.rax = 0x8000, 1000, 0x55
    assert code.step() is None
    assert code.memory[0x8000:0x83E8] == b"\x55" * 1000 and code.memory[0x83E8] == 0
    assert code.next is not None and code.next.text == "nop"


@isolated
def test_an_endless_loop_can_be_interrupted() -> None:
    for tier in ("0", "1", "reference"):
        code = mp.code("x86_64", asm="again: inc rax; jmp again")
        timer = threading.Timer(0.7, signal.raise_signal, [signal.SIGINT])
        timer.start()
        begin = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            code.run(tier=tier)
        assert time.monotonic() - begin < 10
        timer.join()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: mp.code("z80", "00"), "no guest is called 'z80'; known are"),
        (lambda: mp.code("x86_64", "0g"), "'g' is no hexadecimal digit"),
        (lambda: mp.code("x86_64", "0f0"), "the number of digits is odd"),
        (lambda: mp.code("x86_64", ""), "there is no code"),
        (lambda: mp.code("x86_64"), "either bytes or asm"),
        (lambda: mp.code("x86_64", asm="nonsense"), "cannot be assembled"),
        (lambda: mp.code("x86_64", "06").ir, "x86_64: no instruction at pc 0x1000 .bytes 06"),
        (lambda: mp.code("riscv64", "ffffffff").llvm, "riscv64: the word ffffffff at 0x1000"),
        (lambda: mp.code("x86_64", "90 0f").instructions, "0x1001"),
        (lambda: mp.code("riscv64", asm="nop", address=3), "cannot lie at 0x3"),
        (lambda: mp.code("x86_64", "90").run(tier="2"), "tier '2' does not exist"),
    ],
)
def test_errors_say_what_is_wrong(make: object, says: str) -> None:
    assert callable(make)
    with pytest.raises(mp.MetaphraseError, match=says):
        make()


def test_unknown_registers() -> None:
    code: Snippet = mp.code("x86_64", "90")
    with pytest.raises(RegisterError, match="no register 'zero_pc'"):
        code.registers["zero_pc"] = 1
    with pytest.raises(RegisterError, match="no register"):
        code.run(tier="reference", eax=1)
    with pytest.raises(RegisterError, match="an integer"):
        code.registers.rax = "1"  # type: ignore[assignment]
    assert not hasattr(code.registers, "eax")


@isolated
def test_the_hosts_own_x87_flags_are_not_the_guests() -> None:
    sqrt = ctypes.CDLL("libm.so.6").sqrtl
    sqrt.restype, sqrt.argtypes = ctypes.c_longdouble, [ctypes.c_longdouble]
    for tier in ("0", "1"):
        code = mp.code("x86_64", asm="fnop; fnstsw ax")
        sqrt(2.0)  # is inexact, and leaves that flag in this thread
        code.run(tier=tier)
        assert code.registers["rax"] == 0, tier


@isolated
def test_32_bit_code_has_its_own_registers_and_assembler() -> None:
    text = "again: add eax, edi; push eax; pop ecx; dec edi; jne again; lea esp, [esp + 0x7ffeff00]"
    code = mp.code("i386", asm=text)
    for tier in mp.tiers():
        code.reset()
        assert code.run(tier=tier, eax=0, edi=100).kind == "end"
        assert (code.registers.eax, code.registers.ecx) == (5050, 5050)
        assert code.registers.esp == 2 * 0x7FFEFF00 & 0xFFFF_FFFF and code.registers["cs"] == 0x23
    assert "rax" not in code.registers.names and "ymm8" not in code.registers.names
    assert "eax  000013ba" in str(code.registers)


BOOT_SECTOR = """
    xor ax, ax; mov ds, ax
    mov word ptr [0x84], 0x7c40; mov word ptr [0x86], ax
    mov ax, 0xb800; mov es, ax; xor di, di
    mov cx, 10; mov bl, 48
again:
    mov al, bl; int 0x21; inc bl
    loop again
    lcall 0x7c0, 0x60
    mov ax, 0xffff; mov fs, ax; mov dl, byte ptr fs:[0x10]
    sti; hlt
"""
"""Prints ten digits by interrupt 21, whose handler lies at 0x7C40, and more by a far call of 0x7C60."""
PRINT = "mov ah, 0x1e; stosw; iret"
SUM = "push bp; mov bp, sp; push cs; pop ds; mov si, 0x70; mov cx, 3; rep movsw; pop bp; .byte 0xcb"


@isolated
def test_a_program_in_real_mode_writes_to_a_screen() -> None:
    """Segments, string instructions, far transfers and interrupts, everywhere; HLT is the machine's."""
    sector = bytearray(0x80)
    for offset, text in ((0, BOOT_SECTOR), (0x40, PRINT), (0x60, SUM)):
        part = mp.code("i8086", asm=text, address=0x7C00 + offset).code
        sector[offset : offset + len(part)] = part
    sector[0x70:0x76] = b"h\x1ei\x1e!\x1e"
    code = mp.code("i8086", bytes(sector), address=0x7C00)
    for start in (0, 0xB8000, 0x100000):
        code.map(start, 4096)
    code.poke(0x100000, b"\x5a")
    for tier in mp.tiers():
        code.reset()
        code.poke(0xB8000, bytes(40))
        stop = code.run(tier=tier)
        assert (stop.kind, stop.trap) == ("trap", "halt"), (tier, stop)
        assert code.peek(0xB8000, 26) == b"".join(bytes([byte, 0x1E]) for byte in b"0123456789hi!"), tier
        assert code.registers.edx == 0x5A, "FFFF:0010 is an address beyond the first MiB"
        assert code.registers["ds"] == 0x7C0 and code.registers["ds_base"] == 0x7C00
        assert code.registers["esp"] == 0xFF00 and code.registers["eip"] == stop.pc == code.pc
        assert code.registers["eflags"] & 0x200


@isolated
def test_16_bit_code_ends_at_the_limits_of_its_segments() -> None:
    cases = (
        ("mov ax, word ptr [0xffff]", "general_protection"), ("mov ax, word ptr [bp - 1]", "stack_fault"),
        ("mov sp, 1; push ax", "stack_fault"), ("mov al, byte ptr [0xffff]", "end"),
        ("mov ebx, 0x10000; mov al, byte ptr [ebx]", "general_protection"), ("jmp edx", "general_protection"),
        ("mov bx, 0xffff; lea si, [bx + 2]", "end"),
    )  # fmt: skip
    for text, wanted in cases:
        code = mp.code("i8086", asm=text)
        code.map(0xF000, 4096)
        for tier in mp.tiers():
            code.reset()
            stop = code.run(tier=tier, edx=0x10000)
            assert wanted in (stop.kind, stop.trap), (text, tier, stop)


@isolated
def test_protected_mode_reads_descriptors_from_the_guests_table() -> None:
    """A load sets the accessed bit; what is not there, or not for this privilege level, is refused."""
    code = mp.code("i286", asm="mov ds, ax; mov bx, word ptr [6]; mov word ptr [4], bx")
    table = [0, 0x0000_9200_5000_0007, 0x0000_1200_5000_0007, 0x0000_9000_5000_0007, 0x0000_F800_5000_0007]
    code.map(0x3000, b"".join(descriptor.to_bytes(8, "little") for descriptor in table))
    code.map(0x5000, 4096)
    refused = dict.fromkeys((0, 0x18, 0x20, 0x28, 0xB), "general_protection")
    for selector, wanted in {8: "end", 0x10: "not_present", **refused}.items():
        for tier in mp.tiers():
            code.reset()
            code.poke(0x3000 + 13, b"\x92")
            code.poke(0x5004, bytes.fromhex("00003412"))
            stop = code.run(tier=tier, eax=selector, gdt_base=0x3000, gdt_limit=8 * len(table) - 1)
            assert wanted in (stop.kind, stop.trap), (hex(selector), tier, stop)
            if wanted == "end":
                assert code.peek(0x5004, 4) == bytes.fromhex("34123412") and code.peek(0x3000 + 13, 1) == b"\x93"
