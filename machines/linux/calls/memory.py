"""The address space: brk(2), mmap(2), mprotect(2), mremap(2), madvise(2)."""

from __future__ import annotations

import os
from errno import EBADF, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP
from typing import TYPE_CHECKING

from metaphrase.machines.linux import host
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.calls.table import signed32, syscall
from metaphrase.machines.linux.host import MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED
from metaphrase.machines.linux.memory import PAGE_MASK, Window, page_up
from metaphrase.machines.linux.regions import Region
from metaphrase.machines.linux.space import STACK_NAME

if TYPE_CHECKING:
    from metaphrase.machines.linux.task import Task

_MAP_TYPE, _MAP_SHARED_VALIDATE = 0xF, 3
_MAP_KINDS = frozenset({MAP_SHARED, MAP_PRIVATE, _MAP_SHARED_VALIDATE})
_MAP_HUGETLB = 0x4_0000
#: What SHARED_VALIDATE takes of files that know nothing more (LEGACY_MAP_MASK in include/linux/mman.h).
_MAP_LONG_KNOWN = 0x7C07_F9F3
_MAP_32BIT, _MAP_FIXED_NOREPLACE = 0x40, 0x10_0000
#: Flags that the host is told too: LOCKED, POPULATE, NONBLOCK.
_MAP_PASSED = 0x2000 | 0x8000 | 0x1_0000
_PROTECTION = 7
_PROT_GROWSDOWN, _PROT_GROWSUP = 0x100_0000, 0x200_0000
_MREMAP_MAYMOVE, _MREMAP_FIXED, _MREMAP_DONTUNMAP = 1, 2, 4
_MREMAP_FLAGS = _MREMAP_MAYMOVE | _MREMAP_FIXED | _MREMAP_DONTUNMAP

_MADV_DONTNEED, _MADV_FREE = 4, 8
_MCL_ONFAULT, _MCL_ALL = 4, 7
_MLOCK_ONFAULT = 1
_MADV_DONTFORK, _MADV_DOFORK = 10, 11
#: Hints without a meaning for the contents; passed on where harmless, otherwise agreed with.
_MADV_HINTS = {0, 1, 2, 3, 12, 13, 14, 15, 16, 17, 20, 21, 25}
#: REMOVE, WIPEONFORK, KEEPONFORK, POPULATE_READ, POPULATE_WRITE: the host does them.
_MADV_PASSED = {9, 18, 19, 22, 23}
_MADV_POPULATE = {22, 23}
#: DONTNEED, FREE, REMOVE, DOFORK, DODUMP, COLD, PAGEOUT: not for what the kernel maps on its own (VM_SPECIAL).
_MADV_NOT_FOR_ITS_OWN = {4, 8, 9, 11, 17, 20, 21}
_MADV_KNOWN = _MADV_HINTS | _MADV_PASSED | {_MADV_DONTNEED, _MADV_FREE, _MADV_DONTFORK, _MADV_DOFORK}
#: ASYNC, INVALIDATE, SYNC; the first and the last contradict each other.
_MS_ALL, _MS_CONTRADICTION = 7, 5


@syscall("brk")
def brk(task: Task, value: int) -> int:
    """brk(2): the end of the heap."""
    return task.process.space.set_break(value)


@syscall("mmap")
def mmap(
    task: Task, address: int, length: int, protection: int, flags: int, descriptor: int, offset: int
) -> int:
    """mmap(2). PROT_EXEC is noted for the translator; the host gets readable pages."""
    window, space = task.window, task.process.space
    kind, descriptor = flags & _MAP_TYPE, signed32(descriptor)
    anonymous = bool(flags & MAP_ANONYMOUS)
    if offset & PAGE_MASK:
        return -EINVAL
    if not anonymous and task.process.descriptors.is_private(descriptor):
        return -EBADF
    status = None if anonymous else os.fstat(descriptor)
    if not length or kind not in ((MAP_SHARED, MAP_PRIVATE) if anonymous else _MAP_KINDS):
        return -EINVAL
    if kind == _MAP_SHARED_VALIDATE and flags & ~_MAP_LONG_KNOWN:
        return -EOPNOTSUPP
    if length > window.size or flags & _MAP_HUGETLB:
        return -ENOMEM  # as where no huge pages were set aside
    length = page_up(length)
    if flags & (MAP_FIXED | _MAP_FIXED_NOREPLACE):
        if address & PAGE_MASK:
            return -EINVAL
        address = space.place_fixed(address, length, replace=not flags & _MAP_FIXED_NOREPLACE)
    else:
        address = space.place(address, length, low=bool(flags & _MAP_32BIT))
    shared = kind != MAP_PRIVATE
    protection &= _PROTECTION
    if status is None:
        window.map_anonymous(address, length, protection, shared=shared, flags=flags & _MAP_PASSED)
        return address
    window.map_file(
        address, length, protection, descriptor, offset, shared=shared, name=_name_of(descriptor),
        device=status.st_dev, inode=status.st_ino, flags=flags & _MAP_PASSED,
    )  # fmt: skip
    return address


