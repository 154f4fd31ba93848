"""What processors of AMD do otherwise than those of Intel, so that either can be the oracle.

The guest announces itself as Intel's and behaves so. On a host of AMD's (host.py), a case to which a row of DIFFERENCES
applies is run by another encoding of the same meaning (`stand_in`), or what was seen is told as Intel's processor would
leave it (`told`), or the part that neither manual defines is not compared (`undefined`). All else of such a case is
compared as ever; on a host of Intel's nothing is changed. test_vendors.py sees to it that every row is true of the host
at hand.

Sections are those of Intel's Software Developer's Manual (SDM) and AMD's Architecture Programmer's Manual (APM).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.addresses import MEMORY_RESIZED, REG, RM, VVVV
from metaphrase.translator.x86.decoder import encoding_of
from metaphrase.translator.x86.instructions import control, gathers
from tests.oracle.native import ARENA, ARENA_SIZE, FLAGS, REGISTERS
from tests.translator.x86.differential import rows_of
from tests.translator.x86.execution import Execution
from tests.translator.x86.interpreted import ArenaMemory
from tests.translator.x86.observed import DOUBLE_NANS, FAULT_ADDRESS, MASK64, SINGLE_NANS, Observed

EARLIER, RECENT = range(0x19), range(0x19, 1 << 12)
"""Families of AMD's processors, up to Zen 2 and from Zen 3 on; what is known of them was seen on Zen and on Zen 4."""


@dataclass(frozen=True)
class Difference:
    """One way in which AMD's processors differ, and what is done about it."""

    what: str
    intel: str
    """What the guest does, and where the SDM says so."""
    amd: str
    """What AMD's processors do, and where the APM says so."""
    applies: Callable[[Execution], bool]
    example: str
    """A case in which the two differ, as a line of regressions.txt."""
    stand_in: Callable[[Execution], bytes] | None = None
    """Code of the same length that does on AMD's processors what this does on Intel's."""
    told: Callable[[Execution, Observed], Observed | None] | None = None
    """From what was seen on AMD's processor, what is seen on Intel's; None if that does not tell."""
    undefined: int = 0
    """What is not compared: bits as in observed.py."""
    virtual: bool = False
    """It is the doing of hypervisors on AMD's processors."""
    families: range = range(1 << 12)
    """The families of AMD's processors that do so, as far as known."""
    bug: str = ""
    """What /proc/cpuinfo names among bugs where processors do so."""


def named(*names: str) -> Callable[[Execution], bool]:
    """Whether an execution is of a row of one of these names."""
    return lambda run: run.row.name in names


# --- control ----------------------------------------------------------------------------------------------------------
_NEAR_BRANCHES: Final = frozenset(
    row.name for row in rows_of(control) if row.name.startswith(("j", "loop")) or row.name in ("call", "ret")
)


def _narrow_branch(run: Execution) -> bool:
    return run.case.mode == 64 and run.row.name in _NEAR_BRANCHES and 0x66 in run.prefixes


def _behind(run: Execution, seen: Observed) -> Observed:
    return replace(seen, rip=run.decoded.next_pc)


def _as_refused(run: Execution, seen: Observed) -> Observed:
    return run.refused(seen.event) if seen.event in ("general_protection", "stack_fault") else seen


def _exchanging_pause(run: Execution) -> bool:
    return run.row.name == "pause" and run.prefixes[-1] & 0xF1 == 0x41


def _plain_pause(run: Execution) -> bytes:
    return run.with_prefix(run.prefixes[-1], run.prefixes[-1] & ~1)


def _prefetch_of_register(run: Execution) -> bool:
    return run.row.pattern == "0F 0D /r" and not run.statics.memory


def _plain_nop(run: Execution) -> bytes:
    at = len(run.prefixes) + 1
    return run.case.code[:at] + b"\x1f" + run.case.code[at + 1 :]


def _move_of_16_bits(run: Execution) -> bool:
    return run.row.name == "movsxd" and run.statics.size == 16 and bool(run.statics.memory)


def _plain_move(run: Execution) -> bytes:
    at = len(run.prefixes)
    return run.case.code[:at] + b"\x8b" + run.case.code[at + 1 :]


# --- strings ----------------------------------------------------------------------------------------------------------
_MOVED: Final = {"movs": ("rcx", "rsi", "rdi"), "stos": ("rcx", "rdi")}
"""What hardware of Intel's narrows at the start of a REP with 32-bit addresses; else RCX alone."""


def _repeated(*names: str) -> Callable[[Execution], bool]:
    return lambda run: run.row.name in names and bool(run.statics.repeat)


def _narrow_repeat(run: Execution) -> bool:
    return run.case.mode == 64 and bool(run.statics.repeat) and run.statics.memory == MEMORY_RESIZED


