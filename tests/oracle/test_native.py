"""The hardware oracle on instructions whose effects are known."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGVTALRM

import keystone
import pytest

from tests.oracle.native import (
    ARENA,
    ARENA_SIZE,
    CODE,
    CODE_SIZE,
    ENTRY,
    INITIAL_X87,
    REGISTERS,
    SUPPORTED,
    Case,
    Fault,
    Oracle,
    OracleError,
    Result,
    State,
)

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")

CF, PF, AF, ZF, SF, DF, OF = 1, 4, 0x10, 0x40, 0x80, 0x400, 0x800
_assembler = keystone.Ks(keystone.KS_ARCH_X86, keystone.KS_MODE_64)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as shared:
        yield shared


def assemble(text: str) -> bytes:
    encoding, _ = _assembler.asm(text, ENTRY)
    return bytes(encoding)


def run(
    oracle: Oracle,
    text: str,
    *,
    memory: dict[int, bytes] | None = None,
    xmm: list[int] | None = None,
    rflags: int = 0,
    mxcsr: int = 0x1F80,
    **registers: int,
) -> Result:
    state = State(registers, rflags=rflags, xmm=xmm or [], mxcsr=mxcsr)
    return oracle.run([Case(assemble(text), state, memory or {})])[0]


def test_every_register_survives_the_round_trip(oracle: Oracle) -> None:
    draw = random.Random(1)
    state = State(
        {name: draw.getrandbits(64) for name in REGISTERS},
        rflags=CF | AF | SF | DF,
        mxcsr=0x7F85,
        xmm=[draw.getrandbits(128) for _ in range(16)],
        ymm_high=[draw.getrandbits(128) for _ in range(16)],
        fs_base=0x1234_5678,
        gs_base=0x7000_0000_0000,
    )
    [result] = oracle.run([Case(b"\x90", state)])
    state.rip = ENTRY + 1
    assert result.fault is None
    assert result.changes == ()
    assert result.state == state


def test_add_sets_flags(oracle: Oracle) -> None:
    result = run(oracle, "add rax, rbx", rax=2**64 - 1, rbx=1)
    assert result.fault is None
    assert result.state.registers["rax"] == 0
    assert result.state.rflags == CF | PF | AF | ZF
    assert result.state.rip == ENTRY + 3
    assert run(oracle, "add al, bl", rax=0x7F, rbx=1).state.rflags == OF | SF | AF
    assert run(oracle, "adc eax, ebx", rflags=CF, rax=2**64 - 1, rbx=0).state.registers["rax"] == 0


def test_divide_error(oracle: Oracle) -> None:
    result = run(oracle, "nop; div rcx", rax=5, rflags=DF)
    assert result.fault == Fault(SIGFPE, 1, 0)
    assert result.state.rip == ENTRY + 1
    assert result.state.registers["rax"] == 5
    assert result.state.rflags == DF


@pytest.mark.parametrize("address", [ARENA - 8, ARENA + ARENA_SIZE, CODE - 16, 0, 0x4000_0000])
def test_page_faults(oracle: Oracle, address: int) -> None:
    assert run(oracle, "mov rax, [rbx]", rbx=address).fault == Fault(SIGSEGV, 0, 14, address, False)
    assert run(oracle, "mov [rbx], rax", rbx=address).fault == Fault(SIGSEGV, 0, 14, address, True)


def test_an_access_across_the_end_faults_at_the_page(oracle: Oracle) -> None:
    end = ARENA + ARENA_SIZE
    result = run(oracle, "mov [rbx], rax", rbx=end - 4, rax=2**64 - 1)
    assert result.fault == Fault(SIGSEGV, 0, 14, end, True)
    assert result.changes == ()
    assert run(oracle, "mov rax, [rbx]", rbx=end - 8).fault is None


def test_other_faults(oracle: Oracle) -> None:
    assert run(oracle, "mov rax, [rbx]", rbx=1 << 63).fault == Fault(SIGSEGV, 0, 13)
    assert run(oracle, "push rax", rsp=1 << 63).fault == Fault(SIGBUS, 0, 12)
    assert run(oracle, "ud2").fault == Fault(SIGILL, 0, 6)
    assert run(oracle, "hlt").fault == Fault(SIGSEGV, 0, 13)
    assert run(oracle, "mov [rip + 0x10], eax").fault == Fault(SIGSEGV, 0, 14, ENTRY + 6 + 0x10, True)
    [int_3] = oracle.run([Case(b"\xcd\x03")])
    assert int_3.fault == Fault(SIGTRAP, 2, 3)
    [int_1] = oracle.run([Case(b"\xf1")])
    assert int_1.fault is not None and int_1.fault.signal == SIGTRAP


def test_push_and_the_arena(oracle: Oracle) -> None:
    top = ARENA + 0x800
    result = run(oracle, "push rax; push rbx", rax=0x1122334455667788, rbx=5, rsp=top)
    assert result.state.registers["rsp"] == top - 16
    assert result.changes == ((top - 16, struct.pack("<QQ", 5, 0x1122334455667788)),)
    assert result.arena[0x7F0:0x800] == struct.pack("<QQ", 5, 0x1122334455667788)
    assert not any(run(oracle, "nop").arena)


def test_movaps_misaligned(oracle: Oracle) -> None:
    value = bytes(range(16))
    assert run(oracle, "movaps xmm1, [rbx]", rbx=ARENA + 8).fault == Fault(SIGSEGV, 0, 13)
    aligned = run(oracle, "movaps xmm1, [rbx]", rbx=ARENA + 16, memory={ARENA + 16: value})
    assert aligned.state.xmm[1] == int.from_bytes(value, "little")


@pytest.mark.parametrize(("flags", "target"), [(0, 0x42), (ZF, 0x2)])
def test_a_branch_ends_where_it_leads(oracle: Oracle, flags: int, target: int) -> None:
    assert oracle.run([Case(b"\x75\x40", State(rflags=flags))])[0].state.rip == ENTRY + target
    assert run(oracle, "jmp rax", rax=CODE + 5).state.rip == CODE + 5
    assert run(oracle, "jmp rax", rax=ARENA).fault == Fault(SIGSEGV, ARENA - ENTRY, 14, ARENA)


def test_call_and_ret(oracle: Oracle) -> None:
    called = run(oracle, "call rax", rax=CODE + 16, rsp=ARENA + 64)
    assert called.state.rip == CODE + 16
    assert called.changes == ((ARENA + 56, struct.pack("<Q", ENTRY + 2)),)
    back = run(oracle, "ret", rsp=ARENA, memory={ARENA: struct.pack("<Q", CODE + 99)})
    assert (back.state.rip, back.state.registers["rsp"]) == (CODE + 99, ARENA + 8)


def test_rep_movsb_and_its_fault_midway(oracle: Oracle) -> None:
    text = b"metaphrase and paraphrase"
    memory = {ARENA: text}
    result = run(oracle, "rep movsb", rsi=ARENA, rdi=ARENA + 0x1000, rcx=len(text), memory=memory)
    assert result.arena[0x1000 : 0x1000 + len(text)] == text
    assert result.state.registers["rcx"] == 0
    end = ARENA + ARENA_SIZE
    cut = run(oracle, "rep movsb", rsi=ARENA, rdi=end - 10, rcx=len(text), memory=memory)
    assert cut.fault == Fault(SIGSEGV, 0, 14, end, True)
    assert cut.arena[-10:] == text[:10]
    assert (cut.state.registers["rcx"], cut.state.registers["rsi"]) == (len(text) - 10, ARENA + 10)
    down = run(oracle, "std; movsb", rsi=ARENA, rdi=ARENA + 64, memory=memory)
    assert down.state.registers["rdi"] == ARENA + 63
    assert down.state.rflags == DF


def test_sse_addition_and_its_exceptions(oracle: Oracle) -> None:
    one, third = struct.unpack("<II", struct.pack("<ff", 1.0, 1 / 3))
    result = run(oracle, "addss xmm0, xmm1", xmm=[one | 7 << 64, third])
    assert result.state.xmm[0] == struct.unpack("<I", struct.pack("<f", 1 + 1 / 3))[0] | 7 << 64
    assert result.state.mxcsr == 0x1FA0  # inexact
    trapped = run(oracle, "addss xmm0, xmm1", xmm=[one, third], mxcsr=0x0F80)
    assert trapped.fault == Fault(SIGFPE, 0, 19)
    assert trapped.state.xmm[0] == one


def test_x87_state(oracle: Oracle) -> None:
    result = run(oracle, "fld1; fldpi")
    assert struct.unpack_from("<HHB", result.state.x87) == (0x37F, 6 << 11, 0xC0)
    assert result.state.x87[32:42] == bytes.fromhex("35c26821a2da0fc90040")
    assert run(oracle, "nop").state.x87 == INITIAL_X87


def test_avx(oracle: Oracle) -> None:
    if "avx" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("the host has no AVX")
    state = State(xmm=[0, 1, 2], ymm_high=[0, 3 << 64, 4])
    [added, cleared] = oracle.run([Case(assemble(text), state) for text in ("vorps ymm0, ymm1, ymm2", "vzeroupper")])
    assert (added.state.xmm[0], added.state.ymm_high[0]) == (3, 3 << 64 | 4)
    assert cleared.state.ymm_high == [0] * 16


def test_segment_bases(oracle: Oracle) -> None:
    memory = {ARENA + 0x108: struct.pack("<Q", 99)}
    state = State(gs_base=ARENA + 0x100)
    [result] = oracle.run([Case(assemble("mov rax, gs:[8]"), state, memory)])
    assert result.state.registers["rax"] == 99
    assert run(oracle, "mov rax, fs:[0]").fault == Fault(SIGSEGV, 0, 14, 0)


def test_endless_loops_are_stopped(oracle: Oracle) -> None:
    results = oracle.run([Case(b"\xeb\xfe"), Case(b"\x90")])
    assert results[0].fault is not None and (results[0].fault.signal, results[0].fault.offset) == (SIGVTALRM, 0)
    assert results[1].fault is None


def test_system_calls_are_refused(oracle: Oracle) -> None:
    for number in (1, 60, 231):  # write, exit, exit_group
        result = run(oracle, "syscall", rax=number, rdi=1)
        assert result.fault is not None and (result.fault.signal, result.fault.offset) == (SIGSYS, 2)


def test_code_at_the_end_of_its_page(oracle: Oracle) -> None:
    last = CODE + CODE_SIZE - 1
    [cut, after] = oracle.run([Case(b"\x48", address=last), Case(b"\x90", address=last)])
    assert cut.fault == Fault(SIGSEGV, 0, 14, last + 1)
    assert after.fault == Fault(SIGSEGV, 1, 14, last + 1)


def test_background() -> None:
    background = random.Random(3).randbytes(ARENA_SIZE)
    with Oracle(background) as oracle:
        patched = Case(assemble("mov byte ptr [rbx], 0"), State({"rbx": ARENA + 77}), {ARENA + 9: b"123456789"})
        for _ in range(2):
            [result, plain] = oracle.run([patched, Case(b"\x90")])
            expected = bytearray(background)
            expected[9:18] = b"123456789"
            expected[77] = 0
            assert result.arena == expected
            assert plain.arena == background


def test_a_dead_worker_is_reported_and_replaced() -> None:
    with Oracle() as oracle:
        stack = State({"rax": oracle._trap._address})  # the one place from which a snippet can harm its worker
        bad = Case(assemble("mov rcx, 0x100; mov rdi, rax; add rdi, 0x400; rep stosq"), stack)
        with pytest.raises(OracleError, match="worker died running 48 c7 c1"):
            oracle.run([Case(b"\x90"), bad])
        assert oracle.run([Case(b"\x90")])[0].fault is None


def test_oracles_close_in_any_order() -> None:
    first, second = Oracle(), Oracle()
    first.run([Case(b"\x90")])
    second.run([Case(b"\x90")])
    first.close()
    assert second.run([Case(b"\x90")])[0].fault is None
    second.close()


def test_bad_input_is_told() -> None:
    with Oracle() as oracle:
        for case, message in (
            (Case(b"", State({"eax": 1})), "no such registers: eax"),
            (Case(b"", State({"rax": -1})), "negative or too wide"),
            (Case(b"", State(mxcsr=1 << 16)), "MXCSR has 16 bits"),
            (Case(b"\x90", address=CODE + CODE_SIZE), "do not fit in the code area"),
            (Case(b"\x90", memory={ARENA - 1: b"x"}), "do not fit in the arena"),
        ):
            with pytest.raises(OracleError, match=message):
                oracle.run([case])


def test_throughput(oracle: Oracle) -> None:
    cases = [Case(assemble("add [rbx], rax"), State({"rax": n, "rbx": ARENA + 8 * n})) for n in range(2000)]
    start = time.perf_counter()
    results = oracle.run(cases)
    rate = len(cases) / (time.perf_counter() - start)
    assert all(result.state.registers["rax"] == n for n, result in enumerate(results))
    assert rate > 1000  # the aim is 5,000 a second; the bound leaves room for a loaded machine