def _name_of(descriptor: int) -> str:
    """What /proc/self/maps calls a mapped file."""
    try:
        return host.link_of(descriptor)
    except OSError:
        return ""


@syscall("munmap")
def munmap(task: Task, address: int, length: int) -> int:
    """munmap(2)."""
    if address & PAGE_MASK or not length or address + length > task.window.size:
        return -EINVAL
    task.window.unmap(address, page_up(length))
    return 0


@syscall("mprotect")
def mprotect(task: Task, address: int, length: int, protection: int) -> int:
    """mprotect(2)."""
    grows = protection & (_PROT_GROWSDOWN | _PROT_GROWSUP)
    if address & PAGE_MASK or protection & ~(_PROTECTION | grows) or grows == _PROT_GROWSDOWN | _PROT_GROWSUP:
        return -EINVAL
    if not length:
        return 0
    if address + length >> 64:
        return -ENOMEM
    length = page_up(length)
    if grows:
        # All of the stack, which alone grows, and downwards.
        region = task.window.regions.find(address)
        if region is None:
            return -ENOMEM
        if region.name != STACK_NAME or grows == _PROT_GROWSUP:
            return -EINVAL
        address, length = region.start, address + length - region.start
    # What lies before a hole has changed all the same.
    mapped = min(length, task.window.regions.extent(address, 0))
    if mapped:
        task.window.protect(address, mapped, protection & _PROTECTION)
    return 0 if mapped == length else -ENOMEM


@syscall("mremap")
def mremap(task: Task, old: int, old_length: int, new_length: int, flags: int, target: int) -> int:
    """mremap(2)."""
    window, space = task.window, task.process.space
    if old & PAGE_MASK or not new_length or flags & ~_MREMAP_FLAGS:
        return -EINVAL
    stays = bool(flags & _MREMAP_DONTUNMAP)
    if stays and not (flags & _MREMAP_MAYMOVE and old_length == new_length):
        return -EINVAL
    if max(old_length, new_length) > window.size:
        return -ENOMEM
    old_length, new_length = page_up(old_length), page_up(new_length)
    region = window.regions.find(old)
    if region is None or region.end < old + old_length:
        return -EFAULT
    fixed = bool(flags & _MREMAP_FIXED)
    if fixed:
        if not flags & _MREMAP_MAYMOVE or target & PAGE_MASK or target + new_length > window.size:
            return -EINVAL
        if target < old + old_length and old < target + new_length:
            return -EINVAL
        target = space.place_fixed(target, new_length, replace=True)
    if not old_length:
        # Once more, at another place: what is shared can be.
        if not region.shared or stays:
            return -EINVAL
        if not flags & _MREMAP_MAYMOVE:
            return -ENOMEM
        target = target if fixed else space.place(0, new_length)
        window.move_shared(old, 0, target, new_length)
        return target
    if new_length < old_length:
        window.unmap(old + new_length, old_length - new_length)
        old_length = new_length
    end = old + old_length
    grown = new_length - old_length
    if not fixed:
        if not grown and not stays:
            return old
        free = end + grown <= space.end and not window.regions.overlapping(end, end + grown)
        if grown and free and region.end == end and not region.shared:
            _extend(task, region.part(old, end), end, grown)
            return old
        if not flags & _MREMAP_MAYMOVE:
            return -ENOMEM
        target = space.place(0, new_length)
    if grown and region.shared:
        window.move_shared(old, old_length, target, new_length)
        return target
    if grown:
        # Growth first: when it cannot be had, nothing has changed yet.
        _extend(task, region.part(old, end), target + old_length, grown)
    window.move(old, old_length, target, stays=stays)
    return target


