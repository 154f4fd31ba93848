"""CPU models decode what they have, as all others do, and refuse the rest on every tier."""

from __future__ import annotations

import pytest

import metaphrase as mp
from metaphrase.translator.guest import Decoded, DecodeError, Description
from metaphrase.translator.x86.features import BASELINE, FEATURES, needed_by
from metaphrase.translator.x86.guest import X86Guest
from metaphrase.translator.x86.models import MODELS
from tests.metaphrase.isolated import isolated
from tests.oracle.native import ENTRY
from tests.translator.x86.differential import CASES, GUEST, ROWS, draw, draw_plain, row_id
from tests.translator.x86.executors import UNREPEATABLE
from tests.translator.x86.interpreted import run_constants
from tests.translator.x86.native_tiers import NativeTier
from tests.translator.x86.observed import differences
from tests.translator.x86.test_decode import decode_natively

_ROWS = [row for row, mode in ROWS if mode == 64]
STAND_INS = {"lzcnt": "bsr", "tzcnt": "bsf"}
"""Instructions that are other ones, with a prefix that these do not look at, to a CPU that lacks them."""
HINTS = ("prefetchw", "nop")
OPTIONAL = [name for name in FEATURES if any(name == row.extension for row in _ROWS) and name not in BASELINE]
"""Features with rows, which can be left out."""
STEP = 23
"""Of so many rows, one is also decoded by the native face, run in the interpreter."""


def needs(row: Description) -> frozenset[str]:
    return needed_by(row.extension, vex=row.detail.encoding.vex)


def decode(guest: X86Guest, code: bytes) -> Decoded | None:
    try:
        return guest.decode(code, ENTRY)
    except DecodeError:
        return None


@pytest.mark.parametrize("name", MODELS)
def test_a_model_decodes_what_it_has_and_nothing_else(name: str) -> None:
    guest = GUEST.with_cpu(name)
    for row in _ROWS:
        encoded, decoded = draw_plain(row, 0)
        found = decode(guest, encoded.code)
        if needs(row) <= guest.processor.features:
            assert found == decoded, row_id(row)
        elif row.name in STAND_INS:
            assert found is not None and guest.rows[found.row].name == STAND_INS[row.name]
            assert (found.length, found.registers) == (decoded.length, decoded.registers)
        else:
            assert found is None, row_id(row)
        if row.row % STEP == 0 or row.name in STAND_INS:
            assert decode_natively(encoded.code, guest=guest) == found, row_id(row)
    assert len(guest.decoder_table()) == len(GUEST.decoder_table())


@pytest.mark.parametrize("name", MODELS)
def test_dialects_are_what_another_model_decodes_otherwise(name: str) -> None:
    guest = GUEST.with_cpu(name)
    others = [GUEST.with_cpu(each) for each in MODELS]
    for row in _ROWS:
        encoded, _ = draw_plain(row, 1)
        found = decode(guest, encoded.code)
        if found is not None and any(decode(other, encoded.code) != found for other in others):
            assert guest.is_dialect(found), row_id(row)
        if found is not None and row.extension == "base" and row.name not in STAND_INS.values():
            assert not guest.is_dialect(found), row_id(row)


def test_hints_are_taken_by_all() -> None:
    found = GUEST.with_cpu("qemu64").decode(bytes.fromhex("0f 0d 08"), ENTRY)
    assert GUEST.rows[found.row].name in HINTS and "prefetchw" not in GUEST.with_cpu("qemu64").processor.features


def test_what_a_cpu_lacks_is_told() -> None:
    with pytest.raises(DecodeError, match="vpaddd is an instruction of avx2, which this CPU lacks"):
        GUEST.with_cpu("sandybridge").decode(bytes.fromhex("c5 f5 fe c2"), ENTRY)


@isolated
def test_what_a_cpu_lacks_is_an_invalid_opcode_on_every_tier() -> None:
    loop = mp.code("x86_64", asm="mov ecx, 5000; again: dec ecx; jnz again").code
    for feature in OPTIONAL:
        rows = [row for row in _ROWS if feature in needs(row) and row.name not in STAND_INS]
        if not rows:
            continue  # LZCNT alone
        row = rows[len(feature) * 7 % len(rows)]
        code = draw_plain(row, 2)[0].code
        for tier, before in (("reference", b""), ("0", b""), ("1", loop)):
            snippet = mp.code("x86_64", before + code, cpu=f"max,-{feature}")
            stop = snippet.run(tier=tier)
            assert (stop.kind, stop.trap) == ("trap", "invalid_opcode"), (feature, row, tier, stop)
            assert stop.pc == snippet.address + len(before), (row, tier)


@isolated
def test_lzcnt_and_tzcnt_become_bsr_and_bsf() -> None:
    source = "mov edx, 3000; again: lzcnt eax, ecx; tzcnt ebx, ecx; dec edx; jnz again"
    for cpu, found in (("haswell", (25, 4)), ("nehalem", (6, 4)), ("haswell,-lzcnt", (6, 4)), ("max", (25, 4))):
        for tier in ("reference", "0", "1"):  # regions of the other models are in the cache by then
            code = mp.code("x86_64", asm=source, cpu=cpu)
            code.run(tier=tier, rcx=0x50)
            assert (code.registers.rax, code.registers.rbx) == found, (cpu, tier)
        code = mp.code("x86_64", asm="tzcnt ebx, ecx", cpu=cpu)
        for tier in ("reference", "0", "1"):  # BSF leaves its target alone where there is nothing to find
            code.run(tier=tier, rbx=7, rcx=0)
            assert code.registers.rbx == (7 if cpu == "nehalem" else 32), (cpu, tier)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "max"])
def test_what_remains_means_the_same(name: str) -> None:
    guest = GUEST.with_cpu(name)
    rows = [row for row in _ROWS if needs(row) <= guest.processor.features]
    rows = [row for row in rows if row.name not in ("cpuid", "xgetbv", *UNREPEATABLE)]
    with NativeTier("0", guest) as tier:
        for row in rows[len(name) :: max(1, 240 // CASES)]:
            drawn = draw(row, 1)
            expected = run_constants(drawn.case, drawn.decoded).observed
            assert not differences(expected, tier(drawn.case, drawn.decoded).observed, drawn.undefined), row_id(row)


@isolated
def test_xgetbv_and_xsave_follow_the_model() -> None:
    source = "xor ecx, ecx; xgetbv; mov ebx, eax; mov eax, -1; mov edx, eax; xsave [rdi]; mov ecx, 1; xgetbv"
    for cpu, components, in_use in (("skylake", 7, True), ("sandybridge", 7, False), ("sandybridge,-avx", 3, False)):
        for tier in ("reference", "0", "1"):
            code = mp.code("x86_64", asm=source, cpu=cpu)
            code.map(0x8000, b"\xaa" * 4096)
            code.memory[0x8200:0x8240] = bytes(64)
            stop = code.run(tier=tier, rdi=0x8000, xmm0=1)
            assert code.registers.rbx == components, (cpu, tier)
            assert bytes(code.memory[0x8200:0x8201])[0] & ~components == 0, (cpu, tier)
            assert (code.memory[0x8240] == 0xAA) == (components == 3), (cpu, tier)
            assert (stop.kind, stop.trap) == (("end", "") if in_use else ("trap", "general_protection")), (cpu, tier)
    code = mp.code("x86_64", asm="xor ecx, ecx; xgetbv", cpu="nehalem")
    assert [code.run(tier=tier).trap for tier in ("reference", "0", "1")] == ["invalid_opcode"] * 3
