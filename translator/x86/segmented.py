"""The x86 guests of modes whose segments have bases and limits, for machines that are systems."""

from __future__ import annotations

from typing import Any, Final

from metaphrase.translator.x86 import services
from metaphrase.translator.x86 import state as s
from metaphrase.translator.x86.descriptors import serve_descriptor
from metaphrase.translator.x86.guest import X86Guest
from metaphrase.translator.x86.models import DEFAULT
from metaphrase.translator.x86.modes import Mode


def _get_instruction_pointer(cpu: Any) -> int:
    return int(cpu.get_slot("rip") - cpu.get_slot("cs_base")) & 0xFFFF_FFFF


def _set_instruction_pointer(cpu: Any, value: int) -> None:
    cpu.pc = cpu.get_slot("cs_base") + value & 0xFFFF_FFFF


_REGISTERS: Final = {**services.REGISTERS_32, "eip": (_get_instruction_pointer, _set_instruction_pointer)}
"""Registers that are no slot. EIP is without the base that CS has."""
_LAST: Final = 0xFFFF
_RESET: Final = {"code_limit": _LAST} | {
    f"{name}_{limit}": _LAST for name in s.SEGMENT_NAMES for limit in ("readable", "writable")
}
"""Further slots that do not start at zero: all segments are of 64 KiB, from address 0 (as the processor has them behind
a reset, SDM volume 3, table 10-1, but for CS)."""


class SegmentedGuest(X86Guest):
    """x86 in a mode that is not flat (`modes.MODES`).

    A machine finds the linear address in `pc`, and does what translated code leaves to it: "privileged" for an
    instruction of the highest privilege level, "halt", "far_transfer" for what changes the mode, the privilege level or
    the task, and exceptions. Descriptors are read from the tables that the slots of `gdt` and `ldt` tell of.
    """

    common_forms = None
    has_programs = False
    bare_stack = 0x9_0000
    hidden = s.HIDDEN | s.UNUSED_32
    special_registers = _REGISTERS
    shown_registers = services.GENERAL_32

    def __init__(self, mode: Mode, cpu: str = DEFAULT) -> None:
        self.mode, self.name = mode, mode.name
        super().__init__(cpu)
        self.services = {**self.services, "descriptor": serve_descriptor(mode)}
        self.reset_values = {**self.reset_values, **_RESET}

    def with_cpu(self, cpu: str) -> X86Guest:
        return type(self)(self.mode, cpu)

    def begin(self, cpu: Any, pc: int, stack: int) -> None:
        """CS and SS begin at multiples of 64 KiB below; the others stay where they are after a reset, at 0."""
        for name, address in (("cs", pc), ("ss", stack - 1)):
            cpu.set_slot(f"{name}_base", address & ~0xFFFF)
            if not self.mode.protected:
                cpu.set_slot(name, (address & ~0xFFFF) >> 4)
        cpu.set_slot("rsp", stack - (stack - 1 & ~0xFFFF))
        cpu.pc = pc