def _narrowed(run: Execution, seen: Observed) -> Observed:
    if seen.registers["rcx"] != run.case.state.registers.get("rcx", 0):
        return seen  # some element was done
    registers = dict(seen.registers)
    for name in _MOVED.get(run.row.name, ("rcx",)):
        registers[name] &= 0xFFFFFFFF
    return replace(seen, registers=registers)


def _with_flags_of_before(run: Execution, seen: Observed) -> Observed:
    return replace(seen, rflags=run.case.state.rflags & FLAGS) if seen.event else seen


# --- segments ---------------------------------------------------------------------------------------------------------
_FS, _GS = 4, 5
"""Numbers of segment registers, in instructions and in what is observed."""
_LOADED: Final = {"0F A1": _FS, "0F B4 /r mem": _FS, "0F A9": _GS, "0F B5 /r mem": _GS}


def _segment_loaded(run: Execution) -> int | None:
    if run.row.pattern == "8E /r":
        return run.case.code[len(run.prefixes) + 1] >> 3 & 7
    return _LOADED.get(run.row.pattern)


def _loads_base(run: Execution) -> bool:
    return run.case.mode != 64 and not run.case.guest and _segment_loaded(run) in (_FS, _GS)


def _null_has_no_base(run: Execution, seen: Observed) -> Observed:
    loaded = _segment_loaded(run)
    if seen.event or loaded is None or seen.selectors[loaded] & ~3:
        return seen
    fs, gs = seen.bases
    return replace(seen, bases=(0, gs) if loaded == _FS else (fs, 0))


# --- shifts -----------------------------------------------------------------------------------------------------------
def _shift_count(run: Execution) -> int:
    by_register = run.row.detail.codes.endswith("CL")
    return (run.case.state.registers.get("rcx", 0) if by_register else run.decoded.immediate) & 31


def _shifted_too_far(run: Execution) -> bool:
    return run.row.name in ("shld", "shrd") and run.statics.size == 16 and _shift_count(run) > 16


def _shifted_through(run: Execution, seen: Observed) -> Observed:
    """The target as Intel's leaves it: shifted through the source and into itself once more."""
    if seen.event:
        return seen
    count, source = _shift_count(run), run.slot(REG, 2)
    if run.statics.memory:
        at = run.address - ARENA
        target = int.from_bytes(ArenaMemory(run.case).arena[at : at + 2], "little")
    else:
        target = run.slot(RM, 2)
    all_three = target << 32 | source << 16 | target
    result = (all_three << count >> 32 if run.row.name == "shld" else all_three >> count) & 0xFFFF
    if run.statics.memory:
        return replace(seen, arena=seen.arena[:at] + result.to_bytes(2, "little") + seen.arena[at + 2 :])
    name = REGISTERS[s.GPR.index(run.decoded.registers[RM])]
    return replace(seen, registers={**seen.registers, name: seen.registers[name] & ~0xFFFF | result})


# --- vectors ----------------------------------------------------------------------------------------------------------
DOT_SINGLES: Final = ("dpps", "vdpps")
DOT_DOUBLES: Final = ("dppd", "vdppd")


def _misaligned_sha(run: Execution) -> bool:
    return run.row.name.startswith("sha") and bool(run.statics.memory) and run.address % 16 != 0


def _refused(run: Execution, seen: Observed) -> Observed:
    return run.refused()


def _as_far_as_loaded(run: Execution, seen: Observed) -> Observed:
    """A gather that faulted, with every lane of its mask all ones or zero, and nothing above the vectors it wrote."""
    if not seen.event:
        return seen
    lane, width = run.row.detail.static[0], encoding_of(run.row).vector_width
    target, mask = (s.XMM.index(run.decoded.registers[field]) for field in (REG, VVVV))
    chosen = [at for at in range(0, width, lane) if seen.ymm[mask] >> at + lane - 1 & 1]
    before = [at for at in range(0, 128, lane) if run.slot(VVVV, 16) >> at + lane - 1 & 1]
    registers = list(seen.ymm)
    registers[mask] = sum((1 << lane) - 1 << at for at in chosen)
    if not set(before) <= set(chosen):  # some lane was loaded
        registers[target] &= (1 << width) - 1
    return replace(seen, ymm=tuple(registers))


# --- state ------------------------------------------------------------------------------------------------------------
_MASK_AT: Final = 28
"""Where MXCSR_MASK lies in an FXSAVE or XSAVE area."""
_MISALIGNED: Final = 1 << 17
"""MXCSR.MM, which only AMD's processors have."""


def _without_misaligned_bit(run: Execution, seen: Observed) -> Observed:
    at = run.address + _MASK_AT - ARENA
    found = int.from_bytes(seen.arena[at : at + 4], "little")
    if seen.event or found != 0xFFFF | _MISALIGNED:
        return seen  # an area without MXCSR
    return replace(seen, arena=seen.arena[:at] + (0xFFFF).to_bytes(4, "little") + seen.arena[at + 4 :])


