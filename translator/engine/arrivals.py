"""Signals from outside, as native code notes them (`native/arrival.ll`): what came with them, and that they are held.

A held signal stays blocked in the thread that it came to until it is released, or that thread changes its mask: of each
number few are on their way at a time, and the others wait in the host's kernel, which counts a timer's, for example.
"""

from __future__ import annotations

from metaphrase.backends.llvm import context as c
from metaphrase.translator.engine.host_memory import HostBlock

_NUMBERS = 65
_NONE = bytes(_NUMBERS)


class Arrivals:
    """The notes of a process; `handler` is the address of the action that makes them, with three arguments, and `nudge`
    of the action that only ends a call that may wait."""

    def __init__(self, block: HostBlock, handler: int, nudge: int) -> None:
        self._block, self.handler, self.nudge = block, handler, nudge
        self._taken = block.u64(c.ROOT_NOTED)
        self._tell_taken()
        self._held = block.view[c.ROOT_HELD : c.ROOT_HELD + _NUMBERS]

    def begin(self, action: int) -> None:
        """Have an action, which takes at least the signal's number, called after each note."""
        self._block.put_u64(c.ROOT_ACTION, action)

    def hold(self, holds: bool) -> None:
        """Hold signals that come from now on; none is held already."""
        self._held[:] = _NONE
        self._block.put_u64(c.ROOT_HOLDS, holds)

    def held(self) -> int:
        """The signals that are held, as a mask."""
        held = bytes(self._held)
        return 0 if held == _NONE else sum(1 << number - 1 for number in range(1, _NUMBERS) if held[number])

    def release(self, number: int) -> None:
        """A signal may come again, once it is unblocked."""
        self._held[number] = 0

    def take(self) -> list[bytes]:
        """The siginfo_t of each signal that was noted since the last time."""
        block = self._block
        taken: list[bytes] = []
        while True:
            note = c.ROOT_NOTES + (self._taken % c.NOTE_COUNT << c.NOTE_SHIFT)
            number = block.u64(note + c.NOTE_INFORMATION)
            if number <= self._taken:
                self._tell_taken()
                return taken
            if number == self._taken + 1:
                taken.append(bytes(block.view[note : note + c.NOTE_INFORMATION]))
                self._taken += 1
            else:  # there were more than the ring holds
                self._taken = number - 1

    def _tell_taken(self) -> None:
        """Native code makes no calls for the guest while there is more to take."""
        self._block.put_u64(c.ROOT_TAKEN, self._taken)
