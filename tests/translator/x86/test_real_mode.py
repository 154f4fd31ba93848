"""Rows of the integer chapters in real-address mode against a virtual machine (KVM)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from metaphrase.translator.guest import Description, guest
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.guest import X86Guest
from metaphrase.translator.x86.instructions.stack import push_segment
from tests.oracle.native import ARENA_SIZE, CODE, FLAGS, Case
from tests.oracle.real_mode import HANDLERS, VECTORS, Ended, RealMode, is_there
from tests.translator.x86 import host
from tests.translator.x86.differential import CASES, draw, row_id
from tests.translator.x86.execution import Execution
from tests.translator.x86.executors import NATIVE, Executors
from tests.translator.x86.integer_setups import ROWS as INTEGER_ROWS
from tests.translator.x86.interpreted import Seen, unpack_state
from tests.translator.x86.observed import VECTOR_NAMES, Observed, differences

pytestmark = pytest.mark.skipif(not is_there(), reason="needs /dev/kvm")

_made = guest("i8086")
assert isinstance(_made, X86Guest)
REAL = _made
NOT_ALIKE = frozenset({
    "in", "out", "ins", "outs", "hlt", "mov_cr", "mov_dr", "cpuid", "rdtsc", "rdtscp", "rdrand", "rdseed", "rdpid",
    "rdpmc", "rdmsr", "wrmsr", "clts", "invd", "wbinvd", "sysret", "sysexit", "xsetbv", "xgetbv", "sgdt", "sidt",
    "lgdt", "lidt", "smsw", "lmsw", "invlpg", "xrstors", "xsaves", "int1",
})  # fmt: skip
"""Rows that are the machine's, that tell of the processor, or that KVM has a look at."""
INTERPRETED_OTHERWISE = ("xlatb", "aad", "aam", "enter")
"""Rows of which the kernel's interpreter, where it has to be asked, does not have the processor's results (which 16-bit
protected mode tells)."""
INTERRUPTS = ("int", "int3", "into")
SYSTEM_FLAGS = 0x7200
"""IF, IOPL and NT."""
ROWS = [
    row for row in INTEGER_ROWS
    if row.detail.exists_in(REAL.mode) and row.extension == "base"
    and row.name not in (*NOT_ALIKE, *INTERPRETED_OTHERWISE)
]  # fmt: skip


@pytest.fixture(scope="module")
def executors() -> Iterator[Executors]:
    with Executors() as shared:
        yield shared


@pytest.fixture(scope="module")
def machine() -> Iterator[RealMode]:
    made = RealMode()
    yield made
    made.close()


def seen_there(ended: Ended, row: Description, ours: Observed) -> Observed:
    """What the machine saw, in the form of the others; what it does not tell is as ours. An exception's delivery is
    taken back."""
    registers, pc, flags, arena, event = dict(ended.registers), ended.pc, ended.flags, ended.arena, ""
    selectors = tuple(ended.selectors[name] for name in s.SEGMENT_NAMES)
    if ended.vector is not None and row.name not in INTERRUPTS:
        event = VECTOR_NAMES.get(ended.vector, str(ended.vector))
        places = [ended.frame + at & 0xFFFF for at in range(6)]
        ip, code, flags = (arena[places[at]] | arena[places[at + 1]] << 8 for at in (0, 2, 4))
        bytes_before = bytearray(arena)
        for place in places:
            bytes_before[place] = ours.arena[place]
        arena, pc, selectors = bytes(bytes_before), CODE + ip, (selectors[0], code, *selectors[2:])
        registers["rsp"] = ours.registers["rsp"] & ~0xFFFF | registers["rsp"] + 6 & 0xFFFF
    return replace(ours, registers=registers, rip=pc, rflags=flags & FLAGS, arena=arena, event=event, address=None,
                   selectors=selectors, bases=(ended.bases["fs"], ended.bases["gs"]))  # fmt: skip


def system_state(seen: Seen) -> tuple[int, ...]:
    """Bases of ES, CS, SS and DS, and the flags that systems have."""
    read = unpack_state(seen.data)
    return (*(read[f"{name}_base"] for name in ("es", "cs", "ss", "ds")), read["eflags_rest"] & SYSTEM_FLAGS)


def can_be_compared(row: Description, ours: Observed) -> bool:
    """Not where code is the interrupt table, or is written; nor on a stack without room to tell of an exception."""
    stack = ours.registers["rsp"] & 0xFFFF
    return ours.event != "memory" and ours.rip >= len(VECTORS) and (not ours.event or 6 <= stack <= ARENA_SIZE - 6)


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_row_in_real_mode(executors: Executors, machine: RealMode, row: Description) -> None:
    compared = 0
    for number in range(CASES):
        drawn = draw(row, number, mode=16)
        code = drawn.encoded.code
        if row.name == "int":  # a machine inside of another may lose itself for those above
            code = code[:-1] + bytes([code[-1] & 0x7F])
        case = Case(code, drawn.state, drawn.case.memory, drawn.case.address, 16, "i8086")
        run = Execution(case, REAL.decode(case.code, case.address))
        ended, undefined = machine.run(case), drawn.undefined | host.undefined(run)
        if ended is None or (row.semantics is push_segment and drawn.size == 32):
            continue  # of which the upper half may be written or not
        pointer = any(kind.letter == "M" and kind.size == "p" for kind in row.operands)
        for name, runner in executors.runners.items():
            if name in NATIVE and (number > 1 or row.name in INTERRUPTS):
                continue  # they have shown in protected mode that they agree, and have no table at address 0
            seen = runner(case, run.decoded)
            ours = seen.observed
            if not can_be_compared(row, ours):
                continue
            if pointer and ended.vector is not None and not ours.event:
                continue  # the interpreter wants all of it before the end of the segment, the processor each part
            expected = host.told(run, seen_there(ended, row, ours))
            assert expected is not None
            found = differences(expected, ours, undefined)
            assert not found, f"{name}: {found} of {case.code.hex(' ')} from {case.state}"
            if not ours.event:
                there = (*(ended.bases[key] for key in ("es", "cs", "ss", "ds")), ended.flags & SYSTEM_FLAGS)
                assert system_state(seen) == there, f"{name}: {case.code.hex(' ')}"
            compared += 1
    if not compared:
        pytest.skip("the machine tells nothing of it")


def test_interrupts_go_through_the_table(machine: RealMode) -> None:
    """The machine's own idea of it: all vectors lead to the handlers' segment."""
    ended = machine.run(Case(bytes.fromhex("cd21"), mode=16, guest="i8086"))
    assert ended is not None
    assert (ended.vector, ended.selectors["cs"], ended.pc) == (0x21, HANDLERS, HANDLERS * 16 + 0x21)
