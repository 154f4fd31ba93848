"""The state of an x86 hardware thread, as native code sees it, in all modes.

Outside 64-bit mode, the upper halves of the first eight general registers are always zero, and the others are not used.
The program counter is a linear address everywhere: where CS has a base, IP or EIP is what is left without it.

Flags are separate bytes. CF, ZF, SF, OF and DF hold 0 or 1. Two are kept in the form that is cheapest to write: PF is
set when `parity` has an even number of ones, AF is bit 4 of `adjust`; most of them are overwritten unread.
"""

from __future__ import annotations

from typing import Final

from metaphrase.ir.layout import INDEXED, Layout
from metaphrase.ir.types import F80, I8, I16, I32, I64, vector

GPR_NAMES: Final = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", *(f"r{n}" for n in range(8, 16)))

LAYOUT: Final = Layout("x86_64")
GPR: Final = [LAYOUT.add(name, I64) for name in GPR_NAMES]
RIP: Final = LAYOUT.add("rip", I64)
SEGMENT_NAMES: Final = ("es", "cs", "ss", "ds", "fs", "gs")
"""The segment registers by their number, as they are encoded."""
ES, CS, SS, DS, FS, GS = range(6)
SEGMENT_BASES: Final = [LAYOUT.add(f"{name}_base", I64) for name in SEGMENT_NAMES]
"""Where segments begin. In flat modes only FS and GS have bases, and those of the others are not looked at."""
ES_BASE, CS_BASE, SS_BASE, DS_BASE, FS_BASE, GS_BASE = SEGMENT_BASES
ZERO: Final = LAYOUT.add("zero", I64)
"""Always zero: the base or index of a memory operand that has none."""
ZERO_PC: Final = LAYOUT.add("zero_pc", I64)
"""Always zero: the base of a RIP-relative operand, whose displacement is decoded as an absolute address."""
CF: Final = LAYOUT.add("cf", I8, group="flags")
PARITY: Final = LAYOUT.add("parity", I8, group="flags")
ADJUST: Final = LAYOUT.add("adjust", I8, group="flags")
ZF: Final = LAYOUT.add("zf", I8, group="flags")
SF: Final = LAYOUT.add("sf", I8, group="flags")
OF: Final = LAYOUT.add("of", I8, group="flags")
DF: Final = LAYOUT.add("df", I8)
LAYOUT.add("top", I8)
LAYOUT.add("eflags_rest", I32)
LAYOUT.add("fenv", I32)
LAYOUT.add("fcw", I16)
LAYOUT.add("fsw", I16)
"""The x87 status word without TOP, which is the slot `top`."""
LAYOUT.add("ftw", I16)
"""The x87 tag word, abridged as FXSAVE stores it: one bit a physical register, set if not empty."""
XMM: Final[list[int]] = []
for _number in range(16):
    XMM.append(LAYOUT.add(f"xmm{_number}", vector(I64, 2), align=16 if _number else 64))
for _number in range(16):  # close together: VZEROUPPER clears them all, which every vectorised string function does
    LAYOUT.add(f"ymm{_number}h", vector(I64, 2))
YMM_HIGH: Final = 256
LAYOUT.halves += [(offset, offset + YMM_HIGH) for offset in XMM]
"""How far the high half of a YMM register lies behind the XMM register."""
XCR0_X87, XCR0_SSE, XCR0_AVX = 1, 2, 4
"""Components of XSAVE's state."""
XCR0: Final = XCR0_X87 | XCR0_SSE | XCR0_AVX
"""Those that the system lets programs use, where the processor has them."""
XSAVE_HEADER, XSAVE_AVX, XSAVE_SIZE = 512, 576, 832
"""Where XSAVE's header and the high halves of the YMM registers lie, and where the area ends (SDM volume 1, 13.4)."""
X87: Final = [LAYOUT.add(f"st_physical{n}", F80, align=16, size=16, group=INDEXED) for n in range(8)]

DEFERRED: Final = LAYOUT.add("deferred", I8, group="deferred")
DEFERRED_A: Final = LAYOUT.add("deferred_a", I64, group="deferred")
DEFERRED_B: Final = LAYOUT.add("deferred_b", I64, group="deferred")
LAYOUT.defer("flags", "deferred", "deferred_a", "deferred_b")
DEFER_ADD, DEFER_SUB, DEFER_RESULT, DEFER_PRODUCT, DEFER_INC, DEFER_DEC = 1, 2, 3, 4, 5, 6
"""What the flags are those of, in the low bits of `deferred`: a + b, a - b, the result a with CF + 2 OF in b, the
product a whose CF and OF are b, a + 1 and a - 1 with CF in b. The bits above (DEFER_NARROW) tell how many bits the
operation is short of 64; operands hold what they like there."""
DEFER_NARROW: Final = 0x38
LAYOUT.add("xcr0", I64)
"""The components of XSAVE's state that this CPU has; 0 if it has no XSAVE."""
LAYOUT.add("last_xcr", I32)
"""The last register that XGETBV can read."""
SELECTORS: Final = [LAYOUT.add(name, I16, group="selectors") for name in SEGMENT_NAMES]
"""The segment registers outside 64-bit mode, which does not look at them."""
TLS: Final = [LAYOUT.add(f"tls{_number}", I64, group="selectors") for _number in range(3)]
"""The descriptors that a process may choose itself: the base, and TLS_PRESENT if there is one."""
TLS_PRESENT: Final = 1 << 32
TLS_FIRST: Final = 12
"""Index in the descriptor table of the first of them, as Linux on x86-64 has it (arch/x86/include/asm/segment.h)."""
USER_CS_32, USER_DS, USER_CS_64, CPU_NUMBER = 0x23, 0x2B, 0x33, 0x7B
"""The selectors of the other descriptors of user mode there."""
LIMITS: Final = ("lowest", "readable", "writable")
for _limit in LIMITS:
    for _name in SEGMENT_NAMES:
        LAYOUT.add(f"{_name}_{_limit}", I64, group="segments")
