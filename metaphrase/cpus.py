"""CPUs by the name of their tier, and one that can go in single steps."""

from __future__ import annotations

from typing import Final

from metaphrase.ir.errors import MetaphraseError
from metaphrase.machines.linux.cpu import Cpu
from metaphrase.machines.linux.memory import Window
from metaphrase.translator.engine import NativeCpu
from metaphrase.translator.guest import Guest

TIERS: Final = {
    "auto": "native handlers at once, optimised regions for what becomes hot",
    "0": "native handlers only: a threaded interpreter",
    "1": "optimised regions as soon as a block has run a few times, compiled while the guest waits",
    "reference": "the interpreter of the IR, in Python: slow and plain",
}
"""What `tier` may be."""


def make_cpu(guest: Guest, window: Window, tier: str, *, exact: bool = False) -> Cpu:
    """A CPU of that tier over a process's memory; for `exact` see `NativeCpu`."""
    if tier == "reference":
        from metaphrase.reference import ReferenceCpu, WindowMemory  # the interpreter is not needed to run natively

        return ReferenceCpu(guest, WindowMemory(window))
    if tier not in TIERS:
        raise MetaphraseError(f"tier {tier!r} does not exist; choose one of {', '.join(TIERS)}")
    return NativeCpu(guest, window, tier=tier, exact=exact)
