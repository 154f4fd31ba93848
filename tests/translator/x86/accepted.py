"""Encodings that only AMD's processors accept; sections as in vendors.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Accepted:
    """Encodings that are undefined on Intel's processors, as in the guest, and are not on AMD's."""

    what: str
    intel: str
    amd: str
    pattern: str
    """A regular expression of the code in hexadecimal digits, as it is behind any prefixes."""
    example: str
    prefix: str = ""
    """One that must be there."""
    feature: str = ""
    """What /proc/cpuinfo must name, if not all processors of AMD's have it."""
    families: range = range(1 << 12)
    """The families of processors that do, as far as known."""

    def matches(self, code: bytes) -> bool:
        others = "(?:26|2e|36|3e|4.|6[4-7]|f[023])*"
        return bool(re.match(others + (self.prefix and self.prefix + others) + self.pattern, code.hex()))


ACCEPTED: Final = (
    Accepted(
        what="AVX-512's mask registers above the seventh",
        intel="SDM volume 2, 2.8 (types K20, K21): #UD.",
        amd="The APM leaves it open: hardware ignores the fourth bit of the number.",
        pattern="(?:c5[0-9ab].|c4[0246]1..|c4[8ace]1[0-389ab].)(?:4[1-7ab]|9[0-389])",
        example="c4e10c45fe",
        feature="avx512f",
    ),
    Accepted(
        what="VPERMQ, VPERMPD with VEX.W of 0",
        intel="SDM volume 2C, VPERMQ: VEX.W is 1, or #UD.",
        amd="APM volume 4, VPERMQ has W of 1 too: hardware ignores it.",
        pattern="c4[02468ace]37d0[01]",
        example="c4e37d00c01b",
    ),
    Accepted(
        what="LOCK MOV of CR0",
        intel="SDM volume 2B, MOV (control registers): #UD with a LOCK prefix.",
        amd="APM volume 3, MOV CRn: that is CR8, and #GP for programs.",
        prefix="f0",
        pattern="0f2[02][048c][0-7]",
        example="f00f20c2",
    ),
    Accepted(
        what="LOCK VERW",
        intel="SDM volume 2B, VERR/VERW: #UD with a LOCK prefix.",
        amd="APM volume 3, VERW says nothing of LOCK: hardware ignores it.",
        prefix="f0",
        pattern="0f00[26a][89a-f]",
        example="f00f0028",
        families=range(0x19, 1 << 12),
    ),
)
