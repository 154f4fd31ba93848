"""The window: mapping, data, isolation, and what the CPU is told about code."""

from __future__ import annotations

import os
from errno import EBADF, EFAULT, ENAMETOOLONG, ENOMEM
from pathlib import Path

import pytest

from metaphrase.machines.linux import GuestFault, Window
from metaphrase.machines.linux.abi.numbers import HOST
from metaphrase.machines.linux.host import NOWHERE, PROT_EXEC, PROT_READ, PROT_WRITE, call
from metaphrase.machines.linux.memory import PAGE_SIZE
from metaphrase.machines.linux.space import AddressSpace

RW = PROT_READ | PROT_WRITE
RX = PROT_READ | PROT_EXEC


@pytest.fixture
def changes(window: Window) -> list[tuple[int, int]]:
    heard: list[tuple[int, int]] = []
    window.code_changed = lambda start, end: heard.append((start, end))
    return heard


def test_data_goes_where_it_is_put(window: Window) -> None:
    window.map_anonymous(0x10000, 0x3000, RW)
    window.write(0x10FFE, b"across a page")
    assert window.read(0x10FFE, 13) == b"across a page"
    window.write_u64(0x11100, -2)
    window.write_u32(0x11108, 0x1_2345_6789)
    assert window.read_u64(0x11100) == (1 << 64) - 2
    assert window.read_u32(0x11108) == 0x2345_6789
    assert window.read(0x10000, 0) == b""


def test_strings(window: Window) -> None:
    window.map_anonymous(0x10000, 0x1000, RW)
    window.map_anonymous(0x11000, 0x1000, PROT_READ)
    window.write(0x10FFC, b"abcd")
    assert window.read_cstring(0x10FFC) == b"abcd", "a string that ends on the next region"
    with pytest.raises(OSError) as error:
        window.read_cstring(0x10FFC, 3)
    assert error.value.errno == ENAMETOOLONG
    window.write(0x10FFC, b"")
    with pytest.raises(GuestFault):
        window.read_cstring(0x20000)
    window.unmap(0x11000, 0x1000)
    with pytest.raises(GuestFault):
        window.read_cstring(0x10FFC)


def test_pointer_lists(window: Window) -> None:
    window.map_anonymous(0x10000, 0x2000, RW)
    values = list(range(1, 600))
    window.write(0x10008, b"".join(value.to_bytes(8, "little") for value in values))
    assert window.read_pointers(0x10008) == values
    window.write(0x10000, bytes([1]) * 0x2000)
    with pytest.raises(GuestFault):
        window.read_pointers(0x10000)


@pytest.mark.parametrize("address", [0, 0xFFFF, 0x13000, 0x12FFF, (1 << 30) - 1, 1 << 30, 1 << 46, (1 << 64) - 1])
def test_bad_addresses_raise(window: Window, address: int) -> None:
    window.map_anonymous(0x10000, 0x3000, RW)
    with pytest.raises(GuestFault):
        window.read(address, 2)
    with pytest.raises(GuestFault):
        window.write(address, b"xx")


def test_protection_is_kept_from_system_calls(window: Window) -> None:
    window.map_anonymous(0x10000, 0x1000, PROT_READ)
    window.map_anonymous(0x11000, 0x1000, 0)
    assert window.read(0x10000, 4) == bytes(4)
    for address in (0x10000, 0x11000):
        with pytest.raises(GuestFault):
            window.write(address, b"x")
    with pytest.raises(GuestFault):
        window.read(0x10FFF, 2)


def test_pages_outside_the_window_cannot_be_mapped(window: Window) -> None:
    for start, length in [(window.size - 0x1000, 0x2000), (window.size, 0x1000), (-0x1000, 0x1000)]:
        with pytest.raises(OSError) as error:
            window.map_anonymous(start, length, RW)
        assert error.value.errno == ENOMEM


def test_host_pointers_stay_inside(window: Window) -> None:
    assert window.host_pointer(0) == 0
    assert window.host_pointer(1) == window.base + 1
    assert window.host_pointer(window.size - 1) == window.base + window.size - 1
    for address in (window.size, 1 << 47, (1 << 64) - 1):
        assert window.host_pointer(address) == NOWHERE


def test_what_stands_for_pointers_out_of_the_window_is_refused_by_the_kernel(window: Window) -> None:
    assert call(HOST["uname"], NOWHERE) == -EFAULT
    assert call(HOST["newfstatat"], 0, NOWHERE, NOWHERE, 0) == -EFAULT
    assert call(HOST["write"], -1, NOWHERE, 1) == -EBADF


