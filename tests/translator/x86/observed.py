"""What an execution leaves behind, and how two executions are compared."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from signal import SIGSYS, SIGVTALRM
from typing import Final

from tests.oracle.native import ARENA, FLAGS, REGISTERS, Result

FLAG_BITS: Final = {"cf": 1, "pf": 4, "af": 0x10, "zf": 0x40, "sf": 0x80, "df": 0x400, "of": 0x800, "c1": 1 << 16}
X87_FLAGS: Final = 1 << 17
"""The exception flags of the x87 status word: a store that cannot be done has told of its rounding before."""
X87_NEIGHBOUR: Final = 1 << 18
"""Numbers in x87 registers may differ by one unit in the last place."""
APPROXIMATE: Final = 1 << 19
"""Singles in XMM registers may differ by the error that RCPPS and RSQRTPS are allowed."""
FAULT_OFFSET: Final = 1 << 20
"""A fault need only tell of the right page: a masked store over its edge tells of the byte that it comes to last."""
TORN: Final = 1 << 21
"""A store that faults in its second page may have written to the first."""
SINGLE_NANS: Final = 1 << 22
"""Which NaN it is that a single in an XMM register is."""
DOUBLE_NANS: Final = 1 << 23
"""The same of doubles."""
FAULT_ADDRESS: Final = 1 << 24
"""A fault need not tell where, of an operand in two pages that are not there."""
STRICT: Final = bool(os.environ.get("METAPHRASE_STRICT"))
"""Compare undefined flags too, to learn what the hardware does."""
MASK64: Final = (1 << 64) - 1


@dataclass
class Observed:
    """The state behind one execution, in the form in which executions are compared."""

    registers: dict[str, int]
    rip: int
    rflags: int
    bases: tuple[int, int]
    ymm: tuple[int, ...]
    mxcsr: int
    x87: bytes
    arena: bytes
    event: str = ""
    """"" for a normal end, else the fault: "memory", or the reason for leaving."""
    address: int | None = None
    """Of a memory fault, where known."""
    selectors: tuple[int, ...] = ()
    """ES, CS, SS, DS, FS and GS; nothing in 64-bit mode."""
    extra: dict[str, object] = field(default_factory=dict)


_VECTORS: Final = {
    0: "divide_error", 1: "breakpoint", 3: "breakpoint", 4: "overflow", 5: "bound_range", 6: "invalid_opcode",
    11: "not_present", 12: "memory", 13: "general_protection", 14: "memory", 16: "x87_exception", 19: "simd_exception",
}  # fmt: skip
_STACK_FAULT: Final = 12
VECTOR_NAMES: Final = {**_VECTORS, _STACK_FAULT: "stack_fault"}
"""Exceptions by number, where segments have limits."""


def event_of(result: Result) -> str:
    """How what the oracle saw ended, as `Observed.event` names it."""
    fault = result.fault
    if fault is None:
        return ""
    assert fault.signal is not SIGVTALRM, "the snippet does not end"
    if result.segmented and fault.vector == _STACK_FAULT:
        return "stack_fault"  # elsewhere that is what an address is called that cannot be
    return "syscall" if fault.signal is SIGSYS else _VECTORS.get(fault.vector, f"vector {fault.vector}")


def observe_hardware(result: Result) -> Observed:
    """What the oracle saw."""
    state, event = result.state, event_of(result)
    address = result.fault.address if result.fault else None
    halves = ((*half, *(0,) * (16 - len(half))) for half in (state.xmm, state.ymm_high))
    ymm = tuple(low | high << 128 for low, high in zip(*halves, strict=True))
    return Observed(
        {name: state.registers.get(name, 0) for name in REGISTERS}, state.rip, state.rflags & FLAGS,
        (state.fs_base, state.gs_base), ymm, state.mxcsr, state.x87, result.arena, event, address,
        state.selectors,
    )  # fmt: skip


def significant(undefined: int) -> int:
    """The flags that are compared."""
    return FLAGS if STRICT else FLAGS & ~undefined


def differences(expected: Observed, actual: Observed, undefined: int) -> list[str]:
    """What differs, each as a phrase; nothing if the executions agree."""
    if expected == actual:
        return []
    found = []
    event = actual.event
    if event == "memory" and actual.address is not None and expected.event == "general_protection" and not (
        _possible(actual.address, bool(expected.selectors))
    ):
        event = "general_protection"  # the bus never sees such an address
    if expected.event != event:
        found.append(f"event {actual.event or 'none'} instead of {expected.event or 'none'}")
    unit = 4096 if undefined & FAULT_OFFSET else 1
    if (
        expected.event == "memory" == event
        and expected.address is not None
        and not undefined & FAULT_ADDRESS
        and (actual.address is None or expected.address // unit != actual.address // unit)
    ):
        found.append(f"fault at {actual.address or 0:#x} instead of {expected.address:#x}")
    for name, value in expected.registers.items():
        if actual.registers[name] != value:
            found.append(f"{name} {actual.registers[name]:#x} instead of {value:#x}")
    wrong = (expected.rflags ^ actual.rflags) & significant(undefined)
    if wrong:
        names = [f"{name}={bool(actual.rflags & bit):d}" for name, bit in FLAG_BITS.items() if wrong & bit]
        found.append(f"flags {' '.join(names)}")
    for name in ("rip", "mxcsr"):
        if getattr(actual, name) != getattr(expected, name):
            found.append(f"{name} {getattr(actual, name):#x} instead of {getattr(expected, name):#x}")
    for name, wanted, got in zip(("fs_base", "gs_base"), expected.bases, actual.bases, strict=True):
        if wanted != got:
            found.append(f"{name} {got:#x} instead of {wanted:#x}")
    if _told(expected.selectors) != _told(actual.selectors):
        found.append(f"selectors {actual.selectors} instead of {expected.selectors}")
    for number, (wanted, got) in enumerate(zip(expected.ymm, actual.ymm, strict=True)):
        if wanted != got and not _vectors_agree(wanted, got, undefined):
            found.append(f"ymm{number} {got:#066x} instead of {wanted:#066x}")
    if expected.event in ("memory", "general_protection", "stack_fault"):
        undefined |= X87_FLAGS
    if not x87_agrees(expected.x87, actual.x87, undefined):
        found.append(f"x87 {actual.x87.hex()} instead of {expected.x87.hex()}")
    if expected.arena != actual.arena and not (expected.event == "memory" and undefined & TORN):
        at = next(i for i, (a, b) in enumerate(zip(expected.arena, actual.arena, strict=True)) if a != b)
        shown = [arena[at : at + 16].hex() for arena in (actual.arena, expected.arena)]
        found.append(f"memory at {ARENA + at:#x} {shown[0]} instead of {shown[1]}")
    return found


def _told(selectors: tuple[int, ...]) -> tuple[int, ...]:
    """Null selectors lose their low bits when the kernel returns to a program, of whatever it was told before."""
    return tuple(selector if selector & ~3 else 0 for selector in selectors)


def _vectors_agree(wanted: int, got: int, undefined: int) -> bool:
    """Whether two vectors that are not equal differ only in what is undefined."""
    if undefined & APPROXIMATE and close(wanted, got):
        return True
    if undefined & SINGLE_NANS:
        return _same_but_for_nans(wanted, got, 32, 0xFF << 23)
    return bool(undefined & DOUBLE_NANS) and _same_but_for_nans(wanted, got, 64, 0x7FF << 52)


def _same_but_for_nans(wanted: int, got: int, width: int, infinity: int) -> bool:
    """Whether every lane is the same, or a NaN in both."""
    magnitude = (1 << width - 1) - 1
    for at in range(0, 256, width):
        a, b = wanted >> at & (1 << width) - 1, got >> at & (1 << width) - 1
        if a != b and not (a & magnitude > infinity and b & magnitude > infinity):
            return False
    return True


_UNDERFLOW: Final = 0x8090
"""UE, and ES and B, which tell that a flag is set that is not masked (SDM volume 1, 8.1.3)."""


def x87_agrees(wanted: bytes, got: bytes, undefined: int) -> bool:
    """Whether two FXSAVE images agree, but for what of the status is undefined and for FOP, FIP and FDP."""
    status = 0xFFFF & ~(0x3F if undefined & X87_FLAGS else 0) & ~(0x200 if undefined & FLAG_BITS["c1"] else 0)
    allowed = 1 if undefined & X87_NEIGHBOUR else 0
    numbers = list(zip(x87_registers(wanted), x87_registers(got), strict=True))
    if allowed and any(a != b and 0 in (a >> 64 & 0x7FFF, b >> 64 & 0x7FFF) for a, b in numbers):
        status &= ~_UNDERFLOW  # of two neighbours, only one may be too small for a normal number
    heads = [struct.unpack_from("<HHB", image) for image in (wanted, got)]
    if heads[0][0::2] != heads[1][0::2] or (heads[0][1] ^ heads[1][1]) & status:
        return False
    return all(a == b or abs(_ordinal(a) - _ordinal(b)) <= allowed for a, b in numbers)


def x87_registers(image: bytes | bytearray) -> list[int]:
    """The 80 bits of ST(0) to ST(7)."""
    return [int.from_bytes(image[at : at + 10], "little") for at in range(32, 160, 16)]


def _ordinal(bits: int) -> int:
    """A number that grows by one from a positive 80-bit float to the next, and shrinks so for negative ones."""
    magnitude = (bits >> 64 & 0x7FFF) << 63 | bits & (1 << 63) - 1
    return -magnitude if bits >> 79 else magnitude


_LEAST_NORMAL: Final = 2.0**-126


def close(wanted: int, got: int) -> bool:
    """Whether each single of two vectors agrees within the error that RCPPS and RSQRTPS are allowed.

    Of a number about 2^126, the reciprocal may be the least normal number or zero (SDM volume 2, RCPPS).
    """
    pairs = zip(*(struct.unpack("<8f", value.to_bytes(32, "little")) for value in (wanted, got)), strict=True)
    singles = zip(*(struct.unpack("<8I", value.to_bytes(32, "little")) for value in (wanted, got)), strict=True)
    return all(
        bits[0] == bits[1]
        or abs(value[0] - value[1]) <= 3 * 2**-12 * abs(value[0])
        or (0 in value and abs(value[0] - value[1]) <= (1 + 2**-11) * _LEAST_NORMAL and bits[0] >> 31 == bits[1] >> 31)
        for bits, value in zip(singles, pairs, strict=True)
    )


def _possible(address: int, segments: bool) -> bool:
    """Whether an address and some behind it are canonical, or lie within the flat segments of 32-bit modes."""
    if segments:
        return address + 64 < 1 << 32
    return canonical(address) and canonical(address + 64 & MASK64)


def canonical(address: int) -> bool:
    """Whether bits 63 to 47 are equal (SDM volume 1, 3.3.7.1)."""
    return (address + (1 << 47) & MASK64) >> 48 == 0
