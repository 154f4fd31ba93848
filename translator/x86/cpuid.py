"""CPUID: what the guest CPU announces (SDM volume 2A, CPUID): its model, its features, and caches of usual sizes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from metaphrase.translator.guest import Answers
from metaphrase.translator.x86.features import FEATURES
from metaphrase.translator.x86.models import AMD, Processor
from metaphrase.translator.x86.state import XCR0_AVX, XSAVE_AVX, XSAVE_SIZE

_CACHES: Final = ((1, 1, 32 << 10, 8), (2, 1, 32 << 10, 8), (3, 2, 1 << 20, 16), (3, 3, 8 << 20, 16))
"""(1 data, 2 instructions, 3 both; level; bytes; ways): usual sizes, from which memory functions derive thresholds."""
_LINE: Final = 64
_CACHE_LEAF, _STATE_LEAF, _FIRST_EXTENDED, _LAST_EXTENDED = 4, 0xD, 0x8000_0000, 0x8000_0008
_SUBLEAVES: Final = {_CACHE_LEAF: len(_CACHES), 7: 1, _STATE_LEAF: 3}
"""Leaves that have several, and how many at most: those behind say all the same."""
_ADDRESS_BITS: Final = 48 << 8 | 46
"""Bits of linear and of physical addresses."""
_WAYS: Final = {16: 8}
"""How leaf 0x80000006 writes a number of ways."""

Registers = tuple[int, int, int, int]
"""eax, ebx, ecx, edx."""


def cpuid(processor: Processor, leaf: int, subleaf: int) -> Registers:
    """(eax, ebx, ecx, edx) of a leaf. Zeros for those that do not exist."""
    eax = ebx = ecx = edx = 0
    model = processor.model
    last = _last_basic(processor)
    if last < leaf < 0x8000_0000:
        return 0, 0, 0, 0
    by_amd = model.vendor == AMD
    match leaf:
        case 0:
            eax, ebx, ecx, edx = last, *_words(model.vendor[:4] + model.vendor[8:] + model.vendor[4:8])
        case 1:
            eax, ebx = _signature(*model.signature), 1 << 16 | _LINE // 8 << 8  # one logical processor
        case 2 if not by_amd:
            eax = 0x00FF_FF01  # one query; the descriptors are in leaf 4, and the TLBs are not told
        case 4 if not by_amd:
            eax, ebx, ecx = _cache(subleaf)
        case 0xD:
            eax, ebx, ecx = _state_components(processor, subleaf)
        case 0x8000_0000:
            eax = _LAST_EXTENDED
        case 0x8000_0002 | 0x8000_0003 | 0x8000_0004:
            eax, ebx, ecx, edx = _words(model.brand.encode().ljust(48, b"\0")[16 * (leaf - 0x8000_0002) :][:16])
        case 0x8000_0005 if by_amd:
            ecx, edx = (size >> 10 << 24 | ways << 16 | 1 << 8 | _LINE for _, _, size, ways in _CACHES[:2])
        case 0x8000_0006:
            (_, _, second, ways), (_, _, third, third_ways) = _CACHES[2:]
            ecx = second >> 10 << 16 | _WAYS[ways] << 12 | _LINE
            edx = third >> 19 << 18 | _WAYS[third_ways] << 12 | 1 << 8 | _LINE if by_amd else 0
        case 0x8000_0008:
            eax = _ADDRESS_BITS
    if leaf == _STATE_LEAF:
        eax |= _features(processor, leaf, "eax") if subleaf == 1 else 0
    elif subleaf == 0 or leaf != 7:
        ebx |= _features(processor, leaf, "ebx")
        ecx |= _features(processor, leaf, "ecx")
        edx |= _features(processor, leaf, "edx")
    return eax, ebx, ecx, edx


@cache
def answers(processor: Processor) -> Answers:
    """All leaves, as a table: EAX and ECX ask, and EAX, EBX, ECX and EDX tell."""
    rows: list[tuple[tuple[int | None, int | None], Registers]] = []
    for leaf in (*range(_last_basic(processor) + 1), *range(_FIRST_EXTENDED, _LAST_EXTENDED + 1)):
        some = _SUBLEAVES.get(leaf, 0)
        rows += [((leaf, subleaf), cpuid(processor, leaf, subleaf)) for subleaf in range(some)]
        rows.append(((leaf, None), cpuid(processor, leaf, some)))
    rows.append(((None, None), cpuid(processor, _LAST_EXTENDED + 1, 0)))
    return Answers("cpuid", ("rax", "rcx"), ("rax", "rbx", "rcx", "rdx"), rows)


LINUX_NAMES: Final = {
    "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "lahf": "lahf_lm", "lzcnt": "abm", "sha": "sha_ni",
    "prefetchw": "3dnowprefetch", "invariant_tsc": "constant_tsc nonstop_tsc", "osxsave": "",
}  # fmt: skip
"""What Linux calls features, where it has another name, or none."""


def linux_description(processor: Processor) -> dict[str, str]:
    """What Linux tells of each processor in /proc/cpuinfo (arch/x86/kernel/cpu/proc.c), by its names."""
    model = processor.model
    family, number, stepping = model.signature
    names = (LINUX_NAMES.get(feature, feature) for feature in FEATURES if feature in processor.features)
    return {
        "vendor_id": model.vendor.decode(), "cpu family": str(family), "model": str(number), "model name": model.brand,
        "stepping": str(stepping), "cache size": f"{_CACHES[-1][2] >> 10} KB", "fpu": "yes", "fpu_exception": "yes",
        "cpuid level": str(_last_basic(processor)), "wp": "yes", "flags": " ".join(filter(None, names)),
        "clflush size": str(_LINE), "cache_alignment": str(_LINE),
        "address sizes": f"{_ADDRESS_BITS & 0xFF} bits physical, {_ADDRESS_BITS >> 8} bits virtual",
    }  # fmt: skip


@cache
def _announced(processor: Processor) -> Mapping[tuple[int, str], int]:
    """The bits of features by leaf and register."""
    words: dict[tuple[int, str], int] = {}
    for feature in processor.features:
        leaf, register, bit = FEATURES[feature]
        words[leaf, register] = words.get((leaf, register), 0) | 1 << bit
    return words


def _features(processor: Processor, leaf: int, register: str) -> int:
    return _announced(processor).get((leaf, register), 0)


def _last_basic(processor: Processor) -> int:
    """The last leaf that says anything."""
    leaves = (leaf for leaf, _ in _announced(processor) if leaf < _FIRST_EXTENDED)
    return max(_CACHE_LEAF, _STATE_LEAF if "xsave" in processor.features else 0, *leaves)


def _signature(family: int, model: int, stepping: int) -> int:
    return stepping | (model & 15) << 4 | min(family, 15) << 8 | model >> 4 << 16 | max(family - 15, 0) << 20


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4))


def _state_components(processor: Processor, subleaf: int) -> tuple[int, int, int]:
    """eax, ebx and ecx of leaf 0xD: XCR0 and the XSAVE area's size, that of the compacted form, a component's place."""
    enabled = processor.xcr0
    size = XSAVE_SIZE if enabled & XCR0_AVX else XSAVE_AVX if enabled else 0
    match subleaf:
        case 0:
            return enabled, size, size
        case 1 if "xsavec" in processor.features:
            return 0, size, 0
        case 2 if enabled & XCR0_AVX:
            return XSAVE_SIZE - XSAVE_AVX, XSAVE_AVX, 0
    return 0, 0, 0


def _cache(number: int) -> tuple[int, int, int]:
    """eax, ebx and ecx of leaf 4 for a cache; the type 0 of the one behind the last ends the list."""
    if number >= len(_CACHES):
        return 0, 0, 0
    kind, level, size, ways = _CACHES[number]
    self_initialising = 1 << 8
    return kind | level << 5 | self_initialising, ways - 1 << 22 | _LINE - 1, size // (ways * _LINE) - 1
