"""CPUID: what the guest CPU announces, which is what is described and lowered well (SDM volume 2A, CPUID).

Programs choose their code by these bits. So an extension is announced when all of it is described, and not where a
plain sequence serves the guest better: ERMS would send every memcpy into REP MOVSB, which runs an element at a time.
"""

from __future__ import annotations

from typing import Final

from metaphrase.translator.x86.state import XCR0, XSAVE_AVX, XSAVE_SIZE

VENDOR: Final = b"GenuineIntel"
"""C libraries only look closer at vendors that they know."""
BRAND: Final = b"Metaphrase x86-64 guest"
SIGNATURE: Final = 0x663
"""Family 6, a model that no program has tuning or workarounds for."""

FEATURES: Final[dict[str, tuple[int, str, int]]] = {
    "fpu": (1, "edx", 0), "tsc": (1, "edx", 4), "cx8": (1, "edx", 8), "cmov": (1, "edx", 15),
    "clflush": (1, "edx", 19), "mmx": (1, "edx", 23), "fxsr": (1, "edx", 24), "sse": (1, "edx", 25),
    "sse2": (1, "edx", 26), "sse3": (1, "ecx", 0), "pclmulqdq": (1, "ecx", 1), "ssse3": (1, "ecx", 9),
    "cx16": (1, "ecx", 13), "sse4.1": (1, "ecx", 19), "sse4.2": (1, "ecx", 20), "movbe": (1, "ecx", 22),
    "popcnt": (1, "ecx", 23), "aes": (1, "ecx", 25), "xsave": (1, "ecx", 26), "osxsave": (1, "ecx", 27),
    "avx": (1, "ecx", 28), "fma": (1, "ecx", 12), "avx2": (7, "ebx", 5), "vaes": (7, "ecx", 9),
    "vpclmulqdq": (7, "ecx", 10), "f16c": (1, "ecx", 29), "rdrand": (1, "ecx", 30), "rdseed": (7, "ebx", 18),
    "rdpid": (7, "ecx", 22),
    "xsaveopt": (0xD, "eax", 0), "xsavec": (0xD, "eax", 1), "xgetbv1": (0xD, "eax", 2), "clflushopt": (7, "ebx", 23),
    "clwb": (7, "ebx", 24), "fsgsbase": (7, "ebx", 0), "bmi1": (7, "ebx", 3), "bmi2": (7, "ebx", 8),
    "adx": (7, "ebx", 19), "sha": (7, "ebx", 29), "gfni": (7, "ecx", 8),
    "lahf": (0x8000_0001, "ecx", 0), "lzcnt": (0x8000_0001, "ecx", 5), "prefetchw": (0x8000_0001, "ecx", 8),
    "syscall": (0x8000_0001, "edx", 11), "nx": (0x8000_0001, "edx", 20), "rdtscp": (0x8000_0001, "edx", 27),
    "lm": (0x8000_0001, "edx", 29), "invariant_tsc": (0x8000_0007, "edx", 8),
}  # fmt: skip
"""What is announced: leaf (subleaf 0, but 1 of leaf 0xD), register and bit."""

_CACHES: Final = ((1, 1, 32 << 10, 8), (2, 1, 32 << 10, 8), (3, 2, 1 << 20, 16), (3, 3, 8 << 20, 16))
"""(1 data, 2 instructions, 3 both; level; bytes; ways): usual sizes, from which memory functions derive thresholds."""
_LINE: Final = 64
_LAST_BASIC, _LAST_EXTENDED = 0xD, 0x8000_0008
_ADDRESS_BITS: Final = 48 << 8 | 46
"""Bits of linear and of physical addresses."""

Registers = tuple[int, int, int, int]
"""eax, ebx, ecx, edx."""


def cpuid(leaf: int, subleaf: int) -> Registers:
    """(eax, ebx, ecx, edx) of a leaf. Zeros for those that do not exist."""
    eax = ebx = ecx = edx = 0
    match leaf:
        case 0:
            eax, ebx, ecx, edx = _LAST_BASIC, *_words(VENDOR[:4] + VENDOR[8:] + VENDOR[4:8])
        case 1:
            eax, ebx = SIGNATURE, 1 << 16 | _LINE // 8 << 8  # one logical processor
        case 2:
            eax = 0x00FF_FF01  # one query; the descriptors are in leaf 4, and the TLBs are not told
        case 4:
            eax, ebx, ecx = _cache(subleaf)
        case 0xD:
            eax, ebx, ecx = _state_components(subleaf)
        case 0x8000_0000:
            eax = _LAST_EXTENDED
        case 0x8000_0002 | 0x8000_0003 | 0x8000_0004:
            eax, ebx, ecx, edx = _words(BRAND.ljust(48, b"\0")[16 * (leaf - 0x8000_0002) :][:16])
        case 0x8000_0006:
            ecx = 1024 << 16 | 8 << 12 | _LINE  # the second level: KiB, code for 16 ways
        case 0x8000_0008:
            eax = _ADDRESS_BITS
    if leaf == 0xD:
        eax |= _features(leaf, "eax") if subleaf == 1 else 0
    elif subleaf == 0 or leaf != 7:
        ebx |= _features(leaf, "ebx")
        ecx |= _features(leaf, "ecx")
        edx |= _features(leaf, "edx")
    return eax, ebx, ecx, edx


def _features(leaf: int, register: str) -> int:
    return sum(1 << bit for where, name, bit in FEATURES.values() if (where, name) == (leaf, register))


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4))


def _state_components(subleaf: int) -> tuple[int, int, int]:
    """eax, ebx and ecx of leaf 0xD: XCR0 and the XSAVE area's size, that of the compacted form, a component's place."""
    match subleaf:
        case 0:
            return XCR0, XSAVE_SIZE, XSAVE_SIZE
        case 1:
            return 0, XSAVE_SIZE, 0
        case 2:
            return XSAVE_SIZE - XSAVE_AVX, XSAVE_AVX, 0
    return 0, 0, 0


def _cache(number: int) -> tuple[int, int, int]:
    """eax, ebx and ecx of leaf 4 for a cache; the type 0 of the one behind the last ends the list."""
    if number >= len(_CACHES):
        return 0, 0, 0
    kind, level, size, ways = _CACHES[number]
    self_initialising = 1 << 8
    return kind | level << 5 | self_initialising, ways - 1 << 22 | _LINE - 1, size // (ways * _LINE) - 1