def test_the_host_never_gets_executable_pages(window: Window) -> None:
    window.map_anonymous(0x10000, 0x1000, RX)
    window.map_anonymous(0x11000, 0x1000, PROT_EXEC)
    window.map_anonymous(0x12000, 0x1000, RW)
    window.protect(0x12000, 0x1000, RX)
    ranges = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if window.base <= start < window.base + window.size:
            ranges[start, end] = line.split()[1]
    assert ranges and not any("x" in permissions for permissions in ranges.values())
    assert window.check_execute(0x10000) and window.check_execute(0x11000) and window.check_execute(0x12000)
    assert not window.check_execute(0x13000)
    assert window.read(0x11000, 1) == b"\0"


def test_changes_of_code_are_told(window: Window, changes: list[tuple[int, int]]) -> None:
    window.map_anonymous(0x10000, 0x4000, RW)
    window.write(0x10000, b"no code here yet")
    assert changes == []
    window.protect(0x10000, 0x4000, RX)
    assert changes == [], "the CPU asks before it decodes a page, so a new right needs no word"
    window.protect(0x11000, 0x1000, RW)
    assert changes == [(0x11000, 0x12000)]
    window.unmap(0x12000, 0x1000)
    assert changes[-1] == (0x12000, 0x13000)
    window.map_anonymous(0xF000, 0x2000, RW)
    assert changes[-1] == (0x10000, 0x11000)
    assert not window.check_execute(0x10000)


def test_writes_of_system_calls_into_code_are_told(window: Window, changes: list[tuple[int, int]]) -> None:
    assert not window.may_have_writable_code()
    window.map_anonymous(0x10000, 0x2000, RW | PROT_EXEC)
    assert window.may_have_writable_code()
    window.write(0x10F00, b"code")
    assert changes == [(0x10F00, 0x10F04)]
    window.will_write(0x11000, 0x100)
    assert changes[-1] == (0x11000, 0x11100)


def test_files_and_pages_past_their_end(window: Window, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    with path.open("r+b") as file:
        status = os.fstat(file.fileno())
        window.map_file(0x10000, 0x2000, RW, file.fileno(), 0, shared=True, inode=status.st_ino)
    assert window.read(0x10000, 4) == b"xxxx"
    window.write(0x10000, b"new")
    assert path.read_bytes()[:4] == b"newx"
    # The second page has no file behind it: touching it would raise SIGBUS in the host.
    with pytest.raises(GuestFault):
        window.read(0x11000, 1)
    with pytest.raises(GuestFault):
        window.write(0x11000, b"x")
    with pytest.raises(GuestFault):
        window.read_cstring(0x11000)
    os.truncate(path, 0)
    with pytest.raises(GuestFault):
        window.read(0x10000, 1)


def test_moving(window: Window) -> None:
    window.map_anonymous(0x10000, 0x2000, RW)
    window.write(0x10000, b"first")
    window.write(0x11000, b"second")
    window.move(0x10000, 0x2000, 0x50000)
    assert window.read(0x51000, 6) == b"second"
    assert window.regions.find(0x10000) is None
    with pytest.raises(GuestFault):
        window.read(0x10000, 1)
    window.map_anonymous(0x10000, 0x1000, RW)
    assert window.read(0x10000, 5) == bytes(5), "the old place is empty"


def test_clearing(window: Window, changes: list[tuple[int, int]]) -> None:
    window.map_anonymous(0x10000, 0x1000, RX)
    window.clear()
    assert len(window.regions) == 0 and changes[-1] == (0, window.size)
    with pytest.raises(GuestFault):
        window.read(0x10000, 1)


def test_a_full_window_has_its_guard_zones() -> None:
    full = Window()
    try:
        assert full.size == 1 << 46
        mapped = [line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines()]
        around = [
            (int(start, 16), int(end, 16))
            for start, end in mapped
            if int(start, 16) < full.base + full.size and int(end, 16) > full.base
        ]
        assert len(around) == 1, "one reservation, nothing in it"
        start, end = around[0]
        assert start <= full.base - (64 << 10) and end >= full.base + full.size + (4 << 30)
    finally:
        full.close()


def test_the_first_and_the_last_page_stay_free(window: Window) -> None:
    """Regions rely on it: an address that is a small displacement away from one beyond the window faults by itself."""
    space = AddressSpace(window)
    last = window.size - PAGE_SIZE
    for start, length in ((0, PAGE_SIZE), (last, PAGE_SIZE), (last - PAGE_SIZE, 2 * PAGE_SIZE)):
        with pytest.raises(OSError, match="outside the address space"):
            space.place_fixed(start, length, replace=True)
        assert space.place(start, length) not in (0, start)
    assert space.place_fixed(last - PAGE_SIZE, PAGE_SIZE, replace=True) == last - PAGE_SIZE
