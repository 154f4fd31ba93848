"""Several instructions in a row that use segments, in all protected modes with segments, against the host CPU.

What is loaded into a segment register must be what is used from then on; pointers of stacks are as wide as SS says,
whatever the size of code.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from metaphrase.assembler import assemble
from tests.oracle._segments import LOCAL, selector
from tests.oracle.native import ARENA, ARENA_SIZE, CODE, ENTRY, FLAGS, MODES, REGISTERS, WITHOUT_MODE, Case, State
from tests.translator.x86 import host
from tests.translator.x86.differential import SEED, guest_of
from tests.translator.x86.encodings import edge
from tests.translator.x86.execution import Execution
from tests.translator.x86.executors import NATIVE, Executors
from tests.translator.x86.interpreted import RUNNERS
from tests.translator.x86.observed import differences

pytestmark = pytest.mark.skipif(not MODES[16], reason=WITHOUT_MODE)
SIZES = {"": 16, "i286_stack32": 16, "i386_segments": 32, "i386_segments_stack16": 32}
"""The size of code of the guests; "" is that of 16-bit mode, i286."""
DATA, EXTRA, READ_ONLY, DOWNWARDS, EXECUTE_ONLY, OTHER_CODE, ABSENT = map(selector, (2, 3, 4, 5, 6, 7, 8))
CASES = 6

STACKS = (
    "push eax; push ax; push cs; push fs; push 5",
    "pop eax; pop cx; pop edx",
    "push esp; push sp; pop ebx; pop cx",
    "pop esp", "pop sp; push ax",
    "push dword ptr [ebx]; pop dword ptr [esp + 8]",
    "pushad; popad", "pushaw; popaw", "pushfd; popfd", "pushf; popf",
    "enter 8, 0; leave", "enter 16, 1; enter 8, 3; leave", ".byte 0x66; enter 8, 2; .byte 0x66; leave",
    "call next; next: pop eax", ".byte 0x66; call next; next: nop",
    "mov esp, 3; push eax", "mov sp, 1; push ax", "mov sp, 0xffff; pop ax", "mov sp, 0xfffd; pop eax",
    "mov ebp, 0xffff; mov al, byte ptr [ebp]; mov ax, word ptr [ebp]",
    "ret", ".byte 0x66; ret", "ret 6",
)  # fmt: skip
SEGMENTS = (
    f"mov ax, {DATA}; mov es, ax; mov eax, es:[ebx]; mov es:[edi], eax",
    f"mov ax, {READ_ONLY}; mov ds, ax; mov ax, word ptr [ebx]; mov byte ptr [ebx], al",
    f"mov ax, {DOWNWARDS}; mov gs, ax; mov ax, word ptr gs:[ebx]; mov word ptr gs:[ebx], ax",
    f"mov ax, {DOWNWARDS}; mov ds, ax; mov eax, dword ptr [0x3000]; mov al, byte ptr [0x2fff]",
    f"mov ax, {DOWNWARDS}; mov ds, ax; mov ax, word ptr [0xffff]",
    f"mov ax, {EXECUTE_ONLY}; mov ds, ax",
    f"mov ax, {OTHER_CODE}; mov fs, ax; mov al, byte ptr fs:[ebx]; mov byte ptr fs:[ebx], al",
    f"mov ax, {ABSENT}; mov ds, ax",
    "xor eax, eax; mov es, ax; mov dx, es; mov al, byte ptr es:[ebx]", "xor eax, eax; mov ss, ax",
    f"mov ax, {EXTRA}; mov ds, ax; mov esi, 0x7ffe; lodsw; lodsw",
    "mov al, byte ptr cs:[ebx]; mov byte ptr cs:[ebx], al",
    "push ds; pop es; movsb; cmpsw", "mov ecx, 5; cld; rep movsw; std; repe cmpsb",
    "mov ebx, 0xcffe; mov ax, word ptr [ebx]; mov eax, dword ptr [ebx]",
    "mov ebx, 0x7fff0; mov al, byte ptr [ebx]", "mov ebx, -4; mov al, byte ptr [ebx + 8]; mov eax, dword ptr [ebx]",
    "mov al, byte ptr [bx + si]; mov cl, byte ptr [bp + di]", "xlatb; stosb; scasd",
    "movups xmm0, [ebx]; movups es:[edi], xmm0", "fld tbyte ptr [ebx]; fstp tbyte ptr es:[edi]",
    "lea eax, [ebx + esi * 2]; lea cx, [bp + si]; mov eax, fs:[eax]",
    "lock add dword ptr [ebx], eax; xadd es:[edi], ecx; cmpxchg [esi], edx",
    "jmp ebx", "jmp bx", "call bx", "mov ebx, 0x12345; jmp ebx",
    ".byte 0xe2, 0x7f", ".byte 0xe3, 0x10", ".byte 0x67, 0xe3, 0x90",
    ".byte 0x66, 0xe9, 0, 0x90, 0, 0", ".byte 0xe9, 0, 0x90, 0, 0", ".byte 0x0f, 0x84, 0, 0xa0, 0, 0",
)  # fmt: skip
TO_CODE = {16: OTHER_CODE, 32: selector(12)}
"""Another segment of code of the same size."""


def far(size: int) -> tuple[str, ...]:
    """Far transfers between code of a size: returns, and jumps through memory to where code may be and where not."""
    register, word, prefix = ("ax", "word", "0x67, ") if size == 16 else ("eax", "dword", "")
    pushes = f"mov eax, {TO_CODE[size]}; push {register}; mov eax, 0x234; push {register}"
    pointer = f"mov word ptr [ebx + {size // 8}], {TO_CODE[size]}; .byte {prefix}0xff, 0x2b"
    return (
        f"{pushes}; .byte 0xcb", f"{pushes}; .byte 0xca, 4, 0",
        f"mov {word} ptr [ebx], 0x345; {pointer}", f"mov {word} ptr [ebx], 0xc345; {pointer}",
    )  # fmt: skip


TEXTS = [(name, text) for name, size in SIZES.items() for text in (*STACKS, *SEGMENTS, *far(size))]


@pytest.fixture(scope="module")
def executors() -> Iterator[Executors]:
    with Executors() as shared:
        yield shared


def draw_state(rng: random.Random) -> State:
    """Registers that are offsets in the segments, but for now and then one; flags, bases and no vectors."""
    registers = {name: rng.randrange(0x100, 0x7000) for name in REGISTERS[:8]}
    registers["rax"], registers["rdx"] = edge(rng, 32), edge(rng, 32)
    registers["rcx"] = rng.choice((0, 1, 3, edge(rng, 16)))
    registers["rsp"] = rng.randrange(0x400, 0xFC00) & -4
    if rng.random() < 0.3:
        registers["rsp"] |= rng.getrandbits(16) << 16
    if rng.random() < 0.2:
        name = rng.choice(("rbx", "rbp", "rsi", "rdi"))
        registers[name] = edge(rng, 32)
    bases = (ARENA + rng.randrange(0x1000), ARENA + rng.randrange(0x1000))
    return State(registers, ENTRY, rng.getrandbits(12) & FLAGS & ~0x400, fs_base=bases[0], gs_base=bases[1])


def draw_cases(name: str, text: str) -> list[Case]:
    size = SIZES[name]
    code = assemble(name or "i286", text, ENTRY - CODE)
    rng = random.Random(f"{name}|{text}|{SEED}")
    cases = []
    for _ in range(CASES):
        state, memory = draw_state(rng), rng.randbytes(ARENA_SIZE)
        cases.append(Case(code, state, {ARENA: memory}, ENTRY, size, name))
    return cases


def check(executors: Executors, name: str, text: str, *runners: str) -> None:
    cases = draw_cases(name, text)
    runs = [Execution(case, guest_of(case).decode(case.code, case.address)) for case in cases]
    expected = host.observe_host(executors.oracle, runs)
    for runner in runners:
        for run, wanted in zip(runs, expected, strict=True):
            assert wanted is not None
            found = differences(wanted, executors.runners[runner](run.case, run.decoded).observed, 0)
            assert not found, f"{runner}: {found} from {run.case.state.registers}"


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=lambda value: str(value) or "i286")
def test_in_segments(executors: Executors, name: str, text: str) -> None:
    check(executors, name, text, *(runner for runner, _ in RUNNERS))


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=lambda value: str(value) or "i286")
def test_in_segments_natively(executors: Executors, name: str, text: str) -> None:
    """The same on both native tiers."""
    check(executors, name, text, *NATIVE)


def test_the_kernels_descriptors_are_what_the_table_says() -> None:
    """Each entry of the table is described as it is made: what modify_ldt is told is what the guest finds."""
    for number, segment in enumerate(LOCAL):
        told = int.from_bytes(segment.user_desc(number)[12:], "little")
        found = segment.descriptor()
        assert bool(told & 1) == bool(found >> 54 & 1) and bool(told >> 5 & 1) != bool(found >> 47 & 1)
        assert told >> 1 & 3 == found >> 42 & 3 and bool(told >> 3 & 1) != bool(found >> 41 & 1)
