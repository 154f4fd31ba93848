"""What of the host's instructions generated code may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """Extensions that the lowering asks for by intrinsics or inline assembly; it has code for hosts without them."""

    avx: bool = True
    fma: bool = True
    f16c: bool = True
    ssse3: bool = True
    crc32: bool = True
    bmi2: bool = True
    aes: bool = True
    pclmulqdq: bool = True
    sha: bool = True
    gfni: bool = True
