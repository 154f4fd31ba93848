"""The guest's pages that code was translated from, and their protection: writes to them must be noticed.

A page that the guest may write is write-protected while there is code of it. The signal handler opens it when it is
written, and notes it in a ring; the translations are then dropped.
"""

from __future__ import annotations

from metaphrase.backends.llvm import context as c
from metaphrase.ir.window import WINDOW_BITS
from metaphrase.translator.engine.host_memory import GuestMemory, HostBlock, protect

PAGE = 4096
_READ, _WRITE = 1, 2
_SLOTS = 1 << 16


class CodePages:
    """The pages of one CPU whose code may be translated, with the tables in which native code finds them."""

    def __init__(self, memory: GuestMemory) -> None:
        self.memory = memory
        self.table = HostBlock(8 * _SLOTS)
        """A hash set of (page << 1 | may the guest write it), 0 for empty."""
        self.dirty = HostBlock(8 * c.DIRTY_LENGTH)
        self.written: set[int] = set()
        """Pages whose code was written to after it had been translated: they stay in tier 0, which is exact."""
        self._pages: dict[int, bool] = {}

    @property
    def mask(self) -> int:
        """What native code masks a page's number with to find its place."""
        return _SLOTS - 1

    @property
    def full(self) -> bool:
        return len(self._pages) >= _SLOTS // 2

    def writable(self, page: int) -> bool:
        """Whether a page has code and the guest may write it."""
        return self._pages.get(page, False)

    def add(self, address: int) -> bool:
        """Allow translation from the page of an address; False if the guest may not execute it."""
        page = address // PAGE
        if address >= 1 << WINDOW_BITS or not self.memory.check_execute(page * PAGE):
            return False
        writable = self.memory.check_write(page * PAGE)
        self._pages[page] = writable
        if writable:
            protect(self.memory.base + page * PAGE, PAGE, _READ)
        self._insert(page, writable)
        return True

    def open(self, page: int) -> None:
        """Let the guest write to a page, whose code is forgotten; `rebuild` follows."""
        if self._pages.pop(page, False):
            protect(self.memory.base + page * PAGE, PAGE, _READ | _WRITE)

    def lend(self, page: int) -> None:
        """Open a page that is about to be written by code of its own, and yet allow translation from it."""
        self.open(page)
        self.written.add(page)
        self._insert(page, False)

    def forget_written(self, count: int) -> None:
        """Forget pages that the guest has written to, `count` of them since the last time: they are open already."""
        for index in range(max(0, count - c.DIRTY_LENGTH), count):
            page = self.dirty.u64(8 * (index % c.DIRTY_LENGTH))
            self._pages.pop(page, None)
            self.written.add(page)
        self.rebuild()

    def forget(self, start: int, end: int) -> bool:
        """Forget the pages of guest addresses [start, end); whether there were any."""
        lost = [page for page in self._pages if start < (page + 1) * PAGE and page * PAGE < end]
        for page in lost:
            self.open(page)
        if lost:
            self.rebuild()
        return bool(lost)

    def forget_all(self) -> None:
        for page in list(self._pages):
            self.open(page)
        self.rebuild()

    def reset(self) -> None:
        """As at the start of a process, whose memory is new."""
        self._pages.clear()
        self.written.clear()
        self.table.zero()

    def rebuild(self) -> None:
        """Bring the table for native code up to date."""
        self.table.zero()
        for page, writable in self._pages.items():
            self._insert(page, writable)

    def _insert(self, page: int, writable: bool) -> None:
        index = page % _SLOTS
        while self.table.u64(8 * index):
            index = (index + 1) % _SLOTS
        self.table.put_u64(8 * index, page << 1 | writable)
