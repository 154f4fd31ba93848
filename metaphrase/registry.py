"""The guests: those that come with Metaphrase, and those that other packages bring.

A package offers a guest by an entry point of the group `metaphrase.guests`, whose name is the guest's and whose object
is called without arguments for a `translator.guest.Guest`. Installed ones are looked for when a name is not known.
"""

from __future__ import annotations

from typing import Final

import metaphrase.translator.riscv
import metaphrase.translator.x86  # noqa: F401  they register themselves
from metaphrase.translator.guest import Guest, guest, register, registered

GROUP = "metaphrase.guests"
BREAKPOINTS: Final = {"x86_64": b"\xcc", "i386": b"\xcc", "riscv64": b"\x02\x90"}
"""The instruction that raises the trap "breakpoint": INT3, C.EBREAK."""


def find_guest(name: str, cpu: str | None = None) -> Guest:
    """The guest of that name, as a CPU of that model (see `Guest.with_cpu`).

    Raises MetaphraseError, which lists those there are.
    """
    if name not in registered():
        _register_installed()
    return guest(name) if cpu is None else guest(name).with_cpu(cpu)


def guest_names() -> tuple[str, ...]:
    """The names of all guests, in order."""
    _register_installed()
    return registered()


def _register_installed() -> None:
    from importlib.metadata import entry_points  # slow to import: the guests that come with us do not need it

    for entry in entry_points(group=GROUP):
        if entry.name not in registered():
            register(entry.name, entry.load())