def _extend(task: Task, region: Region, at: int, length: int) -> None:
    """Map what follows a private region, at an address."""
    window = task.window
    if not region.inode:
        window.map_anonymous(at, length, region.protection, name=region.name)
    else:
        _map_more_of_file(window, region, at, length)
    if not region.inherited:
        window.regions.inherit(at, at + length, False)


def _map_more_of_file(window: Window, region: Region, at: int, length: int) -> None:
    descriptor = os.open(region.name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != (region.device, region.inode):
            raise OSError(ENOMEM, f"{region.name} is no longer the file that was mapped")
        offset = region.offset + region.end - region.start
        window.map_file(
            at, length, region.protection, descriptor, offset, name=region.name,
            device=region.device, inode=region.inode,
        )  # fmt: skip
    finally:
        os.close(descriptor)


@syscall("madvise")
def madvise(task: Task, address: int, length: int, advice: int) -> int:
    """madvise(2): what changes contents is done, around holes too but for bringing pages in; hints are agreed with."""
    advice, window = signed32(advice), task.window
    if advice not in _MADV_KNOWN or address & PAGE_MASK or address + page_up(length) >> 64:
        return -EINVAL
    refusal = _refuse_unmapped(task, address, length)
    end_of_all = address + page_up(length)
    library = task.process.vdso[""]
    if advice in _MADV_NOT_FOR_ITS_OWN and address <= library < end_of_all:
        refusal, end_of_all = -EINVAL, library
    if advice in _MADV_HINTS:
        return refusal
    if advice in (_MADV_DONTFORK, _MADV_DOFORK):
        # Done here: what the host left out would be a hole in the child's window.
        window.regions.inherit(address, end_of_all, advice == _MADV_DOFORK)
        return refusal
    for region in window.regions.overlapping(address, end_of_all):
        if advice in _MADV_POPULATE and region.start > address:
            break
        start, end = max(address, region.start), min(end_of_all, region.end)
        address = end
        window.contents_change(start, end - start)
        result = host.call(HOST["madvise"], window.base + start, end - start, advice)
        if result < 0:
            return result
    return refusal


@syscall("msync")
def msync(task: Task, address: int, length: int, flags: int) -> int:
    """msync(2)."""
    flags = signed32(flags)
    if address & PAGE_MASK or flags & ~_MS_ALL or flags & _MS_CONTRADICTION == _MS_CONTRADICTION:
        return -EINVAL
    refusal = _refuse_unmapped(task, address, length)
    return refusal or task.blocking_call(HOST["msync"], task.window.base + address, length, flags)


@syscall("mincore")
def mincore(task: Task, address: int, length: int, vector: int) -> int:
    """mincore(2)."""
    if address & PAGE_MASK:
        return -EINVAL
    refusal = _refuse_unmapped(task, address, length)
    if refusal:
        return refusal
    task.window.will_write(vector, page_up(length) >> 12)
    return host.call(HOST["mincore"], task.window.base + address, length, task.window.host_pointer(vector))


@syscall("mlock", "munlock")
def mlock(task: Task, address: int, length: int) -> int:
    """mlock(2): agreed with; translation makes promises about memory's speed idle."""
    length = page_up(length + (address & PAGE_MASK)) & (1 << 64) - 1
    address &= ~PAGE_MASK
    return -EINVAL if address + length >> 64 else _refuse_unmapped(task, address, length)


@syscall("mlock2")
def mlock2(task: Task, address: int, length: int, flags: int) -> int:
    """mlock2(2)."""
    return -EINVAL if flags & ~_MLOCK_ONFAULT else mlock(task, address, length)


@syscall("mlockall")
def mlockall(task: Task, flags: int) -> int:
    """mlockall(2)."""
    flags &= 0xFFFF_FFFF
    return 0 if flags and not flags & ~_MCL_ALL and flags != _MCL_ONFAULT else -EINVAL


@syscall("munlockall")
def munlockall(task: Task) -> int:
    """munlockall(2)."""
    return 0


@syscall("riscv_flush_icache")
def riscv_flush_icache(task: Task, start: int, end: int, flags: int) -> int:
    """riscv_flush_icache(2): code in the range has changed."""
    if start < end <= task.window.size:
        task.cpu.invalidate(start, end)
    return 0


def _refuse_unmapped(task: Task, address: int, length: int) -> int:
    """-ENOMEM unless a whole range is mapped."""
    if not length:
        return 0
    if length > task.window.size or address + length > task.window.size:
        return -ENOMEM
    return 0 if task.window.regions.covered(address, address + page_up(length)) else -ENOMEM
