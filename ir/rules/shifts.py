"""Shifts: pairs that are masks, and shifts of widened values whose low bits are all that is wanted."""

from __future__ import annotations

from metaphrase.ir.rules.pattern import Constant, Narrow, Rewrite, Wide, rule, wide


@rule
def left_then_right(x: Wide, k: Constant) -> Rewrite:
    """Shifting left and back clears the bits at the top."""
    return Rewrite(find=(x << k).lshr(k), to=x & wide(-1).lshr(k))


@rule
def right_then_left(x: Wide, k: Constant) -> Rewrite:
    """Shifting right and back clears the bits at the bottom."""
    return Rewrite(find=x.lshr(k) << k, to=x & (wide(-1) << k))


@rule
def left_twice(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """Two shifts to the left are one (if the sum of the counts has room)."""
    return Rewrite(find=(x << k) << m, to=x << (k + m), when=k.ule(k + m))


@rule
def right_twice(x: Wide, k: Constant, m: Constant) -> Rewrite:
    """Two shifts to the right are one (if the sum of the counts has room)."""
    return Rewrite(find=x.lshr(k).lshr(m), to=x.lshr(k + m), when=k.ule(k + m))


@rule
def left_out(x: Wide, k: Constant) -> Rewrite:
    """A shift by the width or more leaves nothing."""
    return Rewrite(find=x << k, to=wide(0), when=(wide(-1) << k).eq(0))


@rule
def right_out(x: Wide, k: Constant) -> Rewrite:
    """A shift by the width or more leaves nothing."""
    return Rewrite(find=x.lshr(k), to=wide(0), when=wide(-1).lshr(k).eq(0))


@rule
def low_bits_of_left(x: Narrow, k: Constant) -> Rewrite:
    """The low bits of a widened value that was shifted left come from the value alone."""
    return Rewrite(find=(x.zext() << k).trunc(), to=x << k.trunc(), when=k.trunc().zext().eq(k))


@rule
def low_bits_of_right(x: Narrow, k: Constant) -> Rewrite:
    """A widened value shifted right is as good as shifted before."""
    return Rewrite(find=x.zext().lshr(k).trunc(), to=x.lshr(k.trunc()), when=k.trunc().zext().eq(k))


@rule
def sign_bit(x: Wide, k: Constant) -> Rewrite:
    """A logical shift that leaves the sign bit alone asks whether the value is negative."""
    return Rewrite(find=x.lshr(k), to=x.slt(0).zext(), when=wide(-1).lshr(k).eq(1))