LOWEST, READABLE, WRITABLE = (LAYOUT[f"es_{_limit}"].offset - ES_BASE for _limit in LIMITS)
"""How far behind a segment's base lies what else modes that are not flat look at: the first offset in the segment, the
last one that may be read, and the last one that may be written; -1 where there is none, as in a null segment."""
CODE_LIMIT: Final = LAYOUT.add("code_limit", I64, group="segments")
"""The last offset in CS that may be executed. Transfers look at it; code that simply goes on past it is not stopped."""
DESCRIBED: Final = LAYOUT.add("described", I32, group="segments")
"""What the slots below are about, in protected mode: the segment register in bits 16 to 18, the selector below,
DESCRIBED_VALID, and for a far return DESCRIBED_RETURN; 0 for nothing. An instruction that loads a segment register says
here what it wants, and leaves for the service "descriptor"; it is executed again, and finds what there is to know."""
DESCRIBED_VALID, DESCRIBED_RETURN = 1 << 19, 1 << 20
LAYOUT.add("described_fault", I32, group="segments")
"""0, or what the load ends with: an index in FAULTS, from 1."""
for _part in ("base", *LIMITS, "limit"):
    LAYOUT.add(f"described_{_part}", I64, group="segments")
FAULTS: Final = ("general_protection", "not_present", "stack_fault", "far_transfer")
"""Exceptions of loads of segment registers; and "far_transfer" for one that is not only that, but changes the mode or
the privilege level, which the machine does."""
TABLES: Final = ("gdt", "ldt")
"""The descriptor tables of protected mode, by linear address and last byte."""
for _name in TABLES:
    LAYOUT.add(f"{_name}_base", I64)
    LAYOUT.add(f"{_name}_limit", I32)
LAYOUT.stack_pointer = LAYOUT["rsp"]
LAYOUT.carry("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi")

FLAG_BITS: Final = 0xCD5
"""The bits of RFLAGS that have slots of their own; `eflags_rest` holds the others."""
HIDDEN: Final = frozenset(
    {"zero", "zero_pc", "deferred", "deferred_a", "deferred_b", "xcr0", "last_xcr", "tls0", "tls1", "tls2"}
    | {slot.name for slot in LAYOUT.group("segments")}
)
"""Slots that no program can see."""
UNUSED_FLAT: Final = frozenset(
    {"es_base", "cs_base", "ss_base", "ds_base"} | {f"{name}_{part}" for name in TABLES for part in ("base", "limit")}
)
"""Slots that flat modes do not look at."""
UNUSED_32: Final = frozenset(
    {name for number in range(8, 16) for name in (f"r{number}", f"xmm{number}", f"ymm{number}h", f"ymm{number}")}
    | set(GPR_NAMES) | {"rip"}
)
"""Slots that programs have no use for outside 64-bit mode, or know by other names."""

RESET_32: Final = {"cs": USER_CS_32, "ss": USER_DS, "ds": USER_DS, "es": USER_DS}
"""Further slots that do not start at zero in a new process of a 32-bit mode."""
RESET: Final = {"eflags_rest": 0x202, "fenv": 0x1F80, "fcw": 0x37F, "xcr0": XCR0, "last_xcr": 1}
"""Slots that do not start at zero in a new process."""


def rflags(read: dict[str, int]) -> int:
    """RFLAGS from the values of the flag slots."""
    return (
        read["cf"]
        | (read["parity"].bit_count() % 2 == 0) << 2
        | (read["adjust"] & 0x10)
        | read["zf"] << 6
        | read["sf"] << 7
        | read["df"] << 10
        | read["of"] << 11
        | (read["eflags_rest"] & ~FLAG_BITS)
        | 2
    )


def flag_slots(value: int) -> dict[str, int]:
    """The values of the flag slots for an RFLAGS value; the inverse of `rflags`."""
    return {
        "cf": value & 1,
        "parity": 0 if value >> 2 & 1 else 1,
        "adjust": value & 0x10,
        "zf": value >> 6 & 1,
        "sf": value >> 7 & 1,
        "df": value >> 10 & 1,
        "of": value >> 11 & 1,
        "eflags_rest": value & ~FLAG_BITS,
    }
