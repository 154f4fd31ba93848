"""The guest's pages that code was translated from, and which of them are closed: write-protected.

Blocks of a page that the guest may write look themselves whether their code is still there. Regions do not: a page is
closed before one is made of its code, wherever the guest may write it, for a file can be mapped for writing in one
place and as code in another. The signal handler opens such a page when it is written, and notes it in a ring; the
regions are then dropped.
"""

from __future__ import annotations

from array import array
from collections import Counter

from metaphrase.backends.llvm import context as c
from metaphrase.ir.window import WINDOW_BITS
from metaphrase.translator.engine.host_memory import GuestMemory, HostBlock, protect

PAGE = 4096
_READ, _WRITE = 1, 2
_SLOTS = 1 << 16
_AT_ONCE = 64
"""Pages of code that the guest may not write are added in groups of so many: each costs an exit of native code
otherwise."""
_REMOVED = (1 << 64) - 1
"""Stands in the table where a page was taken out."""


class CodePages:
    """The pages of one guest whose code may be translated, with the tables in which native code finds them."""

    def __init__(self, memory: GuestMemory) -> None:
        self.memory = memory
        self.table = HostBlock(8 * _SLOTS)
        """A hash set of pages with their flags, 0 for empty."""
        self.dirty = HostBlock(8 * c.DIRTY_LENGTH)
        self.writes: Counter[int] = Counter()
        """By page, how often it was written to while it was closed."""
        self._pages: dict[int, int] = {}
        """By page, its flags (`PAGE_CODE` ...); of pages too in which the guest may write what is code elsewhere."""
        self._code_of: dict[int, set[int]] = {}
        """The closed pages of code that can be written in another page."""
        self._starts: dict[int, int] = {}
        """Where in the arena the first block of a page can lie."""
        self._removed = 0
        """Places of pages that were taken out of the table."""

    @property
    def mask(self) -> int:
        """What native code masks a page's number with to find its place."""
        return _SLOTS - 1

    @property
    def full(self) -> bool:
        return len(self._pages) >= _SLOTS // 2

    def known(self, page: int) -> bool:
        """Whether translation from a page is allowed."""
        return self._pages.get(page, 0) & c.PAGE_CODE != 0

    def any_in(self, start: int, end: int) -> bool:
        """Whether any page of guest addresses [start, end) has code, or had some that was written to."""
        first, last = start // PAGE, (end - 1) // PAGE
        if last - first < len(self._pages):
            return any(page in self._pages or page in self.writes for page in range(first, last + 1))
        return any(first <= page <= last for known in (self._pages, self.writes) for page in known)

    def writable(self, page: int) -> bool:
        """Whether a page has code that the guest may write."""
        return self._pages.get(page, 0) & c.PAGE_CHECKED != 0

    def is_open(self, page: int) -> bool:
        """Whether the guest may write the code of a page, and nobody would notice."""
        return self._pages.get(page, 0) & (c.PAGE_CHECKED | c.PAGE_CLOSED) == c.PAGE_CHECKED

    def add(self, address: int, start: int) -> bool:
        """Allow translation from the page of an address, into the arena from `start` on; False if the guest may not
        execute it."""
        page = address // PAGE
        if address >= 1 << WINDOW_BITS or not self.memory.check_execute(page * PAGE):
            return False
        fixed = self.memory.fixed_code(page * PAGE)
        if fixed:
            group = page // _AT_ONCE * _AT_ONCE
            first, behind = max(fixed.start // PAGE, group), min(fixed.stop // PAGE, group + _AT_ONCE)
            self._put([other for other in range(first, behind) if not self.known(other)], c.PAGE_CODE, start)
        else:
            self._put([page], c.PAGE_CODE | c.PAGE_CHECKED, start)
        return True

    def _put(self, pages: list[int], flags: int, start: int) -> None:
        """Have some pages, in order, be ones of code."""
        self._starts.update(dict.fromkeys(pages, start))
        at, count = pages[0] % _SLOTS, len(pages)
        places = self.table.words[at : at + count]
        if pages[-1] - pages[0] < count == len(places) and not any(places):  # as it mostly is
            self._pages.update(dict.fromkeys(pages, flags))
            places[:] = memoryview(array("Q", (page << c.PAGE_FLAGS | flags for page in pages)))
        else:
            for page in pages:
                self._set(page, self._pages.get(page, 0) | flags)

    def close(self, page: int) -> None:
        """Have writes to a page of code noticed from now on; called while no guest code runs."""
        for alias in (address // PAGE for address in self.memory.writable_aliases(page * PAGE)):
            self._code_of.setdefault(alias, set()).add(page)
            self._close(alias)
        self._close(page)

    def _close(self, page: int) -> None:
        if self.memory.check_write(page * PAGE):
            protect(self.memory.base + page * PAGE, PAGE, _READ)
        self._set(page, self._pages.get(page, 0) | c.PAGE_CLOSED)

    def _open(self, page: int) -> None:
        if self._pages.get(page, 0) & c.PAGE_CLOSED:
            if self.memory.check_write(page * PAGE):
                protect(self.memory.base + page * PAGE, PAGE, _READ | _WRITE)
            self._note_open(page)

    def _note_open(self, page: int) -> None:
        if page in self._pages:
            self._set(page, self._pages[page] & ~c.PAGE_CLOSED)

    def take_written(self, count: int) -> list[int] | None:
        """The pages that the guest has written to while they were closed, `count` of them since the last time, and the
        code that it changed by that; all are open now.

        None if some are not in the ring any more.
        """
        pages = {self.dirty.u64(8 * index) for index in range(min(count, c.DIRTY_LENGTH))}
        for page in pages:
            self._note_open(page)
        for page in self._written_in(pages):
            self._open(page)
            pages.add(page)
        self.writes.update(pages)
        return sorted(pages) if count <= c.DIRTY_LENGTH else None

    def take(self, start: int, end: int) -> list[int]:
        """Take out the pages of guest addresses [start, end): those that had code, and code written there."""
        first, last = start // PAGE, (end - 1) // PAGE
        for page in [page for page in self.writes if first <= page <= last]:
            del self.writes[page]
        lost = {page for page in self._pages if first <= page <= last}
        lost |= self._written_in(lost)
        for page in lost:
            self._open(page)
            self._set(page, 0)
        return sorted(lost)

    def _written_in(self, aliases: set[int]) -> set[int]:
        """The pages of code that the guest can write in some pages, which are told once."""
        if not self._code_of:
            return set()
        return {page for alias in aliases for page in self._code_of.pop(alias, ()) if page in self._pages}

    def first_block(self, pages: list[int], otherwise: int) -> int:
        """Where in the arena the first block of pages that were taken out can lie."""
        return min(self._starts.pop(page, otherwise) for page in pages)

    def forget_blocks(self) -> None:
        """The arena is empty again."""
        self._starts.clear()

    def forget_all(self) -> None:
        """Take out and open all pages."""
        for page in list(self._pages):
            self._open(page)
            self._set(page, 0)
        self._code_of.clear()

    def reset(self) -> None:
        """As at the start of a process, whose memory is new."""
        self._pages.clear()
        self._code_of.clear()
        self.writes.clear()
        self._rebuild()

    # --- the table -------------------------------------------------------------------------------------------------
    def _set(self, page: int, flags: int) -> None:
        """Change what is known of a page; nothing, if it has no flags any more."""
        if not flags:
            if self._pages.pop(page, 0):
                self._remove(page)
        elif self._pages.get(page) != flags:
            self._pages[page] = flags
            self._store(page, flags)

    def _rebuild(self) -> None:
        self.table.zero()
        self._removed = 0
        for page, flags in self._pages.items():
            self._store(page, flags)

    def _store(self, page: int, flags: int) -> None:
        """One store to the place that the page has, or to a free one: native code may be looking."""
        free = -1
        index = page % _SLOTS
        while (found := self.table.u64(8 * index)) and found >> c.PAGE_FLAGS != page:
            if found == _REMOVED and free < 0:
                free = index
            index = (index + 1) % _SLOTS
        if not found and free >= 0:
            index = free
            self._removed -= 1
        self.table.put_u64(8 * index, page << c.PAGE_FLAGS | flags)

    def _remove(self, page: int) -> None:
        if self._removed > _SLOTS // 4:
            self._rebuild()
        index = page % _SLOTS
        while found := self.table.u64(8 * index):
            if found >> c.PAGE_FLAGS == page:
                self.table.put_u64(8 * index, _REMOVED)
                self._removed += 1
                return
            index = (index + 1) % _SLOTS
