"""What the x86 guest does outside translated code: derived registers and CPUID."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.cpuid import answers
from metaphrase.translator.x86.models import Processor

Service = Callable[[Any], None]
_FLAG_SLOTS = ("cf", "parity", "adjust", "zf", "sf", "of", "df", "eflags_rest")


def _get_rflags(cpu: Any) -> int:
    return s.rflags({name: cpu.get_slot(name) for name in _FLAG_SLOTS})


def _set_rflags(cpu: Any, value: int) -> None:
    for name, slot_value in s.flag_slots(value).items():
        cpu.set_slot(name, slot_value)


def _get_mxcsr(cpu: Any) -> int:
    return int(cpu.get_slot("fenv"))


def _set_mxcsr(cpu: Any, value: int) -> None:
    cpu.set_slot("fenv", value)


def _ymm(number: int) -> tuple[Callable[[Any], int], Callable[[Any, int], None]]:
    """How to get and set a YMM register, 256 bits."""

    def get(cpu: Any) -> int:
        return int(cpu.get_slot(f"xmm{number}") | cpu.get_slot(f"ymm{number}h") << 128)

    def set(cpu: Any, value: int) -> None:
        cpu.set_slot(f"xmm{number}", value)
        cpu.set_slot(f"ymm{number}h", value >> 128)

    return get, set


REGISTERS: Final[Mapping[str, tuple[Callable[[Any], int], Callable[[Any, int], None]]]] = {
    "rflags": (_get_rflags, _set_rflags),
    "eflags": (_get_rflags, _set_rflags),
    "mxcsr": (_get_mxcsr, _set_mxcsr),
    **{f"ymm{number}": _ymm(number) for number in range(16)},
}


def _narrow(name: str) -> tuple[Callable[[Any], int], Callable[[Any, int], None]]:
    """How to get and set the 32-bit register that is the lower half of a slot."""
    return lambda cpu: int(cpu.get_slot(name)), lambda cpu, value: cpu.set(name, value & 0xFFFF_FFFF)


GENERAL_32: Final = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip")
REGISTERS_32: Final[Mapping[str, tuple[Callable[[Any], int], Callable[[Any, int], None]]]] = {
    **{name: _narrow(f"r{name[1:]}") for name in GENERAL_32},
    **{name: access for name, access in REGISTERS.items() if name not in s.UNUSED_32},
}
"""Those outside 64-bit mode."""
_PENDING: Final = 0x8080


def _run_of(first: str, last: str) -> slice:
    """Where slots lie in the state that stand one behind the other."""
    return slice(s.LAYOUT[first].offset, s.LAYOUT[last].end)


_XMM, _HIGH = _run_of("xmm0", "xmm15"), _run_of("ymm0h", "ymm15h")
assert _XMM.stop - _XMM.start == _HIGH.stop - _HIGH.start == 16 * 16
_STACK: Final = tuple(_run_of(f"st_physical{number}", f"st_physical{number}") for number in range(8))


def save_fp(cpu: Any) -> bytes:
    """The x87, SSE and AVX state as XSAVE stores it (SDM volume 1, 13.4), or FXSAVE where there is no XSAVE."""
    control, top = cpu.get_slot("fcw"), cpu.get_slot("top")
    status = cpu.get_slot("fsw") & ~_PENDING | top << 11
    if status & ~control & 0x3F:
        status |= _PENDING
    head = struct.pack("<HHB19xII", control, status, cpu.get_slot("ftw") & 0xFF, _get_mxcsr(cpu), 0xFFFF)
    state = bytes(cpu.state_bytes)
    stack = (state[_STACK[(number + top) % 8]].ljust(16, b"\0") for number in range(8))
    legacy = b"".join((head, *stack, state[_XMM])).ljust(s.XSAVE_HEADER, b"\0")
    enabled = cpu.get_slot("xcr0")
    if not enabled:
        return legacy
    header = enabled.to_bytes(s.XSAVE_AVX - s.XSAVE_HEADER, "little")
    return b"".join((legacy, header, state[_HIGH] if enabled & s.XCR0_AVX else b""))


def load_fp(cpu: Any, image: bytes) -> None:
    """Bring back what `save_fp` gave, as a program may have changed it.

    What the header says is not there, or all of AVX if only FXSAVE's part is given, gets its initial value.
    """
    legacy = len(image) < s.XSAVE_AVX
    present = s.XCR0_X87 | s.XCR0_SSE if legacy else int.from_bytes(image[s.XSAVE_HEADER :][:8], "little")
    image = image.ljust(s.XSAVE_SIZE, b"\0")
    control, status, tags, mxcsr = struct.unpack_from("<HHB19xI", image)
    if not present & s.XCR0_X87:
        control, status, tags = s.RESET["fcw"], 0, 0
    top = status >> 11 & 7
    slots = {"fcw": control & 0x1F3F | 0x40, "fsw": status & ~(_PENDING | 7 << 11), "top": top, "ftw": tags}
    slots["fenv"] = mxcsr & 0xFFFF
    for name, value in slots.items():
        cpu.set_slot(name, value)
    state, nothing = cpu.state_bytes, bytes(256)
    for number in range(8):
        at = 32 + 16 * number
        state[_STACK[(number + top) % 8]] = image[at : at + 10] if present & s.XCR0_X87 else nothing[:10]
    state[_XMM] = image[160:416] if present & s.XCR0_SSE else nothing
    has_high = present & cpu.get_slot("xcr0") & s.XCR0_AVX
    state[_HIGH] = image[s.XSAVE_AVX : s.XSAVE_SIZE] if has_high else nothing


def _serve_cpuid(processor: Processor) -> Service:
    """CPUID: leaf in EAX, subleaf in ECX (SDM volume 2A, CPUID), where no native code answers it."""

    def serve(cpu: Any) -> None:
        asked, told = answers(processor), (cpu.get_slot("rax") & 0xFFFF_FFFF, cpu.get_slot("rcx") & 0xFFFF_FFFF)
        for name, value in zip(asked.results, asked.find(*told), strict=True):
            cpu.set_slot(name, value)

    return serve


def _serve_environment(cpu: Any) -> None:
    """Exceptions of MXCSR were masked or unmasked: the CPU looks at that whenever guest code is entered."""


def services(processor: Processor) -> Mapping[str, Service]:
    """What a CPU asks for by leaving guest code."""
    return {"cpuid": _serve_cpuid(processor), "environment": _serve_environment}
