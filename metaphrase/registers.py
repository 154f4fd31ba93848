"""The registers of a guest CPU, as attributes and items."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.types import I64
from metaphrase.show import MimeBundle, columns, table
from metaphrase.translator.guest import Guest

_PER_LINE = 4
_FLOATING_POINT = re.compile(r"f\d+")


class HasRegisters(Protocol):
    """What registers are read from and written to."""

    def get(self, register: str) -> int: ...

    def set(self, register: str, value: int) -> None: ...


class RegisterError(MetaphraseError, AttributeError):
    """The guest has no register of that name, or it cannot hold the value."""


class Registers:
    """Registers by name: `registers.rax`, `registers["rax"]`. Values are unsigned integers, the raw bits."""

    __slots__ = ("_cpu", "_guest")

    _cpu: HasRegisters
    _guest: Guest

    def __init__(self, guest: Guest, cpu: HasRegisters) -> None:
        object.__setattr__(self, "_guest", guest)
        object.__setattr__(self, "_cpu", cpu)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all registers, those of the state's slots first."""
        slots = [slot.name for slot in self._guest.layout if slot.name not in self._guest.hidden]
        return tuple(dict.fromkeys([*slots, *self._guest.special_registers]))

    def _check(self, name: str) -> None:
        if name not in self._guest.special_registers and (
            name not in self._guest.layout.slots or name in self._guest.hidden
        ):
            raise RegisterError(f"{self._guest.name} has no register {name!r}; it has {', '.join(self.names)}")

    def __getitem__(self, name: str) -> int:
        self._check(name)
        return self._cpu.get(name)

    def __setitem__(self, name: str, value: int) -> None:
        self._check(name)
        if not isinstance(value, int):
            raise RegisterError(f"{name} holds raw bits: an integer, not {value!r}")
        self._cpu.set(name, value)

    def __getattr__(self, name: str) -> int:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: int) -> None:
        self[name] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.names]

    def as_dict(self) -> dict[str, int]:
        """All of them by name."""
        return {name: self[name] for name in self.names}

    def _lines(self) -> list[list[str]]:
        """The 64-bit registers, four on a line, then whatever else is not zero."""
        layout, hidden = self._guest.layout, self._guest.hidden
        wide = [
            slot.name for slot in layout
            if slot.type is I64 and slot.name not in hidden and not _FLOATING_POINT.fullmatch(slot.name)
        ]  # fmt: skip
        shown = [(name, f"{self[name]:08x}") for name in self._guest.shown_registers]
        shown += [(name, f"{self[name]:016x}") for name in wide]
        lines = [
            [cell for pair in shown[start : start + _PER_LINE] for cell in pair]
            for start in range(0, len(shown), _PER_LINE)
        ]
        others = [(s.name, self[s.name]) for s in layout if s.name not in wide and s.name not in hidden]
        small = [f"{name}={value:x}" for name, value in others if value]
        lines += [[" ".join(small[start : start + 2 * _PER_LINE])] for start in range(0, len(small), 2 * _PER_LINE)]
        return lines

    def __str__(self) -> str:
        lines = self._lines()
        wide = [line for line in lines if len(line) > 1]
        return "\n".join([columns(wide), *(line[0] for line in lines if len(line) == 1)])

    __repr__ = __str__

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> MimeBundle:
        lines = self._lines()
        wide = [line for line in lines if len(line) > 1]
        rest = "<br>".join(line[0] for line in lines if len(line) == 1)
        return {"text/plain": str(self), "text/html": table(wide) + f"<code>{rest}</code>"}
