"""Bit vectors as Python text: the algebra of `ir/bits.py` over names.

The meanings in the table of ops work on `Text` as they do on `Bits`; what they leave is what Python compiles.
"""

from __future__ import annotations


class Text:
    """`width` bits that Python knows by a name or number `text`; what is computed from it is appended to `lines`."""

    __slots__ = ("lines", "text", "width")

    def __init__(self, width: int, text: str, lines: list[str]) -> None:
        self.width, self.text, self.lines = width, text, lines

    def __repr__(self) -> str:
        return f"Text({self.width}, {self.text!r})"

    def _named(self, width: int, expression: str) -> Text:
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return Text(width, name, self.lines)

    def _cut(self, expression: str) -> Text:
        """What an expression is modulo 2^width."""
        return self._named(self.width, f"({expression}) & {self._mask}")

    def _bit(self, condition: str) -> Text:
        return self._named(1, f"1 if {condition} else 0")

    @property
    def _mask(self) -> int:
        return (1 << self.width) - 1

    @property
    def _signed(self) -> str:
        half = 1 << self.width - 1
        return f"(({self.text} ^ {half}) - {half})"

    def constant(self, value: int) -> Text:
        return Text(self.width, str(value & self._mask), self.lines)

    def __add__(self, other: Text) -> Text:
        return self._cut(f"{self.text} + {other.text}")

    def __sub__(self, other: Text) -> Text:
        return self._cut(f"{self.text} - {other.text}")

    def __mul__(self, other: Text) -> Text:
        return self._cut(f"{self.text} * {other.text}")

    def __and__(self, other: Text) -> Text:
        return self._named(self.width, f"{self.text} & {other.text}")

    def __or__(self, other: Text) -> Text:
        return self._named(self.width, f"{self.text} | {other.text}")

    def __xor__(self, other: Text) -> Text:
        return self._named(self.width, f"{self.text} ^ {other.text}")

    def shl(self, count: Text) -> Text:
        return self._cut(f"{self.text} << {count.text} if {count.text} < {self.width} else 0")

    def lshr(self, count: Text) -> Text:
        return self._named(self.width, f"{self.text} >> {count.text}")

    def ashr(self, count: Text) -> Text:
        return self._cut(f"{self._signed} >> {count.text}")

    def rotl(self, count: Text) -> Text:
        by = self._named(self.width, f"{count.text} % {self.width}")
        return self._cut(f"{self.text} << {by.text} | {self.text} >> {self.width} - {by.text}")

    def rotr(self, count: Text) -> Text:
        by = self._named(self.width, f"{count.text} % {self.width}")
        return self._cut(f"{self.text} >> {by.text} | {self.text} << {self.width} - {by.text}")

    def udiv(self, other: Text) -> Text:
        return self._named(self.width, f"{self.text} // {other.text} if {other.text} else {self._mask}")

    def urem(self, other: Text) -> Text:
        return self._named(self.width, f"{self.text} % {other.text} if {other.text} else {self.text}")

    def sdiv(self, other: Text) -> Text:
        a, b = (self._named(self.width, value._signed) for value in (self, other))
        sign = f"(-1 if ({a.text} < 0) != ({b.text} < 0) else 1)"
        return self._cut(f"abs({a.text}) // abs({b.text}) * {sign} if {b.text} else -1")

    def srem(self, other: Text) -> Text:
        a, b = (self._named(self.width, value._signed) for value in (self, other))
        return self._cut(f"abs({a.text}) % abs({b.text}) * (-1 if {a.text} < 0 else 1) if {b.text} else {a.text}")

    def eq(self, other: Text) -> Text:
        return self._bit(f"{self.text} == {other.text}")

    def ne(self, other: Text) -> Text:
        return self._bit(f"{self.text} != {other.text}")

    def ult(self, other: Text) -> Text:
        return self._bit(f"{self.text} < {other.text}")

    def ule(self, other: Text) -> Text:
        return self._bit(f"{self.text} <= {other.text}")

    def slt(self, other: Text) -> Text:
        half = 1 << self.width - 1
        return self._bit(f"{self.text} ^ {half} < {other.text} ^ {half}")

    def sle(self, other: Text) -> Text:
        half = 1 << self.width - 1
        return self._bit(f"{self.text} ^ {half} <= {other.text} ^ {half}")

    def ite(self, then: Text, otherwise: Text) -> Text:
        """`then` if this one-bit vector is set, else `otherwise`."""
        return self._named(then.width, f"{then.text} if {self.text} else {otherwise.text}")

    def zext(self, width: int) -> Text:
        return Text(width, self.text, self.lines)

    def sext(self, width: int) -> Text:
        return self._named(width, f"{self._signed} & {(1 << width) - 1}")

    def trunc(self, width: int) -> Text:
        return self._named(width, f"{self.text} & {(1 << width) - 1}")

    def popcount(self) -> Text:
        return self._named(self.width, f"{self.text}.bit_count()")

    def clz(self) -> Text:
        return self._named(self.width, f"{self.width} - {self.text}.bit_length()")

    def ctz(self) -> Text:
        return self._named(
            self.width, f"({self.text} & -{self.text}).bit_length() - 1 if {self.text} else {self.width}"
        )

    def bswap(self) -> Text:
        return self._named(self.width, f"int.from_bytes({self.text}.to_bytes({self.width // 8}, 'little'), 'big')")
