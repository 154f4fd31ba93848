"""Guest state as a declared layout: one name, type and byte offset a slot.

The backend reads offsets from it, people get ctypes and NumPy views, debuggers register names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from metaphrase.ir.errors import MetaphraseError
from metaphrase.ir.types import Type

INDEXED: Final = "indexed"
"""The group of slots that are reached by computed offsets (`get_at`, `put_at`) in regions, and so stay in memory."""


ENVIRONMENT_SLOT: Final = "fenv"
"""A backend may keep the floating-point environment in the slot of this name, if there is one."""


class Slot(NamedTuple):
    """A named piece of state; `group` collects slots that analyses treat alike (e.g. "flags")."""

    name: str
    type: Type
    offset: int
    group: str = ""

    @property
    def end(self) -> int:
        return self.offset + self.type.bytes


class Deferred(NamedTuple):
    """Slots that may hold, instead of the values of others, what those can be computed from.

    While `kind` is not zero, the slots of `stands_for` are out of date, and their values follow from `operands`. Only
    compiled regions write it so; the guest's `settle` function brings everything up to date before others look.
    """

    kind: Slot
    operands: tuple[Slot, ...]
    stands_for: tuple[Slot, ...]


class Layout:
    """Slots in ascending order of offset; no two overlap."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self.program_counter = 0
        """Offset of the slot that holds the program counter while native code does not run."""
        self.carried: tuple[Slot, ...] = ()
        """The slots that travel in registers of the host from one compiled region to the next."""
        self.stack_pointer: Slot | None = None
        """The slot that points at the stack, below which nobody else writes."""
        self.deferred: Deferred | None = None
        self.halves: list[tuple[int, int]] = []
        """The offsets of slots that are the low and the high half of one register, 128 bits each."""
        self.slots: dict[str, Slot] = {}
        self._owner: dict[int, Slot] = {}

    def add(self, name: str, type: Type, *, group: str = "", align: int = 0, size: int = 0) -> int:
        """Declare the next slot, of at least `size` bytes, aligned to its own size (or `align`); gives its offset."""
        if name in self.slots:
            raise MetaphraseError(f"layout {self.name}: the slot {name} is declared twice")
        align = align or min(type.bytes, 64)
        offset = -(-self.size // align) * align
        slot = Slot(name, type, offset, group)
        self.slots[name] = slot
        self.size = offset + max(size, type.bytes)
        for byte in range(offset, slot.end):
            self._owner[byte] = slot
        return offset

    def carry(self, *names: str) -> None:
        """Choose the slots, 64-bit integers, that are used most across calls and returns."""
        self.carried = tuple(self[name] for name in names)

    def defer(self, group: str, kind: str, *operands: str) -> None:
        """Let the slots of a group be computed late, see `Deferred`."""
        self.deferred = Deferred(self[kind], tuple(self[name] for name in operands), tuple(self.group(group)))

    def __getitem__(self, name: str) -> Slot:
        try:
            return self.slots[name]
        except KeyError:
            raise MetaphraseError(f"layout {self.name} has no slot {name!r}; it has {', '.join(self.slots)}") from None

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots.values())

    def at(self, offset: int) -> Slot:
        """The slot that holds the byte at `offset`."""
        try:
            return self._owner[offset]
        except KeyError:
            raise MetaphraseError(f"layout {self.name} has no slot at byte {offset}") from None

    def find(self, offset: int) -> Slot | None:
        """The slot that holds the byte at `offset`, if any."""
        return self._owner.get(offset)

    def group(self, name: str) -> list[Slot]:
        """The slots of one group, in order."""
        return [slot for slot in self if slot.group == name]
