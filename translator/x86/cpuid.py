"""CPUID: what the guest CPU announces, which is what is described and lowered (SDM volume 2A, CPUID)."""

from __future__ import annotations

_VENDOR = b"GenuineIntel"
_BRAND = b"Metaphrase x86-64".ljust(48, b"\0")
_EDX_1 = sum(1 << bit for bit in (0, 4, 8, 15, 24, 25, 26))  # fpu tsc cx8 cmov fxsr sse sse2
_SIGNATURE = 0x00000663
_EXTENDED_EDX = 1 << 11 | 1 << 20 | 1 << 29  # syscall, nx, lm


def cpuid(leaf: int, subleaf: int) -> tuple[int, int, int, int]:
    """(eax, ebx, ecx, edx) of a leaf; zeros for leaves that do not exist."""
    word = int.from_bytes
    match leaf:
        case 0:
            return 1, word(_VENDOR[:4], "little"), word(_VENDOR[8:], "little"), word(_VENDOR[4:8], "little")
        case 1:
            return _SIGNATURE, 1 << 16 | 8 << 8, 0, _EDX_1
        case 0x8000_0000:
            return 0x8000_0008, 0, 0, 0
        case 0x8000_0001:
            return 0, 0, 0, _EXTENDED_EDX
        case 0x8000_0002 | 0x8000_0003 | 0x8000_0004:
            part = _BRAND[16 * (leaf - 0x8000_0002) :][:16]
            return tuple(word(part[i : i + 4], "little") for i in range(0, 16, 4))  # type: ignore[return-value]
        case 0x8000_0008:
            return 0x2E2E, 0, 0, 0
    return 0, 0, 0, 0
