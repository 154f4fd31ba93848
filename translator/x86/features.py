"""The features of an x86 CPU that CPUID tells of: where it does, and which of them an instruction needs.

Programs choose their code by these bits. So a feature is there when all of it is described, and not where a plain
sequence serves the guest better: ERMS would send every memcpy into REP MOVSB, which runs an element at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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
"""All that are implemented: leaf (subleaf 0, but 1 of leaf 0xD), register and bit."""

BASELINE: Final = frozenset(
    ("fpu", "tsc", "cx8", "cmov", "clflush", "mmx", "fxsr", "sse", "sse2", "syscall", "nx", "lm")
)
"""What every x86-64 has."""

NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "ssse3": ("sse3",), "sse4.1": ("ssse3",), "sse4.2": ("sse4.1",),
    "osxsave": ("xsave",), "xsaveopt": ("osxsave",), "xsavec": ("osxsave",), "xgetbv1": ("osxsave",),
    "avx": ("sse4.2", "osxsave"), "avx2": ("avx",), "fma": ("avx",), "f16c": ("avx",),
    "vaes": ("avx", "aes"), "vpclmulqdq": ("avx", "pclmulqdq"),
}  # fmt: skip
"""What no processor has without the others, and compilers take for granted."""

_OF_EXTENSION: Final[dict[str, tuple[str, ...]]] = {
    "base": (), "x87": ("fpu",),
    "xsave": ("osxsave",),  # which the system has to turn on
    "prefetchw": (),  # a hint, which does nothing where it is not known
}  # fmt: skip
"""Features that the rows of an extension need where it is not the one of that name."""
_VEX_WITHOUT_VECTORS: Final = frozenset({"bmi1", "bmi2"})


def needed_by(extension: str, *, vex: bool) -> frozenset[str]:
    """The features that a row of an extension needs; behind VEX, which AVX brought, all but those on general registers
    need that too."""
    needed = _OF_EXTENSION.get(extension, (extension,))
    return frozenset((*needed, "avx") if vex and extension not in _VEX_WITHOUT_VECTORS else needed)


def with_needs(features: Iterable[str]) -> frozenset[str]:
    """Features, and all that they need."""
    found: set[str] = set()
    waiting = list(features)
    while waiting:
        feature = waiting.pop()
        if feature not in found:
            found.add(feature)
            waiting.extend(NEEDS.get(feature, ()))
    return frozenset(found)


def without(features: frozenset[str], feature: str) -> frozenset[str]:
    """Features but for one, and for those that need it."""
    return frozenset(each for each in features if feature not in with_needs((each,)))
