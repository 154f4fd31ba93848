"""What the RISC-V guest does outside translated code: the calling convention's names, FCSR, and FENCE.I."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from metaphrase.translator.riscv import state as s

Getter = Callable[[Any], int]
Setter = Callable[[Any, int], None]


def _get_slot(slot: str, cpu: Any) -> int:
    return int(cpu.get_slot(slot))


def _set_slot(slot: str, cpu: Any, value: int) -> None:
    cpu.set_slot(slot, value)


def _get_x0(cpu: Any) -> int:
    return 0


def _set_x0(cpu: Any, value: int) -> None:
    """Writes of x0 are ignored."""


def _get_fcsr(cpu: Any) -> int:
    return s.fcsr(cpu.get_slot("frm"), cpu.get_slot("fenv"))


def _set_fcsr(cpu: Any, value: int) -> None:
    for name, slot_value in s.fcsr_slots(value).items():
        cpu.set_slot(name, slot_value)


_FLOATING_POINT: Final = struct.Struct("<32QI")


def save_fp(cpu: Any) -> bytes:
    """f0 to f31 and FCSR as a signal frame holds them (Linux, struct __riscv_d_ext_state)."""
    return _FLOATING_POINT.pack(*[cpu.get_slot(f"f{n}") for n in range(32)], _get_fcsr(cpu))


def load_fp(cpu: Any, image: bytes) -> None:
    """Bring back what `save_fp` gave."""
    *registers, fcsr = _FLOATING_POINT.unpack_from(image)
    for number, value in enumerate(registers):
        cpu.set_slot(f"f{number}", value)
    _set_fcsr(cpu, fcsr)


REGISTERS: Final[Mapping[str, tuple[Getter, Setter]]] = {
    **{alias: (partial(_get_slot, slot), partial(_set_slot, slot)) for alias, slot in s.ALIASES.items()},
    "x0": (_get_x0, _set_x0),
    "zero": (_get_x0, _set_x0),
    "fcsr": (_get_fcsr, _set_fcsr),
}


def _serve_flush_code(cpu: Any) -> None:
    """FENCE.I: what is fetched from here on is what memory holds."""
    cpu.flush()


SERVICES: Final[Mapping[str, Callable[[Any], None]]] = {"flush_code": _serve_flush_code}
