"""How handlers of confined processes are declared: in place of those that all others have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from metaphrase.machines.linux.calls.table import Handler

if TYPE_CHECKING:
    from metaphrase.machines.linux.confinement.confinement import Confinement
    from metaphrase.machines.linux.task import Task

#: By name, as the tables of all calls.
CONFINED: dict[str, Handler] = {}
CONFINED_COMPAT: dict[str, Handler] = {}

_Declared = TypeVar("_Declared", bound=Handler)


def confined(*names: str, compat: bool = False) -> Callable[[_Declared], _Declared]:
    """Declare what answers calls of confined processes; `compat` for calls of 32-bit words that differ."""

    def declare_handler(handler: _Declared) -> _Declared:
        table = CONFINED_COMPAT if compat else CONFINED
        for name in names:
            if name in table:
                raise ValueError(f"system call {name} is declared twice")
            table[name] = handler
        return handler

    return declare_handler


def of(task: Task) -> Confinement:
    """The confinement of a thread's process, which has one: its handlers are called for no other."""
    confinement = task.process.confinement
    assert confinement is not None
    return confinement
