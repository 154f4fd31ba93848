"""Memory of the host that native code works on: the state with its context, the records' arena, the tables."""

from __future__ import annotations

import ctypes
import mmap
from contextlib import AbstractContextManager
from typing import Protocol

from metaphrase.ir.errors import MetaphraseError

_MAP_NORESERVE = 0x4000


class GuestMemory(Protocol):
    """What the engine asks of the guest's address space; `machines.linux.memory.Window` is one."""

    base: int
    """Host address of guest address 0."""

    @property
    def lock(self) -> AbstractContextManager[object]:
        """Held, by one thread at a time and any number of times, by whoever changes what is mapped or looks at it, and
        by the engine while it changes what it has made of the code there."""

    def check_execute(self, page: int) -> bool:
        """Whether the guest may execute the page at this address."""

    def check_write(self, page: int) -> bool:
        """Whether the guest may write the page at this address."""

    def writable_aliases(self, page: int) -> list[int]:
        """Where else in its address space the guest may write the page at this address."""

    def fixed_code(self, page: int) -> range:
        """Addresses around the page at this one that the guest may execute, and write nowhere; empty if it may write
        that page, and less than all there are where that is easier to tell."""

    def read(self, address: int, length: int) -> bytes:
        """Bytes of guest memory; raises an error for addresses that are not mapped."""


class HostBlock:
    """A private, zeroed stretch of host memory with typed access by offset."""

    def __init__(self, size: int) -> None:
        self.size = size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
        self.view = memoryview(self._map)
        self.words = self.view.cast("Q")  # whole words in one access: native code may be looking
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    def u64(self, offset: int) -> int:
        """The unsigned 64-bit word at a byte offset, a multiple of 8."""
        return self.words[offset >> 3]

    def put_u64(self, offset: int, value: int) -> None:
        self.words[offset >> 3] = value & 0xFFFF_FFFF_FFFF_FFFF

    def zero(self, offset: int = 0, size: int = 0) -> None:
        """Give pages back to the host, all of them if no size is given: they read as zeros again."""
        self._map.madvise(mmap.MADV_DONTNEED, offset, size or self.size)


_libc = ctypes.CDLL(None, use_errno=True)
_ARCH_SET_GS = 0x1001
_ARCH_PRCTL = 158


def set_gs_base(address: int) -> None:
    """Point this thread's GS segment, through which native code addresses guest memory, at a window."""
    if _libc.syscall(ctypes.c_long(_ARCH_PRCTL), ctypes.c_long(_ARCH_SET_GS), ctypes.c_ulong(address)):
        raise MetaphraseError("the kernel refuses to set the GS base of this thread (arch_prctl)")


def clock_function() -> int:
    """Where the host's clock_gettime is."""
    return ctypes.cast(_libc.clock_gettime, ctypes.c_void_p).value or 0


def protect(address: int, length: int, protection: int) -> None:
    """mprotect. Raises MetaphraseError where the host refuses."""
    if _libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(length), protection):
        raise MetaphraseError(f"mprotect of {length} bytes at {address:#x}: errno {ctypes.get_errno()}")
