"""A concrete bit vector, in the algebra that the table of ops is written in.

The meaning of an integer op is a function over this algebra. `Bits` evaluates it (constant folding, the reference
interpreter); `metaphrase.ir.smt.Term` has the same methods over z3 terms (proofs). Everything is total: a shift by the
width or more gives 0 (or the sign), a division by zero gives all ones, a remainder by zero the dividend.
"""

from __future__ import annotations


class Bits:
    """`width` bits holding the unsigned `value`."""

    __slots__ = ("value", "width")

    def __init__(self, width: int, value: int) -> None:
        self.width, self.value = width, value & ((1 << width) - 1)

    def __repr__(self) -> str:
        return f"Bits({self.width}, {self.value:#x})"

    @property
    def signed(self) -> int:
        return self.value - (1 << self.width) if self.value >> (self.width - 1) else self.value

    def constant(self, value: int) -> Bits:
        """A constant of this width."""
        return Bits(self.width, value)

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.width, self.value + other.value)

    def __sub__(self, other: Bits) -> Bits:
        return Bits(self.width, self.value - other.value)

    def __mul__(self, other: Bits) -> Bits:
        return Bits(self.width, self.value * other.value)

    def __and__(self, other: Bits) -> Bits:
        return Bits(self.width, self.value & other.value)

    def __or__(self, other: Bits) -> Bits:
        return Bits(self.width, self.value | other.value)

    def __xor__(self, other: Bits) -> Bits:
        return Bits(self.width, self.value ^ other.value)

    def shl(self, count: Bits) -> Bits:
        return Bits(self.width, self.value << count.value if count.value < self.width else 0)

    def lshr(self, count: Bits) -> Bits:
        return Bits(self.width, self.value >> count.value)

    def ashr(self, count: Bits) -> Bits:
        return Bits(self.width, self.signed >> min(count.value, self.width))

    def rotl(self, count: Bits) -> Bits:
        by = count.value % self.width
        return Bits(self.width, self.value << by | self.value >> (self.width - by))

    def rotr(self, count: Bits) -> Bits:
        by = count.value % self.width
        return Bits(self.width, self.value >> by | self.value << (self.width - by))

    def udiv(self, other: Bits) -> Bits:
        return Bits(self.width, self.value // other.value if other.value else -1)

    def urem(self, other: Bits) -> Bits:
        return Bits(self.width, self.value % other.value if other.value else self.value)

    def sdiv(self, other: Bits) -> Bits:
        if not other.value:
            return Bits(self.width, -1)
        quotient = abs(self.signed) // abs(other.signed)
        return Bits(self.width, -quotient if (self.signed < 0) != (other.signed < 0) else quotient)

    def srem(self, other: Bits) -> Bits:
        if not other.value:
            return self
        remainder = abs(self.signed) % abs(other.signed)
        return Bits(self.width, -remainder if self.signed < 0 else remainder)

    def eq(self, other: Bits) -> Bits:
        return Bits(1, self.value == other.value)

    def ne(self, other: Bits) -> Bits:
        return Bits(1, self.value != other.value)

    def ult(self, other: Bits) -> Bits:
        return Bits(1, self.value < other.value)

    def ule(self, other: Bits) -> Bits:
        return Bits(1, self.value <= other.value)

    def slt(self, other: Bits) -> Bits:
        return Bits(1, self.signed < other.signed)

    def sle(self, other: Bits) -> Bits:
        return Bits(1, self.signed <= other.signed)

    def ite(self, then: Bits, otherwise: Bits) -> Bits:
        """`then` if this one-bit vector is set, else `otherwise`."""
        return then if self.value else otherwise

    def zext(self, width: int) -> Bits:
        return Bits(width, self.value)

    def sext(self, width: int) -> Bits:
        return Bits(width, self.signed)

    def trunc(self, width: int) -> Bits:
        return Bits(width, self.value)

    def popcount(self) -> Bits:
        return Bits(self.width, self.value.bit_count())

    def clz(self) -> Bits:
        return Bits(self.width, self.width - self.value.bit_length())

    def ctz(self) -> Bits:
        value = self.value
        return Bits(self.width, (value & -value).bit_length() - 1 if value else self.width)

    def bswap(self) -> Bits:
        return Bits(self.width, int.from_bytes(self.value.to_bytes(self.width // 8, "little"), "big"))
