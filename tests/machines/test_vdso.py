"""The library that the kernel maps into each process is one that others can read (and see tests/programs/c/vdso.c)."""

from __future__ import annotations

import io

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from metaphrase.machines.linux.abi import ABIS
from metaphrase.machines.linux.vdso import elf_hash

EXPECTED = {
    "x86_64": ("EM_X86_64", "linux-vdso.so.1", {"__vdso_clock_gettime", "clock_gettime", "__vdso_getcpu"}),
    "i386": ("EM_386", "linux-gate.so.1", {"__kernel_vsyscall", "__kernel_rt_sigreturn", "__vdso_clock_gettime64"}),
    "riscv64": ("EM_RISCV", "linux-vdso.so.1", {"__vdso_rt_sigreturn", "__vdso_flush_icache"}),
}


@pytest.mark.parametrize("guest", EXPECTED)
def test_the_library(guest: str) -> None:
    machine, name, some = EXPECTED[guest]
    made = ABIS[guest].vdso()
    assert made is ABIS[guest].vdso(), "it is made once"
    file = ELFFile(io.BytesIO(made.data))
    assert (file["e_machine"], file["e_type"]) == (machine, "ET_DYN")
    (dynamic,) = (segment for segment in file.iter_segments() if isinstance(segment, DynamicSegment))
    tags = {tag.entry.d_tag: tag for tag in dynamic.iter_tags()}
    assert tags["DT_SONAME"].soname == name  # type: ignore[attr-defined]
    found = {symbol.name: symbol["st_value"] for symbol in dynamic.iter_symbols() if symbol.name}
    assert found == made.symbols and some < found.keys()
    assert all(value % 16 == 0 for value in found.values())


def test_hashes() -> None:
    """The examples of vDSO readers: the version that C libraries ask for."""
    assert (elf_hash("LINUX_2.6"), elf_hash("LINUX_2.5"), elf_hash("LINUX_4.15")) == (0x3AE75F6, 0x3AE75F5, 0xAE77F75)
