"""From an instruction's fault to the guest's signal, and the message when that ends the process."""

from __future__ import annotations

import os
from signal import SIGBUS, SIGILL, SIGSEGV, SIGTRAP
from typing import TYPE_CHECKING

from metaphrase.machines.linux import delivery
from metaphrase.machines.linux.abi.base import FaultDetail
from metaphrase.machines.linux.cpu import Exit
from metaphrase.machines.linux.errors import GuestFault
from metaphrase.machines.linux.host import PROT_EXEC, PROT_READ, PROT_WRITE
from metaphrase.machines.linux.signals import SI_KERNEL, SIG_DFL, SIG_IGN, Pending, bit, information

if TYPE_CHECKING:
    from metaphrase.machines.linux.process import LinuxProcess
    from metaphrase.machines.linux.task import Task

_SEGV_MAPERR, _SEGV_ACCERR, _BUS_ADRERR = 1, 2, 2
_NEEDED = {"read": PROT_READ, "write": PROT_WRITE, "execute": PROT_EXEC, "": PROT_READ}
_SHOWN_BYTES = 8
_NAMES = {4: "illegal instruction", 5: "trap", 7: "bus error", 8: "arithmetic exception", 11: "segmentation fault"}


def raise_signal(task: Task, event: Exit) -> None:
    """Turn a fault or trap into the guest's signal and deliver it; a fatal one is reported and ends the process."""
    pending, what = _fault(task, event) if event.kind == "fault" else _trap(task, event)
    action = task.signals.actions[pending.signal]
    if action.handler in (SIG_DFL, SIG_IGN) or task.signals.mask & bit(pending.signal):
        name = _NAMES.get(pending.signal, f"signal {pending.signal}")
        task.process.kill(pending, f"{name} at pc {event.pc:#x} ({_code_at(task, event.pc)}): {what}")
    else:
        delivery.force(task, pending)


def report(process: LinuxProcess, text: str) -> None:
    """One line on standard error. A forked child tells its parent by its status, as natively; illegal instructions,
    which may be a gap of the translator, are told in any case."""
    if process.is_fork_child and not text.startswith(_NAMES[SIGILL]):
        return
    line = f"metaphrase: {os.fsdecode(process.image.name)}: {text}\n"
    try:
        os.write(2, line.encode(errors="replace"))
    except OSError:
        return


def _fault(task: Task, event: Exit) -> tuple[Pending, str]:
    access = event.access or "read"
    what = f"{'execution' if access == 'execute' else access} of address {event.address:#x}"
    if not task.abi.is_canonical(event.address):
        return Pending(SIGSEGV, information(SIGSEGV, SI_KERNEL, 0), FaultDetail(0, 0, 13)), what + " (not canonical)"
    region = task.window.regions.find(event.address)
    detail = task.abi.fault_detail(event.address, access, region is not None)
    if region is None:
        return Pending(SIGSEGV, information(SIGSEGV, _SEGV_MAPERR, event.address), detail), what + " (not mapped)"
    if region.protection & _NEEDED[access]:
        # Mapped for this, and yet refused: the page lies past the end of its file.
        return Pending(SIGBUS, information(SIGBUS, _BUS_ADRERR, event.address), detail), what + " (no page behind it)"
    return Pending(SIGSEGV, information(SIGSEGV, _SEGV_ACCERR, event.address), detail), what + " (not permitted)"


def _trap(task: Task, event: Exit) -> tuple[Pending, str]:
    number, code = task.abi.traps.get(event.trap, (SIGILL, 1))
    if event.trap == "simd_exception":
        code = task.abi.float_code(task.cpu)
    address = event.pc if code != SI_KERNEL else 0
    if number == SIGTRAP:
        task.cpu.set(task.abi.program_counter, event.pc + task.abi.breakpoint_length)
    detail = FaultDetail(trap_number=task.abi.vectors.get(event.trap, 0))
    return Pending(number, information(number, code, address), detail), event.trap.replace("_", " ")


def _code_at(task: Task, pc: int) -> str:
    """The bytes at pc, for the message."""
    try:
        region = task.window.regions.find(pc)
        if region is None:
            return "no code there"
        return "bytes " + task.window.read(pc, min(_SHOWN_BYTES, region.end - pc)).hex(" ")
    except GuestFault:
        return "unreadable"
