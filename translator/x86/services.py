"""What the x86 guest does outside translated code: derived registers and CPUID."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.cpuid import cpuid

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


_FXSAVE_SIZE: Final = 512
_PENDING: Final = 0x8080


def save_fp(cpu: Any) -> bytes:
    """The x87 and SSE state as FXSAVE stores it (SDM volume 1, 10.5.1)."""
    control, top = cpu.get_slot("fcw"), cpu.get_slot("top")
    status = cpu.get_slot("fsw") & ~_PENDING | top << 11
    if status & ~control & 0x3F:
        status |= _PENDING
    head = struct.pack("<HHB19xII", control, status, cpu.get_slot("ftw") & 0xFF, _get_mxcsr(cpu), 0xFFFF)
    stack = (cpu.get_slot(f"st_physical{(number + top) % 8}").to_bytes(16, "little") for number in range(8))
    vectors = (cpu.get_slot(f"xmm{number}").to_bytes(16, "little") for number in range(16))
    return b"".join((head, *stack, *vectors)).ljust(_FXSAVE_SIZE, b"\0")


def load_fp(cpu: Any, image: bytes) -> None:
    """Bring back what `save_fp` gave, as a program may have changed it."""
    control, status, tags, mxcsr = struct.unpack_from("<HHB19xI", image)
    top = status >> 11 & 7
    slots = {"fcw": control & 0x1F3F | 0x40, "fsw": status & ~(_PENDING | 7 << 11), "top": top, "ftw": tags}
    slots["fenv"] = mxcsr & 0xFFFF
    for number in range(8):
        slots[f"st_physical{(number + top) % 8}"] = int.from_bytes(image[32 + 16 * number :][:10], "little")
    for number in range(16):
        slots[f"xmm{number}"] = int.from_bytes(image[160 + 16 * number :][:16], "little")
    for name, value in slots.items():
        cpu.set_slot(name, value)


def _serve_cpuid(cpu: Any) -> None:
    """CPUID: leaf in EAX, subleaf in ECX (SDM volume 2A, CPUID)."""
    values = cpuid(cpu.get_slot("rax") & 0xFFFF_FFFF, cpu.get_slot("rcx") & 0xFFFF_FFFF)
    for name, value in zip(("rax", "rbx", "rcx", "rdx"), values, strict=True):
        cpu.set_slot(name, value)


def _serve_environment(cpu: Any) -> None:
    """Exceptions of MXCSR were masked or unmasked: the CPU looks at that whenever guest code is entered."""


SERVICES: Final[Mapping[str, Callable[[Any], None]]] = {
    "cpuid": _serve_cpuid, "environment": _serve_environment,
}  # fmt: skip
