"""What the x86 guest does outside translated code: derived registers, CPUID and XGETBV."""

from __future__ import annotations

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


REGISTERS: Final[Mapping[str, tuple[Callable[[Any], int], Callable[[Any, int], None]]]] = {
    "rflags": (_get_rflags, _set_rflags),
    "eflags": (_get_rflags, _set_rflags),
    "mxcsr": (_get_mxcsr, _set_mxcsr),
}


def _serve_cpuid(cpu: Any) -> None:
    """CPUID: leaf in EAX, subleaf in ECX (SDM volume 2A, CPUID)."""
    values = cpuid(cpu.get_slot("rax") & 0xFFFF_FFFF, cpu.get_slot("rcx") & 0xFFFF_FFFF)
    for name, value in zip(("rax", "rbx", "rcx", "rdx"), values, strict=True):
        cpu.set_slot(name, value)


def _serve_xgetbv(cpu: Any) -> None:
    """XGETBV of XCR0: x87 and SSE state are enabled."""
    cpu.set_slot("rax", 3)
    cpu.set_slot("rdx", 0)


def _serve_environment(cpu: Any) -> None:
    """Exceptions of MXCSR were masked or unmasked: the CPU looks at that whenever guest code is entered."""


SERVICES: Final[Mapping[str, Callable[[Any], None]]] = {
    "cpuid": _serve_cpuid, "xgetbv": _serve_xgetbv, "environment": _serve_environment,
}  # fmt: skip
