"""What is not described: capstone knows no more than that list, and the hardware raises #UD for all else."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from metaphrase.translator.x86.absent import ABSENT, why_absent
from tests.oracle.native import ARENA, MODES, REGISTERS, SUPPORTED, WITHOUT_MODE, Case, Oracle, State
from tests.translator.x86.accepted import ACCEPTED, Accepted
from tests.translator.x86.differential import GUESTS, ROWS, SEED
from tests.translator.x86.host import ACCEPTED_HERE, accepted_here
from tests.translator.x86.test_decode import capstone_text, cell_codes, decode_plainly

RANDOM_CODES = {64: 100_000, 32: 30_000, 16: 20_000}
EVEX = 0x62
UNKNOWN_TO_CAPSTONE = re.compile(
    r"(?:66|67|f2|f3|4.)*"
    r"(?:c4e2..(?:49|4b|5[0-3]|5[ce])"  # AMX, AVX-VNNI
    r"|c4[c4a86402]2..5[0-3]"  # AVX-VNNI of registers above the eighth
    r"|0f01e[89]|0f01e[c-f]"  # SERIALIZE, XSUSLDTRK, user interrupts
    r"|0f38f8|0f3af0"  # ENQCMD, ENQCMDS, HRESET
    r"|0f0[235])"  # LAR, LSL and AMD's SYSCALL behind 67 in 32-bit mode
)
"""What some processors have besides."""
ESCAPES = (b"", b"\x0f", b"\x0f\x38", b"\x0f\x3a", b"\xc4\xe1", b"\xc4\xe2", b"\xc4\xe3", b"\xc5")


def random_codes(mode: int) -> Iterator[bytes]:
    """Bytes in all opcode maps, some behind a prefix or two."""
    rng = random.Random(SEED)
    for _ in range(RANDOM_CODES[mode]):
        prefixes = bytes(rng.choice((0x66, 0xF2, 0xF3, 0xF0, 0x48, 0x67)) for _ in range(rng.choice((0, 0, 1, 2))))
        yield (prefixes + rng.choice(ESCAPES) + rng.randbytes(15))[:15]


def refused(codes: list[bytes], mode: int) -> list[bool]:
    """Whether the CPU finds each undefined. SYSENTER is not tried: it ends the program."""
    registers = dict.fromkeys(REGISTERS if mode == 64 else REGISTERS[:8], ARENA + 0x8000)
    with Oracle() as oracle:
        results = oracle.run([Case(code, State(dict(registers)), mode=mode) for code in codes])
    faults = [result.fault for result in results]
    return [fault is not None and fault.vector == 6 and fault.offset == 0 for fault in faults]


def undescribed(mode: int) -> Iterator[tuple[bytes, str]]:
    """What the decoder of a mode refuses and the list does not name, with capstone's text of it, if it has one."""
    seen = {code + bytes.fromhex("12345678 9abcdef0 11")[: 15 - len(code)] for _, code in cell_codes(mode)}
    for code in (*sorted(seen), *random_codes(mode)):
        if decode_plainly(code, mode) is not None or EVEX in code[:4] or accepted_here(code):
            continue
        known = capstone_text(code, mode) or (capstone_text(code, 32) if mode == 16 else None)  # it knows less there
        if known is None or why_absent(known[1], mode) is None:
            yield code, known[1] if known else ""


@pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")
@pytest.mark.parametrize("mode", GUESTS)
def test_what_is_neither_described_nor_listed_is_undefined(mode: int) -> None:
    if not MODES[mode]:
        pytest.skip(WITHOUT_MODE)
    found = [(code, text) for code, text in undescribed(mode) if not UNKNOWN_TO_CAPSTONE.match(code.hex())]
    verdicts = refused([code for code, _ in found], mode)
    wrong = [f"{code.hex(' ')}: {text}" for (code, text), undefined in zip(found, verdicts) if not undefined]
    assert not wrong, "\n".join(sorted(wrong))


@pytest.mark.skipif(not SUPPORTED, reason="the oracle is an x86-64 CPU under Linux")
@pytest.mark.parametrize("accepted", ACCEPTED, ids=lambda accepted: accepted.what)
def test_the_host_accepts_what_the_table_says(accepted: Accepted) -> None:
    code = bytes.fromhex(accepted.example)
    assert accepted.matches(code) and decode_plainly(code) is None
    assert refused([code], 64) == [accepted not in ACCEPTED_HERE]


def test_what_is_listed_is_not_described() -> None:
    assert not {(row.name, mode) for row, mode in ROWS if why_absent(row.name, mode)}


def test_a_reason_is_given_for_each() -> None:
    assert len({entry.what for entry in ABSENT}) == len(ABSENT)
    assert all(entry.reason for entry in ABSENT)