def _loads_misaligned_bit(run: Execution) -> bool:
    offset = {"ldmxcsr": 0, "vldmxcsr": 0, "fxrstor": 24}.get(run.row.name)
    if offset is None:
        return False
    at = run.address + offset - ARENA
    inside = 0 <= at < ARENA_SIZE - 4
    return inside and int.from_bytes(ArenaMemory(run.case).arena[at : at + 4], "little") >> 16 == _MISALIGNED >> 16


def _at_its_end(run: Execution, seen: Observed) -> Observed | None:
    """The page fault of an XSAVE at the last byte of its area, if that cannot be written.

    Of one whose area only begins outside the arena nothing is known: Intel's may not come to the beginning at all.
    """
    asked = run.case.state.registers.get("rax", 0)
    end = run.address + (s.XSAVE_SIZE if asked & 4 else s.XSAVE_AVX) - 1 & MASK64
    if seen.event != "memory":
        return seen
    return None if ARENA <= end < ARENA + ARENA_SIZE else replace(seen, address=end)


# --- the table --------------------------------------------------------------------------------------------------------
DIFFERENCES: Final = (
    Difference(
        what="near branches with an operand-size prefix",
        intel="SDM volume 1, 6.3.7: their operand size is 64 bits; volume 2, JMP: the prefix is ignored.",
        amd="APM volume 3, RET (Near), JMP (Near): the prefix makes operands and the new RIP 16 bits wide.",
        applies=_narrow_branch,
        stand_in=lambda run: run.with_prefix(0x66, 0x2E),
        example="66c3 | | 0x10008000=1080002000000000",
    ),
    Difference(
        what="the address that INT1 saves",
        intel="SDM volume 2A, INT1: a trap, so that of the next instruction.",
        amd="APM volume 2, 15.12.2: an intercepted #DB leaves RIP at the INT1, where hypervisors then raise it again.",
        applies=named("int1"),
        told=_behind,
        example="f1",
        virtual=True,
        families=RECENT,
    ),
    Difference(
        what="what a far call that leads out of its segment leaves below the stack",
        intel="SDM volume 2A, CALL: #GP comes before anything is pushed.",
        amd="APM volume 3, CALL (Far): the return address is pushed before the new RIP is looked at.",
        applies=named("callf"),
        told=_as_refused,
        example="669a20d800003f00 | mode=16",
    ),
    Difference(
        what="PAUSE with REX.B",
        intel="SDM volume 2B, PAUSE, XCHG: F3 90 is PAUSE whatever REX says.",
        amd="APM volume 3, B.6: opcode 90 with REX.B is XCHG r8, rAX, which F3 does not change.",
        applies=_exchanging_pause,
        stand_in=_plain_pause,
        example="f34790 | rax=0xfffffffffffffff7",
    ),
    Difference(
        what="0F 0D with a register",
        intel="SDM volume 2, table A-3 and NOP: a reserved NOP.",
        amd="APM volume 3, PREFETCH: the operand is in memory, or #UD.",
        applies=_prefetch_of_register,
        stand_in=_plain_nop,
        example="460f0dc0",
    ),
    Difference(
        what="how much a MOVSXD with an operand-size prefix reads",
        intel="SDM volume 2B, MOVSX/MOVSXD: 16 bits.",
        amd="Hardware reads 32 bits (APM volume 3, MOVSXD, was not to be had to see what it says).",
        applies=_move_of_16_bits,
        stand_in=_plain_move,
        example="666300 | rax=0x1000fffe",
    ),
    Difference(
        what="REP with 32-bit addresses, of which no element is done",
        intel="SDM volume 2, REP leaves it open: hardware clears the upper halves of the registers at once.",
        amd="APM volume 3, 1.2.6 leaves it open too: hardware writes no register.",
        applies=_narrow_repeat,
        told=_narrowed,
        example="67f247a5 | rcx=0x1885cca500000000",
    ),
    Difference(
        what="flags of a repeated comparison that faults",
        intel="SDM volume 2B, REP: they are restored to what they were before the instruction.",
        amd="APM volume 3, 1.2.6 says nothing: they are those of the last element that was compared.",
        applies=_repeated("cmps", "scas"),
        told=_with_flags_of_before,
        example="f248a6 | rcx=0x14 rsi=0x10000000 rdi=0x1000a330 rflags=0xcd5 | 0x1000a330=4b513b703e0225c5",
    ),
    Difference(
        what="which of two operands of CMPS that cannot be read faults",
        intel="SDM volume 2A, CMPS leaves it open, as does the guest, which does as AMD's do from family 19h on.",
        amd="APM volume 3, CMPSx leaves it open too.",
        applies=named("cmps"),
        undefined=FAULT_ADDRESS,
        example="67f365a6 | rcx=0x505d18e900000046 gs_base=0x40",
        families=EARLIER,
    ),
    Difference(
        what="bases of segments without a selector",
        intel="SDM volume 2B, MOV, POP: in hardware, a null selector's base is 0.",
        amd="APM volume 2, 4.8.4 leaves it open: before what CPUID calls NullSelectorClearsBase, the base stays.",
        applies=_loads_base,
        told=_null_has_no_base,
        example="0fa1 | fs_base=0x1 mode=16",
        bug="null_seg",
    ),
    Difference(
        what="SHLD, SHRD of 16 bits by more than 16",
        intel="SDM volume 2B, SHLD: undefined; hardware shifts the target in once more.",
        amd="APM volume 3, SHLD: undefined; hardware leaves something else.",
        applies=_shifted_too_far,
        told=_shifted_through,
        example="66400fa5df | rcx=0xf8c7cc3f298fef72 rdi=0xe9e013 undefined=0x8d5",
    ),
    Difference(
        what="misaligned operands of the SHA instructions",
        intel="SDM volume 2, 2.4 (exceptions of type 4): #GP.",
        amd="Hardware reads them, as if MXCSR.MM were set (APM volume 1, 4.2.2).",
        applies=_misaligned_sha,
        told=_refused,
        example="0f38cb54fe00 | rsi=0x10004b9f",
    ),
    Difference(
        what="registers of a gather that faults",
        intel="SDM volume 2C, VPGATHERDD: first, lanes of the mask become ones or zero; upper halves are cleared.",
        amd="APM volume 4, VPGATHERDD: only what belongs to lanes that were loaded has changed.",
        applies=named(*{row.name for row in rows_of(gathers)}),
        told=_as_far_as_loaded,
        example="c4e269920408 | rax=0x1000fffc xmm1=0x400000000 xmm2=0xf7898da55bd5be73c8f59ecba7bbbedb ymm0h=0x1",
    ),
    Difference(
        what="which of several NaNs a dot product gives",
        intel="SDM volume 2A, DPPS leaves it open: in hardware each lane adds in an order of its own.",
        amd="APM volume 4, DPPS leaves it open: in hardware all lanes have the sum of the first.",
        applies=named(*DOT_SINGLES),
        undefined=SINGLE_NANS,
        example="c4e37140c2ff | xmm1=0x3f8000003f8000007fc000027fc00001 xmm2=0x3f8000003f8000003f8000003f800000",
    ),
    Difference(
        what="which of two NaNs a dot product of doubles gives",
        intel="SDM volume 2A, DPPD leaves it open: in hardware each lane adds in an order of its own.",
        amd="APM volume 4, DPPD leaves it open: in hardware both lanes have the sum of the first.",
        applies=named(*DOT_DOUBLES),
        undefined=DOUBLE_NANS,
        example="c4e37141c233 | xmm1=0x7ff80000000000027ff8000000000001 xmm2=0x3ff00000000000003ff0000000000000",
    ),
    Difference(
        what="what an FRSTOR whose operand leaves its segment has loaded",
        intel="SDM volume 3, 6.5: nothing, for a fault can be resumed.",
        amd="The APM leaves it open: hardware has loaded the environment, which is within.",
        applies=named("frstor"),
        told=_as_refused,
        example="dda28001 | rbp=0x56cefe65 mode=16",
    ),
    Difference(
        what="MXCSR_MASK",
        intel="SDM volume 1, 11.6.6: bits that MXCSR has, 0xFFFF.",
        amd="APM volume 2, 11.4.4: bits that MXCSR has, of which bit 17 (MM) is one.",
        applies=named("fxsave", "xsave", "xsavec", "xsaveopt"),
        told=_without_misaligned_bit,
        example="0fae00 | rax=0x10008000",
    ),
    Difference(
        what="MXCSR with bit 17",
        intel="SDM volume 1, 10.2.3: reserved; loading it raises #GP.",
        amd="APM volume 1, 4.2.2: MM, which allows misaligned operands.",
        applies=_loads_misaligned_bit,
        told=_refused,
        example="0fae10 | rax=0x10008000 | 0x10008000=801f0200",
    ),
    Difference(
        what="where an XSAVE faults",
        intel="SDM volume 1, 13.7 leaves it open: hardware comes to the end of the area first, then to what it stores.",
        amd="APM volume 2, 11.5 leaves it open: hardware comes to the beginning first, whatever it stores.",
        applies=named("xsave", "xsavec", "xsaveopt"),
        told=_at_its_end,
        example="0fc721 | rax=0x5 rcx=0x400000000000",
    ),
)
