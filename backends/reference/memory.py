"""Memory as the reference interpreter sees it, and a small one of pages for tests."""

from __future__ import annotations

from typing import Protocol

from metaphrase.ir.errors import MetaphraseError


class MemoryFault(MetaphraseError):
    """An access that the memory refuses; the interpreter turns it into an outcome of kind "fault"."""

    def __init__(self, address: int, access: str) -> None:
        super().__init__(f"{access} of memory at {address:#x}, which does not allow it")
        self.address, self.access = address, access


class Memory(Protocol):
    """Bytes by address. Addresses are unsigned 64-bit numbers."""

    def read(self, address: int, size: int, /) -> bytes:
        """`size` bytes. Raises MemoryFault (access "read") with the first address that cannot be read."""

    def write(self, address: int, data: bytes, /) -> None:
        """Replace bytes, all of them or none. Raises MemoryFault (access "write")."""


class PagedMemory:
    """Sparse memory of 4 KiB pages that are mapped readable or writable."""

    PAGE = 4096

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._writable: set[int] = set()

    def map(self, address: int, data: bytes | int, *, writable: bool = True) -> None:
        """Map the pages that hold `data` (or so many zero bytes) from `address`, and fill them."""
        content = bytes(data)
        first, last = address // self.PAGE, (address + max(len(content), 1) - 1) // self.PAGE
        for page in range(first, last + 1):
            self._pages.setdefault(page, bytearray(self.PAGE))
            (self._writable.add if writable else self._writable.discard)(page)
        self._copy(address, content)

    def _copy(self, address: int, data: bytes) -> None:
        while data:
            page, at = divmod(address, self.PAGE)
            part = data[: self.PAGE - at]
            self._pages[page][at : at + len(part)] = part
            address, data = address + len(part), data[len(part) :]

    def _check(self, address: int, size: int, access: str) -> None:
        for page in range(address // self.PAGE, (address + size - 1) // self.PAGE + 1):
            if page not in self._pages or (access == "write" and page not in self._writable):
                raise MemoryFault(max(address, page * self.PAGE), access)

    def read(self, address: int, size: int, /) -> bytes:
        self._check(address, size, "read")
        out = bytearray()
        while len(out) < size:
            page, at = divmod(address + len(out), self.PAGE)
            out += self._pages[page][at : at + size - len(out)]
        return bytes(out)

    def write(self, address: int, data: bytes, /) -> None:
        self._check(address, len(data), "write")
        self._copy(address, data)
