"""The segments that cases of 16-bit mode find: entries of the worker's local descriptor table, made by the kernel.

Each is as modify_ldt(2) describes it to the kernel (struct user_desc), and as the processor reads it in the table (SDM
volume 3, figure 3-8), for those who have the table in their own memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from tests.oracle._trap import ARENA, CODE


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `contents` as user_desc has it: 0 data, 1 data that expands down, 2 code."""

    base: int
    limit: int
    contents: int = 0
    restricted: bool = False
    """Data that cannot be written, code that cannot be read."""
    big: bool = False
    present: bool = True

    def user_desc(self, number: int) -> bytes:
        """struct user_desc of entry `number`."""
        flags = self.big | self.contents << 1 | self.restricted << 3 | (not self.present) << 5 | 1 << 6
        return struct.pack("<4I", number, self.base, self.limit, flags)

    def descriptor(self) -> int:
        """The eight bytes in the table: accessed, of user mode."""
        kind = 0xF1 | self.contents << 2 | (not self.restricted) << 1
        access = kind if self.present else kind & ~0x80
        low = self.limit & 0xFFFF | (self.base & 0xFF_FFFF) << 16
        return low | access << 40 | (self.limit >> 16) << 48 | self.big << 54 | (self.base >> 24) << 56


LOCAL: Final = (
    Segment(CODE, 0xFFFF, contents=2),
    Segment(ARENA, 0xFFFF),
    Segment(ARENA + 0x1000, 0xCFFF),
    Segment(ARENA + 0x2000, 0x7FFF),
    Segment(ARENA + 0x1000, 0xEFFF, restricted=True),
    Segment(ARENA, 0x2FFF, contents=1),
    Segment(CODE, 0xFFFF, contents=2, restricted=True),
    Segment(CODE + 0x1000, 0xBFFF, contents=2),
    Segment(ARENA, 0xFFFF, present=False),
    Segment(CODE, 0xFFFF, contents=2, present=False),
    Segment(ARENA, 0xFFFF, big=True),
    Segment(CODE, 0xFFFF, contents=2, big=True),
    Segment(CODE + 0x1000, 0xBFFF, contents=2, big=True),
)
"""The table."""


def selector(number: int) -> int:
    """The selector of an entry, for user mode."""
    return number << 3 | 7


CODE_16, STACK_16, DATA_16, EXTRA_16 = map(selector, range(4))
"""The selectors that cases of 16-bit mode begin with, in CS, SS, DS and ES."""


STACK_32, CODE_32 = selector(10), selector(11)
"""Those of other modes with segments: a stack whose pointer is ESP, code of 32 bits."""


def base_of(chosen: int) -> int:
    """Where the segment of a selector begins; those of the global table are flat."""
    return LOCAL[chosen >> 3].base if chosen & 4 and chosen >> 3 < len(LOCAL) else 0
