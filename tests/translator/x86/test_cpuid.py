"""CPUID announces what is described, and reads as C libraries and tools read it."""

from __future__ import annotations

import pytest

from metaphrase.translator.x86.cpuid import BRAND, FEATURES, cpuid
from tests.translator.x86.differential import GUEST

IMPLICIT = {"fpu", "cmov", "syscall", "nx", "lm", "invariant_tsc", "osxsave", "xgetbv1"}
"""Announced, but the rows carry no such mark: parts of every x86-64, or no instructions at all."""


def test_announced_extensions_are_described() -> None:
    described = {row.extension for row in GUEST.rows}
    assert not FEATURES.keys() - IMPLICIT - described


def test_vendor_and_brand() -> None:
    last, *words = cpuid(0, 0)
    ebx, ecx, edx = (word.to_bytes(4, "little") for word in words)
    assert last == 0xD and ebx + edx + ecx == b"GenuineIntel"
    text = b"".join(word.to_bytes(4, "little") for leaf in (2, 3, 4) for word in cpuid(0x8000_0000 + leaf, 0))
    assert text.rstrip(b"\0") == BRAND


def test_the_baseline_of_x86_64() -> None:
    """What the psABI's x86-64 baseline asks for: CMOV, CX8, FPU, FXSR, MMX, OSFXSR (by SSE), SCE, SSE, SSE2."""
    edx = cpuid(1, 0)[3]
    assert all(edx >> bit & 1 for bit in (0, 8, 15, 23, 24, 25, 26))
    assert cpuid(0x8000_0001, 0)[3] >> 11 & 1


def test_xsave_and_where_it_puts_avx() -> None:
    assert cpuid(1, 0)[2] >> 26 & 7 == 7  # XSAVE, OSXSAVE, AVX
    enabled, size, largest, _ = cpuid(0xD, 0)
    length, offset, supervisor, _ = cpuid(0xD, 2)
    assert (enabled, size, largest, supervisor) == (7, offset + length, offset + length, 0) and offset == 576
    assert cpuid(0xD, 1)[0] & 3 == 3 and cpuid(0xD, 5) == (0, 0, 0, 0)


@pytest.mark.parametrize(("number", "size"), [(0, 32 << 10), (1, 32 << 10), (2, 1 << 20), (3, 8 << 20)])
def test_caches(number: int, size: int) -> None:
    eax, ebx, ecx, _ = cpuid(4, number)
    ways, partitions, line = (ebx >> 22) + 1, (ebx >> 12 & 0x3FF) + 1, (ebx & 0xFFF) + 1
    assert eax & 31 and ways * partitions * line * (ecx + 1) == size


@pytest.mark.parametrize("leaf", [4, 5, 8, 0xB, 0xD, 0x4000_0000, 0x8000_0009, 0xFFFF_FFFF])
def test_leaves_that_do_not_exist(leaf: int) -> None:
    assert cpuid(leaf, 9) == (0, 0, 0, 0)
