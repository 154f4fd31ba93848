"""Metaphrase: a dynamic binary translator as a Python library.

    import metaphrase as mp

    mp.run("/bin/ls", "-l")                      a program to its end, in a process of its own
    p = mp.load("/bin/ls"); p.step()             a program to step through and look at
    mp.code("x86_64", asm="popcnt eax, ecx")     a few instructions: their IR, host code, and effect
    mp.guests(), mp.tiers()                      what there is

What these give shows itself in notebooks. The layers are subpackages: `metaphrase.ir`, `metaphrase.translator`,
`metaphrase.backends`, `metaphrase.machines`. All errors are MetaphraseErrors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metaphrase.ir.errors import MetaphraseError

if TYPE_CHECKING:
    from metaphrase.launch import Result, run
    from metaphrase.machines.linux.policy import Policy
    from metaphrase.process import Process
    from metaphrase.snippet import Snippet
    from metaphrase.statistics import Statistics
    from metaphrase.translation import Translation

__version__ = "0.1.0"
__all__ = [
    "MetaphraseError", "Policy", "Process", "Result", "Snippet", "Statistics", "Translation", "code", "guests", "load",
    "run", "tiers",
]  # fmt: skip

# Importing what runs and compiles takes a moment, so it is put off until it is wanted.


def load(
    program: str | os.PathLike[str],
    *arguments: str,
    tier: str = "auto",
    sysroot: str | None = None,
    env: Mapping[str, str] | None = None,
    cpu: str | None = None,
    policy: Policy | str | None = None,
) -> Process:
    """Load a Linux program of any guest into this process, to run it, step through it and look at it.

    See `Process` for the arguments. Raises LoadError if it cannot be started, and WindowError if another program is
    still loaded.
    """
    from metaphrase.process import Process

    return Process(program, *arguments, tier=tier, sysroot=sysroot, env=env, cpu=cpu, policy=policy)


def code(
    guest: str, code: bytes | str | None = None, *, asm: str | None = None, address: int = 0x1000,
    cpu: str | None = None,
) -> Snippet:  # fmt: skip
    """A few instructions of a guest, given as bytes (or text in hexadecimal), or in assembly, at a guest address.

    `cpu` is the CPU's model, such as "nehalem" or "haswell,-avx2"; by default the one that has all that there is.
    Raises MetaphraseError if there is no such guest, or AssemblyError if the text cannot be assembled.
    """
    from metaphrase.snippet import Snippet, from_hexadecimal

    if (code is None) == (asm is None):
        raise MetaphraseError("give either bytes or asm")
    if asm is not None:
        return Snippet(guest, asm, address=address, cpu=cpu)
    data = from_hexadecimal(code) if isinstance(code, str) else bytes(code or b"")
    return Snippet(guest, data, address=address, cpu=cpu)


def guests() -> tuple[str, ...]:
    """The names of the guest architectures there are, those that other packages bring included."""
    from metaphrase.registry import guest_names

    return guest_names()


def tiers() -> dict[str, str]:
    """What `tier` may be, and what each means."""
    from metaphrase.cpus import TIERS

    return dict(TIERS)


_LAZY = {
    "Policy": "machines.linux.policy", "Process": "process", "Result": "launch", "Snippet": "snippet",
    "Statistics": "statistics", "Translation": "translation", "run": "launch",
}  # fmt: skip


if not TYPE_CHECKING:  # checkers see the imports above, and report what is not there

    def __getattr__(name: str) -> Any:
        """What is imported when it is first asked for."""
        if name not in _LAZY:
            raise AttributeError(f"module 'metaphrase' has no attribute {name!r}")
        from importlib import import_module

        found = getattr(import_module(f"metaphrase.{_LAZY[name]}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
