"""The hardware threads of one guest: which of them run native code, and how one has all others stop.

Native code runs in parallel, Python one thread at a time, under the guest memory's lock. What native code may be using,
above all the records and code of translations, is changed only while no thread is inside it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from metaphrase.backends.llvm import context as c

if TYPE_CHECKING:
    from metaphrase.translator.engine.cpu import NativeCpu


class Stop:
    """A stretch in which no CPU runs guest code. Who enters it holds the lock, and is not inside itself."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def __enter__(self) -> None:
        self._threads.stops += 1
        if self._threads.stops == 1:
            self._threads.wait_until_all_are_out()

    def __exit__(self, *_: object) -> None:
        self._threads.stops -= 1
        if not self._threads.stops:
            self._threads.tell()


class Threads:
    """All CPUs that were ever made for a guest; those that have ended are used again, since native code knows them."""

    def __init__(self) -> None:
        self.made: list[NativeCpu] = []
        self.spare: list[NativeCpu] = []
        self.stops = 0
        """Not 0 while nobody may be inside; how often the thread that has the lock wants it, one in the other."""
        self.stopped = Stop(self)
        self._changed = threading.Condition()

    def add(self, cpu: NativeCpu) -> None:
        """Make a CPU known to the others."""
        first = self.made[0] if self.made else cpu
        cpu.put_context_word(c.SIBLING, first.context_word(c.SIBLING) if self.made else cpu.state)
        first.put_context_word(c.SIBLING, cpu.state)
        self.made.append(cpu)

    def wait(self, cpu: NativeCpu) -> None:
        """Wait until nobody wants all CPUs to be out of native code, which this one is about to enter."""
        while self.stops:
            cpu.inside = False
            with self._changed:
                self._changed.notify_all()
                while self.stops:
                    self._changed.wait()
            cpu.inside = True

    def tell(self) -> None:
        """A CPU has come out, or all may go in again, and somebody may be waiting for that."""
        with self._changed:
            self._changed.notify_all()

    def wait_until_all_are_out(self) -> None:
        """Get all CPUs out of native code, but those that wait in a call, which look at the interrupt flag after it."""
        inside = [cpu for cpu in self.made if cpu.inside]
        for cpu in inside:
            cpu.put_context_word(c.INTERRUPT, 1)
        if inside:
            with self._changed:  # which is a fence between the flags and what is looked at now
                self._changed.wait_for(lambda: not any(cpu.uses_translations for cpu in self.made))

    def after_fork(self, cpu: NativeCpu) -> None:
        """In the child of a fork: the other threads are gone."""
        if len(self.made) > 1:  # nobody else can have held it otherwise
            self._changed = threading.Condition()
        self.spare = [other for other in self.made if other is not cpu]
        for other in self.spare:
            other.inside = False
            other.put_context_word(c.CALL_SEQUENCE, 0)
