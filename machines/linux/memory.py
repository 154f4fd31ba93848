"""A guest's address space as a window: one reserved range of the host's, which no guest address leaves.

Guest address g lives at host address `base + g`. Addresses from `size` up never map. Around the window lie zones that
never map either: 64 KiB of pages below (the one just below `base` belongs to the execution engine) and 4 GiB above, so
that an access of any operand size, or a system call's clamped transfer, that starts inside ends inside or faults.

The host never gets PROT_EXEC for guest pages: guest code is translated, not run. What the guest was promised is kept in
`regions`; the host's page tables hold the readable and writable part of it.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from errno import ENAMETOOLONG, ENOMEM

from metaphrase.ir.window import WINDOW_BITS, ZONE
from metaphrase.machines.linux import host
from metaphrase.machines.linux.errors import GuestFault, WindowError
from metaphrase.machines.linux.host import (
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MAP_SHARED,
    PROT_EXEC,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from metaphrase.machines.linux.regions import Region, RegionMap

PAGE_SIZE = 4096
PAGE_MASK = PAGE_SIZE - 1
WINDOW_SIZE = 1 << WINDOW_BITS

_RESERVED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
_string_at = ctypes.string_at
_memmove = ctypes.memmove


def page_up(value: int) -> int:
    """The next page boundary at or after a value."""
    return (value + PAGE_MASK) & ~PAGE_MASK


def _ignore_code_change(start: int, end: int) -> None:
    """No CPU listens yet."""


class Window:
    """The reservation, and all that is mapped in it. Addresses are the guest's unless a name says `host`.

    size   addresses from here on never map
    reach  how much is reserved, if more: what translated code may form of addresses, whatever it does
    """

    def __init__(self, size: int = WINDOW_SIZE, *, reach: int = 0) -> None:
        self.size = size
        self.lock = threading.RLock()
        """Held by whoever changes the guest's address space, or looks at it while guest threads may run."""
        self.reach = max(size, reach)
        self._extent = ZONE + self.reach + ZONE
        self.regions = RegionMap()
        self.code_changed = _ignore_code_change
        #: Whether there may be code that can be written to.
        self._writable_code = False
        #: Whether some of a file may be written where it is mapped, and so perhaps code that is mapped elsewhere.
        self._writes_files = False
        self._reserved = 0
        self._reserved = _reserve(self._extent)
        self.base = self._reserved + ZONE

    def __del__(self) -> None:
        # At the end of the interpreter, threads of the engine may still look at guest memory.
        if not sys.is_finalizing():
            self.close()

    def close(self) -> None:
        """Give the reservation back; no guest pointer may be used afterwards."""
        if self._reserved:
            host.check(host.call(11, self._reserved, self._extent))  # munmap
            self._reserved = 0
            self.regions = RegionMap()

    # Mapping. Starts and lengths are multiples of the page size; errors of the host come as OSError.

    def map_anonymous(
        self, start: int, length: int, protection: int, *, shared: bool = False, name: str = "", flags: int = 0
    ) -> None:
        """Map zeroed memory over whatever is there."""
        self._check_range(start, length)
        self._code_lost(start, start + length)
        kind = MAP_SHARED if shared else MAP_PRIVATE | MAP_NORESERVE
        host.mmap(self.base + start, length, protection & ~PROT_EXEC | _implied(protection),
                  kind | MAP_FIXED | MAP_ANONYMOUS | flags)  # fmt: skip
        self._record(Region(start, start + length, protection, shared, name))

    def map_file(
        self,
        start: int,
        length: int,
        protection: int,
        descriptor: int,
        offset: int,
        *,
        shared: bool = False,
        name: str = "",
        device: int = 0,
        inode: int = 0,
        stable: bool = False,
        flags: int = 0,
    ) -> None:
        """Map a file over whatever is there; `descriptor` may be closed afterwards."""
        self._check_range(start, length)
        self._code_lost(start, start + length)
        kind = MAP_SHARED if shared else MAP_PRIVATE
        host.mmap(self.base + start, length, protection & ~PROT_EXEC | _implied(protection),
                  kind | MAP_FIXED | flags, descriptor, offset)  # fmt: skip
        self._record(Region(start, start + length, protection, shared, name, offset, device, inode, stable))

    def map_segment(self, start: int, length: int, protection: int, identifier: int, flags: int, name: str) -> None:
        """Map a segment of System V's shared memory over whatever is there."""
        self._check_range(start, length)
        self._code_lost(start, start + length)
        host.shmat(identifier, self.base + start, flags)
        self._record(Region(start, start + length, protection, True, name))

    def unmap(self, start: int, length: int) -> None:
        """Forget pages; what was not mapped stays so."""
        self._check_range(start, length)
        self._code_lost(start, start + length)
        host.mmap(self.base + start, length, PROT_NONE, _RESERVED | MAP_FIXED)
        self.regions.remove(start, start + length)

    def clear(self) -> None:
        """Forget everything, as execve does."""
        self.code_changed(0, self.size)
        host.mmap(self.base, self.size, PROT_NONE, _RESERVED | MAP_FIXED)
        self.regions = RegionMap()
        self._writable_code = self._writes_files = False

    def unmap_uninherited(self) -> None:
        """In the child of a fork: forget what is not for it."""
        for region in [region for region in self.regions if not region.inherited]:
            self.unmap(region.start, region.end - region.start)

    def protect(self, start: int, length: int, protection: int) -> None:
        """Change the protection of mapped pages; ENOMEM when some are not mapped."""
        self._check_range(start, length)
        if not self.regions.covered(start, start + length):
            raise OSError(ENOMEM, "part of the range is not mapped")
        self._code_lost(start, start + length)
        host.mprotect(self.base + start, length, protection & ~PROT_EXEC | _implied(protection))
        self.regions.protect(start, start + length, protection)
        for region in self.regions.overlapping(start, start + length):
            self._note_writable(region)

    def move(self, old: int, length: int, new: int, *, stays: bool = False) -> None:
        """Move the pages of one region to another place, over whatever is there; the old place is unmapped, or stays
        mapped, with nothing in it."""
        region = self.regions.find(old)
        if region is None or region.end < old + length:
            raise GuestFault(old)
        self._check_range(new, length)
        self._code_lost(old, old + length)
        self._code_lost(new, new + length)
        # DONTUNMAP: a hole in the reservation, however short-lived, could be taken by another thread's allocation.
        flags = host.MREMAP_MAYMOVE | host.MREMAP_FIXED | host.MREMAP_DONTUNMAP
        host.mremap(self.base + old, length, length, flags, self.base + new)
        moved = region.part(old, old + length)
        moved.start, moved.end = new, new + length
        if not stays:
            host.mmap(self.base + old, length, PROT_NONE, _RESERVED | MAP_FIXED)
            self.regions.remove(old, old + length)
        self._record(moved)

    def move_shared(self, old: int, length: int, new: int, new_length: int) -> None:
        """Move the pages of one shared region, and map more of the same object behind them.

        A length of 0 leaves the old place as it is.
        """
        region = self.regions.find(old)
        if region is None or region.end < old + length:
            raise GuestFault(old)
        self._check_range(new, new_length)
        if length:
            self._code_lost(old, old + length)
        self._code_lost(new, new + new_length)
        # An old length of 0 asks for a second mapping of a shared object.
        host.mremap(self.base + old, 0, new_length, host.MREMAP_MAYMOVE | host.MREMAP_FIXED, self.base + new)
        moved = region.part(old, old + length)
        moved.start, moved.end = new, new + new_length
        # The object may be shorter than the mapping now.
        moved.stable = False
        if length:
            host.mmap(self.base + old, length, PROT_NONE, _RESERVED | MAP_FIXED)
            self.regions.remove(old, old + length)
        self._record(moved)

    def check_execute(self, page: int) -> bool:
        """Whether the guest may execute the page at this address."""
        region = self.regions.find(page)
        return region is not None and region.protection & PROT_EXEC != 0

    def check_write(self, page: int) -> bool:
        """Whether the guest may write the page at this address."""
        region = self.regions.find(page)
        return region is not None and region.protection & PROT_WRITE != 0

    def fixed_code(self, page: int) -> range:
        """Addresses around the page at this one that the guest may execute, and write nowhere; empty if it may write
        that page. A file's page stands alone once some file may be written."""
        region = self.regions.find(page)
        if region is None or region.protection & (PROT_EXEC | PROT_WRITE) != PROT_EXEC:
            return range(0)
        if not self._writes_files or not region.inode:
            return range(region.start, region.end)
        return range(0) if self.writable_aliases(page) else range(page, page + PAGE_SIZE)

    def writable_aliases(self, page: int) -> list[int]:
        """Where else in its address space the guest may write the page at this address: other mappings of a file."""
        region = self.regions.find(page) if self._writes_files else None
        if region is None or not region.inode:
            return []
        place = region.offset + page - region.start
        found = [other.start + place - other.offset for other in self.regions
                 if other.writes_file and other.is_of(region)
                 and other.offset <= place < other.offset + other.end - other.start]  # fmt: skip
        others = [address for address in found if address != page]
        if others:
            self._writable_code = True
        return others

    # Data. Bad addresses raise GuestFault; nothing here can make the host fault.

    def read(self, address: int, length: int) -> bytes:
        """Bytes of guest memory."""
        if length <= 0:
            return b""
        region = self.regions.find(address)
        if region is not None and address + length <= region.end and region.stable and region.protection & 7:
            return _string_at(self.base + address, length)
        return self._read_across(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Change guest memory, as a system call does: pages must be writable; translated code there is forgotten."""
        length = len(data)
        if not length:
            return
        region = self.regions.find(address)
        if (
            region is not None
            and address + length <= region.end
            and region.stable
            and region.protection & (PROT_WRITE | PROT_EXEC) == PROT_WRITE
        ):
            _memmove(self.base + address, data, length)
            return
        self._write_across(address, data)

    def read_cstring(self, address: int, limit: int = 1 << 17) -> bytes:
        """The bytes at `address` up to a NUL; OSError (ENAMETOOLONG) when there is none within `limit` bytes."""
        region = self.regions.find(address)
        if region is not None and region.stable and region.protection & 7:
            room = min(region.end - address, limit)
            length = host.string_length(self.base + address, room)
            if length < room:
                return _string_at(self.base + address, length)
        pieces: list[bytes] = []
        length = 0
        while length < limit:
            piece = self.read(address + length, PAGE_SIZE - (address + length & PAGE_MASK))
            end = piece.find(b"\0")
            if end >= 0:
                return b"".join([*pieces, piece[:end]])
            pieces.append(piece)
            length += len(piece)
        raise OSError(ENAMETOOLONG, f"no NUL within {limit} bytes")

    def read_u32(self, address: int) -> int:
        """A little-endian 32-bit word."""
        return int.from_bytes(self.read(address, 4), "little")

    def read_u64(self, address: int) -> int:
        """A little-endian 64-bit word."""
        return int.from_bytes(self.read(address, 8), "little")

    def write_u32(self, address: int, value: int) -> None:
        """Store a little-endian 32-bit word, modulo 2^32."""
        self.write(address, (value & 0xFFFF_FFFF).to_bytes(4, "little"))

    def write_u64(self, address: int, value: int) -> None:
        """Store a little-endian 64-bit word, modulo 2^64."""
        self.write(address, (value & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little"))

    def read_pointers(self, address: int, word: int = 8, limit: int = 1 << 20) -> list[int]:
        """A list of words of so many bytes ended by a zero, as argv is; the zero is left out."""
        values: list[int] = []
        while len(values) < limit:
            room = min(PAGE_SIZE - (address & PAGE_MASK), PAGE_SIZE) & -word or word
            chunk = self.read(address, room)
            for start in range(0, room, word):
                value = int.from_bytes(chunk[start : start + word], "little")
                if not value:
                    return values
                values.append(value)
            address += room
        raise GuestFault(address)

    # Pointers handed to the host's kernel.

    def host_pointer(self, address: int) -> int:
        """The host address for a pointer that the kernel will follow; null stays null.

        The kernel answers EFAULT for pages that are not there, and for what stands for pointers out of the window. The
        length of the transfer must be clamped to `host.MAX_TRANSFER`.
        """
        if 0 < address < self.reach:
            return self.base + address
        return host.NOWHERE if address else 0

    def will_write(self, address: int, length: int) -> None:
        """The kernel is about to write here: translated code in pages that are both writable and code is forgotten."""
        if self._writable_code and address and length > 0:
            self._code_lost(address, min(address + length, self.size))

    def contents_change(self, address: int, length: int) -> None:
        """The host is about to change pages behind the guest's back: translated code there is forgotten."""
        self._code_lost(address, address + length)

    def may_have_writable_code(self) -> bool:
        """Whether `will_write` has any work to do."""
        return self._writable_code

    def _check_range(self, start: int, length: int) -> None:
        if start < 0 or length <= 0 or start + length > self.size:
            raise OSError(ENOMEM, f"{start:#x}+{length:#x} is outside the guest's address space")

    def _record(self, region: Region) -> None:
        self.regions.insert(region)
        self._note_writable(region)

    def _note_writable(self, region: Region) -> None:
        """What may be written from now on in a region: code there, or in other mappings of the same file."""
        if region.protection & (PROT_WRITE | PROT_EXEC) == PROT_WRITE | PROT_EXEC:
            self._writable_code = True
        if not region.writes_file:
            return
        self._writes_files = True
        last = region.offset + region.end - region.start
        for other in self.regions:
            if other.protection & PROT_EXEC and other.is_of(region):
                start = other.start + max(region.offset - other.offset, 0)
                end = min(other.start + last - other.offset, other.end)
                if start < end:
                    self.code_changed(start, end)

    def _code_lost(self, start: int, end: int) -> None:
        for region in self.regions.overlapping(start, end):
            if region.protection & PROT_EXEC or region.writes_file:
                self.code_changed(max(start, region.start), min(end, region.end))

    def _pieces(self, address: int, length: int, protection: int) -> list[tuple[Region, int, int]]:
        if not 0 <= address < self.size or self.regions.extent(address, 0) < length:
            raise GuestFault(address)
        pieces = []
        for region in self.regions.overlapping(address, address + length):
            if not region.protection & protection:
                raise GuestFault(max(address, region.start))
            pieces.append((region, max(address, region.start), min(address + length, region.end)))
        return pieces

    def _read_across(self, address: int, length: int) -> bytes:
        data: list[bytes] = []
        for region, start, end in self._pieces(address, length, 7):
            if region.stable:
                data.append(_string_at(self.base + start, end - start))
            else:
                piece = host.careful_read(self.base + start, end - start)
                if piece is None:
                    raise GuestFault(start)
                data.append(piece)
        return b"".join(data)

    def _write_across(self, address: int, data: bytes) -> None:
        for region, start, end in self._pieces(address, len(data), PROT_WRITE):
            piece = data[start - address : end - address]
            if region.protection & PROT_EXEC:
                self.code_changed(start, end)
            if region.stable:
                _memmove(self.base + start, piece, len(piece))
            elif not host.careful_write(self.base + start, piece):
                raise GuestFault(start)


def _reserve(size: int) -> int:
    """Reserve host addresses. Only one window of full size fits a host process."""
    try:
        return host.mmap(0, size, PROT_NONE, _RESERVED)
    except OSError:
        # An earlier guest may linger in a cycle of references.
        gc.collect()
    try:
        return host.mmap(0, size, PROT_NONE, _RESERVED)
    except OSError as error:
        raise WindowError(
            f"cannot reserve {size >> 40} TiB of address space for the guest ({error.strerror}): close() an earlier "
            "process, or raise `ulimit -v`; a host process holds one guest at a time"
        ) from error


def _implied(protection: int) -> int:
    """Pages that can be executed or written can be read too, as on x86 without protection keys, and on RISC-V."""
    return PROT_READ if protection & (PROT_EXEC | PROT_WRITE) else 0
