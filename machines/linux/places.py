"""Places in directories, as numbers that fit the offsets of programs with 32-bit words."""

from __future__ import annotations

_FIRST, _LAST = 1 << 30, (1 << 31) - 1


class Places:
    """Numbers for offsets: a small offset is its own number, others are numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._offsets: list[int] = []

    def number(self, offset: int) -> int:
        """The number of an offset."""
        if 0 <= offset < _FIRST:
            return offset
        known = self._numbers.get(offset)
        if known is None:
            known = self._numbers[offset] = min(_FIRST + len(self._offsets), _LAST)
            self._offsets.append(offset)
        return known

    def is_number(self, value: int) -> bool:
        """Whether a value is the number of some offset that is not small."""
        return _FIRST <= value < _FIRST + len(self._offsets)

    def offset(self, number: int) -> int:
        """The offset that a number stands for."""
        return self._offsets[number - _FIRST]
