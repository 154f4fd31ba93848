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


def save_fp(cpu: Any) -> bytes:
    """The x87, SSE and AVX state as XSAVE stores it (SDM volume 1, 13.4), or FXSAVE where there is no XSAVE."""
    control, top = cpu.get_slot("fcw"), cpu.get_slot("top")
    status = cpu.get_slot("fsw") & ~_PENDING | top << 11
    if status & ~control & 0x3F:
        status |= _PENDING
    head = struct.pack("<HHB19xII", control, status, cpu.get_slot("ftw") & 0xFF, _get_mxcsr(cpu), 0xFFFF)
    stack = (cpu.get_slot(f"st_physical{(number + top) % 8}").to_bytes(16, "little") for number in range(8))
    vectors = (cpu.get_slot(f"xmm{number}").to_bytes(16, "little") for number in range(16))
    legacy = b"".join((head, *stack, *vectors)).ljust(s.XSAVE_HEADER, b"\0")
    enabled = cpu.get_slot("xcr0")
    if not enabled:
        return legacy
    header = enabled.to_bytes(s.XSAVE_AVX - s.XSAVE_HEADER, "little")
    high = (cpu.get_slot(f"ymm{number}h").to_bytes(16, "little") for number in range(16))
    return b"".join((legacy, header, *(high if enabled & s.XCR0_AVX else ())))


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
    for number in range(8):
        value = int.from_bytes(image[32 + 16 * number :][:10], "little")
        slots[f"st_physical{(number + top) % 8}"] = value if present & s.XCR0_X87 else 0
    for number in range(16):
        low = int.from_bytes(image[160 + 16 * number :][:16], "little")
        slots[f"xmm{number}"] = low if present & s.XCR0_SSE else 0
        high = int.from_bytes(image[s.XSAVE_AVX + 16 * number :][:16], "little")
        slots[f"ymm{number}h"] = high if present & cpu.get_slot("xcr0") & s.XCR0_AVX else 0
    for name, value in slots.items():
        cpu.set_slot(name, value)


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
