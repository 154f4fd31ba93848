"""The code cache: one bounded reservation of host memory in which linked images run.

Images lie close together, on lines of the host's caches: were each on a page of its own, all that is hot would compete
for the few places that the first lines of pages have in the instruction cache and the predictors of branches. So a page
is written to while code runs elsewhere in it, and is both writable and executable. The memory is private: a forked
child keeps what was there and adds its own without the parent seeing it; a fork by `os.fork` needs no further care.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import threading
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from metaphrase.backends.llvm.objects import PAGE, Image
from metaphrase.ir.errors import MetaphraseError

_MAP_FIXED, _MAP_NORESERVE, _MAP_FAILED = 0x10, 0x4000, ctypes.c_void_p(-1).value
_PROT_NONE = 0
LINE = 64
"""Bytes of a line of the host's caches: what room for code is counted in."""

_DISPLACEMENT = struct.Struct("<i")
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

# One for all caches. Reentrant, so that a thread which forks from within a call (in a Python signal handler) cannot
# block itself.
_lock = threading.RLock()


class CodeCacheError(MetaphraseError):
    """The host refused to map or protect memory for code."""


class CodeCacheFull(CodeCacheError):
    """No free stretch is long enough; release code and try again."""


class CodeCache:
    """Executable memory of `capacity` bytes (rounded up to pages), handed out first-fit. Safe to use from threads.

    Images lie on lines; files have pages for themselves.
    """

    def __init__(self, capacity: int = 256 << 20) -> None:
        self.capacity = _pages(capacity)
        self.base = _map(0, self.capacity, _PROT_NONE, 0)
        self._lengths: dict[int, int] = {}  # address of each image -> bytes that it takes
        self._addresses: list[int] = []  # the same addresses, sorted
        self._parts: dict[int, int] = {}  # address of an image -> that of its part that is seldom run
        self._part_of: dict[int, int] = {}  # and the other way round
        self._images_in: Counter[int] = Counter()  # address of a page -> how many images have a part of it
        self._free: list[tuple[int, int]] = [(self.base, self.capacity)]  # (address, bytes), sorted, never adjacent
        self._used = 0
        # Where the table of faults lies of the image that has a line. What is not touched costs nothing.
        self._faults = mmap.mmap(-1, self.capacity // LINE * 8, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.faults = ctypes.addressof(ctypes.c_char.from_buffer(self._faults))
        """The address of a table with 8 bytes a line: that of the table of faults for code there, or 0."""

    @property
    def used(self) -> int:
        """Bytes in use."""
        return self._used

    def add(self, image: Image) -> int:
        """Copy an image in; returns its base address, which is also its handle for `release`.

        Raises CodeCacheFull when there is no room.
        """
        if image.cold:
            return self._add_parts(image)
        length = room_for(image)
        with _lock:
            address = self._reserve(length, max(image.alignment, LINE))
            ctypes.memmove(address, image.code, len(image.code))
            if image.faults:
                self._note_faults(address, length, address + image.faults)
            return address

    def _add_parts(self, image: Image) -> int:
        """Copy in an image a part of which is seldom run: those of all images lie at the end, so that what is run
        often lies close together."""
        code = bytearray(image.code)
        alignment = max(image.alignment, LINE)
        with _lock:
            address = self._reserve(_lines(image.cold), alignment)
            try:
                apart = self._reserve(_lines(len(code) - image.cold), alignment, last=True)
            except CodeCacheError:
                self.release(address)
                raise
            self._parts[address], self._part_of[apart] = apart, address
            further = apart - (address + image.cold)
            for site in image.crossings:
                (displacement,) = _DISPLACEMENT.unpack_from(code, site)
                _DISPLACEMENT.pack_into(code, site, displacement + (further if site < image.cold else -further))
            ctypes.memmove(address, bytes(code[: image.cold]), image.cold)
            ctypes.memmove(apart, bytes(code[image.cold :]), len(code) - image.cold)
            if image.faults:
                for part in (address, apart):
                    self._note_faults(part, self._lengths[part], apart + image.faults - image.cold)
            return address

    def _reserve(self, length: int, alignment: int, *, last: bool = False) -> int:
        """Make room usable; gives its address, by which it can be released."""
        address = self._take(length, alignment, last=last)
        try:
            self._occupy(address, length)
        except CodeCacheError:
            self._give_back(address, length)
            raise
        self._note(address, length)
        return address

    def _note(self, address: int, length: int) -> None:
        self._lengths[address] = length
        insort(self._addresses, address)

    def image_at(self, address: int) -> int | None:
        """The handle of the image, as `add` gave it, that a host address lies in."""
        with _lock:
            index = bisect_right(self._addresses, address) - 1
            if index < 0 or address >= self._addresses[index] + self._lengths[self._addresses[index]]:
                return None
            return self._part_of.get(self._addresses[index], self._addresses[index])

    def map_file(self, path: str | Path, offset: int, length: int) -> int:
        """Map `length` bytes of a file's linked image for execution, sharing its page cache; returns the base address.

        `offset` is a multiple of the page size. The file must only ever be replaced by renaming, never rewritten or
        truncated in place, for pages not yet touched follow the file. Raises CodeCacheError if the file is too short
        or its file system forbids execution, OSError if it cannot be opened, CodeCacheFull when there is no room.
        """
        if offset % PAGE:
            raise CodeCacheError(f"{path}: an image at offset {offset:#x} cannot be mapped; pad it to a page")
        pages = _pages(length)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if offset + length > size:  # touching a page past the end would raise SIGBUS
                raise CodeCacheError(f"{path}: {length} bytes at {offset:#x} wanted, but the file has {size}")
            with _lock:
                address = self._take(pages, PAGE)
                try:
                    _map(address, pages, mmap.PROT_READ | mmap.PROT_EXEC, _MAP_FIXED, descriptor, offset)
                    self._images_in.update(range(address, address + pages, PAGE))
                except CodeCacheError:
                    self._give_back(address, pages)
                    raise
                self._note(address, pages)
                return address
        finally:
            os.close(descriptor)

    def release(self, handle: int) -> int:
        """Give up an image, whose pages are unmapped if no other has a part of them; gives how many bytes it took.

        The caller makes sure that nothing runs in it or will jump to it.

        Raises CodeCacheError if the handle is not one of this cache's.
        """
        return self.release_all([handle])

    def release_all(self, handles: Iterable[int]) -> int:
        """The same for several images."""
        given_up, vacant = 0, []
        with _lock:
            waiting = list(handles)
            for handle in waiting:
                if handle not in self._lengths:
                    raise CodeCacheError(f"{handle:#x} is not an image of this code cache (released twice?)")
            while waiting:
                handle = waiting.pop()
                length = self._lengths.pop(handle)
                self._note_faults(handle, length, 0)
                vacant += self._leave(handle, length)
                self._give_back(handle, length)
                del self._addresses[bisect_left(self._addresses, handle)]
                self._part_of.pop(handle, None)
                given_up += length
                if apart := self._parts.pop(handle, 0):
                    waiting.append(apart)
            for start, end in _stretches(sorted(vacant)):
                _map(start, end - start, _PROT_NONE, _MAP_FIXED)
        return given_up

    def contains(self, address: int) -> bool:
        """Whether the address lies in the reservation, used or not."""
        return self.base <= address < self.base + self.capacity

    def close(self) -> None:
        """Unmap everything. No code of the cache may run any more; closing twice is harmless."""
        with _lock:
            if self.capacity:
                _libc.munmap(self.base, self.capacity)
            self.capacity = self._used = 0
            self._free.clear()
            for noted in (self._lengths, self._addresses, self._parts, self._part_of):
                noted.clear()
            self._images_in.clear()

    def __enter__(self) -> CodeCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CodeCache({len(self._lengths)} images, {self._used:#x} of {self.capacity:#x} bytes at {self.base:#x})"

    def _note_faults(self, address: int, length: int, table: int) -> None:
        first, lines = (address - self.base) // LINE, length // LINE
        if table or any(self._faults[8 * first : 8 * (first + lines)]):
            self._faults[8 * first : 8 * (first + lines)] = table.to_bytes(8, "little") * lines

    def _take(self, length: int, alignment: int, *, last: bool = False) -> int:
        """Room in the first free stretch that has it, or at the end of the last."""
        stretches = range(len(self._free))
        for index in reversed(stretches) if last else stretches:
            address, available = self._free[index]
            start = (address + available - length if last else address + alignment - 1) & -alignment
            left = address + available - start - length
            if left >= 0 and start >= address:
                around = ((address, start - address), (start + length, left))
                self._free[index : index + 1] = [stretch for stretch in around if stretch[1]]
                self._used += length
                return start
        raise CodeCacheFull(
            f"no {length} contiguous bytes are left of the {self.capacity}-byte code cache ({self._used} in use)"
        )

    def _occupy(self, address: int, length: int) -> None:
        """Make the pages usable that an image has the first part of."""
        pages = _pages_of(address, length)
        fresh = [page for page in pages if not self._images_in[page]]
        if fresh:  # all that lie between have none either
            _protect(fresh[0], fresh[-1] + PAGE - fresh[0], mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._images_in.update(pages)

    def _leave(self, address: int, length: int) -> list[int]:
        """An image leaves its pages: those that no other has a part of."""
        vacant = []
        for page in _pages_of(address, length):
            self._images_in[page] -= 1
            if not self._images_in[page]:
                del self._images_in[page]
                vacant.append(page)
        return vacant

    def _give_back(self, address: int, length: int) -> None:
        """Merge a stretch with its free neighbours."""
        self._used -= length
        index = bisect_left(self._free, (address, 0))
        if index < len(self._free) and self._free[index][0] == address + length:
            length += self._free.pop(index)[1]
        if index and sum(self._free[index - 1]) == address:
            index -= 1
            before, before_length = self._free.pop(index)
            address, length = before, before_length + length
        self._free.insert(index, (address, length))


def room_for(image: Image) -> int:
    """Bytes that an image takes."""
    if image.cold:
        return _lines(image.cold) + _lines(len(image.code) - image.cold)
    return _lines(len(image.code))


def _lines(length: int) -> int:
    return max(LINE, (length + LINE - 1) & -LINE)


def _pages_of(address: int, length: int) -> range:
    return range(address & -PAGE, address + length, PAGE)


def _stretches(pages: list[int]) -> Iterator[tuple[int, int]]:
    """Start and end of what pages, in order, make together."""
    start = end = 0
    for page in pages:
        if page != end:
            if start != end:
                yield start, end
            start = page
        end = page + PAGE
    if start != end:
        yield start, end


def _pages(length: int) -> int:
    return max(PAGE, (length + PAGE - 1) & -PAGE)


def _map(address: int, length: int, protection: int, flags: int, descriptor: int = -1, offset: int = 0) -> int:
    flags |= mmap.MAP_PRIVATE | (_MAP_NORESERVE | mmap.MAP_ANONYMOUS if descriptor < 0 else 0)
    result = _libc.mmap(address or None, length, protection, flags, descriptor, offset)
    if result is None or result == _MAP_FAILED:
        raise CodeCacheError(f"cannot map {length} bytes for code: {os.strerror(ctypes.get_errno())}")
    return int(result)


def _protect(address: int, length: int, protection: int) -> None:
    if _libc.mprotect(address, length, protection):
        raise CodeCacheError(f"cannot protect {length} bytes of code: {os.strerror(ctypes.get_errno())}")


# Held over a fork, so that a child never inherits a cache (or a held lock) that another thread was changing. The
# forking thread is the same thread in the child, and may release it there.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
